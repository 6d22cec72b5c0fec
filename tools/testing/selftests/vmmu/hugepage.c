// SPDX-License-Identifier: GPL-2.0-only
/*
 * Huge pages of the host are mapped huge where they can be and not where they
 * cannot. How large the mappings are shows in the number of page faults, which
 * a tracepoint counts (no time is measured): a touched 2M page costs one when
 * it is mapped huge, and at least one per 16 pages of 4K when it is not.
 */
#include <kselftest_harness.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "guest.h"

#define TRACING	"/sys/kernel/tracing/"
#define SIZE	(4 * MB)
#define PAGES	(SIZE / PAGE)
#define TOUCHED	4088		/* the byte of a page that the guest writes */
#define FEW	8		/* faults: two, and some for what lies round */
#define MANY	(PAGES / 16)

static const char *event;	/* the tracepoint's directory */

static bool put(const char *dir, const char *file, const char *text)
{
	char path[200];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "%s%s", dir, file);
	fd = open(path, O_WRONLY | O_TRUNC);
	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/* Find the page fault event of whichever module has the device. */
static bool find_event(void)
{
	static const char * const events[] = {
		TRACING "events/vmmu/vmmu_page_fault/",
		TRACING "events/kvm/kvm_page_fault/",
	};
	const bool own = !strstr(device_path(), "kvm") ||
			 !access("/sys/module/vmmu", F_OK);

	if (access(TRACING "trace", F_OK))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	event = events[!own];
	return !access(event, F_OK);
}

static void count_begin(void)
{
	if (!put(TRACING, "trace", "\n") || !put(TRACING, "tracing_on", "1") ||
	    !put(event, "enable", "1"))
		DIE("cannot use %s: %m", event);
}

static int count_end(void)
{
	char line[512];
	FILE *f;
	int n = 0;

	put(event, "enable", "0");
	f = fopen(TRACING "trace", "r");
	if (!f)
		DIE("cannot read the trace: %m");
	while (fgets(line, sizeof(line), f))
		n += line[0] != '#';
	fclose(f);
	return n;
}

/* Read, then write, a word in each page; it holds the page's number. */
static uint64_t touch_from, touch_pages, touch_first;

static void g_touch(void)
{
	for (;;) {
		uint64_t i;

		guest_sync(0, 0, 0);
		for (i = 0; i < touch_pages; i++) {
			volatile uint64_t *p =
				(uint64_t *)(touch_from + i * PAGE) + i % 500;

			*(volatile uint8_t *)(touch_from + i * PAGE + TOUCHED) = 1;
			G_EQ(*p, touch_first + i);
		}
	}
}

static int touch(struct guest *g, uint64_t gpa, uint64_t pages, uint64_t first)
{
	guest_var(g, touch_from) = gpa;
	guest_var(g, touch_pages) = pages;
	guest_var(g, touch_first) = first;
	count_begin();
	run_sync(&g->vcpu[0]);
	return count_end();
}

/* Number @pages pages from @mem, the guest's first being @skip. */
static void number(uint8_t *mem, uint64_t pages, uint64_t skip)
{
	uint64_t i;

	for (i = 0; i < pages; i++) {
		mem[i * PAGE] = 0;
		if (i >= skip)
			*((uint64_t *)(mem + i * PAGE) + (i - skip) % 500) = i;
	}
}

/* The kernel may have no huge page to give; then nothing is shown. */
static bool is_huge(void *mem)
{
	char line[256];
	unsigned long start, end, kb = 0;
	bool here = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (unsigned long)mem &&
			       (unsigned long)mem < end;
		if (here && sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kb * 1024 >= SIZE;
}

FIXTURE(huge) {
	struct guest *g;
	uint8_t *mem;
};

FIXTURE_VARIANT(huge) {
	enum backing backing;
};

FIXTURE_VARIANT_ADD(huge, thp) {
	.backing = MEM_THP,
};

FIXTURE_VARIANT_ADD(huge, hugetlb) {
	.backing = MEM_HUGETLB,
};

FIXTURE_SETUP(huge)
{
	if (variant->backing == MEM_THP)
		put("/sys/kernel/mm/transparent_hugepage/", "enabled",
		    "madvise");
	self->mem = mem_alloc(SIZE, variant->backing);
	if (!self->mem) {
		SKIP(return, "no hugetlb pages");
	}
	memset(self->mem, 0, SIZE);
	if (variant->backing == MEM_THP && !is_huge(self->mem)) {
		SKIP(return, "no transparent huge pages");
	}
	if (!find_event()) {
		SKIP(return, "no tracepoint for page faults");
	}
	self->g = guest_new(0);
	guest_vcpu(self->g, g_touch, 0);
	run_sync(&self->g->vcpu[0]);
}

FIXTURE_TEARDOWN(huge)
{
}

TEST_F(huge, used)
{
	int n;

	number(self->mem, PAGES, 0);
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, GUEST_TEST, SIZE, self->mem));
	n = touch(self->g, GUEST_TEST, PAGES, 0);
	ASSERT_LE(1, n);
	ASSERT_LE(n, FEW);
}

