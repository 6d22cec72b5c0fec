// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM in one paging mode, ready for probes: this program, the cases and the
 * tables one to one for the supervisor, the accesses' code once more for the
 * user, and one path of tables, one per level, of which each case says the
 * entries.
 */
#include "paging.h"

#define USER_CODE	0x80000000ull		/* the stub again, for CPL 3 */
#define CASES		0x2000000ull		/* gpa, in a slot of its own */
#define CASES_SIZE	MB
#define ALIAS		(CASES + CASES_SIZE)	/* gva of the low target */
#define MAPPED		(GUEST_RAM)
#define GVA_LOW		(TARGET_LOW & (GB - 1))

#define SEL_LDT		0x50
#define IN_GDT_TSS	0x100		/* in the same page */

static_assert(BATCH * sizeof(struct probe_case) <= CASES_SIZE, "too many");

/* The stub's own state; its layout is in paging_stub.S. */
struct probe {
	uint32_t entry[LEVELS], entry_size;
	uint32_t at, count, alias, stack;
	uint32_t cr0, cr4, efer, pkru, eax, cr3, pdpt;
} probe;

static_assert(offsetof(struct probe, entry_size) == 20, "stub");
static_assert(offsetof(struct probe, cr0) == 40, "stub");
static_assert(offsetof(struct probe, pdpt) == 64, "stub");

extern char probe_boot32[], probe_boot64[];
extern char probe_vectors32[], probe_vectors64[];
extern char probe_read32[], probe_read64[];
extern char probe_write32[], probe_write64[];
extern char probe_implicit32[], probe_implicit64[];

static bool long_mode(const struct paging_vm *p)
{
	return p->mode >= MODE_4LEVEL;
}

/* ---- tables ---- */

static unsigned int index_of(const struct paging_vm *p, uint64_t gva, int level)
{
	if (p->mode == MODE_2LEVEL)
		return gva >> (12 + 10 * (level - 1)) & 1023;
	return gva >> (12 + 9 * (level - 1)) & (p->mode == MODE_PAE && level == 3 ? 3 : 511);
}

static uint64_t read_entry(struct paging_vm *p, uint64_t table, unsigned int i)
{
	void *t = guest_hva(p->g, table);

	return p->mode == MODE_2LEVEL ? ((uint32_t *)t)[i] : ((uint64_t *)t)[i];
}

static void write_entry(struct paging_vm *p, uint64_t table, unsigned int i,
			uint64_t e)
{
	void *t = guest_hva(p->g, table);

	if (p->mode == MODE_2LEVEL)
		((uint32_t *)t)[i] = e;
	else
		((uint64_t *)t)[i] = e;
}

/* One 4K page; accessed and dirty, so that the stub leaves no traces. */
static void map_page(struct paging_vm *p, uint64_t gva, uint64_t gpa, uint64_t bits)
{
	uint64_t table = p->table[mode_levels(p->mode) - 1], e;
	int l;

	for (l = mode_levels(p->mode); l > 1; l--) {
		unsigned int i = index_of(p, gva, l);

		e = read_entry(p, table, i);
		if (!(e & PTE_P)) {
			e = guest_page(p->g) | PTE_P;
			if (p->mode != MODE_PAE || l != 3)
				e |= PTE_W | PTE_U | PTE_A;
			write_entry(p, table, i, e);
		}
		table = e & 0x000ffffffffff000ull;
	}
	write_entry(p, table, index_of(p, gva, 1),
		    gpa | bits | PTE_P | PTE_A | PTE_D);
}

static void build_tables(struct paging_vm *p)
{
	uint64_t a, code = (uint64_t)probe_boot32 & ~(PAGE - 1);
	int l;

	for (l = mode_levels(p->mode); l; l--)
		p->table[l - 1] = guest_page(p->g);
	for (a = 0; a < MAPPED; a += PAGE)
		map_page(p, a, a, PTE_W);
	for (a = CASES; a < CASES + CASES_SIZE; a += PAGE)
		map_page(p, a, a, PTE_W);
	map_page(p, ALIAS, TARGET_LOW, PTE_W);
	for (a = 0; a < 2 * PAGE; a += PAGE)
		map_page(p, USER_CODE + a, code + a, PTE_U);
	p->gva = GVA_LOW | (long_mode(p) ? 5ull << 39 | 7ull << 30 : 3ull << 30);
	if (p->mode == MODE_5LEVEL)
		p->gva |= 9ull << 48;
}

/* ---- descriptors ---- */

