/* SPDX-License-Identifier: MIT
 *
 * A matrix of 11008 x 4096 weights times a vector, the weights coming from memory: copies of the packed weights of all
 * widths are visited in turn, more of them than the last cache holds, so that none is found there. The bandwidth of
 * plain reading is measured in the same turns. Fastest of all visits.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench.h"
#include "bench/layer.h"
#include "bench/report.h"
#include "bench/turns.h"

enum { OUTPUTS = 11008, INPUTS = 4096, WIDTHS = 4, CYCLES = 6, TRIALS = 3, LEAST_MIB = 288 };

static const struct {
    int bits;
    double target;
} widths[WIDTHS] = {{8, 0}, {4, 1.8}, {3, 2.6}, {2, 4}};

struct stream {
    struct bench_layer layer;
    size_t bytes;
    void **copies; /* the packed weights, each with its own memory */
    double ns;
};

/* Four streams at once, as the processor's prefetchers like it. */
static uint64_t read_all(const uint64_t *p, size_t n)
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
    size_t quarter = n / 4;
    for (size_t i = 0; i + 8 <= quarter; i += 8)
        for (size_t k = i; k < i + 8; k++) {
            a += p[k];
            b += p[quarter + k];
            c += p[2 * quarter + k];
            d += p[3 * quarter + k];
        }
    return a ^ b ^ c ^ d;
}

/* The compiler may not leave out what made x. */
static void keep(uint64_t x)
{
    __asm__ volatile("" : : "r"(x));
}

/* Bytes that it takes to have other data in the last cache, and then some. */
static size_t flush_size(void)
{
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    size_t least = (size_t)LEAST_MIB << 20;
    return cache > 0 && 2 * (size_t)cache > least ? 2 * (size_t)cache : least;
}

/* Fastest run after everything was pushed out of the caches. */
static double cold_ns(struct bench_layer *l, const uint64_t *flush)
{
    double best = INFINITY;
    for (int i = 0; i < TRIALS; i++) {
        keep(read_all(flush, flush_size() / sizeof *flush));
        int64_t begin = clock_thread_ns();
        layer_run(l);
        best = fmin(best, (double)(clock_thread_ns() - begin));
    }
    return best;
}

/* With the kernel that is fastest when weights come from memory. */
static int stream_init(struct stream *s, int bits, const uint64_t *flush, struct err *e)
{
    struct layer_spec spec = {.w_bits = bits, .a_bits = 8, .sums = true};
    const struct conv_kernel *found[LAYER_KERNELS_MAX];
    spec.g = layer_geom(INPUTS, 1, OUTPUTS, 1, 1, 1);
    *s = (struct stream){.ns = INFINITY};
    if (layer_init(&s->layer, &spec, e))
        return -1;
    int n = layer_find_kernels(&s->layer, found);
    double best = cold_ns(&s->layer, flush);
    for (int i = 0; i < n; i++) {
        struct bench_layer other;
        spec.kernel = found[i];
        if (found[i] == s->layer.kernel)
            continue;
        int failed = layer_init(&other, &spec, e);
        double ns = failed ? INFINITY : cold_ns(&other, flush);
        struct bench_layer slower = ns < best ? s->layer : other;
        s->layer = ns < best ? other : s->layer;
        best = fmin(best, ns);
        layer_done(&slower);
        if (failed)
            return -1;
    }
    s->bytes = layer_weights_size(&s->layer);
    return 0;
}

static void make_copies(struct stream *s, int n)
{
    s->copies = mem_new((size_t)n, sizeof *s->copies);
    for (int i = 0; i < n; i++)
        s->copies[i] = memcpy(mem_new_unset(s->bytes, 1), s->layer.packed, s->bytes);
}

static void stream_done(struct stream *s, int n)
{
    for (int i = 0; s->copies && i < n; i++)
        mem_free(s->copies[i]);
    mem_free(s->copies);
    layer_done(&s->layer);
}

/* Copies of each, so that all together are more than the caches hold. */
static int copies_needed(const struct stream *s)
{
    size_t each = 0;
    for (int i = 0; i < WIDTHS; i++)
        each += s[i].bytes;
    return (int)(flush_size() / each) + 1;
}

static void visit(struct stream *s, int copy)
{
    struct bench_layer l = s->layer;
    l.packed = s->copies[copy];
    int64_t begin = clock_thread_ns();
    layer_run(&l);
    s->ns = fmin(s->ns, (double)(clock_thread_ns() - begin));
}

/* Bytes a nanosecond of plain reading. */
static double visit_all(struct stream *s, int n)
{
    double best = 0;
    for (int cycle = 0; cycle < CYCLES; cycle++)
        for (int i = 0; i < n; i++) {
            /* The copy that is read here was last visited a cycle ago, and is multiplied with a cycle later. */
            int other = (i + n / 2) % n;
            int64_t begin = clock_thread_ns();
            keep(read_all(s[0].copies[other], s[0].bytes / sizeof(uint64_t)));
            best = fmax(best, (double)s[0].bytes / (double)(clock_thread_ns() - begin));
            for (int k = 0; k < WIDTHS; k++)
                visit(&s[k], i);
        }
    return best;
}

static double bandwidth(const struct stream *s)
{
    return (double)s->bytes / s->ns;
}

static void print_rows(const struct stream *s, double best, int n)
{
    for (int k = 0; k < WIDTHS; k++) {
        char work[64];
        double share = bandwidth(&s[k]) / best;
        struct report_row row = {.work = work, .ratio = s[0].ns / s[k].ns, .target = widths[k].target};
        snprintf(work, sizeof work, "W%dA8", widths[k].bits);
        snprintf(row.ours, sizeof row.ours, "%7.1f GOPS %s", layer_operations(&s[k].layer.spec.g) / s[k].ns,
                 s[k].layer.kernel->name);
        snprintf(row.peer, sizeof row.peer, "%5.1f GB/s, %3.0f %% of plain reading's %.1f%s", bandwidth(&s[k]),
                 100 * share, best, share < 0.85 ? " (85 needed)" : "");
        row.short_of = share < 0.85;
        report_print(&row);
    }
    printf("  (%d copies of each width in turn)\n", n);
}

void targets_stream(void)
{
    struct stream *s = mem_new(WIDTHS, sizeof *s);
    struct err e = {""};
    uint64_t *flush = mem_new(flush_size(), 1);
    int n = 0, failed = 0;
    report_line("matrix 11008x4096 times vector, weights from memory, against own W8A8 and the bandwidth of reading");
    for (int k = 0; k < WIDTHS && !failed; k++)
        failed = stream_init(&s[k], widths[k].bits, flush, &e);
    mem_free(flush);
    if (failed) {
        report_error("11008x4096", e.text);
    } else {
        n = copies_needed(s);
        for (int k = 0; k < WIDTHS; k++)
            make_copies(&s[k], n);
        print_rows(s, visit_all(s, n), n);
    }
    for (int k = 0; k < WIDTHS; k++)
        stream_done(&s[k], n);
    mem_free(s);
}
