/* SPDX-License-Identifier: MIT
 *
 * Operators that move elements: transpose, concat, slice, pad. (What only reshapes needs nothing of its own.)
 */
#include <limits.h>
#include <string.h>

#include "base/num.h"
#include "model/lower.h"

/* True when the order of elements stays: the axes longer than 1 keep their order. */
static bool keeps_order(const struct shape *xs, const int *perm)
{
    int last = -1;
    for (int i = 0; i < xs->n; i++) {
        if (xs->d[perm[i]] == 1)
            continue;
        if (perm[i] < last)
            return false;
        last = perm[i];
    }
    return true;
}

int lower_transpose(struct build *b, const struct source *s)
{
    int x = s->in[0], perm[SHAPE_MAX], n;
    struct shape xs = b->tensors[x].shape, to = {.n = xs.n};
    int64_t v[SHAPE_MAX];
    unsigned seen = 0;
    if (build_int_list(b, s, "perm", -1, SHAPE_MAX, v, &n))
        return -1;
    if (n >= 0 && n != xs.n)
        return build_fail(b, s, "perm has %d values for %d dimensions", n, xs.n);
    for (int i = 0; i < xs.n; i++) {
        int64_t axis = n < 0 ? xs.n - 1 - i : v[i];
        if (axis < 0 || axis >= xs.n || seen & 1u << axis)
            return build_fail(b, s, "perm is not an order of %d dimensions", xs.n);
        seen |= 1u << axis;
        perm[i] = (int)axis;
        to.d[i] = xs.d[axis];
    }
    if (keeps_order(&xs, perm))
        return build_reshape(b, s, x, &to);
    if (build_node(b, s, OP_TRANSPOSE, 1, &x, &to, NULL, NULL))
        return -1;
    memcpy(b->nodes[b->n_nodes - 1].perm, perm, sizeof perm[0] * (size_t)xs.n);
    return 0;
}

int lower_concat(struct build *b, const struct source *s)
{
    struct shape to = b->tensors[s->in[0]].shape;
    int axis;
    if (build_axis(b, s, build_attr_int(b, s, "axis", 1), to.n, &axis))
        return -1;
    to.d[axis] = 0;
    for (int i = 0; i < s->n_in; i++) {
        if (s->in[i] < 0)
            return build_fail(b, s, "input %d is missing", i);
        const struct tensor *t = &b->tensors[s->in[i]];
        struct shape rest = t->shape;
        if (rest.n == to.n)
            rest.d[axis] = to.d[axis];
        if (!shape_equal(&rest, &to) || t->type != b->tensors[s->in[0]].type)
            return build_fail(b, s, "input %d of shape %s does not fit the others", i,
                              shape_show(&b->arena, &t->shape));
        to.d[axis] += t->shape.d[axis]; /* at most 2^20 inputs of 2^31 */
    }
    if (build_node(b, s, OP_CONCAT, s->n_in, s->in, &to, NULL, NULL))
        return -1;
    b->nodes[b->n_nodes - 1].axis = axis;
    return 0;
}

/* One axis of a slice by the rules of the specification: negative positions count from the end, then all is clamped. */
static int64_t slice_axis(int64_t d, int64_t start, int64_t end, int64_t step, int64_t *begin)
{
    bool down = step < 0;
    start = clamp_i64(start < 0 ? start + d : start, 0, down ? d - 1 : d);
    end = clamp_i64(end < 0 ? end + d : end, down ? -1 : 0, down ? d - 1 : d);
    *begin = start;
    int64_t way = down ? start - end : end - start;
    return way <= 0 ? 0 : (way - 1) / (down ? -step : step) + 1;
}

