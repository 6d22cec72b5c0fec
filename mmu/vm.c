// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mmu's part in the life of the module, a VM and a vCPU, and what it does when
 * memslots change.
 *
 * Memslot changes come under vm->mem.lock, one at a time, after the new snapshot
 * was published and every reader of the old one has finished: a fault that began
 * with the old snapshot has installed what it will install.
 */
#include "audit.h"
#include "page.h"
#include "reclaim.h"
#include "root.h"
#include "shadow/shadow.h"
#include "spte.h"
#include "vmmu/cpu.h"
#include "vmmu/request.h"
#include "vmmu/vcpu.h"
#include "vmmu/vm.h"
#include "wrprot.h"
#include "zap.h"

int vmmu_mmu_module_init(void)
{
	int r = vmmu_page_module_init();

	if (r)
		return r;
	vmmu_nx_huge_init();
	vmmu_mmio_guard_init();
	r = vmmu_rmap_module_init();
	if (r)
		goto pages;
	r = vmmu_reclaim_module_init();
	if (r)
		goto rmap;
	return 0;

rmap:
	vmmu_rmap_module_exit();
pages:
	vmmu_page_module_exit();
	return r;
}

void vmmu_mmu_module_exit(void)
{
	vmmu_reclaim_module_exit();
	vmmu_page_module_exit();
	vmmu_rmap_module_exit();
}

int vmmu_mmu_vm_init(struct vmmu_vm *vm)
{
	struct vmmu_mmu_vm *mmu = &vm->mmu;
	int r;

	rwlock_init(&mmu->lock);
	if (vmmu_cpu_caps.tdp) {
		mmu->format = vmmu_cpu_caps.tdp_format;
		mmu->root_level = vmmu_cpu_caps.tdp_root_level;
		r = vmmu_root_create(vm);
	} else {
		mmu->format = &vmmu_format_shadow;
		mmu->root_level = VMMU_LEVEL_PML5;
		r = vmmu_shadow_vm_init(vm);
	}
	if (!r)
		vmmu_reclaim_add(vm);
	return r;
}

void vmmu_mmu_vm_destroy(struct vmmu_vm *vm)
{
	struct vmmu_mmu_vm *mmu = &vm->mmu;

	if (!mmu->tdp_root && !mmu->shadow)
		return;

	vmmu_reclaim_del(vm);
	vmmu_mmu_zap_all(vm);
	vmmu_audit_vm(vm);
	if (mmu->shadow)
		vmmu_shadow_vm_destroy(vm);
	else
		vmmu_root_destroy(vm);
	WARN_ONCE(atomic_long_read(&mmu->nr_pages), "vmmu: %ld page-table pages leaked\n",
		  atomic_long_read(&mmu->nr_pages));
}

int vmmu_mmu_vcpu_init(struct vmmu_vcpu *vcpu)
{
	vcpu->mmu.root = NULL;
	vcpu->mmu.nr_cached = 0;
	return vcpu->vm->mmu.shadow ? vmmu_shadow_vcpu_init(vcpu) : 0;
}

void vmmu_mmu_vcpu_destroy(struct vmmu_vcpu *vcpu)
{
	vmmu_mmu_unload(vcpu);
	vmmu_shadow_vcpu_destroy(vcpu);
	vmmu_page_drain(vcpu);
}

static void slot_zap(struct vmmu_vm *vm, struct vmmu_memslot *slot)
{
	vmmu_zap_range(vm, slot->base_gfn, slot->base_gfn + slot->npages);
	vmmu_audit_vm(vm);
}

static void slot_flags_changed(struct vmmu_vm *vm, const struct vmmu_memslot *old,
			       struct vmmu_memslot *new)
{
	/* A log that begins all dirty is protected piece by piece, as user space clears it. */
	if (!old->dirty_bitmap && new->dirty_bitmap &&
	    !(vm->mem.manual_protect & KVM_DIRTY_LOG_INITIALLY_SET))
		vmmu_wrprot_slot(vm, new);

	/* What the log kept in small pages may be mapped large again. */
	if (old->dirty_bitmap && !new->dirty_bitmap)
		vmmu_zap_collapsible(vm, new);
	vmmu_audit_vm(vm);
}

static void slots_generation(struct vmmu_vm *vm, u64 generation)
{
	u64 old = vm->mmu.mmio_generation;

	vm->mmu.mmio_generation = generation;
	if (vmmu_mmio_epoch(generation) != vmmu_mmio_epoch(old))
		vmmu_zap_mmio(vm);
}

static bool slot_write_protect(struct vmmu_vm *vm, struct vmmu_memslot *slot, gfn_t gfn,
			       unsigned long mask)
{
	return vmmu_wrprot_mask(vm, gfn, mask);
}

static void slot_flush(struct vmmu_vm *vm, struct vmmu_memslot *slot)
{
	vmmu_flush_remote_tlbs(vm);
}

/* A VM that shadows nothing has no reverse map. */
static int slot_alloc(struct vmmu_vm *vm, struct vmmu_memslot *slot)
{
	return vm->mmu.shadow ? vmmu_rmap_alloc(slot) : 0;
}

static void slot_free(struct vmmu_memslot *slot)
{
	vmmu_rmap_free(slot);
}

const struct vmmu_memslot_ops vmmu_mmu_memslot_ops = {
	.zap = slot_zap,
	.flags_changed = slot_flags_changed,
	.generation = slots_generation,
	.write_protect = slot_write_protect,
	.flush = slot_flush,
	.alloc = slot_alloc,
	.free = slot_free,
};
