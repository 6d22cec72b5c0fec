// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots against a naive model: an unsorted array that is searched from end
 * to end. No VM, no user memory.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include "slots.h"

#define MODEL_SLOTS	24
#define MODEL_STEPS	3000
#define MODEL_GFNS	4096	/* small, so that slots lie close together */

struct model {
	struct rnd_state rnd;
	struct vmmu_memslot slots[MODEL_SLOTS];
	bool present[MODEL_SLOTS];
	struct vmmu_memslots *snapshot;
};

static struct vmmu_memslot *model_find(struct model *m, gfn_t gfn)
{
	int i;

	for (i = 0; i < MODEL_SLOTS; i++) {
		struct vmmu_memslot *s = &m->slots[i];

		if (m->present[i] && gfn >= s->base_gfn && gfn < s->base_gfn + s->npages)
			return s;
	}
	return NULL;
}

static bool model_free_range(struct model *m, gfn_t base, unsigned long npages)
{
	gfn_t gfn;

	for (gfn = base; gfn < base + npages; gfn++) {
		if (model_find(m, gfn))
			return false;
	}
	return true;
}

static unsigned int model_count(struct model *m)
{
	unsigned int i, n = 0;

	for (i = 0; i < MODEL_SLOTS; i++)
		n += m->present[i];
	return n;
}

/* Replace the snapshot by one without @drop and with @add. */
static void model_switch(struct kunit *test, struct model *m, struct vmmu_memslot *drop,
			 struct vmmu_memslot *add)
{
	struct vmmu_memslots *new;

	new = vmmu_slots_alloc(m->snapshot->nr - !!drop + !!add);
	KUNIT_ASSERT_NOT_NULL(test, new);
	vmmu_slots_fill(new, m->snapshot, drop, add);
	KUNIT_EXPECT_EQ(test, new->generation, m->snapshot->generation + 1);
	kvfree(m->snapshot);
	m->snapshot = new;
}

static void model_step(struct kunit *test, struct model *m)
{
	int i = prandom_u32_state(&m->rnd) % MODEL_SLOTS;
	unsigned long npages = 1 + prandom_u32_state(&m->rnd) % 200;
	gfn_t base = prandom_u32_state(&m->rnd) % MODEL_GFNS;
	struct vmmu_memslot *s = &m->slots[i];

	if (m->present[i]) {
		m->present[i] = false;
		model_switch(test, m, s, NULL);
		return;
	}
	if (!model_free_range(m, base, npages))
		return;
	*s = (struct vmmu_memslot){ .id = i, .base_gfn = base, .npages = npages };
	/* Few host addresses for many slots: aliases are the rule. */
	s->hva = (1 + prandom_u32_state(&m->rnd) % 512) * PAGE_SIZE;
	m->present[i] = true;
	model_switch(test, m, NULL, s);
}

static void check_sorted(struct kunit *test, struct model *m)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, m->snapshot->nr, model_count(m));
	for (i = 1; i < m->snapshot->nr; i++) {
		struct vmmu_memslot *a = m->snapshot->refs[i - 1].slot;
		struct vmmu_memslot *b = m->snapshot->refs[i].slot;

		KUNIT_EXPECT_LE(test, a->base_gfn + a->npages, b->base_gfn);
	}
}

static void check_lookups(struct kunit *test, struct model *m)
{
	int n, i;

	for (n = 0; n < 20; n++) {
		gfn_t gfn = prandom_u32_state(&m->rnd) % (MODEL_GFNS + 300);

		KUNIT_EXPECT_PTR_EQ(test, vmmu_slots_find(m->snapshot, gfn), model_find(m, gfn));
	}
	KUNIT_EXPECT_NULL(test, vmmu_slots_find(m->snapshot, ~0ULL));
	for (i = 0; i < MODEL_SLOTS; i++) {
		KUNIT_EXPECT_PTR_EQ(test, vmmu_slots_by_id(m->snapshot, i),
				    m->present[i] ? &m->slots[i] : NULL);
	}
}

