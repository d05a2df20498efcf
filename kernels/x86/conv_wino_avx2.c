/* SPDX-License-Identifier: MIT
 *
 * Winograd convolution with vpmaddubsw: transforms in bytes, 16 matrix products with 6 tiles by 16 channels in 16-bit
 * lanes for as many steps as the widths (and the weights at hand) allow, then in 32 bits, and the way back to outputs
 * through panel_store. See wino.h for the arithmetic.
 */
#include "kernels/rows.h"
#include "kernels/unroll.h"
#include "kernels/wino.h"
#include "kernels/x86/intrin.h"

#include <string.h>

static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

static inline void store(void *p, __m256i x)
{
    _mm256_storeu_si256(p, x);
}

/* --- pixels to V ----------------------------------------------------------------------------------------------------
 */

/* What 32 bytes of four rows become in B' d. */
static inline __attribute__((always_inline)) void down32(const uint8_t *r0, const uint8_t *r1, const uint8_t *r2,
                                                         const uint8_t *r3, uint8_t *out, size_t step)
{
    __m256i a = load(r0), b = load(r1), c = load(r2), d = load(r3);
    store(out, _mm256_sub_epi8(a, c));
    store(out + step, _mm256_add_epi8(b, c));
    store(out + 2 * step, _mm256_sub_epi8(c, b));
    store(out + 3 * step, _mm256_sub_epi8(b, d));
}

static void down(const uint8_t *const rows[4], size_t n, uint8_t *out, size_t step)
{
    wino_down(rows, n, out, step, 32, down32);
}

/* The horizontal transform of whole vectors of pixels a, b, c, d, and the offset; off1 is position 1's. */
#define ACROSS(a, b, c, d)                                           \
    store(out, _mm256_add_epi8(_mm256_sub_epi8(a, c), off));         \
    store(out + v, _mm256_add_epi8(_mm256_add_epi8(b, c), off1));    \
    store(out + 2 * v, _mm256_add_epi8(_mm256_sub_epi8(c, b), off)); \
    store(out + v3, _mm256_add_epi8(_mm256_sub_epi8(b, d), off));

static void across(const struct wino_pass *s, const struct wino_block *b, int y)
{
    const struct wino_plan *p = s->p;
    size_t pixel = (size_t)p->pixel, v = p->v_step;
    size_t v3 = 3 * v - (size_t)(y * (b->nx - b->nx3)) * pixel;
    __m256i off = _mm256_set1_epi8((char)(2 * s->top));
    for (int i = 0; i < 4; i++) {
        __m256i off1 = i == 1 ? _mm256_setzero_si256() : off;
        const uint8_t *in = s->scratch + p->rows_at + (size_t)i * p->row_bytes;
        uint8_t *out = s->scratch + p->v_at + (size_t)(4 * i) * v + (size_t)(y * b->nx) * pixel;
        if (pixel == 16) { /* two tiles at once */
            for (int x = 0; x < b->nx; x += 2, in += 64, out += 32) {
                __m256i x0 = load(in), x1 = load(in + 32), x2 = load(in + 64);
                __m256i even = _mm256_permute2x128_si256(x0, x1, 0x20), odd = _mm256_permute2x128_si256(x0, x1, 0x31);
                __m256i even2 = _mm256_permute2x128_si256(x1, x2, 0x20);
                __m256i odd2 = _mm256_permute2x128_si256(x1, x2, 0x31);
                ACROSS(even, odd, even2, odd2)
            }
        } else {
            for (int x = 0; x < b->nx; x++, in += pixel)
                for (const uint8_t *end = in + pixel; in < end; in += 32, out += 32) {
                    __m256i x0 = load(in), x1 = load(in + pixel), x2 = load(in + 2 * pixel);
                    __m256i x3 = load(in + 3 * pixel);
                    ACROSS(x0, x1, x2, x3)
                }
        }
    }
}

/* --- products -------------------------------------------------------------------------------------------------------
 */

/* Tiles of one position, times one panel. */
struct product {
    const uint8_t *v;
    size_t pixel;
    const int8_t *u;
    const int32_t *start; /* [16] */
    int32_t *y;           /* [tile][16] */
    int steps, window;
};

/* The accumulators of tile i: 2 vectors of 16 lanes. Named, because gcc spills arrays of them. */
#define TILES(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

