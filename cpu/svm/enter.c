// SPDX-License-Identifier: GPL-2.0-only
/*
 * A turn in the guest: the entry, the exit from it, and the next entry at once
 * when the exit was one that is answered on the spot.
 *
 * Contract: svm_enter() is called with interrupts off and the guest's FPU
 * loaded; it returns with interrupts off, GIF 1, every host register as it was,
 * vcpu->regs[], rip and cr2 complete. A host interrupt that ended the guest's
 * run is still pending and is taken when the caller enables interrupts; NMIs
 * were taken at STGI.
 *
 * Locking: vcpu->mutex, preemption off. Between vmmu_guest_state_in() and _out()
 * the CPU is in the guest for RCU and lockdep: nothing instrumented runs there.
 */
#include <linux/cpumask.h>
#include <linux/smp.h>
#include <asm/nospec-branch.h>
#include "vmmu/trace.h"
#include "../host.h"
#include "vmcb.h"

static_assert(offsetof(struct svm_switch, regs) == 0);
static_assert(offsetof(struct svm_switch, vmcb_pa) == 8);
static_assert(offsetof(struct svm_switch, host_pa) == 16);
static_assert(offsetof(struct svm_switch, guest_spec) == 24);
static_assert(offsetof(struct svm_switch, host_spec) == 32);
static_assert(VMMU_RCX == 1 && VMMU_RBP == 5 && VMMU_RDI == 7 && VMMU_R15 == 15);

static noinstr void run_guest(struct svm_switch *args)
{
	vmmu_guest_state_in();
	vmmu_svm_switch(args);
	vmmu_guest_state_out();
}

/* With an MSR filter in the VM every MSR access exits and is judged there. */
static void choose_msrpm(struct vmmu_vcpu *vcpu)
{
	u64 pa = rcu_access_pointer(vcpu->vm->msr_filter) ? svm_host.msrpm_all_pa :
							    svm_host.msrpm_pa;

	if (svm_control(vcpu)->msrpm_base_pa != pa) {
		svm_control(vcpu)->msrpm_base_pa = pa;
		svm_dirty(vcpu, SVM_CLEAN_MAPS);
	}
}

static void spec_ctrl(struct vmmu_vcpu *vcpu, struct svm_switch *args)
{
	args->host_spec = 0;
	args->guest_spec = 0;
	if (svm_host.v_spec_ctrl) {
		svm_save(vcpu)->spec_ctrl = vcpu->msrs.spec_ctrl;
	} else if (svm_host.spec_ctrl) {
		args->host_spec = this_cpu_read(x86_spec_ctrl_current);
		args->guest_spec = vcpu->msrs.spec_ctrl;
	}
}

/*
 * The extension is off here. When the CPU is going offline the scheduler is
 * about to move this thread: nothing happened, go round. Else the machine
 * reboots.
 */
static void refuse_entry(struct vmcb_control_area *c)
{
	bool moving = !cpu_active(smp_processor_id());

	c->exit_code = moving ? SVM_EXIT_INTR : (typeof(c->exit_code))SVM_EXIT_ERR;
	c->exit_info_1 = 0;
	c->exit_info_2 = 0;
	c->exit_int_info = c->event_inj;
	c->exit_int_info_err = c->event_inj_err;
	c->event_inj = 0;
}

/* IN, strings and REP have more to do than one write. */
static bool fast_io(struct vmmu_vcpu *vcpu, const struct vmcb_control_area *c)
{
	u32 info = c->exit_info_1;

	if (info & (SVM_IOIO_TYPE_MASK | SVM_IOIO_STR_MASK | SVM_IOIO_REP_MASK))
		return false;
	return vmmu_fast_port_out(vcpu, info >> 16,
				  (info & SVM_IOIO_SIZE_MASK) >> SVM_IOIO_SIZE_SHIFT,
				  c->exit_info_2);
}

/* The CPU took the entry's event, nothing of ours waits for the end of this one, nobody steps. */
static bool plain_exit(struct vmmu_vcpu *vcpu, const struct vmcb *vmcb)
{
	const struct svm_vcpu *svm = to_svm(vcpu);

	return !(vmcb->control.exit_int_info & SVM_EXITINTINFO_VALID) &&
	       !(vmcb->save.rflags & (X86_EFLAGS_TF | X86_EFLAGS_RF)) &&
	       !(svm->soft_injected | svm->nmi_step | svm->iret_seen | svm->force_exit) &&
	       !vcpu->dbg.guest_debug;
}

/* Who traces wants to see each entry and exit. */
static __always_inline bool may_answer(struct vmmu_vcpu *vcpu, const struct vmcb *vmcb)
{
	return !trace_vmmu_exit_enabled() && !trace_vmmu_entry_enabled() && plain_exit(vcpu, vmcb);
}

/*
 * On shadow tables. The exit code of a MOV to CR is not trusted: see cr.c. Apart, so that the
 * others have no more to compare.
 */
