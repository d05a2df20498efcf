/* SPDX-License-Identifier: MIT */
#include "tests/graph_eval.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

struct env {
    const struct graph *g;
    const struct node *n;
    float **value;
};

static const struct shape *shape_in(const struct env *v, int k)
{
    return &v->g->tensors[v->n->in[k]].shape;
}

static const struct shape *shape_out(const struct env *v)
{
    return &v->g->tensors[v->n->out[0]].shape;
}

static const float *in(const struct env *v, int k)
{
    return v->n->in[k] < 0 ? NULL : v->value[v->n->in[k]];
}

static void unravel(const struct shape *s, int64_t i, int64_t *index)
{
    for (int k = s->n - 1; k >= 0; k--) {
        index[k] = i % s->d[k];
        i /= s->d[k];
    }
}

/* Offset of index (of rank n) in a tensor of shape s, aligned at the last axis, axes of 1 repeated. */
static int64_t ravel(const struct shape *s, const int64_t *index, int n)
{
    int64_t at = 0;
    for (int k = 0; k < s->n; k++)
        at = at * s->d[k] + (s->d[k] == 1 ? 0 : index[n - s->n + k]);
    return at;
}

static float clamp(const struct node *n, double y)
{
    return (float)(y < (double)n->act_lo ? (double)n->act_lo : y > (double)n->act_hi ? (double)n->act_hi : y);
}

static void eval_conv(const struct env *v, float *y)
{
    const struct shape *xs = shape_in(v, 0), *ws = shape_in(v, 1), *ys = shape_out(v);
    const struct window *p = &v->n->window;
    int64_t per_group = ys->d[1] / v->n->groups;
    for (int64_t i = 0; i < shape_count(ys); i++) {
        int64_t at[4];
        unravel(ys, i, at);
        double sum = in(v, 2) ? (double)in(v, 2)[at[1]] : 0;
        for (int64_t j = 0; j < shape_count(ws) / ws->d[0]; j++) {
            int64_t c = j / (p->kh * p->kw), h = at[2] * p->stride_h - p->pad_top + j / p->kw % p->kh * p->dilation_h,
                    w = at[3] * p->stride_w - p->pad_left + j % p->kw * p->dilation_w;
            if (h < 0 || w < 0 || h >= xs->d[2] || w >= xs->d[3])
                continue;
            c += at[1] / per_group * ws->d[1];
            sum += (double)in(v, 0)[(c * xs->d[2] + h) * xs->d[3] + w] *
                   (double)in(v, 1)[at[1] * (shape_count(ws) / ws->d[0]) + j];
        }
        y[i] = clamp(v->n, sum);
    }
}

/* From the input's side: every value goes to the outputs that its taps lead to. */
static void eval_conv_transpose(const struct env *v, float *y)
{
    const struct shape *xs = shape_in(v, 0), *ws = shape_in(v, 1), *ys = shape_out(v);
    const struct window *p = &v->n->window;
    int64_t per_in = ws->d[1], per_out = ws->d[0] / v->n->groups, taps = p->kh * p->kw;
    for (int64_t i = 0; i < shape_count(ys); i++)
        y[i] = in(v, 2) ? in(v, 2)[i / (ys->d[2] * ys->d[3])] : 0;
    for (int64_t i = 0; i < shape_count(xs); i++) {
        int64_t at[4];
        unravel(xs, i, at);
        for (int64_t o = 0; o < per_out; o++)
            for (int64_t t = 0; t < taps; t++) {
                int64_t co = at[1] / per_in * per_out + o;
                int64_t h = at[2] * p->stride_h - p->pad_top + t / p->kw * p->dilation_h;
                int64_t w = at[3] * p->stride_w - p->pad_left + t % p->kw * p->dilation_w;
                if (h >= 0 && w >= 0 && h < ys->d[2] && w < ys->d[3])
                    y[(co * ys->d[2] + h) * ys->d[3] + w] +=
                        in(v, 0)[i] * in(v, 1)[(co * per_in + at[1] % per_in) * taps + t];
            }
    }
    for (int64_t i = 0; i < shape_count(ys); i++)
        y[i] = clamp(v->n, (double)y[i]);
}

static void eval_matmul(const struct env *v, float *y)
{
    const struct shape *as = shape_in(v, 0), *bs = shape_in(v, 1), *ys = shape_out(v);
    for (int64_t i = 0; i < shape_count(ys); i++) {
        int64_t at[SHAPE_MAX], other[SHAPE_MAX];
        unravel(ys, i, at);
        double sum = 0;
        for (int64_t k = 0; k < as->d[as->n - 1]; k++) {
            memcpy(other, at, sizeof other);
            other[ys->n - 1] = k;
            double a = (double)in(v, 0)[ravel(as, other, ys->n)];
            memcpy(other, at, sizeof other);
            other[ys->n - 2] = k;
            sum += a * (double)in(v, 1)[ravel(bs, other, ys->n)];
        }
        y[i] = (float)sum;
    }
}

