// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vCPU's file and its ioctls (api.rst, "vcpu ioctl"): one short function each.
 *
 * All run under vcpu->mutex, by a thread of the VM's own process. Those marked
 * "load" have the vCPU loaded and vm->srcu held.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vmmu/paging.h"
#include "vmmu/vm.h"
#include "ioctl.h"

#define MSRS_MAX	256
#define CPUID_MAX	256

/* ---- run ---- */

/* KVM_RUN by another thread than last time: what signals go to whom changes. */
static void note_thread(struct vmmu_vcpu *vcpu)
{
	struct pid *old = rcu_access_pointer(vcpu->pid), *now = task_pid(current);

	if (likely(old == now))
		return;
	get_pid(now);
	rcu_assign_pointer(vcpu->pid, now);
	if (old) {
		synchronize_rcu();
		put_pid(old);
	}
}

static long vcpu_run(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	if (arg)
		return -EINVAL;
	note_thread(vcpu);
	return vmmu_vcpu_run(vcpu);
}

/* ---- plain structures: one macro writes the copying around a getter or setter ---- */

#define VCPU_GET(name, tag)							\
static long vcpu_get_##name(struct vmmu_vcpu *vcpu, unsigned long arg)		\
{										\
	struct kvm_##tag *val __free(kfree) = kzalloc(sizeof(*val), GFP_KERNEL);		\
										\
	if (!val)								\
		return -ENOMEM;							\
	vmmu_get_##name(vcpu, val);						\
	return copy_to_user((void __user *)arg, val, sizeof(*val)) ? -EFAULT : 0; \
}

#define VCPU_TRY_GET(name, tag)						\
static long vcpu_get_##name(struct vmmu_vcpu *vcpu, unsigned long arg)		\
{										\
	struct kvm_##tag *val __free(kfree) = kzalloc(sizeof(*val), GFP_KERNEL);		\
	int r;									\
										\
	if (!val)								\
		return -ENOMEM;							\
	r = vmmu_get_##name(vcpu, val);						\
	if (r)									\
		return r;							\
	return copy_to_user((void __user *)arg, val, sizeof(*val)) ? -EFAULT : 0; \
}

#define VCPU_SET(name, tag)							\
static long vcpu_set_##name(struct vmmu_vcpu *vcpu, unsigned long arg)		\
{										\
	struct kvm_##tag *val __free(kfree) = memdup_user((void __user *)arg, sizeof(*val));	\
										\
	if (IS_ERR(val))							\
		return PTR_ERR(no_free_ptr(val));				\
	return vmmu_set_##name(vcpu, val);					\
}

static int set_regs(struct vmmu_vcpu *vcpu, const struct kvm_regs *regs)
{
	vmmu_set_regs(vcpu, regs);
	return 0;
}

#define vmmu_set_regs set_regs
VCPU_GET(regs, regs)
VCPU_SET(regs, regs)
#undef vmmu_set_regs
VCPU_GET(sregs, sregs)
VCPU_SET(sregs, sregs)
VCPU_GET(sregs2, sregs2)
VCPU_SET(sregs2, sregs2)
VCPU_TRY_GET(fpu, fpu)
VCPU_SET(fpu, fpu)
VCPU_GET(events, vcpu_events)
VCPU_SET(events, vcpu_events)
VCPU_GET(debugregs, debugregs)
VCPU_SET(debugregs, debugregs)
VCPU_SET(guest_debug, guest_debug)
VCPU_TRY_GET(mp_state, mp_state)
VCPU_SET(mp_state, mp_state)

/* ---- FPU in its larger forms ---- */

static long get_xsave(struct vmmu_vcpu *vcpu, unsigned long arg, u32 size)
{
	void *buf __free(kvfree) = kvzalloc(size, GFP_KERNEL);
	int r;

	if (!buf)
		return -ENOMEM;
	r = vmmu_get_xsave(vcpu, buf, size);
	if (r)
		return r;
	return copy_to_user((void __user *)arg, buf, size) ? -EFAULT : 0;
}

