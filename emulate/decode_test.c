// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder against encodings that an assembler made and a disassembler
 * measured; every one also cut short at each byte, which must read as "needs
 * more", never as a shorter instruction.
 */
#include <kunit/test.h>
#include "emulator.h"

struct encoding {
	u8 mode;
	const char *bytes;
	u8 len;
	const char *text;
};

static const struct encoding encodings[] = {
	{ 8, "\x0f\xa2", 2, "cpuid" },
	{ 8, "\x0f\x32", 2, "rdmsr" },
	{ 8, "\x0f\x30", 2, "wrmsr" },
	{ 8, "\xf4", 1, "hlt" },
	{ 8, "\xe4\x60", 2, "in $0x60,%al" },
	{ 8, "\xe5\x70", 2, "in $0x70,%eax" },
	{ 8, "\xec", 1, "in (%dx),%al" },
	{ 8, "\x66\xed", 2, "in (%dx),%ax" },
	{ 8, "\xed", 1, "in (%dx),%eax" },
	{ 8, "\xe6\x80", 2, "out %al,$0x80" },
	{ 8, "\xe7\x80", 2, "out %eax,$0x80" },
	{ 8, "\xee", 1, "out %al,(%dx)" },
	{ 8, "\x66\xef", 2, "out %ax,(%dx)" },
	{ 8, "\xef", 1, "out %eax,(%dx)" },
	{ 8, "\x0f\x01\xd9", 3, "vmmcall" },
	{ 8, "\x0f\x01\xc1", 3, "vmcall" },
	{ 8, "\x0f\x01\xd8", 3, "vmrun" },
	{ 8, "\x0f\x01\xda", 3, "vmload" },
	{ 8, "\x0f\x01\xdb", 3, "vmsave" },
	{ 8, "\x0f\x01\xdc", 3, "stgi" },
	{ 8, "\x0f\x01\xdd", 3, "clgi" },
	{ 8, "\x0f\x01\xde", 3, "skinit" },
	{ 8, "\x0f\x01\xdf", 3, "invlpga" },
	{ 8, "\x0f\x01\xd1", 3, "xsetbv" },
	{ 8, "\x0f\x01\xd0", 3, "xgetbv" },
	{ 8, "\x0f\x08", 2, "invd" },
	{ 8, "\x0f\x09", 2, "wbinvd" },
	{ 8, "\xf3\x0f\x09", 3, "wbnoinvd" },
	{ 8, "\x0f\x33", 2, "rdpmc" },
	{ 8, "\xf3\x90", 2, "pause" },
	{ 8, "\x90", 1, "nop" },
	{ 8, "\x0f\x1f\x84\x98\x78\x56\x34\x12", 8, "nopl 0x12345678(%rax,%rbx,4)" },
	{ 8, "\x2e\x66\x0f\x1f\x04\x00", 6, "nopw %cs:0x0(%rax,%rax,1)" },
	{ 8, "\xf3\x0f\x1e\xfa", 4, "endbr64" },
	{ 8, "\x0f\x20\xc0", 3, "mov %cr0,%rax" },
	{ 8, "\x0f\x22\xc0", 3, "mov %rax,%cr0" },
	{ 8, "\x41\x0f\x20\xdf", 4, "mov %cr3,%r15" },
	{ 8, "\x41\x0f\x22\xdf", 4, "mov %r15,%cr3" },
	{ 8, "\x44\x0f\x22\xc2", 4, "mov %rdx,%cr8" },
	{ 8, "\x0f\x21\xf8", 3, "mov %db7,%rax" },
	{ 8, "\x0f\x23\xf0", 3, "mov %rax,%db6" },
	{ 8, "\x0f\x06", 2, "clts" },
	{ 8, "\x0f\x01\xf0", 3, "lmsw %ax" },
	{ 8, "\x0f\x01\x70\x10", 4, "lmsw 0x10(%rax)" },
	{ 8, "\x0f\x01\xe0", 3, "smsw %eax" },
	{ 8, "\x0f\x01\x23", 3, "smsw (%rbx)" },
	{ 8, "\x0f\x01\x38", 3, "invlpg (%rax)" },
	{ 8, "\x41\x0f\x01\xbc\x24\x78\x56\x34\x12", 9, "invlpg 0x12345678(%r12)" },
	{ 8, "\x66\x0f\x38\x82\x18", 5, "invpcid (%rax),%rbx" },
	{ 8, "\x0f\x31", 2, "rdtsc" },
	{ 8, "\x0f\x01\xf9", 3, "rdtscp" },
	{ 8, "\x0f\x01\xc8", 3, "monitor" },
	{ 8, "\x0f\x01\xc9", 3, "mwait" },
	{ 8, "\x0f\x01\xfa", 3, "monitorx" },
	{ 8, "\x0f\x01\xfb", 3, "mwaitx" },
	{ 8, "\x0f\x01\xf8", 3, "swapgs" },
	{ 8, "\x0f\x01\x00", 3, "sgdt (%rax)" },
	{ 8, "\x0f\x01\x4c\x24\x08", 5, "sidt 0x8(%rsp)" },
	{ 8, "\x0f\x01\x15\x00\x00\x00\x00", 7, "lgdt (%rip)" },
	{ 8, "\x0f\x01\x5d\x7f", 4, "lidt 0x7f(%rbp)" },
	{ 8, "\x66\x0f\x00\xc0", 4, "sldt %ax" },
	{ 8, "\x0f\x00\x09", 3, "str (%rcx)" },
	{ 8, "\x0f\x00\xd0", 3, "lldt %ax" },
	{ 8, "\x0f\x00\xd8", 3, "ltr %ax" },
	{ 8, "\x0f\x00\xe0", 3, "verr %ax" },
	{ 8, "\x0f\x02\xd8", 3, "lar %eax,%ebx" },
	{ 8, "\x48\x0f\x03\x08", 4, "lsl (%rax),%rcx" },
	{ 8, "\x0f\x0b", 2, "ud2" },
	{ 8, "\x0f\x05", 2, "syscall" },
	{ 8, "\x48\x0f\x07", 3, "sysretq" },
	{ 8, "\x0f\x34", 2, "sysenter" },
	{ 8, "\x48\x0f\x35", 3, "sysexitq" },
	{ 8, "\x48\xcf", 2, "iretq" },
	{ 8, "\xcc", 1, "int3" },
	{ 8, "\xcd\x80", 2, "int $0x80" },
	{ 8, "\x88\x07", 2, "mov %al,(%rdi)" },
	{ 8, "\x89\x4f\x10", 3, "mov %ecx,0x10(%rdi)" },
	{ 8, "\x4d\x89\x4d\x80", 4, "mov %r9,-0x80(%r13)" },
	{ 8, "\x4c\x8b\x24\x24", 4, "mov (%rsp),%r12" },
	{ 8, "\x8b\x04\x25\x78\x56\x34\x12", 7, "mov 0x12345678,%eax" },
	{ 8, "\x48\x8b\x05\x34\x12\x00\x00", 7, "mov 0x1234(%rip),%rax" },
	{ 8, "\x66\x42\x89\x84\xc8\x78\x56\x34\x12", 9, "mov %ax,0x12345678(%rax,%r9,8)" },
	{ 8, "\xc6\x00\x12", 3, "movb $0x12,(%rax)" },
	{ 8, "\x66\xc7\x00\x34\x12", 5, "movw $0x1234,(%rax)" },
	{ 8, "\xc7\x40\x04\x78\x56\x34\x12", 7, "movl $0x12345678,0x4(%rax)" },
	{ 8, "\x48\xc7\x40\x04\x78\x56\x34\x12", 8, "movq $0x12345678,0x4(%rax)" },
	{ 8, "\xc7\x05\x00\x10\x00\x00\x01\x00\x00\x00", 10, "movl $1,0x1000(%rip)" },
	{ 8, "\x49\xba\xf0\xde\xbc\x9a\x78\x56\x34\x12", 10, "movabs $0x123456789abcdef0,%r10" },
	{ 8, "\x41\xba\x78\x56\x34\x12", 6, "mov $0x12345678,%r10d" },
	{ 8, "\x40\xb4\x12", 3, "mov $0x12,%spl" },
	{ 8, "\xa0\xf0\xde\xbc\x9a\x78\x56\x34\x12", 9, "movabs 0x123456789abcdef0,%al" },
	{ 8, "\xa3\xf0\xde\xbc\x9a\x78\x56\x34\x12", 9, "movabs %eax,0x123456789abcdef0" },
	{ 8, "\x0f\xb6\x08", 3, "movzbl (%rax),%ecx" },
	{ 8, "\x0f\xb7\x48\x02", 4, "movzwl 0x2(%rax),%ecx" },
	{ 8, "\x4d\x0f\xbe\x08", 4, "movsbq (%r8),%r9" },
	{ 8, "\x0f\xbf\x10", 3, "movswl (%rax),%edx" },
	{ 8, "\x48\x63\x10", 3, "movslq (%rax),%rdx" },
	{ 8, "\x0f\x38\xf0\x08", 4, "movbe (%rax),%ecx" },
	{ 8, "\x48\x0f\x38\xf1\x48\x08", 6, "movbe %rcx,0x8(%rax)" },
	{ 8, "\x0f\xc3\x07", 3, "movnti %eax,(%rdi)" },
	{ 8, "\x4c\x0f\xc3\x07", 4, "movnti %r8,(%rdi)" },
	{ 8, "\xf2\x0f\x38\xf0\x08", 5, "crc32b (%rax),%ecx" },
	{ 8, "\x01\x07", 2, "add %eax,(%rdi)" },
	{ 8, "\x4c\x0b\x4f\x08", 4, "or 0x8(%rdi),%r9" },
	{ 8, "\x80\x10\x7f", 3, "adcb $0x7f,(%rax)" },
	{ 8, "\x81\x18\x78\x56\x34\x12", 6, "sbbl $0x12345678,(%rax)" },
	{ 8, "\x49\x83\x27\xff", 4, "andq $-1,(%r15)" },
	{ 8, "\x48\x2d\x78\x56\x34\x12", 6, "sub $0x12345678,%rax" },
	{ 8, "\x34\x12", 2, "xor $0x12,%al" },
	{ 8, "\x66\x81\x7b\x02\x34\x12", 6, "cmpw $0x1234,0x2(%rbx)" },
	{ 8, "\xf0\x83\x00\x01", 4, "lock addl $1,(%rax)" },
	{ 8, "\xf0\x48\x0f\xc1\x0a", 5, "lock xaddq %rcx,(%rdx)" },
	{ 8, "\xf0\x0f\xb1\x0a", 4, "lock cmpxchg %ecx,(%rdx)" },
	{ 8, "\xf0\x0f\xc7\x0f", 4, "lock cmpxchg8b (%rdi)" },
	{ 8, "\xf0\x48\x0f\xc7\x0f", 5, "lock cmpxchg16b (%rdi)" },
	{ 8, "\xf0\x0f\xba\x28\x05", 5, "lock btsl $5,(%rax)" },
	{ 8, "\xf0\x48\xff\x00", 4, "lock incq (%rax)" },
	{ 8, "\x87\x0a", 2, "xchg %ecx,(%rdx)" },
	{ 8, "\x49\x90", 2, "xchg %rax,%r8" },
	{ 8, "\xf6\x00\x01", 3, "testb $1,(%rax)" },
	{ 8, "\xf7\x40\x10\x00\x00\x01\x00", 7, "testl $0x10000,0x10(%rax)" },
	{ 8, "\xf7\x10", 2, "notl (%rax)" },
	{ 8, "\x48\xf7\x18", 3, "negq (%rax)" },
	{ 8, "\xf7\x20", 2, "mull (%rax)" },
	{ 8, "\x48\xf7\x28", 3, "imulq (%rax)" },
	{ 8, "\xf7\x30", 2, "divl (%rax)" },
	{ 8, "\x48\xf7\x78\x08", 4, "idivq 0x8(%rax)" },
	{ 8, "\x0f\xaf\x08", 3, "imul (%rax),%ecx" },
	{ 8, "\x6b\x08\x12", 3, "imul $0x12,(%rax),%ecx" },
	{ 8, "\x48\x69\x08\x78\x56\x34\x12", 7, "imul $0x12345678,(%rax),%rcx" },
	{ 8, "\xfe\x00", 2, "incb (%rax)" },
	{ 8, "\xff\x08", 2, "decl (%rax)" },
	{ 8, "\xff\x10", 2, "call *(%rax)" },
	{ 8, "\xff\x60\x08", 3, "jmp *0x8(%rax)" },
	{ 8, "\xff\x30", 2, "pushq (%rax)" },
	{ 8, "\x8f\x00", 2, "popq (%rax)" },
	{ 8, "\x6a\x12", 2, "push $0x12" },
	{ 8, "\x68\x78\x56\x34\x12", 5, "push $0x12345678" },
	{ 8, "\x41\x54", 2, "push %r12" },
	{ 8, "\x5d", 1, "pop %rbp" },
	{ 8, "\x9c", 1, "pushfq" },
	{ 8, "\x9d", 1, "popfq" },
	{ 8, "\xc8\x10\x00\x00", 4, "enter $0x10,$0" },
	{ 8, "\xc9", 1, "leave" },
	{ 8, "\xc3", 1, "ret" },
	{ 8, "\xc2\x08\x00", 3, "ret $8" },
	{ 8, "\xcb", 1, "lret" },
	{ 8, "\xe8\xfb\x00\x00\x00", 5, "call .+0x100" },
	{ 8, "\xe9\xfb\x00\x00\x00", 5, "jmp .+0x100" },
	{ 8, "\xeb\x00", 2, "jmp .+2" },
	{ 8, "\x0f\x85\xfa\x00\x00\x00", 6, "jne .+0x100" },
	{ 8, "\x75\x00", 2, "jne .+2" },
	{ 8, "\xe3\x00", 2, "jrcxz .+2" },
	{ 8, "\xe2\x00", 2, "loop .+2" },
	{ 8, "\x0f\xa3\x02", 3, "bt %eax,(%rdx)" },
	{ 8, "\x48\x0f\xab\x02", 4, "bts %rax,(%rdx)" },
	{ 8, "\x0f\xba\xf1\x03", 4, "btr $3,%ecx" },
	{ 8, "\x0f\xbc\x08", 3, "bsf (%rax),%ecx" },
	{ 8, "\x48\x0f\xbd\x08", 4, "bsr (%rax),%rcx" },
	{ 8, "\xf3\x0f\xbc\xc8", 4, "tzcnt %eax,%ecx" },
	{ 8, "\xf3\x48\x0f\xbd\xc8", 5, "lzcnt %rax,%rcx" },
	{ 8, "\xf3\x0f\xb8\x08", 4, "popcnt (%rax),%ecx" },
	{ 8, "\x49\x0f\xc9", 3, "bswap %r9" },
	{ 8, "\xc1\x20\x03", 3, "shll $3,(%rax)" },
	{ 8, "\x48\xd1\x38", 3, "sarq (%rax)" },
	{ 8, "\xd2\x00", 2, "rolb %cl,(%rax)" },
	{ 8, "\x0f\xa4\x02\x03", 4, "shld $3,%eax,(%rdx)" },
	{ 8, "\x48\x0f\xad\x02", 4, "shrd %cl,%rax,(%rdx)" },
	{ 8, "\x0f\x94\x00", 3, "sete (%rax)" },
	{ 8, "\x41\x0f\x9f\xc1", 4, "setg %r9b" },
	{ 8, "\x0f\x44\x08", 3, "cmove (%rax),%ecx" },
	{ 8, "\x4d\x0f\x4e\xc8", 4, "cmovle %r8,%r9" },
	{ 8, "\xa4", 1, "movsb" },
	{ 8, "\xa5", 1, "movsl" },
	{ 8, "\xf3\x48\xa5", 3, "rep movsq" },
	{ 8, "\xf3\xaa", 2, "rep stosb" },
	{ 8, "\xf3\xab", 2, "rep stosl" },
	{ 8, "\xf2\xae", 2, "repne scasb" },
	{ 8, "\xf3\xa6", 2, "repe cmpsb" },
	{ 8, "\x66\xad", 2, "lodsw" },
	{ 8, "\xf3\x6c", 2, "rep insb" },
	{ 8, "\xf3\x6d", 2, "rep insl" },
	{ 8, "\x66\xf3\x6f", 3, "rep outsw" },
	{ 8, "\x67\xf3\xaa", 3, "rep stosb %al,%es:(%edi)" },
	{ 8, "\x66\x98", 2, "cbtw" },
	{ 8, "\x98", 1, "cwtl" },
	{ 8, "\x48\x99", 2, "cqto" },
	{ 8, "\x48\x8d\x4c\xd8\x04", 5, "lea 0x4(%rax,%rbx,8),%rcx" },
	{ 8, "\x67\x8d\x08", 3, "lea (%eax),%ecx" },
	{ 8, "\xd7", 1, "xlat" },
	{ 8, "\x0f\x01\xca", 3, "clac" },
	{ 8, "\x0f\x01\xcb", 3, "stac" },
	{ 8, "\x0f\xae\x20", 3, "xsave (%rax)" },
	{ 8, "\x48\x0f\xae\x28", 4, "xrstor64 (%rax)" },
	{ 8, "\x0f\xae\x00", 3, "fxsave (%rax)" },
	{ 8, "\x0f\xae\x38", 3, "clflush (%rax)" },
	{ 8, "\x66\x0f\xae\x38", 4, "clflushopt (%rax)" },
	{ 8, "\x0f\xae\xf0", 3, "mfence" },
	{ 8, "\x0f\x18\x08", 3, "prefetcht0 (%rax)" },
	{ 8, "\x0f\xc7\xf0", 3, "rdrand %eax" },
	{ 8, "\x48\x0f\xc7\xf8", 4, "rdseed %rax" },
	{ 8, "\xf3\x48\x0f\xae\xc0", 5, "rdfsbase %rax" },
	{ 8, "\xdd\x40\x08", 3, "fldl 0x8(%rax)" },
	{ 8, "\xdb\xe3", 2, "fninit" },
	{ 8, "\x0f\x77", 2, "emms" },
	{ 8, "\x0f\x10\x00", 3, "movups (%rax),%xmm0" },
	{ 8, "\x0f\x29\x48\x10", 4, "movaps %xmm1,0x10(%rax)" },
	{ 8, "\x66\x44\x0f\x6f\x08", 5, "movdqa (%rax),%xmm9" },
	{ 8, "\xf3\x0f\x7f\x10", 4, "movdqu %xmm2,(%rax)" },
	{ 8, "\x66\x0f\xe7\x10", 4, "movntdq %xmm2,(%rax)" },
	{ 8, "\x66\x0f\x38\x2a\x10", 5, "movntdqa (%rax),%xmm2" },
	{ 8, "\x0f\x2b\x1f", 3, "movntps %xmm3,(%rdi)" },
	{ 8, "\x66\x0f\xd6\x00", 4, "movq %xmm0,(%rax)" },
	{ 8, "\x66\x0f\x6e\x08", 4, "movd (%rax),%xmm1" },
	{ 8, "\xf3\x0f\x7e\x08", 4, "movq (%rax),%xmm1" },
	{ 8, "\x0f\x12\x08", 3, "movlps (%rax),%xmm1" },
	{ 8, "\x66\x0f\x17\x08", 4, "movhpd %xmm1,(%rax)" },
	{ 8, "\xf3\x0f\x10\x08", 4, "movss (%rax),%xmm1" },
	{ 8, "\xf2\x0f\x11\x08", 4, "movsd %xmm1,(%rax)" },
	{ 8, "\xf2\x0f\xf0\x08", 4, "lddqu (%rax),%xmm1" },
	{ 8, "\x66\x0f\x70\x08\x1b", 5, "pshufd $0x1b,(%rax),%xmm1" },
	{ 8, "\x66\x0f\x38\x00\x08", 5, "pshufb (%rax),%xmm1" },
	{ 8, "\x66\x0f\x3a\x0f\x08\x04", 6, "palignr $4,(%rax),%xmm1" },
	{ 8, "\x66\x0f\xc4\x08\x01", 5, "pinsrw $1,(%rax),%xmm1" },
	{ 8, "\x0f\xc2\x08\x01", 4, "cmpps $1,(%rax),%xmm1" },
	{ 8, "\x66\x0f\x71\xf1\x03", 5, "psllw $3,%xmm1" },
	{ 8, "\x0f\x3a\xcc\x08\x01", 5, "sha1rnds4 $1,(%rax),%xmm1" },
	{ 8, "\x66\x0f\x78\xc1\x08\x04", 6, "extrq $4,$8,%xmm1" },
	{ 8, "\xf2\x0f\x78\xca\x08\x04", 6, "insertq $4,$8,%xmm2,%xmm1" },
	{ 8, "\xc5\xf8\x77", 3, "vzeroupper" },
	{ 8, "\xc5\xfe\x6f\x08", 4, "vmovdqu (%rax),%ymm1" },
	{ 8, "\xc5\x79\x7f\x48\x20", 5, "vmovdqa %xmm9,0x20(%rax)" },
	{ 8, "\xc4\x41\x7c\x11\x01", 5, "vmovups %ymm8,(%r9)" },
	{ 8, "\xc5\xfd\xe7\x08", 4, "vmovntdq %ymm1,(%rax)" },
	{ 8, "\xc5\xf9\x70\x08\x01", 5, "vpshufd $1,(%rax),%xmm1" },
	{ 8, "\xc4\xe3\xfd\x00\x08\x01", 6, "vpermq $1,(%rax),%ymm1" },
	{ 8, "\xc4\xe2\x6d\xa8\x18", 5, "vfmadd213ps (%rax),%ymm2,%ymm3" },
	{ 8, "\xc4\xe3\x6d\x18\x18\x01", 6, "vinsertf128 $1,(%rax),%ymm2,%ymm3" },
	{ 8, "\xc4\xe2\x70\xf2\x10", 5, "andn (%rax),%ecx,%edx" },
	{ 8, "\xc4\xe3\x7b\xf0\x08\x03", 6, "rorx $3,(%rax),%ecx" },
	{ 8, "\x62\xf1\xfe\x48\x6f\x08", 6, "vmovdqu64 (%rax),%zmm1" },
	{ 8, "\x62\xe1\x7f\x48\x7f\x48\x01", 7, "vmovdqu8 %zmm17,0x40(%rax)" },
	{ 8, "\x62\xf3\x75\x48\x25\x10\x03", 7, "vpternlogd $3,(%rax),%zmm1,%zmm2" },
	{ 8, "\x62\x61\x6c\x48\x58\xf9", 6, "vaddps %zmm1,%zmm2,%zmm31" },
	{ 8, "\xc5\xf8\x93\xc1", 4, "kmovw %k1,%eax" },
	{ 8, "\x62\xf3\x75\x48\x1f\x08\x01", 7, "vpcmpd $1,(%rax),%zmm1,%k1" },
	{ 8, "\x8f\xea\x78\x10\xc8\x34\x12\x00\x00", 9, "bextr $0x1234,%eax,%ecx" },
	{ 8, "\x8f\xe9\x70\x01\xc8", 5, "blcfill %eax,%ecx" },
	{ 8, "\x8f\xe8\x78\xc0\xd1\x03", 6, "vprotb $3,%xmm1,%xmm2" },
	{ 8, "\x0f\x0f\x08\x9e", 4, "pfadd (%rax),%mm1" },
	{ 8, "\x0f\x0e", 2, "femms" },
	{ 4, "\x0f\xa2", 2, "cpuid" },
	{ 4, "\x88\x07", 2, "mov %al,(%edi)" },
	{ 4, "\xa1\x78\x56\x34\x12", 5, "mov 0x12345678,%eax" },
	{ 4, "\x66\xa3\x78\x56\x34\x12", 6, "mov %ax,0x12345678" },
	{ 4, "\xc7\x44\x58\x04\x78\x56\x34\x12", 8, "movl $0x12345678,0x4(%eax,%ebx,2)" },
	{ 4, "\x67\x66\xc7\x00\x34\x12", 6, "movw $0x1234,(%bx,%si)" },
	{ 4, "\x67\x8b\x46\x00", 4, "mov (%bp),%eax" },
	{ 4, "\x67\x8a\x8d\x34\x12", 5, "mov 0x1234(%di),%cl" },
	{ 4, "\x40", 1, "inc %eax" },
	{ 4, "\x66\x4f", 2, "dec %di" },
	{ 4, "\x60", 1, "pusha" },
	{ 4, "\x61", 1, "popal" },
	{ 4, "\x06", 1, "push %es" },
	{ 4, "\x1f", 1, "pop %ds" },
	{ 4, "\xc4\x18", 2, "les (%eax),%ebx" },
	{ 4, "\xc5\x18", 2, "lds (%eax),%ebx" },
	{ 4, "\x62\x01", 2, "bound %eax,(%ecx)" },
	{ 4, "\x63\x01", 2, "arpl %ax,(%ecx)" },
	{ 4, "\x27", 1, "daa" },
	{ 4, "\xd4\x0a", 2, "aam" },
	{ 4, "\xd5\x0a", 2, "aad" },
	{ 4, "\xce", 1, "into" },
	{ 4, "\x9a\x78\x56\x34\x12\x10\x00", 7, "lcall $0x10,$0x12345678" },
	{ 4, "\xea\x00\x10\x00\x00\x08\x00", 7, "ljmp $0x8,$0x1000" },
	{ 4, "\xe9\xfb\x00\x00\x00", 5, "jmp .+0x100" },
	{ 4, "\x66\xc3", 2, "data16 ret" },
	{ 4, "\x68\x78\x56\x34\x12", 5, "pushl $0x12345678" },
	{ 4, "\x66\x68\x34\x12", 4, "pushw $0x1234" },
	{ 4, "\x0f\x20\xc0", 3, "mov %cr0,%eax" },
	{ 4, "\x0f\x22\xe0", 3, "mov %eax,%cr4" },
	{ 4, "\x0f\x23\xf8", 3, "mov %eax,%db7" },
	{ 4, "\x0f\x01\x15\x34\x12\x00\x00", 7, "lgdtl 0x1234" },
	{ 4, "\x66\x0f\x01\x18", 4, "lidtw (%eax)" },
	{ 4, "\xf3\xa5", 2, "rep movsl" },
	{ 4, "\xf3\x6e", 2, "rep outsb" },
	{ 4, "\x67\xf3\xab", 3, "addr16 rep stosl" },
	{ 4, "\x64\xa1\x10\x00\x00\x00", 6, "mov %fs:0x10,%eax" },
	{ 4, "\x65\x89\x01", 3, "mov %eax,%gs:(%ecx)" },
	{ 4, "\xf0\x0f\xc1\x0a", 4, "lock xadd %ecx,(%edx)" },
	{ 4, "\x0f\xc7\x0f", 3, "cmpxchg8b (%edi)" },
	{ 4, "\xc5\xfe\x6f\x08", 4, "vmovdqu (%eax),%ymm1" },
	{ 4, "\x62\xf1\x7e\x48\x6f\x08", 6, "vmovdqu32 (%eax),%zmm1" },
	{ 4, "\xc5\xf1\xfc\x10", 4, "vpaddb (%eax),%xmm1,%xmm2" },
	{ 4, "\xdf\x28", 2, "fildll (%eax)" },
	{ 4, "\x0f\x10\x18", 3, "movups (%eax),%xmm3" },
	{ 4, "\x0f\x01\xd9", 3, "vmmcall" },
	{ 4, "\x0f\x31", 2, "rdtsc" },
	{ 2, "\x0f\xa2", 2, "cpuid" },
	{ 2, "\xf4", 1, "hlt" },
	{ 2, "\x88\x00", 2, "mov %al,(%bx,%si)" },
	{ 2, "\xa3\x34\x12", 3, "mov %ax,0x1234" },
	{ 2, "\x8b\x4b\x12", 3, "mov 0x12(%bp,%di),%cx" },
	{ 2, "\x66\x8b\x87\x34\x12", 5, "mov 0x1234(%bx),%eax" },
	{ 2, "\x66\xc7\x06\x34\x12\x78\x56\x34\x12", 9, "movl $0x12345678,0x1234" },
	{ 2, "\xc7\x05\x34\x12", 4, "movw $0x1234,(%di)" },
	{ 2, "\x26\x88\x05", 3, "mov %al,%es:(%di)" },
	{ 2, "\x67\x8b\x04\x98", 4, "mov (%eax,%ebx,4),%ax" },
	{ 2, "\x67\x66\x8b\x84\x24\x78\x56\x34\x12", 9, "mov 0x12345678(%esp),%eax" },
	{ 2, "\xb8\x34\x12", 3, "mov $0x1234,%ax" },
	{ 2, "\x66\xb8\x78\x56\x34\x12", 6, "mov $0x12345678,%eax" },
	{ 2, "\xa0\x34\x12", 3, "mov 0x1234,%al" },
	{ 2, "\xe9\xfd\x00", 3, "jmp .+0x100" },
	{ 2, "\xeb\x00", 2, "jmp .+2" },
	{ 2, "\xe8\xfd\x00", 3, "call .+0x100" },
	{ 2, "\xea\x5b\xe0\x00\xf0", 5, "ljmp $0xf000,$0xe05b" },
	{ 2, "\x66\xea\x78\x56\x34\x12\x08\x00", 8, "ljmpl $0x8,$0x12345678" },
	{ 2, "\x9a\x78\x56\x34\x12", 5, "lcall $0x1234,$0x5678" },
	{ 2, "\x0f\x85\xfc\x01", 4, "jne .+0x200" },
	{ 2, "\x68\x34\x12", 3, "push $0x1234" },
	{ 2, "\x66\x68\x78\x56\x34\x12", 6, "pushl $0x12345678" },
	{ 2, "\xf3\xa4", 2, "rep movsb" },
	{ 2, "\x66\xf3\xa5", 3, "rep movsl" },
	{ 2, "\xf3\x6d", 2, "rep insw" },
	{ 2, "\x66\xf3\x6f", 3, "rep outsl" },
	{ 2, "\xec", 1, "in (%dx),%al" },
	{ 2, "\xef", 1, "out %ax,(%dx)" },
	{ 2, "\xe4\x71", 2, "in $0x71,%al" },
	{ 2, "\x66\x0f\x01\x16\x34\x12", 6, "lgdtl 0x1234" },
	{ 2, "\x0f\x01\x1f", 3, "lidt (%bx)" },
	{ 2, "\x0f\x01\xf0", 3, "lmsw %ax" },
	{ 2, "\x0f\x01\xe0", 3, "smsw %ax" },
	{ 2, "\x0f\x20\xc0", 3, "mov %cr0,%eax" },
	{ 2, "\x0f\x22\xc0", 3, "mov %eax,%cr0" },
	{ 2, "\x0f\x30", 2, "wrmsr" },
	{ 2, "\xcd\x10", 2, "int $0x10" },
	{ 2, "\xcf", 1, "iret" },
	{ 2, "\x81\xc3\x34\x12", 4, "add $0x1234,%bx" },
	{ 2, "\x83\xc3\x12", 3, "add $0x12,%bx" },
	{ 2, "\xa9\x34\x12", 3, "test $0x1234,%ax" },
	{ 2, "\xf7\x07\x34\x12", 4, "testw $0x1234,(%bx)" },
	{ 2, "\xc8\x10\x00\x01", 4, "enter $0x10,$1" },
	{ 2, "\x66\x0f\xb7\x04", 4, "movzwl (%si),%eax" },
	{ 2, "\x67\x66\x8d\x0c\x40", 5, "addr32 lea (%eax,%eax,2),%ecx" },};

