// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables that are written by somebody who does not page: by the guest itself
 * between two times of paging, and by another vCPU that never does. And the step
 * into paging from real mode, with what that leaves in the segments.
 */
#include <kselftest_harness.h>

#include "guest.h"
#include "gpt.h"

#define WINDOW		0xc0000000u
#define ROUNDS		100

/* What the guest is told; the offsets are in the code below. */
struct toggle {
	uint32_t rounds, cr3;
	uint32_t entry[4];	/* of each of the windows, whose bit 12 changes */
};

static_assert(offsetof(struct toggle, entry) == 8, "the guest knows");

asm(".pushsection .rodata\n"
    ".code32\n"
    /* Windows are 2M apart; each says its number << 8, and one more in odd rounds. */
    "toggle:\n"
    "	xor	%ebp, %ebp\n"
    "	mov	$0x20, %eax\n"			/* PAE */
    "	mov	%eax, %cr4\n"
    "	mov	4(%esi), %eax\n"
    "	mov	%eax, %cr3\n"
    "1:	mov	%cr0, %eax\n"
    "	or	$0x80000000, %eax\n"
    "	mov	%eax, %cr0\n"
    "	xor	%ecx, %ecx\n"
    "2:	mov	%ecx, %eax\n"
    "	shl	$21, %eax\n"
    "	mov	0xc0000000(%eax), %edi\n"
    "	mov	%edi, %edx\n"
    "	mov	%ecx, %eax\n"
    "	shl	$8, %eax\n"
    "	sub	%eax, %edx\n"
    "	mov	%ebp, %eax\n"
    "	and	$1, %eax\n"
    "	cmp	%eax, %edx\n"
    "	je	3f\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    "3:	inc	%ecx\n"
    "	cmp	$4, %ecx\n"
    "	jb	2b\n"
    "	mov	%cr0, %eax\n"
    "	and	$0x7fffffff, %eax\n"
    "	mov	%eax, %cr0\n"
    "	xor	%ecx, %ecx\n"
    "4:	mov	8(%esi,%ecx,4), %eax\n"
    "	xorl	$0x1000, (%eax)\n"
    "	inc	%ecx\n"
    "	cmp	$4, %ecx\n"
    "	jb	4b\n"
    "	inc	%ebp\n"
    "	cmp	(%esi), %ebp\n"
    "	jb	1b\n"
    "	outb	%al, $0x11\n"

    /* Stores what it is told to, where it is told to, one at a time. */
    "writer:\n"
    "1:	pause\n"
    "	cmpl	$1, (%esi)\n"
    "	jb	1b\n"
    "	ja	2f\n"
    "	mov	8(%esi), %ebx\n"
    "	mov	16(%esi), %eax\n"
    "	mov	%eax, (%ebx)\n"
    "	movl	$0, (%esi)\n"
    "	jmp	1b\n"
    "2:	outb	%al, $0x11\n"

    /* Code and its data, which lie in one large page. */
    "neighbours:\n"
    "	mov	0x40006000, %edi\n"
    "	incl	0x40006000\n"
    "	outb	%al, $0x10\n"
    "	outb	%al, $0x11\n"
    "neighbours_end:\n"

    /* Real mode, selectors that end in 3, 2, 1; then PE and PG in one step. */
    ".code16\n"
    "real_paged:\n"
    "	ljmp	$0x6ff, $(1f - real_paged + 0x10)\n"
    "1:	mov	$0x902, %ax\n"
    "	mov	%ax, %ss\n"
    "	mov	$0x201, %ax\n"
    "	mov	%ax, %ds\n"
    "	lgdtl	%cs:0x110\n"
    "	mov	$0x10, %eax\n"			/* PSE */
    "	mov	%eax, %cr4\n"
    "	mov	%esi, %cr3\n"
    "	mov	%cr0, %eax\n"
    "	or	$0x80000001, %eax\n"
    "	mov	%eax, %cr0\n"
    "	mov	$0x76, %sp\n"
    "	push	$0x5678\n"
    "	pop	%di\n"
    "	mov	%di, %ds:0x10\n"
    "	ljmpl	$0x28, $real_paged_32\n"
    "real_paged_end:\n"
    ".code32\n"
    "real_paged_32:\n"
    "	mov	$0x10, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	%ax, %es\n"
    "	mov	%ax, %ss\n"
    "	mov	$0x9000, %esp\n"
    "	push	0x2020\n"
    "	pop	%edi\n"
    "	outb	%al, $0x10\n"
    "	outb	%al, $0x11\n"
    ".code64\n"
    ".popsection\n");

extern const char toggle[], writer[], real_paged[], real_paged_end[];
extern const char neighbours[], neighbours_end[];

static uint64_t *table(struct guest *g, uint64_t gpa)
{
	return guest_hva(g, gpa);
}

/* Two in a row, so that bit 12 of an entry chooses. */
static uint64_t two_pages(struct guest *g)
{
	uint64_t page = guest_page(g);

	if (page & PAGE)
		page = guest_page(g);
	guest_page(g);
	return page;
}

static uint64_t two_words(struct guest *g, uint64_t word)
{
	uint64_t pages = two_pages(g);

	*table(g, pages) = word;
	*table(g, pages + PAGE) = word + 1;
	return pages | PTE_P | PTE_W;
}

