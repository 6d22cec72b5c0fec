// SPDX-License-Identifier: GPL-2.0-only
/*
 * hva->pfn, and what a pfn is.
 *
 * Contract: the answer was true at some instant of the call and no reference
 * keeps it so. The caller took the notifier sequence before and re-checks it
 * under mmu.lock; that, and nothing else, makes the answer usable.
 *
 * A page may be read although it may not be written (shared by fork, merged by
 * KSM, the zero page, a file). So the answer to a read says whether a write
 * would do as well.
 *
 * Three ways, each for what the one before leaves: a look into the host's tables
 * (host.c), the fault that the process would take, get_user_pages().
 *
 * No lock of ours is held. Sleeps, but for what says fast.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/mm.h>
#include "slots.h"
#include "vmmu/vm.h"

/* Pages per look: the prefetch window. */
/* Host faults that one VM_PFNMAP lookup takes before it calls the address unusable. */
#define PFNMAP_TRIES	8

/**
 * vmmu_pfn_kind() - what a host frame is
 * @pfn: any host frame number
 *
 * Without a struct page it is a device's and there is no page to look at. With one, a
 * reserved page is not the allocator's. The bit stands in each page, heads need no look.
 */
enum vmmu_pfn_kind vmmu_pfn_kind(unsigned long pfn)
{
	if (!pfn_valid(pfn))
		return VMMU_PFN_DEVICE;
	return PageReserved(pfn_to_page(pfn)) ? VMMU_PFN_RESERVED : VMMU_PFN_RAM;
}

/* Fill @out and give the reference of the lookup back: the notifier keeps mappings true. */
static void pfn_of_page(struct page *page, bool writable, struct vmmu_pfn *out)
{
	out->pfn = page_to_pfn(page);
	out->kind = vmmu_pfn_kind(out->pfn);
	out->writable = writable;
	put_page(page);
}

static bool pfn_fast(unsigned long hva, bool write, struct vmmu_pfn *out)
{
	struct page *page;

	if (get_user_pages_fast_only(hva, 1, write ? FOLL_WRITE : 0, &page) != 1)
		return false;
	pfn_of_page(page, write, out);
	return true;
}

/* Is it there as it stands? One look answers for reading and writing. */
static bool pfn_at_hand(unsigned long hva, bool write, struct vmmu_pfn *out)
{
	u32 writable;

	if (!(vmmu_host_pages(hva, 1, &out->pfn, &writable) & 1) || (write && !writable))
		return false;
	out->kind = vmmu_pfn_kind(out->pfn);
	out->writable = writable;
	return true;
}

/*
 * The fault that the process itself would take there, without the detours of
 * get_user_pages(): it would look the page up before and twice after. False: not that easy,
 * or a signal, or an error: let it find out.
 */
static bool pfn_fault_in(unsigned long hva, bool write)
{
	unsigned int flags = FAULT_FLAG_DEFAULT | (write ? FAULT_FLAG_WRITE : 0);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	vm_fault_t fault;

	if (mmap_read_lock_killable(mm))
		return false;
	vma = vma_lookup(mm, hva);
	if (!vma || !(vma->vm_flags & (write ? VM_WRITE : VM_READ)) ||
	    (vma->vm_flags & (VM_IO | VM_PFNMAP))) {
		mmap_read_unlock(mm);
		return false;
	}
	fault = handle_mm_fault(vma, hva, flags, NULL);
	/* These two have let go of the lock. */
	if (!(fault & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))
		mmap_read_unlock(mm);
	return !(fault & (VM_FAULT_RETRY | VM_FAULT_ERROR));
}

/* Have the host fault it in. 1, or what get_user_pages_unlocked() says: 0 or -errno. */
static long pfn_slow(unsigned long hva, unsigned int gup, struct vmmu_pfn *out)
{
	unsigned int flags = FOLL_HWPOISON | FOLL_HONOR_NUMA_FAULT;
	bool write = gup & VMMU_GUP_WRITE;
	struct page *page;
	long got;

	flags |= gup & VMMU_GUP_NOWAIT ? FOLL_NOWAIT : FOLL_INTERRUPTIBLE;
	if (write)
		flags |= FOLL_WRITE;
	got = get_user_pages_unlocked(hva, 1, &page, flags);
	if (got != 1)
		return got;
	pfn_of_page(page, write, out);
	/* What a read faulted in may well be writable; if it is gone again, keep the answer. */
	if (!write)
		pfn_fast(hva, true, out);
	return 1;
}

