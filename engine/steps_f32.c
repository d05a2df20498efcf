/* SPDX-License-Identifier: MIT
 *
 * Steps in float: the fp32 reference (by kernels of our own, or OpenBLAS where there are none), and the islands around
 * operators that have no kernel on codes.
 */
#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "engine/step.h"

/* Rows of the im2col matrix that are made at a time, so that they stay in the second level cache. */
static int rows_at_once(const struct conv_geom *g)
{
    int k = g->kh * g->kw * (g->cin / g->groups), rows = 192 * 1024 / 4 / k;
    return rows < 16 ? 16 : rows;
}

size_t step_sgemm_scratch(const struct conv_geom *g)
{
    size_t k = (size_t)g->kh * (size_t)g->kw * (size_t)(g->cin / g->groups);
    int pixels = g->oh * g->ow, rows = rows_at_once(g);
    return (size_t)(rows < pixels ? rows : pixels) * k * sizeof(float);
}

/* The layer without what is added to it. */
static void sgemm_alone(const struct step *s, const struct run_state *r, float lo, float hi)
{
    const struct conv_geom *g = &s->geom;
    const float *in = step_in(s, r, 0);
    float *out = step_out(s, r);
    int pixels = g->oh * g->ow, k = g->kh * g->kw * (g->cin / g->groups), n = g->cout / g->groups;
    bool direct = g->groups == 1 && g->kh == 1 && g->kw == 1 && g->stride_h == 1 && g->stride_w == 1 &&
                  g->pad_top == 0 && g->pad_left == 0 && g->oh == g->h && g->ow == g->w;
    int rows = direct ? pixels : rows_at_once(g);
    for (int group = 0; group < g->groups; group++) {
        const float *w = s->weights + (size_t)group * (size_t)k * (size_t)n;
        for (int first = 0; first < pixels; first += rows) {
            int m = pixels - first < rows ? pixels - first : rows;
            const float *a = in;
            if (!direct) {
                r->vec->im2col_f32(g, group, first, m, in, r->scratch);
                a = r->scratch;
            }
            float *c = out + (size_t)first * (size_t)g->cout + (size_t)group * (size_t)n;
            if (pixels == 1 && g->groups == 1)
                cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1, w, n, a, 1, 0, c, 1);
            else
                cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a, k, w, n, 0, c, g->cout);
        }
    }
    r->vec->bias_clamp_f32((size_t)pixels, (size_t)g->cout, s->bias, lo, hi, out);
}

void step_sgemm_f32(const struct step *s, const struct run_state *r)
{
    if (s->sum >= 0) {
        step_layer_alone(s, r);
        step_layer_add(s, r);
    } else {
        sgemm_alone(s, r, s->lo, s->hi);
    }
}

static void conv_f32(const struct step *s, const struct run_state *r, const float *add, float lo, float hi)
{
    struct float_conv_call call = {.in = step_in(s, r, 0),
                                   .packed = s->packed,
                                   .scratch = r->scratch,
                                   .add = add,
                                   .lo = lo,
                                   .hi = hi,
                                   .out = step_out(s, r),
                                   .channels = {s->share.channels[0], s->share.channels[1]}};
    s->float_conv->run(&s->geom, &call);
}

void step_conv_f32(const struct step *s, const struct run_state *r)
{
    conv_f32(s, r, s->sum >= 0 ? step_in(s, r, 1) : NULL, s->lo, s->hi);
}

void step_layer_alone(const struct step *s, const struct run_state *r)
{
    if (s->float_conv)
        conv_f32(s, r, NULL, -INFINITY, INFINITY);
    else
        sgemm_alone(s, r, -INFINITY, INFINITY);
}

void step_layer_add(const struct step *s, const struct run_state *r)
{
    float *out = step_out(s, r);
    r->vec->add_f32(step_count(s, r), out, step_in(s, r, 1), s->lo, s->hi, out);
}

void step_add_f32(const struct step *s, const struct run_state *r)
{
    r->vec->add_f32(step_count(s, r), step_in(s, r, 0), step_in(s, r, 1), s->lo, s->hi, step_out(s, r));
}

