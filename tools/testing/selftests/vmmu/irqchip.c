// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CREATE_IRQCHIP: the two PICs and the I/O APIC.
 */
#include <kselftest_harness.h>

#include "chips.h"

#define VEC	0x51
#define GSI	20	/* only the I/O APIC has it */

/* ---- PIC ---- */

static void g_pic_edge(void)
{
	pics_setup();
	guest_sync(0, 0, 0);
	window();
	G_EQ(taken(PIC_VEC + 3), 1);
	G_EQ(pic_reg(false, PIC_READ_ISR), 1 << 3);
	window();
	outb(0x20, PIC_EOI);
	G_EQ(pic_reg(false, PIC_READ_ISR), 0);
	/* The line is still up: no new edge. */
	window();
	G_EQ(taken(PIC_VEC + 3), 1);
	guest_sync(1, 0, 0);
	G_EQ(pic_reg(false, PIC_READ_IRR), 1 << 3);
	window();
	outb(0x20, PIC_EOI);
	window();
	G_EQ(taken(PIC_VEC + 3), 2);
	outb(0x21, 1 << 3);
	guest_sync(2, 0, 0);
	/* It waited while masked. */
	window();
	G_EQ(taken(PIC_VEC + 3), 2);
	outb(0x21, 0);
	window();
	G_EQ(taken(PIC_VEC + 3), 3);
}

TEST(pic_edge)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_pic_edge, 0);

	ASSERT_EQ(0, run_sync(v).a);
	ASSERT_EQ(1, line(g, 3, 1));
	ASSERT_EQ(1, run_sync(v).a);
	line(g, 3, 0);
	ASSERT_EQ(1, line(g, 3, 1));
	/* A second edge merges with the first. */
	line(g, 3, 0);
	ASSERT_EQ(0, line(g, 3, 1));
	ASSERT_EQ(2, run_sync(v).a);
	line(g, 3, 0);
	ASSERT_EQ(-1, line(g, 3, 1));
	run_done(v);
}

static void g_pic_level(void)
{
	pics_setup();
	outb(ELCR, 0xff);
	/* The timer, the keyboard and the cascade are edges for ever. */
	G_EQ(inb(ELCR), 0xf8);
	outb(ELCR, 1 << 5);
	guest_sync(0, 0, 0);
	window();
	G_EQ(taken(PIC_VEC + 5), 1);
	window();
	G_EQ(taken(PIC_VEC + 5), 1);
	outb(0x20, PIC_EOI);
	window();
	G_EQ(taken(PIC_VEC + 5), 2);
	guest_sync(1, 0, 0);
	outb(0x20, PIC_EOI);
	window();
	G_EQ(taken(PIC_VEC + 5), 2);
}

TEST(pic_level)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_pic_level, 0);

	ASSERT_EQ(0, run_sync(v).a);
	ASSERT_EQ(1, line(g, 5, 1));
	ASSERT_EQ(1, run_sync(v).a);
	line(g, 5, 0);
	run_done(v);
}

/* The slave's pins come before the master's from 3 on. */
static void g_pic_cascade(void)
{
	pics_setup();
	guest_sync(0, 0, 0);
	window();
	G_EQ(taken(PIC_VEC + 10), 1);
	G_EQ(taken(PIC_VEC + 3), 0);
	G_EQ(pic_reg(false, PIC_READ_ISR), 1 << 2);
	G_EQ(pic_reg(true, PIC_READ_ISR), 1 << 2);
	/* Lower priority waits until both have been told. */
	outb(0xa0, PIC_EOI);
	window();
	G_EQ(taken(PIC_VEC + 3), 0);
	outb(0x20, PIC_EOI);
	window();
	G_EQ(taken(PIC_VEC + 3), 1);
	G_EQ(taken(PIC_VEC + 4), 0);
	outb(0x20, 0x63);	/* specific: pin 3 */
	window();
	G_EQ(taken(PIC_VEC + 4), 1);
	outb(0x20, PIC_EOI);
	G_EQ(pic_reg(false, PIC_READ_ISR), 0);
}

