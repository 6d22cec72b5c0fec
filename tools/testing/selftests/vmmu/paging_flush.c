// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a change of the guest's page tables needs until it is seen: nothing, when
 * something becomes present; at most one spurious fault, when more becomes
 * allowed; INVLPG, a CR3 write, a toggle of CR4.PGE or INVPCID, when something
 * goes away. With one vCPU, and with one that changes what another uses.
 *
 * Intel SDM vol. 3, 4.10.4; AMD APM vol. 2, 5.5.3.
 */
#include <kselftest_harness.h>

#include "gpt.h"

#define N	64
#define ROUNDS	40

static uint64_t frame[N], other[N];

static uint64_t gva_of(uint64_t i)
{
	return GPT_GVA + i * PAGE;
}

/* Frames a and b of each page hold 0x1000 + i and 0x2000 + i. */
static uint64_t two_sets(void)
{
	uint64_t i, root = gpt_root();

	for (i = 0; i < N; i++) {
		frame[i] = gpt_data(0x1000 + i);
		other[i] = gpt_data(0x2000 + i);
	}
	return root;
}

static void map_all(uint64_t root, const uint64_t *frames, uint64_t bits)
{
	uint64_t i;

	for (i = 0; i < N; i++)
		gpt_map(root, gva_of(i), frames[i], bits);
}

static void expect_all(uint64_t base)
{
	uint64_t i;

	for (i = 0; i < N; i++)
		G_EQ(load(gva_of(i)), base + i);
}

static void run_guest(void *fn, enum backing backing)
{
	struct guest *g = guest_new(0);
	uint32_t slot;

	gpt_arena(g, backing, 0, &slot);
	run_done(guest_vcpu(g, fn, 0));
}

/* ---- one vCPU ---- */

static void g_invlpg_one(uint64_t unused)
{
	uint64_t root = two_sets(), i, j, r;

	map_all(root, frame, GPT_RW);
	write_cr3(root);
	expect_all(0x1000);
	for (r = 0; r < 4; r++) {
		for (i = 0; i < N; i++) {
			const uint64_t *to = r & 1 ? frame : other;

			gpt_map(root, gva_of(i), to[i], GPT_RW);
			flush_page(gva_of(i));
			for (j = i & ~15ul; j <= (i | 15); j++)
				G_EQ(load(gva_of(j)),
				     j + ((r & 1) ^ (j <= i) ? 0x2000 : 0x1000));
		}
	}
}

TEST(invlpg_of_one_address_keeps_the_others)
{
	run_guest(g_invlpg_one, MEM_SMALL);
}

static void g_not_present(uint64_t unused)
{
	uint64_t root = two_sets(), i, r, v;

	write_cr3(root);
	*gpt_entry(root, gva_of(0), 1) = 0;
	for (r = 0; r < 8; r++) {
		for (i = 0; i < N; i++) {
			G_EQ(peek(gva_of(i), &v), PF_VECTOR);
			G_EQ(this_cpu()->error, 0);
			G_EQ(this_cpu()->cr2, gva_of(i));
		}
		/* Every third one at a time, the others at once. */
		for (i = 0; i < N; i += 3) {
			gpt_map(root, gva_of(i), frame[i], GPT_RW);
			G_EQ(load(gva_of(i)), 0x1000 + i);
		}
		map_all(root, frame, GPT_RW);
		expect_all(0x1000);
		for (i = 0; i < N; i++)
			*gpt_entry(root, gva_of(i), 1) = 0;
		reload_cr3();
	}
}

TEST(present_needs_no_flush)
{
	run_guest(g_not_present, MEM_SMALL);
}

