/* SPDX-License-Identifier: MIT
 *
 * Convolution with sdot: four products a channel in a step of four values, straight into 32 bits, at every width.
 * Activations go through less 128, as signed bytes; the sums of the weights make up for it. 6 pixels by 16 channels.
 */
#include <arm_neon.h>
#include <string.h>

#include "kernels/arm/panel_neon.h"
#include "kernels/panel.h"
#include "kernels/rows.h"

static inline int8x16_t load4_less_128(const uint8_t *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return veorq_s8(vreinterpretq_s8_s32(vdupq_n_s32(x)), vdupq_n_s8(-128));
}

/* The accumulators of pixel i: 4 vectors of 4 channels. */
#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

#define START(i)                                               \
    const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0]; \
    int32x4_t a##i = s0, b##i = s1, c##i = s2, d##i = s3;
#define STEP(i)                                  \
    if (i < m) {                                 \
        int8x16_t x = load4_less_128(p##i + at); \
        a##i = vdotq_s32(a##i, w0, x);           \
        b##i = vdotq_s32(b##i, w1, x);           \
        c##i = vdotq_s32(c##i, w2, x);           \
        d##i = vdotq_s32(d##i, w3, x);           \
    }
#define STORE(i)                           \
    if (i < m) {                           \
        int32_t *acc = t->acc + PANEL * i; \
        vst1q_s32(acc, a##i);              \
        vst1q_s32(acc + 4, b##i);          \
        vst1q_s32(acc + 8, c##i);          \
        vst1q_s32(acc + 12, d##i);         \
    }

static inline __attribute__((always_inline)) void tile(int m, const struct panel_tile *t)
{
    const int8_t *w = t->weights;
    int32x4_t s0 = vshlq_n_s32(vld1q_s32(t->sums), 7), s1 = vshlq_n_s32(vld1q_s32(t->sums + 4), 7);
    int32x4_t s2 = vshlq_n_s32(vld1q_s32(t->sums + 8), 7), s3 = vshlq_n_s32(vld1q_s32(t->sums + 12), 7);
    PIXELS(START)
    for (const int32_t *offset = t->offsets, *end = offset + t->steps; offset < end; offset++, w += 64) {
        int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16), w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);
        ptrdiff_t at = *offset;
        PIXELS(STEP)
    }
    PIXELS(STORE)
}

static void tile_m(int m, const struct panel_tile *t)
{
    PANEL_BY_PIXELS(tile, m, t)
}

static const struct panel_kernel kernel = {
    .unit = 4, .elem = 1, .pixels = {6}, .group = 1, .sums = true, .tile = tile_m};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)g, (void)a_bits, (void)w;
    return true;
}

PANEL_FUNCTIONS(kernel, panel_run_neon)

const struct conv_kernel conv_neondot = {
    .name = "conv_neondot",
    .family = FAMILY_DECODE,
    .isa = ISA_NEONDOT,
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
