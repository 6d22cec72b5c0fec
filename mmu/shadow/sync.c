// SPDX-License-Identifier: GPL-2.0-only
/*
 * Last-level tables that the guest writes while we are not looking, and how our
 * copy follows.
 *
 * The first write to such a table faults; from then on writes run free and our page
 * is unsync: what it says may be old, as a TLB may. What flushes a TLB brings it up
 * to date: a CR3 load and its like for all that the root reaches, INVLPG for one
 * entry and its neighbours. After a full one the guest's table is write-protected
 * again. Not-present entries are never remembered, so making one present needs no
 * flush here either.
 *
 * mmu.lock for write; nothing sleeps.
 */
#include <linux/string.h>
#include "shadow.h"
#include "vmmu/request.h"

/* How many pages the search for a way up to the root may visit: then the answer is yes. */
#define REACH_BUDGET	256

bool vmmu_shadow_unsync(struct vmmu_vm *vm, gfn_t gfn)
{
	struct vmmu_shadow *s;

	lockdep_assert_held_write(&vm->mmu.lock);

	for_each_shadow_of(s, vm, gfn) {
		if (!s->sp.role.direct && s->sp.role.level > VMMU_LEVEL_4K)
			return false;
	}
	for_each_shadow_of(s, vm, gfn) {
		if (s->sp.role.direct || s->is_unsync)
			continue;
		s->is_unsync = true;
		list_add(&s->unsync, &vm->mmu.shadow->unsync);
		WRITE_ONCE(vm->mmu.shadow->nr_unsync, vm->mmu.shadow->nr_unsync + 1);
		vmmu_shadow_unprotect(vm, s);
	}
	return true;
}

/* The guest's table is protected again; the flush that this may owe comes before reading it. */
static void set_in_step(struct vmmu_gather *g, struct vmmu_shadow *s)
{
	s->is_unsync = false;
	list_del_init(&s->unsync);
	vmmu_shadow_protect(g, s);
}

/*
 * Sixteen entries from @first on, when at least one has changed: those that changed go, and
 * what is used by the guest comes.
 */
static void sync_window(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, struct vmmu_shadow *s,
			unsigned int first, struct vmmu_guess *w)
{
	const u64 *spt = &s->sp.spt[first];
	u64 *gptes = &s->gptes[first];
	struct vmmu_iter it;
	u16 empty = 0;

	for (unsigned int i = 0; i < VMMU_WINDOW_SIZE; i++) {
		if (spt[i] != VMMU_SPTE_EMPTY) {
			if (likely(w->gptes[i] == gptes[i]))
				continue;
			vmmu_shadow_iter(&it, s, first + i);
			vmmu_spte_zap(g, &it);
		}
		gptes[i] = w->gptes[i];
		empty |= BIT(i);
	}
	if (!empty || !vmmu_rmap_spare(g->stock))
		return;
	vmmu_guess_lookup(g->vm, s->sp.role, vcpu->cpuid.maxphyaddr ?: 36, empty, w);
	vmmu_guess_map(g, s, first, w);
}

/* @table: a copy of what the guest's table says. */
static void sync_entries(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, struct vmmu_shadow *s,
			 const void *table, u8 entry_bytes)
{
	unsigned int at = vmmu_shadow_guest_index(s, 0);

	for (unsigned int first = 0; first < VMMU_SPTES_PER_PAGE; first += VMMU_WINDOW_SIZE) {
		struct vmmu_guess w;

		if (entry_bytes == sizeof(u64)) {
			const u64 *now = (const u64 *)table + at + first;

			if (!memcmp(now, &s->gptes[first], sizeof(w.gptes)))
				continue;
			memcpy(w.gptes, now, sizeof(w.gptes));
		} else {
			const u32 *now = (const u32 *)table + at + first;

			for (int i = 0; i < VMMU_WINDOW_SIZE; i++)
				w.gptes[i] = now[i];
			if (!memcmp(w.gptes, &s->gptes[first], sizeof(w.gptes)))
				continue;
		}
		sync_window(g, vcpu, s, first, &w);
	}
}

static bool sync_read(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, struct vmmu_shadow *s)
{
	void *table = vcpu->mmu.shadow->buffer;

	if (vmmu_read_guest_atomic(g->vm, gfn_to_gpa(s->sp.gfn), table, PAGE_SIZE)) {
		vmmu_shadow_zap(g, s);
		return false;
	}
	sync_entries(g, vcpu, s, table, vmmu_paging_format_of(s->sp.role.guest)->entry_bytes);
	return true;
}

bool vmmu_shadow_sync_page(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, struct vmmu_shadow *s)
{
	bool alive;

	set_in_step(g, s);
	vmmu_gather_pay(g);
	alive = sync_read(g, vcpu, s);
	vmmu_shadow_unsync_done(g->vm);
	return alive;
}

