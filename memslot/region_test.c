// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_USER_MEMORY_REGION on a VM that has nothing but a map: the errno of
 * each rule, the order of the steps of a change, and random requests against a
 * naive model.
 */
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/prandom.h>
#include "slots.h"
#include "vmmu/vm.h"

#define HVA	0x10000000UL
#define RD	KVM_MEM_READONLY
#define LOG	KVM_MEM_LOG_DIRTY_PAGES

/* What the callbacks saw, and a VM to see it with. */
struct fixture {
	struct kunit *test;
	struct vmmu_vm vm;
	u64 generation;
	int zaps, allocs, frees, reflags;
	u16 zapped_id;
	gfn_t zapped_gfn;
};

static struct fixture *fixture_of(struct vmmu_vm *vm)
{
	return container_of(vm, struct fixture, vm);
}

/* When the mmu is asked to zap, the map must not offer the slot for mapping any more. */
static void op_zap(struct vmmu_vm *vm, struct vmmu_memslot *slot)
{
	struct fixture *f = fixture_of(vm);

	KUNIT_EXPECT_TRUE(f->test, slot->invalid);
	KUNIT_EXPECT_PTR_EQ(f->test, vmmu_gfn_to_slot(vm, slot->base_gfn), slot);
	KUNIT_EXPECT_EQ(f->test, vmmu_gfn_to_hva(vm, slot->base_gfn, false), VMMU_ERROR_HVA);
	f->zaps++;
	f->zapped_id = slot->id;
	f->zapped_gfn = slot->base_gfn;
}

static void op_flags_changed(struct vmmu_vm *vm, const struct vmmu_memslot *old,
			     struct vmmu_memslot *new)
{
	struct fixture *f = fixture_of(vm);

	KUNIT_EXPECT_NE(f->test, old->flags, new->flags);
	KUNIT_EXPECT_PTR_EQ(f->test, vmmu_gfn_to_slot(vm, new->base_gfn), new);
	KUNIT_EXPECT_EQ(f->test, !!(new->flags & LOG), !!new->dirty_bitmap);
	f->reflags++;
}

static void op_generation(struct vmmu_vm *vm, u64 generation)
{
	struct fixture *f = fixture_of(vm);

	KUNIT_EXPECT_EQ(f->test, generation, f->generation + 1);
	KUNIT_EXPECT_EQ(f->test, generation, vmmu_memslots(vm)->generation);
	f->generation = generation;
}

static bool op_write_protect(struct vmmu_vm *vm, struct vmmu_memslot *slot, gfn_t gfn,
			     unsigned long mask)
{
	return false;
}

static void op_flush(struct vmmu_vm *vm, struct vmmu_memslot *slot)
{
}

static int op_alloc(struct vmmu_vm *vm, struct vmmu_memslot *slot)
{
	fixture_of(vm)->allocs++;
	return 0;
}

static void op_free(struct vmmu_memslot *slot)
{
	struct kunit *test = kunit_get_current_test();

	/* Only a slot that went through the invalid state, or the end of the VM. */
	((struct fixture *)test->priv)->frees++;
}

static const struct vmmu_memslot_ops ops = {
	.zap = op_zap,
	.flags_changed = op_flags_changed,
	.generation = op_generation,
	.write_protect = op_write_protect,
	.flush = op_flush,
	.alloc = op_alloc,
	.free = op_free,
};

static int region_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	f->test = test;
	test->priv = f;
	if (init_srcu_struct(&f->vm.srcu))
		return -ENOMEM;
	f->generation = 1;
	return vmmu_memslots_init(&f->vm, &ops);
}

static void region_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (!f)
		return;
	vmmu_memslots_destroy(&f->vm);
	KUNIT_EXPECT_EQ(test, f->allocs, f->frees);
	cleanup_srcu_struct(&f->vm.srcu);
}

static int set_region(struct fixture *f, u32 slot, u32 flags, u64 gpa, u64 size, u64 hva)
{
	struct kvm_userspace_memory_region2 mem = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = hva,
	};

	return vmmu_set_memory_region(&f->vm, &mem);
}

