// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reverse map: lists of SPTE addresses, and a slot's arrays of them.
 *
 * Owns the slab of chunks. Everything is under mmu.lock for write but what
 * allocates: that runs before the lock is taken, may sleep, and fills a stock of
 * the vCPU's own. Freeing does not sleep.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include "shadow.h"
#include "vmmu/vm.h"

/* One fault: a leaf, the window's guesses, and a parent per level. */
#define RMAP_STOCK	(VMMU_WINDOW_SIZE + VMMU_ROOT_LEVEL_MAX + 2)
/* And what a window that is zapped before it is mapped anew gives back. */
#define RMAP_STOCK_MAX	(RMAP_STOCK + VMMU_WINDOW_SIZE)

static struct kmem_cache *chunk_cache;

int vmmu_rmap_module_init(void)
{
	chunk_cache = kmem_cache_create("vmmu_rmap", sizeof(struct vmmu_rmap_chunk), 0,
					SLAB_ACCOUNT, NULL);
	return chunk_cache ? 0 : -ENOMEM;
}

void vmmu_rmap_module_exit(void)
{
	kmem_cache_destroy(chunk_cache);
}

int vmmu_rmap_topup(struct vmmu_rmap_stock *stock)
{
	while (stock->nr < RMAP_STOCK) {
		struct vmmu_rmap_chunk *c = kmem_cache_zalloc(chunk_cache, GFP_KERNEL_ACCOUNT);

		if (!c)
			return -ENOMEM;
		c->next = stock->free;
		stock->free = c;
		stock->nr++;
	}
	return 0;
}

void vmmu_rmap_drain(struct vmmu_rmap_stock *stock)
{
	struct vmmu_rmap_chunk *c;

	while ((c = stock->free)) {
		stock->free = c->next;
		kmem_cache_free(chunk_cache, c);
	}
	stock->nr = 0;
}

static struct vmmu_rmap_chunk *stock_take(struct vmmu_rmap_stock *stock)
{
	struct vmmu_rmap_chunk *c = stock ? stock->free : NULL;

	if (!c)
		return NULL;
	stock->free = c->next;
	stock->nr--;
	c->next = NULL;
	return c;
}

/* What is not needed any more may be needed again at once: a guest moves a page. */
static void stock_put(struct vmmu_rmap_stock *stock, struct vmmu_rmap_chunk *c)
{
	if (!stock || stock->nr >= RMAP_STOCK_MAX) {
		kmem_cache_free(chunk_cache, c);
		return;
	}
	c->next = stock->free;
	stock->free = c;
	stock->nr++;
}

/* ---- one list ---- */

static struct vmmu_rmap_chunk *head_chunk(unsigned long head)
{
	return head & VMMU_RMAP_MANY ? (struct vmmu_rmap_chunk *)(head & ~VMMU_RMAP_MANY) : NULL;
}

bool vmmu_rmap_list_add(struct vmmu_rmap_stock *stock, unsigned long *head, u64 *sptep)
{
	struct vmmu_rmap_chunk *c = head_chunk(*head), *new;

	if (!*head) {
		*head = (unsigned long)sptep;
		return true;
	}
	if (!c || c->nr == VMMU_RMAP_CHUNK) {
		new = stock_take(stock);
		if (!new)
			return false;
		new->next = c;
		new->nr = 0;
		new->behind = c ? c->behind + c->nr : 0;
		if (!c)
			new->sptes[new->nr++] = (u64 *)*head;
		*head = (unsigned long)new | VMMU_RMAP_MANY;
		c = new;
	}
	c->sptes[c->nr++] = sptep;
	return true;
}

/* The last of the first chunk takes the place of the one that goes: no other chunk has a hole. */
static void list_fill_hole(struct vmmu_rmap_stock *stock, unsigned long *head, u64 **hole)
{
	struct vmmu_rmap_chunk *first = head_chunk(*head);

	*hole = first->sptes[--first->nr];
	if (first->nr > 1 || (first->nr && first->next))
		return;
	if (first->nr)
		*head = (unsigned long)first->sptes[0];
	else
		*head = first->next ? (unsigned long)first->next | VMMU_RMAP_MANY : 0;
	stock_put(stock, first);
}