static void build_idt(struct paging_vm *p)
{
	uint32_t *idt = guest_hva(p->g, GUEST_IDT);
	char *stubs = long_mode(p) ? probe_vectors64 : probe_vectors32;
	int i, words = long_mode(p) ? 4 : 2;

	memset(idt, 0, PAGE);
	for (i = 0; i < 34; i++) {
		uint64_t at = (uint64_t)stubs + 16 * i;
		uint32_t dpl = i == NO_FAULT ? 3 : 0;

		idt[words * i] = (at & 0xffff) | SEL_CODE64 << 16;
		idt[words * i + 1] = (at & 0xffff0000) | 0x8e00 | dpl << 13;
	}
}

/* A GDT in which SEL_CODE64 and SEL_USER_CODE are code of this mode. */
static void build_gdt(struct paging_vm *p, uint64_t gdt_gpa)
{
	uint64_t *gdt = guest_hva(p->g, gdt_gpa);
	uint64_t size = long_mode(p) ? 0x0020000000000000ull : 0x0040000000000000ull;

	gdt[SEL_CODE64 >> 3] = 0x008f9b000000ffffull | size;
	gdt[SEL_DATA >> 3] = 0x00cf93000000ffffull;
	gdt[SEL_USER_CODE >> 3] = 0x008ffb000000ffffull | size;
	gdt[SEL_USER_DATA >> 3] = 0x00cff3000000ffffull;
	gdt[SEL_TSS >> 3] = 0x0000890000000067ull | (gdt_gpa + IN_GDT_TSS) << 16;
}

static void set_tss(struct paging_vm *p, uint64_t tss_gpa, uint32_t stack)
{
	uint32_t *tss = guest_hva(p->g, tss_gpa);

	memset(tss, 0, 104);
	tss[1] = stack;				/* ESP0 or RSP0, low half */
	if (!long_mode(p))
		tss[2] = SEL_DATA;		/* SS0 */
	tss[25] = 104u << 16;			/* no I/O map */
}

static struct kvm_segment flat(uint16_t selector, int type, bool code64)
{
	return (struct kvm_segment) {
		.limit = 0xffffffff, .selector = selector, .type = type,
		.present = 1, .dpl = selector & 3, .s = 1, .g = 1,
		.l = code64, .db = !code64,
	};
}

static void set_mode(struct paging_vm *p)
{
	uint64_t page = guest_page(p->g);
	struct kvm_sregs s = vcpu_sregs(p->v);
	struct kvm_regs r = {
		.rip = (uint64_t)(long_mode(p) ? probe_boot64 : probe_boot32),
		.rflags = X86_FLAGS_FIXED,
	};
	struct paging_access a = set_access(p, S_PSE);

	build_gdt(p, page);
	set_tss(p, page + IN_GDT_TSS, GUEST_STACK(0) - 16);
	s.cs = flat(SEL_CODE64, 11, long_mode(p));
	s.ss = flat(SEL_DATA, 3, false);
	s.ds = flat(SEL_USER_DATA, 3, false);
	s.es = s.ds;
	s.fs = s.ds;
	s.gs = s.ds;
	s.tr = (struct kvm_segment) {
		.base = page + IN_GDT_TSS,
		.limit = 103, .selector = SEL_TSS,
		.type = 11, .present = 1,
	};
	s.ldt = (struct kvm_segment) {
		.base = p->gva, .limit = 23, .selector = SEL_LDT,
		.type = 2, .present = 1,
	};
	s.gdt.base = page;
	s.gdt.limit = 0xff;
	s.idt.base = GUEST_IDT;
	s.idt.limit = 34 * (long_mode(p) ? 16 : 8) - 1;
	s.cr0 = a.cr0;
	s.cr3 = p->mode ? p->table[mode_levels(p->mode) - 1] : 0;
	s.cr4 = a.cr4;
	s.efer = a.efer;
	vcpu_set_sregs(p->v, &s);
	vcpu_set_regs(p->v, &r);
}

/* ---- the processor and the target ---- */

static const struct kvm_cpuid_entry2 *leaf(const struct guest *g, uint32_t function)
{
	static const struct kvm_cpuid_entry2 none;
	uint32_t i;

	for (i = 0; i < g->cpuid->nent; i++)
		if (g->cpuid->entries[i].function == function &&
		    !g->cpuid->entries[i].index)
			return &g->cpuid->entries[i];
	return &none;
}

