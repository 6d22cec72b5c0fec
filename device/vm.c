// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM's life and its file descriptor.
 *
 * vm->users counts file descriptors: the VM's own and one per vCPU. The last
 * one to go destroys the VM, vCPUs and all; until then vm->vcpus only grows.
 * The module is held by each open file.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "vmmu/cpu.h"
#include "vmmu/vm.h"
#include "ioctl.h"

static void init_fields(struct vmmu_vm *vm)
{
	refcount_set(&vm->users, 1);
	mutex_init(&vm->lock);
	xa_init(&vm->vcpus);
	vm->mm = current->mm;
	mmgrab(vm->mm);
}

static void undo_fields(struct vmmu_vm *vm)
{
	mmdrop(vm->mm);
	kvfree(vm);
}

/* The steps of creation, each with its undoing, run in order and undone backwards. */
static int step_srcu(struct vmmu_vm *vm)
{
	return init_srcu_struct(&vm->srcu);
}

static void undo_srcu(struct vmmu_vm *vm)
{
	cleanup_srcu_struct(&vm->srcu);
}

static int step_slots(struct vmmu_vm *vm)
{
	return vmmu_memslots_init(vm, &vmmu_mmu_memslot_ops);
}

static int step_clock(struct vmmu_vm *vm)
{
	vmmu_clock_vm_init(vm);
	return 0;
}

static int step_cpu(struct vmmu_vm *vm)
{
	return vmmu_cpu->vm_create(vm);
}

static void undo_cpu(struct vmmu_vm *vm)
{
	vmmu_cpu->vm_destroy(vm);
}

static const struct {
	int (*init)(struct vmmu_vm *vm);
	void (*undo)(struct vmmu_vm *vm);
} steps[] = {
	{ step_srcu, undo_srcu },
	{ step_slots, vmmu_memslots_destroy },
	{ vmmu_mmu_vm_init, vmmu_mmu_vm_destroy },
	{ vmmu_irq_vm_init, vmmu_irq_vm_destroy },
	{ step_clock, vmmu_clock_vm_destroy },
	{ step_cpu, undo_cpu },
	{ vmmu_notifier_register, vmmu_notifier_unregister },
};

static void undo_steps(struct vmmu_vm *vm, int n)
{
	while (n--)
		if (steps[n].undo)
			steps[n].undo(vm);
}

/**
 * vmmu_vm_create() - a VM of the calling process
 * @type: KVM_CREATE_VM's argument, must be 0
 *
 * Sleeps. Return: the VM with one user, or ERR_PTR(-EINVAL, -ENOMEM, ...).
 */
struct vmmu_vm *vmmu_vm_create(unsigned long type)
{
	struct vmmu_vm *vm;
	int i, r;

	if (type)
		return ERR_PTR(-EINVAL);
	vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return ERR_PTR(-ENOMEM);
	init_fields(vm);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		r = steps[i].init(vm);
		if (r) {
			undo_steps(vm, i);
			undo_fields(vm);
			return ERR_PTR(r);
		}
	}
	return vm;
}

static void destroy_vcpus(struct vmmu_vm *vm)
{
	struct vmmu_vcpu *vcpu;
	unsigned long i;

	vmmu_for_each_vcpu(vm, i, vcpu) {
		xa_erase(&vm->vcpus, i);
		vmmu_vcpu_destroy(vcpu);
	}
	xa_destroy(&vm->vcpus);
}

static void vm_destroy(struct vmmu_vm *vm)
{
	/* Outside events first: none may find a vCPU that is going. */
	vmmu_irq_vm_release(vm);
	vmmu_irq_vm_stop(vm);
	vmmu_notifier_unregister(vm);
	destroy_vcpus(vm);
	vmmu_free_msr_filter(vm);
	/* All but the notifier, which is gone. */
	undo_steps(vm, ARRAY_SIZE(steps) - 1);
	undo_fields(vm);
}

void vmmu_vm_get(struct vmmu_vm *vm)
{
	refcount_inc(&vm->users);
}

void vmmu_vm_put(struct vmmu_vm *vm)
{
	if (refcount_dec_and_test(&vm->users))
		vm_destroy(vm);
}

/**
 * vmmu_vcpu_by_id() - the vCPU with KVM_CREATE_VCPU's id @id, or NULL
 * @vm: the VM
 * @id: the id
 *
 * Any context that keeps the VM.
 */
struct vmmu_vcpu *vmmu_vcpu_by_id(struct vmmu_vm *vm, u32 id)
{
	struct vmmu_vcpu *vcpu = xa_load(&vm->vcpus, id);
	unsigned long i;

	/* Most often id and index are the same. */
	if (vcpu && vcpu->id == id)
		return vcpu;
	vmmu_for_each_vcpu(vm, i, vcpu)
		if (vcpu->id == id)
			return vcpu;
	return NULL;
}

/* ---- the file ---- */

static int vm_release(struct inode *inode, struct file *file)
{
	struct vmmu_vm *vm = file->private_data;

	/* eventfds would otherwise keep hold of a VM that only vCPU files keep. */
	vmmu_irq_vm_release(vm);
	vmmu_vm_put(vm);
	return 0;
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vmmu_vm *vm = file->private_data;

	if (vm->mm != current->mm || vmmu_vm_dead(vm))
		return -EIO;
	return vmmu_vm_ioctl(vm, cmd, arg);
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.llseek = noop_llseek,
};

/**
 * vmmu_vm_create_fd() - KVM_CREATE_VM
 * @type: the ioctl's argument
 *
 * Return: a file descriptor or errno.
 */
int vmmu_vm_create_fd(unsigned long type)
{
	struct vmmu_vm *vm = vmmu_vm_create(type);
	int fd;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	fd = anon_inode_getfd("vmmu-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		vmmu_vm_put(vm);
	return fd;
}
