// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control, debug and extended control registers: what a MOV to them checks.
 *
 * Own thread, vCPU loaded, vm->srcu held. CR0, CR3 and CR4 may sleep: without
 * two-dimensional paging they read the guest's PDPTEs. Functions return 0, or 1
 * when the guest must get #GP(0), which the caller queues; nothing has changed then.
 *
 * The mmu learns of each change that concerns it after it was made.
 */
#include <asm/debugreg.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "vmmu/paging.h"
#include "vmmu/vm.h"
#include "xstate.h"

#define CR0_DEFINED (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | \
		     X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)
/* A change of one of these changes what cached translations mean. */
#define CR0_TLB_BITS (X86_CR0_PG | X86_CR0_WP | X86_CR0_PE)
#define CR4_TLB_BITS (X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE | \
		      X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_LA57)

/* A change of one of these makes PAE paging load its PDPTEs: Intel SDM vol. 3, 4.4.1. */
#define CR0_PDPTR_BITS (X86_CR0_PG | X86_CR0_CD | X86_CR0_NW)
#define CR4_PDPTR_BITS (X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PSE | X86_CR4_SMEP)

#define CR3_NOFLUSH	BIT_ULL(63)

#define DR7_VOLATILE	0xffff2bffULL
#define DR6_VOLATILE	0x0001e80fULL

/* The registers that decide how the guest's tables are read. */
struct paging_regs {
	u64 cr0, cr3, cr4, efer;
};

static struct paging_regs paging_regs(struct vmmu_vcpu *vcpu)
{
	return (struct paging_regs) {
		.cr0 = vmmu_cpu->get_cr0(vcpu), .cr3 = vmmu_cpu->get_cr3(vcpu),
		.cr4 = vmmu_cpu->get_cr4(vcpu), .efer = vmmu_cpu->get_efer(vcpu),
	};
}

static bool pae_paging(const struct paging_regs *r)
{
	return (r->cr0 & X86_CR0_PG) && (r->cr4 & X86_CR4_PAE) && !(r->efer & EFER_LME);
}

/* False: there is no memory, or a present one has a reserved bit set. */
static bool read_pdptrs(struct vmmu_vcpu *vcpu, const struct paging_regs *regs, u64 pdptr[4])
{
	const struct vmmu_paging_mode mode = {
		.cr0 = regs->cr0, .cr4 = regs->cr4, .efer = regs->efer,
	};
	const struct vmmu_paging_format *fmt = vmmu_paging_format(&mode);
	u64 reserved = vmmu_gpte_reserved(fmt, &mode, fmt->levels, false,
					  vcpu->cpuid.maxphyaddr ?: 36, false);
	int i;

	if (vmmu_read_guest(vcpu->vm, regs->cr3 & fmt->cr3_mask, pdptr, 4 * sizeof(*pdptr)))
		return false;
	for (i = 0; i < 4; i++)
		if ((pdptr[i] & VMMU_GPTE_P) && (pdptr[i] & reserved))
			return false;
	return true;
}

/*
 * What PAE paging loads at a MOV to a control register. Not under two-dimensional paging: the
 * processor reads them itself (AMD APM vol. 2, 15.25.10). False: #GP.
 */
static bool load_pdptrs(struct vmmu_vcpu *vcpu, const struct paging_regs *regs)
{
	u64 pdptr[4];

	if (vmmu_cpu_caps.tdp)
		return true;
	if (!pae_paging(regs)) {
		vcpu->pdptr_valid = false;
		return true;
	}
	if (!read_pdptrs(vcpu, regs, pdptr))
		return false;
	memcpy(vcpu->pdptr, pdptr, sizeof(pdptr));
	vcpu->pdptr_valid = true;
	return true;
}

/**
 * vmmu_pdptrs_set() - the PDPTEs after user space set the control registers
 * @vcpu: loaded, vm->srcu held; has its new registers
 * @given: four values by user space, or NULL: what is in memory
 *
 * Where there is no memory, or a reserved bit is set, nothing is mapped. May sleep.
 */
void vmmu_pdptrs_set(struct vmmu_vcpu *vcpu, const u64 *given)
{
	struct paging_regs regs = paging_regs(vcpu);

	vcpu->pdptr_valid = !vmmu_cpu_caps.tdp && pae_paging(&regs);
	if (!vcpu->pdptr_valid)
		return;
	if (given)
		memcpy(vcpu->pdptr, given, sizeof(vcpu->pdptr));
	else if (!read_pdptrs(vcpu, &regs, vcpu->pdptr))
		memset(vcpu->pdptr, 0, sizeof(vcpu->pdptr));
}

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
	struct paging_regs regs = paging_regs(vcpu);
	u64 old = regs.cr0, efer = regs.efer;

	if (!cr0_legal(vcpu, val))
		return 1;
	val = (val & CR0_DEFINED) | X86_CR0_ET;
	regs.cr0 = val;
	if (((old ^ val) & CR0_PDPTR_BITS) && !load_pdptrs(vcpu, &regs))
		return 1;
	if ((efer & EFER_LME) && ((old ^ val) & X86_CR0_PG)) {
		efer = val & X86_CR0_PG ? efer | EFER_LMA : efer & ~EFER_LMA;
		vmmu_cpu->set_efer(vcpu, efer);
	}
	vmmu_cpu->set_cr0(vcpu, val);
	if ((old ^ val) & CR0_TLB_BITS)
		vmmu_mmu_guest_flush(vcpu);
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
	struct paging_regs regs = paging_regs(vcpu);

	/* Bit 63 only asks to keep translations, which we may drop. */
	if (regs.cr4 & X86_CR4_PCIDE)
		val &= ~CR3_NOFLUSH;
	if (val & cr3_reserved(vcpu))
		return 1;
	regs.cr3 = val;
	if (pae_paging(&regs) && !load_pdptrs(vcpu, &regs))
		return 1;
	vmmu_cpu->set_cr3(vcpu, val);
	vmmu_mmu_guest_flush(vcpu);
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
	struct paging_regs regs = paging_regs(vcpu);
	u64 old = regs.cr4;

	if (!cr4_legal(vcpu, val))
		return 1;
	regs.cr4 = val;
	if (((old ^ val) & CR4_PDPTR_BITS) && !load_pdptrs(vcpu, &regs))
		return 1;
	vmmu_cpu->set_cr4(vcpu, val);
	if ((old ^ val) & CR4_TLB_BITS)
		vmmu_mmu_guest_flush(vcpu);
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
	if ((old ^ val) & (EFER_NX | EFER_LMA))
		vmmu_mmu_guest_flush(vcpu);
	return 0;
}

/*
 * vmmu_set_xcr() - XSETBV; Intel SDM vol. 1, 13.3
 *
 * XCR0 with nothing but x87 state is what every vCPU is born with: user space may set
 * it on one that has no XSAVE, too.
 */
int vmmu_set_xcr(struct vmmu_vcpu *vcpu, u32 index, u64 val)
{
	if (index || !vmmu_xcr0_valid(val, vcpu->cpuid.xcr0_supported))
		return 1;
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
