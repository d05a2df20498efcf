/* SPDX-License-Identifier: MIT
 *
 * Convolution in float: tiles of up to 12 pixels by 8 channels, or 16 by 4, or 6 by 16 where rows are short.
 */
#include "kernels/float_panel.h"
#include "kernels/float_part_neon.h"
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

#define CASE(m, nv)     \
    case m:             \
        tile(m, nv, t); \
        break

static void tile_1(int m, const struct float_tile *t)
{
    switch (m) {
        CASE(1, 1);
        CASE(2, 1);
        CASE(3, 1);
        CASE(4, 1);
        CASE(5, 1);
        CASE(6, 1);
        CASE(7, 1);
        CASE(8, 1);
        CASE(9, 1);
        CASE(10, 1);
        CASE(11, 1);
        CASE(12, 1);
        CASE(13, 1);
        CASE(14, 1);
        CASE(15, 1);
        CASE(16, 1);
    }
}

static void tile_2(int m, const struct float_tile *t)
{
    switch (m) {
        CASE(1, 2);
        CASE(2, 2);
        CASE(3, 2);
        CASE(4, 2);
        CASE(5, 2);
        CASE(6, 2);
        CASE(7, 2);
        CASE(8, 2);
        CASE(9, 2);
        CASE(10, 2);
        CASE(11, 2);
        CASE(12, 2);
    }
}

static void tile_4(int m, const struct float_tile *t)
{
    switch (m) {
        CASE(1, 4);
        CASE(2, 4);
        CASE(3, 4);
        CASE(4, 4);
        CASE(5, 4);
        CASE(6, 4);
    }
}

static void tile_m(int m, int nv, const struct float_tile *t)
{
    (nv == 1 ? tile_1 : nv == 2 ? tile_2 : tile_4)(m, t);
}

static const struct float_panel_kernel kernel = {
    .lanes = LANES, .pixels = {0, PIXELS_1, PIXELS_2, 0, PIXELS_4}, .tile = tile_m};

static bool can(const struct conv_geom *g)
{
    (void)g;
    return true;
}

static size_t packed_size(const struct conv_geom *g)
{
    return float_panel_packed_size(&kernel, g);
}

static void pack(const struct conv_geom *g, const float *weights, const float *bias, void *packed)
{
    float_panel_pack(&kernel, g, weights, bias, packed);
}

static size_t scratch_size(const struct conv_geom *g)
{
    return float_panel_scratch_size(&kernel, g);
}

static void run(const struct conv_geom *g, const struct float_conv_call *call)
{
    float_panel_run(&kernel, g, call);
}

const struct float_conv_kernel conv_f32_neon = {
    "conv_f32_neon", ISA_NEON, can, packed_size, pack, scratch_size, run,
};
