// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking mappings away.
 *
 * mmu.lock for write throughout; whatever may sleep lets the lock go when others
 * wait for it, having flushed before. Each function flushes before it drops the
 * lock, but for vmmu_mmu_unmap_range(), whose caller holds the lock and flushes.
 */
#include "audit.h"
#include "shadow/shadow.h"
#include "spte.h"
#include "vmmu/vm.h"
#include "zap.h"

static gfn_t root_end(const struct vmmu_vm *vm)
{
	return VMMU_PAGES_PER_LEVEL(vm->mmu.root_level + 1);
}

/*
 * The bottom first, so that a step never frees more than one table of leaves and the walk can
 * yield between steps: leaves, and the tables of 4K leaves.
 */
static void zap_bottom(struct vmmu_gather *g, gfn_t start, gfn_t end)
{
	struct vmmu_iter it;

	for_each_spte(it, g->vm->mmu.tdp_root, start, end) {
		if (vmmu_gather_yield(g, &it))
			continue;
		if (it.old == VMMU_SPTE_EMPTY)
			continue;
		if (vmmu_spte_table(it.old, it.level) &&
		    (it.level > VMMU_LEVEL_2M || it.gfn < start || vmmu_iter_gfn_end(&it) > end))
			continue;
		vmmu_spte_zap(g, &it);
	}
}

/* Then, level by level, the tables that are left with nothing in them. */
static void zap_tables(struct vmmu_gather *g, int level, gfn_t start, gfn_t end)
{
	struct vmmu_iter it;

	for_each_spte_above(it, g->vm->mmu.tdp_root, level, start, end) {
		if (vmmu_gather_yield(g, &it))
			continue;
		if (it.level == level && vmmu_spte_table(it.old, level) && it.gfn >= start &&
		    vmmu_iter_gfn_end(&it) <= end)
			vmmu_spte_zap(g, &it);
	}
}

void vmmu_zap_range(struct vmmu_vm *vm, gfn_t start, gfn_t end)
{
	struct vmmu_gather g;

	might_sleep();
	if (vm->mmu.shadow) {
		/* Any table may stand in the range, whatever it maps. */
		vmmu_shadow_zap_all(vm);
		return;
	}
	end = min(end, root_end(vm));

	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	zap_bottom(&g, start, end);
	for (int level = VMMU_LEVEL_1G; level <= vm->mmu.root_level; level++)
		zap_tables(&g, level, start, end);
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);
}

void vmmu_zap_mmio(struct vmmu_vm *vm)
{
	struct vmmu_gather g;
	struct vmmu_iter it;

	might_sleep();
	/* Shadow tables have none. */
	if (vm->mmu.shadow)
		return;
	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	for_each_spte(it, vm->mmu.tdp_root, 0, root_end(vm)) {
		if (vmmu_gather_yield(&g, &it))
			continue;
		if (vmmu_spte_mmio(it.old))
			vmmu_spte_zap(&g, &it);
	}
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);
}

void vmmu_zap_collapsible(struct vmmu_vm *vm, const struct vmmu_memslot *slot)
{
	gfn_t start = slot->base_gfn, end = slot->base_gfn + slot->npages;
	struct vmmu_gather g;
	struct vmmu_iter it;

	might_sleep();
	if (min(slot->max_level, vmmu_cpu_caps.tdp_max_level) < VMMU_LEVEL_2M)
		return;

	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	if (vm->mmu.shadow) {
		vmmu_shadow_collapse(&g, slot);
		goto unlock;
	}
	for_each_spte_above(it, vm->mmu.tdp_root, VMMU_LEVEL_2M, start, end) {
		if (vmmu_gather_yield(&g, &it))
			continue;
		if (it.level == VMMU_LEVEL_2M && vmmu_spte_table(it.old, it.level) &&
		    it.gfn >= start && vmmu_iter_gfn_end(&it) <= end &&
		    vmmu_host_level(vm, vmmu_slot_hva(slot, it.gfn)) >= VMMU_LEVEL_2M)
			vmmu_spte_zap(&g, &it);
	}
unlock:
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);
}

bool vmmu_mmu_unmap_range(struct vmmu_vm *vm, const struct vmmu_gfn_range *range, bool flush)
{
	struct vmmu_gather g;
	struct vmmu_iter it;

	lockdep_assert_held_write(&vm->mmu.lock);

	vmmu_gather_begin(&g, vm);
	g.flush = flush;
	if (vm->mmu.shadow)
		return vmmu_shadow_unmap_range(&g, range);
	/* Tables stay: the memory will most likely come back, and the next fault is cheaper. */
	for_each_spte(it, vm->mmu.tdp_root, range->start, range->end) {
		if (range->may_block && vmmu_gather_yield(&g, &it))
			continue;
		if (it.level == VMMU_LEVEL_4K)
			vmmu_spte_zap_leaves(&g, &it);
		else if (vmmu_spte_leaf(it.old, it.level))
			vmmu_spte_zap(&g, &it);
	}
	return vmmu_gather_hand_over(&g);
}

void vmmu_mmu_zap_all(struct vmmu_vm *vm)
{
	int idx = srcu_read_lock(&vm->srcu);

	if (vm->mmu.shadow)
		vmmu_shadow_zap_all(vm);
	else if (vm->mmu.tdp_root)
		vmmu_zap_range(vm, 0, root_end(vm));
	srcu_read_unlock(&vm->srcu, idx);
}
