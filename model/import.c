/* SPDX-License-Identifier: MIT
 *
 * From the plain ONNX model to a built graph: inputs, initializers, nodes in topological order through the operator
 * table, shapes held against what the file declares.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "model/layers.h"
#include "model/ops.h"
#include "model/passes.h"

enum { OPSET_MIN = 7, OPSET_MAX = 21 };

static int fail_tensor(struct build *b, const char *name, const char *what)
{
    return err_set(b->e, "%s: tensor \"%s\" %s", b->file, onnx_name_show(&b->arena, name), what);
}

static int import_initializers(struct build *b)
{
    for (int i = 0; i < b->model.n_initializers; i++) {
        const struct onnx_tensor *t = &b->model.initializers[i];
        const struct source s = {.name = t->name};
        struct array value;
        struct err why;
        if (names_get(&b->bound, t->name) >= 0)
            return fail_tensor(b, t->name, "is defined twice");
        if (onnx_tensor_read(t, &b->arena, &value, &why))
            return build_fail(b, &s, "%s", why.text);
        int c = build_array(b, &s, t->name, &value);
        if (c < 0)
            return -1;
        if (value.type == DTYPE_F32 && shape_count(&t->shape) == 0 && t->shape.n > 1)
            return fail_tensor(b, t->name, "has a dimension of 0");
        names_put(&b->bound, t->name, c);
    }
    return 0;
}

/* Inputs that must be fed: those without an initializer (which files before IR 4 list too). */
static bool is_fed(const struct build *b, const struct onnx_value *v)
{
    int t = names_get(&b->bound, v->name);
    return t < 0 || !b->tensors[t].data;
}

/* A batch that is baked into every input is taken as 1; inputs that differ keep what they say. */
static int64_t find_batch(const struct build *b)
{
    int64_t batch = 0;
    for (int i = 0; i < b->model.n_inputs; i++) {
        const struct onnx_value *v = &b->model.inputs[i];
        if (!is_fed(b, v))
            continue;
        int64_t d = v->rank >= 2 && v->d[0] > 0 ? v->d[0] : 1;
        if (batch && d != batch)
            return 1;
        batch = d;
    }
    return batch ? batch : 1;
}

static int import_input(struct build *b, const struct onnx_value *v)
{
    const struct source s = {.name = v->name};
    struct shape shape = {.n = v->rank};
    if (v->rank < 0)
        return fail_tensor(b, v->name, "is an input without a shape");
    if (onnx_dtype(v->type) != DTYPE_F32)
        return build_fail(b, &s, "an input of data type %d is not supported, only float", v->type);
    for (int i = 0; i < v->rank; i++) {
        shape.d[i] = i == 0 && (v->d[0] == -1 || (b->batch > 1 && v->d[0] == b->batch)) ? 1 : v->d[i];
        if (shape.d[i] < 1)
            return build_fail(b, &s, "dimension %d of this input is %s; export the model with fixed sizes", i,
                              shape.d[i] == 0 ? "0" : "not a number");
    }
    if (names_get(&b->bound, v->name) >= 0)
        return fail_tensor(b, v->name, "is defined twice");
    int t = build_tensor(b, &s, v->name, DTYPE_F32, &shape);
    if (t < 0)
        return -1;
    names_put(&b->bound, v->name, t);
    b->inputs[b->n_inputs++] = t;
    return 0;
}

static int import_inputs(struct build *b)
{
    b->batch = find_batch(b);
    b->inputs = arena_new(&b->arena, (size_t)b->model.n_inputs, sizeof *b->inputs);
    for (int i = 0; i < b->model.n_inputs; i++)
        if (is_fed(b, &b->model.inputs[i]) && import_input(b, &b->model.inputs[i]))
            return -1;
    return b->n_inputs ? 0 : err_set(b->e, "%s: the model has no input", b->file);
}

/* Which node makes which tensor. Two makers of one name, or one that an input or initializer has, are an error. */
static int find_producers(struct build *b, struct names *producers)
{
    for (int i = 0; i < b->model.n_nodes; i++) {
        const struct onnx_node *n = &b->model.nodes[i];
        for (int k = 0; k < n->n_out; k++)
            if (*n->out[k] && (names_get(&b->bound, n->out[k]) >= 0 || names_put(producers, n->out[k], i) >= 0))
                return fail_tensor(b, n->out[k], "is defined twice");
    }
    return 0;
}

