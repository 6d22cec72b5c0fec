// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: local APICs of a VM without guest: vectors and priorities against a
 * naive model, register rules, IPIs, the timer, EOIs that exit, modes.
 *
 * The vCPUs here never run: this thread is each one's own thread.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "apic_map.h"
#include "routing.h"

#define NR_VCPUS	4

static struct rnd_state rnd;

struct fixture {
	struct vmmu_vm vm;
	struct vmmu_vcpu vcpu[NR_VCPUS];
};

static u32 below(u32 n)
{
	return prandom_u32_state(&rnd) % n;
}

static int fixture_init(struct kunit *test)
{
	struct fixture *f = kvzalloc(sizeof(*f), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	prandom_seed_state(&rnd, 22);
	xa_init(&f->vm.vcpus);
	mutex_init(&f->vm.lock);
	refcount_set(&f->vm.users, 1);
	KUNIT_ASSERT_EQ(test, init_srcu_struct(&f->vm.srcu), 0);
	KUNIT_ASSERT_EQ(test, vmmu_irq_vm_init(&f->vm), 0);
	KUNIT_ASSERT_EQ(test, vmmu_irqchip_split(&f->vm, 24), 0);
	for (i = 0; i < NR_VCPUS; i++) {
		struct vmmu_vcpu *vcpu = &f->vcpu[i];

		vcpu->vm = &f->vm;
		vcpu->id = i;
		vcpu->cpu = -1;
		vcpu->event.user_irq = -1;
		rcuwait_init(&vcpu->wait);
		KUNIT_ASSERT_EQ(test, vmmu_lapic_create(vcpu), 0);
		lapic_write_reg(vcpu->apic, APIC_SPIV, APIC_SPIV_APIC_ENABLED | 0xff);
	}
	return 0;
}

static void fixture_exit(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int i;

	if (!f)
		return;
	vmmu_irq_vm_release(&f->vm);
	refcount_set(&f->vm.users, 0);
	for (i = 0; i < NR_VCPUS; i++)
		if (f->vcpu[i].apic)
			vmmu_lapic_destroy(&f->vcpu[i]);
	vmmu_irq_vm_destroy(&f->vm);
	cleanup_srcu_struct(&f->vm.srcu);
	kvfree(f);
}

/* As vmmu_vcpu_create() fails after the LAPIC: nobody may find it afterwards. */
static void leaving_is_complete(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct kvm_msi msi = { .address_lo = 0xfee03000, .data = 0x40 };

	KUNIT_EXPECT_EQ(test, vmmu_signal_msi(&f->vm, &msi), 1);
	vmmu_lapic_destroy(&f->vcpu[3]);
	KUNIT_EXPECT_NULL(test, f->vcpu[3].apic);
	KUNIT_EXPECT_EQ(test, vmmu_signal_msi(&f->vm, &msi), 0);
}

static void ppr_follows_manual(struct kunit *test)
{
	unsigned int tpr;
	int isr;

	for (tpr = 0; tpr < 256; tpr++) {
		for (isr = -1; isr < 256; isr++) {
			unsigned int class = isr < 0 ? 0 : isr >> 4;
			u8 low = tpr >> 4 >= class ? tpr & 0xf : 0;
			u8 ppr = lapic_ppr(tpr, isr);
			u8 want = max(tpr >> 4, class) << 4 | low;

			/* An assertion is slow: only when it fails. */
			if (ppr != want)
				KUNIT_ASSERT_EQ_MSG(test, ppr, want, "tpr %#x isr %d", tpr, isr);
		}
	}
}

static int naive_highest(const bool *set)
{
	int i;

	for (i = 255; i >= 0; i--)
		if (set[i])
			return i;
	return -1;
}

/* Random arrivals, acknowledges, EOIs and TPR changes. */
static void vectors_match_naive(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_vcpu *vcpu = &f->vcpu[1];
	bool irr[256] = {}, isr[256] = {};
	unsigned int step, tpr = 0;
	int want, top, vector;

	for (step = 0; step < 4000; step++) {
		top = naive_highest(isr);
		want = naive_highest(irr);
		if (want >= 0 && want >> 4 <= max_t(int, tpr >> 4, top < 0 ? 0 : top >> 4))
			want = -1;
		KUNIT_ASSERT_EQ(test, vmmu_lapic_highest_irr(vcpu), naive_highest(irr));
		KUNIT_ASSERT_EQ(test, vmmu_lapic_find_irq(vcpu), want);
		KUNIT_ASSERT_EQ(test, lapic_highest_isr(vcpu->apic), top);
		switch (below(4)) {
		case 0:
			vector = 16 + below(240);
			KUNIT_ASSERT_TRUE(test, lapic_accept(vcpu->apic, vector, below(2)));
			irr[vector] = true;
			break;
		case 1:
			KUNIT_ASSERT_EQ(test, vmmu_lapic_ack_irq(vcpu), want);
			if (want >= 0) {
				irr[want] = false;
				isr[want] = true;
			}
			break;
		case 2:
			lapic_write_reg(vcpu->apic, APIC_EOI, 0);
			if (top >= 0)
				isr[top] = false;
			break;
		case 3:
			tpr = below(3) ? 0 : below(256);
			lapic_write_reg(vcpu->apic, APIC_TASKPRI, tpr);
			break;
		}
	}
}

static void summaries_are_rebuilt(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct kvm_lapic_state *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	lapic_accept(f->vcpu[0].apic, 0x91, false);
	KUNIT_ASSERT_EQ(test, vmmu_lapic_ack_irq(&f->vcpu[0]), 0x91);
	lapic_accept(f->vcpu[0].apic, 0x33, true);
	lapic_accept(f->vcpu[0].apic, 0xa5, false);
	KUNIT_ASSERT_EQ(test, vmmu_lapic_get_state(&f->vcpu[0], s), 0);
	KUNIT_ASSERT_EQ(test, vmmu_lapic_set_state(&f->vcpu[2], s), 0);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_find_irq(&f->vcpu[2]), 0xa5);
	KUNIT_EXPECT_EQ(test, lapic_highest_isr(f->vcpu[2].apic), 0x91);
	KUNIT_EXPECT_TRUE(test, lapic_bank_test(f->vcpu[2].apic->regs + APIC_TMR, 0x33));
	KUNIT_EXPECT_FALSE(test, lapic_bank_test(f->vcpu[2].apic->regs + APIC_TMR, 0xa5));
}

