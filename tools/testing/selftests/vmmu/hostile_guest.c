// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests that do everything wrong. Each must end in a documented exit or go on
 * until it is stopped; beside it another VM computes and must stay right.
 *
 * VMMU_SEED replays the random ones.
 */
#include <kselftest_harness.h>

#include "apic.h"
#include "hostile.h"

#define NOWHERE		0xd0000000ul	/* mapped by the page tables, no slot */
#define ATTACK_MS	400

struct attack {
	struct vcpu *v;
	uint64_t random, end;
	unsigned int exits[64];
	bool over;			/* it ended by itself */
};

/* Exits that a guest may bring about; the others are the host's to ask for. */
static const uint64_t documented =
	1ul << KVM_EXIT_IO | 1ul << KVM_EXIT_MMIO | 1ul << KVM_EXIT_HLT |
	1ul << KVM_EXIT_SHUTDOWN | 1ul << KVM_EXIT_FAIL_ENTRY |
	1ul << KVM_EXIT_INTERNAL_ERROR | 1ul << KVM_EXIT_HYPERCALL |
	1ul << KVM_EXIT_SYSTEM_EVENT | 1ul << KVM_EXIT_SET_TPR;

/* One KVM_RUN; a guest's read gets random data. False: it is over. */
static bool attack_step(struct attack *a)
{
	struct kvm_run *run = a->v->run;
	int error = vcpu_enter(a->v);
	unsigned int i;

	if (error == -EINTR || error == -EAGAIN)
		return true;
	if (error == -EFAULT) {
		a->over = true;
		return false;
	}
	if (error)
		DIE("KVM_RUN: %s", strerror(-error));
	if (run->exit_reason >= 64 || !(documented >> run->exit_reason & 1)) {
		vcpu_dump(a->v);
		DIE("exit %u of a guest", run->exit_reason);
	}
	a->exits[run->exit_reason]++;
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		if (run->io.port >= UCALL_SYNC && run->io.port <= UCALL_TRAP) {
			a->over = run->io.port != UCALL_SYNC;
			return !a->over;
		}
		for (i = 0; !run->io.direction && i < run->io.size * run->io.count; i++)
			((uint8_t *)run)[run->io.data_offset + i] = rng(&a->random);
		return true;
	case KVM_EXIT_MMIO:
		for (i = 0; !run->mmio.is_write && i < 8; i++)
			run->mmio.data[i] = rng(&a->random);
		return true;
	default:
		a->over = true;
		return false;
	}
}

static void attack_run(struct attack *a)
{
	while (attack_step(a) && now_ns() < a->end)
		;
}

static void *attack_thread(void *arg)
{
	interrupt_me(3000);
	attack_run(arg);
	return NULL;
}

/* For @ms, or until the guest has had enough. */
static struct attack attack(struct vcpu *v, unsigned int ms)
{
	struct attack a = { .v = v, .random = 1 };
	timer_t timer = interrupt_me(3000);

	a.end = now_ns() + ms * 1000000ull;
	attack_run(&a);
	timer_delete(timer);
	return a;
}

/* ---- tables in the wrong place ---- */

static void ud2(uint64_t arg)
{
	asm volatile("ud2");
}

static void load_ds(uint64_t selector)
{
	asm volatile("mov %0, %%ds" : : "r"((uint32_t)selector));
}

static void load_tr(uint64_t selector)
{
	asm volatile("ltr %w0" : : "r"((uint32_t)selector));
}

static void int_3(uint64_t arg)
{
	asm volatile("int3");
}

static void spin(uint64_t arg)
{
	for (;;)
		WRITE(bystander_rounds, arg);
}

enum where { TABLE_CR3, TABLE_PML4E, TABLE_PTE, TABLE_IDT, TABLE_GDT, TABLE_TSS };

