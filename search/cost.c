/* SPDX-License-Identifier: MIT
 *
 * The host's cost: each pair of widths runs once through the whole network, and every layer's median time is noted (the
 * latency table of HAQ, Wang et al. 2018, arXiv 1811.08886, and HAWQ-V3, Yao et al. 2020, arXiv 2011.10680, measured in
 * place and not layer by layer, so that the caches are as warm as they will be).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/analyze.h"

enum { RUNS = LATENCY_BATCH, PASSES = 5, PLANS = BITS_MAX * BITS_MAX + 1 };

struct timed_plan { /* every layer at w, a */
    int w, a;
    struct plan *plan;
};

/* Machines have slow spells of seconds. The w8a8 plan is timed between all others and tells how fast the machine is
 * just now; times are divided by that, against the fastest it was seen. */
struct pace {
    const struct plan *plan;
    double now, best; /* nanoseconds of the plan */
};

static void pace_look(struct pace *x, const void *const *in)
{
    x->now = evaluate_latency(x->plan, in, RUNS, NULL).median_ns;
    x->best = fmin(x->best, x->now);
}

/* Times one plan: every layer, then what is not a layer, then the whole, in times of the w8a8 plan. */
static void time_plan(const struct graph *g, const struct timed_plan *p, const void *const *in, struct pace *pace,
                      double *out)
{
    int steps = plan_step_count(p->plan);
    double *ns = mem_new((size_t)steps + 1, sizeof *ns), before = pace->now;
    struct latency whole = evaluate_latency(p->plan, in, RUNS, ns);
    pace_look(pace, in);
    double unit = (before + pace->now) / 2;
    for (int s = 0; s < steps; s++) {
        int l = plan_step(p->plan, s).layer;
        out[l >= 0 ? l : g->n_layers] += ns[s] / unit;
    }
    out[g->n_layers + 1] = whole.median_ns / unit;
    mem_free(ns);
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Medians over the passes that ended into the table. samples: [PLANS][slots][PASSES]. */
static void fill_table(const struct graph *g, const struct timed_plan *plans, double *samples, int passes, double unit,
                       struct tables *t)
{
    int slots = g->n_layers + 2;
    for (int i = 0; i < PLANS; i++)
        for (int k = 0; k < slots; k++) {
            double *x = samples + ((size_t)i * (size_t)slots + (size_t)k) * PASSES;
            qsort(x, (size_t)passes, sizeof *x, compare_double);
            double ns = x[passes / 2] * unit;
            int w = plans[i].w, a = plans[i].a;
            if (k < g->n_layers)
                t->layers[k].latency_ns[w][a] = ns;
            else if (k == g->n_layers && (w == BITS_MAX || !w) && w == a)
                *(w ? &t->other_ns : &t->other_fp32_ns) = ns;
            else if (k > g->n_layers && !w)
                t->fp32_latency_ns = ns;
        }
    t->latency_known = true;
    t->latency_partial = passes < PASSES;
}

static int time_passes(const struct graph *g, const struct timed_plan *plans, const void *const *in, struct tables *t,
                       const struct progress *p)
{
    int slots = g->n_layers + 2, stopped = 0, ended = 0;
    double *samples = mem_new((size_t)PLANS * (size_t)slots * PASSES, sizeof *samples);
    double *one = mem_new((size_t)slots, sizeof *one);
    struct pace pace = {.plan = plans[PLANS - 1].plan, .best = INFINITY}; /* w8a8 is the last */
    pace_look(&pace, in);
    for (int pass = 0; pass < PASSES && !stopped; pass++) {
        for (int i = 0; i < PLANS && !stopped; i++) {
            stopped = progress_step(p, "latency table", pass * PLANS + i, PASSES * PLANS);
            memset(one, 0, (size_t)slots * sizeof *one);
            time_plan(g, &plans[i], in, &pace, one);
            for (int k = 0; k < slots; k++)
                samples[((size_t)i * (size_t)slots + (size_t)k) * PASSES + (size_t)pass] = one[k];
        }
        ended += !stopped;
    }
    if (ended)
        fill_table(g, plans, samples, ended, pace.best, t);
    mem_free(samples);
    mem_free(one);
    return stopped;
}

int analyze_cost(const struct graph *g, const struct calibration *c, struct weight_cache *cache, const void *const *in,
                 struct tables *t, const struct progress *p, struct err *e)
{
    struct timed_plan plans[PLANS];
    int n = 0, status = 0;
    for (int w = 0; w <= BITS_MAX && !status; w++)
        for (int a = w ? 1 : 0; a <= (w ? BITS_MAX : 0) && !status; a++) {
            if (progress_step(p, "latency table", 0, PASSES * PLANS)) {
                status = 1;
                break;
            }
            plans[n] = (struct timed_plan){w, a, plan_compile_uniform(g, w, a, c, cache, e)};
            if (!plans[n].plan)
                status = -1;
            else
                n++;
        }
    if (!status)
        status = time_passes(g, plans, in, t, p);
    for (int i = 0; i < n; i++)
        plan_free(plans[i].plan);
    return status;
}
