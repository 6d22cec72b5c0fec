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

/* In 64-bit code paging stays on and no PDPTEs are read: none of these sleeps. 1: #GP. */
static int write_cr(struct vmmu_vcpu *vcpu, u8 cr, u64 val)
{
	switch (cr) {
	case 0:
		return vmmu_set_cr0(vcpu, val);
	case 3:
		return vmmu_set_cr3(vcpu, val);
	case 4:
		return vmmu_set_cr4(vcpu, val);
	default:
		return 1;
	}
}

/*
 * Without nested paging. Back to a root that is kept is a way without locks. If it is not kept,
 * or tables have to be brought up to date, the register is written all the same, and the
 * request ends the turn: the root is chosen before the next one.
 */
bool vmmu_fast_mov_to_cr(struct vmmu_vcpu *vcpu)
{
	struct vmmu_insn_info insn;

	if (!vmmu_decode_atomic(vcpu, &insn) || insn.opcode != 0x22 ||
	    write_cr(vcpu, insn.reg, vcpu->regs[insn.rm]))
		return false;
	if (!vmmu_mmu_load_atomic(vcpu))
		vmmu_request(vcpu, VMMU_REQ_MMU_RELOAD);
	vcpu->rip += insn.len;
	vmmu_cpu->set_irq_shadow(vcpu, 0);
	return true;
}

/* While no table is out of step there is nothing to do for one address but to flush. */
bool vmmu_fast_invlpg(struct vmmu_vcpu *vcpu)
{
	struct vmmu_insn_info insn;

	if (!vmmu_mmu_in_step(vcpu->vm) || !vmmu_decode_atomic(vcpu, &insn) || !insn.mem)
		return false;
	vmmu_cpu->flush_tlb(vcpu);
	vcpu->rip += insn.len;
	vmmu_cpu->set_irq_shadow(vcpu, 0);
	return true;
}

/*
 * Only what an eventfd or the coalesced ring takes. Both have a spinlock, which is none on a
 * realtime kernel.
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
