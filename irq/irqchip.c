// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CREATE_IRQCHIP and what ties the chips together: lines with sources, and
 * listeners that want to hear when an interrupt has ended.
 *
 * A listener names a GSI; a chip knows pins. The routing snapshot leads from one
 * to the other, and the I/O APIC is told which of its pins have listeners, so
 * that all others cost no lock at their EOI. Listeners are on an RCU list that
 * vm->irq.srcu protects, changed under vm->irq.listen_lock.
 */
#include <linux/rculist.h>
#include <linux/slab.h>

#include "chips.h"
#include "lapic.h"
#include "routing.h"

/* ---- lines ---- */

int vmmu_chip_set(struct vmmu_vm *vm, enum vmmu_irq_source source, unsigned int chip,
		  unsigned int pin, bool level)
{
	struct vmmu_chips *chips = vmmu_chips(vm);

	if (!chips)
		return -1;
	switch (chip) {
	case KVM_IRQCHIP_PIC_MASTER:
		return vmmu_pic_set(&chips->pics, source, pin, level);
	case KVM_IRQCHIP_PIC_SLAVE:
		return vmmu_pic_set(&chips->pics, source, pin + 8, level);
	case KVM_IRQCHIP_IOAPIC:
		return vmmu_ioapic_set(&chips->ioapic, source, pin, level);
	default:
		return -1;
	}
}

/* ---- listeners ---- */

#define for_each_listener(l, vm)							\
	list_for_each_entry_srcu(l, &(vm)->irq.listeners, link,				\
				 srcu_read_lock_held(&(vm)->irq.srcu))

/*
 * Resampled lines go down before anybody is told: the first to hear of it may have
 * its line up again before the next one is told.
 */
void vmmu_irq_acked(struct vmmu_vm *vm, unsigned int chip, unsigned int pin)
{
	struct vmmu_irq_listener *l;
	int idx = srcu_read_lock(&vm->irq.srcu);
	struct vmmu_irq_routing *table = srcu_dereference(vm->irq.routing, &vm->irq.srcu);

	for_each_listener(l, vm)
		if (l->resample && vmmu_route_has_pin(table, l->gsi, chip, pin))
			vmmu_irq_set(vm, VMMU_SOURCE_RESAMPLE, l->gsi, false);
	for_each_listener(l, vm)
		if (vmmu_route_has_pin(table, l->gsi, chip, pin))
			l->acked(l);
	srcu_read_unlock(&vm->irq.srcu, idx);
}

/* A tick that a masked pin swallowed is never acknowledged: the PIT starts over. */
void vmmu_irq_unmasked(struct vmmu_vm *vm, unsigned int chip, unsigned int pin)
{
	/* Pairs with the release in vmmu_pit_create(). */
	struct vmmu_pit *pit = smp_load_acquire(&vm->irq.pit);
	int idx;

	if (!pit)
		return;
	idx = srcu_read_lock(&vm->irq.srcu);
	if (vmmu_route_has_pin(srcu_dereference(vm->irq.routing, &vm->irq.srcu),
			       pit->listener->gsi, chip, pin))
		pit_timer_unstick(pit, true);
	srcu_read_unlock(&vm->irq.srcu, idx);
}

static u32 listened_pins(struct vmmu_vm *vm)
{
	struct vmmu_irq_routing *table = srcu_dereference(vm->irq.routing, &vm->irq.srcu);
	struct vmmu_irq_listener *l;
	unsigned int pin;
	u32 pins = 0;

	for_each_listener(l, vm)
		for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
			if (vmmu_route_has_pin(table, l->gsi, KVM_IRQCHIP_IOAPIC, pin))
				pins |= BIT(pin);
	return pins;
}

/* Routes or listeners changed: which pins of the I/O APIC are listened to? listen_lock held. */
static void tell_ioapic(struct vmmu_vm *vm)
{
	struct vmmu_chips *chips = vmmu_chips(vm);
	/* Pairs with the release in vmmu_pit_create(). */
	struct vmmu_pit *pit = smp_load_acquire(&vm->irq.pit);
	int idx;

	lockdep_assert_held(&vm->irq.listen_lock);
	if (!chips)
		return;
	idx = srcu_read_lock(&vm->irq.srcu);
	vmmu_ioapic_set_listened(&chips->ioapic, listened_pins(vm));
	srcu_read_unlock(&vm->irq.srcu, idx);
	/* A tick may have gone to a pin that nobody listened to yet. */
	if (pit)
		pit_timer_unstick(pit, false);
}

void vmmu_irq_listeners_changed(struct vmmu_vm *vm)
{
	guard(mutex)(&vm->irq.listen_lock);
	tell_ioapic(vm);
}

