/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvmclock as a guest reads it. For guest code.
 */
#ifndef VMMU_SELFTEST_PVCLOCK_H
#define VMMU_SELFTEST_PVCLOCK_H

#include "cpu.h"

struct pvclock {
	uint32_t version, pad;
	uint64_t tsc, system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad2[2];
};

static_assert(sizeof(struct pvclock) == 32, "Documentation/virt/kvm/x86/msr");

/* a * b / 2^32, of the full product. */
static inline uint64_t scale(uint64_t a, uint32_t b)
{
	return (a >> 32) * b + ((a & 0xffffffff) * b >> 32);
}

static inline uint64_t pvclock_ns(volatile struct pvclock *c)
{
	uint64_t ns, delta;
	uint32_t version;

	do {
		version = c->version;
		asm volatile("" : : : "memory");
		delta = guest_rdtsc() - c->tsc;
		delta = c->shift < 0 ? delta >> -c->shift : delta << c->shift;
		ns = c->system_time + scale(delta, c->mul);
		asm volatile("" : : : "memory");
	} while (version & 1 || version != c->version);
	return ns;
}

#endif
