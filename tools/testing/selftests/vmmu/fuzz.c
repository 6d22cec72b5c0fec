// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer over ioctls, their structures, memory maps and guest code. It takes
 * valid state, changes a few fields, gives it back, and runs the guest for a
 * moment. Nothing is expected of a call but that the host stays whole: beside
 * the fuzzed VMs another one computes and must stay right.
 *
 * VMMU_SEED replays a run, call by call; VMMU_FUZZ_ROUNDS bounds it by VMs,
 * VMMU_FUZZ_SECONDS by time. VMMU_FUZZ_LOG=1 prints each call before it is
 * made. With /sys/kernel/debug/kcov (and the module built for it) the kernel's
 * new branches decide which structures are changed further.
 */
#include <kselftest_harness.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "hostile.h"

#define ARENA		(4 * MB)
#define CALLS		150		/* per VM */
#define VCPUS		2
#define BUFFER		(16 * PAGE)

/* ---- coverage ---- */

#define KCOV_INIT_TRACE	_IOR('c', 1, unsigned long)
#define KCOV_ENABLE	_IO('c', 100)
#define COVER_WORDS	(64 << 10)
#define SEEN_BITS	16

static uint64_t *cover;
static uint8_t seen_pc[1 << SEEN_BITS];
static unsigned int seen;	/* all of them */
static unsigned int fresh;	/* by the last call */

static void cover_start(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, COVER_WORDS))
		return;
	cover = mmap(NULL, COVER_WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cover == MAP_FAILED || ioctl(fd, KCOV_ENABLE, 0))
		cover = NULL;
}

/* Program counters that no call has reached before this one. */
static void cover_count(void)
{
	uint64_t i, n;

	fresh = 0;
	if (!cover)
		return;
	n = READ(cover[0]);
	for (i = 0; i < n && i < COVER_WORDS - 1; i++) {
		uint64_t hash = (cover[i + 1] * 0x9e3779b97f4a7c15ull) >> (64 - SEEN_BITS);

		fresh += !seen_pc[hash];
		seen_pc[hash] = 1;
	}
	seen += fresh;
}

/* ---- numbers ---- */

static uint64_t state;
static bool logging;

static uint64_t below(uint64_t n)
{
	return rng(&state) % n;
}

static bool one_in(unsigned int n)
{
	return !below(n);
}

static uint64_t odd_number(void)
{
	static const uint64_t odd[] = {
		0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256,
		4095, 4096, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
		1ul << 40, 1ul << 47, 1ul << 52, 1ul << 63, -1ul, -2ul, -4096ul,
		0xfee00000, 0xfec00000, GUEST_TEST,
	};

	return one_in(3) ? rng(&state) : odd[below(sizeof(odd) / 8)];
}

/* Change one field of some width in @size bytes. */
static void mutate(uint8_t *p, size_t size)
{
	size_t width = 1ul << below(4), at;
	uint64_t n;

	if (size < width)
		width = 1;
	at = below(size / width) * width;
	memcpy(&n, p + at, width);
	switch (below(3)) {
	case 0:
		n ^= 1ull << below(width * 8);
		break;
	case 1:
		n = odd_number();
		break;
	default:
		n += below(2) ? 1 : -1;
	}
	memcpy(p + at, &n, width);
}

/* ---- the VM ---- */

struct victim {
	struct guest *g;
	struct vcpu *v[VCPUS];
	uint8_t *arena;
	int event[2];
};

static uint8_t buffer[BUFFER], kept[BUFFER];

static int call(int fd, const char *name, unsigned long cmd, void *arg)
{
	int r;

	if (cover)
		WRITE(cover[0], 0);
	r = ioctl(fd, cmd, arg);
	cover_count();
	if (logging)
		printf("# %s: %d\n", name, r < 0 ? -errno : r);
	return r;
}

struct pair {
	const char *name;
	unsigned long get, set;
	size_t size;
};

