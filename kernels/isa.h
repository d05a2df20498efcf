/* SPDX-License-Identifier: MIT
 *
 * Instruction sets: what this processor and its operating system can run, and what the user allows (--isa).
 * The mask is the one piece of global mutable state in Bitfader; set it before plans are compiled.
 */
#ifndef BITFADER_KERNELS_ISA_H
#define BITFADER_KERNELS_ISA_H

#include <stdbool.h>

#include "base/err.h"

enum isa {
    ISA_C,          /* portable C: the specification */
    ISA_AVX2,       /* AVX2 and FMA */
    ISA_AVX512VNNI, /* AVX-512 F, BW, DQ, VL and VNNI */
    ISA_AVX512VBMI, /* and VBMI, VPOPCNTDQ: bytes from tables of 64 and 128, population counts */
    ISA_COUNT
};

/* "c", "avx2", "avx512vnni", "avx512vbmi". */
const char *isa_name(enum isa isa);

/* True when the processor and the operating system (XGETBV) support it, whatever the mask says. */
bool isa_supported(enum isa isa);

/* True when supported and not masked. */
bool isa_enabled(enum isa isa);

/* Allows the instruction sets up to and including the named one ("c", "avx2", ..., "auto").
 * Fails when the name is unknown or the processor lacks it. */
int isa_select(const char *name, struct err *e);

#endif
