// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations, and copies from and to user space, that fail, one after the other:
 * each call is made again and again, on a fresh VM, with a later one of its failing,
 * until it has no more. It must say so, must have changed nothing, and must work
 * when it is made once more; a VM of which it failed must go away like any other.
 * What leaks is seen by the host's kmemleak, and by the count of file descriptors
 * here. A run takes steps of a random size; VMMU_SEED replays it, many make it whole.
 *
 * Needs fault injection in the kernel (the debug host) and superuser; elsewhere
 * each call is made once.
 */
#include <kselftest_harness.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <asm/kvm.h>

#include "guest.h"

#define DEEPEST	500	/* no call makes so many */
#define STEP	6

/* ---- one failing allocation ---- */

static bool knob(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	if (fd >= 0)
		close(fd);
	return done;
}

/* -1 where the kernel cannot do it. Also where the caller could wait for memory. */
static int fault_open(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (!knob("/sys/kernel/debug/failslab/ignore-gfp-wait", "N") ||
	    !knob("/sys/kernel/debug/failslab/verbose", "0") ||
	    !knob("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N") ||
	    !knob("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N") ||
	    !knob("/sys/kernel/debug/fail_page_alloc/min-order", "0") ||
	    !knob("/sys/kernel/debug/fail_page_alloc/verbose", "0"))
		DIE("fault injection: %m");
	/* Not in every such kernel. */
	knob("/sys/kernel/debug/fail_usercopy/verbose", "0");
	return fd;
}

/* The calling thread's allocation or copy number @n from here on fails; 0: none. */
static void fault_arm(int fd, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	/* The first time it may be this that fails. */
	if (fd >= 0 && pwrite(fd, text, len, 0) != len && pwrite(fd, text, len, 0) != len)
		DIE("fail-nth: %m");
}

/* Did it? If reading that is what fails, it did not. */
static bool fault_hit(int fd)
{
	char text[16] = "";
	bool hit;

	if (fd < 0)
		return false;
	hit = pread(fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;
	fault_arm(fd, 0);
	return hit;
}

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* ---- calls ---- */

struct victim {
	struct guest *g;
	struct vcpu *v;
	int event[2];
	uint8_t *memory;
	int made;		/* a file descriptor that the call has made */
};

struct call {
	const char *name;
	unsigned int flags;	/* guest_new() */
	bool vcpu;		/* has one, that is to run guest_work() */
	void (*before)(struct victim *m);
	int (*fn)(struct victim *m);	/* 0 or -errno */
	void (*check)(struct victim *m);	/* after it has worked */
};

#define SLOT_SIZE	(4 * MB)

static int number(int r)
{
	return r < 0 ? -errno : 0;
}

static int made(struct victim *m, int fd)
{
	if (fd < 0)
		return -errno;
	m->made = fd;
	return 0;
}

static int create_vm(struct victim *m)
{
	return made(m, ioctl(m->g->dev, KVM_CREATE_VM, 0));
}

static int create_vcpu(struct victim *m)
{
	return made(m, ioctl(m->g->vm, KVM_CREATE_VCPU, 7));
}

static int create_irqchip(struct victim *m)
{
	return number(ioctl(m->g->vm, KVM_CREATE_IRQCHIP));
}

static int split_irqchip(struct victim *m)
{
	return guest_enable_cap(m->g, KVM_CAP_SPLIT_IRQCHIP, 24);
}

static int create_pit(struct victim *m)
{
	struct kvm_pit_config pit = { 0 };

	return number(ioctl(m->g->vm, KVM_CREATE_PIT2, &pit));
}

static int set_slot(struct victim *m, uint32_t flags, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = 5, .flags = flags, .guest_phys_addr = GUEST_TEST,
		.memory_size = size, .userspace_addr = (uint64_t)m->memory,
	};

	return number(ioctl(m->g->vm, KVM_SET_USER_MEMORY_REGION, &region));
}

static int add_slot(struct victim *m)
{
	return set_slot(m, 0, SLOT_SIZE);
}

static int add_logged_slot(struct victim *m)
{
	return set_slot(m, KVM_MEM_LOG_DIRTY_PAGES, SLOT_SIZE);
}

static void with_slot(struct victim *m)
{
	if (add_slot(m))
		DIE("KVM_SET_USER_MEMORY_REGION: %m");
}

static int delete_slot(struct victim *m)
{
	return set_slot(m, 0, 0);
}

static void with_logged_slot(struct victim *m)
{
	if (add_logged_slot(m))
		DIE("KVM_SET_USER_MEMORY_REGION: %m");
}

static int get_log(struct victim *m)
{
	static uint64_t bitmap[SLOT_SIZE / PAGE / 64];
	struct kvm_dirty_log log = { .slot = 5, .dirty_bitmap = bitmap };

	return number(ioctl(m->g->vm, KVM_GET_DIRTY_LOG, &log));
}

