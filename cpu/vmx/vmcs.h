/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu/vmx/ private: what we keep of a guest, and how it gets into its VMCS.
 *
 * A VMCS can only be touched in VMX operation, which a CPU enters for one entry
 * into the guest and leaves again (operation.c says why). So the truth outside of
 * an entry is struct vmx_vcpu, and the VMCS is its image: enter.c writes what the
 * dirty groups name, and reads back all that the guest can change. The VMCS is
 * clear (VMCLEAR) at all other times, and belongs to no CPU.
 *
 * Contract: whoever changes a field calls vmx_dirty() for its group; the setters
 * here do so. struct vmx_vcpu belongs to the thread that holds vcpu->mutex, struct
 * vmx_cpu to its CPU with preemption off. References: Intel SDM vol. 3.
 */
#ifndef VMMU_VMX_VMCS_H
#define VMMU_VMX_VMCS_H

#include <linux/bits.h>
#include <linux/io.h>
#include <linux/percpu.h>
#include <asm/debugreg.h>
#include <asm/trapnr.h>
#include <asm/vmx.h>
#include "vmmu/vm.h"

enum vmx_dirty {
	VMX_DIRTY_FIXED = BIT(0),	/* what never changes after the first entry */
	VMX_DIRTY_CONTROLS = BIT(1),	/* controls, masks, bitmaps, EPTP, VPID, TSC offset */
	VMX_DIRTY_CR = BIT(2),		/* CR0, CR3, CR4 and shadows, EFER, PDPTEs, PAT */
	VMX_DIRTY_SEG = BIT(3),		/* segments, tables, SYSENTER MSRs */
	VMX_DIRTY_ALL = GENMASK(3, 0),
};

/* MSRs that hardware moves by list: SDM 25.4 and 28.4. */
enum vmx_listed {
	VMX_STAR, VMX_LSTAR, VMX_CSTAR, VMX_SYSCALL_MASK, VMX_KERNEL_GS_BASE, VMX_NR_LISTED,
};

/* One page; the processor wants 16-byte alignment. */
struct vmx_msr_area {
	struct vmx_msr_entry guest[VMX_NR_LISTED];
	struct vmx_msr_entry host[VMX_NR_LISTED];
};

static_assert(sizeof(struct vmx_msr_entry) == 16);
static_assert(sizeof(struct vmx_msr_area) <= PAGE_SIZE);

struct vmx_host {
	u32 revision;
	u32 pin, cpu_based, secondary;	/* always on; the rest of secondary is in optional */
	u32 optional;			/* secondary controls that exist */
	u32 exit, entry;
	u64 cr4_fixed1;
	bool ept_ad;
	bool invept_context;
	bool vpid;
	bool invvpid_context;
	bool l1d_flush;			/* L1TF: before each entry */
	bool spec_ctrl;
	bool ibpb;
	bool tsc_aux;
	struct page *msr_bitmap;	/* what the guest may touch directly is 0 */
	struct page *msr_bitmap_all;	/* everything exits: VMs with an MSR filter */
};

extern struct vmx_host vmx_host;

struct vmx_cpu {
	bool enabled;		/* we may enter VMX operation here */
	u64 host_tsc_aux;
	u64 tsc_aux;		/* what MSR_TSC_AUX holds now */
	u64 last_vcpu;		/* vmx_vcpu.id that ran here last: IBPB when another comes */
	u64 vpid_generation;
	u32 next_vpid;
	struct page *region;	/* VMXON's */
};

DECLARE_PER_CPU(struct vmx_cpu, vmx_cpu);

struct vmx_seg {
	u16 selector;
	u32 limit;
	u32 ar;		/* VMX_AR_*: SDM 25.4.1 */
	u64 base;
};

struct vmx_table {
	u64 base;
	u32 limit;
};

struct vmx_vcpu {
	void *vmcs;
	u64 pa;
	struct vmx_msr_area *msrs;
	u64 id;			/* never reused, unlike addresses */
	int cpu;		/* where its VPID and cached EPT translations are valid */
	u32 dirty;

	/* TLB; see tlb.c */
	u64 vpid_generation;	/* 0: needs a new VPID */
	u16 vpid;
	u64 eptp;
	bool flush;

