// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots of the guest-physical map.
 *
 * A snapshot is an array of references sorted by base_gfn (gfn->slot: the one
 * used last first, else a binary search, which ends at the first match because
 * slots do not overlap in gfns) and an interval tree over the same references
 * by host address (hva->slots: every one that meets a range, because two slots
 * may show the same host memory to the guest twice).
 *
 * A snapshot never changes once published. A change builds a new one beside
 * it, from memory that was allocated before anything was touched, and replaces
 * the pointer. Readers hold vm->srcu and take no lock; slots and snapshots are
 * freed after vmmu_slots_publish() has waited for them.
 *
 * Publishing sleeps; everything else here does not, allocation apart.
 */
#include <linux/slab.h>
#include "slots.h"
#include "vmmu/vm.h"

/**
 * vmmu_slots_alloc() - memory for a snapshot of @nr slots
 * @nr: how many
 *
 * Charged to the caller's memory cgroup. Sleeps. Return: NULL when there is none.
 */
struct vmmu_memslots *vmmu_slots_alloc(unsigned int nr)
{
	struct vmmu_memslots *slots;

	slots = kvzalloc(struct_size(slots, refs, nr), GFP_KERNEL_ACCOUNT);
	if (!slots)
		return NULL;
	slots->nr = nr;
	slots->hva_tree = RB_ROOT_CACHED;
	return slots;
}

static void slots_put(struct vmmu_memslots *slots, unsigned int i, struct vmmu_memslot *slot)
{
	struct vmmu_memslot_ref *ref = &slots->refs[i];

	ref->slot = slot;
	ref->hva_node.start = slot->hva;
	ref->hva_node.last = slot->hva + slot->npages * PAGE_SIZE - 1;
	interval_tree_insert(&ref->hva_node, &slots->hva_tree);
}

/**
 * vmmu_slots_fill() - make @new what @old is, without @drop, with @add
 * @new: from vmmu_slots_alloc(), for exactly as many slots as will be in it
 * @old: a snapshot; not changed
 * @drop: a slot of @old, or NULL
 * @add: a slot that overlaps none but @drop, or NULL
 *
 * Does not sleep and cannot fail.
 */
void vmmu_slots_fill(struct vmmu_memslots *new, const struct vmmu_memslots *old,
		     const struct vmmu_memslot *drop, struct vmmu_memslot *add)
{
	unsigned int i, n = 0;

	for (i = 0; i < old->nr; i++) {
		struct vmmu_memslot *slot = old->refs[i].slot;

		if (slot == drop)
			continue;
		if (add && add->base_gfn < slot->base_gfn) {
			slots_put(new, n++, add);
			add = NULL;
		}
		slots_put(new, n++, slot);
	}
	if (add)
		slots_put(new, n++, add);
	WARN_ON_ONCE(n != new->nr);
	new->generation = old->generation + 1;
}

static bool slot_has(const struct vmmu_memslot *slot, gfn_t gfn)
{
	return gfn >= slot->base_gfn && gfn - slot->base_gfn < slot->npages;
}

/**
 * vmmu_slots_find() - the slot of a guest frame
 * @slots: the snapshot, which the caller keeps alive
 * @gfn: any guest frame number
 *
 * Return: the slot, which may be invalid (being deleted or moved), or NULL.
 */
struct vmmu_memslot *vmmu_slots_find(struct vmmu_memslots *slots, gfn_t gfn)
{
	unsigned int hint = atomic_read(&slots->last_used);
	unsigned int low = 0, high = slots->nr;

	if (hint < slots->nr && slot_has(slots->refs[hint].slot, gfn))
		return slots->refs[hint].slot;

	/* The slots before @low begin at or below @gfn, those from @high on above it. */
	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		if (slots->refs[mid].slot->base_gfn <= gfn)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || !slot_has(slots->refs[low - 1].slot, gfn))
		return NULL;
	/* Racy by design: any index in range is as right as another. */
	atomic_set(&slots->last_used, low - 1);
	return slots->refs[low - 1].slot;
}

/**
 * vmmu_slots_by_id() - the slot that user space calls @id, or NULL
 * @slots: the snapshot
 * @id: user space's id
 *
 * Only ioctls ask, so this looks at each.
 */