static void load(struct vmmu_insn *insn, const u8 *bytes, unsigned int n)
{
	memset(insn, 0xcc, sizeof(*insn));
	memcpy(insn->bytes, bytes, n);
	insn->nr_bytes = n;
}

static void lengths(struct kunit *test)
{
	struct vmmu_insn insn;
	u8 bytes[VMMU_INSN_MAX];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(encodings); i++) {
		const struct encoding *e = &encodings[i];

		/* What follows must not matter. */
		memset(bytes, 0xff, sizeof(bytes));
		memcpy(bytes, e->bytes, e->len);
		load(&insn, bytes, sizeof(bytes));
		KUNIT_EXPECT_EQ_MSG(test, vmmu_insn_decode(&insn, e->mode), 0, "%s", e->text);
		KUNIT_EXPECT_EQ_MSG(test, insn.len, e->len, "%s", e->text);
	}
	KUNIT_EXPECT_GE(test, ARRAY_SIZE(encodings), 150);
}

static void cut_short(struct kunit *test)
{
	struct vmmu_insn insn;
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(encodings); i++) {
		const struct encoding *e = &encodings[i];

		for (n = 0; n < e->len; n++) {
			load(&insn, e->bytes, n);
			KUNIT_EXPECT_EQ_MSG(test, vmmu_insn_decode(&insn, e->mode), -ENODATA,
					    "%s, %u bytes", e->text, n);
		}
	}
}

