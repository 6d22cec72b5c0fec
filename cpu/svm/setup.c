// SPDX-License-Identifier: GPL-2.0-only
/*
 * SVM on this machine and on each CPU: is it there, may we have it, switch it
 * on and put everything back.
 *
 * Contract: after svm_disable() a CPU's EFER.SVME and VM_HSAVE_PA are what they
 * were before svm_enable(). The pages of every possible CPU are allocated once
 * in svm_setup(), so that the per-CPU half, which runs with interrupts off,
 * cannot fail for want of memory.
 *
 * Locking: svm_host is constant after svm_setup(). struct svm_cpu belongs to
 * its CPU. Only svm_setup() and svm_teardown() sleep.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/mem_encrypt.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include "vmmu/device.h"
#include "vmcb.h"

struct svm_host svm_host;
DEFINE_PER_CPU(struct svm_cpu, svm_cpu);

#define IOPM_ORDER	2	/* 12 KiB are used: APM vol. 2, 15.10.1 */

/* CPUID itself, not boot_cpu_has(): the kernel hides what the firmware disabled. */
bool svm_present(void)
{
	if (boot_cpu_data.x86_vendor != X86_VENDOR_AMD &&
	    boot_cpu_data.x86_vendor != X86_VENDOR_HYGON)
		return false;
	return cpuid_eax(0x80000000) >= SVM_CPUID_FUNC && (cpuid_ecx(0x80000001) & BIT(2));
}

/* The CR4 bits that the processor implements, whether the host uses them or not. */
static u64 hardware_cr4_bits(void)
{
	u32 eax, ebx, ecx, edx;
	u64 bits = X86_CR4_PCE;

	cpuid(1, &eax, &ebx, &ecx, &edx);
	bits |= edx & BIT(1) ? X86_CR4_VME | X86_CR4_PVI : 0;
	bits |= edx & BIT(2) ? X86_CR4_DE : 0;
	bits |= edx & BIT(3) ? X86_CR4_PSE : 0;
	bits |= edx & BIT(4) ? X86_CR4_TSD : 0;
	bits |= edx & BIT(6) ? X86_CR4_PAE : 0;
	bits |= edx & BIT(7) ? X86_CR4_MCE : 0;
	bits |= edx & BIT(13) ? X86_CR4_PGE : 0;
	bits |= edx & BIT(24) ? X86_CR4_OSFXSR : 0;
	bits |= edx & BIT(25) ? X86_CR4_OSXMMEXCPT : 0;
	bits |= ecx & BIT(17) ? X86_CR4_PCIDE : 0;
	bits |= ecx & BIT(26) ? X86_CR4_OSXSAVE : 0;
	if (cpuid_eax(0) < 7)
		return bits;

	cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
	bits |= ebx & BIT(0) ? X86_CR4_FSGSBASE : 0;
	bits |= ebx & BIT(7) ? X86_CR4_SMEP : 0;
	bits |= ebx & BIT(20) ? X86_CR4_SMAP : 0;
	bits |= ecx & BIT(2) ? X86_CR4_UMIP : 0;
	bits |= ecx & BIT(3) ? X86_CR4_PKE : 0;
	bits |= ecx & BIT(7) ? X86_CR4_CET : 0;
	bits |= ecx & BIT(16) ? X86_CR4_LA57 : 0;
	return bits;
}

static void read_features(void)
{
	struct svm_host *h = &svm_host;

	h->nrips = boot_cpu_has(X86_FEATURE_NRIPS);
	h->decode_assists = boot_cpu_has(X86_FEATURE_DECODEASSISTS);
	h->flush_by_asid = boot_cpu_has(X86_FEATURE_FLUSHBYASID);
	h->pause_filter = boot_cpu_has(X86_FEATURE_PAUSEFILTER);
	h->pause_threshold = boot_cpu_has(X86_FEATURE_PFTHRESHOLD);
	h->v_spec_ctrl = boot_cpu_has(X86_FEATURE_V_SPEC_CTRL);
	h->spec_ctrl = boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL) && !h->v_spec_ctrl;
	h->lbrv = boot_cpu_has(X86_FEATURE_LBRV);
	h->rdtscp = boot_cpu_has(X86_FEATURE_RDTSCP);
	h->invpcid = boot_cpu_has(X86_FEATURE_INVPCID);
	h->bare_metal = !boot_cpu_has(X86_FEATURE_HYPERVISOR);
	h->nr_asids = cpuid_ebx(SVM_CPUID_FUNC);
	h->cr4_bits = hardware_cr4_bits();
}

