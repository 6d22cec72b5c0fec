// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paravirtual EOI (MSR_KVM_PV_EOI_EN): a bit in the guest's memory in which it ends an
 * interrupt without an exit.
 *
 * Before an entry with a vector in service the bit is set: the offer. A guest that finds
 * it set clears it in place of an EOI. When the turn is over the bit is looked at. Clear: the
 * vector has ended. Set: it is cleared, and what the guest writes is an EOI as ever. So
 * while our code runs, and while user space looks, nothing is on offer and ISR is what it
 * seems; the rest of irq/ need not know of any of this.
 *
 * No offer is made for a vector whose end somebody waits for, nor while another one waits
 * in IRR, for nobody would look at that at the end. One that arrives later ends the turn,
 * and so withdraws the offer.
 *
 * Own thread, vm->srcu held; guest memory sleeps. What the guest does is said in
 * Documentation/virt/kvm/x86/msr.rst of the kernel.
 */
#include <asm/kvm_para.h>

#include "lapic.h"

#define PV_EOI_BIT	BIT(KVM_PV_EOI_BIT)
#define PV_EOI_BYTES	4	/* aligned: it never crosses a page */

/**
 * vmmu_pv_eoi_set_msr() - write MSR_KVM_PV_EOI_EN
 * @vcpu: own thread's, with or without a LAPIC
 * @val: the address and KVM_MSR_ENABLED
 *
 * Return: 0; 1: #GP: reserved bits, or there is no memory.
 */
int vmmu_pv_eoi_set_msr(struct vmmu_vcpu *vcpu, u64 val)
{
	struct vmmu_pv_eoi *pv = &vcpu->pv_eoi;
	gpa_t gpa = val & ~(u64)KVM_MSR_ENABLED;
	struct vmmu_gpa_cache word;

	if (gpa % PV_EOI_BYTES)
		return 1;
	if (val & KVM_MSR_ENABLED) {
		if (vmmu_gpa_cache_init(vcpu->vm, &word, gpa, PV_EOI_BYTES))
			return 1;
		pv->word = word;
	}
	pv->msr = val;
	return 0;
}

/**
 * vmmu_pv_eoi_offer() - let the guest end what is in service without an exit, if it may
 * @vcpu: own thread's, about to enter
 *
 * vmmu_pv_eoi_settle() follows, whether it entered or not.
 */
void vmmu_pv_eoi_offer(struct vmmu_vcpu *vcpu)
{
	struct vmmu_pv_eoi *pv = &vcpu->pv_eoi;
	struct vmmu_lapic *apic = vcpu->apic;
	u8 bits = PV_EOI_BIT;
	int vector;

	if (!apic || !(pv->msr & KVM_MSR_ENABLED))
		return;
	vector = lapic_highest_isr(apic);
	if (vector < 0 || lapic_highest_irr(apic) >= 0 || lapic_eoi_awaited(apic, vector))
		return;
	pv->offered = !vmmu_write_guest_cached(vcpu->vm, &pv->word, 0, &bits, sizeof(bits));
}

/* Was it there still, and is it gone now? Where it cannot be withdrawn the guest relies on it. */
static bool withdraw(struct vmmu_vcpu *vcpu)
{
	struct vmmu_pv_eoi *pv = &vcpu->pv_eoi;
	u8 bits;

	if (vmmu_read_guest_cached(vcpu->vm, &pv->word, 0, &bits, sizeof(bits)) ||
	    !(bits & PV_EOI_BIT))
		return false;
	bits &= ~PV_EOI_BIT;
	return !vmmu_write_guest_cached(vcpu->vm, &pv->word, 0, &bits, sizeof(bits));
}

/**
 * vmmu_pv_eoi_settle() - what became of the offer?
 * @vcpu: own thread's, back from the guest; an offer was made
 */
void vmmu_pv_eoi_settle(struct vmmu_vcpu *vcpu)
{
	vcpu->pv_eoi.offered = false;
	if (!withdraw(vcpu))
		lapic_eoi(vcpu->apic);
}