/* A string of prefixes never ends in an instruction of more than 15 bytes. */
static void too_long(struct kunit *test)
{
	u8 bytes[VMMU_INSN_MAX];
	struct vmmu_insn insn;

	memset(bytes, 0x66, sizeof(bytes));
	load(&insn, bytes, sizeof(bytes));
	KUNIT_EXPECT_EQ(test, vmmu_insn_decode(&insn, 8), -EINVAL);
	bytes[14] = 0x90;
	load(&insn, bytes, sizeof(bytes));
	KUNIT_EXPECT_EQ(test, vmmu_insn_decode(&insn, 8), 0);
	KUNIT_EXPECT_EQ(test, insn.len, 15);
	/* 13 prefixes and a three-byte instruction. */
	bytes[13] = 0x83;
	bytes[14] = 0xc0;
	load(&insn, bytes, sizeof(bytes));
	KUNIT_EXPECT_EQ(test, vmmu_insn_decode(&insn, 8), -EINVAL);
}

static void undefined_opcodes(struct kunit *test)
{
	static const u8 no64[] = {
		0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f,
		0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea,
	};
	u8 bytes[VMMU_INSN_MAX] = {};
	struct vmmu_insn insn;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(no64); i++) {
		bytes[0] = no64[i];
		load(&insn, bytes, sizeof(bytes));
		KUNIT_EXPECT_EQ_MSG(test, vmmu_insn_decode(&insn, 8), -EINVAL, "%02x", no64[i]);
		load(&insn, bytes, sizeof(bytes));
		KUNIT_EXPECT_EQ_MSG(test, vmmu_insn_decode(&insn, 4), 0, "%02x", no64[i]);
	}
	bytes[0] = 0x0f;
	bytes[1] = 0x04;
	load(&insn, bytes, sizeof(bytes));
	KUNIT_EXPECT_EQ(test, vmmu_insn_decode(&insn, 4), -EINVAL);
}

