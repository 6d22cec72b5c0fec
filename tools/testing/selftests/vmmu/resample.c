// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_IRQFD_FLAG_RESAMPLE: an eventfd holds a line up until the guest's EOI,
 * and another one tells of that.
 */
#include <kselftest_harness.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "chips.h"

#define VEC	0x51
#define GSI	20

static int assign(struct guest *g, int fd, int resample)
{
	struct kvm_irqfd i = {
		.fd = fd,
		.gsi = GSI,
		.flags = KVM_IRQFD_FLAG_RESAMPLE,
		.resamplefd = resample,
	};

	return ioctl(g->vm, KVM_IRQFD, &i) ? -errno : 0;
}

static int deassign(struct guest *g, int fd)
{
	struct kvm_irqfd i = {
		.fd = fd, .gsi = GSI, .flags = KVM_IRQFD_FLAG_DEASSIGN,
	};

	return ioctl(g->vm, KVM_IRQFD, &i) ? -errno : 0;
}

static void kick(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, 8) != 8)
		DIE("eventfd: %m");
}

/* A resampling irqfd may raise its line a little later. */
static void kick_wait(int fd)
{
	kick(fd);
	msleep(30);
}

/* How often it was signalled since the last look. */
static uint64_t signalled(int fd)
{
	uint64_t n;

	return read(fd, &n, 8) == 8 ? n : 0;
}

/* Each sync: take what there is, end it when told to. */
static uint64_t end;

static void g_steps(void)
{
	apic_enable(false);
	guest_handler[VEC] = guest_count;
	ioapic_set(GSI, 0, VEC | IOAPIC_LEVEL);
	for (;;) {
		guest_sync(taken(VEC), 0, 0);
		if (READ(end))
			apic_eoi();
		window();
	}
}

static uint64_t step(struct guest *g, bool eoi)
{
	WRITE(guest_var(g, end), eoi);
	return run_sync(&g->vcpu[0]).a;
}

FIXTURE(resample) {
	struct guest *g;
	int fd[2], re[2];
};

FIXTURE_SETUP(resample)
{
	int i;

	self->g = guest_new(GUEST_IRQCHIP);
	guest_vcpu(self->g, g_steps, 0);
	for (i = 0; i < 2; i++) {
		self->fd[i] = eventfd(0, EFD_NONBLOCK);
		self->re[i] = eventfd(0, EFD_NONBLOCK);
	}
	ASSERT_EQ(0, run_sync(&self->g->vcpu[0]).a);
}

FIXTURE_TEARDOWN(resample)
{
}

TEST_F(resample, one)
{
	struct guest *g = self->g;
	int i;

	ASSERT_EQ(0, assign(g, self->fd[0], self->re[0]));
	for (i = 1; i <= 5; i++) {
		kick_wait(self->fd[0]);
		ASSERT_EQ(i, step(g, false));
		ASSERT_EQ(0, signalled(self->re[0]));
		/* The end is told, and takes the line down: no second one. */
		ASSERT_EQ(i, step(g, true));
		ASSERT_EQ(1, signalled(self->re[0]));
		ASSERT_EQ(i, step(g, false));
	}
	ASSERT_EQ(0, deassign(g, self->fd[0]));
	kick_wait(self->fd[0]);
	ASSERT_EQ(5, step(g, false));
}

/* Two on a line: both hear of each end, whoever raised it. */
TEST_F(resample, shared)
{
	struct guest *g = self->g;

	ASSERT_EQ(0, assign(g, self->fd[0], self->re[0]));
	ASSERT_EQ(0, assign(g, self->fd[1], self->re[1]));
	kick_wait(self->fd[1]);
	ASSERT_EQ(1, step(g, false));
	kick_wait(self->fd[0]);
	ASSERT_EQ(1, step(g, true));
	ASSERT_EQ(1, signalled(self->re[0]));
	ASSERT_EQ(1, signalled(self->re[1]));
	/* The first goes while the second holds the line. */
	kick_wait(self->fd[1]);
	ASSERT_EQ(0, deassign(g, self->fd[0]));
	ASSERT_EQ(2, step(g, false));
	ASSERT_EQ(2, step(g, true));
	ASSERT_EQ(0, signalled(self->re[0]));
	ASSERT_EQ(1, signalled(self->re[1]));
	/* The last one takes the line down: once masked, it is gone. */
	kick_wait(self->fd[1]);
	ASSERT_EQ(3, step(g, false));
	ASSERT_EQ(0, deassign(g, self->fd[1]));
	ASSERT_EQ(3, step(g, true));
	ASSERT_EQ(3, step(g, false));
}

/* User space's own level on the line is another source. */
TEST_F(resample, with_irq_line)
{
	struct guest *g = self->g;

	ASSERT_EQ(0, assign(g, self->fd[0], self->re[0]));
	line(g, GSI, 1);
	kick_wait(self->fd[0]);
	ASSERT_EQ(1, step(g, false));
	ASSERT_EQ(2, step(g, true));
	ASSERT_EQ(1, signalled(self->re[0]));
	line(g, GSI, 0);
	ASSERT_EQ(2, step(g, true));
	ASSERT_EQ(1, signalled(self->re[0]));
}

TEST(errors)
{
	struct guest *split = guest_new(GUEST_SPLIT);
	struct guest *g = guest_new(GUEST_IRQCHIP);
	int fd = eventfd(0, 0);

	guest_vcpu(split, hlt, 0);
	guest_vcpu(g, hlt, 0);
	EXPECT_EQ(-EINVAL, assign(split, fd, fd));
	EXPECT_EQ(-EBADF, assign(g, fd, 1000));
	EXPECT_EQ(-EINVAL, assign(g, fd, g->vm));
	EXPECT_EQ(-EBADF, assign(g, 1000, fd));
}

/* Kicks, EOIs and comings and goings of a second one at the same time. */
static uint64_t stop;

static void g_run(void)
{
	apic_enable(false);
	guest_handler[VEC] = apic_count;
	ioapic_set(GSI, 0, VEC | IOAPIC_LEVEL);
	guest_sync(0, 0, 0);
	sti();
	while (!READ(stop))
		cpu_pause();
	cli();
}

static void *come_and_go(void *arg)
{
	struct guest *g = arg;
	int i, fd = eventfd(0, EFD_NONBLOCK), re = eventfd(0, EFD_NONBLOCK);

	for (i = 0; i < 100; i++) {
		if (assign(g, fd, re) || deassign(g, fd))
			DIE("KVM_IRQFD: %m");
	}
	return NULL;
}

TEST(race)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_run, 0);
	int i, fd = eventfd(0, EFD_NONBLOCK), re = eventfd(0, 0);
	struct pollfd p = { .fd = re, .events = POLLIN };
	pthread_t t;

	run_sync(v);
	ASSERT_EQ(0, assign(g, fd, re));
	vcpu_start(v);
	ASSERT_EQ(0, pthread_create(&t, NULL, come_and_go, g));
	for (i = 0; i < 200; i++) {
		kick(fd);
		/* Lost would be for ever. */
		ASSERT_EQ(1, poll(&p, 1, 20000));
		ASSERT_LE(1, signalled(re));
	}
	pthread_join(t, NULL);
	WRITE(guest_var(g, stop), 1);
	vcpu_join(v);
}

TEST_HARNESS_MAIN
