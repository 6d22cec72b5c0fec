// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading and writing the guest's MSRs: one dispatch over vmmu_msr_table.
 *
 * An access goes through the table's checks (does the guest have it, reserved
 * bits, legal values), then to the back end, which stores what lives in its
 * control block, then to the table's handler. An MSR that is not in the table
 * does not exist.
 *
 * Runs on the vCPU's thread with the vCPU loaded and vm->srcu held. The KVM
 * paravirtual clocks write guest memory and may sleep.
 */
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include "vmmu/vm.h"
#include "msr.h"

#define PAT_RESET	0x0007040600070406ULL

const struct vmmu_msr *vmmu_msr_find(u32 index)
{
	unsigned int lo = 0, hi = vmmu_msr_table_len;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;
		const struct vmmu_msr *m = &vmmu_msr_table[mid];

		if (index < m->first)
			hi = mid;
		else if (index > vmmu_msr_last(m))
			lo = mid + 1;
		else
			return m;
	}
	return NULL;
}

/* Guests have what their CPUID says; user space whatever this host can have. */
static bool present(struct vmmu_vcpu *vcpu, const struct vmmu_msr *m, bool host)
{
	int i;

	for (i = 0; i < VMMU_MSR_FEATURES && m->any_of[i]; i++)
		if (host ? vmmu_can(m->any_of[i]) : vmmu_guest_has(vcpu, m->any_of[i]))
			return true;
	return !i;
}

/**
 * vmmu_get_msr() - RDMSR, or one entry of KVM_GET_MSRS
 * @vcpu: loaded
 * @index: which
 * @val: its value on success
 * @host: for user space
 *
 * Return: 0; 1: #GP; -ENOENT: there is no such MSR.
 */
int vmmu_get_msr(struct vmmu_vcpu *vcpu, u32 index, u64 *val, bool host)
{
	const struct vmmu_msr *m = vmmu_msr_find(index);
	int r;

	if (!m)
		return -ENOENT;
	if (!present(vcpu, m, host))
		return 1;
	r = vmmu_cpu->get_msr(vcpu, index, val);
	if (r != -ENOENT)
		return r;
	return m->get ? m->get(vcpu, index, val, host) : 1;
}

/**
 * vmmu_set_msr() - WRMSR, or one entry of KVM_SET_MSRS
 * @vcpu: loaded
 * @index: which
 * @val: to be written
 * @host: for user space
 *
 * Return: 0; 1: #GP; -ENOENT: there is no such MSR.
 */
int vmmu_set_msr(struct vmmu_vcpu *vcpu, u32 index, u64 val, bool host)
{
	const struct vmmu_msr *m = vmmu_msr_find(index);
	int r;

	if (!m)
		return -ENOENT;
	if (!present(vcpu, m, host))
		return 1;
	if (!m->set && !(m->flags & VMMU_MSR_BACKEND))
		return 1;
	if ((val & m->reserved) || (m->legal && !m->legal(vcpu, index, val, host)))
		return 1;
	r = vmmu_cpu->set_msr(vcpu, index, val);
	if (r && r != -ENOENT)
		return r;
	/* Fields mirror what the back end keeps. */
	if (m->set)
		return m->set(vcpu, index, val, host);
	return r ? 1 : 0;
}

/* ---- life ---- */

int vmmu_msrs_init(struct vmmu_vcpu *vcpu)
{
	struct vmmu_msrs *m = &vcpu->msrs;

	m->arch_capabilities = vmmu_arch_capabilities();
	m->platform_info = MSR_PLATFORM_INFO_CPUID_FAULT;
	m->de_cfg = vmmu_de_cfg();
	m->osvw[0] = 3;
	if (vmmu_get_msr_feature(MSR_IA32_UCODE_REV, &m->ucode_rev))
		m->ucode_rev = 0;
	vmmu_cpuid_create(vcpu);
	return vmmu_mce_create(vcpu);
}

void vmmu_msrs_destroy(struct vmmu_vcpu *vcpu)
{
	vmmu_mce_destroy(vcpu);
}

/* SDM vol. 3, table 10-1: INIT keeps MTRRs, PAT, machine-check banks and the TSC. */
void vmmu_msrs_reset(struct vmmu_vcpu *vcpu, bool init)
{
	struct vmmu_msrs *m = &vcpu->msrs;

	vmmu_clock_vcpu_reset(vcpu);
	vcpu->pv_eoi.msr = 0;
	if (init)
		return;
	m->pat = PAT_RESET;
	vmmu_cpu->set_msr(vcpu, MSR_IA32_CR_PAT, PAT_RESET);
	m->misc_enable = MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL | MSR_IA32_MISC_ENABLE_BTS_UNAVAIL;
	m->misc_features_enables = 0;
	m->xss = 0;
	m->spec_ctrl = 0;
	m->tsc_aux = 0;
	m->hwcr = 0;
	m->mtrr_def_type = 0;
	memset(m->mtrr_fixed, 0, sizeof(m->mtrr_fixed));
	memset(m->mtrr_var, 0, sizeof(m->mtrr_var));
	m->poll_control = 1;
}

/* ---- lists ---- */

static int fill_list(u16 flag, u32 *indices, int max)
{
	unsigned int i;
	int n = 0;

	for (i = 0; i < vmmu_msr_table_len; i++) {
		const struct vmmu_msr *m = &vmmu_msr_table[i];
		u32 index;

		if (!(m->flags & flag) || !present(NULL, m, true))
			continue;
		for (index = m->first; index <= vmmu_msr_last(m); index++, n++)
			if (n < max)
				indices[n] = index;
	}
	return n;
}

/**
 * vmmu_msr_list() - KVM_GET_MSR_INDEX_LIST
 * @indices: filled with up to @max; may be NULL when @max is 0
 * @max: room in @indices
 *
 * Return: how many there are.
 */
int vmmu_msr_list(u32 *indices, int max)
{
	return fill_list(VMMU_MSR_LISTED, indices, max);
}

/**
 * vmmu_msr_feature_list() - KVM_GET_MSR_FEATURE_INDEX_LIST
 * @indices: filled with up to @max; may be NULL when @max is 0
 * @max: room in @indices
 *
 * Return: how many there are.
 */
int vmmu_msr_feature_list(u32 *indices, int max)
{
	return fill_list(VMMU_MSR_FEATURE, indices, max);
}

/**
 * vmmu_get_msr_feature() - KVM_GET_MSRS on the device: what this host offers
 * @index: one of vmmu_msr_feature_list()
 * @val: the value
 *
 * Return: 0, or 1: not a feature MSR here.
 */
int vmmu_get_msr_feature(u32 index, u64 *val)
{
	const struct vmmu_msr *m = vmmu_msr_find(index);
	u32 lo, hi;

	if (!m || !(m->flags & VMMU_MSR_FEATURE) || !present(NULL, m, true))
		return 1;
	switch (index) {
	case MSR_IA32_UCODE_REV:
		*val = rdmsr_safe(index, &lo, &hi) ? 0 : (u64)hi << 32 | lo;
		return 0;
	case MSR_IA32_ARCH_CAPABILITIES:
		*val = vmmu_arch_capabilities();
		return 0;
	case MSR_AMD64_DE_CFG:
		*val = vmmu_de_cfg();
		return 0;
	}
	return 1;
}