static noinline bool fast_shadow_exit(struct vmmu_vcpu *vcpu, const struct vmcb *vmcb)
{
	u32 code = vmcb->control.exit_code;
	bool invlpg = code == SVM_EXIT_INVLPG, done;

	if (!invlpg && code != SVM_EXIT_WRITE_CR0 && code != SVM_EXIT_WRITE_CR3 &&
	    code != SVM_EXIT_WRITE_CR4)
		return false;
	if ((invlpg && !vmmu_mmu_in_step(vcpu->vm)) || !may_answer(vcpu, vmcb))
		return false;
	vmmu_srcu_lock(vcpu);
	done = invlpg ? vmmu_fast_invlpg(vcpu) : vmmu_fast_mov_to_cr(vcpu);
	vmmu_srcu_unlock(vcpu);
	return done;
}

static bool answer_exit(struct vmmu_vcpu *vcpu, const struct vmcb_control_area *c)
{
	switch (c->exit_code) {
	case SVM_EXIT_CPUID:
		return vmmu_fast_cpuid(vcpu);
	case SVM_EXIT_VMMCALL:
		return vmmu_fast_hypercall(vcpu);
	case SVM_EXIT_NPF:
		return vmmu_mmu_fault_atomic(vcpu, c->exit_info_2, c->exit_info_1);
	default:
		return fast_io(vcpu, c);
	}
}

/* Was the exit one that can be answered here and now? */
static __always_inline bool fast_exit(struct vmmu_vcpu *vcpu, const struct vmcb *vmcb)
{
	bool done;

	switch (vmcb->control.exit_code) {
	case SVM_EXIT_CPUID:
	case SVM_EXIT_VMMCALL:
		break;
	case SVM_EXIT_IOIO:
		if (vmcb->control.exit_info_1 >> 16 == vcpu->slow_port)
			return false;
		break;
	case SVM_EXIT_NPF:
		if (~vmcb->control.exit_info_1 & (VMMU_PFERR_PRESENT | VMMU_PFERR_WRITE))
			return false;
		break;
	default:
		return !svm_host.npt && fast_shadow_exit(vcpu, vmcb);
	}
	if (!may_answer(vcpu, vmcb))
		return false;
	vmmu_srcu_lock(vcpu);
	done = answer_exit(vcpu, &vmcb->control);
	vmmu_srcu_unlock(vcpu);
	return done;
}

/* One entry and its exit. */
static __always_inline void enter_once(struct vmmu_vcpu *vcpu, struct vmcb *vmcb,
				       struct svm_switch *args)
{
	struct vmcb_save_area *s = &vmcb->save;
	bool hw_dr;

	s->rax = vcpu->regs[VMMU_RAX];
	s->rsp = vcpu->regs[VMMU_RSP];
	s->rip = vcpu->rip;
	s->cr2 = vcpu->cr2;
	hw_dr = svm_dr_enter(vcpu);

	run_guest(args);

	svm_dr_leave(vcpu, hw_dr);
	vcpu->regs[VMMU_RAX] = s->rax;
	vcpu->regs[VMMU_RSP] = s->rsp;
	vcpu->rip = s->rip;
	vcpu->cr2 = s->cr2;
	vmcb->control.tlb_ctl = TLB_CONTROL_DO_NOTHING;
	vmcb->control.event_inj = 0;
	vmcb->control.clean = SVM_CLEAN_ALL;
}

void svm_enter(struct vmmu_vcpu *vcpu)
{
	struct svm_cpu *sc = this_cpu_ptr(&svm_cpu);
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb *vmcb = svm->vmcb;
	struct svm_switch args = {
		.regs = vcpu->regs,
		.vmcb_pa = svm->pa,
		.host_pa = sc->host_pa,
	};

	svm_tpr_to_guest(vcpu);
	if (unlikely(!sc->enabled)) {
		refuse_entry(&vmcb->control);
		return;
	}

	svm_pick_asid(vcpu, sc);
	choose_msrpm(vcpu);
	spec_ctrl(vcpu, &args);
	/* Pending when the guest starts, so it exits after the injected event. */
	if (unlikely(svm->force_exit))
		arch_smp_send_reschedule(smp_processor_id());

	enter_once(vcpu, vmcb, &args);
	while (fast_exit(vcpu, vmcb)) {
		if (!vmmu_vcpu_may_enter(vcpu)) {
			/* That exit is settled: what is left is an end of the turn. */
			vmcb->control.exit_code = SVM_EXIT_INTR;
			break;
		}
		vcpu->exits++;
		/* Not before it is sure that it enters: a new generation begins with that flush. */
		if (svm->flush)
			svm_pick_asid(vcpu, sc);
		enter_once(vcpu, vmcb, &args);
	}
	vmmu_guest_ran();
}

void svm_host_event(struct vmmu_vcpu *vcpu)
{
	if (unlikely(svm_control(vcpu)->exit_code == SVM_EXIT_EXCP_BASE + X86_TRAP_MC))
		vmmu_host_machine_check();
}
