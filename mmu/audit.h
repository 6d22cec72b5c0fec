/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The auditor of a debug build (VMMU_AUDIT=1): no flush is forgotten, no count is
 * wrong, no SPTE maps what the host has taken back. Without VMMU_AUDIT all of it
 * is empty.
 *
 * The ledger: each change that owes a flush draws a ticket, vm->mmu.audit.owed;
 * each completed flush writes down the newest ticket drawn before it began,
 * vm->mmu.audit.paid. A debt is paid when paid has reached its ticket.
 */
#ifndef VMMU_MMU_AUDIT_H
#define VMMU_MMU_AUDIT_H

#include "gather.h"

#ifdef VMMU_AUDIT
/* A change just made owes a flush. */
void vmmu_audit_owes(struct vmmu_gather *g);
/* The series says that it owes nothing (more): is that so? */
void vmmu_audit_paid(struct vmmu_gather *g);
/* The series' debt goes to its caller. */
void vmmu_audit_handed_over(struct vmmu_gather *g);
/* Walk the whole VM: SPTEs against counters and the host's tables. mmu.lock not held. */
void vmmu_audit_vm(struct vmmu_vm *vm);
#else
static inline void vmmu_audit_owes(struct vmmu_gather *g) {}
static inline void vmmu_audit_paid(struct vmmu_gather *g) {}
static inline void vmmu_audit_handed_over(struct vmmu_gather *g) {}
static inline void vmmu_audit_vm(struct vmmu_vm *vm) {}
#endif

#endif
