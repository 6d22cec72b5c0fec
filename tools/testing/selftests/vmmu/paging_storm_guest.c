// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest of the paging storm. Each vCPU has some address spaces of its own,
 * changes them at random, switches between them, and knows at each moment what
 * each page must show. Beside them all spaces of all vCPUs share one region,
 * which any vCPU changes under a lock, with flushes on the others. At times it
 * leaves long mode for a while (paging_storm_modes.c).
 *
 * A change needs a flush as the architecture says: none when a page appears, at
 * most one spurious fault when more is allowed, INVLPG or CR3 when something is
 * taken away. A flush that is still owed makes the page "stale": nobody looks at
 * it until the next CR3 write.
 */
#include "paging_storm_guest.h"

#define SHARED	32
#define SHARED_GVA	(6ul << 39)
#define SPARE_GVA	(7ul << 39)

struct storm storm;
static struct machine machine[STORM_VCPUS];

static uint64_t shared_pdpt;
static struct slot shared_slot[SHARED];
static uint64_t shared_value[SHARED];
static volatile uint32_t shared_lock;
static volatile uint64_t ready, flush_asked[STORM_VCPUS];

/* ---- pages ---- */

uint64_t take_page(struct machine *m)
{
	uint64_t i = pick(m, m->nr_free), page = m->free[i];

	m->free[i] = m->free[--m->nr_free];
	return page;
}

void give_page(struct machine *m, uint64_t page)
{
	spoil_page(page);
	m->free[m->nr_free++] = page;
}

static uint64_t take_table(struct machine *m)
{
	uint64_t page = take_page(m);

	clear_page(page);
	return page;
}

/* ---- where things are ---- */

static uint64_t slot_gva(uint64_t s)
{
	return GPT_GVA + (s & 15) * PAGE + (s >> 4 & 1) * 2 * MB + (s >> 5) * GB;
}

static uint64_t group_gva(uint64_t group)
{
	return slot_gva(group * 16);
}

static volatile uint64_t *pde_of(struct space *sp, uint64_t group)
{
	return gpt_entry(sp->root, group_gva(group), 2);
}

uint64_t slot_entry(struct machine *m, const struct slot *s)
{
	if (!s->present)
		return 0;
	return m->frame[s->frame] | PTE_P | PTE_U | (s->writable ? PTE_W : 0);
}

volatile uint64_t *pte_of(struct space *sp, uint64_t s)
{
	return (volatile uint64_t *)sp->pt[s >> 4] + (s & 15);
}

/* ---- flushes ---- */

void fresh(struct slot slot[SLOTS])
{
	int i;

	for (i = 0; i < SLOTS; i++) {
		slot[i].stale = false;
		slot[i].widened = false;
	}
}

static void enter(struct machine *m, struct space *sp)
{
	m->now = sp;
	write_cr3(sp->root);
	fresh(sp->slot);
}

/* Somebody has changed the shared region. */
static void serve(struct machine *m)
{
	if (!flush_asked[m->cpu])
		return;
	enter(m, m->now);
	flush_asked[m->cpu] = 0;
}

/* The page at @s of @sp is no longer what it was. */
static void owe(struct machine *m, struct space *sp, uint64_t s)
{
	sp->slot[s].stale = true;
	if (sp != m->now)
		return;			/* CR3 comes before it is used */
	switch (pick(m, 4)) {
	case 0:
		enter(m, sp);
		break;
	case 1:
		break;			/* later */
	default:
		flush_page(slot_gva(s));
		sp->slot[s].stale = false;
	}
}

static void owe_group(struct machine *m, struct space *sp, uint64_t group)
{
	uint64_t i;

	for (i = 0; i < 16; i++)
		sp->slot[group * 16 + i].stale = true;
	if (sp == m->now && pick(m, 4))
		enter(m, sp);
}

/* ---- changes of a space ---- */

