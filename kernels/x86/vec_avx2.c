/* SPDX-License-Identifier: MIT
 *
 * Elementwise and pooling kernels on codes, 8 to 32 elements at a time; what is left at the end of a row goes to the C
 * function or the same arithmetic in scalar code.
 */
#include <string.h>

#include "kernels/x86/intrin.h"

#define POOL_BYTES       32
#define pool_vector      __m256i
#define pool_zero        _mm256_setzero_si256()
#define pool_load(p)     _mm256_loadu_si256((const __m256i *)(p))
#define pool_store(p, x) _mm256_storeu_si256((__m256i *)(p), x)
#define pool_max(x, y)   _mm256_max_epu8(x, y)

#include "kernels/pool_template.h"
#include "kernels/rows.h"
#include "kernels/scalar.h"
#include "kernels/x86/vec_float_avx2.h"

static inline __m256i load8(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

/* 16 integers in two vectors to codes; saturation first to 16, then to 8 bits makes the clamp to 0..255. */
static inline __m128i codes16(__m256i x, __m256i y, int lo, int hi)
{
    __m256i z = _mm256_permute4x64_epi64(_mm256_packs_epi32(x, y), 0xD8);
    __m128i v = _mm_packus_epi16(_mm256_castsi256_si128(z), _mm256_extracti128_si256(z, 1));
    return _mm_min_epu8(_mm_max_epu8(v, _mm_set1_epi8((char)lo)), _mm_set1_epi8((char)hi));
}

/* --- elementwise ----------------------------------------------------------------------------------------------------
 */

static inline __m256i add8(const uint8_t *a, const uint8_t *b, __m256i ma, __m256i mb, __m256i c, __m128i shift)
{
    __m256i x = _mm256_add_epi32(_mm256_mullo_epi32(load8(a), ma), _mm256_mullo_epi32(load8(b), mb));
    return _mm256_sra_epi32(_mm256_add_epi32(x, c), shift);
}

static void add_u8(size_t n, const uint8_t *a, const uint8_t *b, int32_t ma, int32_t mb, int32_t c, int shift, int lo,
                   int hi, uint8_t *out)
{
    __m256i va = _mm256_set1_epi32(ma), vb = _mm256_set1_epi32(mb), vc = _mm256_set1_epi32(c);
    __m128i vs = _mm_cvtsi32_si128(shift);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i x = add8(a + i, b + i, va, vb, vc, vs), y = add8(a + i + 8, b + i + 8, va, vb, vc, vs);
        _mm_storeu_si128((__m128i *)(out + i), codes16(x, y, lo, hi));
    }
    vec_c.add_u8(n - i, a + i, b + i, ma, mb, c, shift, lo, hi, out + i);
}

/* 16 entries of the table in both halves. */
static inline __m256i table16(const uint8_t *table, int i)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table + i));
}

/* Entries of four neighbouring parts of the table; m4, m5: bits 4 and 5 of the index in the sign. */
static inline __m256i lut64(const uint8_t *table, int i, __m256i low, __m256i m4, __m256i m5)
{
    __m256i x = _mm256_blendv_epi8(_mm256_shuffle_epi8(table16(table, i), low),
                                   _mm256_shuffle_epi8(table16(table, i + 1), low), m4);
    __m256i y = _mm256_blendv_epi8(_mm256_shuffle_epi8(table16(table, i + 2), low),
                                   _mm256_shuffle_epi8(table16(table, i + 3), low), m4);
    return _mm256_blendv_epi8(x, y, m5);
}

/* A table by where its entries differ from the ones before: fewer bits of an activation are few steps. */
enum { CHANGES = 8, CHANGES_PAY = 1024 }; /* how many, and from how many codes on looking for them pays */

struct changes {
    int n;
    __m256i last[CHANGES], by[CHANGES]; /* the last index before each with its sign bit turned, the difference */
};

static bool find_changes(const uint8_t table[256], struct changes *c)
{
    c->n = 0;
    for (int i = 0; i < 255; i++) {
        if (table[i] == table[i + 1])
            continue;
        if (c->n == CHANGES)
            return false;
        c->last[c->n] = _mm256_set1_epi8((char)(i ^ 128));
        c->by[c->n++] = _mm256_set1_epi8((char)(table[i + 1] - table[i]));
    }
    return true;
}

