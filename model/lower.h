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
    enum op becomes; /* the node that does the work; OP_CALL where most cases stay calls */
    bool any_domain; /* of those that ops/ knows; else ONNX's own alone */
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

/* lower_quantized.c */
int lower_dequantize_linear(struct build *b, const struct source *s);
int lower_quant(struct build *b, const struct source *s);
int lower_bipolar_quant(struct build *b, const struct source *s);
int lower_where(struct build *b, const struct source *s);
/* Clip(Round(x)) and what scales it are a quantizer written out: true when the node was one and is done. */
bool lower_rounded_clip(struct build *b, const struct source *s, float lo, float hi);
bool lower_scaled_snap(struct build *b, const struct source *s);
/* What the codes of tensor t stand for, as a float tensor without a DequantizeLinear at run time: through what only
 * moves them, from the float that was quantized. scale, zero: constants (zero -1: 0). -1 when it is not such a case. */
int lower_codes(struct build *b, const struct source *s, int t, int scale, int zero);

/* lower_qlinear.c */
int lower_qlinear_conv(struct build *b, const struct source *s);
int lower_qlinear_matmul(struct build *b, const struct source *s);

#endif