static void fill_caps(void)
{
	struct vmmu_cpu_caps *c = &vmmu_cpu_caps;

	c->tdp = svm_host.npt;
	c->tdp_ad = true;
	c->tdp_format = &vmmu_format_x86_64;
	c->next_rip = svm_host.nrips;
	c->flush_by_asid = svm_host.flush_by_asid;
	c->tdp_max_level = boot_cpu_has(X86_FEATURE_GBPAGES) ? VMMU_LEVEL_1G : VMMU_LEVEL_2M;
	/* Nested tables have the host's own depth: APM vol. 2, 15.25.3. */
	c->tdp_root_level = native_read_cr4() & X86_CR4_LA57 ? VMMU_LEVEL_PML5 :
							       VMMU_LEVEL_PML4;
	rdmsrl(MSR_EFER, c->host_efer);
}

static void free_cpu_pages(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *sc = per_cpu_ptr(&svm_cpu, cpu);

		if (sc->hsave)
			__free_page(sc->hsave);
		if (sc->host)
			__free_page(sc->host);
		sc->hsave = NULL;
		sc->host = NULL;
	}
}

static int alloc_cpu_pages(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *sc = per_cpu_ptr(&svm_cpu, cpu);
		int node = cpu_to_node(cpu);

		sc->hsave = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, 0);
		sc->host = alloc_pages_node(node, GFP_KERNEL | __GFP_ZERO, 0);
		if (sc->host)
			sc->host_pa = __sme_pa(page_address(sc->host));
		if (!sc->hsave || !sc->host)
			return -ENOMEM;
	}
	return 0;
}

/*
 * Shadow tables of a guest outside long mode hang on a PAE root, and CR3 and the PDPTEs of
 * that have no place for the bit that says "encrypted".
 */
static int choose_paging(void)
{
	svm_host.npt = vmmu_param_npt && boot_cpu_has(X86_FEATURE_NPT);
	if (svm_host.npt || !sme_get_me_mask())
		return 0;
	pr_err("no shadow paging while the host's memory is encrypted: %s\n",
	       vmmu_param_npt ? "boot it with mem_encrypt=off" : "load with npt=1");
	return -EOPNOTSUPP;
}

int svm_setup(void)
{
	int err;

	if (!boot_cpu_has(X86_FEATURE_SVM)) {
		pr_err("the firmware disabled AMD-V: enable SVM in the firmware's setup\n");
		return -EOPNOTSUPP;
	}
	err = choose_paging();
	if (err)
		return err;

	read_features();
	if (svm_host.nr_asids < 2) {
		pr_err("this processor offers no ASID for guests\n");
		return -EOPNOTSUPP;
	}

	err = alloc_cpu_pages();
	if (!err)
		err = svm_msrpm_setup();
	if (!err) {
		svm_host.iopm = alloc_pages(GFP_KERNEL, IOPM_ORDER);
		if (!svm_host.iopm)
			err = -ENOMEM;
	}
	if (err) {
		pr_err("no memory for SVM's host save areas and permission maps\n");
		svm_teardown();
		return err;
	}
	memset(page_address(svm_host.iopm), 0xff, PAGE_SIZE << IOPM_ORDER);
	fill_caps();
	return 0;
}

void svm_teardown(void)
{
	if (svm_host.iopm)
		__free_pages(svm_host.iopm, IOPM_ORDER);
	svm_host.iopm = NULL;
	svm_msrpm_teardown();
	free_cpu_pages();
}

int svm_probe(void)
{
	u64 efer, vm_cr;

	if (!(cpuid_ecx(0x80000001) & BIT(2)))
		return -EOPNOTSUPP;
	if (!rdmsrl_safe(MSR_VM_CR, &vm_cr) && (vm_cr & SVM_VM_CR_SVM_DIS_MASK))
		return -EOPNOTSUPP;
	rdmsrl(MSR_EFER, efer);
	return efer & EFER_SVME ? -EBUSY : 0;
}

int svm_enable(void)
{
	struct svm_cpu *sc = this_cpu_ptr(&svm_cpu);
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	wrmsrl(MSR_EFER, efer | EFER_SVME);
	rdmsrl(MSR_VM_HSAVE_PA, sc->old_hsave);
	wrmsrl(MSR_VM_HSAVE_PA, __sme_pa(page_address(sc->hsave)));
	svm_asid_enable(sc);
	sc->enabled = true;
	return 0;
}

/* Nothing when we do not own this CPU. GIF is 1 here: switch.S sets it before it returns. */
void svm_disable(void)
{
	struct svm_cpu *sc = this_cpu_ptr(&svm_cpu);
	u64 efer;

	if (!sc->enabled)
		return;
	sc->enabled = false;
	wrmsrl(MSR_VM_HSAVE_PA, sc->old_hsave);
	rdmsrl(MSR_EFER, efer);
	wrmsrl(MSR_EFER, efer & ~EFER_SVME);
}
