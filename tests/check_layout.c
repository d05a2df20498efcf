/* SPDX-License-Identifier: MIT
 *
 * The layout pass and the folding of lines, on hand-made models in the style of the exporters: which nodes are left,
 * and that the imported graph gives what the file's own nodes give one by one (tests/interpret.c), in the slow
 * evaluator and in a running fp32 plan.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/evaluate.h"
#include "engine/plan.h"
#include "engine/runner.h"
#include "model/graph_load.h"
#include "tests/graph_eval.h"
#include "tests/interpret.h"
#include "tests/onnx_make.h"

Suite *check_layout_suite(void);

#define NHWC         "in x 1,4,3,2\nTranspose(x)->x1 perm=[0,3,1,2]\n"
#define CONV_1       "const w 5,2,3,3\nconst b 5\nConv(x1,w,b)->c1 name='conv' pads=[1,1,1,1]\n"
#define BACK(t, to)  "Transpose(" t ")->" to " perm=[0,2,3,1]\n"
#define FORTH(t, to) "Transpose(" t ")->" to " perm=[0,3,1,2]\n"
#define CONV_2       "const w2 3,5,1,1\nConv(c2,w2)->c3 name='conv2'\n"

static const struct layout_case {
    const char *what, *model;
    const char *left; /* operators of the engine that are left, in order */
} cases[] = {
    {"a pair vanishes", NHWC CONV_1 BACK("c1", "t") FORTH("t", "c2") CONV_2 "out c3", "transpose conv conv"},
    {"three are one",
     "in x 1,4,3,2\nTranspose(x)->a perm=[0,3,1,2]\nTranspose(a)->d perm=[0,2,3,1]\n"
     "Transpose(d)->y perm=[0,2,1,3]\nout y",
     "transpose"},
    {"Relu between them goes into the convolution",
     NHWC CONV_1 BACK("c1", "t") "Relu(t)->r\n" FORTH("r", "c2") CONV_2 "out c3", "transpose conv conv"},
    {"a chain of activations",
     NHWC CONV_1 BACK("c1", "t") "LeakyRelu(t)->r alpha=0.1\nSigmoid(r)->s\nHardSwish(s)->h\nTanh(h)->z\nElu(z)->u\n"
                                 "Clip(u)->v min=-0.5 max=0.75\n" FORTH("v", "c2") CONV_2 "out c3",
     "transpose conv leaky sigmoid hardswish call call clip conv"},
    {"bias and scale over the last axis go into the convolution",
     NHWC CONV_1 BACK("c1", "t") "const k 5\nconst m 1,1,1,5\nMul(t,k)->u\nAdd(u,m)->v\nRelu(v)->r\n" FORTH("r", "c2")
         CONV_2 "out c3",
     "transpose conv conv"},
    {"a constant of the whole image is turned",
     NHWC CONV_1 BACK("c1", "t") "const k 1,4,3,5\nMul(t,k)->u\n" FORTH("u", "c2") CONV_2 "out c3",
     "transpose conv mul conv"},
    {"a residual addition of two that are turned alike",
     NHWC CONV_1 BACK("c1", "t") "const v 5,2,1,1\nConv(x1,v)->d\n" BACK("d", "u") "Add(t,u)->s\nRelu(s)->r\n" FORTH(
         "r", "c2") CONV_2 "out c3",
     "transpose conv conv add conv"},
    {"an addition of the input, which was turned already",
     "in x 1,4,3,2\nTranspose(x)->x1 perm=[0,3,1,2]\nconst w 2,2,3,3\nConv(x1,w)->c pads=[1,1,1,1]\n" BACK(
         "c", "t") "Add(t,x)->s\n" FORTH("s", "u") "const w2 3,2,1,1\nConv(u,w2)->y\nout y",
     "transpose conv add conv"},
    {"squeeze and excite",
     NHWC CONV_1 BACK("c1", "t") "ReduceMean(t)->m axes=[1,2] keepdims=1\n" FORTH(
         "m", "m1") "const p 5,5,1,1\nConv(m1,p)->q\n" BACK("q", "q1") "Sigmoid(q1)->g\nMul(t,g)->s\n" FORTH("s", "c2")
         CONV_2 "out c3",
     "transpose conv globalavg conv sigmoid mul conv"},
    {"two arrays through calls",
     NHWC CONV_1 BACK("c1", "t") "Abs(t)->a\nMax(t,a)->m\nconst k 5\nPRelu(m,k)->p\n" FORTH("p", "c2") CONV_2 "out c3",
     "transpose conv call call call conv"},
    {"Concat over the last axis",
     NHWC CONV_1 BACK("c1", "t") "const v 3,2,1,1\nConv(x1,v)->d\n" BACK("d", "u") "Concat(t,u)->s axis=3\n" FORTH(
         "s", "c2") "const q 2,8,1,1\nConv(c2,q)->y\nout y",
     "transpose conv conv concat conv"},
    {"Concat of a single one, Pad of nothing, a pool of one, a factor of one, a sum with zero",
     "in x 1,2,3,3\nConcat(x)->a axis=1\nPad(a)->b pads=[0,0,0,0,0,0,0,0]\nAveragePool(b)->c kernel_shape=[1,1]\n"
     "const one 1 = 1\nconst zero 2,1,1 = 0,0\nMul(one,c)->d\nAdd(d,zero)->e\nSub(e,zero)->f\nDiv(f,one)->g\n"
     "Dropout(g)->h\nCast(h)->i to=1\nIdentity(i)->j\nints s 4 = 1,2,3,3\nExpand(j,s)->k\nSum(k)->l\nMax(l)->m\n"
     "MaxPool(m)->n kernel_shape=[1,1]\nReshape(n,s)->o\nconst w 2,2,1,1\nConv(o,w)->y\nout y",
     "conv"},
    {"ZeroPadding2D goes into the convolution",
     NHWC CONV_1 BACK("c1", "t") "Pad(t)->p pads=[0,1,2,0,0,0,1,0]\n" FORTH(
         "p", "c2") "const w2 3,5,2,2\nConv(c2,w2)->c3 name='conv2'\nout c3",
     "transpose conv conv"},
    {"Slice and Softmax over the last axis",
     NHWC CONV_1 BACK("c1", "t") "ints f 2 = 1,0\nints e 2 = 3,4\nints a 2 = 1,3\nints q 2 = 1,2\nSlice(t,f,e,a,q)->s\n"
                                 "Softmax(s)->r axis=3\n" FORTH("r", "c2") "const w2 3,2,1,1\nConv(c2,w2)->y\nout y",
     "transpose conv slice softmax conv"},
    {"batch-norm after a pair",
     NHWC CONV_1 BACK("c1", "t")
         FORTH("t", "u") "const k 5\nconst v 5 = 1,2,3,4,5\nBatchNormalization(u,k,k,k,v)->c2\n" CONV_2 "out c3",
     "transpose conv conv"},
    {"before Flatten and Gemm it moves columns",
     NHWC CONV_1 BACK("c1", "t") "Flatten(t)->f\nconst g 60,4\nconst h 4\nGemm(f,g,h)->y\nout y",
     "transpose conv reshape gemm"},
    {"the same through a Relu after Flatten",
     NHWC CONV_1 BACK("c1", "t") "ints s 2 = 1,-1\nReshape(t,s)->f\nRelu(f)->r\nconst g 4,60\nGemm(r,g)->y transB=1\n"
                                 "out y",
     "transpose conv reshape gemm"},
    {"global mean over 1 and 2",
     NHWC CONV_1 BACK("c1", "t") "ReduceMean(t)->m axes=[1,2] keepdims=0\nconst g 5,4\n"
                                 "MatMul(m,g)->y\nout y",
     "transpose conv globalavg reshape gemm"},
    {"an image of one channel is only reshaped",
     "in x 1,4,3,1\nTranspose(x)->t perm=[0,3,1,2]\nconst w 2,1,3,3\nConv(t,w)->y\nout y", "reshape conv"},
    {"one-dimensional convolutions",
     "in x 1,6,3\nTranspose(x)->t perm=[0,2,1]\nconst w 4,3,3\nConv(t,w)->c\nTranspose(c)->u perm=[0,2,1]\n"
     "const k 4\nAdd(u,k)->v\nRelu(v)->r\nTranspose(r)->s perm=[0,2,1]\nconst z 2,4,2\nConv(s,z)->y\nout y",
     "transpose reshape conv conv reshape"},
    {"reshapes merge",
     "in x 1,12\nints a 3 = 1,3,4\nReshape(x,a)->r\nUnsqueeze(r,q)->t\nints q 1 = 3\nFlatten(t)->f\nconst g 12,4\n"
     "MatMul(f,g)->y\nout y",
     "gemm"},
    {"a bias after a squeeze",
     "in x 1,3,2,2\nconst w 4,3,2,2\nConv(x,w)->c\nSqueeze(c,q)->s\nints q 2 = 2,3\nconst k 4\n"
     "Add(s,k)->t\nRelu(t)->y\nout y",
     "conv reshape"},
    {"readers that do not agree: one Transpose stays",
     NHWC CONV_1 BACK("c1", "t") "Relu(t)->y\n" FORTH("y", "c2") CONV_2 "out y\nout c3",
     "transpose conv conv transpose"},
    {"the output is what a pair leaves",
     "in x 1,2,3,3\nRelu(x)->r\nTranspose(r)->t perm=[0,2,3,1]\nTranspose(t)->y perm=[0,3,1,2]\nout y\nout r",
     "clip reshape"},
    {"the output is the input", "in x 1,2,3,3\nTranspose(x)->t perm=[0,2,3,1]\nTranspose(t)->y perm=[0,3,1,2]\nout y",
     "reshape"},
    {"two outputs of one pair",
     "in x 1,2,3,3\nRelu(x)->r\nTranspose(r)->t perm=[0,2,3,1]\nTranspose(t)->y perm=[0,3,1,2]\n"
     "Transpose(t)->z perm=[0,3,1,2]\nout y\nout z\nout t",
     "clip reshape transpose"},
    {"a reshape that splits axes stops a Transpose",
     "in x 1,4,3,2\nTranspose(x)->t perm=[0,3,1,2]\nints s 4 = 1,4,3,2\nReshape(t,s)->r\nTranspose(r)->u "
     "perm=[0,3,1,2]\n"
     "Relu(u)->v\nAdd(v,u)->y\nout y",
     "transpose reshape transpose clip add"},
    {"ConvTranspose takes a batch-norm, a bias over the last axis and a clamp",
     NHWC "const w 2,3,2,2\nConvTranspose(x1,w)->c strides=[2,2]\nconst k 3\nconst v 3 = 1,2,3\n"
          "BatchNormalization(c,k,k,k,v)->n\n" BACK("n", "t") "Add(t,k)->u\nRelu(u)->y\nout y",
     "transpose convtranspose transpose"},
    {"two orders of one tensor in the same shape",
     "in x 1,3,3,3\nTranspose(x)->a perm=[0,3,1,2]\nTranspose(x)->b perm=[0,2,3,1]\nTranspose(x)->c perm=[0,3,1,2]\n"
     "MaxPool(a)->p kernel_shape=[2,2]\nMaxPool(b)->q kernel_shape=[2,2]\nMaxPool(c)->r kernel_shape=[3,3]\nout p\n"
     "out q\nout r",
     "transpose maxpool transpose maxpool maxpool"},
    {"what nobody reads",
     "in x 1,3\nconst w 3,2\nconst w2 2,2\nMatMul(x,w)->t\nRelu(t)->y\nMatMul(t,w2)->u\nExp(u)->v\nout y", "gemm"},
    {"normalised input without padding",
     "in x 1,2,4,4\nconst m 2,1,1 = .5,.25\nconst k 2,1,1 = 2,4\nSub(x,m)->a\nDiv(a,k)->b\nconst w 3,2,2,2\n"
     "Conv(b,w)->y\nout y",
     "conv"},
    {"with padding the two lines are one",
     "in x 1,2,4,4\nconst m 2,1,1 = .5,.25\nconst k 2,1,1 = 2,4\nSub(x,m)->a\nDiv(a,k)->b\nconst w 3,2,3,3\n"
     "Conv(b,w)->y pads=[1,1,1,1]\nout y",
     "batchnorm conv"},
    {"with padding factors alone go in",
     "in x 1,4,4,4\nconst k 4,1,1\nconst f 1 = 0.5\nMul(x,k)->a\nMul(a,f)->b\n"
     "const w 4,2,3,3\nConv(b,w)->y pads=[1,1,1,1] group=2\nout y",
     "conv"},
    {"batch-norm before a product",
     "in x 1,6\nconst k 6\nconst v 6 = 1,2,3,4,5,6\nBatchNormalization(x,k,k,k,v)->n\n"
     "const w 6,4\nconst b 4\nGemm(n,w,b)->y\nout y",
     "gemm"},
    {"pre-activation",
     "in x 1,2,4,4\nconst k 2\nconst v 2 = 1,2\nBatchNormalization(x,k,k,k,v)->n\nRelu(n)->r\n"
     "const w 3,2,1,1\nConv(r,w)->y\nout y",
     "batchnorm clip conv"},
    {"sums of numbers are one",
     "in x 1,2,4,4\nconst k 1 = 2\nconst f 1 = 3\nRelu(x)->r\nAdd(r,k)->a\nAdd(a,f)->b\n"
     "MaxPool(b)->y kernel_shape=[2,2]\nout y",
     "clip add maxpool"},
    {"Relu6 of Min and Max",
     "in x 1,2,4,4\nconst w 3,2,1,1\nConv(x,w)->c\nconst z 1 = 0\nconst s 1 = 6\nMax(c,z)->m\n"
     "Min(s,m)->y\nout y",
     "conv"},
    {"x * HardSigmoid(x)",
     "in x 1,2,4,4\nconst w 3,2,1,1\nConv(x,w)->c\nHardSigmoid(c)->h alpha=0.16666667 beta=0.5\n"
     "Mul(c,h)->y\nout y",
     "conv hardswish"},
    {"x * Relu6(x + 3) / 6",
     "in x 1,2,4,4\nconst w 3,2,1,1\nConv(x,w)->c\nconst k 1 = 3\nconst s 1 = 6\nAdd(c,k)->a\n"
     "Clip(a)->r min=0.0 max=6.0\nMul(c,r)->m\nDiv(m,s)->y\nout y",
     "conv hardswish"},
    {"x * (Relu6(x + 3) / 6)",
     "in x 1,2,4,4\nconst w 3,2,1,1\nConv(x,w)->c\nconst k 1 = 3\nconst s 1 = 6\nAdd(c,k)->a\n"
     "Clip(a)->r min=0.0 max=6.0\nDiv(r,s)->d\nMul(d,c)->y\nout y",
     "conv hardswish"},
    {"a HardSigmoid of another slope is none",
     "in x 1,2,4,4\nconst w 3,2,1,1\nConv(x,w)->c\nHardSigmoid(c)->h alpha=0.2 beta=0.5\nMul(c,h)->y\nout y",
     "conv mul add mul"},
};

