/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM that can move: all its state goes to a fresh one, see machine.c.
 */
#ifndef VMMU_SELFTEST_MACHINE_H
#define VMMU_SELFTEST_MACHINE_H

#include "chips.h"

/* What a VM has, and what becomes of it. */
struct machine {
	struct guest *g;
	unsigned int flags;	/* of guest_new() */
	bool pit, payload;
};

#define GET(fd, request, where)						\
do {									\
	memset(where, 0, sizeof(*(where)));				\
	if (ioctl(fd, request, where))					\
		DIE(#request ": %m");					\
} while (0)

#define SET(fd, request, where)						\
do {									\
	if (ioctl(fd, request, where))					\
		DIE(#request ": %m");					\
} while (0)

/* A new VM, without vCPUs, as @m says. */
void machine_new(struct machine *m);
void machine_move(struct machine *m);

#endif
