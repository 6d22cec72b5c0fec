// SPDX-License-Identifier: GPL-2.0-only
/*
 * String instructions: MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS, with REP.
 *
 * Each iteration of a REP is a transaction of its own: registers are committed
 * and the log is emptied between two. So an exit or a fault in the n-th leaves
 * n - 1 complete, as the architecture wants, and the instruction goes on from
 * there. A run is bounded; it also ends when something waits for the vCPU, or
 * when somebody single-steps. INS and OUTS with RAM move up to a page per exit.
 */
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include "emulator.h"
#include "vmmu/irq.h"
#include "vmmu/memslot.h"
#include "vmmu/vm.h"

/*
 * Iterations in one go. A store to RAM comes here because a shadowed table is there: after
 * WRITES_MAX of mmu/shadow/write.c it is none any more, and the processor goes on by itself.
 */
#define REP_BATCH	1024
#define REP_STORES	4

static void advance(struct vmmu_emul *em, unsigned int reg, unsigned int bytes, unsigned int n)
{
	s64 step = (s64)bytes * n;

	em_add_reg(em, reg, em->insn.addr_bytes,
		   em->rflags & X86_EFLAGS_DF ? -step : step);
}

static enum vmmu_seg source_seg(const struct vmmu_emul *em)
{
	return em->insn.seg >= 0 ? em->insn.seg : VMMU_SEG_DS;
}

static int source(struct vmmu_emul *em, unsigned int bytes, u64 *linear)
{
	u64 ea = em_reg(em, VMMU_RSI, em->insn.addr_bytes);

	return em_linear(em, source_seg(em), ea, bytes, false, linear);
}

static int destination(struct vmmu_emul *em, unsigned int bytes, bool write, u64 *linear)
{
	u64 ea = em_reg(em, VMMU_RDI, em->insn.addr_bytes);

	return em_linear(em, VMMU_SEG_ES, ea, bytes, write, linear);
}

static int movs(struct vmmu_emul *em, unsigned int bytes)
{
	u64 src, dst, val = 0;
	int r;

	r = source(em, bytes, &src) ?: destination(em, bytes, true, &dst) ?:
	    em_read(em, src, &val, bytes, 0) ?: em_write(em, dst, &val, bytes);
	if (r)
		return r;
	advance(em, VMMU_RSI, bytes, 1);
	advance(em, VMMU_RDI, bytes, 1);
	return EM_OK;
}

static int cmps(struct vmmu_emul *em, unsigned int bytes)
{
	u64 src, dst, a = 0, b = 0;
	int r;

	r = source(em, bytes, &src) ?: destination(em, bytes, false, &dst) ?:
	    em_read(em, src, &a, bytes, 0) ?: em_read(em, dst, &b, bytes, 0);
	if (r)
		return r;
	alu_binary(ALU_CMP, a, b, bytes, &em->rflags);
	advance(em, VMMU_RSI, bytes, 1);
	advance(em, VMMU_RDI, bytes, 1);
	return EM_OK;
}

static int stos(struct vmmu_emul *em, unsigned int bytes)
{
	u64 dst, val = em_reg(em, VMMU_RAX, bytes);
	int r;

	r = destination(em, bytes, true, &dst) ?: em_write(em, dst, &val, bytes);
	if (!r)
		advance(em, VMMU_RDI, bytes, 1);
	return r;
}

static int lods(struct vmmu_emul *em, unsigned int bytes)
{
	u64 src, val = 0;
	int r;

	r = source(em, bytes, &src) ?: em_read(em, src, &val, bytes, 0);
	if (r)
		return r;
	em_set_reg(em, VMMU_RAX, bytes, val);
	advance(em, VMMU_RSI, bytes, 1);
	return EM_OK;
}

