/* SPDX-License-Identifier: MIT
 *
 * Sessions on models with several inputs and outputs, with and without labels, and on one without scores.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "search/session.h"
#include "tests/onnx_make.h"
#include "tests/scratch.h"

Suite *check_session_data_suite(void);

enum { SAMPLES = 24, CLASSES = 6, ONNX_INT64 = 7 };

static char *write_bytes(const char *name, const void *bytes, size_t n)
{
    char *path = mem_printf("%s/%s", scratch_dir, name);
    ck_assert_int_eq(file_write(path, bytes, n, false, NULL), 0);
    return path;
}

static void write_npy(const char *name, const char *descr, const char *shape, const void *data, size_t n)
{
    struct text t = {0};
    char *header = mem_printf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape);
    text_put_n(&t, "\x93NUMPY\1\0", 8);
    text_put_n(&t, (char[]){(char)strlen(header), 0}, 2);
    text_put(&t, header);
    text_put_n(&t, data, n);
    mem_free(write_bytes(name, t.s, t.n));
    mem_free(header);
    text_done(&t);
}

static void write_samples(void)
{
    float x[SAMPLES * 8];
    int64_t pick[SAMPLES];
    int32_t labels[SAMPLES];
    struct rng r;
    rng_init(&r, 5);
    for (int i = 0; i < SAMPLES * 8; i++)
        x[i] = (float)(2 * rng_unit(&r) - 1);
    for (int i = 0; i < SAMPLES; i++) {
        pick[i] = i % 3;
        labels[i] = i % (CLASSES - 1);
    }
    write_npy("x.npy", "<f4", "(24, 8)", x, sizeof x);
    write_npy("pick.npy", "<i8", "(24,)", pick, sizeof pick);
    write_npy("labels.npy", "<i4", "(24,)", labels, sizeof labels);
}

/* outputs: lines of the model's text; the output at `index` is of int64, -1: none. */
static struct session *open_session(const char *outputs, int index, const char *labels)
{
    struct arena a = {0};
    struct err e = {""};
    size_t n;
    int status;
    char *text =
        mem_printf("in x 1,8\nin pick 1\n%sconst w 8,6\nconst table 3,1 = 1,2,3\n"
                   "MatMul(x,w)->m name='layer'\nGather(table,pick)->s axis=0\nMul(m,s)->a\nArgMax(a)->k axis=1\n",
                   outputs);
    Onnx__ModelProto *m = onnx_make_model(text, &a);
    m->graph->input[1]->type->tensor_type->elem_type = ONNX_INT64;
    if (index >= 0)
        m->graph->output[index]->type->tensor_type->elem_type = ONNX_INT64;
    unsigned char *bytes = onnx_make_bytes(m, &a, &n);
    char *model = write_bytes("m.onnx", bytes, n);
    mem_free(text);
    write_samples();
    text = mem_printf("schema: bitfader/dataset/1\nname: two\nformat: npy\n%s"
                      "calibrate: {inputs: {pick: pick.npy, x: x.npy}%s, count: 12}\n"
                      "evaluate: {inputs: {pick: pick.npy, x: x.npy}%s, first: 12}\n",
                      *labels ? "classes: 5\nclass_offset: 1\n" : "", labels, labels);
    char *dataset = write_bytes("d.yaml", text, strlen(text));
    struct session_options o = session_defaults();
    o.dataset = dataset;
    o.cache = false;
    struct session *s = session_open(model, &o, &status, &e);
    ck_assert_msg(s != NULL, "%s", e.text);
    mem_free(text);
    mem_free(model);
    mem_free(dataset);
    arena_done(&a);
    return s;
}

static struct run_result run_profile(struct session *s, const char *name, bool compare)
{
    struct err e = {""};
    struct run_result r;
    struct run_options o = run_defaults();
    struct profile *p = profile_load(name, session_model(s), false, &e);
    o.latency = false;
    o.compare = compare;
    ck_assert_msg(p && session_run(s, p, &o, NULL, &r, &e) == 0, "%s", e.text);
    profile_free(p);
    return r;
}

