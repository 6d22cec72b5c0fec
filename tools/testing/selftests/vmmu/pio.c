// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port I/O: every width in and out, immediate and DX forms, string forms up
 * and down, with and without a repeat count, in real and in long mode.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define PORT 0x3f0

asm(".pushsection .rodata\n"
    ".code16\n"
    "real_pio:\n"
    "	mov	$0x3f0, %dx\n"
    "	mov	$0x5a, %al\n"
    "	outb	%al, %dx\n"
    "	mov	$0x1234, %ax\n"
    "	outw	%ax, $0x80\n"
    "	mov	$0x89abcdef, %eax\n"
    "	outl	%eax, %dx\n"
    "	mov	$0x11223344, %eax\n"
    "	inb	%dx, %al\n"
    "	mov	%eax, %edi\n"
    "	outb	%al, $0x10\n"
    "	mov	$0x11223344, %eax\n"
    "	inw	%dx, %ax\n"
    "	mov	%eax, %edi\n"
    "	outb	%al, $0x10\n"
    "	inl	$0x80, %eax\n"
    "	mov	%eax, %edi\n"
    "	outb	%al, $0x10\n"
    "	hlt\n"
    "real_pio_end:\n"
    ".code64\n"
    ".popsection\n");

extern const char real_pio[], real_pio_end[];

/* The next exit is this access; returns where its data is. */
static void *expect_io(struct __test_metadata *_metadata, struct vcpu *v,
		       int direction, int port, int size)
{
	run_exit(v, KVM_EXIT_IO);
	ASSERT_EQ(direction, v->run->io.direction);
	ASSERT_EQ(port, v->run->io.port);
	ASSERT_EQ(size, v->run->io.size);
	ASSERT_EQ(1, v->run->io.count);
	return (uint8_t *)v->run + v->run->io.data_offset;
}

#define EXPECT_OUT(port, size, value) \
	ASSERT_EQ(0, memcmp(expect_io(_metadata, v, KVM_EXIT_IO_OUT, port, \
				      size), &(uint32_t){ value }, size))
#define GIVE_IN(port, size, value) \
	memcpy(expect_io(_metadata, v, KVM_EXIT_IO_IN, port, size), \
	       &(uint32_t){ value }, size)

TEST(real_mode)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu_bare(g);

	vcpu_real(v, GUEST_REAL, real_pio, real_pio_end);
	EXPECT_OUT(PORT, 1, 0x5a);
	EXPECT_OUT(0x80, 2, 0x1234);
	EXPECT_OUT(PORT, 4, 0x89abcdef);
	GIVE_IN(PORT, 1, 0xee);
	ASSERT_EQ(0x112233ee, run_sync(v).a);
	GIVE_IN(PORT, 2, 0xbeef);
	ASSERT_EQ(0x1122beef, run_sync(v).a);
	GIVE_IN(0x80, 4, 0xcafef00d);
	ASSERT_EQ(0xcafef00d, run_sync(v).a);
	run_exit(v, KVM_EXIT_HLT);
}

static void long_pio(void)
{
	uint64_t rax;

	outb(PORT, 0xa5);
	outw(PORT, 0x8001);
	outl(PORT, 0xdeadbeef);
	outb(0x80, 1);
	outb(0xffff, 2);

	/* 8 and 16 bits keep the rest of RAX, 32 bits clear it. */
	rax = 0x1111222233334444;
	asm volatile("inb %%dx, %%al" : "+a"(rax) : "d"(PORT));
	G_EQ(rax, 0x1111222233334455);
	asm volatile("inw %%dx, %%ax" : "+a"(rax) : "d"(PORT));
	G_EQ(rax, 0x1111222233336677);
	asm volatile("inl %%dx, %%eax" : "+a"(rax) : "d"(PORT));
	G_EQ(rax, 0x8899aabb);
	asm volatile("inb $0x80, %%al" : "+a"(rax));
	G_EQ(rax, 0x8899aacc);
}

TEST(long_mode)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, long_pio, 0);

	EXPECT_OUT(PORT, 1, 0xa5);
	EXPECT_OUT(PORT, 2, 0x8001);
	EXPECT_OUT(PORT, 4, 0xdeadbeef);
	EXPECT_OUT(0x80, 1, 1);
	EXPECT_OUT(0xffff, 1, 2);
	GIVE_IN(PORT, 1, 0x55);
	GIVE_IN(PORT, 2, 0x6677);
	GIVE_IN(PORT, 4, 0x8899aabb);
	GIVE_IN(0x80, 1, 0xcc);
	run_done(v);
}

/* String forms: what the guest does and what must be seen of it. */
struct string_case {
	int size;
	int count;
	bool in, down, rep;
	uint64_t offset;	/* of the first unit in the buffer */
};

static struct string_case string_case;
static uint8_t string_buf[3 * PAGE] __attribute__((aligned(4096)));

