/* SPDX-License-Identifier: MIT
 *
 * Elementwise and pooling kernels on codes, 64 at a time; masks make the rest. What reads a picture once or twice costs
 * no more than the second level cache does. Kernels on floats are those of AVX2.
 */
#include "kernels/x86/intrin.h"

#define POOL_BYTES       64
#define pool_vector      __m512i
#define pool_zero        _mm512_setzero_si512()
#define pool_load(p)     _mm512_loadu_si512(p)
#define pool_store(p, x) _mm512_storeu_si512(p, x)
#define pool_max(x, y)   _mm512_max_epu8(x, y)

#include "kernels/pool_template.h"
#include "kernels/rows.h"
#include "kernels/vec_c.h"
#include "kernels/x86/requant_avx512.h"
#include "kernels/x86/vec_float_avx2.h"

/* The first n of 64 bytes, of 16 lanes. */
static inline __mmask64 bytes_mask(size_t n)
{
    return n < 64 ? ((__mmask64)1 << n) - 1 : ~(__mmask64)0;
}

static inline __mmask16 lanes_mask(size_t n)
{
    return (__mmask16)bytes_mask(n);
}

/* --- elementwise ----------------------------------------------------------------------------------------------------
 */

/* 16 integers' codes to the first lanes of out. */
INLINE void store16(uint8_t *out, __mmask16 lanes, __m512i x, int lo, int hi)
{
    x = _mm512_min_epi32(_mm512_max_epi32(x, _mm512_set1_epi32(lo)), _mm512_set1_epi32(hi));
    _mm_mask_storeu_epi8(out, lanes, _mm512_cvtepi32_epi8(x));
}

struct adder {
    __m512i a, b, c;
    __m128i shift;
};

INLINE __m512i add16(const struct adder *s, __m128i a, __m128i b)
{
    __m512i x = _mm512_mullo_epi32(_mm512_cvtepu8_epi32(a), s->a),
            y = _mm512_mullo_epi32(_mm512_cvtepu8_epi32(b), s->b);
    return _mm512_sra_epi32(_mm512_add_epi32(_mm512_add_epi32(x, y), s->c), s->shift);
}

static void add_u8(size_t n, const uint8_t *a, const uint8_t *b, int32_t ma, int32_t mb, int32_t c, int shift, int lo,
                   int hi, uint8_t *out)
{
    const struct adder s = {_mm512_set1_epi32(ma), _mm512_set1_epi32(mb), _mm512_set1_epi32(c),
                            _mm_cvtsi32_si128(shift)};
    const __m512i least = _mm512_set1_epi8((char)lo), most = _mm512_set1_epi8((char)hi);
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        const __m128i *x = (const __m128i *)(a + i), *y = (const __m128i *)(b + i);
        __m512i sums = saturate_codes(add16(&s, _mm_loadu_si128(x), _mm_loadu_si128(y)),
                                      add16(&s, _mm_loadu_si128(x + 1), _mm_loadu_si128(y + 1)),
                                      add16(&s, _mm_loadu_si128(x + 2), _mm_loadu_si128(y + 2)),
                                      add16(&s, _mm_loadu_si128(x + 3), _mm_loadu_si128(y + 3)));
        _mm512_storeu_si512(out + i, _mm512_min_epu8(_mm512_max_epu8(sums, least), most));
    }
    for (; i < n; i += 16) {
        __mmask16 lanes = lanes_mask(n - i);
        store16(out + i, lanes, add16(&s, _mm_maskz_loadu_epi8(lanes, a + i), _mm_maskz_loadu_epi8(lanes, b + i)), lo,
                hi);
    }
}

/* Bit 7 of an index chooses between the table's halves. */
INLINE __m512i lut64(const __m512i table[4], __m512i x)
{
    __m512i low = _mm512_permutex2var_epi8(table[0], x, table[1]);
    __m512i high = _mm512_permutex2var_epi8(table[2], x, table[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), low, high);
}

static void lut_u8(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out)
{
    const __m512i t[4] = {_mm512_loadu_si512(table), _mm512_loadu_si512(table + 64), _mm512_loadu_si512(table + 128),
                          _mm512_loadu_si512(table + 192)};
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        _mm512_storeu_si512(out + i, lut64(t, _mm512_loadu_si512(in + i)));
    if (i < n) {
        __mmask64 mask = bytes_mask(n - i);
        _mm512_mask_storeu_epi8(out + i, mask, lut64(t, _mm512_maskz_loadu_epi8(mask, in + i)));
    }
}

