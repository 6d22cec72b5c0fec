// SPDX-License-Identifier: GPL-2.0-only
/*
 * HLT: without a local APIC in the kernel it leaves to user space, with one it
 * blocks in the kernel until an event.
 */
#include <kselftest_harness.h>
#include <signal.h>
#include <sys/time.h>

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

static void g_sleep(void)
{
	uint64_t i;

	guest_handler[NMI_VECTOR] = guest_count;
	for (i = 1; i <= 5; i++) {
		guest_sync(i, 0, 0);
		hlt();
		G_EQ(this_cpu()->count[NMI_VECTOR], i);
	}
}

static void on_alarm(int sig)
{
}

/* One KVM_RUN, 30 ms at most. */
static int sleep_until_signal(struct vcpu *v)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval t = { .it_value.tv_usec = 30000 };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	return vcpu_enter(v);
}

/*
 * With a local APIC HLT is no exit. KVM_NMI waits for the vCPU to be free, so
 * a signal takes it out of its sleep; the event then ends the HLT.
 */
TEST(sleep_in_kernel)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_sleep, 0);
	struct kvm_mp_state s;
	int i;

	for (i = 1; i <= 5; i++) {
		ASSERT_EQ(i, run_sync(v).a);
		ASSERT_EQ(-EINTR, sleep_until_signal(v));
		ASSERT_EQ(0, ioctl(v->fd, KVM_GET_MP_STATE, &s));
		ASSERT_EQ(KVM_MP_STATE_HALTED, s.mp_state);
		ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	}
	run_done(v);
}

TEST_HARNESS_MAIN
