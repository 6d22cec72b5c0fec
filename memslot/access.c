// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory read and written by the host, through the process's mapping.
 *
 * Contract: 0 or -EFAULT. A read-only slot refuses writes, an invalid slot
 * refuses everything. A page is marked dirty after its bytes have been
 * written, never before: whoever reads the log in between must find the page
 * in the next one.
 *
 * vm->srcu held; current->mm is the VM's (or kthread_use_mm() made it so).
 * Everything sleeps on the host's page faults, but for what is called atomic.
 */
#include <linux/minmax.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>
#include "slots.h"
#include "vmmu/vm.h"

/* The slot of @gfn if it may be read, or written when @write. */
static struct vmmu_memslot *usable_slot(struct vmmu_vm *vm, gfn_t gfn, bool write)
{
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(vm, gfn);

	if (!slot || slot->invalid || (write && slot->flags & KVM_MEM_READONLY))
		return NULL;
	return slot;
}

static void __user *slot_ptr(const struct vmmu_memslot *slot, gpa_t gpa)
{
	return (void __user *)(vmmu_slot_hva(slot, gpa_to_gfn(gpa)) + offset_in_page(gpa));
}

/**
 * vmmu_gfn_to_hva() - where the process has @gfn
 * @vm: the VM
 * @gfn: guest frame, in the slot
 * @write: it will be written
 *
 * vm->srcu held. Return: the address, or VMMU_ERROR_HVA when there is no slot, when it is
 * invalid, or when it is read-only and @write.
 */
unsigned long vmmu_gfn_to_hva(struct vmmu_vm *vm, gfn_t gfn, bool write)
{
	struct vmmu_memslot *slot = usable_slot(vm, gfn, write);

	return slot ? vmmu_slot_hva(slot, gfn) : VMMU_ERROR_HVA;
}

/*
 * Bytes that were not copied. 1, 2, 4 and 8 bytes are one access, as a processor's would be:
 * what another vCPU's page walk reads meanwhile is the old entry or the new one.
 */
static unsigned long load(void *to, const void __user *from, unsigned long n)
{
	u64 val8;
	u32 val4;
	u16 val2;
	u8 val1;

	switch (n) {
	case 8:
		if (get_user(val8, (const u64 __user *)from))
			return n;
		put_unaligned(val8, (u64 *)to);
		return 0;
	case 4:
		if (get_user(val4, (const u32 __user *)from))
			return n;
		put_unaligned(val4, (u32 *)to);
		return 0;
	case 2:
		if (get_user(val2, (const u16 __user *)from))
			return n;
		put_unaligned(val2, (u16 *)to);
		return 0;
	case 1:
		if (get_user(val1, (const u8 __user *)from))
			return n;
		*(u8 *)to = val1;
		return 0;
	default:
		return copy_from_user(to, from, n);
	}
}

static unsigned long store(void __user *to, const void *from, unsigned long n)
{
	switch (n) {
	case 8:
		return put_user(get_unaligned((const u64 *)from), (u64 __user *)to) ? n : 0;
	case 4:
		return put_user(get_unaligned((const u32 *)from), (u32 __user *)to) ? n : 0;
	case 2:
		return put_user(get_unaligned((const u16 *)from), (u16 __user *)to) ? n : 0;
	case 1:
		return put_user(*(const u8 *)from, (u8 __user *)to) ? n : 0;
	default:
		return copy_to_user(to, from, n);
	}
}

/**
 * vmmu_read_guest() - copy from guest-physical memory; may cross pages and slots
 * @vm: the VM
 * @gpa: guest-physical address
 * @data: kernel memory
 * @len: bytes
 *
 * Return: 0, or -EFAULT with @data undefined.
 */
int vmmu_read_guest(struct vmmu_vm *vm, gpa_t gpa, void *data, unsigned long len)
{
	while (len) {
		unsigned long n = min(len, PAGE_SIZE - offset_in_page(gpa));
		struct vmmu_memslot *slot = usable_slot(vm, gpa_to_gfn(gpa), false);

		if (!slot || load(data, slot_ptr(slot, gpa), n))
			return -EFAULT;
		data += n;
		gpa += n;
		len -= n;
	}
	return 0;
}

