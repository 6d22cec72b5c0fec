// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control registers and EFER. Under nested paging the VMCB is the truth; on
 * shadow tables struct svm_vcpu is, and the VMCB has what svm_shadow_crs() makes
 * of it.
 *
 * Contract: the getters return what the guest reads. Three things may differ
 * from the VMCB in any case: EFER.SVME, which VMRUN demands; on bare metal CR0.CD
 * and NW, which would make the whole run uncached (firmware starts with CD set);
 * and CR4.MCE, which must stay on in hardware so that a machine check is an
 * exception and not a shutdown. While a bit differs, accesses exit.
 *
 * A CR exit is decoded unless hardware tells the register: see intercept.c.
 *
 * Locking: vcpu->mutex. Only the exits may sleep (they fetch code).
 */
#include "vmcb.h"

#define CR0_CACHE	(X86_CR0_CD | X86_CR0_NW)

u64 svm_get_cr0(struct vmmu_vcpu *vcpu)
{
	if (unlikely(!svm_host.npt))
		return to_svm(vcpu)->crs.cr0;
	return svm_save(vcpu)->cr0 | to_svm(vcpu)->cr0_hidden;
}

u64 svm_get_cr3(struct vmmu_vcpu *vcpu)
{
	return likely(svm_host.npt) ? svm_save(vcpu)->cr3 : to_svm(vcpu)->cr3;
}

u64 svm_get_cr4(struct vmmu_vcpu *vcpu)
{
	u64 cr4 = svm_save(vcpu)->cr4;

	if (unlikely(!svm_host.npt))
		return to_svm(vcpu)->crs.cr4;
	return to_svm(vcpu)->mce_hidden ? cr4 & ~X86_CR4_MCE : cr4;
}

u64 svm_get_efer(struct vmmu_vcpu *vcpu)
{
	if (unlikely(!svm_host.npt))
		return to_svm(vcpu)->crs.efer;
	return svm_save(vcpu)->efer & ~EFER_SVME;
}

void svm_fetch_state(struct vmmu_vcpu *vcpu, struct vmmu_fetch_state *f)
{
	struct vmcb_save_area *s = svm_save(vcpu);
	u16 attrib = s->cs.attrib;

	f->cr0 = svm_get_cr0(vcpu);
	f->cr3 = svm_get_cr3(vcpu);
	f->cr4 = svm_get_cr4(vcpu);
	f->efer = svm_get_efer(vcpu);
	f->cpl = s->cpl;
	if ((attrib & SVM_SELECTOR_L_MASK) && (f->efer & EFER_LMA)) {
		f->mode = 8;
		f->cs_base = 0;
	} else {
		f->mode = attrib & SVM_SELECTOR_DB_MASK ? 4 : 2;
		f->cs_base = s->cs.base;
	}
}

/**
 * svm_shadow_crs() - what the processor needs to run on shadow tables. Pure
 * @crs: what the guest has
 *
 * It always pages, by 8-byte entries with NX, and obeys read-only entries in supervisor mode:
 * what the guest's own WP, NXE and paging mode allow is in the tables. A guest outside long
 * mode runs on PAE tables; real mode with paging is what SVM has for that (APM vol. 2, 15.19).
 * Of the global bit our entries make another use, and there are no PCIDs. An unpaged guest's
 * pages are user pages, which nothing may keep it from.
 */
struct svm_crs svm_shadow_crs(struct svm_crs crs)
{
	bool paging = crs.cr0 & X86_CR0_PG;
	bool long_mode = crs.efer & EFER_LMA;

	crs.cr0 |= X86_CR0_PG | X86_CR0_WP;
	crs.cr4 &= ~(u64)(X86_CR4_PGE | X86_CR4_PCIDE);
	crs.cr4 |= X86_CR4_PAE;
	crs.efer |= EFER_SVME | EFER_NX;
	if (!paging)
		crs.cr4 &= ~(u64)(X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE);
	if (!long_mode) {
		crs.cr4 &= ~(u64)X86_CR4_LA57;
		crs.efer &= ~(u64)EFER_LME;
	}
	return crs;
}

static struct svm_crs guest_crs(struct vmmu_vcpu *vcpu)
{
	return (struct svm_crs) {
		.cr0 = svm_get_cr0(vcpu), .cr4 = svm_get_cr4(vcpu), .efer = svm_get_efer(vcpu),
	};
}

