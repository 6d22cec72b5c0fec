/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the time noun share: clock.c (the VM's clock), pvclock.c
 * (the page that tells it to a guest), tsc.c (offsets), steal.c.
 */
#ifndef VMMU_VCPU_CLOCK_H
#define VMMU_VCPU_CLOCK_H

#include "vmmu/vcpu.h"

/* One instant by all of the host's clocks. */
struct vmmu_host_time {
	u64 tsc;
	u64 boot_ns;	/* CLOCK_MONOTONIC_RAW plus time asleep */
	u64 real_ns;
	bool tsc_based;	/* the host keeps time by the TSC: the three belong together exactly */
};

/* Cycles to nanoseconds: ((cycles << shift) * mul) >> 32; negative shifts to the right. */
struct vmmu_clock_scale {
	u32 mul;
	s8 shift;
};

/* Any context with interrupts on; does not sleep. */
void vmmu_host_time_read(struct vmmu_host_time *t);

struct vmmu_clock_scale vmmu_clock_scale(u32 khz);
u64 vmmu_clock_scale_ns(u64 cycles, struct vmmu_clock_scale s);
u64 vmmu_khz_to_cycles(u64 ns, u32 khz);

/* What a vCPU's page is made from. */
struct vmmu_clock_point {
	u64 host_tsc;
	u64 guest_ns;
	bool stable;	/* every vCPU extrapolates from this instant, with the same TSC */
	bool flipped;	/* the others' pages are out of date */
};

/* The instant to extrapolate from now. Does not sleep. */
void vmmu_clock_point(struct vmmu_vm *vm, struct vmmu_clock_point *p);

/* The guest's nanoseconds at @t. */
u64 vmmu_clock_at(struct vmmu_vm *vm, const struct vmmu_host_time *t);

/* pvclock.c */
int vmmu_set_system_time(struct vmmu_vcpu *vcpu, u64 val);
int vmmu_set_wall_clock(struct vmmu_vcpu *vcpu, u64 val);

/* steal.c */
int vmmu_set_steal_time(struct vmmu_vcpu *vcpu, u64 val);

#endif
