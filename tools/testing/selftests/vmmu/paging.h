/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The combinatorial paging selftest: what its files share.
 *
 *	paging.c	the tests: which combinations, comparison, reports
 *	paging_set.c	a combination: one bit per condition, its name, its entries
 *	paging_model.c	what the architecture says to one access
 *	paging_guest.c	the VM in one paging mode; runs batches of probes
 *	paging_stub.S	the guest's loop: 32-bit and 64-bit
 *
 * A combination ("set") is 64 bits. Each level of tables has 8 of them, what
 * the entry of that level on the way to the probed address says; the others are
 * access and control registers.
 */
#ifndef VMMU_SELFTEST_PAGING_H
#define VMMU_SELFTEST_PAGING_H

#include "guest.h"

#define LEVELS	5

enum paging_mode {
	MODE_UNPAGED,
	MODE_2LEVEL,
	MODE_PAE,
	MODE_4LEVEL,
	MODE_5LEVEL,
};

/* Bits of an entry, level 1 (the page table's) lowest. */
#define E_P	0x01ull
#define E_W	0x02ull
#define E_U	0x04ull
#define E_A	0x08ull
#define E_D	0x10ull
#define E_NX	0x20ull
#define E_PS	0x40ull
#define E_RSVD	0x80ull
#define E_OPEN	(E_P | E_W | E_U | E_A | E_D)
#define ENTRY(level, bits)	((uint64_t)(bits) << (8 * ((level) - 1)))
#define ENTRY_BITS(set, level)	((set) >> (8 * ((level) - 1)) & 0xff)

#define S_WRITE		(1ull << 40)	/* a data write, else a read */
#define S_FETCH		(1ull << 41)	/* an instruction fetch */
#define S_IMPLICIT	(1ull << 42)	/* the processor reads a descriptor */
#define S_USER		(1ull << 43)	/* at CPL 3 */
#define S_AC		(1ull << 44)
#define S_G		(1ull << 45)	/* leaf: global */
#define S_AVL		(1ull << 46)	/* all entries: bits for software */
#define S_HIGH		(1ull << 47)	/* leaf: memory above 4 GiB */
#define S_RSVD2		(1ull << 48)	/* E_RSVD is another reserved bit */
#define S_NONCANON	(1ull << 49)
#define S_CR3		(1ull << 50)	/* flush by a CR3 write, not INVLPG */
#define S_AD		(1ull << 51)	/* PKRU of the leaf's key */
#define S_WD		(1ull << 52)
#define S_PGE		(1ull << 53)	/* these are CR4 bits */
#define S_PSE		(1ull << 54)
#define S_PKE		(1ull << 55)
#define S_SMAP		(1ull << 56)
#define S_SMEP		(1ull << 57)
#define S_NXE		(1ull << 58)	/* EFER */
#define S_WP		(1ull << 59)	/* CR0 */

#define PROBE_PKEY	5

/* The probed page is seen at three offsets. */
#define AT_CODE		0		/* INT $0x21 */
#define AT_DATA		8		/* 32 bits, changed by writes */
#define AT_DESCRIPTOR	16		/* a data segment's */

#define NO_FAULT	0x21		/* "vector" of an access that works */

/* What the host or guest can do; depends on the virtual CPU. */
struct paging_cpu {
	unsigned int maxphyaddr;
	bool nx, smep, smap, pke, pse36, gbpages, la57;
};

/* One access, as the model and the stub see it. */
struct paging_access {
	enum paging_mode mode;
	uint64_t entry[LEVELS];		/* [level - 1] */
	uint64_t gva, cr0, cr4, efer;
	uint32_t pkru;
	bool user, write, fetch, implicit, ac;
};

/* What the architecture says to it. */
struct paging_verdict {
	uint32_t vector, error;
	uint64_t cr2;			/* for #PF */
	uint64_t gpa;			/* without a fault */
	uint64_t set[LEVELS];		/* bits that become set in the entries */
	uint64_t may_set[LEVELS];	/* and those that may */
};

/* The stub's work, and what came of it. The stub knows the layout. */
struct probe_case {
	uint64_t entry[LEVELS];
	uint64_t gva;
	uint32_t cr0, cr4, efer, pkru;
	uint32_t eflags, rip, cs, ss;
	uint32_t value;			/* what a write writes */
	uint32_t flush_cr3;
	/* results */
	uint32_t vector, error;
	uint64_t cr2;
	uint32_t got;			/* what a read has read */
	uint32_t after;			/* the target by another way */
	uint64_t left[LEVELS];		/* the entries afterwards */
};

static_assert(offsetof(struct probe_case, gva) == 40, "stub");
static_assert(offsetof(struct probe_case, cr0) == 48, "stub");
static_assert(offsetof(struct probe_case, eflags) == 64, "stub");
static_assert(offsetof(struct probe_case, value) == 80, "stub");
static_assert(offsetof(struct probe_case, vector) == 88, "stub");
static_assert(offsetof(struct probe_case, got) == 104, "stub");
static_assert(offsetof(struct probe_case, left) == 112, "stub");
static_assert(sizeof(struct probe_case) == 152, "stub");

/* Where the tested tables and page are, in one VM. */
struct paging_vm {
	enum paging_mode mode;
	struct paging_cpu cpu;
	struct guest *g;
	struct vcpu *v;
	uint64_t gva;
	uint64_t table[LEVELS];		/* gpa of the tested table of a level */
	uint64_t last_pdpte, cr0_always;
	struct probe_case *cases;
	uint8_t *low, *high;		/* the target pages here */
};

#define BATCH		2048		/* cases of one KVM_RUN */
#define TARGET_LOW	0x40345000ull
#define TARGET_HIGH	0x140345000ull
#define LOW_CONTENT	0x600d0000u
#define HIGH_CONTENT	0xb00d0000u

/* paging_set.c */
int mode_levels(enum paging_mode mode);
const char *mode_name(enum paging_mode mode);
bool set_legal(const struct paging_cpu *cpu, enum paging_mode mode, uint64_t set);
struct paging_access set_access(const struct paging_vm *p, uint64_t set);
void set_name(uint64_t set, enum paging_mode mode, char *text, size_t size);
int set_leaf(const struct paging_cpu *cpu, enum paging_mode mode, uint64_t set);

/* paging_model.c */
struct paging_verdict paging_model(const struct paging_cpu *cpu,
				   const struct paging_access *a);

/* paging_guest.c */
struct paging_vm *paging_vm(enum paging_mode mode, enum backing backing);
void paging_case(struct paging_vm *p, const struct paging_access *a,
		 uint32_t value, bool flush_cr3, struct probe_case *c);
void paging_run(struct paging_vm *p, unsigned int count);

#endif
