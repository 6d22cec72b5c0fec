// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the parts of cpu/svm/ that are pure functions. The MSR permission map
 * against the manual's table, the intercept policy condition by condition, what
 * shadow tables need of the control registers, segments there and back, ASIDs over
 * the end of a generation.
 */
#include <kunit/test.h>
#include <linux/random.h>
#include "intercept.h"
#include "vmcb.h"

/* ---- MSR permission map: APM vol. 2, 15.11 ---- */

static void msrpm_bits(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0), 0);
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0x174), 0x174 * 2);
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0x1fff), 0x7ff * 8 + 6);
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0xc0000000), 0x800 * 8);
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0xc0000102), 0x800 * 8 + 0x204);
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0xc0010117), 0x1000 * 8 + 0x22e);
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0x2000), -1);
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0xbfffffff), -1);
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0xc0002000), -1);
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0xc0012000), -1);
	KUNIT_EXPECT_EQ(test, svm_msrpm_bit(0xffffffff), -1);
}

/* In the maps in use, only what VMLOAD and VMSAVE move passes, reads and writes alike. */
static void msrpm_content(struct kunit *test)
{
	static const u32 pass[] = {
		0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
		0xc0000100, 0xc0000101, 0xc0000102,
	};
	unsigned long *map, *all;
	int i, clear = 0;

	map = page_address(svm_host.msrpm);
	all = page_address(svm_host.msrpm_all);
	for (i = 0; i < ARRAY_SIZE(pass); i++) {
		int bit = svm_msrpm_bit(pass[i]);

		KUNIT_EXPECT_FALSE(test, test_bit(bit, map));
		KUNIT_EXPECT_FALSE(test, test_bit(bit + 1, map));
	}
	for (i = 0; i < 2 * PAGE_SIZE * 8; i++)
		clear += !test_bit(i, map);
	KUNIT_EXPECT_EQ(test, clear, 2 * (int)ARRAY_SIZE(pass));
	KUNIT_EXPECT_EQ(test, find_first_zero_bit(all, 2 * PAGE_SIZE * 8), 2 * PAGE_SIZE * 8);
}

/* ---- intercepts ---- */

static bool has(const u32 words[MAX_INTERCEPT], unsigned int nr)
{
	return words[nr / 32] & BIT(nr % 32);
}

static unsigned int count(const u32 words[MAX_INTERCEPT])
{
	unsigned int i, n = 0;

	for (i = 0; i < MAX_INTERCEPT; i++)
		n += hweight32(words[i]);
	return n;
}

static void intercepts_at_least(struct kunit *test)
{
	static const u8 must[] = {
		INTERCEPT_INTR, INTERCEPT_NMI, INTERCEPT_SMI, INTERCEPT_INIT, INTERCEPT_VMRUN,
		INTERCEPT_VMLOAD, INTERCEPT_VMSAVE, INTERCEPT_STGI, INTERCEPT_CLGI,
		INTERCEPT_SKINIT, INTERCEPT_INVLPGA, INTERCEPT_IOIO_PROT, INTERCEPT_MSR_PROT,
		INTERCEPT_SHUTDOWN, INTERCEPT_XSETBV, INTERCEPT_WBINVD, INTERCEPT_INVD,
		INTERCEPT_EXCEPTION_OFFSET + 1, INTERCEPT_EXCEPTION_OFFSET + 17,
		INTERCEPT_EXCEPTION_OFFSET + 18,
	};
	const struct svm_wants none = {};
	u32 words[MAX_INTERCEPT];
	int i;

	svm_intercept_words(&none, words);
	for (i = 0; i < ARRAY_SIZE(must); i++)
		KUNIT_EXPECT_TRUE_MSG(test, has(words, must[i]), "intercept %u", must[i]);
	/* Under nested paging the guest's page faults and registers are its own. */
	KUNIT_EXPECT_FALSE(test, has(words, INTERCEPT_EXCEPTION_OFFSET + 14));
	KUNIT_EXPECT_EQ(test, words[INTERCEPT_CR], 0);
	KUNIT_EXPECT_EQ(test, words[INTERCEPT_DR], 0);
}

