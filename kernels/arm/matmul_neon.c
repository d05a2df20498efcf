/* SPDX-License-Identifier: MIT
 *
 * The product of two matrices of codes with smull. One row by 16 columns.
 */
#include "kernels/arm/matmul_neon.h"

#include <arm_neon.h>
#include <string.h>

#include "kernels/rows.h"

/* --- shared with the variant for the dot product --------------------------------------------------------------------
 */

/* Packed: for each panel the corrections of its columns, then its steps: [16][4] of b - 128. */
enum { STEP_BYTES = MATMUL_PANEL * MATMUL_NEON_UNIT, HEAD_BYTES = MATMUL_PANEL * 4 };

static size_t panel_size(const struct matmul_shape *s)
{
    return HEAD_BYTES + (size_t)matmul_steps(s, MATMUL_NEON_UNIT) * STEP_BYTES;
}

size_t matmul_neon_packed_size(const struct matmul_shape *s)
{
    return (size_t)matmul_panels(s) * panel_size(s);
}

/* 16 values of row p from column j on, less 128; 0 where there is none. */
static inline int8x16_t load_row(const struct matmul_shape *s, const uint8_t *b, int p, int j)
{
    if (p >= s->k)
        return vdupq_n_s8(0);
    const uint8_t *from = b + (size_t)p * (size_t)s->n + (size_t)j;
    uint8_t part[MATMUL_PANEL];
    if (s->n - j < MATMUL_PANEL) {
        memset(part, 128, sizeof part);
        memcpy(part, from, (size_t)(s->n - j));
        from = part;
    }
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(from), vdupq_n_u8(128)));
}

void matmul_neon_pack(const struct matmul_shape *s, const uint8_t *b, void *packed)
{
    int8_t *out = packed;
    uint32_t more = 128 * matmul_product_factor(s);
    for (int j = 0; j < s->n; j += MATMUL_PANEL) {
        int32_t *head = (int32_t *)out;
        int32x4x4_t sums = {{vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}};
        out += HEAD_BYTES;
        for (int p = 0; p < s->k; p += MATMUL_NEON_UNIT, out += STEP_BYTES) {
            int8x16x4_t rows = {
                {load_row(s, b, p, j), load_row(s, b, p + 1, j), load_row(s, b, p + 2, j), load_row(s, b, p + 3, j)}};
            vst4q_s8(out, rows);
            int16x8_t low = vaddq_s16(vaddl_s8(vget_low_s8(rows.val[0]), vget_low_s8(rows.val[1])),
                                      vaddl_s8(vget_low_s8(rows.val[2]), vget_low_s8(rows.val[3])));
            int16x8_t high =
                vaddq_s16(vaddl_high_s8(rows.val[0], rows.val[1]), vaddl_high_s8(rows.val[2], rows.val[3]));
            sums.val[0] = vaddw_s16(sums.val[0], vget_low_s16(low));
            sums.val[1] = vaddw_high_s16(sums.val[1], low);
            sums.val[2] = vaddw_s16(sums.val[2], vget_low_s16(high));
            sums.val[3] = vaddw_high_s16(sums.val[3], high);
        }
        for (int i = 0; i < 4; i++)
            vst1q_s32(head + 4 * i, sums.val[i]);
        for (int i = 0; i < MATMUL_PANEL; i++)
            head[i] = (int32_t)((uint32_t)matmul_column(s, head[i]) + more * (uint32_t)head[i]);
    }
}

size_t matmul_neon_scratch_size(const struct matmul_shape *s)
{
    return (size_t)MATMUL_NEON_ROWS * (size_t)(matmul_steps(s, MATMUL_NEON_UNIT) * MATMUL_NEON_UNIT);
}

/* m rows of codes less 128, filled with anything to whole steps; sums[] of each row times the row factor. */
static void flip_rows(const struct matmul_shape *s, const uint8_t *a, int m, int8_t *out, int32_t sums[])
{
    int length = matmul_steps(s, MATMUL_NEON_UNIT) * MATMUL_NEON_UNIT;
    for (int i = 0; i < m; i++, a += s->k, out += length) {
        uint32x4_t sum4 = vdupq_n_u32(0);
        int p = 0;
        for (; p + 16 <= s->k; p += 16) {
            uint8x16_t x = vld1q_u8(a + p);
            sum4 = vpadalq_u16(sum4, vpaddlq_u8(x));
            vst1q_s8(out + p, vreinterpretq_s8_u8(veorq_u8(x, vdupq_n_u8(128))));
        }
        uint32_t sum = vaddvq_u32(sum4);
        for (; p < length; p++) {
            uint8_t x = p < s->k ? a[p] : 0;
            sum += x;
            out[p] = (int8_t)(x - 128);
        }
        sums[i] = (int32_t)(sum * matmul_row_factor(s));
    }
}

