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

/* guest_user_call(fn): CPL 3 returns by INT3, which guest_trap() knows. */
	.globl	guest_user_call, guest_user_int3, guest_user_done
guest_user_call:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %gs:16
	lea	-520(%rsp), %rax
	and	$-16, %rax
	sub	$8, %rax
	movq	$guest_user_int3, (%rax)
	pushq	$0x23
	push	%rax
	pushfq
	pushq	$0x1b
	push	%rdi
	iretq
guest_user_int3:
	int3
guest_user_done:
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