static void disabled_takes_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_lapic *apic = f->vcpu[1].apic;
	u32 val;

	lapic_write_reg(apic, APIC_LVT0, APIC_DM_EXTINT);
	KUNIT_EXPECT_TRUE(test, vmmu_lapic_accepts_extint(&f->vcpu[1]));
	lapic_accept(apic, 0x40, false);
	lapic_write_reg(apic, APIC_SPIV, 0xff);
	KUNIT_EXPECT_FALSE(test, lapic_accept(apic, 0x50, false));
	KUNIT_EXPECT_FALSE(test, vmmu_lapic_accepts_extint(&f->vcpu[1]));
	/* What was pending stays; masks cannot be taken away. */
	KUNIT_EXPECT_EQ(test, vmmu_lapic_find_irq(&f->vcpu[1]), 0x40);
	lapic_write_reg(apic, APIC_LVT0, APIC_DM_EXTINT);
	lapic_read_reg(apic, APIC_LVT0, &val);
	KUNIT_EXPECT_EQ(test, val, APIC_DM_EXTINT | APIC_LVT_MASKED);
}

static void user_irq_needs_lint0(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_vcpu *vcpu = &f->vcpu[1];

	vcpu->event.user_irq = 0x20;
	KUNIT_EXPECT_FALSE(test, vmmu_irq_pending(vcpu));
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), -1);
	lapic_write_reg(vcpu->apic, APIC_LVT0, APIC_DM_EXTINT);
	lapic_accept(vcpu->apic, 0xe0, false);
	KUNIT_EXPECT_TRUE(test, vmmu_irq_pending(vcpu));
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), 0x20);
	KUNIT_EXPECT_EQ(test, vcpu->event.user_irq, -1);
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), 0xe0);
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), -1);
}

