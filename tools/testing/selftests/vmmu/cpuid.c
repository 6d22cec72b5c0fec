// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID: what the device offers is a subset of what the host has, what user
 * space sets is what the guest reads, and the bits that follow the vCPU's
 * state follow it.
 */
#include <kselftest_harness.h>

#include "guest.h"

static struct kvm_cpuid_entry2 *find(struct kvm_cpuid2 *c, uint32_t function,
				     uint32_t index)
{
	uint32_t i;

	for (i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function == function &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) ||
		     e->index == index))
			return e;
	}
	return NULL;
}

TEST(table_sizes)
{
	struct guest *g = guest_new(0);
	const int n = g->cpuid->nent;
	struct kvm_cpuid2 *c;

	c = calloc(1, sizeof(*c) + n * sizeof(c->entries[0]));
	ASSERT_LT(0, n);
	c->nent = n;
	ASSERT_EQ(0, ioctl(g->dev, KVM_GET_SUPPORTED_CPUID, c));
	ASSERT_EQ(n, c->nent);
	c->nent = n - 1;
	ASSERT_EQ(-1, ioctl(g->dev, KVM_GET_SUPPORTED_CPUID, c));
	ASSERT_EQ(E2BIG, errno);
	c->nent = 1;
	ASSERT_EQ(-1, ioctl(g->dev, KVM_GET_SUPPORTED_CPUID, c));
	ASSERT_EQ(E2BIG, errno);
}

TEST(no_duplicates)
{
	struct guest *g = guest_new(0);
	uint32_t i, k;

	for (i = 0; i < g->cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *a = &g->cpuid->entries[i];

		for (k = 0; k < i; k++) {
			struct kvm_cpuid_entry2 *b = &g->cpuid->entries[k];

			EXPECT_FALSE(a->function == b->function &&
				     a->index == b->index) {
				TH_LOG("leaf %#x, %#x twice", a->function,
				       a->index);
			}
		}
	}
}

TEST(subset_of_host)
{
	struct guest *g = guest_new(0);
	struct kvm_cpuid_entry2 *e;
	uint32_t host[4];

	cpuid_count(0, 0, host);
	e = find(g->cpuid, 0, 0);
	ASSERT_NE(NULL, e);
	EXPECT_EQ(host[1], e->ebx);
	EXPECT_EQ(host[2], e->ecx);
	EXPECT_EQ(host[3], e->edx);

	/* The emulated ones: x2APIC, TSC deadline; and "a hypervisor". */
	cpuid_count(1, 0, host);
	e = find(g->cpuid, 1, 0);
	ASSERT_NE(NULL, e);
	EXPECT_EQ(0, e->ecx & ~host[2] & ~(1u << 21 | 1u << 24 | 1u << 31));
	EXPECT_EQ(0, e->edx & ~host[3]);
	/* Long mode needs: FPU, TSC, MSR, PAE, CX8, APIC, PGE, CMOV, SSE2. */
	EXPECT_EQ(0x07008371 & host[3], e->edx & 0x07008371);

	cpuid_count(7, 0, host);
	e = find(g->cpuid, 7, 0);
	if (e) {
		/* UMIP is emulated where the host has none. */
		EXPECT_EQ(0, e->ebx & ~host[1] & ~(1u << 1));
		EXPECT_EQ(0, e->ecx & ~host[2] & ~(1u << 2));
	}
	cpuid_count(0x80000001, 0, host);
	e = find(g->cpuid, 0x80000001, 0);
	ASSERT_NE(NULL, e);
	EXPECT_EQ(0, e->edx & ~host[3]);
	EXPECT_TRUE(e->edx & 1u << 29);
	cpuid_count(0xd, 0, host);
	e = find(g->cpuid, 0xd, 0);
	if (e) {
		EXPECT_EQ(0, e->eax & ~host[0]);
		EXPECT_LE(e->ecx, host[2]);
	}
}

TEST(signature)
{
	struct guest *g = guest_new(0);
	struct kvm_cpuid_entry2 *e = find(g->cpuid, 0x40000000, 0);

	ASSERT_NE(NULL, e);
	EXPECT_EQ(0, memcmp(&e->ebx, "KVMK", 4));
	EXPECT_EQ(0, memcmp(&e->ecx, "VMKV", 4));
	EXPECT_EQ(0, memcmp(&e->edx, "M\0\0\0", 4));
	EXPECT_NE(NULL, find(g->cpuid, 0x40000001, 0));
}

