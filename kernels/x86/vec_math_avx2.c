/* SPDX-License-Identifier: MIT
 *
 * Functions of one float, and transposition: parts of the AVX2 table.
 */
#include "kernels/rows.h"
#include "kernels/scalar.h"
#include "kernels/x86/intrin.h"
#include "kernels/x86/vec_float_avx2.h"

/* exp(x) = 2^n * e^r with n the nearest whole number to x / ln 2, and e^r by Cephes' polynomial (Moshier, expf.c): 2
 * units in the last place. Below -87.34 it gives 0, above 88.72 infinity; NaN stays. */
static inline __m256 exp_f32(__m256 x)
{
    const __m256 least = _mm256_set1_ps(-87.33654f), most = _mm256_set1_ps(88.72283f);
    __m256 v = _mm256_min_ps(_mm256_max_ps(x, least), most);
    __m256 n =
        _mm256_round_ps(_mm256_mul_ps(v, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_sub_ps(v, _mm256_mul_ps(n, _mm256_set1_ps(0.693359375f)));
    r = _mm256_sub_ps(r, _mm256_mul_ps(n, _mm256_set1_ps(-2.12194440e-4f)));
    __m256 p = _mm256_set1_ps(1.9875691500e-4f);
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(1.3981999507e-3f));
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(8.3334519073e-3f));
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(4.1665795894e-2f));
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(1.6666665459e-1f));
    p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(5.0000001201e-1f));
    p = _mm256_add_ps(_mm256_mul_ps(_mm256_mul_ps(p, r), r), _mm256_add_ps(r, _mm256_set1_ps(1)));
    /* 2^n in two factors: n reaches 128, which is no exponent of a float. */
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), bias = _mm256_set1_epi32(127);
    __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i b = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
    p = _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(a)), _mm256_castsi256_ps(b));
    p = _mm256_blendv_ps(p, _mm256_setzero_ps(), _mm256_cmp_ps(x, least, _CMP_LT_OQ));
    p = _mm256_blendv_ps(p, _mm256_set1_ps(INFINITY), _mm256_cmp_ps(x, most, _CMP_GT_OQ));
    return _mm256_blendv_ps(p, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

static inline __m256 clamp_8(__m256 x, __m256 lo, __m256 hi)
{
    return _mm256_min_ps(hi, _mm256_max_ps(lo, x));
}

static inline __attribute__((always_inline)) __m256 unary_8(enum float_unary f, __m256 x, float alpha, float lo,
                                                            float hi)
{
    const __m256 zero = _mm256_setzero_ps(), one = _mm256_set1_ps(1);
    switch (f) {
    case FLOAT_LEAKY:
        return _mm256_blendv_ps(x, _mm256_mul_ps(x, _mm256_set1_ps(alpha)), _mm256_cmp_ps(x, zero, _CMP_LT_OQ));
    case FLOAT_SIGMOID:
        return _mm256_div_ps(one, _mm256_add_ps(one, exp_f32(_mm256_xor_ps(x, _mm256_set1_ps(-0.0f)))));
    case FLOAT_HARD_SWISH: {
        __m256 gate = _mm256_add_ps(_mm256_div_ps(x, _mm256_set1_ps(6)), _mm256_set1_ps(0.5f));
        return _mm256_mul_ps(x, clamp_8(gate, zero, one));
    }
    case FLOAT_EXP:
        return exp_f32(x);
    case FLOAT_CLAMP:
        break;
    }
    return clamp_8(x, _mm256_set1_ps(lo), _mm256_set1_ps(hi));
}

/* All of n with f known. The last ones go through a vector of their own: every element by the same arithmetic. */
static inline __attribute__((always_inline)) void unary_all(enum float_unary f, size_t n, const float *x, float alpha,
                                                            float lo, float hi, float *out)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, unary_8(f, _mm256_loadu_ps(x + i), alpha, lo, hi));
    if (i < n) {
        float rest[8] = {0};
        for (size_t k = i; k < n; k++)
            rest[k - i] = x[k];
        _mm256_storeu_ps(rest, unary_8(f, _mm256_loadu_ps(rest), alpha, lo, hi));
        for (size_t k = i; k < n; k++)
            out[k] = rest[k - i];
    }
}

