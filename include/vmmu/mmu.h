/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmu/: the page tables that we own. SPTEs, shadow pages, roots, the fault
 * path, write protection, prefetch, zap, dirty tracking, ageing, reclaim.
 *
 * mmu.lock is a rwlock: TDP faults install with cmpxchg under its read side,
 * everything that frees or walks whole tables takes the write side. Page-table
 * pages are freed by RCU.
 */
#ifndef VMMU_MMU_H
#define VMMU_MMU_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include "vmmu/memslot.h"
#include "vmmu/types.h"

/* Embedded in struct vmmu_vm. The mmu room owns the fields. */
struct vmmu_mmu_vm {
	rwlock_t lock;
	struct vmmu_sp *tdp_root;	/* lock; the one root of a TDP VM */
	u64 mmio_generation;		/* of the newest memslots; read without lock */
	atomic_long_t nr_pages;		/* page-table pages in use */
	struct list_head free_list;
};

/* Embedded in struct vmmu_vcpu. */
struct vmmu_mmu_vcpu {
	struct vmmu_sp *root;		/* the root in use or NULL; vcpu->mutex */
	/* Page-table pages set aside before taking mmu.lock; vcpu->mutex. */
	struct vmmu_sp *cache[8];
	int nr_cached;
	/* The gpa and gva of the last MMIO access, so that the emulator need not walk. */
	gpa_t mmio_gpa;
	bool mmio_gpa_valid;
};

int vmmu_mmu_module_init(void);
void vmmu_mmu_module_exit(void);
int vmmu_mmu_vm_init(struct vmmu_vm *vm);
void vmmu_mmu_vm_destroy(struct vmmu_vm *vm);
void vmmu_mmu_vcpu_init(struct vmmu_vcpu *vcpu);
void vmmu_mmu_vcpu_destroy(struct vmmu_vcpu *vcpu);

/* The callbacks that memslot/ makes. */
extern const struct vmmu_memslot_ops vmmu_mmu_memslot_ops;

/*
 * Before each entry: have a valid root and tell the back end (ops->set_root) when it
 * changed. vm->srcu held. May sleep (allocates). 0 or -ENOMEM.
 */
int vmmu_mmu_load(struct vmmu_vcpu *vcpu);
/* Forget the root, it is looked up again before the next entry. */
void vmmu_mmu_unload(struct vmmu_vcpu *vcpu);

/**
 * vmmu_mmu_fault() - the one entry of the fault path
 * @vcpu: loaded, vm->srcu held, preemption on
 * @addr: gpa (TDP) or gva (shadow paging)
 * @error: VMMU_PFERR_*
 *
 * May sleep. Return: enum vmmu_verdict, or -EFAULT, -ENOMEM, -EINTR... for KVM_RUN.
 */
int vmmu_mmu_fault(struct vmmu_vcpu *vcpu, u64 addr, u64 error);

/* notifier/ calls these with the slot's gfn range [start, end). mmu.lock is taken inside. */
struct vmmu_gfn_range {
	struct vmmu_memslot *slot;
	gfn_t start;
	gfn_t end;
	bool may_block;
};

/* mmu.lock held for write. Returns whether a flush is owed (flush before unlock). */
bool vmmu_mmu_unmap_range(struct vmmu_vm *vm, const struct vmmu_gfn_range *range, bool flush);
/* Clear (test only: @clear false) accessed state; returns whether any was young.
 * mmu.lock held for write (or read where the mmu says so).
 */
bool vmmu_mmu_age_range(struct vmmu_vm *vm, const struct vmmu_gfn_range *range, bool clear);
/* Everything goes: mm release, VM death. Sleeps. */
void vmmu_mmu_zap_all(struct vmmu_vm *vm);

#endif
