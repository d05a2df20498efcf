/* SPDX-License-Identifier: MIT */
#include "engine/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parallel.h"
#include "engine/runner.h"

/* One thread's memory to run images. */
struct worker {
    struct runner *runner;
    void **in, **out; /* out: only the scores, or none */
    float *scores;
    struct calibration *seen;
    bool counting; /* second pass of calibration: bins; first: extremes */
};

struct crew {
    struct worker *workers;
    int n_workers;
    const struct image_source *src;
    float *outputs; /* [images][per_image] or NULL */
    int32_t *best;  /* [images] or NULL */
    int64_t per_image;
    int scores; /* index in the graph's outputs, or -1 */
    int first;
};

static struct calibration *calibration_new(int n_tensors)
{
    struct calibration *c = mem_new(1, sizeof *c);
    c->tensors = mem_new((size_t)n_tensors + 1, sizeof *c->tensors);
    c->n_tensors = n_tensors;
    return c;
}

static struct crew crew_new(const struct plan *plan, const struct image_source *src)
{
    const struct graph *g = plan_graph(plan);
    struct crew c = {
        .n_workers = parallel_threads(), .src = src, .per_image = plan_output_count(plan), .scores = graph_scores(g)};
    c.workers = mem_new((size_t)c.n_workers, sizeof *c.workers);
    for (int i = 0; i < c.n_workers; i++) {
        c.workers[i].runner = runner_new(plan);
        c.workers[i].in = runner_inputs_new(g);
        c.workers[i].out = mem_new((size_t)g->n_outputs + 1, sizeof *c.workers[i].out);
        c.workers[i].scores = mem_new((size_t)c.per_image + 1, sizeof(float));
    }
    return c;
}

static void crew_done(struct crew *c)
{
    for (int i = 0; i < c->n_workers; i++) {
        runner_free(c->workers[i].runner);
        runner_arrays_free(c->workers[i].in);
        mem_free(c->workers[i].out);
        mem_free(c->workers[i].scores);
    }
    mem_free(c->workers);
}

/* Runs images 0..n-1 in blocks, so that progress and stop requests get through. Returns the number done. */
static int crew_run(struct crew *c, int n, void (*body)(void *ctx, int i, int thread), const char *what,
                    const struct progress *p)
{
    enum { BLOCK = 64 };
    int block = BLOCK * c->n_workers;
    for (c->first = 0; c->first < n; c->first += block) {
        if (progress_step(p, what, c->first, n))
            return c->first;
        parallel_for(n - c->first < block ? n - c->first : block, body, c);
    }
    return n;
}

/* -1 and a message when an operator refused values in any worker. */
static int crew_check(const struct crew *c, struct err *e)
{
    for (int i = 0; i < c->n_workers; i++)
        if (runner_check(c->workers[i].runner, e))
            return -1;
    return 0;
}

static void see_values(void *ctx, int tensor, const float *values, size_t n)
{
    struct worker *w = ctx;
    struct histogram **h = &w->seen->tensors[tensor];
    if (!*h)
        *h = mem_new(1, sizeof **h);
    (w->counting ? histogram_add : histogram_range)(*h, values, n);
}

static void observe_image(void *ctx, int i, int thread)
{
    struct crew *c = ctx;
    struct worker *w = &c->workers[thread];
    c->src->get(c->src->ctx, c->first + i, w->in);
    runner_run_observed(w->runner, (const void *const *)w->in, see_values, w);
}

/* The extremes of all workers into all workers. */
static void share_extremes(struct crew *c, int n_tensors)
{
    for (int t = 0; t < n_tensors; t++) {
        float lo = 0, hi = 0;
        bool seen = false;
        for (int i = 0; i < c->n_workers; i++) {
            const struct histogram *h = c->workers[i].seen->tensors[t];
            seen |= h != NULL;
            lo = h ? fminf(lo, h->min) : lo;
            hi = h ? fmaxf(hi, h->max) : hi;
        }
        for (int i = 0; i < c->n_workers; i++) {
            struct histogram **h = &c->workers[i].seen->tensors[t];
            if (!*h && seen) /* a worker that got no image in the first pass may get one in the second */
                *h = mem_new(1, sizeof **h);
            if (*h) {
                (*h)->min = lo;
                (*h)->max = hi;
            }
        }
    }
}

