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

#include <linux/atomic.h>
#include <linux/spinlock.h>
#include "vmmu/memslot.h"
#include "vmmu/types.h"

struct vmmu_sp;
struct vmmu_shadow_vm;
struct vmmu_shadow_vcpu;
struct vmmu_spte_format;

/* The formats of two-dimensional tables, for vmmu_cpu_caps.tdp_format: mmu/format.c. */
extern const struct vmmu_spte_format vmmu_format_x86_64;	/* NPT too */
extern const struct vmmu_spte_format vmmu_format_ept;
extern const struct vmmu_spte_format vmmu_format_ept_no_ad;
extern const struct vmmu_spte_format vmmu_format_shadow;	/* not two-dimensional */

#ifdef VMMU_AUDIT
/* The ledger of flushes; mmu/audit.h says how it is kept. */
struct vmmu_audit_vm {
	atomic64_t owed;	/* the newest ticket drawn */
	atomic64_t paid;	/* all tickets up to here are paid */
	u64 handed_over;	/* mmu.lock for write: the newest that a caller was told to pay */
	unsigned long next;	/* jiffies: no walk of the whole VM before; racy by design */
};
#endif

/* Embedded in struct vmmu_vm. The mmu room owns the fields. */
struct vmmu_mmu_vm {
	rwlock_t lock;
	const struct vmmu_spte_format *format;	/* constant */
	u8 root_level;			/* constant: depth of the tables */
	struct vmmu_sp *tdp_root;	/* constant: the one root of a TDP VM */
	struct vmmu_shadow_vm *shadow;	/* constant: NULL under TDP; see mmu/shadow/shadow.h */
	unsigned long limit;		/* KVM_SET_NR_MMU_PAGES, 0: by memory; lock for write */
	u64 mmio_generation;		/* vm->mem.lock; of the newest memslots */
	atomic_long_t nr_pages;		/* page-table pages in use, the root too */
	/* Leaf SPTEs by level: [VMMU_LEVEL_4K..VMMU_LEVEL_1G]. For statistics and the auditor. */
	atomic_long_t leaves[VMMU_LEVEL_1G + 1];
	struct list_head reclaim_link;	/* reclaim.lock in mmu/reclaim.c */
	gfn_t reclaim_next;		/* mmu.lock for write: where reclaim goes on */
#ifdef VMMU_AUDIT
	struct vmmu_audit_vm audit;
#endif
};

/* Embedded in struct vmmu_vcpu. */
struct vmmu_mmu_vcpu {
	struct vmmu_sp *root;		/* the root in use or NULL; vcpu->mutex */
	/* Page-table pages set aside before taking mmu.lock; vcpu->mutex. */
	struct vmmu_sp *cache[8];
	int nr_cached;
	struct vmmu_shadow_vcpu *shadow;	/* constant: NULL under TDP */
};

/* Process context, may sleep. 0 or -ENOMEM. */
int vmmu_mmu_module_init(void);
/* Process context, may sleep (waits for RCU). No VM exists. */
void vmmu_mmu_module_exit(void);

/**
 * vmmu_mmu_vm_init() - give a new VM its root
 * @vm: zeroed; vmmu_cpu_caps is final
 *
 * Before memslots and the notifier are set up. May sleep.
 *
 * Return: 0, -ENOMEM, -EOPNOTSUPP (no two-dimensional paging on this host).
 */
int vmmu_mmu_vm_init(struct vmmu_vm *vm);

/**
 * vmmu_mmu_vm_destroy() - zap what is left and free every table
 * @vm: no vCPU is left, the notifier is unregistered; vm->srcu still works
 *
 * Harmless when vmmu_mmu_vm_init() failed or was not called. May sleep.
 */
void vmmu_mmu_vm_destroy(struct vmmu_vm *vm);

/* May sleep. 0 or -ENOMEM; vmmu_mmu_vcpu_destroy() is harmless after either. */
int vmmu_mmu_vcpu_init(struct vmmu_vcpu *vcpu);
void vmmu_mmu_vcpu_destroy(struct vmmu_vcpu *vcpu);

/* The callbacks that memslot/ makes. */
extern const struct vmmu_memslot_ops vmmu_mmu_memslot_ops;

/**
 * vmmu_mmu_load() - have a valid root, and the back end know it
 * @vcpu: loaded
 *
 * Before each entry; calls ops->set_root when the root is new to this vCPU. vm->srcu
 * held. May sleep. Return: 0 or -ENOMEM.
 */
int vmmu_mmu_load(struct vmmu_vcpu *vcpu);
/* The same with interrupts off, if that needs neither lock nor memory. False: it has to be done. */
bool vmmu_mmu_load_atomic(struct vmmu_vcpu *vcpu);
/* Forget the root, it is looked up again before the next entry. */
void vmmu_mmu_unload(struct vmmu_vcpu *vcpu);

