/* SPDX-License-Identifier: MIT
 *
 * What calibration learns of one tensor: extremes and a histogram. Exact zeros are counted apart, since every
 * activation quantizer here represents 0.0 exactly and ReLU makes most of them.
 */
#ifndef BITFADER_QUANT_HISTOGRAM_H
#define BITFADER_QUANT_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BINS = 2048 };

struct histogram {
    float min, max; /* of all values seen; 0 is always inside */
    int64_t count;  /* values, zeros included */
    int64_t zeros;
    uint32_t bins[HISTOGRAM_BINS]; /* of the non-zero values, equal widths from min to max */
};

/* First pass: extremes. Second pass, after the extremes are final: bins. Not-finite values are ignored. */
void histogram_range(struct histogram *h, const float *x, size_t n);
void histogram_add(struct histogram *h, const float *x, size_t n);
/* Merges the counts (not the extremes, which must be equal) of b into a. */
void histogram_merge(struct histogram *a, const struct histogram *b);

/* The middle of a bin. */
static inline double histogram_value(const struct histogram *h, int bin)
{
    return h->min + (h->max - h->min) * (bin + 0.5) / HISTOGRAM_BINS;
}

#endif
