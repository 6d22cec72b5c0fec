// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the host's page tables: which frames stand there, and how large the
 * leaves are.
 *
 * What a fault wants to know of 16 neighbours is 16 words of one host page
 * table. They are read as the processor would read them, with interrupts off
 * and no reference taken. Only what any user of get_user_pages_fast() would be
 * given is taken: present, the process's own to access, no special mapping, no
 * protection key. All else is nothing at all here, and left to who may sleep.
 *
 * Contract: an answer was true at some instant of the call. It may be used under
 * mmu.lock after the notifier's sequence, taken before, was found unchanged:
 * whoever takes a page or a permission away invalidates first.
 *
 * No lock; nothing sleeps. Pairs with the host's freeing of tables, which waits
 * for an IPI or for RCU: interrupts off holds both back. Each entry is read once.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <asm/pkru.h>
#include "vmmu/memslot.h"
#include "vmmu/vm.h"

/* Newer kernels have no such pages. */
#ifndef _PAGE_DEVMAP
#define _PAGE_DEVMAP	0
#endif

/* The bits that decide, and what they say of a page that may be read. */
#define HOST_PAGE_MASK	(_PAGE_PRESENT | _PAGE_USER | _PAGE_SPECIAL | _PAGE_DEVMAP |	\
			 _PAGE_PKEY_MASK)
#define HOST_PAGE_GOOD	(_PAGE_PRESENT | _PAGE_USER)

/* Where a walk ended: at a leaf (its value), or at a table of 4K entries (that of the address). */
struct host_entry {
	int level;
	unsigned long leaf;	/* above 4K; 0: nothing there */
	unsigned long pfn;	/* of the leaf's first page */
	pte_t *ptep;		/* at 4K; NULL: no table */
};

static __always_inline void host_walk(struct mm_struct *mm, unsigned long hva,
				      struct host_entry *e)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, hva));
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	e->level = VMMU_LEVEL_4K;
	e->leaf = 0;
	e->pfn = 0;
	e->ptep = NULL;
	if (pgd_none(pgd))
		return;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		return;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		return;
	if (pud_leaf(pud)) {
		e->level = VMMU_LEVEL_1G;
		e->leaf = pud_val(pud);
		e->pfn = pud_pfn(pud);
		return;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (pmd_none(pmd) || !pmd_present(pmd))
		return;
	if (pmd_leaf(pmd)) {
		e->level = VMMU_LEVEL_2M;
		e->leaf = pmd_val(pmd);
		e->pfn = pmd_pfn(pmd);
		return;
	}
	e->ptep = pte_offset_kernel(&pmd, hva);
}

/* One bit if the entry's page may be read; the same bit in *writable if it may be written. */
static __always_inline u32 host_bit(unsigned long val, unsigned int i, u32 *writable)
{
	if ((val & HOST_PAGE_MASK) != HOST_PAGE_GOOD)
		return 0;
	*writable |= (u32)!!(val & _PAGE_RW) << i;
	return 1U << i;
}

static u32 host_pages(struct mm_struct *mm, unsigned long hva, unsigned int n,
		      unsigned long *pfns, u32 *writable)
{
	unsigned int i = 0, end;
	struct host_entry e;
	u32 present = 0;

	while (i < n) {
		unsigned long at = hva + i * PAGE_SIZE;

		host_walk(mm, at, &e);
		end = min_t(unsigned long, n, i + PTRS_PER_PTE - pte_index(at));
		if (e.ptep) {
			for (; i < end; i++, e.ptep++) {
				pte_t pte = ptep_get(e.ptep);

				pfns[i] = pte_pfn(pte);
				present |= host_bit(pte_val(pte), i, writable);
			}
		} else if (e.leaf) {
			e.pfn += (at >> PAGE_SHIFT) & (VMMU_PAGES_PER_LEVEL(e.level) - 1);
			for (; i < end; i++) {
				pfns[i] = e.pfn++;
				present |= host_bit(e.leaf, i, writable);
			}
		}
		i = end;
	}
	return present;
}

/**
 * vmmu_host_pages() - the frames that the host has at hand for neighbours
 * @hva: of the first page, in current->mm
 * @n: how many from there on, at most 32
 * @pfns: room for @n; filled where the answer has a bit
 * @writable: bit n is set when the process may write to page n
 *
 * Faults nothing in, marks nothing accessed. Any context with current->mm.
 * Return: bit n is set when page n is there and the process may read it.
 */
u32 vmmu_host_pages(unsigned long hva, unsigned int n, unsigned long *pfns, u32 *writable)
{
	unsigned long flags;
	u32 present;

	*writable = 0;
	/* A range that wraps or leaves user space has no tables of the process behind it. */
	if (!access_ok((void __user *)hva, n * PAGE_SIZE))
		return 0;
	local_irq_save(flags);
	present = host_pages(current->mm, hva, n, pfns, writable);
	local_irq_restore(flags);

	/* Key 0, which all that has no other has, can be closed too. */
	if (unlikely(!__pkru_allows_pkey(0, true)))
		*writable = 0;
	return likely(__pkru_allows_pkey(0, false)) ? present : 0;
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
	struct host_entry e;
	unsigned long flags;

	local_irq_save(flags);
	host_walk(vm->mm, hva, &e);
	local_irq_restore(flags);
	return e.level;
}
