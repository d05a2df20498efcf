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

/* Each of 64 codes with the unit - 1 after it, in one byte. */
INLINE __m512i combine(const uint8_t *codes, int bits, int unit)
{
    __m512i x = _mm512_loadu_si512(codes);
    for (int t = 1; t < unit; t++)
        x = _mm512_or_si512(x, _mm512_slli_epi16(_mm512_loadu_si512(codes + t), (unsigned)(t * bits)));
    return x;
}

/* A row of values. */
INLINE void combine_values(const uint8_t *codes, int n, int bits, int unit, uint8_t *out)
{
    for (int i = 0; i < n; i += 64)
        _mm512_storeu_si512(out + i, combine(codes + i, bits, unit));
}

/* The first n of 64 bytes. */
INLINE __mmask64 first_bytes(int n)
{
    return n >= 64 ? ~(__mmask64)0 : n <= 0 ? 0 : ((__mmask64)1 << n) - 1;
}

/* Pixels of a compact image. */
INLINE void combine_pixels(const struct tables_plan *p, const uint8_t *codes, int pixels, int bits, int unit,
                           uint8_t *out)
{
    const int n = p->run_steps;
    for (int x = 0; x < pixels; x++, codes += p->run, out += n)
        for (int i = 0; i < n; i += 64) {
            __m512i y = _mm512_maskz_loadu_epi8(first_bytes(n - i), codes + i);
            for (int t = 1; t < unit; t++) {
                int at = t * n + i, left = p->run - at < n - i ? p->run - at : n - i;
                __m512i z = _mm512_maskz_loadu_epi8(first_bytes(left), codes + at);
                y = _mm512_or_si512(y, _mm512_slli_epi16(z, (unsigned)(t * bits)));
            }
            _mm512_mask_storeu_epi8(out + i, first_bytes(n - i), y);
        }
}

static void combine_row(const struct tables_plan *p, const uint8_t *codes, int cin, uint8_t *out)
{
    int n = p->iw * cin;
    bool compact = tables_compact(p);
    if (p->a_bits == 2 && p->unit == 3)
        compact ? combine_pixels(p, codes, p->iw, 2, 3, out) : combine_values(codes, n, 2, 3, out);
    else if (p->a_bits == 2)
        compact ? combine_pixels(p, codes, p->iw, 2, 4, out) : combine_values(codes, n, 2, 4, out);
    else if (p->unit == 3)
        compact ? combine_pixels(p, codes, p->iw, 1, 3, out) : combine_values(codes, n, 1, 3, out);
    else if (p->unit == 4)
        compact ? combine_pixels(p, codes, p->iw, 1, 4, out) : combine_values(codes, n, 1, 4, out);
    else
        compact ? combine_pixels(p, codes, p->iw, 1, 6, out) : combine_values(codes, n, 1, 6, out);
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
            combine_row(p, call->in + (size_t)y * line, g->cin, image);
            continue;
        }
        if (y < 0 || y >= g->h)
            memset(codes, call->pad_code, row);
        else
            row_codes(p, g, call, y, codes);
        combine_row(p, codes, g->cin, image);
    }
    memset(image, 0, 192);
}

/* --- tables ---------------------------------------------------------------------------------------------------------
 */

/* What digit t of the selector adds, for every index, if it is d. */
INLINE __m512i digit_products(const struct tables_plan *p, const struct tables_header *head, int t, int d)
{
    int bits = p->row->pixels ? p->a_bits : p->w_bits;
    int8_t products[TABLES_LANES] = {0};
    uint8_t indices[TABLES_LANES];
    for (int i = 0; i < 1 << bits; i++)
        products[i] = (int8_t)(p->row->pixels ? head->levels[d] * i : d * head->levels[i]);
    for (int i = 0; i < TABLES_LANES; i++)
        indices[i] = (uint8_t)i;
    __m512i digits = _mm512_srl_epi16(_mm512_loadu_si512(indices), _mm_cvtsi32_si128(t * bits));
    digits = _mm512_and_si512(digits, _mm512_set1_epi8((char)((1 << bits) - 1)));
    return _mm512_permutexvar_epi8(digits, _mm512_loadu_si512(products));
}

