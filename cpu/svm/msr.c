// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSRs that live in the VMCB, and the map of those that the guest may touch
 * without an exit.
 *
 * Contract: what VMLOAD and VMSAVE move for every entry is the guest's own and
 * passes through. Everything else exits, and everything does in a VM that has
 * an MSR filter (enter.c chooses the map).
 *
 * Locking: the maps are constant after svm_msrpm_setup(); values belong to
 * vcpu->mutex. Only setup sleeps.
 */
#include <linux/gfp.h>
#include <asm/msr-index.h>
#include "vmcb.h"

#define MSRPM_ORDER	1	/* 8 KiB: APM vol. 2, 15.11 */

#define DEBUGCTL_VALID	(DEBUGCTLMSR_LBR | DEBUGCTLMSR_BTF)

static const u32 passed_through[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

/**
 * svm_msrpm_bit() - where the permission map keeps an MSR
 * @index: the MSR
 *
 * Return: the number of its read bit; the write bit follows. -1: the map does
 * not cover it, and it always exits.
 */
int svm_msrpm_bit(u32 index)
{
	static const u32 first[] = { 0, 0xc0000000, 0xc0010000 };
	int i;

	for (i = 0; i < ARRAY_SIZE(first); i++)
		if (index - first[i] < 0x2000)
			return i * 0x800 * 8 + (index - first[i]) * 2;
	return -1;
}

int svm_msrpm_setup(void)
{
	unsigned long *map;
	int i, bit;

	svm_host.msrpm = alloc_pages(GFP_KERNEL, MSRPM_ORDER);
	svm_host.msrpm_all = alloc_pages(GFP_KERNEL, MSRPM_ORDER);
	if (!svm_host.msrpm || !svm_host.msrpm_all)
		return -ENOMEM;
	svm_host.msrpm_pa = __sme_pa(page_address(svm_host.msrpm));
	svm_host.msrpm_all_pa = __sme_pa(page_address(svm_host.msrpm_all));
	memset(page_address(svm_host.msrpm_all), 0xff, PAGE_SIZE << MSRPM_ORDER);

	map = page_address(svm_host.msrpm);
	memset(map, 0xff, PAGE_SIZE << MSRPM_ORDER);
	for (i = 0; i < ARRAY_SIZE(passed_through); i++) {
		bit = svm_msrpm_bit(passed_through[i]);
		__clear_bit(bit, map);
		__clear_bit(bit + 1, map);
	}
	return 0;
}

void svm_msrpm_teardown(void)
{
	if (svm_host.msrpm)
		__free_pages(svm_host.msrpm, MSRPM_ORDER);
	if (svm_host.msrpm_all)
		__free_pages(svm_host.msrpm_all, MSRPM_ORDER);
	svm_host.msrpm = NULL;
	svm_host.msrpm_all = NULL;
}

/* The VMCB field behind @index, or NULL. */
static u64 *vmcb_msr(struct vmmu_vcpu *vcpu, u32 index)
{
	struct vmcb_save_area *s = svm_save(vcpu);

	switch (index) {
	case MSR_STAR:
		return &s->star;
	case MSR_SYSCALL_MASK:
		return &s->sfmask;
	case MSR_IA32_SYSENTER_CS:
		return &s->sysenter_cs;
	case MSR_LSTAR:
		return &s->lstar;
	case MSR_CSTAR:
		return &s->cstar;
	case MSR_FS_BASE:
		return &s->fs.base;
	case MSR_GS_BASE:
		return &s->gs.base;
	case MSR_KERNEL_GS_BASE:
		return &s->kernel_gs_base;
	case MSR_IA32_SYSENTER_ESP:
		return &s->sysenter_esp;
	case MSR_IA32_SYSENTER_EIP:
		return &s->sysenter_eip;
	}
	return NULL;
}

int svm_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val)
{
	struct vmcb_save_area *s = svm_save(vcpu);
	u64 *field = vmcb_msr(vcpu, index);

	if (field) {
		*val = *field;
		return 0;
	}
	switch (index) {
	case MSR_IA32_DEBUGCTLMSR:
		*val = s->dbgctl;
		return 0;
	case MSR_IA32_LASTBRANCHFROMIP:
		*val = s->br_from;
		return 0;
	case MSR_IA32_LASTBRANCHTOIP:
		*val = s->br_to;
		return 0;
	case MSR_IA32_LASTINTFROMIP:
		*val = s->last_excp_from;
		return 0;
	case MSR_IA32_LASTINTTOIP:
		*val = s->last_excp_to;
		return 0;
	case MSR_VM_CR:
	case MSR_VM_HSAVE_PA:
		return 1;	/* the guest's CPUID has no SVM */
	default:
		return -ENOENT;
	}
}

/* Without LBR virtualization the value is kept and does nothing. */
static int set_debugctl(struct vmmu_vcpu *vcpu, u64 val)
{
	struct vmcb_control_area *c = svm_control(vcpu);

	if (val & ~(u64)DEBUGCTL_VALID)
		return 1;
	svm_save(vcpu)->dbgctl = val;
	if (svm_host.lbrv && val)
		c->virt_ext |= LBR_CTL_ENABLE_MASK;
	else
		c->virt_ext &= ~LBR_CTL_ENABLE_MASK;
	svm_dirty(vcpu, SVM_CLEAN_LBR);
	return 0;
}

int svm_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val)
{
	u64 *field = vmcb_msr(vcpu, index);

	if (field) {
		*field = val;
		return 0;
	}
	switch (index) {
	case MSR_IA32_CR_PAT:
		/* Applied under nested paging only; on shadow tables it is kept. */
		svm_save(vcpu)->g_pat = val;
		svm_dirty(vcpu, SVM_CLEAN_NPT);
		return 0;
	case MSR_IA32_DEBUGCTLMSR:
		return set_debugctl(vcpu, val);
	case MSR_VM_CR:
	case MSR_VM_HSAVE_PA:
		return 1;
	default:
		return -ENOENT;
	}
}
