/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct vmmu_gather: what a series of SPTE changes owes.
 *
 * It lives on the stack of whoever holds mmu.lock (or, for the lockless fast
 * fault, rcu_read_lock()) and is handed to every change. It collects the flush
 * that is owed, the pages that may be freed only after that flush, and the
 * counts, so that a series touches shared counters once. vmmu_gather_end() pays
 * everything, before the lock is dropped; vmmu_gather_hand_over() leaves the
 * flush to a caller who was told that it is owed.
 */
#ifndef VMMU_MMU_GATHER_H
#define VMMU_MMU_GATHER_H

#include <linux/list.h>
#include "iter.h"
#include "vmmu/mmu.h"

struct vmmu_rmap_stock;

struct vmmu_gather {
	struct vmmu_vm *vm;
	const struct vmmu_spte_format *fmt;	/* TDP; a shadow page's: vmmu_shadow_format() */
	struct vmmu_rmap_stock *stock;	/* shadow paging: what new mappings need; may be NULL */
	struct vmmu_memslot *slot;	/* shadow paging: the last that was looked up */
	bool flush;			/* owed and not yet paid */
	struct list_head pages;		/* vmmu_sp.link: unlinked, free them after the flush */
	long nr_pages;			/* tables linked less tables unlinked */
	long leaves[VMMU_LEVEL_1G + 1];	/* by level: leaves made less leaves gone */
#ifdef VMMU_AUDIT
	u64 ticket;			/* of the newest flush that is owed; audit.c */
#endif
};

void vmmu_gather_begin(struct vmmu_gather *g, struct vmmu_vm *vm);
/* Flush when owed, then free what waited for it. mmu.lock held (read or write). */
void vmmu_gather_pay(struct vmmu_gather *g);
/* Pay, and add the counts up: the last use of @g. */
void vmmu_gather_end(struct vmmu_gather *g);
/*
 * As vmmu_gather_end(), but the caller pays the flush, before it drops mmu.lock, when
 * the answer is true. Only for a series that unlinked no table.
 */
bool vmmu_gather_hand_over(struct vmmu_gather *g);
/* The same where the caller may pay later, when nobody relies on it before. */
bool vmmu_gather_owed(struct vmmu_gather *g);

/**
 * vmmu_gather_yield() - let others have the CPU and the lock when they wait for it
 * @g: the series; paid before the lock is dropped
 * @it: the walk; it restarts at its root when the lock was dropped
 *
 * mmu.lock held for write; may drop it and sleep.
 *
 * Return: whether it did: the body of the walk must go on with the next step at once.
 */
bool vmmu_gather_yield(struct vmmu_gather *g, struct vmmu_iter *it);
/* The same for a walk of something else, which begins again when the answer is true. */
bool vmmu_gather_rest(struct vmmu_gather *g);

#endif
