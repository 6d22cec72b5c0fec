/* SPDX-License-Identifier: GPL-2.0-only */
/* For the mmu's KUnit suites: a VM with nothing but a root, and a way to free its tables. */
#ifndef VMMU_MMU_TEST_VM_H
#define VMMU_MMU_TEST_VM_H

#include <kunit/test.h>
#include "spte.h"
#include "vmmu/vm.h"

/* A frame without struct page: nothing looks behind it. */
#define TEST_PFN	(VMMU_SPTE_ADDR >> PAGE_SHIFT & ~0x3ffffUL)

static inline struct vmmu_sp *test_table(struct kunit *test, gfn_t gfn, int level)
{
	struct vmmu_sp *sp = vmmu_page_alloc(false);

	KUNIT_ASSERT_NOT_NULL(test, sp);
	sp->gfn = gfn;
	sp->role = vmmu_tdp_role(level);
	return sp;
}

static inline struct vmmu_vm *test_vm(struct kunit *test)
{
	struct vmmu_vm *vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vm);
	xa_init(&vm->vcpus);
	rwlock_init(&vm->mmu.lock);
	vm->mmu.format = &vmmu_format_x86_64;
	vm->mmu.root_level = VMMU_LEVEL_PML4;
	vm->mmu.tdp_root = test_table(test, 0, VMMU_LEVEL_PML4);
	return vm;
}

/* Nobody else ever saw these tables. */
static inline void test_free_tables(struct vmmu_sp *sp)
{
	for (int i = 0; i < VMMU_SPTES_PER_PAGE; i++) {
		if (vmmu_spte_table(sp->spt[i], sp->role.level))
			test_free_tables(vmmu_sp_of(vmmu_spte_child(sp->spt[i])));
	}
	vmmu_page_free(sp);
}

static inline u64 test_leaf(const struct vmmu_spte_format *fmt, int level, unsigned long pfn)
{
	const struct vmmu_spte_want want = {
		.pfn = pfn,
		.level = level,
		.access = VMMU_ACC_ALL,
		.managed = pfn_valid(pfn),
		.host_writable = true,
		.write = true,
	};

	return vmmu_spte_make(fmt, &want);
}

#endif