/* A reshaped or transposed tensor may be the same memory, and no step makes it: it has the histogram of what it was
 * made from. */
static void copy_reshaped(const struct graph *g, struct calibration *c)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = &g->nodes[i];
        if ((n->op != OP_RESHAPE && n->op != OP_TRANSPOSE) || c->tensors[n->out[0]] || !c->tensors[n->in[0]])
            continue;
        c->tensors[n->out[0]] = mem_new(1, sizeof *c->tensors[0]);
        *c->tensors[n->out[0]] = *c->tensors[n->in[0]];
    }
}

struct calibration *evaluate_calibrate(const struct graph *g, const struct image_source *src, int n,
                                       const struct progress *p, struct err *e)
{
    struct precision *fp32 = mem_new((size_t)g->n_layers + 1, sizeof *fp32);
    struct plan *plan = plan_compile(g, fp32, NULL, NULL, e);
    mem_free(fp32);
    if (!plan)
        return NULL;
    struct crew c = crew_new(plan, src);
    for (int i = 0; i < c.n_workers; i++)
        c.workers[i].seen = calibration_new(g->n_tensors);
    bool stopped = crew_run(&c, n, observe_image, "calibrate: extremes", p) < n;
    share_extremes(&c, g->n_tensors);
    for (int i = 0; i < c.n_workers; i++)
        c.workers[i].counting = true;
    stopped = stopped || crew_run(&c, n, observe_image, "calibrate: histograms", p) < n;
    struct calibration *result = c.workers[0].seen;
    for (int i = 1; i < c.n_workers; i++) {
        for (int t = 0; t < g->n_tensors; t++)
            if (result->tensors[t] && c.workers[i].seen->tensors[t])
                histogram_merge(result->tensors[t], c.workers[i].seen->tensors[t]);
        calibration_free(c.workers[i].seen);
    }
    copy_reshaped(g, result);
    result->images = n;
    bool refused = crew_check(&c, e) != 0;
    crew_done(&c);
    plan_free(plan);
    if (stopped && !refused)
        err_set(e, "calibration was stopped");
    if (stopped || refused) {
        calibration_free(result);
        return NULL;
    }
    return result;
}

static void output_image(void *ctx, int i, int thread)
{
    struct crew *c = ctx;
    struct worker *w = &c->workers[thread];
    float *scores = c->outputs ? c->outputs + (c->first + i) * c->per_image : w->scores;
    c->src->get(c->src->ctx, c->first + i, w->in);
    w->out[c->scores] = scores;
    runner_run_arrays(w->runner, (const void *const *)w->in, w->out);
    if (c->best)
        c->best[c->first + i] = evaluate_argmax(scores, (int)c->per_image);
}

static int run_scores(const struct plan *plan, const struct image_source *src, int n, float *outputs, int32_t *best,
                      const struct progress *p, struct err *e)
{
    const struct graph *g = plan_graph(plan);
    if (graph_scores(g) < 0)
        return err_set(e, "%s: has no float output to read scores from", g->file);
    struct crew c = crew_new(plan, src);
    c.outputs = outputs;
    c.best = best;
    int done = crew_run(&c, n, output_image, "images", p);
    if (crew_check(&c, e))
        done = -1;
    crew_done(&c);
    return done;
}

int evaluate_outputs(const struct plan *plan, const struct image_source *src, int n, float *outputs,
                     const struct progress *p, struct err *e)
{
    return run_scores(plan, src, n, outputs, NULL, p, e);
}

