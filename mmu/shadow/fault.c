// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page fault under shadow paging: the guest's own fault, or ours.
 *
 *   walk      the guest's tables, as the processor would: gva -> gpa, access, A/D set.
 *             What they forbid is the guest's fault and is injected
 *   slot      gpa -> slot -> hva; no slot: MMIO, emulated
 *   guesses   the guest's 16 entries around a last-level one
 *   pfn       hva -> pfn; may sleep
 *   map       under mmu.lock: all checked again, and installed
 *
 * Called by the vCPU's own thread with vm->srcu held. No lock between stages.
 */
#include <asm/processor-flags.h>
#include "shadow.h"
#include "vmmu/notifier.h"
#include "vmmu/trace.h"

#define VECTOR_PF	14

/* 0, VMMU_INJECT, or -EINTR. */
static int fault_walk(struct vmmu_shadow_fault *sf, u64 gva, u64 error)
{
	u64 access = error & (VMMU_PFERR_WRITE | VMMU_PFERR_USER | VMMU_PFERR_FETCH);
	struct vmmu_vcpu *vcpu = sf->f.vcpu;
	struct vmmu_exception e;
	int r;

	vmmu_paging_mode(vcpu, &sf->mode);
	sf->fmt = vmmu_paging_format(&sf->mode);
	/* Descriptor tables and the like: the processor's own access, at any CPL. */
	if (!(access & VMMU_PFERR_USER) && sf->mode.cpl == 3)
		access |= VMMU_PFERR_IMPLICIT;

	r = vmmu_gva_walk(vcpu, &sf->mode, gva, access, true, &sf->walk, &e);
	if (!r)
		return 0;
	if (r < 0) {
		if (fatal_signal_pending(current))
			return -EINTR;
		/* A table where there is no memory reads as not present. */
		e = (struct vmmu_exception) {
			.vector = VECTOR_PF,
			.has_error = true,
			.error = vmmu_fault_access_bits(&sf->mode, access),
			.address = gva,
		};
	}
	vmmu_inject_exception(vcpu, &e);
	return VMMU_INJECT;
}

/*
 * What our entries may give. Not write permission before the guest's entry is dirty: the next
 * write comes here and sets it.
 *
 * With CR0.WP clear the supervisor writes what is read-only. Hardware has CR0.WP set, so
 * such a page becomes a supervisor's page, writable, until a user touches it. Where that
 * would get around SMEP, SMAP or keys, the write is emulated instead: the role says which.
 */
static int fault_access(struct vmmu_shadow_fault *sf)
{
	sf->page_access = sf->walk.acc;
	if (sf->walk.top && !(sf->walk.gpte[sf->walk.level - 1] & VMMU_GPTE_D) && !sf->f.write)
		sf->page_access &= ~VMMU_ACC_WRITE;

	sf->access = sf->page_access;
	/* A key binds the supervisor's writes by hardware's CR0.WP, not by the guest's. */
	if (sf->f.write && (sf->f.error & VMMU_PFERR_PK) &&
	    !(sf->f.error & VMMU_PFERR_USER) && !(sf->mode.cr0 & X86_CR0_WP))
		return VMMU_EMULATE;
	if (!sf->f.write || (sf->access & VMMU_ACC_WRITE))
		return VMMU_NEXT_STAGE;
	if (!sf->role.nowp)
		return VMMU_EMULATE;
	sf->access = (sf->access | VMMU_ACC_WRITE) & ~VMMU_ACC_USER;
	return VMMU_NEXT_STAGE;
}

/* The guest's leaf as a level of ours; 4 MiB pages are two of 2 MiB. */
static u8 guest_level(const struct vmmu_shadow_fault *sf)
{
	if (!sf->walk.top)
		return VMMU_LEVEL_2M;
	return sf->walk.level;
}

/*
 * Which of the 16 neighbours have no SPTE: a hint, without mmu.lock. The vCPU has its root, and
 * what hangs below is freed by RCU. And does a table of 4K entries stand there? It is made empty,
 * so one that a fetch asked for (nx_huge.c) must stay whatever of it is in use.
 */
