// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8254 interval timer: three channels, their ports, the speaker port.
 *
 * Channel 0's output is GSI 0 (irq/pit_timer.c makes its ticks), channel 2 is
 * what guests measure time with through port 0x61. Counters are not counted:
 * their value follows from when they were loaded. pit->lock guards the
 * channels; everything here may sleep. Intel 8254 data sheet.
 */
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "chips.h"

#define PIT_HZ		1193182
#define PIT_PORT	0x40
#define SPEAKER_PORT	0x61
#define SPEAKER_GATE	0x01	/* channel 2's gate */
#define SPEAKER_DATA	0x02
#define SPEAKER_REFRESH	0x10	/* toggles with the memory refresh */
#define SPEAKER_OUT	0x20	/* channel 2's output */
#define CHANNEL_COUNT	3
#define LOADED_MAX	BIT_ULL(60)	/* ns: 36 years */

/* How a byte-wide port takes a 16-bit counter. */
enum rw_state { RW_LSB = 1, RW_MSB, RW_WORD0, RW_WORD1 };

static u64 elapsed_ticks(const struct kvm_pit_channel_state *s)
{
	return mul_u64_u32_div(ktime_get_ns() - s->count_load_time, PIT_HZ, NSEC_PER_SEC);
}

/* The counter now. Modes 4 and 5 count as 0 and 1 do; 3 counts in twos. */
static u16 counter(const struct kvm_pit_channel_state *s)
{
	u64 d = elapsed_ticks(s), rest;

	switch (s->mode) {
	case 0:
	case 1:
	case 4:
	case 5:
		return s->count - d;
	case 3:
		div64_u64_rem(2 * d, s->count, &rest);
		return s->count - rest;
	default:
		div64_u64_rem(d, s->count, &rest);
		return s->count - rest;
	}
}

static bool output(const struct kvm_pit_channel_state *s)
{
	u64 d = elapsed_ticks(s), rest;

	div64_u64_rem(d, s->count, &rest);
	switch (s->mode) {
	case 0:
		return d >= s->count;
	case 1:
		return d < s->count;
	case 2:
		return d && !rest;
	case 3:
		return rest < (s->count + 1) >> 1;
	default:
		return d == s->count;
	}
}

/* 0 stands for 65536. */
static void load_counter(struct vmmu_pit *pit, unsigned int n, u32 val)
{
	struct kvm_pit_channel_state *s = &pit->ch[n].s;

	s->count = val ? val : 0x10000;
	s->count_load_time = ktime_get_ns();
	if (!n && !(pit->flags & KVM_PIT_FLAGS_HPET_LEGACY))
		pit_timer_start(pit);
}

/* A rising gate starts modes 1 and 5 and starts 2 and 3 over. */
static void set_gate(struct vmmu_pit *pit, unsigned int n, bool gate)
{
	struct kvm_pit_channel_state *s = &pit->ch[n].s;

	if (gate && !s->gate && s->mode != 0 && s->mode != 4)
		s->count_load_time = ktime_get_ns();
	s->gate = gate;
}

static void latch_count(struct kvm_pit_channel_state *s)
{
	if (s->count_latched)
		return;
	s->latched_count = counter(s);
	s->count_latched = s->rw_mode;
}

static void latch_status(struct kvm_pit_channel_state *s)
{
	if (s->status_latched)
		return;
	s->status = output(s) << 7 | s->rw_mode << 4 | s->mode << 1 | s->bcd;
	s->status_latched = 1;
}

/* Counter latch and status latch of several channels at once. */
static void read_back(struct vmmu_pit *pit, u8 val)
{
	unsigned int n;

	for (n = 0; n < CHANNEL_COUNT; n++) {
		if (!(val & (2 << n)))
			continue;
		if (!(val & 0x20))
			latch_count(&pit->ch[n].s);
		if (!(val & 0x10))
			latch_status(&pit->ch[n].s);
	}
}

static void write_control(struct vmmu_pit *pit, u8 val)
{
	struct kvm_pit_channel_state *s;
	unsigned int n = val >> 6, access = (val >> 4) & 3;

	if (n == CHANNEL_COUNT) {
		read_back(pit, val);
		return;
	}
	s = &pit->ch[n].s;
	if (!access) {
		latch_count(s);
		return;
	}
	s->rw_mode = access;
	s->read_state = access;
	s->write_state = access;
	s->mode = (val >> 1) & 7;
	/* 6 and 7 are 2 and 3. */
	if (s->mode > 5)
		s->mode -= 4;
	s->bcd = val & 1;
}