#define PAIR(what, tag) { #what, KVM_GET_##what, KVM_SET_##what, sizeof(struct kvm_##tag) }

static const struct pair vcpu_pairs[] = {
	PAIR(REGS, regs), PAIR(SREGS, sregs), PAIR(SREGS, sregs), PAIR(SREGS2, sregs2),
	PAIR(FPU, fpu), PAIR(XSAVE, xsave), PAIR(XCRS, xcrs), PAIR(LAPIC, lapic_state),
	PAIR(VCPU_EVENTS, vcpu_events), PAIR(VCPU_EVENTS, vcpu_events),
	PAIR(DEBUGREGS, debugregs), PAIR(MP_STATE, mp_state),
};

static const struct pair vm_pairs[] = {
	PAIR(IRQCHIP, irqchip), PAIR(PIT2, pit_state2), PAIR(CLOCK, clock_data),
};

/* An emulated processor gives up on a TSS that LTR could not have loaded. */
static void keep_tss(const struct pair *p, void *state)
{
	struct kvm_segment *tr = &((struct kvm_sregs *)state)->tr;

	static_assert(offsetof(struct kvm_sregs, tr) == offsetof(struct kvm_sregs2, tr),
		      "one function for both");
	if (p->set != KVM_SET_SREGS && p->set != KVM_SET_SREGS2)
		return;
	tr->type = 11;
	tr->present = 1;
	tr->s = 0;
	tr->unusable = 0;
	tr->limit |= 0x67;
}

/*
 * Get, change, set. What found new branches is kept and changed further the
 * next time, without asking the kernel for the valid one.
 */
static void fuzz_pair(int fd, const struct pair *p)
{
	static const struct pair *last;
	unsigned int n = 1 + below(3);

	if (last == p && one_in(2)) {
		memcpy(buffer, kept, sizeof(buffer));
	} else {
		memset(buffer, 0, sizeof(buffer));
		if (p->get == KVM_GET_IRQCHIP)
			*(uint32_t *)buffer = below(3);
		call(fd, p->name, p->get, buffer);
	}
	if (one_in(8))
		n = 0;
	while (n--)
		mutate(buffer, p->size);
	keep_tss(p, buffer);
	call(fd, p->name, p->set, buffer);
	if (fresh) {
		memcpy(kept, buffer, sizeof(buffer));
		last = p;
	}
}

/*
 * Slots lie in the arena, partly behind its end, or nowhere: never in this
 * program's other memory, which the guest would write.
 */
static void fuzz_slot(struct victim *m)
{
	uint64_t pages = below(ARENA / PAGE), first = below(ARENA / PAGE);
	struct kvm_userspace_memory_region region = {
		.slot = 1 + below(6),
		.flags = below(4),
		.guest_phys_addr = GUEST_TEST + below(1024) * PAGE,
		.memory_size = pages * PAGE,
		.userspace_addr = (uint64_t)m->arena + first * PAGE,
	};

	if (pages + first > ARENA / PAGE)
		region.memory_size = ARENA - first * PAGE;
	switch (below(12)) {
	case 0:
		region.userspace_addr |= 1ul << (47 + below(17));
		break;
	case 1:
		region.memory_size = odd_number() | 1ul << 50;
		break;
	case 2:
		region.guest_phys_addr = odd_number();
		break;
	case 3:
		region.flags = odd_number();
		break;
	case 4:
		region.slot = odd_number() ?: 1;
		break;
	case 5:
	case 6:
		region.memory_size = 0;
		break;
	case 7:
		region.userspace_addr = 0;
		region.memory_size = PAGE;
		break;
	}
	call(m->g->vm, "SET_USER_MEMORY_REGION", KVM_SET_USER_MEMORY_REGION, &region);
}

