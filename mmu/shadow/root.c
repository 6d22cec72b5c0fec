// SPDX-License-Identifier: GPL-2.0-only
/*
 * Roots under shadow paging: one for each set of registers that the guest walks
 * its tables by.
 *
 * A vCPU keeps the last few, so that a guest that goes back to an address space or
 * a mode finds its root again without a lock. A root in use, or kept, holds a
 * reference to its pages. In long mode it is one page; in all other modes hardware
 * reads four PDPTEs below 4 GiB, which are ours to write: they are registers, not
 * SPTEs. Where the guest's root is nowhere in memory hardware gets an empty one, and
 * each access faults. An unpaged guest's root is four PDPTEs of direct pages too, or one
 * direct page in the format of two-dimensional tables (vmmu_cpu_caps.tdp_unpaged).
 *
 * vcpu->mutex; mmu.lock for write where pages are taken or given back.
 */
#include <linux/gfp.h>
#include <linux/slab.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "shadow.h"
#include "vmmu/request.h"

#define PDPTE_PRESENT	BIT_ULL(0)

static_assert(VMMU_SHADOW_ROOTS * VMMU_PDPTES * sizeof(u64) <= PAGE_SIZE);

union vmmu_role vmmu_shadow_role(const struct vmmu_paging_mode *mode)
{
	const struct vmmu_paging_format *fmt = vmmu_paging_format(mode);
	bool guarded = mode->cr4 & (X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE);

	if (!fmt->levels)
		return (union vmmu_role) { .tdp = vmmu_cpu_caps.tdp_unpaged };
	return (union vmmu_role) {
		.guest = fmt->id,
		.nxe = !!(mode->efer & EFER_NX),
		.pse = fmt->id == VMMU_PAGING_2LEVEL && (mode->cr4 & X86_CR4_PSE),
		.nowp = !(mode->cr0 & X86_CR0_WP) && !guarded,
	};
}

/* The registers that name a root, as the guest has them now. */
static void root_name(struct vmmu_vcpu *vcpu, struct vmmu_shadow_root *name)
{
	const struct vmmu_paging_format *fmt;
	struct vmmu_paging_mode mode;

	vmmu_paging_mode(vcpu, &mode);
	fmt = vmmu_paging_format(&mode);
	*name = (struct vmmu_shadow_root) {
		.role = vmmu_shadow_role(&mode),
		.cr3 = fmt->levels ? mode.cr3 & fmt->cr3_mask : 0,
	};
	name->role.access = VMMU_ACC_ALL;
	name->role.direct = !fmt->levels;
	if (fmt->id == VMMU_PAGING_LONG)
		name->level = fmt->levels;
	else if (name->role.tdp)
		name->level = vmmu_cpu_caps.tdp_root_level;
	else
		name->level = VMMU_LEVEL_1G;
	/* PDPTEs are registers, not a page. */
	name->role.level = name->level > VMMU_LEVEL_1G ? name->level : VMMU_LEVEL_2M;
	if (fmt->id == VMMU_PAGING_PAE)
		memcpy(name->pdptes, vcpu->pdptr, sizeof(name->pdptes));
}

/* What differs most often is compared first. */
static __always_inline bool same_name(const struct vmmu_shadow_root *a,
				      const struct vmmu_shadow_root *b)
{
	return a->cr3 == b->cr3 && a->role.word == b->role.word && a->level == b->level &&
	       !memcmp(a->pdptes, b->pdptes, sizeof(a->pdptes));
}

static bool root_stale(const struct vmmu_vm *vm, const struct vmmu_shadow_root *r)
{
	for (int i = 0; i < VMMU_PDPTES; i++) {
		if (r->top[i] && vmmu_shadow_stale(vm, r->top[i]))
			return true;
	}
	return false;
}

/* Was there no memory for a part of it? There may be by now. */
static bool root_partial(const struct vmmu_shadow_root *r)
{
	int n = r->level > VMMU_LEVEL_1G ? 1 : VMMU_PDPTES;

	for (int i = 0; i < n; i++) {
		if (!r->top[i])
			return true;
	}
	return false;
}