/* The same one level up: a table appears where there was none. */
static void g_table_appears(uint64_t unused)
{
	uint64_t root = two_sets(), pt = gpt_page(), top, i, v;
	volatile uint64_t *pde = gpt_entry(root, GPT_GVA, 2);

	for (i = 0; i < N; i++)
		*gpt_at(pt, gva_of(i), 1) = frame[i] | GPT_RW;
	write_cr3(root);
	for (i = 0; i < 16; i++) {
		G_EQ(peek(gva_of(i), &v), PF_VECTOR);
		*pde = pt | GPT_RW;
		G_EQ(load(gva_of(i)), 0x1000 + i);
		*pde = 0;
		reload_cr3();
	}
	*pde = pt | GPT_RW;
	top = *gpt_at(root, GPT_GVA, 4);
	for (i = 0; i < 16; i++) {
		*gpt_at(root, GPT_GVA, 4) = 0;
		reload_cr3();
		G_EQ(peek(gva_of(i), &v), PF_VECTOR);
		*gpt_at(root, GPT_GVA, 4) = top;
		G_EQ(load(gva_of(i)), 0x1000 + i);
	}
}

TEST(table_appears_without_flush)
{
	run_guest(g_table_appears, MEM_SMALL);
}

/* A fault may be spurious once; then the processor has looked again. */
static void write_after_widening(uint64_t gva, uint64_t value)
{
	if (poke(gva, value) != NO_TRAP)
		G_EQ(poke(gva, value), NO_TRAP);
	G_EQ(load(gva), value);
}

static void g_widen_write(uint64_t unused)
{
	uint64_t root = two_sets(), i, r;

	map_all(root, frame, PTE_P | PTE_U);
	write_cr3(root);
	for (r = 1; r <= 8; r++) {
		for (i = 0; i < N; i++) {
			G_EQ(poke(gva_of(i), 0), PF_VECTOR);
			G_EQ(this_cpu()->error, 3);
		}
		for (i = 0; i < N; i++)
			gpt_map(root, gva_of(i), frame[i], GPT_RW);
		for (i = 0; i < N; i++) {
			write_after_widening(gva_of(i), r << 32 | i);
			G_EQ(load(frame[i]), r << 32 | i);
		}
		map_all(root, frame, PTE_P | PTE_U);
		reload_cr3();
	}
	/* And one level up. */
	*gpt_entry(root, GPT_GVA, 2) &= ~PTE_W;
	map_all(root, frame, GPT_RW);
	reload_cr3();
	G_EQ(poke(gva_of(3), 1), PF_VECTOR);
	*gpt_entry(root, GPT_GVA, 2) |= PTE_W;
	write_after_widening(gva_of(3), 77);
}

TEST(write_allowed_without_flush)
{
	run_guest(g_widen_write, MEM_SMALL);
}

static void g_tighten(uint64_t unused)
{
	uint64_t root = two_sets(), i, v;

	map_all(root, frame, GPT_RW);
	write_cr3(root);
	for (i = 0; i < N; i++)
		store(gva_of(i), i);
	for (i = 0; i < N; i++) {
		gpt_map(root, gva_of(i), frame[i], PTE_P | PTE_U);
		flush_page(gva_of(i));
		G_EQ(poke(gva_of(i), 1), PF_VECTOR);
		G_EQ(this_cpu()->error, 3);
		G_EQ(load(gva_of(i)), i);
	}
	for (i = 0; i < N; i++)
		*gpt_entry(root, gva_of(i), 1) = 0;
	reload_cr3();
	for (i = 0; i < N; i++)
		G_EQ(peek(gva_of(i), &v), PF_VECTOR);
}

TEST(tightening_after_flush)
{
	run_guest(g_tighten, MEM_SMALL);
}

static void g_bulk(uint64_t unused)
{
	uint64_t root = two_sets(), pts[2] = { gpt_page(), gpt_page() }, i, r;
	volatile uint64_t *pde = gpt_entry(root, GPT_GVA, 2);

	write_cr3(root);
	for (r = 0; r < ROUNDS; r++) {
		map_all(root, r & 1 ? other : frame, GPT_RW);
		reload_cr3();
		expect_all(r & 1 ? 0x2000 : 0x1000);
	}
	for (i = 0; i < N; i++) {
		*gpt_at(pts[0], gva_of(i), 1) = frame[i] | GPT_RW;
		*gpt_at(pts[1], gva_of(i), 1) = other[i] | GPT_RW;
	}
	for (r = 0; r < ROUNDS; r++) {
		*pde = pts[r & 1] | GPT_RW;
		reload_cr3();
		expect_all(r & 1 ? 0x2000 : 0x1000);
	}
}