/* All tables over the first `values` values of a step, whatever the codes of the others. */
static void make_tables(const struct tables_plan *p, const struct tables_header *head, int values, uint8_t *tables)
{
    int bits = p->row->pixels ? p->w_bits : p->a_bits;
    _mm512_store_si512(tables, _mm512_setzero_si512());
    for (int t = 0, n = 1; t < p->unit; t++, n <<= bits)
        for (int d = (1 << bits) - 1; d >= 0; d--) { /* d == 0 last: the others start from what is there */
            __m512i add = t < values ? digit_products(p, head, t, d) : _mm512_setzero_si512();
            for (int i = 0; i < n; i++) {
                __m512i x = _mm512_load_si512(tables + i * TABLES_LANES);
                _mm512_store_si512(tables + (d * n + i) * TABLES_LANES, _mm512_add_epi8(x, add));
            }
        }
}

void tables_make_tables(const struct tables_plan *p, const struct tables_header *head, uint8_t *tables)
{
    make_tables(p, head, p->unit, tables);
    if (tables_last_differs(p))
        make_tables(p, head, p->run % p->unit, tables + (TABLES_LANES << p->select_bits));
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

/* 64 * code, by multiplication: the shift that compilers make of it competes with the additions for a port. */
INLINE size_t table_offset(uint8_t code)
{
#if defined(BITFADER_SIMDE)
    return (size_t)code * TABLES_LANES;
#else
    size_t offset;
    __asm__("imul $64, %1, %0" : "=r"(offset) : "r"((size_t)code));
    return offset;
#endif
}

/* Adds what the table has for x0 to l and for x1 to h, whose order is what it is about: two permutes and then two
 * additions reach one permute a cycle, by turns they take 1.2 cycles each, since additions go to the permutes' pipes.
 */
INLINE void look_up(__m512i *l, __m512i *h, __m512i x0, __m512i x1, __m512i t0, __m512i t1)
{
#if defined(BITFADER_SIMDE)
    *l = _mm512_add_epi8(*l, _mm512_permutexvar_epi8(x0, t0));
    *h = _mm512_add_epi8(*h, _mm512_permutexvar_epi8(x1, t1));
#else
    __m512i a, b;
    __asm__("vpermb %[t0], %[x0], %[a]\n\t"
            "vpermb %[t1], %[x1], %[b]\n\t"
            "vpaddb %[a], %[l], %[l]\n\t"
            "vpaddb %[b], %[h], %[h]"
            : [l] "+v"(*l), [h] "+v"(*h), [a] "=&v"(a), [b] "=&v"(b)
            : [t0] "v"(t0), [t1] "v"(t1), [x0] "v"(x0), [x1] "v"(x1));
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
#define STEP(i)                                                               \
    if (i < m) {                                                              \
        __m512i table = _mm512_load_si512(tables + table_offset(s##i[at]));   \
        if (nv > 1)                                                           \
            look_up(&l##i, &h##i, x0, x1, table, table);                      \
        else                                                                  \
            l##i = _mm512_add_epi8(l##i, _mm512_permutexvar_epi8(x0, table)); \
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

INLINE void tile(int m, int nv, bool pixels, const struct tables_tile *t)
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

INLINE void tile_m(int m, int nv, bool pixels, const struct tables_tile *t)
{
    switch (m) {
    case 1:
        tile(1, nv, pixels, t);
        break;
    case 2:
        tile(2, nv, pixels, t);
        break;
    case 3:
        tile(3, nv, pixels, t);
        break;
    default:
        tile(4, nv, pixels, t);
    }
}

void tables_tile_channels(int m, int nv, const struct tables_tile *t)
{
    if (nv > 1)
        tile_m(m, 2, false, t);
    else
        tile_m(m, 1, false, t);
}

void tables_tile_pixels(int m, int nv, const struct tables_tile *t)
{
    if (nv > 1)
        tile_m(m, 2, true, t);
    else
        tile_m(m, 1, true, t);
}
