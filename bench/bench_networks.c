/* SPDX-License-Identifier: MIT
 *
 * Whole networks, one image on one thread and on two. Rounds are interleaved: every configuration runs in every round,
 * so that a slow spell of the machine hits all of them; the median over rounds of each round's median is printed.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "bench/bench.h"
#include "engine/evaluate.h"
#include "engine/kernel_times.h"
#include "engine/runner.h"
#include "engine/weight_cache.h"
#include "model/graph_load.h"

enum { ROUNDS = 15, RUNS = 15, IMAGES = 16 };

static const int widths[][2] = {{0, 0}, {8, 8}, {6, 8}, {4, 8}, {4, 4}, {3, 3}, {2, 2}, {1, 1}};
enum { CONFIGS = sizeof widths / sizeof *widths };

static void noise_image(void *ctx, int i, void *const *in)
{
    float *out = in[0];
    struct rng r;
    rng_init(&r, (uint64_t)i + 1);
    const struct graph *g = ctx;
    for (int64_t k = 0; k < shape_count(&g->tensors[g->inputs[0]].shape); k++)
        out[k] = (float)(2 * rng_unit(&r) - 0.8);
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, compare_double);
    return x[n / 2];
}

static int bench_network(const char *file)
{
    struct err e = {{0}};
    struct plan *plans[CONFIGS] = {NULL};
    double times[CONFIGS][ROUNDS], two[CONFIGS][ROUNDS];
    void **in = NULL;
    struct calibration *c = NULL;
    struct weight_cache *cache = weight_cache_new();
    struct kernel_times *kernels = kernel_times_new();
    int status = -1;
    weight_cache_use_times(cache, kernels);
    struct graph *g = graph_load(file, &e);
    if (!g)
        goto out;
    struct image_source src = {noise_image, g, IMAGES};
    c = evaluate_calibrate(g, &src, IMAGES, NULL, &e);
    if (!c)
        goto out;
    in = runner_inputs_new(g);
    noise_image(g, 0, in);
    for (int i = 0; i < CONFIGS; i++)
        if (!(plans[i] = plan_compile_uniform(g, widths[i][0], widths[i][1], c, cache, &e)))
            goto out;
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < CONFIGS; i++) {
            times[i][r] = evaluate_latency(plans[i], (const void *const *)in, RUNS, NULL).median_ns;
            two[i][r] = evaluate_team_latency(plans[i], 2, (const void *const *)in, RUNS).median_ns;
        }
    printf("%s, %.1f M MACs, one image, one thread; then two threads\n"
           "  precision       us   vs fp32   weights KiB   2 threads us   faster\n",
           file, (double)g->macs / 1e6);
    double fp32 = median(times[0], ROUNDS);
    for (int i = 0; i < CONFIGS; i++) {
        struct precision p = precision_default();
        char name[16];
        precision_set_w(&p, widths[i][0]);
        precision_set_a(&p, widths[i][1]);
        double ns = median(times[i], ROUNDS), team_ns = median(two[i], ROUNDS);
        printf("  %-9s %8.1f %8.2fx %12.1f %13.1f %8.2fx\n", precision_text(&p, name), ns / 1e3, fp32 / ns,
               (double)plan_bytes(plans[i]) / 1024, team_ns / 1e3, ns / team_ns);
    }
    status = 0;
out:
    if (status)
        fprintf(stderr, "bench: %s\n", e.text);
    for (int i = 0; i < CONFIGS; i++)
        plan_free(plans[i]);
    runner_arrays_free(in);
    calibration_free(c);
    weight_cache_free(cache);
    kernel_times_free(kernels);
    graph_free(g);
    return status;
}

int bench_networks(void)
{
    return bench_network("zoo/resnet20_fmnist.onnx") | bench_network("zoo/mobilenet_fmnist.onnx");
}
