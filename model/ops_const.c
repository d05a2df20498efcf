/* SPDX-License-Identifier: MIT
 *
 * Operators that exist at import time only: constants, what is computed from shapes, and what does nothing.
 */
#include <math.h>
#include <string.h>

#include "model/fold.h"
#include "model/ops.h"

enum { FILL_LIMIT = 1 << 24 }; /* elements of ConstantOfShape: a few bytes of file must not take gigabytes */

int op_import_identity(struct build *b, const struct source *s)
{
    build_bind(b, s, 0, s->in[0]);
    return 0;
}

int op_import_dropout(struct build *b, const struct source *s)
{
    int training = build_in(s, 2);
    if (training >= 0) {
        const int64_t *on = build_ints(b, training);
        if (!on || shape_count(&b->tensors[training].shape) != 1 || *on)
            return build_fail(b, s, "Dropout in training mode is not supported");
    }
    return op_import_identity(b, s);
}

static int bind_array(struct build *b, const struct source *s, const struct array *value)
{
    int c = build_array(b, s, s->node->out[0], value);
    if (c < 0)
        return -1;
    build_bind(b, s, 0, c);
    return 0;
}

static int bind_values(struct build *b, const struct source *s, enum dtype type, int rank, size_t n, const void *values)
{
    struct shape shape = {rank, {(int64_t)n}};
    void *data;
    int c = build_constant(b, s, s->node->out[0], type, &shape, &data);
    if (c < 0)
        return -1;
    if (n)
        memcpy(data, values, n * (type == DTYPE_F32 ? sizeof(float) : sizeof(int64_t)));
    build_bind(b, s, 0, c);
    return 0;
}

int op_import_constant(struct build *b, const struct source *s)
{
    if (s->node->n_attr != 1)
        return build_fail(b, s, "Constant needs one value");
    const struct attr *a = &s->node->attr[0];
    if (strcmp(a->name, "value") == 0 && a->type == ATTR_TENSOR && array_there(&a->t))
        return bind_array(b, s, &a->t);
    if (strcmp(a->name, "value_int") == 0 && a->type == ATTR_INT)
        return bind_values(b, s, DTYPE_I64, 0, 1, &a->i);
    if (strcmp(a->name, "value_ints") == 0 && a->type == ATTR_INTS)
        return bind_values(b, s, DTYPE_I64, 1, a->n, a->ints);
    if (strcmp(a->name, "value_float") == 0 && a->type == ATTR_FLOAT)
        return bind_values(b, s, DTYPE_F32, 0, 1, &a->f);
    if (strcmp(a->name, "value_floats") == 0 && a->type == ATTR_FLOATS)
        return bind_values(b, s, DTYPE_F32, 1, a->n, a->floats);
    return build_fail(b, s, "Constant with attribute %s is not supported", onnx_name_show(&b->arena, a->name));
}

int op_import_constant_of_shape(struct build *b, const struct source *s)
{
    const struct attr *value = build_attr(b, s, "value", ATTR_TENSOR);
    struct shape shape = {0};
    int64_t integer = 0, n = 1;
    float number = 0;
    int type = !value || dtype_is_float(value->t.type) ? DTYPE_F32 : DTYPE_I64;
    if (build_int_list(b, s, "input", 0, SHAPE_MAX, shape.d, &shape.n))
        return -1;
    if (value && shape_count(&value->t.shape) != 1)
        return build_fail(b, s, "its value is not one number");
    for (int i = 0; i < shape.n; i++)
        if (shape.d[i] < 0 || __builtin_mul_overflow(n, shape.d[i], &n) || n > FILL_LIMIT)
            return build_fail(b, s, "a constant of shape %s is too large", shape_show(&b->arena, &shape));
    if (value && type == DTYPE_F32)
        number = (float)array_double(&value->t, 0);
    else if (value)
        integer = array_int(&value->t, 0);
    void *data;
    int t = build_constant(b, s, s->node->out[0], (enum dtype)type, &shape, &data);
    for (int64_t i = 0; t >= 0 && i < n; i++)
        if (type == DTYPE_F32)
            ((float *)data)[i] = number;
        else
            ((int64_t *)data)[i] = integer;
    build_bind(b, s, 0, t);
    return t < 0 ? -1 : 0;
}

