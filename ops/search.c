/* SPDX-License-Identifier: MIT
 *
 * The largest, the sums so far, and what is not zero.
 */
#include <math.h>
#include <string.h>

#include "ops/op.h"

struct lines { /* an array as outer x n x inner along an axis */
    int64_t outer, n, inner;
};

static int find_lines(const struct op_call *c, int64_t axis, struct lines *l, struct err *e)
{
    const struct shape *s = &c->in[0].shape;
    int at;
    *l = (struct lines){1, 1, 1};
    if (op_axis(axis, s->n, &at, e))
        return -1;
    for (int i = 0; i < s->n; i++)
        *(i < at ? &l->outer : i == at ? &l->n : &l->inner) *= s->d[i];
    return 0;
}

/* --- TopK: values and indices, the first of equals first
 * -------------------------------------------------------------- */

static int infer_TopK(struct op_call *c, struct err *e)
{
    const struct attr *old = op_attr(c, "k", ATTR_INT);
    int axis;
    struct shape to = c->in[0].shape;
    if (op_check_number(c, 0, e) || op_axis(op_attr_int(c, "axis", -1), to.n, &axis, e))
        return -1;
    if (!old && (!op_has(c, 1) || c->in[1].type != DTYPE_I64 || shape_count(&c->in[1].shape) != 1))
        return err_set(e, "it does not say how many");
    if (!old && !op_value(c, 1))
        return OP_WANTS_VALUE;
    int64_t k = old ? old->i : array_int(&c->in[1], 0);
    if (k < 0 || k > to.d[axis])
        return err_set(e, "the top %lld of %lld", (long long)k, (long long)to.d[axis]);
    c->work_bytes = (size_t)to.d[axis] * sizeof(int64_t);
    to.d[axis] = k;
    if (op_output(c, 1, DTYPE_I64, &to, e))
        return -1;
    return op_output(c, 0, c->in[0].type, &to, e);
}

/* A heap of the best k so far, the worst of them on top; then taken apart from the worst to the best. */
#define BETTER(a, b) (largest ? x[(a)*inner] > x[(b)*inner] : x[(a)*inner] < x[(b)*inner])
#define BEFORE(a, b) (BETTER(a, b) || (x[(a)*inner] == x[(b)*inner] && (a) < (b)))
#define SINK(n)                                                      \
    for (int64_t p = 0;;) {                                          \
        int64_t child = 2 * p + 1;                                   \
        if (child >= (n))                                            \
            break;                                                   \
        if (child + 1 < (n) && BEFORE(heap[child], heap[child + 1])) \
            child++;                                                 \
        if (!BEFORE(heap[p], heap[child]))                           \
            break;                                                   \
        int64_t swap = heap[p];                                      \
        heap[p] = heap[child];                                       \
        heap[child] = swap;                                          \
        p = child;                                                   \
    }

static const char *run_TopK(const struct op_call *c)
{
    struct lines l;
    struct err unused;
    bool largest = op_attr_int(c, "largest", 1);
    if (find_lines(c, op_attr_int(c, "axis", -1), &l, &unused))
        return "no such axis";
    int64_t lines = l.outer * l.inner, k = lines > 0 ? shape_count(&c->out[0].shape) / lines : 0, inner = l.inner,
            *heap = c->work;
    ARRAY_NUMBERS(
        c->in[0].type, return "not a number", for (int64_t o = 0; o < l.outer * l.inner; o++) {
            int64_t line = o / inner, column = o % inner;
            const T *x = (const T *)c->in[0].data + line * l.n * inner + column;
            int64_t held = 0;
            for (int64_t i = 0; i < l.n && k; i++) {
                if (held < k) {
                    int64_t p = held++;
                    while (p && BEFORE(heap[(p - 1) / 2], i)) {
                        heap[p] = heap[(p - 1) / 2];
                        p = (p - 1) / 2;
                    }
                    heap[p] = i;
                } else if (BEFORE(i, heap[0])) {
                    heap[0] = i;
                    SINK(held)
                }
            }
            for (int64_t n = held - 1; n >= 0; n--) {
                int64_t worst = heap[0], to = line * k * inner + n * inner + column;
                heap[0] = heap[n];
                SINK(n)
                ((T *)c->out[0].data)[to] = x[worst * inner];
                if (c->n_out > 1)
                    ((int64_t *)c->out[1].data)[to] = worst;
            }
        })
    return NULL;
}

static int infer_CumSum(struct op_call *c, struct err *e)
{
    struct lines l;
    if (!dtype_is_integer(c->in[1].type) || shape_count(&c->in[1].shape) != 1)
        return err_set(e, "its axis is no single whole number");
    if (!op_value(c, 1))
        return OP_WANTS_VALUE;
    return find_lines(c, array_int(&c->in[1], 0), &l, e) ? -1 : op_infer_same_number(c, e);
}

static const char *run_CumSum(const struct op_call *c)
{
    struct lines l;
    struct err unused;
    bool exclusive = op_attr_int(c, "exclusive", 0), reverse = op_attr_int(c, "reverse", 0);
    if (find_lines(c, array_int(&c->in[1], 0), &l, &unused))
        return "no such axis";
    ARRAY_NUMBERS(
        c->in[0].type, return "not a number", for (int64_t o = 0; o < l.outer * l.inner; o++) {
            int64_t at = o / l.inner * l.n * l.inner + o % l.inner;
            T sum = 0;
            for (int64_t i = 0; i < l.n; i++) {
                int64_t k = at + (reverse ? l.n - 1 - i : i) * l.inner;
                T x = ((const T *)c->in[0].data)[k], before = sum;
                sum = (T)(sum + x);
                ((T *)c->out[0].data)[k] = exclusive ? before : sum;
            }
        })
    return NULL;
}

static bool is_zero(const struct array *a, int64_t i)
{
    return dtype_is_float(a->type) ? array_double(a, i) == 0 : array_int(a, i) == 0;
}

static int infer_NonZero(struct op_call *c, struct err *e)
{
    const struct array *x = &c->in[0];
    if (!op_value(c, 0))
        return OP_WANTS_VALUE;
    int64_t found = 0;
    for (int64_t i = 0, n = shape_count(&x->shape); i < n; i++)
        found += !is_zero(x, i);
    struct shape to = {2, {x->shape.n, found}};
    return op_output(c, 0, DTYPE_I64, &to, e);
}

static const char *run_NonZero(const struct op_call *c)
{
    const struct array *x = &c->in[0];
    int64_t room = c->out[0].shape.d[1], found = 0, *to = c->out[0].data, stride[SHAPE_MAX];
    shape_strides(&x->shape, stride);
    for (int64_t i = 0, n = shape_count(&x->shape); i < n; i++) {
        if (is_zero(x, i))
            continue;
        if (found == room)
            return "its values are not those that it was planned with";
        for (int k = 0; k < x->shape.n; k++)
            to[k * room + found] = i / stride[k] % x->shape.d[k];
        found++;
    }
    return found == room ? NULL : "its values are not those that it was planned with";
}

const struct op_row ops_search[] = {
    {"TopK", "", 1, 2, 2, 0, infer_TopK, run_TopK},
    {"CumSum", "", 2, 2, 1, 0, infer_CumSum, run_CumSum},
    {"NonZero", "", 1, 1, 1, 0, infer_NonZero, run_NonZero},
    {.name = NULL},
};
