/* SPDX-License-Identifier: MIT
 *
 * Whole networks, one image on one thread, against the same network in ONNX Runtime at 8 bits. ONNX Runtime gets the
 * float model in QDQ form, with the ranges of our calibration; that it runs every convolution as QLinearConv is checked
 * on the graph that it says it runs. Ours is compiled from the float model at the widths of the row.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "bench/bench.h"
#include "bench/choice.h"
#include "bench/nets.h"
#include "bench/peer_ort.h"
#include "bench/report.h"
#include "bench/turns.h"
#include "engine/evaluate.h"
#include "engine/kernel_times.h"
#include "engine/runner.h"
#include "engine/weight_cache.h"
#include "model/graph_load.h"
#include "model/onnx.pb-c.h"
#include "tests/quantize_model.h"

enum { ROUNDS = 12, WIDTHS = 4, ORT_INT8 = WIDTHS, ORT_FLOAT, TURNS, MOST_FLOAT_BYTES = 1 << 30 };
static const int64_t budget_ns = 30 * 1000 * 1000;
static const int widths[WIDTHS] = {8, 4, 2, 1}; /* of weights and activations; first and last layers have 8 */

static const struct network {
    const char *name;
    void (*net)(struct text *);
    int images;             /* to calibrate with */
    double targets[WIDTHS]; /* 0: not a row */
} networks[] = {
    {"ResNet-20 32x32", net_resnet20, 16, {1.5, 2, 2.6, 3.5}},
    {"ResNet-18 224x224", net_resnet18, 3, {1.2, 1.9, 2.2, 4}},
    {"MobileNetV2 224x224", net_mobilenet_v2, 3, {1.6}},
};

enum { NETWORKS = sizeof networks / sizeof *networks };

/* What was found of the kernels that plans chose. */
struct choices {
    bool known;
    struct choice worst;
    char error[256], layer[64];
};

/* Everything of one network. */
struct work {
    const struct network *network;
    struct arena arena;
    struct graph *graph;
    struct calibration *calibration;
    struct weight_cache *cache;
    struct kernel_times *times; /* plans run what is fastest here, as the program's do */
    float *in, *out[TURNS];
    struct plan *plans[WIDTHS];
    struct contestant {
        struct runner *runner;
        float *in, *out;
    } contestants[WIDTHS];
    struct ort_session *sessions[2]; /* 8 bits, float */
    struct turn turns[TURNS];
};

static void noise(void *graph, int i, void *const *in)
{
    const struct graph *g = graph;
    float *x = in[0];
    struct rng r;
    rng_init(&r, (uint64_t)i + 1);
    for (int64_t k = 0; k < shape_count(&g->tensors[g->inputs[0]].shape); k++)
        x[k] = (float)(2 * rng_unit(&r) - 0.8);
}

static void run_plan(void *contestant)
{
    const struct contestant *r = contestant;
    runner_run(r->runner, r->in, r->out, NULL);
}

static int compile(struct work *w, int i, struct err *e)
{
    const struct graph *g = w->graph;
    struct precision *p = mem_new((size_t)g->n_layers, sizeof *p);
    for (int l = 0; l < g->n_layers; l++) {
        bool end = l == 0 || l == g->n_layers - 1;
        p[l] = precision_default();
        precision_set_w(&p[l], end ? 8 : widths[i]);
        precision_set_a(&p[l], end ? 8 : widths[i]);
    }
    w->plans[i] = plan_compile(g, p, w->calibration, w->cache, e);
    mem_free(p);
    if (!w->plans[i])
        return -1;
    w->contestants[i] = (struct contestant){runner_new(w->plans[i]), w->in, w->out[i]};
    w->turns[i] = (struct turn){.run = run_plan, .state = &w->contestants[i]};
    return 0;
}

