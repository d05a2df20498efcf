/* SPDX-License-Identifier: MIT
 *
 * What the weights alone say.
 */
#include <math.h>

#include "quant/layer_weights.h"
#include "search/analyze.h"

/* A data-free guess: output noise is about the sum of the layers' relative noise powers. */
static double guess_loss(double sqnr_db, int n_layers)
{
    return 0.5 * pow(10, -sqnr_db / 10) / sqrt(n_layers);
}

/* Signal to noise of a layer's weights at every width. Large layers are judged by some of their channels, evenly
 * spread: the search for the best clip reads every weight hundreds of times. */
static void layer_sqnr(const struct graph *g, int layer, struct layer_table *x)
{
    enum { WEIGHTS_MOST = 1 << 16, CHANNELS_LEAST = 8 };
    for (int gran = 0; gran < GRANULARITY_COUNT; gran++)
        for (int b = 1; b <= BITS_MAX; b++) {
            struct precision p = precision_default();
            precision_set_w(&p, b);
            p.granularity = (uint8_t)gran;
            /* of two activations, an even spread's */
            x->sqnr[gran][b] = g->layers[layer].n_weights
                                   ? layer_weights_sqnr(g, layer, &p, WEIGHTS_MOST, CHANNELS_LEAST)
                                   : 6.02 * b - 4;
        }
}

int analyze_static(const struct graph *g, struct tables *t, const struct progress *p)
{
    for (int l = 0; l < g->n_layers; l++) {
        const struct layer *layer = &g->layers[l];
        struct layer_table *x = &t->layers[l];
        if (progress_step(p, "weights", l, g->n_layers))
            return 1;
        x->macs = (double)layer->macs;
        x->weights = (double)(layer->params - layer->n_bias);
        for (int gran = 0; gran < GRANULARITY_COUNT; gran++)
            for (int b = 0; b <= BITS_MAX; b++)
                x->bytes[gran][b] = layer_bytes(g, l, b, gran);
        layer_sqnr(g, l, x);
        for (int b = 1; b <= BITS_MAX && !x->measured; b++) {
            x->loss_w[b] = guess_loss(x->sqnr[GRANULARITY_CHANNEL][b], g->n_layers);
            bool own = layer->own.a_bits && b >= layer->own.a_bits; /* nothing is lost */
            x->loss_a[b] = own ? 0 : guess_loss(6.02 * b - 4, g->n_layers);
        }
    }
    return 0;
}
