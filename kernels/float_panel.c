/* SPDX-License-Identifier: MIT */
#include "kernels/float_panel.h"

#include <string.h>

#include "base/num.h"

struct float_plan {
    int cg, og;          /* channels of a group in and out */
    int run, n_runs;     /* values of a run, runs */
    bool copy;           /* whether the image is copied, a chunk at a time */
    bool flat;           /* rows are stretches of all pixels */
    int iw;              /* width of the image, copied or not */
    int rows, width;     /* output rows, the longest one's pixels */
    int chunk;           /* rows a chunk */
    int vectors, widest; /* of a group's output channels; of a block */
    size_t group_floats; /* of the packed weights */
    size_t runs_at;      /* scratch: the table of runs, after a chunk of the image */
};

/* First bytes of the packed weights; the blocks follow. How wide they are was chosen for the shape that was packed, and
 * serves every other size of image. */
struct float_header {
    int32_t widest;
    uint8_t fill[60];
};

enum { CHUNK_FLOATS = 6 * 1024, FLAT_MIN = 14, FLAT_MAX = 112 };

static bool leaves_image(const struct conv_geom *g)
{
    int bottom = (g->oh - 1) * g->stride_h - g->pad_top + (g->kh - 1) * g->dilation_h;
    int right = (g->ow - 1) * g->stride_w - g->pad_left + (g->kw - 1) * g->dilation_w;
    return g->pad_top > 0 || g->pad_left > 0 || bottom >= g->h || right >= g->w;
}

static struct float_plan make_plan(const struct float_panel_kernel *k, const struct conv_geom *g)
{
    struct float_plan p = {.cg = g->cin / g->groups, .og = g->cout / g->groups, .copy = leaves_image(g)};
    bool whole_rows = g->groups == 1 && g->dilation_w == 1;
    p.run = whole_rows ? g->kw * p.cg : p.cg;
    p.n_runs = whole_rows ? g->kh : g->kh * g->kw;
    p.iw = p.copy ? (g->ow - 1) * g->stride_w + (g->kw - 1) * g->dilation_w + 1 : g->w;
    p.flat = !p.copy && g->kh == 1 && g->kw == 1 && g->stride_h == 1 && g->stride_w == 1 && p.iw == g->ow;
    p.rows = g->oh;
    p.width = g->ow;
    if (p.flat) {
        int pixels = g->oh * g->ow, most = min_int(max_int(CHUNK_FLOATS / g->cin, FLAT_MIN), FLAT_MAX);
        p.rows = (pixels + most - 1) / most;
        p.width = (pixels + p.rows - 1) / p.rows;
    }
    p.chunk = p.flat ? 1 : CHUNK_FLOATS / min_int(g->stride_h * p.iw * g->cin, CHUNK_FLOATS);
    p.chunk = min_int(max_int(p.chunk, p.copy ? g->kh : 1), p.rows); /* neighbouring chunks copy rows twice */
    p.vectors = (p.og + k->lanes - 1) / k->lanes;
    p.widest = p.width <= k->pixels[4] ? 4 : 2;
    p.group_floats = (size_t)(1 + p.n_runs * p.run) * (size_t)(p.vectors * k->lanes);
    size_t copied = (size_t)(p.chunk - 1) * (size_t)g->stride_h + (size_t)((g->kh - 1) * g->dilation_h) + 1;
    p.runs_at = p.copy ? round_up(copied * (size_t)p.iw * (size_t)g->cin * sizeof(float), 64) : 0;
    return p;
}

/* Vectors of the block that begins at vector v. */
static int block_at(const struct float_plan *p, int v)
{
    int nv = p->widest;
    while (nv > p->vectors - v)
        nv /= 2;
    return nv;
}

size_t float_panel_packed_size(const struct float_panel_kernel *k, const struct conv_geom *g)
{
    struct conv_geom lying = float_conv_lying(g);
    return sizeof(struct float_header) + make_plan(k, &lying).group_floats * (size_t)g->groups * sizeof(float);
}

void float_panel_pack(const struct float_panel_kernel *k, const struct conv_geom *g, const float *weights,
                      const float *bias, void *packed)
{
    struct conv_geom lying = float_conv_lying(g);
    struct float_plan p = make_plan(k, &lying);
    size_t taps = (size_t)p.n_runs * (size_t)p.run;
    struct float_header *head = packed;
    float *to = (float *)(head + 1);
    memset(packed, 0, sizeof *head + p.group_floats * (size_t)g->groups * sizeof(float));
    head->widest = p.widest;
    for (int group = 0; group < g->groups; group++)
        for (int v = 0, nv; v < p.vectors; v += nv) {
            nv = block_at(&p, v);
            size_t wide = (size_t)(nv * k->lanes);
            for (size_t c = 0; c < wide && v * k->lanes + (int)c < p.og; c++) {
                size_t o = (size_t)(group * p.og + v * k->lanes) + c;
                to[c] = bias ? bias[o] : 0;
                for (size_t i = 0; i < taps; i++)
                    to[(i + 1) * wide + c] = weights[o * taps + i];
            }
            to += (taps + 1) * wide;
        }
}

