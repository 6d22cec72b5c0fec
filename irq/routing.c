// SPDX-License-Identifier: GPL-2.0-only
/*
 * GSI routing: KVM_SET_GSI_ROUTING's table and the way from a GSI out.
 *
 * The table is immutable and replaced whole under vm->irq.lock. Readers hold
 * vm->irq.srcu, in any context and never for long, so that a change may wait
 * for them: when the ioctl returns nobody uses the old table.
 *
 * With the split irqchip the I/O APIC is user space's; its pins are the GSIs
 * below nr_reserved_ioapic_pins, each routed as the MSI that the pin would
 * send. A level-triggered one tells which EOIs user space must see
 * (irq/eoi.c); when such a route changes, every vCPU recomputes that before it
 * enters the guest again. Pins of in-kernel chips (KVM_IRQ_ROUTING_IRQCHIP)
 * are refused to a VM whose mode has none.
 */
#include <linux/slab.h>

#include "apic_map.h"
#include "chips.h"
#include "routing.h"

static_assert(VMMU_MAX_ROUTES < U16_MAX);

static void msi_of_entry(const struct kvm_irq_routing_entry *e, struct vmmu_msi *msi)
{
	msi->address_lo = e->u.msi.address_lo;
	msi->address_hi = e->u.msi.address_hi;
	msi->data = e->u.msi.data;
}

/* 8 pins a PIC, 24 the I/O APIC. */
static bool chip_has_pin(unsigned int chip, unsigned int pin)
{
	switch (chip) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		return pin < PIC_PINS / 2;
	case KVM_IRQCHIP_IOAPIC:
		return pin < KVM_IOAPIC_NUM_PINS;
	default:
		return false;
	}
}

