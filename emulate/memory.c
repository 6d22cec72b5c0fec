// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's memory: linear address to RAM, or to MMIO through io.c.
 *
 * An access is cut at page boundaries. A gpa without a slot is MMIO; in a
 * read-only slot a read is RAM and a write is MMIO. Writes translate all their
 * pages before they store anything, so that a fault leaves nothing half done.
 * vm->srcu held; may sleep.
 */
#include <linux/kernel.h>
#include "emulator.h"
#include "vmmu/memslot.h"
#include "vmmu/vm.h"

static u64 privilege(const struct vmmu_emul *em, u64 access)
{
	if (em->cpl == 3 && !(access & VMMU_PFERR_IMPLICIT))
		access |= VMMU_PFERR_USER;
	return access;
}

/*
 * Hardware told the gpa of the fault and checked the access that faulted. It is
 * ours when the instruction has one operand in memory and the offset in the page
 * is the same. A read that will be written back is not covered: the fault may
 * have been the read's.
 */
static bool is_fault_gpa(const struct vmmu_emul *em, u64 linear)
{
	const struct vmmu_emul_vcpu *st = &em->vcpu->emul;

	return st->fault_gpa_valid && !em->rmw && !(em->insn.attr & OP_TWO_MEM) &&
	       offset_in_page(linear) == offset_in_page(st->fault_gpa);
}

/* Apart, because large local variables cost their initialisation. */
static noinline int walk_gva(struct vmmu_emul *em, u64 linear, u64 access, gpa_t *gpa)
{
	struct vmmu_walk walk;
	int r;

	if (!em->mode_valid) {
		vmmu_paging_mode(em->vcpu, &em->mode);
		em->mode_valid = true;
	}
	r = vmmu_gva_walk(em->vcpu, &em->mode, linear, privilege(em, access), true, &walk,
			  &em->ex);
	if (r < 0)
		return EM_UNHANDLED;
	if (r)
		return EM_FAULT;
	*gpa = walk.gpa;
	return EM_OK;
}

int em_translate(struct vmmu_emul *em, u64 linear, u64 access, gpa_t *gpa)
{
	if (!(access & VMMU_PFERR_IMPLICIT) && is_fault_gpa(em, linear)) {
		*gpa = em->vcpu->emul.fault_gpa;
		return EM_OK;
	}
	return walk_gva(em, linear, access, gpa);
}

int em_ram(struct vmmu_emul *em, gpa_t gpa, bool write)
{
	struct vmmu_memslot *slot = vmmu_gfn_to_slot(em->vcpu->vm, gpa_to_gfn(gpa));

	if (!slot)
		return EM_UNHANDLED;
	/* It is being deleted or moved: the next fault finds the new order. */
	if (slot->invalid)
		return EM_RETRY;
	if (write && (slot->flags & KVM_MEM_READONLY))
		return EM_UNHANDLED;
	return EM_OK;
}

/* To RAM; within a page. It may hold page tables. */
int em_store(struct vmmu_emul *em, gpa_t gpa, const void *data, unsigned int bytes)
{
	struct vmmu_vm *vm = em->vcpu->vm;
	int r = vmmu_write_guest(vm, gpa, data, bytes);

	if (likely(!r))
		vmmu_mmu_guest_wrote(vm, gpa, bytes);
	return r;
}

/* @bytes at @gpa, within a page. */
static int access_gpa(struct vmmu_emul *em, gpa_t gpa, void *data, unsigned int bytes, bool write,
		      bool last)
{
	struct vmmu_vm *vm = em->vcpu->vm;
	unsigned int n;
	int r;

	r = em_ram(em, gpa, write);
	if (r == EM_RETRY)
		return r;
	if (r == EM_OK)
		return write ? em_store(em, gpa, data, bytes) :
			       vmmu_read_guest(vm, gpa, data, bytes);
	for (; bytes; bytes -= n, gpa += n, data += n) {
		n = min(bytes, 8U);
		r = em_mmio(em, gpa, data, n, write, last && n == bytes);
		if (r)
			return r;
	}
	return EM_OK;
}

int em_read(struct vmmu_emul *em, u64 linear, void *data, unsigned int bytes, u64 access)
{
	unsigned int n;
	gpa_t gpa;
	int r;

	for (; bytes; bytes -= n, linear += n, data += n) {
		n = min_t(unsigned int, bytes, PAGE_SIZE - offset_in_page(linear));
		r = em_translate(em, linear, access, &gpa);
		if (r)
			return r;
		r = access_gpa(em, gpa, data, n, false, false);
		if (r)
			return r;
	}
	return EM_OK;
}

/* An access is at most a page long, so it lies in two pages at most. */
int em_write(struct vmmu_emul *em, u64 linear, const void *data, unsigned int bytes)
{
	unsigned int first = min_t(unsigned int, bytes, PAGE_SIZE - offset_in_page(linear));
	gpa_t gpa, gpa2 = 0;
	int r;

	r = em_translate(em, linear, VMMU_PFERR_WRITE, &gpa);
	if (r)
		return r;
	if (first < bytes) {
		r = em_translate(em, linear + first, VMMU_PFERR_WRITE, &gpa2);
		if (r)
			return r;
	}
	r = access_gpa(em, gpa, (void *)data, first, true, first == bytes);
	if (r || first == bytes)
		return r;
	return access_gpa(em, gpa2, (void *)data + first, bytes - first, true, true);
}

int em_not_for_us(struct vmmu_emul *em, u64 linear)
{
	gpa_t gpa;
	int r;

	if (!em->vcpu->emul.fault_gva_valid)
		return EM_OK;
	r = em_translate(em, linear, VMMU_PFERR_WRITE, &gpa);
	if (r)
		return r;
	r = em_ram(em, gpa, true);
	if (r == EM_OK)
		return EM_UNHANDLED;
	return r == EM_UNHANDLED ? EM_OK : r;
}

/*
 * The write of a locked read-modify-write. Atomic on RAM when naturally aligned;
 * EM_AGAIN when another vCPU was faster. A split lock, and MMIO, is a plain write.
 */
int em_cmpxchg(struct vmmu_emul *em, u64 linear, u64 old, u64 new, unsigned int bytes)
{
	gpa_t gpa;
	int r;

	if (linear & (bytes - 1))
		return em_not_for_us(em, linear) ?: em_write(em, linear, &new, bytes);
	r = em_translate(em, linear, VMMU_PFERR_WRITE, &gpa);
	if (r)
		return r;
	r = em_ram(em, gpa, true);
	if (r == EM_RETRY)
		return r;
	if (r)
		return access_gpa(em, gpa, &new, bytes, true, true);
	r = vmmu_cmpxchg_guest(em->vcpu->vm, gpa, &old, &new, bytes);
	if (r < 0)
		return r;
	if (r)
		return EM_AGAIN;
	vmmu_mmu_guest_wrote(em->vcpu->vm, gpa, bytes);
	return EM_OK;
}
