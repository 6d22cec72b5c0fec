// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_USER_MEMORY_REGION and _REGION2: create, delete, move a slot, or
 * change its flags, while vCPUs run.
 *
 * Contract: an error changes nothing. The rules are checked first, on values;
 * then everything that the change will need is allocated; what follows cannot
 * fail.
 *
 * A slot that goes (deleted, or moved away) is first replaced by a clone that
 * is marked invalid, so that faults on it begin again instead of mapping it
 * anew; then what maps it is zapped; then it leaves the map. Each publication
 * waits for the readers of the one before, so whoever still maps through the
 * valid slot has finished before the zap begins.
 *
 * Locking: vm->mem.lock throughout. Sleeps. Never from a thread with vm->srcu.
 */
#include <linux/cleanup.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "slots.h"
#include "vmmu/trace.h"
#include "vmmu/vm.h"

#define VMMU_MEM_FLAGS	(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)

static_assert(BIT(VMMU_SLOT_AS_SHIFT) >= VMMU_MAX_MEMSLOTS);

/* A change with all it needs; what a pointer holds on return is freed. */
struct region_edit {
	enum vmmu_region_change change;
	struct vmmu_memslot *old;	/* in the map now; not ours */
	struct vmmu_memslot *hidden;	/* invalid clone of @old, while it goes */
	struct vmmu_memslot *new;	/* what is in the map afterwards */
	struct vmmu_memslots *interim;	/* the map with @hidden */
	struct vmmu_memslots *final;	/* the map afterwards */
};

static bool page_aligned(u64 x)
{
	return !(x & ~PAGE_MASK);
}

/**
 * vmmu_region_check() - may anybody ask for such a region?
 * @mem: as user space gave it
 *
 * The rules that need no knowledge of the VM. Return: 0 or -EINVAL.
 */
int vmmu_region_check(const struct kvm_userspace_memory_region2 *mem)
{
	u64 hva = mem->userspace_addr;
	u64 address = untagged_addr(hva);

	if (mem->flags & ~VMMU_MEM_FLAGS)
		return -EINVAL;
	if (!page_aligned(mem->memory_size) || !page_aligned(mem->guest_phys_addr) ||
	    !page_aligned(hva))
		return -EINVAL;
	if (hva != address ||
	    !access_ok((void __user *)(unsigned long)hva, mem->memory_size))
		return -EINVAL;
	if (!vmmu_slot_id_valid(mem->slot))
		return -EINVAL;
	if (mem->guest_phys_addr + mem->memory_size < mem->guest_phys_addr)
		return -EINVAL;
	if (mem->memory_size >> PAGE_SHIFT > VMMU_MEMSLOT_MAX_PAGES)
		return -EINVAL;
	return 0;
}

/* Does [base, base + npages) meet a slot other than @self? */
static bool region_overlaps(const struct vmmu_memslots *slots, const struct vmmu_memslot *self,
			    gfn_t base, unsigned long npages)
{
	unsigned int i;

	for (i = 0; i < slots->nr; i++) {
		const struct vmmu_memslot *s = slots->refs[i].slot;

		if (s != self && s->base_gfn < base + npages && base < s->base_gfn + s->npages)
			return true;
	}
	return false;
}

/**
 * vmmu_region_classify() - what does @mem ask for, and may it?
 * @slots: the map now
 * @total_pages: of all slots in it
 * @gfn_limit: the first gfn that no guest can have
 * @mem: passed vmmu_region_check()
 * @old: the slot of that id, or NULL
 *
 * Return: enum vmmu_region_change, -EINVAL, or -EEXIST (overlaps another slot).
 */
int vmmu_region_classify(const struct vmmu_memslots *slots, unsigned long total_pages,
			 gfn_t gfn_limit, const struct kvm_userspace_memory_region2 *mem,
			 struct vmmu_memslot **old)
{
	unsigned long npages = mem->memory_size >> PAGE_SHIFT;
	gfn_t base = gpa_to_gfn(mem->guest_phys_addr);
	struct vmmu_memslot *slot = vmmu_slots_by_id(slots, vmmu_slot_id(mem->slot));
	int change;

