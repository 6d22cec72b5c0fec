// SPDX-License-Identifier: GPL-2.0-only
/*
 * NMIs: none inside the handler of one, the next right behind its IRET, one
 * latched and not more; together with interrupts, and behind the shadow of STI.
 */
#include <kselftest_harness.h>

#include "guest.h"

#define IRQ 0x55

static uint64_t depth, deepest, nmis, irqs, returns[8];

static void on_nmi(struct guest_frame *f)
{
	int i;

	if (++depth > deepest)
		deepest = depth;
	returns[nmis++ & 7] = f->rip;
	if (nmis == 1)
		guest_sync(1, 0, 0);
	/* Exits, at any of which a second one could slip in. */
	for (i = 0; i < 20; i++)
		inb(0x61);
	depth--;
}

static void g_nested(void)
{
	uint64_t here;

	guest_handler[NMI_VECTOR] = on_nmi;
	/* The port's exit is where the host sends the first one. */
	asm volatile("lea 1f(%%rip), %0\n\t"
		     "outb %%al, $0x10\n"
		     "1: nop\n\t"
		     "nop" : "=&r"(here) : "a"(0) : "memory");
	G_EQ(READ(nmis), 2);
	G_EQ(READ(deepest), 1);
	/* Both came before the instruction behind OUT. */
	G_EQ(returns[0], here);
	G_EQ(returns[1], here);
	guest_sync(2, 0, 0);
	G_EQ(READ(nmis), 2);
}

/* Answers port 0x61 until the guest has something to say. */
static struct ucall run_past_in(struct vcpu *v)
{
	struct ucall u;

	for (;;) {
		u = vcpu_run_ucall(v);
		if (u.kind)
			return u;
		if (v->run->exit_reason != KVM_EXIT_IO || v->run->io.port != 0x61)
			DIE("exit %s", exit_name(v->run->exit_reason));
	}
}

TEST(nested)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_nested, 0);
	int i;

	run_past_in(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	ASSERT_EQ(1, run_past_in(v).a);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	ASSERT_EQ(2, run_past_in(v).a);
	run_done(v);
}

/* Blocking is state that user space can save and restore. */
TEST(masked)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_nested, 0);
	struct kvm_vcpu_events ev;

	run_past_in(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &ev));
	ASSERT_EQ(0, ev.nmi.masked);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	ASSERT_EQ(1, run_past_in(v).a);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &ev));
	ASSERT_EQ(1, ev.nmi.masked);
	ASSERT_EQ(0, ioctl(v->fd, KVM_SET_VCPU_EVENTS, &ev));
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	ASSERT_EQ(2, run_past_in(v).a);
	ASSERT_EQ(0, ioctl(v->fd, KVM_GET_VCPU_EVENTS, &ev));
	ASSERT_EQ(0, ev.nmi.masked);
	run_done(v);
}

static void on_irq(struct guest_frame *f)
{
	/* Interrupts wait while an NMI is handled: its frame has IF clear. */
	G_EQ(depth, 0);
	irqs++;
}

static void g_with_irq(void)
{
	nmis = 1;	/* no report from the handler */
	guest_handler[NMI_VECTOR] = on_nmi;
	guest_handler[IRQ] = on_irq;
	asm volatile("sti; nop" : : : "memory");
	guest_sync(0, 0, 0);
	G_EQ(READ(nmis), 2);
	G_EQ(READ(irqs), 1);
	asm volatile("cli" : : : "memory");
	guest_sync(1, 0, 0);
}

TEST(with_irq)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_with_irq, 0);
	struct kvm_interrupt irq = { .irq = IRQ };

	run_past_in(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	ASSERT_EQ(0, ioctl(v->fd, KVM_INTERRUPT, &irq));
	ASSERT_EQ(1, run_past_in(v).a);
	run_done(v);
}

/* An exit in the shadow of STI, with an NMI on its way: both are delivered, once. */
static void g_shadow(void)
{
	nmis = 1;
	guest_handler[NMI_VECTOR] = on_nmi;
	asm volatile("sti; outb %%al, $0x10; nop; cli" : : "a"(0) : "memory");
	G_EQ(READ(nmis), 2);
	G_EQ(READ(deepest), 1);
}

TEST(shadow)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_shadow, 0);

	run_past_in(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	ASSERT_EQ(UCALL_DONE, run_past_in(v).kind);
}

/* A guest that single-steps itself must not notice the hypervisor's steps, nor lose its own. */
static uint64_t steps;

static void on_step(struct guest_frame *f)
{
	steps++;
	f->rflags &= ~X86_FLAGS_TF;
}

static void g_step_after(void)
{
	nmis = 1;
	guest_handler[NMI_VECTOR] = on_nmi;
	guest_handler[DB_VECTOR] = on_step;
	guest_sync(0, 0, 0);
	G_EQ(READ(nmis), 3);
	G_EQ(READ(steps), 0);
	asm volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop" : : : "memory", "cc");
	G_EQ(READ(steps), 1);
}

TEST(step_after)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_step_after, 0);

	run_past_in(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	ASSERT_EQ(UCALL_DONE, run_past_in(v).kind);
}

/*
 * An IRET that opens NMIs and then faults on the host's side has opened nothing: what
 * waits is delivered when it has been executed, not before. Its frame lies across two
 * pages, and the host drops the one that the handler's own use of the stack leaves alone.
 */
static uint64_t frame_top;

static void g_interrupted_iret(void)
{
	uint64_t here, rsp;

	guest_handler[NMI_VECTOR] = on_nmi;
	asm volatile("mov %%rsp, %1\n\t"
		     "mov %2, %%rsp\n\t"
		     "lea 1f(%%rip), %0\n\t"
		     "outb %%al, $0x10\n"
		     "1: nop\n\t"
		     "mov %1, %%rsp"
		     : "=&r"(here), "=&r"(rsp) : "r"(READ(frame_top)), "a"(0)
		     : "memory");
	G_EQ(READ(nmis), 2);
	G_EQ(returns[0], here);
	G_EQ(returns[1], here);
}

TEST(interrupted_iret)
{
	struct guest *g = guest_new(0);
	struct vcpu *v = guest_vcpu(g, g_interrupted_iret, 0);
	uint64_t low = guest_page(g), high = guest_page(g);
	uint8_t copy[PAGE], *p = guest_hva(g, high);

	ASSERT_EQ(low + PAGE, high);
	/* SS, RSP, flags and CS above, RIP and the handler's frame below. */
	guest_var(g, frame_top) = high + 32;
	run_past_in(v);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	ASSERT_EQ(1, run_past_in(v).a);
	ASSERT_EQ(0, ioctl(v->fd, KVM_NMI));
	memcpy(copy, p, PAGE);
	ASSERT_EQ(0, madvise(p, PAGE, MADV_DONTNEED));
	memcpy(p, copy, PAGE);
	ASSERT_EQ(UCALL_DONE, run_past_in(v).kind);
}

TEST_HARNESS_MAIN
