// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest may not do by itself: the intercept words of the VMCB.
 *
 * Contract: svm_intercept_words() is a pure function of struct svm_wants, so
 * that the whole policy can be read, and tested, in one place. What comes and
 * goes with a single event (interrupt window, IRET, control and debug
 * registers) is toggled by its own file and survives a recomputation.
 *
 * Locking: vcpu->mutex. Nothing sleeps.
 */
#include "intercept.h"
#include "vmcb.h"

#define EXC(vector)	(INTERCEPT_EXCEPTION_OFFSET + (vector))

/* Always: the host's own events, and instructions that would reach the host. */
static const u8 always[] = {
	INTERCEPT_INTR, INTERCEPT_NMI, INTERCEPT_SMI, INTERCEPT_INIT,
	INTERCEPT_CPUID, INTERCEPT_INVD, INTERCEPT_IOIO_PROT, INTERCEPT_MSR_PROT,
	INTERCEPT_RDPMC, INTERCEPT_SHUTDOWN, INTERCEPT_INVLPGA,
	INTERCEPT_VMRUN, INTERCEPT_VMMCALL, INTERCEPT_VMLOAD, INTERCEPT_VMSAVE,
	INTERCEPT_STGI, INTERCEPT_CLGI, INTERCEPT_SKINIT, INTERCEPT_WBINVD,
	INTERCEPT_XSETBV, INTERCEPT_RDPRU,
	INTERCEPT_INVLPGB, INTERCEPT_INVLPGB_ILLEGAL, INTERCEPT_MCOMMIT, INTERCEPT_TLBSYNC,
	/*
	 * A guest can make the processor deliver #AC or #DB for ever, each
	 * delivery raising the next, with no instruction boundary at which an
	 * interrupt would exit. #MC is the host's.
	 */
	EXC(X86_TRAP_DB), EXC(X86_TRAP_AC), EXC(X86_TRAP_MC),
};

/* Toggled elsewhere, kept over a recomputation. */
static const u8 dynamic[] = { INTERCEPT_VINTR, INTERCEPT_IRET };

static void put(u32 words[MAX_INTERCEPT], unsigned int nr, bool on)
{
	if (on)
		words[nr / 32] |= BIT(nr % 32);
}

void svm_intercept_words(const struct svm_wants *w, u32 words[MAX_INTERCEPT])
{
	unsigned int i;

	memset(words, 0, MAX_INTERCEPT * sizeof(*words));
	for (i = 0; i < ARRAY_SIZE(always); i++)
		put(words, always[i], true);

	put(words, EXC(X86_TRAP_PF), w->page_fault);
	put(words, INTERCEPT_INVLPG, w->invlpg);
	put(words, INTERCEPT_TASK_SWITCH, w->task_switch);
	put(words, EXC(X86_TRAP_BP), w->debug_bp);
	put(words, INTERCEPT_INTn, w->debug_int);
	put(words, INTERCEPT_HLT, w->hlt);
	put(words, INTERCEPT_PAUSE, w->pause);
	put(words, INTERCEPT_MONITOR, w->mwait);
	put(words, INTERCEPT_MWAIT, w->mwait);
	put(words, INTERCEPT_RDTSCP, w->rdtscp);
	put(words, INTERCEPT_INVPCID, w->invpcid);
	if (w->dr)
		words[INTERCEPT_DR] = ~0U;
	put(words, INTERCEPT_CR0_READ, w->cr0_read);
	put(words, INTERCEPT_CR0_WRITE, w->cr0_write);
	put(words, INTERCEPT_CR3_READ, w->cr3_read);
	put(words, INTERCEPT_CR3_WRITE, w->cr3_write);
	put(words, INTERCEPT_CR4_READ, w->cr4_read);
	put(words, INTERCEPT_CR4_WRITE, w->cr4_write);
	put(words, INTERCEPT_CR8_WRITE, w->cr8_write);
}

/* On shadow tables hardware's control registers are ours, not the guest's. */
static void want_shadow(struct svm_wants *w)
{
	w->page_fault = true;
	w->invlpg = true;
	w->invpcid = svm_host.invpcid;
	w->task_switch = true;
	w->cr0_read = true;
	w->cr0_write = true;
	w->cr3_read = true;
	w->cr3_write = true;
	w->cr4_read = true;
	w->cr4_write = true;
}

/*
 * Control registers are the VMCB's own under nested paging; an access exits
 * only while the guest must see another value than hardware has.
 *
 * Without decode assists the CR0 intercept is added to any other: the exit has
 * to be decoded anyway, and there are emulators that look at the CR0 intercept
 * for every MOV from or to a control register.
 */
static void want_cr(struct vmmu_vcpu *vcpu, struct svm_wants *w)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	bool read, write;

	w->cr0_read = svm->cr0_hidden;
	w->cr0_write = svm->cr0_hidden;
	w->cr4_read = svm->mce_hidden;
	w->cr4_write = svm->mce_hidden || svm->cr4_checked;
	w->cr8_write = svm->tpr_masked;
	if (svm_host.decode_assists)
		return;
	read = w->cr4_read;
	write = w->cr4_write || w->cr8_write;
	w->cr0_read |= read;
	w->cr0_write |= write;
}

void svm_update_intercepts(struct vmmu_vcpu *vcpu)
{
	struct vmcb_control_area *c = svm_control(vcpu);
	u64 no_exit = READ_ONCE(vcpu->vm->disabled_exits);
	bool bp = vcpu->dbg.guest_debug & KVM_GUESTDBG_USE_SW_BP;
	struct svm_wants w = {
		.debug_bp = bp,
		/* There are emulators in which INT3 exits as INT n does and raises no #BP. */
		.debug_int = bp && !svm_host.bare_metal,
		.hlt = !(no_exit & KVM_X86_DISABLE_EXITS_HLT),
		.pause = svm_host.pause_filter && !(no_exit & KVM_X86_DISABLE_EXITS_PAUSE),
		.mwait = !(no_exit & KVM_X86_DISABLE_EXITS_MWAIT),
		.rdtscp = svm_host.rdtscp && !vmmu_guest_has(vcpu, X86_FEATURE_RDTSCP),
		.invpcid = svm_host.invpcid && !vmmu_guest_has(vcpu, X86_FEATURE_INVPCID),
		.dr = !vcpu->dbg.loaded,
	};
	u32 words[MAX_INTERCEPT];
	unsigned int i;

	want_cr(vcpu, &w);
	if (!svm_host.npt)
		want_shadow(&w);
	svm_intercept_words(&w, words);
	for (i = 0; i < ARRAY_SIZE(dynamic); i++) {
		unsigned int nr = dynamic[i];

		words[nr / 32] |= c->intercepts[nr / 32] & BIT(nr % 32);
	}
	if (memcmp(c->intercepts, words, sizeof(words))) {
		memcpy(c->intercepts, words, sizeof(words));
		svm_dirty(vcpu, SVM_CLEAN_INTERCEPTS);
	}
}
