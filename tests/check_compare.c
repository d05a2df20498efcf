/* SPDX-License-Identifier: MIT
 *
 * Plans side by side, against the same numbers computed from their outputs one by one; and plans of several inputs and
 * outputs of every type.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "engine/compare.h"
#include "engine/runner.h"
#include "model/graph_load.h"
#include "tests/onnx_make.h"

Suite *check_compare_suite(void);

enum { IMAGES = 150, CLASSES = 6, ONNX_INT64 = 7 };

/* Two inputs, one of them of indices; outputs are probabilities, logits, an index, and logarithms of what may be
 * negative. */
static const char model[] = "in x 1,8\nin pick 1\nout %s\nout %s 1,6\nout k\nout l\n"
                            "const w 8,6\nconst table 3,1 = 1,2,3\n"
                            "MatMul(x,w)->m name='layer'\n"
                            "Gather(table,pick)->s axis=0\nMul(m,s)->a\n"
                            "Softmax(a)->p axis=-1\nArgMax(a)->k axis=1\nLog(a)->l\n";

struct fixture {
    struct arena arena;
    struct graph *graph;
    struct calibration *calibration;
    struct plan *fp32, *low;
    int32_t labels[IMAGES];
};

static void get_sample(void *ctx, int i, void *const *in)
{
    struct rng r;
    (void)ctx;
    rng_init(&r, (uint64_t)i + 1);
    for (int k = 0; k < 8; k++)
        ((float *)in[0])[k] = (float)(2 * rng_unit(&r) - 0.7);
    *(int64_t *)in[1] = i % 3;
}

static const struct image_source source = {get_sample, NULL, IMAGES};

static void open_fixture(struct fixture *f, bool probabilities_first)
{
    struct err e = {""};
    size_t n;
    *f = (struct fixture){0};
    char *text = mem_printf(model, probabilities_first ? "p" : "a", probabilities_first ? "a" : "p");
    Onnx__ModelProto *m = onnx_make_model(text, &f->arena);
    m->graph->input[1]->type->tensor_type->elem_type = ONNX_INT64;
    m->graph->output[2]->type->tensor_type->elem_type = ONNX_INT64;
    unsigned char *bytes = onnx_make_bytes(m, &f->arena, &n);
    f->graph = graph_parse("m.onnx", bytes, n, &e);
    ck_assert_msg(f->graph != NULL, "%s", e.text);
    f->calibration = evaluate_calibrate(f->graph, &source, 32, NULL, &e);
    ck_assert_msg(f->calibration != NULL, "%s", e.text);
    f->fp32 = plan_compile_uniform(f->graph, 0, 0, f->calibration, NULL, &e);
    f->low = plan_compile_uniform(f->graph, 3, 3, f->calibration, NULL, &e);
    ck_assert_msg(f->fp32 && f->low, "%s", e.text);
    for (int i = 0; i < IMAGES; i++)
        f->labels[i] = (i * 5) % CLASSES;
    mem_free(text);
}

static void close_fixture(struct fixture *f)
{
    plan_free(f->fp32);
    plan_free(f->low);
    calibration_free(f->calibration);
    graph_free(f->graph);
    arena_done(&f->arena);
}

/* --- the same, slowly --------------------------------------------------------------------------------------------- */

struct sums {
    double cosine, signal, noise, kl, max;
    int vectors, rows, lost;
};

static void softmax(const double *x, double *out)
{
    double sum = 0;
    for (int i = 0; i < CLASSES; i++)
        sum += exp(x[i]);
    for (int i = 0; i < CLASSES; i++)
        out[i] = exp(x[i]) / sum;
}

static void add_slowly(const double *a, const double *b, int n, int form, struct sums *s)
{
    double dot = 0, aa = 0, bb = 0, p[CLASSES], q[CLASSES];
    int seen = 0;
    for (int i = 0; i < n; i++) {
        if (isnan(a[i]) && isnan(b[i]))
            continue;
        if (isnan(a[i]) || isnan(b[i]) || isinf(a[i]) || isinf(b[i])) {
            s->lost++;
            continue;
        }
        dot += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
        s->noise += (a[i] - b[i]) * (a[i] - b[i]);
        s->max = fmax(s->max, fabs(a[i] - b[i]));
        seen++;
    }
    s->signal += aa;
    s->vectors += seen > 1;
    if (seen > 1)
        s->cosine += aa > 0 && bb > 0 ? dot / sqrt(aa * bb) : aa == bb;
    for (int i = 0; i < n; i++)
        if (form == 0 || n != CLASSES || !isfinite(a[i]) || !isfinite(b[i]))
            return;
    for (int i = 0; i < CLASSES; i++) {
        p[i] = a[i];
        q[i] = b[i];
    }
    if (form == 1) {
        softmax(a, p);
        softmax(b, q);
    }
    for (int i = 0; i < CLASSES; i++)
        s->kl += p[i] * log(p[i] / q[i]);
    s->rows++;
}

