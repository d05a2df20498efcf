/* SPDX-License-Identifier: MIT
 *
 * Convolutions in float, as kernels.h is for codes: rows of a table, each pure functions on [height][width][channels].
 * They read taps straight from the image; what follows a convolution (bias, a residual addition, a clamp) happens where
 * its sums are stored.
 *
 * The C row is the definition. Others may fuse multiplications with additions and sum in another order, so that their
 * last bits differ.
 */
#ifndef BITFADER_KERNELS_FLOAT_CONV_H
#define BITFADER_KERNELS_FLOAT_CONV_H

#include "kernels/kernels.h"

/* out = clamp(sum of taps inside of the image + bias + residual, lo, hi) */
struct float_conv_call {
    const float *in;    /* [h][w][cin] */
    const void *packed; /* by pack(), 64-byte aligned */
    void *scratch;      /* scratch_size() bytes, 64-byte aligned; contents need not survive between calls */
    const float *add;   /* residual: [oh][ow][cout], or NULL */
    float lo, hi;       /* -INFINITY, INFINITY: no clamp */
    float *out;         /* [oh][ow][cout]; not the memory of in or add */
    int channels[2];    /* as in struct conv_call */
};

struct float_conv_kernel {
    const char *name; /* "conv_f32_fma": shown to users as what ran */
    enum isa isa;
    bool (*can)(const struct conv_geom *g);
    size_t (*packed_size)(const struct conv_geom *g); /* bytes */
    /* weights: [cout][kh][kw][cin/groups]; bias: [cout], or NULL. Shapes that differ in the image's size and padding
     * share packed weights, and each output is the same sum in the same order whatever these are. */
    void (*pack)(const struct conv_geom *g, const float *weights, const float *bias, void *packed);
    size_t (*scratch_size)(const struct conv_geom *g); /* bytes */
    void (*run)(const struct conv_geom *g, const struct float_conv_call *call);
    int (*channel_unit)(const struct conv_geom *g); /* NULL: a call is for all channels */
};

/* Slow to fast: the last enabled one that can is what float_conv_find returns. The first, C, can do everything. */
extern const struct float_conv_kernel *const float_conv_kernels[];
extern const int float_conv_kernel_count;
const struct float_conv_kernel *float_conv_find(const struct conv_geom *g);

/* The same convolution with its height and width exchanged where the image is one pixel wide: rows are what kernels are
 * fast along, and the memory is the same. */
struct conv_geom float_conv_lying(const struct conv_geom *g);

#endif
