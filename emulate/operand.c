// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operands: registers by size, segmentation, and the r/m operand.
 *
 * Registers are those of the scratch state; nothing here touches the vCPU's.
 * Segment registers are read from the back end on first use. Memory goes through
 * memory.c, so what reads or writes it may sleep.
 */
#include <linux/kernel.h>
#include <asm/page.h>
#include "emulator.h"

#define SEG_TYPE_CODE		BIT(3)
#define SEG_TYPE_EXPAND_DOWN	BIT(2)
#define SEG_TYPE_RW		BIT(1)	/* data: writable; code: readable */

u64 em_reg(const struct vmmu_emul *em, unsigned int reg, unsigned int bytes)
{
	return em->regs[reg] & em_mask(bytes);
}

/* As the processor writes parts: 4 bytes clear the upper half, 1 and 2 keep the rest. */
void em_set_reg(struct vmmu_emul *em, unsigned int reg, unsigned int bytes, u64 val)
{
	u64 mask = em_mask(bytes);

	if (bytes == 4)
		em->regs[reg] = (u32)val;
	else
		em->regs[reg] = (em->regs[reg] & ~mask) | (val & mask);
}

bool em_high_byte(const struct vmmu_emul *em, unsigned int reg, unsigned int bytes)
{
	return bytes == 1 && reg >= 4 && reg < 8 && !em->insn.rex;
}

u64 em_reg_op(const struct vmmu_emul *em, unsigned int reg, unsigned int bytes)
{
	if (em_high_byte(em, reg, bytes))
		return (em->regs[reg - 4] >> 8) & 0xff;
	return em_reg(em, reg, bytes);
}

void em_set_reg_op(struct vmmu_emul *em, unsigned int reg, unsigned int bytes, u64 val)
{
	if (em_high_byte(em, reg, bytes))
		em->regs[reg - 4] = (em->regs[reg - 4] & ~0xff00ULL) | (val & 0xff) << 8;
	else
		em_set_reg(em, reg, bytes, val);
}

void em_add_reg(struct vmmu_emul *em, unsigned int reg, unsigned int bytes, s64 n)
{
	em_set_reg(em, reg, bytes, em->regs[reg] + n);
}

const struct kvm_segment *em_seg(struct vmmu_emul *em, enum vmmu_seg seg)
{
	if (!(em->seg_valid & BIT(seg))) {
		vmmu_cpu->get_segment(em->vcpu, seg, &em->seg[seg]);
		em->seg_valid |= BIT(seg);
	}
	return &em->seg[seg];
}

static int segment_fault(struct vmmu_emul *em, enum vmmu_seg seg)
{
	return em_fault(em, seg == VMMU_SEG_SS ? VECTOR_SS : VECTOR_GP, true, 0);
}

bool em_canonical(struct vmmu_emul *em, u64 linear)
{
	if (likely(__is_canonical_address(linear, 48)))
		return true;
	return (vmmu_cpu->get_cr4(em->vcpu) & X86_CR4_LA57) &&
	       __is_canonical_address(linear, 57);
}

static bool limit_ok(const struct kvm_segment *s, u64 ea, unsigned int bytes, bool data)
{
	u64 last = ea + bytes - 1;
	u32 top = s->db ? U32_MAX : U16_MAX;

	/* Expand-down data segments hold what lies above the limit. */
	if (data && !(s->type & SEG_TYPE_CODE) && (s->type & SEG_TYPE_EXPAND_DOWN))
		return ea > s->limit && last <= top;
	return last <= s->limit;
}

/* Protected mode's type checks; AMD APM vol. 2, 4.12. */
static bool type_ok(const struct kvm_segment *s, bool write)
{
	if (s->unusable || !s->present || !s->s)
		return false;
	if (s->type & SEG_TYPE_CODE)
		return !write && (s->type & SEG_TYPE_RW);
	return !write || (s->type & SEG_TYPE_RW);
}

int em_linear_range(struct vmmu_emul *em, enum vmmu_seg seg, u64 ea, unsigned int bytes,
		    bool write, u64 *linear)
{
	const struct kvm_segment *s;
	u64 base = 0;

	if (em->code_bytes == 8) {
		if (seg >= VMMU_SEG_FS)
			base = em_seg(em, seg)->base;
		*linear = base + ea;
		if (!em_canonical(em, *linear) || !em_canonical(em, *linear + bytes - 1))
			return segment_fault(em, seg);
		return EM_OK;
	}
	s = em_seg(em, seg);
	if (em->protected && !type_ok(s, write))
		return segment_fault(em, seg);
	if (!limit_ok(s, ea, bytes, em->protected))
		return segment_fault(em, seg);
	*linear = (u32)(s->base + ea);
	return EM_OK;
}

int em_linear(struct vmmu_emul *em, enum vmmu_seg seg, u64 ea, unsigned int bytes, bool write,
	      u64 *linear)
{
	int r = em_linear_range(em, seg, ea, bytes, write, linear);

	if (r || likely(!(em->rflags & X86_EFLAGS_AC)) || em->cpl != 3)
		return r;
	if (bytes > 1 && bytes <= 8 && (*linear & (bytes - 1)) &&
	    (vmmu_cpu->get_cr0(em->vcpu) & X86_CR0_AM))
		return em_fault(em, VECTOR_AC, true, 0);
	return EM_OK;
}

int em_mem(struct vmmu_emul *em, unsigned int bytes, bool write, u64 *linear)
{
	u64 next_rip = em->vcpu->rip + em->insn.len;
	u64 ea = vmmu_insn_ea(&em->insn, em->regs, next_rip) + em->ea_offset;

	ea &= em_mask(em->insn.addr_bytes);
	return em_linear(em, vmmu_insn_seg(&em->insn), ea, bytes, write, linear);
}

int em_rm_read(struct vmmu_emul *em, unsigned int bytes, bool rw, u64 *val)
{
	int r;

	*val = 0;
	if (!em->insn.mem) {
		*val = em_reg_op(em, em->insn.rm, bytes);
		return EM_OK;
	}
	r = em_mem(em, bytes, rw, &em->mem_linear);
	if (r)
		return r;
	em->mem_valid = true;
	em->rmw = rw;
	r = em_read(em, em->mem_linear, val, bytes, rw ? VMMU_PFERR_WRITE : 0);
	em->rmw_old = *val;
	return r;
}

int em_rm_write(struct vmmu_emul *em, unsigned int bytes, u64 val)
{
	int r;

	if (!em->insn.mem) {
		em_set_reg_op(em, em->insn.rm, bytes, val);
		return EM_OK;
	}
	if (!em->mem_valid) {
		r = em_mem(em, bytes, true, &em->mem_linear);
		if (r)
			return r;
		em->mem_valid = true;
	}
	/* XCHG locks without being asked. */
	if (em->rmw && ((em->insn.prefixes & VMMU_PREFIX_LOCK) || em->insn.attr_op == DO_XCHG))
		return em_cmpxchg(em, em->mem_linear, em->rmw_old, val, bytes);
	return em_write(em, em->mem_linear, &val, bytes);
}