static const char *const op_names[OP_COUNT] = {
    [OP_CONV] = "conv",
    [OP_GEMM] = "gemm",
    [OP_CONV_TRANSPOSE] = "convtranspose",
    [OP_MATMUL] = "matmul",
    [OP_ADD] = "add",
    [OP_MUL] = "mul",
    [OP_BATCHNORM] = "batchnorm",
    [OP_CLIP] = "clip",
    [OP_LEAKY_RELU] = "leaky",
    [OP_SIGMOID] = "sigmoid",
    [OP_HARD_SWISH] = "hardswish",
    [OP_SOFTMAX] = "softmax",
    [OP_MAX_POOL] = "maxpool",
    [OP_AVERAGE_POOL] = "averagepool",
    [OP_GLOBAL_AVERAGE_POOL] = "globalavg",
    [OP_RESHAPE] = "reshape",
    [OP_TRANSPOSE] = "transpose",
    [OP_CONCAT] = "concat",
    [OP_PAD] = "pad",
    [OP_SLICE] = "slice",
    [OP_CALL] = "call",
};

/* Values between -1.25 and 1.25 that no order or stride repeats. */
static float *make_input(const struct shape *s, struct arena *a)
{
    int64_t n = shape_count(s);
    float *x = arena_new(a, (size_t)n, sizeof *x);
    uint32_t state = 12345;
    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) / (float)(1 << 24) * 2.5f - 1.25f;
    }
    return x;
}

