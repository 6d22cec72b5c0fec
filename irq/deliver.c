// SPDX-License-Identifier: GPL-2.0-only
/*
 * Delivery: a message goes to the LAPICs that its destination names.
 *
 * Any thread in any context: an eventfd's wake-up delivers with interrupts
 * off. Only RCU is held; nothing sleeps.
 */
#include "apic_map.h"

static u64 naive_dests(struct vmmu_vm *vm, const struct vmmu_apic_msg *msg, bool msi_broadcast)
{
	struct vmmu_apic_view view;
	struct vmmu_lapic *apic;
	unsigned int i;
	u64 mask = 0;

	for (i = 0; i < VMMU_MAX_LAPICS; i++) {
		apic = rcu_dereference(vm->irq.lapics[i]);
		if (!apic)
			continue;
		vmmu_apic_view(apic, &view);
		if (vmmu_apic_match(&view, msg, msi_broadcast))
			mask |= BIT_ULL(i);
	}
	return mask;
}

static u64 dests(struct vmmu_vm *vm, const struct vmmu_apic_msg *msg)
{
	bool msi_broadcast = !READ_ONCE(vm->irq.x2apic_no_broadcast_quirk);
	struct vmmu_apic_map *map = rcu_dereference(vm->irq.apic_map);

	if (unlikely(!map))
		return naive_dests(vm, msg, msi_broadcast);
	return vmmu_apic_map_lookup(map, msg, msi_broadcast);
}

/*
 * Lowest priority: the one with the lowest processor priority class, ties to
 * who took the fewest. Intel SDM vol. 3, 11.6.2.4; AMD APM vol. 2, 16.6.2.
 */
static int deliver_lowest(struct vmmu_vm *vm, u64 mask, const struct vmmu_apic_msg *msg)
{
	struct vmmu_lapic *best = NULL, *apic;
	u8 best_class = 0, class;

	while (mask) {
		apic = rcu_dereference(vm->irq.lapics[__ffs64(mask)]);
		mask &= mask - 1;
		if (!apic || !lapic_enabled(apic))
			continue;
		class = lapic_current_ppr(apic) >> 4;
		if (!best || class < best_class ||
		    (class == best_class &&
		     atomic_read(&apic->arb) - atomic_read(&best->arb) < 0)) {
			best = apic;
			best_class = class;
		}
	}
	if (!best)
		return 0;
	atomic_inc(&best->arb);
	return lapic_deliver_one(best, msg);
}

static int deliver_mask(struct vmmu_vm *vm, u64 mask, const struct vmmu_apic_msg *msg)
{
	struct vmmu_lapic *apic;
	int nr = 0;

	while (mask) {
		apic = rcu_dereference(vm->irq.lapics[__ffs64(mask)]);
		mask &= mask - 1;
		if (apic)
			nr += lapic_deliver_one(apic, msg);
	}
	return nr;
}

/**
 * lapic_deliver_one() - give a message to one LAPIC
 * @apic: the target
 * @msg: the message; its destination is not looked at
 *
 * Any context. SMI and ExtINT find nobody: there is no SMM, and ExtINT comes
 * from the PIC.
 *
 * Return: 1 when it was taken, else 0.
 */
int lapic_deliver_one(struct vmmu_lapic *apic, const struct vmmu_apic_msg *msg)
{
	switch (msg->mode << 8) {
	case APIC_DM_FIXED:
	case APIC_DM_LOWEST:
		return lapic_accept(apic, msg->vector, msg->level);
	case APIC_DM_NMI:
		vmmu_inject_nmi(apic->vcpu);
		return 1;
	case APIC_DM_INIT:
		lapic_pend_init(apic);
		return 1;
	case APIC_DM_STARTUP:
		lapic_pend_sipi(apic, msg->vector);
		return 1;
	default:
		return 0;
	}
}

/**
 * lapic_deliver() - give a message to its destinations
 * @vm: the VM
 * @msg: the message
 *
 * Any context, does not sleep.
 *
 * Return: how many LAPICs took it.
 */
int lapic_deliver(struct vmmu_vm *vm, const struct vmmu_apic_msg *msg)
{
	u64 mask;

	guard(rcu)();
	mask = dests(vm, msg);
	return msg->lowest ? deliver_lowest(vm, mask, msg) : deliver_mask(vm, mask, msg);
}

/**
 * lapic_nobody() - was there nobody whom a message could have reached?
 * @vm: the VM
 * @msg: it found no taker
 *
 * As KVM sees it: of a broadcast without an enabled LAPIC, and in a VM that has none
 * at all. A destination that does not exist is one that does not answer.
 */
bool lapic_nobody(struct vmmu_vm *vm, const struct vmmu_apic_msg *msg)
{
	struct vmmu_lapic *apic;
	unsigned int i;
	bool any = false;

	guard(rcu)();
	for (i = 0; i < VMMU_MAX_LAPICS; i++) {
		apic = rcu_dereference(vm->irq.lapics[i]);
		if (apic && lapic_hw_enabled(apic))
			return false;
		any |= !!apic;
	}
	return !any || msg->dest == XAPIC_BROADCAST || msg->dest == X2APIC_BROADCAST;
}

int lapic_deliver_all(struct vmmu_vm *vm, const struct vmmu_apic_msg *msg,
		      const struct vmmu_lapic *except)
{
	struct vmmu_lapic *apic;
	unsigned int i;
	u64 mask = 0;

	guard(rcu)();
	for (i = 0; i < VMMU_MAX_LAPICS; i++) {
		apic = rcu_dereference(vm->irq.lapics[i]);
		if (apic && apic != except && lapic_hw_enabled(apic))
			mask |= BIT_ULL(i);
	}
	return msg->lowest ? deliver_lowest(vm, mask, msg) : deliver_mask(vm, mask, msg);
}
