// SPDX-License-Identifier: GPL-2.0-only
/*
 * Integer instructions beyond the eight ALU operations: shifts, products,
 * quotients, bit strings, exchanges.
 *
 * Handlers of the executor: they work on the scratch state and return enum
 * em_result or an errno. Memory operands are read with the intent to write where
 * the instruction writes them.
 */
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>
#include <linux/swab.h>
#include <asm/cpufeatures.h>
#include "emulator.h"

static u8 shift_count(const struct vmmu_emul *em)
{
	u8 op = em->insn.opcode;

	if (op < 0xd0)
		return em->insn.imm;
	return op < 0xd2 ? 1 : em->regs[VMMU_RCX];
}

/* ROL ROR RCL RCR SHL SHR SAL SAR. */
int em_shift(struct vmmu_emul *em)
{
	unsigned int bytes = em_bytes(em);
	u64 val;
	int r = em_rm_read(em, bytes, true, &val);

	if (r)
		return r;
	val = alu_shift(em->insn.reg & 7, val, shift_count(em), bytes, &em->rflags);
	return em_rm_write(em, bytes, val);
}

int em_shift_double(struct vmmu_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	u8 count = em->insn.opcode & 1 ? em->regs[VMMU_RCX] : em->insn.imm;
	u64 val;
	int r = em_rm_read(em, bytes, true, &val);

	if (r)
		return r;
	val = alu_shift_double(em->insn.opcode >= 0xa8, val, em_reg(em, em->insn.reg, bytes),
			       count, bytes, &em->rflags);
	return em_rm_write(em, bytes, val);
}

/* Both halves of a product or dividend: AX for bytes, else rDX:rAX. */
static void set_halves(struct vmmu_emul *em, unsigned int bytes, u64 lo, u64 hi)
{
	if (bytes == 1) {
		em_set_reg(em, VMMU_RAX, 2, (hi & 0xff) << 8 | (lo & 0xff));
		return;
	}
	em_set_reg(em, VMMU_RAX, bytes, lo);
	em_set_reg(em, VMMU_RDX, bytes, hi);
}

static u64 high_half(const struct vmmu_emul *em, unsigned int bytes)
{
	return bytes == 1 ? (em->regs[VMMU_RAX] >> 8) & 0xff : em_reg(em, VMMU_RDX, bytes);
}

static int multiply(struct vmmu_emul *em, bool is_signed, u64 val)
{
	unsigned int bytes = em_bytes(em);
	u64 lo, hi;

	alu_mul(is_signed, em->regs[VMMU_RAX], val, bytes, &lo, &hi, &em->rflags);
	set_halves(em, bytes, lo, hi);
	return EM_OK;
}

static int divide(struct vmmu_emul *em, bool is_signed, u64 val)
{
	unsigned int bytes = em_bytes(em);
	u64 quotient, remainder;

	if (!alu_div(is_signed, high_half(em, bytes), em->regs[VMMU_RAX], val, bytes,
		     &quotient, &remainder))
		return em_fault(em, VECTOR_DE, false, 0);
	set_halves(em, bytes, quotient, remainder);
	return EM_OK;
}

/* TEST TEST NOT NEG MUL IMUL DIV IDIV. */
int em_grp3(struct vmmu_emul *em)
{
	unsigned int which = em->insn.reg & 7, bytes = em_bytes(em);
	u64 val;
	int r = em_rm_read(em, bytes, which == 2 || which == 3, &val);

	if (r)
		return r;
	switch (which) {
	case 0:
	case 1:
		alu_binary(ALU_AND, val, em->insn.imm, bytes, &em->rflags);
		return EM_OK;
	case 2:
		return em_rm_write(em, bytes, ~val & em_mask(bytes));
	case 3:
		return em_rm_write(em, bytes, alu_neg(val, bytes, &em->rflags));
	case 4:
	case 5:
		return multiply(em, which == 5, val);
	default:
		return divide(em, which == 7, val);
	}
}

static int imul(struct vmmu_emul *em, u64 a, u64 b)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 lo, hi;

	alu_mul(true, a, b, bytes, &lo, &hi, &em->rflags);
	em_set_reg(em, em->insn.reg, bytes, lo);
	return EM_OK;
}

