// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: the walker against a naive recursion, over random trees and ranges. */
#include <linux/random.h>
#include <linux/slab.h>
#include "test_vm.h"

#define NR_TREES	20
#define NR_RANGES	40
#define MAX_VISITS	20000

struct visit {
	gfn_t gfn;
	u64 spte;
	int level;
};

struct visits {
	struct visit *v;
	int nr;
};

/* A few entries at random places of @sp, first and last among them: leaves, tables, MMIO. */
static void grow(struct kunit *test, struct vmmu_sp *sp)
{
	int level = sp->role.level;

	for (int n = 0; n < 4; n++) {
		int i = n == 0 ? 0 : n == 1 ? VMMU_SPTES_PER_PAGE - 1 : get_random_u32_below(512);
		gfn_t gfn = sp->gfn + i * VMMU_PAGES_PER_LEVEL(level);
		struct vmmu_sp *child;

		if (sp->spt[i])
			continue;
		switch (get_random_u32_below(3)) {
		case 0:
			if (level <= VMMU_LEVEL_1G)
				sp->spt[i] = test_leaf(&vmmu_format_x86_64, level, TEST_PFN);
			break;
		case 1:
			if (level == VMMU_LEVEL_4K)
				sp->spt[i] = vmmu_spte_make_mmio(gfn, 0, n);
			break;
		default:
			if (level == VMMU_LEVEL_4K)
				break;
			child = test_table(test, gfn, level - 1);
			sp->spt[i] = vmmu_spte_make_table(&vmmu_format_x86_64, child);
			grow(test, child);
		}
	}
}

static void naive(struct visits *out, const struct vmmu_sp *sp, int min_level, gfn_t start,
		  gfn_t end)
{
	int level = sp->role.level;

	for (int i = 0; i < VMMU_SPTES_PER_PAGE; i++) {
		gfn_t gfn = sp->gfn + i * VMMU_PAGES_PER_LEVEL(level);
		u64 spte = sp->spt[i];

		if (gfn >= end || gfn + VMMU_PAGES_PER_LEVEL(level) <= start)
			continue;
		if (out->nr < MAX_VISITS)
			out->v[out->nr++] = (struct visit) { gfn, spte, level };
		if (level > min_level && vmmu_spte_table(spte, level))
			naive(out, vmmu_sp_of(vmmu_spte_child(spte)), min_level, start, end);
	}
}

static void random_range(int root_level, gfn_t *start, gfn_t *end)
{
	/* Of any magnitude; often at a border of a table. */
	int shift = get_random_u32_below(9 * root_level);
	gfn_t limit = VMMU_PAGES_PER_LEVEL(root_level + 1);

	*start = get_random_u64() & (limit - 1);
	if (get_random_u32_below(2))
		*start = gfn_round(*start, 1 + get_random_u32_below(root_level));
	if (get_random_u32_below(4) == 0)
		*start = 0;
	*end = *start + 1 + (get_random_u64() & (BIT_ULL(shift) - 1));
}

static void compare(struct kunit *test, struct vmmu_sp *root, struct visits *want, int min_level)
{
	struct vmmu_iter it;
	gfn_t start, end;
	int n = 0, wrong = 0;

	random_range(root->role.level, &start, &end);
	want->nr = 0;
	naive(want, root, min_level, start, end);
	if (want->nr == MAX_VISITS)
		return;

	for_each_spte_above(it, root, min_level, start, end) {
		const struct visit *v = &want->v[n];

		if (n++ >= want->nr || it.gfn != v->gfn || it.level != v->level ||
		    it.old != v->spte || it.sptep[0] != v->spte) {
			wrong++;
			break;
		}
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, n, want->nr);
}

static void iter_against_naive(struct kunit *test)
{
	struct visits want = {
		.v = kvmalloc_array(MAX_VISITS, sizeof(struct visit), GFP_KERNEL),
	};

	KUNIT_ASSERT_NOT_NULL(test, want.v);
	for (int t = 0; t < NR_TREES; t++) {
		struct vmmu_sp *root = test_table(test, 0, VMMU_LEVEL_PML4 + (t & 1));

		grow(test, root);
		for (int r = 0; r < NR_RANGES; r++)
			compare(test, root, &want, VMMU_LEVEL_4K + r % 3);
		test_free_tables(root);
	}
	kvfree(want.v);
}

