// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory-mapped I/O. The device here behaves as memory, so the rule for every
 * instruction is one: executed on the device it must do to registers, flags
 * and contents what it does on RAM, where the processor itself executes it.
 * The accesses that user space sees are checked apart from that.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define MMIO		0x50000000ul
#define MMIO_SIZE	(2 * PAGE)

struct access {
	uint64_t gpa;
	uint32_t len;
	bool write;
	uint64_t data;
};

static uint8_t device[MMIO_SIZE];
static struct access seen[4096];
static int nr_seen;

/* Run to the next report or to the end; be the device meanwhile. */
static struct ucall run_device(struct __test_metadata *_metadata,
			       struct vcpu *v)
{
	struct kvm_run *run = v->run;

	for (;;) {
		struct ucall u = vcpu_run_ucall(v);
		uint64_t at = run->mmio.phys_addr - MMIO;
		struct access *a = &seen[nr_seen];

		if (u.kind || run->exit_reason != KVM_EXIT_MMIO)
			return u;
		ASSERT_LE(1, run->mmio.len);
		ASSERT_LE(run->mmio.len, 8);
		ASSERT_LE(at + run->mmio.len, MMIO_SIZE);
		ASSERT_LT(nr_seen, 4096);
		if (run->mmio.is_write)
			memcpy(device + at, run->mmio.data, run->mmio.len);
		else
			memcpy(run->mmio.data, device + at, run->mmio.len);
		a->gpa = run->mmio.phys_addr;
		a->len = run->mmio.len;
		a->write = run->mmio.is_write;
		a->data = 0;
		memcpy(&a->data, device + at, run->mmio.len);
		nr_seen++;
	}
}

static void expect_access(struct __test_metadata *_metadata, int i,
			  uint64_t offset, uint32_t len, bool write)
{
	ASSERT_LT(i, nr_seen);
	ASSERT_EQ(MMIO + offset, seen[i].gpa);
	ASSERT_EQ(len, seen[i].len);
	ASSERT_EQ(write, seen[i].write);
}

static void g_widths(void)
{
	volatile uint8_t *p = (uint8_t *)MMIO;

	write8(p + 1, 0x11);
	write16(p + 2, 0x2222);
	write32(p + 4, 0x44444444);
	write64(p + 8, 0x8888888888888888);
	G_EQ(read8(p + 1), 0x11);
	G_EQ(read16(p + 2), 0x2222);
	G_EQ(read32(p + 4), 0x44444444);
	G_EQ(read64(p + 8), 0x8888888888888888);
	write32(p + 17, 0x12345678);
	G_EQ(read32(p + 17), 0x12345678);
}

TEST(widths)
{
	static const struct { int offset, len; } want[] = {
		{ 1, 1 }, { 2, 2 }, { 4, 4 }, { 8, 8 },
	};
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_widths, 0);
	int i;

	ASSERT_EQ(UCALL_DONE, run_device(_metadata, v).kind);
	ASSERT_EQ(10, nr_seen);
	for (i = 0; i < 8; i++) {
		expect_access(_metadata, i, want[i % 4].offset, want[i % 4].len,
			      i < 4);
	}
	expect_access(_metadata, 8, 17, 4, true);
	expect_access(_metadata, 9, 17, 4, false);
	ASSERT_EQ(0x12345678, seen[8].data);
}

static void g_crossing(void)
{
	uint8_t *p = (uint8_t *)MMIO + PAGE;
	uint8_t *edge = (uint8_t *)MMIO;

	/* Device page to device page. */
	write32(p - 2, 0x44332211);
	G_EQ(read32(p - 2), 0x44332211);
	write64(p - 1, 0x8877665544332211);
	G_EQ(read64(p - 1), 0x8877665544332211);
	/* RAM to device. */
	write32(edge - 1, 0xddccbbaa);
	G_EQ(read32(edge - 1), 0xddccbbaa);
	G_EQ(read8(edge - 1), 0xaa);
}

