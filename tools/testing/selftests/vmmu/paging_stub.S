/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest of the combinatorial paging selftest, once for 32-bit and once for
 * 64-bit modes. For each struct probe_case: write the entries that differ, set
 * the control registers that differ, flush, go to the access by IRET, and write
 * down by which vector it came back: INT $0x21 behind the access, or a fault.
 *
 * Everything but the access itself uses memory that is mapped one to one for
 * the supervisor, with 32-bit addresses.
 */
	/* struct probe_case */
	.set	GVA, 40
	.set	CR0, 48
	.set	CR4, 52
	.set	EFER, 56
	.set	PKRU, 60
	.set	EFLAGS, 64
	.set	RIP, 68
	.set	CS, 72
	.set	SS, 76
	.set	VALUE, 80
	.set	FLUSH_CR3, 84
	.set	VECTOR, 88
	.set	ERROR, 92
	.set	CR2, 96
	.set	GOT, 104
	.set	AFTER, 108
	.set	LEFT, 112
	.set	CASE_SIZE, 152
	/* struct probe */
	.set	P_ENTRY, 0
	.set	P_SIZE, 20
	.set	P_CASE, 24
	.set	P_COUNT, 28
	.set	P_ALIAS, 32
	.set	P_STACK, 36
	.set	P_CR0, 40
	.set	P_CR4, 44
	.set	P_EFER, 48
	.set	P_PKRU, 52
	.set	P_EAX, 56
	.set	P_CR3, 60
	.set	P_PDPT, 64

	/* TCG may have set these accessed bits, with which they do not load. */
	.macro	clean_pdptes
	mov	P_PDPT(%ebp), %edi
	test	%edi, %edi
	jz	13f
	andl	$~0x20, (%edi)
	andl	$~0x20, 8(%edi)
	andl	$~0x20, 16(%edi)
	andl	$~0x20, 24(%edi)
13:
	.endm

	.macro	probe_code bits, ax, bx, cx, dx, di, sp

	.globl	probe_boot\bits, probe_start\bits, probe_vectors\bits
	.balign	16
	/* TCG knows a 32-bit TSS only from LTR, not from the VMCB. */
probe_boot\bits:
	mov	$0x40, %eax
	ltr	%ax
probe_start\bits:
	mov	$probe, %ebp
	mov	P_STACK(%ebp), %esp
	mov	P_CASE(%ebp), %esi
	cmpl	$0, P_COUNT(%ebp)
	jne	1f
	out	%al, $0x10
	jmp	probe_start\bits

	/* Entries: one store where the guest's entry is one word. */
1:	xor	%ecx, %ecx
2:	mov	(%ebp,%ecx,4), %edi
	test	%edi, %edi
	jz	4f
	mov	(%esi,%ecx,8), %eax
	mov	4(%esi,%ecx,8), %edx
	cmpl	$4, P_SIZE(%ebp)
	je	3f
	cmp	%edx, 4(%edi)
	je	3f
	.if \bits == 64
	mov	(%esi,%ecx,8), %rax
	mov	%rax, (%edi)
	.else
	movl	$0, (%edi)
	mov	%edx, 4(%edi)
	mov	%eax, (%edi)
	.endif
	jmp	4f
3:	cmp	%eax, (%edi)
	je	4f
	mov	%eax, (%edi)
4:	inc	%ecx
	cmp	$5, %ecx
	jb	2b

	mov	CR0(%esi), %eax
	cmp	%eax, P_CR0(%ebp)
	je	5f
	clean_pdptes
	mov	%\ax, %cr0
	mov	%eax, P_CR0(%ebp)
5:	mov	CR4(%esi), %eax
	cmp	%eax, P_CR4(%ebp)
	je	6f
	clean_pdptes
	mov	%\ax, %cr4
	mov	%eax, P_CR4(%ebp)
6:	mov	EFER(%esi), %eax
	cmp	%eax, P_EFER(%ebp)
	je	7f
	mov	%eax, P_EFER(%ebp)
	mov	$0xc0000080, %ecx
	xor	%edx, %edx
	wrmsr
7:	testl	$0x400000, CR4(%esi)
	jz	8f
	mov	PKRU(%esi), %eax
	cmp	%eax, P_PKRU(%ebp)
	je	8f
	mov	%eax, P_PKRU(%ebp)
	xor	%ecx, %ecx
	xor	%edx, %edx
	.byte	0x0f, 0x01, 0xef		/* wrpkru */

8:	mov	GVA(%esi), %\dx
	cmpl	$0, FLUSH_CR3(%esi)
	jne	9f
	invlpg	(%\dx)
	jmp	10f
9:	mov	P_CR3(%ebp), %eax
	clean_pdptes
	mov	%\ax, %cr3

10:	mov	SS(%esi), %eax
	push	%\ax
	push	%\sp
	mov	EFLAGS(%esi), %eax
	push	%\ax
	mov	CS(%esi), %eax
	push	%\ax
	cmpl	$0, RIP(%esi)
	mov	RIP(%esi), %eax
	.if \bits == 64
	cmove	%rdx, %rax
	.else
	cmove	%edx, %eax
	.endif
	push	%\ax
	mov	VALUE(%esi), %eax
	mov	$0x17, %ecx			/* LDT, third entry, RPL 3 */
	.if \bits == 64
	iretq
	.else
	iret
	.endif

	/* Back: vector and error code are on the stack. */
back\bits:
	mov	$probe, %ebp
	mov	%eax, P_EAX(%ebp)
	mov	P_CASE(%ebp), %esi
	pop	%\ax
	mov	%eax, VECTOR(%esi)
	pop	%\ax
	mov	%eax, ERROR(%esi)
	mov	%cr2, %\ax
	mov	%\ax, CR2(%esi)
	mov	P_EAX(%ebp), %eax
	mov	%eax, GOT(%esi)
	mov	P_ALIAS(%ebp), %edi
	mov	(%edi), %eax
	mov	%eax, AFTER(%esi)
	xor	%ecx, %ecx
11:	mov	(%ebp,%ecx,4), %edi
	test	%edi, %edi
	jz	12f
	mov	(%edi), %eax
	mov	%eax, LEFT(%esi,%ecx,8)
	cmpl	$4, P_SIZE(%ebp)
	je	12f
	mov	4(%edi), %eax
	mov	%eax, LEFT+4(%esi,%ecx,8)
12:	inc	%ecx
	cmp	$5, %ecx
	jb	11b
	addl	$CASE_SIZE, P_CASE(%ebp)
	decl	P_COUNT(%ebp)
	jmp	probe_start\bits

	.balign	16
probe_vectors\bits:
	.set	vector, 0
	.rept	34
	.balign	16
	.if	vector >= 32 || !((0x60227d00 >> (vector & 31)) & 1)
	push	$0
	.endif
	push	$vector
	jmp	back\bits
	.set	vector, vector + 1
	.endr

	/* The accesses, by an address that a user may fetch from as well. */
	.globl	probe_read\bits, probe_write\bits, probe_implicit\bits
	.balign	16
probe_read\bits:
	mov	(%\dx), %eax
	int	$0x21
probe_write\bits:
	mov	%eax, (%\dx)
	int	$0x21
probe_implicit\bits:
	mov	%ecx, %fs
	int	$0x21
	.endm

	.section .text.guest, "ax"
	.balign	4096
	.code32
	probe_code 32, eax, ebx, ecx, edx, edi, esp
	.code64
	probe_code 64, rax, rbx, rcx, rdx, rdi, rsp
	.balign	4096

	.section .note.GNU-stack, "", @progbits
