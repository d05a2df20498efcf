/* SPDX-License-Identifier: MIT
 *
 * The parts of onnx.c: a reader at work, and tensors. Private to onnx.c and onnx_tensor.c.
 */
#ifndef BITFADER_MODEL_ONNX_READ_H
#define BITFADER_MODEL_ONNX_READ_H

#include <protobuf-c/protobuf-c.h>

#include "model/onnx.h"
#include "model/wire.h"

/* Memory for protobuf-c's structs: the model's, gone with it. */
ProtobufCAllocator onnx_allocator(struct onnx_model *m);
/* Keeps a field whose number is in the set for protobuf-c, which unpacks `rest` later; skips it otherwise. */
void onnx_keep(struct wire *w, const struct wire_field *f, uint64_t numbers, struct wire_bytes *rest);

/* Reads the TensorProto that w has entered, up to its end. -1 with a message that names the tensor but not the file; a
 * type that is not read is an error only when must. */
int onnx_tensor_read(struct onnx_model *m, struct wire *w, struct onnx_tensor *t, bool must, struct err *e);

#endif
