// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arithmetic against the processor that runs the test: the same operands and
 * flags go through the real instruction, and result and defined flags must agree.
 */
#include <kunit/test.h>
#include "emulator.h"

#define ROUNDS	2000

static const u64 corners[] = {
	0, 1, 2, 0x7f, 0x80, 0x81, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
	0x8000000000000000, 0x8000000000000001, 0xffffffffffffffff,
};

static u64 seed = 0x2545f4914f6cdd1dULL;

static u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Corners often, everything sometimes. */
static u64 operand(void)
{
	u64 r = random64();

	return r & 1 ? corners[(r >> 8) % ARRAY_SIZE(corners)] : random64();
}

/* One instruction on (dst, src) with flags in and out; %cl holds the count of shifts. */
#define INSN2(name, suffix, type)							\
static void name##suffix(u64 *dst, u64 src, u64 *flags)					\
{											\
	type d = *dst, s = src;								\
	u64 f = *flags;									\
											\
	asm volatile("push %[f]; popf; " #name #suffix " %[s], %[d]; pushf; pop %[f]"	\
		     : [d] "+q"(d), [f] "+r"(f) : [s] "q"(s) : "cc", "memory");		\
	*dst = d;									\
	*flags = f;									\
}

#define INSN1(name, suffix, type)							\
static void name##suffix(u64 *dst, u64 src, u64 *flags)					\
{											\
	type d = *dst;									\
	u64 f = *flags;									\
											\
	asm volatile("push %[f]; popf; " #name #suffix " %[d]; pushf; pop %[f]"		\
		     : [d] "+q"(d), [f] "+r"(f) : : "cc", "memory");			\
	*dst = d;									\
	*flags = f;									\
}

#define SHIFT(name, suffix, type)							\
static void name##suffix(u64 *dst, u64 src, u64 *flags)					\
{											\
	type d = *dst;									\
	u8 c = src;									\
	u64 f = *flags;									\
											\
	asm volatile("push %[f]; popf; " #name #suffix " %%cl, %[d]; pushf; pop %[f]"	\
		     : [d] "+q"(d), [f] "+r"(f) : "c"(c) : "cc", "memory");		\
	*dst = d;									\
	*flags = f;									\
}

INSN2(add, b, u8) INSN2(add, w, u16) INSN2(add, l, u32) INSN2(add, q, u64)
INSN2(or, b, u8) INSN2(or, w, u16) INSN2(or, l, u32) INSN2(or, q, u64)
INSN2(adc, b, u8) INSN2(adc, w, u16) INSN2(adc, l, u32) INSN2(adc, q, u64)
INSN2(sbb, b, u8) INSN2(sbb, w, u16) INSN2(sbb, l, u32) INSN2(sbb, q, u64)
INSN2(and, b, u8) INSN2(and, w, u16) INSN2(and, l, u32) INSN2(and, q, u64)
INSN2(sub, b, u8) INSN2(sub, w, u16) INSN2(sub, l, u32) INSN2(sub, q, u64)
INSN2(xor, b, u8) INSN2(xor, w, u16) INSN2(xor, l, u32) INSN2(xor, q, u64)
INSN2(cmp, b, u8) INSN2(cmp, w, u16) INSN2(cmp, l, u32) INSN2(cmp, q, u64)
INSN1(inc, b, u8) INSN1(inc, w, u16) INSN1(inc, l, u32) INSN1(inc, q, u64)
INSN1(dec, b, u8) INSN1(dec, w, u16) INSN1(dec, l, u32) INSN1(dec, q, u64)
INSN1(neg, b, u8) INSN1(neg, w, u16) INSN1(neg, l, u32) INSN1(neg, q, u64)
SHIFT(rol, b, u8) SHIFT(rol, w, u16) SHIFT(rol, l, u32) SHIFT(rol, q, u64)
SHIFT(ror, b, u8) SHIFT(ror, w, u16) SHIFT(ror, l, u32) SHIFT(ror, q, u64)
SHIFT(rcl, b, u8) SHIFT(rcl, w, u16) SHIFT(rcl, l, u32) SHIFT(rcl, q, u64)
SHIFT(rcr, b, u8) SHIFT(rcr, w, u16) SHIFT(rcr, l, u32) SHIFT(rcr, q, u64)
SHIFT(shl, b, u8) SHIFT(shl, w, u16) SHIFT(shl, l, u32) SHIFT(shl, q, u64)
SHIFT(shr, b, u8) SHIFT(shr, w, u16) SHIFT(shr, l, u32) SHIFT(shr, q, u64)
SHIFT(sar, b, u8) SHIFT(sar, w, u16) SHIFT(sar, l, u32) SHIFT(sar, q, u64)

