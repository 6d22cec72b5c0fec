// SPDX-License-Identifier: GPL-2.0-only
/*
 * The APIC map: which LAPICs a destination names.
 *
 * A VM has at most 64 LAPICs, each with a slot, so a set of them is one u64.
 * The map turns a physical id, a bit of a flat logical destination, a bit of a
 * cluster, each into such a set; a lookup is a few ORs. Two LAPICs with one id,
 * or LAPICs in different modes, are only more bits in a set: there is no
 * configuration that the map cannot hold.
 *
 * Maps are immutable and replaced whole, under apic_map_lock, when a LAPIC's
 * mode, id, LDR or DFR changes. The writer of a register writes first and then
 * takes the lock to rebuild, so the last rebuild has seen every write. Readers
 * hold RCU and nothing else, in any context. When there is no memory for a map,
 * the pointer is NULL and readers ask vmmu_apic_match() of each LAPIC.
 *
 * Destinations: Intel SDM vol. 3, 11.6.2 and 11.12.10; AMD APM vol. 2, 16.6.1.
 */
#include <linux/slab.h>

#include "apic_map.h"

static_assert(VMMU_MAX_VCPUS <= VMMU_MAX_LAPICS);
static_assert(VMMU_MAX_LAPICS <= 64);

void vmmu_apic_view(const struct vmmu_lapic *apic, struct vmmu_apic_view *view)
{
	view->enabled = lapic_hw_enabled(apic);
	view->x2apic = lapic_x2apic(apic);
	view->cluster = lapic_get(apic, APIC_DFR) >> 28 != 0xf;
	view->xapic_id = lapic_get(apic, APIC_ID) >> 24;
	view->xapic_ldr = lapic_get(apic, APIC_LDR) >> 24;
	view->x2apic_id = apic->vcpu->id;
}

static bool match_x2apic(const struct vmmu_apic_view *view, const struct vmmu_apic_msg *msg,
			 bool msi_broadcast)
{
	u32 ldr = lapic_x2apic_ldr(view->x2apic_id);

	if (msg->dest == X2APIC_BROADCAST)
		return true;
	if (msg->dest == XAPIC_BROADCAST && msg->msi && msi_broadcast)
		return true;
	if (!msg->logical)
		return msg->dest == view->x2apic_id;
	return msg->dest >> 16 == ldr >> 16 && (msg->dest & ldr & 0xffff);
}

static bool match_xapic(const struct vmmu_apic_view *view, const struct vmmu_apic_msg *msg)
{
	if (msg->dest == XAPIC_BROADCAST)
		return true;
	/* Ids above 255 cannot be named in xAPIC mode; accept what means the vCPU. */
	if (msg->dest > 0xff)
		return !msg->logical && msg->dest == view->x2apic_id;
	if (!msg->logical)
		return msg->dest == view->xapic_id;
	if (!view->cluster)
		return msg->dest & view->xapic_ldr;
	return msg->dest >> 4 == view->xapic_ldr >> 4 && (msg->dest & view->xapic_ldr & 0xf);
}

/**
 * vmmu_apic_match() - is this LAPIC among the destinations of a message?
 * @view: the LAPIC
 * @msg: the message
 * @msi_broadcast: an MSI to 0xff goes to x2APICs too (KVM's default)
 */
bool vmmu_apic_match(const struct vmmu_apic_view *view, const struct vmmu_apic_msg *msg,
		     bool msi_broadcast)
{
	if (!view->enabled)
		return false;
	return view->x2apic ? match_x2apic(view, msg, msi_broadcast) : match_xapic(view, msg);
}

struct vmmu_apic_map *vmmu_apic_map_alloc(u32 max_id)
{
	/* xAPIC ids have 8 bits and may be anything. */
	u32 nr = max(max_id, 0xffU) + 1;
	struct vmmu_apic_map *map;

	map = kvzalloc(struct_size(map, phys, nr), GFP_KERNEL_ACCOUNT);
	if (map)
		map->nr_phys = nr;
	return map;
}

static void add_xapic(struct vmmu_apic_map *map, u64 bit, const struct vmmu_apic_view *view)
{
	u64 *logical = view->cluster ? map->cluster[view->xapic_ldr >> 4] : map->flat;
	unsigned long bits = view->cluster ? view->xapic_ldr & 0xf : view->xapic_ldr;
	unsigned int i;

	map->xapic_all |= bit;
	map->phys[view->xapic_id] |= bit;
	if (view->x2apic_id > 0xff)
		map->phys[view->x2apic_id] |= bit;
	for_each_set_bit(i, &bits, 8)
		logical[i] |= bit;
}

/* @view's ids must be below what the map was allocated for. */
void vmmu_apic_map_add(struct vmmu_apic_map *map, unsigned int slot,
		       const struct vmmu_apic_view *view)
{
	if (!view->enabled)
		return;
	if (!view->x2apic) {
		add_xapic(map, BIT_ULL(slot), view);
		return;
	}
	map->x2apic_all |= BIT_ULL(slot);
	map->phys[view->x2apic_id] |= BIT_ULL(slot);
}