/* The file's own nodes, one by one. */
static struct array *reference(const unsigned char *bytes, size_t n, const float *x, struct arena *a)
{
    struct case_data c = {.path = NULL};
    struct err e = {""};
    ck_assert_msg(onnx_read(&c.model, "test.onnx", NULL, bytes, n, &e) == 0, "%s", e.text);
    const struct onnx_value *in = &c.model.inputs[0];
    struct array value = {DTYPE_F32, {.n = in->rank}, (void *)x};
    memcpy(value.shape.d, in->d, sizeof value.shape.d);
    c.in = &value;
    struct array *got = arena_new(a, (size_t)c.model.n_outputs, sizeof *got);
    int rc = interpret(&c, a, got, &e);
    ck_assert_msg(rc == 0, "%s", e.text);
    onnx_done(&c.model);
    return got;
}

static void assert_same(const struct array *want, const float *got, const char *what, const char *how)
{
    const float *w = want->data;
    for (int64_t i = 0; i < shape_count(&want->shape); i++)
        ck_assert_msg(fabsf(got[i] - w[i]) <= 2e-5f * fmaxf(1, fabsf(w[i])), "%s, %s: value %d is %g, not %g", what,
                      how, (int)i, (double)got[i], (double)w[i]);
}

static void check_plan(const struct graph *g, const float *x, const struct array *want, struct arena *a,
                       const char *what)
{
    struct err e = {""};
    struct plan *plan = plan_compile_uniform(g, 0, 0, NULL, NULL, &e);
    ck_assert_msg(plan != NULL, "%s: %s", what, e.text);
    struct runner *run = runner_new(plan);
    void **out = arena_new(a, (size_t)g->n_outputs, sizeof *out);
    for (int i = 0; i < g->n_outputs; i++)
        out[i] = arena_new(a, (size_t)shape_count(&g->tensors[g->outputs[i]].shape), sizeof(float));
    const void *in[] = {x};
    runner_run_arrays(run, in, out);
    for (int i = 0; i < g->n_outputs; i++)
        assert_same(&want[i], out[i], what, "plan");
    runner_free(run);
    plan_free(plan);
}