/* Guest and host address differ within the 2M: never huge. */
TEST_F(huge, misaligned)
{
	int n;

	number(self->mem, PAGES, 1);
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, GUEST_TEST, SIZE - PAGE,
				self->mem + PAGE));
	n = touch(self->g, GUEST_TEST, PAGES - 1, 1);
	ASSERT_LE(MANY, n);
}

/* The slot begins and ends amid huge pages: those are not mapped huge. */
TEST_F(huge, partial)
{
	struct vcpu *v = &self->g->vcpu[0];
	const uint64_t base = GUEST_TEST + MB;
	int n;

	number(self->mem, PAGES, 256);
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, base, 2 * MB, self->mem + MB));
	n = touch(self->g, base, 512, 256);
	ASSERT_LE(512 / 16, n);
	/* Round it there is no memory for the guest. */
	guest_var(self->g, touch_pages) = 1;
	guest_var(self->g, touch_from) = base - PAGE;
	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(base - PAGE + TOUCHED, v->run->mmio.phys_addr);
	run_exit(v, KVM_EXIT_MMIO);
	memset(v->run->mmio.data, 0, 8);
	memcpy(v->run->mmio.data, &(uint64_t){ 256 }, 8);
	run_sync(v);
	guest_var(self->g, touch_from) = base + 2 * MB;
	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(base + 2 * MB + TOUCHED, v->run->mmio.phys_addr);
}

/* Two slots share a 2M range of the guest: each has its own memory there. */
TEST_F(huge, neighbours)
{
	uint8_t *other = mem_alloc(SIZE, MEM_SMALL);

	number(self->mem, PAGES, 0);
	number(other, PAGES, 256);
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, GUEST_TEST, MB, self->mem));
	ASSERT_EQ(0, guest_slot(self->g, 2, 0, GUEST_TEST + MB, MB,
				other + MB));
	touch(self->g, GUEST_TEST, 256, 0);
	touch(self->g, GUEST_TEST + MB, 256, 256);
	/* Made one by one, then again with the first already mapped huge. */
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, 0, 0, NULL));
	ASSERT_EQ(0, guest_slot(self->g, 2, 0, 0, 0, NULL));
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, GUEST_TEST, SIZE, self->mem));
	ASSERT_GE(FEW, touch(self->g, GUEST_TEST, PAGES, 0));
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, 0, 0, NULL));
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, GUEST_TEST, 3 * MB, self->mem));
	touch(self->g, GUEST_TEST, 768, 0);
	guest_var(self->g, touch_from) = GUEST_TEST + 3 * MB;
	run_exit(&self->g->vcpu[0], KVM_EXIT_MMIO);
}

/*
 * Where large pages must not be executable (nx_huge_pages), a page that is executed costs
 * a fault of its own, and data beside it still none; elsewhere nothing costs any.
 */
#define RET		0xc3
#define EXECUTED	5

static void g_execute(void)
{
	uint64_t i, round;

	for (round = 0;; round++) {
		guest_sync(0, 0, 0);
		for (i = 0; i < EXECUTED; i++) {
			uint8_t *p = (uint8_t *)GUEST_TEST + i * 33 * PAGE;

			*(volatile uint8_t *)(p + 64) = round;
			((void (*)(void))p)();
		}
	}
}

static bool nx_huge_is_on(void)
{
	char word[8] = "";
	FILE *f = fopen("/sys/module/vmmu/parameters/nx_huge_pages", "r");

	if (f && !fgets(word, sizeof(word), f))
		word[0] = 0;
	if (f)
		fclose(f);
	return !strcmp(word, "on\n");
}

TEST_F(huge, executed)
{
	struct vcpu *v = &self->g->vcpu[0];
	bool own = !strstr(device_path(), "kvm") || !access("/sys/module/vmmu", F_OK);
	int i, n;

	if (!own)
		SKIP(return, "a KVM with settings of its own");
	memset(self->mem, RET, SIZE);
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, GUEST_TEST, SIZE, self->mem));
	vcpu_long(v, g_execute, 0);
	run_sync(v);
	for (i = 0; i < 3; i++) {
		count_begin();
		run_sync(v);
		n = count_end();
		ASSERT_GE(FEW + (i ? 0 : EXECUTED), n);
		if (!i && nx_huge_is_on()) {
			ASSERT_LE(EXECUTED, n);
		} else if (i) {
			ASSERT_GT(EXECUTED, n);
		}
	}
}