/* Each wish adds its own intercept and no other, in every combination. */
static void intercepts_wishes(struct kunit *test)
{
	static const struct {
		u8 wish, nr;
	} bits[] = {
		{ offsetof(struct svm_wants, debug_bp), INTERCEPT_EXCEPTION_OFFSET + 3 },
		{ offsetof(struct svm_wants, debug_int), INTERCEPT_INTn },
		{ offsetof(struct svm_wants, hlt), INTERCEPT_HLT },
		{ offsetof(struct svm_wants, pause), INTERCEPT_PAUSE },
		{ offsetof(struct svm_wants, rdtscp), INTERCEPT_RDTSCP },
		{ offsetof(struct svm_wants, invpcid), INTERCEPT_INVPCID },
		{ offsetof(struct svm_wants, cr0_read), INTERCEPT_CR0_READ },
		{ offsetof(struct svm_wants, cr0_write), INTERCEPT_CR0_WRITE },
		{ offsetof(struct svm_wants, page_fault), INTERCEPT_EXCEPTION_OFFSET + 14 },
		{ offsetof(struct svm_wants, invlpg), INTERCEPT_INVLPG },
		{ offsetof(struct svm_wants, task_switch), INTERCEPT_TASK_SWITCH },
		{ offsetof(struct svm_wants, cr3_read), INTERCEPT_CR3_READ },
		{ offsetof(struct svm_wants, cr3_write), INTERCEPT_CR3_WRITE },
		{ offsetof(struct svm_wants, cr4_read), INTERCEPT_CR4_READ },
		{ offsetof(struct svm_wants, cr4_write), INTERCEPT_CR4_WRITE },
		{ offsetof(struct svm_wants, cr8_write), INTERCEPT_CR8_WRITE },
	};
	u32 words[MAX_INTERCEPT], base;
	unsigned int mask, i, wrong = 0;
	struct svm_wants w;

	memset(&w, 0, sizeof(w));
	svm_intercept_words(&w, words);
	base = count(words);
	for (mask = 0; mask < 1U << ARRAY_SIZE(bits); mask++) {
		memset(&w, 0, sizeof(w));
		for (i = 0; i < ARRAY_SIZE(bits); i++)
			*((bool *)&w + bits[i].wish) = mask & BIT(i);
		svm_intercept_words(&w, words);
		KUNIT_ASSERT_EQ(test, count(words), base + hweight32(mask));
		for (i = 0; i < ARRAY_SIZE(bits); i++)
			wrong += has(words, bits[i].nr) != !!(mask & BIT(i));
		KUNIT_ASSERT_EQ_MSG(test, wrong, 0, "wishes 0x%x", mask);
	}
}

/* ---- control registers on shadow tables ---- */

#define PAGED	(X86_CR0_PE | X86_CR0_PG)

static struct svm_crs shadow_of(u64 cr0, u64 cr4, u64 efer)
{
	return svm_shadow_crs((struct svm_crs) { .cr0 = cr0, .cr4 = cr4, .efer = efer });
}

/* Whatever the guest has. */
static void shadow_crs_always(struct kunit *test)
{
	static const u64 cr4_bits[] = {
		X86_CR4_PSE, X86_CR4_PAE, X86_CR4_PGE, X86_CR4_PCIDE, X86_CR4_SMEP, X86_CR4_SMAP,
		X86_CR4_PKE, X86_CR4_LA57, X86_CR4_UMIP, X86_CR4_OSXSAVE,
	};
	static const u64 cr0s[] = {
		X86_CR0_ET, X86_CR0_PE, PAGED, PAGED | X86_CR0_WP, PAGED | X86_CR0_TS,
	};
	unsigned int i, mask, bit, lm;

	for (i = 0; i < ARRAY_SIZE(cr0s); i++) {
		for (mask = 0; mask < 2U << ARRAY_SIZE(cr4_bits); mask++) {
			u64 cr4 = 0, efer = EFER_SCE;
			struct svm_crs hw;

			for (bit = 0; bit < ARRAY_SIZE(cr4_bits); bit++)
				cr4 |= mask & BIT(bit) ? cr4_bits[bit] : 0;
			lm = mask >> ARRAY_SIZE(cr4_bits);
			if (lm)
				efer |= EFER_LME | (cr0s[i] & X86_CR0_PG ? EFER_LMA : 0);
			hw = shadow_of(cr0s[i], cr4, efer);
			KUNIT_ASSERT_EQ(test, hw.cr0, cr0s[i] | X86_CR0_PG | X86_CR0_WP);
			KUNIT_ASSERT_TRUE(test, hw.cr4 & X86_CR4_PAE);
			KUNIT_ASSERT_FALSE(test, hw.cr4 & (X86_CR4_PGE | X86_CR4_PCIDE));
			KUNIT_ASSERT_EQ(test, hw.efer & (EFER_SVME | EFER_NX | EFER_SCE),
					(u64)(EFER_SVME | EFER_NX | EFER_SCE));
			/* Hardware would be in long mode when the guest is not, or VMRUN fails. */
			KUNIT_ASSERT_EQ(test, !!(hw.efer & EFER_LME), !!(efer & EFER_LMA));
			KUNIT_ASSERT_EQ(test, !!(hw.efer & EFER_LMA), !!(efer & EFER_LMA));
		}
	}
}

