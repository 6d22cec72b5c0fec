// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's life: creation, reset, and being loaded on a CPU.
 *
 * A vCPU is bound to the thread that runs one of its ioctls (vcpu->mutex) by a
 * preempt notifier: whenever that thread is scheduled, the state that lives in
 * the processor is loaded or put.
 */
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/debugreg.h>

#include "vmmu/vm.h"

static void load_on(struct vmmu_vcpu *vcpu, int cpu)
{
	bool moved = vcpu->cpu != cpu;

	vmmu_cpu->vcpu_load(vcpu, cpu);
	vmmu_host_load(vcpu);
	WRITE_ONCE(vcpu->cpu, cpu);
	if (moved) {
		vmmu_request(vcpu, VMMU_REQ_CLOCK_UPDATE);
		vmmu_lapic_migrate_timer(vcpu);
	}
	if (vcpu->clock.steal_msr)
		vmmu_request(vcpu, VMMU_REQ_STEAL_UPDATE);
}

static void sched_in(struct preempt_notifier *pn, int cpu)
{
	struct vmmu_vcpu *vcpu = container_of(pn, struct vmmu_vcpu, preempt);

	WRITE_ONCE(vcpu->preempted, false);
	load_on(vcpu, cpu);
}

static void sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct vmmu_vcpu *vcpu = container_of(pn, struct vmmu_vcpu, preempt);

	if (READ_ONCE(current->__state) == TASK_RUNNING)
		WRITE_ONCE(vcpu->preempted, true);
	vmmu_host_put();
}

static struct preempt_ops preempt_ops = {
	.sched_in = sched_in,
	.sched_out = sched_out,
};

/*
 * The scheduler looks at notifiers only while somebody has any. Once for all VMs, because
 * the answer is patched into its code: that stops every CPU several times.
 */
int vmmu_vcpu_module_init(void)
{
	preempt_notifier_inc();
	return 0;
}

void vmmu_vcpu_module_exit(void)
{
	preempt_notifier_dec();
}

/**
 * vmmu_vcpu_load() - bind the vCPU to this thread
 * @vcpu: its mutex held
 *
 * Undone by vmmu_vcpu_put().
 */
void vmmu_vcpu_load(struct vmmu_vcpu *vcpu)
{
	int cpu = get_cpu();

	preempt_notifier_register(&vcpu->preempt);
	load_on(vcpu, cpu);
	put_cpu();
}

void vmmu_vcpu_put(struct vmmu_vcpu *vcpu)
{
	preempt_disable();
	vmmu_host_put();
	preempt_notifier_unregister(&vcpu->preempt);
	preempt_enable();
}

/**
 * vmmu_vcpu_reset() - RESET or INIT
 * @vcpu: loaded
 * @init: INIT, which keeps more than RESET
 *
 * Own thread, vCPU loaded. AMD APM vol. 2, table 14-1; Intel SDM vol. 3, table 10-1.
 */
void vmmu_vcpu_reset(struct vmmu_vcpu *vcpu, bool init)
{
	u32 eax = 1, ebx = 0, ecx = 0, edx = 0;

	memset(&vcpu->event, 0, sizeof(vcpu->event));
	vcpu->event.user_irq = -1;
	vcpu->slow_port = -1;
	memset(vcpu->regs, 0, sizeof(vcpu->regs));
	vmmu_cpuid(vcpu, &eax, &ebx, &ecx, &edx);
	vcpu->regs[VMMU_RDX] = eax ? eax : 0x600;
	vcpu->rip = 0xfff0;
	vcpu->cr2 = 0;
	vcpu->cr8 = 0;
	vcpu->apic_base = VMMU_APIC_BASE_DEFAULT | (vcpu->id ? 0 : MSR_IA32_APICBASE_BSP);
	memset(vcpu->dbg.dr, 0, sizeof(vcpu->dbg.dr));
	vcpu->dbg.dr6 = DR6_RESERVED;
	vcpu->dbg.dr7 = 0x400;
	vcpu->dbg.stepping = false;
	vcpu->dbg.guest_tf = false;

	vcpu->pdptr_valid = false;
	vmmu_cpu->vcpu_reset(vcpu, init);
	vmmu_mmu_guest_flush(vcpu);
	vmmu_cpu->set_dr7(vcpu);
	vmmu_fpu_reset(vcpu, init);
	vmmu_msrs_reset(vcpu, init);
	if (vcpu->apic)
		vmmu_lapic_reset(vcpu, init);
	vmmu_request(vcpu, VMMU_REQ_TLB_FLUSH);
	vmmu_request(vcpu, VMMU_REQ_EVENT);
}

