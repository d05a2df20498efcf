/* SPDX-License-Identifier: MIT
 *
 * How the micro-kernel of product tables leaves 64 sums of 16 bits. Private to the files with AVX-512 VBMI.
 */
#ifndef BITFADER_KERNELS_X86_PRODUCT_SUMS_AVX512VBMI_H
#define BITFADER_KERNELS_X86_PRODUCT_SUMS_AVX512VBMI_H

#include <stdint.h>

#include "kernels/x86/intrin.h"

/* Sums of even byte lanes (with those of the odd ones in their upper bytes), then sums of odd byte lanes. */
static inline __m512i tables_odd(const uint16_t *sums)
{
    return _mm512_load_si512(sums + 32);
}

static inline __m512i tables_even(const uint16_t *sums)
{
    return _mm512_sub_epi16(_mm512_load_si512(sums), _mm512_slli_epi16(tables_odd(sums), 8));
}

#endif
