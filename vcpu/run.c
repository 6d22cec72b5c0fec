// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_RUN: requests, events, one entry, its exit, and again, until user space
 * is needed.
 *
 * Runs on the vCPU's thread with vcpu->mutex held and the vCPU loaded. Holds
 * vm->srcu while our code runs; drops it in guest mode, while halted and while
 * doing the task's own work. "Own thread" in other files means this one.
 */
#include <linux/vtime.h>
#include <linux/sched/signal.h>
#include <linux/signal.h>

#include "vmmu/trace.h"
#include "vmmu/vm.h"
#include "event.h"
#include "guest_work.h"

/* User space may set it at any time. */
static bool immediate_exit(struct vmmu_vcpu *vcpu)
{
	return READ_ONCE(vcpu->run->immediate_exit__unsafe);
}

/* ---- leaving ---- */

static int exit_signal(struct vmmu_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_INTR;
	return -EINTR;
}

/* In shutdown nothing is on its way any more: whoever goes on, goes on without it. */
static int exit_triple_fault(struct vmmu_vcpu *vcpu)
{
	vcpu->event.exception.pending = false;
	vcpu->event.exception.injected = false;
	return vmmu_exit_shutdown(vcpu);
}

/* One of the requests that were there at a look. */
static __always_inline bool take_request(struct vmmu_vcpu *vcpu, unsigned long pending,
					 enum vmmu_request req)
{
	return (pending & BIT(req)) && vmmu_test_clear_request(vcpu, req);
}

/*
 * 1: go on; 0: user space is needed; <0: errno. What comes meanwhile is served in the next round:
 * vmmu_vcpu_may_enter() finds it.
 */
static int serve_requests(struct vmmu_vcpu *vcpu)
{
	unsigned long pending = READ_ONCE(vcpu->requests);
	u8 vector;

	if (take_request(vcpu, pending, VMMU_REQ_VM_DEAD))
		return -EIO;
	if (take_request(vcpu, pending, VMMU_REQ_MMU_RELOAD))
		vmmu_mmu_unload(vcpu);
	if (take_request(vcpu, pending, VMMU_REQ_TLB_FLUSH))
		vmmu_cpu->flush_tlb(vcpu);
	if (take_request(vcpu, pending, VMMU_REQ_TRIPLE_FAULT))
		return exit_triple_fault(vcpu);
	if (take_request(vcpu, pending, VMMU_REQ_CLOCK_UPDATE))
		vmmu_clock_update(vcpu);
	if (take_request(vcpu, pending, VMMU_REQ_STEAL_UPDATE))
		vmmu_steal_update(vcpu);
	if (take_request(vcpu, pending, VMMU_REQ_EOI_EXIT))
		vmmu_lapic_scan_routes(vcpu);
	if (take_request(vcpu, pending, VMMU_REQ_TIMER))
		vmmu_lapic_service(vcpu);
	if (take_request(vcpu, pending, VMMU_REQ_NMI))
		vmmu_collect_nmis(vcpu);
	if (vcpu->apic && vmmu_lapic_eoi_exit_pending(vcpu, &vector)) {
		vcpu->run->exit_reason = KVM_EXIT_IOAPIC_EOI;
		vcpu->run->eoi.vector = vector;
		return 0;
	}
	take_request(vcpu, pending, VMMU_REQ_EXIT_USER);
	return 1;
}

/* ---- one entry ---- */

/**
 * vmmu_vcpu_may_enter() - has nobody anything to do before the next entry?
 * @vcpu: the current thread's, its mode IN_GUEST; interrupts off
 *
 * Before each entry; the back end asks again between an exit that it answers by
 * itself and the next entry. False: something came in between.
 */
bool vmmu_vcpu_may_enter(struct vmmu_vcpu *vcpu)
{
	/* Pairs with cmpxchg() in vcpu_must_exit(): they see IN_GUEST or we see the request. */
	smp_mb();
	return READ_ONCE(vcpu->mode) != VMMU_EXITING && !READ_ONCE(vcpu->requests) &&
	       !vmmu_guest_work_pending();
}

static void vcpu_leave_mode(struct vmmu_vcpu *vcpu)
{
	/* What the guest did is visible before a requester may skip the kick. */
	smp_store_release(&vcpu->mode, VMMU_OUTSIDE_GUEST);
}

/* Let the host take the interrupt that ended the guest's turn. */
static void take_host_interrupt(void)
{
	local_irq_enable();
	/* STI's shadow ends here; the interrupt is taken on this instruction. */
	asm volatile("nop" ::: "memory");
	local_irq_disable();
	vtime_account_guest_exit();
	local_irq_enable();
}

/* Interrupts off. The guest runs until something makes it exit. */
static void guest_turn(struct vmmu_vcpu *vcpu)
{
	trace_vmmu_entry(vcpu->id, vcpu->rip);
	vmmu_fpu_load(vcpu);
	vtime_account_guest_enter();
	vmmu_cpu->enter(vcpu);
	vmmu_fpu_save(vcpu);
	vcpu_leave_mode(vcpu);
	vcpu->exits++;
	vmmu_cpu->host_event(vcpu);
	take_host_interrupt();
}

