// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host changes the memory under running vCPUs. Two rules:
 *
 * - What the host keeps (swap, KSM, compaction, THP, copy on write) the guest
 *   keeps: two vCPUs own pages, rewrite them, and check every byte.
 * - What the host replaces (munmap, MADV_DONTNEED, a new mapping) is gone for
 *   the guest when the call returns: not one stale read, not one stale write.
 */
#include <kselftest_harness.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/swap.h>

#include "guest.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define VCPUS		2
#define EACH		32		/* pages of each vCPU, every 8th */
#define STRIDE		8
#define SIZE		(VCPUS * EACH * STRIDE * PAGE)	/* 2M */
#define OWNED(base, me, page)						\
	((base) + (((me) * EACH + (page)) * STRIDE * PAGE))

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

static long get(const char *path)
{
	FILE *f = fopen(path, "r");
	long value = -1;

	if (f) {
		if (fscanf(f, "%ld", &value) != 1)
			value = -1;
		fclose(f);
	}
	return value;
}

/* A counter of /proc/vmstat. */
static long vm_event(const char *name)
{
	char key[64];
	long value, found = -1;
	FILE *f = fopen("/proc/vmstat", "r");

	while (f && fscanf(f, "%63s %ld", key, &value) == 2)
		if (!strcmp(key, name))
			found = value;
	if (f)
		fclose(f);
	return found;
}

/* Pages written to swap: the kernel's count, or, where it keeps none, zram's own. */
static long swap_writes(void)
{
	long n = vm_event("pswpout"), reads, merges, sectors, ticks;
	FILE *f;

	if (n >= 0)
		return n;
	f = fopen("/sys/block/zram0/stat", "r");
	if (f) {
		if (fscanf(f, "%ld %ld %ld %ld %ld", &reads, &merges, &sectors, &ticks, &n) != 5)
			n = -1;
		fclose(f);
	}
	return n;
}

/* The owners. */
static uint64_t stop, passes[VCPUS], initial_seed;
static uint32_t version[VCPUS][EACH];

static uint64_t pattern(uint64_t me, uint64_t page, uint64_t v, uint64_t word)
{
	if (!v)
		return 0;
	return (me << 60 | page << 40 | v << 10 | word) * 0x9e3779b97f4a7c15ull;
}

static void g_owner(uint64_t me)
{
	uint64_t s = initial_seed + me, i, v;

	while (!READ(stop)) {
		uint64_t page = rng(&s) % EACH;
		volatile uint64_t *p;

		p = (uint64_t *)OWNED(GUEST_TEST, me, page);
		v = version[me][page];
		for (i = 0; i < 512; i++)
			G_EQ(p[i], pattern(me, page, v, i));
		if (rng(&s) & 1) {
			WRITE(version[me][page], ++v);
			for (i = 0; i < 512; i++)
				p[i] = pattern(me, page, v, i);
		}
		WRITE(passes[me], READ(passes[me]) + 1);
	}
}

/* KVM_RUN again when the host's protection has refused an access. */
static void *owner_thread(void *arg)
{
	struct vcpu *v = arg;

	for (;;) {
		int error = vcpu_enter(v);

		if (error == -EFAULT || error == -EINTR) {
			usleep(200);
			continue;
		}
		if (error)
			DIE("KVM_RUN: %s", strerror(-error));
		if (v->run->exit_reason == KVM_EXIT_IO &&
		    v->run->io.port == UCALL_DONE)
			return NULL;
		if (v->run->exit_reason == KVM_EXIT_IO) {
			struct kvm_regs r = vcpu_regs(v);

			DIE("vCPU %d, port %#x: %#llx %#llx %#llx %#llx", v->id,
			    v->run->io.port, r.rdi, r.rsi, r.rbx, r.rcx);
		}
		vcpu_dump(v);
		DIE("vCPU %d: unexpected exit", v->id);
	}
}

static struct guest *start_owners(uint8_t *mem)
{
	struct guest *g;
	int i;

