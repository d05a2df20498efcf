/* SPDX-License-Identifier: MIT
 *
 * ops/ against ONNX's own cases. $BITFADER_CASES names a part of a case's name to run only those, and prints them all.
 * With $BITFADER_CONFORMANCE set, a table tells for each operator what passed, failed and was skipped and why.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/plan.h"
#include "engine/runner.h"
#include "model/graph_load.h"
#include "tests/tally.h"

Suite *check_ops_suite(void);

static const char *const folders[] = {"node", "simple", "pytorch-converted", "pytorch-operator"};
enum { FOLDERS = sizeof folders / sizeof *folders, CASES_MAX = 2000 };

enum way {
    BY_INTERPRETER,
    BY_ENGINE,
    WAYS
}; /* node by node through ops/; imported, planned and run as users' models are */

static bool is_fixed(const struct graph_options *o, const char *name)
{
    for (int i = 0; i < o->n_inputs; i++)
        if (!strcmp(o->inputs[i].name, name))
            return true;
    return false;
}

/* The graph, with inputs fixed one after the other as their values turn out to decide shapes. */
static struct graph *import_case(const struct case_data *c, struct graph_input *fixed, struct graph_options *o,
                                 struct err *e)
{
    *o = (struct graph_options){.keep_batch = true, .inputs = fixed};
    for (;;) {
        int wants;
        struct graph *g = graph_parse_with(c->path, c->bytes, c->size, o, &wants, e);
        if (g || !strstr(e->text, "depends on the values") || o->n_inputs == c->model.n_inputs)
            return g;
        for (int i = 0; wants < 0 && i < c->model.n_inputs; i++) /* computed from an input: whichever is left */
            if (!is_fixed(o, c->model.inputs[i].name))
                wants = i;
        fixed[o->n_inputs++] = (struct graph_input){c->model.inputs[wants].name, {.n = -1}, c->in[wants]};
    }
}

static const void *input_data(const struct case_data *c, const char *name)
{
    for (int i = 0; i < c->model.n_inputs; i++)
        if (!strcmp(c->model.inputs[i].name, name))
            return c->in[i].data;
    return NULL;
}

/* The same in fp32 through plans. 0, 1, -1 as interpret. */
static int run_engine(const struct case_data *c, struct arena *a, struct array *got, struct tally *t, struct err *e)
{
    struct graph_options o;
    struct graph_input *fixed = arena_new(a, (size_t)c->model.n_inputs + 1, sizeof *fixed);
    struct graph *g = import_case(c, fixed, &o, e);
    if (!g)
        return strstr(e->text, "not supported") ? 1 : -1;
    struct plan *plan = plan_compile_uniform(g, 0, 0, NULL, NULL, e);
    int rc = plan ? 0 : -1;
    const void **in = arena_new(a, (size_t)g->n_inputs + 1, sizeof *in);
    void **out = arena_new(a, (size_t)g->n_outputs + 1, sizeof *out);
    for (int i = 0; !rc && i < g->n_inputs; i++)
        if (!(in[i] = input_data(c, g->tensors[g->inputs[i]].name)))
            rc = err_set(e, "no data for input %s", g->tensors[g->inputs[i]].name);
    for (int i = 0; !rc && i < g->n_outputs; i++) {
        const struct tensor *x = &g->tensors[g->outputs[i]];
        got[i] =
            (struct array){x->type, x->shape, arena_new(a, (size_t)shape_count(&x->shape) + 1, dtype_size(x->type))};
        out[i] = got[i].data;
    }
    if (!rc) {
        struct runner *x = runner_new(plan);
        runner_run_arrays(x, in, out);
        rc = runner_check(x, e);
        runner_free(x);
        t->folded += g->n_inputs == 0;
    }
    plan_free(plan);
    graph_free(g);
    return rc;
}

static void run_case(const char *path, const char *name, enum way way, bool talk, struct tally *t)
{
    struct err e = {""};
    int rc = 0;
    for (int set = 0; set < case_sets(path) && !rc; set++) {
        struct case_data c;
        struct arena a = {0};
        rc = case_open(&c, path, set, &e);
        struct array *got = rc ? NULL : arena_new(&a, (size_t)c.model.n_outputs + 1, sizeof *got);
        if (!rc)
            rc = way == BY_INTERPRETER ? interpret(&c, &a, got, &e) : run_engine(&c, &a, got, t, &e);
        for (int i = 0; !rc && i < c.model.n_outputs; i++)
            if (array_there(&c.out[i]))
                rc = case_compare(&got[i], &c.out[i], &e) ? err_wrap(&e, "output %d", i) : 0;
        if (rc || set + 1 == case_sets(path))
            tally_add(t, &c.model, rc == 0 ? CASE_PASSED : rc < 0 ? CASE_FAILED : CASE_SKIPPED, e.text);
        arena_done(&a);
        case_close(&c);
    }
    if (rc < 0 || talk)
        fprintf(stderr, "%s: %s%s%s\n", name,
                rc < 0 ? "FAILED"
                : rc   ? "skipped"
                       : "passed",
                rc ? ": " : "", rc ? e.text : "");
}

START_TEST(cases)
{
    char folder[256];
    const char *only = getenv("BITFADER_CASES");
    static struct tally t;
    enum way way = (enum way)(_i / FOLDERS);
    snprintf(folder, sizeof folder, "%s/%s", CONFORMANCE_DATA, folders[_i % FOLDERS]);
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);
    if (n < 0) {
        fprintf(stderr, "skipped: %s is not there (package libonnx-testdata)\n", folder);
        return;
    }
    for (int i = 0; i < n; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && (!only || strstr(names[i]->d_name, only)))
            run_case(path, names[i]->d_name, way, only != NULL, &t);
        free(names[i]);
    }
    free(names);
    fprintf(stderr, "%s, %s: %d passed (%d folded at import), %d failed, %d skipped\n", folders[_i % FOLDERS],
            way == BY_ENGINE ? "engine" : "ops", t.count[CASE_PASSED], t.folded, t.count[CASE_FAILED],
            t.count[CASE_SKIPPED]);
    if (getenv("BITFADER_CONFORMANCE") && way == BY_ENGINE)
        tally_print(&t, stdout);
    ck_assert_int_eq(t.count[CASE_FAILED], 0);
}
END_TEST

Suite *check_ops_suite(void)
{
    Suite *s = suite_create("ops");
    TCase *t = tcase_create("onnx");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, cases, 0, FOLDERS * WAYS);
    suite_add_tcase(s, t);
    return s;
}
