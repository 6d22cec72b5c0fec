/* SPDX-License-Identifier: GPL-2.0-only */
/* What decides the intercept words; see intercept.c. */
#ifndef VMMU_SVM_INTERCEPT_H
#define VMMU_SVM_INTERCEPT_H

#include <linux/types.h>

struct svm_wants {
	bool debug_bp;		/* user space set software breakpoints */
	bool debug_int;		/* likewise, where INT3 does not raise that intercept */
	bool hlt;
	bool pause;
	bool mwait;
	bool rdtscp;		/* the guest's CPUID has it not: #UD */
	bool invpcid;		/* likewise */
	bool dr;		/* the guest's debug registers are not loaded */
	/* The guest's page tables are shadowed: what concerns them comes to us. */
	bool page_fault;
	bool invlpg;
	bool task_switch;	/* it would load the guest's CR3 */
	bool cr3_read, cr3_write;
	bool cr0_read, cr0_write;
	bool cr4_read, cr4_write;
	bool cr8_write;
};

#endif
