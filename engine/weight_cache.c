/* SPDX-License-Identifier: MIT
 *
 * The weights of layers: in the order of kernels, as codes, and their size. Codes and activation quantizers are kept
 * for the next plan.
 */
#include <math.h>

#include "engine/compile.h"
#include "quant/own.h"

struct weight_entry {
    struct weight_entry *next;
    int part;
    struct precision p;
    struct quant_weights *q;
};

struct act_entry {
    struct act_entry *next;
    int bits, range;
    struct act_quant q;
};

/* A list for each layer and for each tensor. */
struct weight_cache {
    void **layers, **tensors; /* first struct weight_entry of a layer, struct act_entry of a tensor */
    int n_layers, n_tensors;
    struct kernel_times *times; /* or NULL */
};

/* The i-th list of a table that grows. */
static void **list_at(void ***lists, int *n, int i)
{
    if (i >= *n) {
        int more = i + 64;
        *lists = mem_resize(*lists, (size_t)*n, (size_t)more, sizeof **lists);
        *n = more;
    }
    return &(*lists)[i];
}

struct weight_cache *weight_cache_new(void)
{
    return mem_new(1, sizeof(struct weight_cache));
}

void weight_cache_use_times(struct weight_cache *c, struct kernel_times *t)
{
    c->times = t;
}

struct kernel_times *weight_cache_times(const struct weight_cache *c)
{
    return c->times;
}

void weight_cache_free(struct weight_cache *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n_layers; i++)
        for (struct weight_entry *x = c->layers[i], *next; x; x = next) {
            next = x->next;
            scheme_weights_free(x->q);
            mem_free(x);
        }
    for (int i = 0; i < c->n_tensors; i++)
        for (struct act_entry *x = c->tensors[i], *next; x; x = next) {
            next = x->next;
            mem_free(x);
        }
    mem_free(c->layers);
    mem_free(c->tensors);
    mem_free(c);
}

const struct act_quant *weight_cache_find_act(const struct weight_cache *c, int tensor, int bits, int range)
{
    for (const struct act_entry *x = tensor < c->n_tensors ? c->tensors[tensor] : NULL; x; x = x->next)
        if (x->bits == bits && x->range == range)
            return &x->q;
    return NULL;
}

void weight_cache_keep_act(struct weight_cache *c, int tensor, int bits, int range, const struct act_quant *q)
{
    struct act_entry *x = mem_new(1, sizeof *x);
    void **list = list_at(&c->tensors, &c->n_tensors, tensor);
    *x = (struct act_entry){.next = *list, .bits = bits, .range = range, .q = *q};
    *list = x;
}

int layer_weight_count(const struct graph *g, int layer, int part)
{
    return (int)(shape_count(&g->tensors[g->nodes[g->layers[layer].node].in[1 + part]].shape) / g->layers[layer].cout);
}

/* Every step-th output channel of them. */
static float *layer_weights_of(const struct graph *g, int layer, int part, int step)
{
    const struct node *n = &g->nodes[g->layers[layer].node];
    const struct tensor *t = &g->tensors[n->in[1 + part]];
    const float *w = t->data;
    int64_t cout = g->layers[layer].cout, k = layer_weight_count(g, layer, part);
    int64_t taps = n->op == OP_CONV || n->op == OP_CONV_TRANSPOSE ? t->shape.d[2] * t->shape.d[3] : 1, cin = k / taps;
    float *out = mem_new((size_t)((cout + step - 1) / step * k), sizeof *out);
    for (int64_t o = 0; o < cout; o += step)
        for (int64_t i = 0; i < cin; i++)
            for (int64_t j = 0; j < taps; j++)
                out[(o / step * taps + j) * cin + i] = w[(o * cin + i) * taps + j];
    return out;
}

float *layer_weights(const struct graph *g, int layer, int part)
{
    return layer_weights_of(g, layer, part, 1);
}

const struct quant_weights *weight_cache_get(struct weight_cache *c, const struct graph *g, int layer, int part,
                                             const struct precision *p)
{
    void **list = list_at(&c->layers, &c->n_layers, layer);
    for (struct weight_entry *x = *list; x; x = x->next)
        if (x->part == part && x->p.w_bits == p->w_bits && x->p.scheme == p->scheme &&
            x->p.granularity == p->granularity && x->p.range == p->range)
            return x->q;
    struct weight_entry *x = mem_new(1, sizeof *x);
    float *w = layer_weights(g, layer, part);
    *x = (struct weight_entry){.next = *list, .part = part, .p = *p};
    const struct layer *l = &g->layers[layer];
    if (l->own.w_bits)
        x->q = own_weights(g->tensors[g->nodes[l->node].in[1 + part]].lattice, w, l->cout, l->k, p);
    if (!x->q)
        x->q = scheme_quantize(w, l->cout, layer_weight_count(g, layer, part), p);
    mem_free(w);
    *list = x;
    return x->q;
}

/* Every step-th output channel on the file's own lattice; NULL when that is not p's. */
static struct quant_weights *own_channels(const struct graph *g, int layer, int part, const float *w, int step,
                                          const struct precision *p)
{
    const struct layer *l = &g->layers[layer];
    const struct lattice *whole = g->tensors[g->nodes[l->node].in[1 + part]].lattice;
    if (!whole)
        return NULL;
    struct lattice some = *whole;
    int n = (l->cout + step - 1) / step;
    float *scale = mem_new((size_t)n, sizeof *scale);
    for (int c = 0; some.n_scales == l->cout && c < n; c++)
        scale[c] = whole->scale[c * step];
    if (some.n_scales > 1 && some.n_scales == l->cout) {
        some.n_scales = n;
        some.scale = scale;
    }
    struct quant_weights *q = own_weights(&some, w, n, layer_weight_count(g, layer, part), p);
    mem_free(scale);
    return q;
}

double layer_weights_sqnr(const struct graph *g, int layer, const struct precision *p, int64_t most, int channels)
{
    const struct layer *l = &g->layers[layer];
    double signal = 0, noise = 0;
    for (int part = 0; part < l->n_weights; part++) {
        int k = layer_weight_count(g, layer, part), step = (int)((int64_t)l->cout * k / most);
        step = step < 1 ? 1 : step > l->cout / channels ? l->cout / channels : step;
        step = step < 1 ? 1 : step;
        int n = (l->cout + step - 1) / step;
        float *w = layer_weights_of(g, layer, part, step);
        struct quant_weights *q = l->own.w_bits ? own_channels(g, layer, part, w, step, p) : NULL;
        q = q ? q : scheme_quantize(w, n, k, p);
        scheme_add_noise(w, q, &signal, &noise);
        scheme_weights_free(q);
        mem_free(w);
    }
    return noise > 0 ? 10 * log10(signal / noise) : INFINITY;
}

int64_t layer_bytes(const struct graph *g, int layer, int bits, int granularity)
{
    const struct layer *l = &g->layers[layer];
    int64_t sum = 0;
    for (int part = 0; part < l->n_weights; part++)
        sum += scheme_bytes(l->cout, layer_weight_count(g, layer, part), bits, granularity, part ? 0 : l->n_bias);
    return sum;
}