static struct paging_cpu cpu_of(const struct guest *g)
{
	const struct kvm_cpuid_entry2 *seven = leaf(g, 7), *ext = leaf(g, 0x80000001);
	struct paging_cpu cpu = {
		.maxphyaddr = leaf(g, 0x80000008)->eax & 0xff,
		.nx = ext->edx >> 20 & 1,
		.smep = seven->ebx >> 7 & 1,
		.smap = seven->ebx >> 20 & 1,
		.pke = seven->ecx >> 3 & 1,
		.pse36 = leaf(g, 1)->edx >> 17 & 1,
		.gbpages = ext->edx >> 26 & 1,
		.la57 = seven->ecx >> 16 & 1,
	};

	return cpu;
}

static uint8_t *target(struct guest *g, uint64_t gpa, uint32_t content,
		       enum backing backing)
{
	uint64_t in_slot = gpa & (4 * MB - 1);
	uint8_t *page = (uint8_t *)guest_mem(g, gpa - in_slot, 4 * MB, backing) + in_slot;
	const uint64_t descriptor = 0x00cff3000000ffffull;

	memcpy(page + AT_CODE, "\xcd\x21", 2);
	memcpy(page + AT_DATA, &content, 4);
	memcpy(page + AT_DESCRIPTOR, &descriptor, 8);
	return page;
}

struct paging_vm *paging_vm(enum paging_mode mode, enum backing backing)
{
	struct paging_vm *p = calloc(1, sizeof(*p));
	struct probe *state;
	int l;

	if (!p)
		DIE("no memory");
	p->mode = mode;
	p->cr0_always = cr0_always();
	p->g = guest_new(0);
	p->cpu = cpu_of(p->g);
	if (mode == MODE_5LEVEL && !p->cpu.la57)
		return NULL;
	p->v = guest_vcpu_bare(p->g);
	vcpu_set_cpuid(p->v);
	p->cases = guest_mem(p->g, CASES, CASES_SIZE, MEM_SMALL);
	p->low = target(p->g, TARGET_LOW, LOW_CONTENT, backing);
	p->high = target(p->g, TARGET_HIGH, HIGH_CONTENT, backing);
	p->gva = TARGET_LOW;
	state = &guest_var(p->g, probe);
	if (mode)
		build_tables(p);
	build_idt(p);
	for (l = 1; l <= mode_levels(mode); l++)
		state->entry[l - 1] = p->table[l - 1] + index_of(p, p->gva, l) *
				      (mode == MODE_2LEVEL ? 4 : 8);
	state->entry_size = mode == MODE_2LEVEL ? 4 : 8;
	state->alias = (mode ? ALIAS : TARGET_LOW) + AT_DATA;
	state->stack = GUEST_STACK(0) - 16;
	state->cr3 = mode ? p->table[mode_levels(mode) - 1] : 0;
	state->pdpt = mode == MODE_PAE ? state->cr3 : 0;
	set_mode(p);
	/* What the stub has not set yet differs from anything. */
	state->cr0 = 0;
	state->cr4 = ~0u;
	state->efer = ~0u;
	state->pkru = ~0u;
	return p;
}

static uint32_t code_at(const struct paging_vm *p, const struct paging_access *a)
{
	bool l = long_mode(p);
	char *at = a->write ? (l ? probe_write64 : probe_write32) :
		   a->implicit ? (l ? probe_implicit64 : probe_implicit32) :
		   l ? probe_read64 : probe_read32;
	uint64_t code = (uint64_t)probe_boot32 & ~(PAGE - 1);

	if (a->fetch)
		return 0;			/* at the address itself */
	return (uint64_t)at - (a->user && p->mode ? code - USER_CODE : 0);
}

/* Write down for the stub what to do. */
void paging_case(struct paging_vm *p, const struct paging_access *a,
		 uint32_t value, bool flush_cr3, struct probe_case *c)
{
	*c = (struct probe_case) {
		.gva = a->gva, .cr0 = a->cr0, .cr4 = a->cr4, .efer = a->efer,
		.pkru = a->pkru,
		.eflags = X86_FLAGS_FIXED | (a->ac ? 1u << 18 : 0),
		.rip = code_at(p, a),
		.cs = a->user ? SEL_USER_CODE : SEL_CODE64,
		.ss = a->user ? SEL_USER_DATA : SEL_DATA,
		.value = value,
		.flush_cr3 = flush_cr3,
	};
	memcpy(c->entry, a->entry, sizeof(c->entry));
	/* The processor holds PDPTEs; it reads them with CR3. */
	if (p->mode == MODE_PAE) {
		c->flush_cr3 |= a->entry[2] != p->last_pdpte;
		p->last_pdpte = a->entry[2];
	}
}

/* Run the first @count cases. */
void paging_run(struct paging_vm *p, unsigned int count)
{
	struct probe *state = &guest_var(p->g, probe);

	state->at = CASES;
	state->count = count;
	run_sync(p->v);
}
