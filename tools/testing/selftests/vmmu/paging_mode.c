// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that goes round through unpaged protected mode, PAE, 2-level paging
 * with 4M pages, compatibility and 64-bit mode. Each has its own tables; the
 * entries of each change while another mode runs, and must be seen when the
 * guest is back.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define WINDOW		0xc0000000u	/* every mode's own page */
#define HIGH		(5ul << 39)	/* and one that only 64-bit code reaches */

/* What the guest is told; the offsets are in the code below. */
struct tour {
	uint32_t rounds, pae, two_levels, four_levels;
	uint32_t entry[4];		/* of WINDOW in each mode, and of HIGH */
};

static_assert(offsetof(struct tour, entry) == 16, "the guest knows");

asm(".pushsection .rodata\n"
    ".code32\n"
    "tour:\n"
    "	xor	%ebp, %ebp\n"
    "1:	mov	$0x20, %eax\n"			/* PAE */
    "	mov	%eax, %cr4\n"
    "	mov	4(%esi), %eax\n"
    /* TCG sets these accessed bits, with which PDPTEs do not load. */
    "	andl	$~0x20, (%eax)\n"
    "	andl	$~0x20, 8(%eax)\n"
    "	andl	$~0x20, 16(%eax)\n"
    "	andl	$~0x20, 24(%eax)\n"
    "	mov	%eax, %cr3\n"
    "	call	on\n"
    "	mov	$0xb00, %ebx\n"
    "	call	look\n"
    "	call	off\n"
    "	mov	$0x10, %eax\n"			/* 2-level, PSE */
    "	mov	%eax, %cr4\n"
    "	mov	8(%esi), %eax\n"
    "	mov	%eax, %cr3\n"
    "	call	on\n"
    "	mov	$0xc00, %ebx\n"
    "	call	look\n"
    "	call	off\n"
    "	mov	$0x20, %eax\n"			/* 4-level */
    "	mov	%eax, %cr4\n"
    "	mov	12(%esi), %eax\n"
    "	mov	%eax, %cr3\n"
    "	mov	$0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	or	$0x100, %eax\n"
    "	wrmsr\n"
    "	call	on\n"
    "	mov	$0xa00, %ebx\n"
    "	call	look\n"			/* in compatibility mode */
    "	ljmp	$0x08, $2f\n"
    ".code64\n"
    "2:	mov	$5 << 39, %rax\n"
    "	mov	(%rax), %edi\n"
    "	mov	%ebp, 4(%rax)\n"
    "	push	$0x28\n"
    "	lea	3f(%rip), %rax\n"
    "	push	%rax\n"
    "	lretq\n"
    ".code32\n"
    "3:	mov	$0xd00, %ebx\n"
    "	call	compare\n"
    "	call	off\n"
    "	mov	$0xc0000080, %ecx\n"
    "	rdmsr\n"
    "	and	$~0x100, %eax\n"
    "	wrmsr\n"
    /* Each window's entry: the other one of its two pages. */
    "	xor	%ecx, %ecx\n"
    "4:	mov	16(%esi,%ecx,4), %eax\n"
    "	xorl	$0x1000, (%eax)\n"
    "	inc	%ecx\n"
    "	cmp	$4, %ecx\n"
    "	jb	4b\n"
    "	inc	%ebp\n"
    "	cmp	(%esi), %ebp\n"
    "	jb	1b\n"
    "	outb	%al, $0x11\n"
    "on:	mov	%cr0, %eax\n"
    "	or	$0x80000000, %eax\n"
    "	mov	%eax, %cr0\n"
    "	ret\n"
    "off:	mov	%cr0, %eax\n"
    "	and	$0x7fffffff, %eax\n"
    "	mov	%eax, %cr0\n"
    "	ret\n"
    "look:	mov	0xc0000000, %edi\n"
    "	mov	%ebp, 0xc0000004\n"
    "compare:\n"
    "	mov	%ebp, %eax\n"
    "	and	$1, %eax\n"
    "	add	%ebx, %eax\n"
    "	cmp	%eax, %edi\n"
    "	jne	5f\n"
    "	ret\n"
    "5:	outb	%al, $0x10\n"
    "	hlt\n"
    ".code64\n"
    ".popsection\n");

