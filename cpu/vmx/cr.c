// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control registers and EFER.
 *
 * Contract: the getters return what the guest reads. The hardware's differs in
 * CR0.NE and CR4.VMXE, which VMX operation demands, in CR0.CD and NW, which an entry
 * does not load, and in CR4.MCE, which must stay on in hardware so that a machine
 * check is an exception and not a shutdown. Those bits, and CR4 bits that the guest's
 * CPUID hides, are ours (guest/host masks); a write that changes one exits. All
 * others, and CR3, are the guest's own. With ept=0 (vmx_host.ept) so much of CR0 and
 * CR4 as decides how tables are read is ours too, and so are CR3 and EFER: hardware has
 * what vmx_shadow_crs() makes of them.
 *
 * Locking: vcpu->mutex. Setting CR0, CR3 and CR4 may sleep in PAE mode, where the
 * four page-directory pointers are read from guest memory.
 */
#include "vmmu/memslot.h"
#include "vmmu/paging.h"
#include "vmcs.h"

u64 vmx_get_cr0(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_need(vcpu, VMX_CR);
	return (vmx->cr0 & ~vmx_host.cr0_mask) | (vmx->cr0_shadow & vmx_host.cr0_mask);
}

u64 vmx_get_cr3(struct vmmu_vcpu *vcpu)
{
	if (likely(vmx_host.ept))
		vmx_need(vcpu, VMX_CR);
	return to_vmx(vcpu)->cr3;
}

u64 vmx_get_cr4(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_need(vcpu, VMX_CR);
	return (vmx->cr4 & ~vmx->cr4_mask) | (vmx->cr4_shadow & vmx->cr4_mask);
}

u64 vmx_get_efer(struct vmmu_vcpu *vcpu)
{
	if (likely(vmx_host.ept))
		vmx_need(vcpu, VMX_CR);
	return to_vmx(vcpu)->efer;
}

/**
 * vmx_shadow_crs() - what the processor needs to run on shadow tables. Pure
 * @crs: what the guest has
 *
 * It obeys read-only entries in supervisor mode, and reads 8-byte entries with NX: what the
 * guest's own WP, NXE and paging mode allow is in the tables. Of the global bit our entries
 * make another use, and there are no PCIDs. An unpaged guest runs on EPT with what it has.
 */
struct vmx_crs vmx_shadow_crs(struct vmx_crs crs)
{
	if (!(crs.cr0 & X86_CR0_PG))
		return crs;
	crs.cr0 |= X86_CR0_WP;
	crs.cr4 &= ~(u64)(X86_CR4_PGE | X86_CR4_PCIDE);
	crs.cr4 |= X86_CR4_PAE;
	crs.efer |= EFER_NX;
	if (!(crs.efer & EFER_LMA)) {
		crs.cr4 &= ~(u64)X86_CR4_LA57;
		/* An entry into a guest that pages wants LME as it has LMA. */
		crs.efer &= ~(u64)EFER_LME;
	}
	return crs;
}

static bool pae_paging(const struct vmx_vcpu *vmx)
{
	return (vmx->cr0 & X86_CR0_PG) && (vmx->cr4 & X86_CR4_PAE) && !(vmx->efer & EFER_LMA);
}

/* With EPT an entry takes the PDPTEs from the VMCS: SDM 27.3.2.4. */
static void load_pdptes(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	int idx, i;

	/* Without, it reads them from our own root. */
	if (!vmx_host.ept || !pae_paging(vmx))
		return;
	idx = srcu_read_lock(&vcpu->vm->srcu);
	if (vmmu_read_guest(vcpu->vm, vmx->cr3 & 0xffffffe0, vmx->pdpte, sizeof(vmx->pdpte)))
		memset(vmx->pdpte, 0, sizeof(vmx->pdpte));
	srcu_read_unlock(&vcpu->vm->srcu, idx);

	/* An entry with reserved bits in one is refused: to the guest it is not present. */
	for (i = 0; i < 4; i++)
		if (!(vmx->pdpte[i] & BIT(0)) || (vmx->pdpte[i] & 0x1e6) ||
		    vmx->pdpte[i] >> boot_cpu_data.x86_phys_bits)
			vmx->pdpte[i] = 0;
	vmx_replace(vmx, VMX_PDPTES);
}