/* Four sums to four codes before the clamp. */
static inline int32x4_t requant4(const struct requant *rq, int32x4_t acc)
{
    int32x2_t m = vdup_n_s32(rq->m[0]);
    int64x2_t b = vdupq_n_s64(rq->b[0]), left = vdupq_n_s64(rq->left), right = vdupq_n_s64(-rq->shift);
    int64x2_t x = vaddq_s64(vshlq_s64(vmull_s32(vget_low_s32(acc), m), left), b);
    int64x2_t y = vaddq_s64(vshlq_s64(vmull_s32(vget_high_s32(acc), m), left), b);
    return vqmovn_high_s64(vqmovn_s64(vshlq_s64(x, right)), vshlq_s64(y, right));
}

static inline void store_codes(const struct requant *rq, const int32x4_t x[4], uint8_t *out)
{
    int16x8_t l = vqmovn_high_s32(vqmovn_s32(requant4(rq, x[0])), requant4(rq, x[1]));
    int16x8_t h = vqmovn_high_s32(vqmovn_s32(requant4(rq, x[2])), requant4(rq, x[3]));
    uint8x16_t codes = vmaxq_u8(vqmovun_high_s16(vqmovun_s16(l), h), vdupq_n_u8((uint8_t)rq->lo));
    vst1q_u8(out, vminq_u8(codes, vdupq_n_u8((uint8_t)rq->hi)));
}

/* Corrects acc[m][16], rows from `row` and columns from `column` on, and stores it where the call wants it. */
static void finish(const struct matmul_shape *s, const struct matmul_call *call, int row, int column, int m,
                   const int32_t *columns, const int32_t *sums, const int32_t *acc)
{
    int32_t factor = (int32_t)matmul_product_factor(s);
    int n = s->n - column < MATMUL_PANEL ? s->n - column : MATMUL_PANEL;
    for (int i = 0; i < m; i++, acc += MATMUL_PANEL) {
        size_t at = (size_t)(row + i) * (size_t)s->n + (size_t)column;
        int32x4_t x[4];
        for (int j = 0; j < 4; j++)
            x[j] = vmlaq_n_s32(vaddq_s32(vld1q_s32(columns + 4 * j), vdupq_n_s32(sums[i])), vld1q_s32(acc + 4 * j),
                               factor);
        if (n == MATMUL_PANEL && call->out_u8) {
            store_codes(call->rq, x, call->out_u8 + at);
            continue;
        }
        int32_t part[MATMUL_PANEL];
        for (int j = 0; j < 4; j++)
            vst1q_s32(part + 4 * j, x[j]);
        for (int j = 0; j < n; j++)
            matmul_store(call, at + (size_t)j, part[j]);
    }
}

void matmul_neon_run(matmul_neon_tile *tile, const struct matmul_shape *s, const struct matmul_call *call)
{
    int32_t acc[MATMUL_NEON_ROWS * MATMUL_PANEL], sums[MATMUL_NEON_ROWS];
    int steps = matmul_steps(s, MATMUL_NEON_UNIT);
    for (int i = 0; i < call->rows; i += MATMUL_NEON_ROWS) {
        int m = call->rows - i < MATMUL_NEON_ROWS ? call->rows - i : MATMUL_NEON_ROWS;
        const int8_t *b = call->packed;
        flip_rows(s, call->a + (size_t)i * (size_t)s->k, m, call->scratch, sums);
        for (int j = 0; j < s->n; j += MATMUL_PANEL, b += panel_size(s)) {
            tile(m, steps, call->scratch, b + HEAD_BYTES, acc);
            finish(s, call, i, j, m, (const int32_t *)b, sums, acc);
        }
    }
}

/* --- the inner loop -------------------------------------------------------------------------------------------------
 */

static inline int8x8_t load4(const int8_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return vreinterpret_s8_s32(vdup_n_s32(x));
}

/* Of one row: 8 vectors of two columns, two partial sums each. One product to a 16-bit lane: two of -128 and -128 do
 * not fit. */
#define COLUMNS(DO) DO(0) DO(1) DO(2) DO(3)
#define CLEAR(i)    int32x4_t l##i = vdupq_n_s32(0), h##i = l##i;
#define STEP(i)                                                 \
    {                                                           \
        int8x16_t v = vld1q_s8(b + 16 * i);                     \
        l##i = vpadalq_s16(l##i, vmull_s8(x, vget_low_s8(v)));  \
        h##i = vpadalq_s16(h##i, vmull_s8(x, vget_high_s8(v))); \
    }
#define STORE(i) vst1q_s32(acc + 4 * i, vpaddq_s32(l##i, h##i));

static void tile(int m, int steps, const int8_t *a, const int8_t *panel, int32_t *acc)
{
    for (int row = 0; row < m; row++, acc += MATMUL_PANEL, a += steps * MATMUL_NEON_UNIT) {
        const int8_t *b = panel;
        COLUMNS(CLEAR)
        for (int s = 0; s < steps; s++, b += STEP_BYTES) {
            int8x8_t x = load4(a + MATMUL_NEON_UNIT * s);
            COLUMNS(STEP)
        }
        COLUMNS(STORE)
    }
}

static void run(const struct matmul_shape *s, const struct matmul_call *call)
{
    matmul_neon_run(tile, s, call);
}

const struct matmul_kernel matmul_neon = {
    "matmul_neon", ISA_NEON, matmul_neon_packed_size, matmul_neon_pack, matmul_neon_scratch_size, run};
