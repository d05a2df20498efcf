/* SPDX-License-Identifier: MIT */
#include "quant/layer_weights.h"

#include <math.h>

#include "base/mem.h"
#include "quant/own.h"
#include "quant/weights.h"

/* For an output channel. */
static int layer_weight_count(const struct graph *g, int layer, int part)
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

struct quant_weights *layer_quantize(const struct graph *g, int layer, int part, const struct precision *p)
{
    const struct layer *l = &g->layers[layer];
    float *w = layer_weights(g, layer, part);
    struct quant_weights *q = NULL;
    if (l->own.w_bits)
        q = own_weights(g->tensors[g->nodes[l->node].in[1 + part]].lattice, w, l->cout, l->k, p);
    if (!q)
        q = weights_quantize(w, l->cout, layer_weight_count(g, layer, part), p);
    mem_free(w);
    return q;
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
        q = q ? q : weights_quantize(w, n, k, p);
        weights_add_noise(w, q, &signal, &noise);
        weights_free(q);
        mem_free(w);
    }
    return noise > 0 ? 10 * log10(signal / noise) : INFINITY;
}

int64_t layer_bytes(const struct graph *g, int layer, int bits, int granularity)
{
    const struct layer *l = &g->layers[layer];
    int64_t sum = 0;
    for (int part = 0; part < l->n_weights; part++)
        sum += weights_bytes(l->cout, layer_weight_count(g, layer, part), bits, granularity, part ? 0 : l->n_bias);
    return sum;
}