static u64 lookup_phys(const struct vmmu_apic_map *map, u32 dest)
{
	return dest < map->nr_phys ? map->phys[dest] : 0;
}

static u64 lookup_logical(const struct vmmu_apic_map *map, u32 dest)
{
	unsigned long bits = dest & 0xffff;
	u64 mask = 0;
	unsigned int i;

	/* x2APIC: bit i of cluster c is the id c * 16 + i. */
	for_each_set_bit(i, &bits, 16)
		mask |= lookup_phys(map, (dest >> 16) * 16 + i);
	mask &= map->x2apic_all;
	if (dest > 0xff)
		return mask;
	for_each_set_bit(i, &bits, 8)
		mask |= map->flat[i];
	bits &= 0xf;
	for_each_set_bit(i, &bits, 4)
		mask |= map->cluster[dest >> 4][i];
	return mask;
}

/**
 * vmmu_apic_map_lookup() - all LAPICs that vmmu_apic_match() would say yes for
 * @map: under RCU, not NULL
 * @msg: the message
 * @msi_broadcast: as for vmmu_apic_match()
 *
 * Return: a mask of slots.
 */
u64 vmmu_apic_map_lookup(const struct vmmu_apic_map *map, const struct vmmu_apic_msg *msg,
			 bool msi_broadcast)
{
	u64 mask;

	if (msg->dest == X2APIC_BROADCAST)
		return map->x2apic_all;
	mask = msg->logical ? lookup_logical(map, msg->dest) : lookup_phys(map, msg->dest);
	if (msg->dest == XAPIC_BROADCAST) {
		mask |= map->xapic_all;
		if (msg->msi && msi_broadcast)
			mask |= map->x2apic_all;
	}
	return mask;
}

static struct vmmu_lapic *lapic_at(struct vmmu_vm *vm, unsigned int slot)
{
	return rcu_dereference_protected(vm->irq.lapics[slot],
					 lockdep_is_held(&vm->irq.apic_map_lock));
}

static struct vmmu_apic_map *build_map(struct vmmu_vm *vm)
{
	struct vmmu_apic_view view;
	struct vmmu_apic_map *map;
	struct vmmu_lapic *apic;
	unsigned int i;
	u32 max_id = 0;

	for (i = 0; i < VMMU_MAX_LAPICS; i++) {
		apic = lapic_at(vm, i);
		if (apic)
			max_id = max(max_id, apic->vcpu->id);
	}
	map = vmmu_apic_map_alloc(max_id);
	if (!map)
		return NULL;
	for (i = 0; i < VMMU_MAX_LAPICS; i++) {
		apic = lapic_at(vm, i);
		if (!apic)
			continue;
		vmmu_apic_view(apic, &view);
		vmmu_apic_map_add(map, i, &view);
	}
	return map;
}

static void publish_map(struct vmmu_vm *vm, struct vmmu_apic_map *map)
{
	struct vmmu_apic_map *old;

	old = rcu_replace_pointer(vm->irq.apic_map, map,
				  lockdep_is_held(&vm->irq.apic_map_lock));
	if (old)
		kvfree_rcu(old, rcu);
}

/* Without users nobody sends any more: vCPUs go one by one and need no new maps. */
static bool dying(struct vmmu_vm *vm)
{
	return !refcount_read(&vm->users);
}

static void update_locked(struct vmmu_vm *vm)
{
	lockdep_assert_held(&vm->irq.apic_map_lock);
	publish_map(vm, dying(vm) ? NULL : build_map(vm));
}

void vmmu_apic_map_update(struct vmmu_vm *vm)
{
	guard(mutex)(&vm->irq.apic_map_lock);
	update_locked(vm);
}

/* Give @apic a slot; messages reach it from now on. -EBUSY: no slot is left. */
int vmmu_apic_map_join(struct vmmu_lapic *apic)
{
	struct vmmu_vm *vm = apic->vcpu->vm;
	unsigned int i;

	guard(mutex)(&vm->irq.apic_map_lock);
	for (i = 0; i < VMMU_MAX_LAPICS; i++) {
		if (lapic_at(vm, i))
			continue;
		apic->slot = i;
		rcu_assign_pointer(vm->irq.lapics[i], apic);
		update_locked(vm);
		return 0;
	}
	return -EBUSY;
}

/* Nobody can send to @apic when this returns. */
void vmmu_apic_map_leave(struct vmmu_lapic *apic)
{
	struct vmmu_vm *vm = apic->vcpu->vm;

	scoped_guard(mutex, &vm->irq.apic_map_lock) {
		RCU_INIT_POINTER(vm->irq.lapics[apic->slot], NULL);
		update_locked(vm);
	}
	if (!dying(vm))
		synchronize_rcu();
}
