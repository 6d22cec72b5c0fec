/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two functions that matter: one decides what an SPTE says, one changes it.
 */
#ifndef VMMU_MMU_SPTE_H
#define VMMU_MMU_SPTE_H

#include "gather.h"

/* What is known of a mapping that is to be; the input of vmmu_spte_make(). */
struct vmmu_spte_want {
	unsigned long pfn;	/* aligned to @level */
	u8 level;
	u8 access;		/* VMMU_ACC_*: the most that the tables' owner allows */
	bool cached;		/* vmmu_pfn_cached() */
	bool managed;		/* VMMU_PFN_RAM */
	bool host_writable;	/* the host process may write, and the slot lets the guest */
	bool logged;		/* the slot logs dirty pages: write permission only on a write */
	bool write;		/* the access that asks for the mapping writes */
	bool speculative;	/* nothing asks: it is a guess */
	u8 pkey;		/* shadow paging: the guest's protection key */
};

/**
 * vmmu_spte_make() - decide what a leaf SPTE says
 * @fmt: the format
 * @want: everything that is known
 *
 * Pure. Write permission is given when the host has it and the owner of the tables
 * allows it; in a logged slot only to a 4K SPTE and an actual write, else the SPTE
 * is left read-only but marked so that the fast fault may give it. A guess is
 * neither accessed nor dirty.
 */
u64 vmmu_spte_make(const struct vmmu_spte_format *fmt, const struct vmmu_spte_want *want);

/* An entry that points to @sp. */
u64 vmmu_spte_make_table(const struct vmmu_spte_format *fmt, const struct vmmu_sp *sp);

/* nx_huge.c: large leaves are not executable. */
extern bool vmmu_nx_huge;
void vmmu_nx_huge_init(void);

/* "There is no memslot at @gfn as of @generation". */
u64 vmmu_spte_make_mmio(gfn_t gfn, unsigned int access, u64 generation);

/* One of the 512 entries that together say the same as the leaf @large at @level. */
u64 vmmu_spte_make_part(u64 large, int level, unsigned int index);

/* May the access go ahead with this (present leaf) SPTE? */
static __always_inline bool vmmu_spte_allows(const struct vmmu_spte_format *fmt, u64 spte,
					     bool write, bool exec)
{
	if (write && !(spte & fmt->write))
		return false;
	if (exec && ((spte & fmt->noexec) || (fmt->exec && !(spte & fmt->exec))))
		return false;
	return true;
}

/* Did we alone take write permission away, so that we may give it back? */
static __always_inline bool vmmu_spte_may_write(const struct vmmu_spte_format *fmt, u64 spte)
{
	u64 both = fmt->host_writable | fmt->mmu_writable;

	return (spte & both) == both;
}

/* Write-back? Only for memory that the kernel manages as RAM (or knows to be RAM). */
bool vmmu_pfn_cached(const struct vmmu_pfn *pfn);

/**
 * vmmu_spte_change() - the one function that changes an SPTE
 * @g: collects what the change owes: flush, pages to free, counts
 * @it: stands on the SPTE; it->old is what it is expected to say
 * @new: what it shall say
 *
 * The change is a compare-and-swap in every case: hardware sets accessed and dirty
 * bits at any moment, the fast fault gives write permission without a lock, and
 * faults run in parallel under the read side of mmu.lock. When @new no longer maps
 * what was mapped, accessed and dirty go to the host's page; when it unlinks a table,
 * every entry of that table is emptied (by this function) and frozen for good, and
 * the table waits in @g for the flush.
 *
 * mmu.lock held, either side, and rcu_read_lock() with the read side; or, to give
 * write permission to a 4K leaf only, rcu_read_lock() alone. Does not sleep.
 *
 * Return: true when done, with it->old = @new and g->flush set when a flush is owed;
 * false when the SPTE said something else: it->old has that, nothing was changed.
 */
bool vmmu_spte_change(struct vmmu_gather *g, struct vmmu_iter *it, u64 new);

/**
 * vmmu_spte_fill() - put guesses where there is nothing
 * @g: as in vmmu_spte_change()
 * @it: stands on the 4K SPTE of the first, and stays there
 * @spte_of_0: vmmu_spte_make() of frame 0
 * @pfns: the frames; kernel-managed RAM
 * @mask: which of them, bit n for the SPTE @n behind @it; all in one table
 *
 * Each by one compare-and-swap or not at all. Locking as in vmmu_spte_change().
 */
void vmmu_spte_fill(struct vmmu_gather *g, const struct vmmu_iter *it, u64 spte_of_0,
		    const unsigned long *pfns, unsigned int mask);

/**
 * vmmu_spte_zap_leaves() - empty the 4K leaves from where the walk stands
 * @g: as in vmmu_spte_change()
 * @it: stands on a 4K SPTE; afterwards on the last one that was looked at
 *
 * Up to the end of the walk's range, of the table, or of an aligned run of 64: callers ask
 * in between whether somebody waits. mmu.lock held for write.
 */
void vmmu_spte_zap_leaves(struct vmmu_gather *g, struct vmmu_iter *it);

/* Empty the SPTE whatever hardware does to it meanwhile. mmu.lock held for write. */
void vmmu_spte_zap(struct vmmu_gather *g, struct vmmu_iter *it);

/*
 * Clear @bits of a present leaf whatever hardware does to it meanwhile, until it is no longer
 * one. Returns the bits that were set. mmu.lock held for write.
 */
u64 vmmu_spte_clear(struct vmmu_gather *g, struct vmmu_iter *it, u64 bits);

#endif
