// SPDX-License-Identifier: GPL-2.0-only
/*
 * A combination of conditions: its name, whether it makes sense in a mode, and
 * the entries and registers that it stands for.
 */
#include "paging.h"

#define CR4_LA57	(1ull << 12)
#define CR4_PKE		(1ull << 22)

#define FLAGS_AC	(1ull << 18)

static const char * const entry_names[8] = {
	"P", "W", "U", "A", "D", "NX", "PS", "rsvd",
};

static const char * const names[] = {
	"write", "fetch", "implicit", "user", "ac", "global", "avl", "high",
	"rsvd2", "noncanonical", "flush=cr3", "pkru.ad", "pkru.wd", "cr4.pge",
	"cr4.pse", "cr4.pke", "cr4.smap", "cr4.smep", "efer.nxe", "cr0.wp",
};

const char *mode_name(enum paging_mode mode)
{
	static const char * const text[] = {
		"unpaged", "2level", "pae", "4level", "5level",
	};

	return text[mode];
}

int mode_levels(enum paging_mode mode)
{
	return mode ? (int)mode + 1 : 0;
}

void set_name(uint64_t set, enum paging_mode mode, char *text, size_t size)
{
	size_t i, n = 0;
	int l;

	n += snprintf(text, size, "%s:%#llx", mode_name(mode),
		      (unsigned long long)set);
	for (l = mode_levels(mode); l; l--) {
		n += snprintf(text + n, size - n, " %d(", l);
		for (i = 0; i < 8; i++)
			if (ENTRY_BITS(set, l) >> i & 1)
				n += snprintf(text + n, size - n, " %s",
					      entry_names[i]);
		n += snprintf(text + n, size - n, " )");
	}
	if (!(set & (S_WRITE | S_FETCH | S_IMPLICIT)))
		n += snprintf(text + n, size - n, " read");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (set >> (40 + i) & 1)
			n += snprintf(text + n, size - n, " %s", names[i]);
}

static bool wide(enum paging_mode mode)
{
	return mode >= MODE_PAE;
}

/* The level whose entry is the last one; a page or not present. */
int set_leaf(const struct paging_cpu *cpu, enum paging_mode mode, uint64_t set)
{
	if (mode >= MODE_4LEVEL && cpu->gbpages && (ENTRY_BITS(set, 3) & E_PS))
		return 3;
	if ((ENTRY_BITS(set, 2) & E_PS) &&
	    (mode != MODE_2LEVEL || (set & S_PSE)))
		return 2;
	return 1;
}

static bool legal_access(uint64_t set)
{
	uint64_t kind = set & (S_WRITE | S_FETCH | S_IMPLICIT);

	return !(kind & (kind - 1));
}

static bool legal_cpu(const struct paging_cpu *cpu, uint64_t set)
{
	if ((set & S_NXE) && !cpu->nx)
		return false;
	if ((set & S_SMEP) && !cpu->smep)
		return false;
	if ((set & (S_SMAP | S_AC)) && !cpu->smap)
		return false;
	if ((set & (S_AD | S_WD)) && !(set & S_PKE))
		return false;
	return !(set & S_PKE) || cpu->pke;
}

static bool legal_entry(const struct paging_cpu *cpu, enum paging_mode mode,
			uint64_t set, int level)
{
	uint64_t e = ENTRY_BITS(set, level);
	int leaf = set_leaf(cpu, mode, set);

	/* Below a page, and above the root, there is nothing to vary. */
	if (level < leaf || level > mode_levels(mode))
		return e == 0 || e == E_OPEN;
	/* A PDPTE is present or not; its reserved bits fault when loaded. */
	if (mode == MODE_PAE && level == 3)
		return (e | E_P) == E_OPEN;
	if ((e & E_NX) && mode == MODE_2LEVEL)
		return false;
	if (!(e & E_RSVD))
		return true;
	if (mode == MODE_2LEVEL)
		return level == 2 && leaf == 2;
	return cpu->maxphyaddr < 52 || (set & S_RSVD2);
}

/* Which other reserved bit there is depends on the level. */
static bool legal_rsvd2(const struct paging_cpu *cpu, enum paging_mode mode,
			uint64_t set)
{
	int l, leaf = set_leaf(cpu, mode, set);

	if (!(set & S_RSVD2))
		return true;
	for (l = 1; l <= LEVELS; l++) {
		if (!(ENTRY_BITS(set, l) & E_RSVD))
			continue;
		if (mode != MODE_PAE && (l != leaf || l == 1))
			return false;
	}
	return wide(mode);
}

