// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-table pages: allocation, each vCPU's stock, freeing by RCU.
 *
 * Owns the slab of struct vmmu_sp. A stock belongs to the vCPU's own thread
 * (vcpu->mutex); nothing else here has state. Allocation may sleep, taking from
 * the stock and freeing do not.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include "page.h"
#include "vmmu/vcpu.h"
#include "vmmu/vm.h"

static struct kmem_cache *vmmu_sp_cache;

/* A fault links at most one table per level below the root. */
static_assert(ARRAY_SIZE(((struct vmmu_mmu_vcpu *)0)->cache) >= VMMU_ROOT_LEVEL_MAX - 1);

int vmmu_page_module_init(void)
{
	vmmu_sp_cache = kmem_cache_create("vmmu_sp", sizeof(struct vmmu_sp), 0, SLAB_ACCOUNT,
					  NULL);
	return vmmu_sp_cache ? 0 : -ENOMEM;
}

void vmmu_page_module_exit(void)
{
	/* Pages of the last VM may still wait for their grace period. */
	rcu_barrier();
	kmem_cache_destroy(vmmu_sp_cache);
}

struct vmmu_sp *vmmu_page_alloc(void)
{
	struct vmmu_sp *sp = kmem_cache_zalloc(vmmu_sp_cache, GFP_KERNEL_ACCOUNT);

	if (!sp)
		return NULL;

	sp->spt = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!sp->spt) {
		kmem_cache_free(vmmu_sp_cache, sp);
		return NULL;
	}
	memset64(sp->spt, VMMU_SPTE_EMPTY, VMMU_SPTES_PER_PAGE);
	set_page_private(virt_to_page(sp->spt), (unsigned long)sp);
	return sp;
}

void vmmu_page_free(struct vmmu_sp *sp)
{
	set_page_private(virt_to_page(sp->spt), 0);
	free_page((unsigned long)sp->spt);
	kmem_cache_free(vmmu_sp_cache, sp);
}

static void vmmu_page_rcu(struct rcu_head *rcu)
{
	vmmu_page_free(container_of(rcu, struct vmmu_sp, rcu));
}

void vmmu_page_free_rcu(struct vmmu_sp *sp)
{
	call_rcu(&sp->rcu, vmmu_page_rcu);
}

int vmmu_page_topup(struct vmmu_vcpu *vcpu)
{
	struct vmmu_mmu_vcpu *mmu = &vcpu->mmu;
	int want = vcpu->vm->mmu.root_level - 1;

	while (mmu->nr_cached < want) {
		struct vmmu_sp *sp = vmmu_page_alloc();

		if (!sp)
			return -ENOMEM;
		mmu->cache[mmu->nr_cached++] = sp;
	}
	return 0;
}

struct vmmu_sp *vmmu_page_take(struct vmmu_vcpu *vcpu)
{
	struct vmmu_mmu_vcpu *mmu = &vcpu->mmu;

	if (WARN_ON_ONCE(!mmu->nr_cached))
		return NULL;
	return mmu->cache[--mmu->nr_cached];
}

void vmmu_page_return(struct vmmu_vcpu *vcpu, struct vmmu_sp *sp)
{
	struct vmmu_mmu_vcpu *mmu = &vcpu->mmu;

	mmu->cache[mmu->nr_cached++] = sp;
}

void vmmu_page_drain(struct vmmu_vcpu *vcpu)
{
	struct vmmu_mmu_vcpu *mmu = &vcpu->mmu;

	while (mmu->nr_cached)
		vmmu_page_free(mmu->cache[--mmu->nr_cached]);
}
