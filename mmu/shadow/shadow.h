/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shadow paging, private to mmu/: hardware walks tables that we build from the
 * guest's. A struct vmmu_shadow is one of ours with what it was built from. It is
 * named by (gfn of the guest's table, role), found again by that name, and lives
 * until the guest's table is no table any more, memory is short, or the slots change.
 *
 * Everything here is under mmu.lock for write, but for what says otherwise.
 * Documentation/shadow.md tells the story.
 */
#ifndef VMMU_MMU_SHADOW_H
#define VMMU_MMU_SHADOW_H

#include <linux/list.h>
#include "../fault.h"
#include "../spte.h"
#include "rmap.h"
#include "vmmu/cpu.h"

#define VMMU_SHADOW_HASH_BITS	10
/* Roots that each vCPU keeps, the one in use among them. */
#define VMMU_SHADOW_ROOTS	8
#define VMMU_PDPTES		4
/* One step in a fault maps at most a leaf and a table per level, beside the guesses. */
#define VMMU_SHADOW_LEVELS	VMMU_ROOT_LEVEL_MAX

struct vmmu_shadow {
	struct vmmu_sp sp;	/* first; sp.gfn: of the guest's table, direct: that entry 0 maps */
	struct hlist_node hash;
	struct list_head lru;		/* the VM's list, latest used first */
	struct list_head unsync;	/* the VM's list, while is_unsync */
	unsigned long parents;		/* the SPTEs that point here: a list as in rmap.h */
	u64 *gptes;			/* what each SPTE was made from; direct: NULL */
	u64 generation;			/* the VM's when it was made; constant */
	unsigned int roots;		/* references by struct vmmu_shadow_root */
	u8 writes;			/* emulated ones since the last fault that came this way */
	bool is_unsync;			/* the guest may write its table; what we have may be old */
	bool invalid;			/* zapped, but some vCPU still has it as a root */
};

/* One per VM that shadows. */
struct vmmu_shadow_vm {
	struct hlist_head hash[1 << VMMU_SHADOW_HASH_BITS];	/* by gfn */
	struct list_head lru;
	struct list_head unsync;
	/* Those on the list, and those off it that are not read yet; read without the lock. */
	unsigned int nr_unsync;
	/* Pages of older generations count for nothing; read without the lock as a hint. */
	u64 generation;
	struct vmmu_sp *empty;	/* constant: the root when the guest's is nowhere in memory */
};

/* A root, and the registers that it belongs to. vcpu->mutex; the references: mmu.lock. */
struct vmmu_shadow_root {
	bool used;
	u8 level;			/* 5, 4, or 3: PDPTEs */
	union vmmu_role role;		/* of top[] */
	u64 cr3;			/* of the guest, without PCID; 0 without paging */
	u64 pdptes[VMMU_PDPTES];	/* of the guest, in PAE mode */
	struct vmmu_shadow *top[VMMU_PDPTES];	/* [0] alone above level 3; NULL: absent */
	u64 *pdpt;			/* PAE: what hardware reads, below 4 GiB; constant */
};

/* One per vCPU of such a VM; vcpu->mutex. */
struct vmmu_shadow_vcpu {
	struct vmmu_shadow_root roots[VMMU_SHADOW_ROOTS];
	struct vmmu_shadow_root *root;	/* in use; NULL: choose before the next entry */
	unsigned int victim;		/* where the next new root goes */
	bool sync;			/* the guest flushed: to do before the next entry */
	u64 *pdpts;			/* the page below 4 GiB with all roots' pdpt */
	void *buffer;			/* a page: a copy of the guest's table, in sync.c */
	struct vmmu_rmap_stock stock;
	u64 *spare_gptes[VMMU_SHADOW_LEVELS];	/* pages set aside for vmmu_shadow.gptes */
	unsigned int nr_gptes;
};

static inline struct vmmu_shadow *to_shadow(struct vmmu_sp *sp)
{
	return container_of(sp, struct vmmu_shadow, sp);
}

static inline struct vmmu_shadow *vmmu_shadow_of(const u64 *sptep)
{
	return to_shadow(vmmu_sp_of(sptep));
}

/* What the entries of such a page are made of; never g->fmt, which is the VM's. */
static inline const struct vmmu_spte_format *vmmu_shadow_format(union vmmu_role role)
{
	return unlikely(role.tdp) ? vmmu_cpu_caps.tdp_format : &vmmu_format_shadow;
}

static inline bool vmmu_shadow_stale(const struct vmmu_vm *vm, const struct vmmu_shadow *s)
{
	return READ_ONCE(s->invalid) || s->generation != READ_ONCE(vm->mmu.shadow->generation);
}

/* Without the lock: has everything that a guest's flush asks for been done already? */
static inline bool vmmu_shadow_all_in_step(const struct vmmu_vm *vm)
{
	/* Pairs with vmmu_shadow_unsync_done(): the SPTEs that had to go are gone. */
	return !smp_load_acquire(&vm->mmu.shadow->nr_unsync);
}

/* Under mmu.lock, once a page that was unsync says what its table says, or is zapped. */
static inline void vmmu_shadow_unsync_done(struct vmmu_vm *vm)
{
	/* Pairs with vmmu_shadow_all_in_step(). */
	smp_store_release(&vm->mmu.shadow->nr_unsync, vm->mmu.shadow->nr_unsync - 1);
}

static inline unsigned int vmmu_shadow_index(u64 addr, int level)
{
	return (addr >> VMMU_LEVEL_SHIFT(level)) & (VMMU_SPTES_PER_PAGE - 1);
}

/* The pages that are named by @gfn, of whatever role. */
#define for_each_shadow_of(s, vm, gfn_)							\
	hlist_for_each_entry(s, vmmu_shadow_bucket(vm, gfn_), hash)			\
		if ((s)->sp.gfn == (gfn_))

#define for_each_shadow_of_safe(s, tmp, vm, gfn_)					\
	hlist_for_each_entry_safe(s, tmp, vmmu_shadow_bucket(vm, gfn_), hash)		\
		if ((s)->sp.gfn == (gfn_))

/* ---- page.c ---- */
struct hlist_head *vmmu_shadow_bucket(struct vmmu_vm *vm, gfn_t gfn);
/* The gfn that entry @i, a leaf, maps. */
gfn_t vmmu_shadow_gfn(const struct vmmu_shadow *s, unsigned int i);
/* The entry's place in the guest's table, in entries. */
unsigned int vmmu_shadow_guest_index(const struct vmmu_shadow *s, unsigned int i);
/* Stand on entry @i. */
void vmmu_shadow_iter(struct vmmu_iter *it, const struct vmmu_shadow *s, unsigned int i);
/*
 * The page of that name: found, or made of the vCPU's stock, its table write-protected and
 * flushed. NULL: there is no memory slot at @gfn, or the stock is empty.
 */
struct vmmu_shadow *vmmu_shadow_get(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, gfn_t gfn,
				    union vmmu_role role);
/* Before one more entry points to @s: not too many do. */
void vmmu_shadow_make_parent_room(struct vmmu_gather *g, struct vmmu_shadow *s);
/* Take it out of everything; it is freed with @g, or by the last vCPU that has it as a root. */
void vmmu_shadow_zap(struct vmmu_gather *g, struct vmmu_shadow *s);
/* One vCPU less has it as a root. */
void vmmu_shadow_put_root(struct vmmu_gather *g, struct vmmu_shadow *s);
/* The table is, or is no more, one that the guest must not write unseen. */
void vmmu_shadow_protect(struct vmmu_gather *g, struct vmmu_shadow *s);
void vmmu_shadow_unprotect(struct vmmu_vm *vm, struct vmmu_shadow *s);

/* ---- guess.c ---- */
/* 16 of the guest's last-level entries, and the frames that some of them lead to. */
struct vmmu_guess {
	u64 gptes[VMMU_WINDOW_SIZE];
	unsigned long pfns[VMMU_WINDOW_SIZE];
	unsigned long seq;	/* the notifier's, before the frames were looked up */
	u16 valid;		/* bit n: pfns[n] is the frame of what gptes[n] maps */
	u16 writable;		/* bit n: by the host process, and the slot lets the guest */
};

/* Read the guest's entries around the one at @gpa. False: they are not at hand. No lock. */
bool vmmu_guess_read(struct vmmu_vm *vm, const struct vmmu_paging_format *fmt, gpa_t gpa,
		     u64 gptes[VMMU_WINDOW_SIZE]);
/* Find the frames of those entries of @want that are worth it. Never sleeps, needs no lock. */
void vmmu_guess_lookup(struct vmmu_vm *vm, union vmmu_role role, u8 maxphyaddr, u16 want,
		       struct vmmu_guess *w);
/*
 * Map what was found where page @s, entries @first on, has nothing. @w->gptes are what the
 * guest's table says now.
 */
void vmmu_guess_map(struct vmmu_gather *g, struct vmmu_shadow *s, unsigned int first,
		    const struct vmmu_guess *w);

/* ---- map.c ---- */
/* A fault of shadow paging: what the guest's own tables say is added to the question. */
struct vmmu_shadow_fault {
	struct vmmu_fault f;
	const struct vmmu_paging_format *fmt;
	struct vmmu_paging_mode mode;
	struct vmmu_walk walk;
	union vmmu_role role;	/* what the guest's mode brings to every role */
	u8 page_access;		/* VMMU_ACC_* that the guest's page may be given now */
	u8 access;		/* that the needed entry is given; see CR0.WP in fault.c */
	struct vmmu_guess guess;	/* around a guest's 4K entry */
};

/* Under mmu.lock: check all again, install. The stocks are full. A verdict. */
int vmmu_shadow_map(struct vmmu_shadow_fault *sf);

/* ---- sync.c ---- */
/* May the guest write its table at @gfn unseen from now on? If so it may. */
bool vmmu_shadow_unsync(struct vmmu_vm *vm, gfn_t gfn);
/* Make what the root reaches say what the guest's tables say. */
void vmmu_shadow_sync_root(struct vmmu_gather *g, struct vmmu_vcpu *vcpu,
			   const struct vmmu_shadow_root *root);
/* The same for what @s, a table above the last level, reaches. */
void vmmu_shadow_sync_below(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, struct vmmu_shadow *s);
/* The same for one page; false: it had to be zapped. */
bool vmmu_shadow_sync_page(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, struct vmmu_shadow *s);
/* The page that has the entry for @addr at the lowest level that there is; NULL: no root. */
struct vmmu_shadow *vmmu_shadow_find(struct vmmu_vcpu *vcpu, u64 addr);
void vmmu_shadow_invlpg(struct vmmu_vcpu *vcpu, u64 gva);

/* ---- write.c ---- */
void vmmu_shadow_guest_wrote(struct vmmu_vm *vm, gpa_t gpa, unsigned int bytes);
bool vmmu_shadow_unshadow(struct vmmu_vm *vm, gfn_t gfn);

/* ---- root.c ---- */
int vmmu_shadow_vcpu_init(struct vmmu_vcpu *vcpu);
void vmmu_shadow_vcpu_destroy(struct vmmu_vcpu *vcpu);
/* vmmu_mmu_load() where something is to do. */
int vmmu_shadow_load(struct vmmu_vcpu *vcpu);
/* The same without a lock and with interrupts off, for a root that is kept; false: it is not so. */
bool vmmu_shadow_load_kept(struct vmmu_vcpu *vcpu);
/* Fill all stocks for one fault, and make room for it. May sleep. 0 or -ENOMEM. */
int vmmu_shadow_topup(struct vmmu_vcpu *vcpu);
/* Role of a table of the guest's, but for level, access and quadrant. Pure. */
union vmmu_role vmmu_shadow_role(const struct vmmu_paging_mode *mode);

/* ---- fault.c ---- */
int vmmu_shadow_fault(struct vmmu_vcpu *vcpu, u64 gva, u64 error);

/* ---- vm.c ---- */
int vmmu_shadow_vm_init(struct vmmu_vm *vm);
void vmmu_shadow_vm_destroy(struct vmmu_vm *vm);
/* Every page of the VM goes; new ones may come meanwhile. May sleep, takes mmu.lock. */
void vmmu_shadow_zap_all(struct vmmu_vm *vm);
/* As many pages as the limit allows are left, and room for a fault; not those in use. */
void vmmu_shadow_make_room(struct vmmu_vm *vm);
/* Let go of up to @nr pages, the least recently used first. Returns how many. */
unsigned long vmmu_shadow_reclaim(struct vmmu_vm *vm, unsigned long nr);

/* ---- range.c: what the host or a slot asks of a range of gfns ---- */
/* Every leaf that maps the page of @level at @gfn goes, if they are too many. */
void vmmu_shadow_thin_list(struct vmmu_gather *g, struct vmmu_memslot *slot, gfn_t gfn,
			   int level);

/* Before one more leaf maps it: not too many do. */
static inline void vmmu_shadow_make_list_room(struct vmmu_gather *g, struct vmmu_memslot *slot,
					      gfn_t gfn, int level)
{
	if (*vmmu_rmap_head(slot, gfn, level) & VMMU_RMAP_MANY)
		vmmu_shadow_thin_list(g, slot, gfn, level);
}

bool vmmu_shadow_unmap_range(struct vmmu_gather *g, const struct vmmu_gfn_range *range);
bool vmmu_shadow_age_range(struct vmmu_gather *g, const struct vmmu_gfn_range *range, bool clear);
void vmmu_shadow_wrprot_slot(struct vmmu_gather *g, const struct vmmu_memslot *slot);
void vmmu_shadow_wrprot_mask(struct vmmu_gather *g, gfn_t gfn, unsigned long mask);
/* Direct pages over memory that could be mapped larger now. */
void vmmu_shadow_collapse(struct vmmu_gather *g, const struct vmmu_memslot *slot);

#endif
