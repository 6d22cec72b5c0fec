// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PIT's interrupts: an hrtimer for channel 0, and what becomes of ticks that
 * come faster than the guest takes them.
 *
 * A tick is a pulse on GSI 0, made in the timer's callback. With reinjection on
 * (KVM's default) a tick that finds the last one unacknowledged is counted and
 * sent when the acknowledgment comes; with it off it is dropped by the chips,
 * as hardware does. The three fields of that are under tick_lock; the timer is
 * started and stopped under pit->lock.
 */
#include <linux/math64.h>
#include <linux/slab.h>

#include "chips.h"

#define PIT_HZ		1193182
#define PIT_GSI		0
/* A guest may ask for a tick per microsecond; nobody gets more than 5,000 a second. */
#define MIN_PERIOD_NS	200000
/* Ticks that wait; a guest that was stopped for long need not live through all. */
#define MISSED_MAX	100000

/* Nobody acknowledges a tick that nobody took: the next one must not wait for that. */
static void pulse(struct vmmu_pit *pit)
{
	bool taken = vmmu_irq_set(pit->vm, VMMU_SOURCE_PIT, PIT_GSI, true) > 0;

	vmmu_irq_set(pit->vm, VMMU_SOURCE_PIT, PIT_GSI, false);
	if (!taken)
		pit_timer_unstick(pit, false);
}

/* May a tick be sent now? Else it waits, or is lost, as the policy says. */
static bool tick_due(struct vmmu_pit *pit)
{
	unsigned long flags;
	bool due;

	spin_lock_irqsave(&pit->tick_lock, flags);
	due = !pit->reinject || !pit->unacked;
	if (due)
		pit->unacked = true;
	else if (pit->missed < MISSED_MAX)
		pit->missed++;
	spin_unlock_irqrestore(&pit->tick_lock, flags);
	return due;
}

static enum hrtimer_restart expired(struct hrtimer *timer)
{
	struct vmmu_pit *pit = container_of(timer, struct vmmu_pit, timer);

	if (tick_due(pit))
		pulse(pit);
	if (!pit->period_ns)
		return HRTIMER_NORESTART;
	/* One tick a callback: what was slept over is lost time, not a burst. */
	hrtimer_forward_now(timer, ns_to_ktime(pit->period_ns));
	return HRTIMER_RESTART;
}

/* The guest ended the last tick's interrupt. */
void pit_timer_acked(struct vmmu_pit *pit)
{
	unsigned long flags;
	bool again;

	spin_lock_irqsave(&pit->tick_lock, flags);
	again = pit->reinject && pit->missed;
	if (again)
		pit->missed--;
	pit->unacked = again;
	spin_unlock_irqrestore(&pit->tick_lock, flags);
	if (again)
		pulse(pit);
}

void pit_timer_unstick(struct vmmu_pit *pit, bool drop)
{
	unsigned long flags;

	spin_lock_irqsave(&pit->tick_lock, flags);
	pit->unacked = false;
	if (drop)
		pit->missed = 0;
	spin_unlock_irqrestore(&pit->tick_lock, flags);
}

void pit_timer_init(struct vmmu_pit *pit)
{
	spin_lock_init(&pit->tick_lock);
	pit->reinject = true;
	hrtimer_init(&pit->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
	pit->timer.function = expired;
}

/* No callback runs or will run. */
void pit_timer_stop(struct vmmu_pit *pit)
{
	hrtimer_cancel(&pit->timer);
}

/* Start the account of ticks over, with another policy when one is given. */
static void forget_ticks(struct vmmu_pit *pit, const bool *reinject)
{
	unsigned long flags;

	spin_lock_irqsave(&pit->tick_lock, flags);
	if (reinject)
		pit->reinject = *reinject;
	pit->unacked = false;
	pit->missed = 0;
	spin_unlock_irqrestore(&pit->tick_lock, flags);
}

/*
 * Channel 0 was loaded, now or, in a state that was restored, long ago: a periodic timer
 * keeps its phase, a one-shot that is over fires now. pit->lock held.
 */
void pit_timer_start(struct vmmu_pit *pit)
{
	const struct kvm_pit_channel_state *s = &pit->ch[0].s;
	u64 ns = mul_u64_u32_div(s->count, NSEC_PER_SEC, PIT_HZ);
	u64 now = ktime_get_ns(), passed = now - s->count_load_time;

	pit_timer_stop(pit);
	forget_ticks(pit, NULL);
	switch (s->mode) {
	case 0:
	case 1:
	case 4:
		pit->period_ns = 0;
		passed = min(passed, ns);
		break;
	case 2:
	case 3:
		ns = max_t(u64, ns, MIN_PERIOD_NS);
		pit->period_ns = ns;
		div64_u64_rem(passed, ns, &passed);
		break;
	default:
		return;
	}
	hrtimer_start(&pit->timer, ns_to_ktime(now + ns - passed), HRTIMER_MODE_ABS);
}

void pit_timer_reinject(struct vmmu_pit *pit, bool on)
{
	forget_ticks(pit, &on);
}
