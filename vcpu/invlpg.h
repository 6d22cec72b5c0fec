/* SPDX-License-Identifier: GPL-2.0-only */
/* INVPCID's operands; see invlpg.c. */
#ifndef VMMU_VCPU_INVLPG_H
#define VMMU_VCPU_INVLPG_H

#include <linux/types.h>

/* The register operand. */
enum { INVPCID_ADDRESS, INVPCID_PCID, INVPCID_ALL_GLOBAL, INVPCID_ALL, INVPCID_TYPES };

bool vmmu_invpcid_legal(u64 type, const u64 desc[2], u64 cr4);

#endif
