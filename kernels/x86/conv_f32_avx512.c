/* SPDX-License-Identifier: MIT
 *
 * Convolution in float: tiles of up to 12 pixels by 32 channels, or 11 by 16, or 6 by 64 where rows are short.
 */
#include "kernels/float_panel.h"
#include "kernels/float_rows.h"
#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"

enum { LANES = 16, PIXELS_1 = 11, PIXELS_2 = 12, PIXELS_4 = 6 };

static inline __attribute__((always_inline)) void store(int m, int nv, const struct float_tile *t,
                                                        __m512 acc[PIXELS_2][4])
{
    __m512 lo = _mm512_set1_ps(t->lo), hi = _mm512_set1_ps(t->hi);
    float *out = t->out;
    const float *add = t->add;
    ptrdiff_t out_step = t->out_step;
    int channels = t->channels;
    UNROLL
    for (int j = 0; j < nv; j++) {
        int n = channels - LANES * j;
        __mmask16 mask = (__mmask16)(n >= LANES ? 0xffff : (1u << n) - 1);
        UNROLL
        for (int i = 0; i < m; i++) {
            ptrdiff_t at = i * out_step + LANES * j;
            __m512 x = acc[i][j];
            if (add)
                x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, add + at));
            x = _mm512_min_ps(hi, _mm512_max_ps(lo, x));
            if (n >= LANES)
                _mm512_storeu_ps(out + at, x);
            else
                _mm512_mask_storeu_ps(out + at, mask, x);
        }
    }
}

static inline __attribute__((always_inline)) void tile(int m, int nv, const struct float_tile *t)
{
    __m512 acc[PIXELS_2][4];
    const float *w = t->weights;
    ptrdiff_t step = t->step;
    UNROLL
    for (int i = 0; i < m; i++)
        UNROLL
    for (int j = 0; j < nv; j++)
        acc[i][j] = _mm512_load_ps(w + LANES * j);
    w += LANES * nv;
    for (int r = 0; r < t->n_runs; r++) {
        const float *p = t->in + t->runs[r];
        for (const float *end = p + t->run; p < end; p++, w += LANES * nv) {
            __m512 v[4];
            UNROLL
            for (int j = 0; j < nv; j++)
                v[j] = _mm512_load_ps(w + LANES * j);
            UNROLL
            for (int i = 0; i < m; i++) {
                __m512 a = _mm512_set1_ps(p[i * step]);
                UNROLL
                for (int j = 0; j < nv; j++)
                    acc[i][j] = _mm512_fmadd_ps(a, v[j], acc[i][j]);
            }
        }
    }
    store(m, nv, t, acc);
}

FLOAT_PANEL_FUNCTIONS

const struct float_conv_kernel conv_f32_avx512 = {
    "conv_f32_avx512", ISA_AVX512VNNI, can, packed_size, pack, scratch_size, run, channel_unit,
};
