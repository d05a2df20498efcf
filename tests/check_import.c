/* SPDX-License-Identifier: MIT
 *
 * Import: every operator against PyTorch's results, and files that must be refused with a message.
 */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "model/graph_load.h"
#include "tests/graph_eval.h"
#include "tests/hostile.h"
#include "tests/import_cases.h"
#include "tests/onnx_make.h"

Suite *check_import_suite(void);

static struct graph *import_text(const char *text, struct arena *a, struct err *e)
{
    size_t n;
    unsigned char *bytes = onnx_make_bytes(onnx_make_model(text, a), a, &n);
    return graph_parse("test.onnx", bytes, n, e);
}

/* What graph.h promises of every graph that comes out of an import. */
static void check_invariants(const struct graph *g)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = &g->nodes[i];
        ck_assert_int_lt(n->op, OP_COUNT);
        ck_assert_ptr_nonnull(n->name);
        for (int k = 0; k < n->n_in; k++) {
            ck_assert_int_lt(n->in[k], g->n_tensors);
            ck_assert_msg(n->in[k] < 0 || g->tensors[n->in[k]].producer < i, "not in topological order");
        }
        ck_assert_int_eq(g->tensors[n->out[0]].producer, i);
    }
    for (int i = 0; i < g->n_tensors; i++) {
        bool fed = false;
        for (int k = 0; k < g->n_inputs; k++)
            fed |= g->inputs[k] == i;
        ck_assert_int_eq((g->tensors[i].data != NULL) + (g->tensors[i].producer >= 0) + fed, 1);
    }
}