static int open_ours(struct work *w, const void *model, size_t size, struct err *e)
{
    if (!(w->graph = graph_parse(w->network->name, model, size, e)))
        return -1;
    struct image_source src = {noise, w->graph, w->network->images};
    if (!(w->calibration = evaluate_calibrate(w->graph, &src, w->network->images, NULL, e)))
        return -1;
    const struct graph *g = w->graph;
    w->cache = weight_cache_new();
    w->times = kernel_times_new();
    weight_cache_use_times(w->cache, w->times);
    w->in = arena_new(&w->arena, (size_t)shape_count(&g->tensors[g->inputs[0]].shape), sizeof(float));
    for (int i = 0; i < TURNS; i++)
        w->out[i] = arena_new(&w->arena, (size_t)shape_count(&g->tensors[g->outputs[0]].shape), sizeof(float));
    noise(w->graph, 0, (void *const[]){w->in});
    for (int i = 0; i < WIDTHS; i++)
        if (w->network->targets[i] > 0 && compile(w, i, e))
            return -1;
    return 0;
}

static struct ort_session *open_session(const struct work *w, const void *model, size_t size, float *out,
                                        const char *optimized, struct err *e)
{
    const struct tensor *x = &w->graph->tensors[w->graph->inputs[0]], *y = &w->graph->tensors[w->graph->outputs[0]];
    int64_t in_shape[] = {1, 3, x->shape.d[2], x->shape.d[3]}, out_shape[] = {1, shape_count(&y->shape)};
    const struct ort_value in_value = {x->name, w->in, in_shape, 4}, out_value = {y->name, out, out_shape, 2};
    return ort_open(model, size, &in_value, &out_value, optimized, e);
}

/* That the graph which ONNX Runtime wrote to the file has its convolutions on codes, every one. */
static int check_codes(const char *file, int convolutions, struct err *e)
{
    size_t size;
    void *bytes = file_read(file, MOST_FLOAT_BYTES, &size, e);
    if (!bytes)
        return -1;
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, size, bytes);
    int on_codes = 0, others = 0;
    for (size_t i = 0; m && i < m->graph->n_node; i++) {
        const char *op = m->graph->node[i]->op_type;
        on_codes += !strcmp(op, "QLinearConv");
        others += !strcmp(op, "Conv") || !strcmp(op, "FusedConv") || !strcmp(op, "NhwcFusedConv");
    }
    if (m)
        onnx__model_proto__free_unpacked(m, NULL);
    mem_free(bytes);
    if (on_codes != convolutions || others > 0)
        return err_set(e, "ONNX Runtime runs %d of %d convolutions on codes and %d on floats: no peer at 8 bits",
                       on_codes, convolutions, others);
    return 0;
}

static int count_convolutions(const struct graph *g)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        n += g->nodes[i].op == OP_CONV;
    return n;
}

static double correlation(const float *a, const float *b, int64_t n)
{
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < n; i++) {
        ma += (double)a[i] / (double)n;
        mb += (double)b[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
        ab += (a[i] - ma) * (b[i] - mb);
    }
    return ab / sqrt(aa * bb);
}

/* Sessions of the 8-bit and of the float model. */
static int open_peer(struct work *w, const void *model, size_t size, struct err *e)
{
    char file[] = "/tmp/bitfader-bench-XXXXXX";
    size_t n;
    unsigned char *codes = quantize_model(model, size, w->graph, w->calibration, &w->arena, &n);
    int fd = mkstemp(file);
    if (fd < 0)
        return err_set(e, "%s cannot be written", file);
    close(fd);
    struct ort_session *told = open_session(w, codes, n, w->out[ORT_INT8], file, e);
    int status = told ? check_codes(file, count_convolutions(w->graph), e) : -1;
    ort_close(told);
    unlink(file);
    if (status || !(w->sessions[0] = open_session(w, codes, n, w->out[ORT_INT8], NULL, e)) ||
        !(w->sessions[1] = open_session(w, model, size, w->out[ORT_FLOAT], NULL, e)))
        return -1;
    for (int i = 0; i < 2; i++)
        w->turns[ORT_INT8 + i] = (struct turn){.run = ort_run, .state = w->sessions[i]};
    run_plan(&w->contestants[0]);
    double same = correlation(w->out[0], w->out[ORT_INT8], plan_output_count(w->plans[0]));
    if (!(same > 0.9))
        return err_set(e, "the outputs of ONNX Runtime and ours at 8 bits correlate by %.3f only", same);
    return 0;
}