static struct vmmu_memslot *find(struct fixture *f, gfn_t gfn)
{
	struct vmmu_memslot *slot;
	int idx = srcu_read_lock(&f->vm.srcu);

	slot = vmmu_gfn_to_slot(&f->vm, gfn);
	srcu_read_unlock(&f->vm.srcu, idx);
	return slot;
}

/* Slot 1: read-write, 16 pages at 1 MiB. Slot 2: read-only, 16 pages at 2 MiB. */
static const struct errno_case {
	const char *name;
	u32 slot, flags;
	u64 gpa, size, hva;
	int ret;
} errno_cases[] = {
	{ "unknown flag", 3, BIT(5), 0, 0x1000, HVA, -EINVAL },
	{ "guest_memfd", 3, KVM_MEM_GUEST_MEMFD, 0, 0x1000, HVA, -EINVAL },
	{ "size not aligned", 3, 0, 0, 0x1800, HVA, -EINVAL },
	{ "gpa not aligned", 3, 0, 0x800, 0x1000, HVA, -EINVAL },
	{ "hva not aligned", 3, 0, 0, 0x1000, HVA + 0x10, -EINVAL },
	{ "hva of the kernel", 3, 0, 0, 0x1000, 0xffff888000000000, -EINVAL },
	{ "hva not canonical", 3, 0, 0, 0x1000, 0x4000000000000000, -EINVAL },
	{ "hva range leaves user space", 3, 0, 0, 0x2000, BIT_ULL(63) - 0x1000, -EINVAL },
	{ "id at the limit", VMMU_MAX_MEMSLOTS, 0, 0, 0x1000, HVA, -EINVAL },
	{ "second address space", BIT(16) | 3, 0, 0, 0x1000, HVA, -EINVAL },
	{ "gpa wraps", 3, 0, ~0xfffULL, 0x2000, HVA, -EINVAL },
	{ "gpa beyond the processor's", 3, 0, BIT_ULL(52), 0x1000, HVA, -EINVAL },
	{ "too many pages", 3, 0, 0, (BIT_ULL(31)) << 12, 0x1000, -EINVAL },
	{ "delete what is not there", 3, 0, 0, 0, HVA, -EINVAL },
	{ "grow", 1, 0, 0x100000, 0x11000, HVA, -EINVAL },
	{ "shrink", 1, 0, 0x100000, 0xf000, HVA, -EINVAL },
	{ "another hva", 1, 0, 0x100000, 0x10000, HVA + 0x1000, -EINVAL },
	{ "make it read-only", 1, RD, 0x100000, 0x10000, HVA, -EINVAL },
	{ "make it writable", 2, 0, 0x200000, 0x10000, HVA, -EINVAL },
	{ "overlap its end", 3, 0, 0x10f000, 0x1000, HVA, -EEXIST },
	{ "overlap its beginning", 3, 0, 0xff000, 0x2000, HVA, -EEXIST },
	{ "around it", 3, 0, 0, 0x400000, HVA, -EEXIST },
	{ "move onto another", 1, 0, 0x1f8000, 0x10000, HVA, -EEXIST },
	{ "move onto it and make it read-only", 1, RD, 0x1f8000, 0x10000, HVA, -EINVAL },
	{ "as it is", 1, 0, 0x100000, 0x10000, HVA, 0 },
};

static void region_errnos(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_memslot *one, *two;
	int i;

	KUNIT_ASSERT_EQ(test, set_region(f, 1, 0, 0x100000, 0x10000, HVA), 0);
	KUNIT_ASSERT_EQ(test, set_region(f, 2, RD, 0x200000, 0x10000, HVA), 0);
	one = find(f, 0x100);
	two = find(f, 0x200);
	for (i = 0; i < ARRAY_SIZE(errno_cases); i++) {
		const struct errno_case *c = &errno_cases[i];
		u64 generation = f->generation;

		KUNIT_EXPECT_EQ_MSG(test, set_region(f, c->slot, c->flags, c->gpa, c->size, c->hva),
				    c->ret, "%s", c->name);
		/* And nothing has changed. */
		KUNIT_EXPECT_EQ_MSG(test, f->generation, generation, "%s", c->name);
		KUNIT_EXPECT_PTR_EQ_MSG(test, find(f, 0x100), one, "%s", c->name);
		KUNIT_EXPECT_PTR_EQ_MSG(test, find(f, 0x200), two, "%s", c->name);
	}
	/* Side by side is no overlap, on either side. */
	KUNIT_EXPECT_EQ(test, set_region(f, 3, 0, 0x110000, 0x1000, HVA), 0);
	KUNIT_EXPECT_EQ(test, set_region(f, 4, 0, 0xff000, 0x1000, HVA), 0);
	KUNIT_EXPECT_EQ(test, set_region(f, VMMU_MAX_MEMSLOTS - 1, 0, 0x300000, 0x1000, HVA), 0);
	KUNIT_EXPECT_EQ(test, f->zaps, 0);
}

