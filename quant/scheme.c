/* SPDX-License-Identifier: MIT */
#include "quant/scheme.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"

enum { CLIP_CANDIDATES = 40 };
static const double PERCENTILE = 0.999; /* of a channel's |w|, or of the tensor's */

/* Nearest integer, ties to even, for |x| < 2^22; vectorises on any processor, unlike rintf. */
static inline float round_even(float x)
{
    return (x + 12582912.0f) - 12582912.0f;
}

static float max_abs(const float *w, size_t n)
{
    float m = 0;
    for (size_t i = 0; i < n; i++)
        m = fmaxf(m, fabsf(w[i]));
    return m;
}

static double clip_error(const float *w, size_t n, float scale, float qmax)
{
    float inv = 1 / scale;
    double total = 0;
    for (size_t at = 0; at < n; at += 1024) {
        size_t end = at + 1024 < n ? at + 1024 : n;
        float sum = 0;
        for (size_t i = at; i < end; i++) {
            float t = w[i] * inv;
            t = t > qmax ? qmax : t < -qmax ? -qmax : t;
            float error = round_even(t) * scale - w[i];
            sum += error * error;
        }
        total += sum;
    }
    return total;
}

/* Largest magnitude that is kept so that PERCENTILE of the values lie inside: a histogram is precise enough. */
static float clip_percentile(const float *w, size_t n, float peak)
{
    enum { BINS = 4096 };
    uint32_t bins[BINS] = {0};
    for (size_t i = 0; i < n; i++)
        bins[(int)fminf(fabsf(w[i]) / peak * BINS, BINS - 1)]++;
    double outside = (1 - PERCENTILE) * (double)n, seen = 0;
    int b = BINS - 1;
    while (b > 0 && seen + bins[b] <= outside)
        seen += bins[b--];
    return peak * ((float)(b + 1) / BINS); /* a huge peak times a count would overflow */
}

static float uniform_scale(const float *w, size_t n, int bits, int range)
{
    float qmax = (float)((1 << (bits - 1)) - 1), peak = max_abs(w, n);
    if (!(peak >= 1024 * FLT_MIN)) /* so that 1 / scale is finite below: smaller weights are as good as zero */
        return 1;
    if (range == RANGE_MINMAX)
        return peak / qmax;
    if (range == RANGE_PERCENTILE)
        return clip_percentile(w, n, peak) / qmax;
    /* The clip of least squared error, on a grid (OMSE, arXiv 1902.06822). */
    float best_scale = peak / qmax;
    double best = clip_error(w, n, best_scale, qmax);
    for (int i = CLIP_CANDIDATES / 5; i < CLIP_CANDIDATES; i++) {
        float scale = peak * (float)i / CLIP_CANDIDATES / qmax;
        double error = clip_error(w, n, scale, qmax);
        if (error < best) {
            best = error;
            best_scale = scale;
        }
    }
    return best_scale;
}

/* Symmetric, restricted to -Q..Q (Krishnamoorthi 2018, arXiv 1806.08342). */
static void fit_uniform(const float *w, int granularity, int range, struct quant_weights *q)
{
    int half = 1 << (q->bits - 1);
    float qmax = (float)(half - 1);
    for (int c = 0; c < 1 << q->bits; c++)
        q->levels[c] = (int8_t)(c - half);
    bool whole = granularity == GRANULARITY_TENSOR;
    float shared = whole ? uniform_scale(w, (size_t)q->cout * (size_t)q->k, q->bits, range) : 0;
    for (int c = 0; c < q->cout; c++) {
        const float *row = w + (size_t)c * (size_t)q->k;
        uint8_t *codes = q->codes + (size_t)c * (size_t)q->k;
        q->scale[c] = whole ? shared : uniform_scale(row, (size_t)q->k, q->bits, range);
        float inv = 1 / q->scale[c];
        for (int i = 0; i < q->k; i++) {
            float t = row[i] * inv;
            t = t > qmax ? qmax : t < -qmax ? -qmax : t;
            codes[i] = (uint8_t)((int)round_even(t) + half);
        }
    }
}

