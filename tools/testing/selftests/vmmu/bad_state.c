// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest state that the processor refuses to enter: VT-x checks all of it at every
 * entry (Intel SDM vol. 3, 27.3.1). User space is told so by KVM_EXIT_FAIL_ENTRY, and
 * with its state put right the vCPU goes on as if nothing had been.
 */
#include <kselftest_harness.h>

#include "guest.h"

/* VM-entry failure due to invalid guest state: reason 33, bit 31. */
#define INVALID_GUEST_STATE	0x80000021ull
#define NOT_CANONICAL		0x1000000000000000ull

static bool have_vtx(void)
{
	uint32_t regs[4];

	cpuid_count(0, 0, regs);
	return regs[2] == 0x6c65746e;	/* "ntel" */
}

static void tr_unusable(struct kvm_sregs *s, struct kvm_regs *r)
{
	s->tr.unusable = 1;
}

static void cs_is_data(struct kvm_sregs *s, struct kvm_regs *r)
{
	s->cs.type = 1;
}

static void cs_long_and_32(struct kvm_sregs *s, struct kvm_regs *r)
{
	s->cs.db = 1;
}

static void ss_other_level(struct kvm_sregs *s, struct kvm_regs *r)
{
	s->ss.unusable = 0;
	s->ss.dpl = 3;
}

static void ds_execute_only(struct kvm_sregs *s, struct kvm_regs *r)
{
	s->ds.unusable = 0;
	s->ds.type = 9;
}

static void ldt_is_tss(struct kvm_sregs *s, struct kvm_regs *r)
{
	s->ldt = s->tr;
}

static void fs_base(struct kvm_sregs *s, struct kvm_regs *r)
{
	s->fs.base = NOT_CANONICAL;
}

static void idt_base(struct kvm_sregs *s, struct kvm_regs *r)
{
	s->idt.base = NOT_CANONICAL;
}

static void v86_in_long_mode(struct kvm_sregs *s, struct kvm_regs *r)
{
	r->rflags |= 1ul << 17;
}

#define BAD(how) { #how, how }

static const struct {
	const char *name;
	void (*spoil)(struct kvm_sregs *s, struct kvm_regs *r);
} bad[] = {
	BAD(tr_unusable), BAD(cs_is_data), BAD(cs_long_and_32), BAD(ss_other_level),
	BAD(ds_execute_only), BAD(ldt_is_tss), BAD(fs_base), BAD(idt_base),
	BAD(v86_in_long_mode),
};

static void g_count(void)
{
	uint64_t i;

	for (i = 0;; i++)
		guest_sync(i, 0, 0);
}

/* An OUT that user space has seen may be completed by the next KVM_RUN only. */
static void complete_io(struct vcpu *v)
{
	v->run->immediate_exit = 1;
	if (vcpu_enter(v) != -EINTR)
		DIE("immediate_exit: exit %s", exit_name(v->run->exit_reason));
	v->run->immediate_exit = 0;
}

TEST(refused)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_count, 0);
	unsigned int i;

	if (!have_vtx())
		SKIP(return, "AMD-V has other rules: nothing here is refused by all of them");
	ASSERT_EQ(0, run_sync(v).a);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct kvm_sregs s, good_s;
		struct kvm_regs r, good_r;

		complete_io(v);
		good_s = vcpu_sregs(v);
		good_r = vcpu_regs(v);
		s = good_s;
		r = good_r;
		bad[i].spoil(&s, &r);
		vcpu_set_sregs(v, &s);
		vcpu_set_regs(v, &r);
		ASSERT_EQ(0, vcpu_enter(v)) {
			TH_LOG("%s: %m", bad[i].name);
		}
		ASSERT_EQ(KVM_EXIT_FAIL_ENTRY, v->run->exit_reason) {
			TH_LOG("%s: exit %s", bad[i].name, exit_name(v->run->exit_reason));
		}
		ASSERT_EQ(INVALID_GUEST_STATE,
			  v->run->fail_entry.hardware_entry_failure_reason);
		/* Again: it is not used up. */
		ASSERT_EQ(0, vcpu_enter(v));
		ASSERT_EQ(KVM_EXIT_FAIL_ENTRY, v->run->exit_reason);

		vcpu_set_sregs(v, &good_s);
		vcpu_set_regs(v, &good_r);
		ASSERT_EQ(i + 1, run_sync(v).a) {
			TH_LOG("after %s", bad[i].name);
		}
	}
}

/* An event that waits for an entry that is refused is delivered by the next one, once. */
static void g_wait_nmi(void)
{
	guest_handler[NMI_VECTOR] = guest_count;
	guest_sync(0, 0, 0);
	G_EQ(READ(this_cpu()->count[NMI_VECTOR]), 1);
}

TEST(event_is_kept)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_wait_nmi, 0);
	struct kvm_sregs s, good;

	if (!have_vtx())
		SKIP(return, "AMD-V has other rules");
	run_sync(v);
	complete_io(v);
	good = vcpu_sregs(v);
	s = good;
	tr_unusable(&s, NULL);
	vcpu_set_sregs(v, &s);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	ASSERT_EQ(0, vcpu_enter(v));
	ASSERT_EQ(KVM_EXIT_FAIL_ENTRY, v->run->exit_reason);
	ASSERT_EQ(0, vcpu_enter(v));
	ASSERT_EQ(KVM_EXIT_FAIL_ENTRY, v->run->exit_reason);
	vcpu_set_sregs(v, &good);
	run_done(v);
}

TEST_HARNESS_MAIN
