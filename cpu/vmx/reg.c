// SPDX-License-Identifier: GPL-2.0-only
/*
 * RFLAGS, segments, descriptor tables: VT-x's own forms against KVM's.
 *
 * Contract: what set_* was given get_* gives back, up to bits that an entry checks
 * and that have one legal value (SDM vol. 3, 27.3.1.2): the accessed bit, TR's busy
 * bit, and a granularity that does not fit the limit.
 *
 * Locking: vcpu->mutex. Nothing sleeps.
 */
#include "vmcs.h"

#define AR_AVL_SHIFT	12
#define AR_L_SHIFT	13
#define AR_DB_SHIFT	14
#define AR_G_SHIFT	15
#define AR_S_SHIFT	4
#define AR_P_SHIFT	7
#define AR_TYPE_DATA	3	/* that can be written, accessed: what real mode makes of CS */

u64 vmx_get_rflags(struct vmmu_vcpu *vcpu)
{
	return to_vmx(vcpu)->rflags;
}

void vmx_set_rflags(struct vmmu_vcpu *vcpu, u64 val)
{
	to_vmx(vcpu)->rflags = val | X86_EFLAGS_FIXED;
}

void vmx_get_segment(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, struct kvm_segment *val)
{
	const struct vmx_seg *s = &to_vmx(vcpu)->seg[seg];

	vmx_need(vcpu, BIT(seg));
	memset(val, 0, sizeof(*val));
	val->base = s->base;
	val->limit = s->limit;
	val->selector = s->selector;
	val->type = s->ar & VMX_AR_TYPE_MASK;
	val->s = (s->ar >> AR_S_SHIFT) & 1;
	val->dpl = VMX_AR_DPL(s->ar);
	val->unusable = !!(s->ar & VMX_AR_UNUSABLE_MASK);
	/* The processor may leave P set in what it made unusable. */
	val->present = !val->unusable && ((s->ar >> AR_P_SHIFT) & 1);
	val->avl = (s->ar >> AR_AVL_SHIFT) & 1;
	val->l = (s->ar >> AR_L_SHIFT) & 1;
	val->db = (s->ar >> AR_DB_SHIFT) & 1;
	val->g = (s->ar >> AR_G_SHIFT) & 1;
}

/* G as an entry wants it for this limit. */
static bool granular(const struct kvm_segment *val)
{
	if (val->limit >> 20)
		return true;
	return val->g && (val->limit & 0xfff) == 0xfff;
}

void vmx_set_segment(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, const struct kvm_segment *val)
{
	struct vmx_seg *s = &to_vmx(vcpu)->seg[seg];
	bool usable = val->present && !val->unusable;
	u32 type = val->type & VMX_AR_TYPE_MASK;

	if (usable && seg == VMMU_SEG_TR)
		type |= 2;
	else if (usable && val->s)
		type |= VMX_AR_TYPE_ACCESSES_MASK;

	s->base = val->base;
	s->limit = val->limit;
	s->selector = val->selector;
	s->ar = type | (val->s & 1) << AR_S_SHIFT | (val->dpl & 3) << VMX_AR_DPL_SHIFT |
		usable << AR_P_SHIFT | (val->avl & 1) << AR_AVL_SHIFT |
		(val->l & 1) << AR_L_SHIFT | (val->db & 1) << AR_DB_SHIFT |
		granular(val) << AR_G_SHIFT;
	if (!usable)
		s->ar |= VMX_AR_UNUSABLE_MASK;
	vmx_replace(to_vmx(vcpu), BIT(seg));
}

static void set_rpl(struct vmx_seg *s, u8 rpl)
{
	s->selector = (s->selector & ~3) | rpl;
}

/**
 * vmx_strict_segments() - an entry without "unrestricted guest" checks more: SDM 27.3.1.2
 * @vcpu: about to run on shadow tables, in protected mode
 *
 * A guest may begin to page with what real mode left in its segments: code that is typed as
 * data, and selectors whose RPL is a part of an address. It has no use for either there.
 */
void vmx_strict_segments(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	struct vmx_seg *cs = &vmx->seg[VMMU_SEG_CS], *ss = &vmx->seg[VMMU_SEG_SS];
	u8 cpl;

	if (vmx->rflags & X86_EFLAGS_VM)
		return;
	vmx_change(vcpu, VMX_SEGMENTS);
	cpl = VMX_AR_DPL(ss->ar);
	if ((cs->ar & VMX_AR_TYPE_MASK) == AR_TYPE_DATA)
		cs->ar |= VMX_AR_TYPE_CODE_MASK;
	set_rpl(cs, cpl);
	set_rpl(ss, cpl);
	for (int i = 0; i < VMMU_NR_SEGS; i++) {
		struct vmx_seg *s = &vmx->seg[i];

		if (i == VMMU_SEG_CS || i == VMMU_SEG_SS || i == VMMU_SEG_LDTR || i == VMMU_SEG_TR)
			continue;
		if ((s->selector & 3) > VMX_AR_DPL(s->ar))
			set_rpl(s, VMX_AR_DPL(s->ar));
	}
}

/* SS.DPL is the CPL, also while SS is unusable: SDM 25.4.1. */
u8 vmx_get_cpl(struct vmmu_vcpu *vcpu)
{
	vmx_need(vcpu, BIT(VMMU_SEG_SS));
	return VMX_AR_DPL(to_vmx(vcpu)->seg[VMMU_SEG_SS].ar);
}

void vmx_fetch_state(struct vmmu_vcpu *vcpu, struct vmmu_fetch_state *f)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	const struct vmx_seg *cs = &vmx->seg[VMMU_SEG_CS];

	vmx_need(vcpu, VMX_CR | BIT(VMMU_SEG_CS) | BIT(VMMU_SEG_SS));
	f->cr0 = vmx_get_cr0(vcpu);
	f->cr3 = vmx->cr3;
	f->cr4 = vmx_get_cr4(vcpu);
	f->efer = vmx->efer;
	f->cpl = VMX_AR_DPL(vmx->seg[VMMU_SEG_SS].ar);
	if ((cs->ar & BIT(AR_L_SHIFT)) && (vmx->efer & EFER_LMA)) {
		f->mode = 8;
		f->cs_base = 0;
	} else {
		f->mode = cs->ar & BIT(AR_DB_SHIFT) ? 4 : 2;
		f->cs_base = cs->base;
	}
}

static void get_table(struct vmmu_vcpu *vcpu, const struct vmx_table *t, struct kvm_dtable *dt)
{
	vmx_need(vcpu, VMX_TABLES);
	memset(dt, 0, sizeof(*dt));
	dt->base = t->base;
	dt->limit = t->limit;
}

static void set_table(struct vmmu_vcpu *vcpu, struct vmx_table *t, const struct kvm_dtable *dt)
{
	vmx_change(vcpu, VMX_TABLES);
	t->base = dt->base;
	t->limit = dt->limit;
}

void vmx_get_idt(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt)
{
	get_table(vcpu, &to_vmx(vcpu)->idt, dt);
}

void vmx_set_idt(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt)
{
	set_table(vcpu, &to_vmx(vcpu)->idt, dt);
}

void vmx_get_gdt(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt)
{
	get_table(vcpu, &to_vmx(vcpu)->gdt, dt);
}

void vmx_set_gdt(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt)
{
	set_table(vcpu, &to_vmx(vcpu)->gdt, dt);
}