static void shadow_crs_by_mode(struct kunit *test)
{
	u64 guards = X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE;
	u64 all = guards | X86_CR4_LA57 | X86_CR4_PAE;

	KUNIT_EXPECT_EQ(test, shadow_of(X86_CR0_PE, all, EFER_LME).cr4, (u64)X86_CR4_PAE);
	KUNIT_EXPECT_EQ(test, shadow_of(PAGED, guards, 0).cr4, guards | X86_CR4_PAE);
	KUNIT_EXPECT_EQ(test, shadow_of(PAGED, all, EFER_LME | EFER_LMA).cr4, all);
	KUNIT_EXPECT_EQ(test, shadow_of(0, X86_CR4_VME, 0).cr4, (u64)(X86_CR4_VME | X86_CR4_PAE));
}

/* ---- segments ---- */

static void random_segment(struct kvm_segment *s)
{
	memset(s, 0, sizeof(*s));
	s->base = get_random_u64();
	s->selector = get_random_u16();
	s->limit = get_random_u32();
	s->g = s->limit > 0xfffff;
	s->type = get_random_u32_below(16);
	s->s = get_random_u32_below(2);
	s->dpl = get_random_u32_below(4);
	s->present = get_random_u32_below(2);
	s->unusable = !s->present;
	s->avl = get_random_u32_below(2);
	s->l = get_random_u32_below(2);
	s->db = get_random_u32_below(2);
}

static void segments_round_trip(struct kunit *test)
{
	struct kvm_segment in, out;
	struct vmcb_seg seg;
	int i;

	for (i = 0; i < 1000; i++) {
		random_segment(&in);
		svm_seg_from_kvm(&seg, &in);
		KUNIT_ASSERT_EQ(test, seg.attrib & 0xf000, 0);
		svm_seg_to_kvm(&seg, VMMU_SEG_CS, 3, &out);
		KUNIT_ASSERT_EQ(test, memcmp(&in, &out, sizeof(in)), 0);
	}
}

static void segments_fixups(struct kunit *test)
{
	struct vmcb_seg seg = { .attrib = 0x92 };
	struct kvm_segment out, in = { .present = 1, .unusable = 1, .type = 3 };

	svm_seg_to_kvm(&seg, VMMU_SEG_DS, 0, &out);
	KUNIT_EXPECT_EQ(test, out.type, 3);	/* accessed */
	svm_seg_to_kvm(&seg, VMMU_SEG_SS, 3, &out);
	KUNIT_EXPECT_EQ(test, out.dpl, 3);	/* the CPL */
	seg.attrib = 0x89;
	svm_seg_to_kvm(&seg, VMMU_SEG_TR, 0, &out);
	KUNIT_EXPECT_EQ(test, out.type, 11);	/* busy */
	seg.attrib = 0x482;
	svm_seg_to_kvm(&seg, VMMU_SEG_SS, 0, &out);
	KUNIT_EXPECT_EQ(test, out.db, 1);
	seg.attrib = 0x402;
	svm_seg_to_kvm(&seg, VMMU_SEG_SS, 0, &out);
	KUNIT_EXPECT_TRUE(test, out.unusable);
	KUNIT_EXPECT_EQ(test, out.db, 0);

	svm_seg_from_kvm(&seg, &in);
	svm_seg_to_kvm(&seg, VMMU_SEG_ES, 0, &out);
	KUNIT_EXPECT_TRUE(test, out.unusable);
}

/* ---- ASIDs ---- */

struct asid_world {
	struct vmmu_vcpu vcpu[4];
	struct svm_vcpu svm[4];
	struct svm_cpu cpu;
};