TEST(pic_cascade)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_pic_cascade, 0);

	ASSERT_EQ(0, run_sync(v).a);
	line(g, 4, 1);
	line(g, 3, 1);
	line(g, 10, 1);
	run_done(v);
}

static void g_pic_eoi_modes(void)
{
	pics_setup();
	guest_sync(0, 0, 0);
	/* Rotate on EOI: pin 3 becomes the lowest. */
	window();
	G_EQ(taken(PIC_VEC + 3), 1);
	outb(0x20, 0xa0);
	guest_sync(1, 0, 0);
	window();
	G_EQ(taken(PIC_VEC + 4), 1);
	G_EQ(taken(PIC_VEC + 3), 1);
	outb(0x20, PIC_EOI);
	window();
	G_EQ(taken(PIC_VEC + 3), 2);
	outb(0x20, PIC_EOI);
	/* Automatic EOI. */
	pic_setup(false, 3);
	guest_sync(2, 0, 0);
	window();
	G_EQ(taken(PIC_VEC + 6), 1);
	G_EQ(taken(PIC_VEC + 7), 1);
	G_EQ(pic_reg(false, PIC_READ_ISR), 0);
}

static void pulse(struct guest *g, int gsi)
{
	line(g, gsi, 1);
	line(g, gsi, 0);
}

TEST(pic_eoi_modes)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_pic_eoi_modes, 0);

	ASSERT_EQ(0, run_sync(v).a);
	pulse(g, 3);
	ASSERT_EQ(1, run_sync(v).a);
	pulse(g, 3);
	pulse(g, 4);
	ASSERT_EQ(2, run_sync(v).a);
	pulse(g, 6);
	pulse(g, 7);
	run_done(v);
}

/* Special mask mode: a masked pin in service holds nobody up. */
static void g_special_mask(void)
{
	pics_setup();
	guest_sync(0, 0, 0);
	window();
	G_EQ(taken(PIC_VEC + 3), 1);
	outb(0x20, 0x68);
	window();
	G_EQ(taken(PIC_VEC + 5), 0);
	outb(0x21, 1 << 3);
	window();
	G_EQ(taken(PIC_VEC + 5), 1);
	outb(0x20, 0x48);
	G_EQ(pic_reg(false, PIC_READ_ISR), 1 << 3 | 1 << 5);
}

TEST(pic_special_mask)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_special_mask, 0);

	if (strstr(device_path(), "kvm"))
		SKIP(return, "KVM's PIC has no special mask mode");
	ASSERT_EQ(0, run_sync(v).a);
	pulse(g, 3);
	pulse(g, 5);
	run_done(v);
}

/* Poll mode, and ICW1, which forgets edges. */
static void g_pic_poll(void)
{
	pics_setup();
	guest_sync(0, 0, 0);
	G_EQ(pic_reg(false, PIC_POLL), 0x84);
	/* In service, says the data sheet; KVM's PIC ends it at once. */
	G_EQ(pic_reg(false, PIC_READ_ISR) & ~(1 << 4), 0);
	G_EQ(pic_reg(false, PIC_READ_IRR), 0);
	G_EQ(pic_reg(false, PIC_POLL) & 0x80, 0);
	outb(0x20, PIC_EOI);
	guest_sync(1, 0, 0);
	G_EQ(pic_reg(false, PIC_READ_IRR), 1 << 6);
	pic_setup(false, 1);
	G_EQ(pic_reg(false, PIC_READ_IRR), 0);
	window();
	G_EQ(taken(PIC_VEC + 4), 0);
	G_EQ(taken(PIC_VEC + 6), 0);
}

TEST(pic_poll)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_pic_poll, 0);

	ASSERT_EQ(0, run_sync(v).a);
	pulse(g, 4);
	ASSERT_EQ(1, run_sync(v).a);
	pulse(g, 6);
	run_done(v);
}

