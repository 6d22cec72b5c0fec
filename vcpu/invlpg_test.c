// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: what INVPCID refuses, rule by rule of Intel SDM vol. 2. */
#include <kunit/test.h>
#include <asm/processor-flags.h>
#include "invlpg.h"

#define PCIDE	X86_CR4_PCIDE
#define LA57	X86_CR4_LA57

static bool legal(u64 type, u64 pcid, u64 address, u64 cr4)
{
	const u64 desc[2] = { pcid, address };

	return vmmu_invpcid_legal(type, desc, cr4);
}

static void types(struct kunit *test)
{
	u64 type;

	for (type = 0; type < 4; type++)
		KUNIT_EXPECT_TRUE(test, legal(type, 0, 0, 0));
	KUNIT_EXPECT_FALSE(test, legal(4, 0, 0, 0));
	KUNIT_EXPECT_FALSE(test, legal(~0ULL, 0, 0, 0));
	KUNIT_EXPECT_FALSE(test, legal(1ULL << 32, 0, 0, PCIDE));
}

/* All bits above the PCID, whatever the type. */
static void reserved_bits(struct kunit *test)
{
	u64 type;
	int bit;

	for (type = 0; type < 4; type++) {
		for (bit = 12; bit < 64; bit++)
			KUNIT_EXPECT_FALSE(test, legal(type, BIT_ULL(bit), 0, PCIDE));
		KUNIT_EXPECT_TRUE(test, legal(type, 0xfff, 0, PCIDE));
	}
}

/* Without CR4.PCIDE there is only PCID 0; the types that take no PCID do not look. */
static void pcids(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, legal(INVPCID_ADDRESS, 1, 0, 0));
	KUNIT_EXPECT_FALSE(test, legal(INVPCID_PCID, 1, 0, 0));
	KUNIT_EXPECT_TRUE(test, legal(INVPCID_ALL_GLOBAL, 1, 0, 0));
	KUNIT_EXPECT_TRUE(test, legal(INVPCID_ALL, 1, 0, 0));
}

/* Only the type that takes an address looks at it. */
static void addresses(struct kunit *test)
{
	u64 high = BIT_ULL(47), higher = BIT_ULL(56), type;

	KUNIT_EXPECT_FALSE(test, legal(INVPCID_ADDRESS, 0, high, 0));
	KUNIT_EXPECT_TRUE(test, legal(INVPCID_ADDRESS, 0, -high, 0));
	KUNIT_EXPECT_TRUE(test, legal(INVPCID_ADDRESS, 0, high, LA57));
	KUNIT_EXPECT_FALSE(test, legal(INVPCID_ADDRESS, 0, higher, LA57));
	KUNIT_EXPECT_TRUE(test, legal(INVPCID_ADDRESS, 0, -higher, LA57));
	for (type = INVPCID_PCID; type < INVPCID_TYPES; type++)
		KUNIT_EXPECT_TRUE(test, legal(type, 0, high, 0));
}

static struct kunit_case invlpg_cases[] = {
	KUNIT_CASE(types),
	KUNIT_CASE(reserved_bits),
	KUNIT_CASE(pcids),
	KUNIT_CASE(addresses),
	{}
};

static struct kunit_suite invlpg_suite = {
	.name = "vmmu-invlpg",
	.test_cases = invlpg_cases,
};

kunit_test_suites(&invlpg_suite);
