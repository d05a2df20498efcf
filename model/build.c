/* SPDX-License-Identifier: MIT */
#include "model/build.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/lattice.h"

const char *shape_show(struct arena *a, const struct shape *s)
{
    char text[SHAPE_MAX * 21 + 1] = "";
    size_t at = 0;
    for (int i = 0; i < s->n; i++)
        at += (size_t)(s->d[i] < 0 ? snprintf(text + at, sizeof text - at, "%s?", i ? "x" : "")
                                   : snprintf(text + at, sizeof text - at, "%s%lld", i ? "x" : "", (long long)s->d[i]));
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
    for (char *c = message; *c; c++) /* strings of the file are in it */
        *c = *c < 0x20 || *c > 0x7e ? '?' : *c;
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

int build_check_count(struct build *b, const struct source *s, const char *name, const struct shape *shape)
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
    if (build_check_count(b, s, name, shape))
        return -1;
    if (b->n_tensors == b->cap_tensors) {
        int cap = b->cap_tensors ? 2 * b->cap_tensors : 256;
        b->tensors = mem_resize(b->tensors, (size_t)b->cap_tensors, (size_t)cap, sizeof *b->tensors);
        b->holds = mem_resize(b->holds, (size_t)b->cap_tensors, (size_t)cap, sizeof *b->holds);
        b->cap_tensors = cap;
    }
    b->holds[b->n_tensors] = (struct hold){.block = -1};
    b->tensors[b->n_tensors] = (struct tensor){.name = name, .type = type, .shape = *shape, .producer = -1};
    return b->n_tensors++;
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

struct node *build_append(struct build *b, const struct node *n)
{
    if (b->n_nodes == b->cap_nodes) {
        int cap = b->cap_nodes ? 2 * b->cap_nodes : 256;
        b->nodes = mem_resize(b->nodes, (size_t)b->cap_nodes, (size_t)cap, sizeof *b->nodes);
        b->cap_nodes = cap;
    }
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] >= 0) {
            assert(!b->holds[n->in[k]].released);
            b->holds[n->in[k]].users++;
        }
    for (int k = 0; k < n->n_out; k++)
        b->tensors[n->out[k]].producer = b->n_nodes;
    b->nodes[b->n_nodes] = *n;
    return &b->nodes[b->n_nodes++];
}

static void fuse_name(struct build *b, struct node *into, const char *name)
{
    if (!strcmp(name, into->name) || (into->fused && !strcmp(name, into->fused->name)))
        return;
    struct node_name *f = arena_new(&b->arena, 1, sizeof *f);
    *f = (struct node_name){name, into->fused};
    into->fused = f;
}

void build_fuse_names(struct build *b, struct node *into, const struct node *gone)
{
    for (const struct node_name *f = gone->fused; f; f = f->next)
        fuse_name(b, into, f->name);
    if (!gone->helper)
        fuse_name(b, into, gone->name);
}

void build_pass_names(struct build *b, struct node *into, struct passed_name *passed)
{
    for (; passed && !passed->taken; passed = passed->next) {
        fuse_name(b, into, passed->name);
        passed->taken = true;
    }
}

/* A node with room for its operands, and tensors n_out of them named by the caller already. */
static struct node *append_node(struct build *b, const struct source *s, const char *name, enum op op, int n_in,
                                const int *in, int n_out, int first_out)
{
    int *operands = arena_new(&b->arena, (size_t)n_in + (size_t)n_out, sizeof *operands);
    memcpy(operands, in, (size_t)n_in * sizeof *in);
    for (int k = 0; k < n_out; k++)
        operands[n_in + k] = first_out + k;
    const struct node n = {.name = name,
                           .op_type = s->node->op_type,
                           .op = op,
                           .n_in = n_in,
                           .n_out = n_out,
                           .in = operands,
                           .out = operands + n_in,
                           .groups = 1,
                           .act_lo = -INFINITY,
                           .act_hi = INFINITY};
    return build_append(b, &n);
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
    append_node(b, s, suffix ? name : s->name, op, n_in, in, 1, t)->helper = suffix;
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
        build_name_tensor(b, s->node->out[k], tensor);
}

/* x in another shape, where that needs no node: x itself, or a constant that shares its data. -1 otherwise. */
static int reshape_for_free(struct build *b, const struct source *s, int x, const struct shape *shape, const char *name)
{
    if (shape_equal(&b->tensors[x].shape, shape))
        return x;
    if (!b->tensors[x].data)
        return -1;
    int t = build_alias(b, s, name, x, shape);
    if (t >= 0)
        lattice_keep(b, x, t);
    return t;
}

static int check_reshape(struct build *b, const struct source *s, int x, const struct shape *shape)
{
    const struct shape *from = &b->tensors[x].shape;
    if (build_check_count(b, s, b->tensors[x].name, shape))
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

int build_reshape_back(struct build *b, const struct source *s, int x, const struct shape *shape)
{
    int before = b->n_nodes;
    if (build_reshape(b, s, x, shape))
        return -1;
    if (b->n_nodes > before)
        b->nodes[before].helper = true;
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
