// SPDX-License-Identifier: GPL-2.0-only
/*
 * SSE and AVX moves on memory-mapped I/O: whatever they do on RAM, where the
 * processor executes them, they must do on a device that behaves as memory.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define MMIO	0x50000000ul
#define AREA	128

/* @p: 32-byte aligned memory; the register starts with @in and ends in @out. */
#define SSE(name, insn)							\
static void op_##name(void *p, const void *in, void *out)		\
{									\
	asm volatile("movups (%1), %%xmm3; " insn "; movups %%xmm3, (%2)"	\
		     : : "D"(p), "r"(in), "r"(out) : "memory");		\
}

#define AVX(name, insn)							\
static void op_##name(void *p, const void *in, void *out)		\
{									\
	asm volatile("vmovups (%1), %%ymm9; " insn "; vmovups %%ymm9, (%2)"	\
		     : : "D"(p), "r"(in), "r"(out) : "memory");		\
}

#define OPS								\
X(SSE, movups_load, "movups 3(%%rdi), %%xmm3")				\
X(SSE, movups_store, "movups %%xmm3, 3(%%rdi)")				\
X(SSE, movupd_load, "movupd 8(%%rdi), %%xmm3")				\
X(SSE, movaps_load, "movaps (%%rdi), %%xmm3")				\
X(SSE, movaps_store, "movaps %%xmm3, 16(%%rdi)")			\
X(SSE, movapd_store, "movapd %%xmm3, 16(%%rdi)")			\
X(SSE, movss_load, "movss 4(%%rdi), %%xmm3")				\
X(SSE, movss_store, "movss %%xmm3, 4(%%rdi)")				\
X(SSE, movsd_load, "movsd 4(%%rdi), %%xmm3")				\
X(SSE, movsd_store, "movsd %%xmm3, 4(%%rdi)")				\
X(SSE, movdqa_load, "movdqa (%%rdi), %%xmm3")				\
X(SSE, movdqa_store, "movdqa %%xmm3, (%%rdi)")				\
X(SSE, movdqu_load, "movdqu 5(%%rdi), %%xmm3")				\
X(SSE, movdqu_store, "movdqu %%xmm3, 5(%%rdi)")				\
X(SSE, movntdq, "movntdq %%xmm3, (%%rdi)")				\
X(SSE, movntps, "movntps %%xmm3, (%%rdi)")				\
X(SSE, movntdqa, "movntdqa (%%rdi), %%xmm3")				\
X(SSE, lddqu, "lddqu 7(%%rdi), %%xmm3")					\
X(SSE, movd_load, "movd (%%rdi), %%xmm3")				\
X(SSE, movd_store, "movd %%xmm3, (%%rdi)")				\
X(SSE, movq_load, "movq 8(%%rdi), %%xmm3")				\
X(SSE, movq_store, "movq %%xmm3, 8(%%rdi)")				\
X(SSE, movq_rex, "rex.W movd %%xmm3, 8(%%rdi)")				\
X(SSE, movlps_load, "movlps 8(%%rdi), %%xmm3")				\
X(SSE, movlps_store, "movlps %%xmm3, 8(%%rdi)")				\
X(SSE, movhps_load, "movhps 8(%%rdi), %%xmm3")				\
X(SSE, movhpd_store, "movhpd %%xmm3, 8(%%rdi)")				\
X(AVX, vmovups_load, "vmovups 3(%%rdi), %%ymm9")			\
X(AVX, vmovups_store, "vmovups %%ymm9, 3(%%rdi)")			\
X(AVX, vmovups_xmm_load, "vmovups 3(%%rdi), %%xmm9")			\
X(AVX, vmovups_xmm_store, "vmovups %%xmm9, 3(%%rdi)")			\
X(AVX, vmovdqa_load, "vmovdqa (%%rdi), %%ymm9")				\
X(AVX, vmovdqa_store, "vmovdqa %%ymm9, (%%rdi)")			\
X(AVX, vmovdqu_load, "vmovdqu 9(%%rdi), %%ymm9")			\
X(AVX, vmovntdq, "vmovntdq %%ymm9, (%%rdi)")				\
X(AVX, vmovss_load, "vmovss 4(%%rdi), %%xmm9")				\
X(AVX, vmovq_load, "vmovq 8(%%rdi), %%xmm9")				\
X(AVX, vmovd_store, "vmovd %%xmm9, 8(%%rdi)")

