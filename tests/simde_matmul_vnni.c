/* SPDX-License-Identifier: MIT
 *
 * The AVX-512 VNNI product of codes compiled to portable code, so that check_matmul runs its logic on any x86-64.
 */
#if defined(__x86_64__)
#define BITFADER_SIMDE
#define matmul_avx512 matmul_avx512_simde
#include "kernels/x86/matmul_avx512vnni.c"
#endif