extern const char tour[];

/* Two pages in a row, of which an entry's bit 12 chooses; the second says one more. */
static uint32_t two_pages(struct guest *g, uint32_t word)
{
	uint64_t page = guest_page(g);
	int i;

	if (page & PAGE)
		page = guest_page(g);
	guest_page(g);
	for (i = 0; i < 2; i++)
		*(uint32_t *)guest_hva(g, page + i * PAGE) = word + i;
	return page;
}

static uint64_t *table(struct guest *g, uint64_t gpa)
{
	return guest_hva(g, gpa);
}

/* PAE and long mode: a directory of the low 16M, one page table for WINDOW. */
static uint32_t directory(struct guest *g)
{
	uint64_t dir = guest_page(g);
	int i;

	for (i = 0; i < 8; i++)
		table(g, dir)[i] = (uint64_t)i * 2 * MB | PTE_P | PTE_W | PTE_PS;
	return dir;
}

static void window(struct guest *g, uint64_t *above, uint32_t word, uint32_t *entry)
{
	uint32_t dir = guest_page(g), pt = guest_page(g);

	*above = dir | PTE_P;
	table(g, dir)[0] = pt | PTE_P | PTE_W;
	table(g, pt)[0] = two_pages(g, word) | PTE_P | PTE_W;
	*entry = pt;
}

static void build(struct guest *g, struct tour *t, uint32_t rounds)
{
	uint64_t pdpt;
	uint32_t *pd, pt;
	int i;

	t->rounds = rounds;
	t->pae = guest_page(g);
	table(g, t->pae)[0] = directory(g) | PTE_P;
	window(g, &table(g, t->pae)[3], 0xb00, &t->entry[0]);

	t->two_levels = guest_page(g);
	pd = guest_hva(g, t->two_levels);
	for (i = 0; i < 4; i++)
		pd[i] = i * 4 * MB | PTE_P | PTE_W | PTE_PS;
	pt = guest_page(g);
	pd[WINDOW >> 22] = pt | PTE_P | PTE_W;
	*(uint32_t *)guest_hva(g, pt) = two_pages(g, 0xc00) | PTE_P | PTE_W;
	t->entry[1] = pt;

	t->four_levels = guest_page(g);
	pdpt = guest_page(g);
	table(g, t->four_levels)[0] = pdpt | PTE_P | PTE_W;
	table(g, pdpt)[0] = directory(g) | PTE_P | PTE_W;
	window(g, &table(g, pdpt)[3], 0xa00, &t->entry[2]);
	table(g, pdpt)[3] |= PTE_W;
	pdpt = guest_page(g);
	table(g, t->four_levels)[5] = pdpt | PTE_P | PTE_W;
	window(g, table(g, pdpt), 0xd00, &t->entry[3]);
	table(g, pdpt)[0] |= PTE_W;
}

TEST(tour_through_all_modes)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct tour *t = guest_hva(g, GUEST_SCRATCH);
	const uint32_t rounds = 200;
	struct kvm_sregs s;
	struct kvm_regs r;
	struct ucall u;

	vcpu_set_cpuid(v);
	build(g, t, rounds);
	vcpu_protected(v, tour);
	s = vcpu_sregs(v);
	s.cr0 |= cr0_always();
	vcpu_set_sregs(v, &s);
	r = vcpu_regs(v);
	r.rsi = GUEST_SCRATCH;
	vcpu_set_regs(v, &r);
	u = vcpu_run_ucall(v);
	ASSERT_EQ(UCALL_DONE, u.kind) {
		TH_LOG("mode %#lx: read %#lx", (long)u.c, (long)u.a);
		vcpu_dump(v);
	}
	ASSERT_EQ(rounds, vcpu_regs(v).rbp);
	ASSERT_EQ(0, vcpu_sregs(v).efer);
}

TEST_HARNESS_MAIN
