// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPUID that one guest was given: KVM_SET_CPUID2, what follows from it,
 * and what the instruction answers.
 *
 * The entries are kept as user space gave them. Bits that mirror other state
 * (OSXSAVE, OSPKE, the APIC's enable bit, XSAVE sizes) are put in when an
 * answer is made. vcpu->mutex guards everything; only set sleeps.
 */
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "vmmu/vm.h"
#include "cpuid.h"
#include "xstate.h"

#define MAXPHYADDR_DEFAULT	36
#define MAXPHYADDR_LIMIT	52

/* A control-register bit and the feature that it needs; bits without a row are reserved. */
struct gated_bit {
	u64 bit;
	u16 feature;
	bool told;	/* must the guest's CPUID have it, or only the host? */
};

static const struct gated_bit cr4_bits[] = {
	{ X86_CR4_VME | X86_CR4_PVI, X86_FEATURE_VME },
	{ X86_CR4_TSD, X86_FEATURE_TSC },
	{ X86_CR4_DE, X86_FEATURE_DE },
	{ X86_CR4_PSE, X86_FEATURE_PSE },
	{ X86_CR4_PAE, X86_FEATURE_PAE },
	{ X86_CR4_MCE, X86_FEATURE_MCE },
	{ X86_CR4_PGE, X86_FEATURE_PGE },
	{ X86_CR4_PCE, X86_FEATURE_FPU },
	{ X86_CR4_OSFXSR, X86_FEATURE_FXSR },
	{ X86_CR4_OSXMMEXCPT, X86_FEATURE_XMM },
	{ X86_CR4_UMIP, X86_FEATURE_UMIP, true },
	{ X86_CR4_LA57, X86_FEATURE_LA57, true },
	{ X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE, true },
	{ X86_CR4_PCIDE, X86_FEATURE_PCID, true },
	{ X86_CR4_OSXSAVE, X86_FEATURE_XSAVE, true },
	{ X86_CR4_SMEP, X86_FEATURE_SMEP, true },
	{ X86_CR4_SMAP, X86_FEATURE_SMAP, true },
	{ X86_CR4_PKE, X86_FEATURE_PKU, true },
};

static const struct gated_bit efer_bits[] = {
	{ EFER_SCE, X86_FEATURE_SYSCALL },
	{ EFER_LME | EFER_LMA, X86_FEATURE_LM, true },
	{ EFER_NX, X86_FEATURE_NX, true },
	{ EFER_FFXSR, X86_FEATURE_FXSR_OPT, true },
	{ EFER_AUTOIBRS, X86_FEATURE_AUTOIBRS, true },
};

static bool has(const u32 *words, u16 feature)
{
	return words[feature / 32] & BIT(feature & 31);
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid_entry2 *entries, int nr,
					   u32 function, u32 index)
{
	int i;

	for (i = 0; i < nr; i++)
		if (vmmu_cpuid_match(&entries[i], function, index))
			return &entries[i];
	return NULL;
}

/* ---- checks ---- */

bool vmmu_cpuid_has_duplicates(const struct kvm_cpuid_entry2 *entries, int nr)
{
	int i, j;

	for (i = 0; i < nr; i++) {
		for (j = 0; j < i; j++) {
			if (entries[i].function != entries[j].function)
				continue;
			if (entries[i].index == entries[j].index ||
			    !(entries[i].flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) ||
			    !(entries[j].flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX))
				return true;
		}
	}
	return false;
}

int vmmu_cpuid_check(const struct kvm_cpuid_entry2 *entries, int nr)
{
	const struct kvm_cpuid_entry2 *e;
	u32 virt;

	if (vmmu_cpuid_has_duplicates(entries, nr))
		return -EINVAL;
	e = find(entries, nr, 0x80000008, 0);
	if (!e)
		return 0;
	virt = (e->eax >> 8) & 0xff;
	if (virt != 48 && virt != 57 && virt != 0)
		return -EINVAL;
	return (e->eax & 0xff) > MAXPHYADDR_LIMIT ? -EINVAL : 0;
}

/* ---- what follows from the entries ---- */

static u8 derive_maxphyaddr(const struct kvm_cpuid_entry2 *entries, int nr)
{
	const struct kvm_cpuid_entry2 *max = find(entries, nr, 0x80000000, 0);
	const struct kvm_cpuid_entry2 *e = find(entries, nr, 0x80000008, 0);

	if (!max || max->eax < 0x80000008 || !e || !(e->eax & 0xff))
		return MAXPHYADDR_DEFAULT;
	return e->eax & 0xff;
}

static bool derive_intel(const struct kvm_cpuid_entry2 *entries, int nr)
{
	const struct kvm_cpuid_entry2 *e = find(entries, nr, 0, 0);

	if (!e)
		return boot_cpu_data.x86_vendor == X86_VENDOR_INTEL;
	/* "AuthenticAMD", "HygonGenuine" */
	return !(e->ebx == 0x68747541 && e->edx == 0x69746e65 && e->ecx == 0x444d4163) &&
	       !(e->ebx == 0x6f677948 && e->edx == 0x6e65476e && e->ecx == 0x656e6975);
}

/* What the guest was told, and we can. */
static void derive_features(u32 *words, const struct kvm_cpuid_entry2 *entries, int nr)
{
	unsigned int i;

	memset(words, 0, NCAPINTS * sizeof(*words));
	for (i = 0; i < vmmu_cpuid_nr_words; i++) {
		const struct vmmu_cpuid_word *w = &vmmu_cpuid_words[i];
		const struct kvm_cpuid_entry2 *e = find(entries, nr, w->function, w->index);
		u32 told = e ? vmmu_cpuid_value(e, w->reg) : 0, bit;

		for (bit = 0; bit < 32; bit++)
			if ((told & BIT(bit)) && vmmu_can(w->word * 32 + bit))
				words[w->word] |= BIT(bit);
	}
}

/* @any: the guest was given CPUID at all. */
static u64 derive_reserved(const struct gated_bit *bits, unsigned int n, const u32 *words,
			   bool any)
{
	u64 allowed = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (!vmmu_can(bits[i].feature))
			continue;
		if (!any || !bits[i].told || has(words, bits[i].feature))
			allowed |= bits[i].bit;
	}
	return ~allowed;
}

