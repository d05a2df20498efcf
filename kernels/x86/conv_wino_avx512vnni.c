/* SPDX-License-Identifier: MIT
 *
 * Winograd convolution with vpdpbusd: transforms in bytes, 16 matrix products with 8 tiles by 32 channels in registers,
 * and the way back to outputs with requantization in the same pass. See wino.h for the arithmetic.
 */
#include "kernels/rows.h"
#include "kernels/unroll.h"
#include "kernels/wino.h"
#include "kernels/x86/intrin.h"
#include "kernels/x86/requant_avx512.h"

#include <string.h>

/* --- pixels to V ----------------------------------------------------------------------------------------------------
 */

/* What 64 bytes of four rows become in B' d. */
static inline __attribute__((always_inline)) void down64(const uint8_t *r0, const uint8_t *r1, const uint8_t *r2,
                                                         const uint8_t *r3, uint8_t *out, size_t step)
{
    __m512i a = _mm512_loadu_si512(r0), b = _mm512_loadu_si512(r1), c = _mm512_loadu_si512(r2);
    __m512i d = _mm512_loadu_si512(r3);
    _mm512_storeu_si512(out, _mm512_sub_epi8(a, c));
    _mm512_storeu_si512(out + step, _mm512_add_epi8(b, c));
    _mm512_storeu_si512(out + 2 * step, _mm512_sub_epi8(c, b));
    _mm512_storeu_si512(out + 3 * step, _mm512_sub_epi8(b, d));
}

static void down(const uint8_t *const rows[4], size_t n, uint8_t *out, size_t step)
{
    wino_down(rows, n, out, step, 64, down64);
}

/* The horizontal transform of whole vectors of pixels a, b, c, d, and the offset; off1 is position 1's. */
#define ACROSS(a, b, c, d)                                                         \
    _mm512_storeu_si512(out, _mm512_add_epi8(_mm512_sub_epi8(a, c), off));         \
    _mm512_storeu_si512(out + v, _mm512_add_epi8(_mm512_add_epi8(b, c), off1));    \
    _mm512_storeu_si512(out + 2 * v, _mm512_add_epi8(_mm512_sub_epi8(c, b), off)); \
    _mm512_storeu_si512(out + v3, _mm512_add_epi8(_mm512_sub_epi8(b, d), off));

/* Row y of a block's tiles, from what block_rows left to V. */
static void block_across(const struct wino_pass *s, const struct wino_block *b, int y)
{
    const struct wino_plan *p = s->p;
    size_t pixel = (size_t)p->pixel, v = p->v_step;
    __m512i off = _mm512_set1_epi8((char)(2 * s->top));
    for (int i = 0; i < 4; i++) {
        __m512i off1 = i == 1 ? _mm512_setzero_si512() : off;
        const uint8_t *in = s->scratch + p->rows_at + (size_t)i * p->row_bytes;
        uint8_t *out = s->scratch + p->v_at + (size_t)(4 * i) * v + (size_t)(y * b->nx) * pixel;
        size_t v3 = 3 * v - (size_t)(y * (b->nx - b->nx3)) * pixel;
        if (pixel == 16) {
            for (int x = 0; x < b->nx; x += 4, in += 128, out += 64) {
                __m512i x0 = _mm512_loadu_si512(in), x1 = _mm512_loadu_si512(in + 64);
                __m512i x2 = _mm512_loadu_si512(in + 32), x3 = _mm512_loadu_si512(in + 96);
                __m512i even = _mm512_shuffle_i32x4(x0, x1, 0x88), odd = _mm512_shuffle_i32x4(x0, x1, 0xdd);
                __m512i even2 = _mm512_shuffle_i32x4(x2, x3, 0x88), odd2 = _mm512_shuffle_i32x4(x2, x3, 0xdd);
                ACROSS(even, odd, even2, odd2)
            }
        } else if (pixel == 32) {
            for (int x = 0; x < b->nx; x += 2, in += 128, out += 64) {
                __m512i x0 = _mm512_loadu_si512(in), x1 = _mm512_loadu_si512(in + 64);
                __m512i x2 = _mm512_loadu_si512(in + 128);
                __m512i even = _mm512_shuffle_i32x4(x0, x1, 0x44), odd = _mm512_shuffle_i32x4(x0, x1, 0xee);
                __m512i even2 = _mm512_shuffle_i32x4(x1, x2, 0x44), odd2 = _mm512_shuffle_i32x4(x1, x2, 0xee);
                ACROSS(even, odd, even2, odd2)
            }
        } else {
            for (int x = 0; x < b->nx; x++, in += pixel)
                for (const uint8_t *end = in + pixel; in < end; in += 64, out += 64) {
                    __m512i x0 = _mm512_loadu_si512(in), x1 = _mm512_loadu_si512(in + pixel);
                    __m512i x2 = _mm512_loadu_si512(in + 2 * pixel), x3 = _mm512_loadu_si512(in + 3 * pixel);
                    ACROSS(x0, x1, x2, x3)
                }
        }
    }
}

