/* SPDX-License-Identifier: MIT
 *
 * Batch-norm and constant factors and addends: y = scale * x + shift for each channel. They go into the weights and
 * biases of the layer before, or of the layer after; what is left between two other nodes becomes one.
 */
#include <math.h>

#include "model/lattice.h"
#include "model/passes.h"

/* What node n does to channel c; either may be NULL. */
struct line {
    const float *scale, *shift;
    int scale_step, shift_step; /* 0: one value for all channels */
};

/* How tensor t, a constant operand, lies on the channels of what it is applied to: its step per channel (0: one value
 * for all), or -1 when it is not one value a channel. channel_axis counts from the end. */
static int channel_step(const struct build *b, int t, int channel_axis, int64_t channels)
{
    const struct shape *s = &b->tensors[t].shape;
    int64_t n = shape_count(s);
    if (n == 1)
        return 0;
    int at = s->n - 1 - channel_axis;
    return n == channels && at >= 0 && s->d[at] == channels ? 1 : -1;
}

/* Whether n is a line over that axis (from the end) of its first input. */
static bool line_of_node(const struct build *b, const struct node *n, int channel_axis, struct line *l)
{
    const struct shape *x = &b->tensors[n->in[0]].shape;
    *l = (struct line){0};
    if (channel_axis >= x->n || !shape_equal(x, &b->tensors[n->out[0]].shape))
        return false;
    if (n->op == OP_BATCHNORM) {
        *l = (struct line){build_floats(b, n->in[1]), build_floats(b, n->in[2]), 1, 1};
        return x->n - 2 == channel_axis;
    }
    if ((n->op != OP_MUL && n->op != OP_ADD) || !build_floats(b, n->in[1]))
        return false;
    int step = channel_step(b, n->in[1], channel_axis, x->d[x->n - 1 - channel_axis]);
    if (n->op == OP_MUL) {
        l->scale = build_floats(b, n->in[1]);
        l->scale_step = step;
    } else {
        l->shift = build_floats(b, n->in[1]);
        l->shift_step = step;
    }
    return step >= 0;
}

static int channel_axis_of(const struct node *layer)
{
    return passes_is_convolution(layer) ? 2 : 0; /* from the end: [1][c][h][w], [..][n] */
}

static double scale_at(const struct line *l, int64_t c)
{
    return l->scale ? (double)l->scale[c * l->scale_step] : 1;
}

static double shift_at(const struct line *l, int64_t c)
{
    return l->shift ? (double)l->shift[c * l->shift_step] : 0;
}

/* A new constant [channels], to take the place of operand k. Its tensor, or -1. */
static int new_per_channel(struct build *b, const struct node *n, int k, int64_t channels, const char *suffix,
                           float **data)
{
    const struct onnx_node as = {.op_type = n->op_type};
    const struct source s = {.node = &as, .name = n->name};
    const struct shape shape = {1, {channels}};
    void *to = NULL;
    int t = build_constant(b, &s, n->in[k] >= 0 ? b->tensors[n->in[k]].name : build_name(b, &s, suffix), DTYPE_F32,
                           &shape, &to);
    *data = to;
    return t;
}

/* The weights, to be changed. */
static float *writable_weights(struct build *b, struct node *layer)
{
    const struct onnx_node as = {.op_type = layer->op_type};
    const struct source s = {.node = &as, .name = layer->name};
    void *data;
    return build_writable(b, &s, layer, 1, &data) < 0 ? NULL : data;
}

static int scale_weights(struct build *b, struct node *layer, const struct line *l)
{
    float *w = writable_weights(b, layer);
    const struct shape *shape = &b->tensors[layer->in[1]].shape;
    int64_t channels = shape->d[0], k = shape_count(shape) / channels;
    for (int64_t c = 0; w && c < channels; c++)
        for (int64_t i = 0; i < k; i++)
            w[c * k + i] *= l->scale[c * l->scale_step];
    if (w)
        lattice_scale(b, layer->in[1], layer->in[1], l->scale, l->scale_step);
    return w ? 0 : -1;
}

static int scale_bias(struct build *b, struct node *layer, const struct line *l)
{
    int64_t channels = b->tensors[layer->in[1]].shape.d[0];
    const float *old = build_floats(b, layer->in[2]);
    float *to;
    int t = new_per_channel(b, layer, 2, channels, "bias", &to);
    if (t < 0)
        return -1;
    for (int64_t c = 0; c < channels; c++)
        to[c] = (float)((old ? old[c] : 0) * scale_at(l, c) + shift_at(l, c));
    build_replace(b, layer, 2, t);
    return 0;
}

/* Two factors or two addends that are numbers: one, in the place of the first. */
static int merge_numbers(struct build *b, struct node *first, struct node *last)
{
    const struct source s = {.name = first->name};
    const struct shape scalar = {0};
    float x = *build_floats(b, first->in[1]), y = *build_floats(b, last->in[1]);
    void *data;
    int t = build_constant(b, &s, b->tensors[first->in[1]].name, DTYPE_F32, &scalar, &data);
    if (t < 0)
        return -1;
    *(float *)data = first->op == OP_MUL ? x * y : x + y;
    build_replace(b, first, 1, t);
    passes_absorb(b, first, last);
    return 0;
}

