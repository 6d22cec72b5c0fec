// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory as the host reads and writes it, and what hva->pfn says of it.
 *
 * The map: gfns 0x10, 0x11 (slot 1, logged) and 0x12 (slot 2), which lie apart
 * in the process; 0x20 is read-only; 0x30 shows the page of 0x10 once more.
 */
#include <linux/uaccess.h>
#include "test_vm.h"

#define LOG	KVM_MEM_LOG_DIRTY_PAGES
#define SEAM	gfn_to_gpa(0x12)	/* between slots 1 and 2 */
#define END	gfn_to_gpa(0x13)	/* nothing from here on */
#define READ_ONLY gfn_to_gpa(0x20)
#define ALIAS	gfn_to_gpa(0x30)

static int access_init(struct kunit *test)
{
	int ret = test_vm_init(test);

	if (ret)
		return ret;
	test_vm_slot(test, 1, LOG, 0x10, 2, 0);
	test_vm_slot(test, 2, 0, 0x12, 1, 8);
	test_vm_slot(test, 3, KVM_MEM_READONLY, 0x20, 1, 9);
	test_vm_slot(test, 4, 0, 0x30, 1, 0);
	return 0;
}

static void access_across(struct kunit *test)
{
	struct test_vm *t = test->priv;
	int idx = srcu_read_lock(&t->vm.srcu);
	u8 data[64], back[64];
	int i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = i + 1;
	KUNIT_EXPECT_EQ(test, vmmu_write_guest(&t->vm, SEAM - 32, data, sizeof(data)), 0);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest(&t->vm, SEAM - 32, back, sizeof(back)), 0);
	KUNIT_EXPECT_MEMEQ(test, data, back, sizeof(back));
	/* Each half is where its slot is. */
	KUNIT_EXPECT_EQ(test, copy_from_user(back, (void __user *)(t->user + 8 * PAGE_SIZE), 32),
			0);
	KUNIT_EXPECT_MEMEQ(test, data + 32, back, 32);
	/* The second page of slot 1 is dirty, the first is not. */
	KUNIT_EXPECT_EQ(test, test_vm_find(t, 0x10)->dirty_bitmap[0], BIT(1));

	KUNIT_EXPECT_EQ(test, vmmu_write_guest(&t->vm, END - 32, data, sizeof(data)), -EFAULT);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest(&t->vm, END - 32, back, sizeof(back)), -EFAULT);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest(&t->vm, ~0ULL - 15, back, 32), -EFAULT);
	KUNIT_EXPECT_EQ(test, vmmu_write_guest(&t->vm, READ_ONLY, data, 1), -EFAULT);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest(&t->vm, READ_ONLY, back, 1), 0);
	KUNIT_EXPECT_EQ(test, vmmu_gfn_to_hva(&t->vm, 0x20, false), t->user + 9 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, vmmu_gfn_to_hva(&t->vm, 0x20, true), VMMU_ERROR_HVA);
	KUNIT_EXPECT_EQ(test, vmmu_gfn_to_hva(&t->vm, 0x13, false), VMMU_ERROR_HVA);
	srcu_read_unlock(&t->vm.srcu, idx);
}

/* The same promises for words, and they come in their order. */
static void access_words(struct kunit *test)
{
	struct test_vm *t = test->priv;
	int idx = srcu_read_lock(&t->vm.srcu);
	u64 data[2] = { 0x1122334455667788, 0x99aabbccddeeff00 }, back[2] = {};

	KUNIT_EXPECT_EQ(test, vmmu_read_guest_words(&t->vm, ALIAS, back, 2), -EFAULT);
	KUNIT_EXPECT_EQ(test, vmmu_write_guest(&t->vm, gfn_to_gpa(0x10), data, 16), 0);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest_words(&t->vm, ALIAS, back, 2), 0);
	KUNIT_EXPECT_EQ(test, back[0], data[0]);
	KUNIT_EXPECT_EQ(test, back[1], data[1]);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest_words(&t->vm, SEAM - 8, back, 2), -EFAULT);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest_words(&t->vm, END, back, 1), -EFAULT);
	srcu_read_unlock(&t->vm.srcu, idx);
}

static void access_atomic(struct kunit *test)
{
	struct test_vm *t = test->priv;
	int idx = srcu_read_lock(&t->vm.srcu);
	u64 data = 0x1122334455667788, back = 0;

	/* The host has no page there yet, and this must not make one. */
	KUNIT_EXPECT_EQ(test, vmmu_read_guest_atomic(&t->vm, ALIAS, &back, 8), -EFAULT);
	KUNIT_EXPECT_EQ(test, vmmu_write_guest(&t->vm, gfn_to_gpa(0x10), &data, 8), 0);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest_atomic(&t->vm, ALIAS, &back, 8), 0);
	KUNIT_EXPECT_EQ(test, back, data);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest_atomic(&t->vm, SEAM - 4, &back, 8), -EFAULT);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest_atomic(&t->vm, END, &back, 8), -EFAULT);
	srcu_read_unlock(&t->vm.srcu, idx);
}

