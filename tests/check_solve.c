/* SPDX-License-Identifier: MIT
 *
 * The exact solver against brute force on small problems, and against GLPK's branch and bound on larger ones.
 */
#include <check.h>
#include <glpk.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "search/solve.h"

Suite *check_solve_suite(void);

enum { UNITS_MOST = 32, OPTIONS_MOST = 64 };

struct made {
    struct solve_problem p;
    struct solve_unit units[UNITS_MOST];
    double cost[UNITS_MOST][OPTIONS_MOST][COST_COUNT];
};

static struct made *made_new(int n_units)
{
    struct made *m = mem_new(1, sizeof *m);
    m->p = (struct solve_problem){
        .n_units = n_units, .units = m->units, .bound = {INFINITY, INFINITY, INFINITY, INFINITY}};
    for (int u = 0; u < n_units; u++)
        m->units[u] = (struct solve_unit){0, (const double(*)[COST_COUNT])m->cost[u]};
    return m;
}

/* Any numbers, few different ones (many ties), or whole numbers. */
static struct made *make_random(struct rng *r, int n_units, int n_options, int kind)
{
    struct made *m = made_new(n_units);
    for (int u = 0; u < n_units; u++) {
        m->units[u].n = 1 + (int)rng_below(r, (uint32_t)n_options);
        for (int o = 0; o < m->units[u].n; o++)
            for (int c = 0; c < COST_COUNT; c++)
                m->cost[u][o][c] = kind == 0   ? rng_unit(r)
                                   : kind == 1 ? 0.1 * rng_below(r, 4)
                                               : (double)rng_below(r, 100000);
    }
    return m;
}

/* Layers as the search makes them: 8 x 8 widths, loss falls and all else grows with bits. */
static struct made *make_layers(struct rng *r, int n_units)
{
    struct made *m = made_new(n_units);
    for (int u = 0; u < n_units; u++) {
        double hurt_w = exp(2 * rng_unit(r)), hurt_a = exp(2 * rng_unit(r)), weights = 200 + rng_below(r, 40000),
               macs = 1e5 + rng_below(r, 2000000);
        m->units[u].n = 64;
        for (int o = 0; o < 64; o++) {
            int w = o / 8 + 1, a = o % 8 + 1;
            m->cost[u][o][COST_LOSS] = hurt_w * pow(3.5, -w) + hurt_a * pow(3.5, -a);
            m->cost[u][o][COST_BYTES] = ceil(weights * w / 8) + 128;
            m->cost[u][o][COST_LATENCY] = macs * (0.01 + 0.001 * (w > 4) + 0.002 * (a > 4) + 0.0005 * rng_unit(r));
            m->cost[u][o][COST_ENERGY] = macs * w * a * 1e-9;
        }
    }
    return m;
}

static void sum_up(const struct solve_problem *p, const int *pick, double sum[COST_COUNT])
{
    for (int c = 0; c < COST_COUNT; c++) {
        sum[c] = 0;
        for (int u = 0; u < p->n_units; u++)
            sum[c] += p->units[u].cost[pick[u]][c];
    }
}

static bool keeps_bounds(const struct solve_problem *p, const double sum[COST_COUNT])
{
    for (int c = 0; c < COST_COUNT; c++)
        if (sum[c] > p->bound[c])
            return false;
    return true;
}

static double most(const struct solve_problem *p, int cost)
{
    double sum = 0;
    for (int u = 0; u < p->n_units; u++) {
        double peak = 0;
        for (int o = 0; o < p->units[u].n; o++)
            peak = fmax(peak, p->units[u].cost[o][cost]);
        sum += peak;
    }
    return sum;
}

/* Every combination. INFINITY when none is feasible. */
static double brute_force(const struct solve_problem *p)
{
    int pick[UNITS_MOST] = {0};
    double best = INFINITY, sum[COST_COUNT];
    for (;;) {
        sum_up(p, pick, sum);
        if (keeps_bounds(p, sum))
            best = fmin(best, sum[p->objective]);
        int u = 0;
        while (u < p->n_units && ++pick[u] == p->units[u].n)
            pick[u++] = 0;
        if (u == p->n_units)
            return best;
    }
}

/* Solves, and checks what must always hold. */
static struct solve_result solve_checked(const struct solve_problem *p, int *pick)
{
    double sum[COST_COUNT];
    for (int u = 0; u < p->n_units; u++)
        pick[u] = -1;
    struct solve_result r = solver_exact.solve(p, pick);
    for (int u = 0; u < p->n_units; u++)
        ck_assert(pick[u] >= 0 && pick[u] < p->units[u].n);
    sum_up(p, pick, sum);
    for (int c = 0; c < COST_COUNT; c++)
        ck_assert_msg(r.cost[c] == sum[c], "cost %d: %.17g, the picks sum to %.17g", c, r.cost[c], sum[c]);
    ck_assert_int_eq(r.feasible, keeps_bounds(p, sum));
    return r;
}

