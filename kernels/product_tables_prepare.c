/* SPDX-License-Identifier: MIT
 *
 * Product tables: what a layer's calls share, made once.
 */
#include "kernels/product_tables.h"

#include <string.h>

/* --- tables ---------------------------------------------------------------------------------------------------------
 */

/* What digit t of the selector adds to each entry of a table if it is d. */
static void digit_products(const struct tables_plan *p, const struct tables_header *head, int t, int d,
                           int8_t *products)
{
    int place = 1;
    while (t-- > 0)
        place *= p->index_radix;
    for (size_t i = 0; i < p->table; i++) {
        int index = (int)i / place % p->index_radix;
        products[i] = (int8_t)(p->pixels ? head->levels[d] * index : d * head->levels[index]);
    }
}

/* All tables over the first `values` values of a step, whatever the codes of the others. Sums of bytes wrap around, as
 * the lanes do that they are added to. */
static void make_tables(const struct tables_plan *p, const struct tables_header *head, int values, uint8_t *tables)
{
    memset(tables, 0, p->table);
    for (int t = 0, n = 1; t < p->unit; t++, n *= p->select_radix)
        for (int d = p->select_radix - 1; d >= 0; d--) { /* d == 0 last: the others start from what is there */
            int8_t add[2 * TABLES_LANES] = {0};
            if (t < values)
                digit_products(p, head, t, d, add);
            for (int i = 0; i < n; i++) {
                const uint8_t *from = tables + (size_t)i * p->table;
                uint8_t *to = tables + (size_t)(d * n + i) * p->table;
                for (size_t k = 0; k < p->table; k++)
                    to[k] = (uint8_t)(from[k] + add[k]);
            }
        }
}

/* --- steps ----------------------------------------------------------------------------------------------------------
 */

/* Index and select in bytes: channels in lanes take indices from cells and selectors from the image, pixels in lanes
 * indices from planes and selectors from cells. Returns how many segments there are. */
static int make_segments(const struct tables_plan *p, const struct conv_geom *g, const struct tables_header *head,
                         struct tables_segment *segments)
{
    const bool differs = tables_last_differs(p);
    int n = 0;
    for (int r = 0, s = 0; r < p->runs; r++) {
        int ky = p->runs == g->kh ? r : r / g->kw, kx = p->runs == g->kh ? 0 : r % g->kw;
        int at = (ky * g->dilation_h * p->iw + kx * g->dilation_w) * p->pixel;
        int plane =
            p->plane_sets > 1 ? r * ((p->run_steps + 15) / 16 * 16) * (int)p->plane_bytes : ky * g->dilation_h * g->ow;
        for (int i = 0, count; i < p->run_steps; i += count, s += count, n++) {
            bool own = differs && i + 1 == p->run_steps;
            int left = p->run_steps - i - (differs && !own);
            count = head->window - s % head->window;
            count = count < left ? count : left;
            segments[n] = (struct tables_segment){.tables = own ? p->tables * (int)p->table : 0,
                                                  .index = p->pixels ? plane + i * (int)tables_plane_step(p)
                                                                     : s * p->vectors * p->lanes,
                                                  .select = p->pixels ? s * p->lanes : at + i * p->step,
                                                  .steps = count,
                                                  .starts = s % head->window == 0,
                                                  .ends = (s + count) % head->window == 0 || s + count == p->steps};
        }
    }
    return n;
}

int tables_era(const struct tables_segment *segments, int n)
{
    int windows = 0, i = 0;
    while (i < n && windows < TABLES_WINDOWS)
        windows += segments[i++].ends;
    return i;
}

/* --- constants of channels ------------------------------------------------------------------------------------------
 */

/* The smallest sum that requantizes to at least (m >= 0), or to less than (m < 0), this code beside this residual. */
static int32_t threshold(const struct requant *rq, int c, int code, int residual)
{
    /* ((acc * m + residual * res_m << left) + b) >> shift >= code is acc * m << left >= want */
    __int128 scale = INT64_C(1) << rq->left, unit = rq->m[c] * scale;
    __int128 want = ((__int128)code << rq->shift) - rq->b[c] - residual * rq->res_m * scale;
    if (unit == 0)
        return want <= 0 ? -TABLES_NEVER : TABLES_NEVER;
    __int128 at = want / unit; /* towards 0 */
    if (unit > 0)
        at += at * unit < want; /* up */
    else
        at = at * unit < want ? at : at + 1; /* acc <= floor(want / unit) is that code: one above is not */
    return (int32_t)(at > TABLES_NEVER ? TABLES_NEVER : at < -TABLES_NEVER ? -TABLES_NEVER : at);
}

