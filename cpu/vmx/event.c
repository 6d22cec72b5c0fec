// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: the entry's interruption information on the way in, IDT-vectoring
 * information on the way back, and windows.
 *
 * Contract: one event at most waits in vmx->event. After every exit
 * vmx_complete_events() moves what was not delivered back to vcpu->event; an entry
 * that did not happen gives it back by vmx_cancel_injection(). NMI blocking is the
 * processor's (virtual NMIs), in int_state.
 *
 * Locking: vcpu->mutex. Injection may sleep (a software interrupt's opcode is read
 * from guest memory). irq_allowed() may also be called by other threads while the
 * vCPU is halted: it only looks.
 */
#include "vmcs.h"

#define SHADOW	(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

static_assert(KVM_X86_SHADOW_INT_MOV_SS == 1 && KVM_X86_SHADOW_INT_STI == 2);

u32 vmx_get_irq_shadow(struct vmmu_vcpu *vcpu)
{
	u32 state = to_vmx(vcpu)->int_state;

	return (state & GUEST_INTR_STATE_STI ? KVM_X86_SHADOW_INT_STI : 0) |
	       (state & GUEST_INTR_STATE_MOV_SS ? KVM_X86_SHADOW_INT_MOV_SS : 0);
}

/* The processor allows one of them at a time, and STI's only with IF. */
void vmx_set_irq_shadow(struct vmmu_vcpu *vcpu, u32 mask)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx->int_state &= ~SHADOW;
	if (mask & KVM_X86_SHADOW_INT_MOV_SS)
		vmx->int_state |= GUEST_INTR_STATE_MOV_SS;
	else if ((mask & KVM_X86_SHADOW_INT_STI) && (vmx->rflags & X86_EFLAGS_IF))
		vmx->int_state |= GUEST_INTR_STATE_STI;
}

bool vmx_irq_allowed(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	return (vmx->rflags & X86_EFLAGS_IF) && !(vmx->int_state & SHADOW) &&
	       !vmx_event_pending(vmx);
}

bool vmx_nmi_allowed(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	return !(vmx->int_state & (SHADOW | GUEST_INTR_STATE_NMI)) && !vmx_event_pending(vmx);
}

bool vmx_get_nmi_mask(struct vmmu_vcpu *vcpu)
{
	return to_vmx(vcpu)->int_state & GUEST_INTR_STATE_NMI;
}

void vmx_set_nmi_mask(struct vmmu_vcpu *vcpu, bool masked)
{
	if (masked)
		to_vmx(vcpu)->int_state |= GUEST_INTR_STATE_NMI;
	else
		to_vmx(vcpu)->int_state &= ~GUEST_INTR_STATE_NMI;
}

static void window(struct vmmu_vcpu *vcpu, u32 control, bool open)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (!!(vmx->cpu_based & control) == open)
		return;
	vmx->cpu_based ^= control;
	vmx_replace(vmx, VMX_CONTROLS);
}

/* ---- in ---- */

static void inject(struct vmmu_vcpu *vcpu, u32 type, u8 vector, bool has_error, u32 error)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx->event = INTR_INFO_VALID_MASK | type | vector |
		     (has_error ? INTR_INFO_DELIVER_CODE_MASK : 0);
	vmx->event_error = error;
}

/*
 * A software event pushes rip plus the length given. Not every processor takes a
 * length of 0; then it goes in as the hardware's own kind, which pushes rip.
 */
static void inject_soft(struct vmmu_vcpu *vcpu, u32 soft, u32 hard, u8 vector)
{
	unsigned int len = vmmu_soft_insn_len(vcpu);

	to_vmx(vcpu)->event_len = len;
	inject(vcpu, len ? soft : hard, vector, false, 0);
}

void vmx_inject_irq(struct vmmu_vcpu *vcpu)
{
	u8 vector = vcpu->event.interrupt.vector;

	window(vcpu, CPU_BASED_INTR_WINDOW_EXITING, false);
	if (vcpu->event.interrupt.soft)
		inject_soft(vcpu, INTR_TYPE_SOFT_INTR, INTR_TYPE_EXT_INTR, vector);
	else
		inject(vcpu, INTR_TYPE_EXT_INTR, vector, false, 0);
}

/* The entry wants NMIs open, and blocks them by itself: SDM 27.2.1.3 and 27.6.1.1. */
void vmx_inject_nmi(struct vmmu_vcpu *vcpu)
{
	vmx_set_nmi_mask(vcpu, false);
	inject(vcpu, INTR_TYPE_NMI_INTR, X86_TRAP_NMI, false, 0);
}

