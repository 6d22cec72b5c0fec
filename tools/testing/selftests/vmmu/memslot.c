// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory slots: the rules, the errno for each one that is broken, that nothing
 * changes then, and changes while vCPUs run.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define BASE	GUEST_TEST
#define RW	0

struct fixture {
	struct guest *g;
	uint8_t *a, *b;		/* 4 MiB each, pages numbered */
};

static struct fixture setup(void)
{
	struct fixture f = { .g = guest_new(0) };
	unsigned int i;

	f.a = mem_alloc(4 * MB, MEM_SMALL);
	f.b = mem_alloc(4 * MB, MEM_SMALL);
	for (i = 0; i < 4 * MB / PAGE; i++) {
		*(uint32_t *)(f.a + i * PAGE) = 0xa0000000 | i;
		*(uint32_t *)(f.b + i * PAGE) = 0xb0000000 | i;
	}
	return f;
}

/* Answer requests to read a word: guest-physical is guest-virtual. */
static uint64_t peek_at;

static void g_peek(void)
{
	for (;;) {
		guest_sync(0, 0, 0);
		guest_sync(1, read32((void *)READ(peek_at)), 0);
	}
}

#define MISSING 0xdeadull

static uint64_t peek(struct vcpu *v, uint64_t gpa)
{
	struct ucall u = run_sync(v);

	if (u.a)
		DIE("the guest is out of step");
	guest_var(v->guest, peek_at) = gpa;
	u = vcpu_run_ucall(v);
	if (u.kind == UCALL_SYNC)
		return u.b;
	if (v->run->exit_reason != KVM_EXIT_MMIO || v->run->mmio.is_write)
		DIE("exit %s", exit_name(v->run->exit_reason));
	memset(v->run->mmio.data, 0, 8);
	memcpy(v->run->mmio.data, &(uint32_t){ MISSING }, 4);
	return run_sync(v).b;
}

TEST(create_and_delete)
{
	struct fixture f = setup();
	struct vcpu *v = guest_vcpu(f.g, g_peek, 0);

	ASSERT_EQ(MISSING, peek(v, BASE));
	ASSERT_EQ(0, guest_slot(f.g, 1, RW, BASE, 2 * MB, f.a));
	ASSERT_EQ(0xa0000000, peek(v, BASE));
	ASSERT_EQ(0xa00001ff, peek(v, BASE + 2 * MB - PAGE));
	ASSERT_EQ(MISSING, peek(v, BASE + 2 * MB));
	ASSERT_EQ(MISSING, peek(v, BASE - 4));
	ASSERT_EQ(0, guest_slot(f.g, 1, RW, 0, 0, NULL));
	ASSERT_EQ(MISSING, peek(v, BASE));
	/* The number and the place are free again. */
	ASSERT_EQ(0, guest_slot(f.g, 1, RW, BASE, 2 * MB, f.b));
	ASSERT_EQ(0xb0000000, peek(v, BASE));
	ASSERT_EQ(0, guest_slot(f.g, 1, RW, BASE, 0, f.b));
	ASSERT_EQ(MISSING, peek(v, BASE));
	/* There is nothing to delete. */
	ASSERT_EQ(-EINVAL, guest_slot(f.g, 1, RW, BASE, 0, f.b));
	ASSERT_EQ(-EINVAL, guest_slot(f.g, 77, RW, 0, 0, NULL));
}

TEST(overlap)
{
	struct fixture f = setup();
	struct vcpu *v = guest_vcpu(f.g, g_peek, 0);
	struct guest *g = f.g;

	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE + MB, MB, f.a));
	ASSERT_EQ(-EEXIST, guest_slot(g, 2, RW, BASE + MB, MB, f.b));
	ASSERT_EQ(-EEXIST, guest_slot(g, 2, RW, BASE, MB + PAGE, f.b));
	ASSERT_EQ(-EEXIST, guest_slot(g, 2, RW, BASE + 2 * MB - PAGE, MB, f.b));
	ASSERT_EQ(-EEXIST, guest_slot(g, 2, RW, BASE, 4 * MB, f.b));
	ASSERT_EQ(-EEXIST, guest_slot(g, 2, RW, BASE + MB + PAGE, PAGE, f.b));
	/* Touching is not overlapping. */
	ASSERT_EQ(0, guest_slot(g, 2, RW, BASE, MB, f.b));
	ASSERT_EQ(0, guest_slot(g, 3, RW, BASE + 2 * MB, MB, f.b + MB));
	ASSERT_EQ(0xb00000ff, peek(v, BASE + MB - PAGE));
	ASSERT_EQ(0xa0000000, peek(v, BASE + MB));
	ASSERT_EQ(0xb0000100, peek(v, BASE + 2 * MB));
	/* A move onto a neighbour is refused, and the slot is where it was. */
	ASSERT_EQ(-EEXIST, guest_slot(g, 1, RW, BASE, MB, f.a));
	ASSERT_EQ(0xa0000000, peek(v, BASE + MB));
	ASSERT_EQ(0xb0000000, peek(v, BASE));
}

