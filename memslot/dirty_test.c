// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log's ioctls: what comes out, what is protected for it, and that
 * an error costs no bit.
 */
#include <linux/uaccess.h>
#include "test_vm.h"

#define LOG	KVM_MEM_LOG_DIRTY_PAGES
/* The logged slot: 150 pages, so that its log ends within the third word. */
#define BASE	0x40
#define PAGES	150
#define WORDS	3

/* The last page of the user memory holds the bitmaps that go in and out. */
static void __user *user_bitmap(struct test_vm *t)
{
	return (void __user *)(t->user + (TEST_PAGES - 1) * PAGE_SIZE);
}

static int get_log(struct test_vm *t, u32 slot, void __user *to)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = to };

	return vmmu_get_dirty_log(&t->vm, &log);
}

static int clear_log(struct test_vm *t, u32 slot, u64 first, u32 pages, void __user *from)
{
	struct kvm_clear_dirty_log log = {
		.slot = slot,
		.first_page = first,
		.num_pages = pages,
		.dirty_bitmap = from,
	};

	return vmmu_clear_dirty_log(&t->vm, &log);
}

static void expect_user_words(struct kunit *test, const u64 *want)
{
	struct test_vm *t = test->priv;
	u64 got[WORDS];
	int i;

	KUNIT_ASSERT_EQ(test, copy_from_user(got, user_bitmap(t), sizeof(got)), 0);
	for (i = 0; i < WORDS; i++)
		KUNIT_EXPECT_EQ(test, got[i], want[i]);
}

static struct vmmu_memslot *logged(struct kunit *test)
{
	test_vm_slot(test, 1, LOG, BASE, PAGES, 0);
	return test_vm_find(test->priv, BASE);
}

static void dirty_get(struct kunit *test)
{
	struct test_vm *t = test->priv;
	struct vmmu_memslot *slot = logged(test);

	vmmu_mark_page_dirty(slot, BASE);
	vmmu_mark_page_dirty(slot, BASE + 5);
	vmmu_mark_page_dirty(slot, BASE + 5);
	vmmu_mark_page_dirty(slot, BASE + PAGES - 1);
	KUNIT_ASSERT_EQ(test, get_log(t, 1, user_bitmap(t)), 0);
	expect_user_words(test, (u64[]){ BIT(0) | BIT(5), 0, BIT(PAGES - 1 - 128) });

	/* Protected: those pages and no others; one flush for all. */
	KUNIT_EXPECT_EQ(test, t->protects, 2);
	KUNIT_EXPECT_EQ(test, t->protect_gfn[0], BASE);
	KUNIT_EXPECT_EQ(test, t->protect_mask[0], BIT(0) | BIT(5));
	KUNIT_EXPECT_EQ(test, t->protect_gfn[1], BASE + 128);
	KUNIT_EXPECT_EQ(test, t->protect_mask[1], BIT(PAGES - 1 - 128));
	KUNIT_EXPECT_EQ(test, t->flushes, 1);

	/* They were taken. */
	KUNIT_ASSERT_EQ(test, get_log(t, 1, user_bitmap(t)), 0);
	expect_user_words(test, (u64[]){ 0, 0, 0 });
	KUNIT_EXPECT_EQ(test, t->protects, 2);
	KUNIT_EXPECT_EQ(test, t->flushes, 1);
}

static void dirty_get_fault(struct kunit *test)
{
	struct test_vm *t = test->priv;
	struct vmmu_memslot *slot = logged(test);

	vmmu_mark_page_dirty(slot, BASE + 70);
	KUNIT_EXPECT_EQ(test, get_log(t, 1, (void __user *)8), -EFAULT);
	KUNIT_ASSERT_EQ(test, get_log(t, 1, user_bitmap(t)), 0);
	expect_user_words(test, (u64[]){ 0, BIT(6), 0 });
}

