// SPDX-License-Identifier: GPL-2.0-only
/*
 * State that goes into a vCPU comes out of it the same, by every pair of
 * ioctls; the guest sees what was set; what cannot be is refused.
 */
#include <kselftest_harness.h>

#include "guest.h"

TEST(regs)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct kvm_regs a, b;
	uint64_t s = seed(), *w = (uint64_t *)&a;
	unsigned int i;

	for (i = 0; i < sizeof(a) / 8; i++)
		w[i] = rng(&s);
	a.rflags = 0x202;
	vcpu_set_regs(v, &a);
	b = vcpu_regs(v);
	ASSERT_EQ(0, memcmp(&a, &b, sizeof(a)));
}

/* All registers reach the guest and come back, R15 to RAX. */
asm(".pushsection .rodata\n"
    "all_regs:\n"
    "	outb	%al, $0x80\n"
    "	not	%rax\n	not	%rbx\n	not	%rcx\n	not	%rdx\n"
    "	not	%rsi\n	not	%rdi\n	not	%rbp\n	not	%rsp\n"
    "	not	%r8\n	not	%r9\n	not	%r10\n	not	%r11\n"
    "	not	%r12\n	not	%r13\n	not	%r14\n	not	%r15\n"
    "	outb	%al, $0x80\n"
    ".popsection\n");

extern const char all_regs[];

TEST(regs_in_guest)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, (void *)all_regs, 0);
	struct kvm_regs a = vcpu_regs(v), b;
	uint64_t s = seed(), *x = (uint64_t *)&a, *y = (uint64_t *)&b;
	int i;

	/* The 16 general registers come first. */
	for (i = 0; i < 16; i++)
		x[i] = rng(&s);
	vcpu_set_regs(v, &a);
	run_exit(v, KVM_EXIT_IO);
	run_exit(v, KVM_EXIT_IO);
	b = vcpu_regs(v);
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(~x[i], y[i]);
	}
}

TEST(sregs)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	struct kvm_sregs a = vcpu_sregs(v), b;

	a.fs.base = 0x7f0000001000;
	a.gs.base = 0xffff888000001000;
	a.ldt.base = 0x12345000;
	a.ldt.limit = 0xff;
	a.ldt.selector = 0x40;
	a.ldt.type = 2;
	a.ldt.present = 1;
	a.ldt.unusable = 0;
	a.gdt.base = 0xffffffff80001000;
	a.gdt.limit = 0x7f;
	a.idt.base = 0xffffffff80002000;
	a.idt.limit = 0xfff;
	a.cr2 = 0x123456789abc;
	a.cr8 = 5;
	a.cr4 |= X86_CR4_PGE;
	vcpu_set_sregs(v, &a);
	b = vcpu_sregs(v);
	ASSERT_EQ(0, memcmp(&a, &b, sizeof(a)));
}

TEST(sregs2)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	struct kvm_sregs2 a, b;

	if (!guest_cap(g, KVM_CAP_SREGS2)) {
		SKIP(return, "no KVM_CAP_SREGS2");
	}
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_SREGS2, &a));
	a.cr2 = 0x4567;
	a.fs.base = 0x89ab;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_SREGS2, &a));
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_SREGS2, &b));
	ASSERT_EQ(0, memcmp(&a, &b, sizeof(a)));
	run_exit(v, KVM_EXIT_HLT);
}

TEST(translate)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	struct kvm_translation t = { .linear_address = 5ul << 40 | 0x123 };

	ASSERT_EQ(0, ioctl(v->fd, KVM_TRANSLATE, &t));
	ASSERT_EQ(0, t.valid);
	guest_map(g, 5ul << 40, GUEST_SCRATCH, PAGE, PAGE, PTE_W);
	ASSERT_EQ(0, ioctl(v->fd, KVM_TRANSLATE, &t));
	ASSERT_EQ(1, t.valid);
	ASSERT_EQ(GUEST_SCRATCH + 0x123, t.physical_address);
	t.linear_address = 0x345678;
	ASSERT_EQ(0, ioctl(v->fd, KVM_TRANSLATE, &t));
	ASSERT_EQ(1, t.valid);
	ASSERT_EQ(0x345678, t.physical_address);
}

