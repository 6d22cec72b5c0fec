/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * irq/: local APIC, routing, MSIs, irqfd, ioeventfd and the I/O bus (later also
 * I/O APIC, PIC, PIT).
 */
#ifndef VMMU_IRQ_H
#define VMMU_IRQ_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include "vmmu/memslot.h"
#include "vmmu/types.h"

struct vmmu_lapic;
struct vmmu_irq_routing;
struct vmmu_apic_map;
struct vmmu_chips;
struct vmmu_iobus;
struct vmmu_pit;

enum vmmu_irqchip {
	VMMU_IRQCHIP_NONE,
	VMMU_IRQCHIP_SPLIT,	/* LAPIC here, the rest in user space */
	VMMU_IRQCHIP_KERNEL,
};

enum vmmu_bus { VMMU_BUS_MMIO, VMMU_BUS_PIO, VMMU_NR_BUSES };

/* A slot per LAPIC, so that a set of destinations is one 64-bit mask. */
#define VMMU_MAX_LAPICS		64

/* Embedded in struct vmmu_vm; the irq room owns the fields. */
struct vmmu_irq_vm {
	enum vmmu_irqchip mode;			/* vm->lock; set before vCPUs exist */
	u16 nr_reserved_ioapic_pins;		/* vm->lock: KVM_CAP_SPLIT_IRQCHIP's argument */
	struct mutex lock;			/* routing, irqfds, ioeventfds, buses */
	struct srcu_struct srcu;		/* readers of routing: short, any context */
	struct vmmu_irq_routing __rcu *routing;	/* srcu; written under lock */
	struct mutex apic_map_lock;
	struct vmmu_apic_map __rcu *apic_map;	/* RCU; written under apic_map_lock; may be NULL */
	struct vmmu_lapic __rcu *lapics[VMMU_MAX_LAPICS];	/* likewise; by slot */
	bool x2apic_format;			/* KVM_CAP_X2APIC_API, 32-bit ids */
	bool x2apic_no_broadcast_quirk;
	struct vmmu_iobus __rcu *bus[VMMU_NR_BUSES];	/* vm->srcu, written under lock */
	spinlock_t irqfd_lock;			/* inside an eventfd's wait-queue lock, irqs off */
	struct list_head irqfds;		/* irqfd_lock */
	struct list_head ioeventfds;		/* lock */
	struct vmmu_chips *chips;		/* KVM_CREATE_IRQCHIP's; set once, with release */
	struct vmmu_pit *pit;			/* KVM_CREATE_PIT2's; likewise */
	struct mutex listen_lock;		/* inside lock: listeners */
	struct list_head listeners;		/* for the end of a GSI's interrupt; srcu */
	struct kvm_coalesced_mmio_ring *ring;	/* a page, constant; shared with user space */
	spinlock_t ring_lock;			/* writers of the ring */
	struct list_head zones;			/* lock: coalesced ranges */
};

/* Embedded in struct vmmu_vcpu; irq/pv_eoi.c owns the fields; own thread. */
struct vmmu_pv_eoi {
	u64 msr;			/* MSR_KVM_PV_EOI_EN */
	struct vmmu_gpa_cache word;	/* valid while msr says enabled */
	bool offered;			/* the bit was set for this turn */
};

int vmmu_irq_module_init(void);
void vmmu_irq_module_exit(void);
int vmmu_irq_vm_init(struct vmmu_vm *vm);
/* First half: no more eventfd callbacks (before vCPUs go; callable twice); second half frees. */
void vmmu_irq_vm_release(struct vmmu_vm *vm);
/* Once, when nobody uses the VM any more, before its vCPUs go. */
void vmmu_irq_vm_stop(struct vmmu_vm *vm);
void vmmu_irq_vm_destroy(struct vmmu_vm *vm);

