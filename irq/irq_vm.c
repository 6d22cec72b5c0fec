// SPDX-License-Identifier: GPL-2.0-only
/*
 * The irq room's part in the life of the module and of a VM.
 *
 * A VM ends in steps. vmmu_irq_vm_release(): no eventfd calls back any more, so
 * that nothing from outside reaches a LAPIC; vmmu_irq_vm_stop(): nor does the PIT
 * or the I/O APIC; then the vCPUs go, each with its LAPIC; then
 * vmmu_irq_vm_destroy() frees the rest.
 */
#include <linux/slab.h>

#include "apic_map.h"
#include "chips.h"
#include "coalesced.h"
#include "eventfd.h"
#include "iobus.h"
#include "routing.h"

int vmmu_irq_module_init(void)
{
	return vmmu_irqfd_module_init();
}

void vmmu_irq_module_exit(void)
{
	vmmu_irqfd_module_exit();
}

/**
 * vmmu_irq_vm_init() - a new VM: no irqchip, no routes, empty buses
 * @vm: zeroed
 *
 * Return: 0, -ENOMEM; then neither release nor destroy may be called.
 */
int vmmu_irq_vm_init(struct vmmu_vm *vm)
{
	struct vmmu_irq_vm *irq = &vm->irq;
	int r;

	mutex_init(&irq->lock);
	mutex_init(&irq->apic_map_lock);
	spin_lock_init(&irq->irqfd_lock);
	INIT_LIST_HEAD(&irq->irqfds);
	INIT_LIST_HEAD(&irq->ioeventfds);
	mutex_init(&irq->listen_lock);
	INIT_LIST_HEAD(&irq->listeners);
	r = vmmu_coalesced_init(vm);
	if (r)
		return r;
	r = init_srcu_struct(&irq->srcu);
	if (r)
		vmmu_coalesced_destroy(vm);
	return r;
}

/**
 * vmmu_irq_vm_release() - nothing from outside reaches this VM's LAPICs any more
 * @vm: its file is closed: no ioctl of the VM; vCPUs may still run
 *
 * May sleep; callable twice.
 */
void vmmu_irq_vm_release(struct vmmu_vm *vm)
{
	vmmu_irqfd_release(vm);
}

/**
 * vmmu_irq_vm_stop() - no timer of the in-kernel chips looks for vCPUs any more
 * @vm: nobody uses it but us; its vCPUs are about to go
 */
void vmmu_irq_vm_stop(struct vmmu_vm *vm)
{
	vmmu_chips_stop(vm);
}

/**
 * vmmu_irq_vm_destroy() - free what the VM had of this room
 * @vm: released, its vCPUs destroyed; vm->srcu still works
 */
void vmmu_irq_vm_destroy(struct vmmu_vm *vm)
{
	struct vmmu_irq_vm *irq = &vm->irq;
	unsigned int i;

	vmmu_ioeventfd_release(vm);
	vmmu_coalesced_destroy(vm);
	vmmu_chips_destroy(vm);
	for (i = 0; i < VMMU_NR_BUSES; i++)
		kvfree(rcu_dereference_protected(irq->bus[i], true));
	kvfree(rcu_dereference_protected(irq->routing, true));
	/* The last vCPU left NULL behind, unless there never was one. */
	WARN_ON_ONCE(rcu_access_pointer(irq->apic_map));
	cleanup_srcu_struct(&irq->srcu);
	mutex_destroy(&irq->apic_map_lock);
	mutex_destroy(&irq->listen_lock);
	mutex_destroy(&irq->lock);
}

/**
 * vmmu_irqchip_split() - KVM_CAP_SPLIT_IRQCHIP: local APICs here, the rest in user space
 * @vm: vm->lock held
 * @nr_pins: how many GSIs from 0 on are pins of the user-space I/O APIC
 *
 * Return: 0; -EINVAL for too many pins, -EEXIST when the VM has an irqchip or a
 * vCPU already.
 */
int vmmu_irqchip_split(struct vmmu_vm *vm, u64 nr_pins)
{
	if (nr_pins > VMMU_MAX_GSIS)
		return -EINVAL;
	if (vm->irq.mode != VMMU_IRQCHIP_NONE || vm->nr_vcpus)
		return -EEXIST;
	vm->irq.nr_reserved_ioapic_pins = nr_pins;
	WRITE_ONCE(vm->irq.mode, VMMU_IRQCHIP_SPLIT);
	return 0;
}
