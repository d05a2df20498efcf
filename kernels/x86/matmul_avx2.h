/* SPDX-License-Identifier: MIT
 *
 * What the AVX-512 product of codes takes over from the AVX2 one. Private to kernels/; files with those instruction
 * sets alone call it.
 */
#ifndef BITFADER_KERNELS_X86_MATMUL_AVX2_H
#define BITFADER_KERNELS_X86_MATMUL_AVX2_H

#include "kernels/matmul.h"

/* m rows from `row` on and up to 16 columns from `column` on: corrects acc [m][16] (64-byte aligned) by the columns'
 * [16] and the rows' [m] numbers and stores it where the call wants it. */
void matmul_finish_avx2(const struct matmul_shape *s, const struct matmul_call *call, int row, int column, int m,
                        const int32_t *columns, const int32_t *sums, const int32_t *acc);

#endif