/* ---- IPIs ---- */

static void icr_is_decoded(struct kunit *test)
{
	struct vmmu_apic_msg msg;
	unsigned int mode;

	for (mode = 0; mode < 8; mode++) {
		lapic_icr_decode(mode << 8 | 0x33, 0x12, &msg);
		KUNIT_EXPECT_EQ(test, msg.mode, mode);
		KUNIT_EXPECT_EQ(test, msg.vector, 0x33);
		KUNIT_EXPECT_EQ(test, msg.dest, 0x12);
		KUNIT_EXPECT_FALSE(test, msg.logical);
		KUNIT_EXPECT_FALSE(test, msg.msi);
		KUNIT_EXPECT_EQ(test, msg.lowest, mode == APIC_DELIVERY_MODE_LOWESTPRIO);
	}
	lapic_icr_decode(APIC_DEST_LOGICAL | 0xfe, ~0U, &msg);
	KUNIT_EXPECT_TRUE(test, msg.logical);
	KUNIT_EXPECT_EQ(test, msg.dest, ~0U);
	KUNIT_EXPECT_EQ(test, msg.vector, 0xfe);
}

/* Which vCPUs have @vector pending; clears it. */
static unsigned int who_got(struct fixture *f, u8 vector)
{
	unsigned int i, mask = 0;

	for (i = 0; i < NR_VCPUS; i++) {
		struct vmmu_lapic *apic = f->vcpu[i].apic;

		if (!lapic_bank_test(apic->regs + APIC_IRR, vector))
			continue;
		lapic_irr_clear(apic, vector);
		mask |= BIT(i);
	}
	return mask;
}

static void send(struct fixture *f, unsigned int from, u32 dest, u32 low)
{
	lapic_write_reg(f->vcpu[from].apic, APIC_ICR2, dest << 24);
	lapic_write_reg(f->vcpu[from].apic, APIC_ICR, low);
}

static void ipis_arrive(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int i, got, total = 0;

	for (i = 0; i < NR_VCPUS; i++)
		lapic_write_reg(f->vcpu[i].apic, APIC_LDR, BIT(i) << 24);
	send(f, 0, 2, 0x51);
	KUNIT_EXPECT_EQ(test, who_got(f, 0x51), BIT(2));
	send(f, 0, 0xff, 0x51);
	KUNIT_EXPECT_EQ(test, who_got(f, 0x51), 0xf);
	send(f, 1, 0xa, APIC_DEST_LOGICAL | 0x52);
	KUNIT_EXPECT_EQ(test, who_got(f, 0x52), 0xa);
	send(f, 1, 0, APIC_DEST_SELF | 0x53);
	KUNIT_EXPECT_EQ(test, who_got(f, 0x53), BIT(1));
	send(f, 1, 0, APIC_DEST_ALLINC | 0x54);
	KUNIT_EXPECT_EQ(test, who_got(f, 0x54), 0xf);
	send(f, 1, 0, APIC_DEST_ALLBUT | 0x55);
	KUNIT_EXPECT_EQ(test, who_got(f, 0x55), 0xd);
	send(f, 1, 9, 0x56);
	KUNIT_EXPECT_EQ(test, who_got(f, 0x56), 0);
	/* Lowest priority: one of them, each in turn, never the busy one. */
	lapic_write_reg(f->vcpu[3].apic, APIC_TASKPRI, 0x20);
	for (i = 0; i < 6; i++) {
		send(f, 0, 0xf, APIC_DEST_LOGICAL | APIC_DM_LOWEST | 0x57);
		got = who_got(f, 0x57);
		KUNIT_EXPECT_EQ(test, hweight32(got), 1);
		total |= got;
	}
	KUNIT_EXPECT_EQ(test, total, 0x7);
	send(f, 0, 2, APIC_DM_NMI);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->vcpu[2].event.nmi_queued), 1);
}

