// SPDX-License-Identifier: GPL-2.0-only
/*
 * iTLB multihit: a processor with this bug stops when a guest executes through a large
 * page whose size changes meanwhile. So where it is on (parameter nx_huge_pages), large
 * leaves are not executable, and what a guest executes is mapped by 4K. A table that holds
 * anything round a fault is not replaced by a large leaf, which the next fetch would split.
 *
 * Locking: constant after vmmu_nx_huge_init().
 */
#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/sysfs.h>
#include <asm/cpufeature.h>
#include "spte.h"

static const char * const words[] = { "off", "on", "auto" };
enum { NX_OFF, NX_ON, NX_AUTO };

static int nx_huge = NX_AUTO;
bool vmmu_nx_huge __ro_after_init;

static int nx_huge_set(const char *val, const struct kernel_param *kp)
{
	int i = sysfs_match_string(words, val);

	if (i < 0)
		return i;
	nx_huge = i;
	return 0;
}

/* What is so, not what was asked for. */
static int nx_huge_get(char *buffer, const struct kernel_param *kp)
{
	return sprintf(buffer, "%s\n", words[vmmu_nx_huge]);
}

static const struct kernel_param_ops nx_huge_ops = {
	.set = nx_huge_set,
	.get = nx_huge_get,
};

module_param_cb(nx_huge_pages, &nx_huge_ops, NULL, 0444);
MODULE_PARM_DESC(nx_huge_pages,
		 "map what guests execute by 4K: on, off, auto (default: where the processor has iTLB multihit)");

void vmmu_nx_huge_init(void)
{
	vmmu_nx_huge = nx_huge == NX_ON ||
		       (nx_huge == NX_AUTO && boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) &&
			!cpu_mitigations_off());
}
