/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "quant/precision.h"
#include "quant/scheme_rows.h"
#include "quant/weights.h"

/* sign(w) * E|w| (XNOR-Net's weights, Rastegari et al. 2016, arXiv 1603.05279): the least squared error for two levels.
 */
static void fit(const float *w, int granularity, int range, struct quant_weights *q)
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

const struct scheme_row scheme_binary = {
    .name = "binary",
    .brief = "bin",
    .help = "-alpha and +alpha, alpha the mean of |w|",
    .min_bits = 1,
    .max_bits = 1,
    .fit = fit,
};