static void init_and_sipi_pend(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_lapic *apic = f->vcpu[1].apic;

	send(f, 0, 1, APIC_DM_INIT | APIC_INT_LEVELTRIG);
	KUNIT_EXPECT_FALSE(test, vmmu_lapic_has_init_sipi(&f->vcpu[1]));
	send(f, 0, 1, APIC_DM_INIT | APIC_INT_LEVELTRIG | APIC_INT_ASSERT);
	KUNIT_EXPECT_EQ(test, apic->events, BIT(LAPIC_EVENT_INIT));
	send(f, 0, 1, APIC_DM_STARTUP | 0x9a);
	KUNIT_EXPECT_EQ(test, apic->events, BIT(LAPIC_EVENT_INIT) | BIT(LAPIC_EVENT_SIPI));
	KUNIT_EXPECT_EQ(test, apic->sipi_vector, 0x9a);
	send(f, 0, 1, APIC_DM_INIT | APIC_INT_ASSERT);
	KUNIT_EXPECT_EQ(test, apic->events, BIT(LAPIC_EVENT_INIT));
	KUNIT_EXPECT_FALSE(test, vmmu_lapic_has_init_sipi(&f->vcpu[0]));
}

static void errors_are_latched(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_vcpu *vcpu = &f->vcpu[0];
	u32 val;

	lapic_write_reg(vcpu->apic, APIC_LVTERR, 0xf1);
	send(f, 0, 1, 0x05);
	lapic_read_reg(vcpu->apic, APIC_ESR, &val);
	KUNIT_EXPECT_EQ(test, val, 0);
	lapic_write_reg(vcpu->apic, APIC_ESR, 0);
	lapic_read_reg(vcpu->apic, APIC_ESR, &val);
	KUNIT_EXPECT_EQ(test, val, APIC_ESR_SENDILL);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_ack_irq(vcpu), 0xf1);
	KUNIT_EXPECT_FALSE(test, lapic_accept(f->vcpu[1].apic, 3, false));
	lapic_write_reg(f->vcpu[1].apic, APIC_ESR, 0);
	lapic_read_reg(f->vcpu[1].apic, APIC_ESR, &val);
	KUNIT_EXPECT_EQ(test, val, APIC_ESR_RECVILL);
	lapic_write_reg(f->vcpu[1].apic, APIC_ESR, 0);
	lapic_read_reg(f->vcpu[1].apic, APIC_ESR, &val);
	KUNIT_EXPECT_EQ(test, val, 0);
}

/* ---- modes ---- */

static void base_transitions(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_vcpu *vcpu = &f->vcpu[3];
	u64 xapic = VMMU_APIC_BASE_DEFAULT, x2apic = xapic | LAPIC_BASE_EXTD;
	u64 off = xapic & ~LAPIC_BASE_EN;
	u64 val;

	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_base(vcpu), xapic);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_base(&f->vcpu[0]), xapic | LAPIC_BASE_BSP);
	/* No x2APIC in CPUID. */
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_base(vcpu, x2apic, false), 1);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_base(vcpu, xapic | BIT(9), true), 1);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_base(vcpu, off | LAPIC_BASE_EXTD, true), 1);
	/* Given by hand: vmmu_guest_has() would need a whole CPUID. */
	WRITE_ONCE(vcpu->apic->base, x2apic);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_base(vcpu, xapic, false), 1);
	vmmu_lapic_reset(vcpu, true);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_base(vcpu), x2apic);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x802, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 3);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x80d, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 8);
	vmmu_lapic_reset(vcpu, false);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_base(vcpu), xapic);
	KUNIT_EXPECT_EQ(test, lapic_get(vcpu->apic, APIC_ID), 3 << 24);
}

