// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program of the guest that gdb takes apart from outside, through QEMU
 * (debug.gdb). It is linked at an address that no other program has, so that a
 * breakpoint there is a breakpoint in it, and runs on the last CPU.
 */
#define _GNU_SOURCE
#include <err.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Instructions that change what a debugger can see, each in its own way. */
asm(".text\n"
    ".globl steps, steps_add, steps_mul, steps_push, steps_pop, steps_ret\n"
    "steps:\n	mov $5, %eax\n"
    "steps_add:\n	add $2, %eax\n"
    "steps_mul:\n	imul $3, %eax, %eax\n"
    "steps_push:\n	push %rax\n"
    "steps_pop:\n	pop %rcx\n"
    "steps_ret:\n	ret\n");

void steps(void);

uint64_t secret, told, turns, enough, written;
uint32_t read_only = 7;

static uint64_t run_steps(void)
{
	uint64_t result;

	asm volatile("call steps" : "=c"(result) : : "rax", "cc", "memory");
	return result;
}

int main(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "the last CPU");
	__atomic_store_n(&secret, 0x5eed0000ull << 32 | 0x1234, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&enough, __ATOMIC_RELAXED)) {
		if (run_steps() != 21)
			errx(1, "vmmu-stepped: WRONG sum");
		__atomic_store_n(&written, turns * 3, __ATOMIC_RELAXED);
		if (__atomic_load_n(&read_only, __ATOMIC_RELAXED) != 7)
			errx(1, "vmmu-stepped: WRONG value");
		syscall(SYS_getppid);
		turns++;
		usleep(1000);
	}
	printf("vmmu-stepped: told %lu\n", told);
	return 0;
}