/* Since opset 15 start and end may take a part of the shape. */
int op_import_shape(struct build *b, const struct source *s)
{
    struct shape xs = b->tensors[s->in[0]].shape;
    int64_t start = build_attr_int(b, s, "start", 0), end = build_attr_int(b, s, "end", xs.n);
    start = start < -xs.n ? 0 : start < 0 ? start + xs.n : start > xs.n ? xs.n : start;
    end = end < -xs.n ? 0 : end < 0 ? end + xs.n : end > xs.n ? xs.n : end;
    return bind_values(b, s, DTYPE_I64, 1, end > start ? (size_t)(end - start) : 0, xs.d + start);
}

/* Constants only: rows of data picked by indices along axis. */
int op_import_gather(struct build *b, const struct source *s)
{
    int x = s->in[0], axis;
    const int64_t *pick = build_ints(b, s->in[1]);
    if (!b->tensors[x].data || !pick)
        return build_fail(b, s, "Gather is only supported on constants");
    struct shape xs = b->tensors[x].shape, ps = b->tensors[s->in[1]].shape, to = {0};
    if (build_axis(b, s, build_attr_int(b, s, "axis", 0), xs.n, &axis))
        return -1;
    if (xs.n - 1 + ps.n > SHAPE_MAX)
        return build_fail(b, s, "its result has more than %d dimensions", SHAPE_MAX);
    size_t before = 1, after = b->tensors[x].type == DTYPE_F32 ? sizeof(float) : sizeof(int64_t);
    for (int i = 0; i < xs.n; i++) {
        for (int k = 0; i == axis && k < ps.n; k++)
            to.d[to.n++] = ps.d[k];
        if (i == axis)
            continue;
        to.d[to.n++] = xs.d[i];
        *(i < axis ? &before : &after) *= (size_t)xs.d[i];
    }
    void *data;
    int t = build_constant(b, s, s->node->out[0], b->tensors[x].type, &to, &data);
    if (t < 0)
        return -1;
    int64_t n = shape_count(&ps), d = xs.d[axis];
    for (size_t row = 0; row < before; row++)
        for (int64_t i = 0; i < n; i++) {
            int64_t at = pick[i] < 0 ? pick[i] + d : pick[i];
            if (at < 0 || at >= d)
                return build_fail(b, s, "index %lld of %lld", (long long)pick[i], (long long)d);
            memcpy((char *)data + (row * (size_t)n + (size_t)i) * after,
                   (const char *)b->tensors[x].data + (row * (size_t)d + (size_t)at) * after, after);
        }
    build_bind(b, s, 0, t);
    return 0;
}

/* Towards zero; what does not fit becomes the nearest that does. */
static int64_t int_of_float(float v)
{
    if (isnan(v))
        return 0;
    return v >= 0x1p63f ? INT64_MAX : v <= -0x1p63f ? INT64_MIN : (int64_t)v;
}

int op_import_cast(struct build *b, const struct source *s)
{
    int x = s->in[0];
    int64_t onnx_type = build_attr_int(b, s, "to", 0);
    enum dtype named = onnx_type < 1 || onnx_type > 32 ? DTYPE_NONE : onnx_dtype((int)onnx_type);
    int to = named == DTYPE_NONE ? -1 : dtype_is_float(named) ? DTYPE_F32 : DTYPE_I64;
    if (to < 0)
        return build_fail(b, s, "Cast to type %lld is not supported", (long long)onnx_type);
    if ((int)b->tensors[x].type == to && named != DTYPE_BOOL)
        return op_import_identity(b, s);
    if (!b->tensors[x].data)
        return build_fail(b, s, "Cast to whole numbers is only supported on constants");
    struct shape shape = b->tensors[x].shape;
    const float *f = build_floats(b, x);
    const int64_t *k = build_ints(b, x);
    void *data;
    int t = build_constant(b, s, s->node->out[0], (enum dtype)to, &shape, &data);
    for (int64_t i = 0; t >= 0 && i < shape_count(&shape); i++) {
        if (to == DTYPE_F32)
            ((float *)data)[i] = (float)k[i];
        else if (named == DTYPE_BOOL)
            ((int64_t *)data)[i] = f ? f[i] != 0 : k[i] != 0;
        else
            ((int64_t *)data)[i] = int_of_float(f[i]);
    }
    build_bind(b, s, 0, t);
    return t < 0 ? -1 : 0;
}
