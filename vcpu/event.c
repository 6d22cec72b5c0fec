// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events on their way into the guest: exceptions, NMIs and interrupts.
 *
 * An exception is "pending" until it is written to the injection field of an
 * entry and "injected" from then on; what hardware reports as not delivered
 * comes back injected. At most one of each kind waits. Everything here is
 * the vCPU's own thread's, except vmmu_inject_nmi().
 */
#include <asm/traps.h>
#include "vmmu/paging.h"
#include "vmmu/trace.h"
#include "vmmu/vm.h"
#include "event.h"

#define DR6_PAYLOAD_BITS	(BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(13) | BIT(14) | BIT(15))

enum exception_class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

/* Intel SDM vol. 3, table 6-4; AMD APM vol. 2, table 8-1. */
static enum exception_class exception_class(u8 vector)
{
	switch (vector) {
	case X86_TRAP_DE:
	case X86_TRAP_TS:
	case X86_TRAP_NP:
	case X86_TRAP_SS:
	case X86_TRAP_GP:
		return CONTRIBUTORY;
	case X86_TRAP_PF:
		return PAGE_FAULT;
	case X86_TRAP_DF:
		return DOUBLE_FAULT;
	default:
		return BENIGN;
	}
}

static void set_exception(struct vmmu_vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	vcpu->event.exception.pending = true;
	vcpu->event.exception.injected = false;
	vcpu->event.exception.vector = vector;
	vcpu->event.exception.has_error = has_error;
	vcpu->event.exception.error = error;
	vcpu->event.exception.has_payload = false;
	vcpu->event.exception.payload = 0;
}

/* An exception while another is being delivered: Intel SDM vol. 3, table 6-5. */
static void add_exception(struct vmmu_vcpu *vcpu, u8 vector, bool has_error, u32 error,
			  bool has_payload, u64 payload)
{
	struct vmmu_event *ev = &vcpu->event;
	enum exception_class first, second = exception_class(vector);

	vmmu_request(vcpu, VMMU_REQ_EVENT);
	if (ev->exception.pending || ev->exception.injected) {
		first = exception_class(ev->exception.vector);
		if (first == DOUBLE_FAULT && second != BENIGN) {
			vmmu_request(vcpu, VMMU_REQ_TRIPLE_FAULT);
			return;
		}
		if ((first == CONTRIBUTORY && second == CONTRIBUTORY) ||
		    (first == PAGE_FAULT && second != BENIGN)) {
			set_exception(vcpu, X86_TRAP_DF, true, 0);
			return;
		}
	}
	/* Real mode pushes no error codes. */
	if (!(vmmu_cpu->get_cr0(vcpu) & X86_CR0_PE))
		has_error = false;
	set_exception(vcpu, vector, has_error, error);
	ev->exception.has_payload = has_payload;
	ev->exception.payload = payload;
}

void vmmu_queue_exception(struct vmmu_vcpu *vcpu, u8 vector)
{
	add_exception(vcpu, vector, false, 0, false, 0);
}

void vmmu_queue_exception_error(struct vmmu_vcpu *vcpu, u8 vector, u32 error)
{
	add_exception(vcpu, vector, true, error, false, 0);
}

void vmmu_queue_exception_payload(struct vmmu_vcpu *vcpu, u8 vector, u64 payload)
{
	add_exception(vcpu, vector, false, 0, true, payload);
}

void vmmu_inject_exception(struct vmmu_vcpu *vcpu, const struct vmmu_exception *e)
{
	add_exception(vcpu, e->vector, e->has_error, e->error, e->vector == X86_TRAP_PF,
		      e->address);
}

void vmmu_requeue_exception(struct vmmu_vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	set_exception(vcpu, vector, has_error, error);
	vcpu->event.exception.pending = false;
	vcpu->event.exception.injected = true;
}

/**
 * vmmu_soft_insn_len() - how far INT n, INT3 or INTO at rip goes
 * @vcpu: its own thread's, loaded; may sleep
 *
 * A software event pushes the rip that follows its instruction.
 *
 * Return: the instruction's length; 0: rip is at something else, so it is itself what
 * the handler returns to.
 */
unsigned int vmmu_soft_insn_len(struct vmmu_vcpu *vcpu)
{
	struct vmmu_exception e;
	u8 opcode;

	if (vmmu_fetch_gva(vcpu, vmmu_linear_rip(vcpu), &opcode, 1, &e))
		return 0;
	switch (opcode) {
	case 0xcc:	/* INT3 */
	case 0xce:	/* INTO */
		return 1;
	case 0xcd:	/* INT n */
		return 2;
	default:
		return 0;
	}
}

/**
 * vmmu_inject_nmi() - queue an NMI
 * @vcpu: any
 *
 * Any thread. At most two wait: one may be in service while one is latched.
 */
void vmmu_inject_nmi(struct vmmu_vcpu *vcpu)
{
	atomic_inc(&vcpu->event.nmi_queued);
	vmmu_request(vcpu, VMMU_REQ_NMI);
	vmmu_vcpu_kick(vcpu);
}

/* Serves VMMU_REQ_NMI. */
void vmmu_collect_nmis(struct vmmu_vcpu *vcpu)
{
	unsigned int limit = 2;

	/* One that is in service or about to be leaves room for one more. */
	if (vmmu_cpu->get_nmi_mask(vcpu) || vcpu->event.nmi_injected)
		limit = 1;
	vcpu->event.nmi_pending += min(atomic_xchg(&vcpu->event.nmi_queued, 0), 2);
	vcpu->event.nmi_pending = min_t(unsigned int, vcpu->event.nmi_pending, limit);
	vmmu_request(vcpu, VMMU_REQ_EVENT);
}

