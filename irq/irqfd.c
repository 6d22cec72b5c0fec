// SPDX-License-Identifier: GPL-2.0-only
/*
 * irqfd: an eventfd that, when signalled, raises a GSI.
 *
 * The signal arrives as a callback on the eventfd's wait queue, under its lock
 * with interrupts off; the interrupt is delivered right there, because neither a
 * message nor a pin needs anything that sleeps. A plain irqfd makes an edge; a
 * resampling one holds the line up until the guest ends the interrupt, and then
 * tells user space by a second eventfd, which looks whether it is still due.
 *
 * An irqfd ends once: whoever takes it off vm->irq.irqfds (under irqfd_lock)
 * queues its shutdown, be it KVM_IRQFD_FLAG_DEASSIGN, the last close of the
 * eventfd (EPOLLHUP, from the same callback) or the VM's end. The shutdown
 * leaves the wait queue, which waits for a callback in progress, then frees.
 *
 * Lock order: vm->irq.lock, the eventfd's wait-queue lock, irqfd_lock. Assign
 * and deassign hold vm->irq.lock throughout, so nobody finds an irqfd that is
 * not on its wait queue yet. Documentation/interrupts.md has the race table.
 */
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "chips.h"
#include "eventfd.h"
#include "routing.h"

struct irqfd {
	struct vmmu_vm *vm;
	struct eventfd_ctx *ctx;
	u32 gsi;
	struct list_head link;		/* vm->irq.irqfds; irqfd_lock; empty: ended */
	wait_queue_entry_t wait;
	poll_table poll;
	struct work_struct shutdown;
	struct eventfd_ctx *resample;	/* NULL: plain */
	struct vmmu_irq_listener listener;	/* on the VM's list when resampling */
};

/* Shutdowns of all VMs; flushed where somebody must know that they are over. */
static struct workqueue_struct *shutdown_wq;

int vmmu_irqfd_module_init(void)
{
	shutdown_wq = alloc_workqueue("vmmu-irqfd", 0, 0);
	return shutdown_wq ? 0 : -ENOMEM;
}

void vmmu_irqfd_module_exit(void)
{
	destroy_workqueue(shutdown_wq);
}

static void irqfd_shutdown(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, shutdown);
	u64 count;

	/* Takes the wait queue's lock: no callback runs or will run after this. */
	eventfd_ctx_remove_wait_queue(irqfd->ctx, &irqfd->wait, &count);
	if (irqfd->resample) {
		vmmu_irq_unlisten(irqfd->vm, &irqfd->listener);
		eventfd_ctx_put(irqfd->resample);
	}
	eventfd_ctx_put(irqfd->ctx);
	kfree(irqfd);
}

/* The guest ended the interrupt; the line is down. */
static void irqfd_acked(struct vmmu_irq_listener *l)
{
	struct irqfd *irqfd = container_of(l, struct irqfd, listener);

	eventfd_signal(irqfd->resample);
}

static void irqfd_raise(struct irqfd *irqfd)
{
	if (irqfd->resample) {
		vmmu_irq_set(irqfd->vm, VMMU_SOURCE_RESAMPLE, irqfd->gsi, true);
		return;
	}
	vmmu_irq_line(irqfd->vm, irqfd->gsi, true);
	vmmu_irq_line(irqfd->vm, irqfd->gsi, false);
}

/* irqfd_lock held, any context. Only the first one ends it. */
static void end_locked(struct irqfd *irqfd)
{
	lockdep_assert_held(&irqfd->vm->irq.irqfd_lock);
	if (list_empty(&irqfd->link))
		return;
	list_del_init(&irqfd->link);
	queue_work(shutdown_wq, &irqfd->shutdown);
}

static void irqfd_end(struct irqfd *irqfd)
{
	unsigned long flags;

	spin_lock_irqsave(&irqfd->vm->irq.irqfd_lock, flags);
	end_locked(irqfd);
	spin_unlock_irqrestore(&irqfd->vm->irq.irqfd_lock, flags);
}

/* The wait queue's lock held, interrupts off. */
static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	__poll_t events = key_to_poll(key);
	u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->ctx, &count);
		irqfd_raise(irqfd);
	}
	if (events & EPOLLHUP)
		irqfd_end(irqfd);
	return 0;
}

static void irqfd_queue(struct file *file, wait_queue_head_t *wqh, poll_table *poll)
{
	struct irqfd *irqfd = container_of(poll, struct irqfd, poll);

	add_wait_queue(wqh, &irqfd->wait);
}

/* irqfd_lock held. */
static bool eventfd_taken(struct vmmu_irq_vm *irq, const struct eventfd_ctx *ctx)
{
	struct irqfd *other;

	list_for_each_entry(other, &irq->irqfds, link)
		if (other->ctx == ctx)
			return true;
	return false;
}

