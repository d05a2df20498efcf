/* SPDX-License-Identifier: MIT
 *
 * Speed of the convolution kernels, one thread, on the layers of small networks: everything a call does (reading the
 * image, unpacking weights, requantization) against the bare matrix product of the same size in OpenBLAS (or, for
 * depthwise layers, against the float kernel), in the same run; the float kernels too. Each figure is the best of many.
 */
#include <cblas.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "bench/bench.h"
#include "kernels/float_conv.h"
#include "kernels/kernels.h"

enum { RUNS_MAX = 2000 };
static const int64_t budget_ns = 6 * 1000 * 1000;

struct bench_shape {
    const char *name;
    struct conv_geom g;
};

static const struct bench_shape shapes[] = {
    {"first 1@28 3x3 16", {1, 28, 28, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 28, 28}},
    {"16@28 3x3 16", {16, 28, 28, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 28, 28}},
    {"16@28 3x3/2 32", {16, 28, 28, 32, 3, 3, 2, 2, 1, 1, 1, 1, 1, 14, 14}},
    {"16@28 1x1/2 32", {16, 28, 28, 32, 1, 1, 2, 2, 0, 0, 1, 1, 1, 14, 14}},
    {"32@14 3x3 32", {32, 14, 14, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 14, 14}},
    {"64@7 3x3 64", {64, 7, 7, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 7, 7}},
    {"16@28 1x1 32", {16, 28, 28, 32, 1, 1, 1, 1, 0, 0, 1, 1, 1, 28, 28}},
    {"128@7 1x1 256", {128, 7, 7, 256, 1, 1, 1, 1, 0, 0, 1, 1, 1, 7, 7}},
    {"64@56 3x3 64", {64, 56, 56, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 56, 56}},
    {"FC 64 10", {64, 1, 1, 10, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1}},
    {"FC 784 256", {784, 1, 1, 256, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1}},
    {"dw 32@28 3x3", {32, 28, 28, 32, 3, 3, 1, 1, 1, 1, 1, 1, 32, 28, 28}},
    {"dw 64@14 3x3/2", {64, 14, 14, 64, 3, 3, 2, 2, 1, 1, 1, 1, 64, 7, 7}},
};

static const int widths[][2] = {{8, 8}, {6, 8}, {4, 8}, {2, 8}, {1, 8}, {4, 4}, {2, 2}, {1, 1}};

static double macs(const struct conv_geom *g)
{
    return (double)g->oh * g->ow * g->cout * g->kh * g->kw * (g->cin / g->groups);
}

/* What one measurement calls. */
struct job {
    const struct conv_geom *g;
    const struct conv_kernel *k;
    int a_bits;
    struct conv_call call;
    float *a, *b, *c; /* float operands */
    const struct float_conv_kernel *float_conv;
    struct float_conv_call float_call;
};

static void job_kernel(const struct job *j)
{
    j->k->run(j->g, j->a_bits, &j->call);
}

static void job_float(const struct job *j)
{
    j->float_conv->run(j->g, &j->float_call);
}

static void gemm(const struct job *j, enum CBLAS_TRANSPOSE trans)
{
    const struct conv_geom *g = j->g;
    int m = g->oh * g->ow, n = g->cout, k = g->kh * g->kw * (g->cin / g->groups);
    if (m == 1)
        cblas_sgemv(CblasRowMajor, trans == CblasTrans ? CblasNoTrans : CblasTrans, trans == CblasTrans ? n : k,
                    trans == CblasTrans ? k : n, 1, j->b, trans == CblasTrans ? k : n, j->a, 1, 0, j->c, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, trans, m, n, k, 1, j->a, k, j->b, trans == CblasTrans ? k : n, 0, j->c,
                    n);
}

static void job_gemm_nn(const struct job *j)
{
    gemm(j, CblasNoTrans);
}

static void job_gemm_nt(const struct job *j)
{
    gemm(j, CblasTrans);
}

