/* SPDX-License-Identifier: MIT
 *
 * Softmax and its kin, and normalization by mean and variance. Statistics are kept in double.
 */
#include <math.h>
#include <string.h>

#include "ops/op.h"

struct lines { /* an array as outer x n x inner along an axis */
    int64_t outer, n, inner;
};

/* Before opset 13 softmax runs over all dimensions from the axis on, since then over the axis alone. */
static int find_lines(const struct op_call *c, struct lines *l, struct err *e)
{
    const struct shape *s = &c->in[0].shape;
    bool old = c->opset < 13;
    int axis;
    if (op_axis(op_attr_int(c, "axis", old ? 1 : -1), s->n, &axis, e))
        return -1;
    *l = (struct lines){1, 1, 1};
    for (int i = 0; i < s->n; i++)
        *(i < axis ? &l->outer : i == axis || old ? &l->n : &l->inner) *= s->d[i];
    return 0;
}

static int infer_softmax(struct op_call *c, struct err *e)
{
    struct lines l;
    return find_lines(c, &l, e) ? -1 : op_infer_same_float(c, e);
}

enum kind { SOFTMAX, LOG_SOFTMAX, HARDMAX };

static const char *run_lines(const struct op_call *c, enum kind kind)
{
    struct lines l;
    struct err unused;
    if (find_lines(c, &l, &unused))
        return "no such axis";
    ARRAY_FLOATS(
        c->in[0].type, return "not a float",
        for (int64_t o = 0; o < l.outer; o++) for (int64_t k = 0; k < l.inner; k++) {
            const T *x = (const T *)c->in[0].data + o * l.n * l.inner + k;
            T *y = (T *)c->out[0].data + o * l.n * l.inner + k;
            int64_t best = 0;
            double sum = 0;
            for (int64_t i = 1; i < l.n; i++)
                best = x[i * l.inner] > x[best * l.inner] ? i : best;
            double peak = l.n ? (double)x[best * l.inner] : 0;
            for (int64_t i = 0; i < l.n && kind != HARDMAX; i++)
                sum += exp((double)x[i * l.inner] - peak);
            for (int64_t i = 0; i < l.n; i++)
                y[i * l.inner] = (T)(kind == HARDMAX   ? i == best
                                     : kind == SOFTMAX ? exp((double)x[i * l.inner] - peak) / sum
                                                       : (double)x[i * l.inner] - peak - log(sum));
        })
    return NULL;
}

static const char *run_Softmax(const struct op_call *c)
{
    return run_lines(c, SOFTMAX);
}

static const char *run_LogSoftmax(const struct op_call *c)
{
    return run_lines(c, LOG_SOFTMAX);
}

static const char *run_Hardmax(const struct op_call *c)
{
    return run_lines(c, HARDMAX);
}

static int64_t spatial_count(const struct shape *s)
{
    int64_t n = 1;
    for (int i = 2; i < s->n; i++)
        n *= s->d[i];
    return n;
}

static int check_channels(const struct op_call *c, int from, int to, struct err *e)
{
    const struct shape *s = &c->in[0].shape;
    if (s->n < 2 && !(s->n == 1 && from == 1))
        return err_set(e, "an input with %d dimensions", s->n);
    int64_t channels = s->n > 1 ? s->d[1] : 1;
    for (int k = from; k < to; k++)
        if (op_check_float(c, k, e) || c->in[k].shape.n != 1 || c->in[k].shape.d[0] != channels)
            return err_set(e, "input %d does not fit %lld channels", k, (long long)channels);
    return 0;
}

/* Ioffe and Szegedy 2015, arXiv 1502.03167, as at inference. */
static int infer_BatchNormalization(struct op_call *c, struct err *e)
{
    if (op_attr_int(c, "training_mode", 0) || !op_attr_int(c, "spatial", 1) || c->n_out > 1)
        return err_set(e, "training_mode, and spatial=0, are not supported");
    if (check_channels(c, 1, 5, e))
        return -1;
    return op_infer_same_float(c, e);
}