TEST(page_crossing)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_crossing, 0);
	uint8_t *ram = guest_mem(g, MMIO - PAGE, PAGE, MEM_SMALL);

	ASSERT_EQ(UCALL_DONE, run_device(_metadata, v).kind);
	expect_access(_metadata, 0, PAGE - 2, 2, true);
	expect_access(_metadata, 1, PAGE, 2, true);
	expect_access(_metadata, 2, PAGE - 2, 2, false);
	expect_access(_metadata, 3, PAGE, 2, false);
	ASSERT_EQ(0xaa, ram[PAGE - 1]);
	ASSERT_EQ(0xbb, device[0]);
	ASSERT_EQ(0xdd, device[2]);
}

/* An instruction on memory at RDI, other operands in RAX, RCX, RDX, RSI. */
struct regs {
	uint64_t rax, rcx, rdx, rsi, rdi, flags;
};

struct op {
	const char *text;
	void (*fn)(struct regs *r);
	uint64_t undefined;	/* flags that the instruction leaves undefined */
};

#define OF		(1ul << 11)
#define SF		(1ul << 7)
#define ZF		(1ul << 6)
#define AF		(1ul << 4)
#define PF		(1ul << 2)
#define CF		(1ul << 0)
#define STATUS		(OF | SF | ZF | AF | PF | CF)

#define OP(name, insn)							\
static void op_##name(struct regs *r)					\
{									\
	asm volatile("push %[f]\n\tpopfq\n\t" insn "\n\t"		\
		     "pushfq\n\tpop %[f]\n\tcld"			\
		     : [f] "+r"(r->flags), "+a"(r->rax), "+c"(r->rcx),	\
		       "+d"(r->rdx), "+S"(r->rsi), "+D"(r->rdi)		\
		     : : "memory", "cc");				\
}

