/* SPDX-License-Identifier: MIT */
#include "kernels/x86/vec_float_avx2.h"

#include <math.h>
#include <string.h>

#include "kernels/rows.h"
#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"

/* Taps first..last-1 of k, dilation apart from `at` on, fall into 0..size-1. */
static void taps_inside(int at, int dilation, int k, int size, int *first, int *last)
{
    *first = at < 0 ? (-at + dilation - 1) / dilation : 0;
    *last = at < size ? (size - 1 - at) / dilation + 1 : 0;
    *first = *first < k ? *first : k;
    *last = *last < k ? *last : k;
    *last = *last > *first ? *last : *first;
}

/* --- im2col ---------------------------------------------------------------------------------------------------------
 */

static inline void copy_f32(float *out, const float *in, int n)
{
    int i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, _mm256_loadu_ps(in + i));
    for (; i < n; i++)
        out[i] = in[i];
}

/* One kernel row of one pixel. x: source column of tap 0. */
static void im2col_run(const struct conv_geom *g, int cg, int x, const float *in, float *row)
{
    int kx0, kx1;
    taps_inside(x, g->dilation_w, g->kw, g->w, &kx0, &kx1);
    memset(row, 0, (size_t)(kx0 * cg) * sizeof *row);
    if (cg == g->cin && g->dilation_w == 1)
        copy_f32(row + kx0 * cg, in + (ptrdiff_t)(x + kx0) * g->cin, (kx1 - kx0) * cg);
    else
        for (int kx = kx0; kx < kx1; kx++)
            copy_f32(row + kx * cg, in + (ptrdiff_t)(x + kx * g->dilation_w) * g->cin, cg);
    memset(row + kx1 * cg, 0, (size_t)((g->kw - kx1) * cg) * sizeof *row);
}

void im2col_f32_avx2(const struct conv_geom *g, int group, int first, int count, const float *in, float *rows)
{
    int cg = g->cin / g->groups, run = g->kw * cg;
    for (int i = first; i < first + count; i++) {
        int oy = i / g->ow, x = i % g->ow * g->stride_w - g->pad_left;
        for (int ky = 0; ky < g->kh; ky++, rows += run) {
            int y = oy * g->stride_h - g->pad_top + ky * g->dilation_h;
            if (y < 0 || y >= g->h)
                memset(rows, 0, (size_t)run * sizeof *rows);
            else
                im2col_run(g, cg, x, in + (ptrdiff_t)y * g->w * g->cin + group * cg, rows);
        }
    }
}

/* --- after a product, and sums --------------------------------------------------------------------------------------
 */

void add_f32_avx2(size_t n, const float *a, const float *b, float lo, float hi, float *out)
{
    __m256 low = _mm256_set1_ps(lo), high = _mm256_set1_ps(hi);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 v = _mm256_add_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
        _mm256_storeu_ps(out + i, _mm256_min_ps(high, _mm256_max_ps(low, v)));
    }
    vec_c.add_f32(n - i, a + i, b + i, lo, hi, out + i);
}

void bias_clamp_f32_avx2(size_t pixels, size_t channels, const float *bias, float lo, float hi, float *x)
{
    for (size_t i = 0; i < pixels; i++, x += channels)
        add_f32_avx2(channels, x, bias, lo, hi, x);
}

void mul_f32_avx2(size_t n, const float *a, const float *b, float lo, float hi, float *out)
{
    __m256 low = _mm256_set1_ps(lo), high = _mm256_set1_ps(hi);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 v = _mm256_mul_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
        _mm256_storeu_ps(out + i, _mm256_min_ps(high, _mm256_max_ps(low, v)));
    }
    vec_c.mul_f32(n - i, a + i, b + i, lo, hi, out + i);
}

