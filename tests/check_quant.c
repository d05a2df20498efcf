/* SPDX-License-Identifier: MIT
 *
 * Schemes, ranges, histograms and precisions: against closed forms for the Gaussian and the Laplace distribution (the
 * least squared error of a uniform quantizer: Max 1960), against brute force, and by looping over the tables' rows.
 */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "quant/histogram.h"
#include "quant/precision.h"
#include "quant/range.h"
#include "quant/scheme.h"
#include "quant/weights.h"

Suite *check_quant_suite(void);

enum { SAMPLES = 200000, MANY_SAMPLES = 2000000 }; /* many where the far tail counts */

/* A standard normal value: Box and Muller. */
static double gauss(struct rng *r)
{
    double u = 1 - rng_unit(r), v = rng_unit(r);
    return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v);
}

static double laplace(struct rng *r)
{
    double u = 1 - rng_unit(r);
    return rng_unit(r) < 0.5 ? log(u) : -log(u);
}

static float *draw(size_t n, uint64_t seed, double (*value)(struct rng *))
{
    struct rng r;
    rng_init(&r, seed);
    float *x = mem_new(n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)value(&r);
    return x;
}

static struct precision precision_of(int bits, int granularity, int range)
{
    struct precision p = precision_default();
    precision_set_w(&p, bits);
    p.granularity = (uint8_t)granularity;
    p.range = (uint8_t)range;
    return p;
}

static double mean_abs(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += fabs(x[i]);
    return sum / (double)n;
}

static double peak_of(const float *x, size_t n)
{
    double peak = 0;
    for (size_t i = 0; i < n; i++)
        peak = fmax(peak, fabs(x[i]));
    return peak;
}

static double error_power(const float *x, const float *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
    return sum;
}

/* Codes are ones that exist, scales are positive and finite, and a dequantized value is scale * level. */
static void assert_sound(const struct quant_weights *q, const struct precision *p, int cout, int k)
{
    float *out = mem_new((size_t)cout * (size_t)k, sizeof *out);
    weights_dequantize(q, out);
    ck_assert_int_eq(q->cout, cout);
    ck_assert_int_eq(q->k, k);
    ck_assert_int_eq(q->bits, p->w_bits);
    ck_assert_int_eq(q->n_scales, p->granularity == GRANULARITY_TENSOR ? 1 : cout);
    int unsound = 0;
    for (int c = 0; c < cout; c++) {
        ck_assert_msg(isfinite(q->scale[c]) && q->scale[c] >= 0, "scale %g", (double)q->scale[c]);
        ck_assert(p->granularity == GRANULARITY_CHANNEL || q->scale[c] == q->scale[0]);
        for (int i = 0; i < k; i++) {
            int code = q->codes[c * k + i];
            unsound += code >= 1 << p->w_bits || out[c * k + i] != q->scale[c] * (float)q->levels[code];
            unsound += p->w_bits > 1 && q->levels[code] == -(1 << (p->w_bits - 1)); /* -Q..Q */
        }
    }
    ck_assert_int_eq(unsound, 0);
    mem_free(out);
}

/* --- weights ------------------------------------------------------------------------------------------------------ */

static const struct {
    int bits;
    double step, sqnr;
} gauss_steps[] = {{2, 1.2240, 7.21},  {3, 0.6508, 13.29}, {4, 0.3534, 18.90},
                   {5, 0.1932, 24.33}, {6, 0.1055, 29.71}, {8, 0.0309, 40.54}};

START_TEST(gaussian_weights_get_the_least_error)
{
    float *w = draw(MANY_SAMPLES, 1, gauss);
    struct precision p = precision_of(gauss_steps[_i].bits, GRANULARITY_TENSOR, RANGE_MSE);
    struct quant_weights *q = weights_quantize(w, 1000, MANY_SAMPLES / 1000, &p);
    assert_sound(q, &p, 1000, MANY_SAMPLES / 1000);
    double step = (double)q->scale[0], sqnr = weights_sqnr(w, q);
    ck_assert_msg(fabs(step / gauss_steps[_i].step - 1) < 0.06, "step %g", step);
    ck_assert_msg(fabs(sqnr - gauss_steps[_i].sqnr) < 0.1, "SQNR %g", sqnr);
    weights_free(q);
    mem_free(w);
}
END_TEST

