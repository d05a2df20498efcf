/* SPDX-License-Identifier: MIT
 *
 * Convolution in float: tiles of up to 12 pixels by 8 channels, or 16 by 4, or 6 by 16 where rows are short.
 */
#include "kernels/arm/float_part_neon.h"
#include "kernels/float_panel.h"
#include "kernels/float_rows.h"
#include "kernels/unroll.h"

enum { LANES = FLOAT_LANES_NEON, PIXELS_1 = 16, PIXELS_2 = 12, PIXELS_4 = 6 };

static inline __attribute__((always_inline)) void store(int m, int nv, const struct float_tile *t,
                                                        float32x4_t acc[PIXELS_1][4])
{
    float32x4_t lo = vdupq_n_f32(t->lo), hi = vdupq_n_f32(t->hi);
    UNROLL
    for (int j = 0; j < nv; j++) {
        int n = t->channels - LANES * j;
        UNROLL
        for (int i = 0; i < m; i++) {
            ptrdiff_t at = i * t->out_step + LANES * j;
            float32x4_t x = acc[i][j];
            if (n <= 0)
                continue;
            if (t->add)
                x = vaddq_f32(x, n >= LANES ? vld1q_f32(t->add + at) : load_part(t->add + at, n));
            x = vminq_f32(vmaxq_f32(x, lo), hi);
            if (n >= LANES)
                vst1q_f32(t->out + at, x);
            else
                store_part(t->out + at, n, x);
        }
    }
}

static inline __attribute__((always_inline)) void tile(int m, int nv, const struct float_tile *t)
{
    float32x4_t acc[PIXELS_1][4];
    const float *w = t->weights;
    ptrdiff_t step = t->step;
    UNROLL
    for (int i = 0; i < m; i++)
        UNROLL
    for (int j = 0; j < nv; j++)
        acc[i][j] = vld1q_f32(w + LANES * j);
    w += LANES * nv;
    for (int r = 0; r < t->n_runs; r++) {
        const float *p = t->in + t->runs[r];
        for (const float *end = p + t->run; p < end; p++, w += LANES * nv) {
            float32x4_t v[4];
            UNROLL
            for (int j = 0; j < nv; j++)
                v[j] = vld1q_f32(w + LANES * j);
            UNROLL
            for (int i = 0; i < m; i++)
                UNROLL
            for (int j = 0; j < nv; j++)
                acc[i][j] = vfmaq_n_f32(acc[i][j], v[j], p[i * step]);
        }
    }
    store(m, nv, t, acc);
}

FLOAT_PANEL_FUNCTIONS

const struct float_conv_kernel conv_f32_neon = {
    "conv_f32_neon", ISA_NEON, can, packed_size, pack, scratch_size, run, channel_unit,
};