static struct vcpu *misplaced(enum where what, uint64_t base, void *fn, uint64_t arg)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, fn, arg);
	struct kvm_sregs s = vcpu_sregs(v);

	switch (what) {
	case TABLE_CR3:
		s.cr3 = base;
		break;
	case TABLE_PML4E:
		*guest_pte(g, 0, 4) = base | PTE_P | PTE_W | PTE_U;
		break;
	case TABLE_PTE:
		*guest_pte(g, (uint64_t)fn, 2) = base | PTE_P | PTE_W | PTE_U;
		break;
	case TABLE_IDT:
		s.idt.base = base;
		break;
	case TABLE_GDT:
		s.gdt.base = base;
		break;
	case TABLE_TSS:
		s.tr.base = base;
		break;
	}
	vcpu_set_sregs(v, &s);
	return v;
}

TEST(misplaced_tables)
{
	static const uint64_t bases[] = {
		NOWHERE, GUEST_RAM - PAGE, GUEST_RAM, 0xfffff000, 1ul << 38,
		0xfee00000,
	};
	static const struct { enum where what; void *fn; uint64_t arg; } how[] = {
		{ TABLE_CR3, spin, 0 }, { TABLE_PML4E, spin, 0 },
		{ TABLE_PTE, spin, 0 }, { TABLE_PML4E, int_3, 0 },
		{ TABLE_IDT, ud2, 0 }, { TABLE_IDT, int_3, 0 },
		{ TABLE_GDT, load_ds, SEL_DATA }, { TABLE_GDT, load_tr, SEL_TSS },
		{ TABLE_GDT, int_3, 0 }, { TABLE_TSS, ud2, 0 },
	};
	struct vcpu *by = bystander_start();
	unsigned int i, k;

	for (i = 0; i < sizeof(how) / sizeof(how[0]); i++)
		for (k = 0; k < sizeof(bases) / sizeof(bases[0]); k++) {
			struct vcpu *v = misplaced(how[i].what, bases[k],
						   how[i].fn, how[i].arg);

			attack(v, 12);
			close(v->guest->vm);
			close(v->fd);
			munmap(v->run, v->guest->run_size);
			munmap(v->guest->ram, GUEST_RAM);
		}
	bystander_end(by);
}

/* No IDT at all: the first exception is a triple fault, and SHUTDOWN. */
TEST(triple_fault)
{
	struct vcpu *by = bystander_start();
	int i;

	for (i = 0; i < 20; i++) {
		struct guest *g = guest_new(i & 1 ? GUEST_SPLIT : 0);
		struct vcpu *v = guest_vcpu(g, i & 2 ? int_3 : ud2, 0);
		struct kvm_sregs s = vcpu_sregs(v);
		struct attack a;

		s.idt.limit = i & 4 ? 0 : 15;
		vcpu_set_sregs(v, &s);
		a = attack(v, 20000);
		ASSERT_EQ(true, a.over);
		ASSERT_EQ(KVM_EXIT_SHUTDOWN, v->run->exit_reason);
		/* And once more: the state is as the API says, or is reset. */
		attack(v, 5);
		close(v->fd);
		close(g->vm);
		munmap(g->ram, GUEST_RAM);
	}
	bystander_end(by);
}

/* ---- endless delivery ---- */

static void fault_in_handler(struct guest_frame *frame)
{
	(void)read64((void *)0x7f0000000000);
}

static void debug_again(struct guest_frame *frame)
{
	frame->rflags |= X86_FLAGS_TF;
}

static void return_to_fault(struct guest_frame *frame)
{
}

static void endless(uint64_t which)
{
	if (which == 0) {
		/* #PF in the #PF handler, down the whole stack and on. */
		guest_handler[PF_VECTOR] = fault_in_handler;
		(void)read64((void *)0x7f0000000000);
	} else if (which == 1) {
		guest_handler[UD_VECTOR] = return_to_fault;
		asm volatile("ud2");
	} else if (which == 2) {
		guest_handler[DB_VECTOR] = debug_again;
		asm volatile("pushf; orl $0x100, (%%rsp); popf; nop" : : : "memory");
		for (;;)
			;
	} else if (which == 3) {
		/* Data breakpoint on the stack that its own handler pushes to. */
		uint64_t here;

		guest_handler[DB_VECTOR] = return_to_fault;
		here = (uint64_t)__builtin_frame_address(0) - 512;
		write_dr0(here & ~7ul);
		write_dr7(0x000b0403);
		for (;;)
			WRITE(*(uint64_t *)(here & ~7ul), 1);
	} else if (which == 4) {
		guest_handler[PF_VECTOR] = return_to_fault;
		write64((void *)0x7f0000000000, 1);
	} else {
		/* #GP of a stack that is not canonical; its delivery faults too. */
		asm volatile("movabs $0x8000000000000000, %%rsp; push %%rax" : : : "memory");
	}
}

