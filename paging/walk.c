// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk of the guest's page tables, for every format.
 *
 * It reads entries top down, collects what they allow, checks the access, and
 * only then sets accessed and dirty bits, each by compare-and-swap: when an
 * entry changed meanwhile the walk starts over, so that no bit lands in an entry
 * that was not part of the translation. Tables in a read-only slot are walked as
 * a processor walks tables in ROM: their bits stay as they are. The caller holds
 * vm->srcu (slots stay); guest memory may fault in on the host, so everything here
 * may sleep.
 */
#include <linux/kernel.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/page.h>
#include <asm/processor-flags.h>
#include "vmmu/cpu.h"
#include "vmmu/memslot.h"
#include "vmmu/paging.h"
#include "vmmu/vcpu.h"
#include "vmmu/vm.h"

#define VECTOR_GP	13
#define VECTOR_PF	14

/* Starting over more often than this means that the guest writes entries faster than we walk. */
#define WALK_RESTARTS	64

void vmmu_paging_mode(struct vmmu_vcpu *vcpu, struct vmmu_paging_mode *mode)
{
	mode->cr0 = vmmu_cpu->get_cr0(vcpu);
	mode->cr4 = vmmu_cpu->get_cr4(vcpu);
	mode->efer = vmmu_cpu->get_efer(vcpu);
	mode->cr3 = mode->cr0 & X86_CR0_PG ? vmmu_cpu->get_cr3(vcpu) : 0;
	mode->rflags = vmmu_get_rflags(vcpu);
	mode->cpl = vmmu_cpu->get_cpl(vcpu);
	mode->pkru = vcpu->fpu.pkru;
	mode->pdptr = vmmu_pdptrs(vcpu);
}

/* An entry never crosses a page: one lookup, one user access. */
static int read_gpte(struct vmmu_vm *vm, gpa_t gpa, u8 bytes, u64 *gpte)
{
	unsigned long hva = vmmu_gfn_to_hva(vm, gpa_to_gfn(gpa), false);
	u32 low;

	if (unlikely(hva == VMMU_ERROR_HVA))
		return -EFAULT;
	hva += offset_in_page(gpa);
	if (bytes == 8)
		return get_user(*gpte, (u64 __user *)hva);
	if (get_user(low, (u32 __user *)hva))
		return -EFAULT;
	*gpte = low;
	return 0;
}

static bool is_rom(struct vmmu_vm *vm, gpa_t gpa)
{
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(vm, gpa_to_gfn(gpa));

	return slot && !slot->invalid && (slot->flags & KVM_MEM_READONLY);
}

/* 0 done, 1 the entry changed under us, -EFAULT. */
static int set_gpte_bits(struct vmmu_vm *vm, struct vmmu_walk *walk, int level, u8 bytes, u64 bits)
{
	u64 old = walk->gpte[level - 1];
	u64 new = old | bits;
	int r;

	if (old == new)
		return 0;
	r = vmmu_cmpxchg_guest(vm, walk->gpte_gpa[level - 1], &old, &new, bytes);
	if (!r)
		walk->gpte[level - 1] = new;
	else if (r < 0 && is_rom(vm, walk->gpte_gpa[level - 1]))
		r = 0;
	return r;
}

static int set_accessed_dirty(struct vmmu_vm *vm, const struct vmmu_paging_format *fmt,
			      struct vmmu_walk *walk, bool write)
{
	int level, r;

	for (level = walk->top; level >= walk->level; level--) {
		u64 bits = VMMU_GPTE_A;

		if (fmt->plain_levels & BIT(level))
			continue;
		if (level == walk->level && write)
			bits |= VMMU_GPTE_D;
		r = set_gpte_bits(vm, walk, level, fmt->entry_bytes, bits);
		if (r)
			return r;
	}
	return 0;
}

static int page_fault(const struct vmmu_paging_mode *mode, u64 gva, u64 access, u64 bits,
		      struct vmmu_exception *e)
{
	*e = (struct vmmu_exception) {
		.vector = VECTOR_PF,
		.has_error = true,
		.error = vmmu_fault_access_bits(mode, access) | (u32)bits,
		.address = gva,
	};
	return 1;
}

/* Where to begin. False: the loaded PDPTE is not present. */
static bool begin(const struct vmmu_paging_mode *mode, const struct vmmu_paging_format *fmt,
		  u64 gva, struct vmmu_walk *walk, gpa_t *table)
{
	u64 pdpte;

	walk->acc = VMMU_ACC_ALL;
	walk->top = fmt->levels;
	*table = mode->cr3 & fmt->cr3_mask;
	if (!mode->pdptr || !(fmt->plain_levels & BIT(fmt->levels)))
		return true;
	/* Its reserved bits were looked at when it was loaded. */
	pdpte = vmmu_pdptr(mode->pdptr, gva);
	walk->top--;
	walk->gpte[walk->top] = pdpte;
	*table = pdpte & fmt->addr_mask;
	return pdpte & VMMU_GPTE_P;
}

