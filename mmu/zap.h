/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking mappings away: what the notifier, the memslots and the end of a VM ask for.
 * All of these take mmu.lock for write, may sleep, and have flushed when they return.
 */
#ifndef VMMU_MMU_ZAP_H
#define VMMU_MMU_ZAP_H

#include "vmmu/memslot.h"
#include "vmmu/types.h"

/* Everything in [start, end), and every table that lies in it as a whole. */
void vmmu_zap_range(struct vmmu_vm *vm, gfn_t start, gfn_t end);
/* Every MMIO SPTE, of whatever generation. */
void vmmu_zap_mmio(struct vmmu_vm *vm);
/*
 * Every 4K table of @slot over memory that the host maps in larger pages by now: the next
 * faults map it large.
 */
void vmmu_zap_collapsible(struct vmmu_vm *vm, const struct vmmu_memslot *slot);

#endif
