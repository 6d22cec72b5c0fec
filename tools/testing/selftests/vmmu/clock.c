// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time in the guest: the TSC and its offset, TSC_ADJUST, kvmclock on one and
 * on two vCPUs, and the VM's clock as user space sees it.
 */
#include <kselftest_harness.h>
#include <time.h>

#include "guest.h"
#include "pvclock.h"

static struct pvclock clocks[2] __attribute__((aligned(64)));

static void clock_on(int cpu)
{
	wrmsr(MSR_KVMCLOCK, (uint64_t)&clocks[cpu] | 1);
	G_EQ(rdmsr(MSR_KVMCLOCK), (uint64_t)&clocks[cpu] | 1);
}

static void g_kvmclock(void)
{
	uint64_t last, now, i;

	clock_on(0);
	last = pvclock_ns(&clocks[0]);
	for (i = 0; i < 2000; i++) {
		now = pvclock_ns(&clocks[0]);
		G_ASSERT(now >= last);
		last = now;
		if (i % 100 == 0)
			guest_sync(now, 0, 0);
	}
}

TEST(kvmclock)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_kvmclock, 0);
	uint64_t first = 0, host = 0, i, guest = 0;

	for (i = 0; i < 20; i++) {
		struct kvm_clock_data c = { 0 };

		guest = run_sync(v).a;
		ASSERT_EQ(0, ioctl(g->vm, KVM_GET_CLOCK, &c));
		/* The same clock, read a little later. */
		ASSERT_LE(guest, c.clock + 10000000);
		if (!i) {
			first = guest;
			host = now_ns();
		}
		if (i < 19)
			msleep(2);
	}
	host = now_ns() - host;
	guest -= first;
	/* 38 ms and more; it neither stands still nor runs away. */
	ASSERT_LT(20000000, guest);
	ASSERT_LT(guest, host + host / 10 + 50000000);
	run_done(v);
}

static uint64_t shared_last, lock_word, ready;

static void g_shared(uint64_t cpu)
{
	uint64_t i, now;

	clock_on(cpu);
	__sync_fetch_and_add(&ready, 1);
	while (READ(ready) < 2)
		cpu_pause();
	for (i = 0; i < 2000; i++) {
		while (__sync_lock_test_and_set(&lock_word, 1))
			cpu_pause();
		now = pvclock_ns(&clocks[cpu]);
		/* Without a stable TSC, kvmclock allows for a little skew. */
		G_ASSERT(now + (clocks[cpu].flags & 1 ? 0 : 100000000) >=
			 READ(shared_last));
		WRITE(shared_last, now);
		__sync_lock_release(&lock_word);
	}
}

TEST(kvmclock_two_vcpus)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	int i;

	for (i = 0; i < 2; i++)
		guest_vcpu(g, g_shared, i);
	for (i = 0; i < 2; i++)
		vcpu_start(&g->vcpu[i]);
	for (i = 0; i < 2; i++)
		vcpu_join(&g->vcpu[i]);
}

static struct { uint32_t version, sec, nsec; } wall;

static void g_wall(void)
{
	clock_on(0);
	wrmsr(MSR_KVMCLOCK_WALL, (uint64_t)&wall);
	guest_sync(READ(wall.sec), pvclock_ns(&clocks[0]), READ(wall.version));
}

TEST(wall_clock)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_wall, 0);
	struct ucall u = run_sync(v);
	uint64_t guest = u.a + u.b / 1000000000, host = time(NULL);

	ASSERT_EQ(0, u.c & 1);
	ASSERT_NE(0, u.c);
	ASSERT_LE(host - 3, guest);
	ASSERT_LE(guest, host + 3);
}

TEST(set_clock)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_kvmclock, 0);
	struct kvm_clock_data c = { .clock = 1000000000000ull }, d = { 0 };
	uint64_t now;

	ASSERT_EQ(0, ioctl(g->vm, KVM_SET_CLOCK, &c));
	ASSERT_EQ(0, ioctl(g->vm, KVM_GET_CLOCK, &d));
	ASSERT_LE(c.clock, d.clock);
	ASSERT_LT(d.clock, c.clock + 10000000000ull);
	now = run_sync(v).a;
	ASSERT_LE(d.clock, now);
	ASSERT_LT(now, c.clock + 10000000000ull);
	c.flags = 1u << 30;
	ASSERT_EQ(-1, ioctl(g->vm, KVM_SET_CLOCK, &c));
	ASSERT_EQ(EINVAL, errno);
}

