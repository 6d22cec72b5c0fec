/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu/: the run loop, requests, register/MSR/CPUID/FPU state, event injection,
 * and the exits that mean the same on every back end.
 */
#ifndef VMMU_VCPU_H
#define VMMU_VCPU_H

#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <asm/mce.h>
#include <asm/cpufeatures.h>
#include "vmmu/cpu.h"
#include "vmmu/emulate.h"
#include "vmmu/irq.h"
#include "vmmu/memslot.h"
#include "vmmu/mmu.h"
#include "vmmu/request.h"
#include "vmmu/types.h"

/* Events for the guest; vcpu->mutex, nmi_queued by anyone. */
struct vmmu_event {
	struct {
		bool pending;	/* not yet in the entry's injection field */
		bool injected;	/* was there, delivery not known complete */
		bool has_error;
		bool has_payload;
		u8 vector;
		u32 error;
		u64 payload;	/* CR2 or DR6 bits, not yet in the register */
	} exception;
	struct {
		bool injected;
		bool soft;
		u8 vector;
	} interrupt;
	bool nmi_injected;
	u8 nmi_pending;		/* 0..2, own thread */
	atomic_t nmi_queued;	/* made pending on VMMU_REQ_NMI */
	int user_irq;		/* KVM_INTERRUPT's vector, -1: none */
	bool triple_fault;
};

struct vmmu_cpuid {
	struct kvm_cpuid_entry2 *entries;
	int nr;
	/* Derived by vcpu/cpuid.c when set. */
	u64 cr4_reserved;	/* CR4 bits this guest must not set */
	u64 efer_reserved;
	u64 xcr0_supported;
	u8 maxphyaddr;
	bool intel;		/* the guest's vendor is neither AMD nor Hygon */
	u32 features[NCAPINTS];	/* the words behind vmmu_guest_has() */
	/* CPUID 0xd EBX for the guest's XCR0: standard and compacted; vmmu_cpuid_runtime(). */
	u32 xsave_size;
	u32 xsave_compacted_size;
};

/* Debug registers as the guest sees them, and user space's own (guest debugging). */
struct vmmu_debug {
	u64 dr[4];
	u64 dr6;
	u64 dr7;
	u64 eff_dr[4];		/* what hardware gets: dr[] or user space's */
	u32 guest_debug;	/* KVM_GUESTDBG_* */
	u64 guest_debug_dr7;
	bool stepping;		/* RFLAGS.TF is user space's: KVM_GUESTDBG_SINGLESTEP is armed */
	bool guest_tf;		/* the guest's own TF behind it */
	bool loaded;		/* the guest owns the hardware's now */
};

/* Plain MSRs that no other room keeps; vcpu->mutex. */
struct vmmu_msrs {
	u64 pat;
	u64 misc_enable;
	u64 tsc_aux;
	u64 mtrr_def_type;
	u64 mtrr_fixed[11];
	u64 mtrr_var[16];	/* base, mask pairs */
	u64 mcg_status, mcg_cap, mcg_ctl;
	u64 *mce_banks;		/* 4 per bank */
	u64 spec_ctrl;
	u64 arch_capabilities;
	u64 ucode_rev;
	u64 platform_info;
	u64 misc_features_enables;
	u64 xss;
	u64 poll_control;
	u64 hwcr;
	u64 de_cfg;
	u64 osvw[2];		/* length, status */
};

struct vmmu_clock_vcpu {
	u64 tsc_offset;		/* guest TSC = host TSC + offset; read by other vCPUs too */
	u64 tsc_adjust;
	u32 tsc_khz;
	u64 system_time_msr;
	struct vmmu_gpa_cache pv_time;
	bool pv_time_enabled;
	bool pvclock_stopped;	/* KVM_KVMCLOCK_CTRL */
	u64 steal_msr;
	struct vmmu_gpa_cache steal;
	u64 steal_last;
};

/* The guest's FPU: a standard-format XSAVE area of our own. vcpu/fpu.c. */
struct vmmu_fpu {
	struct xregs_state *area;	/* 64-byte aligned */
	u32 size;
	u64 xcr0;			/* the guest's */
	u32 pkru;
	u32 host_pkru;
};

