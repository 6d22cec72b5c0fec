// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM that is stopped wherever it happens to be goes on in a fresh one as if
 * nothing had happened, and what the fresh one says of its state is what it was
 * given, bit for bit. Only what counts by itself may have gone on counting.
 */
#include <kselftest_harness.h>
#include <signal.h>

#include "machine.h"
#include "pvclock.h"

#define VEC		0x51
#define TIMER		0x61

/* What the last exit began is done; the next instruction has not begun. */
static void settle(struct vcpu *v)
{
	int error;

	v->run->immediate_exit = 1;
	error = vcpu_enter(v);
	if (error != -EINTR)
		DIE("KVM_RUN with immediate_exit: %d", error);
	v->run->immediate_exit = 0;
}

/* To the guest's next report, and from there to another VM. */
static struct ucall sync_and_move(struct machine *m)
{
	struct ucall u = run_sync(&m->g->vcpu[0]);

	settle(&m->g->vcpu[0]);
	machine_move(m);
	return u;
}

/* ---- threads that run a vCPU until they are told to stop ---- */

struct runner {
	struct vcpu *v;
	pthread_t thread;
	bool done;		/* the guest's function has returned */
};

static void nothing(int signal)
{
}

static void *run_until_stopped(void *arg)
{
	struct runner *r = arg;
	int error;

	for (;;) {
		error = vcpu_enter(r->v);
		if (error == -EINTR)
			return NULL;
		/* It waits to be started. */
		if (error == -EAGAIN)
			continue;
		if (error || vcpu_ucall(r->v).kind != UCALL_DONE) {
			vcpu_dump(r->v);
			DIE("vCPU %d: KVM_RUN: %d", r->v->id, error);
		}
		r->done = true;
		return NULL;
	}
}

static void start(struct runner *r, struct vcpu *v)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGUSR1, &action, NULL);
	r->v = v;
	if (pthread_create(&r->thread, NULL, run_until_stopped, r))
		DIE("no thread");
}

static void stop(struct runner *r)
{
	WRITE(r->v->run->immediate_exit, 1);
	pthread_kill(r->thread, SIGUSR1);
	pthread_join(r->thread, NULL);
	r->v->run->immediate_exit = 0;
}

/* ---- one state each ---- */

struct exception {
	uint8_t nr;
	bool pending, has_error, has_payload;
	uint32_t error;
	uint64_t payload;	/* what CR2 or DR6 say then */
};

#define OLD_CR2		0x777000

static const struct exception exception_rows[] = {
	{ .nr = GP_VECTOR, .has_error = true, .error = 0x38 },
	{ .nr = GP_VECTOR, .pending = true, .has_error = true, .error = 0x38 },
	{ .nr = UD_VECTOR, .pending = true },
	{ .nr = PF_VECTOR, .has_error = true, .error = 2, .payload = OLD_CR2 },
	{ .nr = PF_VECTOR, .pending = true, .has_error = true, .error = 2,
	  .has_payload = true, .payload = 0x123000 },
	{ .nr = DB_VECTOR, .pending = true, .has_payload = true,
	  .payload = 0x4000 },
};

static void on_exception(struct guest_frame *f)
{
	uint64_t info = 0;

	if (f->vector == PF_VECTOR)
		info = read_cr2();
	if (f->vector == DB_VECTOR)
		info = read_dr6() & 0xe00f;
	guest_sync(f->vector, f->error, info);
}

static void g_exceptions(void)
{
	uint32_t i;

	guest_handler[DB_VECTOR] = on_exception;
	guest_handler[UD_VECTOR] = on_exception;
	guest_handler[GP_VECTOR] = on_exception;
	guest_handler[PF_VECTOR] = on_exception;
	for (i = 0; i < ARRAY_SIZE(exception_rows); i++) {
		write_dr6(0xffff0ff0);
		guest_sync(1000, 0, 0);
	}
}

