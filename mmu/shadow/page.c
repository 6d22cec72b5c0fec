// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow pages: found by name, made, protected, zapped.
 *
 * A page that stands for a guest's table is in one of two states. In step: the
 * guest cannot write the table unseen (no SPTE over it is writable, and the slot
 * counts it). Unsync: it may, and what we have is brought up to date when the guest
 * flushes. Only the last level is ever unsync.
 *
 * mmu.lock for write; nothing sleeps.
 */
#include <linux/hash.h>
#include "shadow.h"
#include "vmmu/paging.h"
#include "vmmu/request.h"

struct hlist_head *vmmu_shadow_bucket(struct vmmu_vm *vm, gfn_t gfn)
{
	return &vm->mmu.shadow->hash[hash_64(gfn, VMMU_SHADOW_HASH_BITS)];
}

unsigned int vmmu_shadow_guest_index(const struct vmmu_shadow *s, unsigned int i)
{
	union vmmu_role role = s->sp.role;

	if (role.guest != VMMU_PAGING_2LEVEL)
		return i;
	/* An entry of 4 MiB is two of ours. */
	i += role.quadrant * VMMU_SPTES_PER_PAGE;
	return role.level == VMMU_LEVEL_2M ? i / 2 : i;
}

gfn_t vmmu_shadow_gfn(const struct vmmu_shadow *s, unsigned int i)
{
	union vmmu_role role = s->sp.role;
	const struct vmmu_paging_format *fmt;
	gfn_t gfn;

	if (role.direct)
		return s->sp.gfn + i * VMMU_PAGES_PER_LEVEL(role.level);

	fmt = vmmu_paging_format_of(role.guest);
	gfn = gpa_to_gfn(vmmu_gpte_page(fmt, s->gptes[i], role.level));
	if (role.guest == VMMU_PAGING_2LEVEL && role.level == VMMU_LEVEL_2M && (i & 1))
		gfn += VMMU_PAGES_PER_LEVEL(VMMU_LEVEL_2M);
	return gfn;
}

void vmmu_shadow_iter(struct vmmu_iter *it, const struct vmmu_shadow *s, unsigned int i)
{
	it->sptep = &s->sp.spt[i];
	it->old = READ_ONCE(*it->sptep);
	it->level = s->sp.role.level;
	it->gfn = vmmu_spte_leaf(it->old, it->level) ? vmmu_shadow_gfn(s, i) : 0;
}

/* ---- the guest's table ---- */

/* The slot counts tables by page size, so that no larger leaf covers one. */
static void count_table(struct vmmu_memslot *slot, gfn_t gfn, int by)
{
	for (int level = VMMU_LEVEL_2M; level <= VMMU_LEVEL_1G; level++)
		*vmmu_rmap_tables(slot, gfn, level) += by;
}

void vmmu_shadow_protect(struct vmmu_gather *g, struct vmmu_shadow *s)
{
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(g->vm, s->sp.gfn);
	u32 *tables;

	if (WARN_ON_ONCE(!slot))
		return;
	tables = vmmu_rmap_tables(slot, s->sp.gfn, VMMU_LEVEL_4K);
	WRITE_ONCE(*tables, *tables + 1);
	vmmu_rmap_wrprot(g, slot, s->sp.gfn, true);
}

void vmmu_shadow_unprotect(struct vmmu_vm *vm, struct vmmu_shadow *s)
{
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(vm, s->sp.gfn);
	u32 *tables;

	if (WARN_ON_ONCE(!slot))
		return;
	tables = vmmu_rmap_tables(slot, s->sp.gfn, VMMU_LEVEL_4K);
	WRITE_ONCE(*tables, *tables - 1);
}

/* ---- life ---- */

static struct vmmu_shadow *shadow_new(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, gfn_t gfn,
				      union vmmu_role role)
{
	struct vmmu_mmu_vm *mmu = &g->vm->mmu;
	struct vmmu_memslot *slot = NULL;
	struct vmmu_shadow *s;
	struct vmmu_sp *sp;

	if (!role.direct) {
		slot = vmmu_gfn_to_slot(g->vm, gfn);
		if (!slot || slot->invalid)
			return NULL;
	}
	sp = vmmu_page_take(vcpu);
	if (!sp)
		return NULL;

