// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSRs that a guest has: one row each, and the handlers that are more than
 * a field. Rows are sorted by index (msr_test.c checks it).
 *
 * Handlers run on the vCPU's thread with the vCPU loaded.
 */
#include <linux/stddef.h>
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/tsc.h>
#include <uapi/asm/kvm_para.h>
#include "vmmu/vm.h"
#include "msr.h"

/* ---- generic handlers ---- */

static u64 *field(struct vmmu_vcpu *vcpu, u32 index)
{
	const struct vmmu_msr *m = vmmu_msr_find(index);

	return (void *)vcpu + m->offset + (index - m->first) * sizeof(u64);
}

static int get_field(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	*val = *field(vcpu, index);
	return 0;
}

static int set_field(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	*field(vcpu, index) = val;
	return 0;
}

/* The guest may write it, to no effect. */
static int set_field_host(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	if (host)
		*field(vcpu, index) = val;
	return 0;
}

static int get_const(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	*val = vmmu_msr_find(index)->value;
	return 0;
}

static int set_ignored(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return 0;
}

static bool legal_host_only(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return host;
}

/* Bases and entry points: what the widest addressing of this guest can name. */
static bool legal_canonical(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	unsigned int bits = (host ? vmmu_can(X86_FEATURE_LA57) :
				    vmmu_guest_has(vcpu, X86_FEATURE_LA57)) ? 57 : 48;

	return sign_extend64(val, bits - 1) == val;
}

/* ---- time and interrupts ---- */

static int get_tsc(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	*val = vmmu_guest_tsc(vcpu, rdtsc());
	return 0;
}

static int set_tsc(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	vmmu_write_tsc(vcpu, val, host);
	return 0;
}

static int set_tsc_adjust(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	vmmu_write_tsc_adjust(vcpu, val, host);
	return 0;
}

static int get_clock(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	return vmmu_clock_get_msr(vcpu, index, val);
}

static int set_clock(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return vmmu_clock_set_msr(vcpu, index, val);
}

static u64 no_apic_base(struct vmmu_vcpu *vcpu)
{
	return APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE |
	       (vcpu->id ? 0 : MSR_IA32_APICBASE_BSP);
}

static int get_apic_base(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	*val = vcpu->apic ? vmmu_lapic_get_base(vcpu) : no_apic_base(vcpu);
	return 0;
}

static int set_apic_base(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	if (vcpu->apic)
		return vmmu_lapic_set_base(vcpu, val, host);
	return val != no_apic_base(vcpu);
}

static int get_lapic(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	return vcpu->apic ? vmmu_lapic_get_msr(vcpu, index, val) : 1;
}

static int set_lapic(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return vcpu->apic ? vmmu_lapic_set_msr(vcpu, index, val) : 1;
}

static int set_pv_eoi(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return vmmu_pv_eoi_set_msr(vcpu, val);
}

/* ---- modes and features ---- */

static int get_efer(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	*val = vmmu_cpu->get_efer(vcpu);
	return 0;
}

static int set_efer(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return vmmu_set_efer(vcpu, val, host);
}

/* Locked by "firmware", with nothing enabled. AMD processors do not have it. */
static int get_feat_ctl(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	if (!vcpu->cpuid.intel)
		return 1;
	*val = FEAT_CTL_LOCKED;
	return 0;
}

static int set_feat_ctl(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return !host || (val && val != FEAT_CTL_LOCKED);
}

static bool legal_misc_enable(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	u64 ro = MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL | MSR_IA32_MISC_ENABLE_BTS_UNAVAIL;

	/* MWAIT is there with SSE3 only: Intel SDM vol. 4, table 2-2. */
	if (vmmu_quirk_disabled(vcpu->vm, KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT) &&
	    !vmmu_guest_has(vcpu, X86_FEATURE_XMM3))
		ro |= MSR_IA32_MISC_ENABLE_MWAIT;
	return host || !((val ^ vcpu->msrs.misc_enable) & ro);
}

