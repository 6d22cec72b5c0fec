// SPDX-License-Identifier: GPL-2.0-only
/*
 * Integer arithmetic with flags, as the processor does it.
 *
 * Pure: operands and flags in, result and flags out; results are masked to the
 * operand size. Flags that the manuals leave undefined keep their value unless
 * said otherwise. AMD APM vol. 3, chapter 3.
 */
#include <linux/bitops.h>
#include <linux/math64.h>
#include "emulator.h"

static u64 top_bit(unsigned int bytes)
{
	return BIT_ULL(bytes * 8 - 1);
}

static void set_flag(u64 *flags, u64 flag, bool on)
{
	if (on)
		*flags |= flag;
	else
		*flags &= ~flag;
}

/* SF, ZF and PF follow the result alone. */
static void set_szp(u64 *flags, u64 res, unsigned int bytes)
{
	set_flag(flags, X86_EFLAGS_SF, res & top_bit(bytes));
	set_flag(flags, X86_EFLAGS_ZF, !(res & em_mask(bytes)));
	set_flag(flags, X86_EFLAGS_PF, !(hweight8(res & 0xff) & 1));
}

/* @carry: bit n is the carry (or borrow) out of bit n. */
static void set_carries(u64 *flags, u64 carry, unsigned int bytes)
{
	u64 top = top_bit(bytes);

	set_flag(flags, X86_EFLAGS_CF, carry & top);
	set_flag(flags, X86_EFLAGS_AF, carry & BIT(3));
	set_flag(flags, X86_EFLAGS_OF, !!(carry & top) != !!(carry & (top >> 1)));
}

static u64 add(u64 dst, u64 src, bool carry_in, unsigned int bytes, u64 *flags)
{
	u64 res = (dst + src + carry_in) & em_mask(bytes);

	set_carries(flags, (dst & src) | ((dst | src) & ~res), bytes);
	set_szp(flags, res, bytes);
	return res;
}

static u64 sub(u64 dst, u64 src, bool borrow_in, unsigned int bytes, u64 *flags)
{
	u64 res = (dst - src - borrow_in) & em_mask(bytes);

	set_carries(flags, (~dst & src) | ((~dst | src) & res), bytes);
	set_szp(flags, res, bytes);
	return res;
}

static u64 logic(u64 res, unsigned int bytes, u64 *flags)
{
	res &= em_mask(bytes);
	*flags &= ~(u64)(X86_EFLAGS_CF | X86_EFLAGS_OF | X86_EFLAGS_AF);
	set_szp(flags, res, bytes);
	return res;
}

u64 alu_binary(enum alu_op op, u64 dst, u64 src, unsigned int bytes, u64 *flags)
{
	bool carry = *flags & X86_EFLAGS_CF;

	dst &= em_mask(bytes);
	src &= em_mask(bytes);
	switch (op) {
	case ALU_ADD:
		return add(dst, src, false, bytes, flags);
	case ALU_ADC:
		return add(dst, src, carry, bytes, flags);
	case ALU_SUB:
	case ALU_CMP:
		return sub(dst, src, false, bytes, flags);
	case ALU_SBB:
		return sub(dst, src, carry, bytes, flags);
	case ALU_OR:
		return logic(dst | src, bytes, flags);
	case ALU_AND:
		return logic(dst & src, bytes, flags);
	case ALU_XOR:
	default:
		return logic(dst ^ src, bytes, flags);
	}
}

/* INC and DEC leave CF alone. */
u64 alu_inc(u64 dst, unsigned int bytes, u64 *flags)
{
	u64 carry = *flags & X86_EFLAGS_CF;
	u64 res = alu_binary(ALU_ADD, dst, 1, bytes, flags);

	*flags = (*flags & ~(u64)X86_EFLAGS_CF) | carry;
	return res;
}

u64 alu_dec(u64 dst, unsigned int bytes, u64 *flags)
{
	u64 carry = *flags & X86_EFLAGS_CF;
	u64 res = alu_binary(ALU_SUB, dst, 1, bytes, flags);

	*flags = (*flags & ~(u64)X86_EFLAGS_CF) | carry;
	return res;
}

u64 alu_neg(u64 dst, unsigned int bytes, u64 *flags)
{
	return alu_binary(ALU_SUB, 0, dst, bytes, flags);
}

