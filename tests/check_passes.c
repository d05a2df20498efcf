/* SPDX-License-Identifier: MIT
 *
 * Folding and fusion: what is left, and that it computes the same. Layers: names, kinds, sizes, groups. Real models
 * against the outputs of ONNX Runtime, where they are there.
 */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/graph_load.h"
#include "tests/graph_eval.h"
#include "tests/onnx_make.h"

Suite *check_passes_suite(void);

/* The layer with this short name, else the only one with this alias; -1, or -2 when several have it. */
static int layer_named(const struct graph *g, const char *name)
{
    int found = -1;
    for (int i = 0; i < g->n_layers; i++)
        if (strcmp(g->layers[i].name, name) == 0)
            return i;
    for (int i = 0; i < g->n_layers; i++)
        for (const char *const *a = g->layers[i].aliases; *a; a++)
            if (strcmp(*a, name) == 0)
                found = found == -1 ? i : -2;
    return found;
}

static struct graph *import_model(const Onnx__ModelProto *m, struct arena *a)
{
    size_t n;
    struct err e;
    unsigned char *bytes = onnx_make_bytes(m, a, &n);
    struct graph *g = graph_parse("test.onnx", bytes, n, &e);
    ck_assert_msg(g != NULL, "%s", e.text);
    return g;
}

static struct graph *import_text(const char *text, struct arena *a)
{
    return import_model(onnx_make_model(text, a), a);
}

/* Every tensor of the file as a graph output: then nothing may be folded or fused away. */
static struct graph *import_unfused(const char *text, struct arena *a)
{
    Onnx__ModelProto *m = onnx_make_model(text, a);
    Onnx__GraphProto *g = m->graph;
    for (size_t i = 0; i < g->n_node; i++) {
        if (strcmp(g->node[i]->output[0], "y") == 0)
            continue;
        Onnx__ValueInfoProto *v = arena_new(a, 1, sizeof *v);
        onnx__value_info_proto__init(v);
        v->name = g->node[i]->output[0];
        g->output[g->n_output++] = v;
    }
    return import_model(m, a);
}

static const float *output_y(const struct graph *g, struct arena *a, int64_t *n)
{
    int64_t count = shape_count(&g->tensors[g->inputs[0]].shape);
    float *x = arena_new(a, (size_t)count, sizeof *x);
    for (int64_t i = 0; i < count; i++)
        x[i] = onnx_make_value(3 * i + 1);
    const float *inputs[] = {x};
    *n = shape_count(&g->tensors[g->outputs[0]].shape);
    return graph_eval(g, inputs, a)[g->outputs[0]];
}

#define CONV "in x 1,2,4,4\nconst w 2,2,3,3\nconst b 2\nConv(x,w,b)->c name='conv' pads=[1,1,1,1]\n"
#define BN   "const g 2 = 1,-2\nconst o 2 = .5,-1\nconst m 2 = .25,.5\nconst v 2 = 4,.5\n"

