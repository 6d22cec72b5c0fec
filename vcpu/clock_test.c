// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvmclock's scale against plain 128-bit arithmetic.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include "vmmu/vm.h"
#include "clock.h"

static const u32 rates[] = {
	1, 999, 1000, 1000000 - 1, 1000000, 1000001, 1999999, 2000000, 2000001, 2400000,
	3399997, 5000000, 100000000, U32_MAX,
};

/* What @cycles are in nanoseconds, rounded down. */
static u64 exact_ns(u64 cycles, u32 khz)
{
	unsigned __int128 n = (unsigned __int128)cycles * 1000000;
	u64 hi = n >> 64, lo = n, q;

	/* One DIV: the callers keep the quotient within 64 bits. */
	asm("divq %2" : "=a" (q), "+d" (hi) : "r" ((u64)khz), "a" (lo) : "cc");
	return q;
}

static void check_rate(struct kunit *test, struct rnd_state *rnd, u32 khz)
{
	struct vmmu_clock_scale s = vmmu_clock_scale(khz);
	int i;

	KUNIT_EXPECT_GE_MSG(test, s.mul, BIT(31), "rate %u", khz);
	for (i = 0; i < 60; i++) {
		/* Up to about 2^45 ns: nine hours. */
		u64 ns = prandom_u32_state(rnd) * (1ULL << (i % 14));
		u64 cycles = vmmu_khz_to_cycles(ns, khz), want, got, slack;

		want = exact_ns(cycles, khz);
		got = vmmu_clock_scale_ns(cycles, s);
		/*
		 * mul is cut off at 31 bits or more; a right shift first drops
		 * less than 2^-shift cycles.
		 */
		slack = (want >> 30) + 2;
		if (s.shift < 0)
			slack += exact_ns(1ULL << -s.shift, khz);
		KUNIT_EXPECT_LE_MSG(test, got, want, "%llu cycles at %u kHz", cycles, khz);
		KUNIT_EXPECT_LE_MSG(test, want - got, slack, "%llu cycles at %u kHz", cycles, khz);
	}
}

static void clock_scale(struct kunit *test)
{
	struct rnd_state rnd;
	int i;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < ARRAY_SIZE(rates); i++)
		check_rate(test, &rnd, rates[i]);
	for (i = 0; i < 100; i++)
		check_rate(test, &rnd, prandom_u32_state(&rnd) >> (i % 20) | 1);
	KUNIT_EXPECT_EQ(test, vmmu_clock_scale(0).mul, 0);
}

static void clock_scale_values(struct kunit *test)
{
	struct vmmu_clock_scale s = vmmu_clock_scale(1000000);

	/* 1 GHz: a cycle is a nanosecond. */
	KUNIT_EXPECT_EQ(test, s.mul, BIT(31));
	KUNIT_EXPECT_EQ(test, s.shift, 1);
	KUNIT_EXPECT_EQ(test, vmmu_clock_scale_ns(123456789, s), 123456789ULL);
	/* 2 GHz */
	s = vmmu_clock_scale(2000000);
	KUNIT_EXPECT_EQ(test, vmmu_clock_scale_ns(4000000000ULL, s), 2000000000ULL);
	KUNIT_EXPECT_EQ(test, vmmu_khz_to_cycles(NSEC_PER_SEC, 2000000), 2000000000ULL);
	/* A year does not overflow. */
	KUNIT_EXPECT_EQ(test, vmmu_khz_to_cycles(365 * 86400ULL * NSEC_PER_SEC, 4000000),
			365 * 86400ULL * 4000000000ULL);
}

static struct kunit_case clock_cases[] = {
	KUNIT_CASE(clock_scale),
	KUNIT_CASE(clock_scale_values),
	{}
};

static struct kunit_suite clock_suite = {
	.name = "vmmu_vcpu_clock",
	.test_cases = clock_cases,
};

kunit_test_suites(&clock_suite);
