/* SPDX-License-Identifier: MIT
 *
 * Convolution with vpmaddwd on 16-bit operands: two products a channel in a step of two values, accumulated in 32 bits.
 * Exact at every width; meant for those whose products overflow 16 bits. 6 pixels by 16 channels.
 */
#include "kernels/panel.h"
#include "kernels/rows.h"
#include "kernels/x86/intrin.h"

#include <string.h>

/* The accumulators of pixel i: 2 vectors of 8 lanes. Named, because gcc spills arrays of them. */
#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

#define START(i)                                               \
    const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0]; \
    __m256i l##i = _mm256_setzero_si256(), h##i = l##i;
#define STEP(i)                                                 \
    if (i < m) {                                                \
        __m256i a = _mm256_set1_epi32(load4(p##i + at));        \
        ADD_IN_PLACE("vpaddd", l##i, _mm256_madd_epi16(a, w0)); \
        ADD_IN_PLACE("vpaddd", h##i, _mm256_madd_epi16(a, w1)); \
    }
#define STORE(i)                                                       \
    if (i < m) {                                                       \
        _mm256_store_si256((__m256i *)(t->acc + PANEL * i), l##i);     \
        _mm256_store_si256((__m256i *)(t->acc + PANEL * i + 8), h##i); \
    }

static inline __attribute__((always_inline)) void tile(int m, const struct panel_tile *t)
{
    const __m128i *w = (const __m128i *)t->weights;
    PIXELS(START)
    for (const int32_t *offset = t->offsets, *end = offset + t->steps; offset < end; offset++, w += 2) {
        __m256i w0 = _mm256_cvtepi8_epi16(_mm_load_si128(w)), w1 = _mm256_cvtepi8_epi16(_mm_load_si128(w + 1));
        ptrdiff_t at = *offset;
        PIXELS(STEP)
    }
    PIXELS(STORE)
}

static void tile_m(int m, const struct panel_tile *t)
{
    PANEL_BY_PIXELS(tile, m, t)
}

static const struct panel_kernel kernel = {.unit = 2, .elem = 2, .pixels = {6}, .group = 1, .tile = tile_m};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)g, (void)a_bits, (void)w;
    return true;
}

PANEL_FUNCTIONS(kernel, panel_run_avx2)

const struct conv_kernel conv_madd16_avx2 = {
    .name = "conv_madd16_avx2",
    .family = FAMILY_DECODE,
    .isa = ISA_AVX2,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "6x16",
    .a_effect = A_EFFECT_NONE,
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
    .channel_unit = PANEL,
};
