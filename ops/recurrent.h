/* SPDX-License-Identifier: MIT
 *
 * LSTM, GRU and RNN with their matrix products left open: the engine does them on codes, the operator itself in float.
 */
#ifndef BITFADER_OPS_RECURRENT_H
#define BITFADER_OPS_RECURRENT_H

#include "ops/op.h"

/* rows: gates times hidden values of one direction, in ONNX's order of gates. */
struct recurrent_products {
    void *ctx;
    /* z[rows] = W x + Wb of direction d, for row x of the input seen as [steps * batch][input] */
    void (*input)(void *ctx, int64_t d, int64_t x, float *z);
    /* z[n] = rows first..first+n-1 of R h + Rb; h [hidden] */
    void (*state)(void *ctx, int64_t d, const float *h, int64_t first, int64_t n, float *z);
};

/* As op_row.run; inputs 1 to 3 (weights and bias) are looked at for their shapes alone. */
const char *recurrent_run(const struct op_call *c, const struct recurrent_products *p);

/* z[n] = bias + m[n][k] v; bias may be NULL. */
void recurrent_affine(const float *m, const float *v, const float *bias, int64_t n, int64_t k, float *z);

#endif
