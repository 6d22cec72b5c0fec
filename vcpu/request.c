// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests and kicks: how any thread makes a vCPU look up from its guest.
 *
 * No lock is held here. A requester orders "set bit, look at mode", the vCPU
 * orders "set mode, look at bits"; with a full barrier on both sides one of
 * the two must see the other (Documentation/locking.md, "request and entry").
 * Nothing here sleeps.
 */
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/rcuwait.h>
#include <linux/smp.h>
#include <trace/events/ipi.h>

#include "vmmu/vm.h"
#include "request.h"

/* CPUs to interrupt in vmmu_request_all(); used with preemption off. */
static DEFINE_PER_CPU(cpumask_var_t, kick_mask);

int vmmu_request_module_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		if (!zalloc_cpumask_var_node(&per_cpu(kick_mask, cpu), GFP_KERNEL,
					     cpu_to_node(cpu))) {
			vmmu_request_module_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void vmmu_request_module_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		free_cpumask_var(per_cpu(kick_mask, cpu));
}

/**
 * vmmu_request() - ask the vCPU to do @req before it next enters the guest
 * @vcpu: any
 * @req: what to do
 *
 * Whatever the caller wrote before is seen by the vCPU when it sees the
 * request. Any context; does not kick.
 */
void vmmu_request(struct vmmu_vcpu *vcpu, enum vmmu_request req)
{
	/* Pairs with the barrier in vmmu_test_clear_request(). */
	smp_wmb();
	set_bit(req, &vcpu->requests);
}

/**
 * vmmu_test_clear_request() - was @req made? It no longer is
 * @vcpu: the current thread's
 * @req: the request
 *
 * Only for the vCPU's own thread.
 */
bool vmmu_test_clear_request(struct vmmu_vcpu *vcpu, enum vmmu_request req)
{
	if (!test_bit(req, &vcpu->requests))
		return false;
	clear_bit(req, &vcpu->requests);
	/* Pairs with the barrier in vmmu_request(). */
	smp_mb__after_atomic();
	return true;
}

/* Move it out of IN_GUEST; was it somewhere between set-up and exit? */
static bool vcpu_must_exit(struct vmmu_vcpu *vcpu)
{
	/* The full barrier of cmpxchg() pairs with the one in vmmu_vcpu_may_enter(). */
	return cmpxchg(&vcpu->mode, VMMU_IN_GUEST, VMMU_EXITING) != VMMU_OUTSIDE_GUEST;
}

/**
 * vmmu_vcpu_kick() - make the vCPU look at its requests soon
 * @vcpu: any
 *
 * Wakes it when it is halted and interrupts its CPU when it runs guest code.
 * Any context. Does not wait.
 */
void vmmu_vcpu_kick(struct vmmu_vcpu *vcpu)
{
	int me, cpu;

	/* Orders the caller's request before the look at the sleeper. */
	smp_mb();
	rcuwait_wake_up(&vcpu->wait);

	me = get_cpu();
	if (vcpu_must_exit(vcpu)) {
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != me && (unsigned int)cpu < nr_cpu_ids && cpu_online(cpu))
			smp_send_reschedule(cpu);
	}
	put_cpu();
}

/* The interrupt itself is what gets the CPU out of guest mode. */
static void kick_ack(void *unused)
{
}

/**
 * vmmu_request_all() - make @req of every vCPU and wait until none runs guest code
 *                      that began before
 * @vm: the VM
 * @req: the request
 *
 * Interrupts on; preemption may be off, so it may be called under mmu.lock.
 *
 * Return: whether any CPU had to be interrupted.
 */
bool vmmu_request_all(struct vmmu_vm *vm, enum vmmu_request req)
{
	struct vmmu_vcpu *vcpu;
	struct cpumask *mask;
	unsigned long i;
	int me = get_cpu(), cpu;
	bool kicked;

	mask = this_cpu_cpumask_var_ptr(kick_mask);
	cpumask_clear(mask);
	vmmu_for_each_vcpu(vm, i, vcpu) {
		vmmu_request(vcpu, req);
		if (!vcpu_must_exit(vcpu)) {
			rcuwait_wake_up(&vcpu->wait);
			continue;
		}
		cpu = READ_ONCE(vcpu->cpu);
		if (cpu != me && (unsigned int)cpu < nr_cpu_ids)
			__cpumask_set_cpu(cpu, mask);
	}
	kicked = !cpumask_empty(mask);
	if (kicked)
		smp_call_function_many(mask, kick_ack, NULL, true);
	put_cpu();
	return kicked;
}

/**
 * vmmu_flush_remote_tlbs() - no vCPU uses a translation cached before this call
 * @vm: the VM
 *
 * A vCPU that is not in guest mode flushes before it enters. Callable under
 * mmu.lock; interrupts on.
 */
void vmmu_flush_remote_tlbs(struct vmmu_vm *vm)
{
	u64 ticket = vmmu_audit_flush_begin(vm);

	vmmu_request_all(vm, VMMU_REQ_TLB_FLUSH);
	vmmu_audit_flush_end(vm, ticket);
}

/**
 * vmmu_vm_kill() - an invariant of this VM is broken: stop it, not the host
 * @vm: the VM
 * @why: for the one warning line
 *
 * Any context. Every later ioctl on the VM and its vCPUs returns -EIO.
 */
void vmmu_vm_kill(struct vmmu_vm *vm, const char *why)
{
	struct vmmu_vcpu *vcpu;
	unsigned long i;

	if (xchg(&vm->dead, true))
		return;
	WARN(1, "vmmu: VM of process %d is dead: %s\n", current->tgid, why);
	vmmu_for_each_vcpu(vm, i, vcpu) {
		vmmu_request(vcpu, VMMU_REQ_VM_DEAD);
		vmmu_vcpu_kick(vcpu);
	}
}
