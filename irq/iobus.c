// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O buses: which in-kernel device takes an access.
 *
 * Each bus is a sorted array, replaced whole under vm->irq.lock when a device
 * is added and read under vm->srcu, which a vCPU's thread holds anyway. Ranges
 * may overlap: a search goes down from the last range that starts at or below
 * the address, and stops where no range before reaches that far.
 *
 * Removal cannot fail, so it allocates nothing: it clears the device in the
 * published array and waits for readers; the hole goes with the next addition.
 *
 * Changing a bus sleeps. Access does what the device does.
 */
#include <linux/slab.h>

#include "iobus.h"

static unsigned int count_live(const struct vmmu_iobus *bus)
{
	unsigned int i, nr = 0;

	for (i = 0; bus && i < bus->nr; i++)
		nr += !!bus->range[i].dev;
	return nr;
}

static void append(struct vmmu_iobus *bus, u64 addr, u64 end, struct vmmu_iodev *dev)
{
	u64 before = bus->nr ? bus->range[bus->nr - 1].max_end : 0;

	bus->nr++;
	bus->range[bus->nr - 1] = (struct vmmu_iobus_range) {
		.addr = addr, .end = end, .max_end = max(before, end), .dev = dev,
	};
}

struct vmmu_iobus *vmmu_iobus_with(const struct vmmu_iobus *old, u64 addr, u32 len,
				   struct vmmu_iodev *dev)
{
	unsigned int i, nr = old ? old->nr : 0;
	u64 end = addr + max(len, 1U);
	struct vmmu_iobus *bus;
	bool placed = false;

	bus = kvzalloc(struct_size(bus, range, count_live(old) + 1), GFP_KERNEL_ACCOUNT);
	if (!bus)
		return NULL;
	for (i = 0; i < nr; i++) {
		const struct vmmu_iobus_range *range = &old->range[i];

		if (!range->dev)
			continue;
		if (!placed && range->addr > addr) {
			append(bus, addr, end, dev);
			placed = true;
		}
		append(bus, range->addr, range->end, range->dev);
	}
	if (!placed)
		append(bus, addr, end, dev);
	return bus;
}