TEST(bad_sregs)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	struct kvm_sregs good = vcpu_sregs(v), bad, after;

	/* Long mode without PAE; LMA without paging; reserved CR4 bits. */
	bad = good;
	bad.cr4 &= ~X86_CR4_PAE;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_SREGS, &bad));
	ASSERT_EQ(EINVAL, errno);
	bad = good;
	bad.cr0 &= ~X86_CR0_PG;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_SREGS, &bad));
	ASSERT_EQ(EINVAL, errno);
	bad = good;
	bad.cr4 |= 1ul << 31;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_SREGS, &bad));
	ASSERT_EQ(EINVAL, errno);
	after = vcpu_sregs(v);
	ASSERT_EQ(0, memcmp(&good, &after, sizeof(good)));
	run_exit(v, KVM_EXIT_HLT);
}

TEST(fpu)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	struct kvm_fpu a, b;

	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_FPU, &a));
	ASSERT_EQ(0x37f, a.fcw);
	memset(a.xmm, 0x5a, sizeof(a.xmm));
	memset(a.fpr[3], 0x11, 10);
	a.fcw = 0x27f;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_FPU, &a));
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_FPU, &b));
	ASSERT_EQ(0, memcmp(a.xmm, b.xmm, sizeof(a.xmm)));
	ASSERT_EQ(0, memcmp(a.fpr, b.fpr, sizeof(a.fpr)));
	ASSERT_EQ(a.fcw, b.fcw);
}

/* Layout of the XSAVE area: legacy 512 bytes, header 64, AVX at 576. */
static void g_avx(void)
{
	uint32_t r[4];
	uint8_t ymm[32] __attribute__((aligned(32)));
	int i;

	cpuid_count(1, 0, r);
	if (!(r[2] >> 28 & 1)) {
		guest_sync(0, 0, 0);
		return;
	}
	write_cr4(read_cr4() | X86_CR4_OSXSAVE);
	asm volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
	for (i = 0; i < 32; i++)
		ymm[i] = i + 1;
	asm volatile("vmovdqa %0, %%ymm7" : : "m"(ymm));
	asm volatile("outb %%al, $0x10\n\tvmovdqa %%ymm7, %0"
		     : "=m"(ymm) : "D"(1) : "memory");
	for (i = 0; i < 32; i++)
		G_EQ(ymm[i], 0x80 + i);
}

TEST(xsave)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_avx, 0);
	struct kvm_xsave x;
	uint8_t *area = (uint8_t *)&x;
	int i;

	if (!run_sync(v).a) {
		SKIP(return, "no AVX");
	}
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_XSAVE, &x));
	ASSERT_EQ(6, area[512] & 6);
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(i + 1, area[160 + 16 * 7 + i]);
		ASSERT_EQ(i + 17, area[576 + 16 * 7 + i]);
		area[160 + 16 * 7 + i] = 0x80 + i;
		area[576 + 16 * 7 + i] = 0x90 + i;
	}
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_XSAVE, &x));
	run_done(v);
}

TEST(xsave2)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_avx, 0);
	int size = guest_cap(g, KVM_CAP_XSAVE2);
	uint8_t *a, *b;

	if (!size) {
		SKIP(return, "no KVM_CAP_XSAVE2");
	}
	a = calloc(1, size);
	b = calloc(1, size);
	run_sync(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_XSAVE2, a));
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_XSAVE, a));
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_XSAVE2, b));
	ASSERT_EQ(0, memcmp(a, b, size));
	/* A component that does not exist. */
	a[512 + 7] |= 0x40;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_XSAVE, a));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_XSAVE2, a));
	ASSERT_EQ(0, memcmp(a, b, size));
}

TEST(xcrs)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	struct kvm_xcrs x, y;

	if (!guest_cap(g, KVM_CAP_XCRS)) {
		SKIP(return, "no KVM_CAP_XCRS");
	}
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_XCRS, &x));
	ASSERT_EQ(1, x.nr_xcrs);
	ASSERT_EQ(0, x.xcrs[0].xcr);
	ASSERT_EQ(1, x.xcrs[0].value);
	x.xcrs[0].value = 3;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_XCRS, &x));
	/* AVX without SSE; x87 off. */
	x.xcrs[0].value = 5;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_XCRS, &x));
	ASSERT_EQ(EINVAL, errno);
	x.xcrs[0].value = 2;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_XCRS, &x));
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_XCRS, &y));
	ASSERT_EQ(3, y.xcrs[0].value);
}

/* A vCPU without XSAVE has the XCR0 that all are born with, and can be given it. */
TEST(xcrs_without_xsave)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct kvm_xcrs x;

	if (!guest_cap(g, KVM_CAP_XCRS)) {
		SKIP(return, "no KVM_CAP_XCRS");
	}
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_XCRS, &x));
	ASSERT_EQ(1, x.xcrs[0].value);
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_XCRS, &x));
	x.xcrs[0].value = 3;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_XCRS, &x));
	ASSERT_EQ(EINVAL, errno);
}

