// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model-specific registers: RDMSR and WRMSR in the guest, #GP for what is not
 * there or not allowed, KVM_GET_MSRS and KVM_SET_MSRS, the index lists, exits
 * to user space and the filter.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define MSR_NONE	0x12345		/* nobody has this one */

static const struct {
	uint32_t index;
	uint64_t values[3];
} plain[] = {
	{ MSR_STAR, { 0, 0x0013000800000000, 0x0023001000000000 } },
	{ MSR_LSTAR, { 0, 0xffffffff81000000, 0x7fffffffffff } },
	{ MSR_CSTAR, { 0, 0xffffffff81001000, 0x1000 } },
	{ MSR_SFMASK, { 0, 0x47700, 0x200 } },
	{ MSR_KERNEL_GS_BASE, { 0, 0xffff888000000000, 0x1234 } },
	{ MSR_FS_BASE, { 0, 0x7f0012345678, 0xffffffff80001000 } },
	{ MSR_SYSENTER_CS, { 0, 0x10, 0x8 } },
	/* Processors differ in the upper halves of these two. */
	{ MSR_SYSENTER_ESP, { 0, 0x82000000, 0x8000 } },
	{ MSR_SYSENTER_EIP, { 0, 0x83000000, 0x9000 } },
	{ MSR_PAT, { 0x0007040600070406, 0x0606060606060606,
		     0x0007010600070406 } },
	{ 0x200, { 0, 0x80000006, 0xc0000000 } },	/* MTRR base 0 */
	{ 0x2ff, { 0, 0xc06, 0x806 } },			/* MTRR default */
};

#define NR_PLAIN (sizeof(plain) / sizeof(plain[0]))

static void g_plain(void)
{
	unsigned int i, k;

	for (i = 0; i < NR_PLAIN; i++) {
		for (k = 1; k < 4; k++) {
			uint64_t v = plain[i].values[k % 3];

			wrmsr(plain[i].index, v);
			guest_sync(plain[i].index, rdmsr(plain[i].index), v);
		}
	}
}

TEST(read_back)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_plain, 0);
	unsigned int i;

	for (i = 0; i < 3 * NR_PLAIN; i++) {
		struct ucall u = run_sync(v);

		EXPECT_EQ(u.c, u.b) {
			TH_LOG("MSR %#lx in the guest", (long)u.a);
		}
		EXPECT_EQ(u.c, vcpu_get_msr(v, u.a)) {
			TH_LOG("MSR %#lx in the host", (long)u.a);
		}
	}
	run_done(v);
}

static void g_read_all(void)
{
	unsigned int i;

	for (i = 0; i < NR_PLAIN; i++)
		guest_sync(plain[i].index, rdmsr(plain[i].index), 0);
}

TEST(set_by_host)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_read_all, 0);
	unsigned int i;

	for (i = 0; i < NR_PLAIN; i++) {
		ASSERT_EQ(1, vcpu_set_msr(v, plain[i].index,
					  plain[i].values[1]));
		ASSERT_EQ(plain[i].values[1], vcpu_get_msr(v, plain[i].index));
	}
	for (i = 0; i < NR_PLAIN; i++) {
		struct ucall u = run_sync(v);

		EXPECT_EQ(plain[i].values[1], u.b) {
			TH_LOG("MSR %#lx", (long)u.a);
		}
	}
	run_done(v);
}

static void g_faults(void)
{
	uint64_t value, old;

	G_EQ(rdmsr_try(MSR_NONE, &value), GP_VECTOR);
	G_EQ(this_cpu()->error, 0);
	G_EQ(wrmsr_try(MSR_NONE, 0), GP_VECTOR);
	/* A memory type that does not exist. */
	old = rdmsr(MSR_PAT);
	G_EQ(wrmsr_try(MSR_PAT, 0x02), GP_VECTOR);
	G_EQ(rdmsr(MSR_PAT), old);
	/* Reserved bits, and leaving long mode while paging. */
	old = rdmsr(MSR_EFER);
	G_EQ(wrmsr_try(MSR_EFER, old | 1ul << 40), GP_VECTOR);
	G_EQ(wrmsr_try(MSR_EFER, old & ~EFER_LME), GP_VECTOR);
	G_EQ(rdmsr(MSR_EFER), old);
	G_EQ(wrmsr_try(MSR_EFER, old & ~EFER_SCE), NO_TRAP);
	G_EQ(rdmsr(MSR_EFER), old & ~EFER_SCE);
	/* MTRR capabilities are read-only. */
	G_EQ(wrmsr_try(0xfe, 0), GP_VECTOR);
}

