/* SPDX-License-Identifier: MIT
 *
 * From the plain ONNX model to a built graph: inputs, initializers, nodes in topological order through the operator
 * table, shapes held against what the file declares.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "model/lattice.h"
#include "model/layers.h"
#include "model/lower.h"
#include "model/passes.h"

enum { OPSET_MAX = 21, FOLD_LIMIT = 1 << 26 }; /* elements of a constant that a few bytes of file can make */

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

static const struct graph_input *find_given(const struct build *b, const char *name)
{
    for (int i = 0; b->options && i < b->options->n_inputs; i++)
        if (!strcmp(b->options->inputs[i].name, name))
            return &b->options->inputs[i];
    return NULL;
}

/* The shape that the caller gave, else the file's, with 1 for a batch that is not a number. */
static int input_shape(struct build *b, const struct onnx_value *v, const struct graph_input *given, struct shape *out)
{
    const struct source s = {.name = v->name};
    if (given && given->shape.n >= 0) {
        *out = given->shape;
        bool fits = v->rank < 0 || v->rank == out->n;
        for (int i = 0; fits && i < v->rank; i++)
            fits = v->d[i] == -1 || i == 0 || v->d[i] == out->d[i];
        return fits ? 0 : build_fail(b, &s, "shape %s does not fit what the file says", shape_show(&b->arena, out));
    }
    if (v->rank < 0)
        return fail_tensor(b, v->name, "is an input without a shape; --shape gives one");
    *out = (struct shape){.n = v->rank};
    for (int i = 0; i < v->rank; i++) {
        out->d[i] = i == 0 && (v->d[0] == -1 || (b->batch > 1 && v->d[0] == b->batch)) ? 1 : v->d[i];
        if (out->d[i] < 0)
            return build_fail(b, &s, "dimension %d of this input is not a number; --shape gives it", i);
    }
    return 0;
}

static int import_input(struct build *b, const struct onnx_value *v)
{
    const struct source s = {.name = v->name};
    const struct graph_input *given = find_given(b, v->name);
    enum dtype type = onnx_dtype(v->type);
    struct shape shape;
    if (type == DTYPE_NONE)
        return build_fail(b, &s, "an input of data type %d is not supported", v->type);
    if (names_get(&b->bound, v->name) >= 0)
        return fail_tensor(b, v->name, "is defined twice");
    if (given && array_there(&given->value)) {
        int c = build_array(b, &s, v->name, &given->value);
        if (c >= 0)
            names_put(&b->bound, v->name, c);
        return c < 0 ? -1 : 0;
    }
    if (input_shape(b, v, given, &shape))
        return -1;
    int t = build_tensor(b, &s, v->name, type, &shape);
    if (t < 0)
        return -1;
    names_put(&b->bound, v->name, t);
    b->inputs[b->n_inputs++] = t;
    return 0;
}

/* A name that is no input of the model is a mistake of the caller. */
static int check_given(struct build *b)
{
    for (int i = 0; b->options && i < b->options->n_inputs; i++) {
        bool there = false;
        for (int k = 0; k < b->model.n_inputs; k++)
            there |= !strcmp(b->model.inputs[k].name, b->options->inputs[i].name);
        if (!there)
            return err_set(b->e, "%s: the model has no input \"%s\"", b->file,
                           onnx_name_show(&b->arena, b->options->inputs[i].name));
    }
    return 0;
}

