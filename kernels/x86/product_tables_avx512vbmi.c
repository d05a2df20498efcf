/* SPDX-License-Identifier: MIT
 *
 * Product tables in AVX-512 with VBMI: the image that a call makes, the unpacking of weights and the
 * micro-kernel. Of its permutes one runs each cycle, beside an addition; the rest is kept out of the way of those.
 */
#include "kernels/product_tables.h"
#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"

#include <string.h>

/* --- image ----------------------------------------------------------------------------------------------------------
 */

/* One row of the padded image, as codes. */
static void row_codes(const struct tables_plan *p, const struct conv_geom *g, const struct conv_call *call, int y,
                      uint8_t *out)
{
    const uint8_t *in = call->in + (size_t)y * (size_t)g->w * (size_t)g->cin;
    size_t cin = (size_t)g->cin;
    if (p->step_x == 1) {
        int left = g->pad_left < p->iw ? g->pad_left : p->iw;
        int n = p->iw - left < g->w ? p->iw - left : g->w;
        memset(out, call->pad_code, (size_t)left * cin);
        memcpy(out + (size_t)left * cin, in, (size_t)n * cin);
        memset(out + (size_t)(left + n) * cin, call->pad_code, (size_t)(p->iw - left - n) * cin);
        return;
    }
    for (int i = 0; i < p->iw; i++, out += cin) {
        int x = i * p->step_x - g->pad_left;
        if (x < 0 || x >= g->w)
            memset(out, call->pad_code, cin);
        else
            memcpy(out, in + (size_t)x * cin, cin);
    }
}

/* A digit before those in x. */
INLINE __m512i put_before(__m512i digit, __m512i x, int radix)
{
    if (radix == 3)
        return _mm512_add_epi8(_mm512_add_epi8(digit, x), _mm512_add_epi8(x, x));
    return _mm512_or_si512(digit, _mm512_slli_epi16(x, radix == 4 ? 2 : 1));
}

/* A row of values: each of 64 codes with the unit - 1 after it. */
INLINE void combine_values(const uint8_t *codes, int n, int radix, int unit, uint8_t *out)
{
    for (int i = 0; i < n; i += 64) {
        __m512i x = _mm512_loadu_si512(codes + i + unit - 1);
        UNROLL for (int t = unit - 2; t >= 0; t--) x = put_before(_mm512_loadu_si512(codes + i + t), x, radix);
        _mm512_storeu_si512(out + i, x);
    }
}

/* The first n of 64 bytes. */
INLINE __mmask64 first_bytes(int n)
{
    return n >= 64 ? ~(__mmask64)0 : n <= 0 ? 0 : ((__mmask64)1 << n) - 1;
}

/* Pixels of a compact image. */
INLINE void combine_pixels(const struct tables_plan *p, const uint8_t *codes, int pixels, int radix, int unit,
                           uint8_t *out)
{
    const int n = p->run_steps;
    for (int x = 0; x < pixels; x++, codes += p->run, out += n)
        for (int i = 0; i < n; i += 64) {
            __m512i y = _mm512_setzero_si512();
            if (i + 64 <= n && (unit - 1) * n + i + 64 <= p->run) { /* no byte is missing */
                const uint8_t *at = codes + i + (unit - 1) * n;
                UNROLL for (int t = unit - 1; t >= 0; t--, at -= n) y = put_before(_mm512_loadu_si512(at), y, radix);
                _mm512_storeu_si512(out + i, y);
                continue;
            }
            for (int t = unit - 1; t >= 0; t--) {
                int at = t * n + i, left = p->run - at < n - i ? p->run - at : n - i;
                y = put_before(_mm512_maskz_loadu_epi8(first_bytes(left), codes + at), y, radix);
            }
            _mm512_mask_storeu_epi8(out + i, first_bytes(n - i), y);
        }
}

INLINE void combine(const struct tables_plan *p, const uint8_t *codes, int pixels, int radix, int unit, uint8_t *out)
{
    if (tables_compact(p))
        combine_pixels(p, codes, pixels, radix, unit, out);
    else
        combine_values(codes, pixels * p->pixel, radix, unit, out);
}

void tables_make_pixels(const struct tables_plan *p, const uint8_t *codes, int n, uint8_t *image)
{
    if (p->wide)
        combine(p, codes, n, 3, 4, image);
    else if (p->a_bits == 2 && p->unit == 3)
        combine(p, codes, n, 4, 3, image);
    else if (p->a_bits == 2)
        combine(p, codes, n, 4, 4, image);
    else if (p->unit == 3)
        combine(p, codes, n, 2, 3, image);
    else if (p->unit == 4)
        combine(p, codes, n, 2, 4, image);
    else
        combine(p, codes, n, 2, 6, image);
}