/* LVT0 decides; a halted vCPU wakes. */
static void g_extint(void)
{
	pics_setup();
	apic_write(APIC_LVT0, LVT_EXTINT | LVT_MASKED);
	guest_sync(0, 0, 0);
	window();
	G_EQ(taken(PIC_VEC + 3), 0);
	/* KVM looks when the PICs' output goes up. */
	outb(0x21, 1 << 3);
	apic_write(APIC_LVT0, LVT_EXTINT);
	window();
	G_EQ(taken(PIC_VEC + 3), 0);
	outb(0x21, 0);
	window();
	G_EQ(taken(PIC_VEC + 3), 1);
	outb(0x20, PIC_EOI);
	guest_sync(1, 0, 0);
	while (taken(PIC_VEC + 3) < 20) {
		sti_hlt();
		outb(0x20, PIC_EOI);
	}
}

TEST(extint)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_extint, 0);
	int i;

	ASSERT_EQ(0, run_sync(v).a);
	pulse(g, 3);
	ASSERT_EQ(1, run_sync(v).a);
	vcpu_start(v);
	for (i = 2; i <= 20; i++) {
		pulse(g, 3);
		wait_taken(g, 0, PIC_VEC + 3, i);
	}
	vcpu_join(v);
}

/* ---- I/O APIC ---- */

static void g_ioapic_edge(void)
{
	apic_enable(false);
	guest_handler[VEC] = apic_count;
	G_EQ(ioapic_read(1), 0x170011);
	G_EQ(ioapic_entry(GSI) & IOAPIC_MASKED, IOAPIC_MASKED);
	guest_sync(0, 0, 0);
	ioapic_set(GSI, 0, VEC);
	/* The edge came while it was masked. */
	window();
	G_EQ(taken(VEC), 0);
	guest_sync(1, 0, 0);
	window();
	G_EQ(taken(VEC), 1);
	guest_sync(2, 0, 0);
	window();
	G_EQ(taken(VEC), 2);
}

TEST(ioapic_edge)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_ioapic_edge, 0);

	ASSERT_EQ(0, run_sync(v).a);
	EXPECT_EQ(-1, line(g, GSI, 1));
	ASSERT_EQ(1, run_sync(v).a);
	line(g, GSI, 0);
	EXPECT_EQ(1, line(g, GSI, 1));
	EXPECT_EQ(0, line(g, GSI, 1));
	ASSERT_EQ(2, run_sync(v).a);
	/* Still up. */
	EXPECT_EQ(0, line(g, GSI, 1));
	line(g, GSI, 0);
	EXPECT_EQ(1, line(g, GSI, 1));
	run_done(v);
}

static void g_ioapic_level(void)
{
	apic_enable(false);
	guest_handler[VEC] = guest_count;
	ioapic_set(GSI, 0, VEC | IOAPIC_LEVEL);
	guest_sync(0, 0, 0);
	window();
	G_EQ(taken(VEC), 1);
	G_EQ(ioapic_entry(GSI), VEC | IOAPIC_LEVEL | IOAPIC_REMOTE_IRR);
	G_ASSERT(apic_bit(APIC_TMR, VEC));
	/* In service: nothing more. */
	guest_sync(1, 0, 0);
	window();
	G_EQ(taken(VEC), 1);
	/* The line is up: its EOI sends it again. */
	apic_eoi();
	window();
	G_EQ(taken(VEC), 2);
	/* Masked, then ended: it waits for the unmasking. */
	ioapic_set(GSI, 0, VEC | IOAPIC_LEVEL | IOAPIC_MASKED);
	apic_eoi();
	window();
	G_EQ(taken(VEC), 2);
	G_EQ(ioapic_entry(GSI) & IOAPIC_REMOTE_IRR, 0);
	ioapic_set(GSI, 0, VEC | IOAPIC_LEVEL);
	window();
	G_EQ(taken(VEC), 3);
	guest_sync(2, 0, 0);
	apic_eoi();
	window();
	G_EQ(taken(VEC), 3);
	G_EQ(ioapic_entry(GSI), VEC | IOAPIC_LEVEL);
}

