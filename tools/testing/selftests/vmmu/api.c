// SPDX-License-Identifier: GPL-2.0-only
/*
 * The API itself: version, capabilities, and what bad ioctls get on each of
 * the three file descriptors.
 */
#include <kselftest_harness.h>
#include <fcntl.h>

#include "guest.h"

#define EXPECT_ERRNO(error, call)					\
do {									\
	errno = 0;							\
	EXPECT_EQ(-1, (call));						\
	EXPECT_EQ(error, errno);					\
} while (0)

TEST(version)
{
	int dev = device_open();

	ASSERT_EQ(KVM_API_VERSION, ioctl(dev, KVM_GET_API_VERSION, 0));
	EXPECT_ERRNO(EINVAL, ioctl(dev, KVM_GET_API_VERSION, 1));
}

TEST(mmap_size)
{
	int dev = device_open();
	int size = ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0);

	ASSERT_LE((int)sizeof(struct kvm_run), size);
	ASSERT_EQ(0, size % (int)PAGE);
	EXPECT_ERRNO(EINVAL, ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 1));
}

/* Nothing boots on a device that lacks one of these. */
TEST(required_capabilities)
{
	static const int required[] = {
		KVM_CAP_USER_MEMORY, KVM_CAP_SET_TSS_ADDR, KVM_CAP_EXT_CPUID,
		KVM_CAP_MP_STATE, KVM_CAP_SYNC_MMU,
		KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
		KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, KVM_CAP_IRQ_ROUTING,
		KVM_CAP_MCE, KVM_CAP_IRQFD, KVM_CAP_IOEVENTFD,
		KVM_CAP_SET_IDENTITY_MAP_ADDR, KVM_CAP_ADJUST_CLOCK,
		KVM_CAP_INTERNAL_ERROR_DATA, KVM_CAP_VCPU_EVENTS,
		KVM_CAP_DEBUGREGS, KVM_CAP_X86_ROBUST_SINGLESTEP,
		KVM_CAP_XSAVE, KVM_CAP_READONLY_MEM, KVM_CAP_SIGNAL_MSI,
		KVM_CAP_IOEVENTFD_ANY_LENGTH, KVM_CAP_IMMEDIATE_EXIT,
		KVM_CAP_SPLIT_IRQCHIP, KVM_CAP_IRQCHIP,
	};
	struct guest *g = guest_new(GUEST_BARE);
	unsigned int i;

	for (i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		EXPECT_LT(0, ioctl(g->dev, KVM_CHECK_EXTENSION, required[i])) {
			TH_LOG("capability %d is missing", required[i]);
		}
		EXPECT_LT(0, guest_cap(g, required[i]));
	}
}

TEST(capability_values)
{
	struct guest *g = guest_new(GUEST_BARE);
	int max_vcpus = guest_cap(g, KVM_CAP_MAX_VCPUS);
	int max_id = guest_cap(g, KVM_CAP_MAX_VCPU_ID);
	int xsave2 = guest_cap(g, KVM_CAP_XSAVE2);

	EXPECT_LE(64, max_vcpus);
	EXPECT_LE(1, guest_cap(g, KVM_CAP_NR_VCPUS));
	EXPECT_LE(guest_cap(g, KVM_CAP_NR_VCPUS), max_vcpus);
	if (max_id) {
		EXPECT_LE(max_vcpus, max_id);
	}
	EXPECT_LE(32, guest_cap(g, KVM_CAP_NR_MEMSLOTS));
	EXPECT_LE(24, guest_cap(g, KVM_CAP_IRQ_ROUTING));
	if (xsave2) {
		EXPECT_LE(4096, xsave2);
	}
	/* Numbers that nobody has given out. */
	EXPECT_EQ(0, guest_cap(g, 0x7fffff));
	EXPECT_EQ(0, ioctl(g->dev, KVM_CHECK_EXTENSION, 100000));
}

TEST(bad_ioctls)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	const unsigned long unknown = _IO(KVMIO, 0x0e), foreign = _IO('x', 1);

	EXPECT_ERRNO(EINVAL, ioctl(g->dev, unknown, 0));
	EXPECT_ERRNO(ENOTTY, ioctl(g->vm, unknown, 0));
	EXPECT_ERRNO(EINVAL, ioctl(v->fd, unknown, 0));
	EXPECT_ERRNO(EINVAL, ioctl(g->dev, foreign, 0));
	EXPECT_ERRNO(ENOTTY, ioctl(g->vm, foreign, 0));
	EXPECT_ERRNO(EINVAL, ioctl(v->fd, foreign, 0));
	/* The right call on the wrong descriptor. */
	EXPECT_ERRNO(EINVAL, ioctl(g->dev, KVM_RUN, 0));
	EXPECT_ERRNO(ENOTTY, ioctl(g->vm, KVM_RUN, 0));
	EXPECT_ERRNO(EINVAL, ioctl(v->fd, KVM_CREATE_VM, 0));
	EXPECT_ERRNO(EINVAL, ioctl(v->fd, KVM_RUN, 1));
}

