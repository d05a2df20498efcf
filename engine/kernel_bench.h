/* SPDX-License-Identifier: MIT
 *
 * Kernels side by side on one shape. Milliseconds for a layer of a small network; a large one is run only a few times.
 */
#ifndef BITFADER_ENGINE_KERNEL_BENCH_H
#define BITFADER_ENGINE_KERNEL_BENCH_H

#include "kernels/kernels.h"

/* cycles[i]: of one call of rows[i] with those weights (with their codes) on random activations, output as codes, in
 * warm caches: the least of a few short rounds in which the rows take turns, so that a slow spell of the machine meets
 * all. Cycles of the clock as it was (base/watch.h) and not nanoseconds, since clocks change. A row that is far behind
 * is dropped early: its number is rough, and an upper bound. */
void kernel_bench(const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                  const struct conv_kernel *const *rows, int n, double *cycles);

#endif
