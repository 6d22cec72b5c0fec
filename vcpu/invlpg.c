// SPDX-License-Identifier: GPL-2.0-only
/*
 * INVLPG and INVPCID, for guests whose page tables we shadow: which of the
 * translations that a processor might have cached the guest gave up.
 *
 * Own thread, vCPU loaded, vm->srcu held; INVPCID may sleep (it reads its
 * descriptor). Each returns 1 or 0 as an exit handler does and moves rip.
 *
 * Intel SDM vol. 2, INVPCID; vol. 3, 4.10.4. AMD APM vol. 3, INVLPG, INVPCID.
 */
#include <asm/page.h>
#include <asm/processor-flags.h>
#include "vmmu/paging.h"
#include "vmmu/vm.h"
#include "invlpg.h"

static bool canonical(u64 gva, u64 cr4)
{
	return __is_canonical_address(gva, cr4 & X86_CR4_LA57 ? 57 : 48);
}

/**
 * vmmu_exit_invlpg() - the guest invalidates the translation of one address
 * @vcpu: loaded, CPL 0
 * @gva: linear, its segment's base included
 * @len: of the instruction; 0: not known
 *
 * Return: 1 or 0.
 */
int vmmu_exit_invlpg(struct vmmu_vcpu *vcpu, u64 gva, u8 len)
{
	/* Of an address that cannot be used nothing is cached. */
	if (canonical(gva, vmmu_cpu->get_cr4(vcpu)))
		vmmu_mmu_invlpg(vcpu, gva);
	return vmmu_skip_bytes(vcpu, len);
}

/**
 * vmmu_invpcid_legal() - may INVPCID be asked for this, or is it #GP? Pure
 * @type: the register operand
 * @desc: the descriptor: PCID and reserved bits, linear address
 * @cr4: the guest's
 */
bool vmmu_invpcid_legal(u64 type, const u64 desc[2], u64 cr4)
{
	if (type >= INVPCID_TYPES || (desc[0] & ~(u64)X86_CR3_PCID_MASK))
		return false;
	if (type > INVPCID_PCID)
		return true;
	if (!(cr4 & X86_CR4_PCIDE) && desc[0])
		return false;
	return type == INVPCID_PCID || canonical(desc[1], cr4);
}

/* More than one address of the PCID in use is everything. */
static void invalidate(struct vmmu_vcpu *vcpu, u64 type, const u64 desc[2])
{
	u64 current_pcid = vmmu_cpu->get_cr4(vcpu) & X86_CR4_PCIDE ?
			   vmmu_cpu->get_cr3(vcpu) & X86_CR3_PCID_MASK : 0;

	if (type == INVPCID_ADDRESS && desc[0] == current_pcid)
		vmmu_mmu_invlpg(vcpu, desc[1]);
	else
		vmmu_mmu_guest_flush(vcpu);
}

/**
 * vmmu_exit_invpcid() - INVPCID
 * @vcpu: loaded
 * @type: its register operand
 * @linear: of its descriptor
 *
 * Return: 1 or 0.
 */
int vmmu_exit_invpcid(struct vmmu_vcpu *vcpu, u64 type, u64 linear)
{
	struct vmmu_exception e;
	u64 desc[2];
	int r;

	if (vmmu_cpu->get_cpl(vcpu)) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	r = vmmu_read_gva(vcpu, linear, desc, sizeof(desc), 0, &e);
	if (r < 0)
		return vmmu_emulation_failed(vcpu);
	if (r) {
		vmmu_inject_exception(vcpu, &e);
		return 1;
	}
	if (!vmmu_invpcid_legal(type, desc, vmmu_cpu->get_cr4(vcpu))) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	invalidate(vcpu, type, desc);
	return vmmu_skip_insn(vcpu);
}
