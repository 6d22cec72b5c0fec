// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities that change what a VM does: exits that do not happen, and
 * oddities that user space does without.
 */
#include <kselftest_harness.h>
#include <asm/kvm.h>

#include "apic.h"
#include "hostile.h"

#define VEC		0x40
#define MISC_ENABLE	0x1a0
#define MISC_MWAIT	(1ul << 18)

static uint64_t handled;

static void note(struct guest_frame *frame)
{
	WRITE(handled, handled + 1);
}

/* ---- KVM_CAP_X86_DISABLE_EXITS ---- */

/* An interrupt of the host's may end a HLT that does not exit. */
static void halts(uint64_t arg)
{
	guest_handler[VEC] = note;
	while (!READ(handled))
		sti_hlt();
	guest_sync(handled, 0, 0);
}

TEST(hlt_without_exit)
{
	struct guest *g = guest_new(0);
	struct kvm_interrupt irq = { VEC };
	struct vcpu *v;

	ASSERT_EQ(KVM_X86_DISABLE_EXITS_HLT,
		  guest_cap(g, KVM_CAP_X86_DISABLE_EXITS) & KVM_X86_DISABLE_EXITS_HLT);
	ASSERT_EQ(-EINVAL, guest_enable_cap(g, KVM_CAP_X86_DISABLE_EXITS, 1 << 20));
	ASSERT_EQ(0, guest_enable_cap(g, KVM_CAP_X86_DISABLE_EXITS,
				      KVM_X86_DISABLE_EXITS_HLT));
	v = guest_vcpu(g, halts, 0);
	interrupt_me(20000);
	/* The signal ends the turn, not HLT. */
	ASSERT_EQ(-EINTR, vcpu_enter(v));
	ASSERT_EQ(-EINTR, vcpu_enter(v));
	ASSERT_EQ(0, ioctl(v->fd, KVM_INTERRUPT, &irq));
	while (vcpu_enter(v) == -EINTR)
		;
	ASSERT_EQ(KVM_EXIT_IO, v->run->exit_reason);
	ASSERT_EQ(1, READ(guest_var(g, handled)));
}

TEST(hlt_with_exit)
{
	run_exit(guest_vcpu(guest_new(0), halts, 0), KVM_EXIT_HLT);
}

/* A halted processor of the host takes what is for its guest. */
static void halts_for_ever(uint64_t arg)
{
	guest_handler[VEC] = apic_count;
	apic_enable(false);
	for (;;) {
		uint64_t seen = this_cpu()->count[VEC];

		guest_sync(seen, 0, 0);
		while (READ(this_cpu()->count[VEC]) == seen)
			sti_hlt();
	}
}

static void *late_msi(void *arg)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = VEC };
	struct guest *g = arg;

	usleep(20000);
	if (ioctl(g->vm, KVM_SIGNAL_MSI, &msi) != 1)
		DIE("KVM_SIGNAL_MSI: %m");
	return NULL;
}

TEST(msi_wakes_hlt_without_exit)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v;
	pthread_t thread;
	unsigned int i;

	ASSERT_EQ(0, guest_enable_cap(g, KVM_CAP_X86_DISABLE_EXITS,
				      KVM_X86_DISABLE_EXITS_HLT));
	v = guest_vcpu(g, halts_for_ever, 0);
	run_sync(v);
	for (i = 1; i <= 10; i++) {
		pthread_create(&thread, NULL, late_msi, g);
		ASSERT_EQ(i, run_sync(v).a);
		pthread_join(thread, NULL);
	}
}

/* ---- KVM_CAP_DISABLE_QUIRKS2 ---- */

static struct guest *quirkless(unsigned int flags, uint64_t quirks)
{
	struct guest *g = guest_new(flags);

	if (guest_enable_cap(g, KVM_CAP_DISABLE_QUIRKS2, quirks))
		DIE("KVM_CAP_DISABLE_QUIRKS2: %m");
	return g;
}

TEST(quirks_mask)
{
	struct guest *g = guest_new(GUEST_BARE);
	uint64_t mask = guest_cap(g, KVM_CAP_DISABLE_QUIRKS2);

	ASSERT_EQ(0x7f, mask & 0x7f);
	ASSERT_EQ(1, guest_cap(g, KVM_CAP_DISABLE_QUIRKS));
	EXPECT_EQ(-EINVAL, guest_enable_cap(g, KVM_CAP_DISABLE_QUIRKS2, mask | 1ul << 40));
	EXPECT_EQ(0, guest_enable_cap(g, KVM_CAP_DISABLE_QUIRKS2, mask));
	/* The older one takes anything. */
	EXPECT_EQ(0, guest_enable_cap(g, KVM_CAP_DISABLE_QUIRKS, -1ul));
}

