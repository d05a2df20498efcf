/* SPDX-License-Identifier: MIT */
#include "quant/own.h"

#include <math.h>

#include "base/mem.h"
#include "quant/weights.h"

bool own_act_quant(const struct lattice *lattice, int bits, struct act_quant *q)
{
    if (!lattice || lattice->n_scales != 1 || lattice->bits > bits)
        return false;
    if (lattice->binary && bits == 1)
        *q = (struct act_quant){.bits = 1, .scale = 2 * lattice->scale[0], .zero = 0.5f};
    else
        *q = (struct act_quant){
            .bits = bits, .scale = lattice->scale[0], .zero = (float)-lattice->lo, .top = lattice->hi - lattice->lo};
    return true;
}

struct quant_weights *own_weights(const struct lattice *lattice, const float *w, int cout, int k,
                                  const struct precision *p)
{
    bool whole = p->granularity == GRANULARITY_TENSOR;
    if (!lattice || !lattice_fits(lattice, p->w_bits) || (lattice->n_scales != 1 && (whole || lattice->axis != 0)) ||
        (lattice->n_scales != 1 && lattice->n_scales != cout))
        return NULL;
    struct quant_weights *q = weights_new(cout, k, p);
    int half = p->w_bits == 1 ? 0 : 1 << (p->w_bits - 1);
    for (int c = 0; c < 1 << p->w_bits; c++)
        q->levels[c] = (int8_t)(p->w_bits == 1 ? 2 * c - 1 : c - half);
    for (int c = 0; c < cout; c++) {
        float scale = q->scale[c] = lattice->scale[lattice->n_scales == 1 ? 0 : c];
        for (int i = 0; i < k; i++) {
            size_t at = (size_t)c * (size_t)k + (size_t)i;
            int level = scale > 0 ? (int)rint((double)w[at] / scale) : 0;
            q->codes[at] = (uint8_t)(p->w_bits == 1 ? level >= 0 : level + half);
        }
    }
    return q;
}

struct precision own_precision(const struct layer *l)
{
    struct precision p = precision_default();
    precision_set_w(&p, l->own.w_bits);
    precision_set_a(&p, l->own.a_bits);
    if (l->own.w_bits && !l->own.per_channel)
        p.granularity = GRANULARITY_TENSOR;
    return p;
}
