// SPDX-License-Identifier: GPL-2.0-only
/*
 * System instructions that intercepts may send here: MOV CR and DR, CLTS, LMSW,
 * SMSW, INVLPG, descriptor-table registers, and the flag instructions.
 *
 * vcpu/cr.c checks values and acts at once, so these are the last thing that an
 * instruction does. Handlers of the executor: enum em_result or an errno.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <asm/debugreg.h>
#include <asm/page.h>
#include "emulator.h"
#include "vmmu/request.h"

#define DR6_BD_BIT	BIT(13)
#define DR7_GD_BIT	BIT(13)

/* The vcpu room's answers: not 0 means #GP. */
static int checked(struct vmmu_emul *em, int refused)
{
	return refused ? em_gp(em) : EM_OK;
}

static int privileged(struct vmmu_emul *em)
{
	return em->cpl ? em_gp(em) : EM_OK;
}

static int read_cr(struct vmmu_emul *em, unsigned int cr, u64 *val)
{
	struct vmmu_vcpu *vcpu = em->vcpu;

	switch (cr) {
	case 0:
		*val = vmmu_cpu->get_cr0(vcpu);
		return EM_OK;
	case 2:
		*val = vcpu->cr2;
		return EM_OK;
	case 3:
		*val = vmmu_cpu->get_cr3(vcpu);
		return EM_OK;
	case 4:
		*val = vmmu_cpu->get_cr4(vcpu);
		return EM_OK;
	case 8:
		*val = vmmu_get_cr8(vcpu);
		return EM_OK;
	default:
		return em_ud(em);
	}
}

static int write_cr(struct vmmu_emul *em, unsigned int cr, u64 val)
{
	struct vmmu_vcpu *vcpu = em->vcpu;

	switch (cr) {
	case 0:
		return checked(em, vmmu_set_cr0(vcpu, val));
	case 2:
		vcpu->cr2 = val;
		return EM_OK;
	case 3:
		return checked(em, vmmu_set_cr3(vcpu, val));
	case 4:
		return checked(em, vmmu_set_cr4(vcpu, val));
	case 8:
		return checked(em, vmmu_set_cr8(vcpu, val));
	default:
		return em_ud(em);
	}
}

static unsigned int cr_bytes(const struct vmmu_emul *em)
{
	return em->code_bytes == 8 ? 8 : 4;
}

int em_mov_cr(struct vmmu_emul *em)
{
	unsigned int bytes = cr_bytes(em);
	u64 val;
	int r;

	r = privileged(em);
	if (r)
		return r;
	if (em->insn.opcode == 0x22)
		return write_cr(em, em->insn.reg, em_reg(em, em->insn.rm, bytes));
	r = read_cr(em, em->insn.reg, &val);
	if (!r)
		em_set_reg(em, em->insn.rm, bytes, val);
	return r;
}

int em_mov_dr(struct vmmu_emul *em)
{
	struct vmmu_vcpu *vcpu = em->vcpu;
	unsigned int dr = em->insn.reg, bytes = cr_bytes(em);
	u64 val, dr7;

	if (dr > 7)
		return em_ud(em);
	if (dr == 4 || dr == 5) {
		if (vmmu_cpu->get_cr4(vcpu) & X86_CR4_DE)
			return em_ud(em);
		dr += 2;
	}
	if (em->cpl)
		return em_gp(em);
	if (!vmmu_get_dr(vcpu, 7, &dr7) && (dr7 & DR7_GD_BIT)) {
		vmmu_set_dr(vcpu, 7, dr7 & ~(u64)DR7_GD_BIT);
		vmmu_queue_exception_payload(vcpu, VECTOR_DB, DR6_BD_BIT);
		return EM_QUEUED;
	}
	if (em->insn.opcode == 0x23)
		return checked(em, vmmu_set_dr(vcpu, dr, em_reg(em, em->insn.rm, bytes)));
	if (vmmu_get_dr(vcpu, dr, &val))
		return em_gp(em);
	em_set_reg(em, em->insn.rm, bytes, val);
	return EM_OK;
}

int em_clts(struct vmmu_emul *em)
{
	int r = privileged(em);

	if (r)
		return r;
	return checked(em, vmmu_set_cr0(em->vcpu,
					vmmu_cpu->get_cr0(em->vcpu) & ~(u64)X86_CR0_TS));
}

/* LMSW writes PE, MP, EM and TS, but cannot clear PE. */
static int lmsw(struct vmmu_emul *em)
{
	u64 cr0, val;
	int r;

	r = privileged(em) ?: em_rm_read(em, 2, false, &val);
	if (r)
		return r;
	cr0 = vmmu_cpu->get_cr0(em->vcpu);
	cr0 = (cr0 & ~0xeULL) | (val & 0xf);
	return checked(em, vmmu_set_cr0(em->vcpu, cr0));
}

static int umip(struct vmmu_emul *em)
{
	if (em->cpl && (vmmu_cpu->get_cr4(em->vcpu) & X86_CR4_UMIP))
		return em_gp(em);
	return EM_OK;
}

static int smsw(struct vmmu_emul *em)
{
	int r = umip(em);

	if (r)
		return r;
	return em_rm_write(em, em->insn.mem ? 2 : em->insn.op_bytes,
			   vmmu_cpu->get_cr0(em->vcpu));
}

