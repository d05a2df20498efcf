/* SPDX-License-Identifier: MIT
 *
 * Matrix products, as 1x1 convolutions to 32-bit sums. All kinds of one shape take turns, the peers among them.
 */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "bench/bench.h"
#include "bench/layer.h"
#include "bench/peer.h"
#include "bench/report.h"
#include "bench/turns.h"

enum { ROUNDS = 12, INFORM_ROUNDS = 3, SHAPES = 5, WHAT = 64 };
static const int64_t budget_ns = 2 * 1000 * 1000;

/* The first four are convolutions of ResNet-18 seen as products (channels, pixels, inputs of a channel); the last is
 * 128 tokens by a matrix of 4096 x 4096, with outputs for channels and tokens for pixels. */
static const struct {
    const char *name;
    int outputs, h, w, k;
} shapes[SHAPES] = {
    {"64x3136x576", 64, 56, 56, 576},    {"256x196x2304", 256, 14, 14, 2304},  {"512x49x4608", 512, 7, 7, 4608},
    {"128x784x1152", 128, 28, 28, 1152}, {"128x4096x4096", 4096, 16, 8, 4096},
};

enum kind {
    W8A8,
    W4A8,
    W4A8_POWERS,
    W4A8_CODEBOOK,
    W3A8,
    W3A8_POWERS,
    W3A8_CODEBOOK,
    W2A8,
    W2A8_TERNARY,
    W2A8_CODEBOOK,
    W2A2,
    TERNARY_A2,
    TERNARY_TERNARY,
    W1A1,
    KINDS,
    ONEDNN = KINDS, /* the peers' turns */
    XNNPACK,
    OPENBLAS,
    TURNS
};

static const struct {
    int w_bits, a_bits, a_codes;
    enum levels levels;
} kinds[KINDS] = {
    [W8A8] = {8, 8, 0, LEVELS_UNIFORM},
    [W4A8] = {4, 8, 0, LEVELS_UNIFORM},
    [W4A8_POWERS] = {4, 8, 0, LEVELS_POWERS},
    [W4A8_CODEBOOK] = {4, 8, 0, LEVELS_CODEBOOK},
    [W3A8] = {3, 8, 0, LEVELS_UNIFORM},
    [W3A8_POWERS] = {3, 8, 0, LEVELS_POWERS},
    [W3A8_CODEBOOK] = {3, 8, 0, LEVELS_CODEBOOK},
    [W2A8] = {2, 8, 0, LEVELS_UNIFORM},
    [W2A8_TERNARY] = {2, 8, 0, LEVELS_TERNARY},
    [W2A8_CODEBOOK] = {2, 8, 0, LEVELS_CODEBOOK},
    [W2A2] = {2, 2, 0, LEVELS_UNIFORM},
    [TERNARY_A2] = {2, 2, 0, LEVELS_TERNARY},
    [TERNARY_TERNARY] = {2, 2, 3, LEVELS_TERNARY},
    [W1A1] = {1, 1, 0, LEVELS_BINARY},
};

/* What was measured on a shape. */
struct result {
    char error[TURNS][256]; /* "" if none */
    double gops[TURNS];     /* 0: not measured */
    char what[TURNS][WHAT]; /* what ran */
};

static struct layer_spec spec_of(int shape, enum kind k)
{
    struct layer_spec s = {.w_bits = kinds[k].w_bits,
                           .a_bits = kinds[k].a_bits,
                           .a_codes = kinds[k].a_codes,
                           .levels = kinds[k].levels,
                           .sums = true};
    s.g = layer_geom(shapes[shape].k, shapes[shape].h, shapes[shape].outputs, 1, 1, 1);
    s.g.w = s.g.ow = shapes[shape].w;
    s.g.a_top = s.a_codes ? s.a_codes - 1 : 0;
    return s;
}

struct product { /* OpenBLAS in single precision */
    int m, n, k;
    float *a, *b, *c;
};

static void run_openblas(void *state)
{
    const struct product *p = state;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p->m, p->n, p->k, 1, p->a, p->k, p->b, p->k, 0, p->c, p->n);
}

static struct product product_new(const struct conv_geom *g)
{
    struct product p = {.m = g->oh * g->ow, .n = g->cout, .k = g->cin};
    p.a = mem_new((size_t)p.m * (size_t)p.k, sizeof(float));
    p.b = mem_new((size_t)p.n * (size_t)p.k, sizeof(float));
    p.c = mem_new((size_t)p.m * (size_t)p.n, sizeof(float));
    return p;
}

static void product_done(struct product *p)
{
    mem_free(p->a);
    mem_free(p->b);
    mem_free(p->c);
}

/* A peer's turn on the layer, after comparing its outputs with ours. */
static void *open_peer(const struct peer *peer, const struct bench_layer *l, struct turn *t, char *what, char *error)
{
    struct err e = {""};
    if (!peer)
        return NULL;
    const struct peer_layer p = {
        .g = &l->spec.g, .in = l->in, .weights = l->weights, .scale = peer->has_sums ? 0 : 1e-4f};
    void *state = peer->open(&p, &e);
    snprintf(what, WHAT, "%s", e.text);
    if (state) {
        peer->run(state);
        if (peer->has_sums && layer_compare(l, peer->output(state), peer->top, peer->name, &e))
            snprintf(error, 256, "%s", e.text);
        snprintf(what, WHAT, "%s %s", peer->name, peer->detail(state));
        *t = (struct turn){.run = peer->run, .state = state};
    }
    return state;
}