struct vmmu_memslot *vmmu_slots_by_id(const struct vmmu_memslots *slots, u16 id)
{
	unsigned int i;

	for (i = 0; i < slots->nr; i++) {
		if (slots->refs[i].slot->id == id)
			return slots->refs[i].slot;
	}
	return NULL;
}

/* The snapshot, for those who may change it. */
struct vmmu_memslots *vmmu_slots_locked(struct vmmu_vm *vm)
{
	return rcu_dereference_protected(vm->mem.slots, lockdep_is_held(&vm->mem.lock));
}

/**
 * vmmu_memslots() - the current snapshot
 * @vm: the VM
 *
 * vm->srcu or vm->mem.lock held; the snapshot and its slots live as long as that.
 */
struct vmmu_memslots *vmmu_memslots(struct vmmu_vm *vm)
{
	return srcu_dereference_check(vm->mem.slots, &vm->srcu,
				      lockdep_is_held(&vm->mem.lock));
}

/**
 * vmmu_gfn_to_slot() - the slot of @gfn now, or NULL
 * @vm: the VM
 * @gfn: any guest frame number
 *
 * vm->srcu held. The slot may be invalid: the caller checks and retries.
 */
struct vmmu_memslot *vmmu_gfn_to_slot(struct vmmu_vm *vm, gfn_t gfn)
{
	return vmmu_slots_find(vmmu_memslots(vm), gfn);
}

/**
 * vmmu_slots_publish() - replace the snapshot and wait until nobody reads the old one
 * @vm: the VM
 * @new: complete; belongs to the VM from here on
 *
 * Frees the old snapshot, but none of its slots: whatever left the map with it is the
 * caller's to free, and no reader has it any more. vm->mem.lock held, vm->srcu not. Sleeps.
 */
void vmmu_slots_publish(struct vmmu_vm *vm, struct vmmu_memslots *new)
{
	struct vmmu_memslots *old = vmmu_slots_locked(vm);

	/*
	 * Under publish_lock an invalidation either has been counted when the new
	 * snapshot becomes visible, or will look into the new snapshot itself.
	 */
	spin_lock(&vm->mem.publish_lock);
	rcu_assign_pointer(vm->mem.slots, new);
	spin_unlock(&vm->mem.publish_lock);

	vm->mem.ops->generation(vm, new->generation);
	synchronize_srcu_expedited(&vm->srcu);
	kvfree(old);
}

/**
 * vmmu_memslots_init() - an empty map
 * @vm: the VM
 * @ops: whom to call around a change
 *
 * Before anything else of the VM can look at slots. Sleeps. Return: 0 or -ENOMEM.
 */
int vmmu_memslots_init(struct vmmu_vm *vm, const struct vmmu_memslot_ops *ops)
{
	struct vmmu_memslots *slots = vmmu_slots_alloc(0);

	if (!slots)
		return -ENOMEM;
	slots->generation = 1;
	mutex_init(&vm->mem.lock);
	spin_lock_init(&vm->mem.publish_lock);
	vm->mem.ops = ops;
	vm->mem.manual_protect = 0;
	vm->mem.total_pages = 0;
	RCU_INIT_POINTER(vm->mem.slots, slots);
	return 0;
}

/**
 * vmmu_memslots_destroy() - free every slot
 * @vm: the VM
 *
 * The last user of the VM is gone: no vCPU, no notifier, and nothing maps its memory.
 * Harmless when vmmu_memslots_init() failed or was not called.
 */
void vmmu_memslots_destroy(struct vmmu_vm *vm)
{
	struct vmmu_memslots *slots = rcu_dereference_protected(vm->mem.slots, true);
	unsigned int i;

	if (!slots)
		return;
	for (i = 0; i < slots->nr; i++) {
		struct vmmu_memslot *slot = slots->refs[i].slot;

		vm->mem.ops->free(slot);
		kvfree(slot->dirty_bitmap);
		kfree(slot);
	}
	RCU_INIT_POINTER(vm->mem.slots, NULL);
	kvfree(slots);
	mutex_destroy(&vm->mem.lock);
}
