/* SPDX-License-Identifier: MIT
 *
 * requant_float.h's arithmetic. Private to files with AVX-512.
 */
#ifndef BITFADER_KERNELS_REQUANT_FLOAT_AVX512_H
#define BITFADER_KERNELS_REQUANT_FLOAT_AVX512_H

#include "kernels/intrin.h"
#include "kernels/requant_float.h"

#if !defined(BITFADER_SIMDE) /* which has no rounding by instruction */
/* x: sums with their `start` in them. To codes before the clamp. */
static inline __attribute__((always_inline)) __m512i requant_float16(__m512i x, __m512 high, __m512 low, __m512 add)
{
    __m512 sum = _mm512_cvtepi32_ps(x);
    sum = _mm512_fmadd_round_ps(sum, high, _mm512_fmadd_ps(sum, low, add), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    return _mm512_cvt_roundps_epi32(sum, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
#endif

#endif
