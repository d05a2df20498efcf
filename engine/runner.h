/* SPDX-License-Identifier: MIT
 *
 * A runner: one thread's memory (or a team's) to run a plan in, one image at a time.
 */
#ifndef BITFADER_ENGINE_RUNNER_H
#define BITFADER_ENGINE_RUNNER_H

#include "engine/plan.h"

struct runner;
struct runner *runner_new(const struct plan *p);
/* One that takes `threads` threads for an image, for the shortest time to a result; for many images, contexts of one
 * thread each do more. Its threads sleep between runs that are far apart. The output is the same bit for bit. */
struct runner *runner_new_team(const struct plan *p, int threads);
void runner_free(struct runner *x);

/* Runs one image through a graph with one float input. input: row-major (NCHW). output: the graph's scores
 * (graph_scores), row-major. step_ns may be NULL, or takes each step's time in nanoseconds; then all of it is on the
 * calling thread. */
void runner_run(struct runner *x, const float *input, float *output, int64_t *step_ns);

/* The same with every input and output of the graph, in its order: row-major arrays of the tensors' types. An output
 * that is NULL is not wanted. */
void runner_run_arrays(struct runner *x, const void *const *in, void *const *out);
/* Without outputs, for the time that it takes. */
void runner_run_timed(struct runner *x, const void *const *in, int64_t *step_ns);

/* Arrays as the functions above take them, for all inputs or all outputs of a graph. */
void **runner_inputs_new(const struct graph *g);
void **runner_outputs_new(const struct graph *g);
void runner_arrays_free(void **arrays);

/* 0, or -1 and a message when an operator refused the values that it got (an index out of range) in any run so far. */
int runner_check(const struct runner *x, struct err *e);

/* see is called for each float input, and after each step that makes a float tensor, with the tensor's index; values in
 * physical order. Used by calibration on the fp32 plan. */
void runner_run_observed(struct runner *x, const void *const *in,
                         void (*see)(void *ctx, int tensor, const float *values, size_t n), void *ctx);

/* Copy of a tensor of the graph in row-major order as floats (codes are dequantized), after runner_run and before the
 * next. Only for tensors that the plan keeps: compile with plan_keep_all set. For tests. Returns 0, or -1 when the plan
 * has no such tensor. */
int runner_read_tensor(const struct runner *x, int tensor, float *out);

#endif