void tables_make_image(const struct tables_plan *p, const struct conv_geom *g, const struct conv_call *call)
{
    uint8_t *image = (uint8_t *)call->scratch + p->image_at, *codes = (uint8_t *)call->scratch + p->row_at;
    size_t row = (size_t)p->iw * (size_t)g->cin, line = (size_t)g->w * (size_t)g->cin;
    size_t bytes = (size_t)p->iw * (size_t)p->pixel;
    /* rows need no copy, but for those before which vectors would read past the last */
    bool whole = g->pad_left == 0 && p->step_x == 1 && p->iw <= g->w;
    size_t beyond = tables_compact(p) ? 0 : 128;
    memset(codes + row, 0, 128); /* codes past a row's end select something, and it does not matter what */
    for (int i = 0; i < p->ih; i++, image += bytes) {
        int y = i * p->step_y - g->pad_top;
        if (y >= 0 && y < g->h && whole && (size_t)(g->h - y) * line >= row + beyond) {
            tables_make_pixels(p, call->in + (size_t)y * line, p->iw, image);
            continue;
        }
        if (y < 0 || y >= g->h)
            memset(codes, call->pad_code, row);
        else
            row_codes(p, g, call, y, codes);
        tables_make_pixels(p, codes, p->iw, image);
    }
    memset(image, 0, 192);
}

/* --- weights --------------------------------------------------------------------------------------------------------
 */

/* Cells of `bits` bits to bytes, 64 at a time. */
void tables_unpack(const struct tables_plan *p, const void *packed, int panel, uint8_t *cells, size_t step)
{
    __m512i from = _mm512_loadu_si512(p->gather), by = _mm512_loadu_si512(p->shifts);
    __m512i mask = _mm512_set1_epi8((char)((1 << p->cell_bits) - 1));
    size_t bias = ((size_t)(p->panels * p->lanes) + 63) / 64 * 64, bytes = (size_t)p->cell_bits * 8;
    const uint8_t *in = tables_bias(packed) + bias + (size_t)panel * (size_t)p->chunks * bytes;
    for (int c = 0; c < p->chunks; c++, in += bytes, cells += step) {
        __m512i x = _mm512_permutexvar_epi8(from, _mm512_loadu_si512(in));
        _mm512_store_si512(cells, _mm512_and_si512(_mm512_multishift_epi64_epi8(by, x), mask));
    }
}

/* --- micro-kernel ---------------------------------------------------------------------------------------------------
 */

enum { WIDE = 2 }; /* vectors of a wide table */

/* size * code, by multiplication: the shift that compilers make of it competes with the additions for a port. */
INLINE size_t table_offset(uint8_t code, int size)
{
#if defined(BITFADER_SIMDE)
    return (size_t)code * (size_t)size;
#else
    size_t offset;
    __asm__("imul %2, %1, %0" : "=r"(offset) : "r"((size_t)code), "i"(size));
    return offset;
#endif
}

/* Adds what the table has for x0 to l and for x1 to h. The order is what it is about: two permutes and then two
 * additions reach one permute a cycle, by turns they take 1.2 cycles each, since additions go to the permutes' pipes.
 */
INLINE void look_up(__m512i *l, __m512i *h, __m512i x0, __m512i x1, __m512i table)
{
#if defined(BITFADER_SIMDE)
    *l = _mm512_add_epi8(*l, _mm512_permutexvar_epi8(x0, table));
    *h = _mm512_add_epi8(*h, _mm512_permutexvar_epi8(x1, table));
#else
    __m512i a, b;
    __asm__("vpermb %[table], %[x0], %[a]\n\t"
            "vpermb %[table], %[x1], %[b]\n\t"
            "vpaddb %[a], %[l], %[l]\n\t"
            "vpaddb %[b], %[h], %[h]"
            : [l] "+v"(*l), [h] "+v"(*h), [a] "=&v"(a), [b] "=&v"(b)
            : [table] "v"(table), [x0] "v"(x0), [x1] "v"(x1));
#endif
}

/* The same from a wide table, t0 and t1. */
INLINE void look_up_wide(__m512i *l, __m512i *h, __m512i x0, __m512i x1, __m512i t0, __m512i t1)
{
#if defined(BITFADER_SIMDE)
    *l = _mm512_add_epi8(*l, _mm512_permutex2var_epi8(t0, x0, t1));
    *h = _mm512_add_epi8(*h, _mm512_permutex2var_epi8(t0, x1, t1));
#else
    __asm__("vpermi2b %[t1], %[t0], %[x0]\n\t"
            "vpermt2b %[t1], %[x1], %[t0]\n\t"
            "vpaddb %[x0], %[l], %[l]\n\t"
            "vpaddb %[t0], %[h], %[h]"
            : [l] "+v"(*l), [h] "+v"(*h), [x0] "+v"(x0), [t0] "+v"(t0)
            : [t1] "v"(t1), [x1] "v"(x1));
#endif
}