void vmx_inject_exception(struct vmmu_vcpu *vcpu)
{
	struct vmmu_event *ev = &vcpu->event;
	u8 vector = ev->exception.vector;

	if (vector == X86_TRAP_BP || vector == X86_TRAP_OF)
		inject_soft(vcpu, INTR_TYPE_SOFT_EXCEPTION, INTR_TYPE_HARD_EXCEPTION, vector);
	else
		inject(vcpu, INTR_TYPE_HARD_EXCEPTION, vector, ev->exception.has_error,
		       ev->exception.error);
}

/* ---- back ---- */

/*
 * rip is still at the instruction that raised a software event. What the guest raised
 * itself happens again when that is executed again; what we injected is injected again.
 */
static void requeue(struct vmmu_vcpu *vcpu, u32 info, u32 error)
{
	struct vmmu_event *ev = &vcpu->event;
	u8 vector = info & VECTORING_INFO_VECTOR_MASK;
	bool ours = ev->exception.injected || ev->interrupt.injected;

	ev->exception.injected = false;
	ev->interrupt.injected = false;
	ev->nmi_injected = false;
	if (!(info & VECTORING_INFO_VALID_MASK))
		return;

	switch (info & VECTORING_INFO_TYPE_MASK) {
	case INTR_TYPE_NMI_INTR:
		ev->nmi_injected = true;
		/* Its delivery was cut short after NMIs were blocked. */
		vmx_set_nmi_mask(vcpu, false);
		break;
	case INTR_TYPE_SOFT_EXCEPTION:
		if (!ours)
			break;
		fallthrough;
	case INTR_TYPE_HARD_EXCEPTION:
		vmmu_requeue_exception(vcpu, vector, info & VECTORING_INFO_DELIVER_CODE_MASK,
				       error);
		break;
	case INTR_TYPE_SOFT_INTR:
		if (!ours)
			break;
		fallthrough;
	case INTR_TYPE_EXT_INTR:
		ev->interrupt.injected = true;
		ev->interrupt.soft = (info & VECTORING_INFO_TYPE_MASK) == INTR_TYPE_SOFT_INTR;
		ev->interrupt.vector = vector;
		break;
	}
}

void vmx_cancel_injection(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 info = vmx->event;

	vmx->event = 0;
	requeue(vcpu, info, vmx->event_error);
}

/*
 * IRET opened NMIs and then faulted: it will be executed again, so they are still
 * blocked. SDM 28.2.3. Not valid when another event's delivery was cut short.
 */
static bool iret_faulted(const struct vmx_vcpu *vmx)
{
	if (vmx->idt_info & VECTORING_INFO_VALID_MASK)
		return false;
	switch (vmx->reason) {
	case EXIT_REASON_EXCEPTION_NMI:
		return (vmx->intr & INTR_INFO_UNBLOCK_NMI) &&
		       (vmx->intr & INTR_INFO_VECTOR_MASK) != X86_TRAP_DF;
	case EXIT_REASON_EPT_VIOLATION:
		return vmx->qualification & INTR_INFO_UNBLOCK_NMI;
	default:
		return false;
	}
}

void vmx_complete_events(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (iret_faulted(vmx))
		vmx_set_nmi_mask(vcpu, true);
	requeue(vcpu, vmx->idt_info, vmx->idt_error_code);
	if (vmx->tpr_shadow && vmx->reason != VMX_REASON_NONE)
		vmx_tpr_from_guest(vcpu);
}

/* ---- windows ---- */

void vmx_open_irq_window(struct vmmu_vcpu *vcpu)
{
	window(vcpu, CPU_BASED_INTR_WINDOW_EXITING, true);
}

int vmx_exit_irq_window(struct vmmu_vcpu *vcpu)
{
	window(vcpu, CPU_BASED_INTR_WINDOW_EXITING, false);
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	return 1;
}

void vmx_open_nmi_window(struct vmmu_vcpu *vcpu)
{
	window(vcpu, CPU_BASED_NMI_WINDOW_EXITING, true);
}

int vmx_exit_nmi_window(struct vmmu_vcpu *vcpu)
{
	window(vcpu, CPU_BASED_NMI_WINDOW_EXITING, false);
	/* It may open in STI's shadow, where an entry does not take an NMI on every processor. */
	to_vmx(vcpu)->int_state &= ~GUEST_INTR_STATE_STI;
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	return 1;
}