static long vcpu_get_xsave(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	if (vmmu_xsave_size() > sizeof(struct kvm_xsave))
		return -EINVAL;
	return get_xsave(vcpu, arg, sizeof(struct kvm_xsave));
}

static long vcpu_get_xsave2(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	return get_xsave(vcpu, arg, vmmu_xsave_size());
}

static long vcpu_set_xsave(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	void *buf __free(kvfree) = NULL;
	u32 size = vmmu_xsave_size();

	buf = vmemdup_user((void __user *)arg, size);
	if (IS_ERR(buf))
		return PTR_ERR(no_free_ptr(buf));
	return vmmu_set_xsave(vcpu, buf, size);
}

static long vcpu_get_xcrs(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_xcrs *xcrs __free(kfree) = kzalloc(sizeof(*xcrs), GFP_KERNEL);

	if (!xcrs)
		return -ENOMEM;
	if (!vmmu_supported_xcr0())
		return -EINVAL;
	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].value = vcpu->fpu.xcr0;
	return copy_to_user((void __user *)arg, xcrs, sizeof(*xcrs)) ? -EFAULT : 0;
}

static long vcpu_set_xcrs(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_xcrs *xcrs __free(kfree) = memdup_user((void __user *)arg, sizeof(*xcrs));
	int i;

	if (IS_ERR(xcrs))
		return PTR_ERR(no_free_ptr(xcrs));
	if (xcrs->nr_xcrs > KVM_MAX_XCRS || xcrs->flags)
		return -EINVAL;
	for (i = 0; i < xcrs->nr_xcrs; i++)
		if (!xcrs->xcrs[i].xcr)
			return vmmu_set_xcr(vcpu, 0, xcrs->xcrs[i].value) ? -EINVAL : 0;
	return 0;
}

/* ---- LAPIC ---- */

static long vcpu_get_lapic(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_lapic_state *s __free(kfree) = NULL;
	int r;

	if (!vcpu->apic)
		return -EINVAL;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	r = vmmu_lapic_get_state(vcpu, s);
	if (r)
		return r;
	return copy_to_user((void __user *)arg, s, sizeof(*s)) ? -EFAULT : 0;
}

static long vcpu_set_lapic(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_lapic_state *s __free(kfree) = NULL;

	if (!vcpu->apic)
		return -EINVAL;
	s = memdup_user((void __user *)arg, sizeof(*s));
	if (IS_ERR(s))
		return PTR_ERR(no_free_ptr(s));
	return vmmu_lapic_set_state(vcpu, s);
}

/*
 * KVM_SET_VAPIC_ADDR: a page through which a guest would change its TPR without an
 * exit. User space clears it for every vCPU; we offer no such page (KVM_CAP_VAPIC).
 */
static long vcpu_set_vapic_addr(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_vapic_addr va;

	if (!vcpu->apic)
		return -EINVAL;
	if (copy_from_user(&va, (void __user *)arg, sizeof(va)))
		return -EFAULT;
	return va.vapic_addr ? -EINVAL : 0;
}

/* KVM_INTERRUPT: a vector from a user-space PIC. */
static long vcpu_interrupt(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_interrupt irq;

	if (copy_from_user(&irq, (void __user *)arg, sizeof(irq)))
		return -EFAULT;
	if (irq.irq >= KVM_NR_INTERRUPTS)
		return -EINVAL;
	if (vcpu->vm->irq.mode == VMMU_IRQCHIP_KERNEL)
		return -ENXIO;
	if (vcpu->event.user_irq >= 0)
		return -EEXIST;
	vcpu->event.user_irq = irq.irq;
	vmmu_request(vcpu, VMMU_REQ_EVENT);
	return 0;
}

static long vcpu_nmi(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	vmmu_inject_nmi(vcpu);
	return 0;
}

/* ---- MSRs, CPUID, MCE ---- */

