/* SPDX-License-Identifier: MIT
 *
 * Layers: convolutions and fully connected layers, on codes or in float, and the residual addition that runs in the
 * requantization of the convolution before it.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/compile.h"
#include "engine/kernel_times.h"
#include "engine/weight_cache.h"
#include "quant/layer_weights.h"
#include "quant/weights.h"

struct conv_geom compile_rows(int64_t rows, int64_t cin, int64_t cout)
{
    return (struct conv_geom){.cin = (int)cin,
                              .h = 1,
                              .w = (int)rows,
                              .cout = (int)cout,
                              .kh = 1,
                              .kw = 1,
                              .stride_h = 1,
                              .stride_w = 1,
                              .dilation_h = 1,
                              .dilation_w = 1,
                              .groups = 1,
                              .oh = 1,
                              .ow = (int)rows};
}

struct conv_geom compile_geom(const struct compiler *c, const struct node *n)
{
    const struct shape *in = &c->g->tensors[n->in[0]].shape, *out = &c->g->tensors[n->out[0]].shape;
    int64_t k = in->d[in->n - 1];
    struct conv_geom g = compile_rows(shape_count(in) / k, k, out->d[out->n - 1]);
    if (n->op == OP_GEMM)
        return g;
    const struct window *w = &n->window;
    g.cin = (int)in->d[1];
    g.h = (int)in->d[2];
    g.w = (int)in->d[3];
    g.cout = (int)out->d[1];
    g.oh = (int)out->d[2];
    g.ow = (int)out->d[3];
    if (n->op == OP_GLOBAL_AVERAGE_POOL) {
        g.kh = g.h;
        g.kw = g.w;
        g.groups = g.cin;
        return g;
    }
    g.kh = w->kh;
    g.kw = w->kw;
    g.stride_h = w->stride_h;
    g.stride_w = w->stride_w;
    g.pad_top = w->pad_top;
    g.pad_left = w->pad_left;
    g.dilation_h = w->dilation_h;
    g.dilation_w = w->dilation_w;
    g.groups = n->op == OP_CONV || n->op == OP_CONV_TRANSPOSE ? n->groups : g.cin;
    return g;
}

const float *layer_bias(const struct compiler *c, const struct node *n)
{
    return n->n_in > 2 && n->in[2] >= 0 ? c->g->tensors[n->in[2]].data : NULL;
}

/* The Add that may run in this layer's requantization: it is the only reader of the layer, works on codes, and its
 * other operand is there already. Returns the node and that operand's tensor, or -1. */
static int fusable_add(const struct compiler *c, int node, int *other)
{
    const struct node *n = &c->g->nodes[node];
    const struct forms *f = &c->forms[n->out[0]];
    if (n->act_lo != -INFINITY || n->act_hi != INFINITY || f->consumers != 1 || f->only_reader < 0)
        return -1;
    int a = f->only_reader;
    const struct node *add = &c->g->nodes[a];
    if (add->op != OP_ADD || !c->on_codes[a] || forms_stored_bits(&c->forms[add->out[0]]) == 0)
        return -1;
    *other = add->in[0] == n->out[0] ? add->in[1] : add->in[0];
    const struct forms *o = &c->forms[*other];
    bool there = o->as_float >= 0;
    for (int b = 1; b <= BITS_MAX; b++)
        there |= o->as_codes[b] >= 0;
    return there && *other != n->out[0] ? a : -1;
}

int requant_shift(double largest, int *left)
{
    int shift = largest > 0 ? 30 - (int)ceil(log2(largest)) : 30;
    shift = shift < 1 ? 1 : shift > 46 ? 46 : shift;
    *left = shift < 32 ? 32 - shift : 0; /* kernels are fast from 32 on */
    return shift + *left;
}

/* Rounds the residual's multiplier and the offsets b such that all their sums have 24 bits; unless that could move a
 * code by more than 1/128 of a step, because some channel's offset is that large. */