/* Performance monitoring is reported absent and stays it. */
static int set_misc_enable(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	if (!host)
		val &= ~(u64)MSR_IA32_MISC_ENABLE_EMON;
	vcpu->msrs.misc_enable = val;
	return 0;
}

static bool legal_platform_info(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return host && ((val & MSR_PLATFORM_INFO_CPUID_FAULT) ||
			!vcpu->msrs.misc_features_enables);
}

static bool legal_misc_features(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return !val || (vcpu->msrs.platform_info & MSR_PLATFORM_INFO_CPUID_FAULT);
}

/* Each bit by either vendor's feature; SVM and VT-x switch the MSR around the guest. */
static const struct {
	u64 bit;
	u16 feature;
	u16 alt_feature;
} spec_ctrl_bits[] = {
	{ SPEC_CTRL_IBRS, X86_FEATURE_SPEC_CTRL, X86_FEATURE_AMD_IBRS },
	{ SPEC_CTRL_STIBP, X86_FEATURE_INTEL_STIBP, X86_FEATURE_AMD_STIBP },
	{ SPEC_CTRL_SSBD, X86_FEATURE_SPEC_CTRL_SSBD, X86_FEATURE_AMD_SSBD },
};

static bool has_either(struct vmmu_vcpu *vcpu, u16 feature, u16 alt, bool host)
{
	if (host)
		return vmmu_can(feature) || vmmu_can(alt);
	return vmmu_guest_has(vcpu, feature) || vmmu_guest_has(vcpu, alt);
}

static bool legal_spec_ctrl(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	u64 valid = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(spec_ctrl_bits); i++)
		if (has_either(vcpu, spec_ctrl_bits[i].feature, spec_ctrl_bits[i].alt_feature,
			       host))
			valid |= spec_ctrl_bits[i].bit;
	return !(val & ~valid);
}

/* Executed at once, on this processor: the guest's thread runs on it. */
static int set_pred_cmd(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	if (val && !host)
		wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB, 0);
	return 0;
}

/* Cache and TLB tuning that firmware does; bits 18 and 24 are for the guest's use. */
#define HWCR_IGNORED	(BIT_ULL(3) | BIT_ULL(6) | BIT_ULL(8))
#define HWCR_KEPT	(BIT_ULL(18) | BIT_ULL(24))

static int set_hwcr(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	vcpu->msrs.hwcr = val & HWCR_KEPT;
	return 0;
}

static bool legal_de_cfg(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	return !(val & ~vmmu_de_cfg());
}

/* LFENCE serialises, if the host has made it so. */
u64 vmmu_de_cfg(void)
{
	return boot_cpu_has(X86_FEATURE_LFENCE_RDTSC) ? MSR_AMD64_DE_CFG_LFENCE_SERIALIZE : 0;
}

/* What a guest may be told without an MSR or instruction that we do not virtualise. */
#define ARCH_CAP_PASSED	(ARCH_CAP_RDCL_NO | ARCH_CAP_RSBA | ARCH_CAP_SSB_NO | ARCH_CAP_MDS_NO | \
			 ARCH_CAP_PSCHANGE_MC_NO | ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO | \
			 ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO | ARCH_CAP_FB_CLEAR | \
			 ARCH_CAP_RRSBA | ARCH_CAP_BHI_NO | ARCH_CAP_PBRSB_NO | \
			 ARCH_CAP_GDS_NO | ARCH_CAP_RFDS_NO | ARCH_CAP_RFDS_CLEAR)

u64 vmmu_arch_capabilities(void)
{
	u32 lo, hi;

	if (!boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES) ||
	    rdmsr_safe(MSR_IA32_ARCH_CAPABILITIES, &lo, &hi))
		return 0;
	return ((u64)hi << 32 | lo) & ARCH_CAP_PASSED;
}

/* ---- the table ---- */

/* The ranges that the manuals name: SDM vol. 3, 12.11. */
#define MSR_MTRR_CAP		0x0fe
#define MSR_MTRR_VAR		0x200
#define MSR_MTRR_FIX_64K	0x250
#define MSR_MTRR_FIX_16K	0x258
#define MSR_MTRR_FIX_4K		0x268
#define MSR_MTRR_DEF		0x2ff
#define MSR_MCE_END		(MSR_IA32_MC0_CTL + 4 * VMMU_MAX_MCE_BANKS)