static int scas(struct vmmu_emul *em, unsigned int bytes)
{
	u64 dst, val = 0;
	int r;

	r = destination(em, bytes, false, &dst) ?: em_read(em, dst, &val, bytes, 0);
	if (r)
		return r;
	alu_binary(ALU_CMP, em->regs[VMMU_RAX], val, bytes, &em->rflags);
	advance(em, VMMU_RDI, bytes, 1);
	return EM_OK;
}

/*
 * How many of @left elements of a REP one exit may carry: those up to the end of the
 * page at @linear, when that is RAM and the segment reaches so far. 1: no batch.
 */
static u32 batch_size(struct vmmu_emul *em, enum vmmu_seg seg, unsigned int reg,
		      unsigned int bytes, u64 left, bool write, u64 linear, gpa_t *gpa)
{
	struct vmmu_exception saved = em->ex;
	u64 ea = em_reg(em, reg, em->insn.addr_bytes);
	u64 end, n;

	if (left < 2 || (em->rflags & (X86_EFLAGS_DF | X86_EFLAGS_TF)) ||
	    em_user_steps(em->vcpu))
		return 1;
	n = min_t(u64, left, (PAGE_SIZE - offset_in_page(linear)) / bytes);
	/* Not past the wrap of a 16- or 32-bit address. */
	if (em->insn.addr_bytes < 8)
		n = min_t(u64, n, (em_mask(em->insn.addr_bytes) + 1 - ea) / bytes);
	if (n < 2)
		return 1;
	if (em_linear_range(em, seg, ea, n * bytes, write, &end) ||
	    em_translate(em, linear, write ? VMMU_PFERR_WRITE : 0, gpa) ||
	    em_ram(em, *gpa, write)) {
		em->ex = saved;
		return 1;
	}
	return n;
}

/*
 * User space's elements have come: store them. It may have changed registers
 * meanwhile, so the bounds are computed again.
 */
static int ins_store_batch(struct vmmu_emul *em, u64 dst, unsigned int bytes, u64 left, u64 *done)
{
	struct vmmu_emul_vcpu *st = &em->vcpu->emul;
	u32 n = min3((u64)st->batch, left, (u64)(PAGE_SIZE - offset_in_page(dst)) / bytes);
	gpa_t gpa;
	int r;

	r = em_translate(em, dst, VMMU_PFERR_WRITE, &gpa) ?: em_ram(em, gpa, true);
	if (r)
		return r;
	r = em_store(em, gpa, em->vcpu->pio_data, n * bytes);
	if (r)
		return r;
	*done = n;
	st->batch = 0;
	st->batch_ready = false;
	return EM_OK;
}

static int ins(struct vmmu_emul *em, unsigned int bytes, u64 left, u64 *done)
{
	u16 port = em->regs[VMMU_RDX];
	u64 dst, val = 0;
	gpa_t gpa;
	u32 n;
	int r;

	r = em_port_permitted(em, port, bytes) ?: destination(em, bytes, true, &dst);
	if (r)
		return r;
	if (em->vcpu->emul.batch_ready) {
		r = ins_store_batch(em, dst, bytes, left, done);
	} else {
		n = batch_size(em, VMMU_SEG_ES, VMMU_RDI, bytes, left, true, dst, &gpa);
		if (n > 1) {
			if (vmmu_bus_read(em->vcpu, VMMU_BUS_PIO, port, bytes, &val))
				return em_exit_ins(em, port, bytes, n);
			r = em_write(em, dst, &val, bytes);
		} else {
			/* Find out that the store faults before the device is read. */
			r = em_translate(em, dst, VMMU_PFERR_WRITE, &gpa) ?:
			    em_port(em, port, &val, bytes, false, false) ?:
			    em_write(em, dst, &val, bytes);
		}
	}
	if (!r)
		advance(em, VMMU_RDI, bytes, *done);
	return r;
}

