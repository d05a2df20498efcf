/* SPDX-License-Identifier: MIT
 *
 * The float kernels of the AVX2 table. Private to kernels/.
 */
#ifndef BITFADER_KERNELS_X86_VEC_FLOAT_AVX2_H
#define BITFADER_KERNELS_X86_VEC_FLOAT_AVX2_H

#include "kernels/kernels.h"

void im2col_f32_avx2(const struct conv_geom *g, int group, int first, int count, const float *in, float *rows);
void bias_clamp_f32_avx2(size_t pixels, size_t channels, const float *bias, float lo, float hi, float *x);
void add_f32_avx2(size_t n, const float *a, const float *b, float lo, float hi, float *out);
void mul_f32_avx2(size_t n, const float *a, const float *b, float lo, float hi, float *out);
void affine_f32_avx2(size_t pixels, size_t channels, const float *x, const float *scale, const float *shift, float lo,
                     float hi, float *out);
void unary_f32_avx2(enum float_unary f, size_t n, const float *x, float alpha, float lo, float hi, float *out);
void maxpool_f32_avx2(const struct conv_geom *g, const float *in, float *out);
void avgpool_f32_avx2(const struct conv_geom *g, const float *in, const float *scale, float *out);
void transpose_f32_avx2(size_t rows, size_t columns, const float *in, size_t in_step, float *out, size_t out_step);

#endif