static void write_channel(struct vmmu_pit *pit, unsigned int n, u8 val)
{
	struct kvm_pit_channel_state *s = &pit->ch[n].s;

	switch (s->write_state) {
	case RW_MSB:
		load_counter(pit, n, val << 8);
		break;
	case RW_WORD0:
		s->write_latch = val;
		s->write_state = RW_WORD1;
		break;
	case RW_WORD1:
		s->write_state = RW_WORD0;
		load_counter(pit, n, s->write_latch | val << 8);
		break;
	default:
		load_counter(pit, n, val);
		break;
	}
}

static u8 read_latched(struct kvm_pit_channel_state *s)
{
	switch (s->count_latched) {
	case RW_MSB:
		s->count_latched = 0;
		return s->latched_count >> 8;
	case RW_WORD0:
		s->count_latched = RW_MSB;
		return s->latched_count;
	default:
		s->count_latched = 0;
		return s->latched_count;
	}
}

static u8 read_channel(struct kvm_pit_channel_state *s)
{
	if (s->status_latched) {
		s->status_latched = 0;
		return s->status;
	}
	if (s->count_latched)
		return read_latched(s);
	switch (s->read_state) {
	case RW_MSB:
		return counter(s) >> 8;
	case RW_WORD0:
		s->read_state = RW_WORD1;
		return counter(s);
	case RW_WORD1:
		s->read_state = RW_WORD0;
		return counter(s) >> 8;
	default:
		return counter(s);
	}
}

static int pit_write(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
		     const void *data)
{
	struct vmmu_pit *pit = container_of(dev, struct vmmu_pit, dev);
	u8 val = *(const u8 *)data;

	guard(mutex)(&pit->lock);
	if ((addr & 3) == 3)
		write_control(pit, val);
	else
		write_channel(pit, addr & 3, val);
	return 0;
}

/* The control port cannot be read. */
static int pit_read(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len, void *data)
{
	struct vmmu_pit *pit = container_of(dev, struct vmmu_pit, dev);

	memset(data, 0, len);
	if ((addr & 3) == 3)
		return 0;
	guard(mutex)(&pit->lock);
	*(u8 *)data = read_channel(&pit->ch[addr & 3].s);
	return 0;
}

static int speaker_write(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
			 const void *data)
{
	struct vmmu_pit *pit = container_of(dev, struct vmmu_pit, dev_speaker);
	u8 val = *(const u8 *)data;

	guard(mutex)(&pit->lock);
	if (val & SPEAKER_DATA)
		pit->flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	else
		pit->flags &= ~KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	set_gate(pit, 2, val & SPEAKER_GATE);
	return 0;
}

static int speaker_read(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
			void *data)
{
	struct vmmu_pit *pit = container_of(dev, struct vmmu_pit, dev_speaker);
	u8 val;

	guard(mutex)(&pit->lock);
	val = pit->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON ? SPEAKER_DATA : 0;
	val |= pit->ch[2].s.gate ? SPEAKER_GATE : 0;
	val |= output(&pit->ch[2].s) ? SPEAKER_OUT : 0;
	/* A refresh every 15 us or so. */
	val |= (ktime_get_ns() >> 14) & 1 ? SPEAKER_REFRESH : 0;
	memset(data, 0, len);
	*(u8 *)data = val;
	return 0;
}

static const struct vmmu_iodev_ops pit_ops = { pit_read, pit_write };
static const struct vmmu_iodev_ops speaker_ops = { speaker_read, speaker_write };

/* ---- life ---- */

struct vmmu_pit *vmmu_pit_new(struct vmmu_vm *vm, u32 flags)
{
	struct vmmu_pit *pit = kzalloc(sizeof(*pit), GFP_KERNEL_ACCOUNT);
	unsigned int n;

