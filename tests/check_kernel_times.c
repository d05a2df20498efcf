/* SPDX-License-Identifier: MIT
 *
 * The choice of kernels: what competes, that a plan runs what the table says is fastest, that its outputs do not depend
 * on it, and the table as text. What the measured times are is nobody's business here.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/evaluate.h"
#include "engine/kernel_times.h"
#include "engine/runner.h"
#include "engine/step.h"
#include "engine/weight_cache.h"
#include "model/graph_load.h"
#include "quant/weights.h"

Suite *check_kernel_times_suite(void);

static const char *const zoo[] = {"zoo/resnet20_fmnist.onnx", "zoo/mobilenet_fmnist.onnx"};
static const int widths[][2] = {{8, 8}, {4, 4}, {2, 8}, {2, 2}, {1, 1}, {3, 5}};
enum { N_ZOO = 2, N_WIDTHS = sizeof widths / sizeof *widths };

static void get_noise(void *ctx, int i, void *const *in)
{
    const struct graph *g = ctx;
    struct rng r;
    rng_init(&r, (uint64_t)i + 1);
    for (int64_t k = 0; k < shape_count(&g->tensors[g->inputs[0]].shape); k++)
        ((float *)in[0])[k] = (float)(2 * rng_unit(&r) - 1);
}

struct bed { /* a model that plans are made of */
    struct graph *g;
    struct calibration *calibration;
    struct weight_cache *cache;
};

/* False, after saying so, when the model is not there. */
static bool bed_init(struct bed *b, const char *model)
{
    struct err e = {""};
    if (!file_exists(model)) {
        fprintf(stderr, "check_kernel_times: skipped, %s is not there\n", model);
        return false;
    }
    b->g = graph_load(model, &e);
    ck_assert_msg(b->g, "%s", e.text);
    struct image_source src = {get_noise, b->g, 8};
    b->calibration = evaluate_calibrate(b->g, &src, 8, NULL, &e);
    ck_assert_msg(b->calibration, "%s", e.text);
    b->cache = weight_cache_new();
    return true;
}

static void bed_done(struct bed *b)
{
    weight_cache_free(b->cache);
    calibration_free(b->calibration);
    graph_free(b->g);
}

static struct plan *compile(const struct bed *b, int w, int a, struct kernel_times *times)
{
    struct err e = {""};
    weight_cache_use_times(b->cache, times);
    struct plan *p = plan_compile_uniform(b->g, w, a, b->calibration, b->cache, &e);
    ck_assert_msg(p, "%s", e.text);
    return p;
}

/* Weights of a layer, as the plan's kernels got them. */
static struct conv_weights weights_of(const struct bed *b, int layer, int w)
{
    struct precision p = precision_default();
    precision_set_w(&p, w);
    const struct quant_weights *q = weight_cache_get(b->cache, b->g, layer, 0, &p);
    return (struct conv_weights){.codes = q->codes, .bits = q->bits, .levels = q->levels};
}

static int rows_of(const struct conv_ready *c, const struct conv_weights *w, const struct conv_kernel **rows)
{
    int n = kernel_times_rows(&c->geom, c->a_bits, w, rows);
    ck_assert_int_ge(n, 1);
    return n;
}

/* Every integer convolution of the plan runs on the least of what the table has for it. */
static int check_fastest(const struct bed *b, const struct plan *p, int w, const struct kernel_times *times)
{
    const struct conv_kernel *rows[64];
    int seen = 0;
    for (int i = 0; i < p->n_steps; i++) {
        const struct conv_ready *c = &p->steps[i].conv;
        if (!c->kernel)
            continue;
        struct conv_weights cw = weights_of(b, p->steps[i].layer, w);
        double mine = kernel_times_cycles(times, &c->geom, c->a_bits, &cw, c->kernel);
        int n = rows_of(c, &cw, rows), found = 0;
        for (int k = 0; k < n; k++) {
            double other = kernel_times_cycles(times, &c->geom, c->a_bits, &cw, rows[k]);
            found += rows[k] == c->kernel;
            ck_assert_msg(n == 1 || mine <= other, "layer %d: %s has %g, %s %g", p->steps[i].layer, c->kernel->name,
                          mine, rows[k]->name, other);
        }
        ck_assert_int_eq(found, 1);
        ck_assert_str_eq(plan_layers(p)[p->steps[i].layer].kernel, c->kernel->name);
        seen++;
    }
    return seen;
}

