/* SPDX-License-Identifier: MIT
 *
 * The same elements in the same order under another shape.
 */
#include "ops/op.h"

/* 0 copies the input's dimension (unless allowzero), one -1 takes what is left. */
static int infer_Reshape(struct op_call *c, struct err *e)
{
    const struct shape *from = &c->in[0].shape;
    struct shape to = {0};
    int hole = -1;
    int64_t known = 1, count = shape_count(from);
    bool zero = op_attr_int(c, "allowzero", 0);
    int rc = op_int_list(c, "shape", 1, SHAPE_MAX, to.d, &to.n, e);
    if (rc)
        return rc;
    if (to.n < 0)
        return err_set(e, "it does not say which shape");
    for (int i = 0; i < to.n; i++) {
        if (to.d[i] == 0 && !zero && i < from->n)
            to.d[i] = from->d[i];
        if (to.d[i] == -1 && hole < 0)
            hole = i;
        else if (to.d[i] < 0 || __builtin_mul_overflow(known, to.d[i], &known))
            return err_set(e, "dimension %d of the new shape is %lld", i, (long long)to.d[i]);
    }
    if (hole >= 0)
        to.d[hole] = known ? count / known : 0;
    if (hole >= 0 ? to.d[hole] * known != count : known != count) {
        char a[SHAPE_TEXT], b[SHAPE_TEXT];
        return err_set(e, "shape %s cannot become %s", shape_text(from, a, sizeof a), shape_text(&to, b, sizeof b));
    }
    return op_output(c, 0, c->in[0].type, &to, e);
}

static int infer_Flatten(struct op_call *c, struct err *e)
{
    const struct shape *from = &c->in[0].shape;
    struct shape to = {2, {1, 1}};
    int64_t axis = op_attr_int(c, "axis", 1);
    if (axis < -from->n || axis > from->n)
        return err_set(e, "axis %lld of an array with %d dimensions", (long long)axis, from->n);
    axis = axis < 0 ? axis + from->n : axis;
    for (int i = 0; i < from->n; i++)
        to.d[i >= axis] *= from->d[i];
    return op_output(c, 0, c->in[0].type, &to, e);
}

/* The axes as a bit mask, counted in `rank` dimensions; *n is -1 when the node names none. 0, -1, OP_WANTS_VALUE. */
static int read_axes(struct op_call *c, int rank, unsigned *mask, int *n, struct err *e)
{
    int64_t axes[SHAPE_MAX];
    int axis, rc = op_int_list(c, "axes", 1, SHAPE_MAX, axes, n, e);
    *mask = 0;
    for (int i = 0; !rc && i < *n; i++) {
        if (op_axis(axes[i], rank, &axis, e))
            return -1;
        if (*mask & 1u << axis)
            return err_set(e, "axis %d is named twice", axis);
        *mask |= 1u << axis;
    }
    return rc;
}

static int infer_Squeeze(struct op_call *c, struct err *e)
{
    const struct shape *from = &c->in[0].shape;
    struct shape to = {0};
    unsigned mask;
    int n, rc = read_axes(c, from->n, &mask, &n, e);
    if (rc)
        return rc;
    for (int i = 0; i < from->n; i++) {
        bool named = mask & 1u << i;
        if (named && from->d[i] != 1)
            return err_set(e, "dimension %d is %lld, not 1", i, (long long)from->d[i]);
        if (!named && (n >= 0 || from->d[i] != 1))
            to.d[to.n++] = from->d[i];
    }
    return op_output(c, 0, c->in[0].type, &to, e);
}

static int infer_Unsqueeze(struct op_call *c, struct err *e)
{
    const struct shape *from = &c->in[0].shape;
    const struct attr *a = op_attr(c, "axes", ATTR_INTS);
    int64_t more = a ? (int64_t)a->n : op_has(c, 1) ? shape_count(&c->in[1].shape) : 0;
    struct shape to = {0};
    unsigned mask;
    int n;
    if (more < 1 || more > SHAPE_MAX - from->n)
        return err_set(e, "%lld axes more for %d", (long long)more, from->n);
    to.n = from->n + (int)more;
    int rc = read_axes(c, to.n, &mask, &n, e);
    if (rc)
        return rc;
    for (int i = 0, k = 0; i < to.n; i++)
        to.d[i] = mask & 1u << i ? 1 : from->d[k++];
    return op_output(c, 0, c->in[0].type, &to, e);
}

const struct op_row ops_reshape[] = {
    {"Reshape", "", 1, 2, 1, OP_RESHAPES, infer_Reshape, op_run_copy},
    {"Flatten", "", 1, 1, 1, OP_RESHAPES, infer_Flatten, op_run_copy},
    {"Squeeze", "", 1, 2, 1, OP_RESHAPES, infer_Squeeze, op_run_copy},
    {"Unsqueeze", "", 1, 2, 1, OP_RESHAPES, infer_Unsqueeze, op_run_copy},
    {.name = NULL},
};
