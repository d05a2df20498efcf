/* SPDX-License-Identifier: MIT
 *
 * The AVX-512 depthwise convolution 3x3 compiled to portable code, so that check_kernels runs its logic on any
 * x86-64.
 */
#if defined(__x86_64__)
#define BITFADER_SIMDE
#define SIMDE_NO_INLINE   /* compiling takes minutes otherwise */
#define dwconv_3x3_avx512 dwconv_3x3_avx512_simde
#include "kernels/x86/dwconv_3x3_avx512vnni.c"
#endif
