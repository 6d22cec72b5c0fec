// SPDX-License-Identifier: GPL-2.0-only
/*
 * HLT: without a local APIC in the kernel it leaves to user space, with one it
 * blocks in the kernel until an event.
 */
#include <kselftest_harness.h>

#include "guest.h"

asm(".pushsection .rodata\n"
    ".code16\n"
    "real_hlt:\n"
    "	hlt\n"
    "	mov	$0x1234, %di\n"
    "	out	%al, $0x10\n"
    "	hlt\n"
    "real_hlt_end:\n"
    ".code64\n"
    ".popsection\n");

extern const char real_hlt[], real_hlt_end[];

TEST(real_mode)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);

	vcpu_real(v, GUEST_REAL, real_hlt, real_hlt_end);
	run_exit(v, KVM_EXIT_HLT);
	ASSERT_EQ(GUEST_REAL + 1, vcpu_regs(v).rip);
	ASSERT_EQ(0x1234, run_sync(v).a & 0xffff);
	run_exit(v, KVM_EXIT_HLT);
}

static void halt_thrice(void)
{
	hlt();
	guest_sync(1, 2, 3);
	hlt();
	hlt();
}

TEST(long_mode)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, halt_thrice, 0);
	struct ucall u;

	run_exit(v, KVM_EXIT_HLT);
	u = run_sync(v);
	ASSERT_EQ(1, u.a);
	ASSERT_EQ(2, u.b);
	ASSERT_EQ(3, u.c);
	run_exit(v, KVM_EXIT_HLT);
	run_exit(v, KVM_EXIT_HLT);
	run_done(v);
}

TEST_HARNESS_MAIN