TEST(bad_pointers)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	void *bad = (void *)0x10;

	EXPECT_ERRNO(EFAULT, ioctl(g->dev, KVM_GET_SUPPORTED_CPUID, bad));
	EXPECT_ERRNO(EFAULT, ioctl(g->dev, KVM_GET_MSR_INDEX_LIST, bad));
	EXPECT_ERRNO(EFAULT, ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, bad));
	EXPECT_ERRNO(EFAULT, ioctl(g->vm, KVM_GET_DIRTY_LOG, bad));
	EXPECT_ERRNO(EFAULT, ioctl(g->vm, KVM_ENABLE_CAP, bad));
	EXPECT_ERRNO(EFAULT, ioctl(g->vm, KVM_IRQFD, bad));
	EXPECT_ERRNO(EFAULT, ioctl(g->vm, KVM_IOEVENTFD, bad));
	EXPECT_ERRNO(EFAULT, ioctl(v->fd, KVM_GET_REGS, bad));
	EXPECT_ERRNO(EFAULT, ioctl(v->fd, KVM_SET_REGS, bad));
	EXPECT_ERRNO(EFAULT, ioctl(v->fd, KVM_GET_SREGS, bad));
	EXPECT_ERRNO(EFAULT, ioctl(v->fd, KVM_SET_SREGS, bad));
	EXPECT_ERRNO(EFAULT, ioctl(v->fd, KVM_SET_MSRS, bad));
	EXPECT_ERRNO(EFAULT, ioctl(v->fd, KVM_SET_CPUID2, bad));
}

TEST(create_vm)
{
	int dev = device_open(), first, second;

	EXPECT_ERRNO(EINVAL, ioctl(dev, KVM_CREATE_VM, 0x1000));
	first = ioctl(dev, KVM_CREATE_VM, 0);
	second = ioctl(dev, KVM_CREATE_VM, 0);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_EQ(FD_CLOEXEC, fcntl(first, F_GETFD));
	/* A VM lives on without the device's descriptor. */
	close(dev);
	ASSERT_LE(0, ioctl(first, KVM_CREATE_VCPU, 0));
}

TEST(create_vcpu)
{
	struct guest *g = guest_new(GUEST_BARE);
	int max_id = guest_cap(g, KVM_CAP_MAX_VCPU_ID);
	int fd;

	if (!max_id)
		max_id = guest_cap(g, KVM_CAP_MAX_VCPUS);
	fd = ioctl(g->vm, KVM_CREATE_VCPU, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_ERRNO(EEXIST, ioctl(g->vm, KVM_CREATE_VCPU, 0));
	EXPECT_ERRNO(EINVAL, ioctl(g->vm, KVM_CREATE_VCPU, max_id));
	EXPECT_ERRNO(EINVAL, ioctl(g->vm, KVM_CREATE_VCPU, -1));
	/* The number is taken although the descriptor is gone. */
	close(fd);
	EXPECT_ERRNO(EEXIST, ioctl(g->vm, KVM_CREATE_VCPU, 0));
	EXPECT_LE(0, ioctl(g->vm, KVM_CREATE_VCPU, 7));
}

TEST(vcpu_mmap)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	void *again = mmap(NULL, g->run_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED, v->fd, 0);

	ASSERT_NE(MAP_FAILED, again);
	v->run->request_interrupt_window = 1;
	ASSERT_EQ(1, ((struct kvm_run *)again)->request_interrupt_window);
}

TEST(enable_cap)
{
	struct guest *g = guest_new(GUEST_BARE);
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP };

	ASSERT_EQ(-EINVAL, guest_enable_cap(g, 0x7fffff, 0));
	/* Flags are reserved; more pins than routes are too many. */
	cap.flags = 1;
	EXPECT_ERRNO(EINVAL, ioctl(g->vm, KVM_ENABLE_CAP, &cap));
	EXPECT_EQ(-EINVAL, guest_enable_cap(g, KVM_CAP_SPLIT_IRQCHIP, 1 << 20));
	EXPECT_EQ(0, guest_enable_cap(g, KVM_CAP_SPLIT_IRQCHIP, 24));
	EXPECT_EQ(-EEXIST, guest_enable_cap(g, KVM_CAP_SPLIT_IRQCHIP, 24));
}

TEST(split_irqchip_comes_before_vcpus)
{
	struct guest *g = guest_new(GUEST_BARE);

	ASSERT_LE(0, ioctl(g->vm, KVM_CREATE_VCPU, 0));
	ASSERT_EQ(-EEXIST, guest_enable_cap(g, KVM_CAP_SPLIT_IRQCHIP, 24));
}

/* A VM belongs to the address space that made it. */
TEST(other_process)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		struct kvm_regs r;
		bool vm, vcpu;

		vm = ioctl(g->vm, KVM_CHECK_EXTENSION, 0) == -1 && errno == EIO;
		vcpu = ioctl(v->fd, KVM_GET_REGS, &r) == -1 && errno == EIO;
		_exit(vm && vcpu ? 0 : 2);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	vcpu_regs(v);
}

/* Closing in any order, also with descriptors left to the process's end. */
TEST(close_order)
{
	int i;

	for (i = 0; i < 6; i++) {
		struct guest *g = guest_new(i & 1 ? GUEST_SPLIT : 0);
		struct vcpu *v = guest_vcpu(g, hlt, 0);

		if (!(i & 1)) {
			run_exit(v, KVM_EXIT_HLT);
		}
		if (i % 3 == 0) {
			close(g->vm);
			vcpu_regs(v);
			close(v->fd);
		} else if (i % 3 == 1) {
			munmap(v->run, g->run_size);
			close(v->fd);
			close(g->vm);
		} else {
			munmap(g->ram, GUEST_RAM);
			close(g->vm);
		}
	}
}

TEST_HARNESS_MAIN
