// SPDX-License-Identifier: GPL-2.0-only
/*
 * Past the current instruction: its length, and what completing it means.
 *
 * Hosts without next-RIP saving pay for the length on every CPUID, RDMSR, HLT...,
 * so the few instructions that exit are known here by their first bytes, without
 * prefixes: one checked translation (code.c), one read of four bytes, a look at
 * two of them. All others take the decoder. vm->srcu held; may sleep.
 */
#include <linux/kernel.h>
#include <asm/debugreg.h>
#include "emulator.h"

/* The two-byte opcodes that exit and have no ModRM byte: bit n of word n / 64. */
static const u64 short_0f[4] = {
	/* CLTS, INVD, WBINVD; WRMSR, RDTSC, RDMSR, RDPMC */
	BIT_ULL(0x06) | BIT_ULL(0x08) | BIT_ULL(0x09) |
	BIT_ULL(0x30) | BIT_ULL(0x31) | BIT_ULL(0x32) | BIT_ULL(0x33),
	0,
	/* CPUID, RSM */
	BIT_ULL(0xa2 - 128) | BIT_ULL(0xaa - 128),
	0,
};

/* Length of an instruction that is known at a glance, else 0. Pure. */
static u8 length_at_a_glance(u32 bytes)
{
	u8 b0 = bytes, b1 = bytes >> 8, b2 = bytes >> 16;

	if (b0 == 0x0f) {
		if (short_0f[b1 >> 6] & BIT_ULL(b1 & 63))
			return 2;
		/* VMMCALL, XSETBV, RDTSCP, MONITOR, MWAIT, ... in their register form. */
		if (b1 == 0x01 && b2 >= 0xc0)
			return 3;
		/* MOV CR and DR. */
		if ((b1 & 0xfc) == 0x20)
			return 3;
		return 0;
	}
	if (b0 == 0xf4 || (b0 & 0xfc) == 0xec)	/* HLT; IN and OUT by DX */
		return 1;
	if ((b0 & 0xfc) == 0xe4)		/* IN and OUT by immediate */
		return 2;
	if (b0 == 0xf3 && b1 == 0x90)		/* PAUSE */
		return 2;
	return 0;
}

/* Past 4 GiB in 64-bit code rip is all 64 bits; elsewhere it stays within 32. */
static noinline u64 advance_far(struct vmmu_vcpu *vcpu, u64 next)
{
	struct vmmu_code code;

	vmmu_code_at_rip(vcpu, &code);
	return code.mode == 8 ? next : (u32)next;
}

static u64 advance(struct vmmu_vcpu *vcpu, u8 len)
{
	u64 next = vcpu->rip + len;

	return likely(!((next ^ vcpu->rip) >> 32)) ? next : advance_far(vcpu, next);
}

/* Apart, because large local variables cost their initialisation. */
static noinline int skip_decoded(struct vmmu_vcpu *vcpu)
{
	struct vmmu_exception ex;
	struct vmmu_code code;
	struct vmmu_insn insn;
	int r;

	vmmu_code_at_rip(vcpu, &code);
	r = vmmu_fetch_decode(vcpu, &code, &insn, &ex);
	/*
	 * The processor has just executed it, so a fault here means that another vCPU
	 * changed the mapping: the guest runs into the fault by itself.
	 */
	if (r == EM_FAULT)
		return 1;
	if (r)
		return vmmu_emulation_failed(vcpu);
	return vmmu_skip_to(vcpu, advance(vcpu, insn.len));
}

static u8 glance(struct vmmu_vcpu *vcpu)
{
	/* All of it is written by vmmu_code_at_rip(). */
	struct vmmu_code code __attribute__((uninitialized));
	u32 bytes;

	vmmu_code_at_rip(vcpu, &code);
	return vmmu_code_peek(vcpu, &code, &bytes) ? length_at_a_glance(bytes) : 0;
}

bool vmmu_skip_atomic(struct vmmu_vcpu *vcpu)
{
	u8 len = vmmu_cpu_caps.next_rip ? vmmu_cpu->insn_len(vcpu) : 0;
	u64 next;

	if (!len) {
		struct vmmu_code code __attribute__((uninitialized));
		u32 bytes;

		vmmu_code_at_rip(vcpu, &code);
		if (!vmmu_code_peek_atomic(vcpu, &code, &bytes))
			return false;
		len = length_at_a_glance(bytes);
	}
	next = vcpu->rip + len;
	if (!len || ((next ^ vcpu->rip) >> 32))
		return false;
	vcpu->rip = next;
	vmmu_cpu->set_irq_shadow(vcpu, 0);
	return true;
}

int vmmu_skip_bytes(struct vmmu_vcpu *vcpu, u8 len)
{
	if (!len)
		len = glance(vcpu);
	return likely(len) ? vmmu_skip_to(vcpu, advance(vcpu, len)) : skip_decoded(vcpu);
}

int vmmu_skip_insn(struct vmmu_vcpu *vcpu)
{
	return vmmu_skip_bytes(vcpu, vmmu_cpu_caps.next_rip ? vmmu_cpu->insn_len(vcpu) : 0);
}

