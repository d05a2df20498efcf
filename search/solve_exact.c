/* SPDX-License-Identifier: MIT */
#include "search/solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { QUICK_LIMIT = 200, STATE_LIMIT = 4000, BISECTIONS = 48 };

/* Sums that are the same but for the order of addition may differ by this much: nothing is dropped for less. */
static const double ROUNDING = 1e-12;

struct state {
    double cost[COST_COUNT];
    int parent; /* state of the layer before, index in its list */
    int option;
};

struct solver {
    const struct solve_problem *p;
    double unit[COST_COUNT]; /* scale that makes costs comparable: the bound, or the range */
    bool bounded[COST_COUNT];
    double lambda[COST_COUNT];         /* of bounded costs */
    double (*least_after)[COST_COUNT]; /* [n_units + 1] least sums of the units from here on */
    double *relaxed_after;             /* [n_units + 1] sums of min over options of objective + lambda * costs */
    double best;                       /* objective of the best solution known */
    int *best_pick;
    bool found;
};

static double penalized(const struct solver *s, const double *cost)
{
    double v = cost[s->p->objective];
    for (int c = 0; c < COST_COUNT; c++)
        if (s->bounded[c])
            v += s->lambda[c] * cost[c];
    return v;
}

/* Solution of the relaxed problem under the present multipliers; sums in total, picks in pick. */
static double relax(const struct solver *s, int *pick, double total[COST_COUNT])
{
    double bound = 0;
    memset(total, 0, COST_COUNT * sizeof *total);
    for (int u = 0; u < s->p->n_units; u++) {
        const struct solve_unit *x = &s->p->units[u];
        double least = INFINITY;
        for (int o = 0; o < x->n; o++) {
            double v = penalized(s, x->cost[o]);
            if (v < least) {
                least = v;
                pick[u] = o;
            }
        }
        bound += least;
        for (int c = 0; c < COST_COUNT; c++)
            total[c] += x->cost[pick[u]][c];
    }
    for (int c = 0; c < COST_COUNT; c++)
        if (s->bounded[c])
            bound -= s->lambda[c] * s->p->bound[c];
    return bound;
}

static bool within(const struct solve_problem *p, const double total[COST_COUNT])
{
    for (int c = 0; c < COST_COUNT; c++)
        if (total[c] > p->bound[c])
            return false;
    return true;
}

static void keep_if_better(struct solver *s, const int *pick)
{
    /* Added up afresh, in the order in which the result is: total has been through many steps. */
    double sum[COST_COUNT] = {0};
    for (int u = 0; u < s->p->n_units; u++)
        for (int c = 0; c < COST_COUNT; c++)
            sum[c] += s->p->units[u].cost[pick[u]][c];
    if (!within(s->p, sum) || (s->found && sum[s->p->objective] >= s->best))
        return;
    s->found = true;
    s->best = sum[s->p->objective];
    memcpy(s->best_pick, pick, (size_t)s->p->n_units * sizeof *pick);
}

/* Spends what the bounds leave: takes single changes that improve the objective, best gain first, until none fits. */
static void improve(struct solver *s, int *pick, double total[COST_COUNT])
{
    const struct solve_problem *p = s->p;
    for (bool moved = true; moved;) {
        moved = false;
        double best_gain = 0;
        int best_u = -1, best_o = -1;
        for (int u = 0; u < p->n_units; u++)
            for (int o = 0; o < p->units[u].n; o++) {
                const double *from = p->units[u].cost[pick[u]], *to = p->units[u].cost[o];
                double gain = from[p->objective] - to[p->objective];
                bool fits = gain > best_gain;
                for (int c = 0; fits && c < COST_COUNT; c++)
                    fits = total[c] - from[c] + to[c] <= p->bound[c];
                if (fits) {
                    best_gain = gain;
                    best_u = u;
                    best_o = o;
                }
            }
        if (best_u >= 0) {
            for (int c = 0; c < COST_COUNT; c++)
                total[c] += p->units[best_u].cost[best_o][c] - p->units[best_u].cost[pick[best_u]][c];
            pick[best_u] = best_o;
            moved = true;
        }
    }
    keep_if_better(s, pick);
}

/* Maximises the concave dual over the multipliers of the bounds in list[0..n-1], one inside the other, by bisection on
 * the sign of each slope; every feasible relaxed solution on the way is improved and kept. */
