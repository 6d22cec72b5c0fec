// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interprocessor interrupts: the ICR's fields, and INIT and SIPI, which the
 * target acts on in its own thread.
 *
 * INIT and SIPI are bits in apic->events, set from any context. A SIPI's vector
 * is written before its bit; an INIT takes back a SIPI that came before it.
 * Intel SDM vol. 3, 11.6.1; AMD APM vol. 2, 16.5.
 */
#include "lapic.h"

/* ---- sending ---- */

void lapic_icr_decode(u32 low, u32 dest, struct vmmu_apic_msg *msg)
{
	*msg = (struct vmmu_apic_msg) {
		.dest = dest,
		.vector = low & APIC_VECTOR_MASK,
		.mode = (low & APIC_MODE_MASK) >> 8,
		.logical = low & APIC_DEST_LOGICAL,
		/* The ICR's trigger mode means something for INIT only. */
		.level = false,
		.lowest = (low & APIC_MODE_MASK) == APIC_DM_LOWEST,
	};
}

/* INIT Level De-assert set arbitration ids once; today it does nothing. */
static bool is_init_deassert(u32 low)
{
	return (low & APIC_MODE_MASK) == APIC_DM_INIT && (low & APIC_INT_LEVELTRIG) &&
	       !(low & APIC_INT_ASSERT);
}

static bool has_illegal_vector(const struct vmmu_apic_msg *msg)
{
	u32 mode = msg->mode << 8;

	return (mode == APIC_DM_FIXED || mode == APIC_DM_LOWEST) &&
	       msg->vector < LAPIC_FIRST_VECTOR;
}

/**
 * lapic_send_ipi() - do what a write to the ICR asks for
 * @apic: the sender, own thread's
 * @low: the ICR's low half
 * @dest: the destination: 8 bits in xAPIC mode, 32 in x2APIC mode
 */
void lapic_send_ipi(struct vmmu_lapic *apic, u32 low, u32 dest)
{
	struct vmmu_vm *vm = apic->vcpu->vm;
	struct vmmu_apic_msg msg;

	lapic_icr_decode(low, dest, &msg);
	if (is_init_deassert(low))
		return;
	if (has_illegal_vector(&msg)) {
		lapic_error(apic, APIC_ESR_SENDILL);
		return;
	}
	switch (low & APIC_DEST_ALLBUT) {
	case APIC_DEST_SELF:
		lapic_deliver_one(apic, &msg);
		break;
	case APIC_DEST_ALLINC:
		lapic_deliver_all(vm, &msg, NULL);
		break;
	case APIC_DEST_ALLBUT:
		lapic_deliver_all(vm, &msg, apic);
		break;
	default:
		lapic_deliver(vm, &msg);
		break;
	}
}

/* ---- INIT and SIPI: any context ---- */

static void post_event(struct vmmu_lapic *apic, enum lapic_event event)
{
	set_bit(event, &apic->events);
	vmmu_request(apic->vcpu, VMMU_REQ_EVENT);
	vmmu_vcpu_kick(apic->vcpu);
}

void lapic_pend_init(struct vmmu_lapic *apic)
{
	clear_bit(LAPIC_EVENT_SIPI, &apic->events);
	post_event(apic, LAPIC_EVENT_INIT);
}

void lapic_pend_sipi(struct vmmu_lapic *apic, u8 vector)
{
	WRITE_ONCE(apic->sipi_vector, vector);
	/* Pairs with test_and_clear_bit() in vmmu_lapic_accept_init_sipi(). */
	smp_wmb();
	post_event(apic, LAPIC_EVENT_SIPI);
}

/* KVM_SET_VCPU_EVENTS: the vector of the last SIPI, which KVM_SET_MP_STATE may pend. */
void vmmu_lapic_set_sipi_vector(struct vmmu_vcpu *vcpu, u8 vector)
{
	WRITE_ONCE(vcpu->apic->sipi_vector, vector);
}

/* KVM_SET_MP_STATE(SIPI_RECEIVED): as if the SIPI had just come. */
void vmmu_lapic_pend_sipi(struct vmmu_vcpu *vcpu)
{
	post_event(vcpu->apic, LAPIC_EVENT_SIPI);
}

bool vmmu_lapic_has_init_sipi(struct vmmu_vcpu *vcpu)
{
	return READ_ONCE(vcpu->apic->events);
}

/* ---- INIT and SIPI: the target's own thread ---- */

static void accept_init(struct vmmu_vcpu *vcpu)
{
	bool bsp = lapic_base(vcpu->apic) & LAPIC_BASE_BSP;

	vmmu_vcpu_reset(vcpu, true);
	WRITE_ONCE(vcpu->mp_state, bsp ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED);
}

static void accept_sipi(struct vmmu_vcpu *vcpu)
{
	/* A processor that does not wait for it drops a SIPI. */
	if (vcpu->mp_state != KVM_MP_STATE_INIT_RECEIVED)
		return;
	vmmu_vcpu_sipi(vcpu, READ_ONCE(vcpu->apic->sipi_vector));
	WRITE_ONCE(vcpu->mp_state, KVM_MP_STATE_RUNNABLE);
}

/**
 * vmmu_lapic_accept_init_sipi() - act on INIT and SIPI that arrived
 * @vcpu: own thread's, loaded; with a LAPIC
 *
 * Intel SDM vol. 3, 10.4. May sleep.
 *
 * Return: 0.
 */
int vmmu_lapic_accept_init_sipi(struct vmmu_vcpu *vcpu)
{
	struct vmmu_lapic *apic = vcpu->apic;

	if (test_and_clear_bit(LAPIC_EVENT_INIT, &apic->events))
		accept_init(vcpu);
	/* Fully ordered: pairs with the barrier in lapic_pend_sipi(). */
	if (test_and_clear_bit(LAPIC_EVENT_SIPI, &apic->events))
		accept_sipi(vcpu);
	return 0;
}
