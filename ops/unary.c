/* SPDX-License-Identifier: MIT
 *
 * Functions of one number.
 */
#include <math.h>

#include "ops/op.h"

/* Every element y from x, in the array's own float type. */
#define UNARY(name, expression)                            \
    static const char *run_##name(const struct op_call *c) \
    {                                                      \
        const struct array *in = &c->in[0];                \
        int64_t n = shape_count(&in->shape);               \
        ARRAY_FLOATS(in->type, return "not a float", {     \
            const T *from = in->data;                      \
            T *to = c->out[0].data;                        \
            for (int64_t i = 0; i < n; i++) {              \
                T x = from[i];                             \
                to[i] = (T)(expression);                   \
            }                                              \
        })                                                 \
        return NULL;                                       \
    }

UNARY(Relu, x > 0 ? x : x == x ? 0 : x)
UNARY(Exp, exp(x))

#define FLOAT_ROW(op) {#op, "", 1, 1, 1, OP_ELEMENTWISE, op_infer_same_float, run_##op},

const struct op_row ops_unary[] = {FLOAT_ROW(Relu) FLOAT_ROW(Exp){.name = NULL}};
