/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * emulate/: the instruction decoder and executor, for MMIO, string I/O, writes
 * to guest page tables and instruction length where hardware does not give it;
 * and the accesses that leave to user space in mid-instruction.
 *
 * An instruction is a restartable transaction: register changes stay in a
 * scratch copy until it completes. Accesses that user space must do are kept in
 * a log; after each, the instruction runs again and the log answers for what
 * was already done.
 */
#ifndef VMMU_EMULATE_H
#define VMMU_EMULATE_H

#include "vmmu/cpu.h"
#include "vmmu/types.h"

#define VMMU_INSN_MAX	15
/* The longest instruction that we execute makes this many 8-byte accesses. */
#define VMMU_IO_LOG_MAX	16

struct vmmu_io_access {
	gpa_t addr;		/* gpa, or port */
	u8 len;			/* 1..8 */
	bool write;
	bool port;
	u8 data[8];
};

/*
 * The translation of the page that rip is in, with everything that it was made
 * from, so that it can be checked before each use. emulate/code.c.
 */
struct vmmu_code_page {
	bool valid;
	u8 maxphyaddr;
	u8 gpte_bytes;
	u8 nr_gptes;
	u64 linear;
	u64 generation;		/* of the memslots that the addresses come from */
	struct vmmu_fetch_state state;	/* but for cs_base and mode: linear says it */
	unsigned long hva;	/* of the page */
	unsigned long gpte_hva[5];
	u64 gpte[5];
};

/* Embedded in struct vmmu_vcpu; vcpu->mutex. */
struct vmmu_emul_vcpu {
	struct vmmu_code_page code;
	struct vmmu_io_access log[VMMU_IO_LOG_MAX];
	u8 nr_done;		/* entries whose result is known */
	u8 cursor;		/* next entry of this run */
	bool pending;		/* log[nr_done] is with user space */
	/* gpa of the fault that brought us here, when known (NPT): saves a walk. */
	gpa_t fault_gpa;
	bool fault_gpa_valid;
	/* The instruction of this transaction; it stays the same when it runs again. */
	u8 bytes[VMMU_INSN_MAX];
	u8 nr_bytes;		/* 0: not fetched yet */
	u64 rip;
	/* The IN or stepped OUT of vmmu_port_io(), or the load, that is with user space. */
	u64 next_rip;
	u8 port_size;
	/* log[0] is all that a MOV from memory waits for: it ends without running again. */
	bool load;
	bool load_high;		/* into AH..BH */
	u8 load_reg;
	/* REP INS: elements asked of user space at once; their data is in vcpu->pio_data. */
	u32 batch;
	bool batch_ready;
};

/* Prefixes as struct vmmu_insn_info reports them. */
#define VMMU_PREFIX_LOCK	BIT(0)
#define VMMU_PREFIX_REPNE	BIT(1)	/* F2 */
#define VMMU_PREFIX_REP		BIT(2)	/* F3 */
#define VMMU_PREFIX_OPSIZE	BIT(3)	/* 66 */
#define VMMU_PREFIX_ADDRSIZE	BIT(4)	/* 67 */
#define VMMU_PREFIX_SEGMENT	BIT(5)	/* one of six */
#define VMMU_PREFIX_REX		BIT(6)

/**
 * vmmu_emulate() - emulate the instruction at the guest's rip
 * @fault_gpa: the gpa that faulted or VMMU_INVALID_GPA
 *
 * vm->srcu held, may sleep. Advances rip, delivers the instruction's own faults. What
 * cannot be emulated leaves as KVM_INTERNAL_ERROR_EMULATION with the bytes.
 *
 * Return: 1 resume; 0 exit to user space with vcpu->run filled and
 * vcpu->complete_io set; <0 errno.
 */
int vmmu_emulate(struct vmmu_vcpu *vcpu, gpa_t fault_gpa);

/* Move rip past the current instruction, whose length hardware gave or decoding gives;
 * clears the interrupt shadow and queues the single-step #DB that is due.
 * 1, or 0 with the exit to user space filled when it cannot be decoded.
 */
int vmmu_skip_insn(struct vmmu_vcpu *vcpu);
/* As above when the exit gave the next rip itself. */
int vmmu_skip_to(struct vmmu_vcpu *vcpu, u64 next_rip);

/* IN/OUT without string or rep of 1, 2, 4 bytes to or from RAX; the caller's exit knows
 * @next_rip. Tries in-kernel devices, else exits to user space. 1/0/<0 as above.
 */
int vmmu_port_io(struct vmmu_vcpu *vcpu, u16 port, unsigned int size, bool in, u64 next_rip);

/* What the decoder found at rip of a CR/DR/other exit where decode assists are missing. */
struct vmmu_insn_info {
	u8 len;
	u8 opcode_map;		/* 0: one byte, 1: 0F, 2: 0F38, 3: 0F3A */
	u8 opcode;
	u8 modrm;		/* valid when has_modrm */
	bool has_modrm;
	u8 reg;			/* modrm.reg with REX.R */
	u8 rm;			/* modrm.rm with REX.B */
	u8 op_bytes;
	u8 prefixes;		/* VMMU_PREFIX_* */
	bool mem;		/* modrm names memory */
	u64 linear;		/* its linear address, segment base included */
};

/* Fetch and decode at rip. 1; 0: exit to user space filled; a #PF on fetch is queued and
 * gives VMMU_INSN_FAULT.
 */
#define VMMU_INSN_FAULT	2
int vmmu_decode_current(struct vmmu_vcpu *vcpu, struct vmmu_insn_info *info);

/* KVM_EXIT_INTERNAL_ERROR / KVM_INTERNAL_ERROR_EMULATION with the instruction bytes; 0. */
int vmmu_emulation_failed(struct vmmu_vcpu *vcpu);

#endif
