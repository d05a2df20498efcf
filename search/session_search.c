/* SPDX-License-Identifier: MIT
 *
 * The search: tables into an exact solver, the solution onto the kernels, and where the measurement breaks a budget
 * that the estimate kept, the bound is tightened and it goes on.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "search/formulate.h"
#include "search/sensitivity.h"
#include "search/session_private.h"
#include "search/solve.h"

void search_result_done(struct search_result *r)
{
    profile_free(r->profile);
    run_result_done(&r->run);
    *r = (struct search_result){0};
}

static enum objective settle_objective(const struct search_options *o)
{
    if (o->minimize != OBJECTIVE_AUTO)
        return o->minimize;
    return o->budgets.bytes > 0 || o->budgets.latency_ns > 0 ? OBJECTIVE_LOSS : OBJECTIVE_SIZE;
}

/* The largest drop that the budgets allow, or NAN. */
static double allowed_drop(const struct budgets *b, double fp32)
{
    double by_floor = isnan(b->accuracy_min) ? NAN : fp32 - b->accuracy_min;
    return isnan(b->accuracy_drop) ? by_floor : isnan(by_floor) ? b->accuracy_drop : fmin(b->accuracy_drop, by_floor);
}

static double overhead_ns(const struct tables *t)
{
    return isnan(t->cost.other_ns) ? 0 : t->cost.other_ns;
}

static void explain(const struct solve_problem *p, const struct tables *t, const struct profile *start, double drop,
                    char why[256])
{
    int locked = 0;
    char a[32], b[32];
    for (int l = 0; l < start->n_layers; l++)
        locked += start->layers[l].lock;
    double least_bytes = solve_least(p, COST_BYTES), least_ns = solve_least(p, COST_LATENCY) + overhead_ns(t);
    double least_drop = loss_fit_drop(&t->fit, solve_least(p, COST_LOSS));
    if (p->bound[COST_BYTES] < INFINITY && least_bytes > p->bound[COST_BYTES])
        snprintf(why, 256, "size %s cannot be met: the smallest profile takes %s",
                 text_bytes((int64_t)p->bound[COST_BYTES], a), text_bytes((int64_t)least_bytes, b));
    else if (p->bound[COST_LATENCY] < INFINITY && least_ns > p->bound[COST_LATENCY] + overhead_ns(t))
        snprintf(why, 256, "latency %s cannot be met: the fastest profile is estimated at %s",
                 text_time(p->bound[COST_LATENCY] + overhead_ns(t), a), text_time(least_ns, b));
    else if (p->bound[COST_LOSS] < INFINITY && drop < 0)
        snprintf(why, 256, "the accuracy budget cannot be met: fp32 itself has %.2f %%", t->fp32_accuracy);
    else if (p->bound[COST_LOSS] < INFINITY && solve_least(p, COST_LOSS) > p->bound[COST_LOSS])
        snprintf(why, 256,
                 "the accuracy budget leaves %.3g pp: the best profile of integers is estimated to lose %.3g pp", drop,
                 least_drop);
    else
        snprintf(why, 256, "each budget can be met alone, but not all together");
    if (locked)
        snprintf(why + strlen(why), 256 - strlen(why), " (%d layers are locked)", locked);
}

/* Files show two decimals. */
static double rounded(double x)
{
    return rint(x * 100) / 100;
}

static void fill_profile(struct session *s, const struct search_options *o, struct search_result *r)
{
    struct profile *p = r->profile;
    p->budgets = o->budgets;
    mem_free(p->search);
    mem_free(p->sensitivity);
    p->search = mem_strdup(r->proven ? solver_table[o->solver]->name : solver_table[o->solver]->unproven);
    p->sensitivity = mem_strdup(sensitivity_table[s->options.sensitivity]->name);
    p->seed = s->options.seed;
    const struct estimate *e = &r->estimate;
    p->estimate = (struct profile_result){.known = true,
                                          .accuracy = rounded(e->accuracy.value),
                                          .accuracy_error = rounded(e->accuracy.error),
                                          .fp32_accuracy = rounded(e->accuracy.fp32),
                                          .latency_us = rounded(e->latency.value / 1e3),
                                          .bytes = (int64_t)e->size.value};
    p->measurement = (struct profile_result){.known = false};
    if (!r->verified)
        return;
    p->measurement = (struct profile_result){.known = true,
                                             .accuracy = rounded(r->run.accuracy),
                                             .accuracy_error = NAN,
                                             .fp32_accuracy = rounded(r->run.fp32_accuracy),
                                             .latency_us = rounded(r->run.latency_ns / 1e3),
                                             .bytes = r->run.bytes,
                                             .images = r->run.images};
    p->executed = mem_new((size_t)p->n_layers + 1, sizeof *p->executed);
    for (int l = 0; l < p->n_layers; l++)
        p->executed[l] = mem_strdup(r->run.layers[l].kernel);
}

/* Runs the profile of a round. 1 when it keeps every measured budget, 0 when not, -1 failed, 2 stopped. */
static int verify(struct session *s, const struct search_options *o, struct profile *p, double drop,
                  const struct progress *pr, struct run_result *run, struct err *e)
{
    struct run_options how = run_defaults();
    how.images = o->images;
    int rc = session_run(s, p, &how, pr, run, e);
    if (rc)
        return rc < 0 ? -1 : 2;
    session_learn(s, p, run);
    bool accurate = isnan(drop) || isnan(run->accuracy) || isnan(run->fp32_accuracy) ||
                    run->fp32_accuracy - run->accuracy <= drop + 1e-9;
    bool fast = !(o->budgets.latency_ns > 0) || run->latency_ns <= o->budgets.latency_ns;
    return accurate && fast && (o->budgets.bytes <= 0 || run->bytes <= o->budgets.bytes);
}

