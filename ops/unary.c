/* SPDX-License-Identifier: MIT
 *
 * Functions of one number: activations, roots, roundings, trigonometry.
 */
#include <math.h>
#include <string.h>

#include "ops/op.h"

/* Sets y from x for every element; T is the array's own type. Attributes are read once, before. */
#define MAP(TYPES, before, expression)                       \
    do {                                                     \
        const struct array *in = &c->in[0];                  \
        int64_t n = shape_count(&in->shape);                 \
        TYPES(in->type, return "this type is not handled", { \
            const T *from = in->data;                        \
            T *to = c->out[0].data;                          \
            before;                                          \
            for (int64_t i = 0; i < n; i++) {                \
                T x = from[i];                               \
                to[i] = (T)(expression);                     \
            }                                                \
        })                                                   \
        return NULL;                                         \
    } while (0)

#define FUNCTION(name, TYPES, before, expression)          \
    static const char *run_##name(const struct op_call *c) \
    {                                                      \
        MAP(TYPES, before, expression);                    \
    }
#define NOTHING                              (void)0
#define BELOW(x)                             ((double)(x) < 0) /* of any type, unsigned ones without a warning */
#define ATTRIBUTE(variable, name, otherwise) const T variable = (T)op_attr_float(c, name, otherwise)

FUNCTION(Relu, ARRAY_NUMBERS, NOTHING, BELOW(x) ? 0 : x)
FUNCTION(LeakyRelu, ARRAY_FLOATS, ATTRIBUTE(alpha, "alpha", 0.01f), x < 0 ? alpha * x : x)
FUNCTION(Elu, ARRAY_FLOATS, ATTRIBUTE(alpha, "alpha", 1), x < 0 ? alpha * expm1(x) : x)
/* Klambauer et al. 2017, arXiv 1706.02515. */
FUNCTION(Selu, ARRAY_FLOATS, ATTRIBUTE(alpha, "alpha", 1.67326319217681884765625f);
         ATTRIBUTE(gamma_, "gamma", 1.05070102214813232421875f), x > 0 ? gamma_ * x : gamma_ * alpha * expm1(x))
FUNCTION(Celu, ARRAY_FLOATS, ATTRIBUTE(alpha, "alpha", 1), x > 0 ? x : alpha * expm1(x / alpha))
FUNCTION(ThresholdedRelu, ARRAY_FLOATS, ATTRIBUTE(alpha, "alpha", 1), x > alpha ? x : 0)
FUNCTION(Sigmoid, ARRAY_FLOATS, NOTHING, 1 / (1 + exp(-x)))
FUNCTION(HardSigmoid, ARRAY_FLOATS, ATTRIBUTE(alpha, "alpha", 0.2f);
         ATTRIBUTE(beta, "beta", 0.5f), fmax(0, fmin(1, alpha *x + beta)))
FUNCTION(HardSwish, ARRAY_FLOATS, NOTHING, x *fmax(0, fmin(1, x / 6 + 0.5)))
FUNCTION(Softplus, ARRAY_FLOATS, NOTHING, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))
/* Misra 2019, arXiv 1908.08681. */
FUNCTION(Mish, ARRAY_FLOATS, NOTHING, x *tanh(x > 0 ? x + log1p(exp(-x)) : log1p(exp(x))))
FUNCTION(Softsign, ARRAY_FLOATS, NOTHING, x / (1 + fabs(x)))
FUNCTION(Shrink, ARRAY_NUMBERS, const double bias = op_attr_float(c, "bias", 0);
         const double lambda = op_attr_float(c, "lambd", 0.5f),
         ARRAY_OF_DOUBLE(T, (double)x<-lambda ? x + bias : (double)x> lambda ? x - bias : 0))
