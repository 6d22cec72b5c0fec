/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMMU_VCPU_EVENT_H
#define VMMU_VCPU_EVENT_H

#include "vmmu/types.h"

void vmmu_inject_events(struct vmmu_vcpu *vcpu);
void vmmu_collect_nmis(struct vmmu_vcpu *vcpu);
void vmmu_deliver_payload(struct vmmu_vcpu *vcpu);

#endif