TEST(round_trip)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	const int n = g->cpuid->nent;
	struct kvm_cpuid2 *c;
	int i;

	c = calloc(1, sizeof(*c) + n * sizeof(c->entries[0]));
	c->nent = n - 1;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_GET_CPUID2, c));
	ASSERT_EQ(E2BIG, errno);
	c->nent = n;
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_CPUID2, c));
	ASSERT_EQ(n, c->nent);
	for (i = 0; i < n; i++) {
		struct kvm_cpuid_entry2 *a = &g->cpuid->entries[i];
		struct kvm_cpuid_entry2 *b = &c->entries[i];

		EXPECT_EQ(a->function, b->function);
		EXPECT_EQ(a->index, b->index);
		/* Others hold bits that follow the vCPU's state. */
		if (a->function == 0x80000002) {
			EXPECT_EQ(0, memcmp(a, b, sizeof(*a)));
		}
	}
	c->nent = 10000;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_CPUID2, c));
	ASSERT_EQ(E2BIG, errno);
}

static void g_cpuid(uint64_t leaf)
{
	uint32_t r[4];

	cpuid_count(leaf, 0, r);
	guest_sync(r[0], r[1], (uint64_t)r[3] << 32 | r[2]);
	/* The upper halves are cleared. */
	{
		uint64_t a = leaf | 1ul << 40, b = -1ul, c = 0, d = -1ul;

		asm volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
		G_EQ((a | b | c | d) >> 32, 0);
		G_EQ(a, r[0]);
	}
}

static struct ucall read_leaf(struct vcpu *v, uint32_t leaf)
{
	vcpu_long(v, g_cpuid, leaf);
	return run_sync(v);
}

TEST(guest_reads_what_was_set)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	struct kvm_cpuid_entry2 *e = find(g->cpuid, 0x80000002, 0);
	struct kvm_cpuid_entry2 *top = find(g->cpuid, 0, 0);
	struct ucall u;

	ASSERT_NE(NULL, e);
	memcpy(&e->eax, "vmmu selftest !!", 16);
	vcpu_set_cpuid(v);
	u = read_leaf(v, 0x80000002);
	ASSERT_EQ(e->eax, u.a);
	ASSERT_EQ(e->ebx, u.b);
	ASSERT_EQ(e->ecx, (uint32_t)u.c);
	ASSERT_EQ(e->edx, u.c >> 32);
	run_done(v);

	u = read_leaf(v, 0);
	ASSERT_EQ(top->eax, u.a);
	run_done(v);
	u = read_leaf(v, 0x40000000);
	ASSERT_EQ(0, memcmp(&u.b, "KVMK", 4));
	run_done(v);
	/* No such leaf, AMD: zeroes. Intel repeats the last basic leaf. */
	if (top->ebx == 0x68747541) {
		u = read_leaf(v, top->eax + 0x100);
		ASSERT_EQ(0, u.a | u.b | u.c);
		run_done(v);
	}
}

static void g_dynamic(void)
{
	uint32_t r[4];

	cpuid_count(1, 0, r);
	G_EQ(r[2] >> 27 & 1, 0);
	G_EQ(r[1] >> 24, this_cpu()->id);
	if (!(r[2] >> 26 & 1))
		return;
	write_cr4(read_cr4() | X86_CR4_OSXSAVE);
	cpuid_count(1, 0, r);
	G_EQ(r[2] >> 27 & 1, 1);
	/* The size of the enabled components follows XCR0. */
	asm volatile("xsetbv" : : "c"(0), "a"(1), "d"(0));
	cpuid_count(0xd, 0, r);
	G_EQ(r[1], 576);
	if (r[0] & 4) {
		asm volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
		cpuid_count(0xd, 0, r);
		G_EQ(r[1], 832);
	}
}

TEST(dynamic_bits)
{
	struct guest *g = guest_new(0);

	run_done(guest_vcpu(g, g_dynamic, 0));
	run_done(guest_vcpu(g, g_dynamic, 0));
}

TEST(change_after_run)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);

	run_exit(v, KVM_EXIT_HLT);
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_CPUID2, g->cpuid));
	find(g->cpuid, 0x80000002, 0)->eax ^= 1;
	ASSERT_EQ(-1, ioctl(v->fd, KVM_SET_CPUID2, g->cpuid));
	ASSERT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
