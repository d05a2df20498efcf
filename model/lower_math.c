/* SPDX-License-Identifier: MIT
 *
 * Element by element: arithmetic, activations, softmax.
 */
#include <math.h>

#include "model/lower.h"

/* A new float constant of x's shape: x times factor, or 1/x when invert. */
static int scaled_constant(struct build *b, const struct source *s, int x, float factor, bool invert, int *out)
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

/* A new float scalar. */
static int scalar_constant(struct build *b, const struct source *s, float value, const char *suffix, int *out)
{
    struct shape scalar = {0};
    void *data;
    *out = build_constant(b, s, build_name(b, s, suffix), DTYPE_F32, &scalar, &data);
    if (*out < 0)
        return -1;
    *(float *)data = value;
    return 0;
}

/* Adding zeros or multiplying by ones changes nothing. */
static bool is_neutral(const struct build *b, enum op op, int constant)
{
    const float *v = build_floats(b, constant);
    int64_t n = v ? shape_count(&b->tensors[constant].shape) : 0;
    for (int64_t i = 0; i < n; i++)
        if (v[i] != (op == OP_MUL ? 1.0f : 0.0f))
            return false;
    return n > 0;
}

/* x op y as a node, for an op where order does not matter: a constant goes second. */
static int add_pair(struct build *b, const struct source *s, enum op op, int x, int y, const char *suffix, int *out)
{
    int in[2] = {b->tensors[x].data ? y : x, b->tensors[x].data ? x : y};
    struct shape shape;
    if (build_attr(b, s, "broadcast", ATTR_INT)) /* before opset 7: other rules */
        return -1;
    if (shape_broadcast(&b->tensors[x].shape, &b->tensors[y].shape, &shape))
        return build_fail(b, s, "shapes %s and %s do not broadcast", shape_show(&b->arena, &b->tensors[x].shape),
                          shape_show(&b->arena, &b->tensors[y].shape));
    if (shape_equal(&shape, &b->tensors[in[0]].shape) && is_neutral(b, op, in[1]))
        return suffix ? build_reshape_step(b, s, in[0], &shape, suffix, out) : build_reshape(b, s, in[0], &shape);
    return build_node(b, s, op, 2, in, &shape, suffix, out);
}

int lower_add(struct build *b, const struct source *s)
{
    return add_pair(b, s, OP_ADD, s->in[0], s->in[1], NULL, NULL);
}

int lower_mul(struct build *b, const struct source *s)
{
    if (lower_scaled_snap(b, s))
        return 0;
    return add_pair(b, s, OP_MUL, s->in[0], s->in[1], NULL, NULL);
}

/* x - constant is x + (-constant); x - y is x + (y * -1). */
int lower_sub(struct build *b, const struct source *s)
{
    int y = s->in[1], minus;
    if (b->tensors[y].data) {
        if (scaled_constant(b, s, y, -1.0f, false, &y))
            return -1;
    } else if (scalar_constant(b, s, -1.0f, "minus_one", &minus) || add_pair(b, s, OP_MUL, y, minus, "negated", &y)) {
        return -1;
    }
    return add_pair(b, s, OP_ADD, s->in[0], y, NULL, NULL);
}

int lower_div(struct build *b, const struct source *s)
{
    int y = s->in[1];
    if (!b->tensors[y].data)
        return build_fail(b, s, "Div is only supported by a constant");
    if (scaled_constant(b, s, y, 1.0f, true, &y))
        return -1;
    return add_pair(b, s, OP_MUL, s->in[0], y, NULL, NULL);
}

static int add_unary(struct build *b, const struct source *s, enum op op)
{
    struct shape shape = b->tensors[s->in[0]].shape;
    return build_node(b, s, op, 1, s->in, &shape, NULL, NULL);
}

static int add_clip(struct build *b, const struct source *s, float lo, float hi)
{
    if (!(lo <= hi))
        return build_fail(b, s, "its range %g..%g is empty", (double)lo, (double)hi);
    if (add_unary(b, s, OP_CLIP))
        return -1;
    b->nodes[b->n_nodes - 1].act_lo = lo;
    b->nodes[b->n_nodes - 1].act_hi = hi;
    return 0;
}

int lower_relu(struct build *b, const struct source *s)
{
    return add_clip(b, s, 0, INFINITY);
}

/* A bound is an attribute before opset 11 and an optional scalar input since. */
static int read_bound(struct build *b, const struct source *s, const char *attr, int input, float *bound)
{
    int t = build_in(s, input);
    *bound = build_attr_float(b, s, attr, *bound);
    if (t < 0)
        return 0;
    if (!build_floats(b, t) || shape_count(&b->tensors[t].shape) != 1)
        return build_fail(b, s, "its %s is not a constant number", attr);
    *bound = build_floats(b, t)[0];
    return 0;
}