/* Selector i has byte sums with the first index vector and with the second, l and h, and 16-bit sums of these: the
 * pairs of bytes as they are, which tables_even() corrects, and the odd bytes. Named, because gcc spills arrays. */
#define SELECTORS(DO) DO(0) DO(1) DO(2) DO(3)

#define START(i)                                                                \
    const uint8_t *s##i = pixels ? t->select[0] + i : t->select[i < m ? i : 0]; \
    __m512i l##i = _mm512_setzero_si512(), h##i = l##i;                         \
    __m512i l_pairs##i = l##i, l_odd##i = l##i, h_pairs##i = l##i, h_odd##i = l##i;
#define WINDOW(i)                                                                         \
    if (i < m) {                                                                          \
        l##i = pixels ? _mm512_set1_epi8((char)t->bias[i]) : _mm512_load_si512(t->bias);  \
        h##i = pixels ? l##i : nv > 1 ? _mm512_load_si512(t->bias + TABLES_LANES) : l##i; \
    }
#define STEP(i)                                                                                                       \
    if (i < m) {                                                                                                      \
        const uint8_t *table = tables + table_offset(s##i[at], wide ? WIDE * TABLES_LANES : TABLES_LANES);            \
        __m512i t0 = _mm512_load_si512(table), t1 = wide ? _mm512_load_si512(table + TABLES_LANES) : t0;              \
        if (nv > 1 && wide)                                                                                           \
            look_up_wide(&l##i, &h##i, x0, x1, t0, t1);                                                               \
        else if (nv > 1)                                                                                              \
            look_up(&l##i, &h##i, x0, x1, t0);                                                                        \
        else                                                                                                          \
            l##i =                                                                                                    \
                _mm512_add_epi8(l##i, wide ? _mm512_permutex2var_epi8(t0, x0, t1) : _mm512_permutexvar_epi8(x0, t0)); \
    }
#define FOLD(i)                                                                \
    if (i < m) {                                                               \
        l_pairs##i = _mm512_add_epi16(l_pairs##i, l##i);                       \
        l_odd##i = _mm512_add_epi16(l_odd##i, _mm512_srli_epi16(l##i, 8));     \
        if (nv > 1) {                                                          \
            h_pairs##i = _mm512_add_epi16(h_pairs##i, h##i);                   \
            h_odd##i = _mm512_add_epi16(h_odd##i, _mm512_srli_epi16(h##i, 8)); \
        }                                                                      \
    }
#define LEAVE(i)                                                                          \
    if (i < m) {                                                                          \
        uint16_t *sums = t->sums + (size_t)i * TABLES_LANES, *next = sums + t->sums_next; \
        _mm512_store_si512(sums, l_pairs##i);                                             \
        _mm512_store_si512(sums + 32, l_odd##i);                                          \
        if (nv > 1) {                                                                     \
            _mm512_store_si512(next, h_pairs##i);                                         \
            _mm512_store_si512(next + 32, h_odd##i);                                      \
        }                                                                                 \
    }

INLINE void tile(int m, int nv, bool pixels, bool wide, const struct tables_tile *t)
{
    SELECTORS(START)
    const size_t index_next = t->index_next, index_step = t->index_step;
    const ptrdiff_t select_step = t->select_step;
    for (const struct tables_segment *s = t->segments, *end = s + t->count; s < end; s++) {
        const uint8_t *tables = t->tables + s->tables, *index = t->index + s->index;
        ptrdiff_t at = s->select, stop = at + s->steps * select_step;
        if (s->starts) {
            SELECTORS(WINDOW)
        }
        do {
            __m512i x0 = _mm512_loadu_si512(index), x1 = nv > 1 ? _mm512_loadu_si512(index + index_next) : x0;
            SELECTORS(STEP)
            index += index_step;
            at += select_step;
        } while (at != stop);
        if (s->ends) {
            SELECTORS(FOLD)
        }
    }
    SELECTORS(LEAVE)
}

INLINE void tile_m(int m, int nv, bool pixels, bool wide, const struct tables_tile *t)
{
    switch (m) {
    case 1:
        tile(1, nv, pixels, wide, t);
        break;
    case 2:
        tile(2, nv, pixels, wide, t);
        break;
    case 3:
        tile(3, nv, pixels, wide, t);
        break;
    default:
        tile(4, nv, pixels, wide, t);
    }
}

/* The same with four index vectors and wide tables: their loads are what takes longest, so that each should serve more
 * permutes. Byte sums of selector i are ai to di; 16-bit sums stay in memory, since windows are long. */
#define WIDE_START(i) __m512i a##i = _mm512_setzero_si512(), b##i = a##i, c##i = a##i, d##i = a##i;
#define WIDE_WINDOW(i)                                                                   \
    if (i < m) {                                                                         \
        a##i = pixels ? _mm512_set1_epi8((char)t->bias[i]) : _mm512_load_si512(t->bias); \
        b##i = pixels ? a##i : _mm512_load_si512(t->bias + TABLES_LANES);                \
        c##i = pixels ? a##i : _mm512_load_si512(t->bias + 2 * TABLES_LANES);            \
        d##i = pixels ? a##i : _mm512_load_si512(t->bias + 3 * TABLES_LANES);            \
    }
#define WIDE_STEP(i)                                                                         \
    if (i < m) {                                                                             \
        size_t from = pixels ? (size_t)i : 0;                                                \
        const uint8_t *table = tables + table_offset(s##i[at + from], WIDE * TABLES_LANES);  \
        __m512i t0 = _mm512_load_si512(table), t1 = _mm512_load_si512(table + TABLES_LANES); \
        look_up_wide(&a##i, &b##i, x0, x1, t0, t1);                                          \
        look_up_wide(&c##i, &d##i, x2, x3, t0, t1);                                          \
    }
#define WIDE_FOLD(i)                                         \
    if (i < m) {                                             \
        uint16_t *sums = t->sums + (size_t)i * TABLES_LANES; \
        fold(sums, a##i, first);                             \
        fold(sums + t->sums_next, b##i, first);              \
        fold(sums + 2 * t->sums_next, c##i, first);          \
        fold(sums + 3 * t->sums_next, d##i, first);          \
    }

INLINE void fold(uint16_t *sums, __m512i bytes, bool first)
{
    __m512i pairs = bytes, odd = _mm512_srli_epi16(bytes, 8);
    if (!first) {
        pairs = _mm512_add_epi16(pairs, _mm512_load_si512(sums));
        odd = _mm512_add_epi16(odd, _mm512_load_si512(sums + 32));
    }
    _mm512_store_si512(sums, pairs);
    _mm512_store_si512(sums + 32, odd);
}

INLINE void tile_wide(int m, bool pixels, const struct tables_tile *t)
{
    const uint8_t *s0 = t->select[0], *s1 = pixels ? s0 : t->select[1], *s2 = pixels ? s0 : t->select[2],
                  *s3 = pixels ? s0 : t->select[3];
    SELECTORS(WIDE_START)
    const size_t next = t->index_next, index_step = t->index_step;
    const ptrdiff_t select_step = t->select_step;
    bool first = true;
    for (const struct tables_segment *s = t->segments, *end = s + t->count; s < end; s++) {
        const uint8_t *tables = t->tables + s->tables, *index = t->index + s->index;
        ptrdiff_t at = s->select, stop = at + s->steps * select_step;
        if (s->starts) {
            SELECTORS(WIDE_WINDOW)
        }
        do {
            __m512i x0 = _mm512_loadu_si512(index), x1 = _mm512_loadu_si512(index + next);
            __m512i x2 = _mm512_loadu_si512(index + 2 * next), x3 = _mm512_loadu_si512(index + 3 * next);
            SELECTORS(WIDE_STEP)
            index += index_step;
            at += select_step;
        } while (at != stop);
        if (s->ends && first) {
            SELECTORS(WIDE_FOLD)
            first = false;
        } else if (s->ends) {
            SELECTORS(WIDE_FOLD)
        }
    }
}

INLINE void tile_wide_m(int m, bool pixels, const struct tables_tile *t)
{
    switch (m) {
    case 1:
        tile_wide(1, pixels, t);
        break;
    case 2:
        tile_wide(2, pixels, t);
        break;
    case 3:
        tile_wide(3, pixels, t);
        break;
    default:
        tile_wide(4, pixels, t);
    }
}

INLINE void tile_any(int m, int nv, bool pixels, const struct tables_tile *t)
{
    if (nv > 2)
        tile_wide_m(m, pixels, t);
    else if (nv > 1 && t->wide)
        tile_m(m, 2, pixels, true, t);
    else if (nv > 1)
        tile_m(m, 2, pixels, false, t);
    else if (t->wide)
        tile_m(m, 1, pixels, true, t);
    else
        tile_m(m, 1, pixels, false, t);
}

void tables_tile_channels(int m, int nv, const struct tables_tile *t)
{
    tile_any(m, nv, false, t);
}

void tables_tile_pixels(int m, int nv, const struct tables_tile *t)
{
    tile_any(m, nv, true, t);
}
