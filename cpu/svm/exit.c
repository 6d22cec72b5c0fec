// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why the guest came out: a const table from exit code to a short handler.
 *
 * Contract: a handler returns 1 (resume), 0 (vcpu->run says why user space is
 * needed) or an errno, and moves rip past an instruction that is done. What
 * means the same on every back end is in vcpu/exit.c. An exit that nobody
 * asked for leaves as KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON.
 *
 * Locking: vcpu->mutex and vm->srcu held, preemption on; handlers may sleep.
 */
#include "vmcb.h"

/* The host's own business: it is done by the time we get here. */
static int exit_host(struct vmmu_vcpu *vcpu)
{
	return 1;
}

/*
 * EXITINFO1: bit 0 IN, 2 string, 3 REP, 4-6 the size in bytes, 16-31 the port.
 * EXITINFO2: the next rip. APM vol. 2, 15.10.2.
 */
static int exit_io(struct vmmu_vcpu *vcpu)
{
	struct vmcb_control_area *c = svm_control(vcpu);
	u32 info = c->exit_info_1;

	if (info & (SVM_IOIO_STR_MASK | SVM_IOIO_REP_MASK))
		return vmmu_emulate(vcpu, VMMU_INVALID_GPA);
	return vmmu_port_io(vcpu, info >> 16, (info & SVM_IOIO_SIZE_MASK) >> SVM_IOIO_SIZE_SHIFT,
			    info & SVM_IOIO_TYPE_MASK, c->exit_info_2);
}

static int exit_msr(struct vmmu_vcpu *vcpu)
{
	return svm_control(vcpu)->exit_info_1 ? vmmu_exit_wrmsr(vcpu) : vmmu_exit_rdmsr(vcpu);
}

static int exit_npf(struct vmmu_vcpu *vcpu)
{
	struct vmcb_control_area *c = svm_control(vcpu);

	return vmmu_exit_page_fault(vcpu, c->exit_info_2, c->exit_info_1);
}

/* Intercepted on shadow tables only; CR2 is as it was: APM vol. 2, 15.12.15. */
static int exit_pf(struct vmmu_vcpu *vcpu)
{
	struct vmcb_control_area *c = svm_control(vcpu);

	return vmmu_exit_page_fault(vcpu, c->exit_info_2, (u32)c->exit_info_1);
}

/* The operand's address is in EXITINFO1 where there are decode assists: APM vol. 2, 15.8.3. */
static int exit_invlpg(struct vmmu_vcpu *vcpu)
{
	struct vmmu_insn_info insn;
	int r;

	if (svm_host.decode_assists)
		return vmmu_exit_invlpg(vcpu, svm_control(vcpu)->exit_info_1, svm_insn_len(vcpu));
	r = vmmu_decode_current(vcpu, &insn);
	if (r != 1)
		return r == VMMU_INSN_FAULT ? 1 : r;
	/* Another vCPU changed the code. */
	if (!insn.mem)
		return 1;
	return vmmu_exit_invlpg(vcpu, insn.linear, insn.len);
}

/* EXITINFO1: the descriptor's address; EXITINFO2: the register operand. */
static int exit_invpcid(struct vmmu_vcpu *vcpu)
{
	struct vmcb_control_area *c = svm_control(vcpu);

	if (!vmmu_guest_has(vcpu, X86_FEATURE_INVPCID))
		return vmmu_exit_ud(vcpu);
	return vmmu_exit_invpcid(vcpu, c->exit_info_2, c->exit_info_1);
}

static enum vmmu_task_source task_source(const struct vmcb_control_area *c)
{
	if (c->exit_info_2 & BIT_ULL(SVM_EXITINFOSHIFT_TS_REASON_IRET))
		return VMMU_TASK_IRET;
	if (c->exit_info_2 & BIT_ULL(SVM_EXITINFOSHIFT_TS_REASON_JMP))
		return VMMU_TASK_JMP;
	return c->exit_int_info & SVM_EXITINTINFO_VALID ? VMMU_TASK_GATE : VMMU_TASK_CALL;
}

