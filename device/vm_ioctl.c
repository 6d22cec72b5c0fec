// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's ioctls (api.rst, "vm ioctl"): one short function each.
 *
 * Called by a thread of the VM's own process. Each copies its argument in
 * once, checks it, and leaves the work to the room whose it is.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vmmu/irq.h"
#include "vmmu/vm.h"
#include "ioctl.h"

#define ROUTES_MAX	4096
#define MMU_PAGES_MIN	64	/* what KVM asks for at least */

static long vm_create_vcpu(struct vmmu_vm *vm, unsigned long arg)
{
	return vmmu_vcpu_create_fd(vm, arg);
}

static long vm_check_extension(struct vmmu_vm *vm, unsigned long arg)
{
	return vmmu_check_extension(vm, arg);
}

static long vm_enable_cap(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_enable_cap cap;

	if (copy_from_user(&cap, (void __user *)arg, sizeof(cap)))
		return -EFAULT;
	return vmmu_vm_enable_cap(vm, &cap);
}

/* ---- memory ---- */

static long vm_set_memory_region(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_userspace_memory_region2 region = {};

	/* The older structure is the beginning of the newer. */
	static_assert(offsetof(struct kvm_userspace_memory_region2, guest_memfd_offset) ==
		      sizeof(struct kvm_userspace_memory_region));
	if (copy_from_user(&region, (void __user *)arg,
			   sizeof(struct kvm_userspace_memory_region)))
		return -EFAULT;
	return vmmu_set_memory_region(vm, &region);
}

static long vm_set_memory_region2(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_userspace_memory_region2 region;

	if (copy_from_user(&region, (void __user *)arg, sizeof(region)))
		return -EFAULT;
	return vmmu_set_memory_region(vm, &region);
}

static long vm_get_dirty_log(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_dirty_log log;

	if (copy_from_user(&log, (void __user *)arg, sizeof(log)))
		return -EFAULT;
	return vmmu_get_dirty_log(vm, &log);
}

static long vm_clear_dirty_log(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_clear_dirty_log log;

	if (copy_from_user(&log, (void __user *)arg, sizeof(log)))
		return -EFAULT;
	return vmmu_clear_dirty_log(vm, &log);
}

static long vm_set_nr_mmu_pages(struct vmmu_vm *vm, unsigned long arg)
{
	if (arg < MMU_PAGES_MIN)
		return -EINVAL;
	return vmmu_mmu_set_limit(vm, arg);
}

/* User space's ioctl() returns an int, in which more could look like an errno. */
static long vm_get_nr_mmu_pages(struct vmmu_vm *vm, unsigned long arg)
{
	return min_t(unsigned long, vmmu_mmu_limit(vm), INT_MAX);
}

/*
 * Where VT-x without unrestricted guest would keep its TSS and identity map.
 * AMD-V needs neither; the values are checked and kept as the API says.
 */
static long vm_set_tss_addr(struct vmmu_vm *vm, unsigned long arg)
{
	if (arg > (unsigned int)(-3 * PAGE_SIZE))
		return -EINVAL;
	vm->tss_addr = arg;
	return 0;
}

static long vm_set_identity_map_addr(struct vmmu_vm *vm, unsigned long arg)
{
	u64 addr;

	guard(mutex)(&vm->lock);
	if (vm->nr_vcpus)
		return -EINVAL;
	if (copy_from_user(&addr, (void __user *)arg, sizeof(addr)))
		return -EFAULT;
	vm->identity_map_addr = addr;
	return 0;
}

/* ---- interrupts ---- */

static long vm_set_gsi_routing(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_irq_routing __user *user = (void __user *)arg;
	struct kvm_irq_routing_entry *entries __free(kvfree) = NULL;
	struct kvm_irq_routing head;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (vm->irq.mode == VMMU_IRQCHIP_NONE || head.nr > ROUTES_MAX || head.flags)
		return -EINVAL;
	if (head.nr) {
		entries = vmemdup_array_user(user->entries, head.nr, sizeof(*entries));
		if (IS_ERR(entries))
			return PTR_ERR(no_free_ptr(entries));
	}
	return vmmu_set_gsi_routing(vm, entries, head.nr, head.flags);
}

static long vm_signal_msi(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_msi msi;

	if (copy_from_user(&msi, (void __user *)arg, sizeof(msi)))
		return -EFAULT;
	if (vm->irq.mode == VMMU_IRQCHIP_NONE || msi.flags)
		return -EINVAL;
	return vmmu_signal_msi(vm, &msi);
}