bool set_legal(const struct paging_cpu *cpu, enum paging_mode mode, uint64_t set)
{
	int l, leaf = set_leaf(cpu, mode, set);

	if (!legal_access(set) || !legal_cpu(cpu, set))
		return false;
	if ((set & (S_PKE | S_NONCANON)) && mode < MODE_4LEVEL)
		return false;
	/* Where descriptors are is fixed. */
	if ((set & S_IMPLICIT) && (set & S_NONCANON))
		return false;
	/* Without SMAP there is no AC that paging looks at. */
	if ((set & S_AC) && !(set & S_SMAP))
		return false;
	/* A CR3 write leaves global translations alone. */
	if ((set & S_CR3) && (set & (S_PGE | S_G)))
		return false;
	if (mode == MODE_UNPAGED)
		return !(set & (S_G | S_AVL | S_CR3 | S_HIGH | S_RSVD2 |
				ENTRY(1, 0xff) | ENTRY(2, 0xff) | ENTRY(3, 0xff) |
				ENTRY(4, 0xff) | ENTRY(5, 0xff)));
	if ((set & S_HIGH) && !wide(mode) && !(cpu->pse36 && leaf == 2))
		return false;
	for (l = 1; l <= LEVELS; l++)
		if (!legal_entry(cpu, mode, set, l))
			return false;
	return legal_rsvd2(cpu, mode, set);
}

static uint64_t leaf_address(enum paging_mode mode, uint64_t target, int leaf)
{
	if (mode == MODE_2LEVEL && leaf == 2)
		return (target & 0xffc00000) | (target >> 32) << 13;
	if (leaf == 3)
		return target & ~(GB - 1);
	return target & ~(leaf == 2 ? 2 * MB - 1 : PAGE - 1);
}

static uint64_t rsvd_bit(enum paging_mode mode, uint64_t set, bool leaf, int level)
{
	if (mode == MODE_2LEVEL)
		return 1ull << 21;
	if (!(set & S_RSVD2))
		return 1ull << 51;
	return leaf && level > 1 ? 1ull << 13 : 1ull << 52;
}

static uint64_t entry(const struct paging_vm *p, uint64_t set, int level)
{
	uint64_t e = ENTRY_BITS(set, level), pte = 0;
	int leaf = set_leaf(&p->cpu, p->mode, set);

	if (level > leaf)
		pte = p->table[level - 2];
	else
		pte = leaf_address(p->mode, set & S_HIGH ? TARGET_HIGH :
				   TARGET_LOW, leaf);
	pte |= e & E_P ? PTE_P : 0;
	if (p->mode == MODE_PAE && level == 3)
		return pte;
	pte |= e & E_W ? PTE_W : 0;
	pte |= e & E_U ? PTE_U : 0;
	pte |= e & E_A ? PTE_A : 0;
	pte |= e & E_D ? PTE_D : 0;
	pte |= e & E_NX ? PTE_NX : 0;
	pte |= e & E_PS ? PTE_PS : 0;
	pte |= e & E_RSVD ? rsvd_bit(p->mode, set, level == leaf, level) : 0;
	pte |= set & S_AVL ? 7ull << 9 : 0;
	if (level == leaf) {
		pte |= set & S_G ? 1ull << 8 : 0;
		if (p->mode >= MODE_4LEVEL && p->cpu.pke)
			pte |= (uint64_t)PROBE_PKEY << 59;
	}
	return pte;
}

static uint64_t control_cr4(const struct paging_vm *p, uint64_t set)
{
	uint64_t cr4 = p->mode >= MODE_PAE ? X86_CR4_PAE : 0;

	cr4 |= p->mode == MODE_5LEVEL ? CR4_LA57 : 0;
	cr4 |= set & S_PGE ? X86_CR4_PGE : 0;
	cr4 |= set & S_PSE ? X86_CR4_PSE : 0;
	cr4 |= set & S_PKE ? CR4_PKE : 0;
	cr4 |= set & S_SMAP ? X86_CR4_SMAP : 0;
	cr4 |= set & S_SMEP ? X86_CR4_SMEP : 0;
	return cr4;
}

struct paging_access set_access(const struct paging_vm *p, uint64_t set)
{
	struct paging_access a = {
		.mode = p->mode,
		.gva = p->gva + (set & S_FETCH ? AT_CODE :
				 set & S_IMPLICIT ? AT_DESCRIPTOR : AT_DATA),
		.cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_NE |
		       (p->mode ? X86_CR0_PG : 0) |
		       (set & S_WP ? X86_CR0_WP : 0) | p->cr0_always,
		.cr4 = control_cr4(p, set),
		.efer = set & S_NXE ? EFER_NX : 0,
		.pkru = ((set & S_AD ? 1 : 0) | (set & S_WD ? 2 : 0)) <<
			(2 * PROBE_PKEY),
		.user = set & S_USER,
		.write = set & S_WRITE,
		.fetch = set & S_FETCH,
		.implicit = set & S_IMPLICIT,
		.ac = set & S_AC,
	};
	int l;

	if (p->mode >= MODE_4LEVEL)
		a.efer |= EFER_LME | EFER_LMA;
	if (set & S_NONCANON)
		a.gva |= 1ull << (p->mode == MODE_5LEVEL ? 56 : 47);
	for (l = 1; l <= mode_levels(p->mode); l++)
		a.entry[l - 1] = entry(p, set, l);
	return a;
}
