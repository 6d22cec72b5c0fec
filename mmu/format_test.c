// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: what SPTEs say, in each format: against the manuals' numbers and a naive rule. */
#include <kunit/test.h>
#include <linux/random.h>
#include "spte.h"

static const struct vmmu_spte_format *const formats[] = {
	&vmmu_format_x86_64,
	&vmmu_format_ept,
};

/* Numbers worked out by hand from the manuals' tables. */
static void format_known_values(struct kunit *test)
{
	struct vmmu_spte_want want = {
		.pfn = 0x12345,
		.level = VMMU_LEVEL_4K,
		.access = VMMU_ACC_ALL,
		.cached = true,
		.managed = true,
		.host_writable = true,
		.write = true,
	};

	if (__sme_set(0ULL))
		kunit_skip(test, "the host encrypts its memory");

	KUNIT_EXPECT_EQ(test, vmmu_spte_make(&vmmu_format_x86_64, &want), 0x0010000012345e67ULL);
	KUNIT_EXPECT_EQ(test, vmmu_spte_make(&vmmu_format_ept, &want), 0x0070000012345b37ULL);

	want.pfn = 0x12200;
	want.level = VMMU_LEVEL_2M;
	want.access = 0;
	want.cached = false;
	want.managed = false;
	want.write = false;
	want.speculative = true;
	KUNIT_EXPECT_EQ(test, vmmu_spte_make(&vmmu_format_x86_64, &want), 0x8000000012200a91ULL);
	KUNIT_EXPECT_EQ(test, vmmu_spte_make(&vmmu_format_ept, &want), 0x0010000012200881ULL);
}

/* No two fields of a format share a bit, nor have they one of the common layer. */
static void format_bits_distinct(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(formats); i++) {
		const struct vmmu_spte_format *f = formats[i];
		const u64 fields[] = {
			f->leaf, f->write, f->exec, f->noexec, f->user, f->accessed, f->dirty,
			f->cached | f->uncached, f->host_writable, f->mmu_writable,
			f->managed,
			VMMU_SPTE_LARGE, VMMU_SPTE_ADDR,
		};
		u64 seen = 0;

		for (int n = 0; n < ARRAY_SIZE(fields); n++) {
			KUNIT_EXPECT_EQ_MSG(test, seen & fields[n], 0ULL, "%s field %d", f->name,
					    n);
			seen |= fields[n];
		}
		KUNIT_EXPECT_TRUE(test, vmmu_spte_table(f->table, VMMU_LEVEL_2M));
		KUNIT_EXPECT_EQ(test, f->table & f->leaf, f->leaf);
		KUNIT_EXPECT_EQ(test, f->table & f->write, f->write);
	}
}

static void check_want(struct kunit *test, const struct vmmu_spte_format *f,
		       const struct vmmu_spte_want *w)
{
	u64 spte = vmmu_spte_make(f, w);
	bool may = w->host_writable && (w->access & VMMU_ACC_WRITE);
	bool demand_write = w->write && !w->speculative;
	bool can = may && (!w->logged || (demand_write && w->level == VMMU_LEVEL_4K));
	bool exec = (w->access & VMMU_ACC_EXEC) &&
		    !(vmmu_nx_huge && w->level > VMMU_LEVEL_4K);

	KUNIT_EXPECT_TRUE(test, vmmu_spte_present(spte));
	KUNIT_EXPECT_TRUE(test, vmmu_spte_leaf(spte, w->level));
	KUNIT_EXPECT_FALSE(test, vmmu_spte_table(spte, w->level));
	KUNIT_EXPECT_FALSE(test, vmmu_spte_mmio(spte));
	KUNIT_EXPECT_FALSE(test, vmmu_spte_frozen(spte));
	KUNIT_EXPECT_EQ(test, vmmu_spte_pfn(spte), w->pfn);

	KUNIT_EXPECT_TRUE(test, vmmu_spte_allows(f, spte, false, false));
	KUNIT_EXPECT_EQ(test, vmmu_spte_allows(f, spte, true, false), can);
	KUNIT_EXPECT_EQ(test, vmmu_spte_allows(f, spte, false, true), exec);
	KUNIT_EXPECT_EQ(test, vmmu_spte_allows(f, spte, true, true), can && exec);
	KUNIT_EXPECT_EQ(test, vmmu_spte_may_write(f, spte), may);
	KUNIT_EXPECT_EQ(test, !!(spte & f->host_writable), w->host_writable);

	/* A guess is neither; a demand is accessed, and dirty when it writes. */
	KUNIT_EXPECT_EQ(test, !!(spte & f->accessed), !w->speculative);
	KUNIT_EXPECT_EQ(test, !!(spte & f->dirty), can && demand_write);
	if (f->user)
		KUNIT_EXPECT_EQ(test, !!(spte & f->user), !!(w->access & VMMU_ACC_USER));
}

