/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu/: the hardware back ends (cpu/svm, cpu/vmx) behind one const table, and
 * who owns the processor's virtualisation extension (cpu/owner.c).
 *
 * All knowledge of VMCB and VMCS stays behind this table. Unless an entry says
 * otherwise it is called by the thread that holds vcpu->mutex, with the vCPU
 * loaded (between vcpu_load and vcpu_put), preemption on, and does not sleep.
 */
#ifndef VMMU_CPU_H
#define VMMU_CPU_H

#include "vmmu/types.h"

struct vmmu_spte_format;

/* What the hardware lets us do; filled by the back end's setup(), constant after. */
struct vmmu_cpu_caps {
	bool tdp;		/* two-dimensional paging is on (NPT, EPT) */
	bool tdp_ad;		/* its entries have accessed and dirty bits */
	bool tdp_unpaged;	/* without tdp: but a guest that does not page runs on it */
	bool next_rip;		/* the exit says where the next instruction is */
	bool flush_by_asid;
	u8 tdp_max_level;	/* largest leaf: VMMU_LEVEL_2M or VMMU_LEVEL_1G */
	u8 tdp_root_level;	/* depth of a TDP table: 4 or 5 */
	u64 host_efer;
	const struct vmmu_spte_format *tdp_format;	/* one of vmmu/mmu.h's */
};

extern struct vmmu_cpu_caps vmmu_cpu_caps;

/* All that the fetch of an instruction depends on. */
struct vmmu_fetch_state {
	u64 cr0, cr3, cr4, efer;
	u64 cs_base;		/* 0 in 64-bit code */
	u8 mode;		/* default address bytes of the code segment: 2, 4, 8 */
	u8 cpl;
};

/* Where the code at @rip lies. */
static inline u64 vmmu_fetch_linear(const struct vmmu_fetch_state *f, u64 rip)
{
	return likely(f->mode == 8) ? rip : (u32)(f->cs_base + rip);
}

struct vmmu_cpu_ops {
	const char *name;	/* "AMD-V" or "VT-x": for messages */
	const char *rival;	/* the in-tree module that would own it */

	/* ---- module life, process context, may sleep ---- */
	/* Does this CPU type have us? No message when it does not. */
	bool (*present)(void);
	/* Whole-machine set-up after present(): fills vmmu_cpu_caps; prints one line on error. */
	int (*setup)(void);
	void (*teardown)(void);

	/* ---- per CPU, interrupts off ---- */
	/* 0 when nobody owns the extension on this CPU and the firmware allows it, else
	 * -EBUSY or -EOPNOTSUPP; prints nothing.
	 */
	int (*probe)(void);
	int (*enable)(void);
	void (*disable)(void);

	/* ---- VM and vCPU life, may sleep ---- */
	int (*vm_create)(struct vmmu_vm *vm);
	void (*vm_destroy)(struct vmmu_vm *vm);
	int (*vcpu_create)(struct vmmu_vcpu *vcpu);
	void (*vcpu_destroy)(struct vmmu_vcpu *vcpu);
	/* Architectural state after RESET (@init false) or INIT (@init true): segments, control
	 * registers, EFER, descriptor tables, dr7, rflags; not GPRs, LAPIC or MSRs of other rooms.
	 */
	void (*vcpu_reset)(struct vmmu_vcpu *vcpu, bool init);

	/* ---- preemption off: this CPU starts being the vCPU's ---- */
	void (*vcpu_load)(struct vmmu_vcpu *vcpu, int cpu);