TEST(faults)
{
	struct guest *g = guest_new(0);

	run_done(guest_vcpu(g, g_faults, 0));
}

/* SYSCALL, SYSRET, SWAPGS and RDTSCP use what the MSRs hold. */
asm(".globl msr_syscall_entry\n"
    "msr_syscall_entry:\n"
    "	mov	%rcx, %rdi\n"
    "	mov	%r11, %rsi\n"
    "	jmp	*%r9\n");

extern char msr_syscall_entry[];

static void g_used(void)
{
	uint64_t rcx, r11, rip, gs0, gs1, aux;

	wrmsr(MSR_LSTAR, (uint64_t)msr_syscall_entry);
	wrmsr(MSR_STAR, (uint64_t)SEL_CODE64 << 32);
	wrmsr(MSR_SFMASK, X86_FLAGS_CF);
	asm volatile("lea 1f(%%rip), %%r9; stc; lea 1f(%%rip), %2; syscall; 1:"
		     : "=D"(rcx), "=S"(r11), "=&r"(rip)
		     : : "rcx", "r9", "r11", "cc", "memory");
	G_EQ(rcx, rip);
	G_EQ(r11 & X86_FLAGS_CF, X86_FLAGS_CF);

	wrmsr(MSR_KERNEL_GS_BASE, 0x1122334455);
	gs0 = rdmsr(MSR_GS_BASE);
	asm volatile("swapgs" : : : "memory");
	gs1 = rdmsr(MSR_GS_BASE);
	asm volatile("swapgs" : : : "memory");
	G_EQ(gs0, (uint64_t)this_cpu());
	G_EQ(gs1, 0x1122334455);

	if (rdmsr_try(MSR_TSC_AUX, &aux) == NO_TRAP) {
		wrmsr(MSR_TSC_AUX, 0x1234);
		asm volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
		G_EQ(aux, 0x1234);
	}
}

TEST(used_by_instructions)
{
	struct guest *g = guest_new(0);

	run_done(guest_vcpu(g, g_used, 0));
}

static struct kvm_msr_list *read_list(struct __test_metadata *_metadata,
				      int dev, unsigned long request)
{
	struct kvm_msr_list head = { 0 }, *list;
	int n;

	ASSERT_EQ(-1, ioctl(dev, request, &head));
	ASSERT_EQ(E2BIG, errno);
	n = head.nmsrs;
	ASSERT_LT(0, n);
	list = calloc(1, sizeof(*list) + n * sizeof(list->indices[0]));
	list->nmsrs = n;
	ASSERT_EQ(0, ioctl(dev, request, list));
	ASSERT_EQ(n, list->nmsrs);
	return list;
}

TEST(index_list)
{
	static const uint32_t required[] = {
		MSR_TSC, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
		MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK, MSR_KERNEL_GS_BASE,
		MSR_PAT, MSR_KVMCLOCK, MSR_KVMCLOCK_WALL,
	};
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	struct kvm_msr_list *list = read_list(_metadata, g->dev,
					      KVM_GET_MSR_INDEX_LIST);
	uint32_t i, k;

	for (i = 0; i < list->nmsrs; i++) {
		for (k = 0; k < i; k++) {
			EXPECT_NE(list->indices[i], list->indices[k]);
		}
	}
	for (k = 0; k < sizeof(required) / sizeof(required[0]); k++) {
		for (i = 0; i < list->nmsrs; i++) {
			if (list->indices[i] == required[k])
				break;
		}
		EXPECT_LT(i, list->nmsrs) {
			TH_LOG("MSR %#x is missing", required[k]);
		}
	}
	/* What is listed can be saved and restored. */
	for (i = 0; i < list->nmsrs; i++) {
		uint64_t value = vcpu_get_msr(v, list->indices[i]);

		EXPECT_EQ(1, vcpu_set_msr(v, list->indices[i], value)) {
			TH_LOG("MSR %#x = %#lx", list->indices[i], (long)value);
		}
	}
}

TEST(feature_list)
{
	int dev = device_open();
	struct kvm_msr_list *list;
	uint32_t i;

	if (!ioctl(dev, KVM_CHECK_EXTENSION, KVM_CAP_GET_MSR_FEATURES)) {
		SKIP(return, "no KVM_CAP_GET_MSR_FEATURES");
	}
	list = read_list(_metadata, dev, KVM_GET_MSR_FEATURE_INDEX_LIST);
	for (i = 0; i < list->nmsrs; i++) {
		struct {
			struct kvm_msrs head;
			struct kvm_msr_entry entry;
		} m = { .head.nmsrs = 1, .entry.index = list->indices[i] };

		EXPECT_EQ(1, ioctl(dev, KVM_GET_MSRS, &m)) {
			TH_LOG("feature MSR %#x", list->indices[i]);
		}
	}
}

