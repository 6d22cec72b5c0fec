// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMCS as the image of struct vmx_vcpu: written before an entry, read after it.
 *
 * Contract: in VMX operation, interrupts off, the vCPU's VMCS current. What is
 * dirty is written; what the guest can change is read back completely.
 */
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include "vmcs.h"

/* A run of PAUSEs: so close together, and so long, in cycles. */
#define PLE_GAP_CYCLES		128
#define PLE_WINDOW_CYCLES	4096

static void write_fixed(struct vmx_vcpu *vmx)
{
	u64 area = __pa(vmx->msrs);

	vmcs_write(PIN_BASED_VM_EXEC_CONTROL, vmx_host.pin);
	vmcs_write(VM_EXIT_CONTROLS, vmx_host.exit);
	vmcs_write(VMCS_LINK_POINTER, ~0ULL);
	vmcs_write(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write(CR3_TARGET_COUNT, 0);
	vmcs_write(VM_EXIT_MSR_STORE_ADDR, area + offsetof(struct vmx_msr_area, guest));
	vmcs_write(VM_EXIT_MSR_STORE_COUNT, VMX_NR_LISTED);
	vmcs_write(VM_ENTRY_MSR_LOAD_ADDR, area + offsetof(struct vmx_msr_area, guest));
	vmcs_write(VM_ENTRY_MSR_LOAD_COUNT, VMX_NR_LISTED);
	vmcs_write(VM_EXIT_MSR_LOAD_ADDR, area + offsetof(struct vmx_msr_area, host));
	vmcs_write(VM_EXIT_MSR_LOAD_COUNT, VMX_NR_LISTED);
	vmcs_write(CR0_GUEST_HOST_MASK, VMX_CR0_MASK);
	vmcs_write(GUEST_IA32_DEBUGCTL, 0);
	vmcs_write(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	if (vmx_host.optional & SECONDARY_EXEC_PAUSE_LOOP_EXITING) {
		vmcs_write(PLE_GAP, PLE_GAP_CYCLES);
		vmcs_write(PLE_WINDOW, PLE_WINDOW_CYCLES);
	}
	/* What is the same for all tasks and CPUs. */
	vmcs_write(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write(HOST_DS_SELECTOR, 0);
	vmcs_write(HOST_ES_SELECTOR, 0);
	vmcs_write(HOST_FS_SELECTOR, 0);
	vmcs_write(HOST_GS_SELECTOR, 0);
	vmcs_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmcs_write(HOST_RIP, (unsigned long)vmmu_vmx_exit);
}

static void write_controls(struct vmx_vcpu *vmx)
{
	vmcs_write(CPU_BASED_VM_EXEC_CONTROL, vmx->cpu_based);
	vmcs_write(SECONDARY_VM_EXEC_CONTROL, vmx->secondary);
	vmcs_write(EXCEPTION_BITMAP, vmx->exceptions);
	vmcs_write(MSR_BITMAP, vmx->msr_bitmap);
	vmcs_write(TSC_OFFSET, vmx->tsc_offset);
	vmcs_write(EPT_POINTER, vmx->eptp);
	if (vmx_host.vpid)
		vmcs_write(VIRTUAL_PROCESSOR_ID, vmx->vpid);
}

static void write_cr(struct vmx_vcpu *vmx)
{
	int i;

	vmcs_write(GUEST_CR0, vmx->cr0);
	vmcs_write(CR0_READ_SHADOW, vmx->cr0_shadow);
	vmcs_write(GUEST_CR3, vmx->cr3);
	vmcs_write(GUEST_CR4, vmx->cr4);
	vmcs_write(CR4_READ_SHADOW, vmx->cr4_shadow);
	vmcs_write(CR4_GUEST_HOST_MASK, vmx->cr4_mask);
	vmcs_write(GUEST_IA32_EFER, vmx->efer);
	vmcs_write(GUEST_IA32_PAT, vmx->pat);
	for (i = 0; i < 4; i++)
		vmcs_write(GUEST_PDPTR0 + 2 * i, vmx->pdpte[i]);
}

static void write_segments(struct vmx_vcpu *vmx)
{
	int i;

	for (i = 0; i < VMMU_NR_SEGS; i++) {
		const struct vmx_seg *s = &vmx->seg[i];

		vmcs_write(GUEST_ES_SELECTOR + 2 * i, s->selector);
		vmcs_write(GUEST_ES_LIMIT + 2 * i, s->limit);
		vmcs_write(GUEST_ES_AR_BYTES + 2 * i, s->ar);
		vmcs_write(GUEST_ES_BASE + 2 * i, s->base);
	}
	vmcs_write(GUEST_GDTR_BASE, vmx->gdt.base);
	vmcs_write(GUEST_GDTR_LIMIT, vmx->gdt.limit);
	vmcs_write(GUEST_IDTR_BASE, vmx->idt.base);
	vmcs_write(GUEST_IDTR_LIMIT, vmx->idt.limit);
	vmcs_write(GUEST_SYSENTER_CS, vmx->sysenter_cs);
	vmcs_write(GUEST_SYSENTER_ESP, vmx->sysenter_esp);
	vmcs_write(GUEST_SYSENTER_EIP, vmx->sysenter_eip);
}

/* The TSS descriptor of the GDT in use says where the TSS is. */
static u64 tss_base(const struct desc_ptr *gdt)
{
	const struct ldttss_desc *d = (void *)(gdt->address + GDT_ENTRY_TSS * 8);

	return d->base0 | (u64)d->base1 << 16 | (u64)d->base2 << 24 | (u64)d->base3 << 32;
}

static u64 host_msr(u32 index)
{
	u64 val;

	rdmsrl(index, val);
	return val;
}

static void write_host(struct vmx_vcpu *vmx)
{
	struct desc_ptr gdt, idt;
	int i;

	native_store_gdt(&gdt);
	store_idt(&idt);
	vmcs_write(HOST_CR0, native_read_cr0());
	vmcs_write(HOST_CR3, __native_read_cr3());
	vmcs_write(HOST_CR4, native_read_cr4());
	vmcs_write(HOST_IA32_EFER, vmmu_cpu_caps.host_efer);
	vmcs_write(HOST_IA32_PAT, host_msr(MSR_IA32_CR_PAT));
	vmcs_write(HOST_FS_BASE, host_msr(MSR_FS_BASE));
	vmcs_write(HOST_GS_BASE, host_msr(MSR_GS_BASE));
	vmcs_write(HOST_TR_BASE, tss_base(&gdt));
	vmcs_write(HOST_GDTR_BASE, gdt.address);
	vmcs_write(HOST_IDTR_BASE, idt.address);
	vmcs_write(HOST_IA32_SYSENTER_CS, host_msr(MSR_IA32_SYSENTER_CS));
	vmcs_write(HOST_IA32_SYSENTER_ESP, host_msr(MSR_IA32_SYSENTER_ESP));
	vmcs_write(HOST_IA32_SYSENTER_EIP, host_msr(MSR_IA32_SYSENTER_EIP));
	for (i = 0; i < VMX_NR_LISTED; i++)
		vmx->msrs->host[i].value = host_msr(vmx->msrs->host[i].index);
}

/*
 * A single step that waits behind an interrupt shadow must be noted as pending:
 * SDM vol. 3, 27.3.1.5.
 */
static u64 pending_dbg(const struct vmx_vcpu *vmx)
{
	if ((vmx->int_state & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)) &&
	    (vmx->rflags & X86_EFLAGS_TF))
		return vmx->pending_dbg | DR_STEP;
	return vmx->pending_dbg;
}

void vmx_write_image(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 entry = vmx_host.entry;

	if (vmx->dirty & VMX_DIRTY_FIXED)
		write_fixed(vmx);
	if (vmx->dirty & VMX_DIRTY_CONTROLS)
		write_controls(vmx);
	if (vmx->dirty & VMX_DIRTY_CR)
		write_cr(vmx);
	if (vmx->dirty & VMX_DIRTY_SEG)
		write_segments(vmx);
	vmx->dirty = 0;
	write_host(vmx);

	if (vmx->efer & EFER_LMA)
		entry |= VM_ENTRY_IA32E_MODE;
	vmcs_write(VM_ENTRY_CONTROLS, entry);
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, vmx->event);
	vmcs_write(VM_ENTRY_EXCEPTION_ERROR_CODE, vmx->event_error);
	vmcs_write(VM_ENTRY_INSTRUCTION_LEN, vmx->event_len);
	vmcs_write(GUEST_RIP, vcpu->rip);
	vmcs_write(GUEST_RSP, vcpu->regs[VMMU_RSP]);
	vmcs_write(GUEST_RFLAGS, vmx->rflags);
	vmcs_write(GUEST_DR7, vmx->dr7);
	vmcs_write(GUEST_INTERRUPTIBILITY_INFO, vmx->int_state);
	vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, pending_dbg(vmx));
}