static const struct fusion {
    const char *model;
    int nodes;        /* that are left */
    enum op last;     /* the one that makes the output */
    const char *name; /* its name */
    float act_lo, act_hi;
} fusions[] = {
    {CONV "Relu(c)->y\nout y", 1, OP_CONV, "conv", 0, INFINITY},
    {CONV BN "BatchNormalization(c,g,o,m,v)->n\nRelu(n)->y\nout y", 1, OP_CONV, "conv", 0, INFINITY},
    {CONV BN "Identity(c)->i\nBatchNormalization(i,g,o,m,v)->n\nClip(n)->y min=0.0 max=6.0\nout y", 1, OP_CONV, "conv",
     0, 6},
    {CONV BN "BatchNormalization(c,g,o,m,v)->n\nAdd(n,c)->y\nout y", 3, OP_ADD, "Add_2", -INFINITY, INFINITY},
    {CONV BN "Relu(c)->r\nBatchNormalization(r,g,o,m,v)->y name='bn'\nout y", 2, OP_BATCHNORM, "bn", -INFINITY,
     INFINITY},
    {CONV "const k 2,1,1\nMul(c,k)->t\nAdd(t,k)->y\nout y", 1, OP_CONV, "conv", -INFINITY, INFINITY},
    {CONV "const k 1,2,1,1\nAdd(k,c)->t\nRelu(t)->y\nout y", 1, OP_CONV, "conv", 0, INFINITY},
    {CONV "const k 1 = 2\nMul(c,k)->t\nSub(t,k)->y\nout y", 1, OP_CONV, "conv", -INFINITY, INFINITY},
    {CONV "const k 4\nMul(c,k)->y name='mul'\nout y", 2, OP_MUL, "mul", -INFINITY, INFINITY},
    {"in x 1,2,2,2\nconst w 2,2,1,1\nConv(x,w)->c\nconst k 2,1\nAdd(c,k)->y name='add'\nout y", 2, OP_ADD, "add",
     -INFINITY, INFINITY},
    {CONV "Relu(c)->r\nClip(r)->y min=-1.0 max=0.5\nout y", 1, OP_CONV, "conv", 0, 0.5f},
    {CONV "Clip(c)->r min=-1.0 max=0.5\nRelu(r)->y\nout y", 1, OP_CONV, "conv", 0, 0.5f},
    {CONV "Clip(c)->r min=2.0 max=3.0\nClip(r)->y min=0.0 max=1.0\nout y", 1, OP_CONV, "conv", 1, 1},
    {CONV "Relu(c)->r\nAdd(r,x)->s\nRelu(s)->y\nout y", 2, OP_ADD, "Add_2", 0, INFINITY},
    {CONV "Relu(c)->r\nAdd(r,c)->y\nout y", 3, OP_ADD, "Add_2", -INFINITY, INFINITY},
    {CONV "Sigmoid(c)->s\nMul(s,c)->y\nRelu(x)->unused\nout y", 3, OP_MUL, "Mul_2", -INFINITY, INFINITY},
    {"in x 1,2,4,4\nPad(x)->p pads=[0,0,1,0,0,0,2,1]\nconst w 2,2,3,3\nConv(p,w)->y name='conv' pads=[0,1,0,0]\nout y",
     1, OP_CONV, "conv", -INFINITY, INFINITY},
    {"in x 1,2,4,4\nPad(x)->p pads=[0,0,1,0,0,0,2,1] value=1.0\nconst w 2,2,3,3\nConv(p,w)->y name='conv'\nout y", 2,
     OP_CONV, "conv", -INFINITY, INFINITY},
    {"in x 1,2,4,4\nPad(x)->p pads=[0,1,0,0,0,0,0,0]\nconst w 2,3,3,3\nConv(p,w)->y name='conv'\nout y", 2, OP_CONV,
     "conv", -INFINITY, INFINITY},
    {"in x 1,2,4,4\nPad(x)->p pads=[0,0,1,1,0,0,1,1]\nconst w 2,2,3,3\nConv(p,w)->c\nMaxPool(p)->q kernel_shape=[3,3]\n"
     "Add(c,q)->y name='add'\nout y",
     4, OP_ADD, "add", -INFINITY, INFINITY},
    {"in x 1,3\nconst w 3,4\nconst k 4\nMatMul(x,w)->t name='fc'\nAdd(t,k)->s\nRelu(s)->y\nout y", 1, OP_GEMM, "fc", 0,
     INFINITY},
    {"in x 1,3\nconst w 3,4\nconst k 1,4\nMatMul(x,w)->t name='fc'\nAdd(k,t)->s\nDiv(s,h)->y\nconst h 1 = 4\nout y", 1,
     OP_GEMM, "fc", -INFINITY, INFINITY},
    {"in x 1,3\nconst w 2,3\nGemm(x,w)->t name='fc' transB=1\n" BN "BatchNormalization(t,g,o,m,v)->y\nout y", 1,
     OP_GEMM, "fc", -INFINITY, INFINITY},
    {"in x 1,1,3\nconst w 3,4\nconst g 1 = 2\nMatMul(x,w)->t name='fc'\nBatchNormalization(t,g,g,g,g)->y "
     "name='bn'\nout y",
     2, OP_BATCHNORM, "bn", -INFINITY, INFINITY},
    {"in x 1,3\nconst w 3,4\nconst k 2,4\nMatMul(x,w)->t\nAdd(t,k)->y name='add'\nout y", 2, OP_ADD, "add", -INFINITY,
     INFINITY},
};

