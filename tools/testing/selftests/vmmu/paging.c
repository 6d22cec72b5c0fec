// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every combination of what decides about an access, in each paging mode,
 * compared with a model of the architecture: fault or not, error code, CR2,
 * accessed and dirty bits at each level, the value read or written.
 *
 *	VMMU_FULL=1	all of them, not only what fits into some seconds
 *	VMMU_CASE=mode:0xSET	one alone, as a failure prints it
 *	VMMU_SEED=N	the random ones again
 */
#include <kselftest_harness.h>

#include "paging.h"

/* All of it takes minutes; whoever runs it quickly has a limit of his own. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 1500

#define QUICK_NS	1500000000ull	/* of one mode */
#define MAX_FAILURES	10
#define MAX_RESTARTS	2000

#define ALL_OPEN	(ENTRY(1, E_OPEN) | ENTRY(2, E_OPEN) | ENTRY(3, E_OPEN) | \
			 ENTRY(4, E_OPEN) | ENTRY(5, E_OPEN))
#define ACCESS		(S_WRITE | S_FETCH | S_USER)
#define CONTROLS	(S_WP | S_NXE | S_SMEP | S_SMAP | S_AC)
#define RIGHTS		(E_P | E_W | E_U | E_A | E_NX | E_RSVD)

/* All subsets of @vary, on top of @base. */
struct family {
	const char *name;
	uint64_t base, vary;
};

#define LEAF2	(ALL_OPEN | ENTRY(2, E_PS) | S_PSE)
#define LEAF3	(ALL_OPEN | ENTRY(3, E_PS))
#define NOT(level, bits) (ALL_OPEN & ~ENTRY(level, bits))

static const struct family families[] = {
	{ "unpaged", 0, ACCESS | S_IMPLICIT | CONTROLS | S_PSE | S_PGE },
	{ "4K page", NOT(1, E_OPEN),
	  ENTRY(1, RIGHTS | E_D) | ACCESS | CONTROLS },
	{ "2M or 4M page", LEAF2 & ~ENTRY(2, E_OPEN),
	  ENTRY(2, RIGHTS | E_D) | ACCESS | CONTROLS },
	{ "1G page", LEAF3 & ~ENTRY(3, E_OPEN),
	  ENTRY(3, RIGHTS | E_D) | ACCESS | CONTROLS },
	{ "table, level 2", NOT(2, E_OPEN), ENTRY(2, RIGHTS) | ACCESS | CONTROLS },
	{ "table, level 3", NOT(3, E_OPEN), ENTRY(3, RIGHTS) | ACCESS | CONTROLS },
	{ "table, level 4", NOT(4, E_OPEN),
	  ENTRY(4, RIGHTS | E_PS) | ACCESS | CONTROLS },
	{ "table, level 5", NOT(5, E_OPEN),
	  ENTRY(5, RIGHTS | E_PS) | ACCESS | CONTROLS },
	{ "key, 4K", NOT(1, E_W | E_U), ENTRY(1, E_W | E_U | E_NX) | ACCESS |
	  S_PKE | S_AD | S_WD | CONTROLS },
	{ "key, 2M", LEAF2 & ~ENTRY(2, E_P | E_U), ENTRY(2, E_P | E_U) | ACCESS |
	  S_PKE | S_AD | S_WD | S_WP | S_SMAP | S_AC },
	{ "key, table not for users", NOT(3, E_U), ENTRY(3, E_U) | ACCESS |
	  S_PKE | S_AD | S_WD | S_WP },
	{ "descriptor", NOT(1, E_U | E_A), ENTRY(1, E_P | E_U | E_A) | S_IMPLICIT |
	  S_USER | S_SMAP | S_AC | S_WP | S_NXE },
	{ "page sizes", ALL_OPEN, ENTRY(1, E_PS) | ENTRY(2, E_PS) | ENTRY(3, E_PS) |
	  ENTRY(1, E_A | E_D) | ACCESS | S_PSE | S_HIGH | S_AVL },
	{ "4K, accessed and dirty", NOT(1, E_A | E_D) & ~ENTRY(2, E_A),
	  ENTRY(1, E_A | E_D | E_W) | ENTRY(2, E_A | E_D) | ENTRY(3, E_A | E_D) |
	  ENTRY(4, E_A | E_D) | ENTRY(5, E_A | E_D) | ACCESS },
	{ "global", ALL_OPEN, ENTRY(1, E_P | E_W | E_U) | ENTRY(2, E_PS) | S_G |
	  S_PGE | S_PSE | S_WRITE | S_USER | S_HIGH },
	{ "flush by CR3", NOT(1, E_P | E_W), ENTRY(1, E_P | E_W | E_A | E_D) |
	  ENTRY(2, E_P | E_W | E_PS) | ENTRY(3, E_P | E_W) | ENTRY(4, E_W) |
	  ACCESS | S_PSE | S_CR3 },
	{ "reserved address bits", LEAF2, ENTRY(2, E_RSVD | E_PS) |
	  ENTRY(1, E_RSVD) | ENTRY(3, E_RSVD | E_PS) | S_RSVD2 | S_PSE | ACCESS |
	  S_NXE },
	{ "not canonical", ALL_OPEN | S_NONCANON, ENTRY(4, E_P) | ENTRY(1, E_W) |
	  ACCESS | S_SMAP | S_SMEP | S_WP },
	{ "rights of all levels", ALL_OPEN & ~(ENTRY(1, E_W | E_U) |
	  ENTRY(2, E_W | E_U) | ENTRY(3, E_W | E_U) | ENTRY(4, E_W | E_U) |
	  ENTRY(5, E_W | E_U)), ENTRY(1, E_W | E_U) | ENTRY(2, E_W | E_U) |
	  ENTRY(3, E_W | E_U) | ENTRY(4, E_W | E_U) | ENTRY(5, E_W | E_U) |
	  ACCESS | S_WP },
};

