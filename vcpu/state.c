// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers and events as KVM_GET_* and KVM_SET_* see them.
 *
 * vcpu->mutex held, vCPU loaded. A setter that refuses has changed nothing.
 */
#include <asm/debugreg.h>
#include <asm/trapnr.h>
#include "vmmu/vm.h"
#include "event.h"

/* ---- KVM_GET_REGS, KVM_SET_REGS ---- */

void vmmu_get_regs(struct vmmu_vcpu *vcpu, struct kvm_regs *regs)
{
	const u64 *r = vcpu->regs;

	*regs = (struct kvm_regs) {
		.rax = r[VMMU_RAX], .rbx = r[VMMU_RBX], .rcx = r[VMMU_RCX], .rdx = r[VMMU_RDX],
		.rsi = r[VMMU_RSI], .rdi = r[VMMU_RDI], .rsp = r[VMMU_RSP], .rbp = r[VMMU_RBP],
		.r8 = r[VMMU_R8], .r9 = r[VMMU_R9], .r10 = r[VMMU_R10], .r11 = r[VMMU_R11],
		.r12 = r[VMMU_R12], .r13 = r[VMMU_R13], .r14 = r[VMMU_R14], .r15 = r[VMMU_R15],
		.rip = vcpu->rip,
		.rflags = vmmu_get_rflags(vcpu),
	};
}

void vmmu_set_regs(struct vmmu_vcpu *vcpu, const struct kvm_regs *regs)
{
	u64 *r = vcpu->regs;

	r[VMMU_RAX] = regs->rax;
	r[VMMU_RBX] = regs->rbx;
	r[VMMU_RCX] = regs->rcx;
	r[VMMU_RDX] = regs->rdx;
	r[VMMU_RSI] = regs->rsi;
	r[VMMU_RDI] = regs->rdi;
	r[VMMU_RSP] = regs->rsp;
	r[VMMU_RBP] = regs->rbp;
	r[VMMU_R8] = regs->r8;
	r[VMMU_R9] = regs->r9;
	r[VMMU_R10] = regs->r10;
	r[VMMU_R11] = regs->r11;
	r[VMMU_R12] = regs->r12;
	r[VMMU_R13] = regs->r13;
	r[VMMU_R14] = regs->r14;
	r[VMMU_R15] = regs->r15;
	vcpu->rip = regs->rip;
	vmmu_set_rflags(vcpu, regs->rflags | X86_EFLAGS_FIXED);
	/* User space moved the guest: an exception for the old place is meaningless. */
	vcpu->event.exception.pending = false;
	vmmu_request(vcpu, VMMU_REQ_EVENT);
}

/* ---- KVM_GET_SREGS(2), KVM_SET_SREGS(2) ---- */

/* What the two structures share; a macro because their types differ. */
#define GET_COMMON_SREGS(vcpu, s)						\
do {										\
	vmmu_cpu->get_segment(vcpu, VMMU_SEG_CS, &(s)->cs);			\
	vmmu_cpu->get_segment(vcpu, VMMU_SEG_DS, &(s)->ds);			\
	vmmu_cpu->get_segment(vcpu, VMMU_SEG_ES, &(s)->es);			\
	vmmu_cpu->get_segment(vcpu, VMMU_SEG_FS, &(s)->fs);			\
	vmmu_cpu->get_segment(vcpu, VMMU_SEG_GS, &(s)->gs);			\
	vmmu_cpu->get_segment(vcpu, VMMU_SEG_SS, &(s)->ss);			\
	vmmu_cpu->get_segment(vcpu, VMMU_SEG_TR, &(s)->tr);			\
	vmmu_cpu->get_segment(vcpu, VMMU_SEG_LDTR, &(s)->ldt);			\
	vmmu_cpu->get_idt(vcpu, &(s)->idt);					\
	vmmu_cpu->get_gdt(vcpu, &(s)->gdt);					\
	(s)->cr0 = vmmu_cpu->get_cr0(vcpu);					\
	(s)->cr2 = vcpu->cr2;							\
	(s)->cr3 = vmmu_cpu->get_cr3(vcpu);					\
	(s)->cr4 = vmmu_cpu->get_cr4(vcpu);					\
	(s)->cr8 = vmmu_get_cr8(vcpu);						\
	(s)->efer = vmmu_cpu->get_efer(vcpu);					\
	(s)->apic_base = vmmu_lapic_get_base(vcpu);				\
} while (0)

