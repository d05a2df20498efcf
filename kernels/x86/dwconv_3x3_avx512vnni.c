/* SPDX-License-Identifier: MIT
 *
 * Depthwise 3x3 with stride 1 or 2, channels a multiple of 16, by vpdpbusd on windows of rearranged image rows.
 *
 * An element of a window is 64 lanes of 32 bits. With stride 1 a lane holds a column of four image rows, and three
 * neighbouring elements give two output rows, with weights moved by a byte. With stride 2 it holds two columns of two
 * rows: two neighbouring elements of a window and two of the next one, which is the first of the next output row, give
 * an output. Either way each image row is rearranged once for all that needs it.
 *
 * The lanes are 64 channels. Where only 48 or less are left, they are 32 or 16 channels of two or four parts of the
 * output row at once, so that no lane is idle; parts overlap where the row is not a multiple of them.
 *
 * Codes are made in registers where floats may do it (requant_lanes.h); any other output takes its time.
 */
#include "kernels/panel.h"
#include "kernels/rows.h"
#include "kernels/x86/dwconv_avx512.h"
#include "kernels/x86/intrin.h"
#include "kernels/x86/requant_avx512.h"

#include <string.h>

enum {
    LANES = 64,
    ELEMENT = 4 * LANES,
    GROUPS = 4,
    STRIP = 56,
    SLACK = 6,
    SLOTS = 4,
    BAND_BYTES = 262144,
    BAND_LEAST = 8
};

struct plan {
    int units;      /* of 64 lanes */
    int taps, rows; /* vpdpbusd for 16 outputs, output rows of a window */
    int vectors;    /* of weights, for each 16 lanes: [taps][rows] */
    size_t window_bytes, pad_at, scratch_bytes;
    /* prepared: requant_lanes of each unit's vectors, then of panels in order; int32_t: 1 if all of them have floats */
    size_t lanes_at, floats_at, prepared_bytes;
};

static void plan_init(struct plan *p, const struct conv_geom *g)
{
    int left = g->cin % LANES;
    p->units = g->cin / LANES + (left >= 32) + (left % 32 >= 16);
    p->taps = g->stride_w == 1 ? 3 : 4;
    p->rows = g->stride_w == 1 ? 2 : 1;
    p->vectors = p->taps * p->rows;
    p->window_bytes = (STRIP + SLACK) * ELEMENT;
    p->pad_at = 2 * p->window_bytes;
    p->scratch_bytes = p->pad_at + (size_t)g->w * (size_t)g->cin;
    p->lanes_at = (size_t)(p->units * GROUPS) * sizeof(struct requant_lanes);
    p->floats_at = p->lanes_at + (size_t)(g->cin / PANEL) * sizeof(struct requant_lanes);
    p->prepared_bytes = p->floats_at + sizeof(int32_t);
}

/* Channels of the 64 lanes from ch on. */
static int unit_width(int channels, int ch)
{
    int left = channels - ch;
    return left >= 64 ? 64 : left >= 32 ? 32 : 16;
}

/* Which lane of a unit is a vector's; unpacking works within 128 bits, packing undoes it. */
static int lane_of(int group, int i)
{
    return i / 4 * 16 + group * 4 + i % 4;
}

/* --- windows --------------------------------------------------------------------------------------------------------
 */

/* What is computed at once: a part's columns from `from` on, of all parts. */
struct strip {
    const struct conv_geom *g;
    const struct conv_call *call;
    const struct plan *p;
    int unit, ch, width;
    int parts, part[4]; /* where they start in the output row */
    int from, n;
    int oy;
};

/* 64 lanes from the parts' own places. */
static inline __attribute__((always_inline)) __m512i load_each(const uint8_t *const p[4], int parts)
{
    if (parts == 1)
        return _mm512_loadu_si512(p[0]);
    if (parts == 2)
        return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)p[0])),
                                  _mm256_loadu_si256((const __m256i *)p[1]), 1);
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)p[0]));
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)p[1]), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)p[2]), 2);
    return _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)p[3]), 3);
}

