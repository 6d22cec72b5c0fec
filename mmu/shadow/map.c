// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last stage of a shadow-paging fault: tables linked, the leaf and the guesses
 * around it installed.
 *
 * mmu.lock for write; nothing sleeps. The guest's entries were read without the
 * lock. An entry of a table that was in step all the while cannot have changed.
 * So the two that may have are read again: one whose table is linked just now
 * (and is in step from now on), and the leaf, whose table may be unsync. A guest
 * that changes a leaf and then flushes takes this lock: before us, and we see the
 * new entry; or after us, and it finds what we installed.
 */
#include "shadow.h"
#include "vmmu/notifier.h"
#include "vmmu/trace.h"

/* An entry of ours that stands in the way goes, and no TLB knows it by the other size. */
static void clear_entry(struct vmmu_gather *g, struct vmmu_iter *it)
{
	if (it->old == VMMU_SPTE_EMPTY)
		return;
	vmmu_spte_zap(g, it);
	if (it->level > VMMU_LEVEL_4K)
		vmmu_gather_pay(g);
}

/* Does the guest's entry still say what the walk read? */
static bool gpte_unchanged(const struct vmmu_shadow_fault *sf, int level)
{
	u64 now = 0;

	if (vmmu_read_guest_atomic(sf->f.vm, sf->walk.gpte_gpa[level - 1], &now,
				   sf->fmt->entry_bytes))
		return false;
	return now == sf->walk.gpte[level - 1];
}

/* What the guest's tables allow from the root down to the entry at @level. */
static unsigned int access_above(const struct vmmu_shadow_fault *sf, int level)
{
	unsigned int acc = VMMU_ACC_ALL;

	for (int i = sf->walk.top; i >= level; i--)
		acc &= vmmu_gpte_access(sf->fmt, sf->walk.gpte[i - 1], i);
	return acc;
}

/* Does the entry at @level lead to a table of the guest's? Else we make one of our own. */
static bool guest_has_table(const struct vmmu_shadow_fault *sf, int level)
{
	return sf->walk.top && level > sf->walk.level;
}

/* The name of the page that the entry at @level is to point to. */
static gfn_t child_name(const struct vmmu_shadow_fault *sf, int level, union vmmu_role *role)
{
	*role = sf->role;
	role->level = level - 1;
	if (guest_has_table(sf, level)) {
		role->access = access_above(sf, level);
		if (role->guest == VMMU_PAGING_2LEVEL)
			role->quadrant = sf->f.addr >> VMMU_LEVEL_SHIFT(VMMU_LEVEL_2M) & 1;
		return gpa_to_gfn(sf->walk.gpte[level - 1] & sf->fmt->addr_mask);
	}
	*role = (union vmmu_role) {
		.level = level - 1,
		.direct = 1,
		.access = sf->page_access,
		.nowp = sf->role.nowp,
		.pkey = sf->walk.pkey,
		.tdp = sf->role.tdp,
	};
	return gfn_round(sf->f.gfn, level);
}

/* The page below entry @i of @s, linked; NULL: begin again. */
static struct vmmu_shadow *link_child(struct vmmu_shadow_fault *sf, struct vmmu_gather *g,
				      struct vmmu_shadow *s, unsigned int i)
{
	const struct vmmu_spte_format *fmt = vmmu_shadow_format(s->sp.role);
	int level = s->sp.role.level;
	struct vmmu_shadow *child;
	union vmmu_role role;
	struct vmmu_iter it;
	gfn_t gfn = child_name(sf, level, &role);

	vmmu_shadow_iter(&it, s, i);
	if (vmmu_spte_table(it.old, level)) {
		child = vmmu_shadow_of(vmmu_spte_child(it.old));
		if (child->sp.gfn == gfn && child->sp.role.word == role.word)
			return child;
	}
	clear_entry(g, &it);

	child = vmmu_shadow_get(g, sf->f.vcpu, gfn, role);
	if (!child)
		return NULL;
	if (s->gptes) {
		if (!gpte_unchanged(sf, level))
			return NULL;
		s->gptes[i] = sf->walk.gpte[level - 1];
	}
	vmmu_shadow_make_parent_room(g, child);
	if (!vmmu_spte_change(g, &it, vmmu_spte_make_table(fmt, &child->sp)))
		return NULL;
	return child;
}