/* The same for sums as lanes hold them, divided by `factor` and with a bias. */
static uint16_t lane_threshold(int32_t at, int factor, int32_t bias)
{
    int32_t x = (at > 0 ? (at - 1) / factor + 1 : at / factor) + bias;
    return (uint16_t)(x < 0 ? 0 : x > UINT16_MAX ? UINT16_MAX : x);
}

static void channel_thresholds(const struct requant *rq, int c, int factor, struct tables_fix *f)
{
    const bool falling = rq->m[c] < 0;
    const int lane = c % TABLES_LANES;
    f->base[lane] = (uint16_t)(falling ? rq->hi : rq->lo);
    f->step[lane] = (uint16_t)(falling ? -1 : 1);
    for (int i = 0; i < TABLES_CODES; i++) {
        f->by_residual[i][lane] = 0;
        for (int r = 0; r < TABLES_RESIDUALS; r++) {
            int code = falling ? rq->hi - i : rq->lo + 1 + i;
            int32_t at = rq->lo + i < rq->hi ? threshold(rq, c, code, r) : TABLES_NEVER;
            f->by_residual[i][lane] |= (uint64_t)lane_threshold(at, factor, f->bias[lane]) << 16 * r;
        }
        f->at[i][lane] = (uint16_t)f->by_residual[i][lane];
        f->at_twice[i][lane] = f->at[i][lane] * 0x10001u;
    }
    f->base_twice[lane] = f->base[lane] * 0x10001u;
    f->step_twice[lane] = f->step[lane] * 0x10001u;
}

static void make_fix(const struct tables_plan *p, const struct conv_geom *g, const struct tables_header *head,
                     const struct requant *rq, struct tables_fix *fix)
{
    const uint8_t *bias = tables_bias(head);
    memset(fix, 0, (size_t)((g->cout + TABLES_LANES - 1) / TABLES_LANES) * sizeof *fix);
    for (int c = 0; c < g->cout; c++) {
        struct tables_fix *f = fix + c / TABLES_LANES;
        f->bias[c % TABLES_LANES] = head->windows * bias[c / p->lanes * p->lanes + tables_lane(p, c % p->lanes)];
        if (rq && rq->hi - rq->lo <= TABLES_CODES)
            channel_thresholds(rq, c, head->factor, f);
    }
}

/* --- all of it ------------------------------------------------------------------------------------------------------
 */

static void make_places(const struct tables_plan *p, const struct conv_geom *g, int32_t *places)
{
    int step_y = p->plane_sets > 1 ? p->stride_y : 1, count = p->plane_rows * g->ow;
    for (int i = 0; i < count; i++)
        places[i] = i / g->ow * step_y * p->iw + i % g->ow * p->stride_x;
    for (int i = count; i % TABLES_LANES != 0; i++)
        places[i] = places[count - 1];
}

void tables_prepare(const struct tables_row *row, const struct conv_geom *g, int a_bits, const void *packed,
                    const struct requant *rq, void *prepared)
{
    const struct tables_header *head = packed;
    struct tables_plan *p = prepared;
    uint8_t *at = prepared;
    tables_plan_init(p, row, g, head->bits, a_bits, head->wide);
    make_places(p, g, (int32_t *)(at + p->places_at));
    make_tables(p, head, p->unit, at + p->tables_at);
    if (tables_last_differs(p))
        make_tables(p, head, p->run % p->unit, at + p->tables_at + (size_t)p->tables * p->table);
    p->segments = make_segments(p, g, head, (struct tables_segment *)(at + p->segments_at));
    make_fix(p, g, head, rq, (struct tables_fix *)(at + p->fix_at));
    struct requant_lanes *lanes = (struct requant_lanes *)(at + p->requant_at);
    for (int co = 0; co < g->cout && requant_in_lanes(rq); co += PANEL)
        requant_lanes_init(lanes + co / PANEL, g, rq, co, g->cout - co < PANEL ? g->cout - co : PANEL);
    for (int i = 0; i < TABLES_LANES; i++) {
        p->gather[i] = (uint8_t)(i / 8 * p->cell_bits + (i % 8 < p->cell_bits ? i % 8 : 0));
        p->shifts[i] = (uint8_t)(i % 8 * p->cell_bits);
        p->order[i] = (uint8_t)tables_lane(p, i % p->lanes);
    }
}
