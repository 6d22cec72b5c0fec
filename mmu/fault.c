// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a fault: one entry for every mode, a line of stages, a verdict.
 *
 *   fast_fault   lockless: a permission of ours to give back, a known MMIO address
 *   slot         gfn -> slot -> hva; no slot: MMIO
 *   window       hva -> pfn, for the neighbours too, if all is at hand
 *   pfn          hva -> pfn otherwise, what the host says of it; may sleep
 *   level        the largest page that slot, host and dirty log allow
 *   map          under mmu.lock: re-check the notifier's sequence, install
 *
 * Called by the vCPU's own thread with vm->srcu held, which keeps the slot alive
 * and the memslots' generation still. No lock is held on entry or between stages.
 */
#include <linux/sched/signal.h>
#include "fault.h"
#include "shadow/shadow.h"
#include "spte.h"
#include "vmmu/cpu.h"
#include "vmmu/notifier.h"
#include "vmmu/trace.h"

/* No slot: the access is emulated, now and (by the MMIO SPTE) more quickly the next time. */
static int fault_mmio(struct vmmu_fault *f, u64 generation)
{
	int r = vmmu_page_topup(f->vcpu);

	if (r)
		return r;
	return vmmu_map_mmio(f, generation);
}

/* A slot may lie where the processor has addresses, but our tables no entries. */
static bool gfn_in_reach(const struct vmmu_fault *f)
{
	return f->gfn < VMMU_PAGES_PER_LEVEL(f->vm->mmu.root_level + 1);
}

int vmmu_fault_slot(struct vmmu_fault *f)
{
	/* Before the look: a slot published in between makes the MMIO entry stale at once. */
	u64 generation = vmmu_memslots(f->vm)->generation;
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(f->vm, f->gfn);

	if (!slot)
		return f->vm->mmu.shadow ? VMMU_EMULATE : fault_mmio(f, generation);
	if (!gfn_in_reach(f))
		return -EFAULT;
	/* It is going; once the change is published the guest gets a definite answer. */
	if (slot->invalid)
		return VMMU_RETRY;

	f->slot = slot;
	f->slot_writable = !(slot->flags & KVM_MEM_READONLY);
	f->hva = vmmu_slot_hva(slot, f->gfn);
	if (f->write && !f->slot_writable)
		return VMMU_EMULATE;
	return VMMU_NEXT_STAGE;
}

/* Was the needed page at hand, with its neighbours? */
bool vmmu_fault_window(struct vmmu_fault *f)
{
	/* Without hardware's accessed bit nobody could tell a page used from one guessed. */
	u16 absent = f->vm->mmu.format->accessed ? f->absent : 0;

	if (!vmmu_window_lookup(&f->window, f->slot, f->gfn, absent, &f->pfn) ||
	    (f->write && !f->pfn.writable))
		return false;
	/* A driver's pages: guesses are made of plain memory only. */
	if (f->pfn.kind != VMMU_PFN_RAM)
		f->window.valid = 0;
	return true;
}

int vmmu_fault_pfn(struct vmmu_fault *f)
{
	unsigned int gup = VMMU_GUP_LOOKED | (f->write ? VMMU_GUP_WRITE : 0);

	switch (vmmu_hva_to_pfn(f->hva, gup, &f->pfn)) {
	case VMMU_PFN_OK:
		return VMMU_NEXT_STAGE;
	case VMMU_PFN_HWPOISON:
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)f->hva, PAGE_SHIFT, current);
		return VMMU_RETRY;
	case VMMU_PFN_SIGNAL:
		return -EINTR;
	case VMMU_PFN_NO_HVA:
	case VMMU_PFN_NEEDS_IO:
		break;
	}
	return -EFAULT;
}

/* May a leaf of @level at @gfn lie in the slot, over a host page of that size? */
static bool level_fits(const struct vmmu_fault *f, int level)
{
	const struct vmmu_memslot *slot = f->slot;
	unsigned long pages = VMMU_PAGES_PER_LEVEL(level);
	gfn_t first = gfn_round(f->gfn, level);

	return !((f->gfn ^ f->pfn.pfn) & (pages - 1)) && first >= slot->base_gfn &&
	       first + pages <= slot->base_gfn + slot->npages;
}

u8 vmmu_fault_level(const struct vmmu_fault *f)
{
	int level = min(f->slot->max_level, vmmu_cpu_caps.tdp_max_level);

	/* The dirty log counts in pages of 4K. */
	if (f->slot->dirty_bitmap)
		return VMMU_LEVEL_4K;
	if (vmmu_nx_huge && (f->exec || f->split))
		return VMMU_LEVEL_4K;
	while (level > VMMU_LEVEL_4K && !level_fits(f, level))
		level--;
	if (level > VMMU_LEVEL_4K)
		level = min(level, vmmu_host_level(f->vm, f->hva));
	return level;
}

static int fault_run(struct vmmu_fault *f)
{
	int r;

	/* We set no reserved bit: a table of ours is damaged. */
	if ((f->error & VMMU_PFERR_RSVD) && gfn_in_reach(f)) {
		vmmu_vm_kill(f->vm, "reserved bit set in an SPTE");
		return -EIO;
	}

	r = vmmu_fast_fault(f);
	if (r != VMMU_NEXT_STAGE)
		return r;
	r = vmmu_fault_slot(f);
	if (r != VMMU_NEXT_STAGE)
		return r;

	f->seq = vmmu_notifier_seq(f->vm);
	if (!vmmu_fault_window(f)) {
		r = vmmu_fault_pfn(f);
		if (r != VMMU_NEXT_STAGE)
			return r;
	}
	/* Cheaper to find out now than under the lock. */
	if (vmmu_notifier_retry_unlocked(f->vm, f->seq, f->hva))
		return VMMU_RETRY;

	f->level = vmmu_fault_level(f);
	r = vmmu_page_topup(f->vcpu);
	if (r)
		return r;
	return vmmu_map(f);
}

static int tdp_fault(struct vmmu_vcpu *vcpu, u64 addr, u64 error)
{
	struct vmmu_fault f = VMMU_FAULT_INIT(vcpu, addr, error);
	int verdict;

	f.gfn = gpa_to_gfn(addr);
	verdict = fault_run(&f);
	trace_vmmu_page_fault(vcpu->id, vcpu->rip, addr, error, f.level, verdict);
	return verdict;
}

bool vmmu_mmu_fault_atomic(struct vmmu_vcpu *vcpu, u64 addr, u64 error)
{
	struct vmmu_fault f = VMMU_FAULT_INIT(vcpu, addr, error);

	f.gfn = gpa_to_gfn(addr);
	return !vcpu->vm->mmu.shadow && !trace_vmmu_page_fault_enabled() &&
	       !(error & VMMU_PFERR_RSVD) && vmmu_fast_fault(&f) == VMMU_RETRY;
}

int vmmu_mmu_fault(struct vmmu_vcpu *vcpu, u64 addr, u64 error)
{
	if (vcpu->vm->mmu.shadow)
		return vmmu_shadow_fault(vcpu, addr, error);
	return tdp_fault(vcpu, addr, error);
}