static void round_residual(struct requant *rq, int64_t *b, int channels)
{
    double res = ldexp((double)rq->res_m, rq->left), most = 0;
    for (int o = 0; o < channels; o++)
        most = fmax(most, fabs((double)b[o]));
    double unit = exp2(ceil(log2((255 * res + most) * 0x1p-24)));
    if (unit * 255 > ldexp(1, rq->shift - 6))
        return;
    unit = fmax(unit, ldexp(1, rq->left));
    rq->res_m = (int64_t)ldexp(rint(res / unit) * unit, -rq->left);
    for (int o = 0; o < channels; o++)
        b[o] = (int64_t)(rint((double)b[o] / unit) * unit);
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

/* The offset for multiplier m that makes codes step up at the same accumulators as multiplier and offset do, which are
 * more exact, if there is one among floats; else the offset as a float. Few codes always have one, and with it a
 * network whose steps were chosen, as of binary activations, keeps every one of them. */
static int64_t keep_steps(const struct requant *rq, int64_t multiplier, int64_t offset, int64_t m)
{
    int64_t least = INT64_MIN, most = INT64_MAX, shifted = m * (INT64_C(1) << rq->left);
    for (int k = rq->lo + 1; k <= rq->hi && m > 0; k++) {
        int64_t code = k * (INT64_C(1) << rq->shift);
        int64_t at = divide_up(code - offset, multiplier * (INT64_C(1) << rq->left));
        if (at > INT32_MAX || at <= INT32_MIN)
            continue; /* no accumulator is there */
        int64_t reach = code - at * shifted;
        least = reach > least ? reach : least;
        most = reach + shifted - 1 < most ? reach + shifted - 1 : most;
    }
    int64_t nearest = requant_offset((double)offset);
    if (least > INT64_MIN && least <= most && (nearest < least || nearest > most)) {
        int64_t middle = requant_offset((double)(least + (most - least) / 2));
        return middle >= least && middle <= most ? middle : nearest;
    }
    return nearest;
}

/* The numbers behind struct requant: out = clamp((((acc * m + r * res_m) << left) + b) >> shift). The real value of an
 * output is s_a * s_w[c] * (acc - z_a * sum of levels) + bias[c] + s_r * (r - z_r), divided by s_out and moved by
 * z_out. Multipliers get 30 bits for the largest channel. */
static void make_requant(struct compiler *c, struct step *s, const struct quant_weights *w, const float *bias,
                         const struct act_quant *in, const struct act_quant *res, const struct act_quant *out)
{
    int32_t *m = arena_new(&c->plan->arena, (size_t)w->cout, sizeof *m);
    int64_t *b = arena_new(&c->plan->arena, (size_t)w->cout, sizeof *b);
    double res_real = res ? (double)res->scale / out->scale : 0, largest = res_real;
    for (int o = 0; o < w->cout; o++)
        largest = fmax(largest, (double)in->scale * w->scale[o] / out->scale);
    int left, shift = requant_shift(largest, &left);
    s->rq = (struct requant){.shift = shift, .left = left};
    compile_code_limits(out, s->lo, s->hi, &s->rq.lo, &s->rq.hi);
    double unit = ldexp(1, shift), multiplier_unit = ldexp(1, shift - left), most = ldexp(1, 60);
    for (int o = 0; o < w->cout; o++) {
        int64_t levels = 0;
        for (int i = 0; i < w->k; i++)
            levels += w->levels[w->codes[(size_t)o * (size_t)w->k + (size_t)i]];
        double product = (double)in->scale * w->scale[o];
        double offset = ((bias ? bias[o] : 0) - product * in->zero * (double)levels) / out->scale + out->zero;
        if (res)
            offset -= res_real * res->zero;
        double multiplier = product / out->scale * multiplier_unit;
        m[o] = requant_multiplier(multiplier);
        b[o] = (int64_t)rint(fmin(fmax(offset * unit, -most), most) + unit / 2);
        if (!res)
            b[o] = keep_steps(&s->rq, (int64_t)fmin(rint(multiplier), INT32_MAX), b[o], m[o]);
    }
    s->rq.m = m;
    s->rq.b = b;
    s->rq.res_m = requant_multiplier(res_real * multiplier_unit);
    if (res)
        round_residual(&s->rq, b, w->cout);
}

/* Float output of an integer layer: acc * scale + bias. */
void make_dequant(struct compiler *c, const struct quant_weights *w, const float *bias, const struct act_quant *in,
                  const float **scales, const float **shifts)
{
    float *scale = arena_new(&c->plan->arena, (size_t)w->cout, sizeof *scale);
    float *shift = arena_new(&c->plan->arena, (size_t)w->cout, sizeof *shift);
    for (int o = 0; o < w->cout; o++) {
        int64_t levels = 0;
        for (int i = 0; i < w->k; i++)
            levels += w->levels[w->codes[(size_t)o * (size_t)w->k + (size_t)i]];
        double product = (double)in->scale * w->scale[o];
        scale[o] = (float)product;
        shift[o] = (float)((bias ? bias[o] : 0) - product * in->zero * (double)levels);
    }
    *scales = scale;
    *shifts = shift;
}

void ready_conv(struct compiler *c, const struct conv_geom *g, int a_bits, const struct quant_weights *w,
                const struct requant *rq, struct conv_ready *out)
{
    struct conv_weights cw = {.codes = w->codes, .bits = w->bits, .levels = w->levels};
    const struct conv_kernel *k = kernel_times_choose(weight_cache_times(c->cache), g, a_bits, &cw);
    int8_t *levels = arena_new(&c->plan->arena, (size_t)1 << w->bits, 1);
    memcpy(levels, w->levels, (size_t)1 << w->bits);
    size_t size = k->packed_size(g, a_bits, &cw);
    void *packed = arena_new(&c->plan->arena, size, 1);
    void *prepared = arena_new(&c->plan->arena, k->prepared_size(g, a_bits, &cw), 1);
    k->pack(g, a_bits, &cw, packed);
    k->prepare(g, a_bits, packed, rq, prepared);
    *out = (struct conv_ready){.geom = *g,
                               .a_bits = a_bits,
                               .w_bits = w->bits,
                               .kernel = k,
                               .weights = {.bits = w->bits, .levels = levels},
                               .packed = packed,
                               .packed_size = size,
                               .prepared = prepared,
                               .scratch = k->scratch_size(g, a_bits, &cw)};
    compile_scratch(c, out->scratch);
}

const char *emit_conv_codes(struct compiler *c, const struct conv_job *j)
{
    const struct value *in = &c->plan->values[j->in], *out = &c->plan->values[j->out];
    const struct act_quant q_in = in->q, q_out = out->q,
                           q_res = j->residual >= 0 ? c->plan->values[j->residual].q : q_in;
    bool codes = out->codes;
    struct step *s = compile_step(c, j->name, NULL, j->in, j->residual, j->out);
    s->layer = j->layer;
    s->kind = STEP_CONV_U8;
    s->lo = j->lo;
    s->hi = j->hi;
    s->pad_code = range_pad_code(&q_in);
    if (codes)
        make_requant(c, s, j->weights, j->bias, &q_in, j->residual >= 0 ? &q_res : NULL, &q_out);
    else
        make_dequant(c, j->weights, j->bias, &q_in, &s->scale, &s->bias);
    struct conv_geom geom = j->geom;
    if (q_in.bits == 2 && act_quant_top(&q_in) < 3) /* what no kernel looks at should not make shapes differ */
        geom.a_top = act_quant_top(&q_in);
    ready_conv(c, &geom, q_in.bits, j->weights, codes ? &s->rq : NULL, &s->conv);
    s->kernel = s->conv.kernel->name;
    return s->kernel;
}

/* The layer's input as codes. Where they are made of wider ones, that is for this layer, and counts as its time. */
static int layer_codes(struct compiler *c, int layer, int tensor, struct err *e)
{
    int first = c->plan->n_steps, v = compile_codes(c, tensor, c->plan->layers[layer].applied.a_bits, e);
    for (int i = first; i < c->plan->n_steps; i++)
        if (c->plan->steps[i].kind == STEP_LUT_U8)
            c->plan->steps[i].layer = layer;
    return v;
}

static int emit_integer(struct compiler *c, int node, struct err *e)
{
    const struct node *n = &c->g->nodes[node];
    int layer = c->layer_of[node];
    struct plan_layer *pl = &c->plan->layers[layer];
    int in = layer_codes(c, layer, n->in[0], e);
    if (in < 0)
        return -1;
    int other = -1, add = fusable_add(c, node, &other), residual = -1;
    int target = add >= 0 ? c->g->nodes[add].out[0] : n->out[0];
    if (add >= 0 && (residual = compile_any_codes(c, other, e)) < 0)
        return -1;
    struct act_quant q_out = {0};
    int bits = forms_stored_bits(&c->forms[target]);
    if (bits && compile_quantizer(c, target, bits, &q_out, e))
        return -1;
    int out = compile_value(c, target, bits != 0, &q_out);
    const struct node *last = add >= 0 ? &c->g->nodes[add] : n;
    const struct conv_job job = {.name = n->name,
                                 .layer = layer,
                                 .geom = compile_geom(c, n),
                                 .weights = weight_cache_get(c->cache, c->g, layer, 0, &pl->applied),
                                 .bias = layer_bias(c, n),
                                 .lo = last->act_lo,
                                 .hi = last->act_hi,
                                 .in = in,
                                 .residual = residual,
                                 .out = out};
    pl->kernel = emit_conv_codes(c, &job);
    if (bits) {
        c->forms[target].as_codes[bits] = out;
    } else {
        c->forms[target].as_float = out;
        c->forms[target].float_made = true;
    }
    if (add >= 0)
        c->done[add] = true;
    return 0;
}

/* Float weights [cout][k] for OpenBLAS: [group][k][cout/groups]. */
static const float *product_weights(struct compiler *c, const struct conv_geom *g, const float *w)
{
    int k = g->kh * g->kw * (g->cin / g->groups), n = g->cout / g->groups;
    float *out = arena_new(&c->plan->arena, (size_t)g->cout * (size_t)k, sizeof *out);
    for (int o = 0; o < g->cout; o++)
        for (int i = 0; i < k; i++)
            out[((size_t)(o / n) * (size_t)k + (size_t)i) * (size_t)n + (size_t)(o % n)] =
                w[(size_t)o * (size_t)k + (size_t)i];
    return out;
}

/* The Add that may run where a float layer stores its sums, and the value of its other operand; or -1. */
static int fusable_float_add(const struct compiler *c, int node, int *other)
{
    const struct node *n = &c->g->nodes[node];
    const struct forms *f = &c->forms[n->out[0]];
    if (n->act_lo != -INFINITY || n->act_hi != INFINITY || f->consumers != 1 || f->only_reader < 0)
        return -1;
    int a = f->only_reader;
    const struct node *add = &c->g->nodes[a];
    if (add->op != OP_ADD || c->on_codes[a])
        return -1;
    int tensor = add->in[0] == n->out[0] ? add->in[1] : add->in[0];
    *other = c->forms[tensor].as_float;
    bool there = tensor != n->out[0] && *other >= 0 && !c->plan->values[*other].constant;
    return there && shape_equal(&c->g->tensors[tensor].shape, &c->g->tensors[n->out[0]].shape) ? a : -1;
}

/* OpenBLAS where this processor has no kernel but C. */
const char *emit_conv_float(struct compiler *c, const struct conv_job *j, const float *w)
{
    const struct conv_geom *g = &j->geom;
    const struct float_conv_kernel *k = float_conv_find(g);
    bool depthwise = g->groups > 1 && g->groups == g->cin;
    struct step *s = compile_step(c, j->name, "sgemm_openblas", j->in, j->residual, j->out);
    s->layer = j->layer;
    s->geom = *g;
    s->sum = j->residual >= 0 ? j->sum : -1;
    s->lo = j->lo;
    s->hi = j->hi;
    if (k->isa != ISA_C || depthwise) {
        void *packed = arena_new(&c->plan->arena, k->packed_size(g), 1);
        k->pack(g, w, j->bias, packed);
        s->packed = packed;
        s->float_conv = k;
        s->kind = STEP_CONV_F32;
        s->kernel = k->name;
        compile_scratch(c, k->scratch_size(g));
        return s->kernel;
    }
    float *bias = arena_new(&c->plan->arena, (size_t)g->cout, sizeof *bias);
    if (j->bias)
        memcpy(bias, j->bias, (size_t)g->cout * sizeof *bias);
    s->bias = bias;
    s->weights = product_weights(c, g, w);
    s->kind = STEP_SGEMM_F32;
    compile_scratch(c, step_sgemm_scratch(g));
    return s->kernel;
}

int emit_rounded(struct compiler *c, int tensor, int bits, const char *name, struct err *e)
{
    if (!bits)
        return compile_float(c, tensor, e);
    int codes = compile_codes(c, tensor, bits, e);
    if (codes < 0)
        return -1;
    int v = compile_value(c, tensor, false, NULL);
    compile_step(c, name, "dequantize", codes, -1, v)->kind = STEP_DEQUANTIZE;
    return v;
}

float *emit_float_weights(struct compiler *c, int layer, int part)
{
    const struct precision *p = &c->plan->layers[layer].applied;
    float *w = layer_weights(c->g, layer, part);
    if (p->w_bits)
        weights_dequantize(weight_cache_get(c->cache, c->g, layer, part, p), w);
    return w;
}

static int emit_float(struct compiler *c, int node, struct err *e)
{
    const struct node *n = &c->g->nodes[node];
    int layer = c->layer_of[node];
    struct plan_layer *pl = &c->plan->layers[layer];
    int in = emit_rounded(c, n->in[0], pl->applied.a_bits, n->name, e);
    if (in < 0)
        return -1;
    int other = -1, add = fusable_float_add(c, node, &other);
    const struct node *last = add >= 0 ? &c->g->nodes[add] : n;
    const struct conv_job job = {.name = n->name,
                                 .layer = layer,
                                 .geom = compile_geom(c, n),
                                 .bias = layer_bias(c, n),
                                 .lo = last->act_lo,
                                 .hi = last->act_hi,
                                 .in = in,
                                 .residual = add >= 0 ? other : -1,
                                 .sum = n->out[0],
                                 .out = compile_value(c, last->out[0], false, NULL)};
    float *w = emit_float_weights(c, layer, 0);
    pl->kernel = emit_conv_float(c, &job, w);
    mem_free(w);
    c->forms[last->out[0]].as_float = job.out;
    c->forms[last->out[0]].float_made = true;
    if (add >= 0)
        c->done[add] = true;
    return 0;
}

int emit_layer(struct compiler *c, int node, struct err *e)
{
    int layer = c->layer_of[node];
    struct plan_layer *pl = &c->plan->layers[layer];
    pl->bytes = layer_bytes(c->g, layer, pl->applied.w_bits, pl->applied.granularity);
    switch (c->g->nodes[node].op) {
    case OP_CONV_TRANSPOSE:
        return emit_transposed(c, node, e);
    case OP_MATMUL:
        return emit_matmul(c, node, e);
    case OP_CALL:
        return emit_recurrent(c, node, e);
    default:
        return (c->on_codes[node] ? emit_integer : emit_float)(c, node, e);
    }
}
