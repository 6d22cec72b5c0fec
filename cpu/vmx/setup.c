// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-x on this machine and on each CPU: is it there, may we have it, and which
 * controls it offers.
 *
 * Contract: every control that vmx_host says is on exists on this processor; one
 * that we cannot do without and that is missing refuses the load by its name. A
 * CPU that we own is not in VMX operation (operation.c): vmx_enable() tries it
 * once, and that is all there is to switch on.
 *
 * Locking: vmx_host is constant after vmx_setup(). struct vmx_cpu belongs to its
 * CPU. Only vmx_setup() and vmx_teardown() sleep.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor.h>
#include "vmmu/device.h"
#include "vmcs.h"

struct vmx_host vmx_host;
DEFINE_PER_CPU(struct vmx_cpu, vmx_cpu);

/* A control that we cannot do without, for the line that says so. */
struct control {
	u32 bit;
	const char *name;
};

static const struct control pin_needed[] = {
	{ PIN_BASED_EXT_INTR_MASK, "external-interrupt exiting" },
	{ PIN_BASED_NMI_EXITING, "NMI exiting" },
	{ PIN_BASED_VIRTUAL_NMIS, "virtual NMIs" },
};

static const struct control cpu_needed[] = {
	{ CPU_BASED_HLT_EXITING, "HLT exiting" },
	{ CPU_BASED_RDPMC_EXITING, "RDPMC exiting" },
	{ CPU_BASED_MWAIT_EXITING, "MWAIT exiting" },
	{ CPU_BASED_MONITOR_EXITING, "MONITOR exiting" },
	{ CPU_BASED_CR8_LOAD_EXITING, "CR8-load exiting" },
	{ CPU_BASED_CR8_STORE_EXITING, "CR8-store exiting" },
	{ CPU_BASED_MOV_DR_EXITING, "MOV-DR exiting" },
	{ CPU_BASED_UNCOND_IO_EXITING, "unconditional I/O exiting" },
	{ CPU_BASED_USE_TSC_OFFSETTING, "TSC offsetting" },
	{ CPU_BASED_USE_MSR_BITMAPS, "MSR bitmaps" },
	{ CPU_BASED_INTR_WINDOW_EXITING, "interrupt-window exiting" },
	{ CPU_BASED_NMI_WINDOW_EXITING, "NMI-window exiting" },
	{ CPU_BASED_ACTIVATE_SECONDARY_CONTROLS, "secondary controls" },
};

/* With ept=0 as well: a guest that does not page runs on EPT. */
static const struct control secondary_needed[] = {
	{ SECONDARY_EXEC_ENABLE_EPT, "EPT (with ept=0 real mode needs it)" },
	{ SECONDARY_EXEC_UNRESTRICTED_GUEST, "unrestricted guest (real mode needs it)" },
};

static const struct control exit_needed[] = {
	{ VM_EXIT_HOST_ADDR_SPACE_SIZE, "64-bit host" },
	{ VM_EXIT_SAVE_IA32_EFER, "saving EFER at exits" },
	{ VM_EXIT_LOAD_IA32_EFER, "loading EFER at exits" },
	{ VM_EXIT_SAVE_IA32_PAT, "saving PAT at exits" },
	{ VM_EXIT_LOAD_IA32_PAT, "loading PAT at exits" },
	{ VM_EXIT_SAVE_DEBUG_CONTROLS, "saving debug controls at exits" },
};

static const struct control entry_needed[] = {
	{ VM_ENTRY_IA32E_MODE, "64-bit guests" },
	{ VM_ENTRY_LOAD_IA32_EFER, "loading EFER at entries" },
	{ VM_ENTRY_LOAD_IA32_PAT, "loading PAT at entries" },
	{ VM_ENTRY_LOAD_DEBUG_CONTROLS, "loading debug controls at entries" },
};

/* Without EPT what changes the guest's tables or their root is ours to see. */
#define CPU_BASED_SHADOW (CPU_BASED_CR3_LOAD_EXITING | CPU_BASED_CR3_STORE_EXITING | \
			  CPU_BASED_INVLPG_EXITING)