TEST(bulk_change_and_cr3)
{
	run_guest(g_bulk, MEM_SMALL);
}

static void g_inactive(uint64_t unused)
{
	uint64_t root = two_sets(), away = gpt_root(), r, i;

	map_all(root, frame, GPT_RW);
	for (r = 0; r < ROUNDS; r++) {
		write_cr3(root);
		expect_all(r & 1 ? 0x2000 : 0x1000);
		write_cr3(away);
		/* All, or one page of the space that nobody uses now. */
		map_all(root, r & 1 ? frame : other, GPT_RW);
		write_cr3(root);
		G_EQ(load(gva_of(r % N)), (r & 1 ? 0x1000 : 0x2000) + r % N);
		write_cr3(away);
		i = r * 7 % N;
		gpt_map(root, gva_of(i), other[i], GPT_RW);
		write_cr3(root);
		G_EQ(load(gva_of(i)), 0x2000 + i);
		write_cr3(away);
		gpt_map(root, gva_of(i), r & 1 ? frame[i] : other[i], GPT_RW);
	}
}

TEST(changed_while_inactive)
{
	run_guest(g_inactive, MEM_SMALL);
}

/* Address spaces that share tables below the root, as threads and forks do. */
static void g_shared_tables(uint64_t unused)
{
	uint64_t root = two_sets(), second = gpt_root(), r;

	map_all(root, frame, GPT_RW);
	*gpt_at(second, GPT_GVA, 4) = *gpt_at(root, GPT_GVA, 4);
	for (r = 0; r < ROUNDS; r++) {
		write_cr3(r & 1 ? second : root);
		expect_all(r & 1 ? 0x2000 : 0x1000);
		map_all(r & 2 ? second : root, r & 1 ? frame : other, GPT_RW);
	}
}

TEST(tables_shared_by_two_spaces)
{
	run_guest(g_shared_tables, MEM_SMALL);
}

/* Global translations may survive a CR3 write, never a toggle of CR4.PGE. */
static void g_global(uint64_t unused)
{
	uint64_t root = two_sets(), i, r, v;

	write_cr4(read_cr4() | X86_CR4_PGE);
	map_all(root, frame, GPT_RW | PTE_G);
	write_cr3(root);
	for (r = 0; r < 8; r++) {
		uint64_t old = r & 1 ? 0x2000 : 0x1000;

		expect_all(old);
		map_all(root, r & 1 ? frame : other, GPT_RW | PTE_G);
		reload_cr3();
		for (i = 0; i < N; i++) {
			v = load(gva_of(i));
			G_ASSERT(v == 0x1000 + i || v == 0x2000 + i);
		}
		if (r & 2) {
			for (i = 0; i < N; i++)
				flush_page(gva_of(i));
		} else {
			write_cr4(read_cr4() & ~X86_CR4_PGE);
			write_cr4(read_cr4() | X86_CR4_PGE);
		}
	}
}

TEST(pge_toggle_flushes_global)
{
	run_guest(g_global, MEM_SMALL);
}

/* ---- PCID ---- */

struct invpcid {
	uint64_t pcid, gva;
};

static void do_invpcid(uint64_t type, uint64_t pcid, uint64_t gva)
{
	struct invpcid d = { pcid, gva };

	asm volatile("invpcid %0, %1" : : "m"(d), "r"(type) : "memory");
}

#define NOFLUSH	(1ul << 63)

/* Returns false, and says so, where the processor has no PCID. */
static bool pcid_on(void)
{
	if (!has_cpuid(1, 2, 17)) {
		guest_sync(0, 0, 0);
		return false;
	}
	guest_sync(1, 0, 0);
	write_cr4(read_cr4() | CR4_PCIDE);
	return true;
}

