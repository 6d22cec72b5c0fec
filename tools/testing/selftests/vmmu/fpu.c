// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's FPU, SSE and AVX registers are its own: across exits, preemption
 * and signals, beside other vCPUs and host threads that use theirs; and the
 * host's are its own likewise.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define NR	16		/* vector registers */
#define ROUNDS	100

struct vectors {
	uint8_t b[NR][32];
} __attribute__((aligned(32)));

#define ALL_YMM(X)							\
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)				\
	X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

#define __LOAD(n)	"vmovdqa 32*" #n "(%0), %%ymm" #n "\n\t"
#define __STORE(n)	"vmovdqa %%ymm" #n ", 32*" #n "(%0)\n\t"
#define __LOADX(n)	"movdqa 32*" #n "(%0), %%xmm" #n "\n\t"
#define __STOREX(n)	"movdqa %%xmm" #n ", 32*" #n "(%0)\n\t"

/* The compiler uses no vector registers here, see the Makefile. */
static void load(const struct vectors *v, bool avx)
{
	if (avx)
		asm volatile(ALL_YMM(__LOAD) : : "r"(v) : "memory");
	else
		asm volatile(ALL_YMM(__LOADX) : : "r"(v) : "memory");
}

static void store(struct vectors *v, bool avx)
{
	if (avx)
		asm volatile(ALL_YMM(__STORE) : : "r"(v) : "memory");
	else
		asm volatile(ALL_YMM(__STOREX) : : "r"(v) : "memory");
}

static void fill(struct vectors *v, uint64_t s)
{
	int i, k;

	for (i = 0; i < NR; i++)
		for (k = 0; k < 32; k++)
			v->b[i][k] = rng(&s);
}

/* The index of the first byte that differs, -1: none. */
static int differ(const struct vectors *a, const struct vectors *b, bool avx)
{
	int i, k;

	for (i = 0; i < NR; i++)
		for (k = 0; k < (avx ? 32 : 16); k++)
			if (a->b[i][k] != b->b[i][k])
				return i * 32 + k;
	return -1;
}

static bool has_avx(void)
{
	uint32_t r[4];

	cpuid_count(1, 0, r);
	return r[2] >> 28 & 1;
}

static struct vectors want[4], got[4];
static uint64_t use_avx;

static void enable_avx(void)
{
	if (!use_avx)
		return;
	write_cr4(read_cr4() | X86_CR4_OSXSAVE);
	asm volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
}

/* Exits of different kinds, busy times between them. */
static void g_keep(uint64_t me)
{
	uint64_t i, n;
	uint32_t r[4];
	uint16_t cw = 0x27f, cw2;
	uint32_t csr = 0x1fa0, csr2;

	enable_avx();
	fill(&want[me], me + 1);
	asm volatile("fninit; fldcw %0; fldpi; ldmxcsr %1" : : "m"(cw), "m"(csr));
	load(&want[me], use_avx);
	for (i = 0; i < ROUNDS; i++) {
		switch (i % 4) {
		case 0:
			guest_sync(i, 0, 0);
			break;
		case 1:
			cpuid_count(1, 0, r);
			break;
		case 2:
			for (n = 0; n < 20000; n++)
				asm volatile("" : "+r"(n));
			break;
		default:
			outb(0x80, 0);
		}
		store(&got[me], use_avx);
		G_EQ(differ(&want[me], &got[me], use_avx), -1);
		/* One register changes each time. */
		want[me].b[i % NR][i % 16] ^= 0x5a;
		load(&want[me], use_avx);
	}
	asm volatile("fnstcw %0; stmxcsr %1" : "=m"(cw2), "=m"(csr2));
	G_EQ(cw2, cw);
	G_EQ(csr2, csr);
	asm volatile("fldpi; fcompp; fnstsw %%ax" : "=a"(cw2));
	G_ASSERT(cw2 & 0x4000);
}

