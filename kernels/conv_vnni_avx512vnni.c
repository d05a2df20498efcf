/* SPDX-License-Identifier: MIT
 *
 * Convolution with vpdpbusd: four products a channel in a step of four values, straight into 32 bits, at every width.
 * 8 pixels by 32 channels, or by 16 where only one panel is left.
 */
#include "kernels/intrin.h"
#include "kernels/panel.h"
#include "kernels/rows.h"

#include <string.h>

static inline int load4(const uint8_t *p)
{
    int x;
    memcpy(&x, p, 4);
    return x;
}

/* The accumulators of pixel i: one vector of 16 channels for each panel; or, of a single panel, one for even and one
 * for odd steps, because one for each pixel is too few to keep two units busy. Named, because gcc spills arrays of
 * them. */
#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

#define START(i)                                               \
    const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0]; \
    __m512i l##i = _mm512_setzero_si512(), h##i = l##i;
#define STEP(i)                                          \
    if (i < m) {                                         \
        __m512i a = _mm512_set1_epi32(load4(p##i + at)); \
        l##i = _mm512_dpbusd_epi32(l##i, a, w0);         \
        h##i = _mm512_dpbusd_epi32(h##i, a, w1);         \
    }
#define STEP_EVEN(i) \
    if (i < m)       \
        l##i = _mm512_dpbusd_epi32(l##i, _mm512_set1_epi32(load4(p##i + at)), w0);
#define STEP_ODD(i) \
    if (i < m)      \
        h##i = _mm512_dpbusd_epi32(h##i, _mm512_set1_epi32(load4(p##i + at)), w0);
#define STORE(i)                                            \
    if (i < m) {                                            \
        _mm512_store_si512(t->acc + PANEL * i, l##i);       \
        _mm512_store_si512(t->acc + PANEL * (m + i), h##i); \
    }
#define STORE_SUM(i) \
    if (i < m)       \
        _mm512_store_si512(t->acc + PANEL * i, _mm512_add_epi32(l##i, h##i));

static inline __attribute__((always_inline)) void tile_two(int m, const struct panel_tile *t)
{
    const int8_t *w = t->weights, *v = t->weights + t->stride;
    PIXELS(START)
    for (const int32_t *offset = t->offsets, *end = offset + t->steps; offset < end; offset++, w += 64, v += 64) {
        __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(v);
        ptrdiff_t at = *offset;
        PIXELS(STEP)
    }
    PIXELS(STORE)
}

static inline __attribute__((always_inline)) void tile_one(int m, const struct panel_tile *t)
{
    const int8_t *w = t->weights;
    const int32_t *offset = t->offsets, *end = offset + t->steps;
    PIXELS(START)
    for (; end - offset > 1; offset += 2, w += 128) {
        __m512i w0 = _mm512_load_si512(w);
        ptrdiff_t at = offset[0];
        PIXELS(STEP_EVEN)
        w0 = _mm512_load_si512(w + 64);
        at = offset[1];
        PIXELS(STEP_ODD)
    }
    if (offset < end) {
        __m512i w0 = _mm512_load_si512(w);
        ptrdiff_t at = *offset;
        PIXELS(STEP_EVEN)
    }
    PIXELS(STORE_SUM)
}

static inline __attribute__((always_inline)) void tile(int m, int nv, const struct panel_tile *t)
{
    if (nv > 1)
        tile_two(m, t);
    else
        tile_one(m, t);
}

static inline __attribute__((always_inline)) void tile_nv(int m, int nv, const struct panel_tile *t)
{
    switch (m) {
    case 1:
        tile(1, nv, t);
        break;
    case 2:
        tile(2, nv, t);
        break;
    case 3:
        tile(3, nv, t);
        break;
    case 4:
        tile(4, nv, t);
        break;
    case 5:
        tile(5, nv, t);
        break;
    case 6:
        tile(6, nv, t);
        break;
    case 7:
        tile(7, nv, t);
        break;
    default:
        tile(8, nv, t);
    }
}

static void tile_m(int m, const struct panel_tile *t)
{
    if (t->nv > 1)
        tile_nv(m, 2, t);
    else
        tile_nv(m, 1, t);
}

static const struct panel_kernel kernel = {
    .unit = 4, .elem = 1, .pixels = 8, .group = 2, .tile = tile_m, .store = PANEL_STORE_AVX512};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)g, (void)a_bits, (void)w;
    return true;
}

PANEL_FUNCTIONS(kernel, panel_run_avx2)

const struct conv_kernel conv_vnni_avx512 = {
    .name = "conv_vnni_avx512",
    .family = FAMILY_DECODE,
    .isa = ISA_AVX512VNNI,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "8x32",
    .a_effect = A_EFFECT_NONE,
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
    .channel_unit = 2 * PANEL,
};
