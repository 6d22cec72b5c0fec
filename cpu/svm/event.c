// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: EVENTINJ on the way in, EXITINTINFO on the way back, and windows.
 *
 * Contract: one event at most is in EVENTINJ. After every exit
 * svm_complete_events() moves what was not delivered back to vcpu->event; an
 * entry that did not happen gives it back by svm_cancel_injection().
 *
 * Interrupt window: a dummy virtual interrupt whose VINTR exit says that the
 * guest would take one. NMI window: SVM without vNMI does not know that the
 * guest is in its NMI handler, so IRET is intercepted; it is about to execute
 * then, and one step later NMIs are open.
 *
 * Locking: vcpu->mutex. Injection may sleep (a software interrupt's opcode is
 * read from guest memory). irq_allowed() may also be called
 * by other threads while the vCPU is halted: it only looks.
 */
#include "vmcb.h"

u32 svm_get_irq_shadow(struct vmmu_vcpu *vcpu)
{
	if (svm_control(vcpu)->int_state & SVM_INTERRUPT_SHADOW_MASK)
		return KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS;
	return 0;
}

void svm_set_irq_shadow(struct vmmu_vcpu *vcpu, u32 mask)
{
	if (mask)
		svm_control(vcpu)->int_state |= SVM_INTERRUPT_SHADOW_MASK;
	else
		svm_control(vcpu)->int_state &= ~(u32)SVM_INTERRUPT_SHADOW_MASK;
}

bool svm_irq_allowed(struct vmmu_vcpu *vcpu)
{
	return (svm_save(vcpu)->rflags & X86_EFLAGS_IF) && !svm_get_irq_shadow(vcpu) &&
	       !svm_event_pending(vcpu);
}

bool svm_nmi_allowed(struct vmmu_vcpu *vcpu)
{
	return !to_svm(vcpu)->nmi_masked && !svm_get_irq_shadow(vcpu) &&
	       !svm_event_pending(vcpu);
}

bool svm_get_nmi_mask(struct vmmu_vcpu *vcpu)
{
	return to_svm(vcpu)->nmi_masked;
}

void svm_set_nmi_mask(struct vmmu_vcpu *vcpu, bool masked)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->nmi_masked = masked;
	svm->iret_seen = false;
	svm_intercept(vcpu, INTERCEPT_IRET, masked);
}

/* ---- in ---- */

static void inject(struct vmmu_vcpu *vcpu, u32 type, u8 vector, bool has_error, u32 error)
{
	struct vmcb_control_area *c = svm_control(vcpu);

	c->event_inj = SVM_EVTINJ_VALID | type | vector | (has_error ? SVM_EVTINJ_VALID_ERR : 0);
	c->event_inj_err = error;
}

/*
 * INT n, INT3 and INTO push the rip that follows them. EVENTINJ pushes rip as
 * it finds it, or the VMCB's next_rip where the processor has that. rip moves
 * back if the delivery does not complete.
 */
static void step_over_soft(struct vmmu_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->soft_injected = true;
	svm->soft_old_rip = vcpu->rip;
	svm->soft_new_rip = vcpu->rip + vmmu_soft_insn_len(vcpu);
	vcpu->rip = svm->soft_new_rip;
	svm->vmcb->control.next_rip = svm->soft_new_rip;
}

/* The dummy interrupt of a window that is open, or not needed any more. */
static void close_irq_window(struct vmmu_vcpu *vcpu)
{
	svm_control(vcpu)->int_ctl &= ~V_IRQ_INJECTION_BITS_MASK;
	svm_intercept(vcpu, INTERCEPT_VINTR, false);
}

void svm_inject_irq(struct vmmu_vcpu *vcpu)
{
	bool soft = vcpu->event.interrupt.soft;

	close_irq_window(vcpu);
	if (soft)
		step_over_soft(vcpu);
	inject(vcpu, soft ? SVM_EVTINJ_TYPE_SOFT : SVM_EVTINJ_TYPE_INTR,
	       vcpu->event.interrupt.vector, false, 0);
}

void svm_inject_nmi(struct vmmu_vcpu *vcpu)
{
	inject(vcpu, SVM_EVTINJ_TYPE_NMI, X86_TRAP_NMI, false, 0);
	svm_set_nmi_mask(vcpu, true);
}

static bool soft_exception(u8 vector)
{
	return vector == X86_TRAP_BP || vector == X86_TRAP_OF;
}

void svm_inject_exception(struct vmmu_vcpu *vcpu)
{
	struct vmmu_event *ev = &vcpu->event;

	if (soft_exception(ev->exception.vector))
		step_over_soft(vcpu);
	inject(vcpu, SVM_EVTINJ_TYPE_EXEPT, ev->exception.vector, ev->exception.has_error,
	       ev->exception.error);
}

/* ---- back ---- */

