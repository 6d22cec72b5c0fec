// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC as a whole: its life, RESET and INIT, IA32_APIC_BASE and the
 * modes it selects, the x2APIC's MSRs, KVM_GET_LAPIC and KVM_SET_LAPIC.
 *
 * Everything here is done by the holder of vcpu->mutex and may sleep.
 */
#include <linux/gfp.h>
#include <linux/slab.h>
#include <asm/msr-index.h>

#include "apic_map.h"

#define X2APIC_MSR_LAST	(APIC_BASE_MSR + 0xff)
#define X2APIC_MSR(reg)	(APIC_BASE_MSR + ((reg) >> 4))

/* ---- life ---- */

/**
 * vmmu_lapic_create() - give a new vCPU its local APIC
 * @vcpu: not running yet; its VM has an irqchip mode
 *
 * Messages may reach it from now on. vm->lock held.
 *
 * Return: 0, -ENOMEM, -EBUSY when the VM has as many LAPICs as it can.
 */
int vmmu_lapic_create(struct vmmu_vcpu *vcpu)
{
	struct vmmu_lapic *apic = kzalloc(sizeof(*apic), GFP_KERNEL_ACCOUNT);
	int r;

	if (!apic)
		return -ENOMEM;
	apic->vcpu = vcpu;
	apic->regs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!apic->regs) {
		kfree(apic);
		return -ENOMEM;
	}
	apic->base = VMMU_APIC_BASE_DEFAULT | (vcpu->id ? 0 : LAPIC_BASE_BSP);
	apic->timer.mode_mask = APIC_LVT_TIMER_PERIODIC;
	lapic_timer_init(apic);
	lapic_state_reset_regs(apic);
	vcpu->apic = apic;
	r = vmmu_apic_map_join(apic);
	if (r) {
		vcpu->apic = NULL;
		free_page((unsigned long)apic->regs);
		kfree(apic);
	}
	return r;
}

/* Nobody may run the vCPU any more. */
void vmmu_lapic_destroy(struct vmmu_vcpu *vcpu)
{
	struct vmmu_lapic *apic = vcpu->apic;

	vmmu_apic_map_leave(apic);
	lapic_timer_cancel(apic);
	vcpu->apic = NULL;
	free_page((unsigned long)apic->regs);
	kfree(apic);
}

/* ---- RESET and INIT ---- */

static void set_ids(struct vmmu_lapic *apic)
{
	u32 id = apic->vcpu->id;

	if (!lapic_x2apic(apic)) {
		lapic_set(apic, APIC_ID, id << 24);
		return;
	}
	lapic_set(apic, APIC_ID, id);
	lapic_set(apic, APIC_LDR, lapic_x2apic_ldr(id));
}

/* KVM's default: the boot processor starts with the PIC wired through LINT0. */
static u32 reset_lvt0(struct vmmu_lapic *apic)
{
	if (apic->vcpu->id ||
	    vmmu_quirk_disabled(apic->vcpu->vm, KVM_X86_QUIRK_LINT0_REENABLED))
		return APIC_LVT_MASKED;
	return APIC_DM_EXTINT;
}

/* Every register as after RESET; Intel SDM vol. 3, 11.4.7.1. The timer is stopped. */
void lapic_state_reset_regs(struct vmmu_lapic *apic)
{
	lapic_timer_cancel(apic);
	memset(apic->regs, 0, LAPIC_REGS_SIZE);
	lapic_set(apic, APIC_LVR, LAPIC_VERSION);
	lapic_set(apic, APIC_DFR, 0xffffffff);
	lapic_set(apic, APIC_SPIV, 0xff);
	lapic_set(apic, APIC_LVTT, APIC_LVT_MASKED);
	lapic_set(apic, APIC_LVTTHMR, APIC_LVT_MASKED);
	lapic_set(apic, APIC_LVTPC, APIC_LVT_MASKED);
	lapic_set(apic, APIC_LVT0, reset_lvt0(apic));
	lapic_set(apic, APIC_LVT1, APIC_LVT_MASKED);
	lapic_set(apic, APIC_LVTERR, APIC_LVT_MASKED);
	set_ids(apic);
	lapic_rebuild_summaries(apic);
	atomic_set(&apic->esr, 0);
	apic->timer.tscdeadline = 0;
	apic->eoi_pending = false;
	bitmap_zero(apic->eoi_done, LAPIC_NR_VECTORS);
}

static void announce(struct vmmu_lapic *apic)
{
	vmmu_apic_map_update(apic->vcpu->vm);
	vmmu_request(apic->vcpu, VMMU_REQ_EOI_EXIT);
	vmmu_request(apic->vcpu, VMMU_REQ_EVENT);
}

/**
 * vmmu_lapic_reset() - RESET or INIT reaches the local APIC
 * @vcpu: own thread's; with a LAPIC
 * @init: INIT, which leaves IA32_APIC_BASE and so the mode and the id alone
 */
