/* SPDX-License-Identifier: MIT
 *
 * The kinds of steps: what runs them and what cuts them into parts for threads. So a step is data alone, which can be
 * written to a file and read.
 */
#include "engine/split.h"

const struct step_row step_rows[STEP_KINDS] = {
    [STEP_CONV_U8] = {"conv_u8", step_conv_u8, split_conv_u8},
    [STEP_CONV_F32] = {"conv_f32", step_conv_f32, split_conv_f32},
    [STEP_SGEMM_F32] = {"sgemm_f32", step_sgemm_f32, NULL},
    [STEP_QUANTIZE] = {"quantize", step_quantize, split_elements},
    [STEP_DEQUANTIZE] = {"dequantize", step_dequantize, split_elements},
    [STEP_LUT_U8] = {"lut_u8", step_lut_u8, split_elements},
    [STEP_ADD_U8] = {"add_u8", step_add_u8, split_elements},
    [STEP_MAXPOOL_U8] = {"maxpool_u8", step_maxpool_u8, split_pool},
    [STEP_AVGPOOL_U8] = {"avgpool_u8", step_avgpool_u8, split_pool},
    [STEP_COPY_U8] = {"copy_u8", step_copy_u8, split_copy},
    [STEP_COPY_F32] = {"copy_f32", step_copy_f32, split_copy},
    [STEP_ADD_F32] = {"add_f32", step_add_f32, split_elements},
    [STEP_BINARY_F32] = {"binary_f32", step_binary_f32, split_binary},
    [STEP_UNARY_F32] = {"unary_f32", step_unary_f32, split_elements},
    [STEP_AFFINE_F32] = {"affine_f32", step_affine_f32, split_affine},
    [STEP_MAXPOOL_F32] = {"maxpool_f32", step_maxpool_f32, split_pool},
    [STEP_AVGPOOL_F32] = {"avgpool_f32", step_avgpool_f32, split_pool},
    [STEP_SOFTMAX_F32] = {"softmax_f32", step_softmax_f32, split_softmax},
    [STEP_MATMUL_CODES] = {"matmul_codes", step_matmul_codes, split_product},
    [STEP_MATMUL_FLOAT] = {"matmul_float", step_matmul_float, split_product},
    [STEP_SNAP_F32] = {"snap_f32", step_snap_f32, split_elements},
    [STEP_SNAP_U8] = {"snap_u8", step_snap_u8, split_elements},
    [STEP_SIGN_F32] = {"sign_f32", step_sign_f32, split_elements},
    [STEP_SIGN_U8] = {"sign_u8", step_sign_u8, split_elements},
    [STEP_RECURRENT] = {"recurrent", step_recurrent, NULL},
    [STEP_CALL] = {"call", step_call, NULL},
};
