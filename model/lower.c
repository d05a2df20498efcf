/* SPDX-License-Identifier: MIT */
#include "model/lower.h"

#include <string.h>

static const struct lower_row rows[] = {
    {"Add", lower_add, OP_ADD},
    {"AveragePool", lower_average_pool, OP_AVERAGE_POOL},
    {"BatchNormalization", lower_batch_norm, OP_BATCHNORM},
    {"BipolarQuant", lower_bipolar_quant, OP_SNAP, true},
    {"Clip", lower_clip, OP_CLIP},
    {"Concat", lower_concat, OP_CONCAT},
    {"Conv", lower_conv, OP_CONV},
    {"ConvTranspose", lower_conv_transpose, OP_CONV_TRANSPOSE},
    {"DequantizeLinear", lower_dequantize_linear, OP_SNAP},
    {"Div", lower_div, OP_MUL},
    {"Gemm", lower_gemm, OP_GEMM},
    {"GlobalAveragePool", lower_global_average_pool, OP_GLOBAL_AVERAGE_POOL},
    {"GlobalMaxPool", lower_global_max_pool, OP_MAX_POOL},
    {"HardSigmoid", lower_hard_sigmoid, OP_CLIP},
    {"HardSwish", lower_hard_swish, OP_HARD_SWISH},
    {"LeakyRelu", lower_leaky_relu, OP_LEAKY_RELU},
    {"MatMul", lower_matmul, OP_GEMM},
    {"Max", lower_max, OP_CLIP},
    {"MaxPool", lower_max_pool, OP_MAX_POOL},
    {"Min", lower_min, OP_CLIP},
    {"Mul", lower_mul, OP_MUL},
    {"Pad", lower_pad, OP_PAD},
    {"QLinearConv", lower_qlinear_conv, OP_CONV},
    {"QLinearMatMul", lower_qlinear_matmul, OP_GEMM},
    {"Quant", lower_quant, OP_SNAP, true},
    {"ReduceMean", lower_reduce_mean, OP_GLOBAL_AVERAGE_POOL},
    {"Relu", lower_relu, OP_CLIP},
    {"Sigmoid", lower_sigmoid, OP_SIGMOID},
    {"Slice", lower_slice, OP_SLICE},
    {"Softmax", lower_softmax, OP_SOFTMAX},
    {"Sub", lower_sub, OP_ADD},
    {"Sum", lower_sum, OP_ADD},
    {"Transpose", lower_transpose, OP_TRANSPOSE},
    {"Where", lower_where, OP_CALL},
};

const struct lower_row *lower_find(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name))
            return &rows[i];
    return NULL;
}
