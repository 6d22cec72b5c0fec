// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest debugging by user space: single steps, software and hardware breakpoints,
 * injected exceptions, blocked interrupts; and what of it the guest sees.
 */
#include <kselftest_harness.h>

#include "apic.h"
#include "guest.h"

#define PORT		0x3f0
#define IRQ		0x55
#define DR6_CLEAR	0xffff0ff0ull
#define DR6_BS		0x4000ull
#define DR7_CLEAR	0x400ull
#define DR7_L(n)	(1ull << (2 * (n)))
#define DR7_WRITE4(n)	(0xdull << (16 + 4 * (n)))
#define DR7_ACCESS4(n)	(0xfull << (16 + 4 * (n)))
#define ALL_CONTROLS	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |	\
			 KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP |	\
			 KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)

/* Places in guest code; each is defined in an asm of a function that is not inlined. */
#define CODE __attribute__((noipa))
#define AT(name) ((uint64_t)(name))

static int debug_try(struct vcpu *v, uint32_t control, const struct kvm_guest_debug *d)
{
	struct kvm_guest_debug dbg = d ? *d : (struct kvm_guest_debug) { 0 };

	dbg.control = control;
	return ioctl(v->fd, KVM_SET_GUEST_DEBUG, &dbg) ? -errno : 0;
}

static void debug_on(struct vcpu *v, uint32_t control)
{
	int r = debug_try(v, control ? control | KVM_GUESTDBG_ENABLE : 0, NULL);

	if (r)
		DIE("KVM_SET_GUEST_DEBUG %#x: %s", control, strerror(-r));
}

/* Breakpoint 0 and 1 of user space. */
static void debug_hw(struct vcpu *v, uint32_t more, uint64_t dr0, uint64_t dr1, uint64_t dr7)
{
	struct kvm_guest_debug d = { .arch.debugreg = { dr0, dr1, [7] = dr7 } };
	int r = debug_try(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP | more, &d);

	if (r)
		DIE("KVM_SET_GUEST_DEBUG: %s", strerror(-r));
}

/* The next exit is KVM_EXIT_DEBUG; at most one port access to PORT before it. */
static uint64_t run_debug(struct vcpu *v, uint32_t vector, uint64_t dr6, int *io)
{
	struct kvm_debug_exit_arch *a = &v->run->debug.arch;
	struct ucall u = vcpu_run_ucall(v);

	if (io && !u.kind && v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == PORT) {
		++*io;
		if (v->run->io.direction == KVM_EXIT_IO_IN)
			*((uint8_t *)v->run + v->run->io.data_offset) = 0x77;
		u = vcpu_run_ucall(v);
	} else if (io && !u.kind && v->run->exit_reason == KVM_EXIT_MMIO) {
		++*io;
		u = vcpu_run_ucall(v);
	}
	if (u.kind || v->run->exit_reason != KVM_EXIT_DEBUG) {
		vcpu_dump(v);
		DIE("exit %s, ucall %d", exit_name(v->run->exit_reason), u.kind);
	}
	if (a->exception != vector)
		DIE("exception %u at %llx", a->exception, a->pc);
	if (vector == DB_VECTOR && a->dr6 != dr6)
		DIE("dr6 %llx at %llx", a->dr6, a->pc);
	if (a->pc != vcpu_regs(v).rip)
		DIE("pc %llx, rip %llx", a->pc, vcpu_regs(v).rip);
	return a->pc;
}

static uint64_t step(struct vcpu *v, int *io)
{
	uint64_t pc = run_debug(v, DB_VECTOR, DR6_CLEAR | DR6_BS, io);

	if (vcpu_regs(v).rflags & X86_FLAGS_TF)
		DIE("TF shows at %lx", (long)pc);
	return pc;
}

/* Step until @place. After an OUT the vCPU may stand at it or behind it. */
static void step_to(struct vcpu *v, uint64_t place)
{
	int i;

	if (vcpu_regs(v).rip == place)
		return;
	for (i = 0; i < 100; i++)
		if (step(v, NULL) == place)
			return;
	DIE("%lx is not reached", (long)place);
}

/* ---- capabilities and errors ---- */

