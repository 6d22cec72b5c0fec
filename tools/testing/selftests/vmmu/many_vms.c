// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many VMs at once, many vCPUs in one, VMs that come and go beside others.
 */
#include <kselftest_harness.h>
#include <signal.h>

#include "guest.h"

static uint64_t number, counter;

static void g_work(uint64_t id)
{
	uint64_t i, s = id + 1, sum = 0, *p;

	for (i = 0; i < 400; i++) {
		p = (uint64_t *)(GUEST_TEST + rng(&s) % 64 * PAGE) + i;
		*p = id ^ i;
		sum += *p ^ i;
		G_EQ(sum, (i + 1) * id);
		if (i % 100 == 0)
			guest_sync(id, i, READ(number));
	}
}

static void *drive(void *arg)
{
	struct guest *g = arg;
	uint64_t id = guest_var(g, number);
	int i;

	for (i = 0; i < 4; i++) {
		struct ucall u = run_sync(&g->vcpu[0]);

		if (u.a != id || u.b != i * 100 || u.c != id)
			DIE("VM %lu answered as %lu", (long)id, (long)u.a);
	}
	run_done(&g->vcpu[0]);
	return NULL;
}

#define VMS 8

TEST(together)
{
	struct guest *g[VMS];
	pthread_t t[VMS];
	int i;

	for (i = 0; i < VMS; i++) {
		g[i] = guest_new(i & 1 ? GUEST_SPLIT : 0);
		guest_mem(g[i], GUEST_TEST, MB, i % 3 ? MEM_SMALL : MEM_MEMFD);
		guest_var(g[i], number) = i + 10;
		guest_vcpu(g[i], g_work, i + 10);
	}
	for (i = 0; i < VMS; i++) {
		ASSERT_EQ(0, pthread_create(&t[i], NULL, drive, g[i]));
	}
	for (i = 0; i < VMS; i++)
		pthread_join(t[i], NULL);
}

/* Two VMs on the same memory of the host see each other's writes. */
static void g_ping(uint64_t me)
{
	uint64_t *shared = (uint64_t *)GUEST_TEST, i;

	for (i = 0; i < 200; i++) {
		while (READ(*shared) % 2 != me)
			cpu_pause();
		WRITE(*shared, READ(*shared) + 1);
	}
}

TEST(shared_memory)
{
	uint64_t *mem = mem_alloc(2 * MB, MEM_SMALL);
	struct guest *g[2];
	int i;

	for (i = 0; i < 2; i++) {
		g[i] = guest_new(0);
		ASSERT_EQ(0, guest_slot(g[i], 1, 0, GUEST_TEST, 2 * MB, mem));
		guest_vcpu(g[i], g_ping, i);
		vcpu_start(&g[i]->vcpu[0]);
	}
	for (i = 0; i < 2; i++)
		vcpu_join(&g[i]->vcpu[0]);
	ASSERT_EQ(400, *mem);
}

/* One after the other, beside one that runs all the time. */
static uint64_t stop;

static void g_steady(void)
{
	uint64_t i, s = 1;

	for (i = 0; !READ(stop); i++) {
		uint64_t *p = (uint64_t *)(GUEST_TEST + rng(&s) % 256 * PAGE);

		G_EQ(*p >> 32, *p & 0xffffffff);
		*p = i << 32 | (i & 0xffffffff);
	}
}

TEST(come_and_go)
{
	struct guest *steady = guest_new(GUEST_SPLIT);
	int i;

	guest_mem(steady, GUEST_TEST, MB, MEM_SMALL);
	guest_vcpu(steady, g_steady, 0);
	vcpu_start(&steady->vcpu[0]);
	for (i = 0; i < 8; i++) {
		struct guest *g = guest_new(i & 1 ? GUEST_SPLIT : 0);
		void *mem = guest_mem(g, GUEST_TEST, MB, MEM_SMALL);

		guest_var(g, number) = i;
		guest_vcpu(g, g_work, i);
		drive(g);
		close(g->vcpu[0].fd);
		munmap(g->vcpu[0].run, g->run_size);
		close(g->vm);
		close(g->dev);
		munmap(g->ram, GUEST_RAM);
		munmap(mem, MB);
	}
	WRITE(guest_var(steady, stop), 1);
	vcpu_join(&steady->vcpu[0]);
}

static void g_one_of_many(void)
{
	uint64_t i;

	for (i = 0; i < 20; i++) {
		__sync_fetch_and_add(&counter, 1);
		__sync_fetch_and_add((uint64_t *)(GUEST_TEST + i * PAGE), 1);
	}
}

TEST(vcpus_64)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	uint8_t *mem = guest_mem(g, GUEST_TEST, MB, MEM_SMALL);
	int i;

	for (i = 0; i < 64; i++)
		guest_vcpu(g, g_one_of_many, 0);
	for (i = 0; i < 64; i++)
		vcpu_start(&g->vcpu[i]);
	for (i = 0; i < 64; i++)
		vcpu_join(&g->vcpu[i]);
	ASSERT_EQ(64 * 20, guest_var(g, counter));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(64, *(uint64_t *)(mem + i * PAGE));
	}
}

/* The process dies amid it all; the next finds everything as it was. */
static void g_forever(void)
{
	for (;;)
		__sync_fetch_and_add(&counter, 1);
}

TEST(killed)
{
	int i, status;

	for (i = 0; i < 4; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			struct guest *g = guest_new(GUEST_SPLIT);

			guest_vcpu(g, g_forever, 0);
			guest_vcpu(g, g_forever, 0);
			guest_vcpu(g, hlt, 0);
			vcpu_start(&g->vcpu[0]);
			vcpu_start(&g->vcpu[1]);
			vcpu_start(&g->vcpu[2]);
			msleep(1000);
			_exit(3);
		}
		msleep(100);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
	}
}

TEST_HARNESS_MAIN
