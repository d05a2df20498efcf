/* SPDX-License-Identifier: MIT */
#include "kernels/panel.h"

#include <string.h>

#include "base/num.h"

/* Places in what is prepared and in scratch, in the order of the fields. */
static void plan_places(struct panel_plan *p, const struct conv_geom *g)
{
    /* A vector load may reach 64 bytes past the last element that counts. */
    size_t row = (size_t)p->iw * (size_t)(g->cin * p->elem), rows = (size_t)p->ih;
    p->image_bytes = p->copy ? rows * row + 64 : 0;
    p->ends_at = p->image_bytes;
    p->image_bytes += p->ends ? rows * row + 64 : 0;
    p->pixels_at = 0;
    p->steps_at = align64((size_t)g->oh * (size_t)g->ow * sizeof(int32_t));
    p->requant_at = p->steps_at + align64((size_t)p->steps * sizeof(int32_t));
    p->prepared_bytes = p->requant_at + (size_t)(p->groups * p->panels) * sizeof(struct requant_lanes);
    p->weights_at = align64(p->image_bytes);
    p->scratch_bytes = p->weights_at + PANEL_MAX_GROUP * panel_bytes(p, 8);
}

void panel_plan_init(struct panel_plan *p, const struct panel_kernel *k, const struct conv_geom *g)
{
    int unit = k->unit, elem = k->elem;
    bool depthwise = unit == 1;
    memset(p, 0, sizeof *p);
    p->unit = unit;
    p->elem = elem;
    p->cg = depthwise ? 1 : g->cin / g->groups;
    p->groups = depthwise ? 1 : g->groups;
    p->og = g->cout / p->groups;
    p->panels = (p->og + PANEL - 1) / PANEL;
    bool rows = g->groups == 1 && g->dilation_w == 1 && !depthwise;
    p->run = rows ? g->kw * p->cg : p->cg;
    p->runs = rows ? g->kh : g->kh * g->kw;
    p->run_steps = (p->run + unit - 1) / unit;
    p->steps = p->runs * p->run_steps;
    if (rows && g->cin == 3 && g->kh > 1 && g->stride_w <= 4 && unit == 4 && elem == 1 && p->run % 4 == 1) {
        p->ends = g->stride_w > 1 ? 4 : 3;
        p->run_steps--;
        p->steps = p->runs * p->run_steps + (p->runs + p->ends - 1) / p->ends;
    }
    p->chunks = (p->steps * PANEL * unit + CHUNK - 1) / CHUNK;

    int reach_y = (g->oh - 1) * g->stride_h + (g->kh - 1) * g->dilation_h;
    int reach_x = (g->ow - 1) * g->stride_w + (g->kw - 1) * g->dilation_w;
    bool inside = g->pad_top == 0 && g->pad_left == 0 && reach_y < g->h && reach_x < g->w;
    bool whole = depthwise ? g->cin % PANEL == 0 : p->run % unit == 0;
    p->copy = elem != 1 || !inside || !whole;
    /* A kernel of one row (or column) needs only the rows that the stride visits. */
    p->step_y = p->copy && g->kh == 1 ? g->stride_h : 1;
    p->step_x = p->copy && g->kw == 1 ? g->stride_w : 1;
    p->stride_y = g->stride_h / p->step_y;
    p->stride_x = g->stride_w / p->step_x;
    p->ih = p->copy ? reach_y / p->step_y + 1 : g->h;
    p->iw = p->copy ? reach_x / p->step_x + 1 : g->w;
    plan_places(p, g);
}

/* Index of a code that stands for 0, or -1. */
static int zero_code(const struct conv_weights *w)
{
    for (int c = 0; c < 1 << w->bits; c++)
        if (w->levels[c] == 0)
            return c;
    return -1;
}

static int stored_bits(const struct panel_plan *p, const struct conv_weights *w)
{
    return p->run % p->unit != 0 && zero_code(w) < 0 ? 8 : w->bits;
}

