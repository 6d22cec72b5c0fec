// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits that mean the same on every back end.
 *
 * Own thread, vCPU loaded, vm->srcu held, interrupts on; may sleep. Each
 * handler returns 1 (resume the guest), 0 (vcpu->run says why user space is
 * needed) or a negative errno, and moves rip itself.
 */
#include <linux/kvm_para.h>
#include <asm/cpuid.h>

#include "exit.h"
#include "vmmu/paging.h"
#include "vmmu/trace.h"
#include "vmmu/vm.h"

/* ---- leaving to user space ---- */

int vmmu_exit_shutdown(struct vmmu_vcpu *vcpu)
{
	if (vcpu->vm->triple_fault_event && vcpu->event.triple_fault)
		vcpu->event.triple_fault = false;
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

int vmmu_exit_internal_error(struct vmmu_vcpu *vcpu, u32 suberror, int ndata, const u64 *data)
{
	struct kvm_run *run = vcpu->run;
	int i;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	ndata = min_t(int, ndata, ARRAY_SIZE(run->internal.data));
	run->internal.ndata = ndata;
	for (i = 0; i < ndata; i++)
		run->internal.data[i] = data[i];
	return 0;
}

int vmmu_exit_fail_entry(struct vmmu_vcpu *vcpu, u64 reason)
{
	vcpu->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	vcpu->run->fail_entry.hardware_entry_failure_reason = reason;
	vcpu->run->fail_entry.cpu = vcpu->cpu;
	return 0;
}

/* ---- instructions ---- */

void vmmu_answer_cpuid(struct vmmu_vcpu *vcpu)
{
	u32 eax = vcpu->regs[VMMU_RAX], ecx = vcpu->regs[VMMU_RCX], ebx, edx;

	vmmu_cpuid(vcpu, &eax, &ebx, &ecx, &edx);
	vcpu->regs[VMMU_RAX] = eax;
	vcpu->regs[VMMU_RBX] = ebx;
	vcpu->regs[VMMU_RCX] = ecx;
	vcpu->regs[VMMU_RDX] = edx;
}

int vmmu_exit_cpuid(struct vmmu_vcpu *vcpu)
{
	if (vmmu_cpuid_faulting(vcpu) && vmmu_cpu->get_cpl(vcpu)) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	vmmu_answer_cpuid(vcpu);
	return vmmu_skip_insn(vcpu);
}

static int finish_rdmsr(struct vmmu_vcpu *vcpu, u64 val)
{
	vcpu->regs[VMMU_RAX] = (u32)val;
	vcpu->regs[VMMU_RDX] = val >> 32;
	return vmmu_skip_insn(vcpu);
}

static int complete_user_rdmsr(struct vmmu_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->run->msr.error)) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	return finish_rdmsr(vcpu, READ_ONCE(vcpu->run->msr.data));
}

static int complete_user_wrmsr(struct vmmu_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->run->msr.error)) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	return vmmu_skip_insn(vcpu);
}

/* User space asked to see MSR accesses that fail for @reason: hand this one over. */
static bool msr_to_user(struct vmmu_vcpu *vcpu, u32 exit, u32 index, u64 val, u32 reason)
{
	struct kvm_run *run = vcpu->run;

	if (!(READ_ONCE(vcpu->vm->user_space_msr) & reason))
		return false;
	run->exit_reason = exit;
	run->msr.error = 0;
	memset(run->msr.pad, 0, sizeof(run->msr.pad));
	run->msr.reason = reason;
	run->msr.index = index;
	run->msr.data = val;
	vcpu->complete_io = exit == KVM_EXIT_X86_RDMSR ? complete_user_rdmsr :
							 complete_user_wrmsr;
	return true;
}

/* Why an MSR access failed, as KVM_MSR_EXIT_REASON_*. */
static u32 msr_reason(int r, bool allowed)
{
	if (!allowed)
		return KVM_MSR_EXIT_REASON_FILTER;
	return r == -ENOENT ? KVM_MSR_EXIT_REASON_UNKNOWN : KVM_MSR_EXIT_REASON_INVAL;
}

int vmmu_exit_rdmsr(struct vmmu_vcpu *vcpu)
{
	u32 index = vmmu_reg32(vcpu, VMMU_RCX);
	bool allowed = vmmu_msr_filter_allows(vcpu->vm, index, false);
	u64 val = 0;
	int r = allowed ? vmmu_get_msr(vcpu, index, &val, false) : 1;

	trace_vmmu_msr(vcpu->id, false, index, val, r);
	if (!r)
		return finish_rdmsr(vcpu, val);
	if (msr_to_user(vcpu, KVM_EXIT_X86_RDMSR, index, 0, msr_reason(r, allowed)))
		return 0;
	vmmu_inject_gp(vcpu);
	return 1;
}

