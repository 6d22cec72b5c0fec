// SPDX-License-Identifier: GPL-2.0-only
/*
 * SSE and AVX moves between a vector register and memory, which is how drivers
 * copy to and from MMIO. Memory forms only; no arithmetic, no MMX, no EVEX.
 *
 * Guest vector registers lie in vcpu->fpu.area, a standard-format XSAVE area,
 * while our code runs. A component whose bit in the header is clear is in its
 * initial state (zero), whatever its bytes say; it is zeroed before a part of it
 * is written. AMD APM vol. 2, 11.5.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/fpu/types.h>
#include <asm/processor.h>
#include "emulator.h"

#define VECTOR_MAX	32

/* Where the standard format has the upper halves of the YMM registers. */
static_assert(offsetof(struct xregs_state, extended_state_area) == 576);

/* F3 and F2 beat 66. */
enum simd_prefix { PP_NONE, PP_66, PP_F3, PP_F2 };

static enum simd_prefix simd_prefix(const struct vmmu_insn *insn)
{
	if (insn->prefixes & VMMU_PREFIX_REP)
		return PP_F3;
	if (insn->prefixes & VMMU_PREFIX_REPNE)
		return PP_F2;
	return insn->prefixes & VMMU_PREFIX_OPSIZE ? PP_66 : PP_NONE;
}

static int available(struct vmmu_emul *em)
{
	struct vmmu_vcpu *vcpu = em->vcpu;
	u64 cr0 = vmmu_cpu->get_cr0(vcpu), cr4 = vmmu_cpu->get_cr4(vcpu);
	u64 avx = XFEATURE_MASK_SSE | XFEATURE_MASK_YMM;

	if (em->insn.vex) {
		if (!em->protected || !(cr4 & X86_CR4_OSXSAVE) || (vcpu->fpu.xcr0 & avx) != avx)
			return em_ud(em);
	} else if ((cr0 & X86_CR0_EM) || !(cr4 & X86_CR4_OSFXSR)) {
		return em_ud(em);
	}
	return cr0 & X86_CR0_TS ? em_fault(em, VECTOR_NM, false, 0) : EM_OK;
}

static void *xmm(struct vmmu_vcpu *vcpu, unsigned int reg)
{
	return (u8 *)vcpu->fpu.area->i387.xmm_space + reg * 16;
}

static void *ymm_high(struct vmmu_vcpu *vcpu, unsigned int reg)
{
	return vcpu->fpu.area->extended_state_area + reg * 16;
}

/* Hosts without XSAVE keep no header. */
static bool in_init_state(struct vmmu_vcpu *vcpu, u64 feature)
{
	return vmmu_supported_xcr0() && !(vcpu->fpu.area->header.xfeatures & feature);
}

static void get_vector(struct vmmu_vcpu *vcpu, unsigned int reg, u8 *buf)
{
	memset(buf, 0, VECTOR_MAX);
	if (!in_init_state(vcpu, XFEATURE_MASK_SSE))
		memcpy(buf, xmm(vcpu, reg), 16);
	if (vmmu_supported_xcr0() & XFEATURE_MASK_YMM &&
	    !in_init_state(vcpu, XFEATURE_MASK_YMM))
		memcpy(buf + 16, ymm_high(vcpu, reg), 16);
}

static void set_xmm(struct vmmu_vcpu *vcpu, unsigned int reg, const u8 *buf)
{
	struct xregs_state *x = vcpu->fpu.area;

	if (in_init_state(vcpu, XFEATURE_MASK_SSE)) {
		memset(x->i387.xmm_space, 0, sizeof(x->i387.xmm_space));
		x->header.xfeatures |= XFEATURE_MASK_SSE;
	}
	memcpy(xmm(vcpu, reg), buf, 16);
}

/* A VEX load clears everything above what it loads, ZMM's upper half too. */
static void clear_zmm_high(struct vmmu_vcpu *vcpu, unsigned int reg)
{
	u32 size, offset, ecx, edx;

	if (!(vmmu_supported_xcr0() & XFEATURE_MASK_ZMM_Hi256) ||
	    in_init_state(vcpu, XFEATURE_MASK_ZMM_Hi256))
		return;
	cpuid_count(0xd, XFEATURE_ZMM_Hi256, &size, &offset, &ecx, &edx);
	memset((u8 *)vcpu->fpu.area + offset + reg * 32, 0, 32);
}

static void set_ymm_high(struct vmmu_vcpu *vcpu, unsigned int reg, const u8 *buf)
{
	struct xregs_state *x = vcpu->fpu.area;

	if (in_init_state(vcpu, XFEATURE_MASK_YMM)) {
		memset(x->extended_state_area, 0, 256);
		x->header.xfeatures |= XFEATURE_MASK_YMM;
	}
	memcpy(ymm_high(vcpu, reg), buf, 16);
}

