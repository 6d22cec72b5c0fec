/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What cpuid_table.c (what we can virtualise on this host) and cpuid.c (what
 * one guest was given) share. Pure but for the CPUID instruction.
 */
#ifndef VMMU_VCPU_CPUID_H
#define VMMU_VCPU_CPUID_H

#include "vmmu/vcpu.h"

enum vmmu_cpuid_reg { VMMU_EAX, VMMU_EBX, VMMU_ECX, VMMU_EDX };

/**
 * struct vmmu_cpuid_word - one register of feature bits that Linux names
 * @function: its leaf
 * @index: its subleaf
 * @word: in the kernel's numbering (X86_FEATURE_x / 32)
 * @reg: which register
 * @allowed: bits that a guest may have when the host has them enabled
 * @ours: bits that we provide whatever the host has
 */
struct vmmu_cpuid_word {
	u32 function;
	u8 index;
	u8 word;
	u8 reg;
	u32 allowed;
	u32 ours;
};

extern const struct vmmu_cpuid_word vmmu_cpuid_words[];
extern const unsigned int vmmu_cpuid_nr_words;

static inline u32 *vmmu_cpuid_reg(struct kvm_cpuid_entry2 *e, enum vmmu_cpuid_reg reg)
{
	u32 *const regs[] = { &e->eax, &e->ebx, &e->ecx, &e->edx };

	return regs[reg];
}

static inline u32 vmmu_cpuid_value(const struct kvm_cpuid_entry2 *e, enum vmmu_cpuid_reg reg)
{
	const u32 regs[] = { e->eax, e->ebx, e->ecx, e->edx };

	return regs[reg];
}

/* Does @e answer for (@function, @index)? */
static inline bool vmmu_cpuid_match(const struct kvm_cpuid_entry2 *e, u32 function, u32 index)
{
	return e->function == function &&
	       (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index);
}

/* Could two entries answer for the same CPUID? */
bool vmmu_cpuid_has_duplicates(const struct kvm_cpuid_entry2 *entries, int nr);
/* Is the set as a whole one that a guest can be given? 0 or -EINVAL. */
int vmmu_cpuid_check(const struct kvm_cpuid_entry2 *entries, int nr);
/* CR4, EFER and XCR0 limits, address width and feature words from @entries. */
void vmmu_cpuid_derive(struct vmmu_cpuid *out, const struct kvm_cpuid_entry2 *entries, int nr);

#endif
