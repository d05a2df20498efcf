/* SPDX-License-Identifier: MIT */
#include "search/timing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/watch.h"
#include "engine/runner.h"

enum { RUNS_MOST = 15, RUNS_LEAST = 3, PACE_RUNS = 7, WARM_UP = 2, TRIES = 3 /* of a run, of a turn */ };
static const double CLOCK_STEADY = 0.05, PACE_STEADY = 0.1;

struct timing_sample { /* one run of a plan, in times of the first one */
    bool disturbed;
    float *slots; /* [n_layers + 2] */
};

struct bench {
    struct watch *watch;
    struct runner *pace_context; /* of the first plan */
    const void *const *in;
    double pace; /* nanoseconds of that plan just now */
    double *paces;
    int n_paces, cap_paces;
    double cycle_least, cycle_most; /* nanoseconds */
    int runs;
    int64_t deadline;
    struct latency_report *report;
};

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, compare_double);
    return n ? x[n / 2] : NAN;
}

static bool late(const struct bench *b)
{
    return clock_ns() > b->deadline;
}

/* One run. Whether it counts undisturbed; ns gets its wall time. */
static bool run_once(struct bench *b, struct runner *x, int64_t *step_ns, int64_t *ns)
{
    bool disturbed;
    watch_start(b->watch);
    runner_run_timed(x, b->in, step_ns);
    *ns = watch_stop(b->watch, &disturbed);
    b->report->disturbed += disturbed;
    return !disturbed;
}

static void look_at_pace(struct bench *b)
{
    double ns[PACE_RUNS];
    int n = 0;
    runner_run_timed(b->pace_context, b->in, NULL);
    for (int left = PACE_RUNS * TRIES; n < PACE_RUNS; left--) {
        int64_t one;
        if (run_once(b, b->pace_context, NULL, &one) || left <= PACE_RUNS - n || late(b))
            ns[n++] = (double)one;
    }
    b->pace = median_of(ns, n);
    if (b->n_paces == b->cap_paces) {
        int cap = b->cap_paces ? 2 * b->cap_paces : 256;
        b->paces = mem_resize(b->paces, (size_t)b->n_paces, (size_t)cap, sizeof *b->paces);
        b->cap_paces = cap;
    }
    b->paces[b->n_paces++] = b->pace;
}

static double look_at_clock(struct bench *b)
{
    double ns = watch_cycle_ns();
    b->cycle_least = fmin(b->cycle_least, ns);
    b->cycle_most = fmax(b->cycle_most, ns);
    return ns;
}

static struct timing_sample *add_sample(struct timed_plan *p, int slots)
{
    if (p->n == p->cap) {
        int cap = p->cap ? 2 * p->cap : 64;
        p->samples = mem_resize(p->samples, (size_t)p->n, (size_t)cap, sizeof *p->samples);
        p->cap = cap;
    }
    struct timing_sample *s = &p->samples[p->n++];
    if (!s->slots)
        s->slots = mem_new((size_t)slots, sizeof *s->slots);
    memset(s->slots, 0, (size_t)slots * sizeof *s->slots);
    return s;
}

/* b->runs runs into samples, in nanoseconds. */
static void take_samples(struct bench *b, struct timed_plan *p)
{
    int layers = plan_graph(p->plan)->n_layers, steps = plan_step_count(p->plan);
    struct runner *x = runner_new(p->plan);
    int64_t *ns = mem_new((size_t)steps + 1, sizeof *ns), whole;
    for (int i = 0; i < WARM_UP; i++)
        runner_run_timed(x, b->in, NULL);
    for (int left = b->runs * TRIES, n = 0; n < b->runs; left--) {
        bool clean = run_once(b, x, ns, &whole);
        if (!clean && left > b->runs - n && !late(b))
            continue;
        struct timing_sample *s = add_sample(p, layers + 2);
        s->disturbed = !clean;
        for (int i = 0; i < steps; i++) {
            int l = plan_step(p->plan, i).layer;
            s->slots[l >= 0 ? l : layers] += (float)ns[i];
        }
        s->slots[layers + 1] = (float)whole;
        n++;
    }
    mem_free(ns);
    runner_free(x);
}

