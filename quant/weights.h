/* SPDX-License-Identifier: MIT
 *
 * The weights of a layer as codes.
 */
#ifndef BITFADER_QUANT_WEIGHTS_H
#define BITFADER_QUANT_WEIGHTS_H

#include <stdint.h>

#include "quant/precision.h"

/* w[c][i] is about scale[c] * levels[codes[c][i]]. */
struct quant_weights {
    int cout, k; /* output channels; weights per channel */
    int bits;
    uint8_t *codes;     /* [cout][k], in the order of the float weights */
    int8_t levels[256]; /* the integer of each code; with more than 4 bits levels[c] == c - (1 << (bits - 1)) */
    float *scale;       /* [cout]; all equal with tensor granularity */
    int n_scales;       /* that must be stored: 1 or cout */
};

/* Quantizes w [cout][k] as p says (p->w_bits 1..8, valid). */
struct quant_weights *weights_quantize(const float *w, int cout, int k, const struct precision *p);
/* With its memory and sizes, to be filled. */
struct quant_weights *weights_new(int cout, int k, const struct precision *p);
void weights_free(struct quant_weights *q);

/* out[cout][k] = scale * level: what the codes stand for. */
void weights_dequantize(const struct quant_weights *q, float *out);

/* Adds sum w^2 and sum (w - w^)^2. */
void weights_add_noise(const float *w, const struct quant_weights *q, double *signal, double *noise);
/* Signal to quantization noise in dB: 10 log10(sum w^2 / sum (w - w^)^2). INFINITY when exact. */
double weights_sqnr(const float *w, const struct quant_weights *q);

/* Exact bytes that a layer's weights take when stored: codes packed at their width, one float scale for each n_scales,
 * one float bias for each of n_bias. Float weights (bits 0) take 4 bytes each. */
int64_t weights_bytes(int cout, int k, int bits, int granularity, int n_bias);

#endif
