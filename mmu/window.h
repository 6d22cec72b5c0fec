/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The prefetch window: the 16 aligned PTEs around a fault. The needed one is
 * mapped as demand, the others as guesses, if the host has their pages at hand.
 * Aligned, so that memory that is scanned backwards gains as much.
 */
#ifndef VMMU_MMU_WINDOW_H
#define VMMU_MMU_WINDOW_H

#include "iter.h"
#include "vmmu/memslot.h"

#define VMMU_WINDOW_SIZE	16
#define VMMU_WINDOW_ALL		GENMASK(VMMU_WINDOW_SIZE - 1, 0)

static_assert(VMMU_SPTES_PER_PAGE % VMMU_WINDOW_SIZE == 0);
static_assert(VMMU_WINDOW_SIZE <= 8 * sizeof(u16));

struct vmmu_window {
	gfn_t gfn;		/* of bit 0 */
	u16 valid;		/* bit n: pfns[n] may be mapped at gfn + n */
	u16 writable;		/* bit n: by the host process, and the slot lets the guest */
	unsigned long pfns[VMMU_WINDOW_SIZE];
};

static inline gfn_t vmmu_window_gfn(gfn_t gfn)
{
	return gfn & ~(gfn_t)(VMMU_WINDOW_SIZE - 1);
}

/* Which entries of the window around @sptep, the lowest that there is, have nothing at all. */
u16 vmmu_window_absent(const u64 *sptep, int level);

/* Those of @absent worth a guess when @gfn faults: in the slot, and not @gfn itself. */
u16 vmmu_window_clip(gfn_t gfn, gfn_t slot_base, unsigned long slot_npages, u16 absent);

/**
 * vmmu_window_lookup() - find the frames of the window, the needed one among them
 * @w: filled
 * @slot: of @gfn; its process is current->mm
 * @gfn: that faulted
 * @absent: from vmmu_window_absent(), or 0: no guesses
 * @pfn: filled when the answer is true
 *
 * Never sleeps and faults nothing in. The caller took the notifier sequence before, and
 * re-checks it for the whole window. Return: is the needed page there, to be read at least?
 */
bool vmmu_window_lookup(struct vmmu_window *w, struct vmmu_memslot *slot, gfn_t gfn, u16 absent,
			struct vmmu_pfn *pfn);

/* The host addresses of the valid entries: the hull, for the notifier's check. */
static inline unsigned long vmmu_window_hva(const struct vmmu_window *w,
					    const struct vmmu_memslot *slot, unsigned long *bytes)
{
	unsigned int first = __ffs(w->valid), end = fls(w->valid);

	*bytes = (end - first) * PAGE_SIZE;
	return vmmu_slot_hva(slot, w->gfn + first);
}

#endif
