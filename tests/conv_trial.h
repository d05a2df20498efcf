/* SPDX-License-Identifier: MIT
 *
 * A convolution to try kernels on, and what a naive one in 64-bit arithmetic gives. Every buffer ends where an
 * unreadable page begins.
 */
#ifndef BITFADER_TESTS_CONV_TRIAL_H
#define BITFADER_TESTS_CONV_TRIAL_H

#include "base/rng.h"
#include "kernels/kernels.h"

enum output { OUT_U8, OUT_U8_RESIDUAL, OUT_S32, OUT_F32, OUTPUTS };

/* A convolution with everything it needs, and what it must give. */
struct trial {
    struct conv_geom g;
    int a_bits, pad_code;
    enum output output;
    struct conv_weights w;
    int8_t levels[256];
    uint8_t *codes, *in, *residual;
    struct requant rq;
    int32_t *m;
    int64_t *b;
    float *scale, *bias, *block_scales;
    int64_t *acc; /* expected accumulators */
    float *sums;  /* expected outputs where blocks of weights have scales */
};

/* The i-th kernel this machine can run, NULL after the last. */
const struct conv_kernel *trial_kernel(int i);
/* lo..hi, ends included; true in so many of a hundred cases */
int trial_between(struct rng *r, int lo, int hi);
bool trial_chance(struct rng *r, int percent);
/* Of one dimension, with some padding behind. */
int trial_out_size(struct rng *r, int in, int pad, int k, int stride, int dilation);
/* n codes from first to top: random, all at one end, or mostly so. */
void trial_codes(struct rng *r, int top, int first, size_t n, uint8_t *out);
/* Elements of the output. */
size_t trial_outputs(const struct conv_geom *g);
/* What must come out, anew after a change of codes, levels or input. */
void trial_expect(struct trial *t);
/* g: NULL for a random one. */
void trial_init(struct trial *t, struct rng *r, int w_bits, int a_bits, const struct conv_geom *g);
/* Gives blocks of weights scales of their own. */
void trial_blocks(struct trial *t, struct rng *r, int block);
void trial_done(struct trial *t);
/* On every kernel that can; all outputs compared. */
void trial_run_all(const struct trial *t);
/* Init, run_all, done. */
void trial_all(struct rng *r, int w_bits, int a_bits, const struct conv_geom *g);

#endif
