/* SPDX-License-Identifier: MIT
 *
 * The rows of the tables in table.c, one a file. Private to kernels/ and its tests.
 */
#ifndef BITFADER_KERNELS_ROWS_H
#define BITFADER_KERNELS_ROWS_H

#include "kernels/kernels.h"

extern const struct conv_kernel conv_c;
extern const struct conv_kernel dwconv_c;
extern const struct matmul_kernel matmul_c;
extern const struct vec_kernels vec_c;

#if defined(__x86_64__)
extern const struct conv_kernel conv_madd16_avx2;
extern const struct conv_kernel conv_madd8_avx2;
extern const struct conv_kernel dwconv_avx2;
extern const struct matmul_kernel matmul_avx2;
extern const struct vec_kernels vec_avx2;
extern const struct conv_kernel conv_vnni_avx512;
extern const struct conv_kernel dwconv_avx512;
extern const struct conv_kernel conv_tables_avx512;
extern const struct conv_kernel conv_tables_pixels_avx512;
extern const struct matmul_kernel matmul_avx512;
#endif

#endif
