/* SPDX-License-Identifier: MIT
 *
 * What the products of two matrices of codes share. Private to kernels/.
 *
 * The SIMD variants multiply the left codes with the right ones less 128, so that one side is signed, and correct the
 * sums: with S = sum a (b - 128), A = sum a, B = sum (b - 128) over k, the result is
 *     a_mul b_mul S  +  a_mul (128 b_mul - b_zero) A  -  a_zero b_mul B  -  a_zero k (128 b_mul - b_zero),
 * modulo 2^32 on the way and exact at the end. The last two terms are one number a column; pack() finds them.
 */
#ifndef BITFADER_KERNELS_MATMUL_H
#define BITFADER_KERNELS_MATMUL_H

#include "kernels/scalar.h"

/* One sum to the output element at index i. */
static inline void matmul_store(const struct matmul_call *call, size_t i, int32_t acc)
{
    if (call->out_s32) {
        call->out_s32[i] = acc;
    } else if (call->out_f32) {
        call->out_f32[i] = (float)acc * call->scale;
    } else {
        const struct requant *rq = call->rq;
        int64_t x = (int64_t)acc * rq->m[0] * (INT64_C(1) << rq->left) + rq->b[0];
        call->out_u8[i] = (uint8_t)clamp_i64(x >> rq->shift, rq->lo, rq->hi);
    }
}

enum { MATMUL_PANEL = 16 }; /* columns that are packed together; the last panel is filled with zeros */

static inline int matmul_panels(const struct matmul_shape *s)
{
    return (s->n + MATMUL_PANEL - 1) / MATMUL_PANEL;
}

/* k in steps of `unit` values. */
static inline int matmul_steps(const struct matmul_shape *s, int unit)
{
    return (s->k + unit - 1) / unit;
}

/* Numbers of a shape that the formula above multiplies, modulo 2^32. */
static inline uint32_t matmul_product_factor(const struct matmul_shape *s)
{
    return (uint32_t)s->a_mul * (uint32_t)s->b_mul;
}

static inline uint32_t matmul_row_factor(const struct matmul_shape *s)
{
    return (uint32_t)s->a_mul * (uint32_t)(128 * s->b_mul - s->b_zero);
}

/* The correction of a column whose sum of (b - 128) is given. */
static inline int32_t matmul_column(const struct matmul_shape *s, int32_t sum)
{
    uint32_t whole = (uint32_t)s->k * (uint32_t)(128 * s->b_mul - s->b_zero);
    return (int32_t)(0u - (uint32_t)s->a_zero * ((uint32_t)s->b_mul * (uint32_t)sum + whole));
}

#endif