static long vm_irq_line(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_irq_level line;

	if (copy_from_user(&line, (void __user *)arg, sizeof(line)))
		return -EFAULT;
	if (vm->irq.mode == VMMU_IRQCHIP_NONE)
		return -ENXIO;
	vmmu_irq_line(vm, line.irq, line.level);
	return 0;
}

/* As above, and tell how far it got: 0 masked, <0 nobody, else as many CPUs took it. */
static long vm_irq_line_status(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_irq_level line;

	if (copy_from_user(&line, (void __user *)arg, sizeof(line)))
		return -EFAULT;
	if (vm->irq.mode == VMMU_IRQCHIP_NONE)
		return -ENXIO;
	line.status = vmmu_irq_line(vm, line.irq, line.level);
	return copy_to_user((void __user *)arg, &line, sizeof(line)) ? -EFAULT : 0;
}

static long vm_create_irqchip(struct vmmu_vm *vm, unsigned long arg)
{
	guard(mutex)(&vm->lock);
	return vmmu_irqchip_create(vm);
}

static long vm_create_pit(struct vmmu_vm *vm, unsigned long arg)
{
	guard(mutex)(&vm->lock);
	return vmmu_pit_create(vm, KVM_PIT_SPEAKER_DUMMY);
}

static long vm_create_pit2(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_pit_config config;

	if (copy_from_user(&config, (void __user *)arg, sizeof(config)))
		return -EFAULT;
	guard(mutex)(&vm->lock);
	return vmmu_pit_create(vm, config.flags);
}

static long vm_get_irqchip(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_irqchip *chip __free(kfree) = memdup_user((void __user *)arg, sizeof(*chip));
	int r;

	if (IS_ERR(chip))
		return PTR_ERR(no_free_ptr(chip));
	r = vmmu_irqchip_get_state(vm, chip);
	if (r)
		return r;
	return copy_to_user((void __user *)arg, chip, sizeof(*chip)) ? -EFAULT : 0;
}

static long vm_set_irqchip(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_irqchip *chip __free(kfree) = memdup_user((void __user *)arg, sizeof(*chip));

	if (IS_ERR(chip))
		return PTR_ERR(no_free_ptr(chip));
	return vmmu_irqchip_set_state(vm, chip);
}

static long vm_get_pit2(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_pit_state2 s;
	int r = vmmu_pit_get_state(vm, &s);

	if (r)
		return r;
	return copy_to_user((void __user *)arg, &s, sizeof(s)) ? -EFAULT : 0;
}

static long vm_set_pit2(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_pit_state2 s;

	if (copy_from_user(&s, (void __user *)arg, sizeof(s)))
		return -EFAULT;
	return vmmu_pit_set_state(vm, &s);
}

/* The older structure is the newer one without flags. */
static long vm_get_pit(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_pit_state2 s;
	int r = vmmu_pit_get_state(vm, &s);

	static_assert(offsetof(struct kvm_pit_state2, flags) == sizeof(struct kvm_pit_state));
	if (r)
		return r;
	return copy_to_user((void __user *)arg, &s, sizeof(struct kvm_pit_state)) ? -EFAULT : 0;
}

static long vm_set_pit(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_pit_state2 s = {};

	if (copy_from_user(&s, (void __user *)arg, sizeof(struct kvm_pit_state)))
		return -EFAULT;
	return vmmu_pit_set_state(vm, &s);
}

static long vm_reinject_control(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_reinject_control control;

	if (copy_from_user(&control, (void __user *)arg, sizeof(control)))
		return -EFAULT;
	return vmmu_pit_reinject(vm, control.pit_reinject);
}

static long vm_register_coalesced(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_coalesced_mmio_zone zone;

	if (copy_from_user(&zone, (void __user *)arg, sizeof(zone)))
		return -EFAULT;
	return vmmu_coalesced_register(vm, &zone);
}

static long vm_unregister_coalesced(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_coalesced_mmio_zone zone;

	if (copy_from_user(&zone, (void __user *)arg, sizeof(zone)))
		return -EFAULT;
	return vmmu_coalesced_unregister(vm, &zone);
}

static long vm_irqfd(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_irqfd args;

	if (copy_from_user(&args, (void __user *)arg, sizeof(args)))
		return -EFAULT;
	return vmmu_irqfd(vm, &args);
}

static long vm_ioeventfd(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_ioeventfd args;

	if (copy_from_user(&args, (void __user *)arg, sizeof(args)))
		return -EFAULT;
	return vmmu_ioeventfd(vm, &args);
}

/* ---- time, MSR filter ---- */

