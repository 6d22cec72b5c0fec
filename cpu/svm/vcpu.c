// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a vCPU's VMCB: made, reset, bound to a CPU, freed.
 *
 * Contract: the VMCB is valid for VMRUN from svm_vcpu_create() on. On a CPU
 * where it did not run last, nothing that hardware cached of it is trusted.
 *
 * Locking: vcpu->mutex; load and put run with preemption off (the preempt
 * notifier calls them too). create and destroy may sleep.
 */
#include <linux/gfp.h>
#include <linux/mem_encrypt.h>
#include <linux/slab.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include "vmcb.h"

/* PAUSE exits after so many in a row, closer together than the threshold in cycles. */
#define PAUSE_COUNT	3000
#define PAUSE_THRESHOLD	128

int svm_vm_create(struct vmmu_vm *vm)
{
	vm->hw = NULL;	/* everything of SVM's is per vCPU or per machine */
	return 0;
}

void svm_vm_destroy(struct vmmu_vm *vm)
{
}

/* Everything but the guest's architectural state. */
void svm_vcpu_init_vmcb(struct vmmu_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control_area *c = &svm->vmcb->control;
	u64 ncr3 = c->nested_cr3;

	clear_page(svm->vmcb);
	c->iopm_base_pa = __sme_pa(page_address(svm_host.iopm));
	c->msrpm_base_pa = __sme_pa(page_address(svm_host.msrpm));
	c->int_ctl = V_INTR_MASKING_MASK;
	c->nested_ctl = svm_host.npt ? SVM_NESTED_CTL_NP_ENABLE : 0;
	c->nested_cr3 = ncr3;
	c->tsc_offset = vcpu->clock.tsc_offset;
	if (svm_host.pause_filter)
		c->pause_filter_count = PAUSE_COUNT;
	if (svm_host.pause_threshold)
		c->pause_filter_thresh = PAUSE_THRESHOLD;
	svm->vmcb->save.efer = EFER_SVME;
	svm->vmcb->save.cr3 = svm->root;	/* 0 under nested paging */
	svm->vmcb->save.g_pat = vcpu->msrs.pat;
	svm->asid_generation = 0;
	svm_update_intercepts(vcpu);
}

int svm_vcpu_create(struct vmmu_vcpu *vcpu)
{
	struct svm_vcpu *svm;
	struct page *page;

	svm = kzalloc(sizeof(*svm), GFP_KERNEL_ACCOUNT);
	if (!svm)
		return -ENOMEM;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page) {
		kfree(svm);
		return -ENOMEM;
	}
	svm->vmcb = page_address(page);
	svm->pa = __sme_pa(svm->vmcb);
	svm->cpu = -1;
	vcpu->hw = svm;
	svm_vcpu_init_vmcb(vcpu);
	return 0;
}

void svm_vcpu_destroy(struct vmmu_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (!svm)
		return;
	free_page((unsigned long)svm->vmcb);
	kfree(svm);
	vcpu->hw = NULL;
}

static void reset_segments(struct vmcb_save_area *s)
{
	struct vmcb_seg data = { .attrib = 0x93, .limit = 0xffff };
	struct vmcb_seg table = { .limit = 0xffff };

	s->es = data;
	s->ss = data;
	s->ds = data;
	s->fs = data;
	s->gs = data;
	s->cs = data;
	s->cs.selector = 0xf000;
	s->cs.base = 0xffff0000;
	s->cs.attrib = 0x9b;
	s->gdtr = table;
	s->idtr = table;
	s->ldtr = table;
	s->ldtr.attrib = 0x82;
	s->tr = table;
	s->tr.attrib = 0x8b;
	s->cpl = 0;
}

/* APM vol. 2, table 14-1: what INIT leaves alone is only cleared by RESET. */
void svm_vcpu_reset(struct vmmu_vcpu *vcpu, bool init)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_save_area *s = &svm->vmcb->save;
	u64 cr0 = X86_CR0_ET | X86_CR0_CD | X86_CR0_NW;

	if (init)
		cr0 = X86_CR0_ET | (svm_get_cr0(vcpu) & (X86_CR0_CD | X86_CR0_NW));

	svm->nmi_masked = false;
	svm->iret_seen = false;
	svm->nmi_step = false;
	svm->nmi_stepped = false;
	svm->force_exit = false;
	svm->soft_injected = false;
	svm->tpr_masked = false;
	svm->vmcb->control.int_state = 0;
	svm->vmcb->control.int_ctl = V_INTR_MASKING_MASK;
	svm->vmcb->control.event_inj = 0;
	svm->vmcb->control.exit_int_info = 0;
	svm_intercept(vcpu, INTERCEPT_VINTR, false);
	svm_intercept(vcpu, INTERCEPT_IRET, false);

	if (!init) {
		s->star = 0;
		s->lstar = 0;
		s->cstar = 0;
		s->sfmask = 0;
		s->kernel_gs_base = 0;
		s->sysenter_cs = 0;
		s->sysenter_esp = 0;
		s->sysenter_eip = 0;
		s->dbgctl = 0;
		svm->vmcb->control.virt_ext = 0;
	}
	reset_segments(s);
	s->rflags = X86_EFLAGS_FIXED;
	s->dr6 = DR6_RESERVED;
	s->dr7 = DR7_FIXED_1;
	vcpu->rip = 0xfff0;
	svm_set_efer(vcpu, 0);
	svm_set_cr4(vcpu, 0);
	svm_set_cr3(vcpu, 0);
	svm_set_cr0(vcpu, cr0);
	svm_update_intercepts(vcpu);
	svm_flush_tlb(vcpu);
	svm->vmcb->control.clean = 0;
}

void svm_vcpu_load(struct vmmu_vcpu *vcpu, int cpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	if (svm->cpu != cpu) {
		svm->cpu = cpu;
		svm->asid_generation = 0;
		svm->vmcb->control.clean = 0;
	}
}

/*
 * Under nested paging the guest owns CR4, so a bit that its CPUID hides and the
 * processor has would not fault: then CR4 writes are looked at. On shadow tables
 * they always are.
 */
void svm_after_set_cpuid(struct vmmu_vcpu *vcpu)
{
	to_svm(vcpu)->cr4_checked = svm_host.cr4_bits & vcpu->cpuid.cr4_reserved;
	svm_update_intercepts(vcpu);
}

void svm_set_tsc_offset(struct vmmu_vcpu *vcpu, u64 offset)
{
	svm_control(vcpu)->tsc_offset = offset;
	svm_dirty(vcpu, SVM_CLEAN_INTERCEPTS);
}
