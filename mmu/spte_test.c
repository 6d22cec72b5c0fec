// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: what a change of an SPTE brings with it: flush, counts, the host's page, the tables. */
#include <linux/random.h>
#include "test_vm.h"
#include "window.h"

struct spte_ctx {
	struct vmmu_vm *vm;
	const struct vmmu_spte_format *fmt;
	struct vmmu_gather g;
	struct vmmu_iter it;
};

/* A root with tables down to 4K for gfn 0, built by the function under test. */
static int spte_init(struct kunit *test)
{
	struct spte_ctx *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, c);
	c->vm = test_vm(test);
	c->fmt = c->vm->mmu.format;
	vmmu_gather_begin(&c->g, c->vm);
	for_each_spte_above(c->it, c->vm->mmu.tdp_root, VMMU_LEVEL_2M, 0, 1) {
		struct vmmu_sp *sp = test_table(test, 0, c->it.level - 1);

		KUNIT_ASSERT_TRUE(test, vmmu_spte_change(&c->g, &c->it,
							 vmmu_spte_make_table(c->fmt, sp)));
	}
	KUNIT_ASSERT_TRUE(test, vmmu_iter_find(&c->it, c->vm->mmu.tdp_root, 0));
	KUNIT_ASSERT_EQ(test, c->it.level, VMMU_LEVEL_4K);
	KUNIT_ASSERT_EQ(test, c->g.nr_pages, 3L);
	KUNIT_ASSERT_FALSE(test, c->g.flush);
	test->priv = c;
	return 0;
}

static void spte_exit(struct kunit *test)
{
	struct spte_ctx *c = test->priv;

	/* Pages that a case unlinked; no vCPU is there to be flushed. */
	if (c) {
		vmmu_gather_end(&c->g);
		test_free_tables(c->vm->mmu.tdp_root);
	}
}

/* Change the SPTE at hand; does it owe a flush? */
static bool change_owes(struct kunit *test, u64 new)
{
	struct spte_ctx *c = test->priv;
	bool owes;

	c->g.flush = false;
	KUNIT_EXPECT_TRUE(test, vmmu_spte_change(&c->g, &c->it, new));
	owes = c->g.flush;
	/* The auditor must not find a debt that this suite has looked at. */
	vmmu_gather_pay(&c->g);
	return owes;
}

static void spte_flush_rules(struct kunit *test)
{
	struct spte_ctx *c = test->priv;
	const struct vmmu_spte_format *f = c->fmt;
	u64 leaf = test_leaf(f, VMMU_LEVEL_4K, TEST_PFN);
	u64 mmio = vmmu_spte_make_mmio(0, VMMU_ACC_ALL, 1);

	KUNIT_EXPECT_FALSE(test, change_owes(test, mmio));
	KUNIT_EXPECT_FALSE(test, change_owes(test, leaf));
	KUNIT_EXPECT_TRUE(test, change_owes(test, leaf & ~f->write));
	KUNIT_EXPECT_FALSE(test, change_owes(test, leaf));
	KUNIT_EXPECT_FALSE(test, change_owes(test, leaf & ~f->accessed));
	KUNIT_EXPECT_FALSE(test, change_owes(test, leaf));
	KUNIT_EXPECT_TRUE(test, change_owes(test, leaf & ~f->dirty));
	KUNIT_EXPECT_TRUE(test, change_owes(test, (leaf & ~f->dirty) | f->noexec));
	KUNIT_EXPECT_TRUE(test, change_owes(test, VMMU_SPTE_EMPTY));
	KUNIT_EXPECT_FALSE(test, change_owes(test, mmio));
	KUNIT_EXPECT_FALSE(test, change_owes(test, VMMU_SPTE_EMPTY));
}

static void spte_lost_race(struct kunit *test)
{
	struct spte_ctx *c = test->priv;
	u64 leaf = test_leaf(c->fmt, VMMU_LEVEL_4K, TEST_PFN);
	struct vmmu_iter other = c->it;

	KUNIT_EXPECT_TRUE(test, vmmu_spte_change(&c->g, &other, leaf));
	KUNIT_EXPECT_FALSE(test, vmmu_spte_change(&c->g, &c->it, leaf & ~c->fmt->write));
	KUNIT_EXPECT_EQ(test, c->it.old, leaf);
	KUNIT_EXPECT_EQ(test, *c->it.sptep, leaf);
	KUNIT_EXPECT_EQ(test, c->g.leaves[VMMU_LEVEL_4K], 1L);
	KUNIT_EXPECT_FALSE(test, c->g.flush);
}

