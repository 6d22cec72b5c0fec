// SPDX-License-Identifier: GPL-2.0-only
/*
 * The paging storm: vCPUs that change their page tables and switch between them
 * at random, go to other modes and back, each checking every value, while the host
 * takes pages away, gives them back, write-protects them, logs writes, and changes
 * memslots.
 *
 *	VMMU_SEED=N	the same decisions again
 *	VMMU_ROUNDS=N	steps of each vCPU, instead of some seconds
 */
#include <kselftest_harness.h>
#include <sys/wait.h>

#include "paging_storm.h"

#define SECONDS		2
#define DUMMY		(GPT_ARENA + 512 * MB)	/* a slot that comes and goes */

static struct guest *g;
static uint8_t *arena;
static uint32_t arena_slot, dummy_slot;
static void *dummy;
static volatile bool events_on;
static unsigned long efaults, events;

static uint8_t *hva(uint64_t gpa)
{
	return arena + (gpa - GPT_ARENA);
}

/* ---- vCPUs ---- */

/* Memory that the host has taken away for a moment is tried again. */
static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	struct kvm_regs r;
	int error;

	do {
		error = vcpu_enter(v);
		if (error == -EFAULT && events_on)
			__atomic_add_fetch(&efaults, 1, __ATOMIC_RELAXED);
	} while (error == -EINTR || error == -EAGAIN || (error == -EFAULT && events_on));
	if (error)
		DIE("KVM_RUN of vCPU %d: %s", v->id, strerror(-error));
	r = vcpu_regs(v);
	if (v->run->exit_reason != KVM_EXIT_IO || v->run->io.port != UCALL_DONE) {
		vcpu_dump(v);
		if (v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == UCALL_FAIL)
			DIE("vCPU %d failed at line %lld: %s: %#llx, %#llx", v->id,
			    r.rdi, (const char *)r.rsi, r.rbx, r.rcx);
		DIE("vCPU %d is not done", v->id);
	}
	return NULL;
}

/* ---- what the host does meanwhile ---- */

static void set_log(bool on)
{
	if (guest_slot(g, arena_slot, on ? KVM_MEM_LOG_DIRTY_PAGES : 0, GPT_ARENA,
		       STORM_SIZE, arena))
		DIE("the arena's slot: %m");
}

static void read_log(void)
{
	static uint64_t map[STORM_SIZE / PAGE / 64];
	struct kvm_dirty_log log = { .slot = arena_slot, .dirty_bitmap = map };

	/* The log may be off now. */
	ioctl(g->vm, KVM_GET_DIRTY_LOG, &log);
}

/* Frames that are never tables: what KVM must write by itself has to be there. */
static uint8_t *random_data(uint64_t *s, size_t *size)
{
	uint64_t i = rng(s);

	*size = PAGE;
	if (i & 1)
		return hva(SHARED_FRAMES + (i >> 8) % 32 * PAGE);
	return hva(BIG((i >> 4) % STORM_VCPUS) + (i >> 8) % 16 * PAGE);
}

static void away_and_back(uint64_t *s)
{
	size_t size;
	uint8_t *p = random_data(s, &size);
	uint8_t *elsewhere = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (elsewhere == MAP_FAILED ||
	    mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == MAP_FAILED ||
	    mremap(elsewhere, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, p) == MAP_FAILED)
		DIE("mremap: %m");
}

static void protect(uint64_t *s)
{
	size_t size;
	uint8_t *p = random_data(s, &size);

	if (mprotect(p, size, rng(s) & 1 ? PROT_READ : PROT_NONE))
		DIE("mprotect: %m");
	usleep(rng(s) % 200);
	if (mprotect(p, size, PROT_READ | PROT_WRITE))
		DIE("mprotect: %m");
}

