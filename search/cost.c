/* SPDX-License-Identifier: MIT
 *
 * The host's cost: each pair of widths runs once through the whole network, and every layer's median time is noted (the
 * latency table of HAQ, Wang et al. 2018, arXiv 1811.08886, and HAWQ-V3, Yao et al. 2020, arXiv 2011.10680, measured in
 * place and not layer by layer, so that the caches are as warm as they will be).
 */
#include <math.h>

#include "search/analyze.h"

enum { RUNS = LATENCY_BATCH, PASSES_LEAST = 3, PASSES_MOST = 10, PLANS = BITS_MAX * BITS_MAX + 1 };
static const double SETTLED = 0.01; /* a pass that gains less than this in all did not meet the machine any faster */

struct timed_plan { /* every layer at w, a */
    int w, a;
    struct plan *plan;
};

static struct plan *compile_uniform(const struct graph *g, const struct calibration *c, struct weight_cache *cache,
                                    int w, int a, struct err *e)
{
    struct precision *all = mem_new((size_t)g->n_layers + 1, sizeof *all);
    for (int l = 0; l < g->n_layers; l++) {
        all[l] = precision_default();
        precision_set_w(&all[l], w);
        precision_set_a(&all[l], a);
    }
    struct plan *plan = plan_compile(g, all, c, cache, e);
    mem_free(all);
    return plan;
}

static void lower(double *slot, double ns)
{
    if (isnan(*slot) || ns < *slot)
        *slot = ns;
}

/* Times one plan into the table, which keeps the least of all passes: machines have slow spells of seconds. Returns the
 * plan's time. */
static double time_plan(const struct graph *g, const struct timed_plan *p, const float *input, struct tables *t)
{
    int steps = plan_step_count(p->plan);
    double *ns = mem_new((size_t)steps + 1, sizeof *ns), *layers = mem_new((size_t)g->n_layers + 1, sizeof *layers);
    struct latency whole = evaluate_latency(p->plan, input, RUNS, ns);
    double other = 0;
    for (int s = 0; s < steps; s++) {
        int l = plan_step(p->plan, s).layer;
        *(l >= 0 ? &layers[l] : &other) += ns[s];
    }
    for (int l = 0; l < g->n_layers; l++)
        lower(&t->layers[l].latency_ns[p->w][p->a], layers[l]);
    lower(p->w ? &t->other_ns : &t->other_fp32_ns, other);
    if (!p->w)
        lower(&t->fp32_latency_ns, whole.median_ns);
    mem_free(ns);
    mem_free(layers);
    return whole.median_ns;
}

static int time_passes(const struct graph *g, const struct timed_plan *plans, const float *input, struct tables *t,
                       const struct progress *p)
{
    double best[PLANS], before = INFINITY;
    for (int pass = 0; pass < PASSES_MOST; pass++) {
        double sum = 0;
        for (int i = 0; i < PLANS; i++) {
            if (progress_step(p, "latency table", pass * PLANS + i, PASSES_MOST * PLANS))
                return 1;
            double ns = time_plan(g, &plans[i], input, t);
            best[i] = pass && best[i] < ns ? best[i] : ns;
            sum += best[i];
        }
        if (pass + 1 >= PASSES_LEAST && sum > before * (1 - SETTLED))
            break;
        before = sum;
    }
    t->latency_known = true;
    return 0;
}

int analyze_cost(const struct graph *g, const struct calibration *c, struct weight_cache *cache, const float *input,
                 struct tables *t, const struct progress *p, struct err *e)
{
    struct timed_plan plans[PLANS];
    int n = 0, status = 0;
    for (int w = 0; w <= BITS_MAX && !status; w++)
        for (int a = w ? 1 : 0; a <= (w ? BITS_MAX : 0) && !status; a++) {
            if (progress_step(p, "latency table", 0, PASSES_MOST * PLANS)) {
                status = 1;
                break;
            }
            plans[n] = (struct timed_plan){w, a, compile_uniform(g, c, cache, w, a, e)};
            if (!plans[n].plan)
                status = -1;
            else
                n++;
        }
    if (!status)
        status = time_passes(g, plans, input, t, p);
    for (int i = 0; i < n; i++)
        plan_free(plans[i].plan);
    return status;
}