/* Restarted at random, a walk misses no entry of the lowest level and sees none twice. */
static void iter_restart(struct kunit *test)
{
	struct visits want = {
		.v = kvmalloc_array(MAX_VISITS, sizeof(struct visit), GFP_KERNEL),
	};
	struct vmmu_sp *root = test_table(test, 0, VMMU_LEVEL_PML4);
	struct vmmu_iter it;
	int n = 0, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, want.v);
	for (int i = 0; i < 4; i++)
		grow(test, root);
	naive(&want, root, VMMU_LEVEL_4K, 0, ~0ULL);

	for_each_spte(it, root, 0, ~0ULL) {
		if (vmmu_iter_progress(&it) && get_random_u32_below(8) == 0) {
			vmmu_iter_restart(&it);
			continue;
		}
		if (it.level != VMMU_LEVEL_4K)
			continue;
		while (n < want.nr && want.v[n].level != VMMU_LEVEL_4K)
			n++;
		if (n == want.nr || want.nr == MAX_VISITS)
			break;
		wrong += it.gfn != want.v[n++].gfn;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	while (n < want.nr && want.v[n].level != VMMU_LEVEL_4K)
		n++;
	if (want.nr < MAX_VISITS)
		KUNIT_EXPECT_EQ(test, n, want.nr);

	test_free_tables(root);
	kvfree(want.v);
}

/* The body may put a table under the walk, and may take one away. */
static void iter_follows_changes(struct kunit *test)
{
	struct vmmu_vm *vm = test_vm(test);
	struct vmmu_gather g;
	struct vmmu_iter it;
	int seen[VMMU_LEVEL_PML4 + 1] = {};

	vmmu_gather_begin(&g, vm);
	for_each_spte(it, vm->mmu.tdp_root, 511, 513) {
		struct vmmu_sp *sp;

		seen[it.level]++;
		if (it.level == VMMU_LEVEL_4K || vmmu_spte_present(it.old))
			continue;
		sp = test_table(test, it.gfn, it.level - 1);
		KUNIT_ASSERT_TRUE(test, vmmu_spte_change(&g, &it,
							 vmmu_spte_make_table(g.fmt, sp)));
	}
	KUNIT_EXPECT_EQ(test, seen[VMMU_LEVEL_PML4], 1);
	KUNIT_EXPECT_EQ(test, seen[VMMU_LEVEL_1G], 1);
	KUNIT_EXPECT_EQ(test, seen[VMMU_LEVEL_2M], 2);
	KUNIT_EXPECT_EQ(test, seen[VMMU_LEVEL_4K], 2);

	memset(seen, 0, sizeof(seen));
	for_each_spte(it, vm->mmu.tdp_root, 0, 1024) {
		seen[it.level]++;
		if (it.level == VMMU_LEVEL_2M)
			vmmu_spte_zap(&g, &it);
	}
	KUNIT_EXPECT_EQ(test, seen[VMMU_LEVEL_2M], 2);
	KUNIT_EXPECT_EQ(test, seen[VMMU_LEVEL_4K], 0);
	vmmu_gather_end(&g);
	test_free_tables(vm->mmu.tdp_root);
}

static void iter_bounds(struct kunit *test)
{
	struct vmmu_sp *root = test_table(test, 0, VMMU_LEVEL_PML4);
	const gfn_t limit = VMMU_PAGES_PER_LEVEL(VMMU_LEVEL_PML4 + 1);
	struct vmmu_iter it;
	int n = 0;

	KUNIT_EXPECT_TRUE(test, vmmu_iter_find(&it, root, limit - 1));
	KUNIT_EXPECT_EQ(test, it.level, VMMU_LEVEL_PML4);
	KUNIT_EXPECT_FALSE(test, vmmu_iter_find(&it, root, limit));
	for_each_spte(it, root, 0, ~0ULL)
		n++;
	KUNIT_EXPECT_EQ(test, n, VMMU_SPTES_PER_PAGE);
	for_each_spte(it, root, 5, 5)
		n++;
	KUNIT_EXPECT_EQ(test, n, VMMU_SPTES_PER_PAGE);
	test_free_tables(root);
}

static struct kunit_case iter_cases[] = {
	KUNIT_CASE(iter_against_naive),
	KUNIT_CASE(iter_restart),
	KUNIT_CASE(iter_follows_changes),
	KUNIT_CASE(iter_bounds),
	{}
};

static struct kunit_suite iter_suite = {
	.name = "vmmu-iter",
	.test_cases = iter_cases,
};

kunit_test_suites(&iter_suite);
