/* SPDX-License-Identifier: MIT
 *
 * Depthwise convolution, 16 channels at a time: with 16-bit products where all taps together fit 16 bits, else with
 * smull and smlal on activations less 128, two taps to a 16-bit lane, for which the sums of the weights make up. 4
 * pixels share the weights of a tap.
 */
#include <arm_neon.h>

#include "kernels/arm/panel_neon.h"
#include "kernels/panel.h"
#include "kernels/rows.h"

#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3)

#define POINTER(i) const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0];

/* --- all taps in 16 bits --------------------------------------------------------------------------------------------
 */

#define SHORT_START(i) int16x8_t l##i = vdupq_n_s16(0), h##i = l##i;
#define SHORT_STEP(i)                                         \
    {                                                         \
        uint8x16_t x = vld1q_u8(p##i + at);                   \
        l##i = vmlaq_s16(l##i, codes16(vget_low_u8(x)), wl);  \
        h##i = vmlaq_s16(h##i, codes16(vget_high_u8(x)), wh); \
    }
#define SHORT_STORE(i)                                     \
    if (i < m) {                                           \
        int32_t *acc = t->acc + PANEL * i;                 \
        vst1q_s32(acc, vmovl_s16(vget_low_s16(l##i)));     \
        vst1q_s32(acc + 4, vmovl_high_s16(l##i));          \
        vst1q_s32(acc + 8, vmovl_s16(vget_low_s16(h##i))); \
        vst1q_s32(acc + 12, vmovl_high_s16(h##i));         \
    }

static inline int16x8_t codes16(uint8x8_t x)
{
    return vreinterpretq_s16_u16(vmovl_u8(x));
}

static void tile_short(int m, const struct panel_tile *t)
{
    PIXELS(POINTER)
    PIXELS(SHORT_START)
    for (int s = 0; s < t->steps; s++) {
        int8x16_t w = vld1q_s8(t->weights + PANEL * s);
        int16x8_t wl = vmovl_s8(vget_low_s8(w)), wh = vmovl_high_s8(w);
        ptrdiff_t at = t->offsets[s];
        PIXELS(SHORT_STEP)
    }
    PIXELS(SHORT_STORE)
}

/* --- pairs of taps --------------------------------------------------------------------------------------------------
 */

#define LONG_START(i) int32x4_t a##i = s0, b##i = s1, c##i = s2, d##i = s3;
#define LONG_STEP(i)                                                                                      \
    {                                                                                                     \
        int8x16_t x = load_less_128(p##i + at), y = load_less_128(p##i + at2);                            \
        int16x8_t l = vmlal_s8(vmull_s8(vget_low_s8(w), vget_low_s8(x)), vget_low_s8(v), vget_low_s8(y)); \
        int16x8_t h = vmlal_high_s8(vmull_high_s8(w, x), v, y);                                           \
        a##i = vaddw_s16(a##i, vget_low_s16(l));                                                          \
        b##i = vaddw_high_s16(b##i, l);                                                                   \
        c##i = vaddw_s16(c##i, vget_low_s16(h));                                                          \
        d##i = vaddw_high_s16(d##i, h);                                                                   \
    }
#define LONG_STORE(i)                      \
    if (i < m) {                           \
        int32_t *acc = t->acc + PANEL * i; \
        vst1q_s32(acc, a##i);              \
        vst1q_s32(acc + 4, b##i);          \
        vst1q_s32(acc + 8, c##i);          \
        vst1q_s32(acc + 12, d##i);         \
    }

static inline int8x16_t load_less_128(const uint8_t *p)
{
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(128)));
}

static void tile_long(int m, const struct panel_tile *t)
{
    int32x4_t s0 = vshlq_n_s32(vld1q_s32(t->sums), 7), s1 = vshlq_n_s32(vld1q_s32(t->sums + 4), 7);
    int32x4_t s2 = vshlq_n_s32(vld1q_s32(t->sums + 8), 7), s3 = vshlq_n_s32(vld1q_s32(t->sums + 12), 7);
    PIXELS(POINTER)
    PIXELS(LONG_START)
    for (int s = 0; s < t->steps; s += 2) {
        bool pair = s + 1 < t->steps;
        int8x16_t w = vld1q_s8(t->weights + PANEL * s);
        int8x16_t v = pair ? vld1q_s8(t->weights + PANEL * (s + 1)) : vdupq_n_s8(0);
        ptrdiff_t at = t->offsets[s], at2 = t->offsets[pair ? s + 1 : s];
        PIXELS(LONG_STEP)
    }
    PIXELS(LONG_STORE)
}

static void tile(int m, const struct panel_tile *t)
{
    if (t->window >= t->steps)
        tile_short(m, t);
    else
        tile_long(m, t);
}

/* --- row ------------------------------------------------------------------------------------------------------------
 */

static const struct panel_kernel kernel = {.unit = 1, .elem = 1, .pixels = {4}, .group = 1, .sums = true, .tile = tile};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)a_bits, (void)w;
    return g->groups == g->cin && g->cout == g->cin;
}

PANEL_FUNCTIONS(kernel, panel_run_neon)

const struct conv_kernel dwconv_neon = {
    .name = "dwconv_neon",
    .family = FAMILY_DEPTHWISE,
    .isa = ISA_NEON,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "4x16",
    .a_effect = A_EFFECT_PACKED,
    .can = can,
    .packed_size = packed_size,
    .pack = pack,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
};
