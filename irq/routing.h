/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GSI routing, for irq/ only: where an interrupt line of user space leads.
 */
#ifndef VMMU_IRQ_ROUTING_H
#define VMMU_IRQ_ROUTING_H

#include "lapic.h"

#define VMMU_MAX_GSIS	4096
#define VMMU_MAX_ROUTES	4096

/* irq/msi.c */
struct vmmu_msi {
	u32 address_lo;
	u32 address_hi;
	u32 data;
};

/* Does @msi use address bits that mean nothing in this VM? */
bool vmmu_msi_invalid(struct vmmu_vm *vm, const struct vmmu_msi *msi);
void vmmu_msi_decode(const struct vmmu_msi *msi, bool ext_dest, struct vmmu_apic_msg *msg);
/* How many LAPICs took it, -EPERM when there was nobody at all; any context. */
int vmmu_msi_send(struct vmmu_vm *vm, const struct vmmu_msi *msi);

/* One way out of a GSI. A GSI has one MSI, or up to one pin of each chip. */
struct vmmu_irq_route {
	u32 type;		/* KVM_IRQ_ROUTING_x */
	u16 next;		/* of the same GSI: index + 1, 0 ends */
	u8 chip;		/* KVM_IRQ_ROUTING_IRQCHIP: KVM_IRQCHIP_x */
	u8 pin;
	struct vmmu_msi msi;	/* KVM_IRQ_ROUTING_MSI */
};

/* A snapshot; never changed once published. */
struct vmmu_irq_routing {
	u32 nr;
	u16 head[VMMU_MAX_GSIS];	/* index + 1 of the GSI's first route, 0: none */
	struct vmmu_irq_route route[] __counted_by(nr);
};

/* Does @gsi lead to @pin of @chip? @table may be NULL. */
bool vmmu_route_has_pin(const struct vmmu_irq_routing *table, u32 gsi, unsigned int chip,
			unsigned int pin);
/* 0, or -EINVAL: this VM cannot have the entry. */
int vmmu_route_check(struct vmmu_vm *vm, const struct kvm_irq_routing_entry *e);
/* The table for @entries, or ERR_PTR(-EINVAL, -ENOMEM). */
struct vmmu_irq_routing *vmmu_routing_build(struct vmmu_vm *vm,
					    const struct kvm_irq_routing_entry *entries,
					    unsigned int nr);

#endif