int em_imul(struct vmmu_emul *em)
{
	u64 val;
	int r = em_rm_read(em, em->insn.op_bytes, false, &val);

	return r ?: imul(em, em->regs[em->insn.reg], val);
}

int em_imul_imm(struct vmmu_emul *em)
{
	u64 val;
	int r = em_rm_read(em, em->insn.op_bytes, false, &val);

	return r ?: imul(em, val, em->insn.imm);
}

enum bit_op { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static int bit_op(struct vmmu_emul *em, enum bit_op op, unsigned int bit)
{
	unsigned int bytes = em->insn.op_bytes;
	u64 mask, val;
	int r = em_rm_read(em, bytes, op != BIT_TEST, &val);

	if (r)
		return r;
	mask = BIT_ULL(bit & (bytes * 8 - 1));
	em->rflags &= ~(u64)X86_EFLAGS_CF;
	if (val & mask)
		em->rflags |= X86_EFLAGS_CF;
	switch (op) {
	case BIT_TEST:
		return EM_OK;
	case BIT_SET:
		return em_rm_write(em, bytes, val | mask);
	case BIT_RESET:
		return em_rm_write(em, bytes, val & ~mask);
	default:
		return em_rm_write(em, bytes, val ^ mask);
	}
}

/* BT, BTS, BTR, BTC by register: the bit string in memory reaches both ways from its address. */
int em_bt(struct vmmu_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	s64 bit = em_sign_extend(em->regs[em->insn.reg], bytes);

	if (em->insn.mem)
		em->ea_offset = (bit >> ilog2(bytes * 8)) * bytes;
	return bit_op(em, (em->insn.opcode >> 3) & 3, bit & 63);
}

int em_bt_imm(struct vmmu_emul *em)
{
	if ((em->insn.reg & 7) < 4)
		return em_ud(em);
	return bit_op(em, em->insn.reg & 3, em->insn.imm & 63);
}

/* TZCNT and LZCNT: CF says that the source was 0, ZF that the result is. */
static int count_zeros(struct vmmu_emul *em, u64 val, bool leading)
{
	unsigned int bytes = em->insn.op_bytes, bits = bytes * 8;
	u64 n;

	if (!val)
		n = bits;
	else
		n = leading ? bits - fls64(val) : __ffs64(val);
	em->rflags &= ~(u64)(X86_EFLAGS_CF | X86_EFLAGS_ZF);
	if (!val)
		em->rflags |= X86_EFLAGS_CF;
	if (!n)
		em->rflags |= X86_EFLAGS_ZF;
	em_set_reg(em, em->insn.reg, bytes, n);
	return EM_OK;
}

int em_bitscan(struct vmmu_emul *em)
{
	unsigned int bytes = em->insn.op_bytes;
	bool reverse = em->insn.opcode & 1;
	u64 val;
	int r = em_rm_read(em, bytes, false, &val);

	if (r)
		return r;
	if ((em->insn.prefixes & VMMU_PREFIX_REP) &&
	    vmmu_guest_has(em->vcpu, reverse ? X86_FEATURE_ABM : X86_FEATURE_BMI1))
		return count_zeros(em, val, reverse);
	if (!val) {
		em->rflags |= X86_EFLAGS_ZF;
		return EM_OK;
	}
	em->rflags &= ~(u64)X86_EFLAGS_ZF;
	em_set_reg(em, em->insn.reg, bytes, reverse ? fls64(val) - 1 : __ffs64(val));
	return EM_OK;
}

int em_bswap(struct vmmu_emul *em)
{
	unsigned int reg = (em->insn.opcode & 7) | (em->insn.rex & 1 ? 8 : 0);

	switch (em->insn.op_bytes) {
	case 8:
		em->regs[reg] = swab64(em->regs[reg]);
		return EM_OK;
	case 4:
		em_set_reg(em, reg, 4, swab32(em->regs[reg]));
		return EM_OK;
	default:
		/* Undefined; processors clear it. */
		em_set_reg(em, reg, 2, 0);
		return EM_OK;
	}
}

int em_xchg(struct vmmu_emul *em)
{
	unsigned int bytes = em_bytes(em);
	u64 val;
	int r;

	r = em_rm_read(em, bytes, true, &val) ?:
	    em_rm_write(em, bytes, em_reg_op(em, em->insn.reg, bytes));
	if (!r)
		em_set_reg_op(em, em->insn.reg, bytes, val);
	return r;
}

int em_xadd(struct vmmu_emul *em)
{
	unsigned int bytes = em_bytes(em);
	u64 val, sum;
	int r = em_rm_read(em, bytes, true, &val);

	if (r)
		return r;
	sum = alu_binary(ALU_ADD, val, em_reg_op(em, em->insn.reg, bytes), bytes, &em->rflags);
	em_set_reg_op(em, em->insn.reg, bytes, val);
	return em_rm_write(em, bytes, sum);
}

/* The destination is written in any case, as the processor does. */
int em_cmpxchg_insn(struct vmmu_emul *em)
{
	unsigned int bytes = em_bytes(em);
	u64 val;
	int r = em_rm_read(em, bytes, true, &val);

	if (r)
		return r;
	alu_binary(ALU_CMP, em->regs[VMMU_RAX], val, bytes, &em->rflags);
	if (em->rflags & X86_EFLAGS_ZF)
		return em_rm_write(em, bytes, em_reg_op(em, em->insn.reg, bytes));
	if (em->insn.mem) {
		r = em_rm_write(em, bytes, val);
		if (r)
			return r;
	}
	em_set_reg(em, VMMU_RAX, bytes, val);
	return EM_OK;
}

static void set_zero_flag(struct vmmu_emul *em, bool on)
{
	em->rflags &= ~(u64)X86_EFLAGS_ZF;
	if (on)
		em->rflags |= X86_EFLAGS_ZF;
}

static u64 pair32(const struct vmmu_emul *em, unsigned int high, unsigned int low)
{
	return em->regs[high] << 32 | (u32)em->regs[low];
}

static int cmpxchg8b(struct vmmu_emul *em)
{
	u64 val;
	bool equal;
	int r = em_rm_read(em, 8, true, &val);

	if (r)
		return r;
	equal = val == pair32(em, VMMU_RDX, VMMU_RAX);
	r = em_rm_write(em, 8, equal ? pair32(em, VMMU_RCX, VMMU_RBX) : val);
	if (r)
		return r;
	set_zero_flag(em, equal);
	if (!equal) {
		em_set_reg(em, VMMU_RAX, 4, val);
		em_set_reg(em, VMMU_RDX, 4, val >> 32);
	}
	return EM_OK;
}

/* Two halves: it would not be atomic on RAM. */
static int cmpxchg16b(struct vmmu_emul *em)
{
	u64 val[2], new[2], linear;
	bool equal;
	int r = em_mem(em, 16, true, &linear);

	if (r)
		return r;
	if (linear & 15)
		return em_gp(em);
	r = em_not_for_us(em, linear);
	if (r)
		return r;
	em->rmw = true;
	r = em_read(em, linear, val, 16, VMMU_PFERR_WRITE);
	if (r)
		return r;
	equal = val[0] == em->regs[VMMU_RAX] && val[1] == em->regs[VMMU_RDX];
	memcpy(new, val, sizeof(new));
	if (equal) {
		new[0] = em->regs[VMMU_RBX];
		new[1] = em->regs[VMMU_RCX];
	}
	r = em_write(em, linear, new, 16);
	if (r)
		return r;
	set_zero_flag(em, equal);
	if (!equal) {
		em->regs[VMMU_RAX] = val[0];
		em->regs[VMMU_RDX] = val[1];
	}
	return EM_OK;
}

/* 0F C7: CMPXCHG8B and CMPXCHG16B; the rest of the group is not for here. */
int em_grp9(struct vmmu_emul *em)
{
	if (!em->insn.mem || (em->insn.reg & 7) != 1)
		return EM_UNHANDLED;
	if (em->insn.op_bytes != 8)
		return cmpxchg8b(em);
	return vmmu_guest_has(em->vcpu, X86_FEATURE_CX16) ? cmpxchg16b(em) : em_ud(em);
}
