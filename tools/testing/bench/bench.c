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
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "bench.h"

#define TRACING		"/sys/kernel/tracing"

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

/* Run to the guest's next sync; exits for the rows' own sake are answered by going on. */
uint64_t run_to_sync(struct vcpu *v)
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
	return row->figure ? row->figure(b) : guest_rdtsc() - start;
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
	if (row->setup)
		row->setup(&b);
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
