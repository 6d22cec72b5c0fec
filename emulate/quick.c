// SPDX-License-Identifier: GPL-2.0-only
/*
 * MOV between a register and a device, the second time.
 *
 * Most of what drivers do to a device is one instruction in one place. The last
 * few are kept decoded; if the same bytes still stand at rip, in 64-bit code, and
 * the operand is where the processor has just faulted, there is nothing to
 * decode, to translate or to check: the processor has made every check that
 * comes before a nested page fault. All else goes the long way and ends the
 * same.
 *
 * vcpu->mutex and vm->srcu held; sleeps as bus devices do, and to read code.
 */
#include <linux/kernel.h>
#include <linux/unaligned.h>
#include "emulator.h"
#include "vmmu/vm.h"

static struct vmmu_mov *mov_at_rip(struct vmmu_vcpu *vcpu)
{
	return &vcpu->emul.mov[vcpu->rip / 2 % VMMU_NR_MOVS];
}

/* Those of the 8 bytes from @first on that belong to an instruction of @len. */
static u64 own_bytes(unsigned int first, unsigned int len)
{
	return len > first ? em_mask(len - first) : 0;
}

/* Keep what has just been decoded, if it is of the kind. */
void em_quick_keep(struct vmmu_vcpu *vcpu, const struct vmmu_insn *insn)
{
	struct vmmu_mov *m = mov_at_rip(vcpu);

	if (insn->attr_op != DO_MOV || !insn->mem || insn->mode != 8 || insn->addr_bytes != 8 ||
	    insn->nr_bytes != VMMU_INSN_MAX || (insn->prefixes & VMMU_PREFIX_LOCK) ||
	    vmmu_insn_seg(insn) >= VMMU_SEG_FS)
		return;
	*m = (struct vmmu_mov) {
		.valid = true,
		.load = insn->opcode & 2,
		.rip_relative = insn->rip_relative,
		.len = insn->len,
		.size = insn->attr & OP_BYTE ? 1 : insn->op_bytes,
		.reg = insn->reg,
		.base = insn->base,
		.index = insn->index,
		.scale = insn->scale,
		.disp = insn->disp,
		.mask = { own_bytes(0, insn->len), own_bytes(VMMU_INSN_MAX - 8, insn->len) },
	};
	m->word[0] = get_unaligned((const u64 *)insn->bytes) & m->mask[0];
	m->word[1] = get_unaligned((const u64 *)(insn->bytes + VMMU_INSN_MAX - 8)) & m->mask[1];
	/* AH to BH, which a REX prefix makes unreachable. */
	m->high = m->size == 1 && insn->reg >= 4 && insn->reg < 8 && !insn->rex;
	m->reg -= m->high ? 4 : 0;
}

/* Does the operand lie, as a whole, in the page that faulted, and where it faulted? */
static bool same_operand(const struct vmmu_vcpu *vcpu, const struct vmmu_mov *m, gpa_t gpa)
{
	u64 ea = m->disp;

	if (m->rip_relative)
		ea += vcpu->rip + m->len;
	if (m->base >= 0)
		ea += vcpu->regs[m->base];
	if (m->index >= 0)
		ea += vcpu->regs[m->index] << m->scale;
	ea = offset_in_page(ea);
	return ea == offset_in_page(gpa) && ea + m->size <= PAGE_SIZE;
}

int em_quick(struct vmmu_vcpu *vcpu, gpa_t gpa)
{
	const struct vmmu_mov *m = mov_at_rip(vcpu);
	struct vmmu_code code __attribute__((uninitialized));

	if (!m->valid || em_user_steps(vcpu) || !same_operand(vcpu, m, gpa))
		return -EAGAIN;
	vmmu_code_at_rip(vcpu, &code);
	if (code.mode != 8 || !vmmu_code_same(vcpu, &code, m))
		return -EAGAIN;
	/* RAM for reading only, or a slot that comes or goes. */
	if (vmmu_gfn_to_slot(vcpu->vm, gpa_to_gfn(gpa)))
		return -EAGAIN;
	return em_mov_device(vcpu, gpa, m);
}
