/* SPDX-License-Identifier: MIT */
#include "kernels/wino.h"

#include <string.h>

/* Bytes of V and of sums that a block should take: of a cache of 1 MB that weights stream through as well, or, where
 * the products of a tile are too few to hide stores that miss it, of the nearest cache. */
enum { BLOCK_BYTES = 320 * 1024, NARROW_BLOCK_BYTES = 40 * 1024 };

static size_t align64(size_t n)
{
    return (n + 63) / 64 * 64;
}

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

/* --- what fits ------------------------------------------------------------------------------------------------------
 */

/* 2G: each row adds `plus` taps' worth and takes off `minus` (a weight that counts twice is two). */
static const int plus[4] = {2, 3, 2, 2}, minus[4] = {0, 0, 1, 0};

static bool weights_fit(const struct conv_weights *w)
{
    int lo = 127, hi = -127;
    for (int c = 0; c < 1 << w->bits; c++) {
        lo = w->levels[c] < lo ? w->levels[c] : lo;
        hi = w->levels[c] > hi ? w->levels[c] : hi;
    }
    for (int p = 0; p < WINO_POSITIONS; p++) {
        int i = p / 4, j = p % 4;
        int add = plus[i] * plus[j] + minus[i] * minus[j], take = plus[i] * minus[j] + minus[i] * plus[j];
        if (add * hi - take * lo > 127 || add * lo - take * hi < -128)
            return false;
    }
    return true;
}

bool wino_can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    if (g->kh != 3 || g->kw != 3 || g->stride_h != 1 || g->stride_w != 1 || g->dilation_h != 1 || g->dilation_w != 1 ||
        g->groups != 1)
        return false;
    /* four times an output's sum must fit 32 bits: 36 * 63 * 14 * cin */
    return w->bits <= 4 && a_bits <= 6 && g->cin <= 1 << 16 && weights_fit(w);
}

/* --- plan -----------------------------------------------------------------------------------------------------------
 */

void wino_plan_init(struct wino_plan *p, const struct conv_geom *g)
{
    memset(p, 0, sizeof *p);
    p->pixel = g->cin <= 16 ? 16 : g->cin <= 32 ? 32 : ceil_div(g->cin, 64) * 64;
    p->steps = g->cin <= 16 ? 4 : ceil_div(g->cin, 4);
    p->panels = ceil_div(g->cout, PANEL);
    p->tiles_y = ceil_div(g->oh, 2);
    p->tiles_x = ceil_div(g->ow, 2);
    int lanes = p->panels < WINO_GROUP ? PANEL : WINO_GROUP * PANEL;
    int most = (p->pixel == 16 ? NARROW_BLOCK_BYTES : BLOCK_BYTES) / (WINO_POSITIONS * (p->pixel + 4 * lanes));
    most = most < 8 ? 8 : most > WINO_MAX_TILES ? WINO_MAX_TILES : most;
    p->blocks_x = ceil_div(p->tiles_x, most);
    p->block_x = ceil_div(p->tiles_x, p->blocks_x);
    p->blocks_y = ceil_div(p->tiles_y, most / p->block_x);
    p->block_y = ceil_div(p->tiles_y, p->blocks_y);

    size_t pixel = (size_t)p->pixel, tiles = (size_t)(p->block_y * p->block_x);
    /* Transforms of narrow pixels work on up to four tiles at once, of which three may not be there; positions are a
     * line apart from powers of two, which would share their place in the cache. */
    p->row_bytes = align64((size_t)(2 * p->block_x + 2 + 6) * pixel) + 64;
    p->v_step = align64((tiles + 3) * pixel) + 64;
    p->y_step = (tiles + 1) * (WINO_GROUP * PANEL) + PANEL;
    p->rest_at = 4 * p->row_bytes;
    p->expand_at = p->rest_at + p->row_bytes;
    p->v_at = p->expand_at + (p->pixel == g->cin ? 0 : 4 * p->row_bytes);
    p->y_at = p->v_at + WINO_POSITIONS * p->v_step;
    p->scratch_bytes = p->y_at + WINO_POSITIONS * p->y_step * sizeof(int32_t);
}

/* Where part i of n parts of total begins. */
static int part_start(int total, int n, int i)
{
    return total / n * i + (i < total % n ? i : total % n);
}

void wino_block_init(struct wino_block *b, const struct wino_plan *p, const struct conv_geom *g, int by, int bx)
{
    b->y = part_start(p->tiles_y, p->blocks_y, by);
    b->x = part_start(p->tiles_x, p->blocks_x, bx);
    b->ny = part_start(p->tiles_y, p->blocks_y, by + 1) - b->y;
    b->nx = part_start(p->tiles_x, p->blocks_x, bx + 1) - b->x;
    b->ny3 = b->ny - (2 * (b->y + b->ny) > g->oh);
    b->nx3 = b->nx - (2 * (b->x + b->nx) > g->ow);
}

