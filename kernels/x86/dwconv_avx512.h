/* SPDX-License-Identifier: MIT
 *
 * What depthwise convolutions with vpdpbusd share: four rows of bytes become 32-bit lanes. Private to the files with
 * AVX-512.
 */
#ifndef BITFADER_KERNELS_X86_DWCONV_AVX512_H
#define BITFADER_KERNELS_X86_DWCONV_AVX512_H

#include "kernels/unroll.h"
#include "kernels/x86/intrin.h"

/* 64 elements of four rows to 64 lanes, 256 bytes. Not in order: unpacking works within 128 bits, so that 16 bytes
 * there are elements i / 4 * 16 + group * 4 + i % 4 of lanes i of vector `group`; packing undoes it. */
INLINE void interleave64(__m512i a, __m512i b, __m512i c, __m512i d, uint8_t *out)
{
    __m512i ab = _mm512_unpacklo_epi8(a, b), cd = _mm512_unpacklo_epi8(c, d);
    _mm512_storeu_si512(out, _mm512_unpacklo_epi16(ab, cd));
    _mm512_storeu_si512(out + 64, _mm512_unpackhi_epi16(ab, cd));
    ab = _mm512_unpackhi_epi8(a, b), cd = _mm512_unpackhi_epi8(c, d);
    _mm512_storeu_si512(out + 128, _mm512_unpacklo_epi16(ab, cd));
    _mm512_storeu_si512(out + 192, _mm512_unpackhi_epi16(ab, cd));
}

#endif
