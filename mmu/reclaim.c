// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving page-table memory back when the host is short of it.
 *
 * Whatever our tables say can be found again, so a shrinker may take any of them;
 * the price is a fault for each window of pages that is still in use. It goes
 * round: VM after VM, and in each on from where it stopped, one table of 4K leaves
 * at a time. Tables above those stay: they are one in 512. A VM that shadows gives
 * its oldest pages. They leave by RCU, so the memory is there a moment later.
 *
 * Locking: reclaim.lock guards the list of VMs. The shrinker, which may run inside
 * of anything that allocates (vm->lock, vm->mem.lock, mmap_lock held, in vm->srcu),
 * only tries it. Then it takes mmu.lock for write, under which nobody allocates. May
 * sleep.
 */
#include <linux/mutex.h>
#include <linux/shrinker.h>
#include "reclaim.h"
#include "shadow/shadow.h"
#include "spte.h"
#include "vmmu/vm.h"

static struct {
	struct mutex lock;		/* of the list */
	struct list_head vms;		/* vmmu_mmu_vm.reclaim_link; lock */
	struct shrinker *shrinker;	/* constant */
} reclaim = {
	.lock = __MUTEX_INITIALIZER(reclaim.lock),
	.vms = LIST_HEAD_INIT(reclaim.vms),
};

static unsigned long zap_tables_in(struct vmmu_gather *g, gfn_t start, gfn_t end, unsigned long nr)
{
	struct vmmu_mmu_vm *mmu = &g->vm->mmu;
	unsigned long done = 0;
	struct vmmu_iter it;

	for_each_spte_above(it, mmu->tdp_root, VMMU_LEVEL_2M, start, end) {
		if (done == nr)
			break;
		if (vmmu_gather_yield(g, &it))
			continue;
		if (it.level != VMMU_LEVEL_2M || !vmmu_spte_table(it.old, it.level))
			continue;
		vmmu_spte_zap(g, &it);
		mmu->reclaim_next = vmmu_iter_gfn_end(&it);
		done++;
	}
	return done;
}

/* From where the last call stopped to the end, then from the beginning. */
static unsigned long reclaim_tdp(struct vmmu_vm *vm, unsigned long nr)
{
	gfn_t end = VMMU_PAGES_PER_LEVEL(vm->mmu.root_level + 1), next;
	struct vmmu_gather g;
	unsigned long done;

	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	next = vm->mmu.reclaim_next;
	done = zap_tables_in(&g, next, end, nr);
	if (done < nr)
		done += zap_tables_in(&g, 0, next, nr - done);
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);
	return done;
}

/* Up to @nr tables. Shadow pages have an order of their own: those that were not used go first. */
static unsigned long reclaim_vm(struct vmmu_vm *vm, unsigned long nr)
{
	unsigned long done;
	int idx;

	if (vm->mmu.tdp_root)
		return reclaim_tdp(vm, nr);
	/* For the slots, which count their shadowed tables. */
	idx = srcu_read_lock(&vm->srcu);
	done = vmmu_shadow_reclaim(vm, nr);
	srcu_read_unlock(&vm->srcu, idx);
	return done;
}

/* The root stays. */
static unsigned long reclaimable(struct vmmu_vm *vm)
{
	return max(atomic_long_read(&vm->mmu.nr_pages) - 1, 0L);
}

static unsigned long shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long n = 0;
	struct vmmu_vm *vm;

	if (!mutex_trylock(&reclaim.lock))
		return 0;
	list_for_each_entry(vm, &reclaim.vms, mmu.reclaim_link)
		n += reclaimable(vm);
	mutex_unlock(&reclaim.lock);
	return n;
}

static unsigned long shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct vmmu_vm *vm, *first = NULL;
	unsigned long done = 0;

	if (!mutex_trylock(&reclaim.lock))
		return SHRINK_STOP;
	while (done < sc->nr_to_scan && !list_empty(&reclaim.vms)) {
		vm = list_first_entry(&reclaim.vms, struct vmmu_vm, mmu.reclaim_link);
		if (vm == first)
			break;
		first = first ?: vm;
		if (reclaimable(vm))
			done += reclaim_vm(vm, sc->nr_to_scan - done);
		list_move_tail(&vm->mmu.reclaim_link, &reclaim.vms);
	}
	mutex_unlock(&reclaim.lock);
	return done ?: SHRINK_STOP;
}

/* A table that comes back costs faults, not I/O, but each of them walks. */
#define SEEKS	(DEFAULT_SEEKS * 4)
/* So many at a time under one mmu.lock. */
#define BATCH	32

/* shrinker_alloc() came with 6.7. */
#ifdef VMMU_SHRINKER_ALLOC
static int shrinker_on(void)
{
	struct shrinker *shrinker = shrinker_alloc(0, "vmmu-tables");

	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = shrink_count;
	shrinker->scan_objects = shrink_scan;
	shrinker->seeks = SEEKS;
	shrinker->batch = BATCH;
	shrinker_register(shrinker);
	reclaim.shrinker = shrinker;
	return 0;
}

static void shrinker_off(void)
{
	shrinker_free(reclaim.shrinker);
}
#else
static struct shrinker tables_shrinker = {
	.count_objects = shrink_count,
	.scan_objects = shrink_scan,
	.seeks = SEEKS,
	.batch = BATCH,
};

static int shrinker_on(void)
{
	reclaim.shrinker = &tables_shrinker;
	return register_shrinker(&tables_shrinker, "vmmu-tables");
}

static void shrinker_off(void)
{
	unregister_shrinker(reclaim.shrinker);
}
#endif

int vmmu_reclaim_module_init(void)
{
	return shrinker_on();
}

void vmmu_reclaim_module_exit(void)
{
	shrinker_off();
}

void vmmu_reclaim_add(struct vmmu_vm *vm)
{
	vm->mmu.reclaim_next = 0;
	guard(mutex)(&reclaim.lock);
	list_add_tail(&vm->mmu.reclaim_link, &reclaim.vms);
}

void vmmu_reclaim_del(struct vmmu_vm *vm)
{
	guard(mutex)(&reclaim.lock);
	list_del(&vm->mmu.reclaim_link);
}