/* @buf: VECTOR_MAX bytes, zero above what was loaded. */
static void set_vector(struct vmmu_emul *em, const u8 *buf)
{
	struct vmmu_vcpu *vcpu = em->vcpu;

	set_xmm(vcpu, em->insn.reg, buf);
	if (em->insn.vex) {
		set_ymm_high(vcpu, em->insn.reg, buf + 16);
		clear_zmm_high(vcpu, em->insn.reg);
	}
}

/* The memory side of a move of @bytes. */
static int memory(struct vmmu_emul *em, unsigned int bytes, bool aligned, bool store, u8 *buf)
{
	u64 linear;
	int r = em_mem(em, bytes, store, &linear);

	if (r)
		return r;
	if (aligned && (linear & (bytes - 1)))
		return em_gp(em);
	return store ? em_write(em, linear, buf, bytes) : em_read(em, linear, buf, bytes, 0);
}

static int move(struct vmmu_emul *em, unsigned int bytes, bool aligned, bool store)
{
	u8 buf[VECTOR_MAX] = {};
	int r = available(em);

	if (r)
		return r;
	if (store)
		get_vector(em->vcpu, em->insn.reg, buf);
	r = memory(em, bytes, aligned, store, buf);
	if (!r && !store)
		set_vector(em, buf);
	return r;
}

/* Forms that we do not have: registers, EVEX, a second source. */
static bool foreign(const struct vmmu_insn *insn)
{
	return !insn->mem || insn->evex || (insn->vex && insn->vvvv);
}

/* MOVUPS 10 11, MOVAPS 28 29, MOVNTPS 2B, MOVDQA/U 6F 7F, MOVNTDQ E7, MOVNTDQA 38 2A, LDDQU F0. */
int em_sse_mov(struct vmmu_emul *em)
{
	const struct vmmu_insn *insn = &em->insn;
	unsigned int bytes = insn->vex && insn->vector_len ? 32 : 16;
	enum simd_prefix pp = simd_prefix(insn);
	bool scalar = pp == PP_F3 || pp == PP_F2;

	if (foreign(insn))
		return EM_UNHANDLED;
	if (insn->map == 2)
		return pp == PP_66 ? move(em, bytes, true, false) : EM_UNHANDLED;
	switch (insn->opcode) {
	case 0x10:
	case 0x11:
		if (scalar)
			bytes = pp == PP_F3 ? 4 : 8;
		return move(em, bytes, false, insn->opcode & 1);
	case 0x28:
	case 0x29:
		return scalar ? EM_UNHANDLED : move(em, bytes, true, insn->opcode & 1);
	case 0x2b:
		return scalar ? EM_UNHANDLED : move(em, bytes, true, true);
	case 0x6f:
	case 0x7f:
		if (pp != PP_66 && pp != PP_F3)
			return EM_UNHANDLED;
		return move(em, bytes, pp == PP_66, insn->opcode == 0x7f);
	case 0xe7:
		return pp == PP_66 ? move(em, bytes, true, true) : EM_UNHANDLED;
	case 0xf0:
		return pp == PP_F2 ? move(em, bytes, false, false) : EM_UNHANDLED;
	default:
		return EM_UNHANDLED;
	}
}

/* MOVLPS 12 13, MOVHPS 16 17 and their double-precision twins. */
int em_sse_half(struct vmmu_emul *em)
{
	const struct vmmu_insn *insn = &em->insn;
	enum simd_prefix pp = simd_prefix(insn);
	unsigned int half = insn->opcode & 4 ? 8 : 0;
	bool store = insn->opcode & 1;
	u8 buf[VECTOR_MAX];
	int r;

	/* A VEX load merges a second source. */
	if (foreign(insn) || pp > PP_66 || (insn->vex && !store))
		return EM_UNHANDLED;
	r = available(em);
	if (r)
		return r;
	get_vector(em->vcpu, insn->reg, buf);
	r = memory(em, 8, false, store, buf + half);
	if (!r && !store)
		set_xmm(em->vcpu, insn->reg, buf);
	return r;
}

/* MOVD and MOVQ: 66 6E load, 66 7E store, F3 7E load of 8, 66 D6 store of 8. */
int em_sse_gpr(struct vmmu_emul *em)
{
	const struct vmmu_insn *insn = &em->insn;
	enum simd_prefix pp = simd_prefix(insn);
	unsigned int bytes = insn->rex & 8 ? 8 : 4;

	if (foreign(insn))
		return EM_UNHANDLED;
	if (insn->opcode == 0x7e && pp == PP_F3)
		return move(em, 8, false, false);
	if (pp != PP_66)
		return EM_UNHANDLED;
	if (insn->opcode == 0xd6)
		return move(em, 8, false, true);
	return move(em, bytes, false, insn->opcode == 0x7e);
}