/* --- products -------------------------------------------------------------------------------------------------------
 */

/* Tiles of one position, times nv panels. */
struct product {
    const uint8_t *v;
    size_t pixel;
    const int8_t *u;
    const int32_t *start; /* [nv][16] */
    int32_t *y;           /* [tile][nv][16] */
    int steps;
};

/* The accumulators of tile i: one vector of 16 channels for each panel. Named, because gcc spills arrays of them. */
#define TILES(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

#define START(i) __m512i l##i = s0, h##i = s1;
#define STEP(i)                                                                                     \
    if (i < m) {                                                                                    \
        __m512i a = _mm512_set1_epi32(load4((i < 4 ? p : q) + (i % 4 == 3 ? three : i % 4 * one))); \
        l##i = _mm512_dpbusd_epi32(l##i, a, w0);                                                    \
        if (nv > 1)                                                                                 \
            h##i = _mm512_dpbusd_epi32(h##i, a, w1);                                                \
    }
#define STORE(i)                                                  \
    if (i < m) {                                                  \
        _mm512_store_si512(y + i * nv * PANEL, l##i);             \
        if (nv > 1)                                               \
            _mm512_store_si512(y + i * nv * PANEL + PANEL, h##i); \
    }

/* m tiles, the first at v, their sums to y. */
static inline __attribute__((always_inline)) void tile(int m, int nv, const struct product *t, const uint8_t *v,
                                                       int32_t *y, size_t ahead)
{
    const int8_t *w = t->u;
    uintptr_t next = (uintptr_t)w + ahead; /* may lie behind the last weights, which does no harm */
    __m512i s0 = _mm512_load_si512(t->start), s1 = nv > 1 ? _mm512_load_si512(t->start + PANEL) : s0;
    size_t one = t->pixel, three = 3 * one;
    const uint8_t *p = v, *q = v + 4 * one;
    TILES(START)
    for (const uint8_t *end = v + 4 * t->steps; p < end; p += 4, q += 4, w += 64 * nv, next += 64) {
        _mm_prefetch((const char *)next, _MM_HINT_T0);
        __m512i w0 = _mm512_load_si512(w), w1 = nv > 1 ? _mm512_load_si512(w + 64) : w0;
        TILES(STEP)
    }
    TILES(STORE)
}

static inline __attribute__((always_inline)) void tile_m(int m, int nv, const struct product *t, const uint8_t *v,
                                                         int32_t *y, size_t ahead)
{
    switch (m) {
    case 1:
        tile(1, nv, t, v, y, ahead);
        break;
    case 2:
        tile(2, nv, t, v, y, ahead);
        break;
    case 3:
        tile(3, nv, t, v, y, ahead);
        break;
    case 4:
        tile(4, nv, t, v, y, ahead);
        break;
    case 5:
        tile(5, nv, t, v, y, ahead);
        break;
    case 6:
        tile(6, nv, t, v, y, ahead);
        break;
    case 7:
        tile(7, nv, t, v, y, ahead);
        break;
    default:
        tile(8, nv, t, v, y, ahead);
    }
}

/* n tiles in parts of even size. */
static inline __attribute__((always_inline)) void products(int nv, const struct product *t, int n)
{
    int parts = (n + 7) / 8;
    const uint8_t *v = t->v;
    int32_t *y = t->y;
    for (int i = 0; i < parts; i++) {
        int m = n / parts + (i < n % parts);
        size_t ahead = 64 * (size_t)(t->steps * (nv + (i < nv ? i : 0)));
        tile_m(m, nv, t, v, y, ahead);
        v += (size_t)m * t->pixel;
        y += m * nv * PANEL;
    }
}

#define NARROW(i) __m512i a##i = _mm512_set1_epi32(load4(v + 4 * (i)));

/* n tiles of up to 16 input channels, whose weights stay in registers. */
static inline __attribute__((always_inline)) void narrow(int nv, const struct product *t, int n)
{
    __m512i s0 = _mm512_load_si512(t->start), w[4 * WINO_MAX_GROUP];
    UNROLL for (int i = 0; i < 4 * nv; i++) w[i] = _mm512_load_si512(t->u + 64 * i);
    const uint8_t *v = t->v;
    int32_t *y = t->y;
    for (int i = 0; i < n; i++, v += 16, y += nv * PANEL) {
        NARROW(0)
        NARROW(1) NARROW(2) NARROW(3) __m512i x = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(s0, a0, w[0]), a1, w[nv]);
        _mm512_store_si512(y, _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(x, a2, w[2 * nv]), a3, w[3 * nv]));
        if (nv > 1) {
            x = _mm512_dpbusd_epi32(_mm512_load_si512(t->start + PANEL), a0, w[1]);
            x = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(x, a1, w[3]), a2, w[5]);
            _mm512_store_si512(y + PANEL, _mm512_dpbusd_epi32(x, a3, w[7]));
        }
    }
}