/* Best time of one call in ns; short calls are timed in batches. */
static double best_ns(void (*run)(const struct job *), const struct job *j)
{
    run(j);
    int64_t start = clock_ns();
    run(j);
    int64_t once = clock_ns() - start;
    int batch = once < 20000 ? (int)(20000 / (once + 1)) + 1 : 1;
    double best = 1e18;
    int64_t end = clock_ns() + budget_ns;
    for (int i = 0; i < RUNS_MAX && clock_ns() < end; i++) {
        start = clock_ns();
        for (int b = 0; b < batch; b++)
            run(j);
        double ns = (double)(clock_ns() - start) / batch;
        best = ns < best ? ns : best;
    }
    return best;
}

/* The float kernel that a plan would choose. */
static double float_kernel_ns(const struct job *j)
{
    struct job own = *j;
    const struct float_conv_kernel *k = own.float_conv = float_conv_find(j->g);
    void *packed = mem_new(k->packed_size(j->g), 1), *scratch = mem_new(k->scratch_size(j->g) + 1, 1);
    k->pack(j->g, j->b, NULL, packed);
    own.float_call =
        (struct float_conv_call){.in = j->a, .packed = packed, .scratch = scratch, .lo = 0, .hi = 1e9f, .out = j->c};
    double ns = best_ns(job_float, &own);
    mem_free(packed);
    mem_free(scratch);
    return ns;
}

/* Best times of the product in OpenBLAS (0 for depthwise layers) and of the float kernel. */
static void float_ns(const struct conv_geom *g, double *product, double *kernel)
{
    int k = g->kh * g->kw * (g->cin / g->groups), m = g->oh * g->ow;
    size_t na =
        (size_t)m * (size_t)k > (size_t)(g->h * g->w * g->cin) ? (size_t)m * (size_t)k : (size_t)(g->h * g->w * g->cin);
    struct job j = {.g = g};
    j.a = mem_new(na, sizeof *j.a);
    j.b = mem_new((size_t)k * (size_t)g->cout, sizeof *j.b);
    j.c = mem_new((size_t)m * (size_t)g->cout, sizeof *j.c);
    for (size_t i = 0; i < na; i++)
        j.a[i] = (float)(i % 17);
    for (size_t i = 0; i < (size_t)k * (size_t)g->cout; i++)
        j.b[i] = (float)(i % 13) - 6;
    *product = 0;
    *kernel = float_kernel_ns(&j);
    if (g->groups == 1) {
        double nn = best_ns(job_gemm_nn, &j), nt = best_ns(job_gemm_nt, &j);
        *product = nn < nt ? nn : nt;
    }
    mem_free(j.a);
    mem_free(j.b);
    mem_free(j.c);
}

/* Weights with the bell shape that trained ones have, the largest at the end of the range. */
static void make_weights(struct rng *r, int bits, size_t n, int8_t levels[256], uint8_t *codes)
{
    int count = 1 << bits, half = count / 2;
    for (int c = 0; c < count; c++)
        levels[c] = (int8_t)(bits == 1 ? 2 * c - 1 : c - half < -127 ? -127 : c - half);
    for (size_t i = 0; i < n; i++) {
        double x = 0;
        for (int s = 0; s < 12; s++)
            x += rng_unit(r) - 0.5;
        int c = (int)(half + x * half / 3.5 + 0.5);
        codes[i] = (uint8_t)(c < (bits == 8) ? (bits == 8) : c > count - 1 ? count - 1 : c);
    }
}