void vmmu_irq_listen(struct vmmu_vm *vm, struct vmmu_irq_listener *l)
{
	guard(mutex)(&vm->irq.listen_lock);
	list_add_rcu(&l->link, &vm->irq.listeners);
	tell_ioapic(vm);
}

static bool gsi_is_resampled(struct vmmu_vm *vm, u32 gsi)
{
	struct vmmu_irq_listener *l;

	list_for_each_entry(l, &vm->irq.listeners, link)
		if (l->resample && l->gsi == gsi)
			return true;
	return false;
}

/*
 * @l is not called any more when this returns. The last one that resamples a GSI takes
 * the line down; before that it may be up for another, who is told only by an EOI. A new
 * one cannot raise it before it is on the list.
 */
void vmmu_irq_unlisten(struct vmmu_vm *vm, struct vmmu_irq_listener *l)
{
	scoped_guard(mutex, &vm->irq.listen_lock) {
		list_del_rcu(&l->link);
		tell_ioapic(vm);
		if (l->resample && !gsi_is_resampled(vm, l->gsi))
			vmmu_irq_set(vm, VMMU_SOURCE_RESAMPLE, l->gsi, false);
	}
	synchronize_srcu_expedited(&vm->irq.srcu);
}

/* ---- KVM_CREATE_IRQCHIP ---- */

