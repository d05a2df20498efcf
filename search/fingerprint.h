/* SPDX-License-Identifier: MIT
 *
 * Private to search/: what the times of kernels depend on, as one line of text: the processor, its caches, the
 * instruction sets that it has and that may be used (--isa), the table of kernels and the program. A measurement that
 * was made under another line is another machine's or another program's.
 */
#ifndef BITFADER_SEARCH_FINGERPRINT_H
#define BITFADER_SEARCH_FINGERPRINT_H

#include <stddef.h>

/* "NAME; has avx2; uses avx2; caches 32K 1M 32M; kernels 1f...; bitfader 0.1.0". The caller frees. */
char *fingerprint_new(void);

/* Why a table made under `other` does not count under `own`: "another processor (NAME)", "other kernels"; NULL where
 * the lines are equal, or differ only in what may be used, which is the user's own wish. */
char *fingerprint_difference(const char *own, const char *other);

#endif