START_TEST(test_fusion)
{
    const struct fusion *f = &fusions[_i];
    struct arena a = {0};
    struct graph *g = import_text(f->model, &a), *plain = import_unfused(f->model, &a);
    const struct tensor *y = &g->tensors[g->outputs[0]];
    const struct node *last = &g->nodes[y->producer];
    ck_assert_msg(g->n_nodes == f->nodes, "%d nodes instead of %d in\n%s", g->n_nodes, f->nodes, f->model);
    ck_assert_str_eq(y->name, "y");
    ck_assert_int_eq(last->op, f->last);
    ck_assert_str_eq(last->name, f->name);
    ck_assert(last->act_lo == f->act_lo && last->act_hi == f->act_hi);
    ck_assert_int_eq(last->act_name != NULL, f->act_lo != -INFINITY || f->act_hi != INFINITY);

    int64_t n, m;
    const float *got = output_y(g, &a, &n), *want = output_y(plain, &a, &m);
    ck_assert_int_eq(n, m);
    bool varied = false;
    for (int64_t i = 0; i < n; i++) {
        ck_assert_msg(fabsf(got[i] - want[i]) < 1e-4f, "value %d is %g instead of %g in\n%s", (int)i, (double)got[i],
                      (double)want[i], f->model);
        varied |= want[i] != want[0];
    }
    ck_assert_msg(varied || f->act_lo == f->act_hi, "a constant output proves nothing:\n%s", f->model);
    graph_free(plain);
    graph_free(g);
    arena_done(&a);
}
END_TEST

/* One weight tensor of two convolutions, one of which takes a batch-norm: the other keeps the weights as they were. */
START_TEST(test_shared_weights)
{
    struct arena a = {0};
    struct graph *g = import_text("in x 1,2,4,4\nconst w 2,2,1,1\nConv(x,w)->p name='p'\nConv(x,w)->q name='q'\n" BN
                                  "BatchNormalization(q,g,o,m,v)->n\nAdd(p,n)->y\nout y",
                                  &a);
    const float *p = g->tensors[g->nodes[g->layers[layer_named(g, "p")].node].in[1]].data;
    const float *q = g->tensors[g->nodes[g->layers[layer_named(g, "q")].node].in[1]].data;
    for (int i = 0; i < 4; i++) {
        float scale = (float)((i < 2 ? 1 : -2) / sqrt((i < 2 ? 4 : .5) + 1e-5));
        ck_assert_float_eq_tol(p[i], onnx_make_value(i), 1e-6f);
        ck_assert_float_eq_tol(q[i], onnx_make_value(i) * scale, 1e-5f);
    }
    graph_free(g);
    arena_done(&a);
}
END_TEST

static const struct naming {
    const char *first, *second, *third; /* names of three Conv nodes */
    const char *shown[3];
} namings[] = {
    {"/layer1/layer1.0/conv1/Conv", "/conv1/Conv", "/stem/stem.0/Conv_12", {"layer1.0.conv1", "conv1", "stem.0"}},
    {"Convolution28", "", "a/b", {"Convolution28", "Conv_1", "a.b"}},
    {"/a/Conv", "/a/Conv_1", "/b/Conv", {"/a/Conv", "/a/Conv_1", "b"}},
    {"/Conv", "/Conv_1", "///", {"/Conv", "/Conv_1", "///"}},
    {"same", "same", "same", {"same", "same_2", "same_3"}},
    {"same", "same", "same_2", {"same", "same_3", "same_2"}},
    {"/a/Conv", "a", "a.b/Conv", {"/a/Conv", "a", "a.b"}},
    {"tab\there \"q\"", "\xc3\xa4/Conv", "layer1/layer10.0/Conv", {"tab_here__q_", "__", "layer1.layer10.0"}},
};

START_TEST(test_layer_names)
{
    const struct naming *c = &namings[_i];
    struct arena a = {0};
    Onnx__ModelProto *m =
        onnx_make_model("in x 1,2,4,4\nconst w 2,2,1,1\nConv(x,w)->p\nConv(p,w)->q\nConv(q,w)->y\nout y", &a);
    m->graph->node[0]->name = arena_strdup(&a, c->first);
    m->graph->node[1]->name = arena_strdup(&a, c->second);
    m->graph->node[2]->name = arena_strdup(&a, c->third);
    struct graph *g = import_model(m, &a);
    ck_assert_int_eq(g->n_layers, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(g->layers[i].name, c->shown[i]);
        ck_assert_int_eq(layer_named(g, c->shown[i]), i);
    }
    ck_assert_int_eq(layer_named(g, "nothing of the kind"), -1);
    graph_free(g);
    arena_done(&a);
}
END_TEST

