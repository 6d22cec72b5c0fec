// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steal time: how long the vCPU's thread waited for a processor, told to the
 * guest in a structure of its own (MSR_KVM_STEAL_TIME).
 *
 * Runs on the vCPU's thread with vm->srcu held; writes to guest memory sleep.
 * The smp_wmb()s pair with the read barriers of the guest's
 * kvm_steal_clock(), which reads like a seqcount.
 */
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <asm/kvm_para.h>
#include "vmmu/vm.h"
#include "clock.h"

static_assert(sizeof(struct kvm_steal_time) == 64);

bool vmmu_steal_supported(void)
{
	return sched_info_on();
}

static u64 waited(void)
{
#ifdef CONFIG_SCHED_INFO
	return current->sched_info.run_delay;
#else
	return 0;
#endif
}

int vmmu_set_steal_time(struct vmmu_vcpu *vcpu, u64 val)
{
	struct vmmu_clock_vcpu *c = &vcpu->clock;

	if (val & KVM_STEAL_RESERVED_MASK)
		return 1;
	if (val && !vmmu_steal_supported())
		return 1;
	c->steal_msr = val;
	if (!(val & KVM_MSR_ENABLED))
		return 0;
	/* Failure is not final: each use looks again. */
	vmmu_gpa_cache_init(vcpu->vm, &c->steal, val & KVM_STEAL_VALID_BITS,
			    sizeof(struct kvm_steal_time));
	c->steal_last = waited();
	vmmu_request(vcpu, VMMU_REQ_STEAL_UPDATE);
	return 0;
}

/**
 * vmmu_steal_update() - add what was waited since the last time
 * @vcpu: loaded; vm->srcu held
 *
 * Serves VMMU_REQ_STEAL_UPDATE; sleeps.
 */
void vmmu_steal_update(struct vmmu_vcpu *vcpu)
{
	struct vmmu_clock_vcpu *c = &vcpu->clock;
	const unsigned int version_at = offsetof(struct kvm_steal_time, version);
	struct vmmu_vm *vm = vcpu->vm;
	struct kvm_steal_time st;
	u64 now = waited();
	u32 version;

	if (!(c->steal_msr & KVM_MSR_ENABLED))
		return;
	if (vmmu_read_guest_cached(vm, &c->steal, 0, &st,
				   offsetofend(struct kvm_steal_time, version)))
		return;
	/* Another thread runs the vCPU now, with a count of its own: begin again. */
	if (now > c->steal_last)
		st.steal += now - c->steal_last;
	c->steal_last = now;

	version = (st.version + 1) | 1;
	if (vmmu_write_guest_cached(vm, &c->steal, version_at, &version, sizeof(version)))
		return;
	smp_wmb();	/* see the head of this file */
	if (vmmu_write_guest_cached(vm, &c->steal, 0, &st.steal, sizeof(st.steal)))
		return;
	smp_wmb();	/* see the head of this file */
	version++;
	vmmu_write_guest_cached(vm, &c->steal, version_at, &version, sizeof(version));
}
