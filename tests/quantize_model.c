/* SPDX-License-Identifier: MIT */
#include "tests/quantize_model.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/onnx.pb-c.h"
#include "quant/range.h"

enum { MOST = 2000, FLOATS = 1, U8 = 2, I8 = 3, I32 = 6 };

struct work {
    struct arena *a;
    const struct graph *g;
    const struct calibration *c;
    Onnx__GraphProto *graph;
    Onnx__NodeProto **nodes;
    size_t n_nodes;
};

static void *take(void *arena, size_t n)
{
    return arena_new(arena, n + 1, 1);
}

static void leave(void *arena, void *p)
{
    (void)arena;
    (void)p;
}

static char *suffixed(struct work *w, const char *name, const char *suffix)
{
    return arena_printf(w->a, "%s%s", name, suffix);
}

static Onnx__TensorProto *find(const struct work *w, const char *name)
{
    for (size_t i = 0; i < w->graph->n_initializer; i++)
        if (!strcmp(w->graph->initializer[i]->name, name))
            return w->graph->initializer[i];
    return NULL;
}

static const float *floats(const Onnx__TensorProto *t)
{
    return t->raw_data.len ? (const float *)(const void *)t->raw_data.data : t->float_data;
}

static Onnx__TensorProto *add_tensor(struct work *w, char *name, int type, size_t n_dims, const int64_t *dims)
{
    Onnx__TensorProto *t = arena_new(w->a, 1, sizeof *t);
    size_t n = 1;
    onnx__tensor_proto__init(t);
    t->name = name;
    t->data_type = type;
    t->n_dims = n_dims;
    t->dims = arena_new(w->a, n_dims + 1, sizeof *t->dims);
    for (size_t i = 0; i < n_dims; i++)
        n *= (size_t)(t->dims[i] = dims[i]);
    if (type == I8) {
        t->raw_data = (ProtobufCBinaryData){n, arena_new(w->a, n, 1)};
    } else if (type == FLOATS) {
        t->float_data = arena_new(w->a, n, sizeof(float));
        t->n_float_data = n;
    } else {
        t->int32_data = arena_new(w->a, n, sizeof(int32_t));
        t->n_int32_data = n;
    }
    assert(w->graph->n_initializer < MOST);
    return w->graph->initializer[w->graph->n_initializer++] = t;
}

static Onnx__NodeProto *add_node(struct work *w, const char *op, char *x, char *scale, char *zero, char *y)
{
    Onnx__NodeProto *n = arena_new(w->a, 1, sizeof *n);
    onnx__node_proto__init(n);
    n->op_type = arena_strdup(w->a, op);
    n->name = suffixed(w, y, ".node");
    n->input = arena_new(w->a, 3, sizeof *n->input);
    n->input[0] = x;
    n->input[1] = scale;
    n->input[2] = zero;
    n->n_input = 3;
    n->output = arena_new(w->a, 1, sizeof *n->output);
    n->output[0] = y;
    n->n_output = 1;
    assert(w->n_nodes < MOST);
    return w->nodes[w->n_nodes++] = n;
}

static void set_axis(struct work *w, Onnx__NodeProto *n, int64_t axis)
{
    Onnx__AttributeProto *a = arena_new(w->a, 1, sizeof *a);
    onnx__attribute_proto__init(a);
    a->name = arena_strdup(w->a, "axis");
    a->type = 2;
    a->i = axis;
    n->attribute = arena_new(w->a, 1, sizeof *n->attribute);
    n->attribute[0] = a;
    n->n_attribute = 1;
}

/* The dequantized name of an activation, with the nodes that make it; the name itself where it has no range. */
static char *quantize_activation(struct work *w, char *name, float *scale)
{
    char *out = suffixed(w, name, ".dq");
    int t = -1;
    for (int i = 0; i < w->g->n_tensors; i++)
        if (!strcmp(w->g->tensors[i].name, name) && !w->g->tensors[i].data)
            t = i;
    if (t < 0 || !w->c->tensors[t])
        return name;
    struct act_quant q = range_act_quant(w->c->tensors[t], 8, RANGE_MINMAX);
    *scale = q.scale;
    for (size_t i = 0; i < w->n_nodes; i++)
        if (!strcmp(w->nodes[i]->output[0], out))
            return out;
    add_tensor(w, suffixed(w, name, ".scale"), FLOATS, 0, NULL)->float_data[0] = q.scale;
    add_tensor(w, suffixed(w, name, ".zero"), U8, 0, NULL)->int32_data[0] = (int32_t)q.zero;
    add_node(w, "QuantizeLinear", name, suffixed(w, name, ".scale"), suffixed(w, name, ".zero"),
             suffixed(w, name, ".q"));
    add_node(w, "DequantizeLinear", suffixed(w, name, ".q"), suffixed(w, name, ".scale"), suffixed(w, name, ".zero"),
             out);
    return out;
}