static void work_done(struct work *w)
{
    for (int i = 0; i < WIDTHS; i++) {
        runner_free(w->contestants[i].runner);
        plan_free(w->plans[i]);
    }
    for (int i = 0; i < 2; i++)
        ort_close(w->sessions[i]);
    weight_cache_free(w->cache);
    kernel_times_free(w->times);
    calibration_free(w->calibration);
    graph_free(w->graph);
    arena_done(&w->arena);
}

static void print_rows(const struct work *w, const char *version, const char *absent)
{
    for (int i = 0; i < WIDTHS; i++) {
        char work[64];
        struct report_row row = {.work = work, .target = w->network->targets[i], .ratio = NAN};
        if (row.target <= 0)
            continue;
        snprintf(work, sizeof work, "W%dA%d", widths[i], widths[i]);
        snprintf(row.ours, sizeof row.ours, "%8.3f ms", w->turns[i].ns / 1e6);
        snprintf(row.peer, sizeof row.peer, "%s", absent);
        if (w->sessions[0]) {
            row.ratio = w->turns[ORT_INT8].ns / w->turns[i].ns;
            snprintf(row.peer, sizeof row.peer, "%8.3f ms ONNX Runtime %s int8 (fp32 %.3f)",
                     w->turns[ORT_INT8].ns / 1e6, version, w->turns[ORT_FLOAT].ns / 1e6);
        }
        report_print(&row);
    }
}

static void examine_choices(const struct work *w, struct choices *c)
{
    struct err e = {""};
    for (int i = 0; i < WIDTHS; i++)
        if (w->plans[i]) {
            c[i].known = true;
            if (choice_worst(w->plans[i], &c[i].worst, &e))
                snprintf(c[i].error, sizeof c[i].error, "%.255s", e.text);
            snprintf(c[i].layer, sizeof c[i].layer, "%s", c[i].worst.layer ? c[i].worst.layer : "");
        }
}

/* Two kernels that are as fast as each other exchange places from run to run: within 5 % counts as the fastest. */
static void print_choices(const char *network, const struct choices *c)
{
    for (int i = 0; i < WIDTHS; i++) {
        char work[64];
        struct report_row row = {.work = work, .ratio = c[i].worst.fastest_ns / c[i].worst.ns, .target = 0.95};
        if (!c[i].known)
            continue;
        snprintf(work, sizeof work, "%s W%dA%d", network, widths[i], widths[i]);
        if (c[i].error[0] || !c[i].layer[0]) {
            report_error(work, c[i].error[0] ? c[i].error : "no layer runs on a kernel of the table");
            continue;
        }
        snprintf(row.ours, sizeof row.ours, "%s", c[i].worst.kernel);
        snprintf(row.peer, sizeof row.peer, "%s (worst layer: %s)", c[i].worst.fastest, c[i].layer);
        report_print(&row);
    }
}

static void measure(const struct network *network, struct choices *choices)
{
    struct work w = {.network = network};
    struct err e = {""}, absent = {""};
    size_t size;
    const char *version = ort_load(&absent);
    unsigned char *model = net_bytes(network->net, &w.arena, &size);
    char title[96];
    snprintf(title, sizeof title, "%s, one image, against ONNX Runtime int8", network->name);
    report_line(title);
    if (open_ours(&w, model, size, &e) || (version && open_peer(&w, model, size, &e))) {
        report_error(network->name, e.text);
    } else {
        turns_take(w.turns, TURNS, ROUNDS, budget_ns);
        print_rows(&w, version, absent.text);
        examine_choices(&w, choices);
    }
    work_done(&w);
}

void targets_networks(void)
{
    struct choices choices[NETWORKS][WIDTHS] = {{{0}}};
    for (int i = 0; i < NETWORKS; i++)
        measure(&networks[i], choices[i]);
    report_line("any layer of these networks: the plan's kernel against the fastest for its shape and widths");
    for (int i = 0; i < NETWORKS; i++)
        print_choices(networks[i].name, choices[i]);
}
