// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_SUPPORTED_CPUID: what this host has, its kernel left enabled, and we
 * virtualise. Two tables say it: vmmu_cpuid_words[] bit by bit for the feature
 * registers, leaves[] for everything else.
 *
 * can[] is computed at module load and constant after; reading needs no lock.
 * Sleeps nowhere.
 */
#include <linux/sched/stat.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <uapi/asm/kvm_para.h>
#include "vmmu/vm.h"
#include "cpuid.h"
#include "xstate.h"

#define F(x)		BIT(X86_FEATURE_##x & 31)

/* 3DNow!, SSE4A and so on stay: unused bits cost nothing and old guests want them. */
const struct vmmu_cpuid_word vmmu_cpuid_words[] = {
	{ 0x1, 0, CPUID_1_EDX, VMMU_EDX,
	  F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | F(CX8) |
	  F(APIC) | F(SEP) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) | F(PSE36) |
	  F(CLFLUSH) | F(MMX) | F(FXSR) | F(XMM) | F(XMM2) | F(SELFSNOOP) },
	{ 0x1, 0, CPUID_1_ECX, VMMU_ECX,
	  F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(FMA) | F(CX16) | F(PCID) | F(XMM4_1) |
	  F(XMM4_2) | F(MOVBE) | F(POPCNT) | F(AES) | F(XSAVE) | F(AVX) | F(F16C) | F(RDRAND),
	  F(X2APIC) | F(TSC_DEADLINE_TIMER) | F(HYPERVISOR) },
	{ 0x7, 0, CPUID_7_0_EBX, VMMU_EBX,
	  F(FSGSBASE) | F(BMI1) | F(HLE) | F(AVX2) | F(FDP_EXCPTN_ONLY) | F(SMEP) | F(BMI2) |
	  F(ERMS) | F(INVPCID) | F(RTM) | F(ZERO_FCS_FDS) | F(AVX512F) | F(AVX512DQ) |
	  F(RDSEED) | F(ADX) | F(SMAP) | F(AVX512IFMA) | F(CLFLUSHOPT) | F(CLWB) |
	  F(AVX512PF) | F(AVX512ER) | F(AVX512CD) | F(SHA_NI) | F(AVX512BW) | F(AVX512VL),
	  F(TSC_ADJUST) },
	{ 0x7, 0, CPUID_7_ECX, VMMU_ECX,
	  F(AVX512VBMI) | F(UMIP) | F(PKU) | F(AVX512_VBMI2) | F(GFNI) | F(VAES) |
	  F(VPCLMULQDQ) | F(AVX512_VNNI) | F(AVX512_BITALG) | F(AVX512_VPOPCNTDQ) | F(LA57) |
	  F(RDPID) | F(CLDEMOTE) | F(MOVDIRI) | F(MOVDIR64B) },
	{ 0x7, 0, CPUID_7_EDX, VMMU_EDX,
	  F(AVX512_4VNNIW) | F(AVX512_4FMAPS) | F(FSRM) | F(AVX512_VP2INTERSECT) |
	  F(MD_CLEAR) | F(SERIALIZE) | F(TSXLDTRK) | F(AVX512_FP16) | F(SPEC_CTRL) |
	  F(INTEL_STIBP) | F(ARCH_CAPABILITIES) | F(SPEC_CTRL_SSBD) },
	{ 0x7, 1, CPUID_7_1_EAX, VMMU_EAX,
	  F(AVX_VNNI) | F(AVX512_BF16) | F(CMPCCXADD) | F(FZRM) | F(FSRS) | F(FSRC) |
	  F(AVX_IFMA) },
	{ 0xd, 1, CPUID_D_1_EAX, VMMU_EAX, F(XSAVEOPT) | F(XSAVEC) | F(XGETBV1) },
	{ 0x80000001, 0, CPUID_8000_0001_ECX, VMMU_ECX,
	  F(LAHF_LM) | F(CMP_LEGACY) | F(CR8_LEGACY) | F(ABM) | F(SSE4A) | F(MISALIGNSSE) |
	  F(3DNOWPREFETCH) | F(OSVW) | F(XOP) | F(FMA4) | F(TBM) | F(TOPOEXT) },
	{ 0x80000001, 0, CPUID_8000_0001_EDX, VMMU_EDX,
	  F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | F(CX8) |
	  F(APIC) | F(SYSCALL) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) | F(PSE36) |
	  F(NX) | F(MMXEXT) | F(MMX) | F(FXSR) | F(FXSR_OPT) | F(GBPAGES) | F(RDTSCP) |
	  F(LM) | F(3DNOWEXT) | F(3DNOW) },
	{ 0x80000008, 0, CPUID_8000_0008_EBX, VMMU_EBX,
	  F(CLZERO) | F(XSAVEERPTR) | F(WBNOINVD) | F(AMD_IBPB) | F(AMD_IBRS) | F(AMD_STIBP) |
	  F(AMD_STIBP_ALWAYS_ON) | F(AMD_SSBD) | F(AMD_SSB_NO) | F(BTC_NO) },
	{ 0x80000021, 0, CPUID_8000_0021_EAX, VMMU_EAX,
	  F(NO_NESTED_DATA_BP) | F(LFENCE_RDTSC) | F(NULL_SEL_CLR_BASE) | F(AUTOIBRS),
	  F(NO_SMM_CTL_MSR) },
};

