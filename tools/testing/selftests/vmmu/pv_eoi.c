// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSR_KVM_PV_EOI_EN: a bit of guest memory in which the guest ends an interrupt
 * without an exit; which interrupts it is offered for, when it is withdrawn,
 * and that user space never sees an offer.
 */
#include <kselftest_harness.h>
#include <sys/eventfd.h>

#include "machine.h"

#define VEC		0x51
#define LOW		0x31
#define HIGH		0x82
#define GSI		20
#define ADDRESS		0xfee00000u	/* to APIC id 0, physical */
#define LEVEL		(1u << 15 | 1u << 14)
#define TIMES		20

#define PV_EOI_FEATURE	(1u << 6)	/* CPUID 0x40000001 eax */

static uint32_t word;
static uint64_t offers;		/* interrupts that ended without an EOI */
static bool in_service;		/* handlers report in the middle */
/*
 * Offers that may fail to come. KVM withdraws one at any exit and does not renew it: a
 * page fault in the handler or a tick of the host is enough.
 */
static uint64_t slack;

/* What Linux does: an EOI only if the bit was clear. */
static bool take_offer(void)
{
	bool offered;

	asm volatile("lock btrl $0, %0" : "+m"(word), "=@ccc"(offered) : : "memory");
	return offered;
}

static void end_interrupt(void)
{
	if (take_offer())
		offers++;
	else
		apic_eoi();
}

static void on_interrupt(struct guest_frame *f)
{
	this_cpu()->count[f->vector]++;
	if (in_service)
		guest_sync(f->vector, 0, 0);
	end_interrupt();
}

/* Before the VM is made, which gets a copy. */
static void know_device(void)
{
	slack = strstr(device_path(), "kvm") ? TIMES / 2 : 0;
}

static struct guest *new_guest(unsigned int flags)
{
	know_device();
	return guest_new(flags);
}

static bool offered(uint64_t times)
{
	return offers <= times && offers + slack >= times;
}

static void setup(bool x2)
{
	apic_enable(x2);
	guest_handler[VEC] = on_interrupt;
	guest_handler[LOW] = on_interrupt;
	guest_handler[HIGH] = on_interrupt;
	wrmsr(MSR_PV_EOI, (uint64_t)&word | 1);
	G_EQ(rdmsr(MSR_PV_EOI), (uint64_t)&word | 1);
}

static void self_ipi(uint32_t vector)
{
	apic_ipi(0, ICR_SELF | ICR_FIXED | vector);
}

static bool in_isr(struct vcpu *v, uint32_t vector)
{
	struct kvm_lapic_state s;
	uint32_t bits;

	GET(v->fd, KVM_GET_LAPIC, &s);
	memcpy(&bits, s.regs + APIC_ISR + (vector >> 5) * 0x10, sizeof(bits));
	return bits >> (vector & 31) & 1;
}

FIXTURE(pv_eoi) {
	struct guest *g;
};

FIXTURE_VARIANT(pv_eoi) {
	bool x2;
};

FIXTURE_VARIANT_ADD(pv_eoi, memory) {
	.x2 = false,
};

FIXTURE_VARIANT_ADD(pv_eoi, msr) {
	.x2 = true,
};

FIXTURE_SETUP(pv_eoi)
{
	self->g = new_guest(GUEST_IRQCHIP);
}

FIXTURE_TEARDOWN(pv_eoi)
{
}

TEST_F(pv_eoi, cpuid)
{
	struct kvm_cpuid2 *c = self->g->cpuid;
	uint32_t i, eax = 0;

	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 0x40000001)
			eax = c->entries[i].eax;
	ASSERT_TRUE(eax & PV_EOI_FEATURE);
}

/* Each ends by the bit, or the next of its vector would not come. */
static void g_offered(uint64_t x2)
{
	uint64_t i;

	setup(x2);
	for (i = 1; i <= TIMES; i++) {
		self_ipi(VEC);
		window();
		G_EQ(taken(VEC), i);
		G_ASSERT(offered(i));
		G_EQ(READ(word), 0);
		/* Reading exits: ISR is what the guest made it. */
		G_ASSERT(!apic_bit(APIC_ISR, VEC));
		G_EQ(apic_read(APIC_PPR), 0);
	}
}

TEST_F(pv_eoi, offered)
{
	run_done(guest_vcpu(self->g, g_offered, variant->x2));
}

/* Behind this one another waits: its EOI must exit. */
static void g_pending(uint64_t x2)
{
	uint64_t i;

	setup(x2);
	for (i = 1; i <= TIMES; i++) {
		self_ipi(VEC);
		self_ipi(HIGH);
		window();
		G_EQ(taken(HIGH), i);
		G_EQ(taken(VEC), i);
		G_ASSERT(offered(i));
	}
}

