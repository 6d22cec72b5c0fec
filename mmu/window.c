// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which neighbours of a fault are worth a guess, and what frames they have.
 *
 * A guess obeys law 4: it never sleeps, never makes the host fault a page in,
 * and gives up rather than retry. One batch of fast GUP serves the window and
 * the fault itself; a second is made only when a hole before the needed page
 * ended the first.
 * No state, no lock.
 */
#include <linux/bitops.h>
#include "window.h"

u16 vmmu_window_absent(const struct vmmu_iter *it)
{
	const u64 *first;
	u16 absent = 0;

	/* Not even a table. */
	if (it->level != VMMU_LEVEL_4K)
		return VMMU_WINDOW_ALL;

	first = PTR_ALIGN_DOWN(it->sptep, VMMU_WINDOW_SIZE * sizeof(u64));
	for (int i = VMMU_WINDOW_SIZE - 1; i >= 0; i--)
		absent = absent << 1 | (READ_ONCE(first[i]) == VMMU_SPTE_EMPTY);
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

/* Look up [first, end) as far as it is there; returns where that ended. */
static unsigned int window_batch(struct vmmu_window *w, struct vmmu_memslot *slot,
				 unsigned int first, unsigned int end)
{
	int got = vmmu_hva_to_pfns_fast(vmmu_slot_hva(slot, w->gfn + first), end - first,
					w->writable, &w->pfns[first]);

	if (got <= 0)
		return first;
	w->valid |= GENMASK(first + got - 1, first);
	return first + got;
}

void vmmu_window_lookup(struct vmmu_window *w, struct vmmu_memslot *slot, gfn_t gfn, u16 absent,
			bool writable)
{
	u16 want = vmmu_window_clip(gfn, slot->base_gfn, slot->npages, absent);
	unsigned int needed, end, reached;

	w->valid = 0;
	if (!want)
		return;

	w->gfn = vmmu_window_gfn(gfn);
	w->writable = writable;
	needed = gfn - w->gfn;
	want |= BIT(needed);
	end = fls(want);

	reached = window_batch(w, slot, __ffs(want), end);
	if (reached < needed)
		window_batch(w, slot, needed, end);
	w->valid &= want;
}
