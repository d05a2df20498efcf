/* SPDX-License-Identifier: MIT */
#include "quant/range.h"

#include <assert.h>
#include <math.h>

#include "quant/range_rows.h"

struct act_quant range_quant_from(float lo, float hi, int bits)
{
    int qmax = (1 << bits) - 1;
    lo = fminf(lo, 0);
    hi = fmaxf(hi, 0);
    struct act_quant q = {.bits = bits, .scale = (hi - lo) / (float)qmax, .zero = 0};
    if (!(q.scale > 0) || !isfinite(q.scale)) {
        q.scale = 1;
        return q;
    }
    q.zero = rintf(-lo / q.scale);
    q.zero = fminf(fmaxf(q.zero, 0), (float)qmax);
    return q;
}

double range_mse(const struct histogram *h, const struct act_quant *q)
{
    int qmax = act_quant_top(q);
    double inv = 1 / (double)q->scale, off = q->zero == 0.5f ? 0.5 * q->scale : 0; /* what stands for 0.0 */
    double sum = off * off * (double)h->zeros;
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        if (!h->bins[i])
            continue;
        double x = histogram_value(h, i), code = rint(x * inv + q->zero);
        code = code < 0 ? 0 : code > qmax ? qmax : code;
        double error = (code - q->zero) * q->scale - x;
        sum += error * error * h->bins[i];
    }
    return h->count ? sum / (double)h->count : 0;
}

const struct range_row *const range_table[RANGE_COUNT] = {
    [RANGE_MINMAX] = &range_minmax,
    [RANGE_PERCENTILE] = &range_percentile,
    [RANGE_MSE] = &range_mse_clip,
};

const char *range_name(int method)
{
    assert(method >= 0 && method < RANGE_COUNT);
    return range_table[method]->name;
}

const char *range_brief(int method)
{
    assert(method >= 0 && method < RANGE_COUNT);
    return range_table[method]->brief;
}

static struct act_quant binary_unsigned(const struct histogram *h)
{
    /* Lloyd's iteration: alpha is the mean of what lies above alpha / 2. */
    double alpha = h->max / 2;
    for (int round = 0; round < 50; round++) {
        double sum = 0, n = 0;
        for (int i = 0; i < HISTOGRAM_BINS; i++)
            if (histogram_value(h, i) > alpha / 2) {
                sum += histogram_value(h, i) * h->bins[i];
                n += h->bins[i];
            }
        if (n == 0)
            break;
        double next = sum / n;
        if (fabs(next - alpha) < 1e-6 * alpha)
            break;
        alpha = next;
    }
    return (struct act_quant){.bits = 1, .scale = alpha > 0 ? (float)alpha : 1, .zero = 0};
}

struct act_quant range_act_quant(const struct histogram *h, int bits, int method)
{
    if (bits == 1 && h->min >= 0)
        return binary_unsigned(h);
    if (bits == 1) {
        double sum = 0; /* from the bins, so that the order of images and threads cannot matter */
        for (int i = 0; i < HISTOGRAM_BINS; i++)
            sum += fabs(histogram_value(h, i)) * h->bins[i];
        double alpha = h->count ? sum / (double)h->count : 0;
        return (struct act_quant){.bits = 1, .scale = alpha > 0 ? (float)(2 * alpha) : 1, .zero = 0.5f};
    }
    float lo, hi;
    range_table[method]->find(h, bits, &lo, &hi);
    return range_quant_from(lo, hi, bits);
}

int range_pad_code(const struct act_quant *q)
{
    return q->zero == 0.5f ? 1 : (int)q->zero;
}
