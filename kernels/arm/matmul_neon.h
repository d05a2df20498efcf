/* SPDX-License-Identifier: MIT
 *
 * The product of two matrices of codes on aarch64, but for its inner loop. Private to kernels/.
 *
 * Both sides are taken less 128, as signed bytes. With S' = sum (a - 128)(b - 128) and the names of matmul.h,
 * S = S' + 128 B: one more number a column, which pack() adds to that column's correction.
 */
#ifndef BITFADER_KERNELS_ARM_MATMUL_NEON_H
#define BITFADER_KERNELS_ARM_MATMUL_NEON_H

#include "kernels/matmul.h"

enum { MATMUL_NEON_ROWS = 4, MATMUL_NEON_UNIT = 4 };

/* acc[m][16] = S' of m <= 4 rows and one panel: a has rows of 4 * steps signed bytes, b [steps][16][4]. */
typedef void matmul_neon_tile(int m, int steps, const int8_t *a, const int8_t *b, int32_t *acc);

/* The bodies of a row's functions. */
size_t matmul_neon_packed_size(const struct matmul_shape *s);
void matmul_neon_pack(const struct matmul_shape *s, const uint8_t *b, void *packed);
size_t matmul_neon_scratch_size(const struct matmul_shape *s);
void matmul_neon_run(matmul_neon_tile *tile, const struct matmul_shape *s, const struct matmul_call *call);

#endif
