/* SPDX-License-Identifier: MIT
 *
 * Many numbers to one, along axes. Sums of floats are kept in double.
 */
#include <math.h>
#include <string.h>

#include "ops/op.h"
#include "ops/strided.h"

/* The axes as a mask: by attribute or input; none means all, unless noop_with_empty_axes. */
static int read_axes(struct op_call *c, unsigned *mask, struct err *e)
{
    int64_t axes[SHAPE_MAX];
    int n, axis, rank = c->in[0].shape.n, rc = op_int_list(c, "axes", 1, SHAPE_MAX, axes, &n, e);
    *mask = 0;
    for (int i = 0; !rc && i < n; i++) {
        if (op_axis(axes[i], rank, &axis, e))
            return -1;
        *mask |= 1u << axis;
    }
    if (!rc && n <= 0 && !op_attr_int(c, "noop_with_empty_axes", 0))
        *mask = (1u << rank) - 1;
    return rc;
}

/* Work memory holds the input with the reduced axes last. */
static int infer_reduce(struct op_call *c, struct err *e)
{
    unsigned mask;
    bool truths =
        c->in[0].type == DTYPE_BOOL && (!strcmp(c->row->name, "ReduceMax") || !strcmp(c->row->name, "ReduceMin"));
    int rc = !truths && op_check_number(c, 0, e) ? -1 : read_axes(c, &mask, e);
    if (rc)
        return rc;
    const struct shape *s = &c->in[0].shape;
    struct shape to = {0};
    bool keep = op_attr_int(c, "keepdims", 1);
    for (int i = 0; i < s->n; i++)
        if (keep || !(mask & 1u << i))
            to.d[to.n++] = mask & 1u << i ? 1 : s->d[i];
    c->work_bytes = array_bytes(&c->in[0]);
    return op_output(c, 0, c->in[0].type, &to, e);
}

/* rows[outputs][n], n numbers for each output. Returns n. */
static int64_t gather_rows(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape;
    struct op_call copy = *c;
    struct err unused;
    unsigned mask;
    if (read_axes(&copy, &mask, &unused))
        return -1;
    struct shape order = {.n = s->n};
    int64_t own[SHAPE_MAX], from[SHAPE_MAX], to[SHAPE_MAX], n = 1;
    int k = 0;
    shape_strides(s, own);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < s->n; i++)
            if (!(mask & 1u << i) == !pass) {
                order.d[k] = s->d[i];
                from[k++] = own[i];
                n *= pass ? s->d[i] : 1;
            }
    shape_strides(&order, to);
    strided_copy(&order, dtype_size(c->in[0].type), c->in[0].data, from, c->work, to);
    return n;
}

/* Truth values are numbers of 0 and 1 (Max and Min, since opset 20). */
static enum dtype number_type(const struct op_call *c)
{
    return c->in[0].type == DTYPE_BOOL ? DTYPE_U8 : c->in[0].type;
}

/* sum: of terms, in double. Whole numbers too, where 53 bits are exact for what networks reduce. */
#define REDUCE(name, start, step, finish)                                    \
    static const char *run_##name(const struct op_call *c)                   \
    {                                                                        \
        int64_t n = gather_rows(c), outputs = shape_count(&c->out[0].shape); \
        if (n < 0 || n * outputs > shape_count(&c->in[0].shape))             \
            return "its axes are not those that it was planned with";        \
        ARRAY_NUMBERS(number_type(c), return "not a number", {               \
            const T *row = c->work;                                          \
            for (int64_t o = 0; o < outputs; o++, row += n) {                \
                double y = start;                                            \
                for (int64_t i = 0; i < n; i++) {                            \
                    double x = (double)row[i];                               \
                    step;                                                    \
                }                                                            \
                ((T *)c->out[0].data)[o] = ARRAY_OF_DOUBLE(T, finish);       \
            }                                                                \
        })                                                                   \
        return NULL;                                                         \
    }
REDUCE(ReduceSum, 0, y += x, y)
REDUCE(ReduceMean, 0, y += x, y / (double)n)
REDUCE(ReduceMax, -INFINITY, y = x > y || x != x ? x : y, y)
REDUCE(ReduceMin, c->in[0].type == DTYPE_BOOL ? 1 : INFINITY, y = x < y || x != x ? x : y, y)
REDUCE(ReduceProd, 1, y *= x, y)
REDUCE(ReduceL1, 0, y += fabs(x), y)
REDUCE(ReduceL2, 0, y += x * x, sqrt(y))
REDUCE(ReduceSumSquare, 0, y += x * x, y)
REDUCE(ReduceLogSum, 0, y += x, log(y))
/* log(sum(exp(x))), with the largest so far taken out, so that exp never overflows. */
REDUCE(ReduceLogSumExp, -INFINITY, y = y == -INFINITY ? x : fmax(x, y) + log1p(exp(-fabs(x - y))), y)

/* ArgMax, ArgMin: the first place of the extreme, or the last. */
static int infer_arg(struct op_call *c, struct err *e)
{
    int axis;
    struct shape to = c->in[0].shape;
    if (op_check_number(c, 0, e) || op_axis(op_attr_int(c, "axis", 0), to.n, &axis, e))
        return -1;
    if (!to.d[axis])
        return err_set(e, "nothing to choose from");
    to.d[axis] = 1;
    if (!op_attr_int(c, "keepdims", 1)) {
        memmove(to.d + axis, to.d + axis + 1, (size_t)(to.n - axis - 1) * sizeof *to.d);
        to.n--;
    }
    return op_output(c, 0, DTYPE_I64, &to, e);
}

static const char *find_extreme(const struct op_call *c, bool most)
{
    const struct shape *s = &c->in[0].shape;
    int64_t axis = op_attr_int(c, "axis", 0), inner = 1, *to = c->out[0].data;
    bool last = op_attr_int(c, "select_last_index", 0);
    axis = axis < 0 ? axis + s->n : axis;
    for (int i = (int)axis + 1; i < s->n; i++)
        inner *= s->d[i];
    int64_t d = s->d[axis], outer = inner ? shape_count(s) / (d * inner) : 0;
    ARRAY_NUMBERS(
        c->in[0].type, return "not a number", for (int64_t o = 0; o < outer; o++) for (int64_t k = 0; k < inner; k++) {
            const T *x = (const T *)c->in[0].data + o * d * inner + k;
            int64_t best = 0;
            for (int64_t i = 1; i < d; i++) {
                T a = x[i * inner], b = x[best * inner];
                if ((most ? a > b : a < b) || (last && a == b))
                    best = i;
            }
            *to++ = best;
        })
    return NULL;
}

static const char *run_ArgMax(const struct op_call *c)
{
    return find_extreme(c, true);
}

static const char *run_ArgMin(const struct op_call *c)
{
    return find_extreme(c, false);
}

#define ROW(op)                                     \
    {                                               \
#op, "", 1, 2, 1, 0, infer_reduce, run_##op \
    }
const struct op_row ops_reduce[] = {
    ROW(ReduceSum),
    ROW(ReduceMean),
    ROW(ReduceMax),
    ROW(ReduceMin),
    ROW(ReduceProd),
    ROW(ReduceL1),
    ROW(ReduceL2),
    ROW(ReduceSumSquare),
    ROW(ReduceLogSum),
    ROW(ReduceLogSumExp),
    {"ArgMax", "", 1, 1, 1, 0, infer_arg, run_ArgMax},
    {"ArgMin", "", 1, 1, 1, 0, infer_arg, run_ArgMin},
    {.name = NULL},
};
