/* SPDX-License-Identifier: MIT */
#include "model/build.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/lattice.h"

static const int64_t CONST_LIMIT = (int64_t)1 << 31; /* bytes of all constants */

const char *shape_show(struct arena *a, const struct shape *s)
{
    char text[SHAPE_MAX * 21 + 1] = "";
    size_t at = 0;
    for (int i = 0; i < s->n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%lld", i ? "x" : "", (long long)s->d[i]);
    return arena_strdup(a, s->n ? text : "scalar");
}

int build_fail(struct build *b, const struct source *s, const char *format, ...)
{
    if (!b->e)
        return -1;
    char message[sizeof b->e->text];
    va_list ap;
    va_start(ap, format);
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    return err_set(b->e, "%s: %s \"%s\": %s", b->file, s->node ? "node" : "tensor", onnx_name_show(&b->arena, s->name),
                   message);
}

const struct attr *build_attr(struct build *b, const struct source *s, const char *name, int type)
{
    for (int i = 0; i < s->node->n_attr; i++) {
        const struct attr *a = &s->node->attr[i];
        if (strcmp(a->name, name) != 0)
            continue;
        if (a->type == type && (type != ATTR_TENSOR || array_there(&a->t)))
            return a;
        build_fail(b, s, "attribute %s has the wrong type", name);
        b->failed = true;
        return NULL;
    }
    return NULL;
}

int64_t build_attr_int(struct build *b, const struct source *s, const char *name, int64_t otherwise)
{
    const struct attr *a = build_attr(b, s, name, ATTR_INT);
    return a ? a->i : otherwise;
}

float build_attr_float(struct build *b, const struct source *s, const char *name, float otherwise)
{
    const struct attr *a = build_attr(b, s, name, ATTR_FLOAT);
    return a ? a->f : otherwise;
}

const char *build_attr_string(struct build *b, const struct source *s, const char *name, const char *otherwise)
{
    const struct attr *a = build_attr(b, s, name, ATTR_STRING);
    return a ? a->s : otherwise;
}

int build_in(const struct source *s, int i)
{
    return i < s->n_in ? s->in[i] : -1;
}

const float *build_floats(const struct build *b, int tensor)
{
    return tensor >= 0 && b->tensors[tensor].type == DTYPE_F32 ? b->tensors[tensor].data : NULL;
}

int build_int_list(struct build *b, const struct source *s, const char *attr, int input, int max, int64_t *out, int *n)
{
    const struct attr *a = build_attr(b, s, attr, ATTR_INTS);
    int t = input < 0 ? -1 : build_in(s, input);
    struct array from = {.type = DTYPE_NONE};
    if (t >= 0)
        from = (struct array){b->tensors[t].type, b->tensors[t].shape, (void *)b->tensors[t].data};
    int64_t count = a ? (int64_t)a->n : t >= 0 ? shape_count(&from.shape) : -1;
    if (t >= 0 && !a && (!from.data || !dtype_is_integer(from.type)))
        return build_fail(b, s, "input %d (%s) is not a constant of whole numbers", input, attr);
    if (count > max)
        return build_fail(b, s, "%s has %lld values, at most %d are supported", attr, (long long)count, max);
    for (int64_t i = 0; i < count; i++)
        out[i] = a ? a->ints[i] : array_int(&from, i);
    *n = (int)count;
    return b->failed ? -1 : 0;
}

int build_axis(struct build *b, const struct source *s, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return build_fail(b, s, "axis %lld of a tensor with %d dimensions", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return 0;
}

static int check_count(struct build *b, const struct source *s, const char *name, const struct shape *shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape->n; i++)
        if (shape->d[i] < 0 || __builtin_mul_overflow(n, shape->d[i], &n) || n > INT_MAX)
            return build_fail(b, s, "tensor \"%s\" of shape %s is too large", onnx_name_show(&b->arena, name),
                              shape_show(&b->arena, shape));
    return 0;
}

int build_tensor(struct build *b, const struct source *s, const char *name, enum dtype type, const struct shape *shape)
{
    if (check_count(b, s, name, shape))
        return -1;
    if (b->n_tensors == b->cap_tensors) {
        int cap = b->cap_tensors ? 2 * b->cap_tensors : 256;
        b->tensors = mem_resize(b->tensors, (size_t)b->cap_tensors, (size_t)cap, sizeof *b->tensors);
        b->cap_tensors = cap;
    }
    b->tensors[b->n_tensors] = (struct tensor){.name = name, .type = type, .shape = *shape, .producer = -1};
    return b->n_tensors++;
}

int build_constant(struct build *b, const struct source *s, const char *name, enum dtype type,
                   const struct shape *shape, void **data)
{
    if (check_count(b, s, name, shape))
        return -1;
    size_t size = dtype_size(type);
    int64_t count = shape_count(shape);
    b->const_bytes += count * (int64_t)size;
    if (b->const_bytes > CONST_LIMIT)
        return build_fail(b, s, "its constants bring the model over 2 GiB");
    int t = build_tensor(b, s, name, type, shape);
    *data = arena_new(&b->arena, (size_t)count, size);
    b->tensors[t].data = *data;
    return t;
}

int build_array(struct build *b, const struct source *s, const char *name, const struct array *value)
{
    b->const_bytes += (int64_t)array_bytes(value);
    if (b->const_bytes > CONST_LIMIT)
        return build_fail(b, s, "its constants bring the model over 2 GiB");
    int t = build_tensor(b, s, name, value->type, &value->shape);
    if (t >= 0)
        b->tensors[t].data = value->data;
    return t;
}

const char *build_name(struct build *b, const struct source *s, const char *suffix)
{
    return arena_printf(&b->arena, "%s.%s", s->name, suffix);
}

static int check_operands(struct build *b, const struct source *s, int n_in, const int *in, const struct shape *shape)
{
    bool dynamic = false;
    for (int i = 0; i < n_in; i++) {
        if (in[i] < 0)
            continue;
        const struct tensor *t = &b->tensors[in[i]];
        const char *shown = onnx_name_show(&b->arena, t->name);
        if (t->type != DTYPE_F32)
            return build_fail(b, s, "operator %s on whole numbers (\"%s\") is not supported", s->node->op_type, shown);
        if (shape_count(&t->shape) == 0)
            return build_fail(b, s, "tensor \"%s\" has a dimension of 0", shown);
        dynamic |= !t->data;
    }
    for (int i = 0; i < shape->n; i++)
        if (shape->d[i] < 1)
            return build_fail(b, s, "its output of shape %s has a dimension below 1", shape_show(&b->arena, shape));
    return dynamic ? 0 : build_fail(b, s, "operator %s on constants only is not supported", s->node->op_type);
}

/* A node with room for its operands, and tensors n_out of them named by the caller already. */
static struct node *append_node(struct build *b, const struct source *s, const char *name, enum op op, int n_in,
                                const int *in, int n_out, int first_out)
{
    if (b->n_nodes == b->cap_nodes) {
        int cap = b->cap_nodes ? 2 * b->cap_nodes : 256;
        b->nodes = mem_resize(b->nodes, (size_t)b->cap_nodes, (size_t)cap, sizeof *b->nodes);
        b->cap_nodes = cap;
    }
    int *operands = arena_new(&b->arena, (size_t)n_in + (size_t)n_out, sizeof *operands);
    memcpy(operands, in, (size_t)n_in * sizeof *in);
    for (int k = 0; k < n_out; k++) {
        operands[n_in + k] = first_out + k;
        b->tensors[first_out + k].producer = b->n_nodes;
    }
    struct node *n = &b->nodes[b->n_nodes++];
    *n = (struct node){.name = name,
                       .op_type = s->node->op_type,
                       .op = op,
                       .n_in = n_in,
                       .n_out = n_out,
                       .in = operands,
                       .out = operands + n_in,
                       .groups = 1,
                       .act_lo = -INFINITY,
                       .act_hi = INFINITY};
    return n;
}

int build_node(struct build *b, const struct source *s, enum op op, int n_in, const int *in, const struct shape *shape,
               const char *suffix, int *out)
{
    if (check_operands(b, s, n_in, in, shape))
        return -1;
    const char *name = suffix ? build_name(b, s, suffix) : s->node->out[0];
    int t = build_tensor(b, s, name, DTYPE_F32, shape);
    if (t < 0)
        return -1;
    append_node(b, s, suffix ? name : s->name, op, n_in, in, 1, t);
    if (!suffix)
        build_bind(b, s, 0, t);
    if (out)
        *out = t;
    return 0;
}

int build_call(struct build *b, const struct source *s, const struct op_call *c)
{
    int first = b->n_tensors;
    for (int k = 0; k < c->n_out; k++) {
        const char *name = *s->node->out[k] ? s->node->out[k] : build_name(b, s, "unused");
        if (build_tensor(b, s, name, c->out[k].type, &c->out[k].shape) < 0)
            return -1;
    }
    struct node *n = append_node(b, s, s->name, OP_CALL, s->n_in, s->in, c->n_out, first);
    n->row = c->row;
    n->attr = c->attr;
    n->n_attr = c->n_attr;
    n->opset = c->opset;
    for (int k = 0; k < c->n_out; k++)
        build_bind(b, s, k, first + k);
    return 0;
}

void build_bind(struct build *b, const struct source *s, int k, int tensor)
{
    if (k < s->node->n_out && *s->node->out[k])
        names_set(&b->bound, s->node->out[k], tensor);
}

/* x in another shape, where that needs no node: x itself, or a constant that shares its data. -1 otherwise. */
static int reshape_for_free(struct build *b, const struct source *s, int x, const struct shape *shape, const char *name)
{
    if (shape_equal(&b->tensors[x].shape, shape))
        return x;
    if (!b->tensors[x].data)
        return -1;
    int t = build_tensor(b, s, name, b->tensors[x].type, shape);
    if (t < 0)
        return -1;
    b->tensors[t].data = b->tensors[x].data;
    lattice_keep(b, x, t);
    return t;
}

static int check_reshape(struct build *b, const struct source *s, int x, const struct shape *shape)
{
    const struct shape *from = &b->tensors[x].shape;
    if (check_count(b, s, b->tensors[x].name, shape))
        return -1;
    if (shape_count(from) != shape_count(shape))
        return build_fail(b, s, "shape %s cannot become %s", shape_show(&b->arena, from), shape_show(&b->arena, shape));
    return 0;
}

int build_reshape(struct build *b, const struct source *s, int x, const struct shape *shape)
{
    if (check_reshape(b, s, x, shape))
        return -1;
    int t = reshape_for_free(b, s, x, shape, s->node->out[0]);
    if (t < 0)
        return build_node(b, s, OP_RESHAPE, 1, &x, shape, NULL, NULL);
    build_bind(b, s, 0, t);
    return 0;
}

int build_reshape_step(struct build *b, const struct source *s, int x, const struct shape *shape, const char *suffix,
                       int *out)
{
    if (check_reshape(b, s, x, shape))
        return -1;
    *out = reshape_for_free(b, s, x, shape, build_name(b, s, suffix));
    return *out >= 0 ? 0 : build_node(b, s, OP_RESHAPE, 1, &x, shape, suffix, out);
}

int *build_count_uses(const struct build *b)
{
    int *uses = mem_new((size_t)b->n_tensors, sizeof *uses);
    for (int i = 0; i < b->n_nodes; i++)
        for (int k = 0; b->nodes[i].op != OP_COUNT && k < b->nodes[i].n_in; k++)
            if (b->nodes[i].in[k] >= 0)
                uses[b->nodes[i].in[k]]++;
    for (int i = 0; i < b->n_outputs; i++)
        uses[b->outputs[i]]++;
    return uses;
}

/* Backwards from the outputs: nodes that nobody needs are removed. Returns which tensors are needed. */
static bool *mark_needed(struct build *b)
{
    bool *needed = mem_new((size_t)b->n_tensors, sizeof *needed);
    for (int i = 0; i < b->n_outputs; i++)
        needed[b->outputs[i]] = true;
    for (int i = 0; i < b->n_inputs; i++)
        needed[b->inputs[i]] = true;
    for (int i = b->n_nodes - 1; i >= 0; i--) {
        struct node *n = &b->nodes[i];
        bool any = false;
        for (int k = 0; k < n->n_out; k++)
            any |= needed[n->out[k]];
        if (!any)
            n->op = OP_COUNT;
        for (int k = 0; n->op != OP_COUNT && k < n->n_out; k++)
            needed[n->out[k]] = true;
        for (int k = 0; n->op != OP_COUNT && k < n->n_in; k++)
            if (n->in[k] >= 0)
                needed[n->in[k]] = true;
    }
    return needed;
}

static const void *copy_bytes(struct arena *a, const void *from, size_t n)
{
    void *to = arena_new(a, n + 1, 1);
    return n ? memcpy(to, from, n) : to;
}

/* Copies the needed tensors; map is their new index. */
static void finish_tensors(struct build *b, struct graph *g, const bool *needed, int *map)
{
    g->tensors = arena_new(&g->arena, (size_t)b->n_tensors, sizeof *g->tensors);
    for (int i = 0; i < b->n_tensors; i++) {
        map[i] = -1;
        if (!needed[i])
            continue;
        struct tensor *t = &g->tensors[g->n_tensors];
        *t = b->tensors[i];
        t->name = arena_strdup(&g->arena, t->name);
        t->producer = -1;
        if (t->data) {
            size_t n = (size_t)shape_count(&t->shape), size = dtype_size(t->type);
            t->data = copy_bytes(&g->arena, t->data, n * size);
        }
        t->lattice = lattice_copy(&g->arena, t->lattice);
        map[i] = g->n_tensors++;
    }
}

/* The file is gone when the graph runs. Sub-graphs are not copied: nothing that runs has any. */
static const struct attr *copy_attrs(struct arena *a, const struct attr *from, int n)
{
    struct attr *out = arena_new(a, (size_t)n + 1, sizeof *out);
    for (int i = 0; i < n; i++) {
        struct attr *x = &out[i];
        *x = from[i];
        x->name = arena_strdup(a, x->name);
        x->s = x->s ? arena_strdup(a, x->s) : NULL;
        x->graph = NULL;
        if (x->type == ATTR_INTS)
            x->ints = copy_bytes(a, x->ints, x->n * sizeof *x->ints);
        if (x->type == ATTR_FLOATS)
            x->floats = copy_bytes(a, x->floats, x->n * sizeof *x->floats);
        const char **strings = arena_new(a, x->type == ATTR_STRINGS ? x->n + 1 : 1, sizeof *strings);
        for (size_t k = 0; x->type == ATTR_STRINGS && k < x->n; k++)
            strings[k] = arena_strdup(a, x->strings[k]);
        x->strings = strings;
        if (array_there(&x->t))
            x->t.data = (void *)copy_bytes(a, x->t.data, array_bytes(&x->t));
    }
    return out;
}

static void finish_nodes(struct build *b, struct graph *g, const int *map)
{
    g->nodes = arena_new(&g->arena, (size_t)b->n_nodes, sizeof *g->nodes);
    for (int i = 0; i < b->n_nodes; i++) {
        if (b->nodes[i].op == OP_COUNT)
            continue;
        struct node *n = &g->nodes[g->n_nodes];
        *n = b->nodes[i];
        n->name = arena_strdup(&g->arena, n->name);
        n->op_type = arena_strdup(&g->arena, n->op_type);
        n->act_name = n->act_name ? arena_strdup(&g->arena, n->act_name) : NULL;
        n->in = arena_new(&g->arena, (size_t)n->n_in + (size_t)n->n_out, sizeof *n->in);
        n->out = n->in + n->n_in;
        for (int k = 0; k < n->n_in; k++)
            n->in[k] = b->nodes[i].in[k] < 0 ? -1 : map[b->nodes[i].in[k]];
        for (int k = 0; k < n->n_out; k++) {
            n->out[k] = map[b->nodes[i].out[k]];
            g->tensors[n->out[k]].producer = g->n_nodes;
        }
        n->attr = copy_attrs(&g->arena, n->attr, n->n_attr);
        g->n_nodes++;
    }
}

static int *finish_list(struct graph *g, const int *list, int n, const int *map)
{
    int *out = arena_new(&g->arena, (size_t)n, sizeof *out);
    for (int i = 0; i < n; i++)
        out[i] = map[list[i]];
    return out;
}

struct graph *build_finish(struct build *b)
{
    struct graph *g = mem_new(1, sizeof *g);
    bool *needed = mark_needed(b);
    int *map = mem_new((size_t)b->n_tensors, sizeof *map);
    finish_tensors(b, g, needed, map);
    finish_nodes(b, g, map);
    g->n_inputs = b->n_inputs;
    g->inputs = finish_list(g, b->inputs, b->n_inputs, map);
    g->n_outputs = b->n_outputs;
    g->outputs = finish_list(g, b->outputs, b->n_outputs, map);
    g->file = arena_strdup(&g->arena, b->file);
    g->producer = arena_strdup(&g->arena, b->model.producer);
    g->opset = b->model.opset;
    g->ir_version = b->model.ir_version;
    g->n_file_nodes = b->model.n_nodes;
    mem_free(map);
    mem_free(needed);
    return g;
}

void build_done(struct build *b)
{
    names_done(&b->bound);
    mem_free(b->tensors);
    mem_free(b->nodes);
    mem_free(b->twins);
    arena_done(&b->arena);
    onnx_done(&b->model);
}
