/* SPDX-License-Identifier: MIT
 *
 * Comparisons, truth values, and the choice between two arrays by them.
 */
#include <string.h>

#include "ops/op.h"

#define LOOP(TYPES, name, op)                                                             \
    static const char *run_##name(const struct op_call *c)                                \
    {                                                                                     \
        struct op_walk w;                                                                 \
        uint8_t *to = c->out[0].data;                                                     \
        struct shape second = op_old_broadcast(c);                                        \
        op_walk_begin(&w, &c->out[0].shape, &c->in[0].shape, &second);                    \
        enum dtype type = c->in[0].type == DTYPE_BOOL ? DTYPE_U8 : c->in[0].type;         \
        TYPES(type, return "not a number", {                                              \
            const T *a = c->in[0].data, *b = c->in[1].data;                               \
            for (int64_t row = 0; row < w.rows; row++, op_walk_next(&w))                  \
                for (int64_t i = 0; i < w.inner; i++)                                     \
                    *to++ = a[w.offset_a + i * w.step_a] op b[w.offset_b + i * w.step_b]; \
        })                                                                                \
        return NULL;                                                                      \
    }
#define COMPARE(name, op)  LOOP(ARRAY_NUMBERS, name, op)
#define TRUTH_OF(name, op) LOOP(ARRAY_INTEGERS, name, op)
COMPARE(Equal, ==)
COMPARE(Greater, >)
COMPARE(GreaterOrEqual, >=)
COMPARE(Less, <)
COMPARE(LessOrEqual, <=)
TRUTH_OF(And, &)
TRUTH_OF(Or, |)
TRUTH_OF(Xor, ^)

static int infer_compare(struct op_call *c, struct err *e)
{
    return op_check_same(c, 0, 1, e) ? -1 : op_infer_pair(c, DTYPE_BOOL, e);
}

static int infer_truth(struct op_call *c, struct err *e)
{
    if (op_check_type(c, 0, DTYPE_BOOL, e) || op_check_type(c, 1, DTYPE_BOOL, e))
        return -1;
    return op_infer_pair(c, DTYPE_BOOL, e);
}

static int infer_Not(struct op_call *c, struct err *e)
{
    return op_check_type(c, 0, DTYPE_BOOL, e) ? -1 : op_infer_same(c, e);
}

static const char *run_Not(const struct op_call *c)
{
    const uint8_t *from = c->in[0].data;
    uint8_t *to = c->out[0].data;
    for (int64_t i = 0, n = shape_count(&c->in[0].shape); i < n; i++)
        to[i] = !from[i];
    return NULL;
}

static int infer_Where(struct op_call *c, struct err *e)
{
    struct shape to;
    if (op_check_type(c, 0, DTYPE_BOOL, e) || op_check_same(c, 1, 2, e))
        return -1;
    if (shape_broadcast(&c->in[1].shape, &c->in[2].shape, &to) || shape_broadcast(&to, &c->in[0].shape, &to))
        return err_set(e, "its inputs do not broadcast");
    return op_output(c, 0, c->in[1].type, &to, e);
}

/* In two walks: the condition with one side, then with the other. */
static const char *run_Where(const struct op_call *c)
{
    const uint8_t *when = c->in[0].data;
    for (int k = 1; k < 3; k++) {
        struct op_walk w;
        op_walk_begin(&w, &c->out[0].shape, &c->in[0].shape, &c->in[k].shape);
        ARRAY_SIZES(c->in[1].type, {
            const T *from = c->in[k].data;
            T *to = c->out[0].data;
            for (int64_t row = 0; row < w.rows; row++, op_walk_next(&w))
                for (int64_t i = 0; i < w.inner; i++, to++)
                    if (!when[w.offset_a + i * w.step_a] == (k == 2))
                        *to = from[w.offset_b + i * w.step_b];
        })
    }
    return NULL;
}

#define PAIR(op)                                     \
    {                                                \
#op, "", 2, 2, 1, 0, infer_compare, run_##op \
    }
#define TRUTH(op)                                  \
    {                                              \
#op, "", 2, 2, 1, 0, infer_truth, run_##op \
    }
const struct op_row ops_logic[] = {
    PAIR(Equal),
    PAIR(Greater),
    PAIR(GreaterOrEqual),
    PAIR(Less),
    PAIR(LessOrEqual),
    TRUTH(And),
    TRUTH(Or),
    TRUTH(Xor),
    {"Not", "", 1, 1, 1, 0, infer_Not, run_Not},
    {"Where", "", 3, 3, 1, 0, infer_Where, run_Where},
    {.name = NULL},
};
