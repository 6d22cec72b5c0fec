// SPDX-License-Identifier: GPL-2.0-only
/*
 * The retry logic: what a fault must be told for each order of its steps and
 * those of invalidations and publications. What the barriers are for is not
 * tested here, only what is decided.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include "vmmu/notifier.h"

#define GEN	5ULL

static bool retry(const struct vmmu_sequence *s, unsigned long seq, unsigned long page)
{
	return vmmu_sequence_retry(s, seq, GEN, page, page);
}

static void sequence_quiet(struct kunit *test)
{
	struct vmmu_sequence s = {};

	KUNIT_EXPECT_FALSE(test, retry(&s, s.seq, 0));
	KUNIT_EXPECT_FALSE(test, retry(&s, s.seq, ULONG_MAX));
}

static void sequence_hull(struct kunit *test)
{
	struct vmmu_sequence s = {};
	unsigned long seq = s.seq;

	vmmu_sequence_begin(&s, GEN, true, 100, 199);
	KUNIT_EXPECT_FALSE(test, retry(&s, seq, 99));
	KUNIT_EXPECT_TRUE(test, retry(&s, seq, 100));
	KUNIT_EXPECT_TRUE(test, retry(&s, seq, 199));
	KUNIT_EXPECT_FALSE(test, retry(&s, seq, 200));
	/* A window that only touches it. */
	KUNIT_EXPECT_TRUE(test, vmmu_sequence_retry(&s, seq, GEN, 90, 100));
	KUNIT_EXPECT_TRUE(test, vmmu_sequence_retry(&s, seq, GEN, 199, 210));
	KUNIT_EXPECT_TRUE(test, vmmu_sequence_retry(&s, seq, GEN, 0, ULONG_MAX));
	KUNIT_EXPECT_FALSE(test, vmmu_sequence_retry(&s, seq, GEN, 90, 99));

	/* A second one widens it; it stays so until both have ended. */
	vmmu_sequence_begin(&s, GEN, true, 300, 399);
	KUNIT_EXPECT_TRUE(test, retry(&s, seq, 250));
	vmmu_sequence_end(&s, GEN, 100, 199);
	KUNIT_EXPECT_TRUE(test, retry(&s, s.seq, 350));
	KUNIT_EXPECT_TRUE(test, retry(&s, s.seq, 150));
	vmmu_sequence_end(&s, GEN, 300, 399);
	KUNIT_EXPECT_FALSE(test, retry(&s, s.seq, 350));
	/* Whoever looked before the end looked too early, wherever. */
	KUNIT_EXPECT_TRUE(test, retry(&s, seq, 350));

	/* The next one has its own hull. */
	seq = s.seq;
	vmmu_sequence_begin(&s, GEN, true, 1000, 1000);
	KUNIT_EXPECT_FALSE(test, retry(&s, seq, 350));
	KUNIT_EXPECT_TRUE(test, retry(&s, seq, 1000));
}

/* No slot there: no fault is disturbed, neither meanwhile nor afterwards. */
static void sequence_unmet(struct kunit *test)
{
	struct vmmu_sequence s = {};
	unsigned long seq = s.seq;

	vmmu_sequence_begin(&s, GEN, false, 100, 199);
	KUNIT_EXPECT_FALSE(test, retry(&s, seq, 150));
	KUNIT_EXPECT_FALSE(test, retry(&s, seq, 0));
	KUNIT_EXPECT_FALSE(test, retry(&s, seq, ULONG_MAX));
	/* One that meets a slot, beside it. */
	vmmu_sequence_begin(&s, GEN, true, 500, 599);
	KUNIT_EXPECT_FALSE(test, retry(&s, seq, 150));
	KUNIT_EXPECT_TRUE(test, retry(&s, seq, 500));
	vmmu_sequence_end(&s, GEN, 100, 199);
	KUNIT_EXPECT_EQ(test, s.seq, seq);
	vmmu_sequence_end(&s, GEN, 500, 599);
	KUNIT_EXPECT_NE(test, s.seq, seq);
}

