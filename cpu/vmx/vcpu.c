// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a vCPU's VMCS and of its state, and what the guest may not do by
 * itself.
 *
 * Contract: the state is valid for an entry from vmx_vcpu_create() on. The VMCS is
 * clear whenever no entry is under way, so a vCPU moves between CPUs freely.
 *
 * Locking: vcpu->mutex; load and put run with preemption off (the preempt notifier
 * calls them too). create and destroy may sleep.
 */
#include <linux/gfp.h>
#include <linux/slab.h>
#include <asm/msr.h>
#include "vmcs.h"

int vmx_vm_create(struct vmmu_vm *vm)
{
	vm->hw = NULL;	/* everything of VT-x's is per vCPU or per machine */
	return 0;
}

void vmx_vm_destroy(struct vmmu_vm *vm)
{
}

int vmx_vcpu_create(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = kzalloc(sizeof(*vmx), GFP_KERNEL_ACCOUNT);

	if (!vmx)
		return -ENOMEM;
	vcpu->hw = vmx;
	vmx->vmcs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	vmx->msrs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	vmx->vapic = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->vmcs || !vmx->msrs || !vmx->vapic) {
		vmx_vcpu_destroy(vcpu);
		return -ENOMEM;
	}
	*(u32 *)vmx->vmcs = vmx_host.revision;
	vmx->pa = __pa(vmx->vmcs);
	vmx->cpu = -1;
	vmx->image.host_cpu = -1;
	/* It is born unpaged. */
	vmx->ept_on = true;
	vmx_replace(vmx, VMX_ALL);
	vmx->reason = VMX_REASON_NONE;
	vmx->tsc_offset = vcpu->clock.tsc_offset;
	vmx->dr7 = DR7_FIXED_1;
	vmx->rflags = X86_EFLAGS_FIXED;
	vmx_msr_lists_init(vmx->msrs);
	vmx_update_intercepts(vcpu);
	return 0;
}

void vmx_vcpu_destroy(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (!vmx)
		return;
	free_page((unsigned long)vmx->vmcs);
	free_page((unsigned long)vmx->msrs);
	free_page((unsigned long)vmx->vapic);
	kfree(vmx);
	vcpu->hw = NULL;
}

static void reset_segments(struct vmx_vcpu *vmx)
{
	int i;

	for (i = 0; i < VMMU_NR_SEGS; i++)
		vmx->seg[i] = (struct vmx_seg){ .limit = 0xffff, .ar = 0x93 };
	vmx->seg[VMMU_SEG_CS].selector = 0xf000;
	vmx->seg[VMMU_SEG_CS].base = 0xffff0000;
	vmx->seg[VMMU_SEG_CS].ar = 0x9b;
	vmx->seg[VMMU_SEG_LDTR].ar = 0x82;
	vmx->seg[VMMU_SEG_TR].ar = 0x8b;
	vmx->gdt = (struct vmx_table){ .limit = 0xffff };
	vmx->idt = vmx->gdt;
}

/* SDM vol. 3, table 10-1: what INIT leaves alone is only cleared by RESET. */
void vmx_vcpu_reset(struct vmmu_vcpu *vcpu, bool init)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 cr0 = X86_CR0_ET | X86_CR0_CD | X86_CR0_NW;
	int i;

	if (init)
		cr0 = X86_CR0_ET | (vmx_get_cr0(vcpu) & (X86_CR0_CD | X86_CR0_NW));

	/* All of it, so that what is left alone stays. */
	vmx_need(vcpu, VMX_STATE);
	vmx->int_state = 0;
	vmx->event = 0;
	vmx->idt_info = 0;
	vmx->tpr_threshold = 0;
	vmx->cpu_based &= ~(CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING);
	if (!init) {
		for (i = 0; i < VMX_NR_LISTED; i++)
			vmx->msrs->guest[i].value = 0;
		vmx->sysenter_cs = 0;
		vmx->sysenter_esp = 0;
		vmx->sysenter_eip = 0;
	}
	reset_segments(vmx);
	vmx->rflags = X86_EFLAGS_FIXED;
	vmx->dr7 = DR7_FIXED_1;
	vcpu->rip = 0xfff0;
	vmx_set_efer(vcpu, 0);
	/* Paging goes off first: no page directory is read meanwhile. */
	vmx_set_cr0(vcpu, cr0);
	vmx_set_cr4(vcpu, 0);
	vmx_set_cr3(vcpu, 0);
	vmx_update_intercepts(vcpu);
	vmx_flush_tlb(vcpu);
	vmx_replace(vmx, VMX_STATE | VMX_PDPTES | VMX_DR7 | VMX_PENDING);
}

void vmx_vcpu_load(struct vmmu_vcpu *vcpu, int cpu)
{
	to_vmx(vcpu)->l1d_used = true;
}

/* CR4 bits that the guest's CPUID hides belong to us from now on: a write exits. */
void vmx_after_set_cpuid(struct vmmu_vcpu *vcpu)
{
	vmx_set_cr4(vcpu, vmx_get_cr4(vcpu));
	vmx_update_intercepts(vcpu);
}

void vmx_set_tsc_offset(struct vmmu_vcpu *vcpu, u64 offset)
{
	to_vmx(vcpu)->tsc_offset = offset;
	vmx_replace(to_vmx(vcpu), VMX_CONTROLS);
}

/*
 * #DB and #AC always exit: a guest can make the processor deliver them for ever, with
 * no instruction boundary at which an interrupt would exit. #MC is the host's.
 */
void vmx_update_intercepts(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 no_exit = READ_ONCE(vcpu->vm->disabled_exits);
	u32 windows = CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING;
	u32 on = vmx_host.cpu_based, sec = vmx_host.secondary, opt = vmx_host.optional;

	if (!vmx->ept_on)
		sec &= ~(SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_UNRESTRICTED_GUEST);
	vmx->exceptions = BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC);
	if (vcpu->dbg.guest_debug & KVM_GUESTDBG_USE_SW_BP)
		vmx->exceptions |= BIT(X86_TRAP_BP);
	if (!vmx_host.ept)
		vmx->exceptions |= BIT(X86_TRAP_PF);

	if (no_exit & KVM_X86_DISABLE_EXITS_HLT)
		on &= ~CPU_BASED_HLT_EXITING;
	if (no_exit & KVM_X86_DISABLE_EXITS_MWAIT)
		on &= ~(CPU_BASED_MWAIT_EXITING | CPU_BASED_MONITOR_EXITING);
	vmx->tpr_shadow = vmx_host.tpr_shadow && vcpu->apic;
	if (vmx->tpr_shadow) {
		on &= ~(CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING);
		on |= CPU_BASED_TPR_SHADOW;
	}
	vmx->cpu_based = on | (vmx->cpu_based & windows);

	if (!vmx_host.vpid)
		opt &= ~SECONDARY_EXEC_ENABLE_VPID;
	if (!vmmu_guest_has(vcpu, X86_FEATURE_RDTSCP) && !vmmu_guest_has(vcpu, X86_FEATURE_RDPID))
		opt &= ~SECONDARY_EXEC_ENABLE_RDTSCP;
	if (!vmmu_guest_has(vcpu, X86_FEATURE_INVPCID))
		opt &= ~SECONDARY_EXEC_ENABLE_INVPCID;
	if (no_exit & KVM_X86_DISABLE_EXITS_PAUSE)
		opt &= ~SECONDARY_EXEC_PAUSE_LOOP_EXITING;
	vmx->secondary = sec | opt;
	vmx_replace(vmx, VMX_CONTROLS);
}
