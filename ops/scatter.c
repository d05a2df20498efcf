/* SPDX-License-Identifier: MIT
 *
 * Elements put where indices say, over a copy of the data.
 */
#include <string.h>

#include "ops/op.h"

static const char OUT_OF_RANGE[] = "an index is out of range";
static const char *const reductions[] = {"none", "add", "mul", "max", "min"};
enum reduction { REDUCE_NONE, REDUCE_ADD, REDUCE_MUL, REDUCE_MAX, REDUCE_MIN, REDUCE_COUNT };

static enum reduction read_reduction(const struct op_call *c)
{
    const char *name = op_attr_string(c, "reduction", "none");
    int i = 0;
    while (i < REDUCE_COUNT && strcmp(name, reductions[i]))
        i++;
    return (enum reduction)i;
}

static int check_scatter(const struct op_call *c, struct err *e)
{
    enum dtype t = c->in[1].type;
    if (t != DTYPE_I64 && t != DTYPE_I32)
        return err_set(e, "input 1, the indices, is %s", dtype_name(t));
    if (read_reduction(c) == REDUCE_COUNT)
        return err_set(e, "its reduction is not supported");
    if (read_reduction(c) != REDUCE_NONE && op_check_number(c, 0, e))
        return -1;
    return op_check_same(c, 0, 2, e);
}

/* to[0..n-1] takes from[0..n-1]. */
static void put(const struct op_call *c, int64_t to_at, int64_t from_at, int64_t n)
{
    enum reduction r = read_reduction(c);
    size_t size = dtype_size(c->in[0].type);
    char *to = (char *)c->out[0].data + (size_t)to_at * size;
    const char *from = (const char *)c->in[2].data + (size_t)from_at * size;
    if (r == REDUCE_NONE) {
        memcpy(to, from, (size_t)n * size);
        return;
    }
    ARRAY_NUMBERS(c->in[0].type, return, {
        T *z = (T *)(void *)to;
        const T *y = (const T *)(const void *)from;
        for (int64_t i = 0; i < n; i++)
            z[i] = (T)(r == REDUCE_ADD   ? z[i] + y[i]
                       : r == REDUCE_MUL ? z[i] * y[i]
                       : r == REDUCE_MAX ? (z[i] > y[i] ? z[i] : y[i])
                                         : (z[i] < y[i] ? z[i] : y[i]));
    })
}

static int infer_ScatterElements(struct op_call *c, struct err *e)
{
    const struct shape *s = &c->in[0].shape, *k = &c->in[1].shape;
    int axis;
    if (check_scatter(c, e) || op_axis(op_attr_int(c, "axis", 0), s->n, &axis, e))
        return -1;
    if (s->n != k->n || !shape_equal(k, &c->in[2].shape))
        return err_set(e, "indices and updates do not fit the data");
    for (int i = 0; i < s->n; i++)
        if (i != axis && k->d[i] > s->d[i])
            return err_set(e, "the indices do not fit the data");
    return op_infer_same(c, e);
}

static const char *run_ScatterElements(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape, *k = &c->in[1].shape;
    int64_t axis = op_attr_int(c, "axis", 0), stride[SHAPE_MAX], at[SHAPE_MAX] = {0}, n = shape_count(k);
    axis = axis < 0 ? axis + s->n : axis;
    shape_strides(s, stride);
    op_run_copy(c);
    for (int64_t i = 0; i < n; i++) {
        int64_t pick = op_index(&c->in[1], i, s->d[axis]), to = 0;
        if (pick < 0)
            return OUT_OF_RANGE;
        for (int j = 0; j < s->n; j++)
            to += stride[j] * (j == axis ? pick : at[j]);
        put(c, to, i, 1);
        for (int j = s->n - 1; j >= 0 && ++at[j] == k->d[j]; j--)
            at[j] = 0;
    }
    return NULL;
}

static int infer_ScatterND(struct op_call *c, struct err *e)
{
    const struct shape *s = &c->in[0].shape, *k = &c->in[1].shape, *u = &c->in[2].shape;
    if (check_scatter(c, e))
        return -1;
    if (k->n < 1 || k->d[k->n - 1] > s->n)
        return err_set(e, "the indices do not fit the data");
    int depth = (int)k->d[k->n - 1];
    bool fits = u->n == k->n - 1 + s->n - depth;
    for (int i = 0; fits && i < u->n; i++)
        fits = u->d[i] == (i < k->n - 1 ? k->d[i] : s->d[i - (k->n - 1) + depth]);
    return fits ? op_infer_same(c, e) : err_set(e, "the updates do not fit indices and data");
}

static const char *run_ScatterND(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape, *k = &c->in[1].shape;
    int depth = (int)k->d[k->n - 1];
    int64_t stride[SHAPE_MAX], rows = 1, row = 1;
    shape_strides(s, stride);
    for (int i = 0; i < k->n - 1; i++)
        rows *= k->d[i];
    for (int i = depth; i < s->n; i++)
        row *= s->d[i];
    op_run_copy(c);
    for (int64_t i = 0; i < rows; i++) {
        int64_t to = 0;
        for (int j = 0; j < depth; j++) {
            int64_t pick = op_index(&c->in[1], i * depth + j, s->d[j]);
            if (pick < 0)
                return OUT_OF_RANGE;
            to += pick * stride[j];
        }
        put(c, to, i * row, row);
    }
    return NULL;
}

const struct op_row ops_scatter[] = {
    {"Scatter", "", 3, 3, 1, 0, infer_ScatterElements, run_ScatterElements},
    {"ScatterElements", "", 3, 3, 1, 0, infer_ScatterElements, run_ScatterElements},
    {"ScatterND", "", 3, 3, 1, 0, infer_ScatterND, run_ScatterND},
    {.name = NULL},
};
