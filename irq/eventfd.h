/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What irqfd and ioeventfd share, and their part in a VM's end; for irq/ only.
 */
#ifndef VMMU_IRQ_EVENTFD_H
#define VMMU_IRQ_EVENTFD_H

#include <linux/cleanup.h>
#include <linux/eventfd.h>

#include "vmmu/vm.h"

DEFINE_FREE(vmmu_eventfd, struct eventfd_ctx *, if (!IS_ERR_OR_NULL(_T)) eventfd_ctx_put(_T))

#ifndef retain_and_null_ptr	/* newer kernels' <linux/cleanup.h> has it */
#define retain_and_null_ptr(p)	((void)__get_and_null(p, NULL))
#endif

int vmmu_irqfd_module_init(void);
void vmmu_irqfd_module_exit(void);
/* No eventfd of this VM calls back any more when this returns. May sleep. */
void vmmu_irqfd_release(struct vmmu_vm *vm);
/* No vCPU exists any more. May sleep. */
void vmmu_ioeventfd_release(struct vmmu_vm *vm);

#endif
