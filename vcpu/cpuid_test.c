// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID: what follows from a set of entries, and which sets are refused.
 */
#include <kunit/test.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <uapi/asm/kvm_para.h>
#include "vmmu/vm.h"
#include "cpuid.h"
#include "xstate.h"

#define ROOM	VMMU_MAX_CPUID_ENTRIES

static struct kvm_cpuid_entry2 *supported(struct kunit *test, int *nr)
{
	struct kvm_cpuid_entry2 *e = kunit_kcalloc(test, ROOM, sizeof(*e), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, e);
	*nr = vmmu_supported_cpuid(e, ROOM);
	KUNIT_ASSERT_GT(test, *nr, 10);
	return e;
}

static struct kvm_cpuid_entry2 *entry(struct kvm_cpuid_entry2 *e, int nr, u32 function, u32 index)
{
	int i;

	for (i = 0; i < nr; i++)
		if (e[i].function == function && e[i].index == index)
			return &e[i];
	return NULL;
}

/* What we offer is itself acceptable, fits exactly, and hides what we do not have. */
static void cpuid_supported(struct kunit *test)
{
	struct kvm_cpuid_entry2 *e, *one;
	int nr;

	e = supported(test, &nr);
	KUNIT_EXPECT_EQ(test, vmmu_cpuid_check(e, nr), 0);
	KUNIT_EXPECT_EQ(test, vmmu_supported_cpuid(e, nr), nr);
	KUNIT_EXPECT_EQ(test, vmmu_supported_cpuid(e, nr - 1), -E2BIG);
	KUNIT_EXPECT_EQ(test, vmmu_supported_cpuid(e, 0), -E2BIG);

	one = entry(e, nr, 1, 0);
	KUNIT_ASSERT_NOT_NULL(test, one);
	KUNIT_EXPECT_FALSE(test, one->ecx & BIT(3));	/* MONITOR */
	KUNIT_EXPECT_FALSE(test, one->ecx & BIT(5));	/* VMX */
	KUNIT_EXPECT_TRUE(test, one->ecx & BIT(21));	/* x2APIC */
	KUNIT_EXPECT_FALSE(test, one->ecx & BIT(24));	/* TSC deadline: by KVM_CAP_ */
	KUNIT_EXPECT_TRUE(test, one->ecx & BIT(31));	/* hypervisor */
	KUNIT_EXPECT_EQ(test, one->ebx >> 16, 0);	/* no host APIC id */
	one = entry(e, nr, 0x80000001, 0);
	KUNIT_ASSERT_NOT_NULL(test, one);
	KUNIT_EXPECT_FALSE(test, one->ecx & BIT(2));	/* SVM */
	one = entry(e, nr, KVM_CPUID_SIGNATURE, 0);
	KUNIT_ASSERT_NOT_NULL(test, one);
	KUNIT_EXPECT_MEMEQ(test, &one->ebx, "KVMK", 4);
	KUNIT_EXPECT_NULL(test, entry(e, nr, 0xa, 0));
}

/* No bit is offered that neither the host has nor we provide. */
static void cpuid_intersection(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < vmmu_cpuid_nr_words; i++) {
		const struct vmmu_cpuid_word *w = &vmmu_cpuid_words[i];
		unsigned int bit;

		KUNIT_EXPECT_EQ(test, w->allowed & w->ours, 0);
		for (bit = 0; bit < 32; bit++) {
			bool offered = vmmu_can(w->word * 32 + bit);

			if (!((w->allowed | w->ours) & BIT(bit)))
				KUNIT_EXPECT_FALSE(test, offered);
			if (w->ours & BIT(bit))
				KUNIT_EXPECT_TRUE(test, offered);
		}
	}
	KUNIT_EXPECT_TRUE(test, vmmu_can(X86_FEATURE_LM));
	KUNIT_EXPECT_TRUE(test, vmmu_can(X86_FEATURE_TSC_DEADLINE_TIMER));
	KUNIT_EXPECT_FALSE(test, vmmu_can(X86_FEATURE_SVM));
	KUNIT_EXPECT_FALSE(test, vmmu_can(X86_FEATURE_VMX));
	KUNIT_EXPECT_FALSE(test, vmmu_can(X86_FEATURE_XSAVES));
}

