// SPDX-License-Identifier: GPL-2.0-only
/*
 * The XSAVE area: what user space may set, what it reads back, geometry.
 */
#include <kunit/test.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include "vmmu/vm.h"
#include "xstate.h"

static struct vmmu_vcpu *make_vcpu(struct kunit *test)
{
	struct vmmu_vcpu *v = kunit_kzalloc(test, sizeof(*v), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, v);
	KUNIT_ASSERT_EQ(test, vmmu_fpu_create(v), 0);
	return v;
}

static void fpu_check(struct kunit *test)
{
	u64 all = XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM;
	struct xregs_state *x = kunit_kzalloc(test, sizeof(*x), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, x);
	KUNIT_EXPECT_EQ(test, vmmu_xsave_check(x, all, 0xffff), 0);
	x->header.xfeatures = all;
	KUNIT_EXPECT_EQ(test, vmmu_xsave_check(x, all, 0xffff), 0);
	x->header.xfeatures = all | XFEATURE_MASK_PKRU;
	KUNIT_EXPECT_EQ(test, vmmu_xsave_check(x, all, 0xffff), -EINVAL);
	x->header.xfeatures = all;
	x->header.xcomp_bv = XCOMP_BV_COMPACTED_FORMAT;
	KUNIT_EXPECT_EQ(test, vmmu_xsave_check(x, all, 0xffff), -EINVAL);
	x->header.xcomp_bv = 0;
	for (i = 0; i < ARRAY_SIZE(x->header.reserved); i++) {
		x->header.reserved[i] = 1;
		KUNIT_EXPECT_EQ(test, vmmu_xsave_check(x, all, 0xffff), -EINVAL);
		x->header.reserved[i] = 0;
	}
	x->i387.mxcsr = BIT(16);
	KUNIT_EXPECT_EQ(test, vmmu_xsave_check(x, all, 0xffff), -EINVAL);
	x->header.xfeatures = XFEATURE_MASK_YMM;
	KUNIT_EXPECT_EQ(test, vmmu_xsave_check(x, all, 0xffff), -EINVAL);
	x->header.xfeatures = XFEATURE_MASK_FP;
	KUNIT_EXPECT_EQ(test, vmmu_xsave_check(x, all, 0xffff), -EINVAL);
	x->header.xfeatures = 0;	/* it becomes initial then */
	KUNIT_EXPECT_EQ(test, vmmu_xsave_check(x, all, 0xffff), 0);
}

static void fpu_xcr0(struct kunit *test)
{
	u64 all = VMMU_XCR0_MASK;

	KUNIT_EXPECT_TRUE(test, vmmu_xcr0_valid(1, all));
	KUNIT_EXPECT_TRUE(test, vmmu_xcr0_valid(1, 0));
	KUNIT_EXPECT_TRUE(test, vmmu_xcr0_valid(3, all));
	KUNIT_EXPECT_TRUE(test, vmmu_xcr0_valid(7, all));
	KUNIT_EXPECT_TRUE(test, vmmu_xcr0_valid(all, all));
	KUNIT_EXPECT_FALSE(test, vmmu_xcr0_valid(0, all));
	KUNIT_EXPECT_FALSE(test, vmmu_xcr0_valid(2, all));
	KUNIT_EXPECT_FALSE(test, vmmu_xcr0_valid(5, all));
	KUNIT_EXPECT_FALSE(test, vmmu_xcr0_valid(0x27, all));	/* a third of AVX-512 */
	KUNIT_EXPECT_FALSE(test, vmmu_xcr0_valid(0xe3, all));	/* without AVX */
	KUNIT_EXPECT_TRUE(test, vmmu_xcr0_valid(0xe7, all));
	KUNIT_EXPECT_FALSE(test, vmmu_xcr0_valid(0x1f, all));	/* MPX */
	KUNIT_EXPECT_FALSE(test, vmmu_xcr0_valid(7, 3));
}

