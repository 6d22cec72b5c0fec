/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual machine: what the rooms keep in it. Created and destroyed by
 * device/vm.c; each embedded struct is defined by the room that owns it.
 */
#ifndef VMMU_VM_H
#define VMMU_VM_H

#include <linux/refcount.h>
#include <linux/srcu.h>
#include <linux/xarray.h>
#include "vmmu/irq.h"
#include "vmmu/memslot.h"
#include "vmmu/mmu.h"
#include "vmmu/notifier.h"
#include "vmmu/request.h"
#include "vmmu/vcpu.h"

#define VMMU_MAX_VCPUS		64
#define VMMU_MAX_VCPU_ID	4096

/* The guest's notion of time; vcpu/clock.c, vcpu/tsc.c. */
struct vmmu_clock_vm {
	raw_spinlock_t lock;	/* taken with interrupts on */
	s64 kvmclock_offset;	/* lock: guest ns = host boot ns + offset */
	/* One instant that every vCPU's clock page extrapolates from; lock. Only while
	 * the host itself keeps time by the TSC.
	 */
	bool base_valid;
	u64 base_tsc;
	u64 base_ns;		/* host boot ns */
	/* TSC synchronisation of vCPUs; lock. */
	bool tsc_written;
	bool tsc_user_set;	/* by user space, not by the birth of a vCPU */
	u64 last_tsc_write;	/* a guest's TSC at last_tsc_nsec */
	u64 last_tsc_nsec;
	u64 cur_tsc_offset;	/* of the vCPUs that are in step */
	u32 default_tsc_khz;	/* constant */
	u64 wall_clock_msr;	/* wall_lock */
	struct mutex wall_lock;
	struct list_head link;	/* clock_vms in vcpu/clock.c */
};

struct vmmu_vm {
	struct mm_struct *mm;
	refcount_t users;	/* file descriptors: the VM's, its vCPUs' */
	struct mutex lock;	/* vCPU creation, irqchip mode, capabilities */
	struct srcu_struct srcu;	/* slots, I/O bus, routing, MSR filter */
	bool dead;		/* set once by vmmu_vm_kill() */

	struct xarray vcpus;	/* index -> vcpu; written under lock, never removed while users */
	unsigned int nr_vcpus;	/* lock; published after the xarray entry */
	u32 max_vcpu_id;	/* lock; 0: not set by KVM_CAP_MAX_VCPU_ID */

	/* Capabilities that user space enabled; lock, read without. */
	bool exception_payload;
	bool triple_fault_event;
	u32 user_space_msr;	/* KVM_MSR_EXIT_REASON_* mask */
	struct vmmu_msr_filter __rcu *msr_filter;	/* srcu */
	u64 disabled_exits;	/* KVM_X86_DISABLE_EXITS_* */
	u64 disabled_quirks;	/* KVM_X86_QUIRK_*; vmmu_quirk_disabled() */
	unsigned long tss_addr;
	u64 identity_map_addr;

	struct vmmu_memslot_vm mem;
	struct vmmu_mmu_vm mmu;
	struct vmmu_notifier_vm notifier;
	struct vmmu_irq_vm irq;
	struct vmmu_clock_vm clock;
	void *hw;		/* the back end's own */
};

/* By index: to look for the next of a few entries an xarray looks at a whole node. */
static inline struct vmmu_vcpu *vmmu_vcpu_at(struct vmmu_vm *vm, unsigned long i)
{
	/* Pairs with the release when a vCPU is published. */
	return i < smp_load_acquire(&vm->nr_vcpus) ? xa_load(&vm->vcpus, i) : NULL;
}

#define vmmu_for_each_vcpu(vm, i, vcpu) \
	for (i = 0; (vcpu = vmmu_vcpu_at(vm, i)); i++)

static inline bool vmmu_vm_dead(struct vmmu_vm *vm)
{
	return READ_ONCE(vm->dead);
}

/* Does user space do without this oddity of KVM? */
static inline bool vmmu_quirk_disabled(struct vmmu_vm *vm, u64 quirk)
{
	return READ_ONCE(vm->disabled_quirks) & quirk;
}

/* The vCPU's own thread around everything that looks at slots, buses or routes. */
static inline void vmmu_srcu_lock(struct vmmu_vcpu *vcpu)
{
	vcpu->srcu_idx = srcu_read_lock(&vcpu->vm->srcu);
}

static inline void vmmu_srcu_unlock(struct vmmu_vcpu *vcpu)
{
	srcu_read_unlock(&vcpu->vm->srcu, vcpu->srcu_idx);
}

/* device/vm.c */
struct vmmu_vm *vmmu_vm_create(unsigned long type);
void vmmu_vm_get(struct vmmu_vm *vm);
void vmmu_vm_put(struct vmmu_vm *vm);
/* The vCPU whose id is @id, or NULL. */
struct vmmu_vcpu *vmmu_vcpu_by_id(struct vmmu_vm *vm, u32 id);

#endif
