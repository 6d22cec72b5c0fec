// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's entry: one transaction from fetch to commit, or to the exit.
 *
 * The vCPU's registers change at commit only (and between the iterations of a
 * REP, each of which is a transaction of its own). Until then everything happens
 * in struct vmmu_emul on the stack; what must survive an exit to user space is
 * in vcpu->emul. vcpu->mutex and vm->srcu held; may sleep.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include "emulator.h"
#include "vmmu/vm.h"

/* A locked operation that lost this often lets the guest run and come back. */
#define LOCKED_TRIES	64
/* How often an instruction that we cannot emulate goes back to the processor in vain. */
#define NATIVE_TRIES	8

/* The scratch state is the vCPU's again. */
static void begin(struct vmmu_emul *em)
{
	memcpy(em->regs, em->vcpu->regs, sizeof(em->regs));
	em->rip = em->vcpu->rip + em->insn.len;
	if (em->code_bytes != 8)
		em->rip = (u32)em->rip;
	em->rflags = em->old_rflags;
	em->more = false;
	em->posted = false;
	em->mem_valid = false;
	em->rmw = false;
	em->new_shadow = 0;
	em->ea_offset = 0;
	em->vcpu->emul.cursor = 0;
}

static void write_back(struct vmmu_emul *em)
{
	memcpy(em->vcpu->regs, em->regs, sizeof(em->regs));
	if (em->rflags != em->old_rflags) {
		vmmu_set_rflags(em->vcpu, em->rflags);
		em->old_rflags = em->rflags;
	}
}

void em_checkpoint(struct vmmu_emul *em)
{
	struct vmmu_emul_vcpu *st = &em->vcpu->emul;

	write_back(em);
	em->mem_valid = false;
	em->rmw = false;
	st->cursor = 0;
	st->nr_done = 0;
	st->batch = 0;
	st->batch_ready = false;
	st->fault_gpa_valid = false;
}

static int commit(struct vmmu_emul *em)
{
	struct vmmu_vcpu *vcpu = em->vcpu;
	u32 shadow = em->new_shadow;
	int r;

	/* STI under a shadow, and MOV SS twice, do not lengthen it. */
	if (shadow && (vmmu_cpu->get_irq_shadow(vcpu) & shadow))
		shadow = 0;
	write_back(em);
	r = vmmu_skip_to(vcpu, em->more ? vcpu->rip : em->rip);
	if (shadow)
		vmmu_cpu->set_irq_shadow(vcpu, shadow);
	return em->posted ? 0 : r;
}

static void read_mode(struct vmmu_emul *em, const struct vmmu_code *code)
{
	struct vmmu_vcpu *vcpu = em->vcpu;

	em->code_bytes = code->mode;
	em->cpl = vmmu_cpu->get_cpl(vcpu);
	em->old_rflags = vmmu_get_rflags(vcpu);
	em->protected = code->mode == 8 ||
			((vmmu_cpu->get_cr0(vcpu) & X86_CR0_PE) &&
			 !(em->old_rflags & X86_EFLAGS_VM));
}

/* The instruction of this transaction: kept bytes when it ran before. */
static int load_insn(struct vmmu_emul *em, const struct vmmu_code *code)
{
	struct vmmu_emul_vcpu *st = &em->vcpu->emul;
	int r;

	if (st->nr_bytes) {
		memcpy(em->insn.bytes, st->bytes, st->nr_bytes);
		em->insn.nr_bytes = st->nr_bytes;
		return vmmu_insn_decode(&em->insn, code->mode) ? EM_UNHANDLED : EM_OK;
	}
	r = vmmu_fetch_decode(em->vcpu, code, &em->insn, &em->ex);
	if (r == EM_FAULT)
		return r;
	if (!r && st->fault_gpa_valid)
		em_quick_keep(em->vcpu, &em->insn);
	st->nr_bytes = em->insn.nr_bytes;
	memcpy(st->bytes, em->insn.bytes, st->nr_bytes);
	return r;
}

static int execute(struct vmmu_emul *em)
{
	int tries, r;

	for (tries = 0; tries < LOCKED_TRIES; tries++) {
		begin(em);
		r = em_execute(em);
		if (r != EM_AGAIN)
			return r;
	}
	return EM_RETRY;
}