/* These take long; without VMMU_FULL some of each. */
static const struct family more_families[] = {
	{ "two levels, 4K", NOT(1, E_OPEN) & ~ENTRY(2, E_OPEN),
	  ENTRY(1, RIGHTS | E_D) | ENTRY(2, RIGHTS) | ACCESS | CONTROLS },
	{ "two levels, 2M", LEAF2 & ~(ENTRY(2, E_OPEN) | ENTRY(3, E_OPEN)),
	  ENTRY(2, RIGHTS | E_D) | ENTRY(3, RIGHTS) | ACCESS | CONTROLS },
	{ "two levels, 1G", LEAF3 & ~(ENTRY(3, E_OPEN) | ENTRY(4, E_OPEN)),
	  ENTRY(3, RIGHTS | E_D) | ENTRY(4, RIGHTS) | ACCESS | CONTROLS },
	{ "two upper levels", NOT(4, E_OPEN) & ~ENTRY(5, E_OPEN),
	  ENTRY(4, RIGHTS) | ENTRY(5, RIGHTS) | ACCESS | CONTROLS },
};

/*
 * What QEMU's interpreter and Bochs do otherwise than the manuals, whichever
 * hypervisor runs in them, in-tree KVM too, and what in-tree KVM does. Each is
 * accepted there only.
 */
enum exception {
	TCG_RSVD_WITHOUT_P,
	TCG_PDPTE_ACCESSED,
	TCG_1G_ACCESSED,
	SMAP_AC_IMPLICIT,
	KVM_ID_WITHOUT_PAE,
	KVM_IMPLICIT_LOOP,
	EXCEPTIONS
};

static const char * const exception_names[EXCEPTIONS] = {
	[TCG_RSVD_WITHOUT_P] = "a reserved bit in a walk by TCG faults without P in the error code",
	[TCG_PDPTE_ACCESSED] = "TCG sets the accessed bit of a PAE PDPTE, where it is reserved",
	[TCG_1G_ACCESSED] = "TCG sets the accessed bit of a 1G page before it checks the rights",
	[SMAP_AC_IMPLICIT] = "AC lifts SMAP for the processor's own reads: TCG at CPL 0, Bochs",
	[KVM_ID_WITHOUT_PAE] = "in-tree KVM, shadow: EFER.NXE reports fetches without CR4.PAE",
	[KVM_IMPLICIT_LOOP] = "not run: in-tree KVM, shadow, loops on SMAP and AC at CPL 3",
};

/* One mode's run. */
struct run {
	struct paging_vm *p;
	uint64_t set[BATCH];
	uint32_t content[2];		/* of the low and the high target */
	uint64_t again[BATCH];		/* could not start */
	unsigned int n, limit, failures, nr_again, restarts;
	unsigned long done, excepted[EXCEPTIONS];
	uint32_t serial;
	bool tcg, bochs, kvm_shadow;
};

