// SPDX-License-Identifier: GPL-2.0-only
/*
 * The faults that need no lock: write permission that we took from a 4K SPTE for
 * the dirty log and may give back, an MMIO address that is known as such, and a
 * fault that somebody else has settled already.
 *
 * Under rcu_read_lock() alone. What makes that sound (the race table stands in
 * Documentation/locking.md): the SPTE is changed by compare-and-swap from a value
 * that says, by its two software bits, that the permission is ours to give; a zap
 * empties it, an unlinked table's entries are frozen, and both make the swap fail.
 * Only 4K: one page is marked in the log, and a large leaf would make 511 others
 * writable unseen. Only direct tables: there the gfn follows from the position.
 */
#include "fault.h"
#include "spte.h"

/* Hardware sets accessed bits under us: look again, but not for ever. */
#define FAST_FAULT_TRIES	4

/* The SPTE is a leaf that forbids the write. */
static int fast_fix_write(struct vmmu_fault *f, struct vmmu_iter *it)
{
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(f->vm, f->gfn);
	struct vmmu_gather g;

	if (!slot || slot->invalid)
		return VMMU_NEXT_STAGE;

	vmmu_gather_begin(&g, f->vm);
	for (int i = 0; i < FAST_FAULT_TRIES; i++) {
		if (it->level != VMMU_LEVEL_4K || !vmmu_spte_leaf(it->old, it->level) ||
		    !vmmu_spte_may_write(g.fmt, it->old))
			break;
		if (!vmmu_spte_change(&g, it, it->old | g.fmt->write | g.fmt->accessed |
						      g.fmt->dirty))
			continue;
		/*
		 * After the SPTE, never before: a reader of the log that took the bit and
		 * protected the page in between would leave it writable and unlogged.
		 */
		vmmu_mark_page_dirty(slot, f->gfn);
		f->level = VMMU_LEVEL_4K;
		return VMMU_RETRY;
	}
	return VMMU_NEXT_STAGE;
}

int vmmu_fast_fault(struct vmmu_fault *f)
{
	const struct vmmu_spte_format *fmt = f->vm->mmu.format;
	struct vmmu_iter it;

	guard(rcu)();

	/* Beyond what the table can map: no slot lies there. */
	if (!vmmu_iter_find(&it, f->vcpu->mmu.root, f->gfn))
		return VMMU_NEXT_STAGE;

	if (vmmu_spte_mmio(it.old) &&
	    vmmu_mmio_current(it.old, vmmu_memslots(f->vm)->generation))
		return VMMU_EMULATE;

	if (!vmmu_spte_leaf(it.old, it.level)) {
		f->absent = vmmu_window_absent(it.sptep, it.level);
		f->split = f->absent != VMMU_WINDOW_ALL;
		return VMMU_NEXT_STAGE;
	}

	f->level = it.level;
	f->split = it.level == VMMU_LEVEL_4K;
	if (vmmu_spte_allows(fmt, it.old, f->write, f->exec))
		return VMMU_RETRY;
	if (f->write)
		return fast_fix_write(f, &it);
	return VMMU_NEXT_STAGE;
}
