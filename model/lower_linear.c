/* SPDX-License-Identifier: MIT
 *
 * Fully connected layers, and batch-norm as a line per channel.
 */
#include <math.h>

#include "model/lattice.h"
#include "model/lower.h"
#include "model/transpose.h"

/* The weights [k][n] of the node just built, or [n][k] when rows_are_outputs, become [n][k] times alpha. */
static int normalise_weights(struct build *b, const struct source *s, bool rows_are_outputs, float alpha)
{
    struct node *n = &b->nodes[b->n_nodes - 1];
    if (rows_are_outputs && alpha == 1.0f)
        return 0;
    void *data;
    int w = build_writable(b, s, n, 1, &data);
    if (w < 0)
        return -1;
    struct shape *ws = &b->tensors[w].shape;
    int64_t count = shape_count(ws);
    for (int64_t i = 0; alpha != 1.0f && i < count; i++)
        ((float *)data)[i] *= alpha;
    if (!rows_are_outputs) {
        transpose_in_place(data, ws->d[0], ws->d[1]);
        *ws = (struct shape){2, {ws->d[1], ws->d[0]}};
    }
    static const int as_is[] = {0, 1}, swapped[] = {1, 0};
    lattice_move(b, w, w, rows_are_outputs ? as_is : swapped, alpha);
    return 0;
}

/* c broadcast to [n] times beta, as a constant. */
static int normalise_bias(struct build *b, const struct source *s, int c, int64_t n, float beta, int *out)
{
    const float *from = build_floats(b, c);
    if (!from)
        return build_fail(b, s, "the bias must be a constant");
    struct shape cs = b->tensors[c].shape, to = {1, {n}};
    int64_t count = shape_count(&cs);
    bool fits = cs.n <= 2 && (count == 1 || (count == n && cs.d[cs.n - 1] == n));
    if (!fits)
        return build_fail(b, s, "a bias of shape %s does not fit %lld outputs", shape_show(&b->arena, &cs),
                          (long long)n);
    *out = c;
    if (cs.n == 1 && count == n && beta == 1.0f)
        return 0;
    void *data;
    *out = build_constant(b, s, b->tensors[c].name, DTYPE_F32, &to, &data);
    if (*out < 0)
        return -1;
    for (int64_t i = 0; i < n; i++)
        ((float *)data)[i] = beta * from[count == 1 ? 0 : i];
    return 0;
}

int lower_gemm(struct build *b, const struct source *s)
{
    struct shape xs = b->tensors[s->in[0]].shape, ws = b->tensors[s->in[1]].shape;
    int in[3] = {s->in[0], s->in[1], -1}, c = build_in(s, 2);
    bool trans_b = build_attr_int(b, s, "transB", 0);
    float beta = build_attr_float(b, s, "beta", 1.0f);
    if (build_attr_int(b, s, "transA", 0))
        return build_fail(b, s, "transA is not supported");
    if (!build_floats(b, s->in[1]))
        return build_fail(b, s, "the weights must be a constant");
    if (xs.n != 2 || ws.n != 2 || xs.d[1] != ws.d[trans_b ? 1 : 0])
        return build_fail(b, s, "weights of shape %s do not fit an input of shape %s", shape_show(&b->arena, &ws),
                          shape_show(&b->arena, &xs));
    struct shape out = {2, {xs.d[0], ws.d[trans_b ? 0 : 1]}};
    float alpha = build_attr_float(b, s, "alpha", 1.0f);
    if (b->failed || (c >= 0 && normalise_bias(b, s, c, out.d[1], beta, &in[2])) ||
        build_node(b, s, OP_GEMM, 3, in, &out, NULL, NULL))
        return -1;
    return normalise_weights(b, s, trans_b, alpha);
}

/* Two activations, as in attention: a layer whose second input takes the bits of weights. */
static int lower_product(struct build *b, const struct source *s)
{
    const struct tensor *x = &b->tensors[s->in[0]], *y = &b->tensors[s->in[1]];
    if (x->data || y->data || x->shape.n < 2 || y->shape.n < 2)
        return build_fail(b, s, "MatMul of shapes %s and %s", shape_show(&b->arena, &x->shape),
                          shape_show(&b->arena, &y->shape));
    struct shape out = s->call->out[0].shape;
    return build_node(b, s, OP_MATMUL, 2, s->in, &out, NULL, NULL);
}