/* Run a vCPU to its end with the host's own registers in use between exits. */
static void *run_mixed(void *arg)
{
	struct vcpu *v = arg;
	struct vectors mine, now;
	bool avx = has_avx();
	struct ucall u;

	if (v->pin >= 0)
		pin_to(v->pin);
	fill(&mine, v->id + 100);
	do {
		int error;

		load(&mine, avx);
		do {
			error = vcpu_enter(v);
			store(&now, avx);
			if (differ(&mine, &now, avx) >= 0)
				DIE("KVM_RUN changed the host's registers");
		} while (error == -EINTR);
		if (error)
			DIE("KVM_RUN: %s", strerror(-error));
		u.kind = v->run->exit_reason == KVM_EXIT_IO ?
			 v->run->io.port : 0;
		if (u.kind == UCALL_FAIL || u.kind == UCALL_TRAP) {
			struct kvm_regs r = vcpu_regs(v);

			DIE("vCPU %d: %s: line or vector %lld, %#llx, %#llx",
			    v->id, u.kind == UCALL_FAIL ? (char *)r.rsi : "trap",
			    r.rdi, r.rbx, r.rcx);
		}
	} while (u.kind != UCALL_DONE);
	return NULL;
}

static void mixed(int vcpus, bool avx, int pin)
{
	struct guest *g = guest_new(0);
	int i;

	for (i = 0; i < vcpus; i++)
		guest_vcpu(g, g_keep, i)->pin = pin;
	guest_var(g, use_avx) = avx;
	for (i = 0; i < vcpus; i++)
		if (pthread_create(&g->vcpu[i].thread, NULL, run_mixed,
				   &g->vcpu[i]))
			DIE("pthread_create");
	for (i = 0; i < vcpus; i++)
		vcpu_join(&g->vcpu[i]);
}

TEST(sse)
{
	mixed(1, false, -1);
}

TEST(avx)
{
	if (!has_avx()) {
		SKIP(return, "no AVX");
	}
	mixed(1, true, -1);
}

/* Several on one CPU, with a busy host thread among them. */
static volatile int busy_stop;

static void *busy(void *arg)
{
	struct vectors mine, now;
	bool avx = has_avx();
	int i;

	pin_to(0);
	fill(&mine, 999);
	load(&mine, avx);
	while (!busy_stop) {
		for (i = 0; i < 10000; i++)
			asm volatile("" : "+r"(i));
		store(&now, avx);
		if (differ(&mine, &now, avx) >= 0)
			DIE("a guest's registers leaked into a host thread");
	}
	return NULL;
}

TEST(preempted)
{
	pthread_t t;

	ASSERT_EQ(0, pthread_create(&t, NULL, busy, NULL));
	mixed(3, has_avx(), 0);
	busy_stop = 1;
	pthread_join(t, NULL);
}

/* XSAVE and XRSTOR in the guest. */
static uint8_t area[4096] __attribute__((aligned(64)));

static void g_xsave(void)
{
	enable_avx();
	fill(&want[0], 7);
	load(&want[0], use_avx);
	asm volatile("xsave64 (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
	guest_sync(0, 0, 0);
	fill(&want[1], 8);
	load(&want[1], use_avx);
	asm volatile("xrstor64 (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
	store(&got[0], use_avx);
	G_EQ(differ(&want[0], &got[0], use_avx), -1);
	/* A component that XCR0 does not have. */
	G_EQ(guest_try("xsetbv", G_OPERANDS(),
		       G_OPERANDS("c"(0), "a"(5), "d"(0))), GP_VECTOR);
	G_EQ(guest_try("xsetbv", G_OPERANDS(),
		       G_OPERANDS("c"(0), "a"(6), "d"(0))), GP_VECTOR);
	G_EQ(guest_try("xsetbv", G_OPERANDS(),
		       G_OPERANDS("c"(1), "a"(1), "d"(0))), GP_VECTOR);
}

TEST(xsave)
{
	struct guest *g;
	struct vcpu *v;

	if (!has_avx()) {
		SKIP(return, "no AVX");
	}
	use_avx = 1;
	g = guest_new(0);
	v = guest_vcpu(g, g_xsave, 0);
	run_sync(v);
	run_done(v);
}

TEST_HARNESS_MAIN