static void g_nothing(void)
{
}

TEST(capability)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_nothing, 0);

	ASSERT_EQ(1, guest_cap(g, KVM_CAP_SET_GUEST_DEBUG));
	ASSERT_EQ(ALL_CONTROLS, guest_cap(g, KVM_CAP_SET_GUEST_DEBUG2) & ALL_CONTROLS);
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_GUEST_DEBUG, 8));
	ASSERT_EQ(EFAULT, errno);
	/* Without ENABLE the rest means nothing. */
	ASSERT_EQ(0, debug_try(v, KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP, NULL));
	run_done(v);
}

TEST(one_injection)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_nothing, 0);

	ASSERT_EQ(0, debug_try(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB, NULL));
	ASSERT_EQ(-EBUSY, debug_try(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |
				    KVM_GUESTDBG_INJECT_BP, NULL));
	ASSERT_EQ(-EBUSY, debug_try(v, KVM_GUESTDBG_INJECT_DB, NULL));
}

/* ---- steps ---- */

static uint64_t step_buf[4], traps, trap_dr6;
extern char st_0[], st_1[], st_2[], st_3[], st_4[], st_5[], st_6[], st_7[], st_8[],
	st_end[];

static void on_db(struct guest_frame *f)
{
	traps++;
	trap_dr6 = read_dr6();
	write_dr6(DR6_CLEAR);
	f->rflags &= ~X86_FLAGS_TF;
}

static uint64_t flags_now(void)
{
	uint64_t flags;

	asm volatile("pushfq; pop %0" : "=r"(flags) : : "memory");
	return flags;
}

static CODE void g_step(void)
{
	uint64_t count = 5, to = (uint64_t)step_buf, in = 0, out;

	guest_handler[DB_VECTOR] = on_db;
	guest_sync(0, 0, 0);
	asm volatile("st_0: mov	$0x40000000, %%eax\n"
		     "st_1: cpuid\n"			/* exits */
		     "st_2: mov	$0x3f0, %%edx\n"
		     "st_3: rep stosb\n"
		     "st_4: mov	$0x5a, %%al\n"
		     "st_5: outb	%%al, %%dx\n"	/* goes to user space */
		     "st_6: inb	%%dx, %%al\n"
		     "st_7: pushfq\n"
		     "st_8: popfq\n"
		     "st_end: nop\n"
		     : "=a"(in), "+c"(count), "+D"(to), "=d"(out)
		     : : "rbx", "memory", "cc");
	guest_sync(in & 0xff, to, count);
	G_EQ(flags_now() & X86_FLAGS_TF, 0);
	G_EQ(READ(traps), 0);
	G_EQ(read_dr6(), DR6_CLEAR);
}

static void step_through(struct __test_metadata *_metadata, bool again)
{
	static char * const places[] = { st_1, st_2, st_3, st_4, st_5, st_6, st_7, st_8,
		st_end };
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_step, 0);
	uint64_t pc, rcx;
	struct ucall u;
	unsigned int i;
	int io = 0;

	run_sync(v);
	debug_on(v, KVM_GUESTDBG_SINGLESTEP);
	step_to(v, AT(st_0));
	/* CPUID leaves some number in RCX. */
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (places[i] == st_3) {
			struct kvm_regs r = vcpu_regs(v);

			ASSERT_EQ(AT(st_2), r.rip);
			r.rcx = 5;
			vcpu_set_regs(v, &r);
			/* KVM forgets the step when user space moves the guest. */
			debug_on(v, KVM_GUESTDBG_SINGLESTEP);
		}
		if (again)
			debug_on(v, KVM_GUESTDBG_SINGLESTEP);
		pc = step(v, &io);
		if (places[i] != st_4) {
			ASSERT_EQ(AT(places[i]), pc);
			continue;
		}
		/* A step is one iteration. */
		for (rcx = 4; rcx; rcx--) {
			ASSERT_EQ(AT(st_3), pc);
			ASSERT_EQ(rcx, vcpu_regs(v).rcx);
			pc = step(v, &io);
		}
		/* It may take one more to see that nothing is left. */
		if (pc == AT(st_3))
			pc = step(v, &io);
		ASSERT_EQ(AT(st_4), pc);
	}
	ASSERT_EQ(2, io);
	debug_on(v, 0);
	u = run_sync(v);
	ASSERT_EQ(0x77, u.a);
	ASSERT_EQ((uint64_t)step_buf + 5, u.b);
	ASSERT_EQ(0, u.c);
	run_done(v);
}