bool vmmu_event_reinjecting(struct vmmu_vcpu *vcpu)
{
	return vcpu->event.exception.injected || vcpu->event.interrupt.injected ||
	       vcpu->event.nmi_injected;
}

/**
 * vmmu_deliver_payload() - move CR2 or DR6 bits of the pending exception to the register
 * @vcpu: the current thread's
 *
 * Intel SDM vol. 3, 17.2.3: B0-B3 are replaced, BD/BS are sticky, RTM (bit 16)
 * and BLD (bit 11) read as 1 when not the reason.
 */
void vmmu_deliver_payload(struct vmmu_vcpu *vcpu)
{
	struct vmmu_event *ev = &vcpu->event;

	if (!ev->exception.has_payload)
		return;
	if (ev->exception.vector == X86_TRAP_PF) {
		vcpu->cr2 = ev->exception.payload;
	} else if (ev->exception.vector == X86_TRAP_DB) {
		vcpu->dbg.dr6 &= ~0xfULL;
		vcpu->dbg.dr6 |= ev->exception.payload & DR6_PAYLOAD_BITS;
	}
	ev->exception.has_payload = false;
	ev->exception.payload = 0;
}

/* Is it a fault (RF is set in the pushed flags) rather than a trap? */
static bool is_fault(struct vmmu_event *ev)
{
	switch (ev->exception.vector) {
	case X86_TRAP_BP:
	case X86_TRAP_OF:
	case X86_TRAP_DB:
	case X86_TRAP_DF:
	case X86_TRAP_MC:
		return false;
	default:
		return ev->exception.vector < 32;
	}
}

static void inject_new_exception(struct vmmu_vcpu *vcpu)
{
	struct vmmu_event *ev = &vcpu->event;

	trace_vmmu_inject(vcpu->id, "exception", ev->exception.vector, ev->exception.error);
	if (is_fault(ev))
		vmmu_set_rflags(vcpu, vmmu_get_rflags(vcpu) | X86_EFLAGS_RF);
	vmmu_deliver_payload(vcpu);
	if (ev->exception.vector == X86_TRAP_DB && (vcpu->dbg.dr7 & BIT(13))) {
		vcpu->dbg.dr7 &= ~BIT(13);
		vmmu_cpu->set_dr7(vcpu);
	}
	ev->exception.pending = false;
	ev->exception.injected = true;
	vmmu_cpu->inject_exception(vcpu);
}

/* What an earlier entry did not get delivered goes first. Was there anything? */
static bool inject_old_event(struct vmmu_vcpu *vcpu)
{
	struct vmmu_event *ev = &vcpu->event;

	if (ev->exception.injected)
		vmmu_cpu->inject_exception(vcpu);
	else if (ev->exception.pending)
		inject_new_exception(vcpu);
	else if (ev->nmi_injected)
		vmmu_cpu->inject_nmi(vcpu);
	else if (ev->interrupt.injected)
		vmmu_cpu->inject_irq(vcpu);
	else
		return false;
	return true;
}

static bool inject_new_nmi(struct vmmu_vcpu *vcpu)
{
	struct vmmu_event *ev = &vcpu->event;

	if (!ev->nmi_pending || !vmmu_cpu->nmi_allowed(vcpu))
		return false;
	ev->nmi_pending--;
	ev->nmi_injected = true;
	trace_vmmu_inject(vcpu->id, "nmi", X86_TRAP_NMI, 0);
	vmmu_cpu->inject_nmi(vcpu);
	return true;
}

static bool inject_new_irq(struct vmmu_vcpu *vcpu)
{
	struct vmmu_event *ev = &vcpu->event;
	int vector;

	if (!vmmu_irq_pending(vcpu) || !vmmu_cpu->irq_allowed(vcpu))
		return false;
	vector = vmmu_irq_take(vcpu);
	if (vector < 0)
		return false;
	ev->interrupt.injected = true;
	ev->interrupt.soft = false;
	ev->interrupt.vector = vector;
	trace_vmmu_inject(vcpu->id, "irq", vector, 0);
	vmmu_cpu->inject_irq(vcpu);
	return true;
}

static void inject_interrupts(struct vmmu_vcpu *vcpu, bool busy)
{
	if (!busy)
		busy = inject_new_nmi(vcpu);
	if (vcpu->event.nmi_pending)
		vmmu_cpu->open_nmi_window(vcpu);

	if (!busy)
		inject_new_irq(vcpu);
	if (vmmu_irq_pending(vcpu) || vmmu_wants_user_irq(vcpu))
		vmmu_cpu->open_irq_window(vcpu);
}

/**
 * vmmu_inject_events() - fill the next entry's injection field and open windows
 * @vcpu: the current thread's
 *
 * Own thread, interrupts on, vm->srcu held. The order is the architecture's:
 * what was cut short, new exceptions, NMI, interrupts.
 */
void vmmu_inject_events(struct vmmu_vcpu *vcpu)
{
	bool busy = inject_old_event(vcpu);

	/* The end of KVM_GUESTDBG_BLOCKIRQ makes VMMU_REQ_EVENT. */
	if (likely(!(vcpu->dbg.guest_debug & KVM_GUESTDBG_BLOCKIRQ)))
		inject_interrupts(vcpu, busy);

	if (vcpu->apic)
		vmmu_cpu->update_tpr(vcpu, vmmu_lapic_get_tpr(vcpu) << 4,
				     vmmu_lapic_highest_irr(vcpu));
}
