// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs and their memory. The device is that of the environment variable
 * VMMU_DEVICE, /dev/vmmu without it, so that one binary tests vmmu and shows,
 * on /dev/kvm, that the test itself is right.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "guest.h"

void guest_die(const char *file, int line, const char *fmt, ...)
{
	va_list args;
	char text[512];

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "# %s:%d: %s\n", file, line, text);
	fflush(NULL);
	_exit(1);
}

const char *device_path(void)
{
	const char *path = getenv("VMMU_DEVICE");

	return path && *path ? path : "/dev/vmmu";
}

int device_open(void)
{
	int fd = open(device_path(), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		DIE("cannot open %s: %m (set VMMU_DEVICE to another device)",
		    device_path());
	return fd;
}

/* The seed of this run: VMMU_SEED, or a new one; printed, never 0. */
uint64_t seed(void)
{
	const char *text = getenv("VMMU_SEED");
	uint64_t value = text ? strtoull(text, NULL, 0) : now_ns();

	if (!value)
		value = 1;
	printf("# VMMU_SEED=%llu\n", (unsigned long long)value);
	return value;
}

/* Is this machine itself interpreted by QEMU? */
bool on_tcg(void)
{
	uint32_t r[4];

	cpuid_count(0x40000000, 0, r);
	return r[1] == 0x54474354 && r[2] == 0x43544743;	/* TCGTCGTCGTCG */
}

/* Or by Bochs, by the name of its BIOS? */
bool on_bochs(void)
{
	char vendor[32] = "";
	int fd = open("/sys/class/dmi/id/bios_vendor", O_RDONLY);

	if (fd < 0)
		return false;
	if (read(fd, vendor, sizeof(vendor) - 1) < 0)
		vendor[0] = 0;
	close(fd);
	return strstr(vendor, "Bochs");
}

/* Is the device in-tree KVM with shadow paging? */
bool on_kvm_shadow(void)
{
	static const char * const parameter[] = {
		"/sys/module/kvm_amd/parameters/npt",
		"/sys/module/kvm_intel/parameters/ept",
	};
	char value = 0;
	int i, fd;

	if (strcmp(device_path(), "/dev/kvm"))
		return false;
	for (i = 0; i < 2; i++) {
		fd = open(parameter[i], O_RDONLY);
		if (fd < 0)
			continue;
		if (read(fd, &value, 1) != 1)
			value = 0;
		close(fd);
	}
	return value == 'N';
}

/*
 * A bit of CR0 for every guest that moves to or from control registers.
 *
 * QEMU 10 and 11 ask the CR0 intercept whether any of these instructions
 * leaves the guest. In-tree KVM with npt=0 drops that intercept when the
 * guest's CR0 is the processor's, so that it never sees CR3 or CR4; with CD it
 * always keeps the intercept.
 */
uint64_t cr0_always(void)
{
	return on_tcg() && on_kvm_shadow() ? X86_CR0_CD : 0;
}

int guest_cap(struct guest *g, int cap)
{
	int value = ioctl(g->vm, KVM_CHECK_EXTENSION, cap);

	if (value < 0)
		DIE("KVM_CHECK_EXTENSION %d: %m", cap);
	return value;
}

int guest_enable_cap(struct guest *g, uint32_t cap, uint64_t arg0)
{
	struct kvm_enable_cap ec = { .cap = cap, .args = { arg0 } };

	return ioctl(g->vm, KVM_ENABLE_CAP, &ec) ? -errno : 0;
}

/* Address space of @size, aligned to 2M; @fd backs it unless it is -1. */
static void *map_aligned(size_t size, int flags, int fd)
{
	uint8_t *p = mmap(NULL, size + 2 * MB, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		DIE("mmap of %zu bytes: %m", size);
	p = (uint8_t *)(((uint64_t)p + 2 * MB - 1) & ~(2 * MB - 1));
	return mmap(p, size, PROT_READ | PROT_WRITE, MAP_FIXED | flags, fd, 0);
}

/* Ask the kernel for more huge pages of 2M; it may not find any. */
static void grow_hugetlb(size_t size)
{
	FILE *f = fopen("/proc/sys/vm/nr_hugepages", "r+");
	unsigned long n;

	if (!f)
		return;
	if (fscanf(f, "%lu", &n) == 1) {
		rewind(f);
		fprintf(f, "%lu\n", n + size / (2 * MB));
	}
	fclose(f);
}

static void *map_hugetlb(size_t size)
{
	return map_aligned(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
			   21 << MAP_HUGE_SHIFT, -1);
}

/**
 * mem_alloc() - memory for a guest, aligned to 2M, zeroed, not populated
 *
 * Return: the address; NULL only for MEM_HUGETLB when there are no huge pages.
 */
void *mem_alloc(size_t size, enum backing backing)
{
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	void *p;
	int fd;

	switch (backing) {
	case MEM_HUGETLB:
		p = map_hugetlb(size);
		if (p == MAP_FAILED) {
			grow_hugetlb(size);
			p = map_hugetlb(size);
		}
		return p == MAP_FAILED ? NULL : p;
	case MEM_MEMFD:
		fd = memfd_create("guest", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, size))
			DIE("memfd of %zu bytes: %m", size);
		p = map_aligned(size, MAP_SHARED, fd);
		break;
	default:
		p = map_aligned(size, anon, -1);
		/* Kernels without THP refuse this, and have 4K pages only. */
		if (p != MAP_FAILED)
			madvise(p, size, backing == MEM_THP ? MADV_HUGEPAGE :
				MADV_NOHUGEPAGE);
	}
	if (p == MAP_FAILED)
		DIE("mmap of %zu bytes: %m", size);
	return p;
}

/* KVM_SET_USER_MEMORY_REGION; returns 0 or -errno. */
int guest_slot(struct guest *g, uint32_t slot, uint32_t flags, uint64_t gpa,
	       uint64_t size, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uint64_t)hva,
	};

	return ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

