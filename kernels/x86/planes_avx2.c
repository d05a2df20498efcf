/* SPDX-License-Identifier: MIT
 *
 * What surrounds the micro-kernels of bit planes: the image, sums of activations, the loop over tiles.
 */
#include "kernels/planes.h"

#include <string.h>

/* --- image ----------------------------------------------------------------------------------------------------------
 */

/* n pixels of padding with carries: the words of a pair are equal, parity stays what it is. */
static void carry_fill(const struct planes_plan *p, int code, size_t n, uint8_t *out)
{
    uint64_t pair;
    memcpy(&pair, out - sizeof pair, sizeof pair);
    pair = (pair & PLANES_PARITY) | (code & 1 ? ~PLANES_PARITY : 0);
    for (size_t i = 0; i < n * (size_t)p->pixel; i += sizeof pair)
        memcpy(out + i, &pair, sizeof pair);
}

/* n pixels of padding. */
static void image_fill(const struct planes_plan *p, const struct planes_kernel *k, int code, int a_bits, size_t n,
                       uint8_t *out)
{
    if (k->carries) {
        carry_fill(p, code, n, out);
        return;
    }
    size_t bytes = n * (size_t)p->pixel;
    for (int i = 0; i < a_bits * p->halves; i++, out += p->plane) {
        int half = i % p->halves, keep = p->halves == 2 ? 15 : 255;
        bool on = code >> (i / p->halves) & 1;
        memset(out, on ? keep : 0, bytes);
        if (!on || p->cg % 8 == 0)
            continue;
        uint8_t last = (uint8_t)(((1 << p->cg % 8) - 1) >> (4 * half) & keep);
        for (size_t at = (size_t)p->cell - 1; at < bytes; at += (size_t)p->cell)
            out[at] = last;
    }
}

/* n pixels, from source pixels that are step_x apart. */
static void image_put(const struct planes_plan *p, const struct planes_kernel *k, const uint8_t *in, int n, int a_bits,
                      uint8_t *out)
{
    int cin = p->groups * p->cg;
    if (p->flat && p->step_x == 1) {
        k->bits(in, n * cin, a_bits, out, p->plane);
        return;
    }
    for (int i = 0; i < n; i++, in += p->step_x * cin)
        for (int group = 0; group < p->groups; group++, out += p->cell)
            k->bits(in + group * p->cg, p->cg, a_bits, out, p->plane);
}

/* Every write may spoil what lies to its right, so that goes from left to right. */
static void image_row(const struct planes_plan *p, const struct planes_kernel *k, const struct conv_geom *g, int a_bits,
                      const struct conv_call *call, int y, uint8_t *out)
{
    if (y < 0 || y >= g->h) {
        image_fill(p, k, call->pad_code, a_bits, (size_t)p->iw, out);
        return;
    }
    int step = p->step_x, left = (g->pad_left + step - 1) / step; /* the first pixel that lies in the source */
    left = left < p->iw ? left : p->iw;
    int x = left * step - g->pad_left, n = x < g->w ? (g->w - x + step - 1) / step : 0;
    n = n < p->iw - left ? n : p->iw - left;
    image_fill(p, k, call->pad_code, a_bits, (size_t)left, out);
    out += left * p->pixel;
    if (n > 0)
        image_put(p, k, call->in + ((size_t)y * (size_t)g->w + (size_t)x) * (size_t)g->cin, n, a_bits, out);
    image_fill(p, k, call->pad_code, a_bits, (size_t)(p->iw - left - n), out + n * p->pixel);
}

static void image_make(const struct planes_plan *p, const struct planes_kernel *k, const struct conv_geom *g,
                       int a_bits, const struct conv_call *call, uint8_t *image)
{
    for (int y = 0; y < p->ih; y++)
        image_row(p, k, g, a_bits, call, y * p->step_y - g->pad_top, image + (size_t)(y * p->iw) * (size_t)p->pixel);
    for (int i = 0; i < a_bits * p->halves; i++) /* words may reach past the last pixel */
        memset(image + (size_t)i * p->plane + (size_t)(p->ih * p->iw) * (size_t)p->pixel, 0, 4);
}

/* --- sums of activations --------------------------------------------------------------------------------------------
 */

/* Of one pixel and plane. */
static int count_taps(const struct planes_plan *p, const int32_t *offsets, const uint8_t *image)
{
    int sum = 0;
    for (int s = 0; s < p->steps; s++) {
        uint32_t word;
        memcpy(&word, image + offsets[s], sizeof word);
        sum += __builtin_popcount(s < p->whole ? word : word & p->mask);
    }
    return sum;
}

static void sum_taps(const struct planes_plan *p, const struct planes_tile *t, int n, int32_t *sums)
{
    for (int i = 0; i < n; i++) {
        sums[i] = 0;
        for (int k = 0; k < t->a_bits * p->halves; k++)
            sums[i] += count_taps(p, t->offsets, t->image + t->pixels[i] + (size_t)k * p->plane) * (1 << k / p->halves);
    }
}

/* --- loops ----------------------------------------------------------------------------------------------------------
 */

/* One call in progress. */
struct planes_pass {
    const struct planes_kernel *k;
    const struct planes_plan *p;
    const struct conv_geom *g;
    const struct conv_call *call;
    const struct requant_lanes *requant; /* NULL if not used */
    const struct planes_steps *steps_up; /* NULL if not used */
    int32_t *acc;                        /* room for a tile */
};

