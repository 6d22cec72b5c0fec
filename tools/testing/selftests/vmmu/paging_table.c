// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest page tables in unusual places and roles: a table that becomes data and
 * data that become a table, one page at several levels at once, a table that
 * maps itself, in read-only memory, where there is no memory, beyond memory; a
 * large page that is split; accessed and dirty bits that another vCPU's writes
 * must not lose; what the dirty log says about all that.
 */
#include <kselftest_harness.h>
#include <signal.h>
#include <sys/time.h>

#include "gpt.h"

static struct guest *arena_guest(enum backing backing)
{
	struct guest *g = guest_new(0);
	uint32_t slot;

	gpt_arena(g, backing, 0, &slot);
	return g;
}

static void run_guest(void *fn, enum backing backing)
{
	run_done(guest_vcpu(arena_guest(backing), fn, 0));
}

/* ---- roles ---- */

#define WINDOW	(GPT_GVA + GB)		/* where tables are seen as data */

static void g_table_becomes_data(uint64_t unused)
{
	uint64_t root = gpt_root(), a = gpt_data(0xa), b = gpt_data(0xb);
	uint64_t pt[2] = { gpt_page(), gpt_page() }, i, r;
	volatile uint64_t *pde = gpt_entry(root, GPT_GVA, 2);

	write_cr3(root);
	for (r = 0; r < 20; r++) {
		uint64_t old = pt[r & 1], new = pt[~r & 1];

		for (i = 0; i < 512; i++) {
			*gpt_at(old, i << 12, 1) = a | GPT_RW;
			*gpt_at(new, i << 12, 1) = b | GPT_RW;
		}
		*pde = old | GPT_RW;
		reload_cr3();
		for (i = 0; i < 512; i += 37)
			G_EQ(load(GPT_GVA + i * PAGE), 0xa);
		/* Out of use, into use as data; translations may be old yet. */
		*pde = new | GPT_RW;
		gpt_map(root, WINDOW, old, GPT_RW);
		flush_page(WINDOW);
		for (i = 0; i < 512; i++)
			store(WINDOW + 8 * i, r << 32 | i);
		reload_cr3();
		for (i = 0; i < 512; i++) {
			G_EQ(load(WINDOW + 8 * i), r << 32 | i);
			G_EQ(load(old + 8 * i), r << 32 | i);
			G_EQ(load(GPT_GVA + i * PAGE), 0xb);
		}
	}
}

TEST(table_becomes_data)
{
	run_guest(g_table_becomes_data, MEM_SMALL);
}

static void g_data_becomes_table(uint64_t unused)
{
	uint64_t root = gpt_root(), page = gpt_page(), data[8], i, r, v;
	volatile uint64_t *pde = gpt_entry(root, GPT_GVA, 2);

	for (i = 0; i < 8; i++)
		data[i] = gpt_data(0x100 + i);
	write_cr3(root);
	gpt_map(root, WINDOW, page, GPT_RW);
	for (r = 0; r < 20; r++) {
		for (i = 0; i < 512; i++)
			store(WINDOW + 8 * i, (i + r) % 9 == 8 ? 0 :
			      data[(i + r) % 9] | GPT_RW);
		*pde = page | GPT_RW;
		for (i = 0; i < 512; i += 5) {
			if ((i + r) % 9 == 8)
				G_EQ(peek(GPT_GVA + i * PAGE, &v), PF_VECTOR);
			else
				G_EQ(load(GPT_GVA + i * PAGE), 0x100 + (i + r) % 9);
		}
		/* Seen as data the entries are as written, and accessed. */
		for (i = 0; i < 512; i += 5) {
			uint64_t e = load(WINDOW + 8 * i);

			G_EQ(!!(e & PTE_P), (i + r) % 9 != 8);
			G_EQ(!!(e & PTE_A), (i + r) % 9 != 8);
			G_ASSERT(!(e & PTE_D));
		}
		*pde = 0;
		reload_cr3();
	}
}

TEST(data_becomes_table)
{
	run_guest(g_data_becomes_table, MEM_SMALL);
}

