// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state that a vCPU starts with: real mode, flat 32-bit protected mode, or
 * long mode with this program mapped one to one, a GDT, an IDT, a TSS and a
 * stack. Long mode is what guest_vcpu() gives.
 */
#include <elf.h>
#include <sys/auxv.h>

#include "guest.h"

extern char guest_stubs[], guest_return[];

struct tss64 {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap;
} __attribute__((packed));

static_assert(sizeof(struct tss64) == 104, "APM vol. 2, 12.2.5");

#define CPU_TSS		0x100		/* within GUEST_CPU() */
#define IST_DF		1

/* Copy what is loaded of this program to where the guest will run it. */
void guest_load_image(struct guest *g)
{
	const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
	unsigned long i, n = getauxval(AT_PHNUM);

	for (i = 0; i < n; i++) {
		uint64_t start = ph[i].p_vaddr, size = ph[i].p_memsz;

		if (ph[i].p_type != PT_LOAD)
			continue;
		if (start < GUEST_IMAGE || start + size > GUEST_RAM)
			DIE("%#lx: link with -static -no-pie", (long)start);
		memcpy(g->ram + start, (void *)start, size);
	}
}

/* The entry for @gva in the table of @level (4: PML4, 1: PT); makes tables. */
uint64_t *guest_pte(struct guest *g, uint64_t gva, int level)
{
	uint64_t table = g->pml4;
	int l;

	for (l = 4; ; l--) {
		uint64_t index = gva >> (12 + 9 * (l - 1)) & 511;
		uint64_t *pte = (uint64_t *)guest_hva(g, table) + index;

		if (l == level)
			return pte;
		if (!(*pte & PTE_P))
			*pte = guest_page(g) | PTE_P | PTE_W | PTE_U;
		if (*pte & PTE_PS)
			DIE("gva %#lx has a larger page", (long)gva);
		table = *pte & 0x000ffffffffff000ul;
	}
}

/* Map @size bytes by pages of @page_size (4K, 2M or 1G). */
void guest_map(struct guest *g, uint64_t gva, uint64_t gpa, uint64_t size,
	       uint64_t page_size, uint64_t bits)
{
	int level = page_size == PAGE ? 1 : page_size == 2 * MB ? 2 : 3;
	uint64_t i;

	if (level > 1)
		bits |= PTE_PS;
	for (i = 0; i < size; i += page_size)
		*guest_pte(g, gva + i, level) = (gpa + i) | bits | PTE_P;
}

/* The first 4 GiB one to one by 2M pages, and the IDT. */
void guest_tables(struct guest *g)
{
	uint64_t *idt = guest_hva(g, GUEST_IDT);
	int i;

	g->pml4 = guest_page(g);
	guest_map(g, 0, 0, 4 * GB, 2 * MB, PTE_W | PTE_U);

	for (i = 0; i < 256; i++) {
		uint64_t stub = (uint64_t)guest_stubs + 16 * i;
		uint64_t ist = i == DF_VECTOR ? IST_DF : 0;
		uint64_t dpl = i == BP_VECTOR ? 3 : 0;

		idt[2 * i] = (stub & 0xffff) | SEL_CODE64 << 16 | ist << 32 |
			     0x8eull << 40 | dpl << 45 |
			     (stub >> 16 & 0xffff) << 48;
		idt[2 * i + 1] = stub >> 32;
	}
}

static void build_gdt_tss(struct guest *g, int id)
{
	uint64_t base = GUEST_CPU(id), tss_base = base + CPU_TSS;
	uint64_t *gdt = guest_hva(g, base);
	struct tss64 *tss = guest_hva(g, tss_base);

	gdt[SEL_CODE64 >> 3] = 0x00af9b000000ffffull;
	gdt[SEL_DATA >> 3] = 0x00cf93000000ffffull;
	gdt[SEL_USER_CODE >> 3] = 0x00affb000000ffffull;
	gdt[SEL_USER_DATA >> 3] = 0x00cff3000000ffffull;
	gdt[SEL_CODE32 >> 3] = 0x00cf9b000000ffffull;
	gdt[SEL_CODE16 >> 3] = 0x00009b000000ffffull;
	gdt[SEL_DATA16 >> 3] = 0x000093000000ffffull;
	gdt[SEL_TSS >> 3] = 0x00008b0000000000ull | (sizeof(*tss) - 1) |
			    (tss_base & 0xffffff) << 16 |
			    (tss_base >> 24 & 0xff) << 56;
	gdt[(SEL_TSS >> 3) + 1] = tss_base >> 32;

	memset(tss, 0, sizeof(*tss));
	tss->ist[IST_DF - 1] = GUEST_STACK(id) - 3 * PAGE;
	tss->rsp[0] = GUEST_STACK(id) - 2 * PAGE;
	tss->iomap = sizeof(*tss);
}

static struct kvm_segment segment(uint16_t selector, int type, int dpl)
{
	bool code = type & 8;

	return (struct kvm_segment) {
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.dpl = dpl,
		.s = 1,
		.g = 1,
		.l = code,
		.db = !code,
	};
}

/**
 * vcpu_long() - start in long mode at @fn(@arg), CPL 0, interrupts off
 *
 * When @fn returns, the test gets UCALL_DONE.
 */
