// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has the guest used this memory since somebody asked last?
 *
 * The answer is the hardware's accessed bit. Where hardware keeps none it is "no":
 * "yes" would pin the page for ever. Guesses start not accessed, so a page that was
 * only prefetched is not young. mmu.lock for write; nothing sleeps.
 */
#include "shadow/shadow.h"
#include "spte.h"
#include "vmmu/vm.h"

bool vmmu_mmu_age_range(struct vmmu_vm *vm, const struct vmmu_gfn_range *range, bool clear)
{
	struct vmmu_gather g;
	struct vmmu_iter it;
	bool young = false;

	lockdep_assert_held_write(&vm->mmu.lock);

	if (!vm->mmu.format->accessed)
		return false;

	vmmu_gather_begin(&g, vm);
	if (vm->mmu.shadow) {
		young = vmmu_shadow_age_range(&g, range, clear);
		vmmu_gather_hand_over(&g);
		return young;
	}
	for_each_spte(it, vm->mmu.tdp_root, range->start, range->end) {
		if (!vmmu_spte_leaf(it.old, it.level) || !(it.old & g.fmt->accessed))
			continue;
		young = true;
		if (!clear)
			break;
		vmmu_spte_clear(&g, &it, g.fmt->accessed);
	}
	/* Taking the accessed bit owes no flush; the notifier flushes when the host asks for it. */
	vmmu_gather_hand_over(&g);
	return young;
}
