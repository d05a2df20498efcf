/* SPDX-License-Identifier: MIT
 *
 * Layers: convolutions and fully connected layers, on codes or in float, and the residual addition that runs in the
 * requantization of the convolution before it.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "engine/compile.h"
#include "quant/own.h"

struct weight_entry {
    struct weight_entry *next;
    int layer;
    struct precision p;
    struct quant_weights *q;
};

struct act_entry {
    struct act_entry *next;
    int tensor, bits, range;
    struct act_quant q;
};

struct weight_cache {
    struct weight_entry *entries;
    struct act_entry *acts;
};

struct weight_cache *weight_cache_new(void)
{
    return mem_new(1, sizeof(struct weight_cache));
}

void weight_cache_free(struct weight_cache *c)
{
    while (c && c->entries) {
        struct weight_entry *next = c->entries->next;
        scheme_weights_free(c->entries->q);
        mem_free(c->entries);
        c->entries = next;
    }
    while (c && c->acts) {
        struct act_entry *next = c->acts->next;
        mem_free(c->acts);
        c->acts = next;
    }
    mem_free(c);
}

const struct act_quant *weight_cache_find_act(const struct weight_cache *c, int tensor, int bits, int range)
{
    for (const struct act_entry *x = c->acts; x; x = x->next)
        if (x->tensor == tensor && x->bits == bits && x->range == range)
            return &x->q;
    return NULL;
}

void weight_cache_keep_act(struct weight_cache *c, int tensor, int bits, int range, const struct act_quant *q)
{
    struct act_entry *x = mem_new(1, sizeof *x);
    *x = (struct act_entry){.next = c->acts, .tensor = tensor, .bits = bits, .range = range, .q = *q};
    c->acts = x;
}

/* Weights of a layer as [cout][kh][kw][cin/groups], the order of kernels. */
static float *layer_weights(const struct graph *g, int layer)
{
    const struct node *n = &g->nodes[g->layers[layer].node];
    const struct tensor *t = &g->tensors[n->in[1]];
    const float *w = t->data;
    int64_t cout = t->shape.d[0], cin = t->shape.d[1];
    int64_t taps = n->op == OP_CONV ? t->shape.d[2] * t->shape.d[3] : 1;
    float *out = mem_new((size_t)(cout * cin * taps), sizeof *out);
    for (int64_t o = 0; o < cout; o++)
        for (int64_t i = 0; i < cin; i++)
            for (int64_t k = 0; k < taps; k++)
                out[(o * taps + k) * cin + i] = w[(o * cin + i) * taps + k];
    return out;
}

const struct quant_weights *weight_cache_get(struct weight_cache *c, const struct graph *g, int layer,
                                             const struct precision *p)
{
    for (struct weight_entry *x = c->entries; x; x = x->next)
        if (x->layer == layer && x->p.w_bits == p->w_bits && x->p.scheme == p->scheme &&
            x->p.granularity == p->granularity && x->p.range == p->range)
            return x->q;
    struct weight_entry *x = mem_new(1, sizeof *x);
    float *w = layer_weights(g, layer);
    *x = (struct weight_entry){.next = c->entries, .layer = layer, .p = *p};
    const struct layer *l = &g->layers[layer];
    if (l->own.w_bits)
        x->q = own_weights(g->tensors[g->nodes[l->node].in[1]].lattice, w, l->cout, l->k, p);
    if (!x->q)
        x->q = scheme_quantize(w, l->cout, l->k, p);
    mem_free(w);
    c->entries = x;
    return x->q;
}

struct conv_geom compile_geom(const struct compiler *c, const struct node *n)
{
    const struct shape *in = &c->g->tensors[n->in[0]].shape, *out = &c->g->tensors[n->out[0]].shape;
    struct conv_geom g = {.kh = 1,
                          .kw = 1,
                          .stride_h = 1,
                          .stride_w = 1,
                          .dilation_h = 1,
                          .dilation_w = 1,
                          .groups = 1,
                          .h = 1,
                          .w = 1,
                          .oh = 1,
                          .ow = 1};
    if (n->op == OP_GEMM) {
        g.w = g.ow = (int)(shape_count(in) / in->d[in->n - 1]); /* rows are the pixels of a 1x1 convolution */
        g.cin = (int)in->d[in->n - 1];
        g.cout = (int)out->d[out->n - 1];
        return g;
    }
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
    g.groups = n->op == OP_CONV ? n->groups : g.cin;
    return g;
}