	initial_seed = seed();
	g = guest_new(0);
	if (guest_slot(g, 1, 0, GUEST_TEST, SIZE, mem))
		DIE("no slot");
	for (i = 0; i < VCPUS; i++) {
		guest_vcpu(g, g_owner, i);
		if (pthread_create(&g->vcpu[i].thread, NULL, owner_thread,
				   &g->vcpu[i]))
			DIE("pthread_create");
	}
	return g;
}

/* Until every vCPU has done @n pages more; a lost one is not waited for. */
static void wait_passes(struct guest *g, uint64_t n)
{
	uint64_t from[VCPUS], end = now_ns() + 20000000000;
	int i;

	for (i = 0; i < VCPUS; i++)
		from[i] = READ(guest_var(g, passes[i]));
	for (i = 0; i < VCPUS; i++) {
		while (READ(guest_var(g, passes[i])) < from[i] + n) {
			if (now_ns() > end)
				DIE("vCPU %d makes no progress", i);
			usleep(200);
		}
	}
}

static void stop_owners(struct __test_metadata *_metadata, struct guest *g,
			uint8_t *mem)
{
	uint64_t i, k, w;

	WRITE(guest_var(g, stop), 1);
	for (i = 0; i < VCPUS; i++)
		vcpu_join(&g->vcpu[i]);
	for (i = 0; i < VCPUS; i++) {
		for (k = 0; k < EACH; k++) {
			uint64_t *p = (uint64_t *)OWNED(mem, i, k);
			uint64_t v = guest_var(g, version[i][k]);

			for (w = 0; w < 512; w++) {
				if (p[w] != pattern(i, k, v, w))
					break;
			}
			ASSERT_EQ(512, w) {
				TH_LOG("page %lu of vCPU %lu, word %lu",
				       (long)k, (long)i, (long)w);
			}
		}
	}
}

/* Read-only for a while: the guest's writes wait, and do not get through. */
TEST(mprotect_read)
{
	uint8_t *mem = mem_alloc(SIZE, MEM_SMALL), copy[PAGE];
	struct guest *g = start_owners(mem);
	uint64_t s = initial_seed, i;

	for (i = 0; i < 30; i++) {
		uint8_t *p = OWNED(mem, i % VCPUS, rng(&s) % EACH);
		uint64_t n = 1 + rng(&s) % STRIDE;

		if (i % 4 == 0) {
			wait_passes(g, 8);
		}
		ASSERT_EQ(0, mprotect(p, n * PAGE, PROT_READ));
		memcpy(copy, p, PAGE);
		usleep(2000);
		ASSERT_EQ(0, memcmp(copy, p, PAGE));
		ASSERT_EQ(0, mprotect(p, n * PAGE, PROT_READ | PROT_WRITE));
	}
	stop_owners(_metadata, g, mem);
}

TEST(mprotect_none)
{
	uint8_t *mem = mem_alloc(SIZE, MEM_SMALL);
	struct guest *g = start_owners(mem);
	uint64_t s = initial_seed, i;

	for (i = 0; i < 30; i++) {
		uint8_t *p = OWNED(mem, i % VCPUS, rng(&s) % EACH);

		if (i % 4 == 0) {
			wait_passes(g, 8);
		}
		ASSERT_EQ(0, mprotect(p, STRIDE * PAGE, PROT_NONE));
		usleep(500);
		ASSERT_EQ(0, mprotect(p, STRIDE * PAGE, PROT_READ | PROT_WRITE));
	}
	stop_owners(_metadata, g, mem);
}

static uint64_t checksum(const uint8_t *mem, size_t size)
{
	const volatile uint64_t *p = (const uint64_t *)mem;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < size / 8; i++)
		sum = (sum << 1 | sum >> 63) ^ p[i];
	return sum;
}

