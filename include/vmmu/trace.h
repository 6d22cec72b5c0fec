/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoints vmmu:*, for perf and trace-cmd; statistics are made from
 * them by user space. Defined once, by device/trace.c.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vmmu

#if !defined(VMMU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VMMU_TRACE_H

#include <linux/tracepoint.h>

TRACE_EVENT(vmmu_entry,
	TP_PROTO(u32 vcpu, u64 rip),
	TP_ARGS(vcpu, rip),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, rip)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->rip = rip;
	),
	TP_printk("vcpu %u rip 0x%llx", __entry->vcpu, __entry->rip)
);

TRACE_EVENT(vmmu_exit,
	TP_PROTO(u32 vcpu, u64 rip, u64 reason, u64 info1, u64 info2, u32 intr, u32 intr_error),
	TP_ARGS(vcpu, rip, reason, info1, info2, intr, intr_error),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, rip)
		__field(u64, reason)
		__field(u64, info1)
		__field(u64, info2)
		__field(u32, intr)
		__field(u32, intr_error)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->rip = rip;
		__entry->reason = reason;
		__entry->info1 = info1;
		__entry->info2 = info2;
		__entry->intr = intr;
		__entry->intr_error = intr_error;
	),
	TP_printk("vcpu %u rip 0x%llx reason 0x%llx info1 0x%llx info2 0x%llx intr 0x%x error 0x%x",
		  __entry->vcpu, __entry->rip, __entry->reason, __entry->info1, __entry->info2,
		  __entry->intr, __entry->intr_error)
);

TRACE_EVENT(vmmu_page_fault,
	TP_PROTO(u32 vcpu, u64 rip, u64 addr, u64 error, int level, int verdict),
	TP_ARGS(vcpu, rip, addr, error, level, verdict),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, rip)
		__field(u64, addr)
		__field(u64, error)
		__field(int, level)
		__field(int, verdict)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->rip = rip;
		__entry->addr = addr;
		__entry->error = error;
		__entry->level = level;
		__entry->verdict = verdict;
	),
	TP_printk("vcpu %u rip 0x%llx addr 0x%llx error 0x%llx level %d verdict %s",
		  __entry->vcpu, __entry->rip, __entry->addr, __entry->error, __entry->level,
		  __print_symbolic(__entry->verdict, { 0, "retry" }, { 1, "emulate" },
				   { 2, "exit_to_user" }, { 3, "inject" }))
);

TRACE_EVENT(vmmu_spte,
	TP_PROTO(u64 gfn, int level, u64 old_spte, u64 new_spte),
	TP_ARGS(gfn, level, old_spte, new_spte),
	TP_STRUCT__entry(
		__field(u64, gfn)
		__field(int, level)
		__field(u64, old_spte)
		__field(u64, new_spte)
	),
	TP_fast_assign(
		__entry->gfn = gfn;
		__entry->level = level;
		__entry->old_spte = old_spte;
		__entry->new_spte = new_spte;
	),
	TP_printk("gfn 0x%llx level %d old 0x%llx new 0x%llx", __entry->gfn, __entry->level,
		  __entry->old_spte, __entry->new_spte)
);

TRACE_EVENT(vmmu_memslot,
	TP_PROTO(u32 id, u64 base_gfn, u64 npages, u64 hva, u32 flags, u64 generation),
	TP_ARGS(id, base_gfn, npages, hva, flags, generation),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(u64, base_gfn)
		__field(u64, npages)
		__field(u64, hva)
		__field(u32, flags)
		__field(u64, generation)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->base_gfn = base_gfn;
		__entry->npages = npages;
		__entry->hva = hva;
		__entry->flags = flags;
		__entry->generation = generation;
	),
	TP_printk("slot %u gfn 0x%llx pages 0x%llx hva 0x%llx flags 0x%x generation %llu",
		  __entry->id, __entry->base_gfn, __entry->npages, __entry->hva, __entry->flags,
		  __entry->generation)
);

TRACE_EVENT(vmmu_invalidate,
	TP_PROTO(u64 start, u64 end, bool flush),
	TP_ARGS(start, end, flush),
	TP_STRUCT__entry(
		__field(u64, start)
		__field(u64, end)
		__field(bool, flush)
	),
	TP_fast_assign(
		__entry->start = start;
		__entry->end = end;
		__entry->flush = flush;
	),
	TP_printk("hva 0x%llx end 0x%llx flush %d", __entry->start, __entry->end, __entry->flush)
);

/* An MSR access of the guest that made it exit; @fault: #GP, or one for user space. */
TRACE_EVENT(vmmu_msr,
	TP_PROTO(u32 vcpu, bool write, u32 index, u64 val, bool fault),
	TP_ARGS(vcpu, write, index, val, fault),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(bool, write)
		__field(u32, index)
		__field(u64, val)
		__field(bool, fault)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->write = write;
		__entry->index = index;
		__entry->val = val;
		__entry->fault = fault;
	),
	TP_printk("vcpu %u %s 0x%x 0x%llx%s", __entry->vcpu, __entry->write ? "write" : "read",
		  __entry->index, __entry->val, __entry->fault ? " fault" : "")
);

TRACE_EVENT(vmmu_inject,
	TP_PROTO(u32 vcpu, const char *kind, u8 vector, u32 error),
	TP_ARGS(vcpu, kind, vector, error),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__string(kind, kind)
		__field(u8, vector)
		__field(u32, error)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__assign_str(kind);
		__entry->vector = vector;
		__entry->error = error;
	),
	TP_printk("vcpu %u %s vector %u error 0x%x", __entry->vcpu, __get_str(kind),
		  __entry->vector, __entry->error)
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH vmmu
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
