// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalesced MMIO and port I/O: writes that need no answer wait in a ring that
 * user space shares, and are read there before its next exit is handled.
 *
 * The ring is a page, mapped behind each vCPU's run page. User space moves
 * "first", we move "last" under ring_lock; both are read once and checked,
 * because user space may write anything. A full ring is no error: the write
 * exits as it would without us. Zones are devices on the buses, under
 * vm->irq.lock.
 */
#include <linux/slab.h>

#include "iobus.h"
#include "coalesced.h"

struct io_zone {
	struct list_head link;		/* vm->irq.zones: irq.lock */
	struct vmmu_vm *vm;
	struct kvm_coalesced_mmio_zone zone;
	struct vmmu_iodev dev;
};

static enum vmmu_bus zone_bus(const struct kvm_coalesced_mmio_zone *z)
{
	return z->pio ? VMMU_BUS_PIO : VMMU_BUS_MMIO;
}

/* Does the zone hold all of the range? */
static bool inside(const struct kvm_coalesced_mmio_zone *z, u64 addr, u32 len)
{
	return addr >= z->addr && len <= z->size && addr - z->addr <= z->size - len;
}

/* The next free entry, or NULL: full, or user space wrote nonsense. ring_lock held. */
static struct kvm_coalesced_mmio *ring_next(struct kvm_coalesced_mmio_ring *ring, u32 *next)
{
	u32 last = READ_ONCE(ring->last);

	if (last >= KVM_COALESCED_MMIO_MAX)
		return NULL;
	*next = (last + 1) % KVM_COALESCED_MMIO_MAX;
	return *next == READ_ONCE(ring->first) ? NULL : &ring->coalesced_mmio[last];
}

static int zone_write(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
		      const void *data)
{
	struct io_zone *z = container_of(dev, struct io_zone, dev);
	struct vmmu_irq_vm *irq = &z->vm->irq;
	struct kvm_coalesced_mmio *entry;
	u32 next;

	if (!inside(&z->zone, addr, len) || len > sizeof(entry->data))
		return -EOPNOTSUPP;
	spin_lock(&irq->ring_lock);
	entry = ring_next(irq->ring, &next);
	if (entry) {
		entry->phys_addr = addr;
		entry->len = len;
		memcpy(entry->data, data, len);
		entry->pio = z->zone.pio;
		/* The entry before the index: user space reads them in the other order. */
		smp_store_release(&irq->ring->last, next);
	}
	spin_unlock(&irq->ring_lock);
	return entry ? 0 : -EOPNOTSUPP;
}

/* ring_lock is held for a few stores and never in an interrupt. */
static const struct vmmu_iodev_ops zone_ops = { .write = zone_write, .atomic = true };

/* User space may look at the ring before there is a zone. 0 or -ENOMEM. */
int vmmu_coalesced_init(struct vmmu_vm *vm)
{
	spin_lock_init(&vm->irq.ring_lock);
	INIT_LIST_HEAD(&vm->irq.zones);
	vm->irq.ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vm->irq.ring ? 0 : -ENOMEM;
}

/* The VM is going. */
void vmmu_coalesced_destroy(struct vmmu_vm *vm)
{
	struct io_zone *z, *next;

	list_for_each_entry_safe(z, next, &vm->irq.zones, link)
		kfree(z);
	free_page((unsigned long)vm->irq.ring);
}

struct page *vmmu_coalesced_page(struct vmmu_vm *vm)
{
	return virt_to_page(vm->irq.ring);
}

/**
 * vmmu_coalesced_register() - KVM_REGISTER_COALESCED_MMIO
 * @vm: the VM
 * @zone: where; pio 0 or 1
 *
 * May sleep. Return: 0, -EINVAL, -ENOSPC, -ENOMEM.
 */
int vmmu_coalesced_register(struct vmmu_vm *vm, const struct kvm_coalesced_mmio_zone *zone)
{
	struct io_zone *z;
	int r;

	if (zone->pio > 1 || zone->addr + zone->size < zone->addr)
		return -EINVAL;
	z = kzalloc(sizeof(*z), GFP_KERNEL_ACCOUNT);
	if (!z)
		return -ENOMEM;
	z->vm = vm;
	z->zone = *zone;
	z->dev.ops = &zone_ops;

	guard(mutex)(&vm->irq.lock);
	r = vmmu_iobus_add(vm, zone_bus(zone), zone->addr, zone->size, &z->dev);
	if (r)
		kfree(z);
	else
		list_add(&z->link, &vm->irq.zones);
	return r;
}

/**
 * vmmu_coalesced_unregister() - KVM_UNREGISTER_COALESCED_MMIO
 * @vm: the VM
 * @zone: every registered zone that holds it goes; none is no error
 *
 * May sleep. Return: 0, -EINVAL.
 */
int vmmu_coalesced_unregister(struct vmmu_vm *vm, const struct kvm_coalesced_mmio_zone *zone)
{
	struct io_zone *z, *next;

	if (zone->pio > 1)
		return -EINVAL;
	guard(mutex)(&vm->irq.lock);
	list_for_each_entry_safe(z, next, &vm->irq.zones, link) {
		if (z->zone.pio != zone->pio || !inside(&z->zone, zone->addr, zone->size))
			continue;
		list_del(&z->link);
		vmmu_iobus_remove(vm, zone_bus(zone), &z->dev);
		kfree(z);
	}
	return 0;
}
