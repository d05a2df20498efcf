/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "model/graph_load.h"
#include "model/names.h"
#include "quant/own.h"

static const struct column columns[] = {
    {"index", "#", COLUMN_NUMBER},
    {"name", NULL, COLUMN_TEXT},
    {"op", NULL, COLUMN_TEXT},
    {"weight", NULL, COLUMN_TEXT},
    {"output", NULL, COLUMN_TEXT, .drop = 2},
    {"parameters", "params", COLUMN_NUMBER, .group = true},
    {"macs", "MACs", COLUMN_NUMBER, .group = true},
    {"parameters_percent", "params%", COLUMN_NUMBER, .decimals = 1},
    {"macs_percent", "MACs%", COLUMN_NUMBER, .decimals = 1},
    {"own", NULL, COLUMN_TEXT, .hide = true},
    {"group", NULL, COLUMN_NUMBER, READER_MACHINE},
    {"node", NULL, COLUMN_TEXT, READER_MACHINE},
    {"tensor", NULL, COLUMN_TEXT, READER_MACHINE},
    {"fused", NULL, COLUMN_TEXT, READER_MACHINE, .list = true},
    {"notes", NULL, COLUMN_TEXT, .hide = true, .drop = 1},
};

/* "16x8x3x3" */
static void put_shape(struct text *out, const struct shape *s)
{
    for (int i = 0; i < s->n; i++)
        text_printf(out, "%s%lld", i ? "x" : "", (long long)s->d[i]);
    if (!s->n)
        text_put(out, "scalar");
}

enum { SHARERS_SHOWN = 8 };

/* sharers[group]: how many layers have that group. */
static void put_notes(struct text *out, const struct graph *g, const int *sharers, int layer)
{
    const struct layer *l = &g->layers[layer];
    const struct node *n = &g->nodes[l->node];
    const char *comma = "";
    if (!layer || layer == g->n_layers - 1) {
        text_put(out, !layer ? "first layer" : "last layer");
        comma = ", ";
    }
    if (n->act_name) {
        text_printf(out, isinf(n->act_hi) ? "%sRelu fused" : "%sclamp %g..%g fused", comma, n->act_lo, n->act_hi);
        comma = ", ";
    }
    const struct lattice *w = g->tensors[n->in[1]].lattice;
    if (w && g->tensors[n->in[1]].data && !l->own.w_bits) {
        if (w->n_scales > 1 && w->axis != 0)
            text_printf(out, "%sthe file's weight scales lie along its inputs", comma);
        else
            text_printf(out, "%sthe file's weights %d..%d do not fit kernels", comma, w->lo, w->hi);
        comma = ", ";
    }
    int others = sharers[l->group] - 1, shown = others > SHARERS_SHOWN ? SHARERS_SHOWN : others;
    for (int i = 0, k = 0; k < shown; i++) {
        if (i == layer || g->layers[i].group != l->group)
            continue;
        text_printf(out, "%sshares its input with %s", comma, g->layers[i].name);
        comma = ", ";
        k++;
    }
    if (others > shown)
        text_printf(out, " and %d more", others - shown);
}

static void add_row(struct table *t, const struct graph *g, const int *sharers, int layer)
{
    const struct layer *l = &g->layers[layer];
    const struct node *n = &g->nodes[l->node];
    struct text s = {0};
    table_add_number(t, layer);
    table_add_text(t, l->name);
    table_add_text(t, l->kind);
    put_shape(&s, &g->tensors[n->in[1]].shape);
    table_add_text(t, s.s);
    s.n = 0;
    put_shape(&s, &g->tensors[n->out[0]].shape);
    table_add_text(t, s.s);
    table_add_number(t, (double)l->params);
    table_add_number(t, (double)l->macs);
    table_add_number(t, g->params ? 100.0 * (double)l->params / (double)g->params : 0);
    table_add_number(t, g->macs ? 100.0 * (double)l->macs / (double)g->macs : 0);
    const struct precision own = own_precision(l);
    char width[16];
    table_add_text(t, own.w_bits || own.a_bits ? precision_text(&own, width) : NULL);
    table_add_number(t, l->group);
    table_add_text(t, n->name);
    table_add_text(t, g->tensors[n->out[0]].name);
    s.n = 0;
    text_put(&s, "");
    for (const struct node_name *f = n->fused; f; f = f->next)
        text_printf(&s, "%s%s", s.n ? "\t" : "", f->name);
    table_add_text(t, s.s);
    s.n = 0;
    text_put(&s, "");
    put_notes(&s, g, sharers, layer);
    table_add_text(t, *s.s ? s.s : NULL);
    text_done(&s);
}

