/* SPDX-License-Identifier: MIT */
#include "model/fold.h"

#include <string.h>

/* In multiplications: seconds, and some sweeps over what the file itself holds. An element that is moved or computed by
 * itself counts as ELEMENT. */
static const double WORK_FREE = 4294967296.0, WORK_PER_BYTE = 32, ELEMENT = 8;
static const int64_t BYTES_FREE = (int64_t)512 << 20, BYTES_PER_BYTE = 8; /* of constants */
enum { ELEMENTS_MAX = 1 << 26 };                                          /* of one array */

/* What an element of the output takes, where that is more than a constant. */
enum cost { BY_ROW, BY_SIDE, BY_OPERAND, BY_WINDOW, BY_EVERYTHING };
static const struct {
    const char *name;
    enum cost cost;
} rows[] = {
    {"AveragePool", BY_WINDOW}, {"Conv", BY_OPERAND},        {"ConvInteger", BY_OPERAND}, {"ConvTranspose", BY_OPERAND},
    {"Einsum", BY_EVERYTHING},  {"GRU", BY_OPERAND},         {"Gemm", BY_SIDE},           {"LRN", BY_SIDE},
    {"LSTM", BY_OPERAND},       {"LpPool", BY_WINDOW},       {"MatMul", BY_ROW},          {"MatMulInteger", BY_ROW},
    {"MaxPool", BY_WINDOW},     {"QLinearConv", BY_OPERAND}, {"QLinearMatMul", BY_ROW},   {"RNN", BY_OPERAND},
    {"Resize", BY_OPERAND},     {"Upsample", BY_OPERAND},
};

static double window_of(const struct op_call *c)
{
    const struct attr *a = op_attr(c, "kernel_shape", ATTR_INTS);
    double taps = 1;
    for (size_t i = 0; a && i < a->n; i++)
        taps *= (double)a->ints[i];
    return taps;
}

static double cost_of(const struct op_call *c, enum cost cost)
{
    const struct shape *first = &c->in[0].shape;
    double side = 1, operand = 1, everything = 1;
    for (int i = 0; i < first->n; i++)
        side = (double)first->d[i] > side ? (double)first->d[i] : side;
    for (int k = 0; k < c->n_in; k++) {
        double n = array_there(&c->in[k]) ? (double)shape_count(&c->in[k].shape) : 0;
        operand = n > operand ? n : operand;
        everything *= n > 1 ? n : 1;
    }
    switch (cost) {
    case BY_ROW:
        return first->n ? (double)first->d[first->n - 1] : 1;
    case BY_SIDE:
        return side;
    case BY_OPERAND:
        return operand;
    case BY_WINDOW:
        return window_of(c);
    case BY_EVERYTHING:
        return everything;
    }
    return 1;
}

/* What running the call takes, from above and roughly, in multiplications: elements read, and for each element written
 * what it is a sum of. */
static double work_of(const struct op_call *c)
{
    double in = 0, out = 0, cost = 1;
    for (int k = 0; k < c->n_in && !(c->row->flags & OP_OF_SHAPES); k++)
        in += array_there(&c->in[k]) ? (double)shape_count(&c->in[k].shape) : 0;
    for (int k = 0; k < c->n_out; k++)
        out += (double)shape_count(&c->out[k].shape);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, c->row->name))
            cost = cost_of(c, rows[i].cost);
    return ELEMENT * (in + out) + out * (cost - 1);
}

bool fold_allowed(struct build *b, const struct op_call *c)
{
    double work = b->fold_work + work_of(c);
    int64_t bytes = b->const_bytes + (int64_t)c->work_bytes;
    for (int k = 0; k < c->n_out; k++) {
        if (shape_count(&c->out[k].shape) > ELEMENTS_MAX)
            return false;
        bytes += (int64_t)array_bytes(&c->out[k]);
    }
    if (work > WORK_FREE + WORK_PER_BYTE * (double)b->file_bytes || bytes > BYTES_FREE + BYTES_PER_BYTE * b->file_bytes)
        return false;
    b->fold_work = work;
    return true;
}