static void old_or_new(uint64_t base)
{
	uint64_t i, v;

	for (i = 0; i < N; i++) {
		v = load(gva_of(i));
		G_ASSERT(v == base + i || v == 0x3000 - base + i);
	}
}

static void g_pcid(uint64_t unused)
{
	uint64_t a = two_sets(), b = gpt_root(), r;

	if (!pcid_on())
		return;
	for (r = 0; r < ROUNDS; r++) {
		uint64_t now = r & 1 ? 0x2000 : 0x1000;

		map_all(a, r & 1 ? other : frame, GPT_RW);
		map_all(b, r & 1 ? frame : other, GPT_RW);
		/* With a flush the new ones; without it either. */
		write_cr3(a | 1);
		expect_all(now);
		write_cr3(b | 2);
		expect_all(0x3000 - now);
		write_cr3(a | 1 | NOFLUSH);
		expect_all(now);		/* nothing changed since */
		map_all(b, r & 1 ? other : frame, GPT_RW);
		write_cr3(b | 2 | NOFLUSH);
		old_or_new(now);
		write_cr3(b | 2);
		expect_all(now);
	}
}

static void g_invpcid(uint64_t unused)
{
	uint64_t a = two_sets(), b = gpt_root(), i, type;

	if (!has_cpuid(7, 1, 10)) {
		guest_sync(0, 0, 0);
		return;
	}
	if (!pcid_on())
		return;
	for (type = 0; type < 4; type++) {
		map_all(a, frame, GPT_RW);
		write_cr3(b | 2);
		write_cr3(a | 1);
		expect_all(0x1000);
		/* Of the running one, then of one that is not running. */
		map_all(a, other, GPT_RW);
		for (i = 0; i < (type ? 1 : N); i++)
			do_invpcid(type, 1, gva_of(i));
		expect_all(0x2000);
		write_cr3(b | 2 | NOFLUSH);
		map_all(a, frame, GPT_RW);
		for (i = 0; i < (type ? 1 : N); i++)
			do_invpcid(type, 1, gva_of(i));
		write_cr3(a | 1 | NOFLUSH);
		expect_all(0x1000);
	}
	G_EQ(guest_try("invpcid %0, %1", G_OPERANDS(),
		       G_OPERANDS("m"((struct invpcid){ 1, 0 }), "r"(4ul))),
	     GP_VECTOR);
	G_EQ(guest_try("invpcid %0, %1", G_OPERANDS(),
		       G_OPERANDS("m"((struct invpcid){ 0x1000, 0 }), "r"(1ul))),
	     GP_VECTOR);
}

static bool pcid_guest(void *fn)
{
	struct guest *g = guest_new(0);
	struct vcpu *v;
	uint32_t slot;

	gpt_arena(g, MEM_SMALL, 0, &slot);
	v = guest_vcpu(g, fn, 0);
	if (!run_sync(v).a)
		return false;
	run_done(v);
	return true;
}

TEST(pcid)
{
	if (!pcid_guest(g_pcid)) {
		SKIP(return, "the virtual CPU has no PCID");
	}
}

TEST(invpcid_types)
{
	if (!pcid_guest(g_invpcid)) {
		SKIP(return, "the virtual CPU has no INVPCID");
	}
}

/* ---- one vCPU changes, another one uses ---- */

static volatile uint64_t turn, shared_root, stop, ready;

/*
 * The user: at odd turns look at what the other has made, at the end of its turn
 * count on. What it must see is in @expected, what it must flush in @to_flush.
 */
static volatile uint64_t expected, to_flush, to_write, at;

#define FLUSH_NONE	0
#define FLUSH_INVLPG	1
#define FLUSH_CR3	2
#define FAULTS		(~0ul)