static struct vmmu_shadow_root *root_kept(struct vmmu_vcpu *vcpu,
					  const struct vmmu_shadow_root *name)
{
	for (int i = 0; i < VMMU_SHADOW_ROOTS; i++) {
		struct vmmu_shadow_root *r = &vcpu->mmu.shadow->roots[i];

		if (r->used && same_name(r, name))
			return root_stale(vcpu->vm, r) || root_partial(r) ? NULL : r;
	}
	return NULL;
}

static void root_drop(struct vmmu_gather *g, struct vmmu_shadow_root *r)
{
	for (int i = 0; i < VMMU_PDPTES; i++) {
		if (r->top[i])
			vmmu_shadow_put_root(g, r->top[i]);
		r->top[i] = NULL;
	}
	r->used = false;
}

/* Where the guest's top table is, by index; false: nowhere. */
static bool top_gfn(const struct vmmu_shadow_root *r, int i, gfn_t *gfn)
{
	switch (r->role.guest) {
	case VMMU_PAGING_NONE:
		*gfn = (gfn_t)i << (30 - PAGE_SHIFT);
		return true;
	case VMMU_PAGING_PAE:
		*gfn = gpa_to_gfn(r->pdptes[i] & GENMASK_ULL(51, 12));
		return r->pdptes[i] & VMMU_GPTE_P;
	default:
		*gfn = gpa_to_gfn(r->cr3);
		return true;
	}
}

static void root_build(struct vmmu_gather *g, struct vmmu_vcpu *vcpu, struct vmmu_shadow_root *r)
{
	int n = r->level > VMMU_LEVEL_1G ? 1 : VMMU_PDPTES;
	union vmmu_role role = r->role;
	gfn_t gfn;

	for (int i = 0; i < n; i++) {
		role.quadrant = role.guest == VMMU_PAGING_2LEVEL ? i : 0;
		r->top[i] = top_gfn(r, i, &gfn) ? vmmu_shadow_get(g, vcpu, gfn, role) : NULL;
		if (r->top[i])
			r->top[i]->roots++;
		if (n > 1)
			r->pdpt[i] = r->top[i] ? __pa(r->top[i]->sp.spt) | PDPTE_PRESENT : 0;
	}
	r->used = true;
}

/* A place for the new one: the same name's, an empty one, or the next in turn. */
static struct vmmu_shadow_root *root_place(struct vmmu_vcpu *vcpu,
					   const struct vmmu_shadow_root *name)
{
	struct vmmu_shadow_vcpu *sv = vcpu->mmu.shadow;

	for (int i = 0; i < VMMU_SHADOW_ROOTS; i++) {
		if (sv->roots[i].used && same_name(&sv->roots[i], name))
			return &sv->roots[i];
	}
	for (int i = 0; i < VMMU_SHADOW_ROOTS; i++) {
		if (!sv->roots[i].used)
			return &sv->roots[i];
	}
	sv->victim = (sv->victim + 1) % VMMU_SHADOW_ROOTS;
	return &sv->roots[sv->victim];
}

/* Under mmu.lock: build what is not there, and bring what is reached up to date. */
static struct vmmu_shadow_root *root_locked(struct vmmu_gather *g, struct vmmu_vcpu *vcpu,
					    struct vmmu_shadow_root *r,
					    const struct vmmu_shadow_root *name)
{
	struct vmmu_shadow_vcpu *sv = vcpu->mmu.shadow;
	u64 *pdpt;

	for (int i = 0; i < VMMU_SHADOW_ROOTS; i++) {
		if (sv->roots[i].used && root_stale(vcpu->vm, &sv->roots[i]))
			root_drop(g, &sv->roots[i]);
	}
	if (!r || !r->used) {
		r = root_place(vcpu, name);
		root_drop(g, r);
		pdpt = r->pdpt;
		*r = *name;
		r->pdpt = pdpt;
		root_build(g, vcpu, r);
	}
	vmmu_shadow_sync_root(g, vcpu, r);
	return r;
}

static u64 root_hpa(const struct vmmu_vm *vm, const struct vmmu_shadow_root *r)
{
	if (r->level == VMMU_LEVEL_1G)
		return __pa(r->pdpt);
	return __pa(r->top[0] ? r->top[0]->sp.spt : vm->mmu.shadow->empty->spt);
}