void vmmu_get_sregs2(struct vmmu_vcpu *vcpu, struct kvm_sregs2 *sregs)
{
	const u64 *pdptr = vmmu_pdptrs(vcpu);

	memset(sregs, 0, sizeof(*sregs));
	GET_COMMON_SREGS(vcpu, sregs);
	if (pdptr) {
		memcpy(sregs->pdptrs, pdptr, sizeof(sregs->pdptrs));
		sregs->flags |= KVM_SREGS2_FLAGS_PDPTRS_VALID;
	}
}

/*
 * KVM_INTERRUPT's vector, if the next entry would inject it, is already what it will be then: user
 * space has no other way to save it. One that came although the guest was not ready stays.
 */
static void take_user_irq(struct vmmu_vcpu *vcpu)
{
	struct vmmu_event *ev = &vcpu->event;

	if (ev->user_irq < 0 || vmmu_event_reinjecting(vcpu) || !vmmu_cpu->irq_allowed(vcpu) ||
	    (vcpu->apic && !vmmu_lapic_accepts_extint(vcpu)))
		return;
	ev->interrupt.injected = true;
	ev->interrupt.soft = false;
	ev->interrupt.vector = ev->user_irq;
	WRITE_ONCE(ev->user_irq, -1);
}

void vmmu_get_sregs(struct vmmu_vcpu *vcpu, struct kvm_sregs *sregs)
{
	take_user_irq(vcpu);
	memset(sregs, 0, sizeof(*sregs));
	GET_COMMON_SREGS(vcpu, sregs);
	if (vcpu->event.interrupt.injected && !vcpu->event.interrupt.soft)
		__set_bit(vcpu->event.interrupt.vector,
			  (unsigned long *)sregs->interrupt_bitmap);
}

/* May a processor hold these together? Intel SDM vol. 3, 4.1 and 9.8.5. */
static bool sregs_legal(struct vmmu_vcpu *vcpu, const struct kvm_sregs2 *s)
{
	u8 width = vcpu->cpuid.maxphyaddr ? vcpu->cpuid.maxphyaddr : 36;

	if ((s->efer & EFER_LME) && (s->cr0 & X86_CR0_PG)) {
		if (!(s->cr4 & X86_CR4_PAE) || !(s->efer & EFER_LMA))
			return false;
		if (s->cr3 & GENMASK_ULL(63, width))
			return false;
	} else if ((s->efer & EFER_LMA) || s->cs.l) {
		return false;
	}
	if ((s->cr0 & X86_CR0_PG) && !(s->cr0 & X86_CR0_PE))
		return false;
	if ((s->cr0 & X86_CR0_NW) && !(s->cr0 & X86_CR0_CD))
		return false;
	if (s->cr0 >> 32 || (s->cr4 & vcpu->cpuid.cr4_reserved) ||
	    (s->efer & vcpu->cpuid.efer_reserved))
		return false;
	return s->cr8 <= 0xf;
}

static void set_segments(struct vmmu_vcpu *vcpu, const struct kvm_sregs2 *s)
{
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_CS, &s->cs);
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_DS, &s->ds);
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_ES, &s->es);
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_FS, &s->fs);
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_GS, &s->gs);
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_SS, &s->ss);
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_TR, &s->tr);
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_LDTR, &s->ldt);
}