static void print_case(const char *what, const struct paging_vm *p, uint64_t set,
		       const struct probe_case *c, const struct paging_verdict *v)
{
	char name[512];
	int l;

	set_name(set, p->mode, name, sizeof(name));
	printf("# %s\n#   VMMU_CASE=%s\n", what, name);
	printf("#   expected vector %u error %#x cr2 %#llx, got %u %#x %#llx\n",
	       v->vector, v->error, (long long)v->cr2, c->vector, c->error,
	       (long long)c->cr2);
	printf("#   read %#x, target afterwards %#x; cr0 %#x cr4 %#x efer %#x pkru %#x gva %#llx\n",
	       c->got, c->after, c->cr0, c->cr4, c->efer, c->pkru, (long long)c->gva);
	for (l = mode_levels(p->mode); l; l--)
		printf("#   level %d: %#llx -> %#llx, must set %#llx, may %#llx\n", l,
		       (long long)c->entry[l - 1], (long long)c->left[l - 1],
		       (long long)v->set[l - 1], (long long)v->may_set[l - 1]);
}

/* Bend the verdict to what both interpreters are known to do in just this case. */
static void smap_exception(struct run *r, const struct paging_access *a,
			   const struct probe_case *c, struct paging_verdict *v)
{
	struct paging_access lax = *a;

	if (!a->implicit || !a->ac || v->vector != PF_VECTOR || c->vector != NO_FAULT)
		return;
	if (a->user && !r->bochs)
		return;
	lax.implicit = false;
	*v = paging_model(&r->p->cpu, &lax);
	r->excepted[SMAP_AC_IMPLICIT]++;
}

/* The same for what only TCG does. */
static void tcg_exceptions(struct run *r, const struct paging_access *a,
			   const struct probe_case *c, struct paging_verdict *v)
{
	uint64_t e3 = a->entry[2], left3 = c->left[2];

	if (c->vector == PF_VECTOR && v->vector == PF_VECTOR &&
	    (v->error & 9) == 9 && c->error == (v->error & ~1u)) {
		v->error = c->error;
		r->excepted[TCG_RSVD_WITHOUT_P]++;
	}
	if (a->mode == MODE_PAE && left3 == (e3 | PTE_A) && left3 != e3) {
		v->may_set[2] |= PTE_A;
		r->excepted[TCG_PDPTE_ACCESSED]++;
	}
	if (a->mode >= MODE_4LEVEL && (e3 & PTE_PS) && v->vector == PF_VECTOR &&
	    left3 == (e3 | PTE_A) && left3 != e3) {
		v->may_set[2] |= PTE_A;
		r->excepted[TCG_1G_ACCESSED]++;
	}
}

static const char *wrong_entries(const struct probe_case *c,
				 const struct paging_verdict *v)
{
	int l;

	for (l = 0; l < LEVELS; l++) {
		uint64_t changed = c->entry[l] ^ c->left[l];
		uint64_t must = v->set[l] & ~c->entry[l];

		if ((changed & must) != must)
			return "accessed or dirty bit missing";
		if (changed & ~(must | v->may_set[l]))
			return "entry changed";
	}
	return NULL;
}

/* What is wrong with the outcome of a case, or NULL; follows the contents. */
static const char *wrong(struct run *r, const struct paging_access *a,
			 const struct probe_case *c, const struct paging_verdict *v)
{
	uint32_t *content = &r->content[v->gpa >> 32 ? 1 : 0];

	if (c->vector != v->vector)
		return c->vector == NO_FAULT ? "no fault" :
		       v->vector == NO_FAULT ? "fault" : "another vector";
	if (c->vector == PF_VECTOR && c->cr2 != v->cr2)
		return "CR2";
	if (c->vector != NO_FAULT && c->error != v->error)
		return "error code";
	if (c->vector == NO_FAULT && a->write)
		*content = c->value;
	if (c->vector == NO_FAULT && !a->write && !a->fetch && !a->implicit &&
	    c->got != *content)
		return "value read";
	if (c->after != r->content[0])
		return "value written";
	return wrong_entries(c, v);
}

