/* SPDX-License-Identifier: MIT
 *
 * Convolution in float: tiles of up to 6 pixels by 16 channels, or 12 by 8, or 2 by 32 where rows are short.
 */
#include "kernels/float_panel.h"
#include "kernels/float_rows.h"
#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"

enum { LANES = 8, PIXELS_1 = 12, PIXELS_2 = 6, PIXELS_4 = 2 };

static inline __m256i first_lanes(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __attribute__((always_inline)) void store(int m, int nv, const struct float_tile *t,
                                                        __m256 acc[PIXELS_1][4])
{
    __m256 lo = _mm256_set1_ps(t->lo), hi = _mm256_set1_ps(t->hi);
    float *out = t->out;
    const float *add = t->add;
    ptrdiff_t out_step = t->out_step;
    int channels = t->channels;
    UNROLL
    for (int j = 0; j < nv; j++) {
        int n = channels - LANES * j;
        __m256i mask = first_lanes(n);
        UNROLL
        for (int i = 0; i < m; i++) {
            ptrdiff_t at = i * out_step + LANES * j;
            __m256 x = acc[i][j];
            if (add)
                x = _mm256_add_ps(x, _mm256_maskload_ps(add + at, mask));
            x = _mm256_min_ps(hi, _mm256_max_ps(lo, x));
            if (n >= LANES)
                _mm256_storeu_ps(out + at, x);
            else
                _mm256_maskstore_ps(out + at, mask, x);
        }
    }
}

static inline __attribute__((always_inline)) void tile(int m, int nv, const struct float_tile *t)
{
    __m256 acc[PIXELS_1][4];
    const float *w = t->weights;
    ptrdiff_t step = t->step;
    UNROLL
    for (int i = 0; i < m; i++)
        UNROLL
    for (int j = 0; j < nv; j++)
        acc[i][j] = _mm256_load_ps(w + LANES * j);
    w += LANES * nv;
    for (int r = 0; r < t->n_runs; r++) {
        const float *p = t->in + t->runs[r];
        for (const float *end = p + t->run; p < end; p++, w += LANES * nv) {
            __m256 v[4];
            UNROLL
            for (int j = 0; j < nv; j++)
                v[j] = _mm256_load_ps(w + LANES * j);
            UNROLL
            for (int i = 0; i < m; i++) {
                __m256 a = _mm256_broadcast_ss(p + i * step);
                UNROLL
                for (int j = 0; j < nv; j++)
                    acc[i][j] = _mm256_fmadd_ps(a, v[j], acc[i][j]);
            }
        }
    }
    store(m, nv, t, acc);
}

FLOAT_PANEL_FUNCTIONS

const struct float_conv_kernel conv_f32_fma = {
    "conv_f32_fma", ISA_AVX2, can, packed_size, pack, scratch_size, run, channel_unit,
};