int lower_clip(struct build *b, const struct source *s)
{
    float lo = -INFINITY, hi = INFINITY;
    if (read_bound(b, s, "min", 1, &lo) || read_bound(b, s, "max", 2, &hi))
        return -1;
    return lower_rounded_clip(b, s, lo, hi) ? 0 : add_clip(b, s, lo, hi);
}

/* Max and Min with a number are the halves of a clamp: how Relu6 is written without an operator of its own. One input
 * is that input. */
static int lower_extreme(struct build *b, const struct source *s, bool max)
{
    const struct shape *xs = &b->tensors[s->in[0]].shape;
    if (s->n_in == 1)
        return build_reshape(b, s, s->in[0], xs);
    int k = b->tensors[s->in[0]].data ? 0 : 1;
    const float *v = build_floats(b, s->in[k]);
    if (s->n_in != 2 || !v || shape_count(&b->tensors[s->in[k]].shape) != 1 || isnan(*v) ||
        b->tensors[s->in[k]].shape.n > b->tensors[s->in[!k]].shape.n)
        return build_fail(b, s, "only a tensor and a number are a clamp");
    const struct source clip = {.node = s->node, .name = s->name, .in = &s->in[!k], .n_in = 1};
    return add_clip(b, &clip, max ? *v : -INFINITY, max ? INFINITY : *v);
}

int lower_max(struct build *b, const struct source *s)
{
    return lower_extreme(b, s, true);
}

int lower_min(struct build *b, const struct source *s)
{
    return lower_extreme(b, s, false);
}

/* One input is that input, two are an Add. */
int lower_sum(struct build *b, const struct source *s)
{
    if (s->n_in > 2)
        return build_fail(b, s, "a sum of %d", s->n_in);
    return s->n_in == 2 ? lower_add(b, s) : build_reshape(b, s, s->in[0], &b->tensors[s->in[0]].shape);
}

int lower_leaky_relu(struct build *b, const struct source *s)
{
    float alpha = build_attr_float(b, s, "alpha", 0.01f);
    if (add_unary(b, s, OP_LEAKY_RELU))
        return -1;
    b->nodes[b->n_nodes - 1].alpha = alpha;
    return 0;
}

int lower_sigmoid(struct build *b, const struct source *s)
{
    return add_unary(b, s, OP_SIGMOID);
}

int lower_hard_swish(struct build *b, const struct source *s)
{
    return add_unary(b, s, OP_HARD_SWISH);
}

/* max(0, min(1, alpha * x + beta)), as the three nodes that say so; the clamp is fused later. */
int lower_hard_sigmoid(struct build *b, const struct source *s)
{
    int alpha, beta, scaled, shifted;
    if (scalar_constant(b, s, build_attr_float(b, s, "alpha", 0.2f), "alpha", &alpha) ||
        scalar_constant(b, s, build_attr_float(b, s, "beta", 0.5f), "beta", &beta) ||
        add_pair(b, s, OP_MUL, s->in[0], alpha, "scaled", &scaled) ||
        add_pair(b, s, OP_ADD, scaled, beta, "shifted", &shifted))
        return -1;
    struct source clip = *s;
    clip.in = &shifted;
    return add_clip(b, &clip, 0, 1);
}

/* Before opset 13 softmax runs over all dimensions from axis on, since then over axis alone. */
int lower_softmax(struct build *b, const struct source *s)
{
    struct shape xs = b->tensors[s->in[0]].shape, flat = {2, {1, 1}};
    int axis, x, y;
    bool old = b->model.opset < 13;
    if (build_axis(b, s, build_attr_int(b, s, "axis", old ? 1 : -1), xs.n, &axis))
        return -1;
    for (int i = 0; i < xs.n; i++)
        flat.d[i >= axis] *= xs.d[i];
    if (!old || flat.d[1] == xs.d[axis]) {
        if (add_unary(b, s, OP_SOFTMAX))
            return -1;
        b->nodes[b->n_nodes - 1].axis = axis;
        return 0;
    }
    if (build_reshape_step(b, s, s->in[0], &flat, "flat", &x) ||
        build_node(b, s, OP_SOFTMAX, 1, &x, &flat, "softmax", &y))
        return -1;
    b->nodes[b->n_nodes - 1].axis = 1;
    return build_reshape(b, s, y, &xs);
}
