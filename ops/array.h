/* SPDX-License-Identifier: MIT
 *
 * Arrays: the values that ONNX operators take and give. Row-major, of ONNX's element types (halves, strings and complex
 * numbers are not among them).
 */
#ifndef BITFADER_OPS_ARRAY_H
#define BITFADER_OPS_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SHAPE_MAX = 8 };

struct shape {
    int n; /* number of dimensions, 0 for a scalar */
    int64_t d[SHAPE_MAX];
};
int64_t
shape_count(const struct shape *s); /* product of the dimensions; checked against overflow where shapes are made */
bool shape_equal(const struct shape *a, const struct shape *b);
/* stride[i] of each axis of a row-major array of this shape, in elements. */
void shape_strides(const struct shape *s, int64_t stride[SHAPE_MAX]);
/* What a and b broadcast to (NumPy's rules, ONNX "multidirectional"), or -1. out may be a or b. */
int shape_broadcast(const struct shape *a, const struct shape *b, struct shape *out);
/* Appends "1x3x32x32" or "scalar" to at most size bytes. Returns out. */
char *shape_text(const struct shape *s, char *out, size_t size);
enum { SHAPE_TEXT = SHAPE_MAX * 21 + 8 };

enum dtype {
    DTYPE_NONE, /* no array: an optional input that is left out */
    DTYPE_F32,
    DTYPE_F64,
    DTYPE_I8,
    DTYPE_I16,
    DTYPE_I32,
    DTYPE_I64,
    DTYPE_U8,
    DTYPE_U16,
    DTYPE_U32,
    DTYPE_U64,
    DTYPE_I4,   /* four bits, here in a byte each: -8..7 */
    DTYPE_U4,   /* 0..15 */
    DTYPE_BOOL, /* one byte, 0 or 1 */
    DTYPE_COUNT
};
size_t dtype_size(enum dtype t);      /* bytes of an element */
const char *dtype_name(enum dtype t); /* "float", "int64", ... as ONNX's documents call them */
bool dtype_is_float(enum dtype t);    /* F32, F64 */
bool dtype_is_integer(enum dtype t);  /* not bool */
bool dtype_is_nibble(enum dtype t);   /* I4, U4: moved, quantized and cast, not calculated with */
enum dtype dtype_of_onnx(int onnx);   /* of TensorProto.DataType; DTYPE_NONE for those that are not read */

struct array {
    enum dtype type;
    struct shape shape;
    void *data; /* row-major, or NULL: the value is not known (yet) */
};
static inline bool array_there(const struct array *a)
{
    return a->type != DTYPE_NONE;
}
size_t array_bytes(const struct array *a);
/* Element i as a double or an int64 (floats are cut towards zero), whatever the type. Slow: for parameters. */
double array_double(const struct array *a, int64_t i);
int64_t array_int(const struct array *a, int64_t i);

/* Towards zero; what does not fit becomes the nearest that does, in place of C's undefined behaviour. */
int64_t array_whole(double v);
/* v as a T, floats as they are. */
#define ARRAY_OF_DOUBLE(T, v) _Generic((T)0, float : (T)(v), double : (T)(v), default : (T)array_whole((double)(v)))

/* Runs `code` with T as the C type of an element type: a switch of one row a type. Types that are not listed give
 * `otherwise`. */
#define ARRAY_CASE_(dtype, ctype, ...) \
    case dtype: {                      \
        typedef ctype T;               \
        __VA_ARGS__;                   \
        break;                         \
    }
#define ARRAY_FLOATS(type, otherwise, ...)          \
    switch (type) {                                 \
        ARRAY_CASE_(DTYPE_F32, float, __VA_ARGS__)  \
        ARRAY_CASE_(DTYPE_F64, double, __VA_ARGS__) \
    default:                                        \
        otherwise;                                  \
    }
#define ARRAY_NUMBERS(type, otherwise, ...)           \
    switch (type) {                                   \
        ARRAY_CASE_(DTYPE_F32, float, __VA_ARGS__)    \
        ARRAY_CASE_(DTYPE_F64, double, __VA_ARGS__)   \
        ARRAY_CASE_(DTYPE_I8, int8_t, __VA_ARGS__)    \
        ARRAY_CASE_(DTYPE_I16, int16_t, __VA_ARGS__)  \
        ARRAY_CASE_(DTYPE_I32, int32_t, __VA_ARGS__)  \
        ARRAY_CASE_(DTYPE_I64, int64_t, __VA_ARGS__)  \
        ARRAY_CASE_(DTYPE_U8, uint8_t, __VA_ARGS__)   \
        ARRAY_CASE_(DTYPE_U16, uint16_t, __VA_ARGS__) \
        ARRAY_CASE_(DTYPE_U32, uint32_t, __VA_ARGS__) \
        ARRAY_CASE_(DTYPE_U64, uint64_t, __VA_ARGS__) \
        ARRAY_CASE_(DTYPE_I4, int8_t, __VA_ARGS__)    \
        ARRAY_CASE_(DTYPE_U4, uint8_t, __VA_ARGS__)   \
    default:                                          \
        otherwise;                                    \
    }
#define ARRAY_INTEGERS(type, otherwise, ...)          \
    switch (type) {                                   \
        ARRAY_CASE_(DTYPE_I8, int8_t, __VA_ARGS__)    \
        ARRAY_CASE_(DTYPE_I16, int16_t, __VA_ARGS__)  \
        ARRAY_CASE_(DTYPE_I32, int32_t, __VA_ARGS__)  \
        ARRAY_CASE_(DTYPE_I64, int64_t, __VA_ARGS__)  \
        ARRAY_CASE_(DTYPE_U8, uint8_t, __VA_ARGS__)   \
        ARRAY_CASE_(DTYPE_U16, uint16_t, __VA_ARGS__) \
        ARRAY_CASE_(DTYPE_U32, uint32_t, __VA_ARGS__) \
        ARRAY_CASE_(DTYPE_U64, uint64_t, __VA_ARGS__) \
        ARRAY_CASE_(DTYPE_I4, int8_t, __VA_ARGS__)    \
        ARRAY_CASE_(DTYPE_U4, uint8_t, __VA_ARGS__)   \
    default:                                          \
        otherwise;                                    \
    }
/* By size alone, for operators that move elements without looking at them. */
#define ARRAY_SIZES(type, ...)                \
    switch (dtype_size(type)) {               \
        ARRAY_CASE_(1, uint8_t, __VA_ARGS__)  \
        ARRAY_CASE_(2, uint16_t, __VA_ARGS__) \
        ARRAY_CASE_(4, uint32_t, __VA_ARGS__) \
        ARRAY_CASE_(8, uint64_t, __VA_ARGS__) \
    default:                                  \
        break;                                \
    }

#endif
