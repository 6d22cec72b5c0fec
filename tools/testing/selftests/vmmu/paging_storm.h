/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The paging storm: what its guest (paging_storm_guest.c) and its host
 * (paging_storm.c) share.
 */
#ifndef VMMU_SELFTEST_PAGING_STORM_H
#define VMMU_SELFTEST_PAGING_STORM_H

#include "gpt.h"

#define STORM_VCPUS	4

/* The arena: large pages, pools, shared frames, spare pages. */
#define BIG(cpu)	(GPT_ARENA + (cpu) * 2 * MB)
#define POOL(cpu)	(GPT_ARENA + 8 * MB + (cpu) * MB)
#define POOL_PAGES	256
#define SHARED_TABLES	(GPT_ARENA + 12 * MB)
#define SHARED_FRAMES	(GPT_ARENA + 13 * MB)
#define SPARE		(GPT_ARENA + 14 * MB)
#define SPARE_PAGES	64
#define STORM_SIZE	(16 * MB)

/* Both sides' words: the guest's copy counts. */
struct storm {
	uint64_t seed, rounds, nr_cpus;
	uint64_t stop, done[STORM_VCPUS];
	uint64_t accesses[STORM_VCPUS], faults[STORM_VCPUS], spurious[STORM_VCPUS];
	uint64_t trips[STORM_VCPUS];	/* into other modes */
};

extern struct storm storm;

void g_storm(uint64_t cpu);

#endif
