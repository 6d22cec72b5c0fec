// SPDX-License-Identifier: GPL-2.0-only
/*
 * The permission rules, counted through: every combination of control bits,
 * page bits, key rights and access, against a model written the other way round
 * (what is allowed, rule by rule, instead of what is not).
 */
#include <kunit/test.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "vmmu/paging.h"

/* One bit per condition. */
enum {
	C_WP, C_SMEP, C_SMAP, C_PKE, C_LMA, C_AC,		/* the mode */
	C_W, C_U, C_X,						/* the page */
	C_KEY_AD, C_KEY_WD,					/* its key's rights */
	C_WRITE, C_USER, C_FETCH, C_IMPLICIT,			/* the access */
	NR_CONDITIONS,
};

#define ON(c)	(!!(bits & BIT(c)))
#define PKEY	5

static bool key_allows(unsigned int bits, bool user_mode)
{
	if (!ON(C_LMA) || !ON(C_PKE) || !ON(C_U))
		return true;
	if (ON(C_KEY_AD))
		return false;
	if (!ON(C_WRITE) || !ON(C_KEY_WD))
		return true;
	return !user_mode && !ON(C_WP);
}

static bool model_allows(unsigned int bits)
{
	bool user_mode = ON(C_USER) && !ON(C_IMPLICIT);

	if (ON(C_FETCH)) {
		if (user_mode)
			return ON(C_U) && ON(C_X);
		return ON(C_X) && (!ON(C_U) || !ON(C_SMEP));
	}
	if (!key_allows(bits, user_mode))
		return false;
	if (user_mode)
		return ON(C_U) && (ON(C_W) || !ON(C_WRITE));
	if (ON(C_U) && ON(C_SMAP) && !(ON(C_AC) && !ON(C_IMPLICIT)))
		return false;
	return ON(C_W) || !ON(C_WRITE) || !ON(C_WP);
}

static void make_mode(unsigned int bits, struct vmmu_paging_mode *mode)
{
	/* Other keys forbid everything, so that a wrong one shows. */
	u32 rights = ON(C_KEY_AD) | ON(C_KEY_WD) << 1;

	*mode = (struct vmmu_paging_mode) {
		.cr0 = X86_CR0_PG | X86_CR0_PE | (ON(C_WP) ? X86_CR0_WP : 0),
		.cr4 = X86_CR4_PAE | (ON(C_SMEP) ? X86_CR4_SMEP : 0) |
		       (ON(C_SMAP) ? X86_CR4_SMAP : 0) | (ON(C_PKE) ? X86_CR4_PKE : 0),
		.efer = EFER_NX | (ON(C_LMA) ? EFER_LMA : 0),
		.rflags = ON(C_AC) ? X86_EFLAGS_AC : 0,
		.pkru = ~(3U << (PKEY * 2)) | rights << (PKEY * 2),
		.cpl = ON(C_USER) ? 3 : 0,
	};
}

static void all_combinations(struct kunit *test)
{
	unsigned int bits, allowed = 0;

	for (bits = 0; bits < BIT(NR_CONDITIONS); bits++) {
		unsigned int acc = (ON(C_W) ? VMMU_ACC_WRITE : 0) | (ON(C_U) ? VMMU_ACC_USER : 0) |
				   (ON(C_X) ? VMMU_ACC_EXEC : 0);
		u64 access = (ON(C_WRITE) ? VMMU_PFERR_WRITE : 0) |
			     (ON(C_USER) ? VMMU_PFERR_USER : 0) |
			     (ON(C_FETCH) ? VMMU_PFERR_FETCH : 0) |
			     (ON(C_IMPLICIT) ? VMMU_PFERR_IMPLICIT : 0);
		bool user_mode = ON(C_USER) && !ON(C_IMPLICIT);
		struct vmmu_paging_mode mode;
		u64 fault;

		/* Nobody writes by fetching. */
		if (ON(C_FETCH) && ON(C_WRITE))
			continue;
		make_mode(bits, &mode);
		fault = vmmu_permission_fault(&mode, acc, PKEY, access);
		if (!!fault == model_allows(bits)) {
			KUNIT_FAIL(test, "conditions 0x%x: fault 0x%llx", bits, fault);
			return;
		}
		allowed += !fault;
		if (!fault)
			continue;
		KUNIT_EXPECT_TRUE(test, fault & VMMU_PFERR_PRESENT);
		KUNIT_EXPECT_EQ_MSG(test, !!(fault & VMMU_PFERR_PK),
				    !ON(C_FETCH) && !key_allows(bits, user_mode),
				    "conditions 0x%x", bits);
	}
	/* Neither side may have answered the same to everything. */
	KUNIT_EXPECT_GT(test, allowed, 1000);
	KUNIT_EXPECT_LT(test, allowed, BIT(NR_CONDITIONS) - 1000);
}

static void error_bits(struct kunit *test)
{
	struct vmmu_paging_mode mode = { .cr4 = X86_CR4_PAE, .efer = EFER_NX };

	KUNIT_EXPECT_EQ(test, vmmu_fault_access_bits(&mode, VMMU_PFERR_WRITE | VMMU_PFERR_USER),
			(u32)(VMMU_PFERR_WRITE | VMMU_PFERR_USER));
	KUNIT_EXPECT_EQ(test, vmmu_fault_access_bits(&mode, VMMU_PFERR_FETCH),
			(u32)VMMU_PFERR_FETCH);
	KUNIT_EXPECT_EQ(test, vmmu_fault_access_bits(&mode, VMMU_PFERR_USER | VMMU_PFERR_IMPLICIT),
			0);
	/* Without NX and SMEP a fetch is reported as a read. */
	mode.efer = 0;
	KUNIT_EXPECT_EQ(test, vmmu_fault_access_bits(&mode, VMMU_PFERR_FETCH), 0);
	mode.cr4 = X86_CR4_SMEP;
	KUNIT_EXPECT_EQ(test, vmmu_fault_access_bits(&mode, VMMU_PFERR_FETCH),
			(u32)VMMU_PFERR_FETCH);
	mode.efer = EFER_NX;
	mode.cr4 = 0;
	KUNIT_EXPECT_EQ(test, vmmu_fault_access_bits(&mode, VMMU_PFERR_FETCH), 0);
}

static struct kunit_case permission_cases[] = {
	KUNIT_CASE(all_combinations),
	KUNIT_CASE(error_bits),
	{}
};

static struct kunit_suite permission_suite = {
	.name = "vmmu-permission",
	.test_cases = permission_cases,
};

kunit_test_suites(&permission_suite);