/* Copy on write: the child's copy is not changed by the parent's guest. */
static void fork_test(struct __test_metadata *_metadata, enum backing backing)
{
	uint8_t *mem = mem_alloc(SIZE, backing);
	struct guest *g;
	int i, status;

	g = start_owners(mem);
	for (i = 0; i < 4; i++) {
		pid_t pid;

		wait_passes(g, 30);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			uint64_t sum = checksum(mem, SIZE), k;

			for (k = 0; k < 2; k++) {
				usleep(10000);
				if (checksum(mem, SIZE) != sum)
					_exit(2);
			}
			/* Nor the guest's by the child. */
			memset(mem, 0xee, SIZE);
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status) {
			TH_LOG("the guest wrote into the child's copy");
		}
	}
	stop_owners(_metadata, g, mem);
}

TEST(fork_small)
{
	fork_test(_metadata, MEM_SMALL);
}

TEST(fork_huge)
{
	fork_test(_metadata, MEM_THP);
}

/* Collapse into huge pages, and split again. */
TEST(thp)
{
	uint8_t *mem = mem_alloc(SIZE, MEM_THP);
	struct guest *g;
	uint64_t s, i;

	madvise(mem, SIZE, MADV_NOHUGEPAGE);
	memset(mem, 0, SIZE);
	g = start_owners(mem);
	s = initial_seed;
	madvise(mem, SIZE, MADV_HUGEPAGE);
	if (madvise(mem, SIZE, MADV_COLLAPSE) && errno == EINVAL) {
		SKIP(return, "no MADV_COLLAPSE");
	}
	for (i = 0; i < 6; i++) {
		uint8_t *p = OWNED(mem, i % VCPUS, rng(&s) % EACH);

		wait_passes(g, 10);
		/* A protection change of one page splits its huge page. */
		ASSERT_EQ(0, mprotect(p, PAGE, PROT_READ));
		ASSERT_EQ(0, mprotect(p, PAGE, PROT_READ | PROT_WRITE));
		wait_passes(g, 10);
		/* May fail for want of memory; the content matters. */
		madvise(mem, SIZE, MADV_COLLAPSE);
	}
	stop_owners(_metadata, g, mem);
}

/* Same pages become one, and part again when the guest writes. */
TEST(ksm)
{
	const char *dir = "/sys/kernel/mm/ksm/run";
	uint8_t *mem = mem_alloc(SIZE, MEM_SMALL);
	struct guest *g;
	uint64_t end;
	long merged;

	if (!put(dir, "1")) {
		SKIP(return, "no KSM");
	}
	put("/sys/kernel/mm/ksm/pages_to_scan", "1000");
	put("/sys/kernel/mm/ksm/sleep_millisecs", "20");
	memset(mem, 0, SIZE);
	ASSERT_EQ(0, madvise(mem, SIZE, MADV_MERGEABLE));
	/* Merged before anybody runs, and while they do. */
	end = now_ns() + 5000000000;
	do {
		msleep(20);
		merged = get("/sys/kernel/mm/ksm/pages_sharing");
	} while (merged < (long)(SIZE / PAGE / 4) && now_ns() < end);
	if (merged < (long)(SIZE / PAGE / 4)) {
		put(dir, "0");
		SKIP(return, "KSM has merged %ld pages only", merged);
	}
	g = start_owners(mem);
	wait_passes(g, 60);
	put(dir, "2");		/* unmerge everything */
	put(dir, "1");
	wait_passes(g, 60);
	stop_owners(_metadata, g, mem);
	put(dir, "0");
}

/* Compaction moves pages. A larger hugetlb pool forces it to. */
TEST(compaction)
{
	uint8_t *mem = mem_alloc(SIZE, MEM_SMALL);
	struct guest *g;
	long pool = get("/proc/sys/vm/nr_hugepages");
	int i;

	if (!put("/proc/sys/vm/compact_memory", "1")) {
		SKIP(return, "no compaction");
	}
	g = start_owners(mem);
	for (i = 0; i < 5; i++) {
		char text[30];

		wait_passes(g, 20);
		put("/proc/sys/vm/compact_memory", "1");
		if (pool >= 0) {
			snprintf(text, sizeof(text), "%ld", pool + (i & 1) * 32);
			put("/proc/sys/vm/nr_hugepages", text);
		}
	}
	stop_owners(_metadata, g, mem);
}

