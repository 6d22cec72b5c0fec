// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wrong arguments for every ioctl and the errno that they get, the same as
 * KVM's; ioctls on a VM whose process is gone; and threads that pull one VM's
 * memory, log and descriptors from under each other.
 */
#include <kselftest_harness.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "hostile.h"

#define ROUND_MS 300

struct row {
	char on;		/* d: device, v: VM, c: vCPU */
	const char *name;
	unsigned long cmd;
	const void *arg;
	int error;
	int line;
};

#define ROW(on, cmd, error, arg...) { on, #cmd, cmd, arg, error, __LINE__ }
#define NUMBER(n) ((void *)(n))
#define BAD NUMBER(0xffff888000000000)

/* One after the other on one VM; none may change it. Returns how many differ. */
static int try_rows(struct guest *g, const struct row *row, size_t n)
{
	int wrong = 0;

	for (; n--; row++) {
		int fd = row->on == 'd' ? g->dev : row->on == 'v' ? g->vm :
			 g->vcpu[0].fd;
		int r = ioctl(fd, row->cmd, row->arg);
		int error = r < 0 ? errno : 0;

		if (error == row->error)
			continue;
		printf("# line %d: %s: %d (%s), not %d (%s)\n", row->line,
		       row->name, error, strerror(error), row->error,
		       strerror(row->error));
		wrong++;
	}
	return wrong;
}

#define TRY_ROWS(g, rows) \
	EXPECT_EQ(0, try_rows(g, rows, sizeof(rows) / sizeof((rows)[0])))

/* ---- pointers ---- */

static const struct { char on; unsigned long cmd; const char *name; } structs[] = {
#define S(on, cmd) { on, cmd, #cmd }
	S('d', KVM_GET_SUPPORTED_CPUID), S('d', KVM_GET_MSR_INDEX_LIST),
	S('d', KVM_GET_MSR_FEATURE_INDEX_LIST),
	S('v', KVM_SET_USER_MEMORY_REGION), S('v', KVM_GET_DIRTY_LOG),
	S('v', KVM_CLEAR_DIRTY_LOG), S('v', KVM_SET_GSI_ROUTING),
	S('v', KVM_SIGNAL_MSI),
	S('v', KVM_IRQ_LINE), S('v', KVM_IRQ_LINE_STATUS),
	S('v', KVM_GET_IRQCHIP), S('v', KVM_SET_IRQCHIP),
	S('v', KVM_CREATE_PIT2), S('v', KVM_GET_PIT2), S('v', KVM_SET_PIT2),
	S('v', KVM_GET_PIT), S('v', KVM_SET_PIT), S('v', KVM_REINJECT_CONTROL),
	S('v', KVM_REGISTER_COALESCED_MMIO),
	S('v', KVM_UNREGISTER_COALESCED_MMIO), S('v', KVM_IRQFD),
	S('v', KVM_IOEVENTFD), S('v', KVM_GET_CLOCK), S('v', KVM_SET_CLOCK),
	S('v', KVM_X86_SET_MSR_FILTER), S('v', KVM_ENABLE_CAP),
	S('c', KVM_GET_REGS), S('c', KVM_SET_REGS), S('c', KVM_GET_SREGS),
	S('c', KVM_SET_SREGS), S('c', KVM_GET_SREGS2), S('c', KVM_SET_SREGS2),
	S('c', KVM_GET_FPU), S('c', KVM_SET_FPU), S('c', KVM_GET_XSAVE),
	S('c', KVM_GET_XSAVE2), S('c', KVM_SET_XSAVE), S('c', KVM_GET_XCRS),
	S('c', KVM_SET_XCRS), S('c', KVM_GET_LAPIC), S('c', KVM_SET_LAPIC),
	S('c', KVM_INTERRUPT), S('c', KVM_GET_MSRS), S('c', KVM_SET_MSRS),
	S('c', KVM_SET_CPUID2), S('c', KVM_GET_CPUID2),
	S('c', KVM_SET_SIGNAL_MASK), S('c', KVM_GET_MP_STATE),
	S('c', KVM_SET_MP_STATE), S('c', KVM_GET_VCPU_EVENTS),
	S('c', KVM_SET_VCPU_EVENTS), S('c', KVM_GET_DEBUGREGS),
	S('c', KVM_SET_DEBUGREGS), S('c', KVM_SET_GUEST_DEBUG),
	S('c', KVM_TRANSLATE), S('c', KVM_X86_SETUP_MCE),
	S('c', KVM_X86_SET_MCE),
#undef S
};

