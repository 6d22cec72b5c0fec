/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu/vmx/ private: what we keep of a guest, and how it gets into its VMCS.
 *
 * A VMCS can only be touched in VMX operation, which a CPU enters for one entry
 * into the guest and leaves again (operation.c says why). So at rest it is clear
 * (VMCLEAR) and belongs to no CPU, and what we know of the guest is struct vmx_vcpu.
 * That knowledge comes in parts: a part that is valid says the truth, of another the
 * VMCS alone knows; what is dirty the VMCS does not know yet (image.c).
 *
 * Contract: whoever looks at a part calls vmx_need() before, whoever changes a field of
 * it vmx_change(), whoever replaces all of it vmx_replace(). struct vmx_vcpu belongs to
 * the thread that holds vcpu->mutex, struct vmx_cpu to its CPU with preemption off.
 * References: Intel SDM vol. 3.
 */
#ifndef VMMU_VMX_VMCS_H
#define VMMU_VMX_VMCS_H

#include <linux/bits.h>
#include <linux/io.h>
#include <linux/percpu.h>
#include <asm/debugreg.h>
#include <asm/desc_defs.h>
#include <asm/trapnr.h>
#include <asm/vmx.h>
#include "vmmu/vm.h"

/* Parts of a guest's state; a segment's is BIT(enum vmmu_seg). */
enum vmx_part {
	VMX_SEGMENTS = GENMASK(VMMU_NR_SEGS - 1, 0),
	VMX_TABLES = BIT(8),	/* GDTR, IDTR, SYSENTER MSRs */
	VMX_CR = BIT(9),	/* CR0, CR3, CR4, EFER; shadows, masks and PAT go with them */
	VMX_STATE = GENMASK(9, 0),	/* all that the guest changes behind our back */
	/* What only we change is always valid. */
	VMX_PDPTES = BIT(10),
	VMX_DR7 = BIT(11),
	VMX_PENDING = BIT(12),	/* no debug exception is pending */
	VMX_CONTROLS = BIT(13),	/* controls, masks, bitmaps, EPTP, VPID, TSC offset */
	VMX_FIXED = BIT(14),	/* what never changes after the first entry */
	VMX_ROOT = BIT(15),	/* CR3 where it is not the guest's: shadow tables */
	VMX_ALL = GENMASK(15, 0),
};

static_assert(VMMU_NR_SEGS == 8);

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
	u64 cr0_mask;			/* bits of CR0 that are ours: see cr.c */
	u64 cr4_fixed1;
	u64 pat;			/* the host's */
	bool ept;			/* else shadow tables, and EPT while a guest is unpaged */
	bool ept_ad;
	bool invept_context;
	bool vpid;
	bool invvpid_context;
	bool l1d_flush;			/* L1TF: see l1d.c */
	bool tpr_shadow;
	bool spec_ctrl;
	struct page *msr_bitmap;	/* what the guest may touch directly is 0 */
	struct page *msr_bitmap_all;	/* everything exits: VMs with an MSR filter */
};

extern struct vmx_host vmx_host;

struct vmx_cpu {
	bool enabled;		/* we may enter VMX operation here */
	u64 vpid_generation;
	u32 next_vpid;
	struct page *region;	/* VMXON's */
};

DECLARE_PER_CPU(struct vmx_cpu, vmx_cpu);

