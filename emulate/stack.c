// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stack and near control transfers: PUSH, POP, CALL, RET, JMP, Jcc, LOOP.
 *
 * Far transfers load descriptors and are not emulated. Handlers of the executor:
 * they work on the scratch state and return enum em_result or an errno.
 */
#include <linux/kernel.h>
#include <asm/page.h>
#include "emulator.h"

static unsigned int stack_bytes(struct vmmu_emul *em)
{
	if (em->code_bytes == 8)
		return 8;
	return em_seg(em, VMMU_SEG_SS)->db ? 4 : 2;
}

int em_push(struct vmmu_emul *em, u64 val, unsigned int bytes)
{
	unsigned int sb = stack_bytes(em);
	u64 sp = (em->regs[VMMU_RSP] - bytes) & em_mask(sb);
	u64 linear;
	int r;

	r = em_linear(em, VMMU_SEG_SS, sp, bytes, true, &linear) ?:
	    em_write(em, linear, &val, bytes);
	if (!r)
		em_set_reg(em, VMMU_RSP, sb, sp);
	return r;
}

int em_pop(struct vmmu_emul *em, u64 *val, unsigned int bytes)
{
	unsigned int sb = stack_bytes(em);
	u64 linear;
	int r;

	*val = 0;
	r = em_linear(em, VMMU_SEG_SS, em_reg(em, VMMU_RSP, sb), bytes, false, &linear) ?:
	    em_read(em, linear, val, bytes, 0);
	if (!r)
		em_add_reg(em, VMMU_RSP, sb, bytes);
	return r;
}

/* Near: the target must be canonical, or within the code segment. */
int em_branch(struct vmmu_emul *em, u64 target)
{
	target &= em_mask(em->insn.op_bytes);
	if (em->code_bytes == 8) {
		if (!__is_canonical_address(target, 48) &&
		    (!(vmmu_cpu->get_cr4(em->vcpu) & X86_CR4_LA57) ||
		     !__is_canonical_address(target, 57)))
			return em_gp(em);
	} else if (target > em_seg(em, VMMU_SEG_CS)->limit) {
		return em_gp(em);
	}
	em->rip = target;
	return EM_OK;
}

int em_push_reg(struct vmmu_emul *em)
{
	unsigned int reg = (em->insn.opcode & 7) | (em->insn.rex & 1 ? 8 : 0);

	return em_push(em, em->regs[reg], em->insn.op_bytes);
}

int em_pop_reg(struct vmmu_emul *em)
{
	unsigned int reg = (em->insn.opcode & 7) | (em->insn.rex & 1 ? 8 : 0);
	u64 val;
	int r = em_pop(em, &val, em->insn.op_bytes);

	if (!r)
		em_set_reg(em, reg, em->insn.op_bytes, val);
	return r;
}

int em_push_imm(struct vmmu_emul *em)
{
	return em_push(em, em->insn.imm, em->insn.op_bytes);
}

/* The address of the destination is computed with rsp as it is after the pop. */
int em_pop_rm(struct vmmu_emul *em)
{
	u64 val;
	int r;

	if (em->insn.reg & 7)
		return em_ud(em);
	r = em_pop(em, &val, em->insn.op_bytes);
	return r ?: em_rm_write(em, em->insn.op_bytes, val);
}

int em_ret(struct vmmu_emul *em)
{
	u64 target;
	int r;

	r = em_pop(em, &target, em->insn.op_bytes) ?: em_branch(em, target);
	if (!r && em->insn.opcode == 0xc2)
		em_add_reg(em, VMMU_RSP, stack_bytes(em), (u16)em->insn.imm);
	return r;
}

static int call_near(struct vmmu_emul *em, u64 target)
{
	u64 ret = em->rip;

	return em_branch(em, target) ?: em_push(em, ret, em->insn.op_bytes);
}

int em_call(struct vmmu_emul *em)
{
	return call_near(em, em->rip + em->insn.imm);
}

int em_jmp(struct vmmu_emul *em)
{
	return em_branch(em, em->rip + em->insn.imm);
}

int em_jcc(struct vmmu_emul *em)
{
	if (!alu_condition(em->insn.opcode, em->rflags))
		return EM_OK;
	return em_branch(em, em->rip + em->insn.imm);
}

/* LOOPNE, LOOPE, LOOP, JrCXZ. */
int em_loop(struct vmmu_emul *em)
{
	unsigned int asz = em->insn.addr_bytes;
	bool zero = em->rflags & X86_EFLAGS_ZF;
	bool taken;

	if (em->insn.opcode == 0xe3) {
		taken = !em_reg(em, VMMU_RCX, asz);
	} else {
		em_add_reg(em, VMMU_RCX, asz, -1);
		taken = em_reg(em, VMMU_RCX, asz);
		if (em->insn.opcode != 0xe2)
			taken = taken && zero == (em->insn.opcode & 1);
	}
	return taken ? em_branch(em, em->rip + em->insn.imm) : EM_OK;
}

static int inc_dec(struct vmmu_emul *em, bool dec)
{
	unsigned int bytes = em_bytes(em);
	u64 val;
	int r = em_rm_read(em, bytes, true, &val);

	if (r)
		return r;
	val = dec ? alu_dec(val, bytes, &em->rflags) : alu_inc(val, bytes, &em->rflags);
	return em_rm_write(em, bytes, val);
}

/* FE and FF: INC, DEC, CALL, far CALL, JMP, far JMP, PUSH. */
int em_grp5(struct vmmu_emul *em)
{
	unsigned int which = em->insn.reg & 7;
	u64 val;
	int r;

	if (which < 2)
		return inc_dec(em, which);
	if (em->insn.attr & OP_BYTE)
		return em_ud(em);
	if (which == 3 || which == 5)
		return EM_UNHANDLED;
	if (which == 7)
		return em_ud(em);
	/* Branches and PUSH have 64-bit operands without being asked. */
	if (em->code_bytes == 8 && em->insn.op_bytes == 4)
		em->insn.op_bytes = 8;
	em->insn.attr |= OP_TWO_MEM;
	r = em_rm_read(em, em->insn.op_bytes, false, &val);
	if (r)
		return r;
	if (which == 6)
		return em_push(em, val, em->insn.op_bytes);
	return which == 2 ? call_near(em, val) : em_branch(em, val);
}