/* The state after RESET of the boot processor, written by user space that knows no MP state. */
static bool looks_like_reset(struct vmmu_vcpu *vcpu, const struct kvm_sregs2 *s)
{
	return vcpu->id == 0 && vcpu->rip == 0xfff0 && s->cs.selector == 0xf000 &&
	       !(s->cr0 & X86_CR0_PE);
}

/* Do they say what the vCPU has? Then PDPTEs that it loaded stay loaded. */
static bool same_paging(struct vmmu_vcpu *vcpu, const struct kvm_sregs2 *s)
{
	return s->cr0 == vmmu_cpu->get_cr0(vcpu) && s->cr3 == vmmu_cpu->get_cr3(vcpu) &&
	       s->cr4 == vmmu_cpu->get_cr4(vcpu) && s->efer == vmmu_cpu->get_efer(vcpu);
}

int vmmu_set_sregs2(struct vmmu_vcpu *vcpu, const struct kvm_sregs2 *sregs)
{
	bool pdptrs = sregs->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
	bool same = same_paging(vcpu, sregs);

	if (sregs->flags & ~(u64)KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	if (!sregs_legal(vcpu, sregs))
		return -EINVAL;
	/* They are a part of PAE paging's state only. */
	if (pdptrs && (!(sregs->cr0 & X86_CR0_PG) || !(sregs->cr4 & X86_CR4_PAE) ||
		       (sregs->efer & EFER_LMA)))
		return -EINVAL;
	if (vmmu_lapic_set_base(vcpu, sregs->apic_base, true))
		return -EINVAL;

	vmmu_cpu->set_idt(vcpu, &sregs->idt);
	vmmu_cpu->set_gdt(vcpu, &sregs->gdt);
	vcpu->cr2 = sregs->cr2;
	vmmu_set_cr8(vcpu, sregs->cr8);
	vmmu_cpu->set_efer(vcpu, sregs->efer);
	vmmu_cpu->set_cr0(vcpu, sregs->cr0);
	vmmu_cpu->set_cr4(vcpu, sregs->cr4);
	vmmu_cpu->set_cr3(vcpu, sregs->cr3);
	set_segments(vcpu, sregs);
	if (pdptrs || !same)
		vmmu_pdptrs_set(vcpu, pdptrs ? sregs->pdptrs : NULL);
	vmmu_cpuid_runtime(vcpu);
	vmmu_mmu_guest_flush(vcpu);
	vmmu_request(vcpu, VMMU_REQ_TLB_FLUSH);
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	if (looks_like_reset(vcpu, sregs))
		WRITE_ONCE(vcpu->mp_state, KVM_MP_STATE_RUNNABLE);
	return 0;
}

int vmmu_set_sregs(struct vmmu_vcpu *vcpu, const struct kvm_sregs *s)
{
	const unsigned long *map = (const unsigned long *)s->interrupt_bitmap;
	struct kvm_sregs2 s2 = {
		.cs = s->cs, .ds = s->ds, .es = s->es, .fs = s->fs, .gs = s->gs, .ss = s->ss,
		.tr = s->tr, .ldt = s->ldt, .gdt = s->gdt, .idt = s->idt,
		.cr0 = s->cr0, .cr2 = s->cr2, .cr3 = s->cr3, .cr4 = s->cr4, .cr8 = s->cr8,
		.efer = s->efer, .apic_base = s->apic_base,
	};
	unsigned int vector;
	int r = vmmu_set_sregs2(vcpu, &s2);

	if (r)
		return r;
	vector = find_first_bit(map, KVM_NR_INTERRUPTS);
	if (vector < KVM_NR_INTERRUPTS) {
		vcpu->event.interrupt.injected = true;
		vcpu->event.interrupt.soft = false;
		vcpu->event.interrupt.vector = vector;
	}
	return 0;
}

/* ---- KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS ---- */

#define EVENT_FLAGS (KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR | \
		     KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM | \
		     KVM_VCPUEVENT_VALID_PAYLOAD | KVM_VCPUEVENT_VALID_TRIPLE_FAULT)

