// SPDX-License-Identifier: GPL-2.0-only
/*
 * hva->pfn, and what a pfn is.
 *
 * Contract: the answer was true at some instant of the call and no reference
 * keeps it so. The caller took the notifier sequence before and re-checks it
 * under mmu.lock; that, and nothing else, makes the answer usable.
 *
 * A page may be read although it may not be written (shared by fork, merged by
 * KSM, the zero page, a file). So a read first asks for a writable page, if
 * one is there without work, takes a read-only one else, and says which.
 *
 * No lock of ours is held. Sleeps, but for what says fast.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include <linux/sched/mm.h>
#include "slots.h"
#include "vmmu/vm.h"

/* Pages per call of the batch: the prefetch window. */
#define PFN_BATCH	16
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
	if (pfn_fast(hva, true, out))
		return VMMU_PFN_OK;
	if (!(gup & VMMU_GUP_WRITE) && pfn_fast(hva, false, out))
		return VMMU_PFN_OK;
	if (gup & VMMU_GUP_FAST_ONLY)
		return VMMU_PFN_NEEDS_IO;

	might_sleep();
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

/**
 * vmmu_hva_to_pfns_fast() - the frames of neighbours, as far as they are there
 * @hva: host virtual address
 * @n: pages from @hva on, in current->mm
 * @write: stop at the first that may not be written
 * @pfns: room for @n
 *
 * Faults nothing in, never sleeps, holds no reference. Return: how many, from the first on.
 */
int vmmu_hva_to_pfns_fast(unsigned long hva, int n, bool write, unsigned long *pfns)
{
	struct page *pages[PFN_BATCH];
	int done = 0;

	while (done < n) {
		int want = min(n - done, PFN_BATCH), i;
		int got = get_user_pages_fast_only(hva + (unsigned long)done * PAGE_SIZE, want,
						   write ? FOLL_WRITE : 0, pages);

		for (i = 0; i < got; i++) {
			pfns[done++] = page_to_pfn(pages[i]);
			put_page(pages[i]);
		}
		if (got != want)
			break;
	}
	return done;
}

/* The level of the leaf that maps @hva; interrupts off, so that no table is freed. */
static int host_level_walk(struct mm_struct *mm, unsigned long hva)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, hva));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	if (pgd_none(pgd))
		return VMMU_LEVEL_4K;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		return VMMU_LEVEL_4K;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		return VMMU_LEVEL_4K;
	if (pud_leaf(pud))
		return VMMU_LEVEL_1G;
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (pmd_none(pmd) || !pmd_present(pmd))
		return VMMU_LEVEL_4K;
	return pmd_leaf(pmd) ? VMMU_LEVEL_2M : VMMU_LEVEL_4K;
}

/**
 * vmmu_host_level() - how large a page does the host map @hva with?
 * @vm: the VM
 * @hva: host virtual address
 *
 * A hint: true at some instant of the call. Under mmu.lock after vmmu_notifier_retry() said
 * no, it is good to map with: whoever splits that page invalidates all of it and has to wait
 * for mmu.lock. Any context. Return: VMMU_LEVEL_4K, _2M or _1G.
 */
int vmmu_host_level(struct vmmu_vm *vm, unsigned long hva)
{
	unsigned long flags;
	int level;

	/*
	 * Pairs with the host's freeing of tables, which waits for an IPI or for RCU:
	 * interrupts off holds both back. Each entry is read once.
	 */
	local_irq_save(flags);
	level = host_level_walk(vm->mm, hva);
	local_irq_restore(flags);
	return level;
}
