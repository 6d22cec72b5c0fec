/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * paging/: the guest's page tables. Walkers for 2-level, PAE, 4- and 5-level,
 * permission rules, accessed/dirty update, gva->gpa. Knows nothing of SPTEs.
 *
 * Formats are const tables (paging/format.c), permission rules are pure
 * functions (paging/permission.c), the walk joins them (paging/walk.c), and
 * paging/access.c reads and writes by linear address.
 */
#ifndef VMMU_PAGING_H
#define VMMU_PAGING_H

#include "vmmu/types.h"

/* Bits of a guest page-table entry; AMD APM vol. 2, 5.4. */
#define VMMU_GPTE_P		BIT_ULL(0)
#define VMMU_GPTE_W		BIT_ULL(1)
#define VMMU_GPTE_U		BIT_ULL(2)
#define VMMU_GPTE_A		BIT_ULL(5)
#define VMMU_GPTE_D		BIT_ULL(6)
#define VMMU_GPTE_PS		BIT_ULL(7)
#define VMMU_GPTE_NX		BIT_ULL(63)
#define VMMU_GPTE_PKEY_SHIFT	59

/* What the entries of a walk allow together: the AND over all levels. */
#define VMMU_ACC_WRITE		BIT(0)
#define VMMU_ACC_USER		BIT(1)
#define VMMU_ACC_EXEC		BIT(2)
#define VMMU_ACC_ALL		(VMMU_ACC_WRITE | VMMU_ACC_USER | VMMU_ACC_EXEC)

#define VMMU_GUEST_LEVELS	5

/* The registers that decide how the guest translates, read once per walk. */
struct vmmu_paging_mode {
	u64 cr0, cr3, cr4, efer, rflags;
	/* PAE: the four PDPTEs when they were loaded with CR3; NULL: they are in memory. */
	const u64 *pdptr;
	u32 pkru;
	u8 cpl;
};

/* What a page table says, apart from its depth, depends on these alone. */
enum vmmu_paging_id {
	VMMU_PAGING_NONE,
	VMMU_PAGING_2LEVEL,
	VMMU_PAGING_PAE,
	VMMU_PAGING_LONG,	/* 4 or 5 levels */
};

/* One paging mode's geometry. Arrays are indexed by level - 1. */
struct vmmu_paging_format {
	const char *name;
	enum vmmu_paging_id id;
	u8 levels;			/* 0: no paging */
	u8 entry_bytes;			/* 4 or 8 */
	u8 gva_bits;			/* above: ignored (32) or canonical (48, 57) */
	bool canonical;
	bool keys;			/* entries have protection keys */
	u8 shift[VMMU_GUEST_LEVELS];
	u16 index_mask[VMMU_GUEST_LEVELS];
	u8 leaf_levels;			/* bit n: an entry of level n may be a leaf by PS */
	u8 plain_levels;		/* bit n: entries of level n have no W, U, A (PAE PDPTE) */
	u64 cr3_mask;			/* where the root lies */
	u64 addr_mask;			/* of an entry that names a table or 4 KiB page */
};

/* A format of that id: the deepest. Pure. */
const struct vmmu_paging_format *vmmu_paging_format_of(enum vmmu_paging_id id);
/* VMMU_ACC_* that one entry allows. Pure. */
unsigned int vmmu_gpte_access(const struct vmmu_paging_format *fmt, u64 gpte, int level);
/* The format in use, never NULL. Pure. */
const struct vmmu_paging_format *vmmu_paging_format(const struct vmmu_paging_mode *mode);
/* Is @gpte at @level a leaf? Pure. */
bool vmmu_gpte_is_leaf(const struct vmmu_paging_format *fmt, const struct vmmu_paging_mode *mode,
		       u64 gpte, int level);
/* The bits that must be zero in an entry of @level (a leaf: @leaf). Pure. */
u64 vmmu_gpte_reserved(const struct vmmu_paging_format *fmt, const struct vmmu_paging_mode *mode,
		       int level, bool leaf, u8 maxphyaddr, bool gbpages);
