// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC: its registers, what reading and writing them does, and how a
 * vector travels through IRR and ISR.
 *
 * Intel SDM vol. 3, chapter 11; AMD APM vol. 2, chapter 16. Who may write what
 * is said in lapic.h; the one race that matters here, IRR set from any thread
 * against the vCPU's entry, stands in Documentation/interrupts.md.
 *
 * Register accesses are made by the vCPU's own thread; a write to ID, LDR, DFR
 * or the mode rebuilds the APIC map and may sleep. lapic_accept() runs in any
 * context.
 */
#include "apic_map.h"
#include "chips.h"

/* ---- vector banks ---- */

/*
 * Any context. The vector's bit is set before the summary's, so that who sees
 * the summary sees the vector. Returns whether the vector was pending before.
 */
bool lapic_irr_set(struct vmmu_lapic *apic, u8 vector)
{
	unsigned long *word = lapic_bank_word(apic->regs + APIC_IRR, vector);

	/* Fully ordered: pairs with the barrier in lapic_irr_clear(). */
	if (test_and_set_bit(vector & 31, word))
		return true;
	set_bit(vector >> 5, &apic->irr_summary);
	return false;
}

/* Own thread. */
void lapic_irr_clear(struct vmmu_lapic *apic, u8 vector)
{
	unsigned long *word = lapic_bank_word(apic->regs + APIC_IRR, vector);

	clear_bit(vector & 31, word);
	if (READ_ONCE(*(u32 *)word))
		return;
	clear_bit(vector >> 5, &apic->irr_summary);
	/*
	 * A setter may have set its bit after we looked and its summary before we
	 * cleared. Pairs with test_and_set_bit() in lapic_irr_set(): either we see
	 * its bit now or its summary comes after our clearing.
	 */
	smp_mb__after_atomic();
	if (READ_ONCE(*(u32 *)word))
		set_bit(vector >> 5, &apic->irr_summary);
}

/* Own thread. */
void lapic_isr_set(struct vmmu_lapic *apic, u8 vector)
{
	u32 reg = APIC_ISR + (vector >> 5) * 0x10;

	lapic_set(apic, reg, lapic_get(apic, reg) | BIT(vector & 31));
	WRITE_ONCE(apic->isr_summary, apic->isr_summary | BIT(vector >> 5));
}

/* Own thread. */
void lapic_isr_clear(struct vmmu_lapic *apic, u8 vector)
{
	u32 reg = APIC_ISR + (vector >> 5) * 0x10;
	u32 left = lapic_get(apic, reg) & ~BIT(vector & 31);

	lapic_set(apic, reg, left);
	if (!left)
		WRITE_ONCE(apic->isr_summary, apic->isr_summary & ~BIT(vector >> 5));
}

/* Own thread: the page was written as a whole. */
void lapic_rebuild_summaries(struct vmmu_lapic *apic)
{
	unsigned long isr = 0;
	unsigned int word;

	WRITE_ONCE(apic->irr_summary, 0);
	/* A setter whose summary bit we just lost set its vector before; see lapic_irr_set(). */
	smp_mb();
	for (word = 0; word < LAPIC_BANK_WORDS; word++) {
		if (lapic_get(apic, APIC_IRR + word * 0x10))
			set_bit(word, &apic->irr_summary);
		if (lapic_get(apic, APIC_ISR + word * 0x10))
			isr |= BIT(word);
	}
	WRITE_ONCE(apic->isr_summary, isr);
}

/* ---- errors ---- */

/*
 * Remember an error for ESR and raise the error interrupt. Any context. Nothing
 * comes of an error interrupt whose own vector is illegal but the second error.
 */
void lapic_error(struct vmmu_lapic *apic, u32 bits)
{
	u32 lvt = lapic_get(apic, APIC_LVTERR);
	u8 vector = lvt & APIC_VECTOR_MASK;

	if (!(lvt & APIC_LVT_MASKED) && vector < LAPIC_FIRST_VECTOR)
		bits |= APIC_ESR_RECVILL;
	atomic_or(bits, &apic->esr);
	if (!(lvt & APIC_LVT_MASKED) && vector >= LAPIC_FIRST_VECTOR)
		lapic_accept(apic, vector, false);
}

/**
 * lapic_accept() - a fixed interrupt arrives
 * @apic: the target
 * @vector: its vector
 * @level: level-triggered, for TMR
 *
 * Any context. Sets IRR, then asks the vCPU to look and kicks it. A vector that
 * is pending already merges with it: whoever set it kicks.
 *
 * Return: whether the APIC was enabled and took it.
 */