static void queue(struct vcpu *v, const struct exception *x)
{
	struct kvm_sregs s = vcpu_sregs(v);
	struct kvm_vcpu_events e;

	s.cr2 = OLD_CR2;
	vcpu_set_sregs(v, &s);
	GET(v->fd, KVM_GET_VCPU_EVENTS, &e);
	e.flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
	e.exception.pending = x->pending;
	e.exception.injected = !x->pending;
	e.exception.nr = x->nr;
	e.exception.has_error_code = x->has_error;
	e.exception.error_code = x->error;
	e.exception_has_payload = x->has_payload;
	e.exception_payload = x->has_payload ? x->payload : 0;
	SET(v->fd, KVM_SET_VCPU_EVENTS, &e);
}

/* Until it is delivered, CR2 and DR6 are those of before. */
TEST(exceptions)
{
	struct machine m = { .flags = GUEST_SPLIT, .payload = true };
	struct kvm_debugregs d;
	struct ucall u;
	uint32_t i;

	machine_new(&m);
	guest_vcpu(m.g, g_exceptions, 0);
	for (i = 0; i < ARRAY_SIZE(exception_rows); i++) {
		const struct exception *x = &exception_rows[i];

		ASSERT_EQ(1000, run_sync(&m.g->vcpu[0]).a);
		settle(&m.g->vcpu[0]);
		queue(&m.g->vcpu[0], x);
		machine_move(&m);
		ASSERT_EQ(OLD_CR2, vcpu_sregs(&m.g->vcpu[0]).cr2);
		GET(m.g->vcpu[0].fd, KVM_GET_DEBUGREGS, &d);
		ASSERT_EQ(0xffff0ff0, d.dr6);
		u = sync_and_move(&m);
		ASSERT_EQ(x->nr, u.a);
		ASSERT_EQ(x->error, u.b);
		ASSERT_EQ(x->payload, u.c);
	}
	run_done(&m.g->vcpu[0]);
}

/* One interrupt in service, another one behind it. */
#define LOW	0x31

static void on_interrupt(struct guest_frame *f)
{
	guest_sync(f->vector, taken(VEC), taken(LOW));
	apic_count(f);
}

static void g_interrupts(uint64_t x2)
{
	apic_enable(x2);
	guest_handler[VEC] = on_interrupt;
	guest_handler[LOW] = on_interrupt;
	apic_ipi(0, ICR_SELF | VEC);
	apic_ipi(0, ICR_SELF | LOW);
	guest_sync(0, 0, 0);
	window();
	guest_sync(1, taken(VEC), taken(LOW));
}

static void two_interrupts(struct __test_metadata *_metadata, bool x2)
{
	struct machine m = { .flags = GUEST_SPLIT };

	machine_new(&m);
	guest_vcpu(m.g, g_interrupts, x2);
	ASSERT_EQ(0, sync_and_move(&m).a);
	ASSERT_EQ(VEC, sync_and_move(&m).a);
	ASSERT_EQ(LOW, sync_and_move(&m).a);
	ASSERT_EQ(1, sync_and_move(&m).b);
	run_done(&m.g->vcpu[0]);
	ASSERT_EQ(1, guest_var(m.g, guest_cpus[0].count[VEC]));
	ASSERT_EQ(1, guest_var(m.g, guest_cpus[0].count[LOW]));
}

TEST(in_service)
{
	two_interrupts(_metadata, false);
}

TEST(in_service_x2apic)
{
	two_interrupts(_metadata, true);
}

/* Stopped while it waits for the guest to let an interrupt in. */
static uint64_t go;

static void g_closed(void)
{
	apic_enable(false);
	guest_handler[VEC] = apic_count;
	apic_ipi(0, ICR_SELF | VEC);
	while (!READ(go))
		cpu_pause();
	G_EQ(taken(VEC), 0);
	window();
	G_EQ(taken(VEC), 1);
}

TEST(closed_window)
{
	struct machine m = { .flags = GUEST_SPLIT };
	struct runner r = { };

	machine_new(&m);
	start(&r, guest_vcpu(m.g, g_closed, 0));
	msleep(30);
	stop(&r);
	machine_move(&m);
	guest_var(m.g, go) = 1;
	run_done(&m.g->vcpu[0]);
}

