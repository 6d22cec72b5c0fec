/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's side of a test: VMs, memory, vCPUs, and running them.
 *
 * Every function here that does not return an error ends the test, with one
 * line that says what went wrong, when the kernel does not do what is asked.
 * A test that wants to see the errno uses the ioctl itself or a *_try form.
 *
 * Nothing is freed: the harness runs each test in a process of its own.
 *
 *	static void double_it(uint64_t n)
 *	{
 *		guest_sync(n * 2, 0, 0);
 *	}
 *
 *	TEST(doubled)
 *	{
 *		struct guest *g = guest_new(0);
 *		struct vcpu *v = guest_vcpu(g, double_it, 21);
 *
 *		ASSERT_EQ(42, run_sync(v).a);
 *		run_done(v);
 *	}
 */
#ifndef VMMU_SELFTEST_GUEST_H
#define VMMU_SELFTEST_GUEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "cpu.h"

/* The harness's 30 seconds are short for a debug kernel on an emulated host. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 150

#define PAGE		0x1000ul
#define MB		0x100000ul
#define GB		0x40000000ul

/* Guest-physical memory of slot 0. */
#define GUEST_IDT	0x1000ul
#define GUEST_SCRATCH	0x2000ul		/* the test's own, 5 pages */
#define GUEST_REAL	0x7000ul		/* real-mode code, 9 pages */
#define GUEST_CPU(id)	(0x10000ul + (id) * PAGE)	/* GDT and TSS */
#define GUEST_STACK(id)	(0x100000ul + ((id) + 1) * 4 * PAGE)
#define GUEST_HEAP	0x200000ul		/* guest_page() */
#define GUEST_HEAP_END	0x400000ul
#define GUEST_IMAGE	0x400000ul		/* this program */
#define GUEST_RAM	(16 * MB)
/* Free for more memory: everything from here to the APIC at 0xfee00000. */
#define GUEST_TEST	(1 * GB)

/* guest_new() */
#define GUEST_BARE	1	/* only the VM: no memory, nothing enabled */
#define GUEST_SPLIT	2	/* local APICs in the kernel, I/O APIC here */
#define GUEST_IRQCHIP	4	/* all interrupt controllers in the kernel */

/* guest_mem() */
enum backing {
	MEM_SMALL,		/* private anonymous, 4K pages only */
	MEM_THP,		/* private anonymous, 2M-aligned, MADV_HUGEPAGE */
	MEM_MEMFD,		/* shared */
	MEM_HUGETLB,		/* private hugetlb of 2M; NULL when there is none */
};

struct guest;

struct vcpu {
	struct guest *guest;
	int id, fd;
	struct kvm_run *run;
	pthread_t thread;
	int pin;		/* CPU for vcpu_start(), -1: any */
};

struct guest {
	int dev, vm;
	int nr_vcpus, next_slot;
	size_t run_size;
	uint8_t *ram;		/* slot 0 */
	uint64_t heap;		/* next guest_page() */
	uint64_t pml4;
	struct kvm_cpuid2 *cpuid;
	struct vcpu vcpu[GUEST_MAX_VCPUS];
};

struct ucall {
	int kind;		/* UCALL_*, or 0: another exit, see vcpu->run */
	uint64_t a, b, c, d;
};

#define DIE(...) guest_die(__FILE__, __LINE__, __VA_ARGS__)
void guest_die(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

/* guest.c: the VM and its memory */
int device_open(void);
const char *device_path(void);
struct guest *guest_new(unsigned int flags);
int guest_cap(struct guest *g, int cap);
int guest_enable_cap(struct guest *g, uint32_t cap, uint64_t arg0);
void *mem_alloc(size_t size, enum backing backing);
int guest_slot(struct guest *g, uint32_t slot, uint32_t flags, uint64_t gpa,
	       uint64_t size, void *hva);
void *guest_mem(struct guest *g, uint64_t gpa, size_t size, enum backing b);
uint64_t guest_page(struct guest *g);
void *guest_hva(struct guest *g, uint64_t gpa);
uint64_t seed(void);
bool on_tcg(void);
bool on_bochs(void);
bool on_kvm_shadow(void);
uint64_t cr0_always(void);

/* The guest's copy of a global variable. */
#define guest_var(g, var)						\
	(*(typeof(var) *)guest_hva(g, (uint64_t)&(var)))

/* mode.c: the state a vCPU starts with */
void guest_load_image(struct guest *g);
void guest_tables(struct guest *g);
void guest_map(struct guest *g, uint64_t gva, uint64_t gpa, uint64_t size,
	       uint64_t page_size, uint64_t bits);
uint64_t *guest_pte(struct guest *g, uint64_t gva, int level);
struct vcpu *guest_vcpu_bare(struct guest *g);
struct vcpu *guest_vcpu(struct guest *g, void *fn, uint64_t arg);
void vcpu_long(struct vcpu *v, void *fn, uint64_t arg);
void vcpu_real(struct vcpu *v, uint64_t gpa, const void *start,
	       const void *end);
void vcpu_protected(struct vcpu *v, const void *start);
void vcpu_set_cpuid(struct vcpu *v);

/* run.c */
int vcpu_enter(struct vcpu *v);
struct ucall vcpu_ucall(struct vcpu *v);
struct ucall vcpu_run_ucall(struct vcpu *v);
const char *exit_name(uint32_t reason);
void vcpu_dump(struct vcpu *v);
void vcpu_start(struct vcpu *v);
void vcpu_join(struct vcpu *v);
void pin_to(int cpu);
void msleep(unsigned int ms);
uint64_t now_ns(void);
struct ucall __run_sync(struct vcpu *v, const char *file, int line);
void __run_done(struct vcpu *v, const char *file, int line);
void __run_exit(struct vcpu *v, uint32_t reason, const char *file, int line);

/* Run to the next guest_sync(), the end, an exit for the test to look at. */
#define run_sync(v)		__run_sync(v, __FILE__, __LINE__)
#define run_done(v)		__run_done(v, __FILE__, __LINE__)
#define run_exit(v, reason)	__run_exit(v, reason, __FILE__, __LINE__)

static inline struct kvm_regs vcpu_regs(struct vcpu *v)
{
	struct kvm_regs regs;

	if (ioctl(v->fd, KVM_GET_REGS, &regs))
		DIE("KVM_GET_REGS: %m");
	return regs;
}

static inline struct kvm_sregs vcpu_sregs(struct vcpu *v)
{
	struct kvm_sregs sregs;

	if (ioctl(v->fd, KVM_GET_SREGS, &sregs))
		DIE("KVM_GET_SREGS: %m");
	return sregs;
}

static inline void vcpu_set_regs(struct vcpu *v, const struct kvm_regs *regs)
{
	if (ioctl(v->fd, KVM_SET_REGS, regs))
		DIE("KVM_SET_REGS: %m");
}

static inline void vcpu_set_sregs(struct vcpu *v, const struct kvm_sregs *sregs)
{
	if (ioctl(v->fd, KVM_SET_SREGS, sregs))
		DIE("KVM_SET_SREGS: %m");
}

uint64_t vcpu_get_msr(struct vcpu *v, uint32_t index);
int vcpu_set_msr(struct vcpu *v, uint32_t index, uint64_t value);
void vcpu_set_mp_state(struct vcpu *v, uint32_t state);

#endif
