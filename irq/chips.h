/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The chips of an irqchip that is wholly in the kernel (KVM_CREATE_IRQCHIP):
 * two PICs and an I/O APIC, and the PIT beside them. For irq/ only.
 *
 * They live from KVM_CREATE_IRQCHIP (KVM_CREATE_PIT2) to the VM's end. A line
 * has several sources, each with a level of its own: the pin sees their OR.
 */
#ifndef VMMU_IRQ_CHIPS_H
#define VMMU_IRQ_CHIPS_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/spinlock.h>

#include "iobus.h"

enum vmmu_irq_source {
	VMMU_SOURCE_USER,	/* KVM_IRQ_LINE and irqfds that only signal edges */
	VMMU_SOURCE_RESAMPLE,	/* irqfds that hold the line until the EOI */
	VMMU_SOURCE_PIT,
};

#define PIC_PINS	16

struct vmmu_pic_chip {
	struct kvm_pic_state s;
	u8 acked;		/* in-service bits that ended and nobody was told of yet */
};

struct vmmu_pics {
	spinlock_t lock;	/* irqs off; all of this */
	struct vmmu_vm *vm;
	struct vmmu_pic_chip chip[2];
	u8 source[PIC_PINS];	/* by pin: enum vmmu_irq_source bits */
	bool output;		/* INTR; read without the lock */
	struct vmmu_iodev dev_master, dev_slave, dev_elcr;
};

struct vmmu_ioapic {
	spinlock_t lock;	/* irqs off; all of this */
	struct vmmu_vm *vm;
	struct kvm_ioapic_state s;
	u8 source[KVM_IOAPIC_NUM_PINS];
	/* Pins whose last message has to end with an EOI that we want to hear of: the vector
	 * that was sent, which the guest may have changed since.
	 */
	u32 waiting;
	u8 sent_vector[KVM_IOAPIC_NUM_PINS];
	unsigned long sent[256 / BITS_PER_LONG];	/* those vectors; read without the lock */
	u32 delivered;		/* edge pins whose request in irr has been sent */
	u32 listened;		/* pins whose EOI somebody listens to; READ_ONCE without the lock */
	u32 storm[KVM_IOAPIC_NUM_PINS];	/* EOIs in a row that found the line still up */
	struct delayed_work storm_work;
	struct vmmu_iodev dev;
};

struct vmmu_pit_channel {
	struct kvm_pit_channel_state s;	/* count_load_time in ns of CLOCK_MONOTONIC */
};

struct vmmu_pit {
	struct mutex lock;	/* the channels; taken before wait of the timer */
	struct vmmu_vm *vm;
	struct vmmu_pit_channel ch[3];
	u32 flags;		/* KVM_PIT_FLAGS_x */
	/* Channel 0's interrupts. */
	struct hrtimer timer;
	u64 period_ns;		/* 0: one shot; written while the timer is cancelled */
	spinlock_t tick_lock;	/* irqs off; the three below */
	bool reinject;		/* a tick that finds the last one unacknowledged waits */
	bool unacked;
	u32 missed;
	struct vmmu_irq_listener *listener;
	struct vmmu_iodev dev, dev_speaker;
};

/* Somebody who wants to know when the interrupt of a GSI ended. */
struct vmmu_irq_listener {
	struct list_head link;	/* vm->irq.listeners: irq.listen_lock, irq.srcu */
	u32 gsi;
	bool resample;		/* VMMU_SOURCE_RESAMPLE's level goes down first */
	/* Any context that an EOI has: no sleeping. */
	void (*acked)(struct vmmu_irq_listener *l);
	struct vmmu_pit *pit;	/* of the PIT's own listener */
};

struct vmmu_chips {
	struct vmmu_pics pics;
	struct vmmu_ioapic ioapic;
};

/* irq/irqchip.c; any context unless it says otherwise */
int vmmu_chip_set(struct vmmu_vm *vm, enum vmmu_irq_source source, unsigned int chip,
		  unsigned int pin, bool level);
