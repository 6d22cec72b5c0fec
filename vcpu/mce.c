// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's machine-check banks, and KVM_X86_SET_MCE that reports into them.
 *
 * vcpu->mutex guards everything here; nothing sleeps but create.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include <asm/mce.h>
#include <asm/trapnr.h>
#include <asm/msr-index.h>
#include "vmmu/vm.h"
#include "msr.h"

#define REGS_PER_BANK	4
#define BANK_CTL	0
#define BANK_STATUS	1
#define BANK_ADDR	2
#define BANK_MISC	3
/* HWCR: the guest may write MCi_STATUS (AMD APM vol. 2, 9.3.2.2). */
#define HWCR_MC_STATUS_WR_EN	BIT_ULL(18)
/* Bits of MCi_CTL that old kernels clear to work around chipset faults. */
#define BANK_CTL_TOLERATED	(BIT_ULL(10) | BIT_ULL(0))

static unsigned int nr_banks(struct vmmu_vcpu *vcpu)
{
	return vcpu->msrs.mcg_cap & MCG_BANKCNT_MASK;
}

int vmmu_mce_create(struct vmmu_vcpu *vcpu)
{
	vcpu->msrs.mce_banks = kcalloc(VMMU_MAX_MCE_BANKS, REGS_PER_BANK * sizeof(u64),
				       GFP_KERNEL_ACCOUNT);
	if (!vcpu->msrs.mce_banks)
		return -ENOMEM;
	vcpu->msrs.mcg_cap = VMMU_MAX_MCE_BANKS;
	return 0;
}

void vmmu_mce_destroy(struct vmmu_vcpu *vcpu)
{
	kfree(vcpu->msrs.mce_banks);
	vcpu->msrs.mce_banks = NULL;
}

/**
 * vmmu_setup_mce() - KVM_X86_SETUP_MCE
 * @vcpu: its mutex held
 * @mcg_cap: bank count and VMMU_MCE_CAP_SUPPORTED bits
 *
 * Return: 0; -EINVAL with nothing changed.
 */
int vmmu_setup_mce(struct vmmu_vcpu *vcpu, u64 mcg_cap)
{
	unsigned int banks = mcg_cap & MCG_BANKCNT_MASK, i;

	if (!banks || banks > VMMU_MAX_MCE_BANKS)
		return -EINVAL;
	if (mcg_cap & ~(u64)(VMMU_MCE_CAP_SUPPORTED | MCG_BANKCNT_MASK | MCG_EXT_CNT_MASK))
		return -EINVAL;
	vcpu->msrs.mcg_cap = mcg_cap;
	if (mcg_cap & MCG_CTL_P)
		vcpu->msrs.mcg_ctl = ~0ULL;
	for (i = 0; i < banks; i++)
		vcpu->msrs.mce_banks[i * REGS_PER_BANK + BANK_CTL] = ~0ULL;
	return 0;
}

int vmmu_mcg_ctl_get(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	if (!(vcpu->msrs.mcg_cap & MCG_CTL_P) && !host)
		return 1;
	*val = vcpu->msrs.mcg_ctl;
	return 0;
}

int vmmu_mcg_ctl_set(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	if (!(vcpu->msrs.mcg_cap & MCG_CTL_P) && (val || !host))
		return 1;
	if (val && val != ~0ULL)
		return 1;
	vcpu->msrs.mcg_ctl = val;
	return 0;
}

/* The register behind @index, or NULL when the guest has fewer banks. */
static u64 *bank_reg(struct vmmu_vcpu *vcpu, u32 index)
{
	u32 nr = index - MSR_IA32_MC0_CTL, end = nr_banks(vcpu) * REGS_PER_BANK;

	if (nr >= end)
		return NULL;
	return &vcpu->msrs.mce_banks[array_index_nospec(nr, end)];
}

int vmmu_mce_get(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	u64 *reg = bank_reg(vcpu, index);

	if (!reg)
		return 1;
	*val = *reg;
	return 0;
}

int vmmu_mce_set(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	u32 kind = (index - MSR_IA32_MC0_CTL) % REGS_PER_BANK;
	u64 *reg = bank_reg(vcpu, index);

	if (!reg)
		return 1;
	if (kind == BANK_CTL && val && (val | BANK_CTL_TOLERATED) != ~0ULL)
		return 1;
	if (kind == BANK_STATUS && val && !host &&
	    (vcpu->cpuid.intel || !(vcpu->msrs.hwcr & HWCR_MC_STATUS_WR_EN)))
		return 1;
	*reg = val;
	return 0;
}

/* Uncorrected: raises #MC, or shuts down when the guest cannot take one. */
static void report_uncorrected(struct vmmu_vcpu *vcpu, const struct kvm_x86_mce *mce, u64 *bank)
{
	struct vmmu_msrs *m = &vcpu->msrs;
	u64 status = mce->status;

	if ((m->mcg_cap & MCG_CTL_P) && m->mcg_ctl != ~0ULL)
		return;
	if (bank[BANK_CTL] != ~0ULL)
		return;
	if ((m->mcg_status & MCG_STATUS_MCIP) ||
	    !(vmmu_cpu->get_cr4(vcpu) & X86_CR4_MCE)) {
		vmmu_request(vcpu, VMMU_REQ_TRIPLE_FAULT);
		return;
	}
	if (bank[BANK_STATUS] & MCI_STATUS_VAL)
		status |= MCI_STATUS_OVER;
	bank[BANK_ADDR] = mce->addr;
	bank[BANK_MISC] = mce->misc;
	m->mcg_status = mce->mcg_status;
	bank[BANK_STATUS] = status;
	vmmu_queue_exception(vcpu, X86_TRAP_MC);
}

/* Corrected: logged, but never over an uncorrected one. */
static void report_corrected(const struct kvm_x86_mce *mce, u64 *bank)
{
	bool valid = bank[BANK_STATUS] & MCI_STATUS_VAL;

	if (valid && (bank[BANK_STATUS] & MCI_STATUS_UC)) {
		bank[BANK_STATUS] |= MCI_STATUS_OVER;
		return;
	}
	bank[BANK_ADDR] = mce->addr;
	bank[BANK_MISC] = mce->misc;
	bank[BANK_STATUS] = mce->status | (valid ? MCI_STATUS_OVER : 0);
}

/**
 * vmmu_set_mce() - KVM_X86_SET_MCE: report an error to the guest
 * @vcpu: loaded
 * @mce: what user space found
 *
 * Return: 0, or -EINVAL (no such bank, status not valid).
 */
int vmmu_set_mce(struct vmmu_vcpu *vcpu, const struct kvm_x86_mce *mce)
{
	unsigned int banks = nr_banks(vcpu);
	u64 *bank;

	if (mce->bank >= banks || !(mce->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = &vcpu->msrs.mce_banks[array_index_nospec(mce->bank, banks) * REGS_PER_BANK];
	if (mce->status & MCI_STATUS_UC)
		report_uncorrected(vcpu, mce, bank);
	else
		report_corrected(mce, bank);
	return 0;
}