/* Clearing a bit and zapping succeed whatever was set since the SPTE was read. */
static void spte_hardware_bits_survive(struct kunit *test)
{
	struct spte_ctx *c = test->priv;
	u64 leaf = test_leaf(c->fmt, VMMU_LEVEL_4K, TEST_PFN) & ~(c->fmt->dirty | c->fmt->accessed);

	KUNIT_EXPECT_TRUE(test, vmmu_spte_change(&c->g, &c->it, leaf));
	WRITE_ONCE(*c->it.sptep, leaf | c->fmt->dirty | c->fmt->accessed);
	KUNIT_EXPECT_EQ(test, vmmu_spte_clear(&c->g, &c->it, c->fmt->write), c->fmt->write);
	KUNIT_EXPECT_EQ(test, *c->it.sptep,
			(leaf & ~c->fmt->write) | c->fmt->dirty | c->fmt->accessed);
	KUNIT_EXPECT_EQ(test, vmmu_spte_clear(&c->g, &c->it, c->fmt->write), 0ULL);

	c->it.old = leaf;
	vmmu_spte_zap(&c->g, &c->it);
	KUNIT_EXPECT_EQ(test, *c->it.sptep, VMMU_SPTE_EMPTY);
	KUNIT_EXPECT_EQ(test, vmmu_spte_clear(&c->g, &c->it, c->fmt->write), 0ULL);
}