START_TEST(test_layers)
{
    static const struct layer want[] = {
        {.name = "dw", .kind = "DWConv", .params = 72, .macs = 8 * 64 * 9, .cout = 8, .k = 9, .group = 0},
        {.name = "pw", .kind = "PWConv", .params = 30, .macs = 6 * 64 * 4, .cout = 6, .k = 4, .group = 0},
        {.name = "grouped", .kind = "Conv", .params = 12, .macs = 6 * 16 * 2, .cout = 6, .k = 2, .group = 1},
        {.name = "full", .kind = "Conv", .params = 384, .macs = 384, .cout = 1, .k = 384, .group = 1},
        {.name = "fc", .kind = "Gemm", .params = 5, .macs = 5, .cout = 5, .k = 1, .group = 2},
    };
    struct arena a = {0};
    struct graph *g = import_text("in x N,4,8,8\nconst d 8,1,3,3\nconst p 6,4,1,1\nconst q 6,2,1,1\nconst b 6\n"
                                  "Conv(x,d)->a name='dw' group=4 pads=[1,1,1,1]\nConv(x,p,b)->c name='pw'\n"
                                  "MaxPool(c)->m kernel_shape=[2,2] strides=[2,2]\n"
                                  "Conv(m,q)->n name='grouped' group=3\nconst r 1,6,8,8\nConv(c,r)->o name='full'\n"
                                  "Flatten(o)->f\nconst w 1,5\nGemm(f,w)->y name='fc'\nout y\nout a\nout n\n",
                                  &a);
    ck_assert_int_eq(g->n_layers, 5);
    ck_assert_int_eq(g->n_groups, 3);
    int64_t params = 0, macs = 0;
    for (int i = 0; i < 5; i++) {
        const struct layer *l = &g->layers[i], *w = &want[i];
        ck_assert_str_eq(l->name, w->name);
        ck_assert_str_eq(l->kind, w->kind);
        ck_assert_int_eq(l->params, w->params);
        ck_assert_int_eq(l->macs, w->macs);
        ck_assert_int_eq(l->cout, w->cout);
        ck_assert_int_eq(l->k, w->k);
        ck_assert_int_eq(l->group, w->group);
        params += w->params;
        macs += w->macs;
    }
    ck_assert_int_eq(g->params, params);
    ck_assert_int_eq(g->macs, macs);
    ck_assert_int_eq(g->n_file_nodes, 7);
    ck_assert_int_eq(g->opset, 13);
    ck_assert_str_eq(g->producer, "test");
    ck_assert_str_eq(g->file, "test.onnx");
    ck_assert(strncmp(g->fingerprint, "xxh3-", 5) == 0 && strlen(g->fingerprint) == 37);
    graph_free(g);
    arena_done(&a);
}
END_TEST