void vmx_set_cr0(struct vmmu_vcpu *vcpu, u64 val)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_change(vcpu, VMX_CR);
	vmx->cr0_shadow = val;
	vmx->cr0 = (val & ~(u64)(X86_CR0_CD | X86_CR0_NW)) | X86_CR0_NE;
	/* Paging in long mode makes it active. */
	if ((val & X86_CR0_PG) && (vmx->efer & EFER_LME))
		vmx->efer |= EFER_LMA;
	else
		vmx->efer &= ~(u64)EFER_LMA;
	load_pdptes(vcpu);
	vmx_flush_tlb(vcpu);
}

void vmx_set_cr3(struct vmmu_vcpu *vcpu, u64 val)
{
	if (unlikely(!vmx_host.ept)) {
		to_vmx(vcpu)->cr3 = val;
		return;
	}
	vmx_change(vcpu, VMX_CR);
	to_vmx(vcpu)->cr3 = val;
	load_pdptes(vcpu);
	vmx_flush_tlb(vcpu);
}

void vmx_set_cr4(struct vmmu_vcpu *vcpu, u64 val)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_change(vcpu, VMX_CR);
	vmx->cr4_shadow = val;
	vmx->cr4_mask = ~vmx_host.cr4_fixed1 | vcpu->cpuid.cr4_reserved | X86_CR4_VMXE |
			X86_CR4_MCE | (vmx_host.ept ? 0 : VMX_CR4_SHADOW_MASK);
	vmx->cr4 = val | X86_CR4_VMXE | (native_read_cr4() & X86_CR4_MCE);
	load_pdptes(vcpu);
	vmx_flush_tlb(vcpu);
}

void vmx_set_efer(struct vmmu_vcpu *vcpu, u64 val)
{
	vmx_change(vcpu, VMX_CR);
	to_vmx(vcpu)->efer = val;
	vmx_flush_tlb(vcpu);
}

/* ---- accesses that exited: SDM table 28-3 ---- */

static int finish(struct vmmu_vcpu *vcpu, int fault)
{
	if (fault) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	return vmmu_skip_insn(vcpu);
}

static int mov_to(struct vmmu_vcpu *vcpu, u8 cr, u64 val)
{
	if (!vmmu_is_64bit(vcpu))
		val = (u32)val;
	switch (cr) {
	case 0:
		return finish(vcpu, vmmu_set_cr0(vcpu, val));
	case 3:
		return finish(vcpu, vmmu_set_cr3(vcpu, val));
	case 4:
		return finish(vcpu, vmmu_set_cr4(vcpu, val));
	default:
		return finish(vcpu, vmmu_set_cr8(vcpu, val));
	}
}

static int mov_from(struct vmmu_vcpu *vcpu, u8 cr, u8 gpr)
{
	u64 val = cr == 3 ? vmx_get_cr3(vcpu) : vmmu_get_cr8(vcpu);

	vcpu->regs[gpr] = vmmu_is_64bit(vcpu) ? val : (u32)val;
	return vmmu_skip_insn(vcpu);
}

int vmx_exit_cr(struct vmmu_vcpu *vcpu)
{
	u64 q = to_vmx(vcpu)->qualification, cr0 = vmx_get_cr0(vcpu);
	u8 cr = q & 0xf, gpr = (q >> 8) & 0xf;

	switch ((q >> 4) & 3) {
	case 0:
		return mov_to(vcpu, cr, vcpu->regs[gpr]);
	case 1:
		return mov_from(vcpu, cr, gpr);
	case 2:		/* CLTS */
		return finish(vcpu, vmmu_set_cr0(vcpu, cr0 & ~X86_CR0_TS));
	default:	/* LMSW loads PE (set only), MP, EM and TS */
		cr0 = (cr0 & ~0xeULL) | ((q >> LMSW_SOURCE_DATA_SHIFT) & 0xf);
		return finish(vcpu, vmmu_set_cr0(vcpu, cr0));
	}
}