/* 0 or 1 (stop here). Without a vCPU: the system's feature MSRs. */
static int one_msr(struct vmmu_vcpu *vcpu, struct kvm_msr_entry *e, bool set)
{
	if (!vcpu)
		return vmmu_get_msr_feature(e->index, &e->data);
	if (set)
		return vmmu_set_msr(vcpu, e->index, e->data, true);
	return vmmu_get_msr(vcpu, e->index, &e->data, true);
}

long vmmu_ioctl_msrs(struct vmmu_vcpu *vcpu, struct kvm_msrs __user *user, bool set)
{
	struct kvm_msr_entry *entries __free(kvfree) = NULL;
	struct kvm_msrs head;
	unsigned int n;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MSRS_MAX)
		return -E2BIG;
	entries = vmemdup_array_user(user->entries, head.nmsrs, sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(no_free_ptr(entries));
	for (n = 0; n < head.nmsrs; n++)
		if (one_msr(vcpu, &entries[n], set))
			break;
	if (!set && copy_to_user(user->entries, entries, head.nmsrs * sizeof(*entries)))
		return -EFAULT;
	return n;
}

static long vcpu_get_msrs(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	return vmmu_ioctl_msrs(vcpu, (void __user *)arg, false);
}

static long vcpu_set_msrs(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	return vmmu_ioctl_msrs(vcpu, (void __user *)arg, true);
}

static long vcpu_set_cpuid2(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_cpuid2 __user *user = (void __user *)arg;
	struct kvm_cpuid_entry2 *entries __free(kvfree) = NULL;
	struct kvm_cpuid2 head;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent > CPUID_MAX)
		return -E2BIG;
	if (head.nent) {
		entries = vmemdup_array_user(user->entries, head.nent, sizeof(*entries));
		if (IS_ERR(entries))
			return PTR_ERR(no_free_ptr(entries));
	}
	return vmmu_set_cpuid(vcpu, entries, head.nent);
}

static long vcpu_get_cpuid2(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_cpuid2 __user *user = (void __user *)arg;
	struct kvm_cpuid2 head;
	u32 room;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	room = head.nent;
	head.nent = vcpu->cpuid.nr;
	if (copy_to_user(user, &head, sizeof(head)))
		return -EFAULT;
	if (room < vcpu->cpuid.nr)
		return -E2BIG;
	if (copy_to_user(user->entries, vcpu->cpuid.entries,
			 vcpu->cpuid.nr * sizeof(struct kvm_cpuid_entry2)))
		return -EFAULT;
	return 0;
}

static long vcpu_setup_mce(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	u64 cap;

	if (copy_from_user(&cap, (void __user *)arg, sizeof(cap)))
		return -EFAULT;
	return vmmu_setup_mce(vcpu, cap);
}

static long vcpu_set_mce(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_x86_mce mce;

	if (copy_from_user(&mce, (void __user *)arg, sizeof(mce)))
		return -EFAULT;
	return vmmu_set_mce(vcpu, &mce);
}

/* ---- time ---- */

static long vcpu_get_tsc_khz(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	return vcpu->clock.tsc_khz;
}

static long vcpu_set_tsc_khz(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	if (arg > U32_MAX)
		return -EINVAL;
	return vmmu_set_tsc_khz(vcpu, arg);
}

static long vcpu_kvmclock_ctrl(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	return vmmu_clock_ctrl(vcpu);
}

/* ---- signals, translation ---- */

static long vcpu_set_signal_mask(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_signal_mask __user *user = (void __user *)arg;
	struct kvm_signal_mask head;
	sigset_t set;

	if (!arg) {
		vcpu->sigset_active = false;
		return 0;
	}
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.len != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, user->sigset, sizeof(set)))
		return -EFAULT;
	sigdelsetmask(&set, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigset = set;
	vcpu->sigset_active = true;
	return 0;
}

