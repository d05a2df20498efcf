/* SPDX-License-Identifier: MIT */
#include "kernels/float_depthwise.h"

#include <string.h>

static int rounded(const struct depthwise_kernel *k, const struct conv_geom *g)
{
    return (g->cout + k->lanes - 1) / k->lanes * k->lanes;
}

bool depthwise_can(const struct conv_geom *g)
{
    return g->groups > 1 && g->groups == g->cin && g->cout == g->cin;
}

size_t depthwise_packed_size(const struct depthwise_kernel *k, const struct conv_geom *g)
{
    return (size_t)rounded(k, g) * (size_t)(g->kh * g->kw + 1) * sizeof(float);
}

void depthwise_pack(const struct depthwise_kernel *k, const struct conv_geom *g, const float *weights,
                    const float *bias, void *packed)
{
    int taps = g->kh * g->kw, wide = rounded(k, g);
    float *to = packed;
    memset(packed, 0, depthwise_packed_size(k, g));
    for (int o = 0; o < g->cout; o++) {
        to[o] = bias ? bias[o] : 0;
        for (int i = 0; i < taps; i++)
            to[(size_t)(i + 1) * (size_t)wide + (size_t)o] = weights[(size_t)o * (size_t)taps + (size_t)i];
    }
}

size_t depthwise_scratch_size(const struct conv_geom *g)
{
    (void)g;
    return 0;
}

/* Taps first..end-1 of k, dilation apart from `at` on, fall into 0..size-1. */
static void taps_inside(int at, int dilation, int k, int size, int *first, int *end)
{
    *first = at < 0 ? (-at + dilation - 1) / dilation : 0;
    *end = at < size ? (size - 1 - at) / dilation + 1 : 0;
    *first = *first < k ? *first : k;
    *end = *end < k ? *end : k;
    *end = *end > *first ? *end : *first;
}

/* One row of output pixels, and the tile that its tiles are made from. */
struct depthwise_row {
    const struct depthwise_kernel *k;
    const struct conv_geom *g;
    int wide; /* packed channels */
    const float *in;
    struct depthwise_tile t; /* of pixel 0 with all taps in a row; in may lie outside of the image */
};

/* Pixels ox..ox+m-1 with taps first..end-1 of a row. */
static void run_pixels(const struct depthwise_row *r, int ox, int m, int first, int end)
{
    struct depthwise_tile t = r->t;
    t.in += (ptrdiff_t)ox * t.step + (ptrdiff_t)first * t.across;
    t.weights += (ptrdiff_t)first * t.tap;
    t.kw = end - first;
    t.slide = t.slide && t.kw == 3;
    t.out += (ptrdiff_t)ox * t.out_step;
    t.add += t.add ? (ptrdiff_t)ox * t.out_step : 0;
    r->k->tile(m, &t);
}

static void run_row(const struct depthwise_row *r)
{
    const struct conv_geom *g = r->g;
    int reach = (g->kw - 1) * g->dilation_w;
    int inside = (g->pad_left + g->stride_w - 1) / g->stride_w; /* pixels from here on have all taps */
    int right = g->w - 1 - reach + g->pad_left, outside = right < 0 ? 0 : right / g->stride_w + 1; /* up to here */
    outside = outside < g->ow ? outside : g->ow;
    for (int ox = 0; ox < g->ow;) {
        int m = 1, first = 0, end = g->kw;
        if (ox >= inside && ox < outside) {
            int left = outside - ox, tiles = (left + r->k->pixels - 1) / r->k->pixels;
            m = (left + tiles - 1) / tiles;
        } else {
            taps_inside(ox * g->stride_w - g->pad_left, g->dilation_w, g->kw, g->w, &first, &end);
        }
        run_pixels(r, ox, m, first, end);
        ox += m;
    }
}

void depthwise_run(const struct depthwise_kernel *k, const struct conv_geom *g, const struct float_conv_call *call)
{
    struct depthwise_row r = {k, g, rounded(k, g), call->in, {0}};
    const float *bias = call->packed;
    for (int oy = 0; oy < g->oh; oy++) {
        int y = oy * g->stride_h - g->pad_top, first, end;
        taps_inside(y, g->dilation_h, g->kh, g->h, &first, &end);
        ptrdiff_t row = (ptrdiff_t)g->w * g->cin, out = (ptrdiff_t)oy * g->ow * g->cout;
        for (int c = 0; c < g->cout; c += k->lanes) {
            r.t = (struct depthwise_tile){
                .in = call->in + (y + first * g->dilation_h) * row - (ptrdiff_t)g->pad_left * g->cin + c,
                .step = (ptrdiff_t)g->stride_w * g->cin,
                .across = (ptrdiff_t)g->dilation_w * g->cin,
                .down = g->dilation_h * row,
                .kh = end - first,
                .slide = g->dilation_w == g->stride_w,
                .weights = bias + r.wide + (ptrdiff_t)first * g->kw * r.wide + c,
                .tap = r.wide,
                .tap_row = (ptrdiff_t)g->kw * r.wide,
                .bias = bias + c,
                .add = call->add ? call->add + out + c : NULL,
                .lo = call->lo,
                .hi = call->hi,
                .out = call->out + out + c,
                .out_step = g->cout,
                .channels = g->cout - c < k->lanes ? g->cout - c : k->lanes,
            };
            run_row(&r);
        }
    }
}