#define CLEAR(i) __m256i l##i = _mm256_setzero_si256(), h##i = l##i;
#define STEP(i)                                                              \
    if (i < m) {                                                             \
        __m256i a = _mm256_set1_epi32(load4((i < 3 ? p : q) + i % 3 * one)); \
        ADD_IN_PLACE("vpaddw", l##i, _mm256_maddubs_epi16(a, w0));           \
        ADD_IN_PLACE("vpaddw", h##i, _mm256_maddubs_epi16(a, w1));           \
    }
#define WIDEN(i)                                                                                   \
    if (i < m) {                                                                                   \
        const int32_t *from = first ? t->start : y + PANEL * i;                                    \
        store(y + PANEL * i, _mm256_add_epi32(_mm256_madd_epi16(l##i, ones), load(from)));         \
        store(y + PANEL * i + 8, _mm256_add_epi32(_mm256_madd_epi16(h##i, ones), load(from + 8))); \
    }

/* m tiles, the first at v, their sums to y. */
static inline __attribute__((always_inline)) void tile(int m, const struct product *t, const uint8_t *v, int32_t *y)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const int8_t *w = t->u;
    size_t one = t->pixel;
    const uint8_t *p = v, *q = v + 3 * one, *end = v + 4 * t->steps;
    for (bool first = true; p < end; first = false) {
        const uint8_t *stop = end - p > 4 * t->window ? p + 4 * t->window : end;
        TILES(CLEAR)
        for (; p < stop; p += 4, q += 4, w += 64) {
            __m256i w0 = _mm256_load_si256((const __m256i *)w), w1 = _mm256_load_si256((const __m256i *)w + 1);
            TILES(STEP)
        }
        TILES(WIDEN)
    }
}

/* n tiles in parts of even size. */
static void products(const struct product *t, int n)
{
    int parts = (n + 5) / 6;
    const uint8_t *v = t->v;
    int32_t *y = t->y;
    for (int i = 0; i < parts; i++) {
        int m = n / parts + (i < n % parts);
        switch (m) {
        case 1:
            tile(1, t, v, y);
            break;
        case 2:
            tile(2, t, v, y);
            break;
        case 3:
            tile(3, t, v, y);
            break;
        case 4:
            tile(4, t, v, y);
            break;
        case 5:
            tile(5, t, v, y);
            break;
        default:
            tile(6, t, v, y);
        }
        v += (size_t)m * t->pixel;
        y += m * PANEL;
    }
}

static void block_products(const struct wino_pass *s, const struct wino_block *b, const char *packed, int nv)
{
    (void)nv;
    static const int32_t zero[PANEL];
    const struct wino_plan *p = s->p;
    const int32_t *starts = (const int32_t *)packed;
    struct product t = {.v = s->scratch + p->v_at,
                        .pixel = (size_t)p->pixel,
                        .u = (const int8_t *)(starts + 4 * PANEL),
                        .y = (int32_t *)(s->scratch + p->y_at),
                        .steps = p->steps,
                        .window = s->window};
    for (int pos = 0; pos < WINO_POSITIONS; pos++) {
        bool corner = pos % 12 == 0 || pos % 12 == 3;
        int tiles = (pos / 4 == 3 ? b->ny3 : b->ny) * (pos % 4 == 3 ? b->nx3 : b->nx);
        t.start = corner ? starts : zero;
        starts += corner ? PANEL : 0;
        products(&t, tiles);
        t.v += p->v_step;
        t.u += p->steps * 64;
        t.y += p->y_step;
    }
}

/* --- sums to outputs ------------------------------------------------------------------------------------------------
 */

/* The four outputs of a tile, 8 channels each: A' y A / 4, to out + 16 * output. y3: where j == 3. */
static inline __attribute__((always_inline)) void back8(const int32_t *y, const int32_t *y3, size_t step, int32_t *out)
{
    __m256i up[4], low[4], x[4];
    UNROLL for (int j = 0; j < 4; j++)
    {
        const int32_t *at = j < 3 ? y + (size_t)j * step : y3;
        __m256i b = load(at + 4 * step), c = load(at + 8 * step);
        up[j] = _mm256_add_epi32(_mm256_add_epi32(b, c), load(at));
        low[j] = _mm256_sub_epi32(_mm256_sub_epi32(b, c), load(at + 12 * step));
    }
    x[0] = _mm256_add_epi32(_mm256_add_epi32(up[1], up[2]), up[0]);
    x[1] = _mm256_sub_epi32(_mm256_sub_epi32(up[1], up[2]), up[3]);
    x[2] = _mm256_add_epi32(_mm256_add_epi32(low[1], low[2]), low[0]);
    x[3] = _mm256_sub_epi32(_mm256_sub_epi32(low[1], low[2]), low[3]);
    UNROLL for (int o = 0; o < 4; o++) store(out + o * PANEL, _mm256_srai_epi32(x[o], 2));
}

static void block_outputs(const struct wino_pass *s, const struct wino_block *b, int panel, int nv)
{
    (void)nv;
    const struct conv_geom *g = s->g;
    const struct requant_lanes *r = s->requant ? s->requant + panel : NULL;
    size_t step = s->p->y_step, cout = (size_t)g->cout, row = (size_t)g->ow * cout;
    const int32_t *y = (const int32_t *)(s->scratch + s->p->y_at), *y3 = y + 3 * step;
    int co = panel * PANEL, n = g->cout - co < PANEL ? g->cout - co : PANEL;
    for (int ty = b->y; ty < b->y + b->ny; ty++, y3 -= (b->nx - b->nx3) * PANEL) {
        size_t at = (size_t)(2 * ty) * row + (size_t)(2 * b->x) * cout + (size_t)co;
        for (int tx = b->x; tx < b->x + b->nx; tx++, y += PANEL, y3 += PANEL, at += 2 * cout) {
            int32_t acc[4 * PANEL] __attribute__((aligned(64)));
            int nx = g->ow - 2 * tx > 1 ? 2 : 1;
            back8(y, y3, step, acc);
            back8(y + 8, y3 + 8, step, acc + 8);
            panel_store(NULL, s->call, r, acc, nx, at, cout, co, n);
            if (g->oh - 2 * ty > 1)
                panel_store(NULL, s->call, r, acc + 2 * PANEL, nx, at + row, cout, co, n);
        }
    }
}

/* --- the row --------------------------------------------------------------------------------------------------------
 */

static const struct wino_kernel kernel = {
    .group = 1, .windows = true, .down = down, .across = across, .products = block_products, .outputs = block_outputs};

WINO_FUNCTIONS(kernel)

const struct conv_kernel conv_wino_avx2 = {
    .name = "conv_wino_avx2",
    .family = FAMILY_WINOGRAD,
    .isa = ISA_AVX2,
    .w_bits = {1, 4},
    .a_bits = {1, 6},
    .schemes = "up to +-14",
    .tile = "6x16",
    .a_effect = A_EFFECT_PACKED,
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = wino_prepared_size,
    .prepare = wino_prepare,
    .scratch_size = scratch_size,
    .run = run,
    .channel_unit = PANEL,
};