int vmmu_exit_wrmsr(struct vmmu_vcpu *vcpu)
{
	u32 index = vmmu_reg32(vcpu, VMMU_RCX);
	u64 val = vmmu_edx_eax(vcpu);
	bool allowed = vmmu_msr_filter_allows(vcpu->vm, index, true);
	int r = allowed ? vmmu_set_msr(vcpu, index, val, false) : 1;

	trace_vmmu_msr(vcpu->id, true, index, val, r);
	if (!r)
		return vmmu_skip_insn(vcpu);
	if (msr_to_user(vcpu, KVM_EXIT_X86_WRMSR, index, val, msr_reason(r, allowed)))
		return 0;
	vmmu_inject_gp(vcpu);
	return 1;
}

int vmmu_exit_hlt(struct vmmu_vcpu *vcpu)
{
	int r = vmmu_skip_insn(vcpu);

	/* A step over HLT halts all the same. */
	if (r < 0 || (!r && !vcpu->dbg.stepping))
		return r;
	if (!vcpu->apic) {
		vcpu->run->exit_reason = KVM_EXIT_HLT;
		return 0;
	}
	WRITE_ONCE(vcpu->mp_state, KVM_MP_STATE_HALTED);
	return r;
}

void vmmu_answer_hypercall(struct vmmu_vcpu *vcpu)
{
	if (vmmu_cpu->get_cpl(vcpu))
		vcpu->regs[VMMU_RAX] = (u64)-KVM_EPERM;
	else
		vcpu->regs[VMMU_RAX] = (u64)-KVM_ENOSYS;
	if (!vmmu_is_64bit(vcpu))
		vcpu->regs[VMMU_RAX] = (u32)vcpu->regs[VMMU_RAX];
}

int vmmu_exit_hypercall(struct vmmu_vcpu *vcpu)
{
	vmmu_answer_hypercall(vcpu);
	return vmmu_skip_insn(vcpu);
}

int vmmu_exit_xsetbv(struct vmmu_vcpu *vcpu)
{
	if (vmmu_cpu->get_cpl(vcpu) ||
	    vmmu_set_xcr(vcpu, vmmu_reg32(vcpu, VMMU_RCX), vmmu_edx_eax(vcpu))) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	return vmmu_skip_insn(vcpu);
}

/* No performance counters are offered: none exists to be read. */
int vmmu_exit_rdpmc(struct vmmu_vcpu *vcpu)
{
	vmmu_inject_gp(vcpu);
	return 1;
}

/* Guest memory is coherent: there is nothing that a guest's write-back has to move. */
int vmmu_exit_wbinvd(struct vmmu_vcpu *vcpu)
{
	return vmmu_skip_insn(vcpu);
}

int vmmu_exit_pause(struct vmmu_vcpu *vcpu)
{
	cond_resched();
	return vmmu_skip_insn(vcpu);
}

/* Nothing waits: they end at once, whatever CPUID says of them. */
int vmmu_exit_monitor_mwait(struct vmmu_vcpu *vcpu)
{
	if (vmmu_quirk_disabled(vcpu->vm, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) &&
	    !vmmu_cpuid_has_mwait(vcpu))
		return vmmu_exit_ud(vcpu);
	return vmmu_skip_insn(vcpu);
}

int vmmu_exit_ud(struct vmmu_vcpu *vcpu)
{
	vmmu_queue_exception(vcpu, X86_TRAP_UD);
	return 1;
}

/* ---- memory ---- */

/*
 * An event was on its way in (IDT, stack or descriptor access) and hit memory
 * that would have to be emulated: no instruction is there to emulate.
 */
static int delivery_error(struct vmmu_vcpu *vcpu, u64 addr)
{
	u64 reason, info1, info2, data[4];
	u32 intr, intr_error;

	vmmu_cpu->exit_info(vcpu, &reason, &info1, &info2, &intr, &intr_error);
	data[0] = intr;
	data[1] = reason;
	data[2] = info1;
	data[3] = addr;
	return vmmu_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_DELIVERY_EV, 4, data);
}

/* Shadow paging: MMIO, read-only memory, or a write to a page table that we shadow. */
static int emulate_gva(struct vmmu_vcpu *vcpu, u64 gva)
{
	if (likely(!vmmu_event_reinjecting(vcpu)))
		return vmmu_emulate_gva(vcpu, gva);
	/* The stack or a descriptor table lies where page tables are, or were. */
	if (vmmu_unshadow_insn(vcpu, gva))
		return 1;
	return delivery_error(vcpu, gva);
}

int vmmu_exit_page_fault(struct vmmu_vcpu *vcpu, u64 addr, u64 error)
{
	int verdict = vmmu_mmu_fault(vcpu, addr, error);

	switch (verdict) {
	case VMMU_RETRY:
	case VMMU_INJECT:
		return 1;
	case VMMU_EMULATE:
		if (!vmmu_cpu_caps.tdp)
			return emulate_gva(vcpu, addr);
		if (vmmu_event_reinjecting(vcpu))
			return delivery_error(vcpu, addr);
		/* A fault of the guest's own walk tells nothing about the operand. */
		return vmmu_emulate(vcpu, error & VMMU_PFERR_GUEST_PAGE ? VMMU_INVALID_GPA : addr);
	case VMMU_EXIT_TO_USER:
		return 0;
	default:
		return verdict;
	}
}
