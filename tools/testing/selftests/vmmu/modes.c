// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processor modes: the state after reset, starts in real, protected and long
 * mode, and the guest's own way from one to the others and back.
 */
#include <kselftest_harness.h>

#include "guest.h"

asm(".pushsection .rodata\n"
    /* The reset vector: a far jump to 0:0x7000. */
    ".code16\n"
    "reset_jump:\n"
    "	.byte	0xea, 0x00, 0x70, 0x00, 0x00\n"
    "reset_jump_end:\n"

    /* Segments and addresses of real mode. */
    "real_segments:\n"
    "	mov	$0x200, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	%ax, %es\n"
    "	movw	$0x1234, 0x10\n"
    "	mov	$0x11, %bx\n"
    "	movb	$0x56, (%bx)\n"
    "	xor	%ecx, %ecx\n"
    "	mov	%ds:0x10, %cx\n"
    "	mov	%ecx, %edi\n"
    "	outb	%al, $0x10\n"
    /* The last linear address of 0xffff:0xffff is above 1 MiB. */
    "	mov	$0xffff, %ax\n"
    "	mov	%ax, %ds\n"
    "	movb	$0x77, 0x0010\n"
    "	mov	%cs, %di\n"
    "	movzwl	%di, %edi\n"
    "	outb	%al, $0x10\n"
    /* An interrupt through the vector table. */
    "	xor	%ax, %ax\n"
    "	mov	%ax, %ds\n"
    "	movw	$0x7800, 0x21 * 4\n"
    "	movw	$0, 0x21 * 4 + 2\n"
    "	movb	$0xcf, 0x7800\n"
    "	mov	$7, %edi\n"
    "	int	$0x21\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    "real_segments_end:\n"

    /* Real -> protected -> real. GDT as the library builds it, at 0x10000. */
    "real_protected:\n"
    "	lgdtl	0x7100\n"
    "	mov	%cr0, %eax\n"
    "	or	$1, %eax\n"
    "	mov	%eax, %cr0\n"
    "	ljmpl	$0x28, $real_protected_32\n"
    "real_protected_end:\n"
    ".code32\n"
    "real_protected_32:\n"
    "	mov	$0x10, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	%ax, %es\n"
    "	mov	%ax, %ss\n"
    "	mov	$0x9000, %esp\n"
    "	movl	$0x12345678, 0x500000\n"
    "	push	0x500000\n"
    "	pop	%edi\n"
    "	outb	%al, $0x10\n"
    "	ljmp	$0x30, $0x7200\n"	/* 16-bit protected mode */
    ".code16\n"
    "real_again:\n"
    "	mov	$0x38, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	%ax, %ss\n"
    "	mov	%cr0, %eax\n"
    "	and	$-2, %al\n"
    "	mov	%eax, %cr0\n"
    "	ljmp	$0, $(0x7200 + 2f - real_again)\n"
    "2:	xor	%ax, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	%ax, %ss\n"
    "	mov	$0x600d, %edi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    "real_again_end:\n"

    /* Protected mode without paging -> long mode -> compatibility -> out. */
    ".code32\n"
    "to_long:\n"
    "	mov	$0xabcd, %edi\n"
    "	outb	%al, $0x10\n"
    "	mov	%esi, %cr3\n"
    "	mov	%cr4, %eax\n"
    "	or	$0x20, %eax\n"
    "	mov	%eax, %cr4\n"
    "	mov	$0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	or	$0x100, %eax\n"
    "	wrmsr\n"
    "	mov	%cr0, %eax\n"
    "	or	$0x80000000, %eax\n"
    "	mov	%eax, %cr0\n"
    "	ljmp	$0x08, $1f\n"
    ".code64\n"
    "1:	mov	$0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	mov	%rax, %rdi\n"
    "	mov	$0x123456789abcdef0, %r15\n"
    "	outb	%al, $0x10\n"
    "	mov	%r15, %rdi\n"
    "	outb	%al, $0x10\n"
    "	push	$0x28\n"
    "	lea	2f(%rip), %rax\n"
    "	push	%rax\n"
    "	lretq\n"
    ".code32\n"
    "2:	mov	$0x10, %eax\n"
    "	mov	%eax, %ss\n"
    "	mov	$1, %edi\n"
    "	.byte	0x48\n"			/* dec %eax here, REX in 64-bit */
    "	inc	%edi\n"			/* 2 bytes ff c7 or 47 */
    "	outb	%al, $0x10\n"
    "	mov	%cr0, %eax\n"
    "	and	$0x7fffffff, %eax\n"
    "	mov	%eax, %cr0\n"
    "	mov	$0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	and	$0xfffffeff, %eax\n"
    "	wrmsr\n"
    "	rdmsr\n"
    "	mov	%eax, %edi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"

    /* 32-bit paging: 2-level with 4M pages, then PAE. */
    "paging_32:\n"
    "	mov	$0x10, %eax\n"		/* CR4.PSE */
    "	mov	%eax, %cr4\n"
    "	mov	%esi, %cr3\n"
    "	mov	%cr0, %eax\n"
    "	or	$0x80000000, %eax\n"
    "	mov	%eax, %cr0\n"
    "	movl	0xc0002000, %edi\n"
    "	outb	%al, $0x10\n"
    "	movl	$0x5678, 0xc0002004\n"
    "	movl	0x2004, %edi\n"
    "	outb	%al, $0x10\n"
    "	mov	%cr0, %eax\n"
    "	and	$0x7fffffff, %eax\n"
    "	mov	%eax, %cr0\n"
    "	mov	$0x20, %eax\n"		/* CR4.PAE */
    "	mov	%eax, %cr4\n"
    "	mov	%ebx, %cr3\n"
    "	mov	%cr0, %eax\n"
    "	or	$0x80000000, %eax\n"
    "	mov	%eax, %cr0\n"
    "	movl	0xc0003000, %edi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    ".code64\n"
    ".popsection\n");

