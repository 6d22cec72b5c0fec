// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC in the kernel: registers, priorities, the timer in its three
 * modes, IPIs of every kind between vCPUs; by memory and by MSR.
 */
#include <kselftest_harness.h>

#include "apic.h"
#include "guest.h"

#define VEC	0x41
#define HIGH	0x82
#define TIMER	0xec

/* Bounded waits: a lost interrupt is a failure, not a hang. */
#define WAIT_FOR(cond)							\
do {									\
	uint64_t __end = guest_rdtsc() + READ(patience);		\
									\
	while (!(cond)) {						\
		if (guest_rdtsc() > __end) {				\
			G_FAIL("timed out: " #cond, 0, 0);		\
			break;						\
		}							\
		cpu_pause();						\
	}								\
} while (0)

static uint64_t patience, tsc_khz;

#define COUNT(cpu, vector)	READ(guest_cpus[cpu].count[vector])

FIXTURE(apic) {
	struct guest *g;
};

FIXTURE_VARIANT(apic) {
	bool x2;
};

FIXTURE_VARIANT_ADD(apic, memory) {
	.x2 = false,
};

FIXTURE_VARIANT_ADD(apic, msr) {
	.x2 = true,
};

FIXTURE_SETUP(apic)
{
	struct vcpu probe;

	self->g = guest_new(GUEST_SPLIT);
	probe = *guest_vcpu(self->g, hlt, 0);
	tsc_khz = ioctl(probe.fd, KVM_GET_TSC_KHZ);
	ASSERT_LT(0, tsc_khz);
	/* Ten seconds; a new VM, without the probe. */
	patience = tsc_khz * 10000;
	self->g = guest_new(GUEST_SPLIT);
}

FIXTURE_TEARDOWN(apic)
{
}

static void run_all(struct guest *g)
{
	int i;

	for (i = 0; i < g->nr_vcpus; i++)
		vcpu_start(&g->vcpu[i]);
	for (i = 0; i < g->nr_vcpus; i++)
		vcpu_join(&g->vcpu[i]);
}

static void g_registers(uint64_t x2)
{
	G_EQ(rdmsr(MSR_APIC_BASE), APIC_BASE_ADDRESS | 0x900);
	apic_enable(x2);
	G_EQ(rdmsr(MSR_APIC_BASE), APIC_BASE_ADDRESS | 0x900 | x2 << 10);
	G_EQ(apic_id(), 0);
	/* Version 0x1x, at least 4 LVT entries. */
	G_EQ(apic_read(APIC_LVR) & 0xf0, 0x10);
	G_ASSERT((apic_read(APIC_LVR) >> 16 & 0xff) >= 3);
	G_EQ(apic_read(APIC_SPIV), 0x1ff);
	/* The lower half of the TPR is not kept by every processor. */
	apic_write(APIC_TPR, 0x50);
	G_EQ(apic_read(APIC_TPR), 0x50);
	G_EQ(read_cr8(), 5);
	write_cr8(9);
	G_EQ(apic_read(APIC_TPR), 0x90);
	G_EQ(apic_read(APIC_PPR), 0x90);
	write_cr8(0);
	apic_write(APIC_LVTT, LVT_MASKED | TIMER);
	G_EQ(apic_read(APIC_LVTT), LVT_MASKED | TIMER);
	if (x2) {
		uint64_t value;

		/* Logical id: cluster in the upper, bit in the lower half. */
		G_EQ(apic_read(APIC_LDR), 1);
		/* No such registers here; read-only ones; no way back. */
		G_EQ(rdmsr_try(MSR_X2APIC + (APIC_DFR >> 4), &value), GP_VECTOR);
		G_EQ(rdmsr_try(MSR_X2APIC + (APIC_ICR2 >> 4), &value),
		     GP_VECTOR);
		G_EQ(wrmsr_try(MSR_X2APIC + (APIC_ID >> 4), 0), GP_VECTOR);
		G_EQ(wrmsr_try(MSR_APIC_BASE, APIC_BASE_ADDRESS | 0x900),
		     GP_VECTOR);
	} else {
		apic_write(APIC_LDR, 0x02000000);
		G_EQ(apic_read(APIC_LDR), 0x02000000);
		/* Reserved bits of the DFR read as ones. */
		apic_write(APIC_DFR, 0x0);
		G_EQ(apic_read(APIC_DFR), 0x0fffffff);
		/* x2APIC MSRs fault in this mode. */
		G_EQ(rdmsr_try(MSR_X2APIC + 2, &(uint64_t){ 0 }), GP_VECTOR);
	}
}

TEST_F(apic, registers)
{
	run_done(guest_vcpu(self->g, g_registers, variant->x2));
}

static void self_ipi(uint32_t vector)
{
	apic_ipi(0, ICR_SELF | ICR_FIXED | vector);
}

static uint64_t order[8], nr_order;

static void in_order(struct guest_frame *f)
{
	order[nr_order++] = f->vector;
	G_ASSERT(apic_bit(APIC_ISR, f->vector));
	G_ASSERT(!apic_bit(APIC_IRR, f->vector));
	if (f->vector == VEC && nr_order == 1) {
		/* A higher class interrupts this one, its own does not. */
		G_EQ(apic_read(APIC_PPR), VEC & 0xf0);
		sti();
		self_ipi(VEC + 1);
		self_ipi(HIGH);
		asm volatile("nop; nop; nop" : : : "memory");
		cli();
		G_EQ(nr_order, 2);
	}
	apic_eoi();
}

static void g_priority(uint64_t x2)
{
	apic_enable(x2);
	guest_handler[VEC] = in_order;
	guest_handler[VEC + 1] = in_order;
	guest_handler[HIGH] = in_order;

	/* With interrupts off they wait in the IRR. */
	self_ipi(VEC);
	G_ASSERT(apic_bit(APIC_IRR, VEC));
	G_EQ(nr_order, 0);
	sti();
	asm volatile("nop; nop" : : : "memory");
	cli();
	G_EQ(nr_order, 3);
	G_EQ(order[0], VEC);
	G_EQ(order[1], HIGH);
	G_EQ(order[2], VEC + 1);

	/* Both pending: the higher first. */
	nr_order = 1;
	self_ipi(VEC);
	self_ipi(HIGH);
	sti();
	asm volatile("nop; nop" : : : "memory");
	cli();
	G_EQ(nr_order, 3);
	G_EQ(order[1], HIGH);
	G_EQ(order[2], VEC);

	/* The TPR holds a class and all below. */
	nr_order = 1;
	write_cr8(HIGH >> 4);
	self_ipi(VEC);
	self_ipi(HIGH);
	sti();
	asm volatile("nop; nop" : : : "memory");
	G_EQ(nr_order, 1);
	write_cr8((HIGH >> 4) - 1);
	asm volatile("nop; nop" : : : "memory");
	G_EQ(nr_order, 2);
	apic_write(APIC_TPR, 0);
	asm volatile("nop; nop" : : : "memory");
	cli();
	G_EQ(nr_order, 3);
	G_EQ(apic_read(APIC_PPR), 0);
}

TEST_F(apic, priority)
{
	run_done(guest_vcpu(self->g, g_priority, variant->x2));
}

/* The shadow of STI and MOV SS: no interrupt behind the next instruction. */
static void g_shadow(uint64_t x2)
{
	uint64_t before;

	apic_enable(x2);
	guest_handler[VEC] = apic_count;
	self_ipi(VEC);
	asm volatile("sti\n\tmov %1, %0\n\tcli"
		     : "=r"(before) : "m"(guest_cpus[0].count[VEC]) : "memory");
	G_EQ(before, 0);
	sti();
	asm volatile("nop" : : : "memory");
	cli();
	G_EQ(COUNT(0, VEC), 1);
}

TEST_F(apic, shadow)
{
	run_done(guest_vcpu(self->g, g_shadow, variant->x2));
}

static void g_one_shot(uint64_t x2)
{
	uint64_t i, ms = tsc_khz;

	apic_enable(x2);
	guest_handler[TIMER] = apic_count;
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVTT, TIMER);
	for (i = 1; i <= 5; i++) {
		uint32_t left;

		apic_write(APIC_TMICT, 2000000);	/* 2 ms of a 1 GHz bus */
		left = apic_read(APIC_TMCCT);
		G_ASSERT(left <= 2000000);
		/* Alternately asleep and awake. */
		if (i & 1) {
			while (COUNT(0, TIMER) < i)
				sti_hlt();
		} else {
			sti();
			WAIT_FOR(COUNT(0, TIMER) == i);
			cli();
		}
		G_EQ(apic_read(APIC_TMCCT), 0);
	}
	/* It comes once. */
	for (i = guest_rdtsc() + 5 * ms, sti(); guest_rdtsc() < i;)
		cpu_pause();
	cli();
	G_EQ(COUNT(0, TIMER), 5);
	/* Masked: it counts, and does not interrupt. */
	apic_write(APIC_LVTT, LVT_MASKED | TIMER);
	apic_write(APIC_TMICT, 100000);
	WAIT_FOR(!apic_read(APIC_TMCCT));
	for (i = guest_rdtsc() + 5 * ms, sti(); guest_rdtsc() < i;)
		cpu_pause();
	cli();
	G_EQ(COUNT(0, TIMER), 5);
	/*
	 * Zero stops it. (Also before the mask goes: KVM keeps what came in
	 * when it was masked and delivers it then.)
	 */
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_LVTT, TIMER);
	apic_write(APIC_TMICT, 5000000);
	apic_write(APIC_TMICT, 0);
	G_EQ(apic_read(APIC_TMCCT), 0);
	for (i = guest_rdtsc() + 8 * ms, sti(); guest_rdtsc() < i;)
		cpu_pause();
	cli();
	G_EQ(COUNT(0, TIMER), 5);
}

