/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Geometry of the XSAVE area, shared by vcpu/fpu.c and vcpu/cpuid.c, and the
 * pure checks of what user space hands in. Nothing here touches registers.
 */
#ifndef VMMU_VCPU_XSTATE_H
#define VMMU_VCPU_XSTATE_H

#include <asm/fpu/types.h>
#include "vmmu/types.h"

/* Components that we let a guest have; MPX is dead, AMX needs XFD. */
#define VMMU_XCR0_MASK	((u64)(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM | \
			       XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU))
/* ... and those that XSAVE and XRSTOR move for us; PKRU is switched by hand. */
#define VMMU_XSAVE_MASK	(VMMU_XCR0_MASK & ~(u64)XFEATURE_MASK_PKRU)

#define VMMU_XSAVE_MIN_SIZE	(sizeof(struct fxregs_state) + sizeof(struct xstate_header))

static_assert(sizeof(struct fxregs_state) == 512);
static_assert(sizeof(struct xstate_header) == 64);
static_assert(offsetof(struct xregs_state, extended_state_area) == VMMU_XSAVE_MIN_SIZE);

/* With one of these in its header, an area's MXCSR counts. */
#define VMMU_MXCSR_MASK	((u64)(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM))

/* Where a component lies in the standard format, and how the compacted one packs it. */
struct vmmu_xcomp {
	u16 offset;
	u16 size;
	bool align64;
};

/**
 * vmmu_xcomp_get() - geometry of extended component @nr (2..63)
 *
 * Return: NULL when vmmu_supported_xcr0() does not have it.
 */
const struct vmmu_xcomp *vmmu_xcomp_get(unsigned int nr);

/* Bytes that the standard and the compacted format take for @xcr0. */
u32 vmmu_xstate_size(u64 xcr0);
u32 vmmu_xstate_compacted_size(u64 xcr0);

/**
 * vmmu_xsave_check() - may @x be loaded as guest state?
 * @supported: bits that its header may have
 * @mxcsr_mask: MXCSR bits that the processor has
 *
 * Return: 0 or -EINVAL.
 */
int vmmu_xsave_check(const struct xregs_state *x, u64 supported, u32 mxcsr_mask);

/* Is @xcr0 a value that XSETBV takes, and within @supported? (SDM vol. 1, 13.3) */
bool vmmu_xcr0_valid(u64 xcr0, u64 supported);

#endif
