// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O: accesses to devices, here and in user space, and the log that lets an
 * instruction that left in its middle run again.
 *
 * Each MMIO or port access of an instruction takes the next entry of the log. An
 * entry below nr_done is answered from the log, without a second side effect. The
 * first that is not goes to the in-kernel buses, else to user space: vcpu->run is
 * filled, entry nr_done is pending, and em_complete() puts the answer into it and
 * runs the instruction again. The last write of an instruction needs no answer and
 * is posted: the instruction completes first, then the vCPU leaves.
 *
 * vcpu->run and the page behind it are shared with user space, which may be
 * hostile: what is needed later is kept in vcpu->emul, answers are copied once.
 * vcpu->mutex and vm->srcu held; nothing here sleeps but for the bus devices.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include "emulator.h"
#include "vmmu/irq.h"
#include "vmmu/vm.h"

static_assert(VMMU_IO_LOG_MAX * 8 >= 64, "the widest vector move fits");

/* The data page of KVM_EXIT_IO follows struct kvm_run's page. */
#define PIO_DATA_OFFSET		PAGE_SIZE

void em_fill_port_exit(struct vmmu_vcpu *vcpu, u16 port, unsigned int size, u32 count, bool in)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = size;
	run->io.port = port;
	run->io.count = count;
	run->io.data_offset = PIO_DATA_OFFSET;
}

static void fill_mmio_exit(struct vmmu_vcpu *vcpu, const struct vmmu_io_access *a)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = a->addr;
	run->mmio.len = a->len;
	run->mmio.is_write = a->write;
	if (a->write)
		memcpy(run->mmio.data, a->data, sizeof(a->data));
}

static void fill_exit(struct vmmu_vcpu *vcpu, const struct vmmu_io_access *a)
{
	if (!a->port) {
		fill_mmio_exit(vcpu, a);
		return;
	}
	if (a->write)
		memcpy(vcpu->pio_data, a->data, a->len);
	em_fill_port_exit(vcpu, a->addr, a->len, 1, !a->write);
}

/* May this vCPU's state still be completed? User space may have set other registers. */
static bool same_instruction(const struct vmmu_vcpu *vcpu)
{
	return vcpu->rip == vcpu->emul.rip;
}

/*
 * A MOV from memory to a register whose only access is @a: once the value is there,
 * running it again would do nothing but put it into the register.
 */
static bool is_load(const struct vmmu_emul *em, const struct vmmu_io_access *a)
{
	return !a->port && !a->write && !em->vcpu->emul.cursor && em->insn.attr_op == DO_MOV &&
	       (em->insn.opcode & 2) && a->len == em_bytes(em);
}

static void note_load(struct vmmu_emul *em, const struct vmmu_io_access *a)
{
	struct vmmu_emul_vcpu *st = &em->vcpu->emul;

	st->load = is_load(em, a);
	if (!st->load)
		return;
	st->load_high = em_high_byte(em, em->insn.reg, a->len);
	st->load_reg = em->insn.reg - (st->load_high ? 4 : 0);
	st->next_rip = em->rip;
}

static int complete_load(struct vmmu_vcpu *vcpu, const struct vmmu_io_access *a)
{
	struct vmmu_emul_vcpu *st = &vcpu->emul;
	u64 *reg = &vcpu->regs[st->load_reg];

	switch (a->len) {
	case 1:
		((u8 *)reg)[st->load_high] = a->data[0];
		break;
	case 2:
		*(u16 *)reg = get_unaligned((const u16 *)a->data);
		break;
	case 4:
		*reg = get_unaligned((const u32 *)a->data);
		break;
	default:
		*reg = get_unaligned((const u64 *)a->data);
	}
	return vmmu_skip_to(vcpu, st->next_rip);
}

static int em_complete(struct vmmu_vcpu *vcpu)
{
	struct vmmu_emul_vcpu *st = &vcpu->emul;
	struct vmmu_io_access *a = &st->log[st->nr_done];

	if (!st->pending)
		return 1;
	st->pending = false;
	if (!same_instruction(vcpu))
		return 1;
	if (!a->write)
		memcpy(a->data, a->port ? vcpu->pio_data : vcpu->run->mmio.data, sizeof(a->data));
	if (st->load)
		return complete_load(vcpu, a);
	st->nr_done++;
	return em_run(vcpu);
}

