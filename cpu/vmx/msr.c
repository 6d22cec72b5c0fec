// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSRs that live in the VMCS or its MSR lists, and the bitmaps of those that the
 * guest may touch without an exit.
 *
 * Contract: what an entry and an exit switch is the guest's own and passes through.
 * Everything else exits, and everything does in a VM that has an MSR filter (enter.c
 * chooses the bitmap).
 *
 * Locking: the bitmaps are constant after vmx_msr_setup(); values belong to
 * vcpu->mutex. Only setup sleeps.
 */
#include <linux/gfp.h>
#include <asm/msr-index.h>
#include "vmcs.h"

static const u32 listed[VMX_NR_LISTED] = {
	[VMX_STAR] = MSR_STAR,
	[VMX_LSTAR] = MSR_LSTAR,
	[VMX_CSTAR] = MSR_CSTAR,
	[VMX_SYSCALL_MASK] = MSR_SYSCALL_MASK,
	[VMX_KERNEL_GS_BASE] = MSR_KERNEL_GS_BASE,
};

static const u32 in_vmcs[] = {
	MSR_FS_BASE, MSR_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

/*
 * One KiB each: reads of MSRs 0..0x1fff, reads of 0xc0000000..0xc0001fff, writes,
 * writes. SDM 25.6.9.
 */
static void pass_through(unsigned long *bitmap, u32 index)
{
	u32 bit = (index & 0x1fff) + (index >= 0xc0000000 ? 0x2000 : 0);

	__clear_bit(bit, bitmap);
	__clear_bit(bit + 0x4000, bitmap);
}

int vmx_msr_setup(void)
{
	unsigned long *bitmap;
	int i;

	vmx_host.msr_bitmap = alloc_page(GFP_KERNEL);
	vmx_host.msr_bitmap_all = alloc_page(GFP_KERNEL);
	if (!vmx_host.msr_bitmap || !vmx_host.msr_bitmap_all)
		return -ENOMEM;
	memset(page_address(vmx_host.msr_bitmap_all), 0xff, PAGE_SIZE);

	bitmap = page_address(vmx_host.msr_bitmap);
	memset(bitmap, 0xff, PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(listed); i++)
		pass_through(bitmap, listed[i]);
	for (i = 0; i < ARRAY_SIZE(in_vmcs); i++)
		pass_through(bitmap, in_vmcs[i]);
	return 0;
}

void vmx_msr_teardown(void)
{
	if (vmx_host.msr_bitmap)
		__free_page(vmx_host.msr_bitmap);
	if (vmx_host.msr_bitmap_all)
		__free_page(vmx_host.msr_bitmap_all);
	vmx_host.msr_bitmap = NULL;
	vmx_host.msr_bitmap_all = NULL;
}

void vmx_msr_lists_init(struct vmx_msr_area *area)
{
	int i;

	for (i = 0; i < VMX_NR_LISTED; i++) {
		area->guest[i].index = listed[i];
		area->host[i].index = listed[i];
	}
}

/*
 * Where @index is kept, or NULL; @part: of the state that it belongs to (enum
 * vmx_part), 0: none, hardware keeps the list up to date.
 */
static u64 *kept(struct vmx_vcpu *vmx, u32 index, u32 *part)
{
	int i;

	*part = 0;
	for (i = 0; i < VMX_NR_LISTED; i++)
		if (listed[i] == index)
			return &vmx->msrs->guest[i].value;
	switch (index) {
	case MSR_FS_BASE:
		*part = BIT(VMMU_SEG_FS);
		return &vmx->seg[VMMU_SEG_FS].base;
	case MSR_GS_BASE:
		*part = BIT(VMMU_SEG_GS);
		return &vmx->seg[VMMU_SEG_GS].base;
	case MSR_IA32_SYSENTER_ESP:
		*part = VMX_TABLES;
		return &vmx->sysenter_esp;
	case MSR_IA32_SYSENTER_EIP:
		*part = VMX_TABLES;
		return &vmx->sysenter_eip;
	}
	return NULL;
}

int vmx_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 part;
	u64 *field = kept(vmx, index, &part);

	if (field) {
		vmx_need(vcpu, part);
		*val = *field;
		return 0;
	}
	switch (index) {
	case MSR_IA32_SYSENTER_CS:
		vmx_need(vcpu, VMX_TABLES);
		*val = vmx->sysenter_cs;
		return 0;
	case MSR_IA32_DEBUGCTLMSR:
		*val = 0;
		return 0;
	default:
		return -ENOENT;
	}
}

int vmx_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 part;
	u64 *field = kept(vmx, index, &part);

	if (field) {
		vmx_change(vcpu, part);
		*field = val;
		return 0;
	}
	switch (index) {
	case MSR_IA32_SYSENTER_CS:
		vmx_change(vcpu, VMX_TABLES);
		vmx->sysenter_cs = val;
		return 0;
	case MSR_IA32_CR_PAT:
		vmx_change(vcpu, VMX_CR);
		vmx->pat = val;
		return 0;
	case MSR_IA32_DEBUGCTLMSR:
		/* No last-branch records are offered, and no branch stepping. */
		return val ? 1 : 0;
	default:
		return -ENOENT;
	}
}
