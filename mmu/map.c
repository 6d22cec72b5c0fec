// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last stage of a fault: put the mapping into the table.
 *
 * Under the read side of mmu.lock, so faults of different vCPUs run in parallel
 * and meet in the compare-and-swap of vmmu_spte_change(): the loser of a race
 * keeps its page for the next fault and lets the guest try again. Under
 * rcu_read_lock() too, because another fault may unlink a table that this one
 * stands in. Does not sleep; pages come from the vCPU's stock.
 *
 * The notifier's sequence is checked first, under the lock: an invalidation takes
 * the lock for write, so from here to the unlock what the host said is true.
 */
#include <linux/string.h>
#include "fault.h"
#include "spte.h"
#include "vmmu/notifier.h"

/* The table that is to stand under @it: empty, or saying what the large leaf there says. */
static void table_fill(const struct vmmu_iter *it, struct vmmu_sp *sp)
{
	sp->gfn = it->gfn;
	sp->role = vmmu_tdp_role(it->level - 1);

	if (!vmmu_spte_leaf(it->old, it->level))
		return;
	for (unsigned int i = 0; i < VMMU_SPTES_PER_PAGE; i++)
		sp->spt[i] = vmmu_spte_make_part(it->old, it->level, i);
}

/*
 * Link a table where there is none, or in the place of a large leaf, which is split: a leaf
 * that was write-protected stays read-only in all of its parts, and one of them can be made
 * writable. When the race is lost the walk's next step looks at what the winner left.
 */
static void map_link(struct vmmu_fault *f, struct vmmu_gather *g, struct vmmu_iter *it)
{
	bool split = vmmu_spte_leaf(it->old, it->level);
	struct vmmu_sp *sp = vmmu_page_take(f->vcpu);

	if (!sp)
		return;
	table_fill(it, sp);
	if (vmmu_spte_change(g, it, vmmu_spte_make_table(g->fmt, sp)))
		return;

	if (split)
		memset64(sp->spt, VMMU_SPTE_EMPTY, VMMU_SPTES_PER_PAGE);
	vmmu_page_return(f->vcpu, sp);
}

/*
 * A table stands where the host now allows a large leaf. Hold the place with the frozen value,
 * and have no translation by the table left anywhere, before the leaf is there: a processor
 * that finds two sizes for one address may stop with a machine check.
 */
static bool map_collapse(struct vmmu_gather *g, struct vmmu_iter *it)
{
	if (!vmmu_spte_change(g, it, VMMU_SPTE_FROZEN))
		return false;
	vmmu_gather_pay(g);
	return true;
}

/* The SPTE at the level that was asked for. */
static void map_leaf(struct vmmu_fault *f, struct vmmu_gather *g, struct vmmu_iter *it)
{
	const struct vmmu_spte_want want = {
		.pfn = f->pfn.pfn & ~(VMMU_PAGES_PER_LEVEL(it->level) - 1),
		.level = it->level,
		.access = VMMU_ACC_ALL,
		.cached = vmmu_pfn_cached(&f->pfn),
		.managed = f->pfn.kind == VMMU_PFN_RAM,
		.host_writable = f->pfn.writable && f->slot_writable,
		.logged = f->slot->dirty_bitmap,
		.write = f->write,
	};
	u64 new = vmmu_spte_make(g->fmt, &want);

	/* Another fault is at work here. */
	if (vmmu_spte_frozen(it->old))
		return;
	if (vmmu_spte_leaf(it->old, it->level)) {
		if (vmmu_spte_allows(g->fmt, it->old, f->write, f->exec))
			return;
		new |= it->old & (g->fmt->accessed | g->fmt->dirty);
	} else if (vmmu_spte_table(it->old, it->level)) {
		if (!map_collapse(g, it))
			return;
	}

	if (!vmmu_spte_change(g, it, new))
		return;
	/* As in the fast fault, after the SPTE. */
	if (want.logged && (new & g->fmt->write))
		vmmu_mark_page_dirty(f->slot, f->gfn);
}