	/* controls */
	u32 cpu_based;
	u32 secondary;
	u32 exceptions;
	u64 tsc_offset;
	u64 msr_bitmap;

	/* guest state */
	u64 cr0, cr0_shadow;	/* cr0, cr4: what hardware has; see cr.c */
	u64 cr3;
	u64 cr4, cr4_shadow, cr4_mask;
	u64 efer;
	u64 pat;
	u64 pdpte[4];
	u64 rflags;
	u64 dr7;
	struct vmx_seg seg[VMMU_NR_SEGS];
	struct vmx_table gdt, idt;
	u32 sysenter_cs;
	u64 sysenter_esp, sysenter_eip;
	u32 int_state;		/* GUEST_INTR_STATE_* */
	u64 pending_dbg;

	/* the event of the next entry */
	u32 event, event_error;
	u8 event_len;

	/* the last exit */
	u32 reason;		/* with VMX_EXIT_REASONS_FAILED_VMENTRY */
	u32 refused;		/* VM-instruction error, 0: the entry was tried */
	u64 qualification;
	u64 gpa;
	u32 intr, intr_error;
	u32 idt_info, idt_error_code;
	u32 insn_len;
	u64 exit_rip;
};

#define VMX_REASON_NONE		0xffff	/* nothing was entered, nothing happened */

static_assert(VMMU_SEG_ES == 0 && VMMU_SEG_GS == 5 && VMMU_SEG_LDTR == 6 && VMMU_SEG_TR == 7);
static_assert(GUEST_TR_BASE - GUEST_ES_BASE == 2 * VMMU_SEG_TR);

/* What vmmu_vmx_switch() gets; offsets are known to switch.S. */
struct vmx_switch {
	u64 *regs;
	u64 guest_spec;
	u64 host_spec;
	u64 refused;
};

static inline struct vmx_vcpu *to_vmx(struct vmmu_vcpu *vcpu)
{
	return vcpu->hw;
}

static inline void vmx_dirty(struct vmx_vcpu *vmx, u32 groups)
{
	vmx->dirty |= groups;
}

static inline bool vmx_event_pending(const struct vmx_vcpu *vmx)
{
	return vmx->event & INTR_INFO_VALID_MASK;
}

/* operation.c */
int vmx_operation_begin(struct vmx_cpu *vc);
void vmx_operation_end(void);
bool vmcs_load(u64 pa);
void vmcs_clear(u64 pa);
u64 vmcs_read(unsigned long field);
void vmcs_write(unsigned long field, u64 val);
void vmx_invept(u64 eptp);
void vmx_invvpid(u16 vpid);
void vmx_invvpid_all(void);

/* setup.c */
bool vmx_present(void);
int vmx_setup(void);
void vmx_teardown(void);
int vmx_probe(void);
int vmx_enable(void);
void vmx_disable(void);

/* vcpu.c */
int vmx_vm_create(struct vmmu_vm *vm);
void vmx_vm_destroy(struct vmmu_vm *vm);
int vmx_vcpu_create(struct vmmu_vcpu *vcpu);
void vmx_vcpu_destroy(struct vmmu_vcpu *vcpu);
void vmx_vcpu_reset(struct vmmu_vcpu *vcpu, bool init);
void vmx_vcpu_load(struct vmmu_vcpu *vcpu, int cpu);
void vmx_vcpu_put(struct vmmu_vcpu *vcpu);
void vmx_after_set_cpuid(struct vmmu_vcpu *vcpu);
void vmx_set_tsc_offset(struct vmmu_vcpu *vcpu, u64 offset);
void vmx_update_intercepts(struct vmmu_vcpu *vcpu);

/* tlb.c */
void vmx_vpid_enable(struct vmx_cpu *vc);
void vmx_tlb_enter(struct vmx_vcpu *vmx, struct vmx_cpu *vc);
void vmx_flush_tlb(struct vmmu_vcpu *vcpu);
void vmx_set_root(struct vmmu_vcpu *vcpu, u64 root_hpa, int level);

/* enter.c, image.c, switch.S */
void vmx_prepare_switch(struct vmmu_vcpu *vcpu);
void vmx_enter(struct vmmu_vcpu *vcpu);
void vmx_host_event(struct vmmu_vcpu *vcpu);
void vmx_write_image(struct vmmu_vcpu *vcpu);
void vmx_read_image(struct vmmu_vcpu *vcpu);
asmlinkage void vmmu_vmx_switch(struct vmx_switch *args);
extern const char vmmu_vmx_exit[];

