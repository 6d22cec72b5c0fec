/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests that do everything wrong: a second VM that must not notice, and a
 * periodic signal that gets a vCPU out of a guest that never leaves.
 */
#ifndef VMMU_SELFTEST_HOSTILE_H
#define VMMU_SELFTEST_HOSTILE_H

#include <signal.h>
#include <time.h>

#include "guest.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* ---- the bystander ---- */

#define BYSTANDER_WORDS	8192

static uint64_t bystander_words[BYSTANDER_WORDS];
static uint64_t bystander_stop, bystander_rounds;

/* Write a round's numbers, leave and come back, read them again. */
static void bystander_guest(uint64_t start)
{
	uint64_t round = 0, a, b;
	int i;

	while (!READ(bystander_stop)) {
		a = start + ++round;
		b = a;
		for (i = 0; i < BYSTANDER_WORDS; i++)
			WRITE(bystander_words[i], rng(&a));
		outb(0x80, round);
		for (i = 0; i < BYSTANDER_WORDS; i++)
			G_EQ(READ(bystander_words[i]), rng(&b));
		WRITE(bystander_rounds, round);
	}
}

static void *bystander_thread(void *arg)
{
	struct vcpu *v = arg;

	for (;;) {
		struct ucall u = vcpu_run_ucall(v);

		if (u.kind == UCALL_DONE)
			return NULL;
		if (u.kind || v->run->exit_reason != KVM_EXIT_IO ||
		    v->run->io.port != 0x80) {
			vcpu_dump(v);
			DIE("the bystander came to harm");
		}
	}
}

static inline struct vcpu *bystander_start(void)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, bystander_guest, 0x1234567);

	if (pthread_create(&v->thread, NULL, bystander_thread, v))
		DIE("pthread_create: %m");
	return v;
}

/* It has done at least one round more after the attack, and all were right. */
static inline void bystander_end(struct vcpu *v)
{
	uint64_t seen = READ(guest_var(v->guest, bystander_rounds));
	uint64_t end = now_ns() + 60000000000;

	while (READ(guest_var(v->guest, bystander_rounds)) == seen) {
		if (now_ns() > end)
			DIE("the bystander stands still");
		usleep(500);
	}
	WRITE(guest_var(v->guest, bystander_stop), 1);
	pthread_join(v->thread, NULL);
}

/* ---- the signal ---- */

static void hostile_signal(int number)
{
}

/* This thread is interrupted every @us from now on. */
static inline timer_t interrupt_me(unsigned int us)
{
	struct sigaction action = {
		.sa_handler = hostile_signal,
		.sa_flags = SA_RESTART,	/* KVM_RUN comes back all the same */
	};
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGUSR2,
	};
	struct itimerspec when = {
		.it_interval.tv_nsec = us * 1000l,
		.it_value.tv_nsec = us * 1000l,
	};
	timer_t timer;

	event.sigev_notify_thread_id = gettid();
	if (sigaction(SIGUSR2, &action, NULL) ||
	    timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &when, NULL))
		DIE("timer: %m");
	return timer;
}

#endif
