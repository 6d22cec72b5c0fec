// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of page tables goes back to a host that is short of it, and the guest
 * does not notice.
 */
#include <kselftest_harness.h>
#include <fcntl.h>

#include "guest.h"

#define SPAN	(1 * GB)
#define TABLES	((long)(SPAN / (2 * MB)))

/* Kilobytes of page tables that hypervisors have made, of all VMs. */
static long table_memory(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long kib = -1;

	/* The counters of each CPU are added up now. */
	if (fd < 0 || write(fd, "1", 1) != 1)
		DIE("stat_refresh: %m");
	close(fd);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "SecPageTables: %ld kB", &kib);
	fclose(f);
	if (kib < 0)
		DIE("/proc/meminfo has no SecPageTables");
	return kib;
}

/* Every shrinker of the kernel gives what it has; tables go by RCU a little later. */
static void shrink(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "2", 1) != 1)
		DIE("drop_caches: %m");
	close(fd);
	msleep(50);
}

/* Much address space, little memory. */
static void *sparse_memory(void)
{
	void *p = mmap(NULL, SPAN, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED || madvise(p, SPAN, MADV_NOHUGEPAGE))
		DIE("mmap: %m");
	return p;
}

/* One page in each table: write it, and read what the last round has written. */
static void sparse(uint64_t arg)
{
	uint64_t round, p;

	for (round = 1;; round++) {
		for (p = GUEST_TEST; p < GUEST_TEST + SPAN; p += 2 * MB) {
			if (round > 1)
				G_EQ(read64((void *)p), p + round - 1);
			write64((void *)p, p + round);
		}
		guest_sync(round, 0, 0);
	}
}

TEST(tables_come_back)
{
	long before = table_memory(), full, after = 0;
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, sparse, 0);
	unsigned int i, k;

	if (strstr(device_path(), "kvm"))
		SKIP(return, "the kernel's own keeps them");
	ASSERT_EQ(0, guest_slot(g, 7, 0, GUEST_TEST, SPAN, sparse_memory()));
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(i, run_sync(v).a);
		full = table_memory() - before;
		ASSERT_LE(TABLES * 4, full);
		shrink();
		/* RCU takes its time on a busy machine. Less than a batch may stay. */
		for (k = 0; k < 200; k++) {
			after = table_memory() - before;
			if (after < TABLES * 4 / 4)
				break;
			msleep(100);
		}
		printf("# %ld KiB of tables, after reclaim %ld KiB\n", full, after);
		ASSERT_GT(TABLES * 4 / 4, after);
	}
	ASSERT_EQ(4, run_sync(v).a);
}

static void *shrinker_thread(void *stop)
{
	while (!READ(*(bool *)stop))
		shrink();
	return NULL;
}

/* While the guest runs, and its memory is logged. */
TEST(while_it_runs)
{
	static uint64_t bitmap[SPAN / PAGE / 64];
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, sparse, 0);
	struct kvm_dirty_log log = { .slot = 7, .dirty_bitmap = bitmap };
	pthread_t thread;
	uint64_t end = now_ns() + 2000000000;
	bool stop = false;
	unsigned int i, k;

	ASSERT_EQ(0, guest_slot(g, 7, KVM_MEM_LOG_DIRTY_PAGES, GUEST_TEST, SPAN,
				sparse_memory()));
	ASSERT_EQ(0, pthread_create(&thread, NULL, shrinker_thread, &stop));
	for (i = 1; i <= 3 || now_ns() < end; i++) {
		ASSERT_EQ(i, run_sync(v).a);
		ASSERT_EQ(0, ioctl(g->vm, KVM_GET_DIRTY_LOG, &log));
		/* What was written is in the log, whatever became of its table. */
		for (k = 0; k < TABLES; k++)
			ASSERT_EQ(1, bitmap[k * 8]);
	}
	WRITE(stop, true);
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
