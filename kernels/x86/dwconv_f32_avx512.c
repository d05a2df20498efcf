/* SPDX-License-Identifier: MIT
 *
 * Depthwise convolution in float: up to 8 neighbouring pixels by 16 channels. Rows of three taps at stride 1 load every
 * pixel once for all three.
 */
#include "kernels/float_depthwise.h"
#include "kernels/float_rows.h"
#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"

enum { LANES = 16, PIXELS = 8 };

static inline __attribute__((always_inline)) __m512 load(const float *p, bool whole, __mmask16 mask)
{
    return whole ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(mask, p);
}

/* One kernel row of m pixels. */
static inline __attribute__((always_inline)) void row(int m, bool slide, bool whole, __mmask16 mask,
                                                      const struct depthwise_tile *t, const float *p, const float *w,
                                                      __m512 acc[PIXELS])
{
    if (slide) {
        __m512 w0 = _mm512_loadu_ps(w), w1 = _mm512_loadu_ps(w + t->tap), w2 = _mm512_loadu_ps(w + 2 * t->tap);
        UNROLL
        for (int i = 0; i < m + 2; i++) {
            bool outside = (i == 0 && t->left) || (i == m + 1 && t->right);
            __m512 x = outside ? _mm512_setzero_ps() : load(p + i * t->step, whole, mask);
            if (i < m)
                acc[i] = _mm512_fmadd_ps(x, w0, acc[i]);
            if (i > 0 && i < m + 1)
                acc[i - 1] = _mm512_fmadd_ps(x, w1, acc[i - 1]);
            if (i > 1)
                acc[i - 2] = _mm512_fmadd_ps(x, w2, acc[i - 2]);
        }
        return;
    }
    for (int kx = 0; kx < t->kw; kx++, p += t->across, w += t->tap) {
        __m512 v = _mm512_loadu_ps(w);
        UNROLL
        for (int i = 0; i < m; i++) {
            bool outside = (i == 0 && kx == 0 && t->left) || (i == m - 1 && kx == t->kw - 1 && t->right);
            if (!outside)
                acc[i] = _mm512_fmadd_ps(load(p + i * t->step, whole, mask), v, acc[i]);
        }
    }
}

static inline __attribute__((always_inline)) void tile(int m, bool slide, bool whole, const struct depthwise_tile *t)
{
    __mmask16 mask = (__mmask16)((1u << (t->channels & 15)) - 1);
    __m512 acc[PIXELS], lo = _mm512_set1_ps(t->lo), hi = _mm512_set1_ps(t->hi), bias = _mm512_loadu_ps(t->bias);
    UNROLL
    for (int i = 0; i < m; i++)
        acc[i] = bias;
    const float *p = t->in, *w = t->weights;
    for (int ky = 0; ky < t->kh; ky++, p += t->down, w += t->tap_row)
        row(m, slide, whole, mask, t, p, w, acc);
    float *out = t->out;
    const float *add = t->add;
    ptrdiff_t out_step = t->out_step;
    UNROLL
    for (int i = 0; i < m; i++) {
        __m512 x = acc[i];
        if (add)
            x = _mm512_add_ps(x, load(add + i * out_step, whole, mask));
        x = _mm512_min_ps(hi, _mm512_max_ps(lo, x));
        if (whole)
            _mm512_storeu_ps(out + i * out_step, x);
        else
            _mm512_mask_storeu_ps(out + i * out_step, mask, x);
    }
}

DEPTHWISE_FUNCTIONS

const struct float_conv_kernel dwconv_f32_avx512 = {
    "dwconv_f32_avx512", ISA_AVX512VNNI, depthwise_can, packed_size, pack, depthwise_scratch_size, run,
};
