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
    int layer, part;
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

int layer_weight_count(const struct graph *g, int layer, int part)
{
    return (int)(shape_count(&g->tensors[g->nodes[g->layers[layer].node].in[1 + part]].shape) / g->layers[layer].cout);
}

float *layer_weights(const struct graph *g, int layer, int part)
{
    const struct node *n = &g->nodes[g->layers[layer].node];
    const struct tensor *t = &g->tensors[n->in[1 + part]];
    const float *w = t->data;
    int64_t cout = g->layers[layer].cout, k = layer_weight_count(g, layer, part);
    int64_t taps = n->op == OP_CONV || n->op == OP_CONV_TRANSPOSE ? t->shape.d[2] * t->shape.d[3] : 1, cin = k / taps;
    float *out = mem_new((size_t)(cout * k), sizeof *out);
    for (int64_t o = 0; o < cout; o++)
        for (int64_t i = 0; i < cin; i++)
            for (int64_t j = 0; j < taps; j++)
                out[(o * taps + j) * cin + i] = w[(o * cin + i) * taps + j];
    return out;
}

const struct quant_weights *weight_cache_get(struct weight_cache *c, const struct graph *g, int layer, int part,
                                             const struct precision *p)
{
    for (struct weight_entry *x = c->entries; x; x = x->next)
        if (x->layer == layer && x->part == part && x->p.w_bits == p->w_bits && x->p.scheme == p->scheme &&
            x->p.granularity == p->granularity && x->p.range == p->range)
            return x->q;
    struct weight_entry *x = mem_new(1, sizeof *x);
    float *w = layer_weights(g, layer, part);
    *x = (struct weight_entry){.next = c->entries, .layer = layer, .part = part, .p = *p};
    const struct layer *l = &g->layers[layer];
    if (l->own.w_bits)
        x->q = own_weights(g->tensors[g->nodes[l->node].in[1 + part]].lattice, w, l->cout, l->k, p);
    if (!x->q)
        x->q = scheme_quantize(w, l->cout, layer_weight_count(g, layer, part), p);
    mem_free(w);
    c->entries = x;
    return x->q;
}

double weight_cache_sqnr(struct weight_cache *c, const struct graph *g, int layer, const struct precision *p)
{
    double signal = 0, noise = 0;
    for (int part = 0; part < g->layers[layer].n_weights; part++) {
        const struct quant_weights *q = weight_cache_get(c, g, layer, part, p);
        float *w = layer_weights(g, layer, part);
        scheme_add_noise(w, q, &signal, &noise);
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
