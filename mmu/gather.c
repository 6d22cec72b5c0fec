// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paying what a series of SPTE changes owes: first the flush, then the pages.
 *
 * The order is the contract: a table leaves by vmmu_page_free_rcu() only after
 * vmmu_flush_remote_tlbs() returned, because until then a processor may walk it
 * from a cached upper-level entry. RCU covers our own lockless walkers, the flush
 * covers the hardware's.
 */
#include <linux/sched.h>
#include <linux/string.h>
#include "audit.h"
#include "gather.h"
#include "vmmu/request.h"
#include "vmmu/vm.h"

void vmmu_gather_begin(struct vmmu_gather *g, struct vmmu_vm *vm)
{
	*g = (struct vmmu_gather) {
		.vm = vm,
		.fmt = vm->mmu.format,
		.pages = LIST_HEAD_INIT(g->pages),
	};
}

void vmmu_gather_pay(struct vmmu_gather *g)
{
	struct vmmu_sp *sp, *next;

	if (g->flush) {
		vmmu_flush_remote_tlbs(g->vm);
		g->flush = false;
	}
	vmmu_audit_paid(g);

	list_for_each_entry_safe(sp, next, &g->pages, link) {
		list_del(&sp->link);
		vmmu_page_free_rcu(sp);
	}
}

static void gather_count(struct vmmu_gather *g)
{
	struct vmmu_mmu_vm *mmu = &g->vm->mmu;

	if (g->nr_pages)
		atomic_long_add(g->nr_pages, &mmu->nr_pages);
	for (int level = VMMU_LEVEL_4K; level <= VMMU_LEVEL_1G; level++) {
		if (g->leaves[level])
			atomic_long_add(g->leaves[level], &mmu->leaves[level]);
	}
}

void vmmu_gather_end(struct vmmu_gather *g)
{
	vmmu_gather_pay(g);
	gather_count(g);
}

bool vmmu_gather_owed(struct vmmu_gather *g)
{
	WARN_ON_ONCE(!list_empty(&g->pages));
	gather_count(g);
	return g->flush;
}

bool vmmu_gather_hand_over(struct vmmu_gather *g)
{
	vmmu_audit_handed_over(g);
	return vmmu_gather_owed(g);
}

bool vmmu_gather_rest(struct vmmu_gather *g)
{
	rwlock_t *lock = &g->vm->mmu.lock;

	lockdep_assert_held_write(lock);

	if (!(need_resched() || rwlock_needbreak(lock)))
		return false;

	vmmu_gather_pay(g);
	/* Who has the lock next finds as many as are counted. */
	gather_count(g);
	g->nr_pages = 0;
	memset(g->leaves, 0, sizeof(g->leaves));
	cond_resched_rwlock_write(lock);
	return true;
}

bool vmmu_gather_yield(struct vmmu_gather *g, struct vmmu_iter *it)
{
	if (!vmmu_iter_progress(it) || !vmmu_gather_rest(g))
		return false;
	vmmu_iter_restart(it);
	return true;
}
