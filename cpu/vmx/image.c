// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMCS as the image of struct vmx_vcpu: written before an entry, read after it.
 *
 * Contract: what is dirty is written. After an exit the few fields that every exit
 * needs are read, and those parts of the guest's state that the handler of this exit
 * reason will look at; vmx_fetch() reads others when somebody asks, for the price of
 * entering VMX operation once more. All but vmx_fetch() run in VMX operation, interrupts
 * off, the vCPU's VMCS current.
 *
 * Locking: vcpu->mutex.
 */
#include <linux/bitops.h>
#include <linux/irqflags.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include "vmmu/request.h"
#include "vmcs.h"

#define SHADOW	(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

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
	if (vmx_host.tpr_shadow)
		vmcs_write(VIRTUAL_APIC_PAGE_ADDR, __pa(vmx->vapic));
	vmcs_write(VM_EXIT_MSR_STORE_ADDR, area + offsetof(struct vmx_msr_area, guest));
	vmcs_write(VM_EXIT_MSR_STORE_COUNT, VMX_NR_LISTED);
	vmcs_write(VM_ENTRY_MSR_LOAD_ADDR, area + offsetof(struct vmx_msr_area, guest));
	vmcs_write(VM_ENTRY_MSR_LOAD_COUNT, VMX_NR_LISTED);
	vmcs_write(VM_EXIT_MSR_LOAD_ADDR, area + offsetof(struct vmx_msr_area, host));
	vmcs_write(VM_EXIT_MSR_LOAD_COUNT, VMX_NR_LISTED);
	vmcs_write(CR0_GUEST_HOST_MASK, vmx_host.cr0_mask);
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

/*
 * A guest that switches paging changes EFER.LMA; the exit then corrects the entry's
 * "IA-32e mode guest" by itself: SDM 28.3.1, for unrestricted guests.
 */
static void write_cr(struct vmx_vcpu *vmx)
{
	struct vmx_crs crs = { .cr0 = vmx->cr0, .cr4 = vmx->cr4, .efer = vmx->efer };
	u32 entry = vmx_host.entry;

	if (unlikely(!vmx_host.ept))
		crs = vmx_shadow_crs(crs);
	else
		vmcs_write(GUEST_CR3, vmx->cr3);
	vmcs_write(GUEST_CR0, crs.cr0);
	vmcs_write(CR0_READ_SHADOW, vmx->cr0_shadow);
	vmcs_write(GUEST_CR4, crs.cr4);
	vmcs_write(CR4_READ_SHADOW, vmx->cr4_shadow);
	vmcs_write(CR4_GUEST_HOST_MASK, vmx->cr4_mask);
	vmcs_write(GUEST_IA32_EFER, crs.efer);
	/* Our own tables' memory types are the host's. */
	vmcs_write(GUEST_IA32_PAT, vmx_host.ept ? vmx->pat : vmx_host.pat);
	if (vmx->efer & EFER_LMA)
		entry |= VM_ENTRY_IA32E_MODE;
	vmcs_write(VM_ENTRY_CONTROLS, entry);
}

static void write_segments(struct vmx_vcpu *vmx, unsigned long segments)
{
	int i;

	for_each_set_bit(i, &segments, VMMU_NR_SEGS) {
		const struct vmx_seg *s = &vmx->seg[i];

		vmcs_write(GUEST_ES_SELECTOR + 2 * i, s->selector);
		vmcs_write(GUEST_ES_LIMIT + 2 * i, s->limit);
		vmcs_write(GUEST_ES_AR_BYTES + 2 * i, s->ar);
		vmcs_write(GUEST_ES_BASE + 2 * i, s->base);
	}
}

static void write_tables(struct vmx_vcpu *vmx)
{
	vmcs_write(GUEST_GDTR_BASE, vmx->gdt.base);
	vmcs_write(GUEST_GDTR_LIMIT, vmx->gdt.limit);
	vmcs_write(GUEST_IDTR_BASE, vmx->idt.base);
	vmcs_write(GUEST_IDTR_LIMIT, vmx->idt.limit);
	vmcs_write(GUEST_SYSENTER_CS, vmx->sysenter_cs);
	vmcs_write(GUEST_SYSENTER_ESP, vmx->sysenter_esp);
	vmcs_write(GUEST_SYSENTER_EIP, vmx->sysenter_eip);
}