int vmmu_iobus_last(const struct vmmu_iobus *bus, u64 addr)
{
	unsigned int low = 0, high = bus->nr, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (bus->range[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return (int)low - 1;
}

static struct vmmu_iobus *bus_locked(struct vmmu_vm *vm, enum vmmu_bus nr)
{
	return rcu_dereference_protected(vm->irq.bus[nr], lockdep_is_held(&vm->irq.lock));
}

/**
 * vmmu_iobus_add() - put a device on a bus
 * @vm: the VM; vm->irq.lock held, vm->srcu not
 * @nr: the bus
 * @addr: first address; @addr + @len does not wrap
 * @len: bytes, 0 counts as 1
 * @dev: stays there until vmmu_iobus_remove()
 *
 * Return: 0, -ENOSPC, -ENOMEM.
 */
int vmmu_iobus_add(struct vmmu_vm *vm, enum vmmu_bus nr, u64 addr, u32 len,
		   struct vmmu_iodev *dev)
{
	struct vmmu_iobus *old = bus_locked(vm, nr), *bus;

	if (count_live(old) >= VMMU_IOBUS_MAX)
		return -ENOSPC;
	bus = vmmu_iobus_with(old, addr, len, dev);
	if (!bus)
		return -ENOMEM;
	rcu_assign_pointer(vm->irq.bus[nr], bus);
	synchronize_srcu_expedited(&vm->srcu);
	kvfree(old);
	return 0;
}

void vmmu_iobus_remove(struct vmmu_vm *vm, enum vmmu_bus nr, struct vmmu_iodev *dev)
{
	struct vmmu_iobus *bus = bus_locked(vm, nr);
	unsigned int i;

	for (i = 0; bus && i < bus->nr; i++)
		if (bus->range[i].dev == dev)
			WRITE_ONCE(bus->range[i].dev, NULL);
	synchronize_srcu_expedited(&vm->srcu);
}

struct vmmu_iodev *vmmu_iobus_next(const struct vmmu_iobus *bus, int *i, u64 addr)
{
	const struct vmmu_iobus_range *range;
	struct vmmu_iodev *dev;

	for (; *i >= 0; (*i)--) {
		range = &bus->range[*i];
		if (range->max_end <= addr)
			return NULL;
		dev = READ_ONCE(range->dev);
		if (dev && addr < range->end) {
			(*i)--;
			return dev;
		}
	}
	return NULL;
}

/**
 * vmmu_bus_write() - offer a write to the in-kernel devices
 * @vcpu: own thread's, vm->srcu held
 * @nr: the bus
 * @addr: gpa or port
 * @len: bytes
 * @data: what
 *
 * The LAPIC's page comes first. May sleep.
 *
 * Return: 0 when a device took it, -EOPNOTSUPP when nobody did.
 */
int vmmu_bus_write(struct vmmu_vcpu *vcpu, enum vmmu_bus nr, u64 addr, int len, const void *data)
{
	struct vmmu_iobus *bus;
	struct vmmu_iodev *dev;
	int i;

	if (nr == VMMU_BUS_MMIO && vcpu->apic && !vmmu_lapic_mmio_write(vcpu, addr, len, data))
		return 0;
	bus = srcu_dereference(vcpu->vm->irq.bus[nr], &vcpu->vm->srcu);
	if (!bus)
		return -EOPNOTSUPP;
	i = vmmu_iobus_last(bus, addr);
	while ((dev = vmmu_iobus_next(bus, &i, addr)))
		if (dev->ops->write && !dev->ops->write(vcpu, dev, addr, len, data))
			return 0;
	return -EOPNOTSUPP;
}

/**
 * vmmu_bus_write_atomic() - the same with interrupts off
 * @vcpu: own thread's, vm->srcu held
 * @nr: the bus; not the LAPIC's page
 * @addr: gpa or port
 * @len: bytes
 * @data: what
 *
 * Return: 0; -EOPNOTSUPP when nobody took it, or somebody might who can sleep.
 */
int vmmu_bus_write_atomic(struct vmmu_vcpu *vcpu, enum vmmu_bus nr, u64 addr, int len,
			  const void *data)
{
	struct vmmu_iobus *bus;
	struct vmmu_iodev *dev;
	int i;

	bus = srcu_dereference(vcpu->vm->irq.bus[nr], &vcpu->vm->srcu);
	if (!bus)
		return -EOPNOTSUPP;
	i = vmmu_iobus_last(bus, addr);
	while ((dev = vmmu_iobus_next(bus, &i, addr)) && dev->ops->atomic)
		if (!dev->ops->write(vcpu, dev, addr, len, data))
			return 0;
	return -EOPNOTSUPP;
}

/**
 * vmmu_bus_read() - offer a read to the in-kernel devices
 * @vcpu: own thread's, vm->srcu held
 * @nr: the bus
 * @addr: gpa or port
 * @len: bytes
 * @data: where to
 *
 * The LAPIC's page comes first. May sleep.
 *
 * Return: 0 when a device took it, -EOPNOTSUPP when nobody did.
 */
int vmmu_bus_read(struct vmmu_vcpu *vcpu, enum vmmu_bus nr, u64 addr, int len, void *data)
{
	struct vmmu_iobus *bus;
	struct vmmu_iodev *dev;
	int i;

	if (nr == VMMU_BUS_MMIO && vcpu->apic && !vmmu_lapic_mmio_read(vcpu, addr, len, data))
		return 0;
	bus = srcu_dereference(vcpu->vm->irq.bus[nr], &vcpu->vm->srcu);
	if (!bus)
		return -EOPNOTSUPP;
	i = vmmu_iobus_last(bus, addr);
	while ((dev = vmmu_iobus_next(bus, &i, addr)))
		if (dev->ops->read && !dev->ops->read(vcpu, dev, addr, len, data))
			return 0;
	return -EOPNOTSUPP;
}