/* ROL and ROR: OF is defined for counts of 1 and set by the same rule for others. */
static u64 rotate(bool right, u64 dst, unsigned int count, unsigned int bytes, u64 *flags)
{
	unsigned int bits = bytes * 8;
	unsigned int n = count % bits;
	u64 res = dst, top = top_bit(bytes);

	if (n) {
		if (right)
			res = (dst >> n) | (dst << (bits - n));
		else
			res = (dst << n) | (dst >> (bits - n));
		res &= em_mask(bytes);
	}
	if (right) {
		set_flag(flags, X86_EFLAGS_CF, res & top);
		set_flag(flags, X86_EFLAGS_OF, !!(res & top) != !!(res & (top >> 1)));
	} else {
		set_flag(flags, X86_EFLAGS_CF, res & 1);
		set_flag(flags, X86_EFLAGS_OF, !!(res & top) != !!(res & 1));
	}
	return res;
}

/* RCL and RCR rotate through CF, one bit at a time: counts are below 64. */
static u64 rotate_carry(bool right, u64 dst, unsigned int count, unsigned int bytes, u64 *flags)
{
	unsigned int n = bytes <= 2 ? count % (bytes * 8 + 1) : count;
	bool carry = *flags & X86_EFLAGS_CF;
	u64 top = top_bit(bytes);

	if (!n)
		return dst;
	while (n--) {
		bool out = right ? dst & 1 : dst & top;

		if (right)
			dst = (dst >> 1) | (carry ? top : 0);
		else
			dst = ((dst << 1) | carry) & em_mask(bytes);
		carry = out;
	}
	set_flag(flags, X86_EFLAGS_CF, carry);
	if (right)
		set_flag(flags, X86_EFLAGS_OF, !!(dst & top) != !!(dst & (top >> 1)));
	else
		set_flag(flags, X86_EFLAGS_OF, !!(dst & top) != carry);
	return dst;
}

static u64 shift_left(u64 dst, unsigned int count, unsigned int bytes, u64 *flags)
{
	unsigned int bits = bytes * 8;
	u64 res = count < bits ? (dst << count) & em_mask(bytes) : 0;
	bool carry = count <= bits && ((dst >> (bits - count)) & 1);

	set_flag(flags, X86_EFLAGS_CF, carry);
	set_flag(flags, X86_EFLAGS_OF, !!(res & top_bit(bytes)) != carry);
	set_szp(flags, res, bytes);
	return res;
}

static u64 shift_logical(u64 dst, unsigned int count, unsigned int bytes, u64 *flags)
{
	unsigned int bits = bytes * 8;
	u64 res = count < bits ? dst >> count : 0;

	set_flag(flags, X86_EFLAGS_CF, count <= bits && ((dst >> (count - 1)) & 1));
	set_flag(flags, X86_EFLAGS_OF, dst & top_bit(bytes));
	set_szp(flags, res, bytes);
	return res;
}

static u64 shift_arithmetic(u64 dst, unsigned int count, unsigned int bytes, u64 *flags)
{
	s64 val = em_sign_extend(dst, bytes);
	unsigned int n = min(count, 63U);
	u64 res = (u64)(val >> n) & em_mask(bytes);

	set_flag(flags, X86_EFLAGS_CF, (val >> min(count - 1, 63U)) & 1);
	set_flag(flags, X86_EFLAGS_OF, false);
	set_szp(flags, res, bytes);
	return res;
}

u64 alu_shift(unsigned int op, u64 dst, u8 count, unsigned int bytes, u64 *flags)
{
	unsigned int n = count & (bytes == 8 ? 63 : 31);

	dst &= em_mask(bytes);
	if (!n)
		return dst;
	switch (op & 7) {
	case 0:
	case 1:
		return rotate(op & 1, dst, n, bytes, flags);
	case 2:
	case 3:
		return rotate_carry(op & 1, dst, n, bytes, flags);
	case 5:
		return shift_logical(dst, n, bytes, flags);
	case 7:
		return shift_arithmetic(dst, n, bytes, flags);
	default:
		return shift_left(dst, n, bytes, flags);
	}
}

/*
 * SHLD and SHRD. A 16-bit operand with a count above 16 is undefined; here @src
 * follows once and zeros after it.
 */
