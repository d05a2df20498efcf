/* SPDX-License-Identifier: MIT
 *
 * Schemes: how a weight becomes a small integer code. One row a scheme, in the order of enum scheme.
 */
#ifndef BITFADER_QUANT_SCHEME_H
#define BITFADER_QUANT_SCHEME_H

#include <stdint.h>

#include "base/err.h"
#include "quant/precision.h"

/* Weights of one layer as codes: w[c][i] is about scale[c] * levels[codes[c][i]]. */
struct quant_weights {
    int cout, k; /* output channels; weights per channel */
    int bits;
    uint8_t *codes;     /* [cout][k], in the order of the float weights */
    int8_t levels[256]; /* the integer of each code; with more than 4 bits levels[c] == c - (1 << (bits - 1)) */
    float *scale;       /* [cout]; all equal with tensor granularity */
    int n_scales;       /* that must be stored: 1 or cout */
};

struct scheme_row {
    const char *name;
    const char *help;
    int min_bits, max_bits;
    /* Chooses levels, scales and codes for w [cout][k]; q has its sizes, bits and memory. */
    void (*fit)(const float *w, int granularity, int range, struct quant_weights *q);
};
extern const struct scheme_row scheme_table[SCHEME_COUNT];

/* Quantizes w [cout][k] as p says (p->w_bits 1..8, valid). Free with scheme_weights_free. */
struct quant_weights *scheme_quantize(const float *w, int cout, int k, const struct precision *p);
void scheme_weights_free(struct quant_weights *q);
/* With its memory and sizes, to be filled. */
struct quant_weights *scheme_weights_new(int cout, int k, const struct precision *p);

/* out[cout][k] = scale * level: what the codes stand for. */
void scheme_dequantize(const struct quant_weights *q, float *out);

/* Adds sum w^2 and sum (w - w^)^2. */
void scheme_add_noise(const float *w, const struct quant_weights *q, double *signal, double *noise);
/* Signal to quantization noise in dB: 10 log10(sum w^2 / sum (w - w^)^2). INFINITY when exact. */
double scheme_sqnr(const float *w, const struct quant_weights *q);

/* Exact bytes that a layer's weights take when stored: codes packed at their width, one float scale for each n_scales,
 * one float bias for each of n_bias. Float weights (bits 0) take 4 bytes each. */
int64_t scheme_bytes(int cout, int k, int bits, int granularity, int n_bias);

#endif