static u64 derive_xcr0(const struct kvm_cpuid_entry2 *entries, int nr)
{
	const struct kvm_cpuid_entry2 *e = find(entries, nr, 0xd, 0);

	return e ? (e->eax | (u64)e->edx << 32) & vmmu_supported_xcr0() : 0;
}

/*
 * Does not change out->entries. With @nr 0 the limits are the host's: a VMM
 * may set registers before it sets CPUID.
 */
void vmmu_cpuid_derive(struct vmmu_cpuid *out, const struct kvm_cpuid_entry2 *entries, int nr)
{
	derive_features(out->features, entries, nr);
	out->cr4_reserved = derive_reserved(cr4_bits, ARRAY_SIZE(cr4_bits), out->features, nr);
	out->efer_reserved = derive_reserved(efer_bits, ARRAY_SIZE(efer_bits), out->features,
					     nr);
	out->xcr0_supported = derive_xcr0(entries, nr);
	out->maxphyaddr = derive_maxphyaddr(entries, nr);
	out->intel = derive_intel(entries, nr);
}

void vmmu_cpuid_create(struct vmmu_vcpu *vcpu)
{
	vmmu_cpuid_derive(&vcpu->cpuid, NULL, 0);
	vmmu_cpuid_runtime(vcpu);
}

void vmmu_free_cpuid(struct vmmu_vcpu *vcpu)
{
	kvfree(vcpu->cpuid.entries);
	vcpu->cpuid.entries = NULL;
	vcpu->cpuid.nr = 0;
}

bool vmmu_guest_has(struct vmmu_vcpu *vcpu, unsigned int x86_feature)
{
	return has(vcpu->cpuid.features, x86_feature);
}

/**
 * vmmu_cpuid_has_mwait() - does CPUID tell the guest of MONITOR and MWAIT now?
 * @vcpu: its own thread
 *
 * What user space said; without KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT what
 * IA32_MISC_ENABLE says.
 */
