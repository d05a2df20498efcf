/* SPDX-License-Identifier: MIT
 *
 * Elements picked by indices. Negative indices count from the end; others than those that exist are refused when it
 * runs.
 */
#include <string.h>

#include "ops/op.h"

static const char OUT_OF_RANGE[] = "an index is out of range";

static int check_indices(const struct op_call *c, int k, struct err *e)
{
    enum dtype t = c->in[k].type;
    return t == DTYPE_I64 || t == DTYPE_I32 ? 0 : err_set(e, "input %d, the indices, is %s", k, dtype_name(t));
}

static int64_t product(const struct shape *s, int from, int to)
{
    int64_t n = 1;
    for (int i = from; i < to; i++)
        n *= s->d[i];
    return n;
}

static int infer_Gather(struct op_call *c, struct err *e)
{
    const struct shape *s = &c->in[0].shape, *k = &c->in[1].shape;
    struct shape to = {0};
    int axis;
    if (check_indices(c, 1, e) || op_axis(op_attr_int(c, "axis", 0), s->n, &axis, e))
        return -1;
    if (s->n - 1 + k->n > SHAPE_MAX)
        return err_set(e, "its result would have %d dimensions", s->n - 1 + k->n);
    for (int i = 0; i < axis; i++)
        to.d[to.n++] = s->d[i];
    for (int i = 0; i < k->n; i++)
        to.d[to.n++] = k->d[i];
    for (int i = axis + 1; i < s->n; i++)
        to.d[to.n++] = s->d[i];
    return op_output(c, 0, c->in[0].type, &to, e);
}

static const char *run_Gather(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape;
    int64_t axis = op_attr_int(c, "axis", 0);
    axis = axis < 0 ? axis + s->n : axis;
    int64_t outer = product(s, 0, (int)axis), d = s->d[axis], picks = shape_count(&c->in[1].shape);
    size_t row = (size_t)product(s, (int)axis + 1, s->n) * dtype_size(c->in[0].type);
    const char *from = c->in[0].data;
    char *to = c->out[0].data;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < picks; i++, to += row) {
            int64_t at = op_index(&c->in[1], i, d);
            if (at < 0)
                return OUT_OF_RANGE;
            memcpy(to, from + (size_t)(o * d + at) * row, row);
        }
    return NULL;
}

static int infer_GatherElements(struct op_call *c, struct err *e)
{
    const struct shape *s = &c->in[0].shape, *k = &c->in[1].shape;
    int axis;
    if (check_indices(c, 1, e) || op_axis(op_attr_int(c, "axis", 0), s->n, &axis, e))
        return -1;
    for (int i = 0; i < s->n; i++)
        if (s->n != k->n || (i != axis && k->d[i] > s->d[i]))
            return err_set(e, "the indices do not fit the data");
    return op_output(c, 0, c->in[0].type, k, e);
}

static const char *run_GatherElements(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape, *k = &c->in[1].shape;
    int64_t axis = op_attr_int(c, "axis", 0), stride[SHAPE_MAX], at[SHAPE_MAX] = {0}, n = shape_count(k);
    axis = axis < 0 ? axis + s->n : axis;
    shape_strides(s, stride);
    ARRAY_SIZES(
        c->in[0].type, for (int64_t i = 0; i < n; i++) {
            int64_t pick = op_index(&c->in[1], i, s->d[axis]), from = 0;
            if (pick < 0)
                return OUT_OF_RANGE;
            for (int j = 0; j < s->n; j++)
                from += stride[j] * (j == axis ? pick : at[j]);
            ((T *)c->out[0].data)[i] = ((const T *)c->in[0].data)[from];
            for (int j = s->n - 1; j >= 0 && ++at[j] == k->d[j]; j--)
                at[j] = 0;
        })
    return NULL;
}