/* #AC at CPL 3 whose handler returns to it. */
static void unaligned_user(void)
{
	asm volatile("pushf; orl $0x40000, (%%rsp); popf; 1: mov 1(%%rsp), %%rax; jmp 1b"
		     : : : "rax", "memory");
}

static void endless_alignment(uint64_t arg)
{
	guest_handler[AC_VECTOR] = return_to_fault;
	write_cr0(read_cr0() | X86_CR0_AM);
	guest_user_call(unaligned_user);
}

TEST(endless_delivery)
{
	struct vcpu *by = bystander_start();
	int i;

	for (i = 0; i <= 6; i++) {
		struct guest *g = guest_new(i & 1 ? GUEST_SPLIT : 0);
		struct vcpu *v = i == 6 ? guest_vcpu(g, endless_alignment, 0) :
					  guest_vcpu(g, endless, i);

		attack(v, 150);
		/* Whatever state it was stopped in can be read. */
		vcpu_sregs(v);
	}
	bystander_end(by);
}

/* ---- storms ---- */

static const uint32_t msr_bases[] = {
	0, 0x10, 0x1b, 0x40, 0x80, 0xc0, 0x140, 0x170, 0x1d0, 0x200, 0x250,
	0x270, 0x2ff, 0x300, 0x380, 0x400, 0x480, 0x560, 0x600, 0x6e0, 0x800,
	0xc80, 0xd90, 0x40000000, 0x400000f0, 0x4b564d00, 0xc0000080, 0xc00000e0,
	0xc0010000, 0xc0010040, 0xc0010110, 0xc0010200, 0xc0011020, 0xc001102c,
};

static const uint64_t values[] = {
	0, 1, 2, 0x80, 0xfff, 0x1000, 0x80000000, 0xffffffff, 1ul << 47,
	1ul << 63, -1ul, 0x7fffffffffff, 0xffff800000000000, 0x0007040600070406,
};

static uint64_t odd_value(uint64_t *random)
{
	uint64_t r = rng(random), v = values[r % (sizeof(values) / sizeof(values[0]))];

	return r >> 40 & 1 ? v : r >> 41 & 1 ? v ^ (1ul << (r >> 50 & 63)) : rng(random);
}

static uint64_t attack_seed;

static void msr_storm(uint64_t x2)
{
	uint64_t random = attack_seed, value;

	for (;;) {
		uint64_t r = rng(&random);
		uint32_t index = msr_bases[r % (sizeof(msr_bases) / 4)] + (r >> 32 & 31);

		if (r >> 60 == 0)
			index = r >> 20;
		rdmsr_try(index, &value);
		/* Those without which this loop cannot go on. */
		if (index == MSR_GS_BASE || index == MSR_EFER)
			continue;
		wrmsr_try(index, odd_value(&random));
	}
}