/* The frame in a VM_PFNMAP or VM_IO mapping, if it is there. mmap_lock held. */
static bool pfn_follow(struct vm_area_struct *vma, unsigned long hva, bool write,
		       struct vmmu_pfn *out)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = hva };
	bool good;

	if (follow_pfnmap_start(&args))
		return false;
	good = args.writable || !write;
	if (good) {
		out->pfn = args.pfn;
		out->writable = args.writable;
		out->kind = vmmu_pfn_kind(args.pfn);
		/* Such a mapping counts no references: the page is not ours to dirty or age. */
		if (out->kind == VMMU_PFN_RAM)
			out->kind = VMMU_PFN_RESERVED;
	}
	follow_pfnmap_end(&args);
	return good;
}

/* get_user_pages has no page for @hva: ask the VMA why. */
static enum vmmu_pfn_result pfn_by_vma(unsigned long hva, unsigned int gup,
				       struct vmmu_pfn *out)
{
	bool write = gup & VMMU_GUP_WRITE, nowait = gup & VMMU_GUP_NOWAIT;
	struct mm_struct *mm = current->mm;
	enum vmmu_pfn_result result = VMMU_PFN_NO_HVA;
	int tries;

	mmap_read_lock(mm);
	for (tries = 0; tries < PFNMAP_TRIES; tries++) {
		struct vm_area_struct *vma = vma_lookup(mm, hva);
		bool unlocked = false;

		if (!vma || !(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
			break;
		if (!(vma->vm_flags & (VM_IO | VM_PFNMAP))) {
			if (nowait)
				result = VMMU_PFN_NEEDS_IO;
			break;
		}
		if (pfn_follow(vma, hva, write, out)) {
			result = VMMU_PFN_OK;
			break;
		}
		if (nowait) {
			result = VMMU_PFN_NEEDS_IO;
			break;
		}
		if (signal_pending(current)) {
			result = VMMU_PFN_SIGNAL;
			break;
		}
		/* Returns with mmap_lock held, maybe not for all the while: look again. */
		if (fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked))
			break;
	}
	mmap_read_unlock(mm);
	return result;
}

/**
 * vmmu_hva_to_pfn() - the frame behind @hva
 * @hva: of the page, in current->mm
 * @gup: VMMU_GUP_*
 * @out: the answer, when VMMU_PFN_OK
 *
 * No reference is held on return. Sleeps, but not with VMMU_GUP_FAST_ONLY.
 */
enum vmmu_pfn_result vmmu_hva_to_pfn(unsigned long hva, unsigned int gup, struct vmmu_pfn *out)
{
	bool write = gup & VMMU_GUP_WRITE;

	might_sleep_if(!(gup & VMMU_GUP_FAST_ONLY));
	if (!(gup & VMMU_GUP_LOOKED) && pfn_at_hand(hva, write, out))
		return VMMU_PFN_OK;
	if (!(gup & (VMMU_GUP_FAST_ONLY | VMMU_GUP_NOWAIT)) && pfn_fault_in(hva, write) &&
	    pfn_at_hand(hva, write, out))
		return VMMU_PFN_OK;

	/* What is not plain: get_user_pages() has the last word. */
	if (pfn_fast(hva, true, out))
		return VMMU_PFN_OK;
	if (!write && pfn_fast(hva, false, out))
		return VMMU_PFN_OK;
	if (gup & VMMU_GUP_FAST_ONLY)
		return VMMU_PFN_NEEDS_IO;

	switch (pfn_slow(hva, gup, out)) {
	case 1:
		return VMMU_PFN_OK;
	case -EINTR:
		return VMMU_PFN_SIGNAL;
	case -EHWPOISON:
		return VMMU_PFN_HWPOISON;
	}
	return pfn_by_vma(hva, gup, out);
}