static int set_routing(struct victim *m)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[40];
	} r = { .head.nr = 40 };
	int i;

	for (i = 0; i < 40; i++) {
		r.entries[i].gsi = i;
		r.entries[i].type = KVM_IRQ_ROUTING_MSI;
		r.entries[i].u.msi.address_lo = 0xfee00000;
		r.entries[i].u.msi.data = 0x30 + i;
	}
	return number(ioctl(m->g->vm, KVM_SET_GSI_ROUTING, &r));
}

static int irqfd(struct victim *m)
{
	struct kvm_irqfd i = { .fd = m->event[0], .gsi = 5 };

	return number(ioctl(m->g->vm, KVM_IRQFD, &i));
}

static int irqfd_resample(struct victim *m)
{
	struct kvm_irqfd i = { .fd = m->event[0], .gsi = 5, .resamplefd = m->event[1],
			       .flags = KVM_IRQFD_FLAG_RESAMPLE };

	return number(ioctl(m->g->vm, KVM_IRQFD, &i));
}

static int ioeventfd(struct victim *m)
{
	struct kvm_ioeventfd i = { .fd = m->event[0], .addr = 0x510, .len = 2,
				   .flags = KVM_IOEVENTFD_FLAG_PIO };

	return number(ioctl(m->g->vm, KVM_IOEVENTFD, &i));
}

static int coalesce(struct victim *m)
{
	struct kvm_coalesced_mmio_zone z = { .addr = 0xd0000000, .size = PAGE };

	return number(ioctl(m->g->vm, KVM_REGISTER_COALESCED_MMIO, &z));
}

static int msr_filter(struct victim *m)
{
	static uint8_t bits[32];
	struct kvm_msr_filter f = {
		.ranges[0] = { .flags = KVM_MSR_FILTER_READ, .base = 0x10, .nmsrs = 256,
			       .bitmap = bits },
		.ranges[1] = { .flags = KVM_MSR_FILTER_WRITE, .base = 0xc0000080,
			       .nmsrs = 256, .bitmap = bits },
	};

	return number(ioctl(m->g->vm, KVM_X86_SET_MSR_FILTER, &f));
}

static int set_cpuid(struct victim *m)
{
	return number(ioctl(m->v->fd, KVM_SET_CPUID2, m->g->cpuid));
}

static int get_msrs(struct victim *m)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} msrs = { .head.nmsrs = 2, .entries = { { .index = MSR_EFER },
						 { .index = MSR_TSC } } };

	return number(ioctl(m->v->fd, KVM_GET_MSRS, &msrs));
}

static int set_lapic(struct victim *m)
{
	struct kvm_lapic_state s;
	int r = number(ioctl(m->v->fd, KVM_GET_LAPIC, &s));

	return r ?: number(ioctl(m->v->fd, KVM_SET_LAPIC, &s));
}

static int set_sregs(struct victim *m)
{
	struct kvm_sregs s;
	int r = number(ioctl(m->v->fd, KVM_GET_SREGS, &s));

	/* x2APIC from now on: the map of all LAPICs is made anew. */
	s.apic_base |= 1ul << 10;
	return r ?: number(ioctl(m->v->fd, KVM_SET_SREGS, &s));
}

static int set_xsave(struct victim *m)
{
	struct kvm_xsave s;
	int r = number(ioctl(m->v->fd, KVM_GET_XSAVE, &s));

	return r ?: number(ioctl(m->v->fd, KVM_SET_XSAVE, &s));
}

static int get_irqchip(struct victim *m)
{
	struct kvm_irqchip c = { .chip_id = KVM_IRQCHIP_IOAPIC };
	int r = number(ioctl(m->g->vm, KVM_GET_IRQCHIP, &c));

	return r ?: number(ioctl(m->g->vm, KVM_SET_IRQCHIP, &c));
}

/* Has memory mapped. */
static void guest_work(uint64_t arg)
{
	uint64_t p;

	for (p = GUEST_TEST; p < GUEST_TEST + SLOT_SIZE; p += 16 * PAGE)
		write64((void *)p, p);
	guest_sync(read64((void *)(GUEST_TEST + 48 * PAGE)), 0, 0);
}

/* To the end of guest_work(); after an error the same turn goes on. */
static int run(struct victim *m)
{
	int r = vcpu_enter(m->v);

	if (r)
		return r;
	if (m->v->run->exit_reason != KVM_EXIT_IO || m->v->run->io.port != UCALL_SYNC)
		DIE("exit %u of the guest", m->v->run->exit_reason);
	return 0;
}

static void check_run(struct victim *m)
{
	if (vcpu_regs(m->v).rdi != GUEST_TEST + 48 * PAGE)
		DIE("the guest read %#llx", vcpu_regs(m->v).rdi);
}

