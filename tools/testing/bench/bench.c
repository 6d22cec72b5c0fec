// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one operation costs on a KVM device: ticks of the TSC, exits, faults.
 *
 * One row, one operation, done many times by a guest or by the host. On a
 * single-CPU emulated host under -icount a tick is an instruction, host and
 * guest alike; elsewhere it is a tick. Each row is measured three times on
 * fresh state: for ticks with no event enabled, then counting the device's
 * exit events, then its page-fault events, as the kernel's trace buffer counts
 * them. A line of JSON per row goes to standard output.
 *
 *	VMMU_DEVICE=/dev/kvm bench [ROW...]
 */
#include <err.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "guest.h"

#define TRACING		"/sys/kernel/tracing"
#define SLOT		1
#define SIZE		(32 * MB)
#define PAGES		(SIZE / PAGE)
#define MMIO_GPA	(2 * GB)
#define PORT_USER	0x80
#define PORT_EVENTFD	0x81
#define OPS		2000

/* What a row works on. */
struct bench {
	struct guest *g;
	struct vcpu *v;
	void *mem;
	bool has_slot;
};

struct row {
	const char *name;
	const char *what;
	unsigned long n;	/* operations of one measurement */
	enum backing backing;	/* of the test memory, when it has any */
	uint32_t flags;		/* of its slot */
	/* Before each measurement, not counted. */
	void (*prepare)(struct bench *b);
	/* One of the two: in the guest, or in the host (which may run the guest). */
	void (*guest)(unsigned long n);
	void (*host)(struct bench *b, unsigned long n);
};

static const struct row rows[];

/* ---- the guest ---- */

static void g_touch_forwards(unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		write8((uint8_t *)GUEST_TEST + i * PAGE, 1);
}

static void g_touch_backwards(unsigned long n)
{
	while (n--)
		write8((uint8_t *)GUEST_TEST + n * PAGE, 1);
}

static void g_cpuid(unsigned long n)
{
	uint32_t regs[4];

	while (n--)
		cpuid_count(0, 0, regs);
}

static void g_out_user(unsigned long n)
{
	while (n--)
		outb(PORT_USER, 0);
}

static void g_out_eventfd(unsigned long n)
{
	while (n--)
		outb(PORT_EVENTFD, 0);
}

static void g_mmio_user(unsigned long n)
{
	while (n--)
		read32((void *)MMIO_GPA);
}

/* An unknown call: the cheapest answer that a hypervisor can give. */
static void g_hypercall(unsigned long n)
{
	uint64_t rax;
	uint32_t regs[4];
	bool amd;

	cpuid_count(0, 0, regs);
	amd = regs[2] == 0x444d4163;	/* "cAMD" */
	while (n--) {
		rax = 1000;
		if (amd)
			asm volatile("vmmcall" : "+a"(rax) : : "memory");
		else
			asm volatile("vmcall" : "+a"(rax) : : "memory");
	}
}

static void g_cr0_wp(unsigned long n)
{
	uint64_t cr0 = read_cr0();

	while (n--)
		write_cr0(cr0 ^= X86_CR0_WP);
}

static void g_cr4_pge(unsigned long n)
{
	uint64_t cr4 = read_cr4();

	while (n--)
		write_cr4(cr4 ^= X86_CR4_PGE);
}

static void g_empty(unsigned long n)
{
}

/* Per measurement: a sync when ready, the work, a sync with its ticks. */
static void g_main(uint64_t row)
{
	void (*work)(unsigned long n) = rows[row].guest ?: g_touch_forwards;
	unsigned long n = rows[row].guest ? rows[row].n : PAGES;
	uint64_t start;

	for (;;) {
		guest_sync(0, 0, 0);
		start = guest_rdtsc();
		work(n);
		guest_sync(guest_rdtsc() - start, 0, 0);
	}
}

/* ---- the host ---- */

/* Run to the guest's next sync; exits for the rows' own sake are answered by going on. */
static uint64_t run_to_sync(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	for (;;) {
		if (ioctl(v->fd, KVM_RUN, 0))
			err(1, "KVM_RUN");
		if (run->exit_reason == KVM_EXIT_MMIO)
			continue;
		if (run->exit_reason != KVM_EXIT_IO) {
			vcpu_dump(v);
			errx(1, "unexpected exit");
		}
		if (run->io.port == PORT_USER)
			continue;
		if (run->io.port != UCALL_SYNC) {
			vcpu_dump(v);
			errx(1, "the guest failed");
		}
		return vcpu_regs(v).rdi;
	}
}

/* @size 0 deletes it, if it is there. */
static void set_slot(struct bench *b, uint32_t flags, size_t size)
{
	if (!size && !b->has_slot)
		return;
	b->has_slot = size;
	if (guest_slot(b->g, SLOT, flags, GUEST_TEST, size, b->mem))
		err(1, "KVM_SET_USER_MEMORY_REGION");
}

/* The guest has touched all of its test memory. */
static void touch_all(struct bench *b)
{
	run_to_sync(b->v);
	run_to_sync(b->v);
}

