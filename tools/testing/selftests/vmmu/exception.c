// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions of the guest arrive in the guest, with the right vector, error
 * code, address and CR2; also when the delivery itself has to be interrupted
 * because the host has taken the IDT or the stack away. Double faults, triple
 * faults.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define FAR_GVA		(1ul << 40)	/* nothing mapped, canonical */
#define RO_GVA		(FAR_GVA + PAGE)
#define NX_GVA		(FAR_GVA + 2 * PAGE)
#define KERNEL_GVA	(FAR_GVA + 3 * PAGE)
#define BAD_GVA		(1ul << 63)	/* not canonical */

#define TRY(insn) guest_try(insn, G_OPERANDS(), G_OPERANDS())
#define TRY_PTR(insn, p) guest_try(insn, G_OPERANDS(), \
				   G_OPERANDS("D"(p), "a"(0)))

static void expect_pf(uint64_t vector, uint64_t error, uint64_t address)
{
	G_EQ(vector, PF_VECTOR);
	G_EQ(this_cpu()->error, error);
	G_EQ(this_cpu()->cr2, address);
}

static void simple_faults(void)
{
	uint64_t dividend = 1, high;
	struct guest_cpu *cpu = this_cpu();

	G_EQ(guest_try("div %%cl", G_OPERANDS("+a"(dividend)),
		       G_OPERANDS("c"(0))), DE_VECTOR);
	G_EQ(guest_try("mov $0x8000000000000000, %%rax; cqo; idiv %%rcx",
		       G_OPERANDS("=&a"(dividend), "=&d"(high)),
		       G_OPERANDS("c"(-1ul))), DE_VECTOR);
	G_EQ(TRY("ud2"), UD_VECTOR);
	G_EQ(*(uint16_t *)cpu->rip, 0x0b0f);
	G_EQ(TRY("int3"), BP_VECTOR);
	G_EQ(TRY("int $3"), BP_VECTOR);
	G_EQ(TRY("nop"), NO_TRAP);

	/*
	 * General protection: not canonical, bad selector, bad CR4. (No bad
	 * CR0: QEMU's processor takes it when nobody intercepts it.)
	 */
	G_EQ(TRY_PTR("mov (%%rdi), %%eax", BAD_GVA), GP_VECTOR);
	G_EQ(cpu->error, 0);
	G_EQ(guest_try("mov %%ax, %%fs", G_OPERANDS(),
		       G_OPERANDS("a"(0x1238))), GP_VECTOR);
	G_EQ(cpu->error, 0x1238);
	G_EQ(guest_try("mov %%rax, %%cr4", G_OPERANDS(),
		       G_OPERANDS("a"(read_cr4() | 1ul << 31))), GP_VECTOR);
}

TEST(simple)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, simple_faults, 0);

	run_done(v);
}

static void not_present_segment(void)
{
	volatile uint64_t *gdt = (uint64_t *)GUEST_CPU(0);

	gdt[SEL_DATA16 >> 3] &= ~(1ull << 47);
	G_EQ(guest_try("mov %%eax, %%fs", G_OPERANDS(),
		       G_OPERANDS("a"(SEL_DATA16))), NP_VECTOR);
	G_EQ(this_cpu()->error, SEL_DATA16);
	G_EQ(guest_try("mov %%eax, %%ss", G_OPERANDS(),
		       G_OPERANDS("a"(SEL_DATA16))), SS_VECTOR);
	G_EQ(this_cpu()->error, SEL_DATA16);
}

TEST(segment)
{
	struct guest *g = guest_new(0);

	run_done(guest_vcpu(g, not_present_segment, 0));
}

static void page_faults(void)
{
	expect_pf(TRY_PTR("mov (%%rdi), %%eax", FAR_GVA + 0x123), 0,
		  FAR_GVA + 0x123);
	expect_pf(TRY_PTR("movb $1, (%%rdi)", FAR_GVA), 2, FAR_GVA);
	expect_pf(TRY_PTR("movb $1, (%%rdi)", RO_GVA + 8), 3, RO_GVA + 8);
	G_EQ(TRY_PTR("cmpb $1, (%%rdi)", RO_GVA), NO_TRAP);
	/* Across a page: CR2 is the first byte that faults. */
	expect_pf(TRY_PTR("mov -2(%%rdi), %%eax", NX_GVA + PAGE + PAGE), 0,
		  NX_GVA + PAGE + PAGE);
	/* Fetch: the fault is at the target. */
	expect_pf(guest_try("call *%%rdi", G_OPERANDS(),
			    G_OPERANDS("D"(NX_GVA))), 0x11, NX_GVA);
	asm volatile("add $8, %%rsp" : : : "memory");
	/* CR0.WP off lets the kernel write. */
	write_cr0(read_cr0() & ~X86_CR0_WP);
	G_EQ(TRY_PTR("movb $1, (%%rdi)", RO_GVA), NO_TRAP);
	write_cr0(read_cr0() | X86_CR0_WP);
	expect_pf(TRY_PTR("movb $1, (%%rdi)", RO_GVA), 3, RO_GVA);
}