static inline __attribute__((always_inline)) __m512i load_parts(const uint8_t *p, const ptrdiff_t *off, int parts)
{
    const uint8_t *const each[4] = {p, p + off[1], p + off[2], p + off[3]};
    return load_each(each, parts);
}

static inline __attribute__((always_inline)) void interleave_n(const uint8_t *const r[4], const ptrdiff_t *off,
                                                               int parts, int n, size_t step, uint8_t *out)
{
    const uint8_t *a = r[0], *b = r[1], *c = r[2], *d = r[3];
    for (; n > 0; n--, a += step, b += step, c += step, d += step, out += ELEMENT)
        interleave64(load_parts(a, off, parts), load_parts(b, off, parts), load_parts(c, off, parts),
                     load_parts(d, off, parts), out);
}

/* An element that leaves the image in some part. x: its column in part 0, dx: of the sources. */
static void edge(const struct strip *s, const uint8_t *const row[4], const int dx[4], int x, uint8_t *out)
{
    const uint8_t *pad = (const uint8_t *)s->call->scratch + s->p->pad_at, *from[4][4];
    __m512i v[4];
    for (int k = 0; k < 4; k++) {
        for (int q = 0; q < s->parts; q++) {
            int at = x + (s->part[q] - s->part[0]) * s->g->stride_w + dx[k];
            from[k][q] = at < 0 || at >= s->g->w ? pad : row[k] + (size_t)at * (size_t)s->g->cin + s->ch;
        }
        v[k] = s->parts == 1 ? load_each(from[k], 1) : s->parts == 2 ? load_each(from[k], 2) : load_each(from[k], 4);
    }
    interleave64(v[0], v[1], v[2], v[3], out);
}

/* The window whose first image row is y. again: it had another row's, and keeps what is the pad code in any. */
static void fill(const struct strip *s, int y, bool again, uint8_t *out)
{
    const struct conv_geom *g = s->g;
    bool one = g->stride_w == 1, keep = again && one && s->parts == 1;
    int n = s->n + (one ? 2 : 1), x = (s->part[0] + s->from) * g->stride_w - g->pad_left;
    int dx[4] = {0, one ? 0 : 1, 0, one ? 0 : 1};
    const uint8_t *pad = (const uint8_t *)s->call->scratch + s->p->pad_at, *row[4], *r[4];
    ptrdiff_t off[4] = {0};
    size_t c = (size_t)g->cin, step = (size_t)g->stride_w * c;
    for (int q = 1; q < s->parts; q++)
        off[q] = (ptrdiff_t)(s->part[q] - s->part[0]) * (ptrdiff_t)step;
    for (int k = 0; k < 4; k++) {
        int at = y + (one ? k : k / 2);
        row[k] = at < 0 || at >= g->h ? pad : s->call->in + (size_t)at * (size_t)g->w * c;
    }
    int last = (s->part[s->parts - 1] - s->part[0]) * g->stride_w + dx[1]; /* of the element's columns */
    int i = 0;
    for (; i < n && x < 0; i++, x += g->stride_w, out += ELEMENT)
        if (!keep)
            edge(s, row, dx, x, out);
    int inside = x + last < g->w ? (g->w - 1 - x - last) / g->stride_w + 1 : 0;
    inside = inside < n - i ? inside : n - i;
    if (inside > 0) {
        for (int k = 0; k < 4; k++)
            r[k] = row[k] + (size_t)(x + dx[k]) * c + s->ch;
        if (s->parts == 1)
            interleave_n(r, off, 1, inside, step, out);
        else if (s->parts == 2)
            interleave_n(r, off, 2, inside, step, out);
        else
            interleave_n(r, off, 4, inside, step, out);
        i += inside, x += inside * g->stride_w, out += inside * ELEMENT;
    }
    for (; i < n && !keep; i++, x += g->stride_w, out += ELEMENT)
        edge(s, row, dx, x, out);
}

