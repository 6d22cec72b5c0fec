// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware task switches between 32-bit tasks: far JMP, CALL and IRET to a TSS,
 * and interrupts through a task gate.
 *
 * Hosts come here where the processor must not, or does not, switch by itself: it
 * would load the guest's CR3. What it found wrong with the gate or the incoming TSS
 * descriptor it has told the guest already. Up to commit() a fault is the old
 * task's and nothing has changed but what the old TSS holds; from there on it is
 * the new task's. 16-bit tasks are not emulated.
 *
 * AMD APM vol. 2, 12.3; Intel SDM vol. 3, 7.3. vcpu->mutex and vm->srcu held; may
 * sleep.
 */
#include <linux/kernel.h>
#include <asm/msr-index.h>
#include <asm/trapnr.h>
#include "emulator.h"
#include "vmmu/memslot.h"
#include "vmmu/vm.h"

#define DR6_BT		BIT(15)
/* L0 to L3 and LE belong to the task. */
#define DR7_LOCAL	0x155

#define TYPE_LDT	2
#define TYPE_TSS	9	/* 32-bit, available */
#define TYPE_BUSY	BIT(1)
#define TYPE_CODE	BIT(3)
#define TYPE_CONFORMING	BIT(2)	/* of code */
#define TYPE_RW		BIT(1)	/* readable code, writable data */
#define TYPE_ACCESSED	BIT(0)

/* Intel SDM vol. 3, figure 7-2. */
struct tss {
	u16 link, reserved0;
	u32 stacks[6];
	u32 cr3, eip, eflags;
	u32 regs[8];		/* in the order of enum vmmu_reg */
	u16 es, reserved1, cs, reserved2, ss, reserved3;
	u16 ds, reserved4, fs, reserved5, gs, reserved6;
	u16 ldt, reserved7;
	u16 trap;		/* bit 0 */
	u16 io_map;
} __packed;

static_assert(sizeof(struct tss) == 104);
static_assert(offsetof(struct tss, eip) == 32 && offsetof(struct tss, ldt) == 96);

/* What a switch leaves in the old TSS. */
#define SAVED_FROM	offsetof(struct tss, eip)
#define SAVED_BYTES	(offsetof(struct tss, ldt) - SAVED_FROM)

struct task_switch {
	struct vmmu_vcpu *vcpu;
	const struct vmmu_task_switch *how;
	struct kvm_segment old_tr, tr;
	struct tss new;
	u8 cpl;			/* of the new task */
	struct vmmu_exception ex;
};

static int fault(struct task_switch *t, u8 vector, u16 selector)
{
	t->ex = (struct vmmu_exception) {
		.vector = vector, .has_error = true, .error = selector & ~3,
	};
	return EM_FAULT;
}

/* ---- memory, as the processor's own accesses to system tables ---- */

static int copy(struct task_switch *t, u32 linear, void *data, unsigned int bytes, bool write)
{
	u64 access = VMMU_PFERR_IMPLICIT | (write ? VMMU_PFERR_WRITE : 0);
	struct vmmu_vm *vm = t->vcpu->vm;
	struct vmmu_paging_mode mode;
	struct vmmu_walk walk;
	unsigned int n;
	int r;

	vmmu_paging_mode(t->vcpu, &mode);
	for (; bytes; bytes -= n, linear += n, data += n) {
		n = min_t(unsigned int, bytes, PAGE_SIZE - offset_in_page(linear));
		r = vmmu_gva_walk(t->vcpu, &mode, linear, access, true, &walk, &t->ex);
		if (r)
			return r < 0 ? EM_UNHANDLED : EM_FAULT;
		r = write ? vmmu_write_guest(vm, walk.gpa, data, n) :
			    vmmu_read_guest(vm, walk.gpa, data, n);
		if (r)
			return EM_UNHANDLED;
		if (write)
			vmmu_mmu_guest_wrote(vm, walk.gpa, n);
	}
	return EM_OK;
}

static int read(struct task_switch *t, u32 linear, void *data, unsigned int bytes)
{
	return copy(t, linear, data, bytes, false);
}

static int write(struct task_switch *t, u32 linear, void *data, unsigned int bytes)
{
	return copy(t, linear, data, bytes, true);
}

/* ---- descriptors ---- */

/* Where @selector's descriptor lies. False: outside its table. */
static bool descriptor_at(struct task_switch *t, u16 selector, u32 *linear)
{
	struct kvm_segment ldt;
	struct kvm_dtable gdt;
	u32 limit;

	if (selector & 4) {
		vmmu_cpu->get_segment(t->vcpu, VMMU_SEG_LDTR, &ldt);
		if (ldt.unusable)
			return false;
		*linear = ldt.base;
		limit = ldt.limit;
	} else {
		vmmu_cpu->get_gdt(t->vcpu, &gdt);
		*linear = gdt.base;
		limit = gdt.limit;
	}
	*linear += selector & ~7;
	return (selector | 7) <= limit;
}

