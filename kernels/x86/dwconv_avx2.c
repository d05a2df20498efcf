/* SPDX-License-Identifier: MIT
 *
 * Depthwise convolution, 16 channels at a time over a 16-bit image: with vpmullw where all taps together fit in a
 * 16-bit lane, else two taps at once with vpmaddwd.
 */
#include "kernels/panel.h"
#include "kernels/rows.h"
#include "kernels/x86/intrin.h"

#define PIXELS4(DO) DO(0) DO(1) DO(2) DO(3)
#define PIXELS8(DO) PIXELS4(DO) DO(4) DO(5) DO(6) DO(7)

/* The 16 integers of one tap. */
static inline __m256i tap_weights(const struct panel_tile *t, int tap)
{
    return _mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)t->weights + tap));
}

/* The 16 values under one tap. */
static inline __m256i tap_values(const uint8_t *p, ptrdiff_t at)
{
    return _mm256_loadu_si256((const __m256i *)(p + at));
}

/* --- all taps in 16 bits --------------------------------------------------------------------------------------------
 */

#define SHORT_START(i)                                         \
    const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0]; \
    __m256i c##i = _mm256_setzero_si256();
#define SHORT_STEP(i) c##i = _mm256_add_epi16(c##i, _mm256_mullo_epi16(tap_values(p##i, at), w));
#define SHORT_STORE(i)                                                                         \
    if (i < m) {                                                                               \
        __m256i *out = (__m256i *)(t->acc + PANEL * i);                                        \
        _mm256_store_si256(out, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(c##i)));          \
        _mm256_store_si256(out + 1, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(c##i, 1))); \
    }

static void tile_short(int m, const struct panel_tile *t)
{
    PIXELS8(SHORT_START)
    for (int s = 0; s < t->steps; s++) {
        __m256i w = tap_weights(t, s);
        ptrdiff_t at = t->offsets[s];
        PIXELS8(SHORT_STEP)
    }
    PIXELS8(SHORT_STORE)
}

/* --- pairs of taps in 32 bits ---------------------------------------------------------------------------------------
 */

#define LONG_START(i)                                                          \
    const uint8_t *p##i = t->image + t->pixels[first + i < m ? first + i : 0]; \
    __m256i l##i = _mm256_setzero_si256(), h##i = l##i;
#define LONG_STEP(i)                                                                       \
    {                                                                                      \
        __m256i x = tap_values(p##i, at), y = tap_values(p##i, at2);                       \
        l##i = _mm256_add_epi32(l##i, _mm256_madd_epi16(_mm256_unpacklo_epi16(x, y), wl)); \
        h##i = _mm256_add_epi32(h##i, _mm256_madd_epi16(_mm256_unpackhi_epi16(x, y), wh)); \
    }
#define LONG_STORE(i)                                                             \
    if (first + i < m) {                                                          \
        __m256i *out = (__m256i *)(t->acc + PANEL * (first + i));                 \
        _mm256_store_si256(out, _mm256_permute2x128_si256(l##i, h##i, 0x20));     \
        _mm256_store_si256(out + 1, _mm256_permute2x128_si256(l##i, h##i, 0x31)); \
    }

static void tile_long(int m, const struct panel_tile *t, int first)
{
    PIXELS4(LONG_START)
    for (int s = 0; s < t->steps; s += 2) {
        bool pair = s + 1 < t->steps;
        __m256i w = tap_weights(t, s), w2 = pair ? tap_weights(t, s + 1) : _mm256_setzero_si256();
        __m256i wl = _mm256_unpacklo_epi16(w, w2), wh = _mm256_unpackhi_epi16(w, w2);
        ptrdiff_t at = t->offsets[s], at2 = t->offsets[pair ? s + 1 : s];
        PIXELS4(LONG_STEP)
    }
    PIXELS4(LONG_STORE)
}

static void tile(int m, const struct panel_tile *t)
{
    if (t->window >= t->steps) {
        tile_short(m, t);
        return;
    }
    for (int first = 0; first < m; first += 4)
        tile_long(m, t, first);
}

/* --- row ------------------------------------------------------------------------------------------------------------
 */

static const struct panel_kernel kernel = {.unit = 1, .elem = 2, .pixels = {8}, .group = 1, .tile = tile};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return g->groups == g->cin && g->cout == g->cin;
}

PANEL_FUNCTIONS(kernel, panel_run_avx2)

const struct conv_kernel dwconv_avx2 = {
    .name = "dwconv_avx2",
    .family = FAMILY_DEPTHWISE,
    .isa = ISA_AVX2,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "8x16",
    .a_effect = A_EFFECT_PACKED,
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
};
