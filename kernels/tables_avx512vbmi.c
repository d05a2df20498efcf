/* SPDX-License-Identifier: MIT
 *
 * Product tables in AVX-512 with VBMI: the image and the tables that a call makes, the unpacking of weights and the
 * micro-kernel. Of its permutes one runs each cycle, beside an addition; the rest is kept out of the way of those.
 */
#include "kernels/intrin.h"
#include "kernels/tables.h"
#include "kernels/unroll.h"

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

/* --- tables ---------------------------------------------------------------------------------------------------------
 */

enum { DIGITS = 6, WIDE = 2 }; /* most of a step; vectors of a wide table */

/* What digit t of the selector adds, for 64 indices with these digits t, if it is d. */
INLINE __m512i digit_products(const struct tables_plan *p, const struct tables_header *head, const uint8_t *digits,
                              int d)
{
    int8_t products[TABLES_LANES] = {0};
    for (int i = 0; i < p->index_radix; i++)
        products[i] = (int8_t)(p->row->pixels ? head->levels[d] * i : d * head->levels[i]);
    return _mm512_permutexvar_epi8(_mm512_loadu_si512(digits), _mm512_loadu_si512(products));
}

/* All tables over the first `values` values of a step, whatever the codes of the others. digits: of indices */
static void make_tables(const struct tables_plan *p, const struct tables_header *head, int values,
                        uint8_t digits[DIGITS][WIDE * TABLES_LANES], uint8_t *tables)
{
    for (size_t v = 0; v < p->table; v += TABLES_LANES, tables += TABLES_LANES) {
        _mm512_store_si512(tables, _mm512_setzero_si512());
        for (int t = 0, n = 1; t < p->unit; t++, n *= p->select_radix)
            for (int d = p->select_radix - 1; d >= 0; d--) { /* d == 0 last: the others start from what is there */
                __m512i add = t < values ? digit_products(p, head, digits[t] + v, d) : _mm512_setzero_si512();
                for (int i = 0; i < n; i++) {
                    __m512i x = _mm512_load_si512(tables + (size_t)i * p->table);
                    _mm512_store_si512(tables + (size_t)(d * n + i) * p->table, _mm512_add_epi8(x, add));
                }
            }
    }
}

void tables_make_tables(const struct tables_plan *p, const struct tables_header *head, uint8_t *tables)
{
    uint8_t digits[DIGITS][WIDE * TABLES_LANES], count[DIGITS] = {0};
    for (size_t i = 0; i < p->table; i++) {
        for (int t = 0; t < p->unit; t++)
            digits[t][i] = count[t];
        for (int t = 0; t < p->unit && ++count[t] == p->index_radix; t++)
            count[t] = 0;
    }
    make_tables(p, head, p->unit, digits, tables);
    if (tables_last_differs(p))
        make_tables(p, head, p->run % p->unit, digits, tables + (size_t)p->tables * p->table);
}

/* --- weights --------------------------------------------------------------------------------------------------------
 */

/* Cells of `bits` bits to bytes, 64 at a time. */
void tables_unpack(const struct tables_plan *p, const void *packed, int panel, uint8_t *cells, size_t step)
{
    int bits = p->cell_bits;
    uint8_t gather[64], shifts[64]; /* for eight cells each: their bytes, and where in these a cell starts */
    for (int i = 0; i < 64; i++) {
        gather[i] = (uint8_t)(i / 8 * bits + (i % 8 < bits ? i % 8 : 0));
        shifts[i] = (uint8_t)(i % 8 * bits);
    }
    __m512i from = _mm512_loadu_si512(gather), by = _mm512_loadu_si512(shifts);
    __m512i mask = _mm512_set1_epi8((char)((1 << bits) - 1));
    size_t bias = ((size_t)(p->panels * p->row->lanes) + 63) / 64 * 64, bytes = (size_t)bits * 8;
    const uint8_t *in = tables_bias(packed) + bias + (size_t)panel * (size_t)p->chunks * bytes;
    for (int c = 0; c < p->chunks; c++, in += bytes, cells += step) {
        __m512i x = _mm512_permutexvar_epi8(from, _mm512_loadu_si512(in));
        _mm512_store_si512(cells, _mm512_and_si512(_mm512_multishift_epi64_epi8(by, x), mask));
    }
}

/* --- what a call prepares
 * ---------------------------------------------------------------------------------------------
 */

/* sums >= t where sums * factor - bias >= at */
static void fix_thresholds(const struct tables_header *head, const int32_t *at, const int32_t *bias, uint16_t *t)
{
    int32_t limit[TABLES_LANES];
    for (int c = 0; c < TABLES_LANES; c++) {
        int32_t x = at[c], f = head->factor;
        limit[c] = f == 1 ? x : x > 0 ? (x - 1) / f + 1 : x / f;
    }
    for (int c = 0; c < TABLES_LANES; c += 16) {
        __m512i x = _mm512_add_epi32(_mm512_loadu_si512(limit + c), _mm512_loadu_si512(bias + c));
        x = _mm512_min_epi32(_mm512_max_epi32(x, _mm512_setzero_si512()), _mm512_set1_epi32(65535));
        _mm256_storeu_si256((__m256i *)(t + c), _mm512_cvtepi32_epi16(x));
    }
}

void tables_make_fix(const struct tables_plan *p, const struct conv_geom *g, const struct conv_call *call, int block,
                     struct tables_fix *fix)
{
    const struct tables_header *head = call->packed;
    const uint8_t *bias = tables_bias(call->packed);
    int first = block * TABLES_LANES, lanes = p->row->lanes;
    for (int c = 0; c < TABLES_LANES; c++) {
        int co = first + c, at = co / lanes * lanes + tables_lane(p, co % lanes);
        fix->bias[c] = co < g->cout ? head->windows * bias[at] : 0;
    }
    const struct tables_thresholds *t =
        (const struct tables_thresholds *)((const char *)call->prepared + tables_thresholds_at(g)) + block;
    for (int i = 0; i < TABLES_CODES && tables_by_threshold(call); i++) {
        uint16_t at[TABLES_RESIDUALS][TABLES_LANES];
        fix_thresholds(head, t->at[0][i], fix->bias, fix->at[i]);
        for (int r = 0; r < TABLES_RESIDUALS && call->residual; r++)
            fix_thresholds(head, t->at[r][i], fix->bias, at[r]);
        for (int c = 0; c < TABLES_LANES && first + c < g->cout && call->residual; c++)
            fix->by_residual[i][c] =
                at[0][c] | (uint64_t)at[1][c] << 16 | (uint64_t)at[2][c] << 32 | (uint64_t)at[3][c] << 48;
    }
}

/* --- micro-kernel ---------------------------------------------------------------------------------------------------
 */

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
        const uint8_t *tables = s->tables, *index = t->index + s->index;
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
        const uint8_t *tables = s->tables, *index = t->index + s->index;
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
