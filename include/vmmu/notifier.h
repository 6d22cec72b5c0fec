/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notifier/: what to do when the host changes its mind about the memory that a
 * guest maps: invalidate, age, release; and the sequence that faults re-check.
 */
#ifndef VMMU_NOTIFIER_H
#define VMMU_NOTIFIER_H

#include <linux/mmu_notifier.h>
#include <linux/rcuwait.h>
#include "vmmu/types.h"

/* Embedded in struct vmmu_vm. */
struct vmmu_notifier_vm {
	struct mmu_notifier mn;
	/* Bumped at the end of each invalidation; mmu.lock held for write. */
	unsigned long seq;
	/* Invalidations in progress and the hull of their ranges; mmu.lock. */
	unsigned long in_progress;
	unsigned long start;
	unsigned long end;
	/* Invalidations between start and end callbacks, for memslot changes to wait on. */
	spinlock_t active_lock;
	unsigned long active;
	struct rcuwait active_wait;
};

/* vm->mm is set; process context, sleeps. */
int vmmu_notifier_register(struct vmmu_vm *vm);
void vmmu_notifier_unregister(struct vmmu_vm *vm);

/* Take before hva->pfn; orders with vmmu_notifier_retry(). No lock needed. */
unsigned long vmmu_notifier_seq(struct vmmu_vm *vm);
/* Under mmu.lock (read or write): must the fault at @hva begin again? */
bool vmmu_notifier_retry(struct vmmu_vm *vm, unsigned long seq, unsigned long hva);
/* The same without the lock, as an early hint only. */
bool vmmu_notifier_retry_unlocked(struct vmmu_vm *vm, unsigned long seq, unsigned long hva);
/* Wait until no invalidation that saw older slots is between start and end. Sleeps. */
void vmmu_notifier_wait_idle(struct vmmu_vm *vm);

#endif