/* The root's own slot: tables of every level are data at fixed addresses. */
static void g_recursive(uint64_t unused)
{
	const uint64_t s = 300, top = 0xffff000000000000ul;
	const uint64_t pts = top | s << 39, pml4 = pts | s << 30 | s << 21 | s << 12;
	uint64_t root = gpt_root(), frames[4], i, v;

	for (i = 0; i < 4; i++)
		frames[i] = gpt_data(0x40 + i);
	gpt_map(root, GPT_GVA, frames[0], GPT_RW);
	*gpt_at(root, s << 39, 4) = root | PTE_P | PTE_W;
	write_cr3(root);
	G_EQ(load(GPT_GVA), 0x40);
	G_EQ(load(pml4 + 8 * s) & PTE_ADDR, root);
	G_EQ(load(pml4 + 8 * GPT_INDEX), *gpt_at(root, GPT_GVA, 4));
	/* Through its own mapping: the page table's entries. */
	for (i = 1; i < 200; i++) {
		uint64_t gva = GPT_GVA + (i % 5) * PAGE;
		uint64_t pte = pts + (gva >> 12 << 3);

		store(pte, frames[i & 3] | GPT_RW);
		flush_page(gva);
		G_EQ(load(gva), 0x40 + (i & 3));
		store(gva + 8, i);
		G_EQ(load(frames[i & 3] + 8), i);
		G_ASSERT(load(pte) & PTE_D);
	}
	/* A table made and linked through the window, and taken away. */
	for (i = 0; i < 20; i++) {
		uint64_t gva = GPT_GVA + 3 * GB, t = gpt_page();
		uint64_t pde = (pts | s << 30) + (gva >> 21 << 3);

		*gpt_at(t, gva, 1) = frames[i & 3] | GPT_RW;
		*gpt_entry(root, gva, 2) = 0;
		store(pde, t | GPT_RW);
		G_EQ(load(gva), 0x40 + (i & 3));
		store(pde, 0);
		flush_page(gva);
		G_EQ(peek(gva, &v), PF_VECTOR);
	}
}

TEST(recursive_mapping)
{
	run_guest(g_recursive, MEM_SMALL);
}

/* One page is PDPT, PD, PT and data, by its own entry 0. */
static void g_many_levels(uint64_t unused)
{
	uint64_t root = gpt_root(), t = gpt_page(), data = gpt_data(7), more = gpt_data(8);
	uint64_t itself = GPT_GVA, page = GPT_GVA + PAGE, i, v;

	*gpt_at(t, 0, 1) = t | GPT_RW;
	*gpt_at(t, PAGE, 1) = data | GPT_RW;
	*gpt_at(root, GPT_GVA, 4) = t | GPT_RW;
	write_cr3(root);
	G_EQ(load(page), 7);
	G_EQ(load(itself) & PTE_ADDR, t);
	for (i = 0; i < 50; i++) {
		/* Change an entry through the mapping that it is part of. */
		store(itself + 8, (i & 1 ? data : more) | GPT_RW);
		flush_page(page);
		G_EQ(load(page), i & 1 ? 7 : 8);
		store(itself + 8 * (2 + i), data | GPT_RW);
		G_EQ(load(GPT_GVA + (2 + i) * PAGE), 7);
		store(itself + 8 * (2 + i), 0);
		flush_page(GPT_GVA + (2 + i) * PAGE);
		G_EQ(peek(GPT_GVA + (2 + i) * PAGE, &v), PF_VECTOR);
	}
	/* Entry 1 at the level above: the data page as a page table. */
	store(page + 8, more | GPT_RW);
	store(itself + 8, data | GPT_RW);
	reload_cr3();
	store(data + 8, more | GPT_RW);
	G_EQ(load(GPT_GVA + 2 * MB + PAGE), 8);
	/* The way to itself goes: nothing is left. */
	store(itself, 0);
	reload_cr3();
	G_EQ(peek(page, &v), PF_VECTOR);
	G_EQ(peek(itself, &v), PF_VECTOR);
}

TEST(one_table_at_several_levels)
{
	run_guest(g_many_levels, MEM_SMALL);
}

/* ---- large pages ---- */