static int store_table(struct vmmu_emul *em, bool idt)
{
	unsigned int bytes = em->code_bytes == 8 ? 10 : 6;
	struct kvm_dtable dt;
	u64 linear;
	u8 buf[10];
	int r;

	r = umip(em) ?: em_mem(em, bytes, true, &linear);
	if (r)
		return r;
	if (idt)
		vmmu_cpu->get_idt(em->vcpu, &dt);
	else
		vmmu_cpu->get_gdt(em->vcpu, &dt);
	put_unaligned_le16(dt.limit, buf);
	put_unaligned_le64(dt.base, buf + 2);
	return em_write(em, linear, buf, bytes);
}

static int load_table(struct vmmu_emul *em, bool idt)
{
	unsigned int bytes = em->code_bytes == 8 ? 10 : 6;
	struct kvm_dtable dt = {};
	u8 buf[10] = {};
	u64 linear;
	int r;

	r = privileged(em) ?: em_mem(em, bytes, false, &linear) ?:
	    em_read(em, linear, buf, bytes, 0);
	if (r)
		return r;
	dt.limit = get_unaligned_le16(buf);
	dt.base = get_unaligned_le64(buf + 2);
	if (em->code_bytes == 8) {
		if (!__is_canonical_address(dt.base, 57) ||
		    (!(vmmu_cpu->get_cr4(em->vcpu) & X86_CR4_LA57) &&
		     !__is_canonical_address(dt.base, 48)))
			return em_gp(em);
	} else if (em->insn.op_bytes == 2) {
		dt.base &= 0xffffff;
	}
	if (idt)
		vmmu_cpu->set_idt(em->vcpu, &dt);
	else
		vmmu_cpu->set_gdt(em->vcpu, &dt);
	return EM_OK;
}

/* No limit is checked; of an address that is not canonical nothing is cached. */
static int invlpg(struct vmmu_emul *em)
{
	u64 linear = vmmu_insn_linear(em->vcpu, &em->insn);
	int r = privileged(em);

	if (r)
		return r;
	if (em_canonical(em, linear))
		vmmu_mmu_invlpg(em->vcpu, linear);
	vmmu_request(em->vcpu, VMMU_REQ_TLB_FLUSH);
	return EM_OK;
}

/* 0F 01: the memory forms, and SMSW and LMSW of registers. */
int em_grp7(struct vmmu_emul *em)
{
	unsigned int which = em->insn.reg & 7;

	if (which == 4)
		return smsw(em);
	if (which == 6)
		return lmsw(em);
	if (!em->insn.mem)
		return EM_UNHANDLED;
	switch (which) {
	case 0:
	case 1:
		return store_table(em, which == 1);
	case 2:
	case 3:
		return load_table(em, which == 3);
	case 7:
		return invlpg(em);
	default:
		return EM_UNHANDLED;
	}
}

static int set_interrupt_flag(struct vmmu_emul *em, bool on)
{
	unsigned int iopl = (em->rflags & X86_EFLAGS_IOPL) >> X86_EFLAGS_IOPL_BIT;
	bool pe = vmmu_cpu->get_cr0(em->vcpu) & X86_CR0_PE;

	if (pe && (!em->protected || em->cpl > iopl)) {
		if (!em->protected && iopl == 3)
			goto allowed;
		/* Virtual interrupts would change VIF instead. */
		if (vmmu_cpu->get_cr4(em->vcpu) & (X86_CR4_VME | X86_CR4_PVI))
			return EM_UNHANDLED;
		return em_gp(em);
	}
allowed:
	if (on && !(em->rflags & X86_EFLAGS_IF))
		em->new_shadow = KVM_X86_SHADOW_INT_STI;
	if (on)
		em->rflags |= X86_EFLAGS_IF;
	else
		em->rflags &= ~(u64)X86_EFLAGS_IF;
	return EM_OK;
}

/* CMC, CLC, STC, CLI, STI, CLD, STD. */
int em_flag(struct vmmu_emul *em)
{
	switch (em->insn.opcode) {
	case 0xf5:
		em->rflags ^= X86_EFLAGS_CF;
		return EM_OK;
	case 0xf8:
		em->rflags &= ~(u64)X86_EFLAGS_CF;
		return EM_OK;
	case 0xf9:
		em->rflags |= X86_EFLAGS_CF;
		return EM_OK;
	case 0xfa:
	case 0xfb:
		return set_interrupt_flag(em, em->insn.opcode & 1);
	case 0xfc:
		em->rflags &= ~(u64)X86_EFLAGS_DF;
		return EM_OK;
	default:
		em->rflags |= X86_EFLAGS_DF;
		return EM_OK;
	}
}

/* MOV r/m, Sreg: two bytes to memory, a zero-extended selector to a register. */
int em_mov_from_seg(struct vmmu_emul *em)
{
	unsigned int seg = em->insn.reg & 7;

	if (seg > VMMU_SEG_GS)
		return em_ud(em);
	return em_rm_write(em, em->insn.mem ? 2 : em->insn.op_bytes, em_seg(em, seg)->selector);
}
