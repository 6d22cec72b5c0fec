// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an SPTE says, and how it changes.
 *
 * Contract: law 1 of the design. No file but this one stores to an SPTE that is
 * linked, and here there is one store, the compare-and-swap of spte_change().
 * What a change owes is left in the caller's struct vmmu_gather. Locking: see
 * vmmu_spte_change(). Nothing here sleeps.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/swap.h>
#include "audit.h"
#include "shadow/shadow.h"
#include "spte.h"
#include "vmmu/request.h"
#include "vmmu/trace.h"
#include "vmmu/vm.h"

/* Leaves that are zapped without a look at who waits; divides a table. */
#define ZAP_RUN		64

u64 vmmu_spte_make(const struct vmmu_spte_format *fmt, const struct vmmu_spte_want *want)
{
	u64 spte = fmt->leaf | (u64)want->pfn << PAGE_SHIFT |
		   (u64)want->pkey << VMMU_GPTE_PKEY_SHIFT;

	if (want->level > VMMU_LEVEL_4K)
		spte |= VMMU_SPTE_LARGE;

	/* The host's memory encryption bit is part of the address of its RAM. */
	spte |= want->cached ? __sme_set(fmt->cached) : fmt->uncached;
	if (want->managed)
		spte |= fmt->managed;

	if ((want->access & VMMU_ACC_EXEC) && !(vmmu_nx_huge && want->level > VMMU_LEVEL_4K))
		spte |= fmt->exec;
	else
		spte |= fmt->noexec;
	if (want->access & VMMU_ACC_USER)
		spte |= fmt->user;

	if (!want->speculative)
		spte |= fmt->accessed;

	if (!want->host_writable)
		return spte;
	spte |= fmt->host_writable;

	if (!(want->access & VMMU_ACC_WRITE))
		return spte;
	spte |= fmt->mmu_writable;

	if (want->logged && (want->speculative || !want->write || want->level > VMMU_LEVEL_4K))
		return spte;
	spte |= fmt->write;

	if (want->write && !want->speculative)
		spte |= fmt->dirty;
	return spte;
}

u64 vmmu_spte_make_table(const struct vmmu_spte_format *fmt, const struct vmmu_sp *sp)
{
	return fmt->table | __sme_set(__pa(sp->spt));
}

gfn_t vmmu_mmio_guard __ro_after_init;

/* Five bits, below the ones that tell addresses apart in no cache: a 32nd of the space. */
void vmmu_mmio_guard_init(void)
{
	int top = boot_cpu_data.x86_cache_bits - 1 - PAGE_SHIFT;

	if (boot_cpu_has_bug(X86_BUG_L1TF) && top < 52 - PAGE_SHIFT)
		vmmu_mmio_guard = GENMASK_ULL(top, top - 4);
}

u64 vmmu_spte_make_mmio(gfn_t gfn, unsigned int access, u64 generation)
{
	return VMMU_MMIO_TAG |
	       FIELD_PREP(VMMU_MMIO_ACCESS, access) |
	       FIELD_PREP(VMMU_MMIO_GEN_LOW, generation & (BIT(VMMU_MMIO_GEN_LOW_BITS) - 1)) |
	       FIELD_PREP(VMMU_SPTE_ADDR, gfn | vmmu_mmio_guard) |
	       FIELD_PREP(VMMU_MMIO_GEN_HIGH,
			  (generation & VMMU_MMIO_GEN_MASK) >> VMMU_MMIO_GEN_LOW_BITS);
}

u64 vmmu_spte_make_part(u64 large, int level, unsigned int index)
{
	u64 spte = large + (index * VMMU_PAGES_PER_LEVEL(level - 1) << PAGE_SHIFT);

	if (level - 1 == VMMU_LEVEL_4K)
		spte &= ~VMMU_SPTE_LARGE;
	return spte;
}

bool vmmu_pfn_cached(const struct vmmu_pfn *pfn)
{
	switch (pfn->kind) {
	case VMMU_PFN_RAM:
		return true;
	case VMMU_PFN_RESERVED:
		/* The zero page, a driver's buffers: reserved, but RAM all the same. */
		return is_zero_pfn(pfn->pfn) || page_is_ram(pfn->pfn);
	default:
		return false;
	}
}

/* Is a leaf with @new in the place of a leaf with @old the same mapping? */
static __always_inline bool same_mapping(u64 old, u64 new)
{
	return !((old ^ new) & VMMU_SPTE_ADDR);
}