/* Our sizes against what the processor says for the host's XCR0. */
static void fpu_geometry(struct kunit *test)
{
	u64 xcr0 = vmmu_supported_xcr0();

	KUNIT_EXPECT_EQ(test, vmmu_xstate_size(XFEATURE_MASK_FPSSE), 576);
	KUNIT_EXPECT_EQ(test, vmmu_xstate_compacted_size(XFEATURE_MASK_FPSSE), 576);
	KUNIT_EXPECT_NULL(test, vmmu_xcomp_get(0));
	KUNIT_EXPECT_NULL(test, vmmu_xcomp_get(1));
	KUNIT_EXPECT_NULL(test, vmmu_xcomp_get(XFEATURE_BNDREGS));
	KUNIT_EXPECT_NULL(test, vmmu_xcomp_get(63));
	KUNIT_EXPECT_GE(test, vmmu_xsave_size(), 4096);
	if (!(xcr0 & XFEATURE_MASK_YMM))
		kunit_skip(test, "no AVX here");
	KUNIT_EXPECT_EQ(test, vmmu_xstate_size(XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM), 832);
	KUNIT_EXPECT_EQ(test, vmmu_xcomp_get(XFEATURE_YMM)->size, 256);
	KUNIT_EXPECT_LE(test, vmmu_xstate_size(xcr0), cpuid_ebx(0xd));
}

