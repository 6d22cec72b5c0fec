// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the APIC map against the manual's rule applied to each LAPIC, over
 * random VMs of every mode, and that rule against hand-made cases.
 */
#include <kunit/test.h>
#include <linux/prandom.h>

#include "apic_map.h"

#define NR	24

static struct rnd_state rnd;

static u32 below(u32 n)
{
	return prandom_u32_state(&rnd) % n;
}

/* @modes: bit 0 xAPIC flat, 1 cluster, 2 x2APIC, 3 disabled. */
static void random_views(struct vmmu_apic_view *views, unsigned int modes)
{
	unsigned int i, mode;

	for (i = 0; i < NR; i++) {
		do {
			mode = below(4);
		} while (!(modes & BIT(mode)));
		views[i] = (struct vmmu_apic_view) {
			.enabled = mode != 3,
			.x2apic = mode == 2,
			.cluster = mode == 1,
			.x2apic_id = i * 13 + below(13),	/* unique, some above 255 */
			.xapic_ldr = below(2) ? BIT(below(8)) : below(256),
		};
		/* Usually the low byte of the id; sometimes anything: doubles happen. */
		views[i].xapic_id = below(4) ? views[i].x2apic_id : below(256);
	}
}

static struct vmmu_apic_map *map_of(struct kunit *test, const struct vmmu_apic_view *views)
{
	struct vmmu_apic_map *map = vmmu_apic_map_alloc(NR * 13 + 13);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, map);
	for (i = 0; i < NR; i++)
		vmmu_apic_map_add(map, i, &views[i]);
	return map;
}

static void compare(struct kunit *test, const struct vmmu_apic_view *views,
		    const struct vmmu_apic_map *map, u32 dest)
{
	unsigned int how, i;

	for (how = 0; how < 8; how++) {
		struct vmmu_apic_msg msg = {
			.dest = dest, .logical = how & 1, .msi = how & 2,
		};
		u64 naive = 0, got;

		for (i = 0; i < NR; i++)
			if (vmmu_apic_match(&views[i], &msg, how & 4))
				naive |= BIT_ULL(i);
		got = vmmu_apic_map_lookup(map, &msg, how & 4);
		/* An assertion is slow: only when it fails. */
		if (got != naive)
			KUNIT_ASSERT_EQ_MSG(test, got, naive, "dest %#x how %u", dest, how);
	}
}

static u32 odd_dest(const struct vmmu_apic_view *views)
{
	switch (below(5)) {
	case 0:
		return ~0U;
	case 1:
		return views[below(NR)].x2apic_id;
	case 2:
		return lapic_x2apic_ldr(views[below(NR)].x2apic_id) | below(0x10000);
	case 3:
		return below(32) << 16 | below(0x10000);
	default:
		return prandom_u32_state(&rnd);
	}
}

static void map_matches_naive(struct kunit *test)
{
	struct vmmu_apic_view views[NR];
	unsigned int round, i;

	prandom_seed_state(&rnd, 20);
	for (round = 0; round < 15; round++) {
		struct vmmu_apic_map *map;

		random_views(views, 1 + round);
		map = map_of(test, views);
		for (i = 0; i < 256; i++)
			compare(test, views, map, i);
		for (i = 0; i < 100; i++)
			compare(test, views, map, odd_dest(views));
		kvfree(map);
	}
}

struct match_case {
	struct vmmu_apic_view view;
	struct vmmu_apic_msg msg;
	bool quirk;
	bool match;
};

static const struct match_case match_cases[] = {
	/* xAPIC, physical */
	{ { true, .xapic_id = 5 }, { .dest = 5 }, true, true },
	{ { true, .xapic_id = 5 }, { .dest = 4 }, true, false },
	{ { true, .xapic_id = 5 }, { .dest = 0xff }, false, true },
	{ { false, .xapic_id = 5 }, { .dest = 0xff }, false, false },
	{ { true, .xapic_id = 5 }, { .dest = ~0U }, true, false },
	{ { true, .xapic_id = 4, .x2apic_id = 260 }, { .dest = 260 }, true, true },
	/* xAPIC, flat */
	{ { true, .xapic_ldr = 0x04 }, { .dest = 0x06, .logical = true }, true, true },
	{ { true, .xapic_ldr = 0x04 }, { .dest = 0xfb, .logical = true }, true, false },
	{ { true, .xapic_ldr = 0 }, { .dest = 0xff, .logical = true }, true, true },
	/* xAPIC, cluster: 4 bits of cluster, 4 of member */
	{ { true, .cluster = true, .xapic_ldr = 0x24 }, { .dest = 0x2c, .logical = true },
	  true, true },
	{ { true, .cluster = true, .xapic_ldr = 0x24 }, { .dest = 0x3c, .logical = true },
	  true, false },
	{ { true, .cluster = true, .xapic_ldr = 0x24 }, { .dest = 0x23, .logical = true },
	  true, false },
	/* x2APIC */
	{ { true, true, .x2apic_id = 0x25 }, { .dest = 0x25 }, true, true },
	{ { true, true, .x2apic_id = 0x25 }, { .dest = 0x20020, .logical = true }, true, true },
	{ { true, true, .x2apic_id = 0x25 }, { .dest = 0x2ffdf, .logical = true }, true, false },
	{ { true, true, .x2apic_id = 0x25 }, { .dest = 0x10020, .logical = true }, true, false },
	{ { true, true, .x2apic_id = 0x25 }, { .dest = ~0U }, true, true },
	{ { true, true, .x2apic_id = 0x25 }, { .dest = 0xff }, true, false },
	{ { true, true, .x2apic_id = 0x25 }, { .dest = 0xff, .msi = true }, true, true },
	{ { true, true, .x2apic_id = 0x25 }, { .dest = 0xff, .msi = true }, false, false },
	{ { true, true, .x2apic_id = 0xff }, { .dest = 0xff, .msi = true }, false, true },
};

static void match_follows_manual(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(match_cases); i++) {
		const struct match_case *c = &match_cases[i];

		KUNIT_EXPECT_EQ_MSG(test, vmmu_apic_match(&c->view, &c->msg, c->quirk), c->match,
				    "case %u", i);
	}
}

static struct kunit_case apic_map_cases[] = {
	KUNIT_CASE(map_matches_naive),
	KUNIT_CASE(match_follows_manual),
	{}
};

static struct kunit_suite apic_map_suite = {
	.name = "vmmu_apic_map",
	.test_cases = apic_map_cases,
};

kunit_test_suites(&apic_map_suite);
