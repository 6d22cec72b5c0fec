// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts from outside: KVM_SIGNAL_MSI, GSI routing, irqfd, and the EOI exit
 * to user space's I/O APIC.
 */
#include <kselftest_harness.h>
#include <sys/eventfd.h>

#include "apic.h"
#include "guest.h"

#define VEC	0x51
#define ADDRESS	0xfee00000u	/* to APIC id 0, physical */

static uint64_t stop;

static void g_receive(void)
{
	apic_enable(false);
	guest_handler[VEC] = apic_count;
	guest_handler[VEC + 1] = apic_count;
	guest_handler[NMI_VECTOR] = guest_count;
	guest_sync(0, 0, 0);
	while (!READ(stop))
		sti_hlt();
}

static struct guest *receivers(int n)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	int i;

	for (i = 0; i < n; i++) {
		guest_vcpu(g, g_receive, 0);
		run_sync(&g->vcpu[i]);
		vcpu_start(&g->vcpu[i]);
	}
	return g;
}

static int send_msi(struct guest *g, uint32_t address, uint32_t data)
{
	struct kvm_msi msi = { .address_lo = address, .data = data };

	return ioctl(g->vm, KVM_SIGNAL_MSI, &msi);
}

static void wait_count(struct guest *g, int cpu, int vector, uint64_t n)
{
	uint64_t *count = &guest_var(g, guest_cpus[cpu].count[vector]);
	uint64_t end = now_ns() + 10000000000;

	while (READ(*count) < n) {
		if (now_ns() > end)
			DIE("vCPU %d has %lu of %lu interrupts %#x", cpu,
			    (long)*count, (long)n, vector);
		usleep(200);
	}
	if (READ(*count) != n)
		DIE("vCPU %d has %lu interrupts %#x instead of %lu", cpu,
		    (long)*count, vector, (long)n);
}

static void finish(struct guest *g)
{
	int i;

	WRITE(guest_var(g, stop), 1);
	for (i = 0; i < g->nr_vcpus; i++) {
		send_msi(g, ADDRESS | i << 12, VEC + 1);
		vcpu_join(&g->vcpu[i]);
	}
}

TEST(signal_msi)
{
	struct guest *g = receivers(3);
	int i, k;

	for (i = 1; i <= 10; i++) {
		for (k = 0; k < 3; k++) {
			ASSERT_EQ(1, send_msi(g, ADDRESS | k << 12, VEC));
			wait_count(g, k, VEC, i);
		}
	}
	/* NMI; nobody there; all. */
	ASSERT_EQ(1, send_msi(g, ADDRESS | 2 << 12, 0x400));
	wait_count(g, 2, NMI_VECTOR, 1);
	ASSERT_GE(0, send_msi(g, ADDRESS | 9 << 12, VEC));
	ASSERT_LT(0, send_msi(g, ADDRESS | 0xff << 12, VEC));
	for (k = 0; k < 3; k++)
		wait_count(g, k, VEC, 11);
	finish(g);
}

TEST(signal_msi_errors)
{
	struct guest *g = guest_new(GUEST_SPLIT), *bare = guest_new(0);
	struct kvm_msi msi = { .address_lo = ADDRESS, .data = VEC, .flags = 2 };

	guest_vcpu(g, hlt, 0);
	ASSERT_EQ(-1, ioctl(g->vm, KVM_SIGNAL_MSI, &msi));
	ASSERT_EQ(EINVAL, errno);
	msi.flags = 0;
	ASSERT_EQ(-1, ioctl(bare->vm, KVM_SIGNAL_MSI, &msi));
}

/* Nobody there is an error, nobody of that number is not. */
TEST(signal_msi_nobody)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v;
	struct kvm_sregs s;

	ASSERT_EQ(-1, send_msi(g, ADDRESS, VEC));
	ASSERT_EQ(EPERM, errno);
	ASSERT_EQ(-1, send_msi(g, ADDRESS | 0xff << 12, VEC));
	ASSERT_EQ(EPERM, errno);
	v = guest_vcpu(g, hlt, 0);
	ASSERT_EQ(0, send_msi(g, ADDRESS | 0x55 << 12, VEC));
	/* Its LAPIC is there, if not switched on by software. */
	ASSERT_EQ(0, send_msi(g, ADDRESS | 0xff << 12, VEC));
	s = vcpu_sregs(v);
	s.apic_base &= ~(1ul << 11);
	vcpu_set_sregs(v, &s);
	ASSERT_EQ(-1, send_msi(g, ADDRESS | 0xff << 12, VEC));
	ASSERT_EQ(EPERM, errno);
	ASSERT_EQ(0, send_msi(g, ADDRESS, VEC));
}

