/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A trip of the paging storm out of long mode and back. On the way: each struct op
 * in turn, a page fault of which is written down and the next one taken, or the same
 * once more. Code, stack and the list are mapped one to one in every mode.
 *
 * EDI: struct trip, ESI: struct op.
 */
	/* struct trip */
	.set	CR0, 0
	.set	CR3, 4
	.set	CR4, 8
	.set	LME, 12
	.set	LONG_CR0, 16
	.set	LONG_CR3, 20
	.set	LONG_CR4, 24
	.set	RSP, 32
	.set	IDT, 40
	.set	LONG_IDT, 50
	.set	OPS, 64
	/* struct op */
	.set	KIND, 0
	.set	ADDR, 4
	.set	VALUE, 8
	.set	TRIES, 12
	.set	GOT, 20
	.set	ERROR, 24
	.set	CR2, 28
	.set	FAULTS, 32
	.set	OP_SIZE, 36

	.set	SEL_CODE64, 0x08
	.set	SEL_CODE32, 0x28

	.macro	paging_off
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	.endm

	/* EFER.LME as in @lme. */
	.macro	set_lme	lme
	mov	$0xc0000080, %ecx
	rdmsr
	and	$~0x100, %eax
	or	\lme, %eax
	wrmsr
	.endm

	.section .text.guest, "ax"
	.globl	trip_run, trip_fault
	/* void trip_run(struct trip *) */
	.code64
trip_run:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, RSP(%rdi)
	push	$SEL_CODE32
	push	$1f
	lretq

	.code32
1:	paging_off
	set_lme	LME(%edi)
	lidt	IDT(%edi)
	mov	CR4(%edi), %eax
	mov	%eax, %cr4
	mov	CR3(%edi), %eax
	mov	%eax, %cr3
	mov	CR0(%edi), %eax
	mov	%eax, %cr0
	lea	OPS(%edi), %esi

op:	mov	KIND(%esi), %eax
	mov	ADDR(%esi), %ebx
	mov	VALUE(%esi), %edx
	cmp	$1, %eax
	jb	back
	je	load
	cmp	$3, %eax
	jb	store
	je	invlpg
	cmp	$5, %eax
	jb	cr3
	mov	%edx, %cr4
	jmp	next
load:	mov	(%ebx), %eax
	mov	%eax, GOT(%esi)
	jmp	next
store:	mov	%edx, (%ebx)
	jmp	next
invlpg:	invlpg	(%ebx)
	jmp	next
cr3:	mov	%edx, %cr3
next:	add	$OP_SIZE, %esi
	jmp	op

	/* #PF, with the error code on top of EIP, CS, EFLAGS. */
trip_fault:
	pop	%eax
	add	$12, %esp
	mov	%eax, ERROR(%esi)
	mov	%cr2, %eax
	mov	%eax, CR2(%esi)
	incl	FAULTS(%esi)
	mov	FAULTS(%esi), %eax
	cmp	TRIES(%esi), %eax
	jb	op
	jmp	next

back:	paging_off
	mov	LONG_CR4(%edi), %eax
	mov	%eax, %cr4
	mov	LONG_CR3(%edi), %eax
	mov	%eax, %cr3
	set_lme	$0x100
	mov	LONG_CR0(%edi), %eax
	mov	%eax, %cr0
	ljmp	$SEL_CODE64, $2f

	.code64
	/* The upper halves, and R8 to R15, are lost. */
2:	mov	%edi, %edi
	lidt	LONG_IDT(%rdi)
	mov	RSP(%rdi), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