static void region_steps(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, set_region(f, 7, LOG, 0, 0x10000, HVA), 0);
	KUNIT_EXPECT_EQ(test, f->generation, 2);
	KUNIT_EXPECT_EQ(test, f->vm.mem.total_pages, 16);

	/* A move goes through the invalid state and takes the log along. */
	vmmu_mark_page_dirty(find(f, 3), 3);
	KUNIT_ASSERT_EQ(test, set_region(f, 7, LOG, 0x400000, 0x10000, HVA), 0);
	KUNIT_EXPECT_EQ(test, f->generation, 4);
	KUNIT_EXPECT_EQ(test, f->zaps, 1);
	KUNIT_EXPECT_EQ(test, f->frees, 1);
	KUNIT_EXPECT_EQ(test, f->zapped_gfn, 0);
	KUNIT_EXPECT_NULL(test, find(f, 0));
	KUNIT_ASSERT_NOT_NULL(test, find(f, 0x400));
	KUNIT_EXPECT_EQ(test, find(f, 0x400)->dirty_bitmap[0], BIT(3));
	/* To a place that overlaps its own old one. */
	KUNIT_EXPECT_EQ(test, set_region(f, 7, LOG, 0x401000, 0x10000, HVA), 0);

	/* Flags change in one step and zap nothing; logging begins anew and clean. */
	KUNIT_EXPECT_EQ(test, set_region(f, 7, 0, 0x401000, 0x10000, HVA), 0);
	KUNIT_EXPECT_EQ(test, set_region(f, 7, LOG, 0x401000, 0x10000, HVA), 0);
	KUNIT_EXPECT_EQ(test, f->reflags, 2);
	KUNIT_EXPECT_EQ(test, f->zaps, 2);
	KUNIT_EXPECT_EQ(test, f->generation, 8);
	KUNIT_EXPECT_EQ(test, find(f, 0x401)->dirty_bitmap[0], 0);

	KUNIT_EXPECT_EQ(test, set_region(f, 7, 0, 0, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, f->zapped_id, 7);
	KUNIT_EXPECT_EQ(test, f->vm.mem.total_pages, 0);
	KUNIT_EXPECT_NULL(test, find(f, 0x401));

	/* With KVM_DIRTY_LOG_INITIALLY_SET every page of a new log is dirty, and no bit more. */
	f->vm.mem.manual_protect = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
				   KVM_DIRTY_LOG_INITIALLY_SET;
	KUNIT_EXPECT_EQ(test, set_region(f, 7, LOG, 0, 0x10000, HVA), 0);
	KUNIT_EXPECT_EQ(test, find(f, 0)->dirty_bitmap[0], 0xffff);
}

static void region_levels(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vmmu_region_max_level(0, 0x40000000), VMMU_LEVEL_1G);
	KUNIT_EXPECT_EQ(test, vmmu_region_max_level(1, 0x40001000), VMMU_LEVEL_1G);
	KUNIT_EXPECT_EQ(test, vmmu_region_max_level(0, 0x200000), VMMU_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, vmmu_region_max_level(0x201, 0x1000), VMMU_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, vmmu_region_max_level(0, 0x1000), VMMU_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, vmmu_region_max_level(0x1ff, 0), VMMU_LEVEL_4K);
}

#define MODEL_IDS	12
#define MODEL_STEPS	400

struct model_slot {
	u64 gpa, size, hva;
	u32 flags;
};

