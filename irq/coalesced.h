/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMMU_IRQ_COALESCED_H
#define VMMU_IRQ_COALESCED_H

#include "vmmu/types.h"

int vmmu_coalesced_init(struct vmmu_vm *vm);
void vmmu_coalesced_destroy(struct vmmu_vm *vm);

#endif
