/* SPDX-License-Identifier: MIT
 *
 * The ONNX operators that can be imported. A row is a name, how many inputs it takes, and one function that reads the
 * attributes, infers the shape and either appends engine nodes, binds a constant, or binds an existing tensor.
 * To add an operator: one row, one function.
 */
#ifndef BITFADER_MODEL_OPS_H
#define BITFADER_MODEL_OPS_H

#include "model/build.h"

struct import_row {
    const char *name;
    int min_in, max_in; /* inputs 0..min_in-1 must be there */
    int (*import)(struct build *b, const struct source *s);
};

/* NULL when there is none of that name. */
const struct import_row *import_row_find(const char *name);

/* ops_window.c */
int op_import_conv(struct build *b, const struct source *s);
int op_import_max_pool(struct build *b, const struct source *s);
int op_import_average_pool(struct build *b, const struct source *s);
int op_import_global_average_pool(struct build *b, const struct source *s);
int op_import_global_max_pool(struct build *b, const struct source *s);
int op_import_reduce_mean(struct build *b, const struct source *s);

/* ops_linear.c */
int op_import_gemm(struct build *b, const struct source *s);
int op_import_matmul(struct build *b, const struct source *s);
int op_import_batch_norm(struct build *b, const struct source *s);

/* ops_math.c */
int op_import_add(struct build *b, const struct source *s);
int op_import_sub(struct build *b, const struct source *s);
int op_import_mul(struct build *b, const struct source *s);
int op_import_div(struct build *b, const struct source *s);
int op_import_sqrt(struct build *b, const struct source *s);
int op_import_relu(struct build *b, const struct source *s);
int op_import_clip(struct build *b, const struct source *s);
int op_import_leaky_relu(struct build *b, const struct source *s);
int op_import_sigmoid(struct build *b, const struct source *s);
int op_import_hard_sigmoid(struct build *b, const struct source *s);
int op_import_hard_swish(struct build *b, const struct source *s);
int op_import_softmax(struct build *b, const struct source *s);

/* ops_shape.c */
int op_import_flatten(struct build *b, const struct source *s);
int op_import_reshape(struct build *b, const struct source *s);
int op_import_squeeze(struct build *b, const struct source *s);
int op_import_unsqueeze(struct build *b, const struct source *s);
int op_import_transpose(struct build *b, const struct source *s);
int op_import_concat(struct build *b, const struct source *s);
int op_import_slice(struct build *b, const struct source *s);
int op_import_pad(struct build *b, const struct source *s);

/* ops_const.c */
int op_import_identity(struct build *b, const struct source *s);
int op_import_dropout(struct build *b, const struct source *s);
int op_import_constant(struct build *b, const struct source *s);
int op_import_constant_of_shape(struct build *b, const struct source *s);
int op_import_shape(struct build *b, const struct source *s);
int op_import_gather(struct build *b, const struct source *s);
int op_import_cast(struct build *b, const struct source *s);

#endif