static uint32_t first_lvt0(struct guest *g)
{
	struct vcpu *v = guest_vcpu_bare(g);
	struct kvm_lapic_state s;

	if (ioctl(v->fd, KVM_GET_LAPIC, &s))
		DIE("KVM_GET_LAPIC: %m");
	return *(uint32_t *)(s.regs + APIC_LVT0);
}

TEST(quirk_lint0)
{
	EXPECT_EQ(0x700, first_lvt0(guest_new(GUEST_SPLIT)));
	EXPECT_EQ(0x10000, first_lvt0(quirkless(GUEST_SPLIT, KVM_X86_QUIRK_LINT0_REENABLED)));
}

static void looks_at_apic(uint64_t base)
{
	wrmsr(MSR_APIC_BASE, base & ~(1ul << 11));
	guest_sync(read32((void *)0xfee00030), 0, 0);
}

TEST(quirk_apic_hole)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, looks_at_apic, 0xfee00900);

	ASSERT_EQ(0xffffffff, run_sync(v).a);
	v = guest_vcpu(quirkless(GUEST_SPLIT, KVM_X86_QUIRK_LAPIC_MMIO_HOLE),
		       looks_at_apic, 0xfee00900);
	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(0xfee00030, v->run->mmio.phys_addr);
}

static void waits(uint64_t arg)
{
	uint64_t r;

	r = guest_try("monitor", G_OPERANDS(), G_OPERANDS("a"(&handled), "c"(0), "d"(0)));
	guest_sync(r, guest_try("mwait", G_OPERANDS(), G_OPERANDS("a"(0), "c"(0))), 0);
}

TEST(quirk_mwait)
{
	struct ucall u = run_sync(guest_vcpu(guest_new(0), waits, 0));

	EXPECT_EQ(NO_TRAP, u.a);
	EXPECT_EQ(NO_TRAP, u.b);
	u = run_sync(guest_vcpu(quirkless(0, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS), waits, 0));
	EXPECT_EQ(UD_VECTOR, u.a);
	EXPECT_EQ(UD_VECTOR, u.b);
}

static void toggles_mwait(uint64_t arg)
{
	uint64_t old = rdmsr(MISC_ENABLE);
	uint32_t off[4], on[4];

	wrmsr(MISC_ENABLE, old & ~MISC_MWAIT);
	cpuid_count(1, 0, off);
	wrmsr(MISC_ENABLE, old | MISC_MWAIT);
	cpuid_count(1, 0, on);
	guest_sync(off[2] >> 3 & 1, on[2] >> 3 & 1, 0);
}

TEST(quirk_misc_enable)
{
	struct ucall u = run_sync(guest_vcpu(guest_new(0), toggles_mwait, 0));

	EXPECT_EQ(u.a, u.b);
	u = run_sync(guest_vcpu(quirkless(0, KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT),
				toggles_mwait, 0));
	EXPECT_EQ(0, u.a);
	EXPECT_EQ(1, u.b);
}

static void out_at(uint64_t port)
{
	uint64_t here;

	asm volatile("lea 1f(%%rip), %0\n1: outb %%al, %%dx"
		     : "=&r"(here) : "d"((uint16_t)port) : "memory");
	guest_sync(here, 0, 0);
}

/* How far rip is from the OUT when user space sees it; and it is done once. */
static uint64_t rip_at_out(struct guest *g, uint64_t port)
{
	struct vcpu *v = guest_vcpu(g, out_at, port);
	uint64_t rip;

	run_exit(v, KVM_EXIT_IO);
	rip = vcpu_regs(v).rip;
	return rip - run_sync(v).a;
}

TEST(quirk_out_7e)
{
	EXPECT_EQ(1, rip_at_out(guest_new(0), 0x7e));
	EXPECT_EQ(0, rip_at_out(quirkless(0, KVM_X86_QUIRK_OUT_7E_INC_RIP), 0x7e));
}

TEST_HARNESS_MAIN