START_TEST(several_inputs_and_outputs)
{
    struct err e = {""};
    struct session *s = open_session("out k\nout m\nout a 1,6\n", 0, "");
    ck_assert_msg(session_analyze(s, ANALYZE_ALL, NULL, &e) == 0, "%s", e.text);
    struct tables *t = session_tables(s);
    ck_assert(t->layers_measured == 1 && t->cost.known && isnan(t->fp32_accuracy));
    ck_assert(t->layers[0].loss_w[2] > t->layers[0].loss_w[8]);
    tables_free(t);
    struct run_result r = run_profile(s, "w8a8", true), low = run_profile(s, "w2a2", true);
    const struct comparison *c = &r.comparison;
    ck_assert(r.images == 12 && isnan(r.accuracy) && c->n_outputs == 3 && c->classes == CLASSES && !c->labelled);
    for (int k = 1; k < 3; k++) {
        ck_assert(c->outputs[k].sqnr_db > 25 && c->outputs[k].sqnr_db < 80 && c->outputs[k].cosine > 0.99);
        ck_assert(low.comparison.outputs[k].sqnr_db < c->outputs[k].sqnr_db - 10);
        ck_assert(low.comparison.outputs[k].kl > c->outputs[k].kl);
    }
    run_result_done(&r);
    run_result_done(&low);
    session_free(s);
}
END_TEST

/* Side by side or one after the other: the same accuracy, and classes start at score 1. */
START_TEST(labels_count_the_same)
{
    static const char *const profiles[] = {"w8a8", "w2a2", "fp32"};
    struct session *s = open_session("out a 1,6\n", -1, ", labels: labels.npy");
    const struct dataset *d = session_dataset(s);
    for (int i = 0; i < 12; i++)
        ck_assert_int_eq(d->evaluate.labels[i], (12 + i) % 5 + 1);
    for (int i = 0; i < 3; i++) {
        struct run_result a = run_profile(s, profiles[i], true), b = run_profile(s, profiles[i], false);
        ck_assert(a.images == 12 && b.images == 12 && a.right == b.right && a.accuracy == b.accuracy);
        ck_assert(a.fp32_accuracy == b.fp32_accuracy && a.agreement == b.agreement);
        ck_assert(a.comparison.plan.right5 >= a.right && isfinite(a.comparison.plan.cross_entropy));
        run_result_done(&a);
        run_result_done(&b);
    }
    session_free(s);
}
END_TEST

START_TEST(no_scores)
{
    struct err e = {""};
    struct session *s = open_session("out k\n", 0, "");
    struct run_result r = run_profile(s, "w8a8", true), plain = run_profile(s, "w8a8", false);
    ck_assert(r.images == 12 && isnan(r.accuracy) && isnan(r.agreement) && r.comparison.classes == 0);
    ck_assert(isnan(r.comparison.outputs[0].cosine) && r.comparison.outputs[0].max_error >= 0 &&
              isnan(r.comparison.outputs[0].kl));
    ck_assert(plain.images == 0 && !plain.partial);
    ck_assert_int_eq(session_analyze(s, ANALYZE_ALL, NULL, &e), -1);
    ck_assert_msg(strstr(e.text, "has no float output: sensitivity cannot be measured"), "%s", e.text);
    run_result_done(&r);
    run_result_done(&plain);
    session_free(s);
}
END_TEST

Suite *check_session_data_suite(void)
{
    Suite *s = suite_create("session_data");
    TCase *t = tcase_create("session_data");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, scratch_make, scratch_drop);
    tcase_add_test(t, several_inputs_and_outputs);
    tcase_add_test(t, labels_count_the_same);
    tcase_add_test(t, no_scores);
    suite_add_tcase(s, t);
    return s;
}
