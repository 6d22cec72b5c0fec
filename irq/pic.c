// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two 8259A interrupt controllers, the second on pin 2 of the first.
 *
 * One spinlock, interrupts off, for both; nothing sleeps but attach. Lines
 * change from any context. When an in-service bit ends, listeners are told
 * after the lock is dropped. Intel 8259A data sheet; ELCR: Intel PIIX.
 */
#include "chips.h"
#include "lapic.h"

#define CASCADE_PIN	2
#define SPURIOUS_PIN	7
#define NO_PRIORITY	8

/* Which pins the ELCR may make level-triggered. */
static const u8 elcr_masks[2] = { 0xf8, 0xde };

/* Rank of the first bit in @mask from the highest priority on, NO_PRIORITY: none. */
static unsigned int highest(const struct kvm_pic_state *s, u8 mask)
{
	unsigned int rank;

	for (rank = 0; rank < NO_PRIORITY; rank++)
		if (mask & BIT((rank + s->priority_add) & 7))
			break;
	return rank;
}

/* The pin that this chip would interrupt for now, or -1. */
static int next_pin(const struct kvm_pic_state *s, bool master)
{
	unsigned int wanted = highest(s, s->irr & ~s->imr);
	u8 in_service = s->isr;

	if (wanted == NO_PRIORITY)
		return -1;
	/* Masked pins hold nobody up in special mask mode, nor does the cascade when nested. */
	if (s->special_mask)
		in_service &= ~s->imr;
	if (s->special_fully_nested_mode && master)
		in_service &= ~BIT(CASCADE_PIN);
	if (wanted >= highest(s, in_service))
		return -1;
	return (wanted + s->priority_add) & 7;
}

/* As KVM_IRQ_LINE_STATUS wants it: -1 masked, 0 coalesced, 1 accepted. */
static int set_pin(struct kvm_pic_state *s, unsigned int pin, bool level)
{
	u8 bit = BIT(pin);
	int r = 1;

	if (level && ((s->elcr & bit) || !(s->last_irr & bit))) {
		r = !(s->irr & bit);
		s->irr |= bit;
	} else if (!level && (s->elcr & bit)) {
		s->irr &= ~bit;
	}
	if (level)
		s->last_irr |= bit;
	else
		s->last_irr &= ~bit;
	return s->imr & bit ? -1 : r;
}

static void clear_isr(struct vmmu_pic_chip *c, unsigned int pin)
{
	c->s.isr &= ~BIT(pin);
	c->acked |= BIT(pin);
}

/* Work out INTR again; lock held. Did it go up? */
static bool update(struct vmmu_pics *p)
{
	bool was = p->output;

	if (next_pin(&p->chip[1].s, false) >= 0) {
		set_pin(&p->chip[0].s, CASCADE_PIN, true);
		set_pin(&p->chip[0].s, CASCADE_PIN, false);
	}
	WRITE_ONCE(p->output, next_pin(&p->chip[0].s, true) >= 0);
	return p->output && !was;
}

/* Every vCPU that has INTR on its LINT0. */
static void kick(struct vmmu_pics *p)
{
	struct vmmu_vcpu *vcpu;
	unsigned long i;

	vmmu_for_each_vcpu(p->vm, i, vcpu) {
		if (!vcpu->apic || !vmmu_lapic_accepts_extint(vcpu))
			continue;
		vmmu_request(vcpu, VMMU_REQ_EVENT);
		vmmu_vcpu_kick(vcpu);
	}
}

/* Drop the lock, then do what must not be done under it. */
static void unlock(struct vmmu_pics *p, unsigned long flags, bool raised)
	__releases(&p->lock)
{
	u16 acked = p->chip[0].acked | p->chip[1].acked << 8;
	unsigned int pin;

	p->chip[0].acked = 0;
	p->chip[1].acked = 0;
	spin_unlock_irqrestore(&p->lock, flags);
	if (raised)
		kick(p);
	for (; acked; acked &= acked - 1) {
		pin = __ffs(acked);
		vmmu_irq_acked(p->vm, pin < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
			       pin & 7);
	}
}

int vmmu_pic_set(struct vmmu_pics *p, enum vmmu_irq_source source, unsigned int pin, bool level)
{
	unsigned long flags;
	bool raised;
	int r;

	spin_lock_irqsave(&p->lock, flags);
	level = vmmu_source_level(&p->source[pin], source, level);
	r = set_pin(&p->chip[pin >> 3].s, pin & 7, level);
	raised = update(p);
	unlock(p, flags, raised);
	return r;
}

/* INTA for @pin: it is in service, unless the chip ends interrupts by itself. */
static void acknowledge(struct vmmu_pic_chip *c, unsigned int pin)
{
	c->s.isr |= BIT(pin);
	if (!(c->s.elcr & BIT(pin)))
		c->s.irr &= ~BIT(pin);
	if (!c->s.auto_eoi)
		return;
	if (c->s.rotate_on_auto_eoi)
		c->s.priority_add = (pin + 1) & 7;
	clear_isr(c, pin);
}