/* From user space's own interrupt controller: taken over, not yet delivered. */
static void g_injected(void)
{
	guest_handler[VEC] = guest_count;
	sti();
	guest_sync(0, 0, 0);
	G_EQ(taken(VEC), 1);
}

TEST(injected_interrupt)
{
	struct kvm_interrupt irq = { .irq = VEC };
	struct machine m = { };

	machine_new(&m);
	guest_vcpu(m.g, g_injected, 0);
	run_sync(&m.g->vcpu[0]);
	settle(&m.g->vcpu[0]);
	SET(m.g->vcpu[0].fd, KVM_INTERRUPT, &irq);
	machine_move(&m);
	run_done(&m.g->vcpu[0]);
}

/* In an NMI's handler, with the next one waiting for its IRET. */
static void on_nmi(struct guest_frame *f)
{
	guest_count(f);
	guest_sync(taken(NMI_VECTOR), 0, 0);
}

static void g_nmi(void)
{
	guest_handler[NMI_VECTOR] = on_nmi;
	guest_sync(0, 0, 0);
	guest_sync(0, taken(NMI_VECTOR), 0);
}

TEST(nmi)
{
	struct machine m = { .flags = GUEST_SPLIT };
	struct kvm_vcpu_events e;

	machine_new(&m);
	guest_vcpu(m.g, g_nmi, 0);
	ASSERT_EQ(0, sync_and_move(&m).a);
	ASSERT_EQ(0, ioctl(m.g->vcpu[0].fd, KVM_NMI));
	machine_move(&m);
	ASSERT_EQ(1, sync_and_move(&m).a);
	ASSERT_EQ(0, ioctl(m.g->vcpu[0].fd, KVM_NMI));
	machine_move(&m);
	GET(m.g->vcpu[0].fd, KVM_GET_VCPU_EVENTS, &e);
	ASSERT_EQ(1, e.nmi.masked);
	ASSERT_EQ(1, e.nmi.pending);
	ASSERT_EQ(2, sync_and_move(&m).a);
	ASSERT_EQ(2, sync_and_move(&m).b);
	run_done(&m.g->vcpu[0]);
}

/* In the shadow of STI one more instruction comes before the interrupt. */
static uint64_t steps, steps_then;

static void on_shadowed(struct guest_frame *f)
{
	steps_then = steps;
	apic_count(f);
}

static void g_shadowed(void)
{
	apic_enable(false);
	guest_handler[VEC] = on_shadowed;
	apic_ipi(0, ICR_SELF | VEC);
	asm volatile("outb %%al, $0x10\n\tincq %0\n\tincq %0\n\tcli"
		     : "+m"(steps) : : "memory");
	G_EQ(taken(VEC), 1);
	G_EQ(steps_then, 1);
	G_EQ(steps, 2);
}

TEST(shadow)
{
	struct machine m = { .flags = GUEST_SPLIT };
	struct kvm_vcpu_events e;
	struct kvm_regs r;
	struct vcpu *v;

	machine_new(&m);
	v = guest_vcpu(m.g, g_shadowed, 0);
	run_sync(v);
	settle(v);
	r = vcpu_regs(v);
	r.rflags |= X86_FLAGS_IF;
	vcpu_set_regs(v, &r);
	GET(v->fd, KVM_GET_VCPU_EVENTS, &e);
	e.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	SET(v->fd, KVM_SET_VCPU_EVENTS, &e);
	machine_move(&m);
	run_done(&m.g->vcpu[0]);
}

/* Asleep until a timer that is armed goes off. */
static uint64_t tsc_khz, waits_ms;

static void g_asleep(uint64_t mode)
{
	uint64_t from = guest_rdtsc(), ms = READ(waits_ms);

	apic_enable(false);
	guest_handler[TIMER] = apic_count;
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVTT, mode | TIMER);
	if (mode == LVT_DEADLINE)
		wrmsr(MSR_TSC_DEADLINE, from + ms * READ(tsc_khz));
	else
		apic_write(APIC_TMICT, ms * 1000000);
	while (!taken(TIMER))
		sti_hlt();
	/* Not before its time, as the guest sees it. */
	if (mode == LVT_DEADLINE)
		G_ASSERT(guest_rdtsc() >= from + ms * READ(tsc_khz));
	while (mode == LVT_PERIODIC && taken(TIMER) < 3)
		sti_hlt();
}