void vcpu_long(struct vcpu *v, void *fn, uint64_t arg)
{
	struct guest *g = v->guest;
	struct guest_cpu *cpu = &guest_var(g, guest_cpus[v->id]);
	uint64_t stack = GUEST_STACK(v->id) - 16;
	struct kvm_sregs s = vcpu_sregs(v);
	struct kvm_regs r = {
		.rip = (uint64_t)fn,
		.rsp = stack - 8,
		.rdi = arg,
		.rflags = X86_FLAGS_FIXED,
	};

	build_gdt_tss(g, v->id);
	memset(cpu, 0, sizeof(*cpu));
	cpu->self = &guest_cpus[v->id];
	cpu->id = v->id;
	*(uint64_t *)guest_hva(g, r.rsp) = (uint64_t)guest_return;

	s.cs = segment(SEL_CODE64, 11, 0);
	s.ss = segment(SEL_DATA, 3, 0);
	/* Usable at CPL 3 too, lest IRET makes them null. */
	s.ds = segment(SEL_USER_DATA, 3, 3);
	s.es = s.ds;
	s.fs = s.ds;
	s.gs = s.ds;
	s.gs.base = (uint64_t)&guest_cpus[v->id];
	s.tr = (struct kvm_segment) {
		.base = GUEST_CPU(v->id) + CPU_TSS,
		.limit = sizeof(struct tss64) - 1,
		.selector = SEL_TSS,
		.type = 11,
		.present = 1,
	};
	s.ldt = (struct kvm_segment) { .type = 2, .unusable = 1 };
	s.gdt.base = GUEST_CPU(v->id);
	s.gdt.limit = SEL_TSS + 15;
	s.idt.base = GUEST_IDT;
	s.idt.limit = 256 * 16 - 1;
	s.cr0 = X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP |
		X86_CR0_PG | cr0_always();
	s.cr3 = g->pml4;
	s.cr4 = X86_CR4_PAE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
	s.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
	vcpu_set_sregs(v, &s);
	vcpu_set_regs(v, &r);
}

/**
 * vcpu_real() - start in real mode at 0:@gpa
 * @start: code to put there, up to @end; position-independent (.code16)
 *
 * All segments have base 0, the stack grows down from @gpa.
 */
void vcpu_real(struct vcpu *v, uint64_t gpa, const void *start,
	       const void *end)
{
	struct kvm_sregs s = vcpu_sregs(v);
	struct kvm_regs r = {
		.rip = gpa,
		.rsp = gpa,
		.rflags = X86_FLAGS_FIXED,
	};

	memcpy(guest_hva(v->guest, gpa), start, end - start);
	s.cs.base = 0;
	s.cs.selector = 0;
	vcpu_set_sregs(v, &s);
	vcpu_set_regs(v, &r);
}

/**
 * vcpu_protected() - start in 32-bit protected mode, flat, without paging
 * @start: code of this program (.code32), run where it is linked
 *
 * The GDT is that of long mode: SEL_CODE32, SEL_DATA, SEL_CODE64 and so on.
 */
void vcpu_protected(struct vcpu *v, const void *start)
{
	struct kvm_sregs s = vcpu_sregs(v);
	struct kvm_regs r = {
		.rip = (uint64_t)start,
		.rsp = GUEST_STACK(v->id) - 16,
		.rflags = X86_FLAGS_FIXED,
	};

	build_gdt_tss(v->guest, v->id);
	s.cs = segment(SEL_CODE32, 11, 0);
	s.cs.l = 0;
	s.cs.db = 1;
	s.ds = segment(SEL_DATA, 3, 0);
	s.es = s.ds;
	s.ss = s.ds;
	s.fs = s.ds;
	s.gs = s.ds;
	s.gdt.base = GUEST_CPU(v->id);
	s.gdt.limit = SEL_TSS + 15;
	s.idt.base = GUEST_IDT;
	s.idt.limit = 0;
	s.cr0 = X86_CR0_PE | X86_CR0_ET;
	vcpu_set_sregs(v, &s);
	vcpu_set_regs(v, &r);
}

void vcpu_set_cpuid(struct vcpu *v)
{
	uint32_t i;

	for (i = 0; i < v->guest->cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &v->guest->cpuid->entries[i];

		/* The initial APIC id. */
		if (e->function == 1)
			e->ebx = (e->ebx & 0x00ffffff) | v->id << 24;
		if (e->function == 0xb || e->function == 0x1f)
			e->edx = v->id;
	}
	if (ioctl(v->fd, KVM_SET_CPUID2, v->guest->cpuid))
		DIE("KVM_SET_CPUID2: %m");
}

/* The next vCPU (ids count from 0), as the kernel makes it. */
struct vcpu *guest_vcpu_bare(struct guest *g)
{
	struct vcpu *v = &g->vcpu[g->nr_vcpus];

	if (g->nr_vcpus == GUEST_MAX_VCPUS)
		DIE("too many vCPUs");
	v->guest = g;
	v->pin = -1;
	v->id = g->nr_vcpus++;
	v->fd = ioctl(g->vm, KVM_CREATE_VCPU, v->id);
	if (v->fd < 0)
		DIE("KVM_CREATE_VCPU %d: %m", v->id);
	v->run = mmap(NULL, g->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      v->fd, 0);
	if (v->run == MAP_FAILED)
		DIE("mmap of vCPU %d: %m", v->id);
	return v;
}

/* The next vCPU, runnable in long mode at @fn(@arg), with all of CPUID. */
struct vcpu *guest_vcpu(struct guest *g, void *fn, uint64_t arg)
{
	struct vcpu *v = guest_vcpu_bare(g);

	vcpu_set_cpuid(v);
	vcpu_long(v, fn, arg);
	if (v->id)
		vcpu_set_mp_state(v, KVM_MP_STATE_RUNNABLE);
	return v;
}