static void g_split(uint64_t unused)
{
	uint64_t root = gpt_root(), big = gpt_pages(512, 2 * MB), other = gpt_data(0xdead);
	uint64_t pt = gpt_page(), i, r;
	volatile uint64_t *pde = gpt_entry(root, GPT_GVA, 2);

	for (i = 0; i < 512; i++)
		*(volatile uint64_t *)(big + i * PAGE) = 0x1000 + i;
	write_cr3(root);
	for (r = 0; r < 6; r++) {
		*pde = big | GPT_RW | PTE_PS;
		reload_cr3();
		for (i = 0; i < 512; i += 11)
			G_EQ(load(GPT_GVA + i * PAGE), 0x1000 + i);
		for (i = 0; i < 512; i++)
			*gpt_at(pt, i << 12, 1) = (i % 8 == r ? other : big + i * PAGE) |
				(i & 1 ? GPT_RW : PTE_P | PTE_U);
		*pde = pt | GPT_RW;
		reload_cr3();
		for (i = 0; i < 512; i++) {
			G_EQ(load(GPT_GVA + i * PAGE), i % 8 == r ? 0xdead : 0x1000 + i);
			G_EQ(poke(GPT_GVA + i * PAGE + 8, i), i & 1 ? NO_TRAP : PF_VECTOR);
		}
	}
}

TEST(large_page_split_by_the_guest)
{
	run_guest(g_split, MEM_SMALL);
}

TEST(large_page_split_over_huge_memory)
{
	run_guest(g_split, MEM_THP);
}

/* A large page's rights change, and it moves. */
static void g_large_changes(uint64_t unused)
{
	uint64_t root = gpt_root(), big = gpt_pages(1024, 2 * MB), i, r;
	volatile uint64_t *pde = gpt_entry(root, GPT_GVA, 2);

	for (i = 0; i < 1024; i++)
		*(volatile uint64_t *)(big + i * PAGE) = i;
	write_cr3(root);
	for (r = 0; r < 10; r++) {
		uint64_t half = (r & 1) * 512;

		*pde = (big + half * PAGE) | PTE_P | PTE_U | PTE_PS;
		flush_page(GPT_GVA + r * 17 * PAGE);
		for (i = 0; i < 512; i += 7) {
			G_EQ(load(GPT_GVA + i * PAGE), half + i);
			G_EQ(poke(GPT_GVA + i * PAGE, 0), PF_VECTOR);
		}
		G_ASSERT(!(*pde & PTE_D));
		*pde |= PTE_W;
		for (i = 0; i < 512; i += 7)
			if (poke(GPT_GVA + i * PAGE, half + i) != NO_TRAP)
				G_EQ(poke(GPT_GVA + i * PAGE, half + i), NO_TRAP);
		G_ASSERT(*pde & PTE_D);
	}
}

TEST(large_page_changes_over_small_memory)
{
	run_guest(g_large_changes, MEM_SMALL);
}

TEST(large_page_changes_over_huge_memory)
{
	run_guest(g_large_changes, MEM_THP);
}

/* ---- places ---- */

#define ROM		(GPT_ARENA + 64 * MB)
#define NOWHERE		(GPT_ARENA + 256 * MB)

/*
 * The host has written these tables: ROM's page 0 is a PD, page 1 its PT. The
 * entries say accessed and dirty, or not: there is no place to write that.
 */
static void g_rom_tables(uint64_t offset)
{
	uint64_t root = gpt_root(), i, data = GPT_ARENA + MB + offset, before;

	gpt_next = 2 * MB;
	*gpt_entry(root, GPT_GVA, 3) = ROM | GPT_RW | PTE_A;
	for (i = 0; i < 16; i++)
		store(data + i * PAGE, 0x50 + i);
	write_cr3(root);
	for (i = 0; i < 16; i++) {
		before = *gpt_at(ROM + PAGE, i << 12, 1);
		G_EQ(load(GPT_GVA + i * PAGE + offset), 0x50 + i);
		store(GPT_GVA + i * PAGE + offset, i);
		G_EQ(load(data + i * PAGE), i);
		G_EQ(*gpt_at(ROM + PAGE, i << 12, 1), before);
	}
	guest_sync(0, 0, 0);
}