static int read_slice(struct build *b, const struct source *s, const struct shape *xs, struct shape *to, int64_t *begin,
                      int64_t *step)
{
    int64_t starts[SHAPE_MAX], ends[SHAPE_MAX], axes[SHAPE_MAX], steps[SHAPE_MAX];
    int n, n_ends, n_axes, n_steps, axis;
    if (build_int_list(b, s, "starts", 1, SHAPE_MAX, starts, &n) ||
        build_int_list(b, s, "ends", 2, SHAPE_MAX, ends, &n_ends) ||
        build_int_list(b, s, "axes", 3, SHAPE_MAX, axes, &n_axes) ||
        build_int_list(b, s, "steps", 4, SHAPE_MAX, steps, &n_steps))
        return -1;
    if (n < 1 || n_ends != n || (n_axes >= 0 && n_axes != n) || (n_steps >= 0 && n_steps != n) || n > xs->n)
        return build_fail(b, s, "starts, ends, axes and steps differ in length");
    *to = *xs;
    for (int i = 0; i < SHAPE_MAX; i++) {
        begin[i] = 0;
        step[i] = 1;
    }
    for (int i = 0; i < n; i++) {
        if (build_axis(b, s, n_axes < 0 ? i : axes[i], xs->n, &axis))
            return -1;
        step[axis] = n_steps < 0 ? 1 : steps[i];
        if (step[axis] == 0 || step[axis] > INT_MAX || step[axis] < -INT_MAX)
            return build_fail(b, s, "a step of %lld", (long long)step[axis]);
        to->d[axis] = slice_axis(xs->d[axis], starts[i], ends[i], step[axis], &begin[axis]);
    }
    return 0;
}

int lower_slice(struct build *b, const struct source *s)
{
    int x = s->in[0];
    struct shape xs = b->tensors[x].shape, to;
    int64_t begin[SHAPE_MAX], step[SHAPE_MAX];
    bool whole = true;
    if (read_slice(b, s, &xs, &to, begin, step))
        return -1;
    for (int i = 0; i < xs.n; i++)
        whole &= to.d[i] == xs.d[i] && step[i] == 1;
    if (whole)
        return build_reshape(b, s, x, &xs);
    if (build_node(b, s, OP_SLICE, 1, &x, &to, NULL, NULL))
        return -1;
    struct node *n = &b->nodes[b->n_nodes - 1];
    memcpy(n->begin, begin, sizeof begin);
    memcpy(n->step, step, sizeof step);
    return 0;
}

/* Spreads the pads over begin and end of each axis. Opset 18 may name the axes they are for. */
static int read_pad_sides(struct build *b, const struct source *s, int rank, int64_t *begin, int64_t *end)
{
    int64_t pads[2 * SHAPE_MAX], axes[SHAPE_MAX];
    int n, n_axes;
    if (build_int_list(b, s, "pads", 1, 2 * SHAPE_MAX, pads, &n) ||
        build_int_list(b, s, "axes", 3, SHAPE_MAX, axes, &n_axes))
        return -1;
    if (n != 2 * (n_axes < 0 ? rank : n_axes))
        return build_fail(b, s, "pads has %d values for %d dimensions", n, n_axes < 0 ? rank : n_axes);
    for (int i = 0; i < n / 2; i++) {
        int axis;
        if (build_axis(b, s, n_axes < 0 ? i : axes[i], rank, &axis))
            return -1;
        begin[axis] = pads[i];
        end[axis] = pads[n / 2 + i];
        if (pads[i] < 0 || pads[n / 2 + i] < 0 || pads[i] > INT_MAX / 4 || pads[n / 2 + i] > INT_MAX / 4)
            return build_fail(b, s, "pads of %lld and %lld are not supported", (long long)pads[i],
                              (long long)pads[n / 2 + i]);
    }
    return 0;
}

int lower_pad(struct build *b, const struct source *s)
{
    int x = s->in[0], value = build_in(s, 2);
    struct shape xs = b->tensors[x].shape, to = xs;
    int64_t begin[SHAPE_MAX] = {0}, end[SHAPE_MAX] = {0};
    const char *mode = build_attr_string(b, s, "mode", "constant");
    float fill = build_attr_float(b, s, "value", 0);
    if (strcmp(mode, "constant") != 0)
        return build_fail(b, s, "Pad with mode %s is not supported", onnx_name_show(&b->arena, mode));
    if (value >= 0) {
        if (!build_floats(b, value) || shape_count(&b->tensors[value].shape) != 1)
            return build_fail(b, s, "its value is not a constant number");
        fill = build_floats(b, value)[0];
    }
    if (read_pad_sides(b, s, xs.n, begin, end))
        return -1;
    for (int i = 0; i < xs.n; i++)
        to.d[i] += begin[i] + end[i];
    if (shape_equal(&xs, &to))
        return build_reshape(b, s, x, &to);
    if (build_node(b, s, OP_PAD, 1, &x, &to, NULL, NULL))
        return -1;
    struct node *n = &b->nodes[b->n_nodes - 1];
    memcpy(n->pads_begin, begin, sizeof begin);
    memcpy(n->pads_end, end, sizeof end);
    n->value = fill;
    return 0;
}
