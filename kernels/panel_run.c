/* SPDX-License-Identifier: MIT
 *
 * What surrounds the micro-kernels on every instruction set: the image copy and the loop over panels and tiles.
 */
#include "kernels/panel.h"

#include <string.h>

/* --- image ----------------------------------------------------------------------------------------------------------
 */

/* n values to elements of 1 or 2 bytes. */
static void image_put(const struct panel_simd *simd, uint8_t *out, const uint8_t *in, int n, int elem)
{
    if (elem == 1)
        memcpy(out, in, (size_t)n);
    else
        simd->widen(out, in, n);
}

static void image_fill(uint8_t *out, int code, size_t n, int elem)
{
    if (elem == 1) {
        memset(out, code, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = (uint8_t)code;
        out[2 * i + 1] = 0;
    }
}

/* One row of the copy, y in source pixels. */
static void image_copy_row(const struct panel_simd *simd, const struct panel_plan *p, const struct conv_geom *g,
                           const struct conv_call *call, int y, uint8_t *out)
{
    int pixel = g->cin * p->elem;
    if (y < 0 || y >= g->h) {
        image_fill(out, call->pad_code, (size_t)p->iw * (size_t)g->cin, p->elem);
        return;
    }
    const uint8_t *in = call->in + (size_t)y * (size_t)g->w * (size_t)g->cin;
    if (p->step_x == 1) {
        int left = g->pad_left < p->iw ? g->pad_left : p->iw;
        int n = p->iw - left < g->w ? p->iw - left : g->w;
        image_fill(out, call->pad_code, (size_t)left * (size_t)g->cin, p->elem);
        image_put(simd, out + left * pixel, in, n * g->cin, p->elem);
        image_fill(out + (left + n) * pixel, call->pad_code, (size_t)(p->iw - left - n) * (size_t)g->cin, p->elem);
        return;
    }
    for (int i = 0; i < p->iw; i++) {
        int x = i * p->step_x - g->pad_left;
        if (x < 0 || x >= g->w)
            image_fill(out + i * pixel, call->pad_code, (size_t)g->cin, p->elem);
        else
            image_put(simd, out + i * pixel, in + (size_t)x * (size_t)g->cin, g->cin, p->elem);
    }
}

enum { END_STEP = 16, END_PERIOD = 144 /* of 16 bytes and of any 3 * stride up to 4 */ };

typedef uint8_t end_vector __attribute__((vector_size(END_STEP)));

static inline end_vector end_bytes(const uint8_t *row, const uint8_t *mask)
{
    end_vector x, m;
    memcpy(&x, row, sizeof x);
    memcpy(&m, mask, sizeof m);
    return x & m;
}

/* n bytes of the second copy: of each, what the mask says of rows[r][i - r]. */
static void image_ends_row(const uint8_t *const rows[4], uint8_t mask[4][END_PERIOD], int n, uint8_t *out)
{
    for (int at = 0, m = 0; at < n; at += END_STEP, m = m + END_STEP < END_PERIOD ? m + END_STEP : 0) {
        end_vector x = end_bytes(rows[0] + at, mask[0] + m) | end_bytes(rows[1] + at - 1, mask[1] + m) |
                       end_bytes(rows[2] + at - 2, mask[2] + m) | end_bytes(rows[3] + at - 3, mask[3] + m);
        memcpy(out + at, &x, sizeof x);
    }
}

/* The second copy: at each pixel that an output begins with, the last values of p->ends kernel rows from there on. Rows
 * past the image meet weights of zero; any will do. */
static void image_ends(const struct panel_plan *p, const struct conv_geom *g, uint8_t *image)
{
    uint8_t mask[4][END_PERIOD] = {{0}};
    int row = p->iw * 3, pixel = 3 * p->stride_x;
    for (int r = 0; r < p->ends; r++)
        for (int i = r; i < END_PERIOD; i += pixel)
            mask[r][i] = 255;
    /* the steps after the first begin p->ends kernel rows further down */
    int step = p->ends * g->dilation_h % p->stride_y == 0 ? p->stride_y : 1;
    for (int y = 0; y < p->ih; y += step) {
        const uint8_t *rows[4];
        for (int r = 0; r < 4; r++) {
            int from = y + r * g->dilation_h < p->ih ? y + r * g->dilation_h : p->ih - 1;
            rows[r] = image + from * row + p->run - 1;
        }
        image_ends_row(rows, mask, row, image + p->ends_at + (ptrdiff_t)y * row);
    }
}

static const uint8_t *image_prepare(const struct panel_simd *simd, const struct panel_plan *p,
                                    const struct conv_geom *g, const struct conv_call *call)
{
    if (!p->copy)
        return call->in;
    uint8_t *image = call->scratch;
    size_t row = (size_t)p->iw * (size_t)(g->cin * p->elem);
    for (int y = 0; y < p->ih; y++)
        image_copy_row(simd, p, g, call, y * p->step_y - g->pad_top, image + (size_t)y * row);
    memset(image + (size_t)p->ih * row, 0, 64);
    if (p->ends)
        image_ends(p, g, image);
    return image;
}

/* --- loops ----------------------------------------------------------------------------------------------------------
 */

/* Of so few steps, sums go to codes without a way through memory: later it would only hold up the products. */
enum { SHORT_STEPS = 16 };

/* One call in progress. */
struct panel_pass {
    const struct panel_simd *simd;
    const struct panel_kernel *k;
    const struct panel_plan *p;
    const struct conv_geom *g;
    const struct conv_call *call;
    const struct requant_lanes *requant; /* NULL if not used */
};

static struct panel_out panel_out(const struct panel_pass *s, int panel)
{
    const struct panel_plan *p = s->p;
    int first = panel % p->panels * PANEL;
    return (struct panel_out){.requant = s->requant ? s->requant + panel : NULL,
                              .co = panel / p->panels * p->og + first,
                              .n = p->og - first < PANEL ? p->og - first : PANEL};
}

/* Rows of outputs that a tile's pixels are in. */
struct tile_rows {
    int first, column, last; /* column: of the first pixel */
};

/* Goes on by the n pixels of the tile before, to one of m. */
static void next_rows(struct tile_rows *r, int ow, int n, int m)
{
    for (r->column += n; r->column >= ow; r->column -= ow)
        r->first++;
    r->last = r->first;
    for (int end = r->column + m; end > ow; end -= ow)
        r->last++;
}

/* Leaves out what all of a tile's pixels would read from padding rows of zeros. */
static void skip_padding(const struct panel_pass *s, const struct panel_tile *whole, const struct tile_rows *r,
                         struct panel_tile *t)
{
    const struct conv_geom *g = s->g;
    int top = r->first * g->stride_h - g->pad_top, bottom = r->last * g->stride_h - g->pad_top;
    int first = 0, end = g->kh, row = s->p->run_steps * (s->p->runs == g->kh ? 1 : g->kw);
    while (first < end && bottom + first * g->dilation_h < 0)
        first++;
    while (end > first && top + (end - 1) * g->dilation_h >= g->h)
        end--;
    t->offsets = whole->offsets + first * row;
    t->weights = whole->weights + (ptrdiff_t)first * row * PANEL * s->p->unit;
    t->steps = (end - first) * row;
}

static bool has_floats(const struct panel_out *out, int n)
{
    bool floats = true;
    for (int v = 0; v < n; v++)
        floats = floats && out[v].requant && out[v].requant->floats;
    return floats;
}

/* All pixels of t->nv panels from `panel` on. */
static void panel_pixels(const struct panel_pass *s, const struct panel_tile *whole, int panel)
{
    const struct conv_geom *g = s->g;
    struct panel_tile t = *whole;
    int total = g->oh * g->ow, most = s->k->pixels[t.nv - 1], tiles = (total + most - 1) / most;
    int least = total / tiles, larger = total % tiles;
    bool skips = s->k->skips && s->call->pad_code == 0 && g->kh > 1 && s->p->copy && !s->p->ends;
    struct panel_out out[PANEL_MAX_GROUP];
    for (int v = 0; v < t.nv; v++)
        out[v] = panel_out(s, panel + v);
    bool at_once = s->k->codes && t.nv == 4 && t.steps <= SHORT_STEPS && out[3].n == PANEL && !s->call->residual &&
                   has_floats(out, 4);
    struct panel_codes codes = {s->call->rq, out->requant, NULL, (size_t)g->cout};
    t.pixels = (const int32_t *)((const char *)s->call->prepared + s->p->pixels_at);
    struct tile_rows rows = {0, 0, 0};
    for (int i = 0, at = 0, last = 0; i < tiles; i++) {
        /* tiles of even size: 49 pixels are 6 + 6 + 6 + 6 + 5 + 5 + 5 + 5 + 5, not 8 x 6 + 1 */
        int m = least + (i < larger);
        if (skips) {
            next_rows(&rows, g->ow, last, m);
            skip_padding(s, whole, &rows, &t);
        }
        if (at_once) {
            codes.out = s->call->out_u8 + (size_t)at * codes.cout + (size_t)out->co;
            s->k->codes(m, &t, &codes);
        } else {
            s->k->tile(m, &t);
            s->simd->store(s->call, out, t.nv, t.acc, m, (size_t)at, (size_t)g->cout);
        }
        t.pixels += m;
        t.ahead += (ptrdiff_t)t.steps * 64;
        at += m;
        last = m;
    }
}

void panel_run(const struct panel_simd *simd, const struct panel_kernel *k, const struct conv_geom *g,
               const struct conv_call *call)
{
    struct panel_plan p;
    panel_plan_init(&p, k, g);
    const uint8_t *image = image_prepare(simd, &p, g, call);
    const char *prepared = call->prepared;
    bool lanes = call->out_u8 && requant_in_lanes(call->rq);
    struct panel_pass pass = {simd, k,    &p,
                              g,    call, lanes ? (const struct requant_lanes *)(prepared + p.requant_at) : NULL};
    const struct panel_header *head = call->packed;
    size_t bytes = panel_bytes(&p, head->bits);
    int8_t *unpacked = (int8_t *)call->scratch + p.weights_at;
    int32_t acc[PANEL_MAX_GROUP * PANEL_MAX_PIXELS * PANEL] __attribute__((aligned(64)));
    struct panel_tile t = {
        .acc = acc,
        .offsets = (const int32_t *)(prepared + p.steps_at),
        .steps = p.steps,
        .window = head->window,
        .stride = panel_bytes(&p, 8),
    };
    int end = call->channels[1] ? (call->channels[1] + PANEL - 1) / PANEL : p.panels;
    for (int group = 0; group < p.groups; group++)
        for (int i = call->channels[0] / PANEL; i < end; i += t.nv) {
            int panel = group * p.panels + i;
            const uint8_t *in = (const uint8_t *)(head + 1) + (size_t)panel * bytes;
            t.nv = end - i < k->group ? end - i : k->group;
            t.image = image + (k->unit == 1 ? i * PANEL : group * p.cg) * k->elem;
            if (k->sums)
                t.sums = (const int32_t *)((const char *)head + panel_sums_at(&p, head->bits)) + panel * PANEL;
            t.ahead = (const char *)in + (size_t)t.nv * bytes;
            t.weights = simd->unpack(head, in, p.chunks, unpacked);
            for (int v = 1; v < t.nv; v++)
                simd->unpack(head, in + (size_t)v * bytes, p.chunks, unpacked + (size_t)v * t.stride);
            panel_pixels(&pass, &t, panel);
        }
}