#define STRING_IO(op, reg)						\
do {									\
	if (c->rep)							\
		asm volatile("rep " op : "+" reg(p), "+c"(n)		\
			     : "d"(PORT) : "memory");			\
	else								\
		asm volatile(op : "+" reg(p), "+c"(n)			\
			     : "d"(PORT) : "memory");			\
} while (0)

static void string_io(void)
{
	struct string_case *c = &string_case;
	uint8_t *p = string_buf + c->offset, *q = p;
	uint64_t n = c->count, done = c->rep ? n : 1;

	if (c->down)
		asm volatile("std");
	if (c->in && c->size == 1)
		STRING_IO("insb", "D");
	else if (c->in && c->size == 2)
		STRING_IO("insw", "D");
	else if (c->in)
		STRING_IO("insl", "D");
	else if (c->size == 1)
		STRING_IO("outsb", "S");
	else if (c->size == 2)
		STRING_IO("outsw", "S");
	else
		STRING_IO("outsl", "S");
	asm volatile("cld");
	G_EQ(n, c->count - (c->rep ? done : 0));
	G_EQ(p, q + (c->down ? -done : done) * c->size);
}

/*
 * The host may do several units in one exit. Read and write the guest's
 * memory as a byte stream and count; the guest checks its registers.
 */
static void run_string(struct __test_metadata *_metadata, struct string_case c)
{
	int n = c.rep ? c.count : 1, seen = 0, i, step = c.down ? -c.size : c.size;
	struct vcpu *v;
	struct guest *g;
	uint8_t *buf;

	string_case = c;
	g = guest_new(0);
	v = guest_vcpu(g, string_io, 0);
	buf = &guest_var(g, string_buf[0]);
	for (i = 0; !c.in && i < (int)sizeof(string_buf); i++)
		buf[i] = i * 7 + (i >> 8);

	while (seen < n) {
		struct kvm_run *run = v->run;
		uint8_t *data;

		run_exit(v, KVM_EXIT_IO);
		ASSERT_EQ(PORT, run->io.port);
		ASSERT_EQ(c.size, run->io.size);
		ASSERT_EQ(c.in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT,
			  run->io.direction);
		ASSERT_NE(0, run->io.count);
		ASSERT_LE(seen + run->io.count, n);
		data = (uint8_t *)run + run->io.data_offset;
		for (i = 0; i < (int)run->io.count * c.size; i++) {
			int unit = seen + i / c.size, byte = i % c.size;
			uint64_t at = c.offset + unit * step + byte;

			if (c.in) {
				data[i] = unit * 3 + byte * 5 + 1;
			} else {
				ASSERT_EQ(buf[at], data[i]);
			}
		}
		seen += run->io.count;
	}
	run_done(v);

	for (i = 0; c.in && i < (int)sizeof(string_buf); i++) {
		int first = c.down ? c.offset - (n - 1) * c.size : c.offset;
		int unit = (i - first) / c.size;
		int order = c.down ? n - 1 - unit : unit;

		uint8_t want = order * 3 + (i - first) % c.size * 5 + 1;

		if (i < first || i >= first + n * c.size)
			want = 0;
		ASSERT_EQ(want, buf[i]);
	}
}

TEST(string_out)
{
	int size;

	for (size = 1; size <= 4; size *= 2) {
		run_string(_metadata, (struct string_case) {
			.size = size, .count = 7, .offset = 64 });
		run_string(_metadata, (struct string_case) {
			.size = size, .count = 50, .rep = true, .offset = 100 });
		run_string(_metadata, (struct string_case) {
			.size = size, .count = 21, .rep = true, .down = true,
			.offset = 2000 });
	}
}

TEST(string_in)
{
	int size;

	for (size = 1; size <= 4; size *= 2) {
		run_string(_metadata, (struct string_case) {
			.size = size, .count = 7, .in = true, .offset = 64 });
		run_string(_metadata, (struct string_case) {
			.size = size, .count = 50, .in = true, .rep = true,
			.offset = 100 });
		run_string(_metadata, (struct string_case) {
			.size = size, .count = 21, .in = true, .rep = true,
			.down = true, .offset = 2000 });
	}
}

TEST(string_crosses_pages)
{
	run_string(_metadata, (struct string_case) {
		.size = 4, .count = 1100, .rep = true, .offset = 4094 });
	run_string(_metadata, (struct string_case) {
		.size = 4, .count = 1100, .in = true, .rep = true,
		.offset = 4090 });
	run_string(_metadata, (struct string_case) {
		.size = 2, .count = 40, .in = true, .rep = true, .down = true,
		.offset = 4111 });
}

TEST(string_count_zero)
{
	run_string(_metadata, (struct string_case) {
		.size = 1, .count = 0, .rep = true, .offset = 64 });
	run_string(_metadata, (struct string_case) {
		.size = 4, .count = 0, .in = true, .rep = true, .offset = 64 });
}

TEST_HARNESS_MAIN
