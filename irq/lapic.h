/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC's inside, for irq/ only.
 *
 * The register page is the truth: every register stands where the xAPIC shows
 * it, so that KVM_GET_LAPIC is a copy. Beside it stands what cannot be read
 * from the page quickly (summaries of the vector banks) or is not a register.
 *
 * Who writes: everything is written by the vCPU's own thread (or the holder of
 * vcpu->mutex) alone, except IRR, TMR, events and esr, which any thread in any
 * context changes with atomics. Everything may be read by any thread.
 */
#ifndef VMMU_IRQ_LAPIC_H
#define VMMU_IRQ_LAPIC_H

#include <linux/bitops.h>
#include <linux/hrtimer.h>
#include <asm/apicdef.h>

#include "vmmu/vm.h"

#define LAPIC_REGS_SIZE		0x400
#define LAPIC_NR_VECTORS	256
#define LAPIC_BANK_WORDS	8
#define LAPIC_VERSION		(0x14 | (5 << 16))	/* integrated; LVT entries 0..5 */
#define LAPIC_FIRST_VECTOR	16			/* lower ones are illegal */

#define LAPIC_BASE_EXTD		BIT_ULL(10)
#define LAPIC_BASE_EN		BIT_ULL(11)
#define LAPIC_BASE_BSP		BIT_ULL(8)

#define LAPIC_TIMER_MODE(lvtt)	((lvtt) & (3 << 17))

static_assert(sizeof(struct kvm_lapic_state) == LAPIC_REGS_SIZE);
static_assert(APIC_TMR - APIC_ISR == LAPIC_BANK_WORDS * 0x10);
static_assert(APIC_IRR - APIC_TMR == LAPIC_BANK_WORDS * 0x10);

enum lapic_event {
	LAPIC_EVENT_INIT,
	LAPIC_EVENT_SIPI,
};

struct vmmu_lapic_timer {
	struct hrtimer hrtimer;
	u64 period_ns;		/* periodic: one period; written while hrtimer is cancelled */
	u64 tscdeadline;	/* IA32_TSC_DEADLINE; the callback clears it */
	u32 mode_mask;		/* LVTT's mode bits that this guest's CPUID gives it */
};

struct vmmu_lapic {
	struct vmmu_vcpu *vcpu;
	void *regs;			/* a page */
	u64 base;			/* IA32_APIC_BASE */
	unsigned long irr_summary;	/* bit n: word n of IRR may have bits; atomic */
	unsigned long isr_summary;	/* the same of ISR; own thread */
	unsigned long events;		/* enum lapic_event; atomic */
	u8 sipi_vector;			/* of the last SIPI; written before its event bit */
	u8 slot;			/* in vm->irq.lapics */
	atomic_t esr;			/* errors since ESR was last written */
	atomic_t arb;			/* lowest-priority interrupts taken: ties go round */
	struct vmmu_lapic_timer timer;
	/* The rest is the own thread's. */
	bool eoi_pending;		/* eoi_done is not empty */
	DECLARE_BITMAP(eoi_exit, LAPIC_NR_VECTORS);	/* EOIs the user-space I/O APIC sees */
	DECLARE_BITMAP(eoi_done, LAPIC_NR_VECTORS);	/* ... and has yet to be told of */
};

/* A message to local APICs, whether from an ICR or from an MSI. */
struct vmmu_apic_msg {
	u32 dest;
	u8 vector;
	u8 mode;		/* APIC_DM_x >> 8 */
	bool logical;
	bool level;		/* level-triggered: TMR */
	bool lowest;		/* to one of the destinations */
	bool msi;		/* not an IPI: 0xff may mean everybody */
};

/* ---- registers ---- */

static inline u32 lapic_get(const struct vmmu_lapic *apic, u32 reg)
{
	return READ_ONCE(*(const u32 *)(apic->regs + reg));
}

static inline void lapic_set(struct vmmu_lapic *apic, u32 reg, u32 val)
{
	WRITE_ONCE(*(u32 *)(apic->regs + reg), val);
}

static inline u64 lapic_base(const struct vmmu_lapic *apic)
{
	return READ_ONCE(apic->base);
}

/* Enabled in IA32_APIC_BASE. */
static inline bool lapic_hw_enabled(const struct vmmu_lapic *apic)
{
	return lapic_base(apic) & LAPIC_BASE_EN;
}

static inline bool lapic_x2apic(const struct vmmu_lapic *apic)
{
	u64 both = LAPIC_BASE_EN | LAPIC_BASE_EXTD;

	return (lapic_base(apic) & both) == both;
}

/* Enabled in the spurious-vector register too: takes fixed interrupts. */
static inline bool lapic_enabled(const struct vmmu_lapic *apic)
{
	return lapic_hw_enabled(apic) && (lapic_get(apic, APIC_SPIV) & APIC_SPIV_APIC_ENABLED);
}

/* ---- vector banks (IRR, ISR, TMR): 32 bits in every 16 bytes ---- */

static inline unsigned long *lapic_bank_word(void *bank, u8 vector)
{
	return bank + (vector >> 5) * 0x10;
}

static inline bool lapic_bank_test(void *bank, u8 vector)
{
	return READ_ONCE(*(u32 *)lapic_bank_word(bank, vector)) & BIT(vector & 31);
}

