/* SPDX-License-Identifier: MIT
 *
 * A plan: a graph compiled under a precision for every layer. Weights are packed, every step knows its kernel, and one
 * arena holds all activations; a running plan allocates nothing. Between quantized layers there is no float: tensors
 * are codes, accumulators are requantized in fixed point, residual additions and pooling work on codes.
 *
 * A plan is immutable after compilation; any number of threads may run it, each in a context of its own. The output
 * is the same whatever the instruction set and the number of threads (integer layers bit for bit; fp32 layers but
 * for the last bits, whose sums instruction sets order and round in their own ways).
 */
#ifndef BITFADER_ENGINE_PLAN_H
#define BITFADER_ENGINE_PLAN_H

#include <stdint.h>

#include "base/err.h"
#include "model/graph.h"
#include "quant/calibration.h"
#include "quant/precision.h"

struct plan;
struct weight_cache; /* engine/weight_cache.h */

/* What became of a layer. */
struct plan_layer {
    struct precision requested, applied;
    const char *kernel; /* name of the kernel that runs it */
    char note[64];      /* why applied differs from requested or runs as something else ("emulated: ..."), or "" */
    int64_t bytes;      /* exact stored size: codes, scales, biases */
};

/* Compiles. precisions has one entry for each layer; c may be NULL only when every layer is fp32; cache may be NULL.
 * The graph must outlive the plan. NULL and a message naming the node when something cannot be compiled. */
struct plan *plan_compile(const struct graph *g, const struct precision *precisions, const struct calibration *c,
                          struct weight_cache *cache, struct err *e);
/* The same precision for all: w weight bits and a activation bits, defaults otherwise (precision_default); 0, 0 is
 * fp32. */
struct plan *plan_compile_uniform(const struct graph *g, int w, int a, const struct calibration *c,
                                  struct weight_cache *cache, struct err *e);
void plan_free(struct plan *p);

const struct plan_layer *plan_layers(const struct plan *p); /* [n_layers] */
/* Two plans of one graph that have the same key for a layer do the same work there: the same kernels on the same shapes
 * with weights packed at the same width. What the widths of activations do not change is one key for all of them. */
uint64_t plan_layer_key(const struct plan *p, int layer);
/* The kernels that competed for a layer, as kernel_times_contest; 0 where there was no contest: one kernel, or float.
 */
struct kernel_times;
struct contender;
int plan_layer_contest(const struct plan *p, int layer, const struct kernel_times *t, struct contender *out);
int64_t plan_bytes(const struct plan *p);      /* of all layers */
size_t plan_arena_bytes(const struct plan *p); /* activations */

/* Whether the engine can run nodes of that kind on codes. For the list of operators. */
bool plan_op_has_codes(enum op op);

/* Steps, for reports: what runs in which order. */
int plan_step_count(const struct plan *p);
struct plan_step_info {
    const char *name;   /* of the node, or of the tensor that is converted */
    const char *kernel; /* "conv_madd8_avx2", "add_u8", "quantize_u8", "conv_f32_fma" */
    int layer;          /* or -1 */
};
struct plan_step_info plan_step(const struct plan *p, int step);

int64_t plan_input_count(const struct plan *p);  /* elements of the first input */
int64_t plan_output_count(const struct plan *p); /* of the scores */
const struct graph *plan_graph(const struct plan *p);

/* Every tensor keeps its memory to the end of a run, so that runner_read_tensor can read it. For tests. */
void plan_keep_all(struct plan *p);

#endif
