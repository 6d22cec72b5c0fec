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
#include "root.h"
#include "vmmu/cpu.h"
#include "vmmu/request.h"
#include "vmmu/vcpu.h"
#include "vmmu/vm.h"
#include "wrprot.h"
#include "zap.h"

int vmmu_mmu_module_init(void)
{
	return vmmu_page_module_init();
}

void vmmu_mmu_module_exit(void)
{
	vmmu_page_module_exit();
}

int vmmu_mmu_vm_init(struct vmmu_vm *vm)
{
	struct vmmu_mmu_vm *mmu = &vm->mmu;

	if (!vmmu_cpu_caps.tdp)
		return -EOPNOTSUPP;

	rwlock_init(&mmu->lock);
	mmu->format = vmmu_cpu_caps.tdp_format;
	mmu->root_level = vmmu_cpu_caps.tdp_root_level;
	return vmmu_root_create(vm);
}

void vmmu_mmu_vm_destroy(struct vmmu_vm *vm)
{
	struct vmmu_mmu_vm *mmu = &vm->mmu;

	if (!mmu->tdp_root)
		return;

	vmmu_mmu_zap_all(vm);
	vmmu_audit_vm(vm);
	vmmu_root_destroy(vm);
	WARN_ONCE(atomic_long_read(&mmu->nr_pages), "vmmu: %ld page-table pages leaked\n",
		  atomic_long_read(&mmu->nr_pages));
}

void vmmu_mmu_vcpu_init(struct vmmu_vcpu *vcpu)
{
	vcpu->mmu.root = NULL;
	vcpu->mmu.nr_cached = 0;
}

void vmmu_mmu_vcpu_destroy(struct vmmu_vcpu *vcpu)
{
	vmmu_mmu_unload(vcpu);
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

/* A VM that shadows nothing has no rmap. */
static void slot_free(struct vmmu_memslot *slot)
{
	WARN_ON_ONCE(slot->rmap);
}

const struct vmmu_memslot_ops vmmu_mmu_memslot_ops = {
	.zap = slot_zap,
	.flags_changed = slot_flags_changed,
	.generation = slots_generation,
	.write_protect = slot_write_protect,
	.flush = slot_flush,
	.free = slot_free,
};
