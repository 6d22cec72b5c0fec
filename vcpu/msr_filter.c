// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_X86_SET_MSR_FILTER: which MSRs the guest may read and write.
 *
 * A filter is immutable once published in vm->msr_filter. Readers hold
 * vm->srcu (every vCPU thread that runs our code does); it is replaced as a
 * whole under vm->lock, and the old one is freed after a grace period.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/apicdef.h>
#include "vmmu/vm.h"

struct msr_range {
	u32 base;
	u32 nmsrs;
	u32 flags;		/* KVM_MSR_FILTER_READ, _WRITE */
	unsigned long *bitmap;	/* 1: allowed */
};

struct vmmu_msr_filter {
	bool default_allow;
	unsigned int nr;
	struct msr_range ranges[KVM_MSR_FILTER_MAX_RANGES];
};

static void free_filter(struct vmmu_msr_filter *f)
{
	unsigned int i;

	if (!f)
		return;
	for (i = 0; i < f->nr; i++)
		kfree(f->ranges[i].bitmap);
	kfree(f);
}

DEFINE_FREE(msr_filter, struct vmmu_msr_filter *, free_filter(_T))

/* The bitmap pointer is user space's; everything else was copied in by the caller. */
static int add_msr_range(struct vmmu_msr_filter *f, const struct kvm_msr_filter_range *in)
{
	struct msr_range *r = &f->ranges[f->nr];
	size_t size = BITS_TO_LONGS((u64)in->nmsrs) * sizeof(long);
	void *bitmap;

	if (!in->nmsrs)
		return 0;
	if (in->flags & ~KVM_MSR_FILTER_RANGE_VALID_MASK)
		return -EINVAL;
	if (size > KVM_MSR_FILTER_MAX_BITMAP_SIZE)
		return -EINVAL;
	bitmap = memdup_user((__force u8 __user *)in->bitmap, size);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	*r = (struct msr_range){
		.base = in->base,
		.nmsrs = in->nmsrs,
		.flags = in->flags,
		.bitmap = bitmap,
	};
	f->nr++;
	return 0;
}

/* NULL when @in is the filter that lets everything through. */
static struct vmmu_msr_filter *build_filter(const struct kvm_msr_filter *in)
{
	struct vmmu_msr_filter *f __free(msr_filter) = NULL;
	unsigned int i;
	int r;

	if (in->flags & ~KVM_MSR_FILTER_VALID_MASK)
		return ERR_PTR(-EINVAL);
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return ERR_PTR(-ENOMEM);
	f->default_allow = !(in->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; i < ARRAY_SIZE(in->ranges); i++) {
		r = add_msr_range(f, &in->ranges[i]);
		if (r)
			return ERR_PTR(r);
	}
	if (f->nr)
		return no_free_ptr(f);
	/* Denying everything by an empty filter is refused: it is a mistake. */
	return f->default_allow ? NULL : ERR_PTR(-EINVAL);
}

/**
 * vmmu_set_msr_filter() - KVM_X86_SET_MSR_FILTER
 * @vm: its lock is not held
 * @filter: copied in; its bitmap pointers are user space's
 *
 * On return no vCPU uses the old filter any more. Process context, sleeps.
 *
 * Return: 0; -EINVAL, -EFAULT, -ENOMEM with nothing changed.
 */
int vmmu_set_msr_filter(struct vmmu_vm *vm, const struct kvm_msr_filter *filter)
{
	struct vmmu_msr_filter *f = build_filter(filter);

	if (IS_ERR(f))
		return PTR_ERR(f);
	mutex_lock(&vm->lock);
	f = rcu_replace_pointer(vm->msr_filter, f, lockdep_is_held(&vm->lock));
	mutex_unlock(&vm->lock);
	/* Guests that run with accesses let through come out and are judged anew. */
	vmmu_request_all(vm, VMMU_REQ_EVENT);
	synchronize_srcu(&vm->srcu);
	free_filter(f);
	return 0;
}

/* At the end of the VM: nobody reads it any more. */
void vmmu_free_msr_filter(struct vmmu_vm *vm)
{
	free_filter(rcu_dereference_protected(vm->msr_filter, true));
	RCU_INIT_POINTER(vm->msr_filter, NULL);
}

/**
 * vmmu_msr_filter_allows() - does the filter let the guest at @index?
 * @vm: its srcu is held
 * @index: the MSR
 * @write: WRMSR, else RDMSR
 *
 * The first range of the access's kind that holds @index decides. x2APIC
 * registers cannot be filtered (api.rst, KVM_X86_SET_MSR_FILTER).
 */
bool vmmu_msr_filter_allows(struct vmmu_vm *vm, u32 index, bool write)
{
	u32 kind = write ? KVM_MSR_FILTER_WRITE : KVM_MSR_FILTER_READ;
	const struct vmmu_msr_filter *f = srcu_dereference(vm->msr_filter, &vm->srcu);
	unsigned int i;

	if (!f || (index >= APIC_BASE_MSR && index <= APIC_BASE_MSR + 0xff))
		return true;
	for (i = 0; i < f->nr; i++) {
		const struct msr_range *r = &f->ranges[i];

		if ((r->flags & kind) && index >= r->base && index - r->base < r->nmsrs)
			return test_bit(index - r->base, r->bitmap);
	}
	return f->default_allow;
}
