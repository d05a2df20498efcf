/* SPDX-License-Identifier: MIT
 *
 * Steps in float: the fp32 reference (OpenBLAS does the matrix products), and the islands around operators that have no
 * kernel on codes.
 */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "engine/step.h"

static inline float clampf(float v, float lo, float hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

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
    const float *in = value_at(r, s->in[0]);
    float *out = value_at(r, s->out);
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
    struct float_conv_call call = {.in = value_at(r, s->in[0]),
                                   .packed = s->packed,
                                   .scratch = r->scratch,
                                   .add = add,
                                   .lo = lo,
                                   .hi = hi,
                                   .out = value_at(r, s->out)};
    s->float_conv->run(&s->geom, &call);
}

void step_conv_f32(const struct step *s, const struct run_state *r)
{
    conv_f32(s, r, s->sum >= 0 ? value_at(r, s->in[1]) : NULL, s->lo, s->hi);
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
    float *out = value_at(r, s->out);
    r->vec->add_f32((size_t)r->plan->values[s->out].count, out, value_at(r, s->in[1]), s->lo, s->hi, out);
}

void step_add_f32(const struct step *s, const struct run_state *r)
{
    r->vec->add_f32((size_t)r->plan->values[s->out].count, value_at(r, s->in[0]), value_at(r, s->in[1]), s->lo, s->hi,
                    value_at(r, s->out));
}

void step_binary_f32(const struct step *s, const struct run_state *r)
{
    const struct broadcast *b = &s->cast;
    const float *x = value_at(r, s->in[0]), *y = value_at(r, s->in[1]);
    float *out = value_at(r, s->out);
    int64_t count = r->plan->values[s->out].count, at[SHAPE_MAX] = {0};
    bool add = s->op == OP_ADD;
    for (int64_t i = 0; i < count; i++) {
        out[i] = clampf(add ? *x + *y : *x * *y, s->lo, s->hi);
        for (int k = b->n - 1; k >= 0; k--) {
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

float unary_value(enum op op, float x, float alpha, float lo, float hi)
{
    switch (op) {
    case OP_LEAKY_RELU:
        return x < 0 ? alpha * x : x;
    case OP_SIGMOID:
        return 1 / (1 + expf(-x));
    case OP_HARD_SWISH:
        return x * clampf(x / 6 + 0.5f, 0, 1);
    default:
        return clampf(x, lo, hi);
    }
}

void step_unary_f32(const struct step *s, const struct run_state *r)
{
    const float *in = value_at(r, s->in[0]);
    float *out = value_at(r, s->out);
    int64_t n = r->plan->values[s->out].count;
    for (int64_t i = 0; i < n; i++)
        out[i] = unary_value(s->op, in[i], s->alpha, s->lo, s->hi);
}

/* Per channel scale and shift; channels are innermost for 4-D tensors, `stride` apart otherwise. */
void step_affine_f32(const struct step *s, const struct run_state *r)
{
    const float *in = value_at(r, s->in[0]);
    float *out = value_at(r, s->out);
    int64_t n = r->plan->values[s->out].count;
    for (int64_t i = 0; i < n; i++) {
        int64_t c = i / s->stride % s->inner;
        out[i] = clampf(in[i] * s->scale[c] + s->bias[c], s->lo, s->hi);
    }
}

/* Range of taps of a window that lie inside of the image. */
static int first_tap(int at, int dilation)
{
    return at >= 0 ? 0 : (-at + dilation - 1) / dilation;
}

static int end_tap(int at, int dilation, int k, int size)
{
    int end = at >= size ? 0 : (size - at + dilation - 1) / dilation;
    return end < k ? end : k;
}

static void pool_f32(const struct step *s, const struct run_state *r, bool average)
{
    const struct conv_geom *g = &s->geom;
    const float *in = value_at(r, s->in[0]);
    float *out = value_at(r, s->out);
    for (int y = 0; y < g->oh; y++)
        for (int x = 0; x < g->ow; x++, out += g->cin) {
            int top = y * g->stride_h - g->pad_top, left = x * g->stride_w - g->pad_left;
            int y0 = first_tap(top, g->dilation_h), y1 = end_tap(top, g->dilation_h, g->kh, g->h);
            int x0 = first_tap(left, g->dilation_w), x1 = end_tap(left, g->dilation_w, g->kw, g->w);
            for (int c = 0; c < g->cin; c++)
                out[c] = average ? 0 : -INFINITY;
            for (int i = y0; i < y1; i++)
                for (int j = x0; j < x1; j++) {
                    const float *p =
                        in + ((int64_t)(top + i * g->dilation_h) * g->w + left + j * g->dilation_w) * g->cin;
                    for (int c = 0; c < g->cin; c++)
                        out[c] = average ? out[c] + p[c] : p[c] > out[c] ? p[c] : out[c];
                }
            if (average)
                for (int c = 0; c < g->cin; c++)
                    out[c] *= s->scale[y * g->ow + x];
        }
}

void step_maxpool_f32(const struct step *s, const struct run_state *r)
{
    pool_f32(s, r, false);
}

void step_avgpool_f32(const struct step *s, const struct run_state *r)
{
    pool_f32(s, r, true);
}

void step_softmax_f32(const struct step *s, const struct run_state *r)
{
    const float *in = value_at(r, s->in[0]);
    float *out = value_at(r, s->out);
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t k = 0; k < s->stride; k++) {
            const float *x = in + o * s->inner * s->stride + k;
            float *y = out + o * s->inner * s->stride + k;
            float peak = -INFINITY, sum = 0;
            for (int64_t i = 0; i < s->inner; i++)
                peak = fmaxf(peak, x[i * s->stride]);
            for (int64_t i = 0; i < s->inner; i++)
                sum += y[i * s->stride] = expf(x[i * s->stride] - peak);
            for (int64_t i = 0; i < s->inner; i++)
                y[i * s->stride] /= sum;
        }
}
