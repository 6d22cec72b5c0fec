// SPDX-License-Identifier: GPL-2.0-only
/*
 * The auditor of a debug build.
 *
 * The ledger (see audit.h) has three entries: a change draws a ticket, a flush
 * writes down what it paid, and whoever drops the lock, frees a page or lets the
 * notifier return is checked. An emulated host flushes its TLB so often that a
 * flush which is missing would never be seen otherwise.
 *
 * The walk compares a whole VM with what it should be: the counters with the
 * tables, each table's role with its place, and each leaf with what the host's
 * own tables say now. It holds mmu.lock for write and looks only when no
 * invalidation is under way: then law 3 says that the two must agree.
 *
 * A finding warns and kills the VM, not the host.
 */
#include <linux/jiffies.h>
#include <linux/sched.h>
#include "audit.h"
#include "shadow/shadow.h"
#include "spte.h"
#include "vmmu/request.h"
#include "vmmu/vm.h"

/* What one walk has counted. */
struct audit_walk {
	struct vmmu_vm *vm;
	const struct vmmu_spte_format *fmt;	/* of the table that it is in */
	bool host;		/* the host's tables can be looked at */
	long nr_pages;
	long leaves[VMMU_LEVEL_1G + 1];
};

void vmmu_audit_owes(struct vmmu_gather *g)
{
	/* After the change; pairs with the read in vmmu_audit_flush_begin(), before the flush. */
	g->ticket = atomic64_inc_return(&g->vm->mmu.audit.owed);
}

static void audit_check_paid(struct vmmu_vm *vm, u64 ticket, const char *why)
{
	if ((u64)atomic64_read(&vm->mmu.audit.paid) < ticket)
		vmmu_vm_kill(vm, why);
}

void vmmu_audit_paid(struct vmmu_gather *g)
{
	audit_check_paid(g->vm, g->ticket, "audit: a flush that SPTE changes owe was not made");
}

void vmmu_audit_handed_over(struct vmmu_gather *g)
{
	struct vmmu_audit_vm *audit = &g->vm->mmu.audit;

	if (!g->flush)
		vmmu_audit_paid(g);
	lockdep_assert_held_write(&g->vm->mmu.lock);
	audit->handed_over = max(audit->handed_over, g->ticket);
}

u64 vmmu_audit_flush_begin(struct vmmu_vm *vm)
{
	u64 ticket = atomic64_read(&vm->mmu.audit.owed);

	/* Whoever drew a ticket up to here changed its SPTE before. */
	smp_mb();
	return ticket;
}

void vmmu_audit_flush_end(struct vmmu_vm *vm, u64 ticket)
{
	s64 paid = atomic64_read(&vm->mmu.audit.paid);

	while ((u64)paid < ticket &&
	       !atomic64_try_cmpxchg(&vm->mmu.audit.paid, &paid, ticket))
		;
}

void vmmu_audit_settled(struct vmmu_vm *vm)
{
	lockdep_assert_held_write(&vm->mmu.lock);
	audit_check_paid(vm, vm->mmu.audit.handed_over,
			 "audit: the notifier returns before its flush");
}

static void audit_finding(struct audit_walk *w, const struct vmmu_iter *it, const char *what)
{
	pr_err("vmmu: audit: %s: gfn 0x%llx level %d spte 0x%llx\n", what, it->gfn, it->level,
	       it->old);
	vmmu_vm_kill(w->vm, "audit: the tables are not what they should be");
}

/* A leaf maps what the host maps there now, and is writable only if the host's entry is. */
static void audit_host(struct audit_walk *w, const struct vmmu_iter *it)
{
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(w->vm, it->gfn);
	bool write = it->old & w->fmt->write;
	struct vmmu_pfn pfn;
	unsigned long hva;

	if (!slot) {
		audit_finding(w, it, "a leaf outside of every slot");
		return;
	}
	if (slot->invalid || !(it->old & w->fmt->managed))
		return;

	hva = vmmu_slot_hva(slot, it->gfn);
	if (vmmu_hva_to_pfn(hva, VMMU_GUP_FAST_ONLY | (write ? VMMU_GUP_WRITE : 0), &pfn))
		audit_finding(w, it, "a leaf to a page that the host has taken back");
	else if (pfn.pfn != vmmu_spte_pfn(it->old))
		audit_finding(w, it, "a leaf to another page than the host's");
	else if (vmmu_host_level(w->vm, hva) < it->level)
		audit_finding(w, it, "a leaf larger than the host's page");
}

static void audit_spte(struct audit_walk *w, const struct vmmu_iter *it)
{
	const struct vmmu_sp *sp;

	if (vmmu_spte_leaf(it->old, it->level)) {
		w->leaves[it->level]++;
		if (w->host)
			audit_host(w, it);
	} else if (vmmu_spte_table(it->old, it->level)) {
		w->nr_pages++;
		sp = vmmu_sp_of(vmmu_spte_child(it->old));
		if (sp->gfn != it->gfn || sp->role.word != vmmu_tdp_role(it->level - 1).word)
			audit_finding(w, it, "a table in a place that is not its own");
	} else if (vmmu_spte_mmio(it->old)) {
		if (vmmu_mmio_gfn(it->old) != (it->gfn | vmmu_mmio_guard) ||
		    it->level != VMMU_LEVEL_4K)
			audit_finding(w, it, "an MMIO entry of another gfn");
	} else if (it->old != VMMU_SPTE_EMPTY) {
		audit_finding(w, it, "neither a mapping nor nothing");
	}
}