static int outs(struct vmmu_emul *em, unsigned int bytes, u64 left, u64 *done)
{
	struct vmmu_vcpu *vcpu = em->vcpu;
	u16 port = em->regs[VMMU_RDX];
	u64 src, val = 0;
	gpa_t gpa;
	u32 n;
	int r;

	r = em_port_permitted(em, port, bytes) ?: source(em, bytes, &src);
	if (r)
		return r;
	n = batch_size(em, source_seg(em), VMMU_RSI, bytes, left, false, src, &gpa);
	r = em_read(em, src, &val, bytes, 0);
	if (r)
		return r;
	if (n == 1) {
		r = em_port(em, port, &val, bytes, true, true);
		if (r)
			return r;
	} else if (vmmu_bus_write(vcpu, VMMU_BUS_PIO, port, bytes, &val)) {
		r = vmmu_read_guest(vcpu->vm, gpa, vcpu->pio_data, n * bytes);
		if (r)
			return r;
		em_fill_port_exit(vcpu, port, bytes, n, false);
		em->posted = true;
		*done = n;
	}
	advance(em, VMMU_RSI, bytes, *done);
	return EM_OK;
}

/* One iteration; INS and OUTS may do *done > 1 of the @left. */
static int iterate(struct vmmu_emul *em, u64 left, u64 *done)
{
	unsigned int bytes = em_bytes(em);

	*done = 1;
	switch (em->insn.attr_op) {
	case DO_MOVS:
		return movs(em, bytes);
	case DO_CMPS:
		return cmps(em, bytes);
	case DO_STOS:
		return stos(em, bytes);
	case DO_LODS:
		return lods(em, bytes);
	case DO_SCAS:
		return scas(em, bytes);
	case DO_INS:
		return ins(em, min(bytes, 4U), left, done);
	default:
		return outs(em, min(bytes, 4U), left, done);
	}
}

/* REPE and REPNE end a comparison early; other string instructions know REP only. */
static bool comparison_ends(const struct vmmu_emul *em)
{
	bool zero = em->rflags & X86_EFLAGS_ZF;

	if (em->insn.attr_op != DO_CMPS && em->insn.attr_op != DO_SCAS)
		return false;
	return zero != !!(em->insn.prefixes & VMMU_PREFIX_REP);
}

static bool must_pause(const struct vmmu_emul *em, u64 iterations)
{
	bool stores = em->insn.attr_op == DO_STOS || em->insn.attr_op == DO_MOVS;

	return em->posted || iterations >= (stores ? REP_STORES : REP_BATCH) ||
	       (em->rflags & X86_EFLAGS_TF) ||
	       em_user_steps(em->vcpu) || READ_ONCE(em->vcpu->requests) ||
	       signal_pending(current) || need_resched();
}

int em_string(struct vmmu_emul *em)
{
	unsigned int asz = em->insn.addr_bytes;
	u64 iterations, done;
	int r;

	if (!(em->insn.prefixes & (VMMU_PREFIX_REP | VMMU_PREFIX_REPNE)))
		return iterate(em, 1, &done);

	for (iterations = 1; ; iterations++) {
		u64 left = em_reg(em, VMMU_RCX, asz);

		if (!left)
			return EM_OK;
		r = iterate(em, left, &done);
		if (r)
			return r;
		em_add_reg(em, VMMU_RCX, asz, -(s64)done);
		if (left == done || comparison_ends(em))
			return EM_OK;
		if (must_pause(em, iterations)) {
			em->more = true;
			return EM_OK;
		}
		em_checkpoint(em);
	}
}

/* IN and OUT in all their forms. */
int em_port_insn(struct vmmu_emul *em)
{
	unsigned int bytes = min_t(unsigned int, em_bytes(em), 4);
	u16 port = em->insn.opcode < 0xe8 ? (u8)em->insn.imm : (u16)em->regs[VMMU_RDX];
	bool out = em->insn.opcode & 2;
	u32 val = em->regs[VMMU_RAX];
	int r;

	r = em_port_permitted(em, port, bytes) ?: em_port(em, port, &val, bytes, out, true);
	if (!r && !out)
		em_set_reg(em, VMMU_RAX, bytes, val);
	return r;
}