TEST(bad_arguments)
{
	struct fixture f = setup();
	struct guest *g = f.g;
	struct vcpu *v = guest_vcpu(g, g_peek, 0);
	int slots = guest_cap(g, KVM_CAP_NR_MEMSLOTS);
	uint32_t sizes[4];
	uint64_t end;
	unsigned int i;
	const struct {
		uint32_t slot, flags;
		uint64_t gpa, size;
		void *hva;
	} bad[] = {
		/* Alignment. */
		{ 2, 0, BASE + 0x800, PAGE, f.b },
		{ 2, 0, BASE + 4 * MB, PAGE + 1, f.b },
		{ 2, 0, BASE + 4 * MB, 0x800, f.b },
		{ 2, 0, BASE + 4 * MB, PAGE, f.b + 1 },
		{ 2, 0, BASE + 4 * MB, PAGE, f.b + 0x800 },
		/* Wrapping round, on either side. */
		{ 2, 0, -PAGE, 2 * PAGE, f.b },
		{ 2, 0, BASE + 4 * MB, -PAGE, f.b },
		{ 2, 0, BASE + 4 * MB, 4 * MB, (void *)-PAGE },
		{ 2, 0, 0x8000000000000000, 0x8000000000000000, f.b },
		/* Not user memory. */
		{ 2, 0, BASE + 4 * MB, PAGE, (void *)0xffff888000000000 },
		/* No such slot, no such address space. */
		{ slots, 0, BASE + 4 * MB, PAGE, f.b },
		{ 0xffff, 0, BASE + 4 * MB, PAGE, f.b },
		{ 0x70000, 0, BASE + 4 * MB, PAGE, f.b },
		/* No such flag. */
		{ 2, 1u << 31, BASE + 4 * MB, PAGE, f.b },
		{ 2, 0x10, BASE + 4 * MB, PAGE, f.b },
	};

	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, 2 * MB, f.a));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(-EINVAL, guest_slot(g, bad[i].slot, bad[i].flags,
					      bad[i].gpa, bad[i].size,
					      bad[i].hva)) {
			TH_LOG("line %u of the table", i);
		}
		EXPECT_EQ(MISSING, peek(v, BASE + 4 * MB));
		EXPECT_EQ(0xa0000001, peek(v, BASE + PAGE));
	}
	/* The highest slot there is. */
	EXPECT_EQ(0, guest_slot(g, slots - 1, RW, BASE + 4 * MB, PAGE, f.b));
	EXPECT_EQ(0xb0000000, peek(v, BASE + 4 * MB));
	/* The end of what the processor can address. */
	cpuid_count(0x80000008, 0, sizes);
	end = 1ull << (sizes[0] & 0xff);
	EXPECT_EQ(0, guest_slot(g, 2, RW, end - PAGE, PAGE, f.b));
	EXPECT_EQ(-EINVAL, guest_slot(g, 3, RW, 1ull << 52, PAGE, f.b));
}

/* What a slot is made with stays, but for its place and dirty logging. */
TEST(immutable)
{
	struct fixture f = setup();
	struct guest *g = f.g;
	struct vcpu *v = guest_vcpu(g, g_peek, 0);

	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, 2 * MB, f.a));
	ASSERT_EQ(-EINVAL, guest_slot(g, 1, RW, BASE, 2 * MB, f.b));
	ASSERT_EQ(-EINVAL, guest_slot(g, 1, RW, BASE, MB, f.a));
	ASSERT_EQ(-EINVAL, guest_slot(g, 1, RW, BASE, 4 * MB, f.a));
	ASSERT_EQ(-EINVAL, guest_slot(g, 1, KVM_MEM_READONLY, BASE, 2 * MB,
				      f.a));
	ASSERT_EQ(0xa0000001, peek(v, BASE + PAGE));
	/* The same again is no change. */
	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, 2 * MB, f.a));
	ASSERT_EQ(0, guest_slot(g, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, 2 * MB,
				f.a));
	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, 2 * MB, f.a));
	ASSERT_EQ(0xa0000001, peek(v, BASE + PAGE));
}