static const struct call calls[] = {
	{ "CREATE_VM", GUEST_BARE, .fn = create_vm },
	{ "CREATE_VCPU", GUEST_BARE, .fn = create_vcpu },
	{ "CREATE_VCPU with LAPIC", GUEST_SPLIT, .fn = create_vcpu },
	{ "CREATE_IRQCHIP", GUEST_BARE, .fn = create_irqchip },
	{ "SPLIT_IRQCHIP", GUEST_BARE, .fn = split_irqchip },
	{ "CREATE_PIT2", GUEST_IRQCHIP, .fn = create_pit },
	{ "add a slot", GUEST_BARE, .fn = add_slot },
	{ "add a logged slot", GUEST_BARE, .fn = add_logged_slot },
	{ "begin a log", GUEST_BARE, .before = with_slot, .fn = add_logged_slot },
	{ "GET_DIRTY_LOG", GUEST_BARE, .before = with_logged_slot, .fn = get_log },
	{ "delete a slot", GUEST_BARE, .before = with_logged_slot, .fn = delete_slot },
	{ "SET_GSI_ROUTING", GUEST_SPLIT, .fn = set_routing },
	{ "IRQFD", GUEST_IRQCHIP, .fn = irqfd },
	{ "IRQFD with resampling", GUEST_IRQCHIP, .fn = irqfd_resample },
	{ "IOEVENTFD", GUEST_BARE, .fn = ioeventfd },
	{ "REGISTER_COALESCED_MMIO", GUEST_BARE, .fn = coalesce },
	{ "X86_SET_MSR_FILTER", GUEST_BARE, .fn = msr_filter },
	{ "GET and SET_IRQCHIP", GUEST_IRQCHIP, .fn = get_irqchip },
	{ "SET_CPUID2", 0, true, .fn = set_cpuid },
	{ "GET_MSRS", 0, true, .fn = get_msrs },
	{ "GET and SET_LAPIC", GUEST_SPLIT, true, .fn = set_lapic },
	{ "SET_SREGS", GUEST_SPLIT, true, .fn = set_sregs },
	{ "GET and SET_XSAVE", 0, true, .fn = set_xsave },
	{ "RUN", 0, true, .before = with_slot, .fn = run, .check = check_run },
	{ "RUN with a log", 0, true, .before = with_logged_slot, .fn = run,
	  .check = check_run },
};

/* ---- all of them ---- */

static void victim_new(struct victim *m, const struct call *c)
{
	int i;

	memset(m, 0, sizeof(*m));
	m->made = -1;
	m->g = guest_new(c->flags);
	m->memory = mem_alloc(SLOT_SIZE, MEM_THP);
	if (c->vcpu)
		m->v = guest_vcpu(m->g, guest_work, 0);
	for (i = 0; i < 2; i++)
		m->event[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->before)
		c->before(m);
}

static void victim_end(struct victim *m)
{
	struct guest *g = m->g;

	if (m->made >= 0)
		close(m->made);
	if (m->v) {
		munmap(m->v->run, g->run_size);
		close(m->v->fd);
	}
	close(g->vm);
	close(g->dev);
	close(m->event[0]);
	close(m->event[1]);
	munmap(m->memory, SLOT_SIZE);
	if (g->ram)
		munmap(g->ram, GUEST_RAM);
	free(g->cpuid);
	free(g);
}

/* The number of the one that the call did not come to any more. */
static unsigned int try_call(int fault, const struct call *c, uint64_t *random)
{
	unsigned int n, tries = 0, errors = 0;
	struct victim m;
	bool hit;
	int r;

	for (n = 1 + rng(random) % STEP; n < DEEPEST; n += 1 + rng(random) % STEP) {
		victim_new(&m, c);
		fault_arm(fault, n);
		r = c->fn(&m);
		hit = fault_hit(fault);
		if (r && !hit)
			DIE("%s: %s, and nothing had failed", c->name, strerror(-r));
		/* A page of the process that is not to be had is no memory of the guest's. */
		if (r && r != -ENOMEM && r != -EFAULT)
			DIE("%s with number %u failing: %s", c->name, n, strerror(-r));
		errors += !!r;
		if (r)
			r = c->fn(&m);
		if (r)
			DIE("%s after number %u had failed: %s", c->name, n, strerror(-r));
		if (c->check)
			c->check(&m);
		victim_end(&m);
		if (!hit)
			break;
		tries++;
	}
	printf("# %s: %u of %u or so made to fail, %u errors\n", c->name, tries, n - 1, errors);
	return n;
}

TEST(each_call)
{
	int fault = fault_open();
	uint64_t random = seed();
	unsigned int i, files;

	if (fault < 0)
		printf("# no fault injection in this kernel\n");
	files = open_files();
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		fflush(stdout);
		ASSERT_GT(DEEPEST, try_call(fault, &calls[i], &random));
		ASSERT_EQ(files, open_files());
	}
}

TEST_HARNESS_MAIN
