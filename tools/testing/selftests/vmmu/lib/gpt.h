/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables that a guest in 4-level mode builds and changes itself, in an
 * arena of its own, with the whole 4 GiB of the library's identity mapping in
 * each address space. For guest code; host code gives the arena.
 *
 * Nothing here flushes: that is what the tests are about.
 */
#ifndef VMMU_SELFTEST_GPT_H
#define VMMU_SELFTEST_GPT_H

#include "guest.h"

#define GPT_ARENA	GUEST_TEST
#define GPT_SIZE	(32 * MB)
#define GPT_GVA		(5ul << 39)	/* where tests map */
#define GPT_INDEX	5

#define PTE_G		(1ul << 8)
#define PTE_AVL		(7ul << 9)
#define PTE_ADDR	0x000ffffffffff000ul
#define GPT_RW		(PTE_P | PTE_W | PTE_U)

#define CR4_PCIDE	(1ul << 17)
#define CR4_SMEP	X86_CR4_SMEP

static uint64_t gpt_next;

/* Host: the arena, in a slot of @flags; its address here. */
static inline uint8_t *gpt_arena(struct guest *g, enum backing b,
				 uint32_t flags, uint32_t *slot)
{
	uint8_t *p = mem_alloc(GPT_SIZE, b);

	*slot = g->next_slot++;
	if (guest_slot(g, *slot, flags, GPT_ARENA, GPT_SIZE, p))
		DIE("the arena: %m");
	return p;
}

/* A zeroed page: its guest-physical and identity address. */
static inline uint64_t gpt_page(void)
{
	uint64_t gpa = GPT_ARENA + gpt_next, *p = (uint64_t *)gpa;
	int i;

	gpt_next += PAGE;
	G_ASSERT(gpt_next <= GPT_SIZE);
	for (i = 0; i < 512; i++)
		p[i] = 0;
	return gpa;
}

/* @n pages, aligned to @align; not zeroed. */
static inline uint64_t gpt_pages(uint64_t n, uint64_t align)
{
	uint64_t gpa;

	gpt_next = (gpt_next + align - 1) & ~(align - 1);
	gpa = GPT_ARENA + gpt_next;
	gpt_next += n * PAGE;
	G_ASSERT(gpt_next <= GPT_SIZE);
	return gpa;
}

/* A page whose first word tells which it is. */
static inline uint64_t gpt_data(uint64_t word)
{
	uint64_t gpa = gpt_page();

	*(volatile uint64_t *)gpa = word;
	return gpa;
}

/* An address space with the identity mapping and nothing else. */
static inline uint64_t gpt_root(void)
{
	uint64_t root = gpt_page();

	*(volatile uint64_t *)root = *(volatile uint64_t *)(read_cr3() & PTE_ADDR);
	return root;
}

static inline volatile uint64_t *gpt_at(uint64_t table, uint64_t gva, int level)
{
	return (volatile uint64_t *)table + (gva >> (12 + 9 * (level - 1)) & 511);
}

/* The entry of @level for @gva; makes tables. */
static inline volatile uint64_t *gpt_entry(uint64_t root, uint64_t gva, int level)
{
	volatile uint64_t *e;
	int l;

	for (l = 4; l > level; l--) {
		e = gpt_at(root, gva, l);
		if (!(*e & PTE_P))
			*e = gpt_page() | GPT_RW;
		root = *e & PTE_ADDR;
	}
	return gpt_at(root, gva, level);
}

static inline void gpt_map(uint64_t root, uint64_t gva, uint64_t gpa, uint64_t bits)
{
	*gpt_entry(root, gva, 1) = gpa | bits;
}

static inline void flush_page(uint64_t gva)
{
	asm volatile("invlpg (%0)" : : "r"(gva) : "memory");
}

static inline void reload_cr3(void)
{
	write_cr3(read_cr3());
}

/* Read or write one word; the vector as of guest_try(). */
static inline uint64_t peek(uint64_t gva, uint64_t *value)
{
	uint64_t v = 0, vector;

	vector = guest_try("mov (%1), %0", G_OPERANDS("+&r"(v)), G_OPERANDS("r"(gva)));
	*value = v;
	return vector;
}

static inline uint64_t poke(uint64_t gva, uint64_t value)
{
	return guest_try("mov %0, (%1)", G_OPERANDS(),
			 G_OPERANDS("r"(value), "r"(gva)));
}

/* A read and a write that must work. */
static inline uint64_t load(uint64_t gva)
{
	return *(volatile uint64_t *)gva;
}

static inline void store(uint64_t gva, uint64_t value)
{
	*(volatile uint64_t *)gva = value;
}

static inline void lock_set(volatile uint64_t *p, uint64_t bits)
{
	asm volatile("lock orq %1, %0" : "+m"(*p) : "r"(bits) : "memory", "cc");
}

static inline void lock_clear(volatile uint64_t *p, uint64_t bits)
{
	asm volatile("lock andq %1, %0" : "+m"(*p) : "r"(~bits) : "memory", "cc");
}

/* Steps of two vCPUs that take turns: wait until *@p is @value. */
static inline void await(volatile uint64_t *p, uint64_t value)
{
	while (*p != value)
		cpu_pause();
}

static inline bool has_cpuid(uint32_t leaf, int reg, int bit)
{
	uint32_t r[4];

	cpuid_count(leaf, 0, r);
	return r[reg] >> bit & 1;
}

#endif
