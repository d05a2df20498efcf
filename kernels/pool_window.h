/* SPDX-License-Identifier: MIT
 *
 * Where a pooling window lies in the image. Private to kernels/.
 */
#ifndef BITFADER_KERNELS_POOL_WINDOW_H
#define BITFADER_KERNELS_POOL_WINDOW_H

#include "kernels/kernels.h"

/* The taps of one output pixel that are inside of the image. */
struct window {
    const uint8_t *first; /* channel 0 under the first of them */
    size_t row, column;   /* bytes to the next */
    int rows, columns;
};

/* Taps first..last-1 of a window of k fall into 0..size-1. */
static inline void window_clip(int at, int dilation, int k, int size, int *first, int *last)
{
    *first = at < 0 ? (-at + dilation - 1) / dilation : 0;
    if (at + (k - 1) * dilation < size) /* most windows: no division */
        *last = k;
    else
        *last = at < size ? (size - 1 - at) / dilation + 1 : 0;
}

static inline struct window window_at(const struct conv_geom *g, const uint8_t *in, int oy, int ox)
{
    int y = oy * g->stride_h - g->pad_top, x = ox * g->stride_w - g->pad_left, y0, y1, x0, x1;
    window_clip(y, g->dilation_h, g->kh, g->h, &y0, &y1);
    window_clip(x, g->dilation_w, g->kw, g->w, &x0, &x1);
    struct window w = {.row = (size_t)g->dilation_h * (size_t)g->w * (size_t)g->cin,
                       .column = (size_t)g->dilation_w * (size_t)g->cin};
    if (y0 >= y1 || x0 >= x1)
        return w;
    size_t at = (size_t)(y + y0 * g->dilation_h) * (size_t)g->w + (size_t)(x + x0 * g->dilation_w);
    w.first = in + at * (size_t)g->cin;
    w.rows = y1 - y0;
    w.columns = x1 - x0;
    return w;
}

#endif