static void read_segments(struct vmx_vcpu *vmx)
{
	int i;

	for (i = 0; i < VMMU_NR_SEGS; i++) {
		struct vmx_seg *s = &vmx->seg[i];

		s->selector = vmcs_read(GUEST_ES_SELECTOR + 2 * i);
		s->limit = vmcs_read(GUEST_ES_LIMIT + 2 * i);
		s->ar = vmcs_read(GUEST_ES_AR_BYTES + 2 * i);
		s->base = vmcs_read(GUEST_ES_BASE + 2 * i);
	}
	vmx->gdt.base = vmcs_read(GUEST_GDTR_BASE);
	vmx->gdt.limit = vmcs_read(GUEST_GDTR_LIMIT);
	vmx->idt.base = vmcs_read(GUEST_IDTR_BASE);
	vmx->idt.limit = vmcs_read(GUEST_IDTR_LIMIT);
	vmx->sysenter_cs = vmcs_read(GUEST_SYSENTER_CS);
	vmx->sysenter_esp = vmcs_read(GUEST_SYSENTER_ESP);
	vmx->sysenter_eip = vmcs_read(GUEST_SYSENTER_EIP);
}

static void read_exit(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx->reason = vmcs_read(VM_EXIT_REASON);
	vmx->qualification = vmcs_read(EXIT_QUALIFICATION);
	vmx->gpa = vmcs_read(GUEST_PHYSICAL_ADDRESS);
	vmx->intr = vmcs_read(VM_EXIT_INTR_INFO);
	vmx->intr_error = vmcs_read(VM_EXIT_INTR_ERROR_CODE);
	vmx->idt_info = vmcs_read(IDT_VECTORING_INFO_FIELD);
	vmx->idt_error_code = vmcs_read(IDT_VECTORING_ERROR_CODE);
	vmx->insn_len = vmcs_read(VM_EXIT_INSTRUCTION_LEN);
	vmx->exit_rip = vcpu->rip;
}

void vmx_read_image(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	int i;

	vcpu->rip = vmcs_read(GUEST_RIP);
	vcpu->regs[VMMU_RSP] = vmcs_read(GUEST_RSP);
	vmx->rflags = vmcs_read(GUEST_RFLAGS);
	vmx->cr0 = vmcs_read(GUEST_CR0);
	vmx->cr3 = vmcs_read(GUEST_CR3);
	vmx->cr4 = vmcs_read(GUEST_CR4);
	vmx->efer = vmcs_read(GUEST_IA32_EFER);
	vmx->int_state = vmcs_read(GUEST_INTERRUPTIBILITY_INFO);
	vmx->pending_dbg = vmcs_read(GUEST_PENDING_DBG_EXCEPTIONS);
	if (vmx_pae_paging(vcpu))
		for (i = 0; i < 4; i++)
			vmx->pdpte[i] = vmcs_read(GUEST_PDPTR0 + 2 * i);
	read_segments(vmx);
	read_exit(vcpu);
}
