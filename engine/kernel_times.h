/* SPDX-License-Identifier: MIT
 *
 * Which kernel runs a layer, by measurement: the rows of conv_kernels[] that can are timed on the layer's shape, widths
 * and codes on this machine, when it is first asked for, and the fastest is the choice. Layers of equal shape share it.
 *
 * Every choice computes the same integers, so that nothing but time depends on what was measured. Not here: the time of
 * a layer in a running network (search/cost.c). One thread at a time.
 */
#ifndef BITFADER_ENGINE_KERNEL_TIMES_H
#define BITFADER_ENGINE_KERNEL_TIMES_H

#include "base/text.h"
#include "kernels/kernels.h"

struct kernel_times; /* a table */
struct kernel_times *kernel_times_new(void);
void kernel_times_free(struct kernel_times *t); /* NULL is fine */

/* The rows that compete for a layer: enabled, can, and not the plain C where there is anything else. Returns their
 * number; rows[] has room for conv_kernel_count. */
int kernel_times_rows(const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                      const struct conv_kernel **rows);

/* The fastest row; measured now where some that compete are not known. With t NULL, or one row alone, the one of
 * conv_kernel_find. w->codes are those that it is timed on. */
const struct conv_kernel *kernel_times_choose(struct kernel_times *t, const struct conv_geom *g, int a_bits,
                                              const struct conv_weights *w);

/* The rows that competed and their clock cycles, fastest first: why the choice is what it is. Returns their number; out
 * has room for conv_kernel_count. */
struct contender {
    const struct conv_kernel *kernel;
    double cycles; /* of the layer alone, from and to memory that is warm */
};
int kernel_times_contest(const struct kernel_times *t, const struct conv_geom *g, int a_bits,
                         const struct conv_weights *w, struct contender *out);

/* Clock cycles of a row, NAN where it was not measured: weights as given stand for all with their width and levels. */
double kernel_times_cycles(const struct kernel_times *t, const struct conv_geom *g, int a_bits,
                           const struct conv_weights *w, const struct conv_kernel *row);
void kernel_times_set(struct kernel_times *t, const struct conv_geom *g, int a_bits, const struct conv_weights *w,
                      const struct conv_kernel *row, double cycles);

/* Shapes that are known. Grows with every measurement. */
int kernel_times_count(const struct kernel_times *t);

/* As lines of text, and back: reads lines from *s as long as they are its own, moves *s behind them, and adds them. -1
 * when one of them is damaged or names a kernel that there is not; t is as it was then. */
void kernel_times_write(const struct kernel_times *t, struct text *out);
int kernel_times_read(struct kernel_times *t, const char **s);

#endif