/* Effective addresses: register values are 0x100 << n, so that sums tell who is in them. */
static const struct {
	u8 mode;
	const char *bytes;
	u8 len;
	u64 ea;
	u8 seg;
	u8 op_bytes;
} addresses[] = {
	/* mov %al,(%bx,%si) */
	{ 2, "\x88\x00", 2, 0x4800, VMMU_SEG_DS, 2 },
	/* mov %cx,-2(%bp,%di) */
	{ 2, "\x89\x4b\xfe", 3, 0xa000 - 2, VMMU_SEG_SS, 2 },
	/* mov %ax,0x1234 */
	{ 2, "\x89\x06\x34\x12", 4, 0x1234, VMMU_SEG_DS, 2 },
	/* mov %ax,0xf000(%bx,%si) wraps at 64 KiB */
	{ 2, "\x89\x80\x00\xf0", 4, 0x3800, VMMU_SEG_DS, 2 },
	/* es mov %eax,(%eax,%ebx,4) */
	{ 2, "\x26\x66\x67\x89\x04\x98", 6, 0x2100, VMMU_SEG_ES, 4 },
	/* mov %eax,0x10(%esp) */
	{ 4, "\x89\x44\x24\x10", 4, 0x1010, VMMU_SEG_SS, 4 },
	/* mov %eax,0x12345678 */
	{ 4, "\xa3\x78\x56\x34\x12", 5, 0x12345678, VMMU_SEG_DS, 4 },
	/* mov %eax,-0x1000(,%ebp,2) */
	{ 4, "\x89\x04\x6d\x00\xf0\xff\xff", 7, 0x3000, VMMU_SEG_DS, 4 },
	/* mov %rax,0x100(%rip): the next rip is 0x7000 */
	{ 8, "\x48\x89\x05\x00\x01\x00\x00", 7, 0x7100, VMMU_SEG_DS, 8 },
	/* mov %eax,(%r12,%r15,8) */
	{ 8, "\x43\x89\x04\xfc", 4, 0x4100000, VMMU_SEG_DS, 4 },
	/* mov %ax,%gs:8(%rbp) */
	{ 8, "\x65\x66\x89\x45\x08", 5, 0x2008, VMMU_SEG_GS, 2 },
	/* a CS prefix means nothing in 64-bit mode: mov %eax,8(%rbp) */
	{ 8, "\x2e\x89\x45\x08", 4, 0x2008, VMMU_SEG_SS, 4 },
	/* mov %eax,-1(%ecx) with 67: 32 bits */
	{ 8, "\x67\x89\x41\xff", 4, 0x1ff, VMMU_SEG_DS, 4 },
	/* movabs %al,0x8877665544332211 */
	{ 8, "\xa2\x11\x22\x33\x44\x55\x66\x77\x88", 9, 0x8877665544332211, VMMU_SEG_DS, 4 },
	/* push (%rax): 64 bits without REX */
	{ 8, "\x8f\x00", 2, 0x100, VMMU_SEG_DS, 8 },
	/* a REX before a legacy prefix is lost: mov %ax,(%rax) */
	{ 8, "\x49\x66\x89\x00", 4, 0x100, VMMU_SEG_DS, 2 },
};