/* The last axis of the indices is a position in the data behind the batch dimensions. */
static int infer_GatherND(struct op_call *c, struct err *e)
{
    const struct shape *s = &c->in[0].shape, *k = &c->in[1].shape;
    int64_t batch = op_attr_int(c, "batch_dims", 0);
    if (check_indices(c, 1, e))
        return -1;
    if (k->n < 1 || batch < 0 || batch >= k->n || batch > s->n || k->d[k->n - 1] < 0 || k->d[k->n - 1] > s->n - batch)
        return err_set(e, "the indices do not fit the data");
    int depth = (int)k->d[k->n - 1];
    struct shape to = {0};
    if (k->n - 1 + s->n - depth - batch > SHAPE_MAX)
        return err_set(e, "its result would have too many dimensions");
    for (int i = 0; i < k->n - 1; i++) {
        if (i < batch && k->d[i] != s->d[i])
            return err_set(e, "the batch dimensions differ");
        to.d[to.n++] = k->d[i];
    }
    for (int i = (int)batch + depth; i < s->n; i++)
        to.d[to.n++] = s->d[i];
    return op_output(c, 0, c->in[0].type, &to, e);
}

static const char *run_GatherND(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape, *k = &c->in[1].shape;
    int batch = (int)op_attr_int(c, "batch_dims", 0), depth = (int)k->d[k->n - 1];
    int64_t stride[SHAPE_MAX], batches = product(k, 0, batch), each = product(k, batch, k->n - 1),
                               size = (int64_t)dtype_size(c->in[0].type);
    int64_t row = product(s, batch + depth, s->n) * size, whole = product(s, batch, s->n) * size;
    char *to = c->out[0].data;
    shape_strides(s, stride);
    for (int64_t i = 0; i < batches * each; i++, to += row) {
        int64_t from = i / (each ? each : 1) * whole;
        for (int j = 0; j < depth; j++) {
            int64_t pick = op_index(&c->in[1], i * depth + j, s->d[batch + j]);
            if (pick < 0)
                return OUT_OF_RANGE;
            from += pick * stride[batch + j] * size;
        }
        memcpy(to, (const char *)c->in[0].data + from, (size_t)row);
    }
    return NULL;
}

/* Rows along an axis where the condition holds; of the flat array without an axis. */
static int infer_Compress(struct op_call *c, struct err *e)
{
    const struct attr *a = op_attr(c, "axis", ATTR_INT);
    struct shape to = c->in[0].shape;
    int axis = 0;
    if (op_check_type(c, 1, DTYPE_BOOL, e) || (a && op_axis(a->i, to.n, &axis, e)))
        return -1;
    if (!op_value(c, 1))
        return OP_WANTS_VALUE;
    if (!a)
        to = (struct shape){1, {shape_count(&to)}};
    int64_t taken = 0, n = shape_count(&c->in[1].shape);
    if (n > to.d[axis])
        return err_set(e, "the condition is longer than the data");
    for (int64_t i = 0; i < n; i++)
        taken += ((const uint8_t *)c->in[1].data)[i];
    to.d[axis] = taken;
    return op_output(c, 0, c->in[0].type, &to, e);
}

static const char *run_Compress(const struct op_call *c)
{
    const struct attr *a = op_attr(c, "axis", ATTR_INT);
    struct shape s = c->in[0].shape;
    int64_t axis = a ? (a->i < 0 ? a->i + s.n : a->i) : 0, n = shape_count(&c->in[1].shape);
    if (!a)
        s = (struct shape){1, {shape_count(&s)}};
    int64_t row = product(&s, (int)axis + 1, s.n) * (int64_t)dtype_size(c->in[0].type),
            outer = product(&s, 0, (int)axis);
    const char *from = c->in[0].data;
    char *to = c->out[0].data, *end = to + array_bytes(&c->out[0]);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < s.d[axis] && i < n; i++)
            if (((const uint8_t *)c->in[1].data)[i]) {
                if (to + row > end)
                    return "its condition is not the one that it was planned with";
                memcpy(to, from + (o * s.d[axis] + i) * row, (size_t)row);
                to += row;
            }
    return NULL;
}

const struct op_row ops_gather[] = {
    {"Gather", "", 2, 2, 1, 0, infer_Gather, run_Gather},
    {"GatherElements", "", 2, 2, 1, 0, infer_GatherElements, run_GatherElements},
    {"GatherND", "", 2, 2, 1, 0, infer_GatherND, run_GatherND},
    {"Compress", "", 2, 2, 1, 0, infer_Compress, run_Compress},
    {.name = NULL},
};
