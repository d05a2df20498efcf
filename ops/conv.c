/* SPDX-License-Identifier: MIT
 *
 * Convolutions of 1 to 3 dimensions: rows of taps, then a matrix product by OpenBLAS.
 */
#include <cblas.h>
#include <string.h>

#include "ops/window.h"

enum { BLOCK_BYTES = 256 * 1024 }; /* of taps at a time: they stay in the second level cache */

struct conv {
    struct op_window w;
    int64_t groups, cin, cout, k; /* channels of a group, products of an output */
    int64_t block;                /* outputs at a time */
};

static int read_conv(const struct op_call *c, struct conv *v, struct err *e)
{
    const struct shape *x = &c->in[0].shape, *w = &c->in[1].shape;
    v->groups = op_attr_int(c, "group", 1);
    if (x->n < 3 || w->n != x->n || v->groups < 1 || x->d[1] % v->groups || w->d[0] % v->groups ||
        x->d[1] / v->groups != w->d[1] || !w->d[0]) {
        char a[SHAPE_TEXT], b[SHAPE_TEXT];
        return err_set(e, "weights of shape %s and group %lld do not fit an input of shape %s",
                       shape_text(w, a, sizeof a), (long long)v->groups, shape_text(x, b, sizeof b));
    }
    if (op_has(c, 2) && shape_count(&c->in[2].shape) != w->d[0])
        return err_set(e, "a bias of %lld values does not fit %lld outputs", (long long)shape_count(&c->in[2].shape),
                       (long long)w->d[0]);
    if (op_window_read(c, w->d + 2, &v->w, e))
        return -1;
    v->cin = x->d[1] / v->groups;
    v->cout = w->d[0] / v->groups;
    if (__builtin_mul_overflow(v->w.taps, v->cin, &v->k) || v->k > ARRAY_MAX)
        return err_set(e, "its weights are too large");
    v->block = v->k ? BLOCK_BYTES / (int64_t)sizeof(float) / v->k : v->w.area_out;
    v->block = v->block < 8 ? 8 : v->block;
    v->block = v->block > v->w.area_out ? v->w.area_out : v->block;
    return 0;
}

static int infer_Conv(struct op_call *c, struct err *e)
{
    struct conv v;
    for (int k = 0; k < 3; k++)
        if (op_check_type(c, k, DTYPE_F32, e))
            return -1;
    if (read_conv(c, &v, e))
        return -1;
    struct shape to = {c->in[0].shape.n, {c->in[0].shape.d[0], c->in[1].shape.d[0]}};
    memcpy(to.d + 2, v.w.out, (size_t)v.w.n * sizeof *to.d);
    c->work_bytes = (size_t)v.block * (size_t)v.k * sizeof(float);
    return op_output(c, 0, DTYPE_F32, &to, e);
}

/* Row p of rows[k][block] is what tap p sees at outputs first..first+n-1. */
static void take_taps(const struct op_window *w, int64_t channels, const float *x, int64_t first, int64_t n,
                      float *rows)
{
    for (int64_t ch = 0; ch < channels; ch++, x += w->area_in) {
        int64_t tap[SPATIAL_MAX] = {0};
        do {
            int64_t at[SPATIAL_MAX], rest = first;
            for (int i = w->n - 1; i >= 0; i--) {
                at[i] = rest % w->out[i];
                rest /= w->out[i];
            }
            for (int64_t o = 0; o < n; o++) {
                int64_t from = 0;
                bool inside = true;
                for (int i = 0; i < w->n; i++) {
                    int64_t p = at[i] * w->stride[i] - w->begin[i] + tap[i] * w->dilation[i];
                    inside &= p >= 0 && p < w->in[i];
                    from = from * w->in[i] + p;
                }
                *rows++ = inside ? x[from] : 0;
                op_window_next(w, w->out, at);
            }
        } while (op_window_next(w, w->kernel, tap));
    }
}

static const char *run_Conv(const struct op_call *c)
{
    struct conv v;
    struct err unused;
    if (read_conv(c, &v, &unused))
        return "its parameters do not fit";
    int64_t area = v.w.area_out;
    const float *bias = op_has(c, 2) ? c->in[2].data : NULL;
    for (int64_t image = 0; image < c->in[0].shape.d[0]; image++)
        for (int64_t g = 0; g < v.groups; g++) {
            const float *x = (const float *)c->in[0].data + (image * v.groups + g) * v.cin * v.w.area_in;
            const float *w = (const float *)c->in[1].data + g * v.cout * v.k;
            float *y = (float *)c->out[0].data + (image * v.groups + g) * v.cout * area;
            for (int64_t o = 0; o < v.cout; o++)
                for (int64_t i = 0; i < area; i++)
                    y[o * area + i] = bias ? bias[g * v.cout + o] : 0;
            for (int64_t first = 0; first < area && v.k; first += v.block) {
                int64_t n = area - first < v.block ? area - first : v.block;
                take_taps(&v.w, v.cin, x, first, n, c->work);
                cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)v.cout, (int)n, (int)v.k, 1, w, (int)v.k,
                            c->work, (int)n, 1, y + first, (int)area);
            }
        }
    return NULL;
}

