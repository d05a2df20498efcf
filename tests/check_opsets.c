/* SPDX-License-Identifier: MIT
 *
 * Operators as opsets 18 to 21 have them, which ONNX's own cases of Debian (opset 17) cannot test. Values are those of
 * the specification's examples, or counted by hand. Node by node through ops/, and imported, planned and run.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "engine/plan.h"
#include "engine/runner.h"
#include "model/graph_load.h"
#include "tests/interpret.h"
#include "tests/onnx_make.h"

Suite *check_opsets_suite(void);

enum { VALUES = 128 };

/* Initializers whose name begins with i4, u4, i8 or u8 are of that type, 4-bit ones packed two a byte; n4 and m4 are i4
 * and u4 with their bytes in int32_data. x holds 1, 2, 3, ... where no values are given. */
static const struct opset_case {
    const char *what, *model;
    int n_x;
    float x[VALUES];
    int n_y;
    float y[VALUES];
} cases[] = {
    {"ReduceMean with axes as input",
     "opset 18\nin x 2,3\nints a 1 = 1\nReduceMean(x,a)->y keepdims=0\nout y",
     0,
     {0},
     2,
     {2, 5}},
    {"ReduceMean over height and width",
     "opset 18\nin x 1,2,2,2\nints a 2 = 2,-1\nReduceMean(x,a)->y\nout y",
     0,
     {0},
     2,
     {2.5f, 6.5f}},
    {"ReduceMax of nothing",
     "opset 18\nin x 2,2\nReduceMax(x)->y noop_with_empty_axes=1\nout y",
     0,
     {0},
     4,
     {1, 2, 3, 4}},
    {"ReduceMin over all", "opset 18\nin x 2,2\nReduceMin(x)->y keepdims=0\nout y", 0, {0}, 1, {1}},
    {"ReduceL2, a negative axis",
     "opset 18\nin x 2,2\nints a 1 = -2\nReduceL2(x,a)->y keepdims=0\nout y",
     4,
     {3, 5, 4, 12},
     2,
     {5, 13}},
    {"ReduceLogSumExp",
     "opset 18\nin x 1,2\nints a 1 = 1\nReduceLogSumExp(x,a)->y\nout y",
     2,
     {0, 0},
     1,
     {0.69314718f}},
    {"ReduceMax of truth values",
     "opset 20\nin x 2,2\nconst k 1 = 2.5\nints a 1 = 1\nGreater(x,k)->g\nReduceMax(g,a)->m keepdims=0\n"
     "Cast(m)->y to=1\nout y",
     0,
     {0},
     2,
     {0, 1}},
    {"Split into a number of parts, the last one smaller",
     "opset 18\nin x 5\nSplit(x)->a,b,c num_outputs=3\nConcat(c,a,b)->y axis=0\nout y",
     0,
     {0},
     5,
     {5, 1, 2, 3, 4}},
    {"Pad that wraps",
     "opset 19\nin x 3\nints p 2 = 2,4\nPad(x,p)->y mode='wrap'\nout y",
     0,
     {0},
     9,
     {2, 3, 1, 2, 3, 1, 2, 3, 1}},
    {"Pad of one axis",
     "opset 18\nin x 2,2\nints p 2 = 1,0\nconst v 1 = 9\nints a 1 = -1\nPad(x,p,v,a)->y\nout y",
     0,
     {0},
     6,
     {9, 1, 2, 9, 3, 4}},
    {"Pad of two axes, by reflection",
     "opset 18\nin x 1,3,2\nints p 4 = 1,0,0,1\nints a 2 = 2,1\nPad(x,p,,a)->y mode='reflect'\nout y",
     0,
     {0},
     12,
     {2, 1, 2, 4, 3, 4, 6, 5, 6, 4, 3, 4}},
    {"AveragePool with dilations",
     "opset 19\nin x 1,1,4,4\nAveragePool(x)->y kernel_shape=[2,2] dilations=[2,2]\nout y",
     0,
     {0},
     4,
     {6, 7, 10, 11}},
    {"AveragePool, dilations and padding",
     "opset 19\nin x 1,1,4\nAveragePool(x)->y kernel_shape=[2] dilations=[2] pads=[1,1]\nout y",
     0,
     {0},
     4,
     {2, 2, 3, 3}},
    {"LpPool with dilations",
     "opset 18\nin x 1,1,3\nLpPool(x)->y kernel_shape=[2] dilations=[2]\nout y",
     3,
     {3, 9, 4},
     1,
     {5}},
    {"Resize: linear, antialias, scales",
     "opset 18\nin x 1,1,4,4\nconst s 4 = 1,1,.6,.6\nResize(x,,s)->y mode='linear' antialias=1\nout y",
     0,
     {0},
     4,
     {2.875f, 4.5f, 9.375f, 11}},
    {"Resize: cubic, antialias, scales",
     "opset 18\nin x 1,1,4,4\nconst s 4 = 1,1,.6,.6\nResize(x,,s)->y mode='cubic' antialias=1\nout y",
     0,
     {0},
     4,
     {2.5180721f, 4.2858863f, 9.589329f, 11.357142f}},
    {"Resize: linear, antialias, sizes",
     "opset 18\nin x 1,1,4,4\nints s 4 = 1,1,3,3\nResize(x,,,s)->y mode='linear' antialias=1\nout y",
     0,
     {0},
     9,
     {2.3636363f, 3.590909f, 4.818182f, 7.2727275f, 8.5f, 9.727273f, 12.181818f, 13.409091f, 14.636364f}},
    {"Resize: cubic, antialias, sizes",
     "opset 18\nin x 1,1,4,4\nints s 4 = 1,1,3,3\nResize(x,,,s)->y mode='cubic' antialias=1\nout y",
     0,
     {0},
     9,
     {1.7750092f, 3.1200073f, 4.4650054f, 7.1550016f, 8.5f, 9.844998f, 12.534994f, 13.8799925f, 15.224991f}},
    {"Resize: antialias does nothing to what grows",
     "opset 18\nin x 2\nconst s 1 = 2\nResize(x,,s)->y mode='linear' antialias=1\nout y",
     0,
     {0},
     4,
     {1, 1.25f, 1.75f, 2}},
    {"Resize: not larger than",
     "opset 18\nin x 1,1,2,2\nints s 2 = 4,5\nResize(x,,,s)->y axes=[2,3] keep_aspect_ratio_policy='not_larger'\nout y",
     0,
     {0},
     16,
     {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}},
    {"Resize: not smaller than",
     "opset 18\nin x 1,2\nints s 2 = 2,2\nResize(x,,,s)->y keep_aspect_ratio_policy='not_smaller'\nout y",
     0,
     {0},
     8,
     {1, 1, 2, 2, 1, 1, 2, 2}},
    {"Resize: axes in another order",
     "opset 18\nin x 1,2\nints s 2 = 4,2\nResize(x,,,s)->y axes=[1,0]\nout y",
     0,
     {0},
     8,
     {1, 1, 2, 2, 1, 1, 2, 2}},
    {"Resize: half_pixel_symmetric",
     "opset 19\nin x 4\nconst s 1 = 0.6\nResize(x,,s)->y mode='linear' "
     "coordinate_transformation_mode='half_pixel_symmetric'\nout y",
     0,
     {0},
     2,
     {1.6666667f, 3.3333333f}},
    {"Gelu", "opset 20\nin x 3\nGelu(x)->y\nout y", 3, {-1, 0, 1}, 3, {-0.15865526f, 0, 0.84134474f}},
    {"Gelu by tanh",
     "opset 20\nin x 3\nGelu(x)->y approximate='tanh'\nout y",
     3,
     {-1, 0, 1},
     3,
     {-0.158808f, 0, 0.841192f}},
    {"GroupNormalization, one scale a group",
     "opset 18\nin x 1,4,1,2\nconst s 2 = 1,2\nconst b 2 = 0,1\nGroupNormalization(x,s,b)->y num_groups=2 epsilon=0.0\n"
     "out y",
     8,
     {1, 1, 3, 3, 0, 0, 4, 4},
     8,
     {-1, -1, 1, 1, -1, -1, 3, 3}},
    {"GroupNormalization, one scale a channel",
     "opset 21\nin x 1,4,1,2\nconst s 4 = 1,2,3,4\nconst b 4 = 0,1,2,3\n"
     "GroupNormalization(x,s,b)->y num_groups=2 epsilon=0.0\nout y",
     8,
     {1, 1, 3, 3, 0, 0, 4, 4},
     8,
     {-1, -1, 3, 3, -1, -1, 7, 7}},
    {"Cast saturates nothing but 8-bit floats",
     "opset 19\nin x 3\nCast(x)->i to=6 saturate=0\nCast(i)->y to=1\nout y",
     3,
     {-1.75f, 2.5f, 300},
     3,
     {-1, 2, 300}},
    {"Cast to int4 and back",
     "opset 21\nin x 6\nCast(x)->i to=22\nCast(i)->y to=1\nout y",
     6,
     {-9, -2.5f, -0.5f, 1.5f, 7, 8},
     6,
     {-8, -2, 0, 2, 7, 7}},
    {"Cast to uint4 and back",
     "opset 21\nin x 4\nCast(x)->i to=21\nCast(i)->y to=1\nout y",
     4,
     {-3, 0.5f, 15, 99},
     4,
     {0, 0, 15, 15}},
    {"Cast of whole numbers to int4 keeps the lower bits",
     "opset 21\nin x 3\nCast(x)->w to=6\nCast(w)->i to=22\nCast(i)->y to=1\nout y",
     3,
     {9, -9, 23},
     3,
     {-7, 7, 7}},
    {"DequantizeLinear of int4",
     "opset 21\nin x 5\nconst i4w 5 = -8,7,0,-1,3\nconst s 1 = 0.5\n"
     "DequantizeLinear(i4w,s)->w\nAdd(w,x)->y\nout y",
     5,
     {0, 0, 0, 0, 1},
     5,
     {-4, 3.5f, 0, -0.5f, 2.5f}},
    {"the same in int32_data",
     "opset 21\nin x 5\nconst n4w 5 = -8,7,0,-1,3\nconst s 1 = 0.5\n"
     "DequantizeLinear(n4w,s)->w\nAdd(w,x)->y\nout y",
     5,
     {0, 0, 0, 0, 1},
     5,
     {-4, 3.5f, 0, -0.5f, 2.5f}},
    {"DequantizeLinear of uint4 with a zero point, moved before",
     "opset 21\nin x 2,3\nconst u4w 3,2 = 0,15,8,1,2,3\nconst u4z 1 = 8\nconst s 1 = 2\nTranspose(u4w)->t\n"
     "Reshape(u4z,n)->z\nints n 1 = 1\nDequantizeLinear(t,s,z)->w\nSub(w,x)->y\nout y",
     6,
     {0, 0, 0, 0, 0, 1},
     6,
     {-16, 0, -12, 14, -14, -11}},
    {"DequantizeLinear of blocks",
     "opset 21\nin x 2,4\nconst i8w 2,4 = 1,2,3,4,5,6,7,8\nconst s 2,2 = 1,10,100,1000\n"
     "DequantizeLinear(i8w,s)->w axis=1 block_size=2\nAdd(w,x)->y\nout y",
     8,
     {0, 0, 0, 0, 0, 0, 0, 0.5f},
     8,
     {1, 2, 30, 40, 500, 600, 7000, 8000.5f}},
    {"blocks of another axis, the last one short, with zero points",
     "opset 21\nin x 3,2\nconst u4w 3,2 = 1,2,3,4,5,6\nconst s 2,2 = 1,10,100,1000\nconst u4z 2,2 = 1,0,0,1\n"
     "DequantizeLinear(u4w,s,u4z)->w axis=0 block_size=2\nAdd(w,x)->y\nout y",
     6,
     {0, 0, 0, 0, 0, 1},
     6,
     {0, 20, 2, 40, 500, 5001}},
    {"QuantizeLinear to int4 by its zero point",
     "opset 21\nin x 6\nconst s 1 = 0.5\nconst i4z 1 = 1\nQuantizeLinear(x,s,i4z)->q\nCast(q)->y to=1\nout y",
     6,
     {0, 0.25f, 0.75f, 3, 100, -100},
     6,
     {1, 1, 3, 7, 7, -8}},
    {"QuantizeLinear to uint4 by its attribute",
     "opset 21\nin x 4\nconst s 1 = 2\nQuantizeLinear(x,s)->q output_dtype=21\nDequantizeLinear(q,s)->y\nout y",
     4,
     {-1, 5, 7, 99},
     4,
     {0, 4, 8, 30}},
    {"QuantizeLinear in blocks",
     "opset 21\nin x 1,4\nconst s 1,2 = 1,10\nQuantizeLinear(x,s)->q axis=1 block_size=2 output_dtype=3\nCast(q)->y "
     "to=1\nout y",
     4,
     {3, -200, 52, -14},
     4,
     {3, -128, 5, -1}},
    {"ScatterElements, the largest",
     "opset 18\nin x 3\nints i 3 = 0,0,2\nconst u 3 = 5,4,-1\n"
     "ScatterElements(x,i,u)->y reduction='max'\nout y",
     0,
     {0},
     3,
     {5, 2, 3}},
    {"ScatterND, the smallest",
     "opset 18\nin x 3\nints i 2,1 = 0,1\nconst u 2 = 5,-4\n"
     "ScatterND(x,i,u)->y reduction='min'\nout y",
     0,
     {0},
     3,
     {1, -4, 3}},
};

