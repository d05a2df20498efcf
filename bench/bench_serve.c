/* SPDX-License-Identifier: MIT
 *
 * One model's plan as a server on pipes, for comparisons that another program leads (ort.mjs): it says when to run, so
 * that both sides take turns. `bench_all serve MODEL fp32|wNaM` prints "ready" when it can run,
 * then answers "run N" with the nanoseconds of N runs, "steps" with the median of each step, and ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "bench/bench.h"
#include "engine/evaluate.h"
#include "engine/kernel_times.h"
#include "engine/runner.h"
#include "engine/weight_cache.h"
#include "model/graph_load.h"

enum { STEP_RUNS = 150, IMAGES = 16 };

struct server {
    struct graph *g;
    struct calibration *c;
    struct weight_cache *cache;
    struct kernel_times *kernels;
    struct plan *plan;
    struct runner *x;
    void **in, **out; /* arrays of the graph's inputs and outputs */
};

/* The same values as ort.mjs feeds: a small generator that both can write down. */
static void fill(float *x, int64_t n)
{
    uint32_t state = 1;
    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / 16777216.0f;
    }
}

static void one_image(void *ctx, int i, void *const *in)
{
    const struct graph *g = ctx;
    (void)i;
    for (int k = 0; k < g->n_inputs; k++)
        if (g->tensors[g->inputs[k]].type == DTYPE_F32)
            fill(in[k], shape_count(&g->tensors[g->inputs[k]].shape));
}

static int server_init(struct server *s, const char *file, int w, int a, struct err *e)
{
    if (!(s->g = graph_load(file, e)))
        return -1;
    struct image_source src = {one_image, s->g, IMAGES};
    if (w && !(s->c = evaluate_calibrate(s->g, &src, IMAGES, NULL, e)))
        return -1;
    s->cache = weight_cache_new();
    s->kernels = kernel_times_new();
    weight_cache_use_times(s->cache, s->kernels);
    if (!(s->plan = plan_compile_uniform(s->g, w, a, s->c, s->cache, e)))
        return -1;
    s->x = runner_new(s->plan);
    s->in = runner_inputs_new(s->g);
    s->out = runner_outputs_new(s->g);
    one_image(s->g, 0, s->in);
    return 0;
}

static void server_done(struct server *s)
{
    runner_arrays_free(s->in);
    runner_arrays_free(s->out);
    runner_free(s->x);
    plan_free(s->plan);
    weight_cache_free(s->cache);
    kernel_times_free(s->kernels);
    calibration_free(s->c);
    graph_free(s->g);
}

static void answer_run(struct server *s, int n)
{
    for (int i = 0; i < n; i++) {
        int64_t begin = clock_ns();
        runner_run_arrays(s->x, (const void *const *)s->in, s->out);
        printf("%lld ", (long long)(clock_ns() - begin));
    }
    printf("\n");
}

static void answer_steps(const struct server *s)
{
    int n = plan_step_count(s->plan);
    double *ns = mem_new((size_t)n + 1, sizeof *ns);
    evaluate_latency(s->plan, (const void *const *)s->in, STEP_RUNS, ns);
    for (int i = 0; i < n; i++) {
        struct plan_step_info info = plan_step(s->plan, i);
        printf("%10.2f us  %-20s %s\n", ns[i] / 1e3, info.kernel, info.name);
    }
    mem_free(ns);
}

int bench_serve(int argc, char **argv)
{
    struct err e = {""};
    struct server s = {0};
    char line[64];
    int w = 0, a = 0, end = 0;
    bool quantized = argc == 2 && sscanf(argv[1], "w%1da%1d%n", &w, &a, &end) == 2 && !argv[1][end] && w >= 1 &&
                     w <= BITS_MAX && a >= 1 && a <= BITS_MAX;
    if (argc != 2 || (!quantized && strcmp(argv[1], "fp32") != 0)) {
        fprintf(stderr, "bench: serve MODEL fp32|wNaM\n");
        return -1;
    }
    int failed = server_init(&s, argv[0], quantized ? w : 0, quantized ? a : 0, &e);
    if (failed)
        fprintf(stderr, "bench: %s\n", e.text);
    else
        printf("ready\n");
    while (!failed && !fflush(stdout) && fgets(line, sizeof line, stdin)) {
        if (!strncmp(line, "run ", 4))
            answer_run(&s, atoi(line + 4));
        else if (!strncmp(line, "steps", 5))
            answer_steps(&s);
        else if (!strncmp(line, "first", 5))
            printf("%.9g\n", (double)((float *)s.out[0])[0]);
    }
    server_done(&s);
    return failed;
}
