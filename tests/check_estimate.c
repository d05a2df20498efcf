/* SPDX-License-Identifier: MIT
 *
 * The estimator on tables that are made by hand, so that every sum can be worked out.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "search/analyze.h"
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
                t->cost.layers[l].latency_ns[w][a] = w ? (w + 10 * a) * (l + 1) : 1000 * (l + 1);
        }
    }
    t->layers_measured = LAYERS;
    t->cost.known = true;
    t->fp32_accuracy = 93;
    t->cost.other_ns = 50;
    t->cost.other_fp32_ns = 70;
    t->cost.fp32_latency_ns = 6070;
    t->cost.error_rel = 0.125;
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
    t->cost.other_ns = 4;
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
    t->cost.layers[2].latency_ns[8][8] = NAN;
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
        double other = widths[i][0] && widths[i][1] ? t->cost.other_ns : t->cost.other_fp32_ns;
        assert_near(latency + other, e.latency.value);
        assert_near(share + other / e.latency.value, 1);
        profile_free(p);
    }
    assert_near(estimate_solo_drop(t, 1, 4), loss_fit_drop(&t->fit, 2.0 / 16));
    tables_free(t);
}
END_TEST

/* --- the fit ------------------------------------------------------------------------------------------------------ */

enum { POINTS = 12 };

/* Profiles that follow a law without noise: losses from 0.001 to 1. The law is written out here a second time. */
static void points_of_law(double scale, double power, int images, int held_out, struct fit_point *out)
{
    for (int i = 0; i < POINTS; i++) {
        double loss = pow(10, -3 + 3.0 * i / (POINTS - 1));
        out[i] = (struct fit_point){loss, 83 * (1 - exp(-scale * pow(loss, power) / 83)), images, held_out};
    }
}

START_TEST(fit_finds_the_law)
{
    static const double laws[][2] = {{2, 0.5}, {25, 1}, {90, 1.3}, {300, 1.5}, {1, 0.7}, {60, 0.45}};
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        struct fit_point points[POINTS];
        points_of_law(laws[i][0], laws[i][1], 10000, 1, points);
        struct loss_fit f = analyze_fit(points, POINTS, 83);
        ck_assert_double_eq_tol(f.scale / laws[i][0], 1, 0.05); /* a grid: steps of 2 % and of 0.02 */
        ck_assert_double_eq_tol(f.power, laws[i][1], 0.03);
        ck_assert(f.ceiling == 83 && f.points == POINTS);
        for (int k = 0; k < POINTS; k++) /* between grid points: a few percent, or a hair where there is no drop */
            ck_assert_double_eq_tol(loss_fit_drop(&f, points[k].loss), points[k].drop, 0.02 + 0.03 * points[k].drop);
        ck_assert(f.error_abs >= 0.1 && f.error_abs <= 0.2); /* never none */
    }
}
END_TEST

/* The error bar is 1.64 standard deviations of what is missed; worse when no image was held out. */
START_TEST(fit_knows_what_it_misses)
{
    struct fit_point exact[POINTS], noisy[POINTS];
    points_of_law(40, 0.8, 1000, 1, exact);
    struct loss_fit f = analyze_fit(exact, POINTS, 83);
    ck_assert(f.error_rel < 0.02);
    for (int i = 0; i < POINTS; i++) {
        noisy[i] = exact[i];
        noisy[i].drop *= i % 2 ? 1.2 : 0.8; /* a fifth, to both sides */
    }
    struct loss_fit rough = analyze_fit(noisy, POINTS, 83);
    ck_assert(rough.error_rel > 0.2 && rough.error_rel < 0.5);
    for (int i = 0; i < POINTS; i++)
        exact[i].held_out = 0;
    struct loss_fit seen = analyze_fit(exact, POINTS, 83);
    ck_assert_double_eq_tol(seen.error_rel, f.error_rel + 0.25, 1e-6);
}
END_TEST

