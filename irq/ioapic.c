// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O APIC: 24 pins, each with a redirection entry.
 *
 * One spinlock, interrupts off; messages are delivered under it (delivery takes
 * only RCU). What an EOI tells listeners is told after it is dropped. The EOI
 * finds its pins by the vector that was sent, not by the one that the entry has
 * now: a guest that moves a level interrupt while it is in service would leave
 * Remote IRR set for ever. Intel 82093AA; pin polarity is user space's matter.
 */
#include <linux/workqueue.h>

#include "chips.h"
#include "lapic.h"

#define IOAPIC_BASE	0xfec00000ULL
#define IOAPIC_LENGTH	0x100
#define IOAPIC_VERSION	0x11
#define REG_SELECT	0x00
#define REG_WINDOW	0x10
#define INDEX_ID	0
#define INDEX_VERSION	1
#define INDEX_ARB	2
#define INDEX_ENTRY	0x10
/* So many EOIs in a row with the line still up: let the guest breathe. */
#define STORM_LIMIT	10000
#define STORM_PAUSE	msecs_to_jiffies(10)

/* The type of a redirection entry, which <asm/kvm.h> does not name. */
#define ioapic_entry typeof(((struct kvm_ioapic_state *)0)->redirtbl[0])

/* The entry as a message. */
static void entry_message(const struct vmmu_ioapic *io, const ioapic_entry *e,
			  struct vmmu_apic_msg *msg)
{
	*msg = (struct vmmu_apic_msg) {
		.dest = e->fields.dest_id,
		.vector = e->fields.vector,
		.mode = e->fields.delivery_mode,
		.logical = e->fields.dest_mode,
		.level = e->fields.trig_mode,
		.lowest = e->fields.delivery_mode == APIC_DM_LOWEST >> 8,
		.msi = true,
	};
}

static void wait_for_eoi(struct vmmu_ioapic *io, unsigned int pin, u8 vector)
{
	io->waiting |= BIT(pin);
	io->sent_vector[pin] = vector;
	set_bit(vector, io->sent);
}

/* Vectors that nobody waits for any more leave the summary. */
static void forget_vector(struct vmmu_ioapic *io, u8 vector)
{
	unsigned long pins = io->waiting;
	unsigned int pin;

	for_each_set_bit(pin, &pins, KVM_IOAPIC_NUM_PINS)
		if (io->sent_vector[pin] == vector)
			return;
	clear_bit(vector, io->sent);
}

/* Send what @pin asks for, if it may. How many took it, -1 masked or in service. */
static int service(struct vmmu_ioapic *io, unsigned int pin)
{
	ioapic_entry *e = &io->s.redirtbl[pin];
	struct vmmu_apic_msg msg;
	int r;

	if (e->fields.mask || (e->fields.trig_mode && e->fields.remote_irr))
		return -1;
	entry_message(io, e, &msg);
	/* Before the message: the EOI may be there at once. */
	if (e->fields.trig_mode || (io->listened & BIT(pin)))
		wait_for_eoi(io, pin, msg.vector);
	if (e->fields.trig_mode)
		e->fields.remote_irr = 1;
	else
		io->delivered |= BIT(pin);
	r = lapic_deliver(io->vm, &msg);
	if (r || !e->fields.trig_mode)
		return r;
	/* Nobody took it: nobody will end it. */
	e->fields.remote_irr = 0;
	io->waiting &= ~BIT(pin);
	forget_vector(io, msg.vector);
	return r;
}

int vmmu_ioapic_set(struct vmmu_ioapic *io, enum vmmu_irq_source source, unsigned int pin,
		    bool level)
{
	u32 bit = BIT(pin);
	unsigned long flags;
	int r = 1;

	spin_lock_irqsave(&io->lock, flags);
	level = vmmu_source_level(&io->source[pin], source, level);
	if (!level) {
		io->s.irr &= ~bit;
		io->delivered &= ~bit;
		io->storm[pin] = 0;
	} else if (!io->s.redirtbl[pin].fields.trig_mode && (io->s.irr & bit)) {
		r = 0;	/* no new edge */
	} else {
		io->s.irr |= bit;
		io->delivered &= ~bit;
		r = service(io, pin);
	}
	spin_unlock_irqrestore(&io->lock, flags);
	return r;
}

/* ---- end of interrupt ---- */

static void storm_over(struct work_struct *work)
{
	struct vmmu_ioapic *io = container_of(work, struct vmmu_ioapic, storm_work.work);
	unsigned long flags;
	unsigned int pin;

	spin_lock_irqsave(&io->lock, flags);
	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		if ((io->s.irr & BIT(pin)) && io->s.redirtbl[pin].fields.trig_mode)
			service(io, pin);
	spin_unlock_irqrestore(&io->lock, flags);
}