static const char *name_of_node(struct build *b, int i)
{
    const struct onnx_node *n = &b->model.nodes[i];
    return *n->name ? n->name : arena_printf(&b->arena, "%s_%d", n->op_type, i);
}

enum mark { NEW, OPEN, DONE };

/* Depth first, with a stack of its own: file order stays where it is a topological order already. */
static int visit_node(struct build *b, const struct names *producers, char *mark, int *stack, int *at, int root,
                      int *order, int *n_order)
{
    int depth = 0;
    stack[depth++] = root;
    mark[root] = OPEN;
    while (depth) {
        int i = stack[depth - 1], from;
        const struct onnx_node *n = &b->model.nodes[i];
        if (at[i] == n->n_in) {
            mark[i] = DONE;
            order[(*n_order)++] = i;
            depth--;
            continue;
        }
        const char *in = n->in[at[i]++];
        if (!*in || names_get(&b->bound, in) >= 0)
            continue;
        from = names_get(producers, in);
        struct source s = {.node = n, .name = name_of_node(b, i)};
        if (from < 0)
            return build_fail(b, &s, "its input \"%s\" is not defined anywhere", onnx_name_show(&b->arena, in));
        if (mark[from] == OPEN)
            return build_fail(b, &s, "it is part of a cycle through \"%s\"", onnx_name_show(&b->arena, in));
        if (mark[from] == NEW) {
            mark[from] = OPEN;
            stack[depth++] = from;
        }
    }
    return 0;
}

static int sort_nodes(struct build *b, int *order)
{
    struct names producers = {0};
    size_t n = (size_t)b->model.n_nodes;
    char *mark = mem_new(n, 1);
    int *stack = mem_new(n, sizeof *stack), *at = mem_new(n, sizeof *at), n_order = 0;
    int rc = find_producers(b, &producers);
    for (int i = 0; !rc && i < b->model.n_nodes; i++)
        if (mark[i] == NEW)
            rc = visit_node(b, &producers, mark, stack, at, i, order, &n_order);
    mem_free(at);
    mem_free(stack);
    mem_free(mark);
    names_done(&producers);
    return rc;
}

/* A declared shape that contradicts the inferred one means that file or reader is wrong about the model. */
static int check_declared(struct build *b, const struct onnx_value *v)
{
    int t = names_get(&b->bound, v->name);
    if (t < 0 || v->rank < 0)
        return 0;
    const struct shape *got = &b->tensors[t].shape;
    bool same = v->rank == got->n;
    for (int i = 0; same && i < v->rank; i++)
        same = v->d[i] == -1 || v->d[i] == got->d[i] || (i == 0 && v->d[0] == b->batch && got->d[0] == 1);
    if (same)
        return 0;
    struct shape said = {.n = v->rank};
    memcpy(said.d, v->d, sizeof said.d);
    return err_set(b->e, "%s: tensor \"%s\" is declared with shape %s, but is %s", b->file,
                   onnx_name_show(&b->arena, v->name), shape_show(&b->arena, &said), shape_show(&b->arena, got));
}

static int import_node(struct build *b, int i, const struct names *declared)
{
    const struct onnx_node *n = &b->model.nodes[i];
    struct source s = {.node = n, .name = name_of_node(b, i), .n_in = n->n_in};
    bool ours = !*n->domain || strcmp(n->domain, "ai.onnx") == 0;
    const struct import_row *row = ours ? import_row_find(n->op_type) : NULL;
    if (!row)
        return build_fail(b, &s, "operator %s%s%s is not supported", onnx_name_show(&b->arena, n->domain),
                          *n->domain ? "." : "", onnx_name_show(&b->arena, n->op_type));
    if (n->n_out < 1 || !*n->out[0])
        return build_fail(b, &s, "it has no output");
    if (n->n_in > row->max_in)
        return build_fail(b, &s, "%d inputs, operator %s takes at most %d", n->n_in, n->op_type, row->max_in);
    int *in = arena_new(&b->arena, (size_t)(n->n_in > row->min_in ? n->n_in : row->min_in), sizeof *in);
    for (int k = 0; k < n->n_in; k++) {
        in[k] = *n->in[k] ? names_get(&b->bound, n->in[k]) : -1;
        if (*n->in[k] && in[k] < 0)
            return build_fail(b, &s, "its input \"%s\" is an output that is not supported",
                              onnx_name_show(&b->arena, n->in[k]));
    }
    for (int k = 0; k < row->min_in; k++)
        if (k >= n->n_in || in[k] < 0)
            return build_fail(b, &s, "input %d of operator %s is missing", k, n->op_type);
    s.in = in;
    if (row->import(b, &s) || b->failed)
        return -1;
    for (int k = 0; k < n->n_out; k++) {
        int v = *n->out[k] ? names_get(declared, n->out[k]) : -1;
        if (v >= 0 &&
            check_declared(b, v < b->model.n_values ? &b->model.values[v] : &b->model.outputs[v - b->model.n_values]))
            return -1;
    }
    return 0;
}

