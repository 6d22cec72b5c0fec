/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu/svm/ private: the VMCB, what we keep beside it, and how it is changed.
 *
 * Contract: whoever changes a VMCB field that hardware may cache calls
 * svm_dirty() for its group; the setters here do so. The VMCB and struct
 * svm_vcpu belong to the thread that holds vcpu->mutex; struct svm_cpu belongs
 * to its CPU and is touched with preemption off.
 */
#ifndef VMMU_SVM_VMCB_H
#define VMMU_SVM_VMCB_H

#include <linux/bits.h>
#include <linux/percpu.h>
#include <asm/svm.h>
#include <asm/trapnr.h>
#include "vmmu/vm.h"

static_assert(offsetof(struct vmcb, save) == 0x400);
static_assert(offsetof(struct vmcb_control_area, exit_code) == 0x70);
static_assert(offsetof(struct vmcb_control_area, nested_cr3) == 0xb0);
static_assert(offsetof(struct vmcb_save_area, rax) == 0x1f8);

/* VMCB clean bits, APM vol. 2, 15.15.3: set means "not changed since the last exit". */
enum svm_clean {
	SVM_CLEAN_INTERCEPTS = BIT(0),	/* and TSC offset, pause filter */
	SVM_CLEAN_MAPS = BIT(1),	/* I/O and MSR permission maps' addresses */
	SVM_CLEAN_ASID = BIT(2),
	SVM_CLEAN_INTR = BIT(3),	/* V_TPR, V_IRQ ... */
	SVM_CLEAN_NPT = BIT(4),		/* nested CR3, g_pat */
	SVM_CLEAN_CR = BIT(5),		/* CR0, CR3, CR4, EFER */
	SVM_CLEAN_DR = BIT(6),		/* DR6, DR7 */
	SVM_CLEAN_DT = BIT(7),		/* GDT, IDT */
	SVM_CLEAN_SEG = BIT(8),		/* CS, DS, SS, ES, CPL */
	SVM_CLEAN_CR2 = BIT(9),
	SVM_CLEAN_LBR = BIT(10),
};

/* What enter() writes each time is never clean. */
#define SVM_CLEAN_ALL	(GENMASK(10, 0) & ~(SVM_CLEAN_INTR | SVM_CLEAN_CR2 | SVM_CLEAN_DR))

/* Exit codes that older headers do not name. */
#define SVM_CODE_INVLPGB	0x0a0
#define SVM_CODE_INVLPGB_ILL	0x0a1
#define SVM_CODE_MCOMMIT	0x0a3
#define SVM_CODE_TLBSYNC	0x0a4

/* What this machine's SVM can do; written by setup(), constant after. */
struct svm_host {
	bool nrips;
	bool decode_assists;
	bool flush_by_asid;
	bool pause_filter;
	bool pause_threshold;
	bool spec_ctrl;		/* MSR_IA32_SPEC_CTRL is there and is switched by us */
	bool v_spec_ctrl;	/* hardware switches it */
	bool lbrv;
	bool invpcid;
	bool rdtscp;
	bool npt;		/* nested paging is used; else guests run on shadow tables */
	bool bare_metal;	/* CR0.CD and CR4.MCE of a guest would reach the machine */
	u32 nr_asids;
	u64 cr4_bits;		/* CR4 bits that this processor implements */
	struct page *iopm;	/* all ones: every port exits */
	struct page *msrpm;	/* what the guest may touch directly */
	struct page *msrpm_all;	/* everything exits: VMs with an MSR filter */
	u64 msrpm_pa, msrpm_all_pa;	/* of the two, as the VMCB takes them */
};

extern struct svm_host svm_host;

/* One per CPU; interrupts or preemption off. */
struct svm_cpu {
	bool enabled;		/* SVME was set by us */
	u64 old_hsave;		/* MSR_VM_HSAVE_PA to restore */
	u64 asid_generation;
	u32 next_asid;
	struct page *hsave;	/* VMRUN's own host save area */
	struct page *host;	/* VMSAVE/VMLOAD of the host's FS, GS, TR, LDTR, STAR ... */
	u64 host_pa;		/* of that page, as VMSAVE takes it */
};

DECLARE_PER_CPU(struct svm_cpu, svm_cpu);

/* What decides how a guest, or the processor for it, translates; but for CR3. */
struct svm_crs {
	u64 cr0, cr4, efer;
};

struct svm_vcpu {
	struct vmcb *vmcb;
	phys_addr_t pa;
	int cpu;		/* where the VMCB's cached state and ASID are valid */
	u64 asid_generation;	/* 0: needs a new ASID */
	bool flush;		/* flush the guest's ASID at the next entry */