static long vcpu_translate(struct vmmu_vcpu *vcpu, unsigned long arg)
{
	struct kvm_translation tr;
	struct vmmu_walk walk = {};

	if (copy_from_user(&tr, (void __user *)arg, sizeof(tr)))
		return -EFAULT;
	tr.valid = !vmmu_gva_debug_walk(vcpu, tr.linear_address, &walk);
	tr.physical_address = tr.valid ? walk.gpa : VMMU_INVALID_GPA;
	tr.writeable = tr.valid && (walk.acc & VMMU_ACC_WRITE);
	tr.usermode = tr.valid && (walk.acc & VMMU_ACC_USER);
	return copy_to_user((void __user *)arg, &tr, sizeof(tr)) ? -EFAULT : 0;
}

/* ---- the table ---- */

static const struct vcpu_ioctl {
	unsigned int cmd;
	bool load;
	long (*fn)(struct vmmu_vcpu *vcpu, unsigned long arg);
} vcpu_ioctls[] = {
	{ KVM_RUN, false, vcpu_run },
	{ KVM_GET_REGS, true, vcpu_get_regs },
	{ KVM_SET_REGS, true, vcpu_set_regs },
	{ KVM_GET_SREGS, true, vcpu_get_sregs },
	{ KVM_SET_SREGS, true, vcpu_set_sregs },
	{ KVM_GET_SREGS2, true, vcpu_get_sregs2 },
	{ KVM_SET_SREGS2, true, vcpu_set_sregs2 },
	{ KVM_GET_FPU, true, vcpu_get_fpu },
	{ KVM_SET_FPU, true, vcpu_set_fpu },
	{ KVM_GET_XSAVE, true, vcpu_get_xsave },
	{ KVM_GET_XSAVE2, true, vcpu_get_xsave2 },
	{ KVM_SET_XSAVE, true, vcpu_set_xsave },
	{ KVM_GET_XCRS, true, vcpu_get_xcrs },
	{ KVM_SET_XCRS, true, vcpu_set_xcrs },
	{ KVM_GET_VCPU_EVENTS, true, vcpu_get_events },
	{ KVM_SET_VCPU_EVENTS, true, vcpu_set_events },
	{ KVM_GET_DEBUGREGS, true, vcpu_get_debugregs },
	{ KVM_SET_DEBUGREGS, true, vcpu_set_debugregs },
	{ KVM_SET_GUEST_DEBUG, true, vcpu_set_guest_debug },
	{ KVM_GET_MP_STATE, true, vcpu_get_mp_state },
	{ KVM_SET_MP_STATE, true, vcpu_set_mp_state },
	{ KVM_GET_LAPIC, true, vcpu_get_lapic },
	{ KVM_SET_LAPIC, true, vcpu_set_lapic },
	{ KVM_SET_VAPIC_ADDR, true, vcpu_set_vapic_addr },
	{ KVM_INTERRUPT, true, vcpu_interrupt },
	{ KVM_NMI, true, vcpu_nmi },
	{ KVM_GET_MSRS, true, vcpu_get_msrs },
	{ KVM_SET_MSRS, true, vcpu_set_msrs },
	{ KVM_GET_CPUID2, true, vcpu_get_cpuid2 },
	{ KVM_SET_CPUID2, true, vcpu_set_cpuid2 },
	{ KVM_X86_SETUP_MCE, true, vcpu_setup_mce },
	{ KVM_X86_SET_MCE, true, vcpu_set_mce },
	{ KVM_GET_TSC_KHZ, true, vcpu_get_tsc_khz },
	{ KVM_SET_TSC_KHZ, true, vcpu_set_tsc_khz },
	{ KVM_KVMCLOCK_CTRL, true, vcpu_kvmclock_ctrl },
	{ KVM_SET_SIGNAL_MASK, false, vcpu_set_signal_mask },
	{ KVM_TRANSLATE, true, vcpu_translate },
};

