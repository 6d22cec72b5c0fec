// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading: parameters, and the order in which rooms wake up.
 */
#include <linux/module.h>

#include "vmmu/cpu.h"
#include "vmmu/device.h"
#include "vmmu/irq.h"
#include "vmmu/mmu.h"
#include "vmmu/vcpu.h"
#include "../vcpu/request.h"

bool vmmu_param_npt = true;
module_param_named(npt, vmmu_param_npt, bool, 0444);
MODULE_PARM_DESC(npt, "AMD-V: use nested paging (default: yes; no: shadow paging)");
bool vmmu_param_ept = true;
module_param_named(ept, vmmu_param_ept, bool, 0444);
MODULE_PARM_DESC(ept, "VT-x: use EPT (default: yes; no: shadow paging, EPT for unpaged guests only)");

static const struct vmmu_room {
	const char *name;
	int (*init)(void);
	void (*exit)(void);
} rooms[] = {
	{ "cpu", vmmu_cpu_own, vmmu_cpu_disown },
	{ "vcpu", vmmu_vcpu_module_init, vmmu_vcpu_module_exit },
	{ "requests", vmmu_request_module_init, vmmu_request_module_exit },
	{ "fpu", vmmu_fpu_module_init, NULL },
	{ "cpuid", vmmu_cpuid_module_init, NULL },
	{ "clock", vmmu_clock_module_init, vmmu_clock_module_exit },
	{ "mmu", vmmu_mmu_module_init, vmmu_mmu_module_exit },
	{ "irq", vmmu_irq_module_init, vmmu_irq_module_exit },
	{ "device", vmmu_device_register, vmmu_device_unregister },
};

static void leave_rooms(int n)
{
	while (n--)
		if (rooms[n].exit)
			rooms[n].exit();
}

static int __init vmmu_init(void)
{
	int i, r;

	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		r = rooms[i].init();
		if (r) {
			leave_rooms(i);
			return r;
		}
	}
	pr_info("vmmu: ready on %s%s\n", vmmu_cpu->name,
		vmmu_cpu_caps.tdp ? " with two-dimensional paging" : "");
	return 0;
}

static void __exit vmmu_exit(void)
{
	leave_rooms(ARRAY_SIZE(rooms));
}

module_init(vmmu_init);
module_exit(vmmu_exit);

MODULE_DESCRIPTION("A KVM-style hypervisor around its MMU");
MODULE_AUTHOR("The vmmu founders");
MODULE_LICENSE("GPL");
