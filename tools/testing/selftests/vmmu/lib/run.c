// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running vCPUs, in the caller's thread or in one of their own, and
 * understanding their exits.
 */
#include <sched.h>
#include <time.h>

#include "guest.h"

static const char * const exit_names[] = {
	[KVM_EXIT_UNKNOWN] = "UNKNOWN",
	[KVM_EXIT_EXCEPTION] = "EXCEPTION",
	[KVM_EXIT_IO] = "IO",
	[KVM_EXIT_HYPERCALL] = "HYPERCALL",
	[KVM_EXIT_DEBUG] = "DEBUG",
	[KVM_EXIT_HLT] = "HLT",
	[KVM_EXIT_MMIO] = "MMIO",
	[KVM_EXIT_IRQ_WINDOW_OPEN] = "IRQ_WINDOW_OPEN",
	[KVM_EXIT_SHUTDOWN] = "SHUTDOWN",
	[KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
	[KVM_EXIT_INTR] = "INTR",
	[KVM_EXIT_SET_TPR] = "SET_TPR",
	[KVM_EXIT_TPR_ACCESS] = "TPR_ACCESS",
	[KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
	[KVM_EXIT_SYSTEM_EVENT] = "SYSTEM_EVENT",
	[KVM_EXIT_IOAPIC_EOI] = "IOAPIC_EOI",
	[KVM_EXIT_X86_RDMSR] = "X86_RDMSR",
	[KVM_EXIT_X86_WRMSR] = "X86_WRMSR",
};

const char *exit_name(uint32_t reason)
{
	if (reason < sizeof(exit_names) / sizeof(exit_names[0]) &&
	    exit_names[reason])
		return exit_names[reason];
	return "?";
}

/* Where the vCPU is, and why it left the guest, on standard error. */
void vcpu_dump(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	struct kvm_sregs s;
	struct kvm_regs r;

	fprintf(stderr, "# vCPU %d: exit %u %s\n", v->id, run->exit_reason,
		exit_name(run->exit_reason));
	if (ioctl(v->fd, KVM_GET_REGS, &r) || ioctl(v->fd, KVM_GET_SREGS, &s))
		return;
	fprintf(stderr, "# rip %llx rsp %llx rflags %llx cs %x:%llx\n", r.rip,
		r.rsp, r.rflags, s.cs.selector, s.cs.base);
	fprintf(stderr, "# rax %llx rbx %llx rcx %llx rdx %llx rsi %llx rdi %llx\n",
		r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi);
	fprintf(stderr, "# cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx\n",
		s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
	if (run->exit_reason == KVM_EXIT_IO)
		fprintf(stderr, "# port %#x size %u count %u direction %u\n",
			run->io.port, run->io.size, run->io.count,
			run->io.direction);
	if (run->exit_reason == KVM_EXIT_MMIO)
		fprintf(stderr, "# gpa %#llx len %u write %u\n",
			run->mmio.phys_addr, run->mmio.len,
			run->mmio.is_write);
	if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		fprintf(stderr, "# suberror %u\n", run->internal.suberror);
	if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		fprintf(stderr, "# hardware reason %#llx\n",
			run->fail_entry.hardware_entry_failure_reason);
}

/* One KVM_RUN; returns 0 or -errno. */
int vcpu_enter(struct vcpu *v)
{
	return ioctl(v->fd, KVM_RUN, 0) ? -errno : 0;
}

static void report_failure(struct vcpu *v, const struct ucall *u)
{
	if (u->kind == UCALL_FAIL)
		DIE("vCPU %d failed at line %ld: %s: %#lx, %#lx", v->id,
		    (long)u->a, (const char *)u->b, (long)u->c, (long)u->d);
	DIE("vCPU %d: unexpected vector %ld, error %#lx, rip %#lx, cr2 %#lx",
	    v->id, (long)u->a, (long)u->b, (long)u->c, (long)u->d);
}

/**
 * vcpu_ucall() - what the guest says by the exit that it has just made
 *
 * A guest that reports a failure ends the test.
 */
struct ucall vcpu_ucall(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	struct ucall u = { 0 };
	struct kvm_regs r;

	if (run->exit_reason != KVM_EXIT_IO || run->io.port < UCALL_SYNC ||
	    run->io.port > UCALL_TRAP || run->io.direction != KVM_EXIT_IO_OUT)
		return u;
	r = vcpu_regs(v);
	u = (struct ucall) { run->io.port, r.rdi, r.rsi, r.rbx, r.rcx };
	if (u.kind == UCALL_FAIL || u.kind == UCALL_TRAP)
		report_failure(v, &u);
	return u;
}

/**
 * vcpu_run_ucall() - run until the guest reports or leaves otherwise
 *
 * Signals do not end the run.
 */
struct ucall vcpu_run_ucall(struct vcpu *v)
{
	int error;

	do {
		error = vcpu_enter(v);
	} while (error == -EINTR || error == -EAGAIN);
	if (error) {
		vcpu_dump(v);
		DIE("KVM_RUN of vCPU %d: %s", v->id, strerror(-error));
	}
	return vcpu_ucall(v);
}

struct ucall __run_sync(struct vcpu *v, const char *file, int line)
{
	struct ucall u = vcpu_run_ucall(v);

	if (u.kind != UCALL_SYNC) {
		vcpu_dump(v);
		guest_die(file, line, "vCPU %d did not report", v->id);
	}
	return u;
}

void __run_done(struct vcpu *v, const char *file, int line)
{
	struct ucall u = vcpu_run_ucall(v);

	if (u.kind != UCALL_DONE) {
		vcpu_dump(v);
		guest_die(file, line, "vCPU %d is not done", v->id);
	}
}

void __run_exit(struct vcpu *v, uint32_t reason, const char *file, int line)
{
	struct ucall u = vcpu_run_ucall(v);

	if (u.kind || v->run->exit_reason != reason) {
		vcpu_dump(v);
		guest_die(file, line, "vCPU %d: exit %s expected", v->id,
			  exit_name(reason));
	}
}

void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		DIE("cannot run on CPU %d: %m", cpu);
}

static void *run_thread(void *arg)
{
	struct vcpu *v = arg;

	if (v->pin >= 0)
		pin_to(v->pin);
	run_done(v);
	return NULL;
}

/* Run in a thread of its own until the guest's function returns. */
void vcpu_start(struct vcpu *v)
{
	int error = pthread_create(&v->thread, NULL, run_thread, v);

	if (error)
		DIE("pthread_create: %s", strerror(error));
}

void vcpu_join(struct vcpu *v)
{
	pthread_join(v->thread, NULL);
}

void msleep(unsigned int ms)
{
	usleep(ms * 1000);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

uint64_t vcpu_get_msr(struct vcpu *v, uint32_t index)
{
	struct one_msr m = { .head.nmsrs = 1, .entry.index = index };

	if (ioctl(v->fd, KVM_GET_MSRS, &m) != 1)
		DIE("KVM_GET_MSRS %#x: %m", index);
	return m.entry.data;
}

/* Returns how many MSRs were set, 0 or 1, or -errno. */
int vcpu_set_msr(struct vcpu *v, uint32_t index, uint64_t value)
{
	struct one_msr m = {
		.head.nmsrs = 1,
		.entry = { .index = index, .data = value },
	};
	int n = ioctl(v->fd, KVM_SET_MSRS, &m);

	return n < 0 ? -errno : n;
}

void vcpu_set_mp_state(struct vcpu *v, uint32_t state)
{
	struct kvm_mp_state s = { .mp_state = state };

	/* Without a local APIC in the kernel every vCPU is runnable. */
	if (ioctl(v->fd, KVM_SET_MP_STATE, &s) && errno != EINVAL)
		DIE("KVM_SET_MP_STATE %u: %m", state);
}
