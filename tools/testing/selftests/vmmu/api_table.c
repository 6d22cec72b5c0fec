// SPDX-License-Identifier: GPL-2.0-only
/*
 * Documentation/api.md says what every ioctl and capability of <linux/kvm.h>
 * does; this asks the module. The rows come from that page at build time.
 *
 * A capability's row says what KVM_CHECK_EXTENSION answers. An ioctl's row says
 * what comes back when it is called with a pointer to nothing: EFAULT shows
 * that it is there and looks at its argument, the unknown-ioctl error of its
 * kind of file that it is not.
 */
#include <kselftest_harness.h>

#include "guest.h"

/* An address where no process has memory. */
#define NOWHERE		(-4096l)
#define MORE_THAN_0	(-1l)

struct cap_row {
	const char *name;
	int cap;
	long answer;
};

struct ioctl_row {
	char fd;		/* s: /dev/vmmu, v: VM, c: vCPU */
	const char *name;
	unsigned long cmd;
	const char *answer;	/* an errno's name, or ok */
};

#define CAP(name, answer) { #name, name, answer },
#define IOCTL(fd, name, answer) { fd, #name, name, answer },

static const struct cap_row caps[] = {
#include "api_caps.h"
};

static const struct ioctl_row ioctls[] = {
#include "api_ioctls.h"
};

static const char *outcome(long r)
{
	if (r >= 0)
		return "ok";
	switch (errno) {
	case EFAULT:
		return "EFAULT";
	case EINVAL:
		return "EINVAL";
	case ENOTTY:
		return "ENOTTY";
	case ENXIO:
		return "ENXIO";
	case E2BIG:
		return "E2BIG";
	default:
		return strerror(errno);
	}
}

TEST(capabilities)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	unsigned int i, bad = 0;
	long dev, vm;

	for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		dev = ioctl(g->dev, KVM_CHECK_EXTENSION, caps[i].cap);
		vm = ioctl(g->vm, KVM_CHECK_EXTENSION, caps[i].cap);
		if (dev == vm && (caps[i].answer == MORE_THAN_0 ? dev > 0 : dev == caps[i].answer))
			continue;
		TH_LOG("%s: %ld on the device, %ld on the VM; api.md says %ld", caps[i].name, dev,
		       vm, caps[i].answer);
		bad++;
	}
	EXPECT_EQ(0, bad);
}

/* Numbers that no row has are no capability of ours. */
TEST(no_other_capability)
{
	struct guest *g = guest_new(GUEST_BARE);
	unsigned int i;
	int cap;

	for (cap = 0; cap < 1024; cap++) {
		for (i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
			if (caps[i].cap == cap)
				break;
		if (i < sizeof(caps) / sizeof(caps[0]))
			continue;
		EXPECT_EQ(0, ioctl(g->dev, KVM_CHECK_EXTENSION, cap)) {
			TH_LOG("capability %d is not in api.md", cap);
		}
	}
}

TEST(ioctls)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu_bare(g);
	unsigned int i, bad = 0;
	const char *got;
	int fd;

	for (i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++) {
		fd = ioctls[i].fd == 's' ? g->dev : ioctls[i].fd == 'v' ? g->vm : v->fd;
		got = outcome(ioctl(fd, ioctls[i].cmd, NOWHERE));
		if (!strcmp(got, ioctls[i].answer))
			continue;
		TH_LOG("%c %s: %s; api.md says %s", ioctls[i].fd, ioctls[i].name, got,
		       ioctls[i].answer);
		bad++;
	}
	EXPECT_EQ(0, bad);
}

TEST_HARNESS_MAIN
