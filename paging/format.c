// SPDX-License-Identifier: GPL-2.0-only
/*
 * The formats of guest page tables: geometry, leaves, reserved bits.
 *
 * Pure: everything here is a function of its arguments and of const tables, so
 * that KUnit can count through all of it. Nothing locks, nothing sleeps.
 *
 * AMD APM vol. 2, 5.2 (legacy), 5.3 (long mode); Intel SDM vol. 3, 4.3 to 4.5.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include "vmmu/paging.h"

#define LEVEL_BIT(n)	BIT(n)

static const struct vmmu_paging_format format_none = {
	.name = "none",
	.entry_bytes = 8,
	.gva_bits = 32,
};

static const struct vmmu_paging_format format_2level = {
	.name = "2-level",
	.id = VMMU_PAGING_2LEVEL,
	.levels = 2,
	.entry_bytes = 4,
	.gva_bits = 32,
	.shift = { 12, 22 },
	.index_mask = { 1023, 1023 },
	.leaf_levels = LEVEL_BIT(2),
	.cr3_mask = GENMASK_ULL(31, 12),
	.addr_mask = GENMASK_ULL(31, 12),
};

static const struct vmmu_paging_format format_pae = {
	.name = "PAE",
	.id = VMMU_PAGING_PAE,
	.levels = 3,
	.entry_bytes = 8,
	.gva_bits = 32,
	.shift = { 12, 21, 30 },
	.index_mask = { 511, 511, 3 },
	.leaf_levels = LEVEL_BIT(2),
	.plain_levels = LEVEL_BIT(3),
	.cr3_mask = GENMASK_ULL(31, 5),
	.addr_mask = GENMASK_ULL(51, 12),
};

static const struct vmmu_paging_format format_4level = {
	.name = "4-level",
	.id = VMMU_PAGING_LONG,
	.levels = 4,
	.entry_bytes = 8,
	.gva_bits = 48,
	.canonical = true,
	.keys = true,
	.shift = { 12, 21, 30, 39 },
	.index_mask = { 511, 511, 511, 511 },
	.leaf_levels = LEVEL_BIT(2) | LEVEL_BIT(3),
	.cr3_mask = GENMASK_ULL(51, 12),
	.addr_mask = GENMASK_ULL(51, 12),
};

static const struct vmmu_paging_format format_5level = {
	.name = "5-level",
	.id = VMMU_PAGING_LONG,
	.levels = 5,
	.entry_bytes = 8,
	.gva_bits = 57,
	.canonical = true,
	.keys = true,
	.shift = { 12, 21, 30, 39, 48 },
	.index_mask = { 511, 511, 511, 511, 511 },
	.leaf_levels = LEVEL_BIT(2) | LEVEL_BIT(3),
	.cr3_mask = GENMASK_ULL(51, 12),
	.addr_mask = GENMASK_ULL(51, 12),
};

static_assert(ARRAY_SIZE(format_5level.shift) == VMMU_GUEST_LEVELS);
static_assert(VMMU_GUEST_LEVELS == VMMU_LEVEL_PML5);

const struct vmmu_paging_format *vmmu_paging_format_of(enum vmmu_paging_id id)
{
	switch (id) {
	case VMMU_PAGING_2LEVEL:
		return &format_2level;
	case VMMU_PAGING_PAE:
		return &format_pae;
	case VMMU_PAGING_LONG:
		return &format_5level;
	default:
		return &format_none;
	}
}

unsigned int vmmu_gpte_access(const struct vmmu_paging_format *fmt, u64 gpte, int level)
{
	unsigned int acc = VMMU_ACC_ALL;

	if (fmt->plain_levels & LEVEL_BIT(level))
		return acc;
	if (!(gpte & VMMU_GPTE_W))
		acc &= ~VMMU_ACC_WRITE;
	if (!(gpte & VMMU_GPTE_U))
		acc &= ~VMMU_ACC_USER;
	/* Without EFER.NXE the bit is reserved and was refused before. */
	if (gpte & VMMU_GPTE_NX)
		acc &= ~VMMU_ACC_EXEC;
	return acc;
}

const struct vmmu_paging_format *vmmu_paging_format(const struct vmmu_paging_mode *mode)
{
	if (!(mode->cr0 & X86_CR0_PG))
		return &format_none;
	if (mode->efer & EFER_LMA)
		return mode->cr4 & X86_CR4_LA57 ? &format_5level : &format_4level;
	return mode->cr4 & X86_CR4_PAE ? &format_pae : &format_2level;
}

bool vmmu_gpte_is_leaf(const struct vmmu_paging_format *fmt, const struct vmmu_paging_mode *mode,
		       u64 gpte, int level)
{
	if (level == VMMU_LEVEL_4K)
		return true;
	if (!(gpte & VMMU_GPTE_PS) || !(fmt->leaf_levels & LEVEL_BIT(level)))
		return false;
	/* Two-level tables ignore PS without CR4.PSE. */
	return fmt->entry_bytes == 8 || (mode->cr4 & X86_CR4_PSE);
}

/*
 * A 4 MiB page keeps bits 39:32 of its address in bits 20:13 (PSE-36). Those above
 * the guest's physical width, and bit 21, are reserved.
 */
static u64 reserved_2level(int level, bool leaf, u8 maxphyaddr)
{
	u8 width = clamp_t(u8, maxphyaddr, 32, 40);

	if (level != VMMU_LEVEL_2M || !leaf)
		return 0;
	return GENMASK_ULL(21, width - 32 + 13);
}

u64 vmmu_gpte_reserved(const struct vmmu_paging_format *fmt, const struct vmmu_paging_mode *mode,
		       int level, bool leaf, u8 maxphyaddr, bool gbpages)
{
	u8 width = clamp_t(u8, maxphyaddr, 32, 52);
	u64 rsvd;

	if (fmt->entry_bytes == 4)
		return reserved_2level(level, leaf, maxphyaddr);

	rsvd = width < 52 ? GENMASK_ULL(51, width) : 0;
	if (!(mode->efer & EFER_NX))
		rsvd |= VMMU_GPTE_NX;
	if (!(mode->efer & EFER_LMA))
		rsvd |= GENMASK_ULL(62, 52);
	if (fmt->plain_levels & LEVEL_BIT(level))
		return rsvd | VMMU_GPTE_NX | GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1);
	if (level == VMMU_LEVEL_4K)
		return rsvd;
	if (leaf) {
		/* Bit 12 is PAT; address bits below the page's size are reserved. */
		rsvd |= GENMASK_ULL(fmt->shift[level - 1] - 1, 13);
		if (level == VMMU_LEVEL_1G && !gbpages)
			rsvd |= VMMU_GPTE_PS;
		return rsvd;
	}
	/* PS where no leaf can be. */
	if (!(fmt->leaf_levels & LEVEL_BIT(level)))
		rsvd |= VMMU_GPTE_PS;
	return rsvd;
}

gpa_t vmmu_gpte_page(const struct vmmu_paging_format *fmt, u64 gpte, int level)
{
	u8 shift = fmt->shift[level - 1];
	gpa_t base = gpte & fmt->addr_mask & ~(BIT_ULL(shift) - 1);

	if (fmt->entry_bytes == 4 && level == VMMU_LEVEL_2M)
		base |= (gpte & GENMASK_ULL(20, 13)) << (32 - 13);
	return base;
}
