/* SPDX-License-Identifier: MIT
 *
 * From the plain ONNX model to a built graph: inputs, initializers, nodes in topological order through the operator
 * table, shapes held against what the file declares.
 */
#include <string.h>

#include "model/control.h"
#include "model/fold.h"
#include "model/import.h"
#include "model/lattice.h"
#include "model/lower.h"
#include "model/passes.h"

enum { OPSET_MAX = 21 };

int import_fail_tensor(struct build *b, const char *name, const char *what)
{
    return err_set(b->e, "%s: tensor \"%s\" %s", b->file, onnx_name_show(&b->arena, name), what);
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

/* A batch that was taken as 1 stands in the constant shapes of Reshape as the file's number. */
static int rebatch_reshape(struct build *b, struct source *s)
{
    if (b->batch <= 1 || strcmp(s->node->op_type, "Reshape") || s->n_in < 2 || s->in[0] < 0 || s->in[1] < 0 ||
        b->tensors[s->in[0]].data)
        return 0;
    const struct tensor *t = &b->tensors[s->in[1]];
    if (t->type != DTYPE_I64 || !t->data || !shape_count(&t->shape) || *(const int64_t *)t->data != b->batch)
        return 0;
    struct array one = {t->type, t->shape, arena_new(&b->arena, (size_t)shape_count(&t->shape), sizeof(int64_t))};
    memcpy(one.data, t->data, array_bytes(&one));
    *(int64_t *)one.data = 1;
    int *in = arena_new(&b->arena, (size_t)s->n_in, sizeof *in);
    memcpy(in, s->in, (size_t)s->n_in * sizeof *in);
    in[1] = build_array(b, s, build_name(b, s, "shape"), &one);
    s->in = in;
    return in[1] < 0 ? -1 : 0;
}

const char *import_node_name(struct build *b, const struct onnx_node *n, int i)
{
    return *n->name ? n->name : arena_printf(&b->arena, "%s_%d", n->op_type, i);
}

static int opset_of(const struct build *b, const char *domain)
{
    for (int i = 0; i < b->model.n_opsets; i++)
        if (!strcmp(b->model.opsets[i].domain, strcmp(domain, "ai.onnx") ? domain : ""))
            return (int)b->model.opsets[i].version;
    return 1;
}

/* Inputs as arrays, and what the operator says about its outputs. */
static int infer_node(struct build *b, const struct source *s, struct op_call *c)
{
    struct array *in = arena_new(&b->arena, (size_t)s->n_in + 1, sizeof *in);
    for (int k = 0; k < s->n_in; k++)
        if (s->in[k] >= 0) {
            const struct tensor *t = &b->tensors[s->in[k]];
            in[k] = (struct array){t->type, t->shape, (void *)t->data};
            if (!in[k].data && !shape_count(&t->shape)) /* nothing is known at once */
                in[k].data = arena_new(&b->arena, 1, 1);
        }
    c->attr = s->node->attr;
    c->n_attr = s->node->n_attr;
    c->opset = c->opset ? c->opset : opset_of(b, s->node->domain);
    c->n_in = s->n_in;
    c->n_out = s->node->n_out;
    c->in = in;
    c->out = arena_new(&b->arena, (size_t)c->n_out + 1, sizeof *c->out);
    struct err why = {""};
    const char *mistyped = NULL;
    c->mistyped = &mistyped;
    int rc = c->row->infer(c, &why);
    c->mistyped = NULL;
    if (mistyped)
        return build_fail(b, s, "attribute %s has the wrong type", mistyped);
    if (rc == OP_WANTS_VALUE) {
        b->wants = s->in[c->wants];
        return build_fail(b, s,
                          "the shape of its output depends on the values of \"%s\", which are not known before it runs",
                          onnx_name_show(&b->arena, b->tensors[b->wants].name));
    }
    return rc ? build_fail(b, s, "%s", why.text) : 0;
}

/* A Constant's tensor is in memory once: it is the constant from here on. */
static bool take_constant(struct build *b, const struct source *s, const struct op_call *c)
{
    struct onnx_tensor *t = s->node->tensor;
    if (strcmp(c->row->name, "Constant") || !t || !t->value.data || control_repeats(b) ||
        !shape_equal(&t->value.shape, &c->out[0].shape) || t->value.type != c->out[0].type)
        return false;
    struct array value = onnx_tensor_take(t);
    c->out[0].data = value.data;
    return true;
}

/* Computed here and now: every value is known, or only shapes are asked for. */
static int fold_node(struct build *b, const struct source *s, struct op_call *c)
{
    const char *wrong = NULL;
    if (!take_constant(b, s, c)) {
        c->work = mem_new(c->work_bytes + 1, 1);
        for (int k = 0; k < c->n_out; k++)
            c->out[k].data = mem_new(array_bytes(&c->out[k]) + 1, 1);
        wrong = c->row->run(c);
        mem_free(c->work);
    }
    int rc = wrong ? build_fail(b, s, "%s", wrong) : 0;
    for (int k = 0; k < c->n_out; k++) {
        if (rc) {
            mem_free(c->out[k].data);
            continue;
        }
        int t = build_take(b, s, *s->node->out[k] ? s->node->out[k] : build_name(b, s, "unused"), &c->out[k]);
        if (t >= 0)
            build_bind(b, s, k, t);
        if (t >= 0 && !k)
            lattice_fold(b, s, c, t);
        rc = t < 0 ? -1 : 0;
    }
    return rc;
}

static bool can_fold(struct build *b, const struct op_call *c)
{
    if (c->row->flags & OP_RANDOM)
        return false;
    for (int k = 0; k < c->n_in && !(c->row->flags & OP_OF_SHAPES); k++)
        if (array_there(&c->in[k]) && !c->in[k].data && shape_count(&c->in[k].shape))
            return false;
    return fold_allowed(b, c);
}

/* The engine's own operators where the node is one of them, else a call of ops/. */
static int lower_node(struct build *b, const struct source *s, const struct op_call *c)
{
    const struct lower_row *row = lower_find(s->node->op_type);
    if (row && !row->any_domain && *s->node->domain && strcmp(s->node->domain, "ai.onnx"))
        row = NULL;
    bool moves = c->row->flags & OP_RESHAPES && c->in[0].type == DTYPE_F32;
    for (int k = 1; k < c->n_out; k++) /* the engine's own have one output */
        if (*s->node->out[k])
            return build_call(b, s, c);
    if (moves)
        return build_reshape(b, s, s->in[0], &c->out[0].shape);
    if (c->row->flags & OP_KEEPS && c->in[0].type == c->out[0].type && shape_equal(&c->in[0].shape, &c->out[0].shape)) {
        build_bind(b, s, 0, s->in[0]); /* Cast to the same type, Expand to the same shape, Concat of one */
        return 0;
    }
    if (!row)
        return build_call(b, s, c);
    struct source inferred = *s;
    inferred.call = c;
    struct err *keep = b->e, aside;
    int n_nodes = b->n_nodes, n_tensors = b->n_tensors, n_twins = b->n_twins;
    b->e = &aside; /* what the engine's own cannot do is no error: the call can */
    bool lowered = row->lower(b, &inferred) == 0 && !b->failed;
    b->e = keep;
    b->failed = false;
    if (lowered)
        return 0;
    build_rollback(b, n_nodes, n_tensors);
    b->n_twins = n_twins;
    return build_call(b, s, c);
}

int import_operands(struct build *b, struct source *s, int min_in, int max_in, int max_out)
{
    const struct onnx_node *n = s->node;
    const char *op = onnx_name_show(&b->arena, n->op_type);
    if (n->n_in > max_in || n->n_out > max_out)
        return build_fail(b, s, "%d inputs and %d outputs, operator %s has at most %d and %d", n->n_in, n->n_out, op,
                          max_in, max_out);
    bool read = false;
    for (int k = 0; k < n->n_out; k++)
        read |= *n->out[k] != '\0';
    if (!read)
        return build_fail(b, s, "it has no output");
    s->n_in = n->n_in > min_in ? n->n_in : min_in;
    int *in = arena_new(&b->arena, (size_t)s->n_in + 1, sizeof *in);
    for (int k = 0; k < s->n_in; k++) {
        in[k] = k < n->n_in && *n->in[k] ? names_get(&b->bound, n->in[k]) : -1;
        if (k < n->n_in && *n->in[k] && in[k] < 0)
            return build_fail(b, s, "its input \"%s\" is an output that is not supported",
                              onnx_name_show(&b->arena, n->in[k]));
        if (k < min_in && in[k] < 0)
            return build_fail(b, s, "input %d of operator %s is missing", k, op);
    }
    s->in = in;
    return 0;
}

/* This node has read its inputs: the last reader of a constant frees it. */
static void release_inputs(struct build *b, const int *in, int n_in)
{
    for (int k = 0; k < n_in; k++)
        if (in[k] >= 0)
            build_release(b, in[k]);
}

static int import_as(struct build *b, struct source *s, struct op_call *c)
{
    if (infer_node(b, s, c))
        return -1;
    return can_fold(b, c) ? fold_node(b, s, c) : lower_node(b, s, c);
}

int import_made(struct build *b, const struct onnx_node *n, const int *in, int opset)
{
    struct source s = {.node = n, .name = n->name, .in = in, .n_in = n->n_in};
    struct op_call c = {.row = op_find("", n->op_type), .opset = opset};
    return import_as(b, &s, &c);
}

/* An operator of ops/. */
static int import_operator(struct build *b, struct source *s)
{
    const struct onnx_node *n = s->node;
    struct op_call c = {.row = op_find(n->domain, n->op_type)};
    if (!c.row)
        return build_fail(b, s, "operator %s%s%s is not supported", onnx_name_show(&b->arena, n->domain),
                          *n->domain ? "." : "", onnx_name_show(&b->arena, n->op_type));
    if (import_operands(b, s, c.row->min_in, c.row->max_in, c.row->max_out))
        return -1;
    const int *in = s->in;
    for (int k = 0; k < s->n_in; k++)
        if (in[k] >= 0 && !b->model.has_subgraphs)
            b->holds[in[k]].readers--;
    if (rebatch_reshape(b, s) || import_as(b, s, &c))
        return -1;
    release_inputs(b, in, s->n_in);
    return 0;
}

static int import_node(struct build *b, const struct onnx_node *n, int i, const struct names *declared)
{
    struct source s = {.node = n, .name = import_node_name(b, n, i)};
    if (control_is(n) ? control_import(b, &s) : import_operator(b, &s))
        return -1;
    for (int k = 0; k < n->n_out; k++) {
        int v = *n->out[k] ? names_get(declared, n->out[k]) : -1;
        if (v >= 0 &&
            check_declared(b, v < b->model.n_values ? &b->model.values[v] : &b->model.outputs[v - b->model.n_values]))
            return -1;
    }
    return 0;
}

int import_nodes(struct build *b, const struct onnx_node *nodes, int n, const struct names *declared)
{
    int *order = mem_new((size_t)n, sizeof *order);
    int rc = import_sort(b, nodes, n, order);
    for (int i = 0; !rc && i < n; i++)
        rc = import_node(b, &nodes[order[i]], order[i], declared);
    mem_free(order);
    return rc;
}

static int import_graph(struct build *b)
{
    struct names declared = {0};
    for (int i = 0; i < b->model.n_values; i++)
        names_set(&declared, b->model.values[i].name, i);
    for (int i = 0; i < b->model.n_outputs; i++) /* an output's own declaration wins */
        names_set(&declared, b->model.outputs[i].name, b->model.n_values + i);
    int rc = import_nodes(b, b->model.nodes, b->model.n_nodes, &declared);
    names_done(&declared);
    return rc;
}

static void count_reader(struct build *b, const char *name)
{
    int n = names_get(&b->readers, name);
    if (*name)
        names_set(&b->readers, name, n > 0 ? n + 1 : 1);
}

/* Who reads what, so that the last reader of a constant is known. What sub-graphs read is not: see build_name_tensor.
 */
static void count_readers(struct build *b)
{
    for (int i = 0; i < b->model.n_nodes; i++)
        for (int k = 0; k < b->model.nodes[i].n_in; k++)
            count_reader(b, b->model.nodes[i].in[k]);
    for (int i = 0; i < b->model.n_outputs; i++)
        count_reader(b, b->model.outputs[i].name);
}

/* An output that is another name of a tensor, an input or a constant becomes a copy, so that it keeps its own name. */
static int import_output(struct build *b, const struct onnx_value *v)
{
    int t = names_get(&b->bound, v->name);
    if (t < 0)
        return import_fail_tensor(b, v->name, "is an output of the model, but no node makes it");
    if (strcmp(b->tensors[t].name, v->name) != 0 || b->tensors[t].data || b->tensors[t].producer < 0) {
        const char *const out[] = {v->name};
        const struct onnx_node copy = {.op_type = "Identity", .domain = "", .n_out = 1, .out = out};
        const struct source s = {
            .node = &copy, .name = arena_printf(&b->arena, "%s.copy", v->name), .in = &t, .n_in = 1};
        struct array in = {b->tensors[t].type, b->tensors[t].shape, NULL}, to = in;
        struct op_call c = {.row = op_find("", "Identity"), .opset = 13, .n_in = 1, .n_out = 1, .in = &in, .out = &to};
        if (build_call(b, &s, &c))
            return -1;
        t = b->n_tensors - 1;
    }
    for (int i = 0; i < b->n_outputs; i++)
        if (b->outputs[i] == t)
            return import_fail_tensor(b, v->name, "is listed twice as an output");
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

int import_model(struct build *b)
{
    if (b->model.opset < 1 || b->model.opset > OPSET_MAX)
        return err_set(b->e, "%s: opset %lld is not supported, only 1 to %d", b->file, (long long)b->model.opset,
                       OPSET_MAX);
    b->file_bytes = b->model.tensor_bytes;
    count_readers(b);
    if (import_initializers(b) || import_inputs(b) || import_graph(b) || import_outputs(b))
        return -1;
    return passes_run(b);
}

int import_wanted(const struct build *b)
{
    for (int i = 0; b->wants >= 0 && i < b->model.n_inputs; i++)
        if (!strcmp(b->model.inputs[i].name, b->tensors[b->wants].name))
            return i;
    return -1;
}
