// SPDX-License-Identifier: GPL-2.0-only
/*
 * The opcode maps: for each opcode what follows it and who executes it.
 *
 * Const tables only. Undefined opcodes are marked so; opcodes that are defined
 * but not executed here have DO_NONE and a right length. AMD APM vol. 3,
 * appendix A; Intel SDM vol. 2, appendix A.
 */
#include "emulator.h"

#define M	OP_MODRM
#define B	OP_BYTE
#define N64	OP_NO64
#define D64	OP_DEF64
#define I8	OP_IMM(IMM_8)
#define I16	OP_IMM(IMM_16)
#define IZ	OP_IMM(IMM_Z)
#define IV	OP_IMM(IMM_V)
#define X(a, o)	{ .attr = (a), .op = DO_##o }
#define U	{ .attr = OP_UNDEF }

static_assert(VMMU_NR_OPS < 256);

/* Prefixes never reach the table; their places are marked undefined. */
const struct vmmu_opcode vmmu_opcodes_1[256] = {
	[0x00] = X(M | B, ALU), [0x01] = X(M, ALU), [0x02] = X(M | B, ALU), [0x03] = X(M, ALU),
	[0x04] = X(B | I8, ALU_ACC), [0x05] = X(IZ, ALU_ACC),
	[0x06] = X(N64, NONE), [0x07] = X(N64, NONE),
	[0x08] = X(M | B, ALU), [0x09] = X(M, ALU), [0x0a] = X(M | B, ALU), [0x0b] = X(M, ALU),
	[0x0c] = X(B | I8, ALU_ACC), [0x0d] = X(IZ, ALU_ACC),
	[0x0e] = X(N64, NONE), [0x0f] = U,
	[0x10] = X(M | B, ALU), [0x11] = X(M, ALU), [0x12] = X(M | B, ALU), [0x13] = X(M, ALU),
	[0x14] = X(B | I8, ALU_ACC), [0x15] = X(IZ, ALU_ACC),
	[0x16] = X(N64, NONE), [0x17] = X(N64, NONE),
	[0x18] = X(M | B, ALU), [0x19] = X(M, ALU), [0x1a] = X(M | B, ALU), [0x1b] = X(M, ALU),
	[0x1c] = X(B | I8, ALU_ACC), [0x1d] = X(IZ, ALU_ACC),
	[0x1e] = X(N64, NONE), [0x1f] = X(N64, NONE),
	[0x20] = X(M | B, ALU), [0x21] = X(M, ALU), [0x22] = X(M | B, ALU), [0x23] = X(M, ALU),
	[0x24] = X(B | I8, ALU_ACC), [0x25] = X(IZ, ALU_ACC),
	[0x26] = U, [0x27] = X(N64, NONE),
	[0x28] = X(M | B, ALU), [0x29] = X(M, ALU), [0x2a] = X(M | B, ALU), [0x2b] = X(M, ALU),
	[0x2c] = X(B | I8, ALU_ACC), [0x2d] = X(IZ, ALU_ACC),
	[0x2e] = U, [0x2f] = X(N64, NONE),
	[0x30] = X(M | B, ALU), [0x31] = X(M, ALU), [0x32] = X(M | B, ALU), [0x33] = X(M, ALU),
	[0x34] = X(B | I8, ALU_ACC), [0x35] = X(IZ, ALU_ACC),
	[0x36] = U, [0x37] = X(N64, NONE),
	[0x38] = X(M | B, ALU), [0x39] = X(M, ALU), [0x3a] = X(M | B, ALU), [0x3b] = X(M, ALU),
	[0x3c] = X(B | I8, ALU_ACC), [0x3d] = X(IZ, ALU_ACC),
	[0x3e] = U, [0x3f] = X(N64, NONE),
	[0x40 ... 0x4f] = X(N64, INCDEC_REG),
	[0x50 ... 0x57] = X(D64, PUSH_REG),
	[0x58 ... 0x5f] = X(D64, POP_REG),
	[0x60 ... 0x61] = X(N64, NONE),
	[0x62] = X(M | N64, NONE),
	[0x63] = X(M, MOVSXD),
	[0x64 ... 0x67] = U,
	[0x68] = X(IZ | D64, PUSH_IMM),
	[0x69] = X(M | IZ, IMUL_IMM),
	[0x6a] = X(I8 | D64, PUSH_IMM),
	[0x6b] = X(M | I8, IMUL_IMM),
	[0x6c] = X(B, INS),
	[0x6d] = X(0, INS),
	[0x6e] = X(B, OUTS),
	[0x6f] = X(0, OUTS),
	[0x70 ... 0x7f] = X(I8 | D64, JCC),
	[0x80] = X(M | B | I8, ALU_IMM),
	[0x81] = X(M | IZ, ALU_IMM),
	[0x82] = X(M | B | I8 | N64, ALU_IMM),
	[0x83] = X(M | I8, ALU_IMM),
	[0x84] = X(M | B, TEST),
	[0x85] = X(M, TEST),
	[0x86] = X(M | B, XCHG),
	[0x87] = X(M, XCHG),
	[0x88] = X(M | B, MOV),
	[0x89] = X(M, MOV),
	[0x8a] = X(M | B, MOV),
	[0x8b] = X(M, MOV),
	[0x8c] = X(M, MOV_FROM_SEG),
	[0x8d] = X(M, LEA),
	[0x8e] = X(M, NONE),
	[0x8f] = X(M | D64 | OP_TWO_MEM, POP_RM),
	[0x90 ... 0x97] = X(0, XCHG_ACC),
	[0x98] = X(0, CBW),
	[0x99] = X(0, CWD),
	[0x9a] = X(OP_IMM(IMM_FAR) | N64, NONE),
	[0x9b] = X(0, NONE),
	[0x9c ... 0x9d] = X(D64, NONE),
	[0x9e ... 0x9f] = X(0, NONE),
	[0xa0] = X(OP_IMM(IMM_ADDR) | B, MOV_MOFFS),
	[0xa1] = X(OP_IMM(IMM_ADDR), MOV_MOFFS),
	[0xa2] = X(OP_IMM(IMM_ADDR) | B, MOV_MOFFS),
	[0xa3] = X(OP_IMM(IMM_ADDR), MOV_MOFFS),
	[0xa4] = X(B | OP_TWO_MEM, MOVS),
	[0xa5] = X(OP_TWO_MEM, MOVS),
	[0xa6] = X(B | OP_TWO_MEM, CMPS),
	[0xa7] = X(OP_TWO_MEM, CMPS),
	[0xa8] = X(B | I8, TEST_ACC),
	[0xa9] = X(IZ, TEST_ACC),
	[0xaa] = X(B, STOS),
	[0xab] = X(0, STOS),
	[0xac] = X(B, LODS),
	[0xad] = X(0, LODS),
	[0xae] = X(B, SCAS),
	[0xaf] = X(0, SCAS),
	[0xb0 ... 0xb7] = X(B | I8, MOV_IMM_REG),
	[0xb8 ... 0xbf] = X(IV, MOV_IMM_REG),
	[0xc0] = X(M | B | I8, SHIFT),
	[0xc1] = X(M | I8, SHIFT),
	[0xc2] = X(I16 | D64, RET),
	[0xc3] = X(D64, RET),
	[0xc4 ... 0xc5] = X(M | N64, NONE),
	[0xc6] = X(M | B | I8, MOV_IMM),
	[0xc7] = X(M | IZ, MOV_IMM),
	[0xc8] = X(OP_IMM(IMM_ENTER) | D64, NONE),
	[0xc9] = X(D64, NONE),
	[0xca] = X(I16, NONE),
	[0xcb ... 0xcc] = X(0, NONE),
	[0xcd] = X(I8, NONE),
	[0xce] = X(N64, NONE),
	[0xcf] = X(0, NONE),
	[0xd0] = X(M | B, SHIFT),
	[0xd1] = X(M, SHIFT),
	[0xd2] = X(M | B, SHIFT),
	[0xd3] = X(M, SHIFT),
	[0xd4 ... 0xd5] = X(I8 | N64, NONE),
	[0xd6] = X(N64, NONE),
	[0xd7] = X(0, NONE),
	[0xd8 ... 0xdf] = X(M, NONE),
	[0xe0 ... 0xe3] = X(I8 | D64, LOOP),
	[0xe4] = X(B | I8, PORT),
	[0xe5] = X(I8, PORT),
	[0xe6] = X(B | I8, PORT),
	[0xe7] = X(I8, PORT),
	[0xe8] = X(IZ | D64, CALL),
	[0xe9] = X(IZ | D64, JMP),
	[0xea] = X(OP_IMM(IMM_FAR) | N64, NONE),
	[0xeb] = X(I8 | D64, JMP),
	[0xec] = X(B, PORT),
	[0xed] = X(0, PORT),
	[0xee] = X(B, PORT),
	[0xef] = X(0, PORT),
	[0xf0] = U,
	[0xf1] = X(0, NONE),
	[0xf2 ... 0xf3] = U,
	[0xf4] = X(0, NONE),
	[0xf5] = X(0, FLAG),
	[0xf6] = X(M | B | I8 | OP_GRP3, GRP3),
	[0xf7] = X(M | IZ | OP_GRP3, GRP3),
	[0xf8 ... 0xfd] = X(0, FLAG),
	[0xfe] = X(M | B, GRP5),
	[0xff] = X(M, GRP5),
};

