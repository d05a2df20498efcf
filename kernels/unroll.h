/* SPDX-License-Identifier: MIT
 *
 * UNROLL before a loop over registers: with counts known after inlining, the loop and its array disappear.
 */
#ifndef BITFADER_KERNELS_UNROLL_H
#define BITFADER_KERNELS_UNROLL_H

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
