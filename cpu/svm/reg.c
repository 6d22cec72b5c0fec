// SPDX-License-Identifier: GPL-2.0-only
/*
 * RFLAGS, segments, descriptor tables: the VMCB's own forms against KVM's.
 *
 * Contract: what set_* was given get_* gives back, up to bits that SVM does not
 * keep, which read as a processor of the other kind would need them, so that
 * state can move between hosts.
 *
 * Locking: vcpu->mutex. Nothing sleeps.
 */
#include "vmcb.h"

u64 svm_get_rflags(struct vmmu_vcpu *vcpu)
{
	return svm_save(vcpu)->rflags;
}

void svm_set_rflags(struct vmmu_vcpu *vcpu, u64 val)
{
	svm_save(vcpu)->rflags = val | X86_EFLAGS_FIXED;
}

static struct vmcb_seg *seg_of(struct vmmu_vcpu *vcpu, enum vmmu_seg seg)
{
	struct vmcb_save_area *s = svm_save(vcpu);

	switch (seg) {
	case VMMU_SEG_ES:
		return &s->es;
	case VMMU_SEG_CS:
		return &s->cs;
	case VMMU_SEG_SS:
		return &s->ss;
	case VMMU_SEG_DS:
		return &s->ds;
	case VMMU_SEG_FS:
		return &s->fs;
	case VMMU_SEG_GS:
		return &s->gs;
	case VMMU_SEG_LDTR:
		return &s->ldtr;
	default:
		return &s->tr;
	}
}

/**
 * svm_seg_to_kvm() - a VMCB segment as user space sees it
 * @s: the segment
 * @seg: which one it is
 * @cpl: the VMCB's CPL, which is what SS.DPL means
 * @val: filled
 *
 * SVM keeps no "unusable" flag: a segment that is not present is unusable. It
 * does not keep G, nor A of data segments nor the busy bit of TR reliably;
 * VT-x checks all three. APM vol. 2, 15.5.1.
 */
void svm_seg_to_kvm(const struct vmcb_seg *s, enum vmmu_seg seg, u8 cpl, struct kvm_segment *val)
{
	memset(val, 0, sizeof(*val));
	val->base = s->base;
	val->limit = s->limit;
	val->selector = s->selector;
	val->type = s->attrib & SVM_SELECTOR_TYPE_MASK;
	val->s = (s->attrib >> SVM_SELECTOR_S_SHIFT) & 1;
	val->dpl = (s->attrib >> SVM_SELECTOR_DPL_SHIFT) & 3;
	val->present = (s->attrib >> SVM_SELECTOR_P_SHIFT) & 1;
	val->avl = (s->attrib >> SVM_SELECTOR_AVL_SHIFT) & 1;
	val->l = (s->attrib >> SVM_SELECTOR_L_SHIFT) & 1;
	val->db = (s->attrib >> SVM_SELECTOR_DB_SHIFT) & 1;
	val->g = s->limit > 0xfffff;
	val->unusable = !val->present;

	switch (seg) {
	case VMMU_SEG_TR:
		val->type |= 2;
		break;
	case VMMU_SEG_SS:
		if (val->unusable)
			val->db = 0;
		val->dpl = cpl;
		fallthrough;
	case VMMU_SEG_DS:
	case VMMU_SEG_ES:
	case VMMU_SEG_FS:
	case VMMU_SEG_GS:
		if (!val->unusable)
			val->type |= 1;
		break;
	default:
		break;
	}
}

/* The other way; @val->unusable clears P. */
void svm_seg_from_kvm(struct vmcb_seg *s, const struct kvm_segment *val)
{
	bool present = val->present && !val->unusable;

	s->base = val->base;
	s->limit = val->limit;
	s->selector = val->selector;
	s->attrib = (val->type & SVM_SELECTOR_TYPE_MASK) |
		    (val->s & 1) << SVM_SELECTOR_S_SHIFT |
		    (val->dpl & 3) << SVM_SELECTOR_DPL_SHIFT |
		    present << SVM_SELECTOR_P_SHIFT |
		    (val->avl & 1) << SVM_SELECTOR_AVL_SHIFT |
		    (val->l & 1) << SVM_SELECTOR_L_SHIFT |
		    (val->db & 1) << SVM_SELECTOR_DB_SHIFT |
		    (val->g & 1) << SVM_SELECTOR_G_SHIFT;
}

void svm_get_segment(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, struct kvm_segment *val)
{
	svm_seg_to_kvm(seg_of(vcpu, seg), seg, svm_save(vcpu)->cpl, val);
}

void svm_set_segment(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, const struct kvm_segment *val)
{
	svm_seg_from_kvm(seg_of(vcpu, seg), val);
	if (seg == VMMU_SEG_SS)
		svm_save(vcpu)->cpl = val->dpl & 3;
	svm_dirty(vcpu, SVM_CLEAN_SEG);
}

u8 svm_get_cpl(struct vmmu_vcpu *vcpu)
{
	return svm_save(vcpu)->cpl;
}

static void get_table(const struct vmcb_seg *s, struct kvm_dtable *dt)
{
	memset(dt, 0, sizeof(*dt));
	dt->base = s->base;
	dt->limit = s->limit;
}

static void set_table(struct vmmu_vcpu *vcpu, struct vmcb_seg *s, const struct kvm_dtable *dt)
{
	s->base = dt->base;
	s->limit = dt->limit;
	svm_dirty(vcpu, SVM_CLEAN_DT);
}

void svm_get_idt(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt)
{
	get_table(&svm_save(vcpu)->idtr, dt);
}

void svm_set_idt(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt)
{
	set_table(vcpu, &svm_save(vcpu)->idtr, dt);
}

void svm_get_gdt(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt)
{
	get_table(&svm_save(vcpu)->gdtr, dt);
}

void svm_set_gdt(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt)
{
	set_table(vcpu, &svm_save(vcpu)->gdtr, dt);
}