/* An output that is only another name keeps its name, and what it names stays what it was. */
START_TEST(test_renamed_output)
{
    struct arena a = {0};
    struct graph *g = import_text("in x 1,3\nRelu(x)->r\nIdentity(r)->y\nIdentity(x)->z\nout y\nout z\nout r", &a);
    static const char *const names[] = {"y", "z", "r"};
    ck_assert_int_eq(g->n_outputs, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(g->tensors[g->outputs[i]].name, names[i]);
    graph_free(g);
    arena_done(&a);
}
END_TEST

/* An input that nothing reads needs no value; the constants and nodes that nobody reads are gone. */
START_TEST(test_dead)
{
    struct arena a = {0};
    struct graph *g = import_text("in u 1,2\nin x 1,3\nin v 4\nconst w 3,2\nconst q 7\nMatMul(x,w)->y\nAdd(u,k)->z\n"
                                  "const k 2\nNeg(v)->n\nout y",
                                  &a);
    ck_assert_int_eq(g->n_inputs, 1);
    ck_assert_str_eq(g->tensors[g->inputs[0]].name, "x");
    ck_assert_int_eq(g->n_unread, 2);
    ck_assert_str_eq(g->unread[0], "u");
    ck_assert_str_eq(g->unread[1], "v");
    ck_assert_int_eq(g->n_nodes, 1);
    for (int i = 0; i < g->n_tensors; i++)
        ck_assert(strcmp(g->tensors[i].name, "q") && strcmp(g->tensors[i].name, "k") &&
                  strcmp(g->tensors[i].name, "z"));
    graph_free(g);
    g = import_text("in x 1,3\nconst w 3\nNeg(w)->y\nout y", &a);
    ck_assert_int_eq(g->n_inputs, 1);
    ck_assert_int_eq(g->n_unread, 0);
    graph_free(g);
    arena_done(&a);
}
END_TEST

static char *data_path(const char *name)
{
    const char *root = getenv("BITFADER_TEST_DATA");
    return mem_printf("%s/%s", root ? root : "../shared/data", name);
}

/* NULL with a message on stderr when the file is not there. */
static struct graph *load_real(const char *path)
{
    struct err e;
    if (!file_exists(path)) {
        fprintf(stderr, "skipped: %s is not there\n", path);
        return NULL;
    }
    struct graph *g = graph_load(path, &e);
    ck_assert_msg(g != NULL, "%s", e.text);
    return g;
}

/* A layer is found by every name that went into it, and one that two layers have is none. */
START_TEST(test_fused_names)
{
    static const char *const text =
        "in x 1,4,4,2\nTranspose(x)->x1 name='/in/Transpose' perm=[0,3,1,2]\nPad(x1)->p name='/a/Pad' "
        "pads=[0,0,1,1,0,0,1,1]\nconst w 2,2,3,3\nconst b 2\nConv(p,w,b)->c name='/a/conv/Conv'\n"
        "Transpose(c)->t name='/a/Transpose' perm=[0,2,3,1]\nconst k 2\nMul(t,k)->mm name='/a/scale/Mul'\n"
        "Add(mm,k)->s name='/a/scale/Add'\nRelu(s)->r name='/a/relu/Relu'\n"
        "Transpose(r)->u name='/b/Transpose' perm=[0,3,1,2]\n" BN
        "Conv(u,w)->d name='same' pads=[1,1,1,1]\nRelu(d)->e name='twin'\nConv(e,w)->f name='same'\n"
        "BatchNormalization(f,g,o,m,v)->h name='twin'\nout h";
    static const struct {
        const char *name;
        int layer;
    } wanted[] = {
        {"a.conv", 0},
        {"/a/conv/Conv", 0},
        {"/a/Pad", 0},
        {"/a/Transpose", 1},
        {"/a/scale/Mul", 0},
        {"/a/scale/Add", 0},
        {"/a/relu/Relu", 0},
        {"same", 1},
        {"same_2", 2},
        {"/b/Transpose", 1},
        {"h", 2},
        {"e", 1},
        {"twin", -2},
        {"c", -1},
        {"/in/Transpose", -1},
        {"k", -1},
    };
    struct arena a = {0};
    struct graph *g = import_text(text, &a);
    ck_assert_int_eq(g->n_layers, 3);
    ck_assert_int_eq(g->n_nodes, 4);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        ck_assert_msg(layer_named(g, wanted[i].name) == wanted[i].layer, "%s: %d", wanted[i].name,
                      layer_named(g, wanted[i].name));
    graph_free(g);
    arena_done(&a);
}
END_TEST

static const struct real {
    const char *file, *refs;
    int convs, gemms, nodes;
} reals[] = {
    {"cifar10/resnet20_convshortcut_cifar10.onnx", "resnet20c", 21, 1, 33},
    {"cifar10/resnet20_cifar10.onnx", "resnet20a", 19, 1, 37},
    {"cifar10/resnet20_cifar10_unfused_bn.onnx", "resnet20a_bn", 19, 1, 37},
    {"mlperf_tiny/ic_resnet8_cifar10.onnx", "ic_resnet8", 9, 1, 16},
    {"mlperf_tiny/kws_dscnn.onnx", "kws_dscnn", 9, 1, 13},
    {"mlperf_tiny/vww_mobilenetv1_025_96.onnx", "vww", 27, 1, 31},
    {"mlperf_tiny/sww_1dconv_from_int8.onnx", "sww", 8, 1, 11},
    {"mlperf_tiny/ad_toycar_autoencoder.onnx", "ad", 0, 10, 10},
    {"mnist/cntk_mnist_ort_examples.onnx", "cntk_mnist", 2, 1, 6},
};

/* The float32 data of a NumPy file of format 1.0; *bytes is what to free. */
static const float *read_npy(const char *refs, const char *kind, char **bytes, size_t *n)
{
    char *name = mem_printf("refs/%s.%s.npy", refs, kind), *path = data_path(name);
    struct err e;
    size_t size;
    *bytes = file_read(path, (size_t)1 << 30, &size, &e);
    ck_assert_msg(*bytes != NULL, "%s", e.text);
    size_t header = 10 + (unsigned char)(*bytes)[8] + 256u * (unsigned char)(*bytes)[9];
    ck_assert_uint_lt(header, size);
    *n = (size - header) / sizeof(float);
    mem_free(path);
    mem_free(name);
    return (const float *)(*bytes + header); /* the format aligns it to 64 */
}

/* The first image through the reference evaluator: what ONNX Runtime gives for the file as it is. */
START_TEST(test_real_model)
{
    const struct real *r = &reals[_i];
    char *path = data_path(r->file), *in_bytes, *out_bytes;
    struct graph *g = load_real(path);
    mem_free(path);
    if (!g)
        return;
    int convs = 0;
    for (int i = 0; i < g->n_layers; i++)
        convs += g->nodes[g->layers[i].node].op == OP_CONV;
    ck_assert_int_eq(convs, r->convs);
    ck_assert_int_eq(g->n_layers - convs, r->gemms);
    ck_assert_int_eq(g->n_nodes, r->nodes);

    size_t n_in, n_out;
    const float *x = read_npy(r->refs, "in", &in_bytes, &n_in), *want = read_npy(r->refs, "out", &out_bytes, &n_out);
    size_t count = (size_t)shape_count(&g->tensors[g->outputs[0]].shape);
    ck_assert_uint_ge(n_in, (size_t)shape_count(&g->tensors[g->inputs[0]].shape));
    ck_assert_uint_ge(n_out, count);
    struct arena a = {0};
    const float *got = graph_eval(g, &x, &a)[g->outputs[0]];
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(want[i]));
    for (size_t i = 0; i < count; i++)
        ck_assert_float_eq_tol(got[i], want[i], 2e-6f * largest);
    arena_done(&a);
    mem_free(out_bytes);
    mem_free(in_bytes);
    graph_free(g);
}
END_TEST