static void cpuid_check(struct kunit *test)
{
	struct kvm_cpuid_entry2 e[3] = {
		{ .function = 7, .index = 0, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX },
		{ .function = 7, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX },
		{ .function = 0x80000008, .eax = 48 << 8 | 40 },
	};

	KUNIT_EXPECT_EQ(test, vmmu_cpuid_check(e, 3), 0);
	e[1].index = 0;
	KUNIT_EXPECT_EQ(test, vmmu_cpuid_check(e, 3), -EINVAL);
	e[1].index = 1;
	e[1].flags = 0;		/* answers for every index */
	KUNIT_EXPECT_EQ(test, vmmu_cpuid_check(e, 3), -EINVAL);
	KUNIT_EXPECT_EQ(test, vmmu_cpuid_check(e, 1), 0);
	KUNIT_EXPECT_EQ(test, vmmu_cpuid_check(NULL, 0), 0);

	e[2].eax = 57 << 8 | 52;
	KUNIT_EXPECT_EQ(test, vmmu_cpuid_check(&e[2], 1), 0);
	e[2].eax = 0;
	KUNIT_EXPECT_EQ(test, vmmu_cpuid_check(&e[2], 1), 0);
	e[2].eax = 49 << 8 | 40;
	KUNIT_EXPECT_EQ(test, vmmu_cpuid_check(&e[2], 1), -EINVAL);
	e[2].eax = 48 << 8 | 53;
	KUNIT_EXPECT_EQ(test, vmmu_cpuid_check(&e[2], 1), -EINVAL);
}

static void cpuid_derive(struct kunit *test)
{
	struct vmmu_cpuid c = {};
	struct kvm_cpuid_entry2 *e, *one;
	int nr;

	/* Nothing set: only the host limits. */
	vmmu_cpuid_derive(&c, NULL, 0);
	KUNIT_EXPECT_FALSE(test, c.efer_reserved & (EFER_SCE | EFER_LME | EFER_LMA));
	KUNIT_EXPECT_TRUE(test, c.efer_reserved & EFER_SVME);
	KUNIT_EXPECT_TRUE(test, c.cr4_reserved & X86_CR4_VMXE);
	KUNIT_EXPECT_FALSE(test, c.cr4_reserved & (X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR));
	KUNIT_EXPECT_EQ(test, c.maxphyaddr, 36);
	KUNIT_EXPECT_EQ(test, c.xcr0_supported, 0ULL);

	/* Everything: what the host can, the guest can. */
	e = supported(test, &nr);
	vmmu_cpuid_derive(&c, e, nr);
	KUNIT_EXPECT_EQ(test, c.xcr0_supported, vmmu_supported_xcr0());
	KUNIT_EXPECT_EQ(test, !!(c.cr4_reserved & X86_CR4_SMEP), !vmmu_can(X86_FEATURE_SMEP));
	KUNIT_EXPECT_EQ(test, !!(c.cr4_reserved & X86_CR4_LA57), !vmmu_can(X86_FEATURE_LA57));
	KUNIT_EXPECT_EQ(test, !!(c.cr4_reserved & X86_CR4_PKE), !vmmu_can(X86_FEATURE_PKU));
	KUNIT_EXPECT_EQ(test, c.maxphyaddr, entry(e, nr, 0x80000008, 0)->eax & 0xff);
	KUNIT_EXPECT_EQ(test, c.intel, boot_cpu_data.x86_vendor == X86_VENDOR_INTEL);

	/* A bit taken away by user space is gone. */
	one = entry(e, nr, 0x80000001, 0);
	one->edx &= ~(BIT(20) | BIT(29));
	entry(e, nr, 7, 0)->ebx &= ~BIT(7);
	entry(e, nr, 1, 0)->ecx |= BIT(5);	/* and one that we cannot do is not there */
	vmmu_cpuid_derive(&c, e, nr);
	KUNIT_EXPECT_TRUE(test, c.efer_reserved & EFER_NX);
	KUNIT_EXPECT_TRUE(test, c.efer_reserved & EFER_LME);
	KUNIT_EXPECT_FALSE(test, c.efer_reserved & EFER_SCE);
	KUNIT_EXPECT_TRUE(test, c.cr4_reserved & X86_CR4_SMEP);
	KUNIT_EXPECT_FALSE(test, c.features[X86_FEATURE_VMX / 32] & BIT(X86_FEATURE_VMX & 31));
	KUNIT_EXPECT_TRUE(test, c.features[0] & BIT(X86_FEATURE_PAE & 31));
}