struct hunt { /* one search: the bounds as they tighten, and the best so far */
    struct session *s;
    const struct search_options *o;
    struct formulation f;
    struct solve_problem problem;
    double drop; /* allowed, or NAN */
    int *pick;
    struct search_result *r;
};

/* Keeps a candidate when it is the first, or the first that meets the budgets. Takes profile and run over. */
static void keep_candidate(struct hunt *h, const struct tables *t, struct profile *p, struct run_result *run,
                           bool verified, bool feasible)
{
    struct search_result *r = h->r;
    estimate_profile(t, p, &h->o->budgets, &r->estimate); /* by the tables of before it ran */
    profile_free(r->profile);
    run_result_done(&r->run);
    r->profile = p;
    r->run = *run;
    r->verified = verified;
    r->feasible = feasible;
    if (feasible)
        r->why[0] = '\0';
}

/* After a miss: less loss, or less time, is asked of the solver. */
static void tighten(struct hunt *h, const struct tables *t, const struct run_result *run, double spent_loss)
{
    double drop = run->fp32_accuracy - run->accuracy;
    if (!isnan(h->drop) && drop > h->drop) {
        double ratio = h->drop > 0 ? pow(h->drop / drop, 1 / t->fit.power) : 0.5;
        ratio = ratio < 0.4 ? 0.4 : ratio > 0.93 ? 0.93 : ratio;
        h->problem.bound[COST_LOSS] = fmin(h->problem.bound[COST_LOSS], spent_loss * ratio);
    }
    if (h->o->budgets.latency_ns > 0 && run->latency_ns > h->o->budgets.latency_ns)
        h->problem.bound[COST_LATENCY] *= fmax(0.8, fmin(0.99, h->o->budgets.latency_ns / run->latency_ns));
}

static int hunt_rounds(struct hunt *h, const struct profile *start, const struct progress *pr, struct err *e)
{
    struct search_result *r = h->r;
    for (r->rounds = 1; r->rounds <= h->o->max_rounds; r->rounds++) {
        if (progress_step(pr, "search", r->rounds - 1, h->o->max_rounds))
            return 1;
        struct tables *t = session_tables(h->s);
        int64_t begin = clock_ns();
        struct solve_result solved = solver_table[h->o->solver]->solve(&h->problem, h->pick);
        r->solve_ns = (double)(clock_ns() - begin);
        r->proven = solved.exact;
        if (!solved.feasible) {
            if (!r->why[0])
                explain(&h->problem, t, start, h->drop, r->why);
            tables_free(t);
            return 0;
        }
        struct profile *p = formulation_profile(&h->f, start, h->pick);
        struct run_result run = {0};
        int ok = h->o->verify ? verify(h->s, h->o, p, h->drop, pr, &run, e) : 1;
        if (ok == -1 || (ok == 2 && r->profile)) {
            profile_free(p);
            run_result_done(&run);
            tables_free(t);
            return ok == -1 ? -1 : 1;
        }
        if (ok == 1 || ok == 2 || !r->profile || (run.accuracy > r->run.accuracy))
            keep_candidate(h, t, p, &run, h->o->verify && ok != 2, ok == 1);
        else
            profile_free(p);
        if (ok != 0) {
            tables_free(t);
            return ok == 2;
        }
        double drop = run.fp32_accuracy - run.accuracy;
        snprintf(r->why, sizeof r->why, "after %d rounds the nearest profile measures -%.2f pp, %.0f us", r->rounds,
                 drop, run.latency_ns / 1e3);
        tighten(h, t, &run, solved.cost[COST_LOSS]);
        if (r->profile != p)
            run_result_done(&run);
        tables_free(t);
    }
    r->rounds = h->o->max_rounds;
    return 0;
}

int session_search(struct session *s, const struct profile *start, const struct search_options *o,
                   const struct progress *pr, struct search_result *r, struct err *e)
{
    *r = (struct search_result){0};
    int rc = session_analyze(s, ANALYZE_ALL, pr, e);
    if (rc)
        return rc;
    struct tables *t = session_tables(s);
    struct hunt h = {.s = s, .o = o, .r = r, .drop = allowed_drop(&o->budgets, t->fp32_accuracy)};
    h.problem = (struct solve_problem){.objective = objective_cost(settle_objective(o)),
                                       .bound = {INFINITY, INFINITY, INFINITY, INFINITY}};
    if (!s->dataset)
        rc = err_set(e, "%s: a search needs a dataset (-d): calibration images give the sensitivities", s->graph->file);
    else if (isnan(t->fp32_accuracy) && (!isnan(o->budgets.accuracy_min) || !isnan(o->budgets.accuracy_drop)))
        rc = err_set(e,
                     "dataset %s has no labels to evaluate with: an accuracy budget cannot be kept; size= and lat= can",
                     s->dataset->name);
    if (o->budgets.bytes > 0)
        h.problem.bound[COST_BYTES] = (double)o->budgets.bytes;
    if (o->budgets.latency_ns > 0)
        h.problem.bound[COST_LATENCY] = o->budgets.latency_ns - overhead_ns(t);
    if (!isnan(h.drop))
        h.problem.bound[COST_LOSS] = loss_fit_loss(&t->fit, h.drop);
    if (!rc) {
        h.f = formulate(s->graph, t, start);
        h.problem.n_units = h.f.n_units;
        h.problem.units = h.f.units;
        h.pick = mem_new((size_t)h.f.n_units + 1, sizeof *h.pick);
        rc = hunt_rounds(&h, start, pr, e);
    }
    tables_free(t);
    if (r->profile)
        fill_profile(s, o, r);
    mem_free(h.pick);
    formulation_done(&h.f);
    return rc;
}
