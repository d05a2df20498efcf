/* SPDX-License-Identifier: MIT
 *
 * If and Loop at import: what comes of them gives the values that they stand for, and what cannot be known at import is
 * named. Expected values are worked out by hand.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "engine/plan.h"
#include "engine/runner.h"
#include "model/graph_load.h"
#include "tests/graph_eval.h"
#include "tests/onnx_make.h"

Suite *check_control_suite(void);

static struct graph *import_text(const char *text, struct arena *a, struct err *e)
{
    size_t n;
    unsigned char *bytes = onnx_make_bytes(onnx_make_model(text, a), a, &n);
    return graph_parse("test.onnx", bytes, n, e);
}

#define COUNT_LOOP                                                                                                \
    "graph B\nin i:7 scalar\nin c:9 scalar\nin a 1,2\nconst one 1 = 1\nIdentity(c)->c2\nAdd(a,one)->a2\nout c2\n" \
    "out a2\nend\n"

/* Input x holds 1, 2, 3, ...; `values` are the first output's, `nodes` how many nodes are left, -1: not asked. */
static const struct taken {
    const char *model, *shape, *values;
    int nodes;
} taken[] = {
    /* one branch, with names of both sides, and the other thrown away */
    {"in x 1,2\nbools c scalar = 1\ngraph T\nconst k 1 = 10\nAdd(x,k)->r\nout r\nend\ngraph E\nTfIdf(x)->r\nout "
     "r\nend\n"
     "If(c)->y then_branch={T} else_branch={E}\nout y",
     "1,2", "11,12", 1},
    {"in x 1,2\nbools c 1 = 0\ngraph T\nTfIdf(x)->r\nout r\nend\ngraph E\nconst k 1 = 10\nAdd(x,k)->r\nout r\nend\n"
     "If(c)->y then_branch={T} else_branch={E}\nRelu(y)->z\nout z",
     "1,2", "11,12", 1},
    /* the condition follows from a shape */
    {"in x 1,2\nShape(x)->s\nints i scalar = 1\nGather(s,i)->d\nints two scalar = 2\nEqual(d,two)->c\n"
     "graph T\nNeg(x)->r\nout r\nend\ngraph E\nAbs(x)->r\nout r\nend\nIf(c)->y then_branch={T} else_branch={E}\nout y",
     "1,2", "-1,-2", 1},
    /* inner names that the graph has already, twice */
    {"in x 1,2\nconst k 1 = 1\nAdd(x,k)->r\nbools c 1 = 1\ngraph T\nconst k 1 = 10\nMul(x,k)->r\nAdd(r,k)->s\nout "
     "s\nend\n"
     "If(c)->a then_branch={T} else_branch={T}\nIf(c)->b then_branch={T} "
     "else_branch={T}\nAdd(a,b)->ab\nAdd(ab,r)->y\nout y",
     "1,2", "42,63", -1},
    /* inside of each other; the innermost sees all names around */
    {"in x 1,2\nbools c 1 = 1\ngraph I\nMul(t,k)->u\nAdd(u,x)->v\nout v\nend\ngraph T\nconst k 1 = "
     "3\nAdd(x,k)->t\nbools d 1 = 0\n"
     "If(d)->w then_branch={I} else_branch={I}\nout w\nend\nIf(c)->y then_branch={T} else_branch={T}\nout y",
     "1,2", "13,17", -1},
    /* outputs that no node of the branch makes: an outer value, an initializer; and one value twice */
    {"in x 1,2\nbools c 1 = 1\ngraph T\nconst k 1,2 = 5,6\nNeg(x)->n\nout x\nout k\nout n\nout n\nend\n"
     "If(c)->p,q,r,s then_branch={T} else_branch={T}\nAdd(p,q)->pq\nMul(r,s)->rs\nAdd(pq,rs)->y\nout y",
     "1,2", "7,12", -1},
    /* straight to the model's output */
    {"in x 1,2\nbools c 1 = 1\ngraph T\nout x\nend\nIf(c)->y then_branch={T} else_branch={T}\nout y", "1,2", "1,2", -1},
    /* a layer in a branch */
    {"in x 1,1,2,2\nbools c 1 = 1\ngraph T\nconst w 1,1,2,2 = 1,2,3,4\nConv(x,w)->r name='conv'\nout r\nend\n"
     "If(c)->y then_branch={T} else_branch={T}\nout y",
     "1,1,1,1", "30", 1},
    /* three turns on a value that comes at run time */
    {"in x 1,2\nints m scalar = 3\nbools c scalar = 1\n" COUNT_LOOP "Loop(m,c,x)->y body={B}\nout y", "1,2", "4,5", -1},
    {"in x 1,2\nints m 1 = 3\n" COUNT_LOOP "Loop(m,,x)->y body={B}\nout y", "1,2", "4,5", -1},
    /* not one; and not one because it says so */
    {"in x 1,2\nints m scalar = 0\n" COUNT_LOOP "Loop(m,,x)->z body={B}\nNeg(z)->y\nout y", "1,2", "-1,-2", 1},
    {"in x 1,2\nints m scalar = -5\n" COUNT_LOOP "Loop(m,,x)->z body={B}\nNeg(z)->y\nout y", "1,2", "-1,-2", 1},
    {"in x 1,2\nints m scalar = 9\nbools c scalar = 0\n" COUNT_LOOP "Loop(m,c,x)->z body={B}\nNeg(z)->y\nout y", "1,2",
     "-1,-2", 1},
    /* ends when its condition says so, with a count and without */
    {"in x 1,2\nbools c scalar = 1\ngraph B\nin i:7\nin c\nin a\nints last scalar = "
     "3\nLess(i,last)->go\nAdd(a,x)->b\nout go\n"
     "out b\nend\nLoop(,c,x)->y body={B}\nout y",
     "1,2", "5,10", 4},
    {"in x 1,2\nints m scalar = 1000000000000\nbools c scalar = 1\ngraph B\nin i:7\nin c\nin a\nints last scalar = 3\n"
     "Less(i,last)->go\nAdd(a,x)->b\nout go\nout b\nend\nLoop(m,c,x)->y body={B}\nout y",
     "1,2", "5,10", 4},
    /* every turn's value as a row */
    {"in x 1,2\nints m scalar = 3\ngraph B\nin i:7\nin c\nin a\nAdd(a,x)->b\nNeg(b)->s\nout c\nout b\nout s\nend\n"
     "Loop(m,,x)->last,rows body={B}\nAdd(rows,last)->y\nout y",
     "3,1,2", "2,4,1,2,0,0", -1},
    /* a row of whole numbers that are known: nothing is left of the loop */
    {"in x 1,2\nints m scalar = 4\ngraph B\nin i:7\nin c\nMul(i,i)->s\nout c\nout s\nend\nLoop(m,)->rows body={B}\n"
     "Cast(rows)->f to=1\nints q 2 = 2,2\nReshape(f,q)->g\nAdd(x,g)->y\nout y",
     "2,2", "1,3,5,11", 1},
    /* rows of no turn */
    {"in x 1,2\nints m scalar = 0\ngraph B\nin i:7\nin c\nIdentity(x)->s\nout c\nout s 1,2\nend\nLoop(m,)->rows "
     "body={B}\n"
     "Concat(rows,rows)->none axis=0\nShape(none)->d\nCast(d)->f to=1\nReduceSum(f)->t keepdims=0\nAdd(x,t)->y\nout y",
     "1,2", "4,5", 1},
    /* two values that change places, and a loop in a loop */
    {"in x 1,2\nints m scalar = 3\ngraph B\nin i:7\nin c\nin p\nin q\nout c\nout q\nout p\nend\nNeg(x)->n\n"
     "Loop(m,,x,n)->a,b body={B}\nSub(a,b)->y\nout y",
     "1,2", "-2,-4", -1},
    {"in x 1,2\nints m scalar = 2\ngraph J\nin j:7\nin d\nin a\nAdd(a,x)->b\nout d\nout b\nend\ngraph B\nin i:7\nin "
     "c\nin a\n"
     "Loop(m,,a)->b body={J}\nAdd(b,b)->e\nout c\nout e\nend\nLoop(m,,x)->y body={B}\nout y",
     "1,2", "16,32", 6},
    /* weights of a body, in an initializer and in a Constant, in every turn */
    {"in x 1,2\nints m scalar = 3\nconst v 1,2 = 1,1\ngraph B\nin i:7\nin c\nin a\nconst w 2,2 = "
     "0,1,1,0\nMatMul(a,w)->b\n"
     "const k 1,2 = 1,2\nConstant()->l value=k\nAdd(b,l)->d\nout c\nout d\nend\nLoop(m,,x)->y body={B}\nout y",
     "1,2", "6,6", -1},
};

