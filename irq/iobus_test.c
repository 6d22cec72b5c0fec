// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the I/O bus's search against a look at every range.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "iobus.h"

#define NR	80

static struct rnd_state rnd;

static u32 below(u32 n)
{
	return prandom_u32_state(&rnd) % n;
}

struct naive {
	u64 addr;
	u32 len;
	bool live;
	struct vmmu_iodev dev;
};

static void check_addr(struct kunit *test, const struct vmmu_iobus *bus,
		       const struct naive *naive, u64 addr)
{
	int want = 0, got = 0, i, at;
	struct vmmu_iodev *dev;

	for (i = 0; i < NR; i++)
		want += naive[i].live && naive[i].addr <= addr &&
			addr < naive[i].addr + max(naive[i].len, 1U);
	at = vmmu_iobus_last(bus, addr);
	while ((dev = vmmu_iobus_next(bus, &at, addr))) {
		const struct naive *n = container_of(dev, struct naive, dev);

		got += n->live && n->addr <= addr && addr < n->addr + max(n->len, 1U) ? 1 : 1000;
	}
	/* An assertion is slow: only when it fails. */
	if (got != want)
		KUNIT_ASSERT_EQ_MSG(test, got, want, "addr %llu", addr);
}

static void remove_some(struct vmmu_iobus *bus, struct naive *naive)
{
	unsigned int i;

	for (i = 0; i < bus->nr; i++) {
		struct naive *n = container_of(bus->range[i].dev, struct naive, dev);

		if (!bus->range[i].dev || below(16))
			continue;
		bus->range[i].dev = NULL;
		n->live = false;
	}
}

static void search_matches_naive(struct kunit *test)
{
	struct naive *naive = kunit_kcalloc(test, NR, sizeof(*naive), GFP_KERNEL);
	struct vmmu_iobus *bus = NULL, *old;
	unsigned int i;
	u64 addr;

	KUNIT_ASSERT_NOT_NULL(test, naive);
	prandom_seed_state(&rnd, 21);
	for (i = 0; i < NR; i++) {
		naive[i].addr = 10 + below(400);
		naive[i].len = below(5) ? below(9) : below(100);
		naive[i].live = true;
		old = bus;
		bus = vmmu_iobus_with(old, naive[i].addr, naive[i].len, &naive[i].dev);
		kvfree(old);
		KUNIT_ASSERT_NOT_NULL(test, bus);
		if (i % 10 == 9)
			remove_some(bus, naive);
		for (addr = i % 4; addr < 520; addr += 4)
			check_addr(test, bus, naive, addr);
	}
	kvfree(bus);
}

static void empty_and_edges(struct kunit *test)
{
	struct vmmu_iodev dev = {};
	struct vmmu_iobus *bus = vmmu_iobus_with(NULL, U64_MAX - 1, 1, &dev);
	int at;

	KUNIT_ASSERT_NOT_NULL(test, bus);
	KUNIT_EXPECT_EQ(test, vmmu_iobus_last(bus, 0), -1);
	at = vmmu_iobus_last(bus, U64_MAX - 1);
	KUNIT_EXPECT_EQ(test, at, 0);
	KUNIT_EXPECT_PTR_EQ(test, vmmu_iobus_next(bus, &at, U64_MAX - 1), &dev);
	KUNIT_EXPECT_NULL(test, vmmu_iobus_next(bus, &at, U64_MAX - 1));
	at = vmmu_iobus_last(bus, U64_MAX);
	KUNIT_EXPECT_NULL(test, vmmu_iobus_next(bus, &at, U64_MAX));
	kvfree(bus);
}

static struct kunit_case iobus_cases[] = {
	KUNIT_CASE(search_matches_naive),
	KUNIT_CASE(empty_and_edges),
	{}
};

static struct kunit_suite iobus_suite = {
	.name = "vmmu_iobus",
	.test_cases = iobus_cases,
};

kunit_test_suites(&iobus_suite);