static void find_multipliers(struct solver *s, const int *list, int n, int *pick, double total[COST_COUNT])
{
    if (n == 0) {
        relax(s, pick, total);
        if (within(s->p, total))
            improve(s, pick, total);
        relax(s, pick, total);
        return;
    }
    int c = list[0], rounds = BISECTIONS / n;
    double lo = 0, hi = fmax(s->unit[s->p->objective], 1e-12) / s->unit[c];
    for (int i = 0; i < 12; i++, hi *= 64) {
        s->lambda[c] = hi;
        find_multipliers(s, list + 1, n - 1, pick, total);
        if (total[c] <= s->p->bound[c])
            break;
    }
    for (int i = 0; i < rounds; i++) {
        s->lambda[c] = (lo + hi) / 2;
        find_multipliers(s, list + 1, n - 1, pick, total);
        *(total[c] <= s->p->bound[c] ? &hi : &lo) = s->lambda[c];
    }
    s->lambda[c] = hi;
    find_multipliers(s, list + 1, n - 1, pick, total);
}

static void prepare_suffixes(struct solver *s)
{
    int n = s->p->n_units;
    for (int u = n - 1; u >= 0; u--) {
        const struct solve_unit *x = &s->p->units[u];
        double relaxed = INFINITY, least[COST_COUNT];
        for (int c = 0; c < COST_COUNT; c++)
            least[c] = INFINITY;
        for (int o = 0; o < x->n; o++) {
            relaxed = fmin(relaxed, penalized(s, x->cost[o]));
            for (int c = 0; c < COST_COUNT; c++)
                least[c] = fmin(least[c], x->cost[o][c]);
        }
        s->relaxed_after[u] = s->relaxed_after[u + 1] + relaxed;
        for (int c = 0; c < COST_COUNT; c++)
            s->least_after[u][c] = s->least_after[u + 1][c] + least[c];
    }
}

/* Whether a partial sum, followed by units from `next` on, can still be feasible and better than the best. */
static bool promising(const struct solver *s, const double *cost, int next)
{
    double bound = penalized(s, cost) + s->relaxed_after[next];
    for (int c = 0; c < COST_COUNT; c++) {
        if (cost[c] + s->least_after[next][c] > s->p->bound[c] + ROUNDING * fabs(s->p->bound[c]))
            return false;
        if (s->bounded[c])
            bound -= s->lambda[c] * (s->p->bound[c] + 1e-14 * fabs(s->p->bound[c])); /* a large multiplier cancels */
    }
    int o = s->p->objective;
    bound = fmax(bound, cost[o] + s->least_after[next][o]);
    return !s->found || bound < s->best - ROUNDING * fabs(s->best);
}

struct relevant { /* the objective and the bounded costs */
    int n, cost[COST_COUNT];
};

static int compare_states(const void *a, const void *b, void *ctx)
{
    const struct state *x = a, *y = b;
    const struct relevant *r = ctx;
    for (int k = 0; k < r->n; k++) {
        int c = r->cost[k];
        if (x->cost[c] != y->cost[c])
            return x->cost[c] < y->cost[c] ? -1 : 1;
    }
    return 0;
}

/* Drops states that another one equals or beats in every cost that counts. After sorting, a dominator stands earlier;
 * with two costs it is enough to compare with the last one kept. */
static int drop_dominated(const struct solver *s, struct state *list, int n)
{
    struct relevant r = {.n = 1, .cost = {s->p->objective}};
    for (int c = 0; c < COST_COUNT; c++)
        if (s->bounded[c])
            r.cost[r.n++] = c;
    qsort_r(list, (size_t)n, sizeof *list, compare_states, &r);
    int kept = 0;
    for (int i = 0; i < n; i++) {
        bool dominated = false;
        int oldest = r.n <= 2 && kept ? kept - 1 : 0;
        for (int k = kept - 1; k >= oldest && !dominated; k--) {
            dominated = true;
            for (int c = 1; c < r.n; c++)
                dominated &= list[k].cost[r.cost[c]] <= list[i].cost[r.cost[c]];
        }
        if (!dominated)
            list[kept++] = list[i];
    }
    return kept;
}

static void trace_back(const struct solver *s, struct state **lists, int at)
{
    int *pick = mem_new((size_t)s->p->n_units, sizeof *pick);
    for (int u = s->p->n_units; u > 0; u--) {
        pick[u - 1] = lists[u][at].option;
        at = lists[u][at].parent;
    }
    memcpy(s->best_pick, pick, (size_t)s->p->n_units * sizeof *pick);
    mem_free(pick);
}

/* By the least that a state can lead to: what the units to come add at least is the same for all. */
static int compare_penalized(const void *a, const void *b, void *ctx)
{
    double x = penalized(ctx, ((const struct state *)a)->cost), y = penalized(ctx, ((const struct state *)b)->cost);
    return (x > y) - (x < y);
}

