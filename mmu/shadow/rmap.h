/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a gfn to every SPTE that maps it, and from a shadow page to every SPTE that
 * points to it: lists of SPTE addresses.
 *
 * Most lists have one member, so a head is one word: 0, the SPTE's address, or a
 * chunk's address with bit 0 set. Only the first chunk of a list has room left.
 *
 * Each slot of a VM that shadows has, per level, a head for each page of that size,
 * and a count of guest page tables in it. mmu.lock for write throughout.
 */
#ifndef VMMU_MMU_RMAP_H
#define VMMU_MMU_RMAP_H

#include "../gather.h"

#define VMMU_RMAP_CHUNK		14
/*
 * Taking one out looks through the list, under mmu.lock; so a guest that maps one page
 * everywhere must not make it long. Whoever would add to a list of this length empties it.
 */
#define VMMU_RMAP_CROWD		1000

struct vmmu_rmap_chunk {
	struct vmmu_rmap_chunk *next;
	u32 nr;
	u32 behind;			/* members of all chunks that follow */
	u64 *sptes[VMMU_RMAP_CHUNK];
};

/* Chunks set aside before mmu.lock is taken; vcpu->mutex. */
struct vmmu_rmap_stock {
	struct vmmu_rmap_chunk *free;
	unsigned int nr;
};

struct vmmu_rmap {
	unsigned long *heads[VMMU_LEVEL_1G];	/* by level - 1 */
	/*
	 * [0]: shadow pages of this table that are in step with it: not 0: the guest must not
	 * write it unseen. Others: shadow pages of tables within: not 0: no leaf so large.
	 */
	u32 *tables[VMMU_LEVEL_1G];
};

int vmmu_rmap_module_init(void);
void vmmu_rmap_module_exit(void);

/* May sleep. 0 or -ENOMEM. */
int vmmu_rmap_alloc(struct vmmu_memslot *slot);
void vmmu_rmap_free(struct vmmu_memslot *slot);

/* Enough chunks for one fault. May sleep. 0 or -ENOMEM. */
int vmmu_rmap_topup(struct vmmu_rmap_stock *stock);
void vmmu_rmap_drain(struct vmmu_rmap_stock *stock);
/* What a series may take for guesses: it stops when this is false. */
static inline bool vmmu_rmap_spare(const struct vmmu_rmap_stock *stock)
{
	return stock && stock->nr > VMMU_ROOT_LEVEL_MAX + 1;
}

/* A list proper. Adding needs a chunk in the stock; false: there was none. */
bool vmmu_rmap_list_add(struct vmmu_rmap_stock *stock, unsigned long *head, u64 *sptep);
/* False: it was not there. A chunk that is empty goes to the stock, if there is one. */
bool vmmu_rmap_list_del(struct vmmu_rmap_stock *stock, unsigned long *head, u64 *sptep);
/* The first of the list or NULL. */
u64 *vmmu_rmap_list_first(unsigned long head);
/* Is it as long as a list may get? */
bool vmmu_rmap_crowded(unsigned long head);
/* Could it be? */
#define VMMU_RMAP_MANY		1UL

struct vmmu_rmap_pos {
	struct vmmu_rmap_chunk *chunk;
	unsigned int i;
};

/* Go through a list that does not change meanwhile. */
u64 *vmmu_rmap_start(struct vmmu_rmap_pos *pos, unsigned long head);
u64 *vmmu_rmap_next(struct vmmu_rmap_pos *pos);

#define for_each_rmap_spte(sptep, pos, head)						\
	for (sptep = vmmu_rmap_start(&(pos), head); sptep; sptep = vmmu_rmap_next(&(pos)))

static inline unsigned long vmmu_rmap_index(const struct vmmu_memslot *slot, gfn_t gfn, int level)
{
	int shift = 9 * (level - 1);

	return (gfn >> shift) - (slot->base_gfn >> shift);
}

static inline unsigned long *vmmu_rmap_head(const struct vmmu_memslot *slot, gfn_t gfn, int level)
{
	return &slot->rmap->heads[level - 1][vmmu_rmap_index(slot, gfn, level)];
}

static inline u32 *vmmu_rmap_tables(const struct vmmu_memslot *slot, gfn_t gfn, int level)
{
	return &slot->rmap->tables[level - 1][vmmu_rmap_index(slot, gfn, level)];
}

/* Must the guest not write @gfn unseen? A hint without mmu.lock. */
static inline bool vmmu_rmap_is_table(const struct vmmu_memslot *slot, gfn_t gfn)
{
	return READ_ONCE(*vmmu_rmap_tables(slot, gfn, VMMU_LEVEL_4K));
}

/*
 * The slot of @gfn. A series stays in one slot most of the time; vm->srcu or vm->mem.lock is held
 * for all of it, and a slot that takes the place of another has the same reverse map.
 */
static inline struct vmmu_memslot *vmmu_rmap_slot(struct vmmu_gather *g, gfn_t gfn)
{
	if (!g->slot || gfn - g->slot->base_gfn >= g->slot->npages)
		g->slot = vmmu_gfn_to_slot(g->vm, gfn);
	return g->slot;
}

/* A leaf came or went; vmmu_spte_change() calls these and nobody else. */
void vmmu_rmap_add(struct vmmu_gather *g, gfn_t gfn, int level, u64 *sptep);
void vmmu_rmap_remove(struct vmmu_gather *g, gfn_t gfn, int level, u64 *sptep);

/* Take write permission from every leaf over @gfn; for a table: not to be given back. */
void vmmu_rmap_wrprot(struct vmmu_gather *g, struct vmmu_memslot *slot, gfn_t gfn, bool table);

#endif