static void no_turn(struct vmmu_vcpu *vcpu)
{
	vcpu_leave_mode(vcpu);
	local_irq_enable();
	vmmu_cpu->cancel_injection(vcpu);
	vmmu_request(vcpu, VMMU_REQ_EVENT);
}

/* Did the guest run? Else try again. Preemption and interrupts on at both ends. */
static bool enter_once(struct vmmu_vcpu *vcpu)
	__must_hold(&vcpu->vm->srcu)
{
	bool enter;

	preempt_disable();
	vmmu_host_prepare(vcpu);
	local_irq_disable();
	WRITE_ONCE(vcpu->mode, VMMU_IN_GUEST);
	vmmu_srcu_unlock(vcpu);
	enter = vmmu_vcpu_may_enter(vcpu);
	if (likely(enter))
		guest_turn(vcpu);
	else
		no_turn(vcpu);
	preempt_enable();
	vmmu_srcu_lock(vcpu);
	return enter;
}

static noinline void trace_exit(struct vmmu_vcpu *vcpu)
{
	u64 reason, info1, info2;
	u32 intr, intr_error;

	vmmu_cpu->exit_info(vcpu, &reason, &info1, &info2, &intr, &intr_error);
	trace_vmmu_exit(vcpu->id, vcpu->rip, reason, info1, info2, intr, intr_error);
}

static int run_guest(struct vmmu_vcpu *vcpu)
{
	bool entered;
	int r;

	if (READ_ONCE(vcpu->requests) & ~BIT(VMMU_REQ_EVENT)) {
		r = serve_requests(vcpu);
		if (r <= 0)
			return r;
	}
	r = vmmu_mmu_load(vcpu);
	if (r)
		return r;
	/* What the last exit cut short is injected again whether or not somebody asks. */
	if (((READ_ONCE(vcpu->requests) & BIT(VMMU_REQ_EVENT)) &&
	     vmmu_test_clear_request(vcpu, VMMU_REQ_EVENT)) ||
	    vmmu_event_reinjecting(vcpu) || READ_ONCE(vcpu->run->request_interrupt_window))
		vmmu_inject_events(vcpu);

	vmmu_pv_eoi_offer(vcpu);
	entered = enter_once(vcpu);
	if (entered) {
		vmmu_cpu->complete_events(vcpu);
		if (trace_vmmu_exit_enabled())
			trace_exit(vcpu);
	}
	if (vcpu->pv_eoi.offered)
		vmmu_pv_eoi_settle(vcpu);
	return entered ? vmmu_cpu->handle_exit(vcpu) : 1;
}

/* ---- not running: halted, or an AP that waits for INIT and SIPI ---- */

/**
 * vmmu_vcpu_runnable() - is there something that ends a halt?
 * @vcpu: any
 *
 * Any thread; a look without locks whose answer may be old at once. Who makes
 * an event visible afterwards kicks.
 */
bool vmmu_vcpu_runnable(struct vmmu_vcpu *vcpu)
{
	if (READ_ONCE(vcpu->mp_state) == KVM_MP_STATE_RUNNABLE)
		return true;
	if (vcpu->apic && vmmu_lapic_has_init_sipi(vcpu))
		return true;
	if (READ_ONCE(vcpu->mp_state) != KVM_MP_STATE_HALTED)
		return false;
	if (vcpu->event.exception.pending || vcpu->event.nmi_pending ||
	    atomic_read(&vcpu->event.nmi_queued))
		return true;
	return vmmu_irq_pending(vcpu) && vmmu_cpu->irq_allowed(vcpu);
}

static bool must_wake(struct vmmu_vcpu *vcpu)
{
	unsigned long wake = BIT(VMMU_REQ_VM_DEAD) | BIT(VMMU_REQ_TRIPLE_FAULT) |
			     BIT(VMMU_REQ_TIMER) | BIT(VMMU_REQ_NMI);

	return vmmu_vcpu_runnable(vcpu) || (READ_ONCE(vcpu->requests) & wake) ||
	       immediate_exit(vcpu) || vmmu_guest_work_hint();
}

static void block(struct vmmu_vcpu *vcpu)
{
	prepare_to_rcuwait(&vcpu->wait);
	for (;;) {
		/* The full barrier pairs with the one in vmmu_vcpu_kick(). */
		set_current_state(TASK_INTERRUPTIBLE);
		if (must_wake(vcpu))
			break;
		schedule();
	}
	finish_rcuwait(&vcpu->wait);
}

/* 1: look again; 0, <0: leave KVM_RUN. */
static int wait_for_event(struct vmmu_vcpu *vcpu)
{
	int r;

	if (!must_wake(vcpu)) {
		vmmu_srcu_unlock(vcpu);
		block(vcpu);
		vmmu_srcu_lock(vcpu);
	}
	if (READ_ONCE(vcpu->requests) & ~BIT(VMMU_REQ_EVENT)) {
		r = serve_requests(vcpu);
		if (r <= 0)
			return r;
	}
	if (vcpu->apic && vmmu_lapic_has_init_sipi(vcpu)) {
		r = vmmu_lapic_accept_init_sipi(vcpu);
		if (r < 0)
			return r;
	}
	if (vcpu->mp_state == KVM_MP_STATE_HALTED && vmmu_vcpu_runnable(vcpu)) {
		WRITE_ONCE(vcpu->mp_state, KVM_MP_STATE_RUNNABLE);
		vmmu_request(vcpu, VMMU_REQ_EVENT);
	}
	return 1;
}

