/* SPDX-License-Identifier: MIT */
#include "ops/array.h"

#include <stdio.h>
#include <string.h>

int64_t shape_count(const struct shape *s)
{
    int64_t n = 1;
    for (int i = 0; i < s->n; i++)
        n *= s->d[i];
    return n;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
    return a->n == b->n && memcmp(a->d, b->d, (size_t)a->n * sizeof a->d[0]) == 0;
}

void shape_strides(const struct shape *s, int64_t stride[SHAPE_MAX])
{
    int64_t n = 1;
    for (int i = s->n - 1; i >= 0; i--) {
        stride[i] = n;
        n *= s->d[i];
    }
}

int shape_broadcast(const struct shape *a, const struct shape *b, struct shape *out)
{
    struct shape to = {.n = a->n > b->n ? a->n : b->n};
    for (int i = 0; i < to.n; i++) {
        int ka = i - (to.n - a->n), kb = i - (to.n - b->n);
        int64_t da = ka < 0 ? 1 : a->d[ka], db = kb < 0 ? 1 : b->d[kb];
        if (da != db && da != 1 && db != 1)
            return -1;
        to.d[i] = da == 1 ? db : da;
    }
    *out = to;
    return 0;
}

char *shape_text(const struct shape *s, char *out, size_t size)
{
    size_t at = 0;
    snprintf(out, size, "%s", s->n ? "" : "scalar");
    for (int i = 0; i < s->n && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%lld", i ? "x" : "", (long long)s->d[i]);
    return out;
}

static const struct {
    const char *name;
    size_t size;
    int onnx; /* TensorProto.DataType */
} types[DTYPE_COUNT] = {
    [DTYPE_NONE] = {"nothing", 0, 0}, [DTYPE_F32] = {"float", 4, 1},   [DTYPE_F64] = {"double", 8, 11},
    [DTYPE_I8] = {"int8", 1, 3},      [DTYPE_I16] = {"int16", 2, 5},   [DTYPE_I32] = {"int32", 4, 6},
    [DTYPE_I64] = {"int64", 8, 7},    [DTYPE_U8] = {"uint8", 1, 2},    [DTYPE_U16] = {"uint16", 2, 4},
    [DTYPE_U32] = {"uint32", 4, 12},  [DTYPE_U64] = {"uint64", 8, 13}, [DTYPE_BOOL] = {"bool", 1, 9},
    [DTYPE_I4] = {"int4", 1, 22},     [DTYPE_U4] = {"uint4", 1, 21},
};

size_t dtype_size(enum dtype t)
{
    return types[t].size;
}

const char *dtype_name(enum dtype t)
{
    return types[t].name;
}

bool dtype_is_float(enum dtype t)
{
    return t == DTYPE_F32 || t == DTYPE_F64;
}

bool dtype_is_integer(enum dtype t)
{
    return t >= DTYPE_I8 && t <= DTYPE_U4;
}

bool dtype_is_nibble(enum dtype t)
{
    return t == DTYPE_I4 || t == DTYPE_U4;
}

enum dtype dtype_of_onnx(int onnx)
{
    for (int t = DTYPE_F32; t < DTYPE_COUNT; t++)
        if (types[t].onnx == onnx)
            return (enum dtype)t;
    return DTYPE_NONE;
}

size_t array_bytes(const struct array *a)
{
    return (size_t)shape_count(&a->shape) * dtype_size(a->type);
}

int64_t array_whole(double v)
{
    return v != v ? 0 : v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

double array_double(const struct array *a, int64_t i){
    ARRAY_NUMBERS(a->type, return ((const uint8_t *)a->data)[i], return (double)((const T *)a->data)[i])}

int64_t array_int(const struct array *a, int64_t i)
{
    ARRAY_NUMBERS(a->type, return ((const uint8_t *)a->data)[i],
                  return _Generic((T)0, float
                                  : array_whole((double)((const T *)a->data)[i]), double
                                  : array_whole((double)((const T *)a->data)[i]), default
                                  : (int64_t)((const T *)a->data)[i]))
}