static long call_loaded(struct vmmu_vcpu *vcpu, const struct vcpu_ioctl *io, unsigned long arg)
{
	long r;

	vmmu_vcpu_load(vcpu);
	vmmu_srcu_lock(vcpu);
	r = io->fn(vcpu, arg);
	vmmu_srcu_unlock(vcpu);
	vmmu_vcpu_put(vcpu);
	return r;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vmmu_vcpu *vcpu = file->private_data;
	long r = -EINVAL;
	int i;

	if (vcpu->vm->mm != current->mm || vmmu_vm_dead(vcpu->vm))
		return -EIO;
	if (_IOC_TYPE(cmd) != KVMIO)
		return -EINVAL;
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	for (i = 0; i < ARRAY_SIZE(vcpu_ioctls); i++) {
		if (vcpu_ioctls[i].cmd != cmd)
			continue;
		if (vcpu_ioctls[i].load)
			r = call_loaded(vcpu, &vcpu_ioctls[i], arg);
		else
			r = vcpu_ioctls[i].fn(vcpu, arg);
		break;
	}
	mutex_unlock(&vcpu->mutex);
	return r;
}

/* ---- the file ---- */

static vm_fault_t vcpu_fault(struct vm_fault *vmf)
{
	struct vmmu_vcpu *vcpu = vmf->vma->vm_file->private_data;
	struct page *page;

	switch (vmf->pgoff) {
	case 0:
		page = virt_to_page(vcpu->run);
		break;
	case 1:
		page = virt_to_page(vcpu->pio_data);
		break;
	case VMMU_COALESCED_PAGE:
		page = vmmu_coalesced_page(vcpu->vm);
		break;
	default:
		return VM_FAULT_SIGBUS;
	}
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct vmmu_vcpu *vcpu = file->private_data;

	vmmu_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};

static int check_new_id(struct vmmu_vm *vm, unsigned long id)
{
	if (id >= VMMU_MAX_VCPU_ID || (vm->max_vcpu_id && id >= vm->max_vcpu_id))
		return -EINVAL;
	if (vm->nr_vcpus >= VMMU_MAX_VCPUS)
		return -EINVAL;
	return vmmu_vcpu_by_id(vm, id) ? -EEXIST : 0;
}

/*
 * Put the vCPU where others find it and hand out its file; all or nothing. The
 * slot in the xarray is reserved first, so that nothing fails once the file exists.
 */
static int publish_vcpu(struct vmmu_vm *vm, struct vmmu_vcpu *vcpu)
{
	unsigned int index = vm->nr_vcpus;
	struct file *file;
	int fd, r;

	r = xa_reserve(&vm->vcpus, index, GFP_KERNEL_ACCOUNT);
	if (r)
		return r;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		xa_release(&vm->vcpus, index);
		return fd;
	}
	file = anon_inode_getfile("vmmu-vcpu", &vcpu_fops, vcpu, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		xa_release(&vm->vcpus, index);
		return PTR_ERR(file);
	}
	vmmu_vm_get(vm);
	vcpu->index = index;
	xa_store(&vm->vcpus, index, vcpu, GFP_KERNEL_ACCOUNT);
	/* Readers of nr_vcpus find the entry; pairs with their acquire load. */
	smp_store_release(&vm->nr_vcpus, index + 1);
	fd_install(fd, file);
	return fd;
}

/**
 * vmmu_vcpu_create_fd() - KVM_CREATE_VCPU
 * @vm: the VM
 * @id: the ioctl's argument
 *
 * Sleeps, takes vm->lock. Return: a file descriptor; -EINVAL (id or number too large),
 * -EEXIST, -ENOMEM, -EMFILE.
 */
int vmmu_vcpu_create_fd(struct vmmu_vm *vm, unsigned long id)
{
	struct vmmu_vcpu *vcpu;
	int r;

	guard(mutex)(&vm->lock);
	r = check_new_id(vm, id);
	if (r)
		return r;
	vcpu = vmmu_vcpu_create(vm, id);
	if (IS_ERR(vcpu))
		return PTR_ERR(vcpu);
	r = publish_vcpu(vm, vcpu);
	if (r < 0)
		vmmu_vcpu_destroy(vcpu);
	return r;
}