int lower_matmul(struct build *b, const struct source *s)
{
    struct shape xs = b->tensors[s->in[0]].shape, ws = b->tensors[s->in[1]].shape;
    int in[3] = {s->in[0], s->in[1], -1}, y;
    if (!build_floats(b, s->in[1]))
        return lower_product(b, s);
    if (xs.n < 2 || ws.n != 2 || xs.d[xs.n - 1] != ws.d[0] || ws.d[0] == 0)
        return build_fail(b, s, "weights of shape %s do not fit an input of shape %s", shape_show(&b->arena, &ws),
                          shape_show(&b->arena, &xs));
    struct shape out = xs;
    out.d[xs.n - 1] = ws.d[1];
    if (xs.n <= 3)
        return build_node(b, s, OP_GEMM, 3, in, &out, NULL, NULL) || normalise_weights(b, s, false, 1.0f) ? -1 : 0;
    /* Four dimensions are stored in another order than row-major: rows of a matrix are not. */
    struct shape rows = {2, {shape_count(&xs) / ws.d[0], ws.d[0]}}, product = {2, {rows.d[0], ws.d[1]}};
    if (build_reshape_step(b, s, in[0], &rows, "rows", &in[0]) ||
        build_node(b, s, OP_GEMM, 3, in, &product, "product", &y) || normalise_weights(b, s, false, 1.0f))
        return -1;
    b->nodes[b->n_nodes - 1].name = s->name;
    b->nodes[b->n_nodes - 1].helper = false;
    return build_reshape_back(b, s, y, &out);
}

/* y = (x - mean) / sqrt(variance + epsilon) * gamma + beta is x * scale + shift, computed here in double. */
int lower_batch_norm(struct build *b, const struct source *s)
{
    struct shape xs = b->tensors[s->in[0]].shape;
    const float *p[4];
    int in[3] = {s->in[0], -1, -1};
    if (build_attr_int(b, s, "training_mode", 0) || !build_attr_int(b, s, "spatial", 1))
        return build_fail(b, s, "BatchNormalization with training_mode or without spatial is not supported");
    if (xs.n < 2 || xs.d[0] != 1)
        return build_fail(b, s, "an input of shape %s is not supported", shape_show(&b->arena, &xs));
    struct shape per_channel = {1, {xs.d[1]}};
    for (int i = 0; i < 4; i++) {
        p[i] = build_floats(b, s->in[i + 1]);
        if (!p[i])
            return build_fail(b, s, "its parameters must be constants");
        if (!shape_equal(&b->tensors[s->in[i + 1]].shape, &per_channel))
            return build_fail(b, s, "parameters of shape %s do not fit %lld channels",
                              shape_show(&b->arena, &b->tensors[s->in[i + 1]].shape), (long long)xs.d[1]);
    }
    double epsilon = build_attr_float(b, s, "epsilon", 1e-5f);
    void *scale, *shift;
    in[1] = build_constant(b, s, build_name(b, s, "scale"), DTYPE_F32, &per_channel, &scale);
    in[2] = in[1] < 0 ? -1 : build_constant(b, s, build_name(b, s, "shift"), DTYPE_F32, &per_channel, &shift);
    if (in[2] < 0)
        return -1;
    for (int64_t c = 0; c < xs.d[1]; c++) {
        if (!(p[3][c] + epsilon > 0))
            return build_fail(b, s, "the variance of channel %lld is %g", (long long)c, (double)p[3][c]);
        double factor = p[0][c] / sqrt(p[3][c] + epsilon);
        ((float *)scale)[c] = (float)factor;
        ((float *)shift)[c] = (float)(p[1][c] - p[2][c] * factor);
    }
    return build_node(b, s, OP_BATCHNORM, 3, in, &xs, NULL, NULL);
}
