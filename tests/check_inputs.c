/* SPDX-License-Identifier: MIT
 *
 * What models say of their inputs, and what the caller says instead: open dimensions, shapes, fixed values, inputs that
 * are initializers, several of them, domains.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/graph_load.h"
#include "tests/graph_eval.h"
#include "tests/onnx_make.h"

Suite *check_inputs_suite(void);

static struct graph *open_with(const char *text, const struct graph_input *inputs, int n_inputs, struct err *e)
{
    struct arena a = {0};
    size_t n;
    unsigned char *bytes = onnx_make_bytes(onnx_make_model(text, &a), &a, &n);
    const struct graph_options o = {.inputs = inputs, .n_inputs = n_inputs};
    struct graph *g = graph_parse_with("test.onnx", bytes, n, &o, NULL, e);
    arena_done(&a);
    return g;
}

/* "1x3", of output 0. */
static const char *output_shape(const struct graph *g, char out[SHAPE_TEXT])
{
    return shape_text(&g->tensors[g->outputs[0]].shape, out, SHAPE_TEXT);
}

START_TEST(shapes)
{
    static const struct {
        const char *model;
        struct shape x;
        const char *want; /* output's shape, or a part of the message */
    } rows[] = {
        {"in x N,3,H,W\nRelu(x)->y\nout y", {4, {1, 3, 224, 224}}, "1x3x224x224"},
        {"in x N,3,H,W\nRelu(x)->y\nout y", {4, {2, 3, 8, 8}}, "2x3x8x8"},
        {"in x N,3,H,W\nRelu(x)->y\nout y N,3,H,W", {4, {1, 3, 8, 9}}, "1x3x8x9"},
        {"in x N,3,-1,W\nRelu(x)->y\nout y", {4, {1, 3, 8, 9}}, "1x3x8x9"},
        {"in x\nRelu(x)->y\nout y", {2, {4, 5}}, "4x5"},
        {"in x N,3,H,W\nRelu(x)->y\nout y",
         {.n = -1},
         "test.onnx: input \"x\" is ?x3x?x?: --shape x:1x3xNxN gives what is open"},
        {"in z N,4\nin u 1,2,T\nin v 1,T\nin x 2,T,128\nAdd(x,v)->y\nout y",
         {.n = -1},
         "input \"u\" is 1x2x?, input \"v\" is 1x?, input \"x\" is 2x?x128: --shape u:1x2xN --shape v:1xN --shape "
         "x:2xNx128 gives"},
        {"in x 3,2\nin v 2,T\nAdd(x,v)->y\nout y", {2, {3, 2}}, "onnx: input \"v\" is 2x?: --shape v:2xN gives"},
        {"in x\nRelu(x)->y\nout y", {.n = -1}, "an input without a shape; --shape gives one"},
        {"in x N,3,H,W\nRelu(x)->y\nout y", {4, {1, 4, 8, 8}}, "shape 1x4x8x8 does not fit the file's ?x3x?x?"},
        {"in x N,3,H,W\nRelu(x)->y\nout y", {3, {1, 3, 8}}, "shape 1x3x8 does not fit"},
        {"in x N,3,H,W\nRelu(x)->y\nout y", {4, {1, 3, 1 << 20, 1 << 20}}, "too large"},
        {"in x N,3\nRelu(x)->y\nout y", {.n = -1}, "1x3"},
        {"in x 4,3\nRelu(x)->y\nout y 4,3", {.n = -1}, "1x3"},
        {"in x 4,3\nRelu(x)->y\nout y", {2, {7, 3}}, "7x3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {""};
        char text[SHAPE_TEXT];
        const struct graph_input x = {.name = "x", .shape = rows[i].x};
        struct graph *g = open_with(rows[i].model, &x, 1, &e);
        const char *got = g ? output_shape(g, text) : e.text;
        ck_assert_msg(g ? !strcmp(got, rows[i].want) : strstr(got, rows[i].want) != NULL, "%zu: %s instead of %s", i,
                      got, rows[i].want);
        graph_free(g);
    }
}
END_TEST

START_TEST(values)
{
    static const struct {
        const char *input; /* as an "in" line has it behind the name */
        struct shape shape;
        const char *numbers, *want; /* of the fixed input, as floats; or a part of the message */
    } rows[] = {
        {" 3", {.n = -1}, "1,-2.5,1e3", "1,-2.5,1000"},
        {" 3", {.n = -1}, "7", "7,7,7"},
        {" N", {.n = -1}, "1,2,3", "1,2,3"},
        {" N,3", {.n = -1}, "1,2,3", "1,2,3"},
        {" scalar", {.n = -1}, "4", "4"},
        {"", {1, {3}}, "4", "4,4,4"},
        {":7 3", {.n = -1}, "16000,-1,9007199254740993", "16000,-1,9007199254740992"},
        {":7 scalar", {.n = -1}, "16000", "16000"},
        {":6 1", {.n = -1}, "-2147483648", "-2147483648"},
        {":2 2", {.n = -1}, "0,255", "0,255"},
        {":3 2", {.n = -1}, "-128,127", "-128,127"},
        {":5 1", {.n = -1}, "-32768", "-32768"},
        {":12 1", {.n = -1}, "4294967295", "4294967296"},
        {":13 1", {.n = -1}, "18446744073709551615", "18446744073709551616"},
        {":9 2", {.n = -1}, "0,1", "0,1"},
        {":11 1", {.n = -1}, "0.1", "0.1"},
        {" 1", {.n = -1}, "inf", "inf"},
        {" 3", {.n = -1}, "1,2", "--value has 2 numbers, its shape 3 asks for 3"},
        {" 1", {.n = -1}, "1e99", "'1e99' is not of its type float"},
        {" 3", {.n = -1}, "1,,2", "'' is not of its type float"},
        {" 2", {.n = -1}, "1, 2", "' 2' is not of its type float"},
        {":7 1", {.n = -1}, "1.5", "'1.5' is not of its type int64"},
        {":7 1", {.n = -1}, "9223372036854775808", "is not of its type int64"},
        {":6 1", {.n = -1}, "2147483648", "is not of its type int32"},
        {":2 1", {.n = -1}, "256", "is not of its type uint8"},
        {":2 1", {.n = -1}, "-1", "is not of its type uint8"},
        {":13 1", {.n = -1}, "-1", "is not of its type uint64"},
        {":9 1", {.n = -1}, "2", "is not of its type bool"},
        {":8 1", {.n = -1}, "word", "data type 8 is not supported"},
        {" N,H", {.n = -1}, "1,2", "input \"v\" is ?x?: --shape v:1xN gives what is open"},
        {" 4", {1, {3}}, "1", "1"}, /* the first dimension may differ: it is a batch */
        {" 1,4", {2, {1, 3}}, "1", "does not fit"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {""};
        char model[200];
        snprintf(model, sizeof model,
                 "in v%s\nin x 1\nCast(v)->f to=1\nReduceSum(f)->s keepdims=0\nMul(s,x)->z\nAdd(f,z)->y\nout y",
                 rows[i].input);
        const struct graph_input v = {.name = "v", .shape = rows[i].shape, .numbers = rows[i].numbers};
        struct graph *g = open_with(model, &v, 1, &e);
        if (!g) {
            ck_assert_msg(strstr(e.text, rows[i].want) && (!strncmp(e.text, "test.onnx: tensor \"v\": ", 23) ||
                                                           !strncmp(e.text, "test.onnx: input \"v\" is ", 24)),
                          "%zu: %s", i, e.text);
            continue;
        }
        ck_assert_int_eq(g->n_inputs, 1);
        struct arena a = {0};
        const float zero = 0, *inputs[] = {&zero};
        const float *got = graph_eval(g, inputs, &a)[g->outputs[0]];
        const char *at = rows[i].want;
        for (int64_t k = 0; *at; k++) {
            char *end;
            float want = strtof(at, &end);
            ck_assert_msg(end != at, "%zu opened, instead of: %s", i, rows[i].want);
            ck_assert_msg(got[k] == want || (isinf(want) && isnan(got[k])), "%zu: value %d is %g", i, (int)k,
                          (double)got[k]);
            at = end + (*end == ',');
        }
        arena_done(&a);
        graph_free(g);
    }
}
END_TEST

/* What one says of an input that is there, that is not, and as an array of another type. */
START_TEST(fixed_arrays)
{
    struct err e = {""};
    float f[3] = {1, 2, 3};
    int64_t whole[3] = {1, 2, 3};
    struct graph_input v = {.name = "v", .shape = {.n = -1}, .value = {DTYPE_F32, {1, {3}}, f}};
    const char *model = "in x 1,3\nin v 3\nAdd(x,v)->y\nout y";
    struct graph *g = open_with(model, &v, 1, &e);
    ck_assert_msg(g && g->n_inputs == 1, "%s", e.text);
    f[0] = 99; /* it was copied */
    for (int i = 0; i < g->n_tensors; i++)
        ck_assert(!g->tensors[i].data || *(const float *)g->tensors[i].data == 1);
    graph_free(g);
    v.value = (struct array){DTYPE_I64, {1, {3}}, whole};
    ck_assert_ptr_null(open_with(model, &v, 1, &e));
    ck_assert_msg(strstr(e.text, "its value is given as int64, its type is float"), "%s", e.text);
    v.value = (struct array){DTYPE_F32, {2, {1, 3}}, f};
    ck_assert_ptr_null(open_with(model, &v, 1, &e));
    ck_assert_msg(strstr(e.text, "does not fit"), "%s", e.text);
    v.name = "nothing";
    ck_assert_ptr_null(open_with(model, &v, 1, &e));
    ck_assert_msg(strstr(e.text, "no input \"nothing\""), "%s", e.text);
}
END_TEST

START_TEST(several)
{
    struct err e = {""};
    struct arena a = {0};
    struct graph *g = open_with(
        "in a 1,2\nin b 1,2\nin c 1,2\nAdd(a,b)->p\nMul(b,c)->q\nSub(p,q)->r\nout r\nout p\nout q", NULL, 0, &e);
    ck_assert_msg(g && g->n_inputs == 3 && g->n_outputs == 3, "%s", e.text);
    const float x[3][2] = {{1, 2}, {3, 4}, {5, 6}}, *inputs[] = {x[0], x[1], x[2]};
    static const struct {
        const char *name;
        float v[2];
    } want[] = {{"r", {-11, -18}}, {"p", {4, 6}}, {"q", {15, 24}}};
    float **got = graph_eval(g, inputs, &a);
    for (int k = 0; k < 3; k++) {
        ck_assert_str_eq(g->tensors[g->outputs[k]].name, want[k].name);
        ck_assert(!memcmp(got[g->outputs[k]], want[k].v, sizeof want[k].v));
    }
    arena_done(&a);
    graph_free(g);
}
END_TEST

/* Files of before IR 4 list their weights as inputs too: those are no inputs, and no value of theirs can be given. */
START_TEST(weights_among_inputs)
{
    struct err e = {""};
    struct graph *g =
        open_with("in w 3,2\nin x 4,3\nin b 2\nconst w 3,2\nconst b 2\nGemm(x,w,b)->y\nout y 4,2", NULL, 0, &e);
    ck_assert_msg(g && g->n_inputs == 1 && g->n_layers == 1, "%s", e.text);
    ck_assert_str_eq(g->tensors[g->inputs[0]].name, "x");
    ck_assert_int_eq(g->tensors[g->inputs[0]].shape.d[0], 1);
    graph_free(g);
}
END_TEST

/* Other domains are named in a file without need; ONNX's own has two names; others must be known. */
START_TEST(domains)
{
    static const struct {
        const char *imported, *node, *said;
    } rows[] = {{"com.microsoft", "", NULL},
                {"ai.onnx.ml", "", NULL},
                {"com.microsoft", "ai.onnx", NULL},
                {"com.microsoft", "com.microsoft", "node \"n\": operator com.microsoft.Relu is not supported"},
                {"com.microsoft", "ai.onnx.ml", "operator ai.onnx.ml.Relu is not supported"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct err e = {""};
        size_t n;
        Onnx__ModelProto *m = onnx_make_model("in x 1,3\nRelu(x)->y name='n'\nout y", &a);
        Onnx__OperatorSetIdProto extra, *all[2] = {&extra, m->opset_import[0]};
        onnx__operator_set_id_proto__init(&extra);
        extra.domain = arena_strdup(&a, rows[i].imported);
        extra.version = 999;
        m->opset_import = all;
        m->n_opset_import = 2;
        m->graph->node[0]->domain = arena_strdup(&a, rows[i].node);
        unsigned char *bytes = onnx_make_bytes(m, &a, &n);
        struct graph *g = graph_parse("test.onnx", bytes, n, &e);
        ck_assert_msg(!g == (rows[i].said != NULL), "%zu: %s", i, e.text);
        ck_assert_msg(!rows[i].said || strstr(e.text, rows[i].said), "%zu: %s", i, e.text);
        graph_free(g);
        arena_done(&a);
    }
}
END_TEST

Suite *check_inputs_suite(void)
{
    Suite *s = suite_create("inputs");
    TCase *t = tcase_create("inputs");
    tcase_add_test(t, shapes);
    tcase_add_test(t, values);
    tcase_add_test(t, fixed_arrays);
    tcase_add_test(t, several);
    tcase_add_test(t, weights_among_inputs);
    tcase_add_test(t, domains);
    suite_add_tcase(s, t);
    return s;
}
