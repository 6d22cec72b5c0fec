// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several vCPUs on one memory: nothing that they write is lost, locked
 * operations are atomic, also while pages appear under them.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define LOOPS	3000

static uint64_t counter, locked, lock_word, turns[4], ready;

static void lock(void)
{
	while (__sync_lock_test_and_set(&lock_word, 1))
		cpu_pause();
}

static void unlock(void)
{
	__sync_lock_release(&lock_word);
}

static void g_count(uint64_t vcpus)
{
	uint64_t i;

	__sync_fetch_and_add(&ready, 1);
	while (READ(ready) < vcpus)
		cpu_pause();
	for (i = 0; i < LOOPS; i++) {
		__sync_fetch_and_add(&counter, 1);
		lock();
		WRITE(locked, READ(locked) + 1);
		unlock();
	}
}

static void count_with(struct __test_metadata *_metadata, int vcpus)
{
	struct guest *g = guest_new(0);
	int i;

	for (i = 0; i < vcpus; i++)
		guest_vcpu(g, g_count, vcpus);
	for (i = 0; i < vcpus; i++)
		vcpu_start(&g->vcpu[i]);
	for (i = 0; i < vcpus; i++)
		vcpu_join(&g->vcpu[i]);
	ASSERT_EQ(vcpus * LOOPS, guest_var(g, counter));
	ASSERT_EQ(vcpus * LOOPS, guest_var(g, locked));
}

TEST(counters_2)
{
	count_with(_metadata, 2);
}

TEST(counters_4)
{
	count_with(_metadata, 4);
}

/* Pass a token round; each sees what the one before has written. */
static void g_ring(uint64_t n)
{
	uint64_t me = this_cpu()->id, i;

	for (i = 0; i < 200; i++) {
		while (READ(counter) % n != me)
			cpu_pause();
		turns[me] = turns[(me + n - 1) % n] + 1;
		WRITE(counter, READ(counter) + 1);
	}
}

TEST(ring)
{
	struct guest *g = guest_new(0);
	int i;

	for (i = 0; i < 3; i++)
		guest_vcpu(g, g_ring, 3);
	for (i = 0; i < 3; i++)
		vcpu_start(&g->vcpu[i]);
	for (i = 0; i < 3; i++)
		vcpu_join(&g->vcpu[i]);
	ASSERT_EQ(600, guest_var(g, counter));
	ASSERT_EQ(600, guest_var(g, turns[2]));
}

/* All vCPUs fault on the same fresh pages at the same time. */
#define FRESH	256

static void g_first_touch(uint64_t vcpus)
{
	uint64_t i;

	__sync_fetch_and_add(&ready, 1);
	while (READ(ready) < vcpus)
		cpu_pause();
	for (i = 0; i < FRESH; i++)
		__sync_fetch_and_add((uint64_t *)(GUEST_TEST + i * PAGE +
						  (i * 8) % PAGE), 1);
}

static void first_touch(struct __test_metadata *_metadata, enum backing b)
{
	struct guest *g = guest_new(0);
	uint8_t *mem = guest_mem(g, GUEST_TEST, 2 * MB, b);
	uint64_t i;

	for (i = 0; i < 4; i++)
		guest_vcpu(g, g_first_touch, 4);
	for (i = 0; i < 4; i++)
		vcpu_start(&g->vcpu[i]);
	for (i = 0; i < 4; i++)
		vcpu_join(&g->vcpu[i]);
	for (i = 0; i < FRESH; i++) {
		ASSERT_EQ(4, *(uint64_t *)(mem + i * PAGE + (i * 8) % PAGE));
	}
}

TEST(first_touch_small)
{
	first_touch(_metadata, MEM_SMALL);
}

TEST(first_touch_huge)
{
	first_touch(_metadata, MEM_THP);
}

TEST(first_touch_shared)
{
	first_touch(_metadata, MEM_MEMFD);
}

/* A vCPU's thread may change between two runs. */
static void g_report(void)
{
	uint64_t i;

	for (i = 0; i < 20; i++)
		guest_sync(i, 0, 0);
}

static void *one_step(void *arg)
{
	return (void *)run_sync((struct vcpu *)arg).a;
}

TEST(threads_in_turn)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_report, 0);
	long i;

	for (i = 0; i < 20; i++) {
		void *got;

		ASSERT_EQ(0, pthread_create(&v->thread, NULL, one_step, v));
		pthread_join(v->thread, &got);
		ASSERT_EQ((void *)i, got);
	}
	run_done(v);
}

/* More vCPUs than CPUs, all on one: preempted at any point, nothing lost. */
static void g_work(uint64_t me)
{
	uint64_t a = me, b = ~me, i;

	for (i = 0; i < 20000; i++) {
		a = a * 6364136223846793005ull + 1442695040888963407ull;
		b ^= a >> 17;
		asm volatile("" : "+r"(a), "+r"(b));
	}
	guest_sync(a, b, 0);
}

TEST(preempted)
{
	struct guest *g = guest_new(0);
	uint64_t a = 5, b = ~5ull, i;
	struct ucall u;

	for (i = 0; i < 20000; i++) {
		a = a * 6364136223846793005ull + 1442695040888963407ull;
		b ^= a >> 17;
	}
	for (i = 0; i < 5; i++) {
		struct vcpu *v = guest_vcpu(g, i == 4 ? (void *)g_work :
					    (void *)g_count, i == 4 ? 5 : 4);

		v->pin = 0;
		if (i < 4) {
			vcpu_start(v);
		}
	}
	pin_to(0);
	u = run_sync(&g->vcpu[4]);
	ASSERT_EQ(a, u.a);
	ASSERT_EQ(b, u.b);
	for (i = 0; i < 4; i++)
		vcpu_join(&g->vcpu[i]);
	ASSERT_EQ(4 * LOOPS, guest_var(g, counter));
	ASSERT_EQ(4 * LOOPS, guest_var(g, locked));
}

TEST_HARNESS_MAIN
