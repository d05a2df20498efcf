/* SPDX-License-Identifier: MIT
 *
 * Instruction sets: what this processor and its operating system can run, and what the user allows (--isa).
 * The mask is the one piece of global mutable state in Bitfader; set it before plans are compiled.
 */
#ifndef BITFADER_KERNELS_ISA_H
#define BITFADER_KERNELS_ISA_H

#include <stdbool.h>

#include "base/err.h"

/* Of all architectures, each one's from slow to fast. */
enum isa {
    ISA_C,          /* portable C: the specification */
    ISA_AVX2,       /* x86-64: AVX2 and FMA */
    ISA_AVX512VNNI, /* AVX-512 F, BW, DQ, VL and VNNI */
    ISA_AVX512VBMI, /* and VBMI, VPOPCNTDQ: bytes from tables of 64 and 128, population counts */
    ISA_NEON,       /* aarch64: its baseline */
    ISA_NEONDOT,    /* and the dot product of 8-bit operands (asimddp) */
    ISA_COUNT
};

/* X(isa, name) for each of this architecture, but C. */
#if defined(__x86_64__)
#define ISA_ROWS(X) X(ISA_AVX2, "avx2") X(ISA_AVX512VNNI, "avx512vnni") X(ISA_AVX512VBMI, "avx512vbmi")
#elif defined(__aarch64__)
#define ISA_ROWS(X) X(ISA_NEON, "neon") X(ISA_NEONDOT, "neondot")
#else
#define ISA_ROWS(X)
#endif

/* What isa_select understands, for people: "c, avx2, ..., auto". */
#define ISA_COMMA_NAME(isa, name) ", " name
#define ISA_NAMES                 "c" ISA_ROWS(ISA_COMMA_NAME) ", auto"

/* "c", "avx2", ...; NULL if it is another architecture's. */
const char *isa_name(enum isa isa);

/* True when the processor and the operating system (XGETBV, HWCAP) support it, whatever the mask says. */
bool isa_supported(enum isa isa);

/* True when supported and not masked. */
bool isa_enabled(enum isa isa);

/* Allows the instruction sets up to and including the named one ("c", "avx2", ..., "auto").
 * Fails when the name is unknown or the processor lacks it. */
int isa_select(const char *name, struct err *e);

#endif