/* Secondary controls that are used where they exist. */
#define SECONDARY_OPTIONAL (SECONDARY_EXEC_ENABLE_VPID | SECONDARY_EXEC_ENABLE_RDTSCP | \
			    SECONDARY_EXEC_ENABLE_INVPCID | SECONDARY_EXEC_WBINVD_EXITING | \
			    SECONDARY_EXEC_PAUSE_LOOP_EXITING)

/* CPUID itself, not boot_cpu_has(): the kernel hides what the firmware disabled. */
bool vmx_present(void)
{
	return boot_cpu_data.cpuid_level >= 1 && (cpuid_ecx(1) & BIT(5));
}

/*
 * A capability MSR: low half the bits that must be 1, high half those that may be.
 * @extra: to set where allowed. SDM vol. 3, appendix A.3.
 */
static int choose(u32 msr, const struct control *needed, int n, u32 extra, u32 *controls)
{
	u32 must, may, want = 0;
	int i;

	rdmsr(msr, must, may);
	for (i = 0; i < n; i++) {
		if (!(may & needed[i].bit)) {
			pr_err("this processor's VT-x lacks: %s\n", needed[i].name);
			return -EOPNOTSUPP;
		}
		want |= needed[i].bit;
	}
	*controls = must | want | (extra & may);
	return 0;
}

static int choose_controls(void)
{
	struct vmx_host *h = &vmx_host;
	u64 basic, ctls, ctls2;
	bool true_msrs;
	int err;

	rdmsrl(MSR_IA32_VMX_BASIC, basic);
	h->revision = vmx_basic_vmcs_revision_id(basic);
	true_msrs = basic & VMX_BASIC_TRUE_CTLS;

	err = choose(true_msrs ? MSR_IA32_VMX_TRUE_PINBASED_CTLS : MSR_IA32_VMX_PINBASED_CTLS,
		     pin_needed, ARRAY_SIZE(pin_needed), 0, &h->pin);
	if (!err)
		err = choose(true_msrs ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS :
					 MSR_IA32_VMX_PROCBASED_CTLS,
			     cpu_needed, ARRAY_SIZE(cpu_needed),
			     h->ept ? 0 : CPU_BASED_SHADOW, &h->cpu_based);
	if (!err)
		err = choose(MSR_IA32_VMX_PROCBASED_CTLS2, secondary_needed,
			     ARRAY_SIZE(secondary_needed), 0, &h->secondary);
	if (!err)
		err = choose(true_msrs ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS,
			     exit_needed, ARRAY_SIZE(exit_needed), 0, &h->exit);
	if (!err)
		err = choose(true_msrs ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS,
			     entry_needed, ARRAY_SIZE(entry_needed), 0, &h->entry);
	if (err)
		return err;

	rdmsrl(true_msrs ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS : MSR_IA32_VMX_PROCBASED_CTLS, ctls);
	h->tpr_shadow = (ctls >> 32) & CPU_BASED_TPR_SHADOW;
	/* These come and go with the guest. */
	h->cpu_based &= ~(CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING);
	h->entry &= ~VM_ENTRY_IA32E_MODE;
	rdmsrl(MSR_IA32_VMX_PROCBASED_CTLS2, ctls2);
	h->optional = (ctls2 >> 32) & SECONDARY_OPTIONAL;
	rdmsrl(MSR_IA32_VMX_CR4_FIXED1, h->cr4_fixed1);
	return 0;
}