static void rom_tables(struct __test_metadata *_metadata, uint64_t offset)
{
	struct guest *g = arena_guest(MEM_SMALL);
	struct vcpu *v = guest_vcpu(g, g_rom_tables, offset);
	uint64_t *rom = mem_alloc(2 * PAGE, MEM_SMALL);
	uint64_t i;

	rom[0] = (ROM + PAGE) | GPT_RW;
	for (i = 0; i < 16; i++)
		rom[512 + i] = (GPT_ARENA + MB + i * PAGE) | GPT_RW |
			       (i & 1 ? PTE_A : 0) | (i & 2 ? PTE_A | PTE_D : 0);
	ASSERT_EQ(0, guest_slot(g, g->next_slot++, KVM_MEM_READONLY, ROM, 2 * PAGE, rom));
	run_sync(v);
	for (i = 0; i < 16; i++)
		ASSERT_EQ((i & 1 ? PTE_A : 0) | (i & 2 ? PTE_A | PTE_D : 0),
			  rom[512 + i] & (PTE_A | PTE_D));
	run_done(v);
}

TEST(tables_in_read_only_memory)
{
	rom_tables(_metadata, 0xc08);
}

/*
 * In-tree KVM with nested paging emulates the access at the entry's address when
 * both have the same offset in their pages.
 */
TEST(tables_in_read_only_memory_same_offset)
{
	if (!strcmp(device_path(), "/dev/kvm") && !on_kvm_shadow()) {
		SKIP(return, "in-tree KVM mixes up entry and page here");
	}
	rom_tables(_metadata, 0);
}

/* A page table where there is no memory: a fault, and the guest goes on. */
static void g_no_memory(uint64_t level)
{
	uint64_t root = gpt_root(), good = gpt_data(3), elsewhere = 8ul << 39, v;
	volatile uint64_t *e = gpt_entry(root, GPT_GVA, level);

	gpt_map(root, elsewhere, good, GPT_RW);
	*e = NOWHERE | GPT_RW;
	write_cr3(root);
	guest_sync(1, 0, 0);
	G_EQ(peek(GPT_GVA + 0xc08, &v), PF_VECTOR);
	G_EQ(this_cpu()->cr2, GPT_GVA + 0xc08);
	G_EQ(load(elsewhere), 3);
	*e = 0;
	flush_page(GPT_GVA);
	G_EQ(peek(GPT_GVA, &v), PF_VECTOR);
	guest_sync(2, 0, 0);
}

/*
 * Real memory answers all ones, which is a fault; a hypervisor may also tell user
 * space that it cannot go on.
 */
static void no_memory(struct __test_metadata *_metadata, int level)
{
	struct vcpu *v = guest_vcpu(arena_guest(MEM_SMALL), g_no_memory, level);
	struct ucall u;

	ASSERT_EQ(1, run_sync(v).a);
	u = vcpu_run_ucall(v);
	if (u.kind == UCALL_SYNC) {
		run_done(v);
		return;
	}
	ASSERT_EQ(KVM_EXIT_INTERNAL_ERROR, v->run->exit_reason);
}

TEST(page_table_without_memory)
{
	no_memory(_metadata, 2);
}

TEST(page_directory_without_memory)
{
	no_memory(_metadata, 3);
}

TEST(third_table_without_memory)
{
	no_memory(_metadata, 4);
}

static void g_cr3_nowhere(uint64_t unused)
{
	guest_sync(1, 0, 0);
	write_cr3(NOWHERE);
	for (;;)
		guest_sync(2, 0, 0);
}

static void no_op(int signal)
{
}

/* Until the vCPU leaves for good, or for @ms; false: it is still running. */
static bool run_for(struct vcpu *v, unsigned int ms)
{
	const struct itimerval tick = { { 0, 20000 }, { 0, 20000 } };
	struct sigaction act = { .sa_handler = no_op };
	uint64_t end = now_ns() + ms * 1000000ull;
	int error;

	if (sigaction(SIGALRM, &act, NULL) || setitimer(ITIMER_REAL, &tick, NULL))
		DIE("timer: %m");
	do {
		error = vcpu_enter(v);
	} while (error == -EINTR && now_ns() < end);
	if (error && error != -EINTR)
		DIE("KVM_RUN: %s", strerror(-error));
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	return !error;
}

/*
 * The root: every fault's fault is a fault, so the guest ends, and soon. In-tree
 * KVM with nested paging emulates for ever.
 */