/**
 * vmmu_skip_to() - the current instruction is complete
 * @vcpu: loaded, its thread's own
 * @next_rip: where the guest goes on
 *
 * Ends the interrupt shadow and RF, and delivers the single steps that are due: the
 * guest's own, and user space's (KVM_EXIT_DEBUG). Return: 1 or 0.
 */
int vmmu_skip_to(struct vmmu_vcpu *vcpu, u64 next_rip)
{
	u64 rflags = vmmu_get_rflags(vcpu);

	vcpu->rip = next_rip;
	if (vmmu_cpu->get_irq_shadow(vcpu))
		vmmu_cpu->set_irq_shadow(vcpu, 0);
	if (unlikely(rflags & X86_EFLAGS_RF))
		vmmu_set_rflags(vcpu, rflags & ~(u64)X86_EFLAGS_RF);
	if (unlikely(rflags & X86_EFLAGS_TF))
		vmmu_queue_exception_payload(vcpu, VECTOR_DB, DR_STEP);
	if (unlikely(em_user_steps(vcpu)))
		return vmmu_exit_debug(vcpu, VECTOR_DB, DR_STEP | DR6_RESERVED,
				       vmmu_linear_rip(vcpu));
	return 1;
}

u64 vmmu_insn_linear(struct vmmu_vcpu *vcpu, const struct vmmu_insn *insn)
{
	u64 ea = vmmu_insn_ea(insn, vcpu->regs, vcpu->rip + insn->len);
	enum vmmu_seg seg = vmmu_insn_seg(insn);
	struct kvm_segment s;

	if (insn->mode == 8 && seg < VMMU_SEG_FS)
		return ea;
	vmmu_cpu->get_segment(vcpu, seg, &s);
	return insn->mode == 8 ? s.base + ea : (u32)(s.base + ea);
}

/*
 * MOV to and from CR, and INVLPG of what a register points to, without prefixes: on shadow
 * tables they are most of what has to be decoded. False: another instruction.
 */
static __always_inline bool decode_at_a_glance(struct vmmu_vcpu *vcpu,
					       const struct vmmu_code *code, u32 bytes,
					       struct vmmu_insn_info *info)
{
	u8 opcode = bytes >> 8, modrm = bytes >> 16;

	if ((u8)bytes != 0x0f)
		return false;
	*info = (struct vmmu_insn_info) {
		.len = 3, .opcode_map = 1, .opcode = opcode, .modrm = modrm, .has_modrm = true,
		.reg = (modrm >> 3) & 7, .rm = modrm & 7, .op_bytes = code->mode,
	};
	if (opcode == 0x20 || opcode == 0x22)
		return true;
	/* SIB, RIP-relative and BP forms, and other segments than a flat one, are not simple. */
	if (opcode != 0x01 || (modrm & 0xf8) != 0x38 || info->rm == VMMU_RSP ||
	    info->rm == VMMU_RBP || code->mode != 8)
		return false;
	info->mem = true;
	info->linear = vcpu->regs[info->rm];
	return true;
}

/* Apart, because large local variables cost their initialisation. */
static noinline int decode_fully(struct vmmu_vcpu *vcpu, const struct vmmu_code *code,
				 struct vmmu_insn_info *info)
{
	struct vmmu_exception ex;
	struct vmmu_insn insn;
	int r = vmmu_fetch_decode(vcpu, code, &insn, &ex);

	if (r == EM_FAULT) {
		vmmu_inject_exception(vcpu, &ex);
		return VMMU_INSN_FAULT;
	}
	if (r)
		return vmmu_emulation_failed(vcpu);
	*info = (struct vmmu_insn_info) {
		.len = insn.len,
		.opcode_map = insn.map,
		.opcode = insn.opcode,
		.modrm = insn.modrm,
		.has_modrm = insn.has_modrm,
		.reg = insn.reg,
		.rm = insn.rm,
		.op_bytes = insn.op_bytes,
		.prefixes = insn.prefixes,
		.mem = insn.mem,
		.linear = insn.mem ? vmmu_insn_linear(vcpu, &insn) : 0,
	};
	return 1;
}

/**
 * vmmu_decode_current() - what stands at rip, for exits that hardware does not decode
 * @vcpu: loaded, its thread's own
 * @info: filled on 1
 *
 * vm->srcu held, may sleep. Return: 1 with *info filled; VMMU_INSN_FAULT: the fetch's
 * fault is queued, resume; 0: exit to user space filled.
 */
int vmmu_decode_current(struct vmmu_vcpu *vcpu, struct vmmu_insn_info *info)
{
	/* All of it is written by vmmu_code_at_rip(). */
	struct vmmu_code code __attribute__((uninitialized));
	u32 bytes;

	vmmu_code_at_rip(vcpu, &code);
	if (vmmu_code_peek(vcpu, &code, &bytes) &&
	    decode_at_a_glance(vcpu, &code, bytes, info))
		return 1;
	return decode_fully(vcpu, &code, info);
}

bool vmmu_decode_atomic(struct vmmu_vcpu *vcpu, struct vmmu_insn_info *info)
{
	struct vmmu_code code __attribute__((uninitialized));
	u32 bytes;

	vmmu_code_at_rip(vcpu, &code);
	return code.mode == 8 && vmmu_code_peek_atomic(vcpu, &code, &bytes) &&
	       decode_at_a_glance(vcpu, &code, bytes, info);
}