TEST_F(apic, timer_one_shot)
{
	run_done(guest_vcpu(self->g, g_one_shot, variant->x2));
}

static void g_periodic(uint64_t x2)
{
	uint64_t n, end;

	apic_enable(x2);
	guest_handler[TIMER] = apic_count;
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVTT, TIMER | LVT_PERIODIC);
	apic_write(APIC_TMICT, 2000000);
	while (COUNT(0, TIMER) < 5)
		sti_hlt();
	sti();
	WAIT_FOR(COUNT(0, TIMER) >= 8);
	cli();
	G_ASSERT(apic_read(APIC_TMCCT) <= 2000000);
	apic_write(APIC_TMICT, 0);
	sti();
	asm volatile("nop" : : : "memory");
	n = COUNT(0, TIMER);
	for (end = guest_rdtsc() + 6 * tsc_khz; guest_rdtsc() < end;)
		cpu_pause();
	cli();
	G_ASSERT(COUNT(0, TIMER) <= n + 1);
}

TEST_F(apic, timer_periodic)
{
	run_done(guest_vcpu(self->g, g_periodic, variant->x2));
}

static void g_deadline(uint64_t x2)
{
	uint64_t i, at;

	apic_enable(x2);
	guest_handler[TIMER] = apic_count;
	apic_write(APIC_LVTT, TIMER | LVT_DEADLINE);
	for (i = 1; i <= 5; i++) {
		at = guest_rdtsc() + tsc_khz * 2;
		wrmsr(MSR_TSC_DEADLINE, at);
		if (i & 1) {
			while (COUNT(0, TIMER) < i)
				sti_hlt();
		} else {
			sti();
			WAIT_FOR(COUNT(0, TIMER) == i);
			cli();
		}
		/* Never early; disarmed by firing. */
		G_ASSERT(guest_rdtsc() >= at);
		G_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
	}
	/* In the past: at once. */
	wrmsr(MSR_TSC_DEADLINE, guest_rdtsc() - 1000);
	sti();
	WAIT_FOR(COUNT(0, TIMER) == 6);
	cli();
	/*
	 * Zero disarms; the initial count means nothing in this mode. So far ahead that a
	 * host which is busy elsewhere does not get there before the second write.
	 */
	wrmsr(MSR_TSC_DEADLINE, guest_rdtsc() + tsc_khz * 100);
	wrmsr(MSR_TSC_DEADLINE, 0);
	apic_write(APIC_TMICT, 1000);
	G_EQ(apic_read(APIC_TMCCT), 0);
	for (at = guest_rdtsc() + 110 * tsc_khz, sti(); guest_rdtsc() < at;)
		cpu_pause();
	cli();
	G_EQ(COUNT(0, TIMER), 6);
	/* Other modes leave the MSR at 0. */
	apic_write(APIC_LVTT, TIMER);
	wrmsr(MSR_TSC_DEADLINE, guest_rdtsc() + 1000000);
	G_EQ(rdmsr(MSR_TSC_DEADLINE), 0);
}

