// SPDX-License-Identifier: GPL-2.0-only
/*
 * CR8: the guest's task priority, which the TPR shadow keeps in the virtual-APIC page.
 *
 * Contract: with a local APIC in the kernel VTPR is its TPR at every entry, and its TPR
 * VTPR after every exit, so that MOV CR8 costs nothing. Only while an interrupt waits
 * for a lower TPR there is a threshold, below which the guest exits. Without a local APIC
 * user space has one and is told of CR8: every access exits.
 *
 * Locking: vcpu->mutex. vmx_tpr_to_guest() runs with interrupts off.
 */
#include "vmcs.h"

#define VTPR	0x80	/* in the page; CR8 is its bits 7:4. SDM 30.1.1 */

static u8 *vtpr(const struct vmx_vcpu *vmx)
{
	return vmx->vapic + VTPR;
}

/*
 * In VMX operation. An entry wants a threshold that is not above VTPR; where it would be,
 * the interrupt waits no more, and who lowered the TPR has asked for VMMU_REQ_EVENT.
 */
void vmx_tpr_to_guest(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u8 cr8 = vmmu_lapic_get_tpr(vcpu);
	u8 threshold = min(vmx->tpr_threshold, cr8);

	*vtpr(vmx) = cr8 << 4;
	if (vmx->image.tpr_threshold != threshold) {
		vmx->image.tpr_threshold = threshold;
		vmcs_write(TPR_THRESHOLD, threshold);
	}
}

void vmx_tpr_from_guest(struct vmmu_vcpu *vcpu)
{
	u8 cr8 = *vtpr(to_vmx(vcpu)) >> 4;

	if (cr8 == vmmu_lapic_get_tpr(vcpu))
		return;
	vmmu_lapic_set_tpr(vcpu, cr8);
	vmmu_request(vcpu, VMMU_REQ_EVENT);
}

void vmx_update_tpr(struct vmmu_vcpu *vcpu, u8 tpr, int irr)
{
	bool masked = irr >= 0 && (irr >> 4) <= (tpr >> 4);

	to_vmx(vcpu)->tpr_threshold = masked ? irr >> 4 : 0;
}

/* The TPR itself was taken over by vmx_tpr_from_guest(). */
int vmx_exit_tpr(struct vmmu_vcpu *vcpu)
{
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	return 1;
}