TEST(single_step)
{
	step_through(_metadata, false);
}

/* As gdb does it. */
TEST(single_step_set_each_time)
{
	step_through(_metadata, true);
}

extern char io_0[], io_1[], io_2[], io_3[];

static CODE void g_mmio(void)
{
	uint32_t in;

	guest_sync(0, 0, 0);
	asm volatile("io_0: movl	$5, (%1)\n"
		     "io_1: movl	(%1), %0\n"
		     "io_2: stosb\n"			/* to a device */
		     "io_3: nop" : "=a"(in) : "b"(GUEST_TEST), "D"(GUEST_TEST) : "memory");
}

/* Instructions that the kernel emulates. */
TEST(step_over_mmio)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_mmio, 0);
	int io = 0;

	if (strstr(device_path(), "/kvm"))
		SKIP(return, "KVM does not report a step over a write to a device");
	run_sync(v);
	debug_on(v, KVM_GUESTDBG_SINGLESTEP);
	step_to(v, AT(io_0));
	ASSERT_EQ(AT(io_1), step(v, &io));
	ASSERT_EQ(AT(io_2), step(v, &io));
	ASSERT_EQ(AT(io_3), step(v, &io));
	ASSERT_EQ(3, io);
	debug_on(v, 0);
	run_done(v);
}

extern char pf_0[], pf_1[], pf_2[];

static CODE void g_popf(void)
{
	guest_handler[DB_VECTOR] = on_db;
	guest_sync(0, 0, 0);
	asm volatile("pf_0: pushq	$2\n"
		     "popfq\n"
		     "pf_1: nop\n"
		     "pf_2: nop" : : : "memory", "cc");
	G_EQ(READ(traps), 0);
}

/* An instruction that clears TF is stepped over like any other. */
TEST(step_over_popf)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_popf, 0);

	run_sync(v);
	debug_on(v, KVM_GUESTDBG_SINGLESTEP);
	step_to(v, AT(pf_0));
	step(v, NULL);
	ASSERT_EQ(AT(pf_1), step(v, NULL));
	debug_on(v, KVM_GUESTDBG_SINGLESTEP);
	ASSERT_EQ(AT(pf_2), step(v, NULL));
	debug_on(v, 0);
	run_done(v);
}

extern char tf_0[], tf_1[];

static CODE void g_own_tf(void)
{
	guest_handler[DB_VECTOR] = on_db;
	asm volatile("pushfq; orq $0x100, (%%rsp); popfq; nop" : : : "memory", "cc");
	G_EQ(READ(traps), 1);
	G_EQ(READ(trap_dr6), DR6_CLEAR | DR6_BS);
	guest_sync(0, 0, 0);
	asm volatile("tf_0: nop\n"
		     "tf_1: nop" : : : "memory");
	G_EQ(READ(traps), 2);
	G_EQ(READ(trap_dr6), DR6_CLEAR | DR6_BS);
}

/* The guest's own steps are its own as long as user space does not step. */
TEST(guest_steps)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_own_tf, 0);
	struct kvm_regs r;

	debug_on(v, KVM_GUESTDBG_USE_SW_BP);
	run_sync(v);
	debug_on(v, KVM_GUESTDBG_SINGLESTEP);
	step_to(v, AT(tf_0));
	debug_on(v, 0);
	r = vcpu_regs(v);
	ASSERT_EQ(0, r.rflags & X86_FLAGS_TF);
	r.rflags |= X86_FLAGS_TF;
	vcpu_set_regs(v, &r);
	ASSERT_NE(0, vcpu_regs(v).rflags & X86_FLAGS_TF);
	run_done(v);
}