static void access_cmpxchg(struct kunit *test)
{
	struct test_vm *t = test->priv;
	int idx = srcu_read_lock(&t->vm.srcu);
	gpa_t gpa = gfn_to_gpa(0x10) + 8;
	unsigned int bytes;

	for (bytes = 1; bytes <= 8; bytes *= 2) {
		u64 was = 0x8877665544332211, old = was, new = 0x0102030405060708, now = 0;
		u64 mask = GENMASK_ULL(bytes * 8 - 1, 0);

		KUNIT_ASSERT_EQ(test, vmmu_write_guest(&t->vm, gpa, &was, 8), 0);
		clear_bit(0, test_vm_find(t, 0x10)->dirty_bitmap);
		old ^= 1;
		KUNIT_EXPECT_EQ(test, vmmu_cmpxchg_guest(&t->vm, gpa, &old, &new, bytes), 1);
		KUNIT_EXPECT_EQ(test, old & mask, was & mask);
		KUNIT_EXPECT_EQ(test, test_vm_find(t, 0x10)->dirty_bitmap[0], 0);
		KUNIT_EXPECT_EQ(test, vmmu_cmpxchg_guest(&t->vm, gpa, &old, &new, bytes), 0);
		KUNIT_EXPECT_EQ(test, test_vm_find(t, 0x10)->dirty_bitmap[0], 1);
		KUNIT_ASSERT_EQ(test, vmmu_read_guest(&t->vm, gpa, &now, 8), 0);
		KUNIT_EXPECT_EQ(test, now, (was & ~mask) | (new & mask));
		KUNIT_EXPECT_EQ(test, vmmu_cmpxchg_guest(&t->vm, READ_ONLY, &old, &new, bytes),
				-EFAULT);
		KUNIT_EXPECT_EQ(test, vmmu_cmpxchg_guest(&t->vm, END, &old, &new, bytes), -EFAULT);
		if (bytes > 1)
			KUNIT_EXPECT_EQ(test, vmmu_cmpxchg_guest(&t->vm, gpa + 1, &old, &new,
								 bytes), -EFAULT);
	}
	srcu_read_unlock(&t->vm.srcu, idx);
}

static void access_cached(struct kunit *test)
{
	struct test_vm *t = test->priv;
	struct vmmu_vm *vm = &t->vm;
	struct vmmu_gpa_cache inside, across, none;
	u64 data = 0xa5a5a5a5deadbeef, back = 0;
	int idx = srcu_read_lock(&vm->srcu);

	KUNIT_EXPECT_EQ(test, vmmu_gpa_cache_init(vm, &inside, SEAM - 64, 64), 0);
	KUNIT_EXPECT_EQ(test, vmmu_gpa_cache_init(vm, &across, SEAM - 4, 8), 0);
	KUNIT_EXPECT_EQ(test, vmmu_gpa_cache_init(vm, &none, END - 4, 8), -EFAULT);
	KUNIT_EXPECT_EQ(test, vmmu_gpa_cache_init(vm, &none, SEAM, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, vmmu_gpa_cache_init(vm, &none, ~0ULL - 2, 8), -EINVAL);
	KUNIT_EXPECT_NOT_NULL(test, inside.slot);
	KUNIT_EXPECT_NULL(test, across.slot);

	KUNIT_EXPECT_EQ(test, vmmu_write_guest_cached(vm, &inside, 56, &data, 8), 0);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest(vm, SEAM - 8, &back, 8), 0);
	KUNIT_EXPECT_EQ(test, back, data);
	KUNIT_EXPECT_EQ(test, test_vm_find(t, 0x11)->dirty_bitmap[0], BIT(1));
	KUNIT_EXPECT_EQ(test, vmmu_write_guest_cached(vm, &inside, 57, &data, 8), -EINVAL);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest_cached(vm, &inside, ~0U, &back, 8), -EINVAL);
	KUNIT_EXPECT_EQ(test, vmmu_write_guest_cached(vm, &across, 0, &data, 8), 0);
	KUNIT_EXPECT_EQ(test, vmmu_read_guest_cached(vm, &across, 0, &back, 8), 0);
	KUNIT_EXPECT_EQ(test, back, data);
	srcu_read_unlock(&vm->srcu, idx);

	/* The map changes under it: slot 1 goes, and comes back over other memory. */
	test_vm_slot(test, 1, LOG, 0x10, 0, 0);
	idx = srcu_read_lock(&vm->srcu);
	KUNIT_EXPECT_EQ(test, vmmu_write_guest_cached(vm, &inside, 0, &data, 8), -EFAULT);
	srcu_read_unlock(&vm->srcu, idx);
	test_vm_slot(test, 1, LOG, 0x10, 2, 20);
	idx = srcu_read_lock(&vm->srcu);
	KUNIT_EXPECT_EQ(test, vmmu_write_guest_cached(vm, &inside, 56, &data, 8), 0);
	KUNIT_EXPECT_EQ(test, copy_from_user(&back, (void __user *)(t->user + 22 * PAGE_SIZE - 8),
					     8), 0);
	KUNIT_EXPECT_EQ(test, back, data);
	srcu_read_unlock(&vm->srcu, idx);
}