/*
 * PDPTEs with the bit that TCG sets do not load: the stub clears it just before,
 * but another exit may come between, and #GP. It could not start then.
 */
static bool not_started(struct run *r, unsigned int i)
{
	if (!r->tcg || r->p->mode != MODE_PAE ||
	    r->p->cases[i].vector != GP_VECTOR || r->restarts == MAX_RESTARTS)
		return false;
	r->restarts++;
	r->again[r->nr_again++] = r->set[i];
	return true;
}

static void judge(struct run *r, unsigned int i)
{
	const struct probe_case *c = &r->p->cases[i];
	struct paging_access a = set_access(r->p, r->set[i]);
	struct paging_verdict v = paging_model(&r->p->cpu, &a);
	const char *what;

	if (not_started(r, i))
		return;
	if (r->tcg || r->bochs)
		smap_exception(r, &a, c, &v);
	if (r->tcg)
		tcg_exceptions(r, &a, c, &v);
	if (r->kvm_shadow && a.fetch && a.mode == MODE_2LEVEL &&
	    (a.efer & EFER_NX) && v.vector == PF_VECTOR && !(v.error & 0x10)) {
		v.error |= 0x10;
		r->excepted[KVM_ID_WITHOUT_PAE]++;
	}
	what = wrong(r, &a, c, &v);
	if (!what)
		return;
	if (r->failures++ < MAX_FAILURES)
		print_case(what, r->p, r->set[i], c, &v);
	/* Go on from what is really there. */
	r->content[0] = c->after;
}

static void put(struct run *r, uint64_t set)
{
	struct paging_access a = set_access(r->p, set);

	r->set[r->n] = set;
	paging_case(r->p, &a, ++r->serial, set & S_CR3, &r->p->cases[r->n++]);
}

static void flush(struct run *r)
{
	uint64_t start = now_ns();
	unsigned int i;

	if (!r->n)
		return;
	paging_run(r->p, r->n);
	/* A batch that takes long would not see that time is up. */
	if (now_ns() - start > 20000000)
		r->limit = r->limit > 32 ? r->limit / 2 : 32;
	else if (now_ns() - start < 5000000 && r->limit < BATCH)
		r->limit *= 2;
	for (i = 0; i < r->n; i++)
		judge(r, i);
	if (*(uint32_t *)(r->p->high + AT_DATA) != r->content[1]) {
		printf("# the high target holds %#x, not %#x\n",
		       *(uint32_t *)(r->p->high + AT_DATA), r->content[1]);
		r->content[1] = *(uint32_t *)(r->p->high + AT_DATA);
		r->failures++;
	}
	r->done += r->n - r->nr_again;
	r->n = 0;
	while (r->nr_again)
		put(r, r->again[--r->nr_again]);
}

static void flush_all(struct run *r)
{
	while (r->n)
		flush(r);
}

static void add(struct run *r, uint64_t set)
{
	const uint64_t loop = S_IMPLICIT | S_USER | S_AC | S_SMAP;

	if (r->kvm_shadow && r->p->mode && (set & loop) == loop) {
		r->excepted[KVM_IMPLICIT_LOOP]++;
		return;
	}
	put(r, set);
	if (r->n >= r->limit)
		flush(r);
}

/* The subset of @vary whose number is @i. */
static uint64_t spread(uint64_t i, uint64_t vary)
{
	uint64_t bit, set = 0;

	for (; vary; vary &= vary - 1, i >>= 1) {
		bit = vary & -vary;
		set |= i & 1 ? bit : 0;
	}
	return set;
}

/* Bits of the base that mean nothing in a mode, and levels it has not. */
static uint64_t fit(enum paging_mode mode, uint64_t set)
{
	int l;

	for (l = mode_levels(mode) + 1; l <= LEVELS; l++)
		set &= ~ENTRY(l, 0xff);
	return set;
}

static bool full(void)
{
	const char *text = getenv("VMMU_FULL");

	return text && *text && *text != '0';
}

#define CHUNK	512		/* combinations in a row, of one family */

/* One chunk of the family; the number of legal combinations in it. */
static void run_chunk(struct run *r, const struct family *f, uint64_t first)
{
	uint64_t i, end = 1ull << __builtin_popcountll(f->vary);

	for (i = first; i < end && i < first + CHUNK; i++) {
		uint64_t set = f->base | spread(i, f->vary);

		if (set_legal(&r->p->cpu, r->p->mode, set))
			add(r, set);
	}
}