TEST(ioapic_level)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_ioapic_level, 0);

	ASSERT_EQ(0, run_sync(v).a);
	EXPECT_EQ(1, line(g, GSI, 1));
	ASSERT_EQ(1, run_sync(v).a);
	/* Remote IRR is set. */
	EXPECT_EQ(-1, line(g, GSI, 1));
	ASSERT_EQ(2, run_sync(v).a);
	line(g, GSI, 0);
	run_done(v);
}

/* Made edge-triggered and level again, Remote IRR is gone. */
static void g_ioapic_forget(void)
{
	apic_enable(false);
	guest_handler[VEC] = guest_count;
	ioapic_set(GSI, 0, VEC | IOAPIC_LEVEL);
	guest_sync(0, 0, 0);
	window();
	G_EQ(ioapic_entry(GSI) & IOAPIC_REMOTE_IRR, IOAPIC_REMOTE_IRR);
	ioapic_set(GSI, 0, VEC | IOAPIC_MASKED);
	ioapic_set(GSI, 0, VEC | IOAPIC_MASKED | IOAPIC_LEVEL);
	G_EQ(ioapic_entry(GSI) & IOAPIC_REMOTE_IRR, 0);
	apic_eoi();
}

TEST(ioapic_forget)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_ioapic_forget, 0);

	ASSERT_EQ(0, run_sync(v).a);
	line(g, GSI, 1);
	run_done(v);
}

static uint64_t stop;

static void g_receive(void)
{
	apic_enable(false);
	apic_write(APIC_LDR, 1u << (24 + this_cpu()->id));
	guest_handler[VEC] = apic_count;
	guest_handler[VEC + 1] = apic_count;
	guest_handler[VEC + 2] = apic_count;
	if (!this_cpu()->id) {
		ioapic_set(GSI, 1, VEC);
		ioapic_set(GSI + 1, 3, (VEC + 1) | IOAPIC_LOGICAL | IOAPIC_LOWEST);
		ioapic_set(GSI + 2, 3, (VEC + 2) | IOAPIC_LOGICAL);
	}
	guest_sync(0, 0, 0);
	while (!READ(stop))
		sti_hlt();
}

static int route(struct guest *g, uint32_t gsi, uint32_t pin)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry e;
	} r = {
		.head.nr = 1,
		.e.gsi = gsi,
		.e.type = KVM_IRQ_ROUTING_IRQCHIP,
		.e.u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC,
		.e.u.irqchip.pin = pin,
	};

	return ioctl(g->vm, KVM_SET_GSI_ROUTING, &r) ? -errno : 0;
}

static uint64_t sum(struct guest *g, int vector)
{
	return READ(guest_var(g, guest_cpus[0].count[vector])) +
	       READ(guest_var(g, guest_cpus[1].count[vector]));
}

TEST(ioapic_destinations)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	uint64_t end;
	int i;

	for (i = 0; i < 2; i++) {
		guest_vcpu(g, g_receive, 0);
		run_sync(&g->vcpu[i]);
	}
	for (i = 0; i < 2; i++)
		vcpu_start(&g->vcpu[i]);
	for (i = 1; i <= 10; i++) {
		EXPECT_EQ(1, line(g, GSI, 1));
		line(g, GSI, 0);
		wait_taken(g, 1, VEC, i);
		/* One of the two. */
		EXPECT_EQ(1, line(g, GSI + 1, 1));
		line(g, GSI + 1, 0);
		end = now_ns() + 10000000000;
		while (sum(g, VEC + 1) < i && now_ns() < end)
			usleep(200);
		ASSERT_EQ(i, sum(g, VEC + 1));
		/* Both. */
		EXPECT_EQ(2, line(g, GSI + 2, 1));
		line(g, GSI + 2, 0);
		wait_taken(g, 0, VEC + 2, i);
		wait_taken(g, 1, VEC + 2, i);
	}
	ASSERT_EQ(0, guest_var(g, guest_cpus[0].count[VEC]));
	/* The GSI goes to another pin; then to none. */
	ASSERT_EQ(0, route(g, GSI, GSI + 2));
	EXPECT_EQ(2, line(g, GSI, 1));
	wait_taken(g, 0, VEC + 2, 11);
	wait_taken(g, 1, VEC + 2, 11);
	EXPECT_EQ(-1, line(g, GSI + 2, 1));
	EXPECT_EQ(-EINVAL, route(g, GSI, 24));
	WRITE(guest_var(g, stop), 1);
	line(g, GSI, 0);
	line(g, GSI, 1);
	for (i = 0; i < 2; i++)
		vcpu_join(&g->vcpu[i]);
}

