// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's time-stamp counter: the host's plus an offset, at the host's
 * rate. vCPUs whose TSCs are written to the same value at about the same time
 * are put in step exactly, because no VMM can write them at one instant.
 *
 * vm->clock.lock guards the synchronisation state; a vCPU's offset is changed
 * by its own thread and read by others. Nothing sleeps.
 */
#include <linux/clocksource_ids.h>
#include <linux/math64.h>
#include <linux/timekeeping.h>
#include <asm/tsc.h>
#include "vmmu/vm.h"
#include "clock.h"

/* A rate this near to the host's counts as the host's: what NTP would bridge. */
#define TSC_TOLERANCE_PPM	250

/*
 * With the TSC as clocksource the snapshot's cycles are the TSC at its times;
 * else the two are read one after the other, with nothing in between.
 */
void vmmu_host_time_read(struct vmmu_host_time *t)
{
	struct system_time_snapshot snap;
	unsigned long flags;

	local_irq_save(flags);
	ktime_get_snapshot(&snap);
	t->tsc = rdtsc();
	local_irq_restore(flags);

	t->tsc_based = snap.cs_id == CSID_X86_TSC && !check_tsc_unstable();
	if (t->tsc_based)
		t->tsc = snap.cycles;
	t->boot_ns = ktime_to_ns(ktime_mono_to_any(snap.raw, TK_OFFS_BOOT));
	t->real_ns = ktime_to_ns(snap.real);
}

/**
 * vmmu_guest_tsc() - the guest's TSC when the host's is @host_tsc
 * @vcpu: whose
 * @host_tsc: as read by rdtsc()
 *
 * Any context.
 */
u64 vmmu_guest_tsc(struct vmmu_vcpu *vcpu, u64 host_tsc)
{
	return host_tsc + READ_ONCE(vcpu->clock.tsc_offset);
}

u64 vmmu_khz_to_cycles(u64 ns, u32 khz)
{
	return mul_u64_u64_div_u64(ns, khz, NSEC_PER_MSEC);
}

/* A new offset: every clock page says which TSC it counts from, and whether all agree. */
static void set_offset(struct vmmu_vcpu *vcpu, u64 offset)
{
	if (vcpu->clock.tsc_offset == offset)
		return;
	WRITE_ONCE(vcpu->clock.tsc_offset, offset);
	vmmu_cpu->set_tsc_offset(vcpu, offset);
	vmmu_request(vcpu, VMMU_REQ_TIMER);
	vmmu_request(vcpu, VMMU_REQ_CLOCK_UPDATE);
	vmmu_request_all(vcpu->vm, VMMU_REQ_CLOCK_UPDATE);
}

/* Where the TSC of the vCPUs in step is at @t. clock.lock held. */
static u64 tsc_in_step(struct vmmu_clock_vm *c, const struct vmmu_host_time *t, u32 khz)
{
	lockdep_assert_held(&c->lock);
	if (t->tsc_based || !check_tsc_unstable())
		return t->tsc + c->cur_tsc_offset;
	return c->last_tsc_write + vmmu_khz_to_cycles(t->boot_ns - c->last_tsc_nsec, khz);
}

/* Is @val what a vCPU in step would have, within a second? clock.lock held. */
static bool near_step(struct vmmu_clock_vm *c, const struct vmmu_host_time *t, u64 val, u32 khz)
{
	u64 expected = c->last_tsc_write + vmmu_khz_to_cycles(t->boot_ns - c->last_tsc_nsec, khz);
	u64 second = (u64)khz * 1000;

	return val - expected + second < 2 * second;
}

/*
 * The offset for a TSC that user space sets to @val now. 0 means "as the
 * others": a vCPU that was just created. Against those that user space has not
 * set yet nothing is measured: a guest that moved here early in its life has a
 * TSC not far from theirs, and yet not theirs. clock.lock held.
 */
static u64 sync_offset(struct vmmu_clock_vm *c, const struct vmmu_host_time *t, u64 val, u32 khz)
{
	u64 tsc = val;

	if (c->tsc_written && (!val || (c->tsc_user_set && near_step(c, t, val, khz))))
		tsc = tsc_in_step(c, t, khz);
	else
		c->cur_tsc_offset = val - t->tsc;
	c->tsc_written = true;
	c->last_tsc_write = tsc;
	c->last_tsc_nsec = t->boot_ns;
	return tsc - t->tsc;
}

/**
 * vmmu_write_tsc() - WRMSR of IA32_TSC, or user space setting it
 * @vcpu: loaded
 * @val: its value from now on
 * @host: for user space, with synchronisation of the vCPUs
 *
 * A guest's write moves IA32_TSC_ADJUST along (SDM vol. 3, 18.17.3).
 */
void vmmu_write_tsc(struct vmmu_vcpu *vcpu, u64 val, bool host)
{
	struct vmmu_clock_vm *c = &vcpu->vm->clock;
	struct vmmu_host_time t;
	u64 offset;

	vmmu_host_time_read(&t);
	if (host) {
		raw_spin_lock(&c->lock);
		offset = sync_offset(c, &t, val, vcpu->clock.tsc_khz);
		c->tsc_user_set = true;
		raw_spin_unlock(&c->lock);
	} else {
		offset = val - t.tsc;
		vcpu->clock.tsc_adjust += offset - vcpu->clock.tsc_offset;
	}
	set_offset(vcpu, offset);
}

/**
 * vmmu_write_tsc_adjust() - WRMSR of IA32_TSC_ADJUST, or user space setting it
 * @vcpu: loaded
 * @val: its new value
 * @host: for user space, which sets the TSC by itself
 */
void vmmu_write_tsc_adjust(struct vmmu_vcpu *vcpu, u64 val, bool host)
{
	u64 change = val - vcpu->clock.tsc_adjust;

	vcpu->clock.tsc_adjust = val;
	if (!host)
		set_offset(vcpu, vcpu->clock.tsc_offset + change);
}

/**
 * vmmu_set_tsc_khz() - KVM_SET_TSC_KHZ
 * @vcpu: loaded
 * @khz: the guest's rate; 0: the host's
 *
 * Return: 0; -EINVAL when it is not the host's rate, which the guest would see.
 */
int vmmu_set_tsc_khz(struct vmmu_vcpu *vcpu, u32 khz)
{
	u32 host = vcpu->vm->clock.default_tsc_khz;
	u64 tolerance = div_u64((u64)host * TSC_TOLERANCE_PPM, 1000000);

	if (!khz)
		khz = host;
	if (khz + tolerance < host || khz > host + tolerance)
		return -EINVAL;
	vcpu->clock.tsc_khz = khz;
	return 0;
}

/**
 * vmmu_clock_vcpu_init() - a new vCPU's TSC: in step with the others, or from 0
 * @vcpu: not yet loaded or visible; its back end exists
 */
void vmmu_clock_vcpu_init(struct vmmu_vcpu *vcpu)
{
	struct vmmu_clock_vm *c = &vcpu->vm->clock;
	struct vmmu_host_time t;

	vcpu->clock.tsc_khz = c->default_tsc_khz;
	vmmu_host_time_read(&t);
	raw_spin_lock(&c->lock);
	vcpu->clock.tsc_offset = sync_offset(c, &t, 0, vcpu->clock.tsc_khz);
	raw_spin_unlock(&c->lock);
	vmmu_cpu->set_tsc_offset(vcpu, vcpu->clock.tsc_offset);
}
