/* SPDX-License-Identifier: MIT */
#include "quant/histogram.h"

#include <assert.h>
#include <float.h>
#include <math.h>

void histogram_range(struct histogram *h, const float *x, size_t n)
{
    float lo = h->min, hi = h->max;
    for (size_t i = 0; i < n; i++) {
        if (x[i] < lo && x[i] > -INFINITY)
            lo = x[i];
        if (x[i] > hi && x[i] < INFINITY)
            hi = x[i];
    }
    h->min = lo;
    h->max = hi;
}

void histogram_add(struct histogram *h, const float *x, size_t n)
{
    float width = (h->max - h->min) / HISTOGRAM_BINS;
    float inv = width >= FLT_MIN ? 1 / width : 0;
    int64_t zeros = 0, ignored = 0;
    for (size_t i = 0; i < n; i++) {
        if (x[i] == 0) {
            zeros++;
            continue;
        }
        if (!isfinite(x[i])) {
            ignored++;
            continue;
        }
        int b = (int)((x[i] - h->min) * inv);
        b = b < 0 ? 0 : b >= HISTOGRAM_BINS ? HISTOGRAM_BINS - 1 : b;
        h->bins[b]++;
    }
    h->zeros += zeros;
    h->count += (int64_t)n - ignored;
}

void histogram_merge(struct histogram *a, const struct histogram *b)
{
    assert(a->min == b->min && a->max == b->max);
    a->count += b->count;
    a->zeros += b->zeros;
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        a->bins[i] += b->bins[i];
}
