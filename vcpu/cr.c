// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control, debug and extended control registers: what a MOV to them checks.
 *
 * Own thread, vCPU loaded; nothing sleeps. Functions return 0, or 1 when the
 * guest must get #GP(0), which the caller queues.
 */
#include <asm/debugreg.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "vmmu/vm.h"

#define CR0_DEFINED (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | \
		     X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)
/* A change of one of these changes what cached translations mean. */
#define CR0_TLB_BITS (X86_CR0_PG | X86_CR0_WP | X86_CR0_PE)
#define CR4_TLB_BITS (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE | \
		      X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_LA57)

#define CR3_NOFLUSH	BIT_ULL(63)

#define DR7_VOLATILE	0xffff2bffULL
#define DR6_VOLATILE	0x0001e80fULL

static bool is_cs_long(struct vmmu_vcpu *vcpu)
{
	struct kvm_segment cs;

	vmmu_cpu->get_segment(vcpu, VMMU_SEG_CS, &cs);
	return cs.l;
}

/* Is @val legal as CR0 in this state? Intel SDM vol. 3, 2.5; AMD APM vol. 2, 3.1.1. */
static bool cr0_legal(struct vmmu_vcpu *vcpu, u64 val)
{
	u64 old = vmmu_cpu->get_cr0(vcpu), efer = vmmu_cpu->get_efer(vcpu);
	u64 cr4 = vmmu_cpu->get_cr4(vcpu);

	if (val >> 32)
		return false;
	if ((val & X86_CR0_NW) && !(val & X86_CR0_CD))
		return false;
	if ((val & X86_CR0_PG) && !(val & X86_CR0_PE))
		return false;
	if ((val & X86_CR0_PG) && !(old & X86_CR0_PG) && (efer & EFER_LME))
		return (cr4 & X86_CR4_PAE) && !is_cs_long(vcpu);
	if (!(val & X86_CR0_PG) && (old & X86_CR0_PG)) {
		if (cr4 & X86_CR4_PCIDE)
			return false;
		return !((efer & EFER_LMA) && is_cs_long(vcpu));
	}
	return true;
}

/*
 * vmmu_set_cr0() - MOV to CR0
 */
int vmmu_set_cr0(struct vmmu_vcpu *vcpu, u64 val)
{
	u64 old = vmmu_cpu->get_cr0(vcpu), efer = vmmu_cpu->get_efer(vcpu);

	if (!cr0_legal(vcpu, val))
		return 1;
	val = (val & CR0_DEFINED) | X86_CR0_ET;
	if ((efer & EFER_LME) && ((old ^ val) & X86_CR0_PG)) {
		efer = val & X86_CR0_PG ? efer | EFER_LMA : efer & ~EFER_LMA;
		vmmu_cpu->set_efer(vcpu, efer);
	}
	vmmu_cpu->set_cr0(vcpu, val);
	if ((old ^ val) & CR0_TLB_BITS)
		vmmu_request(vcpu, VMMU_REQ_TLB_FLUSH);
	return 0;
}

/* The bits of CR3 that must be zero: above the guest's physical address width. */
static u64 cr3_reserved(struct vmmu_vcpu *vcpu)
{
	u8 width = vcpu->cpuid.maxphyaddr ? vcpu->cpuid.maxphyaddr : 36;

	if (!(vmmu_cpu->get_efer(vcpu) & EFER_LMA))
		return GENMASK_ULL(63, 32);
	return width < 64 ? GENMASK_ULL(63, width) : 0;
}

/*
 * vmmu_set_cr3() - MOV to CR3
 */
int vmmu_set_cr3(struct vmmu_vcpu *vcpu, u64 val)
{
	bool flush = true;

	if ((vmmu_cpu->get_cr4(vcpu) & X86_CR4_PCIDE) && (val & CR3_NOFLUSH)) {
		flush = false;
		val &= ~CR3_NOFLUSH;
	}
	if (val & cr3_reserved(vcpu))
		return 1;
	vmmu_cpu->set_cr3(vcpu, val);
	if (flush)
		vmmu_request(vcpu, VMMU_REQ_TLB_FLUSH);
	return 0;
}

static bool cr4_legal(struct vmmu_vcpu *vcpu, u64 val)
{
	u64 old = vmmu_cpu->get_cr4(vcpu);

	if (val & vcpu->cpuid.cr4_reserved)
		return false;
	if (vmmu_cpu->get_efer(vcpu) & EFER_LMA) {
		if (!(val & X86_CR4_PAE) || ((val ^ old) & X86_CR4_LA57))
			return false;
	}
	if ((val & X86_CR4_PCIDE) && !(old & X86_CR4_PCIDE)) {
		if (!(vmmu_cpu->get_efer(vcpu) & EFER_LMA) ||
		    (vmmu_cpu->get_cr3(vcpu) & X86_CR3_PCID_MASK))
			return false;
	}
	return true;
}

