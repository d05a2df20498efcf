/* SPDX-License-Identifier: MIT */
#include "kernels/wino.h"

#include <string.h>

#include "base/num.h"

/* Bytes of V and of sums that a block should take: of a cache of 1 MB that weights stream through as well, or, where
 * the products of a tile are too few to hide stores that miss it, of the nearest cache. */
enum { BLOCK_BYTES = 320 * 1024, NARROW_BLOCK_BYTES = 40 * 1024 };

/* --- what fits ------------------------------------------------------------------------------------------------------
 */

/* 2G: each row adds `plus` taps' worth and takes off `minus` (a weight that counts twice is two). */
static const int plus[4] = {2, 3, 2, 2}, minus[4] = {0, 0, 1, 0};

/* The largest magnitude in U, whatever the weights are. */
static int u_worst(const struct conv_weights *w)
{
    int lo = 127, hi = -127;
    for (int c = 0; c < 1 << w->bits; c++) {
        lo = w->levels[c] < lo ? w->levels[c] : lo;
        hi = w->levels[c] > hi ? w->levels[c] : hi;
    }
    int worst = 0;
    for (int p = 0; p < WINO_POSITIONS; p++) {
        int i = p / 4, j = p % 4;
        int add = plus[i] * plus[j] + minus[i] * minus[j], take = plus[i] * minus[j] + minus[i] * plus[j];
        int top = add * hi - take * lo, bottom = take * hi - add * lo;
        worst = top > worst ? top : worst;
        worst = bottom > worst ? bottom : worst;
    }
    return worst;
}

/* Steps that a 16-bit lane holds whatever the weights are; 0 if even one can overflow. */
static int window_worst(int a_bits, const struct conv_weights *w)
{
    int step = 2 * 4 * ((1 << a_bits) - 1) * u_worst(w);
    return step == 0 ? 1 << 30 : 32767 / step;
}

bool wino_can(const struct wino_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    if (g->kh != 3 || g->kw != 3 || g->stride_h != 1 || g->stride_w != 1 || g->dilation_h != 1 || g->dilation_w != 1 ||
        g->groups != 1)
        return false;
    /* Four times an output's sum must fit 32 bits: 36 * 63 * 14 * cin. With 8 channels or less the transforms take
     * longer than the products that they save. */
    return w->bits <= 4 && a_bits <= 6 && g->cin > 8 && g->cin <= 1 << 16 && u_worst(w) <= 127 &&
           (!k->windows || window_worst(a_bits, w) > 0);
}

/* --- plan -----------------------------------------------------------------------------------------------------------
 */