	if (!pit)
		return NULL;
	mutex_init(&pit->lock);
	pit->vm = vm;
	pit->dev.ops = &pit_ops;
	pit->dev_speaker.ops = &speaker_ops;
	for (n = 0; n < CHANNEL_COUNT; n++) {
		pit->ch[n].s.mode = 3;
		pit->ch[n].s.gate = n != 2;
		pit->ch[n].s.count = 0x10000;
		pit->ch[n].s.count_load_time = ktime_get_ns();
	}
	pit_timer_init(pit);
	return pit;
}

/* vm->irq.lock held. What was attached before a failure is taken off by vmmu_pit_destroy(). */
int vmmu_pit_attach(struct vmmu_pit *pit, bool speaker)
{
	int r = vmmu_iobus_add(pit->vm, VMMU_BUS_PIO, PIT_PORT, 4, &pit->dev);

	if (!r && speaker)
		r = vmmu_iobus_add(pit->vm, VMMU_BUS_PIO, SPEAKER_PORT, 1, &pit->dev_speaker);
	return r;
}

/* No guest runs; vm->irq.lock held or the VM is going. May sleep. */
void vmmu_pit_destroy(struct vmmu_pit *pit)
{
	if (!pit)
		return;
	pit_timer_stop(pit);
	kfree(pit->listener);
	kfree(pit);
}

/* ---- KVM_GET_PIT2, KVM_SET_PIT2, KVM_REINJECT_CONTROL ---- */

static struct vmmu_pit *pit_of(struct vmmu_vm *vm)
{
	/* Pairs with the release in vmmu_pit_create(). */
	return smp_load_acquire(&vm->irq.pit);
}

/**
 * vmmu_pit_get_state() - KVM_GET_PIT2
 * @vm: the VM
 * @s: filled
 *
 * Return: 0; -ENXIO when the VM has no PIT.
 */
int vmmu_pit_get_state(struct vmmu_vm *vm, struct kvm_pit_state2 *s)
{
	struct vmmu_pit *pit = pit_of(vm);
	unsigned int n;

	if (!pit)
		return -ENXIO;
	memset(s, 0, sizeof(*s));
	guard(mutex)(&pit->lock);
	for (n = 0; n < CHANNEL_COUNT; n++)
		s->channels[n] = pit->ch[n].s;
	s->flags = pit->flags;
	return 0;
}

/*
 * Any bytes may come. Modes and access states that do not exist act like others; what is
 * divided by or added to the time of day is made sane: a channel was loaded in the past,
 * possibly before this host was booted, but not longer ago than LOADED_MAX.
 */
static void restore_channel(struct kvm_pit_channel_state *mine,
			    const struct kvm_pit_channel_state *s)
{
	u64 now = ktime_get_ns();

	*mine = *s;
	if (!mine->count || mine->count > 0x10000)
		mine->count = 0x10000;
	if (now - mine->count_load_time > LOADED_MAX)
		mine->count_load_time = now;
}

/**
 * vmmu_pit_set_state() - KVM_SET_PIT2
 * @vm: the VM
 * @s: the state; load times are of CLOCK_MONOTONIC
 *
 * Return: 0; -ENXIO when the VM has no PIT.
 */
int vmmu_pit_set_state(struct vmmu_vm *vm, const struct kvm_pit_state2 *s)
{
	struct vmmu_pit *pit = pit_of(vm);
	bool was_legacy;
	unsigned int n;

	if (!pit)
		return -ENXIO;
	guard(mutex)(&pit->lock);
	was_legacy = pit->flags & KVM_PIT_FLAGS_HPET_LEGACY;
	for (n = 0; n < CHANNEL_COUNT; n++)
		restore_channel(&pit->ch[n].s, &s->channels[n]);
	pit->flags = s->flags & (KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	if (pit->flags & KVM_PIT_FLAGS_HPET_LEGACY)
		pit_timer_stop(pit);
	else if (pit->ch[0].s.rw_mode || was_legacy)
		pit_timer_start(pit);
	return 0;
}

/**
 * vmmu_pit_reinject() - KVM_REINJECT_CONTROL: the lost-tick policy
 * @vm: the VM
 * @on: a tick that finds the last one unacknowledged is sent later, not dropped
 *
 * Return: 0; -ENXIO when the VM has no PIT.
 */
int vmmu_pit_reinject(struct vmmu_vm *vm, bool on)
{
	struct vmmu_pit *pit = pit_of(vm);

	if (!pit)
		return -ENXIO;
	pit_timer_reinject(pit, on);
	return 0;
}