static void map_pages(struct guest *g)
{
	guest_map(g, RO_GVA, GUEST_SCRATCH, PAGE, PAGE, PTE_U);
	guest_map(g, NX_GVA, GUEST_SCRATCH + PAGE, PAGE, PAGE,
		  PTE_U | PTE_W | PTE_NX);
	guest_map(g, KERNEL_GVA, GUEST_SCRATCH + PAGE, PAGE, PAGE, PTE_W);
}

TEST(page_fault)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, page_faults, 0);

	map_pages(g);
	run_done(v);
}

static void user(void)
{
	expect_pf(TRY_PTR("mov (%%rdi), %%eax", FAR_GVA), 4, FAR_GVA);
	expect_pf(TRY_PTR("mov (%%rdi), %%eax", KERNEL_GVA), 5, KERNEL_GVA);
	expect_pf(TRY_PTR("movb $0, (%%rdi)", KERNEL_GVA), 7, KERNEL_GVA);
	G_EQ(TRY("hlt"), GP_VECTOR);
	G_EQ(TRY("int $0x41"), GP_VECTOR);
	G_EQ(this_cpu()->error, 0x41 << 3 | 2);
	G_EQ(TRY("ud2"), UD_VECTOR);
	G_EQ(rdmsr_try(MSR_EFER, &(uint64_t){ 0 }), GP_VECTOR);
}

static void g_user_mode(void)
{
	/* Reports are port I/O: let CPL 3 do that. */
	asm volatile("pushfq; orq $0x3000, (%%rsp); popfq" : : : "memory");
	guest_user_call(user);
	guest_sync(read_cr8(), 0, 0);
}

TEST(user_mode)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_user_mode, 0);

	map_pages(g);
	run_sync(v);
	run_done(v);
}

static void fpu_faults(void)
{
	write_cr0(read_cr0() | X86_CR0_TS);
	G_EQ(TRY("fnop"), NM_VECTOR);
	G_EQ(TRY("pxor %%xmm0, %%xmm0"), NM_VECTOR);
	asm volatile("clts");
	G_EQ(TRY("fnop"), NO_TRAP);
	write_cr4(read_cr4() & ~X86_CR4_OSFXSR);
	G_EQ(TRY("pxor %%xmm0, %%xmm0"), UD_VECTOR);
	write_cr4(read_cr4() | X86_CR4_OSFXSR);
	G_EQ(TRY("pxor %%xmm0, %%xmm0"), NO_TRAP);
}

TEST(fpu)
{
	struct guest *g = guest_new(0);

	run_done(guest_vcpu(g, fpu_faults, 0));
}

static uint64_t stepped[4];
static int steps;

static void step(struct guest_frame *f)
{
	if (steps < 4)
		stepped[steps++] = f->rip;
	if (steps == 3)
		f->rflags &= ~X86_FLAGS_TF;
}

static void g_single_step(void)
{
	uint64_t start;

	guest_handler[DB_VECTOR] = step;
	asm volatile("lea 1f(%%rip), %0\n\t"
		     "pushfq\n\t"
		     "orq $0x100, (%%rsp)\n\t"
		     "popfq\n\t"
		     "nop\n"
		     "1: cpuid\n\t"
		     "nop\n\t"
		     "nop\n\t"
		     "nop" : "=&r"(start) : "a"(0) :
		     "rbx", "rcx", "rdx", "memory", "cc");
	G_EQ(steps, 3);
	G_EQ(stepped[0], start);
	/* An instruction that leaves the guest steps like any other. */
	G_EQ(stepped[1], start + 2);
	G_EQ(stepped[2], start + 3);
	G_ASSERT(read_dr6() & 1 << 14);
}

TEST(single_step)
{
	struct guest *g = guest_new(0);

	run_done(guest_vcpu(g, g_single_step, 0));
}

static void on_double_fault(struct guest_frame *f)
{
	G_EQ(f->error, 0);
	G_EQ(f->vector, DF_VECTOR);
	guest_sync(DF_VECTOR, f->rsp, 0);
}

/* No stack: #PF while #PF is delivered; #DF has a stack of its own. */
static void g_double_fault(void)
{
	guest_handler[DF_VECTOR] = on_double_fault;
	asm volatile("mov %0, %%rsp; push %%rax" : : "r"(FAR_GVA) : "memory");
}

TEST(double_fault)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_double_fault, 0);

	ASSERT_EQ(DF_VECTOR, run_sync(v).a);
}