TEST(root_without_memory)
{
	struct vcpu *v = guest_vcpu(arena_guest(MEM_SMALL), g_cr3_nowhere, 0);
	bool in_tree = !strcmp(device_path(), "/dev/kvm");
	const struct kvm_vcpu_events none = { 0 };

	ASSERT_EQ(1, run_sync(v).a);
	if (run_for(v, 2000)) {
		ASSERT_TRUE(v->run->exit_reason == KVM_EXIT_SHUTDOWN ||
			    v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
			vcpu_dump(v);
		}
	} else {
		ASSERT_TRUE(in_tree);
	}
	/* Nothing is stuck: the vCPU runs again with a root that exists. */
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_VCPU_EVENTS, &none));
	vcpu_long(v, g_no_memory, 2);
	ASSERT_EQ(1, run_sync(v).a);
}

static void g_beyond(uint64_t unused)
{
	uint64_t root = gpt_root(), i;

	for (i = 0; i < 4; i++)
		gpt_map(root, GPT_GVA + i * PAGE, NOWHERE + i * PAGE, GPT_RW);
	*gpt_entry(root, GPT_GVA + 2 * MB, 2) = NOWHERE | GPT_RW | PTE_PS;
	write_cr3(root);
	for (i = 0; i < 4; i++) {
		G_EQ(load(GPT_GVA + i * PAGE + 8 * i), 0x1234 + i);
		store(GPT_GVA + i * PAGE + 8 * i, i);
	}
	G_EQ(load(GPT_GVA + 2 * MB + 5 * PAGE), 0x99);
	/* Memory comes where there was none. */
	guest_sync(1, 0, 0);
	G_EQ(load(GPT_GVA), 0x4444);
	G_EQ(load(GPT_GVA + 2 * MB), 0x4444);
	guest_sync(2, 0, 0);
}

static void mmio(struct __test_metadata *_metadata, struct vcpu *v, uint64_t gpa,
		 bool write, uint64_t value)
{
	struct kvm_run *run = v->run;

	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(gpa, run->mmio.phys_addr);
	ASSERT_EQ(8, run->mmio.len);
	ASSERT_EQ(write, run->mmio.is_write);
	if (write) {
		ASSERT_EQ(0, memcmp(run->mmio.data, &value, 8));
	} else {
		memcpy(run->mmio.data, &value, 8);
	}
}

TEST(pages_beyond_memory)
{
	struct guest *g = arena_guest(MEM_SMALL);
	struct vcpu *v = guest_vcpu(g, g_beyond, 0);
	uint64_t i, *p;

	for (i = 0; i < 4; i++) {
		mmio(_metadata, v, NOWHERE + i * PAGE + 8 * i, false, 0x1234 + i);
		mmio(_metadata, v, NOWHERE + i * PAGE + 8 * i, true, i);
	}
	mmio(_metadata, v, NOWHERE + 5 * PAGE, false, 0x99);
	ASSERT_EQ(1, run_sync(v).a);
	p = guest_mem(g, NOWHERE, 16 * PAGE, MEM_SMALL);
	*p = 0x4444;
	ASSERT_EQ(2, run_sync(v).a);
	run_done(v);
}

/* ---- accessed and dirty bits ---- */

static volatile uint64_t *race_pte, race_root, race_stop, race_ready;

/* Sets accessed and dirty over and over, by using the page. */
static void g_user(uint64_t unused)
{
	uint64_t i;

	while (!race_ready)
		cpu_pause();
	write_cr3(race_root);
	for (i = 1; i < 3000; i++) {
		lock_clear(race_pte, i & 1 ? PTE_A | PTE_D : PTE_D);
		flush_page(GPT_GVA);
		if (i % 3) {
			store(GPT_GVA, i);
			G_EQ(*race_pte & (PTE_A | PTE_D), PTE_A | PTE_D);
		} else {
			load(GPT_GVA);
			G_EQ(*race_pte & (PTE_A | PTE_D), PTE_A);
		}
	}
	race_stop = 1;
}

