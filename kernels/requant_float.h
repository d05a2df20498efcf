/* SPDX-License-Identifier: MIT
 *
 * Requantization in float that gives what struct requant defines, proven for each channel before it is used: where sums
 * are small (a depthwise filter's), two fused products and a conversion do what takes twice as many instructions in
 * 64-bit integers. Private to kernels/.
 *
 * With x = sum + start, an integer that a float holds, the code is the floor of x * high + (x * low + add): `start`
 * takes the multiples of the multiplier out of the offset, so that the inner sum is tiny and as good as exact; the
 * outer one and the conversion round down, which takes no integer across. Both forms never decrease (or never increase)
 * with the sum, so they are equal for all sums if they step from k - 1 to k at the same sum, for each code k.
 */
#ifndef BITFADER_KERNELS_REQUANT_FLOAT_H
#define BITFADER_KERNELS_REQUANT_FLOAT_H

#include "kernels/kernels.h"

enum { REQUANT_FLOAT_LANES = 16 };

struct requant_floats {
    int32_t start[REQUANT_FLOAT_LANES];
    float high[REQUANT_FLOAT_LANES], low[REQUANT_FLOAT_LANES], add[REQUANT_FLOAT_LANES];
};

#if defined(__x86_64__)
/* Channel c of rq in a lane. Returns whether it gives the same code for every sum from -most to most. */
bool requant_floats_init(struct requant_floats *f, int lane, const struct requant *rq, int c, int32_t most);
#endif

#endif