static void asleep(struct __test_metadata *_metadata, uint64_t mode)
{
	uint64_t ms;

	/* A busy machine may be late; then the guest is given longer. */
	for (ms = 400; ms <= 25600; ms *= 4) {
		struct machine m = { .flags = GUEST_SPLIT };
		struct kvm_mp_state s;
		struct runner r = { };
		struct vcpu *v;
		uint64_t end, began = now_ns();

		machine_new(&m);
		v = guest_vcpu(m.g, g_asleep, mode);
		guest_var(m.g, tsc_khz) = ioctl(v->fd, KVM_GET_TSC_KHZ);
		guest_var(m.g, waits_ms) = ms;
		start(&r, v);
		msleep(30);
		stop(&r);
		GET(v->fd, KVM_GET_MP_STATE, &s);
		if (r.done || s.mp_state != KVM_MP_STATE_HALTED)
			continue;
		/* The timer must not fire while the state is read. */
		if (now_ns() - began > ms * 1000000 / 8)
			continue;
		machine_move(&m);
		memset(&r, 0, sizeof(r));
		start(&r, &m.g->vcpu[0]);
		for (end = now_ns() + 60000000000; !READ(r.done);) {
			ASSERT_LT(now_ns(), end);
			msleep(20);
		}
		stop(&r);
		return;
	}
	DIE("no vCPU was seen halted");
}

TEST(asleep_one_shot)
{
	asleep(_metadata, 0);
}

TEST(asleep_periodic)
{
	asleep(_metadata, LVT_PERIODIC);
}

TEST(asleep_deadline)
{
	asleep(_metadata, LVT_DEADLINE);
}

/* Another vCPU between INIT and SIPI, and between SIPI and its first step. */
asm(".pushsection .rodata\n"
    ".code16\n"
    "ap_code:\n"
    "	xor	%ax, %ax\n"
    "	mov	%ax, %ds\n"
    "	mov	%cs, %ax\n"
    "	mov	%ax, 0x2000\n"
    "	outb	%al, $0x11\n"
    "ap_code_end:\n"
    ".code64\n"
    ".popsection\n");

extern const char ap_code[], ap_code_end[];

static void g_starter(void)
{
	apic_enable(false);
	apic_ipi(1, ICR_INIT | ICR_ASSERT | ICR_LEVEL);
	guest_sync(0, 0, 0);
	apic_ipi(1, ICR_STARTUP | ICR_ASSERT | 0x08);
	guest_sync(0, 0, 0);
}

static uint32_t mp_state(struct vcpu *v)
{
	struct kvm_mp_state s;

	GET(v->fd, KVM_GET_MP_STATE, &s);
	return s.mp_state;
}

TEST(init_and_sipi)
{
	struct machine m = { .flags = GUEST_SPLIT };

	machine_new(&m);
	memcpy(guest_hva(m.g, 0x8000), ap_code, ap_code_end - ap_code);
	guest_vcpu(m.g, g_starter, 0);
	vcpu_set_cpuid(guest_vcpu_bare(m.g));
	ASSERT_EQ(KVM_MP_STATE_UNINITIALIZED, mp_state(&m.g->vcpu[1]));
	sync_and_move(&m);
	ASSERT_EQ(KVM_MP_STATE_INIT_RECEIVED, mp_state(&m.g->vcpu[1]));
	sync_and_move(&m);
	ASSERT_EQ(KVM_MP_STATE_RUNNABLE, mp_state(&m.g->vcpu[1]));
	run_done(&m.g->vcpu[1]);
	ASSERT_EQ(0x800, *(uint16_t *)guest_hva(m.g, 0x2000));
	run_done(&m.g->vcpu[0]);
}

/* A level interrupt in service whose line is still up, and a PIT that ticks. */
#define PIN	20

static void on_level(struct guest_frame *f)
{
	guest_sync(f->vector, taken(VEC), 0);
	apic_count(f);
}