static void eval_gemm(const struct env *v, float *y)
{
    const struct shape *ws = shape_in(v, 1);
    for (int64_t r = 0, rows = shape_count(shape_in(v, 0)) / ws->d[1]; r < rows; r++)
        for (int64_t i = 0; i < ws->d[0]; i++) {
            double sum = in(v, 2) ? (double)in(v, 2)[i] : 0;
            for (int64_t k = 0; k < ws->d[1]; k++)
                sum += (double)in(v, 0)[r * ws->d[1] + k] * (double)in(v, 1)[i * ws->d[1] + k];
            y[r * ws->d[0] + i] = clamp(v->n, sum);
        }
}

static void eval_pool(const struct env *v, float *y)
{
    const struct shape *xs = shape_in(v, 0), *ys = shape_out(v);
    struct window p = v->n->window;
    if (v->n->op == OP_GLOBAL_AVERAGE_POOL)
        p = (struct window){(int)xs->d[2], (int)xs->d[3], 1, 1, 1, 1, 0, 0, 0, 0, 0};
    for (int64_t i = 0; i < shape_count(ys); i++) {
        int64_t at[4], count = 0;
        unravel(ys, i, at);
        double sum = 0, most = -INFINITY;
        for (int j = 0; j < p.kh * p.kw; j++) {
            int64_t h = at[2] * p.stride_h - p.pad_top + j / p.kw * p.dilation_h;
            int64_t w = at[3] * p.stride_w - p.pad_left + j % p.kw * p.dilation_w;
            if (h < 0 || w < 0 || h >= xs->d[2] || w >= xs->d[3])
                continue;
            double x = (double)in(v, 0)[(at[1] * xs->d[2] + h) * xs->d[3] + w];
            count++;
            sum += x;
            most = x > most ? x : most;
        }
        count = p.count_include_pad ? p.kh * p.kw : count;
        y[i] = (float)(v->n->op == OP_MAX_POOL ? most : sum / (double)count);
    }
}

static double unary(const struct node *n, double x)
{
    switch (n->op) {
    case OP_CLIP:
        return (double)clamp(n, x);
    case OP_LEAKY_RELU:
        return x < 0 ? x * (double)n->alpha : x;
    case OP_SIGMOID:
        return 1 / (1 + exp(-x));
    case OP_HARD_SWISH:
        return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    default:
        return x; /* OP_RESHAPE */
    }
}

static void eval_elements(const struct env *v, float *y)
{
    const struct shape *ys = shape_out(v);
    for (int64_t i = 0; i < shape_count(ys); i++) {
        int64_t at[SHAPE_MAX];
        unravel(ys, i, at);
        double x = v->n->op == OP_RESHAPE ? (double)in(v, 0)[i] : (double)in(v, 0)[ravel(shape_in(v, 0), at, ys->n)];
        if (v->n->op == OP_ADD)
            y[i] = clamp(v->n, x + (double)in(v, 1)[ravel(shape_in(v, 1), at, ys->n)]);
        else if (v->n->op == OP_MUL)
            y[i] = (float)(x * (double)in(v, 1)[ravel(shape_in(v, 1), at, ys->n)]);
        else if (v->n->op == OP_BATCHNORM)
            y[i] = (float)(x * (double)in(v, 1)[at[1]] + (double)in(v, 2)[at[1]]);
        else
            y[i] = (float)unary(v->n, x);
    }
}

static void eval_softmax(const struct env *v, float *y)
{
    const struct shape *s = shape_out(v);
    for (int64_t i = 0; i < shape_count(s); i++) {
        int64_t at[SHAPE_MAX];
        unravel(s, i, at);
        double sum = 0;
        for (at[v->n->axis] = 0; at[v->n->axis] < s->d[v->n->axis]; at[v->n->axis]++)
            sum += exp((double)in(v, 0)[ravel(s, at, s->n)] - (double)in(v, 0)[i]);
        y[i] = (float)(1 / sum);
    }
}

/* Transpose, pad and slice: where element `at` of the output comes from; false for padding. */
static bool source_of(const struct env *v, const int64_t *at, int64_t *from)
{
    const struct node *n = v->n;
    const struct shape *xs = shape_in(v, 0);
    for (int k = 0; k < xs->n; k++) {
        if (n->op == OP_TRANSPOSE)
            from[n->perm[k]] = at[k];
        else if (n->op == OP_SLICE)
            from[k] = n->begin[k] + at[k] * n->step[k];
        else
            from[k] = at[k] - n->pads_begin[k];
        if (n->op == OP_PAD && (from[k] < 0 || from[k] >= xs->d[k]))
            return false;
    }
    return true;
}

