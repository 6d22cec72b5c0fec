/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the MSR noun (msr.c, msr_table.c, mtrr.c, mce.c) share.
 * Getters and setters run on the vCPU's thread with the vCPU loaded; none
 * sleeps but those of the clock. They return 0 or 1 (#GP).
 */
#ifndef VMMU_VCPU_MSR_H
#define VMMU_VCPU_MSR_H

#include "vmmu/vcpu.h"

#define VMMU_MSR_LISTED		BIT(0)	/* in KVM_GET_MSR_INDEX_LIST */
#define VMMU_MSR_FEATURE	BIT(1)	/* in KVM_GET_MSR_FEATURE_INDEX_LIST */
#define VMMU_MSR_BACKEND	BIT(2)	/* stored by the back end; here are only the checks */

#define VMMU_MSR_FEATURES	6

#define VMMU_NR_VAR_MTRR	8

/**
 * struct vmmu_msr - an MSR, or a run of alike ones
 * @first: its index
 * @last: the last of the run; 0: it is one
 * @flags: VMMU_MSR_*
 * @any_of: X86_FEATURE_*, one of which the guest must have; none: always there
 * @offset: of its u64 (the first of the run) in struct vmmu_vcpu, for the field handlers
 * @value: what the constant getter gives
 * @reserved: bits whose setting is #GP
 * @legal: further test of a value to be written
 * @get: NULL: reading is #GP
 * @set: NULL: writing is #GP
 */
struct vmmu_msr {
	u32 first;
	u32 last;
	u16 flags;
	u16 any_of[VMMU_MSR_FEATURES];
	u16 offset;
	u64 value;
	u64 reserved;
	bool (*legal)(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host);
	int (*get)(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host);
	int (*set)(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host);
};

/* Sorted by index, no overlap. */
extern const struct vmmu_msr vmmu_msr_table[];
extern const unsigned int vmmu_msr_table_len;

const struct vmmu_msr *vmmu_msr_find(u32 index);

static inline u32 vmmu_msr_last(const struct vmmu_msr *m)
{
	return m->last ?: m->first;
}

/* What IA32_ARCH_CAPABILITIES and DE_CFG of this host let a guest see. */
u64 vmmu_arch_capabilities(void);
u64 vmmu_de_cfg(void);

/* mtrr.c: SDM vol. 3, 12.11; the PAT's entries by 12.12. */
bool vmmu_mtrr_type_legal(u8 type);
bool vmmu_mtrr_def_legal(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host);
bool vmmu_mtrr_fixed_legal(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host);
bool vmmu_mtrr_var_legal(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host);
bool vmmu_pat_legal(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host);

/* mce.c */
int vmmu_mce_create(struct vmmu_vcpu *vcpu);
void vmmu_mce_destroy(struct vmmu_vcpu *vcpu);
int vmmu_mce_get(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host);
int vmmu_mce_set(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host);
int vmmu_mcg_ctl_get(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host);
int vmmu_mcg_ctl_set(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host);

#endif