/* Which bits of the family this mode can tell apart. */
static bool narrow(const struct paging_vm *p, struct family *f)
{
	uint64_t base = fit(p->mode, f->base), vary = fit(p->mode, f->vary), bit;

	/* A family of a level that the mode has not got. */
	if ((f->vary & (ALL_OPEN | ENTRY(4, E_PS) | ENTRY(5, E_PS))) && !(vary & 0xffffffffffull))
		return false;
	for (bit = 1; bit; bit <<= 1) {
		if (!(vary & bit))
			continue;
		if (p->mode == MODE_2LEVEL && (bit & (ENTRY(1, E_NX | E_RSVD) | ENTRY(2, E_NX))))
			vary &= ~bit;
		if ((bit & (S_PKE | S_AD | S_WD)) && (p->mode < MODE_4LEVEL || !p->cpu.pke))
			vary &= ~bit;
	}
	if (p->mode == MODE_PAE) {
		base |= ENTRY(3, E_OPEN & ~E_P);
		base &= ~ENTRY(3, E_PS);
		vary &= ~ENTRY(3, 0xff & ~E_P);
	}
	f->base = base;
	f->vary = vary;
	return true;
}

static void run_family(struct run *r, const struct family *of, uint64_t budget)
{
	struct family f = *of;
	uint64_t n, i, at = 0, start = now_ns(), chunks, step;
	unsigned long before = r->done;
	unsigned int failed = r->failures;

	if (!narrow(r->p, &f))
		return;
	n = 1ull << __builtin_popcountll(f.vary);
	chunks = (n + CHUNK - 1) / CHUNK;
	/* Chunks in an order that spreads what is done over what is not. */
	step = chunks > 3 ? chunks * 5 / 8 | 1 : 1;
	while (chunks > 1 && step > 1 && chunks % step == 0)
		step += 2;
	for (i = 0; i < chunks; i++, at = (at + step) % chunks) {
		run_chunk(r, &f, at * CHUNK);
		if (!full() && now_ns() - start > budget)
			break;
	}
	flush_all(r);
	if (r->done == before)
		return;
	printf("# %s, %s: %lu combinations%s, %u failures, %llu ms\n",
	       mode_name(r->p->mode), f.name, r->done - before,
	       i < chunks ? " (no time for more)" : "", r->failures - failed,
	       (unsigned long long)(now_ns() - start) / 1000000);
}

/* Any bits, made to go together. */
static uint64_t random_set(struct run *r, uint64_t *s)
{
	static const uint64_t kinds[] = { 0, S_WRITE, S_FETCH, S_IMPLICIT };
	enum paging_mode mode = r->p->mode;
	uint64_t set = rng(s) & ~(S_WRITE | S_FETCH | S_IMPLICIT | S_NONCANON);
	int l, leaf;

	set &= (S_WP << 1) - 1;
	set |= kinds[rng(s) % 4];
	/* Much that faults at once would leave little to see. */
	for (l = 1; l <= LEVELS; l++) {
		set &= ~ENTRY(l, rng(s) % 8 ? E_RSVD : 0);
		set &= ~ENTRY(l, l > 3 && rng(s) % 8 ? E_PS : 0);
		set |= ENTRY(l, rng(s) % 8 ? E_P | E_U : 0);
	}
	set &= set & S_SMAP ? ~0ull : ~S_AC;
	set &= set & S_CR3 ? ~(S_G | S_PGE) : ~0ull;
	if (mode < MODE_4LEVEL || !r->p->cpu.pke)
		set &= ~S_PKE;
	set &= set & S_PKE ? ~0ull : ~(S_AD | S_WD);
	if (mode == MODE_2LEVEL)
		set &= ~(ENTRY(1, E_NX | E_RSVD) | ENTRY(2, E_NX));
	if (mode == MODE_PAE)
		set = (set & ~ENTRY(3, 0xff)) | ENTRY(3, E_OPEN);
	leaf = set_leaf(&r->p->cpu, mode, set);
	for (l = 1; l < leaf; l++)
		set = (set & ~ENTRY(l, 0xff)) | ENTRY(l, E_OPEN);
	if (mode == MODE_2LEVEL && leaf == 1)
		set &= ~(ENTRY(2, E_RSVD) | S_HIGH);
	if (mode == MODE_2LEVEL || rng(s) % 4)
		set &= ~S_RSVD2;
	return fit(mode, set);
}

