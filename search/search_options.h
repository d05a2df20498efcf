/* SPDX-License-Identifier: MIT
 *
 * What a search is asked for.
 */
#ifndef BITFADER_SEARCH_SEARCH_OPTIONS_H
#define BITFADER_SEARCH_SEARCH_OPTIONS_H

#include "profiles/profile.h"

enum objective { OBJECTIVE_AUTO, OBJECTIVE_LOSS, OBJECTIVE_SIZE, OBJECTIVE_LATENCY, OBJECTIVE_ENERGY, OBJECTIVE_COUNT };
const char *objective_name(int objective);
int objective_find(const char *name); /* "loss", "size", "latency", "energy"; -1 */
int objective_cost(int objective);    /* COST_LOSS.. (search/solve.h) */

struct search_options {
    struct budgets budgets;
    enum objective minimize; /* auto: loss under a size or latency budget, size under an accuracy budget alone */
    int solver;              /* row of solver_table (search/solve.h); default exact */
    bool verify;             /* run what was found, and go on when it misses its accuracy budget; default true */
    int max_rounds;          /* default 8 */
    int images;              /* for verification; 0: all */
};
struct search_options search_defaults(void);

#endif
