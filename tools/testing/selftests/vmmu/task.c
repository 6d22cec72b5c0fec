// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware task switches between 32-bit tasks: CALL and IRET, JMP, task gates for
 * INT n and for an exception with an error code, a new address space, and faults
 * on the way into the new task.
 *
 * With nested paging on AMD-V the processor does all of it; VT-x and shadow paging
 * leave it to the module.
 */
#include <kselftest_harness.h>
#include <cpuid.h>

#include "guest.h"

#define GDT		GUEST_SCRATCH
#define IDT		(GUEST_SCRATCH + PAGE)
#define TSS(n)		(GUEST_SCRATCH + 2 * PAGE + (n) * 0x100)	/* main, other */
#define OTHER_STACK	(GUEST_STACK(0) - 2 * PAGE)

/* The test's own GDT. */
#define S_CODE		0x08
#define S_DATA		0x10
#define S_MAIN		0x18
#define S_OTHER		0x20
#define S_LDT		0x28
#define S_ABSENT	0x30
#define S_LOCAL		0x04	/* the only segment of the LDT */

#define TYPE_AVAILABLE	9
#define TYPE_BUSY	11
#define GATE_VECTOR	0x30

#define FLAGS_NT	(1u << 14)
#define FLAGS_RF	(1u << 16)

struct tss32 {
	uint32_t link, stacks[6], cr3, eip, eflags, regs[8];
	uint32_t es, cs, ss, ds, fs, gs, ldt;
	uint16_t trap, iomap;
};

static_assert(sizeof(struct tss32) == 104, "SDM vol. 3, 7.2.1");

asm(".pushsection .rodata\n"
    ".code32\n"
    "call_task:\n"
    "	mov	$0x11111111, %ebx\n"
    "	mov	$0x22222222, %ebp\n"
    "	lcall	$0x20, $0\n"
    "call_next:\n"
    "	pushf\n"
    "	pop	%edi\n"
    "	mov	%ebp, %esi\n"
    "	outb	%al, $0x10\n"
    "	lcall	$0x20, $0\n"
    "	mov	$3, %edi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    /* The other task goes on behind its IRET when it is called again. */
    "called:\n"
    "	pushf\n"
    "	pop	%edi\n"
    "	str	%si\n"
    "	outb	%al, $0x10\n"
    "	iretl\n"
    "called_again:\n"
    "	mov	$2, %edi\n"
    "	outb	%al, $0x10\n"
    "	iretl\n"

    "jump_task:\n"
    "	ljmp	$0x20, $0\n"
    "	pushf\n"
    "	pop	%edi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    "jumped:\n"
    "	pushf\n"
    "	pop	%edi\n"
    "	mov	%cr0, %esi\n"
    "	outb	%al, $0x10\n"
    "	ljmp	$0x18, $0\n"

    "int_task:\n"
    "	int	$0x30\n"
    "int_next:\n"
    "	mov	$5, %edi\n"
    "	outb	%al, $0x10\n"
    "	mov	$0x58, %eax\n"
    "fault_here:\n"
    "	mov	%eax, %ds\n"		/* beyond the GDT: #GP(0x58) */
    "	mov	$6, %edi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    "gate:\n"
    "	mov	%esp, %edi\n"
    "	outb	%al, $0x10\n"
    "	iretl\n"
    "	pop	%edi\n"
    "	mov	%esp, %esi\n"
    "	outb	%al, $0x10\n"
    "	iretl\n"

    "space_task:\n"
    "	movl	$0x10, %eax\n"		/* CR4.PSE */
    "	mov	%eax, %cr4\n"
    "	mov	%esi, %cr3\n"
    "	mov	%cr0, %eax\n"
    "	or	$0x80000000, %eax\n"
    "	mov	%eax, %cr0\n"
    "	mov	0x40000000, %edi\n"
    "	outb	%al, $0x10\n"
    "	lcall	$0x20, $0\n"
    "	mov	0x40000000, %edi\n"
    "	mov	%cr3, %esi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    "space:\n"
    "	mov	0x40000000, %edi\n"
    "	mov	%cr3, %esi\n"
    "	outb	%al, $0x10\n"
    "	iretl\n"

    /* An exception in the new task. */
    "trapped:\n"
    "	pop	%edi\n"
    "	str	%si\n"
    "	mov	(%esp), %ebx\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    ".code64\n"
    ".popsection\n");

