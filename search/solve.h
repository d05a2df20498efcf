/* SPDX-License-Identifier: MIT
 *
 * The exact solver: one option for each unit, so that the sum of one cost is least while the sums of others stay under
 * their bounds (a multiple-choice knapsack with up to four costs). A unit is a layer, or layers that must agree.
 *
 * Lagrangian relaxation gives multipliers, a lower bound and a first solution; a dynamic program over non-dominated
 * partial sums then proves the optimum, dropping every state whose bound cannot beat the best solution (Kellerer,
 * Pferschy and Pisinger 2004, "Knapsack Problems", chapters 11 and 9.7).
 */
#ifndef BITFADER_SEARCH_SOLVE_H
#define BITFADER_SEARCH_SOLVE_H

#include <stdbool.h>

enum { COST_LOSS, COST_BYTES, COST_LATENCY, COST_ENERGY, COST_COUNT };

struct solve_unit {
    int n;                            /* options */
    const double (*cost)[COST_COUNT]; /* [n] all >= 0 and finite */
};

struct solve_problem {
    int n_units;
    const struct solve_unit *units;
    int objective;            /* cost to be least */
    double bound[COST_COUNT]; /* at most; INFINITY: none */
};

struct solve_result {
    bool feasible;
    bool exact;              /* proven optimal (false only when the state limit was hit) */
    double cost[COST_COUNT]; /* sums of the solution */
    int states;              /* largest number of states that were kept */
};

/* pick[n_units] gets the chosen options. When nothing is feasible, pick gets the options that break the bounds least
 * (each cost's least sum tells how far: see solve_least). */
struct solve_result solve_exact(const struct solve_problem *p, int *pick);

/* The least possible sum of one cost alone. */
double solve_least(const struct solve_problem *p, int cost);

#endif