/*
 * vmmu_set_cr4() - MOV to CR4
 */
int vmmu_set_cr4(struct vmmu_vcpu *vcpu, u64 val)
{
	u64 old = vmmu_cpu->get_cr4(vcpu);

	if (!cr4_legal(vcpu, val))
		return 1;
	vmmu_cpu->set_cr4(vcpu, val);
	if ((old ^ val) & CR4_TLB_BITS)
		vmmu_request(vcpu, VMMU_REQ_TLB_FLUSH);
	vmmu_cpuid_runtime(vcpu);
	return 0;
}

int vmmu_set_cr8(struct vmmu_vcpu *vcpu, u64 val)
{
	if (val & ~0xfULL)
		return 1;
	if (vcpu->apic)
		vmmu_lapic_set_tpr(vcpu, val);
	else
		vcpu->cr8 = val;
	return 0;
}

u64 vmmu_get_cr8(struct vmmu_vcpu *vcpu)
{
	return vcpu->apic ? vmmu_lapic_get_tpr(vcpu) : vcpu->cr8;
}

/*
 * vmmu_set_efer() - WRMSR EFER, or KVM_SET_SREGS/MSRS (@host)
 *
 * LMA follows CR0.PG and is not the guest's to write.
 */
int vmmu_set_efer(struct vmmu_vcpu *vcpu, u64 val, bool host)
{
	u64 old = vmmu_cpu->get_efer(vcpu);

	if (val & vcpu->cpuid.efer_reserved)
		return 1;
	if (!host) {
		if (vmmu_paging_on(vcpu) && ((old ^ val) & EFER_LME))
			return 1;
		val = (val & ~(u64)EFER_LMA) | (old & EFER_LMA);
	}
	vmmu_cpu->set_efer(vcpu, val);
	if ((old ^ val) & EFER_NX)
		vmmu_request(vcpu, VMMU_REQ_TLB_FLUSH);
	return 0;
}

/*
 * vmmu_set_xcr() - XSETBV; Intel SDM vol. 1, 13.3
 */
int vmmu_set_xcr(struct vmmu_vcpu *vcpu, u32 index, u64 val)
{
	u64 avx512 = XFEATURE_MASK_AVX512;

	if (index || !(val & XFEATURE_MASK_FP) || (val & ~vcpu->cpuid.xcr0_supported))
		return 1;
	if ((val & XFEATURE_MASK_YMM) && !(val & XFEATURE_MASK_SSE))
		return 1;
	if (val & avx512) {
		if (!(val & XFEATURE_MASK_YMM) || (val & avx512) != avx512)
			return 1;
	}
	vcpu->fpu.xcr0 = val;
	vmmu_cpuid_runtime(vcpu);
	return 0;
}

/*
 * vmmu_set_dr() - MOV to DRn; 4 and 5 are aliases that the caller has checked against CR4.DE
 */
int vmmu_set_dr(struct vmmu_vcpu *vcpu, int n, u64 val)
{
	vmmu_cpu->sync_dr(vcpu);
	switch (n) {
	case 0 ... 3:
		vcpu->dbg.dr[n] = val;
		if (!(vcpu->dbg.guest_debug & KVM_GUESTDBG_USE_HW_BP))
			vcpu->dbg.eff_dr[n] = val;
		break;
	case 4:
	case 6:
		if (val >> 32)
			return 1;
		vcpu->dbg.dr6 = (val & DR6_VOLATILE) | (DR6_RESERVED & ~DR6_VOLATILE);
		break;
	default:
		if (val >> 32)
			return 1;
		vcpu->dbg.dr7 = (val & DR7_VOLATILE) | DR7_FIXED_1;
		break;
	}
	vmmu_cpu->set_dr7(vcpu);
	return 0;
}

int vmmu_get_dr(struct vmmu_vcpu *vcpu, int n, u64 *val)
{
	vmmu_cpu->sync_dr(vcpu);
	switch (n) {
	case 0 ... 3:
		*val = vcpu->dbg.dr[n];
		break;
	case 4:
	case 6:
		*val = vcpu->dbg.dr6;
		break;
	default:
		*val = vcpu->dbg.dr7;
		break;
	}
	return 0;
}