/* --- pooling --------------------------------------------------------------------------------------------------------
 */

static void maxpool_u8(const struct conv_geom *g, const uint8_t *in, uint8_t *out)
{
    if (g->cin < POOL_BYTES)
        vec_avx2.maxpool_u8(g, in, out);
    else
        pool_rows(g, in, out);
}

/* Sums of 16 channels from c on. */
INLINE __m512i sum_channels(const struct window *w, size_t c, __mmask16 mask)
{
    __m512i sum = _mm512_setzero_si512();
    for (int i = 0; i < w->rows; i++)
        for (int j = 0; j < w->columns; j++) {
            const uint8_t *p = w->first + (size_t)i * w->row + (size_t)j * w->column + c;
            sum = _mm512_add_epi32(sum, _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, p)));
        }
    return sum;
}

/* Every other sum of 16. */
INLINE __m512i scale8(__m512i sums, __m512i m, __m512i b, __m512i lo, __m512i hi, __m128i shift)
{
    __m512i x = _mm512_sra_epi64(_mm512_add_epi64(_mm512_mul_epi32(sums, m), b), shift);
    return _mm512_min_epi64(_mm512_max_epi64(x, lo), hi);
}

static void avgpool_u8(const struct conv_geom *g, const uint8_t *in, const int32_t *m, const int64_t *b, int shift,
                       int lo, int hi, uint8_t *out)
{
    const __m512i least = _mm512_set1_epi64(lo), most = _mm512_set1_epi64(hi);
    const __m128i by = _mm_cvtsi32_si128(shift);
    size_t channels = (size_t)g->cin;
    for (int i = 0; i < g->oh * g->ow; i++, out += channels) {
        struct window w = window_at(g, in, i / g->ow, i % g->ow);
        __m512i vm = _mm512_set1_epi32(m[w.rows * w.columns]), vb = _mm512_set1_epi64(b[w.rows * w.columns]);
        for (size_t c = 0; c < channels; c += 16) {
            __mmask16 mask = lanes_mask(channels - c);
            __m512i even = sum_channels(&w, c, mask), odd = _mm512_srli_epi64(even, 32);
            even = scale8(even, vm, vb, least, most, by);
            odd = scale8(odd, vm, vb, least, most, by);
            __m512i codes = _mm512_or_si512(even, _mm512_slli_epi64(odd, 32));
            _mm_mask_storeu_epi8(out + c, mask, _mm512_cvtepi32_epi8(codes));
        }
    }
}

/* --- between codes and floats ---------------------------------------------------------------------------------------
 */

/* Clamped to hi, then rounded: what is no 32-bit integer or NaN (min gives its second operand if there is one) becomes
 * the least integer, which saturates to code 0. */
INLINE __m512i quantize16(__m512 x, __m512 inv, __m512 zero, __m512 hi)
{
    __m512 y = _mm512_add_ps(_mm512_mul_ps(x, inv), zero);
    return _mm512_cvtps_epi32(_mm512_min_ps(hi, y));
}

static void quantize_f32(size_t n, const float *x, float inv, float zero, int lo, int hi, uint8_t *out)
{
    const __m512 vi = _mm512_set1_ps(inv), vz = _mm512_set1_ps(zero), vh = _mm512_set1_ps((float)hi);
    const __m512i least = _mm512_set1_epi8((char)lo);
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        __m512i y = saturate_codes(
            quantize16(_mm512_loadu_ps(x + i), vi, vz, vh), quantize16(_mm512_loadu_ps(x + i + 16), vi, vz, vh),
            quantize16(_mm512_loadu_ps(x + i + 32), vi, vz, vh), quantize16(_mm512_loadu_ps(x + i + 48), vi, vz, vh));
        _mm512_storeu_si512(out + i, _mm512_max_epu8(y, least));
    }
    for (; i < n; i += 16) {
        __mmask16 lanes = lanes_mask(n - i);
        store16(out + i, lanes, quantize16(_mm512_maskz_loadu_ps(lanes, x + i), vi, vz, vh), lo, hi);
    }
}

