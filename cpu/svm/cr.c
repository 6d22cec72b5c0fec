// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control registers and EFER. Under nested paging the VMCB is the truth.
 *
 * Contract: the getters return what the guest reads. Three things may differ
 * from the VMCB: EFER.SVME, which VMRUN demands; on bare metal CR0.CD and NW,
 * which would make the whole run uncached (firmware starts with CD set); and
 * CR4.MCE, which must stay on in hardware so that a machine check is an
 * exception and not a shutdown. While such a bit differs, accesses exit.
 *
 * A CR exit is decoded unless hardware tells the register: see intercept.c.
 *
 * Locking: vcpu->mutex. Only the exits may sleep (they fetch code).
 */
#include "vmmu/paging.h"
#include "vmcb.h"

#define CR0_CACHE	(X86_CR0_CD | X86_CR0_NW)

u64 svm_get_cr0(struct vmmu_vcpu *vcpu)
{
	return svm_save(vcpu)->cr0 | to_svm(vcpu)->cr0_hidden;
}

u64 svm_get_cr3(struct vmmu_vcpu *vcpu)
{
	return svm_save(vcpu)->cr3;
}

u64 svm_get_cr4(struct vmmu_vcpu *vcpu)
{
	u64 cr4 = svm_save(vcpu)->cr4;

	return to_svm(vcpu)->mce_hidden ? cr4 & ~X86_CR4_MCE : cr4;
}

u64 svm_get_efer(struct vmmu_vcpu *vcpu)
{
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

void svm_set_cr0(struct vmmu_vcpu *vcpu, u64 val)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_save_area *s = &svm->vmcb->save;

	svm->cr0_hidden = svm_host.bare_metal ? val & CR0_CACHE : 0;
	s->cr0 = val & ~svm->cr0_hidden;
	/* Paging in long mode makes it active: APM vol. 2, 14.6.2. */
	if ((val & X86_CR0_PG) && (s->efer & EFER_LME))
		s->efer |= EFER_LMA;
	else
		s->efer &= ~(u64)EFER_LMA;
	svm_dirty(vcpu, SVM_CLEAN_CR);
	svm_update_intercepts(vcpu);
	svm_flush_tlb(vcpu);
}

void svm_set_cr3(struct vmmu_vcpu *vcpu, u64 val)
{
	svm_save(vcpu)->cr3 = val;
	svm_dirty(vcpu, SVM_CLEAN_CR);
	svm_flush_tlb(vcpu);
}

void svm_set_cr4(struct vmmu_vcpu *vcpu, u64 val)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->mce_hidden = svm_host.bare_metal && !(val & X86_CR4_MCE) &&
			  (native_read_cr4() & X86_CR4_MCE);
	svm->vmcb->save.cr4 = svm->mce_hidden ? val | X86_CR4_MCE : val;
	svm_dirty(vcpu, SVM_CLEAN_CR);
	svm_update_intercepts(vcpu);
	svm_flush_tlb(vcpu);
}

void svm_set_efer(struct vmmu_vcpu *vcpu, u64 val)
{
	svm_save(vcpu)->efer = val | EFER_SVME;
	svm_dirty(vcpu, SVM_CLEAN_CR);
	svm_flush_tlb(vcpu);
}

/* ---- accesses that exited ---- */

enum cr_kind { CR_MOV_FROM, CR_MOV_TO, CR_CLTS, CR_LMSW, CR_SMSW, CR_OTHER };

struct cr_access {
	enum cr_kind kind;
	u8 cr;
	u8 gpr;
	bool mem;
	u64 linear;
	u8 op_bytes;
};

static int finish(struct vmmu_vcpu *vcpu, int fault)
{
	if (fault) {
		vmmu_inject_gp(vcpu);
		return 1;
	}
	return vmmu_skip_insn(vcpu);
}

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
		/* Bit 63 only asks to keep translations, which we may drop. */
		if (svm_get_cr4(vcpu) & X86_CR4_PCIDE)
			val &= ~BIT_ULL(63);
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
	if (a->kind == CR_MOV_TO) {
		val = vcpu->regs[a->gpr];
		return finish(vcpu, write_cr(vcpu, a->cr, wide ? val : (u32)val));
	}
	val = read_cr(vcpu, a->cr);
	vcpu->regs[a->gpr] = wide ? val : (u32)val;
	return finish(vcpu, 0);
}