struct vmmu_vcpu {
	struct vmmu_vm *vm;
	u32 id;				/* KVM_CREATE_VCPU's argument, the APIC id */
	u32 index;			/* in vm->vcpus */
	u64 serial;			/* never used twice, unlike addresses; from 1 */
	int cpu;			/* loaded there, or last; -1 never */
	struct mutex mutex;		/* one ioctl at a time */
	struct kvm_run *run;		/* shared with user space: never trust, read once */
	void *pio_data;			/* the page after run: KVM_EXIT_IO's data */
	struct pid __rcu *pid;
	struct preempt_notifier preempt;
	bool preempted;
	struct rcuwait wait;
	unsigned long requests;		/* enum vmmu_request bits, atomic */
	int mode;			/* enum vmmu_vcpu_mode; see request.h */
	int srcu_idx;			/* vm->srcu while our code runs for this vCPU */
	bool sigset_active;
	sigset_t sigset;
	u32 mp_state;			/* KVM_MP_STATE_* */
	/* After a user-space exit: called first in the next KVM_RUN; 1 go on, 0 exit, <0. */
	int (*complete_io)(struct vmmu_vcpu *vcpu);

	u64 regs[VMMU_NR_REGS];		/* rsp too; complete while outside guest mode */
	u64 rip;
	u64 cr2;
	u64 cr8;			/* only without a LAPIC */
	/*
	 * The page-directory pointers that the guest's PAE paging loaded: vcpu/cr.c. Only where
	 * the processor does not walk the guest's tables; else they are not pdptr_valid.
	 */
	u64 pdptr[4];
	bool pdptr_valid;
	u64 apic_base;			/* likewise: IA32_APIC_BASE */

	struct vmmu_event event;
	struct vmmu_cpuid cpuid;
	struct vmmu_debug dbg;
	struct vmmu_msrs msrs;
	struct vmmu_clock_vcpu clock;
	struct vmmu_fpu fpu;
	struct vmmu_mmu_vcpu mmu;
	struct vmmu_emul_vcpu emul;
	struct vmmu_lapic *apic;
	struct vmmu_pv_eoi pv_eoi;
	void *hw;			/* the back end's own */

	int slow_port;			/* whose OUT was no eventfd's, -1: none; fast_exit.c */
	u64 exits;			/* counted for KVM_GET_STATS_FD */
	bool ran;			/* KVM_RUN was called: CPUID is settled */
};

/* ---- life: vcpu/vcpu.c ---- */
int vmmu_vcpu_module_init(void);
void vmmu_vcpu_module_exit(void);
struct vmmu_vcpu *vmmu_vcpu_create(struct vmmu_vm *vm, u32 id);
void vmmu_vcpu_destroy(struct vmmu_vcpu *vcpu);
/* Bind to this thread and CPU (preempt notifier); vcpu->mutex held. */
void vmmu_vcpu_load(struct vmmu_vcpu *vcpu);
void vmmu_vcpu_put(struct vmmu_vcpu *vcpu);
void vmmu_vcpu_reset(struct vmmu_vcpu *vcpu, bool init);
/* SIPI: real mode at @vector << 12. */
void vmmu_vcpu_sipi(struct vmmu_vcpu *vcpu, u8 vector);

/* ---- run: vcpu/run.c ---- */
int vmmu_vcpu_run(struct vmmu_vcpu *vcpu);
/* Interrupts off, between an exit that needed nothing and the next entry. */
bool vmmu_vcpu_may_enter(struct vmmu_vcpu *vcpu);
/* Is there something that ends a halt? Any thread. */
bool vmmu_vcpu_runnable(struct vmmu_vcpu *vcpu);
/* Does user space wait to hand in an interrupt that this vCPU would take? Own thread. */
bool vmmu_wants_user_irq(struct vmmu_vcpu *vcpu);
/* Would KVM_INTERRUPT's vector be taken at once? Own thread. */
bool vmmu_ready_for_user_irq(struct vmmu_vcpu *vcpu);

