/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct vmmu_sp: one page of 512 SPTEs that we own, and what it stands for.
 *
 * Pages are charged to the allocating task's memory cgroup. They are made ready
 * before mmu.lock is taken (each vCPU keeps a small stock) and freed by RCU, so
 * that a lockless walker under rcu_read_lock() never follows a pointer into a
 * page that means something else by now.
 */
#ifndef VMMU_MMU_PAGE_H
#define VMMU_MMU_PAGE_H

#include <linux/mm.h>
#include <linux/rcupdate.h>
#include "format.h"

struct vmmu_vm;
struct vmmu_vcpu;

/* What a page maps, apart from where: two pages of equal role and gfn say the same. */
union vmmu_role {
	u32 word;
	struct {
		u32 level : 4;	/* of its entries */
		u32 direct : 1;	/* gfn follows from the position: no guest table behind it */
		u32 access : 3;	/* VMMU_ACC_*, the most that its entries may give */
		/* Shadow paging only. */
		u32 guest : 2;	/* enum vmmu_paging_id of the table behind it */
		u32 quadrant : 2; /* which part of a 4-byte table, twice or four times our size */
		u32 nxe : 1;	/* EFER.NXE: else bit 63 of a guest's entry is reserved */
		u32 pse : 1;	/* CR4.PSE, in 2-level mode */
		u32 nowp : 1;	/* CR0.WP = 0: the supervisor may be given what users only read */
		u32 pkey : 4;	/* of a direct page's entries: the large page's */
		u32 tdp : 1;	/* in the format of two-dimensional tables: an unpaged guest's */
		u32 zero : 12;	/* named, or else an initialiser need not clear it */
	};
};

static_assert(sizeof(union vmmu_role) == sizeof(u32));

/* Constant from the moment the page is linked; @link belongs to whoever unlinked it. */
struct vmmu_sp {
	u64 *spt;
	gfn_t gfn;		/* that entry 0 maps */
	union vmmu_role role;
	bool shadow;		/* it is the first member of a struct vmmu_shadow */
	struct list_head link;	/* struct vmmu_gather's list of pages to free */
	struct rcu_head rcu;
};

/* The vmmu_sp behind an SPTE's or a table's address. */
static __always_inline struct vmmu_sp *vmmu_sp_of(const u64 *spt)
{
	return (struct vmmu_sp *)page_private(virt_to_page(spt));
}

static __always_inline unsigned int vmmu_spte_index(gfn_t gfn, int level)
{
	return (gfn >> (9 * (level - 1))) & (VMMU_SPTES_PER_PAGE - 1);
}

/* The role of a table in a TDP root. */
static inline union vmmu_role vmmu_tdp_role(int level)
{
	return (union vmmu_role) { .level = level, .direct = 1, .access = VMMU_ACC_ALL };
}

int vmmu_page_module_init(void);
void vmmu_page_module_exit(void);

/* May sleep; NULL when there is no memory. All entries are empty. @shadow: a vmmu_shadow. */
struct vmmu_sp *vmmu_page_alloc(bool shadow);
/* Only for a page that no walker ever saw. */
void vmmu_page_free(struct vmmu_sp *sp);
/* For a page that was linked once: unlinked, and flushed from every TLB, by now. */
void vmmu_page_free_rcu(struct vmmu_sp *sp);

/* Have enough pages in stock for one fault. May sleep. 0 or -ENOMEM. */
int vmmu_page_topup(struct vmmu_vcpu *vcpu);
/* One page of the stock; never fails after a topup, for as many as a root has levels. */
struct vmmu_sp *vmmu_page_take(struct vmmu_vcpu *vcpu);
/* Give back a page from vmmu_page_take() that was not linked (the race was lost). */
void vmmu_page_return(struct vmmu_vcpu *vcpu, struct vmmu_sp *sp);
void vmmu_page_drain(struct vmmu_vcpu *vcpu);

#endif