/* ---- state ---- */

static struct kvm_irqchip get_chip(struct guest *g, uint32_t id)
{
	struct kvm_irqchip chip = { .chip_id = id };

	if (ioctl(g->vm, KVM_GET_IRQCHIP, &chip))
		DIE("KVM_GET_IRQCHIP %u: %m", id);
	return chip;
}

static void set_chip(struct guest *g, struct kvm_irqchip *chip)
{
	if (ioctl(g->vm, KVM_SET_IRQCHIP, chip))
		DIE("KVM_SET_IRQCHIP %u: %m", chip->chip_id);
}

static void g_state_from(void)
{
	pics_setup();
	outb(ELCR, 1 << 5);
	outb(ELCR + 1, 1 << 3);
	outb(0xa1, 0x40);
	ioapic_set(GSI, 0, VEC | IOAPIC_LEVEL);
	ioapic_set(GSI + 1, 0, (VEC + 1) | IOAPIC_LEVEL | IOAPIC_MASKED);
	guest_sync(0, 0, 0);
	guest_handler[VEC] = guest_count;
	window();
	G_EQ(taken(VEC), 1);
	guest_sync(1, 0, 0);
}

/* The other VM: no chip is programmed here. */
static void g_state_to(void)
{
	int i;

	for (i = 0; i < 16; i++)
		guest_handler[PIC_VEC + i] = guest_count;
	guest_handler[VEC] = guest_count;
	apic_enable(false);
	apic_write(APIC_LVT0, LVT_EXTINT);
	guest_sync(0, 0, 0);
	window();
	/* In service over there was pin 3; 1 was not taken yet. */
	G_EQ(taken(PIC_VEC + 1), 1);
	G_EQ(pic_reg(false, PIC_READ_ISR), 1 << 3 | 1 << 1);
	outb(0x20, PIC_EOI);
	outb(0x20, PIC_EOI);
	window();
	G_EQ(taken(PIC_VEC + 5), 1);
	G_EQ(inb(0xa1), 0x40);
	G_EQ(ioapic_entry(GSI), VEC | IOAPIC_LEVEL | IOAPIC_REMOTE_IRR);
}

TEST(state)
{
	struct guest *g = guest_new(GUEST_IRQCHIP), *to;
	struct vcpu *v = guest_vcpu(g, g_state_from, 0);
	struct kvm_irqchip chip, back;
	struct kvm_lapic_state lapic;
	int i;

	ASSERT_EQ(0, run_sync(v).a);
	pulse(g, 3);
	line(g, GSI, 1);
	line(g, GSI + 1, 1);
	ASSERT_EQ(1, run_sync(v).a);
	line(g, 5, 1);
	pulse(g, 1);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_LAPIC, &lapic));

	to = guest_new(GUEST_IRQCHIP);
	v = guest_vcpu(to, g_state_to, 0);
	ASSERT_EQ(0, run_sync(v).a);
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_LAPIC, &lapic));
	for (i = 0; i < KVM_NR_IRQCHIPS; i++) {
		chip = get_chip(g, i);
		set_chip(to, &chip);
		back = get_chip(to, i);
		EXPECT_EQ(0, memcmp(&chip.chip, &back.chip, sizeof(chip.chip)));
	}
	chip = get_chip(to, KVM_IRQCHIP_IOAPIC);
	EXPECT_EQ(1u << GSI | 1u << (GSI + 1),
		  chip.chip.ioapic.irr & (3u << GSI));
	run_done(v);
}

