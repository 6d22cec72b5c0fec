// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: which registers make another role, and which entries of ours stand for which of theirs. */
#include <kunit/test.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "shadow.h"

#define PROT	(X86_CR0_PE | X86_CR0_PG | X86_CR0_WP)

struct role_case {
	const char *name;
	u64 cr0, cr4, efer;
	union vmmu_role role;
};

static const struct role_case role_cases[] = {
	{ "unpaged", X86_CR0_PE, X86_CR4_PAE, 0, {} },
	{ "2-level", PROT, 0, 0, { .guest = VMMU_PAGING_2LEVEL } },
	{ "2-level, PSE", PROT, X86_CR4_PSE, 0, { .guest = VMMU_PAGING_2LEVEL, .pse = 1 } },
	{ "PAE", PROT, X86_CR4_PAE, 0, { .guest = VMMU_PAGING_PAE } },
	/* PSE means nothing there. */
	{ "PAE, PSE, NX", PROT, X86_CR4_PAE | X86_CR4_PSE, EFER_NX,
	  { .guest = VMMU_PAGING_PAE, .nxe = 1 } },
	{ "4-level", PROT, X86_CR4_PAE, EFER_LMA, { .guest = VMMU_PAGING_LONG } },
	/* The depth is the root's, the entries say the same. */
	{ "5-level", PROT, X86_CR4_PAE | X86_CR4_LA57, EFER_LMA, { .guest = VMMU_PAGING_LONG } },
	{ "no WP", PROT & ~X86_CR0_WP, X86_CR4_PAE, EFER_LMA,
	  { .guest = VMMU_PAGING_LONG, .nowp = 1 } },
	/* Where the trick would get around a guard there is none. */
	{ "no WP, SMEP", PROT & ~X86_CR0_WP, X86_CR4_PAE | X86_CR4_SMEP, EFER_LMA,
	  { .guest = VMMU_PAGING_LONG } },
	{ "no WP, SMAP", PROT & ~X86_CR0_WP, X86_CR4_PAE | X86_CR4_SMAP, EFER_LMA,
	  { .guest = VMMU_PAGING_LONG } },
	{ "no WP, keys", PROT & ~X86_CR0_WP, X86_CR4_PAE | X86_CR4_PKE, EFER_LMA,
	  { .guest = VMMU_PAGING_LONG } },
};

static void roles(struct kunit *test)
{
	for (int i = 0; i < ARRAY_SIZE(role_cases); i++) {
		const struct role_case *c = &role_cases[i];
		const struct vmmu_paging_mode mode = {
			.cr0 = c->cr0, .cr4 = c->cr4, .efer = c->efer,
		};
		union vmmu_role role = c->role;

		/* On this host. */
		if (role.guest == VMMU_PAGING_NONE)
			role.tdp = vmmu_cpu_caps.tdp_unpaged;
		KUNIT_EXPECT_EQ_MSG(test, vmmu_shadow_role(&mode).word, role.word, "%s", c->name);
	}
}

/* Every entry of a guest's table of 4-byte entries has its own, and they cover it exactly. */
static void quadrants(struct kunit *test)
{
	for (int level = VMMU_LEVEL_4K; level <= VMMU_LEVEL_2M; level++) {
		unsigned int parts = level == VMMU_LEVEL_4K ? 2 : 4, at = 0;
		struct vmmu_shadow s = {
			.sp.role = { .guest = VMMU_PAGING_2LEVEL, .level = level },
		};

		for (unsigned int q = 0; q < parts; q++) {
			s.sp.role.quadrant = q;
			for (unsigned int i = 0; i < VMMU_SPTES_PER_PAGE; i++, at++)
				KUNIT_ASSERT_EQ(test, vmmu_shadow_guest_index(&s, i),
						level == VMMU_LEVEL_4K ? at : at / 2);
		}
	}
}

static void gfns(struct kunit *test)
{
	u64 gptes[2] = { 0x12345067, 0x12345067 };
	struct vmmu_shadow s = { .gptes = gptes };

	s.sp.role = (union vmmu_role) { .guest = VMMU_PAGING_LONG, .level = VMMU_LEVEL_4K };
	KUNIT_EXPECT_EQ(test, vmmu_shadow_gfn(&s, 0), 0x12345);

	/* 4 MiB at 2 GiB + 4 MiB, and 512 GiB on top by PSE-36: two entries of ours. */
	gptes[0] = 0x80400000 | BIT(13) << 7 | 0xe7;
	gptes[1] = gptes[0];
	s.sp.role = (union vmmu_role) { .guest = VMMU_PAGING_2LEVEL, .level = VMMU_LEVEL_2M };
	KUNIT_EXPECT_EQ(test, vmmu_shadow_gfn(&s, 0),
			(0x80400000 | BIT_ULL(39)) >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, vmmu_shadow_gfn(&s, 1) - vmmu_shadow_gfn(&s, 0), 512);

	s.sp.role = (union vmmu_role) { .direct = 1, .level = VMMU_LEVEL_2M };
	s.sp.gfn = 0x40000;
	KUNIT_EXPECT_EQ(test, vmmu_shadow_gfn(&s, 1), 0x40200);
}

static struct kunit_case role_kunit_cases[] = {
	KUNIT_CASE(roles),
	KUNIT_CASE(quadrants),
	KUNIT_CASE(gfns),
	{}
};

static struct kunit_suite role_suite = {
	.name = "vmmu_shadow_role",
	.test_cases = role_kunit_cases,
};

kunit_test_suite(role_suite);