void vmmu_get_events(struct vmmu_vcpu *vcpu, struct kvm_vcpu_events *events)
{
	struct vmmu_event *ev = &vcpu->event;
	bool payload = vcpu->vm->exception_payload;

	if (test_bit(VMMU_REQ_NMI, &vcpu->requests))
		if (vmmu_test_clear_request(vcpu, VMMU_REQ_NMI))
			vmmu_collect_nmis(vcpu);
	if (!payload)
		vmmu_deliver_payload(vcpu);
	take_user_irq(vcpu);

	memset(events, 0, sizeof(*events));
	if (payload) {
		events->exception.injected = ev->exception.injected;
		events->exception.pending = ev->exception.pending;
		events->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	} else {
		/* Without the capability the two states look like one. */
		events->exception.injected = ev->exception.injected || ev->exception.pending;
	}
	events->exception.nr = ev->exception.vector;
	events->exception.has_error_code = ev->exception.has_error;
	events->exception.error_code = ev->exception.error;
	events->exception_has_payload = ev->exception.has_payload;
	events->exception_payload = ev->exception.payload;

	events->interrupt.injected = ev->interrupt.injected && !ev->interrupt.soft;
	events->interrupt.nr = ev->interrupt.vector;
	events->interrupt.shadow = vmmu_cpu->get_irq_shadow(vcpu);
	events->nmi.injected = ev->nmi_injected;
	events->nmi.pending = ev->nmi_pending;
	events->nmi.masked = vmmu_cpu->get_nmi_mask(vcpu);
	events->flags |= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	if (vcpu->vm->triple_fault_event) {
		events->triple_fault.pending = test_bit(VMMU_REQ_TRIPLE_FAULT, &vcpu->requests);
		events->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	}
}

static int check_events(struct vmmu_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	bool payload = e->flags & KVM_VCPUEVENT_VALID_PAYLOAD;

	if (e->flags & ~EVENT_FLAGS)
		return -EINVAL;
	if (payload && (!vcpu->vm->exception_payload ||
			(e->exception.pending && e->exception.injected)))
		return -EINVAL;
	if ((e->exception.injected || (payload && e->exception.pending)) &&
	    (e->exception.nr > 31 || e->exception.nr == X86_TRAP_NMI))
		return -EINVAL;
	if ((e->flags & KVM_VCPUEVENT_VALID_SMM) && (e->smi.smm || e->smi.pending))
		return -EINVAL;
	if ((e->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) && !vcpu->vm->triple_fault_event)
		return -EINVAL;
	return 0;
}

static void set_exception_state(struct vmmu_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	struct vmmu_event *ev = &vcpu->event;
	bool payload = e->flags & KVM_VCPUEVENT_VALID_PAYLOAD;

	ev->exception.injected = e->exception.injected;
	ev->exception.pending = payload && e->exception.pending;
	ev->exception.vector = e->exception.nr;
	ev->exception.has_error = e->exception.has_error_code;
	ev->exception.error = e->exception.error_code;
	ev->exception.has_payload = payload && e->exception_has_payload;
	ev->exception.payload = payload ? e->exception_payload : 0;
}

int vmmu_set_events(struct vmmu_vcpu *vcpu, const struct kvm_vcpu_events *e)
{
	struct vmmu_event *ev = &vcpu->event;
	int r = check_events(vcpu, e);

	if (r)
		return r;
	set_exception_state(vcpu, e);
	ev->interrupt.injected = e->interrupt.injected;
	ev->interrupt.vector = e->interrupt.nr;
	ev->interrupt.soft = e->interrupt.soft;
	if (e->flags & KVM_VCPUEVENT_VALID_SHADOW)
		vmmu_cpu->set_irq_shadow(vcpu, e->interrupt.shadow);
	ev->nmi_injected = e->nmi.injected;
	if (e->flags & KVM_VCPUEVENT_VALID_NMI_PENDING) {
		ev->nmi_pending = min_t(u8, e->nmi.pending, 2);
		atomic_set(&ev->nmi_queued, 0);
	}
	vmmu_cpu->set_nmi_mask(vcpu, e->nmi.masked);
	if (e->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT) {
		if (e->triple_fault.pending)
			vmmu_request(vcpu, VMMU_REQ_TRIPLE_FAULT);
		else
			vmmu_test_clear_request(vcpu, VMMU_REQ_TRIPLE_FAULT);
	}
	if ((e->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR) && vcpu->apic)
		vmmu_lapic_set_sipi_vector(vcpu, e->sipi_vector);
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	return 0;
}