/* Does a way lead from one of the @n pages to @s? Five levels deep at most. */
static bool reaches(struct vmmu_shadow *const *top, int n, const struct vmmu_shadow *s,
		    int *budget)
{
	struct vmmu_rmap_pos pos;
	u64 *sptep;

	for (int i = 0; i < n; i++) {
		if (top[i] == s)
			return true;
	}
	for_each_rmap_spte(sptep, pos, s->parents) {
		if (--*budget < 0 || reaches(top, n, vmmu_shadow_of(sptep), budget))
			return true;
	}
	return false;
}

static void sync_reached(struct vmmu_gather *g, struct vmmu_vcpu *vcpu,
			 struct vmmu_shadow *const *top, int n)
{
	struct vmmu_shadow *s, *next;
	LIST_HEAD(found);

	list_for_each_entry_safe(s, next, &g->vm->mmu.shadow->unsync, unsync) {
		int budget = REACH_BUDGET;

		if (reaches(top, n, s, &budget))
			list_move(&s->unsync, &found);
	}
	if (list_empty(&found))
		return;

	/* One flush for all of them, before any is read. */
	list_for_each_entry(s, &found, unsync)
		vmmu_shadow_protect(g, s);
	vmmu_gather_pay(g);

	while ((s = list_first_entry_or_null(&found, struct vmmu_shadow, unsync))) {
		s->is_unsync = false;
		list_del_init(&s->unsync);
		sync_read(g, vcpu, s);
		vmmu_shadow_unsync_done(g->vm);
	}
}

void vmmu_shadow_sync_root(struct vmmu_gather *g, struct vmmu_vcpu *vcpu,
			   const struct vmmu_shadow_root *root)
{
	sync_reached(g, vcpu, root->top, VMMU_PDPTES);
}

void vmmu_shadow_sync_below(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, struct vmmu_shadow *s)
{
	if (!list_empty(&g->vm->mmu.shadow->unsync))
		sync_reached(g, vcpu, &s, 1);
}

struct vmmu_shadow *vmmu_shadow_find(struct vmmu_vcpu *vcpu, u64 addr)
{
	const struct vmmu_shadow_root *root = vcpu->mmu.shadow->root;
	struct vmmu_shadow *s;

	if (!root)
		return NULL;
	s = root->top[root->level > VMMU_LEVEL_1G ? 0 : addr >> 30 & (VMMU_PDPTES - 1)];
	while (s) {
		u64 spte = READ_ONCE(s->sp.spt[vmmu_shadow_index(addr, s->sp.role.level)]);

		if (!vmmu_spte_table(spte, s->sp.role.level))
			return s;
		s = vmmu_shadow_of(vmmu_spte_child(spte));
	}
	return NULL;
}

static void sync_one(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, struct vmmu_shadow *s, u64 gva)
{
	const struct vmmu_paging_format *fmt = vmmu_paging_format_of(s->sp.role.guest);
	unsigned int first = vmmu_shadow_index(gva, VMMU_LEVEL_4K) & ~(VMMU_WINDOW_SIZE - 1);
	gpa_t gpa = gfn_to_gpa(s->sp.gfn) + vmmu_shadow_guest_index(s, first) * fmt->entry_bytes;
	/* What is read of it is written before. */
	struct vmmu_guess w __attribute__((uninitialized));

	if (vmmu_guess_read(g->vm, fmt, gpa, w.gptes))
		sync_window(g, vcpu, s, first, &w);
	else
		vmmu_shadow_zap(g, s);
}

/* A table that is in step has nothing to tell. Another role of the same table goes along. */
static void invlpg_locked(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, u64 gva)
{
	struct vmmu_shadow *found = vmmu_shadow_find(vcpu, gva), *s;
	struct hlist_node *tmp;
	gfn_t gfn;

	if (!found || !found->is_unsync)
		return;
	gfn = found->sp.gfn;
	for_each_shadow_of_safe(s, tmp, g->vm, gfn) {
		if (s->is_unsync && s->sp.role.quadrant == found->sp.role.quadrant)
			sync_one(g, vcpu, s, gva);
	}
}

void vmmu_shadow_invlpg(struct vmmu_vcpu *vcpu, u64 gva)
{
	struct vmmu_vm *vm = vcpu->vm;
	struct vmmu_gather g;

	/* Guesses are a help, not a need: without memory for them there are none. */
	if (vmmu_rmap_topup(&vcpu->mmu.shadow->stock))
		vmmu_rmap_drain(&vcpu->mmu.shadow->stock);

	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	g.stock = &vcpu->mmu.shadow->stock;
	invlpg_locked(&g, vcpu, gva);
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);
}
