/* SPDX-License-Identifier: MIT
 *
 * Running plans over many images and timing them: calibration, outputs of a whole dataset part on all cores, latency of
 * one image on one thread.
 */
#ifndef BITFADER_ENGINE_EVALUATE_H
#define BITFADER_ENGINE_EVALUATE_H

#include "base/progress.h"
#include "engine/plan.h"

/* Source of images: writes image i as the model's inputs (arrays as runner_run_arrays takes them). */
struct image_source {
    void (*get)(void *ctx, int i, void *const *in);
    void *ctx;
    int n;
};

/* Runs the fp32 plan over images first..first+n-1 and builds a histogram of every float tensor. NULL when stopped or
 * when the fp32 plan cannot be compiled. */
struct calibration *evaluate_calibrate(const struct graph *g, const struct image_source *src, int n,
                                       const struct progress *p, struct err *e);

/* Scores outputs[n][plan_output_count] of images 0..n-1, on all cores. Returns the number of images done from the start
 * (less than n only when stopped), or -1 with a message when an operator refused its values (runner_check) or the graph
 * has no scores. */
int evaluate_outputs(const struct plan *plan, const struct image_source *src, int n, float *outputs,
                     const struct progress *p, struct err *e);

/* The same, but only the index of each image's largest score: best[n]. */
int evaluate_top1(const struct plan *plan, const struct image_source *src, int n, int32_t *best,
                  const struct progress *p, struct err *e);

/* Index of the largest value: top-1. */
int evaluate_argmax(const float *x, int n);

/* Mean over images of KL(softmax(reference) || softmax(x)), nats. rows of `classes` logits. */
double evaluate_kl(const float *reference, const float *x, int images, int classes);
/* What stands in for it where an output has one value an image, which KL says nothing of: the power of the error over
 * that of the reference. */
double evaluate_error_power(const float *reference, const float *x, int images);

/* Latency of one image on the calling thread, after warm-up: the lowest median of a batch of consecutive runs, since
 * machines have slow spells, and the 95th percentile of all runs. step_ns may be NULL, or gets each step's median in
 * that batch ([plan_step_count]). */
enum { LATENCY_BATCH = 15 };
struct latency {
    double median_ns, p95_ns;
    int runs;
};
struct latency evaluate_latency(const struct plan *plan, const void *const *in, int runs, double *step_ns);
/* The same with `threads` threads on that image (runner_new_team). */
struct latency evaluate_team_latency(const struct plan *plan, int threads, const void *const *in, int runs);

#endif
