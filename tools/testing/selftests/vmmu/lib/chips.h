/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PICs and I/O APIC, as guest code programs them, and the lines that the host
 * drives. The PICs' vectors are PIC_VEC and up.
 */
#ifndef VMMU_SELFTEST_CHIPS_H
#define VMMU_SELFTEST_CHIPS_H

#include "apic.h"
#include "guest.h"

#define PIC_VEC		0x40
#define PIC_CMD(slave)	((slave) ? 0xa0 : 0x20)
#define PIC_DATA(slave)	((slave) ? 0xa1 : 0x21)
#define PIC_EOI		0x20
#define PIC_READ_IRR	0x0a
#define PIC_READ_ISR	0x0b
#define PIC_POLL	0x0c
#define ELCR		0x4d0
#define LVT_EXTINT	0x700

#define IOAPIC_ADDRESS	0xfec00000ul
#define IOAPIC_MASKED	0x10000
#define IOAPIC_LEVEL	0x8000
#define IOAPIC_REMOTE_IRR 0x4000
#define IOAPIC_LOGICAL	0x800
#define IOAPIC_LOWEST	0x100

/* ---- guest ---- */

static inline void pic_setup(bool slave, uint8_t icw4)
{
	outb(PIC_CMD(slave), 0x11);
	outb(PIC_DATA(slave), PIC_VEC + (slave ? 8 : 0));
	outb(PIC_DATA(slave), slave ? 2 : 4);
	outb(PIC_DATA(slave), icw4);
	outb(PIC_DATA(slave), 0);
}

/* Both PICs, nothing masked, into this vCPU by LVT0. Handlers only count. */
static inline void pics_setup(void)
{
	int i;

	for (i = 0; i < 16; i++)
		guest_handler[PIC_VEC + i] = guest_count;
	pic_setup(false, 1);
	pic_setup(true, 1);
	apic_enable(false);
	apic_write(APIC_LVT0, LVT_EXTINT);
}

static inline uint8_t pic_reg(bool slave, uint8_t ocw3)
{
	outb(PIC_CMD(slave), ocw3);
	return inb(PIC_CMD(slave));
}

static inline uint32_t ioapic_read(uint8_t index)
{
	write32((void *)IOAPIC_ADDRESS, index);
	return read32((void *)(IOAPIC_ADDRESS + 0x10));
}

static inline void ioapic_write(uint8_t index, uint32_t value)
{
	write32((void *)IOAPIC_ADDRESS, index);
	write32((void *)(IOAPIC_ADDRESS + 0x10), value);
}

static inline uint32_t ioapic_entry(int pin)
{
	return ioapic_read(0x10 + 2 * pin);
}

static inline void ioapic_set(int pin, uint8_t dest, uint32_t low)
{
	ioapic_write(0x11 + 2 * pin, (uint32_t)dest << 24);
	ioapic_write(0x10 + 2 * pin, low);
}

/* Take what is deliverable now. */
static inline void window(void)
{
	asm volatile("sti; nop; nop; nop; cli" : : : "memory");
}

static inline uint64_t taken(int vector)
{
	return READ(this_cpu()->count[vector]);
}

/* ---- host ---- */

/* KVM_IRQ_LINE_STATUS: the status. */
static inline int line(struct guest *g, uint32_t gsi, uint32_t level)
{
	struct kvm_irq_level l = { .irq = gsi, .level = level };

	if (ioctl(g->vm, KVM_IRQ_LINE_STATUS, &l))
		DIE("KVM_IRQ_LINE_STATUS %u: %m", gsi);
	return l.status;
}

static inline void wait_taken(struct guest *g, int cpu, int vector, uint64_t n)
{
	uint64_t *count = &guest_var(g, guest_cpus[cpu].count[vector]);
	uint64_t end = now_ns() + 10000000000;

	while (READ(*count) < n) {
		if (now_ns() > end)
			DIE("vCPU %d has %lu of %lu interrupts %#x", cpu,
			    (long)*count, (long)n, vector);
		usleep(200);
	}
}

#endif