/**
 * vmmu_vcpu_sipi() - start-up IPI: real mode at @vector << 12
 * @vcpu: loaded, after INIT
 * @vector: the page to start at
 *
 * Own thread, after INIT. Intel SDM vol. 3, 10.4.
 */
void vmmu_vcpu_sipi(struct vmmu_vcpu *vcpu, u8 vector)
{
	struct kvm_segment cs;

	vmmu_cpu->get_segment(vcpu, VMMU_SEG_CS, &cs);
	cs.selector = vector << 8;
	cs.base = vector << 12;
	vmmu_cpu->set_segment(vcpu, VMMU_SEG_CS, &cs);
	vcpu->rip = 0;
}

static int alloc_pages_of(struct vmmu_vcpu *vcpu)
{
	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	vcpu->pio_data = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vcpu->run && vcpu->pio_data ? 0 : -ENOMEM;
}

static void free_pages_of(struct vmmu_vcpu *vcpu)
{
	free_page((unsigned long)vcpu->run);
	free_page((unsigned long)vcpu->pio_data);
}

static void init_fields(struct vmmu_vcpu *vcpu, struct vmmu_vm *vm, u32 id)
{
	static atomic64_t last_serial;

	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->serial = atomic64_inc_return(&last_serial);
	vcpu->cpu = -1;
	mutex_init(&vcpu->mutex);
	rcuwait_init(&vcpu->wait);
	preempt_notifier_init(&vcpu->preempt, &preempt_ops);
	vcpu->event.user_irq = -1;
}

/* Everything that may fail, in order; each step's undoing stands in undo_create(). */
static int create_parts(struct vmmu_vcpu *vcpu)
{
	int r = alloc_pages_of(vcpu);

	if (!r)
		r = vmmu_fpu_create(vcpu);
	if (!r)
		r = vmmu_msrs_init(vcpu);
	if (!r && vcpu->vm->irq.mode != VMMU_IRQCHIP_NONE)
		r = vmmu_lapic_create(vcpu);
	if (!r)
		r = vmmu_cpu->vcpu_create(vcpu);
	if (!r)
		r = vmmu_mmu_vcpu_init(vcpu);
	return r;
}

/* Callable on whatever create_parts() left: each part's destructor takes "not there". */
static void destroy_parts(struct vmmu_vcpu *vcpu)
{
	vmmu_mmu_vcpu_destroy(vcpu);
	if (vcpu->hw)
		vmmu_cpu->vcpu_destroy(vcpu);
	if (vcpu->apic)
		vmmu_lapic_destroy(vcpu);
	vmmu_msrs_destroy(vcpu);
	vmmu_fpu_destroy(vcpu);
	vmmu_free_cpuid(vcpu);
	free_pages_of(vcpu);
}

/**
 * vmmu_vcpu_create() - a vCPU in its state after RESET
 * @vm: the VM
 * @id: KVM_CREATE_VCPU's argument, the APIC id
 *
 * vm->lock held. Sleeps. Not yet visible in vm->vcpus.
 *
 * Return: the vCPU or ERR_PTR(-ENOMEM, ...).
 */
struct vmmu_vcpu *vmmu_vcpu_create(struct vmmu_vm *vm, u32 id)
{
	struct vmmu_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	int r;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	init_fields(vcpu, vm, id);
	r = create_parts(vcpu);
	if (r) {
		destroy_parts(vcpu);
		kfree(vcpu);
		return ERR_PTR(r);
	}
	vmmu_clock_vcpu_init(vcpu);

	mutex_lock(&vcpu->mutex);
	vmmu_vcpu_load(vcpu);
	vmmu_vcpu_reset(vcpu, false);
	vmmu_vcpu_put(vcpu);
	mutex_unlock(&vcpu->mutex);
	/* APs wait for INIT and SIPI when there is an APIC to send them. */
	vcpu->mp_state = vcpu->apic && id ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE;
	return vcpu;
}

/**
 * vmmu_vcpu_destroy() - undo vmmu_vcpu_create()
 * @vcpu: nobody can reach it any more
 */
void vmmu_vcpu_destroy(struct vmmu_vcpu *vcpu)
{
	destroy_parts(vcpu);
	put_pid(rcu_dereference_protected(vcpu->pid, true));
	kfree(vcpu);
}
