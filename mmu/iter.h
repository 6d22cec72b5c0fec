/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only way to walk a table of ours.
 *
 * A walk visits, in pre-order, every SPTE at @min_level or above whose range meets
 * [start, end): a table's entry first, then what is in the table. The body may
 * change the SPTE it stands on: the step down reads it again. After the lock was
 * dropped nothing but it.cursor is true; vmmu_iter_restart() makes the next step
 * begin again at the root, for the gfn where the walk stands.
 *
 * Callers hold mmu.lock for write, or rcu_read_lock(): tables are freed by RCU.
 */
#ifndef VMMU_MMU_ITER_H
#define VMMU_MMU_ITER_H

#include "page.h"

struct vmmu_iter {
	/* Where the walk stands; for the loop's body to read. */
	gfn_t gfn;		/* the first that *sptep maps */
	u64 *sptep;
	u64 old;		/* *sptep when it was read last */
	u8 level;

	/* The walk's own. */
	bool restart;		/* the next step begins at the root */
	u8 min_level;
	u8 root_level;
	gfn_t cursor;		/* the gfn that the walk looks for */
	gfn_t began;		/* cursor at the start or last restart: further on is progress */
	gfn_t end;
	u64 *pt[VMMU_ROOT_LEVEL_MAX + 1];	/* by level, from the root to here */
};

/* Before the first SPTE; vmmu_iter_next() gets there. Returns @it. */
struct vmmu_iter *vmmu_iter_start(struct vmmu_iter *it, struct vmmu_sp *root, int min_level,
				  gfn_t start, gfn_t end);
/* vmmu_iter_next() where it is not a step to the neighbour. */
bool vmmu_iter_step(struct vmmu_iter *it);

/* Stand on the lowest SPTE that there is for @gfn: a leaf, or a hole. False: out of reach. */
bool vmmu_iter_find(struct vmmu_iter *it, struct vmmu_sp *root, gfn_t gfn);

static inline void vmmu_iter_restart(struct vmmu_iter *it)
{
	it->restart = true;
}

/* Is there progress since the walk began at its root? A walk that yields without never ends. */
static inline bool vmmu_iter_progress(const struct vmmu_iter *it)
{
	return it->cursor != it->began;
}

/* The gfn behind the last one that *sptep maps. */
static inline gfn_t vmmu_iter_gfn_end(const struct vmmu_iter *it)
{
	return it->gfn + VMMU_PAGES_PER_LEVEL(it->level);
}

/* Go to the next SPTE; false: there is none. */
static __always_inline bool vmmu_iter_next(struct vmmu_iter *it)
{
	gfn_t next = vmmu_iter_gfn_end(it);

	if (it->restart || it->level != it->min_level || next >= it->end ||
	    !vmmu_spte_index(next, it->level))
		return vmmu_iter_step(it);

	it->gfn = next;
	it->cursor = next;
	it->old = READ_ONCE(*++it->sptep);
	return true;
}

/* From one 4K SPTE to another of the same table, there to go on until @end. */
static __always_inline void vmmu_iter_move(struct vmmu_iter *it, gfn_t gfn, gfn_t end)
{
	it->sptep = it->pt[VMMU_LEVEL_4K] + vmmu_spte_index(gfn, VMMU_LEVEL_4K);
	it->gfn = gfn;
	it->cursor = gfn;
	it->end = end;
	it->old = READ_ONCE(*it->sptep);
}

#define for_each_spte_above(it, root, min_level, start, end)				\
	for (struct vmmu_iter *__it = vmmu_iter_start(&(it), root, min_level, start, end);	\
	     vmmu_iter_next(__it);)

#define for_each_spte(it, root, start, end)					\
	for_each_spte_above(it, root, VMMU_LEVEL_4K, start, end)

#endif