TEST_F(apic, timer_deadline)
{
	run_done(guest_vcpu(self->g, g_deadline, variant->x2));
}

/* IPIs: vCPU 0 sends, the others count until they are told to stop. */
static uint64_t ready, finished;

static void g_receiver(uint64_t x2)
{
	struct guest_cpu *cpu = this_cpu();

	apic_enable(x2);
	if (!x2) {
		apic_write(APIC_DFR, 0xffffffff);
		apic_write(APIC_LDR, 1u << (24 + cpu->id));
	}
	guest_handler[VEC] = apic_count;
	guest_handler[HIGH] = apic_count;
	guest_handler[NMI_VECTOR] = guest_count;
	__sync_fetch_and_add(&ready, 1);
	/* Odd ones sleep, even ones spin. */
	while (!READ(finished)) {
		if (cpu->id & 1) {
			sti_hlt();
		} else {
			sti();
			cpu_pause();
			cli();
		}
	}
}

static uint64_t others;		/* vCPUs besides 0 */

static void sender_begin(uint64_t x2)
{
	apic_enable(x2);
	if (!x2) {
		apic_write(APIC_DFR, 0xffffffff);
		apic_write(APIC_LDR, 1u << 24);
	}
	guest_handler[VEC] = apic_count;
	guest_handler[HIGH] = apic_count;
	guest_handler[NMI_VECTOR] = guest_count;
	WAIT_FOR(READ(ready) == others);
}