static void effective_addresses(struct kunit *test)
{
	u64 regs[VMMU_NR_REGS];
	struct vmmu_insn insn;
	unsigned int i;

	for (i = 0; i < VMMU_NR_REGS; i++)
		regs[i] = 0x100ULL << i;
	for (i = 0; i < ARRAY_SIZE(addresses); i++) {
		load(&insn, addresses[i].bytes, addresses[i].len);
		KUNIT_EXPECT_EQ_MSG(test, vmmu_insn_decode(&insn, addresses[i].mode), 0,
				    "case %u", i);
		KUNIT_EXPECT_TRUE_MSG(test, insn.mem, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, vmmu_insn_ea(&insn, regs, 0x7000), addresses[i].ea,
				    "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, vmmu_insn_seg(&insn), addresses[i].seg, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, insn.op_bytes, addresses[i].op_bytes, "case %u", i);
	}
}

/* No bytes whatever make it read past what it has or claim more than 15. */
static void random_bytes(struct kunit *test)
{
	static const u8 modes[] = { 2, 4, 8 };
	u64 state = 0x9e3779b97f4a7c15ULL;
	struct vmmu_insn insn;
	u8 bytes[16];
	unsigned int i, n;
	int r;

	for (i = 0; i < 200000; i++) {
		for (n = 0; n < 16; n++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			bytes[n] = state >> 24;
		}
		if (bytes[15] & 1)
			bytes[0] = 0x0f;
		n = bytes[15] % (VMMU_INSN_MAX + 1);
		load(&insn, bytes, n);
		r = vmmu_insn_decode(&insn, modes[i % 3]);
		if (!r && insn.len && insn.len <= n && insn.op_bytes && insn.addr_bytes)
			continue;
		if (r == -EINVAL || (r == -ENODATA && n < VMMU_INSN_MAX))
			continue;
		KUNIT_FAIL(test, "%d for %*ph, %u bytes, mode %u", r, 15, bytes, n,
			   modes[i % 3]);
		break;
	}
}

static struct kunit_case decode_cases[] = {
	KUNIT_CASE(lengths),
	KUNIT_CASE(cut_short),
	KUNIT_CASE(too_long),
	KUNIT_CASE(undefined_opcodes),
	KUNIT_CASE(effective_addresses),
	KUNIT_CASE(random_bytes),
	{}
};

static struct kunit_suite decode_suite = {
	.name = "vmmu-decode",
	.test_cases = decode_cases,
};

kunit_test_suites(&decode_suite);