/* ---- events: vcpu/event.c; own thread ---- */
void vmmu_queue_exception(struct vmmu_vcpu *vcpu, u8 vector);
void vmmu_queue_exception_error(struct vmmu_vcpu *vcpu, u8 vector, u32 error);
void vmmu_queue_exception_payload(struct vmmu_vcpu *vcpu, u8 vector, u64 payload);
/* #PF with CR2 and error, or whatever @e says. Contributory rules (#DF, shutdown) apply. */
void vmmu_inject_exception(struct vmmu_vcpu *vcpu, const struct vmmu_exception *e);
/* Re-injection after a delivery cut short: no contributory rules. */
void vmmu_requeue_exception(struct vmmu_vcpu *vcpu, u8 vector, bool has_error, u32 error);
unsigned int vmmu_soft_insn_len(struct vmmu_vcpu *vcpu);
static inline void vmmu_inject_gp(struct vmmu_vcpu *vcpu)
{
	vmmu_queue_exception_error(vcpu, 13, 0);
}

void vmmu_inject_nmi(struct vmmu_vcpu *vcpu);	/* any thread */
/* Is anything waiting for re-injection? */
bool vmmu_event_reinjecting(struct vmmu_vcpu *vcpu);

/* ---- control registers: vcpu/cr.c; 0, or 1 when the guest gets #GP (not queued) ---- */
int vmmu_set_cr0(struct vmmu_vcpu *vcpu, u64 val);
int vmmu_set_cr3(struct vmmu_vcpu *vcpu, u64 val);
int vmmu_set_cr4(struct vmmu_vcpu *vcpu, u64 val);
int vmmu_set_cr8(struct vmmu_vcpu *vcpu, u64 val);
/* Load the PDPTEs that PAE paging with these registers takes, as user space set them. */
void vmmu_pdptrs_set(struct vmmu_vcpu *vcpu, const u64 *given);
u64 vmmu_get_cr8(struct vmmu_vcpu *vcpu);
int vmmu_set_efer(struct vmmu_vcpu *vcpu, u64 val, bool host);
int vmmu_set_xcr(struct vmmu_vcpu *vcpu, u32 index, u64 val);
int vmmu_set_dr(struct vmmu_vcpu *vcpu, int n, u64 val);
int vmmu_get_dr(struct vmmu_vcpu *vcpu, int n, u64 *val);

/* ---- MSRs: vcpu/msr.c ---- */
/*
 * 0; 1: #GP (KVM_MSR_EXIT_REASON_INVAL); -ENOENT: no such MSR
 * (KVM_MSR_EXIT_REASON_UNKNOWN, else #GP). @host: for an ioctl of user space.
 * The filter is the caller's business: vmmu_msr_filter_allows().
 */
int vmmu_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host);
int vmmu_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host);
int vmmu_msrs_init(struct vmmu_vcpu *vcpu);
void vmmu_msrs_destroy(struct vmmu_vcpu *vcpu);
void vmmu_msrs_reset(struct vmmu_vcpu *vcpu, bool init);
/* KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST: fill, return count. */
int vmmu_msr_list(u32 *indices, int max);
int vmmu_msr_feature_list(u32 *indices, int max);
int vmmu_get_msr_feature(u32 index, u64 *val);
/* KVM_X86_SET_MSR_FILTER (user memory already copied in by device/). */
struct vmmu_msr_filter;
int vmmu_set_msr_filter(struct vmmu_vm *vm, const struct kvm_msr_filter *filter);
void vmmu_free_msr_filter(struct vmmu_vm *vm);
/* CPUID by the guest gets #GP at CPL > 0: the caller knows the CPL. */
static inline bool vmmu_cpuid_faulting(struct vmmu_vcpu *vcpu)
{
	return vcpu->msrs.misc_features_enables & BIT(0);
}

/* May the guest access @index, as far as KVM_X86_SET_MSR_FILTER goes? vm->srcu held. */
bool vmmu_msr_filter_allows(struct vmmu_vm *vm, u32 index, bool write);
int vmmu_setup_mce(struct vmmu_vcpu *vcpu, u64 mcg_cap);
/* KVM_X86_SET_MCE: 0 or -EINVAL. */
int vmmu_set_mce(struct vmmu_vcpu *vcpu, const struct kvm_x86_mce *mce);
#define VMMU_MCE_CAP_SUPPORTED	(MCG_CTL_P | MCG_SER_P)
#define VMMU_MAX_MCE_BANKS	32