/* Whole vectors of in; returns how many codes. */
static size_t lut_changes(size_t n, const uint8_t *in, uint8_t first, const struct changes *c, uint8_t *out)
{
    const __m256i sign = _mm256_set1_epi8((char)128), least = _mm256_set1_epi8((char)first);
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        __m256i x = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(in + i)), sign), a = least;
        __m256i y = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(in + i + 32)), sign), b = least;
        for (int k = 0; k < c->n; k++) {
            a = _mm256_add_epi8(a, _mm256_and_si256(_mm256_cmpgt_epi8(x, c->last[k]), c->by[k]));
            b = _mm256_add_epi8(b, _mm256_and_si256(_mm256_cmpgt_epi8(y, c->last[k]), c->by[k]));
        }
        _mm256_storeu_si256((__m256i *)(out + i), a);
        _mm256_storeu_si256((__m256i *)(out + i + 32), b);
    }
    return i;
}

static void lut_u8(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out)
{
    size_t i = 0;
    struct changes c;
    if (n >= CHANGES_PAY && find_changes(table, &c))
        i = lut_changes(n, in, table[0], &c, out);
    for (; i + 32 <= n; i += 32) {
        __m256i x = _mm256_loadu_si256((const __m256i *)(in + i));
        __m256i low = _mm256_and_si256(x, _mm256_set1_epi8(15));
        __m256i m4 = _mm256_slli_epi16(x, 3), m5 = _mm256_slli_epi16(x, 2), m6 = _mm256_slli_epi16(x, 1);
        __m256i a = _mm256_blendv_epi8(lut64(table, 0, low, m4, m5), lut64(table, 4, low, m4, m5), m6);
        __m256i b = _mm256_blendv_epi8(lut64(table, 8, low, m4, m5), lut64(table, 12, low, m4, m5), m6);
        _mm256_storeu_si256((__m256i *)(out + i), _mm256_blendv_epi8(a, b, x));
    }
    vec_c.lut_u8(n - i, in + i, table, out + i);
}

/* --- pooling --------------------------------------------------------------------------------------------------------
 */

/* Less than POOL_BYTES channels. */
static void max_pixel(const struct window *w, int cin, uint8_t *out)
{
    int c = 0;
    for (; c + 8 <= cin; c += 8) {
        __m128i m = _mm_setzero_si128();
        for (int i = 0; i < w->rows; i++)
            for (int j = 0; j < w->columns; j++) {
                const uint8_t *p = w->first + (size_t)i * w->row + (size_t)j * w->column + c;
                m = _mm_max_epu8(m, _mm_loadl_epi64((const __m128i *)p));
            }
        _mm_storel_epi64((__m128i *)(out + c), m);
    }
    for (; c < cin; c++) {
        uint8_t m = 0;
        for (int i = 0; i < w->rows; i++)
            for (int j = 0; j < w->columns; j++) {
                uint8_t x = w->first[(size_t)i * w->row + (size_t)j * w->column + (size_t)c];
                m = x > m ? x : m;
            }
        out[c] = m;
    }
}

static void maxpool_u8(const struct conv_geom *g, const uint8_t *in, uint8_t *out)
{
    if (g->cin >= POOL_BYTES) {
        pool_rows(g, in, out);
        return;
    }
    for (int oy = 0; oy < g->oh; oy++)
        for (int ox = 0; ox < g->ow; ox++, out += g->cin) {
            struct window w = window_at(g, in, oy, ox);
            max_pixel(&w, g->cin, out);
        }
}

/* Sums of n <= 8 channels from p on. */
static void sum_channels(const struct window *w, int c, int n, int32_t sums[8])
{
    __m256i s = _mm256_setzero_si256();
    memset(sums, 0, 8 * sizeof *sums);
    for (int i = 0; i < w->rows; i++)
        for (int j = 0; j < w->columns; j++) {
            const uint8_t *p = w->first + (size_t)i * w->row + (size_t)j * w->column + c;
            if (n == 8)
                s = _mm256_add_epi32(s, load8(p));
            else
                for (int k = 0; k < n; k++)
                    sums[k] += p[k];
        }
    if (n == 8)
        _mm256_storeu_si256((__m256i *)sums, s);
}

static void avgpool_u8(const struct conv_geom *g, const uint8_t *in, const int32_t *m, const int64_t *b, int shift,
                       int lo, int hi, uint8_t *out)
{
    for (int oy = 0; oy < g->oh; oy++)
        for (int ox = 0; ox < g->ow; ox++) {
            struct window w = window_at(g, in, oy, ox);
            int taps = w.rows * w.columns;
            for (int c = 0; c < g->cin; c += 8) {
                int32_t sums[8];
                int n = g->cin - c < 8 ? g->cin - c : 8;
                sum_channels(&w, c, n, sums);
                for (int i = 0; i < n; i++)
                    *out++ = (uint8_t)clamp_i64((sums[i] * (int64_t)m[taps] + b[taps]) >> shift, lo, hi);
            }
        }
}