/* Did an instruction ask for it, which is complete then? INT3 and INTO come as exceptions. */
static bool task_by_insn(const struct vmcb_control_area *c)
{
	u32 type = c->exit_int_info & SVM_EXITINTINFO_TYPE_MASK;
	u8 vector = c->exit_int_info & SVM_EXITINTINFO_VEC_MASK;

	if (task_source(c) != VMMU_TASK_GATE || type == SVM_EXITINTINFO_TYPE_SOFT)
		return true;
	return type == SVM_EXITINTINFO_TYPE_EXEPT &&
	       (vector == X86_TRAP_BP || vector == X86_TRAP_OF);
}

/* APM vol. 2, 15.14.1. Bit 48 of EXITINFO2: the EFLAGS.RF that would be saved. */
static int exit_task_switch(struct vmmu_vcpu *vcpu)
{
	const struct vmcb_control_area *c = svm_control(vcpu);
	struct vmmu_task_switch how = {
		.selector = c->exit_info_1,
		.source = task_source(c),
		.next_rip = vcpu->rip,
		.set_rf = c->exit_info_2 & BIT_ULL(48),
		.has_error = c->exit_info_2 & BIT_ULL(SVM_EXITINFOSHIFT_TS_HAS_ERROR_CODE),
		.error = c->exit_info_2,
	};
	struct vmmu_insn_info insn;
	int r;

	if (task_by_insn(c)) {
		r = vmmu_decode_current(vcpu, &insn);
		if (r != 1)
			return r == VMMU_INSN_FAULT ? 1 : r;
		how.next_rip += insn.len;
	}
	return vmmu_task_switch(vcpu, &how);
}

/* Its error code is always 0. */
static int exit_ac(struct vmmu_vcpu *vcpu)
{
	vmmu_queue_exception_error(vcpu, X86_TRAP_AC, 0);
	return 1;
}

/*
 * The VMCB is undefined after a shutdown (APM vol. 2, 15.14.3): user space
 * finds a vCPU after INIT.
 */
static int exit_shutdown(struct vmmu_vcpu *vcpu)
{
	svm_vcpu_init_vmcb(vcpu);
	vmmu_vcpu_reset(vcpu, true);
	return vmmu_exit_shutdown(vcpu);
}

static int (*const handlers[])(struct vmmu_vcpu *vcpu) = {
	[SVM_EXIT_READ_CR0 ... SVM_EXIT_WRITE_CR0 + 15] = svm_exit_cr,
	[SVM_EXIT_READ_DR0 ... SVM_EXIT_WRITE_DR0 + 15] = svm_exit_dr,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_DB] = svm_exit_db,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_BP] = svm_exit_bp,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_PF] = exit_pf,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_AC] = exit_ac,
	[SVM_EXIT_EXCP_BASE + X86_TRAP_MC] = exit_host,
	[SVM_EXIT_INTR] = exit_host,
	[SVM_EXIT_NMI] = exit_host,
	[SVM_EXIT_SMI] = exit_host,
	[SVM_EXIT_INIT] = exit_host,
	[SVM_EXIT_VINTR] = svm_exit_vintr,
	[SVM_EXIT_RDPMC] = vmmu_exit_rdpmc,
	[SVM_EXIT_CPUID] = vmmu_exit_cpuid,
	[SVM_EXIT_SWINT] = svm_exit_swint,
	[SVM_EXIT_IRET] = svm_exit_iret,
	[SVM_EXIT_INVD] = vmmu_exit_wbinvd,
	[SVM_EXIT_PAUSE] = vmmu_exit_pause,
	[SVM_EXIT_HLT] = vmmu_exit_hlt,
	[SVM_EXIT_INVLPG] = exit_invlpg,
	[SVM_EXIT_INVLPGA] = vmmu_exit_ud,
	[SVM_EXIT_IOIO] = exit_io,
	[SVM_EXIT_MSR] = exit_msr,
	[SVM_EXIT_SHUTDOWN] = exit_shutdown,
	[SVM_EXIT_TASK_SWITCH] = exit_task_switch,
	[SVM_EXIT_VMRUN] = vmmu_exit_ud,
	[SVM_EXIT_VMMCALL] = vmmu_exit_hypercall,
	[SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT] = vmmu_exit_ud,
	[SVM_EXIT_RDTSCP] = vmmu_exit_ud,
	[SVM_EXIT_WBINVD] = vmmu_exit_wbinvd,
	[SVM_EXIT_MONITOR] = vmmu_exit_monitor_mwait,
	[SVM_EXIT_MWAIT] = vmmu_exit_monitor_mwait,
	[SVM_EXIT_MWAIT_COND] = vmmu_exit_monitor_mwait,
	[SVM_EXIT_XSETBV] = vmmu_exit_xsetbv,
	[SVM_EXIT_RDPRU] = vmmu_exit_ud,
	[SVM_CODE_INVLPGB] = vmmu_exit_ud,
	[SVM_CODE_INVLPGB_ILL] = vmmu_exit_ud,
	[SVM_EXIT_INVPCID] = exit_invpcid,
	[SVM_CODE_MCOMMIT] = vmmu_exit_ud,
	[SVM_CODE_TLBSYNC] = vmmu_exit_ud,
};