/* --- outputs --------------------------------------------------------------------------------------------------------
 */

#if !defined(BITFADER_SIMDE)
/* Four outputs of 64 lanes: two columns of two rows, or four columns of one. Named, because gcc spills arrays. */
#define EACH(DO) DO(0) DO(1) DO(2) DO(3)

/* Volatile, for the order: gcc else loads all weights in front of the products and spills them. */
#define DOT(slot, v, w) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(x##slot) : "v"(v), "v"(w) : "memory")

/* Element i of a window, a tap's weights. */
#define ELEM(from, i) _mm512_load_si512((from) + ELEMENT * (i) + 64 * group)
#define TAP(t, r)     _mm512_load_si512(w + 64 * ((t)*plan_rows + (r)))

/* Two columns of two rows. */
#define SUMS_2X2                                                   \
    {                                                              \
        __m512i a = TAP(0, 0), b = TAP(0, 1), v = ELEM(window, 0); \
        DOT(0, v, a);                                              \
        DOT(1, v, b);                                              \
        v = ELEM(window, 1);                                       \
        DOT(2, v, a);                                              \
        DOT(3, v, b);                                              \
        a = TAP(1, 0), b = TAP(1, 1);                              \
        DOT(0, v, a);                                              \
        DOT(1, v, b);                                              \
        v = ELEM(window, 2);                                       \
        DOT(2, v, a);                                              \
        DOT(3, v, b);                                              \
        a = TAP(2, 0), b = TAP(2, 1);                              \
        DOT(0, v, a);                                              \
        DOT(1, v, b);                                              \
        v = ELEM(window, 3);                                       \
        DOT(2, v, a);                                              \
        DOT(3, v, b);                                              \
    }
/* Four columns, two taps t and t + 1. */
#define SUMS_PAIR(from, t)                                             \
    {                                                                  \
        __m512i a = TAP(t, 0), b = TAP((t) + 1, 0), v = ELEM(from, 0); \
        DOT(0, v, a);                                                  \
        v = ELEM(from, 1);                                             \
        DOT(0, v, b);                                                  \
        DOT(1, v, a);                                                  \
        v = ELEM(from, 2);                                             \
        DOT(1, v, b);                                                  \
        DOT(2, v, a);                                                  \
        v = ELEM(from, 3);                                             \
        DOT(2, v, b);                                                  \
        DOT(3, v, a);                                                  \
        v = ELEM(from, 4);                                             \
        DOT(3, v, b);                                                  \
    }
/* Four columns, tap t, its elements from `from` on. */
#define SUMS_ONE(from, t)         \
    {                             \
        __m512i a = TAP(t, 0);    \
        DOT(0, ELEM(from, 0), a); \
        DOT(1, ELEM(from, 1), a); \
        DOT(2, ELEM(from, 2), a); \
        DOT(3, ELEM(from, 3), a); \
    }
#define SUMS                                  \
    if (rows == 2) {                          \
        SUMS_2X2                              \
    } else {                                  \
        SUMS_PAIR(window, 0)                  \
        if (taps == 4)                        \
            SUMS_PAIR(next, 2)                \
        else                                  \
            SUMS_ONE(window + 2 * ELEMENT, 2) \
    }

#define START(slot) __m512i x##slot = _mm512_setzero_si512();

#define REQUANT(slot)  x##slot = requant16_floats(x##slot, panel.scale, panel.bias);
#define KEEP(slot)     y##slot = x##slot;
#define PACK(slot)     z##slot = _mm512_packs_epi32(y##slot, x##slot);
#define PACK_ALL(slot) z##slot = _mm512_packus_epi16(z##slot, _mm512_packs_epi32(y##slot, x##slot));
#define NAMES(slot)    __m512i y##slot, z##slot;
#define GROUP(i, keep)                                               \
    {                                                                \
        const int group = i;                                         \
        const uint8_t *w = weights + i * 64 * vectors;               \
        const struct requant_panel panel = requant_panel(lanes + i); \
        EACH(START) SUMS EACH(REQUANT) EACH(keep)                    \
    }

