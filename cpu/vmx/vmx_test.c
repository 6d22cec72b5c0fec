// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: what hardware gets for the control registers of a guest on shadow tables, in
 * every combination, against what an entry checks (SDM vol. 3, 27.3.1.1).
 */
#include <kunit/test.h>
#include "vmcs.h"

#define PAGED	(X86_CR0_PE | X86_CR0_PG)

static const u64 cr0s[] = {
	X86_CR0_ET, X86_CR0_PE, PAGED, PAGED | X86_CR0_WP, PAGED | X86_CR0_TS,
};

static const u64 cr4_bits[] = {
	X86_CR4_PSE, X86_CR4_PAE, X86_CR4_PGE, X86_CR4_PCIDE, X86_CR4_SMEP, X86_CR4_SMAP,
	X86_CR4_PKE, X86_CR4_LA57, X86_CR4_UMIP, X86_CR4_OSXSAVE,
};

static void one_combination(struct kunit *test, struct vmx_crs crs)
{
	struct vmx_crs hw = vmx_shadow_crs(crs);
	bool long_mode = crs.efer & EFER_LMA;

	/* No entry on shadow tables differs in what is the guest's own to read and write. */
	KUNIT_ASSERT_EQ(test, (hw.cr0 ^ crs.cr0) & ~(u64)VMX_CR0_SHADOW_MASK, 0);
	KUNIT_ASSERT_EQ(test, (hw.cr4 ^ crs.cr4) & ~(u64)VMX_CR4_SHADOW_MASK, 0);
	if (!(crs.cr0 & X86_CR0_PG)) {
		KUNIT_ASSERT_EQ(test, hw.cr0, crs.cr0);
		KUNIT_ASSERT_EQ(test, hw.cr4, crs.cr4);
		KUNIT_ASSERT_EQ(test, hw.efer, crs.efer);
		return;
	}
	KUNIT_ASSERT_EQ(test, hw.cr0, crs.cr0 | X86_CR0_WP);
	KUNIT_ASSERT_TRUE(test, hw.cr4 & X86_CR4_PAE);
	KUNIT_ASSERT_FALSE(test, hw.cr4 & (X86_CR4_PGE | X86_CR4_PCIDE));
	KUNIT_ASSERT_EQ(test, hw.efer & (EFER_NX | EFER_SCE), (u64)(EFER_NX | EFER_SCE));
	KUNIT_ASSERT_EQ(test, !!(hw.efer & EFER_LMA), long_mode);
	KUNIT_ASSERT_EQ(test, !!(hw.efer & EFER_LME), long_mode);
	if (!long_mode)
		KUNIT_ASSERT_FALSE(test, hw.cr4 & X86_CR4_LA57);
}

static void shadow_crs(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(cr0s); i++) {
		for (unsigned int mask = 0; mask < 2U << ARRAY_SIZE(cr4_bits); mask++) {
			struct vmx_crs crs = { .cr0 = cr0s[i], .efer = EFER_SCE };

			for (int bit = 0; bit < ARRAY_SIZE(cr4_bits); bit++)
				crs.cr4 |= mask & BIT(bit) ? cr4_bits[bit] : 0;
			if (mask >> ARRAY_SIZE(cr4_bits))
				crs.efer |= EFER_LME | (crs.cr0 & X86_CR0_PG ? EFER_LMA : 0);
			one_combination(test, crs);
		}
	}
}

static struct kunit_case vmx_cases[] = {
	KUNIT_CASE(shadow_crs),
	{}
};

static struct kunit_suite vmx_suite = {
	.name = "vmmu-vmx",
	.test_cases = vmx_cases,
};

kunit_test_suites(&vmx_suite);