	/* Without nested paging: what the guest has, and the table that it runs on; see cr.c. */
	struct svm_crs crs;
	u64 cr3;
	u64 root;

	/* Control-register bits that differ from the VMCB's; see cr.c. */
	u64 cr0_hidden;		/* CD and NW that the guest set */
	bool mce_hidden;	/* the VMCB has CR4.MCE, the guest has not set it */
	bool cr4_checked;	/* the guest's CPUID hides CR4 bits that we have */
	bool tpr_masked;	/* an interrupt waits for a lower TPR */
	bool error_seen;	/* the last exit was SVM_EXIT_ERR, taken for a #GP */

	/* NMI blocking without vNMI; see event.c. */
	bool nmi_masked;
	bool iret_seen;		/* its IRET exited and is about to execute */
	bool nmi_step;		/* this entry single-steps for an NMI window */
	bool nmi_stepped;	/* the last entry did */
	bool force_exit;	/* this entry ends as soon as its event is delivered */
	u64 iret_rip;
	u64 step_rflags;

	/* A software interrupt or exception in EVENTINJ: how rip moves back. */
	bool soft_injected;
	u64 soft_old_rip;
	u64 soft_new_rip;
};

/* What vmmu_svm_switch() gets; offsets are known to switch.S. */
struct svm_switch {
	u64 *regs;
	u64 vmcb_pa;
	u64 host_pa;
	u64 guest_spec;
	u64 host_spec;
};

static inline struct svm_vcpu *to_svm(struct vmmu_vcpu *vcpu)
{
	return vcpu->hw;
}

static inline struct vmcb_control_area *svm_control(struct vmmu_vcpu *vcpu)
{
	return &to_svm(vcpu)->vmcb->control;
}

static inline struct vmcb_save_area *svm_save(struct vmmu_vcpu *vcpu)
{
	return &to_svm(vcpu)->vmcb->save;
}

static inline void svm_dirty(struct vmmu_vcpu *vcpu, u32 groups)
{
	svm_control(vcpu)->clean &= ~groups;
}

/* Set or clear one intercept, an INTERCEPT_* number of asm/svm.h. */
static inline void svm_intercept(struct vmmu_vcpu *vcpu, unsigned int nr, bool on)
{
	u32 *word = &svm_control(vcpu)->intercepts[nr / 32];
	u32 val = on ? *word | BIT(nr % 32) : *word & ~BIT(nr % 32);

	if (*word != val) {
		*word = val;
		svm_dirty(vcpu, SVM_CLEAN_INTERCEPTS);
	}
}

static inline bool svm_event_pending(struct vmmu_vcpu *vcpu)
{
	return svm_control(vcpu)->event_inj & SVM_EVTINJ_VALID;
}

/* setup.c */
bool svm_present(void);
int svm_setup(void);
void svm_teardown(void);
int svm_probe(void);
int svm_enable(void);
void svm_disable(void);

/* vcpu.c */
int svm_vm_create(struct vmmu_vm *vm);
void svm_vm_destroy(struct vmmu_vm *vm);
int svm_vcpu_create(struct vmmu_vcpu *vcpu);
void svm_vcpu_destroy(struct vmmu_vcpu *vcpu);
void svm_vcpu_init_vmcb(struct vmmu_vcpu *vcpu);
void svm_vcpu_reset(struct vmmu_vcpu *vcpu, bool init);
void svm_vcpu_load(struct vmmu_vcpu *vcpu, int cpu);
void svm_after_set_cpuid(struct vmmu_vcpu *vcpu);
void svm_set_tsc_offset(struct vmmu_vcpu *vcpu, u64 offset);

/* asid.c */
void svm_asid_enable(struct svm_cpu *sc);
void svm_pick_asid(struct vmmu_vcpu *vcpu, struct svm_cpu *sc);
void svm_flush_tlb(struct vmmu_vcpu *vcpu);
void svm_set_root(struct vmmu_vcpu *vcpu, u64 root_hpa, int level);

/* enter.c, switch.S */
void svm_enter(struct vmmu_vcpu *vcpu);
void svm_host_event(struct vmmu_vcpu *vcpu);
asmlinkage void vmmu_svm_switch(struct svm_switch *args);

