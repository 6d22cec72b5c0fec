// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM that outlives what is done to its host: life [VCPUS [MIB]]. Guests
 * write numbers, leave, come back and read them, until SIGTERM; SIGUSR1 asks
 * how far they are. Exit status 0: no number was wrong. With MIB the guests
 * also fill so much memory. Without arguments it ends by itself, as a test.
 */
#include <signal.h>

#include "guest.h"

#define WORDS	4096

static uint64_t words[GUEST_MAX_VCPUS][WORDS], rounds[GUEST_MAX_VCPUS], over;

static void worker(uint64_t memory)
{
	uint64_t id = this_cpu()->id, round = 0, a, b, at;
	int i;

	while (!READ(over)) {
		a = ++round + (id << 32);
		b = a;
		for (i = 0; i < WORDS; i++)
			WRITE(words[id][i], rng(&a));
		outb(0x80, round);
		for (i = 0; i < WORDS; i++)
			G_EQ(READ(words[id][i]), rng(&b));
		for (at = 0; at < memory; at += PAGE)
			write64((void *)(GUEST_TEST + at), at ^ round);
		WRITE(rounds[id], round);
	}
}

static void *run(void *arg)
{
	struct vcpu *v = arg;

	for (;;) {
		struct ucall u = vcpu_run_ucall(v);

		if (u.kind == UCALL_DONE)
			return NULL;
		if (u.kind || v->run->exit_reason != KVM_EXIT_IO ||
		    v->run->io.port != 0x80) {
			vcpu_dump(v);
			DIE("vCPU %d came to harm", v->id);
		}
	}
}

/* The least of all vCPUs' rounds. */
static uint64_t progress(struct guest *g)
{
	uint64_t least = -1ul, n;
	int i;

	for (i = 0; i < g->nr_vcpus; i++) {
		n = READ(guest_var(g, rounds[i]));
		least = n < least ? n : least;
	}
	return least;
}

int main(int argc, char **argv)
{
	int vcpus = argc > 1 ? atoi(argv[1]) : 2, i, number = 0;
	uint64_t memory = argc > 2 ? atoi(argv[2]) * MB : 0;
	struct guest *g;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	setlinebuf(stdout);
	if (vcpus < 1 || vcpus > GUEST_MAX_VCPUS)
		DIE("usage: life [VCPUS [MIB]]");
	g = guest_new(GUEST_SPLIT);
	if (memory)
		guest_mem(g, GUEST_TEST, memory, MEM_SMALL);
	for (i = 0; i < vcpus; i++) {
		struct vcpu *v = guest_vcpu(g, worker, memory);

		if (pthread_create(&v->thread, NULL, run, v))
			DIE("pthread_create: %m");
	}
	printf("# running\n");
	while (argc > 1 && !sigwait(&set, &number) && number == SIGUSR1)
		printf("# rounds %llu\n", (unsigned long long)progress(g));
	while (argc == 1 && progress(g) < 20)
		msleep(1);
	WRITE(guest_var(g, over), 1);
	for (i = 0; i < vcpus; i++)
		pthread_join(g->vcpu[i].thread, NULL);
	if (argc == 1)
		printf("TAP version 13\n1..1\nok 1 goes_on_and_ends\n");
	return 0;
}
