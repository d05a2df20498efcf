/* SPDX-License-Identifier: MIT
 *
 * Speed of products of two activations, one thread, on the shapes of attention: packing of the right side,
 * multiplication and requantization against OpenBLAS's sgemm of the same size in the same run. Best of many, by turns.
 */
#include <cblas.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "bench/bench.h"
#include "kernels/kernels.h"

enum { RUNS = 300, KERNELS_MAX = 8 };

static const struct {
    const char *name;
    int m, n, k;
} shapes[] = {
    {"scores 64x64, head 24", 64, 64, 24},         {"values 64x24", 64, 24, 64},
    {"scores 128x128, head 64", 128, 128, 64},     {"values 128x64", 128, 64, 128},
    {"scores 197x197, head 64", 197, 197, 64},     {"values 197x64", 197, 64, 197},
    {"scores 1024x1024, head 64", 1024, 1024, 64},
};

struct operands {
    uint8_t *a, *b, *out;
    float *fa, *fb, *fout;
};

static struct operands operands_new(int m, int n, int k)
{
    size_t na = (size_t)m * (size_t)k, nb = (size_t)k * (size_t)n, nc = (size_t)m * (size_t)n;
    struct operands o = {mem_new(na, 1), mem_new(nb, 1), mem_new(nc, 1),
                         mem_new(na, 4), mem_new(nb, 4), mem_new(nc, 4)};
    struct rng r;
    rng_init(&r, 1);
    for (size_t i = 0; i < na; i++)
        o.fa[i] = o.a[i] = (uint8_t)rng_below(&r, 256);
    for (size_t i = 0; i < nb; i++)
        o.fb[i] = o.b[i] = (uint8_t)rng_below(&r, 256);
    return o;
}

static void operands_done(struct operands *o)
{
    void *all[] = {o->a, o->b, o->out, o->fa, o->fb, o->fout};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mem_free(all[i]);
}

static double kernel_ns(const struct matmul_kernel *k, const struct matmul_shape *s, int rows, const struct operands *o,
                        void *packed, void *scratch)
{
    static const int32_t m = 12345;
    static const int64_t b = INT64_C(1) << 39;
    const struct requant rq = {.m = &m, .b = &b, .shift = 40, .hi = 255};
    const struct matmul_call call = {
        .a = o->a, .rows = rows, .packed = packed, .scratch = scratch, .out_u8 = o->out, .rq = &rq};
    int64_t begin = clock_ns();
    k->pack(s, o->b, packed);
    k->run(s, &call);
    return (double)(clock_ns() - begin);
}

static void bench_shape(const char *name, int m, int n, int k)
{
    struct operands o = operands_new(m, n, k);
    struct matmul_shape s = {.n = n, .k = k, .a_mul = 1, .a_zero = 12, .b_mul = 1, .b_zero = 133};
    double product = INFINITY, best[KERNELS_MAX];
    void *packed[KERNELS_MAX] = {0}, *scratch[KERNELS_MAX] = {0};
    int kernels = matmul_kernel_count < KERNELS_MAX ? matmul_kernel_count : KERNELS_MAX;
    for (int i = 0; i < kernels; i++) {
        best[i] = INFINITY;
        packed[i] = mem_new(matmul_kernels[i]->packed_size(&s), 1);
        scratch[i] = mem_new(matmul_kernels[i]->scratch_size(&s) + 1, 1);
    }
    for (int run = 0; run < RUNS; run++) {
        int64_t begin = clock_ns();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, o.fa, k, o.fb, n, 0, o.fout, n);
        product = fmin(product, (double)(clock_ns() - begin));
        for (int i = 0; i < kernels; i++)
            if (matmul_kernels[i]->isa != ISA_C && isa_enabled(matmul_kernels[i]->isa))
                best[i] = fmin(best[i], kernel_ns(matmul_kernels[i], &s, m, &o, packed[i], scratch[i]));
    }
    double macs = (double)m * n * k;
    printf("%-26s %-5s %-20s %9.2f us %7.1f GOPS\n", name, "fp32", "OpenBLAS", product / 1e3, 2 * macs / product);
    for (int i = 0; i < kernels; i++) {
        if (isfinite(best[i]))
            printf("%-26s %-5s %-20s %9.2f us %7.1f GOPS  %5.2fx\n", name, "w8a8", matmul_kernels[i]->name,
                   best[i] / 1e3, 2 * macs / best[i], product / best[i]);
        mem_free(packed[i]);
        mem_free(scratch[i]);
    }
    operands_done(&o);
}

int bench_matmul(void)
{
    openblas_set_num_threads(1);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        bench_shape(shapes[i].name, shapes[i].m, shapes[i].n, shapes[i].k);
    return 0;
}