/* Apart: most entries find nothing dirty. */
static noinline void write_dirty(struct vmx_vcpu *vmx)
{
	u32 dirty = vmx->dirty;
	int i;

	if (dirty & VMX_FIXED)
		write_fixed(vmx);
	if (dirty & VMX_CONTROLS)
		write_controls(vmx);
	if (dirty & VMX_CR)
		write_cr(vmx);
	if (dirty & VMX_SEGMENTS)
		write_segments(vmx, dirty & VMX_SEGMENTS);
	if (dirty & VMX_TABLES)
		write_tables(vmx);
	if ((dirty & VMX_ROOT) && !vmx_host.ept)
		vmcs_write(GUEST_CR3, vmx->root);
	if (dirty & VMX_DR7)
		vmcs_write(GUEST_DR7, vmx->dr7);
	if (dirty & VMX_PENDING)
		vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	if (dirty & VMX_PDPTES)
		for (i = 0; i < 4; i++)
			vmcs_write(GUEST_PDPTR0 + 2 * i, vmx->pdpte[i]);
	vmx->dirty = 0;
}

/* ---- the host's state: what an exit loads ---- */

/* The TSS descriptor of the GDT in use says where the TSS is. */
static u64 tss_base(const struct desc_ptr *gdt)
{
	const struct ldttss_desc *d = (void *)(gdt->address + GDT_ENTRY_TSS * 8);

	return d->base0 | (u64)d->base1 << 16 | (u64)d->base2 << 24 | (u64)d->base3 << 32;
}

/* What depends on the CPU only. */
static noinline void write_host_cpu(struct vmx_vcpu *vmx)
{
	struct desc_ptr gdt, idt;
	int i;

	native_store_gdt(&gdt);
	store_idt(&idt);
	vmcs_write(HOST_CR0, native_read_cr0());
	vmcs_write(HOST_IA32_EFER, vmmu_cpu_caps.host_efer);
	vmcs_write(HOST_IA32_PAT, __rdmsr(MSR_IA32_CR_PAT));
	vmcs_write(HOST_GS_BASE, __rdmsr(MSR_GS_BASE));
	vmcs_write(HOST_TR_BASE, tss_base(&gdt));
	vmcs_write(HOST_GDTR_BASE, gdt.address);
	vmcs_write(HOST_IDTR_BASE, idt.address);
	vmcs_write(HOST_IA32_SYSENTER_CS, __rdmsr(MSR_IA32_SYSENTER_CS));
	vmcs_write(HOST_IA32_SYSENTER_ESP, __rdmsr(MSR_IA32_SYSENTER_ESP));
	vmcs_write(HOST_IA32_SYSENTER_EIP, __rdmsr(MSR_IA32_SYSENTER_EIP));
	for (i = 0; i < VMX_NR_LISTED; i++)
		vmx->msrs->host[i].value = __rdmsr(vmx->msrs->host[i].index);
	/* No thread's CR3 or CR4 is 0; its FS base may well be. */
	vmx->image.host_cr3 = 0;
	vmx->image.host_cr4 = 0;
	vmx->image.host_fs_base = 0;
	vmcs_write(HOST_FS_BASE, 0);
	vmx->image.host_cpu = smp_processor_id();
}

static void write_host(struct vmx_vcpu *vmx, const struct vmx_host_rest *rest)
{
	u64 cr3 = __native_read_cr3(), cr4 = native_read_cr4();

	if (unlikely(vmx->image.host_cpu != smp_processor_id()))
		write_host_cpu(vmx);
	/* The thread's own. */
	if (vmx->image.host_cr3 != cr3) {
		vmx->image.host_cr3 = cr3;
		vmcs_write(HOST_CR3, cr3);
	}
	if (vmx->image.host_cr4 != cr4) {
		vmx->image.host_cr4 = cr4;
		vmcs_write(HOST_CR4, cr4);
	}
	if (vmx->image.host_fs_base != rest->fs_base) {
		vmx->image.host_fs_base = rest->fs_base;
		vmcs_write(HOST_FS_BASE, rest->fs_base);
	}
	vmx->msrs->host[VMX_KERNEL_GS_BASE].value = rest->kernel_gs_base;
}

/* ---- in ---- */

/*
 * In an interrupt shadow a single step that is due must be noted as pending, and one
 * that is not must not: SDM vol. 3, 27.3.1.5.
 */
static noinline void write_pending(const struct vmx_vcpu *vmx)
{
	u64 old = vmcs_read(GUEST_PENDING_DBG_EXCEPTIONS), new = old & ~(u64)DR_STEP;

	if (vmx->rflags & X86_EFLAGS_TF)
		new |= DR_STEP;
	if (new != old)
		vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, new);
}