START_TEST(laplace_weights_get_the_least_error)
{
    /* The optimal clips, and the error that they give here: the method may be no more than 0.2 dB worse. */
    static const struct {
        int bits;
        double clip;
    } rows[] = {{2, 2.000}, {3, 3.486}, {4, 4.820}, {5, 6.098}, {6, 7.359}, {8, 9.883}};
    float *w = draw(SAMPLES, 2, laplace), *ideal = mem_new(SAMPLES, sizeof *ideal);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        double qmax = (1 << (rows[r].bits - 1)) - 1, step = rows[r].clip / qmax, power = 0;
        for (int i = 0; i < SAMPLES; i++) {
            ideal[i] = (float)(step * fmin(fmax(rint(w[i] / step), -qmax), qmax));
            power += (double)w[i] * w[i];
        }
        double best = 10 * log10(power / error_power(w, ideal, SAMPLES));
        struct precision p = precision_of(rows[r].bits, GRANULARITY_TENSOR, RANGE_MSE);
        struct quant_weights *q = weights_quantize(w, 1, SAMPLES, &p);
        ck_assert_msg(weights_sqnr(w, q) > best - 0.2, "%d bits: %g dB and not %g, step %g and not %g", rows[r].bits,
                      weights_sqnr(w, q), best, (double)q->scale[0], step);
        weights_free(q);
    }
    mem_free(ideal);
    mem_free(w);
}
END_TEST

START_TEST(binary_weights_are_the_mean)
{
    float *w = draw(SAMPLES, 3, gauss);
    struct precision p = precision_of(1, GRANULARITY_TENSOR, RANGE_MSE);
    ck_assert_int_eq(p.scheme, SCHEME_BINARY);
    struct quant_weights *q = weights_quantize(w, 10, SAMPLES / 10, &p);
    ck_assert_double_eq_tol((double)q->scale[0], 0.7979, 0.005);
    ck_assert_double_eq_tol((double)q->scale[0], mean_abs(w, SAMPLES), 1e-6);
    ck_assert_double_eq_tol(weights_sqnr(w, q), 4.40, 0.05);
    int wrong = 0;
    for (int i = 0; i < SAMPLES; i++)
        wrong += q->levels[q->codes[i]] != (w[i] < 0 ? -1 : 1);
    ck_assert_int_eq(wrong, 0);
    weights_free(q);
    p.granularity = GRANULARITY_CHANNEL;
    q = weights_quantize(w, 10, SAMPLES / 10, &p);
    for (int c = 0; c < 10; c++)
        ck_assert_double_eq_tol((double)q->scale[c], mean_abs(w + c * (SAMPLES / 10), SAMPLES / 10), 1e-6);
    weights_free(q);
    mem_free(w);
}
END_TEST

/* Least squared error over 2000 clips: dense where the method's grid is coarse. */
static double least_error(const float *w, int n, int bits, double least_clip)
{
    double qmax = (1 << (bits - 1)) - 1, peak = peak_of(w, (size_t)n), best = INFINITY;
    for (int i = 1; i <= 2000; i++) {
        double step = peak * i / 2000 / qmax, sum = 0;
        if (i < 2000 * least_clip)
            continue;
        for (int k = 0; k < n; k++) {
            double error = step * fmin(fmax(rint(w[k] / step), -qmax), qmax) - w[k];
            sum += error * error;
        }
        best = fmin(best, sum);
    }
    return best;
}