bool lapic_accept(struct vmmu_lapic *apic, u8 vector, bool level)
{
	unsigned long *tmr = lapic_bank_word(apic->regs + APIC_TMR, vector);

	if (!lapic_enabled(apic))
		return false;
	if (unlikely(vector < LAPIC_FIRST_VECTOR)) {
		lapic_error(apic, APIC_ESR_RECVILL);
		return false;
	}
	if (level)
		set_bit(vector & 31, tmr);
	else if (lapic_bank_test(apic->regs + APIC_TMR, vector))
		clear_bit(vector & 31, tmr);
	if (lapic_irr_set(apic, vector))
		return true;
	/* IRR before the request, the request before the look at the mode: pairs in vcpu/. */
	vmmu_request(apic->vcpu, VMMU_REQ_EVENT);
	vmmu_vcpu_kick(apic->vcpu);
	return true;
}

/* ---- which registers there are ---- */

enum {
	REG_X_READ	= BIT(0),	/* xAPIC page */
	REG_X_WRITE	= BIT(1),
	REG_X2_READ	= BIT(2),	/* x2APIC MSR; the others are #GP */
	REG_X2_WRITE	= BIT(3),
	REG_READ	= REG_X_READ | REG_X2_READ,
	REG_RW		= REG_READ | REG_X_WRITE | REG_X2_WRITE,
};

struct reg_rule {
	u8 flags;
	u32 writable;	/* x2APIC: other bits are #GP; read-only ones are let pass */
};

#define LVT_COMMON	(APIC_LVT_MASKED | APIC_SEND_PENDING | APIC_VECTOR_MASK)
#define LVT_TIMER	(LVT_COMMON | APIC_LVT_TIMER_PERIODIC | APIC_LVT_TIMER_TSCDEADLINE)
#define LVT_MODE	(LVT_COMMON | APIC_MODE_MASK)
#define LVT_LINT	(LVT_MODE | APIC_LVT_LEVEL_TRIGGER | APIC_LVT_REMOTE_IRR | \
			 APIC_INPUT_POLARITY)
#define LVT_READ_ONLY	(APIC_SEND_PENDING | APIC_LVT_REMOTE_IRR)
#define SPIV_WRITABLE	(APIC_VECTOR_MASK | APIC_SPIV_APIC_ENABLED | APIC_SPIV_FOCUS_DISABLED)

#define AT(reg)		((reg) >> 4)
#define LAST(bank)	(AT(bank) + LAPIC_BANK_WORDS - 1)

static const struct reg_rule reg_rules[AT(LAPIC_REGS_SIZE)] = {
	[AT(APIC_ID)]		= { REG_READ | REG_X_WRITE, 0 },
	[AT(APIC_LVR)]		= { REG_READ, 0 },
	[AT(APIC_TASKPRI)]	= { REG_RW, 0xff },
	[AT(APIC_ARBPRI)]	= { REG_X_READ, 0 },
	[AT(APIC_PROCPRI)]	= { REG_READ, 0 },
	[AT(APIC_EOI)]		= { REG_X_READ | REG_X_WRITE | REG_X2_WRITE, 0 },
	[AT(APIC_RRR)]		= { REG_X_READ, 0 },
	[AT(APIC_LDR)]		= { REG_READ | REG_X_WRITE, 0 },
	[AT(APIC_DFR)]		= { REG_X_READ | REG_X_WRITE, 0 },
	[AT(APIC_SPIV)]		= { REG_RW, SPIV_WRITABLE },
	[AT(APIC_ISR) ... LAST(APIC_ISR)] = { REG_READ, 0 },
	[AT(APIC_TMR) ... LAST(APIC_TMR)] = { REG_READ, 0 },
	[AT(APIC_IRR) ... LAST(APIC_IRR)] = { REG_READ, 0 },
	[AT(APIC_ESR)]		= { REG_RW, 0 },
	/* In x2APIC mode the ICR has 64 bits and is handled by itself. */
	[AT(APIC_ICR)]		= { REG_X_READ | REG_X_WRITE, 0 },
	[AT(APIC_ICR2)]		= { REG_X_READ | REG_X_WRITE, 0 },
	[AT(APIC_LVTT)]		= { REG_RW, LVT_TIMER },
	[AT(APIC_LVTTHMR)]	= { REG_RW, LVT_MODE },
	[AT(APIC_LVTPC)]	= { REG_RW, LVT_MODE },
	[AT(APIC_LVT0)]		= { REG_RW, LVT_LINT },
	[AT(APIC_LVT1)]		= { REG_RW, LVT_LINT },
	[AT(APIC_LVTERR)]	= { REG_RW, LVT_COMMON },
	[AT(APIC_TMICT)]	= { REG_RW, ~0U },
	[AT(APIC_TMCCT)]	= { REG_READ, 0 },
	[AT(APIC_TDCR)]		= { REG_RW, 0xb },
	[AT(APIC_SELF_IPI)]	= { REG_X2_WRITE, 0xff },
};