/* A page table for the group, with the same translations as before. */
static void split(struct machine *m, struct space *sp, uint64_t group)
{
	uint64_t table, i;

	if (sp->pt[group])
		return;
	table = take_table(m);
	for (i = 0; i < 16; i++)
		((volatile uint64_t *)table)[i] =
			slot_entry(m, &sp->slot[group * 16 + i]);
	sp->pt[group] = table;
	*pde_of(sp, group) = table | GPT_RW;
	if (sp->large[group]) {
		sp->large[group] = false;
		for (i = 0; i < 16; i++)
			sp->slot[group * 16 + i].stale = true;
		if (sp == m->now)
			enter(m, sp);
	}
}

bool slot_becomes(struct slot *slot, struct slot new)
{
	bool was = slot->present;
	bool less = was && (!new.present || new.frame != slot->frame ||
			    (slot->writable && !new.writable));

	new.stale = slot->stale;
	new.widened = slot->widened || (was && !less);
	*slot = new;
	return less;
}

static void set_slot(struct machine *m, struct space *sp, uint64_t s, struct slot new)
{
	bool less;

	split(m, sp, s >> 4);
	less = slot_becomes(&sp->slot[s], new);
	*pte_of(sp, s) = slot_entry(m, &sp->slot[s]);
	if (less)
		owe(m, sp, s);
}

struct slot slot_change(struct machine *m, struct slot s)
{
	switch (pick(m, 4)) {
	case 0:
		s.present = false;
		break;
	case 1:
		s.writable = !s.writable;
		break;
	default:
		s.present = true;
		s.frame = pick(m, ALL_FRAMES);
		s.writable = pick(m, 3);
	}
	return s;
}

static void change_slot(struct machine *m, struct space *sp)
{
	uint64_t s = pick(m, SLOTS);

	set_slot(m, sp, s, slot_change(m, sp->slot[s]));
}

/* A whole table at once: gone, or moved to another page, or a large page. */
static void change_group(struct machine *m, struct space *sp)
{
	uint64_t group = pick(m, GROUPS), old = sp->pt[group], i, kind = pick(m, 3);

	if (kind == 0) {
		*pde_of(sp, group) = 0;
	} else if (kind == 1) {
		*pde_of(sp, group) = BIG(m->cpu) | GPT_RW | PTE_PS;
	} else {
		split(m, sp, group);
		sp->pt[group] = 0;
		old = *pde_of(sp, group) & PTE_ADDR;
		sp->pt[group] = take_table(m);
		for (i = 0; i < 512; i++)
			((volatile uint64_t *)sp->pt[group])[i] =
				((volatile uint64_t *)old)[i];
		*pde_of(sp, group) = sp->pt[group] | GPT_RW;
	}
	if (kind < 2) {
		sp->pt[group] = 0;
		sp->large[group] = kind == 1;
		for (i = 0; i < 16; i++)
			sp->slot[group * 16 + i] = (struct slot) {
				.present = kind == 1, .writable = true,
				.frame = FRAMES + i,
				.stale = sp->slot[group * 16 + i].stale,
			};
	}
	owe_group(m, sp, group);
	if (!old)
		return;
	/* The processor may look into it, and set bits, until it is flushed. */
	if (sp == m->now)
		enter(m, sp);
	give_page(m, old);
}

/* Copy a space; both may only read from now on, as after fork(). */
static void fork_space(struct machine *m)
{
	struct space *from = m->now, *to = &m->space[pick(m, SPACES)];
	uint64_t s;

	if (to == from)
		return;
	for (s = 0; s < SLOTS; s++) {
		struct slot new = from->slot[s];

		new.writable = false;
		set_slot(m, to, s, new);
		set_slot(m, from, s, new);
	}
	enter(m, from);
}

/* ---- looking ---- */

static uint64_t read_word(uint64_t gva)
{
	uint64_t v;

	G_EQ(peek(gva, &v), NO_TRAP);
	return v;
}

static void look_absent(struct machine *m, uint64_t gva)
{
	uint64_t v;

	G_EQ(pick(m, 2) ? peek(gva, &v) : poke(gva, 0), PF_VECTOR);
	G_EQ(this_cpu()->error & ~2ul, 0);
	G_EQ(this_cpu()->cr2, gva);
	storm.faults[m->cpu]++;
}

/* One spurious fault is allowed where more is allowed now than before. */
static bool write_word(struct machine *m, uint64_t gva, uint64_t value,
		       struct slot *s)
{
	uint64_t vector = poke(gva, value);
	bool allowed = s->writable || !m->wp;