static void access_pfn(struct kunit *test)
{
	struct test_vm *t = test->priv;
	unsigned long hva = t->user + 64 * PAGE_SIZE, pfns[32];
	struct vmmu_pfn read, write;
	u32 writable;
	int i, count;

	/* Nothing is there: the fast look says so and brings nothing in. */
	KUNIT_EXPECT_EQ(test, vmmu_hva_to_pfn(hva, VMMU_GUP_FAST_ONLY, &read), VMMU_PFN_NEEDS_IO);
	KUNIT_EXPECT_EQ(test, vmmu_host_pages(hva, 32, pfns, &writable), 0);
	/* A read finds the zero page, which may not be written, dirtied or aged. */
	KUNIT_ASSERT_EQ(test, vmmu_hva_to_pfn(hva, 0, &read), VMMU_PFN_OK);
	KUNIT_EXPECT_FALSE(test, read.writable);
	KUNIT_EXPECT_EQ(test, read.kind, VMMU_PFN_RESERVED);
	/* A write gets a page of its own; then a read says that it may be written. */
	KUNIT_ASSERT_EQ(test, vmmu_hva_to_pfn(hva, VMMU_GUP_WRITE, &write), VMMU_PFN_OK);
	KUNIT_EXPECT_TRUE(test, write.writable);
	KUNIT_EXPECT_EQ(test, write.kind, VMMU_PFN_RAM);
	KUNIT_EXPECT_NE(test, write.pfn, read.pfn);
	count = page_count(pfn_to_page(write.pfn));
	KUNIT_ASSERT_EQ(test, vmmu_hva_to_pfn(hva, VMMU_GUP_FAST_ONLY, &read), VMMU_PFN_OK);
	KUNIT_EXPECT_TRUE(test, read.writable);
	KUNIT_EXPECT_EQ(test, read.pfn, write.pfn);
	KUNIT_ASSERT_EQ(test, vmmu_hva_to_pfn(hva, VMMU_GUP_WRITE, &write), VMMU_PFN_OK);
	KUNIT_EXPECT_EQ(test, vmmu_host_pages(hva, 1, pfns, &writable), 1);
	KUNIT_EXPECT_EQ(test, writable, 1);
	/* None of them kept a reference. */
	KUNIT_EXPECT_EQ(test, page_count(pfn_to_page(write.pfn)), count);
	KUNIT_EXPECT_EQ(test, vmmu_host_level(&t->vm, hva), VMMU_LEVEL_4K);

	/* A look says it of each page: one to be read only, a hole, and the rest. */
	for (i = 1; i < 30; i++)
		KUNIT_ASSERT_EQ(test, clear_user((void __user *)(hva + i * PAGE_SIZE), 8), 0);
	KUNIT_ASSERT_EQ(test, vmmu_hva_to_pfn(hva + 30 * PAGE_SIZE, 0, &read), VMMU_PFN_OK);
	KUNIT_ASSERT_EQ(test, vm_munmap(hva + 3 * PAGE_SIZE, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, vmmu_host_pages(hva, 32, pfns, &writable), 0x3ffffff7);
	KUNIT_EXPECT_EQ(test, writable, 0x3ffffff7);
	KUNIT_EXPECT_EQ(test, pfns[0], write.pfn);
	KUNIT_ASSERT_EQ(test, vmmu_hva_to_pfn(hva + 29 * PAGE_SIZE, 0, &read), VMMU_PFN_OK);
	KUNIT_EXPECT_EQ(test, pfns[29], read.pfn);
	KUNIT_EXPECT_EQ(test, vmmu_host_pages(TASK_SIZE_MAX - PAGE_SIZE, 16, pfns, &writable), 0);
	KUNIT_EXPECT_EQ(test, vmmu_host_pages(PAGE_OFFSET, 16, pfns, &writable), 0);

	/* Below every mapping. */
	KUNIT_EXPECT_EQ(test, vmmu_hva_to_pfn(PAGE_SIZE, 0, &read), VMMU_PFN_NO_HVA);
	KUNIT_EXPECT_EQ(test, vmmu_hva_to_pfn(PAGE_SIZE, VMMU_GUP_NOWAIT, &read), VMMU_PFN_NO_HVA);
	KUNIT_EXPECT_EQ(test, vmmu_pfn_kind(~0UL >> PAGE_SHIFT), VMMU_PFN_DEVICE);
}

static struct kunit_case access_cases[] = {
	KUNIT_CASE(access_across),
	KUNIT_CASE(access_atomic),
	KUNIT_CASE(access_words),
	KUNIT_CASE(access_cmpxchg),
	KUNIT_CASE(access_cached),
	KUNIT_CASE(access_pfn),
	{}
};

static struct kunit_suite access_suite = {
	.name = "vmmu_memslot_access",
	.init = access_init,
	.exit = test_vm_exit,
	.test_cases = access_cases,
};

kunit_test_suites(&access_suite);
