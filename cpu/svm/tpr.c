// SPDX-License-Identifier: GPL-2.0-only
/*
 * CR8: the guest's task priority, which V_INTR_MASKING keeps in V_TPR.
 *
 * Contract: V_TPR is the local APIC's TPR at every entry, and the APIC's is
 * V_TPR's after every exit, so that MOV CR8 costs nothing. Only while an
 * interrupt waits for a lower TPR does a write exit.
 *
 * Locking: vcpu->mutex. svm_tpr_to_guest() runs with interrupts off.
 */
#include "vmcb.h"

static u64 current_cr8(struct vmmu_vcpu *vcpu)
{
	return vcpu->apic ? vmmu_lapic_get_tpr(vcpu) : vcpu->cr8;
}

void svm_tpr_to_guest(struct vmmu_vcpu *vcpu)
{
	struct vmcb_control_area *c = svm_control(vcpu);

	c->int_ctl = (c->int_ctl & ~V_TPR_MASK) | (current_cr8(vcpu) & V_TPR_MASK);
}

void svm_tpr_from_guest(struct vmmu_vcpu *vcpu)
{
	u64 cr8 = svm_control(vcpu)->int_ctl & V_TPR_MASK;

	if (cr8 == current_cr8(vcpu))
		return;
	if (vcpu->apic)
		vmmu_lapic_set_tpr(vcpu, cr8);
	else
		vcpu->cr8 = cr8;
	vmmu_request(vcpu, VMMU_REQ_EVENT);
}

void svm_update_tpr(struct vmmu_vcpu *vcpu, u8 tpr, int irr)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	bool masked = irr >= 0 && (irr >> 4) <= (tpr >> 4);

	if (svm->tpr_masked != masked) {
		svm->tpr_masked = masked;
		svm_update_intercepts(vcpu);
	}
}