/* Both at once: user space's exit first, then the guest's trap. */
TEST(both_step)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_own_tf, 0);
	struct kvm_regs r;

	if (strstr(device_path(), "/kvm"))
		SKIP(return, "KVM forgets the guest's TF while user space steps");
	run_sync(v);
	debug_on(v, KVM_GUESTDBG_SINGLESTEP);
	step_to(v, AT(tf_0));
	r = vcpu_regs(v);
	r.rflags |= X86_FLAGS_TF;
	vcpu_set_regs(v, &r);
	ASSERT_NE(0, vcpu_regs(v).rflags & X86_FLAGS_TF);
	ASSERT_EQ(AT(tf_1), run_debug(v, DB_VECTOR, DR6_CLEAR | DR6_BS, NULL));
	ASSERT_NE(0, vcpu_regs(v).rflags & X86_FLAGS_TF);
	debug_on(v, 0);
	ASSERT_NE(0, vcpu_regs(v).rflags & X86_FLAGS_TF);
	run_done(v);
}

/* ---- software breakpoints ---- */

extern char sw_0[], sw_1[], sw_own[];

static CODE void sw_code(void)
{
	asm volatile("sw_0: nop\n"
		     "sw_1: nop" : : : "memory");
}

static CODE void g_sw(void)
{
	guest_handler[0x60] = guest_count;
	guest_sync(0, 0, 0);
	sw_code();
	sw_code();
	sw_code();
	/* With breakpoints on, INT n stays the guest's. */
	G_EQ(guest_try("int $0x60", G_OPERANDS(), G_OPERANDS()), NO_TRAP);
	G_EQ(READ(this_cpu()->count[0x60]), 1);
	G_EQ(guest_try(".byte 0xcd, 3", G_OPERANDS(), G_OPERANDS()), BP_VECTOR);
	guest_sync(1, 0, 0);
	/* Nobody debugs; then somebody who gives it back. */
	G_EQ(guest_try("int3", G_OPERANDS(), G_OPERANDS()), BP_VECTOR);
	guest_sync(2, 0, 0);
	G_EQ(guest_try("sw_own: int3", G_OPERANDS(), G_OPERANDS()), BP_VECTOR);
	G_EQ(this_cpu()->rip, AT(sw_own) + 1);
}

TEST(software_breakpoint)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_sw, 0);
	volatile uint8_t *code = guest_hva(g, AT(sw_0));
	uint32_t cpuid[4];
	int i;

	cpuid_count(1, 0, cpuid);
	if (strstr(device_path(), "/kvm") && cpuid[2] >> 31)
		SKIP(return, "QEMU's processor does not intercept INT3 for KVM");
	run_sync(v);
	for (i = 0; i < 3; i++) {
		*code = 0xcc;
		debug_on(v, KVM_GUESTDBG_USE_SW_BP);
		ASSERT_EQ(AT(sw_0), run_debug(v, BP_VECTOR, 0, NULL));
		*code = 0x90;
		debug_on(v, KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_SINGLESTEP);
		ASSERT_EQ(AT(sw_1), step(v, NULL));
	}
	debug_on(v, KVM_GUESTDBG_USE_SW_BP);
	ASSERT_EQ(1, run_sync(v).a);
	debug_on(v, 0);
	ASSERT_EQ(2, run_sync(v).a);
	debug_on(v, KVM_GUESTDBG_USE_SW_BP);
	ASSERT_EQ(AT(sw_own), run_debug(v, BP_VECTOR, 0, NULL));
	debug_on(v, KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_INJECT_BP);
	run_done(v);
}

/*
 * The same at CPL 3, where a kernel may have seen to it that its own CPL cannot
 * execute what is executed there.
 */
#define USER_GVA	(5ul << 40)

static void on_bp(struct guest_frame *f)
{
	guest_sync(f->rip, f->cs, 0);
}

static void g_sw_user(void)
{
	uint32_t r[4];

	guest_handler[BP_VECTOR] = on_bp;
	cpuid_count(7, 0, r);
	if (r[1] >> 7 & 1)
		write_cr4(read_cr4() | X86_CR4_SMEP);
	guest_user_call((void (*)(void))USER_GVA);
}

