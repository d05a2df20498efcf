/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>

#include "base/num.h"
#include "quant/precision.h"
#include "quant/scheme_rows.h"
#include "quant/weights.h"

/* Of n weights of one scale. */
static float scale_of(const float *w, size_t n, int bits, int range)
{
    int most = (1 << (bits - 1)) - 1;
    float peak = 0;
    for (size_t i = 0; i < n; i++)
        peak = fmaxf(peak, fabsf(w[i]));
    if (!(peak >= 1024 * FLT_MIN)) /* so that 1 / scale is finite below: smaller weights are as good as zero */
        return 1;
    return range_table[range]->scale_weights(w, n, most, peak);
}

/* Symmetric, restricted to -Q..Q (Krishnamoorthi 2018, arXiv 1806.08342). */
static void fit(const float *w, int granularity, int range, struct quant_weights *q)
{
    int half = 1 << (q->bits - 1);
    float qmax = (float)(half - 1);
    for (int c = 0; c < 1 << q->bits; c++)
        q->levels[c] = (int8_t)(c - half);
    bool whole = granularity == GRANULARITY_TENSOR;
    float shared = whole ? scale_of(w, (size_t)q->cout * (size_t)q->k, q->bits, range) : 0;
    for (int c = 0; c < q->cout; c++) {
        const float *row = w + (size_t)c * (size_t)q->k;
        uint8_t *codes = q->codes + (size_t)c * (size_t)q->k;
        q->scale[c] = whole ? shared : scale_of(row, (size_t)q->k, q->bits, range);
        float inv = 1 / q->scale[c];
        for (int i = 0; i < q->k; i++) {
            float t = row[i] * inv;
            t = t > qmax ? qmax : t < -qmax ? -qmax : t;
            codes[i] = (uint8_t)((int)round_even(t) + half);
        }
    }
}

const struct scheme_row scheme_uniform = {
    .name = "uniform",
    .brief = "uni",
    .help = "symmetric integers -Q..Q",
    .min_bits = 2,
    .max_bits = 8,
    .fit = fit,
};
