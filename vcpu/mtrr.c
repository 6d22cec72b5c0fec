// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which values the memory-type MSRs take. They are only kept: nested paging
 * combines the guest's PAT with our own tables, and RAM is cacheable whatever
 * a guest's MTRRs say.
 *
 * Pure functions of the value and the guest's physical address width.
 */
#include <asm/msr-index.h>
#include "msr.h"

#define MTRR_DEF_RESERVED	(~0xcffULL)
#define MTRR_BASE_RESERVED	0xf00ULL
#define MTRR_MASK_RESERVED	0x7ffULL

/* UC, WC, WT, WP, WB; 2 and 3 are reserved. */
bool vmmu_mtrr_type_legal(u8 type)
{
	return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

bool vmmu_mtrr_def_legal(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return !(val & MTRR_DEF_RESERVED) && vmmu_mtrr_type_legal(val);
}

bool vmmu_mtrr_fixed_legal(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	int i;

	for (i = 0; i < 8; i++, val >>= 8)
		if (!vmmu_mtrr_type_legal(val))
			return false;
	return true;
}

/* Even indices are bases, odd ones masks. */
bool vmmu_mtrr_var_legal(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	if (val >> vcpu->cpuid.maxphyaddr)
		return false;
	if (index & 1)
		return !(val & MTRR_MASK_RESERVED);
	return !(val & MTRR_BASE_RESERVED) && vmmu_mtrr_type_legal(val);
}

/* As MTRR types, and 7 (UC-). */
bool vmmu_pat_legal(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	int i;

	for (i = 0; i < 8; i++, val >>= 8)
		if ((u8)val != 7 && !vmmu_mtrr_type_legal(val))
			return false;
	return true;
}
