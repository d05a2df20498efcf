/* SPDX-License-Identifier: MIT
 *
 * The ternary matrix-vector product compiled to portable code, so that check_kernels runs its logic on any x86-64.
 */
#if defined(__x86_64__)
#define BITFADER_SIMDE
#define SIMDE_NO_INLINE   /* compiling takes minutes otherwise */
#define conv_trits_avx512 conv_trits_avx512_simde
#define gemv_run_avx512   gemv_run_avx512_simde
#include "kernels/x86/conv_trits_avx512vbmi.c"
#endif