static int import_nodes(struct build *b)
{
    struct names declared = {0};
    int *order = mem_new((size_t)b->model.n_nodes, sizeof *order);
    for (int i = 0; i < b->model.n_values; i++)
        names_set(&declared, b->model.values[i].name, i);
    for (int i = 0; i < b->model.n_outputs; i++) /* an output's own declaration wins */
        names_set(&declared, b->model.outputs[i].name, b->model.n_values + i);
    int rc = sort_nodes(b, order);
    for (int i = 0; !rc && i < b->model.n_nodes; i++)
        rc = import_node(b, order[i], &declared);
    mem_free(order);
    names_done(&declared);
    return rc;
}

/* An output that is another name of a tensor becomes a copy, so that it keeps its own name. */
static int import_output(struct build *b, const struct onnx_value *v)
{
    int t = names_get(&b->bound, v->name);
    if (t < 0)
        return fail_tensor(b, v->name, "is an output of the model, but no node makes it");
    if (b->tensors[t].data)
        return fail_tensor(b, v->name, "is an output of the model, but does not depend on its input");
    if (b->tensors[t].producer < 0 && strcmp(b->tensors[t].name, v->name) == 0)
        return fail_tensor(b, v->name, "is both an input and an output of the model");
    if (strcmp(b->tensors[t].name, v->name) != 0) {
        const char *const out[] = {v->name};
        const struct onnx_node copy = {.op_type = "Identity", .n_out = 1, .out = out};
        const struct source s = {.node = &copy, .name = arena_printf(&b->arena, "%s.copy", v->name)};
        struct shape shape = b->tensors[t].shape;
        if (build_node(b, &s, OP_RESHAPE, 1, &t, &shape, NULL, &t))
            return -1;
    }
    for (int i = 0; i < b->n_outputs; i++)
        if (b->outputs[i] == t)
            return fail_tensor(b, v->name, "is listed twice as an output");
    b->outputs[b->n_outputs++] = t;
    return 0;
}

static int import_outputs(struct build *b)
{
    b->outputs = arena_new(&b->arena, (size_t)b->model.n_outputs, sizeof *b->outputs);
    for (int i = 0; i < b->model.n_outputs; i++)
        if (import_output(b, &b->model.outputs[i]))
            return -1;
    return b->n_outputs ? 0 : err_set(b->e, "%s: the model has no output", b->file);
}

static int import_model(struct build *b)
{
    if (b->model.opset < OPSET_MIN || b->model.opset > OPSET_MAX)
        return err_set(b->e, "%s: opset %lld is not supported, only %d to %d", b->file, (long long)b->model.opset,
                       OPSET_MIN, OPSET_MAX);
    if (import_initializers(b) || import_inputs(b) || import_nodes(b) || import_outputs(b))
        return -1;
    return passes_run(b);
}

struct graph *graph_parse(const char *file, const void *bytes, size_t n, struct err *e)
{
    struct err unused;
    struct build b = {.file = file, .e = e ? e : &unused};
    struct graph *g = NULL;
    if (onnx_read(&b.model, file, bytes, n, b.e) == 0 && import_model(&b) == 0) {
        g = build_finish(&b);
        hash_fingerprint(bytes, n, g->fingerprint);
        if (layers_find(g, b.e)) {
            graph_free(g);
            g = NULL;
        }
    }
    build_done(&b);
    return g;
}
