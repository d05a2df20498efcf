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
#include "quant/histogram.h"
#include "quant/precision.h"
#include "quant/scheme.h"

/* What calibration learned: one histogram for each tensor of the graph (NULL where it was not observed). */
struct calibration {
    struct histogram **tensors; /* [n_tensors] */
    int n_tensors;
    int images;
};
void calibration_free(struct calibration *c);

/* Quantized weights and activation ranges that several plans share, so that compiling hundreds of plans finds each
 * once, and the times that their kernels are chosen by. For one graph and one calibration; not for use by two threads
 * at once. */
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
/* Signal to quantization noise of a layer's weights at p, dB; INFINITY when exact or when there are none. From evenly
 * spread output channels where the layer has more than `most` weights, but from at least `channels`. */
double layer_weights_sqnr(const struct graph *g, int layer, const struct precision *p, int64_t most, int channels);
/* Exact bytes of a layer's weights at a width, with their scales and biases; 0 for a product of two activations. */
int64_t layer_bytes(const struct graph *g, int layer, int bits, int granularity);

struct plan;

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
int64_t plan_bytes(const struct plan *p);      /* of all layers */
size_t plan_arena_bytes(const struct plan *p); /* activations */

/* Whether the engine can run nodes of that kind on codes. For the list of operators. */
bool plan_op_has_codes(enum op op);

/* Steps, for reports: what runs in which order. */
int plan_step_count(const struct plan *p);
struct plan_step_info {
    const char *name;   /* of the node, or of the tensor that is converted */
    const char *kernel; /* "conv_madd8_avx2", "add_u8", "quantize", "conv_f32_fma" */
    int layer;          /* or -1 */
};
struct plan_step_info plan_step(const struct plan *p, int step);

/* A context: memory to run one image at a time. */
struct plan_context;
struct plan_context *plan_context_new(const struct plan *p);
/* One that takes `threads` threads for an image, for the shortest time to a result; for many images, contexts of one
 * thread each do more. Its threads sleep between runs that are far apart. The output is the same bit for bit. */
struct plan_context *plan_context_new_team(const struct plan *p, int threads);
void plan_context_free(struct plan_context *x);

/* Runs one image through a graph with one float input. input: row-major (NCHW). output: the graph's scores
 * (graph_scores), row-major. step_ns may be NULL, or takes each step's time in nanoseconds; then all of it is on the
 * calling thread. */
void plan_run(struct plan_context *x, const float *input, float *output, int64_t *step_ns);

/* The same with every input and output of the graph, in its order: row-major arrays of the tensors' types. An output
 * that is NULL is not wanted. */
void plan_run_arrays(struct plan_context *x, const void *const *in, void *const *out);
/* Without outputs, for the time that it takes. */
void plan_run_timed(struct plan_context *x, const void *const *in, int64_t *step_ns);

/* Arrays as the functions above take them, for all inputs or all outputs of a graph. */
void **plan_inputs_new(const struct graph *g);
void **plan_outputs_new(const struct graph *g);
void plan_arrays_free(void **arrays);

/* 0, or -1 and a message when an operator refused the values that it got (an index out of range) in any run so far. */
int plan_check(const struct plan_context *x, struct err *e);

int64_t plan_input_count(const struct plan *p);  /* elements of the first input */
int64_t plan_output_count(const struct plan *p); /* of the scores */
const struct graph *plan_graph(const struct plan *p);

/* see is called for each float input, and after each step that makes a float tensor, with the tensor's index; values in
 * physical order. Used by calibration on the fp32 plan. */
void plan_run_observed(struct plan_context *x, const void *const *in,
                       void (*see)(void *ctx, int tensor, const float *values, size_t n), void *ctx);

/* Copy of a tensor of the graph in row-major order as floats (codes are dequantized), after plan_run and before the
 * next. Only for tensors that the plan keeps: compile with plan_keep_all set. For tests. Returns 0, or -1 when the plan
 * has no such tensor. */
void plan_keep_all(struct plan *p);
int plan_read_tensor(const struct plan_context *x, int tensor, float *out);

#endif
