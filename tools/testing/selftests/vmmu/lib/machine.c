// SPDX-License-Identifier: GPL-2.0-only
/*
 * All that can be asked of a vCPU and of a VM, and how it is set in another
 * one. Only what counts by itself may have gone on counting: TSC, clocks, the
 * current counts of timers.
 */
#include "machine.h"

#define MAX_MSRS	320
#define CPUID_SIZE	(sizeof(struct kvm_cpuid2) + 256 * sizeof(struct kvm_cpuid_entry2))
#define COUNT_OF(array)	(sizeof(array) / sizeof((array)[0]))

struct cpu_state {
	struct kvm_regs regs;
	struct kvm_sregs2 sregs;
	struct kvm_fpu fpu;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	struct kvm_lapic_state lapic;
	int tsc_khz, msrs;
	struct kvm_msr_entry msr[MAX_MSRS];
	size_t xsave_size;
	uint8_t xsave[8192] __attribute__((aligned(64)));
};

struct vm_state {
	struct kvm_irqchip chip[3];
	struct kvm_pit_state2 pit;
	struct kvm_clock_data clock;
};

/* Not in KVM_GET_MSR_INDEX_LIST, but user space saves them: MTRRs and machine checks. */
static const struct { uint32_t first, last; } unlisted[] = {
	{ 0x17a, 0x17a }, { 0x200, 0x20f }, { 0x250, 0x250 }, { 0x258, 0x259 },
	{ 0x268, 0x26f }, { 0x2ff, 0x2ff }, { 0x400, 0x427 },
};

static void get_msr(struct vcpu *v, struct cpu_state *s, uint32_t index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = { .head.nmsrs = 1, .entry.index = index };
	int i;

	/* Hyper-V's: no guest here has them, and some count time. */
	if (index >> 12 == 0x40000)
		return;
	for (i = 0; i < s->msrs; i++)
		if (s->msr[i].index == index)
			return;
	/* Some are listed that this guest's CPUID does not have. */
	if (ioctl(v->fd, KVM_GET_MSRS, &m) != 1)
		return;
	if (s->msrs == MAX_MSRS)
		DIE("too many MSRs");
	s->msr[s->msrs++] = m.entry;
}

static void get_msrs(struct vcpu *v, struct cpu_state *s)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + 1000 * 4);
	uint32_t i, k;

	list->nmsrs = 1000;
	if (ioctl(v->guest->dev, KVM_GET_MSR_INDEX_LIST, list))
		DIE("KVM_GET_MSR_INDEX_LIST: %m");
	for (i = 0; i < list->nmsrs; i++)
		get_msr(v, s, list->indices[i]);
	for (k = 0; k < COUNT_OF(unlisted); k++)
		for (i = unlisted[k].first; i <= unlisted[k].last; i++)
			get_msr(v, s, i);
	free(list);
}

static void get_cpu(struct vcpu *v, struct cpu_state *s, bool lapic)
{
	int size = guest_cap(v->guest, KVM_CAP_XSAVE2);

	memset(s, 0, sizeof(*s));
	/*
	 * These first: in-tree KVM lets a waiting INIT happen when MP state is read, and a
	 * payload that waits goes to DR6 or CR2 with the events.
	 */
	GET(v->fd, KVM_GET_MP_STATE, &s->mp);
	GET(v->fd, KVM_GET_VCPU_EVENTS, &s->events);
	GET(v->fd, KVM_GET_REGS, &s->regs);
	GET(v->fd, KVM_GET_SREGS2, &s->sregs);
	GET(v->fd, KVM_GET_FPU, &s->fpu);
	GET(v->fd, KVM_GET_XCRS, &s->xcrs);
	s->xsave_size = size > 0 ? size : sizeof(struct kvm_xsave);
	if (s->xsave_size > sizeof(s->xsave))
		DIE("KVM_CAP_XSAVE2: %d", size);
	if (ioctl(v->fd, size > 0 ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, s->xsave))
		DIE("KVM_GET_XSAVE: %m");
	GET(v->fd, KVM_GET_DEBUGREGS, &s->debugregs);
	if (lapic)
		GET(v->fd, KVM_GET_LAPIC, &s->lapic);
	s->tsc_khz = ioctl(v->fd, KVM_GET_TSC_KHZ);
	get_msrs(v, s);
}

