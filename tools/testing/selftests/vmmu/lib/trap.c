// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest does with an interrupt or exception: goes on behind the
 * guest_try() that expected it, or calls the test's handler, or tells the test
 * that nobody wanted it. Runs in the guest only.
 */
#include "apic.h"

struct guest_cpu guest_cpus[GUEST_MAX_VCPUS];
void (*guest_handler[256])(struct guest_frame *frame);

extern char guest_user_done[];

void guest_trap(struct guest_frame *frame)
{
	struct guest_cpu *cpu = this_cpu();
	uint64_t cr2 = read_cr2();

	if (cpu->fixup && frame->vector < 32 && frame->vector != NMI_VECTOR) {
		cpu->vector = frame->vector;
		cpu->error = frame->error;
		cpu->rip = frame->rip;
		cpu->cr2 = cr2;
		frame->rip = cpu->fixup;
		cpu->fixup = 0;
		return;
	}
	if (frame->vector == BP_VECTOR && (frame->cs & 3) &&
	    frame->rip == (uint64_t)guest_user_done) {
		frame->cs = SEL_CODE64;
		frame->ss = SEL_DATA;
		frame->rsp = cpu->kernel_rsp;
		return;
	}
	if (guest_handler[frame->vector]) {
		guest_handler[frame->vector](frame);
		return;
	}
	ucall4(UCALL_TRAP, frame->vector, frame->error, frame->rip, cr2);
}

void guest_count(struct guest_frame *frame)
{
	this_cpu()->count[frame->vector]++;
}

bool apic_x2;

void apic_count(struct guest_frame *frame)
{
	this_cpu()->count[frame->vector]++;
	apic_eoi();
}