const unsigned int vmmu_cpuid_nr_words = ARRAY_SIZE(vmmu_cpuid_words);

static u32 can[NCAPINTS];

bool vmmu_can(unsigned int x86_feature)
{
	return can[x86_feature / 32] & BIT(x86_feature & 31);
}

/* Bits of 0x80000001 EDX that repeat 1 EDX; Linux knows them by word 0 only. */
#define EXT_EDX_ALIASES	(F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | \
			 F(CX8) | F(APIC) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) | \
			 F(PSE36) | F(MMX) | F(FXSR))

/* Is the leaf within its range, and leaf 7's subleaf within its own? */
static bool host_answers(u32 function, u32 index)
{
	u32 max;

	if ((function & 0xc0000000) == 0x40000000)
		return true;
	max = cpuid_eax(function & 0x80000000);
	if ((max ^ function) & 0x80000000 || function > max)
		return false;
	return function != 0x7 || index <= cpuid_eax(0x7);
}

static u32 word_from_host(const struct vmmu_cpuid_word *w)
{
	u32 regs[4] = {}, enabled = boot_cpu_data.x86_capability[w->word];

	if (host_answers(w->function, w->index))
		cpuid_count(w->function, w->index, &regs[0], &regs[1], &regs[2], &regs[3]);
	if (w->word == CPUID_8000_0001_EDX)
		enabled |= boot_cpu_data.x86_capability[CPUID_1_EDX] & EXT_EDX_ALIASES;
	return (regs[w->reg] & enabled & w->allowed) | w->ours;
}

static void hide(unsigned int feature)
{
	can[feature / 32] &= ~BIT(feature & 31);
}

/* What the intersection cannot know: what the host's own setup allows. */
static void adjust(void)
{
	/* A 4-level host can have 5-level guests: their tables, or our shadow of them. */
	if (cpuid_eax(0) >= 7 && (cpuid_ecx(7) & F(LA57)))
		can[CPUID_7_ECX] |= F(LA57);
	if (!(vmmu_supported_xcr0() & XFEATURE_MASK_PKRU))
		hide(X86_FEATURE_PKU);
	if (!vmmu_supported_xcr0()) {
		hide(X86_FEATURE_XSAVE);
		can[CPUID_D_1_EAX] = 0;
	}
	if (cpu_feature_enabled(X86_FEATURE_LFENCE_RDTSC) &&
	    cpuid_eax(0x80000000) >= 0x80000021)
		can[CPUID_8000_0021_EAX] |= F(LFENCE_RDTSC);
}

/* ---- the other leaves ---- */

#define ALL	(~0U)

/**
 * struct cpuid_leaf - how a leaf is made
 * @function: the leaf
 * @index: its first subleaf
 * @indexed: the index matters
 * @keep: bits of the host's EAX..EDX that pass; feature words come on top
 * @fix: has the last word; NULL: none
 * @more: is there a subleaf after this one? NULL: no
 */
struct cpuid_leaf {
	u32 function;
	u8 index;
	bool indexed;
	u32 keep[4];
	void (*fix)(struct kvm_cpuid_entry2 *e);
	bool (*more)(const struct kvm_cpuid_entry2 *e);
};

static void fix_max_basic(struct kvm_cpuid_entry2 *e)
{
	e->eax = min(e->eax, 0x1fU);
}