static void unpack(u16 selector, u64 desc, struct kvm_segment *s)
{
	*s = (struct kvm_segment) {
		.base = ((desc >> 16) & 0xffffff) | ((desc >> 32) & 0xff000000),
		.limit = (desc & 0xffff) | ((desc >> 32) & 0xf0000),
		.selector = selector,
		.type = (desc >> 40) & 15,
		.s = (desc >> 44) & 1,
		.dpl = (desc >> 45) & 3,
		.present = (desc >> 47) & 1,
		.avl = (desc >> 52) & 1,
		.l = (desc >> 53) & 1,
		.db = (desc >> 54) & 1,
		.g = (desc >> 55) & 1,
	};
	s->unusable = !s->present;
	if (s->g)
		s->limit = s->limit << 12 | 0xfff;
}

/* @vector: what a selector outside its table raises. */
static int read_descriptor(struct task_switch *t, u16 selector, u8 vector,
			   struct kvm_segment *s)
{
	u32 linear;
	u64 desc;
	int r;

	if (!descriptor_at(t, selector, &linear))
		return fault(t, vector, selector);
	r = read(t, linear, &desc, sizeof(desc));
	if (!r)
		unpack(selector, desc, s);
	return r;
}

/* Its byte of type, DPL and P. */
static int write_type(struct task_switch *t, const struct kvm_segment *s)
{
	u8 byte = s->type | s->s << 4 | s->dpl << 5 | s->present << 7;
	u32 linear;

	if (!descriptor_at(t, s->selector, &linear))
		return EM_UNHANDLED;
	return write(t, linear + 5, &byte, 1);
}

/* ---- in the old task ---- */

static int check_new_tss(struct task_switch *t)
{
	bool iret = t->how->source == VMMU_TASK_IRET;
	u8 vector = iret ? X86_TRAP_TS : X86_TRAP_GP;
	u16 selector = t->how->selector;
	int r;

	if (!(selector & ~3) || (selector & 4))
		return fault(t, vector, selector);
	r = read_descriptor(t, selector, vector, &t->tr);
	if (r)
		return r;
	if (!t->tr.s && (t->tr.type & ~TYPE_BUSY) == 1)
		return EM_UNHANDLED;	/* 16-bit */
	if (t->tr.s || t->tr.type != (iret ? TYPE_TSS | TYPE_BUSY : TYPE_TSS))
		return fault(t, vector, selector);
	if (!t->tr.present)
		return fault(t, X86_TRAP_NP, selector);
	if (t->tr.limit < sizeof(struct tss) - 1)
		return fault(t, X86_TRAP_TS, selector);
	return read(t, t->tr.base, &t->new, sizeof(t->new));
}

static u16 selector_of(struct task_switch *t, enum vmmu_seg seg)
{
	struct kvm_segment s;

	vmmu_cpu->get_segment(t->vcpu, seg, &s);
	return s.selector;
}

static int save_old(struct task_switch *t)
{
	u64 rflags = vmmu_get_rflags(t->vcpu);
	struct tss old = {
		.eip = t->how->next_rip,
		.es = selector_of(t, VMMU_SEG_ES), .cs = selector_of(t, VMMU_SEG_CS),
		.ss = selector_of(t, VMMU_SEG_SS), .ds = selector_of(t, VMMU_SEG_DS),
		.fs = selector_of(t, VMMU_SEG_FS), .gs = selector_of(t, VMMU_SEG_GS),
	};
	int i;

	if (t->old_tr.s || t->old_tr.type != (TYPE_TSS | TYPE_BUSY))
		return EM_UNHANDLED;
	if (t->how->source == VMMU_TASK_IRET)
		rflags &= ~(u64)X86_EFLAGS_NT;
	if (t->how->set_rf)
		rflags |= X86_EFLAGS_RF;
	else
		rflags &= ~(u64)X86_EFLAGS_RF;
	old.eflags = rflags;
	for (i = 0; i < ARRAY_SIZE(old.regs); i++)
		old.regs[i] = t->vcpu->regs[i];
	return write(t, t->old_tr.base + SAVED_FROM, &old.eip, SAVED_BYTES);
}

static bool nests(const struct task_switch *t)
{
	return t->how->source == VMMU_TASK_CALL || t->how->source == VMMU_TASK_GATE;
}

