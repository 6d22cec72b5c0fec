/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch. Runs with interrupts off in VMX root operation, with the VMCS
 * current. The processor switches RSP, RIP, RFLAGS, segments, descriptor tables and
 * control registers by itself; general registers are ours.
 *
 * An NMI during the guest exits; one before VMLAUNCH or after the exit is the
 * host's as ever: its GS base is the host's outside of the guest.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include "../switch.h"

/* struct vmx_switch; enter.c asserts these. */
#define SW_REGS		0
#define SW_GUEST_SPEC	8
#define SW_HOST_SPEC	16
#define SW_REFUSED	24
#define SW_LAUNCHED	32

#define FIELD_HOST_RSP	0x6c14

/* The kernel's name for "branch history must be cleared by a loop after an exit". */
#if defined(X86_FEATURE_CLEAR_BHB_VMEXIT)
#define CLEAR_BHB_FEATURE X86_FEATURE_CLEAR_BHB_VMEXIT
#elif defined(X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT)
#define CLEAR_BHB_FEATURE X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#endif

.section .noinstr.text, "ax"

#ifdef CLEAR_BHB_FEATURE
/*
 * Taken branches enough to push the guest's out of the branch history: Intel, "Branch
 * History Injection", software sequence. Nested loops, because a history entry is made
 * of the branch's own address too. The returns lie in the second half of a cache line,
 * where no processor predicts them by what the guest has trained. Clobbers eax, ecx.
 */
	.balign 64
SYM_FUNC_START_LOCAL(clear_branch_history)
	push	%rbp
	mov	%rsp, %rbp
	mov	$5, %ecx
	ANNOTATE_INTRA_FUNCTION_CALL
	call	.Lbhb_outer
	jmp	.Lbhb_done
	.balign 64
	.skip	32 - (.Lbhb_return1 - .Lbhb_outer), 0xcc
.Lbhb_outer:
	ANNOTATE_INTRA_FUNCTION_CALL
	call	.Lbhb_inner
.Lbhb_return1:
	ANNOTATE_UNRET_SAFE
	ret
	int3
	.balign 64
	.skip	32 - (.Lbhb_return2 - .Lbhb_inner), 0xcc
.Lbhb_inner:
	mov	$5, %eax
.Lbhb_loop:
	jmp	1f
	nop
1:	sub	$1, %eax
	jnz	.Lbhb_loop
	sub	$1, %ecx
	jnz	.Lbhb_outer
.Lbhb_return2:
	ANNOTATE_UNRET_SAFE
	ret
	int3
.Lbhb_done:
	lfence
	pop	%rbp
	RET
SYM_FUNC_END(clear_branch_history)
	STACK_FRAME_NON_STANDARD clear_branch_history
#endif

/* void vmmu_vmx_switch(struct vmx_switch *args) */
SYM_FUNC_START(vmmu_vmx_switch)
	PUSH_HOST_REGS

	SWITCH_SPEC_CTRL SW_GUEST_SPEC SW_HOST_SPEC
	mov	$FIELD_HOST_RSP, %eax
	vmwrite	%rsp, %rax

	/* CF says it; neither MOV nor VERW changes CF. */
	btl	$0, SW_LAUNCHED(%rdi)
	mov	SW_REGS(%rdi), %rdi
	mov	R_RAX(%rdi), %rax
	LOAD_GUEST_REGS
	VM_CLEAR_CPU_BUFFERS
	jc	.Lresume
	vmlaunch
	jmp	.Lnot_entered
.Lresume:
	vmresume
.Lnot_entered:
	/* Only a refusal gets here, and it always sets CF or ZF. */
	jbe	.Lrefused

/* HOST_RIP. RSP is what was written above; the other registers are the guest's. */
SYM_INNER_LABEL_ALIGN(vmmu_vmx_exit, SYM_L_GLOBAL)
	ENDBR
	push	%rax
	mov	8(%rsp), %rax
	mov	SW_REGS(%rax), %rax
	pop	R_RAX(%rax)
	SAVE_GUEST_REGS

.Lhost:
	CLEAR_GUEST_REGS

	/* Before the first RET. */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE
	mov	(%rsp), %rdi
	/* With the first kind of IBRS the write itself makes the guest's predictions harmless. */
	SWITCH_SPEC_CTRL SW_HOST_SPEC SW_GUEST_SPEC X86_FEATURE_KERNEL_IBRS
#ifdef CLEAR_BHB_FEATURE
	ALTERNATIVE "", "call clear_branch_history", CLEAR_BHB_FEATURE
#endif

	POP_HOST_REGS
	RET

.Lrefused:
	mov	(%rsp), %rdi
	movq	$1, SW_REFUSED(%rdi)
	jmp	.Lhost
SYM_FUNC_END(vmmu_vmx_switch)
	/* RBP is the guest's in the middle; ORC does not mind, frame pointers do. */
	STACK_FRAME_NON_STANDARD_FP vmmu_vmx_switch