/* INTA on one chip: the pin; the spurious one when the request has gone. */
static unsigned int take_pin(struct vmmu_pic_chip *c, bool master)
{
	int pin = next_pin(&c->s, master);

	if (pin < 0)
		return SPURIOUS_PIN;
	acknowledge(c, pin);
	return pin;
}

int vmmu_pic_take(struct vmmu_pics *p)
{
	unsigned long flags;
	unsigned int pin;
	bool raised;
	int vector;

	spin_lock_irqsave(&p->lock, flags);
	pin = take_pin(&p->chip[0], true);
	vector = p->chip[0].s.irq_base + pin;
	if (pin == CASCADE_PIN)
		vector = p->chip[1].s.irq_base + take_pin(&p->chip[1], false);
	raised = update(p);
	unlock(p, flags, raised);
	return vector;
}

/* ---- what the guest writes and reads ---- */

/* ICW1: start over; edges that were seen are forgotten, which ends them as an EOI would. */
static void write_icw1(struct vmmu_pic_chip *c, u8 val)
{
	struct kvm_pic_state *s = &c->s;

	c->acked |= s->irr & ~s->elcr;
	s->init4 = val & 1;
	s->last_irr = 0;
	s->irr &= s->elcr;
	s->imr = 0;
	s->priority_add = 0;
	s->special_mask = 0;
	s->read_reg_select = 0;
	if (!s->init4) {
		s->special_fully_nested_mode = 0;
		s->auto_eoi = 0;
	}
	s->init_state = 1;
}

static void write_ocw3(struct kvm_pic_state *s, u8 val)
{
	if (val & 0x04)
		s->poll = 1;
	if (val & 0x02)
		s->read_reg_select = val & 1;
	if (val & 0x40)
		s->special_mask = (val >> 5) & 1;
}

static void end_highest(struct vmmu_pic_chip *c, bool rotate)
{
	unsigned int rank = highest(&c->s, c->s.isr), pin;

	if (rank == NO_PRIORITY)
		return;
	pin = (rank + c->s.priority_add) & 7;
	if (rotate)
		c->s.priority_add = (pin + 1) & 7;
	clear_isr(c, pin);
}

/* OCW2: the upper three bits are rotate, specific, end of interrupt. */
static void write_ocw2(struct vmmu_pic_chip *c, u8 val)
{
	u8 pin = val & 7;

	switch (val >> 5) {
	case 0:
	case 4:
		c->s.rotate_on_auto_eoi = val >> 7;
		break;
	case 1:
	case 5:
		end_highest(c, val >> 7);
		break;
	case 3:
		clear_isr(c, pin);
		break;
	case 6:
		c->s.priority_add = (pin + 1) & 7;
		break;
	case 7:
		c->s.priority_add = (pin + 1) & 7;
		clear_isr(c, pin);
		break;
	}
}

static void write_command(struct vmmu_pic_chip *c, u8 val)
{
	if (val & 0x10)
		write_icw1(c, val);
	else if (val & 0x08)
		write_ocw3(&c->s, val);
	else
		write_ocw2(c, val);
}

/* OCW1, or the initialisation words that ICW1 announced. */
static void write_data(struct kvm_pic_state *s, u8 val)
{
	switch (s->init_state) {
	case 0:
		s->imr = val;
		break;
	case 1:
		s->irq_base = val & 0xf8;
		s->init_state = 2;
		break;
	case 2:
		s->init_state = s->init4 ? 3 : 0;
		break;
	default:
		s->special_fully_nested_mode = (val >> 4) & 1;
		s->auto_eoi = (val >> 1) & 1;
		s->init_state = 0;
		break;
	}
}

/* A read after a poll command is an INTA: bit 7 says whether there was a request. */
static u8 read_poll(struct vmmu_pics *p, struct vmmu_pic_chip *c)
{
	bool master = c == &p->chip[0];
	int pin = next_pin(&c->s, master);

	c->s.poll = 0;
	if (pin < 0)
		return 0;
	acknowledge(c, pin);
	if (!master)
		p->chip[0].s.irr &= ~BIT(CASCADE_PIN);
	return 0x80 | pin;
}

static u8 read_chip(struct vmmu_pics *p, struct vmmu_pic_chip *c, bool data)
{
	if (c->s.poll)
		return read_poll(p, c);
	if (data)
		return c->s.imr;
	return c->s.read_reg_select ? c->s.isr : c->s.irr;
}

