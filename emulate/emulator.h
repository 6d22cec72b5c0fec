/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of emulate/ share: the decoded instruction, the scratch state
 * of one execution, and each other's functions. Nobody outside includes this.
 */
#ifndef VMMU_EMULATOR_H
#define VMMU_EMULATOR_H

#include <linux/kernel.h>
#include <asm/processor-flags.h>
#include "vmmu/cpu.h"
#include "vmmu/emulate.h"
#include "vmmu/paging.h"
#include "vmmu/types.h"
#include "vmmu/vcpu.h"

#define VECTOR_DE	0
#define VECTOR_DB	1
#define VECTOR_UD	6
#define VECTOR_NM	7
#define VECTOR_SS	12
#define VECTOR_GP	13
#define VECTOR_AC	17

#define FLAGS_ARITH	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/* ---- the decoder: decode_table.c, decode.c (pure) ---- */

/* What follows an opcode. */
#define OP_MODRM	BIT(0)
#define OP_IMM_SHIFT	1
#define OP_IMM(kind)	((kind) << OP_IMM_SHIFT)
#define OP_IMM_MASK	OP_IMM(15)
#define OP_BYTE		BIT(5)	/* operands are bytes */
#define OP_NO64		BIT(6)	/* undefined in 64-bit mode */
#define OP_DEF64	BIT(7)	/* 64-bit operands by default in 64-bit mode */
#define OP_UNDEF	BIT(8)
#define OP_GRP3		BIT(9)	/* an immediate only for /0 and /1 */
#define OP_REGS		BIT(10)	/* ModRM.mod is not looked at: registers (MOV CR, DR) */
#define OP_TWO_MEM	BIT(11)	/* touches memory in two places */

enum vmmu_imm {
	IMM_NONE,
	IMM_8,			/* sign-extended */
	IMM_16,
	IMM_Z,			/* 2 or 4, sign-extended */
	IMM_V,			/* 2, 4 or 8 */
	IMM_ADDR,		/* address size: MOV moffs */
	IMM_ENTER,		/* 16 and 8 */
	IMM_FAR,		/* 2 or 4, and a selector */
	IMM_32,
	IMM_8_8,		/* two bytes: EXTRQ, INSERTQ */
};

/* Who executes it; indexes the handler table of exec.c. */
enum vmmu_op {
	DO_NONE,
	DO_ALU, DO_ALU_ACC, DO_ALU_IMM, DO_INCDEC_REG, DO_PUSH_REG, DO_POP_REG, DO_MOVSXD,
	DO_PUSH_IMM, DO_IMUL_IMM, DO_INS, DO_OUTS, DO_JCC, DO_TEST, DO_XCHG, DO_MOV,
	DO_MOV_FROM_SEG, DO_LEA, DO_POP_RM, DO_XCHG_ACC, DO_CBW, DO_CWD, DO_MOV_MOFFS,
	DO_MOVS, DO_CMPS, DO_TEST_ACC, DO_STOS, DO_LODS, DO_SCAS, DO_MOV_IMM_REG, DO_SHIFT,
	DO_RET, DO_MOV_IMM, DO_LOOP, DO_PORT, DO_CALL, DO_JMP, DO_FLAG, DO_GRP3, DO_GRP5,
	DO_GRP7, DO_CLTS, DO_MOV_CR, DO_MOV_DR, DO_NOP, DO_CMOV, DO_SETCC, DO_BT, DO_BT_IMM,
	DO_SHIFT_DOUBLE, DO_IMUL, DO_CMPXCHG, DO_MOVX, DO_BITSCAN, DO_XADD, DO_MOVNTI,
	DO_GRP9, DO_BSWAP, DO_MOVBE,
	DO_SSE_MOV,		/* 10 11 28 29 2B 6F 7F E7 F0, 38 2A: registers, scalars */
	DO_SSE_HALF,		/* 12 13 16 17 */
	DO_SSE_GPR,		/* 6E 7E D6 */
	VMMU_NR_OPS,
};

struct vmmu_opcode {
	u16 attr;
	u8 op;
};

extern const struct vmmu_opcode vmmu_opcodes_1[256];
extern const struct vmmu_opcode vmmu_opcodes_0f[256];
const struct vmmu_opcode *vmmu_opcode_0f38(u8 opcode);
const struct vmmu_opcode *vmmu_opcode_0f3a(u8 opcode);
const struct vmmu_opcode *vmmu_opcode_vector(u8 map, u8 opcode);