static void compare_brute(const struct solve_problem *p)
{
    int pick[UNITS_MOST];
    double best = brute_force(p);
    struct solve_result r = solve_checked(p, pick);
    ck_assert_msg(r.feasible == (best < INFINITY), "feasible %d, the best is %.17g", r.feasible, best);
    ck_assert(r.exact);
    if (r.feasible)
        ck_assert_msg(fabs(r.cost[p->objective] - best) <= 1e-9 * fabs(best), "found %.17g, the best is %.17g",
                      r.cost[p->objective], best);
}

START_TEST(small_problems_every_objective_and_bounds)
{
    /* _i: which costs are bounded, as bits. */
    struct rng r;
    rng_init(&r, 100 + (uint64_t)_i);
    for (int round = 0; round < 48; round++) {
        struct made *m = make_random(&r, 1 + round % 5, 5, round % 3);
        m->p.objective = round / 3 % COST_COUNT;
        for (int c = 0; c < COST_COUNT; c++)
            if (_i >> c & 1)
                m->p.bound[c] = solve_least(&m->p, c) + (most(&m->p, c) - solve_least(&m->p, c)) * rng_unit(&r) * 0.8;
        compare_brute(&m->p);
        mem_free(m);
    }
}
END_TEST

START_TEST(bounds_that_are_just_met)
{
    /* The bounds are the sums of one combination, added up in order: it is feasible to the last bit, and with many
     * bounds little else is. */
    struct rng r;
    rng_init(&r, 7);
    for (int round = 0; round < 6000; round++) { /* the order of addition decides in one of a thousand */
        struct made *m = make_random(&r, 2 + round % 6, 4, round % 3);
        int pick[UNITS_MOST];
        double sum[COST_COUNT];
        for (int u = 0; u < m->p.n_units; u++)
            pick[u] = (int)rng_below(&r, (uint32_t)m->units[u].n);
        sum_up(&m->p, pick, sum);
        m->p.objective = (int)rng_below(&r, COST_COUNT);
        for (int c = 0; c < COST_COUNT; c++)
            if (round >> c & 1)
                m->p.bound[c] = sum[c];
        compare_brute(&m->p);
        mem_free(m);
    }
}
END_TEST

START_TEST(least_sums_are_feasible)
{
    /* Bound by the least sum of a cost, at the size of a real network; and nothing under it is feasible. */
    struct rng r;
    rng_init(&r, 8);
    for (int round = 0; round < 24; round++) {
        struct made *m = make_layers(&r, 21);
        int c = round % COST_COUNT, pick[UNITS_MOST];
        m->p.objective = (round / COST_COUNT) % COST_COUNT;
        m->p.bound[c] = solve_least(&m->p, c);
        struct solve_result found = solve_checked(&m->p, pick);
        ck_assert(found.feasible && found.exact);
        m->p.bound[c] *= 1 - 1e-9;
        found = solve_checked(&m->p, pick);
        ck_assert(!found.feasible);
        mem_free(m);
    }
}
END_TEST

START_TEST(what_cannot_be_met)
{
    struct made *m = made_new(3);
    for (int u = 0; u < 3; u++) {
        m->units[u].n = 2;
        memcpy(m->cost[u], (double[2][COST_COUNT]){{1, 10, 5, 1}, {2, 5, 6, 1}}, sizeof(double[2][COST_COUNT]));
    }
    int pick[3];
    m->p.bound[COST_BYTES] = 14;
    ck_assert(solve_least(&m->p, COST_BYTES) == 15 && solve_least(&m->p, COST_LATENCY) == 15);
    struct solve_result r = solve_checked(&m->p, pick);
    ck_assert(!r.feasible);
    ck_assert(r.cost[COST_BYTES] == 15); /* as near as it gets */
    m->p.bound[COST_BYTES] = 15;
    r = solve_checked(&m->p, pick);
    ck_assert(r.feasible && r.cost[COST_LOSS] == 6);
    m->p.bound[COST_LATENCY] = 17; /* each alone can be met, both cannot */
    r = solve_checked(&m->p, pick);
    ck_assert(!r.feasible);
    m->p.bound[COST_BYTES] = 20;
    r = solve_checked(&m->p, pick);
    ck_assert(r.feasible && r.cost[COST_LOSS] == 5 && r.cost[COST_LATENCY] == 17);
    m->p.bound[COST_LATENCY] = -1; /* overhead alone breaks the budget */
    ck_assert(!solve_checked(&m->p, pick).feasible);
    m->p.bound[COST_LATENCY] = 0;
    ck_assert(!solve_checked(&m->p, pick).feasible);
    mem_free(m);
}
END_TEST