/* What takes no precision of its own, by operator: "9 Add, 1 Reshape". Also as JSON. */
static void put_others(struct report *r, const struct graph *g)
{
    cJSON *others = cJSON_AddObjectToObject(r->json, "other_operators");
    bool *is_layer = mem_new((size_t)g->n_nodes, sizeof *is_layer);
    int *counts = mem_new((size_t)g->n_nodes, sizeof *counts); /* at the first node of each operator */
    struct names first = {0};
    for (int i = 0; i < g->n_layers; i++)
        is_layer[g->layers[i].node] = true;
    for (int i = 0; i < g->n_nodes; i++) {
        if (is_layer[i] || g->nodes[i].helper) /* a step on the way to a node that is counted */
            continue;
        int at = names_put(&first, g->nodes[i].op_type, i);
        counts[at < 0 ? i : at]++;
    }
    for (int i = 0; i < g->n_nodes; i++) {
        if (!counts[i])
            continue;
        const char *type = g->nodes[i].op_type;
        text_printf(&r->foot, "%s%d %s", r->foot.n ? ", " : "without a precision of their own: ", counts[i], type);
        cJSON_AddNumberToObject(others, type, counts[i]);
    }
    if (r->foot.n)
        text_put(&r->foot, "\n");
    names_done(&first);
    mem_free(counts);
    mem_free(is_layer);
}

/* Products on codes that are made anew for every image have no profile of their own. */
static void put_dynamic(struct report *r, const struct graph *g)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        n += !strcmp(g->nodes[i].op_type, "MatMulInteger") || !strcmp(g->nodes[i].op_type, "ConvInteger");
    if (n)
        text_printf(&r->foot,
                    "%d of them are products on integers whose ranges the model finds anew for every image: they run "
                    "exactly so, as no layers\n",
                    n);
}

static void put_model(struct report *r, const struct graph *g)
{
    char macs[32], params[32];
    cJSON *model = cJSON_GetObjectItem(r->json, "model");
    cJSON_AddNumberToObject(model, "opset", (double)g->opset);
    cJSON_AddNumberToObject(model, "ir_version", (double)g->ir_version);
    cJSON_AddStringToObject(model, "producer", g->producer ? g->producer : "");
    cJSON_AddNumberToObject(model, "parameters", (double)g->params);
    cJSON_AddNumberToObject(model, "macs", (double)g->macs);
    cJSON_AddBoolToObject(model, "quantized", g->quantized);
    cJSON_AddNumberToObject(model, "file_nodes", g->n_file_nodes);
    cJSON_AddNumberToObject(model, "nodes", g->n_nodes);
    cJSON *inputs = cJSON_AddArrayToObject(model, "inputs");
    text_printf(&r->head, "%s   opset %lld", g->file, (long long)g->opset);
    for (int i = 0; i < g->n_inputs; i++) {
        const struct tensor *t = &g->tensors[g->inputs[i]];
        struct text s = {0};
        put_shape(&s, &t->shape);
        text_printf(&r->head, "   input %s%s%s", g->n_inputs > 1 ? t->name : "", g->n_inputs > 1 ? " " : "", s.s);
        text_done(&s);
        cJSON *input = cJSON_CreateObject(), *shape = cJSON_CreateArray();
        cJSON_AddStringToObject(input, "name", t->name);
        for (int d = 0; d < t->shape.n; d++)
            cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)t->shape.d[d]));
        cJSON_AddItemToObject(input, "shape", shape);
        cJSON_AddItemToArray(inputs, input);
    }
    cJSON *unread = cJSON_AddArrayToObject(model, "unread_inputs");
    for (int i = 0; i < g->n_unread; i++) {
        text_printf(&r->head, "   input %s is not read", g->unread[i]);
        cJSON_AddItemToArray(unread, cJSON_CreateString(g->unread[i]));
    }
    text_printf(&r->head, "   %d layers to quantize   %s params   %s MACs\n", g->n_layers,
                text_count(g->params, params), text_count(g->macs, macs));
}

static int start(const struct options *o)
{
    struct err e;
    int status = report_check_output(o, o->output);
    if (status)
        return status;
    struct graph *g = graph_load_with(o->arguments.items[1], &o->session.graph, &e);
    if (!g)
        return report_fail(EXIT_MODEL, &e);
    struct report r;
    report_init(&r, "inspect", g->file, g->fingerprint);
    put_model(&r, g);
    put_others(&r, g);
    put_dynamic(&r, g);
    struct table *t = table_new("layers", columns, sizeof columns / sizeof *columns);
    int *sharers = mem_new((size_t)g->n_groups + 1, sizeof *sharers);
    for (int i = 0; i < g->n_layers; i++)
        sharers[g->layers[i].group]++;
    for (int i = 0; i < g->n_layers; i++)
        add_row(t, g, sharers, i);
    mem_free(sharers);
    report_add(&r, t, REPORT_LIST);
    status = report_write(&r, o);
    report_done(&r);
    graph_free(g);
    return status;
}

const struct command command_inspect = {
    .name = "inspect",
    .arguments = "MODEL",
    .help = "layers, shapes, parameters, MACs: what can be quantized",
    .min_arguments = 1,
    .max_arguments = 1,
    .takes = TAKES_INPUTS | TAKES_TABLES,
    .run = start,
};