static void sender_end(void)
{
	uint64_t i;

	WRITE(finished, 1);
	/* Wake the sleepers, whatever they have got so far. */
	for (i = 1; i <= others; i++)
		apic_ipi(i, ICR_FIXED | ICR_ASSERT | HIGH);
}

static void g_fixed(uint64_t x2)
{
	uint64_t i, n;

	sender_begin(x2);
	for (n = 1; n <= 20; n++) {
		for (i = 1; i <= others; i++) {
			apic_ipi(i, ICR_FIXED | ICR_ASSERT | VEC);
			WAIT_FOR(COUNT(i, VEC) == n);
		}
	}
	G_EQ(COUNT(0, VEC), 0);
	/* All but self, all, nobody. */
	apic_ipi(0, ICR_OTHERS | ICR_ASSERT | VEC);
	for (i = 1; i <= others; i++)
		WAIT_FOR(COUNT(i, VEC) == 21);
	apic_ipi(0, ICR_ALL | ICR_ASSERT | VEC);
	for (i = 1; i <= others; i++)
		WAIT_FOR(COUNT(i, VEC) == 22);
	sti();
	asm volatile("nop; nop" : : : "memory");
	cli();
	G_EQ(COUNT(0, VEC), 1);
	apic_ipi(others + 7, ICR_FIXED | ICR_ASSERT | VEC);
	/* Logical: two at once; bit per vCPU in flat mode, in cluster 0. */
	apic_ipi(6, ICR_LOGICAL | ICR_ASSERT | VEC);
	WAIT_FOR(COUNT(1, VEC) == 23);
	if (others >= 2)
		WAIT_FOR(COUNT(2, VEC) == 23);
	if (others >= 3)
		G_EQ(COUNT(3, VEC), 22);
	G_EQ(COUNT(0, VEC), 1);
	/* Broadcast by destination. */
	apic_ipi(x2 ? -1u : 0xff, ICR_FIXED | ICR_ASSERT | VEC);
	WAIT_FOR(COUNT(1, VEC) == 24);
	sti();
	asm volatile("nop; nop" : : : "memory");
	cli();
	G_EQ(COUNT(0, VEC), 2);
	sender_end();
}

static void with_receivers(struct guest *g, void *sender, int n, bool x2)
{
	int i;

	others = n;
	guest_var(g, others) = n;
	guest_var(g, patience) = patience;
	guest_vcpu(g, sender, x2);
	for (i = 0; i < n; i++)
		guest_vcpu(g, g_receiver, x2);
	run_all(g);
}

TEST_F(apic, ipi_fixed_2)
{
	with_receivers(self->g, g_fixed, 1, variant->x2);
}

TEST_F(apic, ipi_fixed_4)
{
	with_receivers(self->g, g_fixed, 3, variant->x2);
}

static void g_nmi(uint64_t x2)
{
	uint64_t i, n;

	sender_begin(x2);
	for (n = 1; n <= 10; n++) {
		for (i = 1; i <= others; i++) {
			apic_ipi(i, ICR_NMI | ICR_ASSERT);
			WAIT_FOR(COUNT(i, NMI_VECTOR) == n);
		}
	}
	G_EQ(COUNT(0, NMI_VECTOR), 0);
	sender_end();
}