TEST(software_breakpoint_user)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_sw_user, 0);
	volatile uint8_t *code = guest_hva(g, GUEST_SCRATCH);
	uint32_t cpuid[4];
	struct ucall u;

	cpuid_count(1, 0, cpuid);
	if (strstr(device_path(), "/kvm") && cpuid[2] >> 31)
		SKIP(return, "QEMU's processor does not intercept INT3 for KVM");
	guest_map(g, 0, 0, GUEST_RAM, 2 * MB, PTE_W);
	guest_map(g, USER_GVA, GUEST_SCRATCH, PAGE, PAGE, PTE_U);
	memcpy((void *)code, "\xcc\x90\xcc\x90", 4);
	debug_on(v, KVM_GUESTDBG_USE_SW_BP);
	ASSERT_EQ(USER_GVA, run_debug(v, BP_VECTOR, 0, NULL));
	code[0] = 0x90;
	debug_on(v, KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_SINGLESTEP);
	ASSERT_EQ(USER_GVA + 1, step(v, NULL));
	debug_on(v, KVM_GUESTDBG_USE_SW_BP);
	ASSERT_EQ(USER_GVA + 2, run_debug(v, BP_VECTOR, 0, NULL));
	/* This one is the program's own. */
	debug_on(v, KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_INJECT_BP);
	u = run_sync(v);
	ASSERT_EQ(USER_GVA + 3, u.a);
	ASSERT_EQ(SEL_USER_CODE, u.b);
}

static void g_injected_db(void)
{
	guest_handler[DB_VECTOR] = on_db;
	guest_sync(0, 0, 0);
	G_EQ(READ(traps), 1);
	G_EQ(READ(trap_dr6), DR6_CLEAR);
}

TEST(inject_db)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_injected_db, 0);

	run_sync(v);
	ASSERT_EQ(0, debug_try(v, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB, NULL));
	run_done(v);
}

/* ---- hardware breakpoints ---- */

static uint32_t watched, other, guests;
extern char hw_0[], hw_1[], hw_written[], hw_read[], hw_last[];

static CODE void g_hw(void)
{
	guest_sync(0, 0, 0);
	asm volatile("hw_0: nop\n"
		     "hw_1: movl	$1, %0\n"
		     "hw_written: movl	%0, %%eax\n"
		     "hw_read: nop\n"
		     "hw_last: nop" : "+m"(watched) : : "eax", "memory");
	G_EQ(read_dr6(), DR6_CLEAR);
	G_EQ(read_dr7(), DR7_CLEAR);
	G_EQ(read_dr0(), 0);
}

TEST(hardware_breakpoint)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_hw, 0);
	uint64_t data = (uint64_t)&watched;
	uint64_t dr7;

	run_sync(v);
	dr7 = DR7_CLEAR | DR7_L(0);
	debug_hw(v, 0, AT(hw_0), 0, dr7);
	ASSERT_EQ(AT(hw_0), run_debug(v, DB_VECTOR, DR6_CLEAR | 1, NULL));
	ASSERT_EQ(dr7, v->run->debug.arch.dr7);

	dr7 = DR7_CLEAR | DR7_L(1) | DR7_WRITE4(1);
	debug_hw(v, 0, AT(hw_0), data, dr7);
	ASSERT_EQ(AT(hw_written), run_debug(v, DB_VECTOR, DR6_CLEAR | 2, NULL));
	ASSERT_EQ(dr7, v->run->debug.arch.dr7);
	ASSERT_EQ(1, guest_var(g, watched));

	dr7 = DR7_CLEAR | DR7_L(0) | DR7_ACCESS4(0) | DR7_L(1);
	debug_hw(v, 0, data, AT(hw_last), dr7);
	ASSERT_EQ(AT(hw_read), run_debug(v, DB_VECTOR, DR6_CLEAR | 1, NULL));
	ASSERT_EQ(AT(hw_last), run_debug(v, DB_VECTOR, DR6_CLEAR | 2, NULL));
	debug_on(v, 0);
	run_done(v);
}

/* A guest with a breakpoint of its own, which sleeps while user space has its own. */
extern char own_0[], own_1[];