/* @pin's interrupt has ended: send it again if the line is still up. */
static void end_pin(struct vmmu_ioapic *io, unsigned int pin)
{
	ioapic_entry *e = &io->s.redirtbl[pin];

	if (!e->fields.trig_mode)
		return;
	e->fields.remote_irr = 0;
	if (!(io->s.irr & BIT(pin)) || e->fields.mask) {
		io->storm[pin] = 0;
		return;
	}
	if (++io->storm[pin] < STORM_LIMIT) {
		service(io, pin);
		return;
	}
	io->storm[pin] = 0;
	schedule_delayed_work(&io->storm_work, STORM_PAUSE);
}

static u32 take_waiting(struct vmmu_ioapic *io, u8 vector)
{
	unsigned long pins = io->waiting;
	unsigned int pin;
	u32 ended = 0;

	for_each_set_bit(pin, &pins, KVM_IOAPIC_NUM_PINS)
		if (io->sent_vector[pin] == vector)
			ended |= BIT(pin);
	io->waiting &= ~ended;
	clear_bit(vector, io->sent);
	return ended;
}

/*
 * Listeners first, and without the lock: one that takes its line down (a resampling
 * irqfd) must be heard before the pin is looked at.
 */
void vmmu_ioapic_eoi(struct vmmu_ioapic *io, u8 vector)
{
	unsigned long flags, ended;
	unsigned int pin;

	if (likely(!test_bit(vector, io->sent)))
		return;
	spin_lock_irqsave(&io->lock, flags);
	ended = take_waiting(io, vector);
	spin_unlock_irqrestore(&io->lock, flags);

	for_each_set_bit(pin, &ended, KVM_IOAPIC_NUM_PINS)
		if (READ_ONCE(io->listened) & BIT(pin))
			vmmu_irq_acked(io->vm, KVM_IRQCHIP_IOAPIC, pin);

	spin_lock_irqsave(&io->lock, flags);
	for_each_set_bit(pin, &ended, KVM_IOAPIC_NUM_PINS)
		end_pin(io, pin);
	spin_unlock_irqrestore(&io->lock, flags);
}

void vmmu_ioapic_set_listened(struct vmmu_ioapic *io, u32 pins)
{
	unsigned long flags;

	spin_lock_irqsave(&io->lock, flags);
	WRITE_ONCE(io->listened, pins);
	spin_unlock_irqrestore(&io->lock, flags);
}

/* ---- registers ---- */

static u32 read_window(struct vmmu_ioapic *io)
{
	unsigned int index = (io->s.ioregsel - INDEX_ENTRY) >> 1;

	switch (io->s.ioregsel) {
	case INDEX_ID:
	case INDEX_ARB:
		return (io->s.id & 0xf) << 24;
	case INDEX_VERSION:
		return IOAPIC_VERSION | (KVM_IOAPIC_NUM_PINS - 1) << 16;
	default:
		if (io->s.ioregsel < INDEX_ENTRY || index >= KVM_IOAPIC_NUM_PINS)
			return ~0U;
		return io->s.redirtbl[index].bits >> (io->s.ioregsel & 1 ? 32 : 0);
	}
}

/* Delivery status and Remote IRR are not the guest's to write. */
static void write_entry(struct vmmu_ioapic *io, unsigned int pin, bool high, u32 val)
{
	ioapic_entry *e = &io->s.redirtbl[pin], old = *e;

	if (high)
		e->bits = (u32)e->bits | (u64)val << 32;
	else
		e->bits = (e->bits & GENMASK_ULL(63, 32)) | val;
	e->fields.delivery_status = old.fields.delivery_status;
	e->fields.remote_irr = old.fields.remote_irr;
	/* Made edge-triggered: the old interrupt is forgotten. Linux does so on purpose. */
	if (!e->fields.trig_mode)
		e->fields.remote_irr = 0;
	else
		io->delivered &= ~BIT(pin);
	if (old.fields.mask && !e->fields.mask)
		vmmu_irq_unmasked(io->vm, KVM_IRQCHIP_IOAPIC, pin);
	if (e->fields.trig_mode && (io->s.irr & BIT(pin)))
		service(io, pin);
}

