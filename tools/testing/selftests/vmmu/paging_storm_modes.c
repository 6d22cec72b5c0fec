// SPDX-License-Identifier: GPL-2.0-only
/*
 * The paging storm's trips: a vCPU leaves long mode, does some dozens of things
 * without paging, under PAE or under 2-level paging, and comes back. It reads and
 * writes its frames there and changes entries: those it is using, with the flushes
 * that they need, those of its other spaces, and those of its spaces in long mode,
 * which must all have been seen when it is back.
 *
 * What is done, and what each access must find, is decided before in long mode: a
 * list of struct op, which paging_storm_trip.S follows. An address space of 32 bits
 * lives for some trips; then its pages are another one's, in the other mode and in
 * other places of it, or go to the tables of long mode and their frames.
 *
 * An entry is one word of 32 bits here: memory ends far below 4 GiB, so the upper half
 * of a PAE or long-mode entry stays 0.
 */
#include "paging_storm_guest.h"

#define WINDOW		0xc0000000u	/* where a space shows its pages */
#define SPACES32	2
#define TABLES32	20		/* pages for them; more than they need */
#define STEPS		48		/* of a trip, at most */
#define OPS		(8 * STEPS)

enum { OP_END, OP_LOAD, OP_STORE, OP_INVLPG, OP_CR3, OP_CR4 };

#define NO_FAULT	(-1)

/* The list's layout is in paging_storm_trip.S. */
struct op {
	uint32_t kind, addr, value;	/* value: to write, or that must be read */
	uint32_t tries;			/* more than 1: a spurious fault is allowed */
	int32_t expected;		/* NO_FAULT or the error code of #PF */
	/* results */
	uint32_t got, error, cr2, faults;
};

struct idt {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct trip {
	uint32_t cr0, cr3, cr4, lme;	/* there; lme: EFER's bit */
	uint32_t long_cr0, long_cr3, long_cr4;
	uint64_t rsp;
	struct idt idt, long_idt;
	struct op op[OPS] __attribute__((aligned(64)));
};

static_assert(offsetof(struct trip, long_cr0) == 16, "paging_storm_trip.S");
static_assert(offsetof(struct trip, rsp) == 32, "paging_storm_trip.S");
static_assert(offsetof(struct trip, long_idt) == 50, "paging_storm_trip.S");
static_assert(offsetof(struct trip, op) == 64, "paging_storm_trip.S");
static_assert(offsetof(struct op, got) == 20, "paging_storm_trip.S");
static_assert(sizeof(struct op) == 36, "paging_storm_trip.S");

void trip_run(struct trip *trip);
extern const char trip_fault[];

enum group_kind { GROUP_NONE, GROUP_TABLE, GROUP_LARGE };

/* What one directory entry of the window says; the table is there in any case. */
struct group {
	uint32_t table;
	enum group_kind kind;
	bool writable;
};

struct space32 {
	bool pae;
	uint32_t cr3, pdpte[4], dir;	/* dir: where the window's entries are */
	uint32_t page[4 + GROUPS], nr_pages;
	struct group group[GROUPS];
	struct slot slot[SLOTS];	/* what the tables say */
};

struct trips {
	struct trip trip;
	unsigned int nr_ops;
	bool away;			/* the list is being written */
	bool wp;
	uint32_t cr4;			/* at this place of the list */
	uint64_t focus;			/* four slots in a row that much happens to */
	int changed;			/* a page of the long-mode space in use; -1: none */
	uint64_t free[TABLES32], nr_free;
	struct space32 space[SPACES32];
};

static struct trips trips[STORM_VCPUS];
static uint64_t idt32[PF_VECTOR + 1];

/* ---- the list ---- */

static struct op *add(struct trips *t, uint32_t kind, uint32_t addr, uint32_t value)
{
	struct op *op = &t->trip.op[t->nr_ops++];

