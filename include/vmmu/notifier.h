/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notifier/: what to do when the host changes its mind about the memory that a
 * guest maps: invalidate, age, release; and the sequence that faults re-check.
 *
 * A fault takes the sequence, asks the host for the pfn, takes mmu.lock (either
 * side) and re-checks before it installs:
 *
 *	slot = ...;				vm->srcu held from here on
 *	seq = vmmu_notifier_seq(vm);
 *	vmmu_hva_to_pfn(hva, ...);		may sleep
 *	read_lock(&vm->mmu.lock);
 *	if (vmmu_notifier_retry(vm, seq, hva))	begin again
 *	... host level, install ...
 *	read_unlock(&vm->mmu.lock);
 */
#ifndef VMMU_NOTIFIER_H
#define VMMU_NOTIFIER_H

#include <linux/mmu_notifier.h>
#include "vmmu/types.h"

/*
 * The sequence proper. Written under vm->mem.publish_lock, read without it.
 * @start, @last and @generation mean something while @in_progress is not 0.
 */
struct vmmu_sequence {
	unsigned long seq;		/* bumped at the end of each invalidation of slots */
	unsigned long in_progress;	/* invalidations between start and end */
	/* The hull, inclusive, of those in progress that meet a slot; only grows. */
	unsigned long start;
	unsigned long last;
	/* Of the oldest snapshot that one in progress looked into. */
	u64 generation;
};

/* Embedded in struct vmmu_vm. */
struct vmmu_notifier_vm {
	struct mmu_notifier mn;
	struct vmmu_sequence sequence;
};

/* vm->mm is set, vm->srcu and the memslots are initialised; process context, sleeps. */
int vmmu_notifier_register(struct vmmu_vm *vm);
/* Before the mmu's and the memslots' destruction; harmless when not registered. Sleeps. */
void vmmu_notifier_unregister(struct vmmu_vm *vm);

/* Take before hva->pfn; orders with vmmu_notifier_retry(). No lock needed. */
unsigned long vmmu_notifier_seq(struct vmmu_vm *vm);
/* Under mmu.lock (read or write), vm->srcu held: must the fault at @hva begin again? */
bool vmmu_notifier_retry(struct vmmu_vm *vm, unsigned long seq, unsigned long hva);
/* The same for every page of [@hva, @hva + @bytes): a prefetch window. */
bool vmmu_notifier_retry_range(struct vmmu_vm *vm, unsigned long seq, unsigned long hva,
			       unsigned long bytes);
/* The same as vmmu_notifier_retry() without mmu.lock, as an early hint only. vm->srcu held. */
bool vmmu_notifier_retry_unlocked(struct vmmu_vm *vm, unsigned long seq, unsigned long hva);

/* The logic of it, without a VM; notifier/sequence.c. */
void vmmu_sequence_begin(struct vmmu_sequence *s, u64 generation, bool met,
			 unsigned long start, unsigned long last);
void vmmu_sequence_end(struct vmmu_sequence *s, u64 generation, unsigned long start,
		       unsigned long last);
bool vmmu_sequence_retry(const struct vmmu_sequence *s, unsigned long seq, u64 generation,
			 unsigned long start, unsigned long last);

#endif
