/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Long-mode entry stubs of the guest, 16 bytes each, and where a guest
 * function returns to. The processor aligns the stack to 16 before it pushes
 * its frame; error code, vector and 15 registers keep it so for the call.
 */
	.section .text.guest, "ax"
	.globl	guest_stubs
	.balign	16
guest_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	vector >= 32 || !((0x60227d00 >> (vector & 31)) & 1)
	push	$0
	.endif
	push	$vector
	jmp	trap
	.set	vector, vector + 1
	.endr

trap:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	call	guest_trap
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

	.globl	guest_return
guest_return:
	out	%al, $0x11
	jmp	guest_return

	.section .note.GNU-stack, "", @progbits