static void fpu_set_get(struct kunit *test)
{
	struct vmmu_vcpu *v = make_vcpu(test);
	u32 size = vmmu_xsave_size();
	struct xregs_state *in = kunit_kzalloc(test, size, GFP_KERNEL);
	struct xregs_state *out = kunit_kzalloc(test, size, GFP_KERNEL);
	struct kvm_fpu fpu;

	KUNIT_ASSERT_TRUE(test, in && out);
	KUNIT_EXPECT_EQ(test, vmmu_get_xsave(v, out, size - 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, vmmu_set_xsave(v, in, 576), -EINVAL);

	in->header.xfeatures = XFEATURE_MASK_FPSSE;
	in->i387.cwd = 0x27f;
	in->i387.mxcsr = 0x1fa0;
	in->i387.st_space[5] = 0x55;
	in->i387.xmm_space[63] = 0xabcd;
	in->i387.sw_reserved[0] = 0x99;
	KUNIT_EXPECT_EQ(test, vmmu_set_xsave(v, in, size), 0);
	KUNIT_EXPECT_EQ(test, vmmu_get_xsave(v, out, size), 0);
	KUNIT_EXPECT_EQ(test, out->i387.cwd, 0x27f);
	KUNIT_EXPECT_EQ(test, out->i387.mxcsr, 0x1fa0);
	KUNIT_EXPECT_EQ(test, out->i387.st_space[5], 0x55);
	KUNIT_EXPECT_EQ(test, out->i387.xmm_space[63], 0xabcd);
	KUNIT_EXPECT_EQ(test, out->i387.sw_reserved[0], 0);

	/* Refused: nothing changes. */
	in->header.xcomp_bv = 1;
	in->i387.cwd = 0x37f;
	KUNIT_EXPECT_EQ(test, vmmu_set_xsave(v, in, size), -EINVAL);
	KUNIT_EXPECT_EQ(test, v->fpu.area->i387.cwd, 0x27f);

	/* Components that are left out become initial. */
	in->header.xcomp_bv = 0;
	in->header.xfeatures = XFEATURE_MASK_SSE;
	in->i387.cwd = 0x27f;
	KUNIT_EXPECT_EQ(test, vmmu_set_xsave(v, in, size), 0);
	KUNIT_EXPECT_EQ(test, vmmu_get_fpu(v, &fpu), 0);
	KUNIT_EXPECT_EQ(test, fpu.fcw, 0x37f);
	KUNIT_EXPECT_EQ(test, fpu.mxcsr, 0x1fa0);
	KUNIT_EXPECT_EQ(test, fpu.xmm[15][12], 0xcd);
	KUNIT_EXPECT_EQ(test, fpu.fpr[1][4], 0);
	fpu.mxcsr = BIT(20);
	KUNIT_EXPECT_EQ(test, vmmu_set_fpu(v, &fpu), -EINVAL);
	KUNIT_EXPECT_EQ(test, v->fpu.area->i387.mxcsr, 0x1fa0);

	/* INIT keeps it, RESET does not. */
	vmmu_fpu_reset(v, true);
	KUNIT_EXPECT_EQ(test, v->fpu.area->i387.mxcsr, 0x1fa0);
	vmmu_fpu_reset(v, false);
	KUNIT_EXPECT_EQ(test, v->fpu.area->i387.mxcsr, 0x1f80);
	KUNIT_EXPECT_EQ(test, v->fpu.xcr0, 1ULL);
	vmmu_fpu_destroy(v);
}

static void fpu_pkru(struct kunit *test)
{
	const struct vmmu_xcomp *pk = vmmu_xcomp_get(XFEATURE_PKRU);
	struct vmmu_vcpu *v = make_vcpu(test);
	u32 size = vmmu_xsave_size();
	u8 *buf = kunit_kzalloc(test, size, GFP_KERNEL);
	struct xregs_state *x = (void *)buf;

	if (!pk) {
		vmmu_fpu_destroy(v);
		kunit_skip(test, "no protection keys here");
	}
	KUNIT_ASSERT_NOT_NULL(test, buf);
	x->header.xfeatures = XFEATURE_MASK_PKRU;
	*(u32 *)(buf + pk->offset) = 0x55555554;
	KUNIT_EXPECT_EQ(test, vmmu_set_xsave(v, buf, size), 0);
	KUNIT_EXPECT_EQ(test, v->fpu.pkru, 0x55555554);
	memset(buf, 0, size);
	KUNIT_EXPECT_EQ(test, vmmu_get_xsave(v, buf, size), 0);
	KUNIT_EXPECT_TRUE(test, x->header.xfeatures & XFEATURE_MASK_PKRU);
	KUNIT_EXPECT_EQ(test, *(u32 *)(buf + pk->offset), 0x55555554);
	/* Left out, it stays. */
	x->header.xfeatures = 0;
	KUNIT_EXPECT_EQ(test, vmmu_set_xsave(v, buf, size), 0);
	KUNIT_EXPECT_EQ(test, v->fpu.pkru, 0x55555554);
	vmmu_fpu_destroy(v);
}

/* A round trip through the registers changes nothing, and the host's XCR0 comes back. */
static void fpu_registers(struct kunit *test)
{
	struct vmmu_vcpu *v = make_vcpu(test);
	struct xregs_state *in = kunit_kzalloc(test, vmmu_xsave_size(), GFP_KERNEL);
	unsigned long flags;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, in);
	in->header.xfeatures = vmmu_supported_xcr0() & VMMU_XSAVE_MASK ?: XFEATURE_MASK_FPSSE;
	in->i387.cwd = 0x37f;
	in->i387.mxcsr = 0x1f80;
	for (i = 0; i < ARRAY_SIZE(in->i387.xmm_space); i++)
		in->i387.xmm_space[i] = 0x1000 + i;
	if (vmmu_xcomp_get(XFEATURE_YMM))
		memset((void *)in + vmmu_xcomp_get(XFEATURE_YMM)->offset, 0xa5, 256);
	KUNIT_ASSERT_EQ(test, vmmu_set_xsave(v, in, vmmu_xsave_size()), 0);
	for (i = 0; i < 3; i++) {
		local_irq_save(flags);
		vmmu_fpu_load(v);
		vmmu_fpu_save(v);
		local_irq_restore(flags);
	}
	KUNIT_EXPECT_MEMEQ(test, v->fpu.area->i387.xmm_space, in->i387.xmm_space,
			   sizeof(in->i387.xmm_space));
	KUNIT_EXPECT_EQ(test, v->fpu.area->i387.mxcsr, 0x1f80);
	if (vmmu_xcomp_get(XFEATURE_YMM)) {
		u32 at = vmmu_xcomp_get(XFEATURE_YMM)->offset;

		KUNIT_EXPECT_MEMEQ(test, (void *)v->fpu.area + at, (void *)in + at, 256);
	}
	vmmu_fpu_destroy(v);
}

static struct kunit_case fpu_cases[] = {
	KUNIT_CASE(fpu_check),
	KUNIT_CASE(fpu_xcr0),
	KUNIT_CASE(fpu_geometry),
	KUNIT_CASE(fpu_set_get),
	KUNIT_CASE(fpu_pkru),
	KUNIT_CASE(fpu_registers),
	{}
};

static struct kunit_suite fpu_suite = {
	.name = "vmmu_vcpu_fpu",
	.test_cases = fpu_cases,
};

kunit_test_suites(&fpu_suite);
