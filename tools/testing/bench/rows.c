// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rows: memory as the host gives and takes it, exits, what a VM costs.
 */
#include "bench.h"

#define OPS		2000
#define PTES		4096	/* eight rounds of a page table */

/* ---- the guest ---- */

void g_touch_forwards(unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i++)
		write8((uint8_t *)GUEST_TEST + i * PAGE, 1);
}

static void g_touch_backwards(unsigned long n)
{
	while (n--)
		write8((uint8_t *)GUEST_TEST + n * PAGE, 1);
}

static void g_cpuid(unsigned long n)
{
	uint32_t regs[4];

	while (n--)
		cpuid_count(0, 0, regs);
}

static void g_out_user(unsigned long n)
{
	while (n--)
		outb(PORT_USER, 0);
}

static void g_out_eventfd(unsigned long n)
{
	while (n--)
		outb(PORT_EVENTFD, 0);
}

static void g_mmio_user(unsigned long n)
{
	while (n--)
		read32((void *)MMIO_GPA);
}

/* An unknown call: the cheapest answer that a hypervisor can give. */
static void g_hypercall(unsigned long n)
{
	uint64_t rax;
	uint32_t regs[4];
	bool amd;

	cpuid_count(0, 0, regs);
	amd = regs[2] == 0x444d4163;	/* "cAMD" */
	while (n--) {
		rax = 1000;
		if (amd)
			asm volatile("vmmcall" : "+a"(rax) : : "memory");
		else
			asm volatile("vmcall" : "+a"(rax) : : "memory");
	}
}

static void g_cr0_wp(unsigned long n)
{
	uint64_t cr0 = read_cr0();

	while (n--)
		write_cr0(cr0 ^= X86_CR0_WP);
}

static void g_cr4_pge(unsigned long n)
{
	uint64_t cr4 = read_cr4();

	while (n--)
		write_cr4(cr4 ^= X86_CR4_PGE);
}

static void g_empty(unsigned long n)
{
}

/* ---- the host ---- */

/* @size 0 deletes it, if it is there. */
static void set_slot(struct bench *b, uint32_t flags, size_t size)
{
	if (!size && !b->has_slot)
		return;
	b->has_slot = size;
	if (guest_slot(b->g, SLOT, flags, GUEST_TEST, size, b->mem))
		err(1, "KVM_SET_USER_MEMORY_REGION");
}

/* The guest has touched all of its test memory. */
static void touch_all(struct bench *b)
{
	run_to_sync(b->v);
	run_to_sync(b->v);
}

static void get_log(struct bench *b)
{
	static uint64_t bitmap[PAGES / 64];
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };

	if (ioctl(b->g->vm, KVM_GET_DIRTY_LOG, &log))
		err(1, "KVM_GET_DIRTY_LOG");
}

/* Nothing mapped in the guest, everything in the host. */
void fresh_slot(struct bench *b)
{
	set_slot(b, 0, 0);
	memset(b->mem, 1, SIZE);
	set_slot(b, 0, SIZE);
}