static struct guest *whole_vm(void)
{
	struct kvm_pit_config pit = { 0 };
	struct guest *g = guest_new(GUEST_IRQCHIP);

	if (ioctl(g->vm, KVM_CREATE_PIT2, &pit))
		DIE("KVM_CREATE_PIT2: %m");
	return g;
}

/* Nowhere, in the kernel, not canonical, and with its end in the next page. */
TEST(pointers)
{
	struct guest *g = whole_vm();
	struct vcpu *v = guest_vcpu(g, hlt, 0);
	uint8_t *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_regs before = vcpu_regs(v), after;
	unsigned int i, p;

	ASSERT_NE(MAP_FAILED, edge);
	munmap(edge + PAGE, PAGE);
	for (i = 0; i < sizeof(structs) / sizeof(structs[0]); i++) {
		void *pointers[] = { (void *)8, BAD, NUMBER(1ul << 63),
				     NUMBER(0x7ffffffff000), NUMBER(-8ul),
				     edge + PAGE - 1 };
		int fd = structs[i].on == 'd' ? g->dev :
			 structs[i].on == 'v' ? g->vm : v->fd;

		for (p = 0; p < 6; p++) {
			errno = 0;
			EXPECT_EQ(-1, ioctl(fd, structs[i].cmd, pointers[p]));
			EXPECT_EQ(EFAULT, errno) {
				TH_LOG("%s, pointer %u", structs[i].name, p);
			}
		}
	}
	after = vcpu_regs(v);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
}

/* ---- values: the VM ---- */

#define REGION(...) &(struct kvm_userspace_memory_region){ __VA_ARGS__ }
#define MEM(s, f, gpa, size, hva) REGION(.slot = s, .flags = f, \
	.guest_phys_addr = gpa, .memory_size = size, .userspace_addr = hva)
#define SLOT KVM_SET_USER_MEMORY_REGION

