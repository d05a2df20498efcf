/* SPDX-License-Identifier: MIT
 *
 * The estimator on tables that are made by hand, so that every sum can be worked out.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "search/estimate.h"
#include "search/tables.h"

Suite *check_estimate_suite(void);

enum { LAYERS = 3 };

static const char *const names[LAYERS] = {"a", "b", "c"}, *const kinds[LAYERS] = {"Conv", "Conv", "Gemm"};
static const int groups[LAYERS] = {0, 1, 2};
static const struct profile_model model = {"hand.onnx", "xxh3-0", LAYERS, names, kinds, groups};

/* Layer l: loss 2^-w (l + 1) for weights and 2^-a / 4 for activations, 100 (l + 1) weights, fp32 takes 1000 (l + 1) ns
 * and w, a bits take (w + 10 a)(l + 1); one scale instead of many costs 3 dB. */
static struct tables *hand_tables(void)
{
    struct tables *t = tables_new(LAYERS);
    for (int l = 0; l < LAYERS; l++) {
        struct layer_table *x = &t->layers[l];
        x->measured = true;
        x->weights = 100 * (l + 1);
        x->macs = 1000 * (l + 1);
        for (int w = 0; w < WIDTHS; w++) {
            x->loss_w[w] = w ? pow(2, -w) * (l + 1) : 0;
            x->loss_a[w] = w ? pow(2, -w) / 4 : 0;
            x->sqnr[GRANULARITY_CHANNEL][w] = w ? 6 * w : INFINITY;
            x->sqnr[GRANULARITY_TENSOR][w] = w ? 6 * w - 3 : INFINITY;
            x->bytes[GRANULARITY_CHANNEL][w] = w ? 13 * w * (l + 1) + 64 : 400 * (l + 1);
            x->bytes[GRANULARITY_TENSOR][w] = w ? 13 * w * (l + 1) + 4 : 400 * (l + 1);
            for (int a = w ? 1 : 0; a <= (w ? BITS_MAX : 0); a++)
                x->latency_ns[w][a] = w ? (w + 10 * a) * (l + 1) : 1000 * (l + 1);
        }
    }
    t->layers_measured = LAYERS;
    t->latency_known = true;
    t->fp32_accuracy = 93;
    t->other_ns = 50;
    t->other_fp32_ns = 70;
    t->fp32_latency_ns = 6070;
    t->latency_error_rel = 0.125;
    t->fit.scale = 2;
    t->fit.power = 0.5;
    t->fit.error_rel = 0.25;
    t->fit.error_abs = 0.5;
    t->fit.points = 9;
    return t;
}

static struct profile *profile_of(int w, int a)
{
    struct precision p = precision_default();
    precision_set_w(&p, w);
    precision_set_a(&p, a);
    return profile_new(&model, &p);
}

static void assert_near(double value, double expected)
{
    ck_assert_msg(fabs(value - expected) <= 1e-9 * fmax(1, fabs(expected)), "%.12g and not %.12g", value, expected);
}

START_TEST(sums_of_a_mixed_profile)
{
    struct tables *t = hand_tables();
    struct profile *p = profile_of(4, 8);
    precision_set_w(&p->layers[1].precision, 2);
    precision_set_a(&p->layers[2].precision, 3);
    p->layers[2].precision.granularity = GRANULARITY_TENSOR;
    struct estimate e;
    estimate_profile(t, p, NULL, &e);
    double loss = 1.0 / 16 + 0.25 / 256 + 2.0 / 4 + 0.25 / 256 + 3.0 / 16 * pow(10, 0.3) + 0.25 / 8;
    assert_near(e.loss, loss);
    assert_near(e.drop, loss_fit_drop(&t->fit, loss));
    assert_near(e.accuracy.value, 93 - e.drop);
    assert_near(e.accuracy.error, 0.5 + 0.25 * e.drop);
    assert_near(e.latency.value, 84 + 82 * 2 + 34 * 3 + 50);
    assert_near(e.latency.error, e.latency.value / 8);
    assert_near(e.size.value, (52 + 64) + (52 + 64) + (156 + 4));
    ck_assert(e.size.error == 0);
    assert_near(e.size.fp32, 2400);
    assert_near(e.bops, 1000 * 32 + 2000 * 16 + 3000 * 12);
    assert_near(e.fp32_bops, 6000 * 1024);
    ck_assert(e.energy.value > 0 && e.energy.value < e.energy.fp32);
    ck_assert(e.all_measured && e.emulated == 0);
    ck_assert_int_eq(e.accuracy.verdict, VERDICT_NONE);
    /* A guess widens the bar. */
    double error = e.accuracy.error;
    t->layers[1].measured = false;
    estimate_profile(t, p, NULL, &e);
    ck_assert(!e.all_measured && e.accuracy.error > error);
    profile_free(p);
    tables_free(t);
}
END_TEST