/* The same network with batch-norm folded by its exporter and by us. */
START_TEST(test_folded_as_exporter_does)
{
    char *path_a = data_path(reals[1].file), *path_b = data_path(reals[2].file);
    struct graph *a = load_real(path_a), *b = load_real(path_b);
    mem_free(path_b);
    mem_free(path_a);
    if (a && b) {
        ck_assert_int_eq(a->n_layers, b->n_layers);
        for (int i = 0; i < a->n_layers; i++) {
            ck_assert_str_eq(a->layers[i].name, b->layers[i].name);
            for (int k = 1; k <= 2; k++) {
                const struct tensor *ta = &a->tensors[a->nodes[a->layers[i].node].in[k]];
                const struct tensor *tb = &b->tensors[b->nodes[b->layers[i].node].in[k]];
                int64_t n = shape_count(&ta->shape);
                ck_assert_int_eq(shape_count(&tb->shape), n);
                const float *wa = ta->data, *wb = tb->data;
                for (int64_t j = 0; j < n; j++)
                    ck_assert_float_eq_tol(wb[j], wa[j], 1e-5f * fabsf(wa[j]) + 1e-7f);
            }
        }
    }
    graph_free(b);
    graph_free(a);
}
END_TEST

static const struct zoo {
    const char *file;
    int layers, nodes;
    const char *name, *kind; /* of one layer */
} zoo[] = {
    {"zoo/resnet20_fmnist.onnx", 22, 33, "layer2.0.shortcut.0", "PWConv"},
    {"zoo/mobilenet_fmnist.onnx", 16, 18, "b3.0", "DWConv"},
};

START_TEST(test_zoo)
{
    struct graph *g = load_real(zoo[_i].file);
    if (!g)
        return;
    int l = layer_named(g, zoo[_i].name);
    ck_assert_int_eq(g->n_layers, zoo[_i].layers);
    ck_assert_int_eq(g->n_nodes, zoo[_i].nodes);
    ck_assert_int_ge(l, 0);
    ck_assert_str_eq(g->layers[l].kind, zoo[_i].kind);
    graph_free(g);
}
END_TEST

Suite *check_passes_suite(void)
{
    Suite *s = suite_create("passes");
    TCase *t = tcase_create("passes");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_fusion, 0, (int)(sizeof fusions / sizeof fusions[0]));
    tcase_add_test(t, test_shared_weights);
    tcase_add_loop_test(t, test_layer_names, 0, (int)(sizeof namings / sizeof namings[0]));
    tcase_add_test(t, test_layers);
    tcase_add_test(t, test_fused_names);
    tcase_add_test(t, test_renamed_output);
    tcase_add_test(t, test_dead);
    tcase_add_loop_test(t, test_real_model, 0, (int)(sizeof reals / sizeof reals[0]));
    tcase_add_test(t, test_folded_as_exporter_does);
    tcase_add_loop_test(t, test_zoo, 0, (int)(sizeof zoo / sizeof zoo[0]));
    suite_add_tcase(s, t);
    return s;
}
