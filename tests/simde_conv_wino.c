/* SPDX-License-Identifier: MIT
 *
 * The AVX-512 Winograd convolution compiled to portable code, so that check_kernels runs its logic on any x86-64.
 */
#if defined(__x86_64__)
#define BITFADER_SIMDE
#define conv_wino_avx512 conv_wino_avx512_simde
#include "kernels/x86/conv_wino_avx512vnni.c"
#endif
