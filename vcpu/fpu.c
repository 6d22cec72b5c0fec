// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's FPU: an XSAVE area of our own, in the standard format.
 *
 * Around each entry vmmu_fpu_load() opens a kernel_fpu_begin() section, which
 * parks the thread's own registers, and loads the guest's; vmmu_fpu_save()
 * stores them and closes it. Interrupts stay off from one to the other, so no
 * softirq can find the FPU in use and no scheduling can happen in between; the
 * kernel wants begin and end under the same interrupt state, which holds.
 * Outside of that pair the area is the truth, and only the thread that holds
 * vcpu->mutex looks at it. No function here sleeps but create.
 *
 * The area is moved under the host's XCR0, so a guest that narrows its XCR0
 * loses nothing. PKRU is live in the register on Linux and is switched by
 * hand. Plain XSAVE is used: XSAVEOPT may leave out what has not changed since
 * the last XRSTOR from the same linear address, and the guest can run XRSTOR
 * at any linear address.
 */
#include <linux/log2.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/special_insns.h>
#include "vmmu/vcpu.h"
#include "vmmu/vm.h"
#include "xstate.h"

#define FCW_INIT	0x37f
#define XCOMP_LAST	XFEATURE_PKRU

static_assert(sizeof(struct kvm_xsave) == 4096);
static_assert(sizeof_field(struct kvm_fpu, fpr) == sizeof_field(struct fxregs_state, st_space));
static_assert(sizeof_field(struct kvm_fpu, xmm) == sizeof_field(struct fxregs_state, xmm_space));

/* All set by vmmu_fpu_module_init(), constant after. */
static struct vmmu_xcomp xcomp[XCOMP_LAST + 1];
static u64 host_xcr0;
static u64 supported_xcr0;
static u64 xsave_mask;		/* what XSAVE and XRSTOR move; 0: FXSAVE only */
static u32 area_size;
static u32 mxcsr_mask;
static bool has_pkru;
static bool fxsave_leak;	/* FXRSTOR leaves FIP, FDP and FOP of the host in place */
static struct xregs_state init_area;	/* header only: nothing extended is read */

u64 vmmu_supported_xcr0(void)
{
	return supported_xcr0;
}

u32 vmmu_xsave_size(void)
{
	return max_t(u32, area_size, sizeof(struct kvm_xsave));
}

const struct vmmu_xcomp *vmmu_xcomp_get(unsigned int nr)
{
	if (nr < FIRST_EXTENDED_XFEATURE || nr > XCOMP_LAST || !(supported_xcr0 & BIT_ULL(nr)))
		return NULL;
	return &xcomp[nr];
}

u32 vmmu_xstate_size(u64 xcr0)
{
	u32 size = VMMU_XSAVE_MIN_SIZE;
	unsigned int i;

	for (i = FIRST_EXTENDED_XFEATURE; i <= XCOMP_LAST; i++) {
		const struct vmmu_xcomp *c = vmmu_xcomp_get(i);

		if (c && (xcr0 & BIT_ULL(i)))
			size = max_t(u32, size, c->offset + c->size);
	}
	return size;
}

u32 vmmu_xstate_compacted_size(u64 xcr0)
{
	u32 size = VMMU_XSAVE_MIN_SIZE;
	unsigned int i;

	for (i = FIRST_EXTENDED_XFEATURE; i <= XCOMP_LAST; i++) {
		const struct vmmu_xcomp *c = vmmu_xcomp_get(i);

		if (!c || !(xcr0 & BIT_ULL(i)))
			continue;
		if (c->align64)
			size = ALIGN(size, 64);
		size += c->size;
	}
	return size;
}

