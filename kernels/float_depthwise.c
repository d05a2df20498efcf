/* SPDX-License-Identifier: MIT */
#include "kernels/float_depthwise.h"

#include <string.h>

#include "base/num.h"

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

struct depthwise_plan {
    const struct depthwise_kernel *k;
    struct conv_geom g;
    int wide;           /* packed channels */
    bool whole;         /* rows are tiles from side to side */
    bool left, right;   /* whole: what the tiles at the sides lack */
    int inside, beyond; /* not whole: pixels that have all taps */
    int strip;          /* pixels of a strip */
};

enum { STRIP_FLOATS = 6 * 1024 };

static struct depthwise_plan make_plan(const struct depthwise_kernel *k, const struct conv_geom *shape)
{
    struct depthwise_plan p = {.k = k, .g = float_conv_lying(shape), .wide = rounded(k, shape)};
    const struct conv_geom *g = &p.g;
    int reach = (g->kw - 1) * g->dilation_w;
    int over = (g->ow - 1) * g->stride_w - g->pad_left + reach - (g->w - 1); /* of the last pixel */
    int most = g->stride_w < g->dilation_w ? g->stride_w : g->dilation_w;
    p.whole = g->pad_left <= most && over <= most;
    p.left = g->pad_left > 0;
    p.right = over > 0;
    p.inside = (g->pad_left + g->stride_w - 1) / g->stride_w;
    int right = g->w - 1 - reach + g->pad_left;
    p.beyond = right < 0 ? 0 : right / g->stride_w + 1;
    p.beyond = p.beyond < g->ow ? p.beyond : g->ow;
    int columns = STRIP_FLOATS / (g->kh * g->cin);
    p.strip = max_int((columns - reach) / g->stride_w, 2 * k->pixels);
    return p;
}

/* m pixels with all taps but those that t->left and t->right leave out; t moves on behind them. */
static void run_pixels(const struct depthwise_plan *p, struct depthwise_tile *t, int m)
{
    p->k->tile(m, t);
    t->in += m * t->step;
    t->out += m * t->out_step;
    if (t->add)
        t->add += m * t->out_step;
}

/* One pixel with taps first..end-1 of a row. */
static void run_side(const struct depthwise_plan *p, struct depthwise_tile *t, int first, int end)
{
    struct depthwise_tile own = *t;
    own.in += (ptrdiff_t)first * t->across;
    own.weights += (ptrdiff_t)first * t->tap;
    own.kw = end - first;
    own.slide = t->slide && own.kw == 3;
    run_pixels(p, &own, 1);
    t->in += t->step;
    t->out += t->out_step;
    if (t->add)
        t->add += t->out_step;
}

/* Pixels from..to-1 of a row; t is of the first of them, with all taps. */
static void run_row(const struct depthwise_plan *p, struct depthwise_tile *t, int from, int to)
{
    const struct conv_geom *g = &p->g;
    int inside = p->whole ? from : p->inside, beyond = p->whole || p->beyond > to ? to : p->beyond;
    for (int ox = from, m; ox < to; ox += m) {
        if (ox >= inside && ox < beyond) {
            int left = beyond - ox, tiles = (left + p->k->pixels - 1) / p->k->pixels;
            m = (left + tiles - 1) / tiles;
            t->left = p->whole && p->left && ox == 0;
            t->right = p->whole && p->right && ox + m == g->ow;
            run_pixels(p, t, m);
        } else {
            int first, end;
            taps_inside(ox * g->stride_w - g->pad_left, g->dilation_w, g->kw, g->w, &first, &end);
            run_side(p, t, first, end);
            m = 1;
        }
    }
}

/* A tile at pixel ox of row oy, of the channels from c on. Its `in` may lie outside of the image. */
static struct depthwise_tile make_tile(const struct depthwise_plan *p, const struct float_conv_call *call, int oy,
                                       int ox, int c)
{
    const struct conv_geom *g = &p->g;
    const float *bias = call->packed;
    int y = oy * g->stride_h - g->pad_top, first, end;
    taps_inside(y, g->dilation_h, g->kh, g->h, &first, &end);
    ptrdiff_t row = (ptrdiff_t)g->w * g->cin, out = ((ptrdiff_t)oy * g->ow + ox) * g->cout + c;
    return (struct depthwise_tile){
        .in = call->in + (y + first * g->dilation_h) * row + (ptrdiff_t)(ox * g->stride_w - g->pad_left) * g->cin + c,
        .step = (ptrdiff_t)g->stride_w * g->cin,
        .across = (ptrdiff_t)g->dilation_w * g->cin,
        .down = g->dilation_h * row,
        .kw = g->kw,
        .kh = end - first,
        .slide = g->kw == 3 && g->dilation_w == g->stride_w,
        .weights = bias + p->wide + (ptrdiff_t)first * g->kw * p->wide + c,
        .tap = p->wide,
        .tap_row = (ptrdiff_t)g->kw * p->wide,
        .bias = bias + c,
        .add = call->add ? call->add + out : NULL,
        .lo = call->lo,
        .hi = call->hi,
        .out = call->out + out,
        .out_step = g->cout,
        .channels = g->cout - c < p->k->lanes ? g->cout - c : p->k->lanes,
    };
}

void depthwise_run(const struct depthwise_kernel *k, const struct conv_geom *g, const struct float_conv_call *call)
{
    struct depthwise_plan p = make_plan(k, g);
    for (int from = 0; from < p.g.ow; from += p.strip) {
        int to = from + p.strip < p.g.ow ? from + p.strip : p.g.ow;
        for (int oy = 0; oy < p.g.oh; oy++)
            for (int c = 0; c < p.g.cout; c += k->lanes) {
                struct depthwise_tile t = make_tile(&p, call, oy, from, c);
                run_row(&p, &t, from, to);
            }
    }
}
