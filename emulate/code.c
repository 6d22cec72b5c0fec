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
	struct kvm_segment cs;

	vmmu_cpu->get_segment(vcpu, VMMU_SEG_CS, &cs);
	if (cs.l && (vmmu_cpu->get_efer(vcpu) & EFER_LMA)) {
		code->mode = 8;
		code->linear = vcpu->rip;
		return;
	}
	code->mode = cs.db ? 4 : 2;
	code->linear = (u32)(cs.base + vcpu->rip);
}

/* What a fetch's translation depends on: neither EFLAGS nor PKRU. */
static void fetch_mode(struct vmmu_vcpu *vcpu, struct vmmu_paging_mode *mode)
{
	mode->cr0 = vmmu_cpu->get_cr0(vcpu);
	mode->cr4 = vmmu_cpu->get_cr4(vcpu);
	mode->efer = vmmu_cpu->get_efer(vcpu);
	mode->cr3 = vmmu_cpu->get_cr3(vcpu);
	mode->cpl = vmmu_cpu->get_cpl(vcpu);
	mode->rflags = 0;
	mode->pkru = 0;
}

static bool same_key(const struct vmmu_code_page *c, const struct vmmu_paging_mode *mode,
		     u64 linear, u64 generation, u8 maxphyaddr)
{
	return c->linear == (linear & PAGE_MASK) && c->generation == generation &&
	       c->cr3 == mode->cr3 && c->cr0 == mode->cr0 && c->cr4 == mode->cr4 &&
	       c->efer == mode->efer && c->cpl == mode->cpl && c->maxphyaddr == maxphyaddr;
}

/* Does every entry on the way still say the same? */
static bool unchanged(const struct vmmu_code_page *c)
{
	int i;

	if (!user_access_begin((void __user *)c->hva, PAGE_SIZE))
		return false;
	for (i = 0; i < c->nr_gptes; i++) {
		if (c->gpte_bytes == 8) {
			u64 gpte;

			unsafe_get_user(gpte, (u64 __user *)c->gpte_hva[i], differs);
			if (gpte != c->gpte[i])
				goto differs;
		} else {
			u32 gpte;

			unsafe_get_user(gpte, (u32 __user *)c->gpte_hva[i], differs);
			if (gpte != c->gpte[i])
				goto differs;
		}
	}
	user_access_end();
	return true;
differs:
	user_access_end();
	return false;
}

/* Keep what @walk read. A page without memory behind it leaves the cache empty. */
static void keep(struct vmmu_vcpu *vcpu, const struct vmmu_paging_mode *mode, u64 linear,
		 u64 generation, const struct vmmu_walk *walk)
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
	c->cr0 = mode->cr0;
	c->cr3 = mode->cr3;
	c->cr4 = mode->cr4;
	c->efer = mode->efer;
	c->cpl = mode->cpl;
	c->maxphyaddr = vcpu->cpuid.maxphyaddr;
	c->valid = true;
}

int vmmu_code_hva(struct vmmu_vcpu *vcpu, u64 linear, unsigned long *hva,
		  struct vmmu_exception *ex)
{
	struct vmmu_code_page *c = &vcpu->emul.code;
	u64 generation = vmmu_memslots(vcpu->vm)->generation;
	struct vmmu_paging_mode mode;
	u64 access = VMMU_PFERR_FETCH;
	struct vmmu_walk walk;
	int r;

	fetch_mode(vcpu, &mode);
	if (likely(c->valid && same_key(c, &mode, linear, generation, vcpu->cpuid.maxphyaddr) &&
		   unchanged(c))) {
		*hva = c->hva + offset_in_page(linear);
		return 0;
	}
	if (mode.cpl == 3)
		access |= VMMU_PFERR_USER;
	r = vmmu_gva_walk(vcpu, &mode, linear, access, false, &walk, ex);
	if (r)
		return r;
	keep(vcpu, &mode, linear, generation, &walk);
	if (!c->valid)
		return -EFAULT;
	*hva = c->hva + offset_in_page(linear);
	return 0;
}
