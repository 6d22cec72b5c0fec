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

static int fault_slot(struct vmmu_fault *f)
{
	/* Before the look: a slot published in between makes the MMIO entry stale at once. */
	u64 generation = vmmu_memslots(f->vm)->generation;
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(f->vm, f->gfn);

	if (!slot)
		return fault_mmio(f, generation);
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

static void window_lookup(struct vmmu_fault *f, bool writable)
{
	/* Without hardware's accessed bit nobody could tell a page used from one guessed. */
	if (f->absent && vmmu_cpu_caps.tdp_ad)
		vmmu_window_lookup(&f->window, f->slot, f->gfn, f->absent, writable);
}

/* Was the needed page at hand, with its neighbours? */
static bool fault_window(struct vmmu_fault *f)
{
	unsigned int needed = f->gfn - vmmu_window_gfn(f->gfn);

	window_lookup(f, f->slot_writable);
	if (!(f->window.valid & BIT(needed)))
		return false;

	f->pfn.pfn = f->window.pfns[needed];
	f->pfn.kind = vmmu_pfn_kind(f->pfn.pfn);
	f->pfn.writable = f->slot_writable;
	/* A driver's pages: guesses are made of plain memory only. */
	if (f->pfn.kind != VMMU_PFN_RAM)
		f->window.valid = 0;
	return true;
}

static int fault_pfn(struct vmmu_fault *f)
{
	switch (vmmu_hva_to_pfn(f->hva, f->write ? VMMU_GUP_WRITE : 0, &f->pfn)) {
	case VMMU_PFN_OK:
		break;
	case VMMU_PFN_HWPOISON:
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)f->hva, PAGE_SHIFT, current);
		return VMMU_RETRY;
	case VMMU_PFN_SIGNAL:
		return -EINTR;
	case VMMU_PFN_NO_HVA:
	case VMMU_PFN_NEEDS_IO:
		return -EFAULT;
	}

	/* Shared by fork or KSM: the neighbours are most likely to be read-only too. */
	if (!f->pfn.writable)
		window_lookup(f, false);
	return VMMU_NEXT_STAGE;
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

static u8 fault_level(const struct vmmu_fault *f)
{
	int level = min(f->slot->max_level, vmmu_cpu_caps.tdp_max_level);

	/* The dirty log counts in pages of 4K. */
	if (f->slot->dirty_bitmap)
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
	r = fault_slot(f);
	if (r != VMMU_NEXT_STAGE)
		return r;

	f->seq = vmmu_notifier_seq(f->vm);
	if (!fault_window(f)) {
		r = fault_pfn(f);
		if (r != VMMU_NEXT_STAGE)
			return r;
	}
	/* Cheaper to find out now than under the lock. */
	if (vmmu_notifier_retry_unlocked(f->vm, f->seq, f->hva))
		return VMMU_RETRY;

	f->level = fault_level(f);
	r = vmmu_page_topup(f->vcpu);
	if (r)
		return r;
	return vmmu_map(f);
}

int vmmu_mmu_fault(struct vmmu_vcpu *vcpu, u64 addr, u64 error)
{
	struct vmmu_fault f = {
		.vcpu = vcpu,
		.vm = vcpu->vm,
		.addr = addr,
		.error = error,
		.write = error & VMMU_PFERR_WRITE,
		.exec = error & VMMU_PFERR_FETCH,
		.gfn = gpa_to_gfn(addr),
	};
	int verdict = fault_run(&f);

	trace_vmmu_page_fault(vcpu->id, vcpu->rip, addr, error, f.level, verdict);
	return verdict;
}
