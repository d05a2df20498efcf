/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "quant/range_rows.h"

static const double OF_VALUES = 0.9999; /* of all values, on each side */
static const double OF_WEIGHTS = 0.999; /* of a channel's |w|, or of the tensor's */

static void find(const struct histogram *h, int bits, float *lo, float *hi)
{
    (void)bits;
    double outside = (1 - OF_VALUES) * (double)h->count;
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

/* Largest magnitude that is kept so that OF_WEIGHTS of the values lie inside: a histogram is precise enough. */
static float scale_weights(const float *w, size_t n, int most, float peak)
{
    enum { BINS = 4096 };
    uint32_t bins[BINS] = {0};
    for (size_t i = 0; i < n; i++)
        bins[(int)fminf(fabsf(w[i]) / peak * BINS, BINS - 1)]++;
    double outside = (1 - OF_WEIGHTS) * (double)n, seen = 0;
    int b = BINS - 1;
    while (b > 0 && seen + bins[b] <= outside)
        seen += bins[b--];
    return peak * ((float)(b + 1) / BINS) / (float)most; /* a huge peak times a count would overflow */
}

const struct range_row range_percentile = {
    .name = "percentile",
    .brief = "pct",
    .help = "99.99 % of the values on each side",
    .find = find,
    .scale_weights = scale_weights,
};