struct vmmu_insn {
	u8 bytes[VMMU_INSN_MAX];
	u8 nr_bytes;		/* known */
	u8 len;			/* of the instruction; while decoding: consumed */
	u8 mode;		/* 2, 4, 8: address bytes of the code segment */
	u8 prefixes;		/* VMMU_PREFIX_* */
	u8 rex;			/* 0: none */
	s8 seg;			/* override, -1: none */
	u8 map;			/* 0..3; VEX, EVEX and XOP: as encoded */
	u8 opcode;
	bool vex;		/* VEX, EVEX or XOP */
	bool evex;
	u8 vvvv;
	u8 vector_len;		/* 0: 128, 1: 256, 2: 512 */
	u8 attr_op;		/* enum vmmu_op */
	u16 attr;
	bool has_modrm;
	bool mem;		/* ModRM, or MOV moffs, names memory */
	bool rip_relative;
	u8 modrm;
	u8 reg, rm;		/* with REX */
	s8 base, index;		/* registers, -1: none */
	u8 scale;
	u8 op_bytes;
	u8 addr_bytes;
	s64 disp;
	u64 imm;
	u16 imm2;		/* ENTER's level, a far pointer's selector */
};

/**
 * vmmu_insn_decode() - decode the instruction in @insn->bytes
 * @insn: bytes and nr_bytes filled; all else is written here
 * @mode: 2, 4 or 8
 *
 * Pure. Return: 0; -ENODATA when nr_bytes are too few; -EINVAL when no instruction
 * starts so, or it is longer than 15 bytes.
 */
int vmmu_insn_decode(struct vmmu_insn *insn, int mode);

/* Effective address without segment base, from @regs; @next_rip for RIP-relative. Pure. */
u64 vmmu_insn_ea(const struct vmmu_insn *insn, const u64 *regs, u64 next_rip);
/* The segment that its memory operand uses. Pure. */
enum vmmu_seg vmmu_insn_seg(const struct vmmu_insn *insn);
/* Linear address of its memory operand, with the vCPU's registers. Unchecked. skip.c. */
u64 vmmu_insn_linear(struct vmmu_vcpu *vcpu, const struct vmmu_insn *insn);

/* ---- instruction fetch: code.c, fetch.c ---- */

/* The code segment as of now, and what else a fetch depends on. */
struct vmmu_code {
	u64 linear;		/* of rip */
	u8 mode;		/* 2, 4, 8 */
	struct vmmu_fetch_state state;
};

void vmmu_code_at_rip(struct vmmu_vcpu *vcpu, struct vmmu_code *code);
/* Host address of the instruction byte at @linear. 0; 1: fault in *ex; -EFAULT: no memory. */
int vmmu_code_hva(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u64 linear,
		  unsigned long *hva, struct vmmu_exception *ex);
/* The first four bytes at rip, if they lie in one page of RAM that is mapped. */
bool vmmu_code_peek(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u32 *bytes);
/* The same without sleeping, as long as nothing has changed since it was read last. */
bool vmmu_code_peek_atomic(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u32 *bytes);

/* How a step of an emulation ended; negative errnos stand beside these. */
enum em_result {
	EM_OK,
	EM_FAULT,		/* em->ex is to be injected */
	EM_QUEUED,		/* an exception is queued already */
	EM_EXIT,		/* vcpu->run is filled; the instruction will run again */
	EM_UNHANDLED,		/* internal error to user space */
	EM_AGAIN,		/* memory changed under a locked operation: run again now */
	EM_RETRY,		/* let the guest run it again */
};

/* Are these the bytes at rip? False too when that is not easily said. */
bool vmmu_code_same(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, const struct vmmu_mov *m);

/* Fetch and decode at rip into @insn: EM_OK, EM_FAULT (*ex), EM_UNHANDLED. */
int vmmu_fetch_decode(struct vmmu_vcpu *vcpu, const struct vmmu_code *code,
		      struct vmmu_insn *insn, struct vmmu_exception *ex);

/* Up to 15 bytes at rip, for a report: the count that could be read. */
unsigned int vmmu_fetch_bytes(struct vmmu_vcpu *vcpu, u8 *bytes);

/* ---- one execution ---- */

struct vmmu_emul {
	struct vmmu_vcpu *vcpu;
	struct vmmu_insn insn;
	u64 regs[VMMU_NR_REGS];	/* scratch: the vCPU's change at commit */
	u64 rip;		/* where the guest goes on */
	u64 rflags;
	u64 old_rflags;
	u8 code_bytes;
	u8 cpl;
	bool protected;		/* CR0.PE and not virtual-8086 */
	bool more;		/* a REP is not finished: rip stays */
	bool posted;		/* vcpu->run holds the last access: commit, then exit */
	bool mem_valid;		/* mem_linear is known */
	bool rmw;		/* the memory operand will be written after it was read */
	bool mode_valid;
	bool port_checked;
	u8 new_shadow;		/* KVM_X86_SHADOW_INT_* to set at commit */
	u8 seg_valid;		/* bit n: seg[n] is read */
	u64 ea_offset;		/* added to the effective address (bit strings) */
	u64 mem_linear;
	u64 rmw_old;		/* what a locked operation expects to find */
	struct vmmu_paging_mode mode;
	struct kvm_segment seg[VMMU_SEG_GS + 1];
	struct vmmu_exception ex;
};