START_TEST(test_layout)
{
    const struct layout_case *c = &cases[_i];
    struct arena a = {0};
    size_t n;
    struct err e;
    const Onnx__ModelProto *m = onnx_make_model(c->model, &a);
    unsigned char *bytes = onnx_make_bytes(m, &a, &n);
    struct graph *g = graph_parse("test.onnx", bytes, n, &e);
    ck_assert_msg(g != NULL, "%s: %s", c->what, e.text);
    struct text left = {0};
    text_put(&left, "");
    for (int i = 0; i < g->n_nodes; i++)
        text_printf(&left, "%s%s", i ? " " : "", op_names[g->nodes[i].op]);
    ck_assert_msg(!strcmp(left.s, c->left), "%s: %s", c->what, left.s);
    text_done(&left);
    const float *x = make_input(&g->tensors[g->inputs[0]].shape, &a);
    const struct array *want = reference(bytes, n, x, &a);
    float **got = graph_eval(g, &x, &a);
    for (int i = 0; i < g->n_outputs; i++) {
        ck_assert_str_eq(g->tensors[g->outputs[i]].name, m->graph->output[i]->name);
        ck_assert_msg(shape_equal(&g->tensors[g->outputs[i]].shape, &want[i].shape), "%s: shape", c->what);
        assert_same(&want[i], got[g->outputs[i]], c->what, "graph");
    }
    check_plan(g, x, want, &a, c->what);
    graph_free(g);
    arena_done(&a);
}
END_TEST

