/* SPDX-License-Identifier: MIT
 *
 * The same values in another type, and operators that do nothing at inference.
 */
#include <math.h>
#include <string.h>

#include "ops/op.h"

static int infer_Cast(struct op_call *c, struct err *e)
{
    const struct attr *to = op_attr(c, "to", ATTR_INT);
    if (!to)
        return err_set(e, "the type to cast to is missing");
    enum dtype type = to->i > 0 && to->i < 64 ? dtype_of_onnx((int)to->i) : DTYPE_NONE;
    if (type == DTYPE_NONE)
        return err_set(e, "a cast to type %lld is not supported", (long long)to->i);
    return op_output(c, 0, type, &c->in[0].shape, e);
}

static int infer_CastLike(struct op_call *c, struct err *e)
{
    return op_output(c, 0, c->in[1].type, &c->in[0].shape, e);
}

/* Floats are rounded and clamped, as ONNX's reference does for 4 bits; of whole numbers the lowest 4 bits stay. */
static void cast_to_nibbles(const struct array *in, const struct array *out)
{
    bool is_signed = out->type == DTYPE_I4;
    for (int64_t i = 0, n = shape_count(&in->shape); i < n; i++) {
        double v = array_double(in, i);
        int64_t k = dtype_is_float(in->type) ? array_whole(rint(fmin(fmax(v, is_signed ? -8 : 0), is_signed ? 7 : 15)))
                                             : array_int(in, i) & 15;
        ((uint8_t *)out->data)[i] = (uint8_t)(is_signed && k > 7 ? k - 16 : k);
    }
}

static const char *run_Cast(const struct op_call *c)
{
    const struct array *in = &c->in[0], *out = &c->out[0];
    int64_t n = shape_count(&in->shape);
    bool floats = dtype_is_float(in->type);
    if (out->type == DTYPE_BOOL) {
        for (int64_t i = 0; i < n; i++)
            ((uint8_t *)out->data)[i] = floats ? array_double(in, i) != 0 : array_int(in, i) != 0;
        return NULL;
    }
    if (dtype_is_float(out->type)) {
        ARRAY_FLOATS(out->type, return "not a float", {
            for (int64_t i = 0; i < n; i++)
                ((T *)out->data)[i] = (T)array_double(in, i);
        })
        return NULL;
    }
    if (dtype_is_nibble(out->type)) {
        cast_to_nibbles(in, out);
        return NULL;
    }
    ARRAY_INTEGERS(out->type, return "not a whole number", {
        for (int64_t i = 0; i < n; i++)
            ((T *)out->data)[i] = (T)(floats ? array_whole(array_double(in, i)) : array_int(in, i));
    })
    return NULL;
}

static const char *run_CastLike(const struct op_call *c)
{
    return run_Cast(c);
}

/* Outputs: the data, and since opset 10 a mask of truth values. */
static int infer_Dropout(struct op_call *c, struct err *e)
{
    if (op_has(c, 2) && !op_value(c, 2))
        return OP_WANTS_VALUE;
    if (op_has(c, 1) && !op_value(c, 1))
        return OP_WANTS_VALUE;
    bool training = op_has(c, 2) && array_int(&c->in[2], 0);
    if (training && (!op_has(c, 1) || array_double(&c->in[1], 0) != 0))
        return err_set(e, "dropout as in training is not supported");
    if (op_output(c, 1, c->opset < 10 ? c->in[0].type : DTYPE_BOOL, &c->in[0].shape, e))
        return -1;
    return op_infer_same(c, e);
}

static const char *run_Dropout(const struct op_call *c)
{
    int64_t n = shape_count(&c->in[0].shape);
    if (c->n_out > 1)
        ARRAY_NUMBERS(c->out[1].type, memset(c->out[1].data, 1, (size_t)n), {
            for (int64_t i = 0; i < n; i++)
                ((T *)c->out[1].data)[i] = 1;
        })
    return op_run_copy(c);
}

const struct op_row ops_cast[] = {
    {"Cast", "", 1, 1, 1, OP_KEEPS, infer_Cast, run_Cast},
    {"CastLike", "", 2, 2, 1, OP_KEEPS, infer_CastLike, run_CastLike},
    {"Identity", "", 1, 1, 1, OP_RESHAPES, op_infer_same, op_run_copy},
    {"Dropout", "", 1, 3, 2, OP_RESHAPES, infer_Dropout, run_Dropout},
    {.name = NULL},
};