const struct vmmu_opcode vmmu_opcodes_0f[256] = {
	[0x00] = X(M, NONE),
	[0x01] = X(M, GRP7),
	[0x02 ... 0x03] = X(M, NONE),
	[0x04] = U,
	[0x05] = X(0, NONE),
	[0x06] = X(0, CLTS),
	[0x07 ... 0x09] = X(0, NONE),
	[0x0a] = U,
	[0x0b] = X(0, NONE),
	[0x0c] = U,
	[0x0d] = X(M, NOP),
	[0x0e] = X(0, NONE),
	[0x0f] = X(M | I8, NONE),
	[0x10 ... 0x11] = X(M, SSE_MOV),
	[0x12 ... 0x13] = X(M, SSE_HALF),
	[0x14 ... 0x15] = X(M, NONE),
	[0x16 ... 0x17] = X(M, SSE_HALF),
	[0x18 ... 0x1f] = X(M, NOP),
	[0x20] = X(M | OP_REGS, MOV_CR),
	[0x21] = X(M | OP_REGS, MOV_DR),
	[0x22] = X(M | OP_REGS, MOV_CR),
	[0x23] = X(M | OP_REGS, MOV_DR),
	[0x24 ... 0x27] = U,
	[0x28 ... 0x29] = X(M, SSE_MOV),
	[0x2a] = X(M, NONE),
	[0x2b] = X(M, SSE_MOV),
	[0x2c ... 0x2f] = X(M, NONE),
	[0x30 ... 0x35] = X(0, NONE),
	[0x36] = U,
	[0x37] = X(0, NONE),
	[0x38 ... 0x3f] = U,
	[0x40 ... 0x4f] = X(M, CMOV),
	[0x50 ... 0x6d] = X(M, NONE),
	[0x6e] = X(M, SSE_GPR),
	[0x6f] = X(M, SSE_MOV),
	[0x70 ... 0x73] = X(M | I8, NONE),
	[0x74 ... 0x76] = X(M, NONE),
	[0x77] = X(0, NONE),
	[0x78 ... 0x79] = X(M, NONE),
	[0x7a ... 0x7b] = U,
	[0x7c ... 0x7d] = X(M, NONE),
	[0x7e] = X(M, SSE_GPR),
	[0x7f] = X(M, SSE_MOV),
	[0x80 ... 0x8f] = X(IZ | D64, JCC),
	[0x90 ... 0x9f] = X(M | B, SETCC),
	[0xa0 ... 0xa1] = X(D64, NONE),
	[0xa2] = X(0, NONE),
	[0xa3] = X(M, BT),
	[0xa4] = X(M | I8, SHIFT_DOUBLE),
	[0xa5] = X(M, SHIFT_DOUBLE),
	[0xa6 ... 0xa7] = U,
	[0xa8 ... 0xa9] = X(D64, NONE),
	[0xaa] = X(0, NONE),
	[0xab] = X(M, BT),
	[0xac] = X(M | I8, SHIFT_DOUBLE),
	[0xad] = X(M, SHIFT_DOUBLE),
	[0xae] = X(M, NONE),
	[0xaf] = X(M, IMUL),
	[0xb0] = X(M | B, CMPXCHG),
	[0xb1] = X(M, CMPXCHG),
	[0xb2] = X(M, NONE),
	[0xb3] = X(M, BT),
	[0xb4 ... 0xb5] = X(M, NONE),
	[0xb6 ... 0xb7] = X(M, MOVX),
	[0xb8 ... 0xb9] = X(M, NONE),
	[0xba] = X(M | I8, BT_IMM),
	[0xbb] = X(M, BT),
	[0xbc ... 0xbd] = X(M, BITSCAN),
	[0xbe ... 0xbf] = X(M, MOVX),
	[0xc0] = X(M | B, XADD),
	[0xc1] = X(M, XADD),
	[0xc2] = X(M | I8, NONE),
	[0xc3] = X(M, MOVNTI),
	[0xc4 ... 0xc6] = X(M | I8, NONE),
	[0xc7] = X(M, GRP9),
	[0xc8 ... 0xcf] = X(0, BSWAP),
	[0xd0 ... 0xd5] = X(M, NONE),
	[0xd6] = X(M, SSE_GPR),
	[0xd7 ... 0xe6] = X(M, NONE),
	[0xe7] = X(M, SSE_MOV),
	[0xe8 ... 0xef] = X(M, NONE),
	[0xf0] = X(M, SSE_MOV),
	[0xf1 ... 0xff] = X(M, NONE),
};

