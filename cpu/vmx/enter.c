// SPDX-License-Identifier: GPL-2.0-only
/*
 * A turn in the guest: the entry, the exit from it, and the next entry at once when the
 * exit was one that is answered on the spot.
 *
 * Contract: vmx_enter() is called with interrupts off and the guest's FPU loaded; it
 * returns with interrupts off, out of VMX operation, every host register as it was,
 * the vCPU's state complete. A host interrupt that ended the guest's run is still
 * pending (it is not acknowledged at the exit) and is taken when the caller enables
 * interrupts; an NMI is handed over by vmx_host_event().
 *
 * Locking: vcpu->mutex, preemption off. Between vmmu_guest_state_in() and _out()
 * the CPU is in the guest for RCU and lockdep: nothing instrumented runs there.
 */
#include <linux/cpumask.h>
#include <linux/smp.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/gsseg.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>
#include "vmmu/trace.h"
#include "../host.h"
#include "vmcs.h"

static_assert(offsetof(struct vmx_switch, regs) == 0);
static_assert(offsetof(struct vmx_switch, guest_spec) == 8);
static_assert(offsetof(struct vmx_switch, host_spec) == 16);
static_assert(offsetof(struct vmx_switch, refused) == 24);
static_assert(offsetof(struct vmx_switch, launched) == 32);
static_assert(HOST_RSP == 0x6c14);
static_assert(VMMU_RCX == 1 && VMMU_RBP == 5 && VMMU_RDI == 7 && VMMU_R15 == 15);

static __always_inline u64 swap_cr2(u64 new)
{
	u64 old;

	asm volatile("mov %%cr2, %0" : "=r" (old));
	if (old != new)
		asm volatile("mov %0, %%cr2" : : "r" (new));
	return old;
}

static noinstr void run_guest(struct vmx_switch *args, u64 *cr2)
{
	u64 host_cr2;

	vmmu_guest_state_in();
	host_cr2 = swap_cr2(*cr2);
	vmmu_vmx_switch(args);
	*cr2 = swap_cr2(host_cr2);
	vmmu_guest_state_out();
}

/* With an MSR filter in the VM every MSR access exits and is judged there. */
static void choose_bitmap(struct vmmu_vcpu *vcpu)
{
	struct page *page = rcu_access_pointer(vcpu->vm->msr_filter) ? vmx_host.msr_bitmap_all :
								       vmx_host.msr_bitmap;
	u64 pa = page_to_phys(page);

	if (to_vmx(vcpu)->msr_bitmap != pa) {
		to_vmx(vcpu)->msr_bitmap = pa;
		vmx_replace(to_vmx(vcpu), VMX_CONTROLS);
	}
}

static void save_rest(struct vmx_host_rest *h)
{
	native_store_gdt(&h->gdt);
	store_idt(&h->idt);
	savesegment(ds, h->ds);
	savesegment(es, h->es);
	savesegment(fs, h->fs);
	savesegment(gs, h->gs);
	asm volatile("sldt %0" : "=r" (h->ldt));
	h->fs_base = cpu_feature_enabled(X86_FEATURE_FSGSBASE) ? rdfsbase() :
								 __rdmsr(MSR_FS_BASE);
	h->kernel_gs_base = __rdmsr(MSR_KERNEL_GS_BASE);
	h->debugctl = __rdmsr(MSR_IA32_DEBUGCTLMSR);
}

/* An exit makes the tables' limits 64K, the user's selectors and LDTR 0: SDM 28.5.2. */
static void restore_rest(const struct vmx_host_rest *h)
{
	asm volatile("lgdt %0" : : "m" (h->gdt));
	asm volatile("lidt %0" : : "m" (h->idt));
	if (unlikely(h->ldt))
		asm volatile("lldt %w0" : : "r" (h->ldt));
	if (unlikely(h->ds | h->es)) {
		loadsegment(ds, h->ds);
		loadsegment(es, h->es);
	}
	if (unlikely(h->fs)) {
		loadsegment(fs, h->fs);
		wrmsrl(MSR_FS_BASE, h->fs_base);
	}
	if (unlikely(h->gs)) {
		load_gs_index(h->gs);
		wrmsrl(MSR_KERNEL_GS_BASE, h->kernel_gs_base);
	}
	if (unlikely(h->debugctl))
		wrmsrl(MSR_IA32_DEBUGCTLMSR, h->debugctl);
}

/* The entry did not happen: the event comes back as one whose delivery was cut short. */
static void not_entered(struct vmx_vcpu *vmx, u32 refused)
{
	vmx->reason = VMX_REASON_NONE;
	vmx->refused = refused;
	vmx->idt_info = vmx->event;
	vmx->idt_error_code = vmx->event_error;
	vmx->event = 0;
	vmx->intr = 0;
	vmx->insn_len = 0;
}

/* One entry and its exit, in VMX operation, the VMCS current. False: nothing was entered. */
static bool enter_and_exit(struct vmmu_vcpu *vcpu, struct vmx_switch *args,
			   const struct vmx_host_rest *rest)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_write_image(vcpu, rest);
	if (vmx_host.l1d_flush)
		vmx_l1d_empty(vmx);

	run_guest(args, &vcpu->cr2);

	if (unlikely(args->refused)) {
		not_entered(vmx, vmcs_read(VM_INSTRUCTION_ERROR) ?: ~0U);
		return false;
	}
	args->launched = 1;
	vmx_read_image(vcpu);
	if (unlikely(vmx->reason & VMX_EXIT_REASONS_FAILED_VMENTRY)) {
		vmx->idt_info = vmx->event;
		vmx->idt_error_code = vmx->event_error;
	}
	vmx->event = 0;
	return true;
}