static void g_user(uint64_t unused)
{
	uint64_t v, t;

	await(&ready, 1);
	write_cr3(shared_root);
	for (t = 1; ; t += 2) {
		await(&turn, t);
		if (stop)
			break;
		if (to_flush == FLUSH_INVLPG)
			flush_page(gva_of(at));
		if (to_flush == FLUSH_CR3)
			reload_cr3();
		if (expected == FAULTS) {
			G_EQ(peek(gva_of(at), &v), PF_VECTOR);
		} else if (to_write) {
			write_after_widening(gva_of(at), expected);
		} else {
			G_EQ(load(gva_of(at)), expected);
		}
		turn = t + 1;
	}
}

static void other_looks(uint64_t i, uint64_t expect, uint64_t flush, uint64_t write)
{
	uint64_t t = turn + 1;

	at = i;
	expected = expect;
	to_flush = flush;
	to_write = write;
	turn = t;
	await(&turn, t + 1);
}

static void g_changer(uint64_t unused)
{
	uint64_t root = two_sets(), r, i, s = 12345;

	*gpt_entry(root, GPT_GVA, 1) = 0;
	write_cr3(root);
	shared_root = root;
	ready = 1;
	for (r = 0; r < 150; r++) {
		i = rng(&s) % N;
		/* Nothing -> read-only -> writable -> another frame -> nothing. */
		gpt_map(root, gva_of(i), frame[i], PTE_P);
		other_looks(i, load(frame[i]), FLUSH_NONE, 0);
		gpt_map(root, gva_of(i), frame[i], GPT_RW);
		other_looks(i, r << 32 | i, FLUSH_NONE, 1);
		G_EQ(load(frame[i]), r << 32 | i);
		gpt_map(root, gva_of(i), other[i], GPT_RW);
		other_looks(i, 0x2000 + i, r & 1 ? FLUSH_INVLPG : FLUSH_CR3, 0);
		*gpt_entry(root, gva_of(i), 1) = 0;
		other_looks(i, FAULTS, r & 1 ? FLUSH_CR3 : FLUSH_INVLPG, 0);
	}
	stop = 1;
	turn++;
}

TEST(tables_written_by_another_vcpu)
{
	struct guest *g = guest_new(0);
	uint32_t slot;

	gpt_arena(g, MEM_SMALL, 0, &slot);
	vcpu_start(guest_vcpu(g, g_changer, 0));
	vcpu_start(guest_vcpu(g, g_user, 0));
	vcpu_join(&g->vcpu[0]);
	vcpu_join(&g->vcpu[1]);
}

/*
 * A frame is taken away from a vCPU that keeps writing to it: after the flush is
 * acknowledged no write may land in it any more.
 */
static volatile uint64_t take, taken;

static void g_writer(uint64_t unused)
{
	uint64_t n = 0, v, asked = 0;

	await(&ready, 1);
	write_cr3(shared_root);
	while (!stop) {
		poke(GPT_GVA, ++n);
		peek(GPT_GVA, &v);
		if (take != asked) {
			asked = take;
			flush_page(GPT_GVA);
			taken = asked;
		}
	}
}

static void g_taker(uint64_t unused)
{
	uint64_t root = two_sets(), r, i;
	volatile uint64_t *pte;

	gpt_map(root, GPT_GVA, frame[0], GPT_RW);
	pte = gpt_entry(root, GPT_GVA, 1);
	shared_root = root;
	ready = 1;
	for (r = 1; r <= 200; r++) {
		uint64_t old = frame[(r - 1) % N], new = frame[r % N];

		*pte = r & 1 ? 0 : new | GPT_RW;
		take = r;
		await(&taken, r);
		store(old, 0x5555);
		for (i = 0; i < 50; i++)
			G_EQ(load(old), 0x5555);
		*pte = new | GPT_RW;
	}
	stop = 1;
}

TEST(no_write_after_a_remote_flush)
{
	struct guest *g = guest_new(0);
	uint32_t slot;

	gpt_arena(g, MEM_SMALL, 0, &slot);
	vcpu_start(guest_vcpu(g, g_taker, 0));
	vcpu_start(guest_vcpu(g, g_writer, 0));
	vcpu_join(&g->vcpu[0]);
	vcpu_join(&g->vcpu[1]);
}

TEST_HARNESS_MAIN