/* In the order that works: APIC base before APIC, APIC before deadline, events last. */
static void set_cpu(struct vcpu *v, const struct cpu_state *s, bool lapic)
{
	uint64_t deadline = 0;
	int i, n;

	if (ioctl(v->fd, KVM_SET_TSC_KHZ, s->tsc_khz))
		DIE("KVM_SET_TSC_KHZ %d: %m", s->tsc_khz);
	SET(v->fd, KVM_SET_SREGS2, &s->sregs);
	SET(v->fd, KVM_SET_REGS, &s->regs);
	SET(v->fd, KVM_SET_XCRS, &s->xcrs);
	SET(v->fd, KVM_SET_XSAVE, s->xsave);
	SET(v->fd, KVM_SET_DEBUGREGS, &s->debugregs);
	if (lapic)
		SET(v->fd, KVM_SET_MP_STATE, &s->mp);
	for (i = 0; i < s->msrs; i++) {
		if (s->msr[i].index == MSR_TSC_DEADLINE) {
			deadline = s->msr[i].data;
			continue;
		}
		n = vcpu_set_msr(v, s->msr[i].index, s->msr[i].data);
		/* What a guest cannot have may be refused, but then it is 0. */
		if (n != 1 && (n || s->msr[i].data))
			DIE("MSR %#x = %#llx: %d", s->msr[i].index,
			    s->msr[i].data, n);
	}
	if (lapic) {
		SET(v->fd, KVM_SET_LAPIC, &s->lapic);
		if (deadline && vcpu_set_msr(v, MSR_TSC_DEADLINE, deadline) != 1)
			DIE("TSC deadline %#lx", (long)deadline);
	}
	SET(v->fd, KVM_SET_VCPU_EVENTS, &s->events);
}

static int differences;

static void same(const char *what, const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;
	size_t i;

	for (i = 0; i < size; i++) {
		if (x[i] != y[i]) {
			fprintf(stderr, "# %s: byte %zu of %zu was %#x, is %#x\n",
				what, i, size, x[i], y[i]);
			differences++;
			return;
		}
	}
}

static uint64_t tsc_of(const struct cpu_state *s)
{
	int i;

	for (i = 0; i < s->msrs; i++)
		if (s->msr[i].index == MSR_TSC)
			return s->msr[i].data;
	DIE("no TSC");
}

/* The TSC goes on, from not before @tsc. */
static void same_msrs(const struct cpu_state *a, const struct cpu_state *b, uint64_t tsc)
{
	int i;

	if (a->msrs != b->msrs)
		DIE("%d MSRs became %d", a->msrs, b->msrs);
	for (i = 0; i < a->msrs; i++) {
		uint64_t x = a->msr[i].data, y = b->msr[i].data;

		if (a->msr[i].index == MSR_TSC && y > tsc)
			continue;
		if (x != y) {
			fprintf(stderr, "# MSR %#x was %#lx, is %#lx\n",
				a->msr[i].index, (long)x, (long)y);
			differences++;
		}
	}
}