/* --- between codes and floats ---------------------------------------------------------------------------------------
 */

/* Clamped to hi, then rounded: what is no 32-bit integer, NaN too (min gives its second operand if there is one),
 * becomes the least integer, which saturates to code 0. */
static inline __m256i quantize8(const float *x, __m256 inv, __m256 zero, __m256 hi)
{
    __m256 y = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(x), inv), zero);
    return _mm256_cvtps_epi32(_mm256_min_ps(hi, y));
}

static void quantize_f32(size_t n, const float *x, float inv, float zero, int lo, int hi, uint8_t *out)
{
    __m256 vi = _mm256_set1_ps(inv), vz = _mm256_set1_ps(zero), vh = _mm256_set1_ps((float)hi);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i a = quantize8(x + i, vi, vz, vh), b = quantize8(x + i + 8, vi, vz, vh);
        _mm_storeu_si128((__m128i *)(out + i), codes16(a, b, lo, hi));
    }
    vec_c.quantize_f32(n - i, x + i, inv, zero, lo, hi, out + i);
}

static void dequantize_u8(size_t n, const uint8_t *in, float scale, float zero, float *out)
{
    __m256 vs = _mm256_set1_ps(scale), vz = _mm256_set1_ps(zero);
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_sub_ps(_mm256_cvtepi32_ps(load8(in + i)), vz), vs));
    vec_c.dequantize_u8(n - i, in + i, scale, zero, out + i);
}

/* 16 columns of up to four rows: four vectors of four columns, a dword each. */
INLINE void columns4(size_t rows, const uint8_t *in, size_t in_step, __m128i x[4])
{
    __m128i row[4];
    UNROLL
    for (size_t i = 0; i < 4; i++)
        row[i] = i < rows ? _mm_loadu_si128((const __m128i *)(in + i * in_step)) : _mm_setzero_si128();
    __m128i low = _mm_unpacklo_epi8(row[0], row[1]), low2 = _mm_unpacklo_epi8(row[2], row[3]);
    __m128i high = _mm_unpackhi_epi8(row[0], row[1]), high2 = _mm_unpackhi_epi8(row[2], row[3]);
    x[0] = _mm_unpacklo_epi16(low, low2);
    x[1] = _mm_unpackhi_epi16(low, low2);
    x[2] = _mm_unpacklo_epi16(high, high2);
    x[3] = _mm_unpackhi_epi16(high, high2);
}

/* Returns how many columns it did. Each vector writes 16 bytes, what is too much before the next one: the last columns
 * are left. */
INLINE size_t interleave(size_t rows, size_t columns, const uint8_t *in, size_t in_step, uint8_t *out)
{
    const __m128i three = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    const __m128i two = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1);
    size_t j = 0;
    for (; j + 24 <= columns; j += 16) {
        __m128i x[4];
        columns4(rows, in + j, in_step, x);
        UNROLL
        for (size_t i = 0; i < 4; i++) {
            __m128i y = rows == 3 ? _mm_shuffle_epi8(x[i], three) : rows == 2 ? _mm_shuffle_epi8(x[i], two) : x[i];
            _mm_storeu_si128((__m128i *)(out + (j + 4 * i) * rows), y);
        }
    }
    return j;
}

/* Pictures of two to four channels on their way from planes to pixels; other shapes are rare. */
static void transpose_u8(size_t rows, size_t columns, const uint8_t *in, size_t in_step, uint8_t *out, size_t out_step)
{
    size_t j = 0;
    if (rows == 2 && out_step == 2)
        j = interleave(2, columns, in, in_step, out);
    else if (rows == 3 && out_step == 3)
        j = interleave(3, columns, in, in_step, out);
    else if (rows == 4 && out_step == 4)
        j = interleave(4, columns, in, in_step, out);
    vec_c.transpose_u8(rows, columns - j, in + j, in_step, out + j * out_step, out_step);
}

const struct vec_kernels vec_avx2 = {
    "avx2",           ISA_AVX2,           add_u8,          lut_u8,          maxpool_u8,
    avgpool_u8,       quantize_f32,       dequantize_u8,   im2col_f32_avx2, bias_clamp_f32_avx2,
    add_f32_avx2,     mul_f32_avx2,       affine_f32_avx2, unary_f32_avx2,  maxpool_f32_avx2,
    avgpool_f32_avx2, transpose_f32_avx2, transpose_u8,
};
