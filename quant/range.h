/* SPDX-License-Identifier: MIT
 *
 * Ranges: which part of a tensor's values the codes of an activation cover.
 *
 * An activation of b >= 2 bits is asymmetric per tensor: code q in 0..2^b-1 stands for scale * (q - zero) with an
 * integer zero, so that 0.0 is exact (Jacob et al. 2017, arXiv 1712.05877). At 1 bit it is binary and mean-scaled: {0,
 * alpha} for a tensor without negative values, alpha the mean of the values that round to it (Lloyd's condition), else
 * {-alpha, +alpha} with alpha = E|x| (Rastegari et al. 2016, arXiv 1603.05279): then zero is 0.5, 0.0 has no code, and
 * padding is +alpha (as Larq's one-padding).
 *
 * A tensor of a model that is quantized already has the model's own scale and zero instead, whatever the method, at its
 * own width and wider ones: nothing is lost by them (quant/own.h).
 */
#ifndef BITFADER_QUANT_RANGE_H
#define BITFADER_QUANT_RANGE_H

#include "quant/histogram.h"

struct act_quant {
    int bits;
    float scale; /* > 0 */
    float zero;  /* the code of 0.0: an integer, or 0.5 for signed binary */
    int top;     /* the largest code that is used; 0: 2^bits - 1 */
};

static inline int act_quant_top(const struct act_quant *q)
{
    return q->top ? q->top : (1 << q->bits) - 1;
}

/* The order of range_table. */
enum range_method { RANGE_MINMAX, RANGE_PERCENTILE, RANGE_MSE, RANGE_COUNT };

/* One row a range method, each in a file of its own (range_NAME.c). */
struct range_row {
    const char *name;
    const char *brief; /* three letters */
    const char *help;
    /* Chooses lo <= 0 <= hi of an activation for b-bit codes, b >= 2. */
    void (*find)(const struct histogram *h, int bits, float *lo, float *hi);
    /* The scale of symmetric levels -most..most, for n weights whose largest magnitude is `peak`. */
    float (*scale_weights)(const float *w, size_t n, int most, float peak);
};
extern const struct range_row *const range_table[RANGE_COUNT];

const char *range_name(int method);
const char *range_brief(int method);

/* The quantizer of a tensor at 1..8 bits. A tensor that is always zero gets scale 1. */
struct act_quant range_act_quant(const struct histogram *h, int bits, int method);

/* The quantizer with integer zero whose codes cover lo..hi (0 is added to the range). */
struct act_quant range_quant_from(float lo, float hi, int bits);

/* Code that padding gets: that of 0.0, or of +alpha where 0.0 has none. */
int range_pad_code(const struct act_quant *q);

/* Mean squared error of the histogram under a quantizer, per value. For tests and reports. */
double range_mse(const struct histogram *h, const struct act_quant *q);

#endif