/* The needed entry. */
static void map_leaf(struct vmmu_shadow_fault *sf, struct vmmu_gather *g, struct vmmu_shadow *s,
		     unsigned int i)
{
	const struct vmmu_spte_format *fmt = vmmu_shadow_format(s->sp.role);
	struct vmmu_fault *f = &sf->f;
	int level = s->sp.role.level;
	gfn_t gfn = gfn_round(f->gfn, level);
	struct vmmu_spte_want want = {
		.pfn = f->pfn.pfn & ~(VMMU_PAGES_PER_LEVEL(level) - 1),
		.level = level,
		.access = sf->access,
		.cached = vmmu_pfn_cached(&f->pfn),
		.managed = f->pfn.kind == VMMU_PFN_RAM,
		.host_writable = f->pfn.writable && f->slot_writable,
		.logged = f->slot->dirty_bitmap,
		.write = f->write,
		.pkey = sf->walk.pkey,
	};
	struct vmmu_iter it;
	u64 new;

	/* Not unseen, then. */
	if (level == VMMU_LEVEL_4K && vmmu_rmap_is_table(f->slot, gfn))
		want.access &= ~VMMU_ACC_WRITE;
	new = vmmu_spte_make(fmt, &want);

	vmmu_shadow_iter(&it, s, i);
	if (vmmu_spte_leaf(it.old, level) && it.gfn == gfn &&
	    vmmu_spte_pfn(it.old) == want.pfn)
		new |= it.old & (fmt->accessed | fmt->dirty);
	else
		clear_entry(g, &it);

	if (it.old == VMMU_SPTE_EMPTY)
		vmmu_shadow_make_list_room(g, f->slot, gfn, level);
	if (s->gptes)
		s->gptes[i] = sf->walk.gpte[level - 1];
	it.gfn = gfn;
	/* Hardware may set accessed and dirty bits meanwhile. */
	while (!vmmu_spte_change(g, &it, new))
		new |= it.old & (fmt->accessed | fmt->dirty);
	if (want.logged && (new & fmt->write))
		vmmu_mark_page_dirty(f->slot, f->gfn);
}

/* The neighbours in a page of our own making: gfns follow from the position. */
static void map_window(struct vmmu_shadow_fault *sf, struct vmmu_gather *g,
		       struct vmmu_shadow *s)
{
	const struct vmmu_spte_format *fmt = vmmu_shadow_format(s->sp.role);
	const struct vmmu_window *w = &sf->f.window;
	struct vmmu_memslot *slot = sf->f.slot;
	struct vmmu_spte_want want = {
		.level = VMMU_LEVEL_4K,
		.cached = true,
		.managed = true,
		.logged = slot->dirty_bitmap,
		.speculative = true,
		.pkey = sf->walk.pkey,
	};
	unsigned long bytes, hva = vmmu_window_hva(w, slot, &bytes);
	struct vmmu_iter it;

	if (vmmu_notifier_retry_range(sf->f.vm, sf->f.seq, hva, bytes))
		return;
	for (u16 left = w->valid; left; left &= left - 1) {
		unsigned int i = __ffs(left);
		gfn_t gfn = w->gfn + i;

		vmmu_shadow_iter(&it, s, vmmu_spte_index(gfn, VMMU_LEVEL_4K));
		if (it.old != VMMU_SPTE_EMPTY || !vmmu_rmap_spare(g->stock))
			continue;
		want.pfn = w->pfns[i];
		want.host_writable = w->writable & BIT(i);
		want.access = sf->page_access;
		if (vmmu_rmap_is_table(slot, gfn))
			want.access &= ~VMMU_ACC_WRITE;
		it.gfn = gfn;
		vmmu_shadow_make_list_room(g, slot, gfn, VMMU_LEVEL_4K);
		vmmu_spte_change(g, &it, vmmu_spte_make(fmt, &want));
	}
}

