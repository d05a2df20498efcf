/* SPDX-License-Identifier: MIT
 *
 * Solvers: one option for each unit, so that the sum of one cost is least while the sums of others stay under their
 * bounds (a multiple-choice knapsack with up to four costs). A unit is a layer, or layers that must agree.
 *
 * The exact one: Lagrangian relaxation gives multipliers, a lower bound and a first solution; a dynamic program over
 * non-dominated partial sums then proves the optimum, dropping every state whose bound cannot beat the best solution
 * (Kellerer, Pferschy and Pisinger 2004, "Knapsack Problems", chapters 11 and 9.7).
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

/* A row a solver, each in a file of its own (solve_NAME.c). */
enum { SOLVER_EXACT, SOLVER_COUNT };
struct solver_row {
    const char *name;
    const char *unproven; /* what a profile says that it was found by when optimality is not proven */
    const char *help;
    /* pick[n_units] gets the chosen options. When nothing is feasible, pick gets the options that break the bounds
     * least (each cost's least sum tells how far: see solve_least). */
    struct solve_result (*solve)(const struct solve_problem *p, int *pick);
};
extern const struct solver_row *const solver_table[SOLVER_COUNT];
extern const struct solver_row solver_exact;

/* The least possible sum of one cost alone. */
double solve_least(const struct solve_problem *p, int cost);

#endif
