/* SPDX-License-Identifier: GPL-2.0-only */
/* Roots: where the hardware's walk begins. */
#ifndef VMMU_MMU_ROOT_H
#define VMMU_MMU_ROOT_H

#include "vmmu/types.h"

/* The one root of a TDP VM; lives as long as the VM. May sleep. 0 or -ENOMEM. */
int vmmu_root_create(struct vmmu_vm *vm);
/* No vCPU is left, and nothing is mapped. */
void vmmu_root_destroy(struct vmmu_vm *vm);

#endif
