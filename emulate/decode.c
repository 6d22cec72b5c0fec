// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder: bytes to struct vmmu_insn, by the tables of decode_table.c.
 *
 * Pure: it looks at the bytes and the mode alone. It says -ENODATA as soon as it
 * would need a byte that is not there, so the caller can fetch one page first
 * and touch the next page only if the instruction really goes there.
 *
 * AMD APM vol. 3, chapter 1. Where vendors differ (66 before a near branch in
 * 64-bit mode) it does as AMD: a 16-bit displacement.
 */
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include "emulator.h"

static int next_byte(struct vmmu_insn *insn, u8 *byte)
{
	if (insn->len >= VMMU_INSN_MAX)
		return -EINVAL;
	if (insn->len >= insn->nr_bytes)
		return -ENODATA;
	*byte = insn->bytes[insn->len++];
	return 0;
}

/* @bytes little-endian bytes, sign-extended. */
static int next_signed(struct vmmu_insn *insn, unsigned int bytes, u64 *val)
{
	const u8 *p = insn->bytes + insn->len;

	if (insn->len + bytes > VMMU_INSN_MAX)
		return -EINVAL;
	if (insn->len + bytes > insn->nr_bytes)
		return -ENODATA;
	switch (bytes) {
	case 1:
		*val = (s8)*p;
		break;
	case 2:
		*val = (s16)get_unaligned_le16(p);
		break;
	case 4:
		*val = (s32)get_unaligned_le32(p);
		break;
	default:
		*val = get_unaligned_le64(p);
		break;
	}
	insn->len += bytes;
	return 0;
}

/* In 64-bit mode only FS and GS override; the others are there and mean nothing. */
static void segment_prefix(struct vmmu_insn *insn, int seg)
{
	insn->prefixes |= VMMU_PREFIX_SEGMENT;
	if (insn->mode != 8 || seg >= VMMU_SEG_FS)
		insn->seg = seg;
}

static bool legacy_prefix(struct vmmu_insn *insn, u8 byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		segment_prefix(insn, (byte >> 3) & 3);
		return true;
	case 0x64:
	case 0x65:
		segment_prefix(insn, VMMU_SEG_FS + (byte & 1));
		return true;
	case 0x66:
		insn->prefixes |= VMMU_PREFIX_OPSIZE;
		return true;
	case 0x67:
		insn->prefixes |= VMMU_PREFIX_ADDRSIZE;
		return true;
	case 0xf0:
		insn->prefixes |= VMMU_PREFIX_LOCK;
		return true;
	case 0xf2:
	case 0xf3:
		/* The last one counts. */
		insn->prefixes &= ~(VMMU_PREFIX_REP | VMMU_PREFIX_REPNE);
		insn->prefixes |= byte == 0xf2 ? VMMU_PREFIX_REPNE : VMMU_PREFIX_REP;
		return true;
	default:
		return false;
	}
}

/* All prefixes; *byte is the first byte after them. A REX counts only when it is the last. */
static int decode_prefixes(struct vmmu_insn *insn, u8 *byte)
{
	int r;

	for (;;) {
		r = next_byte(insn, byte);
		if (r)
			return r;
		if (legacy_prefix(insn, *byte))
			insn->rex = 0;
		else if (insn->mode == 8 && (*byte & 0xf0) == 0x40)
			insn->rex = *byte;
		else
			break;
	}
	if (insn->rex)
		insn->prefixes |= VMMU_PREFIX_REX;
	return 0;
}

static void vector_prefix(struct vmmu_insn *insn, u8 pp)
{
	static const u8 implied[4] = {
		0, VMMU_PREFIX_OPSIZE, VMMU_PREFIX_REP, VMMU_PREFIX_REPNE,
	};

	insn->vex = true;
	insn->prefixes |= implied[pp & 3];
}

static int decode_vex2(struct vmmu_insn *insn)
{
	u8 p;
	int r = next_byte(insn, &p);

	if (r)
		return r;
	vector_prefix(insn, p);
	insn->map = 1;
	insn->rex = 0x40 | (p & 0x80 ? 0 : 4);
	insn->vvvv = (~p >> 3) & 15;
	insn->vector_len = (p >> 2) & 1;
	return next_byte(insn, &insn->opcode);
}

/* Three-byte VEX, and XOP, which differs in its map numbers only. */
static int decode_vex3(struct vmmu_insn *insn)
{
	u8 p0, p1;
	int r = next_byte(insn, &p0) ?: next_byte(insn, &p1);

	if (r)
		return r;
	vector_prefix(insn, p1);
	insn->map = p0 & 0x1f;
	insn->rex = 0x40 | ((~p0 >> 5) & 7) | (p1 & 0x80 ? 8 : 0);
	insn->vvvv = (~p1 >> 3) & 15;
	insn->vector_len = (p1 >> 2) & 1;
	return next_byte(insn, &insn->opcode);
}