bool vmmu_xcr0_valid(u64 xcr0, u64 supported)
{
	u64 avx512 = xcr0 & XFEATURE_MASK_AVX512;

	if (xcr0 & ~(supported | XFEATURE_MASK_FP))
		return false;
	if (!(xcr0 & XFEATURE_MASK_FP))
		return false;
	if ((xcr0 & XFEATURE_MASK_YMM) && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	if (avx512 && (avx512 != XFEATURE_MASK_AVX512 || !(xcr0 & XFEATURE_MASK_YMM)))
		return false;
	return true;
}

int vmmu_xsave_check(const struct xregs_state *x, u64 supported, u32 mxcsr_valid)
{
	const struct xstate_header *h = &x->header;

	if (h->xfeatures & ~supported || h->xcomp_bv)
		return -EINVAL;
	if (memchr_inv(h->reserved, 0, sizeof(h->reserved)))
		return -EINVAL;
	if ((h->xfeatures & VMMU_MXCSR_MASK) && (x->i387.mxcsr & ~mxcsr_valid))
		return -EINVAL;
	return 0;
}

/* ---- the instructions ---- */

static __always_inline int xrstor(const struct xregs_state *x, u64 mask)
{
	int err = -EFAULT;

	asm volatile("1: xrstor64 %[x]\n\t"
		     "xor %[err], %[err]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [err] "+r" (err)
		     : [x] "m" (*x), "a" ((u32)mask), "d" ((u32)(mask >> 32))
		     : "memory");
	return err;
}

static __always_inline void xsave(struct xregs_state *x, u64 mask)
{
	asm volatile("xsave64 %[x]"
		     : [x] "+m" (*x)
		     : "a" ((u32)mask), "d" ((u32)(mask >> 32))
		     : "memory");
}

static __always_inline int fxrstor(const struct fxregs_state *x)
{
	int err = -EFAULT;

	asm volatile("1: fxrstor64 %[x]\n\t"
		     "xor %[err], %[err]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [err] "+r" (err) : [x] "m" (*x) : "memory");
	return err;
}

static __always_inline void fxsave(struct fxregs_state *x)
{
	asm volatile("fxsave64 %[x]" : [x] "+m" (*x) : : "memory");
}

static __always_inline int area_restore(const struct xregs_state *x)
{
	return xsave_mask ? xrstor(x, xsave_mask) : fxrstor(&x->i387);
}

/*
 * AMD before Zen keeps the last instruction and data pointers unless an exception
 * is pending (APM vol. 5, FXRSTOR): overwrite the host's with our own.
 */
static __always_inline void clear_fpu_pointers(void)
{
	static const u32 dummy = 1;

	asm volatile("fnclex\n\temms\n\tfildl %0" : : "m" (dummy));
}

static void area_init(struct xregs_state *x)
{
	memset(x, 0, area_size);
	x->i387.cwd = FCW_INIT;
	x->i387.mxcsr = MXCSR_DEFAULT;
	x->i387.mxcsr_mask = mxcsr_mask;
}

/* ---- one entry ---- */

/**
 * vmmu_fpu_load() - make the registers the guest's
 * @vcpu: loaded, about to enter
 *
 * Interrupts off, and off until vmmu_fpu_save(). The host's registers are parked by
 * the kernel and come back when the thread returns to user space.
 */
void vmmu_fpu_load(struct vmmu_vcpu *vcpu)
{
	struct vmmu_fpu *fpu = &vcpu->fpu;

	lockdep_assert_irqs_disabled();
	kernel_fpu_begin_mask(0);

	if (fxsave_leak)
		clear_fpu_pointers();
	if (unlikely(area_restore(fpu->area))) {
		/* Everything that gets into the area is checked: never run with the host's. */
		vmmu_vm_kill(vcpu->vm, "guest FPU state does not load");
		area_init(fpu->area);
		area_restore(&init_area);
	}
	if (supported_xcr0 && fpu->xcr0 != host_xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, fpu->xcr0);
	if (has_pkru) {
		fpu->host_pkru = rdpkru();
		if (fpu->pkru != fpu->host_pkru)
			wrpkru(fpu->pkru);
	}
}

/**
 * vmmu_fpu_save() - store the guest's registers, give the FPU back to the kernel
 * @vcpu: as given to vmmu_fpu_load()
 *
 * Interrupts off since vmmu_fpu_load().
 */
void vmmu_fpu_save(struct vmmu_vcpu *vcpu)
{
	struct vmmu_fpu *fpu = &vcpu->fpu;

	lockdep_assert_irqs_disabled();
	if (has_pkru) {
		fpu->pkru = rdpkru();
		if (fpu->pkru != fpu->host_pkru)
			wrpkru(fpu->host_pkru);
	}
	if (supported_xcr0 && fpu->xcr0 != host_xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, host_xcr0);
	if (xsave_mask)
		xsave(fpu->area, xsave_mask);
	else
		fxsave(&fpu->area->i387);
	kernel_fpu_end();
}

/* ---- life ---- */

int vmmu_fpu_create(struct vmmu_vcpu *vcpu)
{
	/* Powers of two are what kmalloc() aligns to their size; XSAVE wants 64. */
	vcpu->fpu.area = kzalloc(roundup_pow_of_two(area_size), GFP_KERNEL_ACCOUNT);
	if (!vcpu->fpu.area)
		return -ENOMEM;
	vcpu->fpu.size = area_size;
	vmmu_fpu_reset(vcpu, false);
	return 0;
}

void vmmu_fpu_destroy(struct vmmu_vcpu *vcpu)
{
	kfree(vcpu->fpu.area);
	vcpu->fpu.area = NULL;
}

/* RESET gives the initial state; INIT leaves x87, SSE, XCR0 and PKRU (SDM vol. 3, 10.1.1). */
void vmmu_fpu_reset(struct vmmu_vcpu *vcpu, bool init)
{
	if (init)
		return;
	area_init(vcpu->fpu.area);
	vcpu->fpu.xcr0 = XFEATURE_MASK_FP;
	vcpu->fpu.pkru = 0;
}

/* ---- KVM_GET_FPU, KVM_SET_FPU ---- */

int vmmu_get_fpu(struct vmmu_vcpu *vcpu, struct kvm_fpu *fpu)
{
	const struct fxregs_state *fx = &vcpu->fpu.area->i387;

	memset(fpu, 0, sizeof(*fpu));
	memcpy(fpu->fpr, fx->st_space, sizeof(fpu->fpr));
	memcpy(fpu->xmm, fx->xmm_space, sizeof(fpu->xmm));
	fpu->fcw = fx->cwd;
	fpu->fsw = fx->swd;
	fpu->ftwx = fx->twd;
	fpu->last_opcode = fx->fop;
	fpu->last_ip = fx->rip;
	fpu->last_dp = fx->rdp;
	fpu->mxcsr = fx->mxcsr;
	return 0;
}

int vmmu_set_fpu(struct vmmu_vcpu *vcpu, const struct kvm_fpu *fpu)
{
	struct fxregs_state *fx = &vcpu->fpu.area->i387;

	if (fpu->mxcsr & ~mxcsr_mask)
		return -EINVAL;
	memcpy(fx->st_space, fpu->fpr, sizeof(fx->st_space));
	memcpy(fx->xmm_space, fpu->xmm, sizeof(fx->xmm_space));
	fx->cwd = fpu->fcw;
	fx->swd = fpu->fsw;
	fx->twd = fpu->ftwx;
	fx->fop = fpu->last_opcode;
	fx->rip = fpu->last_ip;
	fx->rdp = fpu->last_dp;
	fx->mxcsr = fpu->mxcsr;
	if (xsave_mask)
		vcpu->fpu.area->header.xfeatures |= XFEATURE_MASK_FPSSE;
	return 0;
}

/* ---- KVM_GET_XSAVE(2), KVM_SET_XSAVE ---- */

static const struct vmmu_xcomp *pkru_comp(void)
{
	return vmmu_xcomp_get(XFEATURE_PKRU);
}

/**
 * vmmu_get_xsave() - the state in the standard XSAVE format
 * @vcpu: its mutex is held
 * @buf: at least 4096 bytes
 * @size: of @buf; what is beyond the state is cleared
 *
 * Return: 0; -EINVAL when @buf is too small.
 */
int vmmu_get_xsave(struct vmmu_vcpu *vcpu, void *buf, u32 size)
{
	const struct vmmu_xcomp *pk = pkru_comp();
	struct xregs_state *out = buf;

	if (size < vmmu_xsave_size())
		return -EINVAL;
	memset(buf, 0, size);
	memcpy(buf, vcpu->fpu.area, area_size);
	memset(out->i387.sw_reserved, 0, sizeof(out->i387.sw_reserved));
	if (!xsave_mask)
		out->header.xfeatures = XFEATURE_MASK_FPSSE;
	if (pk) {
		out->header.xfeatures |= XFEATURE_MASK_PKRU;
		*(u32 *)(buf + pk->offset) = vcpu->fpu.pkru;
	}
	return 0;
}

/* Copy into a fresh area what the header says is there; the rest is initial state. */
static void area_fill(struct xregs_state *dst, const struct xregs_state *src)
{
	u64 has = src->header.xfeatures & VMMU_XSAVE_MASK;
	unsigned int i;

	area_init(dst);
	if (has & XFEATURE_MASK_FP) {
		memcpy(&dst->i387, &src->i387, offsetof(struct fxregs_state, mxcsr));
		memcpy(dst->i387.st_space, src->i387.st_space, sizeof(dst->i387.st_space));
	}
	if (has & XFEATURE_MASK_SSE)
		memcpy(dst->i387.xmm_space, src->i387.xmm_space, sizeof(dst->i387.xmm_space));
	if (has & VMMU_MXCSR_MASK)
		dst->i387.mxcsr = src->i387.mxcsr;
	for (i = FIRST_EXTENDED_XFEATURE; i <= XCOMP_LAST; i++) {
		const struct vmmu_xcomp *c = vmmu_xcomp_get(i);

		if (c && (has & BIT_ULL(i)))
			memcpy((void *)dst + c->offset, (const void *)src + c->offset, c->size);
	}
	if (xsave_mask)
		dst->header.xfeatures = has;
}

/**
 * vmmu_set_xsave() - replace the guest's FPU state
 * @vcpu: its mutex is held
 * @buf: KVM_SET_XSAVE's area, 8-byte aligned
 * @size: of @buf
 *
 * PKRU stays as it was when the header does not have its bit; every other
 * component that the header leaves out becomes initial.
 *
 * Return: 0; -EINVAL with nothing changed.
 */
int vmmu_set_xsave(struct vmmu_vcpu *vcpu, const void *buf, u32 size)
{
	u64 supported = supported_xcr0 ?: XFEATURE_MASK_FPSSE;
	const struct vmmu_xcomp *pk = pkru_comp();
	const struct xregs_state *in = buf;
	int r;

	if (size < vmmu_xsave_size())
		return -EINVAL;
	r = vmmu_xsave_check(in, supported, mxcsr_mask);
	if (r)
		return r;
	area_fill(vcpu->fpu.area, in);
	if (pk && (in->header.xfeatures & XFEATURE_MASK_PKRU))
		vcpu->fpu.pkru = *(const u32 *)(buf + pk->offset);
	return 0;
}

/* ---- module ---- */

static void probe_components(void)
{
	u32 eax, ebx, ecx, edx;
	unsigned int i;

	for (i = FIRST_EXTENDED_XFEATURE; i <= XCOMP_LAST; i++) {
		if (!(supported_xcr0 & BIT_ULL(i)))
			continue;
		cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx);
		xcomp[i] = (struct vmmu_xcomp){
			.offset = ebx,
			.size = eax,
			.align64 = ecx & BIT(1),
		};
	}
}

static u32 probe_mxcsr_mask(void)
{
	static struct fxregs_state fx;

	kernel_fpu_begin();
	fxsave(&fx);
	kernel_fpu_end();
	/* 0 means the mask of the first SSE processors (SDM vol. 1, 11.6.6). */
	return fx.mxcsr_mask ?: 0xffbf;
}

int vmmu_fpu_module_init(void)
{
	if (boot_cpu_has(X86_FEATURE_XSAVE)) {
		host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		supported_xcr0 = host_xcr0 & VMMU_XCR0_MASK;
		if (!boot_cpu_has(X86_FEATURE_OSPKE))
			supported_xcr0 &= ~(u64)XFEATURE_MASK_PKRU;
		xsave_mask = supported_xcr0 & VMMU_XSAVE_MASK;
		probe_components();
	}
	has_pkru = boot_cpu_has(X86_FEATURE_OSPKE);
	fxsave_leak = boot_cpu_has_bug(X86_BUG_FXSAVE_LEAK);
	area_size = vmmu_xstate_size(supported_xcr0);
	mxcsr_mask = probe_mxcsr_mask();

	init_area.i387.cwd = FCW_INIT;
	init_area.i387.mxcsr = MXCSR_DEFAULT;
	return 0;
}