START_TEST(one_option_and_none_bound)
{
    struct rng r;
    rng_init(&r, 9);
    struct made *m = make_random(&r, 20, 1, 0);
    int pick[UNITS_MOST];
    ck_assert(solve_checked(&m->p, pick).feasible);
    m->p.bound[COST_BYTES] = solve_least(&m->p, COST_BYTES);
    ck_assert(solve_checked(&m->p, pick).feasible);
    mem_free(m);
    m = make_layers(&r, 21); /* without bounds each unit takes its least */
    for (int c = 0; c < COST_COUNT; c++) {
        m->p.objective = c;
        struct solve_result found = solve_checked(&m->p, pick);
        ck_assert(found.feasible && found.exact && found.cost[c] == solve_least(&m->p, c));
    }
    m->p.objective = COST_BYTES; /* a bound on the objective itself */
    m->p.bound[COST_BYTES] = solve_least(&m->p, COST_BYTES);
    ck_assert(solve_checked(&m->p, pick).feasible);
    m->p.bound[COST_BYTES] -= 1;
    ck_assert(!solve_checked(&m->p, pick).feasible);
    mem_free(m);
}
END_TEST

START_TEST(zero_costs)
{
    /* A cost that is not known is 0 everywhere: a bound on it changes nothing. */
    struct rng r;
    rng_init(&r, 10);
    struct made *m = make_layers(&r, 6);
    int pick[UNITS_MOST];
    m->p.bound[COST_BYTES] = 0.5 * most(&m->p, COST_BYTES);
    double best = solve_checked(&m->p, pick).cost[COST_LOSS];
    for (int u = 0; u < 6; u++)
        for (int o = 0; o < 64; o++)
            m->cost[u][o][COST_LATENCY] = 0;
    m->p.bound[COST_LATENCY] = 0;
    struct solve_result found = solve_checked(&m->p, pick);
    ck_assert(found.feasible && fabs(found.cost[COST_LOSS] - best) <= 1e-12 * best);
    mem_free(m);
}
END_TEST

/* --- GLPK --------------------------------------------------------------------------------------------------------- */

/* The same problem as an integer program. *bound is what the objective cannot be below, equal to the result when GLPK
 * finished; it may stop after `seconds`. INFINITY: no solution found. */
static double solve_glpk(const struct solve_problem *p, int seconds, double *bound)
{
    int rows = p->n_units, columns = 0, at = 0, row_of[COST_COUNT] = {0};
    for (int u = 0; u < p->n_units; u++)
        columns += p->units[u].n;
    glp_term_out(GLP_OFF);
    glp_prob *g = glp_create_prob();
    glp_set_obj_dir(g, GLP_MIN);
    for (int c = 0; c < COST_COUNT; c++)
        if (p->bound[c] < INFINITY)
            row_of[c] = ++rows;
    glp_add_rows(g, rows);
    glp_add_cols(g, columns);
    int *ia = mem_new((size_t)columns * 5 + 1, sizeof *ia), *ja = mem_new((size_t)columns * 5 + 1, sizeof *ja);
    double *value = mem_new((size_t)columns * 5 + 1, sizeof *value);
    int column = 0;
    for (int u = 0; u < p->n_units; u++) {
        glp_set_row_bnds(g, u + 1, GLP_FX, 1, 1);
        for (int o = 0; o < p->units[u].n; o++) {
            glp_set_col_kind(g, ++column, GLP_BV);
            glp_set_obj_coef(g, column, p->units[u].cost[o][p->objective]);
            ia[++at] = u + 1;
            ja[at] = column;
            value[at] = 1;
            for (int c = 0; c < COST_COUNT; c++)
                if (row_of[c]) {
                    ia[++at] = row_of[c];
                    ja[at] = column;
                    value[at] = p->units[u].cost[o][c] / p->bound[c];
                }
        }
    }
    for (int c = 0; c < COST_COUNT; c++)
        if (row_of[c])
            glp_set_row_bnds(g, row_of[c], GLP_UP, 0, 1);
    glp_load_matrix(g, at, ia, ja, value);
    glp_iocp how;
    glp_init_iocp(&how);
    how.presolve = GLP_ON;
    how.msg_lev = GLP_MSG_OFF;
    how.tm_lim = seconds * 1000;
    how.mip_gap = 0;
    int failed = glp_intopt(g, &how), status = glp_mip_status(g);
    double best = status == GLP_OPT || status == GLP_FEAS ? glp_mip_obj_val(g) : INFINITY;
    *bound = !failed && status == GLP_OPT ? best : -INFINITY;
    glp_delete_prob(g);
    glp_free_env();
    mem_free(ia);
    mem_free(ja);
    mem_free(value);
    return best;
}

