/* SPDX-License-Identifier: MIT
 *
 * Depthwise convolution in float: up to 8 neighbouring pixels by 4 channels. Rows of three taps at stride 1 load every
 * pixel once for all three.
 */
#include "kernels/arm/float_part_neon.h"
#include "kernels/float_depthwise.h"
#include "kernels/float_rows.h"
#include "kernels/unroll.h"

enum { LANES = FLOAT_LANES_NEON, PIXELS = 8 };

static inline __attribute__((always_inline)) float32x4_t load(const float *p, bool whole, int channels)
{
    return whole ? vld1q_f32(p) : load_part(p, channels);
}

/* One kernel row of m pixels. */
static inline __attribute__((always_inline)) void row(int m, bool slide, bool whole, const struct depthwise_tile *t,
                                                      const float *p, const float *w, float32x4_t acc[PIXELS])
{
    if (slide) {
        float32x4_t w0 = vld1q_f32(w), w1 = vld1q_f32(w + t->tap), w2 = vld1q_f32(w + 2 * t->tap);
        UNROLL
        for (int i = 0; i < m + 2; i++) {
            bool outside = (i == 0 && t->left) || (i == m + 1 && t->right);
            float32x4_t x = outside ? vdupq_n_f32(0) : load(p + i * t->step, whole, t->channels);
            if (i < m)
                acc[i] = vfmaq_f32(acc[i], x, w0);
            if (i > 0 && i < m + 1)
                acc[i - 1] = vfmaq_f32(acc[i - 1], x, w1);
            if (i > 1)
                acc[i - 2] = vfmaq_f32(acc[i - 2], x, w2);
        }
        return;
    }
    for (int kx = 0; kx < t->kw; kx++, p += t->across, w += t->tap) {
        float32x4_t v = vld1q_f32(w);
        UNROLL
        for (int i = 0; i < m; i++) {
            bool outside = (i == 0 && kx == 0 && t->left) || (i == m - 1 && kx == t->kw - 1 && t->right);
            if (!outside)
                acc[i] = vfmaq_f32(acc[i], load(p + i * t->step, whole, t->channels), v);
        }
    }
}

static inline __attribute__((always_inline)) void tile(int m, bool slide, bool whole, const struct depthwise_tile *t)
{
    float32x4_t acc[PIXELS], lo = vdupq_n_f32(t->lo), hi = vdupq_n_f32(t->hi), bias = vld1q_f32(t->bias);
    UNROLL
    for (int i = 0; i < m; i++)
        acc[i] = bias;
    const float *p = t->in, *w = t->weights;
    for (int ky = 0; ky < t->kh; ky++, p += t->down, w += t->tap_row)
        row(m, slide, whole, t, p, w, acc);
    float *out = t->out;
    const float *add = t->add;
    ptrdiff_t out_step = t->out_step;
    UNROLL
    for (int i = 0; i < m; i++) {
        float32x4_t x = acc[i];
        if (add)
            x = vaddq_f32(x, load(add + i * out_step, whole, t->channels));
        x = vminq_f32(vmaxq_f32(x, lo), hi);
        if (whole)
            vst1q_f32(out + i * out_step, x);
        else
            store_part(out + i * out_step, t->channels, x);
    }
}

DEPTHWISE_FUNCTIONS

const struct float_conv_kernel dwconv_f32_neon = {
    "dwconv_f32_neon", ISA_NEON, depthwise_can, packed_size, pack, depthwise_scratch_size, run,
};
