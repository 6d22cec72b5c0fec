// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest does to its own page tables. Under nested paging most of it is
 * the guest's own business; under shadow paging it is what everything costs.
 *
 * The test memory is seen a second time at VIEW, by 4K pages, through tables
 * that the guest changes. No row reads a control register: some emulated
 * processors report such an exit as another one.
 */
#include "bench.h"

/* A PML4 entry of its own, so that an address space can have its own. */
#define VIEW		(512 * GB)
#define NR_SPACES	8
#define NR_POOL		16
#define ENTRIES		512
/* An entry as an operating system writes one for memory in use. */
#define PTE_USED	(PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

/* The guest's own; set in its copy by the host. */
static uint64_t root;			/* PML4 */
static uint64_t *view_pt;		/* entries of VIEW's first 2M */
static uint64_t *fork_pd;		/* the entry that has no table */
static uint64_t *pool[NR_POOL];		/* pages to become page tables */
static uint64_t space[NR_SPACES];	/* PML4s */

#define FORK_VIEW	(VIEW + GB)

static void fill_pool(struct guest *g)
{
	int i;

	for (i = 0; i < NR_POOL; i++)
		guest_var(g, pool[i]) = (uint64_t *)guest_page(g);
}

/* The guest's address of a table's entry: its physical one. */
static uint64_t *entry_of(struct guest *g, uint64_t gva, int level)
{
	return (uint64_t *)((uint8_t *)guest_pte(g, gva, level) - g->ram);
}

void paging_setup(struct bench *b)
{
	struct guest *g = b->g;

	guest_map(g, VIEW, GUEST_TEST, SIZE, PAGE, PTE_USED);
	guest_var(g, root) = g->pml4;
	guest_var(g, view_pt) = entry_of(g, VIEW, 1);
	guest_var(g, fork_pd) = entry_of(g, FORK_VIEW, 2);
	fill_pool(g);
}

/* Address spaces that share all but VIEW, of which each has four pages. */
void paging_spaces(struct bench *b)
{
	struct guest *g = b->g;
	uint64_t first = g->pml4;
	int i;

	guest_var(g, root) = first;
	for (i = 0; i < NR_SPACES; i++) {
		g->pml4 = guest_page(g);
		*(uint64_t *)guest_hva(g, g->pml4) = *(uint64_t *)guest_hva(g, first);
		guest_map(g, VIEW, GUEST_TEST + i * 4 * PAGE, 4 * PAGE, PAGE, PTE_USED);
		guest_var(g, space[i]) = g->pml4;
	}
	g->pml4 = first;
}

static void flush_page(uint64_t gva)
{
	asm volatile("invlpg (%0)" : : "r"(gva) : "memory");
}

static uint64_t view(unsigned long page)
{
	return VIEW + page * PAGE;
}

/* Entry @i shows another page than in the round before. */
static void rewrite(unsigned long i, unsigned long round)
{
	view_pt[i] = (GUEST_TEST + ((i + round) % ENTRIES) * PAGE) | PTE_USED;
}

void g_view_forwards(unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		write8((uint8_t *)view(i), 1);
}

void g_view_backwards(unsigned long n)
{
	while (n--)
		write8((uint8_t *)view(n), 1);
}

void g_pte_invlpg(unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++) {
		rewrite(i % ENTRIES, 1 + i / ENTRIES);
		flush_page(view(i % ENTRIES));
	}
}

void g_pte_invlpg_touch(unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++) {
		rewrite(i % ENTRIES, 1 + i / ENTRIES);
		flush_page(view(i % ENTRIES));
		read8((uint8_t *)view(i % ENTRIES));
	}
}

void g_pte_bulk(unsigned long n)
{
	unsigned long i, round;

	for (round = 1; round <= n / ENTRIES; round++) {
		for (i = 0; i < ENTRIES; i++)
			rewrite(i, round);
		write_cr3(root);
		for (i = 0; i < ENTRIES; i++)
			read8((uint8_t *)view(i));
	}
}

/*
 * As a process is forked, runs and ends: a page becomes a page table with write-protected copies
 * of another's entries, some of what it maps is read, and it is an ordinary page again.
 */
void g_fork(unsigned long n)
{
	uint64_t *pt;
	int i;

	while (n--) {
		pt = pool[n % NR_POOL];
		for (i = 0; i < ENTRIES; i++)
			pt[i] = view_pt[i] & ~PTE_W;
		*fork_pd = (uint64_t)pt | PTE_P | PTE_W | PTE_U;
		for (i = 0; i < 16; i++)
			read8((uint8_t *)FORK_VIEW + i * PAGE);
		*fork_pd = 0;
		for (i = 0; i < 16; i++)
			flush_page(FORK_VIEW + i * PAGE);
		for (i = 0; i < ENTRIES; i++)
			pt[i] = 0;
	}
}

void g_cr3_switch(unsigned long n)
{
	int i;

	while (n--) {
		write_cr3(space[n % NR_SPACES]);
		for (i = 0; i < 4; i++)
			read8((uint8_t *)view(i));
	}
	write_cr3(root);
}

void g_invlpg(unsigned long n)
{
	while (n--)
		flush_page(VIEW);
}