/* A plan's turn: again where the clock or the pace was not the same before and after. */
static void take_turn(struct bench *b, struct timed_plan *p)
{
    int first = p->n, slots = plan_graph(p->plan)->n_layers + 2;
    bool steady = false;
    double unit = b->pace;
    for (int tries = 0; tries < TRIES && !steady; tries++) {
        if (tries && late(b))
            break;
        b->report->repeated += tries > 0;
        p->n = first;
        double clock = look_at_clock(b), before = b->pace;
        take_samples(b, p);
        look_at_pace(b);
        unit = (before + b->pace) / 2;
        steady = fabs(look_at_clock(b) / clock - 1) < CLOCK_STEADY && fabs(b->pace / before - 1) < PACE_STEADY;
    }
    b->report->unsteady += !steady;
    for (int i = first; i < p->n; i++) {
        p->samples[i].disturbed |= !steady;
        for (int k = 0; k < slots; k++)
            p->samples[i].slots[k] /= (float)unit;
    }
}

/* Medians of the samples that count, in nanoseconds: the undisturbed ones, unless they are too few to tell. */
static void sum_up(struct timed_plan *p, double unit, struct latency_report *r)
{
    int slots = plan_graph(p->plan)->n_layers + 2, clean = 0;
    for (int i = 0; i < p->n; i++)
        clean += !p->samples[i].disturbed;
    bool all = clean < RUNS_LEAST;
    double *x = mem_new((size_t)p->n + 1, sizeof *x);
    p->median = mem_new((size_t)slots, sizeof *p->median);
    p->spread = mem_new((size_t)slots, sizeof *p->spread);
    for (int k = 0; k < slots; k++) {
        int n = 0;
        for (int i = 0; i < p->n; i++)
            if (all || !p->samples[i].disturbed)
                x[n++] = (double)p->samples[i].slots[k] * unit;
        p->median[k] = median_of(x, n);
        for (int i = 0; i < n; i++)
            x[i] = fabs(x[i] - p->median[k]);
        p->spread[k] = median_of(x, n);
    }
    r->runs += all ? p->n : clean;
    r->counted += all ? p->n - clean : 0;
    mem_free(x);
}

/* So many runs a turn as there is time for. */
static int runs_for(const struct bench *b, double seconds, int passes, int n)
{
    double fit = seconds * 1e9 / (b->pace * passes * n) / 2 - PACE_RUNS - WARM_UP - 1;
    return fit < RUNS_LEAST ? RUNS_LEAST : fit > RUNS_MOST ? RUNS_MOST : (int)fit;
}

static int run_passes(struct bench *b, struct timed_plan *plans, int n, double seconds, int passes,
                      const struct progress *p)
{
    struct latency_report *r = b->report;
    int64_t begin = clock_ns();
    for (; r->passes < passes; r->passes++) {
        int64_t spent = clock_ns() - begin;
        if (r->passes && (double)spent / r->passes * (r->passes + 1) > seconds * 1e9)
            return 0;
        for (int i = 0; i < n; i++) {
            if (progress_step(p, "latency table", (int64_t)r->passes * n + i, (int64_t)passes * n)) {
                for (int k = 0; k < i; k++) /* all have as many passes */
                    plans[k].n -= b->runs;
                return 1;
            }
            take_turn(b, &plans[i]);
        }
    }
    return 0;
}

int timing_run(struct timed_plan *plans, int n, const void *const *in, double seconds, int passes,
               const struct progress *p, struct latency_report *r)
{
    *r = (struct latency_report){0};
    int64_t begin = clock_ns();
    struct bench b = {.watch = watch_begin(),
                      .pace_context = runner_new(plans[0].plan),
                      .in = in,
                      .cycle_least = INFINITY,
                      .deadline = begin + (int64_t)(seconds * 1e9),
                      .report = r};
    r->core = watch_core(b.watch);
    look_at_clock(&b);
    look_at_pace(&b);
    b.runs = runs_for(&b, seconds, passes, n);
    int stopped = run_passes(&b, plans, n, seconds, passes, p);
    /* The pace that the machine keeps when it is left alone; the very least is a matter of luck. */
    qsort(b.paces, (size_t)b.n_paces, sizeof *b.paces, compare_double);
    for (int i = 0; i < n && r->passes; i++)
        sum_up(&plans[i], b.paces[b.n_paces / 10], r);
    r->plans = n;
    r->clock_low_ghz = 1 / b.cycle_most;
    r->clock_high_ghz = 1 / b.cycle_least;
    r->seconds = (double)(clock_ns() - begin) * 1e-9;
    watch_end(b.watch);
    runner_free(b.pace_context);
    mem_free(b.paces);
    return stopped;
}

void timing_done(struct timed_plan *p)
{
    for (int i = 0; i < p->cap; i++)
        mem_free(p->samples[i].slots);
    mem_free(p->samples);
    mem_free(p->median);
    mem_free(p->spread);
    *p = (struct timed_plan){0};
}