/* Every order of three and four axes, there and on: composed, and back again to nothing. */
START_TEST(test_orders)
{
    for (int i = 0; i < 24 * 24; i++) {
        int p[2][4];
        for (int k = 0; k < 2; k++) { /* the number's digits are picks from what is left */
            int pool[4] = {0, 1, 2, 3}, rest = k ? i / 24 : i % 24;
            for (int j = 0; j < 4; j++) {
                int pick = rest % (4 - j);
                rest /= 4 - j;
                p[k][j] = pool[pick];
                memmove(&pool[pick], &pool[pick + 1], sizeof(int) * (size_t)(3 - pick));
            }
        }
        struct arena a = {0};
        struct err e;
        size_t n;
        char *text = mem_printf("in x 2,%d,4,5\nSigmoid(x)->s\nTranspose(s)->t perm=[%d,%d,%d,%d]\nTanh(t)->u\n"
                                "Transpose(u)->v perm=[%d,%d,%d,%d]\nconst k 1 = 2\nMul(v,k)->y\nout y",
                                1 + i % 3, p[0][0], p[0][1], p[0][2], p[0][3], p[1][0], p[1][1], p[1][2], p[1][3]);
        unsigned char *bytes = onnx_make_bytes(onnx_make_model(text, &a), &a, &n);
        const struct graph_options keep = {.keep_batch = true};
        struct graph *g = graph_parse_with("test.onnx", bytes, n, &keep, NULL, &e);
        ck_assert_msg(g != NULL, "%s", e.text);
        int movers = 0, transposes = 0;
        for (int k = 0; k < g->n_nodes; k++) {
            transposes += g->nodes[k].op == OP_TRANSPOSE;
            movers += g->nodes[k].op == OP_TRANSPOSE || g->nodes[k].op == OP_RESHAPE;
        }
        ck_assert_int_le(transposes, 1);
        bool back = true;
        for (int k = 0; k < 4; k++)
            back &= p[0][p[1][k]] == k;
        ck_assert(!back || movers == 0);
        const float *x = make_input(&g->tensors[g->inputs[0]].shape, &a);
        const struct array *want = reference(bytes, n, x, &a);
        assert_same(want, graph_eval(g, &x, &a)[g->outputs[0]], text, "graph");
        check_plan(g, x, want, &a, text);
        mem_free(text);
        graph_free(g);
        arena_done(&a);
    }
}
END_TEST

