/* SPDX-License-Identifier: MIT
 *
 * Max pooling on codes along rows of outputs, a vector of channels at a time. Private to the files of kernels/ that
 * define, before they include it, the vector by
 *     POOL_BYTES                          how many codes
 *     pool_vector                         its type
 *     pool_load(p), pool_store(p, x)      from and to any address
 *     pool_zero, pool_max(x, y)
 */
#ifndef BITFADER_KERNELS_POOL_TEMPLATE_H
#define BITFADER_KERNELS_POOL_TEMPLATE_H

#include <string.h>

#include "kernels/pool_window.h"
#include "kernels/unroll.h"

/* What the windows of a row of outputs have below them. */
struct pool_band {
    const uint8_t *in; /* column 0 of the first row, the vector's first channel */
    size_t row, pixel; /* bytes to the next */
    int rows;          /* at least one */
};

INLINE pool_vector pool_column(const struct pool_band *b, int x, int rows)
{
    const uint8_t *p = b->in + (size_t)x * b->pixel;
    pool_vector m = pool_load(p);
    for (int i = 1; i < rows; i++)
        m = pool_max(m, pool_load(p + (size_t)i * b->row));
    return m;
}

/* Outputs first..end-1 of a row, of any window. */
static void pool_any(const struct conv_geom *g, const struct pool_band *b, int first, int end, uint8_t *out)
{
    for (int ox = first; ox < end; ox++) {
        int x = ox * g->stride_w - g->pad_left, i, last;
        window_clip(x, g->dilation_w, g->kw, g->w, &i, &last);
        pool_vector m = pool_zero;
        for (; i < last; i++)
            m = pool_max(m, pool_column(b, x + i * g->dilation_w, b->rows));
        pool_store(out + (size_t)ox * b->pixel, m);
    }
}

/* The same of k x k windows inside of the image that are k - 1 columns apart: each leaves its last column's maximum to
 * the next. */
INLINE void pool_sharing(const struct conv_geom *g, const struct pool_band *b, int k, int first, int end, uint8_t *out)
{
    int x = first * (k - 1) - g->pad_left;
    pool_vector last = pool_column(b, x, k);
    for (int ox = first; ox < end; ox++, x += k - 1) {
        pool_vector m = last;
        UNROLL
        for (int i = 1; i < k; i++) {
            last = pool_column(b, x + i, k);
            m = pool_max(m, last);
        }
        pool_store(out + (size_t)ox * b->pixel, m);
    }
}

static void pool_row(const struct conv_geom *g, const struct pool_band *b, uint8_t *out)
{
    enum { K = 3 };
    int first = 0, end = 0; /* outputs whose windows share */
    if (b->rows == K && g->kw == K && g->stride_w == K - 1 && g->dilation_w == 1 && g->w >= K) {
        first = (g->pad_left + K - 2) / (K - 1);
        end = (g->w - K + g->pad_left) / (K - 1) + 1;
        end = end < g->ow ? end : g->ow;
    }
    if (first >= end)
        first = end = 0;
    pool_any(g, b, 0, first, out);
    if (first < end)
        pool_sharing(g, b, K, first, end, out);
    pool_any(g, b, end, g->ow, out);
}

/* At least POOL_BYTES channels: the last vector of a pixel begins where it ends with the pixel. */
static void pool_rows(const struct conv_geom *g, const uint8_t *in, uint8_t *out)
{
    size_t channels = (size_t)g->cin, row = (size_t)g->w * channels, out_row = (size_t)g->ow * channels;
    for (int oy = 0; oy < g->oh; oy++, out += out_row) {
        int y = oy * g->stride_h - g->pad_top, from, end;
        window_clip(y, g->dilation_h, g->kh, g->h, &from, &end);
        if (from >= end) {
            memset(out, 0, out_row);
            continue;
        }
        const uint8_t *first = in + (size_t)(y + from * g->dilation_h) * row;
        for (size_t c = 0; c < channels; c += POOL_BYTES) {
            size_t at = c + POOL_BYTES <= channels ? c : channels - POOL_BYTES;
            struct pool_band b = {first + at, (size_t)g->dilation_h * row, channels, end - from};
            pool_row(g, &b, out + at);
        }
    }
}

#endif
