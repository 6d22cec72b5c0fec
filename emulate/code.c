// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the instruction at rip lies: a translation of its page that is kept and
 * checked, not trusted.
 *
 * Exits come from the same few places, and a walk costs several slot lookups.
 * Under nested paging the guest changes its tables without our knowing, so the
 * one entry here keeps what the walk read and where: each page-table entry's
 * value and host address. It answers only after every entry was read again and
 * found unchanged under the same registers and the same memslots. That is what a
 * new walk would have read, hence what it would have answered.
 *
 * The processor has just fetched this instruction, so accessed bits are set.
 * vcpu->mutex and vm->srcu held; may sleep.
 */
#include <linux/kernel.h>
#include <linux/uaccess.h>
#include <asm/msr-index.h>
#include "emulator.h"
#include "vmmu/memslot.h"
#include "vmmu/vm.h"

void vmmu_code_at_rip(struct vmmu_vcpu *vcpu, struct vmmu_code *code)
{
	struct vmmu_fetch_state *f = &code->state;

	vmmu_fetch_state(vcpu, f);
	code->mode = f->mode;
	code->linear = likely(f->mode == 8) ? vcpu->rip : (u32)(f->cs_base + vcpu->rip);
}

/* What a fetch's translation depends on: neither EFLAGS nor PKRU. */
static void fetch_mode(const struct vmmu_fetch_state *f, struct vmmu_paging_mode *mode)
{
	*mode = (struct vmmu_paging_mode) {
		.cr0 = f->cr0, .cr3 = f->cr3, .cr4 = f->cr4, .efer = f->efer, .cpl = f->cpl,
	};
}

/* Was the entry made for this page, these registers and these memslots? */
static __always_inline bool same_key(struct vmmu_vcpu *vcpu, const struct vmmu_fetch_state *f,
				     u64 linear)
{
	const struct vmmu_code_page *c = &vcpu->emul.code;

	return c->valid && c->linear == (linear & PAGE_MASK) &&
	       c->generation == vmmu_memslots(vcpu->vm)->generation &&
	       c->state.cr3 == f->cr3 && c->state.cr0 == f->cr0 && c->state.cr4 == f->cr4 &&
	       c->state.efer == f->efer && c->state.cpl == f->cpl &&
	       c->maxphyaddr == vcpu->cpuid.maxphyaddr;
}

/*
 * Does every entry on the way still say the same? Inside user_access_begin(); an
 * entry that cannot be read does not.
 */
static __always_inline bool unchanged(const struct vmmu_code_page *c)
{
	int i;

	if (likely(c->gpte_bytes == 8)) {
		for (i = 0; i < c->nr_gptes; i++) {
			u64 gpte;

			unsafe_get_user(gpte, (u64 __user *)c->gpte_hva[i], differs);
			if (gpte != c->gpte[i])
				goto differs;
		}
	} else {
		for (i = 0; i < c->nr_gptes; i++) {
			u32 gpte;

			unsafe_get_user(gpte, (u32 __user *)c->gpte_hva[i], differs);
			if (gpte != c->gpte[i])
				goto differs;
		}
	}
	return true;
differs:
	return false;
}

/* Keep what @walk read. A page without memory behind it leaves the cache empty. */
static void keep(struct vmmu_vcpu *vcpu, const struct vmmu_code *code,
		 const struct vmmu_paging_mode *mode, u64 linear, u64 generation,
		 const struct vmmu_walk *walk)
{
	struct vmmu_code_page *c = &vcpu->emul.code;
	int level, n = 0;

	c->valid = false;
	c->hva = vmmu_gfn_to_hva(vcpu->vm, gpa_to_gfn(walk->gpa), false);
	if (c->hva == VMMU_ERROR_HVA)
		return;
	for (level = walk->level; level <= walk->top; level++, n++) {
		gpa_t gpa = walk->gpte_gpa[level - 1];
		unsigned long hva = vmmu_gfn_to_hva(vcpu->vm, gpa_to_gfn(gpa), false);

		if (hva == VMMU_ERROR_HVA)
			return;
		c->gpte_hva[n] = hva + offset_in_page(gpa);
		c->gpte[n] = walk->gpte[level - 1];
	}
	c->nr_gptes = n;
	c->gpte_bytes = vmmu_paging_format(mode)->entry_bytes;
	c->linear = linear & PAGE_MASK;
	c->generation = generation;
	c->state = code->state;
	c->maxphyaddr = vcpu->cpuid.maxphyaddr;
	c->valid = true;
}

/* Apart, because large local variables cost their initialisation. */
static noinline int walk_and_keep(struct vmmu_vcpu *vcpu, const struct vmmu_code *code,
				  u64 linear, unsigned long *hva, struct vmmu_exception *ex)
{
	u64 generation = vmmu_memslots(vcpu->vm)->generation;
	struct vmmu_paging_mode mode;
	u64 access = VMMU_PFERR_FETCH;
	struct vmmu_walk walk;
	int r;

	fetch_mode(&code->state, &mode);
	if (mode.cpl == 3)
		access |= VMMU_PFERR_USER;
	r = vmmu_gva_walk(vcpu, &mode, linear, access, false, &walk, ex);
	if (r)
		return r;
	keep(vcpu, code, &mode, linear, generation, &walk);
	if (!vcpu->emul.code.valid)
		return -EFAULT;
	*hva = vcpu->emul.code.hva + offset_in_page(linear);
	return 0;
}

int vmmu_code_hva(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u64 linear,
		  unsigned long *hva, struct vmmu_exception *ex)
{
	const struct vmmu_code_page *c = &vcpu->emul.code;
	bool good = false;

	if (likely(same_key(vcpu, &code->state, linear)) &&
	    user_access_begin((void __user *)c->hva, PAGE_SIZE)) {
		good = unchanged(c);
		user_access_end();
	}
	if (unlikely(!good))
		return walk_and_keep(vcpu, code, linear, hva, ex);
	*hva = c->hva + offset_in_page(linear);
	return 0;
}

static noinline bool peek_slowly(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u32 *bytes)
{
	struct vmmu_exception ex;
	unsigned long hva;

	if (walk_and_keep(vcpu, code, code->linear, &hva, &ex))
		return false;
	return !get_user(*bytes, (u32 __user *)hva);
}

bool vmmu_code_peek(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u32 *bytes)
{
	const struct vmmu_code_page *c = &vcpu->emul.code;
	unsigned long offset = offset_in_page(code->linear);

	if (offset > PAGE_SIZE - sizeof(*bytes))
		return false;
	if (likely(same_key(vcpu, &code->state, code->linear)) &&
	    user_access_begin((void __user *)c->hva, PAGE_SIZE)) {
		if (likely(unchanged(c))) {
			unsafe_get_user(*bytes, (u32 __user *)(c->hva + offset), missed);
			user_access_end();
			return true;
		}
missed:
		user_access_end();
	}
	return peek_slowly(vcpu, code, bytes);
}
