/* SPDX-License-Identifier: MIT
 *
 * UNROLL before a loop over registers: with counts known after inlining, the loop and its array disappear. Not where
 * tests compile kernels to portable code (intrin.h), which would take the compiler minutes.
 * INLINE before a function whose arguments are constants where it is called; there it is an ordinary function.
 */
#ifndef BITFADER_KERNELS_UNROLL_H
#define BITFADER_KERNELS_UNROLL_H

#if defined(BITFADER_SIMDE)
#define INLINE static inline
#else
#define INLINE static inline __attribute__((always_inline))
#endif

#if defined(BITFADER_SIMDE)
#define UNROLL
#elif defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
