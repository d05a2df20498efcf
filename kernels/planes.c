/* SPDX-License-Identifier: MIT */
#include "kernels/planes.h"

#include <string.h>

#include "base/num.h"

void planes_plan_init(struct planes_plan *p, const struct planes_kernel *k, const struct conv_geom *g)
{
    memset(p, 0, sizeof *p);
    p->halves = k->halves;
    p->groups = g->groups;
    p->cg = g->cin / g->groups;
    p->og = g->cout / g->groups;
    p->panels = (p->og + PANEL - 1) / PANEL;
    p->cell = (p->cg + 7) / 8;
    p->pixel = g->groups * p->cell;
    p->flat = p->cg % 8 == 0;
    p->rows = g->groups == 1 && g->dilation_w == 1;
    p->run = p->rows ? g->kw * p->cell : p->cell;
    p->runs = p->rows ? g->kh : g->kh * g->kw;
    p->whole = p->run / 4 * p->runs;
    p->steps = p->whole + (p->run % 4 ? p->runs : 0);
    p->mask = UINT32_MAX >> (8 * (4 - p->run % 4)) % 32;

    /* A kernel of one row (or column) needs only the rows that the stride visits. */
    p->step_y = g->kh == 1 ? g->stride_h : 1;
    p->step_x = g->kw == 1 ? g->stride_w : 1;
    p->stride_y = g->stride_h / p->step_y;
    p->stride_x = g->stride_w / p->step_x;
    p->ih = ((g->oh - 1) * g->stride_h + (g->kh - 1) * g->dilation_h) / p->step_y + 1;
    p->iw = ((g->ow - 1) * g->stride_w + (g->kw - 1) * g->dilation_w) / p->step_x + 1;
    p->plane = align64((size_t)p->ih * (size_t)p->iw * (size_t)p->pixel + PLANES_SLACK);

    size_t all = (size_t)(p->groups * p->panels);
    p->pixels_at = 0;
    p->steps_at = align64((size_t)g->oh * (size_t)g->ow * sizeof(int32_t));
    p->requant_at = p->steps_at + align64((size_t)p->steps * sizeof(int32_t));
    p->steps_up_at = p->requant_at + all * sizeof(struct requant_lanes);
    p->prepared_bytes = p->steps_up_at + all * sizeof(struct planes_steps);
}

/* --- weights --------------------------------------------------------------------------------------------------------
 */

bool planes_affine(const struct conv_weights *w)
{
    if (w->bits > PLANES_MAX_BITS)
        return false;
    for (int c = 2; c < 1 << w->bits; c++)
        if (w->levels[c] - w->levels[c - 1] != w->levels[1] - w->levels[0])
            return false;
    return true;
}

bool planes_pay(const struct conv_geom *g, int planes, double cost)
{
    bool rows = g->groups == 1 && g->dilation_w == 1;
    int cg = g->cin / g->groups, taps = rows ? g->kw : 1;
    int words = ((cg + 7) / 8 * taps + 3) / 4, steps = (cg * taps + 3) / 4;
    return words * planes * cost < steps;
}

/* Place in the caller's codes of bit `bit` of a panel's word, or -1 where that is filling. */
static ptrdiff_t source_of(const struct planes_plan *p, int panel, int step, int lane, int bit)
{
    int words = p->run / 4;
    int run = step < p->whole ? step / words : step - p->whole;
    int byte = 4 * (step < p->whole ? step % words : words) + bit / 8;
    int tap = byte / p->cell, channel = byte % p->cell * 8 + bit % 8;
    int co = panel % p->panels * PANEL + lane;
    if (byte >= p->run || channel >= p->cg || co >= p->og)
        return -1;
    int taps = p->run / p->cell;
    return ((ptrdiff_t)(panel / p->panels * p->og + co) * p->runs + run) * taps * p->cg + tap * p->cg + channel;
}

/* Fills in how sums are found (planes.h); returns the code whose bits are stored inverted. */
static int choose_form(struct planes_header *head, int a_bits, const struct conv_weights *w, int *start)
{
    int l0 = w->levels[0], step = w->levels[1] - l0, top = (1 << w->bits) - 1;
    head->bits = w->bits;
    head->exclusive = 2 * l0 == -step * top;
    *start = 0;
    if (head->exclusive) {
        head->mul = -step / 2;
        *start = step / 2 * ((1 << a_bits) - 1);
        return 0;
    }
    head->mul = step;
    bool zero = step != 0 && l0 % step == 0 && -l0 / step >= 0 && -l0 / step <= top;
    head->negative = zero ? -l0 / step : 0;
    head->base = zero ? 0 : l0;
    return head->negative;
}

static size_t panel_words(const struct planes_plan *p, int bits)
{
    return (size_t)bits * (size_t)p->steps * PANEL;
}

/* One panel; sums[c] becomes the sum of channel c's codes. */
static void pack_panel(const struct planes_plan *p, const struct conv_weights *w, int panel, int inverted,
                       uint32_t *out, int32_t sums[PANEL])
{
    for (int step = 0; step < p->steps; step++)
        for (int lane = 0; lane < PANEL; lane++)
            for (int bit = 0; bit < 32; bit++) {
                ptrdiff_t at = source_of(p, panel, step, lane, bit);
                if (at < 0)
                    continue;
                int code = w->codes[at] ^ inverted;
                sums[lane] += code;
                for (int j = 0; j < w->bits; j++)
                    out[((size_t)j * (size_t)p->steps + (size_t)step) * PANEL + (size_t)lane] |=
                        (uint32_t)(code >> j & 1) << bit;
            }
}