int vmmu_irq_set(struct vmmu_vm *vm, enum vmmu_irq_source source, u32 gsi, bool level);
/* The interrupt of @pin of @chip (KVM_IRQCHIP_x) ended. */
void vmmu_irq_acked(struct vmmu_vm *vm, unsigned int chip, unsigned int pin);
/* The guest unmasked @pin of @chip. Under a chip's lock. */
void vmmu_irq_unmasked(struct vmmu_vm *vm, unsigned int chip, unsigned int pin);
/* May sleep. */
void vmmu_irq_listen(struct vmmu_vm *vm, struct vmmu_irq_listener *l);
void vmmu_irq_unlisten(struct vmmu_vm *vm, struct vmmu_irq_listener *l);
/* The VM's end, before vCPUs go: no timer or work of the chips runs or will run. May sleep. */
void vmmu_chips_stop(struct vmmu_vm *vm);
void vmmu_irq_listeners_changed(struct vmmu_vm *vm);
void vmmu_chips_destroy(struct vmmu_vm *vm);

/* INTR of the PICs, and INTA. */
bool vmmu_pic_pending(struct vmmu_vm *vm);
int vmmu_pic_vector(struct vmmu_vm *vm);

static inline struct vmmu_chips *vmmu_chips(struct vmmu_vm *vm)
{
	/* Pairs with the release in vmmu_irqchip_create(). */
	return smp_load_acquire(&vm->irq.chips);
}

/* Set @source's bit in @levels; the OR of all. */
static inline bool vmmu_source_level(u8 *levels, enum vmmu_irq_source source, bool level)
{
	if (level)
		*levels |= BIT(source);
	else
		*levels &= ~BIT(source);
	return *levels;
}

/* irq/pic.c */
void vmmu_pics_init(struct vmmu_pics *p, struct vmmu_vm *vm);
/* vm->irq.lock held, may sleep. */
int vmmu_pics_attach(struct vmmu_pics *p);
int vmmu_pic_set(struct vmmu_pics *p, enum vmmu_irq_source source, unsigned int pin, bool level);
/* INTA: the vector. */
int vmmu_pic_take(struct vmmu_pics *p);
void vmmu_pic_get_state(struct vmmu_pics *p, unsigned int chip, struct kvm_pic_state *s);
void vmmu_pic_set_state(struct vmmu_pics *p, unsigned int chip, const struct kvm_pic_state *s);

/* irq/ioapic.c */
void vmmu_ioapic_init(struct vmmu_ioapic *io, struct vmmu_vm *vm);
int vmmu_ioapic_attach(struct vmmu_ioapic *io);
void vmmu_ioapic_stop(struct vmmu_ioapic *io);
int vmmu_ioapic_set(struct vmmu_ioapic *io, enum vmmu_irq_source source, unsigned int pin,
		    bool level);
/* A LAPIC's EOI of @vector. */
void vmmu_ioapic_eoi(struct vmmu_ioapic *io, u8 vector);
void vmmu_ioapic_set_listened(struct vmmu_ioapic *io, u32 pins);
void vmmu_ioapic_get_state(struct vmmu_ioapic *io, struct kvm_ioapic_state *s);
void vmmu_ioapic_set_state(struct vmmu_ioapic *io, const struct kvm_ioapic_state *s);

/* irq/pit.c */
struct vmmu_pit *vmmu_pit_new(struct vmmu_vm *vm, u32 flags);
int vmmu_pit_attach(struct vmmu_pit *pit, bool speaker);
void vmmu_pit_destroy(struct vmmu_pit *pit);

/* irq/pit_timer.c */
void pit_timer_init(struct vmmu_pit *pit);
void pit_timer_start(struct vmmu_pit *pit);
void pit_timer_stop(struct vmmu_pit *pit);
void pit_timer_acked(struct vmmu_pit *pit);
/* The last tick's EOI may never come; nor shall ticks that wait, with @drop. */
void pit_timer_unstick(struct vmmu_pit *pit, bool drop);
void pit_timer_reinject(struct vmmu_pit *pit, bool on);

#endif
