// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMX operation: entered before an entry into a guest, left after its exit.
 *
 * Why not VMXON once per CPU: CR4.VMXE must be 1 in VMX operation, and the kernel
 * writes CR4 from a shadow copy of its own. Without VMXE in that copy a later write
 * would clear the bit and fault; the functions that change the copy are not open
 * to every module on every kernel. With interrupts off nobody else writes CR4, so
 * we set the bit, work, and put back what was there. As a gift no CPU is ever left
 * in VMX operation, where INIT is blocked: suspend, reboot, kexec, a crash and CPU
 * hotplug find nothing to undo, and another hypervisor's owner is seen by the bit.
 *
 * Contract: between vmx_operation_begin() and _end() interrupts stay off. CR4.VMXE
 * is touched here and nowhere else. The VMCS functions need VMX operation.
 */
#include <linux/bug.h>
#include <asm/asm.h>
#include <asm/special_insns.h>
#include "vmcs.h"

/* Not native_write_cr4(): that is for values that are meant to stay. */
static __always_inline void write_cr4(unsigned long val)
{
	asm volatile("mov %0, %%cr4" : : "r" (val) : "memory");
}

/**
 * vmx_operation_begin() - set CR4.VMXE and enter VMX root operation
 * @vc: this CPU's
 *
 * Return: 0; -EBUSY: CR4.VMXE is set, another hypervisor owns the CPU; -EIO: the
 * processor refused VMXON.
 */
int vmx_operation_begin(struct vmx_cpu *vc)
{
	unsigned long cr4 = native_read_cr4();
	u64 pa = page_to_phys(vc->region);

	if (cr4 & X86_CR4_VMXE)
		return -EBUSY;
	write_cr4(cr4 | X86_CR4_VMXE);
	asm goto("1: vmxon %[pa]\n\t"
		 "jbe %l[refused]\n\t"
		 _ASM_EXTABLE(1b, %l[refused])
		 : : [pa] "m" (pa) : "cc", "memory" : refused);
	return 0;

refused:
	write_cr4(cr4);
	return -EIO;
}

/* VMXOFF and CR4 as it was. No VMCS of ours is current: SDM 24.11.1. */
void vmx_operation_end(void)
{
	asm volatile("vmxoff" : : : "cc", "memory");
	write_cr4(native_read_cr4() & ~X86_CR4_VMXE);
}

bool vmcs_load(u64 pa)
{
	bool failed;

	asm volatile("vmptrld %1" : "=@ccbe" (failed) : "m" (pa) : "memory");
	return !failed;
}

void vmcs_clear(u64 pa)
{
	bool failed;

	asm volatile("vmclear %1" : "=@ccbe" (failed) : "m" (pa) : "memory");
	WARN_ON_ONCE(failed);
}

/* A field that this processor does not have, or no current VMCS: a bug of ours. */
void vmcs_access_failed(unsigned long field)
{
	WARN_ONCE(1, "vmmu: VMREAD or VMWRITE of field 0x%lx failed\n", field);
}

/* SDM 31.3, INVEPT: what is cached of the tables at @eptp, on this CPU. */
void vmx_invept(u64 eptp)
{
	struct { u64 eptp, zero; } desc = { eptp, 0 };
	unsigned long type = vmx_host.invept_context ? VMX_EPT_EXTENT_CONTEXT :
						       VMX_EPT_EXTENT_GLOBAL;
	bool failed;

	asm volatile("invept %1, %2" : "=@ccbe" (failed) : "m" (desc), "r" (type) : "memory");
	WARN_ON_ONCE(failed);
}

static void drop_vpids(unsigned long type, u16 vpid)
{
	struct { u64 vpid, linear; } desc = { vpid, 0 };
	bool failed;

	asm volatile("invvpid %1, %2" : "=@ccbe" (failed) : "m" (desc), "r" (type) : "memory");
	WARN_ON_ONCE(failed);
}

void vmx_invvpid(u16 vpid)
{
	if (vmx_host.invvpid_context)
		drop_vpids(VMX_VPID_EXTENT_SINGLE_CONTEXT, vpid);
	else
		vmx_invvpid_all();
}

void vmx_invvpid_all(void)
{
	drop_vpids(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
}