/* ---- CPUID: vcpu/cpuid.c ---- */
/* KVM_GET_SUPPORTED_CPUID: fills up to @max, returns the count or -E2BIG. */
int vmmu_supported_cpuid(struct kvm_cpuid_entry2 *entries, int max);
/* KVM_SET_CPUID2: 0, -E2BIG, -EINVAL, -ENOMEM. @entries are copied and stay the caller's. */
int vmmu_set_cpuid(struct vmmu_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, int nr);
/* KVM_GET_CPUID2 of one entry: the bits that mirror other state applied. */
void vmmu_cpuid_entry_now(struct vmmu_vcpu *vcpu, struct kvm_cpuid_entry2 *e);
#define VMMU_MAX_CPUID_ENTRIES	256
/* No CPUID set yet: limits are the host's. By vmmu_msrs_init(). */
void vmmu_cpuid_create(struct vmmu_vcpu *vcpu);
void vmmu_free_cpuid(struct vmmu_vcpu *vcpu);
/* What CPUID gives the guest for (eax, ecx), OSXSAVE etc. applied. */
void vmmu_cpuid(struct vmmu_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
/* Does the guest's CPUID have the Linux X86_FEATURE_x (cpufeatures.h; only words that we track)? */
bool vmmu_guest_has(struct vmmu_vcpu *vcpu, unsigned int x86_feature);
/* MONITOR and MWAIT, which the guest may switch on itself. */
bool vmmu_cpuid_has_mwait(struct vmmu_vcpu *vcpu);
/* Would KVM_GET_SUPPORTED_CPUID report it? */
bool vmmu_can(unsigned int x86_feature);
/* CR4, XCR0 or APIC base changed: the CPUID bits that mirror them are stale. */
void vmmu_cpuid_runtime(struct vmmu_vcpu *vcpu);
int vmmu_cpuid_module_init(void);

/* ---- FPU: vcpu/fpu.c ---- */
int vmmu_fpu_module_init(void);
int vmmu_fpu_create(struct vmmu_vcpu *vcpu);
void vmmu_fpu_destroy(struct vmmu_vcpu *vcpu);
void vmmu_fpu_reset(struct vmmu_vcpu *vcpu, bool init);
/* Interrupts off. begin: host's saved (kernel_fpu_begin), XCR0, PKRU and the area loaded. */
void vmmu_fpu_load(struct vmmu_vcpu *vcpu);
void vmmu_fpu_save(struct vmmu_vcpu *vcpu);
int vmmu_get_fpu(struct vmmu_vcpu *vcpu, struct kvm_fpu *fpu);
int vmmu_set_fpu(struct vmmu_vcpu *vcpu, const struct kvm_fpu *fpu);
/* @size: of the buffer (4096 or KVM_CAP_XSAVE2's). */
int vmmu_get_xsave(struct vmmu_vcpu *vcpu, void *buf, u32 size);
int vmmu_set_xsave(struct vmmu_vcpu *vcpu, const void *buf, u32 size);
u32 vmmu_xsave_size(void);		/* KVM_CAP_XSAVE2's answer, >= 4096 */
u64 vmmu_supported_xcr0(void);

/* ---- time: vcpu/clock.c ---- */
int vmmu_clock_module_init(void);
void vmmu_clock_module_exit(void);
void vmmu_clock_vm_init(struct vmmu_vm *vm);
void vmmu_clock_vm_destroy(struct vmmu_vm *vm);
void vmmu_clock_vcpu_init(struct vmmu_vcpu *vcpu);
/* RESET and INIT: no clock page, no steal time any more. By vmmu_msrs_reset(). */
void vmmu_clock_vcpu_reset(struct vmmu_vcpu *vcpu);
u64 vmmu_guest_tsc(struct vmmu_vcpu *vcpu, u64 host_tsc);
/* IA32_TSC and TSC_ADJUST writes; @host: from KVM_SET_MSRS (synchronising heuristics). */
void vmmu_write_tsc(struct vmmu_vcpu *vcpu, u64 val, bool host);
void vmmu_write_tsc_adjust(struct vmmu_vcpu *vcpu, u64 val, bool host);
int vmmu_set_tsc_khz(struct vmmu_vcpu *vcpu, u32 khz);
/* MSR_KVM_SYSTEM_TIME(_NEW), WALL_CLOCK(_NEW), STEAL_TIME: 0 or 1 (#GP). */
int vmmu_clock_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val);
int vmmu_clock_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val);
void vmmu_clock_update(struct vmmu_vcpu *vcpu);	/* serves VMMU_REQ_CLOCK_UPDATE */
void vmmu_steal_update(struct vmmu_vcpu *vcpu);
bool vmmu_steal_supported(void);	/* this kernel accounts what a thread waits for a CPU */
int vmmu_get_clock(struct vmmu_vm *vm, struct kvm_clock_data *data);
int vmmu_set_clock(struct vmmu_vm *vm, const struct kvm_clock_data *data);
int vmmu_clock_ctrl(struct vmmu_vcpu *vcpu);	/* KVM_KVMCLOCK_CTRL */