/* ---- debug registers ---- */

void vmmu_get_debugregs(struct vmmu_vcpu *vcpu, struct kvm_debugregs *dbg)
{
	memset(dbg, 0, sizeof(*dbg));
	vmmu_cpu->sync_dr(vcpu);
	memcpy(dbg->db, vcpu->dbg.dr, sizeof(dbg->db));
	dbg->dr6 = vcpu->dbg.dr6;
	dbg->dr7 = vcpu->dbg.dr7;
}

int vmmu_set_debugregs(struct vmmu_vcpu *vcpu, const struct kvm_debugregs *dbg)
{
	if (dbg->flags || dbg->dr6 >> 32 || dbg->dr7 >> 32)
		return -EINVAL;
	vmmu_cpu->sync_dr(vcpu);
	memcpy(vcpu->dbg.dr, dbg->db, sizeof(vcpu->dbg.dr));
	if (!(vcpu->dbg.guest_debug & KVM_GUESTDBG_USE_HW_BP))
		memcpy(vcpu->dbg.eff_dr, dbg->db, sizeof(vcpu->dbg.eff_dr));
	vcpu->dbg.dr6 = dbg->dr6;
	vcpu->dbg.dr7 = dbg->dr7;
	vmmu_cpu->set_dr7(vcpu);
	return 0;
}

/* ---- MP state ---- */

int vmmu_get_mp_state(struct vmmu_vcpu *vcpu, struct kvm_mp_state *mp)
{
	int r = 0;

	/* What arrived but was not acted on yet belongs to the state. */
	if (vcpu->apic && vmmu_lapic_has_init_sipi(vcpu))
		r = vmmu_lapic_accept_init_sipi(vcpu);
	if (r < 0)
		return r;
	mp->mp_state = vcpu->mp_state;
	return 0;
}

int vmmu_set_mp_state(struct vmmu_vcpu *vcpu, const struct kvm_mp_state *mp)
{
	switch (mp->mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_INIT_RECEIVED:
		if (!vcpu->apic)
			return -EINVAL;
		break;
	case KVM_MP_STATE_SIPI_RECEIVED:
		if (!vcpu->apic)
			return -EINVAL;
		vmmu_lapic_pend_sipi(vcpu);
		WRITE_ONCE(vcpu->mp_state, KVM_MP_STATE_INIT_RECEIVED);
		return 0;
	default:
		return -EINVAL;
	}
	WRITE_ONCE(vcpu->mp_state, mp->mp_state);
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	return 0;
}

/* ---- which kind of code runs ---- */

/*
 * vmmu_code_bytes() - default size of code at rip: 2, 4 or 8
 */
int vmmu_code_bytes(struct vmmu_vcpu *vcpu)
{
	struct vmmu_fetch_state f;

	vmmu_cpu->fetch_state(vcpu, &f);
	if (f.mode == 8)
		return 8;
	if (!(f.cr0 & X86_CR0_PE) || (vmmu_get_rflags(vcpu) & X86_EFLAGS_VM))
		return 2;
	return f.mode;
}

u64 vmmu_linear_rip(struct vmmu_vcpu *vcpu)
{
	struct vmmu_fetch_state f;

	vmmu_cpu->fetch_state(vcpu, &f);
	return vmmu_fetch_linear(&f, vcpu->rip);
}