START_TEST(test_operator)
{
    const struct import_case *c = &import_cases[_i];
    struct arena a = {0};
    struct err e;
    struct graph *g = import_text(c->model, &a, &e);
    ck_assert_msg(g != NULL, "%s: %s", c->op, e.text);
    check_invariants(g);
    const struct tensor *y = &g->tensors[g->outputs[0]];
    ck_assert_str_eq(y->name, "y");
    char shape[128] = "";
    for (int i = 0; i < y->shape.n; i++)
        sprintf(shape + strlen(shape), "%s%d", i ? "," : "", (int)y->shape.d[i]);
    ck_assert_msg(strcmp(shape, c->shape) == 0, "%s: shape %s instead of %s in\n%s", c->op, shape, c->shape, c->model);

    int64_t n = shape_count(&g->tensors[g->inputs[0]].shape);
    float *x = arena_new(&a, (size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = onnx_make_value(i);
    const float *inputs[] = {x};
    const float *got = graph_eval(g, inputs, &a)[g->outputs[0]];
    const char *at = c->values;
    for (int64_t i = 0; i < shape_count(&y->shape); i++) {
        char *end;
        float want = strtof(at, &end);
        ck_assert_msg(end != at && fabsf(got[i] - want) < 1e-5f, "%s: value %d is %g instead of %g in\n%s", c->op,
                      (int)i, (double)got[i], (double)want, c->model);
        at = end + (*end == ',');
    }
    ck_assert_msg(*at == '\0', "%s: the reference has more values", c->op);
    graph_free(g);
    arena_done(&a);
}
END_TEST

static const struct refusal {
    const char *model, *said; /* what the message must hold */
} refusals[] = {
    {"in x 1,3\nTfIdf(x)->y name='g'\nout y", "test.onnx: node \"g\": operator TfIdf is not supported"},
    {"in x 1,3\nTfIdf(x)->y\nout y", "node \"TfIdf_0\""},
    {"opset 22\nin x 1,3\nRelu(x)->y\nout y", "opset 22"},
    {"in x 1,3\nAdd(x,b)->a name='n1'\nRelu(a)->b name='n2'\nout b", "cycle"},
    {"in x 1,3\nAdd(x,y)->y\nout y", "cycle"},
    {"in x 1,3\nAdd(x,z)->y name='n1'\nout y", "node \"n1\": its input \"z\" is not defined"},
    {"in x 1,3\nAdd(x,)->y name='n1'\nout y", "input 1 of operator Add is missing"},
    {"in x 1,3\nAdd(x)->y name='n1'\nout y", "input 1 of operator Add is missing"},
    {"in x 1,3\nRelu(x,x)->y\nout y", "2 inputs"},
    {"in x 1,3\nRelu(x)->y\nSigmoid(x)->y\nout y", "\"y\" is defined twice"},
    {"in x 1,3\nRelu(x)->x\nout x", "\"x\" is defined twice"},
    {"in x 1,3\nin x 1,3\nRelu(x)->y\nout y", "\"x\" is defined twice"},
    {"in x 1,3\nconst k 1\nconst k 1\nRelu(x)->y\nout y", "\"k\" is defined twice"},
    {"in x 1,3\nconst y 1\nRelu(x)->y\nout y", "\"y\" is defined twice"},
    {"in x 1,3\nRelu(x)->y\nout y\nout y", "twice"},
    {"in x 1,3\nRelu(x)->y\nout z", "\"z\""},
    {"in x 1,3\nRelu(x)->y", "no output"},
    {"in x 1,3\nRelu(x)->y\nout y 1,4", "\"y\" is declared with shape 1x4, but is 1x3"},
    {"in x 1,3\nRelu(x)->t\nvalue t 1,3,1\nRelu(t)->y\nout y", "\"t\" is declared with shape 1x3x1, but is 1x3"},
    {"in x 1,3,H,4\nRelu(x)->y\nout y", "\"x\" is 1x3x?x4: --shape x:1x3xNx4 gives"},
    {"in x 1,-7\nRelu(x)->y\nout y", "dimension 1 is -7"},
    {"in x 1,3000000000\nRelu(x)->y\nout y", "3000000000"},
    {"in x 1,65536,65536\nRelu(x)->y\nout y", "too large"},
    {"in x 2147483647,2147483647,2147483647,1\nRelu(x)->y\nout y", "too large"},
    {"in x 1,1,1,1,1,1,1,1,1\nRelu(x)->y\nout y", "9 dimensions"},
    {"in x\nRelu(x)->y\nout y", "without a shape"},
    {"in x 4,6\nints s 2 = 2,12\nReshape(x,s)->y\nout y", "cannot become 2x12"},
    {"in x 4,6\nRelu(x)->y\nout y 2,6", "declared with shape 2x6"},
    {"in x 1,3\nRelu(x)->y\nout y N", "\"y\" is declared with shape ?, but is 1x3"},
    {"in x 1,3\nconst k 2,1\nAdd(x,k)->y\nConcat(x,y)->z axis=1\nout z", "does not fit"},
    {"in x 1,3\nconst k 4\nAdd(x,k)->y\nout y", "do not broadcast"},
    {"in x 1,3\nints k 3 = 1,2,3\nMul(x,k)->y\nout y", "takes one type"},
    {"in x 1,3\nConcat(x,x)->y axis=2\nout y", "axis 2"},
    {"in x 1,3\nFlatten(x)->y axis=[1]\nout y", "attribute axis has the wrong type"},
    {"in x 1,3,4,4\nconst w 2,3,5,5\nConv(x,w)->y\nout y", "does not fit"},
    {"in x 1,3,4,4\nconst w 2,2,3,3\nConv(x,w)->y\nout y", "do not fit an input"},
    {"in x 1,3,4,4\nconst w 2,3,3,3\nConv(x,w)->y group=0\nout y", "group 0"},
    {"in x 1,3,4,4\nconst w 2,3,3,3\nConv(x,w)->y kernel_shape=[2,2]\nout y", "kernel_shape"},
    {"in x 1,3,4,4\nconst w 2,3,3,3\nConv(x,w)->y strides=[0,1]\nout y", "strides holds 0"},
    {"in x 1,3,4,4\nconst w 2,3,3,3\nConv(x,w)->y pads=[-1,0,0,0]\nout y", "pads of -1"},
    {"in x 1,3,4,4\nconst w 2,3,3,3\nConv(x,w)->y dilations=[1]\nout y", "1 values, not 2"},
    {"in x 1,3,4,4\nconst w 2,3,3,3\nConv(x,w)->y auto_pad='ROUND'\nout y", "auto_pad ROUND"},
    {"in x 1,3,4,4\nconst w 2,3,3,3\nConv(x,w)->y pads=[1048576,1048576,1048576,1048576]\nout y", "too large"},
    {"in x 1,3,4,4\nconst w 2,3,3,3\nconst b 3\nConv(x,w,b)->y\nout y", "does not fit 2 outputs"},
    {"in x 1,3,4,4\nMaxPool(x)->y\nout y", "kernel_shape is missing"},
    {"in x 1,3\nconst w 4,2\nGemm(x,w)->y\nout y", "do not fit"},
    {"in x 1,3\nconst w 3,2\nconst c 3\nGemm(x,w,c)->y\nout y", "does not broadcast"},
    {"in x 1,2,2,2\nconst a 3 = 1,1,1\nBatchNormalization(x,a,a,a,a)->y\nout y", "2 channels"},
    {"in x 1,3\nints s 2 = 1,4\nReshape(x,s)->y\nout y", "1x3 cannot become 1x4"},
    {"in x 1,3\nints s 2 = -1,-1\nReshape(x,s)->y\nout y", "-1"},
    {"in x 1,3\nints s 2 = -1,2\nReshape(x,s)->y\nout y", "cannot become"},
    {"in x 1,3\nints s 2 = 4611686018427387904,4\nReshape(x,s)->y\nout y", "dimension 1"},
    {"in x 1,3\nSqueeze(x)->y axes=[1]\nout y", "not 1"},
    {"in x 1,3\nUnsqueeze(x)->y axes=[1,1]\nout y", "named twice"},
    {"in x 1,3\nTranspose(x)->y perm=[0,0]\nout y", "perm"},
    {"in x 1,3,4,4\nPad(x)->y pads=[0,0]\nout y", "2 pads for 4"},
    {"in x 1,3\nints b 1 = 0\nints t 1 = 0\nSlice(x,b,b,b,t)->y\nout y", "step of 0"},
    {"in x 1,3\nints d 2 = 65536,65536\nConstantOfShape(d)->c\nAdd(x,c)->y\nout y", "too large"},
    {"in x 1,3\nints d 1 = 16777216\nConstantOfShape(d)->c\nints p 2 = 16777216,1\nReshape(c,p)->q\nAdd(c,q)->y\nout y",
     "too large"},
    {"in x 1,3\nints i 1 = 9\nShape(x)->s\nGather(s,i)->g\nReshape(x,g)->y\nout y", "out of range"},
    {"in x 1,3\nints k 1 = 0\nShape(x)->s\nDiv(s,k)->g\nReshape(x,g)->y\nout y", "division by zero"},
    {"in x 1,3\nCast(x)->y to=8\nout y", "type 8"},
    {"in x 1,3\nConstant()->k\nAdd(x,k)->y\nout y", "not supported"},
    {"in x 1,3\nints t 1 = 1\nDropout(x,,t)->y\nout y", "training"},
};

static void check_refused(const void *bytes, size_t n, const char *said, const char *what)
{
    struct err e = {""};
    struct graph *g = graph_parse("test.onnx", bytes, n, &e);
    ck_assert_msg(g == NULL, "was accepted:\n%s", what);
    ck_assert_msg(strncmp(e.text, "test.onnx: ", 11) == 0, "the message names no file: %s", e.text);
    ck_assert_msg(strstr(e.text, said) != NULL, "\"%s\" does not say \"%s\"", e.text, said);
    ck_assert_msg(!strchr(e.text, '\n'), "more than one line: %s", e.text);
}

START_TEST(test_refusal)
{
    struct arena a = {0};
    size_t n;
    unsigned char *bytes = onnx_make_bytes(onnx_make_model(refusals[_i].model, &a), &a, &n);
    check_refused(bytes, n, refusals[_i].said, refusals[_i].model);
    arena_done(&a);
}
END_TEST

static const char small[] = "in x N,2,4,4\nconst w 2,2,3,3\nconst b 2\nConv(x,w,b)->c pads=[1,1,1,1]\nRelu(c)->r\n"
                            "ints s 2 = 0,-1\nReshape(r,s)->f\nconst m 32,3\nMatMul(f,m)->y\nout y N,3\n";

static void check_model_refused(const Onnx__ModelProto *m, struct arena *a, const char *said)
{
    size_t n;
    unsigned char *bytes = onnx_make_bytes(m, a, &n);
    check_refused(bytes, n, said, said);
}

/* Each line breaks a good model in one way that the text form cannot write. */
START_TEST(test_broken_tensors)
{
    struct arena a = {0};
    uint8_t raw[7] = {0};
    Onnx__StringStringEntryProto entry, *entries[] = {&entry};
    onnx__string_string_entry_proto__init(&entry);

    Onnx__ModelProto *m = onnx_make_model(small, &a);
    m->graph->initializer[0]->n_float_data--;
    check_model_refused(m, &a, "tensor \"w\": its data has 35 values, its shape asks for 36");
    m = onnx_make_model(small, &a);
    m->graph->initializer[0]->raw_data = (ProtobufCBinaryData){sizeof raw, raw};
    check_model_refused(m, &a, "tensor \"w\": its data has 7 bytes, its shape asks for 144");
    m = onnx_make_model(small, &a);
    m->graph->initializer[0]->data_location = 1;
    check_model_refused(m, &a, "another file");
    m = onnx_make_model(small, &a);
    m->graph->initializer[1]->n_external_data = 1;
    m->graph->initializer[1]->external_data = entries;
    check_model_refused(m, &a, "another file");
    m = onnx_make_model(small, &a);
    m->graph->initializer[0]->data_type = 8;
    check_model_refused(m, &a, "data type 8");
    m = onnx_make_model(small, &a);
    m->graph->initializer[0]->dims[0] = -2;
    check_model_refused(m, &a, "dimension 0 is -2");
    m = onnx_make_model(small, &a);
    m->graph->initializer[0]->dims[0] = (int64_t)1 << 62;
    check_model_refused(m, &a, "tensor \"w\"");
    m = onnx_make_model(small, &a);
    m->graph->initializer[0]->dims[0] = m->graph->initializer[0]->dims[1] = 2147483647;
    check_model_refused(m, &a, "too large");
    m = onnx_make_model(small, &a);
    m->graph->initializer[0]->dims[0] = 0;
    m->graph->initializer[0]->n_float_data = 0;
    check_model_refused(m, &a, "dimension of 0");
    arena_done(&a);
}
END_TEST

/* Weights in a file beside the model: a part of it, and nothing from elsewhere. */
START_TEST(test_external_data)
{
    static const struct {
        const char *location, *offset, *length, *said; /* said NULL: it opens */
    } rows[] = {{"w.bin", "8", "24", NULL},
                {"w.bin", "8", NULL, NULL},
                {"./w.bin", "8", "24", NULL},
                {"w.bin", "12", "24", "ends at byte 36 of a file of 32"},
                {"w.bin", "8", "20", "20 bytes, its shape asks for 24"},
                {"w.bin", "-8", "24", "the offset of its data, \"-8\", is no number of bytes"},
                {"w.bin", "9223372036854775807", "24", "its data ends at byte 9223372036854775831 of a file of 32"},
                {"w.bin", "9223372036854775808", "24", "\"9223372036854775808\", is no number"},
                {"w.bin", "8", "many", "the length of its data, \"many\", is no number of bytes"},
                {"w.bin", "8", "-1", "the length of its data, \"-1\", is no number of bytes"},
                {"pipe", "8", "24", "cannot be read: not a regular file"},
                {"w.bin?.txt", "8", "24", "holds a zero byte"},
                {"../w.bin", "8", "24", "outside of the model's folder"},
                {"link.bin", "8", "24", "outside of the model's folder"},
                {"/etc/passwd", "8", "24", "data file /etc/passwd is an absolute path"},
                {"none.bin", "8", "24", "none.bin cannot be read: No such file"},
                {"", "8", "24", "where its data is"}};
    char root[] = "/tmp/bitfader-check-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(root));
    char *folder = mem_printf("%s/model", root), *path = mem_printf("%s/m.onnx", folder),
         *link = mem_printf("%s/link.bin", folder);
    char *data = mem_printf("%s/w.bin", folder), *outside = mem_printf("%s/w.bin", root),
         *pipe = mem_printf("%s/pipe", folder);
    float values[8] = {9, 9, 1, 2, 3, 4, 5, 6};
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(file_write(data, values, sizeof values, false, NULL), 0);
    ck_assert_int_eq(file_write(outside, values, sizeof values, false, NULL), 0);
    ck_assert_int_eq(symlink("../w.bin", link), 0);
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct err e = {""};
        Onnx__ModelProto *m = onnx_make_model("in x 1,3\nconst w 3,2\nMatMul(x,w)->y\nout y", &a);
        Onnx__TensorProto *t = m->graph->initializer[0];
        Onnx__StringStringEntryProto entry[3], *entries[3];
        const char *const keys[] = {"location", "offset", "length"};
        const char *const said[] = {rows[i].location, rows[i].offset, rows[i].length};
        for (int k = 0; k < 3 && said[k]; k++) {
            onnx__string_string_entry_proto__init(&entry[k]);
            entry[k].key = (char *)(size_t)keys[k];
            entry[k].value = (char *)(size_t)said[k];
            entries[t->n_external_data++] = &entry[k];
        }
        t->external_data = entries;
        t->data_location = 1;
        t->n_float_data = 0;
        size_t n;
        unsigned char *bytes = onnx_make_bytes(m, &a, &n);
        uint8_t *mark = memmem(bytes, n, "w.bin?", 6);
        if (mark)
            mark[5] = 0; /* C would find w.bin */
        ck_assert_int_eq(file_write(path, bytes, n, false, NULL), 0);
        struct graph *g = graph_load(path, &e);
        ck_assert_msg(!g == (rows[i].said != NULL), "%zu: %s", i, e.text);
        ck_assert_msg(!rows[i].said || strstr(e.text, rows[i].said), "%zu: %s", i, e.text);
        if (g) /* transposed at import */
            ck_assert(((const float *)g->tensors[g->nodes[0].in[1]].data)[1] == 3);
        graph_free(g);
        arena_done(&a);
    }
    char *all[] = {path, link, data, outside, pipe};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(unlink(all[i]), 0);
        mem_free(all[i]);
    }
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(rmdir(root), 0);
    mem_free(folder);
}
END_TEST

