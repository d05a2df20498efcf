/* SPDX-License-Identifier: MIT
 *
 * Arithmetic on two arrays and more, with broadcasting (ONNX, docs/Broadcasting.md).
 */
#include <math.h>
#include <string.h>

#include "ops/op.h"

/* Before opset 7 the second operand lies on the first from `axis` on, when broadcast=1. */
struct shape op_old_broadcast(const struct op_call *c)
{
    struct shape b = c->in[1].shape;
    int rank = c->in[0].shape.n;
    if (c->opset >= 7 || !op_attr_int(c, "broadcast", 0))
        return b;
    int64_t axis = op_attr_int(c, "axis", rank - b.n);
    axis = axis < 0 ? axis + rank : axis;
    while (axis >= 0 && b.n + axis < rank && b.n < SHAPE_MAX)
        b.d[b.n++] = 1;
    return b;
}

int op_infer_pair(struct op_call *c, enum dtype type, struct err *e)
{
    struct shape b = op_old_broadcast(c), to;
    char x[SHAPE_TEXT], y[SHAPE_TEXT];
    if (shape_broadcast(&c->in[0].shape, &b, &to))
        return err_set(e, "shapes %s and %s do not broadcast", shape_text(&c->in[0].shape, x, sizeof x),
                       shape_text(&c->in[1].shape, y, sizeof y));
    return op_output(c, 0, type, &to, e);
}

static int infer_numbers(struct op_call *c, struct err *e)
{
    if (op_check_number(c, 0, e) || op_check_same(c, 0, 1, e))
        return -1;
    return op_infer_pair(c, c->in[0].type, e);
}

/* Rows of z from rows of x and y; loops that the compiler can make vectors of, for the three shapes of rows there are.
 */
#define PAIR(X, Y, Z, expression)                                                     \
    do {                                                                              \
        const X *a = c->in[0].data;                                                   \
        const Y *b = c->in[1].data;                                                   \
        Z *to = c->out[0].data;                                                       \
        struct op_walk w;                                                             \
        struct shape second = op_old_broadcast(c);                                    \
        op_walk_begin(&w, &c->out[0].shape, &c->in[0].shape, &second);                \
        for (int64_t row = 0; row < w.rows; row++, op_walk_next(&w), to += w.inner) { \
            const X *p = a + w.offset_a;                                              \
            const Y *q = b + w.offset_b;                                              \
            if (w.step_a == 1 && w.step_b == 1)                                       \
                for (int64_t i = 0; i < w.inner; i++) {                               \
                    const X x = p[i];                                                 \
                    const Y y = q[i];                                                 \
                    to[i] = (Z)(expression);                                          \
                }                                                                     \
            else                                                                      \
                for (int64_t i = 0; i < w.inner; i++) {                               \
                    const X x = p[i * w.step_a];                                      \
                    const Y y = q[i * w.step_b];                                      \
                    to[i] = (Z)(expression);                                          \
                }                                                                     \
        }                                                                             \
    } while (0)

/* Whole numbers wrap around, as they do in the runtimes: computed unsigned. */
#define WRAPPING(name, op)                                                                              \
    static const char *run_##name(const struct op_call *c)                                              \
    {                                                                                                   \
        ARRAY_FLOATS(c->in[0].type, goto integers, PAIR(T, T, T, x op y))                               \
        return NULL;                                                                                    \
    integers:                                                                                           \
        ARRAY_INTEGERS(c->in[0].type, return "not a number", PAIR(T, T, T, (uint64_t)x op(uint64_t) y)) \
        return NULL;                                                                                    \
    }
WRAPPING(Add, +)
WRAPPING(Sub, -)
WRAPPING(Mul, *)

static bool has_zero(const struct array *a)
{
    for (int64_t i = 0, n = shape_count(&a->shape); i < n; i++)
        if (!array_int(a, i))
            return true;
    return false;
}

static const char *run_Div(const struct op_call *c)
{
    ARRAY_FLOATS(c->in[0].type, goto integers, PAIR(T, T, T, x / y))
    return NULL;
integers:
    if (has_zero(&c->in[1]))
        return "division by zero";
    ARRAY_INTEGERS(c->in[0].type, return "not a number",
                   PAIR(T, T, T, y == (T)-1 && (T)-1 < 1 ? 0 - (uint64_t)x : (uint64_t)(x / y)))
    return NULL;
}

/* The rest of a division, from what C calls %: with the sign of the divisor unless C's is wanted. */
static int64_t floor_rest(int64_t rest, int64_t divisor, bool as_c)
{
    return !as_c && rest && (rest < 0) != (divisor < 0) ? rest + divisor : rest;
}

/* fmod=1: the sign of the dividend, as C's. Else that of the divisor, and whole numbers only. */
static const char *run_Mod(const struct op_call *c)
{
    bool c_like = op_attr_int(c, "fmod", 0);
    ARRAY_FLOATS(c->in[0].type, goto integers, PAIR(T, T, T, fmod(x, y)))
    return NULL;
integers:
    if (has_zero(&c->in[1]))
        return "division by zero";
    ARRAY_INTEGERS(c->in[0].type, return "not a number",
                   PAIR(T, T, T, y == (T)-1 && (T)-1 < 1 ? 0 : floor_rest((int64_t)(x % y), (int64_t)y, c_like)))
    return NULL;
}

static double power(double x, double y)
{
    return y == 2 ? x * x : y == 0.5 ? sqrt(x) : pow(x, y);
}

