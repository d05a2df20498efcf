/* SPDX-License-Identifier: MIT
 *
 * From tables and locks to a problem for solvers, and from a solution to a profile. Private to search/.
 */
#ifndef BITFADER_SEARCH_FORMULATE_H
#define BITFADER_SEARCH_FORMULATE_H

#include "base/mem.h"
#include "model/graph.h"
#include "profiles/profile.h"
#include "search/solve.h"
#include "search/tables.h"

/* A unit is a group of layers that must agree on activation bits. */
struct formulation {
    struct arena arena;
    int n_units;
    struct solve_unit *units;
    int **members;            /* [n_units] layers, -1 after the last */
    struct precision ***pick; /* [n_units][option] -> precision of each member */
};

/* start gives locks, and what locked layers keep. */
struct formulation formulate(const struct graph *g, const struct tables *t, const struct profile *start);
void formulation_done(struct formulation *f);
/* start with the options pick[n_units]. The caller frees. */
struct profile *formulation_profile(const struct formulation *f, const struct profile *start, const int *pick);

#endif
