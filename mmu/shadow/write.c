// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes to shadowed tables that we see: the emulator's.
 *
 * A table above the last level, or one that the guest uses at several levels, stays
 * write-protected, and the guest's writes to it are emulated. Each takes away our
 * entries that were made from the old word. A page that is written again and again
 * without a fault ever coming its way is most likely no table any more: it is let
 * go, and its memory is free to write.
 */
#include "shadow.h"
#include "vmmu/vm.h"

/* So many emulated writes in a row, and the page is let go. */
#define WRITES_MAX	3

/* The entries of @s that stand for the guest's entry @index: [first, first + n). */
static unsigned int entries_of(const struct vmmu_shadow *s, unsigned int index,
			       unsigned int *first)
{
	union vmmu_role role = s->sp.role;

	if (role.guest != VMMU_PAGING_2LEVEL) {
		*first = index;
		return 1;
	}
	if (role.level == VMMU_LEVEL_2M)
		index *= 2;
	if (index / VMMU_SPTES_PER_PAGE != role.quadrant)
		return 0;
	*first = index % VMMU_SPTES_PER_PAGE;
	return role.level == VMMU_LEVEL_2M ? 2 : 1;
}

/* What was made of the guest's entry goes. */
static void drop_entry(struct vmmu_gather *g, struct vmmu_shadow *s, unsigned int index)
{
	unsigned int first, n = entries_of(s, index, &first);
	struct vmmu_iter it;

	for (unsigned int i = first; i < first + n; i++) {
		if (s->sp.spt[i] != VMMU_SPTE_EMPTY) {
			vmmu_shadow_iter(&it, s, i);
			vmmu_spte_zap(g, &it);
		}
		s->gptes[i] = 0;
	}
}

static void page_written(struct vmmu_gather *g, struct vmmu_shadow *s, unsigned int offset,
			 unsigned int bytes)
{
	u8 entry = vmmu_paging_format_of(s->sp.role.guest)->entry_bytes;
	unsigned int last = (offset + bytes - 1) / entry;

	/* Tables are written in whole words. */
	if (bytes < 4 || (offset & 3) || ++s->writes > WRITES_MAX) {
		vmmu_shadow_zap(g, s);
		return;
	}
	for (unsigned int index = offset / entry; index <= last; index++)
		drop_entry(g, s, index);
}

void vmmu_shadow_guest_wrote(struct vmmu_vm *vm, gpa_t gpa, unsigned int bytes)
{
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(vm, gpa_to_gfn(gpa));
	struct vmmu_shadow *s;
	struct vmmu_gather g;
	struct hlist_node *tmp;

	if (!slot)
		return;
	/* The store first; pairs with the barrier in shadow_new(), which counts and then reads. */
	smp_mb();
	if (!vmmu_rmap_is_table(slot, gpa_to_gfn(gpa)))
		return;

	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	for_each_shadow_of_safe(s, tmp, vm, gpa_to_gfn(gpa)) {
		if (!s->sp.role.direct)
			page_written(&g, s, offset_in_page(gpa), bytes);
	}
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);
}

bool vmmu_shadow_unshadow(struct vmmu_vm *vm, gfn_t gfn)
{
	struct hlist_node *tmp;
	struct vmmu_shadow *s;
	struct vmmu_gather g;
	bool any = false;

	write_lock(&vm->mmu.lock);
	vmmu_gather_begin(&g, vm);
	for_each_shadow_of_safe(s, tmp, vm, gfn) {
		if (s->sp.role.direct)
			continue;
		vmmu_shadow_zap(&g, s);
		any = true;
	}
	vmmu_gather_end(&g);
	write_unlock(&vm->mmu.lock);
	return any;
}