static void port_storm(uint64_t arg)
{
	static const uint16_t ports[] = { 0x20, 0x40, 0x60, 0x70, 0x80, 0xa0,
					  0x4d0, 0xcf8, 0xfff0 };
	uint64_t random = attack_seed;
	uint8_t *heap = (uint8_t *)GUEST_SCRATCH;
	uint64_t n;

	for (;;) {
		uint64_t r = rng(&random);
		uint16_t port = ports[r % 9] + (r >> 8 & 15);

		n = r >> 16 & 63;
		switch (r >> 32 & 7) {
		case 0:
			outb(port, r >> 40);
			break;
		case 1:
			outw(port, r >> 40);
			break;
		case 2:
			outl(port, r >> 40);
			break;
		case 3:
			inb(port);
			break;
		case 4:
			inl(port);
			break;
		case 5:
			asm volatile("rep insb" : "+D"(heap), "+c"(n) : "d"(port) : "memory");
			heap = (uint8_t *)GUEST_SCRATCH;
			break;
		case 6:
			asm volatile("rep outsw" : "+S"(heap), "+c"(n) : "d"(port) : "memory");
			heap = (uint8_t *)GUEST_SCRATCH;
			break;
		case 7:
			guest_try("rep insl", G_OPERANDS("+D"(heap), "+c"(n)),
				  G_OPERANDS("d"(port)));
			heap = (uint8_t *)(NOWHERE + (r >> 45 & 0xfff));
			break;
		}
	}
}

static void mmio_storm(uint64_t arg)
{
	static const uint64_t pages[] = { 0xfee00000, 0xfec00000, NOWHERE,
					  GUEST_RAM, 0xfed00000, 0xfffff000 };
	uint64_t random = attack_seed;

	for (;;) {
		uint64_t r = rng(&random), v = odd_value(&random);
		uint8_t *p = (uint8_t *)pages[r % 6] + (r >> 8 & 0xfff);
		uint64_t n = r >> 20 & 31;

		if (r >> 30 & 1)
			p = (uint8_t *)((uint64_t)p & ~15ul);
		switch (r >> 32 & 7) {
		case 0:
			guest_try("movb %b0, (%1)", G_OPERANDS(), G_OPERANDS("q"(v), "r"(p)));
			break;
		case 1:
			guest_try("movl %k0, (%1)", G_OPERANDS(), G_OPERANDS("r"(v), "r"(p)));
			break;
		case 2:
			guest_try("movq %0, (%1)", G_OPERANDS(), G_OPERANDS("r"(v), "r"(p)));
			break;
		case 3:
			guest_try("movl (%1), %k0", G_OPERANDS("=r"(v)), G_OPERANDS("r"(p)));
			break;
		case 4:
			guest_try("lock xaddq %0, (%1)", G_OPERANDS("+r"(v)), G_OPERANDS("r"(p)));
			break;
		case 5:
			guest_try("rep stosl", G_OPERANDS("+D"(p), "+c"(n)), G_OPERANDS("a"(v)));
			break;
		case 6:
			guest_try("lock btsl $3, (%0)", G_OPERANDS(), G_OPERANDS("r"(p)));
			break;
		case 7:
			guest_try("pushq (%1); popq %0", G_OPERANDS("=r"(v)), G_OPERANDS("r"(p)));
			break;
		}
	}
}

static void count_all(uint64_t fn)
{
	int i;

	for (i = 16; i < 256; i++)
		guest_handler[i] = apic_count;
	guest_handler[NMI_VECTOR] = guest_count;
	((void (*)(uint64_t))fn)(0);
}

static void storm(struct __test_metadata *_metadata, void *fn, unsigned int flags)
{
	struct vcpu *by = bystander_start();
	struct attack a;
	struct guest *g;

	attack_seed = seed();
	g = guest_new(flags);
	a = attack(guest_vcpu(g, count_all, (uint64_t)fn), ATTACK_MS);
	vcpu_sregs(a.v);
	bystander_end(by);
}

TEST(msrs) { storm(_metadata, msr_storm, 0); }
TEST(msrs_with_apic) { storm(_metadata, msr_storm, GUEST_SPLIT); }
TEST(ports) { storm(_metadata, port_storm, 0); }
TEST(ports_with_chips) { storm(_metadata, port_storm, GUEST_IRQCHIP); }
TEST(mmio) { storm(_metadata, mmio_storm, 0); }
TEST(mmio_with_chips) { storm(_metadata, mmio_storm, GUEST_IRQCHIP); }

/* ---- IPIs of every kind among four ---- */

