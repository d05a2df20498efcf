/* SPDX-License-Identifier: MIT
 *
 * Entries of vec_kernels in C that other instruction sets take over as they are. Private to kernels/.
 */
#ifndef BITFADER_KERNELS_VEC_C_H
#define BITFADER_KERNELS_VEC_C_H

#include "kernels/kernels.h"

void im2col_f32_c(const struct conv_geom *g, int group, int first, int count, const float *in, float *rows);
void unary_f32_c(enum float_unary f, size_t n, const float *x, float alpha, float lo, float hi, float *out);
void maxpool_f32_c(const struct conv_geom *g, const float *in, float *out);
void avgpool_f32_c(const struct conv_geom *g, const float *in, const float *scale, float *out);
void transpose_f32_c(size_t rows, size_t columns, const float *in, size_t in_step, float *out, size_t out_step);
void transpose_u8_c(size_t rows, size_t columns, const uint8_t *in, size_t in_step, uint8_t *out, size_t out_step);

#endif
