/* SPDX-License-Identifier: MIT */
#include "model/passes.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/num.h"

struct node *passes_sole_producer(struct build *b, const int *uses, const struct node *n, int k)
{
    int t = n->in[k];
    return t >= 0 && uses[t] == 1 && b->tensors[t].producer >= 0 ? &b->nodes[b->tensors[t].producer] : NULL;
}

void passes_absorb(struct build *b, struct node *first, struct node *last)
{
    first->out[0] = last->out[0];
    b->tensors[first->out[0]].producer = (int)(first - b->nodes);
    build_fuse_names(b, first, last);
    last->op = OP_COUNT;
}

bool passes_is_convolution(const struct node *n)
{
    return n->op == OP_CONV || n->op == OP_CONV_TRANSPOSE;
}

bool passes_is_clamped(const struct node *n)
{
    return n->act_lo != -INFINITY || n->act_hi != INFINITY;
}

/* Zero padding of height and width before a convolution becomes the convolution's own. */
static void fold_pad(struct build *b, const int *uses, struct node *conv)
{
    struct node *pad = passes_sole_producer(b, uses, conv, 0);
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
    build_fuse_names(b, conv, pad);
    pad->op = OP_COUNT;
}

/* A clamp becomes part of the node before it. Two clamps one after the other are one. */
static void fuse_clip(struct build *b, const int *uses, struct node *n)
{
    struct node *p = passes_sole_producer(b, uses, n, 0);
    if (!p || (!passes_is_convolution(p) && p->op != OP_GEMM && p->op != OP_ADD && p->op != OP_CLIP))
        return;
    p->act_lo = clamp_f32(p->act_lo, n->act_lo, n->act_hi);
    p->act_hi = clamp_f32(p->act_hi, n->act_lo, n->act_hi);
    p->act_name = p->op == OP_CLIP ? p->act_name : n->name;
    passes_absorb(b, p, n);
}

/* t is x * factor; *x and *factor say so. Any tensor is itself times 1. *by: the Mul, NULL when none. */
static void split_factor(struct build *b, const int *uses, const struct node *reader, int k, int *x, float *factor,
                         struct node **by)
{
    struct node *p = passes_sole_producer(b, uses, reader, k);
    bool is = p && p->op == OP_MUL && build_floats(b, p->in[1]) && shape_count(&b->tensors[p->in[1]].shape) == 1;
    *x = is ? p->in[0] : reader->in[k];
    *factor = is ? build_floats(b, p->in[1])[0] : 1;
    *by = is ? p : NULL;
}

static bool is_near(float v, float want)
{
    return fabsf(v - want) <= 1e-6f * fabsf(want);
}

/* n is x * clamp_f32(x * f + s, 0, top) * g, which with f * g = 1/6, s * g = 1/2 and top * g = 1 is HardSwish. gate is
 * the index of the clamped operand. */
static bool match_gate(struct build *b, const int *uses, struct node *n, int gate, float g)
{
    struct node *after, *before;
    int x, y;
    float more, f;
    split_factor(b, uses, n, gate, &y, &more, &after);
    struct node *add = passes_sole_producer(b, uses, after ? after : n, after ? 0 : gate);
    if (!add || add->op != OP_ADD || !build_floats(b, add->in[1]) || shape_count(&b->tensors[add->in[1]].shape) != 1 ||
        add->act_lo != 0)
        return false;
    g *= more;
    split_factor(b, uses, add, 0, &x, &f, &before);
    if (x != n->in[!gate] || !is_near(f * g, 1.0f / 6) || !is_near(build_floats(b, add->in[1])[0] * g, 0.5f) ||
        !is_near(add->act_hi * g, 1) || !shape_equal(&b->tensors[x].shape, &b->tensors[n->out[0]].shape))
        return false;
    struct node *gone[] = {before, add, after};
    for (int i = 0; i < 3; i++)
        if (gone[i]) {
            build_fuse_names(b, n, gone[i]);
            gone[i]->op = OP_COUNT;
        }
    n->op = OP_HARD_SWISH;
    n->in[0] = x;
    n->n_in = 1;
    return true;
}

/* x * HardSigmoid(x) and x * Relu6(x + 3) / 6, as exporters write it without an operator of its own. */
static bool find_hard_swish(struct build *b, const int *uses, struct node *n)
{
    const float *factor = build_floats(b, n->in[1]);
    if (!factor)
        return match_gate(b, uses, n, 0, 1) || match_gate(b, uses, n, 1, 1);
    struct node *p = passes_sole_producer(b, uses, n, 0);
    if (!p || p->op != OP_MUL || b->tensors[p->in[1]].data || shape_count(&b->tensors[n->in[1]].shape) != 1 ||
        !(match_gate(b, uses, p, 0, *factor) || match_gate(b, uses, p, 1, *factor)))
        return false;
    passes_absorb(b, p, n);
    return true;
}

static int sweep_node(struct build *b, const int *uses, struct node *n)
{
    switch (n->op) {
    case OP_CONV:
        fold_pad(b, uses, n);
        return passes_fold_input_line(b, uses, n);
    case OP_GEMM:
        return passes_fold_input_line(b, uses, n);
    case OP_MUL:
        return find_hard_swish(b, uses, n) ? 0 : passes_fold_line(b, uses, n);
    case OP_BATCHNORM:
    case OP_ADD:
        return passes_fold_line(b, uses, n);
    case OP_CLIP:
        fuse_clip(b, uses, n);
        return 0;
    default:
        return 0;
    }
}

/* One sweep in topological order is enough: a node that has taken over its consumer stands there with the new output
 * when the next consumer's turn comes. The uses of the tensors that remain never change on the way. */
int passes_run(struct build *b)
{
    build_drop_dead(b);
    if (passes_layout(b))
        return -1;
    build_drop_dead(b);
    build_recount(b);
    int *uses = build_count_uses(b), rc = 0, n_nodes = b->n_nodes;
    for (int i = 0; !rc && i < n_nodes; i++)
        rc = sweep_node(b, uses, &b->nodes[i]);
    mem_free(uses);
    return rc;
}
