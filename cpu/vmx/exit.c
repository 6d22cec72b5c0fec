// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why the guest came out: a const table from exit reason to a short handler.
 *
 * Contract: a handler returns 1 (resume), 0 (vcpu->run says why user space is
 * needed) or an errno, and moves rip past an instruction that is done. What means
 * the same on every back end is in vcpu/exit.c. An exit that nobody asked for leaves
 * as KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, an entry that the processor refused
 * as KVM_EXIT_FAIL_ENTRY.
 *
 * Locking: vcpu->mutex and vm->srcu held, preemption on; handlers may sleep.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ratelimit.h>
#include "vmcs.h"

/* The host's own business: it is done by the time we get here. */
static int exit_host(struct vmmu_vcpu *vcpu)
{
	return 1;
}

static int unexpected(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 data[4] = { vmx->reason, vcpu->cpu, vmx->qualification, vmx->intr };

	vmx_dump(vcpu);
	return vmmu_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
					ARRAY_SIZE(data), data);
}

/* SDM 28.2.2. #MC and NMI were the host's. */
static int exit_exception(struct vmmu_vcpu *vcpu)
{
	u32 intr = to_vmx(vcpu)->intr;

	if ((intr & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		return 1;
	switch (intr & INTR_INFO_VECTOR_MASK) {
	case X86_TRAP_DB:
		return vmx_exit_db(vcpu);
	case X86_TRAP_BP:
		return vmx_exit_bp(vcpu);
	case X86_TRAP_AC:
		vmmu_queue_exception_error(vcpu, X86_TRAP_AC, to_vmx(vcpu)->intr_error);
		return 1;
	case X86_TRAP_MC:
		return 1;
	case X86_TRAP_PF:
		/* On shadow tables only. CR2 is as it was: SDM 28.2.1. */
		return vmmu_exit_page_fault(vcpu, to_vmx(vcpu)->qualification,
					    to_vmx(vcpu)->intr_error);
	default:
		return unexpected(vcpu);
	}
}

static int exit_io(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 q = vmx->qualification;

	if (q & (VMX_IO_STRING | VMX_IO_REP)) {
		vmx->l1d_used = true;
		return vmmu_emulate(vcpu, VMMU_INVALID_GPA);
	}
	return vmmu_port_io(vcpu, q >> 16, (q & VMX_IO_SIZE) + 1, q & VMX_IO_IN,
			    vcpu->rip + vmx->insn_len);
}

/* SDM table 28-7, in the words of a page-fault error code. */
u64 vmx_fault_error(const struct vmx_vcpu *vmx)
{
	u64 q = vmx->qualification, error = 0;

	if (q & EPT_VIOLATION_ACC_WRITE)
		error |= VMMU_PFERR_WRITE;
	if (q & EPT_VIOLATION_ACC_INSTR)
		error |= VMMU_PFERR_FETCH;
	if (q & EPT_VIOLATION_RWX_MASK)
		error |= VMMU_PFERR_PRESENT;
	if ((q & EPT_VIOLATION_GVA_IS_VALID) && (q & EPT_VIOLATION_GVA_TRANSLATED))
		error |= VMMU_PFERR_GUEST_FINAL;
	else
		error |= VMMU_PFERR_GUEST_PAGE;
	return error;
}

static int exit_ept_violation(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	return vmmu_exit_page_fault(vcpu, vmx->gpa, vmx_fault_error(vmx));
}

/*
 * An MMIO SPTE is made to be misconfigured. The exit tells the address only, not
 * whether it was the operand's or the guest's walk that met it: the emulator finds out.
 * What an unpaged guest runs on with ept=0 has none.
 */
static int exit_ept_misconfig(struct vmmu_vcpu *vcpu)
{
	return vmmu_exit_page_fault(vcpu, to_vmx(vcpu)->gpa,
				    vmx_host.ept ? VMMU_PFERR_GUEST_PAGE : VMMU_PFERR_RSVD);
}

/* These two on shadow tables only. The qualification: the operand's linear address, SDM 28.2.1. */
static int exit_invlpg(struct vmmu_vcpu *vcpu)
{
	return vmmu_exit_invlpg(vcpu, to_vmx(vcpu)->qualification, vmx_insn_len(vcpu));
}

static int exit_invpcid(struct vmmu_vcpu *vcpu)
{
	struct vmmu_insn_info insn;
	u64 type;
	int r;

	r = vmmu_decode_current(vcpu, &insn);
	if (r != 1)
		return r == VMMU_INSN_FAULT ? 1 : r;
	/* Another vCPU changed the code. */
	if (!insn.mem)
		return 1;
	type = vcpu->regs[insn.reg];
	return vmmu_exit_invpcid(vcpu, vmmu_is_64bit(vcpu) ? type : (u32)type, insn.linear);
}

/* Did an instruction ask for it, which is complete then? SDM 27.2.2. */
static bool task_by_insn(enum vmmu_task_source source, u32 event)
{
	u32 type = event & INTR_INFO_INTR_TYPE_MASK;

	return source != VMMU_TASK_GATE || type == INTR_TYPE_SOFT_INTR ||
	       type == INTR_TYPE_SOFT_EXCEPTION || type == INTR_TYPE_PRIV_SW_EXCEPTION;
}

/* SDM table 28-2: bits 0-15 the TSS, 30-31 the source. RFLAGS.RF is what the old TSS gets. */
static int exit_task_switch(struct vmmu_vcpu *vcpu)
{
	static const enum vmmu_task_source sources[] = {
		VMMU_TASK_CALL, VMMU_TASK_IRET, VMMU_TASK_JMP, VMMU_TASK_GATE,
	};
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 q = vmx->qualification;
	struct vmmu_task_switch how = {
		.selector = q,
		.source = sources[q >> 30],
		.next_rip = vcpu->rip,
		.set_rf = vmmu_get_rflags(vcpu) & X86_EFLAGS_RF,
	};

	if (task_by_insn(how.source, vmx->idt_info))
		how.next_rip += vmx->insn_len;
	else if (vmx->idt_info & VECTORING_INFO_DELIVER_CODE_MASK)
		how.has_error = true;
	how.error = vmx->idt_error_code;
	return vmmu_task_switch(vcpu, &how);
}

static int exit_triple_fault(struct vmmu_vcpu *vcpu)
{
	return vmmu_exit_shutdown(vcpu);
}

static int (*const handlers[])(struct vmmu_vcpu *vcpu) = {
	[EXIT_REASON_EXCEPTION_NMI] = exit_exception,
	[EXIT_REASON_EXTERNAL_INTERRUPT] = exit_host,
	[EXIT_REASON_TRIPLE_FAULT] = exit_triple_fault,
	[EXIT_REASON_INIT_SIGNAL] = exit_host,
	[EXIT_REASON_INTERRUPT_WINDOW] = vmx_exit_irq_window,
	[EXIT_REASON_NMI_WINDOW] = vmx_exit_nmi_window,
	[EXIT_REASON_TASK_SWITCH] = exit_task_switch,
	[EXIT_REASON_CPUID] = vmmu_exit_cpuid,
	[EXIT_REASON_HLT] = vmmu_exit_hlt,
	[EXIT_REASON_INVD] = vmmu_exit_wbinvd,
	[EXIT_REASON_INVLPG] = exit_invlpg,
	[EXIT_REASON_RDPMC] = vmmu_exit_rdpmc,
	[EXIT_REASON_VMCALL] = vmmu_exit_hypercall,
	[EXIT_REASON_VMCLEAR ... EXIT_REASON_VMON] = vmmu_exit_ud,
	[EXIT_REASON_CR_ACCESS] = vmx_exit_cr,
	[EXIT_REASON_DR_ACCESS] = vmx_exit_dr,
	[EXIT_REASON_IO_INSTRUCTION] = exit_io,
	[EXIT_REASON_MSR_READ] = vmmu_exit_rdmsr,
	[EXIT_REASON_MSR_WRITE] = vmmu_exit_wrmsr,
	[EXIT_REASON_MWAIT_INSTRUCTION] = vmmu_exit_monitor_mwait,
	[EXIT_REASON_MONITOR_INSTRUCTION] = vmmu_exit_monitor_mwait,
	[EXIT_REASON_PAUSE_INSTRUCTION] = vmmu_exit_pause,
	[EXIT_REASON_TPR_BELOW_THRESHOLD] = vmx_exit_tpr,
	[EXIT_REASON_EPT_VIOLATION] = exit_ept_violation,
	[EXIT_REASON_EPT_MISCONFIG] = exit_ept_misconfig,
	[EXIT_REASON_INVEPT] = vmmu_exit_ud,
	[EXIT_REASON_INVVPID] = vmmu_exit_ud,
	[EXIT_REASON_WBINVD] = vmmu_exit_wbinvd,
	[EXIT_REASON_XSETBV] = vmmu_exit_xsetbv,
	[EXIT_REASON_INVPCID] = exit_invpcid,
};

int vmx_handle_exit(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 reason = vmx->reason;

	if (unlikely(vmx->refused)) {
		vmx_dump(vcpu);
		return vmmu_exit_fail_entry(vcpu, vmx->refused);
	}
	if (unlikely(reason == VMX_REASON_NONE))
		return 1;
	if (unlikely(reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
		vmx_dump(vcpu);
		return vmmu_exit_fail_entry(vcpu, reason);
	}
	if (reason < ARRAY_SIZE(handlers) && handlers[reason])
		return handlers[reason](vcpu);
	return unexpected(vcpu);
}

/* Exits that an instruction caused tell its length: SDM 28.2.5. */
static bool reason_has_len(u32 reason)
{
	switch (reason) {
	case EXIT_REASON_CPUID ... EXIT_REASON_MSR_WRITE:
	case EXIT_REASON_MWAIT_INSTRUCTION:
	case EXIT_REASON_MONITOR_INSTRUCTION:
	case EXIT_REASON_PAUSE_INSTRUCTION:
	case EXIT_REASON_INVEPT ... EXIT_REASON_RDTSCP:
	case EXIT_REASON_INVVPID ... EXIT_REASON_XSETBV:
	case EXIT_REASON_INVPCID:
		return true;
	default:
		return false;
	}
}

u8 vmx_insn_len(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (!reason_has_len(vmx->reason) || vcpu->rip != vmx->exit_rip ||
	    vmx->insn_len > VMMU_INSN_MAX)
		return 0;
	return vmx->insn_len;
}

/* VT-x gives none. */
u8 vmx_insn_bytes(struct vmmu_vcpu *vcpu, u8 bytes[15])
{
	return 0;
}

void vmx_exit_info(struct vmmu_vcpu *vcpu, u64 *reason, u64 *info1, u64 *info2, u32 *intr,
		   u32 *intr_error)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	*reason = vmx->reason;
	*info1 = vmx->qualification;
	*info2 = vmx->gpa;
	*intr = vmx->idt_info;
	*intr_error = vmx->idt_error_code;
}

/* The state in words, for an entry that failed or an exit that nobody expected. */
void vmx_dump(struct vmmu_vcpu *vcpu)
{
	static const char * const names[] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 2);
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	int i;

	if (!__ratelimit(&limit))
		return;
	vmx_need(vcpu, VMX_STATE);
	pr_err("vCPU %u: VT-x reason 0x%x refused %d qualification 0x%llx gpa 0x%llx intr 0x%x/0x%x idt 0x%x/0x%x\n",
	       vcpu->id, vmx->reason, (int)vmx->refused, vmx->qualification, vmx->gpa, vmx->intr,
	       vmx->intr_error, vmx->idt_info, vmx->idt_error_code);
	pr_err("  pin 0x%x cpu 0x%x/0x%x exit 0x%x entry 0x%x exceptions 0x%x vpid %u eptp 0x%llx root 0x%llx\n",
	       vmx_host.pin, vmx->cpu_based, vmx->secondary, vmx_host.exit, vmx_host.entry,
	       vmx->exceptions, vmx->vpid, vmx->ept_on ? vmx->eptp : 0, vmx->root);
	pr_err("  rip 0x%llx rsp 0x%llx rflags 0x%llx dr7 0x%llx state 0x%x\n",
	       vcpu->rip, vcpu->regs[VMMU_RSP], vmx->rflags, vmx->dr7, vmx->int_state);
	pr_err("  cr0 0x%llx/0x%llx cr3 0x%llx cr4 0x%llx/0x%llx efer 0x%llx pat 0x%llx\n",
	       vmx->cr0, vmx->cr0_shadow, vmx->cr3, vmx->cr4, vmx->cr4_shadow, vmx->efer,
	       vmx->pat);
	for (i = 0; i < VMMU_NR_SEGS; i++)
		pr_err("  %-4s %04x ar %05x limit %08x base %016llx\n", names[i],
		       vmx->seg[i].selector, vmx->seg[i].ar, vmx->seg[i].limit, vmx->seg[i].base);
	pr_err("  gdtr %04x %016llx idtr %04x %016llx\n", vmx->gdt.limit, vmx->gdt.base,
	       vmx->idt.limit, vmx->idt.base);
}