/* Meanwhile flips bits for software: each must stay as it was left. */
static void g_flipper(uint64_t unused)
{
	uint64_t root = gpt_root(), i, before;

	gpt_map(root, GPT_GVA, gpt_data(1), GPT_RW);
	race_pte = gpt_entry(root, GPT_GVA, 1);
	race_root = root;
	race_ready = 1;
	for (i = 0; !race_stop; i++) {
		lock_set(race_pte, 1ul << 9 | 1ul << 52);
		before = *race_pte;
		G_EQ(before & (PTE_AVL | 1ul << 52), 1ul << 9 | 1ul << 52);
		lock_clear(race_pte, 1ul << 9 | 1ul << 52);
		lock_set(race_pte, 1ul << 10);
		before = *race_pte;
		G_EQ(before & (PTE_AVL | 1ul << 52), 1ul << 10);
		lock_clear(race_pte, 1ul << 10);
	}
}

TEST(accessed_and_dirty_lose_no_update)
{
	struct guest *g = arena_guest(MEM_SMALL);

	vcpu_start(guest_vcpu(g, g_flipper, 0));
	vcpu_start(guest_vcpu(g, g_user, 0));
	vcpu_join(&g->vcpu[0]);
	vcpu_join(&g->vcpu[1]);
}

/* ---- rights that differ between vCPUs on the same tables ---- */

static volatile uint64_t both_root;

/* CR0.WP is @wp here: a supervisor's write to a read-only page. */
static void g_wp(uint64_t wp)
{
	uint64_t i, user_page = GPT_GVA, kernel_page = GPT_GVA + PAGE;

	if (wp) {
		uint64_t root = gpt_root();

		gpt_map(root, user_page, gpt_data(1), PTE_P | PTE_U);
		gpt_map(root, kernel_page, gpt_data(2), PTE_P);
		both_root = root;
	}
	while (!both_root)
		cpu_pause();
	write_cr3(both_root);
	if (!wp)
		write_cr0(read_cr0() & ~X86_CR0_WP);
	for (i = 0; i < 300; i++) {
		G_EQ(poke(user_page + 8, i), wp ? PF_VECTOR : NO_TRAP);
		G_EQ(poke(kernel_page + 8, i), wp ? PF_VECTOR : NO_TRAP);
		G_EQ(load(user_page), 1);
		G_EQ(load(kernel_page), 2);
		if (!wp) {
			G_EQ(load(user_page + 8), i);
			G_EQ(load(kernel_page + 8), i);
		}
	}
}

TEST(write_protect_differs_between_vcpus)
{
	struct guest *g = arena_guest(MEM_SMALL);

	vcpu_start(guest_vcpu(g, g_wp, 1));
	vcpu_start(guest_vcpu(g, g_wp, 0));
	vcpu_join(&g->vcpu[0]);
	vcpu_join(&g->vcpu[1]);
}

/* One vCPU toggles WP; what CPL 3 may do does not change by it. */
static volatile uint64_t user_vector;

static void user_write(void)
{
	user_vector = poke(GPT_GVA + 8, 1);
}

static void g_wp_toggle(uint64_t unused)
{
	uint64_t root = gpt_root(), i;

	gpt_map(root, GPT_GVA, gpt_data(1), PTE_P | PTE_U);
	write_cr3(root);
	for (i = 0; i < 50; i++) {
		write_cr0(read_cr0() & ~X86_CR0_WP);
		G_EQ(poke(GPT_GVA + 8, i), NO_TRAP);
		guest_user_call(user_write);
		G_EQ(user_vector, PF_VECTOR);
		G_EQ(this_cpu()->error, 7);
		G_EQ(load(GPT_GVA + 8), i);
		write_cr0(read_cr0() | X86_CR0_WP);
		G_EQ(poke(GPT_GVA + 8, 0), PF_VECTOR);
		G_EQ(this_cpu()->error, 3);
		G_EQ(load(GPT_GVA + 8), i);
	}
}

TEST(write_protect_toggled)
{
	run_guest(g_wp_toggle, MEM_SMALL);
}

static uint64_t try_call(uint64_t gva)
{
	return guest_try("call *%0", G_OPERANDS(), G_OPERANDS("r"(gva)));
}

/*
 * EFER.NXE off makes bit 63 reserved. @lax: in-tree KVM's shadow pages do not know
 * of EFER.NXE, and go on with what they mapped before.
 */
