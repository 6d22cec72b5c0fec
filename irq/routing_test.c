// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: which routing tables are accepted, and what a message means.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "routing.h"

static struct vmmu_vm *bare_vm(struct kunit *test)
{
	struct vmmu_vm *vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vm);
	vm->irq.mode = VMMU_IRQCHIP_SPLIT;
	return vm;
}

static struct kvm_irq_routing_entry msi_entry(u32 gsi, u32 data)
{
	return (struct kvm_irq_routing_entry) {
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = 0xfee00000, .data = data },
	};
}

static void routes_are_checked(struct kunit *test)
{
	struct vmmu_vm *vm = bare_vm(test);
	struct kvm_irq_routing_entry e = msi_entry(0, 0x30);

	KUNIT_EXPECT_EQ(test, vmmu_route_check(vm, &e), 0);
	e.gsi = VMMU_MAX_GSIS - 1;
	KUNIT_EXPECT_EQ(test, vmmu_route_check(vm, &e), 0);
	e.gsi = VMMU_MAX_GSIS;
	KUNIT_EXPECT_EQ(test, vmmu_route_check(vm, &e), -EINVAL);
	e.gsi = 1;
	e.flags = KVM_MSI_VALID_DEVID;
	KUNIT_EXPECT_EQ(test, vmmu_route_check(vm, &e), 0);
	e.flags = KVM_MSI_VALID_DEVID << 1;
	KUNIT_EXPECT_EQ(test, vmmu_route_check(vm, &e), -EINVAL);
	e.flags = 0;
	e.u.msi.address_hi = 0x1;
	KUNIT_EXPECT_EQ(test, vmmu_route_check(vm, &e), 0);
	vm->irq.x2apic_format = true;
	KUNIT_EXPECT_EQ(test, vmmu_route_check(vm, &e), -EINVAL);
	e.u.msi.address_hi = 0x100;
	KUNIT_EXPECT_EQ(test, vmmu_route_check(vm, &e), 0);
	/* Pins of chips that are in user space. */
	e.type = KVM_IRQ_ROUTING_IRQCHIP;
	KUNIT_EXPECT_EQ(test, vmmu_route_check(vm, &e), -EINVAL);
	e.type = 77;
	KUNIT_EXPECT_EQ(test, vmmu_route_check(vm, &e), -EINVAL);
}

static void tables_are_built(struct kunit *test)
{
	struct vmmu_vm *vm = bare_vm(test);
	struct kvm_irq_routing_entry *e;
	struct vmmu_irq_routing *table;
	unsigned int i;

	e = kunit_kcalloc(test, VMMU_MAX_ROUTES, sizeof(*e), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, e);
	for (i = 0; i < VMMU_MAX_ROUTES; i++)
		e[i] = msi_entry(VMMU_MAX_GSIS - 1 - i, i);
	table = vmmu_routing_build(vm, e, VMMU_MAX_ROUTES);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	for (i = 0; i < VMMU_MAX_GSIS; i++) {
		const struct vmmu_irq_route *route;

		KUNIT_ASSERT_NE(test, table->head[i], 0);
		route = &table->route[table->head[i] - 1];
		KUNIT_ASSERT_EQ(test, route->msi.data, VMMU_MAX_GSIS - 1 - i);
		KUNIT_ASSERT_EQ(test, route->next, 0);
	}
	kvfree(table);
	KUNIT_EXPECT_EQ(test, PTR_ERR(vmmu_routing_build(vm, e, VMMU_MAX_ROUTES + 1)), -EINVAL);
	/* Two messages on one GSI. */
	e[1].gsi = e[0].gsi;
	KUNIT_EXPECT_EQ(test, PTR_ERR(vmmu_routing_build(vm, e, 2)), -EINVAL);
	table = vmmu_routing_build(vm, e, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(table));
	KUNIT_EXPECT_EQ(test, table->head[0], 0);
	kvfree(table);
}

static void messages_are_decoded(struct kunit *test)
{
	struct vmmu_msi msi = { .address_lo = 0xfee12004, .address_hi = 0x34500, .data = 0x8841 };
	struct vmmu_apic_msg msg;

	vmmu_msi_decode(&msi, false, &msg);
	KUNIT_EXPECT_EQ(test, msg.dest, 0x12);
	KUNIT_EXPECT_EQ(test, msg.vector, 0x41);
	KUNIT_EXPECT_EQ(test, msg.mode, APIC_DELIVERY_MODE_FIXED);
	KUNIT_EXPECT_TRUE(test, msg.logical);
	KUNIT_EXPECT_TRUE(test, msg.level);
	KUNIT_EXPECT_FALSE(test, msg.lowest);
	KUNIT_EXPECT_TRUE(test, msg.msi);
	vmmu_msi_decode(&msi, true, &msg);
	KUNIT_EXPECT_EQ(test, msg.dest, 0x34512);

	msi.address_lo = 0xfeeff008;
	msi.data = 0x100 | 0x55;
	vmmu_msi_decode(&msi, false, &msg);
	KUNIT_EXPECT_EQ(test, msg.dest, 0xff);
	KUNIT_EXPECT_FALSE(test, msg.logical);
	KUNIT_EXPECT_FALSE(test, msg.level);
	KUNIT_EXPECT_TRUE(test, msg.lowest);
	KUNIT_EXPECT_EQ(test, msg.mode, APIC_DELIVERY_MODE_LOWESTPRIO);
	/* The redirection hint alone. */
	msi.data = 0x55;
	vmmu_msi_decode(&msi, false, &msg);
	KUNIT_EXPECT_TRUE(test, msg.lowest);
	KUNIT_EXPECT_EQ(test, msg.mode, APIC_DELIVERY_MODE_FIXED);
}

static struct kunit_case routing_cases[] = {
	KUNIT_CASE(routes_are_checked),
	KUNIT_CASE(tables_are_built),
	KUNIT_CASE(messages_are_decoded),
	{}
};

static struct kunit_suite routing_suite = {
	.name = "vmmu_routing",
	.test_cases = routing_cases,
};

kunit_test_suites(&routing_suite);
