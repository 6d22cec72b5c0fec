/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What both back ends do for the host around a turn in the guest; the rest of it is
 * in vmmu/cpu.h, because vcpu/ calls it.
 */
#ifndef VMMU_CPU_HOST_H
#define VMMU_CPU_HOST_H

#include <linux/context_tracking.h>
#include <linux/hardirq.h>
#include <linux/hw_breakpoint.h>
#include <linux/instruction_pointer.h>
#include <linux/instrumentation.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <asm/debugreg.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/processor-flags.h>
#include "vmmu/cpu.h"

/**
 * struct vmmu_host_cpu - what a CPU owes to its host
 * @host_tsc_aux: what MSR_TSC_AUX must be again
 * @tsc_aux: what it holds now
 * @last_vcpu: vmmu_vcpu.serial that ran here last
 * @quiescent: jiffies when RCU was last told of a quiescent state
 *
 * Touched by its CPU with preemption off.
 */
struct vmmu_host_cpu {
	u64 host_tsc_aux;
	u64 tsc_aux;
	u64 last_vcpu;
	unsigned long quiescent;
};

DECLARE_PER_CPU(struct vmmu_host_cpu, vmmu_host_cpu);

/* The extension is on here from now on. Interrupts off. */
void vmmu_host_enable(void);

/*
 * A turn in the guest may last until the next tick, so RCU is told of a quiescent
 * state before it; once per tick is what a guest that never exits gives it, too.
 */
static __always_inline void vmmu_note_quiescent_state(void)
{
	unsigned long now = jiffies;

	if (this_cpu_read(vmmu_host_cpu.quiescent) == now)
		return;
	this_cpu_write(vmmu_host_cpu.quiescent, now);
	rcu_virt_note_context_switch();
}

/*
 * Interrupts are on in the guest as lockdep and tracing see it. From here to
 * vmmu_guest_state_out() the CPU is in the guest for RCU: nothing instrumented runs.
 */
static __always_inline void vmmu_guest_state_in(void)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();

	if (!context_tracking_guest_enter()) {
		instrumentation_begin();
		vmmu_note_quiescent_state();
		instrumentation_end();
	}
	lockdep_hardirqs_on(_THIS_IP_);
}

static __always_inline void vmmu_guest_state_out(void)
{
	lockdep_hardirqs_off(_THIS_IP_);
	context_tracking_guest_exit();
	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
}

/* The guest may have trained branches that our user space would follow. */
static inline void vmmu_guest_ran(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

/* A shadow root is as deep as the paging mode that hardware is in; PDPTEs lie below 4 GiB. */
static inline void vmmu_check_shadow_root(u64 root_hpa, int level, u64 efer, u64 cr4)
{
	int depth = VMMU_LEVEL_1G;

	if (efer & EFER_LMA)
		depth = cr4 & X86_CR4_LA57 ? VMMU_LEVEL_PML5 : VMMU_LEVEL_PML4;
	WARN_ON_ONCE(level != depth || (depth == VMMU_LEVEL_1G && root_hpa >> 32));
}

/* Breakpoint enable bits, local and global. */
#define VMMU_DR7_ENABLE_MASK	0xffULL

/* DR0-3 become the guest's; the host's breakpoints must not watch its addresses. */
void vmmu_host_load_dr(const u64 dr[4]);

/*
 * Just after an exit: the host has no breakpoint but its own. @loaded: DR0-3 were the guest's.
 * Interrupts off, as for the one above.
 */
static inline void vmmu_host_restore_dr(bool loaded)
{
	if (loaded)
		set_debugreg(DR6_RESERVED, 6);
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
}

/*
 * A machine check hit the guest: the host's handler looks at the banks as if it had come from
 * user mode, where it may kill the process and go on. Interrupts off.
 */
void vmmu_host_machine_check(void);

#endif