static u64 access_mode(struct vmmu_vcpu *vcpu)
{
	return svm_get_cpl(vcpu) == 3 ? VMMU_PFERR_USER : 0;
}

/* Loads PE (set only), MP, EM and TS: APM vol. 3, LMSW. */
static int do_lmsw(struct vmmu_vcpu *vcpu, const struct cr_access *a)
{
	u64 cr0 = svm_get_cr0(vcpu);
	struct vmmu_exception e;
	u16 msw = vcpu->regs[a->gpr];
	int err;

	if (a->mem) {
		err = vmmu_read_gva(vcpu, a->linear, &msw, sizeof(msw), access_mode(vcpu), &e);
		if (err < 0)
			return vmmu_emulation_failed(vcpu);
		if (err) {
			vmmu_inject_exception(vcpu, &e);
			return 1;
		}
	}
	cr0 = (cr0 & ~0xeULL) | (msw & 0xf);
	return finish(vcpu, vmmu_set_cr0(vcpu, cr0));
}

static int do_smsw(struct vmmu_vcpu *vcpu, const struct cr_access *a)
{
	u64 cr0 = svm_get_cr0(vcpu);
	struct vmmu_exception e;
	u16 msw = cr0;
	int err;

	if (!a->mem) {
		u64 *reg = &vcpu->regs[a->gpr];

		if (a->op_bytes == 2)
			*reg = (*reg & ~0xffffULL) | msw;
		else
			*reg = a->op_bytes == 4 ? (u32)cr0 : cr0;
		return finish(vcpu, 0);
	}
	err = vmmu_write_gva(vcpu, a->linear, &msw, sizeof(msw),
			     access_mode(vcpu) | VMMU_PFERR_WRITE, &e);
	if (err < 0)
		return vmmu_emulation_failed(vcpu);
	if (err) {
		vmmu_inject_exception(vcpu, &e);
		return 1;
	}
	return finish(vcpu, 0);
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
	if (insn.opcode_map != 1)
		return 1;
	a->gpr = insn.rm;
	a->mem = insn.mem;
	a->linear = insn.linear;
	a->op_bytes = insn.op_bytes;
	switch (insn.opcode) {
	case 0x20:
	case 0x22:
		a->kind = insn.opcode == 0x22 ? CR_MOV_TO : CR_MOV_FROM;
		a->cr = insn.reg;
		/* MOV to and from CR is encoded as a register form whatever modrm.mod says. */
		a->gpr = (insn.modrm & 7) | (insn.rm & 8);
		break;
	case 0x06:
		a->kind = CR_CLTS;
		break;
	case 0x01:
		if (((insn.modrm >> 3) & 7) == 4)
			a->kind = CR_SMSW;
		else if (((insn.modrm >> 3) & 7) == 6)
			a->kind = CR_LMSW;
		break;
	}
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

	switch (a.kind) {
	case CR_MOV_FROM:
	case CR_MOV_TO:
		return do_mov(vcpu, &a);
	case CR_CLTS:
		return finish(vcpu, vmmu_set_cr0(vcpu, svm_get_cr0(vcpu) & ~X86_CR0_TS));
	case CR_LMSW:
		return do_lmsw(vcpu, &a);
	case CR_SMSW:
		return do_smsw(vcpu, &a);
	default:
		return vmmu_emulation_failed(vcpu);
	}
}

/**
 * svm_exit_error() - SVM_EXIT_ERR: VMRUN refused the VMCB
 * @vcpu: loaded
 *
 * An emulated AMD-V may also answer so to a MOV that sets reserved bits of CR3
 * or CR4, where a processor raises #GP. Then the guest gets that; a second
 * error in a row is a refused entry in any case.
 *
 * Return: 1 resume, 0 exit to user space.
 */
int svm_exit_error(struct vmmu_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct cr_access a = {};

	if (!svm_host.bare_metal && !svm->error_seen && from_decoder(vcpu, &a) == 1 &&
	    a.kind == CR_MOV_TO && (a.cr == 3 || a.cr == 4)) {
		svm->error_seen = true;
		vmmu_inject_gp(vcpu);
		return 1;
	}
	svm_dump(vcpu);
	return vmmu_exit_fail_entry(vcpu, svm->vmcb->control.exit_code);
}
