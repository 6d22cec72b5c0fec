// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loaded into the emulator (LD_PRELOAD): takes three of QEMU 11's faults out of it that kill an
 * emulated host or its guests. An emulator without these functions does not start.
 *
 * 1. Whenever a CPU loads an x87 state without a pending exception (each FXRSTOR and XRSTOR does),
 *    cpu_clear_ignne() clears a flag of CPU 0: from the loading CPU's thread, and not atomically.
 *    CPU 0's GIF and "nested paging is on" are in the same word. When CPU 0 meets a #VMEXIT just
 *    then, the word comes back as it was: the host goes on with its own CR3 under the guest's
 *    nested tables, and ends in a triple fault, with the host's registers in a VMCB, or with
 *    interrupts shut for ever. The flag is for software that runs with CR0.NE clear: DOS.
 *
 * 2. VMRUN injects an interrupt and leaves its vector behind as the pending exception. When the
 *    interpreter next leaves its loop without a #VMEXIT, the guest gets the interrupt once more,
 *    whatever its EFLAGS.IF says.
 *
 * 3. #VMEXIT loads the host's CR0 before its CR4. cpu_x86_update_cr0() does nothing when that
 *    would switch long mode's paging on without CR4.PAE, so after a guest with EFER.LME set and PG
 *    and PAE clear the host goes on without paging, and is never seen again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern __thread char *current_cpu;

extern const unsigned char cpu_clear_ignne[], do_interrupt_x86_hardirq[], cpu_loop_exit_noexc[];
extern const unsigned char cpu_x86_update_cr0[];
extern void do_interrupt_all(void *cpu, int vector, int is_int, int error_code, uint64_t next_rip,
			     int is_hw);

/* Where a CPU's exception_index is, from the start of the CPU. */
static int exception_index;

static void fail(const char *what)
{
	fprintf(stderr, "mend: this emulator's %s is not the one that is known\n", what);
	exit(1);
}

static void write_code(const unsigned char *at, const void *code, size_t len)
{
	size_t size = sysconf(_SC_PAGESIZE);
	void *page = (void *)((uintptr_t)at & -size);

	if (mprotect(page, 2 * size, PROT_READ | PROT_WRITE | PROT_EXEC))
		fail("code");
	memcpy((void *)at, code, len);
	mprotect(page, 2 * size, PROT_READ | PROT_EXEC);
}

/* What do_interrupt_x86_hardirq() does, and the end of it. */
static void deliver(void *env, int vector, int is_hw)
{
	int none = -1;

	do_interrupt_all(current_cpu, vector, 0, 0, 0, is_hw);
	memcpy(current_cpu + exception_index, &none, sizeof(none));
}

/* cpu_loop_exit_noexc(cpu) has it: movl $-1, exception_index(%rdi). */
static void find_exception_index(void)
{
	static const unsigned char movl[] = { 0xc7, 0x87 }, none[] = { 0xff, 0xff, 0xff, 0xff };
	const unsigned char *p = cpu_loop_exit_noexc;

	for (; p < cpu_loop_exit_noexc + 32; p++) {
		if (memcmp(p, movl, sizeof(movl)) || memcmp(p + 6, none, sizeof(none)))
			continue;
		memcpy(&exception_index, p + 2, sizeof(exception_index));
		return;
	}
	fail("cpu_loop_exit_noexc()");
}

/* testb $0x20, cr4(%reg); je return: the only look at CR4 that there is. */
static const unsigned char *look_at_pae(void)
{
	const unsigned char *p = cpu_x86_update_cr0;

	for (; p < cpu_x86_update_cr0 + 256; p++) {
		if (p[0] == 0xf6 && (p[1] & 0xf8) == 0x80 && p[6] == 0x20 && p[7] == 0x74)
			return p + 7;
	}
	fail("cpu_x86_update_cr0()");
	return NULL;
}

__attribute__((constructor)) static void mend(void)
{
	static const unsigned char ret[] = { 0xc3 }, nops[] = { 0x90, 0x90 };
	/* movabs $deliver, %rax; jmp *%rax */
	unsigned char jump[] = { 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0 };
	void (*to)(void *, int, int) = deliver;

	memcpy(jump + 2, &to, sizeof(to));
	find_exception_index();
	write_code(cpu_clear_ignne, ret, sizeof(ret));
	write_code(do_interrupt_x86_hardirq, jump, sizeof(jump));
	write_code(look_at_pae(), nops, sizeof(nops));
}