void affine_f32_avx2(size_t pixels, size_t channels, const float *x, const float *scale, const float *shift, float lo,
                     float hi, float *out)
{
    __m256 low = _mm256_set1_ps(lo), high = _mm256_set1_ps(hi);
    if (channels == 1) {
        __m256 factor = _mm256_set1_ps(*scale), offset = _mm256_set1_ps(*shift);
        size_t i = 0;
        for (; i + 8 <= pixels; i += 8) {
            __m256 v = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), factor), offset);
            _mm256_storeu_ps(out + i, _mm256_min_ps(high, _mm256_max_ps(low, v)));
        }
        vec_c.affine_f32(pixels - i, 1, x + i, scale, shift, lo, hi, out + i);
        return;
    }
    for (size_t i = 0; i < pixels; i++, x += channels, out += channels) {
        size_t c = 0;
        for (; c + 8 <= channels; c += 8) {
            __m256 v = _mm256_mul_ps(_mm256_loadu_ps(x + c), _mm256_loadu_ps(scale + c));
            v = _mm256_add_ps(v, _mm256_loadu_ps(shift + c));
            _mm256_storeu_ps(out + c, _mm256_min_ps(high, _mm256_max_ps(low, v)));
        }
        if (c < channels)
            vec_c.affine_f32(1, channels - c, x + c, scale + c, shift + c, lo, hi, out + c);
    }
}

/* --- pooling --------------------------------------------------------------------------------------------------------
 */

/* Channels of one output pixel, 8 * NV at a time, over its taps. */
static inline __attribute__((always_inline)) void pool_block(const struct conv_geom *g, bool average, const float *p,
                                                             const int taps[4], int nv, float scale, float *out)
{
    __m256 acc[4];
    for (int j = 0; j < nv; j++)
        acc[j] = average ? _mm256_setzero_ps() : _mm256_set1_ps(-INFINITY);
    for (int ky = taps[0]; ky < taps[1]; ky++)
        for (int kx = taps[2]; kx < taps[3]; kx++) {
            const float *x = p + ((ptrdiff_t)ky * g->dilation_h * g->w + kx * g->dilation_w) * g->cin;
            UNROLL
            for (int j = 0; j < nv; j++) {
                __m256 v = _mm256_loadu_ps(x + 8 * j);
                acc[j] = average ? _mm256_add_ps(acc[j], v) : _mm256_max_ps(v, acc[j]);
            }
        }
    for (int j = 0; j < nv; j++)
        _mm256_storeu_ps(out + 8 * j, average ? _mm256_mul_ps(acc[j], _mm256_set1_ps(scale)) : acc[j]);
}

static float pool_one(const struct conv_geom *g, bool average, const float *p, const int taps[4], float scale)
{
    float acc = average ? 0 : -INFINITY;
    for (int ky = taps[0]; ky < taps[1]; ky++)
        for (int kx = taps[2]; kx < taps[3]; kx++) {
            float x = p[((ptrdiff_t)ky * g->dilation_h * g->w + kx * g->dilation_w) * g->cin];
            acc = average ? acc + x : x > acc ? x : acc;
        }
    return average ? acc * scale : acc;
}

static inline __attribute__((always_inline)) void pool(const struct conv_geom *g, bool average, const float *in,
                                                       const float *scale, float *out)
{
    for (int i = 0; i < g->oh * g->ow; i++, out += g->cin) {
        int y = i / g->ow * g->stride_h - g->pad_top, x = i % g->ow * g->stride_w - g->pad_left, taps[4], c = 0;
        taps_inside(y, g->dilation_h, g->kh, g->h, &taps[0], &taps[1]);
        taps_inside(x, g->dilation_w, g->kw, g->w, &taps[2], &taps[3]);
        const float *p = in + ((ptrdiff_t)y * g->w + x) * g->cin;
        float factor = average ? scale[i] : 1;
        for (; c + 32 <= g->cin; c += 32)
            pool_block(g, average, p + c, taps, 4, factor, out + c);
        for (; c + 8 <= g->cin; c += 8)
            pool_block(g, average, p + c, taps, 1, factor, out + c);
        for (; c < g->cin; c++)
            out[c] = pool_one(g, average, p + c, taps, factor);
    }
}

void maxpool_f32_avx2(const struct conv_geom *g, const float *in, float *out)
{
    pool(g, false, in, NULL, out);
}

void avgpool_f32_avx2(const struct conv_geom *g, const float *in, const float *scale, float *out)
{
    pool(g, true, in, scale, out);
}
