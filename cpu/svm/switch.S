/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch. Runs with interrupts off and GIF 1, outside of everything
 * that may be traced: from VMLOAD of the guest to VMLOAD of the host the GS
 * base is the guest's, so nothing per-CPU may be touched and no C may run.
 *
 * GIF is 0 in between: no NMI, SMI, INIT or #DB comes; they wait for STGI, when
 * the host is whole again. APM vol. 2, 15.5 and 15.17.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include <asm/page_types.h>
#include <asm/percpu.h>
#include "../switch.h"

/* struct svm_switch; enter.c asserts these. */
#define SW_REGS		0
#define SW_VMCB_PA	8
#define SW_HOST_PA	16
#define SW_GUEST_SPEC	24
#define SW_HOST_SPEC	32

.section .noinstr.text, "ax"

/* void vmmu_svm_switch(struct svm_switch *args) */
SYM_FUNC_START(vmmu_svm_switch)
	PUSH_HOST_REGS

	/* Every time, not once per load: an interrupt may have changed LDTR. */
	mov	SW_HOST_PA(%rdi), %rax
	vmsave	%rax
	clgi
	/*
	 * IF as VMRUN finds it decides whether physical interrupts exit
	 * (V_INTR_MASKING); with GIF 0 none is taken here. The shadow of STI
	 * ends before VMRUN.
	 */
	sti
	SWITCH_SPEC_CTRL SW_GUEST_SPEC SW_HOST_SPEC

	mov	SW_VMCB_PA(%rdi), %rax
	vmload	%rax
	mov	SW_REGS(%rdi), %rdi
	LOAD_GUEST_REGS
	VM_CLEAR_CPU_BUFFERS
	vmrun	%rax

	/* RAX, RSP and RFLAGS are the host's again, GIF is 0. */
	cli
	vmsave	%rax
	mov	(%rsp), %rax
	mov	SW_REGS(%rax), %rax
	SAVE_GUEST_REGS

	CLEAR_GUEST_REGS

	mov	(%rsp), %rdi
	mov	SW_HOST_PA(%rdi), %rax
	vmload	%rax

	/* Before the first RET, and per-CPU data (call depth) only from here on. */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
	SWITCH_SPEC_CTRL SW_HOST_SPEC SW_GUEST_SPEC
	UNTRAIN_RET_VM

	stgi

	POP_HOST_REGS
	RET
SYM_FUNC_END(vmmu_svm_switch)
	/* RBP is the guest's in the middle; ORC does not mind, frame pointers do. */
	STACK_FRAME_NON_STANDARD_FP vmmu_svm_switch