FUNCTION(Tanh, ARRAY_FLOATS, NOTHING, tanh(x))
FUNCTION(Erf, ARRAY_NUMBERS, NOTHING, ARRAY_OF_DOUBLE(T, erf((double)x)))
FUNCTION(Sqrt, ARRAY_FLOATS, NOTHING, sqrt(x))
FUNCTION(Exp, ARRAY_FLOATS, NOTHING, exp(x))
FUNCTION(Log, ARRAY_FLOATS, NOTHING, log(x))
FUNCTION(Reciprocal, ARRAY_FLOATS, NOTHING, 1 / x)
FUNCTION(Abs, ARRAY_NUMBERS, NOTHING, BELOW(x) ? 0 - x : x + 0)
FUNCTION(Neg, ARRAY_NUMBERS, NOTHING, -x)
FUNCTION(Sign, ARRAY_NUMBERS, NOTHING, (x > 0) - BELOW(x))
FUNCTION(Floor, ARRAY_FLOATS, NOTHING, floor(x))
FUNCTION(Ceil, ARRAY_FLOATS, NOTHING, ceil(x))
FUNCTION(Round, ARRAY_FLOATS, NOTHING, rint(x)) /* half to even, the rounding mode that nobody changes */
FUNCTION(Sin, ARRAY_FLOATS, NOTHING, sin(x))
FUNCTION(Cos, ARRAY_FLOATS, NOTHING, cos(x))
FUNCTION(Tan, ARRAY_FLOATS, NOTHING, tan(x))
FUNCTION(Asin, ARRAY_FLOATS, NOTHING, asin(x))
FUNCTION(Acos, ARRAY_FLOATS, NOTHING, acos(x))
FUNCTION(Atan, ARRAY_FLOATS, NOTHING, atan(x))
FUNCTION(Sinh, ARRAY_FLOATS, NOTHING, sinh(x))
FUNCTION(Cosh, ARRAY_FLOATS, NOTHING, cosh(x))
FUNCTION(Asinh, ARRAY_FLOATS, NOTHING, asinh(x))
FUNCTION(Acosh, ARRAY_FLOATS, NOTHING, acosh(x))
FUNCTION(Atanh, ARRAY_FLOATS, NOTHING, atanh(x))

/* Hendrycks and Gimpel 2016, arXiv 1606.08415: exact, or its approximation by tanh. */
static const char *run_Gelu(const struct op_call *c)
{
    if (!strcmp(op_attr_string(c, "approximate", "none"), "tanh"))
        MAP(ARRAY_FLOATS, NOTHING, 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))));
    MAP(ARRAY_FLOATS, NOTHING, 0.5 * x * (1 + erf(x * 0.7071067811865476)));
}

static int infer_Clip(struct op_call *c, struct err *e)
{
    for (int k = 1; k < 3; k++) {
        if (op_check_same(c, 0, k, e))
            return -1;
        if (op_has(c, k) && shape_count(&c->in[k].shape) != 1)
            return err_set(e, "input %d is no single number", k);
    }
    return op_infer_same_number(c, e);
}

/* The bounds are attributes before opset 11. */
static const char *run_Clip(const struct op_call *c)
{
    const struct attr *lo = op_attr(c, "min", ATTR_FLOAT), *hi = op_attr(c, "max", ATTR_FLOAT);
    bool lo_in = op_has(c, 1), hi_in = op_has(c, 2);
    MAP(ARRAY_NUMBERS, const bool has_lo = lo_in || lo; const bool has_hi = hi_in || hi;
        const T least = lo_in ? *(const T *)c->in[1].data
                        : lo  ? ARRAY_OF_DOUBLE(T, lo->f)
                              : 0;
        const T most = hi_in ? *(const T *)c->in[2].data
                       : hi  ? ARRAY_OF_DOUBLE(T, hi->f)
                             : 0;
        , (has_lo &&x < least ? x = least : x, has_hi && x > most ? most : x));
}

/* The slope broadcasts to x. */
static int infer_PRelu(struct op_call *c, struct err *e)
{
    struct shape to;
    if (op_check_number(c, 0, e) || op_check_same(c, 0, 1, e))
        return -1;
    struct shape slope = c->in[1].shape;
    if (c->opset < 7 && slope.n == 1 && slope.d[0] > 1) /* one a channel */
        for (int n = c->in[0].shape.n - 1; slope.n < n && slope.n < SHAPE_MAX;)
            slope.d[slope.n++] = 1;
    if (shape_broadcast(&c->in[0].shape, &slope, &to) || !shape_equal(&to, &c->in[0].shape))
        return err_set(e, "the slope does not broadcast to the input");
    return op_infer_same(c, e);
}