/* A bit per condition, every combination. */
static void format_every_combination(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(formats) << 10; i++) {
		struct vmmu_spte_want w = {
			.level = VMMU_LEVEL_4K + (i & 3) % 3,
			.access = i >> 2 & 7,
			.cached = i >> 5 & 1,
			.host_writable = i >> 6 & 1,
			.logged = i >> 7 & 1,
			.write = i >> 8 & 1,
			.speculative = i >> 9 & 1,
		};

		w.pfn = 0x40000UL & ~(VMMU_PAGES_PER_LEVEL(w.level) - 1);
		check_want(test, formats[i >> 10], &w);
	}
}

static void format_mmio_round_trip(struct kunit *test)
{
	for (int i = 0; i < 1000; i++) {
		gfn_t gfn = get_random_u64() & (VMMU_SPTE_ADDR >> PAGE_SHIFT);
		u64 generation = get_random_u64();
		unsigned int access = i & VMMU_ACC_ALL;
		u64 spte = vmmu_spte_make_mmio(gfn, access, generation);

		KUNIT_EXPECT_TRUE(test, vmmu_spte_mmio(spte));
		KUNIT_EXPECT_FALSE(test, vmmu_spte_present(spte));
		KUNIT_EXPECT_FALSE(test, vmmu_spte_frozen(spte));
		KUNIT_EXPECT_EQ(test, vmmu_mmio_gfn(spte), gfn | vmmu_mmio_guard);
		KUNIT_EXPECT_EQ(test, vmmu_mmio_access(spte), access);
		KUNIT_EXPECT_TRUE(test, vmmu_mmio_current(spte, generation));
		KUNIT_EXPECT_FALSE(test, vmmu_mmio_current(spte, generation + 1));
		/* Not present for x86-64, write without read for EPT. */
		KUNIT_EXPECT_EQ(test, spte & 7, 6ULL);
	}
	KUNIT_EXPECT_FALSE(test, vmmu_spte_mmio(VMMU_SPTE_EMPTY));
	KUNIT_EXPECT_FALSE(test, vmmu_spte_mmio(VMMU_SPTE_FROZEN));
	KUNIT_EXPECT_FALSE(test, vmmu_spte_present(VMMU_SPTE_FROZEN));
}

/* An old entry that a wrapped generation makes look new was zapped on the way: an epoch passed. */
static void format_mmio_generation_wrap(struct kunit *test)
{
	const u64 first = 3 * BIT_ULL(VMMU_MMIO_GEN_BITS) - 5;
	const u64 spte = vmmu_spte_make_mmio(0x1234, VMMU_ACC_ALL, first);
	int mistaken = 0;

	for (u64 g = first + 1; g <= first + 2 * BIT_ULL(VMMU_MMIO_GEN_BITS); g++) {
		if (!vmmu_mmio_current(spte, g))
			continue;
		mistaken++;
		KUNIT_EXPECT_NE(test, vmmu_mmio_epoch(g), vmmu_mmio_epoch(first));
		/* And not just now: there was time for the zap that the epoch asks for. */
		KUNIT_EXPECT_NE(test, vmmu_mmio_epoch(g - BIT_ULL(VMMU_MMIO_GEN_BITS - 1)),
				vmmu_mmio_epoch(first));
	}
	KUNIT_EXPECT_EQ(test, mistaken, 2);
}

/* 512 parts say together what the large leaf said. */
static void format_parts(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(formats) * 2; i++) {
		const struct vmmu_spte_format *f = formats[i / 2];
		int level = i & 1 ? VMMU_LEVEL_1G : VMMU_LEVEL_2M;
		struct vmmu_spte_want w = {
			.pfn = 5 * VMMU_PAGES_PER_LEVEL(VMMU_LEVEL_1G),
			.level = level,
			/* Parts of what is not executable are not, where small pages would be. */
			.access = vmmu_nx_huge ? VMMU_ACC_ALL & ~VMMU_ACC_EXEC : VMMU_ACC_ALL,
			.cached = true,
			.host_writable = true,
			.logged = true,
		};
		u64 large = vmmu_spte_make(f, &w);

		w.level = level - 1;
		for (unsigned int n = 0; n < VMMU_SPTES_PER_PAGE; n++) {
			KUNIT_EXPECT_EQ(test, vmmu_spte_make_part(large, level, n),
					vmmu_spte_make(f, &w));
			w.pfn += VMMU_PAGES_PER_LEVEL(level - 1);
		}
	}
}

static struct kunit_case format_cases[] = {
	KUNIT_CASE(format_known_values),
	KUNIT_CASE(format_bits_distinct),
	KUNIT_CASE(format_every_combination),
	KUNIT_CASE(format_mmio_round_trip),
	KUNIT_CASE(format_mmio_generation_wrap),
	KUNIT_CASE(format_parts),
	{}
};

static struct kunit_suite format_suite = {
	.name = "vmmu-spte-format",
	.test_cases = format_cases,
};

kunit_test_suites(&format_suite);
