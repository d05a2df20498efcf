/* SPDX-License-Identifier: MIT
 *
 * Moving elements as they are: strided copies of N-D arrays.
 */
#ifndef BITFADER_OPS_STRIDED_H
#define BITFADER_OPS_STRIDED_H

#include "ops/array.h"

/* to[sum i*to_step[k]] = from[sum i*from_step[k]] for every index below `shape`; steps in elements of `size` bytes;
 * both pointers are at index 0. Where elements are neighbours in both, they are moved together. */
void strided_copy(const struct shape *shape, size_t size, const void *from, const int64_t *from_step, void *to,
                  const int64_t *to_step);

#endif
