// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: which pages of a slot were written since somebody asked last.
 *
 * A bit is set, atomically, after the page was written or after its SPTE has
 * become writable. The reader takes bits out a word at a time by xchg, then
 * has the pages protected, then flushes, and only then hands the bits out: a
 * write before the flush is in the page that the user is about to read, a
 * write after it faults and sets the bit again.
 *
 * Each bitmap has a buffer of its size behind it. The words go there first, so
 * that user memory is touched with no spinlock held, and so that an address
 * that faults costs no bit: they are put back.
 *
 * Locking: vm->mem.lock for the ioctls, which sleep. vmmu_mark_page_dirty()
 * needs vm->srcu for the slot, and may be called anywhere.
 */
#include <linux/cleanup.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "slots.h"
#include "vmmu/vm.h"

/* One word of the log: what vmmu_memslot_ops.write_protect takes at once. */
static_assert(BITS_PER_LONG == 64);

/* Words between two looks at whether somebody else should run. */
#define DIRTY_RESCHED	1024

static unsigned long dirty_words(const struct vmmu_memslot *slot)
{
	return BITS_TO_LONGS(slot->npages);
}

static unsigned long *dirty_buffer(const struct vmmu_memslot *slot)
{
	return slot->dirty_bitmap + dirty_words(slot);
}

/**
 * vmmu_dirty_alloc() - give a slot that nobody sees yet its bitmap
 * @slot: the slot
 * @all_dirty: begin with every page dirty (KVM_DIRTY_LOG_INITIALLY_SET)
 *
 * Sleeps. Return: 0 or -ENOMEM.
 */
int vmmu_dirty_alloc(struct vmmu_memslot *slot, bool all_dirty)
{
	slot->dirty_bitmap = kvcalloc(2 * dirty_words(slot), sizeof(unsigned long),
				      GFP_KERNEL_ACCOUNT);
	if (!slot->dirty_bitmap)
		return -ENOMEM;
	if (all_dirty)
		bitmap_set(slot->dirty_bitmap, 0, slot->npages);
	return 0;
}

/**
 * vmmu_mark_page_dirty() - @gfn of @slot was written, or is about to be
 * @slot: the slot
 * @gfn: guest frame, in the slot
 *
 * vm->srcu held. A full barrier where the slot is logged (pairs with the xchg in
 * dirty_harvest()), so a write before it is visible to whoever finds the bit. Any context.
 */
void vmmu_mark_page_dirty(struct vmmu_memslot *slot, gfn_t gfn)
{
	if (slot->dirty_bitmap)
		set_bit(gfn - slot->base_gfn, slot->dirty_bitmap);
}

/* The logged slot that the ioctl means; vm->mem.lock held. */
static struct vmmu_memslot *logged_slot(struct vmmu_vm *vm, u32 id)
{
	struct vmmu_memslot *slot;

	if (!vmmu_slot_id_valid(id))
		return ERR_PTR(-EINVAL);
	slot = vmmu_slots_by_id(vmmu_slots_locked(vm), vmmu_slot_id(id));
	if (!slot || !slot->dirty_bitmap)
		return ERR_PTR(-ENOENT);
	return slot;
}

static bool protect_word(struct vmmu_vm *vm, struct vmmu_memslot *slot, unsigned long word,
			 unsigned long mask)
{
	return vm->mem.ops->write_protect(vm, slot, slot->base_gfn + word * BITS_PER_LONG, mask);
}

/* Copy the bits, leave them set; CLEAR_DIRTY_LOG takes them. */
static void dirty_peek(const struct vmmu_memslot *slot)
{
	unsigned long *buffer = dirty_buffer(slot), i;

	for (i = 0; i < dirty_words(slot); i++) {
		buffer[i] = READ_ONCE(slot->dirty_bitmap[i]);
		if (i % DIRTY_RESCHED == 0)
			cond_resched();
	}
}

/* Take the bits into the buffer, and protect their pages. */
static void dirty_harvest(struct vmmu_vm *vm, struct vmmu_memslot *slot)
{
	unsigned long *buffer = dirty_buffer(slot), i;
	bool flush = false;

	for (i = 0; i < dirty_words(slot); i++) {
		buffer[i] = 0;
		if (i % DIRTY_RESCHED == 0)
			cond_resched();
		if (!READ_ONCE(slot->dirty_bitmap[i]))
			continue;
		/* Pairs with set_bit() in vmmu_mark_page_dirty(). */
		buffer[i] = xchg(&slot->dirty_bitmap[i], 0);
		flush |= protect_word(vm, slot, i, buffer[i]);
		cond_resched();
	}
	if (flush)
		vm->mem.ops->flush(vm, slot);
}