/*
 * The guest's leaf once more, and (where it is a last-level entry) its neighbours, of which
 * only those that have not changed are of use.
 */
static bool recheck_leaf(struct vmmu_shadow_fault *sf)
{
	struct vmmu_guess *w = &sf->guess;
	u64 now[VMMU_WINDOW_SIZE];
	unsigned int needed;
	gpa_t gpa;

	if (!sf->walk.top)
		return true;
	if (sf->walk.level > VMMU_LEVEL_4K)
		return gpte_unchanged(sf, sf->walk.level);

	gpa = sf->walk.gpte_gpa[0];
	if (!vmmu_guess_read(sf->f.vm, sf->fmt, gpa, now))
		return false;
	needed = gpa / sf->fmt->entry_bytes % VMMU_WINDOW_SIZE;
	if (now[needed] != sf->walk.gpte[0])
		return false;
	for (int i = 0; i < VMMU_WINDOW_SIZE; i++) {
		if (now[i] != w->gptes[i])
			w->valid &= ~BIT(i);
	}
	return true;
}

static struct vmmu_shadow *top_page(const struct vmmu_shadow_fault *sf)
{
	const struct vmmu_shadow_root *root = sf->f.vcpu->mmu.shadow->root;
	struct vmmu_shadow *top;

	if (!root)
		return NULL;
	top = root->top[root->level > VMMU_LEVEL_1G ? 0 : sf->f.addr >> 30 & (VMMU_PDPTES - 1)];
	return top && !vmmu_shadow_stale(sf->f.vm, top) ? top : NULL;
}

/* A leaf may not cover a guest page table. */
static u8 leaf_level(const struct vmmu_fault *f)
{
	u8 level = f->level;

	while (level > VMMU_LEVEL_4K && *vmmu_rmap_tables(f->slot, f->gfn, level))
		level--;
	if (level > VMMU_LEVEL_4K) {
		unsigned long bytes = VMMU_PAGES_PER_LEVEL(level) * PAGE_SIZE;

		if (vmmu_notifier_retry_range(f->vm, f->seq, f->hva & ~(bytes - 1), bytes))
			level = VMMU_LEVEL_4K;
	}
	return level;
}

static int map_locked(struct vmmu_shadow_fault *sf, struct vmmu_gather *g)
{
	struct vmmu_fault *f = &sf->f;
	struct vmmu_shadow *s = top_page(sf);
	unsigned int i;

	/* The root went, or memory has come where there was none. */
	if (!s) {
		vmmu_mmu_unload(f->vcpu);
		return VMMU_RETRY;
	}
	if (f->write && vmmu_rmap_is_table(f->slot, f->gfn) && !vmmu_shadow_unsync(f->vm, f->gfn))
		return VMMU_EMULATE;

	f->level = leaf_level(f);
	for (;;) {
		s->writes = 0;
		i = vmmu_shadow_index(f->addr, s->sp.role.level);
		if (s->sp.role.level == f->level)
			break;
		s = link_child(sf, g, s, i);
		if (!s)
			return VMMU_RETRY;
	}
	if (!recheck_leaf(sf))
		return VMMU_RETRY;

	map_leaf(sf, g, s, i);
	if (f->level > VMMU_LEVEL_4K)
		return VMMU_RETRY;
	if (s->sp.role.direct && f->window.valid)
		map_window(sf, g, s);
	else if (s->gptes && sf->guess.valid)
		vmmu_guess_map(g, s, i & ~(VMMU_WINDOW_SIZE - 1), &sf->guess);
	return VMMU_RETRY;
}

int vmmu_shadow_map(struct vmmu_shadow_fault *sf)
{
	struct vmmu_fault *f = &sf->f;
	struct vmmu_gather g;
	int verdict = VMMU_RETRY;

	write_lock(&f->vm->mmu.lock);
	if (!vmmu_notifier_retry(f->vm, f->seq, f->hva)) {
		vmmu_gather_begin(&g, f->vm);
		g.stock = &f->vcpu->mmu.shadow->stock;
		verdict = map_locked(sf, &g);
		vmmu_gather_end(&g);
	}
	write_unlock(&f->vm->mmu.lock);
	return verdict;
}
