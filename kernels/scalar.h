/* SPDX-License-Identifier: MIT
 *
 * What one element goes through, in scalar code: the definitions that every variant repeats with vectors, and what the
 * vector files use for the ends of rows. Private to kernels/.
 */
#ifndef BITFADER_KERNELS_SCALAR_H
#define BITFADER_KERNELS_SCALAR_H

#include <math.h>

#include "base/num.h"
#include "kernels/kernels.h"

static inline float unary_one_f32(enum float_unary f, float x, float alpha, float lo, float hi)
{
    switch (f) {
    case FLOAT_LEAKY:
        return x < 0 ? alpha * x : x;
    case FLOAT_SIGMOID:
        return 1 / (1 + expf(-x));
    case FLOAT_HARD_SWISH:
        return x * clamp_f32(x / 6 + 0.5f, 0, 1);
    case FLOAT_EXP:
        return expf(x);
    case FLOAT_CLAMP:
        break;
    }
    return clamp_f32(x, lo, hi);
}

/* One accumulator of channel c to the output element at index i, whichever output the call asks for. */
static inline void conv_store(const struct conv_call *call, size_t i, int c, int32_t acc)
{
    if (call->out_s32) {
        call->out_s32[i] = acc;
    } else if (call->out_f32) {
        call->out_f32[i] = (float)acc * call->scale[c] + call->bias[c];
    } else {
        const struct requant *rq = call->rq;
        int64_t x = (int64_t)acc * rq->m[c];
        if (call->residual)
            x += call->residual[i] * rq->res_m;
        x = x * (INT64_C(1) << rq->left) + rq->b[c];
        call->out_u8[i] = (uint8_t)clamp_i64(x >> rq->shift, rq->lo, rq->hi);
    }
}

/* Where the channels of a call end. */
static inline int conv_end(const struct conv_geom *g, const struct conv_call *call)
{
    return call->channels[1] ? call->channels[1] : g->cout;
}

#endif