START_TEST(test_broken_models)
{
    struct arena a = {0};
    char odd[] = "a\"b\nc", space[] = "ai.example", empty[] = "";

    Onnx__ModelProto *m = onnx_make_model(small, &a);
    m->n_opset_import = 0;
    check_model_refused(m, &a, "opset 0");
    m = onnx_make_model(small, &a);
    m->graph->node[1]->domain = space;
    check_model_refused(m, &a, "operator ai.example.Relu is not supported");
    m = onnx_make_model(small, &a);
    m->graph->node[1]->op_type = odd;
    check_model_refused(m, &a, "operator a?b?c is not supported");
    m = onnx_make_model(small, &a);
    m->graph->node[3]->output[0] = empty;
    check_model_refused(m, &a, "no output");
    m = onnx_make_model(small, &a);
    m->graph->input[0]->type->tensor_type->elem_type = 2;
    check_model_refused(m, &a, "uint8");
    m = onnx_make_model(small, &a);
    m->graph->n_node = 0;
    check_model_refused(m, &a, "no graph");
    m = onnx_make_model(small, &a);
    m->graph = NULL;
    check_model_refused(m, &a, "no graph");
    arena_done(&a);
}
END_TEST

/* Every prefix of a file is refused, or (where only trailing fields are lost) is still a sound graph. */
START_TEST(test_cut_short)
{
    struct arena a = {0};
    size_t n;
    unsigned char *bytes = onnx_make_bytes(onnx_make_model(small, &a), &a, &n);
    int refused = 0;
    for (size_t len = 0; len < n; len++) {
        unsigned char *cut = memcpy(mem_new(len + 1, 1), bytes, len);
        struct err e;
        struct graph *g = graph_parse("test.onnx", cut, len, &e);
        refused += g == NULL;
        if (g)
            check_invariants(g);
        graph_free(g);
        mem_free(cut);
    }
    ck_assert_int_eq(refused, (int)n); /* the opset comes last in this file: nothing shorter is a model */
    arena_done(&a);
}
END_TEST

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Random bytes, and good files with some bytes changed: any answer but a crash, and never an unsound graph. */
START_TEST(test_random_bytes)
{
    struct arena a = {0};
    size_t n;
    unsigned char *good = onnx_make_bytes(onnx_make_model(small, &a), &a, &n);
    unsigned char *bytes = arena_new(&a, n, 1);
    uint32_t seed = 1;
    for (int round = 0; round < 3000; round++) {
        bool noise = round % 8 == 0;
        memcpy(bytes, good, n);
        for (size_t i = 0; i < (noise ? n : 1 + next_random(&seed) % 4); i++)
            bytes[noise ? i : next_random(&seed) % n] = (unsigned char)next_random(&seed);
        struct err e;
        struct graph *g = graph_parse("test.onnx", bytes, n, &e);
        if (g)
            check_invariants(g);
        graph_free(g);
    }
    arena_done(&a);
}
END_TEST

