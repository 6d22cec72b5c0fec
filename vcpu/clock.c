// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's clock: nanoseconds that run with the host's raw monotonic clock,
 * asleep time included, plus an offset that user space may set.
 *
 * While the host keeps time by the TSC, all vCPUs extrapolate from one instant
 * (clock.base_*), which is never taken anew without need: two instants give
 * clocks that differ by rounding. When it has to be, every vCPU is brought out
 * of guest mode first, and their pages are rewritten before they go back: that
 * path holds clock.lock over vmmu_request_all(), and vmmu_clock_point() takes
 * clock.lock in serving the request.
 *
 * The lock is taken with interrupts on, always. Nothing here sleeps but the
 * worker and the module's and VM's life.
 */
#include <linux/clocksource.h>
#include <linux/irq_work.h>
#include <linux/pvclock_gtod.h>
#include <linux/timekeeper_internal.h>
#include <linux/workqueue.h>
#include <asm/kvm_para.h>
#include <asm/tsc.h>
#include "vmmu/vm.h"
#include "clock.h"

/* How often clocks that do not run by the TSC are set right. */
#define RESYNC_INTERVAL		(60 * HZ)

static LIST_HEAD(clock_vms);			/* clock_vms_lock */
static DEFINE_MUTEX(clock_vms_lock);

/* ---- the instant that pages extrapolate from ---- */

/* Do all vCPUs have the same TSC? A guest reads one vCPU's page on another then. */
static bool tscs_match(struct vmmu_vm *vm)
{
	struct vmmu_vcpu *vcpu, *first = NULL;
	unsigned long i;

	vmmu_for_each_vcpu(vm, i, vcpu) {
		if (!first)
			first = vcpu;
		if (READ_ONCE(vcpu->clock.tsc_offset) != READ_ONCE(first->clock.tsc_offset))
			return false;
	}
	return true;
}

/* Keep, take or drop the common instant as the host's clocksource says; did that change? */
static bool refresh_base(struct vmmu_clock_vm *c, const struct vmmu_host_time *t)
{
	lockdep_assert_held(&c->lock);
	if (c->base_valid == t->tsc_based)
		return false;
	c->base_valid = t->tsc_based;
	c->base_tsc = t->tsc;
	c->base_ns = t->boot_ns;
	return true;
}

void vmmu_clock_point(struct vmmu_vm *vm, struct vmmu_clock_point *p)
{
	struct vmmu_clock_vm *c = &vm->clock;
	struct vmmu_host_time t;

	raw_spin_lock(&c->lock);
	vmmu_host_time_read(&t);
	p->flipped = refresh_base(c, &t);
	p->host_tsc = c->base_valid ? c->base_tsc : t.tsc;
	p->guest_ns = (c->base_valid ? c->base_ns : t.boot_ns) + c->kvmclock_offset;
	p->stable = c->base_valid && tscs_match(vm);
	raw_spin_unlock(&c->lock);
}

/* What a guest that looks at its page at @t computes. clock.lock held. */
static u64 clock_at(struct vmmu_clock_vm *c, const struct vmmu_host_time *t)
{
	struct vmmu_clock_scale s = vmmu_clock_scale(tsc_khz);

	lockdep_assert_held(&c->lock);
	if (!c->base_valid || !t->tsc_based)
		return t->boot_ns + c->kvmclock_offset;
	return c->base_ns + c->kvmclock_offset + vmmu_clock_scale_ns(t->tsc - c->base_tsc, s);
}

u64 vmmu_clock_at(struct vmmu_vm *vm, const struct vmmu_host_time *t)
{
	u64 ns;

	raw_spin_lock(&vm->clock.lock);
	ns = clock_at(&vm->clock, t);
	raw_spin_unlock(&vm->clock.lock);
	return ns;
}

/* ---- KVM_GET_CLOCK, KVM_SET_CLOCK ---- */

/**
 * vmmu_get_clock() - KVM_GET_CLOCK
 * @vm: the VM
 * @data: filled
 *
 * Return: 0.
 */
int vmmu_get_clock(struct vmmu_vm *vm, struct kvm_clock_data *data)
{
	struct vmmu_clock_vm *c = &vm->clock;
	struct vmmu_host_time t;

	memset(data, 0, sizeof(*data));
	raw_spin_lock(&c->lock);
	vmmu_host_time_read(&t);
	data->clock = clock_at(c, &t);
	if (c->base_valid && t.tsc_based && tscs_match(vm)) {
		data->flags = KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
		data->realtime = t.real_ns;
		data->host_tsc = t.tsc;
	}
	raw_spin_unlock(&c->lock);
	return 0;
}

/**
 * vmmu_set_clock() - KVM_SET_CLOCK
 * @vm: the VM; its vCPUs may run
 * @data: the clock now, or with KVM_CLOCK_REALTIME at that time in the past
 *
 * Return: 0; -EINVAL for unknown flags.
 */