/* Who is busy, and who comes back to whom. */
static int link_tasks(struct task_switch *t)
{
	int r;

	if (nests(t)) {
		r = write(t, t->tr.base, &t->old_tr.selector, sizeof(t->new.link));
		if (r)
			return r;
	}
	if (t->how->source != VMMU_TASK_IRET) {
		t->tr.type |= TYPE_BUSY;
		r = write_type(t, &t->tr);
		if (r)
			return r;
	}
	if (nests(t))
		return EM_OK;
	t->old_tr.type &= ~TYPE_BUSY;
	return write_type(t, &t->old_tr);
}

/* ---- in the new task ---- */

static const struct {
	enum vmmu_seg seg;
	u8 offset;
} selectors[] = {
	/* A fault of the later ones is handled with code and stack of the new task. */
	{ VMMU_SEG_CS, offsetof(struct tss, cs) }, { VMMU_SEG_SS, offsetof(struct tss, ss) },
	{ VMMU_SEG_DS, offsetof(struct tss, ds) }, { VMMU_SEG_ES, offsetof(struct tss, es) },
	{ VMMU_SEG_FS, offsetof(struct tss, fs) }, { VMMU_SEG_GS, offsetof(struct tss, gs) },
};

static u16 new_selector(const struct task_switch *t, int i)
{
	return *(const u16 *)((const u8 *)&t->new + selectors[i].offset);
}

/*
 * Selectors are there before their descriptors are looked at; what was loaded of the old
 * ones is still in use then. With SS comes the CPL.
 */
static void set_selectors(struct task_switch *t, bool v86)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(selectors); i++) {
		enum vmmu_seg seg = selectors[i].seg;
		u16 selector = new_selector(t, i);
		struct kvm_segment s;

		vmmu_cpu->get_segment(t->vcpu, seg, &s);
		if (v86)
			s = (struct kvm_segment) {
				.base = selector << 4, .limit = 0xffff,
				.type = TYPE_RW | TYPE_ACCESSED, .s = 1, .present = 1,
			};
		s.selector = selector;
		if (v86 || seg == VMMU_SEG_CS || seg == VMMU_SEG_SS)
			s.dpl = t->cpl;
		vmmu_cpu->set_segment(t->vcpu, seg, &s);
	}
}

/* No way back: all that needs no descriptor. */
static int commit(struct task_switch *t)
{
	struct vmmu_vcpu *vcpu = t->vcpu;
	u64 rflags = t->new.eflags | X86_EFLAGS_FIXED, dr7;
	struct kvm_segment ldt = { .selector = t->new.ldt, .unusable = 1 };
	bool v86 = t->new.eflags & X86_EFLAGS_VM;
	int i;

	if (t->how->source == VMMU_TASK_GATE) {
		vcpu->event.exception.injected = false;
		vcpu->event.interrupt.injected = false;
		vcpu->event.nmi_injected = false;
	} else if (t->how->source == VMMU_TASK_IRET) {
		vmmu_cpu->set_nmi_mask(vcpu, false);
	}
	vmmu_cpu->set_irq_shadow(vcpu, 0);

	t->cpl = v86 ? 3 : t->new.cs & 3;
	for (i = 0; i < ARRAY_SIZE(t->new.regs); i++)
		vcpu->regs[i] = t->new.regs[i];
	vcpu->rip = t->new.eip;
	if (nests(t))
		rflags |= X86_EFLAGS_NT;
	vmmu_set_rflags(vcpu, rflags);
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_TR, &t->tr);
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_LDTR, &ldt);
	set_selectors(t, v86);
	vmmu_set_cr0(vcpu, vmmu_cpu->get_cr0(vcpu) | X86_CR0_TS);
	if (!vmmu_get_dr(vcpu, 7, &dr7) && (dr7 & DR7_LOCAL))
		vmmu_set_dr(vcpu, 7, dr7 & ~(u64)DR7_LOCAL);
	if (vmmu_paging_on(vcpu) && vmmu_set_cr3(vcpu, t->new.cr3))
		return fault(t, X86_TRAP_TS, t->how->selector);
	return EM_OK;
}

static int load_ldt(struct task_switch *t)
{
	struct kvm_segment s;
	int r;

	if (!(t->new.ldt & ~3))
		return EM_OK;
	if (t->new.ldt & 4)
		return fault(t, X86_TRAP_TS, t->new.ldt);
	r = read_descriptor(t, t->new.ldt, X86_TRAP_TS, &s);
	if (r)
		return r;
	if (s.s || s.type != TYPE_LDT || !s.present)
		return fault(t, X86_TRAP_TS, t->new.ldt);
	vmmu_cpu->set_segment(t->vcpu, VMMU_SEG_LDTR, &s);
	return EM_OK;
}