static const char *run_PRelu(const struct op_call *c)
{
    struct op_walk w;
    struct shape slope = c->in[1].shape;
    if (c->opset < 7 && slope.n == 1 && slope.d[0] > 1)
        for (int n = c->in[0].shape.n - 1; slope.n < n && slope.n < SHAPE_MAX;)
            slope.d[slope.n++] = 1;
    ARRAY_NUMBERS(c->in[0].type, return "not a number", {
        const T *x = c->in[0].data, *s = c->in[1].data;
        T *to = c->out[0].data;
        op_walk_begin(&w, &c->in[0].shape, &c->in[0].shape, &slope);
        for (int64_t row = 0; row < w.rows; row++, op_walk_next(&w))
            for (int64_t i = 0; i < w.inner; i++) {
                T v = x[w.offset_a + i * w.step_a], k = s[w.offset_b + i * w.step_b];
                *to++ = (T)(BELOW(v) ? v * k : v);
            }
    })
    return NULL;
}

static int infer_to_bool(struct op_call *c, struct err *e)
{
    return op_check_float(c, 0, e) ? -1 : op_output(c, 0, DTYPE_BOOL, &c->in[0].shape, e);
}

static const char *run_IsNaN(const struct op_call *c)
{
    uint8_t *to = c->out[0].data;
    int64_t n = shape_count(&c->in[0].shape);
    ARRAY_FLOATS(c->in[0].type, return "not a float", {
        const T *from = c->in[0].data;
        for (int64_t i = 0; i < n; i++)
            to[i] = isnan(from[i]);
    })
    return NULL;
}

static const char *run_IsInf(const struct op_call *c)
{
    uint8_t *to = c->out[0].data;
    int64_t n = shape_count(&c->in[0].shape);
    bool below = op_attr_int(c, "detect_negative", 1), above = op_attr_int(c, "detect_positive", 1);
    ARRAY_FLOATS(c->in[0].type, return "not a float", {
        const T *from = c->in[0].data;
        for (int64_t i = 0; i < n; i++)
            to[i] = isinf(from[i]) && (from[i] < 0 ? below : above);
    })
    return NULL;
}

#define FLOATS(op)                                                      \
    {                                                                   \
#op, "", 1, 1, 1, OP_ELEMENTWISE, op_infer_same_float, run_##op \
    }
#define NUMBERS(op)                                                      \
    {                                                                    \
#op, "", 1, 1, 1, OP_ELEMENTWISE, op_infer_same_number, run_##op \
    }

#define ACTIVATION(op)                                                              \
    {                                                                               \
#op, "", 1, 1, 1, OP_ELEMENTWISE | OP_GENTLE, op_infer_same_float, run_##op \
    }

const struct op_row ops_unary[] = {
    {"Relu", "", 1, 1, 1, OP_ELEMENTWISE | OP_GENTLE, op_infer_same_number, run_Relu},
    ACTIVATION(LeakyRelu),
    ACTIVATION(Elu),
    ACTIVATION(Selu),
    ACTIVATION(Celu),
    FLOATS(ThresholdedRelu),
    ACTIVATION(Sigmoid),
    ACTIVATION(HardSigmoid),
    ACTIVATION(HardSwish),
    ACTIVATION(Softplus),
    ACTIVATION(Mish),
    ACTIVATION(Softsign),
    NUMBERS(Shrink),
    ACTIVATION(Tanh),
    {"Erf", "", 1, 1, 1, OP_ELEMENTWISE | OP_GENTLE, op_infer_same_number, run_Erf},
    ACTIVATION(Gelu),
    FLOATS(Sqrt),
    FLOATS(Exp),
    FLOATS(Log),
    FLOATS(Reciprocal),
    {"Abs", "", 1, 1, 1, OP_ELEMENTWISE | OP_GENTLE, op_infer_same_number, run_Abs},
    {"Neg", "", 1, 1, 1, OP_ELEMENTWISE | OP_GENTLE, op_infer_same_number, run_Neg},
    NUMBERS(Sign),
    FLOATS(Floor),
    FLOATS(Ceil),
    FLOATS(Round),
    FLOATS(Sin),
    FLOATS(Cos),
    FLOATS(Tan),
    FLOATS(Asin),
    FLOATS(Acos),
    FLOATS(Atan),
    FLOATS(Sinh),
    FLOATS(Cosh),
    FLOATS(Asinh),
    FLOATS(Acosh),
    FLOATS(Atanh),
    {"Clip", "", 1, 3, 1, OP_ELEMENTWISE, infer_Clip, run_Clip},
    {"PRelu", "", 2, 2, 1, OP_ELEMENTWISE | OP_GENTLE, infer_PRelu, run_PRelu},
    {"IsNaN", "", 1, 1, 1, 0, infer_to_bool, run_IsNaN},
    {"IsInf", "", 1, 1, 1, 0, infer_to_bool, run_IsInf},
    {.name = NULL},
};