static void tick(struct guest_frame *f)
{
	guest_count(f);
	outb(0x20, PIC_EOI);
}

static void g_chips(void)
{
	uint64_t before;

	pics_setup();
	guest_handler[PIC_VEC] = tick;
	guest_handler[VEC] = on_level;
	outb(0x43, 0x34);
	outb(0x40, 11932 & 0xff);		/* 10 ms */
	outb(0x40, 11932 >> 8);
	ioapic_set(PIN, 0, IOAPIC_LEVEL | VEC);
	guest_sync(0, 0, 0);
	while (taken(VEC) < 2)
		sti_hlt();
	before = taken(PIC_VEC);
	while (taken(PIC_VEC) < before + 5)
		sti_hlt();
	G_EQ(taken(VEC), 2);
	guest_sync(0, 0, 0);
	before = taken(PIC_VEC);
	while (taken(PIC_VEC) < before + 5)
		sti_hlt();
}

TEST(chips)
{
	struct machine m = { .flags = GUEST_IRQCHIP, .pit = true };
	struct ucall u;

	machine_new(&m);
	guest_vcpu(m.g, g_chips, 0);
	sync_and_move(&m);
	line(m.g, PIN, 1);
	machine_move(&m);
	ASSERT_EQ(VEC, sync_and_move(&m).a);
	/* Its line is up in the new VM's state: it comes again. */
	u = sync_and_move(&m);
	ASSERT_EQ(VEC, u.a);
	ASSERT_EQ(1, u.b);
	line(m.g, PIN, 0);
	machine_move(&m);
	ASSERT_EQ(0, sync_and_move(&m).a);
	run_done(&m.g->vcpu[0]);
}

/* ---- everything at once: two busy vCPUs, stopped at any instruction ---- */

#define MOVES	10
#define DATA	64

static struct pvclock clocks[2] __attribute__((aligned(64)));
static uint64_t enough, loops[2], finished[2], watched[2], data[2][DATA];

static const struct {
	uint32_t index;
	uint64_t value;
} busy_msrs[] = {
	{ MSR_STAR, 0x0018000800000000 }, { MSR_LSTAR, 0xffffffff81000123 },
	{ MSR_SFMASK, 0x47700 }, { MSR_KERNEL_GS_BASE, 0x7f1234567000 },
	/* AMD has 32 bits of these. */
	{ MSR_SYSENTER_CS, 0x10 }, { MSR_SYSENTER_ESP, 0x88001230 },
	{ MSR_SYSENTER_EIP, 0x81004560 }, { MSR_TSC_AUX, 0x1003 },
	{ MSR_PAT, 0x0407050600070106 },
};

/* The compiler was told to leave vector registers and x87 alone. */
static bool load_vectors(uint64_t cpu)
{
	uint64_t in[4] = { cpu + 1, 0x1111 * cpu, ~cpu, 0x5a5a + cpu };
	uint32_t r[4];

	asm volatile("fninit; fldpi; movdqu %0, %%xmm3; movdqu %0, %%xmm14"
		     : : "m"(in));
	cpuid_count(1, 0, r);
	if (!(r[2] >> 28 & 1))
		return false;
	write_cr4(read_cr4() | X86_CR4_OSXSAVE);
	asm volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
	asm volatile("vmovdqu %0, %%ymm14" : : "m"(in));
	return true;
}

static void check_vectors(uint64_t cpu, bool avx)
{
	uint64_t in[4] = { cpu + 1, 0x1111 * cpu, ~cpu, 0x5a5a + cpu };
	uint64_t a[2], b[4] = { };
	uint8_t pi[10];
	int i;

	asm volatile("movdqu %%xmm3, %0" : "=m"(a));
	if (avx)
		asm volatile("vmovdqu %%ymm14, %0" : "=m"(b));
	else
		asm volatile("movdqu %%xmm14, %0" : "=m"(b));
	asm volatile("fld %%st(0); fstpt %0" : "=m"(pi));
	for (i = 0; i < 4; i++) {
		G_EQ(i < 2 ? a[i] : in[i], in[i]);
		G_EQ(i < 2 || avx ? b[i] : in[i], in[i]);
	}
	G_EQ(*(uint64_t *)pi, 0xc90fdaa22168c235);
	G_EQ(*(uint16_t *)(pi + 8), 0x4000);
}

