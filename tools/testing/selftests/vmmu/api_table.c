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

static const struct cap_row cap_rows[] = {
#include "api_caps.h"
};

static const struct ioctl_row ioctl_rows[] = {
#include "api_ioctls.h"
};

static const char *outcome(long r)
{
	return r < 0 ? strerrorname_np(errno) : "ok";
}

TEST(capabilities)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	unsigned int i, bad = 0;
	long dev, vm, want;

	for (i = 0; i < sizeof(cap_rows) / sizeof(cap_rows[0]); i++) {
		dev = ioctl(g->dev, KVM_CHECK_EXTENSION, cap_rows[i].cap);
		vm = ioctl(g->vm, KVM_CHECK_EXTENSION, cap_rows[i].cap);
		want = cap_rows[i].answer;
		if (dev == vm && (want == MORE_THAN_0 ? dev > 0 : dev == want))
			continue;
		TH_LOG("%s: %ld on the device, %ld on the VM; api.md says %ld",
		       cap_rows[i].name, dev, vm, want);
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
		for (i = 0; i < sizeof(cap_rows) / sizeof(cap_rows[0]); i++)
			if (cap_rows[i].cap == cap)
				break;
		if (i < sizeof(cap_rows) / sizeof(cap_rows[0]))
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

	for (i = 0; i < sizeof(ioctl_rows) / sizeof(ioctl_rows[0]); i++) {
		fd = ioctl_rows[i].fd == 's' ? g->dev : ioctl_rows[i].fd == 'v' ? g->vm : v->fd;
		got = outcome(ioctl(fd, ioctl_rows[i].cmd, NOWHERE));
		if (!strcmp(got, ioctl_rows[i].answer))
			continue;
		TH_LOG("%c %s: %s; api.md says %s", ioctl_rows[i].fd, ioctl_rows[i].name, got,
		       ioctl_rows[i].answer);
		bad++;
	}
	EXPECT_EQ(0, bad);
}

TEST_HARNESS_MAIN
