/* SPDX-License-Identifier: MIT
 *
 * A panel's requantization, arranged for vectors: once a layer, from struct requant. Private to kernels/.
 */
#ifndef BITFADER_KERNELS_REQUANT_LANES_H
#define BITFADER_KERNELS_REQUANT_LANES_H

#include "kernels/kernels.h"

enum { PANEL = 16 };

struct requant_lanes {
    /* For 64-bit lanes: b of even and of odd channels apart. */
    int32_t m[PANEL];
    int64_t even[PANEL / 2], odd[PANEL / 2];
    /* If `floats`, then floor(fma((float)acc, scale, bias)), rounded down and clamped, is the code of every
     * accumulator, bit for bit, with half of the instructions; and with bias + res_scale * code of the residual for the
     * bias if `residual_floats`. */
    float scale[PANEL], bias[PANEL], res_scale;
    int32_t floats, residual_floats;
    uint8_t fill[52];
};

/* The requantization of n channels from co on; those up to 16 are zeros. */
void requant_lanes_init(struct requant_lanes *r, const struct conv_geom *g, const struct requant *rq, int co, int n);
/* The same step by step, for channels in any order: all zeros, then one channel in one lane. */
void requant_lanes_clear(struct requant_lanes *r, const struct requant *rq);
void requant_lanes_set(struct requant_lanes *r, int lane, const struct conv_geom *g, const struct requant *rq, int c);

/* Whether 64-bit lanes can do it: the sums stay below 2^62, so that the upper half of such a lane is the sum shifted by
 * 32, and shifting that half by the rest gives the 64-bit arithmetic shift that AVX2 lacks. */
static inline bool requant_in_lanes(const struct requant *rq)
{
    return rq && rq->shift >= 32;
}

#endif
