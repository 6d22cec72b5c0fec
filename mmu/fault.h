/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one struct that goes down the way of a fault, and its stages. Each stage
 * fills its own fields; nothing comes back up but a verdict, a negative errno,
 * or VMMU_NEXT_STAGE.
 */
#ifndef VMMU_MMU_FAULT_H
#define VMMU_MMU_FAULT_H

#include "vmmu/mmu.h"
#include "vmmu/vcpu.h"
#include "vmmu/vm.h"
#include "window.h"

/* "Not mine": never leaves mmu/. */
#define VMMU_NEXT_STAGE		(VMMU_INJECT + 1)

struct vmmu_fault {
	/* The question. */
	struct vmmu_vcpu *const vcpu;
	struct vmmu_vm *const vm;
	const u64 addr;			/* gpa (TDP) or gva (shadow paging) */
	const u64 error;		/* VMMU_PFERR_* */
	const bool write;
	const bool exec;
	/* Constant under TDP; the guest's own walk fills it for shadow paging. */
	gfn_t gfn;

	/* fast_fault: which of the 16 neighbours have no SPTE. */
	u16 absent;
	bool split;			/* likewise: is it mapped by 4K round here? */

	/* slot */
	struct vmmu_memslot *slot;
	unsigned long hva;
	bool slot_writable;

	/* pfn */
	unsigned long seq;		/* of the notifier, taken before the lookup */
	struct vmmu_pfn pfn;
	u8 level;			/* at which to map */
	struct vmmu_window window;
};

/* The question of a struct vmmu_fault; the rest is zero. */
#define VMMU_FAULT_INIT(_vcpu, _addr, _error) {		\
	.vcpu = (_vcpu),				\
	.vm = (_vcpu)->vm,				\
	.addr = (_addr),				\
	.error = (_error),				\
	.write = (_error) & VMMU_PFERR_WRITE,		\
	.exec = (_error) & VMMU_PFERR_FETCH,		\
}

/* The stages that shadow paging has in common with TDP; each fills its part of @f. */
int vmmu_fault_slot(struct vmmu_fault *f);
int vmmu_fault_pfn(struct vmmu_fault *f);
u8 vmmu_fault_level(const struct vmmu_fault *f);
/* Was the needed page at hand, with its neighbours by gfn? */
bool vmmu_fault_window(struct vmmu_fault *f);

/* Is it only a permission to give back, or an MMIO address that we know? vm->srcu held. */
int vmmu_fast_fault(struct vmmu_fault *f);
/* Map f->pfn at f->level, and the window. The vCPU's stock of pages is full. */
int vmmu_map(struct vmmu_fault *f);
/* Remember that there is no slot at f->gfn as of @generation. Likewise. */
int vmmu_map_mmio(struct vmmu_fault *f, u64 generation);

#endif