#define OPS								\
X(mov_load8, "mov (%%rdi), %%al", 0)					\
X(mov_load16, "mov (%%rdi), %%ax", 0)					\
X(mov_load32, "mov (%%rdi), %%eax", 0)					\
X(mov_load64, "mov (%%rdi), %%rax", 0)					\
X(mov_load_high, "mov 3(%%rdi), %%ah", 0)				\
X(mov_store8, "mov %%cl, (%%rdi)", 0)					\
X(mov_store_high, "mov %%ch, (%%rdi)", 0)				\
X(mov_store_sil, "mov %%sil, 5(%%rdi)", 0)				\
X(mov_store16, "mov %%cx, 2(%%rdi)", 0)					\
X(mov_store32, "mov %%ecx, (%%rdi)", 0)					\
X(mov_store64, "mov %%rcx, 8(%%rdi)", 0)				\
X(mov_sib, "xor %%edx, %%edx; inc %%edx; mov 4(%%rdi,%%rdx,8), %%rax", 0) \
X(mov_r10, "mov %%rdi, %%r10; mov %%ecx, 16(%%r10)", 0)			\
X(mov_imm8, "movb $0x5a, (%%rdi)", 0)					\
X(mov_imm16, "movw $0x5a5b, (%%rdi)", 0)				\
X(mov_imm32, "movl $0x5a5b5c5d, (%%rdi)", 0)				\
X(mov_imm64, "movq $-2, (%%rdi)", 0)					\
X(movzx8_16, "movzbw (%%rdi), %%ax", 0)					\
X(movzx8_32, "movzbl (%%rdi), %%eax", 0)				\
X(movzx8_64, "movzbq (%%rdi), %%rax", 0)				\
X(movzx16_32, "movzwl (%%rdi), %%eax", 0)				\
X(movzx16_64, "movzwq (%%rdi), %%rax", 0)				\
X(movsx8_16, "movsbw (%%rdi), %%ax", 0)					\
X(movsx8_32, "movsbl 1(%%rdi), %%eax", 0)				\
X(movsx8_64, "movsbq 2(%%rdi), %%rax", 0)				\
X(movsx16_32, "movswl 3(%%rdi), %%eax", 0)				\
X(movsx16_64, "movswq 5(%%rdi), %%rax", 0)				\
X(movsxd, "movslq 7(%%rdi), %%rax", 0)					\
X(and8, "and %%cl, (%%rdi)", AF)					\
X(and32, "and %%ecx, (%%rdi)", AF)					\
X(and64_imm, "andq $0x7f, (%%rdi)", AF)					\
X(and_load, "and (%%rdi), %%rax", AF)					\
X(or8_imm, "orb $0x81, (%%rdi)", AF)					\
X(or16, "or %%cx, (%%rdi)", AF)						\
X(or32_imm, "orl $0x80000001, (%%rdi)", AF)				\
X(or_load, "or (%%rdi), %%eax", AF)					\
X(xor32, "xor %%ecx, (%%rdi)", AF)					\
X(xor64, "xor %%rcx, (%%rdi)", AF)					\
X(xor_load8, "xor (%%rdi), %%al", AF)					\
X(add8, "add %%cl, (%%rdi)", 0)						\
X(add16_imm, "addw $0x7fff, (%%rdi)", 0)				\
X(add32, "add %%ecx, (%%rdi)", 0)					\
X(add64, "add %%rcx, (%%rdi)", 0)					\
X(add_load, "add (%%rdi), %%rax", 0)					\
X(lock_add, "lock add %%ecx, (%%rdi)", 0)				\
X(adc32, "adc %%ecx, (%%rdi)", 0)					\
X(sub16, "sub %%cx, (%%rdi)", 0)					\
X(sub64_imm, "subq $1, (%%rdi)", 0)					\
X(sub_load, "sub (%%rdi), %%eax", 0)					\
X(sbb32, "sbb %%ecx, (%%rdi)", 0)					\
X(cmp8, "cmp %%cl, (%%rdi)", 0)						\
X(cmp32_imm, "cmpl $0x1234, (%%rdi)", 0)				\
X(cmp_load, "cmp (%%rdi), %%rax", 0)					\
X(test8, "test %%cl, (%%rdi)", AF)					\
X(test32_imm, "testl $0x80000000, (%%rdi)", AF)				\
X(inc8, "incb (%%rdi)", 0)						\
X(inc32, "incl (%%rdi)", 0)						\
X(dec16, "decw (%%rdi)", 0)						\
X(dec64, "decq (%%rdi)", 0)						\
X(not32, "notl (%%rdi)", 0)						\
X(neg64, "negq (%%rdi)", 0)						\
X(shl32, "shll $3, (%%rdi)", AF | OF)					\
X(sar64, "sarq $1, (%%rdi)", AF)					\
X(xchg8, "xchg %%cl, (%%rdi)", 0)					\
X(xchg32, "xchg %%ecx, (%%rdi)", 0)					\
X(xchg64, "xchg %%rcx, (%%rdi)", 0)					\
X(xadd32, "lock xadd %%ecx, (%%rdi)", 0)				\
X(cmpxchg32_differ, "lock cmpxchg %%ecx, (%%rdi)", 0)			\
X(cmpxchg32_equal, "mov (%%rdi), %%eax; lock cmpxchg %%ecx, (%%rdi)", 0) \
X(cmpxchg64_equal, "mov (%%rdi), %%rax; cmpxchg %%rcx, (%%rdi)", 0)	\
X(cmpxchg8_equal, "mov (%%rdi), %%al; cmpxchg %%cl, (%%rdi)", 0)	\
X(bt_imm, "btl $7, (%%rdi)", STATUS & ~(CF | ZF))			\
X(bts_imm, "lock btsl $9, (%%rdi)", STATUS & ~(CF | ZF))		\
X(btr_imm, "btrq $35, (%%rdi)", STATUS & ~(CF | ZF))			\
X(btc_imm, "btcw $3, (%%rdi)", STATUS & ~(CF | ZF))			\
X(bt_reg, "and $0xff, %%ecx; bt %%ecx, (%%rdi)", STATUS & ~(CF | ZF))	\
X(bts_reg, "and $0x7f, %%ecx; bts %%rcx, (%%rdi)", STATUS & ~(CF | ZF))	\
X(btr_back, "mov $-9, %%rcx; btr %%rcx, 16(%%rdi)", STATUS & ~(CF | ZF)) \
X(stosb, "stosb", 0)							\
X(stosw, "stosw", 0)							\
X(stosl, "stosl", 0)							\
X(stosq, "stosq", 0)							\
X(stos_down, "std; stosl", 0)						\
X(rep_stosb, "mov $13, %%ecx; rep stosb", 0)				\
X(rep_stosw, "mov $5, %%ecx; rep stosw", 0)				\
X(rep_stosl, "mov $7, %%ecx; rep stosl", 0)				\
X(rep_stosq, "mov $3, %%ecx; rep stosq", 0)				\
X(rep_stos_none, "xor %%ecx, %%ecx; rep stosl", STATUS)			\
X(movsb_to, "movsb", 0)							\
X(movsw_to, "movsw", 0)							\
X(movsl_to, "movsl", 0)							\
X(movsq_to, "movsq", 0)							\
X(rep_movsb_to, "mov $21, %%ecx; rep movsb", 0)				\
X(rep_movsl_to, "mov $6, %%ecx; rep movsl", 0)				\
X(rep_movsq_to, "mov $4, %%ecx; rep movsq", 0)				\
X(rep_movsb_from, "xchg %%rsi, %%rdi; mov $11, %%ecx; rep movsb", 0)	\
X(rep_movsl_from, "xchg %%rsi, %%rdi; mov $9, %%ecx; rep movsl", 0)	\
X(rep_movsw_down, "mov $5, %%ecx; std; rep movsw", 0)			\
X(lodsb, "mov %%rdi, %%rsi; lodsb", 0)					\
X(lodsl, "mov %%rdi, %%rsi; lodsl", 0)					\
X(scasb, "scasb", 0)							\
X(cmpsl, "cmpsl", 0)							\
X(repne_scasb, "mov $16, %%ecx; repne scasb", 0)			\
X(setcc, "setb (%%rdi)", 0)						\
X(push_mem, "pushq (%%rdi); pop %%rax", 0)				\
X(pop_mem, "push %%rcx; popq (%%rdi)", 0)				\
X(imul, "imul 4(%%rdi), %%eax", SF | ZF | AF | PF)			\
X(cmov, "cmovb (%%rdi), %%rax", 0)