static long vm_get_clock(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_clock_data data = {};
	int r = vmmu_get_clock(vm, &data);

	if (r)
		return r;
	return copy_to_user((void __user *)arg, &data, sizeof(data)) ? -EFAULT : 0;
}

static long vm_set_clock(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_clock_data data;

	if (copy_from_user(&data, (void __user *)arg, sizeof(data)))
		return -EFAULT;
	return vmmu_set_clock(vm, &data);
}

static long vm_set_msr_filter(struct vmmu_vm *vm, unsigned long arg)
{
	struct kvm_msr_filter filter;

	if (copy_from_user(&filter, (void __user *)arg, sizeof(filter)))
		return -EFAULT;
	return vmmu_set_msr_filter(vm, &filter);
}

/* The TSC frequency of vCPUs that are still to be created. */
static long vm_set_tsc_khz(struct vmmu_vm *vm, unsigned long arg)
{
	guard(mutex)(&vm->lock);
	if (vm->nr_vcpus)
		return -EINVAL;
	/* Without hardware scaling a guest's TSC runs at the host's rate. */
	if (arg && arg != vm->clock.default_tsc_khz)
		return -EINVAL;
	return 0;
}

static long vm_get_tsc_khz(struct vmmu_vm *vm, unsigned long arg)
{
	return vm->clock.default_tsc_khz;
}

static const struct {
	unsigned int cmd;
	long (*fn)(struct vmmu_vm *vm, unsigned long arg);
} vm_ioctls[] = {
	{ KVM_CREATE_VCPU, vm_create_vcpu },
	{ KVM_CHECK_EXTENSION, vm_check_extension },
	{ KVM_ENABLE_CAP, vm_enable_cap },
	{ KVM_SET_USER_MEMORY_REGION, vm_set_memory_region },
	{ KVM_SET_USER_MEMORY_REGION2, vm_set_memory_region2 },
	{ KVM_GET_DIRTY_LOG, vm_get_dirty_log },
	{ KVM_CLEAR_DIRTY_LOG, vm_clear_dirty_log },
	{ KVM_SET_NR_MMU_PAGES, vm_set_nr_mmu_pages },
	{ KVM_GET_NR_MMU_PAGES, vm_get_nr_mmu_pages },
	{ KVM_SET_TSS_ADDR, vm_set_tss_addr },
	{ KVM_SET_IDENTITY_MAP_ADDR, vm_set_identity_map_addr },
	{ KVM_SET_GSI_ROUTING, vm_set_gsi_routing },
	{ KVM_SIGNAL_MSI, vm_signal_msi },
	{ KVM_IRQ_LINE, vm_irq_line },
	{ KVM_IRQ_LINE_STATUS, vm_irq_line_status },
	{ KVM_CREATE_IRQCHIP, vm_create_irqchip },
	{ KVM_GET_IRQCHIP, vm_get_irqchip },
	{ KVM_SET_IRQCHIP, vm_set_irqchip },
	{ KVM_CREATE_PIT, vm_create_pit },
	{ KVM_CREATE_PIT2, vm_create_pit2 },
	{ KVM_GET_PIT, vm_get_pit },
	{ KVM_SET_PIT, vm_set_pit },
	{ KVM_GET_PIT2, vm_get_pit2 },
	{ KVM_SET_PIT2, vm_set_pit2 },
	{ KVM_REINJECT_CONTROL, vm_reinject_control },
	{ KVM_REGISTER_COALESCED_MMIO, vm_register_coalesced },
	{ KVM_UNREGISTER_COALESCED_MMIO, vm_unregister_coalesced },
	{ KVM_IRQFD, vm_irqfd },
	{ KVM_IOEVENTFD, vm_ioeventfd },
	{ KVM_GET_CLOCK, vm_get_clock },
	{ KVM_SET_CLOCK, vm_set_clock },
	{ KVM_X86_SET_MSR_FILTER, vm_set_msr_filter },
	{ KVM_SET_TSC_KHZ, vm_set_tsc_khz },
	{ KVM_GET_TSC_KHZ, vm_get_tsc_khz },
};

/**
 * vmmu_vm_ioctl() - find and run the ioctl @cmd
 * @vm: of the calling process, alive
 * @cmd: the ioctl
 * @arg: its argument
 *
 * Return: as the ioctl, -ENOTTY for one that we do not have.
 */
long vmmu_vm_ioctl(struct vmmu_vm *vm, unsigned int cmd, unsigned long arg)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(vm_ioctls); i++)
		if (vm_ioctls[i].cmd == cmd)
			return vm_ioctls[i].fn(vm, arg);
	return -ENOTTY;
}