#define FIELD(name) \
	{ #name, offsetof(struct cpu_state, name), sizeof(((struct cpu_state *)0)->name) }

static const struct {
	const char *name;
	size_t offset, size;
} cpu_fields[] = {
	FIELD(regs), FIELD(sregs), FIELD(fpu), FIELD(xcrs), FIELD(debugregs),
	FIELD(events), FIELD(mp), FIELD(tsc_khz), FIELD(xsave), FIELD(lapic),
};

/*
 * The APIC timer may fire between two looks at a vCPU that does not run: then its vector, and
 * no other, is requested, and a deadline is over. Make the first look say so.
 */
static void let_timer_fire(struct cpu_state *a, const struct cpu_state *b)
{
	uint32_t vector = *(const uint32_t *)(b->lapic.regs + APIC_LVTT) & 0xff;
	uint32_t at = 0x200 + vector / 32 * 16, bit = 1u << vector % 32, was, is;
	int i;

	memcpy(&was, a->lapic.regs + at, sizeof(was));
	memcpy(&is, b->lapic.regs + at, sizeof(is));
	if ((was & bit) || !(is & bit))
		return;
	was |= bit;
	memcpy(a->lapic.regs + at, &was, sizeof(was));
	for (i = 0; i < a->msrs; i++)
		if (a->msr[i].index == MSR_TSC_DEADLINE && !b->msr[i].data)
			a->msr[i].data = 0;
}

/*
 * The APIC timer's current count goes on, and the processor's priority follows
 * from the others: the kernel's own KVM computes it when it is needed.
 */
static void same_cpu(struct cpu_state *a, struct cpu_state *b, uint64_t tsc)
{
	static const uint16_t follows[] = { APIC_TMCCT, APIC_PPR };
	uint32_t i;

	let_timer_fire(a, b);
	for (i = 0; i < COUNT_OF(follows); i++) {
		memset(a->lapic.regs + follows[i], 0, 4);
		memset(b->lapic.regs + follows[i], 0, 4);
	}
	for (i = 0; i < COUNT_OF(cpu_fields); i++)
		same(cpu_fields[i].name, (uint8_t *)a + cpu_fields[i].offset,
		     (uint8_t *)b + cpu_fields[i].offset, cpu_fields[i].size);
	same_msrs(a, b, tsc);
}

static void get_vm(struct machine *m, struct vm_state *s)
{
	int i;

	memset(s, 0, sizeof(*s));
	GET(m->g->vm, KVM_GET_CLOCK, &s->clock);
	if (m->pit)
		GET(m->g->vm, KVM_GET_PIT2, &s->pit);
	for (i = 0; i < 3 && m->flags & GUEST_IRQCHIP; i++) {
		s->chip[i].chip_id = i;
		if (ioctl(m->g->vm, KVM_GET_IRQCHIP, &s->chip[i]))
			DIE("KVM_GET_IRQCHIP %d: %m", i);
	}
}

/* Each is asked again before the next is set: a running PIT changes the chips. */
static void set_vm(struct machine *m, const struct vm_state *a)
{
	struct kvm_clock_data clock = { .clock = a->clock.clock };
	struct vm_state now = { };
	int i;

	for (i = 0; i < 3 && m->flags & GUEST_IRQCHIP; i++) {
		SET(m->g->vm, KVM_SET_IRQCHIP, &a->chip[i]);
		now.chip[i].chip_id = i;
		if (ioctl(m->g->vm, KVM_GET_IRQCHIP, &now.chip[i]))
			DIE("KVM_GET_IRQCHIP %d: %m", i);
		same("irqchip", &a->chip[i], &now.chip[i], sizeof(now.chip[i]));
	}
	if (m->pit) {
		SET(m->g->vm, KVM_SET_PIT2, &a->pit);
		GET(m->g->vm, KVM_GET_PIT2, &now.pit);
		/* The count runs from when it was set. */
		for (i = 0; i < 3; i++)
			now.pit.channels[i].count_load_time =
				a->pit.channels[i].count_load_time;
		same("PIT", &a->pit, &now.pit, sizeof(now.pit));
	}
	SET(m->g->vm, KVM_SET_CLOCK, &clock);
	GET(m->g->vm, KVM_GET_CLOCK, &now.clock);
	if (now.clock.clock < a->clock.clock ||
	    now.clock.clock - a->clock.clock > 20000000000)
		DIE("the clock was %llu, is %llu", a->clock.clock,
		    now.clock.clock);
}

/* 256 entries; some follow from registers. */
static struct kvm_cpuid2 *get_cpuid(struct vcpu *v)
{
	struct kvm_cpuid2 *cpuid = calloc(1, CPUID_SIZE);

	cpuid->nent = 256;
	if (ioctl(v->fd, KVM_GET_CPUID2, cpuid))
		DIE("KVM_GET_CPUID2: %m");
	return cpuid;
}

void machine_new(struct machine *m)
{
	struct kvm_pit_config pit = { };

	m->g = guest_new(m->flags);
	if (m->pit)
		SET(m->g->vm, KVM_CREATE_PIT2, &pit);
	if (m->payload && guest_enable_cap(m->g, KVM_CAP_EXCEPTION_PAYLOAD, 1))
		DIE("KVM_CAP_EXCEPTION_PAYLOAD: %m");
}

static void machine_drop(struct guest *g)
{
	int i;

	for (i = 0; i < g->nr_vcpus; i++) {
		munmap(g->vcpu[i].run, g->run_size);
		close(g->vcpu[i].fd);
	}
	close(g->vm);
	close(g->dev);
	munmap(g->ram, GUEST_RAM);
	free(g->cpuid);
	free(g);
}

/**
 * machine_move() - from its VM to a new one, with all its state
 * @m: nothing of it runs
 *
 * The state is read twice, which must not change it, set in the new VM, and read
 * there.
 */
void machine_move(struct machine *m)
{
	static struct cpu_state cpu[4], after;
	struct kvm_cpuid2 *cpuid[4];
	struct guest *old = m->g;
	bool lapic = m->flags & (GUEST_SPLIT | GUEST_IRQCHIP);
	struct vm_state vm;
	int i;

	differences = 0;
	for (i = 0; i < old->nr_vcpus; i++) {
		get_cpu(&old->vcpu[i], &after, lapic);
		get_cpu(&old->vcpu[i], &cpu[i], lapic);
		same_cpu(&after, &cpu[i], tsc_of(&after));
		get_cpu(&old->vcpu[i], &cpu[i], lapic);
	}
	if (differences)
		DIE("reading the state has changed it");
	get_vm(m, &vm);
	machine_new(m);
	memcpy(m->g->ram, old->ram, GUEST_RAM);
	for (i = 0; i < old->nr_vcpus; i++) {
		cpuid[i] = get_cpuid(&old->vcpu[i]);
		SET(guest_vcpu_bare(m->g)->fd, KVM_SET_CPUID2, cpuid[i]);
	}
	set_vm(m, &vm);
	for (i = 0; i < old->nr_vcpus; i++) {
		struct vcpu *v = &m->g->vcpu[i];

		set_cpu(v, &cpu[i], lapic);
		get_cpu(v, &after, lapic);
		/* All are put in step with the first, which was read before them. */
		same_cpu(&cpu[i], &after, tsc_of(&cpu[0]));
		same("CPUID", cpuid[i], get_cpuid(v), CPUID_SIZE);
	}
	if (differences)
		DIE("%d differences", differences);
	machine_drop(old);
}