u64 alu_shift_double(bool right, u64 dst, u64 src, u8 count, unsigned int bytes, u64 *flags)
{
	unsigned int bits = bytes * 8;
	unsigned int n = count & (bytes == 8 ? 63 : 31);
	u64 res, top = top_bit(bytes);
	bool carry;

	dst &= em_mask(bytes);
	src &= em_mask(bytes);
	if (!n)
		return dst;
	if (n > bits) {
		n -= bits;
		dst = src;
		src = 0;
	}
	if (right) {
		carry = (dst >> (n - 1)) & 1;
		res = (n < bits ? dst >> n : 0) | (src << (bits - n));
	} else {
		carry = (dst >> (bits - n)) & 1;
		res = (n < bits ? dst << n : 0) | (src >> (bits - n));
	}
	res &= em_mask(bytes);
	set_flag(flags, X86_EFLAGS_CF, carry);
	set_flag(flags, X86_EFLAGS_OF, (res ^ dst) & top);
	set_szp(flags, res, bytes);
	return res;
}

/* CF and OF: the upper half says something that the lower half does not. */
void alu_mul(bool is_signed, u64 a, u64 b, unsigned int bytes, u64 *lo, u64 *hi, u64 *flags)
{
	u64 mask = em_mask(bytes);
	bool wide;

	if (is_signed) {
		s128 p = (s128)(s64)em_sign_extend(a, bytes) *
			     (s64)em_sign_extend(b, bytes);

		*lo = (u64)p & mask;
		*hi = (u64)(p >> (bytes * 8)) & mask;
		wide = p != (s64)em_sign_extend(*lo, bytes);
	} else {
		u128 p = (u128)(a & mask) * (b & mask);

		*lo = (u64)p & mask;
		*hi = (u64)(p >> (bytes * 8)) & mask;
		wide = *hi;
	}
	set_flag(flags, X86_EFLAGS_CF, wide);
	set_flag(flags, X86_EFLAGS_OF, wide);
}

/* hi:lo / divisor for hi < divisor, which is what keeps DIV from faulting. */
static void div_128(u64 hi, u64 lo, u64 divisor, u64 *quotient, u64 *remainder)
{
	asm("divq %4" : "=a"(*quotient), "=d"(*remainder)
	    : "a"(lo), "d"(hi), "rm"(divisor) : "cc");
}

static bool div_unsigned(u64 hi, u64 lo, u64 divisor, unsigned int bytes, u64 *quotient,
			 u64 *remainder)
{
	u64 dividend;

	/* This covers a divisor of 0 and a quotient that does not fit. */
	if (hi >= divisor)
		return false;
	if (bytes == 8) {
		div_128(hi, lo, divisor, quotient, remainder);
		return true;
	}
	dividend = (hi << (bytes * 8)) | lo;
	*quotient = div64_u64_rem(dividend, divisor, remainder);
	return true;
}

bool alu_div(bool is_signed, u64 hi, u64 lo, u64 divisor, unsigned int bytes, u64 *quotient,
	     u64 *remainder)
{
	u64 mask = em_mask(bytes), top = top_bit(bytes);
	bool neg_dividend, neg_quotient;

	hi &= mask;
	lo &= mask;
	divisor &= mask;
	if (!is_signed)
		return div_unsigned(hi, lo, divisor, bytes, quotient, remainder);

	/* Divide magnitudes; the remainder has the dividend's sign. */
	neg_dividend = hi & top;
	neg_quotient = neg_dividend != !!(divisor & top);
	if (neg_dividend) {
		lo = -lo & mask;
		hi = (~hi + !lo) & mask;
	}
	if (divisor & top)
		divisor = -divisor & mask;
	if (!div_unsigned(hi, lo, divisor, bytes, quotient, remainder))
		return false;
	if (*quotient > (neg_quotient ? top : top - 1))
		return false;
	if (neg_quotient)
		*quotient = -*quotient & mask;
	if (neg_dividend)
		*remainder = -*remainder & mask;
	return true;
}

/* The condition in the low nibble of Jcc, SETcc and CMOVcc. */
bool alu_condition(u8 cc, u64 flags)
{
	bool sf_of = !!(flags & X86_EFLAGS_SF) != !!(flags & X86_EFLAGS_OF);
	bool res;

	switch ((cc >> 1) & 7) {
	case 0:
		res = flags & X86_EFLAGS_OF;
		break;
	case 1:
		res = flags & X86_EFLAGS_CF;
		break;
	case 2:
		res = flags & X86_EFLAGS_ZF;
		break;
	case 3:
		res = flags & (X86_EFLAGS_CF | X86_EFLAGS_ZF);
		break;
	case 4:
		res = flags & X86_EFLAGS_SF;
		break;
	case 5:
		res = flags & X86_EFLAGS_PF;
		break;
	case 6:
		res = sf_of;
		break;
	default:
		res = sf_of || (flags & X86_EFLAGS_ZF);
		break;
	}
	return res != (cc & 1);
}