START_TEST(plans_run_the_fastest)
{
    struct bed b;
    if (!bed_init(&b, zoo[_i % N_ZOO]))
        return;
    struct kernel_times *times = kernel_times_new();
    const int *x = widths[_i / N_ZOO];
    struct plan *p = compile(&b, x[0], x[1], times);
    ck_assert_int_eq(check_fastest(&b, p, x[0], times), b.g->n_layers);
    int known = kernel_times_count(times);
    plan_free(compile(&b, x[0], x[1], times)); /* nothing is measured twice */
    ck_assert_int_eq(kernel_times_count(times), known);
    plan_free(p);
    kernel_times_free(times);
    bed_done(&b);
}
END_TEST

/* A table in which the competitor number `favourite` of each layer is the fastest. */
static void invent(const struct bed *b, const struct plan *p, int w, int favourite, struct kernel_times *times)
{
    const struct conv_kernel *rows[64];
    for (int i = 0; i < p->n_steps; i++) {
        const struct conv_ready *c = &p->steps[i].conv;
        if (!c->kernel)
            continue;
        struct conv_weights cw = weights_of(b, p->steps[i].layer, w);
        int n = rows_of(c, &cw, rows);
        for (int k = 0; k < n; k++)
            kernel_times_set(times, &c->geom, c->a_bits, &cw, rows[k], k == favourite % n ? 10 : 20 + k);
    }
}

static void assert_favourite(const struct bed *b, const struct plan *p, int w, int favourite)
{
    const struct conv_kernel *rows[64];
    for (int i = 0; i < p->n_steps; i++) {
        const struct conv_ready *c = &p->steps[i].conv;
        if (!c->kernel)
            continue;
        struct conv_weights cw = weights_of(b, p->steps[i].layer, w);
        int n = rows_of(c, &cw, rows);
        ck_assert_str_eq(c->kernel->name, rows[favourite % n]->name);
    }
}

/* Whatever it says, the plan follows, and computes the same. */
START_TEST(an_invented_table_is_followed)
{
    struct bed b;
    if (!bed_init(&b, zoo[_i % N_ZOO]))
        return;
    const int *x = widths[_i / N_ZOO];
    struct plan *still = compile(&b, x[0], x[1], NULL);
    int64_t n = plan_output_count(still);
    float *expected = mem_new((size_t)n, sizeof *expected), *got = mem_new((size_t)n, sizeof *got);
    void **in = runner_inputs_new(b.g);
    get_noise(b.g, 99, in);
    struct runner *c = runner_new(still);
    runner_run(c, in[0], expected, NULL);
    runner_free(c);
    for (int favourite = 0; favourite < conv_kernel_count; favourite++) {
        struct kernel_times *times = kernel_times_new();
        invent(&b, still, x[0], favourite, times);
        int known = kernel_times_count(times);
        struct plan *p = compile(&b, x[0], x[1], times);
        ck_assert_int_eq(kernel_times_count(times), known);
        assert_favourite(&b, p, x[0], favourite);
        check_fastest(&b, p, x[0], times);
        c = runner_new(p);
        runner_run(c, in[0], got, NULL);
        runner_free(c);
        ck_assert_mem_eq(expected, got, (size_t)n * sizeof *got);
        plan_free(p);
        kernel_times_free(times);
    }
    plan_free(still);
    runner_arrays_free(in);
    mem_free(expected);
    mem_free(got);
    bed_done(&b);
}
END_TEST

/* Layers with one key do the same work; a width of weights is another work. */
START_TEST(keys_tell_work_apart)
{
    struct bed b;
    if (!bed_init(&b, zoo[_i]))
        return;
    struct plan *w4a8 = compile(&b, 4, 8, NULL), *w4a7 = compile(&b, 4, 7, NULL), *w3a8 = compile(&b, 3, 8, NULL);
    struct plan *again = compile(&b, 4, 8, NULL), *fp32 = compile(&b, 0, 0, NULL);
    int alike = 0, free_of_a = 0;
    for (int l = 0; l < b.g->n_layers; l++) {
        uint64_t key = plan_layer_key(w4a8, l);
        ck_assert_uint_eq(key, plan_layer_key(again, l));
        ck_assert_uint_ne(key, plan_layer_key(w3a8, l));
        ck_assert_uint_ne(key, plan_layer_key(fp32, l));
        if (key == plan_layer_key(w4a7, l)) {
            alike++;
            ck_assert_str_eq(plan_layers(w4a8)[l].kernel, plan_layers(w4a7)[l].kernel);
        }
        for (int i = 0; i < w4a8->n_steps; i++)
            if (w4a8->steps[i].layer == l && w4a8->steps[i].conv.kernel)
                free_of_a += w4a8->steps[i].conv.kernel->a_effect == A_EFFECT_NONE;
    }
    ck_assert(free_of_a == 0 || alike > 0);
    plan_free(w4a8);
    plan_free(w4a7);
    plan_free(w3a8);
    plan_free(again);
    plan_free(fp32);
    bed_done(&b);
}
END_TEST

