// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tags of translations (VPIDs, ASIDs) come from a limited supply and are dealt again
 * after the VM that had one is gone. Many VMs come and go beside one that stays; all
 * have the same address mapped to a page of their own, as a global page, and none may
 * see another's. On an emulator that keeps no tags only the dealing is tested.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define SHARED_GVA	0x7000000000ul
#define VMS		80
#define PTE_G		(1ul << 8)

static void g_look(void)
{
	write_cr4(read_cr4() | X86_CR4_PGE);
	for (;;)
		guest_sync(read64((void *)SHARED_GVA), 0, 0);
}

static struct guest *make(uint64_t value)
{
	struct guest *g = guest_new(0);
	uint64_t gpa = guest_page(g);

	guest_map(g, SHARED_GVA, gpa, PAGE, PAGE, PTE_W | PTE_G);
	*(uint64_t *)guest_hva(g, gpa) = value;
	guest_vcpu(g, g_look, 0);
	return g;
}

static void destroy(struct guest *g)
{
	close(g->vcpu[0].fd);
	munmap(g->vcpu[0].run, g->run_size);
	close(g->vm);
	close(g->dev);
	munmap(g->ram, GUEST_RAM);
}

TEST(dealt_again)
{
	struct guest *stays, *g;
	uint64_t i;

	pin_to(0);
	stays = make(1000);
	for (i = 0; i < VMS; i++) {
		ASSERT_EQ(1000, run_sync(&stays->vcpu[0]).a);
		g = make(i);
		ASSERT_EQ(i, run_sync(&g->vcpu[0]).a);
		ASSERT_EQ(1000, run_sync(&stays->vcpu[0]).a);
		ASSERT_EQ(i, run_sync(&g->vcpu[0]).a);
		destroy(g);
	}
}

/* A vCPU that goes to and fro between CPUs gets a tag on each, and finds no old ones. */
TEST(to_and_fro)
{
	struct guest *a, *b;
	uint64_t i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU");
	a = make(1);
	b = make(2);
	for (i = 0; i < VMS; i++) {
		pin_to(i & 1);
		ASSERT_EQ(1, run_sync(&a->vcpu[0]).a);
		ASSERT_EQ(2, run_sync(&b->vcpu[0]).a);
	}
}

TEST_HARNESS_MAIN
