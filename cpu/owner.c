// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who owns the processor's virtualisation extension.
 *
 * Contract: between vmmu_cpu_own() and vmmu_cpu_disown() every online CPU has the
 * extension switched on and it is ours; CPUs that come and go, suspend and reboot
 * are followed. A CPU where somebody else owns it, or that cannot be switched
 * on, fails the load, or later does not come online.
 *
 * Locking: vmmu_cpu and vmmu_cpu_caps are written before the device exists and
 * constant after. owner.off is written once, by the reboot notifier. The back
 * end's per-CPU functions run on their CPU with interrupts off.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include "host.h"

const struct vmmu_cpu_ops *vmmu_cpu;
struct vmmu_cpu_caps vmmu_cpu_caps;

static const struct vmmu_cpu_ops *const backends[] = {
	&vmmu_svm_ops,
	&vmmu_vmx_ops,
};

static struct {
	int hp_state;
	bool off;	/* the machine goes down: nothing is switched on again */
} owner;

static void complain(const struct vmmu_cpu_ops *ops, int err)
{
	unsigned int cpu = smp_processor_id();

	switch (err) {
	case -EBUSY:
		pr_err("CPU %u: another hypervisor owns %s, probably %s: rmmod it first\n",
		       cpu, ops->name, ops->rival);
		break;
	case -EOPNOTSUPP:
		pr_err("CPU %u: the firmware disabled %s: enable it in the firmware's setup\n",
		       cpu, ops->name);
		break;
	default:
		pr_err("CPU %u: cannot switch %s on: error %d\n", cpu, ops->name, err);
	}
}

static int enable_here(void)
{
	unsigned long flags;
	int err;

	local_irq_save(flags);
	err = vmmu_cpu->probe();
	if (!err)
		err = vmmu_cpu->enable();
	if (err)
		complain(vmmu_cpu, err);
	else
		vmmu_host_enable();
	local_irq_restore(flags);
	return err;
}

static void disable_here(void *unused)
{
	unsigned long flags;

	local_irq_save(flags);
	vmmu_cpu->disable();
	local_irq_restore(flags);
}

static int cpu_online_cb(unsigned int cpu)
{
	if (READ_ONCE(owner.off))
		return 0;
	return enable_here();
}

static int cpu_offline_cb(unsigned int cpu)
{
	disable_here(NULL);
	return 0;
}

/*
 * Suspend: the other CPUs went through the hotplug callbacks, this is the last
 * one, with interrupts off and no task running.
 */
static int owner_suspend(void)
{
	disable_here(NULL);
	return 0;
}

static void owner_resume(void)
{
	if (!READ_ONCE(owner.off))
		enable_here();
}

/* Kernels from 6.19 on, and stable ones with a backport, hand a cookie through. */
#ifdef VMMU_REGISTER_SYSCORE
static int syscore_suspend_cb(void *unused)
{
	return owner_suspend();
}

static void syscore_resume_cb(void *unused)
{
	owner_resume();
}

static const struct syscore_ops owner_syscore_ops = {
	.suspend = syscore_suspend_cb,
	.resume = syscore_resume_cb,
};

static struct syscore owner_syscore = {
	.ops = &owner_syscore_ops,
};

static void syscore_on(void)
{
	register_syscore(&owner_syscore);
}

static void syscore_off(void)
{
	unregister_syscore(&owner_syscore);
}
#else
static struct syscore_ops owner_syscore_ops = {
	.suspend = owner_suspend,
	.resume = owner_resume,
};

static void syscore_on(void)
{
	register_syscore_ops(&owner_syscore_ops);
}

static void syscore_off(void)
{
	unregister_syscore_ops(&owner_syscore_ops);
}
#endif

/**
 * vmmu_cpu_going_down() - has the extension been switched off for good?
 *
 * Any context. From then on each entry fails.
 */
bool vmmu_cpu_going_down(void)
{
	return READ_ONCE(owner.off);
}

/*
 * Firmware and the next kernel must find the extension off. A vCPU that still
 * runs sees it in enter() and leaves with a failed entry.
 */
static int owner_reboot(struct notifier_block *nb, unsigned long action, void *unused)
{
	WRITE_ONCE(owner.off, true);
	on_each_cpu(disable_here, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block owner_reboot_nb = {
	.notifier_call = owner_reboot,
};

static const struct vmmu_cpu_ops *choose(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(backends); i++)
		if (backends[i]->present())
			return backends[i];
	pr_err("this processor has neither AMD-V (SVM) nor VT-x, one of which vmmu needs\n");
	return NULL;
}

int vmmu_cpu_own(void)
{
	int err;

	vmmu_cpu = choose();
	if (!vmmu_cpu)
		return -EOPNOTSUPP;

	err = vmmu_cpu->setup();
	if (err)
		goto forget;

	/* Runs on every CPU that is online now; the first that fails undoes the others. */
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "virt/vmmu:online", cpu_online_cb,
				cpu_offline_cb);
	if (err < 0)
		goto teardown;
	owner.hp_state = err;

	syscore_on();
	register_reboot_notifier(&owner_reboot_nb);
	return 0;

teardown:
	vmmu_cpu->teardown();
forget:
	vmmu_cpu = NULL;
	return err;
}

void vmmu_cpu_disown(void)
{
	unregister_reboot_notifier(&owner_reboot_nb);
	syscore_off();
	cpuhp_remove_state(owner.hp_state);
	vmmu_cpu->teardown();
	vmmu_cpu = NULL;
}