START_TEST(what_is_taken)
{
    const struct taken *c = &taken[_i];
    struct arena a = {0};
    struct err e = {""};
    struct graph *g = import_text(c->model, &a, &e);
    ck_assert_msg(g != NULL, "%s in\n%s", e.text, c->model);
    const struct tensor *y = &g->tensors[g->outputs[0]];
    char shape[128] = "";
    for (int i = 0; i < y->shape.n; i++)
        sprintf(shape + strlen(shape), "%s%d", i ? "," : "", (int)y->shape.d[i]);
    ck_assert_msg(!strcmp(shape, c->shape), "shape %s instead of %s in\n%s", shape, c->shape, c->model);
    ck_assert_msg(c->nodes < 0 || g->n_nodes == c->nodes, "%d nodes in\n%s", g->n_nodes, c->model);
    float x[64];
    for (int i = 0; i < 64; i++)
        x[i] = (float)(i + 1);
    const float *inputs[] = {x};
    const float *got = graph_eval(g, inputs, &a)[g->outputs[0]];
    const char *at = c->values;
    for (int64_t i = 0; i < shape_count(&y->shape); i++) {
        char *end;
        float want = strtof(at, &end);
        ck_assert_msg(end != at && got[i] == want, "value %d is %g instead of %g in\n%s", (int)i, (double)got[i],
                      (double)want, c->model);
        at = end + (*end == ',');
    }
    graph_free(g);
    arena_done(&a);
}
END_TEST

