/* SPDX-License-Identifier: MIT */
#include "kernels/product_tables.h"

#include <string.h>

#include "base/num.h"

/* --- plan -----------------------------------------------------------------------------------------------------------
 */

/* Values of a step: 6 bits of index, 8 bits of selector. */
static int unit_of(const struct tables_row *row, int w_bits, int a_bits, bool wide)
{
    if (wide)
        return 4;
    int index = row->pixels ? a_bits : w_bits, select = row->pixels ? w_bits : a_bits;
    return min_int(6 / index, 8 / select);
}

/* Places in scratch and in what is prepared, in the order of the fields. */
static void plan_places(struct tables_plan *p, const struct conv_geom *g)
{
    size_t row = (size_t)p->iw * (size_t)p->pixel, cells = (size_t)p->chunks * TABLES_LANES;
    size_t blocks = (size_t)(g->cout + TABLES_LANES - 1) / TABLES_LANES;
    p->plane_bytes = align64((size_t)p->plane_rows * (size_t)g->ow + TABLES_LANES);
    p->image_at = 0;
    p->row_at = align64(row * (size_t)p->ih + 256); /* vectors may reach past the last value */
    p->cells_at = p->row_at + align64((size_t)p->iw * (size_t)g->cin + 192);
    p->planes_at = p->cells_at + cells * (size_t)(p->pixels ? p->panels : p->vectors);
    p->scratch_bytes = p->planes_at;
    if (p->pixels)
        p->scratch_bytes += (tables_tile_planes(p) ? tables_plane_step(p) : p->plane_bytes * (size_t)p->plane_sets) *
                            (size_t)((p->run_steps + 15) / 16 * 16);
    p->places_at = align64(sizeof *p);
    p->tables_at = p->places_at + align64((size_t)p->plane_rows * (size_t)g->ow) * sizeof(int32_t);
    p->segments_at = p->tables_at + 2 * (size_t)p->tables * p->table;
    p->fix_at = p->segments_at + align64((size_t)p->steps * sizeof(struct tables_segment));
    p->requant_at = p->fix_at + blocks * sizeof(struct tables_fix);
    p->prepared_bytes = p->requant_at + (size_t)((g->cout + PANEL - 1) / PANEL) * sizeof(struct requant_lanes);
}

static int top_of(const struct conv_geom *g, int a_bits)
{
    return g->a_top ? g->a_top : (1 << a_bits) - 1;
}

static int power(int radix, int n)
{
    return n == 0 ? 1 : radix * power(radix, n - 1);
}

void tables_plan_init(struct tables_plan *p, const struct tables_row *row, const struct conv_geom *g, int w_bits,
                      int a_bits, bool wide)
{
    memset(p, 0, sizeof *p);
    p->pixels = row->pixels;
    p->lanes = row->lanes;
    p->wide = wide;
    p->vectors = wide ? TABLES_VECTORS : TABLES_VECTORS / 2;
    p->unit = unit_of(row, w_bits, a_bits, wide);
    p->w_bits = w_bits;
    p->a_bits = a_bits;
    p->a_top = top_of(g, a_bits);
    p->index_radix = wide ? 3 : 1 << (row->pixels ? a_bits : w_bits);
    p->select_radix = wide ? 3 : 1 << (row->pixels ? w_bits : a_bits);
    p->cell_bits = wide ? 7 : w_bits * p->unit;
    p->tables = power(p->select_radix, p->unit);
    p->table = wide ? 2 * TABLES_LANES : TABLES_LANES;
    bool rows = g->dilation_w == 1;
    p->run = rows ? g->kw * g->cin : g->cin;
    p->runs = rows ? g->kh : g->kh * g->kw;
    p->run_steps = (p->run + p->unit - 1) / p->unit;
    p->steps = p->runs * p->run_steps;
    bool compact = p->run == g->cin;
    p->pixel = compact ? p->run_steps : g->cin;
    p->step = compact ? 1 : p->unit;
    p->panels = (g->cout + row->lanes - 1) / row->lanes;
    p->chunks = (p->steps * row->lanes + TABLES_LANES - 1) / TABLES_LANES;
    /* A kernel of one row (or column) needs only the rows that the stride visits. */
    p->step_y = g->kh == 1 ? g->stride_h : 1;
    p->step_x = g->kw == 1 ? g->stride_w : 1;
    p->stride_y = g->stride_h / p->step_y;
    p->stride_x = g->stride_w / p->step_x;
    p->ih = (g->oh - 1) * p->stride_y + (g->kh - 1) * g->dilation_h + 1;
    p->iw = (g->ow - 1) * p->stride_x + (g->kw - 1) * g->dilation_w + 1;
    bool shared = rows && p->stride_y == 1;
    p->plane_sets = shared ? 1 : p->runs;
    p->plane_rows = shared ? p->ih : g->oh;
    plan_places(p, g);
}

