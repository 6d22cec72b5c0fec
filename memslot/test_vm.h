/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For KUnit: a VM that has nothing but a map, over a little user memory of the
 * test's own. The callbacks write down what they were asked for.
 */
#ifndef VMMU_MEMSLOT_TEST_VM_H
#define VMMU_MEMSLOT_TEST_VM_H

#include <kunit/test.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include "slots.h"
#include "vmmu/vm.h"

#define TEST_PAGES	192

struct test_vm {
	struct vmmu_vm vm;
	unsigned long user;		/* TEST_PAGES of anonymous memory */
	int protects, flushes;
	gfn_t protect_gfn[8];
	unsigned long protect_mask[8];
};

static inline struct test_vm *test_vm_of(struct vmmu_vm *vm)
{
	return container_of(vm, struct test_vm, vm);
}

static inline void test_zap(struct vmmu_vm *vm, struct vmmu_memslot *slot)
{
}

static inline void test_flags_changed(struct vmmu_vm *vm, const struct vmmu_memslot *old,
				      struct vmmu_memslot *new)
{
}

static inline void test_generation(struct vmmu_vm *vm, u64 generation)
{
}

static inline bool test_write_protect(struct vmmu_vm *vm, struct vmmu_memslot *slot, gfn_t gfn,
				      unsigned long mask)
{
	struct test_vm *t = test_vm_of(vm);
	int i = t->protects++;

	if (i < ARRAY_SIZE(t->protect_gfn)) {
		t->protect_gfn[i] = gfn;
		t->protect_mask[i] = mask;
	}
	return true;
}

static inline void test_flush(struct vmmu_vm *vm, struct vmmu_memslot *slot)
{
	test_vm_of(vm)->flushes++;
}

static inline int test_alloc(struct vmmu_vm *vm, struct vmmu_memslot *slot)
{
	return 0;
}

static inline void test_free(struct vmmu_memslot *slot)
{
}

static const struct vmmu_memslot_ops test_vm_ops = {
	.zap = test_zap,
	.flags_changed = test_flags_changed,
	.generation = test_generation,
	.write_protect = test_write_protect,
	.flush = test_flush,
	.alloc = test_alloc,
	.free = test_free,
};

static inline int test_vm_init(struct kunit *test)
{
	struct test_vm *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	int ret;

	if (!t)
		return -ENOMEM;
	/* Gives the test's thread an address space too. */
	t->user = kunit_vm_mmap(test, NULL, 0, TEST_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_ANONYMOUS | MAP_PRIVATE, 0);
	if (!t->user)
		return -ENOMEM;
	ret = init_srcu_struct(&t->vm.srcu);
	if (ret)
		return ret;
	t->vm.mm = current->mm;
	ret = vmmu_memslots_init(&t->vm, &test_vm_ops);
	if (ret)
		cleanup_srcu_struct(&t->vm.srcu);
	else
		test->priv = t;
	return ret;
}

static inline void test_vm_exit(struct kunit *test)
{
	struct test_vm *t = test->priv;

	if (!t)
		return;
	vmmu_memslots_destroy(&t->vm);
	cleanup_srcu_struct(&t->vm.srcu);
}

/* A slot of @npages at @gfn over the test's memory, from its page @page on. */
static inline void test_vm_slot(struct kunit *test, u32 id, u32 flags, gfn_t gfn,
				unsigned long npages, unsigned long page)
{
	struct test_vm *t = test->priv;
	struct kvm_userspace_memory_region2 mem = {
		.slot = id,
		.flags = flags,
		.guest_phys_addr = gfn_to_gpa(gfn),
		.memory_size = npages * PAGE_SIZE,
		.userspace_addr = t->user + page * PAGE_SIZE,
	};

	KUNIT_ASSERT_EQ(test, vmmu_set_memory_region(&t->vm, &mem), 0);
}

static inline struct vmmu_memslot *test_vm_find(struct test_vm *t, gfn_t gfn)
{
	struct vmmu_memslot *slot;
	int idx = srcu_read_lock(&t->vm.srcu);

	slot = vmmu_gfn_to_slot(&t->vm, gfn);
	srcu_read_unlock(&t->vm.srcu, idx);
	return slot;
}

#endif