/* Everything is copy-on-write for a moment. */
static void fork_once(void)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void change_slots(uint64_t *s)
{
	static uint64_t at;

	if (at && guest_slot(g, dummy_slot, 0, 0, 0, NULL))
		DIE("deleting a slot: %m");
	at = rng(s) & 1 ? DUMMY + (rng(s) % 16) * 16 * PAGE : 0;
	if (!at)
		return;
	if (guest_slot(g, dummy_slot, 0, at, 16 * PAGE, dummy))
		DIE("adding a slot: %m");
	at += 16 * 16 * PAGE;
	if (guest_slot(g, dummy_slot, 0, at, 16 * PAGE, dummy))
		DIE("moving a slot: %m");
}

static void event(uint64_t *s)
{
	uint64_t spare = rng(s) % SPARE_PAGES;

	events++;
	switch (rng(s) % 16) {
	case 0 ... 4:
		madvise(hva(SPARE) + spare * PAGE, (SPARE_PAGES - spare) * PAGE,
			MADV_DONTNEED);
		break;
	case 5 ... 6:
		away_and_back(s);
		break;
	case 7 ... 8:
		protect(s);
		break;
	case 9:
		set_log(true);
		break;
	case 10:
		set_log(false);
		break;
	case 11 ... 12:
		read_log();
		break;
	case 13:
		fork_once();
		break;
	case 14:
		madvise(arena, STORM_SIZE, MADV_COLD);
		break;
	default:
		change_slots(s);
	}
}

/* ---- tests ---- */

static uint64_t limit(void)
{
	const char *text = getenv("VMMU_ROUNDS");

	return text ? strtoull(text, NULL, 0) : 0;
}

static bool all_done(unsigned int cpus)
{
	unsigned int i;

	for (i = 0; i < cpus; i++)
		if (!READ(guest_var(g, storm).done[i]))
			return false;
	return true;
}

/* A busy host may not have let each of them run, and be in another mode, yet. */
static bool all_began(unsigned int cpus)
{
	unsigned int i;

	for (i = 0; i < cpus; i++)
		if (!READ(guest_var(g, storm).trips[i]))
			return false;
	return true;
}

static void storm_on(struct __test_metadata *_metadata, unsigned int cpus,
		     enum backing backing, bool with_events)
{
	uint64_t rounds = limit(), s = seed(), end = now_ns() + SECONDS * 1000000000ull;
	struct storm *in;
	unsigned int i;

	g = guest_new(0);
	arena = mem_alloc(STORM_SIZE, backing);
	arena_slot = g->next_slot++;
	dummy_slot = g->next_slot++;
	dummy = mem_alloc(2 * MB, MEM_SMALL);
	set_log(false);
	in = &guest_var(g, storm);
	in->seed = s;
	in->rounds = rounds ? rounds : ~0ull;
	in->nr_cpus = cpus;
	events_on = with_events;
	for (i = 0; i < cpus; i++)
		guest_vcpu(g, g_storm, i);
	for (i = 0; i < cpus; i++)
		ASSERT_EQ(0, pthread_create(&g->vcpu[i].thread, NULL, vcpu_thread,
					    &g->vcpu[i]));
	while (!all_done(cpus)) {
		if (!rounds && now_ns() > end && all_began(cpus))
			WRITE(in->stop, 1);
		if (with_events)
			event(&s);
		usleep(2000);
	}
	for (i = 0; i < cpus; i++) {
		vcpu_join(&g->vcpu[i]);
		printf("# vCPU %u: %lu steps, %lu trips, %lu accesses, %lu faults, %lu spurious\n",
		       i, (long)in->done[i] - 1, (long)in->trips[i], (long)in->accesses[i],
		       (long)in->faults[i], (long)in->spurious[i]);
		ASSERT_NE(0, in->accesses[i]);
	}
	if (with_events)
		printf("# %lu host events, %lu times no memory\n", events, efaults);
}

TEST(one_vcpu)
{
	storm_on(_metadata, 1, MEM_SMALL, false);
}

TEST(two_vcpus)
{
	storm_on(_metadata, 2, MEM_SMALL, false);
}

TEST(two_vcpus_and_the_host)
{
	storm_on(_metadata, 2, MEM_SMALL, true);
}

TEST(four_vcpus_and_the_host_over_huge_pages)
{
	storm_on(_metadata, 4, MEM_THP, true);
}

TEST_HARNESS_MAIN
