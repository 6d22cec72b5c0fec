/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to a vCPU and the kick that gets it to look at them. Any room may
 * make a request; vcpu/run.c serves them before each entry.
 *
 * A request is a bit in vcpu->requests. The maker sets the bit, then looks at
 * vcpu->mode; the vCPU sets mode = IN_GUEST, then looks at the bits. The full
 * barriers between (vmmu_request() here, enter_once() in vcpu/run.c) pair.
 */
#ifndef VMMU_REQUEST_H
#define VMMU_REQUEST_H

#include "vmmu/types.h"

enum vmmu_request {
	VMMU_REQ_EVENT,		/* look at interrupts, NMIs, exceptions */
	VMMU_REQ_TLB_FLUSH,	/* our tables changed: drop cached translations */
	VMMU_REQ_MMU_RELOAD,	/* the root may be stale */
	VMMU_REQ_NMI,
	VMMU_REQ_TRIPLE_FAULT,
	VMMU_REQ_CLOCK_UPDATE,	/* rewrite the kvmclock page */
	VMMU_REQ_STEAL_UPDATE,
	VMMU_REQ_VM_DEAD,	/* leave KVM_RUN with -EIO */
	VMMU_REQ_EXIT_USER,	/* something for user space waits: an EOI for its I/O APIC */
	VMMU_REQ_TIMER,		/* the guest's TSC jumped: arm the LAPIC's deadline anew */
	VMMU_REQ_EOI_EXIT,	/* recompute which EOIs exit to user space */
	VMMU_NR_REQS,
};

enum vmmu_vcpu_mode {
	VMMU_OUTSIDE_GUEST,
	VMMU_IN_GUEST,
	VMMU_EXITING,
};

/* Set the bit; the vCPU sees it before its next entry but is not kicked. Any context. */
void vmmu_request(struct vmmu_vcpu *vcpu, enum vmmu_request req);
/* Was it set? Clears it. Only by the vCPU's own thread. */
bool vmmu_test_clear_request(struct vmmu_vcpu *vcpu, enum vmmu_request req);
/* Wake it when it blocks, IPI it when it runs in guest mode. Any context. */
void vmmu_vcpu_kick(struct vmmu_vcpu *vcpu);
/* Request of every vCPU; those in guest mode are out of it when this returns (waits for
 * the IPI). Preemption may be off, interrupts must be on. Returns whether any was kicked.
 */
bool vmmu_request_all(struct vmmu_vm *vm, enum vmmu_request req);
/* Every vCPU drops translations before it runs guest code again; as vmmu_request_all().
 * Callable under mmu.lock.
 */
void vmmu_flush_remote_tlbs(struct vmmu_vm *vm);
/* The VM's invariants are broken: every ioctl says -EIO from now on. Warns once. Any context. */
void vmmu_vm_kill(struct vmmu_vm *vm, const char *why);

#endif