/* One pass over the units. At most `limit` states are kept after each; returns whether that never dropped one, so that
 * the best solution is proven. */
static bool run_program(struct solver *s, struct solve_result *r, int limit)
{
    int n = s->p->n_units, count = 1;
    struct state **lists = mem_new((size_t)n + 1, sizeof *lists);
    bool complete = true;
    lists[0] = mem_new(1, sizeof **lists);
    for (int u = 0; u < n; u++) {
        const struct solve_unit *x = &s->p->units[u];
        struct state *next = mem_new((size_t)count * (size_t)x->n + 1, sizeof *next);
        int made = 0;
        for (int i = 0; i < count; i++)
            for (int o = 0; o < x->n; o++) {
                struct state t = {.parent = i, .option = o};
                for (int c = 0; c < COST_COUNT; c++)
                    t.cost[c] = lists[u][i].cost[c] + x->cost[o][c];
                if (promising(s, t.cost, u + 1))
                    next[made++] = t;
            }
        if (made > 8 * limit) { /* comparing all pairs would take too long */
            qsort_r(next, (size_t)made, sizeof *next, compare_penalized, s);
            made = 8 * limit;
            complete = false;
        }
        count = drop_dominated(s, next, made);
        if (count > limit) {
            qsort_r(next, (size_t)count, sizeof *next, compare_penalized, s);
            count = limit;
            complete = false;
        }
        lists[u + 1] = mem_resize(next, (size_t)count, (size_t)count + 1, sizeof *next);
        r->states = count > r->states ? count : r->states;
    }
    for (int i = 0; i < count; i++)
        if (within(s->p, lists[n][i].cost) && (!s->found || lists[n][i].cost[s->p->objective] < s->best)) {
            s->found = true;
            s->best = lists[n][i].cost[s->p->objective];
            trace_back(s, lists, i);
        }
    for (int u = 0; u <= n; u++)
        mem_free(lists[u]);
    mem_free(lists);
    return complete;
}

static struct solve_result solve_exact(const struct solve_problem *p, int *pick)
{
    struct solve_result r = {.exact = true};
    struct solver s = {.p = p, .best_pick = pick};
    int n_bounded = 0, bounded[COST_COUNT];
    for (int c = 0; c < COST_COUNT; c++) {
        s.bounded[c] = c != p->objective && p->bound[c] < INFINITY;
        if (s.bounded[c])
            bounded[n_bounded++] = c;
        double most = 0;
        for (int u = 0; u < p->n_units; u++) {
            double peak = 0;
            for (int o = 0; o < p->units[u].n; o++)
                peak = fmax(peak, p->units[u].cost[o][c]);
            most += peak;
        }
        s.unit[c] = s.bounded[c] && p->bound[c] > 0 ? p->bound[c] : most > 0 ? most : 1;
    }
    s.least_after = mem_new((size_t)p->n_units + 1, sizeof *s.least_after);
    s.relaxed_after = mem_new((size_t)p->n_units + 1, sizeof *s.relaxed_after);
    memset(pick, 0, (size_t)p->n_units * sizeof *pick);
    int *trial = mem_new((size_t)p->n_units, sizeof *trial);
    double total[COST_COUNT];
    prepare_suffixes(&s);
    bool possible = true; /* each bound alone */
    for (int c = 0; c < COST_COUNT; c++)
        possible &= s.least_after[0][c] <= p->bound[c] * (1 + 1e-9);
    if (possible) {
        find_multipliers(&s, bounded, n_bounded, trial, total);
        prepare_suffixes(&s);
        r.exact = run_program(&s, &r, QUICK_LIMIT); /* a good solution to beat */
    }
    for (int c = 0; c < COST_COUNT && !possible; c++) /* the bounds alone count */
        s.lambda[c] = s.bounded[c] ? 1e6 * s.unit[p->objective] / s.unit[c] : 0;
    mem_free(trial);
    if (!r.exact)
        r.exact = run_program(&s, &r, STATE_LIMIT);
    r.feasible = s.found;
    if (!s.found) /* the nearest: what the multipliers lean to */
        relax(&s, pick, total);
    for (int u = 0; u < p->n_units; u++)
        for (int c = 0; c < COST_COUNT; c++)
            r.cost[c] += p->units[u].cost[pick[u]][c];
    mem_free(s.least_after);
    mem_free(s.relaxed_after);
    return r;
}

const struct solver_row solver_exact = {
    .name = "exact",
    .unproven = "beam",
    .help = "the optimum of the tables, proven unless a report says otherwise",
    .solve = solve_exact,
};