/* A slot was published over a range whose invalidation had found none. */
static void sequence_published(struct kunit *test)
{
	struct vmmu_sequence s = {};
	unsigned long seq = s.seq;

	vmmu_sequence_begin(&s, GEN, false, 100, 199);
	KUNIT_EXPECT_TRUE(test, vmmu_sequence_retry(&s, seq, GEN + 1, 150, 150));
	/* The older snapshot counts as long as one that used it is in progress. */
	vmmu_sequence_begin(&s, GEN + 1, true, 500, 599);
	KUNIT_EXPECT_TRUE(test, vmmu_sequence_retry(&s, seq, GEN + 1, 150, 150));
	vmmu_sequence_end(&s, GEN + 1, 500, 599);
	seq = s.seq;
	/* And its end is one for faults that looked meanwhile. */
	vmmu_sequence_end(&s, GEN + 1, 100, 199);
	KUNIT_EXPECT_TRUE(test, vmmu_sequence_retry(&s, seq, GEN + 1, 150, 150));
	KUNIT_EXPECT_FALSE(test, vmmu_sequence_retry(&s, s.seq, GEN + 1, 150, 150));
}

/* After the address space went, nothing is ever good again. */
static void sequence_released(struct kunit *test)
{
	struct vmmu_sequence s = {};

	vmmu_sequence_begin(&s, GEN, true, 0, ULONG_MAX);
	vmmu_sequence_begin(&s, GEN, true, 7, 7);
	vmmu_sequence_end(&s, GEN, 7, 7);
	KUNIT_EXPECT_TRUE(test, retry(&s, s.seq, 0));
	KUNIT_EXPECT_TRUE(test, retry(&s, s.seq, ULONG_MAX));
}

#define MODEL_PAGES	64
#define MODEL_RANGES	6
#define MODEL_STEPS	20000

struct model {
	struct { bool active; unsigned long start, last; } ranges[MODEL_RANGES];
	/* When the page was last under invalidation, by step; of a fault, when it looked. */
	int touched[MODEL_PAGES];
};

static void model_touch(struct model *m, int step)
{
	unsigned long page;
	int i;

	for (i = 0; i < MODEL_RANGES; i++) {
		if (!m->ranges[i].active)
			continue;
		for (page = m->ranges[i].start; page <= m->ranges[i].last; page++)
			m->touched[page] = step;
	}
}

/* The one rule: no installing of a page that was under invalidation since its look. */
static void sequence_random(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct vmmu_sequence s = {};
	u64 seed = get_random_u64();
	int step, looked = 0, installed = 0;
	unsigned long seq = 0;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, m);
	kunit_info(test, "seed 0x%llx", seed);
	prandom_seed_state(&rnd, seed);
	for (step = 1; step < MODEL_STEPS; step++) {
		int i = prandom_u32_state(&rnd) % MODEL_RANGES;
		unsigned long page = prandom_u32_state(&rnd) % MODEL_PAGES;

		switch (prandom_u32_state(&rnd) % 4) {
		case 0:
			if (m->ranges[i].active)
				break;
			m->ranges[i].start = page;
			m->ranges[i].last = min(page + prandom_u32_state(&rnd) % 8,
						MODEL_PAGES - 1UL);
			m->ranges[i].active = true;
			vmmu_sequence_begin(&s, GEN, true, page, m->ranges[i].last);
			break;
		case 1:
			if (!m->ranges[i].active)
				break;
			model_touch(m, step);
			m->ranges[i].active = false;
			vmmu_sequence_end(&s, GEN, m->ranges[i].start, m->ranges[i].last);
			break;
		case 2:
			seq = s.seq;
			looked = step;
			break;
		case 3:
			model_touch(m, step);
			if (retry(&s, seq, page))
				break;
			installed++;
			KUNIT_ASSERT_LT(test, m->touched[page], max(looked, 1));
			break;
		}
	}
	KUNIT_EXPECT_GT(test, installed, 0);
}

static struct kunit_case sequence_cases[] = {
	KUNIT_CASE(sequence_quiet),
	KUNIT_CASE(sequence_hull),
	KUNIT_CASE(sequence_unmet),
	KUNIT_CASE(sequence_published),
	KUNIT_CASE(sequence_released),
	KUNIT_CASE(sequence_random),
	{}
};

static struct kunit_suite sequence_suite = {
	.name = "vmmu_notifier_sequence",
	.test_cases = sequence_cases,
};

kunit_test_suites(&sequence_suite);
