// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_DIRTY_LOG gives exactly the pages that the guest has written since
 * it was last asked: none missing, and of 4K granularity whatever the page
 * size of the mapping was.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define SLOT	1
#define PAGES	1024			/* two 2M regions */
#define WORDS	(PAGES / 64)

struct log {
	uint64_t w[WORDS];
};

static struct log get_log(struct guest *g)
{
	struct log log;
	struct kvm_dirty_log d = { .slot = SLOT, .dirty_bitmap = &log };

	memset(&log, 0xff, sizeof(log));
	if (ioctl(g->vm, KVM_GET_DIRTY_LOG, &d))
		DIE("KVM_GET_DIRTY_LOG: %m");
	return log;
}

static void set(struct log *log, unsigned int page)
{
	log->w[page / 64] |= 1ull << (page % 64);
}

static int count(struct log log)
{
	int i, n = 0;

	for (i = 0; i < WORDS; i++)
		n += __builtin_popcountll(log.w[i]);
	return n;
}

#define ASSERT_LOG(expected, got)					\
do {									\
	struct log __e = (expected), __g = (got);			\
									\
	ASSERT_EQ(0, memcmp(&__e, &__g, sizeof(__e))) {			\
		TH_LOG("%d pages expected, %d got", count(__e), count(__g)); \
	}								\
} while (0)

/* Pages to write, in order; what is read besides must not show. */
static uint32_t pages[PAGES];
static uint64_t nr_pages, map_first;

static void g_write(void)
{
	uint64_t i;

	/*
	 * Map everything. KVM counts a page as dirty when a read maps it
	 * writable while the log is on, which is allowed.
	 */
	for (i = 0; map_first && i < PAGES; i++)
		write8((uint8_t *)GUEST_TEST + i * PAGE, 1);
	for (;;) {
		guest_sync(0, 0, 0);
		for (i = 0; i < nr_pages; i++) {
			uint8_t *p = (uint8_t *)GUEST_TEST + pages[i] * PAGE;

			write8(p + pages[i] % PAGE, i);
			read8((uint8_t *)GUEST_TEST +
			      (pages[i] * 7 % PAGES) * PAGE);
		}
	}
}

/* The guest writes @n random pages; returns which. */
static struct log write_some(struct guest *g, int n, uint64_t *s)
{
	uint32_t *list = &guest_var(g, pages[0]);
	struct log log = { 0 };
	int i;

	for (i = 0; i < n; i++) {
		list[i] = rng(s) % PAGES;
		set(&log, list[i]);
	}
	guest_var(g, nr_pages) = n;
	run_sync(&g->vcpu[0]);
	return log;
}

static void exact(struct __test_metadata *_metadata, enum backing backing)
{
	struct guest *g = guest_new(0);
	void *mem = mem_alloc(PAGES * PAGE, backing);
	struct log none = { 0 }, written;
	uint64_t s = seed();
	int i;

	if (!mem) {
		SKIP(return, "no huge pages");
	}
	memset(mem, 0, PAGES * PAGE);
	guest_vcpu(g, g_write, 0);
	ASSERT_EQ(0, guest_slot(g, SLOT, 0, GUEST_TEST, PAGES * PAGE, mem));
	guest_var(g, map_first) = 1;
	run_sync(&g->vcpu[0]);
	ASSERT_EQ(0, guest_slot(g, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GUEST_TEST,
				PAGES * PAGE, mem));
	ASSERT_LOG(none, get_log(g));
	for (i = 0; i < 8; i++) {
		written = write_some(g, i * 17 % 100, &s);
		ASSERT_LOG(written, get_log(g));
		ASSERT_LOG(none, get_log(g));
	}
	/* Off and on again: a new, clean log. */
	written = write_some(g, 10, &s);
	ASSERT_EQ(0, guest_slot(g, SLOT, 0, GUEST_TEST, PAGES * PAGE, mem));
	write_some(g, 20, &s);
	ASSERT_EQ(0, guest_slot(g, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GUEST_TEST,
				PAGES * PAGE, mem));
	ASSERT_LOG(none, get_log(g));
	written = write_some(g, 30, &s);
	ASSERT_LOG(written, get_log(g));
}

TEST(small_pages)
{
	exact(_metadata, MEM_SMALL);
}

TEST(transparent_huge_pages)
{
	exact(_metadata, MEM_THP);
}

TEST(hugetlb)
{
	exact(_metadata, MEM_HUGETLB);
}

/* The host takes pages away meanwhile: what was written stays in the log. */
TEST(unmapped_meanwhile)
{
	struct guest *g = guest_new(0);
	uint8_t *mem = mem_alloc(PAGES * PAGE, MEM_SMALL);
	uint64_t s = seed();
	struct log written;

	guest_vcpu(g, g_write, 0);
	ASSERT_EQ(0, guest_slot(g, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GUEST_TEST,
				PAGES * PAGE, mem));
	run_sync(&g->vcpu[0]);
	written = write_some(g, 50, &s);
	madvise(mem, PAGES * PAGE, MADV_DONTNEED);
	ASSERT_LOG(written, get_log(g));
}

