/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/num.h"
#include "quant/range_rows.h"

enum { CLIP_CANDIDATES = 80, WEIGHT_CANDIDATES = 40 };

/* Grid search of the clip (OMSE, Choukroun et al. 2019, arXiv 1902.06822): first both sides shrink together, then each
 * side alone. */
static void find(const struct histogram *h, int bits, float *lo, float *hi)
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

/* The clip of least squared error, on a grid (OMSE, arXiv 1902.06822). */
static float scale_weights(const float *w, size_t n, int most, float peak)
{
    float qmax = (float)most, best_scale = peak / qmax;
    double best = clip_error(w, n, best_scale, qmax);
    for (int i = WEIGHT_CANDIDATES / 5; i < WEIGHT_CANDIDATES; i++) {
        float scale = peak * (float)i / WEIGHT_CANDIDATES / qmax;
        double error = clip_error(w, n, scale, qmax);
        if (error < best) {
            best = error;
            best_scale = scale;
        }
    }
    return best_scale;
}

const struct range_row range_mse_clip = {
    .name = "mse",
    .brief = "mse",
    .help = "the clip with the least mean squared error",
    .find = find,
    .scale_weights = scale_weights,
};
