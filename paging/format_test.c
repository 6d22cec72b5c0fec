// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formats of guest page tables: which mode means which, what is a leaf, which
 * bits are reserved (asked bit by bit), where a page lies.
 */
#include <kunit/test.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "vmmu/paging.h"

#define PG	(X86_CR0_PG | X86_CR0_PE)

static const struct vmmu_paging_mode mode_2level = { .cr0 = PG, .cr4 = X86_CR4_PSE };
static const struct vmmu_paging_mode mode_2level_no_pse = { .cr0 = PG };
static const struct vmmu_paging_mode mode_pae = {
	.cr0 = PG, .cr4 = X86_CR4_PAE, .efer = EFER_NX,
};

static const struct vmmu_paging_mode mode_pae_no_nx = { .cr0 = PG, .cr4 = X86_CR4_PAE };
static const struct vmmu_paging_mode mode_4level = {
	.cr0 = PG, .cr4 = X86_CR4_PAE, .efer = EFER_NX | EFER_LMA | EFER_LME,
};

static const struct vmmu_paging_mode mode_4level_no_nx = {
	.cr0 = PG, .cr4 = X86_CR4_PAE, .efer = EFER_LMA | EFER_LME,
};

static const struct vmmu_paging_mode mode_5level = {
	.cr0 = PG, .cr4 = X86_CR4_PAE | X86_CR4_LA57, .efer = EFER_NX | EFER_LMA | EFER_LME,
};

static void which_format(struct kunit *test)
{
	static const struct vmmu_paging_mode off = { .cr0 = X86_CR0_PE, .cr4 = X86_CR4_PAE };

	KUNIT_EXPECT_EQ(test, vmmu_paging_format(&off)->levels, 0);
	KUNIT_EXPECT_EQ(test, vmmu_paging_format(&mode_2level)->levels, 2);
	KUNIT_EXPECT_EQ(test, vmmu_paging_format(&mode_2level)->entry_bytes, 4);
	KUNIT_EXPECT_EQ(test, vmmu_paging_format(&mode_pae)->levels, 3);
	KUNIT_EXPECT_EQ(test, vmmu_paging_format(&mode_4level)->levels, 4);
	KUNIT_EXPECT_EQ(test, vmmu_paging_format(&mode_5level)->levels, 5);
}

/* Indices and page offset together are the address, no bit twice and none left out. */
static void geometry(struct kunit *test)
{
	static const struct vmmu_paging_mode *modes[] = {
		&mode_2level, &mode_pae, &mode_4level, &mode_5level,
	};
	unsigned int i;
	int level;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		const struct vmmu_paging_format *fmt = vmmu_paging_format(modes[i]);
		u64 seen = BIT_ULL(PAGE_SHIFT) - 1;

		for (level = 1; level <= fmt->levels; level++) {
			u64 part = (u64)fmt->index_mask[level - 1] << fmt->shift[level - 1];

			KUNIT_EXPECT_EQ_MSG(test, seen & part, 0, "%s level %d", fmt->name, level);
			seen |= part;
		}
		KUNIT_EXPECT_EQ_MSG(test, seen, BIT_ULL(fmt->gva_bits) - 1, "%s", fmt->name);
	}
}

/* The manuals' figures, one bit at a time. */
static bool reserved_in_manual(const struct vmmu_paging_mode *mode, int level, bool leaf, int m,
			       bool gbpages, int bit)
{
	bool long_mode = mode->efer & EFER_LMA;
	bool pae = mode->cr4 & X86_CR4_PAE;

	if (!pae) {
		if (level == 1 || !leaf || bit < 13 || bit > 21)
			return false;
		/* Bit 13 is address bit 32. */
		return bit == 21 || bit - 13 + 32 >= m;
	}
	if (bit == 63)
		return !(mode->efer & EFER_NX) || (!long_mode && level == 3);
	if (bit >= 52)
		return !long_mode;
	if (bit >= m)
		return true;
	if (!long_mode && level == 3)
		return bit == 1 || bit == 2 || (bit >= 5 && bit <= 8);
	if (leaf && level == 2)
		return bit >= 13 && bit <= 20;
	if (leaf && level == 3)
		return (bit >= 13 && bit <= 29) || (bit == 7 && !gbpages);
	return level >= 4 && bit == 7;
}

