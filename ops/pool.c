/* SPDX-License-Identifier: MIT
 *
 * Pooling over windows and over whole images.
 */
#include <math.h>
#include <string.h>

#include "ops/window.h"

static int infer_pool(struct op_call *c, struct err *e)
{
    struct op_window w;
    if (op_window_read(c, NULL, &w, e))
        return -1;
    struct shape to = {w.n + 2, {c->in[0].shape.d[0], c->in[0].shape.d[1]}};
    memcpy(to.d + 2, w.out, (size_t)w.n * sizeof *to.d);
    if (op_output(c, 1, DTYPE_I64, &to, e))
        return -1;
    return op_output(c, 0, c->in[0].type, &to, e);
}

static int infer_MaxPool(struct op_call *c, struct err *e)
{
    return op_check_number(c, 0, e) ? -1 : infer_pool(c, e);
}

static int infer_float_pool(struct op_call *c, struct err *e)
{
    return op_check_float(c, 0, e) ? -1 : infer_pool(c, e);
}

/* Where tap of the window at `at` looks: an index into the image, or -1 outside. *padded: it lies in the padding at
 * least. */
static int64_t place(const struct op_window *w, const int64_t *at, const int64_t *tap, bool *padded)
{
    int64_t from = 0;
    bool inside = true;
    *padded = true;
    for (int i = 0; i < w->n; i++) {
        int64_t p = at[i] * w->stride[i] - w->begin[i] + tap[i] * w->dilation[i];
        inside &= p >= 0 && p < w->in[i];
        *padded &= p < w->in[i] + w->end[i];
        from = from * w->in[i] + p;
    }
    return inside ? from : -1;
}

/* storage_order 1 counts indices column-major. */
static int64_t column_major(const struct op_window *w, int64_t at)
{
    int64_t out = 0, step = 1, d[SPATIAL_MAX];
    for (int i = w->n - 1; i >= 0; i--) {
        d[i] = at % w->in[i];
        at /= w->in[i];
    }
    for (int i = 0; i < w->n; i++) {
        out += d[i] * step;
        step *= w->in[i];
    }
    return out;
}

static const char *run_MaxPool(const struct op_call *c)
{
    struct op_window w;
    struct err unused;
    bool padded, turned = op_attr_int(c, "storage_order", 0);
    if (op_window_read(c, NULL, &w, &unused))
        return "its window does not fit";
    int64_t images = c->in[0].shape.d[0] * c->in[0].shape.d[1], *indices = c->n_out > 1 ? c->out[1].data : NULL;
    ARRAY_NUMBERS(c->in[0].type, return "not a number", {
        T *y = c->out[0].data;
        for (int64_t k = 0; k < images; k++) {
            const T *x = (const T *)c->in[0].data + k * w.area_in;
            int64_t at[SPATIAL_MAX] = {0};
            do {
                int64_t tap[SPATIAL_MAX] = {0}, best = -1;
                do {
                    int64_t from = place(&w, at, tap, &padded);
                    if (from >= 0 && (best < 0 || x[from] > x[best]))
                        best = from;
                } while (op_window_next(&w, w.kernel, tap));
                *y++ = best < 0 ? (dtype_is_float(c->in[0].type) ? (T)-INFINITY : 0) : x[best];
                if (indices)
                    *indices++ = best < 0 ? -1 : k * w.area_in + (turned ? column_major(&w, best) : best);
            } while (op_window_next(&w, w.out, at));
        }
    })
    return NULL;
}

/* p = 0: the mean; else the p-norm. */
static const char *run_sums(const struct op_call *c, double p)
{
    struct op_window w;
    struct err unused;
    bool padded, all = op_attr_int(c, "count_include_pad", 0);
    if (op_window_read(c, NULL, &w, &unused))
        return "its window does not fit";
    int64_t images = c->in[0].shape.d[0] * c->in[0].shape.d[1];
    ARRAY_FLOATS(c->in[0].type, return "not a float", {
        T *y = c->out[0].data;
        for (int64_t k = 0; k < images; k++) {
            const T *x = (const T *)c->in[0].data + k * w.area_in;
            int64_t at[SPATIAL_MAX] = {0};
            do {
                int64_t tap[SPATIAL_MAX] = {0}, n = 0;
                double sum = 0;
                do {
                    int64_t from = place(&w, at, tap, &padded);
                    n += all ? padded : from >= 0;
                    if (from >= 0)
                        sum += p == 0 ? (double)x[from] : pow(fabs((double)x[from]), p);
                } while (op_window_next(&w, w.kernel, tap));
                *y++ = (T)(p == 0 ? (n ? sum / (double)n : 0) : pow(sum, 1 / p));
            } while (op_window_next(&w, w.out, at));
        }
    })
    return NULL;
}

static const char *run_AveragePool(const struct op_call *c)
{
    return run_sums(c, 0);
}

static const char *run_LpPool(const struct op_call *c)
{
    return run_sums(c, (double)op_attr_int(c, "p", 2));
}

static int infer_LpPool(struct op_call *c, struct err *e)
{
    int64_t p = op_attr_int(c, "p", 2);
    return p < 1 ? err_set(e, "p is %lld", (long long)p) : infer_float_pool(c, e);
}

static int infer_global(struct op_call *c, struct err *e)
{
    struct shape to = c->in[0].shape;
    if (to.n < 3)
        return err_set(e, "an input with %d dimensions", to.n);
    for (int i = 2; i < to.n; i++)
        to.d[i] = 1;
    return op_check_float(c, 0, e) ? -1 : op_output(c, 0, c->in[0].type, &to, e);
}

#define GLOBAL(name, start, step, finish)                                               \
    static const char *run_##name(const struct op_call *c)                              \
    {                                                                                   \
        const struct shape *s = &c->in[0].shape;                                        \
        int64_t images = s->d[0] * s->d[1], n = 1;                                      \
        double p = (double)op_attr_int(c, "p", 2);                                      \
        (void)p;                                                                        \
        for (int i = 2; i < s->n; i++)                                                  \
            n *= s->d[i];                                                               \
        ARRAY_FLOATS(                                                                   \
            c->in[0].type, return "not a float", for (int64_t k = 0; k < images; k++) { \
                const T *row = (const T *)c->in[0].data + k * n;                        \
                double y = start;                                                       \
                for (int64_t i = 0; i < n; i++) {                                       \
                    double x = (double)row[i];                                          \
                    y = step;                                                           \
                }                                                                       \
                ((T *)c->out[0].data)[k] = (T)(finish);                                 \
            })                                                                          \
        return NULL;                                                                    \
    }
GLOBAL(GlobalAveragePool, 0, y + x, y / (double)n)
GLOBAL(GlobalMaxPool, -INFINITY, x > y ? x : y, y)
GLOBAL(GlobalLpPool, 0, y + pow(fabs(x), p), pow(y, 1 / p))

const struct op_row ops_pool[] = {
    {"MaxPool", "", 1, 1, 2, 0, infer_MaxPool, run_MaxPool},
    {"AveragePool", "", 1, 1, 1, 0, infer_float_pool, run_AveragePool},
    {"LpPool", "", 1, 1, 1, 0, infer_LpPool, run_LpPool},
    {"GlobalAveragePool", "", 1, 1, 1, 0, infer_global, run_GlobalAveragePool},
    {"GlobalMaxPool", "", 1, 1, 1, 0, infer_global, run_GlobalMaxPool},
    {"GlobalLpPool", "", 1, 1, 1, 0, infer_global, run_GlobalLpPool},
    {.name = NULL},
};