/* ---- exits that mean the same on every back end: vcpu/exit.c.
 * 1 resume, 0 exit to user space, <0 errno; each skips the instruction itself. ----
 */
int vmmu_exit_cpuid(struct vmmu_vcpu *vcpu);
int vmmu_exit_rdmsr(struct vmmu_vcpu *vcpu);
int vmmu_exit_wrmsr(struct vmmu_vcpu *vcpu);
int vmmu_exit_hlt(struct vmmu_vcpu *vcpu);
int vmmu_exit_hypercall(struct vmmu_vcpu *vcpu);
int vmmu_exit_xsetbv(struct vmmu_vcpu *vcpu);
int vmmu_exit_rdpmc(struct vmmu_vcpu *vcpu);
int vmmu_exit_wbinvd(struct vmmu_vcpu *vcpu);
int vmmu_exit_pause(struct vmmu_vcpu *vcpu);
int vmmu_exit_monitor_mwait(struct vmmu_vcpu *vcpu);
/* #UD for an instruction that the guest may not use (VMRUN, ...). */
int vmmu_exit_ud(struct vmmu_vcpu *vcpu);
/*
 * Nested page fault or EPT violation at gpa @addr, or the guest's own #PF at gva @addr when it
 * runs on shadow tables: runs vmmu_mmu_fault() and acts on its verdict.
 */
int vmmu_exit_page_fault(struct vmmu_vcpu *vcpu, u64 addr, u64 error);
/* Shadow paging only: vcpu/invlpg.c. */
int vmmu_exit_invlpg(struct vmmu_vcpu *vcpu, u64 gva, u8 len);
int vmmu_exit_invpcid(struct vmmu_vcpu *vcpu, u64 type, u64 linear);
/* Triple fault / shutdown: KVM_EXIT_SHUTDOWN. */
int vmmu_exit_shutdown(struct vmmu_vcpu *vcpu);
/* KVM_EXIT_INTERNAL_ERROR with @suberror and up to 4 words; 0. */
int vmmu_exit_internal_error(struct vmmu_vcpu *vcpu, u32 suberror, int ndata, const u64 *data);
int vmmu_exit_fail_entry(struct vmmu_vcpu *vcpu, u64 reason);

/*
 * ---- exits that are answered with interrupts off: vcpu/fast_exit.c ----
 * vm->srcu held; an event's delivery was not cut short, RFLAGS.TF and RF are clear. True: it
 * is done, rip is behind it. False: nothing happened.
 */
bool vmmu_fast_cpuid(struct vmmu_vcpu *vcpu);
bool vmmu_fast_hypercall(struct vmmu_vcpu *vcpu);
bool vmmu_fast_port_out(struct vmmu_vcpu *vcpu, u16 port, unsigned int size, u64 next_rip);
/* Shadow paging only. The root, and the need to flush, may be others afterwards. */
bool vmmu_fast_mov_to_cr(struct vmmu_vcpu *vcpu);
bool vmmu_fast_invlpg(struct vmmu_vcpu *vcpu);

/* ---- guest debugging: vcpu/debug.c ---- */
#define VMMU_GUESTDBG_VALID (KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |		\
			     KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP |		\
			     KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP |		\
			     KVM_GUESTDBG_BLOCKIRQ)
