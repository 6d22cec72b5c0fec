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
 * While user space debugs the guest (vcpu/debug.c), the guest's registers are
 * never loaded: each access is emulated.
 *
 * Locking: vcpu->mutex; enter and leave with interrupts off.
 */
#include <asm/debugreg.h>
#include "vmmu/paging.h"
#include "../host.h"
#include "vmcb.h"

/* Interrupts off, just before the entry. True: DR0-3 are the guest's now. */
bool svm_dr_enter(struct vmmu_vcpu *vcpu)
{
	struct vmcb_save_area *s = svm_save(vcpu);
	struct vmmu_debug *d = &vcpu->dbg;
	u64 dr6 = d->loaded ? d->dr6 : DR6_RESERVED;

	if (s->dr6 != dr6) {
		s->dr6 = dr6;
		svm_dirty(vcpu, SVM_CLEAN_DR);
	}
	if (!d->loaded && !(s->dr7 & VMMU_DR7_ENABLE_MASK))
		return false;

	vmmu_host_load_dr(d->eff_dr);
	return true;
}

/* The next access exits again. */
static void withdraw(struct vmmu_vcpu *vcpu)
{
	vcpu->dbg.loaded = false;
	svm_control(vcpu)->intercepts[INTERCEPT_DR] = ~0U;
	svm_dirty(vcpu, SVM_CLEAN_INTERCEPTS);
}

/* The guest ran with the registers: hardware and the VMCB have its values. */
static void take_back(struct vmmu_vcpu *vcpu)
{
	struct vmcb_save_area *s = svm_save(vcpu);
	struct vmmu_debug *d = &vcpu->dbg;
	int i;

	get_debugreg(d->dr[0], 0);
	get_debugreg(d->dr[1], 1);
	get_debugreg(d->dr[2], 2);
	get_debugreg(d->dr[3], 3);
	d->dr6 = s->dr6;
	d->dr7 = s->dr7;
	for (i = 0; i < 4; i++)
		d->eff_dr[i] = d->dr[i];
	withdraw(vcpu);
}

/* Interrupts off, just after the exit. @hardware: what svm_dr_enter() said. */
void svm_dr_leave(struct vmmu_vcpu *vcpu, bool hardware)
{
	if (vcpu->dbg.loaded)
		take_back(vcpu);
	vmmu_host_restore_dr(hardware);
}

/*
 * Outside of a turn vcpu->dbg is right: each exit takes the registers back. Those that
 * were given away for a turn that has not begun are only withdrawn.
 */
void svm_sync_dr(struct vmmu_vcpu *vcpu)
{
	if (vcpu->dbg.loaded)
		withdraw(vcpu);
}

void svm_set_dr7(struct vmmu_vcpu *vcpu)
{
	svm_save(vcpu)->dr7 = vmmu_effective_dr7(vcpu);
	svm_dirty(vcpu, SVM_CLEAN_DR);
}

int svm_exit_dr(struct vmmu_vcpu *vcpu)
{
	struct vmmu_debug *d = &vcpu->dbg;
	int i;

	/* Not to be mixed with what is user space's: its registers, or its steps in DR6. */
	if (d->guest_debug)
		return vmmu_emulate(vcpu, VMMU_INVALID_GPA);

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
	u64 hits = svm->vmcb->save.dr6 ^ DR6_RESERVED;

	if (svm->nmi_stepped) {
		/* Our own step over an IRET or a shadow: the guest asked for none. */
		if (!(svm->step_rflags & X86_EFLAGS_TF))
			hits &= ~(u64)DR_STEP;
		if (!hits)
			return 1;
	}
	return vmmu_debug_exception(vcpu, hits, vmmu_linear_rip(vcpu));
}

int svm_exit_bp(struct vmmu_vcpu *vcpu)
{
	return vmmu_exit_debug(vcpu, X86_TRAP_BP, DR6_RESERVED, vmmu_linear_rip(vcpu));
}

/*
 * Only with svm_wants.debug_int: INT3 is user space's breakpoint; INT n and INTO go
 * to the guest, by injection, which checks what the instruction would have.
 */
int svm_exit_swint(struct vmmu_vcpu *vcpu)
{
	struct vmmu_event *ev = &vcpu->event;
	struct vmmu_exception e;
	u8 code[2];

	if (vmmu_fetch_gva(vcpu, vmmu_linear_rip(vcpu), code, 1, &e))
		return 1;
	switch (code[0]) {
	case 0xcc:
		return svm_exit_bp(vcpu);
	case 0xce:
		vmmu_requeue_exception(vcpu, X86_TRAP_OF, false, 0);
		return 1;
	case 0xcd:
		if (vmmu_fetch_gva(vcpu, vmmu_linear_rip(vcpu), code, 2, &e))
			return 1;
		ev->interrupt.injected = true;
		ev->interrupt.soft = true;
		ev->interrupt.vector = code[1];
		return 1;
	default:
		return vmmu_emulation_failed(vcpu);
	}
}