static const struct reg_rule *reg_rule(u32 reg)
{
	static const struct reg_rule none;

	return reg < LAPIC_REGS_SIZE ? &reg_rules[reg >> 4] : &none;
}

/* ---- reading ---- */

/**
 * lapic_read_reg() - read one register with its side effects
 * @apic: own thread's
 * @reg: offset in the xAPIC page, a multiple of 16
 * @val: where to
 *
 * Return: 0, or 1 when the mode has no such register or it cannot be read.
 */
int lapic_read_reg(struct vmmu_lapic *apic, u32 reg, u32 *val)
{
	u8 need = lapic_x2apic(apic) ? REG_X2_READ : REG_X_READ;

	if (!(reg_rule(reg)->flags & need))
		return 1;
	switch (reg) {
	case APIC_PROCPRI:
		*val = lapic_current_ppr(apic);
		break;
	case APIC_TMCCT:
		*val = lapic_timer_current(apic);
		break;
	default:
		*val = lapic_get(apic, reg);
		break;
	}
	return 0;
}

/* ---- writing ---- */

u32 lapic_lvt_value(struct vmmu_lapic *apic, u32 reg, u32 val)
{
	u32 mask = reg_rule(reg)->writable & ~LVT_READ_ONLY;

	if (reg == APIC_LVTT)
		mask = (mask & ~(3U << 17)) | apic->timer.mode_mask;
	return val & mask;
}

static void write_lvt(struct vmmu_lapic *apic, u32 reg, u32 val)
{
	val = lapic_lvt_value(apic, reg, val);
	/* Software-disabled: masked, and writes cannot change that. SDM 11.4.7.2. */
	if (!(lapic_get(apic, APIC_SPIV) & APIC_SPIV_APIC_ENABLED))
		val |= APIC_LVT_MASKED;
	if (reg == APIC_LVTT)
		lapic_timer_write_lvtt(apic, val);
	else
		lapic_set(apic, reg, val);
	/* LINT0 may let ExtINT through now. */
	if (reg == APIC_LVT0)
		vmmu_request(apic->vcpu, VMMU_REQ_EVENT);
}

static void write_spiv(struct vmmu_lapic *apic, u32 val)
{
	static const u16 lvts[] = {
		APIC_LVTT, APIC_LVTTHMR, APIC_LVTPC, APIC_LVT0, APIC_LVT1, APIC_LVTERR,
	};
	unsigned int i;

	lapic_set(apic, APIC_SPIV, val & SPIV_WRITABLE);
	for (i = 0; i < ARRAY_SIZE(lvts) && !(val & APIC_SPIV_APIC_ENABLED); i++)
		lapic_set(apic, lvts[i], lapic_get(apic, lvts[i]) | APIC_LVT_MASKED);
	vmmu_request(apic->vcpu, VMMU_REQ_EVENT);
}

/* A register that says which messages are ours. */
static void write_address(struct vmmu_lapic *apic, u32 reg, u32 val)
{
	if (lapic_get(apic, reg) == val)
		return;
	lapic_set(apic, reg, val);
	vmmu_apic_map_update(apic->vcpu->vm);
	vmmu_request(apic->vcpu, VMMU_REQ_EOI_EXIT);
}

static void write_icr(struct vmmu_lapic *apic, u32 val)
{
	val &= ~APIC_ICR_BUSY;
	lapic_set(apic, APIC_ICR, val);
	lapic_send_ipi(apic, val, lapic_get(apic, APIC_ICR2) >> 24);
}