static int decode_evex(struct vmmu_insn *insn)
{
	u8 p0, p1, p2;
	int r = next_byte(insn, &p0) ?: next_byte(insn, &p1) ?: next_byte(insn, &p2);

	if (r)
		return r;
	vector_prefix(insn, p1);
	insn->evex = true;
	insn->map = p0 & 7;
	insn->rex = 0x40 | ((~p0 >> 5) & 7) | (p1 & 0x80 ? 8 : 0);
	insn->vvvv = (~p1 >> 3) & 15;
	insn->vector_len = (p2 >> 5) & 3;
	return next_byte(insn, &insn->opcode);
}

/*
 * C4, C5, 62 and 8F begin a VEX, EVEX or XOP prefix in 64-bit mode, and elsewhere
 * when the next byte could not be the ModRM byte of LES, LDS, BOUND or POP.
 * 1: yes and decoded; 0: no; <0.
 */
static int decode_vector(struct vmmu_insn *insn, u8 byte)
{
	u8 next;
	int r;

	if (byte != 0xc4 && byte != 0xc5 && byte != 0x62 && byte != 0x8f)
		return 0;
	r = next_byte(insn, &next);
	if (r)
		return r;
	insn->len--;
	if (byte == 0x8f ? (next & 0x1f) < 8 : insn->mode != 8 && next < 0xc0)
		return 0;
	/* These prefixes forbid LOCK, 66, F2, F3 and REX before them. */
	if (insn->prefixes & ~(VMMU_PREFIX_SEGMENT | VMMU_PREFIX_ADDRSIZE))
		return -EINVAL;
	if (byte == 0x62)
		r = decode_evex(insn);
	else if (byte == 0xc5)
		r = decode_vex2(insn);
	else
		r = decode_vex3(insn);
	return r ?: 1;
}

/* Prefixes, escapes, opcode: afterwards map, opcode, attr and attr_op stand. */
static int decode_opcode(struct vmmu_insn *insn)
{
	const struct vmmu_opcode *op;
	u8 byte;
	int r;

	r = decode_prefixes(insn, &byte);
	if (r)
		return r;
	r = decode_vector(insn, byte);
	if (r < 0)
		return r;
	if (r) {
		op = vmmu_opcode_vector(insn->map, insn->opcode);
	} else if (byte != 0x0f) {
		insn->opcode = byte;
		op = &vmmu_opcodes_1[byte];
	} else {
		r = next_byte(insn, &byte);
		if (r)
			return r;
		insn->map = 1;
		op = &vmmu_opcodes_0f[byte];
		if (byte == 0x38 || byte == 0x3a) {
			insn->map = byte == 0x38 ? 2 : 3;
			r = next_byte(insn, &byte);
			if (r)
				return r;
			op = insn->map == 2 ? vmmu_opcode_0f38(byte) : vmmu_opcode_0f3a(byte);
		}
		insn->opcode = byte;
	}
	insn->attr = op->attr;
	insn->attr_op = op->op;
	if (insn->attr & OP_UNDEF)
		return -EINVAL;
	if ((insn->attr & OP_NO64) && insn->mode == 8)
		return -EINVAL;
	return 0;
}

static void operand_sizes(struct vmmu_insn *insn)
{
	bool opsize = insn->prefixes & VMMU_PREFIX_OPSIZE;
	bool addrsize = insn->prefixes & VMMU_PREFIX_ADDRSIZE;

	switch (insn->mode) {
	case 8:
		insn->addr_bytes = addrsize ? 4 : 8;
		if (insn->rex & 8)
			insn->op_bytes = 8;
		else if (opsize)
			insn->op_bytes = 2;
		else
			insn->op_bytes = insn->attr & OP_DEF64 ? 8 : 4;
		break;
	case 4:
		insn->addr_bytes = addrsize ? 2 : 4;
		insn->op_bytes = opsize ? 2 : 4;
		break;
	default:
		insn->addr_bytes = addrsize ? 4 : 2;
		insn->op_bytes = opsize ? 4 : 2;
		break;
	}
}

static int decode_mem16(struct vmmu_insn *insn, u8 mod)
{
	static const struct { s8 base, index; } form[8] = {
		{ VMMU_RBX, VMMU_RSI }, { VMMU_RBX, VMMU_RDI },
		{ VMMU_RBP, VMMU_RSI }, { VMMU_RBP, VMMU_RDI },
		{ VMMU_RSI, -1 }, { VMMU_RDI, -1 }, { VMMU_RBP, -1 }, { VMMU_RBX, -1 },
	};
	u8 rm = insn->modrm & 7;

	if (mod == 0 && rm == 6)
		return next_signed(insn, 2, (u64 *)&insn->disp);
	insn->base = form[rm].base;
	insn->index = form[rm].index;
	return mod ? next_signed(insn, mod, (u64 *)&insn->disp) : 0;
}

static int decode_sib(struct vmmu_insn *insn, u8 mod)
{
	u8 sib, base, index;
	int r = next_byte(insn, &sib);

	if (r)
		return r;
	base = (sib & 7) | (insn->rex & 1 ? 8 : 0);
	index = ((sib >> 3) & 7) | (insn->rex & 2 ? 8 : 0);
	insn->scale = sib >> 6;
	if (index != VMMU_RSP)
		insn->index = index;
	if ((sib & 7) == 5 && mod == 0)
		return next_signed(insn, 4, (u64 *)&insn->disp);
	insn->base = base;
	return 0;
}

