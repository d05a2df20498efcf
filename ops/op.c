/* SPDX-License-Identifier: MIT */
#include "ops/op.h"

#include <string.h>

static const struct op_row *const families[] = {
    ops_unary,   ops_binary, ops_logic,     ops_cast,     ops_reduce,  ops_search, ops_normalize, ops_loss,
    ops_reshape, ops_move,   ops_pad,       ops_gather,   ops_scatter, ops_make,   ops_resize,    ops_conv,
    ops_pool,    ops_matmul, ops_recurrent, ops_quantize, ops_integer, ops_einsum,
};
enum { FAMILIES = sizeof families / sizeof *families };

const struct op_row *op_row(int i)
{
    for (int f = 0; f < FAMILIES; f++)
        for (const struct op_row *r = families[f]; r->name; r++)
            if (i-- == 0)
                return r;
    return NULL;
}

const struct op_row *op_find(const char *domain, const char *name)
{
    if (!strcmp(domain, "ai.onnx"))
        domain = "";
    for (int f = 0; f < FAMILIES; f++)
        for (const struct op_row *r = families[f]; r->name; r++)
            if (!strcmp(r->name, name) && !strcmp(r->domain, domain))
                return r;
    return NULL;
}

bool op_has(const struct op_call *c, int i)
{
    return i < c->n_in && array_there(&c->in[i]);
}

bool op_value(struct op_call *c, int i)
{
    if (c->in[i].data || !shape_count(&c->in[i].shape))
        return true;
    c->wants = i;
    return false;
}

const struct attr *op_attr(const struct op_call *c, const char *name, int type)
{
    for (int i = 0; i < c->n_attr; i++) {
        if (strcmp(c->attr[i].name, name))
            continue;
        if (c->attr[i].type == type)
            return &c->attr[i];
        if (c->mistyped)
            *c->mistyped = name;
    }
    return NULL;
}

int64_t op_attr_int(const struct op_call *c, const char *name, int64_t otherwise)
{
    const struct attr *a = op_attr(c, name, ATTR_INT);
    return a ? a->i : otherwise;
}

float op_attr_float(const struct op_call *c, const char *name, float otherwise)
{
    const struct attr *a = op_attr(c, name, ATTR_FLOAT);
    return a ? a->f : otherwise;
}

const char *op_attr_string(const struct op_call *c, const char *name, const char *otherwise)
{
    const struct attr *a = op_attr(c, name, ATTR_STRING);
    return a ? a->s : otherwise;
}

int op_int_list(struct op_call *c, const char *attr, int input, int max, int64_t *out, int *n, struct err *e)
{
    const struct attr *a = op_attr(c, attr, ATTR_INTS);
    *n = -1;
    if (a) {
        if (a->n > (size_t)max)
            return err_set(e, "%s has %zu values, at most %d are supported", attr, a->n, max);
        *n = (int)a->n;
        for (int i = 0; i < *n; i++)
            out[i] = a->ints[i];
        return 0;
    }
    if (input < 0 || !op_has(c, input))
        return 0;
    const struct array *in = &c->in[input];
    if (!dtype_is_integer(in->type) || in->shape.n > 1)
        return err_set(e, "input %d (%s) is not a list of whole numbers", input, attr);
    int64_t count = shape_count(&in->shape);
    if (count > max)
        return err_set(e, "%s has %lld values, at most %d are supported", attr, (long long)count, max);
    if (!op_value(c, input))
        return OP_WANTS_VALUE;
    *n = (int)count;
    for (int i = 0; i < *n; i++)
        out[i] = array_int(in, i);
    return 0;
}