/* User space got nothing: what was taken is dirty still. */
static void dirty_put_back(struct vmmu_memslot *slot)
{
	unsigned long *buffer = dirty_buffer(slot), i;

	for (i = 0; i < dirty_words(slot); i++) {
		if (buffer[i])
			atomic_long_or(buffer[i], (atomic_long_t *)&slot->dirty_bitmap[i]);
	}
}

/**
 * vmmu_get_dirty_log() - KVM_GET_DIRTY_LOG
 * @vm: the VM
 * @log: as user space gave it; dirty_bitmap is a user pointer
 *
 * Copies the bitmap out. The bits are taken and the pages protected, unless user space
 * chose to do that itself (MANUAL_DIRTY_LOG_PROTECT2). Takes vm->mem.lock; sleeps.
 *
 * Return: 0; -EINVAL no such id; -ENOENT no slot, or not logged; -EFAULT: no bit is lost.
 */
int vmmu_get_dirty_log(struct vmmu_vm *vm, const struct kvm_dirty_log *log)
{
	struct vmmu_memslot *slot;
	bool take;

	guard(mutex)(&vm->mem.lock);
	slot = logged_slot(vm, log->slot);
	if (IS_ERR(slot))
		return PTR_ERR(slot);

	take = !vm->mem.manual_protect;
	if (take)
		dirty_harvest(vm, slot);
	else
		dirty_peek(slot);
	if (!copy_to_user(log->dirty_bitmap, dirty_buffer(slot),
			  dirty_words(slot) * sizeof(unsigned long)))
		return 0;
	if (take)
		dirty_put_back(slot);
	return -EFAULT;
}

/* Pages in whole words, but for the end of the slot. */
static bool clear_range_valid(const struct vmmu_memslot *slot,
			      const struct kvm_clear_dirty_log *log)
{
	unsigned long rest;

	if (log->first_page > slot->npages)
		return false;
	rest = slot->npages - log->first_page;
	return log->num_pages == rest ||
	       (log->num_pages < rest && IS_ALIGNED(log->num_pages, BITS_PER_LONG));
}

/**
 * vmmu_clear_dirty_log() - KVM_CLEAR_DIRTY_LOG
 * @vm: the VM
 * @log: as user space gave it; dirty_bitmap is a user pointer
 *
 * Takes the bits that user space names out of the log and protects their pages. Takes
 * vm->mem.lock; sleeps.
 *
 * Return: 0; -EINVAL no such id, or a range that is not in whole words or not in the slot;
 * -ENOENT no slot, or not logged; -EFAULT: nothing has changed.
 */
int vmmu_clear_dirty_log(struct vmmu_vm *vm, const struct kvm_clear_dirty_log *log)
{
	unsigned long words = BITS_TO_LONGS(log->num_pages), first, i;
	struct vmmu_memslot *slot;
	unsigned long *buffer;
	bool flush = false;

	guard(mutex)(&vm->mem.lock);
	slot = logged_slot(vm, log->slot);
	if (PTR_ERR_OR_ZERO(slot) == -EINVAL || !IS_ALIGNED(log->first_page, BITS_PER_LONG))
		return -EINVAL;
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	if (!clear_range_valid(slot, log))
		return -EINVAL;
	buffer = dirty_buffer(slot);
	if (copy_from_user(buffer, log->dirty_bitmap, words * sizeof(unsigned long)))
		return -EFAULT;

	first = log->first_page / BITS_PER_LONG;
	for (i = 0; i < words; i++) {
		atomic_long_t *word = (atomic_long_t *)&slot->dirty_bitmap[first + i];
		unsigned long mask = buffer[i];

		cond_resched();
		if (!mask)
			continue;
		/* Pairs with set_bit() in vmmu_mark_page_dirty(). */
		mask &= atomic_long_fetch_andnot(mask, word);
		if (mask)
			flush |= protect_word(vm, slot, first + i, mask);
	}
	if (flush)
		vm->mem.ops->flush(vm, slot);
	return 0;
}
