/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's local APIC, by memory (xAPIC) or by MSR (x2APIC) as apic_enable()
 * was told. For guest code; register numbers are the memory offsets.
 */
#ifndef VMMU_SELFTEST_APIC_H
#define VMMU_SELFTEST_APIC_H

#include "cpu.h"

#define APIC_BASE_ADDRESS	0xfee00000ul

#define APIC_ID		0x020
#define APIC_LVR	0x030
#define APIC_TPR	0x080
#define APIC_PPR	0x0a0
#define APIC_EOI	0x0b0
#define APIC_LDR	0x0d0
#define APIC_DFR	0x0e0
#define APIC_SPIV	0x0f0
#define APIC_ISR	0x100
#define APIC_TMR	0x180
#define APIC_IRR	0x200
#define APIC_ESR	0x280
#define APIC_ICR	0x300
#define APIC_ICR2	0x310
#define APIC_LVTT	0x320
#define APIC_LVT0	0x350
#define APIC_LVTERR	0x370
#define APIC_TMICT	0x380
#define APIC_TMCCT	0x390
#define APIC_TDCR	0x3e0
#define APIC_SELF_IPI	0x3f0

#define ICR_FIXED	0x000
#define ICR_LOWEST	0x100
#define ICR_NMI		0x400
#define ICR_INIT	0x500
#define ICR_STARTUP	0x600
#define ICR_LOGICAL	0x800
#define ICR_ASSERT	0x4000
#define ICR_LEVEL	0x8000
#define ICR_SELF	0x40000
#define ICR_ALL		0x80000
#define ICR_OTHERS	0xc0000

#define LVT_MASKED	0x10000
#define LVT_PERIODIC	0x20000
#define LVT_DEADLINE	0x40000

/* One copy per guest; every vCPU of it uses the same mode. */
extern bool apic_x2;

static inline uint32_t apic_read(uint32_t reg)
{
	if (READ(apic_x2))
		return rdmsr(MSR_X2APIC + (reg >> 4));
	return read32((void *)(APIC_BASE_ADDRESS + reg));
}

static inline void apic_write(uint32_t reg, uint32_t value)
{
	if (READ(apic_x2))
		wrmsr(MSR_X2APIC + (reg >> 4), value);
	else
		write32((void *)(APIC_BASE_ADDRESS + reg), value);
}

/* Switch this vCPU's APIC on, spurious vector 0xff. */
static inline void apic_enable(bool x2)
{
	WRITE(apic_x2, x2);
	if (x2)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0xc00);
	apic_write(APIC_SPIV, 0x1ff);
}

static inline uint32_t apic_id(void)
{
	uint32_t id = apic_read(APIC_ID);

	return READ(apic_x2) ? id : id >> 24;
}

static inline void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

static inline void apic_ipi(uint32_t destination, uint32_t command)
{
	if (READ(apic_x2)) {
		wrmsr(MSR_X2APIC + (APIC_ICR >> 4),
		      (uint64_t)destination << 32 | command);
	} else {
		apic_write(APIC_ICR2, destination << 24);
		apic_write(APIC_ICR, command);
	}
}

/* Is bit @vector set in the 256-bit register at @reg (ISR, TMR, IRR)? */
static inline bool apic_bit(uint32_t reg, uint32_t vector)
{
	return apic_read(reg + (vector >> 5) * 0x10) >> (vector & 31) & 1;
}

/* A handler: count, and end of interrupt. */
void apic_count(struct guest_frame *frame);

#endif
