/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memslot/: guest-physical space. Slots, gfn->hva, hva->gfn, gfn->pfn and what
 * kind of pfn it is, guest reads and writes, cached accesses, dirty bitmaps.
 *
 * A set of slots is an immutable snapshot (struct vmmu_memslots), published by
 * SRCU (vm->srcu) and replaced as a whole under vm->mem.lock. Readers hold
 * vm->srcu; vCPU threads hold it whenever they run our code.
 */
#ifndef VMMU_MEMSLOT_H
#define VMMU_MEMSLOT_H

#include <linux/interval_tree.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include "vmmu/types.h"

#define VMMU_MAX_MEMSLOTS	512

struct vmmu_rmap;

/* One slot. Constant once published, but for what is marked. */
struct vmmu_memslot {
	gfn_t base_gfn;
	unsigned long npages;
	unsigned long hva;		/* userspace_addr */
	u32 flags;			/* KVM_MEM_* */
	u16 id;
	bool invalid;			/* being deleted or moved: faults retry */
	/* Largest page level that base_gfn and hva have the same alignment for. */
	u8 max_level;
	/*
	 * Set bits atomically; NULL: not logged. As many words again follow the
	 * bitmap: the buffer between it and user space, under vm->mem.lock.
	 */
	unsigned long *dirty_bitmap;
	/* The mmu's; NULL when the VM shadows nothing; constant. */
	struct vmmu_rmap *rmap;
};

struct vmmu_memslots {
	/*
	 * Never repeats in a VM, never 0; feeds MMIO SPTEs. Whoever caches "no slot here"
	 * stores the generation of the snapshot that it looked into, not a newer one.
	 */
	u64 generation;
	unsigned int nr;
	atomic_t last_used;		/* index hint, racy by design */
	/* By host address, for the MMU notifier; nodes live in this snapshot. */
	struct rb_root_cached hva_tree;
	struct vmmu_memslot_ref {
		struct interval_tree_node hva_node;	/* [hva, last byte] */
		struct vmmu_memslot *slot;
	} refs[] __counted_by(nr);	/* sorted by base_gfn */
};

/* Called by memslot/ around a change, so that it needs to know no other room. */
struct vmmu_memslot_ops {
	/* @slot is unreachable for new faults (invalid): zap what maps it and flush. Sleeps. */
	void (*zap)(struct vmmu_vm *vm, struct vmmu_memslot *slot);
	/* Flags of a live slot changed (logging began or ended). Sleeps. */
	void (*flags_changed)(struct vmmu_vm *vm, const struct vmmu_memslot *old,
			      struct vmmu_memslot *new);
	/* A new generation was published. */
	void (*generation)(struct vmmu_vm *vm, u64 generation);
	/*
	 * Make the pages of @mask (bit n: @gfn + n) of @slot fault on write again.
	 * Returns whether a flush is owed. Sleeps not; takes mmu.lock.
	 */
	bool (*write_protect)(struct vmmu_vm *vm, struct vmmu_memslot *slot, gfn_t gfn,
			      unsigned long mask);
	void (*flush)(struct vmmu_vm *vm, struct vmmu_memslot *slot);
	/* Per-slot data of the mmu (rmap) for a new slot, not yet visible. 0 or -ENOMEM. Sleeps. */
	int (*alloc)(struct vmmu_vm *vm, struct vmmu_memslot *slot);
	/* Free it; harmless when there is none. */
	void (*free)(struct vmmu_memslot *slot);
};

/* Embedded in struct vmmu_vm. */
struct vmmu_memslot_vm {
	/*
	 * Guards changes and dirty-log reads. Waits for readers of vm->srcu under it, so
	 * it is never taken by a thread that holds vm->srcu. Outside mmap_lock and mmu.lock.
	 */
	struct mutex lock;
	/* A leaf: orders a publication with the counting of invalidations in notifier/. */
	spinlock_t publish_lock;
	/* Read under vm->srcu; written under lock and publish_lock. */
	struct vmmu_memslots __rcu *slots;
	const struct vmmu_memslot_ops *ops;	/* set before the VM is visible */
	u64 manual_protect;	/* KVM_DIRTY_LOG_* of MANUAL_DIRTY_LOG_PROTECT2; lock */
	unsigned long total_pages;		/* lock */
};

int vmmu_memslots_init(struct vmmu_vm *vm, const struct vmmu_memslot_ops *ops);
void vmmu_memslots_destroy(struct vmmu_vm *vm);

/* The current snapshot. vm->srcu or vm->mem.lock held. */
struct vmmu_memslots *vmmu_memslots(struct vmmu_vm *vm);
/* The slot of @gfn or NULL (an invalid slot is returned; callers check). vm->srcu held. */
struct vmmu_memslot *vmmu_gfn_to_slot(struct vmmu_vm *vm, gfn_t gfn);

/*
 * The slot of a node of vmmu_memslots.hva_tree. interval_tree_iter_first() and _next() find
 * every one that meets a range of host addresses, aliases too.
 */
static inline struct vmmu_memslot *vmmu_hva_node_slot(struct interval_tree_node *node)
{
	return container_of(node, struct vmmu_memslot_ref, hva_node)->slot;
}

static inline unsigned long vmmu_slot_hva(const struct vmmu_memslot *slot, gfn_t gfn)
{
	return slot->hva + (gfn - slot->base_gfn) * PAGE_SIZE;
}

