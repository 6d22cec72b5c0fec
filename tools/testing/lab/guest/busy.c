// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program of the guest that is busy on every CPU and notices when somebody
 * changes what it relies on: memory, vector registers, time, disk. It is moved
 * from one QEMU to another meanwhile, or looked at by gdb.
 *
 *	busy MIB [DISK]
 *
 * One thread per CPU writes MIB of memory over and over; each word depends on
 * where and when it was written and is checked before the next is. It prints
 * `vmmu-count: N` whenever all threads have got further, and ends at SIGTERM;
 * its exit status is the verdict, what was wrong is said at once.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096
#define WORDS		(PAGE / sizeof(uint64_t))
#define STRIDE		8		/* one word per cache line is written */
#define MAX_CPUS	64
#define BLOCK		16384
#define BLOCKS		64
#define LEAP		60000000000ull	/* ns that nobody may lose at once */

static atomic_bool stop;
static atomic_int bad;
static atomic_ulong rounds[MAX_CPUS + 1];	/* the last one: disk */
static atomic_ulong last_time, last_tsc;
static pthread_barrier_t barrier;
static unsigned int cpus;
static size_t pages;

#define WRONG(format, ...) \
	(atomic_store(&bad, 1), printf("vmmu-busy: WRONG " format "\n", ## __VA_ARGS__))

static void on_term(int signal)
{
	stop = 1;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = a * 0x9e3779b97f4a7c15 + b + 1;

	x ^= x >> 31;
	x *= 0xbf58476d1ce4e5b9;
	return x ^ x >> 29;
}

/* Time never runs backwards, on no CPU seen from any other, and never leaps. */
static void check_time(void)
{
	uint64_t tsc = atomic_load(&last_tsc), ns = atomic_load(&last_time), now;
	struct timespec ts;

	_mm_lfence();
	now = __rdtsc();
	if (now < tsc)
		WRONG("TSC: %lu after %lu", now, tsc);
	while (now > tsc && !atomic_compare_exchange_weak(&last_tsc, &tsc, now))
		;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = ts.tv_sec * 1000000000ull + ts.tv_nsec;
	if (now < ns || (ns && now - ns > LEAP))
		WRONG("time: %lu after %lu", now, ns);
	while (now > ns && !atomic_compare_exchange_weak(&last_time, &ns, now))
		;
}

/* Vector registers keep what is in them while a good many things may happen. */
#define SPIN	"	mov $20000, %%ecx\n1:	dec %%ecx\n	jnz 1b\n"

static void hold_sse(const uint64_t *in, uint64_t *out)
{
	asm volatile("	movdqu (%0), %%xmm2\n	movdqu 16(%0), %%xmm13\n" SPIN
		     "	movdqu %%xmm2, (%1)\n	movdqu %%xmm13, 16(%1)\n"
		     : : "r"(in), "r"(out) : "ecx", "xmm2", "xmm13", "cc", "memory");
}

static void hold_avx(const uint64_t *in, uint64_t *out)
{
	asm volatile("	vmovdqu (%0), %%ymm2\n	vmovdqu 32(%0), %%ymm13\n" SPIN
		     "	vmovdqu %%ymm2, (%1)\n	vmovdqu %%ymm13, 32(%1)\n	vzeroupper\n"
		     : : "r"(in), "r"(out) : "ecx", "xmm2", "xmm13", "cc", "memory");
}

static void check_vectors(uint64_t seed)
{
	uint64_t in[8], out[8] = {};
	bool avx = __builtin_cpu_supports("avx");
	unsigned int i;

	for (i = 0; i < 8; i++)
		in[i] = mix(seed, i);
	(avx ? hold_avx : hold_sse)(in, out);
	if (memcmp(in, out, avx ? 64 : 32))
		WRONG("vector registers");
}

static void write_page(uint64_t *page, uint64_t where, uint64_t when)
{
	size_t i;

	for (i = 0; i < WORDS; i += STRIDE)
		page[i] = mix(where, when + i);
}

static void check_page(const uint64_t *page, uint64_t where, uint64_t when)
{
	size_t i;

	for (i = 0; i < WORDS; i += STRIDE)
		if (page[i] != mix(where, when + i)) {
			WRONG("memory: page %lx, round %lu, word %zu: %lx", where, when, i,
			      page[i]);
			return;
		}
}

static void *memory_thread(void *arg)
{
	unsigned int me = (uintptr_t)arg;
	uint64_t *memory, round, p;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(me, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "CPU %u", me);
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (memory == MAP_FAILED)
		err(1, "memory");
	for (p = 0; p < pages; p++)
		write_page(memory + p * WORDS, me * pages + p, 0);
	for (round = 1; ; round++) {
		for (p = 0; p < pages && !stop; p++) {
			check_page(memory + p * WORDS, me * pages + p, round - 1);
			write_page(memory + p * WORDS, me * pages + p, round);
			check_time();
		}
		if (stop)
			return NULL;
		check_vectors(mix(me, round));
		atomic_fetch_add(&rounds[me], 1);
		/* Threads wake each other: interrupts from CPU to CPU. */
		pthread_barrier_wait(&barrier);
	}
}

static void *disk_thread(void *arg)
{
	uint64_t *block = aligned_alloc(PAGE, BLOCK), round, n;
	int fd = open(arg, O_RDWR | O_DIRECT);
	size_t i;

	if (fd < 0 || !block)
		err(1, "%s", (char *)arg);
	for (round = 0; !stop; round++) {
		for (n = 0; n < BLOCKS && !stop; n++) {
			if (round && pread(fd, block, BLOCK, n * BLOCK) != BLOCK)
				WRONG("disk: cannot read");
			for (i = 0; i < BLOCK / 8; i++) {
				if (round && block[i] != mix(n, round - 1 + i)) {
					WRONG("disk: block %lu", n);
					break;
				}
			}
			for (i = 0; i < BLOCK / 8; i++)
				block[i] = mix(n, round + i);
			if (pwrite(fd, block, BLOCK, n * BLOCK) != BLOCK)
				WRONG("disk: cannot write");
			atomic_fetch_add(&rounds[MAX_CPUS], 1);
			usleep(10000);
		}
	}
	close(fd);
	return NULL;
}

/* All that have work to do have done some since they were last asked. */
static bool all_got_further(uint64_t *seen, bool disk)
{
	unsigned int i;

	for (i = 0; i <= MAX_CPUS; i++)
		if ((i < cpus || (i == MAX_CPUS && disk)) && atomic_load(&rounds[i]) == seen[i])
			return false;
	for (i = 0; i <= MAX_CPUS; i++)
		seen[i] = atomic_load(&rounds[i]);
	return true;
}

int main(int argc, char **argv)
{
	uint64_t seen[MAX_CPUS + 1] = {};
	pthread_t thread[MAX_CPUS + 1];
	unsigned int i, count = 0;
	bool disk = argc > 2;

	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (argc < 2 || cpus > MAX_CPUS)
		errx(1, "Usage: busy MIB [DISK]");
	pages = strtoul(argv[1], NULL, 0) * 256;
	setlinebuf(stdout);
	signal(SIGTERM, on_term);
	pthread_barrier_init(&barrier, NULL, cpus);
	for (i = 0; i < cpus; i++)
		if (pthread_create(&thread[i], NULL, memory_thread, (void *)(uintptr_t)i))
			errx(1, "no thread");
	if (disk && pthread_create(&thread[MAX_CPUS], NULL, disk_thread, argv[2]))
		errx(1, "no thread");
	while (!stop) {
		usleep(200000);
		if (all_got_further(seen, disk))
			printf("vmmu-count: %u\n", ++count);
	}
	/* Threads at the barrier wait for some that have left: the process's end is theirs. */
	if (disk)
		pthread_join(thread[MAX_CPUS], NULL);
	printf("vmmu-busy: %s\n", atomic_load(&bad) ? "WRONG" : "all was right");
	return atomic_load(&bad);
}