bool vmmu_rmap_list_del(struct vmmu_rmap_stock *stock, unsigned long *head, u64 *sptep)
{
	struct vmmu_rmap_chunk *c;

	if (*head == (unsigned long)sptep) {
		*head = 0;
		return true;
	}
	for (c = head_chunk(*head); c; c = c->next) {
		for (unsigned int i = 0; i < c->nr; i++) {
			if (c->sptes[i] != sptep)
				continue;
			list_fill_hole(stock, head, &c->sptes[i]);
			return true;
		}
	}
	return false;
}

u64 *vmmu_rmap_list_first(unsigned long head)
{
	struct vmmu_rmap_chunk *c = head_chunk(head);

	return c ? c->sptes[0] : (u64 *)head;
}

bool vmmu_rmap_crowded(unsigned long head)
{
	struct vmmu_rmap_chunk *c = head_chunk(head);

	return c && c->nr + c->behind >= VMMU_RMAP_CROWD;
}

u64 *vmmu_rmap_start(struct vmmu_rmap_pos *pos, unsigned long head)
{
	pos->chunk = head_chunk(head);
	pos->i = 0;
	return vmmu_rmap_list_first(head);
}

u64 *vmmu_rmap_next(struct vmmu_rmap_pos *pos)
{
	if (!pos->chunk)
		return NULL;
	if (++pos->i == pos->chunk->nr) {
		pos->chunk = pos->chunk->next;
		pos->i = 0;
		if (!pos->chunk)
			return NULL;
	}
	return pos->chunk->sptes[pos->i];
}

/* ---- a slot ---- */

int vmmu_rmap_alloc(struct vmmu_memslot *slot)
{
	gfn_t last = slot->base_gfn + slot->npages - 1;
	struct vmmu_rmap *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);

	if (!r)
		return -ENOMEM;
	slot->rmap = r;
	for (int level = VMMU_LEVEL_4K; level <= VMMU_LEVEL_1G; level++) {
		unsigned long n = vmmu_rmap_index(slot, last, level) + 1;

		r->heads[level - 1] = kvcalloc(n, sizeof(*r->heads[0]), GFP_KERNEL_ACCOUNT);
		r->tables[level - 1] = kvcalloc(n, sizeof(*r->tables[0]), GFP_KERNEL_ACCOUNT);
		if (!r->heads[level - 1] || !r->tables[level - 1]) {
			vmmu_rmap_free(slot);
			return -ENOMEM;
		}
	}
	return 0;
}

void vmmu_rmap_free(struct vmmu_memslot *slot)
{
	struct vmmu_rmap *r = slot->rmap;

	if (!r)
		return;
	for (int i = 0; i < VMMU_LEVEL_1G; i++) {
		kvfree(r->heads[i]);
		kvfree(r->tables[i]);
	}
	kfree(r);
	slot->rmap = NULL;
}

void vmmu_rmap_add(struct vmmu_gather *g, gfn_t gfn, int level, u64 *sptep)
{
	struct vmmu_memslot *slot = vmmu_rmap_slot(g, gfn);

	if (!slot || !vmmu_rmap_list_add(g->stock, vmmu_rmap_head(slot, gfn, level), sptep))
		vmmu_vm_kill(g->vm, "a mapping without a reverse map");
}

void vmmu_rmap_remove(struct vmmu_gather *g, gfn_t gfn, int level, u64 *sptep)
{
	struct vmmu_memslot *slot = vmmu_rmap_slot(g, gfn);

	if (!slot || !vmmu_rmap_list_del(g->stock, vmmu_rmap_head(slot, gfn, level), sptep))
		vmmu_vm_kill(g->vm, "the reverse map does not know a mapping");
}

void vmmu_rmap_wrprot(struct vmmu_gather *g, struct vmmu_memslot *slot, gfn_t gfn, bool table)
{
	const struct vmmu_spte_format *fmt;
	struct vmmu_rmap_pos pos;
	struct vmmu_iter it = {};
	u64 *sptep;

	for (int level = VMMU_LEVEL_4K; level <= VMMU_LEVEL_1G; level++) {
		for_each_rmap_spte(sptep, pos, *vmmu_rmap_head(slot, gfn, level)) {
			it.sptep = sptep;
			it.gfn = gfn_round(gfn, level);
			it.level = level;
			it.old = READ_ONCE(*sptep);
			fmt = vmmu_shadow_format(vmmu_sp_of(sptep)->role);
			vmmu_spte_clear(g, &it, fmt->write | (table ? fmt->mmu_writable : 0));
		}
	}
}