int op_axis(int64_t axis, int rank, int *out, struct err *e)
{
    if (axis < -rank || axis >= rank)
        return err_set(e, "axis %lld of an array with %d dimensions", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return 0;
}

int op_output(struct op_call *c, int k, enum dtype type, const struct shape *shape, struct err *e)
{
    int64_t n = 1;
    char text[SHAPE_TEXT];
    for (int i = 0; i < shape->n; i++)
        if (shape->d[i] < 0 || __builtin_mul_overflow(n, shape->d[i] ? shape->d[i] : 1, &n) || n > ARRAY_MAX)
            return err_set(e, "its output would have the shape %s, which is too large",
                           shape_text(shape, text, sizeof text));
    if (k >= c->n_out)
        return 0;
    c->out[k].type = type;
    c->out[k].shape = *shape;
    return 0;
}

static int wrong_type(const struct op_call *c, int k, const char *wanted, struct err *e)
{
    return err_set(e, "input %d is %s, %s takes %s", k, dtype_name(c->in[k].type), c->row->name, wanted);
}

int op_check_float(const struct op_call *c, int k, struct err *e)
{
    return op_has(c, k) && !dtype_is_float(c->in[k].type) ? wrong_type(c, k, "floats", e) : 0;
}

int op_check_number(const struct op_call *c, int k, struct err *e)
{
    bool fits = !op_has(c, k) || (c->in[k].type != DTYPE_BOOL && !dtype_is_nibble(c->in[k].type));
    return fits ? 0 : wrong_type(c, k, "numbers", e);
}

int op_check_type(const struct op_call *c, int k, enum dtype type, struct err *e)
{
    return op_has(c, k) && c->in[k].type != type ? wrong_type(c, k, dtype_name(type), e) : 0;
}

int op_check_same(const struct op_call *c, int a, int b, struct err *e)
{
    if (!op_has(c, a) || !op_has(c, b) || c->in[a].type == c->in[b].type)
        return 0;
    return err_set(e, "inputs %d and %d are %s and %s, %s takes one type", a, b, dtype_name(c->in[a].type),
                   dtype_name(c->in[b].type), c->row->name);
}

/* Strides for each axis of `to`, 0 where the array is broadcast along it. */
static void strides_in(const struct shape *s, const struct shape *to, int64_t out[SHAPE_MAX])
{
    int64_t own[SHAPE_MAX];
    shape_strides(s, own);
    for (int i = 0; i < to->n; i++) {
        int k = i - (to->n - s->n);
        out[i] = k < 0 || s->d[k] == 1 ? 0 : own[k];
    }
}

void op_walk_begin(struct op_walk *w, const struct shape *to, const struct shape *a, const struct shape *b)
{
    int64_t sa[SHAPE_MAX], sb[SHAPE_MAX];
    strides_in(a, to, sa);
    strides_in(b, to, sb);
    *w = (struct op_walk){.rows = 1, .inner = 1, .step_a = 1, .step_b = 1};
    /* Axes that step alike in both become one, so that rows are long. */
    for (int i = 0; i < to->n; i++) {
        if (to->d[i] == 1)
            continue;
        int k = w->n - 1;
        if (k >= 0 && w->a[k] == sa[i] * to->d[i] && w->b[k] == sb[i] * to->d[i]) {
            w->d[k] *= to->d[i];
            w->a[k] = sa[i];
            w->b[k] = sb[i];
            continue;
        }
        w->d[w->n] = to->d[i];
        w->a[w->n] = sa[i];
        w->b[w->n] = sb[i];
        w->n++;
    }
    if (w->n) {
        w->n--;
        w->inner = w->d[w->n];
        w->step_a = w->a[w->n];
        w->step_b = w->b[w->n];
    }
    for (int i = 0; i < w->n; i++)
        w->rows *= w->d[i];
}

void op_walk_next(struct op_walk *w)
{
    for (int k = w->n - 1; k >= 0; k--) {
        w->offset_a += w->a[k];
        w->offset_b += w->b[k];
        if (++w->at[k] < w->d[k])
            return;
        w->offset_a -= w->a[k] * w->d[k];
        w->offset_b -= w->b[k] * w->d[k];
        w->at[k] = 0;
    }
}

int op_infer_same(struct op_call *c, struct err *e)
{
    return op_output(c, 0, c->in[0].type, &c->in[0].shape, e);
}

int op_infer_same_float(struct op_call *c, struct err *e)
{
    return op_check_float(c, 0, e) ? -1 : op_infer_same(c, e);
}

int op_infer_same_number(struct op_call *c, struct err *e)
{
    return op_check_number(c, 0, e) ? -1 : op_infer_same(c, e);
}

const char *op_run_copy(const struct op_call *c)
{
    if (array_bytes(&c->in[0]))
        memcpy(c->out[0].data, c->in[0].data, array_bytes(&c->in[0]));
    return NULL;
}

int64_t op_index(const struct array *indices, int64_t i, int64_t d)
{
    int64_t v = indices->type == DTYPE_I64 ? ((const int64_t *)indices->data)[i] : ((const int32_t *)indices->data)[i];
    v = v < 0 ? v + d : v;
    return v < 0 || v >= d ? -1 : v;
}