static void get_log(struct bench *b)
{
	static uint64_t bitmap[PAGES / 64];
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };

	if (ioctl(b->g->vm, KVM_GET_DIRTY_LOG, &log))
		err(1, "KVM_GET_DIRTY_LOG");
}

/* Nothing mapped in the guest, everything in the host. */
static void fresh_slot(struct bench *b)
{
	set_slot(b, 0, 0);
	memset(b->mem, 1, SIZE);
	set_slot(b, 0, SIZE);
}

static void fresh_host(struct bench *b)
{
	set_slot(b, 0, 0);
	if (madvise(b->mem, SIZE, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
	set_slot(b, 0, SIZE);
}

/* Mapped small and logged, and the log just read. */
static void logged_clean(struct bench *b)
{
	set_slot(b, 0, 0);
	memset(b->mem, 1, SIZE);
	set_slot(b, KVM_MEM_LOG_DIRTY_PAGES, SIZE);
	touch_all(b);
	get_log(b);
}

static void logged_dirty(struct bench *b)
{
	logged_clean(b);
	touch_all(b);
}

static void mapped(struct bench *b)
{
	set_slot(b, 0, SIZE);
	memset(b->mem, 1, SIZE);
	touch_all(b);
}

static void no_slot(struct bench *b)
{
	set_slot(b, 0, 0);
}

static void h_log_on(struct bench *b, unsigned long n)
{
	set_slot(b, KVM_MEM_LOG_DIRTY_PAGES, SIZE);
}

static void h_log_get(struct bench *b, unsigned long n)
{
	get_log(b);
}

static void h_dontneed_all(struct bench *b, unsigned long n)
{
	if (madvise(b->mem, SIZE, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
}

static void h_dontneed_one(struct bench *b, unsigned long n)
{
	while (n--)
		if (madvise((char *)b->mem + n * 16 * PAGE, PAGE, MADV_DONTNEED))
			err(1, "MADV_DONTNEED");
}

static void h_slot_add(struct bench *b, unsigned long n)
{
	set_slot(b, 0, SIZE);
}

static void h_slot_delete(struct bench *b, unsigned long n)
{
	set_slot(b, 0, 0);
}

static void h_vm(struct bench *b, unsigned long n)
{
	int vm;

	while (n--) {
		vm = ioctl(b->g->dev, KVM_CREATE_VM, 0);
		if (vm < 0)
			err(1, "KVM_CREATE_VM");
		close(vm);
	}
}

static void h_vm_vcpu(struct bench *b, unsigned long n)
{
	int vm, vcpu;

	while (n--) {
		vm = ioctl(b->g->dev, KVM_CREATE_VM, 0);
		vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
		if (vcpu < 0)
			err(1, "KVM_CREATE_VCPU");
		close(vcpu);
		close(vm);
	}
}

/* ---- the table ---- */

#define MEM(b)	.backing = b
#define LOG	KVM_MEM_LOG_DIRTY_PAGES

static const struct row rows[] = {
	{ "touch-populated", "first touch, 4K, populated, forwards", PAGES, MEM(MEM_SMALL),
	  .prepare = fresh_slot, .guest = g_touch_forwards },
	{ "touch-backwards", "first touch, 4K, populated, backwards", PAGES, MEM(MEM_SMALL),
	  .prepare = fresh_slot, .guest = g_touch_backwards },
	{ "touch-unpopulated", "first touch, 4K, not populated", PAGES, MEM(MEM_SMALL),
	  .prepare = fresh_host, .guest = g_touch_forwards },
	{ "touch-thp", "first touch over THP, per 4K", PAGES, MEM(MEM_THP),
	  .prepare = fresh_slot, .guest = g_touch_forwards },
	{ "redirty", "re-dirty after the log was read", PAGES, MEM(MEM_SMALL),
	  .prepare = logged_clean, .guest = g_touch_forwards },
	{ "log-on-4k", "enable logging, per page of 4K mappings", PAGES, MEM(MEM_SMALL),
	  .prepare = mapped, .host = h_log_on },
	{ "log-on-2m", "enable logging, per page of 2M mappings", PAGES, MEM(MEM_THP),
	  .prepare = mapped, .host = h_log_on },
	{ "log-get-dirty", "GET_DIRTY_LOG, all dirty, per page", PAGES, MEM(MEM_SMALL),
	  .prepare = logged_dirty, .host = h_log_get },
	{ "log-get-clean", "GET_DIRTY_LOG, none dirty, per page", PAGES, MEM(MEM_SMALL),
	  .prepare = logged_clean, .host = h_log_get },
	{ "dontneed", "MADV_DONTNEED of 32 MiB, per page", PAGES, MEM(MEM_SMALL),
	  .prepare = mapped, .host = h_dontneed_all },
	{ "dontneed-one", "MADV_DONTNEED of one page", 256, MEM(MEM_SMALL),
	  .prepare = mapped, .host = h_dontneed_one },
	{ "slot-add", "add a slot", 1, MEM(MEM_SMALL), .prepare = no_slot, .host = h_slot_add },
	{ "slot-delete", "delete a slot of 8192 mapped pages", 1, MEM(MEM_SMALL),
	  .prepare = mapped, .host = h_slot_delete },
	{ "vm", "VM create and destroy", 20, .host = h_vm },
	{ "vm-vcpu", "VM and vCPU create and destroy", 20, .host = h_vm_vcpu },
	{ "out-user", "port OUT to user space and back", OPS, .guest = g_out_user },
	{ "out-eventfd", "port OUT, ioeventfd", OPS, .guest = g_out_eventfd },
	{ "mmio-user", "MMIO read to user space and back", OPS, .guest = g_mmio_user },
	{ "cpuid", "CPUID exit", OPS, .guest = g_cpuid },
	{ "hypercall", "hypercall exit", OPS, .guest = g_hypercall },
	{ "cr0-wp", "CR0.WP toggle", OPS, .guest = g_cr0_wp },
	{ "cr4-pge", "CR4.PGE toggle", OPS, .guest = g_cr4_pge },
	{ "empty", "nothing (the measurement itself)", 1, .guest = g_empty },
	{ }
};

/* ---- events, counted by a trace instance of our own ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

/* The device's own events: kvm:kvm_exit or vmmu:vmmu_exit, and the same of page_fault. */
static void event_switch(const char *event, bool on)
{
	const char *sys = access(TRACING "/events/vmmu", F_OK) ? "kvm" : "vmmu";
	char path[200];

	snprintf(path, sizeof(path), TRACING "/instances/bench/events/%s/%s_%s/enable", sys, sys,
		 event);
	write_file(path, on ? "1" : "0");
}

static unsigned long events_seen(void)
{
	unsigned long sum = 0, n;
	char path[100], line[100];
	FILE *f;
	int cpu;

	for (cpu = 0; ; cpu++) {
		snprintf(path, sizeof(path), TRACING "/instances/bench/per_cpu/cpu%d/stats", cpu);
		f = fopen(path, "r");
		if (!f)
			return sum;
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "entries: %lu", &n) == 1 ||
			    sscanf(line, "overrun: %lu", &n) == 1)
				sum += n;
		fclose(f);
	}
}

/* ---- one measurement ---- */

static uint64_t measure(struct bench *b, const struct row *row)
{
	uint64_t start;

	if (row->prepare)
		row->prepare(b);
	if (row->guest) {
		run_to_sync(b->v);
		return run_to_sync(b->v);
	}
	start = guest_rdtsc();
	row->host(b, row->n);
	return guest_rdtsc() - start;
}

/* In thousandths per operation: this program uses no floating point, being also the guest. */
static unsigned long count_events(struct bench *b, const struct row *row, const char *event)
{
	unsigned long n;

	if (row->prepare)
		row->prepare(b);
	if (row->guest)
		run_to_sync(b->v);
	write_file(TRACING "/instances/bench/trace", "");
	event_switch(event, true);
	if (row->guest)
		run_to_sync(b->v);
	else
		row->host(b, row->n);
	event_switch(event, false);
	n = events_seen();
	return n * 1000 / row->n;
}

static void ioeventfd(struct guest *g)
{
	struct kvm_ioeventfd args = {
		.addr = PORT_EVENTFD, .len = 1, .fd = eventfd(0, 0),
		.flags = KVM_IOEVENTFD_FLAG_PIO,
	};

	if (args.fd < 0 || ioctl(g->vm, KVM_IOEVENTFD, &args))
		err(1, "KVM_IOEVENTFD");
}

static void bench_row(unsigned int i)
{
	const struct row *row = &rows[i];
	struct bench b = { .g = guest_new(0) };
	unsigned long ticks, exits, faults;

	if (row->prepare)
		b.mem = mem_alloc(SIZE, row->backing);
	ioeventfd(b.g);
	b.v = guest_vcpu(b.g, g_main, i);
	measure(&b, row);	/* warm */
	ticks = measure(&b, row) * 10 / row->n;
	exits = count_events(&b, row, "exit");
	faults = count_events(&b, row, "page_fault");
	printf("{\"device\": \"%s\", \"row\": \"%s\", \"what\": \"%s\", \"n\": %lu, ",
	       device_path(), row->name, row->what, row->n);
	printf("\"ticks\": %lu.%lu, \"exits\": %lu.%03lu, \"faults\": %lu.%03lu}\n", ticks / 10,
	       ticks % 10, exits / 1000, exits % 1000, faults / 1000, faults % 1000);
	fflush(stdout);
	close(b.v->fd);
	close(b.g->vm);
	if (b.mem)
		munmap(b.mem, SIZE);
}

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	unsigned int i;

	mkdir(TRACING "/instances/bench", 0755);
	for (i = 0; rows[i].name; i++)
		if (wanted(rows[i].name, argc, argv))
			bench_row(i);
	rmdir(TRACING "/instances/bench");
	return 0;
}