	G_ASSERT(t->nr_ops < OPS);
	*op = (struct op) {
		.kind = kind, .addr = addr, .value = value, .tries = 1,
		.expected = NO_FAULT,
	};
	return op;
}

/* Write an entry: on the trip, or at once when there is none yet. */
static void put(struct trips *t, uint32_t addr, uint32_t value)
{
	if (t->away)
		add(t, OP_STORE, addr, value);
	else
		*(volatile uint32_t *)(uint64_t)addr = value;
}

/* What is used, changed, and used again shows more than what is met once. */
static uint64_t pick_slot(struct machine *m, struct trips *t)
{
	return pick(m, 8) ? t->focus + pick(m, 4) : pick(m, SLOTS);
}

/* ---- frames, in words of 32 bits ---- */

static uint32_t frame_word(struct machine *m, uint64_t frame, uint64_t word)
{
	uint64_t both = word < 2 ? frame_id(m->cpu, frame) : m->value[frame];

	return word & 1 ? both >> 32 : both;
}

static void set_frame_word(struct machine *m, uint64_t frame, uint64_t word, uint32_t value)
{
	int shift = word & 1 ? 32 : 0;

	m->value[frame] = (m->value[frame] & ~(0xffffffffull << shift)) |
			  (uint64_t)value << shift;
}

/* One to one: without paging, or by the large pages that every space has. */
static void look_frame(struct machine *m, struct trips *t)
{
	uint64_t frame = pick(m, ALL_FRAMES), word = pick(m, 4);
	uint32_t addr = m->frame[frame] + 4 * word, value;

	storm.accesses[m->cpu]++;
	add(t, OP_LOAD, addr, frame_word(m, frame, word));
	if (word < 2 || pick(m, 2))
		return;
	value = rng(&m->random);
	add(t, OP_STORE, addr, value);
	set_frame_word(m, frame, word, value);
}

/* ---- where things are ---- */

/* Half of the 2-level tables are used in their upper half. */
static uint32_t group_offset(const struct space32 *sp, uint64_t group)
{
	return !sp->pae && (group & 1) ? 2 * MB : 0;
}

static uint32_t large_size(const struct space32 *sp)
{
	return sp->pae ? 2 * MB : 4 * MB;
}

static uint32_t entry_size(const struct space32 *sp)
{
	return sp->pae ? 8 : 4;
}

static uint32_t slot_addr(const struct space32 *sp, uint64_t s)
{
	return WINDOW + (s >> 4) * large_size(sp) + group_offset(sp, s >> 4) +
	       (s & 15) * PAGE;
}

static uint32_t pte_addr(const struct space32 *sp, uint64_t s)
{
	return sp->group[s >> 4].table +
	       (group_offset(sp, s >> 4) / PAGE + (s & 15)) * entry_size(sp);
}

/* The vCPU's own 2M must be at the addresses where the group's pages are. */
static bool group_may_be_large(struct machine *m, const struct space32 *sp, uint64_t group)
{
	return (BIG(m->cpu) & (large_size(sp) - 1)) == group_offset(sp, group);
}

static uint32_t group_entry(struct machine *m, const struct space32 *sp, const struct group *g)
{
	uint32_t bits = PTE_P | PTE_U | (g->writable ? PTE_W : 0);

	if (g->kind == GROUP_NONE)
		return 0;
	if (g->kind == GROUP_TABLE)
		return g->table | bits;
	return (BIG(m->cpu) & ~(large_size(sp) - 1)) | bits | PTE_PS;
}

/* What the directory and the table say together. */
static struct slot slot_seen(const struct space32 *sp, uint64_t s)
{
	const struct group *g = &sp->group[s >> 4];
	struct slot slot = sp->slot[s];

