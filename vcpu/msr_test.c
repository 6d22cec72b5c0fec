// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSR table's order, the lists made from it, and which values are legal.
 */
#include <kunit/test.h>
#include <asm/msr-index.h>
#include <uapi/asm/kvm_para.h>
#include "vmmu/vm.h"
#include "msr.h"

static void msr_table_order(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < vmmu_msr_table_len; i++) {
		const struct vmmu_msr *m = &vmmu_msr_table[i];

		KUNIT_EXPECT_LE(test, m->first, vmmu_msr_last(m));
		if (i)
			KUNIT_EXPECT_LT_MSG(test, vmmu_msr_last(m - 1), m->first,
					    "row %u, MSR %x", i, m->first);
		KUNIT_EXPECT_TRUE_MSG(test, m->get || m->set || (m->flags & VMMU_MSR_BACKEND),
				      "MSR %x does nothing", m->first);
		KUNIT_EXPECT_PTR_EQ(test, vmmu_msr_find(m->first), m);
		KUNIT_EXPECT_PTR_EQ(test, vmmu_msr_find(vmmu_msr_last(m)), m);
	}
}

/* The search against a walk, at and around every edge. */
static void msr_find(struct kunit *test)
{
	unsigned int i, j;

	for (i = 0; i < vmmu_msr_table_len; i++) {
		u32 edges[] = { vmmu_msr_table[i].first - 1, vmmu_msr_table[i].first + 1,
				vmmu_msr_last(&vmmu_msr_table[i]) + 1 };
		unsigned int e;

		for (e = 0; e < ARRAY_SIZE(edges); e++) {
			const struct vmmu_msr *walk = NULL;

			for (j = 0; j < vmmu_msr_table_len; j++)
				if (edges[e] >= vmmu_msr_table[j].first &&
				    edges[e] <= vmmu_msr_last(&vmmu_msr_table[j]))
					walk = &vmmu_msr_table[j];
			KUNIT_EXPECT_PTR_EQ(test, vmmu_msr_find(edges[e]), walk);
		}
	}
	KUNIT_EXPECT_NULL(test, vmmu_msr_find(0xdeadbeef));
	KUNIT_EXPECT_NULL(test, vmmu_msr_find(MSR_IA32_VMX_BASIC));
}

static bool listed(const u32 *list, int n, u32 index)
{
	while (n--)
		if (list[n] == index)
			return true;
	return false;
}

static void msr_lists(struct kunit *test)
{
	static const u32 wanted[] = {
		MSR_IA32_TSC, MSR_IA32_CR_PAT, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
		MSR_KERNEL_GS_BASE, MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP,
		MSR_IA32_SYSENTER_EIP, MSR_IA32_TSC_ADJUST, MSR_IA32_TSC_DEADLINE,
		MSR_IA32_MISC_ENABLE, MSR_IA32_MCG_STATUS, MSR_IA32_MCG_CTL,
		MSR_KVM_SYSTEM_TIME, MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME_NEW,
		MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_STEAL_TIME, MSR_KVM_PV_EOI_EN,
	};
	int n = vmmu_msr_list(NULL, 0), i;
	u32 *list = kunit_kcalloc(test, n + 1, sizeof(*list), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, list);
	list[n] = 0x12345678;
	KUNIT_EXPECT_EQ(test, vmmu_msr_list(list, n), n);
	KUNIT_EXPECT_EQ(test, list[n], 0x12345678);
	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		KUNIT_EXPECT_TRUE_MSG(test, listed(list, n, wanted[i]), "MSR %x", wanted[i]);
	for (i = 1; i < n; i++)
		KUNIT_EXPECT_LT(test, list[i - 1], list[i]);
	KUNIT_EXPECT_FALSE(test, listed(list, n, MSR_IA32_SMBASE));
	KUNIT_EXPECT_FALSE(test, listed(list, n, MSR_VM_HSAVE_PA));
}