static const struct refusal {
    const char *model, *said;
} refusals[] = {
    {"in x 1,2\nin c:9 1\ngraph T\nout x\nend\nIf(c)->y name='if' then_branch={T} else_branch={T}\nout y",
     "node \"if\": which branch it takes depends on the values of \"c\", which are not known before it runs"},
    {"in x 1,2\nconst c 1 = 1\ngraph T\nout x\nend\nIf(c)->y then_branch={T} else_branch={T}\nout y",
     "not a single bool"},
    {"in x 1,2\nbools c 2 = 1,1\ngraph T\nout x\nend\nIf(c)->y then_branch={T} else_branch={T}\nout y",
     "not a single bool"},
    {"in x 1,2\nbools c 1 = 1\ngraph T\nout x\nend\nIf(c)->y else_branch={T}\nout y", "then_branch is missing"},
    {"in x 1,2\nbools c 1 = 1\nIf(c)->y then_branch=3\nout y", "then_branch has the wrong type"},
    {"in x 1,2\nbools c 1 = 1\ngraph T\nout x\nend\nIf(c)->y,z then_branch={T}\nout y", "2 outputs, the branch"},
    {"in x 1,2\nbools c 1 = 1\ngraph T\nout z\nend\nIf(c)->y name='if' then_branch={T}\nout y",
     "output \"z\" is not defined"},
    {"in x 1,2\nbools c 1 = 1\ngraph T\nNeg(z)->r name='n'\nout r\nend\nIf(c)->y then_branch={T}\nout y",
     "node \"n\": its input \"z\" is not defined"},
    {"in x 1,2\nbools c 1 = 1\ngraph T\nNeg(x)->r\nAbs(x)->r\nout r\nend\nIf(c)->y then_branch={T}\nout y",
     "defined twice"},
    {"in x 1,2\nbools c 1 = 1\ngraph T\nNeg(x)->r\nconst r 1\nout r\nend\nIf(c)->y then_branch={T}\nout y",
     "defined twice"},
    {"in x 1,2\nbools c 1 = 1\ngraph T\nAdd(x,r)->r\nout r\nend\nIf(c)->y then_branch={T}\nout y", "cycle"},
    {"in x 1,2\nbools c 1 = 1\ngraph T\nNeg(x)->r\nout r\nend\nIf()->y then_branch={T}\nout y",
     "input 0 of operator If is missing"},
    {"in x 1,2\nin m:7 1\n" COUNT_LOOP "Loop(m,,x)->y name='l' body={B}\nout y",
     "node \"l\": how often it runs depends on the values of \"m\""},
    {"in x 1,2\nbools m 1 = 1\n" COUNT_LOOP "Loop(m,,x)->y body={B}\nout y", "not a single int64"},
    {"in x 1,2\n" COUNT_LOOP "Loop(,,x)->y name='l' body={B}\nout y", "node \"l\": it runs more than 1000 times"},
    {"in x 1,2\nints m 1 = 1000000000000\n" COUNT_LOOP "Loop(m,,x)->y body={B}\nout y", "more than 1000 times"},
    {"in x 1,2\nints m 1 = 2\n" COUNT_LOOP "Loop(m,,x,x)->y body={B}\nout y", "do not fit its body"},
    {"in x 1,2\nints m 1 = 2\n" COUNT_LOOP "Loop(m,,x)->y,z body={B}\nout y", "do not fit its body"},
    {"in x 1,2\nints m 1 = 2\n" COUNT_LOOP "Loop(m,,)->y body={B}\nout y", "input 2 is missing"},
    {"in x 1,2\nints m 1 = 2\nLoop(m)->y body=1\nout y", "1 inputs, a Loop has at least 2"},
    {"in x 1,2\nints m 1 = 2\ngraph B\nin i\nin i\nin a\nout i\nout a\nend\nLoop(m,,x)->y body={B}\nout y",
     "\"i\" is defined twice"},
    {"in x 1,2\nints m 1 = 2\ngraph B\nin i\nin c\nin a\nReduceSum(x)->s keepdims=0\nCast(s)->g to=9\nout g\nout "
     "a\nend\n"
     "Loop(m,,x)->y name='l' body={B}\nout y",
     "node \"l\": whether it goes on depends on the values of"},
    {"in x 1,2\nints m 1 = 0\ngraph B\nin i\nin c\nout c\nout x\nend\nLoop(m,)->y body={B}\nout y",
     "does not say what \"x\""},
};

