/* SPDX-License-Identifier: MIT
 *
 * Depthwise convolution, 16 channels at a time in 32-bit lanes with vpdpwssd (the upper half of each lane of values is
 * zero), at every width. 8 pixels share the weights of a tap.
 */
#include "kernels/panel.h"
#include "kernels/rows.h"
#include "kernels/x86/intrin.h"

#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

#define START(i)                                               \
    const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0]; \
    __m512i c##i = _mm512_setzero_si512();
#define STEP(i) \
    c##i = _mm512_dpwssd_epi32(c##i, _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p##i + at))), w);
#define STORE(i) \
    if (i < m)   \
        _mm512_store_si512(t->acc + PANEL * i, c##i);

static void tile(int m, const struct panel_tile *t)
{
    PIXELS(START)
    for (int s = 0; s < t->steps; s++) {
        __m512i w = _mm512_cvtepi8_epi32(_mm_load_si128((const __m128i *)t->weights + s));
        ptrdiff_t at = t->offsets[s];
        PIXELS(STEP)
    }
    PIXELS(STORE)
}

static const struct panel_kernel kernel = {.unit = 1, .elem = 1, .pixels = {8}, .group = 1, .tile = tile};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return g->groups == g->cin && g->cout == g->cin;
}

PANEL_FUNCTIONS(kernel, panel_run_avx512)

const struct conv_kernel dwconv_avx512 = {
    .name = "dwconv_avx512",
    .family = FAMILY_DEPTHWISE,
    .isa = ISA_AVX512VNNI,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "8x16",
    .a_effect = A_EFFECT_NONE,
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
};