static void dirty_errnos(struct kunit *test)
{
	struct test_vm *t = test->priv;
	void __user *to = user_bitmap(t);
	struct vmmu_memslot *slot = logged(test);

	test_vm_slot(test, 2, 0, 0x1000, 1, 0);
	KUNIT_EXPECT_EQ(test, get_log(t, VMMU_MAX_MEMSLOTS, to), -EINVAL);
	KUNIT_EXPECT_EQ(test, get_log(t, BIT(16) | 1, to), -EINVAL);
	KUNIT_EXPECT_EQ(test, get_log(t, 2, to), -ENOENT);
	KUNIT_EXPECT_EQ(test, get_log(t, 3, to), -ENOENT);

	KUNIT_ASSERT_EQ(test, clear_user(to, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, clear_log(t, VMMU_MAX_MEMSLOTS, 0, 64, to), -EINVAL);
	KUNIT_EXPECT_EQ(test, clear_log(t, 3, 1, 64, to), -EINVAL);
	KUNIT_EXPECT_EQ(test, clear_log(t, 2, 0, 64, to), -ENOENT);
	KUNIT_EXPECT_EQ(test, clear_log(t, 1, 0, 63, to), -EINVAL);
	KUNIT_EXPECT_EQ(test, clear_log(t, 1, 128, 64, to), -EINVAL);
	KUNIT_EXPECT_EQ(test, clear_log(t, 1, 192, 0, to), -EINVAL);
	KUNIT_EXPECT_EQ(test, clear_log(t, 1, BIT_ULL(63), 64, to), -EINVAL);
	KUNIT_EXPECT_EQ(test, clear_log(t, 1, 0, U32_MAX, to), -EINVAL);
	KUNIT_EXPECT_EQ(test, clear_log(t, 1, 128, PAGES - 128, to), 0);
	KUNIT_EXPECT_EQ(test, clear_log(t, 1, 0, PAGES, to), 0);
	KUNIT_EXPECT_EQ(test, clear_log(t, 1, 0, 0, to), 0);

	vmmu_mark_page_dirty(slot, BASE);
	KUNIT_EXPECT_EQ(test, clear_log(t, 1, 0, 64, (void __user *)8), -EFAULT);
	KUNIT_EXPECT_EQ(test, slot->dirty_bitmap[0], 1);
	KUNIT_EXPECT_EQ(test, t->protects, 0);
}

/* User space takes the bits itself: reading leaves them, clearing takes what it names. */
static void dirty_manual(struct kunit *test)
{
	static const u64 named[] = { BIT(6) | BIT(7), ~0ULL };
	struct test_vm *t = test->priv;
	struct vmmu_memslot *slot;

	t->vm.mem.manual_protect = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	slot = logged(test);
	vmmu_mark_page_dirty(slot, BASE + 64 + 6);
	vmmu_mark_page_dirty(slot, BASE + 64 + 8);
	vmmu_mark_page_dirty(slot, BASE + 128 + 3);
	vmmu_mark_page_dirty(slot, BASE + 2);
	KUNIT_ASSERT_EQ(test, get_log(t, 1, user_bitmap(t)), 0);
	expect_user_words(test, (u64[]){ BIT(2), BIT(6) | BIT(8), BIT(3) });
	KUNIT_EXPECT_EQ(test, t->protects, 0);

	/* Bit 7 is named but clean: it is not protected. Word 0 and bit 8 are not named. */
	KUNIT_ASSERT_EQ(test, copy_to_user(user_bitmap(t), named, sizeof(named)), 0);
	KUNIT_ASSERT_EQ(test, clear_log(t, 1, 64, PAGES - 64, user_bitmap(t)), 0);
	KUNIT_EXPECT_EQ(test, t->protects, 2);
	KUNIT_EXPECT_EQ(test, t->protect_gfn[0], BASE + 64);
	KUNIT_EXPECT_EQ(test, t->protect_mask[0], BIT(6));
	KUNIT_EXPECT_EQ(test, t->protect_gfn[1], BASE + 128);
	KUNIT_EXPECT_EQ(test, t->protect_mask[1], BIT(3));
	KUNIT_EXPECT_EQ(test, t->flushes, 1);
	KUNIT_ASSERT_EQ(test, get_log(t, 1, user_bitmap(t)), 0);
	expect_user_words(test, (u64[]){ BIT(2), BIT(8), 0 });
}

static struct kunit_case dirty_cases[] = {
	KUNIT_CASE(dirty_get),
	KUNIT_CASE(dirty_get_fault),
	KUNIT_CASE(dirty_errnos),
	KUNIT_CASE(dirty_manual),
	{}
};

static struct kunit_suite dirty_suite = {
	.name = "vmmu_memslot_dirty",
	.init = test_vm_init,
	.exit = test_vm_exit,
	.test_cases = dirty_cases,
};

kunit_test_suites(&dirty_suite);