static void run_random(struct run *r, uint64_t budget)
{
	uint64_t s = seed(), start = now_ns(), set, tries = 0;
	const uint64_t slow = S_WP | S_NXE | S_SMEP | S_SMAP | S_PKE;
	unsigned long before = r->done;
	uint64_t controls = 0;

	/* Registers whose change may be an exit stay for a while. */
	while (now_ns() - start < budget || (r->done == before && r->n < 32)) {
		if (tries++ % 64 == 0)
			controls = rng(&s) & slow;
		set = random_set(r, &s);
		set = (set & ~slow) | (set & (rng(&s) % 64 ? 0 : slow)) | controls;
		set &= set & S_SMAP ? ~0ull : ~S_AC;
		set &= r->p->cpu.pke && r->p->mode >= MODE_4LEVEL ? ~0ull : ~S_PKE;
		set &= set & S_PKE ? ~0ull : ~(S_AD | S_WD);
		if (set_legal(&r->p->cpu, r->p->mode, set))
			add(r, set);
	}
	flush_all(r);
	printf("# %s, random: %lu combinations of %llu\n",
	       mode_name(r->p->mode), r->done - before,
	       (unsigned long long)tries);
}

static bool run_one(struct run *r)
{
	const char *text = getenv("VMMU_CASE"), *colon = text ? strchr(text, ':') : NULL;
	uint64_t set;

	if (!colon)
		return false;
	if (strncmp(text, mode_name(r->p->mode), colon - text))
		return true;
	set = strtoull(colon + 1, NULL, 0);
	if (!set_legal(&r->p->cpu, r->p->mode, set))
		DIE("%s makes no sense here", text);
	add(r, set);
	flush_all(r);
	return true;
}

/* Of the time until @end, for one of @left; nothing left: as little as there is. */
static uint64_t share(uint64_t end, unsigned int left)
{
	uint64_t now = now_ns();

	return now < end ? (end - now) / left : 0;
}

static void all(struct __test_metadata *_metadata, enum paging_mode mode,
		enum backing backing)
{
	struct run *r = calloc(1, sizeof(*r));
	unsigned int i, left = ARRAY_SIZE(families) + ARRAY_SIZE(more_families) + 1;
	uint64_t end;

	ASSERT_NE(NULL, r);
	setlinebuf(stdout);
	r->p = paging_vm(mode, backing);
	if (!r->p) {
		SKIP(return, "no such mode here");
	}
	r->tcg = on_tcg();
	r->bochs = on_bochs();
	r->kvm_shadow = on_kvm_shadow();
	r->limit = 32;
	r->content[0] = LOW_CONTENT;
	r->content[1] = HIGH_CONTENT;
	if (run_one(r)) {
		ASSERT_EQ(0, r->failures);
		return;
	}
	end = now_ns() + QUICK_NS;
	for (i = 0; i < ARRAY_SIZE(families); i++)
		run_family(r, &families[i], share(end, left--));
	for (i = 0; i < ARRAY_SIZE(more_families); i++)
		run_family(r, &more_families[i], share(end, left--));
	if (mode)
		run_random(r, full() ? QUICK_NS : share(end, 1));
	for (i = 0; i < EXCEPTIONS; i++)
		if (r->excepted[i])
			printf("# %lu times: %s\n", r->excepted[i],
			       exception_names[i]);
	ASSERT_NE(0, r->done);
	ASSERT_EQ(0, r->failures);
}

TEST(unpaged)
{
	all(_metadata, MODE_UNPAGED, MEM_SMALL);
}

TEST(two_levels)
{
	all(_metadata, MODE_2LEVEL, MEM_SMALL);
}

TEST(pae)
{
	all(_metadata, MODE_PAE, MEM_SMALL);
}

TEST(four_levels)
{
	all(_metadata, MODE_4LEVEL, MEM_SMALL);
}

TEST(four_levels_over_huge_pages)
{
	all(_metadata, MODE_4LEVEL, MEM_THP);
}

TEST(five_levels)
{
	all(_metadata, MODE_5LEVEL, MEM_SMALL);
}

TEST_HARNESS_MAIN