#define X(name, insn, flags) OP(name, insn)
OPS
#undef X

static const struct op ops[] = {
#define X(name, insn, flags) { #name ": " insn, op_##name, flags },
OPS
#undef X
};

#define NR_OPS (int)(sizeof(ops) / sizeof(ops[0]))
#define AREA	128			/* what an operation may touch */

static uint8_t on_ram[AREA], source[AREA];
static uint64_t random_seed;

/* Report what differs as 1 + op, kind, so that the host can name it. */
static void g_operations(void)
{
	uint64_t s = random_seed, i, round;
	uint8_t *mmio = (uint8_t *)MMIO + PAGE;
	int n;

	for (n = 0; n < NR_OPS; n++) {
		for (round = 0; round < 2; round++) {
			struct regs a = {
				.rax = rng(&s), .rcx = rng(&s), .rdx = rng(&s),
				.rsi = (uint64_t)source + 32,
				.rdi = (uint64_t)on_ram + 32,
				.flags = X86_FLAGS_FIXED | (rng(&s) & STATUS),
			}, b = a;
			uint64_t mask = STATUS & ~ops[n].undefined;

			for (i = 0; i < AREA; i++) {
				on_ram[i] = rng(&s);
				source[i] = rng(&s);
			}
			b.rdi = (uint64_t)mmio + 32;
			/* The host copies on_ram to the device. */
			guest_sync(0, 0, 0);
			ops[n].fn(&a);
			ops[n].fn(&b);
			/* The pointer may have moved to RSI. */
			if (a.rdi - (uint64_t)on_ram < AREA)
				a.rdi += mmio - on_ram;
			if (a.rsi - (uint64_t)on_ram < AREA)
				a.rsi += mmio - on_ram;
			if (a.rax != b.rax || a.rcx != b.rcx || a.rdx != b.rdx)
				guest_sync(n + 1, a.rax, b.rax);
			if (a.rdi != b.rdi || a.rsi != b.rsi)
				guest_sync(n + 1, a.rdi, b.rdi);
			if ((a.flags ^ b.flags) & mask)
				guest_sync(n + 1, a.flags, b.flags);
			/* The host compares memory. */
			guest_sync(0, n + 1, 0);
		}
	}
}