static void g_triple_fault(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed))
		none = { 0, 0 };

	asm volatile("lidt %0; ud2" : : "m"(none));
}

TEST(triple_fault)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_triple_fault, 0);

	run_exit(v, KVM_EXIT_SHUTDOWN);
}

/*
 * Deliveries that fault on the host's side: each time the host has just
 * dropped the pages of the IDT, the GDT and the stack from its page tables, so
 * the processor stops amid the delivery. The event must arrive once, complete.
 */
static void expect_event(struct guest_frame *f)
{
	this_cpu()->vector = f->vector;
	this_cpu()->error = f->error;
	this_cpu()->cr2 = read_cr2();
	this_cpu()->count[f->vector]++;
	if (f->vector == UD_VECTOR)
		f->rip += 2;
	if (f->vector == PF_VECTOR)
		f->rip = this_cpu()->rip;
}

static void g_interrupted_delivery(void)
{
	struct guest_cpu *cpu = this_cpu();
	int i;

	guest_handler[UD_VECTOR] = expect_event;
	guest_handler[BP_VECTOR] = expect_event;
	guest_handler[PF_VECTOR] = expect_event;
	guest_handler[0x41] = expect_event;
	for (i = 1; i <= 3; i++) {
		/*
		 * Nothing may touch the stack between the report and the
		 * event, or it would be there again.
		 */
		asm volatile("outb %%al, $0x10; ud2" : : "D"(UD_VECTOR) : "memory");
		G_EQ(cpu->count[UD_VECTOR], i);
		asm volatile("outb %%al, $0x10; int3" : : "D"(BP_VECTOR) : "memory");
		G_EQ(cpu->count[BP_VECTOR], i);
		asm volatile("outb %%al, $0x10; int $0x41" : : "D"(0x41) : "memory");
		G_EQ(cpu->count[0x41], i);
		asm volatile("lea 1f(%%rip), %%rax; mov %%rax, %0\n\t"
			     "outb %%al, $0x10; movb $1, (%%rcx)\n"
			     "1:" : "=m"(cpu->rip)
			     : "D"(PF_VECTOR), "c"(FAR_GVA) : "rax", "memory");
		G_EQ(cpu->count[PF_VECTOR], i);
		G_EQ(cpu->error, 2);
		G_EQ(cpu->cr2, FAR_GVA);
	}
}

/* Fresh host pages with the old content; the guest's mapping is gone. */
static void renew(struct guest *g, uint64_t gpa)
{
	uint8_t copy[PAGE], *p = guest_hva(g, gpa);

	memcpy(copy, p, PAGE);
	if (madvise(p, PAGE, MADV_DONTNEED))
		DIE("MADV_DONTNEED: %m");
	memcpy(p, copy, PAGE);
}

TEST(interrupted_delivery)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_interrupted_delivery, 0);
	int i;

	for (i = 0; i < 12; i++) {
		run_sync(v);
		if (i % 4 != 2)
			renew(g, GUEST_IDT);
		if (i / 4 > 0)
			renew(g, GUEST_STACK(0) - PAGE);
		if (i / 4 > 1)
			renew(g, GUEST_CPU(0));
	}
	run_done(v);
}

static void nmi_loop(void)
{
	struct guest_cpu *cpu = this_cpu();

	guest_handler[NMI_VECTOR] = guest_count;
	guest_sync(0, 0, 0);
	while (!READ(cpu->count[NMI_VECTOR]))
		cpu_pause();
	G_EQ(cpu->count[NMI_VECTOR], 1);
}

TEST(nmi)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, nmi_loop, 0);

	run_sync(v);
	renew(g, GUEST_IDT);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	run_done(v);
}

/* KVM_INTERRUPT: injected when the window is open, else a window exit. */
static void window(void)
{
	struct guest_cpu *cpu = this_cpu();

	guest_handler[0x55] = guest_count;
	guest_sync(0, 0, 0);
	G_EQ(cpu->count[0x55], 0);
	asm volatile("sti; nop; cli" : : : "memory");
	G_EQ(cpu->count[0x55], 1);
	guest_sync(1, 0, 0);
}

TEST(interrupt_window)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, window, 0);
	struct kvm_interrupt irq = { .irq = 0x55 };

	run_sync(v);
	v->run->request_interrupt_window = 1;
	run_exit(v, KVM_EXIT_IRQ_WINDOW_OPEN);
	ASSERT_EQ(1, v->run->ready_for_interrupt_injection);
	ASSERT_EQ(1, v->run->if_flag);
	v->run->request_interrupt_window = 0;
	ASSERT_EQ(0, ioctl(v->fd, KVM_INTERRUPT, &irq));
	ASSERT_EQ(1, run_sync(v).a);
	run_done(v);
}

TEST_HARNESS_MAIN