/* May @s be loaded there? Intel SDM vol. 3, table 7-1. */
static bool loadable(const struct task_switch *t, enum vmmu_seg seg, const struct kvm_segment *s)
{
	bool code = s->type & TYPE_CODE;
	u8 rpl = s->selector & 3;

	if (!s->s)
		return false;
	switch (seg) {
	case VMMU_SEG_CS:
		if (!code)
			return false;
		return s->type & TYPE_CONFORMING ? s->dpl <= rpl : s->dpl == rpl;
	case VMMU_SEG_SS:
		return !code && (s->type & TYPE_RW) && rpl == t->cpl && s->dpl == t->cpl;
	default:
		if (code && !(s->type & TYPE_RW))
			return false;
		return (code && (s->type & TYPE_CONFORMING)) || s->dpl >= max(rpl, t->cpl);
	}
}

static int load_segment(struct task_switch *t, int i)
{
	enum vmmu_seg seg = selectors[i].seg;
	u16 selector = new_selector(t, i);
	struct kvm_segment s;
	int r;

	if (!(selector & ~3)) {
		if (seg == VMMU_SEG_CS || seg == VMMU_SEG_SS)
			return fault(t, X86_TRAP_TS, selector);
		s = (struct kvm_segment) { .selector = selector, .unusable = 1 };
		vmmu_cpu->set_segment(t->vcpu, seg, &s);
		return EM_OK;
	}
	r = read_descriptor(t, selector, X86_TRAP_TS, &s);
	if (r)
		return r;
	if (!loadable(t, seg, &s))
		return fault(t, X86_TRAP_TS, selector);
	if (!s.present)
		return fault(t, seg == VMMU_SEG_SS ? X86_TRAP_SS : X86_TRAP_NP, selector);
	if (!(s.type & TYPE_ACCESSED)) {
		s.type |= TYPE_ACCESSED;
		r = write_type(t, &s);
		if (r)
			return r;
	}
	vmmu_cpu->set_segment(t->vcpu, seg, &s);
	return EM_OK;
}

static int load_segments(struct task_switch *t)
{
	int i, r = load_ldt(t);

	if (t->new.eflags & X86_EFLAGS_VM)
		return r;
	for (i = 0; !r && i < ARRAY_SIZE(selectors); i++)
		r = load_segment(t, i);
	return r;
}

/* An exception's error code goes onto the new task's stack. */
static int push_error(struct task_switch *t)
{
	u64 *rsp = &t->vcpu->regs[VMMU_RSP];
	u32 error = t->how->error, linear;
	struct kvm_segment ss;
	u32 offset, top;
	int r;

	if (!t->how->has_error)
		return EM_OK;
	vmmu_cpu->get_segment(t->vcpu, VMMU_SEG_SS, &ss);
	top = ss.db ? U32_MAX : U16_MAX;
	offset = (*rsp - sizeof(error)) & top;
	/* Bit 2 of a data segment's type: expand-down. */
	if (ss.type & BIT(2) ? offset <= ss.limit || offset > top - 3 :
			       offset > ss.limit || ss.limit - offset < 3)
		return fault(t, X86_TRAP_SS, 0);
	linear = ss.base + offset;
	r = write(t, linear, &error, sizeof(error));
	if (!r)
		*rsp = ss.db ? offset : (*rsp & ~(u64)top) | offset;
	return r;
}

static int check_start(struct task_switch *t)
{
	struct kvm_segment cs;

	vmmu_cpu->get_segment(t->vcpu, VMMU_SEG_CS, &cs);
	return t->new.eip > cs.limit ? fault(t, X86_TRAP_GP, 0) : EM_OK;
}

static int switch_tasks(struct task_switch *t)
{
	int r;

	/* Long mode has none: the processor has raised #GP. */
	if (vmmu_cpu->get_efer(t->vcpu) & EFER_LMA)
		return EM_UNHANDLED;
	vmmu_cpu->get_segment(t->vcpu, VMMU_SEG_TR, &t->old_tr);
	r = check_new_tss(t) ?: save_old(t) ?: link_tasks(t) ?: commit(t) ?: load_segments(t) ?:
	    push_error(t) ?: check_start(t);
	if (!r && (t->new.trap & 1))
		vmmu_queue_exception_payload(t->vcpu, VECTOR_DB, DR6_BT);
	return r;
}

/**
 * vmmu_task_switch() - do the task switch that exited
 * @vcpu: loaded, vm->srcu held; its registers are the old task's
 * @how: which
 *
 * Return: 1, or 0 when it cannot be emulated, with the exit to user space filled.
 */
int vmmu_task_switch(struct vmmu_vcpu *vcpu, const struct vmmu_task_switch *how)
{
	struct task_switch t = { .vcpu = vcpu, .how = how };

	switch (switch_tasks(&t)) {
	case EM_OK:
		return 1;
	case EM_FAULT:
		vmmu_inject_exception(vcpu, &t.ex);
		return 1;
	default:
		return vmmu_emulation_failed(vcpu);
	}
}