/*
 * A mapping ends: tell the host's page what hardware noted of it. The page is still the
 * host's at this address: an unmapping waits for mmu.lock in the notifier.
 */
static __always_inline void leaf_to_page(const struct vmmu_spte_format *fmt, u64 old)
{
	struct folio *folio;

	if (!(old & fmt->managed))
		return;
	if (old & fmt->dirty) {
		folio = page_folio(pfn_to_page(vmmu_spte_pfn(old)));
		folio_set_dirty(folio);
		if (!(old & fmt->accessed))
			return;
	} else if (old & fmt->accessed) {
		folio = page_folio(pfn_to_page(vmmu_spte_pfn(old)));
	} else {
		return;
	}
	/* As where the host takes its own entry away: the age of anonymous memory ends with it. */
	if (!folio_test_anon(folio))
		folio_mark_accessed(folio);
}

/*
 * Which flush does the step from @old to @new owe? None when nothing could be cached (hardware
 * caches no entry that does not translate), and none when a permission is given: a processor
 * with the older entry faults, finds it allowed and goes on. Taking the accessed bit owes none
 * either: until the next flush the page may look older than it is.
 */
static __always_inline bool owes_flush(const struct vmmu_spte_format *fmt, u64 old, u64 new,
				       int level)
{
	u64 taken = old & ~new;

	if (!vmmu_spte_present(old))
		return false;
	if (!vmmu_spte_present(new) || !same_mapping(old, new))
		return true;
	if (vmmu_spte_leaf(old, level) != vmmu_spte_leaf(new, level))
		return true;
	return (taken & (fmt->leaf | fmt->write | fmt->exec | fmt->user | fmt->dirty)) ||
	       (new & ~old & fmt->noexec);
}

static __always_inline void note_flush(struct vmmu_gather *g, const struct vmmu_spte_format *fmt,
				       u64 old, u64 new, int level)
{
	if (!owes_flush(fmt, old, new, level))
		return;
	g->flush = true;
	vmmu_audit_owes(g);
}

/* From a leaf to @new, which may be one too. */
static __always_inline void leave_leaf(struct vmmu_gather *g, const struct vmmu_spte_format *fmt,
				       u64 old, u64 new, bool is_leaf)
{
	if (is_leaf && !same_mapping(old, new))
		vmmu_vm_kill(g->vm, "a mapped frame changed without being unmapped");
	if (!is_leaf || (old & ~new & fmt->dirty))
		leaf_to_page(fmt, old);
}

static void unlink_table(struct vmmu_gather *g, u64 old, int level);

/*
 * Shadow pages are linked from many places and from none, so a link is a parent more or less
 * and not a page; and every leaf has its place in the reverse map. mmu.lock for write.
 */
static noinline void shadow_spte_changed(struct vmmu_gather *g, u64 *sptep, gfn_t gfn, int level,
					 u64 old, u64 new)
{
	const struct vmmu_spte_format *fmt = vmmu_shadow_format(vmmu_sp_of(sptep)->role);
	bool was_leaf = vmmu_spte_leaf(old, level), is_leaf = vmmu_spte_leaf(new, level);

	trace_vmmu_spte(gfn, level, old, new);

	note_flush(g, fmt, old, new, level);
	if (was_leaf)
		leave_leaf(g, fmt, old, new, is_leaf);
	if (was_leaf && !is_leaf) {
		g->leaves[level]--;
		vmmu_rmap_remove(g, gfn, level, sptep);
	} else if (is_leaf && !was_leaf) {
		g->leaves[level]++;
		vmmu_rmap_add(g, gfn, level, sptep);
	}
	if (vmmu_spte_table(old, level) &&
	    !vmmu_rmap_list_del(g->stock, &vmmu_shadow_of(vmmu_spte_child(old))->parents, sptep))
		vmmu_vm_kill(g->vm, "a shadow page does not know its parent");
	if (vmmu_spte_table(new, level) &&
	    !vmmu_rmap_list_add(g->stock, &vmmu_shadow_of(vmmu_spte_child(new))->parents, sptep))
		vmmu_vm_kill(g->vm, "a shadow page was linked without its knowing");
}