static void compare_glpk(const struct solve_problem *p, int seconds, double gap)
{
    int pick[UNITS_MOST];
    double bound, best = solve_glpk(p, seconds, &bound);
    struct solve_result r = solve_checked(p, pick);
    ck_assert(r.feasible && (r.exact || gap > 0));
    /* GLPK lets a row be broken by 1e-7 or so, and so may be a trifle below. */
    ck_assert_msg(r.cost[p->objective] <= best * (1 + (r.exact ? 1e-9 : gap)), "found %.12g, GLPK has %.12g",
                  r.cost[p->objective], best);
    ck_assert_msg(r.cost[p->objective] >= bound * (1 - 1e-5), "found %.12g, GLPK proved %.12g", r.cost[p->objective],
                  bound);
}

START_TEST(one_budget_against_glpk)
{
    static const int bounded[] = {COST_BYTES, COST_LATENCY, COST_BYTES, COST_LOSS, COST_LOSS};
    static const int objective[] = {COST_LOSS, COST_LOSS, COST_ENERGY, COST_BYTES, COST_LATENCY};
    struct rng r;
    rng_init(&r, 200 + (uint64_t)_i);
    struct made *m = make_layers(&r, 21);
    int c = bounded[_i % 5];
    m->p.objective = objective[_i % 5];
    double least = solve_least(&m->p, c), share = c == COST_LOSS ? 0.01 : 0.3;
    m->p.bound[c] = least + (most(&m->p, c) - least) * share * (1 + _i % 3);
    compare_glpk(&m->p, 20, 0);
    mem_free(m);
}
END_TEST

START_TEST(two_budgets_against_glpk)
{
    struct rng r;
    rng_init(&r, 300 + (uint64_t)_i);
    struct made *m = make_layers(&r, _i % 2 ? 21 : 10);
    m->p.bound[COST_BYTES] = 0.45 * most(&m->p, COST_BYTES);
    m->p.bound[COST_LATENCY] = 0.9 * most(&m->p, COST_LATENCY);
    if (_i == 2) { /* smallest under an accuracy and a latency budget */
        m->p.objective = COST_BYTES;
        m->p.bound[COST_BYTES] = INFINITY;
        m->p.bound[COST_LOSS] = 0.1 * most(&m->p, COST_LOSS);
    }
    compare_glpk(&m->p, 8, _i % 2 ? 0.02 : 0); /* 21 units are more than can be proven: then it says so, and is near */
    mem_free(m);
}
END_TEST

START_TEST(three_budgets_stay_sound)
{
    /* Least energy under size, latency and accuracy: too many states to prove, maybe; but never a wrong answer. */
    struct rng r;
    rng_init(&r, 11);
    struct made *m = make_layers(&r, 21);
    int pick[UNITS_MOST];
    m->p.objective = COST_ENERGY;
    m->p.bound[COST_BYTES] = 0.5 * most(&m->p, COST_BYTES);
    m->p.bound[COST_LATENCY] = 0.9 * most(&m->p, COST_LATENCY);
    m->p.bound[COST_LOSS] = 0.1 * most(&m->p, COST_LOSS);
    struct solve_result found = solve_checked(&m->p, pick);
    ck_assert(found.feasible);
    m->p.bound[COST_LATENCY] = INFINITY; /* fewer bounds: not more energy */
    struct solve_result freer = solve_checked(&m->p, pick);
    ck_assert(freer.feasible && (!freer.exact || freer.cost[COST_ENERGY] <= found.cost[COST_ENERGY] * (1 + 1e-12)));
    mem_free(m);
}
END_TEST

Suite *check_solve_suite(void)
{
    Suite *s = suite_create("solve");
    TCase *t = tcase_create("brute force");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, small_problems_every_objective_and_bounds, 0, 1 << COST_COUNT);
    tcase_add_test(t, bounds_that_are_just_met);
    tcase_add_test(t, least_sums_are_feasible);
    tcase_add_test(t, what_cannot_be_met);
    tcase_add_test(t, one_option_and_none_bound);
    tcase_add_test(t, zero_costs);
    suite_add_tcase(s, t);
    t = tcase_create("glpk");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, one_budget_against_glpk, 0, 10);
    tcase_add_loop_test(t, two_budgets_against_glpk, 0, 4);
    tcase_add_test(t, three_budgets_stay_sound);
    suite_add_tcase(s, t);
    return s;
}