START_TEST(small_channels_against_brute_force)
{
    struct rng r;
    rng_init(&r, 4);
    double total = 0, least_total = 0;
    for (int round = 0; round < 120; round++) {
        int k = 1 + (int)rng_below(&r, 40), bits = 2 + (int)rng_below(&r, 7);
        float w[40], out[40];
        for (int i = 0; i < k; i++)
            w[i] = (float)(round % 2 ? gauss(&r) : laplace(&r));
        struct precision p = precision_of(bits, GRANULARITY_CHANNEL, RANGE_MSE);
        struct quant_weights *q = weights_quantize(w, 1, k, &p);
        weights_dequantize(q, out);
        double error = error_power(w, out, (size_t)k), least = least_error(w, k, bits, 0);
        p.range = RANGE_MINMAX;
        struct quant_weights *wide = weights_quantize(w, 1, k, &p);
        weights_dequantize(wide, out);
        double power = 0, rounding = 0;
        for (int i = 0; i < k; i++)
            power += (double)w[i] * w[i];
        rounding = 1e-10 * power; /* of the float arithmetic */
        ck_assert_double_ge(error + rounding, least * (1 - 1e-5));
        ck_assert_double_le(error, error_power(w, out, (size_t)k) * (1 + 1e-5) + rounding);
        total += error / power * pow(4, bits); /* each width counts alike */
        least_total += least / power * pow(4, bits);
        weights_free(wide);
        weights_free(q);
    }
    ck_assert_msg(total < 1.2 * least_total, "%g times the least error", total / least_total);
}
END_TEST

START_TEST(every_scheme_on_every_width)
{
    const struct scheme_row *row = scheme_table[_i];
    float *w = draw(24 * 30, 5, gauss), *out = mem_new(24 * 30, sizeof *out);
    for (int c = 0; c < 24; c++) /* channels of very different size; two of them zero */
        for (int i = 0; i < 30; i++)
            w[c * 30 + i] *= c % 11 == 5 ? 0 : (float)pow(2, c % 7 - 3);
    ck_assert_str_eq(row->name, scheme_name(_i));
    ck_assert(row->help[0] && row->min_bits >= 1 && row->max_bits <= BITS_MAX && row->min_bits <= row->max_bits);
    for (int bits = row->min_bits; bits <= row->max_bits; bits++)
        for (int range = 0; range < RANGE_COUNT; range++) {
            double sqnr[GRANULARITY_COUNT];
            for (int g = 0; g < GRANULARITY_COUNT; g++) {
                struct precision p = precision_of(bits, g, range);
                p.scheme = (uint8_t)_i;
                ck_assert(precision_valid(&p));
                struct quant_weights *q = weights_quantize(w, 24, 30, &p);
                assert_sound(q, &p, 24, 30);
                weights_dequantize(q, out);
                double power = 0;
                for (int i = 0; i < 24 * 30; i++)
                    power += (double)w[i] * w[i];
                sqnr[g] = 10 * log10(power / error_power(w, out, 24 * 30));
                ck_assert_double_eq_tol(weights_sqnr(w, q), sqnr[g], 1e-3);
                for (int c = 0; bits > 1 && c < 1 << bits; c++)
                    ck_assert_int_eq(q->levels[c], c - (1 << (bits - 1)));
                for (int i = 0; g == GRANULARITY_CHANNEL && i < 30; i++)
                    ck_assert(out[5 * 30 + i] == 0 && out[16 * 30 + i] == 0);
                weights_free(q);
            }
            ck_assert_msg(sqnr[GRANULARITY_CHANNEL] >= sqnr[GRANULARITY_TENSOR], "%s at %d bits: channel %g tensor %g",
                          range_name(range), bits, sqnr[GRANULARITY_CHANNEL], sqnr[GRANULARITY_TENSOR]);
        }
    mem_free(out);
    mem_free(w);
}
END_TEST

START_TEST(weight_ranges_do_what_they_say)
{
    float w[1000];
    for (int i = 0; i < 1000; i++)
        w[i] = (float)(i % 500 + 1) / 500 * (i < 500 ? 1 : -1);
    struct precision p = precision_of(4, GRANULARITY_CHANNEL, RANGE_MINMAX);
    w[17] = -100;
    struct quant_weights *q = weights_quantize(w, 1, 1000, &p);
    ck_assert_double_eq_tol((double)q->scale[0] * 7, 100, 1e-4);
    ck_assert_int_eq(q->levels[q->codes[17]], -7);
    weights_free(q);
    p.range = RANGE_PERCENTILE; /* one value in a thousand is outside */
    q = weights_quantize(w, 1, 1000, &p);
    ck_assert_double_eq_tol((double)q->scale[0] * 7, 1, 0.03);
    ck_assert_int_eq(q->levels[q->codes[17]], -7);
    weights_free(q);
}
END_TEST