static int import_inputs(struct build *b)
{
    if (check_given(b))
        return -1;
    b->batch = b->options && b->options->keep_batch ? 1 : find_batch(b);
    b->inputs = arena_new(&b->arena, (size_t)b->model.n_inputs, sizeof *b->inputs);
    for (int i = 0; i < b->model.n_inputs; i++)
        if (is_fed(b, &b->model.inputs[i]) && import_input(b, &b->model.inputs[i]))
            return -1;
    return 0;
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

/* A batch that was taken as 1 stands in the constant shapes of Reshape as the file's number. */
static int rebatch_reshape(struct build *b, struct source *s)
{
    if (b->batch <= 1 || strcmp(s->node->op_type, "Reshape") || s->n_in < 2 || b->tensors[s->in[0]].data)
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
    c->opset = opset_of(b, s->node->domain);
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

/* Computed here and now: every value is known, or only shapes are asked for. */
static int fold_node(struct build *b, const struct source *s, struct op_call *c)
{
    c->work = arena_new(&b->arena, c->work_bytes + 1, 1);
    for (int k = 0; k < c->n_out; k++)
        c->out[k].data = arena_new(&b->arena, array_bytes(&c->out[k]) + 1, 1);
    const char *wrong = c->row->run(c);
    if (wrong)
        return build_fail(b, s, "%s", wrong);
    for (int k = 0; k < c->n_out; k++) {
        int t = build_array(b, s, *s->node->out[k] ? s->node->out[k] : build_name(b, s, "unused"), &c->out[k]);
        if (t < 0)
            return -1;
        build_bind(b, s, k, t);
        if (!k)
            lattice_fold(b, s, c, t);
    }
    return 0;
}

static bool can_fold(const struct op_call *c)
{
    if (c->row->flags & OP_RANDOM)
        return false;
    for (int k = 0; k < c->n_out; k++)
        if (shape_count(&c->out[k].shape) > FOLD_LIMIT)
            return false;
    for (int k = 0; k < c->n_in && !(c->row->flags & OP_OF_SHAPES); k++)
        if (array_there(&c->in[k]) && !c->in[k].data && shape_count(&c->in[k].shape))
            return false;
    return true;
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
    if (!row)
        return build_call(b, s, c);
    struct err *keep = b->e, aside;
    int n_nodes = b->n_nodes, n_tensors = b->n_tensors, n_twins = b->n_twins;
    b->e = &aside; /* what the engine's own cannot do is no error: the call can */
    bool lowered = row->lower(b, s) == 0 && !b->failed;
    b->e = keep;
    b->failed = false;
    if (lowered)
        return 0;
    b->n_nodes = n_nodes;
    b->n_tensors = n_tensors;
    b->n_twins = n_twins;
    return build_call(b, s, c);
}

static int read_operands(struct build *b, struct source *s, const struct op_row *row)
{
    const struct onnx_node *n = s->node;
    if (n->n_in > row->max_in || n->n_out > row->max_out)
        return build_fail(b, s, "%d inputs and %d outputs, operator %s has at most %d and %d", n->n_in, n->n_out,
                          n->op_type, row->max_in, row->max_out);
    s->n_in = n->n_in > row->min_in ? n->n_in : row->min_in;
    int *in = arena_new(&b->arena, (size_t)s->n_in + 1, sizeof *in);
    for (int k = 0; k < s->n_in; k++) {
        in[k] = k < n->n_in && *n->in[k] ? names_get(&b->bound, n->in[k]) : -1;
        if (k < n->n_in && *n->in[k] && in[k] < 0)
            return build_fail(b, s, "its input \"%s\" is an output that is not supported",
                              onnx_name_show(&b->arena, n->in[k]));
        if (k < row->min_in && in[k] < 0)
            return build_fail(b, s, "input %d of operator %s is missing", k, n->op_type);
    }
    s->in = in;
    return 0;
}

static int import_node(struct build *b, int i, const struct names *declared)
{
    const struct onnx_node *n = &b->model.nodes[i];
    struct source s = {.node = n, .name = name_of_node(b, i)};
    struct op_call c = {.row = op_find(n->domain, n->op_type)};
    if (!c.row)
        return build_fail(b, &s, "operator %s%s%s is not supported", onnx_name_show(&b->arena, n->domain),
                          *n->domain ? "." : "", onnx_name_show(&b->arena, n->op_type));
    bool read = false;
    for (int k = 0; k < n->n_out; k++)
        read |= *n->out[k] != '\0';
    if (!read)
        return build_fail(b, &s, "it has no output");
    if (read_operands(b, &s, c.row) || rebatch_reshape(b, &s) || infer_node(b, &s, &c))
        return -1;
    if (can_fold(&c) ? fold_node(b, &s, &c) : lower_node(b, &s, &c))
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

/* An output that is another name of a tensor, an input or a constant becomes a copy, so that it keeps its own name. */
static int import_output(struct build *b, const struct onnx_value *v)
{
    int t = names_get(&b->bound, v->name);
    if (t < 0)
        return fail_tensor(b, v->name, "is an output of the model, but no node makes it");
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
    if (b->model.opset < 1 || b->model.opset > OPSET_MAX)
        return err_set(b->e, "%s: opset %lld is not supported, only 1 to %d", b->file, (long long)b->model.opset,
                       OPSET_MAX);
    if (import_initializers(b) || import_inputs(b) || import_nodes(b) || import_outputs(b))
        return -1;
    return passes_run(b);
}

static int find_wanted(const struct build *b)
{
    for (int i = 0; b->wants >= 0 && i < b->model.n_inputs; i++)
        if (!strcmp(b->model.inputs[i].name, b->tensors[b->wants].name))
            return i;
    return -1;
}

struct graph *graph_parse_with(const char *file, const void *bytes, size_t n, const struct graph_options *o, int *wants,
                               struct err *e)
{
    struct err unused;
    struct build b = {.file = file, .e = e ? e : &unused, .options = o, .wants = -1};
    struct graph *g = NULL;
    if (onnx_read(&b.model, file, o ? o->folder : NULL, bytes, n, b.e) == 0 && import_model(&b) == 0) {
        g = build_finish(&b);
        hash_fingerprint(bytes, n, g->fingerprint);
        if (layers_find(g, b.e)) {
            graph_free(g);
            g = NULL;
        }
    }
    if (wants)
        *wants = find_wanted(&b);
    build_done(&b);
    return g;
}

struct graph *graph_parse(const char *file, const void *bytes, size_t n, struct err *e)
{
    return graph_parse_with(file, bytes, n, NULL, NULL, e);
}