void vmmu_lapic_reset(struct vmmu_vcpu *vcpu, bool init)
{
	struct vmmu_lapic *apic = vcpu->apic;

	if (!init) {
		WRITE_ONCE(apic->base, VMMU_APIC_BASE_DEFAULT | (vcpu->id ? 0 : LAPIC_BASE_BSP));
		WRITE_ONCE(apic->events, 0);
	}
	lapic_state_reset_regs(apic);
	announce(apic);
}

/* ---- IA32_APIC_BASE ---- */

u64 vmmu_lapic_get_base(struct vmmu_vcpu *vcpu)
{
	return vcpu->apic ? lapic_base(vcpu->apic) : vcpu->apic_base;
}

static bool base_valid(struct vmmu_vcpu *vcpu, u64 val)
{
	u64 allowed = LAPIC_BASE_EN | LAPIC_BASE_BSP |
		      GENMASK_ULL((vcpu->cpuid.maxphyaddr ?: 52) - 1, 12);

	if (vmmu_guest_has(vcpu, X86_FEATURE_X2APIC))
		allowed |= LAPIC_BASE_EXTD;
	if (val & ~allowed)
		return false;
	return (val & LAPIC_BASE_EN) || !(val & LAPIC_BASE_EXTD);
}

/* A guest leaves x2APIC mode, and enters it, only one step at a time: SDM 11.12.5. */
static bool transition_valid(u64 old, u64 val)
{
	u64 both = LAPIC_BASE_EN | LAPIC_BASE_EXTD;

	if ((old & both) == both && (val & both) == LAPIC_BASE_EN)
		return false;
	return (old & LAPIC_BASE_EN) || (val & both) != both;
}

static void change_base(struct vmmu_lapic *apic, u64 val, bool host)
{
	u64 changed = apic->base ^ val;

	WRITE_ONCE(apic->base, val);
	if (!(changed & (LAPIC_BASE_EN | LAPIC_BASE_EXTD)))
		return;
	/* Switched off it forgets everything; user space brings its own registers along. */
	if (!(val & LAPIC_BASE_EN) && !host)
		lapic_state_reset_regs(apic);
	else
		set_ids(apic);
	announce(apic);
}

/**
 * vmmu_lapic_set_base() - write IA32_APIC_BASE
 * @vcpu: own thread's
 * @val: the value
 * @host: user space writes: any valid mode may follow any other
 *
 * May sleep.
 *
 * Return: 0, or 1 for #GP.
 */
int vmmu_lapic_set_base(struct vmmu_vcpu *vcpu, u64 val, bool host)
{
	u64 old = vmmu_lapic_get_base(vcpu);

	if (!base_valid(vcpu, val) || (!host && !transition_valid(old, val)))
		return 1;
	if (vcpu->apic)
		change_base(vcpu->apic, val, host);
	else
		vcpu->apic_base = val;
	if ((old ^ val) & LAPIC_BASE_EN)
		vmmu_cpuid_runtime(vcpu);
	return 0;
}

/**
 * vmmu_lapic_cpuid_changed() - the guest's CPUID was set
 * @vcpu: own thread's
 *
 * TSC-deadline mode is there when CPUID says so.
 */
void vmmu_lapic_cpuid_changed(struct vmmu_vcpu *vcpu)
{
	struct vmmu_lapic *apic = vcpu->apic;

	if (!apic)
		return;
	apic->timer.mode_mask = APIC_LVT_TIMER_PERIODIC;
	if (vmmu_guest_has(vcpu, X86_FEATURE_TSC_DEADLINE_TIMER))
		apic->timer.mode_mask |= APIC_LVT_TIMER_TSCDEADLINE;
}

/* ---- MSRs ---- */

static int get_x2apic_msr(struct vmmu_lapic *apic, u32 index, u64 *val)
{
	u32 low;

	if (index == X2APIC_MSR(APIC_ICR)) {
		*val = lapic_get(apic, APIC_ICR) | (u64)lapic_get(apic, APIC_ICR2) << 32;
		return 0;
	}
	if (lapic_read_reg(apic, (index - APIC_BASE_MSR) << 4, &low))
		return 1;
	*val = low;
	return 0;
}

static int set_x2apic_msr(struct vmmu_lapic *apic, u32 index, u64 val)
{
	if (index == X2APIC_MSR(APIC_ICR)) {
		if (val & LAPIC_X2_ICR_RESERVED)
			return 1;
		val &= ~(u64)APIC_ICR_BUSY;
		lapic_set(apic, APIC_ICR, val);
		lapic_set(apic, APIC_ICR2, val >> 32);
		lapic_send_ipi(apic, val, val >> 32);
		return 0;
	}
	if (val >> 32)
		return 1;
	return lapic_write_reg(apic, (index - APIC_BASE_MSR) << 4, val);
}

static bool is_x2apic_msr(u32 index)
{
	return index >= APIC_BASE_MSR && index <= X2APIC_MSR_LAST;
}