static_assert(SVM_EXIT_WRITE_CR0 + 15 < SVM_EXIT_READ_DR0);
static_assert(SVM_EXIT_WRITE_DR0 + 15 < SVM_EXIT_EXCP_BASE);

static noinline int unexpected_exit(struct vmmu_vcpu *vcpu, u32 code)
{
	u64 data[2] = { code, vcpu->cpu };

	svm_dump(vcpu);
	return vmmu_exit_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
					ARRAY_SIZE(data), data);
}

int svm_handle_exit(struct vmmu_vcpu *vcpu)
{
	u32 code = svm_control(vcpu)->exit_code;

	if (code == (u32)SVM_EXIT_ERR)
		return svm_exit_error(vcpu);
	to_svm(vcpu)->error_seen = false;
	if (code == SVM_EXIT_NPF)
		return exit_npf(vcpu);
	if (code < ARRAY_SIZE(handlers) && handlers[code])
		return handlers[code](vcpu);
	return unexpected_exit(vcpu, code);
}

/* next_rip is 0 after exits that are no instruction's: APM vol. 2, 15.7.1. */
u8 svm_insn_len(struct vmmu_vcpu *vcpu)
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;
	u64 len = vmcb->control.next_rip - vmcb->save.rip;

	if (!svm_host.nrips || !vmcb->control.next_rip || vcpu->rip != vmcb->save.rip)
		return 0;
	return len <= VMMU_INSN_MAX ? len : 0;
}

/* Given with page faults of either kind: APM vol. 2, 15.8.4. */
u8 svm_insn_bytes(struct vmmu_vcpu *vcpu, u8 bytes[15])
{
	struct vmcb *vmcb = to_svm(vcpu)->vmcb;
	u8 n = vmcb->control.insn_len & 0xf;
	u32 code = vmcb->control.exit_code;

	if (!svm_host.decode_assists || vcpu->rip != vmcb->save.rip)
		return 0;
	if (code != SVM_EXIT_NPF && code != SVM_EXIT_EXCP_BASE + X86_TRAP_PF)
		return 0;
	memcpy(bytes, vmcb->control.insn_bytes, n);
	return n;
}

void svm_exit_info(struct vmmu_vcpu *vcpu, u64 *reason, u64 *info1, u64 *info2, u32 *intr,
		   u32 *intr_error)
{
	struct vmcb_control_area *c = svm_control(vcpu);

	*reason = c->exit_code;
	*info1 = c->exit_info_1;
	*info2 = c->exit_info_2;
	*intr = c->exit_int_info;
	*intr_error = c->exit_int_info_err;
}
