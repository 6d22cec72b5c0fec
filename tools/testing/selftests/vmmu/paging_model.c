// SPDX-License-Identifier: GPL-2.0-only
/*
 * An independent model of x86 paging for one access: fault or not, error code,
 * accessed and dirty bits, address. Written from the manuals (AMD APM vol. 2,
 * 5.3 to 5.6 and 8.4.2; Intel SDM vol. 3, 4.3 to 4.8), of which no line is
 * shared with the module.
 *
 * Where the manuals leave a choice, the verdict has may_set: the accessed bits
 * of upper entries when the walk ends in a fault.
 */
#include "paging.h"

#define CR4_LA57	(1ull << 12)
#define CR4_PKE		(1ull << 22)

#define ERR_P	0x01u
#define ERR_W	0x02u
#define ERR_U	0x04u
#define ERR_RSVD 0x08u
#define ERR_I	0x10u
#define ERR_PK	0x20u

static uint64_t mask(int high, int low)
{
	return (~0ull >> (63 - high)) & (~0ull << low);
}

static bool long_mode(const struct paging_access *a)
{
	return a->mode == MODE_4LEVEL || a->mode == MODE_5LEVEL;
}

static bool nx_enabled(const struct paging_access *a)
{
	return (a->efer & EFER_NX) && (a->cr4 & X86_CR4_PAE);
}

static bool canonical(const struct paging_access *a)
{
	int bits = a->mode == MODE_5LEVEL ? 57 : 48;

	return !long_mode(a) || (int64_t)(a->gva << (64 - bits)) >> (64 - bits) == a->gva;
}

/* Does the entry of @level map a page? */
static bool is_leaf(const struct paging_cpu *cpu, const struct paging_access *a,
		    int level)
{
	if (level == 1)
		return true;
	if (!(a->entry[level - 1] & PTE_PS))
		return false;
	if (level == 2)
		return a->mode != MODE_2LEVEL || (a->cr4 & X86_CR4_PSE);
	return level == 3 && long_mode(a) && cpu->gbpages;
}

/* Bits that must be 0 in a present entry. */
static uint64_t reserved(const struct paging_cpu *cpu,
			 const struct paging_access *a, int level)
{
	bool leaf = is_leaf(cpu, a, level);
	uint64_t bits;

	if (a->mode == MODE_2LEVEL) {
		/* PSE-36: 20:13 are 39:32 of the address, as far as it goes. */
		if (level != 2 || !leaf)
			return 0;
		bits = mask(21, 13);
		if (cpu->pse36)
			bits &= ~mask(cpu->maxphyaddr > 40 ? 20 :
				      cpu->maxphyaddr - 20, 13);
		return bits;
	}
	bits = mask(51, cpu->maxphyaddr);
	if (!long_mode(a))
		bits |= mask(62, 52);
	if (!nx_enabled(a))
		bits |= PTE_NX;
	if (level > 3 || (level == 3 && long_mode(a) && !cpu->gbpages))
		bits |= PTE_PS;
	if (leaf && level == 2)
		bits |= mask(20, 13);
	if (leaf && level == 3)
		bits |= mask(29, 13);
	return bits;
}

static uint64_t leaf_gpa(const struct paging_access *a, int level)
{
	uint64_t e = a->entry[level - 1], size;

	if (a->mode == MODE_2LEVEL) {
		size = level == 2 ? 4 * MB : PAGE;
		if (level == 2)
			e = (e & mask(31, 22)) | (e & mask(20, 13)) << 19;
	} else {
		size = level == 3 ? GB : level == 2 ? 2 * MB : PAGE;
	}
	return (e & mask(51, 12) & ~(size - 1)) | (a->gva & (size - 1));
}

/* What all entries of the walk say together. */
struct rights {
	bool w, u, nx;
	uint32_t key;
};

static bool key_denies(const struct paging_access *a, const struct rights *r)
{
	uint32_t rights = a->pkru >> (2 * r->key);

	if (!long_mode(a) || !(a->cr4 & CR4_PKE) || a->fetch || !r->u)
		return false;
	if (rights & 1)
		return true;
	return (rights & 2) && a->write && (a->user || (a->cr0 & X86_CR0_WP));
}

static bool rights_deny(const struct paging_access *a, const struct rights *r)
{
	/* The processor's own reads are a supervisor's at any CPL. */
	bool user = a->user && !a->implicit;

	if (a->fetch && r->nx && nx_enabled(a))
		return true;
	if (user) {
		if (!r->u)
			return true;
	} else if (r->u) {
		if (a->fetch && (a->cr4 & X86_CR4_SMEP))
			return true;
		if (!a->fetch && (a->cr4 & X86_CR4_SMAP) &&
		    (a->implicit || !a->ac))
			return true;
	}
	return a->write && !r->w && (user || (a->cr0 & X86_CR0_WP));
}

static uint32_t error_bits(const struct paging_access *a)
{
	uint32_t error = 0;

	if (a->write)
		error |= ERR_W;
	if (a->user && !a->implicit)
		error |= ERR_U;
	if (a->fetch && (nx_enabled(a) || (a->cr4 & X86_CR4_SMEP)))
		error |= ERR_I;
	return error;
}

static struct paging_verdict page_fault(const struct paging_access *a,
					struct paging_verdict v, uint32_t why)
{
	int i;

	v.vector = PF_VECTOR;
	v.error = error_bits(a) | why;
	v.cr2 = a->gva;
	for (i = 0; i < LEVELS; i++) {
		v.may_set[i] = v.set[i];
		v.set[i] = 0;
	}
	return v;
}

struct paging_verdict paging_model(const struct paging_cpu *cpu,
				   const struct paging_access *a)
{
	struct paging_verdict v = { .vector = NO_FAULT };
	struct rights r = { true, true, false, 0 };
	int level;

	if (a->mode == MODE_UNPAGED) {
		v.gpa = a->gva;
		return v;
	}
	if (!canonical(a)) {
		v.vector = GP_VECTOR;
		return v;
	}
	for (level = mode_levels(a->mode); ; level--) {
		uint64_t e = a->entry[level - 1];
		bool pdpte = a->mode == MODE_PAE && level == 3;

		if (!(e & PTE_P))
			return page_fault(a, v, 0);
		if (pdpte)
			continue;	/* address and P only; checked when loaded */
		if (e & reserved(cpu, a, level))
			return page_fault(a, v, ERR_P | ERR_RSVD);
		r.w &= !!(e & PTE_W);
		r.u &= !!(e & PTE_U);
		r.nx |= !!(e & PTE_NX);
		if (is_leaf(cpu, a, level)) {
			r.key = e >> 59 & 15;
			break;
		}
		v.set[level - 1] = PTE_A;
	}
	if (key_denies(a, &r))
		return page_fault(a, v, ERR_P | ERR_PK);
	if (rights_deny(a, &r))
		return page_fault(a, v, ERR_P);
	v.set[level - 1] = PTE_A | (a->write ? PTE_D : 0);
	v.gpa = leaf_gpa(a, level);
	return v;
}