	*old = slot;
	if (!npages)
		return slot ? VMMU_REGION_DELETE : -EINVAL;

	if (!slot) {
		if (total_pages + npages < total_pages)
			return -EINVAL;
		change = VMMU_REGION_CREATE;
	} else {
		if (mem->userspace_addr != slot->hva || npages != slot->npages ||
		    ((mem->flags ^ slot->flags) & KVM_MEM_READONLY))
			return -EINVAL;
		if (base == slot->base_gfn)
			return mem->flags == slot->flags ? VMMU_REGION_NONE : VMMU_REGION_FLAGS;
		change = VMMU_REGION_MOVE;
	}
	if (region_overlaps(slots, slot, base, npages))
		return -EEXIST;
	if (base + npages > gfn_limit)
		return -EINVAL;
	return change;
}

/* The largest level whose pages can lie alike in the guest and in the process. */
u8 vmmu_region_max_level(gfn_t base_gfn, unsigned long hva)
{
	u64 differ = base_gfn ^ (hva >> PAGE_SHIFT);
	int level = VMMU_LEVEL_1G;

	while (level > VMMU_LEVEL_4K && differ & (VMMU_PAGES_PER_LEVEL(level) - 1))
		level--;
	return level;
}

/* The slot that @mem describes; takes over what it can of @old, which stays as it is. */
static struct vmmu_memslot *region_new_slot(struct vmmu_vm *vm, const struct region_edit *edit,
					    const struct kvm_userspace_memory_region2 *mem)
{
	const struct vmmu_memslot *old = edit->old;
	struct vmmu_memslot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);

	if (!slot)
		return NULL;
	slot->base_gfn = gpa_to_gfn(mem->guest_phys_addr);
	slot->npages = mem->memory_size >> PAGE_SHIFT;
	slot->hva = mem->userspace_addr;
	slot->flags = mem->flags;
	slot->id = vmmu_slot_id(mem->slot);
	slot->max_level = vmmu_region_max_level(slot->base_gfn, slot->hva);
	/* A moved slot has other gfns: its reverse maps begin anew. */
	if (edit->change == VMMU_REGION_FLAGS)
		slot->rmap = old->rmap;
	else if (vm->mem.ops->alloc(vm, slot))
		goto fail;
	if (!(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return slot;
	if (old && old->dirty_bitmap) {
		slot->dirty_bitmap = old->dirty_bitmap;
		return slot;
	}
	if (!vmmu_dirty_alloc(slot, vm->mem.manual_protect & KVM_DIRTY_LOG_INITIALLY_SET))
		return slot;
	if (edit->change != VMMU_REGION_FLAGS)
		vm->mem.ops->free(slot);
fail:
	kfree(slot);
	return NULL;
}

/* Free what the change was given and has not handed on. */
static void region_edit_free(struct vmmu_vm *vm, struct region_edit *edit)
{
	struct vmmu_memslot *new = edit->new;

	if (new && new->dirty_bitmap && !(edit->old && edit->old->dirty_bitmap))
		kvfree(new->dirty_bitmap);
	if (new && edit->change != VMMU_REGION_FLAGS)
		vm->mem.ops->free(new);
	kfree(new);
	kfree(edit->hidden);
	kvfree(edit->interim);
	kvfree(edit->final);
}

/* Allocate all of it; @edit->change and ->old are set. 0 or -ENOMEM and nothing kept. */
static int region_edit_alloc(struct vmmu_vm *vm, struct region_edit *edit,
			     const struct kvm_userspace_memory_region2 *mem)
{
	unsigned int nr = vmmu_slots_locked(vm)->nr;
	bool goes = edit->change == VMMU_REGION_DELETE || edit->change == VMMU_REGION_MOVE;
	bool comes = edit->change != VMMU_REGION_DELETE;

	edit->final = vmmu_slots_alloc(nr - !!edit->old + comes);
	if (!edit->final)
		goto fail;
	if (comes) {
		edit->new = region_new_slot(vm, edit, mem);
		if (!edit->new)
			goto fail;
	}
	if (goes) {
		edit->interim = vmmu_slots_alloc(nr);
		edit->hidden = kmemdup(edit->old, sizeof(*edit->old), GFP_KERNEL_ACCOUNT);
		if (!edit->interim || !edit->hidden)
			goto fail;
		edit->hidden->invalid = true;
	}
	return 0;
fail:
	region_edit_free(vm, edit);
	return -ENOMEM;
}

/* Publish @slots, which is the map now without @drop and with @add. */
static void region_switch(struct vmmu_vm *vm, struct vmmu_memslots *slots,
			  const struct vmmu_memslot *drop, struct vmmu_memslot *add)
{
	const struct vmmu_memslot *s = add ?: drop;

	vmmu_slots_fill(slots, vmmu_slots_locked(vm), drop, add);
	trace_vmmu_memslot(s->id, s->base_gfn, add ? s->npages : 0, s->hva, s->flags,
			   slots->generation);
	vmmu_slots_publish(vm, slots);
}

static void region_create(struct vmmu_vm *vm, struct region_edit *edit)
{
	region_switch(vm, edit->final, NULL, edit->new);
	vm->mem.total_pages += edit->new->npages;
}

/* Delete, or move when there is a new one. */
static void region_replace(struct vmmu_vm *vm, struct region_edit *edit)
{
	struct vmmu_memslot *hidden = edit->hidden;

	region_switch(vm, edit->interim, edit->old, hidden);
	/* No reader has the valid slot any more; what it had, the clone has. */
	kfree(edit->old);
	vm->mem.ops->zap(vm, hidden);
	region_switch(vm, edit->final, hidden, edit->new);

	if (!edit->new)
		vm->mem.total_pages -= hidden->npages;
	if (!edit->new || edit->new->dirty_bitmap != hidden->dirty_bitmap)
		kvfree(hidden->dirty_bitmap);
	vm->mem.ops->free(hidden);
	kfree(hidden);
}

/*
 * Only logging can change. Whoever mapped or wrote through the old slot has
 * finished when publishing returns, so flags_changed() sees all of its SPTEs
 * and no bit is set in a bitmap that has gone.
 */
static void region_reflag(struct vmmu_vm *vm, struct region_edit *edit)
{
	struct vmmu_memslot *old = edit->old;

	region_switch(vm, edit->final, old, edit->new);
	vm->mem.ops->flags_changed(vm, old, edit->new);
	if (old->dirty_bitmap != edit->new->dirty_bitmap)
		kvfree(old->dirty_bitmap);
	kfree(old);
}

/**
 * vmmu_set_memory_region() - create, delete, move or re-flag a slot
 * @vm: the VM
 * @mem: from user space; memory_size 0 deletes
 *
 * Takes vm->mem.lock; the caller does not hold vm->srcu and is of the VM's mm. Sleeps.
 *
 * Return: 0; -EINVAL, -EEXIST (overlap), -ENOMEM: nothing has changed.
 */
int vmmu_set_memory_region(struct vmmu_vm *vm, const struct kvm_userspace_memory_region2 *mem)
{
	gfn_t gfn_limit = BIT_ULL(boot_cpu_data.x86_phys_bits - PAGE_SHIFT);
	struct region_edit edit = {};
	int ret;

	ret = vmmu_region_check(mem);
	if (ret)
		return ret;

	guard(mutex)(&vm->mem.lock);
	ret = vmmu_region_classify(vmmu_slots_locked(vm), vm->mem.total_pages, gfn_limit, mem,
				   &edit.old);
	if (ret <= VMMU_REGION_NONE)
		return ret;
	edit.change = ret;
	ret = region_edit_alloc(vm, &edit, mem);
	if (ret)
		return ret;

	switch (edit.change) {
	case VMMU_REGION_CREATE:
		region_create(vm, &edit);
		break;
	case VMMU_REGION_DELETE:
	case VMMU_REGION_MOVE:
		region_replace(vm, &edit);
		break;
	case VMMU_REGION_FLAGS:
		region_reflag(vm, &edit);
		break;
	case VMMU_REGION_NONE:
		break;
	}
	return 0;
}
