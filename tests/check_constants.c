/* SPDX-License-Identifier: MIT
 *
 * Constants are changed in place where nobody else reads them: here somebody does. The graph that comes out is held
 * against the file run node by node.
 */
#include <check.h>
#include <math.h>
#include <string.h>

#include "model/graph_load.h"
#include "model/transpose.h"
#include "tests/graph_eval.h"
#include "tests/interpret.h"
#include "tests/onnx_make.h"

Suite *check_constants_suite(void);

static const char *const models[] = {
    "in x 1,3\nconst w 3,3\nMatMul(x,w)->a\nMatMul(a,w)->y\nout y",
    "in x 1,3\nconst w 3,3\nMatMul(x,w)->a\nAdd(a,w)->y\nout y",
    "in x 1,3\nconst w 3,3\nAdd(x,w)->a\nMatMul(a,w)->y\nout y",
    "in x 1,3\nconst w 3,2\nMatMul(x,w)->y\nout y\nout w",
    "in x 1,3\nconst w 3,2\nIdentity(w)->v\nMatMul(x,v)->y\nMatMul(x,w)->z\nout y\nout z",
    "in x 1,4\nconst w 2,8\nints s 2 = 4,4\nReshape(w,s)->v\nMatMul(x,v)->y\nints t 1 = "
    "16\nReshape(w,t)->u\nReshape(y,t2)->z\n"
    "ints t2 2 = 4,1\nMul(u,u)->q\nout y\nout q\nout z",
    "in x 1,4\nconst w 2,8\nints s 2 = 4,4\nReshape(w,s)->v\nReshape(w,s)->u\nMatMul(x,v)->a\nMatMul(a,u)->y\nout y",
    "in x 1,3\nconst w 3,3\nTranspose(w)->v perm=[1,0]\nMatMul(x,v)->a\nMatMul(a,w)->y\nout y",
    "in x 1,3\nconst k 3,3\nConstant()->w value=k\nMatMul(x,w)->a\nMatMul(a,w)->b\nGemm(b,w)->y transB=1\nout y",
    "in x 1,3\nconst w 3,3\nGemm(x,w)->a alpha=0.5\nGemm(a,w)->b transB=1 alpha=2.0\nGemm(b,w)->y transB=1\nout y",
    "in x 1,3\nconst w 3,2\nconst v 3,2\nGemm(x,w)->a transA=0 alpha=0.5\nGemm(x,v)->b\nAdd(a,b)->y\nout y",
    "in x 1,2,3,3\nconst w 2,2,3,3\nconst k 2,1,1\nConv(x,w)->a\nMul(a,k)->b\nConv(x,w)->c\nAdd(b,c)->y\nout y",
    "in x 1,2,3,3\nconst w 2,2,3,3\nconst k 2,1,1\nConv(x,w)->a\nMul(a,k)->b\nMul(b,k)->c\nAdd(c,k)->y\nout y",
    "in x 1,2,3,3\nconst w 2,2,3,3\nconst g 2 = 1,2\nconst o 2 = .5,-1\nconst m 2 = .25,.5\nconst v 2 = "
    "4,.5\nConv(x,w)->a\n"
    "BatchNormalization(a,g,o,m,v)->b\nMul(b,g2)->c\nconst g2 2,1,1 = 3,5\nout c\nout w",
    "in x 1,2,4\nconst w 2,2,3\nconst k 2,1\nConv(x,w)->a\nMul(a,k)->b\nConv(b,w)->y pads=[1,1]\nout y",
    "in x 1,3\nconst w 3,3\nMatMul(x,w)->a\nMatMul(w,w)->b\nAdd(a,b)->y\nout y",
};

/* The file's own meaning: its nodes one by one, on the bytes as they are. */
static void run_file(const unsigned char *bytes, size_t n, float *x, struct arena *a, struct array *out)
{
    struct case_data c = {.path = NULL};
    struct err e = {""};
    ck_assert_int_eq(onnx_read(&c.model, "test.onnx", NULL, bytes, n, &e), 0);
    struct array in = {DTYPE_F32, {c.model.inputs[0].rank, {0}}, x}, *got = arena_new(a, 8, sizeof *got);
    memcpy(in.shape.d, c.model.inputs[0].d, sizeof in.shape.d);
    c.in = &in;
    ck_assert_msg(interpret(&c, a, got, &e) == 0, "%s", e.text);
    for (int i = 0; i < c.model.n_outputs; i++) {
        out[i] = got[i];
        out[i].data = memcpy(arena_new(a, array_bytes(&got[i]) + 1, 1), got[i].data, array_bytes(&got[i]));
    }
    onnx_done(&c.model);
}

START_TEST(shared_constants)
{
    struct arena a = {0};
    struct err e = {""};
    size_t n;
    struct array want[8];
    float x[64];
    for (int i = 0; i < 64; i++)
        x[i] = onnx_make_value(i);
    unsigned char *bytes = onnx_make_bytes(onnx_make_model(models[_i], &a), &a, &n);
    run_file(bytes, n, x, &a, want);
    struct graph *g = graph_parse("test.onnx", bytes, n, &e);
    ck_assert_msg(g != NULL, "%s in\n%s", e.text, models[_i]);
    const float *inputs[] = {x};
    float **got = graph_eval(g, inputs, &a);
    for (int k = 0; k < g->n_outputs; k++) {
        const struct tensor *t = &g->tensors[g->outputs[k]];
        ck_assert(shape_equal(&t->shape, &want[k].shape));
        for (int64_t i = 0; i < shape_count(&t->shape); i++) {
            float w = ((const float *)want[k].data)[i], v = got[g->outputs[k]][i];
            ck_assert_msg(fabsf(v - w) <= 1e-5f * (1 + fabsf(w)), "output %d, %d: %g instead of %g in\n%s", k, (int)i,
                          (double)v, (double)w, models[_i]);
        }
    }
    graph_free(g);
    arena_done(&a);
}
END_TEST

START_TEST(transposed_in_place)
{
    static const int64_t sizes[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 257};
    enum { N = sizeof sizes / sizeof *sizes };
    for (int i = 0; i < N * N; i++) {
        int64_t rows = sizes[i / N], columns = sizes[i % N];
        float *x = mem_new((size_t)(rows * columns), sizeof *x);
        for (int64_t k = 0; k < rows * columns; k++)
            x[k] = (float)k;
        transpose_in_place(x, rows, columns);
        int wrong = 0;
        for (int64_t k = 0; k < rows * columns; k++)
            wrong += x[k] != (float)(k % rows * columns + k / rows);
        ck_assert_msg(!wrong, "%d x %d: %d elements", (int)rows, (int)columns, wrong);
        mem_free(x);
    }
}
END_TEST

Suite *check_constants_suite(void)
{
    Suite *s = suite_create("constants");
    TCase *t = tcase_create("constants");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, shared_constants, 0, (int)(sizeof models / sizeof *models));
    tcase_add_test(t, transposed_in_place);
    suite_add_tcase(s, t);
    return s;
}
