// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalesced MMIO and port writes: they wait in the ring instead of exiting.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define PAGE_SIZE	PAGE	/* for KVM_COALESCED_MMIO_MAX */
#define ZONE	0xd0000000ul	/* no memory */
#define SIZE	0x100
#define PORT	0x500

static struct kvm_coalesced_mmio_ring *ring(struct guest *g)
{
	int page = guest_cap(g, KVM_CAP_COALESCED_MMIO);

	if (page <= 0)
		DIE("KVM_CAP_COALESCED_MMIO: %d", page);
	return (void *)((uint8_t *)g->vcpu[0].run + page * PAGE);
}

static int zone(struct guest *g, unsigned long call, uint64_t addr,
		uint32_t size, uint32_t pio)
{
	struct kvm_coalesced_mmio_zone z = {
		.addr = addr, .size = size, .pio = pio,
	};

	return ioctl(g->vm, call, &z) ? -errno : 0;
}

#define add(g, addr, size, pio)						\
	zone(g, KVM_REGISTER_COALESCED_MMIO, addr, size, pio)
#define del(g, addr, size, pio)						\
	zone(g, KVM_UNREGISTER_COALESCED_MMIO, addr, size, pio)

static void g_writes(void)
{
	write8((void *)ZONE, 0x11);
	write16((void *)(ZONE + 2), 0x2222);
	write32((void *)(ZONE + 4), 0x33333333);
	write64((void *)(ZONE + SIZE - 8), 0x4444444444444444);
	guest_sync(0, 0, 0);
	/* Reads exit, and so does what is not wholly inside. */
	read32((void *)ZONE);
	write64((void *)(ZONE + SIZE - 4), 5);
	write8((void *)(ZONE + SIZE), 6);
	guest_sync(1, 0, 0);
	write8((void *)ZONE, 7);
	guest_sync(2, 0, 0);
}

static void check(struct kvm_coalesced_mmio *e, uint64_t addr, uint32_t len,
		  uint64_t value, uint32_t pio)
{
	if (e->phys_addr != addr || e->len != len || e->pio != pio ||
	    memcmp(e->data, &value, len))
		DIE("entry %#llx %u %u", e->phys_addr, e->len, e->pio);
}

TEST(mmio)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_writes, 0);
	struct kvm_coalesced_mmio_ring *r = ring(g);

	ASSERT_EQ(0, add(g, ZONE, SIZE, 0));
	ASSERT_EQ(0, run_sync(v).a);
	ASSERT_EQ(0, r->first);
	ASSERT_EQ(4, r->last);
	check(&r->coalesced_mmio[0], ZONE, 1, 0x11, 0);
	check(&r->coalesced_mmio[1], ZONE + 2, 2, 0x2222, 0);
	check(&r->coalesced_mmio[2], ZONE + 4, 4, 0x33333333, 0);
	check(&r->coalesced_mmio[3], ZONE + SIZE - 8, 8, 0x4444444444444444, 0);
	r->first = r->last;
	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(0, v->run->mmio.is_write);
	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(ZONE + SIZE - 4, v->run->mmio.phys_addr);
	ASSERT_EQ(8, v->run->mmio.len);
	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(ZONE + SIZE, v->run->mmio.phys_addr);
	ASSERT_EQ(1, run_sync(v).a);
	ASSERT_EQ(r->first, r->last);
	/* More than what was registered is not it; a part of it is. */
	ASSERT_EQ(0, del(g, ZONE, SIZE * 2, 0));
	ASSERT_EQ(0, del(g, ZONE, SIZE, 1));
	ASSERT_EQ(2, run_sync(v).a);
	ASSERT_EQ((r->first + 1) % KVM_COALESCED_MMIO_MAX, r->last);
	run_done(v);
}

static void g_unregistered(void)
{
	write8((void *)ZONE, 1);
	guest_sync(0, 0, 0);
	write8((void *)ZONE, 2);
	guest_sync(1, 0, 0);
}

TEST(unregister)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_unregistered, 0);

	ASSERT_EQ(0, add(g, ZONE, SIZE, 0));
	ASSERT_EQ(0, run_sync(v).a);
	ASSERT_EQ(0, del(g, ZONE, SIZE, 0));
	run_exit(v, KVM_EXIT_MMIO);
	ASSERT_EQ(2, v->run->mmio.data[0]);
	ASSERT_EQ(1, run_sync(v).a);
	ASSERT_EQ(1, ring(g)->last);
}