/* To each part's place. */
static inline __attribute__((always_inline)) void store_parts(__m512i x, const ptrdiff_t *off, int parts, uint8_t *out)
{
    if (parts == 1) {
        _mm512_storeu_si512(out, x);
    } else if (parts == 2) {
        _mm256_storeu_si256((__m256i *)out, _mm512_castsi512_si256(x));
        _mm256_storeu_si256((__m256i *)(out + off[1]), _mm512_extracti64x4_epi64(x, 1));
    } else {
        _mm_storeu_si128((__m128i *)out, _mm512_castsi512_si128(x));
        _mm_storeu_si128((__m128i *)(out + off[1]), _mm512_extracti32x4_epi32(x, 1));
        _mm_storeu_si128((__m128i *)(out + off[2]), _mm512_extracti32x4_epi32(x, 2));
        _mm_storeu_si128((__m128i *)(out + off[3]), _mm512_extracti32x4_epi32(x, 3));
    }
}

#define STORE(slot)                                                                \
    if (i + slot / rows < s->n)                                                    \
        store_parts(_mm512_min_epu8(_mm512_max_epu8(z##slot, lo), hi), off, parts, \
                    out + (size_t)(slot / rows) * c + (size_t)(slot % rows) * row);

/* A strip's codes. taps, rows: see struct plan; plan_rows: of the weights; parts: of the strip. */
static inline __attribute__((always_inline)) void
codes(const struct strip *s, const uint8_t *window, const uint8_t *next, int taps, int rows, int plan_rows, int parts)
{
    const int vectors = taps * plan_rows;
    const struct requant *rq = s->call->rq;
    const struct requant_lanes *lanes = (const struct requant_lanes *)s->call->prepared + GROUPS * s->unit;
    const uint8_t *weights = (const uint8_t *)s->call->packed + (size_t)(s->unit * GROUPS * 64 * vectors);
    size_t c = (size_t)s->g->cin, row = (size_t)s->g->ow * c;
    uint8_t *out = s->call->out_u8 + (size_t)s->oy * row + (size_t)(s->part[0] + s->from) * c + s->ch;
    __m512i lo = _mm512_set1_epi8((char)rq->lo), hi = _mm512_set1_epi8((char)rq->hi);
    ptrdiff_t off[4];
    for (int q = 0; q < s->parts; q++)
        off[q] = (ptrdiff_t)(s->part[q] - s->part[0]) * (ptrdiff_t)c;
    for (int i = 0; i < s->n; i += SLOTS / rows, out += SLOTS / rows * (int)c) {
        EACH(NAMES)
        GROUP(0, KEEP)
        GROUP(1, PACK)
        GROUP(2, KEEP)
        GROUP(3, PACK_ALL)
        EACH(STORE)
        window += SLOTS / rows * ELEMENT;
        next += SLOTS / rows * ELEMENT;
    }
}

static inline __attribute__((always_inline)) void codes_parts(const struct strip *s, const uint8_t *window,
                                                              const uint8_t *next, int taps, int rows, int plan_rows)
{
    if (s->parts == 1)
        codes(s, window, next, taps, rows, plan_rows, 1);
    else if (s->parts == 2)
        codes(s, window, next, taps, rows, plan_rows, 2);
    else
        codes(s, window, next, taps, rows, plan_rows, 4);
}
#endif

/* Sums of 64 lanes, in their order. w: a unit's weights of an output row. */
static void sums(const struct plan *p, const uint8_t *window, const uint8_t *next, const uint8_t *w, int32_t *out)
{
    for (int group = 0; group < GROUPS; group++, w += 64 * p->vectors) {
        int32_t acc[16] __attribute__((aligned(64)));
        __m512i x = _mm512_setzero_si512();
        for (int t = 0; t < p->taps; t++) {
            const uint8_t *from = p->taps == 3 ? window + t * ELEMENT : (t < 2 ? window : next) + t % 2 * ELEMENT;
            x = _mm512_dpbusd_epi32(x, _mm512_load_si512(from + 64 * group), _mm512_load_si512(w + 64 * t * p->rows));
        }
        _mm512_store_si512(acc, x);
        for (int k = 0; k < 16; k++)
            out[lane_of(group, k)] = acc[k];
    }
}

/* Any output, through memory. */
static void stores(const struct strip *s, const uint8_t *window, const uint8_t *next, int rows)
{
    const struct conv_call *call = s->call;
    const uint8_t *weights = (const uint8_t *)call->packed + (size_t)(s->unit * GROUPS * 64 * s->p->vectors);
    const struct requant_lanes *lanes = NULL;
    if (call->out_u8 && requant_in_lanes(call->rq))
        lanes = (const struct requant_lanes *)((const char *)call->prepared + s->p->lanes_at);
    size_t c = (size_t)s->g->cin;
    for (int i = 0; i < s->n; i++, window += ELEMENT, next += ELEMENT)
        for (int r = 0; r < rows; r++) {
            int32_t acc[LANES] __attribute__((aligned(64)));
            sums(s->p, window, next, weights + 64 * r, acc);
            for (int k = 0; k < LANES; k += PANEL) {
                int co = s->ch + k % s->width, x = s->part[k / s->width] + s->from + i;
                size_t at = ((size_t)(s->oy + r) * (size_t)s->g->ow + (size_t)x) * c + (size_t)co;
                panel_store(PANEL_STORE_AVX512, call, lanes ? lanes + co / PANEL : NULL, acc + k, 1, at, c, co, PANEL);
            }
        }
}

static void outputs(const struct strip *s, const uint8_t *window, const uint8_t *next, int rows)
{
#if !defined(BITFADER_SIMDE)
    int32_t floats;
    memcpy(&floats, (const char *)s->call->prepared + s->p->floats_at, sizeof floats);
    if (s->call->out_u8 && !s->call->residual && floats) {
        if (s->p->taps == 4)
            codes_parts(s, window, next, 4, 1, 1);
        else if (rows == 2)
            codes_parts(s, window, next, 3, 2, 2);
        else
            codes_parts(s, window, next, 3, 1, 2);
        return;
    }
#endif
    stores(s, window, next, rows);
}

/* --- row ------------------------------------------------------------------------------------------------------------
 */

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return g->groups == g->cin && g->cout == g->cin && g->cin % 16 == 0 && g->kh == 3 && g->kw == 3 &&
           g->dilation_h == 1 && g->dilation_w == 1 && g->stride_h == g->stride_w && g->stride_h <= 2;
}

static size_t packed_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    struct plan p;
    plan_init(&p, g);
    return (size_t)(p.units * GROUPS * 64 * p.vectors);
}

