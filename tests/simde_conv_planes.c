/* SPDX-License-Identifier: MIT
 *
 * The AVX-512 convolutions by bit planes compiled to portable code, so that check_kernels runs their logic on any
 * x86-64.
 */
#if defined(__x86_64__)
#define BITFADER_SIMDE
#define conv_planes_avx512  conv_planes_avx512_simde
#define conv_planes4_avx512 conv_planes4_avx512_simde
#define conv_carries_avx512 conv_carries_avx512_simde
#include "kernels/x86/conv_planes_avx512vbmi.c"
#endif