	if (vector != NO_TRAP && allowed && s->widened) {
		G_EQ(vector, PF_VECTOR);
		storm.spurious[m->cpu]++;
		vector = poke(gva, value);
	}
	s->widened = false;
	if (!allowed) {
		G_EQ(vector, PF_VECTOR);
		G_EQ(this_cpu()->error, 3);
		storm.faults[m->cpu]++;
		return false;
	}
	G_EQ(vector, NO_TRAP);
	return true;
}

void look_at(struct machine *m, uint64_t i)
{
	struct slot *s = &m->now->slot[i];
	uint64_t gva = slot_gva(i), value;

	if (s->stale)
		return;
	storm.accesses[m->cpu]++;
	if (!s->present) {
		look_absent(m, gva);
		return;
	}
	G_EQ(read_word(gva), frame_id(m->cpu, s->frame));
	G_EQ(read_word(gva + 8), m->value[s->frame]);
	if (pick(m, 2))
		return;
	value = rng(&m->random);
	if (write_word(m, gva + 8, value, s))
		m->value[s->frame] = value;
	G_EQ(read_word(gva + 8), m->value[s->frame]);
	/* And by the identity mapping. */
	G_EQ(load(m->frame[s->frame] + 8), m->value[s->frame]);
}

/* Spare pages may be emptied by the host: nothing, or what was written. */
static void look_spare(struct machine *m)
{
	uint64_t i = pick(m, SPARE_PAGES), gva = SPARE_GVA + i * PAGE + 8 * m->cpu, v;

	v = load(gva);
	G_ASSERT(!v || v == (i << 8 | m->cpu | 0x770000));
	store(gva, i << 8 | m->cpu | 0x770000);
}

/* ---- the shared region ---- */

static void lock(struct machine *m)
{
	while (__atomic_exchange_n(&shared_lock, 1, __ATOMIC_ACQUIRE)) {
		serve(m);
		cpu_pause();
	}
}

static void unlock(void)
{
	__atomic_store_n(&shared_lock, 0, __ATOMIC_RELEASE);
}

static void flush_everywhere(struct machine *m)
{
	uint64_t i;

	enter(m, m->now);
	for (i = 0; i < storm.nr_cpus; i++)
		if (i != m->cpu && !READ(storm.done[i]))
			flush_asked[i] = 1;
	for (i = 0; i < storm.nr_cpus; i++)
		while (flush_asked[i] && !READ(storm.done[i]))
			cpu_pause();
}

static volatile uint64_t *shared_pte(uint64_t i)
{
	return (volatile uint64_t *)(SHARED_TABLES + 2 * PAGE) + i;
}

static void change_shared(struct machine *m, uint64_t i)
{
	struct slot *s = &shared_slot[i];

	if (s->present && pick(m, 2)) {
		s->present = false;
		*shared_pte(i) = 0;
		flush_everywhere(m);
		return;
	}
	if (s->present && s->writable) {
		s->writable = false;
		*shared_pte(i) &= ~PTE_W;
		flush_everywhere(m);
		return;
	}
	s->widened |= s->present;
	s->present = true;
	s->writable = pick(m, 4);
	*shared_pte(i) = (SHARED_FRAMES + i * PAGE) | PTE_P | PTE_U |
			 (s->writable ? PTE_W : 0);
}

static void look_shared(struct machine *m)
{
	uint64_t i = pick(m, SHARED), gva = SHARED_GVA + i * PAGE, value;
	struct slot *s = &shared_slot[i], mine;

	lock(m);
	if (pick(m, 8) == 0)
		change_shared(m, i);
	mine = *s;
	/* What one vCPU has seen says nothing of the others. */
	mine.widened = true;
	storm.accesses[m->cpu]++;
	if (!s->present) {
		look_absent(m, gva);
	} else {
		G_EQ(read_word(gva), frame_id(9, i));
		G_EQ(read_word(gva + 8), shared_value[i]);
		value = rng(&m->random);
		if (write_word(m, gva + 8, value, &mine))
			shared_value[i] = value;
		G_EQ(load(SHARED_FRAMES + i * PAGE + 8), shared_value[i]);
	}
	unlock();
}

