// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KVM_CHECK_EXTENSION answers and KVM_ENABLE_CAP switches on.
 *
 * A capability stands in the table when what it promises works, never before.
 */
#include "vmmu/vm.h"
#include "ioctl.h"

#define MSR_EXIT_REASONS (KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | \
			  KVM_MSR_EXIT_REASON_FILTER)
#define MANUAL_PROTECT (KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET)

/* Oddities of KVM that are not there, or not when user space does without them. */
#define QUIRKS (KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_CD_NW_CLEARED | \
		KVM_X86_QUIRK_LAPIC_MMIO_HOLE | KVM_X86_QUIRK_OUT_7E_INC_RIP | \
		KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT | KVM_X86_QUIRK_FIX_HYPERCALL_INSN | \
		KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)

/* MWAIT must not stop the CPU's timer, and must wake as it should. */
static long disable_exits(void)
{
	bool mwait = boot_cpu_has(X86_FEATURE_MWAIT) && !boot_cpu_has_bug(X86_BUG_MONITOR) &&
		     boot_cpu_has(X86_FEATURE_ARAT);

	return KVM_X86_DISABLE_EXITS_HLT | KVM_X86_DISABLE_EXITS_PAUSE |
	       (mwait ? KVM_X86_DISABLE_EXITS_MWAIT : 0);
}

static long nr_vcpus_recommended(void)
{
	return min_t(long, num_online_cpus(), VMMU_MAX_VCPUS);
}

static long xsave2_size(void)
{
	return vmmu_xsave_size();
}

static const struct {
	u16 cap;
	u32 value;
	long (*ask)(void);	/* instead of value */
} caps[] = {
	{ KVM_CAP_USER_MEMORY, 1 },
	{ KVM_CAP_USER_MEMORY2, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_READONLY_MEM, 1 },
	{ KVM_CAP_SYNC_MMU, 1 },
	{ KVM_CAP_MMU_SHADOW_CACHE_CONTROL, 1 },
	{ KVM_CAP_NR_MEMSLOTS, VMMU_MAX_MEMSLOTS },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, MANUAL_PROTECT },
	{ KVM_CAP_NR_VCPUS, 0, nr_vcpus_recommended },
	{ KVM_CAP_MAX_VCPUS, VMMU_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID, VMMU_MAX_VCPU_ID },
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },
	{ KVM_CAP_EXT_CPUID, 1 },
	{ KVM_CAP_NOP_IO_DELAY, 1 },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_IRQCHIP, 1 },
	{ KVM_CAP_SPLIT_IRQCHIP, 1 },
	{ KVM_CAP_PIT, 1 },
	{ KVM_CAP_PIT2, 1 },
	{ KVM_CAP_PIT_STATE2, 1 },
	{ KVM_CAP_REINJECT_CONTROL, 1 },
	{ KVM_CAP_COALESCED_MMIO, VMMU_COALESCED_PAGE },
	{ KVM_CAP_COALESCED_PIO, 1 },
	{ KVM_CAP_IRQ_INJECT_STATUS, 1 },
	{ KVM_CAP_IRQ_ROUTING, 4096 },
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_IRQFD, 1 },
	{ KVM_CAP_IRQFD_RESAMPLE, 1 },
	{ KVM_CAP_IOEVENTFD, 1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 },
	{ KVM_CAP_X2APIC_API, KVM_X2APIC_API_USE_32BIT_IDS |
			      KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK },
	{ KVM_CAP_TSC_DEADLINE_TIMER, 1 },
	{ KVM_CAP_USER_NMI, 1 },
	{ KVM_CAP_MCE, VMMU_MAX_MCE_BANKS },
	{ KVM_CAP_ADJUST_CLOCK, KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC },
	{ KVM_CAP_KVMCLOCK_CTRL, 1 },
	{ KVM_CAP_GET_TSC_KHZ, 1 },
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_EXCEPTION_PAYLOAD, 1 },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, 1 },
	{ KVM_CAP_DEBUGREGS, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG2, VMMU_GUESTDBG_VALID },
	{ KVM_CAP_X86_ROBUST_SINGLESTEP, 1 },
	{ KVM_CAP_XSAVE, 1 },
	{ KVM_CAP_XSAVE2, 0, xsave2_size },
	{ KVM_CAP_XCRS, 1 },
	{ KVM_CAP_SREGS2, 1 },
	{ KVM_CAP_GET_MSR_FEATURES, 1 },
	{ KVM_CAP_X86_USER_SPACE_MSR, MSR_EXIT_REASONS },
	{ KVM_CAP_X86_MSR_FILTER, 1 },
	{ KVM_CAP_X86_DISABLE_EXITS, 0, disable_exits },
	{ KVM_CAP_DISABLE_QUIRKS, 1 },
	{ KVM_CAP_DISABLE_QUIRKS2, QUIRKS },
	{ KVM_CAP_SYS_ATTRIBUTES, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_ENABLE_CAP_VM, 1 },
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
};

