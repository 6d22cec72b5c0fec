// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instruction fetch: from the bytes that hardware kept, else through the guest's
 * page tables.
 *
 * The page of rip is read first; the next page only when the decoder says that
 * the instruction goes on there, because only then may its fault reach the guest.
 * vcpu->mutex and vm->srcu held; may sleep.
 */
#include <linux/kernel.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>
#include "emulator.h"

/* As two words that overlap: what copy_from_user() checks at run time is constant here. */
static int fetch_whole(unsigned long hva, u8 *buf)
{
	void __user *p = (void __user *)hva;
	u64 first, last;

	static_assert(VMMU_INSN_MAX >= 8 && VMMU_INSN_MAX < 16);
	if (!user_access_begin(p, VMMU_INSN_MAX))
		return -EFAULT;
	unsafe_get_user(first, (u64 __user *)p, fault);
	unsafe_get_user(last, (u64 __user *)(p + VMMU_INSN_MAX - 8), fault);
	user_access_end();
	put_unaligned(first, (u64 *)buf);
	put_unaligned(last, (u64 *)(buf + VMMU_INSN_MAX - 8));
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* Up to @want bytes at @linear, within its page. The count, 0: fault in *ex, or <0. */
static int fetch_page(struct vmmu_vcpu *vcpu, const struct vmmu_code *code, u64 linear, u8 *buf,
		      unsigned int want, struct vmmu_exception *ex)
{
	unsigned int n = min_t(unsigned int, want, PAGE_SIZE - offset_in_page(linear));
	unsigned long hva;
	int r;

	r = vmmu_code_hva(vcpu, code, linear, &hva, ex);
	if (r)
		return r < 0 ? r : 0;
	if (likely(n == VMMU_INSN_MAX))
		return fetch_whole(hva, buf) ? -EFAULT : n;
	return copy_from_user(buf, (void __user *)hva, n) ? -EFAULT : n;
}

int vmmu_fetch_decode(struct vmmu_vcpu *vcpu, const struct vmmu_code *code,
		      struct vmmu_insn *insn, struct vmmu_exception *ex)
{
	int r, n;

	n = vmmu_cpu->insn_bytes(vcpu, insn->bytes);
	for (;;) {
		insn->nr_bytes = n;
		r = n ? vmmu_insn_decode(insn, code->mode) : -ENODATA;
		if (r != -ENODATA || n == VMMU_INSN_MAX)
			return r ? EM_UNHANDLED : EM_OK;
		r = fetch_page(vcpu, code, code->linear + n, insn->bytes + n, VMMU_INSN_MAX - n,
			       ex);
		if (r <= 0)
			return r ? EM_UNHANDLED : EM_FAULT;
		n += r;
	}
}

unsigned int vmmu_fetch_bytes(struct vmmu_vcpu *vcpu, u8 *bytes)
{
	struct vmmu_exception ex;
	struct vmmu_code code;
	unsigned int n = 0;
	int r;

	vmmu_code_at_rip(vcpu, &code);
	do {
		r = fetch_page(vcpu, &code, code.linear + n, bytes + n, VMMU_INSN_MAX - n, &ex);
		if (r > 0)
			n += r;
	} while (r > 0 && n < VMMU_INSN_MAX);
	return n;
}