/* ---- the machine ---- */

static void toggle(struct machine *m)
{
	if (pick(m, 2)) {
		m->wp = !m->wp;
		write_cr0(m->wp ? read_cr0() | X86_CR0_WP : read_cr0() & ~X86_CR0_WP);
	} else {
		write_cr4(read_cr4() ^ X86_CR4_PGE);
		fresh(m->now->slot);
	}
}

static void step(struct machine *m)
{
	struct space *any = &m->space[pick(m, SPACES)];
	uint64_t what = pick(m, 1000);

	serve(m);
	if (what < 535)
		look_at(m, pick(m, SLOTS));
	else if (what < 550)
		go_on_trip(m);
	else if (what < 650)
		look_shared(m);
	else if (what < 680)
		look_spare(m);
	else if (what < 850)
		change_slot(m, m->now);
	else if (what < 910)
		change_slot(m, any);
	else if (what < 980)
		enter(m, any);
	else if (what < 993)
		change_group(m, any);
	else if (what < 997)
		toggle(m);
	else
		fork_space(m);
}

static void build_shared(void)
{
	uint64_t i;

	shared_pdpt = SHARED_TABLES;
	*(volatile uint64_t *)SHARED_TABLES = (SHARED_TABLES + PAGE) | GPT_RW;
	*(volatile uint64_t *)(SHARED_TABLES + PAGE) = (SHARED_TABLES + 2 * PAGE) | GPT_RW;
	for (i = 0; i < SHARED; i++)
		store(SHARED_FRAMES + i * PAGE, frame_id(9, i));
	*(volatile uint64_t *)(SHARED_TABLES + 3 * PAGE) = (SHARED_TABLES + 4 * PAGE) | GPT_RW;
	*(volatile uint64_t *)(SHARED_TABLES + 4 * PAGE) = (SHARED_TABLES + 5 * PAGE) | GPT_RW;
	for (i = 0; i < SPARE_PAGES; i++)
		((volatile uint64_t *)(SHARED_TABLES + 5 * PAGE))[i] =
			(SPARE + i * PAGE) | GPT_RW;
}

static void build_space(struct machine *m, struct space *sp)
{
	volatile uint64_t *root;
	uint64_t i, pdpt = take_table(m);

	sp->root = take_table(m);
	root = (uint64_t *)sp->root;
	root[0] = *(volatile uint64_t *)(read_cr3() & PTE_ADDR);
	root[SHARED_GVA >> 39] = SHARED_TABLES | GPT_RW;
	root[SPARE_GVA >> 39] = (SHARED_TABLES + 3 * PAGE) | GPT_RW;
	root[GPT_INDEX] = pdpt | GPT_RW;
	for (i = 0; i < 2; i++)
		((volatile uint64_t *)pdpt)[i] = take_table(m) | GPT_RW;
}

static void build(struct machine *m, uint64_t cpu)
{
	uint64_t i;

	m->cpu = cpu;
	m->random = storm.seed * (2 * cpu + 3) | 1;
	m->wp = true;
	for (i = 0; i < POOL_PAGES; i++)
		m->free[m->nr_free++] = POOL(cpu) + i * PAGE;
	for (i = 0; i < ALL_FRAMES; i++) {
		m->frame[i] = i < FRAMES ? take_page(m) : BIG(cpu) + (i - FRAMES) * PAGE;
		store(m->frame[i], frame_id(cpu, i));
		store(m->frame[i] + 8, 0);
	}
	for (i = 0; i < SPACES; i++)
		build_space(m, &m->space[i]);
	build_trips(m);
}

void g_storm(uint64_t cpu)
{
	struct machine *m = &machine[cpu];
	uint64_t i;

	if (cpu == 0) {
		build_shared();
		ready = 1;
	}
	await(&ready, 1);
	build(m, cpu);
	enter(m, &m->space[0]);
	/* One at least, however slow the host is. */
	go_on_trip(m);
	for (i = 0; i < storm.rounds && !READ(storm.stop); i++)
		step(m);
	WRITE(storm.done[cpu], i + 1);
}