static int chip_write(struct vmmu_pics *p, unsigned int chip, u64 addr, int len, const void *data)
{
	struct vmmu_pic_chip *c = &p->chip[chip];
	unsigned long flags;
	u8 unmasked;
	bool raised;

	if (len != 1)
		return -EOPNOTSUPP;
	spin_lock_irqsave(&p->lock, flags);
	unmasked = c->s.imr;
	if (addr & 1)
		write_data(&c->s, *(const u8 *)data);
	else
		write_command(c, *(const u8 *)data);
	unmasked &= ~c->s.imr;
	/* Before a pending request of such a pin can be taken and ended. */
	for (; unmasked; unmasked &= unmasked - 1)
		vmmu_irq_unmasked(p->vm, chip, __ffs(unmasked));
	raised = update(p);
	unlock(p, flags, raised);
	return 0;
}

static int chip_read(struct vmmu_pics *p, unsigned int chip, u64 addr, int len, void *data)
{
	unsigned long flags;
	bool raised;

	if (len < 1)
		return -EOPNOTSUPP;
	memset(data, 0, len);
	spin_lock_irqsave(&p->lock, flags);
	*(u8 *)data = read_chip(p, &p->chip[chip], addr & 1);
	raised = update(p);
	unlock(p, flags, raised);
	return 0;
}

static int master_write(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
			const void *data)
{
	return chip_write(container_of(dev, struct vmmu_pics, dev_master), 0, addr, len, data);
}

static int master_read(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
		       void *data)
{
	return chip_read(container_of(dev, struct vmmu_pics, dev_master), 0, addr, len, data);
}

static int slave_write(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
		       const void *data)
{
	return chip_write(container_of(dev, struct vmmu_pics, dev_slave), 1, addr, len, data);
}

static int slave_read(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
		      void *data)
{
	return chip_read(container_of(dev, struct vmmu_pics, dev_slave), 1, addr, len, data);
}

static int elcr_write(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
		      const void *data)
{
	struct vmmu_pics *p = container_of(dev, struct vmmu_pics, dev_elcr);
	unsigned long flags;

	if (len != 1)
		return -EOPNOTSUPP;
	spin_lock_irqsave(&p->lock, flags);
	p->chip[addr & 1].s.elcr = *(const u8 *)data & elcr_masks[addr & 1];
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

static int elcr_read(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len, void *data)
{
	struct vmmu_pics *p = container_of(dev, struct vmmu_pics, dev_elcr);

	unsigned long flags;

	if (len < 1)
		return -EOPNOTSUPP;
	memset(data, 0, len);
	spin_lock_irqsave(&p->lock, flags);
	*(u8 *)data = p->chip[addr & 1].s.elcr;
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

static const struct vmmu_iodev_ops master_ops = { master_read, master_write };
static const struct vmmu_iodev_ops slave_ops = { slave_read, slave_write };
static const struct vmmu_iodev_ops elcr_ops = { elcr_read, elcr_write };

/* ---- life and state ---- */

void vmmu_pics_init(struct vmmu_pics *p, struct vmmu_vm *vm)
{
	unsigned int i;

	spin_lock_init(&p->lock);
	p->vm = vm;
	for (i = 0; i < 2; i++)
		p->chip[i].s.elcr_mask = elcr_masks[i];
	p->dev_master.ops = &master_ops;
	p->dev_slave.ops = &slave_ops;
	p->dev_elcr.ops = &elcr_ops;
}

/* Onto the port bus; what was attached before a failure stays till vmmu_chips_destroy(). */
int vmmu_pics_attach(struct vmmu_pics *p)
{
	int r = vmmu_iobus_add(p->vm, VMMU_BUS_PIO, 0x20, 2, &p->dev_master);

	if (!r)
		r = vmmu_iobus_add(p->vm, VMMU_BUS_PIO, 0xa0, 2, &p->dev_slave);
	if (!r)
		r = vmmu_iobus_add(p->vm, VMMU_BUS_PIO, 0x4d0, 2, &p->dev_elcr);
	return r;
}

void vmmu_pic_get_state(struct vmmu_pics *p, unsigned int chip, struct kvm_pic_state *s)
{
	unsigned long flags;

	spin_lock_irqsave(&p->lock, flags);
	*s = p->chip[chip].s;
	spin_unlock_irqrestore(&p->lock, flags);
}

/* Any bytes may come: those that index or count are cut to what they can be. */
void vmmu_pic_set_state(struct vmmu_pics *p, unsigned int chip, const struct kvm_pic_state *s)
{
	struct kvm_pic_state *mine = &p->chip[chip].s;
	unsigned long flags;
	unsigned int pin;
	bool raised;

	spin_lock_irqsave(&p->lock, flags);
	*mine = *s;
	mine->priority_add &= 7;
	mine->irq_base &= 0xf8;
	mine->init_state &= 3;
	mine->elcr &= elcr_masks[chip];
	mine->elcr_mask = elcr_masks[chip];
	/* An interrupt that somebody waits for may be gone. */
	for (pin = 0; pin < PIC_PINS / 2; pin++)
		vmmu_irq_unmasked(p->vm, chip, pin);
	raised = update(p);
	unlock(p, flags, raised);
}
