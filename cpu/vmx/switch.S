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
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>

/* struct vmx_switch; enter.c asserts these. */
#define SW_REGS		0
#define SW_GUEST_SPEC	8
#define SW_HOST_SPEC	16
#define SW_REFUSED	24
#define SW_LAUNCHED	32

#define FIELD_HOST_RSP	0x6c14

/* vcpu->regs[], in encoding order; RSP travels in the VMCS. */
#define R_RAX	(0 * 8)
#define R_RCX	(1 * 8)
#define R_RDX	(2 * 8)
#define R_RBX	(3 * 8)
#define R_RBP	(5 * 8)
#define R_RSI	(6 * 8)
#define R_RDI	(7 * 8)
#define R_R8	(8 * 8)
#define R_R9	(9 * 8)
#define R_R10	(10 * 8)
#define R_R11	(11 * 8)
#define R_R12	(12 * 8)
#define R_R13	(13 * 8)
#define R_R14	(14 * 8)
#define R_R15	(15 * 8)

/* VERW where the processor leaks its buffers to a guest (MDS, TAA, MMIO). */
#ifndef VM_CLEAR_CPU_BUFFERS
#define VM_CLEAR_CPU_BUFFERS CLEAR_CPU_BUFFERS
#endif

/*
 * Write SPEC_CTRL to \to unless it is \from already; clobbers rax, rcx, rdx. With the first
 * kind of IBRS it is the write that makes the guest's predictions harmless: \always.
 */
.macro SWITCH_SPEC_CTRL to:req from:req always
	mov	\to(%rdi), %rax
	cmp	\from(%rdi), %rax
.ifb \always
	je	.Lspec_same_\@
.else
	ALTERNATIVE "je .Lspec_same_\@", "", \always
.endif
	mov	%rax, %rdx
	shr	$32, %rdx
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	wrmsr
.Lspec_same_\@:
.endm

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
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi

	SWITCH_SPEC_CTRL SW_GUEST_SPEC SW_HOST_SPEC
	mov	$FIELD_HOST_RSP, %eax
	vmwrite	%rsp, %rax

	/* CF says it; neither MOV nor VERW changes CF. */
	btl	$0, SW_LAUNCHED(%rdi)
	mov	SW_REGS(%rdi), %rdi
	mov	R_RAX(%rdi), %rax
	mov	R_RCX(%rdi), %rcx
	mov	R_RDX(%rdi), %rdx
	mov	R_RBX(%rdi), %rbx
	mov	R_RBP(%rdi), %rbp
	mov	R_RSI(%rdi), %rsi
	mov	R_R8(%rdi), %r8
	mov	R_R9(%rdi), %r9
	mov	R_R10(%rdi), %r10
	mov	R_R11(%rdi), %r11
	mov	R_R12(%rdi), %r12
	mov	R_R13(%rdi), %r13
	mov	R_R14(%rdi), %r14
	mov	R_R15(%rdi), %r15
	mov	R_RDI(%rdi), %rdi
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
	mov	%rcx, R_RCX(%rax)
	mov	%rdx, R_RDX(%rax)
	mov	%rbx, R_RBX(%rax)
	mov	%rbp, R_RBP(%rax)
	mov	%rsi, R_RSI(%rax)
	mov	%rdi, R_RDI(%rax)
	mov	%r8, R_R8(%rax)
	mov	%r9, R_R9(%rax)
	mov	%r10, R_R10(%rax)
	mov	%r11, R_R11(%rax)
	mov	%r12, R_R12(%rax)
	mov	%r13, R_R13(%rax)
	mov	%r14, R_R14(%rax)
	mov	%r15, R_R15(%rax)

.Lhost:
	/* No guest value is left for a mispredicted path to work with. */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%esi, %esi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d

	/* Before the first RET. */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE
	mov	(%rsp), %rdi
	SWITCH_SPEC_CTRL SW_HOST_SPEC SW_GUEST_SPEC X86_FEATURE_KERNEL_IBRS
#ifdef CLEAR_BHB_FEATURE
	ALTERNATIVE "", "call clear_branch_history", CLEAR_BHB_FEATURE
#endif

	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	RET

.Lrefused:
	mov	(%rsp), %rdi
	movq	$1, SW_REFUSED(%rdi)
	jmp	.Lhost
SYM_FUNC_END(vmmu_vmx_switch)
	/* RBP is the guest's in the middle; ORC does not mind, frame pointers do. */
	STACK_FRAME_NON_STANDARD_FP vmmu_vmx_switch