/* --- without a model ---------------------------------------------------------------------------------------------- */

static const int8_t levels4[16] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};
static uint8_t codes[8 * 9 * 8];
static const struct conv_weights hand_weights = {.codes = codes, .bits = 4, .levels = levels4};
static const struct conv_geom hand_geom = {.cin = 8,
                                           .h = 6,
                                           .w = 5,
                                           .cout = 8,
                                           .kh = 3,
                                           .kw = 3,
                                           .stride_h = 1,
                                           .stride_w = 1,
                                           .pad_top = 1,
                                           .pad_left = 1,
                                           .dilation_h = 1,
                                           .dilation_w = 1,
                                           .groups = 1,
                                           .oh = 6,
                                           .ow = 5};

START_TEST(plain_c_competes_with_nobody)
{
    const struct conv_kernel *rows[64];
    int n = kernel_times_rows(&hand_geom, 4, &hand_weights, rows);
    ck_assert_int_ge(n, 1);
    for (int i = 0; i < n; i++) {
        ck_assert(isa_enabled(rows[i]->isa) && rows[i]->can(&hand_geom, 4, &hand_weights));
        ck_assert(n == 1 || rows[i]->isa != ISA_C);
    }
    ck_assert_int_eq(isa_select("c", NULL), 0);
    struct kernel_times *t = kernel_times_new();
    ck_assert_int_eq(kernel_times_rows(&hand_geom, 4, &hand_weights, rows), 1);
    ck_assert_str_eq(rows[0]->name, "conv_c");
    ck_assert_ptr_eq(kernel_times_choose(t, &hand_geom, 4, &hand_weights), rows[0]);
    ck_assert_int_eq(kernel_times_count(t), 0); /* nothing to measure */
    ck_assert_int_eq(isa_select("auto", NULL), 0);
    ck_assert_ptr_eq(kernel_times_choose(NULL, &hand_geom, 4, &hand_weights),
                     conv_kernel_find(&hand_geom, 4, &hand_weights));
    kernel_times_free(t);
}
END_TEST

/* What is known of some rows is no reason to leave out the others: they are measured when the shape is asked for. */
START_TEST(missing_rows_are_measured)
{
    const struct conv_kernel *rows[64];
    int n = kernel_times_rows(&hand_geom, 4, &hand_weights, rows);
    struct kernel_times *t = kernel_times_new();
    kernel_times_set(t, &hand_geom, 4, &hand_weights, rows[0], 1e-3);
    kernel_times_choose(t, &hand_geom, 4, &hand_weights);
    for (int i = 0; i < n && n > 1; i++)
        ck_assert(kernel_times_cycles(t, &hand_geom, 4, &hand_weights, rows[i]) > 0);
    ck_assert(isnan(kernel_times_cycles(t, &hand_geom, 5, &hand_weights, rows[0])));
    struct conv_weights other = hand_weights;
    static const int8_t doubled[16] = {-16, -14, -12, -10, -8, -6, -4, -2, 0, 2, 4, 6, 8, 10, 12, 14};
    other.levels = doubled;
    ck_assert(isnan(kernel_times_cycles(t, &hand_geom, 4, &other, rows[0])));
    kernel_times_free(t);
}
END_TEST

/* The contest is the same rows and times, fastest first, and its first is what is chosen. */
START_TEST(contests_are_told)
{
    const struct conv_kernel *rows[64];
    struct contender told[64];
    int n = kernel_times_rows(&hand_geom, 4, &hand_weights, rows);
    struct kernel_times *t = kernel_times_new();
    ck_assert_int_eq(kernel_times_contest(t, &hand_geom, 4, &hand_weights, told), 0);
    for (int i = 0; i < n; i++)
        kernel_times_set(t, &hand_geom, 4, &hand_weights, rows[i], 100 + 7 * i % 5);
    ck_assert_int_eq(kernel_times_contest(t, &hand_geom, 4, &hand_weights, told), n);
    for (int i = 0; i < n; i++) {
        ck_assert(i == 0 || told[i].cycles >= told[i - 1].cycles);
        ck_assert(told[i].cycles == kernel_times_cycles(t, &hand_geom, 4, &hand_weights, told[i].kernel));
    }
    const struct conv_kernel *chosen = kernel_times_choose(t, &hand_geom, 4, &hand_weights);
    ck_assert(told[0].cycles == kernel_times_cycles(t, &hand_geom, 4, &hand_weights, chosen));
    kernel_times_free(t);
}
END_TEST

