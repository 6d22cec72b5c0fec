// SPDX-License-Identifier: GPL-2.0-only
/*
 * Message-signalled interrupts: from address and data to a message to LAPICs.
 *
 * Nothing here sleeps or holds a lock. Intel SDM vol. 3, 11.11; with 32-bit
 * destination ids (KVM_CAP_X2APIC_API) address_hi holds their bits 31..8.
 */
#include "routing.h"

#define MSI_LO_LOGICAL		BIT(2)
#define MSI_LO_REDIRECT		BIT(3)
#define MSI_LO_DEST_SHIFT	12
#define MSI_DATA_LEVEL		BIT(15)

bool vmmu_msi_invalid(struct vmmu_vm *vm, const struct vmmu_msi *msi)
{
	return READ_ONCE(vm->irq.x2apic_format) && (msi->address_hi & 0xff);
}

void vmmu_msi_decode(const struct vmmu_msi *msi, bool ext_dest, struct vmmu_apic_msg *msg)
{
	u8 mode = (msi->data & APIC_MODE_MASK) >> 8;

	*msg = (struct vmmu_apic_msg) {
		.dest = (msi->address_lo >> MSI_LO_DEST_SHIFT) & 0xff,
		.vector = msi->data & APIC_VECTOR_MASK,
		.mode = mode,
		.logical = msi->address_lo & MSI_LO_LOGICAL,
		.level = msi->data & MSI_DATA_LEVEL,
		.lowest = mode == APIC_DELIVERY_MODE_LOWESTPRIO ||
			  (msi->address_lo & MSI_LO_REDIRECT),
		.msi = true,
	};
	if (ext_dest)
		msg->dest |= msi->address_hi & 0xffffff00;
}

int vmmu_msi_send(struct vmmu_vm *vm, const struct vmmu_msi *msi)
{
	struct vmmu_apic_msg msg;
	int nr;

	vmmu_msi_decode(msi, READ_ONCE(vm->irq.x2apic_format), &msg);
	/* A start-up IPI has no MSI. */
	if (msg.mode << 8 == APIC_DM_STARTUP)
		return 0;
	nr = lapic_deliver(vm, &msg);
	if (!nr && lapic_nobody(vm, &msg))
		return -EPERM;
	return nr;
}

/**
 * vmmu_signal_msi() - KVM_SIGNAL_MSI
 * @vm: the VM
 * @args: user space's argument, copied in
 *
 * Return: how many LAPICs took it, 0 when none did; -EPERM when it was for all and none
 * was there; -EINVAL.
 */
int vmmu_signal_msi(struct vmmu_vm *vm, const struct kvm_msi *args)
{
	struct vmmu_msi msi = {
		.address_lo = args->address_lo,
		.address_hi = args->address_hi,
		.data = args->data,
	};

	if (READ_ONCE(vm->irq.mode) == VMMU_IRQCHIP_NONE || args->flags & ~KVM_MSI_VALID_DEVID ||
	    vmmu_msi_invalid(vm, &msi))
		return -EINVAL;
	return vmmu_msi_send(vm, &msi);
}
