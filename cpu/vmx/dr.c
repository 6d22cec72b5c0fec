// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers and the exceptions #DB and #BP.
 *
 * Contract: vcpu->dbg always holds the guest's registers and every access exits, so
 * no switch costs anything while the guest has no breakpoint on. DR7 is in the VMCS;
 * DR0-3 are loaded for an entry while the effective DR7 has one on. A #DB exits with
 * its DR6 bits in the qualification and leaves DR6 alone. An exit leaves the host
 * with no breakpoint; those that it has are put back.
 *
 * Locking: vcpu->mutex; enter and leave with interrupts off.
 */
#include <asm/debugreg.h>
#include "../host.h"
#include "vmcs.h"

#define DR7_GD		BIT(13)
#define DR6_BD		BIT(13)
#define DR6_BITS	(DR_TRAP_BITS | DR6_BD | DR_STEP)

bool vmx_dr_enter(struct vmmu_vcpu *vcpu)
{
	struct vmmu_debug *d = &vcpu->dbg;

	if (!(to_vmx(vcpu)->dr7 & VMMU_DR7_ENABLE_MASK))
		return false;
	vmmu_host_load_dr(d->eff_dr);
	return true;
}

void vmx_dr_leave(struct vmmu_vcpu *vcpu, bool hardware)
{
	vmmu_host_restore_dr(hardware);
}

/* The guest never has them in hardware beyond an entry. */
void vmx_sync_dr(struct vmmu_vcpu *vcpu)
{
}

void vmx_set_dr7(struct vmmu_vcpu *vcpu)
{
	to_vmx(vcpu)->dr7 = vmmu_effective_dr7(vcpu);
	vmx_replace(to_vmx(vcpu), VMX_DR7);
}

/* SDM table 28-4; the exit comes before the checks of CR4.DE and DR7.GD. */
int vmx_exit_dr(struct vmmu_vcpu *vcpu)
{
	u64 q = to_vmx(vcpu)->qualification, val;
	u8 gpr = DEBUG_REG_ACCESS_REG(q), dr = q & DEBUG_REG_ACCESS_NUM;
	bool wide = vmmu_is_64bit(vcpu);
	int fault;

	if (vmx_get_cpl(vcpu)) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	if ((dr == 4 || dr == 5) && (vmx_get_cr4(vcpu) & X86_CR4_DE))
		return vmmu_exit_ud(vcpu);
	if (vcpu->dbg.dr7 & DR7_GD) {
		vmmu_queue_exception_payload(vcpu, X86_TRAP_DB, DR6_BD);
		return 1;
	}
	if (q & TYPE_MOV_FROM_DR) {
		fault = vmmu_get_dr(vcpu, dr, &val);
		if (!fault)
			vcpu->regs[gpr] = wide ? val : (u32)val;
	} else {
		val = vcpu->regs[gpr];
		fault = vmmu_set_dr(vcpu, dr, wide ? val : (u32)val);
	}
	if (fault) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	return vmmu_skip_insn(vcpu);
}

int vmx_exit_db(struct vmmu_vcpu *vcpu)
{
	u64 hits = to_vmx(vcpu)->qualification & DR6_BITS;

	return vmmu_debug_exception(vcpu, hits, vmmu_linear_rip(vcpu));
}

int vmx_exit_bp(struct vmmu_vcpu *vcpu)
{
	return vmmu_exit_debug(vcpu, X86_TRAP_BP, DR6_RESERVED, vmmu_linear_rip(vcpu));
}