extern const char reset_jump[], reset_jump_end[];
extern const char real_segments[], real_segments_end[];
extern const char real_protected[], real_protected_end[];
extern const char real_again[], real_again_end[];
extern const char to_long[], paging_32[];

TEST(reset_state)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct kvm_sregs s = vcpu_sregs(v);
	struct kvm_regs r = vcpu_regs(v);

	ASSERT_EQ(0xfff0, r.rip);
	ASSERT_EQ(2, r.rflags);
	ASSERT_EQ(0, r.rax | r.rbx | r.rcx | r.rsp | r.rbp | r.rsi | r.rdi);
	ASSERT_EQ(0xf000, s.cs.selector);
	ASSERT_EQ(0xffff0000, s.cs.base);
	ASSERT_EQ(0xffff, s.cs.limit);
	ASSERT_EQ(0, s.ds.base);
	ASSERT_EQ(0xffff, s.ds.limit);
	ASSERT_EQ(0x60000010, s.cr0);
	ASSERT_EQ(0, s.cr3);
	ASSERT_EQ(0, s.cr4);
	ASSERT_EQ(0, s.efer);
	ASSERT_EQ(0xffff, s.gdt.limit);
	ASSERT_EQ(0xffff, s.idt.limit);
	ASSERT_EQ(0xfee00900, s.apic_base);
}

/* Run from the reset vector, in a ROM below 4 GiB as firmware is. */
TEST(reset_vector)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	uint8_t *rom = guest_mem(g, 0xffff0000, 0x10000, MEM_SMALL);

	memcpy(rom + 0xfff0, reset_jump, reset_jump_end - reset_jump);
	memcpy(guest_hva(g, GUEST_REAL), "\xf4", 1);
	run_exit(v, KVM_EXIT_HLT);
	ASSERT_EQ(GUEST_REAL + 1, vcpu_regs(v).rip);
	ASSERT_EQ(0, vcpu_sregs(v).cs.selector);
	ASSERT_EQ(0, vcpu_sregs(v).cs.base);
}

