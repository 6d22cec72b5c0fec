/* SPDX-License-Identifier: GPL-2.0-only */
/* Write protection for the dirty log. Both take mmu.lock for write. */
#ifndef VMMU_MMU_WRPROT_H
#define VMMU_MMU_WRPROT_H

#include "vmmu/memslot.h"

/* Every page of @slot faults on the next write. Flushes. May sleep. */
void vmmu_wrprot_slot(struct vmmu_vm *vm, const struct vmmu_memslot *slot);
/*
 * So do the pages @gfn + n, for each bit n of @mask. Does not sleep.
 * Returns whether a flush is owed.
 */
bool vmmu_wrprot_mask(struct vmmu_vm *vm, gfn_t gfn, unsigned long mask);

#endif