/* The tree must find each slot that meets the range, once. */
static void check_hva(struct kunit *test, struct model *m)
{
	/* Ranges that begin and end at the edges of pages, where mistakes are made. */
	unsigned long start = prandom_u32_state(&m->rnd) % 700 * PAGE_SIZE -
			      prandom_u32_state(&m->rnd) % 2;
	unsigned long last = start + prandom_u32_state(&m->rnd) % 8 * PAGE_SIZE -
			     prandom_u32_state(&m->rnd) % 2;
	u32 want = 0, got = 0;
	struct interval_tree_node *node;
	int i;

	if (last < start || start == ULONG_MAX)
		return;
	for (i = 0; i < MODEL_SLOTS; i++) {
		struct vmmu_memslot *s = &m->slots[i];

		if (m->present[i] && s->hva <= last && s->hva + s->npages * PAGE_SIZE > start)
			want |= BIT(i);
	}
	for (node = interval_tree_iter_first(&m->snapshot->hva_tree, start, last); node;
	     node = interval_tree_iter_next(node, start, last)) {
		KUNIT_EXPECT_FALSE(test, got & BIT(vmmu_hva_node_slot(node)->id));
		got |= BIT(vmmu_hva_node_slot(node)->id);
	}
	KUNIT_EXPECT_EQ(test, got, want);
}

static void slots_random(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	u64 seed = get_random_u64();
	int step;

	KUNIT_ASSERT_NOT_NULL(test, m);
	kunit_info(test, "seed 0x%llx", seed);
	prandom_seed_state(&m->rnd, seed);
	m->snapshot = vmmu_slots_alloc(0);
	KUNIT_ASSERT_NOT_NULL(test, m->snapshot);

	for (step = 0; step < MODEL_STEPS; step++) {
		model_step(test, m);
		check_sorted(test, m);
		check_lookups(test, m);
		check_hva(test, m);
	}
	kvfree(m->snapshot);
}

/* A slot may be replaced by one at its own place: that is how clones and flags go. */
static void slots_replace(struct kunit *test)
{
	struct vmmu_memslot a = { .id = 1, .base_gfn = 10, .npages = 10, .hva = 0x10000 };
	struct vmmu_memslot b = { .id = 2, .base_gfn = 20, .npages = 1, .hva = 0x10000 };
	struct vmmu_memslot clone = a;
	struct vmmu_memslots *one, *two, *three, *empty = vmmu_slots_alloc(0);
	struct interval_tree_node *node;

	one = vmmu_slots_alloc(1);
	two = vmmu_slots_alloc(2);
	three = vmmu_slots_alloc(2);
	KUNIT_ASSERT_TRUE(test, empty && one && two && three);
	vmmu_slots_fill(one, empty, NULL, &b);
	vmmu_slots_fill(two, one, NULL, &a);
	KUNIT_EXPECT_PTR_EQ(test, vmmu_slots_find(two, 19), &a);
	KUNIT_EXPECT_PTR_EQ(test, vmmu_slots_find(two, 20), &b);
	KUNIT_EXPECT_NULL(test, vmmu_slots_find(two, 21));
	vmmu_slots_fill(three, two, &a, &clone);
	KUNIT_EXPECT_PTR_EQ(test, vmmu_slots_find(three, 19), &clone);
	/* The older snapshot still says what it said. */
	KUNIT_EXPECT_PTR_EQ(test, vmmu_slots_find(two, 19), &a);
	KUNIT_EXPECT_EQ(test, three->generation, empty->generation + 3);

	node = interval_tree_iter_first(&three->hva_tree, 0x10fff, 0x10fff);
	KUNIT_ASSERT_NOT_NULL(test, node);
	KUNIT_EXPECT_NOT_NULL(test, interval_tree_iter_next(node, 0x10fff, 0x10fff));
	node = interval_tree_iter_first(&three->hva_tree, 0x11000, 0x11000);
	KUNIT_ASSERT_NOT_NULL(test, node);
	KUNIT_EXPECT_PTR_EQ(test, vmmu_hva_node_slot(node), &clone);
	KUNIT_EXPECT_NULL(test, interval_tree_iter_next(node, 0x11000, 0x11000));

	kvfree(empty);
	kvfree(one);
	kvfree(two);
	kvfree(three);
}

static struct kunit_case slots_cases[] = {
	KUNIT_CASE_SLOW(slots_random),
	KUNIT_CASE(slots_replace),
	{}
};

static struct kunit_suite slots_suite = {
	.name = "vmmu_memslot_slots",
	.test_cases = slots_cases,
};

kunit_test_suites(&slots_suite);
