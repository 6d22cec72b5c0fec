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

/* Pages of code whose translation is kept: by address, address space and mode. */
#define VMMU_CODE_PAGE_BITS	5

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
	u64 pdpte;		/* the loaded one, for PAE paging that has such */
	unsigned long gpte_hva[5];
	u64 gpte[5];
};

/*
 * A MOV between a register and a device, decoded, with the bytes that it was decoded from: what
 * a driver does again and again needs no second look. emulate/quick.c.
 */
#define VMMU_NR_MOVS	8

struct vmmu_mov {
	bool valid;
	bool load;		/* from memory to the register */
	bool high;		/* the register is AH..BH of reg - 4 */
	bool rip_relative;
	u8 len;			/* of the instruction */
	u8 size;		/* of the operand */
	u8 reg;
	s8 base, index;		/* -1: none */
	u8 scale;
	s64 disp;
	u64 word[2];		/* the bytes 0 to 7, and 7 to 14, as far as they are its own */
	u64 mask[2];		/* which those are */
};

/* Embedded in struct vmmu_vcpu; vcpu->mutex. */
struct vmmu_emul_vcpu {
	struct vmmu_code_page code[1 << VMMU_CODE_PAGE_BITS];
	struct vmmu_mov mov[VMMU_NR_MOVS];	/* by the low bits of rip */
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
	/* Shadow paging: what the access that faulted was to, when that is why we are here. */
	u64 fault_gva;
	bool fault_gva_valid;
	u8 nr_given_up;		/* instructions in a row that could not be emulated */
	/* The IN or stepped OUT of vmmu_port_io(), or the load, that is with user space. */
	u64 next_rip;
	u8 port_size;
	/* log[0] is all that a MOV from memory waits for: it ends without running again. */
	bool load;
	bool load_high;		/* into the second byte */
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

/* The same for a fault at the linear address @gva, on shadow tables. What cannot be emulated
 * may have been a write to a page table: then that is shadowed no more and the guest resumes.
 */
int vmmu_emulate_gva(struct vmmu_vcpu *vcpu, u64 gva);
/* Can the processor do what faulted at @gva by itself, if it is tried again? May sleep. */
bool vmmu_unshadow_insn(struct vmmu_vcpu *vcpu, u64 gva);

/* Move rip past the current instruction, whose length hardware gave or decoding gives;
 * clears the interrupt shadow and queues the single-step #DB that is due.
 * 1, or 0 with the exit to user space filled when it cannot be decoded.
 */
int vmmu_skip_insn(struct vmmu_vcpu *vcpu);
/* As above when somebody has decoded it already; 0: nobody has. */
int vmmu_skip_bytes(struct vmmu_vcpu *vcpu, u8 len);
/* The same with interrupts off, vm->srcu held, where RFLAGS.TF and RF are clear. False: it would
 * have to sleep, and nothing happened.
 */
bool vmmu_skip_atomic(struct vmmu_vcpu *vcpu);
/* As above when the exit gave the next rip itself. */
int vmmu_skip_to(struct vmmu_vcpu *vcpu, u64 next_rip);

/* IN/OUT without string or rep of 1, 2, 4 bytes to or from RAX; the caller's exit knows
 * @next_rip. Tries in-kernel devices, else exits to user space. 1/0/<0 as above.
 */
int vmmu_port_io(struct vmmu_vcpu *vcpu, u16 port, unsigned int size, bool in, u64 next_rip);

enum vmmu_task_source { VMMU_TASK_CALL, VMMU_TASK_IRET, VMMU_TASK_JMP, VMMU_TASK_GATE };

/* A hardware task switch as the back end's exit describes it. */
struct vmmu_task_switch {
	u16 selector;		/* of the new TSS */
	enum vmmu_task_source source;
	u32 next_rip;		/* where the old task goes on */
	bool set_rf;		/* EFLAGS.RF in the old TSS */
	bool has_error;		/* an exception's error code goes onto the new stack */
	u32 error;
};

/* Do it; emulate/task.c. vm->srcu held, may sleep. 1, or 0 with the exit to user space filled. */
int vmmu_task_switch(struct vmmu_vcpu *vcpu, const struct vmmu_task_switch *how);

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
/* MOV to or from CR, or INVLPG, in 64-bit code and its plain form, with interrupts off. False: it
 * is another instruction, or cannot be read without sleeping.
 */
bool vmmu_decode_atomic(struct vmmu_vcpu *vcpu, struct vmmu_insn_info *info);

/* KVM_EXIT_INTERNAL_ERROR / KVM_INTERNAL_ERROR_EMULATION with the instruction bytes; 0. */
int vmmu_emulation_failed(struct vmmu_vcpu *vcpu);

#endif
