// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instruction fetch: from the bytes that hardware kept, else through the guest's
 * page tables.
 *
 * The page of rip is read first; the next page only when the decoder says that
 * the instruction goes on there, because only then may its fault reach the guest.
 * No translation is cached between exits: under nested paging the guest changes
 * its tables without our knowing. vm->srcu held; may sleep.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include "emulator.h"
#include "vmmu/memslot.h"
#include "vmmu/vm.h"

void vmmu_code_at_rip(struct vmmu_vcpu *vcpu, struct vmmu_code *code)
{
	struct kvm_segment cs;

	vmmu_cpu->get_segment(vcpu, VMMU_SEG_CS, &cs);
	if (cs.l && (vmmu_cpu->get_efer(vcpu) & EFER_LMA)) {
		code->mode = 8;
		code->linear = vcpu->rip;
		return;
	}
	code->mode = cs.db ? 4 : 2;
	code->linear = (u32)(cs.base + vcpu->rip);
}

/* Up to @want bytes at @linear, within its page. The count, 0: fault in *ex, or <0. */
static int fetch_page(struct vmmu_vcpu *vcpu, u64 linear, u8 *buf, unsigned int want,
		      struct vmmu_exception *ex)
{
	unsigned int n = min_t(unsigned int, want, PAGE_SIZE - offset_in_page(linear));
	struct vmmu_paging_mode mode;
	u64 access = VMMU_PFERR_FETCH;
	struct vmmu_walk walk;
	int r;

	vmmu_paging_mode(vcpu, &mode);
	if (mode.cpl == 3)
		access |= VMMU_PFERR_USER;
	r = vmmu_gva_walk(vcpu, &mode, linear, access, true, &walk, ex);
	if (r)
		return r < 0 ? r : 0;
	r = vmmu_read_guest(vcpu->vm, walk.gpa, buf, n);
	return r ?: n;
}

int vmmu_fetch_decode(struct vmmu_vcpu *vcpu, const struct vmmu_code *code,
		      struct vmmu_insn *insn, struct vmmu_exception *ex)
{
	int r, n;

	n = vmmu_cpu->insn_bytes(vcpu, insn->bytes);
	for (;;) {
		insn->nr_bytes = n;
		r = n ? vmmu_insn_decode(insn, code->mode) : -ENODATA;
		if (r != -ENODATA || n == VMMU_INSN_MAX)
			return r ? EM_UNHANDLED : EM_OK;
		r = fetch_page(vcpu, code->linear + n, insn->bytes + n, VMMU_INSN_MAX - n, ex);
		if (r <= 0)
			return r ? EM_UNHANDLED : EM_FAULT;
		n += r;
	}
}

unsigned int vmmu_fetch_bytes(struct vmmu_vcpu *vcpu, u8 *bytes)
{
	struct vmmu_exception ex;
	struct vmmu_code code;
	unsigned int n = 0;
	int r;

	vmmu_code_at_rip(vcpu, &code);
	do {
		r = fetch_page(vcpu, code.linear + n, bytes + n, VMMU_INSN_MAX - n, &ex);
		if (r > 0)
			n += r;
	} while (r > 0 && n < VMMU_INSN_MAX);
	return n;
}
