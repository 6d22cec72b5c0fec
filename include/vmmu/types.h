/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words that every room uses: address types, page levels, verdicts.
 * No state lives here and nothing here may sleep.
 *
 * gva: guest virtual address	gpa/gfn: guest physical address/frame
 * hva: host virtual address	hpa/pfn: host physical address/frame
 */
#ifndef VMMU_TYPES_H
#define VMMU_TYPES_H

#include <linux/types.h>
#include <linux/mm.h>
#include <linux/kvm.h>
#include <linux/kvm_types.h>

struct vmmu_vm;
struct vmmu_vcpu;
struct vmmu_memslot;
struct vmmu_memslots;

#define VMMU_INVALID_GPA	(~(gpa_t)0)
#define VMMU_ERROR_HVA		(~0UL)

/* Page-table levels; a leaf at level n maps 512^(n-1) pages of 4 KiB. */
enum vmmu_level {
	VMMU_LEVEL_NONE = 0,
	VMMU_LEVEL_4K = 1,
	VMMU_LEVEL_2M = 2,
	VMMU_LEVEL_1G = 3,
	VMMU_LEVEL_PML4 = 4,
	VMMU_LEVEL_PML5 = 5,
};

#define VMMU_LEVEL_SHIFT(level)		(PAGE_SHIFT + 9 * ((level) - 1))
#define VMMU_PAGES_PER_LEVEL(level)	(1UL << (9 * ((level) - 1)))

static inline gfn_t gpa_to_gfn(gpa_t gpa)
{
	return gpa >> PAGE_SHIFT;
}

static inline gpa_t gfn_to_gpa(gfn_t gfn)
{
	return (gpa_t)gfn << PAGE_SHIFT;
}

/* The first gfn of the page of @level that holds @gfn. */
static inline gfn_t gfn_round(gfn_t gfn, int level)
{
	return gfn & ~(gfn_t)(VMMU_PAGES_PER_LEVEL(level) - 1);
}

/* General registers in the order in which instructions encode them. */
enum vmmu_reg {
	VMMU_RAX, VMMU_RCX, VMMU_RDX, VMMU_RBX,
	VMMU_RSP, VMMU_RBP, VMMU_RSI, VMMU_RDI,
	VMMU_R8, VMMU_R9, VMMU_R10, VMMU_R11,
	VMMU_R12, VMMU_R13, VMMU_R14, VMMU_R15,
	VMMU_NR_REGS,
};

/* Segment registers in the order in which instructions encode them. */
enum vmmu_seg {
	VMMU_SEG_ES, VMMU_SEG_CS, VMMU_SEG_SS,
	VMMU_SEG_DS, VMMU_SEG_FS, VMMU_SEG_GS,
	VMMU_SEG_LDTR, VMMU_SEG_TR,
	VMMU_NR_SEGS,
};

/* Page-fault error code: AMD APM vol. 2, 8.4.2 and 15.25.6; Intel SDM vol. 3, 4.7. */
#define VMMU_PFERR_PRESENT	BIT_ULL(0)
#define VMMU_PFERR_WRITE	BIT_ULL(1)
#define VMMU_PFERR_USER		BIT_ULL(2)
#define VMMU_PFERR_RSVD		BIT_ULL(3)
#define VMMU_PFERR_FETCH	BIT_ULL(4)
#define VMMU_PFERR_PK		BIT_ULL(5)
/* Set by nested paging only: which walk faulted. */
#define VMMU_PFERR_GUEST_FINAL	BIT_ULL(32)
#define VMMU_PFERR_GUEST_PAGE	BIT_ULL(33)
/* Ours: an access that the processor makes as supervisor at any CPL (descriptor tables). */
#define VMMU_PFERR_IMPLICIT	BIT_ULL(48)

/**
 * enum vmmu_verdict - the closed set of answers of the fault path
 * @VMMU_RETRY: the mapping is there, or the world changed: run the guest again
 * @VMMU_EMULATE: the instruction must be emulated (MMIO, read-only slot)
 * @VMMU_EXIT_TO_USER: vcpu->run says why
 * @VMMU_INJECT: the guest's own fault; already queued on the vCPU
 *
 * A negative errno may stand in its place where a function says so.
 */
enum vmmu_verdict {
	VMMU_RETRY,
	VMMU_EMULATE,
	VMMU_EXIT_TO_USER,
	VMMU_INJECT,
};

/* An exception on its way to the guest, as a walker or the emulator reports it. */
struct vmmu_exception {
	u8 vector;
	bool has_error;
	u32 error;
	u64 address;		/* #PF: the linear address for CR2 */
};

#endif