static void eval_moves(const struct env *v, float *y)
{
    const struct shape *ys = shape_out(v);
    for (int64_t i = 0; i < shape_count(ys); i++) {
        int64_t at[SHAPE_MAX], from[SHAPE_MAX];
        unravel(ys, i, at);
        y[i] = source_of(v, at, from) ? in(v, 0)[ravel(shape_in(v, 0), from, ys->n)] : v->n->value;
    }
}

static void eval_concat(const struct env *v, float *y)
{
    const struct shape *ys = shape_out(v);
    for (int64_t i = 0; i < shape_count(ys); i++) {
        int64_t at[SHAPE_MAX];
        int k = 0;
        unravel(ys, i, at);
        while (at[v->n->axis] >= shape_in(v, k)->d[v->n->axis])
            at[v->n->axis] -= shape_in(v, k++)->d[v->n->axis];
        y[i] = in(v, k)[ravel(shape_in(v, k), at, ys->n)];
    }
}

static void eval_snap(const struct env *v, float *y)
{
    const struct lattice *l = v->g->tensors[v->n->out[0]].lattice;
    for (int64_t i = 0; i < shape_count(shape_out(v)); i++) {
        float level = rintf(in(v, 0)[i] / l->scale[0]);
        level = l->binary ? (in(v, 0)[i] >= 0 ? 1 : -1) : fminf(fmaxf(level, (float)l->lo), (float)l->hi);
        y[i] = level * l->scale[0];
    }
}

/* What ops/ says: its own tests are ONNX's cases. */
static void eval_call(const struct env *v, struct arena *a)
{
    const struct node *n = v->n;
    struct array *in = arena_new(a, (size_t)n->n_in + 1, sizeof *in),
                 *out = arena_new(a, (size_t)n->n_out + 1, sizeof *out);
    struct op_call c = {.row = n->row,
                        .attr = n->attr,
                        .n_attr = n->n_attr,
                        .opset = n->opset,
                        .n_in = n->n_in,
                        .n_out = n->n_out,
                        .in = in,
                        .out = out};
    struct err e;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] >= 0) {
            const struct tensor *t = &v->g->tensors[n->in[k]];
            in[k] = (struct array){t->type, t->shape, t->data ? (void *)t->data : v->value[n->in[k]]};
        }
    ck_assert_int_eq(n->row->infer(&c, &e), 0);
    c.work = arena_new(a, c.work_bytes + 1, 1);
    for (int k = 0; k < n->n_out; k++)
        out[k].data = v->value[n->out[k]];
    ck_assert_ptr_null(n->row->run(&c));
}

float **graph_eval(const struct graph *g, const float *const *inputs, struct arena *a)
{
    static void (*const eval[OP_COUNT])(const struct env *, float *) = {
        [OP_CONV] = eval_conv,
        [OP_CONV_TRANSPOSE] = eval_conv_transpose,
        [OP_GEMM] = eval_gemm,
        [OP_MATMUL] = eval_matmul,
        [OP_ADD] = eval_elements,
        [OP_MUL] = eval_elements,
        [OP_BATCHNORM] = eval_elements,
        [OP_CLIP] = eval_elements,
        [OP_LEAKY_RELU] = eval_elements,
        [OP_SIGMOID] = eval_elements,
        [OP_HARD_SWISH] = eval_elements,
        [OP_SOFTMAX] = eval_softmax,
        [OP_MAX_POOL] = eval_pool,
        [OP_AVERAGE_POOL] = eval_pool,
        [OP_GLOBAL_AVERAGE_POOL] = eval_pool,
        [OP_RESHAPE] = eval_elements,
        [OP_TRANSPOSE] = eval_moves,
        [OP_CONCAT] = eval_concat,
        [OP_PAD] = eval_moves,
        [OP_SLICE] = eval_moves,
        [OP_SNAP] = eval_snap,
    };
    struct env v = {.g = g, .value = arena_new(a, (size_t)g->n_tensors, sizeof *v.value)};
    for (int i = 0; i < g->n_tensors; i++) {
        size_t n = (size_t)shape_count(&g->tensors[i].shape);
        v.value[i] = arena_new(a, n + 1, 8);
        if (g->tensors[i].data && g->tensors[i].type == DTYPE_F32)
            memcpy(v.value[i], g->tensors[i].data, n * sizeof(float));
    }
    for (int i = 0; i < g->n_inputs; i++)
        memcpy(v.value[g->inputs[i]], inputs[i], (size_t)shape_count(&g->tensors[g->inputs[i]].shape) * sizeof(float));
    for (int i = 0; i < g->n_nodes; i++) {
        v.n = &g->nodes[i];
        if (v.n->op == OP_CALL)
            eval_call(&v, a);
        else
            eval[v.n->op](&v, v.value[v.n->out[0]]);
    }
    return v.value;
}