TEST(real)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);

	vcpu_real(v, GUEST_REAL, real_segments, real_segments_end);
	ASSERT_EQ(0x5634, run_sync(v).a);
	ASSERT_EQ(0x34, *(uint8_t *)guest_hva(g, 0x2010));
	ASSERT_EQ(0, run_sync(v).a);
	ASSERT_EQ(0x77, *(uint8_t *)guest_hva(g, 0x100000));
	ASSERT_EQ(7, run_sync(v).a);
	run_exit(v, KVM_EXIT_HLT);
}

TEST(real_to_protected_and_back)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct { uint16_t limit; uint32_t base; } __attribute__((packed))
		gdt = { SEL_TSS - 1, GUEST_CPU(0) };
	struct kvm_sregs s = vcpu_sregs(v);

	vcpu_protected(v, to_long);		/* builds the GDT */
	vcpu_set_sregs(v, &s);
	memcpy(guest_hva(g, 0x7100), &gdt, sizeof(gdt));
	memcpy(guest_hva(g, 0x7200), real_again, real_again_end - real_again);
	vcpu_real(v, GUEST_REAL, real_protected, real_protected_end);
	ASSERT_EQ(0x12345678, run_sync(v).a);
	ASSERT_EQ(1, vcpu_sregs(v).cr0 & 1);
	ASSERT_EQ(1, vcpu_sregs(v).cs.db);
	ASSERT_EQ(0x600d, run_sync(v).a);
	ASSERT_EQ(0, vcpu_sregs(v).cr0 & 1);
	ASSERT_EQ(0, vcpu_sregs(v).cs.db);
	run_exit(v, KVM_EXIT_HLT);
}

TEST(protected_to_long_and_back)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct kvm_regs r;

	vcpu_set_cpuid(v);
	vcpu_protected(v, to_long);
	r = vcpu_regs(v);
	r.rsi = g->pml4;
	vcpu_set_regs(v, &r);
	ASSERT_EQ(0xabcd, run_sync(v).a);
	ASSERT_EQ(0, vcpu_sregs(v).efer);
	ASSERT_EQ(EFER_LME | EFER_LMA, run_sync(v).a);
	ASSERT_EQ(EFER_LME | EFER_LMA, vcpu_sregs(v).efer);
	ASSERT_EQ(1, vcpu_sregs(v).cs.l);
	ASSERT_EQ(g->pml4, vcpu_sregs(v).cr3);
	ASSERT_EQ(0x123456789abcdef0, run_sync(v).a);
	ASSERT_EQ(2, run_sync(v).a);		/* compatibility mode */
	ASSERT_EQ(0, vcpu_sregs(v).cs.l);
	ASSERT_EQ(EFER_LME | EFER_LMA, vcpu_sregs(v).efer);
	ASSERT_EQ(0, run_sync(v).a);
	ASSERT_EQ(0, vcpu_sregs(v).efer);
	run_exit(v, KVM_EXIT_HLT);
}

/* In whichever order the guest sets the three bits: an exit comes back from each. */
TEST(lme_before_pae)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct kvm_sregs s;
	struct kvm_regs r;

	vcpu_set_cpuid(v);
	vcpu_protected(v, to_long);
	s = vcpu_sregs(v);
	s.efer = EFER_LME;
	s.cr4 = 0;
	vcpu_set_sregs(v, &s);
	r = vcpu_regs(v);
	r.rsi = g->pml4;
	vcpu_set_regs(v, &r);
	ASSERT_EQ(0xabcd, run_sync(v).a);
	ASSERT_EQ(EFER_LME, vcpu_sregs(v).efer);
	ASSERT_EQ(EFER_LME | EFER_LMA, run_sync(v).a);
	ASSERT_EQ(EFER_LME | EFER_LMA, vcpu_sregs(v).efer);
}