static void fuzz_arena(struct victim *m)
{
	uint64_t first = below(ARENA / PAGE), n = below(ARENA / PAGE - first) + 1;
	static const int advice[] = { MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
				      MADV_COLD, MADV_PAGEOUT, MADV_FREE };
	uint8_t *p = m->arena + first * PAGE;

	if (one_in(3))
		mprotect(p, n * PAGE, below(4));
	else if (one_in(4))
		mmap(p, n * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	else
		madvise(p, n * PAGE, advice[below(6)]);
}

static void fuzz_log(struct victim *m)
{
	struct kvm_clear_dirty_log clear = {
		.slot = below(8), .first_page = below(20) * 64,
		.num_pages = below(1100), .dirty_bitmap = buffer,
	};
	struct kvm_dirty_log get = { .slot = below(8), .dirty_bitmap = buffer };

	if (one_in(8))
		mutate((uint8_t *)&clear, 16);
	if (one_in(2))
		call(m->g->vm, "GET_DIRTY_LOG", KVM_GET_DIRTY_LOG, &get);
	else
		call(m->g->vm, "CLEAR_DIRTY_LOG", KVM_CLEAR_DIRTY_LOG, &clear);
}

static void fuzz_routing(struct victim *m)
{
	struct kvm_irq_routing *r = (void *)buffer;
	unsigned int i;

	memset(buffer, 0, sizeof(buffer));
	r->nr = below(32);
	for (i = 0; i < r->nr; i++) {
		r->entries[i].gsi = below(40);
		r->entries[i].type = 1 + below(2);
		if (r->entries[i].type == KVM_IRQ_ROUTING_IRQCHIP) {
			r->entries[i].u.irqchip.irqchip = below(3);
			r->entries[i].u.irqchip.pin = below(24);
		} else {
			r->entries[i].u.msi.address_lo = 0xfee00000 | below(1 << 20);
			r->entries[i].u.msi.data = rng(&state) & 0xffff;
		}
	}
	if (one_in(3))
		mutate(buffer, sizeof(*r) + r->nr * sizeof(r->entries[0]));
	if (r->nr > 1000 && r->nr < 1u << 31)
		r->nr = 1000;
	call(m->g->vm, "SET_GSI_ROUTING", KVM_SET_GSI_ROUTING, r);
}

static void fuzz_irq(struct victim *m)
{
	struct kvm_irq_level line = { .irq = below(30), .level = below(2) };
	struct kvm_msi msi = { .address_lo = 0xfee00000 | below(1 << 20),
			       .data = rng(&state) & 0xffff };
	struct kvm_irqfd irqfd = { .fd = m->event[below(2)], .gsi = below(30),
				   .flags = below(4), .resamplefd = m->event[below(2)] };
	struct kvm_ioeventfd io = { .fd = m->event[below(2)], .addr = below(16) << 4,
				    .len = 1 << below(4), .flags = below(8),
				    .datamatch = below(3) };
	uint64_t one = 1;

	switch (below(6)) {
	case 0:
		if (one_in(8))
			mutate((uint8_t *)&line, sizeof(line));
		call(m->g->vm, "IRQ_LINE", KVM_IRQ_LINE_STATUS, &line);
		break;
	case 1:
		if (one_in(4))
			mutate((uint8_t *)&msi, sizeof(msi));
		call(m->g->vm, "SIGNAL_MSI", KVM_SIGNAL_MSI, &msi);
		break;
	case 2:
		if (one_in(8))
			mutate((uint8_t *)&irqfd + 4, sizeof(irqfd) - 4);
		call(m->g->vm, "IRQFD", KVM_IRQFD, &irqfd);
		break;
	case 3:
		if (one_in(4))
			io.addr = odd_number();
		call(m->g->vm, "IOEVENTFD", KVM_IOEVENTFD, &io);
		break;
	case 4:
		if (write(m->event[below(2)], &one, 8) < 0 && logging)
			printf("# event: %m\n");
		break;
	default:
		call(m->v[below(VCPUS)]->fd, "NMI", KVM_NMI, NULL);
	}
}

static void fuzz_msrs(struct victim *m)
{
	static const uint32_t bases[] = { 0, 0x10, 0x1b, 0x170, 0x200, 0x250, 0x270,
		0x2ff, 0x400, 0x6e0, 0x800, 0xda0, 0x40000000, 0x4b564d00, 0xc0000080,
		0xc0000100, 0xc0010000, 0xc0010110, 0xc0011020 };
	struct kvm_msrs *msrs = (void *)buffer;
	int fd = m->v[below(VCPUS)]->fd;
	unsigned int i;

	memset(buffer, 0, sizeof(buffer));
	msrs->nmsrs = 1 + below(8);
	for (i = 0; i < msrs->nmsrs; i++) {
		msrs->entries[i].index = bases[below(19)] + below(32);
		msrs->entries[i].data = odd_number();
	}
	if (one_in(3))
		call(fd, "GET_MSRS", KVM_GET_MSRS, msrs);
	if (one_in(2))
		mutate(buffer, sizeof(*msrs) + msrs->nmsrs * sizeof(msrs->entries[0]));
	call(fd, "SET_MSRS", KVM_SET_MSRS, msrs);
}

static void fuzz_cpuid(struct victim *m)
{
	struct kvm_cpuid2 *c = (void *)buffer;
	size_t size = sizeof(*c) + m->g->cpuid->nent * sizeof(c->entries[0]);

	memcpy(c, m->g->cpuid, size);
	mutate((uint8_t *)c->entries, size - sizeof(*c));
	if (one_in(10))
		c->nent = below(300);
	call(m->v[below(VCPUS)]->fd, "SET_CPUID2", KVM_SET_CPUID2, c);
}

static void fuzz_cap(struct victim *m)
{
	static const uint32_t caps[] = {
		KVM_CAP_SPLIT_IRQCHIP, KVM_CAP_X2APIC_API, KVM_CAP_X86_DISABLE_EXITS,
		KVM_CAP_EXCEPTION_PAYLOAD, KVM_CAP_X86_USER_SPACE_MSR,
		KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_CAP_MAX_VCPU_ID,
		KVM_CAP_X86_BUS_LOCK_EXIT, KVM_CAP_EXIT_HYPERCALL,
		KVM_CAP_X86_TRIPLE_FAULT_EVENT, KVM_CAP_X86_APIC_BUS_CYCLES_NS,
		KVM_CAP_HALT_POLL, KVM_CAP_DIRTY_LOG_RING, KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
	};
	struct kvm_enable_cap cap = { .cap = caps[below(14)], .args = { below(8) } };

	if (one_in(3))
		mutate((uint8_t *)&cap, 48);
	if (one_in(4))
		call(m->v[below(VCPUS)]->fd, "vCPU ENABLE_CAP", KVM_ENABLE_CAP, &cap);
	else
		call(m->g->vm, "ENABLE_CAP", KVM_ENABLE_CAP, &cap);
}

/* A request out of the blue: any number, the structure's size known from it. */
static void fuzz_any(struct victim *m)
{
	unsigned long cmd = _IOC(below(4), KVMIO, below(256), below(512));
	unsigned int i;

	/*
	 * These take memory of this program for the guest's, block the signal
	 * that ends a run, or make descriptors.
	 */
	switch (_IOC_NR(cmd)) {
	case 0x41: case 0x46: case 0x49: case 0x80: case 0x8b: case 0xce:
	case 0xd4: case 0xe0:
		return;
	}
	for (i = 0; i < 64; i++)
		((uint64_t *)buffer)[i] = odd_number();
	call(one_in(2) ? m->g->vm : m->v[below(VCPUS)]->fd, "any", cmd, buffer);
}

static void fuzz_debug(struct victim *m)
{
	struct kvm_guest_debug d = { .control = below(2) | below(4) << 16 };
	struct kvm_translation t = { .linear_address = odd_number() };
	struct kvm_coalesced_mmio_zone z = { .addr = GUEST_TEST, .size = PAGE,
					     .pio = below(2) };
	int fd = m->v[below(VCPUS)]->fd;

	if (one_in(2))
		mutate((uint8_t *)&d, sizeof(d));
	if (one_in(2))
		mutate((uint8_t *)&z, sizeof(z));
	switch (below(4)) {
	case 0:
		call(fd, "SET_GUEST_DEBUG", KVM_SET_GUEST_DEBUG, &d);
		break;
	case 1:
		call(fd, "TRANSLATE", KVM_TRANSLATE, &t);
		break;
	case 2:
		call(m->g->vm, "REGISTER_COALESCED", KVM_REGISTER_COALESCED_MMIO, &z);
		break;
	default:
		call(m->g->vm, "UNREGISTER_COALESCED", KVM_UNREGISTER_COALESCED_MMIO, &z);
	}
}

/* Back to where it can run, as often as its state has been spoilt. */
static void fuzz_reset(struct victim *m, void *code)
{
	struct vcpu *v = m->v[below(VCPUS)];
	struct kvm_vcpu_events events = { 0 };
	struct kvm_sregs s;
	struct kvm_regs r = { .rip = (uint64_t)code, .rsp = GUEST_STACK(v->id) - 16,
			      .rflags = X86_FLAGS_FIXED };

	call(v->fd, "SET_VCPU_EVENTS", KVM_SET_VCPU_EVENTS, &events);
	if (!ioctl(v->fd, KVM_GET_SREGS, &s)) {
		s.cr0 = X86_CR0_PE | X86_CR0_ET | X86_CR0_NE | X86_CR0_PG;
		s.cr3 = m->g->pml4;
		s.cr4 = X86_CR4_PAE | X86_CR4_OSFXSR;
		s.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
		s.cs = (struct kvm_segment){ .limit = -1, .selector = SEL_CODE64,
			.type = 11, .present = 1, .s = 1, .g = 1, .l = 1 };
		s.ss = (struct kvm_segment){ .limit = -1, .selector = SEL_DATA,
			.type = 3, .present = 1, .s = 1, .g = 1, .db = 1 };
		call(v->fd, "SET_SREGS", KVM_SET_SREGS, &s);
	}
	call(v->fd, "SET_REGS", KVM_SET_REGS, &r);
}

/* ---- the guest: touches its slots, ports, chips, and now and then noise ---- */

static uint64_t noise_at;

static void fuzzed_guest(void)
{
	uint64_t random = 1, r;

	for (;;) {
		uint8_t *p;

		r = rng(&random);
		p = (uint8_t *)GUEST_TEST + (r >> 8) % (6 * MB);
		switch (r & 7) {
		case 0:
			write32(p, r);
			break;
		case 1:
			read64(p);
			break;
		case 2:
			outb(r >> 16 & 0xff, r);
			break;
		case 3:
			read32((void *)(0xfee00000 | (r >> 16 & 0xff0)));
			break;
		case 4:
			write32((void *)(0xfee00000 | (r >> 16 & 0xff0)), r >> 32);
			break;
		case 5:
			asm volatile("sti; nop; nop; cli");
			break;
		case 6: asm volatile("cpuid" : : "a"((uint32_t)(r >> 20)) :
				     "rbx", "rcx", "rdx"); break;
		default:
			asm volatile("lock incb (%0)" : : "r"(p) : "memory");
		}
	}
}

static void fuzz_run(struct victim *m)
{
	struct vcpu *v = m->v[below(VCPUS)];
	unsigned int i, n = 1 + below(20);

	if (one_in(10))
		for (i = 0; i < 64; i++)
			((uint64_t *)guest_hva(m->g, noise_at))[i] = rng(&state);
	v->run->request_interrupt_window = one_in(8);
	v->run->cr8 = one_in(8) ? odd_number() : 0;
	v->run->immediate_exit = one_in(16);
	v->run->kvm_dirty_regs = one_in(16) ? odd_number() : 0;
	v->run->kvm_valid_regs = one_in(16) ? below(8) : 0;
	if (one_in(12))
		mutate((uint8_t *)v->run, 2048);
	while (n-- && !call(v->fd, "RUN", KVM_RUN, NULL))
		;
}

static void victim_new(struct victim *m)
{
	static const unsigned int kinds[] = { 0, GUEST_SPLIT, GUEST_IRQCHIP };
	struct kvm_pit_config pit = { .flags = below(2) };
	unsigned int kind = kinds[below(3)];
	int i;

	m->g = guest_new(kind);
	if (kind == GUEST_IRQCHIP && one_in(2))
		ioctl(m->g->vm, KVM_CREATE_PIT2, &pit);
	for (i = 0; i < VCPUS; i++)
		m->v[i] = guest_vcpu(m->g, fuzzed_guest, 0);
	m->arena = mem_alloc(ARENA, one_in(2) ? MEM_THP : MEM_SMALL);
	for (i = 0; i < 2; i++)
		m->event[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	noise_at = guest_page(m->g);
}

static void victim_end(struct victim *m)
{
	int i;

	for (i = 0; i < VCPUS; i++) {
		munmap(m->v[i]->run, m->g->run_size);
		close(m->v[i]->fd);
	}
	close(m->g->vm);
	close(m->g->dev);
	munmap(m->arena, ARENA);
	munmap(m->g->ram, GUEST_RAM);
	close(m->event[0]);
	close(m->event[1]);
	free(m->g->cpuid);
	free(m->g);
}

static void fuzz_one(struct victim *m)
{
	switch (below(20)) {
	case 0 ... 4:
		fuzz_run(m);
		break;
	case 5 ... 8:
		fuzz_pair(m->v[below(VCPUS)]->fd,
			  &vcpu_pairs[below(sizeof(vcpu_pairs) / sizeof(vcpu_pairs[0]))]);
		break;
	case 9:
		fuzz_pair(m->g->vm, &vm_pairs[below(3)]);
		break;
	case 10:
		fuzz_slot(m);
		break;
	case 11:
		fuzz_arena(m);
		break;
	case 12:
		fuzz_log(m);
		break;
	case 13:
		fuzz_routing(m);
		break;
	case 14:
		fuzz_irq(m);
		break;
	case 15:
		fuzz_msrs(m);
		break;
	case 16:
		if (one_in(3))
			fuzz_cpuid(m);
		else
			fuzz_cap(m);
		break;
	case 17:
		fuzz_any(m);
		break;
	case 18:
		fuzz_debug(m);
		break;
	default:
		fuzz_reset(m, one_in(4) ? (void *)noise_at : (void *)fuzzed_guest);
	}
}

static unsigned long limit(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

TEST(fuzz)
{
	unsigned long rounds = limit("VMMU_FUZZ_ROUNDS", -1ul), n;
	unsigned long seconds = limit("VMMU_FUZZ_SECONDS", 8);
	struct vcpu *by = bystander_start();
	uint64_t end = now_ns() + seconds * 1000000000ull, start;
	struct victim m;
	sigset_t signals;
	int i;

	logging = limit("VMMU_FUZZ_LOG", 0);
	if (logging)
		setlinebuf(stdout);
	start = seed();
	fflush(stdout);
	cover_start();
	interrupt_me(1000);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR2);
	for (n = 0; n < rounds && now_ns() < end; n++) {
		/* Each VM has a seed of its own: a run of one round replays it. */
		state = start + n;
		if (logging)
			printf("# round %lu, VMMU_SEED=%llu\n", n,
			       (unsigned long long)state);
		/* Creating a VM is a call that a signal may end. */
		pthread_sigmask(SIG_BLOCK, &signals, NULL);
		victim_new(&m);
		pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
		for (i = 0; i < CALLS; i++)
			fuzz_one(&m);
		victim_end(&m);
	}
	printf("# %lu VMs\n", n);
	if (cover)
		printf("# %u branches of the kernel reached\n", seen);
	bystander_end(by);
}

TEST_HARNESS_MAIN
