// SPDX-License-Identifier: GPL-2.0-only
/*
 * The executor: opcode to handler, and the handlers that only move or combine
 * values.
 *
 * A handler changes the scratch state alone and says how it ended (enum
 * em_result, or an errno). It may run several times for one instruction: I/O
 * that was done is answered from the log.
 */
#include <linux/kernel.h>
#include <linux/swab.h>
#include "emulator.h"

/* 00-3B: op = bits 5:3, direction = bit 1. */
static int em_alu(struct vmmu_emul *em)
{
	enum alu_op op = (em->insn.opcode >> 3) & 7;
	unsigned int bytes = em_bytes(em);
	bool to_reg = em->insn.opcode & 2;
	u64 rm, reg = em_reg_op(em, em->insn.reg, bytes);
	int r = em_rm_read(em, bytes, !to_reg && op != ALU_CMP, &rm);

	if (r)
		return r;
	if (to_reg) {
		reg = alu_binary(op, reg, rm, bytes, &em->rflags);
		if (op != ALU_CMP)
			em_set_reg_op(em, em->insn.reg, bytes, reg);
		return EM_OK;
	}
	rm = alu_binary(op, rm, reg, bytes, &em->rflags);
	return op == ALU_CMP ? EM_OK : em_rm_write(em, bytes, rm);
}

static int em_alu_acc(struct vmmu_emul *em)
{
	enum alu_op op = (em->insn.opcode >> 3) & 7;
	unsigned int bytes = em_bytes(em);
	u64 val = alu_binary(op, em->regs[VMMU_RAX], em->insn.imm, bytes, &em->rflags);

	if (op != ALU_CMP)
		em_set_reg(em, VMMU_RAX, bytes, val);
	return EM_OK;
}

static int em_alu_imm(struct vmmu_emul *em)
{
	enum alu_op op = em->insn.reg & 7;
	unsigned int bytes = em_bytes(em);
	u64 val;
	int r = em_rm_read(em, bytes, op != ALU_CMP, &val);

	if (r)
		return r;
	val = alu_binary(op, val, em->insn.imm, bytes, &em->rflags);
	return op == ALU_CMP ? EM_OK : em_rm_write(em, bytes, val);
}

static int em_incdec_reg(struct vmmu_emul *em)
{
	unsigned int reg = em->insn.opcode & 7, bytes = em->insn.op_bytes;
	u64 val = em_reg(em, reg, bytes);

	val = em->insn.opcode & 8 ? alu_dec(val, bytes, &em->rflags) :
				    alu_inc(val, bytes, &em->rflags);
	em_set_reg(em, reg, bytes, val);
	return EM_OK;
}

static int em_test(struct vmmu_emul *em)
{
	unsigned int bytes = em_bytes(em);
	u64 val;
	int r = em_rm_read(em, bytes, false, &val);

	if (!r)
		alu_binary(ALU_AND, val, em_reg_op(em, em->insn.reg, bytes), bytes,
			   &em->rflags);
	return r;
}

static int em_test_acc(struct vmmu_emul *em)
{
	alu_binary(ALU_AND, em->regs[VMMU_RAX], em->insn.imm, em_bytes(em), &em->rflags);
	return EM_OK;
}

/* 88-8B. */
static int em_mov(struct vmmu_emul *em)
{
	unsigned int bytes = em_bytes(em);
	u64 val;
	int r;

	if (!(em->insn.opcode & 2))
		return em_rm_write(em, bytes, em_reg_op(em, em->insn.reg, bytes));
	r = em_rm_read(em, bytes, false, &val);
	if (!r)
		em_set_reg_op(em, em->insn.reg, bytes, val);
	return r;
}

/* A0-A3: the decoder left the offset as a displacement without base. */
static int em_mov_moffs(struct vmmu_emul *em)
{
	unsigned int bytes = em_bytes(em);
	u64 val;
	int r;

	if (em->insn.opcode & 2)
		return em_rm_write(em, bytes, em_reg(em, VMMU_RAX, bytes));
	r = em_rm_read(em, bytes, false, &val);
	if (!r)
		em_set_reg(em, VMMU_RAX, bytes, val);
	return r;
}

static int em_mov_imm(struct vmmu_emul *em)
{
	if (em->insn.reg & 7)
		return EM_UNHANDLED;
	return em_rm_write(em, em_bytes(em), em->insn.imm);
}

