/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMMU_VCPU_REQUEST_H
#define VMMU_VCPU_REQUEST_H

int vmmu_request_module_init(void);
void vmmu_request_module_exit(void);

#endif
