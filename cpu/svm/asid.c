// SPDX-License-Identifier: GPL-2.0-only
/*
 * ASIDs and TLB flushes: which tag the guest's translations carry on this CPU.
 *
 * Contract: translations made under (CPU, ASID) are only ever seen by the vCPU
 * that holds that ASID in the CPU's current generation. Each CPU deals its
 * ASIDs out in order; when they run out a new generation begins with a flush of
 * all of them. A vCPU that comes from another CPU holds no ASID: what it left
 * here may be stale.
 *
 * Locking: struct svm_cpu by its CPU with interrupts off, the rest by the
 * vCPU's thread. APM vol. 2, 15.16.
 */
#include "../host.h"
#include "vmcb.h"

/* A CPU comes to us with an unknown TLB: the first entry starts a generation. */
void svm_asid_enable(struct svm_cpu *sc)
{
	/* Generations only grow, also over suspend: an old one can never match. */
	sc->asid_generation++;
	sc->next_asid = svm_host.nr_asids;
}

static void new_asid(struct svm_vcpu *svm, struct svm_cpu *sc)
{
	struct vmcb_control_area *c = &svm->vmcb->control;

	if (sc->next_asid >= svm_host.nr_asids) {
		sc->asid_generation++;
		sc->next_asid = 1;
		c->tlb_ctl = TLB_CONTROL_FLUSH_ALL_ASID;
	}
	c->asid = sc->next_asid++;
	c->clean &= ~SVM_CLEAN_ASID;
	svm->asid_generation = sc->asid_generation;
	svm->flush = false;
}

/* Before an entry, interrupts off. tlb_ctl is 0 when this begins. */
void svm_pick_asid(struct vmmu_vcpu *vcpu, struct svm_cpu *sc)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (svm->asid_generation != sc->asid_generation || svm->cpu != smp_processor_id()) {
		new_asid(svm, sc);
		return;
	}
	if (!svm->flush)
		return;
	if (svm_host.flush_by_asid) {
		svm->vmcb->control.tlb_ctl = TLB_CONTROL_FLUSH_ASID;
		svm->flush = false;
	} else {
		/* An unused tag is an empty TLB. */
		new_asid(svm, sc);
	}
}

void svm_flush_tlb(struct vmmu_vcpu *vcpu)
{
	to_svm(vcpu)->flush = true;
	/* With CR3 a processor may keep the PDPTEs of a PAE root. */
	if (!svm_host.npt)
		svm_dirty(vcpu, SVM_CLEAN_CR);
}

/* On shadow tables the root is CR3, and its depth is that of the mode in cr.c. */
static void set_shadow_root(struct vmmu_vcpu *vcpu, u64 root_hpa, int level)
{
	struct vmcb_save_area *s = svm_save(vcpu);

	vmmu_check_shadow_root(root_hpa, level, s->efer, s->cr4);
	to_svm(vcpu)->root = root_hpa;
	s->cr3 = root_hpa;
	svm_flush_tlb(vcpu);
}

void svm_set_root(struct vmmu_vcpu *vcpu, u64 root_hpa, int level)
{
	if (!svm_host.npt) {
		set_shadow_root(vcpu, root_hpa, level);
		return;
	}
	WARN_ON_ONCE(level != vmmu_cpu_caps.tdp_root_level);
	svm_control(vcpu)->nested_cr3 = __sme_set(root_hpa);
	svm_dirty(vcpu, SVM_CLEAN_NPT);
	svm_flush_tlb(vcpu);
}