/* exit.c */
int svm_handle_exit(struct vmmu_vcpu *vcpu);
u8 svm_insn_len(struct vmmu_vcpu *vcpu);
u8 svm_insn_bytes(struct vmmu_vcpu *vcpu, u8 bytes[15]);
void svm_exit_info(struct vmmu_vcpu *vcpu, u64 *reason, u64 *info1, u64 *info2, u32 *intr,
		   u32 *intr_error);

/* dump.c */
void svm_dump(struct vmmu_vcpu *vcpu);

/* event.c */
bool svm_irq_allowed(struct vmmu_vcpu *vcpu);
bool svm_nmi_allowed(struct vmmu_vcpu *vcpu);
void svm_inject_irq(struct vmmu_vcpu *vcpu);
void svm_inject_nmi(struct vmmu_vcpu *vcpu);
void svm_inject_exception(struct vmmu_vcpu *vcpu);
void svm_cancel_injection(struct vmmu_vcpu *vcpu);
void svm_complete_events(struct vmmu_vcpu *vcpu);
void svm_open_irq_window(struct vmmu_vcpu *vcpu);
void svm_open_nmi_window(struct vmmu_vcpu *vcpu);
u32 svm_get_irq_shadow(struct vmmu_vcpu *vcpu);
void svm_set_irq_shadow(struct vmmu_vcpu *vcpu, u32 mask);
bool svm_get_nmi_mask(struct vmmu_vcpu *vcpu);
void svm_set_nmi_mask(struct vmmu_vcpu *vcpu, bool masked);
int svm_exit_vintr(struct vmmu_vcpu *vcpu);
int svm_exit_iret(struct vmmu_vcpu *vcpu);

/* tpr.c */
void svm_update_tpr(struct vmmu_vcpu *vcpu, u8 tpr, int irr);
void svm_tpr_to_guest(struct vmmu_vcpu *vcpu);
void svm_tpr_from_guest(struct vmmu_vcpu *vcpu);

/* cr.c */
struct svm_crs svm_shadow_crs(struct svm_crs crs);
u64 svm_get_cr0(struct vmmu_vcpu *vcpu);
u64 svm_get_cr3(struct vmmu_vcpu *vcpu);
u64 svm_get_cr4(struct vmmu_vcpu *vcpu);
u64 svm_get_efer(struct vmmu_vcpu *vcpu);
void svm_set_cr0(struct vmmu_vcpu *vcpu, u64 val);
void svm_set_cr3(struct vmmu_vcpu *vcpu, u64 val);
void svm_set_cr4(struct vmmu_vcpu *vcpu, u64 val);
void svm_set_efer(struct vmmu_vcpu *vcpu, u64 val);
int svm_exit_cr(struct vmmu_vcpu *vcpu);
int svm_exit_error(struct vmmu_vcpu *vcpu);

/* reg.c */
u64 svm_get_rflags(struct vmmu_vcpu *vcpu);
void svm_set_rflags(struct vmmu_vcpu *vcpu, u64 val);
void svm_seg_to_kvm(const struct vmcb_seg *s, enum vmmu_seg seg, u8 cpl,
		    struct kvm_segment *val);
void svm_seg_from_kvm(struct vmcb_seg *s, const struct kvm_segment *val);
void svm_get_segment(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, struct kvm_segment *val);
void svm_set_segment(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, const struct kvm_segment *val);
u8 svm_get_cpl(struct vmmu_vcpu *vcpu);
void svm_fetch_state(struct vmmu_vcpu *vcpu, struct vmmu_fetch_state *f);
void svm_get_idt(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt);
void svm_set_idt(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt);
void svm_get_gdt(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt);
void svm_set_gdt(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt);

/* dr.c */
bool svm_dr_enter(struct vmmu_vcpu *vcpu);
void svm_dr_leave(struct vmmu_vcpu *vcpu, bool hardware);
void svm_sync_dr(struct vmmu_vcpu *vcpu);
void svm_set_dr7(struct vmmu_vcpu *vcpu);
int svm_exit_dr(struct vmmu_vcpu *vcpu);
int svm_exit_db(struct vmmu_vcpu *vcpu);
int svm_exit_bp(struct vmmu_vcpu *vcpu);
int svm_exit_swint(struct vmmu_vcpu *vcpu);

/* msr.c */
int svm_msrpm_setup(void);
void svm_msrpm_teardown(void);
int svm_msrpm_bit(u32 index);
int svm_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val);
int svm_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val);

/* intercept.c */
struct svm_wants;
void svm_intercept_words(const struct svm_wants *w, u32 words[MAX_INTERCEPT]);
void svm_update_intercepts(struct vmmu_vcpu *vcpu);

#endif