START_TEST(weights_of_any_size)
{
    /* One weight, two weights of opposite sign, and magnitudes from the least normal number up. */
    static const float sizes[] = {1e-44f, 1e-39f, FLT_MIN, 1e-30f, 1e-6f, 1, 1e6f, 1e30f, FLT_MAX};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int bits = 1; bits <= BITS_MAX; bits++)
            for (int range = 0; range < RANGE_COUNT; range++) {
                float m = sizes[s], w[4] = {m, 0, -m / 2, m / 3}, out[4];
                struct precision p = precision_of(bits, GRANULARITY_CHANNEL, range);
                struct quant_weights *q = weights_quantize(w, 1, 4, &p);
                assert_sound(q, &p, 1, 4);
                weights_dequantize(q, out);
                ck_assert(bits == 1 || out[1] == 0);
                if (m >= 1e-30f && m <= 1e30f && bits == 8 && range == RANGE_MINMAX)
                    for (int i = 0; i < 4; i++)
                        ck_assert_double_le(fabs((double)out[i] - w[i]), 0.51 * m / 127);
                weights_free(q);
                q = weights_quantize(w, 1, 1, &p);
                assert_sound(q, &p, 1, 1);
                if (m >= 1e-30f && m <= 1e30f && range != RANGE_PERCENTILE) /* a lone weight is a level */
                    ck_assert_double_eq_tol((double)q->scale[0] * q->levels[q->codes[0]] / m, 1, 1e-5);
                weights_free(q);
            }
}
END_TEST

START_TEST(bytes_are_exact)
{
    ck_assert_int_eq(weights_bytes(16, 9, 0, GRANULARITY_CHANNEL, 16), 4 * (16 * 9 + 16));
    ck_assert_int_eq(weights_bytes(16, 9, 8, GRANULARITY_CHANNEL, 16), 144 + 64 + 64);
    ck_assert_int_eq(weights_bytes(16, 9, 8, GRANULARITY_TENSOR, 16), 144 + 4 + 64);
    ck_assert_int_eq(weights_bytes(16, 9, 4, GRANULARITY_TENSOR, 0), 72 + 4);
    ck_assert_int_eq(weights_bytes(16, 9, 1, GRANULARITY_CHANNEL, 0), 18 + 64);
    ck_assert_int_eq(weights_bytes(3, 3, 3, GRANULARITY_TENSOR, 0), 4 + 4); /* 27 bits: 4 bytes */
    ck_assert_int_eq(weights_bytes(1, 1, 1, GRANULARITY_TENSOR, 1), 1 + 4 + 4);
    ck_assert_int_eq(weights_bytes(1 << 16, 1 << 16, 8, GRANULARITY_TENSOR, 0), ((int64_t)1 << 32) + 4);
    for (int bits = 1; bits <= BITS_MAX; bits++)
        for (int n = 1; n < 40; n++) { /* packed bit by bit */
            int64_t used = 0;
            for (int i = 0; i < n; i++)
                used += bits;
            ck_assert_int_eq(weights_bytes(1, n, bits, GRANULARITY_CHANNEL, 0), (used + 7) / 8 + 4);
        }
}
END_TEST

/* --- histograms and activations ----------------------------------------------------------------------------------- */

static struct histogram *histogram_of(const float *x, size_t n)
{
    struct histogram *h = mem_new(1, sizeof *h);
    histogram_range(h, x, n);
    histogram_add(h, x, n);
    return h;
}

static double relu_gauss(struct rng *r)
{
    return fmax(0, gauss(r));
}