extern const char call_task[], call_next[], called[], called_again[];
extern const char jump_task[], jumped[];
extern const char int_task[], int_next[], fault_here[], gate[];
extern const char space_task[], space[], trapped[];

/*
 * QEMU's own emulation does task switches itself: not as a processor does, and without
 * telling a hypervisor that asked for it.
 */
static bool host_is_tcg(void)
{
	unsigned int eax, ebx, ecx, edx;

	__cpuid(0x40000000, eax, ebx, ecx, edx);
	return ebx == 0x54474354;	/* "TCGT" */
}

static uint64_t descriptor(uint32_t base, uint32_t limit, uint64_t access, uint64_t flags)
{
	return (limit & 0xffff) | (base & 0xffffffull) << 16 | access << 40 |
	       (limit >> 16 & 15ull) << 48 | flags << 52 | (base >> 24 & 0xffull) << 56;
}

static struct tss32 *tss(struct guest *g, int n)
{
	return guest_hva(g, TSS(n));
}

/* Of a TSS in the GDT. */
static int type(struct guest *g, int selector)
{
	return ((uint64_t *)guest_hva(g, GDT))[selector >> 3] >> 40 & 15;
}

static void gate32(struct guest *g, int vector, uint64_t access, uint16_t selector,
		   uint32_t offset)
{
	((uint64_t *)guest_hva(g, IDT))[vector] = (offset & 0xffff) | (uint64_t)selector << 16 |
		access << 40 | (uint64_t)(offset >> 16) << 48;
}

/* A vCPU in flat protected mode at @main, and another task that begins at @other. */
static struct vcpu *tasks(struct guest *g, const char *main, const char *other)
{
	uint64_t *gdt = guest_hva(g, GDT);
	struct vcpu *v = guest_vcpu_bare(g);
	struct kvm_sregs s;

	vcpu_set_cpuid(v);
	vcpu_protected(v, main);
	gdt[S_CODE >> 3] = descriptor(0, 0xfffff, 0x9b, 0xc);
	gdt[S_DATA >> 3] = descriptor(0, 0xfffff, 0x93, 0xc);
	gdt[S_MAIN >> 3] = descriptor(TSS(0), 103, 0x80 | TYPE_BUSY, 0);
	gdt[S_OTHER >> 3] = descriptor(TSS(1), 103, 0x80 | TYPE_AVAILABLE, 0);
	gdt[S_LDT >> 3] = descriptor(GDT + 0x80, 7, 0x82, 0);
	gdt[S_ABSENT >> 3] = descriptor(0, 0xfffff, 0x13, 0xc);
	gdt[0x80 >> 3] = descriptor(0x1000, 0xfffff, 0x92, 0xc);	/* not accessed */
	*tss(g, 1) = (struct tss32) {
		.eip = (uint32_t)(uint64_t)other, .eflags = 2,
		.regs = { 0, 0, 0, 0, OTHER_STACK, 0, 0, 0x12345678 },
		.cs = S_CODE, .ss = S_DATA, .ds = S_DATA, .es = S_DATA, .gs = S_LOCAL,
		.ldt = S_LDT, .iomap = 104,
	};
	gate32(g, GATE_VECTOR, 0x85, S_OTHER, 0);
	gate32(g, GP_VECTOR, 0x85, S_OTHER, 0);
	gate32(g, TS_VECTOR, 0x8e, S_CODE, (uint32_t)(uint64_t)trapped);
	gate32(g, NP_VECTOR, 0x8e, S_CODE, (uint32_t)(uint64_t)trapped);
	gate32(g, SS_VECTOR, 0x8e, S_CODE, (uint32_t)(uint64_t)trapped);

