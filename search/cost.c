/* SPDX-License-Identifier: MIT
 *
 * The host's cost: each pair of widths runs once through the whole network, and every layer's median time is noted (the
 * latency table of HAQ, Wang et al. 2018, arXiv 1811.08886, and HAWQ-V3, Yao et al. 2020, arXiv 2011.10680, measured in
 * place and not layer by layer, so that the caches are as warm as they will be).
 */
#include <math.h>

#include "search/analyze.h"

enum { RUNS = 15, PASSES = 3 };

/* Times one uniform plan into the table, keeping the smallest median of the passes. */
static int time_plan(const struct graph *g, const struct calibration *c, struct weight_cache *cache, const float *input,
                     int w, int a, struct tables *t, struct err *e)
{
    struct precision *all = mem_new((size_t)g->n_layers + 1, sizeof *all);
    for (int l = 0; l < g->n_layers; l++) {
        all[l] = precision_default();
        precision_set_w(&all[l], w);
        precision_set_a(&all[l], a);
    }
    struct plan *plan = plan_compile(g, all, c, cache, e);
    mem_free(all);
    if (!plan)
        return -1;
    int steps = plan_step_count(plan);
    double *ns = mem_new((size_t)steps + 1, sizeof *ns), *layers = mem_new((size_t)g->n_layers + 1, sizeof *layers);
    struct latency whole = evaluate_latency(plan, input, RUNS, ns);
    double other = 0;
    for (int s = 0; s < steps; s++) {
        int l = plan_step(plan, s).layer;
        *(l >= 0 ? &layers[l] : &other) += ns[s];
    }
    for (int l = 0; l < g->n_layers; l++)
        t->layers[l].latency_ns[w][a] =
            fmin(layers[l], isnan(t->layers[l].latency_ns[w][a]) ? INFINITY : t->layers[l].latency_ns[w][a]);
    double *slot = w ? &t->other_ns : &t->other_fp32_ns;
    *slot = fmin(other, isnan(*slot) ? INFINITY : *slot);
    if (!w)
        t->fp32_latency_ns = fmin(whole.median_ns, isnan(t->fp32_latency_ns) ? INFINITY : t->fp32_latency_ns);
    mem_free(ns);
    mem_free(layers);
    plan_free(plan);
    return 0;
}

int analyze_cost(const struct graph *g, const struct calibration *c, struct weight_cache *cache, const float *input,
                 struct tables *t, const struct progress *p, struct err *e)
{
    int total = PASSES * (BITS_MAX * BITS_MAX + 1), done = 0;
    for (int pass = 0; pass < PASSES; pass++)
        for (int w = 0; w <= BITS_MAX; w++)
            for (int a = w ? 1 : 0; a <= (w ? BITS_MAX : 0); a++) {
                if (progress_step(p, "latency table", done++, total))
                    return 1;
                if (time_plan(g, c, cache, input, w, a, t, e))
                    return -1;
            }
    t->latency_known = true;
    return 0;
}