TEST(memory)
{
	const struct row rows[] = {
		ROW('v', SLOT, EINVAL, MEM(9, 0x80, GB, PAGE, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, GB, PAGE + 1, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, GB, 1, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, GB + 1, PAGE, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, GB, PAGE, 0x10001)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, GB, PAGE, 1ul << 63)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, GB, PAGE, -PAGE)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, GB, -PAGE, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, GB, 1ul << 43, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, GB, 1ul << 63, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, -PAGE, PAGE, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(9, 0, -PAGE, 2 * PAGE, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(0xffff, 0, GB, PAGE, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(0x70009, 0, GB, PAGE, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(-1, 0, GB, PAGE, 0x10000)),
		/* No such slot to delete; slot 0 is there, in the way, and stays. */
		ROW('v', SLOT, EINVAL, MEM(9, 0, GB, 0, 0x10000)),
		ROW('v', SLOT, EEXIST, MEM(9, 0, 0, PAGE, 0x10000)),
		ROW('v', SLOT, EEXIST, MEM(9, 0, GUEST_RAM - PAGE, 2 * PAGE, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(0, 0, 0, GUEST_RAM / 2, 0x10000)),
		ROW('v', SLOT, EINVAL, MEM(0, 0, 0, GUEST_RAM, 0x10000)),
		ROW('v', KVM_GET_DIRTY_LOG, ENOENT, &(struct kvm_dirty_log){ 0 }),
		ROW('v', KVM_GET_DIRTY_LOG, ENOENT, &(struct kvm_dirty_log){ .slot = 77 }),
		ROW('v', KVM_GET_DIRTY_LOG, EINVAL, &(struct kvm_dirty_log){ .slot = 0xffff }),
		ROW('v', KVM_GET_DIRTY_LOG, EINVAL, &(struct kvm_dirty_log){ .slot = 0x70000 }),
		ROW('v', KVM_CLEAR_DIRTY_LOG, ENOENT,
		    &(struct kvm_clear_dirty_log){ .slot = 0, .num_pages = 64 }),
		ROW('v', KVM_CLEAR_DIRTY_LOG, EINVAL,
		    &(struct kvm_clear_dirty_log){ .slot = 0, .first_page = 1 }),
		ROW('v', KVM_CLEAR_DIRTY_LOG, EINVAL,
		    &(struct kvm_clear_dirty_log){ .slot = -1 }),
		ROW('v', KVM_SET_TSS_ADDR, EINVAL, NUMBER(0xfffff000ul)),
		ROW('v', KVM_SET_TSS_ADDR, EINVAL, NUMBER(-1ul)),
		ROW('v', KVM_SET_IDENTITY_MAP_ADDR, EINVAL, &(uint64_t){ 0 }),
		ROW('v', KVM_SET_IDENTITY_MAP_ADDR, EINVAL, BAD),
		ROW('v', KVM_CREATE_VCPU, EEXIST, NUMBER(0)),
		ROW('v', KVM_CREATE_VCPU, EINVAL, NUMBER(-1ul)),
		ROW('v', KVM_CREATE_VCPU, EINVAL, NUMBER(1ul << 32)),
	};
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, hlt, 0);

	TRY_ROWS(g, rows);
	run_exit(v, KVM_EXIT_HLT);
}

/* The log of a slot that has one: ranges, and a buffer that is not there. */
TEST(dirty_log)
{
	const struct row rows[] = {
		ROW('v', KVM_GET_DIRTY_LOG, EFAULT,
		    &(struct kvm_dirty_log){ .slot = 1, .dirty_bitmap = BAD }),
		ROW('v', KVM_CLEAR_DIRTY_LOG, EFAULT, &(struct kvm_clear_dirty_log){
		    .slot = 1, .num_pages = 64, .dirty_bitmap = BAD }),
		ROW('v', KVM_CLEAR_DIRTY_LOG, EINVAL, &(struct kvm_clear_dirty_log){
		    .slot = 1, .first_page = 512, .num_pages = 64 }),
		ROW('v', KVM_CLEAR_DIRTY_LOG, EINVAL, &(struct kvm_clear_dirty_log){
		    .slot = 1, .first_page = 64, .num_pages = 512 }),
		ROW('v', KVM_CLEAR_DIRTY_LOG, EINVAL, &(struct kvm_clear_dirty_log){
		    .slot = 1, .num_pages = 63 }),
		ROW('v', KVM_CLEAR_DIRTY_LOG, EINVAL, &(struct kvm_clear_dirty_log){
		    .slot = 1, .first_page = -64ul, .num_pages = 64 }),
		ROW('v', KVM_CLEAR_DIRTY_LOG, EINVAL, &(struct kvm_clear_dirty_log){
		    .slot = 1, .first_page = 64, .num_pages = -64 }),
	};
	struct guest *g = guest_new(0);
	void *p = mem_alloc(2 * MB, MEM_SMALL);

	ASSERT_EQ(0, guest_slot(g, 1, KVM_MEM_LOG_DIRTY_PAGES, GB, 2 * MB, p));
	TRY_ROWS(g, rows);
}

struct routes {
	uint32_t nr, flags;
	struct kvm_irq_routing_entry e[2];
};

static_assert(offsetof(struct routes, e) == sizeof(struct kvm_irq_routing), "as KVM's");

#define ROUTE(n, f, ...) \
	&(struct routes){ .nr = n, .flags = f, .e[0] = { __VA_ARGS__ } }
/* GCC sees none around those of the routes. */
#pragma GCC diagnostic ignored "-Wmissing-braces"

#define IRQFD(...) &(struct kvm_irqfd){ __VA_ARGS__ }
#define IOEVENT(...) &(struct kvm_ioeventfd){ __VA_ARGS__ }

TEST(interrupts)
{
	int event = eventfd(0, EFD_CLOEXEC), null = open("/dev/null", O_RDWR);
	const struct row rows[] = {
		ROW('v', KVM_CREATE_IRQCHIP, EEXIST, NULL),
		ROW('v', KVM_CREATE_PIT2, EEXIST, &(struct kvm_pit_config){ 0 }),
		ROW('v', KVM_CREATE_PIT, EEXIST, NULL),
		ROW('v', KVM_SET_GSI_ROUTING, EINVAL, ROUTE(5000, 0)),
		ROW('v', KVM_SET_GSI_ROUTING, EINVAL, ROUTE(-1, 0)),
		ROW('v', KVM_SET_GSI_ROUTING, EINVAL, ROUTE(1, 1, .type = KVM_IRQ_ROUTING_MSI)),
		ROW('v', KVM_SET_GSI_ROUTING, EINVAL, ROUTE(1, 0, .type = 99)),
		ROW('v', KVM_SET_GSI_ROUTING, EINVAL, ROUTE(1, 0, .gsi = 1,
		    .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip.irqchip = 7)),
		ROW('v', KVM_SET_GSI_ROUTING, EINVAL, ROUTE(1, 0, .gsi = 1,
		    .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip.irqchip = 2, .u.irqchip.pin = 99)),
		ROW('v', KVM_SET_GSI_ROUTING, EINVAL, ROUTE(1, 0, .gsi = 1,
		    .type = KVM_IRQ_ROUTING_MSI, .flags = 0x80)),
		ROW('v', KVM_SIGNAL_MSI, EINVAL, &(struct kvm_msi){ .flags = 0x80 }),
		ROW('v', KVM_GET_IRQCHIP, EINVAL, &(struct kvm_irqchip){ .chip_id = 9 }),
		ROW('v', KVM_SET_IRQCHIP, EINVAL, &(struct kvm_irqchip){ .chip_id = 9 }),
		ROW('v', KVM_REGISTER_COALESCED_MMIO, EINVAL,
		    &(struct kvm_coalesced_mmio_zone){ .size = 4, .pio = 2 }),
		ROW('v', KVM_IRQFD, EINVAL, IRQFD(.fd = event, .gsi = 9, .flags = 0x80)),
		ROW('v', KVM_IRQFD, EBADF, IRQFD(.fd = -1, .gsi = 9)),
		ROW('v', KVM_IRQFD, EINVAL, IRQFD(.fd = null, .gsi = 9)),
		ROW('v', KVM_IRQFD, EBADF, IRQFD(.fd = event, .gsi = 9, .resamplefd = -1,
						 .flags = KVM_IRQFD_FLAG_RESAMPLE)),
		ROW('v', KVM_IRQFD, EINVAL, IRQFD(.fd = event, .gsi = 9, .resamplefd = null,
						  .flags = KVM_IRQFD_FLAG_RESAMPLE)),
		ROW('v', KVM_IRQFD, EBADF, IRQFD(.fd = -1, .flags = KVM_IRQFD_FLAG_DEASSIGN)),
		ROW('v', KVM_IOEVENTFD, EINVAL, IOEVENT(.fd = event, .len = 3)),
		ROW('v', KVM_IOEVENTFD, EINVAL, IOEVENT(.fd = event, .len = 16)),
		ROW('v', KVM_IOEVENTFD, EINVAL, IOEVENT(.fd = event, .len = 4, .flags = 0x80)),
		ROW('v', KVM_IOEVENTFD, EINVAL, IOEVENT(.fd = event, .len = 4, .addr = -2ul)),
		ROW('v', KVM_IOEVENTFD, EBADF, IOEVENT(.fd = -1, .len = 4)),
		ROW('v', KVM_IOEVENTFD, EINVAL, IOEVENT(.fd = null, .len = 4)),
		ROW('v', KVM_IOEVENTFD, EINVAL,
		    IOEVENT(.fd = event, .flags = KVM_IOEVENTFD_FLAG_DATAMATCH)),
		ROW('v', KVM_IOEVENTFD, ENOENT, IOEVENT(.fd = event, .len = 4, .addr = GB,
							.flags = KVM_IOEVENTFD_FLAG_DEASSIGN)),
		ROW('v', KVM_SET_CLOCK, EINVAL, &(struct kvm_clock_data){ .flags = 0x80 }),
		ROW('v', KVM_ENABLE_CAP, EINVAL, &(struct kvm_enable_cap){ .cap = -1 }),
		ROW('c', KVM_INTERRUPT, ENXIO, &(struct kvm_interrupt){ 32 }),
		ROW('c', KVM_INTERRUPT, EINVAL, &(struct kvm_interrupt){ 256 }),
		ROW('c', KVM_INTERRUPT, EINVAL, &(struct kvm_interrupt){ -1 }),
	};
	struct guest *g = whole_vm();
	struct vcpu *v;

	v = guest_vcpu(g, guest_sync, 7);
	TRY_ROWS(g, rows);
	EXPECT_EQ(7, run_sync(v).a);
}

/* What there is none of: chips of a VM without, and a chip after its vCPUs. */
TEST(no_chips)
{
	const struct row rows[] = {
		ROW('v', KVM_CREATE_IRQCHIP, EINVAL, NULL),
		ROW('v', KVM_CREATE_PIT2, ENOENT, &(struct kvm_pit_config){ 0 }),
		ROW('v', KVM_GET_PIT2, ENXIO, &(struct kvm_pit_state2){ 0 }),
		ROW('v', KVM_SET_PIT2, ENXIO, &(struct kvm_pit_state2){ 0 }),
		ROW('v', KVM_GET_IRQCHIP, ENXIO, &(struct kvm_irqchip){ 0 }),
		ROW('v', KVM_SET_IRQCHIP, ENXIO, &(struct kvm_irqchip){ 0 }),
		ROW('v', KVM_REINJECT_CONTROL, ENXIO, &(struct kvm_reinject_control){ 0 }),
		ROW('v', KVM_IRQ_LINE, ENXIO, &(struct kvm_irq_level){ 0 }),
		ROW('v', KVM_SIGNAL_MSI, EINVAL, &(struct kvm_msi){ 0 }),
		ROW('v', KVM_SET_GSI_ROUTING, EINVAL, ROUTE(0, 0)),
		ROW('c', KVM_GET_LAPIC, EINVAL, &(struct kvm_lapic_state){ 0 }),
		ROW('c', KVM_SET_LAPIC, EINVAL, &(struct kvm_lapic_state){ 0 }),
		ROW('c', KVM_SET_VAPIC_ADDR, EINVAL, &(uint64_t){ 0 }),
	};
	struct guest *g = guest_new(0);

	guest_vcpu(g, hlt, 0);
	TRY_ROWS(g, rows);
}

/* ---- values: the vCPU ---- */

#define XCRS(n, f, i, v) &(struct kvm_xcrs){ .nr_xcrs = n, .flags = f, \
	.xcrs = { { .xcr = i, .value = v } } }
