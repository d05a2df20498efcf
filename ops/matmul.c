/* SPDX-License-Identifier: MIT
 *
 * Matrix products: float by OpenBLAS, other types by plain loops.
 */
#include <cblas.h>
#include <string.h>

#include "ops/op.h"

struct product {              /* [batch..][m][k] x [batch..][k][n] */
    struct shape a, b, batch; /* batch dimensions of each, and of both */
    int64_t m, k, n;
    bool vector_a, vector_b; /* one-dimensional: a row, a column */
};

static int read_product(const struct op_call *c, struct product *p, struct err *e)
{
    struct shape a = c->in[0].shape, b = c->in[1].shape;
    char x[SHAPE_TEXT], y[SHAPE_TEXT];
    *p = (struct product){.vector_a = a.n == 1, .vector_b = b.n == 1};
    if (a.n < 1 || b.n < 1)
        return err_set(e, "a product with a scalar");
    p->m = p->vector_a ? 1 : a.d[a.n - 2];
    p->k = a.d[a.n - 1];
    p->n = p->vector_b ? 1 : b.d[b.n - 1];
    int64_t inner = p->vector_b ? b.d[0] : b.d[b.n - 2];
    p->a = a;
    p->b = b;
    p->a.n = a.n < 2 ? 0 : a.n - 2;
    p->b.n = b.n < 2 ? 0 : b.n - 2;
    if (inner != p->k || shape_broadcast(&p->a, &p->b, &p->batch))
        return err_set(e, "shapes %s and %s do not fit", shape_text(&a, x, sizeof x), shape_text(&b, y, sizeof y));
    return 0;
}

static int infer_MatMul(struct op_call *c, struct err *e)
{
    struct product p;
    if (op_check_number(c, 0, e) || op_check_same(c, 0, 1, e) || read_product(c, &p, e))
        return -1;
    struct shape to = p.batch;
    if (to.n + 2 > SHAPE_MAX)
        return err_set(e, "too many dimensions");
    if (!p.vector_a)
        to.d[to.n++] = p.m;
    if (!p.vector_b)
        to.d[to.n++] = p.n;
    return op_output(c, 0, c->in[0].type, &to, e);
}

static void multiply(enum dtype type, const struct product *p, const void *a, const void *b, void *y)
{
    if (type == DTYPE_F32 && p->m && p->n && p->k) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->m, (int)p->n, (int)p->k, 1, a, (int)p->k, b,
                    (int)p->n, 0, y, (int)p->n);
        return;
    }
    ARRAY_NUMBERS(
        type, return, for (int64_t i = 0; i < p->m; i++) {
            T *row = (T *)y + i * p->n;
            for (int64_t j = 0; j < p->n; j++)
                row[j] = 0;
            for (int64_t k = 0; k < p->k; k++) {
                T x = ((const T *)a)[i * p->k + k];
                for (int64_t j = 0; j < p->n; j++)
                    row[j] = (T)(row[j] + x * ((const T *)b)[k * p->n + j]);
            }
        })
}

static const char *run_MatMul(const struct op_call *c)
{
    struct product p;
    struct err unused;
    if (read_product(c, &p, &unused))
        return "its inputs do not fit";
    struct op_walk w;
    op_walk_begin(&w, &p.batch, &p.a, &p.b);
    int64_t size = (int64_t)dtype_size(c->in[0].type), y = 0;
    for (int64_t row = 0; row < w.rows; row++, op_walk_next(&w))
        for (int64_t i = 0; i < w.inner; i++, y += p.m * p.n)
            multiply(c->in[0].type, &p, (const char *)c->in[0].data + (w.offset_a + i * w.step_a) * p.m * p.k * size,
                     (const char *)c->in[1].data + (w.offset_b + i * w.step_b) * p.k * p.n * size,
                     (char *)c->out[0].data + y * size);
    return NULL;
}

static int infer_Gemm(struct op_call *c, struct err *e)
{
    const struct shape *a = &c->in[0].shape, *b = &c->in[1].shape;
    bool ta = op_attr_int(c, "transA", 0), tb = op_attr_int(c, "transB", 0);
    if (op_check_number(c, 0, e) || op_check_same(c, 0, 1, e) || op_check_same(c, 0, 2, e))
        return -1;
    if (a->n != 2 || b->n != 2 || a->d[!ta] != b->d[tb])
        return err_set(e, "its inputs do not fit");
    struct shape to = {2, {a->d[ta], b->d[!tb]}}, both = to;
    if (op_has(c, 2) && (shape_broadcast(&c->in[2].shape, &to, &both) || !shape_equal(&both, &to)))
        return err_set(e, "input 2 does not broadcast to the output");
    return op_output(c, 0, c->in[0].type, &to, e);
}

static const char *run_Gemm(const struct op_call *c)
{
    const struct shape *a = &c->in[0].shape;
    bool ta = op_attr_int(c, "transA", 0), tb = op_attr_int(c, "transB", 0);
    float alpha = op_attr_float(c, "alpha", 1), beta = op_attr_float(c, "beta", 1);
    int64_t m = c->out[0].shape.d[0], n = c->out[0].shape.d[1], k = a->d[!ta];
    ARRAY_NUMBERS(c->in[0].type, return "not a number", {
        T *y = c->out[0].data;
        struct op_walk w;
        if (op_has(c, 2))
            op_walk_begin(&w, &c->out[0].shape, &c->in[2].shape, &c->in[2].shape);
        else
            memset(y, 0, array_bytes(&c->out[0]));
        for (int64_t row = 0; op_has(c, 2) && row < w.rows; row++, op_walk_next(&w))
            for (int64_t i = 0; i < w.inner; i++)
                *y++ = ARRAY_OF_DOUBLE(T, beta * ((const T *)c->in[2].data)[w.offset_a + i * w.step_a]);
        y = c->out[0].data;
        const T *x = c->in[0].data, *z = c->in[1].data;
        for (int64_t i = 0; i < m && c->in[0].type != DTYPE_F32; i++)
            for (int64_t p = 0; p < k; p++)
                for (int64_t j = 0; j < n; j++)
                    y[i * n + j] = ARRAY_OF_DOUBLE(T, y[i * n + j] + alpha * (ta ? x[p * m + i] : x[i * k + p]) *
                                                                         (tb ? z[j * k + p] : z[p * n + j]));
    })
    if (c->in[0].type == DTYPE_F32 && m && n && k)
        cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)m, (int)n,
                    (int)k, alpha, c->in[0].data, (int)a->d[1], c->in[1].data, (int)c->in[1].shape.d[1], 1,
                    c->out[0].data, (int)n);
    return NULL;
}

const struct op_row ops_matmul[] = {
    {"MatMul", "", 2, 2, 1, 0, infer_MatMul, run_MatMul},
    {"Gemm", "", 2, 3, 1, 0, infer_Gemm, run_Gemm},
    {.name = NULL},
};