static unsigned pack(const float *v, size_t i, size_t n)
{
    unsigned low = (unsigned)(int)v[i] & 15, high = i + 1 < n ? (unsigned)(int)v[i + 1] & 15 : 0;
    return low | high << 4;
}

/* A float initializer in the type that its name asks for. */
static void retype(Onnx__TensorProto *t, struct arena *a)
{
    bool nibbles = t->name[0] && t->name[1] == '4', is_signed = t->name[0] == 'i' || t->name[0] == 'n';
    size_t n = t->n_float_data, packed = nibbles ? (n + 1) / 2 : n;
    if (!nibbles && (t->name[0] == '\0' || t->name[1] != '8'))
        return;
    t->data_type = nibbles ? (is_signed ? 22 : 21) : is_signed ? 3 : 2;
    t->n_float_data = 0;
    int32_t *wide = arena_new(a, packed, sizeof *wide);
    uint8_t *raw = arena_new(a, packed, 1);
    for (size_t i = 0; i < packed; i++) {
        raw[i] = (uint8_t)(nibbles ? pack(t->float_data, 2 * i, n) : (unsigned)(int)t->float_data[i]);
        wide[i] = raw[i];
    }
    if (t->name[0] == 'n' || t->name[0] == 'm') {
        t->int32_data = wide;
        t->n_int32_data = packed;
        return;
    }
    t->raw_data = (ProtobufCBinaryData){packed, raw};
}