#define EVENTS(...) &(struct kvm_vcpu_events){ __VA_ARGS__ }

TEST(vcpu)
{
	const struct row rows[] = {
		ROW('c', KVM_RUN, EINVAL, NUMBER(1)),
		ROW('c', KVM_SET_MSRS, E2BIG, &(struct kvm_msrs){ .nmsrs = 256 }),
		ROW('c', KVM_GET_MSRS, E2BIG, &(struct kvm_msrs){ .nmsrs = -1 }),
		ROW('c', KVM_SET_CPUID2, E2BIG, &(struct kvm_cpuid2){ .nent = 257 }),
		ROW('c', KVM_SET_CPUID2, E2BIG, &(struct kvm_cpuid2){ .nent = -1 }),
		ROW('c', KVM_GET_CPUID2, E2BIG, &(struct kvm_cpuid2){ .nent = 1 }),
		ROW('d', KVM_GET_SUPPORTED_CPUID, E2BIG, &(struct kvm_cpuid2){ .nent = 1 }),
		ROW('d', KVM_GET_MSR_INDEX_LIST, E2BIG, &(struct kvm_msr_list){ 1 }),
		ROW('c', KVM_SET_XCRS, EINVAL, XCRS(17, 0, 0, 1)),
		ROW('c', KVM_SET_XCRS, EINVAL, XCRS(1, 1, 0, 1)),
		ROW('c', KVM_SET_XCRS, EINVAL, XCRS(1, 0, 0, 0)),
		ROW('c', KVM_SET_XCRS, EINVAL, XCRS(1, 0, 0, 5)),
		ROW('c', KVM_SET_XCRS, EINVAL, XCRS(1, 0, 0, -1ul)),
		ROW('c', KVM_SET_VCPU_EVENTS, EINVAL, EVENTS(.flags = 0x8000)),
		ROW('c', KVM_SET_VCPU_EVENTS, EINVAL,
		    EVENTS(.exception = { .injected = 1, .nr = 32 })),
		ROW('c', KVM_SET_VCPU_EVENTS, EINVAL,
		    EVENTS(.exception = { .injected = 1, .nr = 2 })),
		ROW('c', KVM_SET_VCPU_EVENTS, EINVAL, EVENTS(.flags = KVM_VCPUEVENT_VALID_PAYLOAD)),
		ROW('c', KVM_SET_DEBUGREGS, EINVAL, &(struct kvm_debugregs){ .flags = 1 }),
		ROW('c', KVM_SET_DEBUGREGS, EINVAL, &(struct kvm_debugregs){ .dr6 = -1ul }),
		ROW('c', KVM_SET_DEBUGREGS, EINVAL, &(struct kvm_debugregs){ .dr7 = -1ul }),
		ROW('c', KVM_SET_MP_STATE, EINVAL, &(struct kvm_mp_state){ 99 }),
		ROW('c', KVM_SET_MP_STATE, EINVAL, &(struct kvm_mp_state){ -1 }),
		ROW('c', KVM_SET_SIGNAL_MASK, EINVAL, &(struct kvm_signal_mask){ .len = 3 }),
		ROW('c', KVM_X86_SETUP_MCE, EINVAL, &(uint64_t){ 33 }),
		ROW('c', KVM_X86_SETUP_MCE, EINVAL, &(uint64_t){ -1ul }),
		ROW('c', KVM_X86_SET_MCE, EINVAL, &(struct kvm_x86_mce){ .bank = 99 }),
		ROW('c', KVM_X86_SET_MCE, EINVAL,
		    &(struct kvm_x86_mce){ .bank = 255, .status = 1ul << 63 }),
		ROW('c', KVM_ENABLE_CAP, EINVAL, &(struct kvm_enable_cap){ .cap = -1 }),
		ROW('c', KVM_ENABLE_CAP, EINVAL, &(struct kvm_enable_cap){ .flags = 1 }),
	};
	struct guest *g = whole_vm();
	struct vcpu *v = guest_vcpu(g, guest_sync, 8);

	TRY_ROWS(g, rows);
	EXPECT_EQ(8, run_sync(v).a);
}