/* What asks for too much. */
START_TEST(test_hostile)
{
    const struct hostile_case *c = &hostile_cases[_i];
    size_t n;
    struct err e = {""};
    uint8_t *bytes = c->make(&n);
    struct graph *g = graph_parse("test.onnx", bytes, n, &e);
    ck_assert_msg(!g == (c->said != NULL), "%s: %s", c->name, e.text);
    ck_assert_msg(!c->said || strstr(e.text, c->said), "%s: \"%s\" does not say \"%s\"", c->name, e.text, c->said);
    for (const char *s = e.text; *s; s++)
        ck_assert_msg(*s >= 0x20 && *s <= 0x7e, "%s: %s", c->name, e.text);
    if (g)
        check_invariants(g);
    graph_free(g);
    mem_free(bytes);
}
END_TEST

/* A chain of 200,000 nodes, listed backwards: nothing may recurse along it. */
START_TEST(test_long_chain)
{
    enum { N = 200000 };
    struct arena a = {0};
    struct err e;
    Onnx__ModelProto *m = onnx_make_model("in x 1,1\nLeakyRelu(x)->y\nout y", &a);
    Onnx__NodeProto **nodes = arena_new(&a, N, sizeof *nodes), *like = m->graph->node[0];
    char **names = arena_new(&a, N + 1, sizeof *names);
    for (int i = 0; i <= N; i++)
        names[i] = i == 0 ? like->input[0] : i == N ? like->output[0] : arena_printf(&a, "t%d", i);
    for (int i = 0; i < N; i++) {
        nodes[N - 1 - i] = memcpy(arena_new(&a, 1, sizeof *like), like, sizeof *like);
        nodes[N - 1 - i]->input = &names[i];
        nodes[N - 1 - i]->output = &names[i + 1];
    }
    m->graph->node = nodes;
    m->graph->n_node = N;
    size_t n;
    unsigned char *bytes = onnx_make_bytes(m, &a, &n);
    struct graph *g = graph_parse("test.onnx", bytes, n, &e);
    ck_assert_msg(g != NULL, "%s", e.text);
    ck_assert_int_eq(g->n_nodes, N);
    check_invariants(g);
    graph_free(g);
    arena_done(&a);
}
END_TEST