/**
 * vmmu_check_extension() - KVM_CHECK_EXTENSION
 * @vm: the VM or NULL for the device; the answers are the same
 * @cap: KVM_CAP_*
 *
 * Return: the capability's value, 0 when we do not have it.
 */
long vmmu_check_extension(struct vmmu_vm *vm, unsigned long cap)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(caps); i++)
		if (caps[i].cap == cap)
			return caps[i].ask ? caps[i].ask() : caps[i].value;
	return 0;
}

/* ---- KVM_ENABLE_CAP ---- */

static int enable_split_irqchip(struct vmmu_vm *vm, u64 arg)
{
	return vmmu_irqchip_split(vm, arg);
}

static int enable_manual_protect(struct vmmu_vm *vm, u64 arg)
{
	/* INITIALLY_SET means something only together with ENABLE. */
	if (arg & ~(u64)MANUAL_PROTECT ||
	    ((arg & KVM_DIRTY_LOG_INITIALLY_SET) && !(arg & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)))
		return -EINVAL;
	guard(mutex)(&vm->mem.lock);
	vm->mem.manual_protect = arg;
	return 0;
}

static int enable_exception_payload(struct vmmu_vm *vm, u64 arg)
{
	vm->exception_payload = arg;
	return 0;
}

static int enable_triple_fault_event(struct vmmu_vm *vm, u64 arg)
{
	vm->triple_fault_event = arg;
	return 0;
}

static int enable_user_space_msr(struct vmmu_vm *vm, u64 arg)
{
	if (arg & ~(u64)MSR_EXIT_REASONS)
		return -EINVAL;
	WRITE_ONCE(vm->user_space_msr, arg);
	return 0;
}

static int enable_max_vcpu_id(struct vmmu_vm *vm, u64 arg)
{
	if (!arg || arg > VMMU_MAX_VCPU_ID)
		return -EINVAL;
	if (vm->max_vcpu_id)
		return vm->max_vcpu_id == arg ? 0 : -EINVAL;
	if (vm->nr_vcpus)
		return -EINVAL;
	vm->max_vcpu_id = arg;
	return 0;
}

static int enable_x2apic_api(struct vmmu_vm *vm, u64 arg)
{
	if (arg & ~(u64)(KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK))
		return -EINVAL;
	if (arg & KVM_X2APIC_API_USE_32BIT_IDS)
		vm->irq.x2apic_format = true;
	if (arg & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
		vm->irq.x2apic_no_broadcast_quirk = true;
	return 0;
}

/*
 * What is valid but not offered has no effect. The rest has one when a vCPU's intercepts are
 * made up next.
 */
static int enable_disable_exits(struct vmmu_vm *vm, u64 arg)
{
	if (arg & ~(u64)KVM_X86_DISABLE_VALID_EXITS)
		return -EINVAL;
	WRITE_ONCE(vm->disabled_exits, vm->disabled_exits | (arg & disable_exits()));
	return 0;
}

static int enable_disable_quirks(struct vmmu_vm *vm, u64 arg)
{
	WRITE_ONCE(vm->disabled_quirks, vm->disabled_quirks | (arg & QUIRKS));
	return 0;
}

static int enable_disable_quirks2(struct vmmu_vm *vm, u64 arg)
{
	return arg & ~(u64)QUIRKS ? -EINVAL : enable_disable_quirks(vm, arg);
}

static const struct {
	u16 cap;
	bool unlocked;	/* takes its own lock, not vm->lock */
	int (*enable)(struct vmmu_vm *vm, u64 arg);
} enables[] = {
	{ KVM_CAP_SPLIT_IRQCHIP, false, enable_split_irqchip },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, true, enable_manual_protect },
	{ KVM_CAP_EXCEPTION_PAYLOAD, false, enable_exception_payload },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, false, enable_triple_fault_event },
	{ KVM_CAP_X86_USER_SPACE_MSR, false, enable_user_space_msr },
	{ KVM_CAP_MAX_VCPU_ID, false, enable_max_vcpu_id },
	{ KVM_CAP_X2APIC_API, false, enable_x2apic_api },
	{ KVM_CAP_X86_DISABLE_EXITS, false, enable_disable_exits },
	{ KVM_CAP_DISABLE_QUIRKS, false, enable_disable_quirks },
	{ KVM_CAP_DISABLE_QUIRKS2, false, enable_disable_quirks2 },
};

/**
 * vmmu_vm_enable_cap() - KVM_ENABLE_CAP on a VM
 * @vm: the VM
 * @cap: the ioctl's argument
 *
 * Takes vm->lock. Return: 0 or errno; -EINVAL for one that cannot be enabled.
 */
int vmmu_vm_enable_cap(struct vmmu_vm *vm, const struct kvm_enable_cap *cap)
{
	int i;

	if (cap->flags)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(enables); i++) {
		if (enables[i].cap != cap->cap)
			continue;
		if (enables[i].unlocked)
			return enables[i].enable(vm, cap->args[0]);
		guard(mutex)(&vm->lock);
		return enables[i].enable(vm, cap->args[0]);
	}
	return -EINVAL;
}