/* The weight in byte b of a lane: of tap t, for output row r of a window. */
static int8_t weight(const struct plan *p, const struct conv_weights *w, int c, int t, int r, int b)
{
    int ky = p->taps == 3 ? b - r : t / 2 * 2 + b / 2, kx = p->taps == 3 ? t : t % 2 * 2 + b % 2;
    return ky >= 0 && ky < 3 && kx < 3 ? w->levels[w->codes[(c * 3 + ky) * 3 + kx]] : 0;
}

/* [unit][16 of the lanes][tap][output row][lane][byte] */
static void pack(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)
{
    (void)a_bits;
    struct plan p;
    plan_init(&p, g);
    int8_t *out = packed;
    for (int ch = 0, width; ch < g->cin; ch += width) {
        width = unit_width(g->cin, ch);
        for (int group = 0; group < GROUPS; group++)
            for (int v = 0; v < p.vectors; v++)
                for (int i = 0; i < 64; i++)
                    *out++ = weight(&p, w, ch + lane_of(group, i / 4) % width, v / p.rows, v % p.rows, i % 4);
    }
}

static size_t prepared_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    struct plan p;
    plan_init(&p, g);
    return p.prepared_bytes;
}

static void prepare(const struct conv_geom *g, int a_bits, const void *packed, const struct requant *rq, void *prepared)
{
    (void)a_bits, (void)packed;
    struct plan p;
    plan_init(&p, g);
    memset(prepared, 0, p.prepared_bytes);
    if (!requant_in_lanes(rq))
        return;
    struct requant_lanes *lanes = (struct requant_lanes *)((char *)prepared + p.lanes_at), *r = prepared;
    int32_t floats = 1;
    for (int co = 0; co < g->cin; co += PANEL)
        requant_lanes_init(lanes++, g, rq, co, PANEL);
    for (int ch = 0, width; ch < g->cin; ch += width) {
        width = unit_width(g->cin, ch);
        for (int group = 0; group < GROUPS; group++, r++) {
            requant_lanes_clear(r, rq);
            for (int i = 0; i < 16; i++)
                requant_lanes_set(r, i, g, rq, ch + lane_of(group, i) % width);
            floats = floats && r->floats;
        }
    }
    memcpy((char *)prepared + p.floats_at, &floats, sizeof floats);
}