static void ipi_storm(uint64_t mode)
{
	uint64_t random = attack_seed + this_cpu()->id;
	int i;

	for (i = 16; i < 256; i++)
		guest_handler[i] = apic_count;
	guest_handler[NMI_VECTOR] = guest_count;
	apic_enable(mode & 1);
	for (;;) {
		uint64_t r = rng(&random);
		uint32_t command = (r & 0xfff) | (r >> 12 & 3) * ICR_SELF | ICR_ASSERT;

		/* INIT and startup end the storm soon; only one round in two. */
		if (!(mode & 2) && (command & 0x700) >= ICR_NMI)
			command &= ~0x700;
		apic_ipi(r >> 33 & 7 ? r >> 40 & 3 : r >> 40, command);
		if (r >> 50 & 1)
			asm volatile("sti; nop; nop; cli");
		if ((r >> 51 & 15) == 0)
			apic_write(APIC_TPR, r >> 56);
		if ((r >> 51 & 31) == 1)
			asm volatile("sti; hlt; cli");
	}
}

static void ipis(uint64_t mode)
{
	struct vcpu *by = bystander_start();
	struct attack a[4];
	struct guest *g;
	int i;

	attack_seed = seed();
	g = guest_new(GUEST_SPLIT);
	for (i = 0; i < 4; i++) {
		a[i] = (struct attack){ .random = 1 };
		a[i].v = guest_vcpu(g, ipi_storm, mode);
		a[i].end = now_ns() + ATTACK_MS * 1000000ull;
	}
	for (i = 0; i < 4; i++)
		if (pthread_create(&a[i].v->thread, NULL, attack_thread, &a[i]))
			DIE("pthread_create: %m");
	for (i = 0; i < 4; i++)
		pthread_join(a[i].v->thread, NULL);
	bystander_end(by);
}

TEST(ipi_storm_xapic) { ipis(0); }
TEST(ipi_storm_x2apic) { ipis(1); }
TEST(ipi_storm_with_init) { ipis(2); }

/* ---- random instructions, random control registers ---- */

static void vcpu_clean(struct vcpu *v)
{
	struct kvm_vcpu_events events = { 0 };
	struct kvm_debugregs debug = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };

	ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events);
	ioctl(v->fd, KVM_SET_DEBUGREGS, &debug);
}

/* A page of noise; much of it begins like an instruction that leaves. */
static void noise(uint8_t *p, uint64_t *random)
{
	static const uint8_t heads[][4] = {
		{ 0x0f, 0x01 }, { 0x0f, 0x22 }, { 0x0f, 0x20 }, { 0x0f, 0x30 },
		{ 0xe6 }, { 0x6c }, { 0xf3, 0x6f }, { 0x66, 0x0f }, { 0x48, 0x0f },
		{ 0x0f, 0xc7 }, { 0x0f, 0xae }, { 0xcf }, { 0xcd }, { 0x8e },
		{ 0x0f, 0x00 }, { 0xf0 }, { 0x0f, 0x23 }, { 0x9d }, { 0xa4 },
	};
	unsigned int i, at;

	for (i = 0; i < PAGE; i += 8)
		*(uint64_t *)(p + i) = rng(random);
	for (i = 0; i < 500; i++) {
		at = rng(random) % (PAGE - 8);
		memcpy(p + at, heads[rng(random) % 19], 2);
	}
}