/* The one way from what the guest shall have to what hardware gets. */
static void set_crs(struct vmmu_vcpu *vcpu, struct svm_crs crs)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_save_area *s = &svm->vmcb->save;
	bool hide = svm_host.bare_metal &&
		    !vmmu_quirk_disabled(vcpu->vm, KVM_X86_QUIRK_CD_NW_CLEARED);
	u64 cr0_hidden = hide ? crs.cr0 & CR0_CACHE : 0;
	bool mce_hidden = svm_host.bare_metal && !(crs.cr4 & X86_CR4_MCE) &&
			  (native_read_cr4() & X86_CR4_MCE);

	if (!svm_host.npt) {
		svm->crs = crs;
		crs = svm_shadow_crs(crs);
	}
	s->cr0 = crs.cr0 & ~cr0_hidden;
	s->cr4 = mce_hidden ? crs.cr4 | X86_CR4_MCE : crs.cr4;
	s->efer = crs.efer | EFER_SVME;
	svm_dirty(vcpu, SVM_CLEAN_CR);
	if (svm->cr0_hidden != cr0_hidden || svm->mce_hidden != mce_hidden) {
		svm->cr0_hidden = cr0_hidden;
		svm->mce_hidden = mce_hidden;
		svm_update_intercepts(vcpu);
	}
	/* The room that made the change knows what it means for shadow tables. */
	if (svm_host.npt)
		svm_flush_tlb(vcpu);
}

void svm_set_cr0(struct vmmu_vcpu *vcpu, u64 val)
{
	struct svm_crs crs = guest_crs(vcpu);

	crs.cr0 = val;
	/* Paging in long mode makes it active: APM vol. 2, 14.6.2. */
	if ((val & X86_CR0_PG) && (crs.efer & EFER_LME))
		crs.efer |= EFER_LMA;
	else
		crs.efer &= ~(u64)EFER_LMA;
	set_crs(vcpu, crs);
}

void svm_set_cr3(struct vmmu_vcpu *vcpu, u64 val)
{
	if (!svm_host.npt) {
		to_svm(vcpu)->cr3 = val;
		return;
	}
	svm_save(vcpu)->cr3 = val;
	svm_dirty(vcpu, SVM_CLEAN_CR);
	svm_flush_tlb(vcpu);
}

void svm_set_cr4(struct vmmu_vcpu *vcpu, u64 val)
{
	struct svm_crs crs = guest_crs(vcpu);

	crs.cr4 = val;
	set_crs(vcpu, crs);
}

void svm_set_efer(struct vmmu_vcpu *vcpu, u64 val)
{
	struct svm_crs crs = guest_crs(vcpu);

	crs.efer = val;
	set_crs(vcpu, crs);
}

/* ---- accesses that exited ---- */

enum cr_kind { CR_MOV_FROM, CR_MOV_TO, CR_OTHER };

struct cr_access {
	enum cr_kind kind;
	u8 cr;
	u8 gpr;
	u8 len;		/* of the instruction */
};

static u64 read_cr(struct vmmu_vcpu *vcpu, u8 cr)
{
	switch (cr) {
	case 0:
		return svm_get_cr0(vcpu);
	case 2:
		return vcpu->cr2;
	case 3:
		return svm_get_cr3(vcpu);
	case 4:
		return svm_get_cr4(vcpu);
	default:
		return vmmu_get_cr8(vcpu);
	}
}

static int write_cr(struct vmmu_vcpu *vcpu, u8 cr, u64 val)
{
	switch (cr) {
	case 0:
		return vmmu_set_cr0(vcpu, val);
	case 2:
		vcpu->cr2 = val;
		return 0;
	case 3:
		return vmmu_set_cr3(vcpu, val);
	case 4:
		return vmmu_set_cr4(vcpu, val);
	default:
		return vmmu_set_cr8(vcpu, val);
	}
}

static bool cr_exists(u8 cr)
{
	return cr == 0 || cr == 2 || cr == 3 || cr == 4 || cr == 8;
}