	if (g->kind == GROUP_LARGE) {
		slot.frame = FRAMES + (s & 15);
		slot.writable = true;
	}
	slot.present = g->kind == GROUP_LARGE || (g->kind == GROUP_TABLE && slot.present);
	slot.writable &= g->writable;
	return slot;
}

/* ---- flushes ---- */

/* TCG sets these accessed bits, with which PDPTEs do not load. */
static void put_pdptes(struct trips *t, const struct space32 *sp)
{
	int i;

	for (i = 0; i < 4 && sp->pae; i++)
		if (sp->pdpte[i])
			put(t, sp->cr3 + 8 * i, sp->pdpte[i]);
}

static void reload(struct machine *m, struct trips *t, struct space32 *sp)
{
	put_pdptes(t, sp);
	if (pick(m, 2)) {
		add(t, OP_CR3, 0, sp->cr3);
	} else {
		t->cr4 ^= X86_CR4_PGE;
		add(t, OP_CR4, 0, t->cr4);
	}
	fresh(sp->slot);
}

static void flush_slot(struct trips *t, struct space32 *sp, uint64_t s)
{
	add(t, OP_INVLPG, slot_addr(sp, s), 0);
	sp->slot[s].stale = false;
}

static void owe_slot(struct machine *m, struct trips *t, struct space32 *sp, uint64_t s)
{
	switch (pick(m, 4)) {
	case 0:
		reload(m, t, sp);
		break;
	case 1:
		break;			/* later */
	default:
		flush_slot(t, sp, s);
	}
}

/* All of the group, or some of its pages, or later. */
static void owe_group(struct machine *m, struct trips *t, struct space32 *sp, uint64_t group)
{
	uint64_t i, kind = pick(m, 4);

	if (kind == 0)
		reload(m, t, sp);
	for (i = 0; i < 4 && kind > 1; i++)
		flush_slot(t, sp, group * 16 + pick_slot(m, t) % 16);
}

/* ---- changes; @used: the vCPU uses the space now ---- */

static void change_slot(struct machine *m, struct trips *t, struct space32 *sp, bool used)
{
	uint64_t s = pick_slot(m, t);
	bool less = slot_becomes(&sp->slot[s], slot_change(m, sp->slot[s]));

	put(t, pte_addr(sp, s), slot_entry(m, &sp->slot[s]));
	sp->slot[s].stale |= less;
	if (less && used)
		owe_slot(m, t, sp, s);
}

static struct group other_group(struct machine *m, const struct space32 *sp, uint64_t group)
{
	struct group g = sp->group[group];