/**
 * vmmu_write_guest() - copy to guest-physical memory; may cross pages and slots
 * @vm: the VM
 * @gpa: guest-physical address
 * @data: kernel memory
 * @len: bytes
 *
 * Return: 0, or -EFAULT; whole pages before the one that failed have been written then.
 */
int vmmu_write_guest(struct vmmu_vm *vm, gpa_t gpa, const void *data, unsigned long len)
{
	while (len) {
		unsigned long n = min(len, PAGE_SIZE - offset_in_page(gpa));
		struct vmmu_memslot *slot = usable_slot(vm, gpa_to_gfn(gpa), true);
		unsigned long left;

		if (!slot)
			return -EFAULT;
		left = store(slot_ptr(slot, gpa), data, n);
		if (left < n)
			vmmu_mark_page_dirty(slot, gpa_to_gfn(gpa));
		if (left)
			return -EFAULT;
		data += n;
		gpa += n;
		len -= n;
	}
	return 0;
}

/**
 * vmmu_read_guest_atomic() - copy from one page, if that needs no sleep and no host fault
 * @vm: the VM
 * @gpa: guest-physical address
 * @data: kernel memory
 * @len: bytes
 *
 * Return: 0, or -EFAULT (also when [@gpa, @gpa + @len) is not within one page).
 */
int vmmu_read_guest_atomic(struct vmmu_vm *vm, gpa_t gpa, void *data, unsigned long len)
{
	struct vmmu_memslot *slot = usable_slot(vm, gpa_to_gfn(gpa), false);

	if (!slot || len > PAGE_SIZE - offset_in_page(gpa))
		return -EFAULT;
	return copy_from_user_nofault(data, slot_ptr(slot, gpa), len) ? -EFAULT : 0;
}

/**
 * vmmu_read_guest_words() - as vmmu_read_guest_atomic(), for a few aligned words
 * @vm: the VM
 * @gpa: guest-physical address
 * @words: kernel memory
 * @n: how many words of 8 bytes, each read at once
 *
 * Cheaper, because nothing depends on the length. Return: 0, or -EFAULT with @words undefined.
 */
int vmmu_read_guest_words(struct vmmu_vm *vm, gpa_t gpa, u64 *words, unsigned int n)
{
	struct vmmu_memslot *slot = usable_slot(vm, gpa_to_gfn(gpa), false);
	const u64 __user *from;

	if (!slot || n * sizeof(u64) > PAGE_SIZE - offset_in_page(gpa))
		return -EFAULT;
	from = slot_ptr(slot, gpa);
	pagefault_disable();
	if (!user_access_begin(from, n * sizeof(u64)))
		goto no_access;
	for (unsigned int i = 0; i < n; i++)
		unsafe_get_user(words[i], from + i, fault);
	user_access_end();
	pagefault_enable();
	return 0;
fault:
	user_access_end();
no_access:
	pagefault_enable();
	return -EFAULT;
}

#define cmpxchg_user_as(type, ptr, old, new)						\
({											\
	__label__ fault;								\
	__try_cmpxchg_user((type __user *)(ptr), (type *)(old), *(const type *)(new),	\
			   fault);							\
})

/**
 * vmmu_cmpxchg_guest() - compare and swap in guest memory
 * @vm: the VM
 * @gpa: guest-physical address
 * @old: what should stand there; what did stand there when it differed
 * @new: what to put there
 * @bytes: 1, 2, 4 or 8; @gpa naturally aligned
 *
 * A full barrier when it succeeds. Return: 0, 1 (differed) or -EFAULT.
 */
int vmmu_cmpxchg_guest(struct vmmu_vm *vm, gpa_t gpa, void *old, const void *new,
		       unsigned int bytes)
{
	struct vmmu_memslot *slot = usable_slot(vm, gpa_to_gfn(gpa), true);
	void __user *ptr;
	int ret;

	if (!slot || !bytes || gpa & (bytes - 1))
		return -EFAULT;
	ptr = slot_ptr(slot, gpa);
	if (!access_ok(ptr, bytes))
		return -EFAULT;
	switch (bytes) {
	case 1:
		ret = cmpxchg_user_as(u8, ptr, old, new);
		break;
	case 2:
		ret = cmpxchg_user_as(u16, ptr, old, new);
		break;
	case 4:
		ret = cmpxchg_user_as(u32, ptr, old, new);
		break;
	case 8:
		ret = cmpxchg_user_as(u64, ptr, old, new);
		break;
	default:
		return -EFAULT;
	}
	if (!ret)
		vmmu_mark_page_dirty(slot, gpa_to_gfn(gpa));
	return ret;
}