static void write_window(struct vmmu_ioapic *io, u32 val)
{
	unsigned int index = (io->s.ioregsel - INDEX_ENTRY) >> 1;

	if (io->s.ioregsel == INDEX_ID)
		io->s.id = (val >> 24) & 0xf;
	else if (io->s.ioregsel >= INDEX_ENTRY && index < KVM_IOAPIC_NUM_PINS)
		write_entry(io, index, io->s.ioregsel & 1, val);
}

static int io_read(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len, void *data)
{
	struct vmmu_ioapic *io = container_of(dev, struct vmmu_ioapic, dev);
	unsigned long flags;
	u64 val = 0;

	/* Registers are 32 bits wide at 16-byte steps; parts of one may be read. */
	if ((addr & 0xf) + len > 8)
		return -EOPNOTSUPP;
	spin_lock_irqsave(&io->lock, flags);
	switch (addr & 0xf0) {
	case REG_SELECT:
		val = io->s.ioregsel;
		break;
	case REG_WINDOW:
		val = read_window(io);
		break;
	}
	spin_unlock_irqrestore(&io->lock, flags);
	val >>= (addr & 0xf) * 8;
	memcpy(data, &val, len);
	return 0;
}

static int io_write(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
		    const void *data)
{
	struct vmmu_ioapic *io = container_of(dev, struct vmmu_ioapic, dev);
	unsigned long flags;
	u32 val = 0;

	if (addr & 0xf)
		return -EOPNOTSUPP;
	memcpy(&val, data, min_t(int, len, sizeof(val)));
	spin_lock_irqsave(&io->lock, flags);
	switch (addr & 0xf0) {
	case REG_SELECT:
		io->s.ioregsel = val & 0xff;
		break;
	case REG_WINDOW:
		write_window(io, val);
		break;
	}
	spin_unlock_irqrestore(&io->lock, flags);
	return 0;
}

static const struct vmmu_iodev_ops io_ops = { io_read, io_write };

/* ---- life and state ---- */

void vmmu_ioapic_init(struct vmmu_ioapic *io, struct vmmu_vm *vm)
{
	unsigned int pin;

	spin_lock_init(&io->lock);
	INIT_DELAYED_WORK(&io->storm_work, storm_over);
	io->vm = vm;
	io->s.base_address = IOAPIC_BASE;
	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++)
		io->s.redirtbl[pin].fields.mask = 1;
	io->dev.ops = &io_ops;
}

int vmmu_ioapic_attach(struct vmmu_ioapic *io)
{
	return vmmu_iobus_add(io->vm, VMMU_BUS_MMIO, IOAPIC_BASE, IOAPIC_LENGTH, &io->dev);
}

/* No work runs any more; may sleep. */
void vmmu_ioapic_stop(struct vmmu_ioapic *io)
{
	cancel_delayed_work_sync(&io->storm_work);
}

void vmmu_ioapic_get_state(struct vmmu_ioapic *io, struct kvm_ioapic_state *s)
{
	unsigned long flags;

	spin_lock_irqsave(&io->lock, flags);
	*s = io->s;
	/* An edge that was sent is no request any more, though its line is up still. */
	s->irr &= ~io->delivered;
	spin_unlock_irqrestore(&io->lock, flags);
}

/*
 * Remote IRR says which pins wait for an EOI; requests that came while masked or in
 * service stay in IRR and are sent now where they may be. What level each source holds
 * is not part of the state: the next change of any of them decides.
 */
void vmmu_ioapic_set_state(struct vmmu_ioapic *io, const struct kvm_ioapic_state *s)
{
	unsigned long flags;
	unsigned int pin;

	spin_lock_irqsave(&io->lock, flags);
	io->s = *s;
	io->s.base_address = IOAPIC_BASE;
	io->s.ioregsel &= 0xff;
	io->s.id &= 0xf;
	io->s.irr &= GENMASK(KVM_IOAPIC_NUM_PINS - 1, 0);
	io->waiting = 0;
	io->delivered = 0;
	for (pin = 0; pin < ARRAY_SIZE(io->sent); pin++)
		WRITE_ONCE(io->sent[pin], 0);
	for (pin = 0; pin < KVM_IOAPIC_NUM_PINS; pin++) {
		ioapic_entry *e = &io->s.redirtbl[pin];

		if (e->fields.trig_mode ? e->fields.remote_irr : !!(io->listened & BIT(pin)))
			wait_for_eoi(io, pin, e->fields.vector);
		/* An interrupt that somebody waits for may be gone. */
		vmmu_irq_unmasked(io->vm, KVM_IRQCHIP_IOAPIC, pin);
		if (io->s.irr & BIT(pin))
			service(io, pin);
	}
	spin_unlock_irqrestore(&io->lock, flags);
}
