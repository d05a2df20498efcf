/* SPDX-License-Identifier: MIT
 *
 * The AVX-512 depthwise convolution in float compiled to portable code, so that check_float_conv runs its logic on any
 * x86-64.
 */
#if defined(__x86_64__)
#define BITFADER_SIMDE
#define dwconv_f32_avx512 dwconv_f32_avx512_simde
#include "kernels/x86/dwconv_f32_avx512.c"
#endif
