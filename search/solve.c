/* SPDX-License-Identifier: MIT */
#include "search/solve.h"

#include <math.h>

const struct solver_row *const solver_table[SOLVER_COUNT] = {
    [SOLVER_EXACT] = &solver_exact,
};

double solve_least(const struct solve_problem *p, int cost)
{
    double sum = 0;
    for (int u = 0; u < p->n_units; u++) {
        double least = INFINITY;
        for (int o = 0; o < p->units[u].n; o++)
            least = fmin(least, p->units[u].cost[o][cost]);
        sum += least;
    }
    return sum;
}