bool vmmu_cpuid_has_mwait(struct vmmu_vcpu *vcpu)
{
	if (vmmu_quirk_disabled(vcpu->vm, KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT))
		return vcpu->msrs.misc_enable & MSR_IA32_MISC_ENABLE_MWAIT;
	return vmmu_guest_has(vcpu, X86_FEATURE_MWAIT);
}

/* ---- bits that mirror other state ---- */

static void put_bit(u32 *reg, u16 feature, bool on)
{
	u32 bit = BIT(feature & 31);

	*reg = on ? *reg | bit : *reg & ~bit;
}

/**
 * vmmu_cpuid_runtime() - XCR0 changed: XSAVE sizes are stale
 * @vcpu: loaded, or being created
 *
 * CR4 and the APIC base are looked at when an answer is made.
 */
void vmmu_cpuid_runtime(struct vmmu_vcpu *vcpu)
{
	vcpu->cpuid.xsave_size = vmmu_xstate_size(vcpu->fpu.xcr0);
	vcpu->cpuid.xsave_compacted_size = vmmu_xstate_compacted_size(vcpu->fpu.xcr0);
}

/**
 * vmmu_cpuid_entry_now() - put the bits that mirror other state into an entry
 * @vcpu: loaded
 * @e: a copy of one of its entries
 */
void vmmu_cpuid_entry_now(struct vmmu_vcpu *vcpu, struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 0x1:
		if (vmmu_can(X86_FEATURE_XSAVE))
			put_bit(&e->ecx, X86_FEATURE_OSXSAVE,
				vmmu_cpu->get_cr4(vcpu) & X86_CR4_OSXSAVE);
		if (vcpu->apic)
			put_bit(&e->edx, X86_FEATURE_APIC,
				vmmu_lapic_get_base(vcpu) & MSR_IA32_APICBASE_ENABLE);
		put_bit(&e->ecx, X86_FEATURE_MWAIT, vmmu_cpuid_has_mwait(vcpu));
		break;
	case 0x7:
		if (!e->index && vmmu_can(X86_FEATURE_PKU))
			put_bit(&e->ecx, X86_FEATURE_OSPKE,
				vmmu_cpu->get_cr4(vcpu) & X86_CR4_PKE);
		break;
	case 0xd:
		if (e->index == 0 && e->eax)
			e->ebx = vcpu->cpuid.xsave_size;
		if (e->index == 1 && (e->eax & BIT(X86_FEATURE_XSAVEC & 31)))
			e->ebx = vcpu->cpuid.xsave_compacted_size;
		break;
	}
}

/* ---- KVM_SET_CPUID2 ---- */

static bool same_entry(struct vmmu_vcpu *vcpu, struct kvm_cpuid_entry2 a,
		       struct kvm_cpuid_entry2 b)
{
	vmmu_cpuid_entry_now(vcpu, &a);
	vmmu_cpuid_entry_now(vcpu, &b);
	return a.function == b.function && a.index == b.index && a.flags == b.flags &&
	       a.eax == b.eax && a.ebx == b.ebx && a.ecx == b.ecx && a.edx == b.edx;
}

static bool same_as_before(struct vmmu_vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, int nr)
{
	int i;

	if (nr != vcpu->cpuid.nr)
		return false;
	for (i = 0; i < nr; i++)
		if (!same_entry(vcpu, entries[i], vcpu->cpuid.entries[i]))
			return false;
	return true;
}

/**
 * vmmu_set_cpuid() - KVM_SET_CPUID2
 * @vcpu: loaded
 * @entries: copied; stay the caller's
 * @nr: how many
 *
 * Once the vCPU has run only the same set is taken: cached translations and
 * permissions rest on it. Sleeps.
 *
 * Return: 0; -E2BIG, -EINVAL, -ENOMEM with nothing changed.
 */