/**
 * vmmu_mmu_fault() - the one entry of the fault path
 * @vcpu: loaded, vmmu_mmu_load() done, vm->srcu held, preemption on
 * @addr: gpa (TDP) or gva (shadow paging)
 * @error: VMMU_PFERR_* (AMD APM vol. 2, 15.25.6)
 *
 * May sleep. Return: enum vmmu_verdict, or an errno for KVM_RUN: -EFAULT (the process has
 * no memory there, or may not access it so), -ENOMEM, -EINTR (a signal while the host
 * faulted the page in), -EIO (the VM was killed).
 */
int vmmu_mmu_fault(struct vmmu_vcpu *vcpu, u64 addr, u64 error);
/*
 * The part of it that needs no lock, with interrupts off, for a nested page fault. vm->srcu held.
 * True: settled, the guest tries again. False: nothing happened.
 */
bool vmmu_mmu_fault_atomic(struct vmmu_vcpu *vcpu, u64 addr, u64 error);

/**
 * vmmu_mmu_guest_flush() - the guest flushed all its translations
 * @vcpu: loaded
 *
 * By INVPCID, or because CR0.PG or WP, CR3, CR4, EFER or the PDPTEs are others now: written by
 * the guest or by user space, or by RESET or INIT. Before the next entry the root is chosen
 * anew and synchronised. Own thread; does not sleep.
 */
void vmmu_mmu_guest_flush(struct vmmu_vcpu *vcpu);

/**
 * vmmu_mmu_invlpg() - the guest invalidated one linear address
 * @vcpu: loaded, vm->srcu held
 * @gva: canonical
 *
 * Own thread; does not sleep.
 */
void vmmu_mmu_invlpg(struct vmmu_vcpu *vcpu, u64 gva);

/*
 * Shadow paging: does every table of ours say what the guest's says, so that a flush of one
 * address asks for nothing but the processor's own? Any context.
 */
bool vmmu_mmu_in_step(struct vmmu_vm *vm);

/**
 * vmmu_mmu_guest_wrote() - not the guest, but we for it, wrote its memory
 * @vm: vm->srcu held
 * @gpa: first byte
 * @bytes: within a page
 *
 * After the store: it may have been a page table. Nothing to do under TDP.
 */
void vmmu_mmu_guest_wrote(struct vmmu_vm *vm, gpa_t gpa, unsigned int bytes);

/**
 * vmmu_mmu_unshadow() - the instruction at rip writes a page table and cannot be emulated
 * @vcpu: loaded, vm->srcu held
 * @gva: what it writes to
 *
 * May sleep. Return: true when a table at @gva is shadowed no more, so that the processor can
 * do the write; false when there was none, and the failure is final.
 */
bool vmmu_mmu_unshadow(struct vmmu_vcpu *vcpu, u64 gva);

/* KVM_SET_NR_MMU_PAGES: 0 or an errno. Takes mmu.lock, may sleep. */
int vmmu_mmu_set_limit(struct vmmu_vm *vm, unsigned long pages);
unsigned long vmmu_mmu_limit(struct vmmu_vm *vm);

/* notifier/ calls these with a part [start, end) of a slot. */
struct vmmu_gfn_range {
	struct vmmu_memslot *slot;
	gfn_t start;
	gfn_t end;
	bool may_block;
};

/**
 * vmmu_mmu_unmap_range() - nothing maps the range any more, once the flush is done
 * @vm: the VM; mmu.lock held for write
 * @range: may_block: the lock may be dropped and taken again, and the CPU yielded
 * @flush: the caller owes a flush already
 *
 * Return: whether a flush is owed, to be made before mmu.lock is dropped.
 */
bool vmmu_mmu_unmap_range(struct vmmu_vm *vm, const struct vmmu_gfn_range *range, bool flush);

/**
 * vmmu_mmu_age_range() - was anything in the range used?
 * @vm: the VM; mmu.lock held for write
 * @range: the range
 * @clear: make it old; else stop at the first that is young
 *
 * Does not sleep. Always false where hardware has no accessed bit.
 */
bool vmmu_mmu_age_range(struct vmmu_vm *vm, const struct vmmu_gfn_range *range, bool clear);

/* Everything goes: mm release, VM death. Takes mmu.lock for write, flushes, sleeps. */
void vmmu_mmu_zap_all(struct vmmu_vm *vm);

#ifdef VMMU_AUDIT
/* vmmu_flush_remote_tlbs() calls these around its work; any context. */
u64 vmmu_audit_flush_begin(struct vmmu_vm *vm);
void vmmu_audit_flush_end(struct vmmu_vm *vm, u64 ticket);
/* Before mmu.lock is dropped after vmmu_mmu_unmap_range(): is its flush made? */
void vmmu_audit_settled(struct vmmu_vm *vm);
#else
static inline u64 vmmu_audit_flush_begin(struct vmmu_vm *vm)
{
	return 0;
}

static inline void vmmu_audit_flush_end(struct vmmu_vm *vm, u64 ticket) {}
static inline void vmmu_audit_settled(struct vmmu_vm *vm) {}
#endif

#endif