static size_t packed_bytes(const struct panel_kernel *k, const struct panel_plan *p, const struct conv_weights *w)
{
    size_t sums = k->sums ? (size_t)(p->groups * p->panels) * PANEL * sizeof(int32_t) : 0;
    return panel_sums_at(p, stored_bits(p, w)) + sums;
}

/* Place in the caller's codes of what stands at position i of a panel, or -1 where that is filling. */
static ptrdiff_t source_of(const struct panel_plan *p, int panel, int i)
{
    int step = i / (PANEL * p->unit), channel = i / p->unit % PANEL, u = i % p->unit;
    int run = step / p->run_steps, within = step % p->run_steps * p->unit + u;
    int co = panel % p->panels * PANEL + channel, first_end = p->runs * p->run_steps;
    if (p->ends && step >= first_end) {
        run = u < p->ends ? (step - first_end) * p->ends + u : p->runs;
        within = p->run - 1;
    }
    if (step >= p->steps || within >= p->run || run >= p->runs || co >= p->og)
        return -1;
    return (ptrdiff_t)(panel / p->panels * p->og + co) * (p->run * p->runs) + run * p->run + within;
}

/* 256 codes to planes. */
static void pack_chunk(const uint8_t codes[CHUNK], int bits, uint8_t *out)
{
    int low = 0;
    for (int width = 4; width >= 1; width /= 2) {
        if (!(bits & width))
            continue;
        int fields = 8 / width;
        for (int i = 0; i < CHUNK; i++) {
            int byte = i / (32 * fields) * 32 + i % 32;
            int field = i / 32 % fields;
            int value = codes[i] >> low & ((1 << width) - 1);
            out[byte] = (uint8_t)(out[byte] | value << (field * width));
        }
        low += width;
        out += 32 * width;
    }
}

int panel_window_worst(int unit, int a_bits, const struct conv_weights *w)
{
    int top = 0;
    for (int c = w->bits == 8; c < 1 << w->bits; c++)
        top = max_int(top, w->levels[c] < 0 ? -w->levels[c] : w->levels[c]);
    int step = (unit > 1 ? 2 : 1) * ((1 << a_bits) - 1) * top;
    return step == 0 ? 1 << 30 : 32767 / step;
}

/* Whether no 16-bit lane overflows within any window of this many steps: a lane adds the products of one channel at
 * one value, or at two neighbours, of each step. Any activations, so positive and negative weights count apart. */
static bool window_holds(const struct panel_plan *p, int a_bits, const struct conv_weights *w, int window)
{
    int limit = 32767 / ((1 << a_bits) - 1);
    int pair = p->unit > 1 ? 2 : 1;
    int lanes = PANEL * p->unit / pair;
    for (int panel = 0; panel < p->groups * p->panels; panel++)
        for (int lane = 0; lane < lanes; lane++) {
            int plus = 0, minus = 0;
            for (int s = 0; s < p->steps; s++) {
                if (s % window == 0)
                    plus = minus = 0;
                for (int i = 0; i < pair; i++) {
                    ptrdiff_t at = source_of(p, panel, s * PANEL * p->unit + lane * pair + i);
                    int level = at < 0 ? 0 : w->levels[w->codes[at]];
                    plus += level > 0 ? level : 0;
                    minus -= level < 0 ? level : 0;
                }
                if (max_int(plus, minus) > limit)
                    return false;
            }
        }
    return true;
}

/* The weights at hand allow more than the worst case: doubles the window as long as it holds. */
static int best_window(const struct panel_plan *p, int a_bits, const struct conv_weights *w)
{
    int window = panel_window_worst(p->unit, a_bits, w);
    if (window == 0)
        return 1;
    while (window < p->steps && window_holds(p, a_bits, w, 2 * window))
        window *= 2;
    return window < p->steps ? window : p->steps;
}

/* [panels][16] sums of the integers that a channel's weights stand for. */
static void pack_sums(const struct panel_plan *p, const struct conv_weights *w, int32_t *sums)
{
    int n = p->steps * PANEL * p->unit;
    for (int panel = 0; panel < p->groups * p->panels; panel++, sums += PANEL)
        for (int i = 0; i < n; i++) {
            ptrdiff_t at = source_of(p, panel, i);
            sums[i / p->unit % PANEL] += at < 0 ? 0 : w->levels[w->codes[at]];
        }
}