/* --- weights --------------------------------------------------------------------------------------------------------
 */

/* What all levels share. */
static int common_factor(const struct conv_weights *w)
{
    int factor = 0;
    for (int c = 0; c < 1 << w->bits; c++)
        for (int b = w->levels[c] < 0 ? -w->levels[c] : w->levels[c]; b != 0;) {
            int rest = factor % b;
            factor = b;
            b = rest;
        }
    return factor == 0 ? 1 : factor;
}

/* The different ones among the levels; returns how many. */
static int different_levels(const struct conv_weights *w, int8_t levels[4])
{
    int n = 0;
    for (int c = 0, i; c < 1 << w->bits; c++) {
        for (i = 0; i < n && levels[i] != w->levels[c]; i++) {
        }
        if (i == n)
            levels[n++] = w->levels[c];
    }
    return n;
}

bool tables_wide(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    int8_t levels[4];
    return w->bits == 2 && a_bits == 2 && top_of(g, a_bits) <= 2 && different_levels(w, levels) <= 3;
}

/* How far apart the ends of a byte lane can come in one step. */
static int step_range(const struct conv_geom *g, int a_bits, const struct conv_weights *w, int unit)
{
    int lo = 0, hi = 0;
    for (int c = 0; c < 1 << w->bits; c++) {
        lo = min_int(lo, w->levels[c]);
        hi = max_int(hi, w->levels[c]);
    }
    return (hi - lo) / common_factor(w) * top_of(g, a_bits) * unit;
}

bool tables_can(const struct tables_row *row, const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    return w->bits <= 2 && a_bits <= 2 && g->groups == 1 &&
           step_range(g, a_bits, w, unit_of(row, w->bits, a_bits, tables_wide(g, a_bits, w))) <= 255;
}

/* Where lanes are channels, the even bytes of a vector are its first half, so that sums in 16-bit lanes come out in
 * order. */
int tables_lane(const struct tables_plan *p, int channel)
{
    int half = p->lanes / 2;
    return p->pixels ? channel : channel % half * 2 + channel / half;
}

/* Where value t of a step is in its channel's weights, -1: it has no such value. */
static int value_at(const struct tables_plan *p, int step, int t)
{
    int run = step / p->run_steps, i = step % p->run_steps;
    int value = tables_compact(p) ? t * p->run_steps + i : i * p->unit + t;
    return value < p->run ? run * p->run + value : -1;
}

/* How far below and above its start a channel's byte lane can come in any window. */
static void channel_reach(const struct tables_plan *p, const int8_t levels[4], const uint8_t *codes, int window,
                          int *below, int *above)
{
    int minus = 0, plus = 0;
    *below = *above = 0;
    for (int s = 0; s < p->steps; s++) {
        if (s % window == 0)
            minus = plus = 0;
        for (int t = 0, at; t < p->unit && (at = value_at(p, s, t)) >= 0; t++) {
            int level = levels[codes[at]] * p->a_top;
            minus -= min_int(level, 0);
            plus += max_int(level, 0);
        }
        *below = max_int(*below, minus);
        *above = max_int(*above, plus);
    }
}