static void x2apic_msr_rules(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_vcpu *vcpu = &f->vcpu[3];
	u64 val;

	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x802, &val), 1);
	WRITE_ONCE(vcpu->apic->base, VMMU_APIC_BASE_DEFAULT | LAPIC_BASE_EXTD);
	vmmu_lapic_reset(vcpu, true);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x80f, 0x1ff), 0);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x802, 3), 1);	/* id */
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x80e, &val), 1);	/* no DFR */
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x80b, &val), 1);	/* EOI */
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x80b, 1), 1);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x80b, 0), 0);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x808, 0x100), 1);	/* TPR */
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x808, 1ULL << 32), 1);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x831, 0), 1);	/* no ICR2 */
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x830, BIT_ULL(20)), 1);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x830, 0x300000061ULL), 0);
	KUNIT_EXPECT_EQ(test, who_got(f, 0x61), BIT(3));
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x830, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0x300000061ULL);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x83f, 0x62), 0);	/* SELF_IPI */
	KUNIT_EXPECT_EQ(test, who_got(f, 0x62), BIT(3));
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x83f, &val), 1);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x8ff, &val), 1);
	/* The xAPIC page is a hole now. */
	KUNIT_EXPECT_EQ(test, vmmu_lapic_mmio_read(vcpu, 0xfee00020, 4, &val), 0);
	KUNIT_EXPECT_EQ(test, (u32)val, ~0U);
	f->vm.disabled_quirks = KVM_X86_QUIRK_LAPIC_MMIO_HOLE;
	KUNIT_EXPECT_EQ(test, vmmu_lapic_mmio_read(vcpu, 0xfee00020, 4, &val), -EOPNOTSUPP);
}

static void mmio_rules(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_vcpu *vcpu = &f->vcpu[2];
	u32 val = 0x30;
	u16 half;

	KUNIT_EXPECT_EQ(test, vmmu_lapic_mmio_write(vcpu, 0xfee00080, 4, &val), 0);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_tpr(vcpu), 3);
	val = 0x50;
	KUNIT_EXPECT_EQ(test, vmmu_lapic_mmio_write(vcpu, 0xfee00080, 2, &val), 0);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_mmio_write(vcpu, 0xfee00084, 4, &val), 0);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_tpr(vcpu), 3);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_mmio_read(vcpu, 0xfee00022, 2, &half), 0);
	KUNIT_EXPECT_EQ(test, half, 0x200);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_mmio_read(vcpu, 0xfee01000, 4, &val), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_mmio_read(vcpu, 0xfee00ffe, 4, &val), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_mmio_read(vcpu, 0xfee00ff0, 4, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
	lapic_write_reg(vcpu->apic, APIC_ESR, 0);
	lapic_read_reg(vcpu->apic, APIC_ESR, &val);
	KUNIT_EXPECT_EQ(test, val, APIC_ESR_ILLREGA);
}

/* ---- EOIs that exit ---- */

