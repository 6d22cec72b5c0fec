/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * paging/: the guest's page tables. Walkers for 2-level, PAE, 4- and 5-level,
 * permission rules, accessed/dirty update, gva->gpa. Knows nothing of SPTEs.
 */
#ifndef VMMU_PAGING_H
#define VMMU_PAGING_H

#include "vmmu/types.h"

/* The registers that decide how the guest translates, read once per walk. */
struct vmmu_paging_mode {
	u64 cr0, cr3, cr4, efer, rflags;
	u32 pkru;
	u8 cpl;
};

/* Read them from the vCPU. */
void vmmu_paging_mode(struct vmmu_vcpu *vcpu, struct vmmu_paging_mode *mode);

/* The result of a walk that succeeded. */
struct vmmu_walk {
	gpa_t gpa;		/* of the byte asked for */
	u8 level;		/* of the guest's leaf; VMMU_LEVEL_4K without paging */
};

/**
 * vmmu_gva_walk() - translate a linear address as the processor would
 * @access: VMMU_PFERR_WRITE, _USER, _FETCH, _IMPLICIT: the access to check
 * @set_ad: set accessed and dirty bits in the guest's tables (atomically)
 * @e: on failure the #PF to inject
 *
 * vm->srcu held. May sleep (guest memory). Return: 0, 1 (#PF in @e), or -EFAULT when a
 * table lies where the host has no memory for it.
 */
int vmmu_gva_walk(struct vmmu_vcpu *vcpu, const struct vmmu_paging_mode *mode, u64 gva,
		  u64 access, bool set_ad, struct vmmu_walk *walk, struct vmmu_exception *e);

/* gpa or VMMU_INVALID_GPA with *e filled; the access is by the current CPL when @access has
 * VMMU_PFERR_USER, else supervisor. Sets A/D. */
gpa_t vmmu_gva_to_gpa(struct vmmu_vcpu *vcpu, u64 gva, u64 access, struct vmmu_exception *e);

/*
 * Linear-address reads and writes that may cross pages. 0; 1: *e is the #PF to inject;
 * -EFAULT: no memory there (MMIO): the emulator treats MMIO itself.
 */
int vmmu_read_gva(struct vmmu_vcpu *vcpu, u64 gva, void *data, unsigned int bytes, u64 access,
		  struct vmmu_exception *e);
int vmmu_write_gva(struct vmmu_vcpu *vcpu, u64 gva, const void *data, unsigned int bytes,
		   u64 access, struct vmmu_exception *e);

#endif