static void fresh_host(struct bench *b)
{
	set_slot(b, 0, 0);
	if (madvise(b->mem, SIZE, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
	set_slot(b, 0, SIZE);
}

/* Mapped small and logged, and the log just read. */
static void logged_clean(struct bench *b)
{
	set_slot(b, 0, 0);
	memset(b->mem, 1, SIZE);
	set_slot(b, KVM_MEM_LOG_DIRTY_PAGES, SIZE);
	touch_all(b);
	get_log(b);
}

static void logged_dirty(struct bench *b)
{
	logged_clean(b);
	touch_all(b);
}

static void mapped(struct bench *b)
{
	set_slot(b, 0, SIZE);
	memset(b->mem, 1, SIZE);
	touch_all(b);
}

static void no_slot(struct bench *b)
{
	set_slot(b, 0, 0);
}

/* What the guest's tables show is mapped already: what costs is that they change. */
static void fresh_view(struct bench *b)
{
	fresh_slot(b);
	run_to_sync(b->v);
	run_to_sync(b->v);
}

static void h_log_on(struct bench *b, unsigned long n)
{
	set_slot(b, KVM_MEM_LOG_DIRTY_PAGES, SIZE);
}

static void h_log_get(struct bench *b, unsigned long n)
{
	get_log(b);
}

static void h_dontneed_all(struct bench *b, unsigned long n)
{
	if (madvise(b->mem, SIZE, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
}

static void h_dontneed_one(struct bench *b, unsigned long n)
{
	while (n--)
		if (madvise((char *)b->mem + n * 16 * PAGE, PAGE, MADV_DONTNEED))
			err(1, "MADV_DONTNEED");
}

static void h_slot_add(struct bench *b, unsigned long n)
{
	set_slot(b, 0, SIZE);
}

static void h_slot_delete(struct bench *b, unsigned long n)
{
	set_slot(b, 0, 0);
}

static void h_vm(struct bench *b, unsigned long n)
{
	int vm;

	while (n--) {
		vm = ioctl(b->g->dev, KVM_CREATE_VM, 0);
		if (vm < 0)
			err(1, "KVM_CREATE_VM");
		close(vm);
	}
}

static void h_vm_vcpu(struct bench *b, unsigned long n)
{
	int vm, vcpu;

	while (n--) {
		vm = ioctl(b->g->dev, KVM_CREATE_VM, 0);
		vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
		if (vcpu < 0)
			err(1, "KVM_CREATE_VCPU");
		close(vcpu);
		close(vm);
	}
}

/* ---- memory for page tables ---- */

/* What the kernel accounts for page tables of guests, in bytes. */
static uint64_t secondary_tables(void)
{
	unsigned long kb = 0;
	char line[100];
	FILE *f;

	/* Tables that went are freed after a grace period. */
	msleep(500);
	/* Each CPU keeps a difference of its own for a while: have them added up. */
	f = fopen("/proc/sys/vm/stat_refresh", "r");
	if (f) {
		while (fgets(line, sizeof(line), f))
			;
		fclose(f);
	}
	f = fopen("/proc/meminfo", "r");
	if (!f)
		err(1, "/proc/meminfo");
	while (fgets(line, sizeof(line), f) && sscanf(line, "SecPageTables: %lu", &kb) != 1)
		;
	fclose(f);
	return kb * 1024;
}

static uint64_t tables_before;

/* The slot is there and nothing of it is mapped. */
static void unmapped(struct bench *b)
{
	fresh_slot(b);
	tables_before = secondary_tables();
}

static void h_map(struct bench *b, unsigned long n)
{
	touch_all(b);
}

static uint64_t table_bytes(struct bench *b)
{
	return (secondary_tables() - tables_before) * (GB / SIZE);
}

/* ---- the table ---- */

#define MEM(b)	.backing = b
#define LOG	KVM_MEM_LOG_DIRTY_PAGES

const struct row rows[] = {
	{ "touch-populated", "first touch, 4K, populated, forwards", PAGES, MEM(MEM_SMALL),
	  .prepare = fresh_slot, .guest = g_touch_forwards },
	{ "touch-backwards", "first touch, 4K, populated, backwards", PAGES, MEM(MEM_SMALL),
	  .prepare = fresh_slot, .guest = g_touch_backwards },
	{ "touch-unpopulated", "first touch, 4K, not populated", PAGES, MEM(MEM_SMALL),
	  .prepare = fresh_host, .guest = g_touch_forwards },
	{ "touch-thp", "first touch over THP, per 4K", PAGES, MEM(MEM_THP),
	  .prepare = fresh_slot, .guest = g_touch_forwards },
	{ "redirty", "re-dirty after the log was read", PAGES, MEM(MEM_SMALL),
	  .prepare = logged_clean, .guest = g_touch_forwards },
	{ "log-on-4k", "enable logging, per page of 4K mappings", PAGES, MEM(MEM_SMALL),
	  .prepare = mapped, .host = h_log_on },
	{ "log-on-2m", "enable logging, per page of 2M mappings", PAGES, MEM(MEM_THP),
	  .prepare = mapped, .host = h_log_on },
	{ "log-get-dirty", "GET_DIRTY_LOG, all dirty, per page", PAGES, MEM(MEM_SMALL),
	  .prepare = logged_dirty, .host = h_log_get },
	{ "log-get-clean", "GET_DIRTY_LOG, none dirty, per page", PAGES, MEM(MEM_SMALL),
	  .prepare = logged_clean, .host = h_log_get },
	{ "dontneed", "MADV_DONTNEED of 64 MiB, per page", PAGES, MEM(MEM_SMALL),
	  .prepare = mapped, .host = h_dontneed_all },
	{ "dontneed-one", "MADV_DONTNEED of one page", 256, MEM(MEM_SMALL),
	  .prepare = mapped, .host = h_dontneed_one },
	{ "slot-add", "add a slot", 1, MEM(MEM_SMALL), .prepare = no_slot, .host = h_slot_add },
	{ "slot-delete", "delete a slot of 16384 mapped pages", 1, MEM(MEM_SMALL),
	  .prepare = mapped, .host = h_slot_delete },
	{ "vm", "VM create and destroy", 20, .host = h_vm },
	{ "vm-vcpu", "VM and vCPU create and destroy", 20, .host = h_vm_vcpu },
	{ "tables-4k", "page-table bytes per GiB, 4K pages", 1, MEM(MEM_SMALL),
	  .prepare = unmapped, .host = h_map, .figure = table_bytes },
	{ "tables-2m", "page-table bytes per GiB, 2M pages", 1, MEM(MEM_THP),
	  .prepare = unmapped, .host = h_map, .figure = table_bytes },
	{ "out-user", "port OUT to user space and back", OPS, .guest = g_out_user },
	{ "out-eventfd", "port OUT, ioeventfd", OPS, .guest = g_out_eventfd },
	{ "mmio-user", "MMIO read to user space and back", OPS, .guest = g_mmio_user },
	{ "cpuid", "CPUID exit", OPS, .guest = g_cpuid },
	{ "hypercall", "hypercall exit", OPS, .guest = g_hypercall },
	{ "cr0-wp", "CR0.WP toggle", OPS, .guest = g_cr0_wp },
	{ "cr4-pge", "CR4.PGE toggle", OPS, .guest = g_cr4_pge },
	{ "view-forwards", "first touch, guest's 4K pages, forwards", PAGES, MEM(MEM_SMALL),
	  .setup = paging_setup, .prepare = fresh_slot, .guest = g_view_forwards },
	{ "view-backwards", "first touch, guest's 4K pages, backwards", PAGES,
	  MEM(MEM_SMALL), .setup = paging_setup, .prepare = fresh_slot,
	  .guest = g_view_backwards },
	{ "view-thp", "first touch, guest's 4K pages over THP, per 4K", PAGES, MEM(MEM_THP),
	  .setup = paging_setup, .prepare = fresh_slot, .guest = g_view_forwards },
	{ "invlpg", "INVLPG of one address", OPS, MEM(MEM_SMALL),
	  .setup = paging_setup, .prepare = fresh_slot, .guest = g_invlpg },
	{ "pte-invlpg", "PTE store and INVLPG", PTES, MEM(MEM_SMALL),
	  .setup = paging_setup, .prepare = fresh_view, .guest = g_pte_invlpg },
	{ "pte-invlpg-touch", "PTE store, INVLPG and touch", PTES, MEM(MEM_SMALL),
	  .setup = paging_setup, .prepare = fresh_view, .guest = g_pte_invlpg_touch },
	{ "pte-bulk", "512 PTE stores, CR3 write, 512 touches, each", PTES, MEM(MEM_SMALL),
	  .setup = paging_setup, .prepare = fresh_view, .guest = g_pte_bulk },
	{ "fork", "a page table built, used and let go, 512 entries", 256, MEM(MEM_SMALL),
	  .setup = paging_setup, .prepare = fresh_view, .guest = g_fork },
	{ "cr3-switch", "CR3 switch among 8 spaces and 4 touches", OPS, MEM(MEM_SMALL),
	  .setup = paging_spaces, .prepare = fresh_view, .guest = g_cr3_switch },
	{ "empty", "nothing (the measurement itself)", 1, .guest = g_empty },
	{ }
};
