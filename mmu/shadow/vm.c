// SPDX-License-Identifier: GPL-2.0-only
/*
 * All shadow pages of a VM: how many there may be, which go first, and how all go
 * at once.
 *
 * The list is in order of use; roots in use are passed over. When a slot goes,
 * everything does: the generation is raised, so that from then on no page of an
 * older one is found, and those are zapped from the end of the list, in portions,
 * while vCPUs run on new ones.
 */
#include <linux/slab.h>
#include "shadow.h"
#include "vmmu/request.h"

/* Without KVM_SET_NR_MMU_PAGES: this part of the guest's pages, but at least so many. */
#define LIMIT_PART	50
#define LIMIT_MIN	64

int vmmu_shadow_vm_init(struct vmmu_vm *vm)
{
	struct vmmu_shadow_vm *sh = kzalloc(sizeof(*sh), GFP_KERNEL_ACCOUNT);

	if (!sh)
		return -ENOMEM;
	sh->empty = vmmu_page_alloc(false);
	if (!sh->empty) {
		kfree(sh);
		return -ENOMEM;
	}
	INIT_LIST_HEAD(&sh->lru);
	INIT_LIST_HEAD(&sh->unsync);
	vm->mmu.shadow = sh;
	return 0;
}

void vmmu_shadow_vm_destroy(struct vmmu_vm *vm)
{
	struct vmmu_shadow_vm *sh = vm->mmu.shadow;

	WARN_ON_ONCE(!list_empty(&sh->lru) || !list_empty(&sh->unsync));
	vmmu_page_free(sh->empty);
	kfree(sh);
	vm->mmu.shadow = NULL;
}

void vmmu_shadow_zap_all(struct vmmu_vm *vm)
{
	struct vmmu_shadow_vm *sh = vm->mmu.shadow;
	struct vmmu_shadow *s, *next;
	struct vmmu_gather g;

	might_sleep();
	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	WRITE_ONCE(sh->generation, sh->generation + 1);
	vmmu_request_all(vm, VMMU_REQ_MMU_RELOAD);
again:
	list_for_each_entry_safe_reverse(s, next, &sh->lru, lru) {
		if (s->generation == sh->generation)
			continue;
		vmmu_shadow_zap(&g, s);
		if (vmmu_gather_rest(&g))
			goto again;
	}
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);
}

static unsigned long limit(const struct vmmu_vm *vm)
{
	return vm->mmu.limit ?: max(READ_ONCE(vm->mem.total_pages) / LIMIT_PART, LIMIT_MIN);
}

static unsigned long zap_oldest(struct vmmu_gather *g, unsigned long nr)
{
	struct vmmu_shadow *s, *next;
	unsigned long done = 0;

	list_for_each_entry_safe_reverse(s, next, &g->vm->mmu.shadow->lru, lru) {
		if (done == nr)
			break;
		/* In use; or kept for a guest that may come back: then others go first. */
		if (s->roots)
			continue;
		vmmu_shadow_zap(g, s);
		done++;
	}
	return done;
}

unsigned long vmmu_shadow_reclaim(struct vmmu_vm *vm, unsigned long nr)
{
	struct vmmu_gather g;
	unsigned long done;

	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	done = zap_oldest(&g, nr);
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);
	return done;
}

void vmmu_shadow_make_room(struct vmmu_vm *vm)
{
	unsigned long max = limit(vm), have = atomic_long_read(&vm->mmu.nr_pages);

	if (likely(have + VMMU_SHADOW_LEVELS <= max))
		return;
	/* More than is needed now, so that not each fault comes this way. */
	vmmu_shadow_reclaim(vm, have + VMMU_SHADOW_LEVELS - max + max / 8);
}

int vmmu_mmu_set_limit(struct vmmu_vm *vm, unsigned long pages)
{
	write_lock(&vm->mmu.lock);
	vm->mmu.limit = pages;
	write_unlock(&vm->mmu.lock);
	if (vm->mmu.shadow)
		vmmu_shadow_make_room(vm);
	return 0;
}

unsigned long vmmu_mmu_limit(struct vmmu_vm *vm)
{
	return vm->mmu.limit;
}