static void level_eois_exit(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct kvm_irq_routing_entry e[2] = {
		{ .gsi = 3, .type = KVM_IRQ_ROUTING_MSI,
		  .u.msi = { .address_lo = 0xfee01000, .data = 0xc031 } },
		{ .gsi = 4, .type = KVM_IRQ_ROUTING_MSI,
		  .u.msi = { .address_lo = 0xfee01000, .data = 0x0041 } },
	};
	u8 vector = 0;

	KUNIT_ASSERT_EQ(test, vmmu_set_gsi_routing(&f->vm, e, 2, 0), 0);
	KUNIT_ASSERT_EQ(test, vmmu_set_gsi_routing(&f->vm, e, 2, 1), -EINVAL);
	vmmu_lapic_scan_routes(&f->vcpu[1]);
	vmmu_lapic_scan_routes(&f->vcpu[2]);
	KUNIT_EXPECT_TRUE(test, test_bit(0x31, f->vcpu[1].apic->eoi_exit));
	KUNIT_EXPECT_EQ(test, bitmap_weight(f->vcpu[1].apic->eoi_exit, 256), 1);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(f->vcpu[2].apic->eoi_exit, 256));
	KUNIT_EXPECT_EQ(test, vmmu_irq_line(&f->vm, 3, true), 1);
	KUNIT_EXPECT_EQ(test, vmmu_irq_line(&f->vm, 4, true), 1);
	KUNIT_EXPECT_EQ(test, vmmu_irq_line(&f->vm, 4, false), -1);
	KUNIT_EXPECT_EQ(test, vmmu_irq_line(&f->vm, 5, true), -1);
	KUNIT_EXPECT_EQ(test, vmmu_irq_line(&f->vm, 1U << 31, true), -1);
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(&f->vcpu[1]), 0x41);
	lapic_write_reg(f->vcpu[1].apic, APIC_EOI, 0);
	KUNIT_EXPECT_FALSE(test, vmmu_lapic_eoi_exit_pending(&f->vcpu[1], &vector));
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(&f->vcpu[1]), 0x31);
	/* Routed elsewhere in the meantime: this EOI still exits. */
	e[0].u.msi.address_lo = 0xfee02000;
	KUNIT_ASSERT_EQ(test, vmmu_set_gsi_routing(&f->vm, e, 2, 0), 0);
	vmmu_lapic_scan_routes(&f->vcpu[1]);
	lapic_write_reg(f->vcpu[1].apic, APIC_EOI, 0);
	KUNIT_EXPECT_TRUE(test, vmmu_lapic_eoi_exit_pending(&f->vcpu[1], &vector));
	KUNIT_EXPECT_EQ(test, vector, 0x31);
	KUNIT_EXPECT_FALSE(test, vmmu_lapic_eoi_exit_pending(&f->vcpu[1], &vector));
	vmmu_lapic_scan_routes(&f->vcpu[1]);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(f->vcpu[1].apic->eoi_exit, 256));
}

/* ---- the timer ---- */

static void timer_arithmetic(struct kunit *test)
{
	static const struct { u32 tdcr, divisor; } div[] = {
		{ 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 },
		{ 8, 32 }, { 9, 64 }, { 10, 128 }, { 11, 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(div); i++)
		KUNIT_EXPECT_EQ(test, lapic_divisor(div[i].tdcr), div[i].divisor);
	KUNIT_EXPECT_GE(test, lapic_tsc_to_ns(3000000, 3000000), NSEC_PER_MSEC);
	KUNIT_EXPECT_LE(test, lapic_tsc_to_ns(3000000, 3000000), NSEC_PER_MSEC + 1);
	KUNIT_EXPECT_GE(test, lapic_tsc_to_ns(1, 1000000), 1);
	/* Beyond 64 bits of product: exact to a millisecond; then far away, never negative. */
	KUNIT_EXPECT_GE(test, lapic_tsc_to_ns(3000000ULL * 10000000, 3000000),
			10000000ULL * NSEC_PER_MSEC);
	KUNIT_EXPECT_LE(test, lapic_tsc_to_ns(3000000ULL * 10000000, 3000000),
			10000001ULL * NSEC_PER_MSEC);
	KUNIT_EXPECT_LE(test, lapic_tsc_to_ns(U64_MAX, 1), S64_MAX / 4);
	KUNIT_EXPECT_GT(test, lapic_tsc_to_ns(U64_MAX, 1), S64_MAX / 8);
	KUNIT_EXPECT_GT(test, lapic_tsc_to_ns(U64_MAX, 3000000),
			lapic_tsc_to_ns(1ULL << 62, 3000000));
}

static void timer_modes(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_vcpu *vcpu = &f->vcpu[0];
	struct vmmu_lapic *apic = vcpu->apic;
	u32 left;

	lapic_write_reg(apic, APIC_TDCR, 0xb);
	lapic_write_reg(apic, APIC_LVTT, 0x70);
	lapic_write_reg(apic, APIC_TMICT, 3600U * 1000 * 1000);
	lapic_read_reg(apic, APIC_TMCCT, &left);
	KUNIT_EXPECT_GT(test, left, 0);
	KUNIT_EXPECT_LE(test, left, 3600U * 1000 * 1000);
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), -1);
	lapic_write_reg(apic, APIC_TMICT, 0);
	lapic_read_reg(apic, APIC_TMCCT, &left);
	KUNIT_EXPECT_EQ(test, left, 0);

	lapic_write_reg(apic, APIC_TMICT, 1000 * 1000);
	msleep(50);
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), 0x70);
	lapic_write_reg(apic, APIC_EOI, 0);
	msleep(20);
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), -1);

	/* The shortest period: many ticks merge into one. */
	lapic_write_reg(apic, APIC_LVTT, APIC_LVT_TIMER_PERIODIC | 0x71);
	lapic_write_reg(apic, APIC_TMICT, 1);
	msleep(20);
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), 0x71);
	lapic_write_reg(apic, APIC_EOI, 0);
	msleep(20);
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), 0x71);
	KUNIT_EXPECT_GE(test, apic->timer.period_ns, 100 * NSEC_PER_USEC);
	lapic_write_reg(apic, APIC_EOI, 0);
	lapic_write_reg(apic, APIC_LVTT, APIC_LVT_MASKED | APIC_LVT_TIMER_PERIODIC | 0x71);
	vmmu_irq_take(vcpu);
	lapic_write_reg(apic, APIC_EOI, 0);
	msleep(20);
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), -1);
}