static int em_mov_imm_reg(struct vmmu_emul *em)
{
	unsigned int reg = (em->insn.opcode & 7) | (em->insn.rex & 1 ? 8 : 0);

	em_set_reg_op(em, reg, em_bytes(em), em->insn.imm);
	return EM_OK;
}

/* MOVZX B6 B7, MOVSX BE BF. */
static int em_movx(struct vmmu_emul *em)
{
	unsigned int bytes = em->insn.opcode & 1 ? 2 : 1;
	u64 val;
	int r = em_rm_read(em, bytes, false, &val);

	if (r)
		return r;
	if (em->insn.opcode >= 0xbe)
		val = em_sign_extend(val, bytes);
	em_set_reg(em, em->insn.reg, em->insn.op_bytes, val);
	return EM_OK;
}

/* 63 outside 64-bit mode is ARPL. */
static int em_movsxd(struct vmmu_emul *em)
{
	unsigned int bytes = min_t(unsigned int, em->insn.op_bytes, 4);
	u64 val;
	int r;

	if (em->code_bytes != 8)
		return EM_UNHANDLED;
	r = em_rm_read(em, bytes, false, &val);
	if (!r)
		em_set_reg(em, em->insn.reg, em->insn.op_bytes, em_sign_extend(val, bytes));
	return r;
}

static u64 swap_bytes(u64 val, unsigned int bytes)
{
	return swab64(val) >> (64 - bytes * 8);
}

/* F0 loads, F1 stores; with F2 they are CRC32. */
static int em_movbe(struct vmmu_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 val;
	int r;

	if (em->insn.prefixes & (VMMU_PREFIX_REP | VMMU_PREFIX_REPNE))
		return EM_UNHANDLED;
	if (!em->insn.mem)
		return em_ud(em);
	if (em->insn.opcode & 1)
		return em_rm_write(em, bytes, swap_bytes(em_reg(em, em->insn.reg, bytes), bytes));
	r = em_rm_read(em, bytes, false, &val);
	if (!r)
		em_set_reg(em, em->insn.reg, bytes, swap_bytes(val, bytes));
	return r;
}

static int em_movnti(struct vmmu_emul *em)
{
	if (!em->insn.mem)
		return em_ud(em);
	return em_rm_write(em, em->insn.op_bytes, em_reg(em, em->insn.reg, em->insn.op_bytes));
}

static int em_lea(struct vmmu_emul *em)
{
	if (!em->insn.mem)
		return em_ud(em);
	em_set_reg(em, em->insn.reg, em->insn.op_bytes,
		   vmmu_insn_ea(&em->insn, em->regs, em->rip));
	return EM_OK;
}

/* 90 is NOP unless REX.B makes it r8. */
static int em_xchg_acc(struct vmmu_emul *em)
{
	unsigned int reg = (em->insn.opcode & 7) | (em->insn.rex & 1 ? 8 : 0);
	unsigned int bytes = em->insn.op_bytes;
	u64 val = em_reg(em, reg, bytes);

	if (!reg)
		return EM_OK;
	em_set_reg(em, reg, bytes, em_reg(em, VMMU_RAX, bytes));
	em_set_reg(em, VMMU_RAX, bytes, val);
	return EM_OK;
}

static int em_cbw(struct vmmu_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;

	em_set_reg(em, VMMU_RAX, bytes, em_sign_extend(em->regs[VMMU_RAX], bytes / 2));
	return EM_OK;
}

static int em_cwd(struct vmmu_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	s64 val = em_sign_extend(em->regs[VMMU_RAX], bytes);

	em_set_reg(em, VMMU_RDX, bytes, val < 0 ? ~0ULL : 0);
	return EM_OK;
}

/* The source is read, and may fault, whatever the condition says. */
static int em_cmov(struct vmmu_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 val;
	int r = em_rm_read(em, bytes, false, &val);

	if (r)
		return r;
	if (!alu_condition(em->insn.opcode, em->rflags))
		val = em_reg(em, em->insn.reg, bytes);
	em_set_reg(em, em->insn.reg, bytes, val);
	return EM_OK;
}

static int em_setcc(struct vmmu_emul *em)
{
	return em_rm_write(em, 1, alu_condition(em->insn.opcode, em->rflags));
}