TEST_F(apic, ipi_nmi)
{
	with_receivers(self->g, g_nmi, 2, variant->x2);
}

/* Lowest priority: one of the addressed gets it, never two, never none. */
static uint64_t total(uint64_t vector)
{
	uint64_t i, sum = 0;

	for (i = 0; i <= others; i++)
		sum += COUNT(i, vector);
	return sum;
}

static void g_lowest(uint64_t x2)
{
	uint64_t n;

	sender_begin(x2);
	for (n = 1; n <= 20; n++) {
		apic_ipi(0xe, ICR_LOWEST | ICR_LOGICAL | ICR_ASSERT | VEC);
		WAIT_FOR(total(VEC) == n);
	}
	G_EQ(COUNT(0, VEC), 0);
	sender_end();
	G_EQ(total(VEC), 20);
}

TEST_F(apic, ipi_lowest_priority)
{
	with_receivers(self->g, g_lowest, 3, variant->x2);
}

/* Cluster model of the xAPIC's logical destinations. */
static void g_cluster_receiver(uint64_t ldr)
{
	apic_enable(false);
	apic_write(APIC_DFR, 0x0fffffff);
	apic_write(APIC_LDR, ldr << 24);
	guest_handler[VEC] = apic_count;
	__sync_fetch_and_add(&ready, 1);
	while (!READ(finished)) {
		sti();
		cpu_pause();
		cli();
	}
}

static void g_cluster_sender(void)
{
	apic_enable(false);
	apic_write(APIC_DFR, 0x0fffffff);
	apic_write(APIC_LDR, 0x11u << 24);
	WAIT_FOR(READ(ready) == 3);
	apic_ipi(0x12, ICR_LOGICAL | ICR_ASSERT | VEC);
	WAIT_FOR(COUNT(1, VEC) == 1);
	apic_ipi(0x23, ICR_LOGICAL | ICR_ASSERT | VEC);
	WAIT_FOR(COUNT(2, VEC) == 1 && COUNT(3, VEC) == 1);
	G_EQ(COUNT(1, VEC), 1);
	WRITE(finished, 1);
}

TEST(cluster)
{
	struct guest *g = guest_new(GUEST_SPLIT);

	patience = 100000000000;
	guest_var(g, patience) = patience;
	guest_vcpu(g, g_cluster_sender, 0);
	guest_vcpu(g, g_cluster_receiver, 0x12);
	guest_vcpu(g, g_cluster_receiver, 0x21);
	guest_vcpu(g, g_cluster_receiver, 0x22);
	run_all(g);
}

/*
 * INIT and SIPI: the other vCPU starts at the page that the SIPI names, in real
 * mode; a SIPI without INIT does nothing; INIT stops it again.
 */
asm(".pushsection .rodata\n"
    ".code16\n"
    "ap_code:\n"
    "	xor	%ax, %ax\n"
    "	mov	%ax, %ds\n"
    "	lock incl 0x2000\n"
    "	mov	%cs, %ax\n"
    "	mov	%ax, 0x2004\n"
    "1:	incl	0x2008\n"
    "	cmpl	$0, 0x200c\n"
    "	je	1b\n"
    "	outb	%al, $0x11\n"
    "ap_code_end:\n"
    ".code64\n"
    ".popsection\n");

extern const char ap_code[], ap_code_end[];

static void g_starter(uint64_t x2)
{
	uint32_t *starts = (uint32_t *)0x2000, *cs = (uint32_t *)0x2004;
	uint32_t *alive = (uint32_t *)0x2008, *stop = (uint32_t *)0x200c;
	uint32_t before;
	uint64_t end;

	apic_enable(x2);
	G_EQ(READ(*starts), 0);
	apic_ipi(1, ICR_INIT | ICR_ASSERT | ICR_LEVEL);
	apic_ipi(1, ICR_INIT | ICR_LEVEL);
	apic_ipi(1, ICR_STARTUP | ICR_ASSERT | 0x08);
	WAIT_FOR(READ(*starts) == 1);
	WAIT_FOR(READ(*cs) == 0x800);
	/* A second SIPI does not restart it. */
	before = READ(*alive);
	apic_ipi(1, ICR_STARTUP | ICR_ASSERT | 0x09);
	WAIT_FOR(READ(*alive) > before + 100);
	G_EQ(READ(*starts), 1);
	/* INIT stops it where it is. */
	apic_ipi(1, ICR_INIT | ICR_ASSERT);
	end = guest_rdtsc() + 20 * tsc_khz;
	while (guest_rdtsc() < end)
		cpu_pause();
	before = READ(*alive);
	end = guest_rdtsc() + 20 * tsc_khz;
	while (guest_rdtsc() < end)
		cpu_pause();
	G_EQ(READ(*alive), before);
	WRITE(*stop, 1);
	apic_ipi(1, ICR_STARTUP | ICR_ASSERT | 0x09);
	WAIT_FOR(READ(*starts) == 2);
	WAIT_FOR(READ(*cs) == 0x900);
}