/* Even windows change in the last level, odd ones in the level above. */
static void build(struct guest *g, struct toggle *t)
{
	uint64_t pdpt = guest_page(g), low = guest_page(g), dir = guest_page(g), pts, word;
	int i;

	t->rounds = ROUNDS;
	t->cr3 = pdpt;
	table(g, pdpt)[0] = low | PTE_P;
	table(g, pdpt)[WINDOW >> 30] = dir | PTE_P;
	for (i = 0; i < 8; i++)
		table(g, low)[i] = i * 2 * MB | PTE_P | PTE_W | PTE_PS;
	for (i = 0; i < 4; i++) {
		pts = two_pages(g);
		word = two_words(g, i << 8);
		table(g, dir)[i] = pts | PTE_P | PTE_W;
		table(g, pts)[0] = word;
		table(g, pts + PAGE)[0] = word | PAGE;
		t->entry[i] = i & 1 ? dir + i * 8 : pts;
	}
}

static void start_at(struct vcpu *v, const char *code, uint64_t rsi)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	vcpu_set_cpuid(v);
	vcpu_protected(v, code);
	s = vcpu_sregs(v);
	s.cr0 |= cr0_always();
	vcpu_set_sregs(v, &s);
	r = vcpu_regs(v);
	r.rsi = rsi;
	vcpu_set_regs(v, &r);
}

TEST(own_tables)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct ucall u;

	build(g, guest_hva(g, GUEST_SCRATCH));
	start_at(v, toggle, GUEST_SCRATCH);
	u = vcpu_run_ucall(v);
	ASSERT_EQ(UCALL_DONE, u.kind) {
		TH_LOG("round %llu, window %llu: read %#lx", vcpu_regs(v).rbp,
		       vcpu_regs(v).rcx, (long)u.a);
	}
}

/* The two vCPUs' mailbox; the offsets are in the code above. */
struct order {
	volatile uint64_t turn;		/* 1: to do; 2: the end */
	volatile uint64_t where, what;
};

static struct order *order;

static void other_stores(volatile uint64_t *where, uint64_t what)
{
	order->where = (uint64_t)where;
	order->what = what;
	order->turn = 1;
	await(&order->turn, 0);
}

static void flush(uint64_t gva, uint64_t round)
{
	if (round & 2)
		flush_page(gva);
	else
		reload_cr3();
}

/* An entry of each level leads there and here in turn. */
static void g_foreign_tables(void)
{
	volatile uint64_t *pte, *pde, *tables[2];
	uint64_t root, data[2], round;

	order = (struct order *)gpt_page();
	G_EQ((uint64_t)order, GPT_ARENA);
	root = gpt_root();
	for (round = 0; round < 2; round++) {
		data[round] = gpt_data(0x100 + round);
		tables[round] = (uint64_t *)gpt_page();
	}
	/* It has had them all as plain memory. */
	other_stores(tables[0], data[0] | GPT_RW);
	other_stores(tables[1], data[0] | GPT_RW);
	pde = gpt_entry(root, GPT_GVA, 2);
	other_stores(pde, (uint64_t)tables[0] | GPT_RW);
	pte = tables[0];
	write_cr3(root);
	G_EQ(load(GPT_GVA), 0x100);
	for (round = 1; round <= ROUNDS; round++) {
		other_stores(pte, data[round & 1] | GPT_RW);
		flush(GPT_GVA, round);
		G_EQ(load(GPT_GVA), 0x100 + (round & 1));
	}
	tables[1][0] = data[1] | GPT_RW;
	for (round = 1; round <= ROUNDS; round++) {
		other_stores(pde, (uint64_t)tables[round & 1] | GPT_RW);
		flush(GPT_GVA, round);
		G_EQ(load(GPT_GVA), 0x100 + (round & 1));
		store(GPT_GVA, 0x100 + (round & 1));
	}
	order->turn = 2;
}

TEST(tables_of_another_vcpu)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_foreign_tables, 0);
	struct vcpu *w = guest_vcpu_bare(g);
	uint32_t slot;

	gpt_arena(g, MEM_SMALL, 0, &slot);
	start_at(w, writer, GPT_ARENA);
	vcpu_start(w);
	run_done(v);
	vcpu_join(w);
}

/* Where large pages are not executable (iTLB multihit) both must be mapped at one time. */
TEST(code_and_data_in_one_large_page)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	uint8_t *p = guest_mem(g, GUEST_TEST, 2 * MB, MEM_THP);
	struct kvm_regs r;

	memcpy(p + MB, neighbours, neighbours_end - neighbours);
	*(uint32_t *)(p + 0x6000) = 41;
	vcpu_protected(v, neighbours);
	r = vcpu_regs(v);
	r.rip = GUEST_TEST + MB;
	vcpu_set_regs(v, &r);
	ASSERT_EQ(41, run_sync(v).a);
	ASSERT_EQ(42, *(uint32_t *)(p + 0x6000));
	run_done(v);
}

TEST(real_mode_to_paging)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct { uint16_t limit; uint32_t base; } __attribute__((packed))
		gdt = { SEL_TSS - 1, GUEST_CPU(0) };
	struct kvm_sregs s = vcpu_sregs(v);
	uint64_t root = guest_page(g);
	struct kvm_regs r;
	int i;

	for (i = 0; i < 4; i++)
		((uint32_t *)guest_hva(g, root))[i] = i * 4 * MB | PTE_P | PTE_W | PTE_PS;
	vcpu_set_cpuid(v);
	vcpu_protected(v, toggle);		/* builds the GDT */
	vcpu_set_sregs(v, &s);
	memcpy(guest_hva(g, 0x7100), &gdt, sizeof(gdt));
	vcpu_real(v, GUEST_REAL, real_paged, real_paged_end);
	r = vcpu_regs(v);
	r.rsi = root;
	vcpu_set_regs(v, &r);
	ASSERT_EQ(0x5678, run_sync(v).a);
	ASSERT_EQ(0x5678, *(uint32_t *)guest_hva(g, 0x2020));
	ASSERT_EQ(0x80000001, vcpu_sregs(v).cr0 & 0x80000001);
	run_done(v);
}

TEST_HARNESS_MAIN
