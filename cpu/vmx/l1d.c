// SPDX-License-Identifier: GPL-2.0-only
/*
 * L1TF: a guest can read, by a page table of its own, what lies in the L1 data cache.
 * So the cache is emptied before an entry that follows something whose data the guest
 * is not to see.
 *
 * Contract: vmx_l1d_setup() chooses, by the processor's bug and the parameter l1d_flush.
 * The default trusts what exits that stay inside the hypervisor touch, as the kernel's
 * own default does: the cache is emptied after user space has run, after another task,
 * after an interrupt of the host, and after an exit whose handler reads guest or user
 * memory (vmx_vcpu.l1d_used). Sibling threads share the cache: where that matters SMT
 * is to be switched off.
 *
 * Locking: all but the per-vCPU flag is constant after set-up.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/hardirq.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <asm/barrier.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include "vmcs.h"

/* Twice the cache's 32 KiB: its replacement is not strictly the least recently used. */
#define FILL_BYTES	SZ_64K

enum { L1D_NEVER, L1D_AFTER_USE, L1D_ALWAYS };

static unsigned int l1d_flush = L1D_AFTER_USE;
module_param(l1d_flush, uint, 0444);
MODULE_PARM_DESC(l1d_flush,
		 "VT-x, processors with L1TF: empty the L1D cache 0 never, 1 after its use (default), 2 at each entry");

static void *fill;	/* without the command: read this */

static bool affected(void)
{
	u64 caps = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, caps);
	return boot_cpu_has_bug(X86_BUG_L1TF) && !(caps & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH);
}

int vmx_l1d_setup(void)
{
	vmx_host.l1d_flush = affected() && l1d_flush != L1D_NEVER;
	if (!vmx_host.l1d_flush || boot_cpu_has(X86_FEATURE_FLUSH_L1D))
		return 0;
	/* Zeroed: pages of their own, not all the same one. */
	fill = (void *)__get_free_pages(GFP_KERNEL | __GFP_ZERO, get_order(FILL_BYTES));
	return fill ? 0 : -ENOMEM;
}

void vmx_l1d_teardown(void)
{
	if (fill)
		free_pages((unsigned long)fill, get_order(FILL_BYTES));
	fill = NULL;
}

/* First one read per page, so that the second round does not wait for translations. */
static void read_all(void)
{
	unsigned int i;

	for (i = 0; i < FILL_BYTES; i += PAGE_SIZE)
		READ_ONCE(*(u8 *)(fill + i));
	/* Not only for the compiler: no read of the next round before these. */
	rmb();
	for (i = 0; i < FILL_BYTES; i += L1_CACHE_BYTES)
		READ_ONCE(*(u8 *)(fill + i));
	/* They are done before the entry. */
	rmb();
}

/* An interrupt notes itself in irq_stat, on kernels that know of a KVM for VT-x. */
static bool used(struct vmx_vcpu *vmx)
{
#if IS_ENABLED(CONFIG_KVM_INTEL)
	bool irq = kvm_get_cpu_l1tf_flush_l1d();

	kvm_clear_cpu_l1tf_flush_l1d();
#else
	bool irq = true;
#endif
	return vmx->l1d_used || irq || l1d_flush == L1D_ALWAYS;
}

/* Interrupts off, the last thing before the entry but for the registers. */
void vmx_l1d_empty(struct vmx_vcpu *vmx)
{
	if (!used(vmx))
		return;
	vmx->l1d_used = false;
	if (fill)
		read_all();
	else
		wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
}