int vmmu_set_clock(struct vmmu_vm *vm, const struct kvm_clock_data *data)
{
	struct vmmu_clock_vm *c = &vm->clock;
	struct vmmu_host_time t;
	u64 now = data->clock;

	if (data->flags & ~(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC))
		return -EINVAL;
	raw_spin_lock(&c->lock);
	/* Nobody reads an old page while others read new ones. */
	vmmu_request_all(vm, VMMU_REQ_CLOCK_UPDATE);
	vmmu_host_time_read(&t);
	if ((data->flags & KVM_CLOCK_REALTIME) && t.real_ns > data->realtime)
		now += t.real_ns - data->realtime;
	c->base_valid = t.tsc_based;
	c->base_tsc = t.tsc;
	c->base_ns = t.boot_ns;
	c->kvmclock_offset = now - t.boot_ns;
	raw_spin_unlock(&c->lock);
	return 0;
}

/* ---- paravirtual MSRs ---- */

/**
 * vmmu_clock_set_msr() - MSR_KVM_SYSTEM_TIME, _WALL_CLOCK (old and new), _STEAL_TIME
 * @vcpu: loaded; vm->srcu held
 * @index: which
 * @val: guest-physical address and enable bit
 *
 * Writes guest memory and may sleep. Return: 0, or 1: #GP.
 */
int vmmu_clock_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val)
{
	switch (index) {
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_NEW:
		return vmmu_set_system_time(vcpu, val);
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_NEW:
		return vmmu_set_wall_clock(vcpu, val);
	case MSR_KVM_STEAL_TIME:
		return vmmu_set_steal_time(vcpu, val);
	}
	return 1;
}

/**
 * vmmu_clock_get_msr() - read what vmmu_clock_set_msr() took
 * @vcpu: loaded
 * @index: which
 * @val: its value
 *
 * Return: 0, or 1: #GP.
 */
int vmmu_clock_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val)
{
	switch (index) {
	case MSR_KVM_SYSTEM_TIME:
	case MSR_KVM_SYSTEM_TIME_NEW:
		*val = vcpu->clock.system_time_msr;
		return 0;
	case MSR_KVM_WALL_CLOCK:
	case MSR_KVM_WALL_CLOCK_NEW:
		*val = READ_ONCE(vcpu->vm->clock.wall_clock_msr);
		return 0;
	case MSR_KVM_STEAL_TIME:
		*val = vcpu->clock.steal_msr;
		return 0;
	}
	return 1;
}

void vmmu_clock_vcpu_reset(struct vmmu_vcpu *vcpu)
{
	vcpu->clock.system_time_msr = 0;
	vcpu->clock.pv_time_enabled = false;
	vcpu->clock.pvclock_stopped = false;
	vcpu->clock.steal_msr = 0;
}

/* ---- changes of the host's clock ---- */

static void resync(struct work_struct *work);
static DECLARE_DELAYED_WORK(resync_work, resync);

/* The clocksource became the TSC or ceased to be it, or it is time for a look. */
static void resync(struct work_struct *work)
{
	struct vmmu_host_time t;
	struct vmmu_vm *vm;

	vmmu_host_time_read(&t);
	guard(mutex)(&clock_vms_lock);
	list_for_each_entry(vm, &clock_vms, clock.link)
		if (!t.tsc_based || !READ_ONCE(vm->clock.base_valid))
			vmmu_request_all(vm, VMMU_REQ_CLOCK_UPDATE);
	if (!list_empty(&clock_vms))
		schedule_delayed_work(&resync_work, RESYNC_INTERVAL);
}

static void resync_irq_work(struct irq_work *work)
{
	mod_delayed_work(system_wq, &resync_work, 0);
}

static DEFINE_IRQ_WORK(resync_irq, resync_irq_work);

/*
 * Called at every update of the host's time, inside the timekeeper's write
 * section: neither clocks nor work queues may be touched here.
 */
static int gtod_notify(struct notifier_block *nb, unsigned long was_set, void *priv)
{
	static bool was_tsc;		/* the timekeeper serialises us */
	const struct timekeeper *tk = priv;
	bool is_tsc = tk->tkr_mono.clock->id == CSID_X86_TSC;

	if (is_tsc != was_tsc) {
		was_tsc = is_tsc;
		irq_work_queue(&resync_irq);
	}
	return NOTIFY_DONE;
}

static struct notifier_block gtod_nb = {
	.notifier_call = gtod_notify,
};

/* ---- life ---- */

void vmmu_clock_vm_init(struct vmmu_vm *vm)
{
	struct vmmu_clock_vm *c = &vm->clock;
	struct vmmu_host_time t;

	raw_spin_lock_init(&c->lock);
	mutex_init(&c->wall_lock);
	c->default_tsc_khz = tsc_khz;
	vmmu_host_time_read(&t);
	c->kvmclock_offset = -(s64)t.boot_ns;
	c->base_valid = t.tsc_based;
	c->base_tsc = t.tsc;
	c->base_ns = t.boot_ns;

	guard(mutex)(&clock_vms_lock);
	list_add(&c->link, &clock_vms);
	schedule_delayed_work(&resync_work, RESYNC_INTERVAL);
}

void vmmu_clock_vm_destroy(struct vmmu_vm *vm)
{
	guard(mutex)(&clock_vms_lock);
	list_del(&vm->clock.link);
}

int vmmu_clock_module_init(void)
{
	return pvclock_gtod_register_notifier(&gtod_nb);
}

void vmmu_clock_module_exit(void)
{
	pvclock_gtod_unregister_notifier(&gtod_nb);
	irq_work_sync(&resync_irq);
	cancel_delayed_work_sync(&resync_work);
}
