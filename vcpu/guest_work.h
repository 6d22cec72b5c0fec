/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMMU_VCPU_GUEST_WORK_H
#define VMMU_VCPU_GUEST_WORK_H

#include <linux/types.h>

bool vmmu_guest_work_pending(void);
bool vmmu_guest_work_hint(void);
int vmmu_guest_work(void);

#endif