/* Law 1 in one place: everything that a change from @old to @new brings with it. */
static __always_inline void spte_changed(struct vmmu_gather *g, gfn_t gfn, int level, u64 old,
					 u64 new)
{
	bool is_leaf = vmmu_spte_leaf(new, level);
	bool was_leaf;

	trace_vmmu_spte(gfn, level, old, new);

	if (!vmmu_spte_present(old)) {
		if (is_leaf)
			g->leaves[level]++;
		else if (vmmu_spte_present(new))
			g->nr_pages++;
		return;
	}

	was_leaf = vmmu_spte_leaf(old, level);
	if (is_leaf != was_leaf)
		g->leaves[level] += is_leaf ? 1 : -1;

	note_flush(g, g->fmt, old, new, level);
	if (was_leaf) {
		leave_leaf(g, g->fmt, old, new, is_leaf);
		/* A split: the new table is full of what the leaf said. */
		if (vmmu_spte_table(new, level)) {
			g->nr_pages++;
			g->leaves[level - 1] += VMMU_SPTES_PER_PAGE;
		}
		return;
	}

	if (!vmmu_spte_present(new))
		unlink_table(g, old, level);
	else if (is_leaf || !same_mapping(old, new))
		vmmu_vm_kill(g->vm, "a linked table was replaced without being frozen");
}

static __always_inline bool spte_change(struct vmmu_gather *g, u64 *sptep, gfn_t gfn, int level,
					u64 *old, u64 new)
{
	if (!try_cmpxchg64(sptep, old, new))
		return false;
	if (unlikely(g->vm->mmu.shadow))
		shadow_spte_changed(g, sptep, gfn, level, *old, new);
	else
		spte_changed(g, gfn, level, *old, new);
	return true;
}

/*
 * Nobody finds the table that @old pointed to any more, but some may be in it: hardware with
 * a cached upper-level entry, other faults under the read lock, the fast fault under RCU. So
 * each entry is taken out of their hands by freezing it, for ever.
 */
static void unlink_table(struct vmmu_gather *g, u64 old, int level)
{
	u64 *spt = vmmu_spte_child(old);
	struct vmmu_sp *sp = vmmu_sp_of(spt);

	for (int i = 0; i < VMMU_SPTES_PER_PAGE; i++) {
		gfn_t gfn = sp->gfn + i * VMMU_PAGES_PER_LEVEL(level - 1);
		u64 child = READ_ONCE(spt[i]);

		do {
			/* Another fault froze it to replace it, and will soon be done. */
			while (vmmu_spte_frozen(child)) {
				cpu_relax();
				child = READ_ONCE(spt[i]);
			}
		} while (!spte_change(g, &spt[i], gfn, level - 1, &child, VMMU_SPTE_FROZEN));
	}

	g->nr_pages--;
	list_add(&sp->link, &g->pages);
}

bool vmmu_spte_change(struct vmmu_gather *g, struct vmmu_iter *it, u64 new)
{
	if (!spte_change(g, it->sptep, it->gfn, it->level, &it->old, new))
		return false;
	it->old = new;
	return true;
}

void vmmu_spte_fill(struct vmmu_gather *g, const struct vmmu_iter *it, u64 spte_of_0,
		    const unsigned long *pfns, unsigned int mask)
{
	for (; mask; mask &= mask - 1) {
		unsigned int i = __ffs(mask);
		u64 empty = VMMU_SPTE_EMPTY;

		spte_change(g, it->sptep + i, it->gfn + i, VMMU_LEVEL_4K, &empty,
			    spte_of_0 | (u64)pfns[i] << PAGE_SHIFT);
	}
}

void vmmu_spte_zap_leaves(struct vmmu_gather *g, struct vmmu_iter *it)
{
	gfn_t gfn = it->gfn, end = min(it->end, (gfn | (ZAP_RUN - 1)) + 1);

	for (u64 *sptep = it->sptep; gfn < end; gfn++, sptep++) {
		u64 old = READ_ONCE(*sptep);

		while (vmmu_spte_present(old) &&
		       !spte_change(g, sptep, gfn, VMMU_LEVEL_4K, &old, VMMU_SPTE_EMPTY))
			;
	}
	vmmu_iter_move(it, end - 1, it->end);
}

void vmmu_spte_zap(struct vmmu_gather *g, struct vmmu_iter *it)
{
	while (!vmmu_spte_change(g, it, VMMU_SPTE_EMPTY))
		;
}

u64 vmmu_spte_clear(struct vmmu_gather *g, struct vmmu_iter *it, u64 bits)
{
	u64 old;

	do {
		old = it->old;
		if (!vmmu_spte_leaf(old, it->level) || !(old & bits))
			return 0;
	} while (!vmmu_spte_change(g, it, old & ~bits));

	return old & bits;
}
