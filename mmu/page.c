// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-table pages: allocation, each vCPU's stock, freeing by RCU.
 *
 * Owns the slab of struct vmmu_sp. A stock belongs to the vCPU's own thread
 * (vcpu->mutex); nothing else here has state. Allocation may sleep, taking from
 * the stock and freeing do not.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "page.h"
#include "shadow/shadow.h"
#include "vmmu/vcpu.h"
#include "vmmu/vm.h"

static struct kmem_cache *vmmu_sp_cache;
static struct kmem_cache *vmmu_shadow_cache;

/* A fault links at most one table per level below the root. */
static_assert(ARRAY_SIZE(((struct vmmu_mmu_vcpu *)0)->cache) >= VMMU_ROOT_LEVEL_MAX - 1);

int vmmu_page_module_init(void)
{
	vmmu_sp_cache = kmem_cache_create("vmmu_sp", sizeof(struct vmmu_sp), 0, SLAB_ACCOUNT,
					  NULL);
	vmmu_shadow_cache = kmem_cache_create("vmmu_shadow", sizeof(struct vmmu_shadow), 0,
					      SLAB_ACCOUNT, NULL);
	if (vmmu_sp_cache && vmmu_shadow_cache)
		return 0;
	vmmu_page_module_exit();
	return -ENOMEM;
}

void vmmu_page_module_exit(void)
{
	/* Pages of the last VM may still wait for their grace period. */
	rcu_barrier();
	kmem_cache_destroy(vmmu_shadow_cache);
	kmem_cache_destroy(vmmu_sp_cache);
}

/* SecPageTables of /proc/meminfo, and sec_pagetables of the memory cgroup. */
static void account(const struct vmmu_sp *sp, int pages)
{
	mod_lruvec_page_state(virt_to_page(sp->spt), NR_SECONDARY_PAGETABLE, pages);
}

static struct kmem_cache *page_cache(bool shadow)
{
	return shadow ? vmmu_shadow_cache : vmmu_sp_cache;
}

struct vmmu_sp *vmmu_page_alloc(bool shadow)
{
	struct vmmu_sp *sp;

	static_assert(offsetof(struct vmmu_shadow, sp) == 0);
	sp = kmem_cache_zalloc(page_cache(shadow), GFP_KERNEL_ACCOUNT);
	if (!sp)
		return NULL;

	sp->shadow = shadow;
	static_assert(VMMU_SPTE_EMPTY == 0);
	sp->spt = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!sp->spt) {
		kmem_cache_free(page_cache(shadow), sp);
		return NULL;
	}
	set_page_private(virt_to_page(sp->spt), (unsigned long)sp);
	account(sp, 1);
	return sp;
}

void vmmu_page_free(struct vmmu_sp *sp)
{
	account(sp, -1);
	set_page_private(virt_to_page(sp->spt), 0);
	free_page((unsigned long)sp->spt);
	if (sp->shadow)
		free_page((unsigned long)to_shadow(sp)->gptes);
	kmem_cache_free(page_cache(sp->shadow), sp);
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
	bool shadow = vcpu->vm->mmu.shadow;
	int want = vcpu->vm->mmu.root_level - 1;

	while (mmu->nr_cached < want) {
		struct vmmu_sp *sp = vmmu_page_alloc(shadow);

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