/* A wrong system register: nothing of the others is taken either. */
TEST(sregs)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, guest_sync, 9);
	struct kvm_sregs good = vcpu_sregs(v), now;
	struct kvm_sregs bad[8];
	unsigned int i;

	for (i = 0; i < 8; i++)
		bad[i] = good;
	bad[0].cr4 |= 1ul << 40;
	bad[1].cr4 &= ~X86_CR4_PAE;
	bad[2].cr0 |= 1ul << 40;
	bad[3].cr0 &= ~X86_CR0_PE;
	bad[4].efer |= 1ul << 60;
	bad[5].efer &= ~EFER_LMA;
	bad[6].cr3 |= 1ul << 62;
	bad[7].apic_base = -1ul;
	for (i = 0; i < 8; i++) {
		bad[i].gdt.base = 0x123000;
		errno = 0;
		EXPECT_EQ(-1, ioctl(v->fd, KVM_SET_SREGS, &bad[i])) {
			TH_LOG("wrong register %u", i);
		}
		EXPECT_EQ(EINVAL, errno);
		now = vcpu_sregs(v);
		EXPECT_EQ(good.gdt.base, now.gdt.base);
		EXPECT_EQ(good.cr4, now.cr4);
	}
	EXPECT_EQ(9, run_sync(v).a);
}

