/* SPDX-License-Identifier: MIT
 *
 * From ONNX operators to the engine's own: those that have kernels on codes or fast ones in float, that are fused and
 * folded, or that are layers. A function appends engine nodes that compute what ops/ says the operator means, or
 * returns -1 when it is not a case for them: then the node is called as ops/ has it. Shapes and types were inferred
 * before.
 */
#ifndef BITFADER_MODEL_LOWER_H
#define BITFADER_MODEL_LOWER_H

#include "model/build.h"

struct lower_row {
    const char *name;
    int (*lower)(struct build *b, const struct source *s);
    enum op becomes; /* the node that does the work */
};

/* NULL when the engine has nothing of its own for it. */
const struct lower_row *lower_find(const char *name);

/* lower_window.c */
int lower_conv(struct build *b, const struct source *s);
int lower_conv_transpose(struct build *b, const struct source *s);
int lower_max_pool(struct build *b, const struct source *s);
int lower_average_pool(struct build *b, const struct source *s);
int lower_global_average_pool(struct build *b, const struct source *s);
int lower_global_max_pool(struct build *b, const struct source *s);
int lower_reduce_mean(struct build *b, const struct source *s);

/* lower_linear.c */
int lower_gemm(struct build *b, const struct source *s);
int lower_matmul(struct build *b, const struct source *s);
int lower_batch_norm(struct build *b, const struct source *s);

/* lower_math.c */
int lower_add(struct build *b, const struct source *s);
int lower_sub(struct build *b, const struct source *s);
int lower_mul(struct build *b, const struct source *s);
int lower_div(struct build *b, const struct source *s);
int lower_max(struct build *b, const struct source *s);
int lower_min(struct build *b, const struct source *s);
int lower_sum(struct build *b, const struct source *s);
int lower_relu(struct build *b, const struct source *s);
int lower_clip(struct build *b, const struct source *s);
int lower_leaky_relu(struct build *b, const struct source *s);
int lower_sigmoid(struct build *b, const struct source *s);
int lower_hard_sigmoid(struct build *b, const struct source *s);
int lower_hard_swish(struct build *b, const struct source *s);
int lower_softmax(struct build *b, const struct source *s);

/* lower_shape.c */
int lower_transpose(struct build *b, const struct source *s);
int lower_concat(struct build *b, const struct source *s);
int lower_slice(struct build *b, const struct source *s);
int lower_pad(struct build *b, const struct source *s);

#endif
