/* SPDX-License-Identifier: MIT
 *
 * From losses to accuracy: the map that measured profiles are fitted to.
 */
#include <math.h>

#include "base/mem.h"
#include "search/analyze.h"
#include "search/estimate.h"

/* Sum over points of weighted squared misses of a fit. */
static double fit_error(const struct loss_fit *f, const struct fit_point *points, const double *weights, int n)
{
    double error = 0;
    for (int i = 0; i < n; i++) {
        double miss = loss_fit_drop(f, points[i].loss) - points[i].drop;
        error += weights[i] * miss * miss;
    }
    return error;
}

/* The weighted quantile of values. Sorts both arrays by value. */
static double weighted_quantile(double (*x)[2], int n, double q)
{
    double total = 0, seen = 0;
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && x[k][0] < x[k - 1][0]; k--)
            for (int c = 0; c < 2; c++) {
                double swap = x[k][c];
                x[k][c] = x[k - 1][c];
                x[k - 1][c] = swap;
            }
    for (int i = 0; i < n; i++)
        total += x[i][1];
    for (int i = 0; i < n; i++)
        if ((seen += x[i][1]) >= q * total)
            return x[i][0];
    return 0;
}

/* The error bar: 9 of 10 misses of the profiles at hand were smaller, relative for large drops, absolute for small
 * ones; a quantile, so that one outlier does not swamp it. Calibration images were trained on, so a fit to them alone
 * is trusted less. */
static void fit_error_bar(struct loss_fit *f, const struct fit_point *points, int n)
{
    double(*large)[2] = mem_new((size_t)n, sizeof *large), (*small)[2] = mem_new((size_t)n, sizeof *small);
    int held_out = 0, n_large = 0, n_small = 0;
    for (int i = 0; i < n; i++) {
        double predicted = loss_fit_drop(f, points[i].loss), miss = fabs(predicted - points[i].drop);
        double w = points[i].held_out ? 4 : 1;
        held_out += points[i].held_out;
        if (predicted > 1) {
            large[n_large][0] = miss / predicted;
            large[n_large++][1] = w;
        } else {
            small[n_small][0] = miss;
            small[n_small++][1] = w;
        }
    }
    f->error_rel = (held_out >= 3 ? 0 : 0.25) + (n_large > 0 ? weighted_quantile(large, n_large, 0.9) : 0.5);
    f->error_abs = fmax(0.1, n_small > 0 ? weighted_quantile(small, n_small, 0.9) : 0.2);
    mem_free(large);
    mem_free(small);
}

/* Weighted least squares over a grid of powers and scales. Each point weighs by its own uncertainty (a tenth of a
 * point, a fifth of the drop, and what counting on so many images leaves), and held-out images count fourfold. */
struct loss_fit analyze_fit(const struct fit_point *points, int n, double ceiling)
{
    struct loss_fit best = {.scale = 25, .power = 1, .ceiling = ceiling, .error_rel = 1, .error_abs = 0.3};
    if (n < 3)
        return best;
    double *weights = mem_new((size_t)n, sizeof *weights), least = INFINITY;
    for (int i = 0; i < n; i++) {
        double sigma = 0.1 + 0.2 * fmax(0, points[i].drop) + 3 / sqrt((double)points[i].images);
        weights[i] = (points[i].held_out ? 4 : 1) / (sigma * sigma);
    }
    for (double power = 0.4; power < 1.601; power += 0.02)
        for (double scale = 0.5; scale < 400; scale *= 1.02) {
            struct loss_fit f = {.scale = scale, .power = power, .ceiling = ceiling};
            double error = fit_error(&f, points, weights, n);
            if (error < least) {
                least = error;
                best.scale = scale;
                best.power = power;
            }
        }
    mem_free(weights);
    fit_error_bar(&best, points, n);
    best.points = n;
    return best;
}