/* The second word of each pair to the parity of all up to it. */
static void pack_parity(const struct planes_plan *p, uint32_t *out)
{
    for (int step = 1; step < p->steps; step += 2)
        for (int lane = 0; lane < PANEL; lane++) {
            uint32_t *word = out + (size_t)(step * PANEL + lane);
            *word ^= word[-PANEL] ^ (step > 1 ? word[-2 * PANEL] : 0);
        }
}

size_t planes_packed_size(const struct planes_kernel *k, const struct conv_geom *g, const struct conv_weights *w)
{
    struct planes_plan p;
    planes_plan_init(&p, k, g);
    return sizeof(struct planes_header) +
           (size_t)(p.groups * p.panels) * (PANEL + panel_words(&p, w->bits)) * sizeof(uint32_t);
}

void planes_pack(const struct planes_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                 void *packed)
{
    struct planes_plan p;
    planes_plan_init(&p, k, g);
    memset(packed, 0, planes_packed_size(k, g, w));
    struct planes_header *head = packed;
    int all = p.groups * p.panels, unit, inverted = choose_form(head, a_bits, w, &unit);
    int32_t *start = (int32_t *)(head + 1);
    uint32_t *out = (uint32_t *)(start + all * PANEL);
    for (int panel = 0; panel < all; panel++, start += PANEL, out += panel_words(&p, w->bits)) {
        pack_panel(&p, w, panel, inverted, out, start);
        for (int lane = 0; lane < PANEL; lane++)
            start[lane] *= unit;
        if (k->carries)
            pack_parity(&p, out);
    }
}

/* --- what is prepared -----------------------------------------------------------------------------------------------
 */

static void fill_offsets(const struct planes_plan *p, const struct conv_geom *g, void *prepared)
{
    int32_t *pixels = (int32_t *)((char *)prepared + p->pixels_at);
    int32_t *steps = (int32_t *)((char *)prepared + p->steps_at);
    int row = p->iw * p->pixel;
    for (int y = 0; y < g->oh; y++)
        for (int x = 0; x < g->ow; x++)
            *pixels++ = y * p->stride_y * row + x * p->stride_x * p->pixel;
    int words = p->run / 4;
    for (int i = 0; i < p->steps; i++) {
        int r = i < p->whole ? i / words : i - p->whole, word = i < p->whole ? i % words : words;
        int ky = p->rows ? r : r / g->kw, kx = p->rows ? 0 : r % g->kw;
        steps[i] = ky * g->dilation_h * row + kx * g->dilation_w * p->pixel + 4 * word;
    }
}

/* Codes that sums can become, less one. */
static int steps_up(const struct requant *rq)
{
    return rq->hi - rq->lo;
}

/* The greatest sum that does not reach a code: out >= code means acc * m * 2^left + b >= code * 2^shift, that is
 * acc * m >= ceil((code * 2^shift - b) / 2^left), a bound that fits 64 bits if the products do. */
static void steps_init(struct planes_steps *s, const struct requant *rq, int co, int n)
{
    memset(s, 0, sizeof *s);
    memset(s->above, 0x7f, sizeof s->above); /* out of reach */
    for (int i = 0; i < n; i++)
        for (int k = 0; k < steps_up(rq); k++) {
            __int128 m = (__int128)rq->m[co + i] * (INT64_C(1) << rq->left);
            __int128 least = ((__int128)(rq->lo + k + 1) << rq->shift) - rq->b[co + i];
            __int128 above;
            if (m == 0) {
                above = least <= 0 ? INT32_MIN : INT32_MAX;
            } else {
                /* x * |m| >= least, for x = acc or -acc: not for x up to floor((least - 1) / |m|) */
                __int128 d = m < 0 ? -m : m, q = (least - 1) / d;
                above = q - ((least - 1) % d < 0) + (m < 0 ? -1 : 0); /* ~acc is -acc - 1 */
            }
            s->flip[i] = m < 0 ? -1 : 0;
            s->above[k][i] = (int32_t)(above < INT32_MIN ? INT32_MIN : above > INT32_MAX ? INT32_MAX : above);
        }
}

size_t planes_prepared_size(const struct planes_kernel *k, const struct conv_geom *g)
{
    struct planes_plan p;
    planes_plan_init(&p, k, g);
    return p.prepared_bytes;
}

void planes_prepare(const struct planes_kernel *k, const struct conv_geom *g, const struct requant *rq, void *prepared)
{
    struct planes_plan p;
    planes_plan_init(&p, k, g);
    fill_offsets(&p, g, prepared);
    struct requant_lanes *r = (struct requant_lanes *)((char *)prepared + p.requant_at);
    struct planes_steps *s = (struct planes_steps *)((char *)prepared + p.steps_up_at);
    for (int i = 0; rq && i < p.groups * p.panels; i++) {
        int first = i % p.panels * PANEL, n = p.og - first < PANEL ? p.og - first : PANEL;
        int co = i / p.panels * p.og + first;
        if (requant_in_lanes(rq))
            requant_lanes_init(r + i, g, rq, co, n);
        if (steps_up(rq) <= PLANES_MAX_STEPS_UP)
            steps_init(s + i, rq, co, n);
    }
}

size_t planes_scratch_size(const struct planes_kernel *k, const struct conv_geom *g, int a_bits)
{
    struct planes_plan p;
    planes_plan_init(&p, k, g);
    return PLANES_LEAD + (size_t)(a_bits * p.halves) * p.plane +
           align64((size_t)g->oh * (size_t)g->ow * sizeof(int32_t));
}
