/* SPDX-License-Identifier: MIT */
#include "kernels/vec_float_avx2.h"

#include <string.h>

#include "kernels/intrin.h"
#include "kernels/rows.h"

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