/* Codes of channel c of [cout][k] weights, symmetric. Returns the scale. */
static float quantize_row(const float *w, int64_t k, int8_t *codes)
{
    float most = 0;
    for (int64_t i = 0; i < k; i++)
        most = fmaxf(most, fabsf(w[i]));
    float scale = most > 0 ? most / 127 : 1;
    for (int64_t i = 0; i < k; i++)
        codes[i] = (int8_t)rintf(w[i] / scale);
    return scale;
}

/* Weights [cout].. of input 1 and the bias of input 2, the first axis being the output channels. */
static void quantize_weights(struct work *w, Onnx__NodeProto *n, float x_scale)
{
    const Onnx__TensorProto *t = find(w, n->input[1]);
    assert(t);
    int64_t cout = t->dims[0], k = 1;
    for (size_t i = 1; i < t->n_dims; i++)
        k *= t->dims[i];
    char *name = n->input[1];
    Onnx__TensorProto *codes = add_tensor(w, suffixed(w, name, ".codes"), I8, t->n_dims, t->dims);
    Onnx__TensorProto *scale = add_tensor(w, suffixed(w, name, ".scale"), FLOATS, 1, &cout);
    Onnx__TensorProto *zero = add_tensor(w, suffixed(w, name, ".zero"), I8, 1, &cout);
    for (int64_t c = 0; c < cout; c++)
        scale->float_data[c] = quantize_row(floats(t) + c * k, k, (int8_t *)codes->raw_data.data + c * k);
    n->input[1] = suffixed(w, name, ".dq");
    set_axis(w, add_node(w, "DequantizeLinear", codes->name, scale->name, zero->name, n->input[1]), 0);
    if (n->n_input < 3)
        return;
    const Onnx__TensorProto *bias = find(w, n->input[2]);
    Onnx__TensorProto *sums = add_tensor(w, suffixed(w, bias->name, ".codes"), I32, 1, &cout);
    Onnx__TensorProto *step = add_tensor(w, suffixed(w, bias->name, ".scale"), FLOATS, 1, &cout);
    Onnx__TensorProto *none = add_tensor(w, suffixed(w, bias->name, ".zero"), I32, 1, &cout);
    for (int64_t c = 0; c < cout; c++) {
        step->float_data[c] = scale->float_data[c] * x_scale;
        sums->int32_data[c] = (int32_t)rintf(floats(bias)[c] / step->float_data[c]);
    }
    n->input[2] = suffixed(w, bias->name, ".dq");
    set_axis(w, add_node(w, "DequantizeLinear", sums->name, step->name, none->name, n->input[2]), 0);
}

unsigned char *quantize_model(const void *model, size_t size, const struct graph *g, const struct calibration *c,
                              struct arena *a, size_t *n)
{
    ProtobufCAllocator memory = {take, leave, a};
    Onnx__ModelProto *m = onnx__model_proto__unpack(&memory, size, model);
    assert(m);
    struct work w = {.a = a, .g = g, .c = c, .graph = m->graph};
    w.nodes = arena_new(a, MOST, sizeof *w.nodes);
    Onnx__TensorProto **initializers = arena_new(a, MOST, sizeof *initializers);
    memcpy(initializers, m->graph->initializer, m->graph->n_initializer * sizeof *initializers);
    m->graph->initializer = initializers;
    for (size_t i = 0; i < m->graph->n_node; i++) {
        Onnx__NodeProto *node = m->graph->node[i];
        float scale = 1;
        for (size_t k = 0; k < node->n_input; k++)
            if (!find(&w, node->input[k]))
                node->input[k] = quantize_activation(&w, node->input[k], &scale);
        if (!strcmp(node->op_type, "Conv") || !strcmp(node->op_type, "Gemm"))
            quantize_weights(&w, node, scale);
        w.nodes[w.n_nodes++] = node;
    }
    m->graph->node = w.nodes;
    m->graph->n_node = w.n_nodes;
    *n = onnx__model_proto__get_packed_size(m);
    unsigned char *out = arena_new(a, *n, 1);
    onnx__model_proto__pack(m, out);
    return out;
}