static void msr_memory_types(struct kunit *test)
{
	struct vmmu_vcpu *v = kunit_kzalloc(test, sizeof(*v), GFP_KERNEL);
	int t;

	KUNIT_ASSERT_NOT_NULL(test, v);
	v->cpuid.maxphyaddr = 40;
	for (t = 0; t < 256; t++) {
		bool mtrr = t == 0 || t == 1 || t == 4 || t == 5 || t == 6;

		KUNIT_EXPECT_EQ(test, vmmu_mtrr_type_legal(t), mtrr);
		KUNIT_EXPECT_EQ(test, vmmu_pat_legal(v, 0, (u64)t << 56, false), mtrr || t == 7);
		KUNIT_EXPECT_EQ(test, vmmu_mtrr_fixed_legal(v, 0, (u64)t << 24, false), mtrr);
		KUNIT_EXPECT_EQ(test, vmmu_mtrr_def_legal(v, 0, 0xc00 | t, false), mtrr);
	}
	KUNIT_EXPECT_TRUE(test, vmmu_pat_legal(v, 0, 0x0007040600070406, false));
	KUNIT_EXPECT_FALSE(test, vmmu_mtrr_def_legal(v, 0, 0x1006, false));
	KUNIT_EXPECT_TRUE(test, vmmu_mtrr_var_legal(v, 0x200, 0x80000006, false));
	KUNIT_EXPECT_FALSE(test, vmmu_mtrr_var_legal(v, 0x200, 0x80000106, false));
	KUNIT_EXPECT_FALSE(test, vmmu_mtrr_var_legal(v, 0x200, 0x80000002, false));
	KUNIT_EXPECT_FALSE(test, vmmu_mtrr_var_legal(v, 0x200, BIT_ULL(40), false));
	KUNIT_EXPECT_TRUE(test, vmmu_mtrr_var_legal(v, 0x201, 0xff80000800, false));
	KUNIT_EXPECT_FALSE(test, vmmu_mtrr_var_legal(v, 0x201, 0xff80000801, false));
	KUNIT_EXPECT_FALSE(test, vmmu_mtrr_var_legal(v, 0x201, 0x1ff80000800, false));
}

static void msr_machine_check(struct kunit *test)
{
	struct vmmu_vcpu *v = kunit_kzalloc(test, sizeof(*v), GFP_KERNEL);
	u32 last = MSR_IA32_MC0_CTL + 4 * 10 - 1;
	u64 val;

	KUNIT_ASSERT_NOT_NULL(test, v);
	KUNIT_ASSERT_EQ(test, vmmu_mce_create(v), 0);
	KUNIT_EXPECT_EQ(test, vmmu_setup_mce(v, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, vmmu_setup_mce(v, VMMU_MAX_MCE_BANKS + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, vmmu_setup_mce(v, 10 | MCG_CMCI_P), -EINVAL);
	KUNIT_EXPECT_EQ(test, vmmu_setup_mce(v, 10 | MCG_CTL_P), 0);

	KUNIT_EXPECT_EQ(test, vmmu_mce_get(v, MSR_IA32_MC0_CTL, &val, false), 0);
	KUNIT_EXPECT_EQ(test, val, ~0ULL);
	KUNIT_EXPECT_EQ(test, vmmu_mce_get(v, last, &val, false), 0);
	KUNIT_EXPECT_EQ(test, vmmu_mce_get(v, last + 1, &val, false), 1);
	KUNIT_EXPECT_EQ(test, vmmu_mce_set(v, last + 1, 0, true), 1);
	KUNIT_EXPECT_EQ(test, vmmu_mce_set(v, MSR_IA32_MC0_CTL, 5, false), 1);
	KUNIT_EXPECT_EQ(test, vmmu_mce_set(v, MSR_IA32_MC0_CTL, ~BIT_ULL(10), false), 0);
	/* Status: 0 always, more only by user space or with HWCR's leave. */
	KUNIT_EXPECT_EQ(test, vmmu_mce_set(v, MSR_IA32_MC0_STATUS, 0, false), 0);
	KUNIT_EXPECT_EQ(test, vmmu_mce_set(v, MSR_IA32_MC0_STATUS, 1, false), 1);
	KUNIT_EXPECT_EQ(test, vmmu_mce_set(v, MSR_IA32_MC0_STATUS, 1, true), 0);
	v->msrs.hwcr = BIT_ULL(18);
	KUNIT_EXPECT_EQ(test, vmmu_mce_set(v, MSR_IA32_MC0_STATUS, 1, false), 0);
	KUNIT_EXPECT_EQ(test, vmmu_mcg_ctl_set(v, MSR_IA32_MCG_CTL, 1, false), 1);
	KUNIT_EXPECT_EQ(test, vmmu_mcg_ctl_set(v, MSR_IA32_MCG_CTL, 0, false), 0);
	vmmu_mce_destroy(v);
}

static struct kunit_case msr_cases[] = {
	KUNIT_CASE(msr_table_order),
	KUNIT_CASE(msr_find),
	KUNIT_CASE(msr_lists),
	KUNIT_CASE(msr_memory_types),
	KUNIT_CASE(msr_machine_check),
	{}
};

static struct kunit_suite msr_suite = {
	.name = "vmmu_vcpu_msr",
	.test_cases = msr_cases,
};

kunit_test_suites(&msr_suite);
