/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of memslot/ share among themselves; other rooms include
 * vmmu/memslot.h.
 */
#ifndef VMMU_MEMSLOT_SLOTS_H
#define VMMU_MEMSLOT_SLOTS_H

#include "vmmu/memslot.h"

#define VMMU_MEMSLOT_MAX_PAGES	((1UL << 31) - 1)
/* kvm_userspace_memory_region.slot: address space in the upper half, id in the lower. */
#define VMMU_SLOT_AS_SHIFT	16

/* What KVM_SET_USER_MEMORY_REGION asks for, seen from the slots that are there. */
enum vmmu_region_change {
	VMMU_REGION_NONE,
	VMMU_REGION_CREATE,
	VMMU_REGION_DELETE,
	VMMU_REGION_MOVE,
	VMMU_REGION_FLAGS,
};

/* slots.c: snapshots; no VM needed but for publish. */
struct vmmu_memslots *vmmu_slots_alloc(unsigned int nr);
void vmmu_slots_fill(struct vmmu_memslots *new, const struct vmmu_memslots *old,
		     const struct vmmu_memslot *drop, struct vmmu_memslot *add);
struct vmmu_memslot *vmmu_slots_find(struct vmmu_memslots *slots, gfn_t gfn);
struct vmmu_memslot *vmmu_slots_by_id(const struct vmmu_memslots *slots, u16 id);
struct vmmu_memslots *vmmu_slots_locked(struct vmmu_vm *vm);
void vmmu_slots_publish(struct vmmu_vm *vm, struct vmmu_memslots *new);

/* region.c: the rules, on values. */
int vmmu_region_check(const struct kvm_userspace_memory_region2 *mem);
int vmmu_region_classify(const struct vmmu_memslots *slots, unsigned long total_pages,
			 gfn_t gfn_limit, const struct kvm_userspace_memory_region2 *mem,
			 struct vmmu_memslot **old);
u8 vmmu_region_max_level(gfn_t base_gfn, unsigned long hva);

/* dirty.c */
int vmmu_dirty_alloc(struct vmmu_memslot *slot, bool all_dirty);

static inline u16 vmmu_slot_id(u32 slot)
{
	return slot & (BIT(VMMU_SLOT_AS_SHIFT) - 1);
}

/* One address space, ids from 0 to the limit: is the word @slot a legal one? */
static inline bool vmmu_slot_id_valid(u32 slot)
{
	return !(slot >> VMMU_SLOT_AS_SHIFT) && vmmu_slot_id(slot) < VMMU_MAX_MEMSLOTS;
}

#endif