/* The 16 products of a block with the nv panels whose packed weights are here. */
static void block_products(const struct wino_pass *s, const struct wino_block *b, const char *packed, int nv)
{
    static const int32_t zero[WINO_MAX_GROUP * PANEL] __attribute__((aligned(64)));
    const struct wino_plan *p = s->p;
    const int32_t *starts = (const int32_t *)packed;
    struct product t = {.v = s->scratch + p->v_at,
                        .pixel = (size_t)p->pixel,
                        .u = (const int8_t *)(starts + 4 * nv * PANEL),
                        .y = (int32_t *)(s->scratch + p->y_at),
                        .steps = p->steps};
    for (int pos = 0; pos < WINO_POSITIONS; pos++) {
        bool corner = pos % 12 == 0 || pos % 12 == 3;
        int tiles = (pos / 4 == 3 ? b->ny3 : b->ny) * (pos % 4 == 3 ? b->nx3 : b->nx);
        t.start = corner ? starts : zero;
        starts += corner ? nv * PANEL : 0;
        if (p->pixel == 16 && nv > 1)
            narrow(2, &t, tiles);
        else if (p->pixel == 16)
            narrow(1, &t, tiles);
        else if (nv > 1)
            products(2, &t, tiles);
        else
            products(1, &t, tiles);
        t.v += p->v_step;
        t.u += p->steps * nv * 64;
        t.y += p->y_step;
    }
}

/* --- sums to outputs ------------------------------------------------------------------------------------------------
 */

/* The sums of a tile: of positions where j < 3, and where it is 3 (with `step` ints to the next position). */
struct sums {
    const int32_t *y, *y3;
    size_t step;
};

/* The four outputs of a tile, 16 channels each: A' y A / 4. */
static inline __attribute__((always_inline)) void back(const struct sums *s, __m512i out[4])
{
    __m512i up[4], low[4];
    size_t step = s->step;
    UNROLL for (int j = 0; j < 4; j++)
    {
        const int32_t *y = j < 3 ? s->y + (size_t)j * step : s->y3;
        __m512i b = _mm512_load_si512(y + 4 * step), c = _mm512_load_si512(y + 8 * step);
        up[j] = _mm512_add_epi32(_mm512_add_epi32(b, c), _mm512_load_si512(y));
        low[j] = _mm512_sub_epi32(_mm512_sub_epi32(b, c), _mm512_load_si512(y + 12 * step));
    }
    out[0] = _mm512_add_epi32(_mm512_add_epi32(up[1], up[2]), up[0]);
    out[1] = _mm512_sub_epi32(_mm512_sub_epi32(up[1], up[2]), up[3]);
    out[2] = _mm512_add_epi32(_mm512_add_epi32(low[1], low[2]), low[0]);
    out[3] = _mm512_sub_epi32(_mm512_sub_epi32(low[1], low[2]), low[3]);
    UNROLL for (int o = 0; o < 4; o++) out[o] = _mm512_srai_epi32(out[o], 2);
}

/* The nx by ny outputs of a tile that there are. */
struct outputs {
    size_t at, row, cout; /* element of the first, to the next row, to the next column */
    int nx, ny;
};