static const char *run_BatchNormalization(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape;
    double epsilon = op_attr_float(c, "epsilon", 1e-5f);
    int64_t channels = s->n > 1 ? s->d[1] : 1, area = spatial_count(s);
    ARRAY_FLOATS(c->in[0].type, return "not a float", {
        const T *x = c->in[0].data;
        T *y = c->out[0].data;
        for (int64_t i = 0, n = s->d[0] * channels; i < n; i++) {
            int64_t k = i % channels;
            double scale = array_double(&c->in[1], k) / sqrt(array_double(&c->in[4], k) + epsilon);
            double shift = array_double(&c->in[2], k) - array_double(&c->in[3], k) * scale;
            for (int64_t j = 0; j < area; j++, x++)
                *y++ = (T)((double)*x * scale + shift);
        }
    })
    return NULL;
}

/* y = (x - mean) / sqrt(variance + epsilon) of n numbers; the caller scales. */
#define STATISTICS(x, n, mean, inverse)                                 \
    double mean = 0, inverse = 0;                                       \
    for (int64_t i_ = 0; i_ < (n); i_++)                                \
        mean += (double)(x)[i_];                                        \
    mean /= (double)(n);                                                \
    for (int64_t i_ = 0; i_ < (n); i_++)                                \
        inverse += ((double)(x)[i_] - mean) * ((double)(x)[i_] - mean); \
    inverse = 1 / sqrt(inverse / (double)(n) + epsilon)

/* Ulyanov et al. 2016, arXiv 1607.08022: each channel of each image by itself. */
static int infer_InstanceNormalization(struct op_call *c, struct err *e)
{
    return check_channels(c, 1, 3, e) ? -1 : op_infer_same_float(c, e);
}

static const char *run_InstanceNormalization(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape;
    double epsilon = op_attr_float(c, "epsilon", 1e-5f);
    int64_t area = spatial_count(s), n = s->d[0] * s->d[1];
    ARRAY_FLOATS(
        c->in[0].type, return "not a float", for (int64_t i = 0; i < n; i++) {
            const T *x = (const T *)c->in[0].data + i * area;
            T *y = (T *)c->out[0].data + i * area;
            double scale = array_double(&c->in[1], i % s->d[1]), shift = array_double(&c->in[2], i % s->d[1]);
            STATISTICS(x, area, mean, inverse);
            for (int64_t j = 0; j < area; j++)
                y[j] = (T)(((double)x[j] - mean) * inverse * scale + shift);
        })
    return NULL;
}

/* Ba et al. 2016, arXiv 1607.06450. Outputs 1 and 2: mean and inverse deviation. */
static int infer_LayerNormalization(struct op_call *c, struct err *e)
{
    const struct shape *s = &c->in[0].shape;
    struct shape kept = *s, tail = {0};
    int axis;
    if (op_axis(op_attr_int(c, "axis", -1), s->n, &axis, e))
        return -1;
    for (int i = axis; i < s->n; i++) {
        kept.d[i] = 1;
        tail.d[tail.n++] = s->d[i];
    }
    for (int k = 1; k < 3; k++)
        if (op_has(c, k) && (op_check_float(c, k, e) || shape_count(&c->in[k].shape) != shape_count(&tail)))
            return err_set(e, "input %d does not fit", k);
    if (op_output(c, 1, DTYPE_F32, &kept, e) || op_output(c, 2, DTYPE_F32, &kept, e))
        return -1;
    return op_infer_same_float(c, e);
}

static const char *run_LayerNormalization(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape;
    double epsilon = op_attr_float(c, "epsilon", 1e-5f);
    int64_t axis = op_attr_int(c, "axis", -1), n = 1;
    axis = axis < 0 ? axis + s->n : axis;
    for (int i = (int)axis; i < s->n; i++)
        n *= s->d[i];
    int64_t rows = n ? shape_count(s) / n : 0;
    ARRAY_FLOATS(
        c->in[0].type, return "not a float", for (int64_t r = 0; r < rows; r++) {
            const T *x = (const T *)c->in[0].data + r * n;
            T *y = (T *)c->out[0].data + r * n;
            const T *scale = c->in[1].data, *shift = op_has(c, 2) ? c->in[2].data : NULL;
            STATISTICS(x, n, mean, inverse);
            for (int64_t i = 0; i < n; i++)
                y[i] = (T)(((double)x[i] - mean) * inverse * (double)scale[i] + (shift ? (double)shift[i] : 0));
            if (c->n_out > 1)
                ((float *)c->out[1].data)[r] = (float)mean;
            if (c->n_out > 2)
                ((float *)c->out[2].data)[r] = (float)inverse;
        })
    return NULL;
}

