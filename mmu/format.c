// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SPTE formats, as const tables. No code, no state.
 *
 * x86-64 serves NPT (AMD APM vol. 2, 15.25: nested tables have the format of the
 * host's own paging mode) and shadow tables of 4 and 5 levels. Nested walks are
 * user accesses (15.25.5), so the user bit is set in every NPT entry.
 *
 * The memory type of x86-64 is the PAT index in PCD (bit 4) and PWT (bit 3). Linux
 * programs PAT entry 0 as WB and entry 2 (PCD) as UC-: a device is uncached unless
 * the guest's own PAT or the host's MTRR asks for write combining, as it would be
 * for the host's driver.
 *
 * EPT: Intel SDM vol. 3, 29.3.2 (entries) and 29.3.7 (memory type in bits 5:3).
 */
#include "format.h"

#define X86_P		BIT_ULL(0)
#define X86_W		BIT_ULL(1)
#define X86_U		BIT_ULL(2)
#define X86_PCD		BIT_ULL(4)
#define X86_A		BIT_ULL(5)
#define X86_D		BIT_ULL(6)
#define X86_NX		BIT_ULL(63)

/* Write permission is kept in bits that PAE entries have as well. */
const struct vmmu_spte_format vmmu_format_x86_64 = {
	.name		= "x86-64",
	.table		= VMMU_SPTE_PRESENT | X86_P | X86_W | X86_U | X86_A,
	.leaf		= VMMU_SPTE_PRESENT | X86_P,
	.write		= X86_W,
	.noexec		= X86_NX,
	.user		= X86_U,
	.accessed	= X86_A,
	.dirty		= X86_D,
	.cached		= 0,
	.uncached	= X86_PCD,
	.host_writable	= BIT_ULL(9),
	.mmu_writable	= BIT_ULL(10),
	.managed	= BIT_ULL(52),
};

/*
 * Shadow tables. The same entries, but those of PAE have nothing for software above bit 51;
 * so "managed" is the global bit, which means nothing while CR4.PGE is clear, as it always is
 * while a guest runs on shadow tables.
 */
const struct vmmu_spte_format vmmu_format_shadow = {
	.name		= "shadow",
	.table		= VMMU_SPTE_PRESENT | X86_P | X86_W | X86_U | X86_A,
	.leaf		= VMMU_SPTE_PRESENT | X86_P,
	.write		= X86_W,
	.noexec		= X86_NX,
	.user		= X86_U,
	.accessed	= X86_A,
	.dirty		= X86_D,
	.cached		= 0,
	.uncached	= X86_PCD,
	.host_writable	= BIT_ULL(9),
	.mmu_writable	= BIT_ULL(10),
	.managed	= BIT_ULL(8),
};

#define EPT_R		BIT_ULL(0)
#define EPT_W		BIT_ULL(1)
#define EPT_X		BIT_ULL(2)
#define EPT_TYPE_UC	(0ULL << 3)
#define EPT_TYPE_WB	(6ULL << 3)
#define EPT_A		BIT_ULL(8)
#define EPT_D		BIT_ULL(9)

const struct vmmu_spte_format vmmu_format_ept = {
	.name		= "EPT",
	.table		= VMMU_SPTE_PRESENT | EPT_R | EPT_W | EPT_X | EPT_A,
	.leaf		= VMMU_SPTE_PRESENT | EPT_R,
	.write		= EPT_W,
	.exec		= EPT_X,
	.accessed	= EPT_A,
	.dirty		= EPT_D,
	.cached		= EPT_TYPE_WB,
	.uncached	= EPT_TYPE_UC,
	.host_writable	= BIT_ULL(52),
	.mmu_writable	= BIT_ULL(53),
	.managed	= BIT_ULL(54),
};

/*
 * Hardware keeps no age here and no dirty bit: what may be written counts as dirty, and
 * nothing counts as used.
 */
const struct vmmu_spte_format vmmu_format_ept_no_ad = {
	.name		= "EPT without A/D",
	.table		= VMMU_SPTE_PRESENT | EPT_R | EPT_W | EPT_X,
	.leaf		= VMMU_SPTE_PRESENT | EPT_R,
	.write		= EPT_W,
	.exec		= EPT_X,
	.dirty		= EPT_W,
	.cached		= EPT_TYPE_WB,
	.uncached	= EPT_TYPE_UC,
	.host_writable	= BIT_ULL(52),
	.mmu_writable	= BIT_ULL(53),
	.managed	= BIT_ULL(54),
};