static void g_nx(uint64_t lax)
{
	uint64_t root = gpt_root(), code = gpt_page(), i, v;

	*(volatile uint8_t *)code = 0xc3;		/* RET */
	gpt_map(root, GPT_GVA, code, PTE_P);
	gpt_map(root, GPT_GVA + PAGE, code, PTE_P | PTE_NX);
	gpt_map(root, GPT_GVA + 2 * PAGE, code, PTE_P | PTE_U);
	write_cr3(root);
	for (i = 0; i < 20; i++) {
		G_EQ(try_call(GPT_GVA), NO_TRAP);
		G_EQ(try_call(GPT_GVA + 2 * PAGE), NO_TRAP);
		G_EQ(peek(GPT_GVA + PAGE, &v), NO_TRAP);
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_NX);
		if (peek(GPT_GVA + PAGE, &v) != PF_VECTOR)
			G_ASSERT(lax);
		else
			G_ASSERT(this_cpu()->error & 8);
		G_EQ(try_call(GPT_GVA), NO_TRAP);
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NX);
		G_EQ(peek(GPT_GVA + PAGE, &v), NO_TRAP);
	}
}

TEST(no_execute_toggled)
{
	run_done(guest_vcpu(arena_guest(MEM_SMALL), g_nx, on_kvm_shadow()));
}

/* ---- the dirty log ---- */

static void g_dirty(uint64_t unused)
{
	uint64_t root = gpt_root(), i;
	volatile uint64_t *pte = gpt_entry(root, GPT_GVA, 1);

	for (i = 0; i < 8; i++)
		gpt_map(root, GPT_GVA + i * PAGE, gpt_data(i), GPT_RW);
	write_cr3(root);
	for (i = 0; i < 8; i++)
		load(GPT_GVA + i * PAGE);
	guest_sync((uint64_t)pte, 0, pte[7] & PTE_ADDR);
	/* An entry by a store, as a guest's kernel does it. */
	pte[0] = pte[1];
	guest_sync((uint64_t)pte, 0, pte[7] & PTE_ADDR);
	/* A dirty bit by the processor, and the data. */
	store(GPT_GVA + 2 * PAGE, 7);
	guest_sync((uint64_t)pte, pte[2] & PTE_ADDR, pte[7] & PTE_ADDR);
	/* An upper entry. */
	*gpt_entry(root, GPT_GVA, 3) |= 1ul << 9;
	guest_sync((uint64_t)gpt_entry(root, GPT_GVA, 3), 0, pte[7] & PTE_ADDR);
	/* A dirty bit again, when the log was read between. */
	lock_clear(&pte[3], PTE_D | PTE_A);
	flush_page(GPT_GVA + 3 * PAGE);
	guest_sync((uint64_t)pte, 0, pte[7] & PTE_ADDR);
	store(GPT_GVA + 3 * PAGE, 7);
	guest_sync((uint64_t)pte, pte[3] & PTE_ADDR, pte[7] & PTE_ADDR);
}

static bool logged(const uint8_t *map, uint64_t gpa)
{
	uint64_t page = (gpa - GPT_ARENA) / PAGE;

	return map[page / 8] >> (page % 8) & 1;
}

TEST(dirty_log_has_table_writes)
{
	struct guest *g = guest_new(0);
	uint32_t slot;
	uint8_t *mem = gpt_arena(g, MEM_SMALL, KVM_MEM_LOG_DIRTY_PAGES, &slot);
	struct vcpu *v = guest_vcpu(g, g_dirty, 0);
	uint8_t *map = calloc(1, GPT_SIZE / PAGE / 8);
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = map };
	struct ucall u;
	int i;

	ASSERT_NE(NULL, mem);
	for (i = 0; i < 6; i++) {
		u = run_sync(v);
		ASSERT_EQ(0, ioctl(g->vm, KVM_GET_DIRTY_LOG, &log));
		ASSERT_TRUE(logged(map, u.a)) {
			TH_LOG("step %d: table at %#lx", i, (long)u.a);
		}
		if (u.b) {
			ASSERT_TRUE(logged(map, u.b)) {
				TH_LOG("step %d: page at %#lx", i, (long)u.b);
			}
		}
		/* Mapped and read long ago, and left alone since. */
		ASSERT_EQ(i == 0, logged(map, u.c));
	}
	run_done(v);
}

TEST_HARNESS_MAIN