static inline u64 em_mask(unsigned int bytes)
{
	return bytes >= 8 ? ~0ULL : BIT_ULL(bytes * 8) - 1;
}

static inline u64 em_sign_extend(u64 val, unsigned int bytes)
{
	unsigned int shift = 64 - bytes * 8;

	return (s64)(val << shift) >> shift;
}

static inline int em_fault(struct vmmu_emul *em, u8 vector, bool has_error, u32 error)
{
	em->ex = (struct vmmu_exception) {
		.vector = vector, .has_error = has_error, .error = error,
	};
	return EM_FAULT;
}

static inline int em_gp(struct vmmu_emul *em)
{
	return em_fault(em, VECTOR_GP, true, 0);
}

static inline int em_ud(struct vmmu_emul *em)
{
	return em_fault(em, VECTOR_UD, false, 0);
}

/* Operand bytes of the current instruction. */
static inline u8 em_bytes(const struct vmmu_emul *em)
{
	return em->insn.attr & OP_BYTE ? 1 : em->insn.op_bytes;
}

/* Does user space single-step this vCPU? Then nothing may be merged or posted. */
static inline bool em_user_steps(const struct vmmu_vcpu *vcpu)
{
	return vcpu->dbg.stepping;
}

/* operand.c */
/* Does @reg of a byte instruction name AH..BH? They are the second bytes of reg - 4. */
bool em_high_byte(const struct vmmu_emul *em, unsigned int reg, unsigned int bytes);
u64 em_reg(const struct vmmu_emul *em, unsigned int reg, unsigned int bytes);
void em_set_reg(struct vmmu_emul *em, unsigned int reg, unsigned int bytes, u64 val);
/* Registers as byte instructions name them: AH..BH without REX. */
u64 em_reg_op(const struct vmmu_emul *em, unsigned int reg, unsigned int bytes);
void em_set_reg_op(struct vmmu_emul *em, unsigned int reg, unsigned int bytes, u64 val);
/* Add to a register under a mask of 2, 4 or 8 bytes (rcx, rsi, rdi, rsp). */
void em_add_reg(struct vmmu_emul *em, unsigned int reg, unsigned int bytes, s64 n);
bool em_canonical(struct vmmu_emul *em, u64 linear);
const struct kvm_segment *em_seg(struct vmmu_emul *em, enum vmmu_seg seg);
/* Segment to linear with limit, type, canonical and alignment checks. EM_OK or EM_FAULT. */
int em_linear(struct vmmu_emul *em, enum vmmu_seg seg, u64 ea, unsigned int bytes, bool write,
	      u64 *linear);
/* The same for a run of elements: no alignment check. */
int em_linear_range(struct vmmu_emul *em, enum vmmu_seg seg, u64 ea, unsigned int bytes,
		    bool write, u64 *linear);
/* The ModRM memory operand's linear address, checked for @bytes. */
int em_mem(struct vmmu_emul *em, unsigned int bytes, bool write, u64 *linear);
/* The r/m operand. @rw: it will be written back. */
int em_rm_read(struct vmmu_emul *em, unsigned int bytes, bool rw, u64 *val);
int em_rm_write(struct vmmu_emul *em, unsigned int bytes, u64 val);

/* memory.c */
int em_translate(struct vmmu_emul *em, u64 linear, u64 access, gpa_t *gpa);
int em_read(struct vmmu_emul *em, u64 linear, void *data, unsigned int bytes, u64 access);
int em_write(struct vmmu_emul *em, u64 linear, const void *data, unsigned int bytes);
int em_cmpxchg(struct vmmu_emul *em, u64 linear, u64 old, u64 new, unsigned int bytes);
/*
 * A locked write that we could not make atomic: EM_UNHANDLED when there is RAM, which the
 * processor can write by itself once no page table is shadowed there; EM_OK: it is MMIO.
 */
int em_not_for_us(struct vmmu_emul *em, u64 linear);
/* To RAM at @gpa, within a page. 0 or -EFAULT. */
int em_store(struct vmmu_emul *em, gpa_t gpa, const void *data, unsigned int bytes);
/* Is there RAM that may be so accessed? EM_OK: yes; EM_RETRY; EM_UNHANDLED: it is MMIO. */
int em_ram(struct vmmu_emul *em, gpa_t gpa, bool write);

