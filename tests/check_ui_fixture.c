/* SPDX-License-Identifier: MIT */
#include "tests/check_ui_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const struct {
    const char *name, *kind;
    int cout, cin, kernel, size, group;
} net[22] = {
    {"conv1", "Conv", 16, 1, 3, 28, 0},
    {"layer1.0.conv1", "Conv", 16, 16, 3, 28, 1},
    {"layer1.0.conv2", "Conv", 16, 16, 3, 28, 2},
    {"layer1.1.conv1", "Conv", 16, 16, 3, 28, 3},
    {"layer1.1.conv2", "Conv", 16, 16, 3, 28, 4},
    {"layer1.2.conv1", "Conv", 16, 16, 3, 28, 5},
    {"layer1.2.conv2", "Conv", 16, 16, 3, 28, 6},
    {"layer2.0.conv1", "Conv", 32, 16, 3, 14, 7},
    {"layer2.0.conv2", "Conv", 32, 32, 3, 14, 8},
    {"layer2.0.shortcut", "PWConv", 32, 16, 1, 14, 7},
    {"layer2.1.conv1", "Conv", 32, 32, 3, 14, 9},
    {"layer2.1.conv2", "Conv", 32, 32, 3, 14, 10},
    {"layer2.2.conv1", "Conv", 32, 32, 3, 14, 11},
    {"layer2.2.conv2", "Conv", 32, 32, 3, 14, 12},
    {"layer3.0.conv1", "Conv", 64, 32, 3, 7, 13},
    {"layer3.0.conv2", "Conv", 64, 64, 3, 7, 14},
    {"layer3.0.shortcut", "PWConv", 64, 32, 1, 7, 13},
    {"layer3.1.conv1", "Conv", 64, 64, 3, 7, 15},
    {"layer3.1.conv2", "Conv", 64, 64, 3, 7, 16},
    {"layer3.2.conv1", "Conv", 64, 64, 3, 7, 17},
    {"layer3.2.conv2", "Conv", 64, 64, 3, 7, 18},
    {"fc", "Gemm", 10, 64, 1, 1, 19},
};

static struct desk_model *make_model(int n)
{
    struct desk_model *m = mem_new(1, sizeof *m);
    m->file = "zoo/resnet20.onnx";
    m->n = n;
    m->layers = mem_new((size_t)n + 1, sizeof *m->layers);
    for (int i = 0; i < n; i++) {
        int k = i < 22 ? i : 1 + (i - 22) % 20;
        struct desk_layer *l = &m->layers[i];
        static const char *const other[] = {"/stem/Relu_output_0", NULL};
        l->aliases = i ? NULL : other;
        l->name = i < 22 ? net[k].name : mem_printf("%s.r%d", net[k].name, i / 20);
        l->kind = net[k].kind;
        if (k == 21)
            snprintf(l->shape, sizeof l->shape, "%dx%d", net[k].cout, net[k].cin);
        else
            snprintf(l->shape, sizeof l->shape, "%dx%dx%dx%d", net[k].cout, net[k].cin, net[k].kernel, net[k].kernel);
        l->params = net[k].cout * (net[k].cin * net[k].kernel * net[k].kernel + 1);
        l->macs = (int64_t)net[k].cout * net[k].cin * net[k].kernel * net[k].kernel * net[k].size * net[k].size;
        l->group = i < 22 ? net[k].group : i;
        m->params += l->params;
        m->macs += l->macs;
    }
    return m;
}

struct tables *fixture_unknown(int n)
{
    return tables_new(n);
}

/* Losses fall by a factor of four a bit; time grows a little with bits; bytes are exact for codes, scales and biases.
 */
static struct tables *make_tables(const struct desk_model *m)
{
    struct tables *t = tables_new(m->n);
    t->layers_measured = m->n;
    t->fp32_accuracy = 92.4;
    t->fit.scale = 40;
    t->fit.power = 1;
    t->fit.error_rel = 0.2;
    t->fit.error_abs = 0.1;
    t->base_loss = 0;
    t->cost.known = true;
    t->cost.error_rel = 0.09;
    t->cost.other_ns = 20e3;
    t->cost.other_fp32_ns = 30e3;
    t->calibration_images = 512;
    t->cost.fp32_latency_ns = t->cost.other_fp32_ns;
    for (int i = 0; i < m->n; i++) {
        struct layer_table *l = &t->layers[i];
        const struct desk_layer *s = &m->layers[i];
        int cout = i == 21 ? 10 : 16 << (i > 6) << (i > 13);
        l->measured = true;
        l->macs = (double)s->macs;
        l->weights = (double)(s->params - cout);
        l->loss_w[0] = l->loss_a[0] = 0;
        for (int b = 1; b < WIDTHS; b++) {
            l->loss_w[b] = (1 + i * 7 % 5) * 2e-5 * pow(3.2, 8 - b) * (i == 0 || i == 21 ? 3 : 1);
            l->loss_a[b] = 0.4 * l->loss_w[b];
        }
        for (int gr = 0; gr < GRANULARITY_COUNT; gr++) {
            l->sqnr[gr][0] = INFINITY;
            l->bytes[gr][0] = 4 * s->params;
            for (int b = 1; b < WIDTHS; b++) {
                l->sqnr[gr][b] = 6.02 * b - 4 + i % 3 - (gr == GRANULARITY_TENSOR ? 3 : 0);
                l->bytes[gr][b] = ((int64_t)l->weights * b + 7) / 8 + 4 * cout + 4 * (gr ? cout : 1);
            }
        }
        for (int w = 0; w < WIDTHS; w++)
            for (int a = 0; a < WIDTHS; a++)
                t->cost.layers[i].latency_ns[w][a] = w && a ? l->macs * 0.008 * (1 + (w + a) / 16.0) : l->macs * 0.05;
        t->cost.fp32_latency_ns += t->cost.layers[i].latency_ns[0][0];
    }
    return t;
}

struct desk *fixture_desk(int n)
{
    struct desk_model *m = make_model(n);
    const char **names = mem_new((size_t)n + 1, sizeof *names), **kinds = mem_new((size_t)n + 1, sizeof *kinds);
    for (int i = 0; i < n; i++) {
        names[i] = m->layers[i].name;
        kinds[i] = m->layers[i].kind;
    }
    struct profile_model pm = {.file = "resnet20.onnx", .fingerprint = "xxh3-0", .n_layers = n, .names = names};
    pm.kinds = kinds;
    struct precision p = precision_default();
    struct profile *profile = profile_new(&pm, &p);
    mem_free(names);
    mem_free(kinds);
    return desk_new(m, profile, "balanced.yaml", make_tables(m));
}

void fixture_free(struct desk *d)
{
    const struct desk_model *m = d->model;
    desk_free(d);
    for (int i = 22; i < m->n; i++)
        mem_free((void *)(uintptr_t)m->layers[i].name);
    mem_free(m->layers);
    mem_free((void *)(uintptr_t)m);
}
