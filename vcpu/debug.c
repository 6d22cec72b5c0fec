// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest debugging by user space: KVM_SET_GUEST_DEBUG, KVM_EXIT_DEBUG.
 *
 * Contract: vcpu->dbg.dr[], dr6, dr7 and guest_tf are the guest's own and stay so
 * while user space debugs; what the hardware has instead (eff_dr[], the effective
 * DR7, RFLAGS.TF) follows from them and from guest_debug. Every access to the
 * guest's debug registers is emulated meanwhile.
 *
 * A step is RFLAGS.TF. It is set by the ioctl and after each KVM_EXIT_DEBUG, and
 * vmmu_get_rflags() shows the guest's bit in its place. The delivery of an event clears
 * it: the handler runs freely, until its IRET brings the flag back. So what the
 * delivery, or PUSHF, stores in the guest's memory shows the flag.
 *
 * Locking: vcpu->mutex, vCPU loaded. Nothing sleeps.
 */
#include <asm/debugreg.h>
#include <asm/trapnr.h>
#include "vmmu/vm.h"

#define DR6_BD_BIT	BIT(13)
#define INJECT	(KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)
#define KEPT	(VMMU_GUESTDBG_VALID & ~INJECT)

/**
 * vmmu_effective_dr7() - what the hardware's DR7 is while this vCPU runs
 * @vcpu: the current thread's
 */
u64 vmmu_effective_dr7(const struct vmmu_vcpu *vcpu)
{
	const struct vmmu_debug *d = &vcpu->dbg;

	return (d->guest_debug & KVM_GUESTDBG_USE_HW_BP ? d->guest_debug_dr7 : d->dr7) |
	       DR7_FIXED_1;
}

/* The next instruction is a step. */
static void arm_step(struct vmmu_vcpu *vcpu)
{
	u64 rflags = vmmu_get_rflags(vcpu);

	vcpu->dbg.stepping = true;
	vmmu_set_rflags(vcpu, rflags);
}

/**
 * vmmu_exit_debug() - leave with KVM_EXIT_DEBUG
 * @vcpu: the current thread's
 * @vector: #DB or #BP
 * @dr6: why, in DR6's own form
 * @pc: linear address of the next instruction, or of the INT3
 *
 * Return: 0.
 */
int vmmu_exit_debug(struct vmmu_vcpu *vcpu, u32 vector, u64 dr6, u64 pc)
{
	struct kvm_run *run = vcpu->run;

	if (vcpu->dbg.guest_debug & KVM_GUESTDBG_SINGLESTEP)
		arm_step(vcpu);
	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch.exception = vector;
	run->debug.arch.pad = 0;
	run->debug.arch.pc = pc;
	run->debug.arch.dr6 = dr6;
	run->debug.arch.dr7 = vmmu_effective_dr7(vcpu);
	return 0;
}

/**
 * vmmu_debug_exception() - a #DB of hardware: whose is it?
 * @vcpu: the current thread's
 * @hits: the DR6 bits of this exception, set when they apply
 * @pc: linear rip
 *
 * A step is user space's when it steps, and also the guest's when the guest does. A
 * breakpoint is of whoever has the registers. What is the guest's is queued, with
 * its payload. Return: 1 resume, 0 exit to user space filled.
 */
int vmmu_debug_exception(struct vmmu_vcpu *vcpu, u64 hits, u64 pc)
{
	const struct vmmu_debug *d = &vcpu->dbg;
	u64 user = 0, guest;

	if (d->guest_debug & KVM_GUESTDBG_SINGLESTEP)
		user |= DR_STEP;
	if (d->guest_debug & KVM_GUESTDBG_USE_HW_BP)
		user |= DR_TRAP_BITS | DR6_BD_BIT;
	user &= hits;
	guest = hits & ~user;
	if ((user & DR_STEP) && d->guest_tf)
		guest |= DR_STEP;

	/* INT1 has no bit: the guest's. */
	if (guest || !user)
		vmmu_queue_exception_payload(vcpu, X86_TRAP_DB, guest);
	if (!user)
		return 1;
	return vmmu_exit_debug(vcpu, X86_TRAP_DB, user ^ DR6_RESERVED, pc);
}

/* An exception of user space's choice; DR6 stays as it is. */
static int inject(struct vmmu_vcpu *vcpu, u32 control)
{
	if (vcpu->event.exception.pending || test_bit(VMMU_REQ_TRIPLE_FAULT, &vcpu->requests))
		return -EBUSY;
	vmmu_queue_exception(vcpu, control & KVM_GUESTDBG_INJECT_DB ? X86_TRAP_DB : X86_TRAP_BP);
	return 0;
}

/**
 * vmmu_set_guest_debug() - KVM_SET_GUEST_DEBUG
 * @vcpu: mutex held, loaded
 * @dbg: from user space; control bits that we do not know have no effect
 *
 * Return: 0, or -EBUSY when an exception to be injected meets one that waits.
 */
int vmmu_set_guest_debug(struct vmmu_vcpu *vcpu, const struct kvm_guest_debug *dbg)
{
	struct vmmu_debug *d = &vcpu->dbg;
	u64 rflags;
	int r;

	if (dbg->control & INJECT) {
		r = inject(vcpu, dbg->control);
		if (r)
			return r;
	}
	/* The guest's own, while they can be told apart. */
	rflags = vmmu_get_rflags(vcpu);
	vmmu_cpu->sync_dr(vcpu);

	d->guest_debug = dbg->control & KVM_GUESTDBG_ENABLE ? dbg->control & KEPT : 0;
	if (d->guest_debug & KVM_GUESTDBG_USE_HW_BP) {
		memcpy(d->eff_dr, dbg->arch.debugreg, sizeof(d->eff_dr));
		/* Hardware refuses to enter with any of the upper half set. */
		d->guest_debug_dr7 = (u32)dbg->arch.debugreg[7];
	} else {
		memcpy(d->eff_dr, d->dr, sizeof(d->eff_dr));
	}
	vmmu_cpu->set_dr7(vcpu);

	d->stepping = d->guest_debug & KVM_GUESTDBG_SINGLESTEP;
	d->guest_tf = false;
	vmmu_set_rflags(vcpu, rflags);
	vmmu_cpu->update_intercepts(vcpu);
	/* Interrupts may have waited for the end of KVM_GUESTDBG_BLOCKIRQ. */
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	return 0;
}
