// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvmclock: the page through which a guest reads the VM's clock without an
 * exit, and the wall clock that goes with it.
 *
 * The guest reads the page like a seqcount: an odd version means "being
 * written", an unchanged even one that what was read belongs together. The
 * smp_wmb()s here pair with the read barriers of the guest's pvclock_read_begin()
 * and pvclock_read_retry().
 *
 * Runs on the vCPU's thread with vm->srcu held; writes to guest memory sleep.
 */
#include <linux/cache.h>
#include <linux/math64.h>
#include <asm/barrier.h>
#include <asm/kvm_para.h>
#include <asm/pvclock.h>
#include <asm/tsc.h>
#include "vmmu/vm.h"
#include "clock.h"

static_assert(sizeof(struct pvclock_vcpu_time_info) == 32);
static_assert(sizeof(struct pvclock_wall_clock) == 12);

/* ---- scale ---- */

/*
 * ns/cycle = 10^6 / @khz, as mul * 2^(shift - 32) with mul in [2^31, 2^32):
 * bring the ratio into [1/2, 1) by powers of two, then divide once.
 */
struct vmmu_clock_scale vmmu_clock_scale(u32 khz)
{
	u64 num = USEC_PER_SEC, den = khz;
	struct vmmu_clock_scale s = {};

	if (!khz)
		return s;
	while (num >= den) {
		den <<= 1;
		s.shift++;
	}
	while (num << 1 < den) {
		num <<= 1;
		s.shift--;
	}
	/* num < den < 2^33, so the quotient is below 2^32. */
	s.mul = mul_u64_u64_div_u64(num, 1ULL << 32, den);
	return s;
}

u64 vmmu_clock_scale_ns(u64 cycles, struct vmmu_clock_scale s)
{
	return pvclock_scale_delta(cycles, s.mul, s.shift);
}

/* ---- the page ---- */

/* Write all but the version between an odd and an even one. */
static void write_page(struct vmmu_vcpu *vcpu, struct pvclock_vcpu_time_info *pv)
{
	struct vmmu_gpa_cache *c = &vcpu->clock.pv_time;
	const unsigned int head = sizeof(pv->version);
	struct vmmu_vm *vm = vcpu->vm;
	u32 version;

	version = (pv->version + 1) | 1;
	if (vmmu_write_guest_cached(vm, c, 0, &version, head))
		return;
	smp_wmb();	/* see the head of this file */
	if (vmmu_write_guest_cached(vm, c, head, (void *)pv + head, sizeof(*pv) - head))
		return;
	smp_wmb();	/* see the head of this file */
	version++;
	vmmu_write_guest_cached(vm, c, 0, &version, head);
}

/**
 * vmmu_clock_update() - rewrite the vCPU's clock page
 * @vcpu: loaded; vm->srcu held
 *
 * Serves VMMU_REQ_CLOCK_UPDATE; sleeps. A page that the guest put where there
 * is no memory stays unwritten until there is.
 */
void vmmu_clock_update(struct vmmu_vcpu *vcpu)
{
	struct vmmu_clock_vcpu *c = &vcpu->clock;
	struct vmmu_clock_scale s = vmmu_clock_scale(tsc_khz);
	struct pvclock_vcpu_time_info pv;
	struct vmmu_clock_point p;

	if (!c->pv_time_enabled)
		return;
	vmmu_clock_point(vcpu->vm, &p);
	if (p.flipped)
		vmmu_request_all(vcpu->vm, VMMU_REQ_CLOCK_UPDATE);
	if (vmmu_read_guest_cached(vcpu->vm, &c->pv_time, 0, &pv, sizeof(pv)))
		return;

	/* The guest clears "was stopped" itself, when it has seen it. */
	pv.flags &= PVCLOCK_GUEST_STOPPED;
	if (c->pvclock_stopped) {
		pv.flags |= PVCLOCK_GUEST_STOPPED;
		c->pvclock_stopped = false;
	}
	if (p.stable)
		pv.flags |= PVCLOCK_TSC_STABLE_BIT;
	pv.pad0 = 0;
	memset(pv.pad, 0, sizeof(pv.pad));
	pv.tsc_timestamp = vmmu_guest_tsc(vcpu, p.host_tsc);
	pv.system_time = p.guest_ns;
	pv.tsc_to_system_mul = s.mul;
	pv.tsc_shift = s.shift;
	write_page(vcpu, &pv);
}

int vmmu_set_system_time(struct vmmu_vcpu *vcpu, u64 val)
{
	struct vmmu_clock_vcpu *c = &vcpu->clock;

	c->system_time_msr = val;
	c->pv_time_enabled = val & KVM_MSR_ENABLED;
	if (!c->pv_time_enabled)
		return 0;
	/* Failure is not final: each use looks again. */
	vmmu_gpa_cache_init(vcpu->vm, &c->pv_time, val & ~(u64)KVM_MSR_ENABLED,
			    sizeof(struct pvclock_vcpu_time_info));
	vmmu_request(vcpu, VMMU_REQ_CLOCK_UPDATE);
	return 0;
}

/**
 * vmmu_clock_ctrl() - KVM_KVMCLOCK_CTRL: the guest was stopped, its watchdogs shall know
 * @vcpu: loaded
 *
 * Return: 0; -EINVAL without a clock page.
 */
int vmmu_clock_ctrl(struct vmmu_vcpu *vcpu)
{
	if (!vcpu->clock.pv_time_enabled)
		return -EINVAL;
	vcpu->clock.pvclock_stopped = true;
	vmmu_request(vcpu, VMMU_REQ_CLOCK_UPDATE);
	return 0;
}

/* ---- wall clock ---- */

/* Real time at the moment when the VM's clock was 0. */
static void wall_now(struct vmmu_vm *vm, struct pvclock_wall_clock *wall)
{
	struct vmmu_host_time t;
	u64 ns;
	u32 rest;

	vmmu_host_time_read(&t);
	ns = t.real_ns - vmmu_clock_at(vm, &t);
	wall->sec = div_u64_rem(ns, NSEC_PER_SEC, &rest);
	wall->nsec = rest;
}

/* The write fills the structure once; nothing updates it later. 0 turns nothing on. */
int vmmu_set_wall_clock(struct vmmu_vcpu *vcpu, u64 val)
{
	struct vmmu_vm *vm = vcpu->vm;
	const unsigned int head = sizeof(u32);
	struct pvclock_wall_clock wall;
	u32 version;

	guard(mutex)(&vm->clock.wall_lock);
	WRITE_ONCE(vm->clock.wall_clock_msr, val);
	if (!val || vmmu_read_guest(vm, val, &version, head))
		return 0;
	version = (version + 1) | 1;
	if (vmmu_write_guest(vm, val, &version, head))
		return 0;
	smp_wmb();	/* see the head of this file */
	wall_now(vm, &wall);
	if (vmmu_write_guest(vm, val + head, (void *)&wall + head, sizeof(wall) - head))
		return 0;
	smp_wmb();	/* see the head of this file */
	version++;
	vmmu_write_guest(vm, val, &version, head);
	return 0;
}
