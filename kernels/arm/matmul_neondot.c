/* SPDX-License-Identifier: MIT
 *
 * The product of two matrices of codes with sdot, four products to a 32-bit lane. 4 rows by 16 columns.
 */
#include <arm_neon.h>
#include <string.h>

#include "kernels/arm/matmul_neon.h"
#include "kernels/rows.h"

static inline int8x16_t load4(const int8_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return vreinterpretq_s8_s32(vdupq_n_s32(x));
}

/* The accumulators of row i: 4 vectors of 4 columns. */
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3)

#define START(i)                                          \
    const int8_t *p##i = rows + (i < m ? i : 0) * length; \
    int32x4_t a##i = vdupq_n_s32(0), b##i = a##i, c##i = a##i, d##i = a##i;
#define STEP(i)                         \
    if (i < m) {                        \
        int8x16_t x = load4(p##i + at); \
        a##i = vdotq_s32(a##i, w0, x);  \
        b##i = vdotq_s32(b##i, w1, x);  \
        c##i = vdotq_s32(c##i, w2, x);  \
        d##i = vdotq_s32(d##i, w3, x);  \
    }
#define STORE(i)                              \
    if (i < m) {                              \
        int32_t *to = acc + MATMUL_PANEL * i; \
        vst1q_s32(to, a##i);                  \
        vst1q_s32(to + 4, b##i);              \
        vst1q_s32(to + 8, c##i);              \
        vst1q_s32(to + 12, d##i);             \
    }

static inline __attribute__((always_inline)) void tile(int m, int steps, const int8_t *rows, const int8_t *w,
                                                       int32_t *acc)
{
    int length = steps * MATMUL_NEON_UNIT;
    EACH_ROW(START)
    for (int at = 0; at < length; at += MATMUL_NEON_UNIT, w += 64) {
        int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16), w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);
        EACH_ROW(STEP)
    }
    EACH_ROW(STORE)
}

static void tile_rows(int m, int steps, const int8_t *a, const int8_t *b, int32_t *acc)
{
    switch (m) {
    case 1:
        tile(1, steps, a, b, acc);
        break;
    case 2:
        tile(2, steps, a, b, acc);
        break;
    case 3:
        tile(3, steps, a, b, acc);
        break;
    default:
        tile(MATMUL_NEON_ROWS, steps, a, b, acc);
    }
}

static void run(const struct matmul_shape *s, const struct matmul_call *call)
{
    matmul_neon_run(tile_rows, s, call);
}

const struct matmul_kernel matmul_neondot = {
    "matmul_neondot", ISA_NEONDOT, matmul_neon_packed_size, matmul_neon_pack, matmul_neon_scratch_size, run};