/* What hardware noted goes to the host's page when the mapping ends, not before. */
static void spte_tells_the_page(struct kunit *test)
{
	struct spte_ctx *c = test->priv;
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	struct folio *folio;
	u64 leaf;

	KUNIT_ASSERT_NOT_NULL(test, page);
	folio = page_folio(page);
	leaf = test_leaf(c->fmt, VMMU_LEVEL_4K, page_to_pfn(page));
	KUNIT_EXPECT_TRUE(test, vmmu_spte_change(&c->g, &c->it, leaf));
	vmmu_spte_clear(&c->g, &c->it, c->fmt->write | c->fmt->accessed);
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_referenced(folio));
	vmmu_spte_zap(&c->g, &c->it);
	KUNIT_EXPECT_TRUE(test, folio_test_dirty(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_referenced(folio));

	folio_clear_dirty(folio);
	KUNIT_EXPECT_TRUE(test, vmmu_spte_change(&c->g, &c->it, leaf & ~c->fmt->dirty));
	vmmu_spte_zap(&c->g, &c->it);
	KUNIT_EXPECT_FALSE(test, folio_test_dirty(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_referenced(folio));

	folio_clear_referenced(folio);
	__free_page(page);
}

/* A table that is unlinked is frozen as a whole and waits for the flush with all below it. */
static void spte_unlink(struct kunit *test)
{
	struct spte_ctx *c = test->priv;
	u64 *spt = c->it.pt[VMMU_LEVEL_4K];
	struct vmmu_iter top;
	struct vmmu_sp *sp;
	int unlinked = 0;

	for_each_spte(c->it, c->vm->mmu.tdp_root, 0, 10) {
		if (c->it.level == VMMU_LEVEL_4K)
			vmmu_spte_change(&c->g, &c->it,
					 test_leaf(c->fmt, VMMU_LEVEL_4K, TEST_PFN + c->it.gfn));
	}
	KUNIT_EXPECT_EQ(test, c->g.leaves[VMMU_LEVEL_4K], 10L);

	vmmu_iter_start(&top, c->vm->mmu.tdp_root, VMMU_LEVEL_1G, 0, 1);
	KUNIT_ASSERT_TRUE(test, vmmu_iter_next(&top));
	KUNIT_ASSERT_TRUE(test, vmmu_iter_next(&top));
	vmmu_spte_zap(&c->g, &top);

	KUNIT_EXPECT_EQ(test, c->g.leaves[VMMU_LEVEL_4K], 0L);
	KUNIT_EXPECT_EQ(test, c->g.nr_pages, 1L);
	KUNIT_EXPECT_TRUE(test, c->g.flush);
	list_for_each_entry(sp, &c->g.pages, link)
		unlinked++;
	KUNIT_EXPECT_EQ(test, unlinked, 2);
	for (int i = 0; i < VMMU_SPTES_PER_PAGE; i++)
		KUNIT_EXPECT_EQ(test, spt[i], VMMU_SPTE_FROZEN);
	/* Somebody who still stands there gets nothing in. */
	c->it.sptep = spt;
	c->it.old = VMMU_SPTE_EMPTY;
	KUNIT_EXPECT_FALSE(test, vmmu_spte_change(&c->g, &c->it, VMMU_SPTE_EMPTY));
}

/* A split leaves 512 leaves and one table where one leaf was, and owes a flush. */
static void spte_split(struct kunit *test)
{
	struct spte_ctx *c = test->priv;
	struct vmmu_sp *sp = test_table(test, 512, VMMU_LEVEL_4K);
	u64 large = test_leaf(c->fmt, VMMU_LEVEL_2M, TEST_PFN) & ~c->fmt->write;
	struct vmmu_iter it;

	KUNIT_ASSERT_TRUE(test, vmmu_iter_find(&it, c->vm->mmu.tdp_root, 512));
	KUNIT_ASSERT_EQ(test, it.level, VMMU_LEVEL_2M);
	KUNIT_ASSERT_TRUE(test, vmmu_spte_change(&c->g, &it, large));
	for (int i = 0; i < VMMU_SPTES_PER_PAGE; i++)
		sp->spt[i] = vmmu_spte_make_part(large, VMMU_LEVEL_2M, i);
	KUNIT_ASSERT_TRUE(test, vmmu_spte_change(&c->g, &it, vmmu_spte_make_table(c->fmt, sp)));
	KUNIT_EXPECT_TRUE(test, c->g.flush);
	KUNIT_EXPECT_EQ(test, c->g.leaves[VMMU_LEVEL_2M], 0L);
	KUNIT_EXPECT_EQ(test, c->g.leaves[VMMU_LEVEL_4K], 512L);
	KUNIT_EXPECT_EQ(test, c->g.nr_pages, 4L);
}

/* A bit of everything at random in the table, and the walk at the entry of @gfn. */
static u64 *random_table(struct kunit *test, struct spte_ctx *c, gfn_t gfn)
{
	u64 *spt = c->it.pt[VMMU_LEVEL_4K];

	for (int i = 0; i < VMMU_SPTES_PER_PAGE; i++) {
		switch (get_random_u32_below(4)) {
		case 0:
			spt[i] = test_leaf(c->fmt, VMMU_LEVEL_4K, TEST_PFN + i);
			break;
		case 1:
			spt[i] = vmmu_spte_make_mmio(i, 0, 1);
			break;
		}
	}
	KUNIT_ASSERT_TRUE(test, vmmu_iter_find(&c->it, c->vm->mmu.tdp_root, gfn));
	return spt;
}

/* Guesses go where there is nothing, and nowhere else. */
static void spte_fill(struct kunit *test)
{
	const gfn_t first = 0x30;
	struct spte_ctx *c = test->priv;
	u64 *spt = random_table(test, c, first), before[VMMU_WINDOW_SIZE];
	u64 of_0 = test_leaf(c->fmt, VMMU_LEVEL_4K, 0);
	unsigned long pfns[VMMU_WINDOW_SIZE];
	unsigned int mask = get_random_u32() & VMMU_WINDOW_ALL;
	long made = 0;

	for (int i = 0; i < VMMU_WINDOW_SIZE; i++)
		pfns[i] = TEST_PFN + 0x1000 + i;
	memcpy(before, spt + first, sizeof(before));
	vmmu_spte_fill(&c->g, &c->it, of_0, pfns, mask);
	for (int i = 0; i < VMMU_WINDOW_SIZE; i++) {
		u64 want = before[i];

		if ((mask & BIT(i)) && want == VMMU_SPTE_EMPTY) {
			want = of_0 | (u64)pfns[i] << PAGE_SHIFT;
			made++;
		}
		KUNIT_EXPECT_EQ(test, spt[first + i], want);
	}
	KUNIT_EXPECT_EQ(test, c->g.leaves[VMMU_LEVEL_4K], made);
	KUNIT_EXPECT_FALSE(test, c->g.flush);
}

/* From any start to any end: every leaf between goes, nothing else does. */
static void spte_zap_leaves(struct kunit *test)
{
	gfn_t start = get_random_u32_below(500);
	gfn_t end = start + 1 + get_random_u32_below(511 - start);
	struct spte_ctx *c = test->priv;
	u64 *spt = random_table(test, c, start), *before;
	long gone = 0;

	before = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, before);
	memcpy(before, spt, PAGE_SIZE);
	for_each_spte(c->it, c->vm->mmu.tdp_root, start, end) {
		if (c->it.level == VMMU_LEVEL_4K)
			vmmu_spte_zap_leaves(&c->g, &c->it);
	}
	for (gfn_t i = 0; i < VMMU_SPTES_PER_PAGE; i++) {
		bool zapped = i >= start && i < end && vmmu_spte_present(before[i]);

		KUNIT_EXPECT_EQ(test, spt[i], zapped ? VMMU_SPTE_EMPTY : before[i]);
		gone += zapped;
	}
	KUNIT_EXPECT_EQ(test, c->g.leaves[VMMU_LEVEL_4K], -gone);
	KUNIT_EXPECT_EQ(test, c->g.flush, gone > 0);
}

static struct kunit_case spte_cases[] = {
	KUNIT_CASE(spte_flush_rules),
	KUNIT_CASE(spte_lost_race),
	KUNIT_CASE(spte_hardware_bits_survive),
	KUNIT_CASE(spte_tells_the_page),
	KUNIT_CASE(spte_unlink),
	KUNIT_CASE(spte_split),
	KUNIT_CASE(spte_fill),
	KUNIT_CASE(spte_zap_leaves),
	{}
};

static struct kunit_suite spte_suite = {
	.name = "vmmu-spte-change",
	.init = spte_init,
	.exit = spte_exit,
	.test_cases = spte_cases,
};

kunit_test_suites(&spte_suite);
