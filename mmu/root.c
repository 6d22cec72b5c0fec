// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roots.
 *
 * A TDP VM has one: guest-physical space is the same for all its vCPUs in all
 * their modes. It is made with the VM and emptied in place when everything has
 * to go, so that its address never changes and no vCPU can hold a stale one.
 * vcpu->mmu.root is the vCPU's own (vcpu->mutex): NULL says that the back end has
 * yet to be told.
 */
#include "page.h"
#include "root.h"
#include "shadow/shadow.h"
#include "vmmu/cpu.h"
#include "vmmu/vcpu.h"
#include "vmmu/vm.h"

int vmmu_root_create(struct vmmu_vm *vm)
{
	struct vmmu_sp *root = vmmu_page_alloc(false);

	if (!root)
		return -ENOMEM;
	root->role = vmmu_tdp_role(vm->mmu.root_level);
	atomic_long_inc(&vm->mmu.nr_pages);
	vm->mmu.tdp_root = root;
	return 0;
}

void vmmu_root_destroy(struct vmmu_vm *vm)
{
	vmmu_page_free(vm->mmu.tdp_root);
	vm->mmu.tdp_root = NULL;
	atomic_long_dec(&vm->mmu.nr_pages);
}

int vmmu_mmu_load(struct vmmu_vcpu *vcpu)
{
	struct vmmu_mmu_vcpu *mmu = &vcpu->mmu;

	if (likely(mmu->root))
		return 0;
	if (mmu->shadow)
		return vmmu_shadow_load(vcpu);

	mmu->root = vcpu->vm->mmu.tdp_root;
	vmmu_cpu->set_root(vcpu, __sme_set(__pa(mmu->root->spt)), mmu->root->role.level);
	return 0;
}

bool vmmu_mmu_load_atomic(struct vmmu_vcpu *vcpu)
{
	return vcpu->mmu.root || (vcpu->mmu.shadow && vmmu_shadow_load_kept(vcpu));
}

void vmmu_mmu_unload(struct vmmu_vcpu *vcpu)
{
	vcpu->mmu.root = NULL;
}

void vmmu_mmu_guest_flush(struct vmmu_vcpu *vcpu)
{
	if (!vcpu->mmu.shadow) {
		vmmu_request(vcpu, VMMU_REQ_TLB_FLUSH);
		return;
	}
	/* Loading a root flushes. */
	vcpu->mmu.shadow->sync = true;
	vcpu->mmu.root = NULL;
}

void vmmu_mmu_invlpg(struct vmmu_vcpu *vcpu, u64 gva)
{
	if (vcpu->mmu.shadow)
		vmmu_shadow_invlpg(vcpu, gva);
	vmmu_cpu->flush_tlb(vcpu);
}

bool vmmu_mmu_in_step(struct vmmu_vm *vm)
{
	return vm->mmu.shadow && vmmu_shadow_all_in_step(vm);
}

void vmmu_mmu_guest_wrote(struct vmmu_vm *vm, gpa_t gpa, unsigned int bytes)
{
	if (unlikely(vm->mmu.shadow))
		vmmu_shadow_guest_wrote(vm, gpa, bytes);
}

bool vmmu_mmu_unshadow(struct vmmu_vcpu *vcpu, u64 gva)
{
	struct vmmu_walk walk;

	return vcpu->mmu.shadow && !vmmu_gva_debug_walk(vcpu, gva, &walk) &&
	       vmmu_shadow_unshadow(vcpu->vm, gpa_to_gfn(walk.gpa));
}
