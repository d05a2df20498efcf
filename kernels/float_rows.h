/* SPDX-License-Identifier: MIT
 *
 * The rows of the table in float_list.c, one a file. Private to kernels/ and its tests.
 */
#ifndef BITFADER_KERNELS_FLOAT_ROWS_H
#define BITFADER_KERNELS_FLOAT_ROWS_H

#include "kernels/float_conv.h"

extern const struct float_conv_kernel conv_f32_c;

#if defined(__x86_64__)
extern const struct float_conv_kernel conv_f32_fma;
extern const struct float_conv_kernel dwconv_f32_fma;
extern const struct float_conv_kernel conv_f32_avx512;
extern const struct float_conv_kernel dwconv_f32_avx512;
#elif defined(__aarch64__)
extern const struct float_conv_kernel conv_f32_neon;
extern const struct float_conv_kernel dwconv_f32_neon;
#endif

#endif
