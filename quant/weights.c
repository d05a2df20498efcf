/* SPDX-License-Identifier: MIT */
#include "quant/weights.h"

#include <assert.h>
#include <math.h>

#include "base/mem.h"

struct quant_weights *weights_new(int cout, int k, const struct precision *p)
{
    assert(precision_valid(p) && p->w_bits >= 1 && p->w_bits <= BITS_MAX);
    struct quant_weights *q = mem_new(1, sizeof *q);
    *q = (struct quant_weights){.cout = cout, .k = k, .bits = p->w_bits};
    q->codes = mem_new((size_t)cout * (size_t)k, 1);
    q->scale = mem_new((size_t)cout, sizeof *q->scale);
    q->n_scales = p->granularity == GRANULARITY_TENSOR ? 1 : cout;
    return q;
}

struct quant_weights *weights_quantize(const float *w, int cout, int k, const struct precision *p)
{
    struct quant_weights *q = weights_new(cout, k, p);
    scheme_table[p->scheme]->fit(w, p->granularity, p->range, q);
    return q;
}

void weights_free(struct quant_weights *q)
{
    if (!q)
        return;
    mem_free(q->codes);
    mem_free(q->scale);
    mem_free(q);
}

void weights_dequantize(const struct quant_weights *q, float *out)
{
    for (int c = 0; c < q->cout; c++)
        for (int i = 0; i < q->k; i++) {
            size_t at = (size_t)c * (size_t)q->k + (size_t)i;
            out[at] = q->scale[c] * q->levels[q->codes[at]];
        }
}

void weights_add_noise(const float *w, const struct quant_weights *q, double *signal, double *noise)
{
    for (int c = 0; c < q->cout; c++)
        for (int i = 0; i < q->k; i++) {
            size_t at = (size_t)c * (size_t)q->k + (size_t)i;
            double error = (double)q->scale[c] * q->levels[q->codes[at]] - w[at];
            *signal += (double)w[at] * w[at];
            *noise += error * error;
        }
}

double weights_sqnr(const float *w, const struct quant_weights *q)
{
    double signal = 0, noise = 0;
    weights_add_noise(w, q, &signal, &noise);
    return noise > 0 ? 10 * log10(signal / noise) : INFINITY;
}

int64_t weights_bytes(int cout, int k, int bits, int granularity, int n_bias)
{
    int64_t n = (int64_t)cout * k;
    if (bits == BITS_FLOAT)
        return 4 * (n + n_bias);
    int64_t scales = granularity == GRANULARITY_TENSOR ? 1 : cout;
    return (n * bits + 7) / 8 + 4 * (scales + n_bias);
}
