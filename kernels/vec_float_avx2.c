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

/* --- depthwise ------------------------------------------------------------------------------------------------------
 */

/* A depthwise call, and the taps of the pixels in progress. */
struct depthwise {
    const struct conv_geom *g;
    const float *in, *weights, *bias;
    __m256 lo, hi;
    float *out;
    int oy, y, ky0, ky1;
};

static inline __m256i lanes(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* A masked store is slow on some processors, and rarely needed. */
static inline void store(float *out, int n, __m256 x)
{
    if (n == 8)
        _mm256_storeu_ps(out, x);
    else
        _mm256_maskstore_ps(out, lanes(n), x);
}

/* Four neighbouring pixels, all of whose columns are inside of the image: they share the weights. */
static void depthwise_four(const struct depthwise *d, int ox, int c, int n)
{
    const struct conv_geom *g = d->g;
    __m256i mask = lanes(n);
    ptrdiff_t next = (ptrdiff_t)g->stride_w * g->cin;
    __m256 a0 = _mm256_setzero_ps(), a1 = a0, a2 = a0, a3 = a0;
    for (int ky = d->ky0; ky < d->ky1; ky++) {
        const float *w = d->weights + (ptrdiff_t)ky * g->kw * g->cin + c;
        const float *x =
            d->in + c + ((ptrdiff_t)(d->y + ky * g->dilation_h) * g->w + ox * g->stride_w - g->pad_left) * g->cin;
        for (int kx = 0; kx < g->kw; kx++, w += g->cin, x += (ptrdiff_t)g->dilation_w * g->cin) {
            __m256 v = _mm256_maskload_ps(w, mask);
            a0 = _mm256_add_ps(a0, _mm256_mul_ps(v, _mm256_maskload_ps(x, mask)));
            a1 = _mm256_add_ps(a1, _mm256_mul_ps(v, _mm256_maskload_ps(x + next, mask)));
            a2 = _mm256_add_ps(a2, _mm256_mul_ps(v, _mm256_maskload_ps(x + 2 * next, mask)));
            a3 = _mm256_add_ps(a3, _mm256_mul_ps(v, _mm256_maskload_ps(x + 3 * next, mask)));
        }
    }
    __m256 b = _mm256_maskload_ps(d->bias + c, mask);
    float *out = d->out + ((ptrdiff_t)d->oy * g->ow + ox) * g->cin + c;
    store(out, n, _mm256_min_ps(_mm256_max_ps(_mm256_add_ps(a0, b), d->lo), d->hi));
    store(out + g->cin, n, _mm256_min_ps(_mm256_max_ps(_mm256_add_ps(a1, b), d->lo), d->hi));
    store(out + 2 * g->cin, n, _mm256_min_ps(_mm256_max_ps(_mm256_add_ps(a2, b), d->lo), d->hi));
    store(out + 3 * g->cin, n, _mm256_min_ps(_mm256_max_ps(_mm256_add_ps(a3, b), d->lo), d->hi));
}

/* One pixel, with taps that may be outside. */
static void depthwise_one(const struct depthwise *d, int ox, int c, int n)
{
    const struct conv_geom *g = d->g;
    __m256i mask = lanes(n);
    int x = ox * g->stride_w - g->pad_left, kx0, kx1;
    taps_inside(x, g->dilation_w, g->kw, g->w, &kx0, &kx1);
    __m256 a = _mm256_setzero_ps();
    for (int ky = d->ky0; ky < d->ky1; ky++)
        for (int kx = kx0; kx < kx1; kx++) {
            ptrdiff_t at = (ptrdiff_t)(d->y + ky * g->dilation_h) * g->w + x + kx * g->dilation_w;
            __m256 w = _mm256_maskload_ps(d->weights + ((ptrdiff_t)ky * g->kw + kx) * g->cin + c, mask);
            a = _mm256_add_ps(a, _mm256_mul_ps(w, _mm256_maskload_ps(d->in + at * g->cin + c, mask)));
        }
    a = _mm256_add_ps(a, _mm256_maskload_ps(d->bias + c, mask));
    a = _mm256_min_ps(_mm256_max_ps(a, d->lo), d->hi);
    store(d->out + ((ptrdiff_t)d->oy * g->ow + ox) * g->cin + c, n, a);
}

static void depthwise_row(const struct depthwise *d)
{
    const struct conv_geom *g = d->g;
    int reach = (g->kw - 1) * g->dilation_w + 3 * g->stride_w;
    for (int ox = 0; ox < g->ow;) {
        int x = ox * g->stride_w - g->pad_left;
        bool four = ox + 4 <= g->ow && x >= 0 && x + reach < g->w;
        for (int c = 0; c < g->cin; c += 8) {
            int n = g->cin - c < 8 ? g->cin - c : 8;
            if (four)
                depthwise_four(d, ox, c, n);
            else
                depthwise_one(d, ox, c, n);
        }
        ox += four ? 4 : 1;
    }
}

void dwconv_f32_avx2(const struct conv_geom *g, const float *in, const float *weights, const float *bias, float lo,
                     float hi, float *out)
{
    if (g->cout != g->cin) {
        vec_c.dwconv_f32(g, in, weights, bias, lo, hi, out);
        return;
    }
    struct depthwise d = {g, in, weights, bias, _mm256_set1_ps(lo), _mm256_set1_ps(hi), out, 0, 0, 0, 0};
    for (d.oy = 0; d.oy < g->oh; d.oy++) {
        d.y = d.oy * g->stride_h - g->pad_top;
        taps_inside(d.y, g->dilation_h, g->kh, g->h, &d.ky0, &d.ky1);
        depthwise_row(&d);
    }
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
