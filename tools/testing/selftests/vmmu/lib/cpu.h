/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's side of a test: instructions as functions, reports to the host,
 * traps.
 *
 * A guest is plain C of the test program itself. The whole program image is
 * copied to the guest-physical address that it is linked at and the guest's
 * page tables map it there one to one, so guest functions, their constants and
 * their global variables need no special section and no relocation. Each guest
 * has its own copy of every global variable (see guest_var() in guest.h).
 *
 * Guest code must not call the C library: it has no thread pointer and no
 * system calls.
 */
#ifndef VMMU_SELFTEST_CPU_H
#define VMMU_SELFTEST_CPU_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>

/* Ports by which a guest talks to its test, see ucall() and vcpu_run_ucall(). */
#define UCALL_SYNC	0x10	/* a, b, c: what the test wants to know */
#define UCALL_DONE	0x11	/* the guest's function has returned */
#define UCALL_FAIL	0x12	/* a: line, b: text, c: left value, d: right value */
#define UCALL_TRAP	0x13	/* a: vector, b: error code, c: rip, d: cr2 */

#define GUEST_MAX_VCPUS	64

/* Selectors of the long-mode GDT that the library builds. */
#define SEL_CODE64	0x08
#define SEL_DATA	0x10
#define SEL_USER_CODE	0x1b
#define SEL_USER_DATA	0x23
#define SEL_CODE32	0x28
#define SEL_CODE16	0x30
#define SEL_DATA16	0x38
#define SEL_TSS		0x40

#define X86_CR0_PE	(1ul << 0)
#define X86_CR0_MP	(1ul << 1)
#define X86_CR0_TS	(1ul << 3)
#define X86_CR0_ET	(1ul << 4)
#define X86_CR0_NE	(1ul << 5)
#define X86_CR0_WP	(1ul << 16)
#define X86_CR0_AM	(1ul << 18)
#define X86_CR0_NW	(1ul << 29)
#define X86_CR0_CD	(1ul << 30)
#define X86_CR0_PG	(1ul << 31)
#define X86_CR4_TSD	(1ul << 2)
#define X86_CR4_PSE	(1ul << 4)
#define X86_CR4_PAE	(1ul << 5)
#define X86_CR4_MCE	(1ul << 6)
#define X86_CR4_PGE	(1ul << 7)
#define X86_CR4_OSFXSR	(1ul << 9)
#define X86_CR4_OSXMMEXCPT	(1ul << 10)
#define X86_CR4_OSXSAVE	(1ul << 18)
#define X86_CR4_SMEP	(1ul << 20)
#define X86_CR4_SMAP	(1ul << 21)
#define EFER_SCE	(1ul << 0)
#define EFER_LME	(1ul << 8)
#define EFER_LMA	(1ul << 10)
#define EFER_NX		(1ul << 11)
#define X86_FLAGS_CF	(1ul << 0)
#define X86_FLAGS_FIXED	(1ul << 1)
#define X86_FLAGS_TF	(1ul << 8)
#define X86_FLAGS_IF	(1ul << 9)
#define X86_FLAGS_DF	(1ul << 10)

#define PTE_P		(1ul << 0)
#define PTE_W		(1ul << 1)
#define PTE_U		(1ul << 2)
#define PTE_A		(1ul << 5)
#define PTE_D		(1ul << 6)
#define PTE_PS		(1ul << 7)
#define PTE_NX		(1ul << 63)

/* The other vectors are in <asm/kvm.h>. */
#define NMI_VECTOR	2
#define NO_TRAP		0xffff

#define MSR_TSC			0x10
#define MSR_APIC_BASE		0x1b
#define MSR_TSC_ADJUST		0x3b
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_PAT			0x277
#define MSR_TSC_DEADLINE	0x6e0
#define MSR_X2APIC		0x800
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_SFMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_TSC_AUX		0xc0000103
#define MSR_KVMCLOCK_WALL	0x4b564d00
#define MSR_KVMCLOCK		0x4b564d01
#define MSR_PV_EOI		0x4b564d04

/* What the stubs in trap.S leave on the stack. */
struct guest_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* One per vCPU, found by the guest through its GS base. */
struct guest_cpu {
	struct guest_cpu *self;		/* offset 0: this_cpu() */
	uint64_t fixup;			/* offset 8: where guest_try() goes on */
	uint64_t kernel_rsp;		/* offset 16: of guest_user_call() */
	uint64_t vector, error, rip, cr2;	/* the last trap of guest_try() */
	uint64_t id;
	uint64_t count[256];		/* for handlers that only count */
};

static_assert(offsetof(struct guest_cpu, fixup) == 8, "guest_try() knows");
static_assert(offsetof(struct guest_cpu, kernel_rsp) == 16, "trap.S knows");

extern struct guest_cpu guest_cpus[GUEST_MAX_VCPUS];

/* An interrupt gate of 32-bit protected mode. */
static inline uint64_t int_gate32(const char *handler)
{
	uint64_t at = (uint64_t)handler;

	return (at & 0xffff) | (uint64_t)SEL_CODE32 << 16 | 0x8eull << 40 | (at >> 16) << 48;
}

/* Called for a vector outside guest_try(); none: the test fails. */
extern void (*guest_handler[256])(struct guest_frame *frame);

void guest_trap(struct guest_frame *frame);
/* A handler that adds one to this_cpu()->count[vector]. */
void guest_count(struct guest_frame *frame);

/* Call @fn at CPL 3, on the same stack. */
void guest_user_call(void (*fn)(void));