/* The highest vector in @bank, or -1: looks only at words named in @summary. */
static inline int lapic_bank_highest(const void *bank, unsigned long summary)
{
	while (summary) {
		unsigned long word = __fls(summary);
		u32 val = READ_ONCE(*(const u32 *)(bank + word * 0x10));

		if (val)
			return word * 32 + __fls(val);
		summary &= ~BIT(word);
	}
	return -1;
}

static inline int lapic_highest_isr(const struct vmmu_lapic *apic)
{
	return lapic_bank_highest(apic->regs + APIC_ISR, READ_ONCE(apic->isr_summary));
}

static inline int lapic_highest_irr(const struct vmmu_lapic *apic)
{
	return lapic_bank_highest(apic->regs + APIC_IRR, READ_ONCE(apic->irr_summary));
}

/*
 * Processor priority: Intel SDM vol. 3, 11.8.3.1; AMD APM vol. 2, 16.6.4.
 * @isr: highest vector in service or -1.
 */
static inline u8 lapic_ppr(u8 tpr, int isr)
{
	u8 service = isr < 0 ? 0 : isr & 0xf0;

	return (tpr & 0xf0) >= service ? tpr : service;
}

static inline u8 lapic_current_ppr(const struct vmmu_lapic *apic)
{
	return lapic_ppr(lapic_get(apic, APIC_TASKPRI), lapic_highest_isr(apic));
}

/* irq/lapic.c */
bool lapic_irr_set(struct vmmu_lapic *apic, u8 vector);
void lapic_irr_clear(struct vmmu_lapic *apic, u8 vector);
void lapic_isr_set(struct vmmu_lapic *apic, u8 vector);
void lapic_isr_clear(struct vmmu_lapic *apic, u8 vector);
void lapic_rebuild_summaries(struct vmmu_lapic *apic);
/* A fixed interrupt arrives, any context. Was the APIC there to take it? */
bool lapic_accept(struct vmmu_lapic *apic, u8 vector, bool level);
void lapic_error(struct vmmu_lapic *apic, u32 bits);
/* 0, or 1: no such register, or #GP in x2APIC mode. */
int lapic_read_reg(struct vmmu_lapic *apic, u32 reg, u32 *val);
int lapic_write_reg(struct vmmu_lapic *apic, u32 reg, u32 val);
/* The value that LVT register @reg keeps of @val. */
u32 lapic_lvt_value(struct vmmu_lapic *apic, u32 reg, u32 val);

/* irq/eoi.c */
void lapic_eoi(struct vmmu_lapic *apic);
/* Does anybody wait for the end of @vector, which is in service? */
bool lapic_eoi_awaited(struct vmmu_lapic *apic, u8 vector);

/* irq/lapic_timer.c */
void lapic_timer_init(struct vmmu_lapic *apic);
void lapic_timer_cancel(struct vmmu_lapic *apic);
void lapic_timer_write_lvtt(struct vmmu_lapic *apic, u32 val);
void lapic_timer_write_tmict(struct vmmu_lapic *apic, u32 val);
void lapic_timer_write_tdcr(struct vmmu_lapic *apic, u32 val);
u32 lapic_timer_current(struct vmmu_lapic *apic);
/* Arm again from the register page, with @count left of TMICT. */
void lapic_timer_restore(struct vmmu_lapic *apic, u32 count);
u64 lapic_timer_get_deadline(struct vmmu_lapic *apic);
void lapic_timer_set_deadline(struct vmmu_lapic *apic, u64 val);
u32 lapic_divisor(u32 tdcr);
u64 lapic_tsc_to_ns(u64 delta, u32 khz);

/* irq/lapic_ipi.c */
#define LAPIC_X2_ICR_RESERVED	(GENMASK_ULL(31, 20) | GENMASK_ULL(17, 16) | BIT_ULL(13))
void lapic_icr_decode(u32 low, u32 dest, struct vmmu_apic_msg *msg);
void lapic_send_ipi(struct vmmu_lapic *apic, u32 low, u32 dest);
void lapic_pend_init(struct vmmu_lapic *apic);
void lapic_pend_sipi(struct vmmu_lapic *apic, u8 vector);

/* irq/deliver.c: how many LAPICs took it; any context. */
int lapic_deliver(struct vmmu_vm *vm, const struct vmmu_apic_msg *msg);
bool lapic_nobody(struct vmmu_vm *vm, const struct vmmu_apic_msg *msg);
/* To every enabled LAPIC, but @except when it is not NULL. */
int lapic_deliver_all(struct vmmu_vm *vm, const struct vmmu_apic_msg *msg,
		      const struct vmmu_lapic *except);
int lapic_deliver_one(struct vmmu_lapic *apic, const struct vmmu_apic_msg *msg);

/* irq/lapic_state.c */
void lapic_state_reset_regs(struct vmmu_lapic *apic);
/* x2APIC's logical id follows from its physical one: Intel SDM vol. 3, 11.12.10.2. */
static inline u32 lapic_x2apic_ldr(u32 id)
{
	return (id >> 4) << 16 | BIT(id & 0xf);
}

#endif
