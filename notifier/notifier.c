// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's MMU notifier: the host takes pages back, asks for their age, or
 * tears the whole address space down.
 *
 * Contract: when invalidate_range_start() returns, no vCPU can reach a page of
 * the range through our tables or its TLB, and no fault installs one until
 * invalidate_range_end(). A range may meet several slots, aliases of the same
 * memory among them: all are unmapped.
 *
 * Locking: vm->srcu for the slots; vm->mem.publish_lock around the counting
 * only, dropped before mmu.lock is taken; mmu.lock for write around the unmap
 * and its flush, and not at all where no slot meets the range. The host holds
 * mmap_lock, rmap locks or a page-table lock around us: nothing here allocates
 * or takes vm->mem.lock, and nothing sleeps where the host said so.
 */
#include "vmmu/memslot.h"
#include "vmmu/mmu.h"
#include "vmmu/notifier.h"
#include "vmmu/request.h"
#include "vmmu/trace.h"
#include "vmmu/vm.h"

static struct vmmu_vm *notifier_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct vmmu_vm, notifier.mn);
}

/* The gfns of a slot whose host addresses meet [start, last]. */
static void slot_gfn_range(struct vmmu_memslot *slot, unsigned long start, unsigned long last,
			   struct vmmu_gfn_range *range)
{
	unsigned long slot_last = slot->hva + slot->npages * PAGE_SIZE - 1;

	range->slot = slot;
	range->start = slot->base_gfn + ((max(start, slot->hva) - slot->hva) >> PAGE_SHIFT);
	range->end = slot->base_gfn + ((min(last, slot_last) - slot->hva) >> PAGE_SHIFT) + 1;
}

/* Count the invalidation; returns whether a slot meets it. vm->srcu held. */
static bool invalidate_begin(struct vmmu_vm *vm, unsigned long start, unsigned long last)
{
	struct vmmu_memslots *slots;
	bool met;

	spin_lock(&vm->mem.publish_lock);
	slots = vmmu_memslots(vm);
	met = interval_tree_iter_first(&slots->hva_tree, start, last);
	vmmu_sequence_begin(&vm->notifier.sequence, slots->generation, met, start, last);
	spin_unlock(&vm->mem.publish_lock);
	return met;
}

/* Unmap the range in every slot, and flush before anybody can rely on it. vm->srcu held. */
static bool invalidate_unmap(struct vmmu_vm *vm, unsigned long start, unsigned long last,
			     bool may_block)
{
	struct vmmu_gfn_range range = { .may_block = may_block };
	struct interval_tree_node *node;
	struct vmmu_memslots *slots;
	bool flush = false;

	write_lock(&vm->mmu.lock);
	/* A newer snapshot than the one counted with is as good: what it dropped was zapped. */
	slots = vmmu_memslots(vm);
	for (node = interval_tree_iter_first(&slots->hva_tree, start, last); node;
	     node = interval_tree_iter_next(node, start, last)) {
		slot_gfn_range(vmmu_hva_node_slot(node), start, last, &range);
		flush = vmmu_mmu_unmap_range(vm, &range, flush);
	}
	if (flush)
		vmmu_flush_remote_tlbs(vm);
	vmmu_audit_settled(vm);
	write_unlock(&vm->mmu.lock);
	return flush;
}

static int notifier_range_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct vmmu_vm *vm = notifier_vm(mn);
	bool flush = false;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	if (invalidate_begin(vm, range->start, range->end - 1))
		flush = invalidate_unmap(vm, range->start, range->end - 1,
					 mmu_notifier_range_blockable(range));
	srcu_read_unlock(&vm->srcu, idx);
	trace_vmmu_invalidate(range->start, range->end, flush);
	return 0;
}

static void notifier_range_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct vmmu_vm *vm = notifier_vm(mn);
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	spin_lock(&vm->mem.publish_lock);
	vmmu_sequence_end(&vm->notifier.sequence, vmmu_memslots(vm)->generation, range->start,
			  range->end - 1);
	spin_unlock(&vm->mem.publish_lock);
	srcu_read_unlock(&vm->srcu, idx);
}

/* Was anything in [start, last] used since it was asked last? @flush: drop the TLB's copy. */
static int age_range(struct vmmu_vm *vm, unsigned long start, unsigned long last, bool clear,
		     bool flush)
{
	struct vmmu_gfn_range range = {};
	struct interval_tree_node *node;
	struct vmmu_memslots *slots;
	bool young = false;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	slots = vmmu_memslots(vm);
	node = interval_tree_iter_first(&slots->hva_tree, start, last);
	if (!node)
		goto unlock;

	write_lock(&vm->mmu.lock);
	for (; node; node = interval_tree_iter_next(node, start, last)) {
		slot_gfn_range(vmmu_hva_node_slot(node), start, last, &range);
		young |= vmmu_mmu_age_range(vm, &range, clear);
		/* To test, the first that is young will do. */
		if (young && !clear)
			break;
	}
	if (young && flush)
		vmmu_flush_remote_tlbs(vm);
	write_unlock(&vm->mmu.lock);
unlock:
	srcu_read_unlock(&vm->srcu, idx);
	return young;
}

