/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two world switches share: assembler macros over the guest's general
 * registers, the values of SPEC_CTRL, and the host's own registers on the stack.
 *
 * Registers that hardware switches (RSP, on AMD-V RAX) are left to the callers.
 */
#ifndef VMMU_CPU_SWITCH_H
#define VMMU_CPU_SWITCH_H

#include <asm/msr-index.h>
#include <asm/nospec-branch.h>

/* vcpu->regs[], in encoding order; enter.c asserts it. */
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

/* VERW where the processor leaks its buffers to a guest (MDS, TAA, MMIO, TSA). */
#ifndef VM_CLEAR_CPU_BUFFERS
#define VM_CLEAR_CPU_BUFFERS CLEAR_CPU_BUFFERS
#endif

/* What C expects to find again, and the argument, which is at (%rsp) from here on. */
.macro PUSH_HOST_REGS
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
.endm

.macro POP_HOST_REGS
	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
.endm

/* From regs[] at %rdi; all but RAX. Changes no flag. */
.macro LOAD_GUEST_REGS
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
.endm

/* To regs[] at %rax; all but RAX. */
.macro SAVE_GUEST_REGS
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
.endm

/* No guest value is left for a mispredicted path to work with; RAX and RDI are in use. */
.macro CLEAR_GUEST_REGS
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
.endm

/*
 * Write SPEC_CTRL to \to unless it is \from already, both offsets from %rdi; clobbers rax,
 * rcx, rdx. \always: a feature with which it is the write itself that counts.
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

#endif