/* The same numbers in every data type that is read, raw and in lists. */
START_TEST(test_data_types)
{
    struct arena a = {0};
    static const uint16_t half[3] = {0x3e00, 0xc000, 0x0001}; /* 1.5, -2, 2^-24 */
    static const double wide[3] = {1.5, -2, 0x1p-24};
    static const float single[3] = {1.5f, -2, 0x1p-24f};
    int32_t half_ints[3] = {half[0], half[1], half[2]};
    double wide_copy[3] = {1.5, -2, 0x1p-24};
    for (int kind = 0; kind < 5; kind++) {
        Onnx__ModelProto *m = onnx_make_model("in x 1,3\nconst k 3\nCast(k)->f to=1\nAdd(x,f)->y\nout y", &a);
        Onnx__TensorProto *t = m->graph->initializer[0];
        const void *raw = kind == 0 ? (const void *)half : kind == 1 ? (const void *)wide : (const void *)single;
        t->n_float_data = 0;
        t->data_type = kind == 2 ? 1 : kind == 0 || kind == 3 ? 10 : 11;
        if (kind < 3) {
            size_t size = kind == 0 ? sizeof half : kind == 1 ? sizeof wide : sizeof single;
            t->raw_data = (ProtobufCBinaryData){size, memcpy(arena_new(&a, size, 1), raw, size)};
        } else if (kind == 3) {
            t->n_int32_data = 3;
            t->int32_data = half_ints;
        } else {
            t->n_double_data = 3;
            t->double_data = wide_copy;
        }
        size_t n;
        struct err e;
        unsigned char *bytes = onnx_make_bytes(m, &a, &n);
        struct graph *g = graph_parse("test.onnx", bytes, n, &e);
        ck_assert_msg(g != NULL, "%s", e.text);
        ck_assert(memcmp(g->tensors[g->nodes[0].in[1]].data, single, sizeof single) == 0);
        graph_free(g);
    }
    arena_done(&a);
}
END_TEST

START_TEST(test_file)
{
    struct err e = {""};
    ck_assert_ptr_null(graph_load("/nonexistent/model.onnx", &e));
    ck_assert_msg(strstr(e.text, "/nonexistent/model.onnx") != NULL, "%s", e.text);
    ck_assert_ptr_null(graph_load("/nonexistent/model.onnx", NULL));
    graph_free(NULL);
}
END_TEST

Suite *check_import_suite(void)
{
    Suite *s = suite_create("import");
    TCase *t = tcase_create("import");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_operator, 0, import_cases_count);
    tcase_add_loop_test(t, test_refusal, 0, (int)(sizeof refusals / sizeof refusals[0]));
    tcase_add_test(t, test_broken_tensors);
    tcase_add_test(t, test_external_data);
    tcase_add_test(t, test_broken_models);
    tcase_add_test(t, test_cut_short);
    tcase_add_test(t, test_random_bytes);
    tcase_add_loop_test(t, test_hostile, 0, hostile_cases_count);
    tcase_add_test(t, test_long_chain);
    tcase_add_test(t, test_data_types);
    tcase_add_test(t, test_file);
    suite_add_tcase(s, t);
    return s;
}