/* Is @a what the log says that this access was? */
static bool replay(struct vmmu_emul_vcpu *st, struct vmmu_io_access *a)
{
	const struct vmmu_io_access *l = &st->log[st->cursor];

	if (st->cursor >= st->nr_done)
		return false;
	if (l->addr != a->addr || l->len != a->len || l->write != a->write ||
	    l->port != a->port) {
		/* Memory that it depends on changed: from here on it is another access. */
		st->nr_done = st->cursor;
		return false;
	}
	if (!a->write)
		memcpy(a->data, l->data, a->len);
	st->cursor++;
	return true;
}

static int bus_access(struct vmmu_vcpu *vcpu, struct vmmu_io_access *a)
{
	enum vmmu_bus bus = a->port ? VMMU_BUS_PIO : VMMU_BUS_MMIO;

	return a->write ? vmmu_bus_write(vcpu, bus, a->addr, a->len, a->data) :
			  vmmu_bus_read(vcpu, bus, a->addr, a->len, a->data);
}

static int device_access(struct vmmu_emul *em, struct vmmu_io_access *a, bool last)
{
	struct vmmu_vcpu *vcpu = em->vcpu;
	struct vmmu_emul_vcpu *st = &vcpu->emul;

	if (replay(st, a))
		return EM_OK;
	if (st->cursor >= VMMU_IO_LOG_MAX)
		return EM_UNHANDLED;
	if (!bus_access(vcpu, a)) {
		/* What a device did must not be done again. */
		st->log[st->cursor++] = *a;
		st->nr_done = st->cursor;
		return EM_OK;
	}
	fill_exit(vcpu, a);
	if (a->write && last && !em_user_steps(vcpu)) {
		em->posted = true;
		return EM_OK;
	}
	st->log[st->cursor] = *a;
	note_load(em, a);
	st->pending = true;
	vcpu->complete_io = em_complete;
	return EM_EXIT;
}

int em_mov_device(struct vmmu_vcpu *vcpu, gpa_t gpa, const struct vmmu_mov *m)
{
	struct vmmu_io_access a = { .addr = gpa, .len = m->size, .write = !m->load };
	u64 next_rip = vcpu->rip + m->len;
	struct vmmu_emul_vcpu *st = &vcpu->emul;

	if (a.write) {
		put_unaligned(vcpu->regs[m->reg] >> (m->high ? 8 : 0) & em_mask(a.len),
			      (u64 *)a.data);
		if (!bus_access(vcpu, &a))
			return vmmu_skip_to(vcpu, next_rip);
		fill_mmio_exit(vcpu, &a);
		vmmu_skip_to(vcpu, next_rip);
		return 0;
	}
	st->load_high = m->high;
	st->load_reg = m->reg;
	st->next_rip = next_rip;
	if (!bus_access(vcpu, &a))
		return complete_load(vcpu, &a);
	fill_mmio_exit(vcpu, &a);
	st->log[0] = a;
	st->load = true;
	st->pending = true;
	vcpu->complete_io = em_complete;
	return 0;
}

int em_mmio(struct vmmu_emul *em, gpa_t gpa, void *data, unsigned int len, bool write,
	    bool last)
{
	struct vmmu_io_access a = { .addr = gpa, .len = len, .write = write };
	int r;

	if (write)
		memcpy(a.data, data, len);
	r = device_access(em, &a, last);
	if (!r && !write)
		memcpy(data, a.data, len);
	return r;
}

int em_port(struct vmmu_emul *em, u16 port, void *data, unsigned int len, bool write,
	    bool last)
{
	struct vmmu_io_access a = { .addr = port, .len = len, .write = write, .port = true };
	int r;

	if (write)
		memcpy(a.data, data, len);
	r = device_access(em, &a, last);
	if (!r && !write)
		memcpy(data, a.data, len);
	return r;
}

static int complete_ins(struct vmmu_vcpu *vcpu)
{
	struct vmmu_emul_vcpu *st = &vcpu->emul;

	if (!st->batch || !same_instruction(vcpu)) {
		st->batch = 0;
		return 1;
	}
	st->batch_ready = true;
	return em_run(vcpu);
}

/* Ask user space for @count elements at once; em_run() comes back with batch_ready. */
int em_exit_ins(struct vmmu_emul *em, u16 port, unsigned int size, u32 count)
{
	struct vmmu_vcpu *vcpu = em->vcpu;

	em_fill_port_exit(vcpu, port, size, count, true);
	vcpu->emul.batch = count;
	vcpu->emul.batch_ready = false;
	vcpu->complete_io = complete_ins;
	return EM_EXIT;
}

/*
 * Above IOPL, and in virtual-8086 mode, the TSS's bitmap decides; AMD APM vol. 2,
 * 12.2.4. The processor reads it as supervisor.
 */
