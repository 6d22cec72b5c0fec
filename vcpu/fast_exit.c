// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits that are answered on the spot: between two entries of one turn in the
 * guest, with interrupts off and the guest's FPU in the registers.
 *
 * What a turn costs beside the world switch (FPU, interrupts on and off,
 * requests, events) is more than these exits themselves need. Each function
 * here does the whole of one exit, or nothing at all: then the turn ends and the
 * same exit is handled as any other (exit.c).
 *
 * Called by the back end on the vCPU's own thread, vm->srcu held. Nothing
 * sleeps and nothing of the host is waited for. The guest's PKRU may be in
 * force: it decides nothing here, because all that is read is code that the
 * processor has just fetched for the guest, past any key of the host's.
 */
#include <linux/kvm_para.h>

#include "exit.h"
#include "vmmu/vm.h"

bool vmmu_fast_cpuid(struct vmmu_vcpu *vcpu)
{
	if (vmmu_cpuid_faulting(vcpu) || !vmmu_skip_atomic(vcpu))
		return false;
	vmmu_answer_cpuid(vcpu);
	return true;
}

bool vmmu_fast_hypercall(struct vmmu_vcpu *vcpu)
{
	if (!vmmu_skip_atomic(vcpu))
		return false;
	vmmu_answer_hypercall(vcpu);
	return true;
}

/*
 * Only what an eventfd takes. Its wait queue has a spinlock that is none on a realtime kernel.
 * A port that none took the last time need not be tried again before another one was.
 */
bool vmmu_fast_port_out(struct vmmu_vcpu *vcpu, u16 port, unsigned int size, u64 next_rip)
{
	u32 val = vcpu->regs[VMMU_RAX];

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return false;
	if (vmmu_bus_write_atomic(vcpu, VMMU_BUS_PIO, port, size, &val)) {
		vcpu->slow_port = port;
		return false;
	}
	vcpu->slow_port = -1;
	vcpu->rip = next_rip;
	vmmu_cpu->set_irq_shadow(vcpu, 0);
	return true;
}
