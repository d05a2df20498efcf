/* SPDX-License-Identifier: MIT */
#include "model/ops.h"

#include <stddef.h>
#include <string.h>

/* One row an operator: ONNX name, fewest and most inputs, function. The most for variadic ones is what int can count.
 */
enum { ANY = 1 << 20 };

#define OPERATORS(ROW)                                            \
    ROW("Add", 2, 2, op_import_add)                               \
    ROW("AveragePool", 1, 1, op_import_average_pool)              \
    ROW("BatchNormalization", 5, 5, op_import_batch_norm)         \
    ROW("Cast", 1, 1, op_import_cast)                             \
    ROW("Clip", 1, 3, op_import_clip)                             \
    ROW("Concat", 1, ANY, op_import_concat)                       \
    ROW("Constant", 0, 0, op_import_constant)                     \
    ROW("ConstantOfShape", 1, 1, op_import_constant_of_shape)     \
    ROW("Conv", 2, 3, op_import_conv)                             \
    ROW("Div", 2, 2, op_import_div)                               \
    ROW("Dropout", 1, 3, op_import_dropout)                       \
    ROW("Flatten", 1, 1, op_import_flatten)                       \
    ROW("Gather", 2, 2, op_import_gather)                         \
    ROW("Gemm", 2, 3, op_import_gemm)                             \
    ROW("GlobalAveragePool", 1, 1, op_import_global_average_pool) \
    ROW("GlobalMaxPool", 1, 1, op_import_global_max_pool)         \
    ROW("HardSigmoid", 1, 1, op_import_hard_sigmoid)              \
    ROW("HardSwish", 1, 1, op_import_hard_swish)                  \
    ROW("Identity", 1, 1, op_import_identity)                     \
    ROW("LeakyRelu", 1, 1, op_import_leaky_relu)                  \
    ROW("MatMul", 2, 2, op_import_matmul)                         \
    ROW("MaxPool", 1, 1, op_import_max_pool)                      \
    ROW("Mul", 2, 2, op_import_mul)                               \
    ROW("Pad", 1, 4, op_import_pad)                               \
    ROW("ReduceMean", 1, 2, op_import_reduce_mean)                \
    ROW("Relu", 1, 1, op_import_relu)                             \
    ROW("Reshape", 2, 2, op_import_reshape)                       \
    ROW("Shape", 1, 1, op_import_shape)                           \
    ROW("Sigmoid", 1, 1, op_import_sigmoid)                       \
    ROW("Slice", 1, 5, op_import_slice)                           \
    ROW("Softmax", 1, 1, op_import_softmax)                       \
    ROW("Sqrt", 1, 1, op_import_sqrt)                             \
    ROW("Squeeze", 1, 2, op_import_squeeze)                       \
    ROW("Sub", 2, 2, op_import_sub)                               \
    ROW("Transpose", 1, 1, op_import_transpose)                   \
    ROW("Unsqueeze", 1, 2, op_import_unsqueeze)

#define ROW_OF(name, min_in, max_in, import)  {name, min_in, max_in, import},
#define NAME_OF(name, min_in, max_in, import) name,

static const struct import_row op_table[] = {OPERATORS(ROW_OF)};
static const char *const op_names[] = {OPERATORS(NAME_OF) NULL};

const struct import_row *import_row_find(const char *name)
{
    for (size_t i = 0; i < sizeof op_table / sizeof op_table[0]; i++)
        if (strcmp(op_table[i].name, name) == 0)
            return &op_table[i];
    return NULL;
}

const char *const *graph_op_names(void)
{
    return op_names;
}