/* Codes of a tile, 16 channels from o->at on. */
INLINE void tile_codes(const struct conv_call *call, const struct requant_common *c, const struct requant_panel *p,
                       const struct outputs *o, const struct sums *y, enum requant_way way)
{
    __m512i x[4];
    __m128i r[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
    size_t right = o->nx > 1 ? o->cout : 0, low = o->ny > 1 ? o->row : 0;
    if (way >= WAY_RESIDUAL_FLOATS) {
        const uint8_t *res = call->residual + o->at;
        r[0] = _mm_loadu_si128((const __m128i *)res);
        r[1] = _mm_loadu_si128((const __m128i *)(res + right));
        r[2] = _mm_loadu_si128((const __m128i *)(res + low));
        r[3] = _mm_loadu_si128((const __m128i *)(res + low + right));
    }
    back(y, x);
    __m512i codes = requant_codes(c, requant16(c, p, x[0], r[0], way), requant16(c, p, x[1], r[1], way),
                                  requant16(c, p, x[2], r[2], way), requant16(c, p, x[3], r[3], way));
    /* in this order, what is not there is overwritten with what is */
    uint8_t *out = call->out_u8 + o->at;
    _mm_storeu_si128((__m128i *)(out + low + right), _mm512_extracti32x4_epi32(codes, 3));
    _mm_storeu_si128((__m128i *)(out + low), _mm512_extracti32x4_epi32(codes, 2));
    _mm_storeu_si128((__m128i *)(out + right), _mm512_extracti32x4_epi32(codes, 1));
    _mm_storeu_si128((__m128i *)out, _mm512_castsi512_si128(codes));
}

/* Any output: through memory, one row of the tile after the other. */
static void tile_store(const struct wino_pass *s, const struct requant_lanes *r, const struct outputs *o,
                       const struct sums *y, int co, int n)
{
    int32_t acc[4 * PANEL] __attribute__((aligned(64)));
    __m512i x[4];
    back(y, x);
    UNROLL for (int i = 0; i < 4; i++) _mm512_store_si512(acc + i * PANEL, x[i]);
    for (int i = 0; i < o->ny; i++)
        panel_store(NULL, s->call, r, acc + 2 * i * PANEL, o->nx, o->at + (size_t)i * o->row, o->cout, co, n);
}

/* All tiles of one panel, the v-th of a group of nv; fast: to codes of 16 channels. */
INLINE void panel_outputs(const struct wino_pass *s, const struct wino_block *b, int panel, int v, int nv, bool fast,
                          enum requant_way way)
{
    const struct conv_geom *g = s->g;
    const struct requant_lanes *r = s->requant ? s->requant + panel : NULL;
    int co = panel * PANEL, n = g->cout - co < PANEL ? g->cout - co : PANEL;
    struct outputs o = {.row = (size_t)g->ow * (size_t)g->cout, .cout = (size_t)g->cout};
    struct sums y = {.step = s->p->y_step};
    y.y = (const int32_t *)(s->scratch + s->p->y_at) + v * PANEL;
    y.y3 = y.y + 3 * y.step;
    struct requant_common common;
    struct requant_panel lanes;
    if (fast) {
        common = requant_common(s->call->rq);
        lanes = requant_panel(r);
    }
    for (int ty = b->y; ty < b->y + b->ny; ty++) {
        o.at = (size_t)(2 * ty) * o.row + (size_t)(2 * b->x) * o.cout + (size_t)co;
        o.ny = g->oh - 2 * ty > 1 ? 2 : 1;
        for (int tx = b->x; tx < b->x + b->nx; tx++, o.at += 2 * o.cout) {
            o.nx = g->ow - 2 * tx > 1 ? 2 : 1;
            if (fast)
                tile_codes(s->call, &common, &lanes, &o, &y, way);
            else
                tile_store(s, r, &o, &y, co, n);
            y.y += nv * PANEL;
            y.y3 += nv * PANEL;
        }
        y.y3 -= (b->nx - b->nx3) * nv * PANEL;
    }
}

static void block_outputs(const struct wino_pass *s, const struct wino_block *b, int panel, int nv)
{
    for (int v = 0; v < nv; v++) {
        bool whole = s->g->cout - (panel + v) * PANEL >= PANEL;
        if (!s->requant || !whole)
            panel_outputs(s, b, panel + v, v, nv, false, WAY_INTEGERS);
        else
            REQUANT_BY_WAY(requant_way(s->call->rq, s->call->residual, s->requant + panel + v, 1), panel_outputs, s, b,
                           panel + v, v, nv, true)
    }
}

/* --- the row --------------------------------------------------------------------------------------------------------
 */

static const struct wino_kernel kernel = {
    .group = 2, .down = down, .across = block_across, .products = block_products, .outputs = block_outputs};

WINO_FUNCTIONS(kernel)

const struct conv_kernel conv_wino_avx512 = {
    .name = "conv_wino_avx512",
    .family = FAMILY_WINOGRAD,
    .isa = ISA_AVX512VNNI,
    .w_bits = {1, 4},
    .a_bits = {1, 6},
    .schemes = "up to +-14",
    .tile = "8x32",
    .a_effect = A_EFFECT_NONE, /* the offset and what it adds to sums, but no other work */
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = wino_prepared_size,
    .prepare = wino_prepare,
    .scratch_size = scratch_size,
    .run = run,
    .channel_unit = 2 * PANEL,
};