static void timer_deadline(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct vmmu_vcpu *vcpu = &f->vcpu[0];
	u64 val;

	/* Not in CPUID: the mode bit does not stick. */
	lapic_write_reg(vcpu->apic, APIC_LVTT, APIC_LVT_TIMER_TSCDEADLINE | 0x72);
	KUNIT_EXPECT_EQ(test, lapic_get(vcpu->apic, APIC_LVTT), 0x72);
	vcpu->apic->timer.mode_mask |= APIC_LVT_TIMER_TSCDEADLINE;
	lapic_write_reg(vcpu->apic, APIC_LVTT, APIC_LVT_TIMER_TSCDEADLINE | 0x72);
	lapic_write_reg(vcpu->apic, APIC_TMICT, 1);
	KUNIT_EXPECT_EQ(test, lapic_get(vcpu->apic, APIC_TMICT), 0);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x6e0, 1), 0);
	KUNIT_EXPECT_EQ(test, vmmu_irq_take(vcpu), 0x72);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x6e0, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_set_msr(vcpu, 0x6e0, U64_MAX), 0);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x6e0, &val), 0);
	KUNIT_EXPECT_EQ(test, val, U64_MAX);
	lapic_write_reg(vcpu->apic, APIC_LVTT, 0x72);
	KUNIT_EXPECT_EQ(test, vmmu_lapic_get_msr(vcpu, 0x6e0, &val), 0);
	KUNIT_EXPECT_EQ(test, val, 0);
}

static struct kunit_case lapic_cases[] = {
	KUNIT_CASE(leaving_is_complete),
	KUNIT_CASE(ppr_follows_manual),
	KUNIT_CASE(vectors_match_naive),
	KUNIT_CASE(summaries_are_rebuilt),
	KUNIT_CASE(disabled_takes_nothing),
	KUNIT_CASE(user_irq_needs_lint0),
	KUNIT_CASE(icr_is_decoded),
	KUNIT_CASE(ipis_arrive),
	KUNIT_CASE(init_and_sipi_pend),
	KUNIT_CASE(errors_are_latched),
	KUNIT_CASE(base_transitions),
	KUNIT_CASE(x2apic_msr_rules),
	KUNIT_CASE(mmio_rules),
	KUNIT_CASE(level_eois_exit),
	KUNIT_CASE(timer_arithmetic),
	KUNIT_CASE(timer_modes),
	KUNIT_CASE(timer_deadline),
	{}
};

static struct kunit_suite lapic_suite = {
	.name = "vmmu_lapic",
	.init = fixture_init,
	.exit = fixture_exit,
	.test_cases = lapic_cases,
};

kunit_test_suites(&lapic_suite);
