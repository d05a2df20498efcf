/* SPDX-License-Identifier: MIT
 *
 * New arrays: constants, ranges, shapes, one-hot codes, masks.
 */
#include <math.h>
#include <string.h>

#include "ops/op.h"

/* One of its attributes is the value. */
static int find_constant(const struct op_call *c, struct array *out, struct err *e)
{
    static const struct {
        const char *name;
        int attr;
        enum dtype type;
    } forms[] = {{"value", ATTR_TENSOR, DTYPE_NONE},
                 {"value_int", ATTR_INT, DTYPE_I64},
                 {"value_ints", ATTR_INTS, DTYPE_I64},
                 {"value_float", ATTR_FLOAT, DTYPE_F32},
                 {"value_floats", ATTR_FLOATS, DTYPE_F32}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const struct attr *a = op_attr(c, forms[i].name, forms[i].attr);
        if (!a)
            continue;
        if (a->type == ATTR_TENSOR && !array_there(&a->t))
            return err_set(e, "a value of its type is not supported");
        *out = a->t;
        bool list = a->type == ATTR_INTS || a->type == ATTR_FLOATS;
        if (a->type != ATTR_TENSOR)
            *out = (struct array){forms[i].type, {list, {list ? (int64_t)a->n : 0}}, NULL};
        if (a->type == ATTR_INT)
            out->data = (void *)&a->i;
        else if (a->type == ATTR_FLOAT)
            out->data = (void *)&a->f;
        else if (list)
            out->data = a->type == ATTR_INTS ? (void *)a->ints : (void *)a->floats;
        return 0;
    }
    return err_set(e, "a value of its kind is not supported");
}

static int infer_Constant(struct op_call *c, struct err *e)
{
    struct array value;
    return find_constant(c, &value, e) ? -1 : op_output(c, 0, value.type, &value.shape, e);
}

static const char *run_Constant(const struct op_call *c)
{
    struct array value;
    struct err unused;
    if (find_constant(c, &value, &unused))
        return "it has no value";
    if (array_bytes(&value))
        memcpy(c->out[0].data, value.data, array_bytes(&value));
    return NULL;
}

static int infer_ConstantOfShape(struct op_call *c, struct err *e)
{
    const struct attr *value = op_attr(c, "value", ATTR_TENSOR);
    struct shape to = {0};
    int rc = op_int_list(c, "input", 0, SHAPE_MAX, to.d, &to.n, e);
    if (rc)
        return rc;
    if (value && (!array_there(&value->t) || shape_count(&value->t.shape) != 1))
        return err_set(e, "its value is not one number");
    to.n = to.n < 0 ? 0 : to.n;
    return op_output(c, 0, value ? value->t.type : DTYPE_F32, &to, e);
}

static const char *run_ConstantOfShape(const struct op_call *c)
{
    const struct attr *value = op_attr(c, "value", ATTR_TENSOR);
    int64_t n = shape_count(&c->out[0].shape);
    ARRAY_SIZES(c->out[0].type, {
        T v = value ? *(const T *)value->t.data : 0;
        for (int64_t i = 0; i < n; i++)
            ((T *)c->out[0].data)[i] = v;
    })
    return NULL;
}

/* Since opset 15 start and end may take a part of the shape. */
static void shape_part(const struct op_call *c, int64_t *start, int64_t *end)
{
    int64_t n = c->in[0].shape.n;
    *start = op_attr_int(c, "start", 0);
    *end = op_attr_int(c, "end", n);
    *start = *start < -n ? 0 : *start < 0 ? *start + n : *start > n ? n : *start;
    *end = *end < -n ? 0 : *end < 0 ? *end + n : *end > n ? n : *end;
}

static int infer_Shape(struct op_call *c, struct err *e)
{
    int64_t start, end;
    shape_part(c, &start, &end);
    struct shape to = {1, {end > start ? end - start : 0}};
    return op_output(c, 0, DTYPE_I64, &to, e);
}

static const char *run_Shape(const struct op_call *c)
{
    int64_t start, end;
    shape_part(c, &start, &end);
    for (int64_t i = start; i < end; i++)
        ((int64_t *)c->out[0].data)[i - start] = c->in[0].shape.d[i];
    return NULL;
}

static int infer_Size(struct op_call *c, struct err *e)
{
    struct shape scalar = {0};
    return op_output(c, 0, DTYPE_I64, &scalar, e);
}

static const char *run_Size(const struct op_call *c)
{
    *(int64_t *)c->out[0].data = shape_count(&c->in[0].shape);
    return NULL;
}

static int infer_Range(struct op_call *c, struct err *e)
{
    for (int k = 0; k < 3; k++) {
        if (op_check_same(c, 0, k, e) || op_check_number(c, k, e))
            return -1;
        if (shape_count(&c->in[k].shape) != 1)
            return err_set(e, "input %d is no single number", k);
        if (!op_value(c, k))
            return OP_WANTS_VALUE;
    }
    double start = array_double(&c->in[0], 0), end = array_double(&c->in[1], 0), step = array_double(&c->in[2], 0);
    double n = step != 0 ? fmax(ceil((end - start) / step), 0) : NAN;
    if (!(n <= ARRAY_MAX))
        return err_set(e, "a range from %g to %g by %g", start, end, step);
    struct shape to = {1, {(int64_t)n}};
    return op_output(c, 0, c->in[0].type, &to, e);
}

