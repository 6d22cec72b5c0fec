// SPDX-License-Identifier: GPL-2.0-only
/*
 * VPIDs and TLB flushes: which tags the guest's translations carry on this CPU.
 *
 * Contract: translations made under (CPU, VPID) are only ever seen by the vCPU that
 * holds that VPID in the CPU's current generation. Each CPU deals its VPIDs out in
 * order; when they run out a new generation begins with INVVPID of all of them. Of the
 * processor's 65535 few are dealt, so that running out is nothing rare or untested.
 * What is cached of the EPT itself is tagged by the EPTP: a vCPU that comes from
 * another CPU, or gets another root, drops it here before it runs. On shadow tables
 * there is nothing of that kind: the root that ends such a time drops it again.
 *
 * Without VPIDs every entry and exit drops the linear translations by itself.
 * Locking: struct vmx_cpu by its CPU with interrupts off, the rest by the vCPU's
 * thread. SDM vol. 3, 29.4.
 */
#include "../host.h"
#include "vmcs.h"

#define VPIDS	64	/* with the host's, 0 */

/* A CPU comes to us with an unknown TLB: the first entry starts a generation. */
void vmx_vpid_enable(struct vmx_cpu *vc)
{
	/* Generations only grow, also over suspend: an old one can never match. */
	vc->vpid_generation++;
	vc->next_vpid = VPIDS;
}

static void new_vpid(struct vmx_vcpu *vmx, struct vmx_cpu *vc)
{
	if (vc->next_vpid >= VPIDS) {
		vc->vpid_generation++;
		vc->next_vpid = 1;
		vmx_invvpid_all();
	}
	vmx->vpid = vc->next_vpid++;
	vmx->vpid_generation = vc->vpid_generation;
	vmx_replace(vmx, VMX_CONTROLS);
}

/* In VMX operation, before the VMCS is written. */
void vmx_tlb_enter(struct vmx_vcpu *vmx, struct vmx_cpu *vc)
{
	bool moved = vmx->cpu != smp_processor_id();
	bool stale = moved || vmx->vpid_generation != vc->vpid_generation;

	vmx->cpu = smp_processor_id();
	if (vmx_host.vpid && stale)
		new_vpid(vmx, vc);
	else if (vmx_host.vpid && vmx->flush)
		vmx_invvpid(vmx->vpid);
	if ((stale || vmx->flush) && vmx->ept_on)
		vmx_invept(vmx->eptp);
	if (!vmx_host.vpid)
		vmx->vpid_generation = vc->vpid_generation;
	vmx->flush = false;
}

void vmx_flush_tlb(struct vmmu_vcpu *vcpu)
{
	to_vmx(vcpu)->flush = true;
}

/* ept=0: a guest that pages goes by CR3, one that does not by EPT. PG changes by our hand. */
static void choose_tables(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	bool ept_on = !(vmx->cr0_shadow & X86_CR0_PG);

	if (vmx->ept_on == ept_on)
		return;
	vmx->ept_on = ept_on;
	vmx_update_intercepts(vcpu);
	/* What unrestricted guests may have in them and others may not. */
	vmx_change(vcpu, VMX_SEGMENTS);
}

static void set_shadow_root(struct vmmu_vcpu *vcpu, u64 root_hpa, int level)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmmu_check_shadow_root(root_hpa, level, vmx->efer, vmx->cr4_shadow);
	vmx->root = root_hpa;
	vmx_replace(vmx, VMX_ROOT);
	vmx_flush_tlb(vcpu);
}

void vmx_set_root(struct vmmu_vcpu *vcpu, u64 root_hpa, int level)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (unlikely(!vmx_host.ept)) {
		choose_tables(vcpu);
		if (!vmx->ept_on) {
			set_shadow_root(vcpu, root_hpa, level);
			return;
		}
	}
	WARN_ON_ONCE(level != vmmu_cpu_caps.tdp_root_level);
	vmx->eptp = root_hpa | VMX_EPTP_MT_WB | VMX_EPTP_PWL_4;
	if (vmx_host.ept_ad)
		vmx->eptp |= VMX_EPTP_AD_ENABLE_BIT;
	vmx_replace(vmx, VMX_CONTROLS);
	vmx_flush_tlb(vcpu);
}
