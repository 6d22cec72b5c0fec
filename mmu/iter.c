// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table walker. It reads SPTEs and changes none; it knows geometry and
 * nothing of permissions. State is in the caller's struct vmmu_iter; locking is
 * the caller's (see iter.h). Nothing here sleeps.
 */
#include "iter.h"

/* Stand on the entry for the cursor in the table of this level. */
static __always_inline void iter_load(struct vmmu_iter *it)
{
	it->sptep = it->pt[it->level] + vmmu_spte_index(it->cursor, it->level);
	it->gfn = gfn_round(it->cursor, it->level);
	it->old = READ_ONCE(*it->sptep);
}

static __always_inline bool iter_step_down(struct vmmu_iter *it)
{
	if (it->level == it->min_level)
		return false;

	/* The body may have changed it, or lost a race to somebody who did. */
	it->old = READ_ONCE(*it->sptep);
	if (!vmmu_spte_table(it->old, it->level))
		return false;

	it->level--;
	it->pt[it->level] = vmmu_spte_child(it->old);
	iter_load(it);
	return true;
}

struct vmmu_iter *vmmu_iter_start(struct vmmu_iter *it, struct vmmu_sp *root, int min_level,
				  gfn_t start, gfn_t end)
{
	const gfn_t root_end = VMMU_PAGES_PER_LEVEL(root->role.level + 1);

	it->restart = true;
	it->level = root->role.level;
	it->gfn = 0;
	it->root_level = root->role.level;
	it->min_level = min_level;
	it->cursor = start;
	it->end = min(end, root_end);
	it->pt[it->root_level] = root->spt;
	return it;
}

bool vmmu_iter_step(struct vmmu_iter *it)
{
	if (it->restart) {
		it->restart = false;
		it->began = it->cursor;
		it->level = it->root_level;
	} else {
		if (iter_step_down(it))
			return true;
		it->cursor = vmmu_iter_gfn_end(it);
		/* Behind the last entry of a table, go on with the next entry of its parent. */
		while (it->level < it->root_level && !vmmu_spte_index(it->cursor, it->level))
			it->level++;
	}

	if (it->cursor >= it->end)
		return false;
	iter_load(it);
	return true;
}

bool vmmu_iter_find(struct vmmu_iter *it, struct vmmu_sp *root, gfn_t gfn)
{
	u64 *pt = root->spt;
	u8 level;

	vmmu_iter_start(it, root, VMMU_LEVEL_4K, gfn, gfn + 1);
	if (gfn >= it->end)
		return false;

	/* What vmmu_iter_next() would do, step by step. */
	it->restart = false;
	it->began = gfn;
	for (level = it->root_level; ; level--) {
		it->pt[level] = pt;
		it->sptep = pt + vmmu_spte_index(gfn, level);
		it->old = READ_ONCE(*it->sptep);
		if (level == VMMU_LEVEL_4K || !vmmu_spte_table(it->old, level))
			break;
		pt = vmmu_spte_child(it->old);
	}
	it->level = level;
	it->gfn = gfn_round(gfn, level);
	return true;
}
