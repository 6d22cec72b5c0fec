// SPDX-License-Identifier: GPL-2.0-only
/*
 * Write protection for the dirty log.
 *
 * An SPTE loses its write bit and keeps everything else: the two software bits
 * remember that the permission may be given back. A large leaf is protected too,
 * not dropped: reads go on through it, and the work of splitting it moves from
 * here to the first write. mmu.lock for write; flushed before it is dropped,
 * unless the answer says that the caller owes it (one flush for many words of
 * a log).
 */
#include <linux/bitops.h>
#include "shadow/shadow.h"
#include "spte.h"
#include "vmmu/vm.h"
#include "wrprot.h"

void vmmu_wrprot_slot(struct vmmu_vm *vm, const struct vmmu_memslot *slot)
{
	struct vmmu_gather g;
	struct vmmu_iter it;

	might_sleep();
	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	if (vm->mmu.shadow) {
		vmmu_shadow_wrprot_slot(&g, slot);
		goto unlock;
	}
	for_each_spte(it, vm->mmu.tdp_root, slot->base_gfn, slot->base_gfn + slot->npages) {
		if (vmmu_gather_yield(&g, &it))
			continue;
		vmmu_spte_clear(&g, &it, g.fmt->write);
	}
unlock:
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);
}

bool vmmu_wrprot_mask(struct vmmu_vm *vm, gfn_t gfn, unsigned long mask)
{
	struct vmmu_gather g;
	struct vmmu_iter it;
	bool flush;

	if (!mask)
		return false;

	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	if (vm->mmu.shadow) {
		vmmu_shadow_wrprot_mask(&g, gfn, mask);
		goto unlock;
	}
	for_each_spte(it, vm->mmu.tdp_root, gfn + __ffs(mask), gfn + __fls(mask) + 1) {
		/* A large leaf that meets a page of the mask loses the bit as a whole. */
		if (it.level == VMMU_LEVEL_4K && !(mask & BIT(it.gfn - gfn)))
			continue;
		vmmu_spte_clear(&g, &it, g.fmt->write);
	}
unlock:
	/* Paid after the lock is dropped, once for many words: before the log is handed out. */
	flush = vmmu_gather_owed(&g);
	write_unlock(&vm->mmu.lock);
	return flush;
}
