// SPDX-License-Identifier: GPL-2.0-only
/*
 * Getting a vCPU out of the guest: signals, the vCPU's own signal mask,
 * immediate_exit, both while it runs and while it sleeps in HLT.
 */
#include <kselftest_harness.h>
#include <signal.h>

#include "guest.h"

static volatile int handled;

static void on_signal(int sig)
{
	handled++;
}

static void catch_signal(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
}

static uint64_t counter;

static void g_spin(void)
{
	guest_sync(0, 0, 0);
	for (;;)
		WRITE(counter, READ(counter) + 1);
}

static void g_sleep(void)
{
	guest_sync(0, 0, 0);
	hlt();
}

static pthread_t target;

static void *kick_later(void *arg)
{
	int i;

	for (i = 0; i < (long)arg; i++) {
		msleep(20);
		pthread_kill(target, SIGUSR1);
	}
	return NULL;
}

static void *exit_later(void *arg)
{
	struct vcpu *v = arg;

	msleep(20);
	v->run->immediate_exit = 1;
	pthread_kill(target, SIGUSR1);
	return NULL;
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	target = pthread_self();
	if (pthread_create(&t, NULL, fn, arg))
		DIE("pthread_create");
	return t;
}

TEST(kicked_out)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_spin, 0);
	uint64_t before = 0;
	pthread_t t;
	int i;

	catch_signal();
	run_sync(v);
	t = start(kick_later, (void *)5);
	for (i = 1; i <= 5; i++) {
		ASSERT_EQ(-EINTR, vcpu_enter(v));
		ASSERT_EQ(KVM_EXIT_INTR, v->run->exit_reason);
		ASSERT_LE(i, handled);
		ASSERT_LT(before, guest_var(g, counter));
		before = guest_var(g, counter);
	}
	pthread_join(t, NULL);
}

TEST(kicked_out_of_hlt)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_sleep, 0);
	pthread_t t;

	catch_signal();
	run_sync(v);
	t = start(kick_later, (void *)1);
	ASSERT_EQ(-EINTR, vcpu_enter(v));
	pthread_join(t, NULL);
}

TEST(immediate_exit)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_spin, 0);
	pthread_t t;
	int i;

	run_sync(v);
	v->run->immediate_exit = 1;
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(-EINTR, vcpu_enter(v));
		ASSERT_EQ(0, guest_var(g, counter));
	}
	/* Set while the vCPU runs it needs a signal, and holds until reset. */
	v->run->immediate_exit = 0;
	catch_signal();
	t = start(exit_later, v);
	ASSERT_EQ(-EINTR, vcpu_enter(v));
	pthread_join(t, NULL);
	ASSERT_NE(0, guest_var(g, counter));
	ASSERT_EQ(-EINTR, vcpu_enter(v));
	ASSERT_EQ(1, handled);
}

/* A port read is completed by a run that leaves at once. */
static void g_in(void)
{
	uint64_t rax = 0;

	asm volatile("inl $0x80, %%eax" : "+a"(rax));
	guest_sync(rax, 0, 0);
}

TEST(completion)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_in, 0);
	uint32_t value = 0x87654321;
	uint64_t rip;

	run_exit(v, KVM_EXIT_IO);
	rip = vcpu_regs(v).rip;
	memcpy((uint8_t *)v->run + v->run->io.data_offset, &value, 4);
	v->run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, vcpu_enter(v));
	ASSERT_EQ(value, vcpu_regs(v).rax);
	ASSERT_LT(rip, vcpu_regs(v).rip);
	v->run->immediate_exit = 0;
	ASSERT_EQ(value, run_sync(v).a);
	run_done(v);
}

/* The thread blocks the signal, the vCPU does not: no race to lose. */
TEST(signal_mask)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_spin, 0);
	struct {
		struct kvm_signal_mask head;
		uint64_t set;
	} __attribute__((packed)) mask = { .head.len = 8 };
	sigset_t block, pending;
	pthread_t t;

	catch_signal();
	run_sync(v);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &block, NULL);

	mask.head.len = 7;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_SIGNAL_MASK, &mask));
	ASSERT_EQ(EINVAL, errno);
	mask.head.len = 8;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_SIGNAL_MASK, &mask));

	/* Pending before the run: it ends at once, and is still pending. */
	pthread_kill(pthread_self(), SIGUSR1);
	ASSERT_EQ(-EINTR, vcpu_enter(v));
	sigpending(&pending);
	ASSERT_EQ(1, sigismember(&pending, SIGUSR1));
	ASSERT_EQ(0, handled);
	ASSERT_EQ(-EINTR, vcpu_enter(v));

	pthread_sigmask(SIG_UNBLOCK, &block, NULL);
	ASSERT_EQ(1, handled);
	pthread_sigmask(SIG_BLOCK, &block, NULL);

	/* Arriving during the run. */
	t = start(kick_later, (void *)1);
	ASSERT_EQ(-EINTR, vcpu_enter(v));
	pthread_join(t, NULL);
	ASSERT_EQ(1, handled);

	/* No mask again: the blocked signal does not matter. */
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_SIGNAL_MASK, NULL));
	v->run->immediate_exit = 1;
	ASSERT_EQ(-EINTR, vcpu_enter(v));
}

TEST_HARNESS_MAIN