TEST_F(pv_eoi, pending)
{
	run_done(guest_vcpu(self->g, g_pending, variant->x2));
}

/* One that comes while the bit is set takes it back, and does not wait for ever. */
static void on_late(struct guest_frame *f)
{
	this_cpu()->count[f->vector]++;
	G_ASSERT(READ(word) || slack);
	self_ipi(LOW);
	G_EQ(READ(word), 0);
	end_interrupt();
}

static void g_late(uint64_t x2)
{
	uint64_t i;

	setup(x2);
	guest_handler[VEC] = on_late;
	for (i = 1; i <= TIMES; i++) {
		self_ipi(VEC);
		window();
		G_EQ(taken(VEC), i);
		G_EQ(taken(LOW), i);
		G_ASSERT(offered(i));
	}
}

TEST_F(pv_eoi, late)
{
	run_done(guest_vcpu(self->g, g_late, variant->x2));
}

/* One in service interrupts another: each EOI, of whichever kind, ends its own. */
static void on_outer(struct guest_frame *f)
{
	this_cpu()->count[f->vector]++;
	self_ipi(HIGH);
	window();
	G_ASSERT(!apic_bit(APIC_ISR, HIGH));
	G_ASSERT(apic_bit(APIC_ISR, VEC));
	G_EQ(apic_read(APIC_PPR), VEC & 0xf0);
	end_interrupt();
	G_ASSERT(!apic_bit(APIC_ISR, VEC));
}

static void g_nested(uint64_t x2)
{
	uint64_t i;

	setup(x2);
	guest_handler[VEC] = on_outer;
	for (i = 1; i <= TIMES; i++) {
		self_ipi(VEC);
		window();
		G_EQ(taken(VEC), i);
		G_EQ(taken(HIGH), i);
	}
}

TEST_F(pv_eoi, nested)
{
	run_done(guest_vcpu(self->g, g_nested, variant->x2));
}

/* A guest that writes an EOI all the same, whatever the bit says. */
static void on_plain(struct guest_frame *f)
{
	this_cpu()->count[f->vector]++;
	apic_eoi();
	G_EQ(READ(word), 0);
	G_ASSERT(!apic_bit(APIC_ISR, f->vector));
}

static void g_plain(uint64_t x2)
{
	uint64_t i;

	setup(x2);
	guest_handler[VEC] = on_plain;
	for (i = 1; i <= TIMES; i++) {
		self_ipi(VEC);
		window();
		G_EQ(taken(VEC), i);
	}
}

TEST_F(pv_eoi, plain_eoi)
{
	run_done(guest_vcpu(self->g, g_plain, variant->x2));
}

/* Switched off in the middle of a handler. */
static void on_disable(struct guest_frame *f)
{
	this_cpu()->count[f->vector]++;
	G_ASSERT(READ(word) || slack);
	wrmsr(MSR_PV_EOI, 0);
	G_EQ(READ(word), 0);
	end_interrupt();
	G_ASSERT(!apic_bit(APIC_ISR, f->vector));
}

static void g_disabled(uint64_t x2)
{
	setup(x2);
	guest_handler[VEC] = on_disable;
	self_ipi(VEC);
	window();
	G_EQ(taken(VEC), 1);
	G_EQ(offers, 0);
	G_EQ(rdmsr(MSR_PV_EOI), 0);
	guest_handler[VEC] = on_interrupt;
	self_ipi(VEC);
	window();
	G_EQ(taken(VEC), 2);
	G_EQ(offers, 0);
	/* An address without the enabling bit says nothing. */
	wrmsr(MSR_PV_EOI, (uint64_t)&word);
	self_ipi(VEC);
	window();
	G_EQ(taken(VEC), 3);
	G_EQ(offers, 0);
	wrmsr(MSR_PV_EOI, (uint64_t)&word | 1);
	self_ipi(VEC);
	window();
	G_EQ(taken(VEC), 4);
	G_ASSERT(offered(1));
}

TEST_F(pv_eoi, disabled)
{
	run_done(guest_vcpu(self->g, g_disabled, variant->x2));
}

/* ---- whose end somebody waits for ---- */

static void on_awaited(struct guest_frame *f)
{
	this_cpu()->count[f->vector]++;
	G_EQ(READ(word), 0);
	end_interrupt();
}

static void g_pin(uint64_t mode)
{
	setup(false);
	guest_handler[VEC] = on_awaited;
	ioapic_set(GSI, 0, VEC | mode);
	for (;;) {
		guest_sync(taken(VEC), offers, ioapic_entry(GSI) & IOAPIC_REMOTE_IRR);
		window();
	}
}