static void measure(int shape, struct result *r)
{
    struct bench_layer *layers = mem_new(KINDS, sizeof *layers);
    struct turn turns[TURNS] = {{0}};
    struct err e = {""};
    for (int k = 0; k < KINDS; k++) {
        const struct layer_spec s = spec_of(shape, (enum kind)k);
        if (layer_init(&layers[k], &s, &e)) {
            snprintf(r->error[k], sizeof r->error[k], "%s", e.text);
            continue;
        }
        turns[k] = (struct turn){.run = layer_run, .state = &layers[k]};
        snprintf(r->what[k], sizeof r->what[k], "%s", layers[k].kernel->name);
    }
    const struct conv_geom *g = &layers[W8A8].spec.g;
    const struct peer *dnn = peer_onednn(), *xnn = peer_xnnpack();
    void *onednn = open_peer(dnn, &layers[W8A8], &turns[ONEDNN], r->what[ONEDNN], r->error[ONEDNN]);
    void *xnnpack = open_peer(xnn, &layers[W8A8], &turns[XNNPACK], r->what[XNNPACK], r->error[XNNPACK]);
    struct product p = product_new(g);
    turns[OPENBLAS] = (struct turn){.run = run_openblas, .state = &p};
    snprintf(r->what[OPENBLAS], sizeof r->what[OPENBLAS], "OpenBLAS sgemm %s", openblas_get_corename());
    turns_take(turns, OPENBLAS, ROUNDS, budget_ns);
    turns_take(turns + OPENBLAS, 1, INFORM_ROUNDS, budget_ns);
    for (int k = 0; k < TURNS; k++)
        r->gops[k] = turns[k].state ? layer_operations(g) / turns[k].ns : 0;
    product_done(&p);
    if (onednn)
        dnn->close(onednn);
    if (xnnpack)
        xnn->close(xnnpack);
    for (int k = 0; k < KINDS; k++)
        layer_done(&layers[k]);
    mem_free(layers);
}

static void describe(char *out, size_t size, const struct result *r, int turn)
{
    snprintf(out, size, "%7.1f GOPS %s", r->gops[turn], r->what[turn]);
}

static void print_row(const char *work, const struct result *r, int ours, int peer, double target)
{
    struct report_row row = {.work = work, .ratio = r->gops[ours] / r->gops[peer], .target = target};
    if (r->error[ours][0] || r->error[peer][0]) {
        if (target > 0) /* a row that informs shares its error with one that does not */
            report_error(work, r->error[ours][0] ? r->error[ours] : r->error[peer]);
        return;
    }
    describe(row.ours, sizeof row.ours, r, ours);
    describe(row.peer, sizeof row.peer, r, peer);
    if (r->gops[peer] == 0) {
        snprintf(row.peer, sizeof row.peer, "%s",
                 r->what[peer][0] ? r->what[peer] : "not built with oneDNN (libdnnl-dev)");
        row.ratio = NAN;
    }
    report_print(&row);
}

/* The slowest of the schemes of a width. */
static int slowest(const struct result *r, int first, int n)
{
    int worst = first;
    for (int k = first; k < first + n; k++)
        if (r->error[k][0] || r->gops[k] < r->gops[worst])
            worst = k;
    return worst;
}

static void print_w8a8(const struct result *r)
{
    report_line("GEMM W8A8 against oneDNN u8s8s32");
    for (int s = 0; s < SHAPES; s++) {
        print_row(shapes[s].name, &r[s], W8A8, ONEDNN, 0.98);
        if (r[s].gops[XNNPACK] > 0)
            print_row("", &r[s], W8A8, XNNPACK, 0);
        print_row("", &r[s], W8A8, OPENBLAS, 0);
    }
}

static void print_narrow_weights(const struct result *r)
{
    static const int first[] = {W4A8, W3A8, W2A8};
    report_line(
        "GEMM W4A8, W3A8, W2A8, each with its slowest scheme (uniform, powers of two or ternary, codebook), against "
        "own W8A8");
    for (int s = 0; s < SHAPES; s++)
        for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
            char work[64];
            int k = slowest(&r[s], first[i], 3);
            snprintf(work, sizeof work, "%s W%dA8 %s", shapes[s].name, kinds[k].w_bits, levels_name(kinds[k].levels));
            print_row(work, &r[s], k, W8A8, 0.97);
        }
}

static void print_all(const struct result *r, const char *title, enum kind k, const char *kind, double target)
{
    if (title)
        report_line(title);
    for (int s = 0; s < SHAPES; s++) {
        char work[64];
        snprintf(work, sizeof work, "%s %s", shapes[s].name, kind);
        print_row(work, &r[s], k, W8A8, target);
    }
}

void targets_gemm(void)
{
    struct result *r = mem_new(SHAPES, sizeof *r);
    openblas_set_num_threads(1);
    for (int s = 0; s < SHAPES; s++)
        measure(s, &r[s]);
    print_w8a8(r);
    print_narrow_weights(r);
    print_all(r, "GEMM W2A2 and ternary x 2-bit activations, against own W8A8", W2A2, "W2A2", 2.1);
    print_all(r, NULL, TERNARY_A2, "TxA2", 2.1);
    print_all(r, "GEMM ternary x ternary, against own W8A8", TERNARY_TERNARY, "TxT", 2.4);
    print_all(r, "GEMM W1A1, against own W8A8", W1A1, "W1A1", 4.7);
    mem_free(r);
}