static const char *run_Range(const struct op_call *c)
{
    int64_t n = shape_count(&c->out[0].shape);
    ARRAY_NUMBERS(c->in[0].type, return "not a number", {
        T start = *(const T *)c->in[0].data, step = *(const T *)c->in[2].data;
        for (int64_t i = 0; i < n; i++)
            ((T *)c->out[0].data)[i] = (T)(start + (T)i * step);
    })
    return NULL;
}

/* A new axis on which one place is on and the others are off. */
static int infer_OneHot(struct op_call *c, struct err *e)
{
    const struct shape *s = &c->in[0].shape;
    int axis;
    if (op_check_number(c, 0, e) || op_axis(op_attr_int(c, "axis", -1), s->n + 1, &axis, e))
        return -1;
    if (s->n == SHAPE_MAX || shape_count(&c->in[1].shape) != 1 || shape_count(&c->in[2].shape) != 2)
        return err_set(e, "depth or values do not fit");
    if (!op_value(c, 1))
        return OP_WANTS_VALUE;
    struct shape to = {.n = s->n + 1};
    for (int i = 0, k = 0; i < to.n; i++)
        to.d[i] = i == axis ? array_int(&c->in[1], 0) : s->d[k++];
    return op_output(c, 0, c->in[2].type, &to, e);
}

static const char *run_OneHot(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape;
    int64_t axis = op_attr_int(c, "axis", -1), inner = 1, n = shape_count(s);
    axis = axis < 0 ? axis + s->n + 1 : axis;
    int64_t depth = c->out[0].shape.d[axis];
    for (int i = (int)axis; i < s->n; i++)
        inner *= s->d[i];
    ARRAY_SIZES(c->in[2].type, {
        const T *values = c->in[2].data;
        T *to = c->out[0].data;
        for (int64_t i = 0; i < n * depth; i++)
            to[i] = values[0];
        for (int64_t i = 0; i < n; i++) {
            int64_t on = array_int(&c->in[0], i);
            on = on < 0 ? on + depth : on;
            if (on >= 0 && on < depth)
                to[(i / inner * depth + on) * inner + i % inner] = values[1];
        }
    })
    return NULL;
}

static int infer_EyeLike(struct op_call *c, struct err *e)
{
    int64_t onnx = op_attr_int(c, "dtype", 0);
    enum dtype type = onnx ? dtype_of_onnx((int)onnx) : c->in[0].type;
    if (c->in[0].shape.n != 2 || type == DTYPE_NONE)
        return err_set(e, "%d dimensions, or a type that is not supported", c->in[0].shape.n);
    return op_output(c, 0, type, &c->in[0].shape, e);
}

static const char *run_EyeLike(const struct op_call *c)
{
    int64_t rows = c->in[0].shape.d[0], columns = c->in[0].shape.d[1], k = op_attr_int(c, "k", 0);
    enum dtype type = c->out[0].type == DTYPE_BOOL ? DTYPE_U8 : c->out[0].type;
    ARRAY_NUMBERS(type, return "not a number", {
        T *to = c->out[0].data;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++)
                *to++ = j - i == k;
    })
    return NULL;
}

static int infer_Trilu(struct op_call *c, struct err *e)
{
    if (c->in[0].shape.n < 2 || (op_has(c, 1) && (c->in[1].type != DTYPE_I64 || shape_count(&c->in[1].shape) != 1)))
        return err_set(e, "its inputs do not fit");
    return op_infer_same(c, e);
}

/* Keeps what is above diagonal k (upper=1), or below it. */
static const char *run_Trilu(const struct op_call *c)
{
    const struct shape *s = &c->in[0].shape;
    int64_t rows = s->d[s->n - 2], columns = s->d[s->n - 1], n = shape_count(s);
    int64_t k = op_has(c, 1) ? *(const int64_t *)c->in[1].data : 0;
    bool upper = op_attr_int(c, "upper", 1);
    k = k > columns ? columns : k < -rows ? -rows : k;
    ARRAY_SIZES(
        c->in[0].type, for (int64_t i = 0; i < n; i++) {
            int64_t row = i / columns % rows, column = i % columns;
            bool keep = upper ? column - row >= k : column - row <= k;
            ((T *)c->out[0].data)[i] = keep ? ((const T *)c->in[0].data)[i] : 0;
        })
    return NULL;
}

const struct op_row ops_make[] = {
    {"Constant", "", 0, 0, 1, 0, infer_Constant, run_Constant},
    {"ConstantOfShape", "", 1, 1, 1, 0, infer_ConstantOfShape, run_ConstantOfShape},
    {"Shape", "", 1, 1, 1, OP_OF_SHAPES, infer_Shape, run_Shape},
    {"Size", "", 1, 1, 1, OP_OF_SHAPES, infer_Size, run_Size},
    {"Range", "", 3, 3, 1, 0, infer_Range, run_Range},
    {"OneHot", "", 3, 3, 1, 0, infer_OneHot, run_OneHot},
    {"EyeLike", "", 1, 1, 1, OP_OF_SHAPES, infer_EyeLike, run_EyeLike},
    {"Trilu", "", 1, 2, 1, 0, infer_Trilu, run_Trilu},
    {.name = NULL},
};
