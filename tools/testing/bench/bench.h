/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A row of the benchmark, and what the rows share.
 */
#ifndef VMMU_BENCH_H
#define VMMU_BENCH_H

#include <err.h>
#include "guest.h"

#define SLOT		1
#define SIZE		(64 * MB)
#define PAGES		(SIZE / PAGE)
#define MMIO_GPA	(2 * GB)
#define PORT_USER	0x80
#define PORT_EVENTFD	0x81

/* What a row works on. */
struct bench {
	struct guest *g;
	struct vcpu *v;
	void *mem;
	bool has_slot;
};

struct row {
	const char *name;
	const char *what;
	unsigned long n;	/* operations of one measurement */
	enum backing backing;	/* of the test memory, when it has any */
	/* Once, before there is a vCPU. */
	void (*setup)(struct bench *b);
	/* Before each measurement, not counted. */
	void (*prepare)(struct bench *b);
	/* One of the two: in the guest, or in the host (which may run the guest). */
	void (*guest)(unsigned long n);
	void (*host)(struct bench *b, unsigned long n);
	/* After the last measurement: another figure than ticks, for all @n. */
	uint64_t (*figure)(struct bench *b);
};

/* rows.c; the last one has no name */
extern const struct row rows[];

void fresh_slot(struct bench *b);
void g_touch_forwards(unsigned long n);

/* bench.c: run to the guest's next sync. */
uint64_t run_to_sync(struct vcpu *v);

/* paging.c: what a guest does to its own page tables */
void paging_setup(struct bench *b);
void paging_spaces(struct bench *b);
void g_view_forwards(unsigned long n);
void g_view_backwards(unsigned long n);
void g_pte_invlpg(unsigned long n);
void g_pte_invlpg_touch(unsigned long n);
void g_pte_bulk(unsigned long n);
void g_fork(unsigned long n);
void g_cr3_switch(unsigned long n);
void g_invlpg(unsigned long n);

#endif