static int do_mov(struct vmmu_vcpu *vcpu, const struct cr_access *a)
{
	bool wide = vmmu_is_64bit(vcpu);
	u64 val;

	if (!cr_exists(a->cr))
		return vmmu_exit_ud(vcpu);
	if (a->kind == CR_MOV_FROM) {
		val = read_cr(vcpu, a->cr);
		vcpu->regs[a->gpr] = wide ? val : (u32)val;
	} else {
		val = vcpu->regs[a->gpr];
		if (write_cr(vcpu, a->cr, wide ? val : (u32)val)) {
			vmmu_inject_gp(vcpu);
			return 1;
		}
	}
	return vmmu_skip_bytes(vcpu, a->len);
}

/* With decode assists, and only for MOV: APM vol. 2, 15.8.1. */
static bool from_exit_info(struct vmmu_vcpu *vcpu, struct cr_access *a)
{
	struct vmcb_control_area *c = svm_control(vcpu);
	u32 code = c->exit_code;

	if (!svm_host.decode_assists || !(c->exit_info_1 & BIT_ULL(63)))
		return false;
	a->kind = code & 0x10 ? CR_MOV_TO : CR_MOV_FROM;
	a->cr = code & 0xf;
	a->gpr = c->exit_info_1 & 0xf;
	a->len = svm_insn_len(vcpu);
	return true;
}

static int from_decoder(struct vmmu_vcpu *vcpu, struct cr_access *a)
{
	struct vmmu_insn_info insn;
	int ret;

	ret = vmmu_decode_current(vcpu, &insn);
	if (ret != 1)
		return ret;

	a->kind = CR_OTHER;
	a->len = insn.len;
	if (insn.opcode_map != 1 || (insn.opcode & ~2) != 0x20)
		return 1;
	a->kind = insn.opcode == 0x22 ? CR_MOV_TO : CR_MOV_FROM;
	/* LOCK is how CR8 is named where there is no REX: APM vol. 3, MOV CRn. */
	a->cr = insn.prefixes & VMMU_PREFIX_LOCK ? insn.reg | 8 : insn.reg;
	/* MOV to and from CR is encoded as a register form whatever modrm.mod says. */
	a->gpr = (insn.modrm & 7) | (insn.rm & 8);
	return 1;
}

int svm_exit_cr(struct vmmu_vcpu *vcpu)
{
	struct cr_access a = {};
	int ret;

	if (!from_exit_info(vcpu, &a)) {
		ret = from_decoder(vcpu, &a);
		if (ret == VMMU_INSN_FAULT)
			return 1;
		if (ret != 1)
			return ret;
	}

	/* CLTS, LMSW, SMSW: in registers and in memory. */
	if (a.kind == CR_OTHER)
		return vmmu_emulate(vcpu, VMMU_INVALID_GPA);
	return do_mov(vcpu, &a);
}

/**
 * svm_exit_error() - SVM_EXIT_ERR: VMRUN refused the VMCB
 * @vcpu: loaded
 *
 * An emulated AMD-V may also answer so to a MOV that sets reserved bits of CR3
 * or CR4, where a processor raises #GP. Then the guest gets that; a second
 * error in a row is a refused entry in any case.
 *
 * And one that refuses before it has taken the guest's state in may write back
 * what it has instead: the host's registers, and an int_ctl without
 * V_INTR_MASKING, by which it is known. A guest with IF clear would keep the
 * host's interrupts out for good, and user space would read host addresses, so
 * that VMCB is made anew: user space finds a vCPU after INIT.
 *
 * Return: 1 resume, 0 exit to user space.
 */
int svm_exit_error(struct vmmu_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	bool state_lost = !(svm->vmcb->control.int_ctl & V_INTR_MASKING_MASK);
	u64 code = svm->vmcb->control.exit_code;
	struct cr_access a = {};

	if (!svm_host.bare_metal && !state_lost && !svm->error_seen &&
	    from_decoder(vcpu, &a) == 1 && a.kind == CR_MOV_TO && (a.cr == 3 || a.cr == 4)) {
		svm->error_seen = true;
		vmmu_inject_gp(vcpu);
		return 1;
	}
	if (!vmmu_cpu_going_down())
		svm_dump(vcpu);
	if (state_lost) {
		svm_vcpu_init_vmcb(vcpu);
		vmmu_vcpu_reset(vcpu, true);
	}
	return vmmu_exit_fail_entry(vcpu, code);
}