static void audit_count(struct audit_walk *w, const char *what, atomic_long_t *counter,
			long counted)
{
	if (atomic_long_read(counter) == counted)
		return;
	pr_err("vmmu: audit: %s: counter %ld, found %ld\n", what, atomic_long_read(counter),
	       counted);
	vmmu_vm_kill(w->vm, "audit: a counter is wrong");
}

/* Walk the tables of a TDP VM. */
static void audit_tdp(struct audit_walk *w)
{
	struct vmmu_mmu_vm *mmu = &w->vm->mmu;
	struct vmmu_iter it;

	w->nr_pages = 1;
	for_each_spte(it, mmu->tdp_root, 0, VMMU_PAGES_PER_LEVEL(mmu->root_level + 1)) {
		audit_spte(w, &it);
		if (vmmu_vm_dead(w->vm))
			return;
	}
}

static bool list_has(unsigned long head, const u64 *sptep)
{
	struct vmmu_rmap_pos pos;
	u64 *p;

	for_each_rmap_spte(p, pos, head) {
		if (p == sptep)
			return true;
	}
	return false;
}

/* The reverse map knows the leaf, and no table that is in step can be written through it. */
static void audit_shadow_leaf(struct audit_walk *w, const struct vmmu_iter *it)
{
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(w->vm, it->gfn);

	w->leaves[it->level]++;
	if (!slot) {
		audit_finding(w, it, "a leaf outside of every slot");
		return;
	}
	if (!list_has(*vmmu_rmap_head(slot, it->gfn, it->level), it->sptep))
		audit_finding(w, it, "the reverse map does not know a leaf");
	if ((it->old & w->fmt->write) && *vmmu_rmap_tables(slot, it->gfn, it->level))
		audit_finding(w, it, "a guest's page table can be written unseen");
	if (w->host)
		audit_host(w, it);
}

static void audit_shadow_page(struct audit_walk *w, const struct vmmu_shadow *s)
{
	struct vmmu_iter it;

	w->nr_pages++;
	w->fmt = vmmu_shadow_format(s->sp.role);
	if (s->is_unsync && (s->sp.role.direct || s->sp.role.level > VMMU_LEVEL_4K))
		vmmu_vm_kill(w->vm, "audit: an unsync page of the wrong kind");
	for (unsigned int i = 0; i < VMMU_SPTES_PER_PAGE && !vmmu_vm_dead(w->vm); i++) {
		vmmu_shadow_iter(&it, s, i);
		if (vmmu_spte_leaf(it.old, it.level))
			audit_shadow_leaf(w, &it);
		else if (!vmmu_spte_present(it.old) && it.old != VMMU_SPTE_EMPTY)
			audit_finding(w, &it, "neither a mapping nor nothing");
		else if (vmmu_spte_table(it.old, it.level) &&
			 !list_has(vmmu_shadow_of(vmmu_spte_child(it.old))->parents, it.sptep))
			audit_finding(w, &it, "a shadow page does not know its parent");
	}
}

static void audit_shadow(struct audit_walk *w)
{
	const struct vmmu_shadow *s;

	list_for_each_entry(s, &w->vm->mmu.shadow->lru, lru)
		audit_shadow_page(w, s);
}

void vmmu_audit_vm(struct vmmu_vm *vm)
{
	struct vmmu_mmu_vm *mmu = &vm->mmu;
	struct audit_walk w = { .vm = vm, .fmt = mmu->format };
	int idx;

	/* Often enough to find it, not so often that a VM with many slot changes crawls. */
	if (time_before(jiffies, mmu->audit.next) && atomic_long_read(&mmu->nr_pages) > 1)
		return;
	mmu->audit.next = jiffies + HZ;

	idx = srcu_read_lock(&vm->srcu);
	write_lock(&mmu->lock);
	w.host = current->mm == vm->mm && !vm->notifier.sequence.in_progress;
	if (mmu->shadow)
		audit_shadow(&w);
	else
		audit_tdp(&w);
	if (vmmu_vm_dead(vm))
		goto unlock;
	audit_count(&w, "page-table pages", &mmu->nr_pages, w.nr_pages);
	audit_count(&w, "4K leaves", &mmu->leaves[VMMU_LEVEL_4K], w.leaves[VMMU_LEVEL_4K]);
	audit_count(&w, "2M leaves", &mmu->leaves[VMMU_LEVEL_2M], w.leaves[VMMU_LEVEL_2M]);
	audit_count(&w, "1G leaves", &mmu->leaves[VMMU_LEVEL_1G], w.leaves[VMMU_LEVEL_1G]);
unlock:
	write_unlock(&mmu->lock);
	srcu_read_unlock(&vm->srcu, idx);
}

