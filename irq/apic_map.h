/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a destination to the set of LAPICs that it names, for irq/ only.
 */
#ifndef VMMU_IRQ_APIC_MAP_H
#define VMMU_IRQ_APIC_MAP_H

#include "lapic.h"

#define XAPIC_BROADCAST		0xffU
#define X2APIC_BROADCAST	0xffffffffU

/* What decides whether a LAPIC is a message's destination. */
struct vmmu_apic_view {
	bool enabled;		/* in IA32_APIC_BASE */
	bool x2apic;
	bool cluster;		/* xAPIC's destination format */
	u8 xapic_id;
	u8 xapic_ldr;
	u32 x2apic_id;
};

/* A snapshot: bit n of each mask is the LAPIC in slot n. Never changed once published. */
struct vmmu_apic_map {
	struct rcu_head rcu;
	u64 xapic_all;
	u64 x2apic_all;
	u64 flat[8];		/* xAPIC flat: by bit of the destination */
	u64 cluster[16][4];	/* xAPIC cluster: by cluster, by bit */
	u32 nr_phys;
	u64 phys[] __counted_by(nr_phys);	/* by physical id */
};

void vmmu_apic_view(const struct vmmu_lapic *apic, struct vmmu_apic_view *view);
/* Does @msg go to @view? The manual's rules, one LAPIC at a time. */
bool vmmu_apic_match(const struct vmmu_apic_view *view, const struct vmmu_apic_msg *msg,
		     bool msi_broadcast);

struct vmmu_apic_map *vmmu_apic_map_alloc(u32 max_id);
void vmmu_apic_map_add(struct vmmu_apic_map *map, unsigned int slot,
		       const struct vmmu_apic_view *view);
/* The slots that @msg goes to. */
u64 vmmu_apic_map_lookup(const struct vmmu_apic_map *map, const struct vmmu_apic_msg *msg,
			 bool msi_broadcast);

/* May sleep. A LAPIC's mode, id, LDR or DFR changed. */
void vmmu_apic_map_update(struct vmmu_vm *vm);
int vmmu_apic_map_join(struct vmmu_lapic *apic);
void vmmu_apic_map_leave(struct vmmu_lapic *apic);

#endif
