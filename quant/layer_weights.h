/* SPDX-License-Identifier: MIT
 *
 * A layer's weights: in the order of kernels, as codes, how far codes are off, and how many bytes they take.
 */
#ifndef BITFADER_QUANT_LAYER_WEIGHTS_H
#define BITFADER_QUANT_LAYER_WEIGHTS_H

#include "model/graph.h"
#include "quant/precision.h"
#include "quant/weights.h"

/* Weights of part `part` (0..n_weights-1) of a layer as [cout][kh][kw][cin/groups], the order of kernels, which the
 * caller frees. */
float *layer_weights(const struct graph *g, int layer, int part);
/* As codes at p (p->w_bits 1..8): on the file's own lattice where that is p's, else fitted by the scheme. The caller
 * frees (weights_free). */
struct quant_weights *layer_quantize(const struct graph *g, int layer, int part, const struct precision *p);

/* Signal to quantization noise of a layer's weights at p, dB; INFINITY when exact or when there are none. From evenly
 * spread output channels where the layer has more than `most` weights, but from at least `channels`. */
double layer_weights_sqnr(const struct graph *g, int layer, const struct precision *p, int64_t most, int channels);
/* Exact bytes of a layer's weights at a width, with their scales and biases; 0 for a product of two activations. */
int64_t layer_bytes(const struct graph *g, int layer, int bits, int granularity);

#endif