static unsigned char *make_bytes(const struct opset_case *c, struct arena *a, size_t *n)
{
    Onnx__ModelProto *m = onnx_make_model(c->model, a);
    m->ir_version = 10;
    for (size_t i = 0; i < m->graph->n_initializer; i++)
        retype(m->graph->initializer[i], a);
    return onnx_make_bytes(m, a, n);
}

static void assert_values(const struct opset_case *c, const struct array *got, const char *how)
{
    ck_assert_msg(shape_count(&got->shape) == c->n_y, "%s, %s: %d values", c->what, how, (int)shape_count(&got->shape));
    for (int i = 0; i < c->n_y; i++) {
        double v = array_double(got, i), want = (double)c->y[i];
        ck_assert_msg(fabs(v - want) <= 2e-6 * fmax(1, fabs(want)), "%s, %s: value %d is %.8g, not %.8g", c->what, how,
                      i, v, want);
    }
}

START_TEST(test_case)
{
    const struct opset_case *c = &cases[_i];
    struct arena a = {0};
    struct err e = {""};
    struct case_data data = {.path = NULL};
    size_t n;
    unsigned char *bytes = make_bytes(c, &a, &n);
    float x[VALUES];
    for (int i = 0; i < VALUES; i++)
        x[i] = c->n_x ? c->x[i] : (float)(i + 1);

    ck_assert_msg(onnx_read(&data.model, "test.onnx", NULL, bytes, n, &e) == 0, "%s: %s", c->what, e.text);
    struct array in = {DTYPE_F32, {.n = data.model.inputs[0].rank}, x}, got;
    memcpy(in.shape.d, data.model.inputs[0].d, sizeof in.shape.d);
    data.in = &in;
    ck_assert_msg(interpret(&data, &a, &got, &e) == 0, "%s: %s", c->what, e.text);
    assert_values(c, &got, "ops");
    onnx_done(&data.model);

    const struct graph_options keep = {.keep_batch = true};
    struct graph *g = graph_parse_with("test.onnx", bytes, n, &keep, NULL, &e);
    ck_assert_msg(g != NULL, "%s: %s", c->what, e.text);
    struct plan *plan = plan_compile_uniform(g, 0, 0, NULL, NULL, &e);
    ck_assert_msg(plan != NULL, "%s: %s", c->what, e.text);
    const struct tensor *y = &g->tensors[g->outputs[0]];
    got = (struct array){y->type, y->shape, arena_new(&a, (size_t)shape_count(&y->shape) + 1, dtype_size(y->type))};
    struct runner *run = runner_new(plan);
    const void *ins[] = {x};
    void *outs[] = {got.data};
    runner_run_arrays(run, ins, outs);
    ck_assert_msg(runner_check(run, &e) == 0, "%s: %s", c->what, e.text);
    assert_values(c, &got, "engine");
    runner_free(run);
    plan_free(plan);
    graph_free(g);
    arena_done(&a);
}
END_TEST