/* Into the list, unless the VM has an irqfd on the same eventfd. */
static int enlist(struct irqfd *irqfd)
{
	struct vmmu_irq_vm *irq = &irqfd->vm->irq;
	bool taken;

	spin_lock_irq(&irq->irqfd_lock);
	taken = eventfd_taken(irq, irqfd->ctx);
	if (!taken)
		list_add_tail(&irqfd->link, &irq->irqfds);
	spin_unlock_irq(&irq->irqfd_lock);
	return taken ? -EBUSY : 0;
}

static struct irqfd *irqfd_new(struct vmmu_vm *vm, struct eventfd_ctx *ctx, u32 gsi)
{
	struct irqfd *irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);

	if (!irqfd)
		return NULL;
	irqfd->vm = vm;
	irqfd->ctx = ctx;
	irqfd->gsi = gsi;
	INIT_LIST_HEAD(&irqfd->link);
	INIT_WORK(&irqfd->shutdown, irqfd_shutdown);
	init_waitqueue_func_entry(&irqfd->wait, irqfd_wakeup);
	init_poll_funcptr(&irqfd->poll, irqfd_queue);
	return irqfd;
}

/*
 * @file is held until we are on its wait queue: it cannot hang up before. A
 * signal from before that is seen by the poll.
 */
static int attach(struct vmmu_vm *vm, struct file *file, u32 gsi, struct eventfd_ctx *resample)
{
	struct eventfd_ctx *ctx __free(vmmu_eventfd) = eventfd_ctx_fileget(file);
	struct irqfd *irqfd;
	int r;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	irqfd = irqfd_new(vm, ctx, gsi);
	if (!irqfd)
		return -ENOMEM;
	irqfd->resample = resample;
	irqfd->listener.gsi = gsi;
	irqfd->listener.resample = true;
	irqfd->listener.acked = irqfd_acked;
	r = enlist(irqfd);
	if (r) {
		kfree(irqfd);
		return r;
	}
	if (resample)
		vmmu_irq_listen(vm, &irqfd->listener);
	if (vfs_poll(file, &irqfd->poll) & EPOLLIN)
		irqfd_raise(irqfd);
	retain_and_null_ptr(ctx);
	return 0;
}

/* The second eventfd, when the flags ask for one. */
static struct eventfd_ctx *resample_ctx(const struct kvm_irqfd *args)
{
	return args->flags & KVM_IRQFD_FLAG_RESAMPLE ? eventfd_ctx_fdget(args->resamplefd) : NULL;
}

static int assign(struct vmmu_vm *vm, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *resample __free(vmmu_eventfd) = NULL;
	struct file *file;
	int r;

	if (READ_ONCE(vm->irq.mode) == VMMU_IRQCHIP_NONE)
		return -EINVAL;
	/* A resampling irqfd listens to an in-kernel I/O APIC. */
	if ((args->flags & KVM_IRQFD_FLAG_RESAMPLE) && vm->irq.mode != VMMU_IRQCHIP_KERNEL)
		return -EINVAL;
	resample = resample_ctx(args);
	if (IS_ERR(resample))
		return PTR_ERR(resample);
	file = fget(args->fd);
	if (!file)
		return -EBADF;
	r = attach(vm, file, args->gsi, resample);
	if (!r)
		retain_and_null_ptr(resample);
	fput(file);
	return r;
}

/* None there is no error: the eventfd may have hung up first. */
static int deassign(struct vmmu_vm *vm, const struct kvm_irqfd *args)
{
	struct eventfd_ctx *ctx __free(vmmu_eventfd) = eventfd_ctx_fdget(args->fd);
	struct irqfd *irqfd, *tmp;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	scoped_guard(spinlock_irq, &vm->irq.irqfd_lock) {
		list_for_each_entry_safe(irqfd, tmp, &vm->irq.irqfds, link)
			if (irqfd->ctx == ctx && irqfd->gsi == args->gsi)
				end_locked(irqfd);
	}
	/* No interrupt from it after the ioctl. */
	flush_workqueue(shutdown_wq);
	return 0;
}

/**
 * vmmu_irqfd() - KVM_IRQFD
 * @vm: the VM
 * @args: copied in
 *
 * May sleep.
 *
 * Return: 0; -EINVAL, -EBADF for the arguments, -EBUSY when the VM has an irqfd
 * on that eventfd, -ENOMEM.
 */
int vmmu_irqfd(struct vmmu_vm *vm, const struct kvm_irqfd *args)
{
	if (args->flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	if (args->gsi >= VMMU_MAX_GSIS)
		return -EINVAL;
	guard(mutex)(&vm->irq.lock);
	return args->flags & KVM_IRQFD_FLAG_DEASSIGN ? deassign(vm, args) : assign(vm, args);
}

/* The flush also waits for those that hung up by themselves. */
void vmmu_irqfd_release(struct vmmu_vm *vm)
{
	struct irqfd *irqfd, *tmp;

	guard(mutex)(&vm->irq.lock);
	scoped_guard(spinlock_irq, &vm->irq.irqfd_lock) {
		list_for_each_entry_safe(irqfd, tmp, &vm->irq.irqfds, link)
			end_locked(irqfd);
	}
	flush_workqueue(shutdown_wq);
}