static u16 absent_around(struct vmmu_fault *f)
{
	const struct vmmu_shadow *s;
	int level;

	guard(rcu)();
	s = vmmu_shadow_find(f->vcpu, f->addr);
	if (!s)
		return VMMU_WINDOW_ALL;
	level = s->sp.role.level;
	f->split = level == VMMU_LEVEL_4K;
	return vmmu_window_absent(&s->sp.spt[vmmu_shadow_index(f->addr, level)], level);
}

/* The needed frame: out of the guesses, or alone. */
static int fault_frame(struct vmmu_shadow_fault *sf)
{
	struct vmmu_fault *f = &sf->f;
	gpa_t gpa = sf->walk.gpte_gpa[0];
	u8 maxphyaddr = f->vcpu->cpuid.maxphyaddr ?: 36;
	union vmmu_role role = sf->role;
	unsigned int needed;

	f->seq = vmmu_notifier_seq(f->vm);
	if (guest_level(sf) > VMMU_LEVEL_4K) {
		/* Neighbours are neighbours in memory too. */
		f->absent = absent_around(f);
		/* No guess that nobody could judge. */
		if (!vmmu_shadow_format(role)->accessed)
			f->absent = 0;
		return vmmu_fault_window(f) ? VMMU_NEXT_STAGE : vmmu_fault_pfn(f);
	}

	role.access = VMMU_ACC_ALL;
	needed = gpa / sf->fmt->entry_bytes % VMMU_WINDOW_SIZE;
	if (vmmu_guess_read(f->vm, sf->fmt, gpa, sf->guess.gptes)) {
		vmmu_guess_lookup(f->vm, role, maxphyaddr,
				  absent_around(f) | BIT(needed), &sf->guess);
		f->pfn.writable = sf->guess.writable & BIT(needed);
		if ((sf->guess.valid & BIT(needed)) && (f->pfn.writable || !f->write)) {
			f->seq = sf->guess.seq;
			f->pfn.pfn = sf->guess.pfns[needed];
			f->pfn.kind = vmmu_pfn_kind(f->pfn.pfn);
			return VMMU_NEXT_STAGE;
		}
	}
	return vmmu_fault_pfn(f);
}

static int shadow_fault(struct vmmu_shadow_fault *sf)
{
	struct vmmu_fault *f = &sf->f;
	int r;

	/* We set no reserved bit: a table of ours is damaged. */
	if (f->error & VMMU_PFERR_RSVD) {
		vmmu_vm_kill(f->vm, "reserved bit set in an SPTE");
		return -EIO;
	}
	r = fault_walk(sf, f->addr, f->error);
	if (r)
		return r;
	f->gfn = gpa_to_gfn(sf->walk.gpa);
	sf->role = vmmu_shadow_role(&sf->mode);
	r = fault_access(sf);
	if (r != VMMU_NEXT_STAGE)
		return r;
	r = vmmu_fault_slot(f);
	if (r != VMMU_NEXT_STAGE)
		return r;
	r = fault_frame(sf);
	if (r != VMMU_NEXT_STAGE)
		return r;
	if (vmmu_notifier_retry_unlocked(f->vm, f->seq, f->hva))
		return VMMU_RETRY;

	f->level = min(vmmu_fault_level(f), guest_level(sf));
	/* PDPTEs are no place for a leaf. */
	if (sf->role.guest != VMMU_PAGING_LONG)
		f->level = min_t(u8, f->level, VMMU_LEVEL_2M);
	r = vmmu_shadow_topup(f->vcpu);
	if (r)
		return r;
	r = vmmu_shadow_map(sf);
	/* A write to a table in the middle of an event's delivery: no instruction does it. */
	if (r == VMMU_EMULATE && vmmu_event_reinjecting(f->vcpu) &&
	    vmmu_shadow_unshadow(f->vm, f->gfn))
		return VMMU_RETRY;
	return r;
}

int vmmu_shadow_fault(struct vmmu_vcpu *vcpu, u64 gva, u64 error)
{
	struct vmmu_shadow_fault sf = { .f = VMMU_FAULT_INIT(vcpu, gva, error) };
	int verdict = shadow_fault(&sf);

	trace_vmmu_page_fault(vcpu->id, vcpu->rip, gva, error, sf.f.level, verdict);
	return verdict;
}