typedef void (*real_fn)(u64 *dst, u64 src, u64 *flags);

#define REAL(name)	{ name##b, name##w, name##l, name##q }

static const real_fn real_binary[8][4] = {
	REAL(add), REAL(or), REAL(adc), REAL(sbb), REAL(and), REAL(sub), REAL(xor), REAL(cmp),
};

static const real_fn real_unary[3][4] = { REAL(inc), REAL(dec), REAL(neg) };

static const real_fn real_shift[8][4] = {
	REAL(rol), REAL(ror), REAL(rcl), REAL(rcr), REAL(shl), REAL(shr), REAL(shl), REAL(sar),
};

/* Interrupts and the like stay as they are: only arithmetic flags are random. */
static u64 random_flags(void)
{
	return (random64() & FLAGS_ARITH) | (native_save_fl() & ~(u64)FLAGS_ARITH);
}

static void check(struct kunit *test, const char *what, unsigned int op, unsigned int bytes,
		  u64 dst, u64 src, u64 res, u64 real, u64 flags, u64 real_flags, u64 defined)
{
	KUNIT_EXPECT_EQ_MSG(test, res & em_mask(bytes), real & em_mask(bytes),
			    "%s %u, %u bytes: 0x%llx, 0x%llx", what, op, bytes, dst, src);
	KUNIT_EXPECT_EQ_MSG(test, flags & defined, real_flags & defined,
			    "%s %u, %u bytes: 0x%llx, 0x%llx", what, op, bytes, dst, src);
}

static void binary(struct kunit *test)
{
	unsigned int op, size, i;

	for (op = 0; op < 8; op++) {
		/* AF after AND, OR, XOR is undefined. */
		bool logic = op == ALU_AND || op == ALU_OR || op == ALU_XOR;
		u64 defined = logic ? FLAGS_ARITH & ~X86_EFLAGS_AF : FLAGS_ARITH;

		for (size = 0; size < 4; size++) {
			for (i = 0; i < ROUNDS; i++) {
				u64 dst = operand(), src = operand(), real = dst, res;
				u64 flags = random_flags(), real_flags = flags;

				real_binary[op][size](&real, src, &real_flags);
				res = alu_binary(op, dst, src, 1 << size, &flags);
				/* CMP keeps its operand; ours returns the difference. */
				if (op == ALU_CMP)
					res = real;
				check(test, "binary", op, 1 << size, dst, src, res, real, flags,
				      real_flags, defined);
			}
		}
	}
}

static void unary(struct kunit *test)
{
	static u64 (*const ours[3])(u64, unsigned int, u64 *) = { alu_inc, alu_dec, alu_neg };
	unsigned int op, size, i;

	for (op = 0; op < 3; op++) {
		for (size = 0; size < 4; size++) {
			for (i = 0; i < ROUNDS; i++) {
				u64 dst = operand(), real = dst, res;
				u64 flags = random_flags(), real_flags = flags;

				real_unary[op][size](&real, 0, &real_flags);
				res = ours[op](dst, 1 << size, &flags);
				check(test, "unary", op, 1 << size, dst, 0, res, real, flags,
				      real_flags, FLAGS_ARITH);
			}
		}
	}
}

/* OF is defined for counts of 1, CF of SHL and SHR up to the width, AF never. */
static u64 shift_defined(unsigned int op, unsigned int count, unsigned int bytes)
{
	u64 defined = FLAGS_ARITH & ~X86_EFLAGS_AF;

	if (!count)
		return FLAGS_ARITH;
	if (count != 1)
		defined &= ~X86_EFLAGS_OF;
	if ((op == 4 || op == 5 || op == 6) && count > bytes * 8)
		defined &= ~X86_EFLAGS_CF;
	return defined;
}

static void shift(struct kunit *test)
{
	unsigned int op, size, i;

	for (op = 0; op < 8; op++) {
		for (size = 0; size < 4; size++) {
			unsigned int bytes = 1 << size;

			for (i = 0; i < ROUNDS; i++) {
				u64 dst = operand(), real = dst, res;
				u64 flags = random_flags(), real_flags = flags;
				u8 count = i & 1 ? 1 : i >> 1;

				real_shift[op][size](&real, count, &real_flags);
				res = alu_shift(op, dst, count, bytes, &flags);
				check(test, "shift", op, bytes, dst, count, res, real, flags,
				      real_flags,
				      shift_defined(op, count & (bytes == 8 ? 63 : 31), bytes));
			}
		}
	}
}

