/* SPDX-License-Identifier: MIT */
#include "model/passes.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "model/lattice.h"

/* The node that makes input k of n, when n is the only one that reads it; NULL otherwise. */
static struct node *sole_producer(struct build *b, const int *uses, const struct node *n, int k)
{
    int t = n->in[k];
    return uses[t] == 1 && b->tensors[t].producer >= 0 ? &b->nodes[b->tensors[t].producer] : NULL;
}

/* first takes over the output of last, which is removed. */
static void absorb_consumer(struct build *b, struct node *first, struct node *last)
{
    first->out[0] = last->out[0];
    b->tensors[first->out[0]].producer = (int)(first - b->nodes);
    last->op = OP_COUNT;
}

static bool is_clamped(const struct node *n)
{
    return n->act_lo != -INFINITY || n->act_hi != INFINITY;
}

/* Zero padding of height and width before a convolution becomes the convolution's own. */
static void fold_pad(struct build *b, const int *uses, struct node *conv)
{
    struct node *pad = sole_producer(b, uses, conv, 0);
    if (!pad || pad->op != OP_PAD || pad->value != 0)
        return;
    const int64_t *lo = pad->pads_begin, *hi = pad->pads_end;
    struct window *w = &conv->window;
    if (lo[0] || hi[0] || lo[1] || hi[1] || lo[2] > INT_MAX / 4 - w->pad_top || hi[2] > INT_MAX / 4 - w->pad_bottom ||
        lo[3] > INT_MAX / 4 - w->pad_left || hi[3] > INT_MAX / 4 - w->pad_right)
        return;
    w->pad_top += (int)lo[2];
    w->pad_left += (int)lo[3];
    w->pad_bottom += (int)hi[2];
    w->pad_right += (int)hi[3];
    conv->in[0] = pad->in[0];
    pad->op = OP_COUNT;
}

/* How tensor t, a constant operand, lies on the output channels of a layer: its step per channel (0: one value for
 * all), or -1 when it is not one value a channel. channel_axis counts from the end. */
static int channel_step(const struct build *b, int t, int channel_axis, int64_t channels)
{
    const struct shape *s = &b->tensors[t].shape;
    int64_t n = shape_count(s);
    if (n == 1)
        return 0;
    int at = s->n - 1 - channel_axis;
    return n == channels && at >= 0 && s->d[at] == channels ? 1 : -1;
}

/* What node n does to channel c: y = scale * x + shift; either may be NULL. */
struct line {
    const float *scale, *shift;
    int scale_step, shift_step;
};

/* Whether n is a line per output channel of the layer that feeds it. */
static bool line_of_node(const struct build *b, const struct node *n, const struct node *layer, struct line *l)
{
    const struct shape *y = &b->tensors[layer->out[0]].shape;
    int channel_axis = layer->op == OP_CONV ? 2 : 0; /* from the end: [1][c][h][w], [..][n] */
    int64_t channels = b->tensors[layer->in[1]].shape.d[0];
    *l = (struct line){0};
    if (!shape_equal(y, &b->tensors[n->out[0]].shape))
        return false;
    if (n->op == OP_BATCHNORM) {
        *l = (struct line){build_floats(b, n->in[1]), build_floats(b, n->in[2]), 1, 1};
        return layer->op == OP_CONV || y->n == 2;
    }
    if ((n->op != OP_MUL && n->op != OP_ADD) || !b->tensors[n->in[1]].data)
        return false;
    int step = channel_step(b, n->in[1], channel_axis, channels);
    if (n->op == OP_MUL) {
        l->scale = build_floats(b, n->in[1]);
        l->scale_step = step;
    } else {
        l->shift = build_floats(b, n->in[1]);
        l->shift_step = step;
    }
    return step >= 0;
}

static int scale_weights(struct build *b, const struct source *s, struct node *layer, const struct line *l)
{
    const struct tensor *w = &b->tensors[layer->in[1]];
    struct shape shape = w->shape;
    const float *from = w->data;
    int64_t channels = shape.d[0], k = shape_count(&shape) / channels;
    void *data;
    int t = build_constant(b, s, w->name, DTYPE_F32, &shape, &data);
    if (t < 0)
        return -1;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < k; i++)
            ((float *)data)[c * k + i] = from[c * k + i] * l->scale[c * l->scale_step];
    lattice_scale(b, layer->in[1], t, l->scale, l->scale_step);
    layer->in[1] = t;
    return 0;
}

static int scale_bias(struct build *b, const struct source *s, struct node *layer, const struct line *l)
{
    int64_t channels = b->tensors[layer->in[1]].shape.d[0];
    struct shape shape = {1, {channels}};
    const float *old = build_floats(b, layer->in[2]);
    void *data;
    int t =
        build_constant(b, s, old ? b->tensors[layer->in[2]].name : build_name(b, s, "bias"), DTYPE_F32, &shape, &data);
    if (t < 0)
        return -1;
    for (int64_t c = 0; c < channels; c++) {
        double v = old ? old[c] : 0;
        v = l->scale ? v * l->scale[c * l->scale_step] : v;
        ((float *)data)[c] = (float)(l->shift ? v + l->shift[c * l->shift_step] : v);
    }
    layer->in[2] = t;
    return 0;
}

/* Batch-norm, and a constant factor or addend per channel, go into the weights and bias of the layer before. */
static int fold_line(struct build *b, const int *uses, struct node *n)
{
    struct node *layer = sole_producer(b, uses, n, 0);
    struct line l;
    if (!layer || (layer->op != OP_CONV && layer->op != OP_GEMM) || is_clamped(layer) || !line_of_node(b, n, layer, &l))
        return 0;
    const struct onnx_node as = {.op_type = layer->op_type};
    const struct source s = {.node = &as, .name = layer->name};
    if (l.scale && scale_weights(b, &s, layer, &l))
        return -1;
    if ((l.shift || layer->in[2] >= 0) && scale_bias(b, &s, layer, &l))
        return -1;
    absorb_consumer(b, layer, n);
    return 0;
}

static float clamp(float v, float lo, float hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* A clamp becomes part of the node before it. Two clamps one after the other are one. */
static void fuse_clip(struct build *b, const int *uses, struct node *n)
{
    struct node *p = sole_producer(b, uses, n, 0);
    if (!p || (p->op != OP_CONV && p->op != OP_GEMM && p->op != OP_ADD && p->op != OP_CLIP))
        return;
    p->act_lo = clamp(p->act_lo, n->act_lo, n->act_hi);
    p->act_hi = clamp(p->act_hi, n->act_lo, n->act_hi);
    p->act_name = p->op == OP_CLIP ? p->act_name : n->name;
    absorb_consumer(b, p, n);
}

/* One sweep in topological order is enough: a node that has taken over its consumer stands there with the new output
 * when the next consumer's turn comes. The uses of the tensors that remain never change on the way. */
int passes_run(struct build *b)
{
    int *uses = build_count_uses(b), rc = 0;
    for (int i = 0; !rc && i < b->n_nodes; i++) {
        struct node *n = &b->nodes[i];
        if (n->op == OP_CONV)
            fold_pad(b, uses, n);
        else if (n->op == OP_BATCHNORM || n->op == OP_MUL || n->op == OP_ADD)
            rc = fold_line(b, uses, n);
        else if (n->op == OP_CLIP)
            fuse_clip(b, uses, n);
    }
    mem_free(uses);
    return rc;
}