/* Down to the leaf: 0, 1 with the bits P and RSVD of the fault in *bits, -EFAULT. */
static int descend(struct vmmu_vcpu *vcpu, const struct vmmu_paging_mode *mode,
		   const struct vmmu_paging_format *fmt, u64 gva, struct vmmu_walk *walk,
		   u64 *bits)
{
	u8 maxphyaddr = vcpu->cpuid.maxphyaddr ?: 36;
	gpa_t table;
	int level;

	*bits = 0;
	if (!begin(mode, fmt, gva, walk, &table))
		return 1;
	for (level = walk->top; ; level--) {
		u64 index = (gva >> fmt->shift[level - 1]) & fmt->index_mask[level - 1];
		gpa_t gpa = table + index * fmt->entry_bytes;
		u64 gpte, rsvd;
		bool leaf;

		if (read_gpte(vcpu->vm, gpa, fmt->entry_bytes, &gpte))
			return -EFAULT;
		walk->gpte[level - 1] = gpte;
		walk->gpte_gpa[level - 1] = gpa;
		if (!(gpte & VMMU_GPTE_P))
			return 1;
		leaf = vmmu_gpte_is_leaf(fmt, mode, gpte, level);
		/* Only a 1 GiB leaf needs to know what CPUID says of those. */
		rsvd = vmmu_gpte_reserved(fmt, mode, level, leaf, maxphyaddr,
					  leaf && level == VMMU_LEVEL_1G &&
					  vmmu_guest_has(vcpu, X86_FEATURE_GBPAGES));
		/* QEMU's interpreter, where it walks PDPTEs itself, sets that bit in them. */
		if (fmt->plain_levels & BIT(level))
			rsvd &= ~VMMU_GPTE_A;
		if (unlikely(gpte & rsvd)) {
			*bits = VMMU_PFERR_PRESENT | VMMU_PFERR_RSVD;
			return 1;
		}
		walk->acc &= vmmu_gpte_access(fmt, gpte, level);
		if (leaf) {
			walk->level = level;
			walk->page_shift = vmmu_gpte_page_shift(fmt, level);
			walk->pkey = fmt->keys ? (gpte >> VMMU_GPTE_PKEY_SHIFT) & 0xf : 0;
			walk->gpa = vmmu_gpte_page(fmt, gpte, level) |
				    (gva & (BIT_ULL(walk->page_shift) - 1));
			return 0;
		}
		table = gpte & fmt->addr_mask;
	}
}

static void identity(u64 gva, struct vmmu_walk *walk)
{
	walk->gpa = (u32)gva;
	walk->level = VMMU_LEVEL_4K;
	walk->top = 0;
	walk->page_shift = PAGE_SHIFT;
	walk->acc = VMMU_ACC_ALL;
	walk->pkey = 0;
}

int vmmu_gva_walk(struct vmmu_vcpu *vcpu, const struct vmmu_paging_mode *mode, u64 gva,
		  u64 access, bool set_ad, struct vmmu_walk *walk, struct vmmu_exception *e)
{
	const struct vmmu_paging_format *fmt = vmmu_paging_format(mode);
	int tries, r;
	u64 bits;

	if (!fmt->levels) {
		identity(gva, walk);
		return 0;
	}
	if (!fmt->canonical) {
		gva = (u32)gva;
	} else if (!__is_canonical_address(gva, fmt->gva_bits)) {
		*e = (struct vmmu_exception) { .vector = VECTOR_GP, .has_error = true };
		return 1;
	}

	for (tries = 0; tries < WALK_RESTARTS; tries++) {
		r = descend(vcpu, mode, fmt, gva, walk, &bits);
		if (r < 0)
			return r;
		if (r)
			return page_fault(mode, gva, access, bits, e);
		bits = vmmu_permission_fault(mode, walk->acc, walk->pkey, access);
		if (bits)
			return page_fault(mode, gva, access, bits, e);
		if (!set_ad)
			return 0;
		r = set_accessed_dirty(vcpu->vm, fmt, walk, access & VMMU_PFERR_WRITE);
		if (r <= 0)
			return r;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return -EFAULT;
}

int vmmu_gva_debug_walk(struct vmmu_vcpu *vcpu, u64 gva, struct vmmu_walk *walk)
{
	const struct vmmu_paging_format *fmt;
	struct vmmu_paging_mode mode;
	u64 bits;

	vmmu_paging_mode(vcpu, &mode);
	fmt = vmmu_paging_format(&mode);
	if (!fmt->levels) {
		identity(gva, walk);
		return 0;
	}
	if (!fmt->canonical)
		gva = (u32)gva;
	else if (!__is_canonical_address(gva, fmt->gva_bits))
		return 1;
	return descend(vcpu, &mode, fmt, gva, walk, &bits);
}