static void dequantize_u8(size_t n, const uint8_t *in, float scale, float zero, float *out)
{
    const __m512 vs = _mm512_set1_ps(scale), vz = _mm512_set1_ps(zero);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m512 x = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(in + i))));
        _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_sub_ps(x, vz), vs));
    }
    vec_c.dequantize_u8(n - i, in + i, scale, zero, out + i);
}

/* Where bytes p.. of pixels of n channels come from: 64 bytes of each channel one after the other. */
#define PLACE(n, p) (uint8_t)((p) % (n)*64 + (p) / (n))
#define PLACES8(n, p)                                                                                                  \
    PLACE(n, p), PLACE(n, p + 1), PLACE(n, p + 2), PLACE(n, p + 3), PLACE(n, p + 4), PLACE(n, p + 5), PLACE(n, p + 6), \
        PLACE(n, p + 7)
#define PLACES32(n, p) PLACES8(n, p), PLACES8(n, p + 8), PLACES8(n, p + 16), PLACES8(n, p + 24)
#define PLACES64(n, p) PLACES32(n, p), PLACES32(n, p + 32)

/* The codes of n channels' pixels in turn, vector i of them. */
INLINE __m512i interleaved(const __m512i x[4], __m512i from)
{
    __m512i low = _mm512_permutex2var_epi8(x[0], from, x[1]), high = _mm512_permutex2var_epi8(x[2], from, x[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(from), low, high);
}

/* Pictures of two to four channels on their way from planes to pixels, 64 pixels at a time. */
INLINE void interleave(const uint8_t places[][64], size_t rows, size_t columns, const uint8_t *in, size_t in_step,
                       uint8_t *out)
{
    __m512i x[4] = {0}, from[4];
    for (size_t i = 0; i < rows; i++)
        from[i] = _mm512_loadu_si512(places[i]);
    size_t j = 0;
    for (; j + 64 <= columns; j += 64, out += 64 * rows) {
        UNROLL
        for (size_t i = 0; i < rows; i++)
            x[i] = _mm512_loadu_si512(in + i * in_step + j);
        UNROLL
        for (size_t i = 0; i < rows; i++)
            _mm512_storeu_si512(out + i * 64, interleaved(x, from[i]));
    }
    size_t left = (columns - j) * rows;
    for (size_t i = 0; i < rows; i++)
        x[i] = _mm512_maskz_loadu_epi8(bytes_mask(columns - j), in + i * in_step + j);
    for (size_t i = 0; i * 64 < left; i++)
        _mm512_mask_storeu_epi8(out + i * 64, bytes_mask(left - i * 64), interleaved(x, from[i]));
}

static void transpose_u8(size_t rows, size_t columns, const uint8_t *in, size_t in_step, uint8_t *out, size_t out_step)
{
    static const uint8_t two[][64] = {{PLACES64(2, 0)}, {PLACES64(2, 64)}};
    static const uint8_t three[][64] = {{PLACES64(3, 0)}, {PLACES64(3, 64)}, {PLACES64(3, 128)}};
    static const uint8_t four[][64] = {{PLACES64(4, 0)}, {PLACES64(4, 64)}, {PLACES64(4, 128)}, {PLACES64(4, 192)}};
    if (rows == 2 && out_step == 2)
        interleave(two, 2, columns, in, in_step, out);
    else if (rows == 3 && out_step == 3)
        interleave(three, 3, columns, in, in_step, out);
    else if (rows == 4 && out_step == 4)
        interleave(four, 4, columns, in, in_step, out);
    else
        transpose_u8_c(rows, columns, in, in_step, out, out_step);
}

const struct vec_kernels vec_avx512 = {
    "avx512",         ISA_AVX512VBMI,     add_u8,          lut_u8,          maxpool_u8,
    avgpool_u8,       quantize_f32,       dequantize_u8,   im2col_f32_avx2, bias_clamp_f32_avx2,
    add_f32_avx2,     mul_f32_avx2,       affine_f32_avx2, unary_f32_avx2,  maxpool_f32_avx2,
    avgpool_f32_avx2, transpose_f32_avx2, transpose_u8,
};