START_TEST(histograms_count)
{
    float x[] = {0, 1, -0.5f, 3.5f, NAN, INFINITY, -INFINITY, 0, 2};
    struct histogram *h = histogram_of(x, 9), *part = mem_new(1, sizeof *part);
    ck_assert(h->min == -0.5f && h->max == 3.5f);
    ck_assert_int_eq(h->zeros, 2);
    ck_assert_int_eq(h->count, 6); /* what is not finite is ignored */
    int64_t sum = 0;
    for (int i = 0; i < HISTOGRAM_BINS; i++)
        sum += h->bins[i];
    ck_assert_int_eq(sum, 4);
    ck_assert_int_eq(h->bins[0], 1);
    ck_assert_int_eq(h->bins[HISTOGRAM_BINS - 1], 1);
    ck_assert_int_eq(h->bins[(int)(1.5 / 4 * HISTOGRAM_BINS)], 1); /* 1 lies 1.5 above the least of 4 */
    /* In two parts, with the same extremes. */
    struct histogram *rest = mem_new(1, sizeof *rest);
    part->min = rest->min = h->min;
    part->max = rest->max = h->max;
    histogram_add(part, x, 3);
    histogram_add(rest, x + 3, 6);
    histogram_merge(part, rest);
    ck_assert_mem_eq(part, h, sizeof *h);
    mem_free(rest);
    mem_free(part);
    mem_free(h);
    /* A range is never without 0. */
    float positive[] = {2, 3};
    h = histogram_of(positive, 2);
    ck_assert(h->min == 0 && h->max == 3);
    mem_free(h);
}
END_TEST

START_TEST(relu_of_a_gaussian_gets_the_least_error)
{
    static const struct {
        int bits;
        double step;
    } rows[] = {{1, 1.2240}, {2, 0.6508}, {3, 0.3534}, {4, 0.1932}, {8, 0.0165}};
    float *x = draw(MANY_SAMPLES, 6, relu_gauss);
    struct histogram *h = histogram_of(x, MANY_SAMPLES);
    struct act_quant q = range_act_quant(h, rows[_i].bits, RANGE_MSE);
    ck_assert_msg(fabs((double)q.scale / rows[_i].step - 1) < 0.04, "step %g and not %g", (double)q.scale,
                  rows[_i].step);
    ck_assert(q.zero == 0);
    /* The error that the histogram knows is that of the values. */
    double sum = 0, qmax = (1 << q.bits) - 1;
    for (int i = 0; i < MANY_SAMPLES; i++) {
        double error = (double)q.scale * fmin(rint(x[i] / (double)q.scale), qmax) - x[i];
        sum += error * error;
    }
    ck_assert_double_eq_tol(range_mse(h, &q) / (sum / MANY_SAMPLES), 1, 0.02);
    mem_free(h);
    mem_free(x);
}
END_TEST

START_TEST(signed_binary_activations)
{
    float *x = draw(SAMPLES, 7, gauss);
    struct histogram *h = histogram_of(x, SAMPLES);
    struct act_quant q = range_act_quant(h, 1, RANGE_MSE);
    ck_assert(q.zero == 0.5f);
    ck_assert_double_eq_tol((double)q.scale, 1.5958, 0.01); /* from -alpha to +alpha */
    ck_assert_double_eq_tol(range_mse(h, &q), 0.36338, 0.005);
    ck_assert_int_eq(range_pad_code(&q), 1);
    mem_free(h);
    mem_free(x);
    /* A zero is off by alpha: half of these values are. */
    float y[] = {0, 1, 0, -1};
    h = histogram_of(y, 4);
    q = range_act_quant(h, 1, RANGE_MSE);
    ck_assert_double_eq_tol((double)q.scale, 1, 1e-3);
    ck_assert_double_eq_tol(range_mse(h, &q), 0.25, 1e-3);
    mem_free(h);
}
END_TEST