TEST(move)
{
	struct fixture f = setup();
	struct guest *g = f.g;
	struct vcpu *v = guest_vcpu(g, g_peek, 0);

	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, 2 * MB, f.a));
	ASSERT_EQ(0xa0000003, peek(v, BASE + 3 * PAGE));
	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE + 16 * MB, 2 * MB, f.a));
	ASSERT_EQ(MISSING, peek(v, BASE + 3 * PAGE));
	ASSERT_EQ(0xa0000003, peek(v, BASE + 16 * MB + 3 * PAGE));
	/* By one page: it overlaps its own old place only. */
	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE + 16 * MB + PAGE, 2 * MB, f.a));
	ASSERT_EQ(MISSING, peek(v, BASE + 16 * MB));
	ASSERT_EQ(0xa0000002, peek(v, BASE + 16 * MB + 3 * PAGE));
	ASSERT_EQ(0xa00001ff, peek(v, BASE + 18 * MB));
}

TEST(aliases)
{
	struct fixture f = setup();
	struct guest *g = f.g;
	struct vcpu *v = guest_vcpu(g, g_peek, 0);

	/* One host range at two guest places, and partly at a third. */
	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, 2 * MB, f.a));
	ASSERT_EQ(0, guest_slot(g, 2, RW, BASE + 8 * MB, 2 * MB, f.a));
	ASSERT_EQ(0, guest_slot(g, 3, RW, BASE + 16 * MB, MB, f.a + MB));
	ASSERT_EQ(0xa0000101, peek(v, BASE + MB + PAGE));
	ASSERT_EQ(0xa0000101, peek(v, BASE + 9 * MB + PAGE));
	ASSERT_EQ(0xa0000101, peek(v, BASE + 16 * MB + PAGE));
	/* The host takes the page away: gone from all three. */
	ASSERT_EQ(0, madvise(f.a + MB + PAGE, PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, peek(v, BASE + MB + PAGE));
	ASSERT_EQ(0, peek(v, BASE + 9 * MB + PAGE));
	ASSERT_EQ(0, peek(v, BASE + 16 * MB + PAGE));
	*(uint32_t *)(f.a + MB + PAGE) = 77;
	ASSERT_EQ(77, peek(v, BASE + MB + PAGE));
	ASSERT_EQ(77, peek(v, BASE + 9 * MB + PAGE));
	ASSERT_EQ(77, peek(v, BASE + 16 * MB + PAGE));
}