static void plan_init(struct wino_plan *p, const struct wino_kernel *k, const struct conv_geom *g)
{
    memset(p, 0, sizeof *p);
    p->pixel = g->cin <= 16 ? 16 : g->cin <= 32 ? 32 : div_up_int(g->cin, 64) * 64;
    p->steps = g->cin <= 16 ? 4 : div_up_int(g->cin, 4);
    p->panels = div_up_int(g->cout, PANEL);
    p->tiles_y = div_up_int(g->oh, 2);
    p->tiles_x = div_up_int(g->ow, 2);
    int lanes = (p->panels < k->group ? p->panels : k->group) * PANEL;
    int most = (p->pixel == 16 ? NARROW_BLOCK_BYTES : BLOCK_BYTES) / (WINO_POSITIONS * (p->pixel + 4 * lanes));
    most = most < 8 ? 8 : most > WINO_MAX_TILES ? WINO_MAX_TILES : most;
    p->blocks_x = div_up_int(p->tiles_x, most);
    p->block_x = div_up_int(p->tiles_x, p->blocks_x);
    p->blocks_y = div_up_int(p->tiles_y, most / p->block_x);
    p->block_y = div_up_int(p->tiles_y, p->blocks_y);

    size_t pixel = (size_t)p->pixel, tiles = (size_t)(p->block_y * p->block_x);
    /* Transforms of narrow pixels work on up to four tiles at once, of which three may not be there; positions are a
     * line apart from powers of two, which would share their place in the cache. */
    p->row_bytes = align64((size_t)(2 * p->block_x + 2 + 6) * pixel) + 64;
    p->v_step = align64((tiles + 3) * pixel) + 64;
    p->y_step = (tiles + 1) * (size_t)lanes + PANEL;
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

static void block_init(struct wino_block *b, const struct wino_plan *p, const struct conv_geom *g, int by, int bx)
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

static size_t group_bytes(const struct wino_plan *p, int panels)
{
    return (size_t)panels * (4 * PANEL * sizeof(int32_t) + (size_t)(WINO_POSITIONS * p->steps) * PANEL * 4);
}

size_t wino_packed_size(const struct wino_kernel *k, const struct conv_geom *g)
{
    struct wino_plan p;
    plan_init(&p, k, g);
    return sizeof(struct wino_header) + group_bytes(&p, p.panels);
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

/* Whether no 16-bit lane overflows within any window of this many steps, at any activations: positive and negative
 * weights count apart. u: of a group of one panel. */
static bool window_holds(const struct wino_plan *p, const int8_t *u, int top, int window)
{
    int limit = 32767 / (4 * top);
    for (int pos = 0; pos < WINO_POSITIONS; pos++, u += p->steps * PANEL * 4)
        for (int lane = 0; lane < 2 * PANEL; lane++) {
            int above = 0, below = 0;
            for (int s = 0; s < p->steps; s++) {
                if (s % window == 0)
                    above = below = 0;
                const int8_t *pair = u + (s * PANEL * 2 + lane) * 2;
                for (int i = 0; i < 2; i++) {
                    above += pair[i] > 0 ? pair[i] : 0;
                    below -= pair[i] < 0 ? pair[i] : 0;
                }
                if (above > limit || below > limit)
                    return false;
            }
        }
    return true;
}

/* The weights at hand allow more than the worst case: doubles the window as long as it holds. */
static int best_window(const struct wino_plan *p, int a_bits, const struct conv_weights *w, const char *packed)
{
    int window = window_worst(a_bits, w);
    for (bool holds = true; holds && window < p->steps;) {
        const char *group = packed;
        for (int panel = 0; holds && panel < p->panels; panel++, group += group_bytes(p, 1))
            holds = window_holds(p, (const int8_t *)group + 4 * PANEL * sizeof(int32_t), (1 << a_bits) - 1, 2 * window);
        window *= holds ? 2 : 1;
    }
    return window < p->steps ? window : p->steps;
}

void wino_pack(const struct wino_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_weights *w,
               void *packed)
{
    struct wino_plan p;
    plan_init(&p, k, g);
    struct wino_header *head = packed;
    char *groups = (char *)(head + 1), *out = groups;
    memset(packed, 0, sizeof *head + group_bytes(&p, p.panels));
    for (int panel = 0; panel < p.panels; panel += k->group) {
        int n = p.panels - panel < k->group ? p.panels - panel : k->group;
        int end = (panel + n) * PANEL < g->cout ? (panel + n) * PANEL : g->cout;
        int32_t *start = (int32_t *)out;
        int8_t *u = (int8_t *)(start + 4 * n * PANEL);
        for (int co = panel * PANEL; co < end; co++)
            pack_channel(&p, g, w, co, 2 * ((1 << a_bits) - 1), start, u, co / PANEL - panel, n);
        out += group_bytes(&p, n);
    }
    head->window = k->windows ? best_window(&p, a_bits, w, groups) : p.steps;
}

/* --- run ------------------------------------------------------------------------------------------------------------
 */

size_t wino_prepared_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return (size_t)div_up_int(g->cout, PANEL) * sizeof(struct requant_lanes);
}

void wino_prepare(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq, void *prepared)
{
    (void)a_bits, (void)packed;
    struct requant_lanes *r = prepared;
    for (int co = 0; requant_in_lanes(rq) && co < g->cout; co += PANEL)
        requant_lanes_init(r++, g, rq, co, g->cout - co < PANEL ? g->cout - co : PANEL);
}

size_t wino_scratch_size(const struct wino_kernel *k, const struct conv_geom *g)
{
    struct wino_plan p;
    plan_init(&p, k, g);
    return p.scratch_bytes;
}

/* n pixels of the picture, as wide as V's. */
static const uint8_t *expand(const struct wino_pass *s, const uint8_t *in, int n, uint8_t *out)
{
    size_t cin = (size_t)s->g->cin, pixel = (size_t)s->p->pixel;
    if (cin == pixel)
        return in;
    for (int x = 0; x < n; x++)
        memcpy(out + (size_t)x * pixel, in + (size_t)x * cin, cin);
    return out;
}

/* The vertical transform of the pixels that row y of a block's tiles reads; padding is where the picture is not. */
static void block_rows(const struct wino_kernel *k, const struct wino_pass *s, const struct wino_block *b, int y)
{
    const struct wino_plan *p = s->p;
    const struct conv_geom *g = s->g;
    int columns = 2 * b->nx + 2, first = 2 * b->x - g->pad_left;
    int left = first < 0 ? -first < columns ? -first : columns : 0;
    int right = g->w - first < columns ? g->w - first : columns;
    right = right < left ? left : right;
    size_t pixel = (size_t)p->pixel;
    const uint8_t *rows[4];
    for (int i = 0; i < 4; i++) {
        int iy = 2 * (b->y + y) + i - g->pad_top;
        rows[i] = s->scratch + p->rest_at;
        if (iy >= 0 && iy < g->h && left < right) {
            const uint8_t *in = s->call->in + ((size_t)iy * (size_t)g->w + (size_t)(first + left)) * (size_t)g->cin;
            rows[i] = expand(s, in, right - left, s->scratch + p->expand_at + (size_t)i * p->row_bytes);
        }
    }
    uint8_t *out = s->scratch + p->rows_at;
    k->down(rows, (size_t)(right - left) * pixel, out + (size_t)left * pixel, p->row_bytes);
    /* padding on both sides, which stays there for the block: p - p, p + p, p - p, p - p */
    for (int i = 0; y == 0 && i < 4; i++, out += p->row_bytes) {
        int code = i == 1 ? (uint8_t)(2 * s->call->pad_code) : 0;
        memset(out, code, (size_t)left * pixel);
        memset(out + (size_t)right * pixel, code, (size_t)(columns - right) * pixel);
    }
}

static void block_run(const struct wino_kernel *k, const struct wino_pass *s, const struct wino_block *b)
{
    const struct wino_plan *p = s->p;
    for (int y = 0; y < b->ny; y++) {
        block_rows(k, s, b, y);
        k->across(s, b, y);
    }
    const int *channels = s->call->channels;
    int first = channels[0] / PANEL, end = channels[1] ? div_up_int(channels[1], PANEL) : p->panels;
    const char *packed = (const char *)s->call->packed + sizeof(struct wino_header) + group_bytes(p, first);
    for (int panel = first; panel < end; panel += k->group) {
        int nv = p->panels - panel < k->group ? p->panels - panel : k->group;
        k->products(s, b, packed, nv);
        k->outputs(s, b, panel, nv);
        packed += group_bytes(p, nv);
    }
}

void wino_run(const struct wino_kernel *k, const struct conv_geom *g, int a_bits, const struct conv_call *call)
{
    struct wino_plan p;
    plan_init(&p, k, g);
    bool lanes = call->out_u8 && requant_in_lanes(call->rq);
    struct wino_pass s = {.p = &p,
                          .g = g,
                          .call = call,
                          .requant = lanes ? call->prepared : NULL,
                          .scratch = call->scratch,
                          .top = (1 << a_bits) - 1,
                          .window = ((const struct wino_header *)call->packed)->window};
    memset(s.scratch + p.rest_at, call->pad_code, p.row_bytes);
    for (int by = 0; by < p.blocks_y; by++)
        for (int bx = 0; bx < p.blocks_x; bx++) {
            struct wino_block b;
            block_init(&b, &p, g, by, bx);
            block_run(k, &s, &b);
        }
}
