// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which neighbours of a fault are worth a guess, and what frames they have.
 *
 * A guess obeys law 4: it never sleeps, never makes the host fault a page in,
 * marks nothing accessed, and gives up rather than retry. One look into the
 * host's tables serves the window and the fault itself.
 * No state, no lock.
 */
#include <linux/bitops.h>
#include "window.h"

u16 vmmu_window_absent(const u64 *sptep, int level)
{
	const u64 *first = PTR_ALIGN_DOWN(sptep, VMMU_WINDOW_SIZE * sizeof(u64));
	unsigned int absent = 0;

	/* Not even a table. */
	if (level != VMMU_LEVEL_4K)
		return VMMU_WINDOW_ALL;

	for (int i = VMMU_WINDOW_SIZE - 1; i >= 0; i--)
		absent = 2 * absent + (READ_ONCE(first[i]) == VMMU_SPTE_EMPTY);
	return absent;
}

u16 vmmu_window_clip(gfn_t gfn, gfn_t slot_base, unsigned long slot_npages, u16 absent)
{
	gfn_t window = vmmu_window_gfn(gfn);
	gfn_t slot_end = slot_base + slot_npages;
	u16 want = absent & ~BIT(gfn - window);

	if (slot_base > window)
		want &= VMMU_WINDOW_ALL << (slot_base - window);
	if (slot_end < window + VMMU_WINDOW_SIZE)
		want &= VMMU_WINDOW_ALL >> (window + VMMU_WINDOW_SIZE - slot_end);
	return want;
}

bool vmmu_window_lookup(struct vmmu_window *w, struct vmmu_memslot *slot, gfn_t gfn, u16 absent,
			struct vmmu_pfn *pfn)
{
	u16 want = vmmu_window_clip(gfn, slot->base_gfn, slot->npages, absent);
	unsigned int first, needed;
	u32 present, writable;

	w->gfn = vmmu_window_gfn(gfn);
	needed = gfn - w->gfn;
	first = __ffs(want | BIT(needed));
	present = vmmu_host_pages(vmmu_slot_hva(slot, w->gfn + first),
				  fls(want | BIT(needed)) - first, &w->pfns[first], &writable);
	present <<= first;
	w->writable = slot->flags & KVM_MEM_READONLY ? 0 : writable << first;
	w->valid = present & want;
	if (!(present & BIT(needed)))
		return false;

	pfn->pfn = w->pfns[needed];
	pfn->kind = vmmu_pfn_kind(pfn->pfn);
	pfn->writable = w->writable & BIT(needed);
	return true;
}