/*
 * What the guest raised itself by INT n, INT3 or INTO happens again when the
 * instruction is executed again; what we injected is injected again.
 */
static void requeue(struct vmmu_vcpu *vcpu, u32 info, u32 error)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmmu_event *ev = &vcpu->event;
	u8 vector = info & SVM_EXITINTINFO_VEC_MASK;
	bool ours = svm->soft_injected;

	ev->exception.injected = false;
	ev->interrupt.injected = false;
	ev->nmi_injected = false;
	svm->soft_injected = false;
	if (!(info & SVM_EXITINTINFO_VALID))
		return;

	if (ours && vcpu->rip == svm->soft_new_rip)
		vcpu->rip = svm->soft_old_rip;

	switch (info & SVM_EXITINTINFO_TYPE_MASK) {
	case SVM_EXITINTINFO_TYPE_NMI:
		ev->nmi_injected = true;
		break;
	case SVM_EXITINTINFO_TYPE_EXEPT:
		if (soft_exception(vector) && !ours)
			break;
		vmmu_requeue_exception(vcpu, vector, info & SVM_EXITINTINFO_VALID_ERR, error);
		break;
	case SVM_EXITINTINFO_TYPE_SOFT:
		if (!ours)
			break;
		fallthrough;
	case SVM_EXITINTINFO_TYPE_INTR:
		ev->interrupt.injected = true;
		ev->interrupt.soft = ours;
		ev->interrupt.vector = vector;
		break;
	}
}

void svm_cancel_injection(struct vmmu_vcpu *vcpu)
{
	struct vmcb_control_area *c = svm_control(vcpu);
	u32 info = c->event_inj;

	c->event_inj = 0;
	requeue(vcpu, info, c->event_inj_err);
}

/* The step for an NMI window is over, whatever ended the guest's turn. */
static void end_step(struct vmmu_vcpu *vcpu, struct svm_vcpu *svm, bool iret_done)
{
	u64 step = X86_EFLAGS_TF | X86_EFLAGS_RF;
	u64 *rflags = &svm->vmcb->save.rflags;

	svm->nmi_stepped = svm->nmi_step;
	if (!svm->nmi_step)
		return;
	svm->nmi_step = false;
	/* After IRET they are what the guest popped. */
	if (!iret_done)
		*rflags &= ~step | (svm->step_rflags & step);
	vmmu_request(vcpu, VMMU_REQ_EVENT);
}

void svm_complete_events(struct vmmu_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control_area *c = &svm->vmcb->control;
	bool iret_done = svm->iret_seen && vcpu->rip != svm->iret_rip;

	svm_tpr_from_guest(vcpu);
	end_step(vcpu, svm, iret_done);
	if (iret_done) {
		svm->iret_seen = false;
		svm->nmi_masked = false;
		vmmu_request(vcpu, VMMU_REQ_EVENT);
	}
	if (svm->force_exit) {
		svm->force_exit = false;
		vmmu_request(vcpu, VMMU_REQ_EVENT);
	}
	/* Gone with the delivery of an event or a POPF, back with the handler's IRET. */
	if (unlikely(vcpu->dbg.guest_debug & KVM_GUESTDBG_SINGLESTEP))
		vcpu->dbg.stepping = svm->vmcb->save.rflags & X86_EFLAGS_TF;
	requeue(vcpu, c->exit_int_info, c->exit_int_info_err);
}

/* ---- windows ---- */

void svm_open_irq_window(struct vmmu_vcpu *vcpu)
{
	struct vmcb_control_area *c = svm_control(vcpu);

	/* The vector is never delivered: VINTR is intercepted. */
	c->int_vector = 0;
	c->int_ctl |= V_IRQ_MASK | V_INTR_PRIO_MASK | V_IGN_TPR_MASK;
	svm_intercept(vcpu, INTERCEPT_VINTR, true);
}

int svm_exit_vintr(struct vmmu_vcpu *vcpu)
{
	close_irq_window(vcpu);
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	return 1;
}

/*
 * Called when an NMI waits. Behind an event that this entry injects: have the
 * host's next interrupt now, so that the guest comes back after the delivery.
 * (A step would push our TF.) Behind an IRET or an interrupt shadow: one step.
 */
void svm_open_nmi_window(struct vmmu_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_save_area *s = &svm->vmcb->save;

	if (svm->nmi_masked && !svm->iret_seen)
		return;
	if (svm_event_pending(vcpu)) {
		svm->force_exit = true;
		return;
	}
	if (svm->nmi_step)
		return;
	svm->nmi_step = true;
	svm->step_rflags = s->rflags;
	s->rflags |= X86_EFLAGS_TF | X86_EFLAGS_RF;
}

int svm_exit_iret(struct vmmu_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm_intercept(vcpu, INTERCEPT_IRET, false);
	svm->iret_seen = true;
	svm->iret_rip = vcpu->rip;
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	return 1;
}