static void g_debugregs(void)
{
	uint64_t dr0 = read_dr0(), dr3 = read_dr3();

	guest_sync(dr0, dr3, read_dr7());
	write_dr0(0x111000);
	write_dr3(0x333000);
	write_dr7(0x400);
	guest_sync(0, 0, 0);
	G_EQ(read_dr0(), 0x111000);
}

TEST(debugregs)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_debugregs, 0);
	struct kvm_debugregs d;
	struct ucall u;

	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
	ASSERT_EQ(0xffff0ff0, d.dr6);
	ASSERT_EQ(0x400, d.dr7);
	d.db[0] = 0x7000;
	d.db[3] = 0x7f0000009000;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_DEBUGREGS, &d));
	u = run_sync(v);
	ASSERT_EQ(0x7000, u.a);
	ASSERT_EQ(0x7f0000009000, u.b);
	ASSERT_EQ(0x400, u.c);
	run_sync(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
	ASSERT_EQ(0x111000, d.db[0]);
	ASSERT_EQ(0x333000, d.db[3]);
	ASSERT_EQ(0x400, d.dr7);
	run_done(v);
	d.flags = 1;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_DEBUGREGS, &d));
	ASSERT_EQ(EINVAL, errno);
	d.flags = 0;
	d.dr7 = 1ull << 40;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_DEBUGREGS, &d));
	ASSERT_EQ(EINVAL, errno);
}

/* A data breakpoint of the guest's own. */
static uint64_t watched;

static void g_breakpoint(void)
{
	guest_handler[DB_VECTOR] = guest_count;
	write_dr0((uint64_t)&watched);
	write_dr7(0x400 | 2 | 1 << 16 | 2 << 18);	/* 8 bytes, write */
	guest_sync(0, 0, 0);
	WRITE(watched, 1);
	G_EQ(this_cpu()->count[DB_VECTOR], 1);
	G_EQ(read_dr6() & 0xf, 1);
	write_dr7(0x400);
	WRITE(watched, 2);
	G_EQ(this_cpu()->count[DB_VECTOR], 1);
}

TEST(guest_breakpoint)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_breakpoint, 0);

	run_sync(v);
	run_done(v);
}

TEST(vcpu_events)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	struct kvm_vcpu_events a, b;

	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &a));
	ASSERT_EQ(0, a.exception.injected);
	ASSERT_EQ(0, a.interrupt.injected);
	ASSERT_EQ(0, a.nmi.injected | a.nmi.pending | a.nmi.masked);
	a.exception.injected = 1;
	a.exception.nr = PF_VECTOR;
	a.exception.has_error_code = 1;
	a.exception.error_code = 2;
	a.nmi.masked = 1;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_VCPU_EVENTS, &a));
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &b));
	ASSERT_EQ(1, b.exception.injected);
	ASSERT_EQ(PF_VECTOR, b.exception.nr);
	ASSERT_EQ(1, b.exception.has_error_code);
	ASSERT_EQ(2, b.exception.error_code);
	ASSERT_EQ(1, b.nmi.masked);
	a.flags = 1u << 31;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_VCPU_EVENTS, &a));
	ASSERT_EQ(EINVAL, errno);
	a.flags = 0;
	a.exception.nr = NMI_VECTOR;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_VCPU_EVENTS, &a));
	ASSERT_EQ(EINVAL, errno);
}

/* An exception set from outside is delivered by the next run. */
static void on_injected(struct guest_frame *f)
{
	guest_sync(f->vector, f->error, f->rip);
}

static void g_injected(void)
{
	guest_handler[GP_VECTOR] = on_injected;
	guest_sync(0, 0, 0);
}

TEST(injected_exception)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_injected, 0);
	struct kvm_vcpu_events e;
	struct ucall u;

	run_sync(v);
	/* Complete the port write first: the event is of the next step. */
	v->run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, vcpu_enter(v));
	v->run->immediate_exit = 0;
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	e.exception.injected = 1;
	e.exception.nr = GP_VECTOR;
	e.exception.has_error_code = 1;
	e.exception.error_code = 0x38;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
	u = run_sync(v);
	ASSERT_EQ(GP_VECTOR, u.a);
	ASSERT_EQ(0x38, u.b);
	run_done(v);
}