/**
 * vmmu_gpa_cache_init() - look [@gpa, @gpa + @len) up once
 * @vm: the VM
 * @c: the caller's, used by one thread at a time
 * @gpa: guest-physical address
 * @len: bytes
 *
 * vm->srcu held. Return: 0; -EINVAL for an empty or wrapping range; -EFAULT when some of it
 * has no slot. A cache whose initialisation failed is refreshed by its next use.
 */
int vmmu_gpa_cache_init(struct vmmu_vm *vm, struct vmmu_gpa_cache *c, gpa_t gpa,
			unsigned long len)
{
	struct vmmu_memslots *slots = vmmu_memslots(vm);
	gfn_t gfn = gpa_to_gfn(gpa), last = gpa_to_gfn(gpa + len - 1);
	struct vmmu_memslot *slot, *first = NULL;

	c->generation = 0;
	c->gpa = gpa;
	c->len = len;
	c->hva = VMMU_ERROR_HVA;
	c->slot = NULL;
	if (!len || gpa + len - 1 < gpa)
		return -EINVAL;

	while (gfn <= last) {
		slot = vmmu_slots_find(slots, gfn);
		if (!slot || slot->invalid)
			return -EFAULT;
		if (!first)
			first = slot;
		gfn = slot->base_gfn + slot->npages;
	}
	if (slot == first) {
		c->slot = slot;
		c->hva = vmmu_slot_hva(slot, gpa_to_gfn(gpa)) + offset_in_page(gpa);
	}
	c->generation = slots->generation;
	return 0;
}

/* Is [offset, offset + len) inside, and is the cache of this generation? Look up again if not. */
static int cache_ready(struct vmmu_vm *vm, struct vmmu_gpa_cache *c, unsigned int offset,
		       unsigned long len)
{
	if (offset > c->len || len > c->len - offset)
		return -EINVAL;
	if (c->generation == vmmu_memslots(vm)->generation)
		return 0;
	return vmmu_gpa_cache_init(vm, c, c->gpa, c->len);
}

/**
 * vmmu_write_guest_cached() - write at @offset into a range looked up before
 * @vm: the VM
 * @c: the cache
 * @offset: in the range, bytes
 * @data: kernel memory
 * @len: bytes
 *
 * vm->srcu held. Marks dirty. Return: 0; -EINVAL outside the range; -EFAULT.
 */
int vmmu_write_guest_cached(struct vmmu_vm *vm, struct vmmu_gpa_cache *c, unsigned int offset,
			    const void *data, unsigned long len)
{
	int ret = cache_ready(vm, c, offset, len);
	gpa_t gpa = c->gpa + offset;
	gfn_t gfn;

	if (ret || !len)
		return ret;
	if (!c->slot)
		return vmmu_write_guest(vm, gpa, data, len);
	if (c->slot->flags & KVM_MEM_READONLY)
		return -EFAULT;
	if (store((void __user *)(c->hva + offset), data, len))
		ret = -EFAULT;
	/* Also after a fault: some of it may have been written. */
	for (gfn = gpa_to_gfn(gpa); gfn <= gpa_to_gfn(gpa + len - 1); gfn++)
		vmmu_mark_page_dirty(c->slot, gfn);
	return ret;
}

/**
 * vmmu_read_guest_cached() - read at @offset from a range looked up before
 * @vm: the VM
 * @c: the cache
 * @offset: in the range, bytes
 * @data: kernel memory
 * @len: bytes
 *
 * vm->srcu held. Return: 0; -EINVAL outside the range; -EFAULT.
 */
int vmmu_read_guest_cached(struct vmmu_vm *vm, struct vmmu_gpa_cache *c, unsigned int offset,
			   void *data, unsigned long len)
{
	int ret = cache_ready(vm, c, offset, len);

	if (ret || !len)
		return ret;
	if (!c->slot)
		return vmmu_read_guest(vm, c->gpa + offset, data, len);
	return load(data, (void __user *)(c->hva + offset), len) ? -EFAULT : 0;
}