struct vmx_crs {
	u64 cr0, cr4, efer;
};

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
	u8 *vapic;		/* virtual-APIC page; only VTPR is used */
	int cpu;		/* where its VPID and cached EPT translations are valid */
	u32 valid;		/* enum vmx_part */
	u32 dirty;		/* enum vmx_part; a subset of valid */

	/* TLB; see tlb.c */
	u64 vpid_generation;	/* 0: needs a new VPID */
	u16 vpid;
	u64 eptp;
	u64 root;		/* shadow tables: CR3 */
	bool ept_on;		/* what the next entry walks: EPT, or shadow tables */
	bool flush;

	bool in_turn;		/* the VMCS is current on this CPU, interrupts are off */

	/* controls */
	u32 cpu_based;
	u32 secondary;
	u32 exceptions;
	u64 tsc_offset;
	u64 msr_bitmap;

	bool tpr_shadow;	/* CR8 is in the virtual-APIC page */
	u8 tpr_threshold;	/* of the interrupt that waits, 0: none */

	/* guest state */
	u64 cr0, cr0_shadow;	/* cr0, cr4: what hardware has; see cr.c */
	u64 cr3;		/* this and efer: the guest's */
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
	bool l1d_used;		/* since the last entry, by what the guest is not to see */

	/* What the VMCS holds now of fields that are written when they differ; see image.c. */
	struct {
		u64 rsp, rflags;
		u32 int_state;
		u8 tpr_threshold;
		bool event;		/* valid bit of the interruption information */
		int host_cpu;		/* whose addresses the host-state area has, -1: none */
		u64 host_cr3, host_cr4, host_fs_base;
	} image;
};

#define VMX_REASON_NONE		0xffff	/* nothing was entered, nothing happened */

static_assert(VMMU_SEG_ES == 0 && VMMU_SEG_GS == 5 && VMMU_SEG_LDTR == 6 && VMMU_SEG_TR == 7);
static_assert(GUEST_TR_BASE - GUEST_ES_BASE == 2 * VMMU_SEG_TR);

/* What an exit does not give back to the host as it was, or not by itself. */
struct vmx_host_rest {
	struct desc_ptr gdt, idt;
	u16 ds, es, fs, gs, ldt;
	u64 fs_base, kernel_gs_base, debugctl;
};

/* What vmmu_vmx_switch() gets; offsets are known to switch.S. */
struct vmx_switch {
	u64 *regs;
	u64 guest_spec;
	u64 host_spec;
	u64 refused;
	u64 launched;		/* VMRESUME: the VMCS was current since its VMLAUNCH */
};

/* Port I/O's exit qualification, SDM table 28-5: besides, bits 31:16 are the port. */
#define VMX_IO_SIZE	GENMASK(2, 0)	/* minus 1 */
#define VMX_IO_IN	BIT(3)
#define VMX_IO_STRING	BIT(4)
#define VMX_IO_REP	BIT(5)

static inline struct vmx_vcpu *to_vmx(struct vmmu_vcpu *vcpu)
{
	return vcpu->hw;
}

void vmx_fetch(struct vmmu_vcpu *vcpu, u32 parts);

/* Make @parts (enum vmx_part) valid; own thread, any context but NMI. */
static inline void vmx_need(struct vmmu_vcpu *vcpu, u32 parts)
{
	if (unlikely(parts & ~to_vmx(vcpu)->valid))
		vmx_fetch(vcpu, parts);
}

static inline void vmx_change(struct vmmu_vcpu *vcpu, u32 parts)
{
	vmx_need(vcpu, parts);
	to_vmx(vcpu)->dirty |= parts;
}

static inline void vmx_replace(struct vmx_vcpu *vmx, u32 parts)
{
	vmx->valid |= parts;
	vmx->dirty |= parts;
}

static inline bool vmx_event_pending(const struct vmx_vcpu *vmx)
{
	return vmx->event & INTR_INFO_VALID_MASK;
}

void vmcs_access_failed(unsigned long field);

/* In VMX operation, the VMCS current. */
static __always_inline u64 vmcs_read(unsigned long field)
{
	bool failed;
	u64 val;

	asm volatile("vmread %2, %1" : "=@ccbe" (failed), "=r" (val) : "r" (field));
	if (unlikely(failed)) {
		vmcs_access_failed(field);
		val = 0;
	}
	return val;
}

static __always_inline void vmcs_write(unsigned long field, u64 val)
{
	bool failed;

	asm volatile("vmwrite %1, %2" : "=@ccbe" (failed) : "r" (val), "r" (field));
	if (unlikely(failed))
		vmcs_access_failed(field);
}

/* operation.c */
int vmx_operation_begin(struct vmx_cpu *vc);
void vmx_operation_end(void);
bool vmcs_load(u64 pa);
void vmcs_clear(u64 pa);
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
void vmx_after_set_cpuid(struct vmmu_vcpu *vcpu);
void vmx_set_tsc_offset(struct vmmu_vcpu *vcpu, u64 offset);
void vmx_update_intercepts(struct vmmu_vcpu *vcpu);

