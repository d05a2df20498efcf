/* SPDX-License-Identifier: MIT
 *
 * ONNX models for tests, written as text, one item a line:
 *
 *   opset 13                              the default; ahead of the rest
 *   in x N,3,4,4                          graph input, a letter is a symbol; "scalar" for no dimension
 *   in x:7 2,3                            of another element type than float: TensorProto's number
 *   out y 1,2                             graph output; the shape may be left out
 *   value t 1,2                           a shape declared in value_info
 *   const w 2,3 = 1,2,3,4,5,6             float initializer; without values: onnx_make_value(0), (1), ...
 *   ints s 2 = 1,-1                       int64 initializer
 *   bools c 1 = 1                         bool initializer
 *   u8 z 1 = 128                          the same of 8-bit codes (u8, i8) and int32 (i32); without values: a pattern
 *   graph T                               lines up to "end" are a sub-graph
 *   end
 *   Conv(x,w,)->y name='c' group=1 pads=[1,1,1,1] alpha=0.5 value=w2
 *
 * "onnx.brevitas:Quant(" is an operator of another domain. In a node line an empty name is an input left out; an
 * attribute is a string in quotes, [ints], a number with a point (float), a whole number (int), {T} (sub-graph), or the
 * name of a const or ints line, which then is no initializer (tensor).
 */
#ifndef BITFADER_TESTS_ONNX_MAKE_H
#define BITFADER_TESTS_ONNX_MAKE_H

#include "base/mem.h"
#include "model/graph.h"
#include "model/onnx.pb-c.h"

/* The message, in the arena, to be changed further and packed. */
Onnx__ModelProto *onnx_make_model(const char *text, struct arena *a);
/* The bytes of a message. */
unsigned char *onnx_make_bytes(const Onnx__ModelProto *m, struct arena *a, size_t *n);
/* The model imported; a test fails when it cannot be. The caller frees. */
struct graph *onnx_make_graph(const char *text);
/* The i-th value of a const line without values: quarters between -1.25 and 1.25. */
float onnx_make_value(int64_t i);

#endif