/* The needed entry, and whatever tables it needs above it. */
static void map_demand(struct vmmu_fault *f, struct vmmu_gather *g, struct vmmu_iter *it)
{
	/* Mostly the tables are there. */
	if (vmmu_iter_find(it, f->vcpu->mmu.root, f->gfn) && it->level == f->level) {
		map_leaf(f, g, it);
		return;
	}
	for_each_spte_above(*it, f->vcpu->mmu.root, f->level, f->gfn, f->gfn + 1) {
		if (it->level == f->level) {
			map_leaf(f, g, it);
			return;
		}
		if (vmmu_spte_frozen(it->old))
			return;
		if (vmmu_spte_leaf(it->old, it->level) &&
		    vmmu_spte_allows(g->fmt, it->old, f->write, f->exec))
			return;
		if (!vmmu_spte_table(it->old, it->level))
			map_link(f, g, it);
	}
}

/*
 * The guesses: only where there is nothing, each by one compare-and-swap or not at all. @it stands
 * on the needed entry, and an aligned window lies in one table.
 */
static void map_window(struct vmmu_fault *f, struct vmmu_gather *g, struct vmmu_iter *it)
{
	const struct vmmu_window *w = &f->window;
	struct vmmu_spte_want want = {
		.level = VMMU_LEVEL_4K,
		.access = VMMU_ACC_ALL,
		.cached = true,		/* the look into the host's tables passes all others over */
		.managed = true,
		.logged = f->slot->dirty_bitmap,
		.speculative = true,
	};
	u16 other = w->valid & ~w->writable;

	vmmu_iter_move(it, w->gfn, w->gfn + VMMU_WINDOW_SIZE);
	if (other)
		vmmu_spte_fill(g, it, vmmu_spte_make(g->fmt, &want), w->pfns, other);
	want.host_writable = true;
	if (other != w->valid)
		vmmu_spte_fill(g, it, vmmu_spte_make(g->fmt, &want), w->pfns,
			       w->valid & w->writable);
}

/*
 * What the fault looked up beside its own page must be as true as that. An invalidation in
 * progress that meets only the neighbours costs them, not the fault.
 */
static void map_recheck(struct vmmu_fault *f)
{
	unsigned long hva, bytes;

	if (f->level > VMMU_LEVEL_4K) {
		f->window.valid = 0;
		bytes = VMMU_PAGES_PER_LEVEL(f->level) * PAGE_SIZE;
		if (vmmu_notifier_retry_range(f->vm, f->seq, f->hva & ~(bytes - 1), bytes))
			f->level = VMMU_LEVEL_4K;
	}
	if (f->window.valid) {
		hva = vmmu_window_hva(&f->window, f->slot, &bytes);
		if (vmmu_notifier_retry_range(f->vm, f->seq, hva, bytes))
			f->window.valid = 0;
	}
}

int vmmu_map(struct vmmu_fault *f)
{
	struct vmmu_gather g;
	struct vmmu_iter it;

	read_lock(&f->vm->mmu.lock);
	rcu_read_lock();
	if (vmmu_notifier_retry(f->vm, f->seq, f->hva))
		goto unlock;
	map_recheck(f);

	vmmu_gather_begin(&g, f->vm);
	map_demand(f, &g, &it);
	if (f->window.valid && it.level == VMMU_LEVEL_4K)
		map_window(f, &g, &it);
	vmmu_gather_end(&g);
unlock:
	rcu_read_unlock();
	read_unlock(&f->vm->mmu.lock);
	return VMMU_RETRY;
}

/*
 * No notifier to ask: there is no host memory behind it. Should a slot come to lie here, the
 * generation in the SPTE tells the next fault that this answer is of the past.
 */
int vmmu_map_mmio(struct vmmu_fault *f, u64 generation)
{
	u64 spte = vmmu_spte_make_mmio(f->gfn, VMMU_ACC_ALL, generation);
	struct vmmu_gather g;
	struct vmmu_iter it;

	read_lock(&f->vm->mmu.lock);
	rcu_read_lock();
	vmmu_gather_begin(&g, f->vm);
	for_each_spte(it, f->vcpu->mmu.root, f->gfn, f->gfn + 1) {
		if (vmmu_spte_table(it.old, it.level))
			continue;
		/* A leaf: the slot that we did not find has come. Emulate by what we know. */
		if (vmmu_spte_present(it.old) || vmmu_spte_frozen(it.old))
			break;
		if (it.level == VMMU_LEVEL_4K)
			vmmu_spte_change(&g, &it, spte);
		else
			map_link(f, &g, &it);
	}
	vmmu_gather_end(&g);
	rcu_read_unlock();
	read_unlock(&f->vm->mmu.lock);
	return VMMU_EMULATE;
}
