// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: which neighbours of a fault are worth a guess. */
#include <linux/random.h>
#include "test_vm.h"
#include "window.h"

/* The rule in words, one entry at a time. */
static bool wanted(gfn_t gfn, gfn_t base, unsigned long npages, u16 absent, int i)
{
	gfn_t neighbour = (gfn / 16) * 16 + i;

	return (absent >> i & 1) && neighbour != gfn && neighbour >= base &&
	       neighbour < base + npages;
}

static void window_clip_random(struct kunit *test)
{
	for (int n = 0; n < 5000; n++) {
		gfn_t base = get_random_u32_below(64);
		unsigned long npages = 1 + get_random_u32_below(n & 1 ? 4 : 64);
		gfn_t gfn = base + get_random_u32_below(npages);
		u16 absent = n & 2 ? 0xffff : get_random_u32();
		u16 got = vmmu_window_clip(gfn, base, npages, absent), want = 0;

		for (int i = 0; i < 16; i++)
			want |= wanted(gfn, base, npages, absent, i) << i;
		KUNIT_EXPECT_EQ_MSG(test, got, want, "gfn %llu slot %llu+%lu absent %x", gfn, base,
				    npages, absent);
	}
}

/* The last page of a slot at the end of the address space: nothing wraps. */
static void window_clip_edges(struct kunit *test)
{
	const gfn_t last = BIT_ULL(52) - 1;

	KUNIT_EXPECT_EQ(test, vmmu_window_clip(last, last, 1, 0xffff), 0);
	KUNIT_EXPECT_EQ(test, vmmu_window_clip(last, last - 1, 2, 0xffff), 0x4000);
	KUNIT_EXPECT_EQ(test, vmmu_window_clip(0, 0, 1, 0xffff), 0);
	KUNIT_EXPECT_EQ(test, vmmu_window_clip(0, 0, 16, 0xffff), 0xfffe);
	KUNIT_EXPECT_EQ(test, vmmu_window_clip(15, 0, 1UL << 40, 0xffff), 0x7fff);
	KUNIT_EXPECT_EQ(test, vmmu_window_clip(7, 0, 16, 0), 0);
}

static void window_absent_mask(struct kunit *test)
{
	struct vmmu_sp *root = test_table(test, 0, VMMU_LEVEL_2M);
	struct vmmu_sp *sp = test_table(test, 0, VMMU_LEVEL_4K);
	struct vmmu_iter it;

	KUNIT_ASSERT_TRUE(test, vmmu_iter_find(&it, root, 0x25));
	KUNIT_EXPECT_EQ(test, vmmu_window_absent(it.sptep, it.level), 0xffff);

	root->spt[0] = vmmu_spte_make_table(&vmmu_format_x86_64, sp);
	sp->spt[0x20] = test_leaf(&vmmu_format_x86_64, VMMU_LEVEL_4K, TEST_PFN);
	sp->spt[0x2f] = vmmu_spte_make_mmio(0x2f, 0, 1);
	sp->spt[0x22] = VMMU_SPTE_FROZEN;
	sp->spt[0x1f] = sp->spt[0x20];
	sp->spt[0x30] = sp->spt[0x20];
	KUNIT_ASSERT_TRUE(test, vmmu_iter_find(&it, root, 0x25));
	KUNIT_EXPECT_EQ(test, vmmu_window_absent(it.sptep, it.level), 0x7ffa);
	test_free_tables(root);
}

static void window_hull(struct kunit *test)
{
	const struct vmmu_memslot slot = {
		.base_gfn = 0x100,
		.npages = 0x100,
		.hva = 0x7f0000000000,
	};
	struct vmmu_window w = { .gfn = 0x120, .valid = 0x0ff4 };
	unsigned long bytes;

	KUNIT_EXPECT_EQ(test, vmmu_window_hva(&w, &slot, &bytes), 0x7f0000022000UL);
	KUNIT_EXPECT_EQ(test, bytes, 10 * PAGE_SIZE);
}

static struct kunit_case window_cases[] = {
	KUNIT_CASE(window_clip_random),
	KUNIT_CASE(window_clip_edges),
	KUNIT_CASE(window_absent_mask),
	KUNIT_CASE(window_hull),
	{}
};

static struct kunit_suite window_suite = {
	.name = "vmmu-window",
	.test_cases = window_cases,
};

kunit_test_suites(&window_suite);