int evaluate_top1(const struct plan *plan, const struct image_source *src, int n, int32_t *best,
                  const struct progress *p, struct err *e)
{
    return run_scores(plan, src, n, NULL, best, p, e);
}

int evaluate_argmax(const float *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static void log_softmax(const float *x, int n, double *out)
{
    double peak = x[0], sum = 0;
    for (int i = 1; i < n; i++)
        peak = fmax(peak, x[i]);
    for (int i = 0; i < n; i++)
        sum += exp(x[i] - peak);
    for (int i = 0; i < n; i++)
        out[i] = x[i] - peak - log(sum);
}

double evaluate_kl(const float *reference, const float *x, int images, int classes)
{
    double *p = mem_new((size_t)classes, sizeof *p), *q = mem_new((size_t)classes, sizeof *q), total = 0;
    for (int i = 0; i < images; i++) {
        log_softmax(reference + (int64_t)i * classes, classes, p);
        log_softmax(x + (int64_t)i * classes, classes, q);
        for (int k = 0; k < classes; k++)
            total += exp(p[k]) * (p[k] - q[k]);
    }
    mem_free(p);
    mem_free(q);
    return images ? total / images : 0;
}

double evaluate_error_power(const float *reference, const float *x, int images)
{
    double error = 0, power = 0;
    for (int i = 0; i < images; i++) {
        error += ((double)x[i] - reference[i]) * ((double)x[i] - reference[i]);
        power += (double)reference[i] * reference[i];
    }
    return power > 0 ? error / power : error;
}

static int compare_i64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double median_of(int64_t *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, compare_i64);
    return (double)x[n / 2];
}

static struct latency time_runs(const struct plan *plan, struct runner *x, const void *const *in, int runs,
                                double *step_ns)
{
    enum { WARM_UP = 3 };
    int steps = plan_step_count(plan);
    int64_t *all = mem_new((size_t)runs, sizeof *all), batch[LATENCY_BATCH];
    int64_t *each = mem_new((size_t)steps * LATENCY_BATCH + 1, sizeof *each);
    int64_t *one = mem_new((size_t)steps + 1, sizeof *one);
    struct latency l = {.median_ns = INFINITY, .runs = runs};
    for (int i = 0; i < WARM_UP; i++)
        runner_run_timed(x, in, NULL);
    for (int first = 0; first < runs; first += LATENCY_BATCH) {
        int n = runs - first < LATENCY_BATCH ? runs - first : LATENCY_BATCH;
        for (int i = 0; i < n; i++) {
            int64_t begin = clock_ns();
            runner_run_timed(x, in, step_ns ? one : NULL);
            batch[i] = all[first + i] = clock_ns() - begin;
            for (int s = 0; step_ns && s < steps; s++)
                each[s * LATENCY_BATCH + i] = one[s];
        }
        double median = median_of(batch, n);
        if (median >= l.median_ns || (n < LATENCY_BATCH && first > 0))
            continue;
        l.median_ns = median;
        for (int s = 0; step_ns && s < steps; s++)
            step_ns[s] = median_of(each + s * LATENCY_BATCH, n);
    }
    qsort(all, (size_t)runs, sizeof *all, compare_i64);
    l.p95_ns = (double)all[runs * 95 / 100];
    mem_free(all);
    mem_free(each);
    mem_free(one);
    return l;
}

struct latency evaluate_latency(const struct plan *plan, const void *const *in, int runs, double *step_ns)
{
    struct runner *x = runner_new(plan);
    struct latency l = time_runs(plan, x, in, runs, step_ns);
    runner_free(x);
    return l;
}

struct latency evaluate_team_latency(const struct plan *plan, int threads, const void *const *in, int runs)
{
    struct runner *x = runner_new_team(plan, threads);
    struct latency l = time_runs(plan, x, in, runs, NULL);
    runner_free(x);
    return l;
}