TEST(operations)
{
	struct vcpu *v;
	struct guest *g;
	struct ucall u;
	uint8_t *ram;

	random_seed = seed();
	g = guest_new(0);
	v = guest_vcpu(g, g_operations, 0);
	ram = &guest_var(g, on_ram[0]);
	for (;;) {
		u = run_device(_metadata, v);
		if (u.kind == UCALL_DONE)
			break;
		ASSERT_EQ(UCALL_SYNC, u.kind);
		EXPECT_EQ(0, u.a) {
			TH_LOG("%s: %#lx on RAM, %#lx on the device",
			       ops[u.a - 1].text, (long)u.b, (long)u.c);
		}
		nr_seen = 0;
		if (!u.b)
			memcpy(device + PAGE, ram, AREA);
		else if (!u.a)
			EXPECT_EQ(0, memcmp(device + PAGE, ram, AREA)) {
				TH_LOG("%s: memory differs", ops[u.b - 1].text);
			}
	}
}

/* The accesses of a read-modify-write and of a repeated string. */
static void g_sequences(void)
{
	uint8_t *p = (uint8_t *)MMIO;
	uint64_t n = 4;

	asm volatile("orl $1, 8(%0)" : : "r"(p) : "memory", "cc");
	guest_sync(1, 0, 0);
	asm volatile("rep stosl" : "+D"(p), "+c"(n) : "a"(0x01020304) : "memory");
	guest_sync(2, 0, 0);
}

TEST(sequences)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_sequences, 0);
	int i;

	ASSERT_EQ(1, run_device(_metadata, v).a);
	ASSERT_EQ(2, nr_seen);
	expect_access(_metadata, 0, 8, 4, false);
	expect_access(_metadata, 1, 8, 4, true);
	nr_seen = 0;
	ASSERT_EQ(2, run_device(_metadata, v).a);
	ASSERT_EQ(4, nr_seen);
	for (i = 0; i < 4; i++) {
		expect_access(_metadata, i, 4 * i, 4, true);
		ASSERT_EQ(0x01020304, seen[i].data);
	}
}

/* The same in 32-bit code, with 16-bit operands and addresses among it. */
asm(".pushsection .rodata\n"
    ".code32\n"
    "code32:\n"
    "	mov	$0x50000000, %ebx\n"
    "	movl	$0x11223344, (%ebx)\n"
    "	movw	$0x5566, 4(%ebx)\n"
    "	movb	$0x77, 6(%ebx)\n"
    "	xor	%eax, %eax\n"
    "	mov	0x50000000, %al\n"	/* the moffs form */
    "	mov	%eax, 0x50000010\n"
    "	addl	$1, (%ebx)\n"
    "	movzwl	4(%ebx), %edi\n"
    "	outb	%al, $0x10\n"
    "	incl	4(%ebx)\n"		/* no REX here: inc */
    "	mov	%ebx, %edi\n"
    "	add	$0x20, %edi\n"
    "	mov	$3, %ecx\n"
    "	mov	$0xabcd, %eax\n"
    "	rep stosw\n"
    "	mov	(%ebx), %edi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"

    ".code16\n"
    "code16:\n"
    "	mov	$0xa000, %ax\n"
    "	mov	%ax, %es\n"
    "	mov	$0x8000, %bx\n"
    "	movw	$0x1122, %es:(%bx)\n"
    "	movb	$0x33, %es:2(%bx)\n"
    "	movl	$0x44556677, %es:4(%bx)\n"
    "	orb	$0x80, %es:(%bx)\n"
    "	mov	$0x8010, %di\n"
    "	mov	$3, %cx\n"
    "	mov	$0x99, %al\n"
    "	rep stosb\n"
    "	addr32 mov %es:(%ebx), %edi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    "code16_end:\n"
    ".code64\n"
    ".popsection\n");