/* exit.c */
int vmx_handle_exit(struct vmmu_vcpu *vcpu);
u8 vmx_insn_len(struct vmmu_vcpu *vcpu);
u8 vmx_insn_bytes(struct vmmu_vcpu *vcpu, u8 bytes[15]);
void vmx_exit_info(struct vmmu_vcpu *vcpu, u64 *reason, u64 *info1, u64 *info2, u32 *intr,
		   u32 *intr_error);
void vmx_dump(struct vmmu_vcpu *vcpu);

/* event.c */
bool vmx_irq_allowed(struct vmmu_vcpu *vcpu);
bool vmx_nmi_allowed(struct vmmu_vcpu *vcpu);
void vmx_inject_irq(struct vmmu_vcpu *vcpu);
void vmx_inject_nmi(struct vmmu_vcpu *vcpu);
void vmx_inject_exception(struct vmmu_vcpu *vcpu);
void vmx_cancel_injection(struct vmmu_vcpu *vcpu);
void vmx_complete_events(struct vmmu_vcpu *vcpu);
void vmx_open_irq_window(struct vmmu_vcpu *vcpu);
void vmx_open_nmi_window(struct vmmu_vcpu *vcpu);
u32 vmx_get_irq_shadow(struct vmmu_vcpu *vcpu);
void vmx_set_irq_shadow(struct vmmu_vcpu *vcpu, u32 mask);
bool vmx_get_nmi_mask(struct vmmu_vcpu *vcpu);
void vmx_set_nmi_mask(struct vmmu_vcpu *vcpu, bool masked);
void vmx_update_tpr(struct vmmu_vcpu *vcpu, u8 tpr, int irr);
int vmx_exit_irq_window(struct vmmu_vcpu *vcpu);
int vmx_exit_nmi_window(struct vmmu_vcpu *vcpu);

/* cr.c */
u64 vmx_get_cr0(struct vmmu_vcpu *vcpu);
u64 vmx_get_cr3(struct vmmu_vcpu *vcpu);
u64 vmx_get_cr4(struct vmmu_vcpu *vcpu);
u64 vmx_get_efer(struct vmmu_vcpu *vcpu);
void vmx_set_cr0(struct vmmu_vcpu *vcpu, u64 val);
void vmx_set_cr3(struct vmmu_vcpu *vcpu, u64 val);
void vmx_set_cr4(struct vmmu_vcpu *vcpu, u64 val);
void vmx_set_efer(struct vmmu_vcpu *vcpu, u64 val);
bool vmx_pae_paging(struct vmmu_vcpu *vcpu);
int vmx_exit_cr(struct vmmu_vcpu *vcpu);
#define VMX_CR0_MASK	(X86_CR0_NE | X86_CR0_CD | X86_CR0_NW)

/* dr.c */
bool vmx_dr_enter(struct vmmu_vcpu *vcpu);
void vmx_dr_leave(struct vmmu_vcpu *vcpu, bool hardware);
void vmx_sync_dr(struct vmmu_vcpu *vcpu);
void vmx_set_dr7(struct vmmu_vcpu *vcpu);
int vmx_exit_dr(struct vmmu_vcpu *vcpu);
int vmx_exit_db(struct vmmu_vcpu *vcpu);
int vmx_exit_bp(struct vmmu_vcpu *vcpu);

/* reg.c */
u64 vmx_get_rflags(struct vmmu_vcpu *vcpu);
void vmx_set_rflags(struct vmmu_vcpu *vcpu, u64 val);
u64 vmx_linear_rip(struct vmmu_vcpu *vcpu);
void vmx_get_segment(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, struct kvm_segment *val);
void vmx_set_segment(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, const struct kvm_segment *val);
u8 vmx_get_cpl(struct vmmu_vcpu *vcpu);
void vmx_get_idt(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt);
void vmx_set_idt(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt);
void vmx_get_gdt(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt);
void vmx_set_gdt(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt);

/* msr.c */
int vmx_msr_setup(void);
void vmx_msr_teardown(void);
void vmx_msr_lists_init(struct vmx_msr_area *area);
int vmx_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val);
int vmx_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host);

#endif