/* tlb.c */
void vmx_vpid_enable(struct vmx_cpu *vc);
void vmx_tlb_enter(struct vmx_vcpu *vmx, struct vmx_cpu *vc);
void vmx_flush_tlb(struct vmmu_vcpu *vcpu);
void vmx_set_root(struct vmmu_vcpu *vcpu, u64 root_hpa, int level);

/* enter.c, image.c, switch.S */
void vmx_enter(struct vmmu_vcpu *vcpu);
void vmx_host_event(struct vmmu_vcpu *vcpu);
void vmx_write_image(struct vmmu_vcpu *vcpu, const struct vmx_host_rest *rest);
void vmx_read_image(struct vmmu_vcpu *vcpu);
asmlinkage void vmmu_vmx_switch(struct vmx_switch *args);
extern const char vmmu_vmx_exit[];

/* l1d.c */
int vmx_l1d_setup(void);
void vmx_l1d_teardown(void);
void vmx_l1d_empty(struct vmx_vcpu *vmx);

/* exit.c */
int vmx_handle_exit(struct vmmu_vcpu *vcpu);
u64 vmx_fault_error(const struct vmx_vcpu *vmx);
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
int vmx_exit_irq_window(struct vmmu_vcpu *vcpu);
int vmx_exit_nmi_window(struct vmmu_vcpu *vcpu);

/* tpr.c */
void vmx_tpr_to_guest(struct vmmu_vcpu *vcpu);
void vmx_tpr_from_guest(struct vmmu_vcpu *vcpu);
void vmx_update_tpr(struct vmmu_vcpu *vcpu, u8 tpr, int irr);
int vmx_exit_tpr(struct vmmu_vcpu *vcpu);

/* cr.c */
u64 vmx_get_cr0(struct vmmu_vcpu *vcpu);
u64 vmx_get_cr3(struct vmmu_vcpu *vcpu);
u64 vmx_get_cr4(struct vmmu_vcpu *vcpu);
u64 vmx_get_efer(struct vmmu_vcpu *vcpu);
void vmx_set_cr0(struct vmmu_vcpu *vcpu, u64 val);
void vmx_set_cr3(struct vmmu_vcpu *vcpu, u64 val);
void vmx_set_cr4(struct vmmu_vcpu *vcpu, u64 val);
void vmx_set_efer(struct vmmu_vcpu *vcpu, u64 val);
int vmx_exit_cr(struct vmmu_vcpu *vcpu);
struct vmx_crs vmx_shadow_crs(struct vmx_crs crs);
/* Bits that are not the guest's; with ept=0 what decides how tables are read is not either. */
#define VMX_CR0_MASK	(X86_CR0_NE | X86_CR0_CD | X86_CR0_NW)
#define VMX_CR0_SHADOW_MASK	(VMX_CR0_MASK | X86_CR0_PG | X86_CR0_WP)
#define VMX_CR4_SHADOW_MASK	(X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE | \
				 X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_LA57)

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
void vmx_get_segment(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, struct kvm_segment *val);
void vmx_set_segment(struct vmmu_vcpu *vcpu, enum vmmu_seg seg, const struct kvm_segment *val);
void vmx_strict_segments(struct vmmu_vcpu *vcpu);
u8 vmx_get_cpl(struct vmmu_vcpu *vcpu);
void vmx_fetch_state(struct vmmu_vcpu *vcpu, struct vmmu_fetch_state *f);
void vmx_get_idt(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt);
void vmx_set_idt(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt);
void vmx_get_gdt(struct vmmu_vcpu *vcpu, struct kvm_dtable *dt);
void vmx_set_gdt(struct vmmu_vcpu *vcpu, const struct kvm_dtable *dt);

/* msr.c */
int vmx_msr_setup(void);
void vmx_msr_teardown(void);
void vmx_msr_lists_init(struct vmx_msr_area *area);
int vmx_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val);
int vmx_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val);

#endif