/* Two laws that contradict each other: the one that is better founded pulls harder. */
START_TEST(fit_weighs_its_points)
{
    static const struct {
        int images[2], held_out[2]; /* of the lesser, of the better */
    } rows[] = {{{1000, 1000}, {0, 1}}, {{50, 10000}, {1, 1}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double drop[2];
        for (int swap = 0; swap < 2; swap++) {
            struct fit_point both[2 * POINTS];
            points_of_law(10, 1, rows[i].images[swap], rows[i].held_out[swap], both);
            points_of_law(20, 1, rows[i].images[!swap], rows[i].held_out[!swap], both + POINTS);
            struct loss_fit f = analyze_fit(both, 2 * POINTS, 83);
            drop[swap] = loss_fit_drop(&f, 0.3);
            ck_assert(drop[swap] > 83 * (1 - exp(-10 * 0.3 / 83)) && drop[swap] < 83 * (1 - exp(-20 * 0.3 / 83)));
        }
        ck_assert_msg(drop[0] > 1.15 * drop[1], "better above: %g, below: %g", drop[0], drop[1]);
    }
}
END_TEST

START_TEST(few_points_leave_the_prior)
{
    struct loss_fit prior = analyze_fit(NULL, 0, 83);
    ck_assert(prior.points == 0 && prior.ceiling == 83 && prior.scale > 0 && prior.power > 0);
    ck_assert(prior.error_rel >= 0.5 && prior.error_abs > 0); /* as wide as a guess is */
    struct fit_point points[POINTS];
    points_of_law(300, 0.5, 1000, 1, points);
    for (int n = 1; n <= 3; n++) {
        struct loss_fit f = analyze_fit(points, n, 83);
        bool same = f.scale == prior.scale && f.power == prior.power && f.error_rel == prior.error_rel &&
                    f.error_abs == prior.error_abs && f.ceiling == 83;
        ck_assert_int_eq(same, n < 3);
        ck_assert_int_eq(f.points, n < 3 ? 0 : n);
    }
    for (int i = 0; i < POINTS; i++) /* all a little better than fp32: hardly any drop, and numbers all the same */
        points[i].drop = -0.2;
    struct loss_fit f = analyze_fit(points, POINTS, 83);
    ck_assert(isfinite(f.scale) && f.scale > 0 && isfinite(f.error_rel) && isfinite(f.error_abs));
    ck_assert(loss_fit_drop(&f, 0.01) < 0.1);
}
END_TEST

START_TEST(tables_start_unknown)
{
    struct tables *t = tables_new(2), *copy;
    for (int b = 1; b < WIDTHS; b++)
        ck_assert(isnan(t->layers[1].loss_w[b]) && isnan(t->layers[1].loss_a[b]) &&
                  isnan(t->cost.layers[1].latency_ns[b][b]));
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

/* Fewer bits that take longer are told, unless the difference is within what runs vary by. */
START_TEST(slower_widths_are_told)
{
    static const struct {
        double ns, spread;
        bool slower;
    } rows[] = {{100, 0, true}, {87, 0, false}, {94, 0, true}, {100, 20, false}, {100, NAN, true}, {NAN, 0, false}};
    struct tables *t = hand_tables();
    struct profile *p = profile_of(2, 8);
    char text[48];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct layer_estimate e;
        t->cost.layers[0].latency_ns[8][8] = 88;
        t->cost.layers[0].latency_ns[2][8] = rows[i].ns;
        t->cost.layers[0].spread_ns[2][8] = rows[i].spread;
        t->cost.layers[0].kernel[2][8] = "conv_x";
        estimate_layer(t, p, 0, &e);
        ck_assert_msg(rows[i].slower ? e.slower == rows[i].ns / 88 : e.slower == 0, "row %zu: %g", i, e.slower);
        ck_assert_str_eq(e.kernel, "conv_x");
        estimate_slower_text(e.slower, text);
        ck_assert_int_eq(*text != 0, rows[i].slower);
    }
    ck_assert_str_eq(estimate_slower_text(1.804, text), "slower than w8a8 here (1.80x)");
    t->cost.layers[0].latency_ns[0][0] = 1e6; /* fp32 is no fewer bits */
    precision_set_w(&p->layers[0].precision, 0);
    ck_assert(estimate_slower(&t->cost.layers[0], &p->layers[0].precision) == 0);
    profile_free(p);
    tables_free(t);
}
END_TEST

START_TEST(reports_in_words)
{
    char text[256];
    struct latency_report r = {.seconds = 3.14,
                               .plans = 12,
                               .pairs = 65,
                               .passes = 5,
                               .runs = 200,
                               .core = 1,
                               .clock_low_ghz = 3.69,
                               .clock_high_ghz = 3.7};
    ck_assert_str_eq(latency_report_text(&r, text), "12 plans for 65 pairs of widths in 3.1 s on core 1, 5 passes; "
                                                    "nothing disturbed it; the clock stayed at 3.70 GHz");
    r.core = -1;
    r.disturbed = 30;
    r.repeated = 2;
    r.counted = 10;
    r.clock_low_ghz = 2.5;
    ck_assert_str_eq(latency_report_text(&r, text),
                     "12 plans for 65 pairs of widths in 3.1 s not kept on one core, 5 passes; busy core: 30 runs were "
                     "disturbed and 2 turns done again, which left 5 % of what counts; the clock changed between 2.50 "
                     "and 3.70 GHz");
    r.seconds = 1e9;
    r.plans = r.pairs = r.passes = r.disturbed = r.repeated = -2000000000;
    ck_assert_uint_lt(strlen(latency_report_text(&r, text)), 256);
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
    tcase_add_test(t, slower_widths_are_told);
    tcase_add_test(t, reports_in_words);
    tcase_add_test(t, tables_start_unknown);
    tcase_add_test(t, fit_finds_the_law);
    tcase_add_test(t, fit_knows_what_it_misses);
    tcase_add_test(t, fit_weighs_its_points);
    tcase_add_test(t, few_points_leave_the_prior);
    suite_add_tcase(s, t);
    return s;
}
