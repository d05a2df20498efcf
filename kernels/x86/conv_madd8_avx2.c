/* SPDX-License-Identifier: MIT
 *
 * Convolution with vpmaddubsw: four products a channel in a step of four values, accumulated in 16-bit lanes for as
 * many steps as the widths (and the weights at hand) allow, then in 32 bits. 6 pixels by 16 channels.
 */
#include "kernels/panel.h"
#include "kernels/rows.h"
#include "kernels/x86/intrin.h"

#include <string.h>

/* The accumulators of pixel i: 2 vectors of 16 lanes. Named, because gcc spills arrays of them. */
#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

#define POINTER(i) const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0];
#define CLEAR(i)   __m256i l##i = _mm256_setzero_si256(), h##i = l##i;
#define STEP(i)                                                    \
    if (i < m) {                                                   \
        __m256i a = _mm256_set1_epi32(load4(p##i + at));           \
        ADD_IN_PLACE("vpaddw", l##i, _mm256_maddubs_epi16(a, w0)); \
        ADD_IN_PLACE("vpaddw", h##i, _mm256_maddubs_epi16(a, w1)); \
    }
#define WIDEN(i)                                                                                    \
    if (i < m) {                                                                                    \
        __m256i *c = (__m256i *)(t->acc + PANEL * i);                                               \
        l##i = _mm256_madd_epi16(l##i, ones);                                                       \
        h##i = _mm256_madd_epi16(h##i, ones);                                                       \
        _mm256_store_si256(c, first ? l##i : _mm256_add_epi32(l##i, _mm256_load_si256(c)));         \
        _mm256_store_si256(c + 1, first ? h##i : _mm256_add_epi32(h##i, _mm256_load_si256(c + 1))); \
    }

static inline __attribute__((always_inline)) void tile(int m, const struct panel_tile *t)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i *w = (const __m256i *)t->weights;
    const int32_t *offset = t->offsets, *end = offset + t->steps;
    PIXELS(POINTER)
    for (bool first = true; offset < end; first = false) {
        const int32_t *stop = end - offset > t->window ? offset + t->window : end;
        PIXELS(CLEAR)
        for (; offset < stop; offset++, w += 2) {
            __m256i w0 = _mm256_load_si256(w), w1 = _mm256_load_si256(w + 1);
            ptrdiff_t at = *offset;
            PIXELS(STEP)
        }
        PIXELS(WIDEN)
    }
}

static void tile_m(int m, const struct panel_tile *t)
{
    PANEL_BY_PIXELS(tile, m, t)
}

static const struct panel_kernel kernel = {.unit = 4, .elem = 1, .pixels = {6}, .group = 1, .tile = tile_m};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)g;
    return panel_window_worst(kernel.unit, a_bits, w) >= 2;
}

PANEL_FUNCTIONS(kernel, panel_run_avx2)

const struct conv_kernel conv_madd8_avx2 = {
    .name = "conv_madd8_avx2",
    .family = FAMILY_DECODE,
    .isa = ISA_AVX2,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "6x16",
    .a_effect = A_EFFECT_PACKED,
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
    .channel_unit = PANEL,
};
