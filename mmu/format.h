/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the bits of an SPTE mean, format by format.
 *
 * The processor gives every format (x86-64, which NPT also uses; EPT) the same
 * geometry: 512 entries of 8 bytes, the address in bits 51:12, bit 7 for a leaf
 * above 4K. And every format leaves bits 11:10 and 62:52 partly to software. So
 * what we must ask of each SPTE all the time is encoded alike in all formats
 * and stands here as constants; what differs stands in one const table.
 * Documentation/spte.md draws both.
 */
#ifndef VMMU_MMU_FORMAT_H
#define VMMU_MMU_FORMAT_H

#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/mem_encrypt.h>
#include "vmmu/mmu.h"
#include "vmmu/paging.h"
#include "vmmu/types.h"

#define VMMU_SPTES_PER_PAGE	512
#define VMMU_ROOT_LEVEL_MAX	VMMU_LEVEL_PML5

static_assert(VMMU_SPTES_PER_PAGE * sizeof(u64) == PAGE_SIZE);
static_assert(VMMU_PAGES_PER_LEVEL(VMMU_LEVEL_2M) == VMMU_SPTES_PER_PAGE);

/* In all formats: the entry translates (leaf or table). Hardware ignores bit 11. */
#define VMMU_SPTE_PRESENT	BIT_ULL(11)
/* In all formats: the entry is a leaf although it stands above the 4K level. */
#define VMMU_SPTE_LARGE		BIT_ULL(7)
#define VMMU_SPTE_ADDR		GENMASK_ULL(51, 12)

/* Nothing there. */
#define VMMU_SPTE_EMPTY		0ULL

/*
 * The entry is in transition, or its table is no longer part of any root: nobody but
 * the one who froze it may change it. A lockless change of anything else fails on it.
 */
#define VMMU_SPTE_FROZEN	0x5a0ULL

/*
 * MMIO: there was no memslot at this gfn when the slots had this generation. Low bits
 * 110b are "not present" for x86-64 and a misconfiguration (write without read) for EPT.
 */
#define VMMU_MMIO_TAG		0x6ULL
#define VMMU_MMIO_TAG_MASK	(VMMU_SPTE_PRESENT | 0x7ULL)
#define VMMU_MMIO_ACCESS	GENMASK_ULL(5, 3)
#define VMMU_MMIO_GEN_LOW	GENMASK_ULL(10, 6)
#define VMMU_MMIO_GEN_HIGH	GENMASK_ULL(62, 52)
#define VMMU_MMIO_GEN_LOW_BITS	5
#define VMMU_MMIO_GEN_BITS	16
#define VMMU_MMIO_GEN_MASK	GENMASK_ULL(VMMU_MMIO_GEN_BITS - 1, 0)

static_assert((VMMU_SPTE_FROZEN & (VMMU_SPTE_PRESENT | 0x7)) == 0);
static_assert((VMMU_MMIO_TAG & ~VMMU_MMIO_TAG_MASK) == 0);
static_assert((VMMU_MMIO_TAG_MASK & (VMMU_MMIO_ACCESS | VMMU_MMIO_GEN_LOW | VMMU_SPTE_ADDR |
				     VMMU_MMIO_GEN_HIGH)) == 0);

/**
 * struct vmmu_spte_format - where a format differs from the others
 * @name: for people
 * @table: all of an entry that points to a table, but the address
 * @leaf: what every leaf has (present and readable bits)
 * @write: set: writable
 * @exec: set: executable; 0 when @noexec decides
 * @noexec: set: not executable; 0 when @exec decides
 * @user: set: reachable at CPL 3; 0 where the format has no such notion
 * @accessed: set by hardware at the first use; 0 when hardware keeps no age
 * @dirty: set by hardware at the first write; 0 likewise
 * @cached: memory type of kernel-managed RAM (write-back)
 * @uncached: memory type of everything else
 * @host_writable: ours: the host process may write to this page
 * @mmu_writable: ours: write permission is missing only because we took it (dirty log),
 *	so it may be given back without asking anybody
 * @managed: ours: the frame is kernel-managed RAM, whose page learns of accessed and dirty
 */
struct vmmu_spte_format {
	const char *name;
	u64 table;
	u64 leaf;
	u64 write;
	u64 exec;
	u64 noexec;
	u64 user;
	u64 accessed;
	u64 dirty;
	u64 cached;
	u64 uncached;
	u64 host_writable;
	u64 mmu_writable;
	u64 managed;
};

static __always_inline bool vmmu_spte_present(u64 spte)
{
	return spte & VMMU_SPTE_PRESENT;
}

static __always_inline bool vmmu_spte_frozen(u64 spte)
{
	return spte == VMMU_SPTE_FROZEN;
}

static __always_inline bool vmmu_spte_leaf(u64 spte, int level)
{
	return vmmu_spte_present(spte) && (level == VMMU_LEVEL_4K || (spte & VMMU_SPTE_LARGE));
}

static __always_inline bool vmmu_spte_table(u64 spte, int level)
{
	return vmmu_spte_present(spte) && !vmmu_spte_leaf(spte, level);
}

static __always_inline unsigned long vmmu_spte_pfn(u64 spte)
{
	return (__sme_clr(spte) & VMMU_SPTE_ADDR) >> PAGE_SHIFT;
}

/* The table that a non-leaf entry points to. */
static __always_inline u64 *vmmu_spte_child(u64 spte)
{
	return __va(__sme_clr(spte) & VMMU_SPTE_ADDR);
}

static __always_inline bool vmmu_spte_mmio(u64 spte)
{
	return (spte & VMMU_MMIO_TAG_MASK) == VMMU_MMIO_TAG;
}

/*
 * L1TF: an affected processor uses the address of an entry that does not translate, and a
 * guest chooses the gfn of an MMIO SPTE. So these bits of it are always set: the frame lies
 * in the upper part of what the L1D cache can name, where the kernel allows no RAM. 0 where
 * the processor is not affected; set by vmmu_mmio_guard_init(), constant after.
 */
extern gfn_t vmmu_mmio_guard;
void vmmu_mmio_guard_init(void);

/* But for the bits of vmmu_mmio_guard, which are set. */
static inline gfn_t vmmu_mmio_gfn(u64 spte)
{
	return FIELD_GET(VMMU_SPTE_ADDR, spte);
}

static inline unsigned int vmmu_mmio_access(u64 spte)
{
	return FIELD_GET(VMMU_MMIO_ACCESS, spte);
}

/* The low VMMU_MMIO_GEN_BITS of the generation it was made in. */
static inline u64 vmmu_mmio_generation(u64 spte)
{
	u64 low = FIELD_GET(VMMU_MMIO_GEN_LOW, spte);
	u64 high = FIELD_GET(VMMU_MMIO_GEN_HIGH, spte);

	return low | high << VMMU_MMIO_GEN_LOW_BITS;
}

/**
 * vmmu_mmio_current() - does an MMIO SPTE still tell the truth?
 * @spte: vmmu_spte_mmio()
 * @generation: of the memslots that the caller looks at
 *
 * The stored generation wraps; vmmu_mmio_epoch() keeps old entries from living that long.
 */
static inline bool vmmu_mmio_current(u64 spte, u64 generation)
{
	return vmmu_mmio_generation(spte) == (generation & VMMU_MMIO_GEN_MASK);
}

/*
 * MMIO SPTEs are all zapped whenever this number changes, which is twice per wrap of the
 * stored generation: what is left is at most half a wrap old, and never mistaken.
 */
static inline u64 vmmu_mmio_epoch(u64 generation)
{
	return generation >> (VMMU_MMIO_GEN_BITS - 1);
}

#endif