/* KVM_CAP_SPLIT_IRQCHIP: 0 or errno; vm->lock held. */
int vmmu_irqchip_split(struct vmmu_vm *vm, u64 nr_pins);
/* KVM_CREATE_IRQCHIP, KVM_CREATE_PIT2; vm->lock held. */
int vmmu_irqchip_create(struct vmmu_vm *vm);
int vmmu_pit_create(struct vmmu_vm *vm, u32 flags);
/* KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, KVM_GET_PIT2, KVM_SET_PIT2, KVM_REINJECT_CONTROL. */
int vmmu_irqchip_get_state(struct vmmu_vm *vm, struct kvm_irqchip *chip);
int vmmu_irqchip_set_state(struct vmmu_vm *vm, const struct kvm_irqchip *chip);
int vmmu_pit_get_state(struct vmmu_vm *vm, struct kvm_pit_state2 *s);
int vmmu_pit_set_state(struct vmmu_vm *vm, const struct kvm_pit_state2 *s);
int vmmu_pit_reinject(struct vmmu_vm *vm, bool on);
/* KVM_(UN)REGISTER_COALESCED_MMIO; the ring's page, for the vCPUs' mapping. */
int vmmu_coalesced_register(struct vmmu_vm *vm, const struct kvm_coalesced_mmio_zone *zone);
int vmmu_coalesced_unregister(struct vmmu_vm *vm, const struct kvm_coalesced_mmio_zone *zone);
struct page *vmmu_coalesced_page(struct vmmu_vm *vm);
int vmmu_set_gsi_routing(struct vmmu_vm *vm, const struct kvm_irq_routing_entry *entries,
			 unsigned int nr, unsigned int flags);
/* KVM_SIGNAL_MSI: how many LAPICs took it, or errno. */
int vmmu_signal_msi(struct vmmu_vm *vm, const struct kvm_msi *msi);
/* KVM_IRQ_LINE(_STATUS): the status: how many took it, -1 nobody could; any context. */
int vmmu_irq_line(struct vmmu_vm *vm, u32 gsi, bool level);
int vmmu_irqfd(struct vmmu_vm *vm, const struct kvm_irqfd *args);
int vmmu_ioeventfd(struct vmmu_vm *vm, const struct kvm_ioeventfd *args);

/* In-kernel I/O. 0: a device took it; -EOPNOTSUPP: nobody did. vm->srcu held. */
int vmmu_bus_write(struct vmmu_vcpu *vcpu, enum vmmu_bus bus, u64 addr, int len,
		   const void *data);
/* With interrupts off: only to devices that can. */
int vmmu_bus_write_atomic(struct vmmu_vcpu *vcpu, enum vmmu_bus bus, u64 addr, int len,
			  const void *data);
int vmmu_bus_read(struct vmmu_vcpu *vcpu, enum vmmu_bus bus, u64 addr, int len, void *data);

/* IA32_APIC_BASE after RESET: at the usual place, enabled; the boot processor adds BSP. */
#define VMMU_APIC_BASE_DEFAULT	(0xfee00000ULL | BIT_ULL(11))

/* ---- local APIC ---- (vcpu->apic is NULL without one) */
int vmmu_lapic_create(struct vmmu_vcpu *vcpu);
void vmmu_lapic_destroy(struct vmmu_vcpu *vcpu);
void vmmu_lapic_reset(struct vmmu_vcpu *vcpu, bool init);
/* xAPIC page: does @gpa belong to the enabled xAPIC of this vCPU? Then read/write (the bus calls
 * these first). 0 or -EOPNOTSUPP.
 */