TEST(level)
{
	struct guest *g = new_guest(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_pin, IOAPIC_LEVEL);
	struct ucall u;
	int i;

	for (i = 0; i < 5; i++) {
		u = run_sync(v);
		ASSERT_EQ(i, u.a);
		ASSERT_EQ(0, u.b);
		/* Down before it is ended: it comes once. */
		ASSERT_EQ(0, u.c);
		ASSERT_EQ(1, line(g, GSI, 1));
		line(g, GSI, 0);
	}
}

/* The eventfd is told of the end of an edge too. */
TEST(resampled)
{
	struct guest *g = new_guest(GUEST_IRQCHIP);
	int fd = eventfd(0, EFD_NONBLOCK), re = eventfd(0, EFD_NONBLOCK);
	struct vcpu *v = guest_vcpu(g, g_pin, 0);
	struct kvm_irqfd irqfd = {
		.fd = fd, .gsi = GSI, .resamplefd = re, .flags = KVM_IRQFD_FLAG_RESAMPLE,
	};
	uint64_t one = 1, n;
	int i;

	ASSERT_EQ(0, run_sync(v).a);
	ASSERT_EQ(0, ioctl(g->vm, KVM_IRQFD, &irqfd));
	for (i = 1; i <= 5; i++) {
		ASSERT_EQ(8, write(fd, &one, 8));
		msleep(30);
		ASSERT_EQ(-1, read(re, &n, 8));
		ASSERT_EQ(i, run_sync(v).a);
		ASSERT_EQ(8, read(re, &n, 8));
		ASSERT_EQ(1, n);
	}
}

/* The I/O APIC is in user space: a level-triggered route exits, an edge does not. */
static void g_split(void)
{
	setup(false);
	guest_handler[VEC] = on_awaited;
	for (;;) {
		guest_sync(taken(VEC), taken(LOW), offers);
		window();
	}
}

static int send_msi(struct guest *g, uint32_t data)
{
	struct kvm_msi msi = { .address_lo = ADDRESS, .data = data };

	return ioctl(g->vm, KVM_SIGNAL_MSI, &msi);
}

TEST(split)
{
	struct guest *g = new_guest(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_split, 0);
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry;
	} r = {
		.head.nr = 1,
		.entry = {
			.gsi = 3, .type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = ADDRESS, .data = VEC | LEVEL },
		},
	};
	struct ucall u;
	int i;

	ASSERT_EQ(0, ioctl(g->vm, KVM_SET_GSI_ROUTING, &r));
	run_sync(v);
	for (i = 1; i <= 5; i++) {
		ASSERT_EQ(1, send_msi(g, VEC | LEVEL));
		run_exit(v, KVM_EXIT_IOAPIC_EOI);
		ASSERT_EQ(VEC, v->run->eoi.vector);
		run_sync(v);
		ASSERT_EQ(1, send_msi(g, LOW));
		u = run_sync(v);
		ASSERT_EQ(i, u.a);
		ASSERT_EQ(i, u.b);
		ASSERT_LE(u.c, i);
		ASSERT_LE(i, u.c + slack);
	}
}

/* ---- addresses ---- */

static void g_bad_address(void)
{
	uint64_t good = (uint64_t)&word | 1;

	setup(false);
	G_EQ(wrmsr_try(MSR_PV_EOI, good | 2), GP_VECTOR);
	G_EQ(wrmsr_try(MSR_PV_EOI, 2), GP_VECTOR);
	G_EQ(wrmsr_try(MSR_PV_EOI, GUEST_TEST | 1), GP_VECTOR);
	G_EQ(wrmsr_try(MSR_PV_EOI, 1ul << 63 | 1), GP_VECTOR);
	G_EQ(rdmsr(MSR_PV_EOI), good);
	wrmsr(MSR_PV_EOI, GUEST_TEST);
	wrmsr(MSR_PV_EOI, good);
	self_ipi(VEC);
	window();
	G_EQ(taken(VEC), 1);
	G_ASSERT(offered(1));
}

TEST(bad_address)
{
	struct guest *g = new_guest(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_bad_address, 0);

	ASSERT_EQ(0, vcpu_set_msr(v, MSR_PV_EOI, 2));
	ASSERT_EQ(1, vcpu_set_msr(v, MSR_PV_EOI, 0));
	run_done(v);
}

/* What failed has changed nothing. KVM's forgets where the word was. */
static void g_bad_then_good(void)
{
	setup(false);
	G_EQ(wrmsr_try(MSR_PV_EOI, GUEST_TEST | 1), GP_VECTOR);
	self_ipi(VEC);
	window();
	G_EQ(taken(VEC), 1);
	G_EQ(offers, 1);
}

