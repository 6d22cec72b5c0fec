// SPDX-License-Identifier: GPL-2.0-only
/*
 * The work that a task owes before it enters a guest (reschedule, signals,
 * task work), done by the kernel's own helper.
 *
 * Some kernels' helper wants a struct kvm_vcpu, only to write the exit reason
 * and a counter into it when a signal is pending. We have no such struct: one
 * static object takes those writes and nobody reads them. This file is alone
 * in including <linux/kvm_host.h>.
 */
#include <linux/kvm_host.h>
#include <linux/entry-kvm.h>
#include "guest_work.h"

#ifdef VMMU_GUEST_WORK_TAKES_VCPU
static struct kvm_run unread_run;
static struct kvm_vcpu unread_vcpu = { .run = &unread_run };
#endif

/**
 * vmmu_guest_work_pending() - does this task owe work before it enters a guest?
 *
 * Interrupts off.
 */
bool vmmu_guest_work_pending(void)
{
	return xfer_to_guest_mode_work_pending();
}

/**
 * vmmu_guest_work() - do that work
 *
 * Sleeps. Interrupts on, no locks, no SRCU section.
 *
 * Return: 0, or -EINTR when a signal is pending.
 */
int vmmu_guest_work(void)
{
	if (!__xfer_to_guest_mode_work_pending())
		return 0;
#ifdef VMMU_GUEST_WORK_TAKES_VCPU
	return xfer_to_guest_mode_handle_work(&unread_vcpu);
#else
	return xfer_to_guest_mode_handle_work();
#endif
}

/* Cheaper than the above for the common case; interrupts on, a hint only. */
bool vmmu_guest_work_hint(void)
{
	return __xfer_to_guest_mode_work_pending();
}
