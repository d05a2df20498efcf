/* SPDX-License-Identifier: MIT
 *
 * The float kernels of the AVX2 table. Private to kernels/.
 */
#ifndef BITFADER_KERNELS_VEC_FLOAT_AVX2_H
#define BITFADER_KERNELS_VEC_FLOAT_AVX2_H

#include "kernels/kernels.h"

void im2col_f32_avx2(const struct conv_geom *g, int group, int first, int count, const float *in, float *rows);
void bias_clamp_f32_avx2(size_t pixels, size_t channels, const float *bias, float lo, float hi, float *x);
void add_f32_avx2(size_t n, const float *a, const float *b, float lo, float hi, float *out);

#endif
