/* SPDX-License-Identifier: GPL-2.0-only */
/* Which VMs' tables the host may have back when it is short of memory. */
#ifndef VMMU_MMU_RECLAIM_H
#define VMMU_MMU_RECLAIM_H

struct vmmu_vm;

/* Process context, may sleep. 0 or errno. */
int vmmu_reclaim_module_init(void);
/* No VM exists. */
void vmmu_reclaim_module_exit(void);

/* From here on, until vmmu_reclaim_del() returns. Both may sleep. */
void vmmu_reclaim_add(struct vmmu_vm *vm);
void vmmu_reclaim_del(struct vmmu_vm *vm);

#endif