START_TEST(what_is_refused)
{
    struct arena a = {0};
    struct err e = {""};
    struct graph *g = import_text(refusals[_i].model, &a, &e);
    ck_assert_msg(!g, "was accepted:\n%s", refusals[_i].model);
    ck_assert_msg(!strncmp(e.text, "test.onnx: ", 11) && strstr(e.text, refusals[_i].said) && !strchr(e.text, '\n'),
                  "\"%s\" does not say \"%s\"", e.text, refusals[_i].said);
    arena_done(&a);
}
END_TEST

/* A voice detector whose branches are found from shapes: float and whole inputs, an LSTM. The plan against the plain
 * loops of graph_eval. */
START_TEST(silero)
{
    const char *data = getenv("BITFADER_TEST_DATA");
    char *path = mem_printf("%s/other/silero_vad_16k_op15.onnx", data ? data : "../shared/data");
    struct err e = {""};
    struct graph_input inputs[] = {{.name = "input", .shape = {2, {1, 512}}},
                                   {.name = "state", .shape = {3, {2, 1, 128}}},
                                   {.name = "sr", .shape = {.n = -1}, .numbers = "16000"}};
    const struct graph_options o = {.inputs = inputs, .n_inputs = 3};
    if (!file_exists(path)) {
        fprintf(stderr, "skipped: %s is not there\n", path);
        mem_free(path);
        return;
    }
    struct graph *g = graph_load_with(path, &o, &e);
    ck_assert_msg(g != NULL, "%s", e.text);
    ck_assert_int_eq(g->n_inputs, 2);
    ck_assert_int_ge(g->n_layers, 6);
    struct arena a = {0};
    float *x = arena_new(&a, 512, sizeof *x), *state = arena_new(&a, 256, sizeof *state);
    for (int i = 0; i < 512; i++)
        x[i] = onnx_make_value(i) * 0.1f;
    for (int i = 0; i < 256; i++)
        state[i] = onnx_make_value(i * 3) * 0.2f;
    const float *in[] = {x, state};
    float **want = graph_eval(g, in, &a);
    void **out = arena_new(&a, (size_t)g->n_outputs, sizeof *out);
    for (int k = 0; k < g->n_outputs; k++)
        out[k] = arena_new(&a, (size_t)shape_count(&g->tensors[g->outputs[k]].shape), sizeof(float));
    struct plan *plan = plan_compile_uniform(g, 0, 0, NULL, NULL, &e);
    ck_assert_msg(plan != NULL, "%s", e.text);
    struct runner *context = runner_new(plan);
    const void *feeds[] = {x, state};
    runner_run_arrays(context, feeds, out);
    ck_assert_int_eq(runner_check(context, &e), 0);
    for (int k = 0; k < g->n_outputs; k++)
        for (int64_t i = 0; i < shape_count(&g->tensors[g->outputs[k]].shape); i++) {
            float v = ((const float *)out[k])[i], w = want[g->outputs[k]][i];
            ck_assert_msg(fabsf(v - w) <= 1e-4f, "output %d, %d: %g instead of %g", k, (int)i, (double)v, (double)w);
        }
    runner_free(context);
    plan_free(plan);
    arena_done(&a);
    graph_free(g);
    mem_free(path);
}
END_TEST

Suite *check_control_suite(void)
{
    Suite *s = suite_create("control");
    TCase *t = tcase_create("control");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, what_is_taken, 0, (int)(sizeof taken / sizeof *taken));
    tcase_add_loop_test(t, what_is_refused, 0, (int)(sizeof refusals / sizeof *refusals));
    tcase_add_test(t, silero);
    suite_add_tcase(s, t);
    return s;
}