	if (g.kind == GROUP_TABLE && pick(m, 2)) {
		g.writable = !g.writable;
		return g;
	}
	g.writable = pick(m, 4);
	g.kind = pick(m, 4);
	if (g.kind > GROUP_LARGE || (g.kind == GROUP_LARGE && !group_may_be_large(m, sp, group)))
		g.kind = GROUP_TABLE;
	return g;
}

/* The processor may hold a directory entry even where the table had nothing. */
static void change_group(struct machine *m, struct trips *t, struct space32 *sp, bool used)
{
	uint64_t group = pick_slot(m, t) >> 4, s;
	struct group *g = &sp->group[group], old = *g;
	bool was = old.kind != GROUP_NONE, less;

	*g = other_group(m, sp, group);
	less = was && (g->kind != old.kind || (old.writable && !g->writable));
	put(t, sp->dir + group * entry_size(sp), group_entry(m, sp, g));
	for (s = group * 16; s < group * 16 + 16; s++) {
		sp->slot[s].stale |= less;
		sp->slot[s].widened |= was && !less;
	}
	if (less && used)
		owe_group(m, t, sp, group);
}

static void change(struct machine *m, struct trips *t, struct space32 *sp, bool used)
{
	if (pick(m, 4))
		change_slot(m, t, sp, used);
	else
		change_group(m, t, sp, used);
}

/* A page of a space in long mode: a CR3 load comes before it is used. */
static void change_long(struct machine *m, struct trips *t)
{
	struct space *sp = pick(m, 2) ? m->now : &m->space[pick(m, SPACES)];
	uint64_t s = pick(m, SLOTS);

	if (!sp->pt[s >> 4])
		return;
	if (sp == m->now)
		t->changed = s;
	sp->slot[s].stale |= slot_becomes(&sp->slot[s], slot_change(m, sp->slot[s]));
	put(t, (uint64_t)pte_of(sp, s), slot_entry(m, &sp->slot[s]));
}

/* ---- looking ---- */

static void look_absent(struct machine *m, struct trips *t, uint32_t addr)
{
	bool write = pick(m, 2);

	add(t, write ? OP_STORE : OP_LOAD, addr, 0)->expected = write ? 2 : 0;
	storm.faults[m->cpu]++;
}

static void write_slot(struct machine *m, struct trips *t, struct slot *s, uint32_t addr,
		       uint64_t word)
{
	uint32_t value = rng(&m->random);
	struct op *op = add(t, OP_STORE, addr, value);

	if (!s->writable && t->wp) {
		op->expected = 3;
		storm.faults[m->cpu]++;
		return;
	}
	/* Where more is allowed than before, the first try may fail. */
	op->tries = s->widened ? 2 : 1;
	set_frame_word(m, s->frame, word, value);
}

static void look_slot(struct machine *m, struct trips *t, struct space32 *sp)
{
	uint64_t i = pick_slot(m, t), word = pick(m, 4);
	uint32_t addr = slot_addr(sp, i) + 4 * word;
	struct slot s = slot_seen(sp, i);

	if (s.stale)
		return;
	storm.accesses[m->cpu]++;
	if (!s.present) {
		look_absent(m, t, addr);
		return;
	}
	add(t, OP_LOAD, addr, frame_word(m, s.frame, word));
	if (word < 2 || pick(m, 2))
		return;
	write_slot(m, t, &s, addr, word);
	sp->slot[i].widened = false;
	add(t, OP_LOAD, addr, frame_word(m, s.frame, word));
	add(t, OP_LOAD, m->frame[s.frame] + 4 * word, frame_word(m, s.frame, word));
}

/* ---- address spaces ---- */

static uint32_t take_table(struct machine *m, struct trips *t, struct space32 *sp)
{
	uint64_t i = pick(m, t->nr_free), page = t->free[i];

	t->free[i] = t->free[--t->nr_free];
	sp->page[sp->nr_pages++] = page;
	clear_page(page);
	return page;
}

/* Its pages are free, and some of them long mode's from now on. */
static void drop_space(struct machine *m, struct trips *t, struct space32 *sp)
{
	uint64_t i;

	while (sp->nr_pages) {
		uint64_t page = sp->page[--sp->nr_pages];

		spoil_page(page);
		t->free[t->nr_free++] = page;
	}
	for (i = pick(m, 4); i; i--) {
		uint64_t *one = &t->free[pick(m, t->nr_free)];

		give_page(m, *one);
		*one = take_page(m);
	}
}

/* @n large pages one to one, from @addr on. */
static void put_identity(struct trips *t, const struct space32 *sp, uint32_t dir, uint32_t addr)
{
	uint32_t i, size = large_size(sp);

	for (i = 0; i < STORM_SIZE / size; i++)
		put(t, dir + i * entry_size(sp), (addr + i * size) | GPT_RW | PTE_PS);
}

static_assert(STORM_SIZE >= GUEST_RAM, "all of the image is mapped");

static void build_pae(struct machine *m, struct trips *t, struct space32 *sp)
{
	uint32_t low = take_table(m, t, sp), arena = take_table(m, t, sp);

	sp->dir = take_table(m, t, sp);
	sp->cr3 = take_table(m, t, sp) + 32 * pick(m, PAGE / 32);
	sp->pdpte[0] = low | PTE_P;
	sp->pdpte[GPT_ARENA / GB] = arena | PTE_P;
	sp->pdpte[WINDOW / GB] = sp->dir | PTE_P;
	put_identity(t, sp, low, 0);
	put_identity(t, sp, arena, GPT_ARENA);
}

static void build_2level(struct machine *m, struct trips *t, struct space32 *sp)
{
	sp->cr3 = take_table(m, t, sp);
	sp->dir = sp->cr3 + (WINDOW >> 22) * 4;
	put_identity(t, sp, sp->cr3, 0);
	put_identity(t, sp, sp->cr3 + (GPT_ARENA >> 22) * 4, GPT_ARENA);
}

static void build_space(struct machine *m, struct trips *t, struct space32 *sp)
{
	uint64_t i;

	drop_space(m, t, sp);
	*sp = (struct space32) { .pae = pick(m, 2) };
	if (sp->pae)
		build_pae(m, t, sp);
	else
		build_2level(m, t, sp);
	for (i = 0; i < GROUPS; i++)
		sp->group[i].table = take_table(m, t, sp);
	for (i = 0; i < SLOTS; i += 4) {
		t->focus = i;
		change_group(m, t, sp, false);
		change_slot(m, t, sp, false);
		change_slot(m, t, sp, false);
	}
}

/* ---- a trip ---- */

/* @sp: the space to use, NULL for no paging. */
static void depart(struct machine *m, struct trips *t, struct space32 *sp)
{
	struct trip *trip = &t->trip;

	t->wp = pick(m, 2);
	trip->long_cr0 = read_cr0();
	trip->long_cr3 = m->now->root;
	trip->long_cr4 = read_cr4();
	trip->cr0 = trip->long_cr0 & ~(X86_CR0_PG | X86_CR0_WP);
	trip->cr0 |= (sp ? X86_CR0_PG : 0) | (t->wp ? X86_CR0_WP : 0);
	trip->cr3 = sp ? sp->cr3 : 0;
	trip->cr4 = trip->long_cr4 & ~(X86_CR4_PAE | X86_CR4_PSE | X86_CR4_PGE);
	if (sp ? sp->pae : pick(m, 2))
		trip->cr4 |= X86_CR4_PAE;
	if ((sp && !sp->pae) || pick(m, 2))
		trip->cr4 |= X86_CR4_PSE;
	trip->lme = !sp && pick(m, 2) ? EFER_LME : 0;
	asm volatile("sidt %0" : "=m"(trip->long_idt));
	t->cr4 = trip->cr4;
	t->nr_ops = 0;
	t->changed = -1;
	if (pick(m, 2))
		t->focus = pick(m, SLOTS / 4) * 4;
	if (sp) {
		put_pdptes(t, sp);
		fresh(sp->slot);
	}
	t->away = true;
}

static void plan(struct machine *m, struct trips *t, struct space32 *sp)
{
	struct space32 *any = &t->space[pick(m, SPACES32)];
	uint64_t what = pick(m, 10);

	if (what < 4 && sp)
		look_slot(m, t, sp);
	else if (what < 6)
		look_frame(m, t);
	else if (what < 8 && sp)
		change(m, t, sp, true);
	else if (what < 9)
		change(m, t, any, any == sp);
	else
		change_long(m, t);
}

static const char * const complaint[3][2] = {
	{ "unpaged: address; word found, expected", "unpaged: address; faults, error << 32 | CR2" },
	{ "PAE: address; word found, expected", "PAE: address; faults, error << 32 | CR2" },
	{ "2-level: address; word found, expected", "2-level: address; faults, error << 32 | CR2" },
};

static void check_op(struct machine *m, const struct op *op, int mode)
{
	bool fault = op->expected != NO_FAULT;
	uint64_t place = (uint64_t)op->addr << 32 | op->faults;

	if (fault && (op->faults != 1 || op->error != op->expected || op->cr2 != op->addr))
		G_FAIL(complaint[mode][1], place, (uint64_t)op->error << 32 | op->cr2);
	if (!fault && op->faults >= op->tries)
		G_FAIL(complaint[mode][1], place, (uint64_t)op->error << 32 | op->cr2);
	if (!fault && op->kind == OP_LOAD && op->got != op->value)
		G_FAIL(complaint[mode][0], op->addr, (uint64_t)op->got << 32 | op->value);
	if (!fault && op->faults)
		storm.spurious[m->cpu]++;
}

void go_on_trip(struct machine *m)
{
	struct trips *t = &trips[m->cpu];
	struct space32 *sp = pick(m, 3) ? &t->space[pick(m, SPACES32)] : NULL;
	uint64_t i, steps = 1 + pick(m, STEPS);

	if (pick(m, 8) == 0)
		build_space(m, t, &t->space[pick(m, SPACES32)]);
	depart(m, t, sp);
	for (i = 0; i < steps; i++)
		plan(m, t, sp);
	add(t, OP_END, 0, 0);
	trip_run(&t->trip);
	t->away = false;
	fresh(m->now->slot);
	for (i = 0; t->trip.op[i].kind; i++)
		check_op(m, &t->trip.op[i], !sp ? 0 : sp->pae ? 1 : 2);
	if (t->changed >= 0)
		look_at(m, t->changed);
	storm.trips[m->cpu]++;
}

void build_trips(struct machine *m)
{
	struct trips *t = &trips[m->cpu];
	uint64_t i;

	/* Each vCPU writes the same. */
	idt32[PF_VECTOR] = int_gate32(trip_fault);
	t->trip.idt = (struct idt) { sizeof(idt32) - 1, (uint64_t)idt32 };
	for (i = 0; i < TABLES32; i++)
		t->free[t->nr_free++] = take_page(m);
	for (i = 0; i < SPACES32; i++)
		build_space(m, t, &t->space[i]);
}
