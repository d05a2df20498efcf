/* SPDX-License-Identifier: MIT
 *
 * The rows of kernel_list.c, each in the file of its name (the three of bit planes in one). Private to kernels/ and its
 * tests.
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
extern const struct conv_kernel conv_wino_avx2;
extern const struct conv_kernel dwconv_avx2;
extern const struct matmul_kernel matmul_avx2;
extern const struct vec_kernels vec_avx2;
extern const struct vec_kernels vec_avx512;
extern const struct conv_kernel conv_vnni_avx512;
extern const struct conv_kernel conv_wino_avx512;
extern const struct conv_kernel dwconv_avx512;
extern const struct conv_kernel conv_stream_avx512;
extern const struct conv_kernel conv_trits_avx512;
extern const struct conv_kernel dwconv_rows_avx512;
extern const struct conv_kernel dwconv_3x3_avx512;
extern const struct conv_kernel conv_tables_avx512;
extern const struct conv_kernel conv_pixels_avx512;
extern const struct matmul_kernel matmul_avx512;
extern const struct conv_kernel conv_planes_avx2;
extern const struct conv_kernel conv_planes_avx512;
extern const struct conv_kernel conv_planes4_avx512;
extern const struct conv_kernel conv_carries_avx512;
#elif defined(__aarch64__)
extern const struct conv_kernel conv_neon;
extern const struct conv_kernel dwconv_neon;
extern const struct matmul_kernel matmul_neon;
extern const struct vec_kernels vec_neon;
extern const struct conv_kernel conv_neondot;
extern const struct matmul_kernel matmul_neondot;
#endif

#endif