/* A restored level interrupt ends with the EOI, and not before. */
static void g_state_eoi(void)
{
	apic_enable(false);
	guest_handler[VEC] = guest_count;
	guest_sync(0, 0, 0);
	window();
	G_EQ(taken(VEC), 1);
	guest_sync(1, 0, 0);
	apic_eoi();
	window();
	G_EQ(taken(VEC), 1);
	G_EQ(ioapic_entry(GSI), VEC | IOAPIC_LEVEL);
}

TEST(state_pending)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_state_eoi, 0);
	struct kvm_irqchip chip = get_chip(g, KVM_IRQCHIP_IOAPIC);

	ASSERT_EQ(0, run_sync(v).a);
	chip.chip.ioapic.redirtbl[GSI].bits = VEC | IOAPIC_LEVEL;
	chip.chip.ioapic.irr = 1u << GSI;
	set_chip(g, &chip);
	ASSERT_EQ(1, run_sync(v).a);
	line(g, GSI, 0);
	run_done(v);
}

/* Whatever the bytes are, the host lives and the chips can be set up again. */
TEST(hostile_state)
{
	struct guest *g = guest_new(GUEST_IRQCHIP);
	struct vcpu *v = guest_vcpu(g, g_pic_edge, 0);
	struct kvm_irqchip clean[KVM_NR_IRQCHIPS], chip;
	uint64_t s = seed();
	int i, k, n;

	ASSERT_EQ(0, run_sync(v).a);
	for (i = 0; i < KVM_NR_IRQCHIPS; i++)
		clean[i] = get_chip(g, i);
	for (n = 0; n < 200; n++) {
		for (i = 0; i < KVM_NR_IRQCHIPS; i++) {
			chip.chip_id = i;
			/* Fixed and lowest priority only: an NMI or INIT is no defect. */
			for (k = 0; k < (int)sizeof(chip.chip.dummy); k++)
				chip.chip.dummy[k] = n ? rng(&s) : 0xff;
			if (i == KVM_IRQCHIP_IOAPIC)
				for (k = 0; k < KVM_IOAPIC_NUM_PINS; k++)
					chip.chip.ioapic.redirtbl[k].fields.delivery_mode &= 1;
			set_chip(g, &chip);
		}
		for (k = 0; k < 24; k++)
			pulse(g, k);
	}
	for (i = 0; i < KVM_NR_IRQCHIPS; i++)
		set_chip(g, &clean[i]);
}

TEST(errors)
{
	struct guest *g = guest_new(GUEST_IRQCHIP), *bare = guest_new(0);
	struct guest *split = guest_new(GUEST_SPLIT);
	struct kvm_irqchip chip = { .chip_id = 3 };
	struct kvm_irq_level l = { .irq = 1 };

	EXPECT_EQ(-1, ioctl(g->vm, KVM_CREATE_IRQCHIP));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(-1, ioctl(g->vm, KVM_GET_IRQCHIP, &chip));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(g->vm, KVM_SET_IRQCHIP, &chip));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(g->vm, KVM_GET_IRQCHIP, NULL));
	EXPECT_EQ(EFAULT, errno);
	chip.chip_id = 0;
	EXPECT_EQ(-1, ioctl(split->vm, KVM_GET_IRQCHIP, &chip));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(-1, ioctl(bare->vm, KVM_SET_IRQCHIP, &chip));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(-1, ioctl(bare->vm, KVM_IRQ_LINE, &l));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(-EINVAL, route(split, 0, 0));
	guest_vcpu(bare, hlt, 0);
	EXPECT_EQ(-1, ioctl(bare->vm, KVM_CREATE_IRQCHIP));
	EXPECT_EQ(EINVAL, errno);
	/* No such route. */
	EXPECT_EQ(-1, line(g, 100, 1));
}

TEST_HARNESS_MAIN