/* ---- the loop ---- */

/**
 * vmmu_wants_user_irq() - does user space wait for a moment to hand in an interrupt
 *                         that this vCPU would take?
 * @vcpu: own thread
 *
 * A local APIC whose LVT0 is closed to ExtINT takes none, however often it is asked.
 */
bool vmmu_wants_user_irq(struct vmmu_vcpu *vcpu)
{
	return READ_ONCE(vcpu->run->request_interrupt_window) &&
	       vcpu->vm->irq.mode != VMMU_IRQCHIP_KERNEL &&
	       (!vcpu->apic || vmmu_lapic_accepts_extint(vcpu));
}

/**
 * vmmu_ready_for_user_irq() - would KVM_INTERRUPT's vector be taken at once?
 * @vcpu: own thread
 */
bool vmmu_ready_for_user_irq(struct vmmu_vcpu *vcpu)
{
	if (vcpu->vm->irq.mode == VMMU_IRQCHIP_KERNEL || vcpu->event.user_irq >= 0)
		return false;
	if (vcpu->apic && !vmmu_lapic_accepts_extint(vcpu))
		return false;
	return !vmmu_event_reinjecting(vcpu) && vmmu_cpu->irq_allowed(vcpu);
}

/* User space waits for a moment to hand in an interrupt, and this is one. */
static bool irq_window_for_user(struct vmmu_vcpu *vcpu)
{
	return vmmu_wants_user_irq(vcpu) && vmmu_ready_for_user_irq(vcpu);
}

static int vcpu_loop(struct vmmu_vcpu *vcpu)
{
	int r;

	for (;;) {
		if (vcpu->mp_state == KVM_MP_STATE_RUNNABLE) {
			if (unlikely(vcpu->apic && vmmu_lapic_has_init_sipi(vcpu)))
				r = wait_for_event(vcpu);
			else
				r = run_guest(vcpu);
		} else {
			r = wait_for_event(vcpu);
		}
		if (r <= 0)
			return r;
		if (irq_window_for_user(vcpu)) {
			vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
			return 0;
		}
		if (vcpu->mp_state != KVM_MP_STATE_RUNNABLE &&
		    immediate_exit(vcpu))
			return exit_signal(vcpu);
		if (vmmu_guest_work_hint()) {
			vmmu_srcu_unlock(vcpu);
			r = vmmu_guest_work();
			vmmu_srcu_lock(vcpu);
			if (r)
				return exit_signal(vcpu);
		}
	}
}

static void sigset_on(struct vmmu_vcpu *vcpu)
{
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &current->real_blocked);
}

static void sigset_off(struct vmmu_vcpu *vcpu)
{
	if (!vcpu->sigset_active)
		return;
	sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
	sigemptyset(&current->real_blocked);
}

/* What user space reads from kvm_run after every exit. */
static void publish_run(struct vmmu_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->if_flag = !!(vmmu_get_rflags(vcpu) & X86_EFLAGS_IF);
	run->cr8 = vmmu_get_cr8(vcpu);
	run->apic_base = vmmu_lapic_get_base(vcpu);
	run->ready_for_interrupt_injection = vcpu->vm->irq.mode == VMMU_IRQCHIP_KERNEL ||
					     vmmu_ready_for_user_irq(vcpu);
	run->flags = 0;
}

static int run_locked(struct vmmu_vcpu *vcpu)
{
	int (*complete)(struct vmmu_vcpu *vcpu) = vcpu->complete_io;
	int r;

	if (!vcpu->apic && vmmu_set_cr8(vcpu, READ_ONCE(vcpu->run->cr8)))
		return -EINVAL;
	if (complete) {
		vcpu->complete_io = NULL;
		r = complete(vcpu);
		if (r <= 0)
			return r;
	}
	if (immediate_exit(vcpu))
		return -EINTR;
	return vcpu_loop(vcpu);
}

/**
 * vmmu_vcpu_run() - KVM_RUN
 * @vcpu: its mutex held
 *
 * Sleeps. Return: 0 with vcpu->run->exit_reason set; -EINTR,
 * -EFAULT, -ENOMEM, -EINVAL, -EIO.
 */
int vmmu_vcpu_run(struct vmmu_vcpu *vcpu)
{
	int r;

	if (vcpu->run->kvm_valid_regs || vcpu->run->kvm_dirty_regs)
		return -EINVAL;
	vmmu_vcpu_load(vcpu);
	sigset_on(vcpu);
	vcpu->ran = true;
	vmmu_srcu_lock(vcpu);
	r = run_locked(vcpu);
	publish_run(vcpu);
	vmmu_srcu_unlock(vcpu);
	sigset_off(vcpu);
	vmmu_vcpu_put(vcpu);
	return r;
}
