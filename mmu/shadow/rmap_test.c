// SPDX-License-Identifier: GPL-2.0-only
/* KUnit: the lists of the reverse map against a naive set, and the slot's arrays. */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include "shadow.h"

#define NR_SPTES	200
#define STEPS		4000

struct model {
	struct vmmu_rmap_stock stock;
	unsigned long head;
	u64 sptes[NR_SPTES];	/* only their addresses count */
	bool in[NR_SPTES];
	unsigned int nr;
};

/* Each member once, nothing else. */
static void check_list(struct kunit *test, struct model *m)
{
	struct vmmu_rmap_pos pos;
	unsigned int seen = 0;
	u64 *sptep;

	for_each_rmap_spte(sptep, pos, m->head) {
		KUNIT_ASSERT_LT(test, (size_t)(sptep - m->sptes), NR_SPTES);
		KUNIT_ASSERT_TRUE(test, m->in[sptep - m->sptes]);
		/* Marked while counted: twice in the list would be found. */
		KUNIT_ASSERT_EQ(test, *sptep, 0);
		*sptep = 1;
		seen++;
	}
	KUNIT_ASSERT_EQ(test, seen, m->nr);
	for (int i = 0; i < NR_SPTES; i++)
		m->sptes[i] = 0;
	KUNIT_ASSERT_EQ(test, !m->nr, !m->head);
	KUNIT_ASSERT_PTR_EQ(test, vmmu_rmap_list_first(m->head),
			    vmmu_rmap_start(&pos, m->head));
}

static void one_step(struct kunit *test, struct model *m, unsigned int i)
{
	if (m->in[i]) {
		KUNIT_ASSERT_TRUE(test, vmmu_rmap_list_del(&m->stock, &m->head, &m->sptes[i]));
		KUNIT_ASSERT_FALSE(test, vmmu_rmap_list_del(&m->stock, &m->head, &m->sptes[i]));
		m->nr--;
	} else {
		KUNIT_ASSERT_EQ(test, vmmu_rmap_topup(&m->stock), 0);
		KUNIT_ASSERT_TRUE(test, vmmu_rmap_list_add(&m->stock, &m->head, &m->sptes[i]));
		m->nr++;
	}
	m->in[i] = !m->in[i];
}

static void list_against_model(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, m);
	prandom_seed_state(&rnd, 42);
	for (int i = 0; i < STEPS; i++) {
		/* Few members for a while, then many: chunks come and go. */
		unsigned int range = (i / 500) & 1 ? NR_SPTES : 4;

		one_step(test, m, prandom_u32_state(&rnd) % range);
		check_list(test, m);
	}
	while (m->head) {
		m->in[vmmu_rmap_list_first(m->head) - m->sptes] = false;
		vmmu_rmap_list_del(&m->stock, &m->head, vmmu_rmap_list_first(m->head));
		m->nr--;
		check_list(test, m);
	}
	vmmu_rmap_drain(&m->stock);
}

static void crowd(struct kunit *test)
{
	struct vmmu_rmap_stock stock = {};
	u64 *sptes = kunit_kcalloc(test, VMMU_RMAP_CROWD, sizeof(*sptes), GFP_KERNEL);
	unsigned long head = 0;

	KUNIT_ASSERT_NOT_NULL(test, sptes);
	for (int i = 0; i < VMMU_RMAP_CROWD; i++) {
		KUNIT_EXPECT_FALSE(test, vmmu_rmap_crowded(head));
		KUNIT_ASSERT_EQ(test, vmmu_rmap_topup(&stock), 0);
		KUNIT_ASSERT_TRUE(test, vmmu_rmap_list_add(&stock, &head, &sptes[i]));
	}
	KUNIT_EXPECT_TRUE(test, vmmu_rmap_crowded(head));
	/* Out of the middle: the count follows. */
	KUNIT_ASSERT_TRUE(test, vmmu_rmap_list_del(NULL, &head, &sptes[VMMU_RMAP_CROWD / 2]));
	KUNIT_EXPECT_FALSE(test, vmmu_rmap_crowded(head));
	while (head)
		KUNIT_ASSERT_TRUE(test, vmmu_rmap_list_del(NULL, &head,
							   vmmu_rmap_list_first(head)));
	vmmu_rmap_drain(&stock);
}