	s = vcpu_sregs(v);
	s.cs.selector = S_CODE;
	s.ss.selector = S_DATA;
	s.ds.selector = S_DATA;
	s.es.selector = S_DATA;
	s.fs.selector = 0;
	s.fs.unusable = 1;
	s.gs = s.fs;
	s.gdt.base = GDT;
	s.gdt.limit = 0x37;
	s.idt.base = IDT;
	s.idt.limit = 0x31 * 8 - 1;
	s.tr = (struct kvm_segment) {
		.base = TSS(0), .limit = 103, .selector = S_MAIN, .type = TYPE_BUSY, .present = 1,
	};
	vcpu_set_sregs(v, &s);
	return v;
}

#define NEED_TASKS()								\
	do {									\
		if (host_is_tcg())						\
			SKIP(return, "an emulated host that switches tasks its own way");	\
	} while (0)

TEST(call_and_iret)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = tasks(g, call_task, called);
	struct kvm_sregs s;
	struct ucall u;

	NEED_TASKS();
	u = run_sync(v);
	EXPECT_EQ(FLAGS_NT, u.a & FLAGS_NT);
	EXPECT_EQ(S_OTHER, u.b & 0xffff);
	s = vcpu_sregs(v);
	EXPECT_EQ(S_OTHER, s.tr.selector);
	EXPECT_EQ(TSS(1), s.tr.base);
	EXPECT_EQ(103, s.tr.limit);
	EXPECT_EQ(X86_CR0_TS, s.cr0 & X86_CR0_TS);
	EXPECT_EQ(S_LDT, s.ldt.selector);
	EXPECT_EQ(GDT + 0x80, s.ldt.base);
	EXPECT_EQ(S_LOCAL, s.gs.selector);
	EXPECT_EQ(0x1000, s.gs.base);
	EXPECT_EQ(1, s.fs.unusable);
	/* Loading the segment has marked it. */
	EXPECT_EQ(0x93, *(uint8_t *)guest_hva(g, GDT + 0x85));
	EXPECT_EQ(S_MAIN, tss(g, 1)->link & 0xffff);
	EXPECT_EQ((uint32_t)(uint64_t)call_next, tss(g, 0)->eip);
	EXPECT_EQ(0x11111111, tss(g, 0)->regs[3]);
	EXPECT_EQ(0x22222222, tss(g, 0)->regs[5]);
	EXPECT_EQ(S_CODE, tss(g, 0)->cs & 0xffff);
	EXPECT_EQ(0, tss(g, 0)->eflags & FLAGS_NT);
	EXPECT_EQ(TYPE_BUSY, type(g, S_MAIN));
	EXPECT_EQ(TYPE_BUSY, type(g, S_OTHER));

	u = run_sync(v);
	EXPECT_EQ(0, u.a & FLAGS_NT);
	EXPECT_EQ(0x22222222, u.b);
	EXPECT_EQ(0x11111111, u.c);
	EXPECT_EQ(S_MAIN, vcpu_sregs(v).tr.selector);
	EXPECT_EQ(TYPE_BUSY, type(g, S_MAIN));
	EXPECT_EQ(TYPE_AVAILABLE, type(g, S_OTHER));
	EXPECT_EQ((uint32_t)(uint64_t)called_again, tss(g, 1)->eip);
	EXPECT_EQ(0, tss(g, 1)->eflags & FLAGS_NT);

	EXPECT_EQ(2, run_sync(v).a);
	EXPECT_EQ(3, run_sync(v).a);
	run_exit(v, KVM_EXIT_HLT);
}

