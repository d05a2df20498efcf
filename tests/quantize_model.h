/* SPDX-License-Identifier: MIT
 *
 * A float ONNX file as a quantized one, as exporters write it: 8-bit weights behind DequantizeLinear, one scale a
 * channel, 32-bit biases, and QuantizeLinear with DequantizeLinear before every reader of an activation.
 */
#ifndef BITFADER_TESTS_QUANTIZE_MODEL_H
#define BITFADER_TESTS_QUANTIZE_MODEL_H

#include "base/mem.h"
#include "engine/plan.h"

/* model: the float file's bytes. g is the same as imported, c its calibration: ranges come from there, for the tensors
 * that it still has. The bytes are in the arena. */
unsigned char *quantize_model(const void *model, size_t size, const struct graph *g, const struct calibration *c,
                              struct arena *a, size_t *n);

#endif
