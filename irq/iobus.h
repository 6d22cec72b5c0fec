/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In-kernel devices on the MMIO and port buses, for irq/ only.
 */
#ifndef VMMU_IRQ_IOBUS_H
#define VMMU_IRQ_IOBUS_H

#include "vmmu/vm.h"

#define VMMU_IOBUS_MAX	1000

struct vmmu_iodev;

/* 0: done; -EOPNOTSUPP: not for me, ask the next one. vm->srcu held; may not sleep long. */
struct vmmu_iodev_ops {
	int (*read)(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len, void *data);
	int (*write)(struct vmmu_vcpu *vcpu, struct vmmu_iodev *dev, u64 addr, int len,
		     const void *data);
	bool atomic;	/* write() may be called with interrupts off */
};

/* Embedded in the device. */
struct vmmu_iodev {
	const struct vmmu_iodev_ops *ops;
};

struct vmmu_iobus_range {
	u64 addr;
	u64 end;		/* exclusive; addr + 1 at least */
	u64 max_end;		/* the largest end up to here: where a search may stop */
	struct vmmu_iodev *dev;	/* NULL: removed; READ_ONCE */
};

/* A snapshot, sorted by addr; only dev may still change, to NULL. */
struct vmmu_iobus {
	unsigned int nr;
	struct vmmu_iobus_range range[] __counted_by(nr);
};

/* A copy of @old, which may be NULL, without removed ranges and with one more. */
struct vmmu_iobus *vmmu_iobus_with(const struct vmmu_iobus *old, u64 addr, u32 len,
				   struct vmmu_iodev *dev);
/* Index of the last range that may hold @addr, for a walk downwards; -1: none. */
int vmmu_iobus_last(const struct vmmu_iobus *bus, u64 addr);
/* The next device, from index @i downwards, whose range holds @addr; NULL: no more. */
struct vmmu_iodev *vmmu_iobus_next(const struct vmmu_iobus *bus, int *i, u64 addr);

/* vm->irq.lock held. @len 0 counts as 1. */
int vmmu_iobus_add(struct vmmu_vm *vm, enum vmmu_bus nr, u64 addr, u32 len,
		   struct vmmu_iodev *dev);
/* Nobody uses @dev any more when this returns. vm->irq.lock held. */
void vmmu_iobus_remove(struct vmmu_vm *vm, enum vmmu_bus nr, struct vmmu_iodev *dev);

#endif