static const struct vmmu_opcode modrm_only = X(M, NONE);
static const struct vmmu_opcode modrm_imm8 = X(M | I8, NONE);
static const struct vmmu_opcode modrm_imm32 = X(M | OP_IMM(IMM_32), NONE);
static const struct vmmu_opcode opcode_only = X(0, NONE);
static const struct vmmu_opcode movbe = X(M, MOVBE);
static const struct vmmu_opcode movntdqa = X(M, SSE_MOV);
static const struct vmmu_opcode undefined = U;

/* Every opcode of 0F38 has a ModRM byte and nothing more. */
const struct vmmu_opcode *vmmu_opcode_0f38(u8 opcode)
{
	switch (opcode) {
	case 0x2a:
		return &movntdqa;
	case 0xf0:
	case 0xf1:
		return &movbe;
	default:
		return &modrm_only;
	}
}

/* Every opcode of 0F3A has a ModRM byte and an immediate byte. */
const struct vmmu_opcode *vmmu_opcode_0f3a(u8 opcode)
{
	return &modrm_imm8;
}

/*
 * VEX and EVEX maps 1..3 follow the maps of the same number but for VZEROUPPER;
 * maps 5 and 6 (FP16) have no immediates, map 7 has 32-bit ones; 8..10 are XOP.
 */
const struct vmmu_opcode *vmmu_opcode_vector(u8 map, u8 opcode)
{
	switch (map) {
	case 1:
		if (opcode == 0x77)
			return &opcode_only;
		if ((opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 ||
		    (opcode >= 0xc4 && opcode <= 0xc6))
			return &modrm_imm8;
		/* The moves that we execute have the same numbers. */
		switch (vmmu_opcodes_0f[opcode].op) {
		case DO_SSE_MOV:
		case DO_SSE_HALF:
		case DO_SSE_GPR:
			return &vmmu_opcodes_0f[opcode];
		default:
			return &modrm_only;
		}
	case 2:
		return opcode == 0x2a ? &movntdqa : &modrm_only;
	case 3:
	case 8:
		return &modrm_imm8;
	case 5:
	case 6:
	case 9:
		return &modrm_only;
	case 7:
	case 10:
		return &modrm_imm32;
	default:
		return &undefined;
	}
}