/* The exponent may have another type. */
static const char *run_Pow(const struct op_call *c)
{
    struct op_walk w;
    struct shape second = op_old_broadcast(c);
    op_walk_begin(&w, &c->out[0].shape, &c->in[0].shape, &second);
    ARRAY_NUMBERS(c->in[0].type, return "not a number", {
        T *to = c->out[0].data;
        for (int64_t row = 0; row < w.rows; row++, op_walk_next(&w))
            for (int64_t i = 0; i < w.inner; i++) {
                double y = power((double)((const T *)c->in[0].data)[w.offset_a + i * w.step_a],
                                 array_double(&c->in[1], w.offset_b + i * w.step_b));
                *to++ = ARRAY_OF_DOUBLE(T, y);
            }
    })
    return NULL;
}

static int infer_Pow(struct op_call *c, struct err *e)
{
    if (op_check_number(c, 0, e) || op_check_number(c, 1, e))
        return -1;
    return op_infer_pair(c, c->in[0].type, e);
}

static int infer_integers(struct op_call *c, struct err *e)
{
    if (!dtype_is_integer(c->in[0].type))
        return err_set(e, "%s takes whole numbers", c->row->name);
    return infer_numbers(c, e);
}

static const char *run_BitShift(const struct op_call *c)
{
    bool left = !strcmp(op_attr_string(c, "direction", "LEFT"), "LEFT");
    ARRAY_INTEGERS(c->in[0].type, return "not a whole number",
                   PAIR(T, T, T,
                        (uint64_t)y >= 8 * sizeof(T) ? 0
                        : left                       ? (uint64_t)x << y
                                                     : (uint64_t)x >> y))
    return NULL;
}
#define BITWISE(name, op)                                                                 \
    static const char *run_##name(const struct op_call *c)                                \
    {                                                                                     \
        ARRAY_INTEGERS(c->in[0].type, return "not a whole number", PAIR(T, T, T, x op y)) \
        return NULL;                                                                      \
    }
BITWISE(BitwiseAnd, &)
BITWISE(BitwiseOr, |)
BITWISE(BitwiseXor, ^)

static const char *run_BitwiseNot(const struct op_call *c)
{
    int64_t n = shape_count(&c->in[0].shape);
    ARRAY_INTEGERS(c->in[0].type, return "not a whole number", {
        for (int64_t i = 0; i < n; i++)
            ((T *)c->out[0].data)[i] = (T) ~((const T *)c->in[0].data)[i];
    })
    return NULL;
}

/* --- any number of operands ------------------------------------------------------------------------------------------
 */

static int infer_many(struct op_call *c, struct err *e)
{
    struct shape to = c->in[0].shape;
    for (int k = 0; k < c->n_in; k++) {
        if (!op_has(c, k))
            return err_set(e, "input %d is missing", k);
        if (op_check_number(c, k, e) || op_check_same(c, 0, k, e))
            return -1;
        if (shape_broadcast(&to, &c->in[k].shape, &to))
            return err_set(e, "input %d does not broadcast to the others", k);
    }
    return op_output(c, 0, c->in[0].type, &to, e);
}

/* out = combine(out, input k), from left to right. */
#define ACCUMULATE(name, expression, finish)                                           \
    static const char *run_##name(const struct op_call *c)                             \
    {                                                                                  \
        int64_t n = shape_count(&c->out[0].shape);                                     \
        ARRAY_NUMBERS(c->in[0].type, return "not a number", {                          \
            T *to = c->out[0].data;                                                    \
            for (int k = 0; k < c->n_in; k++) {                                        \
                const T *from = c->in[k].data;                                         \
                struct op_walk w;                                                      \
                op_walk_begin(&w, &c->out[0].shape, &c->in[k].shape, &c->in[k].shape); \
                T *z = to;                                                             \
                for (int64_t row = 0; row < w.rows; row++, op_walk_next(&w))           \
                    for (int64_t i = 0; i < w.inner; i++, z++) {                       \
                        const T x = *z, y = from[w.offset_a + i * w.step_a];           \
                        *z = k ? (T)(expression) : y;                                  \
                    }                                                                  \
            }                                                                          \
            for (int64_t i = 0; i < n; i++)                                            \
                to[i] = (T)(finish);                                                   \
        })                                                                             \
        return NULL;                                                                   \
    }
ACCUMULATE(Max, x != x || x > y ? x : y, to[i])
ACCUMULATE(Min, x != x || x < y ? x : y, to[i])
ACCUMULATE(Sum, x + y, to[i])
ACCUMULATE(Mean, x + y, to[i] / (T)c->n_in)

enum { MANY = 1 << 20 };
#define NUMBERS(op)                                               \
    {                                                             \
#op, "", 2, 2, 1, OP_ELEMENTWISE, infer_numbers, run_##op \
    }
#define WHOLE(op)                                     \
    {                                                 \
#op, "", 2, 2, 1, 0, infer_integers, run_##op \
    }

const struct op_row ops_binary[] = {
    NUMBERS(Add),
    NUMBERS(Sub),
    NUMBERS(Mul),
    NUMBERS(Div),
    NUMBERS(Mod),
    {"Pow", "", 2, 2, 1, OP_ELEMENTWISE, infer_Pow, run_Pow},
    WHOLE(BitShift),
    WHOLE(BitwiseAnd),
    WHOLE(BitwiseOr),
    WHOLE(BitwiseXor),
    {"BitwiseNot", "", 1, 1, 1, 0, op_infer_same_number, run_BitwiseNot},
    {"Max", "", 1, MANY, 1, OP_ELEMENTWISE, infer_many, run_Max},
    {"Min", "", 1, MANY, 1, OP_ELEMENTWISE, infer_many, run_Min},
    {"Sum", "", 1, MANY, 1, OP_ELEMENTWISE, infer_many, run_Sum},
    {"Mean", "", 1, MANY, 1, OP_ELEMENTWISE, infer_many, run_Mean},
    {.name = NULL},
};