/* form: 0 no rows, 1 logits, 2 probabilities. */
static void read_doubles(void *const *out, int k, double *x, int *n)
{
    *n = k == 2 ? 1 : CLASSES;
    for (int i = 0; i < *n; i++)
        x[i] = k == 2 ? (double)((int64_t *)out[k])[0] : ((float *)out[k])[i];
}

static void assert_close(double got, double want, const char *what, int k)
{
    ck_assert_msg(isnan(want) ? isnan(got) : got == want || fabs(got - want) <= 1e-6 * fabs(want) + 1e-9,
                  "%s of output %d: %.9g, not %.9g", what, k, got, want);
}

/* Top-1 and top-5 by sorting, cross-entropy by its definition. */
static void score_slowly(const double *x, bool probabilities, int label, int *right, int *right5, double *entropy)
{
    int order[CLASSES];
    double p[CLASSES];
    for (int i = 0; i < CLASSES; i++) {
        int k = i;
        for (; k > 0 && x[order[k - 1]] < x[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    *right += order[0] == label;
    for (int k = 0; k < 5; k++)
        *right5 += order[k] == label;
    softmax(x, p);
    *entropy -= log(probabilities ? x[label] : p[label]);
}

START_TEST(as_one_by_one)
{
    struct fixture f;
    struct comparison c;
    struct err e = {""};
    bool probabilities = _i;
    open_fixture(&f, probabilities);
    ck_assert_msg(evaluate_compare(f.low, f.fp32, &source, f.labels, IMAGES, NULL, &c, &e) == 0, "%s", e.text);
    struct sums s[4] = {{0}};
    int right = 0, right5 = 0, fp32_right = 0, fp32_right5 = 0;
    double entropy = 0, fp32_entropy = 0;
    void **in = runner_inputs_new(f.graph), **a = runner_outputs_new(f.graph), **b = runner_outputs_new(f.graph);
    struct runner *xa = runner_new(f.fp32), *xb = runner_new(f.low);
    for (int i = 0; i < IMAGES; i++) {
        double va[CLASSES], vb[CLASSES];
        int n;
        get_sample(NULL, i, in);
        runner_run_arrays(xa, (const void *const *)in, a);
        runner_run_arrays(xb, (const void *const *)in, b);
        for (int k = 0; k < 4; k++) {
            int form = k == 2 ? 0 : (k == 0) == probabilities && k < 2 ? 2 : 1;
            read_doubles(a, k, va, &n);
            read_doubles(b, k, vb, &n);
            add_slowly(va, vb, n, form, &s[k]);
            if (k)
                continue;
            score_slowly(vb, probabilities, f.labels[i], &right, &right5, &entropy);
            score_slowly(va, probabilities, f.labels[i], &fp32_right, &fp32_right5, &fp32_entropy);
        }
    }
    ck_assert(c.images == IMAGES && c.labelled && c.classes == CLASSES && c.n_outputs == 4);
    ck_assert(c.plan.right == right && c.plan.right5 == right5 && right5 > right);
    ck_assert(c.fp32.right == fp32_right && c.fp32.right5 == fp32_right5);
    assert_close(c.plan.cross_entropy, entropy / IMAGES, "cross-entropy", 0);
    assert_close(c.fp32.cross_entropy, fp32_entropy / IMAGES, "cross-entropy of fp32", 0);
    for (int k = 0; k < 4; k++) {
        assert_close(c.outputs[k].cosine, s[k].vectors ? s[k].cosine / s[k].vectors : NAN, "cosine", k);
        assert_close(c.outputs[k].sqnr_db, 10 * log10(s[k].signal / s[k].noise), "SQNR", k);
        assert_close(c.outputs[k].kl, s[k].rows ? s[k].kl / s[k].rows : NAN, "KL", k);
        assert_close(c.outputs[k].max_error, s[k].max, "largest error", k);
        ck_assert_int_eq(c.outputs[k].not_finite, s[k].lost);
    }
    ck_assert(s[3].lost > 0 && s[3].noise > 0 && isnan(c.outputs[2].kl)); /* the model does what it is here for */
    runner_free(xa);
    runner_free(xb);
    runner_arrays_free(in);
    runner_arrays_free(a);
    runner_arrays_free(b);
    comparison_done(&c);
    close_fixture(&f);
}
END_TEST

START_TEST(itself_is_equal)
{
    struct fixture f;
    struct comparison c;
    struct err e = {""};
    open_fixture(&f, true);
    ck_assert_int_eq(evaluate_compare(f.fp32, f.fp32, &source, NULL, 70, NULL, &c, &e), 0);
    ck_assert(c.images == 70 && !c.labelled && c.agree == 70 && isnan(c.plan.cross_entropy));
    for (int k = 0; k < 4; k++) {
        ck_assert(isinf(c.outputs[k].sqnr_db) && c.outputs[k].max_error == 0 && c.outputs[k].not_finite == 0);
        ck_assert((k == 2 ? isnan(c.outputs[k].cosine) : fabs(c.outputs[k].cosine - 1) < 1e-12) && /* 2: one value */
                  !(c.outputs[k].kl > 0));
    }
    comparison_done(&c);
    close_fixture(&f);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    struct fixture f;
    struct comparison c[2];
    struct err e = {""};
    open_fixture(&f, false);
    for (int i = 0; i < 2; i++) {
        parallel_set_threads(i ? 5 : 1);
        ck_assert_int_eq(evaluate_compare(f.low, f.fp32, &source, f.labels, IMAGES, NULL, &c[i], &e), 0);
    }
    parallel_set_threads(0);
    ck_assert(!memcmp(&c[0].plan, &c[1].plan, sizeof c[0].plan) && c[0].agree == c[1].agree);
    ck_assert(!memcmp(c[0].outputs, c[1].outputs, 4 * sizeof *c[0].outputs));
    comparison_done(&c[0]);
    comparison_done(&c[1]);
    close_fixture(&f);
}
END_TEST

/* The scores of a whole part are those of the first float output, one by one. */
START_TEST(scores_of_several_outputs)
{
    struct fixture f;
    struct err e = {""};
    float scores[8 * CLASSES];
    int32_t best[8];
    open_fixture(&f, false);
    ck_assert_int_eq(graph_scores(f.graph), 0);
    ck_assert_int_eq(evaluate_outputs(f.low, &source, 8, scores, NULL, &e), 8);
    ck_assert_int_eq(evaluate_top1(f.low, &source, 8, best, NULL, &e), 8);
    void **in = runner_inputs_new(f.graph), **out = runner_outputs_new(f.graph);
    struct runner *x = runner_new(f.low);
    for (int i = 0; i < 8; i++) {
        get_sample(NULL, i, in);
        runner_run_arrays(x, (const void *const *)in, out);
        ck_assert(!memcmp(out[0], scores + CLASSES * i, CLASSES * sizeof *scores));
        ck_assert_int_eq(best[i], evaluate_argmax(out[0], CLASSES));
        ck_assert_int_eq(best[i], *(int64_t *)out[2]);
    }
    runner_free(x);
    runner_arrays_free(in);
    runner_arrays_free(out);
    int index[] = {f.graph->outputs[2]}, *was = f.graph->outputs, n = f.graph->n_outputs;
    f.graph->outputs = index;
    f.graph->n_outputs = 1;
    ck_assert_int_eq(graph_scores(f.graph), -1);
    ck_assert_int_eq(evaluate_top1(f.low, &source, 8, best, NULL, &e), -1);
    ck_assert_str_eq(e.text, "m.onnx: has no float output to read scores from");
    f.graph->outputs = was;
    f.graph->n_outputs = n;
    close_fixture(&f);
}
END_TEST

Suite *check_compare_suite(void)
{
    Suite *s = suite_create("compare");
    TCase *t = tcase_create("compare");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, as_one_by_one, 0, 2);
    tcase_add_test(t, itself_is_equal);
    tcase_add_test(t, threads_do_not_matter);
    tcase_add_test(t, scores_of_several_outputs);
    suite_add_tcase(s, t);
    return s;
}