TEST(bad_keeps_good)
{
	struct guest *g = new_guest(GUEST_IRQCHIP);

	if (strstr(device_path(), "kvm"))
		SKIP(return, "KVM offers nothing after an address without memory");
	run_done(guest_vcpu(g, g_bad_then_good, 0));
}

/* The memory goes away, before an interrupt and in the middle of one. */
static void g_memory_gone(void)
{
	apic_enable(false);
	guest_handler[VEC] = on_interrupt;
	wrmsr(MSR_PV_EOI, GUEST_TEST | 1);
	for (;;) {
		guest_sync(taken(VEC), 0, 0);
		self_ipi(VEC);
		window();
	}
}

TEST(memory_gone)
{
	struct guest *g = new_guest(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_memory_gone, 0);
	uint32_t *there = guest_mem(g, GUEST_TEST, PAGE, MEM_SMALL);
	int i;

	/* Its first interrupt is not ended by the guest's own bit, which is elsewhere. */
	WRITE(guest_var(g, in_service), true);
	ASSERT_EQ(0, run_sync(v).a);
	ASSERT_EQ(VEC, run_sync(v).a);
	ASSERT_TRUE(in_isr(v, VEC));
	ASSERT_EQ(0, *there);
	ASSERT_EQ(0, guest_slot(g, 1, 0, GUEST_TEST, 0, there));
	ASSERT_EQ(1, run_sync(v).a);
	ASSERT_FALSE(in_isr(v, VEC));
	for (i = 2; i < 6; i++) {
		ASSERT_EQ(VEC, run_sync(v).a);
		ASSERT_EQ(i, run_sync(v).a);
		ASSERT_FALSE(in_isr(v, VEC));
	}
}

/* ---- state ---- */

static void g_moving(uint64_t x2)
{
	setup(x2);
	in_service = true;
	for (;;) {
		guest_sync(0, taken(VEC), offers);
		self_ipi(VEC);
		window();
	}
}

static void settle(struct vcpu *v)
{
	v->run->immediate_exit = 1;
	if (vcpu_enter(v) != -EINTR)
		DIE("KVM_RUN with immediate_exit");
	v->run->immediate_exit = 0;
}

/* Moved with the bit on offer and after it was taken: nothing gets lost, nothing ends twice. */
TEST_F(pv_eoi, move)
{
	struct machine m = { .flags = GUEST_IRQCHIP };
	uint64_t msr = (uint64_t)&word | 1;
	struct ucall u;
	int i;

	know_device();
	machine_new(&m);
	guest_vcpu(m.g, g_moving, variant->x2);
	for (i = 0; i < 5; i++) {
		u = run_sync(&m.g->vcpu[0]);
		ASSERT_EQ(0, u.a);
		ASSERT_EQ(i, u.b);
		ASSERT_LE(u.c, i);
		ASSERT_LE(i, u.c + slack);
		settle(&m.g->vcpu[0]);
		ASSERT_FALSE(in_isr(&m.g->vcpu[0], VEC));
		machine_move(&m);

		ASSERT_EQ(VEC, run_sync(&m.g->vcpu[0]).a);
		settle(&m.g->vcpu[0]);
		ASSERT_EQ(0, guest_var(m.g, word));
		ASSERT_TRUE(in_isr(&m.g->vcpu[0], VEC));
		machine_move(&m);
		ASSERT_EQ(msr, vcpu_get_msr(&m.g->vcpu[0], MSR_PV_EOI));
		ASSERT_TRUE(in_isr(&m.g->vcpu[0], VEC));
	}
}

/* INIT switches it off. */
static void g_target(void)
{
	setup(false);
	guest_sync(0, 0, 0);
}

static void g_init(void)
{
	apic_enable(false);
	apic_ipi(1, ICR_INIT | ICR_ASSERT);
}

TEST(init)
{
	struct guest *g = new_guest(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_init, 0);
	struct vcpu *target = guest_vcpu(g, g_target, 0);
	struct kvm_mp_state mp;

	run_sync(target);
	ASSERT_EQ((uint64_t)&word | 1, vcpu_get_msr(target, MSR_PV_EOI));
	run_done(v);
	GET(target->fd, KVM_GET_MP_STATE, &mp);
	ASSERT_EQ(KVM_MP_STATE_INIT_RECEIVED, mp.mp_state);
	ASSERT_EQ(0, vcpu_get_msr(target, MSR_PV_EOI));
}

TEST_HARNESS_MAIN
