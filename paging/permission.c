// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may do what where: the permission rules of x86 paging.
 *
 * Pure. @acc is what the page-table entries allow together, the mode says how
 * the control registers bend that, the access says who asks. Nothing locks,
 * nothing sleeps.
 *
 * AMD APM vol. 2, 5.6; Intel SDM vol. 3, 4.6 and 4.7.
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "vmmu/paging.h"

#define PKRU_AD	BIT(0)
#define PKRU_WD	BIT(1)

static bool fetch_fault(const struct vmmu_paging_mode *mode, unsigned int acc, bool user)
{
	if (!(acc & VMMU_ACC_EXEC))
		return true;
	if (user)
		return !(acc & VMMU_ACC_USER);
	return (acc & VMMU_ACC_USER) && (mode->cr4 & X86_CR4_SMEP);
}

/*
 * SMAP keeps a supervisor's data access off user pages. EFLAGS.AC lifts that for
 * explicit accesses only.
 */
static bool smap_fault(const struct vmmu_paging_mode *mode, u64 access)
{
	if (!(mode->cr4 & X86_CR4_SMAP))
		return false;
	return (access & VMMU_PFERR_IMPLICIT) || !(mode->rflags & X86_EFLAGS_AC);
}

static bool data_fault(const struct vmmu_paging_mode *mode, unsigned int acc, u64 access,
		       bool user)
{
	bool write = access & VMMU_PFERR_WRITE;

	if (user)
		return !(acc & VMMU_ACC_USER) || (write && !(acc & VMMU_ACC_WRITE));
	if ((acc & VMMU_ACC_USER) && smap_fault(mode, access))
		return true;
	return write && !(acc & VMMU_ACC_WRITE) && (mode->cr0 & X86_CR0_WP);
}

/* Protection keys guard user pages, in long mode, against data accesses of anybody. */
static bool key_fault(const struct vmmu_paging_mode *mode, unsigned int acc, unsigned int pkey,
		      u64 access, bool user)
{
	u32 rights = mode->pkru >> (pkey * 2);

	if (!(mode->efer & EFER_LMA) || !(mode->cr4 & X86_CR4_PKE))
		return false;
	if (!(acc & VMMU_ACC_USER))
		return false;
	if (rights & PKRU_AD)
		return true;
	return (access & VMMU_PFERR_WRITE) && (rights & PKRU_WD) &&
	       (user || (mode->cr0 & X86_CR0_WP));
}

u64 vmmu_permission_fault(const struct vmmu_paging_mode *mode, unsigned int acc,
			  unsigned int pkey, u64 access)
{
	bool user = (access & VMMU_PFERR_USER) && !(access & VMMU_PFERR_IMPLICIT);

	if (access & VMMU_PFERR_FETCH)
		return fetch_fault(mode, acc, user) ? VMMU_PFERR_PRESENT : 0;
	if (key_fault(mode, acc, pkey, access, user))
		return VMMU_PFERR_PRESENT | VMMU_PFERR_PK;
	return data_fault(mode, acc, access, user) ? VMMU_PFERR_PRESENT : 0;
}

u32 vmmu_fault_access_bits(const struct vmmu_paging_mode *mode, u64 access)
{
	u32 error = access & VMMU_PFERR_WRITE;
	bool nx = (mode->efer & EFER_NX) && (mode->cr4 & X86_CR4_PAE);

	if ((access & VMMU_PFERR_USER) && !(access & VMMU_PFERR_IMPLICIT))
		error |= VMMU_PFERR_USER;
	/* A processor that cannot forbid fetches does not report them. */
	if ((access & VMMU_PFERR_FETCH) && (nx || (mode->cr4 & X86_CR4_SMEP)))
		error |= VMMU_PFERR_FETCH;
	return error;
}
