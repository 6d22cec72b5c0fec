// SPDX-License-Identifier: GPL-2.0-only
/*
 * One entry into the guest and the exit from it.
 *
 * Contract: svm_enter() is called with interrupts off and the guest's FPU
 * loaded; it returns with interrupts off, GIF 1, every host register as it was,
 * vcpu->regs[], rip and cr2 complete. A host interrupt that ended the guest's
 * run is still pending and is taken when the caller enables interrupts; NMIs
 * were taken at STGI.
 *
 * Locking: vcpu->mutex, preemption off. Between guest_state_in() and _out() the
 * CPU is in the guest for RCU and lockdep: nothing instrumented runs there.
 */
#include <linux/context_tracking.h>
#include <linux/cpumask.h>
#include <linux/hardirq.h>
#include <linux/instrumentation.h>
#include <linux/instruction_pointer.h>
#include <linux/jiffies.h>
#include <linux/irqflags.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include "vmcb.h"

static_assert(offsetof(struct svm_switch, regs) == 0);
static_assert(offsetof(struct svm_switch, vmcb_pa) == 8);
static_assert(offsetof(struct svm_switch, host_pa) == 16);
static_assert(offsetof(struct svm_switch, guest_spec) == 24);
static_assert(offsetof(struct svm_switch, host_spec) == 32);
static_assert(VMMU_RCX == 1 && VMMU_RBP == 5 && VMMU_RDI == 7 && VMMU_R15 == 15);

/*
 * A turn in the guest may last until the next tick, so RCU is told of a quiescent
 * state before it; once per tick is what a guest that never exits gives it, too.
 */
static __always_inline void note_quiescent_state(void)
{
	unsigned long now = jiffies;

	if (this_cpu_read(svm_cpu.quiescent) == now)
		return;
	this_cpu_write(svm_cpu.quiescent, now);
	rcu_virt_note_context_switch();
}

/* Interrupts are on in the guest as lockdep and tracing see it. */
static __always_inline void guest_state_in(void)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();

	if (!context_tracking_guest_enter()) {
		instrumentation_begin();
		note_quiescent_state();
		instrumentation_end();
	}
	lockdep_hardirqs_on(_THIS_IP_);
}

static __always_inline void guest_state_out(void)
{
	lockdep_hardirqs_off(_THIS_IP_);
	context_tracking_guest_exit();
	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
}

static noinstr void run_guest(struct svm_switch *args)
{
	guest_state_in();
	vmmu_svm_switch(args);
	guest_state_out();
}

/*
 * RDTSCP and RDPID read MSR_TSC_AUX, which nothing switches for us. The kernel
 * does not use it, user space does: svm_vcpu_put() restores it.
 */
void svm_prepare_switch(struct vmmu_vcpu *vcpu)
{
	struct svm_cpu *sc = this_cpu_ptr(&svm_cpu);

	if (svm_host.tsc_aux && sc->tsc_aux != vcpu->msrs.tsc_aux) {
		wrmsrl(MSR_TSC_AUX, vcpu->msrs.tsc_aux);
		sc->tsc_aux = vcpu->msrs.tsc_aux;
	}
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

static void guest_ran(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	/* The guest may have trained branches that our user space would follow. */
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
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

void svm_enter(struct vmmu_vcpu *vcpu)
{
	struct svm_cpu *sc = this_cpu_ptr(&svm_cpu);
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control_area *c = &svm->vmcb->control;
	struct vmcb_save_area *s = &svm->vmcb->save;
	struct svm_switch args = {
		.regs = vcpu->regs,
		.vmcb_pa = svm->pa,
		.host_pa = sc->host_pa,
	};
	bool hw_dr;

	svm_tpr_to_guest(vcpu);
	if (unlikely(!sc->enabled)) {
		refuse_entry(c);
		return;
	}

	svm_pick_asid(vcpu, sc);
	choose_msrpm(vcpu);
	spec_ctrl(vcpu, &args);
	s->rax = vcpu->regs[VMMU_RAX];
	s->rsp = vcpu->regs[VMMU_RSP];
	s->rip = vcpu->rip;
	s->cr2 = vcpu->cr2;
	hw_dr = svm_dr_enter(vcpu);
	/* Pending when the guest starts, so it exits after the injected event. */
	if (unlikely(svm->force_exit))
		arch_smp_send_reschedule(smp_processor_id());

	run_guest(&args);

	svm_dr_leave(vcpu, hw_dr);
	vcpu->regs[VMMU_RAX] = s->rax;
	vcpu->regs[VMMU_RSP] = s->rsp;
	vcpu->rip = s->rip;
	vcpu->cr2 = s->cr2;
	c->tlb_ctl = TLB_CONTROL_DO_NOTHING;
	c->event_inj = 0;
	c->clean = SVM_CLEAN_ALL;
	guest_ran();
}

/*
 * A machine check that hit the guest: the host's handler looks at the banks as
 * if it had come from user mode, where it may kill the process and go on.
 */
static noinline void machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = {
		.cs = 3,
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}

void svm_host_event(struct vmmu_vcpu *vcpu)
{
	if (unlikely(svm_control(vcpu)->exit_code == SVM_EXIT_EXCP_BASE + X86_TRAP_MC))
		machine_check();
}