static void no_stock(struct kunit *test)
{
	struct vmmu_rmap_stock stock = {};
	unsigned long head = 0;
	u64 sptes[3];

	/* The first needs no chunk, the second has none to go to, and nothing is lost. */
	KUNIT_EXPECT_TRUE(test, vmmu_rmap_list_add(&stock, &head, &sptes[0]));
	KUNIT_EXPECT_FALSE(test, vmmu_rmap_list_add(&stock, &head, &sptes[1]));
	KUNIT_EXPECT_PTR_EQ(test, vmmu_rmap_list_first(head), &sptes[0]);
	KUNIT_EXPECT_FALSE(test, vmmu_rmap_list_del(NULL, &head, &sptes[2]));
	KUNIT_EXPECT_TRUE(test, vmmu_rmap_list_del(NULL, &head, &sptes[0]));
	KUNIT_EXPECT_EQ(test, head, 0);
}

/* What one list gives back the next one takes; however much it is, the stock has its measure. */
static void chunk_back_to_stock(struct kunit *test)
{
	struct vmmu_rmap_stock stock = {};
	unsigned long heads[100] = {};
	unsigned int full;
	u64 sptes[2];

	for (int i = 0; i < ARRAY_SIZE(heads); i++) {
		KUNIT_ASSERT_EQ(test, vmmu_rmap_topup(&stock), 0);
		KUNIT_ASSERT_TRUE(test, vmmu_rmap_list_add(&stock, &heads[i], &sptes[0]));
		KUNIT_ASSERT_TRUE(test, vmmu_rmap_list_add(&stock, &heads[i], &sptes[1]));
	}
	KUNIT_ASSERT_EQ(test, vmmu_rmap_topup(&stock), 0);
	full = stock.nr;

	KUNIT_ASSERT_TRUE(test, vmmu_rmap_list_del(&stock, &heads[0], &sptes[0]));
	KUNIT_EXPECT_EQ(test, stock.nr, full + 1);
	KUNIT_ASSERT_TRUE(test, vmmu_rmap_list_add(&stock, &heads[0], &sptes[0]));
	KUNIT_EXPECT_EQ(test, stock.nr, full);

	for (int i = 0; i < ARRAY_SIZE(heads); i++) {
		KUNIT_EXPECT_TRUE(test, vmmu_rmap_list_del(&stock, &heads[i], &sptes[0]));
		KUNIT_EXPECT_PTR_EQ(test, vmmu_rmap_list_first(heads[i]), &sptes[1]);
	}
	KUNIT_EXPECT_EQ(test, stock.nr, full + VMMU_WINDOW_SIZE);
	vmmu_rmap_drain(&stock);
}

/* A slot that begins and ends in the middle of larger pages. */
static void slot_arrays(struct kunit *test)
{
	struct vmmu_memslot slot = { .base_gfn = 0x3ff, .npages = 0x402 };
	gfn_t last = slot.base_gfn + slot.npages - 1;

	KUNIT_ASSERT_EQ(test, vmmu_rmap_alloc(&slot), 0);
	KUNIT_EXPECT_EQ(test, vmmu_rmap_index(&slot, slot.base_gfn, VMMU_LEVEL_2M), 0);
	KUNIT_EXPECT_EQ(test, vmmu_rmap_index(&slot, 0x400, VMMU_LEVEL_2M), 1);
	KUNIT_EXPECT_EQ(test, vmmu_rmap_index(&slot, last, VMMU_LEVEL_2M), 3);
	KUNIT_EXPECT_EQ(test, vmmu_rmap_index(&slot, last, VMMU_LEVEL_1G), 0);
	for (int level = VMMU_LEVEL_4K; level <= VMMU_LEVEL_1G; level++) {
		*vmmu_rmap_head(&slot, last, level) = 0;
		*vmmu_rmap_tables(&slot, last, level) = level;
	}
	KUNIT_EXPECT_TRUE(test, vmmu_rmap_is_table(&slot, last));
	KUNIT_EXPECT_FALSE(test, vmmu_rmap_is_table(&slot, slot.base_gfn));
	vmmu_rmap_free(&slot);
	KUNIT_EXPECT_NULL(test, slot.rmap);
	vmmu_rmap_free(&slot);
}

static struct kunit_case rmap_cases[] = {
	KUNIT_CASE(list_against_model),
	KUNIT_CASE(crowd),
	KUNIT_CASE(no_stock),
	KUNIT_CASE(chunk_back_to_stock),
	KUNIT_CASE(slot_arrays),
	{}
};

static struct kunit_suite rmap_suite = {
	.name = "vmmu_rmap",
	.test_cases = rmap_cases,
};

kunit_test_suite(rmap_suite);