static void g_tsc(void)
{
	uint64_t last = 0, now, i;

	for (i = 0; i < 1000; i++) {
		now = guest_rdtsc();
		G_ASSERT(now >= last);
		last = now;
	}
	for (i = 0; i < 5; i++) {
		now = guest_rdtsc();
		G_ASSERT(now > last);
		last = now;
		guest_sync(now, 0, 0);
	}
	/* The MSR and the instruction agree. */
	last = guest_rdtsc();
	now = rdmsr(MSR_TSC);
	G_ASSERT(now >= last);
	G_ASSERT(guest_rdtsc() >= now);
}

TEST(tsc)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_tsc, 0);
	uint64_t guest, host;
	int khz = ioctl(v->fd, KVM_GET_TSC_KHZ), i;

	ASSERT_LT(0, khz);
	for (i = 0; i < 5; i++) {
		guest = run_sync(v).a;
		host = vcpu_get_msr(v, MSR_TSC);
		ASSERT_LT(guest, host);
		/* Less than ten seconds of it. */
		ASSERT_LT(host - guest, khz * 10000ull);
	}
	run_done(v);
}

static void g_read_tsc(void)
{
	for (;;)
		guest_sync(guest_rdtsc(), rdmsr(MSR_TSC_ADJUST), 0);
}

TEST(tsc_set_by_host)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_read_tsc, 0);
	const uint64_t far = 1ull << 50;
	struct ucall a, b;

	a = run_sync(v);
	ASSERT_GT(far, a.a);
	ASSERT_EQ(1, vcpu_set_msr(v, MSR_TSC, far));
	b = run_sync(v);
	ASSERT_LE(far, b.a);
	ASSERT_GT(far + (1ull << 40), b.a);
	/* Backwards too. */
	ASSERT_EQ(1, vcpu_set_msr(v, MSR_TSC, 1000));
	b = run_sync(v);
	ASSERT_GT(1ull << 40, b.a);
}

#define STEP (1ull << 45)

static void g_adjust(void)
{
	uint64_t before, adjust = rdmsr(MSR_TSC_ADJUST), now;

	/* Writing the adjustment moves the TSC by the difference. */
	before = guest_rdtsc();
	wrmsr(MSR_TSC_ADJUST, adjust + STEP);
	now = guest_rdtsc();
	G_ASSERT(now - before >= STEP);
	G_ASSERT(now - before < STEP + (1ull << 40));
	G_EQ(rdmsr(MSR_TSC_ADJUST), adjust + STEP);
	wrmsr(MSR_TSC_ADJUST, adjust);
	now = guest_rdtsc();
	G_ASSERT(now - before < 1ull << 40);
	/* Writing the TSC moves the adjustment. */
	wrmsr(MSR_TSC, now + STEP);
	now = rdmsr(MSR_TSC_ADJUST) - adjust;
	G_ASSERT(now <= STEP);
	G_ASSERT(now > STEP - (1ull << 40));
}

TEST(tsc_adjust)
{
	struct guest *g = guest_new(GUEST_SPLIT);

	run_done(guest_vcpu(g, g_adjust, 0));
}

/* The vCPUs of one VM start with one TSC. */
static uint64_t pair[2];

static void g_sync_tsc(uint64_t cpu)
{
	uint64_t i;

	__sync_fetch_and_add(&ready, 1);
	while (READ(ready) < 2)
		cpu_pause();
	for (i = 0; i < 1000; i++) {
		while (READ(lock_word) % 2 != cpu)
			cpu_pause();
		pair[cpu] = guest_rdtsc();
		G_ASSERT(pair[cpu] >= READ(pair[!cpu]));
		WRITE(lock_word, READ(lock_word) + 1);
	}
}

TEST(tsc_synchronised)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	int i;

	for (i = 0; i < 2; i++)
		guest_vcpu(g, g_sync_tsc, i);
	for (i = 0; i < 2; i++)
		vcpu_start(&g->vcpu[i]);
	for (i = 0; i < 2; i++)
		vcpu_join(&g->vcpu[i]);
}

TEST(kvmclock_ctrl)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_kvmclock, 0);

	if (!guest_cap(g, KVM_CAP_KVMCLOCK_CTRL)) {
		SKIP(return, "no KVM_CAP_KVMCLOCK_CTRL");
	}
	/* No clock page yet. */
	ASSERT_EQ(-1, ioctl(v->fd, KVM_KVMCLOCK_CTRL, 0));
	ASSERT_EQ(EINVAL, errno);
	run_sync(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_KVMCLOCK_CTRL, 0));
	run_sync(v);
	/* "The guest was stopped": for the guest to see and to clear. */
	ASSERT_EQ(2, guest_var(g, clocks[0]).flags & 2);
}

TEST_HARNESS_MAIN