START_TEST(fp32_is_itself)
{
    struct tables *t = hand_tables();
    struct profile *p = profile_of(0, 0);
    struct estimate e;
    t->layers[0].measured = false; /* does not count where nothing is quantized */
    estimate_profile(t, p, NULL, &e);
    ck_assert(e.loss == 0 && e.drop == 0 && e.accuracy.error == 0 && e.all_measured && e.emulated == 0);
    ck_assert(e.accuracy.value == 93 && e.accuracy.fp32 == 93);
    ck_assert(e.size.value == e.size.fp32 && e.energy.value == e.energy.fp32 && e.bops == e.fp32_bops);
    assert_near(e.latency.value, 6070);
    ck_assert(e.latency.fp32 == 6070);
    profile_free(p);
    p = profile_of(4, 0); /* weights alone: as slow as fp32, as small as 4 bits, and emulated */
    estimate_profile(t, p, NULL, &e);
    assert_near(e.latency.value, 6070);
    assert_near(e.size.value, 52 * 6 + 3 * 64);
    ck_assert_int_eq(e.emulated, 3);
    profile_free(p);
    tables_free(t);
}
END_TEST

START_TEST(verdicts_at_the_borders)
{
    struct tables *t = hand_tables();
    t->fit = (struct loss_fit){.scale = 1, .power = 1, .ceiling = 1e9, .error_abs = 0.25, .error_rel = 0, .points = 9};
    t->other_ns = 4;
    struct profile *p = profile_of(8, 8);
    for (int l = 0; l < LAYERS; l++) { /* 1 point of drop, 532 ns +- 66.5 */
        t->layers[l].loss_w[8] = 0.25;
        t->layers[l].loss_a[8] = l ? 0.125 : 0;
    }
    struct estimate e;
    struct budgets b = budgets_none();
    estimate_profile(t, p, &b, &e);
    ck_assert_int_eq(e.accuracy.verdict, VERDICT_NONE);
    ck_assert_int_eq(e.latency.verdict, VERDICT_NONE);
    ck_assert_int_eq(e.size.verdict, VERDICT_NONE);
    assert_near(e.accuracy.value, 92);
    static const struct {
        double accuracy_min, latency_ns;
        enum verdict accuracy, latency;
    } rows[] = {
        {91.74, 599, VERDICT_OK, VERDICT_OK},
        {91.76, 598, VERDICT_NEAR, VERDICT_NEAR},
        {92.24, 466, VERDICT_NEAR, VERDICT_NEAR},
        {92.26, 465, VERDICT_OVER, VERDICT_OVER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        b.accuracy_min = rows[i].accuracy_min;
        b.latency_ns = rows[i].latency_ns;
        estimate_profile(t, p, &b, &e);
        ck_assert_int_eq(e.accuracy.verdict, rows[i].accuracy);
        ck_assert_int_eq(e.latency.verdict, rows[i].latency);
        ck_assert(e.accuracy.limit == rows[i].accuracy_min && e.latency.limit == rows[i].latency_ns);
        b.accuracy_min = NAN; /* the same as a drop */
        b.accuracy_drop = 93 - rows[i].accuracy_min;
        estimate_profile(t, p, &b, &e);
        ck_assert_int_eq(e.accuracy.verdict, rows[i].accuracy);
        b.accuracy_drop = NAN;
    }
    b.bytes = (int64_t)e.size.value; /* exact: met to the byte */
    estimate_profile(t, p, &b, &e);
    ck_assert_int_eq(e.size.verdict, VERDICT_OK);
    b.bytes--;
    p->budgets = b;
    estimate_profile(t, p, NULL, &e); /* the profile's own */
    ck_assert_int_eq(e.size.verdict, VERDICT_OVER);
    b.accuracy_drop = 0; /* a budget; the stricter of the two holds */
    b.accuracy_min = 50;
    estimate_profile(t, p, &b, &e);
    ck_assert(e.accuracy.verdict == VERDICT_OVER && e.accuracy.limit == 93);
    for (int v = VERDICT_NONE; v <= VERDICT_OVER; v++)
        ck_assert_int_eq(verdict_word((enum verdict)v)[0] == '\0', verdict_sign((enum verdict)v)[0] == '\0');
    profile_free(p);
    tables_free(t);
}
END_TEST

START_TEST(unknown_stays_unknown)
{
    struct profile *p = profile_of(8, 8);
    p->budgets = (struct budgets){.bytes = 1000, .latency_ns = 1000, .accuracy_drop = 1, .accuracy_min = NAN};
    struct tables *t = tables_new(LAYERS);
    struct estimate e;
    struct layer_estimate x;
    estimate_profile(t, p, NULL, &e); /* nothing is known */
    ck_assert(isnan(e.accuracy.value) && isnan(e.latency.value) && isnan(e.loss));
    ck_assert(e.accuracy.verdict == VERDICT_UNKNOWN && e.latency.verdict == VERDICT_UNKNOWN);
    estimate_layer(t, p, 1, &x);
    ck_assert(isnan(x.drop) && isnan(x.latency_ns) && isnan(x.latency_share) && isnan(x.sqnr) && !x.measured);
    ck_assert(isnan(estimate_solo_drop(t, 1, 4)));
    tables_free(t);
    t = hand_tables(); /* one number is missing */
    t->layers[1].loss_a[8] = NAN;
    t->layers[2].latency_ns[8][8] = NAN;
    estimate_profile(t, p, NULL, &e);
    ck_assert(e.accuracy.verdict == VERDICT_UNKNOWN && e.latency.verdict == VERDICT_UNKNOWN);
    ck_assert_int_eq(e.size.verdict, VERDICT_OK);
    tables_free(t);
    t = hand_tables(); /* no fp32 accuracy: the drop is known, the accuracy is not */
    t->fp32_accuracy = NAN;
    estimate_profile(t, p, NULL, &e);
    ck_assert(e.drop > 0 && isnan(e.accuracy.value) && e.accuracy.verdict == VERDICT_UNKNOWN);
    tables_free(t);
    profile_free(p);
}
END_TEST

START_TEST(one_scale_is_never_better)
{
    struct tables *t = hand_tables();
    struct precision channel = precision_default(), tensor = channel;
    tensor.granularity = GRANULARITY_TENSOR;
    double last = 0;
    for (int db = -4; db <= 30; db += 2) { /* the more noise one scale makes, the more loss */
        t->layers[0].sqnr[GRANULARITY_TENSOR][8] = t->layers[0].sqnr[GRANULARITY_CHANNEL][8] - db;
        double loss = estimate_loss(&t->layers[0], &tensor);
        ck_assert(loss >= estimate_loss(&t->layers[0], &channel));
        ck_assert(db <= 0 || loss > last);
        last = loss;
    }
    channel.w_bits = tensor.w_bits = 0; /* of no weights, no matter */
    ck_assert(estimate_loss(&t->layers[0], &tensor) == estimate_loss(&t->layers[0], &channel));
    tables_free(t);
}
END_TEST

START_TEST(loss_and_drop_are_inverse)
{
    for (double power = 0.4; power <= 1.6; power += 0.3)
        for (double scale = 0.01; scale <= 100; scale *= 10) {
            struct loss_fit f = {.scale = scale, .power = power, .ceiling = 83};
            double last = -1;
            ck_assert(loss_fit_drop(&f, 0) == 0 && loss_fit_loss(&f, 0) == 0);
            ck_assert(isnan(loss_fit_drop(&f, NAN)));
            for (double loss = 1e-6; loss < 100; loss *= 3) {
                double drop = loss_fit_drop(&f, loss);
                ck_assert(drop >= last && drop <= 83);
                last = drop;
                if (drop < 80) /* before it levels off */
                    ck_assert_double_eq_tol(loss_fit_loss(&f, drop) / loss, 1, 1e-6);
            }
        }
}
END_TEST

START_TEST(shares_add_up)
{
    static const int widths[][2] = {{4, 8}, {0, 0}, {8, 0}, {1, 1}};
    struct tables *t = hand_tables();
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        struct profile *p = profile_of(widths[i][0], widths[i][1]);
        struct estimate e;
        estimate_profile(t, p, NULL, &e);
        double latency = 0, share = 0, size = 0, drop = 0, loss = 0, bytes = 0;
        for (int l = 0; l < LAYERS; l++) {
            struct layer_estimate x;
            estimate_layer(t, p, l, &x);
            ck_assert(x.drop >= 0 && x.measured);
            ck_assert_int_eq(x.emulated, widths[i][0] && !widths[i][1]);
            ck_assert(x.sqnr == t->layers[l].sqnr[GRANULARITY_CHANNEL][widths[i][0]]);
            latency += x.latency_ns;
            share += x.latency_share;
            size += x.size_share;
            drop += x.drop;
            loss += x.loss;
            bytes += (double)x.bytes;
        }
        assert_near(drop, e.drop);
        assert_near(loss, e.loss);
        assert_near(bytes, e.size.value);
        assert_near(size, 1);
        double other = widths[i][0] && widths[i][1] ? t->other_ns : t->other_fp32_ns;
        assert_near(latency + other, e.latency.value);
        assert_near(share + other / e.latency.value, 1);
        profile_free(p);
    }
    assert_near(estimate_solo_drop(t, 1, 4), loss_fit_drop(&t->fit, 2.0 / 16));
    tables_free(t);
}
END_TEST