TEST(errors)
{
	struct guest *g = guest_new(0);
	uint8_t *mem = mem_alloc(PAGES * PAGE, MEM_SMALL);
	struct log log;
	struct kvm_dirty_log d = { .slot = SLOT, .dirty_bitmap = &log };

	ASSERT_EQ(-1, ioctl(g->vm, KVM_GET_DIRTY_LOG, &d));
	ASSERT_EQ(ENOENT, errno);
	ASSERT_EQ(0, guest_slot(g, SLOT, 0, GUEST_TEST, PAGES * PAGE, mem));
	/* There, but not logging. */
	ASSERT_EQ(-1, ioctl(g->vm, KVM_GET_DIRTY_LOG, &d));
	ASSERT_EQ(ENOENT, errno);
	ASSERT_EQ(0, guest_slot(g, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GUEST_TEST,
				PAGES * PAGE, mem));
	ASSERT_EQ(0, ioctl(g->vm, KVM_GET_DIRTY_LOG, &d));
	d.dirty_bitmap = (void *)0x10;
	ASSERT_EQ(-1, ioctl(g->vm, KVM_GET_DIRTY_LOG, &d));
	ASSERT_EQ(EFAULT, errno);
	d.slot = 1 << 20;
	ASSERT_EQ(-1, ioctl(g->vm, KVM_GET_DIRTY_LOG, &d));
	ASSERT_EQ(EINVAL, errno);
}

/*
 * Two vCPUs write counters in their pages while the log is read. Every write
 * must turn up in a later log: after a vCPU has passed a page and the log that
 * follows, the copy that a migration would have made equals the page.
 */
#define SHARE	(PAGES / 2)

static uint64_t rounds[2], stop;

static void g_scribble(uint64_t me)
{
	uint8_t *base = (uint8_t *)GUEST_TEST + me * SHARE * PAGE;
	uint64_t s = me + 1;

	while (!READ(stop)) {
		uint8_t *p = base + rng(&s) % SHARE * PAGE;

		write64(p + rng(&s) % 512 * 8, rng(&s));
		WRITE(rounds[me], rounds[me] + 1);
	}
}

static void copy_dirty(uint8_t *copy, const uint8_t *mem, struct log log)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		if (log.w[i / 64] >> (i % 64) & 1)
			memcpy(copy + i * PAGE, mem + i * PAGE, PAGE);
}

static void migrate(struct __test_metadata *_metadata, enum backing backing)
{
	struct guest *g = guest_new(0);
	uint8_t *mem = mem_alloc(PAGES * PAGE, backing);
	uint8_t *copy = mem_alloc(PAGES * PAGE, MEM_SMALL);
	uint64_t i, k, last;

	if (!mem) {
		SKIP(return, "no huge pages");
	}
	memset(mem, 0, PAGES * PAGE);
	for (i = 0; i < 2; i++)
		guest_vcpu(g, g_scribble, i);
	ASSERT_EQ(0, guest_slot(g, SLOT, 0, GUEST_TEST, PAGES * PAGE, mem));
	for (i = 0; i < 2; i++)
		vcpu_start(&g->vcpu[i]);
	usleep(20000);
	ASSERT_EQ(0, guest_slot(g, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GUEST_TEST,
				PAGES * PAGE, mem));
	memcpy(copy, mem, PAGES * PAGE);
	for (i = 0; i < 12; i++) {
		for (k = 0; k < 2; k++) {
			last = READ(guest_var(g, rounds[k]));
			while (READ(guest_var(g, rounds[k])) < last + 50)
				usleep(100);
		}
		copy_dirty(copy, mem, get_log(g));
	}
	WRITE(guest_var(g, stop), 1);
	vcpu_join(&g->vcpu[0]);
	vcpu_join(&g->vcpu[1]);
	copy_dirty(copy, mem, get_log(g));
	for (i = 0; i < PAGES; i++) {
		ASSERT_EQ(0, memcmp(copy + i * PAGE, mem + i * PAGE, PAGE)) {
			TH_LOG("page %lu was written unseen", (long)i);
		}
	}
}

TEST(migration_small)
{
	migrate(_metadata, MEM_SMALL);
}

TEST(migration_huge)
{
	migrate(_metadata, MEM_THP);
}

/* The manual protocol: the log stays until it is cleared page by page. */
TEST(manual_protect)
{
	struct guest *g = guest_new(0);
	uint8_t *mem = mem_alloc(PAGES * PAGE, MEM_SMALL);
	uint64_t s = seed();
	struct log written, bits = { 0 }, half;
	struct kvm_clear_dirty_log c = {
		.slot = SLOT, .num_pages = 512, .first_page = 512,
	};
	int i;

	if (!guest_cap(g, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)) {
		SKIP(return, "no KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
	}
	ASSERT_EQ(0, guest_enable_cap(g, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1));
	guest_vcpu(g, g_write, 0);
	ASSERT_EQ(0, guest_slot(g, SLOT, KVM_MEM_LOG_DIRTY_PAGES, GUEST_TEST,
				PAGES * PAGE, mem));
	run_sync(&g->vcpu[0]);
	written = write_some(g, 100, &s);
	ASSERT_LOG(written, get_log(g));
	ASSERT_LOG(written, get_log(g));
	/* Clear the second half. */
	half = written;
	for (i = WORDS / 2; i < WORDS; i++) {
		bits.w[i - WORDS / 2] = written.w[i];
		half.w[i] = 0;
	}
	c.dirty_bitmap = &bits;
	ASSERT_EQ(0, ioctl(g->vm, KVM_CLEAR_DIRTY_LOG, &c));
	ASSERT_LOG(half, get_log(g));
	/* A page of it that is written again turns up again. */
	for (i = 512; !(written.w[i / 64] >> (i % 64) & 1); i++)
		;
	guest_var(g, pages[0]) = i;
	guest_var(g, nr_pages) = 1;
	run_sync(&g->vcpu[0]);
	set(&half, i);
	ASSERT_LOG(half, get_log(g));
	/* Bounds. */
	c.first_page = 1;
	ASSERT_EQ(-1, ioctl(g->vm, KVM_CLEAR_DIRTY_LOG, &c));
	ASSERT_EQ(EINVAL, errno);
	c.first_page = PAGES;
	ASSERT_EQ(-1, ioctl(g->vm, KVM_CLEAR_DIRTY_LOG, &c));
	ASSERT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