/* --- the other way round
 * ---------------------------------------------------------------------------------------------- */

/* The window here is that of the convolution whose gradient this is: in and out are exchanged. */
static int read_transposed(const struct op_call *c, struct conv *v, struct err *e)
{
    const struct shape *x = &c->in[0].shape, *k = &c->in[1].shape;
    v->groups = op_attr_int(c, "group", 1);
    if (x->n < 3 || k->n != x->n || v->groups < 1 || x->d[1] % v->groups || k->d[0] != x->d[1])
        return err_set(e, "its weights do not fit its input");
    if (op_window_transposed(c, &v->w, e))
        return -1;
    v->cin = x->d[1] / v->groups;
    v->cout = k->d[1];
    if (op_has(c, 2) && shape_count(&c->in[2].shape) != v->cout * v->groups)
        return err_set(e, "its bias does not fit its weights");
    return 0;
}

static int infer_ConvTranspose(struct op_call *c, struct err *e)
{
    struct conv v;
    for (int k = 0; k < 3; k++)
        if (op_check_type(c, k, DTYPE_F32, e))
            return -1;
    if (read_transposed(c, &v, e))
        return -1;
    struct shape to = {c->in[0].shape.n, {c->in[0].shape.d[0], v.cout * v.groups}};
    memcpy(to.d + 2, v.w.in, (size_t)v.w.n * sizeof *to.d);
    size_t columns;
    if (__builtin_mul_overflow((size_t)v.cout * (size_t)v.w.taps, (size_t)v.w.area_out * sizeof(float), &columns) ||
        columns > (size_t)1 << 32)
        return err_set(e, "its window is too large");
    c->work_bytes = columns;
    return op_output(c, 0, DTYPE_F32, &to, e);
}

/* What every tap adds at every position: columns[cout * taps][area]. */
static void add_columns(const struct conv *v, const float *columns, float *y)
{
    const struct op_window *w = &v->w;
    for (int64_t ch = 0; ch < v->cout; ch++, y += w->area_in) {
        int64_t tap[SPATIAL_MAX] = {0};
        do {
            int64_t at[SPATIAL_MAX] = {0};
            do {
                int64_t to = 0;
                bool inside = true;
                for (int i = 0; i < w->n; i++) {
                    int64_t p = at[i] * w->stride[i] - w->begin[i] + tap[i] * w->dilation[i];
                    inside &= p >= 0 && p < w->in[i];
                    to = to * w->in[i] + p;
                }
                if (inside)
                    y[to] += *columns;
                columns++;
            } while (op_window_next(w, w->out, at));
        } while (op_window_next(w, w->kernel, tap));
    }
}

static const char *run_ConvTranspose(const struct op_call *c)
{
    struct conv v;
    struct err unused;
    if (read_transposed(c, &v, &unused))
        return "its parameters do not fit";
    const float *bias = op_has(c, 2) ? c->in[2].data : NULL;
    int64_t k = v.cout * v.w.taps, n = v.w.area_out;
    for (int64_t image = 0; image < c->in[0].shape.d[0]; image++)
        for (int64_t g = 0; g < v.groups; g++) {
            const float *x = (const float *)c->in[0].data + (image * v.groups + g) * v.cin * n;
            const float *w = (const float *)c->in[1].data + g * v.cin * k;
            float *y = (float *)c->out[0].data + (image * v.groups + g) * v.cout * v.w.area_in;
            for (int64_t i = 0; i < v.cout * v.w.area_in; i++)
                y[i] = bias ? bias[g * v.cout + i / v.w.area_in] : 0;
            cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)k, (int)n, (int)v.cin, 1, w, (int)k, x, (int)n, 0,
                        c->work, (int)n);
            add_columns(&v, c->work, y);
        }
    return NULL;
}

const struct op_row ops_conv[] = {
    {"Conv", "", 2, 3, 1, 0, infer_Conv, run_Conv},
    {"ConvTranspose", "", 2, 3, 1, 0, infer_ConvTranspose, run_ConvTranspose},
    {.name = NULL},
};
