/* SPDX-License-Identifier: MIT
 *
 * The AVX-512 depthwise convolution by rows compiled to portable code, so that check_kernels runs its logic on any
 * x86-64.
 */
#if defined(__x86_64__)
#define BITFADER_SIMDE
#define SIMDE_NO_INLINE    /* compiling takes minutes otherwise */
#define dwconv_rows_avx512 dwconv_rows_avx512_simde
#include "kernels/x86/dwconv_rows_avx512vnni.c"
#endif