/* KVM_CAP_TSC_DEADLINE_TIMER tells it: it depends on who has the local APIC. */
static void fix_features(struct kvm_cpuid_entry2 *e)
{
	e->ecx &= ~F(TSC_DEADLINE_TIMER);
}

static void fix_arat(struct kvm_cpuid_entry2 *e)
{
	e->eax = F(ARAT);
}

static void fix_max_7(struct kvm_cpuid_entry2 *e)
{
	e->eax = min(e->eax, 2U);
}

/* Deterministic cache parameters end with type 0. */
static bool more_caches(const struct kvm_cpuid_entry2 *e)
{
	return (e->eax & 0x1f) && e->index < 16;
}

static void fix_xsave(struct kvm_cpuid_entry2 *e)
{
	u64 xcr0 = vmmu_supported_xcr0();
	const struct vmmu_xcomp *c;

	switch (e->index) {
	case 0:
		e->eax = (u32)xcr0;
		e->edx = xcr0 >> 32;
		e->ebx = xcr0 ? vmmu_xstate_size(xcr0) : 0;
		e->ecx = e->ebx;
		break;
	case 1:
		e->ebx = e->eax & F(XSAVEC) ? vmmu_xstate_compacted_size(xcr0) : 0;
		break;
	default:
		c = vmmu_xcomp_get(e->index);
		if (!c)
			break;
		e->eax = c->size;
		e->ebx = c->offset;
		e->ecx = c->align64 ? BIT(1) : 0;
		e->edx = 0;
	}
}

static bool more_xsave(const struct kvm_cpuid_entry2 *e)
{
	return vmmu_supported_xcr0() && e->index < 63;
}

static void fix_kvm_signature(struct kvm_cpuid_entry2 *e)
{
	const u32 *sig = (const u32 *)KVM_SIGNATURE;

	e->eax = KVM_CPUID_FEATURES;
	e->ebx = sig[0];
	e->ecx = sig[1];
	e->edx = sig[2];
}

static void fix_kvm_features(struct kvm_cpuid_entry2 *e)
{
	e->eax = BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_NOP_IO_DELAY) |
		 BIT(KVM_FEATURE_CLOCKSOURCE2) | BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT) |
		 BIT(KVM_FEATURE_PV_EOI);
	if (vmmu_steal_supported())
		e->eax |= BIT(KVM_FEATURE_STEAL_TIME);
}

static void fix_max_extended(struct kvm_cpuid_entry2 *e)
{
	e->eax = clamp(e->eax, 0x80000000U, 0x80000021U);
}

/* Invariant TSC, if this kernel trusts it. */
static void fix_power(struct kvm_cpuid_entry2 *e)
{
	e->edx &= boot_cpu_data.x86_power;
}

/*
 * Linear and physical address widths. The guest's physical width is the raw
 * one under two-dimensional paging (encryption takes bits of host addresses
 * only); what a 4-level table cannot reach is told in bits 23:16.
 */
static void fix_addresses(struct kvm_cpuid_entry2 *e)
{
	u32 phys = e->eax & 0xff, virt = (e->eax >> 8) & 0xff, reach = 0;

	virt = vmmu_can(X86_FEATURE_LA57) ? max(virt, 57U) : 48;
	if (!vmmu_cpu_caps.tdp)
		phys = boot_cpu_data.x86_phys_bits;
	else
		reach = vmmu_cpu_caps.tdp_root_level < 5 ? min(phys, 48U) : phys;
	e->eax = phys | virt << 8 | reach << 16;
}