static int decode_mem(struct vmmu_insn *insn, u8 mod)
{
	u8 rm = insn->modrm & 7;
	int r;

	if (insn->addr_bytes == 2)
		return decode_mem16(insn, mod);
	if (rm == 5 && mod == 0) {
		insn->rip_relative = insn->mode == 8;
		return next_signed(insn, 4, (u64 *)&insn->disp);
	}
	if (rm == 4) {
		r = decode_sib(insn, mod);
		if (r)
			return r;
	} else {
		insn->base = insn->rm;
	}
	if (!mod)
		return 0;
	return next_signed(insn, mod == 1 ? 1 : 4, (u64 *)&insn->disp);
}

static int decode_modrm(struct vmmu_insn *insn)
{
	u8 mod;
	int r = next_byte(insn, &insn->modrm);

	if (r)
		return r;
	insn->has_modrm = true;
	mod = insn->modrm >> 6;
	insn->reg = ((insn->modrm >> 3) & 7) | (insn->rex & 4 ? 8 : 0);
	insn->rm = (insn->modrm & 7) | (insn->rex & 1 ? 8 : 0);
	if (mod == 3 || (insn->attr & OP_REGS))
		return 0;
	insn->mem = true;
	return decode_mem(insn, mod);
}

/* The immediates that an opcode has only in some of its forms. */
static unsigned int immediate_kind(const struct vmmu_insn *insn)
{
	unsigned int kind = (insn->attr & OP_IMM_MASK) >> OP_IMM_SHIFT;

	if ((insn->attr & OP_GRP3) && (insn->modrm & 0x30))
		return IMM_NONE;
	/* EXTRQ and INSERTQ share their number with VMREAD. */
	if (insn->map == 1 && insn->opcode == 0x78 && !insn->vex &&
	    (insn->prefixes & (VMMU_PREFIX_OPSIZE | VMMU_PREFIX_REPNE)))
		return IMM_8_8;
	return kind;
}

static int decode_far(struct vmmu_insn *insn)
{
	u64 sel;
	int r;

	r = next_signed(insn, insn->op_bytes == 2 ? 2 : 4, &insn->imm) ?:
	    next_signed(insn, 2, &sel);
	insn->imm2 = sel;
	return r;
}

static int decode_enter(struct vmmu_insn *insn)
{
	u64 level = 0;
	int r;

	r = next_signed(insn, 2, &insn->imm) ?: next_signed(insn, 1, &level);
	insn->imm2 = (u8)level;
	return r;
}

static int decode_immediate(struct vmmu_insn *insn)
{
	switch (immediate_kind(insn)) {
	case IMM_8:
		return next_signed(insn, 1, &insn->imm);
	case IMM_16:
	case IMM_8_8:
		return next_signed(insn, 2, &insn->imm);
	case IMM_32:
		return next_signed(insn, 4, &insn->imm);
	case IMM_Z:
		return next_signed(insn, insn->op_bytes == 2 ? 2 : 4, &insn->imm);
	case IMM_V:
		return next_signed(insn, insn->op_bytes, &insn->imm);
	case IMM_ADDR:
		insn->mem = true;
		return next_signed(insn, insn->addr_bytes, (u64 *)&insn->disp);
	case IMM_ENTER:
		return decode_enter(insn);
	case IMM_FAR:
		return decode_far(insn);
	default:
		return 0;
	}
}

int vmmu_insn_decode(struct vmmu_insn *insn, int mode)
{
	int r;

	/* All but the bytes starts from zero. */
	memset((void *)insn + offsetof(struct vmmu_insn, len), 0,
	       sizeof(*insn) - offsetof(struct vmmu_insn, len));
	insn->mode = mode;
	insn->seg = -1;
	insn->base = -1;
	insn->index = -1;

	r = decode_opcode(insn);
	if (r)
		return r;
	operand_sizes(insn);
	if (insn->attr & OP_MODRM) {
		r = decode_modrm(insn);
		if (r)
			return r;
	}
	return decode_immediate(insn);
}

u64 vmmu_insn_ea(const struct vmmu_insn *insn, const u64 *regs, u64 next_rip)
{
	u64 ea = insn->disp;

	if (insn->rip_relative)
		ea += next_rip;
	if (insn->base >= 0)
		ea += regs[insn->base];
	if (insn->index >= 0)
		ea += regs[insn->index] << insn->scale;
	return ea & em_mask(insn->addr_bytes);
}

enum vmmu_seg vmmu_insn_seg(const struct vmmu_insn *insn)
{
	if (insn->seg >= 0)
		return insn->seg;
	if (insn->base == VMMU_RSP || insn->base == VMMU_RBP)
		return VMMU_SEG_SS;
	return VMMU_SEG_DS;
}
