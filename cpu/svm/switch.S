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
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/page_types.h>
#include <asm/percpu.h>

/* struct svm_switch; enter.c asserts these. */
#define SW_REGS		0
#define SW_VMCB_PA	8
#define SW_HOST_PA	16
#define SW_GUEST_SPEC	24
#define SW_HOST_SPEC	32

/* vcpu->regs[], in encoding order; RAX and RSP travel in the VMCB. */
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

/* VERW where the processor leaks its buffers to a guest (TSA). */
#ifndef VM_CLEAR_CPU_BUFFERS
#define VM_CLEAR_CPU_BUFFERS CLEAR_CPU_BUFFERS
#endif

/* Write SPEC_CTRL to \to unless it is \from already; clobbers rax, rcx, rdx. */
.macro SWITCH_SPEC_CTRL to:req from:req
	mov	\to(%rdi), %rax
	cmp	\from(%rdi), %rax
	je	.Lspec_same_\@
	mov	%rax, %rdx
	shr	$32, %rdx
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	wrmsr
.Lspec_same_\@:
.endm

.section .noinstr.text, "ax"

/* void vmmu_svm_switch(struct svm_switch *args) */
SYM_FUNC_START(vmmu_svm_switch)
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi

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
	vmrun	%rax

	/* RAX, RSP and RFLAGS are the host's again, GIF is 0. */
	cli
	vmsave	%rax
	mov	(%rsp), %rax
	mov	SW_REGS(%rax), %rax
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

	mov	(%rsp), %rdi
	mov	SW_HOST_PA(%rdi), %rax
	vmload	%rax

	/* Before the first RET, and per-CPU data (call depth) only from here on. */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
	SWITCH_SPEC_CTRL SW_HOST_SPEC SW_GUEST_SPEC
	UNTRAIN_RET_VM

	stgi

	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	RET
SYM_FUNC_END(vmmu_svm_switch)
	/* RBP is the guest's in the middle; ORC does not mind, frame pointers do. */
	STACK_FRAME_NON_STANDARD_FP vmmu_svm_switch