/* A bad entry ends the list: the count says how many were done. */
TEST(partial)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e[3];
	} m = {
		.head.nmsrs = 3,
		.e = {
			{ .index = MSR_LSTAR, .data = 0x1111 },
			{ .index = MSR_NONE, .data = 0x2222 },
			{ .index = MSR_CSTAR, .data = 0x3333 },
		},
	};

	ASSERT_EQ(1, vcpu_set_msr(v, MSR_CSTAR, 0x4444));
	ASSERT_EQ(1, ioctl(v->fd, KVM_SET_MSRS, &m));
	ASSERT_EQ(0x1111, vcpu_get_msr(v, MSR_LSTAR));
	ASSERT_EQ(0x4444, vcpu_get_msr(v, MSR_CSTAR));
	ASSERT_EQ(1, ioctl(v->fd, KVM_GET_MSRS, &m));
	ASSERT_EQ(0x1111, m.e[0].data);
	m.head.nmsrs = 100000;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_GET_MSRS, &m));
	ASSERT_EQ(E2BIG, errno);
}

static void g_user_space(void)
{
	uint64_t value;

	G_EQ(rdmsr_try(MSR_NONE, &value), NO_TRAP);
	G_EQ(value, 0x1122334455667788);
	G_EQ(rdmsr_try(MSR_NONE, &value), GP_VECTOR);
	G_EQ(wrmsr_try(MSR_NONE, 0x99), NO_TRAP);
	G_EQ(wrmsr_try(MSR_NONE, 0x98), GP_VECTOR);
}

TEST(user_space_msr)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_user_space, 0);
	struct kvm_run *run = v->run;
	int i;

	if (!guest_cap(g, KVM_CAP_X86_USER_SPACE_MSR)) {
		SKIP(return, "no KVM_CAP_X86_USER_SPACE_MSR");
	}
	ASSERT_EQ(-EINVAL, guest_enable_cap(g, KVM_CAP_X86_USER_SPACE_MSR,
					    1 << 20));
	ASSERT_EQ(0, guest_enable_cap(g, KVM_CAP_X86_USER_SPACE_MSR,
				      KVM_MSR_EXIT_REASON_UNKNOWN));
	for (i = 0; i < 4; i++) {
		run_exit(v, i < 2 ? KVM_EXIT_X86_RDMSR : KVM_EXIT_X86_WRMSR);
		ASSERT_EQ(MSR_NONE, run->msr.index);
		ASSERT_EQ(KVM_MSR_EXIT_REASON_UNKNOWN, run->msr.reason);
		if (i >= 2) {
			ASSERT_EQ(0x99 - (i - 2), run->msr.data);
		}
		run->msr.data = 0x1122334455667788;
		run->msr.error = i & 1;
	}
	run_done(v);
}

static void g_filtered(void)
{
	uint64_t value;

	G_EQ(rdmsr_try(MSR_LSTAR, &value), GP_VECTOR);
	G_EQ(wrmsr_try(MSR_LSTAR, 0), GP_VECTOR);
	G_EQ(rdmsr_try(MSR_STAR, &value), NO_TRAP);
	G_EQ(rdmsr_try(MSR_CSTAR, &value), NO_TRAP);
	guest_sync(0, 0, 0);
	G_EQ(rdmsr_try(MSR_LSTAR, &value), NO_TRAP);
}

TEST(filter)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_filtered, 0);
	uint8_t bitmap = 0xff & ~(1 << (MSR_LSTAR & 7));
	struct kvm_msr_filter none = { .flags = KVM_MSR_FILTER_DEFAULT_ALLOW };
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] = {
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.base = MSR_LSTAR & ~7u,
			.nmsrs = 8,
			.bitmap = &bitmap,
		},
	};

	if (!guest_cap(g, KVM_CAP_X86_MSR_FILTER)) {
		SKIP(return, "no KVM_CAP_X86_MSR_FILTER");
	}
	ASSERT_EQ(0, ioctl(g->vm, KVM_X86_SET_MSR_FILTER, &filter));
	run_sync(v);
	/* User space's own access is not filtered. */
	vcpu_get_msr(v, MSR_LSTAR);
	ASSERT_EQ(0, ioctl(g->vm, KVM_X86_SET_MSR_FILTER, &none));
	run_done(v);
}

TEST_HARNESS_MAIN