START_TEST(every_range_method_keeps_zero)
{
    const struct range_row *row = range_table[_i];
    ck_assert_str_eq(row->name, range_name(_i));
    ck_assert(row->help[0] != '\0');
    static const struct {
        double shift, spread; /* of Gaussian values; also all positive, all negative, tiny and huge ones */
    } kinds[] = {{0, 1}, {0.7, 1}, {-3, 0.5}, {30, 2}, {-30, 2}, {0, 1e-20}, {1e20, 1e19}, {0, 0}, {5, 0}, {-5, 0}};
    float *unit = draw(5000, 8, gauss), *x = mem_new(5000, sizeof *x);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (int i = 0; i < 5000; i++)
            x[i] = (float)(kinds[k].shift + kinds[k].spread * unit[i]);
        struct histogram *h = histogram_of(x, 5000);
        for (int bits = 2; bits <= BITS_MAX; bits++) {
            float lo, hi;
            row->find(h, bits, &lo, &hi);
            ck_assert(lo <= 0 && hi >= 0 && lo >= h->min * 1.001f && hi <= h->max * 1.001f);
            struct act_quant q = range_act_quant(h, bits, _i);
            ck_assert(q.bits == bits && q.scale > 0 && isfinite(q.scale));
            ck_assert(q.zero == rintf(q.zero) && q.zero >= 0 && q.zero <= (float)((1 << bits) - 1));
            ck_assert_int_eq(range_pad_code(&q), (int)q.zero); /* the code of 0.0, exactly */
            double power = 0; /* the best constant guess is 0; a quantizer that knows 0 is never worse */
            for (int i = 0; i < 5000; i++)
                power += (double)x[i] * x[i];
            ck_assert(row->find == range_table[RANGE_MINMAX]->find || range_mse(h, &q) <= power / 5000 * 1.01);
        }
        mem_free(h);
    }
    mem_free(x);
    mem_free(unit);
}
END_TEST

START_TEST(activation_ranges_do_what_they_say)
{
    float *x = draw(SAMPLES, 9, gauss), lo, hi;
    x[1234] = 1000;
    x[77] = -400;
    struct histogram *h = histogram_of(x, SAMPLES);
    range_table[RANGE_MINMAX]->find(h, 8, &lo, &hi);
    ck_assert(lo == -400 && hi == 1000);
    range_table[RANGE_PERCENTILE]->find(h, 8, &lo, &hi); /* as sharp as a bin is wide: 1400 / 2048 */
    ck_assert_double_le((double)hi, 3.72 + 1400.0 / HISTOGRAM_BINS);
    ck_assert_double_ge((double)lo, -3.72 - 1400.0 / HISTOGRAM_BINS);
    /* The outliers cost less than what a range for them would cost. */
    for (int bits = 2; bits <= BITS_MAX; bits++) {
        struct act_quant wide = range_act_quant(h, bits, RANGE_MINMAX), best = range_act_quant(h, bits, RANGE_MSE);
        ck_assert_double_le(range_mse(h, &best), range_mse(h, &wide));
    }
    mem_free(h);
    mem_free(x);
    struct act_quant q = range_quant_from(1, 3, 8); /* 0 joins */
    ck_assert_double_eq_tol((double)q.scale, 3.0 / 255, 1e-8);
    ck_assert(q.zero == 0);
    q = range_quant_from(-1, 1, 2);
    ck_assert_double_eq_tol((double)q.scale, 2.0 / 3, 1e-7);
    ck_assert(q.zero == 1 || q.zero == 2);
    q = range_quant_from(0, 0, 4);
    ck_assert(q.scale == 1 && q.zero == 0);
}
END_TEST

/* Least error of any pair of clips, on a dense grid. */
static double least_range_mse(const struct histogram *h, int bits)
{
    double best = INFINITY;
    for (int i = 1; i <= 160; i++)
        for (int k = 1; k <= (h->min < 0 ? 160 : 1); k++) {
            struct act_quant q = range_quant_from(h->min * (float)k / 160, h->max * (float)i / 160, bits);
            best = fmin(best, range_mse(h, &q));
        }
    return best;
}

START_TEST(clips_against_brute_force)
{
    float *unit = draw(2000, 10, _i % 2 ? laplace : gauss);
    for (int i = 0; i < 2000; i++)
        unit[i] = (float)(unit[i] + (_i < 2 ? 0 : 0.8));
    if (_i >= 4)
        for (int i = 0; i < 2000; i++)
            unit[i] = fmaxf(unit[i], 0);
    struct histogram *h = histogram_of(unit, 2000);
    for (int bits = 2; bits <= 8; bits += 2) {
        struct act_quant q = range_act_quant(h, bits, RANGE_MSE);
        double least = least_range_mse(h, bits), found = range_mse(h, &q);
        ck_assert_msg(found <= 1.15 * least, "%d bits: %g, the least is %g", bits, found, least);
        ck_assert_double_ge(found, 0.97 * least);
    }
    mem_free(h);
    mem_free(unit);
}
END_TEST

