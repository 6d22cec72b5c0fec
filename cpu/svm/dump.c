// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMCB in words, for an entry that failed or an exit that nobody expected.
 * Rate-limited, because a guest can bring it about. Locking: vcpu->mutex.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ratelimit.h>
#include "vmcb.h"

static void dump_control(const struct vmcb_control_area *c)
{
	pr_err("  exit 0x%llx info1 0x%llx info2 0x%llx intr 0x%x/0x%x\n", (u64)c->exit_code,
	       c->exit_info_1, c->exit_info_2, c->exit_int_info, c->exit_int_info_err);
	pr_err("  intercepts %08x %08x %08x %08x %08x %08x\n", c->intercepts[0],
	       c->intercepts[1], c->intercepts[2], c->intercepts[3], c->intercepts[4],
	       c->intercepts[5]);
	pr_err("  asid %u tlb %u int_ctl 0x%x state 0x%x event 0x%x ncr3 0x%llx\n", c->asid,
	       c->tlb_ctl, c->int_ctl, c->int_state, c->event_inj, c->nested_cr3);
}

static void dump_segment(const char *name, const struct vmcb_seg *s)
{
	pr_err("  %s %04x attr %03x limit %08x base %016llx\n", name, s->selector, s->attrib,
	       s->limit, s->base);
}

static void dump_save(const struct vmcb_save_area *s)
{
	pr_err("  rip 0x%llx rflags 0x%llx rsp 0x%llx cpl %u\n", s->rip, s->rflags, s->rsp,
	       s->cpl);
	pr_err("  cr0 0x%llx cr2 0x%llx cr3 0x%llx cr4 0x%llx efer 0x%llx\n", s->cr0, s->cr2,
	       s->cr3, s->cr4, s->efer);
	pr_err("  dr6 0x%llx dr7 0x%llx pat 0x%llx\n", s->dr6, s->dr7, s->g_pat);
	dump_segment("cs  ", &s->cs);
	dump_segment("ss  ", &s->ss);
	dump_segment("ds  ", &s->ds);
	dump_segment("es  ", &s->es);
	dump_segment("tr  ", &s->tr);
	dump_segment("ldtr", &s->ldtr);
	dump_segment("gdtr", &s->gdtr);
	dump_segment("idtr", &s->idtr);
}

/* On shadow tables those above are hardware's. */
static void dump_guest(const struct svm_vcpu *svm)
{
	pr_err("  the guest's own: cr0 0x%llx cr3 0x%llx cr4 0x%llx efer 0x%llx\n", svm->crs.cr0,
	       svm->cr3, svm->crs.cr4, svm->crs.efer);
}

void svm_dump(struct vmmu_vcpu *vcpu)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 2);

	if (!__ratelimit(&limit))
		return;
	pr_err("vCPU %u: VMCB\n", vcpu->id);
	dump_control(svm_control(vcpu));
	dump_save(svm_save(vcpu));
	if (!svm_host.npt)
		dump_guest(to_svm(vcpu));
}