/* Both lines as one batch-norm, in the place of the first. */
static int merge_lines(struct build *b, struct node *first, struct node *last, const struct line *f,
                       const struct line *l)
{
    int64_t channels = b->tensors[first->in[0]].shape.d[1];
    int *in = arena_new(&b->arena, 4, sizeof *in);
    in[0] = first->in[0];
    in[1] = in[2] = -1;
    in[3] = first->out[0];
    first->in = in;
    first->out = in + 3;
    first->n_in = 3;
    first->op = OP_BATCHNORM;
    float *scale, *shift;
    int scales = new_per_channel(b, first, 1, channels, "scale", &scale);
    int shifts = scales < 0 ? -1 : new_per_channel(b, first, 2, channels, "shift", &shift);
    if (shifts < 0)
        return -1;
    for (int64_t c = 0; c < channels; c++) {
        scale[c] = (float)(scale_at(f, c) * scale_at(l, c));
        shift[c] = (float)(shift_at(f, c) * scale_at(l, c) + shift_at(l, c));
    }
    build_replace(b, first, 1, scales);
    build_replace(b, first, 2, shifts);
    passes_absorb(b, first, last);
    return 0;
}

int passes_fold_line(struct build *b, const int *uses, struct node *n)
{
    struct node *p = passes_sole_producer(b, uses, n, 0);
    struct line l, f;
    if (!p || passes_is_clamped(p))
        return 0;
    if (passes_is_convolution(p) || p->op == OP_GEMM) {
        if (!line_of_node(b, n, channel_axis_of(p), &l))
            return 0;
        if ((l.scale && scale_weights(b, p, &l)) || ((l.shift || p->in[2] >= 0) && scale_bias(b, p, &l)))
            return -1;
        passes_absorb(b, p, n);
        return 0;
    }
    int axis = b->tensors[n->in[0]].shape.n - 2;
    if (axis < 0 || passes_is_clamped(n) || !line_of_node(b, p, axis, &f) || !line_of_node(b, n, axis, &l))
        return 0;
    bool numbers = !f.scale_step && !f.shift_step && !l.scale_step && !l.shift_step;
    if (numbers) /* an Add takes a clamp later, a batch-norm does not */
        return p->op == n->op ? merge_numbers(b, p, n) : 0;
    return merge_lines(b, p, n, &f, &l);
}

static bool has_shift(const struct line *l, int64_t channels)
{
    for (int64_t c = 0; c < channels; c++)
        if (shift_at(l, c) != 0)
            return true;
    return false;
}

/* What a zero of padding would have been is no zero before the line: with padding only factors can move. */
static bool is_padded(const struct node *n)
{
    const struct window *w = &n->window;
    return n->op == OP_CONV && (w->pad_top || w->pad_left || w->pad_bottom || w->pad_right);
}

int passes_fold_input_line(struct build *b, const int *uses, struct node *n)
{
    struct node *p = passes_sole_producer(b, uses, n, 0);
    struct line l;
    if (!p || passes_is_clamped(p) || !line_of_node(b, p, channel_axis_of(n), &l))
        return 0;
    const struct shape ws = b->tensors[n->in[1]].shape, xs = b->tensors[n->in[0]].shape;
    int64_t channels = xs.d[xs.n - 1 - channel_axis_of(n)], k = shape_count(&ws) / ws.d[0], taps = k / ws.d[1];
    int64_t per_group = ws.d[0] / (n->op == OP_CONV ? n->groups : 1);
    bool shifts = has_shift(&l, channels);
    if (shifts && is_padded(n))
        return 0;
    const float *old = build_floats(b, n->in[2]);
    float *w = writable_weights(b, n), *bias = NULL;
    int biases = w && shifts ? new_per_channel(b, n, 2, ws.d[0], "bias", &bias) : -1;
    if (!w || (shifts && biases < 0))
        return -1;
    for (int64_t o = 0; o < ws.d[0]; o++) {
        double sum = old ? (double)old[o] : 0;
        for (int64_t i = 0; i < k; i++) {
            int64_t c = o / per_group * ws.d[1] + i / taps;
            sum += (double)w[o * k + i] * shift_at(&l, c);
            w[o * k + i] = (float)(w[o * k + i] * scale_at(&l, c));
        }
        if (bias)
            bias[o] = (float)sum;
    }
    if (l.scale) /* differs within an output channel */
        b->tensors[n->in[1]].lattice = NULL;
    if (bias)
        build_replace(b, n, 2, biases);
    n->in[0] = p->in[0];
    build_fuse_names(b, n, p);
    p->op = OP_COUNT;
    return 0;
}