int em_port_permitted(struct vmmu_emul *em, u16 port, unsigned int len)
{
	unsigned int iopl = (em->rflags & X86_EFLAGS_IOPL) >> X86_EFLAGS_IOPL_BIT;
	struct kvm_segment tr;
	u16 offset, bits;
	int r;

	if (em->port_checked)
		return EM_OK;
	em->port_checked = true;
	if (!(vmmu_cpu->get_cr0(em->vcpu) & X86_CR0_PE) || (em->protected && em->cpl <= iopl))
		return EM_OK;

	vmmu_cpu->get_segment(em->vcpu, VMMU_SEG_TR, &tr);
	/* Only 32- and 64-bit task state segments have a bitmap. */
	if (tr.unusable || !tr.present || (tr.type & ~2) != 9 || tr.limit < 103)
		return em_gp(em);
	r = em_read(em, tr.base + 102, &offset, 2, VMMU_PFERR_IMPLICIT);
	if (r)
		return r;
	if (offset + port / 8 + 1 > tr.limit)
		return em_gp(em);
	r = em_read(em, tr.base + offset + port / 8, &bits, 2, VMMU_PFERR_IMPLICIT);
	if (r)
		return r;
	if ((bits >> (port & 7)) & (BIT(len) - 1))
		return em_gp(em);
	return EM_OK;
}

/* ---- IN and OUT that the exit itself decodes ---- */

static void set_rax(struct vmmu_vcpu *vcpu, unsigned int size, u32 val)
{
	u64 mask = em_mask(size);

	if (size == 4)
		vcpu->regs[VMMU_RAX] = val;
	else
		vcpu->regs[VMMU_RAX] = (vcpu->regs[VMMU_RAX] & ~mask) | (val & mask);
}

static int complete_in(struct vmmu_vcpu *vcpu)
{
	u32 val = 0;

	if (!same_instruction(vcpu))
		return 1;
	memcpy(&val, vcpu->pio_data, vcpu->emul.port_size);
	set_rax(vcpu, vcpu->emul.port_size, val);
	return vmmu_skip_to(vcpu, vcpu->emul.next_rip);
}

static int complete_out(struct vmmu_vcpu *vcpu)
{
	return same_instruction(vcpu) ? vmmu_skip_to(vcpu, vcpu->emul.next_rip) : 1;
}

static int port_out(struct vmmu_vcpu *vcpu, u16 port, unsigned int size, u64 next_rip)
{
	u32 val = vcpu->regs[VMMU_RAX];

	if (!vmmu_bus_write(vcpu, VMMU_BUS_PIO, port, size, &val))
		return vmmu_skip_to(vcpu, next_rip);
	put_unaligned(val, (u32 *)vcpu->pio_data);
	em_fill_port_exit(vcpu, port, size, 1, false);
	/* Of a step the own exit comes after this one; at 0x7e there is code that looks at rip. */
	if (unlikely(em_user_steps(vcpu) ||
		     (port == 0x7e &&
		      vmmu_quirk_disabled(vcpu->vm, KVM_X86_QUIRK_OUT_7E_INC_RIP)))) {
		vcpu->emul.rip = vcpu->rip;
		vcpu->emul.next_rip = next_rip;
		vcpu->complete_io = complete_out;
	} else {
		vmmu_skip_to(vcpu, next_rip);
	}
	return 0;
}

static int port_in(struct vmmu_vcpu *vcpu, u16 port, unsigned int size, u64 next_rip)
{
	u32 val = 0;

	if (!vmmu_bus_read(vcpu, VMMU_BUS_PIO, port, size, &val)) {
		set_rax(vcpu, size, val);
		return vmmu_skip_to(vcpu, next_rip);
	}
	em_fill_port_exit(vcpu, port, size, 1, true);
	vcpu->emul.rip = vcpu->rip;
	vcpu->emul.next_rip = next_rip;
	vcpu->emul.port_size = size;
	vcpu->complete_io = complete_in;
	return 0;
}

/**
 * vmmu_port_io() - IN or OUT of a register, decoded by the exit
 * @vcpu: loaded, its thread's own
 * @port: I/O port
 * @size: 1, 2 or 4
 * @in: IN, else OUT
 * @next_rip: where the guest goes on
 *
 * In-kernel devices first, else KVM_EXIT_IO. vm->srcu held. Return: 1, 0 (vcpu->run
 * filled) or <0.
 */
int vmmu_port_io(struct vmmu_vcpu *vcpu, u16 port, unsigned int size, bool in, u64 next_rip)
{
	return in ? port_in(vcpu, port, size, next_rip) : port_out(vcpu, port, size, next_rip);
}