int em_run(struct vmmu_vcpu *vcpu)
{
	/* Large, and each part is written before it is read: see begin(), read_mode(). */
	struct vmmu_emul em __attribute__((uninitialized));
	struct vmmu_code code __attribute__((uninitialized));
	int r;

	em.vcpu = vcpu;
	em.mode_valid = false;
	em.port_checked = false;
	em.seg_valid = 0;
	vmmu_code_at_rip(vcpu, &code);
	read_mode(&em, &code);
	r = load_insn(&em, &code);
	if (!r)
		r = execute(&em);

	switch (r) {
	case EM_OK:
		vcpu->emul.nr_given_up = 0;
		return commit(&em);
	case EM_FAULT:
		vmmu_inject_exception(vcpu, &em.ex);
		return 1;
	case EM_QUEUED:
	case EM_RETRY:
	case EM_AGAIN:
		return 1;
	case EM_EXIT:
		return 0;
	case EM_UNHANDLED:
		if (vcpu->emul.fault_gva_valid && vmmu_unshadow_insn(vcpu, vcpu->emul.fault_gva))
			return 1;
		return vmmu_emulation_failed(vcpu);
	default:
		return r;
	}
}

/**
 * vmmu_unshadow_insn() - can the processor do what faulted at @gva, tried again?
 * @vcpu: loaded, vm->srcu held
 * @gva: what the instruction, or an event's delivery, wrote to
 *
 * When nothing is shadowed there it was perhaps another vCPU that just saw to it: the
 * guest gets a few more tries. May sleep.
 */
bool vmmu_unshadow_insn(struct vmmu_vcpu *vcpu, u64 gva)
{
	struct vmmu_emul_vcpu *st = &vcpu->emul;

	if (vmmu_cpu_caps.tdp)
		return false;
	if (vmmu_mmu_unshadow(vcpu, gva)) {
		st->nr_given_up = 0;
		return true;
	}
	if (st->nr_given_up < NATIVE_TRIES) {
		st->nr_given_up++;
		return true;
	}
	st->nr_given_up = 0;
	return false;
}

static int emulate(struct vmmu_vcpu *vcpu, gpa_t fault_gpa)
{
	struct vmmu_emul_vcpu *st = &vcpu->emul;

	st->nr_done = 0;
	st->pending = false;
	st->nr_bytes = 0;
	st->batch = 0;
	st->batch_ready = false;
	st->rip = vcpu->rip;
	st->fault_gpa = fault_gpa;
	st->fault_gpa_valid = fault_gpa != VMMU_INVALID_GPA;
	if (st->fault_gpa_valid) {
		int r = em_quick(vcpu, fault_gpa);

		if (r != -EAGAIN)
			return r;
	}
	return em_run(vcpu);
}

int vmmu_emulate(struct vmmu_vcpu *vcpu, gpa_t fault_gpa)
{
	vcpu->emul.fault_gva_valid = false;
	return emulate(vcpu, fault_gpa);
}

int vmmu_emulate_gva(struct vmmu_vcpu *vcpu, u64 gva)
{
	vcpu->emul.fault_gva = gva;
	vcpu->emul.fault_gva_valid = true;
	return emulate(vcpu, VMMU_INVALID_GPA);
}

/**
 * vmmu_emulation_failed() - tell user space which instruction we cannot emulate
 * @vcpu: stands at it
 *
 * Fills KVM_EXIT_INTERNAL_ERROR with the bytes at rip as far as they can be read, then
 * the exit's reason and two information words. May sleep. Return: 0.
 */
int vmmu_emulation_failed(struct vmmu_vcpu *vcpu)
{
	struct vmmu_emul_vcpu *st = &vcpu->emul;
	struct kvm_run *run = vcpu->run;
	u64 reason, info1, info2;
	u32 intr, intr_error;
	u8 bytes[VMMU_INSN_MAX] = {};
	unsigned int n;

	if (st->nr_bytes && st->rip == vcpu->rip) {
		n = st->nr_bytes;
		memcpy(bytes, st->bytes, n);
	} else {
		n = vmmu_fetch_bytes(vcpu, bytes);
	}
	vmmu_cpu->exit_info(vcpu, &reason, &info1, &info2, &intr, &intr_error);

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	run->emulation_failure.ndata = 6;
	run->emulation_failure.flags = n ? KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES : 0;
	run->emulation_failure.insn_size = n;
	memcpy(run->emulation_failure.insn_bytes, bytes, sizeof(bytes));
	/* Words 0 to 2 are the flags and the bytes above. */
	run->internal.data[3] = reason;
	run->internal.data[4] = info1;
	run->internal.data[5] = info2;
	return 0;
}