static void write_plain(struct vmmu_lapic *apic, u32 reg, u32 val)
{
	switch (reg) {
	case APIC_TASKPRI:
		lapic_set(apic, reg, val & 0xff);
		vmmu_request(apic->vcpu, VMMU_REQ_EVENT);
		break;
	case APIC_ESR:
		/* Writing latches what has gathered; reading shows the latch. */
		lapic_set(apic, reg, atomic_xchg(&apic->esr, 0));
		break;
	case APIC_ICR2:
		lapic_set(apic, reg, val & 0xff000000);
		break;
	case APIC_TMICT:
		lapic_timer_write_tmict(apic, val);
		break;
	case APIC_TDCR:
		lapic_timer_write_tdcr(apic, val & 0xb);
		break;
	case APIC_SELF_IPI:
		lapic_send_ipi(apic, APIC_DEST_SELF | APIC_DM_FIXED | val, 0);
		break;
	}
}

/**
 * lapic_write_reg() - write one register with its side effects
 * @apic: own thread's
 * @reg: offset in the xAPIC page, a multiple of 16
 * @val: the value
 *
 * May sleep.
 *
 * Return: 0, or 1 when the mode has no such register, it cannot be written, or
 * (x2APIC) @val sets a reserved bit.
 */
int lapic_write_reg(struct vmmu_lapic *apic, u32 reg, u32 val)
{
	const struct reg_rule *rule = reg_rule(reg);
	bool x2apic = lapic_x2apic(apic);

	if (!(rule->flags & (x2apic ? REG_X2_WRITE : REG_X_WRITE)))
		return 1;
	if (x2apic && (val & ~rule->writable))
		return 1;
	switch (reg) {
	case APIC_EOI:
		lapic_eoi(apic);
		break;
	case APIC_ID:
	case APIC_LDR:
		write_address(apic, reg, val & 0xff000000);
		break;
	case APIC_DFR:
		write_address(apic, reg, val | 0x0fffffff);
		break;
	case APIC_SPIV:
		write_spiv(apic, val);
		break;
	case APIC_LVTT ... APIC_LVTERR:
		write_lvt(apic, reg, val);
		break;
	case APIC_ICR:
		write_icr(apic, val);
		break;
	default:
		write_plain(apic, reg, val);
		break;
	}
	return 0;
}

/* ---- the xAPIC page ---- */

static bool in_page(const struct vmmu_lapic *apic, gpa_t gpa, int len)
{
	gpa_t page = lapic_base(apic) & PAGE_MASK;

	return gpa >= page && gpa + len <= page + PAGE_SIZE;
}

/* Where there is no xAPIC: user space's device, or KVM's default, a hole. */
static bool is_hole(const struct vmmu_lapic *apic)
{
	return !vmmu_quirk_disabled(apic->vcpu->vm, KVM_X86_QUIRK_LAPIC_MMIO_HOLE);
}

/**
 * vmmu_lapic_mmio_read() - read from the xAPIC page
 * @vcpu: own thread; with a LAPIC
 * @gpa: anywhere
 * @len: bytes
 * @data: where to
 *
 * An access that crosses its register's 32 bits reads zeroes.
 *
 * Return: 0, or -EOPNOTSUPP when @gpa is not this vCPU's xAPIC.
 */
int vmmu_lapic_mmio_read(struct vmmu_vcpu *vcpu, gpa_t gpa, int len, void *data)
{
	struct vmmu_lapic *apic = vcpu->apic;
	unsigned int byte = gpa & 0xf;
	u32 val = 0;

	if (!in_page(apic, gpa, len))
		return -EOPNOTSUPP;
	if (!lapic_hw_enabled(apic) || lapic_x2apic(apic)) {
		if (!is_hole(apic))
			return -EOPNOTSUPP;
		memset(data, 0xff, len);
		return 0;
	}
	memset(data, 0, len);
	if (byte + len > sizeof(val))
		return 0;
	if (lapic_read_reg(apic, gpa & 0xff0, &val))
		lapic_error(apic, APIC_ESR_ILLREGA);
	else
		memcpy(data, (u8 *)&val + byte, len);
	return 0;
}

/**
 * vmmu_lapic_mmio_write() - write to the xAPIC page
 * @vcpu: own thread; with a LAPIC
 * @gpa: anywhere
 * @len: bytes
 * @data: what
 *
 * Registers take aligned 32-bit writes; others are dropped. May sleep.
 *
 * Return: 0, or -EOPNOTSUPP when @gpa is not this vCPU's xAPIC.
 */