TEST(mp_state)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *bsp = guest_vcpu(g, hlt, 0);
	struct vcpu *ap = guest_vcpu_bare(g);
	struct kvm_mp_state s;

	ASSERT_EQ(0, ioctl(bsp->fd, KVM_GET_MP_STATE, &s));
	ASSERT_EQ(KVM_MP_STATE_RUNNABLE, s.mp_state);
	ASSERT_EQ(0, ioctl(ap->fd, KVM_GET_MP_STATE, &s));
	ASSERT_EQ(KVM_MP_STATE_UNINITIALIZED, s.mp_state);
	vcpu_set_mp_state(ap, KVM_MP_STATE_HALTED);
	ASSERT_EQ(0, ioctl(ap->fd, KVM_GET_MP_STATE, &s));
	ASSERT_EQ(KVM_MP_STATE_HALTED, s.mp_state);
	s.mp_state = 1000;
	ASSERT_EQ(-1, ioctl(ap->fd, KVM_SET_MP_STATE, &s));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(0, ioctl(ap->fd, KVM_GET_MP_STATE, &s));
	ASSERT_EQ(KVM_MP_STATE_HALTED, s.mp_state);
}

TEST(lapic)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	struct kvm_lapic_state a, b;

	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_LAPIC, &a));
	ASSERT_EQ(0, *(uint32_t *)(a.regs + 0x20));
	ASSERT_EQ(0xff, *(uint32_t *)(a.regs + 0xf0));
	ASSERT_EQ(0x10000, *(uint32_t *)(a.regs + 0x320));
	*(uint32_t *)(a.regs + 0xf0) = 0x1ff;
	*(uint32_t *)(a.regs + 0x80) = 0x20;
	*(uint32_t *)(a.regs + 0x320) = 0x10031;
	*(uint32_t *)(a.regs + 0x3e0) = 0xb;
	/* A pending and an active interrupt. */
	*(uint32_t *)(a.regs + 0x220) = 1 << 5;
	*(uint32_t *)(a.regs + 0x110) = 1 << 7;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_LAPIC, &a));
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_LAPIC, &b));
	ASSERT_EQ(0x1ff, *(uint32_t *)(b.regs + 0xf0));
	ASSERT_EQ(0x20, *(uint32_t *)(b.regs + 0x80));
	ASSERT_EQ(0x10031, *(uint32_t *)(b.regs + 0x320));
	ASSERT_EQ(0xb, *(uint32_t *)(b.regs + 0x3e0));
	ASSERT_EQ(1 << 5, *(uint32_t *)(b.regs + 0x220));
	ASSERT_EQ(1 << 7, *(uint32_t *)(b.regs + 0x110));
}

TEST(no_lapic)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct kvm_lapic_state l;

	ASSERT_EQ(-1, ioctl(v->fd, KVM_GET_LAPIC, &l));
	ASSERT_EQ(EINVAL, errno);
}

/* A guest moved to another VM between two instructions runs on. */
static void g_moved(void)
{
	uint64_t i, sum = 0;

	for (i = 0; i < 10; i++) {
		sum += i;
		guest_sync(i, sum, 0);
	}
	G_EQ(sum, 45);
}

TEST(move_to_new_vm)
{
	struct guest *a = guest_new(GUEST_SPLIT), *b;
	struct vcpu *v = guest_vcpu(a, g_moved, 0), *w;
	struct kvm_vcpu_events events;
	struct kvm_sregs s;
	struct kvm_regs r;
	struct kvm_xsave x;
	int i;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(i, run_sync(v).a);
		v->run->immediate_exit = 1;
		ASSERT_EQ(-EINTR, vcpu_enter(v));
		r = vcpu_regs(v);
		s = vcpu_sregs(v);
		ASSERT_EQ(0, ioctl(v->fd, KVM_GET_XSAVE, &x));
		ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events));
		b = guest_new(GUEST_SPLIT);
		memcpy(b->ram, a->ram, GUEST_RAM);
		w = guest_vcpu(b, g_moved, 0);
		vcpu_set_sregs(w, &s);
		vcpu_set_regs(w, &r);
		ASSERT_EQ(0, ioctl(w->fd, KVM_SET_XSAVE, &x));
		ASSERT_EQ(0, ioctl(w->fd, KVM_SET_VCPU_EVENTS, &events));
		close(v->fd);
		close(a->vm);
		munmap(v->run, a->run_size);
		munmap(a->ram, GUEST_RAM);
		a = b;
		v = w;
	}
	run_done(v);
}

TEST_HARNESS_MAIN
