// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads and writes of guest memory by linear address.
 *
 * Each page is translated on its own, so an access that crosses into a page that
 * faults reports that page. A write is not undone when its second page faults:
 * callers for whom that matters translate first. vm->srcu held; may sleep.
 */
#include <linux/kernel.h>
#include "vmmu/memslot.h"
#include "vmmu/paging.h"
#include "vmmu/vcpu.h"
#include "vmmu/vm.h"

/* The part of an access that lies in one page. */
struct piece {
	gpa_t gpa;
	unsigned int bytes;
};

static int next_piece(struct vmmu_vcpu *vcpu, const struct vmmu_paging_mode *mode, u64 gva,
		      unsigned int bytes, u64 access, struct piece *p, struct vmmu_exception *e)
{
	struct vmmu_walk walk;
	int r;

	r = vmmu_gva_walk(vcpu, mode, gva, access, true, &walk, e);
	if (r)
		return r;
	p->gpa = walk.gpa;
	p->bytes = min_t(unsigned int, bytes, PAGE_SIZE - offset_in_page(gva));
	return 0;
}

static int read_gva(struct vmmu_vcpu *vcpu, const struct vmmu_paging_mode *mode, u64 gva,
		    void *data, unsigned int bytes, u64 access, struct vmmu_exception *e)
{
	struct piece p;
	int r;

	while (bytes) {
		r = next_piece(vcpu, mode, gva, bytes, access, &p, e);
		if (r)
			return r;
		r = vmmu_read_guest(vcpu->vm, p.gpa, data, p.bytes);
		if (r)
			return r;
		gva += p.bytes;
		data += p.bytes;
		bytes -= p.bytes;
	}
	return 0;
}

int vmmu_read_gva(struct vmmu_vcpu *vcpu, u64 gva, void *data, unsigned int bytes, u64 access,
		  struct vmmu_exception *e)
{
	struct vmmu_paging_mode mode;

	vmmu_paging_mode(vcpu, &mode);
	return read_gva(vcpu, &mode, gva, data, bytes, access, e);
}

int vmmu_fetch_gva(struct vmmu_vcpu *vcpu, u64 gva, void *data, unsigned int bytes,
		   struct vmmu_exception *e)
{
	struct vmmu_paging_mode mode;
	u64 access = VMMU_PFERR_FETCH;

	vmmu_paging_mode(vcpu, &mode);
	if (mode.cpl == 3)
		access |= VMMU_PFERR_USER;
	return read_gva(vcpu, &mode, gva, data, bytes, access, e);
}