static noinline void write_event(struct vmx_vcpu *vmx)
{
	vmcs_write(VM_ENTRY_INTR_INFO_FIELD, vmx->event);
	vmcs_write(VM_ENTRY_EXCEPTION_ERROR_CODE, vmx->event_error);
	vmcs_write(VM_ENTRY_INSTRUCTION_LEN, vmx->event_len);
	vmx->image.event = vmx_event_pending(vmx);
}

void vmx_write_image(struct vmmu_vcpu *vcpu, const struct vmx_host_rest *rest)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	/* User space has had the step that a shadow of its making would make due again. */
	if (unlikely(vcpu->dbg.stepping))
		vmx->int_state &= ~SHADOW;
	if (unlikely(!vmx->ept_on) && (vmx->dirty & VMX_SEGMENTS))
		vmx_strict_segments(vcpu);
	if (vmx->dirty)
		write_dirty(vmx);
	write_host(vmx, rest);
	vmcs_write(GUEST_RIP, vcpu->rip);
	if (vmx->image.rsp != vcpu->regs[VMMU_RSP])
		vmcs_write(GUEST_RSP, vcpu->regs[VMMU_RSP]);
	if (vmx->image.rflags != vmx->rflags)
		vmcs_write(GUEST_RFLAGS, vmx->rflags);
	if (vmx->image.int_state != vmx->int_state)
		vmcs_write(GUEST_INTERRUPTIBILITY_INFO, vmx->int_state);
	vmx->image.rsp = vcpu->regs[VMMU_RSP];
	vmx->image.rflags = vmx->rflags;
	vmx->image.int_state = vmx->int_state;
	if (vmx_event_pending(vmx) || vmx->image.event)
		write_event(vmx);
	if (unlikely(vmx->int_state & SHADOW))
		write_pending(vmx);
}

/* ---- out ---- */

static void read_segment(struct vmx_vcpu *vmx, int i)
{
	struct vmx_seg *s = &vmx->seg[i];

	s->selector = vmcs_read(GUEST_ES_SELECTOR + 2 * i);
	s->limit = vmcs_read(GUEST_ES_LIMIT + 2 * i);
	s->ar = vmcs_read(GUEST_ES_AR_BYTES + 2 * i);
	s->base = vmcs_read(GUEST_ES_BASE + 2 * i);
}

static void read_tables(struct vmx_vcpu *vmx)
{
	vmx->gdt.base = vmcs_read(GUEST_GDTR_BASE);
	vmx->gdt.limit = vmcs_read(GUEST_GDTR_LIMIT);
	vmx->idt.base = vmcs_read(GUEST_IDTR_BASE);
	vmx->idt.limit = vmcs_read(GUEST_IDTR_LIMIT);
	vmx->sysenter_cs = vmcs_read(GUEST_SYSENTER_CS);
	vmx->sysenter_esp = vmcs_read(GUEST_SYSENTER_ESP);
	vmx->sysenter_eip = vmcs_read(GUEST_SYSENTER_EIP);
}

static void read_parts(struct vmx_vcpu *vmx, u32 parts)
{
	unsigned long segments = parts & VMX_SEGMENTS;

	vmx->valid |= parts;
	if (parts & VMX_CR) {
		vmx->cr0 = vmcs_read(GUEST_CR0);
		vmx->cr4 = vmcs_read(GUEST_CR4);
		if (likely(vmx_host.ept)) {
			vmx->cr3 = vmcs_read(GUEST_CR3);
			vmx->efer = vmcs_read(GUEST_IA32_EFER);
		}
	}
	while (segments) {
		read_segment(vmx, __ffs(segments));
		segments &= segments - 1;
	}
	if (parts & VMX_TABLES)
		read_tables(vmx);
}

/* What the handler of an exit looks at, beside the parts of the guest's state. */
#define READ_QUALIFICATION	BIT(16)
#define READ_GPA		BIT(17)
#define READ_INTR		BIT(18)
#define USES_L1D		BIT(19)	/* the handler may read guest or user memory */
#define FOR_SHADOW		BIT(20)	/* shadow tables: READ_CODE, for the guest's walk */
#define READ_CODE		(VMX_CR | BIT(VMMU_SEG_CS) | BIT(VMMU_SEG_SS))

static_assert(!(VMX_ALL >> 16));

/*
 * Exits that are not here get by without, or are answered within the turn, where reading
 * is cheap.
 */
