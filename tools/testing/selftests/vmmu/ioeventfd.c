// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioeventfd: a guest's write to a port or address becomes an event in the
 * kernel; of the right length and data only, all else still leaves.
 */
#include <kselftest_harness.h>
#include <sys/eventfd.h>

#include "guest.h"

#define PORT	0x3f0
#define MMIO	0x50000000ul

static int ioeventfd(struct guest *g, int fd, uint64_t address, uint32_t len,
		     uint32_t flags, uint64_t data)
{
	struct kvm_ioeventfd i = {
		.fd = fd, .addr = address, .len = len, .flags = flags,
		.datamatch = data,
	};

	return ioctl(g->vm, KVM_IOEVENTFD, &i) ? -errno : 0;
}

static uint64_t events(int fd)
{
	uint64_t n = 0;

	if (read(fd, &n, 8) != 8)
		return 0;
	return n;
}

static int event(void)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	if (fd < 0)
		DIE("eventfd: %m");
	return fd;
}

static void g_pio(void)
{
	outb(PORT, 1);
	outw(PORT, 2);
	outl(PORT, 3);
	guest_sync(1, 0, 0);
	outw(PORT, 7);
	guest_sync(2, 0, 0);
	outw(PORT, 8);
	inw(PORT);
	guest_sync(3, 0, 0);
	outb(PORT + 1, 1);
	guest_sync(4, 0, 0);
}

TEST(pio)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_pio, 0);
	int word = event(), dword = event(), match = event();
	const uint32_t pio = KVM_IOEVENTFD_FLAG_PIO;

	ASSERT_EQ(0, ioeventfd(g, dword, PORT, 4, pio, 0));
	ASSERT_EQ(0, ioeventfd(g, word, PORT, 2, pio | KVM_IOEVENTFD_FLAG_DATAMATCH,
			       2));
	ASSERT_EQ(0, ioeventfd(g, match, PORT, 2, pio | KVM_IOEVENTFD_FLAG_DATAMATCH,
			       7));
	/* The byte leaves, the rest does not. */
	run_exit(v, KVM_EXIT_IO);
	ASSERT_EQ(1, v->run->io.size);
	ASSERT_EQ(1, run_sync(v).a);
	ASSERT_EQ(1, events(word));
	ASSERT_EQ(1, events(dword));
	ASSERT_EQ(0, events(match));
	ASSERT_EQ(2, run_sync(v).a);
	ASSERT_EQ(1, events(match));
	ASSERT_EQ(0, events(word));
	/* Other data leaves; a read leaves. */
	run_exit(v, KVM_EXIT_IO);
	ASSERT_EQ(KVM_EXIT_IO_OUT, v->run->io.direction);
	run_exit(v, KVM_EXIT_IO);
	ASSERT_EQ(KVM_EXIT_IO_IN, v->run->io.direction);
	ASSERT_EQ(3, run_sync(v).a);
	ASSERT_EQ(0, events(word) + events(dword) + events(match));
	/* The port next to it. */
	run_exit(v, KVM_EXIT_IO);
	ASSERT_EQ(PORT + 1, v->run->io.port);
	ASSERT_EQ(4, run_sync(v).a);
	run_done(v);
}

static void g_mmio(void)
{
	volatile uint8_t *p = (uint8_t *)MMIO;

	write8(p, 1);
	write16(p, 2);
	write32(p, 3);
	write64(p, 0x1122334455667788);
	guest_sync(1, 0, 0);
	write32(p + 0x10, 5);
	write8(p + 0x10, 6);
	write64(p + 0x10, 7);
	guest_sync(2, 0, 0);
	write32(p, 4);
	read32(p);
	guest_sync(3, 0, 0);
}

TEST(mmio)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_mmio, 0);
	const uint32_t match = KVM_IOEVENTFD_FLAG_DATAMATCH;
	int fd[5] = { event(), event(), event(), event(), event() };

	ASSERT_EQ(0, ioeventfd(g, fd[0], MMIO, 1, 0, 0));
	ASSERT_EQ(0, ioeventfd(g, fd[1], MMIO, 2, 0, 0));
	ASSERT_EQ(0, ioeventfd(g, fd[2], MMIO, 4, match, 3));
	ASSERT_EQ(0, ioeventfd(g, fd[3], MMIO, 8, match, 0x1122334455667788));
	/* Any length, any data. */
	ASSERT_EQ(0, ioeventfd(g, fd[4], MMIO + 0x10, 0, 0, 0));
	ASSERT_EQ(1, run_sync(v).a);
	ASSERT_EQ(1, events(fd[0]));
	ASSERT_EQ(1, events(fd[1]));
	ASSERT_EQ(1, events(fd[2]));
	ASSERT_EQ(1, events(fd[3]));
	ASSERT_EQ(2, run_sync(v).a);
	ASSERT_EQ(3, events(fd[4]));
	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(1, v->run->mmio.is_write);
	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(0, v->run->mmio.is_write);
	ASSERT_EQ(3, run_sync(v).a);
	run_done(v);
	ASSERT_EQ(0, events(fd[2]));
}

