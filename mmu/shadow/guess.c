// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which of the 16 guest entries around one are worth a mapping, and what frames
 * they lead to. One piece for the demand fault, INVLPG and re-synchronisation.
 *
 * Law 4: no sleep, no host fault, no accessed or dirty bit for the guest: only an
 * entry that the guest has used already (accessed) is mapped, and writable only if
 * it has written (dirty). Looking needs no lock; mapping is under mmu.lock for
 * write.
 */
#include <linux/bitops.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "shadow.h"
#include "vmmu/notifier.h"

bool vmmu_guess_read(struct vmmu_vm *vm, const struct vmmu_paging_format *fmt, gpa_t gpa,
		     u64 gptes[VMMU_WINDOW_SIZE])
{
	unsigned int bytes = VMMU_WINDOW_SIZE * fmt->entry_bytes;

	if (vmmu_read_guest_words(vm, gpa & ~(gpa_t)(bytes - 1), gptes, bytes / sizeof(u64)))
		return false;
	if (fmt->entry_bytes == sizeof(u64))
		return true;
	/* From the end, in place. */
	for (int i = VMMU_WINDOW_SIZE - 1; i >= 0; i--)
		gptes[i] = ((u32 *)gptes)[i];
	return true;
}

/* The registers as far as they decide what an entry of such a page says. */
static void role_mode(union vmmu_role role, struct vmmu_paging_mode *mode)
{
	*mode = (struct vmmu_paging_mode) {
		.cr4 = role.pse ? X86_CR4_PSE : 0,
		.efer = (role.nxe ? EFER_NX : 0) |
			(role.guest == VMMU_PAGING_LONG ? EFER_LMA : 0),
	};
}

/* What may be mapped of a 4K entry: VMMU_ACC_*, or -1: nothing. */
static int guess_access(const struct vmmu_paging_format *fmt, u64 gpte, u64 reserved,
			unsigned int access)
{
	const u64 used = VMMU_GPTE_P | VMMU_GPTE_A;

	if ((gpte & used) != used || (gpte & reserved))
		return -1;
	access &= vmmu_gpte_access(fmt, gpte, VMMU_LEVEL_4K);
	if (!(gpte & VMMU_GPTE_D))
		access &= ~VMMU_ACC_WRITE;
	return access;
}

static gfn_t gpte_gfn(const struct vmmu_paging_format *fmt, u64 gpte)
{
	return gpa_to_gfn(gpte & fmt->addr_mask);
}

/* The length of the run of neighbouring gfns from @i on, within @want and the slot. */
static unsigned int run_length(const struct vmmu_paging_format *fmt, const struct vmmu_guess *w,
			       const struct vmmu_memslot *slot, u16 want, unsigned int i)
{
	gfn_t gfn = gpte_gfn(fmt, w->gptes[i]);
	gfn_t end = slot->base_gfn + slot->npages;
	unsigned int n = 1;

	while (i + n < VMMU_WINDOW_SIZE && (want & BIT(i + n)) && gfn + n < end &&
	       gpte_gfn(fmt, w->gptes[i + n]) == gfn + n)
		n++;
	return n;
}

void vmmu_guess_lookup(struct vmmu_vm *vm, union vmmu_role role, u8 maxphyaddr, u16 want,
		       struct vmmu_guess *w)
{
	const struct vmmu_paging_format *fmt = vmmu_paging_format_of(role.guest);
	struct vmmu_paging_mode mode;
	struct vmmu_memslot *slot;
	unsigned int i, n;
	u64 reserved;
	u32 writable;

	role_mode(role, &mode);
	reserved = vmmu_gpte_reserved(fmt, &mode, VMMU_LEVEL_4K, true, maxphyaddr, false);
	for (u16 left = want; left; left &= left - 1) {
		i = __ffs(left);
		if (guess_access(fmt, w->gptes[i], reserved, role.access) < 0)
			want &= ~BIT(i);
	}

	w->valid = 0;
	w->writable = 0;
	w->seq = vmmu_notifier_seq(vm);
	for (; want; want &= ~GENMASK(i + n - 1, 0)) {
		i = __ffs(want);
		n = 1;
		slot = vmmu_gfn_to_slot(vm, gpte_gfn(fmt, w->gptes[i]));
		if (!slot || slot->invalid)
			continue;
		n = run_length(fmt, w, slot, want, i);
		w->valid |= vmmu_host_pages(vmmu_slot_hva(slot, gpte_gfn(fmt, w->gptes[i])), n,
					    &w->pfns[i], &writable) << i;
		if (!(slot->flags & KVM_MEM_READONLY))
			w->writable |= writable << i;
	}
}

/* One guess: an SPTE that is neither accessed nor dirty, and never for a write to a table. */
static void guess_install(struct vmmu_gather *g, struct vmmu_shadow *s, struct vmmu_iter *it,
			  const struct vmmu_guess *w, unsigned int i)
{
	const struct vmmu_paging_format *fmt = vmmu_paging_format_of(s->sp.role.guest);
	gfn_t gfn = gpte_gfn(fmt, w->gptes[i]);
	struct vmmu_memslot *slot = vmmu_rmap_slot(g, gfn);
	struct vmmu_spte_want want = {
		.pfn = w->pfns[i],
		.level = VMMU_LEVEL_4K,
		.cached = true,
		.managed = true,
		.speculative = true,
	};

	if (!slot || slot->invalid || vmmu_pfn_kind(w->pfns[i]) != VMMU_PFN_RAM ||
	    vmmu_notifier_retry(g->vm, w->seq, vmmu_slot_hva(slot, gfn)))
		return;
	want.access = guess_access(fmt, w->gptes[i], 0, s->sp.role.access);
	if (vmmu_rmap_is_table(slot, gfn))
		want.access &= ~VMMU_ACC_WRITE;
	if (s->sp.role.guest == VMMU_PAGING_LONG)
		want.pkey = w->gptes[i] >> VMMU_GPTE_PKEY_SHIFT & 0xf;
	want.host_writable = w->writable & BIT(i);
	want.logged = slot->dirty_bitmap;

	it->gfn = gfn;
	vmmu_shadow_make_list_room(g, slot, gfn, VMMU_LEVEL_4K);
	vmmu_spte_change(g, it, vmmu_spte_make(&vmmu_format_shadow, &want));
}

void vmmu_guess_map(struct vmmu_gather *g, struct vmmu_shadow *s, unsigned int first,
		    const struct vmmu_guess *w)
{
	struct vmmu_iter it;

	for (u16 left = w->valid; left; left &= left - 1) {
		unsigned int i = __ffs(left);

		if (s->sp.spt[first + i] != VMMU_SPTE_EMPTY)
			continue;
		if (!vmmu_rmap_spare(g->stock))
			return;
		s->gptes[first + i] = w->gptes[i];
		vmmu_shadow_iter(&it, s, first + i);
		guess_install(g, s, &it, w, i);
	}
}