TEST(legacy_paging)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	uint32_t pd = guest_page(g), pt = guest_page(g);
	uint64_t pdpt = guest_page(g), pae_pd = guest_page(g);
	uint32_t *t = guest_hva(g, pd);
	uint64_t *p = guest_hva(g, pdpt);
	struct kvm_regs r;
	int i;

	/* 4M pages one to one, 4K pages at 3 GiB. */
	for (i = 0; i < 4; i++) {
		t[i] = (i << 22) | PTE_P | PTE_W | PTE_PS;
	}
	t[768] = pt | PTE_P | PTE_W;
	((uint32_t *)guest_hva(g, pt))[2] = GUEST_SCRATCH | PTE_P | PTE_W;
	/* PAE: 2M pages at 0 and the same at 3 GiB. */
	p[0] = pae_pd | PTE_P;
	p[3] = pae_pd | PTE_P;
	p = guest_hva(g, pae_pd);
	for (i = 0; i < 8; i++) {
		p[i] = ((uint64_t)i << 21) | PTE_P | PTE_W | PTE_PS;
	}
	*(uint32_t *)guest_hva(g, GUEST_SCRATCH) = 0x1111;
	*(uint32_t *)guest_hva(g, GUEST_SCRATCH + PAGE) = 0x3333;

	vcpu_set_cpuid(v);
	vcpu_protected(v, paging_32);
	r = vcpu_regs(v);
	r.rsi = pd;
	r.rbx = pdpt;
	vcpu_set_regs(v, &r);
	ASSERT_EQ(0x1111, run_sync(v).a);
	ASSERT_EQ(0x5678, run_sync(v).a);
	ASSERT_EQ(0x3333, run_sync(v).a);
	run_exit(v, KVM_EXIT_HLT);
}

static void g_long_mode(void)
{
	uint64_t r8, r15;

	asm volatile("mov $0x1122334455667788, %%r8; mov %%r8, %%r15; "
		     "bswap %%r15; mov %%r8, %0; mov %%r15, %1"
		     : "=r"(r8), "=r"(r15) : : "r8", "r15");
	G_EQ(r8, 0x1122334455667788);
	G_EQ(r15, 0x8877665544332211);
	G_EQ(rdmsr(MSR_EFER), EFER_SCE | EFER_LME | EFER_LMA | EFER_NX);
	G_ASSERT(read_cr4() & X86_CR4_PAE);
	guest_sync(read_cr3(), read_cr0(), read_cr4());
}

TEST(long_start)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_long_mode, 0);
	struct ucall u = run_sync(v);

	ASSERT_EQ(g->pml4, u.a);
	ASSERT_EQ(u.b, vcpu_sregs(v).cr0);
	/* QEMU's SVM shows the guest the host's CR4.MCE where KVM hides it. */
	ASSERT_EQ(u.c & ~X86_CR4_MCE, vcpu_sregs(v).cr4 & ~X86_CR4_MCE);
	run_done(v);
}

/* Guest pages of 4K, 2M and, where the processor has them, 1G see the same memory. */
#define ALIAS_4K	(2ul << 40)
#define ALIAS_1G	(3ul << 40)

static uint64_t shared_word;

static bool have_1g(void)
{
	uint32_t regs[4];

	cpuid_count(0x80000001, 0, regs);
	return regs[3] & (1u << 26);
}

static void g_guest_page_sizes(void)
{
	volatile uint64_t *small, *huge;
	uint64_t at = (uint64_t)&shared_word;

	small = (uint64_t *)(ALIAS_4K + (at & (PAGE - 1)));
	huge = have_1g() ? (uint64_t *)(ALIAS_1G + at) : &shared_word;
	WRITE(shared_word, 1);
	G_EQ(*small, 1);
	G_EQ(*huge, 1);
	*small = 2;
	G_EQ(READ(shared_word), 2);
	*huge = 3;
	G_EQ(*small, 3);
}

TEST(guest_page_sizes)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_guest_page_sizes, 0);
	uint64_t at = (uint64_t)&shared_word & ~(PAGE - 1);

	guest_map(g, ALIAS_4K, at, PAGE, PAGE, PTE_W);
	guest_map(g, ALIAS_1G, 0, GB, GB, PTE_W);
	run_done(v);
	ASSERT_EQ(3, guest_var(g, shared_word));
}

TEST_HARNESS_MAIN