TEST_F(apic, init_sipi)
{
	struct guest *g = self->g;
	struct vcpu *ap;
	struct kvm_mp_state s;

	guest_vcpu(g, g_starter, variant->x2);
	ap = guest_vcpu_bare(g);
	vcpu_set_cpuid(ap);
	memcpy(guest_hva(g, 0x8000), ap_code, ap_code_end - ap_code);
	memcpy(guest_hva(g, 0x9000), ap_code, ap_code_end - ap_code);
	run_all(g);
	ASSERT_EQ(0, ioctl(ap->fd, KVM_GET_MP_STATE, &s));
	ASSERT_EQ(KVM_MP_STATE_RUNNABLE, s.mp_state);
	ASSERT_EQ(0x900, vcpu_sregs(ap).cs.selector);
	ASSERT_EQ(0x9000, vcpu_sregs(ap).cs.base);
	ASSERT_EQ(0, vcpu_sregs(ap).cr0 & 1);
}

/* What user space sets in the APIC is delivered; what it reads is current. */
static void g_restored(void)
{
	guest_handler[VEC] = apic_count;
	guest_sync(0, 0, 0);
	sti();
	asm volatile("nop; nop" : : : "memory");
	cli();
	G_EQ(COUNT(0, VEC), 1);
	apic_ipi(0, ICR_SELF | HIGH);
	guest_sync(1, 0, 0);
}

TEST(restored)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_restored, 0);
	struct kvm_lapic_state l;

	run_sync(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_LAPIC, &l));
	*(uint32_t *)(l.regs + APIC_SPIV) = 0x1ff;
	*(uint32_t *)(l.regs + APIC_IRR + 0x10 * (VEC / 32)) = 1u << VEC % 32;
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_LAPIC, &l));
	run_sync(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_LAPIC, &l));
	ASSERT_EQ(1u << HIGH % 32,
		  *(uint32_t *)(l.regs + APIC_IRR + 0x10 * (HIGH / 32)));
	run_done(v);
}

/* ExtINT: an interrupt of user space's PIC, through LVT0. */
static void g_extint(void)
{
	apic_enable(false);
	guest_handler[VEC] = guest_count;
	apic_write(APIC_LVT0, 0x700);
	guest_sync(0, 0, 0);
	sti();
	asm volatile("nop; nop" : : : "memory");
	cli();
	guest_sync(COUNT(0, VEC), 0, 0);
	while (COUNT(0, VEC) < 2)
		sti_hlt();
}

TEST(extint)
{
	struct guest *g = guest_new(GUEST_SPLIT);
	struct vcpu *v = guest_vcpu(g, g_extint, 0);
	struct kvm_interrupt irq = { .irq = VEC };

	run_sync(v);
	v->run->request_interrupt_window = 1;
	run_exit(v, KVM_EXIT_IRQ_WINDOW_OPEN);
	ASSERT_EQ(1, v->run->ready_for_interrupt_injection);
	v->run->request_interrupt_window = 0;
	ASSERT_EQ(0, ioctl(v->fd, KVM_INTERRUPT, &irq));
	ASSERT_EQ(1, run_sync(v).a);
	/* The guest halts now: that opens the window too. */
	v->run->request_interrupt_window = 1;
	run_exit(v, KVM_EXIT_IRQ_WINDOW_OPEN);
	v->run->request_interrupt_window = 0;
	ASSERT_EQ(0, ioctl(v->fd, KVM_INTERRUPT, &irq));
	run_done(v);
}

TEST_HARNESS_MAIN
