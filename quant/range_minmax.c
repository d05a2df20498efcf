/* SPDX-License-Identifier: MIT */
#include "quant/range_rows.h"

static void find(const struct histogram *h, int bits, float *lo, float *hi)
{
    (void)bits;
    *lo = h->min;
    *hi = h->max;
}

static float scale_weights(const float *w, size_t n, int most, float peak)
{
    (void)w, (void)n;
    return peak / (float)most;
}

const struct range_row range_minmax = {
    .name = "minmax",
    .brief = "max",
    .help = "the extremes that calibration saw",
    .find = find,
    .scale_weights = scale_weights,
};