int vmmu_lapic_mmio_read(struct vmmu_vcpu *vcpu, gpa_t gpa, int len, void *data);
int vmmu_lapic_mmio_write(struct vmmu_vcpu *vcpu, gpa_t gpa, int len, const void *data);
/* x2APIC MSRs 0x800-0x8ff and IA32_TSC_DEADLINE: 0, or 1 for #GP. */
int vmmu_lapic_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val);
int vmmu_lapic_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val);
u64 vmmu_lapic_get_base(struct vmmu_vcpu *vcpu);
/* IA32_APIC_BASE with the architecture's transitions; @host: KVM_SET_*. 0 or 1 (#GP). */
int vmmu_lapic_set_base(struct vmmu_vcpu *vcpu, u64 val, bool host);
u64 vmmu_lapic_get_tpr(struct vmmu_vcpu *vcpu);		/* as CR8, 0..15 */
void vmmu_lapic_set_tpr(struct vmmu_vcpu *vcpu, u64 cr8);
int vmmu_lapic_get_state(struct vmmu_vcpu *vcpu, struct kvm_lapic_state *s);
int vmmu_lapic_set_state(struct vmmu_vcpu *vcpu, const struct kvm_lapic_state *s);
/* CPUID changed: deadline mode, x2APIC ... */
void vmmu_lapic_cpuid_changed(struct vmmu_vcpu *vcpu);
/* The vCPU is to be run on another CPU: migrate hrtimers; preemption off. */
void vmmu_lapic_migrate_timer(struct vmmu_vcpu *vcpu);

/* Serve VMMU_REQ_TIMER etc.: turn expired timers into pending vectors. Own thread. */
void vmmu_lapic_service(struct vmmu_vcpu *vcpu);
/* INIT and SIPI that arrived: act on them. Own thread, may sleep. 0 or errno. */
int vmmu_lapic_accept_init_sipi(struct vmmu_vcpu *vcpu);
/* INIT or SIPI pending? Any thread. */
bool vmmu_lapic_has_init_sipi(struct vmmu_vcpu *vcpu);
/* KVM_SET_VCPU_EVENTS, KVM_SET_MP_STATE: restore the SIPI vector; pend a SIPI. */
void vmmu_lapic_set_sipi_vector(struct vmmu_vcpu *vcpu, u8 vector);
void vmmu_lapic_pend_sipi(struct vmmu_vcpu *vcpu);
/* An EOI that the user-space I/O APIC must see: its vector. Own thread. */
bool vmmu_lapic_eoi_exit_pending(struct vmmu_vcpu *vcpu, u8 *vector);
/* Highest deliverable vector (IRR against PPR) or -1; pure look, any thread. */
int vmmu_lapic_find_irq(struct vmmu_vcpu *vcpu);
/* Move it from IRR to ISR and return it, or -1. Own thread. */
int vmmu_lapic_ack_irq(struct vmmu_vcpu *vcpu);
/* Highest vector in IRR regardless of PPR, or -1 (for update_tpr). */
int vmmu_lapic_highest_irr(struct vmmu_vcpu *vcpu);
/* LVT0 lets ExtINT through to this vCPU (user-space PIC with KVM_INTERRUPT). */
bool vmmu_lapic_accepts_extint(struct vmmu_vcpu *vcpu);
/* Which EOIs exit to a user-space I/O APIC (KVM_EXIT_IOAPIC_EOI): serves VMMU_REQ_EOI_EXIT. */
void vmmu_lapic_scan_routes(struct vmmu_vcpu *vcpu);

/* MSR_KVM_PV_EOI_EN: 0, or 1 for #GP. Also without a LAPIC, to no effect. */
int vmmu_pv_eoi_set_msr(struct vmmu_vcpu *vcpu, u64 val);
/* Around a turn in the guest: may it end the interrupt in service without an exit? Has it? */
void vmmu_pv_eoi_offer(struct vmmu_vcpu *vcpu);
void vmmu_pv_eoi_settle(struct vmmu_vcpu *vcpu);

/* The interrupt that the vCPU should take now, from LAPIC or KVM_INTERRUPT. */
bool vmmu_irq_pending(struct vmmu_vcpu *vcpu);
/* Take it: vector or -1. */
int vmmu_irq_take(struct vmmu_vcpu *vcpu);

#endif