int vmmu_route_check(struct vmmu_vm *vm, const struct kvm_irq_routing_entry *e)
{
	struct vmmu_msi msi;

	if (e->gsi >= VMMU_MAX_GSIS)
		return -EINVAL;
	switch (e->type) {
	case KVM_IRQ_ROUTING_MSI:
		if (e->flags & ~KVM_MSI_VALID_DEVID)
			return -EINVAL;
		msi_of_entry(e, &msi);
		return vmmu_msi_invalid(vm, &msi) ? -EINVAL : 0;
	case KVM_IRQ_ROUTING_IRQCHIP:
		if (e->flags || READ_ONCE(vm->irq.mode) != VMMU_IRQCHIP_KERNEL)
			return -EINVAL;
		return chip_has_pin(e->u.irqchip.irqchip, e->u.irqchip.pin) ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* An MSI does not share its GSI, and no chip has it twice. */
static bool may_share(const struct vmmu_irq_routing *table, const struct kvm_irq_routing_entry *e)
{
	unsigned int i;

	for (i = table->head[e->gsi]; i; i = table->route[i - 1].next)
		if (e->type != KVM_IRQ_ROUTING_IRQCHIP ||
		    table->route[i - 1].type != KVM_IRQ_ROUTING_IRQCHIP ||
		    table->route[i - 1].chip == e->u.irqchip.irqchip)
			return false;
	return true;
}

static int add_route(struct vmmu_irq_routing *table, unsigned int i,
		     const struct kvm_irq_routing_entry *e)
{
	struct vmmu_irq_route *route = &table->route[i];

	if (!may_share(table, e))
		return -EINVAL;
	route->type = e->type;
	if (e->type == KVM_IRQ_ROUTING_IRQCHIP) {
		route->chip = e->u.irqchip.irqchip;
		route->pin = e->u.irqchip.pin;
	} else {
		msi_of_entry(e, &route->msi);
	}
	route->next = table->head[e->gsi];
	table->head[e->gsi] = i + 1;
	return 0;
}

struct vmmu_irq_routing *vmmu_routing_build(struct vmmu_vm *vm,
					    const struct kvm_irq_routing_entry *entries,
					    unsigned int nr)
{
	struct vmmu_irq_routing *table __free(kvfree) = NULL;
	unsigned int i;
	int r;

	if (nr > VMMU_MAX_ROUTES)
		return ERR_PTR(-EINVAL);
	table = kvzalloc(struct_size(table, route, nr), GFP_KERNEL_ACCOUNT);
	if (!table)
		return ERR_PTR(-ENOMEM);
	table->nr = nr;
	for (i = 0; i < nr; i++) {
		r = vmmu_route_check(vm, &entries[i]);
		if (!r)
			r = add_route(table, i, &entries[i]);
		if (r)
			return ERR_PTR(r);
	}
	return no_free_ptr(table);
}

static const struct vmmu_irq_route *first_route(const struct vmmu_irq_routing *table, u32 gsi)
{
	if (!table || gsi >= VMMU_MAX_GSIS || !table->head[gsi])
		return NULL;
	return &table->route[table->head[gsi] - 1];
}

static const struct vmmu_irq_route *next_route(const struct vmmu_irq_routing *table,
					       const struct vmmu_irq_route *route)
{
	return route->next ? &table->route[route->next - 1] : NULL;
}

bool vmmu_route_has_pin(const struct vmmu_irq_routing *table, u32 gsi, unsigned int chip,
			unsigned int pin)
{
	const struct vmmu_irq_route *route;

	for (route = first_route(table, gsi); route; route = next_route(table, route))
		if (route->type == KVM_IRQ_ROUTING_IRQCHIP && route->chip == chip &&
		    route->pin == pin)
			return true;
	return false;
}

static bool same_gsi(const struct vmmu_irq_routing *a, const struct vmmu_irq_routing *b, u32 gsi)
{
	const struct vmmu_irq_route *x = first_route(a, gsi), *y = first_route(b, gsi);

	if (!x || !y)
		return x == y;
	return x->type == y->type && !memcmp(&x->msi, &y->msi, sizeof(x->msi));
}

static bool same_pins(struct vmmu_vm *vm, const struct vmmu_irq_routing *a,
		      const struct vmmu_irq_routing *b)
{
	u32 gsi;

	for (gsi = 0; gsi < vm->irq.nr_reserved_ioapic_pins; gsi++)
		if (!same_gsi(a, b, gsi))
			return false;
	return true;
}

/**
 * vmmu_set_gsi_routing() - KVM_SET_GSI_ROUTING
 * @vm: the VM
 * @entries: the whole new table, copied in
 * @nr: how many; 0 empties the table
 * @flags: none are known
 *
 * May sleep. On error the old table stays.
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int vmmu_set_gsi_routing(struct vmmu_vm *vm, const struct kvm_irq_routing_entry *entries,
			 unsigned int nr, unsigned int flags)
{
	struct vmmu_irq_routing *table, *old;
	bool same;

	if (flags || READ_ONCE(vm->irq.mode) == VMMU_IRQCHIP_NONE)
		return -EINVAL;
	table = vmmu_routing_build(vm, entries, nr);
	if (IS_ERR(table))
		return PTR_ERR(table);

	guard(mutex)(&vm->irq.lock);
	old = rcu_replace_pointer(vm->irq.routing, table, lockdep_is_held(&vm->irq.lock));
	same = same_pins(vm, old, table);
	synchronize_srcu_expedited(&vm->irq.srcu);
	kvfree(old);
	vmmu_irq_listeners_changed(vm);
	if (!same)
		vmmu_request_all(vm, VMMU_REQ_EOI_EXIT);
	return 0;
}

/* How many took it, <0 when the route cannot carry it or there is nobody. */
static int send_route(struct vmmu_vm *vm, const struct vmmu_irq_route *route,
		      enum vmmu_irq_source source, bool level)
{
	switch (route->type) {
	case KVM_IRQ_ROUTING_MSI:
		/* A message says that a line went up; nothing says that it went down. */
		return level ? vmmu_msi_send(vm, &route->msi) : -1;
	case KVM_IRQ_ROUTING_IRQCHIP:
		return vmmu_chip_set(vm, source, route->chip, route->pin, level);
	default:
		return -1;
	}
}

static int send_gsi(struct vmmu_vm *vm, const struct vmmu_irq_routing *table,
		    enum vmmu_irq_source source, u32 gsi, bool level)
{
	const struct vmmu_irq_route *route;
	int total = -1, r;

	for (route = first_route(table, gsi); route; route = next_route(table, route)) {
		r = send_route(vm, route, source, level);
		if (r >= 0)
			total = max(total, 0) + r;
	}
	return total;
}

/**
 * vmmu_irq_set() - one source of a GSI changes its level
 * @vm: the VM
 * @source: whose level it is; a chip's pin sees the OR of all
 * @gsi: any number
 * @level: the new level
 *
 * Any context: an irqfd calls with interrupts off.
 *
 * Return: how many LAPICs took it; -1 when there is no route that carries it.
 */
int vmmu_irq_set(struct vmmu_vm *vm, enum vmmu_irq_source source, u32 gsi, bool level)
{
	int idx = srcu_read_lock(&vm->irq.srcu);
	int r = send_gsi(vm, srcu_dereference(vm->irq.routing, &vm->irq.srcu), source, gsi, level);

	srcu_read_unlock(&vm->irq.srcu, idx);
	return r;
}

/* KVM_IRQ_LINE: the level that user space gives the GSI. */
int vmmu_irq_line(struct vmmu_vm *vm, u32 gsi, bool level)
{
	return vmmu_irq_set(vm, VMMU_SOURCE_USER, gsi, level);
}

/* Is @vector on its way through @apic? */
static bool in_flight(struct vmmu_lapic *apic, u8 vector)
{
	return lapic_bank_test(apic->regs + APIC_IRR, vector) ||
	       lapic_bank_test(apic->regs + APIC_ISR, vector);
}

static void scan_route(struct vmmu_lapic *apic, const struct vmmu_apic_view *view,
		       const struct vmmu_irq_route *route)
{
	struct vmmu_vm *vm = apic->vcpu->vm;
	struct vmmu_apic_msg msg;

	if (route->type != KVM_IRQ_ROUTING_MSI)
		return;
	vmmu_msi_decode(&route->msi, READ_ONCE(vm->irq.x2apic_format), &msg);
	if (!msg.level)
		return;
	/* One that was routed here before and is not done yet still ends here. */
	if (vmmu_apic_match(view, &msg, !READ_ONCE(vm->irq.x2apic_no_broadcast_quirk)) ||
	    in_flight(apic, msg.vector))
		__set_bit(msg.vector, apic->eoi_exit);
}

static void scan_pins(struct vmmu_lapic *apic, const struct vmmu_irq_routing *table)
{
	const struct vmmu_irq_route *route;
	struct vmmu_apic_view view;
	u32 gsi;

	vmmu_apic_view(apic, &view);
	for (gsi = 0; gsi < apic->vcpu->vm->irq.nr_reserved_ioapic_pins; gsi++) {
		route = first_route(table, gsi);
		for (; route; route = next_route(table, route))
			scan_route(apic, &view, route);
	}
}

/**
 * vmmu_lapic_scan_routes() - find out which EOIs of this vCPU exit to user space
 * @vcpu: own thread's
 *
 * Serves VMMU_REQ_EOI_EXIT: the routes of the user-space I/O APIC's pins
 * changed, or the LAPIC's address did.
 */
void vmmu_lapic_scan_routes(struct vmmu_vcpu *vcpu)
{
	struct vmmu_irq_vm *irq = &vcpu->vm->irq;
	int idx;

	if (!vcpu->apic || irq->mode != VMMU_IRQCHIP_SPLIT)
		return;
	bitmap_zero(vcpu->apic->eoi_exit, LAPIC_NR_VECTORS);
	idx = srcu_read_lock(&irq->srcu);
	scan_pins(vcpu->apic, srcu_dereference(irq->routing, &irq->srcu));
	srcu_read_unlock(&irq->srcu, idx);
}
