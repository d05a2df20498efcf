/* SPDX-License-Identifier: MIT
 *
 * Timing by turns: in each round everybody runs for a while, so that a slow spell of the machine meets all. What is
 * kept of each is its fastest batch, since what a machine shared with others adds is never negative.
 */
#ifndef BITFADER_BENCH_TURNS_H
#define BITFADER_BENCH_TURNS_H

#include <stdint.h>

struct turn {
    void (*run)(void *state);
    void *state; /* NULL: takes no part */
    double ns;   /* out: of one run */
};

/* Each takes a turn of about budget_ns in each round, of two timed runs at least after one that is not. */
void turns_take(struct turn *t, int n, int rounds, int64_t budget_ns);

/* The calling thread stays on one processor from now on. Its number, or -1. */
int turns_pin(void);

#endif
