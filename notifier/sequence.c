// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sequence that makes hva->pfn safe without holding page references.
 *
 * Writers (start and end of an invalidation) hold vm->mem.publish_lock. The
 * reader is a fault, under mmu.lock but not that lock. What it must not miss
 * is an invalidation that began after the fault took the sequence, or was in
 * progress then:
 *
 * - Begun, its unmap done, not ended: in_progress was raised before the unmap,
 *   under mmu.lock, which the fault holds now. It sees the count and the hull.
 * - Begun, its unmap yet to come: it waits for the fault's mmu.lock, and will
 *   find what the fault installs. Seen or not, both are right.
 * - Ended: seq was bumped before in_progress was lowered, so a fault that sees
 *   a count without it sees the new seq.
 *
 * An invalidation that met no slot takes no mmu.lock and does not widen the
 * hull. If slots are published while it is in progress, its look is out of
 * date: the generation that it looked into says so, and until all is quiet
 * every fault begins again. publish_lock makes that sound: a fault that found
 * its slot in the newer snapshot sees the count, or the seq of its end.
 *
 * Nothing here sleeps.
 */
#include "vmmu/notifier.h"

static bool hull_meets(const struct vmmu_sequence *s, unsigned long start, unsigned long last)
{
	return start <= READ_ONCE(s->last) && last >= READ_ONCE(s->start);
}

/**
 * vmmu_sequence_begin() - an invalidation of [@start, @last] begins
 * @s: the sequence
 * @generation: of the snapshot that was searched for slots in the range
 * @met: there are some
 * @start: first byte of the range, host virtual
 * @last: last byte of the range
 *
 * vm->mem.publish_lock held. Before the unmap.
 */
void vmmu_sequence_begin(struct vmmu_sequence *s, u64 generation, bool met,
			 unsigned long start, unsigned long last)
{
	if (!s->in_progress) {
		WRITE_ONCE(s->start, met ? start : ULONG_MAX);
		WRITE_ONCE(s->last, met ? last : 0);
		WRITE_ONCE(s->generation, generation);
	} else if (met) {
		WRITE_ONCE(s->start, min(s->start, start));
		WRITE_ONCE(s->last, max(s->last, last));
	}
	/* The hull is there before the count; pairs with the acquire in vmmu_sequence_retry(). */
	smp_store_release(&s->in_progress, s->in_progress + 1);
}

/**
 * vmmu_sequence_end() - it ends
 * @s: the sequence
 * @generation: of the snapshot now
 * @start: first byte of the range, host virtual
 * @last: last byte of the range
 *
 * vm->mem.publish_lock held; @start and @last as at its begin. The host's page tables say
 * already what they will say.
 */
void vmmu_sequence_end(struct vmmu_sequence *s, u64 generation, unsigned long start,
		       unsigned long last)
{
	if (WARN_ON_ONCE(!s->in_progress))
		return;
	/*
	 * Outside the hull it met no slot, and with the map unchanged no fault can
	 * have had a page of it.
	 */
	if (s->generation != generation || hull_meets(s, start, last))
		/* The host's new entries before seq; pairs with vmmu_notifier_seq(). */
		smp_store_release(&s->seq, s->seq + 1);
	/* seq before the count; pairs with the acquire in vmmu_sequence_retry(). */
	smp_store_release(&s->in_progress, s->in_progress - 1);
}

/**
 * vmmu_sequence_retry() - has the host changed its mind about [@start, @last], or may it have?
 * @s: the sequence
 * @seq: taken before the pfns were looked up
 * @generation: of the snapshot now
 * @start: first byte of the range, host virtual
 * @last: last byte of the range
 *
 * Return: true when what was looked up must not be installed.
 */
bool vmmu_sequence_retry(const struct vmmu_sequence *s, unsigned long seq, u64 generation,
			 unsigned long start, unsigned long last)
{
	/* Pairs with both releases of in_progress. */
	if (smp_load_acquire(&s->in_progress) &&
	    (READ_ONCE(s->generation) != generation || hull_meets(s, start, last)))
		return true;
	/*
	 * A hull that was rewritten while it was read belongs to an invalidation that
	 * began after another's end: then that end's seq must be seen. Pairs with the
	 * unlock of publish_lock after vmmu_sequence_end().
	 */
	smp_rmb();
	return READ_ONCE(s->seq) != seq;
}
