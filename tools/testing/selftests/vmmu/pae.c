// SPDX-License-Identifier: GPL-2.0-only
/*
 * The four page-directory pointers of PAE paging. Where the processor, or the module
 * for it, loads them with CR3, a reserved bit is #GP at the MOV and user space sees what
 * was loaded (KVM_GET_SREGS2). AMD-V with nested paging reads them at each walk.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define IDT		GUEST_SCRATCH
#define PDPT(n)		(GUEST_SCRATCH + PAGE + (n) * 32)
#define WINDOW		0xc0000000u	/* what PDPTE 3 maps */
#define PDPTE_RESERVED	(1ul << 62)

asm(".pushsection .rodata\n"
    ".code32\n"
    /* PAE paging with the table at ESI; then each time the host says which CR3 is next. */
    "pae_on:\n"
    "	mov	$0x20, %eax\n"
    "	mov	%eax, %cr4\n"
    "	mov	%esi, %cr3\n"
    "	mov	%cr0, %eax\n"
    "	or	$0x80000000, %eax\n"
    "	mov	%eax, %cr0\n"
    "1:	mov	0xc0000000, %edi\n"
    "	mov	%cr3, %esi\n"
    "	xor	%ebx, %ebx\n"
    "	outb	%al, $0x10\n"
    "pae_load:\n"
    "	mov	%edx, %cr3\n"
    "	jmp	1b\n"
    /* #GP and #PF: vector, error code, CR3. */
    "pae_gp:\n"
    "	mov	$13, %ebx\n"
    "	jmp	2f\n"
    "pae_pf:\n"
    "	mov	$14, %ebx\n"
    "2:	pop	%edi\n"
    "	pop	%ecx\n"
    "	mov	%cr3, %esi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    ".code64\n"
    ".popsection\n");

extern const char pae_on[], pae_load[], pae_gp[], pae_pf[];

/* A page directory for WINDOW whose first page says @word. */
static uint64_t window(struct guest *g, uint32_t word)
{
	uint64_t dir = guest_page(g), table = guest_page(g), page = guest_page(g);

	*(uint64_t *)guest_hva(g, dir) = table | PTE_P | PTE_W;
	*(uint64_t *)guest_hva(g, table) = page | PTE_P | PTE_W;
	*(uint32_t *)guest_hva(g, page) = word;
	return dir;
}

/* The first 16 MiB one to one in each of two PDPTs; their windows say 0x1111 and 0x2222. */
static struct vcpu *pae_guest(struct guest *g)
{
	uint64_t low = guest_page(g), *dir = guest_hva(g, low), *idt;
	struct vcpu *v = guest_vcpu_bare(g);
	struct kvm_sregs s;
	struct kvm_regs r;
	uint64_t i;

	for (i = 0; i < 8; i++)
		dir[i] = i << 21 | PTE_P | PTE_W | PTE_PS;
	for (i = 0; i < 2; i++) {
		uint64_t *pdpt = guest_hva(g, PDPT(i));

		pdpt[0] = low | PTE_P;
		pdpt[3] = window(g, 0x1111 * (i + 1)) | PTE_P;
	}
	vcpu_set_cpuid(v);
	vcpu_protected(v, pae_on);
	idt = guest_hva(g, IDT);
	idt[GP_VECTOR] = int_gate32(pae_gp);
	idt[PF_VECTOR] = int_gate32(pae_pf);
	s = vcpu_sregs(v);
	s.idt.base = IDT;
	s.idt.limit = 15 * 8 - 1;
	vcpu_set_sregs(v, &s);
	r = vcpu_regs(v);
	r.rsi = PDPT(0);
	vcpu_set_regs(v, &r);
	return v;
}

static struct ucall next_cr3(struct vcpu *v, uint64_t cr3)
{
	struct kvm_regs r = vcpu_regs(v);

	r.rdx = cr3;
	vcpu_set_regs(v, &r);
	return run_sync(v);
}

static struct kvm_sregs2 sregs2(struct vcpu *v)
{
	struct kvm_sregs2 s;

	if (ioctl(v->fd, KVM_GET_SREGS2, &s))
		DIE("KVM_GET_SREGS2: %m");
	return s;
}

