// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a turn in the guest changes of the host and hardware does not put back, on
 * either back end: MSR_TSC_AUX, the branch predictor, breakpoints, machine checks.
 *
 * Contract: between vmmu_host_load() and vmmu_host_put() the CPU may hold the guest's
 * MSR_TSC_AUX; the kernel does not use it, user space does.
 *
 * Locking: preemption off.
 */
#include <asm/debugreg.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/ptrace.h>
#include "vmmu/vcpu.h"
#include "host.h"

DEFINE_PER_CPU(struct vmmu_host_cpu, vmmu_host_cpu);

static bool has_tsc_aux(void)
{
	return boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID);
}

static bool has_ibpb(void)
{
#ifdef X86_FEATURE_USE_IBPB
	return boot_cpu_has(X86_FEATURE_USE_IBPB);
#else
	return boot_cpu_has(X86_FEATURE_IBPB);
#endif
}

void vmmu_host_enable(void)
{
	struct vmmu_host_cpu *h = this_cpu_ptr(&vmmu_host_cpu);

	if (has_tsc_aux()) {
		rdmsrl(MSR_TSC_AUX, h->host_tsc_aux);
		h->tsc_aux = h->host_tsc_aux;
	}
	h->last_vcpu = 0;
}

void vmmu_host_load(const struct vmmu_vcpu *vcpu)
{
	struct vmmu_host_cpu *h = this_cpu_ptr(&vmmu_host_cpu);

	/* Another vCPU's branch predictions are not for this one. */
	if (h->last_vcpu != vcpu->serial) {
		h->last_vcpu = vcpu->serial;
		if (has_ibpb())
			wrmsrl(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	}
}

/* RDTSCP and RDPID read MSR_TSC_AUX, which no entry switches. */
void vmmu_host_prepare(const struct vmmu_vcpu *vcpu)
{
	struct vmmu_host_cpu *h = this_cpu_ptr(&vmmu_host_cpu);

	if (h->tsc_aux != vcpu->msrs.tsc_aux && has_tsc_aux()) {
		wrmsrl(MSR_TSC_AUX, vcpu->msrs.tsc_aux);
		h->tsc_aux = vcpu->msrs.tsc_aux;
	}
}

void vmmu_host_put(void)
{
	struct vmmu_host_cpu *h = this_cpu_ptr(&vmmu_host_cpu);

	if (h->tsc_aux != h->host_tsc_aux) {
		wrmsrl(MSR_TSC_AUX, h->host_tsc_aux);
		h->tsc_aux = h->host_tsc_aux;
	}
}

void vmmu_host_load_dr(const u64 dr[4])
{
	set_debugreg(DR7_FIXED_1, 7);
	set_debugreg(dr[0], 0);
	set_debugreg(dr[1], 1);
	set_debugreg(dr[2], 2);
	set_debugreg(dr[3], 3);
}

noinline void vmmu_host_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = {
		.cs = 3,
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}