static int notifier_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
				      unsigned long start, unsigned long end)
{
	return age_range(notifier_vm(mn), start, end - 1, true, true);
}

/* Without a flush: the age may be a little old, the page stays. */
static int notifier_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
				unsigned long start, unsigned long end)
{
	return age_range(notifier_vm(mn), start, end - 1, true, false);
}

static int notifier_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			       unsigned long address)
{
	return age_range(notifier_vm(mn), address, address, false, false);
}

/*
 * The address space goes (or we unregister). An invalidation of everything
 * begins and never ends: whatever fault should still come cannot install.
 */
static void notifier_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct vmmu_vm *vm = notifier_vm(mn);
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	spin_lock(&vm->mem.publish_lock);
	vmmu_sequence_begin(&vm->notifier.sequence, vmmu_memslots(vm)->generation, true, 0,
			    ULONG_MAX);
	spin_unlock(&vm->mem.publish_lock);
	srcu_read_unlock(&vm->srcu, idx);
	vmmu_mmu_zap_all(vm);
	trace_vmmu_invalidate(0, ULONG_MAX, true);
}

static const struct mmu_notifier_ops notifier_ops = {
	.release = notifier_release,
	.clear_flush_young = notifier_clear_flush_young,
	.clear_young = notifier_clear_young,
	.test_young = notifier_test_young,
	.invalidate_range_start = notifier_range_start,
	.invalidate_range_end = notifier_range_end,
};

/**
 * vmmu_notifier_register() - be told of what happens to vm->mm from here on
 * @vm: the VM
 *
 * After vm->srcu, the memslots and the mmu have been initialised, before the first slot.
 * No mmap_lock held; sleeps. Return: 0 or -errno.
 */
int vmmu_notifier_register(struct vmmu_vm *vm)
{
	vm->notifier.mn.ops = &notifier_ops;
	return mmu_notifier_register(&vm->notifier.mn, vm->mm);
}

/**
 * vmmu_notifier_unregister() - no callback runs after this returns
 * @vm: the VM
 *
 * Zaps everything, unless the mm's end has done so before. Before the mmu and the memslots
 * are destroyed. Harmless when registration failed. Sleeps.
 */
void vmmu_notifier_unregister(struct vmmu_vm *vm)
{
	/* Set by a registration that succeeded. */
	if (vm->notifier.mn.mm)
		mmu_notifier_unregister(&vm->notifier.mn, vm->notifier.mn.mm);
}

/**
 * vmmu_notifier_seq() - take the sequence, before hva->pfn
 * @vm: the VM
 *
 * The acquire keeps the look into the host's page tables after it; pairs with the release
 * in vmmu_sequence_end(). Any context.
 */
unsigned long vmmu_notifier_seq(struct vmmu_vm *vm)
{
	/* Pairs with the release of seq in vmmu_sequence_end(). */
	return smp_load_acquire(&vm->notifier.sequence.seq);
}

/**
 * vmmu_notifier_retry_unlocked() - is it worth going on with the fault at @hva?
 * @vm: the VM
 * @seq: from vmmu_notifier_seq(), before the look
 * @hva: host virtual address
 *
 * vm->srcu held. "No" is worth nothing until vmmu_notifier_retry() says so too.
 */
bool vmmu_notifier_retry_unlocked(struct vmmu_vm *vm, unsigned long seq, unsigned long hva)
{
	return vmmu_sequence_retry(&vm->notifier.sequence, seq, vmmu_memslots(vm)->generation,
				   hva, hva);
}

/**
 * vmmu_notifier_retry_range() - must whoever looked [@hva, @hva + @bytes) up begin again?
 * @vm: the VM
 * @seq: from vmmu_notifier_seq(), before the look; the slot has been held by vm->srcu since
 * @hva: host virtual address
 * @bytes: length of the range
 *
 * mmu.lock held, either side; vm->srcu held.
 */
bool vmmu_notifier_retry_range(struct vmmu_vm *vm, unsigned long seq, unsigned long hva,
			       unsigned long bytes)
{
	lockdep_assert_held(&vm->mmu.lock);
	return vmmu_sequence_retry(&vm->notifier.sequence, seq, vmmu_memslots(vm)->generation,
				   hva, hva + bytes - 1);
}

/**
 * vmmu_notifier_retry() - must the fault at @hva begin again?
 * @vm: the VM
 * @seq: from vmmu_notifier_seq(), before the look
 * @hva: host virtual address
 *
 * As vmmu_notifier_retry_range(), for one page.
 */
bool vmmu_notifier_retry(struct vmmu_vm *vm, unsigned long seq, unsigned long hva)
{
	return vmmu_notifier_retry_range(vm, seq, hva, 1);
}