/* What KVM's rules say about a well-formed request, the slow way. */
static int model_verdict(const struct model_slot *slots, u32 id, const struct model_slot *want)
{
	const struct model_slot *old = &slots[id];
	int i;

	if (!want->size)
		return old->size ? 0 : -EINVAL;
	if (old->size && (old->size != want->size || old->hva != want->hva ||
			  (old->flags ^ want->flags) & RD))
		return -EINVAL;
	for (i = 0; i < MODEL_IDS; i++) {
		if (i != id && slots[i].size && slots[i].gpa < want->gpa + want->size &&
		    want->gpa < slots[i].gpa + slots[i].size)
			return -EEXIST;
	}
	return 0;
}

static void model_compare(struct kunit *test, struct fixture *f, const struct model_slot *slots)
{
	unsigned long pages = 0;
	gfn_t gfn;
	int i;

	for (i = 0; i < MODEL_IDS; i++)
		pages += slots[i].size >> PAGE_SHIFT;
	KUNIT_ASSERT_EQ(test, f->vm.mem.total_pages, pages);

	for (gfn = 0; gfn < 96; gfn++) {
		struct vmmu_memslot *slot = find(f, gfn);
		int owner = -1;

		for (i = 0; i < MODEL_IDS; i++) {
			if (gfn_to_gpa(gfn) >= slots[i].gpa &&
			    gfn_to_gpa(gfn) < slots[i].gpa + slots[i].size)
				owner = i;
		}
		KUNIT_ASSERT_EQ(test, slot ? slot->id : -1, owner);
		if (!slot)
			continue;
		KUNIT_EXPECT_EQ(test, slot->flags, slots[owner].flags);
		KUNIT_EXPECT_EQ(test, !!slot->dirty_bitmap, !!(slots[owner].flags & LOG));
		KUNIT_EXPECT_EQ(test, vmmu_slot_hva(slot, gfn),
				slots[owner].hva + gfn_to_gpa(gfn) - slots[owner].gpa);
	}
}

static void region_random(struct kunit *test)
{
	struct model_slot slots[MODEL_IDS] = {};
	struct fixture *f = test->priv;
	u64 seed = get_random_u64();
	struct rnd_state rnd;
	int step, done = 0;

	kunit_info(test, "seed 0x%llx", seed);
	prandom_seed_state(&rnd, seed);
	for (step = 0; step < MODEL_STEPS; step++) {
		u32 id = prandom_u32_state(&rnd) % MODEL_IDS;
		struct model_slot want = {
			.gpa = (prandom_u32_state(&rnd) % 64) * PAGE_SIZE,
			.size = (1 + prandom_u32_state(&rnd) % 16) * PAGE_SIZE,
			.hva = HVA + (prandom_u32_state(&rnd) % 64) * PAGE_SIZE,
			.flags = prandom_u32_state(&rnd) & (LOG | RD),
		};
		int ret;

		/* Mostly a request that fits what is there: delete, move, or re-flag. */
		switch (slots[id].size ? prandom_u32_state(&rnd) % 4 : 3) {
		case 0:
			want.size = 0;
			break;
		case 1:
			want.gpa = slots[id].gpa;
			fallthrough;
		case 2:
			want.size = slots[id].size;
			want.hva = slots[id].hva;
			break;
		}
		ret = set_region(f, id, want.flags, want.gpa, want.size, want.hva);
		KUNIT_ASSERT_EQ_MSG(test, ret, model_verdict(slots, id, &want), "step %d", step);
		if (!ret) {
			slots[id] = want;
			done++;
		}
		model_compare(test, f, slots);
	}
	/* A test whose requests all fail would show nothing. */
	KUNIT_EXPECT_GT(test, done, MODEL_STEPS / 10);
}

static struct kunit_case region_cases[] = {
	KUNIT_CASE(region_errnos),
	KUNIT_CASE(region_steps),
	KUNIT_CASE(region_levels),
	KUNIT_CASE_SLOW(region_random),
	{}
};

static struct kunit_suite region_suite = {
	.name = "vmmu_memslot_region",
	.init = region_init,
	.exit = region_exit,
	.test_cases = region_cases,
};

kunit_test_suites(&region_suite);