/* Bits of an XSAVE image that no hardware takes. */
TEST(xsave)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, guest_sync, 10);
	struct kvm_xsave *good = calloc(4, sizeof(*good)), *bad = calloc(4, sizeof(*bad));
	int i;

	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_XSAVE, good));
	for (i = 0; i < 3; i++) {
		memcpy(bad, good, sizeof(*bad));
		bad->region[128] |= 3;
		if (i == 0)
			bad->region[6] = -1;			/* MXCSR */
		else if (i == 1)
			bad->region[129] = 1u << 30;		/* XSTATE_BV */
		else
			bad->region[131] = 1u << 31;		/* XCOMP_BV */
		errno = 0;
		EXPECT_EQ(-1, ioctl(v->fd, KVM_SET_XSAVE, bad)) {
			TH_LOG("wrong image %d", i);
		}
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(10, run_sync(v).a);
}

TEST(msr_filter)
{
	struct kvm_msr_filter filter = { .flags = 0x80 };
	uint8_t bits[8] = { 0 };
	struct guest *g = guest_new(0);
	int i;

	for (i = 0; i < 5; i++) {
		memset(&filter, 0, sizeof(filter));
		filter.ranges[0] = (struct kvm_msr_filter_range){
			.flags = KVM_MSR_FILTER_READ, .nmsrs = 8, .bitmap = bits };
		if (i == 0)
			filter.flags = 0x80;
		else if (i == 1)
			filter.ranges[0].flags = 0x80;
		else if (i == 2)
			filter.ranges[0].nmsrs = -1;
		else if (i == 3)
			filter.ranges[0].nmsrs = 0x600 * 8 + 8;
		else
			filter.ranges[0].bitmap = BAD;
		errno = 0;
		EXPECT_EQ(-1, ioctl(g->vm, KVM_X86_SET_MSR_FILTER, &filter)) {
			TH_LOG("wrong filter %d", i);
		}
		EXPECT_EQ(i == 4 ? EFAULT : EINVAL, errno);
	}
}