static struct kernel_times *hand_table(void)
{
    struct kernel_times *t = kernel_times_new();
    struct conv_geom wide = hand_geom;
    wide.cin = wide.groups = wide.cout = 32;
    for (int i = 0; i < conv_kernel_count; i++) {
        kernel_times_set(t, &hand_geom, 4, &hand_weights, conv_kernels[i], 100 + i);
        kernel_times_set(t, &wide, 8, &hand_weights, conv_kernels[i], 7.5);
    }
    return t;
}

START_TEST(text_comes_back)
{
    struct kernel_times *t = hand_table(), *back = kernel_times_new();
    struct text one = {0}, two = {0};
    kernel_times_write(t, &one);
    text_put(&one, "what follows\n");
    const char *at = one.s;
    ck_assert_int_eq(kernel_times_read(back, &at), 0);
    ck_assert_str_eq(at, "what follows\n");
    kernel_times_write(back, &two);
    ck_assert_int_eq(strncmp(one.s, two.s, two.n), 0);
    ck_assert_int_eq(kernel_times_count(back), 2);
    ck_assert(kernel_times_cycles(back, &hand_geom, 4, &hand_weights, conv_kernels[1]) == 101);
    text_done(&one);
    text_done(&two);
    kernel_times_free(back);
    kernel_times_free(t);
}
END_TEST

START_TEST(damaged_text_is_refused)
{
    static const char *const bad[] = {
        "conv ",
        "conv 1 2 3\n",
        "conv 8 6 5 8 3 3 1 1 1 1 1 1 1 6 5 9 4 0 conv_c 10\n",  /* nine bits */
        "conv 8 6 5 8 3 3 1 1 1 1 1 1 1 6 5 4 0 0 conv_c 10\n",  /* none */
        "conv 8 6 5 8 3 3 1 1 1 1 1 1 1 6 5 4 4 0 conv_x 10\n",  /* no such kernel */
        "conv 8 6 5 8 3 3 1 1 1 1 1 1 1 6 5 4 4 0 conv_c -1\n",  /* no time */
        "conv 8 6 5 8 3 3 1 1 1 1 1 1 1 6 5 4 4 0 conv_c nan\n", /* none either */
        "conv 8 6 5 8 3 3 1 1 1 1 1 1 1 6 5 4 4 0 conv_c\n",
        "conv 8 6 5 8 3 3 1 1 1 1 1 1 1 6 5 4 4 0 conv_c 10", /* cut */
        "conv -8 6 5 8 3 3 1 1 1 1 1 1 1 6 5 4 4 0 conv_c 10\n",
        "conv 8 6 5 8 3 3 1 1 1 1 1 1 1 6 5 4 4 0 conv_c 10\nconv x\n",
    };
    const char *at = bad[_i];
    struct kernel_times *t = kernel_times_new();
    ck_assert_int_eq(kernel_times_read(t, &at), -1);
    ck_assert_int_eq(kernel_times_count(t), 0);
    kernel_times_free(t);
}
END_TEST

Suite *check_kernel_times_suite(void)
{
    Suite *s = suite_create("kernel_times");
    TCase *t = tcase_create("plans");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, plans_run_the_fastest, 0, N_ZOO * N_WIDTHS);
    tcase_add_loop_test(t, an_invented_table_is_followed, 0, N_ZOO * N_WIDTHS);
    tcase_add_loop_test(t, keys_tell_work_apart, 0, N_ZOO);
    suite_add_tcase(s, t);
    t = tcase_create("table");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, plain_c_competes_with_nobody);
    tcase_add_test(t, missing_rows_are_measured);
    tcase_add_test(t, contests_are_told);
    tcase_add_test(t, text_comes_back);
    tcase_add_loop_test(t, damaged_text_is_refused, 0, 11);
    suite_add_tcase(s, t);
    return s;
}
