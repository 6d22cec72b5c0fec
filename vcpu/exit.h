/* SPDX-License-Identifier: GPL-2.0-only */
/* What exit.c and fast_exit.c share: the answers, without moving rip. Any context. */
#ifndef VMMU_VCPU_EXIT_H
#define VMMU_VCPU_EXIT_H

struct vmmu_vcpu;

/* CPUID of EAX and ECX into the four registers. */
void vmmu_answer_cpuid(struct vmmu_vcpu *vcpu);
/* No hypercall is offered in CPUID: each gets the ABI's "no such call". */
void vmmu_answer_hypercall(struct vmmu_vcpu *vcpu);

#endif
