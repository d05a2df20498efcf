/* SPDX-License-Identifier: MIT
 *
 * Vectors of floats at the end of a row, of which only some lanes exist. Private to kernels/; NEON files alone include
 * it.
 */
#ifndef BITFADER_KERNELS_ARM_FLOAT_PART_NEON_H
#define BITFADER_KERNELS_ARM_FLOAT_PART_NEON_H

#include <arm_neon.h>
#include <string.h>

enum { FLOAT_LANES_NEON = 4 };

/* n < 4 floats, the other lanes 0. */
static inline float32x4_t load_part(const float *p, int n)
{
    float x[FLOAT_LANES_NEON] = {0};
    memcpy(x, p, (size_t)n * sizeof *x);
    return vld1q_f32(x);
}

static inline void store_part(float *p, int n, float32x4_t v)
{
    float x[FLOAT_LANES_NEON];
    vst1q_f32(x, v);
    memcpy(p, x, (size_t)n * sizeof *x);
}

#endif