	/* ---- one entry ---- */
	/*
	 * Interrupts off, FPU already the guest's. Enters the guest, and again as long as the
	 * exits can be answered on the spot (vcpu/fast_exit.c) and vmmu_vcpu_may_enter();
	 * vcpu->exits counts those. The last exit is left to handle_exit(). vcpu->regs[] and
	 * vcpu->rip go in and come back complete. Interrupts stay off; NMIs and (where
	 * hardware clears GIF) machine checks that hit the guest are taken by the host
	 * before it returns or in host_event().
	 */
	void (*enter)(struct vmmu_vcpu *vcpu);
	/* Interrupts off, after enter(): give the host what exited for it (NMI on VT-x, #MC). */
	void (*host_event)(struct vmmu_vcpu *vcpu);
	/* Read back the event whose delivery the exit cut short: fills vcpu->event for
	 * re-injection. Interrupts on.
	 */
	void (*complete_events)(struct vmmu_vcpu *vcpu);
	/* 1: resume the guest; 0: exit to user space, vcpu->run filled; <0: errno. May sleep. */
	int (*handle_exit)(struct vmmu_vcpu *vcpu);

	/* ---- events ---- */
	/* Can the guest take an interrupt/NMI right now (IF, shadow, GIF, no injection)? */
	bool (*irq_allowed)(struct vmmu_vcpu *vcpu);
	bool (*nmi_allowed)(struct vmmu_vcpu *vcpu);
	/* Write the vcpu->event.interrupt / .exception / NMI into the entry's injection field. */
	void (*inject_irq)(struct vmmu_vcpu *vcpu);
	void (*inject_nmi)(struct vmmu_vcpu *vcpu);
	void (*inject_exception)(struct vmmu_vcpu *vcpu);
	/* Take back what was written for an entry that did not happen. */
	void (*cancel_injection)(struct vmmu_vcpu *vcpu);
	/* Ask for an exit as soon as irq_allowed()/nmi_allowed() would be true. */
	void (*open_irq_window)(struct vmmu_vcpu *vcpu);
	void (*open_nmi_window)(struct vmmu_vcpu *vcpu);
	/* 0 or KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS (SVM has one bit: both). */
	u32 (*get_irq_shadow)(struct vmmu_vcpu *vcpu);
	void (*set_irq_shadow)(struct vmmu_vcpu *vcpu, u32 mask);
	bool (*get_nmi_mask)(struct vmmu_vcpu *vcpu);
	void (*set_nmi_mask)(struct vmmu_vcpu *vcpu, bool masked);
	/* The LAPIC's TPR or its highest pending vector changed (vectors, -1: none). */
	void (*update_tpr)(struct vmmu_vcpu *vcpu, u8 tpr, int irr);

	/* ---- registers ---- */
	u64 (*get_cr0)(struct vmmu_vcpu *vcpu);
	u64 (*get_cr3)(struct vmmu_vcpu *vcpu);
	u64 (*get_cr4)(struct vmmu_vcpu *vcpu);
	u64 (*get_efer)(struct vmmu_vcpu *vcpu);
	/* Values already checked by vcpu/cr.c; what the guest reads back is exactly @val. */
	void (*set_cr0)(struct vmmu_vcpu *vcpu, u64 val);
	void (*set_cr3)(struct vmmu_vcpu *vcpu, u64 val);
	void (*set_cr4)(struct vmmu_vcpu *vcpu, u64 val);
	void (*set_efer)(struct vmmu_vcpu *vcpu, u64 val);
	/* As the processor has it; others call vmmu_get_rflags() and vmmu_set_rflags(). */
	u64 (*get_rflags)(struct vmmu_vcpu *vcpu);
	void (*set_rflags)(struct vmmu_vcpu *vcpu, u64 val);
	void (*get_segment)(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, struct kvm_segment *val);
	void (*set_segment)(struct vmmu_vcpu *vcpu, enum vmmu_seg seg,
			    const struct kvm_segment *val);
	u8 (*get_cpl)(struct vmmu_vcpu *vcpu);
	/* What the getters above say, for one purpose and at once, because many exits ask. */
	void (*fetch_state)(struct vmmu_vcpu *vcpu, struct vmmu_fetch_state *f);
	void (*get_idt)(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt);
	void (*set_idt)(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt);
	void (*get_gdt)(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt);
	void (*set_gdt)(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt);
	/* Debug registers: vcpu->dbg is the guest's truth when the guest's are not loaded.
	 * sync_dr copies DR0-3, DR6, DR7 back when the guest owned them; set_dr7 sets the
	 * effective DR7/DR6 from vcpu->dbg (guest debugging by user space included).
	 */
	void (*sync_dr)(struct vmmu_vcpu *vcpu);
	void (*set_dr7)(struct vmmu_vcpu *vcpu);
	/* Exceptions and events to intercept changed (guest debugging): recompute. */
	void (*update_intercepts)(struct vmmu_vcpu *vcpu);