/* sign(w) * E|w| (XNOR-Net's weights, Rastegari et al. 2016, arXiv 1603.05279): the least squared error for two levels.
 */
static void fit_binary(const float *w, int granularity, int range, struct quant_weights *q)
{
    (void)range;
    q->levels[0] = -1;
    q->levels[1] = 1;
    double whole = 0;
    for (int c = 0; c < q->cout; c++) {
        const float *row = w + (size_t)c * (size_t)q->k;
        double sum = 0;
        for (int i = 0; i < q->k; i++) {
            sum += fabsf(row[i]);
            q->codes[(size_t)c * (size_t)q->k + (size_t)i] = row[i] >= 0;
        }
        whole += sum;
        q->scale[c] = (float)(sum / q->k);
    }
    if (granularity == GRANULARITY_TENSOR)
        for (int c = 0; c < q->cout; c++)
            q->scale[c] = (float)(whole / ((double)q->cout * q->k));
}

const struct scheme_row scheme_table[SCHEME_COUNT] = {
    [SCHEME_UNIFORM] = {"uniform", "symmetric integers -Q..Q", 2, 8, fit_uniform},
    [SCHEME_BINARY] = {"binary", "-alpha and +alpha, alpha the mean of |w|", 1, 1, fit_binary},
};

struct quant_weights *scheme_weights_new(int cout, int k, const struct precision *p)
{
    assert(precision_valid(p) && p->w_bits >= 1 && p->w_bits <= BITS_MAX);
    struct quant_weights *q = mem_new(1, sizeof *q);
    *q = (struct quant_weights){.cout = cout, .k = k, .bits = p->w_bits};
    q->codes = mem_new((size_t)cout * (size_t)k, 1);
    q->scale = mem_new((size_t)cout, sizeof *q->scale);
    q->n_scales = p->granularity == GRANULARITY_TENSOR ? 1 : cout;
    return q;
}

struct quant_weights *scheme_quantize(const float *w, int cout, int k, const struct precision *p)
{
    struct quant_weights *q = scheme_weights_new(cout, k, p);
    scheme_table[p->scheme].fit(w, p->granularity, p->range, q);
    return q;
}

void scheme_weights_free(struct quant_weights *q)
{
    if (!q)
        return;
    mem_free(q->codes);
    mem_free(q->scale);
    mem_free(q);
}

void scheme_dequantize(const struct quant_weights *q, float *out)
{
    for (int c = 0; c < q->cout; c++)
        for (int i = 0; i < q->k; i++) {
            size_t at = (size_t)c * (size_t)q->k + (size_t)i;
            out[at] = q->scale[c] * q->levels[q->codes[at]];
        }
}

void scheme_add_noise(const float *w, const struct quant_weights *q, double *signal, double *noise)
{
    for (int c = 0; c < q->cout; c++)
        for (int i = 0; i < q->k; i++) {
            size_t at = (size_t)c * (size_t)q->k + (size_t)i;
            double error = (double)q->scale[c] * q->levels[q->codes[at]] - w[at];
            *signal += (double)w[at] * w[at];
            *noise += error * error;
        }
}

double scheme_sqnr(const float *w, const struct quant_weights *q)
{
    double signal = 0, noise = 0;
    scheme_add_noise(w, q, &signal, &noise);
    return noise > 0 ? 10 * log10(signal / noise) : INFINITY;
}

int64_t scheme_bytes(int cout, int k, int bits, int granularity, int n_bias)
{
    int64_t n = (int64_t)cout * k;
    if (bits == BITS_FLOAT)
        return 4 * (n + n_bias);
    int64_t scales = granularity == GRANULARITY_TENSOR ? 1 : cout;
    return (n * bits + 7) / 8 + 4 * (scales + n_bias);
}