extern const char code32[], code16[], code16_end[];

TEST(code_32_bit)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);

	vcpu_protected(v, code32);
	ASSERT_EQ(0x5566, run_device(_metadata, v).a);
	ASSERT_EQ(0x11223345, *(uint32_t *)device);
	ASSERT_EQ(0x44, *(uint32_t *)(device + 0x10));
	ASSERT_EQ(0x11223345, (uint32_t)run_device(_metadata, v).a);
	ASSERT_EQ(0x00775567, *(uint32_t *)(device + 4));
	ASSERT_EQ(0, memcmp(device + 0x20, "\xcd\xab\xcd\xab\xcd\xab\0", 7));
	run_exit(v, KVM_EXIT_HLT);
}

/* Real mode, the device at the VGA window: memory with a hole. */
TEST(code_16_bit)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);
	uint8_t window[64] = { 0 };
	struct kvm_run *run = v->run;

	ASSERT_EQ(0, guest_slot(g, 0, 0, 0, 0, NULL));
	ASSERT_EQ(0, guest_slot(g, 0, 0, 0, 0xa0000, g->ram));
	vcpu_real(v, GUEST_REAL, code16, code16_end);
	for (;;) {
		struct ucall u = vcpu_run_ucall(v);
		uint64_t at = run->mmio.phys_addr - 0xa8000;

		if (u.kind) {
			ASSERT_EQ(0x003311a2, (uint32_t)u.a);
			break;
		}
		ASSERT_EQ(KVM_EXIT_MMIO, run->exit_reason);
		ASSERT_LE(at + run->mmio.len, sizeof(window));
		if (run->mmio.is_write)
			memcpy(window + at, run->mmio.data, run->mmio.len);
		else
			memcpy(run->mmio.data, window + at, run->mmio.len);
	}
	ASSERT_EQ(0x44556677, *(uint32_t *)(window + 4));
	ASSERT_EQ(0, memcmp(window + 16, "\x99\x99\x99\0", 4));
	run_exit(v, KVM_EXIT_HLT);
}

/* MOV EAX, [RDI] or MOV ECX, [RDI]; RET. */
static uint8_t patched[16] = { 0x8b, 0x07, 0xc3 };