size_t float_panel_scratch_size(const struct float_panel_kernel *k, const struct conv_geom *g)
{
    struct conv_geom lying = float_conv_lying(g);
    struct float_plan p = make_plan(k, &lying);
    return p.runs_at + (size_t)p.n_runs * sizeof(int32_t);
}

int float_panel_channel_unit(const struct float_panel_kernel *k, const struct conv_geom *g)
{
    struct conv_geom lying = float_conv_lying(g);
    return make_plan(k, &lying).widest * k->lanes;
}

/* Rows first..end-1 of the image as the taps see it, with zeros where there is none. */
static void copy_rows(const struct float_plan *p, const struct conv_geom *g, const float *in, int first, int end,
                      float *to)
{
    size_t pixel = (size_t)g->cin, row = (size_t)p->iw * pixel;
    int right = min_int(p->iw, g->pad_left + g->w), left = min_int(g->pad_left, right);
    for (int y = first - g->pad_top; y < end - g->pad_top; y++, to += row) {
        if (y < 0 || y >= g->h) {
            memset(to, 0, row * sizeof *to);
            continue;
        }
        memset(to, 0, (size_t)left * pixel * sizeof *to);
        memcpy(to + (size_t)left * pixel, in + (size_t)y * (size_t)g->w * pixel,
               (size_t)(right - left) * pixel * sizeof *to);
        memset(to + (size_t)right * pixel, 0, (size_t)(p->iw - right) * pixel * sizeof *to);
    }
}

static void make_runs(const struct float_plan *p, const struct conv_geom *g, int32_t *runs)
{
    int across = p->n_runs / g->kh;
    for (int i = 0; i < p->n_runs; i++)
        runs[i] = (i / across * g->dilation_h * p->iw + i % across * g->dilation_w) * g->cin;
}

/* Tiles of one block along one row of output pixels. */
static void run_row(const struct float_panel_kernel *k, int pixels, int nv, struct float_tile t)
{
    int tiles = (pixels + k->pixels[nv] - 1) / k->pixels[nv];
    for (int left = pixels; tiles > 0; tiles--) {
        int m = (left + tiles - 1) / tiles;
        k->tile(m, nv, &t);
        left -= m;
        t.in += m * t.step;
        t.out += m * t.out_step;
        if (t.add)
            t.add += m * t.out_step;
    }
}

/* Rows first..end-1 of a group's output; image: the taps of row `first`. */
static void run_group(const struct float_panel_kernel *k, const struct conv_geom *g, const struct float_plan *p,
                      const struct float_conv_call *call, const float *image, int first, int end, int group)
{
    size_t taps = (size_t)p->n_runs * (size_t)p->run;
    size_t down = (size_t)(p->flat ? p->width : g->stride_h * p->iw) * (size_t)g->cin;
    struct float_tile t = {.step = (ptrdiff_t)g->stride_w * g->cin,
                           .runs = (const int32_t *)((const char *)call->scratch + p->runs_at),
                           .n_runs = p->n_runs,
                           .run = p->run,
                           .weights = (const float *)((const struct float_header *)call->packed + 1) +
                                      (size_t)group * p->group_floats,
                           .lo = call->lo,
                           .hi = call->hi,
                           .out_step = g->cout};
    int first_vector = call->channels[0] / k->lanes;
    int end_vector = call->channels[1] ? (call->channels[1] + k->lanes - 1) / k->lanes : p->vectors;
    t.weights += (taps + 1) * (size_t)(first_vector * k->lanes);
    for (int v = first_vector, nv; v < end_vector; v += nv) {
        nv = block_at(p, v);
        t.channels = min_int(nv * k->lanes, p->og - v * k->lanes);
        for (int y = first; y < end; y++) {
            int pixel = y * p->width, count = p->flat ? min_int(p->width, g->oh * g->ow - pixel) : p->width;
            size_t at = (size_t)pixel * (size_t)g->cout + (size_t)(group * p->og + v * k->lanes);
            t.in = image + (size_t)(y - first) * down + (size_t)(group * p->cg);
            t.out = call->out + at;
            t.add = call->add ? call->add + at : NULL;
            run_row(k, count, nv, t);
        }
        t.weights += (taps + 1) * (size_t)(nv * k->lanes);
    }
}

void float_panel_run(const struct float_panel_kernel *k, const struct conv_geom *shape,
                     const struct float_conv_call *call)
{
    struct conv_geom lying = float_conv_lying(shape), *g = &lying;
    struct float_plan p = make_plan(k, g);
    p.widest = ((const struct float_header *)call->packed)->widest;
    make_runs(&p, g, (int32_t *)((char *)call->scratch + p.runs_at));
    for (int first = 0; first < p.rows; first += p.chunk) {
        int end = min_int(first + p.chunk, p.rows);
        const float *image = call->scratch;
        if (p.copy)
            copy_rows(&p, g, call->in, first * g->stride_h, (end - 1) * g->stride_h + (g->kh - 1) * g->dilation_h + 1,
                      call->scratch);
        else
            image = call->in + (size_t)first * (size_t)(p.flat ? p.width : g->stride_h * p.iw) * (size_t)g->cin;
        for (int group = 0; group < g->groups; group++)
            run_group(k, g, &p, call, image, first, end, group);
    }
}