/* ---- a VM of another process ---- */

static void send_fd(int to, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1,
			    .msg_control = space, .msg_controllen = sizeof(space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(to, &m, 0) != 1)
		DIE("sendmsg: %m");
}

static int receive_fd(int from)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 }, byte;
	struct iovec data = { &byte, 1 };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1,
			    .msg_control = space, .msg_controllen = sizeof(space) };
	int fd;

	if (recvmsg(from, &m, 0) != 1 || !CMSG_FIRSTHDR(&m))
		DIE("recvmsg: %m");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

/* The maker has died: its VM answers nothing but EIO, and closes. */
TEST(dead_owner)
{
	int pair[2], status, vm, vcpu;
	unsigned int i;
	char space[4096] = { 0 };
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct guest *g = whole_vm();
		struct vcpu *v = guest_vcpu(g, hlt, 0);

		send_fd(pair[1], g->vm);
		send_fd(pair[1], v->fd);
		_exit(0);
	}
	vm = receive_fd(pair[0]);
	vcpu = receive_fd(pair[0]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	for (i = 0; i < sizeof(structs) / sizeof(structs[0]); i++) {
		if (structs[i].on == 'd')
			continue;
		errno = 0;
		EXPECT_EQ(-1, ioctl(structs[i].on == 'v' ? vm : vcpu,
				    structs[i].cmd, space));
		EXPECT_EQ(EIO, errno) {
			TH_LOG("%s", structs[i].name);
		}
	}
	EXPECT_EQ(-1, ioctl(vcpu, KVM_RUN, 0));
	EXPECT_EQ(EIO, errno);
	close(vm);
	close(vcpu);
}

/* ---- races ---- */

static int race_over;

static void touch_forever(uint64_t start)
{
	uint64_t i;

	for (i = 0; ; i++) {
		write64((void *)(start + i % 512 * PAGE), i);
		(void)read64((void *)(start + i * 7 % 512 * PAGE));
	}
}

/* MMIO where the slot was is what the guest gets meanwhile. */
static void *race_run(void *arg)
{
	struct vcpu *v = arg;

	interrupt_me(3000);
	while (!READ(race_over)) {
		int error = vcpu_enter(v);

		if (error && error != -EINTR)
			DIE("KVM_RUN: %s", strerror(-error));
		if (!error && v->run->exit_reason != KVM_EXIT_MMIO) {
			vcpu_dump(v);
			DIE("unexpected exit");
		}
	}
	return NULL;
}