/* hva of @gfn, or VMMU_ERROR_HVA (no slot, invalid, or read-only and @write). vm->srcu held. */
unsigned long vmmu_gfn_to_hva(struct vmmu_vm *vm, gfn_t gfn, bool write);

/* KVM_SET_USER_MEMORY_REGION(2); the errnos of api.rst 4.35. Sleeps. */
int vmmu_set_memory_region(struct vmmu_vm *vm, const struct kvm_userspace_memory_region2 *mem);
/* KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG. Sleep. */
int vmmu_get_dirty_log(struct vmmu_vm *vm, const struct kvm_dirty_log *log);
int vmmu_clear_dirty_log(struct vmmu_vm *vm, const struct kvm_clear_dirty_log *log);
void vmmu_mark_page_dirty(struct vmmu_memslot *slot, gfn_t gfn);

/*
 * Guest-physical reads and writes by the host through the process's mapping: 0 or
 * -EFAULT (no slot; read-only on write). May cross pages and slots. Writes mark dirty.
 * vm->srcu held; the VM's mm is current->mm (or the caller used kthread_use_mm).
 */
int vmmu_read_guest(struct vmmu_vm *vm, gpa_t gpa, void *data, unsigned long len);
int vmmu_write_guest(struct vmmu_vm *vm, gpa_t gpa, const void *data, unsigned long len);
/* Within one page, no sleeping, no host fault: 0 or -EFAULT. */
int vmmu_read_guest_atomic(struct vmmu_vm *vm, gpa_t gpa, void *data, unsigned long len);
int vmmu_read_guest_words(struct vmmu_vm *vm, gpa_t gpa, u64 *words, unsigned int n);
/*
 * Compare and swap @bytes (1, 2, 4, 8; naturally aligned) in guest memory:
 * 0 done (dirty marked), 1 the old value differed (*@old is what stands there), -EFAULT.
 */
int vmmu_cmpxchg_guest(struct vmmu_vm *vm, gpa_t gpa, void *old, const void *new,
		       unsigned int bytes);

/* A gpa looked up once and used often: the memslot generation keeps it true. */
struct vmmu_gpa_cache {
	u64 generation;			/* 0: nothing looked up */
	gpa_t gpa;
	unsigned long hva;
	unsigned long len;
	struct vmmu_memslot *slot;	/* valid while generation is current; NULL: spans slots */
};

int vmmu_gpa_cache_init(struct vmmu_vm *vm, struct vmmu_gpa_cache *c, gpa_t gpa,
			unsigned long len);
int vmmu_write_guest_cached(struct vmmu_vm *vm, struct vmmu_gpa_cache *c, unsigned int offset,
			    const void *data, unsigned long len);
int vmmu_read_guest_cached(struct vmmu_vm *vm, struct vmmu_gpa_cache *c, unsigned int offset,
			   void *data, unsigned long len);

/* What a host frame is; decides reference counting, dirtying, ageing and memory type. */
enum vmmu_pfn_kind {
	VMMU_PFN_RAM,		/* struct page, managed by the kernel */
	/*
	 * Neither dirtied nor aged: struct page, but PageReserved (the zero page too), or
	 * mapped by VM_PFNMAP: its driver's, not the page allocator's to account.
	 */
	VMMU_PFN_RESERVED,
	VMMU_PFN_DEVICE,	/* no struct page */
};

enum vmmu_pfn_result {
	VMMU_PFN_OK,
	VMMU_PFN_NO_HVA,	/* nothing mapped there, or no permission: -EFAULT to user */
	VMMU_PFN_HWPOISON,	/* SIGBUS is due */
	VMMU_PFN_SIGNAL,	/* interrupted by a signal: -EINTR */
	VMMU_PFN_NEEDS_IO,	/* only with _NOWAIT or _FAST_ONLY: it would sleep */
};

#define VMMU_GUP_WRITE		BIT(0)	/* without it too, @writable says if it may be written */
#define VMMU_GUP_NOWAIT		BIT(1)	/* do not start or wait for I/O */
#define VMMU_GUP_FAST_ONLY	BIT(2)	/* never sleep */
#define VMMU_GUP_LOOKED		BIT(3)	/* vmmu_host_pages() has just found nothing there */

struct vmmu_pfn {
	unsigned long pfn;
	enum vmmu_pfn_kind kind;
	bool writable;		/* the process may write there now */
};

enum vmmu_pfn_kind vmmu_pfn_kind(unsigned long pfn);
/*
 * vmmu_hva_to_pfn() - the frame behind @hva, no reference held on return
 *
 * The caller took the notifier sequence before and re-checks it under mmu.lock. current->mm
 * is the VM's. Sleeps, unless VMMU_GUP_FAST_ONLY.
 */
enum vmmu_pfn_result vmmu_hva_to_pfn(unsigned long hva, unsigned int gup, struct vmmu_pfn *out);
/*
 * The host's page tables as they are, for up to 32 pages from @hva on in current->mm: bit n
 * of the answer says that pfns[n] is there, and of *writable that the process may write to it.
 */
u32 vmmu_host_pages(unsigned long hva, unsigned int n, unsigned long *pfns, u32 *writable);
/*
 * The level at which the host maps @hva now in vm->mm (VMMU_LEVEL_4K..1G); a hint to
 * re-check with the notifier sequence. Never sleeps.
 */
int vmmu_host_level(struct vmmu_vm *vm, unsigned long hva);

#endif