#define X(kind, name, insn) kind(name, insn)
OPS
#undef X

#define KIND_SSE 0
#define KIND_AVX 1

static const struct op {
	const char *text;
	void (*fn)(void *p, const void *in, void *out);
	int avx;
} ops[] = {
#define X(kind, name, insn) { #name ": " insn, op_##name, KIND_##kind },
OPS
#undef X
};

#define NR_OPS (int)(sizeof(ops) / sizeof(ops[0]))

static uint8_t ram[AREA] __attribute__((aligned(64)));
static uint8_t device[AREA];

static bool enable_avx(void)
{
	uint32_t a = 1, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	/* XSAVE and AVX */
	if ((c & (1u << 26 | 1u << 28)) != (1u << 26 | 1u << 28))
		return false;
	write_cr4(read_cr4() | 1ul << 18);
	asm volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
	return true;
}

static void fill(volatile uint32_t *p, uint32_t seed)
{
	int i;

	for (i = 0; i < AREA / 4; i++)
		p[i] = seed += 0x9e3779b9;
}

static void g_vector(void)
{
	uint8_t in[32], out[2][32];
	volatile uint32_t *area[2] = { (void *)ram, (void *)MMIO };
	bool avx = enable_avx();
	int n, t, i;

	for (n = 0; n < NR_OPS; n++) {
		if (ops[n].avx && !avx)
			continue;
		for (i = 0; i < 32; i++) {
			in[i] = 0xa0 + 3 * i + n;
			out[0][i] = 0;
			out[1][i] = 0;
		}
		for (t = 0; t < 2; t++) {
			fill(area[t], n);
			ops[n].fn((void *)(area[t] + 8), in, out[t]);
		}
		for (i = 0; i < 32; i++)
			if (out[0][i] != out[1][i])
				guest_sync(n + 1, i, out[0][i] | out[1][i] << 8);
		for (i = 0; i < AREA / 4; i++)
			if (area[0][i] != area[1][i])
				guest_sync(n + 1, 100 + i, area[0][i] ^ area[1][i]);
	}
	guest_sync(0, n, avx);
}

TEST(vector_moves)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_vector, 0);
	struct kvm_run *run = v->run;
	struct ucall u;

	for (;;) {
		u = vcpu_run_ucall(v);
		if (!u.kind && run->exit_reason == KVM_EXIT_MMIO) {
			uint64_t at = run->mmio.phys_addr - MMIO;

			ASSERT_LE(run->mmio.len, 8);
			ASSERT_LE(at + run->mmio.len, AREA);
			if (run->mmio.is_write)
				memcpy(device + at, run->mmio.data, run->mmio.len);
			else
				memcpy(run->mmio.data, device + at, run->mmio.len);
			continue;
		}
		ASSERT_EQ(UCALL_SYNC, u.kind) {
			vcpu_dump(v);
		}
		if (!u.a)
			break;
		EXPECT_EQ(0, u.a) {
			TH_LOG("%s: place %lu: %#lx", ops[u.a - 1].text, (long)u.b, (long)u.c);
		}
	}
	ASSERT_EQ(NR_OPS, u.b);
	if (!u.c)
		TH_LOG("no AVX in the guest: its moves were left out");
	run_done(v);
}

/* What must be aligned faults on a device as on RAM, and leaves it alone. */
static void g_misaligned(void)
{
	G_EQ(guest_try("movaps 4(%[p]), %%xmm3", G_OPERANDS(), G_OPERANDS([p] "r"(MMIO))), 13);
	G_EQ(guest_try("movdqa %%xmm3, 8(%[p])", G_OPERANDS(), G_OPERANDS([p] "r"(MMIO))), 13);
	G_EQ(guest_try("movntdq %%xmm3, 1(%[p])", G_OPERANDS(), G_OPERANDS([p] "r"(MMIO))), 13);
}

TEST(misaligned)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_misaligned, 0);

	run_done(v);
}

TEST_HARNESS_MAIN