/* What they refuse says why. */
static const struct {
    const char *model, *message;
} refused[] = {
    {"opset 21\nin x 4\nconst u4w 5 = 1,2,3,4,5\nints n 1 = 3\nAdd(u4w,u4w)->z\nCast(z)->y to=1\nout y", "Add"},
    {"opset 21\nin x 1,4\nconst s 1,3 = 1,1,1\nQuantizeLinear(x,s)->q axis=1 block_size=2\nCast(q)->y to=1\nout y",
     "the scales do not fit blocks of 2"},
    {"opset 21\nin x 1,4\nconst s 1,2 = 1,1\nQuantizeLinear(x,s)->q axis=1 block_size=-2\nCast(q)->y to=1\nout y",
     "the scales do not fit blocks of -2"},
    {"opset 18\nin x 5\nSplit(x)->a,b,c,d num_outputs=4\nConcat(a,b,c,d)->y axis=0\nout y",
     "5 does not split into 4 parts"},
    {"opset 18\nin x 4\nints s 1 = 2\nResize(x,,,s)->y keep_aspect_ratio_policy='largest'\nout y",
     "its mode is not supported"},
    {"opset 19\nin x 3\nCast(x)->y to=17\nout y", "a cast to type 17 is not supported"},
};

START_TEST(test_refused)
{
    struct arena a = {0};
    struct err e = {""};
    size_t n;
    const struct opset_case c = {.model = refused[_i].model};
    unsigned char *bytes = make_bytes(&c, &a, &n);
    struct graph *g = graph_parse("test.onnx", bytes, n, &e);
    ck_assert_ptr_null(g);
    ck_assert_msg(strstr(e.text, refused[_i].message) != NULL, "%s", e.text);
    arena_done(&a);
}
END_TEST