static void g_repeat(void)
{
	uint64_t i;

	for (;;) {
		for (i = 0; i < 10; i++)
			outw(PORT, i);
		guest_sync(0, 0, 0);
	}
}

TEST(deassign)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_repeat, 0);
	const uint32_t pio = KVM_IOEVENTFD_FLAG_PIO;
	int fd = event(), i;

	ASSERT_EQ(0, ioeventfd(g, fd, PORT, 2, pio, 0));
	run_sync(v);
	ASSERT_EQ(10, events(fd));
	ASSERT_EQ(0, ioeventfd(g, fd, PORT, 2,
			       pio | KVM_IOEVENTFD_FLAG_DEASSIGN, 0));
	for (i = 0; i < 10; i++)
		run_exit(v, KVM_EXIT_IO);
	run_sync(v);
	ASSERT_EQ(0, events(fd));
}

/* Assigned and taken away all the time while the guest writes. */
static void *run_writes(void *arg)
{
	struct vcpu *v = arg;
	long left = 0, n = 0;

	while (n < 100) {
		struct ucall u = vcpu_run_ucall(v);

		if (u.kind == UCALL_SYNC)
			n++;
		else if (v->run->exit_reason == KVM_EXIT_IO)
			left++;
		else
			DIE("exit %s", exit_name(v->run->exit_reason));
	}
	return (void *)left;
}

TEST(change_while_running)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_repeat, 0);
	const uint32_t pio = KVM_IOEVENTFD_FLAG_PIO;
	int fd = event(), i;
	pthread_t t;
	void *left;

	ASSERT_EQ(0, pthread_create(&t, NULL, run_writes, v));
	for (i = 0; i < 30; i++) {
		ASSERT_EQ(0, ioeventfd(g, fd, PORT, 2, pio, 0));
		usleep(500);
		ASSERT_EQ(0, ioeventfd(g, fd, PORT, 2,
				       pio | KVM_IOEVENTFD_FLAG_DEASSIGN, 0));
	}
	pthread_join(t, &left);
	/* Each write was an event or an exit, none both, none neither. */
	ASSERT_EQ(1000, events(fd) + (long)left);
}

TEST(errors)
{
	struct guest *g = guest_new(0);
	const uint32_t pio = KVM_IOEVENTFD_FLAG_PIO;
	const uint32_t match = KVM_IOEVENTFD_FLAG_DATAMATCH;
	const uint32_t off = KVM_IOEVENTFD_FLAG_DEASSIGN;
	int fd = event(), other = event();

	EXPECT_EQ(-EINVAL, ioeventfd(g, fd, PORT, 3, pio, 0));
	EXPECT_EQ(-EINVAL, ioeventfd(g, fd, PORT, 16, pio, 0));
	EXPECT_EQ(-EINVAL, ioeventfd(g, fd, PORT, 2, 1 << 10, 0));
	EXPECT_EQ(-EINVAL, ioeventfd(g, fd, -1ull, 4, 0, 0));
	EXPECT_EQ(-EINVAL, ioeventfd(g, fd, MMIO, 0, match, 1));
	EXPECT_EQ(-EBADF, ioeventfd(g, 1000, PORT, 2, pio, 0));
	EXPECT_EQ(-EINVAL, ioeventfd(g, g->vm, PORT, 2, pio, 0));
	EXPECT_EQ(0, ioeventfd(g, fd, PORT, 2, pio, 0));
	EXPECT_EQ(-EEXIST, ioeventfd(g, other, PORT, 2, pio, 0));
	EXPECT_EQ(-EEXIST, ioeventfd(g, other, PORT, 2, pio | match, 1));
	EXPECT_EQ(0, ioeventfd(g, other, PORT, 4, pio, 0));
	EXPECT_EQ(-ENOENT, ioeventfd(g, other, PORT, 2, pio | off, 0));
	EXPECT_EQ(0, ioeventfd(g, fd, PORT, 2, pio | off, 0));
	EXPECT_EQ(-ENOENT, ioeventfd(g, fd, PORT, 2, pio | off, 0));
}

TEST_HARNESS_MAIN