/* --- precision ---------------------------------------------------------------------------------------------------- */

START_TEST(precision_names_come_back)
{
    for (int i = 0; i < SCHEME_COUNT; i++)
        ck_assert_int_eq(precision_find(CHOICE_SCHEME, scheme_name(i)), i);
    for (int i = 0; i < GRANULARITY_COUNT; i++)
        ck_assert_int_eq(precision_find(CHOICE_GRANULARITY, granularity_name(i)), i);
    for (int i = 0; i < RANGE_COUNT; i++)
        ck_assert_int_eq(precision_find(CHOICE_RANGE, range_name(i)), i);
    ck_assert_int_eq(precision_find(CHOICE_SCHEME, "ternaryish"), -1);
    ck_assert_int_eq(precision_find(CHOICE_GRANULARITY, ""), -1);
    ck_assert_int_eq(precision_find(CHOICE_RANGE, "MSE"), -1);
}
END_TEST

START_TEST(precision_of_every_width)
{
    char text[16], expected[16];
    for (int w = 0; w <= BITS_MAX; w++)
        for (int a = 0; a <= BITS_MAX; a++) {
            struct precision p = precision_default(), other = p;
            precision_set_w(&p, w);
            precision_set_a(&p, a);
            ck_assert(precision_valid(&p));
            ck_assert_int_eq(precision_is_integer(&p), w && a);
            ck_assert_int_eq(p.scheme == SCHEME_BINARY, w == 1);
            snprintf(expected, sizeof expected, "w%da%d", w ? w : 32, a ? a : 32);
            ck_assert_str_eq(precision_text(&p, text), w || a ? expected : "fp32");
            ck_assert_int_eq(precision_equal(&p, &other), w == 8 && a == 8);
            for (int scheme = 0; scheme < SCHEME_COUNT; scheme++) { /* as scheme_table says */
                struct precision q = p;
                q.scheme = (uint8_t)scheme;
                const struct scheme_row *row = scheme_table[scheme];
                ck_assert(!w || precision_valid(&q) == (w >= row->min_bits && w <= row->max_bits));
            }
            precision_set_w(&p, 8); /* binary does not stick */
            ck_assert(precision_valid(&p) && p.scheme == SCHEME_UNIFORM);
        }
    struct precision p = precision_default();
    p.range = RANGE_COUNT;
    ck_assert(!precision_valid(&p));
    p = precision_default();
    p.a_bits = 9;
    ck_assert(!precision_valid(&p));
}
END_TEST

Suite *check_quant_suite(void)
{
    Suite *s = suite_create("quant");
    TCase *t = tcase_create("weights");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, gaussian_weights_get_the_least_error, 0, sizeof gauss_steps / sizeof *gauss_steps);
    tcase_add_test(t, laplace_weights_get_the_least_error);
    tcase_add_test(t, binary_weights_are_the_mean);
    tcase_add_test(t, small_channels_against_brute_force);
    tcase_add_loop_test(t, every_scheme_on_every_width, 0, SCHEME_COUNT);
    tcase_add_test(t, weight_ranges_do_what_they_say);
    tcase_add_test(t, weights_of_any_size);
    tcase_add_test(t, bytes_are_exact);
    suite_add_tcase(s, t);
    t = tcase_create("activations");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, histograms_count);
    tcase_add_loop_test(t, relu_of_a_gaussian_gets_the_least_error, 0, 5);
    tcase_add_test(t, signed_binary_activations);
    tcase_add_loop_test(t, every_range_method_keeps_zero, 0, RANGE_COUNT);
    tcase_add_test(t, activation_ranges_do_what_they_say);
    tcase_add_loop_test(t, clips_against_brute_force, 0, 6);
    suite_add_tcase(s, t);
    t = tcase_create("precision");
    tcase_add_test(t, precision_names_come_back);
    tcase_add_test(t, precision_of_every_width);
    suite_add_tcase(s, t);
    return s;
}
