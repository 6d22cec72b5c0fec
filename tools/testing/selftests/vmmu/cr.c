// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every instruction that reads or writes a control register, with caches on
 * and with CR0.CD set: on bare metal the hypervisor keeps CD to itself and has
 * to carry these instructions out, elsewhere the processor does.
 */
#include <kselftest_harness.h>

#include "apic.h"
#include "guest.h"

#define CR8_LEGACY	(1u << 4)	/* CPUID 0x80000001 ECX */

static uint16_t word;

static uint64_t smsw_register(void)
{
	uint64_t v;

	asm volatile("smsw %q0" : "=r"(v));
	return v;
}

static uint16_t smsw_memory(void)
{
	asm volatile("smsw %0" : "=m"(word) : : "memory");
	return READ(word);
}

static void g_cr0_forms(void)
{
	uint64_t cr0 = read_cr0(), v;

	G_ASSERT(!(cr0 & X86_CR0_TS));
	G_EQ(smsw_register() & 0xffff, cr0 & 0xffff);
	G_EQ(smsw_memory(), cr0 & 0xffff);

	/* LMSW sets TS from a register, MP stays, PE cannot be cleared. */
	asm volatile("lmsw %w0" : : "r"(X86_CR0_TS | X86_CR0_MP) : "memory");
	G_EQ(read_cr0(), (cr0 & ~0xeul) | X86_CR0_TS | X86_CR0_MP);
	asm volatile("clts" : : : "memory");
	G_EQ(read_cr0(), (cr0 & ~0xeul) | X86_CR0_MP);
	word = X86_CR0_TS;
	asm volatile("lmsw %0" : : "m"(word) : "memory");
	G_EQ(read_cr0(), (cr0 & ~0xeul) | X86_CR0_TS);
	write_cr0(cr0);
	G_EQ(read_cr0(), cr0);

	/* High registers and RSP's number take REX. */
	asm volatile("mov %%cr0, %%r12; mov %%r12, %0" : "=r"(v) : : "r12");
	G_EQ(v, cr0);
	asm volatile("mov %1, %%r13; mov %%r13, %%cr0; mov %%cr0, %0"
		     : "=r"(v) : "r"(cr0 | X86_CR0_AM) : "r13", "memory");
	G_EQ(v, cr0 | X86_CR0_AM);
	write_cr0(cr0);
	asm volatile("mov %%rsp, %%r12; mov %%cr0, %%rsp; mov %%rsp, %0; mov %%r12, %%rsp"
		     : "=r"(v) : : "r12");
	G_EQ(v, cr0);
}

static void g_other_crs(void)
{
	uint64_t cr2 = 0x123456789000, cr3, cr4 = read_cr4(), v;
	uint32_t regs[4];

	asm volatile("mov %1, %%cr2; mov %%cr2, %0" : "=r"(v) : "r"(cr2));
	G_EQ(v, cr2);
	asm volatile("mov %%cr3, %0" : "=r"(cr3));
	asm volatile("mov %1, %%cr3; mov %%cr3, %0" : "=r"(v) : "r"(cr3) : "memory");
	G_EQ(v, cr3);
	asm volatile("mov %1, %%cr4; mov %%cr4, %0"
		     : "=r"(v) : "r"(cr4 ^ X86_CR4_PGE) : "memory");
	G_EQ(v, cr4 ^ X86_CR4_PGE);
	asm volatile("mov %1, %%cr4; mov %%cr4, %0"
		     : "=r"(v) : "r"(cr4 | X86_CR4_MCE) : "memory");
	G_EQ(v, cr4 | X86_CR4_MCE);
	asm volatile("mov %1, %%cr4; mov %%cr4, %0"
		     : "=r"(v) : "r"(cr4 & ~X86_CR4_MCE) : "memory");
	G_EQ(v, cr4 & ~X86_CR4_MCE);
	asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
	asm volatile("mov %1, %%cr8; mov %%cr8, %0" : "=r"(v) : "r"(9ul));
	G_EQ(v, 9);
	/* LOCK MOV CR0 is how AMD's processors name it without REX. */
	cpuid_count(0x80000001, 0, regs);
	if (regs[2] & CR8_LEGACY) {
		asm volatile(".byte 0xf0, 0x0f, 0x22, 0xc0" : : "a"(7ul) : "memory");
		asm volatile("mov %%cr8, %0" : "=r"(v));
		G_EQ(v, 7);
		asm volatile(".byte 0xf0, 0x0f, 0x20, 0xc0" : "=a"(v));
		G_EQ(v, 7);
	}
	asm volatile("mov %0, %%cr8" : : "r"(0ul));
}

static void g_forms(uint64_t cd)
{
	write_cr0(read_cr0() | cd);
	G_EQ(read_cr0() & X86_CR0_CD, cd);
	g_cr0_forms();
	g_other_crs();
	G_EQ(read_cr0() & X86_CR0_CD, cd);
	write_cr0(read_cr0() & ~X86_CR0_CD);
	G_ASSERT(!(read_cr0() & X86_CR0_CD));
}

TEST(forms)
{
	struct guest *g = guest_new(0);

	run_done(guest_vcpu(g, g_forms, 0));
}

TEST(forms_caches_off)
{
	struct guest *g = guest_new(0);

	run_done(guest_vcpu(g, g_forms, X86_CR0_CD));
}

/* What user space reads is what the guest reads, and the other way round. */
static void g_user_sees(void)
{
	write_cr0(read_cr0() | X86_CR0_CD);
	guest_sync(read_cr0(), read_cr4(), 0);
	guest_sync(read_cr0(), read_cr4(), 0);
}

TEST(user_sees)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_user_sees, 0);
	struct kvm_sregs s;
	struct ucall u;

	u = run_sync(v);
	s = vcpu_sregs(v);
	ASSERT_EQ(u.a, s.cr0);
	ASSERT_EQ(u.b, s.cr4);
	ASSERT_NE(0, s.cr0 & X86_CR0_CD);
	s.cr0 ^= X86_CR0_CD | X86_CR0_WP;
	s.cr4 ^= X86_CR4_MCE;
	vcpu_set_sregs(v, &s);
	u = run_sync(v);
	ASSERT_EQ(s.cr0, u.a);
	ASSERT_EQ(s.cr4, u.b);
	run_done(v);
}

/* CR8 and the APIC's TPR are one register. */
static void g_tpr(void)
{
	apic_enable(true);
	write_cr8(5);
	G_EQ(apic_read(APIC_TPR), 0x50);
	apic_write(APIC_TPR, 0x70);
	G_EQ(read_cr8(), 7);
	write_cr8(0);
	G_EQ(apic_read(APIC_TPR), 0);
}

TEST(tpr)
{
	struct guest *g = guest_new(GUEST_SPLIT);

	run_done(guest_vcpu(g, g_tpr, 0));
}

TEST_HARNESS_MAIN
