/* SPDX-License-Identifier: MIT
 *
 * What several plans of one graph share: quantized weights, activation quantizers, and the times that kernels are
 * chosen by. So compiling hundreds of plans finds each once.
 */
#ifndef BITFADER_ENGINE_WEIGHT_CACHE_H
#define BITFADER_ENGINE_WEIGHT_CACHE_H

#include "model/graph.h"
#include "quant/precision.h"
#include "quant/range.h"
#include "quant/weights.h"

/* For one graph and one calibration; not for use by two threads at once. */
struct weight_cache;
struct kernel_times;
struct weight_cache *weight_cache_new(void);
void weight_cache_free(struct weight_cache *c);
/* Plans compiled with c run each integer convolution on the fastest row of t (engine/kernel_times.h), which stays the
 * caller's and outlives c; NULL, as at first: on the row that conv_kernel_find gives. */
void weight_cache_use_times(struct weight_cache *c, struct kernel_times *t);
/* Part `part` (0..n_weights-1) of a layer's weights at p (p->w_bits 1..8); owned by the cache. */
const struct quant_weights *weight_cache_get(struct weight_cache *c, const struct graph *g, int layer, int part,
                                             const struct precision *p);

/* A quantizer that was found before for this tensor, width and range method; NULL when there is none. The cache belongs
 * to one model and one calibration. */
const struct act_quant *weight_cache_find_act(const struct weight_cache *c, int tensor, int bits, int range);
void weight_cache_keep_act(struct weight_cache *c, int tensor, int bits, int range, const struct act_quant *q);
struct kernel_times *weight_cache_times(const struct weight_cache *c); /* or NULL */

#endif