static void *race_log(void *arg)
{
	struct guest *g = arg;
	uint64_t bitmap[8];

	while (!READ(race_over)) {
		struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };

		if (ioctl(g->vm, KVM_GET_DIRTY_LOG, &log) && errno != ENOENT)
			DIE("KVM_GET_DIRTY_LOG: %m");
	}
	return NULL;
}

static void *race_regs(void *arg)
{
	struct vcpu *v = arg;
	struct kvm_vcpu_events events;
	struct kvm_regs regs;
	struct kvm_sregs s;

	while (!READ(race_over))
		if (ioctl(v->fd, KVM_GET_REGS, &regs) ||
		    ioctl(v->fd, KVM_GET_SREGS, &s) ||
		    ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events))
			DIE("get: %m");
	return NULL;
}

TEST(race_slot_run_log)
{
	struct guest *g = guest_new(0);
	void *p = mem_alloc(2 * MB, MEM_SMALL);
	struct vcpu *by = bystander_start(), *v[2];
	uint64_t end = now_ns() + ROUND_MS * 1000000ull;
	pthread_t t[4];
	int i;

	for (i = 0; i < 2; i++) {
		v[i] = guest_vcpu(g, touch_forever, GUEST_TEST);
		ASSERT_EQ(0, pthread_create(&t[i], NULL, race_run, v[i]));
	}
	ASSERT_EQ(0, pthread_create(&t[2], NULL, race_log, g));
	ASSERT_EQ(0, pthread_create(&t[3], NULL, race_regs, v[0]));
	for (i = 0; now_ns() < end || i < 8; i++) {
		ASSERT_EQ(0, guest_slot(g, 1, KVM_MEM_LOG_DIRTY_PAGES,
					GUEST_TEST, 2 * MB, p));
		if (i % 3 == 0)
			usleep(1000);
		if (i % 4 == 1) {
			ASSERT_EQ(0, guest_slot(g, 1, 0, GUEST_TEST, 2 * MB, p));
		}
		ASSERT_EQ(0, guest_slot(g, 1, 0, GUEST_TEST, 0, p));
	}
	WRITE(race_over, 1);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	bystander_end(by);
}

struct closing {
	struct vcpu *v;
	int fd, running;
};

static void *closing_run(void *arg)
{
	struct closing *c = arg;

	interrupt_me(2000);
	WRITE(c->running, 1);
	/* The last close may come before or in the run; both end it. */
	while (!ioctl(c->fd, KVM_RUN, 0) || errno == EINTR)
		if (READ(race_over))
			break;
	return NULL;
}

/* Descriptors and mappings of a running vCPU go in every order. */
TEST(close_while_running)
{
	struct vcpu *by = bystander_start();
	int order;

	for (order = 0; order < 24; order++) {
		struct guest *g = guest_new(order & 1 ? GUEST_SPLIT : 0);
		struct closing c = { .v = guest_vcpu(g, touch_forever, 8 * MB) };
		int left[] = { 0, 1, 2, 3 }, n, pick, k = order;
		pthread_t thread;

		c.fd = c.v->fd;
		WRITE(race_over, 0);
		ASSERT_EQ(0, pthread_create(&thread, NULL, closing_run, &c));
		while (!READ(c.running))
			usleep(100);
		usleep(500);
		for (n = 4; n; n--) {
			pick = k % n;
			k /= n;
			if (left[pick] == 0)
				close(g->vm);
			else if (left[pick] == 1)
				close(c.fd);
			else if (left[pick] == 2)
				munmap(c.v->run, g->run_size);
			else
				munmap(g->ram, GUEST_RAM);
			left[pick] = left[n - 1];
		}
		WRITE(race_over, 1);
		pthread_join(thread, NULL);
		close(g->dev);
	}
	bystander_end(by);
}

/* Two threads in KVM_RUN of one vCPU take turns. */
TEST(two_runners)
{
	struct guest *g = guest_new(0);
	struct vcpu *v;
	pthread_t t[2];
	int i;

	guest_mem(g, GUEST_TEST, 2 * MB, MEM_SMALL);
	v = guest_vcpu(g, touch_forever, GUEST_TEST);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, race_run, v));
	msleep(100);
	WRITE(race_over, 1);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

TEST_HARNESS_MAIN