START_TEST(tables_start_unknown)
{
    struct tables *t = tables_new(2), *copy;
    for (int b = 1; b < WIDTHS; b++)
        ck_assert(isnan(t->layers[1].loss_w[b]) && isnan(t->layers[1].loss_a[b]) &&
                  isnan(t->layers[1].latency_ns[b][b]));
    ck_assert(t->layers[0].loss_w[0] == 0 && t->layers[0].loss_a[0] == 0);
    t->layers[1].loss_w[3] = 5;
    copy = tables_copy(t);
    t->layers[1].loss_w[3] = 6;
    ck_assert(copy->layers[1].loss_w[3] == 5 && copy->n_layers == 2);
    tables_free(copy);
    tables_free(t);
    tables_free(NULL);
}
END_TEST

Suite *check_estimate_suite(void)
{
    Suite *s = suite_create("estimate");
    TCase *t = tcase_create("estimate");
    tcase_add_test(t, sums_of_a_mixed_profile);
    tcase_add_test(t, fp32_is_itself);
    tcase_add_test(t, verdicts_at_the_borders);
    tcase_add_test(t, unknown_stays_unknown);
    tcase_add_test(t, one_scale_is_never_better);
    tcase_add_test(t, loss_and_drop_are_inverse);
    tcase_add_test(t, shares_add_up);
    tcase_add_test(t, tables_start_unknown);
    suite_add_tcase(s, t);
    return s;
}