static int set_routes(struct guest *g, int n, const uint32_t (*msi)[2])
{
	struct kvm_irq_routing *r;
	int i, error;

	r = calloc(1, sizeof(*r) + n * sizeof(r->entries[0]));
	r->nr = n;
	for (i = 0; i < n; i++) {
		r->entries[i].gsi = i;
		r->entries[i].type = KVM_IRQ_ROUTING_MSI;
		r->entries[i].u.msi.address_lo = msi[i][0];
		r->entries[i].u.msi.data = msi[i][1];
	}
	error = ioctl(g->vm, KVM_SET_GSI_ROUTING, r) ? -errno : 0;
	free(r);
	return error;
}

static int irqfd(struct guest *g, int fd, uint32_t gsi, uint32_t flags)
{
	struct kvm_irqfd i = { .fd = fd, .gsi = gsi, .flags = flags };

	return ioctl(g->vm, KVM_IRQFD, &i) ? -errno : 0;
}

static void kick(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, 8) != 8)
		DIE("eventfd: %m");
}

TEST(irqfd_delivery)
{
	static const uint32_t routes[][2] = {
		{ ADDRESS, VEC }, { ADDRESS | 1 << 12, VEC },
	}, moved[][2] = {
		{ ADDRESS | 1 << 12, VEC }, { ADDRESS, VEC },
	};
	struct guest *g = receivers(2);
	int fd[2] = { eventfd(0, 0), eventfd(0, 0) };
	uint64_t value;
	int i;

	ASSERT_EQ(0, set_routes(g, 2, routes));
	ASSERT_EQ(0, irqfd(g, fd[0], 0, 0));
	ASSERT_EQ(0, irqfd(g, fd[1], 1, 0));
	for (i = 1; i <= 10; i++) {
		kick(fd[0]);
		wait_count(g, 0, VEC, i);
		kick(fd[1]);
		wait_count(g, 1, VEC, i);
	}
	/* The routes change under the irqfds. */
	ASSERT_EQ(0, set_routes(g, 2, moved));
	kick(fd[0]);
	wait_count(g, 1, VEC, 11);
	wait_count(g, 0, VEC, 10);
	/* No route: the event is consumed, nothing arrives. */
	ASSERT_EQ(0, set_routes(g, 0, NULL));
	kick(fd[0]);
	msleep(20);
	wait_count(g, 1, VEC, 11);
	ASSERT_EQ(0, set_routes(g, 2, routes));
	/* Deassigned: the counter is user space's again. */
	ASSERT_EQ(0, irqfd(g, fd[0], 0, KVM_IRQFD_FLAG_DEASSIGN));
	kick(fd[0]);
	ASSERT_EQ(8, read(fd[0], &value, 8));
	ASSERT_LE(1, value);
	wait_count(g, 0, VEC, 10);
	/* Closing the descriptor is as good. */
	close(fd[1]);
	finish(g);
}

/* An event that is there already when the irqfd is made counts. */
TEST(irqfd_pending)
{
	static const uint32_t routes[][2] = { { ADDRESS, VEC } };
	struct guest *g = receivers(1);
	int fd = eventfd(1, 0);

	ASSERT_EQ(0, set_routes(g, 1, routes));
	ASSERT_EQ(0, irqfd(g, fd, 0, 0));
	wait_count(g, 0, VEC, 1);
	finish(g);
}

TEST(irqfd_errors)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	int fd = eventfd(0, 0), other = eventfd(0, 0);

	guest_vcpu(g, hlt, 0);
	EXPECT_EQ(-EBADF, irqfd(g, 1000, 0, 0));
	EXPECT_EQ(-EINVAL, irqfd(g, g->vm, 0, 0));
	EXPECT_EQ(-EINVAL, irqfd(g, fd, 0, 1 << 5));
	EXPECT_EQ(0, irqfd(g, fd, 0, 0));
	EXPECT_EQ(-EBUSY, irqfd(g, fd, 1, 0));
	EXPECT_EQ(0, irqfd(g, other, 0, 0));
	EXPECT_EQ(0, irqfd(g, fd, 0, KVM_IRQFD_FLAG_DEASSIGN));
	EXPECT_EQ(0, irqfd(g, fd, 1, 0));
}