static double kernel_ns(const struct conv_kernel *k, const struct conv_geom *g, int a_bits,
                        const struct conv_weights *w, struct rng *r)
{
    size_t n_in = (size_t)g->h * (size_t)g->w * (size_t)g->cin;
    size_t n_out = (size_t)g->oh * (size_t)g->ow * (size_t)g->cout;
    uint8_t *in = mem_new(n_in, 1), *out = mem_new(n_out, 1);
    void *packed = mem_new(k->packed_size(g, a_bits, w), 1), *scratch = mem_new(k->scratch_size(g, a_bits, w) + 1, 1);
    void *prepared = mem_new(k->prepared_size(g, a_bits, w) + 1, 1);
    int32_t *m = mem_new((size_t)g->cout, sizeof *m);
    int64_t *b = mem_new((size_t)g->cout, sizeof *b);
    for (int c = 0; c < g->cout; c++) {
        m[c] = 1 << 30;
        b[c] = INT64_C(1) << 40;
    }
    for (size_t i = 0; i < n_in; i++)
        in[i] = (uint8_t)rng_below(r, 1u << a_bits);
    struct requant rq = {m, b, 0, 40, 0, (1 << a_bits) - 1};
    k->pack(g, a_bits, w, packed);
    k->prepare(g, a_bits, packed, &rq, prepared);
    struct job j = {.g = g, .k = k, .a_bits = a_bits};
    j.call = (struct conv_call){
        .in = in, .packed = packed, .prepared = prepared, .scratch = scratch, .out_u8 = out, .rq = &rq};
    double ns = best_ns(job_kernel, &j);
    void *all[] = {in, out, packed, prepared, scratch, m, b};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mem_free(all[i]);
    return ns;
}

enum { WIDTHS = sizeof widths / sizeof *widths, KERNELS_MAX = 16, ROUNDS = 5 };

/* Best times of one shape. */
struct result {
    double product, kernel, ns[WIDTHS][KERNELS_MAX]; /* 0: does not apply */
};

static void keep_best(double *best, double ns)
{
    if (*best == 0 || ns < *best)
        *best = ns;
}

static bool worth_timing(const struct conv_kernel *k, const struct conv_geom *g, int a_bits,
                         const struct conv_weights *w)
{
    if (k->isa == ISA_C || !isa_enabled(k->isa) || !k->can(g, a_bits, w))
        return false;
    return g->groups == 1 || k == conv_kernel_find(g, a_bits, w);
}

/* One round over everything: a disturbance of the machine then meets all rows, not one. */
static void bench_round(const struct conv_geom *g, uint8_t *codes, size_t n, struct result *result)
{
    int8_t levels[256];
    struct rng r;
    rng_init(&r, 1);
    double product, kernel;
    float_ns(g, &product, &kernel);
    keep_best(&result->product, product);
    keep_best(&result->kernel, kernel);
    for (int i = 0; i < WIDTHS; i++) {
        int w_bits = widths[i][0], a_bits = widths[i][1];
        make_weights(&r, w_bits, n, levels, codes);
        struct conv_weights w = {.codes = codes, .bits = w_bits, .levels = levels};
        for (int k = 0; k < conv_kernel_count && k < KERNELS_MAX; k++)
            if (worth_timing(conv_kernels[k], g, a_bits, &w))
                keep_best(&result->ns[i][k], kernel_ns(conv_kernels[k], g, a_bits, &w, &r));
    }
}

static void bench_shape(const struct bench_shape *s)
{
    const struct conv_geom *g = &s->g;
    size_t n = (size_t)g->cout * (size_t)(g->kh * g->kw * (g->cin / g->groups));
    uint8_t *codes = mem_new(n, 1);
    struct result result = {0};
    for (int i = 0; i < ROUNDS; i++)
        bench_round(g, codes, n, &result);
    double base = g->groups > 1 ? result.kernel : result.product;
    if (g->groups == 1)
        printf("%-18s %-5s %-18s %9.2f us %7.1f GOPS\n", s->name, "fp32", "OpenBLAS", base / 1e3, 2 * macs(g) / base);
    printf("%-18s %-5s %-18s %9.2f us %7.1f GOPS  %5.2fx\n", s->name, "fp32", float_conv_find(g)->name,
           result.kernel / 1e3, 2 * macs(g) / result.kernel, base / result.kernel);
    for (int i = 0; i < WIDTHS; i++)
        for (int k = 0; k < KERNELS_MAX; k++) {
            double ns = result.ns[i][k];
            if (ns > 0)
                printf("%-18s w%da%d  %-18s %9.2f us %7.1f GOPS  %5.2fx\n", s->name, widths[i][0], widths[i][1],
                       conv_kernels[k]->name, ns / 1e3, 2 * macs(g) / ns, base / ns);
        }
    mem_free(codes);
}

int bench_kernels(void)
{
    openblas_set_num_threads(1);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        bench_shape(&shapes[i]);
    return 0;
}