static void root_use(struct vmmu_vcpu *vcpu, struct vmmu_shadow_root *r)
{
	struct vmmu_shadow_vcpu *sv = vcpu->mmu.shadow;
	struct vmmu_vm *vm = vcpu->vm;

	sv->sync = false;
	sv->root = r;
	vcpu->mmu.root = r->top[0] ? &r->top[0]->sp : vm->mmu.shadow->empty;
	vmmu_cpu->set_root(vcpu, root_hpa(vm, r), r->level);
	vmmu_cpu->flush_tlb(vcpu);
}

/*
 * Has the guest's flush nothing left to do? A table that another vCPU made unsync before the
 * guest told this one to flush is on the list, and counted, by now: the guest's own
 * synchronisation orders the two.
 */
static bool flush_settled(const struct vmmu_vcpu *vcpu)
{
	return !vcpu->mmu.shadow->sync || vmmu_shadow_all_in_step(vcpu->vm);
}

bool vmmu_shadow_load_kept(struct vmmu_vcpu *vcpu)
{
	struct vmmu_shadow_root name, *r;

	if (!flush_settled(vcpu))
		return false;
	root_name(vcpu, &name);
	r = root_kept(vcpu, &name);
	if (!r)
		return false;
	root_use(vcpu, r);
	return true;
}

int vmmu_shadow_load(struct vmmu_vcpu *vcpu)
{
	struct vmmu_shadow_vcpu *sv = vcpu->mmu.shadow;
	struct vmmu_vm *vm = vcpu->vm;
	struct vmmu_shadow_root name, *r;
	struct vmmu_gather g;
	int err;

	root_name(vcpu, &name);
	r = root_kept(vcpu, &name);
	if (!r || !flush_settled(vcpu)) {
		err = vmmu_shadow_topup(vcpu);
		if (err)
			return err;
		write_lock(&vm->mmu.lock);
		vmmu_gather_begin(&g, vm);
		g.stock = &sv->stock;
		r = root_locked(&g, vcpu, r, &name);
		vmmu_gather_end(&g);
		write_unlock(&vm->mmu.lock);
	}
	root_use(vcpu, r);
	return 0;
}

int vmmu_shadow_topup(struct vmmu_vcpu *vcpu)
{
	struct vmmu_shadow_vcpu *sv = vcpu->mmu.shadow;
	int r;

	while (sv->nr_gptes < VMMU_SHADOW_LEVELS) {
		u64 *gptes = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

		if (!gptes)
			return -ENOMEM;
		sv->spare_gptes[sv->nr_gptes++] = gptes;
	}
	r = vmmu_rmap_topup(&sv->stock) ?: vmmu_page_topup(vcpu);
	if (!r)
		vmmu_shadow_make_room(vcpu->vm);
	return r;
}

int vmmu_shadow_vcpu_init(struct vmmu_vcpu *vcpu)
{
	struct vmmu_shadow_vcpu *sv = kzalloc(sizeof(*sv), GFP_KERNEL_ACCOUNT);

	if (!sv)
		return -ENOMEM;
	vcpu->mmu.shadow = sv;
	sv->pdpts = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT | __GFP_DMA32 | __GFP_ZERO);
	sv->buffer = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!sv->pdpts || !sv->buffer)
		return -ENOMEM;
	for (int i = 0; i < VMMU_SHADOW_ROOTS; i++)
		sv->roots[i].pdpt = sv->pdpts + i * VMMU_PDPTES;
	return 0;
}

void vmmu_shadow_vcpu_destroy(struct vmmu_vcpu *vcpu)
{
	struct vmmu_shadow_vcpu *sv = vcpu->mmu.shadow;
	struct vmmu_vm *vm = vcpu->vm;
	struct vmmu_gather g;

	if (!sv)
		return;
	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	for (int i = 0; i < VMMU_SHADOW_ROOTS; i++)
		root_drop(&g, &sv->roots[i]);
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);

	vmmu_rmap_drain(&sv->stock);
	while (sv->nr_gptes)
		free_page((unsigned long)sv->spare_gptes[--sv->nr_gptes]);
	free_page((unsigned long)sv->buffer);
	free_page((unsigned long)sv->pdpts);
	kfree(sv);
	vcpu->mmu.shadow = NULL;
}