/* Packed values that are too few or too many. */
START_TEST(test_packed_size)
{
    struct arena a = {0};
    static const size_t sizes[] = {1, 2, 4};
    for (int i = 0; i < 3; i++) {
        struct err e = {""};
        size_t n;
        Onnx__ModelProto *m = onnx_make_model(
            "opset 21\nin x 5\nconst i4w 5 = 1,2,3,4,5\nconst s 1 = 1\nDequantizeLinear(i4w,s)->w\nAdd(w,x)->y\nout y",
            &a);
        m->ir_version = 10;
        for (size_t k = 0; k < m->graph->n_initializer; k++)
            retype(m->graph->initializer[k], &a);
        uint8_t *raw = arena_new(&a, 4, 1);
        for (size_t k = 0; k < m->graph->n_initializer; k++)
            if (m->graph->initializer[k]->data_type == 22)
                m->graph->initializer[k]->raw_data = (ProtobufCBinaryData){sizes[i], raw};
        unsigned char *bytes = onnx_make_bytes(m, &a, &n);
        ck_assert_ptr_null(graph_parse("test.onnx", bytes, n, &e));
        ck_assert_msg(strstr(e.text, "its shape asks for 3") != NULL, "%s", e.text);
    }
    arena_done(&a);
}
END_TEST

Suite *check_opsets_suite(void)
{
    Suite *s = suite_create("opsets");
    TCase *t = tcase_create("opsets");
    tcase_add_loop_test(t, test_case, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_loop_test(t, test_refused, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(t, test_packed_size);
    suite_add_tcase(s, t);
    return s;
}