static void check_reserved(struct kunit *test, const struct vmmu_paging_mode *mode, int level,
			   bool leaf, int m, bool gbpages)
{
	const struct vmmu_paging_format *fmt = vmmu_paging_format(mode);
	u64 ours = vmmu_gpte_reserved(fmt, mode, level, leaf, m, gbpages);
	int bit;

	for (bit = 0; bit < fmt->entry_bytes * 8; bit++)
		KUNIT_EXPECT_EQ_MSG(test, !!(ours & BIT_ULL(bit)),
				    reserved_in_manual(mode, level, leaf, m, gbpages, bit),
				    "%s level %d leaf %d maxphyaddr %d bit %d", fmt->name, level,
				    leaf, m, bit);
}

static void reserved(struct kunit *test)
{
	static const struct vmmu_paging_mode *modes[] = {
		&mode_2level, &mode_pae, &mode_pae_no_nx, &mode_4level, &mode_4level_no_nx,
		&mode_5level,
	};
	static const int widths[] = { 32, 36, 39, 40, 46, 48, 52 };
	unsigned int i, w;
	int level;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		const struct vmmu_paging_format *fmt = vmmu_paging_format(modes[i]);

		for (w = 0; w < ARRAY_SIZE(widths); w++) {
			for (level = 1; level <= fmt->levels; level++) {
				bool can = level == 1 || (fmt->leaf_levels & BIT(level));

				if (level > 1)
					check_reserved(test, modes[i], level, false, widths[w],
						       true);
				if (!can)
					continue;
				check_reserved(test, modes[i], level, true, widths[w], true);
				check_reserved(test, modes[i], level, true, widths[w], false);
			}
		}
	}
}

static void leaves(struct kunit *test)
{
	const struct vmmu_paging_format *two = vmmu_paging_format(&mode_2level);
	const struct vmmu_paging_format *pae = vmmu_paging_format(&mode_pae);
	const struct vmmu_paging_format *four = vmmu_paging_format(&mode_4level);
	u64 ps = VMMU_GPTE_P | VMMU_GPTE_PS;

	KUNIT_EXPECT_TRUE(test, vmmu_gpte_is_leaf(two, &mode_2level, VMMU_GPTE_P, 1));
	KUNIT_EXPECT_TRUE(test, vmmu_gpte_is_leaf(two, &mode_2level, ps, 2));
	KUNIT_EXPECT_FALSE(test, vmmu_gpte_is_leaf(two, &mode_2level_no_pse, ps, 2));
	KUNIT_EXPECT_FALSE(test, vmmu_gpte_is_leaf(two, &mode_2level, VMMU_GPTE_P, 2));
	KUNIT_EXPECT_TRUE(test, vmmu_gpte_is_leaf(pae, &mode_pae, ps, 2));
	KUNIT_EXPECT_FALSE(test, vmmu_gpte_is_leaf(pae, &mode_pae, ps, 3));
	KUNIT_EXPECT_TRUE(test, vmmu_gpte_is_leaf(four, &mode_4level, ps, 3));
	KUNIT_EXPECT_FALSE(test, vmmu_gpte_is_leaf(four, &mode_4level, ps, 4));
}

static void pages(struct kunit *test)
{
	const struct vmmu_paging_format *two = vmmu_paging_format(&mode_2level);
	const struct vmmu_paging_format *four = vmmu_paging_format(&mode_4level);

	KUNIT_EXPECT_EQ(test, vmmu_gpte_page(two, 0x12345067, 1), 0x12345000ULL);
	KUNIT_EXPECT_EQ(test, vmmu_gpte_page(two, 0x124000e7, 2), 0x12400000ULL);
	/* PSE-36: bits 20:13 are address bits 39:32. */
	KUNIT_EXPECT_EQ(test, vmmu_gpte_page(two, 0x124000e7 | 0xa5 << 13, 2), 0xa512400000ULL);
	KUNIT_EXPECT_EQ(test, vmmu_gpte_page(four, 0x8000123456789067ULL, 1), 0x123456789000ULL);
	KUNIT_EXPECT_EQ(test, vmmu_gpte_page(four, 0x80000123456010e7ULL, 2), 0x12345600000ULL);
	KUNIT_EXPECT_EQ(test, vmmu_gpte_page(four, 0x80000123400010e7ULL, 3), 0x12340000000ULL);
}

static struct kunit_case format_cases[] = {
	KUNIT_CASE(which_format),
	KUNIT_CASE(geometry),
	KUNIT_CASE(reserved),
	KUNIT_CASE(leaves),
	KUNIT_CASE(pages),
	{}
};

static struct kunit_suite format_suite = {
	.name = "vmmu-format",
	.test_cases = format_cases,
};

kunit_test_suites(&format_suite);