static size_t scratch_size(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    struct plan p;
    plan_init(&p, g);
    return p.scratch_bytes;
}

/* Output rows from s->oy to end. */
static void run_strip(struct strip *s, int end)
{
    const struct conv_geom *g = s->g;
    uint8_t *window = s->call->scratch, *next = window + s->p->window_bytes;
    int begin = s->oy;
    if (s->p->taps == 4)
        fill(s, 2 * s->oy - g->pad_top, false, window);
    for (; s->oy < end; s->oy += s->p->rows) {
        int rows = end - s->oy < s->p->rows ? 1 : s->p->rows;
        if (s->p->taps == 3) {
            fill(s, s->oy - g->pad_top, s->oy > begin, window);
            outputs(s, window, next, rows);
            continue;
        }
        fill(s, 2 * s->oy + 2 - g->pad_top, false, next);
        outputs(s, window, next, 1);
        uint8_t *done = window;
        window = next;
        next = done;
    }
}

/* Output rows whose image rows stay in the second cache until all units have read them. */
static int band_rows(const struct conv_geom *g)
{
    int rows = BAND_BYTES / (g->w * g->cin * g->stride_h) / 2 * 2;
    return rows < BAND_LEAST ? BAND_LEAST : rows;
}

static void run_band(struct strip *s, int begin, int end)
{
    const struct conv_geom *g = s->g;
    s->unit = 0;
    for (s->ch = 0; s->ch < g->cin; s->ch += s->width, s->unit++) {
        s->width = unit_width(g->cin, s->ch);
        s->parts = LANES / s->width;
        int columns = (g->ow + s->parts - 1) / s->parts;
        for (int q = 0; q < s->parts; q++)
            s->part[q] = q * columns < g->ow - columns ? q * columns : g->ow - columns;
        for (s->from = 0; s->from < columns; s->from += STRIP) {
            s->n = columns - s->from < STRIP ? columns - s->from : STRIP;
            s->oy = begin;
            run_strip(s, end);
        }
    }
}

static void run(const struct conv_geom *g, int a_bits, const struct conv_call *call)
{
    (void)a_bits;
    struct plan p;
    plan_init(&p, g);
    struct strip s = {.g = g, .call = call, .p = &p};
    memset((uint8_t *)call->scratch + p.pad_at, call->pad_code, (size_t)g->w * (size_t)g->cin);
    for (int y = 0, rows = band_rows(g); y < g->oh; y += rows)
        run_band(&s, y, y + rows < g->oh ? y + rows : g->oh);
}

const struct conv_kernel dwconv_3x3_avx512 = {
    .name = "dwconv_3x3_avx512",
    .family = FAMILY_DEPTHWISE,
    .isa = ISA_AVX512VNNI,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "2x64",
    .a_effect = A_EFFECT_NONE,
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
};
