/* SPDX-License-Identifier: MIT
 *
 * Windows that move over the spatial dimensions of [n][channels][..]: the arithmetic that convolutions and pools share.
 */
#ifndef BITFADER_OPS_WINDOW_H
#define BITFADER_OPS_WINDOW_H

#include "ops/op.h"

enum { SPATIAL_MAX = 3, SIDE_MAX = 1 << 24 };

struct op_window {
    int n; /* spatial dimensions, 1..SPATIAL_MAX */
    int64_t in[SPATIAL_MAX], kernel[SPATIAL_MAX], stride[SPATIAL_MAX], dilation[SPATIAL_MAX];
    int64_t begin[SPATIAL_MAX], end[SPATIAL_MAX], out[SPATIAL_MAX];
    int64_t area_in, area_out, taps; /* products of in, out and kernel */
};

/* Reads kernel_shape, strides, dilations, pads and auto_pad for input 0, and resolves padding and output size. kernel:
 * from the weights, or NULL when kernel_shape must say. ceil_mode counts a last window that begins inside of the padded
 * input. */
int op_window_read(const struct op_call *c, const int64_t *kernel, struct op_window *w, struct err *e);

/* The same for a transposed convolution of inputs 0 and 1: `in` and `out` are exchanged, so that w->out is the size of
 * its input, w->in that of its output, and w->begin the padding that output_shape, auto_pad and pads come to. */
int op_window_transposed(const struct op_call *c, struct op_window *w, struct err *e);

/* Positions of the window: at[] runs over 0..out-1 row-major. Returns false after the last. */
bool op_window_next(const struct op_window *w, const int64_t *limit, int64_t *at);

#endif
