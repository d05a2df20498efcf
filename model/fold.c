/* SPDX-License-Identifier: MIT */
#include "model/fold.h"

#include <math.h>
#include <string.h>

int fold_broadcast_shape(const struct shape *a, const struct shape *b, struct shape *out)
{
    *out = (struct shape){.n = a->n > b->n ? a->n : b->n};
    for (int i = 0; i < out->n; i++) {
        int ia = a->n - out->n + i, ib = b->n - out->n + i;
        int64_t da = ia < 0 ? 1 : a->d[ia], db = ib < 0 ? 1 : b->d[ib];
        if (da != db && da != 1 && db != 1)
            return -1;
        out->d[i] = da == 1 ? db : da;
    }
    return 0;
}

void fold_strides(const struct shape *s, int64_t stride[SHAPE_MAX])
{
    int64_t step = 1;
    for (int i = s->n - 1; i >= 0; i--) {
        stride[i] = step;
        step *= s->d[i];
    }
}

/* Moves to the next element in row-major order and returns its offset by these strides. */
static int64_t next_offset(const struct shape *s, int64_t *index, const int64_t *stride, int64_t at)
{
    for (int i = s->n - 1; i >= 0; i--) {
        at += stride[i];
        if (++index[i] < s->d[i])
            return at;
        at -= stride[i] * s->d[i];
        index[i] = 0;
    }
    return at;
}

int fold_strided(struct build *b, const struct source *s, int x, const struct shape *shape, int64_t offset,
                 const int64_t *stride)
{
    void *data;
    int t = build_constant(b, s, s->node->out[0], b->tensors[x].type, shape, &data);
    if (t < 0)
        return -1;
    size_t size = b->tensors[x].type == DTYPE_F32 ? sizeof(float) : sizeof(int64_t);
    const char *from = b->tensors[x].data;
    char *to = data;
    int64_t index[SHAPE_MAX] = {0}, n = shape_count(shape);
    for (int64_t i = 0; i < n; i++) {
        memcpy(to + (size_t)i * size, from + (size_t)offset * size, size);
        offset = next_offset(shape, index, stride, offset);
    }
    build_bind(b, s, 0, t);
    return 0;
}

static float combine_floats(char op, float x, float y)
{
    return op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : x / y;
}

/* Overflow wraps, as it does in the runtimes. The divisor is neither 0 nor -1. */
static int64_t combine_ints(char op, int64_t x, int64_t y)
{
    uint64_t ux = (uint64_t)x, uy = (uint64_t)y;
    return op == '+' ? (int64_t)(ux + uy) : op == '-' ? (int64_t)(ux - uy) : op == '*' ? (int64_t)(ux * uy) : x / y;
}

/* Strides to read a constant as if it had been broadcast to shape. */
static void broadcast_strides(const struct shape *from, const struct shape *shape, int64_t stride[SHAPE_MAX])
{
    int64_t own[SHAPE_MAX];
    fold_strides(from, own);
    for (int i = 0; i < shape->n; i++) {
        int k = from->n - shape->n + i;
        stride[i] = k < 0 || from->d[k] == 1 ? 0 : own[k];
    }
}

static int combine(struct build *b, const struct source *s, char op, int a, int c, const struct shape *shape,
                   void *data)
{
    int64_t sa[SHAPE_MAX], sc[SHAPE_MAX], ia[SHAPE_MAX] = {0}, ic[SHAPE_MAX] = {0}, at = 0, ct = 0;
    int64_t n = shape_count(shape);
    broadcast_strides(&b->tensors[a].shape, shape, sa);
    broadcast_strides(&b->tensors[c].shape, shape, sc);
    const float *fa = build_floats(b, a), *fc = build_floats(b, c);
    const int64_t *ka = build_ints(b, a), *kc = build_ints(b, c);
    for (int64_t i = 0; i < n; i++) {
        if (fa)
            ((float *)data)[i] = combine_floats(op, fa[at], fc[ct]);
        else if (op == '/' && kc[ct] == 0)
            return build_fail(b, s, "division by zero");
        else if (op == '/' && kc[ct] == -1)
            ((int64_t *)data)[i] = combine_ints('-', 0, ka[at]);
        else
            ((int64_t *)data)[i] = combine_ints(op, ka[at], kc[ct]);
        at = next_offset(shape, ia, sa, at);
        ct = next_offset(shape, ic, sc, ct);
    }
    return 0;
}

int fold_binary(struct build *b, const struct source *s, char op, int a, int c)
{
    struct shape shape;
    if (b->tensors[a].type != b->tensors[c].type)
        return build_fail(b, s, "its inputs are of different types");
    if (fold_broadcast_shape(&b->tensors[a].shape, &b->tensors[c].shape, &shape))
        return build_fail(b, s, "shapes %s and %s do not broadcast", shape_show(&b->arena, &b->tensors[a].shape),
                          shape_show(&b->arena, &b->tensors[c].shape));
    void *data;
    int t = build_constant(b, s, s->node->out[0], b->tensors[a].type, &shape, &data);
    if (t < 0 || combine(b, s, op, a, c, &shape, data))
        return -1;
    build_bind(b, s, 0, t);
    return 0;
}

int fold_scaled(struct build *b, const struct source *s, int x, float factor, bool invert, int *out)
{
    const float *from = build_floats(b, x);
    if (!from)
        return build_fail(b, s, "operator %s on whole numbers is not supported", s->node->op_type);
    struct shape shape = b->tensors[x].shape;
    void *data;
    *out = build_constant(b, s, build_name(b, s, "operand"), DTYPE_F32, &shape, &data);
    int64_t n = *out < 0 ? 0 : shape_count(&shape);
    for (int64_t i = 0; i < n; i++) {
        float v = invert ? 1.0f / from[i] : from[i] * factor;
        if (!isfinite(v))
            return build_fail(b, s, "its constant gives %g", (double)v);
        ((float *)data)[i] = v;
    }
    return *out < 0 ? -1 : 0;
}

int fold_scalar(struct build *b, const struct source *s, float value, const char *suffix, int *out)
{
    struct shape scalar = {0};
    void *data;
    *out = build_constant(b, s, build_name(b, s, suffix), DTYPE_F32, &scalar, &data);
    if (*out < 0)
        return -1;
    *(float *)data = value;
    return 0;
}