/**
 * vmmu_lapic_get_msr() - read an x2APIC MSR or IA32_TSC_DEADLINE
 * @vcpu: own thread's
 * @index: 0x800..0x8ff or 0x6e0
 * @val: where to
 *
 * Return: 0, or 1 for #GP.
 */
int vmmu_lapic_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val)
{
	struct vmmu_lapic *apic = vcpu->apic;

	if (!apic)
		return 1;
	if (index == MSR_IA32_TSC_DEADLINE) {
		*val = lapic_timer_get_deadline(apic);
		return 0;
	}
	if (!is_x2apic_msr(index) || !lapic_x2apic(apic))
		return 1;
	return get_x2apic_msr(apic, index, val);
}

/**
 * vmmu_lapic_set_msr() - write an x2APIC MSR or IA32_TSC_DEADLINE
 * @vcpu: own thread's
 * @index: 0x800..0x8ff or 0x6e0
 * @val: the value
 *
 * May sleep.
 *
 * Return: 0, or 1 for #GP.
 */
int vmmu_lapic_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val)
{
	struct vmmu_lapic *apic = vcpu->apic;

	if (!apic)
		return 1;
	if (index == MSR_IA32_TSC_DEADLINE) {
		lapic_timer_set_deadline(apic, val);
		return 0;
	}
	if (!is_x2apic_msr(index) || !lapic_x2apic(apic))
		return 1;
	return set_x2apic_msr(apic, index, val);
}

/* ---- KVM_GET_LAPIC, KVM_SET_LAPIC ---- */

static u32 *state_reg(struct kvm_lapic_state *s, u32 reg)
{
	return (u32 *)(s->regs + reg);
}

/**
 * vmmu_lapic_get_state() - KVM_GET_LAPIC
 * @vcpu: vcpu->mutex held
 * @s: where to
 *
 * Return: 0, -EINVAL without a LAPIC.
 */
int vmmu_lapic_get_state(struct vmmu_vcpu *vcpu, struct kvm_lapic_state *s)
{
	struct vmmu_lapic *apic = vcpu->apic;

	if (!apic)
		return -EINVAL;
	memcpy(s->regs, apic->regs, LAPIC_REGS_SIZE);
	*state_reg(s, APIC_TMCCT) = lapic_timer_current(apic);
	*state_reg(s, APIC_PROCPRI) = lapic_current_ppr(apic);
	if (lapic_x2apic(apic) && !vcpu->vm->irq.x2apic_format)
		*state_reg(s, APIC_ID) <<= 24;
	return 0;
}

/*
 * Registers that keep only some of their bits, whatever user space brought. The
 * LVT's masks stay as they are: user space resets to a software-disabled APIC
 * with LINT0 open for the PIC, as vmmu_lapic_reset() does.
 */
static void sanitise(struct vmmu_lapic *apic)
{
	u32 reg;

	lapic_set(apic, APIC_LVR, LAPIC_VERSION);
	lapic_set(apic, APIC_TASKPRI, lapic_get(apic, APIC_TASKPRI) & 0xff);
	lapic_set(apic, APIC_SPIV, lapic_get(apic, APIC_SPIV) & 0x3ff);
	lapic_set(apic, APIC_DFR, lapic_get(apic, APIC_DFR) | 0x0fffffff);
	lapic_set(apic, APIC_ICR, lapic_get(apic, APIC_ICR) & ~APIC_ICR_BUSY);
	lapic_set(apic, APIC_TDCR, lapic_get(apic, APIC_TDCR) & 0xb);
	lapic_set(apic, APIC_ARBPRI, 0);
	lapic_set(apic, APIC_EOI, 0);
	lapic_set(apic, APIC_RRR, 0);
	for (reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
		lapic_set(apic, reg, lapic_lvt_value(apic, reg, lapic_get(apic, reg)));
	if (lapic_x2apic(apic))
		set_ids(apic);
}

/**
 * vmmu_lapic_set_state() - KVM_SET_LAPIC
 * @vcpu: vcpu->mutex held, loaded
 * @s: the registers
 *
 * The mode is IA32_APIC_BASE's, which comes with the special registers. May
 * sleep.
 *
 * Return: 0; -EINVAL without a LAPIC, or when 32-bit ids are on and the id is
 * not the vCPU's.
 */
int vmmu_lapic_set_state(struct vmmu_vcpu *vcpu, const struct kvm_lapic_state *s)
{
	struct vmmu_lapic *apic = vcpu->apic;

	if (!apic)
		return -EINVAL;
	if (lapic_x2apic(apic) && vcpu->vm->irq.x2apic_format &&
	    *(const u32 *)(s->regs + APIC_ID) != vcpu->id)
		return -EINVAL;
	lapic_timer_cancel(apic);
	memcpy(apic->regs, s->regs, LAPIC_REGS_SIZE);
	sanitise(apic);
	lapic_rebuild_summaries(apic);
	atomic_set(&apic->esr, 0);
	lapic_timer_restore(apic, lapic_get(apic, APIC_TMCCT));
	lapic_set(apic, APIC_TMCCT, 0);
	announce(apic);
	return 0;
}