int vmmu_set_cpuid(struct vmmu_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, int nr)
{
	struct kvm_cpuid_entry2 *copy = NULL;
	int r;

	if (nr < 0 || nr > VMMU_MAX_CPUID_ENTRIES)
		return -E2BIG;
	if (vcpu->ran)
		return same_as_before(vcpu, entries, nr) ? 0 : -EINVAL;
	r = vmmu_cpuid_check(entries, nr);
	if (r)
		return r;
	if (nr) {
		copy = kvmalloc_array(nr, sizeof(*copy), GFP_KERNEL_ACCOUNT);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, entries, nr * sizeof(*copy));
	}
	kvfree(vcpu->cpuid.entries);
	vcpu->cpuid.entries = copy;
	vcpu->cpuid.nr = nr;
	vmmu_cpuid_derive(&vcpu->cpuid, copy, nr);
	vmmu_cpuid_runtime(vcpu);
	vmmu_cpu->after_set_cpuid(vcpu);
	if (vcpu->apic)
		vmmu_lapic_cpuid_changed(vcpu);
	return 0;
}

/* ---- the instruction ---- */

/* The leaf whose EAX says how far @function's range goes. */
static u32 range_base(u32 function)
{
	if (function >= 0x40000000 && function <= 0x4fffffff)
		return function & 0xffffff00;
	if (function >= 0xc0000000)
		return 0xc0000000;
	return function & 0x80000000;
}

/*
 * Nothing is listed for @function. Within a range that reads as zeros. Beyond
 * it Intel answers as for the highest basic leaf (SDM vol. 2, CPUID), AMD with
 * zeros; @function is changed to the leaf that answers.
 */
static const struct kvm_cpuid_entry2 *beyond_range(struct vmmu_vcpu *vcpu, u32 *function,
						   u32 index)
{
	const struct kvm_cpuid_entry2 *entries = vcpu->cpuid.entries, *basic, *base;
	int nr = vcpu->cpuid.nr;

	basic = find(entries, nr, 0, 0);
	if (!basic || !vcpu->cpuid.intel)
		return NULL;
	base = find(entries, nr, range_base(*function), 0);
	if (base && *function <= base->eax)
		return NULL;
	*function = basic->eax;
	return find(entries, nr, basic->eax, index);
}

/* Topology levels that are not listed: type 0, the asked index, the same x2APIC id. */
static void unlisted_topology(struct vmmu_vcpu *vcpu, u32 function, u32 index,
			      struct kvm_cpuid_entry2 *e)
{
	const struct kvm_cpuid_entry2 *one;

	if (function != 0xb && function != 0x1f)
		return;
	one = find(vcpu->cpuid.entries, vcpu->cpuid.nr, function, 1);
	if (!one)
		return;
	e->ecx = index & 0xff;
	e->edx = one->edx;
}

/* Does an entry of @function mirror other state? See vmmu_cpuid_entry_now(). */
static bool mirrors(u32 function)
{
	return function == 0x1 || function == 0x7 || function == 0xd;
}

/* A leaf that mirrors other state or is not listed. */
static noinline void answer_slowly(struct vmmu_vcpu *vcpu, const struct kvm_cpuid_entry2 *found,
				   u32 function, u32 index, struct kvm_cpuid_entry2 *e)
{
	if (!found)
		found = beyond_range(vcpu, &function, index);
	if (found) {
		*e = *found;
		vmmu_cpuid_entry_now(vcpu, e);
	} else {
		*e = (struct kvm_cpuid_entry2) {};
		unlisted_topology(vcpu, function, index, e);
	}
}

/**
 * vmmu_cpuid() - what CPUID answers
 * @vcpu: loaded
 * @eax: function in, EAX out
 * @ebx: EBX out
 * @ecx: index in, ECX out
 * @edx: EDX out
 */
void vmmu_cpuid(struct vmmu_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	const struct kvm_cpuid_entry2 *e;
	struct kvm_cpuid_entry2 now;

	e = find(vcpu->cpuid.entries, vcpu->cpuid.nr, *eax, *ecx);
	if (!e || mirrors(*eax)) {
		answer_slowly(vcpu, e, *eax, *ecx, &now);
		e = &now;
	}
	*eax = e->eax;
	*ebx = e->ebx;
	*ecx = e->ecx;
	*edx = e->edx;
}