static void cpuid_vendor(struct kunit *test)
{
	struct kvm_cpuid_entry2 e = { .function = 0 };
	struct vmmu_cpuid c = {};

	memcpy(&e.ebx, "Auth", 4);
	memcpy(&e.edx, "enti", 4);
	memcpy(&e.ecx, "cAMD", 4);
	vmmu_cpuid_derive(&c, &e, 1);
	KUNIT_EXPECT_FALSE(test, c.intel);
	memcpy(&e.ebx, "Hygo", 4);
	memcpy(&e.edx, "nGen", 4);
	memcpy(&e.ecx, "uine", 4);
	vmmu_cpuid_derive(&c, &e, 1);
	KUNIT_EXPECT_FALSE(test, c.intel);
	memcpy(&e.ebx, "Genu", 4);
	memcpy(&e.edx, "ineI", 4);
	memcpy(&e.ecx, "ntel", 4);
	vmmu_cpuid_derive(&c, &e, 1);
	KUNIT_EXPECT_TRUE(test, c.intel);
}

static void answer(struct vmmu_vcpu *vcpu, u32 function, u32 index, u32 regs[4])
{
	regs[0] = function;
	regs[2] = index;
	vmmu_cpuid(vcpu, &regs[0], &regs[1], &regs[2], &regs[3]);
}

/* Beyond the range: zeros on AMD, the highest basic leaf on Intel. */
static void cpuid_out_of_range(struct kunit *test)
{
	struct kvm_cpuid_entry2 e[] = {
		{ .function = 0, .eax = 0x2 },
		{ .function = 0x2, .eax = 0x11, .ebx = 0x22, .ecx = 0x33, .edx = 0x44 },
		{ .function = 0x80000000, .eax = 0x80000004 },
		{ .function = 0xb, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		  .ebx = 4, .edx = 3 },
	};
	struct vmmu_vcpu *vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	u32 r[4];

	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->cpuid.entries = e;
	vcpu->cpuid.nr = ARRAY_SIZE(e);

	vcpu->cpuid.intel = true;
	answer(vcpu, 0x3, 0, r);
	KUNIT_EXPECT_EQ(test, r[1], 0x22);
	answer(vcpu, 0x80000005, 0, r);
	KUNIT_EXPECT_EQ(test, r[3], 0x44);
	answer(vcpu, 0x80000003, 0, r);		/* in range, not listed */
	KUNIT_EXPECT_EQ(test, r[0] | r[1] | r[2] | r[3], 0);
	answer(vcpu, 0x40000000, 0, r);		/* no such range at all */
	KUNIT_EXPECT_EQ(test, r[0], 0x11);

	vcpu->cpuid.intel = false;
	answer(vcpu, 0x3, 0, r);
	KUNIT_EXPECT_EQ(test, r[0] | r[1] | r[2] | r[3], 0);
	answer(vcpu, 0x80000005, 0, r);
	KUNIT_EXPECT_EQ(test, r[0] | r[1] | r[2] | r[3], 0);

	answer(vcpu, 0xb, 1, r);
	KUNIT_EXPECT_EQ(test, r[1], 4);
	answer(vcpu, 0xb, 7, r);		/* no such level */
	KUNIT_EXPECT_EQ(test, r[0] | r[1], 0);
	KUNIT_EXPECT_EQ(test, r[2], 7);
	KUNIT_EXPECT_EQ(test, r[3], 3);
}

static struct kunit_case cpuid_cases[] = {
	KUNIT_CASE(cpuid_supported),
	KUNIT_CASE(cpuid_intersection),
	KUNIT_CASE(cpuid_check),
	KUNIT_CASE(cpuid_derive),
	KUNIT_CASE(cpuid_vendor),
	KUNIT_CASE(cpuid_out_of_range),
	{}
};

static struct kunit_suite cpuid_suite = {
	.name = "vmmu_vcpu_cpuid",
	.test_cases = cpuid_cases,
};

kunit_test_suites(&cpuid_suite);

