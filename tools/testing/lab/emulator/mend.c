// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loaded into the emulator (LD_PRELOAD): takes three of QEMU 11's faults out of it that kill an
 * emulated host or its guests. One that looks otherwise than it should is left, and said to be.
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
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void (*do_interrupt_all)(void *cpu, int vector, int is_int, int error_code,
				unsigned long next_rip, int is_hw);

/* Where a CPU's exception_index is, from the start of the CPU. */
static int exception_index;

static void *symbol(const char *name)
{
	return dlsym(RTLD_DEFAULT, name);
}

static bool write_code(unsigned char *at, const void *code, size_t len)
{
	size_t size = sysconf(_SC_PAGESIZE);
	void *page = (void *)((uintptr_t)at & -size);

	if (!at || mprotect(page, 2 * size, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	memcpy(at, code, len);
	mprotect(page, 2 * size, PROT_READ | PROT_EXEC);
	return true;
}

static bool mend_flags(void)
{
	static const unsigned char ret[] = { 0xc3 };

	return write_code(symbol("cpu_clear_ignne"), ret, sizeof(ret));
}

/* What do_interrupt_x86_hardirq() does, and the end of it. */
static void deliver(void *env, int vector, int is_hw)
{
	static __thread char *cpu;
	int none = -1;

	if (!cpu)
		cpu = *(char **)symbol("current_cpu");
	do_interrupt_all(cpu, vector, 0, 0, 0, is_hw);
	memcpy(cpu + exception_index, &none, sizeof(none));
}

/* cpu_loop_exit_noexc(cpu) has it: movl $-1, exception_index(%rdi). */
static bool find_exception_index(void)
{
	static const unsigned char movl[] = { 0xc7, 0x87 }, none[] = { 0xff, 0xff, 0xff, 0xff };
	const unsigned char *code = symbol("cpu_loop_exit_noexc");

	for (int i = 0; code && i < 32; i++) {
		if (memcmp(code + i, movl, sizeof(movl)) ||
		    memcmp(code + i + 6, none, sizeof(none)))
			continue;
		memcpy(&exception_index, code + i + 2, sizeof(exception_index));
		return true;
	}
	return false;
}

static bool mend_injection(void)
{
	/* movabs $deliver, %rax; jmp *%rax */
	unsigned char jump[] = { 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0 };
	void (*to)(void *, int, int) = deliver;

	do_interrupt_all = symbol("do_interrupt_all");
	if (!do_interrupt_all || !symbol("current_cpu") || !find_exception_index())
		return false;
	memcpy(jump + 2, &to, sizeof(to));
	return write_code(symbol("do_interrupt_x86_hardirq"), jump, sizeof(jump));
}

/* testb $0x20, cr4(%reg); je return: the function's only look at CR4. */
static bool mend_cr0(void)
{
	static const unsigned char nops[] = { 0x90, 0x90 };
	unsigned char *code = symbol("cpu_x86_update_cr0");

	for (int i = 0; code && i < 256; i++) {
		if (code[i] == 0xf6 && (code[i + 1] & 0xf8) == 0x80 && code[i + 6] == 0x20 &&
		    code[i + 7] == 0x74)
			return write_code(code + i + 7, nops, sizeof(nops));
	}
	return false;
}

__attribute__((constructor)) static void mend(void)
{
	static const char left[] = "mend: this emulator is another one, not mended:";

	if (!mend_flags())
		fprintf(stderr, "%s CPU 0's flags\n", left);
	if (!mend_injection())
		fprintf(stderr, "%s injected interrupts\n", left);
	if (!mend_cr0())
		fprintf(stderr, "%s the host's CR0\n", left);
}