/* One row of the innermost dimension, where both operands go on by one element or stay. */
static void binary_row(const struct step *s, const struct run_state *r, size_t n, const float *x, const float *y,
                       float *out)
{
    const struct broadcast *b = &s->cast;
    bool add = s->op == OP_ADD;
    int64_t sx = b->a[b->n - 1], sy = b->b[b->n - 1];
    if (sx == 1 && sy == 1) {
        (add ? r->vec->add_f32 : r->vec->mul_f32)(n, x, y, s->lo, s->hi, out);
        return;
    }
    if (sx + sy == 1) { /* one of them is a number: x * 1 + y, x * y + -0 */
        const float one = 1, nothing = -0.0f, *number = sx ? y : x;
        r->vec->affine_f32(n, 1, sx ? x : y, add ? &one : number, add ? number : &nothing, s->lo, s->hi, out);
        return;
    }
    for (size_t i = 0; i < n; i++, x += sx, y += sy) {
        float v = add ? *x + *y : *x * *y;
        out[i] = v < s->lo ? s->lo : v > s->hi ? s->hi : v;
    }
}

void step_binary_f32(const struct step *s, const struct run_state *r)
{
    const struct broadcast *b = &s->cast;
    const float *x = step_in(s, r, 0), *y = step_in(s, r, 1);
    float *out = step_out(s, r);
    int64_t count = (int64_t)step_count(s, r), at[SHAPE_MAX] = {0}, inner = b->d[b->n - 1];
    for (int64_t i = 0; i < count; i += inner) {
        binary_row(s, r, (size_t)inner, x, y, out + i);
        for (int k = b->n - 2; k >= 0; k--) {
            x += b->a[k];
            y += b->b[k];
            if (++at[k] < b->d[k])
                break;
            x -= b->a[k] * b->d[k];
            y -= b->b[k] * b->d[k];
            at[k] = 0;
        }
    }
}

static enum float_unary unary_of(enum op op)
{
    switch (op) {
    case OP_LEAKY_RELU:
        return FLOAT_LEAKY;
    case OP_SIGMOID:
        return FLOAT_SIGMOID;
    case OP_HARD_SWISH:
        return FLOAT_HARD_SWISH;
    default:
        assert(op == OP_CLIP);
        return FLOAT_CLAMP;
    }
}

float unary_value(enum op op, float x, float alpha, float lo, float hi)
{
    float y;
    vec_kernel_tables[0]->unary_f32(unary_of(op), 1, &x, alpha, lo, hi, &y);
    return y;
}

void step_unary_f32(const struct step *s, const struct run_state *r)
{
    r->vec->unary_f32(unary_of(s->op), step_count(s, r), step_in(s, r, 0), s->alpha, s->lo, s->hi, step_out(s, r));
}

/* Per channel scale and shift; channels are innermost for 4-D tensors, `stride` apart otherwise. */
void step_affine_f32(const struct step *s, const struct run_state *r)
{
    const float *in = step_in(s, r, 0);
    float *out = step_out(s, r);
    size_t channels = (size_t)s->inner, stride = (size_t)s->stride;
    size_t outer = step_count(s, r) / (channels * stride);
    if (stride == 1) {
        r->vec->affine_f32(outer, channels, in, s->scale, s->bias, s->lo, s->hi, out);
        return;
    }
    for (size_t o = 0; o < outer; o++)
        for (size_t c = 0; c < channels; c++, in += stride, out += stride)
            r->vec->affine_f32(stride, 1, in, &s->scale[c], &s->bias[c], s->lo, s->hi, out);
}

void step_maxpool_f32(const struct step *s, const struct run_state *r)
{
    r->vec->maxpool_f32(&s->geom, step_in(s, r, 0), step_out(s, r));
}

void step_avgpool_f32(const struct step *s, const struct run_state *r)
{
    r->vec->avgpool_f32(&s->geom, step_in(s, r, 0), s->scale, step_out(s, r));
}

/* Exponentials of all elements at once: rows may be short. */
void step_softmax_f32(const struct step *s, const struct run_state *r)
{
    const float *in = step_in(s, r, 0);
    float *out = step_out(s, r);
    int64_t n = s->inner, stride = s->stride;
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t k = 0; k < stride; k++) {
            const float *x = in + o * n * stride + k;
            float *y = out + o * n * stride + k, peak = -INFINITY;
            for (int64_t i = 0; i < n; i++)
                peak = x[i * stride] > peak || isnan(x[i * stride]) ? x[i * stride] : peak;
            for (int64_t i = 0; i < n; i++)
                y[i * stride] = x[i * stride] - peak;
        }
    r->vec->unary_f32(FLOAT_EXP, (size_t)(s->outer * n * stride), out, 0, 0, 0, out);
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t k = 0; k < stride; k++) {
            float *y = out + o * n * stride + k, sum = 0;
            for (int64_t i = 0; i < n; i++)
                sum += y[i * stride];
            for (int64_t i = 0; i < n; i++)
                y[i * stride] /= sum;
        }
}