static int read_ept(void)
{
	struct vmx_host *h = &vmx_host;
	bool large;
	u64 cap;

	rdmsrl(MSR_IA32_VMX_EPT_VPID_CAP, cap);
	if (!(cap & VMX_EPT_PAGE_WALK_4_BIT) || !(cap & VMX_EPTP_WB_BIT) ||
	    !(cap & VMX_EPT_INVEPT_BIT) ||
	    !(cap & (VMX_EPT_EXTENT_CONTEXT_BIT | VMX_EPT_EXTENT_GLOBAL_BIT))) {
		pr_err("this processor's EPT lacks 4 levels, write-back tables or INVEPT\n");
		return -EOPNOTSUPP;
	}
	h->ept_ad = cap & VMX_EPT_AD_BIT;
	h->invept_context = cap & VMX_EPT_EXTENT_CONTEXT_BIT;
	/* Shadow tables have what the processor's own have, and EPT serves at most 2M then. */
	large = h->ept ? cap & VMX_EPT_1GB_PAGE_BIT : boot_cpu_has(X86_FEATURE_GBPAGES);
	vmmu_cpu_caps.tdp_max_level = !(cap & VMX_EPT_2MB_PAGE_BIT) ? VMMU_LEVEL_4K :
				      large ? VMMU_LEVEL_1G : VMMU_LEVEL_2M;

	cap >>= 32;
	h->invvpid_context = cap & VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT;
	h->vpid = (h->optional & SECONDARY_EXEC_ENABLE_VPID) && (cap & VMX_VPID_INVVPID_BIT) &&
		  (cap & VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT);
	return 0;
}

static void read_features(void)
{
	struct vmx_host *h = &vmx_host;

	h->spec_ctrl = boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL);
	rdmsrl(MSR_IA32_CR_PAT, h->pat);
}

static void fill_caps(void)
{
	struct vmmu_cpu_caps *c = &vmmu_cpu_caps;

	c->tdp = vmx_host.ept;
	c->tdp_unpaged = !vmx_host.ept;
	c->tdp_ad = vmx_host.ept_ad;
	c->tdp_format = vmx_host.ept_ad ? &vmmu_format_ept : &vmmu_format_ept_no_ad;
	c->tdp_root_level = VMMU_LEVEL_PML4;
	c->next_rip = true;
	c->flush_by_asid = vmx_host.invvpid_context;
	rdmsrl(MSR_EFER, c->host_efer);
}

static int alloc_regions(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct page *page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);

		if (!page)
			return -ENOMEM;
		*(u32 *)page_address(page) = vmx_host.revision;
		per_cpu_ptr(&vmx_cpu, cpu)->region = page;
	}
	return 0;
}

int vmx_setup(void)
{
	int err;

	/* The kernel hides the feature when the firmware locked it out. */
	if (!boot_cpu_has(X86_FEATURE_VMX)) {
		pr_err("the firmware disabled VT-x: enable it in the firmware's setup\n");
		return -EOPNOTSUPP;
	}
	vmx_host.ept = vmmu_param_ept;
	vmx_host.cr0_mask = vmx_host.ept ? VMX_CR0_MASK : VMX_CR0_SHADOW_MASK;
	err = choose_controls();
	if (!err)
		err = read_ept();
	if (err)
		return err;
	read_features();
	fill_caps();

	err = alloc_regions();
	if (!err)
		err = vmx_msr_setup();
	if (!err)
		err = vmx_l1d_setup();
	if (err) {
		pr_err("no memory for VMXON regions and MSR bitmaps\n");
		vmx_teardown();
	}
	return err;
}

void vmx_teardown(void)
{
	unsigned int cpu;

	vmx_l1d_teardown();
	vmx_msr_teardown();
	for_each_possible_cpu(cpu) {
		struct vmx_cpu *vc = per_cpu_ptr(&vmx_cpu, cpu);

		if (vc->region)
			__free_page(vc->region);
		vc->region = NULL;
	}
}

int vmx_probe(void)
{
	u64 want = FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX, control;

	if (!(cpuid_ecx(1) & BIT(5)) || rdmsrl_safe(MSR_IA32_FEAT_CTL, &control) ||
	    (control & want) != want)
		return -EOPNOTSUPP;
	return native_read_cr4() & X86_CR4_VMXE ? -EBUSY : 0;
}

int vmx_enable(void)
{
	struct vmx_cpu *vc = this_cpu_ptr(&vmx_cpu);
	int err = vmx_operation_begin(vc);

	if (err)
		return err;
	vmx_operation_end();
	vmx_vpid_enable(vc);
	vc->enabled = true;
	return 0;
}

void vmx_disable(void)
{
	this_cpu_ptr(&vmx_cpu)->enabled = false;
}