/* Wu and He 2018, arXiv 1803.08494. Scale and shift are one a group in opset 18, one a channel since 21. */
static int infer_GroupNormalization(struct op_call *c, struct err *e)
{
    const struct shape *s = &c->in[0].shape;
    int64_t groups = op_attr_int(c, "num_groups", 0);
    if (s->n < 3 || groups < 1 || s->d[1] % groups)
        return err_set(e, "%lld groups of %lld channels", (long long)groups, (long long)(s->n > 1 ? s->d[1] : 0));
    for (int k = 1; k < 3; k++) {
        int64_t n = shape_count(&c->in[k].shape);
        if (op_check_float(c, k, e) || (n != groups && n != s->d[1]))
            return err_set(e, "input %d does not fit", k);
    }
    return op_infer_same_float(c, e);
}

static const char *run_GroupNormalization(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape;
    double epsilon = op_attr_float(c, "epsilon", 1e-5f);
    int64_t groups = op_attr_int(c, "num_groups", 1), area = spatial_count(s), n = s->d[1] / groups * area;
    int64_t scales = shape_count(&c->in[1].shape), shifts = shape_count(&c->in[2].shape);
    ARRAY_FLOATS(
        c->in[0].type, return "not a float", for (int64_t i = 0; i < s->d[0] * groups && n; i++) {
            const T *x = (const T *)c->in[0].data + i * n;
            T *y = (T *)c->out[0].data + i * n;
            STATISTICS(x, n, mean, inverse);
            for (int64_t j = 0; j < n; j++) {
                int64_t group = i % groups, channel = group * (s->d[1] / groups) + j / area;
                double scale = array_double(&c->in[1], scales == groups ? group : channel);
                double shift = array_double(&c->in[2], shifts == groups ? group : channel);
                y[j] = (T)(((double)x[j] - mean) * inverse * scale + shift);
            }
        })
    return NULL;
}

/* Krizhevsky et al. 2012: divided by a power of the squares of neighbouring channels. */
static int infer_LRN(struct op_call *c, struct err *e)
{
    int64_t size = op_attr_int(c, "size", 0);
    if (size < 1 || size > 1 << 20 || c->in[0].shape.n < 2)
        return err_set(e, "%lld channels of %d dimensions", (long long)size, c->in[0].shape.n);
    return op_infer_same_float(c, e);
}

static const char *run_LRN(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape;
    int64_t size = op_attr_int(c, "size", 1), channels = s->d[1], area = spatial_count(s);
    double alpha = op_attr_float(c, "alpha", 1e-4f) / (double)size, beta = op_attr_float(c, "beta", 0.75f);
    double bias = op_attr_float(c, "bias", 1);
    ARRAY_FLOATS(
        c->in[0].type, return "not a float", for (int64_t i = 0; i < s->d[0] * channels; i++) {
            const T *x = (const T *)c->in[0].data + i * area;
            T *y = (T *)c->out[0].data + i * area;
            int64_t k = i % channels, lo = k - (size - 1) / 2, hi = k + size / 2;
            lo = lo < 0 ? 0 : lo;
            hi = hi >= channels ? channels - 1 : hi;
            for (int64_t j = 0; j < area; j++) {
                double sum = 0;
                for (int64_t m = lo; m <= hi; m++)
                    sum += (double)x[j + (m - k) * area] * (double)x[j + (m - k) * area];
                y[j] = (T)((double)x[j] / pow(bias + alpha * sum, beta));
            }
        })
    return NULL;
}

const struct op_row ops_normalize[] = {
    {"Softmax", "", 1, 1, 1, 0, infer_softmax, run_Softmax},
    {"LogSoftmax", "", 1, 1, 1, 0, infer_softmax, run_LogSoftmax},
    {"Hardmax", "", 1, 1, 1, 0, infer_softmax, run_Hardmax},
    {"BatchNormalization", "", 5, 5, 5, 0, infer_BatchNormalization, run_BatchNormalization},
    {"InstanceNormalization", "", 3, 3, 1, 0, infer_InstanceNormalization, run_InstanceNormalization},
    {"LayerNormalization", "", 2, 3, 3, 0, infer_LayerNormalization, run_LayerNormalization},
    {"GroupNormalization", "", 3, 3, 1, 0, infer_GroupNormalization, run_GroupNormalization},
    {"LRN", "", 1, 1, 1, 0, infer_LRN, run_LRN},
    {.name = NULL},
};