int vmmu_lapic_mmio_write(struct vmmu_vcpu *vcpu, gpa_t gpa, int len, const void *data)
{
	struct vmmu_lapic *apic = vcpu->apic;
	u32 val;

	if (!in_page(apic, gpa, len))
		return -EOPNOTSUPP;
	if (!lapic_hw_enabled(apic) || lapic_x2apic(apic))
		return is_hole(apic) ? 0 : -EOPNOTSUPP;
	if (len != sizeof(val) || (gpa & 0xf))
		return 0;
	memcpy(&val, data, sizeof(val));
	if (lapic_write_reg(apic, gpa & 0xff0, val))
		lapic_error(apic, APIC_ESR_ILLREGA);
	return 0;
}

/* ---- priority, as the vCPU's loop asks ---- */

u64 vmmu_lapic_get_tpr(struct vmmu_vcpu *vcpu)
{
	return (lapic_get(vcpu->apic, APIC_TASKPRI) & 0xf0) >> 4;
}

void vmmu_lapic_set_tpr(struct vmmu_vcpu *vcpu, u64 cr8)
{
	u32 tpr = (cr8 & 0xf) << 4;
	u32 old = lapic_get(vcpu->apic, APIC_TASKPRI);

	if ((old & 0xf0) == tpr)
		return;
	lapic_set(vcpu->apic, APIC_TASKPRI, tpr);
	if (tpr < (old & 0xf0))
		vmmu_request(vcpu, VMMU_REQ_EVENT);
}

int vmmu_lapic_highest_irr(struct vmmu_vcpu *vcpu)
{
	return lapic_hw_enabled(vcpu->apic) ? lapic_highest_irr(vcpu->apic) : -1;
}

/* Software-disabling holds back nothing that is pending already: SDM 11.4.7.2. */
int vmmu_lapic_find_irq(struct vmmu_vcpu *vcpu)
{
	struct vmmu_lapic *apic = vcpu->apic;
	int vector = vmmu_lapic_highest_irr(vcpu);

	if (vector < 0 || (vector & 0xf0) <= (lapic_current_ppr(apic) & 0xf0))
		return -1;
	return vector;
}

int vmmu_lapic_ack_irq(struct vmmu_vcpu *vcpu)
{
	int vector = vmmu_lapic_find_irq(vcpu);

	if (vector < 0)
		return -1;
	/* In service before it stops pending: a look from outside sees one of the two. */
	lapic_isr_set(vcpu->apic, vector);
	lapic_irr_clear(vcpu->apic, vector);
	return vector;
}

bool vmmu_lapic_accepts_extint(struct vmmu_vcpu *vcpu)
{
	struct vmmu_lapic *apic = vcpu->apic;
	u32 lvt0 = lapic_get(apic, APIC_LVT0);

	/* Switched off, its LINT0 pin is the processor's INTR: SDM 11.4.3. */
	if (!lapic_hw_enabled(apic))
		return true;
	return (lvt0 & (APIC_LVT_MASKED | APIC_MODE_MASK)) == APIC_DM_EXTINT;
}

/**
 * vmmu_irq_pending() - is there an interrupt that the vCPU should take now?
 * @vcpu: any
 *
 * From a PIC, ours or the user-space one (KVM_INTERRUPT), when LINT0 lets it
 * through, or the LAPIC. RFLAGS.IF and shadows are the caller's. Any thread, a look without
 * locks.
 */
bool vmmu_irq_pending(struct vmmu_vcpu *vcpu)
{
	bool extint = READ_ONCE(vcpu->event.user_irq) >= 0;

	if (!vcpu->apic)
		return extint;
	extint = extint || vmmu_pic_pending(vcpu->vm);
	return (extint && vmmu_lapic_accepts_extint(vcpu)) || vmmu_lapic_find_irq(vcpu) >= 0;
}

/**
 * vmmu_irq_take() - take the interrupt that is to be injected
 * @vcpu: own thread's
 *
 * ExtINT goes first: it does not take part in the LAPIC's priorities.
 *
 * Return: the vector or -1.
 */
int vmmu_irq_take(struct vmmu_vcpu *vcpu)
{
	int vector = vcpu->event.user_irq;

	if (vector >= 0 && (!vcpu->apic || vmmu_lapic_accepts_extint(vcpu))) {
		WRITE_ONCE(vcpu->event.user_irq, -1);
		return vector;
	}
	if (!vcpu->apic)
		return -1;
	if (vmmu_pic_pending(vcpu->vm) && vmmu_lapic_accepts_extint(vcpu))
		return vmmu_pic_vector(vcpu->vm);
	return vmmu_lapic_ack_irq(vcpu);
}
