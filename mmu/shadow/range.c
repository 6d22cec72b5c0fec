// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host or a memory slot asks of a range of gfns, by way of the reverse map.
 *
 * mmu.lock for write; whatever may take long lets the lock go in between, having
 * flushed, unless its caller said no.
 */
#include "shadow.h"

/* The leaves over @gfn of @level, one by one; each is gone when the next is asked for. */
static void zap_head(struct vmmu_gather *g, struct vmmu_memslot *slot, gfn_t gfn, int level)
{
	unsigned long *head = vmmu_rmap_head(slot, gfn, level);
	struct vmmu_iter it;

	while (*head) {
		u64 *sptep = vmmu_rmap_list_first(*head);

		it.sptep = sptep;
		it.old = READ_ONCE(*sptep);
		it.level = level;
		it.gfn = gfn;
		vmmu_spte_zap(g, &it);
	}
}

void vmmu_shadow_thin_list(struct vmmu_gather *g, struct vmmu_memslot *slot, gfn_t gfn,
			   int level)
{
	if (unlikely(vmmu_rmap_crowded(*vmmu_rmap_head(slot, gfn, level))))
		zap_head(g, slot, gfn, level);
}

bool vmmu_shadow_unmap_range(struct vmmu_gather *g, const struct vmmu_gfn_range *range)
{
	for (int level = VMMU_LEVEL_4K; level <= VMMU_LEVEL_1G; level++) {
		gfn_t gfn = gfn_round(range->start, level);

		for (; gfn < range->end; gfn += VMMU_PAGES_PER_LEVEL(level)) {
			zap_head(g, range->slot, gfn, level);
			if (range->may_block)
				vmmu_gather_rest(g);
		}
	}
	return vmmu_gather_hand_over(g);
}

/* Where the bit that is asked for stands depends on the page's format. */
static u64 accessed_bit(const struct vmmu_spte_format *fmt)
{
	return fmt->accessed;
}

static u64 write_bit(const struct vmmu_spte_format *fmt)
{
	return fmt->write;
}

static __always_inline u64 bit_of(const u64 *sptep,
				  u64 (*bit)(const struct vmmu_spte_format *fmt))
{
	return bit(vmmu_shadow_format(vmmu_sp_of(sptep)->role));
}

/* Take a bit from the leaves of a head; had one of them it? */
static __always_inline bool clear_head(struct vmmu_gather *g, unsigned long head, gfn_t gfn,
				       int level,
				       u64 (*bit)(const struct vmmu_spte_format *fmt))
{
	struct vmmu_rmap_pos pos;
	struct vmmu_iter it;
	bool was = false;
	u64 *sptep;

	for_each_rmap_spte(sptep, pos, head) {
		it.sptep = sptep;
		it.old = READ_ONCE(*sptep);
		it.level = level;
		it.gfn = gfn;
		was |= !!vmmu_spte_clear(g, &it, bit_of(sptep, bit));
	}
	return was;
}

static __always_inline bool test_head(unsigned long head,
				      u64 (*bit)(const struct vmmu_spte_format *fmt))
{
	struct vmmu_rmap_pos pos;
	u64 *sptep;

	for_each_rmap_spte(sptep, pos, head) {
		if (READ_ONCE(*sptep) & bit_of(sptep, bit))
			return true;
	}
	return false;
}

bool vmmu_shadow_age_range(struct vmmu_gather *g, const struct vmmu_gfn_range *range, bool clear)
{
	bool young = false;

	for (int level = VMMU_LEVEL_4K; level <= VMMU_LEVEL_1G; level++) {
		gfn_t gfn = gfn_round(range->start, level);

		for (; gfn < range->end; gfn += VMMU_PAGES_PER_LEVEL(level)) {
			unsigned long head = *vmmu_rmap_head(range->slot, gfn, level);

			if (!head)
				continue;
			if (clear)
				young |= clear_head(g, head, gfn, level, accessed_bit);
			else if (test_head(head, accessed_bit))
				return true;
		}
	}
	return young;
}

void vmmu_shadow_wrprot_slot(struct vmmu_gather *g, const struct vmmu_memslot *slot)
{
	gfn_t end = slot->base_gfn + slot->npages;

	for (int level = VMMU_LEVEL_4K; level <= VMMU_LEVEL_1G; level++) {
		gfn_t gfn = gfn_round(slot->base_gfn, level);

		for (; gfn < end; gfn += VMMU_PAGES_PER_LEVEL(level)) {
			clear_head(g, *vmmu_rmap_head(slot, gfn, level), gfn, level, write_bit);
			vmmu_gather_rest(g);
		}
	}
}

void vmmu_shadow_wrprot_mask(struct vmmu_gather *g, gfn_t gfn, unsigned long mask)
{
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(g->vm, gfn + __ffs(mask));

	if (!slot)
		return;
	for (; mask; mask &= mask - 1)
		vmmu_rmap_wrprot(g, slot, gfn + __ffs(mask), false);
}

/*
 * A page of our own making below a large one of the guest's, where the host now has as large
 * a page: the next fault maps it large.
 */
void vmmu_shadow_collapse(struct vmmu_gather *g, const struct vmmu_memslot *slot)
{
	struct vmmu_shadow *s, *next;
	gfn_t end = slot->base_gfn + slot->npages;

	list_for_each_entry_safe(s, next, &g->vm->mmu.shadow->lru, lru) {
		if (!s->sp.role.direct || s->sp.role.level != VMMU_LEVEL_4K || s->roots)
			continue;
		if (s->sp.gfn < slot->base_gfn ||
		    s->sp.gfn + VMMU_PAGES_PER_LEVEL(VMMU_LEVEL_2M) > end)
			continue;
		if (vmmu_host_level(g->vm, vmmu_slot_hva(slot, s->sp.gfn)) >= VMMU_LEVEL_2M)
			vmmu_shadow_zap(g, s);
	}
}