/* Base of the page that the leaf @gpte of @level maps. Pure. */
gpa_t vmmu_gpte_page(const struct vmmu_paging_format *fmt, u64 gpte, int level);
/* The same page's size as a shift: 12, 21, 22, 30. Pure. */
static inline u8 vmmu_gpte_page_shift(const struct vmmu_paging_format *fmt, int level)
{
	return fmt->shift[level - 1];
}

/**
 * vmmu_permission_fault() - may @access happen where entries allow @acc? Pure.
 * @acc: VMMU_ACC_* of the whole walk
 * @pkey: the leaf's protection key
 * @access: VMMU_PFERR_WRITE, _USER, _FETCH, _IMPLICIT
 *
 * AMD APM vol. 2, 5.6; Intel SDM vol. 3, 4.6. Return: 0, or the bits of the error
 * code that describe the violation (P, and PK when a key forbids it too).
 */
u64 vmmu_permission_fault(const struct vmmu_paging_mode *mode, unsigned int acc,
			  unsigned int pkey, u64 access);
/* W, U and I/D as a page fault's error code reports @access. Pure. */
u32 vmmu_fault_access_bits(const struct vmmu_paging_mode *mode, u64 access);

/* The PAE PDPTE for @gva among the four loaded ones. Pure. */
static inline u64 vmmu_pdptr(const u64 *pdptr, u64 gva)
{
	return pdptr[(gva >> 30) & 3];
}

/* Read them from the vCPU, to which mode->pdptr points. */
void vmmu_paging_mode(struct vmmu_vcpu *vcpu, struct vmmu_paging_mode *mode);

/* The result of a walk that succeeded. */
struct vmmu_walk {
	gpa_t gpa;		/* of the byte asked for */
	u8 level;		/* of the guest's leaf; VMMU_LEVEL_4K without paging */
	u8 top;			/* level of the root's entries; 0 without paging */
	u8 page_shift;		/* of the guest's page: 12, 21, 22, 30 */
	u8 acc;			/* VMMU_ACC_* */
	u8 pkey;
	/*
	 * Index level - 1, valid from level to top: the entry and where it was read. A loaded
	 * PDPTE is in gpte[2], was read nowhere, and top is 2. In read-only memory no accessed
	 * or dirty bit gets set, here no more than there.
	 */
	u64 gpte[VMMU_GUEST_LEVELS];
	gpa_t gpte_gpa[VMMU_GUEST_LEVELS];
};

/**
 * vmmu_gva_walk() - translate a linear address as the processor would
 * @access: VMMU_PFERR_WRITE, _USER, _FETCH, _IMPLICIT: the access to check
 * @set_ad: set accessed and dirty bits in the guest's tables (atomically)
 * @e: on failure the exception to inject: #PF, or #GP for a non-canonical address
 *
 * vm->srcu held. May sleep (guest memory). Return: 0, 1 (exception in @e), or -EFAULT
 * when a table lies where the host has no memory for it.
 */
int vmmu_gva_walk(struct vmmu_vcpu *vcpu, const struct vmmu_paging_mode *mode, u64 gva,
		  u64 access, bool set_ad, struct vmmu_walk *walk, struct vmmu_exception *e);

/* For KVM_TRANSLATE and debuggers: no permission is checked, no A/D is set. *walk tells writable
 * and usermode. 0; 1: not mapped; -EFAULT.
 */
int vmmu_gva_debug_walk(struct vmmu_vcpu *vcpu, u64 gva, struct vmmu_walk *walk);

/*
 * Linear-address reads that may cross pages. 0; 1: *e is the #PF to inject;
 * -EFAULT: no memory there (MMIO): the emulator treats MMIO itself.
 */
int vmmu_read_gva(struct vmmu_vcpu *vcpu, u64 gva, void *data, unsigned int bytes, u64 access,
		  struct vmmu_exception *e);
/* vmmu_read_gva() as the instruction fetch of the current CPL. */
int vmmu_fetch_gva(struct vmmu_vcpu *vcpu, u64 gva, void *data, unsigned int bytes,
		   struct vmmu_exception *e);

#endif