TEST(random_code)
{
	uint64_t random, started, end, code = GUEST_SCRATCH;
	struct vcpu *by, *v;
	unsigned int n, i;
	struct guest *g;

	by = bystander_start();
	g = guest_new(GUEST_SPLIT);
	v = guest_vcpu(g, ud2, 0);
	random = seed();
	end = now_ns() + 5 * ATTACK_MS * 1000000ull;
	for (n = 0; n < 2000 && now_ns() < end; n++) {
		struct kvm_regs r;
		uint64_t *reg = (uint64_t *)&r;

		if (n % 100 == 0) {
			guest_load_image(g);
			g->heap = GUEST_HEAP;
			memset(guest_hva(g, GUEST_HEAP), 0, GUEST_HEAP_END - GUEST_HEAP);
			guest_tables(g);
		}
		noise(guest_hva(g, code), &random);
		vcpu_clean(v);
		vcpu_long(v, (void *)code, 0);
		r = vcpu_regs(v);
		for (i = 0; i < 16; i++)
			if (reg[i] != r.rsp)
				reg[i] = rng(&random) & 1 ? NOWHERE + (rng(&random) & 0x1fff) :
					 odd_value(&random);
		r.rip = code + rng(&random) % (PAGE / 2);
		r.rflags = X86_FLAGS_FIXED;
		vcpu_set_regs(v, &r);
		vcpu_set_mp_state(v, KVM_MP_STATE_RUNNABLE);
		started = now_ns();
		attack(v, 3);
		/* Signals come every 3 ms: a program cannot keep the CPU. */
		if (now_ns() - started > 20000000000) {
			vcpu_dump(v);
			DIE("program %u did not come back", n);
		}
	}
	printf("# %u programs\n", n);
	bystander_end(by);
}

/* ---- a state that the processor refuses ---- */

static void spoil_cr0(uint64_t arg)
{
	uint64_t cr0 = read_cr0() | X86_CR0_NW;

	if (guest_try("mov %%rax, %%cr0", G_OPERANDS(), G_OPERANDS("a"(cr0))) == GP_VECTOR)
		guest_sync(1, 0, 0);
	outb(0x80, 0);
}

static void spin_deaf(uint64_t arg)
{
	cli();
	for (;;)
		;
}

/* After a refused entry: INIT's state, or the guest's own. And it can be used again. */
static void no_host_address(struct __test_metadata *_metadata, struct vcpu *v)
{
	struct kvm_sregs s = vcpu_sregs(v);

	EXPECT_EQ(0, s.gdt.base >> 63);
	EXPECT_EQ(0, s.idt.base >> 63);
	EXPECT_EQ(0, vcpu_regs(v).rip >> 63);

	vcpu_long(v, spin_deaf, 0);
	vcpu_set_mp_state(v, KVM_MP_STATE_RUNNABLE);
	attack(v, 50);
}

/*
 * NW without CD is #GP on a processor. An emulated one takes it, refuses the next
 * entry, and may have written its own state over the guest's by then.
 */
TEST(refused_entry)
{
	struct vcpu *by, *v;

	if (strstr(device_path(), "kvm"))
		SKIP(return, "the guest would keep the host's interrupts out");
	by = bystander_start();
	v = guest_vcpu(guest_new(0), spoil_cr0, 0);
	/* As it should be. */
	if (vcpu_run_ucall(v).kind == UCALL_SYNC) {
		bystander_end(by);
		return;
	}
	/* The host may have interrupted the guest before its OUT: then that entry was refused. */
	if (v->run->exit_reason == KVM_EXIT_IO) {
		ASSERT_EQ(0, vcpu_enter(v));
	}
	ASSERT_EQ(KVM_EXIT_FAIL_ENTRY, v->run->exit_reason);
	no_host_address(_metadata, v);
	bystander_end(by);
}

/* CS that is 64-bit and 32-bit code at once: looked at when all state has been loaded. */
TEST(refused_segment)
{
	struct vcpu *by, *v;
	struct kvm_sregs s;

	by = bystander_start();
	v = guest_vcpu(guest_new(0), spin_deaf, 0);
	s = vcpu_sregs(v);
	s.cs.db = 1;
	vcpu_set_sregs(v, &s);
	ASSERT_EQ(0, vcpu_enter(v));
	ASSERT_EQ(KVM_EXIT_FAIL_ENTRY, v->run->exit_reason);
	no_host_address(_metadata, v);
	bystander_end(by);
}