TEST(jump)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = tasks(g, jump_task, jumped);
	struct ucall u;

	NEED_TASKS();
	u = run_sync(v);
	EXPECT_EQ(0, u.a & FLAGS_NT);
	EXPECT_EQ(X86_CR0_TS, u.b & X86_CR0_TS);
	EXPECT_EQ(0, tss(g, 1)->link);
	EXPECT_EQ(TYPE_AVAILABLE, type(g, S_MAIN));
	EXPECT_EQ(TYPE_BUSY, type(g, S_OTHER));
	u = run_sync(v);
	EXPECT_EQ(0, u.a & FLAGS_NT);
	EXPECT_EQ(TYPE_BUSY, type(g, S_MAIN));
	EXPECT_EQ(TYPE_AVAILABLE, type(g, S_OTHER));
	run_exit(v, KVM_EXIT_HLT);
}

TEST(gates)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = tasks(g, int_task, gate);
	struct ucall u;

	NEED_TASKS();
	u = run_sync(v);
	EXPECT_EQ(OTHER_STACK, u.a);
	EXPECT_EQ((uint32_t)(uint64_t)int_next, tss(g, 0)->eip);
	EXPECT_EQ(5, run_sync(v).a);

	/* #GP: its error code is on the new task's stack, the old one is at the instruction. */
	u = run_sync(v);
	EXPECT_EQ(0x58, u.a);
	EXPECT_EQ(OTHER_STACK, u.b);
	EXPECT_EQ((uint32_t)(uint64_t)fault_here, tss(g, 0)->eip);
	EXPECT_EQ(FLAGS_RF, tss(g, 0)->eflags & FLAGS_RF);
	tss(g, 0)->eip += 2;
	EXPECT_EQ(6, run_sync(v).a);
	run_exit(v, KVM_EXIT_HLT);
}

/* Each task has its own page directory. */
TEST(address_spaces)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = tasks(g, space_task, space);
	struct kvm_regs r = vcpu_regs(v);
	uint32_t dir[2], *entry;
	struct ucall u;
	int n, i;

	NEED_TASKS();
	for (n = 0; n < 2; n++) {
		uint32_t table = guest_page(g), page = guest_page(g);

		dir[n] = guest_page(g);
		entry = guest_hva(g, dir[n]);
		for (i = 0; i < 4; i++)
			entry[i] = (i << 22) | PTE_P | PTE_W | PTE_PS;
		entry[0x40000000 >> 22] = table | PTE_P | PTE_W;
		*(uint32_t *)guest_hva(g, table) = page | PTE_P | PTE_W;
		*(uint32_t *)guest_hva(g, page) = 0x1000 + n;
	}
	tss(g, 0)->cr3 = dir[0];
	tss(g, 1)->cr3 = dir[1];
	r.rsi = dir[0];
	vcpu_set_regs(v, &r);

	EXPECT_EQ(0x1000, run_sync(v).a);
	u = run_sync(v);
	EXPECT_EQ(0x1001, u.a);
	EXPECT_EQ(dir[1], u.b);
	u = run_sync(v);
	EXPECT_EQ(0x1000, u.a);
	EXPECT_EQ(dir[0], u.b);
	run_exit(v, KVM_EXIT_HLT);
}

/* What is wrong with the new task's segments is its own fault, and not what is called first. */
static void bad_segment(struct __test_metadata *_metadata, size_t field, uint16_t selector,
			uint32_t error)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = tasks(g, call_task, called);
	struct ucall u;

	*(uint32_t *)((char *)tss(g, 1) + field) = selector;
	u = run_sync(v);
	EXPECT_EQ(error, u.a);
	EXPECT_EQ(S_OTHER, u.b & 0xffff);
	EXPECT_EQ((uint32_t)(uint64_t)called, u.c);
	run_exit(v, KVM_EXIT_HLT);
}

TEST(bad_segments)
{
	NEED_TASKS();
	bad_segment(_metadata, offsetof(struct tss32, ds), S_ABSENT, S_ABSENT);	/* #NP */
	bad_segment(_metadata, offsetof(struct tss32, es), 0x78, 0x78);		/* #TS */
	bad_segment(_metadata, offsetof(struct tss32, gs), S_MAIN, S_MAIN);	/* #TS */
	bad_segment(_metadata, offsetof(struct tss32, ldt), S_DATA, S_DATA);	/* #TS */
}

TEST_HARNESS_MAIN
