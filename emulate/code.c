// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the instruction at rip lies: a translation of its page that is kept and
 * checked, not trusted.
 *
 * Exits come from the same few places, and a walk costs several slot lookups.
 * Under nested paging the guest changes its tables without our knowing, so the
 * few entries here keep what the walk read and where: each page-table entry's
 * value and host address. One answers only after every entry was read again and
 * found unchanged under the same registers and the same memslots. That is what a
 * new walk would have read, hence what it would have answered.
 *
 * The processor has just fetched this instruction, so accessed bits are set.
 * vcpu->mutex and vm->srcu held; may sleep.
 */
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/uaccess.h>
#include <asm/msr-index.h>
#include "emulator.h"
#include "vmmu/memslot.h"
#include "vmmu/vm.h"

void vmmu_code_at_rip(struct vmmu_vcpu *vcpu, struct vmmu_code *code)
{
	struct vmmu_fetch_state *f = &code->state;

	vmmu_cpu->fetch_state(vcpu, f);
	code->mode = f->mode;
	code->linear = vmmu_fetch_linear(f, vcpu->rip);
}

/* What a fetch's translation depends on: neither EFLAGS nor PKRU. */
static void fetch_mode(struct vmmu_vcpu *vcpu, const struct vmmu_fetch_state *f,
		       struct vmmu_paging_mode *mode)
{
	*mode = (struct vmmu_paging_mode) {
		.cr0 = f->cr0, .cr3 = f->cr3, .cr4 = f->cr4, .efer = f->efer, .cpl = f->cpl,
		.pdptr = vmmu_pdptrs(vcpu),
	};
}

/* Where the translation of this page under these registers is kept, if it is. */
static __always_inline struct vmmu_code_page *code_page(struct vmmu_vcpu *vcpu,
							const struct vmmu_fetch_state *f,
							u64 linear)
{
	u64 key = (linear ^ f->cr3) >> PAGE_SHIFT;

	/* A guest that toggles a bit comes back to it. */
	key ^= (f->cr0 & X86_CR0_WP) ^ (f->cr4 & X86_CR4_PGE);
	return &vcpu->emul.code[hash_64(key, VMMU_CODE_PAGE_BITS)];
}

/* Was the entry made for this page, these registers and these memslots? */
static __always_inline bool same_key(struct vmmu_vcpu *vcpu, const struct vmmu_code_page *c,
				     const struct vmmu_fetch_state *f, u64 linear)
{
	return c->valid && c->linear == (linear & PAGE_MASK) &&
	       c->generation == vmmu_memslots(vcpu->vm)->generation &&
	       c->state.cr3 == f->cr3 && c->state.cr0 == f->cr0 && c->state.cr4 == f->cr4 &&
	       c->state.efer == f->efer && c->state.cpl == f->cpl &&
	       c->maxphyaddr == vcpu->cpuid.maxphyaddr &&
	       (likely(!vcpu->pdptr_valid) || c->pdpte == vmmu_pdptr(vcpu->pdptr, linear));
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
	struct vmmu_code_page *c = code_page(vcpu, &code->state, linear);
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
	if (mode->pdptr)
		c->pdpte = vmmu_pdptr(mode->pdptr, linear);
	c->valid = true;
}

/* Apart, because large local variables cost their initialisation. */
static noinline int walk_and_keep(struct vmmu_vcpu *vcpu, const struct vmmu_code *code,
				  u64 linear, unsigned long *hva, struct vmmu_exception *ex)
{
	u64 generation = vmmu_memslots(vcpu->vm)->generation;
	struct vmmu_paging_mode mode;
	u64 access = VMMU_PFERR_FETCH;
	struct vmmu_code_page *c;
	struct vmmu_walk walk;
	int r;

	fetch_mode(vcpu, &code->state, &mode);
	if (mode.cpl == 3)
		access |= VMMU_PFERR_USER;
	r = vmmu_gva_walk(vcpu, &mode, linear, access, false, &walk, ex);
	if (r)
		return r;
	keep(vcpu, code, &mode, linear, generation, &walk);
	c = code_page(vcpu, &code->state, linear);
	if (!c->valid)
		return -EFAULT;
	*hva = c->hva + offset_in_page(linear);
	return 0;
}

int vmmu_code_hva(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u64 linear,
		  unsigned long *hva, struct vmmu_exception *ex)
{
	const struct vmmu_code_page *c = code_page(vcpu, &code->state, linear);
	bool good = false;

	if (likely(same_key(vcpu, c, &code->state, linear)) &&
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

/* By the entry that is kept, if there is one and all of it can be read. */
static __always_inline bool peek(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u32 *bytes)
{
	const struct vmmu_code_page *c = code_page(vcpu, &code->state, code->linear);
	unsigned long offset = offset_in_page(code->linear);

	if (likely(same_key(vcpu, c, &code->state, code->linear)) &&
	    user_access_begin((void __user *)c->hva, PAGE_SIZE)) {
		if (likely(unchanged(c))) {
			unsafe_get_user(*bytes, (u32 __user *)(c->hva + offset), missed);
			user_access_end();
			return true;
		}
missed:
		user_access_end();
	}
	return false;
}

bool vmmu_code_same(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, const struct vmmu_mov *m)
{
	const struct vmmu_code_page *c = code_page(vcpu, &code->state, code->linear);
	unsigned long offset = offset_in_page(code->linear);
	u64 first, last;
	bool same = false;

	if (offset > PAGE_SIZE - VMMU_INSN_MAX || !same_key(vcpu, c, &code->state, code->linear) ||
	    !user_access_begin((void __user *)c->hva, PAGE_SIZE))
		return false;
	if (likely(unchanged(c))) {
		unsafe_get_user(first, (u64 __user *)(c->hva + offset), missed);
		unsafe_get_user(last, (u64 __user *)(c->hva + offset + VMMU_INSN_MAX - 8), missed);
		same = (first & m->mask[0]) == m->word[0] && (last & m->mask[1]) == m->word[1];
	}
missed:
	user_access_end();
	return same;
}

static bool in_one_page(const struct vmmu_code *code)
{
	return offset_in_page(code->linear) <= PAGE_SIZE - sizeof(u32);
}

bool vmmu_code_peek(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u32 *bytes)
{
	return in_one_page(code) && (peek(vcpu, code, bytes) || peek_slowly(vcpu, code, bytes));
}

bool vmmu_code_peek_atomic(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u32 *bytes)
{
	bool good;

	if (!in_one_page(code))
		return false;
	pagefault_disable();
	good = peek(vcpu, code, bytes);
	pagefault_enable();
	return good;
}