static const struct cpuid_leaf leaves[] = {
	{ 0x0, 0, false, { ALL, ALL, ALL, ALL }, fix_max_basic },
	{ 0x1, 0, false, { ALL, 0x0000ff00 }, fix_features },
	{ 0x2, 0, false, { ALL, ALL, ALL, ALL } },
	{ 0x4, 0, true, { ALL, ALL, ALL, ALL }, NULL, more_caches },
	{ 0x6, 0, false, {}, fix_arat },
	{ 0x7, 0, true, { ALL }, fix_max_7 },
	/* EDX: AVX-VNNI-INT8, AVX-NE-CONVERT, PREFETCHI. */
	{ 0x7, 1, true, { 0, 0, 0, BIT(4) | BIT(5) | BIT(14) } },
	/* EDX: MCDT_NO. */
	{ 0x7, 2, true, { 0, 0, 0, BIT(5) } },
	/* No topology: user space knows it, we do not. */
	{ 0xb, 0, true },
	{ 0xd, 0, true, {}, fix_xsave, more_xsave },
	{ 0x1f, 0, true },
	{ KVM_CPUID_SIGNATURE, 0, false, {}, fix_kvm_signature },
	{ KVM_CPUID_FEATURES, 0, false, {}, fix_kvm_features },
	{ 0x80000000, 0, false, { ALL, ALL, ALL, ALL }, fix_max_extended },
	{ 0x80000001, 0, false, { ALL, 0xf000ffff } },
	{ 0x80000002, 0, false, { ALL, ALL, ALL, ALL } },
	{ 0x80000003, 0, false, { ALL, ALL, ALL, ALL } },
	{ 0x80000004, 0, false, { ALL, ALL, ALL, ALL } },
	{ 0x80000005, 0, false, { ALL, ALL, ALL, ALL } },
	{ 0x80000006, 0, false, { ALL, ALL, ALL, 0xfffcffff } },
	{ 0x80000007, 0, false, { 0, 0, 0, BIT(8) }, fix_power },
	{ 0x80000008, 0, false, { ALL, 0, 0x0000f0ff }, fix_addresses },
	{ 0x80000019, 0, false, { ALL, ALL } },
	{ 0x8000001a, 0, false, { 0x7 } },
	{ 0x8000001d, 0, true, { ALL, ALL, ALL, ALL }, NULL, more_caches },
	{ 0x8000001e, 0, false },
	{ 0x80000021, 0, false },
};

static void host_leaf(const struct cpuid_leaf *l, struct kvm_cpuid_entry2 *e)
{
	if ((l->function & 0xc0000000) == 0x40000000)
		return;
	cpuid_count(e->function, e->index, &e->eax, &e->ebx, &e->ecx, &e->edx);
	e->eax &= l->keep[VMMU_EAX];
	e->ebx &= l->keep[VMMU_EBX];
	e->ecx &= l->keep[VMMU_ECX];
	e->edx &= l->keep[VMMU_EDX];
}

static void add_features(struct kvm_cpuid_entry2 *e)
{
	unsigned int i;

	for (i = 0; i < vmmu_cpuid_nr_words; i++) {
		const struct vmmu_cpuid_word *w = &vmmu_cpuid_words[i];
		u32 *reg = vmmu_cpuid_reg(e, w->reg);

		if (w->function == e->function && w->index == e->index)
			*reg = can[w->word];
	}
}

/* Subleaves of 0xd that no component of ours stands behind are left out. */
static bool wanted(const struct kvm_cpuid_entry2 *e)
{
	return e->function != 0xd || e->index < 2 || vmmu_xcomp_get(e->index);
}

/* Make the entries of one leaf at @n. Return: the new count or -E2BIG. */
static int emit(const struct cpuid_leaf *l, struct kvm_cpuid_entry2 *entries, int n, int max)
{
	struct kvm_cpuid_entry2 e;
	u32 index = l->index;

	do {
		e = (struct kvm_cpuid_entry2){
			.function = l->function,
			.index = index,
			.flags = l->indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		};
		if (wanted(&e)) {
			if (n >= max)
				return -E2BIG;
			host_leaf(l, &e);
			add_features(&e);
			if (l->fix)
				l->fix(&e);
			entries[n++] = e;
		}
		index++;
	} while (l->more && l->more(&e));
	return n;
}

/**
 * vmmu_supported_cpuid() - KVM_GET_SUPPORTED_CPUID
 * @entries: filled
 * @max: room in it
 *
 * All CPUs of a host are taken to be alike. Does not sleep.
 *
 * Return: how many were filled, or -E2BIG.
 */
int vmmu_supported_cpuid(struct kvm_cpuid_entry2 *entries, int max)
{
	unsigned int i;
	int n = 0;

	for (i = 0; i < ARRAY_SIZE(leaves) && n >= 0; i++)
		if (host_answers(leaves[i].function, leaves[i].index))
			n = emit(&leaves[i], entries, n, max);
	return n;
}

/* After the FPU's and the back end's: their limits are inputs. */
int vmmu_cpuid_module_init(void)
{
	unsigned int i;

	BUILD_BUG_ON(CPUID_8000_0021_EAX >= NCAPINTS);
	for (i = 0; i < vmmu_cpuid_nr_words; i++)
		can[vmmu_cpuid_words[i].word] = word_from_host(&vmmu_cpuid_words[i]);
	adjust();
	return 0;
}
