/* SPDX-License-Identifier: MIT
 *
 * Convolution with the 8-bit multiplications of NEON's baseline, smull and smlal: two products a channel in a step of
 * two values. 4 pixels by 16 channels.
 *
 * Activations below 128 are signed bytes as they are, and their products are summed in 16-bit lanes for as many steps
 * as the widths (and the weights at hand) allow. Others go through less 128: two products of -128 and 127 fit 16 bits,
 * and the sums of the weights make up for the 128.
 */
#include <arm_neon.h>
#include <string.h>

#include "kernels/arm/panel_neon.h"
#include "kernels/panel.h"
#include "kernels/rows.h"

static inline int8x8_t load2(const uint8_t *p)
{
    int16_t x;
    memcpy(&x, p, 2);
    return vreinterpret_s8_s16(vdup_n_s16(x));
}

static inline int8x8_t load2_less_128(const uint8_t *p)
{
    return veor_s8(load2(p), vdup_n_s8(-128));
}

#define PIXELS(DO) DO(0) DO(1) DO(2) DO(3)

#define POINTER(i) const uint8_t *p##i = t->image + t->pixels[i < m ? i : 0];

/* --- many products in 16 bits ---------------------------------------------------------------------------------------
 */

/* Of pixel i: 4 vectors of pairs of lanes, a pair for each channel. */
#define CLEAR(i) int16x8_t a##i = vdupq_n_s16(0), b##i = a##i, c##i = a##i, d##i = a##i;
#define STEP(i)                                     \
    if (i < m) {                                    \
        int8x8_t x = load2(p##i + at);              \
        a##i = vmlal_s8(a##i, vget_low_s8(w0), x);  \
        b##i = vmlal_s8(b##i, vget_high_s8(w0), x); \
        c##i = vmlal_s8(c##i, vget_low_s8(w1), x);  \
        d##i = vmlal_s8(d##i, vget_high_s8(w1), x); \
    }
#define WIDEN(i)                           \
    if (i < m) {                           \
        int32_t *acc = t->acc + PANEL * i; \
        widen(acc, a##i, first);           \
        widen(acc + 4, b##i, first);       \
        widen(acc + 8, c##i, first);       \
        widen(acc + 12, d##i, first);      \
    }

static inline void widen(int32_t *acc, int16x8_t x, bool first)
{
    vst1q_s32(acc, first ? vpaddlq_s16(x) : vpadalq_s16(vld1q_s32(acc), x));
}

static inline __attribute__((always_inline)) void tile_short(int m, const struct panel_tile *t)
{
    const int8_t *w = t->weights;
    const int32_t *offset = t->offsets, *end = offset + t->steps;
    PIXELS(POINTER)
    for (bool first = true; offset < end; first = false) {
        const int32_t *stop = end - offset > t->window ? offset + t->window : end;
        PIXELS(CLEAR)
        for (; offset < stop; offset++, w += 32) {
            int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16);
            ptrdiff_t at = *offset;
            PIXELS(STEP)
        }
        PIXELS(WIDEN)
    }
}

/* --- two products in 16 bits ----------------------------------------------------------------------------------------
 */

#define START(i) int32x4_t a##i = s0, b##i = s1, c##i = s2, d##i = s3;
#define TWO_STEPS(i)                                                            \
    if (i < m) {                                                                \
        int8x8_t x = load2_less_128(p##i + at), y = load2_less_128(p##i + at2); \
        a##i = add_two(a##i, vget_low_s8(w0), x, vget_low_s8(v0), y);           \
        b##i = add_two(b##i, vget_high_s8(w0), x, vget_high_s8(v0), y);         \
        c##i = add_two(c##i, vget_low_s8(w1), x, vget_low_s8(v1), y);           \
        d##i = add_two(d##i, vget_high_s8(w1), x, vget_high_s8(v1), y);         \
    }
#define STORE(i)                           \
    if (i < m) {                           \
        int32_t *acc = t->acc + PANEL * i; \
        vst1q_s32(acc, a##i);              \
        vst1q_s32(acc + 4, b##i);          \
        vst1q_s32(acc + 8, c##i);          \
        vst1q_s32(acc + 12, d##i);         \
    }

static inline int32x4_t add_two(int32x4_t acc, int8x8_t w, int8x8_t x, int8x8_t v, int8x8_t y)
{
    return vpadalq_s16(acc, vmlal_s8(vmull_s8(w, x), v, y));
}

static inline __attribute__((always_inline)) void tile_long(int m, const struct panel_tile *t)
{
    const int8_t *w = t->weights;
    int32x4_t s0 = vshlq_n_s32(vld1q_s32(t->sums), 7), s1 = vshlq_n_s32(vld1q_s32(t->sums + 4), 7);
    int32x4_t s2 = vshlq_n_s32(vld1q_s32(t->sums + 8), 7), s3 = vshlq_n_s32(vld1q_s32(t->sums + 12), 7);
    PIXELS(POINTER)
    PIXELS(START)
    for (int s = 0; s < t->steps; s += 2, w += 64) {
        bool pair = s + 1 < t->steps;
        int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16), zero = vdupq_n_s8(0);
        int8x16_t v0 = pair ? vld1q_s8(w + 32) : zero, v1 = pair ? vld1q_s8(w + 48) : zero;
        ptrdiff_t at = t->offsets[s], at2 = t->offsets[pair ? s + 1 : s];
        PIXELS(TWO_STEPS)
    }
    PIXELS(STORE)
}

static void tile_m(int m, const struct panel_tile *t)
{
    bool many = t->window > 1;
    switch (m) {
    case 1:
        many ? tile_short(1, t) : tile_long(1, t);
        break;
    case 2:
        many ? tile_short(2, t) : tile_long(2, t);
        break;
    case 3:
        many ? tile_short(3, t) : tile_long(3, t);
        break;
    default:
        many ? tile_short(4, t) : tile_long(4, t);
    }
}

/* --- row ------------------------------------------------------------------------------------------------------------
 */

static const struct panel_kernel kernel = {
    .unit = 2, .elem = 1, .pixels = {4}, .group = 1, .sums = true, .tile = tile_m};

static bool can(const struct conv_geom *g, int a_bits, const struct conv_weights *w)
{
    (void)g, (void)a_bits, (void)w;
    return true;
}

PANEL_FUNCTIONS(kernel, panel_run_neon)

static void pack_window(const struct conv_geom *g, int a_bits, const struct conv_weights *w, void *packed)
{
    pack(g, a_bits, w, packed);
    if (a_bits == 8) /* no signed bytes as they are */
        ((struct panel_header *)packed)->window = 1;
}

const struct conv_kernel conv_neon = {
    .name = "conv_neon",
    .family = FAMILY_DECODE,
    .isa = ISA_NEON,
    .w_bits = {1, 8},
    .a_bits = {1, 8},
    .schemes = "any",
    .tile = "4x16",
    .a_effect = A_EFFECT_PACKED,
    .can = can,
    .packed_size = packed_size,
    .pack = pack_window,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run,
    .channel_unit = PANEL,
};