/* Long chains: near-linear, or this does not end in the time that Check gives. */
START_TEST(test_long_chain)
{
    struct arena a = {0};
    struct text t = {0};
    enum { LINKS = 3000 };
    text_put(&t, "in x 1,4,4,2\nTranspose(x)->a0 perm=[0,3,1,2]\nconst w 2,2,1,1\n");
    for (int i = 0; i < LINKS; i++)
        text_printf(&t,
                    "Conv(a%d,w)->c%d\nTranspose(c%d)->t%d perm=[0,2,3,1]\nRelu(t%d)->r%d\n"
                    "Transpose(r%d)->a%d perm=[0,3,1,2]\n",
                    i, i, i, i, i, i, i, i + 1);
    text_printf(&t, "out a%d", LINKS);
    size_t n;
    struct err e;
    unsigned char *bytes = onnx_make_bytes(onnx_make_model(t.s, &a), &a, &n);
    struct graph *g = graph_parse("test.onnx", bytes, n, &e);
    ck_assert_msg(g != NULL, "%s", e.text);
    ck_assert_int_eq(g->n_nodes, LINKS + 1);
    graph_free(g);
    text_done(&t);
    arena_done(&a);
}
END_TEST

static void source_image(void *ctx, int i, float *out)
{
    (void)ctx;
    for (int k = 0; k < 24; k++)
        out[k] = onnx_make_value(7 * i + k);
}

/* What is row-major NHWC is how the engine stores NCHW: a model that takes and gives such images runs without a step
 * that only moves elements, in float and on codes. */
static void get_image(void *ctx, int i, void *const *in)
{
    source_image(ctx, i, in[0]);
}

START_TEST(test_no_copies)
{
    struct arena a = {0};
    struct err e = {""};
    size_t n;
    unsigned char *bytes = onnx_make_bytes(
        onnx_make_model(NHWC CONV_1 BACK("c1", "t") "Relu(t)->r\n" FORTH("r", "c2") CONV_2 BACK("c3", "y") "out y", &a),
        &a, &n);
    struct graph *g = graph_parse("test.onnx", bytes, n, &e);
    ck_assert_msg(g != NULL, "%s", e.text);
    struct image_source src = {get_image, NULL, 16};
    struct calibration *c = evaluate_calibrate(g, &src, 16, NULL, &e);
    ck_assert_msg(c != NULL, "%s", e.text);
    float x[24], *out[3];
    source_image(NULL, 3, x);
    for (int i = 0; i < 3; i++) {
        struct plan *plan = plan_compile_uniform(g, i ? 8 / i : 0, i ? 8 / i : 0, c, NULL, &e);
        ck_assert_msg(plan != NULL, "%s", e.text);
        for (int k = 0; k < plan_step_count(plan); k++) {
            const char *kernel = plan_step(plan, k).kernel;
            ck_assert_msg(strcmp(kernel, "copy") && strcmp(kernel, "permute"), "%s", kernel);
        }
        out[i] = arena_new(&a, 36, sizeof(float));
        struct runner *run = runner_new(plan);
        runner_run(run, x, out[i], NULL);
        runner_free(run);
        plan_free(plan);
    }
    assert_same(reference(bytes, n, x, &a), out[0], "NHWC", "plan");
    float most = 0, off[3] = {0};
    for (int k = 0; k < 36; k++) {
        most = fmaxf(most, fabsf(out[0][k]));
        for (int i = 1; i < 3; i++)
            off[i] = fmaxf(off[i], fabsf(out[i][k] - out[0][k]));
    }
    ck_assert_msg(off[1] < 0.03f * most && off[2] < 0.5f * most, "%g %g of %g", (double)off[1], (double)off[2],
                  (double)most);
    calibration_free(c);
    graph_free(g);
    arena_done(&a);
}
END_TEST

Suite *check_layout_suite(void)
{
    Suite *s = suite_create("layout");
    TCase *t = tcase_create("layout");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_layout, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(t, test_orders);
    tcase_add_test(t, test_no_copies);
    tcase_add_test(t, test_long_chain);
    suite_add_tcase(s, t);
    return s;
}