static void control_garbage(uint64_t start)
{
	uint64_t random = start, v, old;
	int i;

	for (i = 0; i < 40; i++) {
		uint64_t r = rng(&random);

		v = odd_value(&random);
		switch (r % 6) {
		case 0:
			old = read_cr0();
			guest_try("mov %0, %%cr0", G_OPERANDS(),
				  G_OPERANDS("r"(r & 64 ? v : old ^ (1ul << (v & 63)))));
			guest_try("mov %0, %%cr0", G_OPERANDS(), G_OPERANDS("r"(old)));
			break;
		case 1:
			old = read_cr4();
			guest_try("mov %0, %%cr4", G_OPERANDS(),
				  G_OPERANDS("r"(r & 64 ? v : old ^ (1ul << (v & 63)))));
			guest_try("mov %0, %%cr4", G_OPERANDS(), G_OPERANDS("r"(old)));
			break;
		case 2:
			wrmsr_try(MSR_EFER, rdmsr(MSR_EFER) ^ (1ul << (v & 63)));
			break;
		case 3:
			guest_try("xsetbv", G_OPERANDS(), G_OPERANDS("c"(r >> 60),
				  "a"((uint32_t)v), "d"((uint32_t)(v >> 32))));
			break;
		case 4:
			guest_try("mov %0, %%cr8", G_OPERANDS(), G_OPERANDS("r"(v)));
			break;
		case 5:
			old = read_cr3();
			guest_try("mov %0, %%cr3", G_OPERANDS(),
				  G_OPERANDS("r"(r & 64 ? v : old ^ (1ul << (v & 63)))));
			guest_try("mov %0, %%cr3", G_OPERANDS(), G_OPERANDS("r"(old)));
			break;
		}
	}
}

TEST(control_registers)
{
	struct vcpu *by = bystander_start();
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, control_garbage, 0);
	uint64_t random = seed(), end = now_ns() + 3 * ATTACK_MS * 1000000ull;
	struct kvm_sregs fresh = vcpu_sregs(v);
	unsigned int n;

	/* Not what the guest left behind: an emulated processor may let it get illegal. */
	for (n = 0; n < 500 && now_ns() < end; n++) {
		vcpu_set_sregs(v, &fresh);
		vcpu_clean(v);
		vcpu_long(v, control_garbage, rng(&random) | 1);
		attack(v, 20);
	}
	printf("# %u rounds\n", n);
	bystander_end(by);
}

/* ---- code that changes around exits ---- */

static void self_modifying(uint64_t code)
{
	uint8_t *p = (uint8_t *)code;
	uint32_t (*fn)(void) = (void *)code;
	uint32_t i;

	/* mov $i, %eax; ret, the next one while an exit is on its way */
	for (i = 0; i < 300; i++) {
		WRITE(p[0], 0xb8);
		WRITE(*(uint32_t *)(p + 1), i);
		WRITE(p[5], 0xc3);
		G_EQ(fn(), i);
		/* The port's handler writes i + 1000000 there. */
		outl(0x80, i);
		G_EQ(fn(), i + 1000000);
		/* An access that is emulated, of an instruction just written. */
		memcpy(p + 16, "\x8b\x07\xc3", 3);
		WRITE(p[17], i & 1 ? 0x07 : 0x47);
		if (!(i & 1)) {
			WRITE(p[18], 0x10);
			WRITE(p[19], 0xc3);
		}
		G_EQ(((uint32_t (*)(uint64_t))(p + 16))(NOWHERE),
		     i & 1 ? NOWHERE : NOWHERE + 16);
	}
}

TEST(code_changes)
{
	struct vcpu *by = bystander_start();
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, self_modifying, GUEST_SCRATCH);
	uint8_t *code = guest_hva(g, GUEST_SCRATCH);
	struct kvm_run *run = v->run;

	for (;;) {
		struct ucall u = vcpu_run_ucall(v);
		uint32_t n;

		if (u.kind == UCALL_DONE)
			break;
		if (run->exit_reason == KVM_EXIT_IO) {
			memcpy(&n, (uint8_t *)run + run->io.data_offset, 4);
			n += 1000000;
			memcpy(code + 1, &n, 4);
		} else {
			ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason);
			ASSERT_EQ(0, run->mmio.is_write);
			ASSERT_EQ(4, run->mmio.len);
			n = run->mmio.phys_addr;
			memcpy(run->mmio.data, &n, 4);
		}
	}
	bystander_end(by);
}

TEST_HARNESS_MAIN