static const u32 exit_reads[] = {
	[EXIT_REASON_EXCEPTION_NMI] = READ_INTR | READ_QUALIFICATION | FOR_SHADOW,
	[EXIT_REASON_INVLPG] = READ_QUALIFICATION | VMX_CR,
	[EXIT_REASON_INVPCID] = READ_CODE | USES_L1D,
	[EXIT_REASON_TASK_SWITCH] = READ_QUALIFICATION | READ_CODE | USES_L1D,
	[EXIT_REASON_CR_ACCESS] = READ_QUALIFICATION | READ_CODE,
	[EXIT_REASON_DR_ACCESS] = READ_QUALIFICATION | READ_CODE,
	[EXIT_REASON_IO_INSTRUCTION] = READ_QUALIFICATION,
	[EXIT_REASON_EPT_VIOLATION] = READ_QUALIFICATION | READ_GPA | FOR_SHADOW,
	[EXIT_REASON_EPT_MISCONFIG] = READ_GPA | READ_CODE | USES_L1D,
	[EXIT_REASON_XSETBV] = READ_CODE,
};

static void read_exit(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 reason = vmcs_read(VM_EXIT_REASON), reads = READ_QUALIFICATION | READ_INTR;

	if (likely(!(reason >> 16)))
		reads = reason < ARRAY_SIZE(exit_reads) ? exit_reads[reason] : 0;
	if (unlikely(!vmx_host.ept) && (reads & FOR_SHADOW))
		reads |= READ_CODE | USES_L1D;

	vmx->reason = reason;
	vmx->idt_info = vmcs_read(IDT_VECTORING_INFO_FIELD);
	if (unlikely(vmx->idt_info & VECTORING_INFO_DELIVER_CODE_MASK))
		vmx->idt_error_code = vmcs_read(IDT_VECTORING_ERROR_CODE);
	vmx->insn_len = vmcs_read(VM_EXIT_INSTRUCTION_LEN);
	vmx->exit_rip = vcpu->rip;

	vmx->qualification = reads & READ_QUALIFICATION ? vmcs_read(EXIT_QUALIFICATION) : 0;
	vmx->gpa = reads & READ_GPA ? vmcs_read(GUEST_PHYSICAL_ADDRESS) : 0;
	vmx->intr = 0;
	if (unlikely(reads & READ_INTR)) {
		vmx->intr = vmcs_read(VM_EXIT_INTR_INFO);
		vmx->intr_error = vmcs_read(VM_EXIT_INTR_ERROR_CODE);
	}
	if (reads & USES_L1D)
		vmx->l1d_used = true;
	if (reads & VMX_STATE)
		read_parts(vmx, reads & VMX_STATE);
}

void vmx_read_image(struct vmmu_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vcpu->rip = vmcs_read(GUEST_RIP);
	vcpu->regs[VMMU_RSP] = vmcs_read(GUEST_RSP);
	vmx->rflags = vmcs_read(GUEST_RFLAGS);
	vmx->int_state = vmcs_read(GUEST_INTERRUPTIBILITY_INFO);
	vmx->image.rsp = vcpu->regs[VMMU_RSP];
	vmx->image.rflags = vmx->rflags;
	vmx->image.int_state = vmx->int_state;
	vmx->valid = VMX_ALL & ~VMX_STATE;
	read_exit(vcpu);
	/* The exit clears the event's valid bit; a failed entry leaves it. SDM 27.8, 28.2. */
	if (likely(!(vmx->reason & VMX_EXIT_REASONS_FAILED_VMENTRY)))
		vmx->image.event = false;
}

/**
 * vmx_fetch() - read parts of the guest's state from the VMCS after all
 * @vcpu: own thread; not between the write of the image and its reading
 * @parts: enum vmx_part
 *
 * Any context but NMI. When VMX operation cannot be entered, because another hypervisor
 * has come, the state is lost, and the VM with it.
 */
void vmx_fetch(struct vmmu_vcpu *vcpu, u32 parts)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags;
	bool lost = true;

	parts &= ~vmx->valid;
	if (vmx->in_turn) {
		read_parts(vmx, parts);
		return;
	}
	local_irq_save(flags);
	if (!vmx_operation_begin(this_cpu_ptr(&vmx_cpu))) {
		if (vmcs_load(vmx->pa)) {
			read_parts(vmx, parts);
			lost = false;
		}
		vmcs_clear(vmx->pa);
		vmx_operation_end();
	}
	local_irq_restore(flags);
	if (lost) {
		vmx->valid |= parts;
		vmmu_vm_kill(vcpu->vm, "VT-x is gone, and the guest's registers with it");
	}
}