static int em_nop(struct vmmu_emul *em)
{
	return EM_OK;
}

typedef int (*handler_fn)(struct vmmu_emul *em);

static const handler_fn handlers[VMMU_NR_OPS] = {
	[DO_ALU] = em_alu, [DO_ALU_ACC] = em_alu_acc, [DO_ALU_IMM] = em_alu_imm,
	[DO_INCDEC_REG] = em_incdec_reg, [DO_PUSH_REG] = em_push_reg, [DO_POP_REG] = em_pop_reg,
	[DO_MOVSXD] = em_movsxd, [DO_PUSH_IMM] = em_push_imm, [DO_IMUL_IMM] = em_imul_imm,
	[DO_INS] = em_string, [DO_OUTS] = em_string, [DO_JCC] = em_jcc, [DO_TEST] = em_test,
	[DO_XCHG] = em_xchg, [DO_MOV] = em_mov, [DO_MOV_FROM_SEG] = em_mov_from_seg,
	[DO_LEA] = em_lea, [DO_POP_RM] = em_pop_rm, [DO_XCHG_ACC] = em_xchg_acc,
	[DO_CBW] = em_cbw, [DO_CWD] = em_cwd, [DO_MOV_MOFFS] = em_mov_moffs,
	[DO_MOVS] = em_string, [DO_CMPS] = em_string, [DO_TEST_ACC] = em_test_acc,
	[DO_STOS] = em_string, [DO_LODS] = em_string, [DO_SCAS] = em_string,
	[DO_MOV_IMM_REG] = em_mov_imm_reg, [DO_SHIFT] = em_shift, [DO_RET] = em_ret,
	[DO_MOV_IMM] = em_mov_imm, [DO_LOOP] = em_loop, [DO_PORT] = em_port_insn,
	[DO_CALL] = em_call, [DO_JMP] = em_jmp, [DO_FLAG] = em_flag, [DO_GRP3] = em_grp3,
	[DO_GRP5] = em_grp5, [DO_GRP7] = em_grp7, [DO_CLTS] = em_clts,
	[DO_MOV_CR] = em_mov_cr, [DO_MOV_DR] = em_mov_dr, [DO_NOP] = em_nop,
	[DO_CMOV] = em_cmov, [DO_SETCC] = em_setcc, [DO_BT] = em_bt, [DO_BT_IMM] = em_bt_imm,
	[DO_SHIFT_DOUBLE] = em_shift_double, [DO_IMUL] = em_imul,
	[DO_CMPXCHG] = em_cmpxchg_insn, [DO_MOVX] = em_movx, [DO_BITSCAN] = em_bitscan,
	[DO_XADD] = em_xadd, [DO_MOVNTI] = em_movnti, [DO_GRP9] = em_grp9,
	[DO_BSWAP] = em_bswap, [DO_MOVBE] = em_movbe, [DO_SSE_MOV] = em_sse_mov,
	[DO_SSE_HALF] = em_sse_half, [DO_SSE_GPR] = em_sse_gpr,
};

/* What LOCK may stand before: read-modify-writes of memory; AMD APM vol. 3, 1.2.5. */
static bool lockable(const struct vmmu_insn *insn)
{
	unsigned int which = insn->reg & 7;

	if (!insn->mem)
		return false;
	switch (insn->attr_op) {
	case DO_ALU:
		return !(insn->opcode & 2) && insn->opcode < 0x38;
	case DO_ALU_IMM:
		return which != ALU_CMP;
	case DO_GRP3:
		return which == 2 || which == 3;
	case DO_GRP5:
		return which < 2;
	case DO_GRP9:
		return which == 1;
	case DO_BT:
		return insn->opcode != 0xa3;
	case DO_BT_IMM:
		return which > 4;
	case DO_XCHG:
	case DO_CMPXCHG:
	case DO_XADD:
		return true;
	default:
		return false;
	}
}

int em_execute(struct vmmu_emul *em)
{
	handler_fn fn = handlers[em->insn.attr_op];

	if (!fn)
		return EM_UNHANDLED;
	if ((em->insn.prefixes & VMMU_PREFIX_LOCK) && !lockable(&em->insn))
		return em_ud(em);
	return fn(em);
}