/* Each of the first 16 GSIs to its pin on both kinds of chip, the rest to the I/O APIC. */
static int default_routing(struct vmmu_vm *vm)
{
	struct kvm_irq_routing_entry *entries __free(kfree) = NULL;
	unsigned int gsi, n = 0;

	entries = kcalloc(PIC_PINS + KVM_IOAPIC_NUM_PINS, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	for (gsi = 0; gsi < KVM_IOAPIC_NUM_PINS; gsi++) {
		entries[n].gsi = gsi;
		entries[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		entries[n].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		entries[n++].u.irqchip.pin = gsi;
		if (gsi >= PIC_PINS)
			continue;
		entries[n].gsi = gsi;
		entries[n].type = KVM_IRQ_ROUTING_IRQCHIP;
		entries[n].u.irqchip.irqchip = gsi < 8 ? KVM_IRQCHIP_PIC_MASTER :
							 KVM_IRQCHIP_PIC_SLAVE;
		entries[n++].u.irqchip.pin = gsi & 7;
	}
	return vmmu_set_gsi_routing(vm, entries, n, 0);
}

static int attach(struct vmmu_vm *vm, struct vmmu_chips *chips)
{
	int r;

	guard(mutex)(&vm->irq.lock);
	r = vmmu_pics_attach(&chips->pics);
	return r ? r : vmmu_ioapic_attach(&chips->ioapic);
}

static void detach(struct vmmu_vm *vm, struct vmmu_chips *chips)
{
	guard(mutex)(&vm->irq.lock);
	vmmu_iobus_remove(vm, VMMU_BUS_PIO, &chips->pics.dev_master);
	vmmu_iobus_remove(vm, VMMU_BUS_PIO, &chips->pics.dev_slave);
	vmmu_iobus_remove(vm, VMMU_BUS_PIO, &chips->pics.dev_elcr);
	vmmu_iobus_remove(vm, VMMU_BUS_MMIO, &chips->ioapic.dev);
}

/**
 * vmmu_irqchip_create() - KVM_CREATE_IRQCHIP: local APICs, I/O APIC and PICs here
 * @vm: vm->lock held
 *
 * May sleep. Return: 0; -EEXIST when the VM has an irqchip; -EINVAL when it has a
 * vCPU already; -ENOMEM.
 */
int vmmu_irqchip_create(struct vmmu_vm *vm)
{
	struct vmmu_chips *chips;
	int r;

	if (vm->irq.mode != VMMU_IRQCHIP_NONE)
		return -EEXIST;
	if (vm->nr_vcpus)
		return -EINVAL;
	chips = kzalloc(sizeof(*chips), GFP_KERNEL_ACCOUNT);
	if (!chips)
		return -ENOMEM;
	vmmu_pics_init(&chips->pics, vm);
	vmmu_ioapic_init(&chips->ioapic, vm);

	/* Routes are refused to a VM without a mode. */
	WRITE_ONCE(vm->irq.mode, VMMU_IRQCHIP_KERNEL);
	r = attach(vm, chips);
	if (!r)
		r = default_routing(vm);
	if (r) {
		WRITE_ONCE(vm->irq.mode, VMMU_IRQCHIP_NONE);
		detach(vm, chips);
		kfree(chips);
		return r;
	}
	/* Pairs with the acquire in vmmu_chips(). */
	smp_store_release(&vm->irq.chips, chips);
	return 0;
}

static void pit_listener_acked(struct vmmu_irq_listener *l)
{
	pit_timer_acked(l->pit);
}

/**
 * vmmu_pit_create() - KVM_CREATE_PIT2
 * @vm: vm->lock held
 * @flags: KVM_PIT_SPEAKER_DUMMY: port 0x61 too
 *
 * May sleep. Return: 0; -EEXIST; -ENOENT without an in-kernel irqchip; -EINVAL; -ENOMEM.
 */
int vmmu_pit_create(struct vmmu_vm *vm, u32 flags)
{
	struct vmmu_pit *pit;
	int r;

	if (flags & ~KVM_PIT_SPEAKER_DUMMY)
		return -EINVAL;
	if (vm->irq.pit)
		return -EEXIST;
	if (vm->irq.mode != VMMU_IRQCHIP_KERNEL)
		return -ENOENT;
	pit = vmmu_pit_new(vm, 0);
	if (!pit)
		return -ENOMEM;
	pit->listener = kzalloc(sizeof(*pit->listener), GFP_KERNEL_ACCOUNT);
	if (!pit->listener) {
		vmmu_pit_destroy(pit);
		return -ENOMEM;
	}
	pit->listener->acked = pit_listener_acked;
	pit->listener->pit = pit;

	guard(mutex)(&vm->irq.lock);
	/* Before the ports: a guest may be at them at once. */
	vmmu_irq_listen(vm, pit->listener);
	r = vmmu_pit_attach(pit, flags & KVM_PIT_SPEAKER_DUMMY);
	if (r) {
		vmmu_iobus_remove(vm, VMMU_BUS_PIO, &pit->dev);
		vmmu_iobus_remove(vm, VMMU_BUS_PIO, &pit->dev_speaker);
		pit_timer_stop(pit);
		vmmu_irq_unlisten(vm, pit->listener);
		vmmu_pit_destroy(pit);
		return r;
	}
	/* Pairs with the acquires of who uses it. */
	/* Pairs with the acquire in pit_of(), irq/pit.c. */
	smp_store_release(&vm->irq.pit, pit);
	return 0;
}

void vmmu_chips_stop(struct vmmu_vm *vm)
{
	if (vm->irq.pit)
		pit_timer_stop(vm->irq.pit);
	if (vm->irq.chips)
		vmmu_ioapic_stop(&vm->irq.chips->ioapic);
}

/* The VM is going: no vCPU, no eventfd. May sleep. */
void vmmu_chips_destroy(struct vmmu_vm *vm)
{
	vmmu_pit_destroy(vm->irq.pit);
	kfree(vm->irq.chips);
}

/* ---- KVM_GET_IRQCHIP, KVM_SET_IRQCHIP ---- */

/**
 * vmmu_irqchip_get_state() - KVM_GET_IRQCHIP
 * @vm: the VM
 * @chip: chip_id says which; the rest is filled
 *
 * Return: 0; -ENXIO without in-kernel chips; -EINVAL for an unknown one.
 */
int vmmu_irqchip_get_state(struct vmmu_vm *vm, struct kvm_irqchip *chip)
{
	struct vmmu_chips *chips = vmmu_chips(vm);

	if (!chips)
		return -ENXIO;
	memset(&chip->chip, 0, sizeof(chip->chip));
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		vmmu_pic_get_state(&chips->pics, chip->chip_id, &chip->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		vmmu_ioapic_get_state(&chips->ioapic, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

/**
 * vmmu_irqchip_set_state() - KVM_SET_IRQCHIP
 * @vm: the VM
 * @chip: which and what
 *
 * Return: as vmmu_irqchip_get_state().
 */
int vmmu_irqchip_set_state(struct vmmu_vm *vm, const struct kvm_irqchip *chip)
{
	struct vmmu_chips *chips = vmmu_chips(vm);

	if (!chips)
		return -ENXIO;
	switch (chip->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		vmmu_pic_set_state(&chips->pics, chip->chip_id, &chip->chip.pic);
		return 0;
	case KVM_IRQCHIP_IOAPIC:
		vmmu_ioapic_set_state(&chips->ioapic, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- the vCPU's side ---- */

/* INTR of the in-kernel PICs; any thread, a look without locks. */
bool vmmu_pic_pending(struct vmmu_vm *vm)
{
	struct vmmu_chips *chips = vmmu_chips(vm);

	return chips && READ_ONCE(chips->pics.output);
}

int vmmu_pic_vector(struct vmmu_vm *vm)
{
	return vmmu_pic_take(&vmmu_chips(vm)->pics);
}
