/* SPDX-License-Identifier: MIT
 *
 * Whether a plan runs its layers on the kernels that are fastest here: each distinct layer of it is timed on the plan's
 * kernel and on every other that can.
 */
#ifndef BITFADER_BENCH_CHOICE_H
#define BITFADER_BENCH_CHOICE_H

#include "base/err.h"
#include "engine/plan.h"

/* The layer whose kernel is furthest from the fastest. */
struct choice {
    const char *layer, *kernel, *fastest;
    double ns, fastest_ns;
};

/* -1 and a message when a kernel is wrong on a layer. */
int choice_worst(const struct plan *p, struct choice *worst, struct err *e);

#endif