	s = to_shadow(sp);
	if (slot)
		s->gptes = vcpu->mmu.shadow->spare_gptes[--vcpu->mmu.shadow->nr_gptes];
	sp->gfn = gfn;
	sp->role = role;
	s->generation = mmu->shadow->generation;
	INIT_LIST_HEAD(&s->unsync);
	hlist_add_head(&s->hash, vmmu_shadow_bucket(g->vm, gfn));
	list_add(&s->lru, &mmu->shadow->lru);
	g->nr_pages++;
	if (!slot)
		return s;

	count_table(slot, gfn, 1);
	vmmu_shadow_protect(g, s);
	/* From here on no processor writes the table unseen, so what is read is what it says. */
	vmmu_gather_pay(g);
	/* The count before the reads; pairs with vmmu_shadow_guest_wrote(), which stores first. */
	smp_mb();
	return s;
}

struct vmmu_shadow *vmmu_shadow_get(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, gfn_t gfn,
				    union vmmu_role role)
{
	struct vmmu_vm *vm = g->vm;
	struct vmmu_shadow *s;
	struct hlist_node *tmp;

	lockdep_assert_held_write(&vm->mmu.lock);

	for_each_shadow_of_safe(s, tmp, vm, gfn) {
		if (s->generation != vm->mmu.shadow->generation)
			continue;
		if (s->sp.role.word == role.word) {
			/* A new link to it: whoever follows may expect what the table says now. */
			if (s->is_unsync && !vmmu_shadow_sync_page(g, vcpu, s))
				break;
			/* Of what is further down too: nothing led there when the guest flushed. */
			if (!role.direct && role.level > VMMU_LEVEL_4K)
				vmmu_shadow_sync_below(g, vcpu, s);
			list_move(&s->lru, &vm->mmu.shadow->lru);
			return s;
		}
		/* The guest uses a last-level table higher up too: it must be seen writing it. */
		if (s->is_unsync && !role.direct && role.level > VMMU_LEVEL_4K)
			vmmu_shadow_zap(g, s);
	}
	return shadow_new(g, vcpu, gfn, role);
}

static void zap_parents(struct vmmu_gather *g, struct vmmu_shadow *s)
{
	while (s->parents) {
		u64 *sptep = vmmu_rmap_list_first(s->parents);
		struct vmmu_shadow *parent = vmmu_shadow_of(sptep);
		struct vmmu_iter it;

		vmmu_shadow_iter(&it, parent, sptep - parent->sp.spt);
		vmmu_spte_zap(g, &it);
	}
}

void vmmu_shadow_make_parent_room(struct vmmu_gather *g, struct vmmu_shadow *s)
{
	if (unlikely(vmmu_rmap_crowded(s->parents)))
		zap_parents(g, s);
}

void vmmu_shadow_zap(struct vmmu_gather *g, struct vmmu_shadow *s)
{
	struct vmmu_iter it;

	lockdep_assert_held_write(&g->vm->mmu.lock);

	zap_parents(g, s);
	for (unsigned int i = 0; i < VMMU_SPTES_PER_PAGE; i++) {
		if (s->sp.spt[i] == VMMU_SPTE_EMPTY)
			continue;
		vmmu_shadow_iter(&it, s, i);
		vmmu_spte_zap(g, &it);
	}

	if (!s->sp.role.direct) {
		struct vmmu_memslot *slot = vmmu_gfn_to_slot(g->vm, s->sp.gfn);

		if (s->is_unsync) {
			list_del(&s->unsync);
			vmmu_shadow_unsync_done(g->vm);
		} else {
			vmmu_shadow_unprotect(g->vm, s);
		}
		if (!WARN_ON_ONCE(!slot))
			count_table(slot, s->sp.gfn, -1);
	}
	s->is_unsync = false;
	hlist_del_init(&s->hash);
	list_del_init(&s->lru);
	g->nr_pages--;

	if (!s->roots) {
		list_add(&s->sp.link, &g->pages);
		return;
	}
	/* Hardware may walk it, empty, until each vCPU has chosen another root. */
	WRITE_ONCE(s->invalid, true);
	vmmu_request_all(g->vm, VMMU_REQ_MMU_RELOAD);
}

void vmmu_shadow_put_root(struct vmmu_gather *g, struct vmmu_shadow *s)
{
	if (!--s->roots && s->invalid)
		list_add(&s->sp.link, &g->pages);
}
