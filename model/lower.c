/* SPDX-License-Identifier: MIT */
#include "model/lower.h"

#include <string.h>

static const struct lower_row rows[] = {
    {"Add", lower_add},
    {"AveragePool", lower_average_pool},
    {"BatchNormalization", lower_batch_norm},
    {"BipolarQuant", lower_bipolar_quant, true},
    {"Clip", lower_clip},
    {"Concat", lower_concat},
    {"Conv", lower_conv},
    {"DequantizeLinear", lower_dequantize_linear},
    {"Div", lower_div},
    {"Gemm", lower_gemm},
    {"GlobalAveragePool", lower_global_average_pool},
    {"GlobalMaxPool", lower_global_max_pool},
    {"HardSigmoid", lower_hard_sigmoid},
    {"HardSwish", lower_hard_swish},
    {"LeakyRelu", lower_leaky_relu},
    {"MatMul", lower_matmul},
    {"MaxPool", lower_max_pool},
    {"Mul", lower_mul},
    {"Pad", lower_pad},
    {"QLinearConv", lower_qlinear_conv},
    {"QLinearMatMul", lower_qlinear_matmul},
    {"Quant", lower_quant, true},
    {"ReduceMean", lower_reduce_mean},
    {"Relu", lower_relu},
    {"Sigmoid", lower_sigmoid},
    {"Slice", lower_slice},
    {"Softmax", lower_softmax},
    {"Sub", lower_sub},
    {"Transpose", lower_transpose},
    {"Where", lower_where},
};

const struct lower_row *lower_find(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name))
            return &rows[i];
    return NULL;
}