#define ONE(i)		.first = (i)
#define RUN(a, b)	.first = (a), .last = (b)
#define FIELD(f)	.offset = offsetof(struct vmmu_vcpu, f), .get = get_field
#define CONST(v)	.value = (v), .get = get_const
#define BACKEND		.flags = VMMU_MSR_LISTED | VMMU_MSR_BACKEND
#define LISTED		.flags = VMMU_MSR_LISTED

static_assert(sizeof_field(struct vmmu_vcpu, msrs.mtrr_var) == 2 * VMMU_NR_VAR_MTRR * 8);
static_assert(offsetof(struct vmmu_vcpu, msrs) + sizeof(struct vmmu_msrs) <= U16_MAX);
static_assert(offsetof(struct vmmu_vcpu, clock) + sizeof(struct vmmu_clock_vcpu) <= U16_MAX);
static_assert(offsetof(struct vmmu_vcpu, pv_eoi.msr) <= U16_MAX);

const struct vmmu_msr vmmu_msr_table[] = {
	{ RUN(MSR_IA32_P5_MC_ADDR, MSR_IA32_P5_MC_TYPE), CONST(0) },
	{ ONE(MSR_IA32_TSC), LISTED, .get = get_tsc, .set = set_tsc },
	{ RUN(MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME), LISTED,
	  .get = get_clock, .set = set_clock },
	{ ONE(MSR_IA32_PLATFORM_ID), CONST(0) },
	{ ONE(MSR_IA32_APICBASE), .get = get_apic_base, .set = set_apic_base },
	{ ONE(MSR_IA32_EBL_CR_POWERON), CONST(0) },
	/* A bus ratio of 1: old kernels divide by it. */
	{ ONE(MSR_EBC_FREQUENCY_ID), CONST(BIT_ULL(24)) },
	{ ONE(MSR_IA32_FEAT_CTL), .get = get_feat_ctl, .set = set_feat_ctl },
	{ ONE(MSR_IA32_TSC_ADJUST), LISTED, .any_of = { X86_FEATURE_TSC_ADJUST },
	  FIELD(clock.tsc_adjust), .set = set_tsc_adjust },
	{ ONE(MSR_IA32_SPEC_CTRL), LISTED,
	  .any_of = { X86_FEATURE_SPEC_CTRL, X86_FEATURE_AMD_IBRS,
		      X86_FEATURE_INTEL_STIBP, X86_FEATURE_AMD_STIBP,
		      X86_FEATURE_SPEC_CTRL_SSBD, X86_FEATURE_AMD_SSBD },
	  FIELD(msrs.spec_ctrl), .legal = legal_spec_ctrl, .set = set_field },
	{ ONE(MSR_IA32_PRED_CMD), .any_of = { X86_FEATURE_AMD_IBPB, X86_FEATURE_SPEC_CTRL },
	  .reserved = ~(u64)PRED_CMD_IBPB, .set = set_pred_cmd },
	{ ONE(MSR_IA32_UCODE_WRITE), .set = set_ignored },
	{ ONE(MSR_IA32_UCODE_REV), .flags = VMMU_MSR_LISTED | VMMU_MSR_FEATURE,
	  FIELD(msrs.ucode_rev), .set = set_field_host },
	{ RUN(MSR_P6_PERFCTR0, MSR_P6_PERFCTR1), CONST(0), .set = set_ignored },
	{ ONE(MSR_FSB_FREQ), CONST(3) },
	{ ONE(MSR_PLATFORM_INFO), LISTED, FIELD(msrs.platform_info),
	  .legal = legal_platform_info, .set = set_field },
	/* Eight variable ranges, fixed ranges and write-combining; no SMRR. */
	{ ONE(MSR_MTRR_CAP), CONST(VMMU_NR_VAR_MTRR | BIT(8) | BIT(10)) },
	{ ONE(MSR_IA32_ARCH_CAPABILITIES), .flags = VMMU_MSR_LISTED | VMMU_MSR_FEATURE,
	  .any_of = { X86_FEATURE_ARCH_CAPABILITIES }, FIELD(msrs.arch_capabilities),
	  .legal = legal_host_only, .set = set_field },
	{ ONE(MSR_IA32_BBL_CR_CTL3), CONST(0xbe702111), .set = set_ignored },
	{ ONE(MSR_MISC_FEATURES_ENABLES), LISTED, FIELD(msrs.misc_features_enables),
	  .reserved = ~(u64)MSR_MISC_FEATURES_ENABLES_CPUID_FAULT,
	  .legal = legal_misc_features, .set = set_field },
	{ ONE(MSR_IA32_SYSENTER_CS), BACKEND },
	{ RUN(MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP), BACKEND, .legal = legal_canonical },
	{ ONE(MSR_IA32_MCG_CAP), FIELD(msrs.mcg_cap) },
	{ ONE(MSR_IA32_MCG_STATUS), LISTED, FIELD(msrs.mcg_status), .set = set_field },
	{ ONE(MSR_IA32_MCG_CTL), LISTED, .get = vmmu_mcg_ctl_get, .set = vmmu_mcg_ctl_set },
	{ RUN(MSR_P6_EVNTSEL0, MSR_P6_EVNTSEL1), CONST(0), .set = set_ignored },
	/* 1000 ticks, multiplier 4. */
	{ ONE(MSR_IA32_PERF_STATUS), CONST(1000 | 4ULL << 40) },
	{ ONE(MSR_IA32_PERF_CTL), CONST(0) },
	{ ONE(MSR_IA32_MISC_ENABLE), LISTED, FIELD(msrs.misc_enable),
	  .legal = legal_misc_enable, .set = set_misc_enable },
	/* No last-branch records, no branch stepping: bits are taken and forgotten. */
	{ ONE(MSR_IA32_DEBUGCTLMSR), CONST(0), .reserved = ~0x3fULL, .set = set_ignored },
	{ RUN(MSR_IA32_LASTBRANCHFROMIP, MSR_IA32_LASTINTTOIP), CONST(0) },
	{ ONE(MSR_IA32_POWER_CTL), CONST(0), .set = set_ignored },
	{ RUN(MSR_MTRR_VAR, MSR_MTRR_VAR + 2 * VMMU_NR_VAR_MTRR - 1), FIELD(msrs.mtrr_var),
	  .legal = vmmu_mtrr_var_legal, .set = set_field },
	{ ONE(MSR_MTRR_FIX_64K), FIELD(msrs.mtrr_fixed[0]),
	  .legal = vmmu_mtrr_fixed_legal, .set = set_field },
	{ RUN(MSR_MTRR_FIX_16K, MSR_MTRR_FIX_16K + 1), FIELD(msrs.mtrr_fixed[1]),
	  .legal = vmmu_mtrr_fixed_legal, .set = set_field },
	{ RUN(MSR_MTRR_FIX_4K, MSR_MTRR_FIX_4K + 7), FIELD(msrs.mtrr_fixed[3]),
	  .legal = vmmu_mtrr_fixed_legal, .set = set_field },
	{ ONE(MSR_IA32_CR_PAT), LISTED, FIELD(msrs.pat),
	  .legal = vmmu_pat_legal, .set = set_field },
	{ ONE(MSR_MTRR_DEF), FIELD(msrs.mtrr_def_type),
	  .legal = vmmu_mtrr_def_legal, .set = set_field },
	{ RUN(MSR_IA32_MC0_CTL, MSR_MCE_END - 1),
	  .get = vmmu_mce_get, .set = vmmu_mce_set },
	{ ONE(MSR_RAPL_POWER_UNIT), CONST(0) },
	{ ONE(MSR_PKG_ENERGY_STATUS), CONST(0) },
	{ ONE(MSR_DRAM_ENERGY_STATUS), CONST(0) },
	{ ONE(MSR_PP0_ENERGY_STATUS), CONST(0) },
	{ ONE(MSR_PP1_ENERGY_STATUS), CONST(0) },
	{ ONE(MSR_IA32_TSC_DEADLINE), LISTED, .get = get_lapic, .set = set_lapic },
	{ RUN(APIC_BASE_MSR, APIC_BASE_MSR + 0xff), .get = get_lapic, .set = set_lapic },
	{ RUN(MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_SYSTEM_TIME_NEW), LISTED,
	  .get = get_clock, .set = set_clock },
	{ ONE(MSR_KVM_STEAL_TIME), LISTED, .get = get_clock, .set = set_clock },
	{ ONE(MSR_KVM_PV_EOI_EN), LISTED, FIELD(pv_eoi.msr), .set = set_pv_eoi },
	{ ONE(MSR_KVM_POLL_CONTROL), LISTED, FIELD(msrs.poll_control),
	  .reserved = ~1ULL, .set = set_field },
	{ ONE(MSR_EFER), .get = get_efer, .set = set_efer },
	{ ONE(MSR_STAR), BACKEND },
	{ RUN(MSR_LSTAR, MSR_CSTAR), BACKEND, .legal = legal_canonical },
	{ ONE(MSR_SYSCALL_MASK), BACKEND },
	{ RUN(MSR_FS_BASE, MSR_GS_BASE), .flags = VMMU_MSR_BACKEND, .legal = legal_canonical },
	{ ONE(MSR_KERNEL_GS_BASE), BACKEND, .legal = legal_canonical },
	{ ONE(MSR_TSC_AUX), LISTED, .any_of = { X86_FEATURE_RDTSCP, X86_FEATURE_RDPID },
	  FIELD(msrs.tsc_aux), .reserved = GENMASK_ULL(63, 32), .set = set_field },
	{ RUN(MSR_K7_EVNTSEL0, MSR_K7_PERFCTR3), CONST(0), .set = set_ignored },
	{ ONE(MSR_AMD64_SYSCFG), CONST(0) },
	{ ONE(MSR_K7_HWCR), LISTED, FIELD(msrs.hwcr),
	  .reserved = ~(HWCR_IGNORED | HWCR_KEPT), .set = set_hwcr },
	{ ONE(MSR_K8_TOP_MEM1), CONST(0) },
	{ ONE(MSR_K7_CLK_CTL), CONST(0x20000000), .set = set_ignored },
	{ ONE(MSR_K8_TOP_MEM2), CONST(0) },
	{ ONE(MSR_AMD64_NB_CFG), CONST(0), .set = set_ignored },
	{ ONE(MSR_AMD64_PATCH_LOADER), .set = set_ignored },
	{ ONE(MSR_K8_INT_PENDING_MSG), CONST(0) },
	{ ONE(MSR_FAM10H_MMIO_CONF_BASE), CONST(0), .reserved = ~0ULL, .set = set_ignored },
	{ RUN(MSR_K8_TSEG_ADDR, MSR_K8_TSEG_MASK), CONST(0) },
	{ ONE(MSR_VM_CR), CONST(0), .reserved = ~0ULL, .set = set_ignored },
	{ RUN(MSR_AMD64_OSVW_ID_LENGTH, MSR_AMD64_OSVW_STATUS), .any_of = { X86_FEATURE_OSVW },
	  FIELD(msrs.osvw), .set = set_field },
	{ ONE(MSR_F15H_IC_CFG), CONST(0), .set = set_ignored },
	{ ONE(MSR_AMD64_DC_CFG), CONST(0), .set = set_ignored },
	{ ONE(MSR_AMD64_TW_CFG), CONST(0), .set = set_ignored },
	{ ONE(MSR_AMD64_DE_CFG), .flags = VMMU_MSR_FEATURE, FIELD(msrs.de_cfg),
	  .legal = legal_de_cfg, .set = set_field },
	{ ONE(MSR_AMD64_BU_CFG2), CONST(0), .set = set_ignored },
	{ ONE(MSR_F15H_EX_CFG), CONST(0), .set = set_ignored },
};

const unsigned int vmmu_msr_table_len = ARRAY_SIZE(vmmu_msr_table);
