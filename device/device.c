// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vmmu: the system ioctls of the KVM API (api.rst, "system ioctl").
 *
 * No state of its own. An open file or anything made from it holds the module.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vmmu/cpu.h"
#include "vmmu/device.h"
#include "vmmu/vcpu.h"
#include "vmmu/vm.h"
#include "ioctl.h"

static char *vmmu_param_device = "vmmu";
module_param_named(device, vmmu_param_device, charp, 0444);
MODULE_PARM_DESC(device, "name of the device in /dev (default: vmmu; kvm where a VMM's path is fixed)");

#define CPUID_ENTRIES_MAX	256
#define MSR_LIST_MAX		512

/* ---- one function per ioctl ---- */

static long dev_get_api_version(unsigned long arg)
{
	return arg ? -EINVAL : KVM_API_VERSION;
}

static long dev_create_vm(unsigned long arg)
{
	return vmmu_vm_create_fd(arg);
}

static long dev_check_extension(unsigned long arg)
{
	return vmmu_check_extension(NULL, arg);
}

static long dev_vcpu_mmap_size(unsigned long arg)
{
	return arg ? -EINVAL : VMMU_VCPU_MMAP_PAGES * PAGE_SIZE;
}

static long dev_get_supported_cpuid(unsigned long arg)
{
	struct kvm_cpuid2 __user *user = (void __user *)arg;
	struct kvm_cpuid_entry2 *entries __free(kvfree) = NULL;
	struct kvm_cpuid2 head;
	int n;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent < 1)
		return -E2BIG;
	head.nent = min(head.nent, CPUID_ENTRIES_MAX);
	entries = kvcalloc(head.nent, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	n = vmmu_supported_cpuid(entries, head.nent);
	if (n < 0)
		return n;
	head.nent = n;
	if (copy_to_user(user, &head, sizeof(head)) ||
	    copy_to_user(user->entries, entries, n * sizeof(*entries)))
		return -EFAULT;
	return 0;
}

/* Both MSR lists: the count goes back even when user space has too little room. */
static long copy_msr_list(struct kvm_msr_list __user *user, int (*fill)(u32 *, int))
{
	u32 *indices __free(kfree) = kcalloc(MSR_LIST_MAX, sizeof(u32), GFP_KERNEL);
	struct kvm_msr_list head;
	u32 room;
	int n;

	if (!indices)
		return -ENOMEM;
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	n = fill(indices, MSR_LIST_MAX);
	if (n < 0)
		return n;
	room = head.nmsrs;
	head.nmsrs = n;
	if (copy_to_user(user, &head, sizeof(head)))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	if (copy_to_user(user->indices, indices, n * sizeof(u32)))
		return -EFAULT;
	return 0;
}

static long dev_get_msr_index_list(unsigned long arg)
{
	return copy_msr_list((void __user *)arg, vmmu_msr_list);
}

static long dev_get_msr_feature_index_list(unsigned long arg)
{
	return copy_msr_list((void __user *)arg, vmmu_msr_feature_list);
}

static long dev_get_msrs(unsigned long arg)
{
	return vmmu_ioctl_msrs(NULL, (void __user *)arg, false);
}

static long dev_get_mce_cap(unsigned long arg)
{
	u64 cap = VMMU_MCE_CAP_SUPPORTED;

	return copy_to_user((void __user *)arg, &cap, sizeof(cap)) ? -EFAULT : 0;
}

static int check_device_attr(const struct kvm_device_attr *attr)
{
	if (attr->group || attr->flags)
		return -ENXIO;
	return attr->attr == KVM_X86_XCOMP_GUEST_SUPP ? 0 : -ENXIO;
}

static long dev_get_device_attr(unsigned long arg)
{
	struct kvm_device_attr attr;
	u64 xcr0 = vmmu_supported_xcr0();
	int r;

	if (copy_from_user(&attr, (void __user *)arg, sizeof(attr)))
		return -EFAULT;
	r = check_device_attr(&attr);
	if (r)
		return r;
	return copy_to_user(u64_to_user_ptr(attr.addr), &xcr0, sizeof(xcr0)) ? -EFAULT : 0;
}

static long dev_has_device_attr(unsigned long arg)
{
	struct kvm_device_attr attr;

	if (copy_from_user(&attr, (void __user *)arg, sizeof(attr)))
		return -EFAULT;
	return check_device_attr(&attr);
}

static const struct {
	unsigned int cmd;
	long (*fn)(unsigned long arg);
} dev_ioctls[] = {
	{ KVM_GET_API_VERSION, dev_get_api_version },
	{ KVM_CREATE_VM, dev_create_vm },
	{ KVM_CHECK_EXTENSION, dev_check_extension },
	{ KVM_GET_VCPU_MMAP_SIZE, dev_vcpu_mmap_size },
	{ KVM_GET_SUPPORTED_CPUID, dev_get_supported_cpuid },
	{ KVM_GET_MSR_INDEX_LIST, dev_get_msr_index_list },
	{ KVM_GET_MSR_FEATURE_INDEX_LIST, dev_get_msr_feature_index_list },
	{ KVM_GET_MSRS, dev_get_msrs },
	{ KVM_X86_GET_MCE_CAP_SUPPORTED, dev_get_mce_cap },
	{ KVM_GET_DEVICE_ATTR, dev_get_device_attr },
	{ KVM_HAS_DEVICE_ATTR, dev_has_device_attr },
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(dev_ioctls); i++)
		if (dev_ioctls[i].cmd == cmd)
			return dev_ioctls[i].fn(arg);
	return -EINVAL;
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice vmmu_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.fops = &dev_fops,
	.mode = 0660,
};

/**
 * vmmu_device_register() - make the device appear; the last step of loading
 *
 * Return: 0, -EEXIST when the name is taken (device=kvm beside the kernel's KVM), -EINVAL.
 */
int vmmu_device_register(void)
{
	int r;

	if (!*vmmu_param_device || strchr(vmmu_param_device, '/')) {
		pr_err("vmmu: device=%s is no name for a device in /dev\n", vmmu_param_device);
		return -EINVAL;
	}
	vmmu_misc.name = vmmu_param_device;
	r = misc_register(&vmmu_misc);
	if (r)
		pr_err("vmmu: cannot make /dev/%s (error %d): is another hypervisor's module loaded?\n",
		       vmmu_param_device, r);
	return r;
}

void vmmu_device_unregister(void)
{
	misc_deregister(&vmmu_misc);
}