/*
 * Nothing waits for the end of this turn, nobody steps, nobody traces each exit. An access
 * is made again with RF set, as after a fault; of an instruction that is done TF is a trap.
 */
static bool plain_exit(struct vmmu_vcpu *vcpu)
{
	const struct vmx_vcpu *vmx = to_vmx(vcpu);
	u64 flags = vmx->reason == EXIT_REASON_EPT_VIOLATION ? 0 : X86_EFLAGS_TF | X86_EFLAGS_RF;

	return !(vmx->idt_info & VECTORING_INFO_VALID_MASK) && !(vmx->rflags & flags) &&
	       !vcpu->dbg.guest_debug && !trace_vmmu_exit_enabled() &&
	       !trace_vmmu_entry_enabled();
}

static bool answer_exit(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 q = vmx->qualification;

	switch (vmx->reason) {
	case EXIT_REASON_CPUID:
		return vmmu_fast_cpuid(vcpu);
	case EXIT_REASON_VMCALL:
		return vmmu_fast_hypercall(vcpu);
	case EXIT_REASON_EPT_VIOLATION:
		return vmmu_mmu_fault_atomic(vcpu, vmx->gpa, vmx_fault_error(vmx));
	default:
		return vmmu_fast_port_out(vcpu, q >> 16, (q & VMX_IO_SIZE) + 1,
					  vcpu->rip + vmx->insn_len);
	}
}

/* Was the exit one that can be answered here and now? */
static __always_inline bool fast_exit(struct vmmu_vcpu *vcpu)
{
	const struct vmx_vcpu *vmx = to_vmx(vcpu);
	bool done;

	switch (vmx->reason) {
	case EXIT_REASON_CPUID:
	case EXIT_REASON_VMCALL:
		break;
	case EXIT_REASON_IO_INSTRUCTION:
		if (vmx->qualification & (VMX_IO_IN | VMX_IO_STRING | VMX_IO_REP))
			return false;
		break;
	case EXIT_REASON_EPT_VIOLATION:
		/* A write to what is there. */
		if (!(vmx->qualification & EPT_VIOLATION_ACC_WRITE) ||
		    !(vmx->qualification & EPT_VIOLATION_RWX_MASK) ||
		    (vmx->qualification & INTR_INFO_UNBLOCK_NMI))
			return false;
		break;
	default:
		return false;
	}
	if (!plain_exit(vcpu))
		return false;
	vmmu_srcu_lock(vcpu);
	done = answer_exit(vcpu);
	vmmu_srcu_unlock(vcpu);
	return done;
}

/* In VMX operation with the VMCS current: until an exit that is not answered on the spot. */
static void turn(struct vmmu_vcpu *vcpu, struct vmx_cpu *vc, const struct vmx_host_rest *rest)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_switch args = { .regs = vcpu->regs };

	if (vmx_host.spec_ctrl) {
		args.host_spec = this_cpu_read(x86_spec_ctrl_current);
		args.guest_spec = vcpu->msrs.spec_ctrl;
	}
	choose_bitmap(vcpu);
	vmx_tlb_enter(vmx, vc);
	if (vmx->tpr_shadow)
		vmx_tpr_to_guest(vcpu);

	vmx->in_turn = true;
	if (enter_and_exit(vcpu, &args, rest)) {
		while (fast_exit(vcpu)) {
			if (!vmmu_vcpu_may_enter(vcpu)) {
				/* That exit is settled: what is left is an end of the turn. */
				vmx->reason = EXIT_REASON_EXTERNAL_INTERRUPT;
				break;
			}
			vcpu->exits++;
			if (!enter_and_exit(vcpu, &args, rest))
				break;
		}
	}
	vmx->in_turn = false;
}

void vmx_enter(struct vmmu_vcpu *vcpu)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpu);
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	/* All of it is written by save_rest(). */
	struct vmx_host_rest rest __attribute__((uninitialized));
	bool hw_dr;

	vmx->refused = 0;
	/*
	 * Not ours any more. When the CPU is going offline the scheduler is about to
	 * move this thread: nothing happened, go round. Else the machine reboots, or
	 * another hypervisor came.
	 */
	if (unlikely(!vc->enabled)) {
		not_entered(vmx, cpu_active(smp_processor_id()) ? ~0U : 0);
		return;
	}
	if (unlikely(vmx_operation_begin(vc))) {
		not_entered(vmx, ~0U);
		return;
	}
	save_rest(&rest);
	hw_dr = vmx_dr_enter(vcpu);
	/* First entry: the region has a revision and nothing else. SDM 25.11.3. */
	if (vmx->dirty & VMX_FIXED)
		vmcs_clear(vmx->pa);
	if (vmcs_load(vmx->pa))
		turn(vcpu, vc, &rest);
	else
		not_entered(vmx, ~0U);
	vmcs_clear(vmx->pa);
	restore_rest(&rest);
	vmx_operation_end();
	vmx_dr_leave(vcpu, hw_dr);
	vmmu_guest_ran();
}

/*
 * What exited for the host. An NMI blocks others until an IRET: the handler's, reached
 * by the same gate.
 */
void vmx_host_event(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 mask = INTR_INFO_VALID_MASK | INTR_INFO_INTR_TYPE_MASK;
	bool mce = (u16)vmx->reason == EXIT_REASON_MCE_DURING_VMENTRY;

	if (vmx->reason == EXIT_REASON_EXCEPTION_NMI) {
		if ((vmx->intr & mask) == (INTR_INFO_VALID_MASK | INTR_TYPE_NMI_INTR))
			asm volatile("int $2");
		mce = (vmx->intr & (mask | INTR_INFO_VECTOR_MASK)) ==
		      (INTR_INFO_VALID_MASK | INTR_TYPE_HARD_EXCEPTION | X86_TRAP_MC);
	}
	if (mce)
		vmmu_host_machine_check();
}