/* Runs the micro-kernel on m pixels from `at` on and panels from `first` of a group, and stores. */
static void tile(const struct planes_pass *s, struct planes_tile *t, int group, int first, int m, size_t at)
{
    const struct conv_call *call = s->call;
    int og = s->p->og, panel = group * s->p->panels + first;
    size_t cout = (size_t)s->g->cout, out = at * cout + (size_t)(group * og + first * PANEL);
    if (call->out_s32 && (first + t->nv) * PANEL <= og) { /* nothing is left to do */
        t->acc = call->out_s32 + out;
        t->panel_step = PANEL;
        t->pixel_step = cout;
        s->k->tile(m, t);
        return;
    }
    t->acc = s->acc;
    t->panel_step = (size_t)(m * PANEL);
    t->pixel_step = PANEL;
    if (s->steps_up) {
        t->steps_up = s->steps_up + panel;
        t->codes = call->out_u8 + out;
        t->channels = og - first * PANEL < t->nv * PANEL ? og - first * PANEL : t->nv * PANEL;
    }
    s->k->tile(m, t);
    for (int v = 0; v < t->nv && !s->steps_up; v++, panel++, first++, out += PANEL) {
        int n = og - first * PANEL < PANEL ? og - first * PANEL : PANEL;
        panel_store(s->k->store, call, s->requant ? s->requant + panel : NULL, s->acc + v * m * PANEL, m, out, cout,
                    group * og + first * PANEL, n);
    }
}

/* All pixels of nv panels from `first` of a group; sums: of all pixels, or NULL. */
static void panel_pixels(const struct planes_pass *s, struct planes_tile *t, int group, int first, const int32_t *sums)
{
    int total = s->g->oh * s->g->ow, most = s->k->pixels[t->nv - 1];
    int tiles = (total + most - 1) / most, least = total / tiles, larger = total % tiles; /* of even size */
    const int32_t *pixels = (const int32_t *)((const char *)s->call->prepared + s->p->pixels_at);
    for (int i = 0, at = 0; i < tiles; i++) {
        int m = least + (i < larger);
        t->pixels = pixels + at;
        t->sums = sums ? sums + at : NULL;
        tile(s, t, group, first, m, (size_t)at);
        at += m;
    }
}

/* The panels of a group. */
static void group_panels(const struct planes_pass *s, struct planes_tile *t, int group, int32_t *sums)
{
    const struct planes_plan *p = s->p;
    const struct conv_call *call = s->call;
    const int32_t *starts = (const int32_t *)(t->head + 1);
    const uint32_t *weights = (const uint32_t *)(starts + p->groups * p->panels * PANEL);
    if (t->head->base == 0) {
        sums = NULL;
    } else {
        t->pixels = (const int32_t *)((const char *)call->prepared + p->pixels_at);
        sum_taps(p, t, s->g->oh * s->g->ow, sums);
    }
    const int end = call->channels[1] ? (call->channels[1] + PANEL - 1) / PANEL : p->panels; /* of a single group */
    for (int i = call->channels[0] / PANEL; i < end; i += t->nv) {
        int panel = group * p->panels + i;
        t->nv = end - i < s->k->group ? end - i : s->k->group;
        t->start = starts + panel * PANEL;
        t->weights = weights + (size_t)panel * (size_t)(t->w_bits * p->steps * PANEL);
        panel_pixels(s, t, group, i, sums);
    }
}

void planes_run_avx2(const struct planes_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_call *call)
{
    struct planes_plan p;
    planes_plan_init(&p, k, g);
    uint8_t *image = (uint8_t *)call->scratch + PLANES_LEAD;
    memset(call->scratch, 0, PLANES_LEAD);
    image_make(&p, k, g, a_bits, call, image);
    const char *prepared = call->prepared;
    const struct requant *rq = call->out_u8 ? call->rq : NULL;
    int32_t acc[PLANES_MAX_TILE * PANEL] __attribute__((aligned(64)));
    struct planes_pass pass = {.k = k, .p = &p, .g = g, .call = call, .acc = acc};
    if (rq && !call->residual && rq->hi - rq->lo <= PLANES_MAX_STEPS_UP)
        pass.steps_up = (const struct planes_steps *)(prepared + p.steps_up_at);
    else if (requant_in_lanes(rq))
        pass.requant = (const struct requant_lanes *)(prepared + p.requant_at);
    const struct planes_header *head = call->packed;
    struct planes_tile t = {
        .plane = p.plane,
        .offsets = (const int32_t *)(prepared + p.steps_at),
        .steps = p.steps,
        .whole = p.whole,
        .runs = p.runs,
        .run = p.run / 4,
        .mask = p.mask,
        .a_bits = a_bits,
        .w_bits = head->bits,
        .head = head,
        .code_step = (size_t)g->cout,
        .steps_count = rq ? rq->hi - rq->lo : 0,
        .lo = rq ? rq->lo : 0,
    };
    for (int group = 0; group < p.groups; group++) {
        t.image = image + group * p.cell;
        group_panels(&pass, &t, group, (int32_t *)(image + (size_t)(a_bits * p.halves) * p.plane));
    }
}