/**
 * guest_mem() - give the guest more memory, in a slot of its own
 *
 * Return: its address here; NULL only for MEM_HUGETLB as mem_alloc().
 */
void *guest_mem(struct guest *g, uint64_t gpa, size_t size, enum backing b)
{
	void *p = mem_alloc(size, b);
	int error;

	if (!p)
		return NULL;
	error = guest_slot(g, g->next_slot++, 0, gpa, size, p);
	if (error)
		DIE("slot of %zu bytes at %#lx: %s", size, (long)gpa,
		    strerror(-error));
	return p;
}

/* Where slot 0 has @gpa. */
void *guest_hva(struct guest *g, uint64_t gpa)
{
	if (gpa >= GUEST_RAM)
		DIE("gpa %#lx is not in slot 0", (long)gpa);
	return g->ram + gpa;
}

/* A zeroed page of slot 0, by guest-physical address. */
uint64_t guest_page(struct guest *g)
{
	uint64_t gpa = g->heap;

	if (gpa >= GUEST_HEAP_END)
		DIE("the guest's heap is full");
	g->heap += PAGE;
	return gpa;
}

static struct kvm_cpuid2 *supported_cpuid(int dev)
{
	const int n = 256;
	struct kvm_cpuid2 *cpuid;
	uint32_t i;

	cpuid = calloc(1, sizeof(*cpuid) + n * sizeof(cpuid->entries[0]));
	if (!cpuid)
		DIE("no memory");
	cpuid->nent = n;
	if (ioctl(dev, KVM_GET_SUPPORTED_CPUID, cpuid))
		DIE("KVM_GET_SUPPORTED_CPUID: %m");
	/* This mode of the APIC timer is announced by a capability instead. */
	if (ioctl(dev, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		for (i = 0; i < cpuid->nent; i++)
			if (cpuid->entries[i].function == 1)
				cpuid->entries[i].ecx |= 1u << 24;
	return cpuid;
}

/**
 * guest_new() - a VM
 * @flags: GUEST_*
 *
 * Without GUEST_BARE it has GUEST_RAM of memory at 0, holding this program and
 * page tables, see mode.c.
 */
struct guest *guest_new(unsigned int flags)
{
	struct guest *g = calloc(1, sizeof(*g));
	int error, size;

	if (!g)
		DIE("no memory");
	g->dev = device_open();
	g->vm = ioctl(g->dev, KVM_CREATE_VM, 0);
	if (g->vm < 0)
		DIE("KVM_CREATE_VM: %m");
	size = ioctl(g->dev, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		DIE("KVM_GET_VCPU_MMAP_SIZE: %d", size);
	g->run_size = size;
	if (flags & GUEST_BARE)
		return g;

	if (guest_cap(g, KVM_CAP_SET_TSS_ADDR) &&
	    ioctl(g->vm, KVM_SET_TSS_ADDR, 0xfffbd000))
		DIE("KVM_SET_TSS_ADDR: %m");
	if (flags & GUEST_SPLIT) {
		error = guest_enable_cap(g, KVM_CAP_SPLIT_IRQCHIP, 24);
		if (error)
			DIE("KVM_CAP_SPLIT_IRQCHIP: %s", strerror(-error));
	}
	if ((flags & GUEST_IRQCHIP) && ioctl(g->vm, KVM_CREATE_IRQCHIP))
		DIE("KVM_CREATE_IRQCHIP: %m");
	g->ram = guest_mem(g, 0, GUEST_RAM, MEM_SMALL);
	g->heap = GUEST_HEAP;
	g->cpuid = supported_cpuid(g->dev);
	guest_load_image(g);
	guest_tables(g);
	return g;
}