/* Read-only to the guest, or to the host: read huge, never written. */
TEST_F(huge, read_only)
{
	struct vcpu *v = &self->g->vcpu[0];

	number(self->mem, PAGES, 0);
	ASSERT_EQ(0, guest_slot(self->g, 1, KVM_MEM_READONLY, GUEST_TEST, SIZE,
				self->mem));
	guest_var(self->g, touch_from) = GUEST_TEST;
	guest_var(self->g, touch_pages) = 3;
	guest_var(self->g, touch_first) = 0;
	/* Each write leaves, each read is answered by the page. */
	run_exit(v, KVM_EXIT_MMIO);
	run_exit(v, KVM_EXIT_MMIO);
	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(GUEST_TEST + 2 * PAGE + TOUCHED, v->run->mmio.phys_addr);
	run_sync(v);
	ASSERT_EQ(0, self->mem[TOUCHED]);
}

/* The log is per 4K page: mappings are split, and grow together afterwards. */
TEST_F(huge, logged)
{
	uint64_t bitmap[PAGES / 64];
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };
	unsigned int i;

	number(self->mem, PAGES, 0);
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, GUEST_TEST, SIZE, self->mem));
	ASSERT_GE(FEW, touch(self->g, GUEST_TEST, PAGES, 0));
	ASSERT_EQ(0, guest_slot(self->g, 1, KVM_MEM_LOG_DIRTY_PAGES, GUEST_TEST,
				SIZE, self->mem));
	ASSERT_EQ(0, ioctl(self->g->vm, KVM_GET_DIRTY_LOG, &log));
	touch(self->g, GUEST_TEST, 3, 0);
	ASSERT_EQ(0, ioctl(self->g->vm, KVM_GET_DIRTY_LOG, &log));
	ASSERT_EQ(7, bitmap[0]);
	for (i = 1; i < PAGES / 64; i++) {
		ASSERT_EQ(0, bitmap[i]);
	}
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, GUEST_TEST, SIZE, self->mem));
	touch(self->g, GUEST_TEST, PAGES, 0);
	ASSERT_GE(FEW, touch(self->g, GUEST_TEST, PAGES, 0));
}

/* Part of a huge page goes: the rest stays, the hole is zero. */
TEST_F(huge, hole)
{
	uint64_t size = variant->backing == MEM_THP ? PAGE : 2 * MB;
	uint64_t pages = size / PAGE, i;

	number(self->mem, PAGES, 0);
	ASSERT_EQ(0, guest_slot(self->g, 1, 0, GUEST_TEST, SIZE, self->mem));
	ASSERT_GE(FEW, touch(self->g, GUEST_TEST, PAGES, 0));
	ASSERT_EQ(0, madvise(self->mem + 2 * MB, size, MADV_DONTNEED));
	for (i = 0; i < pages; i++) {
		uint64_t *p = (uint64_t *)(self->mem + 2 * MB + i * PAGE);

		ASSERT_EQ(0, p[i % 500]);
		p[i % 500] = 10000 + i;
	}
	touch(self->g, GUEST_TEST + 2 * MB, pages, 10000);
	/* number() has put 512 + i into word (512 + i) % 500. */
	for (i = 0; i < pages; i++) {
		uint64_t *p = (uint64_t *)(self->mem + 2 * MB + i * PAGE);

		p[(512 + i) % 500] = 512 + i;
	}
	touch(self->g, GUEST_TEST, PAGES, 0);
}

/* Pages of 4K: the counting works in this direction too. */
TEST(small_pages)
{
	struct guest *g = guest_new(0);
	uint8_t *mem = mem_alloc(SIZE, MEM_SMALL);

	if (!find_event()) {
		SKIP(return, "no tracepoint for page faults");
	}
	number(mem, PAGES, 0);
	guest_vcpu(g, g_touch, 0);
	run_sync(&g->vcpu[0]);
	ASSERT_EQ(0, guest_slot(g, 1, 0, GUEST_TEST, SIZE, mem));
	ASSERT_LE(MANY, touch(g, GUEST_TEST, PAGES, 0));
	/* All mapped now. */
	ASSERT_GE(FEW, touch(g, GUEST_TEST, PAGES, 0));
}

TEST_HARNESS_MAIN