static CODE void g_own_dr(void)
{
	guest_handler[DB_VECTOR] = on_db;
	write_dr0((uint64_t)&guests);
	write_dr7(DR7_CLEAR | DR7_L(0) | DR7_WRITE4(0));
	WRITE(guests, 1);
	G_EQ(READ(traps), 1);
	G_EQ(READ(trap_dr6), DR6_CLEAR | 1);
	guest_sync(1, 0, 0);

	asm volatile("movl	$2, %0\n"		/* sleeps */
		     "movl	$2, %1\n"
		     "own_0: nop" : "=m"(guests), "=m"(other));
	G_EQ(READ(traps), 1);
	G_EQ(read_dr0(), (uint64_t)&guests);
	G_EQ(read_dr7(), DR7_CLEAR | DR7_L(0) | DR7_WRITE4(0));
	G_EQ(read_dr6(), DR6_CLEAR);
	write_dr3(0x123456789000);
	write_dr6(DR6_CLEAR | 8);
	G_EQ(read_dr3(), 0x123456789000);
	asm volatile("movl	$3, %0\n"
		     "own_1: nop" : "=m"(other));
	guest_sync(2, 0, 0);

	G_EQ(read_dr0(), (uint64_t)&guests);
	G_EQ(read_dr3(), 0x123456789000);
	G_EQ(read_dr6(), DR6_CLEAR | 8);
	write_dr6(DR6_CLEAR);
	WRITE(guests, 4);
	G_EQ(READ(traps), 2);
	G_EQ(READ(trap_dr6), DR6_CLEAR | 1);
}

TEST(guest_debug_registers)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_own_dr, 0);
	struct kvm_debugregs d;

	/* Neither of these two touches the guest's registers. */
	debug_on(v, KVM_GUESTDBG_USE_SW_BP);
	ASSERT_EQ(1, run_sync(v).a);
	debug_hw(v, 0, (uint64_t)&other, 0, DR7_CLEAR | DR7_L(0) | DR7_WRITE4(0));
	ASSERT_EQ(AT(own_0), run_debug(v, DB_VECTOR, DR6_CLEAR | 1, NULL));
	ASSERT_EQ(AT(own_1), run_debug(v, DB_VECTOR, DR6_CLEAR | 1, NULL));
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
	ASSERT_EQ((uint64_t)&guests, d.db[0]);
	ASSERT_EQ(0x123456789000, d.db[3]);
	ASSERT_EQ(DR6_CLEAR | 8, d.dr6);
	ASSERT_EQ(DR7_CLEAR | DR7_L(0) | DR7_WRITE4(0), d.dr7);
	ASSERT_EQ(2, run_sync(v).a);
	debug_on(v, 0);
	run_done(v);
}

/* ---- interrupts ---- */

extern char irq_0[], irq_1[], irq_2[];

static CODE void g_irq(void)
{
	guest_handler[IRQ] = apic_count;
	apic_enable(false);
	guest_sync(0, 0, 0);
	asm volatile("sti\n"
		     "nop\n"
		     "irq_0: nop\n"
		     "irq_1: nop\n"
		     "irq_2: nop\n" : : : "memory");
	guest_sync(1, READ(this_cpu()->count[IRQ]), 0);
	cli();
}

TEST(block_interrupts)
{
	struct kvm_msi irq = { .address_lo = 0xfee00000, .data = IRQ };
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_irq, 0);
	struct ucall u;

	if (!(guest_cap(g, KVM_CAP_SET_GUEST_DEBUG2) & KVM_GUESTDBG_BLOCKIRQ))
		SKIP(return, "no KVM_GUESTDBG_BLOCKIRQ");
	run_sync(v);
	debug_on(v, KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_BLOCKIRQ);
	step_to(v, AT(irq_0));
	ASSERT_EQ(1, ioctl(g->vm, KVM_SIGNAL_MSI, &irq));
	ASSERT_EQ(AT(irq_1), step(v, NULL));
	ASSERT_EQ(AT(irq_2), step(v, NULL));
	ASSERT_EQ(0, guest_var(g, guest_cpus[0].count[IRQ]));
	debug_on(v, 0);
	u = run_sync(v);
	ASSERT_EQ(1, u.a);
	ASSERT_EQ(1, u.b);
	run_done(v);
}

TEST_HARNESS_MAIN
