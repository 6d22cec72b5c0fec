/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One vCPU of the paging storm: what the guest's files share.
 *
 *	paging_storm_guest.c	address spaces in long mode, and the step from one to the next
 *	paging_storm_modes.c	trips into other modes, and the tables there
 *	paging_storm_trip.S	the 32-bit part of a trip
 */
#ifndef VMMU_SELFTEST_PAGING_STORM_GUEST_H
#define VMMU_SELFTEST_PAGING_STORM_GUEST_H

#include "paging_storm.h"

#define SPACES	4
#define SLOTS	64		/* pages of a space, 16 to a page table */
#define GROUPS	4		/* page tables: 2 in each of 2 directories */
#define FRAMES	64		/* data pages of a vCPU; more are the large page's */
#define ALL_FRAMES (FRAMES + 16)

struct slot {
	uint8_t frame;
	bool present, writable, stale, widened;
};

struct space {
	uint64_t root, pt[GROUPS];	/* pt: 0 for none or a large page */
	bool large[GROUPS];
	struct slot slot[SLOTS];
};

struct machine {
	uint64_t random, cpu;
	uint64_t free[POOL_PAGES], nr_free;
	uint64_t frame[ALL_FRAMES], value[ALL_FRAMES];
	struct space space[SPACES];
	struct space *now;
	bool wp;
};

static inline uint64_t pick(struct machine *m, uint64_t n)
{
	return (rng(&m->random) >> 20) % n;
}

static inline void clear_page(uint64_t page)
{
	volatile uint64_t *p = (uint64_t *)page;
	int i;

	for (i = 0; i < 512; i++)
		p[i] = 0;
}

/* What was a table is rubbish at once: who still believes in it, errs. */
static inline void spoil_page(uint64_t page)
{
	volatile uint64_t *p = (uint64_t *)page;
	int i;

	for (i = 0; i < 512; i += 3)
		p[i] = GPT_ARENA | GPT_RW | (uint64_t)i << 12;
}

/* The first word of a vCPU's frame; the second is machine.value[]. */
static inline uint64_t frame_id(uint64_t cpu, uint64_t frame)
{
	return 0xf00d000000000000ul | cpu << 32 | frame;
}

/* paging_storm_guest.c: free pages, of any content; entries of a space's page tables */
uint64_t take_page(struct machine *m);
void give_page(struct machine *m, uint64_t page);
uint64_t slot_entry(struct machine *m, const struct slot *s);
volatile uint64_t *pte_of(struct space *sp, uint64_t s);
/* Another state for a page, at random. */
struct slot slot_change(struct machine *m, struct slot s);
/* Is less allowed now than before? A flush is owed, then. */
bool slot_becomes(struct slot *slot, struct slot new);
/* Use a page of the space in use as its state says. */
void look_at(struct machine *m, uint64_t s);
/* A full flush: nothing is stale any more. */
void fresh(struct slot slot[SLOTS]);

/* paging_storm_modes.c */
void build_trips(struct machine *m);
void go_on_trip(struct machine *m);

#endif