/* One instruction in one place, again and again: each time its own operand and value. */
static void g_again(void)
{
	uint8_t *p = (uint8_t *)MMIO;
	uint64_t i, a, c;

	for (i = 0; i < 8; i++)
		write64(p + 8 * i, 0x0102030405060708 * i);
	for (i = 0; i < 8; i++)
		G_EQ(read64(p + 8 * i), 0x0102030405060708 * i);
	for (i = 0; i < 8; i++) {
		a = ~0ul;
		asm volatile("movl (%1), %k0" : "+r"(a) : "r"(p + 8 * i));
		G_EQ(a, 0x05060708 * i);
	}
	for (i = 0; i < 8; i++) {
		a = ~0ul;
		asm volatile("movw 2(%1,%2,8), %w0" : "+r"(a) : "r"(p), "r"(i));
		G_EQ(a, ~0xfffful | (uint16_t)(0x0506 * i));
	}
	for (i = 0; i < 8; i++)
		asm volatile("movb %%ah, 1(%0,%1,8)"
			     : : "D"(p), "S"(i), "a"((0x90 + i) << 8 | 0x33));
	for (i = 0; i < 8; i++) {
		c = 0x1111111111111111;
		asm volatile("movb 1(%1,%2,8), %%ch" : "+c"(c) : "D"(p), "S"(i));
		G_EQ(c, 0x1111111111110011 | (0x90 + i) << 8);
	}
	/* Over the edge of a page: two accesses. */
	for (i = 0; i < 4; i++)
		write32(p + PAGE - 3 + i, 0x01010101 * (i + 1));
	for (i = 0; i < 4; i++)
		G_EQ(read8(p + PAGE - 3 + i), i + 1);
	G_EQ(read32(p + PAGE), 0x04040404);
	/* Another instruction in its place, with the same operand. */
	write32(p, 0x5a5a5a5a);
	for (i = 0; i < 6; i++) {
		patched[1] = i & 1 ? 0x0f : 0x07;
		a = i;
		c = i;
		asm volatile("call *%[code]" : "+a"(a), "+c"(c)
			     : "D"(p), [code] "r"(patched) : "memory");
		G_EQ(a, i & 1 ? i : 0x5a5a5a5a);
		G_EQ(c, i & 1 ? 0x5a5a5a5a : i);
	}
}

TEST(again)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_again, 0);
	int i;

	ASSERT_EQ(UCALL_DONE, run_device(_metadata, v).kind);
	for (i = 0; i < 8; i++) {
		expect_access(_metadata, i, 8 * i, 8, true);
		expect_access(_metadata, 8 + i, 8 * i, 8, false);
		expect_access(_metadata, 16 + i, 8 * i, 4, false);
		expect_access(_metadata, 24 + i, 8 * i + 2, 2, false);
		expect_access(_metadata, 32 + i, 8 * i + 1, 1, true);
		expect_access(_metadata, 40 + i, 8 * i + 1, 1, false);
	}
	/* Three writes in two pieces, one in one; 4 and 1 reads; a write; 6 reads. */
	ASSERT_EQ(48 + 7 + 5 + 1 + 6, nr_seen);
}

/* Writes to the ROM of a read-only slot leave as MMIO, reads do not. */
static void g_rom(void)
{
	volatile uint32_t *p = (uint32_t *)MMIO;

	G_EQ(p[1], 0x12345678);
	p[1] = 5;
	G_EQ(p[1], 0x12345678);
}

TEST(read_only_slot)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_rom, 0);
	uint32_t *rom = mem_alloc(PAGE, MEM_SMALL);

	rom[1] = 0x12345678;
	ASSERT_EQ(0, guest_slot(g, g->next_slot++, KVM_MEM_READONLY, MMIO, PAGE,
				rom));
	ASSERT_EQ(UCALL_DONE, run_device(_metadata, v).kind);
	ASSERT_EQ(1, nr_seen);
	expect_access(_metadata, 0, 4, 4, true);
	ASSERT_EQ(5, seen[0].data);
	ASSERT_EQ(0x12345678, rom[1]);
}

/* What no emulator does: its bytes go to user space. */
static void g_unemulatable(void)
{
	asm volatile("paddb (%0), %%xmm0" : : "D"(MMIO));
}

TEST(unemulatable)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_unemulatable, 0);
	static const uint8_t insn[] = { 0x66, 0x0f, 0xfc, 0x07 };
	struct kvm_run *run = v->run;

	run_exit(v, KVM_EXIT_INTERNAL_ERROR);
	ASSERT_EQ(KVM_INTERNAL_ERROR_EMULATION, run->emulation_failure.suberror);
	ASSERT_LE(3, run->emulation_failure.ndata);
	ASSERT_TRUE(run->emulation_failure.flags &
		    KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES);
	ASSERT_LE(sizeof(insn), run->emulation_failure.insn_size);
	ASSERT_EQ(0, memcmp(insn, run->emulation_failure.insn_bytes,
			    sizeof(insn)));
}

TEST_HARNESS_MAIN