TEST(routing_errors)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry e[2];
	} r = { .head.nr = 1 };

	guest_vcpu(g, hlt, 0);
	r.e[0].type = KVM_IRQ_ROUTING_MSI;
	r.e[0].gsi = 0;
	EXPECT_EQ(0, ioctl(g->vm, KVM_SET_GSI_ROUTING, &r));
	r.head.flags = 1;
	EXPECT_EQ(-1, ioctl(g->vm, KVM_SET_GSI_ROUTING, &r));
	EXPECT_EQ(EINVAL, errno);
	r.head.flags = 0;
	r.e[0].gsi = 1 << 20;
	EXPECT_EQ(-1, ioctl(g->vm, KVM_SET_GSI_ROUTING, &r));
	EXPECT_EQ(EINVAL, errno);
	r.e[0].gsi = 0;
	r.e[0].type = 99;
	EXPECT_EQ(-1, ioctl(g->vm, KVM_SET_GSI_ROUTING, &r));
	EXPECT_EQ(EINVAL, errno);
	r.e[0].type = KVM_IRQ_ROUTING_MSI;
	r.e[0].flags = 1 << 7;
	EXPECT_EQ(-1, ioctl(g->vm, KVM_SET_GSI_ROUTING, &r));
	EXPECT_EQ(EINVAL, errno);
	r.head.nr = 1 << 20;
	EXPECT_EQ(-1, ioctl(g->vm, KVM_SET_GSI_ROUTING, &r));
	EXPECT_EQ(EINVAL, errno);
}

/*
 * The I/O APIC is user space's: for its pins (the first 24 routes) a
 * level-triggered interrupt's EOI must come back as an exit, an edge-triggered
 * one's must not.
 */
static void g_eoi(void)
{
	uint64_t i;

	apic_enable(false);
	guest_handler[VEC] = apic_count;
	guest_handler[VEC + 1] = apic_count;
	for (i = 1; i <= 3; i++) {
		guest_sync(i, 0, 0);
		sti();
		asm volatile("nop; nop" : : : "memory");
		cli();
		guest_sync(this_cpu()->count[VEC],
			   this_cpu()->count[VEC + 1], 0);
	}
}

TEST(eoi_exit)
{
	static const uint32_t routes[][2] = {
		{ ADDRESS, VEC + 1 },			/* edge */
		{ ADDRESS, VEC | 1 << 15 | 1 << 14 },	/* level */
	};
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_eoi, 0);
	int i;

	ASSERT_EQ(0, set_routes(g, 2, routes));
	for (i = 1; i <= 3; i++) {
		ASSERT_EQ(i, run_sync(v).a);
		ASSERT_EQ(1, send_msi(g, ADDRESS, VEC | 1 << 15 | 1 << 14));
		ASSERT_EQ(1, send_msi(g, ADDRESS, VEC + 1));
		run_exit(v, KVM_EXIT_IOAPIC_EOI);
		ASSERT_EQ(VEC, v->run->eoi.vector);
		ASSERT_EQ(i, run_sync(v).a);
	}
	run_done(v);
}

/* KVM_IRQ_LINE raises what is routed. */
TEST(irq_line)
{
	static const uint32_t routes[][2] = { { ADDRESS, VEC } };
	struct kvm_irq_level level = { .irq = 0, .level = 1 };
	struct guest *g = receivers(1);
	int i;

	ASSERT_EQ(0, set_routes(g, 1, routes));
	for (i = 1; i <= 3; i++) {
		level.level = 1;
		ASSERT_EQ(0, ioctl(g->vm, KVM_IRQ_LINE, &level));
		wait_count(g, 0, VEC, i);
		level.level = 0;
		ASSERT_EQ(0, ioctl(g->vm, KVM_IRQ_LINE, &level));
	}
	wait_count(g, 0, VEC, 3);
	finish(g);
}

/* Many at once, from several threads, while the vCPU sleeps and wakes. */
static void *send_burst(void *arg)
{
	struct guest *g = arg;
	int i;

	for (i = 0; i < 200; i++)
		if (send_msi(g, ADDRESS, VEC + 2 + i % 16) < 0)
			DIE("KVM_SIGNAL_MSI: %m");
	return NULL;
}

static uint64_t spurious;

static void on_burst(struct guest_frame *f)
{
	apic_count(f);
	spurious += f->vector < VEC + 2;
}

static void g_burst(void)
{
	int i;

	apic_enable(false);
	guest_handler[VEC] = apic_count;
	for (i = 0; i < 16; i++)
		guest_handler[VEC + 2 + i] = on_burst;
	guest_sync(0, 0, 0);
	while (!READ(stop))
		sti_hlt();
	/* What is pending still. */
	sti();
	for (i = 0; i < 8; i++)
		while (apic_read(APIC_IRR + 0x10 * i))
			cpu_pause();
	cli();
	/* Each vector came at least once, none that was not sent. */
	for (i = 0; i < 16; i++)
		G_ASSERT(READ(this_cpu()->count[VEC + 2 + i]));
	G_EQ(spurious, 0);
}

TEST(burst)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_burst, 0);
	pthread_t t[2];
	int i;

	run_sync(v);
	vcpu_start(v);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_create(&t[i], NULL, send_burst, g));
	}
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	msleep(10);
	WRITE(guest_var(g, stop), 1);
	ASSERT_LE(0, send_msi(g, ADDRESS, VEC));
	vcpu_join(v);
}

TEST_HARNESS_MAIN
