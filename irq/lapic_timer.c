// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC's timer: one-shot, periodic and TSC-deadline, on one hrtimer.
 *
 * The hrtimer's callback puts the vector straight into IRR, in hard-interrupt
 * context, and kicks the vCPU: a halted vCPU needs no second step to see it.
 * The callback looks at LVTT and at nothing that changes while the hrtimer is
 * armed: all other fields are written by the vCPU's own thread after
 * hrtimer_cancel(), which waits for a running callback.
 *
 * A tick that finds its vector pending merges with it, as on silicon; ticks
 * missed by a late callback are dropped, not replayed. A period below
 * MIN_PERIOD_NS is stretched to it, or a guest could keep a host CPU in this
 * callback.
 *
 * The timer's clock is 1 GHz. Intel SDM vol. 3, 11.5.4; AMD APM vol. 2, 16.4.1.
 */
#include <linux/math64.h>
#include <asm/tsc.h>

#include "lapic.h"

#define MIN_PERIOD_NS	(200 * NSEC_PER_USEC)
#define NS_PER_CYCLE	1
/* Further away than any guest lives: keeps ktime_t sums from overflowing. */
#define FAR_FUTURE_NS	(S64_MAX / 4)

/* TDCR bits 0, 1 and 3 hold n - 1 of 2^n, modulo 8. */
u32 lapic_divisor(u32 tdcr)
{
	u32 n = (tdcr & 3) | (tdcr & 8) >> 1;

	return 1U << ((n + 1) & 7);
}

/* TSC ticks to nanoseconds, never too few. */
u64 lapic_tsc_to_ns(u64 delta, u32 khz)
{
	u64 ns;

	if (!khz)
		return FAR_FUTURE_NS;
	if (delta <= U64_MAX / NSEC_PER_MSEC)
		ns = div64_u64(delta * NSEC_PER_MSEC, khz) + 1;
	else if (delta / khz < FAR_FUTURE_NS / NSEC_PER_MSEC)
		ns = (delta / khz + 1) * NSEC_PER_MSEC;
	else
		ns = FAR_FUTURE_NS;
	return min_t(u64, ns, FAR_FUTURE_NS);
}

static u32 timer_mode(const struct vmmu_lapic *apic)
{
	return LAPIC_TIMER_MODE(lapic_get(apic, APIC_LVTT));
}

static u64 cycle_ns(const struct vmmu_lapic *apic)
{
	return (u64)lapic_divisor(lapic_get(apic, APIC_TDCR)) * NS_PER_CYCLE;
}

static void fire(struct vmmu_lapic *apic, u32 lvtt)
{
	if (!(lvtt & APIC_LVT_MASKED))
		lapic_accept(apic, lvtt & APIC_VECTOR_MASK, false);
}

static enum hrtimer_restart timer_expired(struct hrtimer *hrtimer)
{
	struct vmmu_lapic *apic = container_of(hrtimer, struct vmmu_lapic, timer.hrtimer);
	u32 lvtt = lapic_get(apic, APIC_LVTT);

	if (LAPIC_TIMER_MODE(lvtt) == APIC_LVT_TIMER_TSCDEADLINE)
		WRITE_ONCE(apic->timer.tscdeadline, 0);
	fire(apic, lvtt);
	if (LAPIC_TIMER_MODE(lvtt) != APIC_LVT_TIMER_PERIODIC)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(hrtimer, ns_to_ktime(apic->timer.period_ns));
	return HRTIMER_RESTART;
}

