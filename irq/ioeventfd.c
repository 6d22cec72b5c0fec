// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioeventfd: a guest's write to one address signals an eventfd and the guest
 * runs on.
 *
 * Each is a device on an I/O bus. The list and the buses change under
 * vm->irq.lock; the write itself runs on a vCPU's thread under vm->srcu, which
 * removal waits out before the eventfd is let go.
 */
#include <linux/cleanup.h>
#include <linux/eventfd.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include "eventfd.h"
#include "iobus.h"

#define FLAGS_KNOWN	(KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO | \
			 KVM_IOEVENTFD_FLAG_DEASSIGN)

struct ioeventfd {
	struct vmmu_iodev dev;
	struct list_head link;	/* vm->irq.ioeventfds; vm->irq.lock */
	struct eventfd_ctx *ctx;
	enum vmmu_bus bus;
	u64 addr;
	u32 len;		/* 0: any */
	bool wildcard;		/* any value */
	u64 datamatch;
};

static u64 load(const void *data, int len)
{
	switch (len) {
	case 1:
		return *(const u8 *)data;
	case 2:
		return get_unaligned((const u16 *)data);
	case 4:
		return get_unaligned((const u32 *)data);
	default:
		return get_unaligned((const u64 *)data);
	}
}

static bool takes(const struct ioeventfd *p, u64 addr, int len, const void *data)
{
	if (addr != p->addr || (p->len && len != p->len))
		return false;
	if (p->wildcard)
		return true;
	return is_power_of_2(len) && len <= 8 && load(data, len) == p->datamatch;
}

static int ioeventfd_write(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
			   const void *data)
{
	struct ioeventfd *p = container_of(dev, struct ioeventfd, dev);

	if (!takes(p, addr, len, data))
		return -EOPNOTSUPP;
	eventfd_signal(p->ctx);
	return 0;
}

static const struct vmmu_iodev_ops ioeventfd_ops = {
	.atomic = true,
	.write = ioeventfd_write,
};

/* Would one write go to both? */
static bool collide(const struct ioeventfd *a, const struct ioeventfd *b)
{
	if (a->bus != b->bus || a->addr != b->addr)
		return false;
	if (!a->len || !b->len)
		return true;
	return a->len == b->len &&
	       (a->wildcard || b->wildcard || a->datamatch == b->datamatch);
}

static bool same(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return a->bus == b->bus && a->addr == b->addr && a->len == b->len && a->ctx == b->ctx &&
	       a->wildcard == b->wildcard && (a->wildcard || a->datamatch == b->datamatch);
}

static int check(const struct kvm_ioeventfd *args)
{
	if (args->len != 0 && args->len != 1 && args->len != 2 && args->len != 4 && args->len != 8)
		return -EINVAL;
	if (args->addr + args->len < args->addr)
		return -EINVAL;
	if (args->flags & ~FLAGS_KNOWN)
		return -EINVAL;
	if (!args->len && (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH))
		return -EINVAL;
	return 0;
}

static void fill(struct ioeventfd *p, const struct kvm_ioeventfd *args, struct eventfd_ctx *ctx)
{
	p->dev.ops = &ioeventfd_ops;
	p->ctx = ctx;
	p->bus = args->flags & KVM_IOEVENTFD_FLAG_PIO ? VMMU_BUS_PIO : VMMU_BUS_MMIO;
	p->addr = args->addr;
	p->len = args->len;
	p->wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH);
	p->datamatch = p->wildcard ? 0 : args->datamatch;
}

static int assign(struct vmmu_vm *vm, const struct kvm_ioeventfd *args)
{
	struct eventfd_ctx *ctx __free(vmmu_eventfd) = eventfd_ctx_fdget(args->fd);
	struct ioeventfd *p __free(kfree) = NULL;
	struct ioeventfd *other;
	int r;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	fill(p, args, ctx);

	guard(mutex)(&vm->irq.lock);
	list_for_each_entry(other, &vm->irq.ioeventfds, link)
		if (collide(p, other))
			return -EEXIST;
	r = vmmu_iobus_add(vm, p->bus, p->addr, p->len, &p->dev);
	if (r)
		return r;
	list_add_tail(&p->link, &vm->irq.ioeventfds);
	retain_and_null_ptr(p);
	retain_and_null_ptr(ctx);
	return 0;
}

/* vm->irq.lock held. */
static void drop(struct vmmu_vm *vm, struct ioeventfd *p)
{
	list_del(&p->link);
	vmmu_iobus_remove(vm, p->bus, &p->dev);
	eventfd_ctx_put(p->ctx);
	kfree(p);
}

static int deassign(struct vmmu_vm *vm, const struct kvm_ioeventfd *args)
{
	struct eventfd_ctx *ctx __free(vmmu_eventfd) = eventfd_ctx_fdget(args->fd);
	struct ioeventfd key = {}, *p;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	fill(&key, args, ctx);

	guard(mutex)(&vm->irq.lock);
	list_for_each_entry(p, &vm->irq.ioeventfds, link) {
		if (same(&key, p)) {
			drop(vm, p);
			return 0;
		}
	}
	return -ENOENT;
}

/**
 * vmmu_ioeventfd() - KVM_IOEVENTFD
 * @vm: the VM
 * @args: copied in
 *
 * May sleep.
 *
 * Return: 0; -EINVAL, -EBADF for the arguments, -EEXIST when another one would
 * take the same write, -ENOENT when there is none to remove, -ENOSPC, -ENOMEM.
 */
int vmmu_ioeventfd(struct vmmu_vm *vm, const struct kvm_ioeventfd *args)
{
	int r = check(args);

	if (r)
		return r;
	return args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN ? deassign(vm, args) : assign(vm, args);
}

/* The VM goes away; there is no vCPU any more. */
void vmmu_ioeventfd_release(struct vmmu_vm *vm)
{
	struct ioeventfd *p, *tmp;

	guard(mutex)(&vm->irq.lock);
	list_for_each_entry_safe(p, tmp, &vm->irq.ioeventfds, link)
		drop(vm, p);
}
