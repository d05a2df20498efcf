/* SPDX-License-Identifier: MIT
 *
 * The host's cost: a plan for each pair of widths runs the whole network, and every layer's median time is noted (the
 * latency table of HAQ, Wang et al. 2018, arXiv 1811.08886, and HAWQ-V3, Yao et al. 2020, arXiv 2011.10680, measured in
 * place and not layer by layer, so that the caches are as warm as they will be).
 *
 * Many pairs give a layer the same work: the same kernel on weights of the same width. Plans are timed only where they
 * have a layer whose work no plan before them has; for all other layers the number is that of the same work elsewhere.
 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "search/analyze.h"
#include "search/timing.h"

enum { PASSES = 5, PLANS = BITS_MAX * BITS_MAX + 1 };
static const double SECONDS = 15, SECONDS_LEAST = 4; /* for all of it; for timing, however long compilation took */

struct pair {
    int w, a;
    uint64_t *keys;       /* [n_layers] of plan_layer_key */
    int *from;            /* [n_layers] index of the timed plan that has the same work there */
    const char **kernels; /* [n_layers] */
    int timed;            /* index of its own plan, or -1 */
};

struct cost { /* what analyze_cost holds */
    const struct graph *g;
    struct pair pairs[PLANS]; /* w8a8 first, which sets the pace; fp32; then all others */
    int n_pairs;
    struct timed_plan timed[PLANS];
    int owner[PLANS]; /* the pair of a timed plan */
    int n_timed;
};

static void list_pairs(struct cost *c)
{
    c->pairs[c->n_pairs++] = (struct pair){.w = BITS_MAX, .a = BITS_MAX};
    c->pairs[c->n_pairs++] = (struct pair){.w = BITS_FLOAT, .a = BITS_FLOAT};
    for (int w = BITS_MAX; w >= 1; w--)
        for (int a = BITS_MAX; a >= 1; a--)
            if (w < BITS_MAX || a < BITS_MAX)
                c->pairs[c->n_pairs++] = (struct pair){.w = w, .a = a};
}

/* The first timed plan that does the same work in that layer, or -1. */
static int same_work(const struct cost *c, int layer, uint64_t key)
{
    for (int i = 0; i < c->n_timed; i++)
        if (c->pairs[c->owner[i]].keys[layer] == key)
            return i;
    return -1;
}

/* Takes the plan over: to time it, where it has work that is not timed yet. */
static void add_plan(struct cost *c, int i, struct plan *plan)
{
    struct pair *p = &c->pairs[i];
    size_t n = (size_t)c->g->n_layers + 1;
    bool fresh = false;
    p->keys = mem_new(n, sizeof *p->keys);
    p->from = mem_new(n, sizeof *p->from);
    p->kernels = mem_new(n, sizeof *p->kernels);
    p->timed = -1;
    for (int l = 0; l < c->g->n_layers; l++) {
        p->keys[l] = plan_layer_key(plan, l);
        p->kernels[l] = plan_layers(plan)[l].kernel;
        p->from[l] = same_work(c, l, p->keys[l]);
        fresh |= p->from[l] < 0;
    }
    if (!fresh && i >= 2) {
        plan_free(plan);
        return;
    }
    p->timed = c->n_timed;
    for (int l = 0; l < c->g->n_layers; l++)
        p->from[l] = p->from[l] < 0 ? p->timed : p->from[l];
    c->timed[c->n_timed] = (struct timed_plan){.plan = plan};
    c->owner[c->n_timed++] = i;
}

static int compile_plans(struct cost *c, const struct calibration *cal, struct weight_cache *cache,
                         const struct progress *p, struct err *e)
{
    for (int i = 0; i < c->n_pairs; i++) {
        if (progress_step(p, "latency table: kernels", i, c->n_pairs))
            return 1;
        struct plan *plan = plan_compile_uniform(c->g, c->pairs[i].w, c->pairs[i].a, cal, cache, e);
        if (!plan)
            return -1;
        add_plan(c, i, plan);
    }
    return 0;
}

static void fill_table(const struct cost *c, struct tables *t)
{
    int n = c->g->n_layers;
    for (int i = 0; i < c->n_pairs; i++) {
        const struct pair *p = &c->pairs[i];
        for (int l = 0; l < n; l++) {
            struct layer_cost *x = &t->cost.layers[l];
            x->latency_ns[p->w][p->a] = c->timed[p->from[l]].median[l];
            x->spread_ns[p->w][p->a] = c->timed[p->from[l]].spread[l];
            x->kernel[p->w][p->a] = p->kernels[l];
        }
    }
    t->cost.other_ns = c->timed[0].median[n];
    t->cost.other_fp32_ns = c->timed[1].median[n];
    t->cost.fp32_latency_ns = c->timed[1].median[n + 1];
    t->cost.known = true;
    t->cost.report.pairs = c->n_pairs;
}

static void cost_done(struct cost *c)
{
    for (int i = 0; i < c->n_timed; i++) {
        plan_free((struct plan *)c->timed[i].plan);
        timing_done(&c->timed[i]);
    }
    for (int i = 0; i < c->n_pairs; i++) {
        mem_free(c->pairs[i].keys);
        mem_free(c->pairs[i].from);
        mem_free((void *)c->pairs[i].kernels);
    }
    mem_free(c);
}

int analyze_cost(const struct graph *g, const struct calibration *cal, struct weight_cache *cache,
                 const void *const *in, struct tables *t, const struct progress *p, struct err *e)
{
    struct cost *c = mem_new(1, sizeof *c);
    struct latency_report report;
    int64_t begin = clock_ns();
    c->g = g;
    list_pairs(c);
    int status = compile_plans(c, cal, cache, p, e);
    if (!status) {
        double left = SECONDS - (double)(clock_ns() - begin) * 1e-9;
        status = timing_run(c->timed, c->n_timed, in, fmax(left, SECONDS_LEAST), PASSES, p, &report);
        if (report.passes) {
            report.seconds = (double)(clock_ns() - begin) * 1e-9;
            t->cost.report = report;
            t->cost.partial = status > 0;
            fill_table(c, t);
        }
    }
    cost_done(c);
    return status;
}