static inline struct guest_cpu *this_cpu(void)
{
	struct guest_cpu *cpu;

	asm volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

static inline void ucall4(const uint16_t port, uint64_t a, uint64_t b,
			  uint64_t c, uint64_t d)
{
	asm volatile("outb %%al, %%dx" : : "d"(port), "D"(a), "S"(b), "b"(c),
		     "c"(d) : "memory");
}

/* Tell the test three numbers; it gets them by vcpu_run_ucall(). */
static inline void guest_sync(uint64_t a, uint64_t b, uint64_t c)
{
	ucall4(UCALL_SYNC, a, b, c, 0);
}

#define G_FAIL(text, left, right)					\
	ucall4(UCALL_FAIL, __LINE__, (uint64_t)(text), (uint64_t)(left),	\
	       (uint64_t)(right))

#define G_ASSERT(cond)							\
do {									\
	if (!(cond))							\
		G_FAIL(#cond, 0, 1);					\
} while (0)

#define G_EQ(left, right)						\
do {									\
	uint64_t __l = (uint64_t)(left), __r = (uint64_t)(right);	\
									\
	if (__l != __r)							\
		G_FAIL(#left " == " #right, __l, __r);			\
} while (0)

#define G_OPERANDS(...) __VA_ARGS__

/*
 * Execute @insn; the value is NO_TRAP or the vector that it raised, the rest
 * is in this_cpu(). @outs and @ins are operand lists in G_OPERANDS().
 */
#define guest_try(insn, outs, ins)					\
({									\
	struct guest_cpu *__cpu = this_cpu();				\
									\
	__cpu->vector = NO_TRAP;					\
	asm volatile("lea 77f(%%rip), %%r11\n\t"			\
		     "mov %%r11, %%gs:8\n\t"				\
		     insn "\n"						\
		     "77: movq $0, %%gs:8"				\
		     : outs : ins : "r11", "memory", "cc");		\
	*(volatile uint64_t *)&__cpu->vector;				\
})

#define __PORT_IO(name, type, insn)					\
static inline void out##name(uint16_t port, type value)		\
{									\
	asm volatile("out" #name " %0, %1"				\
		     : : "a"(value), "Nd"(port) : "memory");		\
}									\
static inline type in##name(uint16_t port)				\
{									\
	type value;							\
									\
	asm volatile("in" #name " %1, %0"				\
		     : "=a"(value) : "Nd"(port) : "memory");		\
	return value;							\
}

__PORT_IO(b, uint8_t, b)
__PORT_IO(w, uint16_t, w)
__PORT_IO(l, uint32_t, l)

#define __MEM_IO(bits, insn)						\
static inline uint##bits##_t read##bits(const volatile void *p)	\
{									\
	uint##bits##_t v;						\
									\
	asm volatile("mov %1, %0" : "=r"(v)				\
		     : "m"(*(const volatile uint##bits##_t *)p)	\
		     : "memory");					\
	return v;							\
}									\
static inline void write##bits(volatile void *p, uint##bits##_t v)	\
{									\
	asm volatile("mov %1, %0"					\
		     : "=m"(*(volatile uint##bits##_t *)p)		\
		     : "r"(v) : "memory");				\
}

__MEM_IO(8, b)
__MEM_IO(16, w)
__MEM_IO(32, l)
__MEM_IO(64, q)

static inline uint64_t rdmsr(uint32_t index)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
	asm volatile("wrmsr" : : "c"(index), "a"((uint32_t)value),
		     "d"((uint32_t)(value >> 32)) : "memory");
}

/* rdmsr and wrmsr that may fault; the value is as of guest_try(). */
static inline uint64_t rdmsr_try(uint32_t index, uint64_t *value)
{
	uint32_t lo = 0, hi = 0;
	uint64_t vector;

	vector = guest_try("rdmsr", G_OPERANDS("+a"(lo), "+d"(hi)),
			   G_OPERANDS("c"(index)));
	*value = (uint64_t)hi << 32 | lo;
	return vector;
}

static inline uint64_t wrmsr_try(uint32_t index, uint64_t value)
{
	return guest_try("wrmsr", G_OPERANDS(),
			 G_OPERANDS("c"(index), "a"((uint32_t)value),
				    "d"((uint32_t)(value >> 32))));
}

static inline void cpuid_count(uint32_t leaf, uint32_t index, uint32_t *out)
{
	asm volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]),
		     "=d"(out[3]) : "a"(leaf), "c"(index) : "memory");
}

static inline uint64_t guest_rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

#define __CONTROL_REGISTER(reg)						\
static inline uint64_t read_##reg(void)					\
{									\
	uint64_t v;							\
									\
	asm volatile("mov %%" #reg ", %0" : "=r"(v) : : "memory");	\
	return v;							\
}									\
static inline void write_##reg(uint64_t v)				\
{									\
	asm volatile("mov %0, %%" #reg : : "r"(v) : "memory");		\
}

__CONTROL_REGISTER(cr0)
__CONTROL_REGISTER(cr2)
__CONTROL_REGISTER(cr3)
__CONTROL_REGISTER(cr4)
__CONTROL_REGISTER(cr8)
__CONTROL_REGISTER(dr0)
__CONTROL_REGISTER(dr3)
__CONTROL_REGISTER(dr6)
__CONTROL_REGISTER(dr7)

static inline void sti(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void cli(void)
{
	asm volatile("cli" : : : "memory");
}

static inline void hlt(void)
{
	asm volatile("hlt" : : : "memory");
}

/* Wait for an interrupt without a window in which it could be missed. */
static inline void sti_hlt(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

static inline void cpu_pause(void)
{
	asm volatile("pause" : : : "memory");
}

#define READ(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE(x, v)	(*(volatile typeof(x) *)&(x) = (v))

/* xorshift64*: the same numbers on both sides from one seed. */
static inline uint64_t rng(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

#endif