#define SHIFT_DOUBLE(name, suffix, type)						\
static void name##suffix(u64 *dst, u64 src, u8 count, u64 *flags)			\
{											\
	type d = *dst, s = src;								\
	u64 f = *flags;									\
											\
	asm volatile("push %[f]; popf; " #name #suffix " %%cl, %[s], %[d]; pushf; pop %[f]" \
		     : [d] "+r"(d), [f] "+r"(f) : [s] "r"(s), "c"(count)		\
		     : "cc", "memory");							\
	*dst = d;									\
	*flags = f;									\
}

SHIFT_DOUBLE(shld, w, u16) SHIFT_DOUBLE(shld, l, u32) SHIFT_DOUBLE(shld, q, u64)
SHIFT_DOUBLE(shrd, w, u16) SHIFT_DOUBLE(shrd, l, u32) SHIFT_DOUBLE(shrd, q, u64)

static void shift_double(struct kunit *test)
{
	static void (*const real_fns[2][3])(u64 *, u64, u8, u64 *) = {
		{ shldw, shldl, shldq }, { shrdw, shrdl, shrdq },
	};
	unsigned int right, size, i;

	for (right = 0; right < 2; right++) {
		for (size = 1; size < 4; size++) {
			unsigned int bytes = 1 << size;

			for (i = 0; i < ROUNDS; i++) {
				u64 dst = operand(), src = operand(), real = dst, res;
				u64 flags = random_flags(), real_flags = flags;
				u8 count = i & 1 ? 1 : i >> 1;
				unsigned int n = count & (bytes == 8 ? 63 : 31);

				/* Undefined altogether. */
				if (n > bytes * 8)
					continue;
				real_fns[right][size - 1](&real, src, count, &real_flags);
				res = alu_shift_double(right, dst, src, count, bytes, &flags);
				check(test, "double", right, bytes, dst, src, res, real, flags,
				      real_flags, shift_defined(0, n, bytes));
			}
		}
	}
}

#define PRODUCT(name, suffix, type)							\
static void name##suffix(u64 a, u64 b, u64 *lo, u64 *hi, u64 *flags)			\
{											\
	type l = a, h = 0, s = b;							\
	u64 f;										\
											\
	asm volatile(#name #suffix " %[s]; pushf; pop %[f]"				\
		     : "+a"(l), "=d"(h), [f] "=r"(f) : [s] "r"(s) : "cc", "memory");	\
	*lo = l;									\
	*hi = h;									\
	*flags = f;									\
}

PRODUCT(mul, w, u16) PRODUCT(mul, l, u32) PRODUCT(mul, q, u64)
PRODUCT(imul, w, u16) PRODUCT(imul, l, u32) PRODUCT(imul, q, u64)

static void product(struct kunit *test)
{
	static void (*const real_fns[2][3])(u64, u64, u64 *, u64 *, u64 *) = {
		{ mulw, mull, mulq }, { imulw, imull, imulq },
	};
	unsigned int sign, size, i;

	for (sign = 0; sign < 2; sign++) {
		for (size = 1; size < 4; size++) {
			for (i = 0; i < ROUNDS; i++) {
				u64 a = operand(), b = operand(), lo, hi, rlo, rhi, rflags;
				u64 flags = 0;

				real_fns[sign][size - 1](a, b, &rlo, &rhi, &rflags);
				alu_mul(sign, a, b, 1 << size, &lo, &hi, &flags);
				check(test, "low half", sign, 1 << size, a, b, lo, rlo, flags,
				      rflags, X86_EFLAGS_CF | X86_EFLAGS_OF);
				check(test, "high half", sign, 1 << size, a, b, hi, rhi, 0, 0,
				      0);
			}
		}
	}
}