/* A swap device of this test's own on zram, unless there is one. */
static bool swap_on(void)
{
	uint8_t page[PAGE] = { 0 };
	uint32_t *header = (uint32_t *)(page + 1024);
	char line[200];
	FILE *f = fopen("/proc/swaps", "r");
	bool have = f && fgets(line, sizeof(line), f) &&
		    fgets(line, sizeof(line), f);
	int fd;

	if (f)
		fclose(f);
	if (have)
		return true;
	if (get("/sys/block/zram0/disksize") == 0)
		put("/sys/block/zram0/disksize", "67108864");
	fd = open("/dev/zram0", O_WRONLY);
	if (fd < 0)
		return false;
	header[0] = 1;
	header[1] = 67108864 / PAGE - 1;
	memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
	have = write(fd, page, PAGE) == PAGE && !fsync(fd);
	close(fd);
	return have && !swapon("/dev/zram0", 0);
}

TEST(swap_out)
{
	uint8_t *mem = mem_alloc(SIZE, MEM_SMALL);
	struct guest *g;
	long swapped;
	int i;

	if (!swap_on()) {
		SKIP(return, "no swap and no /dev/zram0");
	}
	g = start_owners(mem);
	swapped = swap_writes();
	for (i = 0; i < 8; i++) {
		wait_passes(g, 20);
		ASSERT_EQ(0, madvise(mem, SIZE, MADV_PAGEOUT));
	}
	stop_owners(_metadata, g, mem);
	/* Only the guest's own pages are there to be swapped out. */
	ASSERT_LT(swapped, swap_writes()) {
		TH_LOG("nothing was ever swapped out");
	}
}

/*
 * Replacement. For each page the host keeps a sequence count in the guest:
 * odd while it changes the page. If it is even and the same before and after
 * the guest has read, the guest must have read the page's current value.
 */
#define R_PAGES		24

static uint64_t sequence[R_PAGES], value[R_PAGES], checked[VCPUS];

static void g_reader(uint64_t me)
{
	uint64_t page = me, before, want, i;

	while (!READ(stop)) {
		volatile uint64_t *p;
		bool good = true;

		page = (page + 7) % R_PAGES;
		p = (uint64_t *)(GUEST_TEST + page * PAGE);
		before = READ(sequence[page]);
		want = READ(value[page]);
		for (i = 0; i < 512; i += 8)
			good &= p[i] == want;
		if (!(before & 1) && before == READ(sequence[page])) {
			if (!good)
				G_FAIL("stale read", page, want);
			WRITE(checked[me], READ(checked[me]) + 1);
		}
		/* Writes of its own, to keep it mapped writable. */
		p[me * 2 + 1] = before;
	}
}

enum how { DONTNEED, REPLACE, HOLE, SLOW };

static void replace_page(struct __test_metadata *_metadata, uint8_t *p,
			 enum how how, int fd, uint64_t page)
{
	switch (how) {
	case DONTNEED:
		ASSERT_EQ(0, madvise(p, PAGE, MADV_DONTNEED));
		break;
	case REPLACE:
		ASSERT_EQ(p, mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
				  MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		break;
	case HOLE:
		ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				       FALLOC_FL_KEEP_SIZE, page * PAGE, PAGE));
		break;
	case SLOW:
		/* Nothing there in between: the guest's access fails. */
		ASSERT_EQ(0, munmap(p, PAGE));
		usleep(100);
		ASSERT_EQ(p, mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
				  MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	}
}

