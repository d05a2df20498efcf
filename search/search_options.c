/* SPDX-License-Identifier: MIT */
#include "search/search_options.h"

#include <string.h>

#include "search/solve.h"

static const struct {
    const char *name;
    int cost;
} objectives[OBJECTIVE_COUNT] = {
    [OBJECTIVE_AUTO] = {"auto", COST_LOSS},       [OBJECTIVE_LOSS] = {"loss", COST_LOSS},
    [OBJECTIVE_SIZE] = {"size", COST_BYTES},      [OBJECTIVE_LATENCY] = {"latency", COST_LATENCY},
    [OBJECTIVE_ENERGY] = {"energy", COST_ENERGY},
};

const char *objective_name(int objective)
{
    return objectives[objective].name;
}

int objective_find(const char *name)
{
    for (int i = OBJECTIVE_LOSS; i < OBJECTIVE_COUNT; i++)
        if (!strcmp(name, objectives[i].name))
            return i;
    return -1;
}

struct search_options search_defaults(void)
{
    return (struct search_options){
        .budgets = budgets_none(), .minimize = OBJECTIVE_AUTO, .solver = SOLVER_EXACT, .verify = true, .max_rounds = 8};
}

int objective_cost(int objective)
{
    return objectives[objective].cost;
}