static struct asid_world *asid_world(struct kunit *test, bool flush_by_asid)
{
	struct asid_world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, w);
	svm_host.nr_asids = 4;		/* 1, 2 and 3 are the guests' */
	svm_host.flush_by_asid = flush_by_asid;
	for (i = 0; i < 4; i++) {
		w->vcpu[i].hw = &w->svm[i];
		w->svm[i].vmcb = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, w->svm[i].vmcb);
	}
	svm_asid_enable(&w->cpu);
	return w;
}

/* One entry on this CPU; returns the flush that it asked for. */
static int enter(struct asid_world *w, int i)
{
	struct vmcb_control_area *c = &w->svm[i].vmcb->control;
	int flush;

	preempt_disable();
	w->svm[i].cpu = smp_processor_id();
	svm_pick_asid(&w->vcpu[i], &w->cpu);
	preempt_enable();
	flush = c->tlb_ctl;
	c->tlb_ctl = 0;
	return flush;
}

static u32 asid(struct asid_world *w, int i)
{
	return w->svm[i].vmcb->control.asid;
}

static void asids_generations(struct kunit *test)
{
	struct asid_world *w = asid_world(test, true);

	/* The CPU's TLB is unknown: the first entry flushes everything. */
	KUNIT_EXPECT_EQ(test, enter(w, 0), TLB_CONTROL_FLUSH_ALL_ASID);
	KUNIT_EXPECT_EQ(test, enter(w, 1), TLB_CONTROL_DO_NOTHING);
	KUNIT_EXPECT_EQ(test, enter(w, 2), TLB_CONTROL_DO_NOTHING);
	KUNIT_EXPECT_EQ(test, enter(w, 0), TLB_CONTROL_DO_NOTHING);
	KUNIT_EXPECT_NE(test, asid(w, 0), asid(w, 1));
	KUNIT_EXPECT_NE(test, asid(w, 1), asid(w, 2));
	KUNIT_EXPECT_NE(test, asid(w, 0), 0);
	/* None is left for the fourth: a new generation, and the others must renew theirs. */
	KUNIT_EXPECT_EQ(test, enter(w, 3), TLB_CONTROL_FLUSH_ALL_ASID);
	enter(w, 0);
	KUNIT_EXPECT_NE(test, asid(w, 0), asid(w, 3));
}

static void asids_flush(struct kunit *test)
{
	struct asid_world *w = asid_world(test, true);
	u32 old;

	enter(w, 0);
	svm_flush_tlb(&w->vcpu[0]);
	KUNIT_EXPECT_EQ(test, enter(w, 0), TLB_CONTROL_FLUSH_ASID);
	KUNIT_EXPECT_EQ(test, enter(w, 0), TLB_CONTROL_DO_NOTHING);

	/* Without flush-by-ASID a flush is a tag that nobody has used since the last one. */
	svm_host.flush_by_asid = false;
	old = asid(w, 0);
	svm_flush_tlb(&w->vcpu[0]);
	KUNIT_EXPECT_EQ(test, enter(w, 0), TLB_CONTROL_DO_NOTHING);
	KUNIT_EXPECT_NE(test, asid(w, 0), old);
	svm_flush_tlb(&w->vcpu[0]);
	enter(w, 0);
	svm_flush_tlb(&w->vcpu[0]);
	KUNIT_EXPECT_EQ(test, enter(w, 0), TLB_CONTROL_FLUSH_ALL_ASID);
}

/* Suites run when the module is live but nobody can have a VM yet. */
static struct svm_host real_host;

static int svm_init(struct kunit *test)
{
	real_host = svm_host;
	/* On a host of the other kind nobody has made the maps. */
	return real_host.msrpm ? 0 : svm_msrpm_setup();
}

static void svm_exit(struct kunit *test)
{
	if (!real_host.msrpm)
		svm_msrpm_teardown();
	svm_host = real_host;
}

static struct kunit_case svm_cases[] = {
	KUNIT_CASE(msrpm_bits),
	KUNIT_CASE(msrpm_content),
	KUNIT_CASE(intercepts_at_least),
	KUNIT_CASE(intercepts_wishes),
	KUNIT_CASE(shadow_crs_always),
	KUNIT_CASE(shadow_crs_by_mode),
	KUNIT_CASE(segments_round_trip),
	KUNIT_CASE(segments_fixups),
	KUNIT_CASE(asids_generations),
	KUNIT_CASE(asids_flush),
	{}
};

static struct kunit_suite svm_suite = {
	.name = "vmmu-svm",
	.init = svm_init,
	.exit = svm_exit,
	.test_cases = svm_cases,
};

kunit_test_suites(&svm_suite);