static const float *layer_bias(const struct compiler *c, const struct node *n)
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
    int shift = largest > 0 ? 30 - (int)ceil(log2(largest)) : 30;
    shift = shift < 1 ? 1 : shift > 46 ? 46 : shift;
    int left = shift < 32 ? 32 - shift : 0; /* kernels are fast from 32 on */
    shift += left;
    double unit = ldexp(1, shift), multiplier_unit = ldexp(1, shift - left), most = ldexp(1, 60);
    for (int o = 0; o < w->cout; o++) {
        int64_t levels = 0;
        for (int i = 0; i < w->k; i++)
            levels += w->levels[w->codes[(size_t)o * (size_t)w->k + (size_t)i]];
        double product = (double)in->scale * w->scale[o];
        double offset = ((bias ? bias[o] : 0) - product * in->zero * (double)levels) / out->scale + out->zero;
        if (res)
            offset -= res_real * res->zero;
        m[o] = (int32_t)fmin(rint(product / out->scale * multiplier_unit), 2147483647.0);
        b[o] = (int64_t)rint(fmin(fmax(offset * unit, -most), most)) + (int64_t)(unit / 2);
    }
    s->rq = (struct requant){.m = m,
                             .b = b,
                             .res_m = (int64_t)fmin(rint(res_real * multiplier_unit), 2147483647.0),
                             .shift = shift,
                             .left = left};
    compile_code_limits(out, s->lo, s->hi, &s->rq.lo, &s->rq.hi);
}

/* Float output of an integer layer: acc * scale + bias. */
static void make_dequant(struct compiler *c, struct step *s, const struct quant_weights *w, const float *bias,
                         const struct act_quant *in)
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
    s->scale = scale;
    s->bias = shift;
}

static int emit_integer(struct compiler *c, int node, struct err *e)
{
    const struct node *n = &c->g->nodes[node];
    struct plan_layer *pl = &c->plan->layers[c->layer_of[node]];
    int in = compile_codes(c, n->in[0], pl->applied.a_bits, e);
    if (in < 0)
        return -1;
    const struct quant_weights *w = weight_cache_get(c->cache, c->g, c->layer_of[node], &pl->applied);
    struct conv_geom g = compile_geom(c, n);
    struct conv_weights cw = {.codes = w->codes, .bits = w->bits, .levels = w->levels};
    const struct conv_kernel *k = conv_kernel_find(&g, pl->applied.a_bits, &cw);

    int other = -1, add = fusable_add(c, node, &other), residual = -1;
    int target = add >= 0 ? c->g->nodes[add].out[0] : n->out[0];
    if (add >= 0 && (residual = compile_any_codes(c, other, e)) < 0)
        return -1;
    struct act_quant q_in = c->plan->values[in].q, q_res = {0}, q_out = {0};
    if (residual >= 0)
        q_res = c->plan->values[residual].q;
    int bits = forms_stored_bits(&c->forms[target]);
    if (bits && compile_quantizer(c, target, bits, &q_out, e))
        return -1;

    int out = compile_value(c, target, bits != 0, &q_out);
    struct step *s = compile_step(c, n->name, k->name, in, residual, out);
    const struct node *last = add >= 0 ? &c->g->nodes[add] : n;
    s->layer = c->layer_of[node];
    s->run = step_conv_u8;
    s->geom = g;
    s->conv = k;
    s->lo = last->act_lo;
    s->hi = last->act_hi;
    s->pad_code = range_pad_code(&q_in);
    void *packed = arena_new(&c->plan->arena, k->packed_size(&g, pl->applied.a_bits, &cw), 1);
    k->pack(&g, pl->applied.a_bits, &cw, packed);
    s->packed = packed;
    size_t need = k->scratch_size(&g, pl->applied.a_bits, &cw);
    if (need > c->plan->scratch_bytes)
        c->plan->scratch_bytes = need;
    if (bits)
        make_requant(c, s, w, layer_bias(c, n), &q_in, residual >= 0 ? &q_res : NULL, &q_out);
    else
        make_dequant(c, s, w, layer_bias(c, n), &q_in);
    if (bits) {
        c->forms[target].as_codes[bits] = out;
    } else {
        c->forms[target].as_float = out;
        c->forms[target].float_made = true;
    }
    if (add >= 0)
        c->done[add] = true;
    pl->kernel = k->name;
    return 0;
}