/* Whether all channels stay within a byte; fills in their biases. */
static bool window_holds(const struct tables_plan *p, const struct conv_geom *g, int factor,
                         const struct conv_weights *w, int window, uint8_t *bias)
{
    int8_t levels[4] = {0};
    for (int c = 0; c < 1 << w->bits; c++)
        levels[c] = (int8_t)(w->levels[c] / factor);
    for (int co = 0; co < g->cout; co++) {
        int below, above;
        const uint8_t *codes = w->codes + (size_t)co * (size_t)(p->run * p->runs);
        channel_reach(p, levels, codes, window, &below, &above);
        if (below + above > 255)
            return false;
        bias[co / p->lanes * p->lanes + tables_lane(p, co % p->lanes)] = (uint8_t)below;
    }
    return true;
}

/* From the window that holds for any weights up, as long as the weights at hand allow it. */
static void choose_window(const struct tables_plan *p, const struct conv_geom *g, const struct conv_weights *w,
                          struct tables_header *head, uint8_t *bias)
{
    int range = max_int(step_range(g, p->a_bits, w, p->unit), 1);
    int window = min_int(255 / range, p->steps);
    for (int more = (window + 3) / 4; more > 0 && window < p->steps;) {
        int wider = min_int(window + more, p->steps);
        if (window_holds(p, g, head->factor, w, wider, bias))
            window = wider;
        else
            more /= 2;
    }
    window_holds(p, g, head->factor, w, window, bias);
    head->window = window;
    head->windows = (p->steps + window - 1) / window;
}

static size_t bias_bytes(const struct tables_plan *p)
{
    return align64((size_t)(p->panels * p->lanes));
}

static size_t panel_cells_bytes(const struct tables_plan *p)
{
    return (size_t)p->chunks * (size_t)p->cell_bits * 8;
}

size_t tables_packed_size(const struct tables_plan *p)
{
    /* a vector load may reach past the last cell */
    return sizeof(struct tables_header) + bias_bytes(p) + (size_t)p->panels * panel_cells_bytes(p) + 64;
}

static void put_bits(uint8_t *out, size_t at, unsigned value)
{
    out[at / 8] = (uint8_t)(out[at / 8] | value << at % 8);
    if (value >> (8 - at % 8))
        out[at / 8 + 1] = (uint8_t)(out[at / 8 + 1] | value >> (8 - at % 8));
}

/* digits: of codes */
static void pack_panel(const struct tables_plan *p, const struct conv_geom *g, const struct conv_weights *w,
                       const uint8_t digits[4], int panel, uint8_t *out)
{
    for (int s = 0; s < p->steps; s++) {
        for (int c = 0; c < p->lanes && panel * p->lanes + c < g->cout; c++) {
            size_t co = (size_t)(panel * p->lanes + c), at = (size_t)(s * p->lanes + tables_lane(p, c));
            const uint8_t *codes = w->codes + co * (size_t)(p->run * p->runs);
            unsigned cell = 0, place = 1;
            for (int t = 0, i; t < p->unit && (i = value_at(p, s, t)) >= 0; t++, place *= p->wide ? 3 : 1u << w->bits)
                cell += place * digits[codes[i]];
            put_bits(out, at * (size_t)p->cell_bits, cell);
        }
    }
}

void tables_pack(const struct tables_plan *p, const struct conv_geom *g, const struct conv_weights *w, void *packed)
{
    struct tables_header *head = packed;
    memset(packed, 0, tables_packed_size(p));
    head->bits = w->bits;
    head->factor = common_factor(w);
    head->wide = p->wide;
    int8_t levels[4];
    uint8_t digits[4];
    int n = different_levels(w, levels);
    if (!p->wide)
        memcpy(levels, w->levels, (size_t)(n = 1 << w->bits));
    for (int c = 0; c < 1 << w->bits; c++)
        for (int d = 0; d < n; d++)
            if (levels[d] == w->levels[c] && (p->wide || d == c))
                digits[c] = (uint8_t)d;
    for (int d = 0; d < n; d++)
        head->levels[d] = (int8_t)(levels[d] / head->factor);
    uint8_t *bias = (uint8_t *)packed + sizeof *head, *out = bias + bias_bytes(p);
    choose_window(p, g, w, head, bias);
    for (int i = 0; i < p->panels; i++)
        pack_panel(p, g, w, digits, i, out + (size_t)i * panel_cells_bytes(p));
}