u64 vmmu_effective_dr7(const struct vmmu_vcpu *vcpu);
int vmmu_exit_debug(struct vmmu_vcpu *vcpu, u32 vector, u64 dr6, u64 pc);
int vmmu_debug_exception(struct vmmu_vcpu *vcpu, u64 hits, u64 pc);
int vmmu_set_guest_debug(struct vmmu_vcpu *vcpu, const struct kvm_guest_debug *dbg);

/* ---- user-visible state: vcpu/state.c (ioctl bodies; vCPU loaded) ---- */
void vmmu_get_regs(struct vmmu_vcpu *vcpu, struct kvm_regs *regs);
void vmmu_set_regs(struct vmmu_vcpu *vcpu, const struct kvm_regs *regs);
void vmmu_get_sregs2(struct vmmu_vcpu *vcpu, struct kvm_sregs2 *sregs);
int vmmu_set_sregs2(struct vmmu_vcpu *vcpu, const struct kvm_sregs2 *sregs);
void vmmu_get_sregs(struct vmmu_vcpu *vcpu, struct kvm_sregs *sregs);
int vmmu_set_sregs(struct vmmu_vcpu *vcpu, const struct kvm_sregs *sregs);
void vmmu_get_events(struct vmmu_vcpu *vcpu, struct kvm_vcpu_events *events);
int vmmu_set_events(struct vmmu_vcpu *vcpu, const struct kvm_vcpu_events *events);
void vmmu_get_debugregs(struct vmmu_vcpu *vcpu, struct kvm_debugregs *dbg);
int vmmu_set_debugregs(struct vmmu_vcpu *vcpu, const struct kvm_debugregs *dbg);
int vmmu_get_mp_state(struct vmmu_vcpu *vcpu, struct kvm_mp_state *mp);
int vmmu_set_mp_state(struct vmmu_vcpu *vcpu, const struct kvm_mp_state *mp);

/* Which mode the guest's code runs in: 2, 4 or 8 (default address bytes of CS). */
int vmmu_code_bytes(struct vmmu_vcpu *vcpu);
/* The linear address of rip. */
u64 vmmu_linear_rip(struct vmmu_vcpu *vcpu);

/* ---- small helpers ---- */

/* RFLAGS as the guest sees it: while user space steps, TF is not the guest's (debug.c). */
static inline u64 vmmu_get_rflags(struct vmmu_vcpu *vcpu)
{
	u64 rflags = vmmu_cpu->get_rflags(vcpu);

	if (unlikely(vcpu->dbg.stepping) && !vcpu->dbg.guest_tf)
		rflags &= ~(u64)X86_EFLAGS_TF;
	return rflags;
}

static inline void vmmu_set_rflags(struct vmmu_vcpu *vcpu, u64 val)
{
	if (unlikely(vcpu->dbg.stepping)) {
		vcpu->dbg.guest_tf = val & X86_EFLAGS_TF;
		val |= X86_EFLAGS_TF;
	}
	vmmu_cpu->set_rflags(vcpu, val);
}

static inline u32 vmmu_reg32(struct vmmu_vcpu *vcpu, enum vmmu_reg r)
{
	return vcpu->regs[r];
}

/* The four loaded PDPTEs of PAE paging, NULL when an access reads them from memory. */
static inline const u64 *vmmu_pdptrs(struct vmmu_vcpu *vcpu)
{
	return vcpu->pdptr_valid ? vcpu->pdptr : NULL;
}

static inline bool vmmu_paging_on(struct vmmu_vcpu *vcpu)
{
	return vmmu_cpu->get_cr0(vcpu) & BIT(31);
}

/* EDX:EAX. */
static inline u64 vmmu_edx_eax(struct vmmu_vcpu *vcpu)
{
	return (u32)vcpu->regs[VMMU_RAX] | (vcpu->regs[VMMU_RDX] << 32);
}

/* Long mode active and a 64-bit code segment. */
static inline bool vmmu_is_64bit(struct vmmu_vcpu *vcpu)
{
	return vmmu_code_bytes(vcpu) == 8;
}

#endif