static void busy_setup(uint64_t cpu)
{
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(busy_msrs); i++)
		wrmsr(busy_msrs[i].index, busy_msrs[i].value);
	wrmsr(MSR_KVMCLOCK, (uint64_t)&clocks[cpu] | 1);
	guest_handler[DB_VECTOR] = guest_count;
	guest_handler[TIMER] = apic_count;
	guest_handler[VEC] = apic_count;
	write_dr3((uint64_t)&watched[cpu]);
	write_dr7(0x400 | 1 << 6 | 1 << 28 | 2ul << 30);	/* 8 bytes, write */
	apic_enable(false);
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVTT, LVT_PERIODIC | TIMER);
	apic_write(APIC_TMICT, 3000000);
}

static void busy_memory(uint64_t cpu, uint64_t round)
{
	uint64_t i;

	for (i = 0; i < DATA; i++) {
		if (round)
			G_EQ(data[cpu][i], (round - 1) * 1000 + i + cpu);
		data[cpu][i] = round * 1000 + i + cpu;
	}
}

static void busy_msr(uint32_t i)
{
	G_EQ(rdmsr(busy_msrs[i].index), busy_msrs[i].value);
}

/* The other one takes an interrupt from this one. */
static void busy_ipi(uint64_t cpu)
{
	uint64_t *count = &guest_cpus[!cpu].count[VEC], before = READ(*count);

	if (READ(finished[!cpu]) || !READ(loops[!cpu]))
		return;
	apic_ipi(!cpu, ICR_FIXED | ICR_ASSERT | VEC);
	while (READ(*count) == before && !READ(finished[!cpu]))
		cpu_pause();
}

static void g_busy(uint64_t cpu)
{
	uint64_t tsc = 0, ns = 0, now, i;
	bool avx = load_vectors(cpu);

	busy_setup(cpu);
	sti();
	for (i = 0; !READ(enough) || i < 20; i++) {
		busy_memory(cpu, i);
		WRITE(watched[cpu], i);
		G_EQ(taken(DB_VECTOR), i + 1);
		G_EQ(read_dr6() & 0xf, 8);
		check_vectors(cpu, avx);
		busy_msr(i % ARRAY_SIZE(busy_msrs));
		now = guest_rdtsc();
		G_ASSERT(now >= tsc);
		tsc = now;
		now = pvclock_ns(&clocks[cpu]);
		G_ASSERT(now >= ns);
		ns = now;
		WRITE(loops[cpu], i + 1);
		busy_ipi(cpu);
	}
	WRITE(finished[cpu], 1);
	cli();
	G_ASSERT(taken(TIMER));
}

static void run_both(struct machine *m, struct runner *r, unsigned int us)
{
	int i;

	for (i = 0; i < 2; i++)
		if (!r[i].done)
			start(&r[i], &m->g->vcpu[i]);
	usleep(us);
	for (i = 0; i < 2; i++)
		if (!r[i].done)
			stop(&r[i]);
}

TEST(busy)
{
	struct machine m = { .flags = GUEST_IRQCHIP, .pit = true };
	uint64_t random = seed(), end;
	struct runner r[2] = { };
	int i;

	machine_new(&m);
	for (i = 0; i < 2; i++)
		guest_vcpu(m.g, g_busy, i);
	for (i = 0; i < MOVES; i++) {
		run_both(&m, r, 500 + rng(&random) % 20000);
		machine_move(&m);
	}
	guest_var(m.g, enough) = 1;
	for (end = now_ns() + 60000000000; !r[0].done || !r[1].done;) {
		ASSERT_LT(now_ns(), end);
		run_both(&m, r, 100000);
	}
	printf("# %lu and %lu rounds\n", (long)guest_var(m.g, loops[0]),
	       (long)guest_var(m.g, loops[1]));
}

TEST_HARNESS_MAIN
