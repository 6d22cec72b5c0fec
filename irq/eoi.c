// SPDX-License-Identifier: GPL-2.0-only
/*
 * End of interrupt: the vector in service ends, and the user-space I/O APIC
 * hears of it when one of its level-triggered pins may have caused it.
 *
 * Which vectors those are is apic->eoi_exit, computed by irq/routing.c. They are
 * not asked for in TMR: an edge that arrives on a shared vector clears TMR, and
 * then the line would hang for ever; an EOI too many does no harm. EOIs wait in
 * apic->eoi_done until the vCPU leaves with KVM_EXIT_IOAPIC_EOI for each.
 *
 * Own thread only; nothing sleeps. Intel SDM vol. 3, 11.8.5.
 */
#include "chips.h"
#include "lapic.h"

/* The I/O APIC in the kernel, which hears of every EOI, or NULL. */
static struct vmmu_ioapic *ioapic_of(struct vmmu_lapic *apic)
{
	struct vmmu_vm *vm = apic->vcpu->vm;
	struct vmmu_chips *chips = vm->irq.mode == VMMU_IRQCHIP_KERNEL ? vmmu_chips(vm) : NULL;

	return chips ? &chips->ioapic : NULL;
}

bool lapic_eoi_awaited(struct vmmu_lapic *apic, u8 vector)
{
	struct vmmu_ioapic *io = ioapic_of(apic);

	if (test_bit(vector, apic->eoi_exit) || lapic_bank_test(apic->regs + APIC_TMR, vector))
		return true;
	return io && test_bit(vector, io->sent);
}

void lapic_eoi(struct vmmu_lapic *apic)
{
	int vector = lapic_highest_isr(apic);
	struct vmmu_ioapic *io = ioapic_of(apic);

	/* The spurious vector is never in service: its EOI, if any, ends nothing. */
	if (vector < 0)
		return;
	lapic_isr_clear(apic, vector);
	if (io)
		vmmu_ioapic_eoi(io, vector);
	if (test_bit(vector, apic->eoi_exit)) {
		__set_bit(vector, apic->eoi_done);
		apic->eoi_pending = true;
		/* The loop asks vmmu_lapic_eoi_exit_pending() before it clears this. */
		vmmu_request(apic->vcpu, VMMU_REQ_EXIT_USER);
	}
	/* Something of lower priority may have waited; what comes later makes its own request. */
	if (lapic_highest_irr(apic) >= 0)
		vmmu_request(apic->vcpu, VMMU_REQ_EVENT);
}

/**
 * vmmu_lapic_eoi_exit_pending() - take one EOI that user space must see
 * @vcpu: own thread's; with a LAPIC
 * @vector: the vector, for KVM_EXIT_IOAPIC_EOI
 *
 * Return: whether there was one; it is taken.
 */
bool vmmu_lapic_eoi_exit_pending(struct vmmu_vcpu *vcpu, u8 *vector)
{
	struct vmmu_lapic *apic = vcpu->apic;
	unsigned long first;

	if (likely(!apic->eoi_pending))
		return false;
	first = find_first_bit(apic->eoi_done, LAPIC_NR_VECTORS);
	if (first < LAPIC_NR_VECTORS) {
		__clear_bit(first, apic->eoi_done);
		*vector = first;
	}
	apic->eoi_pending = !bitmap_empty(apic->eoi_done, LAPIC_NR_VECTORS);
	/* Look again after the exit. */
	if (apic->eoi_pending)
		vmmu_request(vcpu, VMMU_REQ_EXIT_USER);
	return first < LAPIC_NR_VECTORS;
}
