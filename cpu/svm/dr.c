// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers and the exceptions #DB and #BP.
 *
 * Contract: at rest vcpu->dbg holds the guest's registers, every access exits,
 * and no switch costs anything. The first access hands the hardware's over
 * until the next exit, for whatever reason; that exit reads them back. While
 * the effective DR7 has a breakpoint on, DR0-3 are loaded for each entry.
 *
 * DR6 and DR7 are in the VMCB, DR0-3 are not switched by hardware. An exit
 * leaves the host with no breakpoint; those that it has are put back.
 *
 * Locking: vcpu->mutex; enter and leave with interrupts off.
 */
#include <linux/hw_breakpoint.h>
#include <asm/debugreg.h>
#include "vmcb.h"

#define DR7_ENABLE_MASK	0xffULL

/* Interrupts off, just before the entry. True: DR0-3 are the guest's now. */
bool svm_dr_enter(struct vmmu_vcpu *vcpu)
{
	struct vmcb_save_area *s = svm_save(vcpu);
	struct vmmu_debug *d = &vcpu->dbg;

	s->dr6 = d->loaded ? d->dr6 : DR6_RESERVED;
	if (!d->loaded && !(s->dr7 & DR7_ENABLE_MASK))
		return false;

	/* The host's breakpoints must not watch the guest's addresses. */
	set_debugreg(DR7_FIXED_1, 7);
	set_debugreg(d->eff_dr[0], 0);
	set_debugreg(d->eff_dr[1], 1);
	set_debugreg(d->eff_dr[2], 2);
	set_debugreg(d->eff_dr[3], 3);
	return true;
}

/* Interrupts off, just after the exit. @hardware: what svm_dr_enter() said. */
void svm_dr_leave(struct vmmu_vcpu *vcpu, bool hardware)
{
	if (vcpu->dbg.loaded)
		svm_sync_dr(vcpu);
	if (hardware)
		set_debugreg(DR6_RESERVED, 6);
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
}

/* Take the registers back from the guest; nothing when it has them not. */
void svm_sync_dr(struct vmmu_vcpu *vcpu)
{
	struct vmcb_save_area *s = svm_save(vcpu);
	struct vmmu_debug *d = &vcpu->dbg;
	int i;

	if (!d->loaded)
		return;
	get_debugreg(d->dr[0], 0);
	get_debugreg(d->dr[1], 1);
	get_debugreg(d->dr[2], 2);
	get_debugreg(d->dr[3], 3);
	d->dr6 = s->dr6;
	d->dr7 = s->dr7;
	for (i = 0; i < 4; i++)
		d->eff_dr[i] = d->dr[i];
	d->loaded = false;
	svm_control(vcpu)->intercepts[INTERCEPT_DR] = ~0U;
	svm_dirty(vcpu, SVM_CLEAN_INTERCEPTS);
}

void svm_set_dr7(struct vmmu_vcpu *vcpu)
{
	struct vmmu_debug *d = &vcpu->dbg;
	bool user = d->guest_debug & KVM_GUESTDBG_USE_HW_BP;

	svm_save(vcpu)->dr7 = (user ? d->guest_debug_dr7 : d->dr7) | DR7_FIXED_1;
	svm_dirty(vcpu, SVM_CLEAN_DR);
}

/* User space has the registers for its own breakpoints: do the guest's MOV for it. */
static int emulate_dr_access(struct vmmu_vcpu *vcpu)
{
	struct vmmu_insn_info insn;
	bool wide = vmmu_is_64bit(vcpu);
	int ret, gpr;
	u64 val;

	ret = vmmu_decode_current(vcpu, &insn);
	if (ret == VMMU_INSN_FAULT)
		return 1;
	if (ret != 1)
		return ret;
	if (insn.opcode_map != 1 || (insn.opcode != 0x21 && insn.opcode != 0x23))
		return vmmu_emulation_failed(vcpu);

	/* A register form whatever modrm.mod says. */
	gpr = (insn.modrm & 7) | (insn.rm & 8);
	if (insn.reg > 7)
		return vmmu_exit_ud(vcpu);
	if (insn.opcode == 0x23) {
		val = vcpu->regs[gpr];
		ret = vmmu_set_dr(vcpu, insn.reg, wide ? val : (u32)val);
	} else {
		ret = vmmu_get_dr(vcpu, insn.reg, &val);
		if (!ret)
			vcpu->regs[gpr] = wide ? val : (u32)val;
	}
	if (ret) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	return vmmu_skip_insn(vcpu);
}

int svm_exit_dr(struct vmmu_vcpu *vcpu)
{
	struct vmmu_debug *d = &vcpu->dbg;
	int i;

	if (d->guest_debug & KVM_GUESTDBG_USE_HW_BP)
		return emulate_dr_access(vcpu);

	for (i = 0; i < 4; i++)
		d->eff_dr[i] = d->dr[i];
	d->loaded = true;
	svm_set_dr7(vcpu);
	svm_control(vcpu)->intercepts[INTERCEPT_DR] = 0;
	svm_dirty(vcpu, SVM_CLEAN_INTERCEPTS);
	return 1;
}

/*
 * #DB always exits (see intercept.c). DR6 was clear at the entry unless the
 * guest had the registers, so what is set now is this exception's.
 */
int svm_exit_db(struct vmmu_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	u64 dr6 = svm->vmcb->save.dr6;
	u64 hits = dr6 ^ DR6_RESERVED;

	if (svm->nmi_stepped) {
		/* Our own step over an IRET or a shadow: the guest asked for none. */
		if (!(svm->step_rflags & X86_EFLAGS_TF))
			hits &= ~(u64)DR_STEP;
		if (!hits)
			return 1;
	}
	if (vcpu->dbg.guest_debug & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP))
		return vmmu_exit_debug(vcpu, X86_TRAP_DB, dr6, svm->vmcb->save.dr7,
				       svm_linear_rip(vcpu));
	vmmu_queue_exception_payload(vcpu, X86_TRAP_DB, hits);
	return 1;
}

int svm_exit_bp(struct vmmu_vcpu *vcpu)
{
	return vmmu_exit_debug(vcpu, X86_TRAP_BP, svm_save(vcpu)->dr6, svm_save(vcpu)->dr7,
			       svm_linear_rip(vcpu));
}