void lapic_timer_init(struct vmmu_lapic *apic)
{
	hrtimer_init(&apic->timer.hrtimer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	apic->timer.hrtimer.function = timer_expired;
	apic->timer.period_ns = MIN_PERIOD_NS;
}

/* No callback runs when this returns. */
void lapic_timer_cancel(struct vmmu_lapic *apic)
{
	hrtimer_cancel(&apic->timer.hrtimer);
}

static void start_in(struct vmmu_lapic *apic, u64 ns)
{
	ktime_t when = ktime_add_ns(ktime_get(), min_t(u64, ns, FAR_FUTURE_NS));

	hrtimer_start(&apic->timer.hrtimer, when, HRTIMER_MODE_ABS_PINNED_HARD);
}

/* One-shot or periodic with @count cycles to go; cancelled before. */
static void start_count(struct vmmu_lapic *apic, u32 count)
{
	u64 ns = count * cycle_ns(apic);
	u64 period = lapic_get(apic, APIC_TMICT) * cycle_ns(apic);

	apic->timer.period_ns = max_t(u64, period, MIN_PERIOD_NS);
	if (timer_mode(apic) == APIC_LVT_TIMER_PERIODIC)
		ns = min(max_t(u64, ns, MIN_PERIOD_NS), apic->timer.period_ns);
	start_in(apic, ns);
}

/* TSC-deadline; cancelled before. What has passed fires now. */
static void start_deadline(struct vmmu_lapic *apic)
{
	struct vmmu_vcpu *vcpu = apic->vcpu;
	u64 deadline = apic->timer.tscdeadline;
	u64 now = vmmu_guest_tsc(vcpu, rdtsc_ordered());
	u32 khz = vcpu->clock.tsc_khz ?: tsc_khz;

	if (!deadline)
		return;
	if (deadline <= now) {
		WRITE_ONCE(apic->timer.tscdeadline, 0);
		fire(apic, lapic_get(apic, APIC_LVTT));
		return;
	}
	start_in(apic, lapic_tsc_to_ns(deadline - now, khz));
}

/* ---- registers ---- */

/* @val is what LVTT keeps. Changing to or from TSC-deadline disarms: SDM 11.5.4.1. */
void lapic_timer_write_lvtt(struct vmmu_lapic *apic, u32 val)
{
	u32 changed = LAPIC_TIMER_MODE(lapic_get(apic, APIC_LVTT) ^ val);

	if (!(changed & APIC_LVT_TIMER_TSCDEADLINE)) {
		lapic_set(apic, APIC_LVTT, val);
		return;
	}
	lapic_timer_cancel(apic);
	lapic_set(apic, APIC_LVTT, val);
	lapic_set(apic, APIC_TMICT, 0);
	apic->timer.tscdeadline = 0;
}

void lapic_timer_write_tmict(struct vmmu_lapic *apic, u32 val)
{
	if (timer_mode(apic) & APIC_LVT_TIMER_TSCDEADLINE)
		return;
	lapic_timer_cancel(apic);
	lapic_set(apic, APIC_TMICT, val);
	if (val)
		start_count(apic, val);
}

/* Cycles to go of an hrtimer that is, or was until it was cancelled, armed. */
static u32 cycles_left(struct vmmu_lapic *apic)
{
	s64 left = ktime_to_ns(hrtimer_get_remaining(&apic->timer.hrtimer));

	if (left <= 0)
		return 0;
	return min_t(u64, div64_u64(left, cycle_ns(apic)), lapic_get(apic, APIC_TMICT));
}

/* The count goes on from where it is, at the new speed. */
void lapic_timer_write_tdcr(struct vmmu_lapic *apic, u32 val)
{
	bool armed;
	u32 left;

	if ((timer_mode(apic) & APIC_LVT_TIMER_TSCDEADLINE) || lapic_get(apic, APIC_TDCR) == val) {
		lapic_set(apic, APIC_TDCR, val);
		return;
	}
	armed = hrtimer_cancel(&apic->timer.hrtimer);
	left = cycles_left(apic);
	lapic_set(apic, APIC_TDCR, val);
	if (armed)
		start_count(apic, left);
}

u32 lapic_timer_current(struct vmmu_lapic *apic)
{
	if (!lapic_get(apic, APIC_TMICT) || (timer_mode(apic) & APIC_LVT_TIMER_TSCDEADLINE) ||
	    !hrtimer_active(&apic->timer.hrtimer))
		return 0;
	return cycles_left(apic);
}

/*
 * A one-shot without remaining count fires at once: user space that saves no
 * current count must not lose the guest's tick.
 */
void lapic_timer_restore(struct vmmu_lapic *apic, u32 count)
{
	lapic_timer_cancel(apic);
	if (timer_mode(apic) & APIC_LVT_TIMER_TSCDEADLINE)
		start_deadline(apic);
	else if (lapic_get(apic, APIC_TMICT))
		start_count(apic, min(count, lapic_get(apic, APIC_TMICT)));
}

u64 lapic_timer_get_deadline(struct vmmu_lapic *apic)
{
	if (timer_mode(apic) != APIC_LVT_TIMER_TSCDEADLINE)
		return 0;
	return READ_ONCE(apic->timer.tscdeadline);
}

void lapic_timer_set_deadline(struct vmmu_lapic *apic, u64 val)
{
	if (timer_mode(apic) != APIC_LVT_TIMER_TSCDEADLINE || !lapic_hw_enabled(apic))
		return;
	lapic_timer_cancel(apic);
	WRITE_ONCE(apic->timer.tscdeadline, val);
	start_deadline(apic);
}

/* ---- for vcpu/ ---- */

/**
 * vmmu_lapic_service() - the guest's TSC jumped: arm the TSC deadline anew
 * @vcpu: own thread's
 *
 * Serves VMMU_REQ_TIMER. Expired timers need nothing: their callback sets IRR.
 */
void vmmu_lapic_service(struct vmmu_vcpu *vcpu)
{
	struct vmmu_lapic *apic = vcpu->apic;

	if (!apic || !lapic_timer_get_deadline(apic))
		return;
	lapic_timer_cancel(apic);
	start_deadline(apic);
}

/**
 * vmmu_lapic_migrate_timer() - the timer follows the vCPU to this CPU
 * @vcpu: loaded here
 *
 * Preemption off, interrupts on. So that its interrupt finds the vCPU where it
 * fires and need not kick another CPU.
 */
void vmmu_lapic_migrate_timer(struct vmmu_vcpu *vcpu)
{
	struct hrtimer *hrtimer;

	if (!vcpu->apic)
		return;
	hrtimer = &vcpu->apic->timer.hrtimer;
	if (hrtimer_cancel(hrtimer))
		hrtimer_start_expires(hrtimer, HRTIMER_MODE_ABS_PINNED_HARD);
}