static void pack_panels(const struct panel_kernel *k, const struct panel_plan *p, int a_bits,
                        const struct conv_weights *w, void *packed)
{
    struct panel_header *head = packed;
    int bits = stored_bits(p, w), zero = max_int(zero_code(w), 0);
    memset(packed, 0, packed_bytes(k, p, w));
    head->bits = bits;
    head->window = best_window(p, a_bits, w);
    for (int c = 0; w->bits <= 4 && c < 1 << w->bits; c++)
        head->levels[c] = w->levels[c];
    if (k->sums)
        pack_sums(p, w, (int32_t *)((char *)packed + panel_sums_at(p, bits)));

    uint8_t *out = (uint8_t *)packed + sizeof *head;
    for (int panel = 0; panel < p->groups * p->panels; panel++)
        for (int chunk = 0; chunk < p->chunks; chunk++, out += 32 * bits) {
            uint8_t codes[CHUNK];
            for (int i = 0; i < CHUNK; i++) {
                ptrdiff_t at = source_of(p, panel, chunk * CHUNK + i);
                if (bits == 8)
                    out[i] = (uint8_t)(at < 0 ? 0 : w->levels[w->codes[at]]);
                codes[i] = at < 0 ? (uint8_t)zero : w->codes[at];
            }
            if (bits < 8)
                pack_chunk(codes, bits, out);
        }
}

static void fill_offsets(const struct panel_plan *p, const struct conv_geom *g, void *prepared)
{
    int32_t *pixels = (int32_t *)((char *)prepared + p->pixels_at);
    int32_t *steps = (int32_t *)((char *)prepared + p->steps_at);
    int pixel = g->cin * p->elem, row = p->iw * pixel;
    int step = p->stride_x * pixel;
    for (int y = 0; y < g->oh; y++) {
        int32_t at = y * p->stride_y * row;
        for (int x = 0; x < g->ow; x++, at += step)
            pixels[x] = at;
        pixels += g->ow;
    }
    for (int r = 0; r < p->runs; r++) {
        int ky = p->runs == g->kh ? r : r / g->kw, kx = p->runs == g->kh ? 0 : r % g->kw;
        int32_t at = ky * g->dilation_h * row + kx * g->dilation_w * pixel;
        for (int i = 0; i < p->run_steps; i++)
            *steps++ = at + i * p->unit * p->elem;
    }
    for (int r = 0; p->ends && r < p->runs; r += p->ends)
        *steps++ = (int32_t)p->ends_at + r * g->dilation_h * row;
}

size_t panel_packed_size(const struct panel_kernel *k, const struct conv_geom *g, const struct conv_weights *w)
{
    struct panel_plan p;
    panel_plan_init(&p, k, g);
    return packed_bytes(k, &p, w);
}

void panel_pack(const struct panel_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                void *packed)
{
    struct panel_plan p;
    panel_plan_init(&p, k, g);
    pack_panels(k, &p, a_bits, w, packed);
}

size_t panel_prepared_size(const struct panel_kernel *k, const struct conv_geom *g)
{
    struct panel_plan p;
    panel_plan_init(&p, k, g);
    return p.prepared_bytes;
}

void panel_prepare(const struct panel_kernel *k, const struct conv_geom *g, const struct requant *rq, void *prepared)
{
    struct panel_plan p;
    panel_plan_init(&p, k, g);
    fill_offsets(&p, g, prepared);
    struct requant_lanes *r = (struct requant_lanes *)((char *)prepared + p.requant_at);
    for (int i = 0; requant_in_lanes(rq) && i < p.groups * p.panels; i++) {
        int first = i % p.panels * PANEL, n = p.og - first < PANEL ? p.og - first : PANEL;
        requant_lanes_init(r + i, g, rq, i / p.panels * p.og + first, n);
    }
}

size_t panel_scratch_size(const struct panel_kernel *k, const struct conv_geom *g)
{
    struct panel_plan p;
    panel_plan_init(&p, k, g);
    return p.scratch_bytes;
}