static bool loaded(struct vcpu *v)
{
	return sregs2(v).flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;
}

TEST(two_spaces)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = pae_guest(g);

	EXPECT_EQ(0x1111, run_sync(v).a);
	EXPECT_EQ(0x2222, next_cr3(v, PDPT(1)).a);
	EXPECT_EQ(0x1111, next_cr3(v, PDPT(0)).a);
	/* The same CR3 once more: what stands in memory by now counts. */
	((uint64_t *)guest_hva(g, PDPT(0)))[3] = ((uint64_t *)guest_hva(g, PDPT(1)))[3];
	EXPECT_EQ(0x2222, next_cr3(v, PDPT(0)).a);
}

TEST(reserved_bit)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = pae_guest(g);
	struct ucall u;
	bool at_mov;

	run_sync(v);
	at_mov = loaded(v);
	((uint64_t *)guest_hva(g, PDPT(1)))[3] |= PDPTE_RESERVED;
	u = next_cr3(v, PDPT(1));
	/* VT-x loads them, but does not tell. */
	if (at_mov || u.c == GP_VECTOR) {
		EXPECT_EQ(GP_VECTOR, u.c);
		EXPECT_EQ(0, u.a);
		EXPECT_EQ((uint64_t)pae_load, u.d);
		/* Nothing has changed. */
		EXPECT_EQ(PDPT(0), u.b);
	} else {
		EXPECT_EQ(PF_VECTOR, u.c);
		EXPECT_EQ(8, u.a & 8);
	}
}

/* A reserved bit in an entry that is not present is none. */
TEST(not_present)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = pae_guest(g);
	struct ucall u;

	run_sync(v);
	((uint64_t *)guest_hva(g, PDPT(1)))[2] = PDPTE_RESERVED;
	EXPECT_EQ(0x2222, next_cr3(v, PDPT(1)).a);
	((uint64_t *)guest_hva(g, PDPT(1)))[3] = 0;
	u = next_cr3(v, PDPT(1));
	EXPECT_EQ(PF_VECTOR, u.c);
	EXPECT_EQ(0, u.a);
	EXPECT_EQ(WINDOW, vcpu_sregs(v).cr2);
}

TEST(user_space)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = pae_guest(g);
	uint64_t *pdpt = guest_hva(g, PDPT(0));
	struct kvm_sregs2 s = sregs2(v);

	EXPECT_EQ(0, s.flags);
	s.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	EXPECT_EQ(-1, ioctl(v->fd, KVM_SET_SREGS2, &s));
	EXPECT_EQ(EINVAL, errno);

	run_sync(v);
	s = sregs2(v);
	if (!loaded(v))
		SKIP(return, "this host reads PDPTEs from memory");
	EXPECT_EQ(pdpt[0], s.pdptrs[0]);
	EXPECT_EQ(0, s.pdptrs[1]);
	EXPECT_EQ(pdpt[3], s.pdptrs[3]);
	/* Registers as they are: what was loaded stays, whatever is in memory. */
	pdpt[3] = 0;
	s.flags = 0;
	EXPECT_EQ(0, ioctl(v->fd, KVM_SET_SREGS2, &s));
	EXPECT_NE(0, sregs2(v).pdptrs[3]);
	/* User space's own. */
	s.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	s.pdptrs[3] = ((uint64_t *)guest_hva(g, PDPT(1)))[3];
	EXPECT_EQ(0, ioctl(v->fd, KVM_SET_SREGS2, &s));
	EXPECT_EQ(s.pdptrs[3], sregs2(v).pdptrs[3]);
	vcpu_set_regs(v, &(struct kvm_regs) {
		.rip = (uint64_t)pae_load + 3, .rsp = GUEST_STACK(0) - 16,
		.rflags = X86_FLAGS_FIXED,
	});
	EXPECT_EQ(0x2222, run_sync(v).a);
	/* With another CR3 they come from memory. */
	s.flags = 0;
	s.cr3 = PDPT(1);
	EXPECT_EQ(0, ioctl(v->fd, KVM_SET_SREGS2, &s));
	EXPECT_EQ(((uint64_t *)guest_hva(g, PDPT(1)))[3], sregs2(v).pdptrs[3]);
}

TEST_HARNESS_MAIN