/* quotient * divisor + remainder is the dividend again, and the remainder is the smaller. */
static void quotient(struct kunit *test)
{
	unsigned int size, i;

	for (size = 0; size < 4; size++) {
		unsigned int bytes = 1 << size;
		u64 mask = em_mask(bytes);

		for (i = 0; i < ROUNDS; i++) {
			u64 d = operand() & mask, lo = operand() & mask, hi, q, r, plo, phi;
			u64 flags = 0;

			hi = d ? operand() % d : 0;
			KUNIT_EXPECT_EQ(test, alu_div(false, hi, lo, d, bytes, &q, &r), d != 0);
			if (!d)
				continue;
			KUNIT_EXPECT_LT(test, r, d);
			alu_mul(false, q, d, bytes, &plo, &phi, &flags);
			if (((plo + r) & mask) < plo)
				phi++;
			KUNIT_EXPECT_EQ(test, (plo + r) & mask, lo);
			KUNIT_EXPECT_EQ(test, phi, hi);
			/* One more in the upper half, and the quotient does not fit. */
			KUNIT_EXPECT_FALSE(test, alu_div(false, d, lo, d, bytes, &q, &r));
		}
	}
}

/* Signed: every byte case by C's own division, and the 64-bit corners. */
static void quotient_signed(struct kunit *test)
{
	int n, d;
	u64 q, r;

	for (n = -32768; n <= 32767; n += 7) {
		for (d = -128; d <= 127; d++) {
			bool fits = d && n / d >= -128 && n / d <= 127;
			bool ok = alu_div(true, (n >> 8) & 0xff, n & 0xff, d & 0xff, 1, &q, &r);

			if (ok != fits || (ok && ((s8)q != n / d || (s8)r != n % d))) {
				KUNIT_FAIL(test, "%d / %d: %d, %d, %d", n, d, ok, (s8)q, (s8)r);
				return;
			}
		}
	}
	/* The smallest number by -1 does not fit; by 1 it does. */
	KUNIT_EXPECT_FALSE(test, alu_div(true, ~0ULL, BIT_ULL(63), ~0ULL, 8, &q, &r));
	KUNIT_EXPECT_TRUE(test, alu_div(true, ~0ULL, BIT_ULL(63), 1, 8, &q, &r));
	KUNIT_EXPECT_EQ(test, q, BIT_ULL(63));
	KUNIT_EXPECT_TRUE(test, alu_div(true, ~0ULL, -7ULL, 2, 8, &q, &r));
	KUNIT_EXPECT_EQ(test, (s64)q, -3LL);
	KUNIT_EXPECT_EQ(test, (s64)r, -1LL);
}

#define SETCC(cc, insn)								\
	case cc:								\
		asm volatile("push %[f]; popf; " insn " %[v]"			\
			     : [v] "=q"(val) : [f] "r"(flags) : "cc", "memory");	\
		break

static bool real_condition(u8 cc, u64 flags)
{
	u8 val = 0;

	switch (cc) {
	SETCC(0, "seto");
	SETCC(1, "setno");
	SETCC(2, "setc");
	SETCC(3, "setnc");
	SETCC(4, "setz");
	SETCC(5, "setnz");
	SETCC(6, "setbe");
	SETCC(7, "seta");
	SETCC(8, "sets");
	SETCC(9, "setns");
	SETCC(10, "setp");
	SETCC(11, "setnp");
	SETCC(12, "setl");
	SETCC(13, "setge");
	SETCC(14, "setle");
	SETCC(15, "setg");
	}
	return val;
}

static void condition(struct kunit *test)
{
	static const u64 bits[] = {
		X86_EFLAGS_CF, X86_EFLAGS_PF, X86_EFLAGS_ZF, X86_EFLAGS_SF, X86_EFLAGS_OF,
	};
	unsigned int cc, mask, i;

	for (mask = 0; mask < 32; mask++) {
		u64 flags = native_save_fl() & ~(u64)FLAGS_ARITH;

		for (i = 0; i < 5; i++) {
			if (mask & BIT(i))
				flags |= bits[i];
		}
		for (cc = 0; cc < 16; cc++)
			KUNIT_EXPECT_EQ_MSG(test, alu_condition(cc, flags),
					    real_condition(cc, flags), "cc %u mask %u", cc, mask);
	}
}

static struct kunit_case alu_cases[] = {
	KUNIT_CASE(binary),
	KUNIT_CASE(unary),
	KUNIT_CASE(shift),
	KUNIT_CASE(shift_double),
	KUNIT_CASE(product),
	KUNIT_CASE(quotient),
	KUNIT_CASE(quotient_signed),
	KUNIT_CASE(condition),
	{}
};

static struct kunit_suite alu_suite = {
	.name = "vmmu-alu",
	.test_cases = alu_cases,
};

kunit_test_suites(&alu_suite);