static void g_full(void)
{
	int i;

	for (i = 0; i < 300; i++)
		write32((void *)ZONE, i);
	guest_sync(0, 0, 0);
}

/* A full ring loses nothing: the write exits, and goes on when there is room. */
TEST(full)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_full, 0);
	struct kvm_coalesced_mmio_ring *r = ring(g);
	uint32_t next = 0, value, exits = 0;
	struct ucall u;

	ASSERT_EQ(0, add(g, ZONE, SIZE, 0));
	do {
		u = vcpu_run_ucall(v);
		for (; r->first != r->last;
		     r->first = (r->first + 1) % KVM_COALESCED_MMIO_MAX) {
			memcpy(&value, r->coalesced_mmio[r->first].data, 4);
			ASSERT_EQ(next, value);
			next++;
		}
		if (!u.kind) {
			ASSERT_EQ(KVM_EXIT_MMIO, v->run->exit_reason);
			memcpy(&value, v->run->mmio.data, 4);
			ASSERT_EQ(next, value);
			next++;
			if (!exits++)
				ASSERT_EQ(KVM_COALESCED_MMIO_MAX, next);
		}
	} while (!u.kind);
	ASSERT_EQ(300, next);
	ASSERT_LE(1, exits);
}

static void g_ports(void)
{
	outb(PORT, 0x11);
	outw(PORT + 1, 0x2222);
	outl(PORT + 4, 0x33333333);
	guest_sync(0, 0, 0);
	outl(PORT + 6, 0x44444444);
	guest_sync(inb(PORT), 0, 0);
}

TEST(ports)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_ports, 0);
	struct kvm_coalesced_mmio_ring *r = ring(g);

	if (guest_cap(g, KVM_CAP_COALESCED_PIO) <= 0)
		SKIP(return, "no KVM_CAP_COALESCED_PIO");
	ASSERT_EQ(0, add(g, PORT, 8, 1));
	ASSERT_EQ(0, run_sync(v).a);
	ASSERT_EQ(3, r->last);
	check(&r->coalesced_mmio[0], PORT, 1, 0x11, 1);
	check(&r->coalesced_mmio[1], PORT + 1, 2, 0x2222, 1);
	check(&r->coalesced_mmio[2], PORT + 4, 4, 0x33333333, 1);
	run_exit(v, KVM_EXIT_IO);
	ASSERT_EQ(PORT + 6, v->run->io.port);
	run_exit(v, KVM_EXIT_IO);
	ASSERT_EQ(KVM_EXIT_IO_IN, v->run->io.direction);
	*((uint8_t *)v->run + v->run->io.data_offset) = 0x5a;
	ASSERT_EQ(0x5a, run_sync(v).a);
}

/* The indices are user space's to spoil; only its own writes suffer. */
TEST(hostile_ring)
{
	static const uint32_t bad[] = {
		KVM_COALESCED_MMIO_MAX, KVM_COALESCED_MMIO_MAX - 1, 4096, ~0u,
		0x80000000,
	};
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_full, 0);
	struct kvm_coalesced_mmio_ring *r = ring(g);
	struct ucall u;
	int i = 0;

	ASSERT_EQ(0, add(g, ZONE, SIZE, 0));
	do {
		r->last = bad[i % 5];
		r->first = bad[i++ / 5 % 5];
		u = vcpu_run_ucall(v);
	} while (!u.kind);
	ASSERT_LT(1, i);
}

TEST(errors)
{
	struct guest *g = guest_new(0);

	EXPECT_EQ(-EINVAL, add(g, ZONE, SIZE, 2));
	EXPECT_EQ(-EINVAL, del(g, ZONE, SIZE, 2));
	EXPECT_EQ(0, del(g, ZONE, SIZE, 0));
	EXPECT_EQ(-1, ioctl(g->vm, KVM_REGISTER_COALESCED_MMIO, NULL));
	EXPECT_EQ(EFAULT, errno);
}

TEST_HARNESS_MAIN
