/* SPDX-License-Identifier: MIT
 *
 * Convolution with vpdpbusd: four products a channel in a step of four values, straight into 32 bits, at every width.
 * 6 pixels by 64 channels, or 8 by as many as are left.
 */
#include "kernels/panel.h"
#include "kernels/rows.h"
#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"
#include "kernels/x86/requant_avx512.h"

#include <string.h>

/* The accumulators of pixel i: one vector of 16 channels for each of up to four panels; or, of a single panel, one for
 * even and one for odd steps, because one for each pixel is too few to keep two units busy. Named, because gcc spills
 * arrays of them. */
#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

#define START(i)                                               \
    const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0]; \
    __m512i c0_##i = _mm512_setzero_si512(), c1_##i = c0_##i;
#define START_MORE(i) \
    START(i)          \
    __m512i c2_##i = _mm512_setzero_si512(), c3_##i = c2_##i;
#define STEP(i)                                          \
    if (i < m) {                                         \
        __m512i a = _mm512_set1_epi32(load4(p##i + at)); \
        c0_##i = _mm512_dpbusd_epi32(c0_##i, a, w0);     \
        c1_##i = _mm512_dpbusd_epi32(c1_##i, a, w1);     \
        if (nv > 2)                                      \
            c2_##i = _mm512_dpbusd_epi32(c2_##i, a, w2); \
        if (nv > 3)                                      \
            c3_##i = _mm512_dpbusd_epi32(c3_##i, a, w3); \
    }
#define STEP_EVEN(i) \
    if (i < m)       \
        c0_##i = _mm512_dpbusd_epi32(c0_##i, _mm512_set1_epi32(load4(p##i + at)), w0);
#define STEP_ODD(i) \
    if (i < m)      \
        c1_##i = _mm512_dpbusd_epi32(c1_##i, _mm512_set1_epi32(load4(p##i + at)), w0);
#define STORE(i)                                                      \
    if (i < m) {                                                      \
        _mm512_store_si512(t->acc + PANEL * i, c0_##i);               \
        _mm512_store_si512(t->acc + PANEL * (m + i), c1_##i);         \
        if (nv > 2)                                                   \
            _mm512_store_si512(t->acc + PANEL * (2 * m + i), c2_##i); \
        if (nv > 3)                                                   \
            _mm512_store_si512(t->acc + PANEL * (3 * m + i), c3_##i); \
    }
#define STORE_SUM(i) \
    if (i < m)       \
        _mm512_store_si512(t->acc + PANEL * i, _mm512_add_epi32(c0_##i, c1_##i));

INLINE void tile_many(int m, int nv, const struct panel_tile *t)
{
    const int8_t *w = t->weights, *v = t->weights + 2 * t->stride;
    const size_t next = t->stride;
    const char *ahead = t->ahead;
    PIXELS(START_MORE)
    for (const int32_t *offset = t->offsets, *end = offset + t->steps; offset < end;
         offset++, w += 64, v += 64, ahead += 64) {
        _mm_prefetch(ahead, _MM_HINT_T1);
        __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + next), w2 = w0, w3 = w0;
        if (nv > 2)
            w2 = _mm512_load_si512(v);
        if (nv > 3)
            w3 = _mm512_load_si512(v + next);
        ptrdiff_t at = *offset;
        PIXELS(STEP)
    }
    PIXELS(STORE)
}

#ifndef BITFADER_SIMDE
/* Left to itself, gcc spills accumulators here to have more pixels' codes under way; so sums are added in place, and a
 * fence stands before each pixel. */
#define DOT_IN_PLACE(c, a, w) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(c) : "v"(a), "v"(w))
#define STEP_IN_PLACE(i)                                 \
    if (i < m) {                                         \
        __m512i a = _mm512_set1_epi32(load4(p##i + at)); \
        DOT_IN_PLACE(c0_##i, a, w0);                     \
        DOT_IN_PLACE(c1_##i, a, w1);                     \
        DOT_IN_PLACE(c2_##i, a, w2);                     \
        DOT_IN_PLACE(c3_##i, a, w3);                     \
    }
#define FLOATS(v, x) requant16_floats(x, _mm512_load_ps(c->r[v].scale), _mm512_load_ps(c->r[v].bias))
#define CODES(i)                                                                           \
    if (i < m) {                                                                           \
        __asm__ volatile("" ::: "memory");                                                 \
        __m512i x0 = FLOATS(0, c0_##i), x1 = FLOATS(1, c1_##i);                            \
        __m512i x2 = FLOATS(2, c2_##i), x3 = FLOATS(3, c3_##i);                            \
        _mm512_storeu_si512(c->out + i * c->cout, requant_codes(&common, x0, x1, x2, x3)); \
    }

/* Four panels, from their sums to codes in registers. */
INLINE void tile_codes(int m, const struct panel_tile *t, const struct panel_codes *c)
{
    enum { nv = 4 };
    const int8_t *w = t->weights, *v = t->weights + 2 * t->stride;
    const size_t next = t->stride;
    PIXELS(START_MORE)
    for (const int32_t *offset = t->offsets, *end = offset + t->steps; offset < end; offset++, w += 64, v += 64) {
        __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + next), w2 = _mm512_load_si512(v);
        __m512i w3 = _mm512_load_si512(v + next);
        ptrdiff_t at = *offset;
        PIXELS(STEP_IN_PLACE)
    }
    const struct requant_common common = requant_common(c->rq);
    PIXELS(CODES)
}

static void codes_m(int m, const struct panel_tile *t, const struct panel_codes *c)
{
    switch (m) {
    case 1:
        tile_codes(1, t, c);
        break;
    case 2:
        tile_codes(2, t, c);
        break;
    case 3:
        tile_codes(3, t, c);
        break;
    case 4:
        tile_codes(4, t, c);
        break;
    case 5:
        tile_codes(5, t, c);
        break;
    default:
        tile_codes(6, t, c);
    }
}
#else
#define codes_m NULL
#endif

INLINE void tile_one(int m, const struct panel_tile *t)
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

INLINE void tile(int m, int nv, const struct panel_tile *t)
{
    if (nv > 1)
        tile_many(m, nv, t);
    else
        tile_one(m, t);
}

INLINE void tile_nv(int m, int nv, const struct panel_tile *t)
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
        if (nv < 4)
            tile(7, nv, t);
        break;
    default:
        if (nv < 4)
            tile(8, nv, t);
    }
}

static void tile_m(int m, const struct panel_tile *t)
{
    switch (t->nv) {
    case 1:
        tile_nv(m, 1, t);
        break;
    case 2:
        tile_nv(m, 2, t);
        break;
    case 3:
        tile_nv(m, 3, t);
        break;
    default:
        tile_nv(m, 4, t);
    }
}

static const struct panel_kernel kernel = {
    .unit = 4, .elem = 1, .pixels = {8, 8, 8, 6}, .group = 4, .skips = true, .tile = tile_m, .codes = codes_m};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)g, (void)a_bits, (void)w;
    return true;
}

PANEL_FUNCTIONS(kernel, panel_run_avx512)

const struct conv_kernel conv_vnni_avx512 = {
    .name = "conv_vnni_avx512",
    .family = FAMILY_DECODE,
    .isa = ISA_AVX512VNNI,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "6x64",
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