static void replacement(struct __test_metadata *_metadata, enum how how)
{
	int fd = memfd_create("guest", 0);
	uint8_t *mem = mem_alloc(2 * MB, how == DONTNEED ? MEM_THP : MEM_SMALL);
	struct guest *g;
	uint64_t s = seed(), i, k, from;

	if (how == HOLE) {
		ASSERT_EQ(0, ftruncate(fd, 2 * MB));
		ASSERT_EQ(mem, mmap(mem, 2 * MB, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, fd, 0));
	}
	g = guest_new(0);
	ASSERT_EQ(0, guest_slot(g, 1, 0, GUEST_TEST, 2 * MB, mem));
	for (i = 0; i < VCPUS; i++) {
		guest_vcpu(g, g_reader, i);
		ASSERT_EQ(0, pthread_create(&g->vcpu[i].thread, NULL,
					    owner_thread, &g->vcpu[i]));
	}
	for (i = 1; i <= 150; i++) {
		uint64_t page = rng(&s) % R_PAGES;
		uint64_t *p = (uint64_t *)(mem + page * PAGE);
		uint64_t *seq = &guest_var(g, sequence[page]);

		__atomic_store_n(seq, *seq + 1, __ATOMIC_SEQ_CST);
		replace_page(_metadata, (uint8_t *)p, how, fd, page);
		/* Fresh: zero, but for what the guest has written since. */
		for (k = 0; k < 512; k += 8) {
			ASSERT_EQ(0, READ(p[k]));
			WRITE(p[k], i);
		}
		WRITE(guest_var(g, value[page]), i);
		__atomic_store_n(seq, *seq + 1, __ATOMIC_SEQ_CST);
		if (i % 10 == 0) {
			from = READ(guest_var(g, checked[i / 10 % VCPUS]));
			while (READ(guest_var(g, checked[i / 10 % VCPUS])) <
			       from + 20)
				usleep(100);
		}
	}
	WRITE(guest_var(g, stop), 1);
	for (i = 0; i < VCPUS; i++)
		vcpu_join(&g->vcpu[i]);
}

TEST(dontneed)
{
	replacement(_metadata, DONTNEED);
}

TEST(new_mapping)
{
	replacement(_metadata, REPLACE);
}

TEST(punch_hole)
{
	replacement(_metadata, HOLE);
}

TEST(munmap_and_mmap)
{
	replacement(_metadata, SLOW);
}

/*
 * Stale writes. Each page of the slot is one of two pages of a file that the
 * test sees elsewhere too; after a switch the old one must not change.
 */
static void g_writer(uint64_t me)
{
	uint64_t n = 0, i;

	while (!READ(stop)) {
		for (i = me; i < R_PAGES; i += VCPUS)
			write64((void *)(GUEST_TEST + i * PAGE + 8), ++n);
		WRITE(passes[me], n);
	}
}

TEST(stale_writes)
{
	const size_t half = R_PAGES * PAGE;
	int fd = memfd_create("guest", 0), where[R_PAGES] = { 0 };
	uint8_t *mem = mem_alloc(2 * MB, MEM_SMALL), *alias;
	struct guest *g = guest_new(0);
	uint64_t s = seed(), i, before;

	ASSERT_EQ(0, ftruncate(fd, 2 * half));
	alias = mmap(NULL, 2 * half, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, alias);
	ASSERT_EQ(mem, mmap(mem, half, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, fd, 0));
	ASSERT_EQ(0, guest_slot(g, 1, 0, GUEST_TEST, half, mem));
	for (i = 0; i < VCPUS; i++) {
		guest_vcpu(g, g_writer, i);
		ASSERT_EQ(0, pthread_create(&g->vcpu[i].thread, NULL,
					    owner_thread, &g->vcpu[i]));
	}
	for (i = 0; i < 120; i++) {
		int page = rng(&s) % R_PAGES, old = where[page];
		uint8_t *p = mem + page * PAGE;
		volatile uint64_t *gone = (uint64_t *)(alias + old * half +
						       page * PAGE + 8);

		where[page] = !old;
		ASSERT_EQ(p, mmap(p, PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED, fd,
				  where[page] * half + page * PAGE));
		before = *gone;
		if (i % 10 == 0) {
			wait_passes(g, R_PAGES * 2);
		}
		ASSERT_EQ(before, *gone);
	}
	wait_passes(g, R_PAGES);
	WRITE(guest_var(g, stop), 1);
	for (i = 0; i < VCPUS; i++)
		vcpu_join(&g->vcpu[i]);
	/* And all of them arrive in the current one. */
	for (i = 0; i < R_PAGES; i++) {
		ASSERT_LT(0, *(uint64_t *)(alias + where[i] * half + i * PAGE + 8));
	}
}

TEST_HARNESS_MAIN
