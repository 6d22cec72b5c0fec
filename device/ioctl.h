/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of device/ share. */
#ifndef VMMU_DEVICE_IOCTL_H
#define VMMU_DEVICE_IOCTL_H

#include "vmmu/types.h"

/* A vCPU's mapping: struct kvm_run, the data of port I/O, the VM's coalesced ring. */
#define VMMU_VCPU_MMAP_PAGES	3
#define VMMU_COALESCED_PAGE	2

struct vmmu_vm;
struct vmmu_vcpu;

int vmmu_vm_create_fd(unsigned long type);
int vmmu_vcpu_create_fd(struct vmmu_vm *vm, unsigned long id);
long vmmu_vm_ioctl(struct vmmu_vm *vm, unsigned int cmd, unsigned long arg);
/* KVM_CHECK_EXTENSION; @vm may be NULL. */
long vmmu_check_extension(struct vmmu_vm *vm, unsigned long cap);
int vmmu_vm_enable_cap(struct vmmu_vm *vm, const struct kvm_enable_cap *cap);
/* KVM_GET_MSRS, KVM_SET_MSRS (@set); without a vCPU the feature MSRs. The count done or errno. */
long vmmu_ioctl_msrs(struct vmmu_vcpu *vcpu, struct kvm_msrs __user *user, bool set);

#endif
