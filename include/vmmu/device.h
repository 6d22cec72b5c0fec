/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * device/: /dev/vmmu, the VM and vCPU file descriptors, one short function per
 * ioctl, the capability table, module parameters.
 */
#ifndef VMMU_DEVICE_H
#define VMMU_DEVICE_H

#include "vmmu/types.h"

extern bool vmmu_param_npt;	/* module parameter npt: two-dimensional paging on AMD-V */
extern bool vmmu_param_ept;	/* module parameter ept: the same on VT-x */

int vmmu_device_register(void);
void vmmu_device_unregister(void);

#endif