TEST(no_memory_behind)
{
	struct fixture f = setup();
	struct guest *g = f.g;
	struct vcpu *v = guest_vcpu(g, g_peek, 0);

	/* A slot over nothing can be made; using it is the vCPU's error. */
	munmap(f.a, 4 * MB);
	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, 2 * MB, f.a));
	ASSERT_EQ(0, run_sync(v).a);
	guest_var(g, peek_at) = BASE;
	ASSERT_EQ(-EFAULT, vcpu_enter(v));
	ASSERT_EQ(-EFAULT, vcpu_enter(v));
	/* Memory appears: the vCPU goes on. */
	ASSERT_EQ(f.a, mmap(f.a, 2 * MB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	*(uint32_t *)f.a = 5;
	ASSERT_EQ(5, run_sync(v).b);
}

/* As many slots as there may be, at least 500 of them, each where it belongs. */
TEST(many)
{
	struct fixture f = setup();
	struct guest *g = f.g;
	struct vcpu *v = guest_vcpu(g, g_peek, 0);
	int n = guest_cap(g, KVM_CAP_NR_MEMSLOTS), i;
	uint64_t s = seed();

	if (n > 501)
		n = 501;
	for (i = 1; i < n; i++) {
		/* Downwards, a page of hole between each two. */
		ASSERT_EQ(0, guest_slot(g, i, RW, BASE + (n - i) * 2 * PAGE,
					PAGE, f.a + i * PAGE));
	}
	for (i = 0; i < 60; i++) {
		int k = 1 + rng(&s) % (n - 1);

		ASSERT_EQ(0xa0000000 | k, peek(v, BASE + (n - k) * 2 * PAGE));
		ASSERT_EQ(MISSING, peek(v, BASE + (n - k) * 2 * PAGE + PAGE));
	}
	for (i = 1; i < n; i += 2) {
		ASSERT_EQ(0, guest_slot(g, i, RW, 0, 0, NULL));
	}
	for (i = 0; i < 60; i++) {
		int k = 1 + rng(&s) % (n - 1);

		ASSERT_EQ(k & 1 ? MISSING : (0xa0000000 | k),
			  peek(v, BASE + (n - k) * 2 * PAGE));
	}
}

TEST(region2)
{
	struct fixture f = setup();
	struct guest *g = f.g;
	struct vcpu *v __attribute__((unused)) = guest_vcpu(g, g_peek, 0);
#ifdef KVM_SET_USER_MEMORY_REGION2
	struct kvm_userspace_memory_region2 r = {
		.slot = 1,
		.guest_phys_addr = BASE,
		.memory_size = 2 * MB,
		.userspace_addr = (uint64_t)f.b,
	};

	if (!guest_cap(g, KVM_CAP_USER_MEMORY2)) {
		SKIP(return, "no KVM_CAP_USER_MEMORY2");
	}
	ASSERT_EQ(0, ioctl(g->vm, KVM_SET_USER_MEMORY_REGION2, &r));
	ASSERT_EQ(0xb0000007, peek(v, BASE + 7 * PAGE));
	r.slot = 2;
	r.guest_phys_addr += 2 * MB;
	r.flags = KVM_MEM_GUEST_MEMFD;
	r.guest_memfd = -1;
	ASSERT_EQ(-1, ioctl(g->vm, KVM_SET_USER_MEMORY_REGION2, &r));
	ASSERT_EQ(EINVAL, errno);
#else
	SKIP(return, "built without KVM_SET_USER_MEMORY_REGION2");
#endif
}

/*
 * Changes while vCPUs run. Each page of the slot holds its own number, so a
 * read gives the number, or the answer of user space while the slot is gone.
 */
#define RUN_PAGES	64
#define HAMMERS		2

static uint64_t stop, reads[HAMMERS], misses[HAMMERS];

static void g_hammer(uint64_t me)
{
	uint64_t n = 0;

	while (!READ(stop)) {
		uint64_t page = n++ * 7 % RUN_PAGES;
		uint32_t got = read32((void *)(BASE + page * PAGE));

		if (got == MISSING)
			misses[me]++;
		else
			G_EQ(got, 0xa0000000 | page);
		WRITE(reads[me], n);
	}
}

static void *hammer_thread(void *arg)
{
	struct vcpu *v = arg;
	struct ucall u;

	for (;;) {
		u = vcpu_run_ucall(v);
		if (u.kind == UCALL_DONE)
			return NULL;
		if (u.kind || v->run->exit_reason != KVM_EXIT_MMIO)
			DIE("vCPU %d: exit %s", v->id,
			    exit_name(v->run->exit_reason));
		memset(v->run->mmio.data, 0, 8);
		memcpy(v->run->mmio.data, &(uint32_t){ MISSING }, 4);
	}
}

/* Until every vCPU has made @n more reads. */
static void wait_reads(struct guest *g, uint64_t n)
{
	uint64_t i, from[HAMMERS];

	for (i = 0; i < HAMMERS; i++)
		from[i] = READ(guest_var(g, reads[i]));
	for (i = 0; i < HAMMERS; i++)
		while (READ(guest_var(g, reads[i])) < from[i] + n)
			usleep(100);
}

TEST(changes_while_running)
{
	struct fixture f = setup();
	struct guest *g = f.g;
	int i;

	for (i = 0; i < HAMMERS; i++)
		guest_vcpu(g, g_hammer, i);
	ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, RUN_PAGES * PAGE, f.a));
	for (i = 0; i < HAMMERS; i++) {
		ASSERT_EQ(0, pthread_create(&g->vcpu[i].thread, NULL,
					    hammer_thread, &g->vcpu[i]));
	}
	for (i = 0; i < 12; i++) {
		wait_reads(g, RUN_PAGES);
		/* Delete and make again. */
		ASSERT_EQ(0, guest_slot(g, 1, RW, 0, 0, NULL));
		if (i % 4 == 0) {
			wait_reads(g, 10);
		}
		ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, RUN_PAGES * PAGE, f.a));
		wait_reads(g, RUN_PAGES);
		/* Change flags there and back. */
		ASSERT_EQ(0, guest_slot(g, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE,
					RUN_PAGES * PAGE, f.a));
		wait_reads(g, RUN_PAGES / 2);
		ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, RUN_PAGES * PAGE, f.a));
		/* Move away and back. */
		ASSERT_EQ(0, guest_slot(g, 1, RW, BASE + 64 * MB,
					RUN_PAGES * PAGE, f.a));
		ASSERT_EQ(0, guest_slot(g, 1, RW, BASE, RUN_PAGES * PAGE, f.a));
		/* Others come and go beside it. */
		ASSERT_EQ(0, guest_slot(g, 2, RW, BASE + 4 * MB, MB, f.b));
		ASSERT_EQ(0, guest_slot(g, 2, RW, 0, 0, NULL));
	}
	WRITE(guest_var(g, stop), 1);
	for (i = 0; i < HAMMERS; i++)
		vcpu_join(&g->vcpu[i]);
	/* Four times it was gone long enough for everyone to see. */
	for (i = 0; i < HAMMERS; i++) {
		ASSERT_LT(0, guest_var(g, misses[i]));
	}
}

TEST_HARNESS_MAIN