void unary_f32_avx2(enum float_unary f, size_t n, const float *x, float alpha, float lo, float hi, float *out)
{
    switch (f) {
    case FLOAT_LEAKY:
        unary_all(FLOAT_LEAKY, n, x, alpha, lo, hi, out);
        break;
    case FLOAT_SIGMOID:
        unary_all(FLOAT_SIGMOID, n, x, alpha, lo, hi, out);
        break;
    case FLOAT_HARD_SWISH:
        unary_all(FLOAT_HARD_SWISH, n, x, alpha, lo, hi, out);
        break;
    case FLOAT_EXP:
        unary_all(FLOAT_EXP, n, x, alpha, lo, hi, out);
        break;
    case FLOAT_CLAMP:
        unary_all(FLOAT_CLAMP, n, x, alpha, lo, hi, out);
        break;
    }
}

/* --- transposition --------------------------------------------------------------------------------------------------
 */

static void transpose_8x8(const float *in, size_t in_step, float *out, size_t out_step)
{
    __m256 a[8], b[8];
    for (int i = 0; i < 8; i++)
        a[i] = _mm256_loadu_ps(in + (size_t)i * in_step);
    for (int i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
        a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xee);
        a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
        a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(out + (size_t)i * out_step, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
        _mm256_storeu_ps(out + (size_t)(i + 4) * out_step, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
    }
}

/* Up to four rows, four columns at a time. Where nothing lies between the rows of out, whole vectors are stored: what
 * is too much is written over by the next column. */
static void transpose_few(int rows, size_t columns, const float *in, size_t in_step, float *out, size_t out_step)
{
    __m128i mask = _mm_cmpgt_epi32(_mm_set1_epi32(rows), _mm_setr_epi32(0, 1, 2, 3));
    size_t j = 0;
    for (; j + 4 <= columns; j += 4) {
        __m128 a[4];
        for (int i = 0; i < 4; i++)
            a[i] = _mm_loadu_ps(in + (size_t)(i < rows ? i : 0) * in_step + j);
        _MM_TRANSPOSE4_PS(a[0], a[1], a[2], a[3]);
        if (out_step == (size_t)rows && j + 4 < columns)
            for (int i = 0; i < 4; i++)
                _mm_storeu_ps(out + (j + (size_t)i) * out_step, a[i]);
        else
            for (int i = 0; i < 4; i++)
                _mm_maskstore_ps(out + (j + (size_t)i) * out_step, mask, a[i]);
    }
    vec_c.transpose_f32((size_t)rows, columns - j, in + j, in_step, out + j * out_step, out_step);
}

static void transpose_columns(size_t rows, size_t columns, const float *in, size_t in_step, float *out, size_t out_step)
{
    size_t i = 0;
    for (; i + 8 <= rows; i += 8) {
        size_t j = 0;
        for (; j + 8 <= columns; j += 8)
            transpose_8x8(in + i * in_step + j, in_step, out + j * out_step + i, out_step);
        vec_c.transpose_f32(8, columns - j, in + i * in_step + j, in_step, out + j * out_step + i, out_step);
    }
    for (; i < rows; i += 4)
        transpose_few(rows - i < 4 ? (int)(rows - i) : 4, columns, in + i * in_step, in_step, out + i, out_step);
}

/* A stretch of columns at a time, so that the lines of out are written while they are in the cache. */
void transpose_f32_avx2(size_t rows, size_t columns, const float *in, size_t in_step, float *out, size_t out_step)
{
    enum { STRETCH = 32 };
    for (size_t j = 0; j < columns; j += STRETCH)
        transpose_columns(rows, columns - j < STRETCH ? columns - j : STRETCH, in + j, in_step, out + j * out_step,
                          out_step);
}