/* --- weights --------------------------------------------------------------------------------------------------------
 */

/* One row of 2G times three values that are `step` apart. */
static int g_row(int i, const int *x, int step)
{
    int a = x[0], b = x[step], c = x[2 * step];
    return i == 0 ? 2 * a : i == 1 ? a + b + c : i == 2 ? a - b + c : 2 * c;
}

/* U of the weights between two channels, which are `step` apart. */
static void transform_weights(const struct conv_weights *w, const uint8_t *codes, size_t step, int u[WINO_POSITIONS])
{
    int k[9], rows[12];
    for (int t = 0; t < 9; t++)
        k[t] = w->levels[codes[(size_t)t * step]];
    for (int i = 0; i < 4; i++)
        for (int x = 0; x < 3; x++)
            rows[3 * i + x] = g_row(i, k + x, 3);
    for (int p = 0; p < WINO_POSITIONS; p++)
        u[p] = g_row(p % 4, rows + p / 4 * 3, 1);
}

/* What the sums of one output channel start with, such that the offset has left its four outputs: sums[p] is the sum
 * of U over the input channels, two_top twice the largest code. */
static void starts_of(const int32_t sums[WINO_POSITIONS], int two_top, int32_t starts[4])
{
    static const int a[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};
    for (int o = 0; o < 4; o++) {
        const int *row = a[o / 2], *column = a[o % 2];
        int64_t extra = 0;
        for (int p = 0; p < WINO_POSITIONS; p++)
            extra += p == 5 ? 0 : (int64_t)sums[p] * two_top * row[p / 4] * column[p % 4];
        /* positions 0, 3, 12, 15 have the signs +, -, -, + in their outputs; wraps around as all sums do */
        starts[o] = (int32_t)(uint32_t)(o == 0 || o == 3 ? -extra : extra);
    }
}

size_t wino_group_bytes(const struct wino_plan *p, int panels)
{
    return (size_t)panels * (4 * PANEL * sizeof(int32_t) + (size_t)(WINO_POSITIONS * p->steps) * PANEL * 4);
}

size_t wino_packed_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    struct wino_plan p;
    wino_plan_init(&p, g);
    return wino_group_bytes(&p, p.panels);
}

/* Output channel `lane` of panel v, of a group of n. */
static void pack_channel(const struct wino_plan *p, const struct conv_geom *g, const struct conv_weights *w, int co,
                         int two_top, int32_t *start, int8_t *u, int v, int n)
{
    int32_t sums[WINO_POSITIONS] = {0}, starts[4];
    int lane = co % PANEL;
    for (int ci = 0; ci < g->cin; ci++) {
        int x[WINO_POSITIONS];
        transform_weights(w, w->codes + (size_t)co * (size_t)(9 * g->cin) + ci, (size_t)g->cin, x);
        for (int pos = 0; pos < WINO_POSITIONS; pos++) {
            size_t step = (size_t)(pos * p->steps + ci / 4);
            u[(step * (size_t)n + (size_t)v) * 64 + (size_t)(lane * 4 + ci % 4)] = (int8_t)x[pos];
            sums[pos] += x[pos];
        }
    }
    starts_of(sums, two_top, starts);
    for (int o = 0; o < 4; o++)
        start[(o * n + v) * PANEL + lane] = starts[o];
}

void wino_pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)
{
    struct wino_plan p;
    wino_plan_init(&p, g);
    memset(packed, 0, wino_group_bytes(&p, p.panels));
    char *out = packed;
    for (int panel = 0; panel < p.panels; panel += WINO_GROUP) {
        int n = p.panels - panel < WINO_GROUP ? p.panels - panel : WINO_GROUP;
        int end = (panel + n) * PANEL < g->cout ? (panel + n) * PANEL : g->cout;
        int32_t *start = (int32_t *)out;
        int8_t *u = (int8_t *)(start + 4 * n * PANEL);
        for (int co = panel * PANEL; co < end; co++)
            pack_channel(&p, g, w, co, 2 * ((1 << a_bits) - 1), start, u, co / PANEL - panel, n);
        out += wino_group_bytes(&p, n);
    }
}

/* --- the rest -------------------------------------------------------------------------------------------------------
 */

size_t wino_prepared_size(const struct conv_geom *g)
{
    return (size_t)ceil_div(g->cout, PANEL) * sizeof(struct requant_lanes);
}

void wino_prepare(const struct conv_geom *g, const struct requant *rq, void *prepared)
{
    struct requant_lanes *r = prepared;
    for (int co = 0; requant_in_lanes(rq) && co < g->cout; co += PANEL)
        requant_lanes_init(r++, rq, co, g->cout - co < PANEL ? g->cout - co : PANEL);
}

size_t wino_scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    struct wino_plan p;
    wino_plan_init(&p, g);
    return p.scratch_bytes;
}