/* io.c */
int em_mmio(struct vmmu_emul *em, gpa_t gpa, void *data, unsigned int len, bool write,
	    bool last);
int em_port(struct vmmu_emul *em, u16 port, void *data, unsigned int len, bool write,
	    bool last);
int em_port_permitted(struct vmmu_emul *em, u16 port, unsigned int len);
void em_fill_port_exit(struct vmmu_vcpu *vcpu, u16 port, unsigned int size, u32 count, bool in);
int em_exit_ins(struct vmmu_emul *em, u16 port, unsigned int size, u32 count);

/* alu.c: pure; @flags in and out, results masked to @bytes */
enum alu_op { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
u64 alu_binary(enum alu_op op, u64 dst, u64 src, unsigned int bytes, u64 *flags);
u64 alu_inc(u64 dst, unsigned int bytes, u64 *flags);
u64 alu_dec(u64 dst, unsigned int bytes, u64 *flags);
u64 alu_neg(u64 dst, unsigned int bytes, u64 *flags);
/* ROL ROR RCL RCR SHL SHR SAL SAR as ModRM.reg numbers them. */
u64 alu_shift(unsigned int op, u64 dst, u8 count, unsigned int bytes, u64 *flags);
u64 alu_shift_double(bool right, u64 dst, u64 src, u8 count, unsigned int bytes, u64 *flags);
/* @lo and @hi: the two halves of the product. */
void alu_mul(bool is_signed, u64 a, u64 b, unsigned int bytes, u64 *lo, u64 *hi, u64 *flags);
/* hi:lo / divisor; false: #DE. */
bool alu_div(bool is_signed, u64 hi, u64 lo, u64 divisor, unsigned int bytes, u64 *quotient,
	     u64 *remainder);
bool alu_condition(u8 cc, u64 flags);

/* exec.c */
int em_execute(struct vmmu_emul *em);
/* The scratch state becomes the vCPU's, between two iterations of a REP. emulate.c. */
void em_checkpoint(struct vmmu_emul *em);
/* Run the current transaction (again): 1, 0, <0 for KVM_RUN. emulate.c. */
int em_run(struct vmmu_vcpu *vcpu);

/* Handlers: EM_*, or a negative errno. */
int em_branch(struct vmmu_emul *em, u64 target);
int em_push(struct vmmu_emul *em, u64 val, unsigned int bytes);
int em_pop(struct vmmu_emul *em, u64 *val, unsigned int bytes);
int em_push_reg(struct vmmu_emul *em);
int em_pop_reg(struct vmmu_emul *em);
int em_push_imm(struct vmmu_emul *em);
int em_pop_rm(struct vmmu_emul *em);
int em_ret(struct vmmu_emul *em);
int em_call(struct vmmu_emul *em);
int em_jmp(struct vmmu_emul *em);
int em_jcc(struct vmmu_emul *em);
int em_loop(struct vmmu_emul *em);
int em_grp5(struct vmmu_emul *em);

int em_string(struct vmmu_emul *em);
int em_port_insn(struct vmmu_emul *em);

int em_grp7(struct vmmu_emul *em);
int em_clts(struct vmmu_emul *em);
int em_mov_cr(struct vmmu_emul *em);
int em_mov_dr(struct vmmu_emul *em);
int em_flag(struct vmmu_emul *em);
int em_mov_from_seg(struct vmmu_emul *em);

int em_shift(struct vmmu_emul *em);
int em_shift_double(struct vmmu_emul *em);
int em_grp3(struct vmmu_emul *em);
int em_imul(struct vmmu_emul *em);
int em_imul_imm(struct vmmu_emul *em);
int em_bt(struct vmmu_emul *em);
int em_bt_imm(struct vmmu_emul *em);
int em_bitscan(struct vmmu_emul *em);
int em_bswap(struct vmmu_emul *em);
int em_cmpxchg_insn(struct vmmu_emul *em);
int em_grp9(struct vmmu_emul *em);
int em_xadd(struct vmmu_emul *em);
int em_xchg(struct vmmu_emul *em);

int em_sse_mov(struct vmmu_emul *em);
int em_sse_half(struct vmmu_emul *em);
int em_sse_gpr(struct vmmu_emul *em);

/* quick.c */
void em_quick_keep(struct vmmu_vcpu *vcpu, const struct vmmu_insn *insn);
/* A MOV that is known, for the fault at @gpa: 1, 0, <0 as vmmu_emulate(); -EAGAIN: not it. */
int em_quick(struct vmmu_vcpu *vcpu, gpa_t gpa);
/* io.c: its access, and what comes after. 1, 0, <0. */
int em_mov_device(struct vmmu_vcpu *vcpu, gpa_t gpa, const struct vmmu_mov *m);

#endif