	/* MSRs that live in the VMCB/VMCS or belong to the back end, after the checks of
	 * vcpu/msr.c's table. 0; -ENOENT: not ours, the table's handler has it; 1: #GP.
	 */
	int (*get_msr)(struct vmmu_vcpu *vcpu, u32 index, u64 *val);
	int (*set_msr)(struct vmmu_vcpu *vcpu, u32 index, u64 val);
	/* vCPU CPUID was set: adjust intercepts to what the guest may see. */
	void (*after_set_cpuid)(struct vmmu_vcpu *vcpu);
	void (*set_tsc_offset)(struct vmmu_vcpu *vcpu, u64 offset);

	/* ---- MMU ---- */
	/* Use the table at @root_hpa of depth @level from the next entry on. */
	void (*set_root)(struct vmmu_vcpu *vcpu, u64 root_hpa, int level);
	/* Drop every translation this vCPU may have cached, ours and the guest's. */
	void (*flush_tlb)(struct vmmu_vcpu *vcpu);

	/* ---- instructions ---- */
	/* Length of the instruction that exited when hardware tells it, else 0. */
	u8 (*insn_len)(struct vmmu_vcpu *vcpu);
	/* Bytes that hardware prefetched of it (decode assists): count, 0 when none. */
	u8 (*insn_bytes)(struct vmmu_vcpu *vcpu, u8 bytes[15]);
	/* For vmmu:exit and dumps: reason, two info words, event words. */
	void (*exit_info)(struct vmmu_vcpu *vcpu, u64 *reason, u64 *info1, u64 *info2,
			  u32 *intr, u32 *intr_error);
	/* Print VMCB/VMCS once for a dead VM; rate-limited. */
	void (*dump)(struct vmmu_vcpu *vcpu);
};

/* The one back end in use; set before the device appears. */
extern const struct vmmu_cpu_ops *vmmu_cpu;
extern const struct vmmu_cpu_ops vmmu_svm_ops;
extern const struct vmmu_cpu_ops vmmu_vmx_ops;

/* cpu/owner.c */

/**
 * vmmu_cpu_own() - choose the back end and switch the extension on, on every CPU
 *
 * Prints one line that says what is wrong and what to do when it fails.
 * Process context, may sleep. Sets vmmu_cpu.
 *
 * Return: 0, -EOPNOTSUPP (no extension, or firmware disabled it), -EBUSY
 * (another hypervisor owns it on some CPU), -ENOMEM.
 */
int vmmu_cpu_own(void);

/**
 * vmmu_cpu_disown() - switch the extension off and leave every CPU as it was
 *
 * Process context, may sleep. No vCPU may exist.
 */
void vmmu_cpu_disown(void);
/* The machine reboots: the extension is off for good, each entry fails. */
bool vmmu_cpu_going_down(void);

/* cpu/host.c; preemption off */

/* This CPU starts being the vCPU's: other vCPUs' branch predictions are forgotten. */
void vmmu_host_load(const struct vmmu_vcpu *vcpu);
/* Before each entry: the host's registers that hardware does not switch become the guest's. */
void vmmu_host_prepare(const struct vmmu_vcpu *vcpu);
/* This CPU stops being a vCPU's: they are the host's again. */
void vmmu_host_put(void);

#endif
