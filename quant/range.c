/* SPDX-License-Identifier: MIT */
#include "quant/range.h"

#include <math.h>

enum { CLIP_CANDIDATES = 80 };
static const double PERCENTILE = 0.9999; /* of all values, on each side */

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

static double bin_value(const struct histogram *h, int i)
{
    return h->min + (h->max - h->min) * (i + 0.5) / HISTOGRAM_BINS;
}

double range_mse(const struct histogram *h, const struct act_quant *q)
{
    int qmax = act_quant_top(q);
    double inv = 1 / (double)q->scale, off = q->zero == 0.5f ? 0.5 * q->scale : 0; /* what stands for 0.0 */
    double sum = off * off * (double)h->zeros;
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        if (!h->bins[i])
            continue;
        double x = bin_value(h, i), code = rint(x * inv + q->zero);
        code = code < 0 ? 0 : code > qmax ? qmax : code;
        double error = (code - q->zero) * q->scale - x;
        sum += error * error * h->bins[i];
    }
    return h->count ? sum / (double)h->count : 0;
}

static void find_minmax(const struct histogram *h, int bits, float *lo, float *hi)
{
    (void)bits;
    *lo = h->min;
    *hi = h->max;
}

static void find_percentile(const struct histogram *h, int bits, float *lo, float *hi)
{
    (void)bits;
    double outside = (1 - PERCENTILE) * (double)h->count;
    double below = 0, above = 0;
    int first = 0, last = HISTOGRAM_BINS - 1;
    while (first < last && below + h->bins[first] <= outside)
        below += h->bins[first++];
    while (last > first && above + h->bins[last] <= outside)
        above += h->bins[last--];
    double width = (h->max - h->min) / HISTOGRAM_BINS;
    *lo = (float)fmin(0, h->min + width * first);
    *hi = (float)fmax(0, h->min + width * (last + 1));
}

/* Grid search of the clip (OMSE, Choukroun et al. 2019, arXiv 1902.06822): first both sides shrink together, then each
 * side alone. */
static void find_mse(const struct histogram *h, int bits, float *lo, float *hi)
{
    double best_lo = 1, best_hi = 1, best = INFINITY;
    for (int side = 0; side < 3; side++) {
        double keep_lo = best_lo, keep_hi = best_hi;
        if ((side == 1 && h->min == 0) || (side == 2 && (h->max == 0 || h->min == 0)))
            continue;
        for (int k = 1; k <= CLIP_CANDIDATES; k++) {
            double f = (double)k / CLIP_CANDIDATES;
            double try_lo = side == 2 ? keep_lo : f, try_hi = side == 1 ? keep_hi : f;
            struct act_quant q = range_quant_from((float)(h->min * try_lo), (float)(h->max * try_hi), bits);
            double mse = range_mse(h, &q);
            if (mse < best) {
                best = mse;
                best_lo = try_lo;
                best_hi = try_hi;
            }
        }
    }
    *lo = (float)(h->min * best_lo);
    *hi = (float)(h->max * best_hi);
}

const struct range_row range_table[RANGE_COUNT] = {
    [RANGE_MINMAX] = {"minmax", "the extremes that calibration saw", find_minmax},
    [RANGE_PERCENTILE] = {"percentile", "99.99 % of the values on each side", find_percentile},
    [RANGE_MSE] = {"mse", "the clip with the least mean squared error", find_mse},
};

static struct act_quant binary_unsigned(const struct histogram *h)
{
    /* Lloyd's iteration: alpha is the mean of what lies above alpha / 2. */
    double alpha = h->max / 2;
    for (int round = 0; round < 50; round++) {
        double sum = 0, n = 0;
        for (int i = 0; i < HISTOGRAM_BINS; i++)
            if (bin_value(h, i) > alpha / 2) {
                sum += bin_value(h, i) * h->bins[i];
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
            sum += fabs(bin_value(h, i)) * h->bins[i];
        double alpha = h->count ? sum / (double)h->count : 0;
        return (struct act_quant){.bits = 1, .scale = alpha > 0 ? (float)(2 * alpha) : 1, .zero = 0.5f};
    }
    float lo, hi;
    range_table[method].find(h, bits, &lo, &hi);
    return range_quant_from(lo, hi, bits);
}

int range_pad_code(const struct act_quant *q)
{
    return q->zero == 0.5f ? 1 : (int)q->zero;
}