/* Float weights in the layout of the float kernel: [group][k][cout/groups] for products, [kh][kw][cout] depthwise. */
static const float *float_weights(struct compiler *c, int layer, const struct conv_geom *g, const float *w,
                                  bool depthwise)
{
    const struct layer *l = &c->g->layers[layer];
    float *out = arena_new(&c->plan->arena, (size_t)l->cout * (size_t)l->k, sizeof *out);
    int n = depthwise ? l->cout : l->cout / g->groups;
    for (int o = 0; o < l->cout; o++)
        for (int i = 0; i < l->k; i++)
            out[((size_t)(o / n) * (size_t)l->k + (size_t)i) * (size_t)n + (size_t)(o % n)] =
                w[(size_t)o * (size_t)l->k + (size_t)i];
    return out;
}

static int emit_float(struct compiler *c, int node, struct err *e)
{
    const struct node *n = &c->g->nodes[node];
    int layer = c->layer_of[node];
    struct plan_layer *pl = &c->plan->layers[layer];
    int in;
    if (pl->applied.a_bits) { /* emulated: the values that the codes stand for */
        int codes = compile_codes(c, n->in[0], pl->applied.a_bits, e);
        if (codes < 0)
            return -1;
        in = compile_value(c, n->in[0], false, NULL);
        compile_step(c, n->name, "dequantize", codes, -1, in)->run = step_dequantize;
    } else if ((in = compile_float(c, n->in[0], e)) < 0) {
        return -1;
    }
    struct conv_geom g = compile_geom(c, n);
    bool depthwise = g.groups > 1 && g.groups == g.cin;
    float *w = layer_weights(c->g, layer);
    if (pl->applied.w_bits)
        scheme_dequantize(weight_cache_get(c->cache, c->g, layer, &pl->applied), w);
    int out = compile_value(c, n->out[0], false, NULL);
    pl->kernel = depthwise ? "dwconv_f32" : "sgemm_openblas";
    struct step *s = compile_step(c, n->name, pl->kernel, in, -1, out);
    s->layer = layer;
    s->run = depthwise ? step_dwconv_f32 : step_conv_f32;
    s->geom = g;
    s->lo = n->act_lo;
    s->hi = n->act_hi;
    s->weights = float_weights(c, layer, &g, w, depthwise);
    mem_free(w);
    float *bias = arena_new(&c->plan->arena, (size_t)g.cout, sizeof *bias);
    if (layer_bias(c, n))
        memcpy(bias, layer_bias(c, n), (size_t)g.cout * sizeof *bias);
    s->bias = bias;
    if (!depthwise && step_conv_f32_scratch(&g) > c->plan->scratch_bytes)
        c->plan->scratch_bytes = step_conv_f32_scratch(&g);
    c->forms[n->out[0]].as_float = out;
    c->forms[n->out[0]].float_made = true;
    return 0;
}

int emit_layer(struct compiler *c, int node, struct err *e)
{
    int layer = c->layer_of[node];
    const struct node *n = &c->g->nodes[node];
    struct plan_layer *pl = &c->plan->layers[layer];
    if (!c->g->tensors[n->in[1]].data)
        return err_set(e, "%s: node \"%s\": weights that are computed at run time are not supported", c->g->file,
                       n->name);
    bool has_bias = layer_bias(c, n) != NULL;
    const struct layer *l = &c->g->layers[layer];
    pl->bytes = scheme_bytes(l->cout, l->k, pl->applied.w_bits, pl->applied.granularity, has_bias ? l->cout : 0);
    return (c->on_codes[node] ? emit_integer : emit_float)(c, node, e);
}
